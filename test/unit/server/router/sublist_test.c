// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "test/unit/server/router/sublist_model.h"

static uint64_t next_random(uint64_t *state) {
    *state += 0x9E3779B97F4A7C15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static size_t fanout(struct mg_sublist *sl, const char *subject) {
    const struct mg_match *m = mg_sublist_match(sl, mg_cstr(subject));
    size_t n = m->nplain;
    for (uint32_t g = 0; g < m->ngroups; g++)
        n += m->groups[g].n;
    return n;
}

// ---- what matches ----------------------------------------------------------------------------------------------

static void test_pairs(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *subject;
        bool match;
    } pairs[] = {
        {"foo", "foo", true},       {"foo", "Foo", false},      {"foo", "foo.bar", false}, {"foo.bar", "foo", false},
        {"*", "foo", true},         {"*", "foo.bar", false},    {"*", "", false},          {">", "foo", true},
        {">", "foo.bar", true},     {">", "", false},           {">", ".", false},         {">", "foo.", false},
        {">", ".foo", false},       {">", "a..b", false},       {"foo.*", "foo.bar", true}, {"foo.*", "foo", false},
        {"foo.*", "foo.", false},   {"foo.*", "foo.a.b", false}, {"foo.*", ".a", false},   {"foo.>", "foo", false},
        {"foo.>", "foo.a", true},   {"foo.>", "foo.a.b", true}, {"foo.>", "foo..b", false}, {"foo.>", "foo.a.", false},
        {"*.bar", "foo.bar", true}, {"*.bar", ".bar", false},   {"*.*", "a.b", true},      {"*.*", "a.b.c", false},
        {"*.>", "a", false},        {"*.>", "a.b.c", true},     {"a.*.c", "a.b.c", true},  {"a.*.c", "a..c", false},
        {"a.*.c.>", "a.b.c", false}, {"a.*.c.>", "a.b.c.d", true},
        // Published wildcards are plain tokens.
        {"foo.*", "foo.*", true},   {"foo.>", "foo.*", true},   {">", "foo.*", true},      {"foo.bar", "foo.*", false},
        {"foo.*", "foo.>", true},   {"foo.>", "foo.>", true},   {"foo.bar", "foo.>", false},
        {"foo.*.x", "foo.*.x", true},
        // Only a whole token is a wildcard.
        {"foo*", "foo*", true},     {"foo*", "foobar", false},  {"foo.b>", "foo.b>", true},
        {"foo.b>", "foo.bar", false},
        {"a.**", "a.**", true},     {"a.**", "a.b", false},     {"*a.b", "*a.b", true},    {"*a.b", "xa.b", false},
        {"foo.bar,*,>", "foo.bar,*,>", true},
        {"a\x01\xff.b", "a\x01\xff.b", true},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        for (size_t cache = 0; cache <= 64; cache += 64) {
            struct model m;
            model_init(&m, i, cache);
            model_insert(&m, mg_cstr(pairs[i].pattern), MG_S(""));
            for (int again = 0; again < 3; again++) {
                model_check(&m, mg_cstr(pairs[i].subject));
                if (fanout(m.sl, pairs[i].subject) != pairs[i].match)
                    fail_msg("%s on %s", pairs[i].subject, pairs[i].pattern);
            }
            model_remove(&m, 0);
            assert_int_equal(fanout(m.sl, pairs[i].subject), 0);
            model_fini(&m);
        }
    }
}

static void test_empty_slice(void **state) {
    (void)state;
    struct mg_sublist *sl = mg_sublist_new(1, 64);
    assert_true(mg_match_empty(mg_sublist_match(sl, (mg_slice){NULL, 0})));
    struct mg_sub *subs[] = {model_sub_new(MG_S(">"), MG_S("")), model_sub_new(MG_S("*"), MG_S(""))};
    for (int i = 0; i < 2; i++)
        mg_sublist_insert(sl, subs[i], NULL);
    for (int i = 0; i < 3; i++)
        assert_false(mg_sublist_match_any(sl, (mg_slice){NULL, 0}));
    mg_sublist_free(sl);
    mg_free(subs[0]);
    mg_free(subs[1]);
}

