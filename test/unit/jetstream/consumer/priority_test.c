// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Priority groups: overflow, pinned, prioritized (spec/jetstream-consumers.md 11, 19.4).
#include "test/unit/jetstream/consumer/world.h"

static struct world *grouped(enum mg_js_priority_policy policy, unsigned messages) {
    static const mg_slice groups[] = {{"g", 1}, {"h", 1}};
    struct world *w = world_new();
    w->rules.priority = policy;
    w->rules.groups = groups;
    w->rules.groups_len = 2;
    world_pubs(w, messages);
    world_begin(w, 1);
    return w;
}

static void test_group_is_checked(void **state) {
    (void)state;
    struct world *w = grouped(MG_JS_PRIORITY_OVERFLOW, 1);
    world_pull(w, "r", "{\"batch\":1}");
    world_pull(w, "r", "{\"batch\":1,\"group\":\"x\"}");
    world_expect(w, "r<NATS/1.0 400 Bad Request - Priority Group missing||\n"
                    "r<NATS/1.0 400 Bad Request - Invalid Priority Group||\n");
    world_pull(w, "r", "1"); // what is no object says no group
    world_expect(w, "r<a s1 d1 x1 p0\n");
    world_free(w);
}

static void test_overflow(void **state) {
    (void)state;
    struct world *w = grouped(MG_JS_PRIORITY_OVERFLOW, 2);
    world_pull(w, "r", "{\"batch\":9,\"group\":\"g\",\"min_pending\":3,\"expires\":1000000000}");
    world_expect(w, "");
    world_pub(w, "a");
    world_expect(w, "r<a s1 d1 x1 p2\n"); // the one at hand counts
    world_pull(w, "s", "{\"batch\":1,\"group\":\"g\",\"min_ack_pending\":2}");
    world_expect(w, "");
    world_pull(w, "t", "{\"batch\":1,\"group\":\"h\"}");
    world_expect(w, "t<a s2 d2 x1 p1\ns<a s3 d3 x1 p0\n");
    world_pass(w, SEC);
    world_expect(w, "r<NATS/1.0 408 Request Timeout|Nats-Pending-Messages: 8|Nats-Pending-Bytes: 0||\n");
    world_free(w);
}

static void test_prioritized(void **state) {
    (void)state;
    struct world *w = grouped(MG_JS_PRIORITY_PRIORITIZED, 0);
    world_pull(w, "plain", "1");
    world_pull(w, "p5", "{\"batch\":1,\"group\":\"g\",\"priority\":5}");
    world_pull(w, "p1", "{\"batch\":2,\"group\":\"g\",\"priority\":1}");
    world_pull(w, "q1", "{\"batch\":1,\"group\":\"g\",\"priority\":1}");
    world_pull(w, "p0", "{\"batch\":1,\"group\":\"g\"}");
    world_pubs(w, 6);
    world_expect(w, "p0<a s1 d1 x1 p0\np1<a s2 d2 x1 p0\nq1<a s3 d3 x1 p0\np1<a s4 d4 x1 p0\np5<a s5 d5 x1 p0\n"
                    "plain<a s6 d6 x1 p0\n");
    world_free(w);
}

static mg_slice pin(struct world *w) { return mg_js_consumer_facts(w->c, w->now, 9, 9).pin_id; }

static void expect_pinned(struct world *w, const char *format) {
    char text[512];
    mg_slice id = pin(w);
    snprintf(text, sizeof text, format, (int)id.n, id.p, (int)id.n, id.p);
    world_expect(w, text);
}

