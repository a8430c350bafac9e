// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include "server/base/mem.h"
#include "server/router/table.h"

struct item {
    uint64_t hash, key;
    uint32_t seen;
    bool in;
};

static uint64_t mix(uint64_t z) {
    z += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static inline bool item_eq(const void *val, const void *key) {
    return ((const struct item *)val)->key == *(const uint64_t *)key;
}

static struct item *find(const struct mg_table *t, const struct item *i) {
    return mg_table_find(t, i->hash, item_eq, &i->key);
}

static void put(struct mg_table *t, struct item *i) {
    mg_table_add(t, i->hash, i);
    i->in = true;
}

static void del(struct mg_table *t, struct item *i) {
    mg_table_del(t, i->hash, i);
    i->in = false;
}

// What always holds: the directory and the segments agree, and every entry is where its hash says.
static void check_shape(const struct mg_table *t) {
    size_t entries = 0, deepest = 0;
    for (size_t d = 0; t->dir != NULL && d < (size_t)1 << t->depth;) {
        const struct mg_table_seg *s = t->dir[d];
        size_t span = (size_t)1 << (t->depth - s->depth), used = 0;
        assert_true(s->depth <= t->depth && d % span == 0);
        for (size_t i = 0; i < span; i++)
            assert_ptr_equal(t->dir[d + i], s);
        for (uint32_t i = 0; i <= s->mask; i++) {
            if (s->slots[i].val == NULL) continue;
            assert_ptr_equal(mg_table_seg_of(t, s->slots[i].hash), s);
            used++;
        }
        assert_int_equal(used, s->count);
        assert_true(used <= (s->mask + 1) / 4 * 3);
        entries += used;
        deepest += s->depth == t->depth;
        d += span;
    }
    assert_int_equal(entries, t->count);
    assert_int_equal(deepest, t->deepest);
}

static void fill_and_empty(uint64_t (*hash)(uint64_t), size_t n) {
    struct mg_table t;
    mg_table_init(&t);
    struct item *items = mg_zalloc(n * sizeof *items);
    for (size_t i = 0; i < n; i++) {
        items[i] = (struct item){.hash = hash(i), .key = i};
        assert_null(find(&t, &items[i]));
        put(&t, &items[i]);
    }
    check_shape(&t);
    for (size_t i = 0; i < n; i++)
        assert_ptr_equal(find(&t, &items[i]), &items[i]);
    for (size_t i = 0; i < n; i += 2)
        del(&t, &items[i]);
    check_shape(&t);
    for (size_t i = 0; i < n; i++)
        assert_ptr_equal(find(&t, &items[i]), items[i].in ? &items[i] : NULL);
    for (size_t i = 1; i < n; i += 2)
        del(&t, &items[i]);
    check_shape(&t);
    assert_int_equal(t.count, 0);
    assert_true(t.memory < 2048); // it shrank on the way
    mg_table_fini(&t);
    assert_int_equal(t.memory, 0);
    mg_free(items);
}

static uint64_t hash_good(uint64_t i) { return mix(i); }
static uint64_t hash_same_head(uint64_t i) { return mix(i) >> 40; }
static uint64_t hash_same_tail(uint64_t i) { return mix(i) << 40; }
static uint64_t hash_same(uint64_t i) { return i & 1; }

static void test_fill_and_empty(void **state) {
    (void)state;
    fill_and_empty(hash_good, 200000);
}

// Hashes that somebody chose: slower, but correct, and the directory stays small.
static void test_bad_hashes(void **state) {
    (void)state;
    fill_and_empty(hash_same_head, 20000);
    fill_and_empty(hash_same_tail, 20000);
    fill_and_empty(hash_same, 2000);
    struct mg_table t;
    mg_table_init(&t);
    struct item *items = mg_zalloc(5000 * sizeof *items);
    for (size_t i = 0; i < 5000; i++) {
        items[i].hash = hash_same_head(i);
        put(&t, &items[i]);
    }
    assert_true((size_t)1 << t.depth <= 5000 / 8);
    mg_table_fini(&t);
    mg_free(items);
}

// Segments and the directory follow the entries down.
static void test_shrinks(void **state) {
    (void)state;
    enum { N = 100000, LEFT = 100 };
    struct mg_table t;
    mg_table_init(&t);
    struct item *items = mg_zalloc(N * sizeof *items);
    for (size_t i = 0; i < N; i++) {
        items[i].hash = mix(i);
        put(&t, &items[i]);
    }
    assert_true(t.memory < N * 40 && t.depth >= 8);
    for (size_t i = LEFT; i < N; i++)
        del(&t, &items[i]);
    check_shape(&t);
    assert_true(t.memory < 32768 && t.depth <= 2);
    mg_table_fini(&t);
    mg_free(items);
}

static void test_churn(void **state) {
    (void)state;
    enum { N = 4000 };
    static struct item items[N];
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct mg_table t;
        mg_table_init(&t);
        for (size_t i = 0; i < N; i++)
            items[i] = (struct item){.hash = mix(seed * N + i), .key = i};
        for (uint64_t r = 0; r < 60000; r++) {
            uint64_t x = mix(seed << 32 | r);
            struct item *i = &items[x % N];
            bool growing = r / 10000 % 2 == 0; // tides: up to full and down to nearly empty
            if (!i->in && (growing || (x >> 32) % 8 == 0))
                put(&t, i);
            else if (i->in && (!growing || (x >> 32) % 8 == 0))
                del(&t, i);
            assert_ptr_equal(find(&t, i), i->in ? i : NULL);
            if (r % 1000 == 0) check_shape(&t);
        }
        mg_table_fini(&t);
    }
}

