// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include "jetstream/store/compact_pick.h"
#include "jetstream/store/facts.h"
#include "jetstream/store/row_kinds.h"
#include "jetstream/store/rows.h"

static bool garbage(const struct mg_facts *f, char kind, uint64_t stream, const char *rest, size_t n, mg_slice value) {
    char key[64];
    mg_row_key_head(key, (enum mg_row_kind)kind, stream);
    memcpy(key + MG_ROW_KEY_HEAD, rest, n);
    return mg_facts_row_is_garbage(f, mg_slice_of(key, MG_ROW_KEY_HEAD + n), value);
}

static bool bitmap_is_garbage(const struct mg_facts *f, uint64_t stream, uint64_t chunk) {
    char rest[8];
    mg_put_be64(rest, chunk);
    return garbage(f, MG_ROW_REMOVED, stream, rest, 8, (mg_slice){NULL, 0});
}

static void add(struct mg_facts *f, uint64_t stream, uint64_t first, uint32_t epoch, int64_t dedupe_before) {
    const struct mg_fact x = {.stream = stream, .first = first, .epoch = epoch, .dedupe_before = dedupe_before};
    mg_facts_add(f, &x);
}

static void test_rows(void **state) {
    (void)state;
    const mg_slice none = {NULL, 0};
    struct mg_facts f = {0};
    add(&f, 9, 1, 0, INT64_MIN);
    add(&f, 7, 5000, 3, 1000);
    mg_facts_add_stretch(&f, mg_fact_stretch_of(1, 8192, 20000, 100, 100));
    mg_facts_add_stretch(&f, mg_fact_stretch_of(2, 20001, 30000, 100, 99));
    mg_facts_sort(&f);
    assert_false(garbage(&f, MG_ROW_STATE, 0, "", 0, none)); // the store's own
    assert_true(garbage(&f, MG_ROW_OWNER, 8, "x", 1, none)); // of no stream
    assert_false(garbage(&f, MG_ROW_OWNER, 7, "x", 1, none));
    assert_true(garbage(&f, MG_ROW_SUBJECT, 7, "\0\0\0\2a", 5, none));
    assert_false(garbage(&f, MG_ROW_SUBJECT, 7, "\0\0\0\3a", 5, none));
    assert_true(bitmap_is_garbage(&f, 7, 0));     // below first
    assert_true(bitmap_is_garbage(&f, 7, 2));     // a stretch that has all of its messages
    assert_false(bitmap_is_garbage(&f, 7, 4));    // both
    assert_false(bitmap_is_garbage(&f, 7, 5));    // one that has not
    assert_true(bitmap_is_garbage(&f, 7, 100));   // nothing
    assert_true(bitmap_is_garbage(&f, 9, 0));
    assert_false(bitmap_is_garbage(&f, 7, UINT64_MAX));
    struct mg_dedupe_row row = {.seq = 1, .time = 1000};
    mg_slice value = {(const char *)&row, sizeof(row)};
    assert_true(garbage(&f, MG_ROW_DEDUPE, 7, "0123456789abcdef", 16, value));
    row.time = 1001;
    assert_false(garbage(&f, MG_ROW_DEDUPE, 7, "0123456789abcdef", 16, value));
    assert_false(garbage(&f, MG_ROW_DEDUPE, 7, "0123456789abcdef", 16, none));
    mg_facts_fini(&f);
}

