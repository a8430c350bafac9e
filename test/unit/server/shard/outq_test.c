// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Queues against plain bytes: random appends by copy, in place and by reference, random partial sends, and a slab that
// is overwritten each time it is given up. What comes out must be what went in, whatever the order of things.
#include "server/shard/outq.h"

#include <stdlib.h>

#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"

#define SLAB 65536
#define QUEUES 5
#define MODEL (8 << 20)

struct model {
    struct mg_outq q;
    char *bytes; // everything appended
    size_t in, out;
};

struct world {
    struct mg_outpool pool;
    struct model m[QUEUES];
    char slab[SLAB];
    uint64_t rng;
};

static uint64_t rnd(struct world *w) {
    w->rng ^= w->rng << 13;
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return w->rng;
}

static void expect(struct model *m, const char *p, size_t n) {
    assert_true(m->in + n <= MODEL);
    memcpy(m->bytes + m->in, p, n);
    m->in += n;
}

static void new_slab(struct world *w) {
    for (int i = 0; i < QUEUES; i++) mg_outq_settle(&w->m[i].q, &w->pool);
    mg_outpool_slab_done(&w->pool);
    for (size_t i = 0; i < SLAB; i += 8) {
        uint64_t v = rnd(w);
        memcpy(w->slab + i, &v, 8);
    }
}

static void append_in_place(struct world *w, struct model *m) {
    size_t n = rnd(w) % 300;
    char *at = mg_outq_reserve(&m->q, &w->pool, n + 1);
    for (size_t i = 0; i < n; i++) at[i] = (char)rnd(w);
    expect(m, at, n);
    mg_outq_commit(&m->q, at + n);
}

// The same part of the slab to several queues, as in a fan-out.
static void append_slab(struct world *w) {
    size_t n = rnd(w) % (rnd(w) % 4 ? 2000 : 20000), at = rnd(w) % (SLAB - 20000);
    int queues = 1 + (int)(rnd(w) % QUEUES);
    for (int i = 0; i < queues; i++) {
        struct model *m = &w->m[rnd(w) % QUEUES];
        mg_outq_refer(&m->q, &w->pool, w->slab + at, n, NULL);
        expect(m, w->slab + at, n);
    }
}

static void append_mbuf(struct world *w, struct model *m) {
    struct mg_mbuf *b = mg_mbuf_new(5000);
    memset(b->data, (int)rnd(w), 5000);
    mg_outq_refer(&m->q, &w->pool, b->data + 100, 4000, b);
    expect(m, b->data + 100, 4000);
    mg_mbuf_unref(b);
}

static void send_some(struct world *w, struct model *m) {
    struct iovec iov[16];
    int n = mg_outq_iovecs(&m->q, iov, 16);
    size_t offered = 0;
    for (int i = 0; i < n; i++) {
        assert_true(iov[i].iov_len > 0);
        assert_memory_equal(iov[i].iov_base, m->bytes + m->out + offered, iov[i].iov_len);
        offered += iov[i].iov_len;
    }
    size_t take = offered == 0 ? 0 : rnd(w) % 3 ? rnd(w) % (offered + 1) : offered;
    mg_outq_sent(&m->q, &w->pool, take);
    m->out += take;
    assert_int_equal(mg_outq_pending(&m->q), m->in - m->out);
    if (m->in == m->out) assert_true(n == 0 || mg_outq_empty(&m->q));
}

static void run(uint64_t seed) {
    struct world *w = mg_zalloc(sizeof(*w));
    w->rng = seed * 2654435761u + 1;
    mg_outpool_init(&w->pool);
    for (int i = 0; i < QUEUES; i++) w->m[i].bytes = mg_alloc(MODEL);
    new_slab(w);
    for (int round = 0; round < 3000; round++) {
        struct model *m = &w->m[rnd(w) % QUEUES];
        switch (rnd(w) % 8) {
        case 0: append_slab(w); break;
        case 1: append_mbuf(w, m); break;
        case 2: new_slab(w); break;
        case 3: {
            size_t n = rnd(w) % 3000;
            mg_outq_copy(&m->q, &w->pool, w->slab, n);
            expect(m, w->slab, n);
            break;
        }
        case 4: append_in_place(w, m); break;
        default: send_some(w, m);
        }
        if (m->in > MODEL - (1 << 18)) break;
    }
    for (int i = 0; i < QUEUES; i++) {
        struct model *m = &w->m[i];
        if (i == 0) { // one is given up with bytes in it
            mg_outq_fini(&m->q, &w->pool);
        } else {
            while (m->out < m->in) send_some(w, m);
            mg_outq_sent(&m->q, &w->pool, 0);
            assert_true(mg_outq_empty(&m->q));
        }
        mg_free(m->bytes);
    }
    mg_outpool_slab_done(&w->pool);
    mg_outpool_fini(&w->pool);
    mg_free(w);
}

static void test_model(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) run(seed);
}

static void test_idle_queue_owns_nothing(void **state) {
    (void)state;
    struct mg_outpool pool;
    mg_outpool_init(&pool);
    struct mg_outq q = {0};
    mg_outq_copy(&q, &pool, "PONG\r\n", 6);
    assert_int_equal(mg_outq_pending(&q), 6);
    mg_outq_sent(&q, &pool, 6);
    const struct mg_outq zero = {0};
    assert_memory_equal(&q, &zero, sizeof(q));
    mg_outpool_fini(&pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model), cmocka_unit_test(test_idle_queue_owns_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
