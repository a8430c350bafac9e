// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Names come and go in any order; what is told is what a sorted array says.
#include "jetstream/stream/names.h"

#include <stdio.h>
#include <string.h>

#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"

#define ALL 3000u

struct model {
    struct mg_js_name *names[ALL];
    bool in[ALL];
    struct mg_js_names t;
    size_t count;
};

static struct model *model_new(void) {
    struct model *m = mg_zalloc(sizeof(*m));
    for (uint32_t i = 0; i < ALL; i++) {
        m->names[i] = mg_zalloc(sizeof(*m->names[i]) + 8);
        m->names[i]->len = (uint16_t)snprintf(m->names[i]->text, 8, "c%05u", i);
    }
    return m;
}

static void model_free(struct model *m) {
    mg_js_names_fini(&m->t);
    for (uint32_t i = 0; i < ALL; i++) mg_free(m->names[i]);
    mg_free(m);
}

static void flip(struct model *m, uint32_t i) {
    if (m->in[i]) mg_js_names_remove(&m->t, m->names[i]);
    else mg_js_names_add(&m->t, m->names[i]);
    m->in[i] = !m->in[i];
    if (m->in[i]) m->count++;
    else m->count--;
}

static void expect_page(const struct model *m, size_t skip, size_t max) {
    mg_slice out[64];
    size_t n = mg_js_names_page(&m->t, skip, out, max), at = 0, got = 0;
    assert_int_equal(m->t.count, m->count);
    assert_int_equal(n, skip >= m->count ? 0 : m->count - skip < max ? m->count - skip : max);
    for (uint32_t i = 0; i < ALL && got < n; i++) {
        if (!m->in[i] || at++ < skip) continue;
        assert_ptr_equal(out[got++].p, m->names[i]->text);
    }
    assert_int_equal(got, n);
}

static void is_in_order_whatever_comes_and_goes(void **state) {
    struct model *m = model_new();
    uint32_t r = 1;
    (void)state;
    expect_page(m, 0, 64);
    for (unsigned k = 0; k < 40000; k++) {
        r = r * 1664525u + 1013904223u;
        uint32_t i = (r >> 8) % ALL;
        // First many come, then many go.
        if (m->in[i] != (k < 20000) || r % 4 == 0) flip(m, i);
        if (k % 97 == 0) expect_page(m, (r >> 4) % (m->count + 2), 64);
    }
    for (uint32_t i = 0; i < ALL; i++)
        if (m->in[i]) flip(m, i);
    expect_page(m, 0, 64);
    assert_int_equal(m->t.nleaves, 0);
    model_free(m);
}

static void names_that_come_in_order_fill_their_leaves(void **state) {
    struct model *m = model_new();
    (void)state;
    for (uint32_t i = 0; i < ALL; i++) flip(m, i);
    assert_true(m->t.nleaves <= ALL / (MG_JS_NAMES_LEAF - 1) + 1);
    expect_page(m, 0, 64);
    expect_page(m, 127, 64);
    expect_page(m, ALL - 3, 64);
    model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_in_order_whatever_comes_and_goes),
        cmocka_unit_test(names_that_come_in_order_fill_their_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
