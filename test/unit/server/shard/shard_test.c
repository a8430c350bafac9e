// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The runtime on loops that the test runs by hand: order of posts, credit, doorbells, turns, stopping. (Races are the
// simulator's and the stress tests' matter; here is what has one right answer.)
#include "test/unit/cmocka_inc.h"

#include <stdio.h>

#include "test/unit/server/seam/fake_seam.h"
#include "server/base/mem.h"
#include "server/shard/shard.h"

#define SHARDS 3

enum { NOTE = 1, BOUNCE, PASS_ON, STOP };

// An application that writes down what comes.
struct app {
    struct mg_shard *sh;
    struct mg_buf log;  // "kind:from:text " of each record
    unsigned flushes, idles;
    bool dirty, dirty_when_idle, hold;
    unsigned settled;
    struct mg_credit_waiter waiter;
    unsigned resumed;
};

struct fixture {
    struct mg_runtime *rt;
    struct mg_loop *loops[SHARDS];
    struct app apps[SHARDS];
};

static void note(struct mg_shard *sh, unsigned to, uint16_t kind, const char *text) {
    struct mg_rec *rec = mg_post_data(sh, to, kind, (uint32_t)strlen(text));
    memcpy(rec->body, text, strlen(text));
}

static void on_record(void *arg, const struct mg_rec *rec) {
    struct app *a = arg;
    mg_buf_addf(&a->log, "%u:%u:%.*s ", rec->kind, rec->from, (int)rec->size, rec->body);
    if (rec->kind == BOUNCE) note(a->sh, rec->from, NOTE, "back");
    if (rec->kind == PASS_ON) note(a->sh, (mg_shard_id(a->sh) + 1) % SHARDS, BOUNCE, "on");
    if (rec->kind == STOP) mg_shard_stop(a->sh);
}

static bool on_flush(void *arg, unsigned max) {
    struct app *a = arg;
    assert_true(max > 0);
    a->flushes++;
    a->dirty = false;
    return false;
}

static bool on_refers(void *arg) { return ((struct app *)arg)->hold; }
static void on_settle(void *arg) { ((struct app *)arg)->settled++; }

static bool on_idle(void *arg) {
    struct app *a = arg;
    a->idles++;
    if (a->dirty_when_idle) a->dirty = true;
    a->dirty_when_idle = false;
    return false;
}

static const struct mg_shard_ops ops = {
    .record = on_record, .flush = on_flush, .refers = on_refers, .settle = on_settle, .idle = on_idle};

static void on_resume(struct mg_credit_waiter *w) { mg_container_of(w, struct app, waiter)->resumed++; }

static void start(struct fixture *f, uint64_t credit) {
    memset(f, 0, sizeof(*f));
    const struct mg_runtime_options o = {.shards = SHARDS, .credit = credit};
    f->rt = mg_runtime_new(&o);
    for (unsigned i = 0; i < SHARDS; i++) {
        f->apps[i].sh = mg_runtime_shard(f->rt, i);
        f->apps[i].waiter.resume = on_resume;
        mg_list_init(&f->apps[i].waiter.link);
        f->loops[i] = mg_shard_loop(f->apps[i].sh);
        mg_shard_set_app(f->apps[i].sh, &ops, &f->apps[i]);
    }
    fake_run(f->loops, SHARDS);
}

static void end(struct fixture *f) {
    for (unsigned i = 0; i < SHARDS; i++) // batches that came home wake nobody
        if (!f->loops[i]->stopped) mg_loop_wake(f->loops[i]);
    fake_run(f->loops, SHARDS);
    for (unsigned i = 0; i < SHARDS; i++) {
        assert_true(mg_shard_quiet(f->apps[i].sh));
        mg_buf_fini(&f->apps[i].log);
    }
    mg_runtime_free(f->rt);
}

static const char *log_of(struct app *a) {
    mg_buf_addc(&a->log, '\0');
    a->log.len = 0;
    return a->log.p;
}