// Streams come and go as the newer ones say; stretches stay, with what is new of them.
static void test_join(void **state) {
    (void)state;
    struct mg_facts old = {0}, now = {0}, out = {0};
    add(&old, 3, 1, 0, 0);
    mg_facts_add_stretch(&old, mg_fact_stretch_of(1, 1, 10, 10, 10));
    add(&old, 5, 1, 0, 0);
    mg_facts_add_stretch(&old, mg_fact_stretch_of(1, 1, 10, 10, 9));
    mg_facts_add_stretch(&old, mg_fact_stretch_of(2, 11, 20, 10, 10));
    mg_facts_add_stretch(&old, mg_fact_stretch_of(3, 31, 40, 10, 10));
    mg_facts_add_stretch(&old, mg_fact_stretch_of(4, 41, 50, 10, 10));
    add(&now, 6, 1, 0, 0);
    add(&now, 5, 12, 7, 99);
    mg_facts_add_change(&now, 5, mg_fact_stretch_of(4, 41, 50, 10, 0));
    mg_facts_add_change(&now, 3, mg_fact_stretch_of(3, 31, 40, 10, 3));
    mg_facts_add_change(&now, 5, mg_fact_stretch_of(3, 31, 40, 10, 4));
    mg_facts_sort(&now);
    mg_facts_join(&out, &now, &old);
    assert_int_equal(out.len, 2);
    assert_null(mg_facts_find(&out, 3)); // dropped
    assert_int_equal(mg_facts_find(&out, 6)->len, 0);
    const struct mg_fact *x = mg_facts_find(&out, 5);
    assert_int_equal(x->first, 12);
    assert_int_equal(x->epoch, 7);
    assert_int_equal(x->dedupe_before, 99);
    assert_int_equal(x->len, 4);
    const struct mg_fact_stretch *s = &out.stretches[x->at];
    assert_int_equal(s[0].live, 0); // nobody says it, but `first` has passed it
    assert_int_equal(s[0].whole, 0);
    assert_int_equal(s[1].live, 10);
    assert_int_equal(s[1].segment, 2);
    assert_int_equal(s[2].live, 4);
    assert_int_equal(s[3].live, 0);
    mg_facts_fini(&old);
    mg_facts_fini(&now);
    mg_facts_fini(&out);
}

#define MB (1024u * 1024u)

static void test_choice(void **state) {
    (void)state;
    uint32_t out[MG_COMPACT_MAX];
    struct mg_compact_item list[] = {
        {.id = 1, .age = 1, .size = 30 * MB, .live = 30 * MB, .stretches = 1, .usable = true},
        {.id = 9, .age = 2, .size = 30 * MB, .live = 10 * MB, .stretches = 1, .usable = true},
        {.id = 3, .age = 3, .size = 30 * MB, .live = 29 * MB, .stretches = 1, .usable = true},
        {.id = 4, .age = 4, .size = 30 * MB, .live = 2 * MB, .stretches = 1, .usable = false},
    };
    mg_compact_sort(list, 4);
    assert_int_equal(mg_compact_pick(list, 4, out), 1);
    assert_int_equal(list[out[0]].id, 9);
    list[1].live = 20 * MB; // a third is not enough while the store has little garbage
    assert_int_equal(mg_compact_pick(list, 4, out), 0);
    list[0].live = 12 * MB;
    assert_true(mg_compact_pick(list, 4, out) >= 1);
    assert_int_equal(list[out[0]].id, 1);
}

static void test_small_pieces_become_few(void **state) {
    (void)state;
    struct mg_compact_item list[256];
    uint32_t n = 0, most = 0, out[MG_COMPACT_MAX], copied = 0;
    for (uint32_t round = 1; round <= 1000; round++) {
        list[n++] = (struct mg_compact_item){.id = round, .age = round, .size = MB, .live = MB, .stretches = 1000,
                                             .usable = true};
        for (uint32_t k; (k = mg_compact_pick(list, n, out)) > 0;) {
            assert_true(k >= 2 && k <= MG_COMPACT_MAX);
            struct mg_compact_item sum = list[out[0]];
            for (uint32_t i = 1; i < k; i++) {
                assert_true(out[i] > out[i - 1] && out[i] < n);
                sum.size += list[out[i]].size;
                sum.live += list[out[i]].live;
                sum.age = list[out[i]].age;
            }
            copied += (uint32_t)(sum.size / MB);
            for (uint32_t i = k; i-- > 0;) {
                memmove(&list[out[i]], &list[out[i] + 1], (n - out[i] - 1) * sizeof(list[0]));
                n--;
            }
            list[n++] = sum;
            mg_compact_sort(list, n);
        }
        if (n > most) most = n;
        assert_true(n < 40);
    }
    assert_true(most <= 24);
    assert_true(copied <= 8000); // each message about log4 of the rounds
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_small_pieces_become_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
