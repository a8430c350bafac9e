// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The body of a pull request (spec/jetstream-consumers.md 10.1): nothing, a number, or a JSON object.
#ifndef MG_JETSTREAM_CONSUMER_REQUEST_H
#define MG_JETSTREAM_CONSUMER_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/base/slice.h"

struct mg_js_request {
    int64_t batch;         // as it was asked; a request for less than one message gets one
    int64_t expires;       // ns from now; 0: none; negative: at once
    int64_t max_bytes;     // 0: none
    int64_t heartbeat;     // ns; 0: none
    bool no_wait;
    bool json;             // only an object can hold what follows, and is checked for it (11)
    int64_t min_pending, min_ack_pending;
    int64_t priority;
    mg_slice group, id;    // in `strings`
    struct mg_buf strings; // owned
};

// MG_OK, or MG_ESYNTAX with a text in err for `400 Bad Request - <text>`. The caller frees `out` in both cases.
int mg_js_request_read(mg_slice body, struct mg_js_request *out, struct mg_buf *err);
void mg_js_request_fini(struct mg_js_request *r);

#endif