// Whatever comes and goes: what stays is visited once, in ascending order.
static void test_cursor(void **state) {
    (void)state;
    enum { N = 3000 };
    static struct item items[N];
    struct mg_table t;
    mg_table_init(&t);
    uint64_t hash = 0;
    uintptr_t val = 0;
    assert_false(mg_table_next(&t, true, &hash, &val));
    for (size_t i = 0; i < N; i++) {
        items[i] = (struct item){.hash = i % 16 == 0 ? 77 : mix(i), .key = i}; // some have equal hashes
        put(&t, &items[i]);
    }
    uint64_t last = 0;
    for (uint64_t r = 0; mg_table_next(&t, r == 0, &hash, &val); r++) {
        assert_true(r == 0 || hash >= last);
        last = hash;
        ((struct item *)val)->seen++;
        for (uint64_t k = 0; k < 3; k++) { // odd ones come and go
            struct item *i = &items[mix(r * 3 + k) % N | 1];
            if (i->in)
                del(&t, i);
            else if (r % 4 == 0)
                put(&t, i);
        }
    }
    for (size_t i = 0; i < N; i += 2)
        assert_int_equal(items[i].seen, 1);
    mg_table_fini(&t);
}

static void count_item(void *ctx, void *val) {
    ((struct item *)val)->seen++;
    ++*(size_t *)ctx;
}

static void test_each(void **state) {
    (void)state;
    enum { N = 2000 };
    static struct item items[N];
    struct mg_table t;
    mg_table_init(&t);
    size_t n = 0;
    mg_table_each(&t, count_item, &n);
    assert_int_equal(n, 0);
    for (size_t i = 0; i < N; i++) {
        items[i].hash = mix(i);
        put(&t, &items[i]);
    }
    mg_table_each(&t, count_item, &n);
    assert_int_equal(n, N);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(items[i].seen, 1);
    mg_table_fini(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fill_and_empty),
        cmocka_unit_test(test_bad_hashes),
        cmocka_unit_test(test_shrinks),
        cmocka_unit_test(test_churn),
        cmocka_unit_test(test_cursor),
        cmocka_unit_test(test_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
