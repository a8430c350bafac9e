// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a published message asks for in its headers (spec/jetstream-streams.md 12), and what it is refused for. Names
// are matched with their case; an empty value is as good as none.
#ifndef MG_JETSTREAM_STREAM_WISHES_H
#define MG_JETSTREAM_STREAM_WISHES_H

#include "jetstream/api/stream_config.h"
#include "jetstream/store/store.h"

enum mg_js_ttl_kind { MG_JS_TTL_NONE, MG_JS_TTL_SECONDS, MG_JS_TTL_NEVER, MG_JS_TTL_INVALID };
struct mg_js_ttl {
    enum mg_js_ttl_kind kind;
    int64_t seconds;
};
struct mg_js_ttl mg_js_ttl_read(mg_slice text);

// Slices point into the headers.
struct mg_js_wishes {
    mg_slice msg_id, last_msg_id, subject, bad_rollup;
    uint64_t last, subject_last; // MG_ANY_SEQ: nothing is expected
    struct mg_js_ttl ttl;
    bool rollup_subject, rollup_all, rollup_forbidden;
};

// All return 0, or what the message is refused for (enum mg_js_errno).
// Is it part of a batch? Comes first.
int mg_js_wishes_check_batch(const struct mg_js_stream_config *c, mg_slice reply, mg_slice headers, mg_slice payload);
int mg_js_wishes_read(struct mg_js_wishes *w, const struct mg_js_stream_config *c, mg_slice headers);
// What comes behind the check of the expected sequences, and before duplicates are found.
int mg_js_wishes_check_early(const struct mg_js_stream_config *c, mg_slice subject, mg_slice headers);
// What comes behind the check of the expected message id, up to the sizes.
int mg_js_wishes_check_late(const struct mg_js_wishes *w, const struct mg_js_stream_config *c, mg_slice headers,
                            mg_slice payload);

#endif
