// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/stretches.h"

#include <string.h>

#include "server/base/assert.h"
#include "server/base/mem.h"

// ---- pages ----------------------------------------------------------------------------------------------------------

// What is said of a page, anew: something in it has come or gone.
static void look_at(struct mg_stretches *t, struct mg_stretch_page *p) {
    uint16_t stale = 0, dead = 0;
    mg_assert(p->len > 0);
    for (uint32_t i = 0; i < p->len; i++) {
        stale = (uint16_t)(stale + p->at[i].stale);
        dead = (uint16_t)(dead + (p->at[i].live == 0));
    }
    t->stale = t->stale - p->stale + stale;
    p->stale = stale;
    p->dead = dead;
    p->last_seq = p->at[p->len - 1].last_seq;
}

static struct mg_stretch_page *new_page(struct mg_stretches *t, uint32_t at) {
    if (t->pages_len == t->pages_cap) {
        t->pages_cap += t->pages_cap / 4 + 1; // they stay, so there is not much room behind them
        t->pages = mg_realloc(t->pages, t->pages_cap * sizeof(t->pages[0]));
    }
    struct mg_stretch_page *p = &t->pages[at];
    memmove(p + 1, p, (t->pages_len++ - at) * sizeof(*p));
    *p = (struct mg_stretch_page){.at = NULL};
    return p;
}

static void drop_page(struct mg_stretches *t, uint32_t at) {
    struct mg_stretch_page *p = &t->pages[at];
    t->stale -= p->stale;
    mg_free(p->at);
    memmove(p, p + 1, (--t->pages_len - at) * sizeof(*p));
    if (t->pages_len > 0) return;
    mg_free(t->pages);
    *t = (struct mg_stretches){.pages = NULL};
}

static void put(struct mg_stretch_page *p, uint32_t i, const struct mg_stretch *c) {
    if (p->len == p->cap) {
        uint32_t cap = p->cap + p->cap / 2u + 2;
        p->cap = (uint16_t)(cap < MG_STRETCH_PAGE ? cap : MG_STRETCH_PAGE);
        p->at = mg_realloc(p->at, p->cap * sizeof(p->at[0]));
    }
    memmove(&p->at[i + 1], &p->at[i], (p->len++ - i) * sizeof(p->at[0]));
    p->at[i] = *c;
}

// Makes one of two pages if that is not much more than half full.
static bool join(struct mg_stretches *t, uint32_t second) {
    if (second == 0 || second >= t->pages_len) return false;
    struct mg_stretch_page *a = &t->pages[second - 1], *b = a + 1;
    if (a->len + b->len > MG_STRETCH_PAGE * 3 / 4) return false;
    for (uint32_t i = 0; i < b->len; i++) put(a, a->len, &b->at[i]);
    drop_page(t, second);
    look_at(t, &t->pages[second - 1]);
    return true;
}

// ---- all of them ----------------------------------------------------------------------------------------------------

void mg_stretches_add(struct mg_stretches *t, const struct mg_stretch *c) {
    bool full = t->pages_len == 0 || t->pages[t->pages_len - 1].len == MG_STRETCH_PAGE;
    struct mg_stretch_page *p = full ? new_page(t, t->pages_len) : &t->pages[t->pages_len - 1];
    put(p, p->len, c);
    p->stale = (uint16_t)(p->stale + c->stale);
    p->dead = (uint16_t)(p->dead + (c->live == 0));
    p->last_seq = c->last_seq;
    t->stale += c->stale;
    t->count++;
}

uint32_t mg_stretches_free_last(struct mg_stretches *t) {
    if (t->pages_len == 0) return 0;
    const struct mg_stretch_page *p = &t->pages[t->pages_len - 1];
    uint32_t n = p->len;
    for (uint32_t i = 0; i < n; i++) mg_segment_ref_put(p->at[i].segment);
    t->count -= n;
    drop_page(t, t->pages_len - 1);
    return n;
}

struct mg_stretch *mg_stretches_last(const struct mg_stretches *t) {
    if (t->pages_len == 0) return NULL;
    const struct mg_stretch_page *p = &t->pages[t->pages_len - 1];
    return &p->at[p->len - 1];
}

struct mg_stretch_at mg_stretches_find(const struct mg_stretches *t, uint64_t seq) {
    uint32_t lo = 0, hi = t->pages_len;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (t->pages[mid].last_seq < seq) lo = mid + 1;
        else hi = mid;
    }
    struct mg_stretch_at out = {lo, 0};
    if (lo == t->pages_len) return out;
    const struct mg_stretch_page *p = &t->pages[lo];
    for (hi = p->len; out.i < hi;) {
        uint32_t mid = (out.i + hi) / 2;
        if (p->at[mid].last_seq < seq) out.i = mid + 1;
        else hi = mid;
    }
    return out;
}

struct mg_stretch_at mg_stretches_reaching(const struct mg_stretches *t, int64_t time) {
    uint32_t lo = 0, hi = t->pages_len;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (mg_stretch_reaches(&t->pages[mid].at[t->pages[mid].len - 1], time)) hi = mid;
        else lo = mid + 1;
    }
    struct mg_stretch_at out = {lo, 0};
    if (lo == t->pages_len) return out;
    const struct mg_stretch_page *p = &t->pages[lo];
    for (hi = p->len; out.i < hi;) {
        uint32_t mid = (out.i + hi) / 2;
        if (mg_stretch_reaches(&p->at[mid], time)) hi = mid;
        else out.i = mid + 1;
    }
    return out;
}

