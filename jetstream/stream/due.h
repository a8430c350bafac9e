// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What is due first: the nearest of a stream's messages with a time to live, in a heap of bounded size. When there are
// more than it holds, it keeps the nearer half and knows the horizon behind which it knows nothing: what lies there is
// found in the stream's rows when the heap is empty. Pure.
#ifndef MG_JETSTREAM_STREAM_DUE_H
#define MG_JETSTREAM_STREAM_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MG_JS_DUES_MAX 8192u

struct mg_js_due {
    int64_t at; // ns since the epoch
    uint64_t seq;
};

struct mg_js_dues {
    struct mg_js_due *v; // owned; a heap, the nearest first
    uint32_t n, cap;
    bool cut;                 // there may be more from the horizon on
    struct mg_js_due horizon;
};

// Behind the horizon it is not kept.
void mg_js_dues_add(struct mg_js_dues *d, struct mg_js_due one);
// NULL: it is empty.
const struct mg_js_due *mg_js_dues_first(const struct mg_js_dues *d);
void mg_js_dues_pop(struct mg_js_dues *d);
void mg_js_dues_fini(struct mg_js_dues *d);

#endif
