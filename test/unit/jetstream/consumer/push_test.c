// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Push: activity, heartbeats, flow control, rate limit, headers_only, replay, ordered consumers
// (spec/jetstream-consumers.md 7, 12).
#include "test/unit/jetstream/consumer/world.h"

static struct world *push_world(void) {
    struct world *w = world_new();
    w->rules.deliver_subject = MG_S("d");
    w->rules.max_waiting = 0;
    return w;
}

static void test_activity(void **state) {
    (void)state;
    struct world *w = push_world();
    world_pubs(w, 2);
    world_begin(w, 1);
    world_run(w);
    world_expect(w, "");
    mg_js_consumer_active(w->c, w->now, true);
    world_run(w);
    world_expect(w, "d<a s1 d1 x1 p1\nd<a s2 d2 x1 p0\n");
    mg_js_consumer_active(w->c, w->now, false);
    world_pub(w, "a");
    world_pass(w, 31 * SEC);
    world_expect(w, "");
    mg_js_consumer_active(w->c, w->now, true);
    world_run(w); // what comes again first
    world_expect(w, "d<a s1 d3 x2 p1\nd<a s2 d4 x2 p1\nd<a s3 d5 x1 p0\n");
    world_pull(w, "r", "1");
    world_expect(w, "r<NATS/1.0 409 Consumer is push based||\n");
    world_free(w);
}

static void test_bounced(void **state) {
    (void)state;
    struct world *w = push_world();
    world_pubs(w, 1);
    world_begin(w, 1);
    mg_js_consumer_active(w->c, w->now, true);
    world_run(w);
    w->log.len = 0;
    mg_js_consumer_bounced(w->c, w->now, 1, MG_S("d"));
    assert_false(mg_js_consumer_facts(w->c, w->now, 9, 9).push_bound);
    mg_js_consumer_active(w->c, w->now, true);
    world_run(w);
    world_expect(w, ""); // waits for ack_wait
    world_pass(w, 31 * SEC);
    world_expect(w, "d<a s1 d2 x1 p0\n");
    world_free(w);
}

static void test_heartbeats(void **state) {
    (void)state;
    struct world *w = push_world();
    w->rules.idle_heartbeat = SEC;
    world_begin(w, 1);
    world_pass(w, 5 * SEC);
    world_expect(w, "");
    mg_js_consumer_active(w->c, w->now, true);
    world_pass(w, SEC);
    world_expect(w, "d<NATS/1.0 100 Idle Heartbeat|Nats-Last-Consumer: 0|Nats-Last-Stream: 0||\n");
    world_pass(w, 900 * MS);
    world_pub(w, "a");
    world_pass(w, 900 * MS);
    world_expect(w, "d<a s1 d1 x1 p0\n");
    w->rules.pause_until = w->now + 10 * SEC;
    mg_js_consumer_pause(w->c, w->now, &w->rules);
    world_pass(w, 100 * MS); // also while it pauses
    world_expect(w, "! paused\nd<NATS/1.0 100 Idle Heartbeat|Nats-Last-Consumer: 1|Nats-Last-Stream: 1||\n");
    mg_js_consumer_active(w->c, w->now, false);
    world_pass(w, 2 * SEC);
    world_expect(w, "");
    world_free(w);
}

static void test_flow_control(void **state) {
    (void)state;
    struct world *w = push_world();
    w->rules.flow_control = true;
    w->rules.idle_heartbeat = SEC;
    w->rules.ack = MG_JS_ACK_NONE;
    w->quiet = true;
    w->payload = 32768;
    world_pubs(w, 200);
    world_begin(w, 1);
    mg_js_consumer_active(w->c, w->now, true);
    world_run(w);
    // Asked above half of 2 MiB, stopped above 2 MiB.
    assert_int_equal(mg_js_consumer_state(w->c)->delivered.seq, 64);
    assert_int_equal(strncmp(w->flow, "$JS.FC.S.C.", 11), 0);
    assert_int_equal(strlen(w->flow), 15);
    world_expect(w, "d<NATS/1.0 100 FlowControl Request||\n");
    world_pass(w, SEC);
    char stalled[256];
    snprintf(stalled, sizeof stalled, "d<NATS/1.0 100 Idle Heartbeat|Nats-Last-Consumer: 64|Nats-Last-Stream: 64|"
             "Nats-Consumer-Stalled: %s||\n", w->flow);
    world_expect(w, stalled);
    mg_js_consumer_flow(w->c, w->now, MG_S("$JS.FC.S.C.0000")); // an old one
    world_run(w);
    world_expect(w, "");
    mg_js_consumer_flow(w->c, w->now, mg_cstr(w->flow));
    world_run(w);
    // The window is 4 MiB now; what was out when it asked is subtracted.
    uint64_t got = mg_js_consumer_state(w->c)->delivered.seq;
    assert_true(got > 64 + 90 && got < 64 + 100);
    world_expect(w, "d<NATS/1.0 100 FlowControl Request||\n");
    mg_js_consumer_flow(w->c, w->now, mg_cstr(w->flow));
    world_run(w);
    assert_int_equal(mg_js_consumer_state(w->c)->delivered.seq, 200);
    world_free(w);
}

