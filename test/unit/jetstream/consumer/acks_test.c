// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Acknowledgements and what comes again without them (spec/jetstream-consumers.md 8, 9, 13).
#include "test/unit/jetstream/consumer/world.h"

// n messages, all delivered; the log is empty.
static struct world *delivered(struct world *w, unsigned n) {
    char batch[16];
    world_pubs(w, n);
    world_begin(w, 1);
    snprintf(batch, sizeof batch, "%u", n);
    world_pull(w, "r", batch);
    w->log.len = 0;
    return w;
}

static struct world *plain(unsigned n) { return delivered(world_new(), n); }

static void test_floor_of_explicit(void **state) {
    (void)state;
    struct world *w = plain(4);
    world_floors(w, 4, 4, 0, 0);
    world_ack(w, 2, "");
    world_floors(w, 4, 4, 0, 0);
    world_ack(w, 1, "+ACK");
    world_floors(w, 4, 4, 2, 2);
    world_ack(w, 4, "+OK");
    world_floors(w, 4, 4, 2, 2);
    world_counts(w, 0, 1, 0, 0);
    world_ack(w, 3, "");
    world_floors(w, 4, 4, 4, 4);
    world_expect(w, "done 2\ndone 1\ndone 4\ndone 3\n");
    world_free(w);
}

static void test_floor_with_gaps(void **state) {
    (void)state;
    struct world *w = world_new();
    w->filters = &MG_S("b");
    w->filters_len = 1;
    world_pubs(w, 9);
    world_pub(w, "b"); // 10
    world_pub(w, "a");
    world_pub(w, "b"); // 12
    world_pub(w, "a");
    world_begin(w, 1);
    world_pull(w, "r", "5");
    world_expect(w, "r<b s10 d1 x1 p1\nr<b s12 d2 x1 p0\n");
    world_floors(w, 2, 12, 0, 0);
    world_ack(w, 10, "");
    world_floors(w, 2, 12, 1, 11); // just before the next that is pending
    world_ack(w, 12, "");
    world_floors(w, 2, 12, 2, 12);
    assert_int_equal(mg_js_consumer_next(w->c), 14); // it has looked further than that
    world_free(w);
}

static void test_floor_waits_for_the_first(void **state) {
    (void)state;
    struct world *w = world_new();
    w->filters = &MG_S("b");
    w->filters_len = 1;
    world_pubs(w, 4);
    world_pub(w, "b");
    world_pub(w, "b");
    world_begin(w, 1);
    world_pull(w, "r", "5");
    world_ack_as(w, 6, 2, "", "");
    world_floors(w, 2, 6, 0, 0); // and not 4, though nothing else is below
    world_free(w);
}

