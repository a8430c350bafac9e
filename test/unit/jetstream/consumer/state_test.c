// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The lasting state: its bytes, what is refused, and the structures of pending messages against a plain model.
#include "test/unit/cmocka_inc.h"

#include <stdlib.h>

#include "jetstream/consumer/ack.h"
#include "jetstream/consumer/state.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

#define MS MG_JS_MS

static void apply(struct mg_js_state *s, enum mg_js_delta_op op, uint64_t seq, int64_t due) {
    assert_int_equal(mg_js_state_apply(s, &(struct mg_js_delta){op, seq, due}), 0);
}

static struct mg_js_state sample(void) {
    static const uint64_t list[] = {20, 21, 300};
    struct mg_js_state s;
    mg_js_state_init(&s, 5, false);
    apply(&s, MG_JS_DELTA_DELIVER, 5, 100 * MS);
    apply(&s, MG_JS_DELTA_DELIVER, 7, 101 * MS);
    apply(&s, MG_JS_DELTA_DELIVER, 9, MG_JS_NEVER);
    apply(&s, MG_JS_DELTA_REDELIVER, 5, 200 * MS);
    apply(&s, MG_JS_DELTA_PARK, 5, 0);
    mg_js_state_skip_list(&s, list, 3, 400);
    return s;
}

static void test_round_trip(void **state) {
    (void)state;
    struct mg_js_state s = sample(), t;
    struct mg_buf a = MG_BUF_INIT, b = MG_BUF_INIT;
    mg_js_state_encode(&s, &a);
    // Written out once, so that a change of the format is seen.
    static const uint8_t bytes[] = {1, 2, 4, 9, 1, 6, 144, 3, 3,  // version, flags, delivered, floor, resume, entries
                                    5, 2, 5, 0,                      // 5, first, given up after 2 deliveries
                                    2, 2, 2, 204, 1,                 // 7, due at 101 ms
                                    2, 2, 2, 203, 1,                 // 9, never due
                                    3, 20, 3, 1, 151, 2};            // skip list
    assert_int_equal(a.len, sizeof bytes);
    assert_memory_equal(a.p, bytes, sizeof bytes);
    assert_int_equal(mg_js_state_decode(&t, mg_buf_slice(&a)), 0);
    mg_js_state_encode(&t, &b);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.p, b.p, a.len);
    assert_int_equal(t.pending.live, 2);
    assert_int_equal(t.pending.parked, 1);
    assert_int_equal(t.pending.redelivered, 1);
    assert_int_equal(mg_js_state_skip_head(&t), 20);
    // Every prefix is refused, and so is a byte too many.
    for (size_t n = 0; n < a.len; n++) {
        struct mg_js_state u;
        assert_int_equal(mg_js_state_decode(&u, mg_slice_of(a.p, n)), MG_ECORRUPT);
    }
    mg_buf_addc(&a, 0);
    struct mg_js_state u;
    assert_int_equal(mg_js_state_decode(&u, mg_buf_slice(&a)), MG_ECORRUPT);
    a.p[0] = 2;
    assert_int_equal(mg_js_state_decode(&u, mg_buf_slice(&a)), MG_EUNSUPPORTED);
    mg_buf_fini(&a);
    mg_buf_fini(&b);
    mg_js_state_fini(&s);
    mg_js_state_fini(&t);
}

