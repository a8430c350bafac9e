// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/removal.h"

#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"

static const struct mg_removal some[] = {
    {7, 100, false, {NULL, 0}},
    {3, 5, true, {"a.b", 3}},              // numbers in any order
    {UINT64_MAX - 1, UINT32_MAX, true, {"", 0}}, // a name of no bytes is a name
    {4, 0, false, {NULL, 0}},
};
#define SOME (sizeof(some) / sizeof(some[0]))

static mg_slice encoded(struct mg_buf *out, unsigned keep) {
    struct mg_removals l = {0};
    for (size_t i = 0; i < SOME; i++) mg_removals_add(&l, &some[i]);
    mg_removals_cut(&l, keep);
    mg_removals_encode(&l, out);
    mg_removals_fini(&l);
    return mg_buf_slice(out);
}

static void a_list_comes_back(void **state) {
    (void)state;
    for (unsigned keep = 0; keep <= SOME; keep++) {
        struct mg_buf buf = MG_BUF_INIT;
        struct mg_removal_walk w = mg_removal_walk_of(encoded(&buf, keep));
        struct mg_removal r;
        for (unsigned i = 0; i < keep; i++) {
            assert_true(mg_removal_next(&w, &r));
            assert_true(r.seq == some[i].seq && r.size == some[i].size && r.named == some[i].named);
            assert_true(mg_slice_eq(r.subject, some[i].subject));
        }
        assert_false(mg_removal_next(&w, &r));
        assert_false(w.bad);
        mg_buf_fini(&buf);
    }
}

static void a_list_goes_on_behind_a_cut(void **state) {
    (void)state;
    struct mg_removals l = {0};
    struct mg_buf buf = MG_BUF_INIT;
    struct mg_removal r;
    for (size_t i = 0; i < SOME; i++) mg_removals_add(&l, &some[i]);
    mg_removals_cut(&l, 2);
    mg_removals_add(&l, &(struct mg_removal){9, 1, false, {NULL, 0}});
    mg_removals_encode(&l, &buf);
    struct mg_removal_walk w = mg_removal_walk_of(mg_buf_slice(&buf));
    while (mg_removal_next(&w, &r)) continue;
    assert_int_equal(r.seq, 9);
    mg_removals_fini(&l);
    mg_buf_fini(&buf);
}

// Whatever stands on disk, a walk stays inside of it.
static void damaged_lists_end(void **state) {
    (void)state;
    struct mg_buf buf = MG_BUF_INIT;
    mg_slice whole = encoded(&buf, SOME);
    struct mg_removal r;
    for (size_t n = 1; n < whole.n; n++) { // cut short
        char *copy = mg_slice_dup(mg_slice_of(whole.p, n));
        struct mg_removal_walk w = mg_removal_walk_of(mg_slice_of(copy, n));
        unsigned count = 0;
        while (mg_removal_next(&w, &r)) count++;
        assert_true(w.bad && count < SOME);
        mg_free(copy);
    }
    for (size_t at = 0; at < whole.n; at++) {
        for (int v = 0; v < 256; v++) {
            char *copy = mg_slice_dup(whole);
            copy[at] = (char)v;
            struct mg_removal_walk w = mg_removal_walk_of(mg_slice_of(copy, whole.n));
            unsigned count = 0;
            while (mg_removal_next(&w, &r)) {
                assert_true(r.subject.n == 0 || (r.subject.p >= copy && r.subject.p + r.subject.n <= copy + whole.n));
                assert_true(++count <= whole.n);
            }
            mg_free(copy);
        }
    }
    mg_buf_fini(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_comes_back),
        cmocka_unit_test(a_list_goes_on_behind_a_cut),
        cmocka_unit_test(damaged_lists_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
