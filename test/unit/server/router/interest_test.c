// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include "server/proto/subject.h"
#include "server/router/interest.h"

enum { PATTERNS = 12, QUEUES = 3, SHARDS = 5 };

static const char *const patterns[PATTERNS] = {"a",   "a.b", "a.*", "*.b",     "a.>",     ">",
                                               "*",   "*.*", "b.*", "a.*.c",   "a.b.c",   "_INBOX.x.*"};
static const char *const queues[QUEUES] = {"q", "work", "q2"};
static const char *const subjects[] = {"a", "b", "a.b", "b.b", "a.b.c", "a.x.c",
                                       "_INBOX.x.1", "a..c", "b.c", "z.z.z", ""};
static const uint32_t shards[SHARDS] = {0, 1, 31, 32, 63};

// The naive model: what each shard said about each pattern.
struct model {
    bool plain[PATTERNS][SHARDS];
    uint32_t members[PATTERNS][QUEUES][SHARDS];
};

static uint64_t next_random(uint64_t *state) {
    *state += 0x9E3779B97F4A7C15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static const struct mg_igroup *group(const struct mg_imatch *m, const char *name) {
    const struct mg_igroup *found = NULL;
    for (uint32_t g = 0; g < m->ngroups; g++) {
        if (!mg_slice_eq(m->groups[g].name, mg_cstr(name))) continue;
        assert_null(found); // a name comes once
        found = &m->groups[g];
    }
    return found;
}

static uint32_t weight(const struct mg_igroup *g, uint32_t shard) {
    for (uint32_t i = 0; g != NULL && i < g->n; i++) {
        assert_true(g->weights[i].members > 0);
        assert_true(i == 0 || g->weights[i - 1].shard < g->weights[i].shard);
        if (g->weights[i].shard == shard) return g->weights[i].members;
    }
    return 0;
}

static void check(struct mg_interest *ix, const struct model *m, const char *subject) {
    struct mg_imatch got;
    mg_interest_match(ix, mg_cstr(subject), &got);
    uint64_t plain = 0;
    uint32_t members[QUEUES][SHARDS] = {{0}}, groups = 0;
    for (int p = 0; p < PATTERNS; p++) {
        if (!mg_subject_match(mg_cstr(subject), mg_cstr(patterns[p]))) continue;
        for (int s = 0; s < SHARDS; s++) {
            if (m->plain[p][s]) plain |= (uint64_t)1 << shards[s];
            for (int q = 0; q < QUEUES; q++)
                members[q][s] += m->members[p][q][s];
        }
    }
    assert_true(got.plain == plain);
    for (int q = 0; q < QUEUES; q++) {
        const struct mg_igroup *g = group(&got, queues[q]);
        uint32_t with = 0;
        for (int s = 0; s < SHARDS; s++) {
            assert_int_equal(weight(g, shards[s]), members[q][s]);
            with += members[q][s] > 0;
        }
        assert_int_equal(g ? g->n : 0, with);
        groups += with > 0;
    }
    assert_int_equal(got.ngroups, groups);
}

static void check_all(struct mg_interest *ix, const struct model *m) {
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        check(ix, m, subjects[i]);
}

static void drop(struct mg_interest *ix, struct model *m, int s, size_t slice) {
    struct mg_interest_cursor c = {0};
    while (!mg_interest_drop_shard(ix, shards[s], &c, slice)) {}
    for (int p = 0; p < PATTERNS; p++) {
        m->plain[p][s] = false;
        for (int q = 0; q < QUEUES; q++)
            m->members[p][q][s] = 0;
    }
}

static void churn(uint64_t seed, size_t cache) {
    struct mg_interest *ix = mg_interest_new(seed, cache);
    struct model m = {0};
    uint64_t rnd = seed;
    for (int i = 0; i < 3000; i++) {
        uint64_t r = next_random(&rnd);
        size_t p = r % PATTERNS, q = (r >> 8) % QUEUES, s = (r >> 16) % SHARDS;
        if (r >> 63) {
            m.plain[p][s] = (r >> 24) % 2;
            mg_interest_plain(ix, mg_cstr(patterns[p]), shards[s], m.plain[p][s]);
        } else {
            m.members[p][q][s] = (r >> 24) % 2 ? (uint32_t)(r >> 32) % 100 : 0;
            mg_interest_queue(ix, mg_cstr(patterns[p]), mg_cstr(queues[q]), shards[s], m.members[p][q][s]);
        }
        if (i % 200 == 199) drop(ix, &m, (int)s, 1 + s % 3);
        check_all(ix, &m);
    }
    for (int s = 0; s < SHARDS; s++)
        drop(ix, &m, s, 100);
    assert_true(mg_interest_none(ix));
    check_all(ix, &m);
    mg_interest_free(ix);
}

static void test_churn(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        churn(seed, 0);
        churn(seed, 64);
    }
}

