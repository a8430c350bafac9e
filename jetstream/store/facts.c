// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Facts, and what follows from them for rows.
//
// Why a row that is called garbage can never be needed, though an even older version of it in a table that is not part
// of the merge may come to light by leaving it out:
//
//   stream unknown    its drop was durable before the facts. Its rows of kind STREAM and STATE end in tombstones, which
//                     stay, so it does not come back; nobody asks for the other kinds without these two.
//   SUBJECT           of an epoch before the stream's: epochs only grow, nobody asks for an older one.
//   REMOVED           tells apart removed messages from those that are there. It is garbage if no segment holds a
//                     removed message of its span: all of it lies below `first`, or every stretch in it has all its
//                     messages. An older version has fewer bits, and each of them is still true.
//   DEDUPE            outside of the window; an older version is older still.
//
// STRETCH rows are kept: they end in a tombstone or in a newer row when their segment goes.
#include "jetstream/store/facts.h"

#include <stdlib.h>
#include <string.h>

#include "jetstream/store/row_kinds.h"
#include "jetstream/store/rows.h"
#include "server/base/assert.h"
#include "server/base/mem.h"

static void free_told(struct mg_facts *f) {
    for (struct mg_fact_changes *b = f->told, *next; b; b = next) {
        next = b->next;
        mg_free(b);
    }
    f->told = NULL;
}

void mg_facts_fini(struct mg_facts *f) {
    mg_free(f->streams);
    mg_free(f->stretches);
    mg_free(f->changes);
    free_told(f);
    memset(f, 0, sizeof(*f));
}

void mg_facts_reserve(struct mg_facts *f, uint32_t streams) {
    mg_assert(f->cap == 0);
    f->cap = streams;
    f->streams = streams ? mg_alloc(streams * sizeof(f->streams[0])) : NULL;
}

void mg_facts_add(struct mg_facts *f, const struct mg_fact *x) {
    if (f->len == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 16;
        f->streams = mg_realloc(f->streams, f->cap * sizeof(f->streams[0]));
    }
    struct mg_fact *new = &f->streams[f->len++];
    *new = *x;
    new->at = f->stretches_len;
    new->len = 0;
}

void mg_facts_add_stretch(struct mg_facts *f, struct mg_fact_stretch s) {
    mg_assert(f->len > 0);
    if (f->stretches_len == f->stretches_cap) {
        f->stretches_cap = f->stretches_cap ? f->stretches_cap * 2 : 16;
        f->stretches = mg_realloc(f->stretches, f->stretches_cap * sizeof(f->stretches[0]));
    }
    f->stretches[f->stretches_len++] = s;
    f->streams[f->len - 1].len++;
}

void mg_facts_add_change(struct mg_facts *f, uint64_t stream, struct mg_fact_stretch s) {
    struct mg_fact_changes *b = f->told;
    if (b == NULL || b->len == MG_FACT_CHANGES) {
        b = mg_alloc(sizeof(*b));
        b->next = f->told;
        b->len = 0;
        f->told = b;
    }
    b->at[b->len++] = (struct mg_fact_change){stream, s};
}

static void gather_told(struct mg_facts *f) {
    uint32_t n = 0;
    mg_assert(f->changes == NULL);
    for (const struct mg_fact_changes *b = f->told; b; b = b->next) n += b->len;
    f->changes = mg_alloc((n ? n : 1) * sizeof(f->changes[0]));
    for (const struct mg_fact_changes *b = f->told; b; b = b->next) {
        memcpy(&f->changes[f->changes_len], b->at, b->len * sizeof(b->at[0]));
        f->changes_len += b->len;
    }
    free_told(f);
}

static int by_stream(const void *a, const void *b) {
    const struct mg_fact *x = a, *y = b;
    return (x->stream > y->stream) - (x->stream < y->stream);
}

static int by_place(const void *a, const void *b) {
    const struct mg_fact_change *x = a, *y = b;
    if (x->stream != y->stream) return x->stream < y->stream ? -1 : 1;
    return (x->at.first_seq > y->at.first_seq) - (x->at.first_seq < y->at.first_seq);
}

void mg_facts_sort(struct mg_facts *f) {
    if (f->len) qsort(f->streams, f->len, sizeof(f->streams[0]), by_stream);
    gather_told(f);
    if (f->changes_len) qsort(f->changes, f->changes_len, sizeof(f->changes[0]), by_place);
}

const struct mg_fact *mg_facts_find(const struct mg_facts *f, uint64_t stream) {
    const struct mg_fact key = {.stream = stream};
    return f->len ? bsearch(&key, f->streams, f->len, sizeof(key), by_stream) : NULL;
}