// A subject of the longest length and 32,767 tokens, against patterns as long: no recursion, no limit of tokens.
static void test_longest(void **state) {
    (void)state;
    static char subject[65533], pattern[65533];
    memset(subject, 'a', sizeof subject);
    memset(pattern, '*', sizeof pattern);
    for (size_t i = 1; i < sizeof subject; i += 2)
        subject[i] = pattern[i] = '.';
    pattern[0] = 'a';
    struct model m;
    model_init(&m, 1, 64);
    model_insert(&m, mg_slice_of(subject, sizeof subject), MG_S(""));
    model_insert(&m, mg_slice_of(pattern, sizeof pattern), MG_S(""));
    pattern[sizeof pattern - 1] = '>';
    model_insert(&m, mg_slice_of(pattern, sizeof pattern), MG_S(""));
    const struct mg_match *r = mg_sublist_match(m.sl, mg_slice_of(subject, sizeof subject));
    assert_int_equal(r->nplain, 3);
    model_check(&m, mg_slice_of(subject, sizeof subject - 2));
    model_fini(&m);
}

// ---- queue groups ----------------------------------------------------------------------------------------------

static void test_queue_across_patterns(void **state) {
    (void)state;
    struct model m;
    model_init(&m, 7, 64);
    model_insert(&m, MG_S("foo.bar"), MG_S("q"));
    model_insert(&m, MG_S("foo.*"), MG_S("q"));
    model_insert(&m, MG_S("foo.>"), MG_S("q"));
    model_insert(&m, MG_S("foo.bar"), MG_S("r"));
    model_insert(&m, MG_S("foo.bar"), MG_S(""));
    model_insert(&m, MG_S(">"), MG_S("qq"));
    for (int i = 0; i < 3; i++) { // built, built and cached, from the cache
        const struct mg_match *r = mg_sublist_match(m.sl, MG_S("foo.bar"));
        assert_int_equal(r->nplain, 1);
        assert_int_equal(r->ngroups, 3);
        for (uint32_t g = 0; g < 3; g++)
            assert_int_equal(r->groups[g].n, mg_slice_eq(r->groups[g].name, MG_S("q")) ? 3 : 1);
        model_compare(&m, MG_S("foo.bar"), r);
    }
    model_remove(&m, 0);
    model_check(&m, MG_S("foo.bar"));
    model_fini(&m);
}

// 20,000 queues at one pattern, inserted and removed in different orders: linear, whatever the number of groups.
static void test_many_groups(void **state) {
    (void)state;
    enum { N = 20000 };
    struct mg_sublist *sl = mg_sublist_new(3, 64);
    static struct mg_sub *subs[N];
    char name[16];
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "q%d", i);
        subs[i] = model_sub_new(MG_S("work"), mg_cstr(name));
        mg_sublist_insert(sl, subs[i], NULL);
    }
    assert_int_equal(mg_sublist_match(sl, MG_S("work"))->ngroups, N);
    uint64_t rnd = 5;
    for (uint32_t left = N; left > 0; left--) {
        uint32_t i = (uint32_t)(next_random(&rnd) % left);
        struct mg_sub *s = subs[i];
        subs[i] = subs[left - 1];
        struct mg_sub_change c;
        mg_sublist_remove(sl, s, &c);
        assert_int_equal(c.queue_members, 0);
        assert_int_equal(mg_sublist_match(sl, MG_S("work"))->ngroups, left - 1);
        mg_free(s);
    }
    mg_sublist_free(sl);
}

// ---- the cache, lifetimes --------------------------------------------------------------------------------------

static uint64_t hits(struct mg_sublist *sl) {
    struct mg_sublist_stats st;
    mg_sublist_stats(sl, &st);
    return st.cache_hits;
}

static bool is_hit(struct mg_sublist *sl, const char *subject) {
    uint64_t before = hits(sl);
    mg_sublist_match(sl, mg_cstr(subject));
    return hits(sl) == before + 1;
}