static void test_repeats_are_harmless(void **state) {
    (void)state;
    struct mg_interest *ix = mg_interest_new(1, 64);
    mg_interest_plain(ix, MG_S("a"), 1, false);
    mg_interest_queue(ix, MG_S("a"), MG_S("q"), 1, 0);
    assert_true(mg_interest_none(ix));
    uint64_t generation = mg_interest_generation(ix);
    assert_true(generation > 0);
    mg_interest_plain(ix, MG_S("a"), 1, true);
    assert_true(mg_interest_generation(ix) > generation);
    generation = mg_interest_generation(ix);
    mg_interest_plain(ix, MG_S("a"), 1, true);
    mg_interest_queue(ix, MG_S("a"), MG_S("q"), 1, 0);
    mg_interest_plain(ix, MG_S("b"), 1, false);
    assert_int_equal(mg_interest_generation(ix), generation);
    assert_int_equal(mg_interest_patterns(ix), 1);
    mg_interest_plain(ix, MG_S("a"), 1, false);
    assert_true(mg_interest_none(ix));
    mg_interest_queue(ix, MG_S("a.>"), MG_S("q"), 1, 5);
    mg_interest_queue(ix, MG_S("a.>"), MG_S("q"), 2, 5);
    mg_interest_queue(ix, MG_S("a.>"), MG_S("q"), 1, 0);
    assert_false(mg_interest_none(ix));
    mg_interest_queue(ix, MG_S("a.>"), MG_S("q"), 2, 0);
    assert_true(mg_interest_none(ix));
    mg_interest_free(ix);
}

static void test_exactly_this_pattern(void **state) {
    (void)state;
    struct mg_interest *ix = mg_interest_new(1, 64);
    const mg_slice none = {NULL, 0};
    mg_interest_plain(ix, MG_S("d.>"), 1, true);
    mg_interest_queue(ix, MG_S("d.a"), MG_S("q"), 2, 1);
    assert_false(mg_interest_has(ix, MG_S("d.a"), none)); // neither a wildcard nor a group will do
    assert_true(mg_interest_has(ix, MG_S("d.a"), MG_S("q")));
    assert_false(mg_interest_has(ix, MG_S("d.a"), MG_S("r")));
    mg_interest_plain(ix, MG_S("d.a"), 3, true);
    assert_true(mg_interest_has(ix, MG_S("d.a"), none));
    mg_interest_plain(ix, MG_S("d.a"), 3, false);
    mg_interest_queue(ix, MG_S("d.a"), MG_S("q"), 2, 0);
    assert_false(mg_interest_has(ix, MG_S("d.a"), none));
    assert_false(mg_interest_has(ix, MG_S("d.a"), MG_S("q")));
    mg_interest_free(ix);
}

static void test_weights_saturate(void **state) {
    (void)state;
    struct mg_interest *ix = mg_interest_new(1, 64);
    mg_interest_queue(ix, MG_S("a"), MG_S("q"), 7, UINT32_MAX);
    mg_interest_queue(ix, MG_S("*"), MG_S("q"), 7, 3);
    struct mg_imatch m;
    mg_interest_match(ix, MG_S("a"), &m);
    assert_int_equal(m.ngroups, 1);
    assert_int_equal(weight(&m.groups[0], 7), UINT32_MAX);
    mg_interest_free(ix);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_churn),
        cmocka_unit_test(test_repeats_are_harmless),
        cmocka_unit_test(test_exactly_this_pattern),
        cmocka_unit_test(test_weights_saturate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