static void test_pinned(void **state) {
    (void)state;
    struct world *w = grouped(MG_JS_PRIORITY_PINNED, 0);
    char first[23], request[128];
    world_pull(w, "r", "{\"batch\":2,\"group\":\"g\"}");
    world_pull(w, "s", "{\"batch\":9,\"group\":\"g\"}");
    assert_int_equal(pin(w).n, 0);
    world_pubs(w, 2);
    assert_int_equal(pin(w).n, 22);
    snprintf(first, sizeof first, "%.*s", (int)pin(w).n, pin(w).p);
    expect_pinned(w, "! pinned g\nr<a s1 d1 x1 p0 NATS/1.0|Nats-Pin-Id: %.*s||\n"
                     "r<a s2 d2 x1 p0 NATS/1.0|Nats-Pin-Id: %.*s||\n");
    world_pub(w, "a"); // the other one stands by
    world_expect(w, "");
    world_pull(w, "t", "{\"batch\":1,\"group\":\"g\",\"id\":\"wrong\"}");
    world_expect(w, "t<NATS/1.0 423 Nats-Pin-Id mismatch||\n");
    world_pass(w, 100 * SEC);
    snprintf(request, sizeof request, "{\"batch\":1,\"group\":\"g\",\"id\":\"%s\"}", first);
    w->rules.ack_wait = 3600 * SEC;
    w->log.len = 0;
    world_pull(w, "r", request); // feeds the timer
    w->log.len = 0;
    world_pass(w, 119 * SEC);
    assert_int_equal(strncmp(pin(w).p, first, 22), 0);
    w->log.len = 0;
    world_pull(w, "r", request);
    world_pull(w, "r", "{\"batch\":1,\"group\":\"g\"}");
    w->log.len = 0;
    world_pass(w, 120 * SEC);
    assert_non_null(strstr((mg_buf_addc(&w->log, 0), w->log.p), "! unpinned g timeout\n"));
    world_free(w);
}

static void test_stale_id(void **state) {
    (void)state;
    struct world *w = grouped(MG_JS_PRIORITY_PINNED, 1);
    char request[128];
    w->rules.max_ack_pending = 2;
    world_pull(w, "r", "{\"batch\":1,\"group\":\"g\"}");
    snprintf(request, sizeof request, "{\"batch\":3,\"group\":\"g\",\"id\":\"%.*s\"}", (int)pin(w).n, pin(w).p);
    world_pull(w, "r", request);
    world_pull(w, "s", "{\"batch\":1,\"group\":\"g\"}");
    w->log.len = 0;
    mg_js_consumer_unpin(w->c, w->now, MG_S("g"));
    world_pub(w, "a");
    mg_slice id = pin(w);
    char text[512];
    snprintf(text, sizeof text,
             "! unpinned g admin\nr<NATS/1.0 423 Nats-Wrong-Pin-Id|Nats-Pending-Messages: 3|Nats-Pending-Bytes: 0||\n"
             "! pinned g\ns<a s2 d2 x1 p0 NATS/1.0|Nats-Pin-Id: %.*s||\n", (int)id.n, id.p);
    world_expect(w, text);
    world_free(w);
}

static void test_pin_needs_a_taker(void **state) {
    (void)state;
    struct world *w = grouped(MG_JS_PRIORITY_PINNED, 0);
    world_pull(w, "r", "{\"batch\":1,\"group\":\"g\",\"max_bytes\":10}");
    strcpy(w->deaf, "s");
    world_pull(w, "s", "{\"batch\":1,\"group\":\"g\"}");
    world_pub(w, "a");
    world_expect(w, "r<NATS/1.0 409 Message Size Exceeds MaxBytes|Nats-Pending-Messages: 1|Nats-Pending-Bytes: 10||\n");
    assert_int_equal(pin(w).n, 0);
    world_pull(w, "p", "1"); // no object: served, but not pinned
    world_expect(w, "p<a s1 d1 x1 p0 NATS/1.0|Nats-Pin-Id: ||\n");
    assert_int_equal(pin(w).n, 0);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_group_is_checked), cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_prioritized),      cmocka_unit_test(test_pinned),
        cmocka_unit_test(test_stale_id),         cmocka_unit_test(test_pin_needs_a_taker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