// Those of one stream, from the at-th change on: the next one that may be about a stretch is moved up to.
static void join_stretches(struct mg_facts *out, const struct mg_facts *now, const struct mg_fact *x,
                           const struct mg_facts *old, const struct mg_fact *was, uint32_t *at) {
    for (uint32_t i = 0; i < was->len; i++) {
        struct mg_fact_stretch s = old->stretches[was->at + i];
        const struct mg_fact_change key = {x->stream, s};
        while (*at < now->changes_len && by_place(&now->changes[*at], &key) < 0) ++*at;
        if (*at < now->changes_len && by_place(&now->changes[*at], &key) == 0) {
            s.live = now->changes[*at].at.live;
            s.whole = now->changes[*at].at.whole;
        }
        if (s.last_seq < x->first) s.live = s.whole = 0;
        mg_facts_add_stretch(out, s);
    }
}

void mg_facts_join(struct mg_facts *out, const struct mg_facts *now, const struct mg_facts *old) {
    uint32_t at = 0, change = 0;
    for (uint32_t i = 0; i < now->len; i++) {
        const struct mg_fact *x = &now->streams[i];
        mg_facts_add(out, x);
        while (at < old->len && old->streams[at].stream < x->stream) at++;
        if (at < old->len && old->streams[at].stream == x->stream)
            join_stretches(out, now, x, old, &old->streams[at], &change);
    }
}

// ---- segments -------------------------------------------------------------------------------------------------------

static int by_id(const void *a, const void *b) {
    const struct mg_fact_segment *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

struct mg_fact_segment *mg_facts_segments(const struct mg_facts *f, uint32_t *n) {
    struct mg_fact_segment *list = mg_alloc((f->stretches_len + 1u) * sizeof(*list));
    for (uint32_t i = 0; i < f->stretches_len; i++) {
        const struct mg_fact_stretch *s = &f->stretches[i];
        list[i] = (struct mg_fact_segment){.id = s->segment, .live = s->live, .stretches = 1};
    }
    qsort(list, f->stretches_len, sizeof(*list), by_id);
    *n = 0;
    for (uint32_t i = 0; i < f->stretches_len; i++) {
        if (*n == 0 || list[*n - 1].id != list[i].id) {
            list[(*n)++] = list[i];
            continue;
        }
        list[*n - 1].live += list[i].live;
        list[*n - 1].stretches++;
    }
    return list;
}

const struct mg_fact_segment *mg_fact_segment_find(const struct mg_fact_segment *list, uint32_t n, uint64_t id) {
    const struct mg_fact_segment key = {.id = id};
    return n ? bsearch(&key, list, n, sizeof(key), by_id) : NULL;
}

bool mg_ids_have(const uint64_t *ids, uint32_t n, uint64_t id) {
    uint32_t lo = 0, hi = n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (ids[mid] < id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < n && ids[lo] == id;
}

// ---- rows -----------------------------------------------------------------------------------------------------------

// Does a segment hold a removed message with a number in [from, from + MG_REMOVED_SPAN)?
static bool span_is_whole(const struct mg_facts *f, const struct mg_fact *x, uint64_t from) {
    const struct mg_fact_stretch *s = &f->stretches[x->at];
    uint32_t lo = 0, hi = x->len;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (s[mid].last_seq < from) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    for (; lo < x->len && s[lo].first_seq < from + MG_REMOVED_SPAN; lo++) {
        if (!s[lo].whole) return false;
    }
    return true;
}

static bool removed_is_garbage(const struct mg_facts *f, const struct mg_fact *x, uint64_t chunk) {
    if (chunk >= UINT64_MAX / MG_REMOVED_SPAN) return false; // no such number: damaged, not garbage
    uint64_t from = chunk * MG_REMOVED_SPAN;
    return from + MG_REMOVED_SPAN <= x->first || span_is_whole(f, x, from);
}

bool mg_facts_row_is_garbage(const struct mg_facts *f, mg_slice key, mg_slice value) {
    if (key.n < MG_ROW_KEY_HEAD) return false;
    uint64_t stream = mg_get_be64(key.p + 1);
    if (stream == 0) return false; // of the store
    const struct mg_fact *x = mg_facts_find(f, stream);
    if (x == NULL) return key.p[0] != MG_ROW_ERASE;
    switch (key.p[0]) {
    case MG_ROW_SUBJECT: return key.n >= MG_ROW_KEY_HEAD + 4 && mg_get_be32(key.p + MG_ROW_KEY_HEAD) < x->epoch;
    case MG_ROW_REMOVED:
        return key.n == MG_ROW_KEY_HEAD + 8 && removed_is_garbage(f, x, mg_get_be64(key.p + MG_ROW_KEY_HEAD));
    case MG_ROW_DEDUPE: {
        struct mg_dedupe_row row;
        if (value.n != sizeof(row)) return false;
        memcpy(&row, value.p, sizeof(row));
        return row.time <= x->dedupe_before;
    }
    default: return false;
    }
}