static void test_refused_deltas(void **state) {
    (void)state;
    static const struct mg_js_delta bad[] = {
        {MG_JS_DELTA_DELIVER, 21, 0},  // not the head of the list
        {MG_JS_DELTA_DELIVER, 9, 0},   // not new
        {MG_JS_DELTA_DELIVER, 20, 1},  // no whole millisecond
        {MG_JS_DELTA_DELIVER, 20, -MS},
        {MG_JS_DELTA_REDELIVER, 5, 0}, // given up
        {MG_JS_DELTA_REDELIVER, 6, 0},
        {MG_JS_DELTA_DUE, 5, 0},
        {MG_JS_DELTA_PARK, 5, 0},
        {MG_JS_DELTA_DROP, 6, 0},
        {MG_JS_DELTA_DROP_TO, 10, 0},
        {MG_JS_DELTA_FIRST, 0, 0},
        {MG_JS_DELTA_RESET, 0, 0},
        {MG_JS_DELTA_SKIP, 21, 0},
        {MG_JS_DELTA_OPS, 7, 0},
    };
    struct mg_js_state s = sample();
    struct mg_buf a = MG_BUF_INIT, b = MG_BUF_INIT;
    mg_js_state_encode(&s, &a);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(mg_js_state_apply(&s, &bad[i]), MG_ECORRUPT);
    mg_js_state_encode(&s, &b);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.p, b.p, a.len);
    mg_buf_fini(&a);
    mg_buf_fini(&b);
    mg_js_state_fini(&s);
}

static void test_deltas_in_a_row(void **state) {
    (void)state;
    static const struct mg_js_delta deltas[] = {
        {MG_JS_DELTA_DELIVER, 5, 1000000 * MS}, {MG_JS_DELTA_DELIVER, 6, 1000000 * MS},
        {MG_JS_DELTA_DELIVER, 7, MG_JS_NEVER},  {MG_JS_DELTA_DROP, 6, 0},
        {MG_JS_DELTA_BOUNCE, 5, 2000000 * MS},  {MG_JS_DELTA_DROP_TO, 7, 0},
        {MG_JS_DELTA_FIRST, 1000, 0},           {MG_JS_DELTA_RESET, 3, 0},
    };
    enum { N = sizeof deltas / sizeof *deltas };
    struct mg_buf out = MG_BUF_INIT;
    struct mg_js_delta_coder coder = {0};
    for (unsigned i = 0; i < N; i++) mg_js_delta_encode(&coder, &out, &deltas[i]);
    assert_true(out.len < 40);
    mg_slice in = mg_buf_slice(&out);
    struct mg_js_delta d;
    coder = (struct mg_js_delta_coder){0};
    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(mg_js_delta_decode(&coder, &in, &d), 0);
        assert_int_equal(d.op, deltas[i].op);
        assert_int_equal(d.seq, deltas[i].seq);
        assert_int_equal(d.due, deltas[i].due);
    }
    assert_int_equal(mg_js_delta_decode(&coder, &in, &d), MG_EEOF);
    struct mg_js_state s;
    mg_js_state_init(&s, 1, false);
    assert_int_equal(mg_js_state_replay(&s, mg_buf_slice(&out)), 0);
    assert_int_equal(s.delivered.seq, 2);
    assert_int_equal(mg_js_state_replay(&s, mg_slice_of(out.p, 2)), MG_ECORRUPT);
    mg_js_state_fini(&s);
    mg_buf_fini(&out);
}

static void test_ack_subjects(void **state) {
    (void)state;
    struct mg_buf b = MG_BUF_INIT;
    struct mg_js_ack_subject a = {.delivered = 2, .seq = UINT64_MAX, .dseq = 0, .time = 1795254334733000454u,
                                  .pending = 9},
                             p;
    mg_js_ack_prefix(&b, MG_S(""), MG_S(""), MG_S("S"), MG_S("d%s@"));
    mg_js_ack_numbers(&b, &a);
    mg_buf_addc(&b, 0);
    assert_string_equal(b.p, "$JS.ACK.S.d%s@.2.18446744073709551615.0.1795254334733000454.9");
    b.len = 0;
    mg_js_ack_prefix(&b, MG_S(""), MG_S("szMpdrwD"), MG_S("S"), MG_S("d"));
    a.seq = 7;
    mg_js_ack_numbers(&b, &a);
    assert_true(mg_js_ack_parse(mg_buf_slice(&b), &p));
    assert_true(mg_slice_eq(p.domain, MG_S("_")) && mg_slice_eq(p.account, MG_S("szMpdrwD")));
    assert_true(mg_slice_eq(p.stream, MG_S("S")) && mg_slice_eq(p.consumer, MG_S("d")));
    assert_true(p.delivered == 2 && p.seq == 7 && p.dseq == 0 && p.time == a.time && p.pending == 9);
    mg_buf_fini(&b);
}

