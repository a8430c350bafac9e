// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Stretches in pages against the simplest list there is, after each of many random changes.
#include "jetstream/store/stretches.h"

#include <stdlib.h>
#include <string.h>

#include "test/unit/cmocka_inc.h"

#define MOST 4000u

struct plain {
    struct mg_stretch at[MOST];
    uint32_t len;
};

static uint64_t below(uint64_t *r, uint64_t n) {
    *r = *r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*r >> 33) % n;
}

static struct mg_segment_ref segment; // never goes

static struct mg_stretch between(uint64_t first, uint64_t last, uint32_t live) {
    atomic_fetch_add(&segment.refs, 1);
    return (struct mg_stretch){.first_seq = first, .last_seq = last, .segment = &segment, .messages = 100, .live = live,
                               .max_time = (uint32_t)(last >> 2 & 0x7fffffff)};
}

static void check(const struct mg_stretches *t, const struct plain *p) {
    uint32_t n = 0, stale = 0, refs = atomic_load(&segment.refs);
    struct mg_stretch_at at = {0, 0};
    assert_int_equal(t->count, p->len);
    assert_int_equal(refs, p->len + 1);
    for (const struct mg_stretch *c; (c = mg_stretches_get(t, at)); at = mg_stretches_next(t, at), n++)
        assert_memory_equal(c, &p->at[n], sizeof(*c));
    assert_int_equal(n, p->len);
    while (mg_stretches_back(t, &at)) assert_ptr_equal(mg_stretches_get(t, at)->segment, &segment), n--;
    assert_int_equal(n, 0);
    for (uint32_t i = 0; i < t->pages_len; i++) {
        const struct mg_stretch_page *g = &t->pages[i];
        uint32_t of_page = 0, dead = 0;
        for (uint32_t k = 0; k < g->len; k++) of_page += g->at[k].stale, dead += g->at[k].live == 0;
        assert_in_range(g->len, 1, MG_STRETCH_PAGE);
        assert_int_equal(g->stale, of_page);
        assert_int_equal(g->dead, dead);
        assert_int_equal(g->last_seq, g->at[g->len - 1].last_seq);
        stale += of_page;
    }
    assert_int_equal(t->stale, stale);
    if (p->len == 0) assert_null(mg_stretches_last(t));
    else assert_int_equal(mg_stretches_last(t)->last_seq, p->at[p->len - 1].last_seq);
}

static void check_search(const struct mg_stretches *t, const struct plain *p, uint64_t seq) {
    uint32_t i = 0, k = 0;
    struct mg_stretch_at at;
    while (i < p->len && p->at[i].last_seq < seq) i++;
    const struct mg_stretch *c = mg_stretches_get(t, mg_stretches_find(t, seq));
    assert_true(i < p->len ? c && c->first_seq == p->at[i].first_seq : c == NULL);
    c = mg_stretches_of(t, seq, &at);
    assert_int_equal(c != NULL, i < p->len && p->at[i].first_seq <= seq);
    int64_t time = (int64_t)(seq >> 2) << 32;
    while (k < p->len && !mg_stretch_reaches(&p->at[k], time)) k++;
    c = mg_stretches_get(t, mg_stretches_reaching(t, time));
    assert_true(k < p->len ? c && c->first_seq == p->at[k].first_seq : c == NULL);
}

static void add(struct mg_stretches *t, struct plain *p, uint64_t *r) {
    uint64_t first = (p->len ? p->at[p->len - 1].last_seq : 0) + 1 + below(r, 3);
    for (uint64_t n = 1 + below(r, 300); n > 0 && p->len < MOST; n--) {
        struct mg_stretch c = between(first, first + below(r, 5), (uint32_t)below(r, 3));
        mg_stretches_add(t, &c);
        p->at[p->len++] = c;
        first = c.last_seq + 1 + below(r, 2);
    }
}

static void set_live(struct mg_stretches *t, struct plain *p, uint64_t *r) {
    struct mg_stretch *c = &p->at[below(r, p->len)];
    uint64_t live = below(r, 3);
    mg_stretches_set_live(t, mg_stretches_find(t, c->last_seq), live);
    mg_stretch_set_live(c, live);
}

// What compaction does.
static void exchange(struct mg_stretches *t, struct plain *p, uint64_t *r) {
    uint32_t i = (uint32_t)below(r, p->len), n = (uint32_t)below(r, below(r, 8) ? 20 : 600);
    if (n > p->len - i) n = p->len - i;
    uint64_t low = p->at[below(r, p->len)].first_seq, live = 0, want = 0;
    uint64_t from = p->at[i].first_seq, to = n ? p->at[i + n - 1].last_seq : from;
    if (n == 0 && (i == 0 || p->at[i - 1].last_seq + 1 == from)) return;
    if (n == 0) from = to = p->at[i].first_seq - 1; // one more between two
    for (uint32_t k = i; k < i + n; k++) want += p->at[k].last_seq >= low ? p->at[k].live : 0;
    assert_int_equal(mg_stretches_take(t, from, to, low, &live), n);
    assert_int_equal(live, want);
    bool put = p->len < MOST && below(r, 4) > 0;
    memmove(&p->at[i + put], &p->at[i + n], (p->len - i - n) * sizeof(p->at[0]));
    p->len = p->len - n + put;
    if (!put) return;
    p->at[i] = between(from, to, 1);
    mg_stretches_put(t, &p->at[i]);
}

static bool is_gone(void *arg, const struct mg_stretch *c) {
    return c->live == 0 && c->last_seq % 4 < *(unsigned *)arg;
}

static void drop(struct mg_stretches *t, struct plain *p, uint64_t *r) {
    unsigned which = (unsigned)below(r, 5);
    uint32_t page = 0, n = 0, kept = 0;
    while (page < t->pages_len) n += mg_stretches_remove(t, &page, is_gone, &which);
    for (uint32_t i = 0; i < p->len; i++) {
        if (!is_gone(&which, &p->at[i])) p->at[kept++] = p->at[i];
    }
    assert_int_equal(n, p->len - kept);
    p->len = kept;
}

static void count_told(void *arg, const struct mg_stretch *c) {
    assert_false(c->stale);
    ++*(uint32_t *)arg;
}

static void tell(struct mg_stretches *t, struct plain *p) {
    uint32_t told = 0, stale = 0;
    for (uint32_t i = 0; i < t->pages_len; i++) mg_stretches_tell(t, i, count_told, &told);
    for (uint32_t i = 0; i < p->len; i++) {
        stale += p->at[i].stale;
        p->at[i].stale = false;
    }
    assert_int_equal(told, stale);
}

static void as_a_list(void **state) {
    uint64_t r = 4711;
    struct mg_stretches t = {.pages = NULL};
    struct plain *p = calloc(1, sizeof(*p));
    (void)state;
    atomic_init(&segment.refs, 1);
    for (unsigned i = 0; i < 6000; i++) {
        uint64_t what = below(&r, 40);
        if (p->len < 2 || what < 4) add(&t, p, &r);
        else if (what < 18) set_live(&t, p, &r);
        else if (what < 36) exchange(&t, p, &r);
        else if (what < 38) drop(&t, p, &r);
        else tell(&t, p);
        if (i % 4 == 0) check(&t, p);
        check_search(&t, p, below(&r, p->len ? p->at[p->len - 1].last_seq + 5 : 5));
    }
    for (uint32_t n; (n = mg_stretches_free_last(&t));) {
        p->len -= n;
        check(&t, p);
    }
    assert_int_equal(p->len, 0);
    assert_null(t.pages);
    free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_a_list)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