static void test_records_arrive_in_order(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 0);
    struct mg_shard *sh = f.apps[0].sh;
    note(sh, 1, NOTE, "a");
    note(sh, 2, NOTE, "b");
    note(sh, 1, NOTE, "c");
    memcpy(mg_post_interest(sh, 1, NOTE, 1)->body, "i", 1); // goes first
    mg_turn_end(sh);
    fake_run(f.loops, SHARDS);
    assert_string_equal(log_of(&f.apps[1]), "1:0:i 1:0:a 1:0:c ");
    assert_string_equal(log_of(&f.apps[2]), "1:0:b ");
    end(&f);
}

static void test_interest_does_not_ring(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 0);
    struct mg_shard *sh = f.apps[0].sh;
    unsigned rings = f.loops[1]->rings;
    memcpy(mg_post_interest(sh, 1, NOTE, 1)->body, "i", 1);
    mg_turn_end(sh);
    fake_run(f.loops, SHARDS);
    assert_int_equal(f.loops[1]->rings, rings);
    assert_false(mg_shard_quiet(sh));
    mg_shard_input(f.apps[1].sh); // what input does before it is parsed
    assert_string_equal(log_of(&f.apps[1]), "1:0:i ");
    mg_shard_input(sh); // the batch is home
    assert_true(mg_shard_quiet(sh));
    end(&f);
}

static void test_a_record_grows_while_it_is_the_last(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 0);
    struct mg_shard *sh = f.apps[0].sh;
    note(sh, 1, NOTE, "ab");
    uint64_t seq = mg_post_seq(sh, 1);
    memcpy(mg_post_extend(sh, 1, seq, 9), "cdefghijk", 9);
    note(sh, 2, NOTE, "x"); // another shard's matter
    memcpy(mg_post_extend(sh, 1, seq, 1), "l", 1);
    note(sh, 1, NOTE, "m");
    assert_null(mg_post_extend(sh, 1, seq, 1));
    seq = mg_post_seq(sh, 1);
    assert_null(mg_post_extend(sh, 1, seq, 70000)); // no room
    mg_turn_end(sh);
    assert_null(mg_post_extend(sh, 1, seq, 1)); // sent
    fake_run(f.loops, SHARDS);
    assert_string_equal(log_of(&f.apps[1]), "1:0:abcdefghijkl 1:0:m ");
    end(&f);
}

static void test_credit_comes_home(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 2000); // 1000 for each pair
    struct mg_shard *sh = f.apps[0].sh;
    assert_int_equal(mg_credit(sh, 1), 1000);
    note(sh, 1, NOTE, "0123456789"); // header 8, body padded to 16
    assert_int_equal(mg_credit(sh, 1), 976);
    mg_post_charge(sh, 1, 5000);
    assert_int_equal(mg_credit(sh, 1), -4024);
    assert_int_equal(mg_credit(sh, 2), 1000);
    mg_credit_wait(sh, 1, &f.apps[0].waiter); // posts, too
    assert_int_equal(f.apps[0].resumed, 0);
    mg_loop_wake(f.loops[0]); // input waits inside of a turn
    fake_run(f.loops, SHARDS);
    assert_int_equal(f.apps[0].resumed, 1);
    assert_int_equal(mg_credit(sh, 1), 1000);
    end(&f);
}

static void test_large_records_have_their_own_batch(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 0);
    static char text[200001];
    memset(text, 'x', sizeof(text) - 1);
    note(f.apps[0].sh, 1, NOTE, "a");
    note(f.apps[0].sh, 1, NOTE, text);
    note(f.apps[0].sh, 1, NOTE, "b");
    mg_turn_end(f.apps[0].sh);
    fake_run(f.loops, SHARDS);
    assert_int_equal(f.apps[1].log.len, 200000 + 3 * 5 + 2);
    assert_memory_equal(f.apps[1].log.p + f.apps[1].log.len - 8, "x 1:0:b ", 8);
    end(&f);
}