static void test_delays(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum mg_js_ack_verb verb;
        int64_t delay;
        bool bad;
    } cases[] = {
        {"-NAK", MG_JS_ACK_NAK, 0, false},
        {"-NAK  ", MG_JS_ACK_NAK, 0, false},
        {"-NAK {\"delay\":5000}", MG_JS_ACK_NAK_DELAY, 5000, false},
        {"-NAK{\"Delay\":5000,\"x\":1}", MG_JS_ACK_NAK_DELAY, 5000, false},
        {"-NAK {\"delay\":0}", MG_JS_ACK_NAK_DELAY, 0, false},
        {"-NAK {}", MG_JS_ACK_NAK_DELAY, 0, false},
        {"-NAK {\"delay\":\"1s\"}", MG_JS_ACK_NAK, 0, true},
        {"-NAK {", MG_JS_ACK_NAK, 0, true},
        {"-NAK 1.5s", MG_JS_ACK_NAK_DELAY, 1500000000, false},
        {"-NAK\t200ms", MG_JS_ACK_NAK_DELAY, 200000000, false},
        {"-NAKx", MG_JS_ACK_NAK, 0, true},
        {"-NA", MG_JS_ACK_UNKNOWN, 0, false},
        {"+NXT", MG_JS_ACK_NEXT, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mg_js_ack a = mg_js_ack_read(mg_cstr(cases[i].text));
        assert_int_equal(a.verb, cases[i].verb);
        if (a.verb == MG_JS_ACK_NAK_DELAY) assert_int_equal(a.delay, cases[i].delay);
        assert_int_equal(a.bad_delay, cases[i].bad);
    }
}

// ---- pending, against a table of all numbers ------------------------------------------------------------------------

#define N 3000
struct model {
    struct mg_js_pending p;
    struct {
        int state;
        int64_t due;
        bool queued;
    } is[N + 1];
    uint32_t next;
    uint64_t queue[N * 64];
    size_t head, tail;
};

static void check(struct model *m) {
    uint32_t live = 0, parked = 0, queued = 0;
    int64_t wake = MG_JS_NEVER;
    uint64_t first = 0;
    for (uint32_t s = 1; s < m->next; s++) {
        live += m->is[s].state == MG_JS_ENTRY_LIVE;
        parked += m->is[s].state == MG_JS_ENTRY_PARKED;
        queued += m->is[s].queued;
        if (m->is[s].state != MG_JS_ENTRY_LIVE) continue;
        if (first == 0) first = s;
        if (!m->is[s].queued && m->is[s].due < wake) wake = m->is[s].due;
    }
    assert_int_equal(m->p.live, live);
    assert_int_equal(m->p.parked, parked);
    assert_int_equal(m->p.queued, queued);
    const struct mg_js_entry *e = mg_js_pending_first(&m->p);
    assert_int_equal(e ? e->seq : 0, first);
    assert_int_equal(mg_js_pending_wake(&m->p), wake);
    // The queue of the model has what left it still in it.
    while (m->head < m->tail && m->queue[m->head] == 0) m->head++;
    e = mg_js_pending_next(&m->p);
    assert_int_equal(e ? e->seq : 0, m->head < m->tail ? m->queue[m->head] : 0);
}

static void leave(struct model *m, uint64_t seq) {
    for (size_t i = m->head; m->is[seq].queued && i < m->tail; i++)
        if (m->queue[i] == seq) m->queue[i] = 0;
    m->is[seq].queued = false;
}

