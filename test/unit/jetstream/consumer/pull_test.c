// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Pull requests: every status as it is written, who gets what, and when a request ends
// (spec/jetstream-consumers.md 10).
#include "test/unit/jetstream/consumer/world.h"

static struct world *with(unsigned messages) {
    struct world *w = world_new();
    world_pubs(w, messages);
    world_begin(w, 1);
    return w;
}

static void test_batch_is_filled_silently(void **state) {
    (void)state;
    struct world *w = with(3);
    world_pull(w, "r", "2");
    world_expect(w, "r<a s1 d1 x1 p2\nr<a s2 d2 x1 p1\n");
    world_counts(w, 1, 2, 0, 0);
    world_pull(w, "r", "");
    world_expect(w, "r<a s3 d3 x1 p0\n");
    assert_string_equal(w->ack, "$JS.ACK.S.C.1.3.3.1000000000000.0");
    world_pull(w, "", "");
    world_counts(w, 0, 3, 0, 0);
    world_free(w);
}

static void test_bodies(void **state) {
    (void)state;
    static const struct {
        const char *body;
        unsigned got;
    } cases[] = {{"", 1}, {"  ", 1}, {"3", 3}, {" 3\n", 3}, {"+2", 2}, {"-5", 1}, {"0", 1}, {"x", 1}, {"1.5", 1},
                 {"{}", 1}, {"{\"batch\":3}", 3}, {"{\"BATCH\":3,\"other\":[1]}", 3}, {"{\"batch\":null}", 1},
                 {"{\"batch\":-4}", 1}, {"{\"batch\":2,\"batch\":4}", 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = with(5);
        world_pull(w, "r", cases[i].body);
        assert_int_equal(mg_js_consumer_state(w->c)->delivered.dseq, cases[i].got);
        world_free(w);
    }
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *body, *answer;
    } cases[] = {
        {"{\"batch\":}", "r<NATS/1.0 400 Bad Request - invalid character '}' looking for beginning of value||\n"},
        {"{\"batch\":\"1\"}", "r<NATS/1.0 400 Bad Request - json: cannot unmarshal string into Go struct field "
                              "JSApiConsumerGetNextRequest.batch of type int||\n"},
        {"{\"batch\":1.5}", "r<NATS/1.0 400 Bad Request - json: cannot unmarshal number 1.5 into Go struct field "
                            "JSApiConsumerGetNextRequest.batch of type int||\n"},
        {"{\"batch\":1,\"expires\":1000,\"idle_heartbeat\":501}",
         "r<NATS/1.0 400 Bad Request - heartbeat value too large||\n"},
        {"{\"batch\":1,\"idle_heartbeat\":1}", "r<NATS/1.0 400 Bad Request - heartbeat value too large||\n"},
        {"{\"batch\":11}", "r<NATS/1.0 409 Exceeded MaxRequestBatch of 10||\n"},
        {"11", "r<NATS/1.0 409 Exceeded MaxRequestBatch of 10||\n"},
        {"{\"batch\":1,\"expires\":50000001}", "r<NATS/1.0 409 Exceeded MaxRequestExpires of 50ms||\n"},
        {"{\"batch\":1,\"max_bytes\":1001}", "r<NATS/1.0 409 Exceeded MaxRequestMaxBytes of 1000||\n"},
        {"{\"batch\":1,\"min_pending\":1}", "r<NATS/1.0 400 Bad Request - Not a Overflow Priority consumer||\n"},
        {"{\"batch\":1,\"min_ack_pending\":1}", "r<NATS/1.0 400 Bad Request - Not a Overflow Priority consumer||\n"},
        {"{\"batch\":1,\"id\":\"x\"}", "r<NATS/1.0 400 Bad Request - Not a Pinned Client Priority consumer||\n"},
        {"{\"priority\":10}", "r<NATS/1.0 400 Bad Request - Priority must be between 0 and 9||\n"},
        {"{\"no_wait\":true}", "r<NATS/1.0 404 No Messages||\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = with(0);
        w->rules.max_batch = 10;
        w->rules.max_expires = 50 * MS;
        w->rules.max_bytes = 1000;
        world_pull(w, "r", cases[i].body);
        world_expect(w, cases[i].answer);
        world_counts(w, 0, 0, 0, 0);
        world_free(w);
    }
}

static void test_expiry(void **state) {
    (void)state;
    struct world *w = with(0);
    world_pull(w, "r", "{\"batch\":3,\"expires\":2000000000,\"max_bytes\":500}");
    world_pull(w, "s", "{\"batch\":1,\"expires\":1000000000}");
    world_pass(w, SEC - 1);
    world_expect(w, "");
    world_pass(w, 1);
    world_expect(w, "s<NATS/1.0 408 Request Timeout|Nats-Pending-Messages: 1|Nats-Pending-Bytes: 0||\n");
    world_pub(w, "a");
    world_expect(w, "r<a s1 d1 x1 p0\n");
    world_pass(w, SEC);
    world_expect(w, "r<NATS/1.0 408 Request Timeout|Nats-Pending-Messages: 2|Nats-Pending-Bytes: 466||\n");
    world_pull(w, "r", "{\"batch\":1,\"expires\":-1}");
    world_pass(w, 0);
    world_expect(w, "r<NATS/1.0 408 Request Timeout|Nats-Pending-Messages: 1|Nats-Pending-Bytes: 0||\n");
    world_counts(w, 0, 1, 0, 0);
    world_free(w);
}

static void test_round_robin(void **state) {
    (void)state;
    struct world *w = with(0);
    world_pull(w, "r", "2");
    world_pull(w, "s", "2");
    world_pubs(w, 4);
    world_expect(w, "r<a s1 d1 x1 p0\ns<a s2 d2 x1 p0\nr<a s3 d3 x1 p0\ns<a s4 d4 x1 p0\n");
    world_free(w);
}

static void test_no_wait(void **state) {
    (void)state;
    struct world *w = with(2);
    world_pull(w, "r", "{\"batch\":5,\"no_wait\":true}");
    world_expect(w, "r<a s1 d1 x1 p1\nr<a s2 d2 x1 p0\nr<NATS/1.0 404 No Messages||\n");
    // With an expiry it waits for the first message, and takes what there is.
    world_pull(w, "r", "{\"batch\":5,\"no_wait\":true,\"expires\":1000000000}");
    world_expect(w, "");
    world_pub(w, "a");
    world_expect(w, "r<a s3 d3 x1 p0\nr<NATS/1.0 404 No Messages||\n");
    world_pull(w, "r", "{\"batch\":5,\"no_wait\":true,\"expires\":1000000000}");
    world_pass(w, SEC);
    world_expect(w, "r<NATS/1.0 408 Request Timeout|Nats-Pending-Messages: 5|Nats-Pending-Bytes: 0||\n");
    world_free(w);
}

// What cannot be read is no end.
static void test_no_wait_passes_damage(void **state) {
    (void)state;
    struct world *w = with(3);
    w->msgs[2].damaged = true;
    world_pull(w, "r", "{\"batch\":2,\"no_wait\":true}");
    world_expect(w, "r<a s1 d1 x1 p2\nr<a s3 d2 x1 p1\n");
    world_free(w);
}

static void test_no_wait_behind_others(void **state) {
    (void)state;
    struct world *w = world_new();
    w->rules.max_ack_pending = 1;
    world_pubs(w, 3);
    world_begin(w, 1);
    world_pull(w, "r", "5");
    world_expect(w, "r<a s1 d1 x1 p2\n");
    world_pull(w, "s", "{\"batch\":1,\"no_wait\":true}");
    world_expect(w, "s<NATS/1.0 408 Requests Pending||\n");
    world_free(w);
}

static void test_no_wait_waits_for_acks(void **state) {
    (void)state;
    // Stopped by max_ack_pending it has not reached the end.
    struct world *w = world_new();
    w->rules.max_ack_pending = 1;
    world_pubs(w, 3);
    world_begin(w, 1);
    world_pull(w, "r", "{\"batch\":2,\"no_wait\":true}");
    world_expect(w, "r<a s1 d1 x1 p2\n");
    world_ack(w, 1, "");
    world_expect(w, "done 1\nr<a s2 d2 x1 p1\n");
    world_free(w);
}

static void test_bytes(void **state) {
    (void)state;
    // A message has 1 (subject) + 33 (reply) bytes here.
    struct world *w = with(3);
    world_pull(w, "r", "{\"batch\":5,\"max_bytes\":20}");
    world_expect(w, "r<NATS/1.0 409 Message Size Exceeds MaxBytes|Nats-Pending-Messages: 5|Nats-Pending-Bytes: 20||\n");
    world_pull(w, "r", "{\"batch\":5,\"max_bytes\":40}");
    world_expect(w, "r<a s1 d1 x1 p2\n"
                    "r<NATS/1.0 409 Message Size Exceeds MaxBytes|Nats-Pending-Messages: 4|Nats-Pending-Bytes: 6||\n");
    world_pull(w, "r", "{\"batch\":1,\"max_bytes\":100}");
    world_expect(w, "r<a s2 d2 x1 p1\n"
                    "r<NATS/1.0 409 Batch Completed|Nats-Pending-Messages: 0|Nats-Pending-Bytes: 66||\n");
    world_pull(w, "r", "{\"batch\":5,\"max_bytes\":34}");
    world_expect(w, "r<a s3 d3 x1 p0\n"); // spent to the last byte: ends silently
    world_counts(w, 0, 3, 0, 0);
    world_free(w);
}

static void test_heartbeats(void **state) {
    (void)state;
    struct world *w = world_new();
    w->filters = &MG_S("b");
    w->filters_len = 1;
    world_pubs(w, 2);
    world_begin(w, 1);
    world_pull(w, "r", "{\"batch\":5,\"expires\":250000000,\"idle_heartbeat\":100000000}");
    world_pass(w, 99 * MS);
    world_expect(w, "");
    world_pass(w, MS);
    world_expect(w, "r<NATS/1.0 100 Idle Heartbeat|Nats-Last-Consumer: 0|Nats-Last-Stream: 2||\n");
    world_pass(w, 50 * MS);
    world_pub(w, "b");
    world_expect(w, "r<b s3 d1 x1 p0\n");
    world_pass(w, 99 * MS); // the message has put it off
    world_expect(w, "");
    world_pass(w, MS);
    world_expect(w, "r<NATS/1.0 408 Request Timeout|Nats-Pending-Messages: 4|Nats-Pending-Bytes: 0||\n");
    world_free(w);
}

static void test_max_waiting(void **state) {
    (void)state;
    struct world *w = with(0);
    w->rules.max_waiting = 2;
    world_pull(w, "r", "1");
    world_pull(w, "s", "1");
    world_pull(w, "t", "1");
    world_expect(w, "t<NATS/1.0 409 Exceeded MaxWaiting||\n");
    world_pull(w, "t", "{\"expires\":1000000000,\"idle_heartbeat\":100000000}");
    world_expect(w, ""); // silently
    strcpy(w->deaf, "r");
    w->now += 2 * SEC;
    world_pull(w, "t", "1"); // the dead one makes room
    world_expect(w, "");
    world_counts(w, 0, 0, 0, 2);
    world_free(w);
}

static void test_interest(void **state) {
    (void)state;
    struct world *w = with(0);
    world_pull(w, "r", "2");
    world_pull(w, "s", "2");
    world_pull(w, "t", "2");
    strcpy(w->deaf, "r");
    strcpy(w->remapped, "s");
    world_pub(w, "a");
    world_expect(w, "s<NATS/1.0 408 Interest Expired|Nats-Pending-Messages: 2|Nats-Pending-Bytes: 0||\n"
                    "t<a s1 d1 x1 p0\n");
    world_counts(w, 0, 1, 0, 1);
    strcpy(w->deaf, "t");
    mg_js_consumer_interest_changed(w->c, w->now);
    assert_true(mg_js_consumer_dormant(w->c));
    world_expect(w, "");
    world_free(w);
}

static void test_ends(void **state) {
    (void)state;
    struct world *w = with(0);
    world_pull(w, "r", "2");
    mg_js_consumer_say_deleted(w->c);
    world_expect(w, "r<NATS/1.0 409 Consumer Deleted||\n");
    world_pull(w, "r", "2");
    mg_js_consumer_say_shutdown(w->c);
    world_expect(w, "r<NATS/1.0 409 Server Shutdown|Nats-Pending-Messages: 2|Nats-Pending-Bytes: 0||\n");
    world_pull(w, "r", "2");
    mg_js_consumer_say_leader_change(w->c);
    world_expect(w, "r<NATS/1.0 409 Leadership Change||\n");
    world_free(w);
}

static void test_bounced(void **state) {
    (void)state;
    struct world *w = with(2);
    world_pull(w, "r", "2");
    world_pull(w, "s", "1");
    w->log.len = 0;
    mg_js_consumer_bounced(w->c, w->now, 2, MG_S("r"));
    world_run(w);
    world_expect(w, "s<a s2 d3 x1 p0\n"); // a number is used up, a delivery is not counted
    world_counts(w, 0, 2, 0, 0);
    world_free(w);
}

static void test_pause(void **state) {
    (void)state;
    struct world *w = world_new();
    w->rules.pause_until = w->now + SEC;
    world_pubs(w, 1);
    world_begin(w, 1);
    world_pull(w, "r", "1");
    world_pull(w, "s", "{\"batch\":1,\"no_wait\":true}");
    world_expect(w, "s<NATS/1.0 404 No Messages||\n");
    world_pass(w, SEC);
    world_expect(w, "! resumed\nr<a s1 d1 x1 p0\n");
    w->rules.pause_until = w->now + SEC;
    mg_js_consumer_pause(w->c, w->now, &w->rules);
    world_pull(w, "r", "1");
    world_pub(w, "a");
    world_pull(w, "s", "{\"batch\":1,\"no_wait\":true}");
    world_expect(w, "! paused\ns<NATS/1.0 404 No Messages||\n");
    w->rules.pause_until = 0;
    mg_js_consumer_pause(w->c, w->now, &w->rules);
    world_run(w);
    world_expect(w, "! resumed\nr<a s2 d2 x1 p0\n");
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_is_filled_silently),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_round_robin),
        cmocka_unit_test(test_no_wait),
        cmocka_unit_test(test_no_wait_passes_damage),
        cmocka_unit_test(test_no_wait_behind_others),
        cmocka_unit_test(test_no_wait_waits_for_acks),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_heartbeats),
        cmocka_unit_test(test_max_waiting),
        cmocka_unit_test(test_interest),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_bounced),
        cmocka_unit_test(test_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