static void test_held_batches_are_settled(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 0);
    f.apps[1].hold = true;
    note(f.apps[0].sh, 1, NOTE, "a");
    mg_turn_end(f.apps[0].sh);
    fake_run(f.loops, SHARDS);
    assert_int_equal(f.apps[1].settled, 1);
    end(&f);
}

// What idle work writes must reach its socket before the shard sleeps.
static void test_output_of_idle_work_is_flushed(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 0);
    f.apps[1].dirty_when_idle = true;
    mg_loop_wake(f.loops[1]);
    fake_run(f.loops, SHARDS);
    assert_false(f.apps[1].dirty_when_idle);
    assert_false(f.apps[1].dirty);
    end(&f);
}

// A mailbox full of batches is not emptied in one go: sockets are flushed in between.
static void test_a_full_mailbox_takes_several_turns(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 0);
    static char text[60001];
    memset(text, 'x', sizeof(text) - 1);
    for (int i = 0; i < 12; i++) note(f.apps[0].sh, 1, NOTE, text);
    mg_turn_end(f.apps[0].sh);
    unsigned before = f.apps[1].flushes;
    mg_shard_input(f.apps[1].sh);
    assert_int_equal(f.apps[1].flushes - before, 2);
    end(&f);
}

static void test_turns_are_charged(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 0);
    struct app *a = &f.apps[0];
    unsigned before = a->flushes;
    mg_turn_charge(a->sh, 256 * 1024 - 1);
    assert_int_equal(a->flushes, before);
    mg_turn_charge(a->sh, 1);
    assert_int_equal(a->flushes, before + 1);
    for (int i = 0; i < 255; i++) mg_turn_charge(a->sh, 1);
    assert_int_equal(a->flushes, before + 1);
    mg_turn_charge(a->sh, 1);
    assert_int_equal(a->flushes, before + 2);
    for (int i = 0; i < 8; i++) mg_turn_charge(a->sh, 1);
    f.loops[0]->now += 200000;
    for (int i = 0; i < 8; i++) mg_turn_charge(a->sh, 1);
    assert_int_equal(a->flushes, before + 3);
    end(&f);
}

// All are told to stop while a message is under way that will be passed on and answered: who stopped as soon as it had
// nothing under way itself would not get it, and the others would wait for ever.
static void test_stopping_serves_reactions(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 0);
    note(f.apps[0].sh, 1, PASS_ON, "go"); // 1 passes it on to 2, which answers 1
    mg_turn_end(f.apps[0].sh);
    for (unsigned i = 0; i < SHARDS; i++) mg_shard_stop(f.apps[i].sh);
    mg_loop_wake(f.loops[2]);
    fake_turn(f.loops[2]); // quiet, but not alone
    assert_false(f.loops[2]->stopped);
    fake_turn(f.loops[1]);
    fake_turn(f.loops[0]); // its batch is home
    assert_false(f.loops[0]->stopped);
    fake_run(f.loops, SHARDS);
    for (unsigned i = 0; i < SHARDS; i++) assert_true(f.loops[i]->stopped);
    assert_string_equal(log_of(&f.apps[1]), "3:0:go 1:2:back ");
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_arrive_in_order),
        cmocka_unit_test(test_interest_does_not_ring),
        cmocka_unit_test(test_a_record_grows_while_it_is_the_last),
        cmocka_unit_test(test_credit_comes_home),
        cmocka_unit_test(test_large_records_have_their_own_batch),
        cmocka_unit_test(test_held_batches_are_settled),
        cmocka_unit_test(test_output_of_idle_work_is_flushed),
        cmocka_unit_test(test_a_full_mailbox_takes_several_turns),
        cmocka_unit_test(test_turns_are_charged),
        cmocka_unit_test(test_stopping_serves_reactions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
