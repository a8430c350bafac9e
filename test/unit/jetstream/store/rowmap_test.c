// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A generation while it grows: nothing is lost, nothing is seen twice, and no row pays for all the others.
#include "jetstream/store/rowmap.h"

#include <stdio.h>

#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"

#define ROWS 40000u

static mg_slice key_of(uint32_t i, char out[16]) { return mg_slice_of(out, (size_t)snprintf(out, 16, "k%u", i)); }

static void put(struct mg_rowmap *m, uint32_t i) {
    char text[16];
    bool added;
    mg_slice key = key_of(i, text);
    struct mg_cell *c = mg_rowmap_put(m, mg_row_hash(1, key), key, sizeof(i), &added);
    assert_true(added);
    memcpy(c->value, &i, sizeof(i));
}

static uint32_t value_of(const struct mg_cell *c) {
    uint32_t v;
    memcpy(&v, c->value, sizeof(v));
    return v;
}

static void expect_all(const struct mg_rowmap *m, uint32_t n) {
    char text[16];
    uint8_t *seen = mg_zalloc(n + 1);
    uint32_t cells = 0;
    for (uint32_t i = 0; i < n; i++) {
        mg_slice key = key_of(i, text);
        const struct mg_cell *c = mg_rowmap_get(m, mg_row_hash(1, key), key);
        assert_non_null(c);
        assert_int_equal(value_of(c), i);
    }
    mg_slice absent = key_of(n, text);
    assert_null(mg_rowmap_get(m, mg_row_hash(1, absent), absent));
    for (uint32_t i = mg_rowmap_end(m); i-- > 0;) {
        const struct mg_cell *c = mg_rowmap_at(m, i);
        if (c == NULL) continue;
        assert_int_equal(seen[value_of(c)]++, 0);
        cells++;
    }
    assert_int_equal(cells, n);
    mg_free(seen);
}

static void keeps_all_while_it_grows(void **state) {
    struct mg_rowmap *m = mg_rowmap_new();
    uint32_t growing = 0;
    (void)state;
    for (uint32_t i = 0; i < ROWS; i++) {
        put(m, i);
        bool moves = m->before.pages != NULL;
        growing += moves;
        if (i < 300 || (moves && m->taken < 64) || i % 5000 == 0) expect_all(m, i + 1);
    }
    assert_true(growing > ROWS / 4); // so nobody has taken over all at once
    expect_all(m, ROWS);
    mg_rowmap_unref(m);
}

// Who walks in slices sees all that was there when it began, though rows are added between two slices.
static void walks_while_it_grows(void **state) {
    (void)state;
    for (uint32_t before = 1000; before < 20000; before += 777) {
        struct mg_rowmap *m = mg_rowmap_new();
        uint8_t *seen = mg_zalloc(before);
        uint32_t n = 0, missing = 0;
        while (n < before) put(m, n++);
        uint32_t grown = mg_rowmap_grown(m), at = mg_rowmap_end(m);
        while (at-- > 0) {
            const struct mg_cell *c = mg_rowmap_at(m, at);
            if (c && value_of(c) < before) seen[value_of(c)] = 1;
            if (at % 50 == 0) put(m, n++);
            if (grown == mg_rowmap_grown(m)) continue;
            grown = mg_rowmap_grown(m);
            at = mg_rowmap_end(m);
        }
        for (uint32_t i = 0; i < before; i++) missing += !seen[i];
        assert_int_equal(missing, 0);
        mg_free(seen);
        mg_rowmap_unref(m);
    }
}

// In pages that nobody has written into there is nothing, and no memory.
static void a_new_table_is_cheap(void **state) {
    struct mg_rowmap *m = mg_rowmap_new();
    uint32_t i = 0;
    (void)state;
    while (m->now.mask + 1 < 16 * MG_ROW_PAGE) put(m, i++);
    uint32_t pages = 0;
    for (uint32_t k = 0; k < 16; k++) pages += m->now.pages[k] != NULL;
    assert_true(m->before.pages != NULL && pages <= 5);
    mg_rowmap_unref(m);
}

// The pages of the table before go one by one, and what they cost with them.
static void an_old_table_goes_page_by_page(void **state) {
    struct mg_rowmap *m = mg_rowmap_new();
    uint32_t i = 0, freed = 0, pages = 0;
    (void)state;
    while (m->now.mask + 1 < 16 * MG_ROW_PAGE) put(m, i++);
    for (size_t bytes = m->bytes; m->before.pages; bytes = m->bytes) {
        pages = 0;
        for (uint32_t k = 0; k < 8; k++) pages += m->before.pages[k] == NULL;
        assert_true(pages - freed <= 1 && pages == m->taken / MG_ROW_PAGE);
        freed = pages;
        put(m, i++);
        assert_true(m->bytes + 2 * MG_ROW_PAGE * sizeof(struct mg_row_slot) > bytes);
    }
    assert_int_equal(pages, 7); // the last one with the table
    expect_all(m, i);
    mg_rowmap_unref(m);
}

// A large one is freed in many slices; as long as somebody else has it, in none.
static void is_freed_in_slices(void **state) {
    struct mg_rowmap *m = mg_rowmap_new();
    uint32_t i = 0, slices = 1;
    (void)state;
    while (m->now.mask + 1 < 256 * MG_ROW_PAGE) put(m, i++);
    while (m->before.pages) put(m, i++);
    mg_rowmap_ref(m);
    assert_true(mg_rowmap_unref_some(m));
    expect_all(m, i);
    while (!mg_rowmap_unref_some(m)) slices++;
    assert_true(slices >= 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_all_while_it_grows),
        cmocka_unit_test(walks_while_it_grows),
        cmocka_unit_test(a_new_table_is_cheap),
        cmocka_unit_test(an_old_table_goes_page_by_page),
        cmocka_unit_test(is_freed_in_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
