// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/merge_pick.h"

// Those in front of the first busy one: what is older belongs to the level around it.
static uint32_t free_in_front(const struct mg_merge_item *runs, uint32_t n) {
    uint32_t i = 0;
    while (i < n && !runs[i].busy) i++;
    return i;
}

uint32_t mg_merge_pick(const struct mg_merge_item *runs, uint32_t n, uint32_t many, uint64_t most, uint32_t *from) {
    *from = 0;
    n = free_in_front(runs, n);
    if (n < many) return 0;
    uint64_t sum = runs[0].size;
    uint32_t k = 1;
    while (k < n && k < MG_MERGE_AT_ONCE && (k < many / 2 || runs[k].size <= 2 * sum)) sum += runs[k++].size;
    while (k > 0 && sum > most) sum -= runs[--k].size;
    return k > 1 ? k : 0;
}

// The cheapest of all windows of `width` that have no busy one in them. False: there is none.
static bool cheapest(const struct mg_merge_item *runs, uint32_t n, uint32_t width, uint32_t *from) {
    uint64_t sum = 0, best = UINT64_MAX;
    uint32_t len = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (runs[i].busy) {
            len = 0;
            sum = 0;
            continue;
        }
        sum += runs[i].size;
        if (++len > width) sum -= runs[i - width].size;
        if (len < width || sum >= best) continue;
        best = sum;
        *from = i + 1 - width;
    }
    return best < UINT64_MAX;
}

uint32_t mg_merge_pick_cheap(const struct mg_merge_item *runs, uint32_t n, uint32_t *from) {
    uint32_t free = 0;
    for (uint32_t i = 0; i < n; i++) free += !runs[i].busy;
    if (free < MG_MERGE_LIMIT) return 0;
    for (uint32_t width = MG_MERGE_AT_ONCE; width > 1; width--) {
        if (cheapest(runs, n, width, from)) return width;
    }
    return 0;
}