static void enter(struct model *m, uint64_t seq) {
    if (m->is[seq].queued) return;
    assert_true(m->tail < sizeof m->queue / sizeof *m->queue);
    m->is[seq].queued = true;
    m->queue[m->tail++] = seq;
}

static void step(struct model *m, int64_t now) {
    uint64_t seq = (uint64_t)rand() % m->next;
    struct mg_js_entry *e = mg_js_pending_find(&m->p, seq);
    assert_true((e != NULL) == (m->is[seq].state != MG_JS_ENTRY_GONE));
    int what = rand() % 12;
    if (what < 4 && m->next <= N) {
        uint32_t s = m->next++;
        m->is[s].state = MG_JS_ENTRY_LIVE;
        m->is[s].due = (now + rand() % 50) * MS;
        mg_js_pending_append(&m->p, s, s, m->is[s].due, 1, MG_JS_ENTRY_LIVE);
    } else if (what == 11) {
        uint32_t n = 0;
        for (uint32_t s = 1; s < m->next; s++)
            if (m->is[s].state == MG_JS_ENTRY_LIVE && !m->is[s].queued && m->is[s].due <= now * MS) {
                enter(m, s);
                n++;
            }
        assert_int_equal(mg_js_pending_expire(&m->p, now * MS), n);
        for (uint32_t i = 1; i <= n; i++) assert_int_equal(mg_js_pending_queued(&m->p, i)->seq, m->queue[m->tail - i]);
    } else if (e == NULL) {
        return;
    } else if (what < 6) {
        leave(m, seq);
        m->is[seq].state = MG_JS_ENTRY_GONE;
        mg_js_pending_remove(&m->p, e);
    } else if (e->state != MG_JS_ENTRY_LIVE) {
        return;
    } else if (what == 6) {
        enter(m, seq);
        mg_js_pending_enqueue(&m->p, e);
    } else if (what == 7) {
        leave(m, seq);
        mg_js_pending_dequeue(&m->p, e);
    } else if (what == 8 && rand() % 8 == 0) {
        leave(m, seq);
        m->is[seq].state = MG_JS_ENTRY_PARKED;
        mg_js_pending_park(&m->p, e);
    } else {
        m->is[seq].due = rand() % 16 == 0 ? MG_JS_NEVER : (now + rand() % 100) * MS;
        mg_js_pending_due(&m->p, e, m->is[seq].due);
    }
}

static void test_pending_against_a_model(void **state) {
    (void)state;
    for (unsigned seed = 1; seed <= 6; seed++) {
        struct model *m = mg_zalloc(sizeof *m);
        srand(seed);
        m->next = 1;
        for (int64_t i = 0; i < 8000; i++) {
            step(m, i / 20);
            if (i % 7 == 0) check(m);
        }
        mg_js_pending_fini(&m->p);
        mg_free(m);
    }
}

// One entry that is put off for ever must not make the heap grow.
static void test_heap_is_bounded(void **state) {
    (void)state;
    struct mg_js_pending p = {0};
    mg_js_pending_append(&p, 1, 1, 1000 * MS, 1, MG_JS_ENTRY_LIVE);
    for (int64_t i = 0; i < 100000; i++) {
        struct mg_js_entry *e = mg_js_pending_find(&p, 1);
        mg_js_pending_enqueue(&p, e);
        mg_js_pending_due(&p, e, (1000 + i % 100) * MS);
        mg_js_pending_dequeue(&p, e);
    }
    assert_true(p.in->heap_cap <= 64 && p.in->ring_cap <= 64);
    mg_js_pending_fini(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_refused_deltas),
        cmocka_unit_test(test_deltas_in_a_row), cmocka_unit_test(test_ack_subjects),
        cmocka_unit_test(test_delays),          cmocka_unit_test(test_pending_against_a_model),
        cmocka_unit_test(test_heap_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
