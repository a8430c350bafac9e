// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/account/responses.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"

#define R MG_S("_INBOX.r")

static struct mg_responses *table(int64_t max, int64_t expires_ns) {
    struct mg_resp_limits lim = {.max = max, .expires_ns = expires_ns};
    return mg_responses_new(&lim, 42);
}

static void test_count(void **state) {
    (void)state;
    struct mg_responses *r = table(2, 1000);
    assert_false(mg_responses_allow(r, R, 0));
    mg_responses_track(r, R, 0);
    assert_true(mg_responses_allow(r, R, 1));
    assert_true(mg_responses_allow(r, R, 2));
    assert_false(mg_responses_allow(r, R, 3));
    assert_int_equal(mg_responses_count(r), 0);

    mg_responses_track(r, R, 10);
    assert_true(mg_responses_allow(r, R, 11));
    mg_responses_track(r, R, 12); // delivered again: starts anew
    assert_int_equal(mg_responses_count(r), 1);
    assert_true(mg_responses_allow(r, R, 13));
    assert_true(mg_responses_allow(r, R, 14));
    assert_false(mg_responses_allow(r, R, 15));
    mg_responses_free(r);
}

static void test_expiry(void **state) {
    (void)state;
    struct mg_responses *r = table(-1, 1000);
    mg_responses_track(r, R, 5);
    for (int i = 0; i < 100; i++) assert_true(mg_responses_allow(r, R, 1005));
    assert_false(mg_responses_allow(r, R, 1006));
    assert_int_equal(mg_responses_count(r), 0);

    // Stale ones leave with the next delivery.
    mg_responses_track(r, MG_S("a"), 0);
    mg_responses_track(r, MG_S("b"), 500);
    mg_responses_track(r, MG_S("c"), 1200);
    assert_int_equal(mg_responses_count(r), 2);
    assert_false(mg_responses_allow(r, MG_S("a"), 1200));
    assert_true(mg_responses_allow(r, MG_S("b"), 1200));
    mg_responses_free(r);

    r = table(-1, -1); // never
    mg_responses_track(r, R, 0);
    assert_true(mg_responses_allow(r, R, UINT64_MAX));
    mg_responses_free(r);
    mg_responses_free(NULL);
}

static void test_bounds(void **state) {
    (void)state;
    struct mg_responses *r = table(1, -1);
    char name[32];
    for (int i = 0; i < MG_RESPONSES_MAX + 100; i++) {
        snprintf(name, sizeof name, "r.%d", i);
        mg_responses_track(r, mg_cstr(name), (uint64_t)i);
    }
    assert_int_equal(mg_responses_count(r), MG_RESPONSES_MAX);
    assert_false(mg_responses_allow(r, MG_S("r.99"), 1000000)); // the oldest went
    assert_true(mg_responses_allow(r, MG_S("r.100"), 1000000));
    assert_true(mg_responses_allow(r, mg_cstr(name), 1000000));
    mg_responses_free(r);

    r = table(1, -1);
    size_t n = 4u << 20;
    char *big = mg_zalloc(n);
    for (char c = 'a'; c < 'e'; c++) {
        big[0] = c;
        mg_responses_track(r, mg_slice_of(big, n), 0);
    }
    assert_int_equal(mg_responses_count(r), 2); // 8 MB
    mg_responses_track(r, mg_slice_of(big, 0), 0);
    assert_int_equal(mg_responses_count(r), 2);
    mg_free(big);
    mg_responses_free(r);
}

// Against a model: an array that is searched.
static void test_model(void **state) {
    (void)state;
    enum { NAMES = 60, LIFE = 50, MAX = 3 };
    struct {
        bool known;
        uint64_t since;
        int uses;
    } model[NAMES] = {0};
    struct mg_responses *r = table(MAX, LIFE);
    unsigned rnd = 1;
    for (uint64_t now = 0; now < 20000; now++) {
        char name[16];
        rnd = rnd * 1103515245 + 12345;
        size_t i = (rnd >> 16) % NAMES;
        snprintf(name, sizeof name, "n%zu", i);
        if ((rnd >> 8) % 3 == 0) {
            mg_responses_track(r, mg_cstr(name), now);
            model[i].known = true;
            model[i].since = now;
            model[i].uses = 0;
        } else {
            bool want = model[i].known && now - model[i].since <= LIFE && model[i].uses < MAX;
            if (want) model[i].uses++;
            assert_int_equal(mg_responses_allow(r, mg_cstr(name), now), want);
        }
    }
    assert_true(mg_responses_count(r) <= NAMES);
    mg_responses_free(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
