// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Levels of rows, without runs: generations, deletions, and how a change meets its older value.
#include "jetstream/store/rows.h"

#include <stdio.h>

#include "jetstream/store/row_kinds.h"
#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"

static mg_slice key_of(unsigned i, char out[32]) {
    mg_row_key_head(out, MG_ROW_OWNER, 1);
    int n = snprintf(out + MG_ROW_KEY_HEAD, 20, "%u", i);
    return mg_slice_of(out, MG_ROW_KEY_HEAD + (size_t)n);
}

static void a_newer_generation_wins(void **state) {
    (void)state;
    struct mg_rows rows;
    const struct mg_cell *cell;
    char key[32];
    mg_rows_init(&rows, 5);
    for (unsigned i = 0; i < 3000; i++) mg_rows_put(&rows, key_of(i, key), MG_S("old"));
    struct mg_rowmap *first = mg_rows_freeze(&rows);
    for (unsigned i = 0; i < 3000; i += 3) mg_rows_put(&rows, key_of(i, key), MG_S("newer"));
    for (unsigned i = 1; i < 3000; i += 3) mg_rows_delete(&rows, key_of(i, key));
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 3000; i++) {
            enum mg_row_found f = mg_rows_get(&rows, key_of(i, key), &cell);
            assert_int_equal(f, i % 3 == 1 ? MG_ROW_ABSENT : MG_ROW_FOUND);
            if (f == MG_ROW_FOUND) assert_true(mg_slice_eq(mg_cell_value(cell), i % 3 ? MG_S("old") : MG_S("newer")));
        }
        assert_int_equal(mg_rows_get(&rows, key_of(9999, key), &cell), MG_ROW_ABSENT);
        if (round == 0) mg_rows_freeze(&rows);
    }
    mg_rows_written(&rows, first, 0); // nothing below it is asked any more
    assert_int_equal(mg_rows_get(&rows, key_of(2, key), &cell), MG_ROW_ABSENT);
    assert_int_equal(mg_rows_get(&rows, key_of(3, key), &cell), MG_ROW_FOUND);
    mg_rows_fini(&rows);
}

static void sorted_is_sorted(void **state) {
    (void)state;
    struct mg_rows rows;
    char key[32];
    mg_rows_init(&rows, 5);
    for (unsigned i = 0; i < 500; i++) mg_rows_put(&rows, key_of(i * 7919 % 500, key), MG_S("x"));
    struct mg_cell **cells = mg_rowmap_sorted(rows.active);
    assert_int_equal(rows.active->count, 500);
    for (uint32_t i = 1; i < 500; i++)
        assert_true(mg_cell_compare(mg_cell_key(cells[i - 1]), mg_cell_key(cells[i])) < 0);
    mg_free(cells);
    mg_rows_fini(&rows);
}

struct subject {
    struct mg_subject_row row;
    struct mg_subject_recent recent[4];
};

// The subject's row after `older` has come for the change in `now`.
static const struct mg_subject_row *merged(struct mg_rows *rows, const struct subject *older,
                                           const struct subject *now) {
    char key[32];
    bool added;
    mg_row_key_head(key, MG_ROW_SUBJECT, 1);
    mg_slice k = mg_slice_of(key, MG_ROW_KEY_HEAD);
    uint32_t size = mg_subject_row_size(now->row.recent_len);
    struct mg_cell *c = mg_rowmap_put(rows->active, mg_row_hash(rows->seed, k), k, size, &added);
    memcpy(c->value, now, size);
    c->flags = MG_CELL_UNRESOLVED;
    mg_row_merge(rows->active, c, mg_slice_of((const char *)older, mg_subject_row_size(older->row.recent_len)));
    return (const struct mg_subject_row *)(const void *)c->value;
}

static void a_change_meets_its_older_value(void **state) {
    (void)state;
    struct mg_rows rows;
    const struct subject older = {.row = {.count = 2, .first = 3, .last = 5, .recent_len = 2},
                                  .recent = {{3, 10, 0}, {5, 11, 0}}};
    mg_rows_init(&rows, 5);
    const struct subject more = {.row = {.count = 1, .first = 9, .last = 9, .recent_len = 1}, .recent = {{9, 12, 0}}};
    const struct mg_subject_row *r = merged(&rows, &older, &more);
    assert_true(r->count == 3 && r->first == 3 && r->last == 9 && !r->last_gone);
    assert_true(r->recent_len == 3 && r->recent[0].seq == 3 && r->recent[1].seq == 5 && r->recent[2].seq == 9);
    mg_rows_fini(&rows);
    mg_rows_init(&rows, 5);
    // One of the older messages is gone: their list is worth nothing, even when its length comes to fit again.
    const struct subject less = {
        .row = {.count = 0, .first = 5, .last = 9, .older_gone = 1, .recent_len = 1}, .recent = {{9, 12, 0}}};
    r = merged(&rows, &older, &less);
    assert_true(r->count == 2 && r->recent_len == 1 && r->recent[0].seq == 9 && r->older_gone == 0);
    mg_rows_fini(&rows);
    mg_rows_init(&rows, 5);
    const struct subject all = {.row = {.count = -2, .first = 3, .last = 5, .last_gone = 1, .older_gone = 1}};
    merged(&rows, &older, &all);
    const struct mg_cell *cell;
    char key[32];
    mg_row_key_head(key, MG_ROW_SUBJECT, 1);
    assert_int_equal(mg_rows_get(&rows, mg_slice_of(key, MG_ROW_KEY_HEAD), &cell), MG_ROW_ABSENT);
    mg_rows_fini(&rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_newer_generation_wins),
        cmocka_unit_test(sorted_is_sorted),
        cmocka_unit_test(a_change_meets_its_older_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