static void test_answers(void **state) {
    (void)state;
    static const struct {
        uint64_t seq;
        const char *payload, *log;
    } cases[] = {
        {1, "", "done 1\n!<(answer)\n"},
        {1, "+ACK", "done 1\n!<(answer)\n"},
        {1, "+ACK ", "!<(answer)\n"}, // unknown
        {1, "bogus", "!<(answer)\n"},
        {1, "+WPI", "!<(answer)\n"},
        {1, "+TERM", "done 1\n! terminated s1 d1 x1\n!<(answer)\n"},
        {1, "+TERM  no good ", "done 1\n! terminated s1 d1 x1 no good\n!<(answer)\n"},
        {1, "-NAK {\"delay\":1000000}", "! naked s1 d1 x1\n!<(answer)\n"},
        {1, "-NAK 1s", "! naked s1 d1 x1\n!<(answer)\n"},
        {1, "-NAK 1x", "! bad-delay -NAK 1x\n! naked s1 d1 x1\n!<(answer)\n"},
        {3, "", ""}, // never delivered
        {3, "+TERM", "! terminated s3 d3 x1\n"},
        {3, "+WPI", "!<(answer)\n"},
        {3, "-NAK", "!<(answer)\n"},
        {0, "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = plain(2);
        world_ack_as(w, cases[i].seq, cases[i].seq, "!", cases[i].payload);
        world_expect(w, cases[i].log);
        world_free(w);
    }
}

static void test_answer_is_repeated(void **state) {
    (void)state;
    struct world *w = plain(2);
    world_ack_as(w, 1, 1, "!", "");
    world_ack_as(w, 1, 1, "!", "");
    world_ack_as(w, 1, 1, "!", "+TERM");
    world_ack_as(w, 1, 1, "!", "-NAK");
    world_expect(w, "done 1\n!<(answer)\n!<(answer)\n! terminated s1 d1 x1\n!<(answer)\n!<(answer)\n");
    world_pull(w, "r", "1");
    world_pass(w, 60 * SEC);
    world_expect(w, "r<a s2 d3 x2 p0\n");
    world_free(w);
}

static void test_bad_subjects(void **state) {
    (void)state;
    static const char *const subjects[] = {
        "$JS.ACK.S.C.1.x.1.1000.0", "$JS.ACK.S.C.1.99999999999999999999.1.1.0", "$JS.ACK.S.C.1.1.1.1000",
        "$JS.ACK.S.C.1.1.1.1000.0.x", "$JS.NAK.S.C.1.1.1.1000.0", "", "$JS.ACK.S.C.1..1.1000.0"};
    struct world *w = plain(1);
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        mg_js_consumer_ack(w->c, w->now, mg_cstr(subjects[i]), MG_S("!"), MG_S(""));
    world_expect(w, "");
    mg_js_consumer_ack(w->c, w->now, MG_S("$JS.ACK._.hash.S.C.1.1.1.1000.0.more.still"), MG_S("!"), MG_S(""));
    world_expect(w, "done 1\n!<(answer)\n");
    world_free(w);
}

static void test_next(void **state) {
    (void)state;
    struct world *w = plain(1);
    world_ack_as(w, 1, 1, "q", "+NXT");
    world_pub(w, "a");
    world_expect(w, "done 1\nq<a s2 d2 x1 p0\n");
    world_ack_as(w, 2, 2, "q", "+NXT {\"batch\":1,\"no_wait\":true}");
    world_expect(w, "done 2\nq<NATS/1.0 404 No Messages||\n");
    world_ack_as(w, 2, 2, "q", "+NXT 2");
    world_pubs(w, 2);
    world_expect(w, "q<a s3 d3 x1 p0\nq<a s4 d4 x1 p0\n");
    world_free(w);
}

static void test_ack_wait(void **state) {
    (void)state;
    struct world *w = plain(3);
    world_ack(w, 2, "");
    world_pull(w, "r", "5");
    world_pass(w, 30 * SEC);
    world_expect(w, "done 2\n");
    world_pass(w, MS); // a millisecond late on purpose
    world_expect(w, "r<a s1 d4 x2 p0\nr<a s3 d5 x2 p0\n");
    world_counts(w, 0, 2, 2, 1);
    world_floors(w, 5, 3, 0, 0);
    world_ack(w, 1, ""); // by the first delivery's subject
    world_floors(w, 5, 3, 2, 2);
    world_counts(w, 0, 1, 1, 1);
    world_ack_as(w, 3, 5, "", "");
    world_floors(w, 5, 3, 5, 3);
    world_free(w);
}

static void test_late_ack_leaves_the_queue(void **state) {
    (void)state;
    struct world *w = plain(3);
    world_pass(w, 31 * SEC); // nobody asks
    world_ack(w, 1, "");
    world_pull(w, "r", "1");
    world_expect(w, "done 1\nr<a s2 d4 x2 p0\n");
    world_free(w);
}

static void test_progress(void **state) {
    (void)state;
    struct world *w = plain(2);
    world_pull(w, "r", "5");
    world_pass(w, 20 * SEC);
    world_ack(w, 1, "+WPI");
    world_pass(w, 11 * SEC);
    world_expect(w, "r<a s2 d3 x2 p0\n");
    world_pass(w, 19 * SEC + MS);
    world_expect(w, "r<a s1 d4 x2 p0\n");
    world_free(w);
}

static void test_naks(void **state) {
    (void)state;
    struct world *w = plain(4);
    world_pass(w, SEC);
    world_ack(w, 3, "-NAK");
    world_ack(w, 1, "-NAK");
    world_ack(w, 3, "-NAK"); // is in the queue already
    world_ack(w, 2, "-NAK {\"delay\":2000000000}");
    world_pull(w, "r", "9");
    world_expect(w, "! naked s3 d3 x1\n! naked s1 d1 x1\n! naked s3 d3 x1\n! naked s2 d2 x1\n"
                    "r<a s3 d5 x2 p0\nr<a s1 d6 x2 p0\n");
    world_pass(w, 2 * SEC);
    world_expect(w, "");
    world_pass(w, MS);
    world_expect(w, "r<a s2 d7 x2 p0\n");
    world_ack_as(w, 2, 99, "", "-NAK"); // such a delivery there never was
    world_ack_as(w, 2, 0, "", "-NAK");
    world_expect(w, "");
    world_free(w);
}

static void test_nak_takes_back(void **state) {
    (void)state;
    struct world *w = plain(1);
    world_ack(w, 1, "-NAK");
    world_ack(w, 1, "-NAK 5s");
    world_pull(w, "r", "9");
    world_expect(w, "! naked s1 d1 x1\n! naked s1 d1 x1\n");
    world_pass(w, 5 * SEC + MS);
    world_expect(w, "r<a s1 d2 x2 p0\n");
    world_free(w);
}

static void test_backoff(void **state) {
    (void)state;
    static const int64_t steps[] = {1 * SEC, 5 * SEC};
    struct world *w = world_new();
    w->rules.backoff = steps;
    w->rules.backoff_len = 2;
    delivered(w, 1);
    world_pull(w, "r", "9");
    world_pass(w, SEC + MS);
    world_expect(w, "r<a s1 d2 x2 p0\n");
    world_pass(w, 5 * SEC);
    world_expect(w, "");
    world_pass(w, MS);
    world_expect(w, "r<a s1 d3 x3 p0\n");
    world_pass(w, 5 * SEC + MS); // the last step from here on
    world_expect(w, "r<a s1 d4 x4 p0\n");
    world_ack_as(w, 1, 4, "", "-NAK 1s"); // counts from the first step: 1 s - 1 s + 5 s
    world_pass(w, 5 * SEC + MS);
    world_expect(w, "! naked s1 d4 x1\nr<a s1 d5 x5 p0\n");
    world_ack_as(w, 1, 5, "", "-NAK");
    world_expect(w, "! naked s1 d5 x1\nr<a s1 d6 x6 p0\n");
    world_free(w);
}

static void test_backoff_at_once(void **state) {
    (void)state;
    static const int64_t steps[] = {0, 5 * SEC};
    struct world *w = world_new();
    w->rules.ack_wait = 0; // it is the first step
    w->rules.backoff = steps;
    w->rules.backoff_len = 2;
    delivered(w, 1);
    world_pull(w, "r", "9");
    world_pass(w, MS);
    world_expect(w, "r<a s1 d2 x2 p0\n");
    world_pass(w, 4 * SEC);
    world_expect(w, "");
    world_free(w);
}

static void test_max_deliver(void **state) {
    (void)state;
    struct world *w = world_new();
    w->rules.max_deliver = 2;
    delivered(w, 2);
    world_ack(w, 2, "");
    world_pull(w, "r", "9");
    world_pass(w, 31 * SEC);
    world_expect(w, "done 2\nr<a s1 d3 x2 p0 after\n"); // recorded durably before it is sent
    world_pass(w, 31 * SEC);
    world_expect(w, "! max s1 d0 x2\n");
    world_floors(w, 3, 2, 3, 2);
    world_counts(w, 0, 0, 1, 1);
    world_pass(w, 300 * SEC);
    world_expect(w, "");
    world_restart(w); // it stays given up
    world_pull(w, "r", "9");
    world_pass(w, 300 * SEC);
    world_counts(w, 0, 0, 1, 1);
    world_expect(w, "");
    world_ack(w, 1, ""); // too late, but welcome
    world_expect(w, "done 1\n");
    world_counts(w, 0, 0, 0, 1);
    world_free(w);
}

static void test_max_deliver_after_nak(void **state) {
    (void)state;
    struct world *w = world_new();
    w->rules.max_deliver = 1;
    delivered(w, 1);
    world_ack(w, 1, "-NAK");
    world_expect(w, "! naked s1 d1 x1\n"); // only when the queue is served
    world_pull(w, "r", "1");
    world_expect(w, "! max s1 d0 x1\n");
    world_counts(w, 0, 0, 0, 1);
    world_free(w);
}

static void test_max_ack_pending(void **state) {
    (void)state;
    struct world *w = world_new();
    w->rules.max_ack_pending = 2;
    world_pubs(w, 5);
    world_begin(w, 1);
    world_pull(w, "r", "9");
    world_expect(w, "r<a s1 d1 x1 p4\nr<a s2 d2 x1 p3\n");
    world_ack(w, 2, "-NAK"); // what comes again does not count anew
    world_expect(w, "! naked s2 d2 x1\nr<a s2 d3 x2 p3\n");
    world_ack(w, 1, "");
    world_expect(w, "done 1\nr<a s3 d4 x1 p2\n");
    world_free(w);
}

static void test_ack_all(void **state) {
    (void)state;
    struct world *w = world_new();
    w->rules.ack = MG_JS_ACK_ALL;
    delivered(w, 5);
    world_ack_as(w, 3, 3, "!", "");
    world_expect(w, "done 1\ndone 2\ndone 3\n!<(answer)\n");
    world_floors(w, 5, 5, 3, 3);
    world_ack_as(w, 2, 2, "!", "");
    world_expect(w, "!<(answer)\n");
    world_ack_as(w, 5, 5, "", "+TERM");
    world_expect(w, "done 4\ndone 5\n! terminated s5 d5 x1\n");
    world_floors(w, 5, 5, 5, 5);
    world_ack_as(w, 6, 6, "!", "");
    world_expect(w, "");
    world_free(w);
}

static void test_ack_none(void **state) {
    (void)state;
    struct world *w = world_new();
    w->rules.ack = MG_JS_ACK_NONE;
    world_pubs(w, 2);
    world_begin(w, 1);
    world_pull(w, "r", "2");
    world_expect(w, "r<a s1 d1 x1 p1\ndone 1\nr<a s2 d2 x1 p0\ndone 2\n");
    world_floors(w, 2, 2, 2, 2);
    world_ack_as(w, 1, 1, "!", "");
    world_expect(w, "");
    assert_int_equal(mg_js_consumer_deadline(w->c), MG_JS_NEVER);
    world_free(w);
}

static void test_sampling(void **state) {
    (void)state;
    struct world *w = world_new();
    w->rules.sample = 100;
    delivered(w, 2);
    world_pass(w, 3 * SEC);
    world_ack(w, 1, "");
    world_ack(w, 2, "+TERM");
    world_expect(w, "! metric s1 d1 x1 t3000000000\ndone 1\ndone 2\n! terminated s2 d2 x1\n");
    world_free(w);
}

static void test_restart_keeps_what_is_due(void **state) {
    (void)state;
    struct world *w = plain(3);
    world_pass(w, 10 * SEC);
    world_ack(w, 3, "-NAK");
    world_ack(w, 2, "-NAK 5s");
    w->log.len = 0;
    world_restart(w);
    world_pull(w, "r", "9");
    world_pass(w, MS);
    world_expect(w, "r<a s3 d4 x2 p0\n");
    world_pass(w, 5 * SEC);
    world_expect(w, "r<a s2 d5 x2 p0\n");
    world_pass(w, 15 * SEC);
    world_expect(w, "r<a s1 d6 x2 p0\n");
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floor_of_explicit),
        cmocka_unit_test(test_floor_with_gaps),
        cmocka_unit_test(test_floor_waits_for_the_first),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_answer_is_repeated),
        cmocka_unit_test(test_bad_subjects),
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_ack_wait),
        cmocka_unit_test(test_late_ack_leaves_the_queue),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_naks),
        cmocka_unit_test(test_nak_takes_back),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_backoff_at_once),
        cmocka_unit_test(test_max_deliver),
        cmocka_unit_test(test_max_deliver_after_nak),
        cmocka_unit_test(test_max_ack_pending),
        cmocka_unit_test(test_ack_all),
        cmocka_unit_test(test_ack_none),
        cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_restart_keeps_what_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
