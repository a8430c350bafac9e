// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include <stdlib.h>

#include "jetstream/store/merge_pick.h"

static void test_newest_of_like_size(void **state) {
    (void)state;
    struct mg_merge_item list[8] = {{10, false}, {10, false}, {10, false}, {20, false},
                                    {90, false}, {5000, false}, {6000, false}, {9000, false}};
    uint32_t from;
    assert_int_equal(mg_merge_pick(list, 5, MG_MERGE_MANY, UINT64_MAX, &from), 0); // few
    assert_int_equal(mg_merge_pick(list, 8, MG_MERGE_MANY, UINT64_MAX, &from), 5);
    assert_int_equal(from, 0);
    assert_int_equal(mg_merge_pick(list, 8, MG_MERGE_MANY, 60, &from), 4);
    assert_int_equal(mg_merge_pick(list, 8, MG_MERGE_MANY, 20, &from), 2);
    assert_int_equal(mg_merge_pick(list, 8, MG_MERGE_MANY, 19, &from), 0);
    list[3].busy = true; // what is in front of it are few
    assert_int_equal(mg_merge_pick(list, 8, MG_MERGE_MANY, UINT64_MAX, &from), 0);
    list[3].busy = false;
    list[6].busy = true;
    assert_int_equal(mg_merge_pick(list, 8, MG_MERGE_MANY, UINT64_MAX, &from), 5);
}

static void test_cheapest(void **state) {
    (void)state;
    struct mg_merge_item list[MG_MERGE_LIMIT + 1];
    uint32_t n = MG_MERGE_LIMIT, from = 99;
    for (uint32_t i = 0; i < n; i++) list[i] = (struct mg_merge_item){i < 20 || i >= 38 ? 100 : 1, false};
    assert_int_equal(mg_merge_pick_cheap(list, n - 1, &from), 0);
    assert_int_equal(mg_merge_pick_cheap(list, n, &from), MG_MERGE_AT_ONCE);
    assert_true(from >= 20 && from + MG_MERGE_AT_ONCE <= 38);
    list[n] = (struct mg_merge_item){1, false};
    list[25].busy = true; // too few on both sides of it
    assert_int_equal(mg_merge_pick_cheap(list, n + 1, &from), MG_MERGE_AT_ONCE);
    assert_true(from > 25 || from + MG_MERGE_AT_ONCE <= 25);
    for (uint32_t i = 0; i < n; i++) list[i].busy = i % 3 == 2;
    assert_int_equal(mg_merge_pick_cheap(list, n + 1, &from), 0); // the busy ones do not count
}

// ---- a keeper under load --------------------------------------------------------------------------------------------

// Time is work: a checkpoint comes with every `every` units of it and adds a run of 8; a merge works as many units as
// its inputs have, and lets in what the keeper lets in.
enum { RUNS_MAX = 4096 };
struct world {
    struct mg_merge_item runs[RUNS_MAX];
    uint32_t ids[RUNS_MAX];
    uint32_t n, most_runs, next_id;
    uint64_t every, work, checkpoints, wanted;
    bool making_room;
};

static void work(struct world *w, uint64_t units, uint64_t job);

static void insert(struct world *w, uint32_t at, uint64_t size, uint32_t id) {
    assert_true(w->n < RUNS_MAX);
    memmove(w->runs + at + 1, w->runs + at, (w->n - at) * sizeof(w->runs[0]));
    memmove(w->ids + at + 1, w->ids + at, (w->n - at) * sizeof(w->ids[0]));
    w->runs[at] = (struct mg_merge_item){size, false};
    w->ids[at] = id;
    if (++w->n > w->most_runs) w->most_runs = w->n;
}

static uint32_t find(const struct world *w, uint32_t id) {
    uint32_t i = 0;
    while (w->ids[i] != id) i++;
    return i;
}

static void merge(struct world *w, uint32_t from, uint32_t k) {
    uint64_t sum = 0;
    uint32_t first = w->ids[from];
    for (uint32_t i = from; i < from + k; i++) {
        sum += w->runs[i].size;
        w->runs[i].busy = true;
    }
    work(w, sum, sum);
    uint32_t at = find(w, first); // neighbours stay neighbours
    for (uint32_t i = at; i < at + k; i++) assert_true(w->runs[i].busy);
    memmove(w->runs + at + 1, w->runs + at + k, (w->n - at - k) * sizeof(w->runs[0]));
    memmove(w->ids + at + 1, w->ids + at + k, (w->n - at - k) * sizeof(w->ids[0]));
    w->n -= k - 1;
    w->runs[at] = (struct mg_merge_item){sum, false};
    w->ids[at] = w->next_id++;
}

static bool merge_some(struct world *w, uint64_t most) {
    uint32_t from, k = most ? mg_merge_pick(w->runs, w->n, MG_MERGE_MANY, most, &from)
                            : mg_merge_pick_cheap(w->runs, w->n, &from);
    if (k) merge(w, from, k);
    return k > 0;
}

static void checkpoint(struct world *w) {
    w->making_room = true;
    while (merge_some(w, 0)) {}
    w->making_room = false;
    insert(w, 0, 8, w->next_id++);
    w->checkpoints++;
}

static void work(struct world *w, uint64_t units, uint64_t job) {
    for (; units > 0; units--) {
        w->work++;
        if (w->work % w->every == 0) w->wanted = 1; // the journal is full: it waits, it does not ask twice
        if (w->making_room || !w->wanted) continue;
        w->wanted = 0;
        checkpoint(w);
        merge_some(w, job / 4);
    }
}

static uint32_t most_runs(uint64_t every) {
    struct world *w = calloc(1, sizeof(*w));
    w->every = every;
    while (w->checkpoints < 3000) {
        if (!merge_some(w, UINT64_MAX)) work(w, 1, 0);
    }
    uint32_t most = w->most_runs;
    free(w);
    return most;
}

// Ample, enough, and far too little time for merges.
static void test_bounded_under_any_load(void **state) {
    (void)state;
    assert_true(most_runs(400) <= 24);
    assert_true(most_runs(100) <= 40);
    assert_true(most_runs(20) <= 120);
    assert_true(most_runs(2) <= 120);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newest_of_like_size),
        cmocka_unit_test(test_cheapest),
        cmocka_unit_test(test_bounded_under_any_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
