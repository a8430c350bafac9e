// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/monitor/closed_ring.h"

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"

static struct mg_closed *entry(uint64_t cid) {
    struct mg_conn_row row = {.s = {.cid = cid, .stop_ns = 1}, .ip = MG_S("::1")};
    return mg_closed_new(&row);
}

// The ids that a walk in steps of `step` sees from `from` on, checked to be first..last.
static void expect_ids(const struct mg_closed_ring *r, uint64_t from, size_t step, uint64_t first, uint64_t last) {
    struct mg_connz_query q;
    struct mg_buf err = MG_BUF_INIT;
    struct mg_connz c;
    assert_int_equal(mg_connz_parse(MG_S("state=closed&limit=100000"), &q, &err), MG_OK);
    mg_connz_init(&c, &q, 2);
    for (uint64_t at = from; at != r->next;) at = mg_closed_ring_visit(r, at, step, &c);
    size_t n;
    const struct mg_conn_key *page = mg_connz_page(&c, &n);
    assert_int_equal(n, last - first + 1);
    for (size_t i = 0; i < n; i++) assert_int_equal(page[i].cid, first + i);
    mg_connz_fini(&c);
    mg_connz_query_fini(&q);
}

static void the_newest_are_kept(void **state) {
    (void)state;
    for (size_t max = 1; max < 200; max += 33) {
        struct mg_closed_ring r;
        mg_closed_ring_init(&r, max);
        for (uint64_t cid = 1; cid <= 500; cid++) {
            mg_closed_ring_add(&r, entry(cid));
            uint64_t first = cid > max ? cid - max + 1 : 1;
            if (cid % 50 == 1) expect_ids(&r, 0, 7, first, cid);
        }
        assert_true(r.cap <= max);
        expect_ids(&r, r.next - 1, 1, 500, 500); // a cursor in the middle
        mg_closed_ring_fini(&r);
    }
}

static void none_are_kept_when_max_is_zero(void **state) {
    (void)state;
    struct mg_closed_ring r;
    mg_closed_ring_init(&r, 0);
    mg_closed_ring_add(&r, entry(1));
    assert_true(r.first == r.next);
    mg_closed_ring_fini(&r);
}

static void everything_survives_packing(void **state) {
    (void)state;
    static const mg_slice tags[] = {{"a", 1}, {"", 0}};
    static const struct mg_sub_row subs[] = {
        {.account = {"A", 1}, .account_tag = {"At", 2}, .subject = {"s.*", 3}, .queue = {"q", 1}, .sid = {"77", 2},
         .msgs = UINT64_MAX, .max = 5, .cid = 9},
        {.subject = {"t", 1}, .sid = {"1", 1}, .cid = 9},
    };
    struct mg_conn_row in = {
        .s = {.cid = 9, .start_ns = -1, .last_ns = 2, .stop_ns = 3, .rtt_ns = 4, .pending = UINT64_MAX, .port = 65535,
              .kind = MG_KIND_LEAFNODE, .reason = MG_CLOSE_KICKED, .tls_first = true},
        .ip = MG_S("10.0.0.1"), .name = MG_S("n\0m"), .lang = MG_S("l"), .version = MG_S("v"),
        .tls_version = MG_S("1.2"), .tls_cipher = MG_S("C"), .user = MG_S("u"), .account = MG_S("A"),
        .name_tag = MG_S("At"), .jwt = MG_S("j"), .issuer_key = MG_S("k"), .mqtt_client = MG_S("m"),
        .proxy_key = MG_S("p"), .tags = tags, .ntags = 2, .subs = subs, .nsubs = 2};
    struct mg_closed *e = mg_closed_new(&in);
    struct mg_conn_row out = {0};
    struct mg_arena arena = MG_ARENA_INIT;
    mg_closed_unpack(e, &out, &arena);
    mg_closed_free(e);
    assert_memory_equal(&out.s, &in.s, offsetof(struct mg_conn_stats, tls_first) + 1); // without the padding
    assert_true(mg_slice_eq(out.ip, in.ip) && mg_slice_eq(out.name, in.name) && mg_slice_eq(out.lang, in.lang));
    assert_true(mg_slice_eq(out.version, in.version) && mg_slice_eq(out.tls_version, in.tls_version));
    assert_true(mg_slice_eq(out.tls_cipher, in.tls_cipher) && mg_slice_eq(out.user, in.user));
    assert_true(mg_slice_eq(out.account, in.account) && mg_slice_eq(out.name_tag, in.name_tag));
    assert_true(mg_slice_eq(out.jwt, in.jwt) && mg_slice_eq(out.issuer_key, in.issuer_key));
    assert_true(mg_slice_eq(out.mqtt_client, in.mqtt_client) && mg_slice_eq(out.proxy_key, in.proxy_key));
    assert_int_equal(out.ntags, 2);
    assert_true(mg_slice_eq(out.tags[0], tags[0]) && out.tags[1].n == 0);
    assert_int_equal(out.nsubs, 2);
    assert_true(mg_slice_eq(out.subs[0].account_tag, subs[0].account_tag));
    assert_true(mg_slice_eq(out.subs[0].queue, subs[0].queue) && mg_slice_eq(out.subs[0].sid, subs[0].sid));
    assert_true(out.subs[0].msgs == UINT64_MAX && out.subs[0].max == 5 && out.subs[0].cid == 9);
    assert_true(mg_slice_eq(out.subs[1].subject, subs[1].subject) && out.subs[1].queue.n == 0);
    mg_arena_fini(&arena);
}

static void subscription_lists_are_cut(void **state) {
    (void)state;
    struct mg_conn_row row = {.s = {.cid = 1, .nsubs = 100000}};
    struct mg_sub_row *subs = mg_zalloc(100000 * sizeof(*subs));
    for (size_t i = 0; i < 100000; i++) subs[i].subject = MG_S("some.subject");
    row.subs = subs;
    row.nsubs = 100000;
    struct mg_closed *e = mg_closed_new(&row);
    mg_free(subs);
    struct mg_conn_row out = {0};
    struct mg_arena arena = MG_ARENA_INIT;
    mg_closed_unpack(e, &out, &arena);
    assert_in_range(out.nsubs, 100, 1000);
    assert_int_equal(out.s.nsubs, 100000);
    mg_closed_free(e);
    mg_arena_fini(&arena);
}

static void memory_is_bounded(void **state) {
    (void)state;
    struct mg_closed_ring r;
    char *jwt = mg_zalloc(1024 * 1024);
    struct mg_conn_row row = {.jwt = mg_slice_of(jwt, 1024 * 1024)};
    mg_closed_ring_init(&r, 10000);
    for (uint64_t i = 0; i < 100; i++) {
        row.s.cid = i;
        mg_closed_ring_add(&r, mg_closed_new(&row));
        assert_true(r.bytes <= MG_CLOSED_RING_BYTES);
    }
    assert_in_range(r.next - r.first, 50, 64);
    mg_closed_ring_fini(&r);
    mg_free(jwt);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_are_kept),     cmocka_unit_test(none_are_kept_when_max_is_zero),
        cmocka_unit_test(everything_survives_packing), cmocka_unit_test(subscription_lists_are_cut),
        cmocka_unit_test(memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