struct mg_stretch *mg_stretches_of(const struct mg_stretches *t, uint64_t seq, struct mg_stretch_at *at) {
    *at = mg_stretches_find(t, seq);
    struct mg_stretch *c = mg_stretches_get(t, *at);
    return c && c->first_seq <= seq ? c : NULL;
}

void mg_stretches_set_live(struct mg_stretches *t, struct mg_stretch_at at, uint64_t live) {
    struct mg_stretch *c = mg_stretches_get(t, at);
    struct mg_stretch_page *p = &t->pages[at.page];
    const struct mg_stretch before = *c;
    mg_stretch_set_live(c, live);
    p->dead = (uint16_t)(p->dead + (c->live == 0) - (before.live == 0));
    p->stale = (uint16_t)(p->stale + c->stale - before.stale);
    t->stale = t->stale + c->stale - before.stale;
}

// ---- those in the middle --------------------------------------------------------------------------------------------

// Takes those out of a page that begin at or below `to`, from the i-th on. True: the page has none behind them.
static bool take_out(struct mg_stretches *t, struct mg_stretch_page *p, uint32_t i, uint64_t to, uint64_t low,
                     uint32_t *n, uint64_t *live) {
    uint32_t end = i;
    for (; end < p->len && p->at[end].first_seq <= to; end++) {
        mg_assert(p->at[end].last_seq <= to);
        if (p->at[end].last_seq >= low) *live += p->at[end].live;
        mg_segment_ref_put(p->at[end].segment);
    }
    bool last = end == p->len;
    memmove(&p->at[i], &p->at[end], (p->len - end) * sizeof(p->at[0]));
    p->len = (uint16_t)(p->len - (end - i));
    *n += end - i;
    t->count -= end - i;
    return last;
}

// The second half of a full page becomes one of its own. The place stays what it is.
static void split(struct mg_stretches *t, struct mg_stretch_at *at) {
    const uint32_t half = MG_STRETCH_PAGE / 2;
    struct mg_stretch_page *b = new_page(t, at->page + 1), *a = b - 1;
    for (uint32_t i = half; i < a->len; i++) put(b, b->len, &a->at[i]);
    a->len = half;
    look_at(t, a);
    look_at(t, b);
    if (at->i <= half) return;
    at->page++;
    at->i -= half;
}

uint32_t mg_stretches_take(struct mg_stretches *t, uint64_t from, uint64_t to, uint64_t low, uint64_t *live) {
    struct mg_stretch_at at = mg_stretches_find(t, from);
    const struct mg_stretch *first = mg_stretches_get(t, at);
    uint32_t n = 0;
    *live = 0;
    if (first) mg_assert(first->first_seq >= from);
    for (bool more = true; more && at.page < t->pages_len; at.i = 0) {
        struct mg_stretch_page *p = &t->pages[at.page];
        more = take_out(t, p, at.i, to, low, &n, live);
        if (p->len == 0) {
            drop_page(t, at.page);
        } else {
            look_at(t, p);
            at.page++;
        }
    }
    return n;
}

void mg_stretches_put(struct mg_stretches *t, const struct mg_stretch *c) {
    struct mg_stretch_at at = mg_stretches_find(t, c->first_seq);
    const struct mg_stretch *behind = mg_stretches_get(t, at);
    if (behind == NULL) {
        mg_stretches_add(t, c);
        return;
    }
    mg_assert(behind->first_seq > c->last_seq);
    if (t->pages[at.page].len == MG_STRETCH_PAGE) split(t, &at);
    put(&t->pages[at.page], at.i, c);
    look_at(t, &t->pages[at.page]);
    t->count++;
    join(t, at.page + 1);
    join(t, at.page);
}

uint32_t mg_stretches_remove(struct mg_stretches *t, uint32_t *page, mg_stretch_gone_fn gone, void *arg) {
    struct mg_stretch_page *p = &t->pages[*page];
    uint32_t kept = 0, before = p->len;
    for (uint32_t i = 0; i < before; i++) {
        if (gone(arg, &p->at[i])) mg_segment_ref_put(p->at[i].segment);
        else p->at[kept++] = p->at[i];
    }
    p->len = (uint16_t)kept;
    t->count -= before - kept;
    if (kept == 0) {
        drop_page(t, *page);
        return before;
    }
    if (kept < before) look_at(t, p);
    if (kept == before || !join(t, *page)) ++*page;
    return before - kept;
}

void mg_stretches_tell(struct mg_stretches *t, uint32_t page, mg_stretch_stale_fn fn, void *arg) {
    struct mg_stretch_page *p = &t->pages[page];
    for (uint32_t i = 0; i < p->len && p->stale > 0; i++) {
        struct mg_stretch *c = &p->at[i];
        if (!c->stale) continue;
        c->stale = false;
        p->stale--;
        t->stale--;
        fn(arg, c);
    }
}
