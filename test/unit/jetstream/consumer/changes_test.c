// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What stream and API do to a consumer: start, purge, removals, updates, reset, inactivity
// (spec/jetstream-consumers.md 2.2, 4, 5, 14, 15).
#include "test/unit/jetstream/consumer/world.h"

static struct world *delivered(unsigned n) {
    struct world *w = world_new();
    char batch[16];
    world_pubs(w, n);
    world_begin(w, 1);
    snprintf(batch, sizeof batch, "%u", n);
    world_pull(w, "r", batch);
    w->log.len = 0;
    return w;
}

static void test_start(void **state) {
    (void)state;
    static const struct {
        enum mg_js_deliver_policy policy;
        bool filtered;
        uint64_t start, first, last, found, at;
        enum mg_js_start_ask ask;
    } cases[] = {
        {MG_JS_DELIVER_ALL, false, 0, 1, 0, 0, 1, MG_JS_START_KNOWN}, // empty, never used
        {MG_JS_DELIVER_ALL, false, 0, 0, 0, 0, 1, MG_JS_START_KNOWN},
        {MG_JS_DELIVER_ALL, false, 0, 5, 9, 0, 5, MG_JS_START_KNOWN},
        {MG_JS_DELIVER_LAST, false, 0, 5, 9, 0, 9, MG_JS_START_KNOWN},
        {MG_JS_DELIVER_LAST, false, 0, 1, 0, 0, 1, MG_JS_START_KNOWN},
        {MG_JS_DELIVER_LAST, true, 0, 5, 9, 7, 7, MG_JS_START_LAST_MATCH},
        {MG_JS_DELIVER_LAST, true, 0, 5, 9, 0, 5, MG_JS_START_LAST_MATCH},
        {MG_JS_DELIVER_NEW, false, 0, 5, 9, 0, 10, MG_JS_START_KNOWN},
        {MG_JS_DELIVER_BY_START_SEQUENCE, false, 3, 5, 9, 0, 5, MG_JS_START_KNOWN},
        {MG_JS_DELIVER_BY_START_SEQUENCE, false, 7, 5, 9, 0, 7, MG_JS_START_KNOWN},
        {MG_JS_DELIVER_BY_START_SEQUENCE, false, 70, 5, 9, 0, 70, MG_JS_START_KNOWN},
        {MG_JS_DELIVER_BY_START_TIME, false, 0, 5, 9, 8, 8, MG_JS_START_FIRST_AT},
        {MG_JS_DELIVER_BY_START_TIME, false, 0, 5, 9, 0, 10, MG_JS_START_FIRST_AT},
        {MG_JS_DELIVER_LAST_PER_SUBJECT, true, 0, 5, 9, 6, 6, MG_JS_START_LAST_SUBJECTS},
        {MG_JS_DELIVER_LAST_PER_SUBJECT, true, 0, 5, 9, 0, 9, MG_JS_START_LAST_SUBJECTS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mg_js_consumer_rules r = {.deliver = cases[i].policy, .start_seq = cases[i].start};
        struct mg_js_start plan = mg_js_start_plan(&r, cases[i].filtered, -1);
        assert_int_equal(plan.ask, cases[i].ask);
        assert_int_equal(mg_js_start_at(&r, plan, cases[i].first, cases[i].last, cases[i].found), cases[i].at);
    }
    struct mg_js_consumer_rules r = {.deliver = MG_JS_DELIVER_LAST_PER_SUBJECT};
    assert_int_equal(mg_js_start_plan(&r, false, 1).ask, MG_JS_START_KNOWN);
}

static void test_start_ahead(void **state) {
    (void)state;
    struct world *w = world_new();
    world_pubs(w, 2);
    world_begin(w, 5);
    world_pull(w, "r", "9");
    world_floors(w, 0, 4, 0, 4);
    world_pubs(w, 2);
    world_expect(w, "");
    world_pub(w, "a");
    world_expect(w, "r<a s5 d1 x1 p0\n");
    world_free(w);
}

static void test_last_per_subject(void **state) {
    (void)state;
    static const uint64_t list[] = {2, 4, 5};
    struct world *w = world_new();
    struct mg_js_state s;
    world_pubs(w, 6);
    mg_js_state_init(&s, 2, false);
    mg_js_state_skip_list(&s, list, 3, 7);
    world_begin_state(w, &s);
    mg_js_consumer_set_num_pending(w->c, 3);
    world_pull(w, "r", "1");
    world_delete(w, 3); // not of the list: does not count
    world_delete(w, 4); // found missing when it is its turn
    world_pub(w, "a");
    world_expect(w, "r<a s2 d1 x1 p2\n");
    world_restart(w);
    mg_js_consumer_set_num_pending(w->c, 3);
    world_pull(w, "r", "9");
    world_expect(w, "r<a s5 d2 x1 p1\nr<a s7 d3 x1 p0\n");
    world_floors(w, 3, 7, 0, 1);
    world_free(w);
}

static void test_filters(void **state) {
    (void)state;
    static const mg_slice filters[] = {{"a.*", 3}, {"*.x", 3}};
    struct world *w = world_new();
    w->filters = filters;
    w->filters_len = 2;
    world_pub(w, "a.x");
    world_pub(w, "b.y");
    world_pub(w, "b.x");
    world_begin(w, 1);
    world_pull(w, "r", "9");
    world_pub(w, "a.y");
    world_expect(w, "r<a.x s1 d1 x1 p1\nr<b.x s3 d2 x1 p0\nr<a.y s4 d3 x1 p0\n");
    world_free(w);
}

static void test_purge(void **state) {
    (void)state;
    struct world *w = delivered(75);
    for (uint64_t s = 1; s <= 50; s++) world_ack(w, s, "");
    world_pubs(w, 25);
    world_floors(w, 75, 75, 50, 50);
    mg_js_consumer_purged(w->c, w->now, 101);
    mg_js_consumer_set_num_pending(w->c, 0);
    world_floors(w, 75, 100, 75, 100);
    world_counts(w, 0, 0, 0, 0);
    world_pub(w, "a");
    w->log.len = 0;
    world_pull(w, "r", "1");
    world_expect(w, "r<a s101 d76 x1 p0\n");
    world_free(w);
}

static void test_purge_in_part(void **state) {
    (void)state;
    struct world *w = delivered(5);
    world_ack(w, 4, "-NAK");
    w->log.len = 0;
    mg_js_consumer_purged(w->c, w->now, 4);
    world_floors(w, 5, 5, 3, 3);
    world_pull(w, "r", "9");
    world_expect(w, "r<a s4 d6 x2 p0\n");
    mg_js_consumer_purged(w->c, w->now, 2); // nothing goes back
    world_floors(w, 6, 5, 3, 3);
    mg_js_consumer_purged_one(w->c, w->now, 4); // by a narrower filter
    mg_js_consumer_purged_one(w->c, w->now, 1);
    world_expect(w, "");
    world_floors(w, 6, 5, 4, 4);
    world_free(w);
}

static void test_removed(void **state) {
    (void)state;
    struct world *w = delivered(3);
    world_pubs(w, 2);
    world_delete(w, 2);
    world_expect(w, "! terminated s2 d2 x1 Unacknowledged message was deleted\n");
    world_delete(w, 5);
    world_counts(w, 1, 2, 0, 0);
    w->msgs[1].there = false; // without a word
    world_pass(w, 31 * SEC);
    world_pull(w, "r", "9");
    world_expect(w, "! terminated s1 d1 x1 Unacknowledged message was deleted\nr<a s3 d4 x2 p1\nr<a s4 d5 x1 p0\n");
    world_floors(w, 5, 4, 2, 2);
    mg_js_consumer_trim(w->c, w->now, 4);
    world_expect(w, "! terminated s3 d3 x2 Message deleted by stream limits\n");
    world_floors(w, 5, 4, 4, 3);
    world_free(w);
}

static void test_update_waits(void **state) {
    (void)state;
    struct world *w = delivered(1);
    struct mg_js_consumer_rules shorter = w->rules;
    shorter.ack_wait = 5 * SEC;
    world_pull(w, "r", "9");
    world_pass(w, 3 * SEC);
    mg_js_consumer_revise(w->c, w->now, &shorter, false);
    world_pass(w, 2 * SEC + MS);
    world_expect(w, "r<a s1 d2 x2 p0\n");
    world_pass(w, 1 * SEC);
    mg_js_consumer_revise(w->c, w->now, &w->rules, false);
    world_pass(w, 28 * SEC);
    world_expect(w, "");
    world_pass(w, 1 * SEC + MS);
    world_expect(w, "r<a s1 d3 x3 p0\n");
    world_free(w);
}

static void test_update_deliver_subject(void **state) {
    (void)state;
    struct world *w = world_new();
    w->rules.deliver_subject = MG_S("d");
    world_pubs(w, 3);
    world_begin(w, 1);
    mg_js_consumer_active(w->c, w->now, true);
    world_run(w);
    world_ack(w, 2, "");
    world_ack(w, 3, "-NAK 1s");
    w->log.len = 0;
    struct mg_js_consumer_rules moved = w->rules;
    moved.deliver_subject = MG_S("e");
    mg_js_consumer_active(w->c, w->now, false);
    mg_js_consumer_revise(w->c, w->now, &moved, false);
    world_run(w);
    world_expect(w, "");
    mg_js_consumer_active(w->c, w->now, true);
    world_run(w);
    world_expect(w, "e<a s1 d4 x2 p0\ne<a s3 d5 x2 p0\n");
    world_free(w);
}

static void test_stale_reads(void **state) {
    (void)state;
    struct world *w = delivered(3);
    mg_js_consumer_pull(w->c, w->now, MG_S("r"), MG_S("9"));
    w->now += 31 * SEC;
    mg_js_consumer_tick(w->c, w->now);
    struct mg_js_want q = mg_js_consumer_want(w->c, w->now);
    assert_int_equal(q.kind, MG_JS_WANT_SEQ);
    assert_int_equal(q.seq, 1);
    struct mg_message m = {1, w->now, MG_S("a"), {NULL, 0}, {NULL, 0}};
    mg_js_consumer_ack(w->c, w->now, MG_S("$JS.ACK.S.C.1.1.1.1.0"), MG_S(""), MG_S("")); // while it is read
    assert_false(mg_js_consumer_message(w->c, w->now, &q, &m));
    mg_js_consumer_gone(w->c, w->now, &q);
    world_expect(w, "done 1\n");
    // Other filters make older answers void.
    world_ack(w, 2, "");
    world_ack(w, 3, "");
    q = mg_js_consumer_want(w->c, w->now);
    assert_int_equal(q.kind, MG_JS_WANT_NEXT);
    mg_js_consumer_revise(w->c, w->now, &w->rules, true);
    m.seq = 4;
    assert_false(mg_js_consumer_message(w->c, w->now, &q, &m));
    mg_js_consumer_end(w->c, w->now, &q, 99);
    assert_int_equal(mg_js_consumer_next(w->c), 4);
    world_free(w);
}

static void test_reset(void **state) {
    (void)state;
    struct world *w = delivered(5);
    uint64_t at;
    const char *why;
    world_ack(w, 1, "");
    world_ack(w, 4, "-NAK");
    assert_int_equal(mg_js_consumer_reset(w->c, w->now, 0, 0, &at, &why), 0);
    assert_int_equal(at, 2);
    mg_js_consumer_set_num_pending(w->c, world_count(w));
    world_floors(w, 0, 1, 0, 1);
    world_counts(w, 4, 0, 0, 0);
    w->log.len = 0;
    world_pull(w, "r", "1");
    world_expect(w, "r<a s2 d1 x1 p3\n");
    world_ack_as(w, 2, 2, "!", ""); // by an old subject
    world_expect(w, "done 2\n!<(answer)\n");
    assert_int_equal(mg_js_consumer_reset(w->c, w->now, 5, 0, &at, &why), 0);
    world_floors(w, 0, 4, 0, 4);
    world_free(w);
}

static void test_reset_refused(void **state) {
    (void)state;
    static const struct {
        enum mg_js_deliver_policy policy;
        uint64_t seq;
        const char *why;
    } cases[] = {
        {MG_JS_DELIVER_ALL, 1, NULL},
        {MG_JS_DELIVER_BY_START_SEQUENCE, 9, "below start seq"},
        {MG_JS_DELIVER_BY_START_SEQUENCE, 10, NULL},
        {MG_JS_DELIVER_BY_START_TIME, 19, "below start time"},
        {MG_JS_DELIVER_BY_START_TIME, 20, NULL},
        {MG_JS_DELIVER_NEW, 1, "not allowed"},
        {MG_JS_DELIVER_NEW, 0, NULL},
        {MG_JS_DELIVER_LAST_PER_SUBJECT, 7, "not allowed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_new();
        uint64_t at;
        const char *why;
        w->rules.deliver = cases[i].policy;
        w->rules.start_seq = 10;
        world_begin(w, 10);
        int rc = mg_js_consumer_reset(w->c, w->now, cases[i].seq, 20, &at, &why);
        assert_int_equal(rc, cases[i].why ? MG_EDENIED : 0);
        if (cases[i].why != NULL) assert_string_equal(why, cases[i].why);
        world_free(w);
    }
}

// A client may ask for a start that nothing can follow.
static void test_last_number_there_is(void **state) {
    (void)state;
    struct world *w = world_new();
    uint64_t at;
    const char *why;
    world_begin(w, UINT64_MAX);
    assert_int_equal(mg_js_consumer_reset(w->c, w->now, 0, 0, &at, &why), MG_EDENIED);
    assert_int_equal(mg_js_consumer_reset(w->c, w->now, UINT64_MAX, 0, &at, &why), MG_EDENIED);
    world_pull(w, "r", "1");
    world_pub(w, "a");
    world_restart(w);
    world_expect(w, "");
    world_free(w);
}

static void test_inactive_pull(void **state) {
    (void)state;
    struct world *w = world_new();
    w->rules.inactive_after = 5 * SEC;
    world_pubs(w, 1);
    world_begin(w, 1);
    world_pass(w, 4 * SEC);
    world_pull(w, "r", "1"); // used, and delivered
    world_expect(w, "r<a s1 d1 x1 p0\n");
    world_pass(w, 34 * SEC); // it may be worked on
    world_expect(w, "");
    world_pull(w, "r", "{\"batch\":2}"); // waits: alive
    w->log.len = 0;
    world_pass(w, 60 * SEC);
    w->log.len = 0;
    world_ack(w, 1, "");
    strcpy(w->deaf, "r");
    world_pass(w, 4 * SEC);
    world_expect(w, "done 1\n");
    world_pass(w, 2 * SEC);
    world_expect(w, "! inactive\n");
    world_pass(w, 60 * SEC); // said once
    world_expect(w, "");
    world_free(w);
}

static void test_inactive_jitter(void **state) {
    (void)state;
    struct world *w = world_new();
    w->rules.inactive_after = 5 * SEC;
    w->rules.inactive_jitter = true;
    world_begin(w, 1);
    world_pass(w, 5 * SEC + 99 * MS);
    world_expect(w, "");
    world_pass(w, 901 * MS);
    world_expect(w, "! inactive\n");
    world_free(w);
}

// One that is made of the state of another and recalls its past goes on as if nothing had happened.
static void test_recalls_its_past(void **state) {
    (void)state;
    struct world *w = world_new();
    w->rules.inactive_after = 60 * SEC;
    w->rules.pause_until = WORLD_T0 + 20 * SEC;
    world_pubs(w, 1);
    world_begin(w, 1);
    world_pass(w, 10 * SEC);
    struct mg_js_consumer_past past = mg_js_consumer_past(w->c);
    world_pass(w, 5 * SEC);
    world_restart(w);
    mg_js_consumer_recall(w->c, w->now, &past);
    world_expect(w, "");
    past = mg_js_consumer_past(w->c);
    w->now += 10 * SEC; // the pause ends while there is none
    world_restart(w);
    mg_js_consumer_recall(w->c, w->now, &past);
    world_pass(w, 0);
    world_expect(w, "! resumed\n");
    world_pull(w, "r", "1");
    world_expect(w, "r<a s1 d1 x1 p0\n");
    world_ack(w, 1, "");
    past = mg_js_consumer_past(w->c);
    assert_int_equal(past.last_delivered, w->now);
    world_pass(w, 50 * SEC);
    world_restart(w);
    assert_int_equal(mg_js_consumer_facts(w->c, w->now, 1, 1).last_acked, 0);
    mg_js_consumer_recall(w->c, w->now, &past);
    assert_int_equal(mg_js_consumer_facts(w->c, w->now, 1, 1).last_acked, w->now - 50 * SEC);
    assert_int_equal(mg_js_consumer_facts(w->c, w->now, 1, 1).last_delivered, w->now - 50 * SEC);
    w->log.len = 0;
    world_pass(w, 10 * SEC);
    world_expect(w, "! inactive\n");
    world_free(w);
}

static void test_info_is_clamped(void **state) {
    (void)state;
    struct world *w = world_new();
    world_pubs(w, 3);
    world_begin(w, 1);
    mg_js_consumer_set_num_pending(w->c, 50);
    assert_int_equal(mg_js_consumer_facts(w->c, w->now, 2, 3).num_pending, 2);
    assert_int_equal(mg_js_consumer_facts(w->c, w->now, 9, 3).num_pending, 3);
    assert_int_equal(mg_js_consumer_facts(w->c, w->now, 9, 0).num_pending, 0);
    world_free(w);
}

static void test_memory(void **state) {
    (void)state;
    struct world *w = delivered(1);
    world_pull(w, "_INBOX.abcdefghijklmnopqrstuv.wxyz", "{\"batch\":10,\"expires\":30000000000}");
    assert_false(mg_js_consumer_dormant(w->c));
    assert_true(mg_js_consumer_memory(w->c) <= 1024); // active, a message pending
    mg_js_consumer_say_shutdown(w->c);
    assert_true(mg_js_consumer_dormant(w->c));
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),         cmocka_unit_test(test_start_ahead),
        cmocka_unit_test(test_last_per_subject),
        cmocka_unit_test(test_filters),       cmocka_unit_test(test_purge),
        cmocka_unit_test(test_purge_in_part), cmocka_unit_test(test_removed),
        cmocka_unit_test(test_update_waits),  cmocka_unit_test(test_update_deliver_subject),
        cmocka_unit_test(test_stale_reads),   cmocka_unit_test(test_reset),
        cmocka_unit_test(test_reset_refused), cmocka_unit_test(test_inactive_pull),
        cmocka_unit_test(test_inactive_jitter), cmocka_unit_test(test_last_number_there_is),
        cmocka_unit_test(test_recalls_its_past), cmocka_unit_test(test_info_is_clamped),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