static void test_long_flow_subject(void **state) {
    (void)state;
    struct world *w = push_world();
    w->env.account = MG_S("hash");
    w->rules.flow_control = true;
    w->quiet = true;
    w->payload = 65536;
    world_pubs(w, 20);
    world_begin(w, 1);
    mg_js_consumer_active(w->c, w->now, true);
    world_run(w);
    assert_int_equal(strncmp(w->flow, "$JS.FC._.hash.S.C.", 18), 0);
    assert_int_equal(strncmp(w->ack, "$JS.ACK._.hash.S.C.1.20.20.", 27), 0);
    world_free(w);
}

static void test_rate_limit(void **state) {
    (void)state;
    struct world *w = push_world();
    w->rules.rate_limit = 8 * 1000; // 1000 bytes a second
    w->rules.rate_burst = 1000;
    w->payload = 966; // 1000 with subject and reply
    world_pubs(w, 3);
    world_begin(w, 1);
    mg_js_consumer_active(w->c, w->now, true);
    world_run(w);
    assert_int_equal(mg_js_consumer_state(w->c)->delivered.seq, 1);
    world_pass(w, SEC - MS);
    assert_int_equal(mg_js_consumer_state(w->c)->delivered.seq, 1);
    world_pass(w, 2 * MS);
    assert_int_equal(mg_js_consumer_state(w->c)->delivered.seq, 2);
    world_pass(w, SEC);
    assert_int_equal(mg_js_consumer_state(w->c)->delivered.seq, 3);
    world_free(w);
}

static void test_headers_only(void **state) {
    (void)state;
    struct world *w = push_world();
    w->rules.headers_only = true;
    w->payload = 77;
    world_pub(w, "a");
    world_begin(w, 1);
    mg_js_consumer_active(w->c, w->now, true);
    world_run(w);
    world_expect(w, "d<a s1 d1 x1 p0 NATS/1.0|Nats-Msg-Size: 77||\n");
    struct mg_js_want q = mg_js_consumer_want(w->c, w->now);
    struct mg_message m = {2, w->now, MG_S("a"), MG_S("NATS/1.0\r\nA: b\r\n\r\n"), MG_S("xyz")};
    w->last = 2;
    assert_true(mg_js_consumer_message(w->c, w->now, &q, &m));
    world_expect(w, "d<a s2 d2 x1 p0 NATS/1.0|A: b|Nats-Msg-Size: 3||\n");
    world_free(w);
}

static void test_replay(void **state) {
    (void)state;
    struct world *w = push_world();
    w->rules.replay_original = true;
    world_pub(w, "a");
    w->now += 2 * SEC;
    world_pub(w, "a");
    world_pub(w, "a");
    w->now += 10 * SEC;
    world_begin(w, 1);
    mg_js_consumer_active(w->c, w->now, true);
    world_run(w);
    world_expect(w, "d<a s1 d1 x1 p2\n");
    world_pass(w, 2 * SEC - 1);
    world_expect(w, "");
    world_pass(w, 1);
    world_expect(w, "d<a s2 d2 x1 p1\nd<a s3 d3 x1 p0\n");
    w->now += 10 * SEC;
    world_pub(w, "a"); // caught up: at once
    world_expect(w, "d<a s4 d4 x1 p0\n");
    world_free(w);
}

static void test_ordered(void **state) {
    (void)state;
    // As clients build them: no acknowledgements, one delivery, numbers without gaps from 1 on.
    struct world *w = push_world();
    w->rules.ack = MG_JS_ACK_NONE;
    w->rules.max_deliver = 1;
    w->rules.flow_control = true;
    w->rules.idle_heartbeat = 5 * SEC;
    w->rules.ack_wait = 22 * 3600 * SEC;
    w->rules.deliver = MG_JS_DELIVER_BY_START_SEQUENCE;
    w->rules.start_seq = 3;
    w->rules.inactive_after = 300 * SEC;
    world_pubs(w, 5);
    world_begin(w, 3);
    mg_js_consumer_active(w->c, w->now, true);
    world_run(w);
    world_expect(w, "d<a s3 d1 x1 p2\ndone 3\nd<a s4 d2 x1 p1\ndone 4\nd<a s5 d3 x1 p0\ndone 5\n");
    world_pass(w, 5 * SEC);
    world_expect(w, "d<NATS/1.0 100 Idle Heartbeat|Nats-Last-Consumer: 3|Nats-Last-Stream: 5||\n");
    mg_js_consumer_active(w->c, w->now, false);
    world_pass(w, 300 * SEC);
    world_expect(w, "! inactive\n");
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activity),    cmocka_unit_test(test_bounced),
        cmocka_unit_test(test_heartbeats),  cmocka_unit_test(test_flow_control),
        cmocka_unit_test(test_long_flow_subject),
        cmocka_unit_test(test_rate_limit),  cmocka_unit_test(test_headers_only),
        cmocka_unit_test(test_replay),      cmocka_unit_test(test_ordered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
