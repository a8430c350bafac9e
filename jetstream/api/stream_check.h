// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the files with the rules of a stream's configuration share. Others call stream_config.h.
#ifndef MG_JETSTREAM_API_STREAM_CHECK_H
#define MG_JETSTREAM_API_STREAM_CHECK_H

#include "jetstream/api/stream_config.h"

// Mirror and sources (stream_sources.c). May set mirror_direct as the origin has it.
int mg_js_check_origins(struct mg_js_stream_config *c, const struct mg_js_stream_env *env, bool pedantic,
                        struct mg_js_error *e);
// A subject transform: its source, then its destination, each with an error of its own.
int mg_js_check_transform(const struct mg_js_subject_transform *t, enum mg_js_errno bad_src, enum mg_js_errno bad_dest,
                          struct mg_js_error *e);
bool mg_js_source_equal(const struct mg_js_source *a, const struct mg_js_source *b);
int mg_js_check_discard(const struct mg_js_stream_config *c, struct mg_js_error *e);

#endif
