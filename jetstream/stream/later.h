// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Messages that came while others were being counted: a list of their numbers, which knows in the end how many of them
// the count has not seen. Lives as long as the count. Pure.
#ifndef MG_JETSTREAM_STREAM_LATER_H
#define MG_JETSTREAM_STREAM_LATER_H

#include <stdint.h>

#include "server/base/buf.h"

struct mg_js_later {
    struct mg_buf marks; // of uint64_t, ascending: a number, shifted by one; the lowest bit says that it has gone again
};

void mg_js_later_add(struct mg_js_later *l, uint64_t seq); // higher than all before
void mg_js_later_gone(struct mg_js_later *l, uint64_t seq); // one that was not added is passed over
// How many are still there with a number above upto?
uint64_t mg_js_later_than(const struct mg_js_later *l, uint64_t upto);
void mg_js_later_fini(struct mg_js_later *l);

#endif
