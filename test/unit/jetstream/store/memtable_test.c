// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The memtable against an array of flags.
#include "jetstream/store/memtable.h"

#include "jetstream/store/record.h"
#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"

#define NUMBERS 4000u

struct model {
    bool there[NUMBERS + 2];
    uint64_t last;
};

static const uint8_t bytes[1];

static uint64_t draw(uint64_t *x) {
    *x = *x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *x >> 33;
}

static void check(const struct mg_memtable *t, const struct model *m, uint64_t seq) {
    uint64_t next = seq, prev = seq, want = seq;
    assert_int_equal(mg_memtable_get(t, seq) != NULL, m->there[seq]);
    while (want <= NUMBERS && !m->there[want]) want++;
    assert_int_equal(mg_memtable_next(t, &next) != NULL, want <= NUMBERS);
    if (want <= NUMBERS) assert_int_equal(next, want);
    for (want = seq; want > 0 && !m->there[want];) want--;
    assert_int_equal(mg_memtable_prev(t, &prev) != NULL, want > 0);
    if (want > 0) assert_int_equal(prev, want);
}

static void it_is_a_set_of_numbers(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct mg_memtable t;
        struct model *m = mg_zalloc(sizeof(*m));
        uint64_t x = seed, sealed_to = 0;
        uint32_t generation = 1;
        mg_memtable_init(&t);
        while (m->last + 3 < NUMBERS) {
            uint64_t dice = draw(&x) % 100;
            if (dice < 60) { // sometimes a number is left out, or used up
                m->last += draw(&x) % 50 == 0 ? 2 : 1;
                m->there[m->last] = draw(&x) % 20 != 0;
                mg_memtable_add(&t, m->last, m->there[m->last] ? bytes : NULL, 1);
            } else if (dice < 90 && m->last > 0) {
                uint64_t seq = 1 + draw(&x) % m->last;
                enum mg_mem_where where = mg_memtable_remove(&t, seq, generation);
                assert_int_equal(where != MG_MEM_NOWHERE, m->there[seq]);
                if (m->there[seq]) assert_int_equal(where == MG_MEM_SEALED, seq <= sealed_to);
                m->there[seq] = false;
            } else if (dice < 91) {
                uint32_t n;
                uint64_t sealed;
                while (draw(&x) % 4 && !mg_memtable_close(&t, generation, 1 + (uint32_t)draw(&x) % 3)) continue;
                struct mg_mem_block **blocks = mg_memtable_seal(&t, generation++, &n, &sealed);
                uint64_t expected = 0;
                for (uint32_t i = 0; i < n; i++) expected += blocks[i]->bytes;
                assert_int_equal(sealed, expected);
                for (uint32_t i = 0; i < n; i++) mg_mem_block_unref(blocks[i]);
                mg_free(blocks);
                sealed_to = m->last;
            } else if (draw(&x) % 200 == 0) {
                mg_memtable_clear(&t, generation);
                for (uint64_t seq = 0; seq <= m->last; seq++) m->there[seq] = false;
            } else if (dice < 92) {
                mg_memtable_drop(&t, generation - 1);
                for (uint64_t seq = 0; seq <= sealed_to; seq++) m->there[seq] = false;
            }
            check(&t, m, 1 + draw(&x) % NUMBERS);
        }
        mg_memtable_close(&t, generation, 1); // and no further
        mg_memtable_fini(&t);
        mg_free(m);
    }
}

