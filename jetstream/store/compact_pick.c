// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Two reasons to rewrite segments.
//
// *Garbage*: a segment of which half or more is removed, or of which a quarter is, while the whole store has more than
// 1.2 times the bytes that live. The one with the largest share of garbage is taken, and neighbours that have much
// garbage, too, or are small. So the store stays at 1.2 times what lives, but for the garbage that comes while a job
// runs; what is copied is, for updates at random, about half as much again as is written, and for what is removed from
// the front three times as much, at the very most.
//
// *Many small pieces*: a checkpoint of thousands of streams gives each a stretch of a few messages, which costs memory
// for ever. Neighbouring segments whose sections are small on average become one as table runs do: the newest ones, and
// older ones as long as they are not much larger than what is taken already. Of n such segments about 3 log2 n remain,
// and a message is copied about log4 n times.
#include "jetstream/store/compact_pick.h"

#include <stdlib.h>

#define KB UINT64_C(1024)
#define MB (1024 * KB)

#define GARBAGE_MIN (256 * KB) // less is not worth a file
// What lives in the inputs of a job against garbage: an eighth of the store, for until it ends both copies are there.
#define PRODUCT_MIN (16 * MB)
#define PRODUCT_MAX (64 * MB)
#define SMALL_LIVE (4 * MB)    // a neighbour with less is taken along
#define SECTION_SMALL (1 * MB) // bytes of a section on average below which segments are merged
#define MERGE_MIN 4u
#define MERGE_MAX (256 * MB)   // of inputs; or half of the store

static int by_age(const void *a, const void *b) {
    const struct mg_compact_item *x = a, *y = b;
    if (x->age != y->age) return x->age < y->age ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

void mg_compact_sort(struct mg_compact_item *list, uint32_t n) {
    if (n) qsort(list, n, sizeof(*list), by_age);
}

struct total {
    uint64_t size, live;
};

static struct total total_of(const struct mg_compact_item *list, uint32_t n) {
    struct total t = {0, 0};
    for (uint32_t i = 0; i < n; i++) {
        if (!list[i].usable) continue;
        t.size += list[i].size;
        t.live += list[i].live;
    }
    return t;
}

static uint64_t garbage_of(const struct mg_compact_item *x) { return x->size - x->live; }

static bool too_much(struct total t, uint64_t percent) {
    return t.size - t.live >= GARBAGE_MIN && t.size * 100 > t.live * percent;
}

enum mg_garbage mg_compact_garbage(const struct mg_compact_item *list, uint32_t n) {
    struct total all = total_of(list, n);
    return too_much(all, 200) ? MG_GARBAGE_FLOOD : too_much(all, 130) ? MG_GARBAGE_MUCH : MG_GARBAGE_SOME;
}

// ---- garbage --------------------------------------------------------------------------------------------------------

// Share of garbage, in 1/1000.
static uint64_t share_of(const struct mg_compact_item *x) { return x->size ? garbage_of(x) * 1000 / x->size : 0; }

static uint64_t product_max(struct total t) {
    uint64_t max = t.live / 8;
    return max < PRODUCT_MIN ? PRODUCT_MIN : max < PRODUCT_MAX ? max : PRODUCT_MAX;
}

static bool worth_taking_along(const struct mg_compact_item *x, uint64_t share, uint64_t live, uint64_t max) {
    if (!x->usable || live + x->live > max) return false;
    return share_of(x) * 2 >= share || x->live < SMALL_LIVE;
}

static uint32_t pick_garbage(const struct mg_compact_item *list, uint32_t n, uint32_t *out) {
    struct total all = total_of(list, n);
    uint64_t least = too_much(all, 120) ? 250 : 500, max = product_max(all);
    uint32_t best = n;
    for (uint32_t i = 0; i < n; i++) {
        if (!list[i].usable || garbage_of(&list[i]) < GARBAGE_MIN || share_of(&list[i]) < least) continue;
        if (best == n || share_of(&list[i]) > share_of(&list[best])) best = i;
    }
    if (best == n) return 0;
    uint64_t share = share_of(&list[best]), live = list[best].live;
    uint32_t from = best, to = best + 1;
    for (bool more = true; more && to - from < MG_COMPACT_MAX;) {
        more = false;
        if (from > 0 && worth_taking_along(&list[from - 1], share, live, max)) {
            live += list[--from].live;
            more = true;
        }
        if (to < n && to - from < MG_COMPACT_MAX && worth_taking_along(&list[to], share, live, max)) {
            live += list[to++].live;
            more = true;
        }
    }
    for (uint32_t i = from; i < to; i++) out[i - from] = i;
    return to - from;
}

// ---- small pieces ---------------------------------------------------------------------------------------------------

static bool is_small(const struct mg_compact_item *x) {
    return x->usable && x->stretches > 0 && x->size / x->stretches < SECTION_SMALL;
}

// Those of the small ones that go together with the newest one at `newest`, the newest first.
static uint32_t tier(const struct mg_compact_item *list, uint32_t newest, uint64_t max, uint32_t *out) {
    uint64_t sum = list[newest].size;
    uint32_t k = 1;
    out[0] = newest;
    for (uint32_t i = newest; i-- > 0 && k < MG_COMPACT_MAX;) {
        if (!is_small(&list[i])) continue;
        if (list[i].size > 2 * sum || sum + list[i].size > max) break;
        sum += list[i].size;
        out[k++] = i;
    }
    return k;
}

static uint32_t pick_small(const struct mg_compact_item *list, uint32_t n, uint32_t *out) {
    uint64_t max = total_of(list, n).size / 2;
    if (max < MERGE_MAX) max = MERGE_MAX;
    for (uint32_t newest = n; newest-- > 0;) {
        if (!is_small(&list[newest])) continue;
        uint32_t k = tier(list, newest, max, out);
        if (k < MERGE_MIN) continue;
        for (uint32_t i = 0; i < k / 2; i++) {
            uint32_t swap = out[i];
            out[i] = out[k - 1 - i];
            out[k - 1 - i] = swap;
        }
        return k;
    }
    return 0;
}

uint32_t mg_compact_pick(const struct mg_compact_item *list, uint32_t n, uint32_t out[MG_COMPACT_MAX]) {
    uint32_t k = pick_garbage(list, n, out);
    return k ? k : pick_small(list, n, out);
}
