// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include <stdio.h>

#include "server/base/mem.h"
#include "server/router/hash.h"
#include "server/router/rcache.h"

static uint64_t hash_of(const char *subject) { return mg_hash(mg_cstr(subject), 5); }

// Keeps a result for the subject; how many had to leave.
static int put(struct mg_rcache *c, const char *subject, uint64_t prefix, size_t extra) {
    size_t len = strlen(subject), size = sizeof(struct mg_rcached) + len + extra;
    struct mg_rcached *r = mg_zalloc(size);
    memcpy(r + 1, subject, len);
    r->subject = (const char *)(r + 1);
    r->subject_len = len;
    r->size = size;
    int n = 0;
    for (struct mg_rcached *out = mg_rcache_put(c, hash_of(subject), prefix, r), *next; out != NULL; out = next, n++) {
        next = out->next;
        mg_free(out);
    }
    return n;
}

static bool has(const struct mg_rcache *c, const char *subject) {
    return mg_rcache_get(c, hash_of(subject), mg_cstr(subject)) != NULL;
}

static void test_admission(void **state) {
    (void)state;
    struct mg_rcache c;
    mg_rcache_init(&c, 100);
    assert_int_equal(c.max, 128);
    assert_false(mg_rcache_admits(&c, hash_of("a"), 10));
    assert_false(mg_rcache_admits(&c, hash_of("b"), 10));
    assert_true(mg_rcache_admits(&c, hash_of("a"), 10));
    assert_false(mg_rcache_admits(&c, hash_of("a"), 128 * MG_RCACHE_BYTES / 8 + 1)); // too big, always
    mg_rcache_fini(&c);
    mg_rcache_init(&c, 0);
    for (int i = 0; i < 3; i++)
        assert_false(mg_rcache_admits(&c, hash_of("a"), 10));
    assert_false(has(&c, "a"));
    mg_rcache_fini(&c);
}

static void test_staleness(void **state) {
    (void)state;
    struct mg_rcache c;
    mg_rcache_init(&c, 64);
    mg_rcache_stale_prefix(&c, 1); // before anything is there
    mg_rcache_admits(&c, hash_of("a.1"), 1);
    put(&c, "a.1", 1, 0);
    put(&c, "a.2", 1, 0);
    put(&c, "b.1", 2, 0);
    assert_true(has(&c, "a.1") && has(&c, "a.2") && has(&c, "b.1") && !has(&c, "b.2"));
    mg_rcache_drop(&c, hash_of("a.1"), MG_S("a.1"));
    mg_rcache_drop(&c, hash_of("x"), MG_S("x"));
    assert_true(!has(&c, "a.1") && has(&c, "a.2") && has(&c, "b.1"));
    mg_rcache_stale_prefix(&c, 1);
    assert_true(!has(&c, "a.2") && has(&c, "b.1"));
    assert_int_equal(put(&c, "a.2", 1, 0), 1); // takes the place of its own stale result
    assert_true(has(&c, "a.2"));
    mg_rcache_stale_all(&c);
    assert_true(!has(&c, "a.2") && !has(&c, "b.1"));
    mg_rcache_fini(&c);
}

static void test_bounds(void **state) {
    (void)state;
    struct mg_rcache c;
    mg_rcache_init(&c, 256);
    mg_rcache_admits(&c, 1, 1);
    int evicted = 0;
    char subject[16];
    for (int i = 0; i < 5000; i++) {
        snprintf(subject, sizeof subject, "s.%d", i);
        evicted += put(&c, subject, 0, 0);
        assert_true(has(&c, subject));
        assert_true(c.count <= 256 && c.nslots <= 256);
    }
    assert_int_equal(c.count, 256);
    assert_int_equal(evicted, 5000 - 256);
    for (int i = 0; i < 1000; i++) { // large ones: now the bytes decide
        snprintf(subject, sizeof subject, "l.%d", i);
        put(&c, subject, 0, 15000);
        assert_true(has(&c, subject));
        assert_true(c.bytes <= 256 * MG_RCACHE_BYTES);
    }
    assert_true(c.count < 256);
    mg_rcache_fini(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_admission),
        cmocka_unit_test(test_staleness),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
