// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/stream/later.h"

#include <stddef.h>
#include <string.h>

#define GONE UINT64_C(1)

static size_t length(const struct mg_js_later *l) { return l->marks.len / sizeof(uint64_t); }

static uint64_t mark_at(const struct mg_js_later *l, size_t i) {
    uint64_t mark;
    memcpy(&mark, l->marks.p + i * sizeof(mark), sizeof(mark));
    return mark;
}

// The first one with a number of at least seq; length(l): none.
static size_t find(const struct mg_js_later *l, uint64_t seq) {
    size_t lo = 0, hi = length(l);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (mark_at(l, mid) >> 1 < seq) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

void mg_js_later_add(struct mg_js_later *l, uint64_t seq) {
    const uint64_t mark = seq << 1;
    mg_buf_add(&l->marks, &mark, sizeof(mark));
}

void mg_js_later_gone(struct mg_js_later *l, uint64_t seq) {
    size_t i = find(l, seq);
    if (i == length(l) || mark_at(l, i) >> 1 != seq) return;
    const uint64_t mark = seq << 1 | GONE;
    memcpy(l->marks.p + i * sizeof(mark), &mark, sizeof(mark));
}

uint64_t mg_js_later_than(const struct mg_js_later *l, uint64_t upto) {
    uint64_t n = 0;
    for (size_t i = upto == UINT64_MAX ? length(l) : find(l, upto + 1); i < length(l); i++)
        n += (mark_at(l, i) & GONE) == 0;
    return n;
}

void mg_js_later_fini(struct mg_js_later *l) { mg_buf_fini(&l->marks); }
