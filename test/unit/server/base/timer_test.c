// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The wheel against a naive model: random starts, stops and advances of every size; plus sleeping from `next` to `next`
// as a shard does.
#include "server/base/timer.h"

#include <stdlib.h>

#include "server/base/list.h"
#include "test/unit/cmocka_inc.h"

#define N 200
#define MS UINT64_C(1000000)

struct model_timer {
    struct mg_timer t;
    uint64_t now_fired; // time given to the advance that fired it
    int fired;
    const uint64_t *clock;
};

static void on_fire(struct mg_timer *t) {
    struct model_timer *m = mg_container_of(t, struct model_timer, t);
    m->fired++;
    m->now_fired = *m->clock;
}

static uint64_t rnd(uint64_t *s) {
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static void run_model(uint64_t seed, uint64_t max_span) {
    static struct mg_wheel w;
    struct model_timer m[N];
    bool armed[N] = {false};
    uint64_t s = seed, now = rnd(&s) % (1000 * 1000 * MS);
    mg_wheel_init(&w, now);
    for (int i = 0; i < N; i++) {
        mg_timer_init(&m[i].t, on_fire);
        m[i].clock = &now;
        m[i].fired = 0;
    }
    for (int round = 0; round < 1500; round++) {
        int i = (int)(rnd(&s) % N);
        switch (rnd(&s) % 4) {
        case 0:
        case 1:
            mg_timer_start(&w, &m[i].t, now + rnd(&s) % max_span);
            armed[i] = true;
            break;
        case 2:
            mg_timer_stop(&w, &m[i].t);
            armed[i] = false;
            break;
        default: {
            uint64_t next = mg_wheel_next(&w);
            uint64_t step = now + rnd(&s) % (max_span / 4);
            // Half of the time sleep exactly until `next`, as a shard does.
            if (rnd(&s) % 2 && next != UINT64_MAX && next > now) step = next;
            uint64_t before = now;
            now = step;
            mg_wheel_advance(&w, now);
            for (int k = 0; k < N; k++) {
                bool due = armed[k] && (m[k].t.at + MS - 1) / MS <= now / MS;
                assert_int_equal(m[k].fired, due ? 1 : 0);
                if (due) {
                    assert_true(m[k].t.at <= now);
                    assert_true(next <= m[k].t.at + MS || before > m[k].t.at);
                    armed[k] = false;
                    m[k].fired = 0;
                }
                assert_int_equal(mg_timer_active(&m[k].t), armed[k]);
            }
        }
        }
    }
    for (int i = 0; i < N; i++) mg_timer_stop(&w, &m[i].t);
    assert_true(mg_wheel_next(&w) == UINT64_MAX);
}

static void test_model(void **state) {
    (void)state;
    const uint64_t spans[] = {10 * MS, 1000 * MS, 60 * 1000 * MS, 3600 * 1000 * MS, UINT64_C(400) * 86400 * 1000 * MS};
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
        for (uint64_t seed = 1; seed < 4; seed++) run_model(seed * 7919, spans[i]);
}

static void test_next_is_quiet(void **state) {
    (void)state;
    static struct mg_wheel w;
    struct model_timer m = {.fired = 0};
    uint64_t now = 12345 * MS;
    m.clock = &now;
    mg_wheel_init(&w, now);
    mg_timer_init(&m.t, on_fire);
    mg_timer_start(&w, &m.t, now + 120 * 1000 * MS);
    // A two minute timer may move down a level on its way, it must not tick.
    int wakes = 0;
    while (m.fired == 0) {
        now = mg_wheel_next(&w);
        mg_wheel_advance(&w, now);
        wakes++;
    }
    assert_in_range(wakes, 1, 4);
}

// Thousands are due at once: some at a time, and the wheel says that there are more.
static void test_many(void **state) {
    enum { MANY = 5 * MG_WHEEL_MOST };
    static struct mg_wheel w;
    static struct model_timer m[MANY], late;
    uint64_t now = 1000 * MS;
    int fired = 0, before, advances = 0;
    (void)state;
    mg_wheel_init(&w, now);
    mg_timer_init(&late.t, on_fire);
    late.clock = &now;
    for (int i = 0; i < MANY; i++) {
        mg_timer_init(&m[i].t, on_fire);
        m[i].clock = &now;
        mg_timer_start(&w, &m[i].t, 30 * 1000 * MS); // they move down a level before
    }
    for (; fired < MANY; advances++) {
        uint64_t next = mg_wheel_next(&w);
        assert_true(next <= (30 * 1000 + 1) * MS);
        if (next > now) now = next;
        mg_wheel_advance(&w, now);
        for (before = fired, fired = 0; fired < MANY && m[fired].fired; fired++) continue;
        assert_in_range(fired - before, 0, MG_WHEEL_MOST);
        assert_int_equal(late.fired, 0);
        if (fired == 0 || fired == MANY) continue;
        assert_true(now >= 30 * 1000 * MS);
        mg_timer_start(&w, &late.t, now + 255 * MS);
        mg_timer_stop(&w, &m[MANY - 1].t); // may be stopped in between
        mg_timer_start(&w, &m[MANY - 1].t, now);
    }
    assert_in_range(advances, 10, 16);
    now += 255 * MS;
    mg_wheel_advance(&w, now);
    assert_int_equal(late.fired, 1);
    assert_true(mg_wheel_next(&w) == UINT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model), cmocka_unit_test(test_next_is_quiet),
                                       cmocka_unit_test(test_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