static void test_cache_invalidation(void **state) {
    (void)state;
    struct model m;
    model_init(&m, 11, 1024);
    model_insert(&m, MG_S("*.b"), MG_S(""));
    static const char *subjects[] = {"a.b", "c.b", "c.d"};
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 3; i++)
            assert_false(is_hit(m.sl, subjects[i])); // admitted at the second look-up
    for (int i = 0; i < 3; i++)
        assert_true(is_hit(m.sl, subjects[i]));

    model_insert(&m, MG_S("a.b"), MG_S("")); // a literal: only its own key
    assert_true(is_hit(m.sl, "c.b") && is_hit(m.sl, "c.d"));
    assert_false(is_hit(m.sl, "a.b"));
    assert_int_equal(fanout(m.sl, "a.b"), 2);
    assert_true(is_hit(m.sl, "a.b"));

    model_insert(&m, MG_S("c.*"), MG_S("")); // a prefix: what shares it (and 1/256 of the rest)
    assert_false(is_hit(m.sl, "c.b"));
    assert_false(is_hit(m.sl, "c.d"));
    assert_int_equal(fanout(m.sl, "c.b"), 2);
    assert_true(is_hit(m.sl, "a.b"));

    model_insert(&m, MG_S(">"), MG_S("")); // the others: everything
    assert_false(is_hit(m.sl, "a.b"));
    assert_int_equal(fanout(m.sl, "a.b"), 3);
    for (int i = 0; i < 3; i++)
        model_check(&m, mg_cstr(subjects[i]));
    model_fini(&m);
}

static void test_cache_is_bounded(void **state) {
    (void)state;
    struct model m;
    model_init(&m, 11, 256);
    for (int i = 0; i < 100; i++)
        model_insert(&m, MG_S(">"), MG_S(""));
    model_insert(&m, MG_S("s.*"), MG_S(""));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 2000; i++) {
            char subject[32];
            snprintf(subject, sizeof subject, "s.%d", i);
            assert_int_equal(fanout(m.sl, subject), 101);
            assert_int_equal(fanout(m.sl, subject), 101);
        }
    }
    struct mg_sublist_stats st;
    mg_sublist_stats(m.sl, &st);
    assert_in_range(st.cache_entries, 32, 256 * 512 / 808); // spent by bytes: each result copies 101 pointers
    model_fini(&m);
}

static void test_result_lifetime(void **state) {
    (void)state;
    struct model m;
    model_init(&m, 11, 32);
    model_insert(&m, MG_S(">"), MG_S(""));
    model_insert(&m, MG_S(">"), MG_S("q"));
    model_insert(&m, MG_S("s.*"), MG_S(""));
    model_insert(&m, MG_S("s.*"), MG_S("q"));
    const struct mg_match *held[MG_MATCH_KEEP + 1] = {NULL};
    char subjects[MG_MATCH_KEEP + 1][16];
    uint64_t rnd = 3, generation = mg_sublist_generation(m.sl), moved = 0;
    for (size_t i = 0; i < 5000; i++) {
        size_t at = i % (MG_MATCH_KEEP + 1);
        snprintf(subjects[at], sizeof subjects[at], "s.%d", (int)(next_random(&rnd) % 64));
        held[at] = mg_sublist_match(m.sl, mg_cstr(subjects[at]));
        for (size_t k = 0; k <= MG_MATCH_KEEP && held[k] != NULL; k++)
            model_compare(&m, mg_cstr(subjects[k]), held[k]);
        moved += mg_sublist_generation(m.sl) != generation;
        generation = mg_sublist_generation(m.sl);
    }
    assert_true(moved > 100);
    model_fini(&m);
}

