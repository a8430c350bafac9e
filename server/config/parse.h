// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Text -> tree: the structure of config files, with includes and $variables resolved (spec/client-protocol.md B5).
#ifndef MG_CONFIG_PARSE_H
#define MG_CONFIG_PARSE_H

#include "server/base/slice.h"
#include "server/config/config.h"
#include "server/config/value.h"

// Parses the file at path and what it includes. 0: *out is filled, free it with mg_conf_tree_fini. Else MG_E*, *out is
// empty, and err holds the first error as one line.
int mg_conf_parse_file(const struct mg_config_source *src, const char *path, struct mg_conf_tree *out,
                       struct mg_buf *err);
// The same for text without a file; positions then have an empty file name.
int mg_conf_parse_text(const struct mg_config_source *src, mg_slice text, struct mg_conf_tree *out,
                       struct mg_buf *err);

#endif
