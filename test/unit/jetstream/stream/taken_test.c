// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The index of taken subjects against the comparison of all with all.
#include "jetstream/stream/taken.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/proto/subject.h"
#include "test/unit/cmocka_inc.h"

#define MANY 300u

static uint64_t seed;
static unsigned below(unsigned n) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

static void make(char *out, size_t size) {
    static const char *const tokens[] = {"a", "b", "c", "d", "*"};
    size_t at = 0;
    unsigned n = 1 + below(4);
    for (unsigned i = 0; i < n; i++) {
        bool last = i + 1 == n;
        const char *token = last && below(4) == 0 ? ">" : tokens[below(5)];
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? "." : "", token);
    }
}

static char patterns[MANY][32];
static bool there[MANY];

static bool collides_with_any(mg_slice pattern, unsigned owner) {
    for (unsigned i = 0; i < MANY; i++)
        if (there[i] && i % 10 != owner && mg_subject_collide(mg_cstr(patterns[i]), pattern)) return true;
    return false;
}

static void as_all_with_all(void **state) {
    struct mg_js_taken t = {NULL};
    static const char owners[10];
    (void)state;
    seed = 7;
    for (unsigned round = 0; round < 20000; round++) {
        unsigned i = below(MANY), owner = below(10);
        char pattern[32];
        make(pattern, sizeof(pattern));
        if (there[i]) {
            mg_js_taken_remove(&t, mg_cstr(patterns[i]), &owners[i % 10]);
        } else if (below(8) == 0) { // few enough that many are free
            memcpy(patterns[i], pattern, sizeof(pattern));
            mg_js_taken_add(&t, mg_cstr(patterns[i]), &owners[i % 10]);
            there[i] = true;
            continue;
        }
        there[i] = false;
        make(pattern, sizeof(pattern));
        bool want = collides_with_any(mg_cstr(pattern), owner);
        if ((mg_js_taken_collides(&t, mg_cstr(pattern), &owners[owner]) != NULL) != want)
            fail_msg("%s: should %scollide", pattern, want ? "" : "not ");
    }
    for (unsigned i = 0; i < MANY; i++)
        if (there[i]) mg_js_taken_remove(&t, mg_cstr(patterns[i]), &owners[i % 10]);
    assert_null(t.root);
}

// As deep as a subject can be, many times over: nothing here may need a stack for it.
static void deep(void **state) {
    enum { TOKENS = 1000000 };
    struct mg_js_taken t = {NULL};
    static const char owner, other;
    char *text = malloc(2 * TOKENS);
    (void)state;
    for (size_t i = 0; i < TOKENS; i++) memcpy(text + 2 * i, "a.", 2);
    const mg_slice all = mg_slice_of(text, 2 * TOKENS - 1), half = mg_slice_of(text, TOKENS - 1);
    mg_js_taken_add(&t, all, &owner);
    assert_non_null(mg_js_taken_collides(&t, all, &other));
    assert_null(mg_js_taken_collides(&t, all, &owner));
    assert_null(mg_js_taken_collides(&t, half, &other));
    assert_non_null(mg_js_taken_collides(&t, MG_S(">"), &other));
    assert_non_null(mg_js_taken_collides(&t, MG_S("*.>"), &other));
    mg_js_taken_add(&t, half, &other);
    mg_js_taken_remove(&t, all, &owner);
    assert_null(mg_js_taken_collides(&t, all, &owner));
    assert_non_null(mg_js_taken_collides(&t, half, &owner));
    mg_js_taken_add(&t, all, &owner);
    mg_js_taken_fini(&t);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_all_with_all), cmocka_unit_test(deep)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