// What a connection does with its last subject: while the generation stands, the old result is the right one, and lives
// through the matches of its delivery.
static void use_memo(size_t cache) {
    struct model m;
    model_init(&m, 11, cache);
    uint64_t rnd = 9, generation = 0, used = 0;
    const struct mg_match *memo = NULL;
    for (int i = 0; i < 20000; i++) {
        static const char *const patterns[] = {"a", "a", "*", ">", "b.*", "b.c", "*.c", "x.y"};
        uint64_t r = next_random(&rnd);
        if (r % 16 == 0) model_insert(&m, mg_cstr(patterns[(r >> 8) % 8]), MG_S(""));
        if (r % 16 == 1 && m.n > 0) model_remove(&m, (r >> 8) % m.n);
        char other[16];
        snprintf(other, sizeof other, "b.%d", (int)((r >> 20) % 100));
        if (r % 4 == 0) model_check(&m, mg_cstr(other));
        if (memo == NULL || generation != mg_sublist_generation(m.sl)) {
            memo = mg_sublist_match(m.sl, MG_S("b.c"));
            generation = mg_sublist_generation(m.sl);
        } else {
            used++;
        }
        model_compare(&m, MG_S("b.c"), memo);
        for (int k = 0; r % 3 == 0 && k < MG_MATCH_KEEP; k++) {
            snprintf(other, sizeof other, "b.%d", (int)(next_random(&rnd) % 100));
            model_check(&m, mg_cstr(other));
            model_compare(&m, MG_S("b.c"), memo);
        }
    }
    assert_true(used > 3000);
    model_fini(&m);
}

static void test_generation_guards_memo(void **state) {
    (void)state;
    use_memo(0);
    use_memo(32);
}

static void test_stats(void **state) {
    (void)state;
    struct model m;
    model_init(&m, 1, 64);
    model_insert(&m, MG_S("a"), MG_S(""));
    model_insert(&m, MG_S("a"), MG_S(""));
    model_insert(&m, MG_S("a"), MG_S("q"));
    model_insert(&m, MG_S("a"), MG_S("q"));
    model_insert(&m, MG_S("b.>"), MG_S(""));
    model_remove(&m, 4);
    for (int i = 0; i < 4; i++)
        mg_sublist_match(m.sl, MG_S("a"));
    mg_sublist_match(m.sl, MG_S("none"));
    struct mg_sublist_stats st;
    mg_sublist_stats(m.sl, &st);
    assert_int_equal(st.count, 4);
    assert_int_equal(st.patterns, 1);
    assert_int_equal(st.inserts, 5);
    assert_int_equal(st.removes, 1);
    assert_int_equal(st.matches, 5);
    assert_int_equal(st.cache_hits, 5);
    assert_int_equal(st.max_fanout, 3);
    assert_int_equal(st.fanout_sum, 12);
    model_fini(&m);
}

// ---- random churn against the model ----------------------------------------------------------------------------

static size_t random_subject(uint64_t r, bool pattern, char *out) {
    size_t n = 0, tokens = 1 + r % 4;
    r >>= 3;
    for (size_t t = 0; t < tokens; t++, r >>= 6) {
        if (t > 0) out[n++] = '.';
        uint64_t k = r % 8;
        if (pattern && k == 0) {
            out[n++] = '*';
        } else if (pattern && k == 1 && t + 1 == tokens) {
            out[n++] = '>';
        } else if (pattern || k != 1 || r % 64 > 2) { // now and then an empty token in a published subject
            out[n++] = (char)('a' + k % 4);
            if (k == 7) out[n++] = '*';
        }
    }
    return n;
}

static void churn(uint64_t seed, size_t cache, size_t target, int rounds) {
    struct model m;
    model_init(&m, seed, cache);
    uint64_t rnd = seed;
    for (int i = 0; i < rounds; i++) {
        char text[32];
        uint64_t r = next_random(&rnd), what = next_random(&rnd);
        if (what % 4 == 0 && m.n < target * 2) {
            static const char *const queues[] = {"", "", "", "q", "r", "queue"};
            size_t n = random_subject(r, true, text);
            model_insert(&m, mg_slice_of(text, n), mg_cstr(queues[(what >> 8) % 6]));
        } else if (what % 4 == 1 && m.n > (what >> 40) % (target * 2)) {
            model_remove(&m, (what >> 8) % m.n);
        }
        size_t n = random_subject(next_random(&rnd), false, text);
        model_check(&m, mg_slice_of(text, n));
    }
    while (m.n > 0)
        model_remove(&m, next_random(&rnd) % m.n);
    struct mg_sublist_stats st;
    mg_sublist_stats(m.sl, &st);
    assert_int_equal(st.patterns, 0);
    assert_int_equal(st.inserts, st.removes);
    model_fini(&m);
}

