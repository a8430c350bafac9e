// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The stretches of a stream, ascending by numbers. A terabyte in sections of a megabyte is a million of them, and no
// turn of the shard may notice: they lie in pages, of which there is a list.
//
//   pages:  [last 4711, 2 stale, 0 dead] [last 9000, 0, 128] [last 9216, 1, 0]
//              | 1..40, 41..77, ...        | 4712..4800, ...   | 9001..9216
//
// New ones come behind all others. What is in the middle becomes less: compaction puts one in the place of several,
// checkpoints drop dead ones. Both touch a page or two, and the list. What walks over all of them passes by pages in
// which there is nothing to do: a million stretches are 8,000 of these, 20 us.
#ifndef MG_JETSTREAM_STORE_STRETCHES_H
#define MG_JETSTREAM_STORE_STRETCHES_H

#include "jetstream/store/stretch.h"

#ifdef MG_SIM
#define MG_STRETCH_PAGE 4u // so that there are some
#else
#define MG_STRETCH_PAGE 128u
#endif

struct mg_stretch_page {
    struct mg_stretch *at;
    uint64_t last_seq; // of its last one
    uint16_t len, cap; // never empty
    uint16_t stale;    // so many are not as their rows say
    uint16_t dead;     // in so many nothing lives
};

// Zeroed is empty. Each stretch has a reference to its segment.
struct mg_stretches {
    struct mg_stretch_page *pages;
    uint32_t pages_len, pages_cap;
    uint32_t count;
    uint32_t stale; // of all pages
};

// A place; behind the last one there is one more.
struct mg_stretch_at {
    uint32_t page, i;
};

void mg_stretches_add(struct mg_stretches *t, const struct mg_stretch *c); // behind all others; takes the reference
// Gives back the references of the last page: how many they were. 0: it is empty, and has no memory.
uint32_t mg_stretches_free_last(struct mg_stretches *t);

// The first that ends at or behind seq.
struct mg_stretch_at mg_stretches_find(const struct mg_stretches *t, uint64_t seq);
// The first that may have messages of this time or later: times ascend with numbers.
struct mg_stretch_at mg_stretches_reaching(const struct mg_stretches *t, int64_t time);
static inline struct mg_stretch *mg_stretches_get(const struct mg_stretches *t, struct mg_stretch_at at) { // or NULL
    return at.page < t->pages_len ? &t->pages[at.page].at[at.i] : NULL;
}
static inline struct mg_stretch_at mg_stretches_next(const struct mg_stretches *t, struct mg_stretch_at at) {
    if (at.i + 1 < t->pages[at.page].len) return (struct mg_stretch_at){at.page, at.i + 1};
    return (struct mg_stretch_at){at.page + 1, 0};
}
// False: it was the first.
static inline bool mg_stretches_back(const struct mg_stretches *t, struct mg_stretch_at *at) {
    if (at->i > 0) at->i--;
    else if (at->page == 0) return false;
    else *at = (struct mg_stretch_at){at->page - 1, t->pages[at->page - 1].len - 1u};
    return true;
}
struct mg_stretch *mg_stretches_last(const struct mg_stretches *t); // NULL: it is empty
struct mg_stretch *mg_stretches_of(const struct mg_stretches *t, uint64_t seq, struct mg_stretch_at *at); // or NULL

// As mg_stretch_set_live.
void mg_stretches_set_live(struct mg_stretches *t, struct mg_stretch_at at, uint64_t live);

// Takes out all that have a number from..to, and gives back their references: how many they were; *live: messages that
// lived in those that do not end below `low`. None begins in front of from..to, or ends behind it.
uint32_t mg_stretches_take(struct mg_stretches *t, uint64_t from, uint64_t to, uint64_t low, uint64_t *live);
void mg_stretches_put(struct mg_stretches *t, const struct mg_stretch *c); // in its place; takes the reference
// Takes those out of a page of which `gone` says so; gives back their references. How many. What was behind them in the
// page may be in the one before now, and none of this place is left: *page is the next one to be looked at.
typedef bool (*mg_stretch_gone_fn)(void *arg, const struct mg_stretch *c);
uint32_t mg_stretches_remove(struct mg_stretches *t, uint32_t *page, mg_stretch_gone_fn gone, void *arg);
// Calls fn for those of a page that are stale; then none is.
typedef void (*mg_stretch_stale_fn)(void *arg, const struct mg_stretch *c);
void mg_stretches_tell(struct mg_stretches *t, uint32_t page, mg_stretch_stale_fn fn, void *arg);

#endif
