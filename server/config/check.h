// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What only the whole of the options can say: conflicts between options that each are fine. Checked at start and before
// a reload, not by `-t` (spec/client-protocol.md B1, `-t` scope).
#ifndef MG_CONFIG_CHECK_H
#define MG_CONFIG_CHECK_H

#include <stddef.h>

#include "server/config/config.h"
#include "server/config/options.h"

// MG_OK if a server may start with o. Else MG_EINVAL (or MG_EUNSUPPORTED for a block that must not be ignored) and one
// line in err.
int mg_options_check(const struct mg_options *o, char *err, size_t errlen);

// Things worth a [WRN] line at start: plaintext passwords, huge payloads, blocks that have no effect.
void mg_options_warnings(const struct mg_options *o, struct mg_config_report *out);

// The first user that has the name or nkey of an earlier one; NULL if there is none.
const struct mg_user *mg_users_duplicate(const struct mg_user *users, size_t n);

#endif