static void test_churn(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        churn(seed, 0, 30, 5000);
        churn(seed * 1000, 32, 10, 5000);
        churn(seed * 7777, 1024, 200, 5000);
    }
}

// ---- listing ---------------------------------------------------------------------------------------------------

// Lists everything in slices, changing the list between them. `max` counts how often each was shown, `delivered` is 1
// for those that were there from the start.
static void list_under_churn(uint64_t seed, size_t slice) {
    struct model m;
    model_init(&m, seed, 0);
    uint64_t rnd = seed;
    char text[32];
    for (int i = 0; i < 1500; i++) {
        static const char *const queues[] = {"", "q", "r", "s"};
        size_t n = random_subject(next_random(&rnd), true, text);
        struct mg_sub *s = model_insert(&m, mg_slice_of(text, n), mg_cstr(queues[next_random(&rnd) % 4]));
        s->delivered = 1;
    }
    struct mg_sublist_cursor c = {0};
    struct mg_sub *out[64];
    for (size_t n; (n = mg_sublist_list(m.sl, &c, out, slice)) > 0;) {
        assert_true(n <= slice);
        for (size_t i = 0; i < n; i++) {
            assert_non_null(out[i]->node);
            out[i]->max++;
        }
        for (uint64_t i = next_random(&rnd) % 3; i > 0 && m.n > 0; i--)
            model_remove(&m, next_random(&rnd) % m.n);
        size_t len = random_subject(next_random(&rnd), true, text);
        model_insert(&m, mg_slice_of(text, len), next_random(&rnd) % 2 ? MG_S("q") : MG_S("new"));
    }
    assert_int_equal(mg_sublist_list(m.sl, &c, out, slice), 0);
    for (size_t i = 0; i < m.n; i++)
        if (m.subs[i]->delivered == 1) assert_true(m.subs[i]->max >= 1);
    model_fini(&m);
}

static void test_list_under_churn(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++)
        list_under_churn(seed, seed == 1 ? 1 : seed * 6);
}

// While nothing is removed, each comes exactly once; and so it does under any change of *other* patterns.
static void test_list_exactly_once(void **state) {
    (void)state;
    struct model m;
    model_init(&m, 3, 0);
    char text[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "stay.%d", i);
        model_insert(&m, mg_cstr(text), MG_S(""))->delivered = 1;
        snprintf(text, sizeof text, "go.%d", i);
        model_insert(&m, mg_cstr(text), i % 2 ? MG_S("q") : MG_S(""));
    }
    struct mg_sublist_cursor c = {0};
    struct mg_sub *out[7];
    uint64_t rnd = 4;
    for (size_t n; (n = mg_sublist_list(m.sl, &c, out, 7)) > 0;) {
        for (size_t i = 0; i < n; i++)
            out[i]->max++;
        for (int k = 0; k < 8 && m.n > 1000; k++) {
            size_t i = next_random(&rnd) % m.n;
            if (m.subs[i]->delivered == 0) model_remove(&m, i);
        }
    }
    for (size_t i = 0; i < m.n; i++)
        if (m.subs[i]->delivered == 1) assert_int_equal(m.subs[i]->max, 1);
    model_fini(&m);
}

// ---- size ------------------------------------------------------------------------------------------------------

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static size_t heap_in_use(void) {
    struct mallinfo2 mi = mallinfo2();
    return mi.uordblks + mi.hblkhd;
}