// What the keeper sees of a sealed block does not change when the shard removes on.
static void a_seal_is_a_moment(void **state) {
    (void)state;
    struct mg_memtable t;
    uint64_t bytes_sealed;
    uint32_t n;
    mg_memtable_init(&t);
    for (uint64_t seq = 1; seq <= 5; seq++) mg_memtable_add(&t, seq, bytes, 1);
    assert_int_equal(mg_memtable_remove(&t, 2, 7), MG_MEM_OPEN);
    struct mg_mem_block **blocks = mg_memtable_seal(&t, 7, &n, &bytes_sealed);
    assert_int_equal(n, 1);
    assert_int_equal(mg_memtable_remove(&t, 3, 8), MG_MEM_SEALED);
    assert_false(mg_mem_block_alive_at(blocks[0], 1, 7));
    assert_true(mg_mem_block_alive_at(blocks[0], 2, 7));
    assert_false(mg_mem_block_alive_at(blocks[0], 2, 8));
    mg_memtable_drop(&t, 7);
    assert_null(mg_memtable_get(&t, 5));
    assert_true(mg_mem_block_alive_at(blocks[0], 4, 7)); // the keeper's reference
    mg_mem_block_unref(blocks[0]);
    mg_free(blocks);
    mg_memtable_fini(&t);
}

// Nor when it removes all of them; what comes then is there, for the keeper as well.
static void a_clear_is_a_moment(void **state) {
    (void)state;
    struct mg_memtable t;
    uint64_t bytes_sealed;
    uint32_t n;
    mg_memtable_init(&t);
    for (uint64_t seq = 1; seq <= 3; seq++) mg_memtable_add(&t, seq, bytes, 1);
    struct mg_mem_block **blocks = mg_memtable_seal(&t, 7, &n, &bytes_sealed), **later;
    assert_int_equal(n, 1);
    mg_memtable_add(&t, 4, bytes, 1);
    mg_memtable_clear(&t, 8);
    mg_memtable_add(&t, 5, bytes, 1);
    assert_true(mg_mem_block_alive_at(blocks[0], 1, 7));
    assert_false(mg_mem_block_alive_at(blocks[0], 1, 8));
    assert_int_equal(mg_memtable_remove(&t, 4, 8), MG_MEM_NOWHERE);
    assert_non_null(mg_memtable_get(&t, 5));
    assert_int_equal(t.alive, 1);
    later = mg_memtable_seal(&t, 8, &n, &bytes_sealed);
    assert_int_equal(n, 2);
    assert_false(mg_mem_block_alive_at(later[0], 0, 8));
    assert_true(mg_mem_block_alive_at(later[1], 0, 8));
    mg_mem_block_unref(blocks[0]);
    for (uint32_t i = 0; i < n; i++) mg_mem_block_unref(later[i]);
    mg_free(blocks);
    mg_free(later);
    mg_memtable_fini(&t);
}

// Of a memory stream: one by one, and blocks behind them.
static void its_records_go_with_it(void **state) {
    (void)state;
    struct mg_memtable t;
    uint32_t freed = 0, steps = 0;
    mg_memtable_init(&t);
    t.owner = true;
    for (uint64_t seq = 1; seq <= 1000; seq++) {
        struct mg_record_view v = {.head.seq = seq};
        uint8_t *record = mg_alloc(MG_RECORD_SIZE);
        mg_record_encode(record, &v);
        mg_memtable_add(&t, seq, seq % 100 ? record : NULL, MG_RECORD_SIZE);
        if (seq % 100 == 0) mg_free(record);
    }
    uint8_t *removed = (uint8_t *)(uintptr_t)mg_memtable_get(&t, 701);
    mg_memtable_remove(&t, 701, 1);
    mg_free(removed);
    for (const uint8_t *record; mg_memtable_take_last(&t, &record); steps++) {
        if (record) freed += mg_record_length(record);
        mg_free((void *)(uintptr_t)record);
    }
    assert_int_equal(freed, 989 * MG_RECORD_SIZE);
    assert_in_range(steps, 1001, 1020);
    assert_int_equal(t.alive, 0);
    mg_memtable_fini(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_a_set_of_numbers),
        cmocka_unit_test(a_seal_is_a_moment),
        cmocka_unit_test(a_clear_is_a_moment),
        cmocka_unit_test(its_records_go_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