// Bytes that `n` distinct subscriptions of a kind cost beyond themselves, with the allocator's overhead.
static double cost(const char *format, size_t n, size_t fan) {
    struct mg_sublist *sl = mg_sublist_new(1, 1024);
    struct mg_sub **subs = mg_alloc(n * sizeof *subs);
    char text[64];
    for (size_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, format, i / fan);
        subs[i] = model_sub_new(mg_cstr(text), MG_S(""));
    }
    size_t before = heap_in_use();
    for (size_t i = 0; i < n; i++)
        mg_sublist_insert(sl, subs[i], NULL);
    double bytes = (double)(heap_in_use() - before) / (double)n;
    uint64_t rnd = 1;
    for (int i = 0; i < 100000; i++) {
        size_t k = next_random(&rnd) % n;
        mg_slice subject = mg_sub_subject(subs[k]);
        const struct mg_match *m = mg_sublist_match(sl, subject);
        assert_int_equal(m->nplain, fan);
        assert_true(mg_slice_eq(mg_sub_subject(m->plain[0]), subject));
    }
    for (size_t i = 0; i < n; i++) {
        mg_sublist_remove(sl, subs[i], NULL);
        mg_free(subs[i]);
    }
    assert_true(heap_in_use() < before + 1024 * 1024); // and nothing of it stays
    mg_free(subs);
    mg_sublist_free(sl);
    printf("    %-36s %7zu: %6.1f bytes each\n", format, n, bytes);
    return bytes;
}

static void test_a_million(void **state) {
    (void)state;
#ifdef SANITIZED
    const size_t n = 100000; // the sanitizer's heap has its own figures: here only the walk through it counts
    const double limit = 1e9;
#else
    const size_t n = 1000000;
    const double limit = 250;
#endif
    assert_true(cost("_INBOX.%022zu.*", n, 1) < limit);
    assert_true(cost("sensors.%08zu.temp", n, 1) < limit);
    assert_true(cost("_INBOX.%022zu.>", n, 1) < limit);
    assert_true(cost("shared.%zu", n, 10) < limit);
}

static void test_exactly_this_pattern(void **state) {
    (void)state;
    struct mg_sublist *sl = mg_sublist_new(1, 0);
    const mg_slice none = {NULL, 0};
    struct mg_sub *wild = model_sub_new(MG_S("d.*"), MG_S("")), *plain = model_sub_new(MG_S("d.a"), MG_S(""));
    struct mg_sub *member = model_sub_new(MG_S("d.a"), MG_S("q"));
    mg_sublist_insert(sl, wild, NULL);
    mg_sublist_insert(sl, member, NULL);
    assert_false(mg_sublist_has_client(sl, MG_S("d.a"), none)); // neither a wildcard nor a group will do
    assert_true(mg_sublist_has_client(sl, MG_S("d.a"), MG_S("q")));
    assert_false(mg_sublist_has_client(sl, MG_S("d.a"), MG_S("r")));
    mg_sublist_insert(sl, plain, NULL);
    assert_true(mg_sublist_has_client(sl, MG_S("d.a"), none));
    plain->flags = MG_SUB_DEAD; // it only waits to be removed
    assert_false(mg_sublist_has_client(sl, MG_S("d.a"), none));
    plain->flags = MG_SUB_INTERNAL; // no client
    assert_false(mg_sublist_has_client(sl, MG_S("d.a"), none));
    mg_sublist_free(sl);
    mg_free(wild);
    mg_free(plain);
    mg_free(member);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_empty_slice),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_queue_across_patterns),
        cmocka_unit_test(test_many_groups),
        cmocka_unit_test(test_cache_invalidation),
        cmocka_unit_test(test_cache_is_bounded),
        cmocka_unit_test(test_result_lifetime),
        cmocka_unit_test(test_generation_guards_memo),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_churn),
        cmocka_unit_test(test_list_under_churn),
        cmocka_unit_test(test_list_exactly_once),
        cmocka_unit_test(test_exactly_this_pattern),
        cmocka_unit_test(test_a_million),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
