// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a store does when its disk is full, when its checkpoints fail, and when its journal fails.
#include "server/base/errors.h"
#include "test/unit/jetstream/store/store_driver.h"

#include <string.h>
#include <stdio.h>
#include <unistd.h>

#define BIG (64u * 1024)

static int setup(void **state) {
    static struct driver d;
    faults_fail_journal(false);
    faults_fail_tables(false);
    faults_block_tables(false);
    faults_capacity(0);
    driver_init(&d, 1);
    assert_int_equal(driver_open(&d), 0);
    *state = &d;
    return 0;
}

static int teardown(void **state) {
    faults_fail_journal(false);
    faults_fail_tables(false);
    faults_block_tables(false);
    faults_capacity(0);
    driver_fini(*state);
    return 0;
}

static bool poisoned(struct driver *d) { return mg_store_status(d->store).poisoned; }
static bool is_full(struct driver *d) { return mg_store_status(d->store).full; }
static bool has_room(struct driver *d) { return !is_full(d); }
static bool any_failed(struct driver *d) { return d->failed > 0; }

static bool exists(const struct driver *d, const char *name) {
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", d->dir, name);
    return access(path, F_OK) == 0;
}
static bool has_ballast(struct driver *d) { return exists(d, "ballast"); }

// Keeps a few publishes in flight until one is refused (or `most` are done).
static struct mg_stream *target;
static uint64_t most;
static bool publish_until_refused(struct driver *d) {
    while (d->failed == 0 && d->open < 16 && d->ok + d->open < most)
        assert_int_equal(driver_publish(d, target, "a", BIG, 0), 0);
    return (d->failed > 0 || d->ok >= most) && d->open == 0;
}

// The same, but a refused one is tried again.
static bool publish_until_taken(struct driver *d) {
    while (d->open < 16 && d->ok + d->open < most) assert_int_equal(driver_publish(d, target, "a", BIG, 0), 0);
    return d->ok >= most && d->open == 0;
}

static void start_counting(struct driver *d, struct mg_stream *s, uint64_t n) {
    driver_run(d, driver_quiet);
    target = s;
    most = n;
    d->ok = d->failed = 0;
}

static void check_messages(struct driver *d, struct mg_stream *s, uint64_t n) {
    struct mg_stream_state state;
    while (mg_stream_state(s, &state) == MG_EAGAIN) {
        d->open++;
        mg_stream_barrier(s, d);
        driver_run(d, driver_quiet);
    }
    assert_int_equal(state.msgs, n);
    assert_int_equal(driver_read(d, s, state.last), 0);
}

static void ballast_comes_and_stays(void **state) {
    struct driver *d = *state;
    assert_false(has_ballast(d)); // an empty store takes no room
    driver_stream(d, 0, "S", NULL);
    driver_run(d, has_ballast);
    driver_close(d);
    assert_true(exists(d, "ballast"));
    assert_int_equal(driver_open(d), 0);
    assert_non_null(driver_find(d, "S"));
}

static void full_disk_and_back(void **state) {
    struct driver *d = *state;
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    driver_run(d, has_ballast);
    // Room for the ring and a bit: a checkpoint of megabytes does not fit.
    start_counting(d, s, 64);
    driver_run(d, publish_until_refused);
    faults_capacity(faults_used() + (8u << 20) + (1u << 20));
    start_counting(d, s, 100000);
    driver_run(d, publish_until_refused);
    assert_int_equal(d->last_err, MG_ENOSPC);
    assert_true(is_full(d));
    assert_false(has_ballast(d));
    assert_true(driver_said(d, "The disk is full"));
    uint64_t stored = 64 + d->ok;
    // What frees space, and the owner's rows, still go.
    d->ok = d->failed = 0;
    d->open++;
    assert_int_equal(mg_stream_remove(s, 1, false, d), 0);
    d->open++;
    assert_int_equal(mg_stream_row_put(s, mg_cstr("k"), mg_cstr("v"), d), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(d->ok, 2);
    // Publishes do not, and say so at once.
    assert_int_equal(driver_publish(d, s, "a", 10, 0), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(d->last_err, MG_ENOSPC);
    assert_int_equal(driver_read(d, s, 2), 0);
    // Room comes back: no restart. A write that failed just before may be told just behind, and take the ballast again.
    faults_capacity(0);
    driver_run(d, has_room);
    start_counting(d, s, 10);
    driver_run(d, publish_until_taken);
    driver_run(d, has_ballast);
    uint64_t now = stored - 1 + d->ok;
    check_messages(d, s, now);
    driver_close(d);
    assert_int_equal(driver_open(d), 0);
    check_messages(d, driver_find(d, "S"), now);
}

static void full_disk_closes_and_opens(void **state) {
    struct driver *d = *state;
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    driver_run(d, has_ballast);
    faults_capacity(faults_used() + (9u << 20));
    start_counting(d, s, 100000);
    driver_run(d, publish_until_refused);
    assert_int_equal(d->last_err, MG_ENOSPC);
    uint64_t stored = d->ok;
    driver_close(d);
    assert_int_equal(driver_open(d), 0);
    check_messages(d, driver_find(d, "S"), stored);
    faults_capacity(0);
}

// The ring is being made when the disk becomes full.
static void full_disk_in_first_lap(void **state) {
    struct driver *d = *state;
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    driver_run(d, has_ballast);
    faults_capacity(faults_used() + 4096);
    start_counting(d, s, 100000);
    driver_run(d, publish_until_refused);
    assert_int_equal(d->last_err, MG_ENOSPC);
    faults_capacity(0);
    driver_run(d, has_room);
    uint64_t stored = d->ok;
    start_counting(d, s, 300); // more than the ring holds
    driver_run(d, publish_until_refused);
    assert_int_equal(d->failed, 0);
    check_messages(d, s, stored + 300);
}

static void failing_checkpoint(void **state) {
    struct driver *d = *state;
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    driver_run(d, driver_quiet);
    faults_fail_tables(true);
    start_counting(d, s, 100000);
    driver_run(d, publish_until_refused);
    assert_int_equal(d->last_err, MG_EFULL);
    uint64_t stored = d->ok;
    assert_false(is_full(d));
    assert_int_equal(mg_stream_remove(s, 1, false, d), 0);
    d->open++;
    driver_run(d, driver_quiet);
    assert_int_equal(d->ok, stored + 1);
    faults_fail_tables(false);
    do { // the checkpoint is tried again
        start_counting(d, s, 10);
        driver_run(d, publish_until_refused);
        stored += d->ok;
    } while (d->failed);
    check_messages(d, s, stored - 1);
}

static bool has_waiting(struct driver *d) {
    for (int i = 0; i < 4; i++) assert_int_equal(driver_publish(d, target, "a", BIG, 0), 0);
    return d->open > 400; // more than the ring holds: they wait
}

// A checkpoint that takes for ever: changes wait for a while, then they are refused.
static void slow_checkpoint(void **state) {
    struct driver *d = *state;
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    driver_run(d, driver_quiet);
    faults_block_tables(true);
    start_counting(d, s, 0);
    driver_run(d, has_waiting);
    assert_int_equal(d->failed, 0);
    // Patience is a timer: a time that has not come yet makes it fire.
    mg_wheel_advance(&d->wheel, mg_wheel_next(&d->wheel) + UINT64_C(6000000000));
    driver_run(d, any_failed);
    assert_int_equal(d->last_err, MG_EFULL);
    driver_run(d, driver_quiet);
    faults_block_tables(false);
    check_messages(d, s, d->ok);
}

static bool publish_too_much(struct driver *d) {
    for (int i = 0; i < 4; i++) assert_int_equal(driver_publish(d, target, "a", BIG, 0), 0);
    return d->failed > 0;
}

// Messages are refused when too many wait. What removes messages and what an owner keeps of itself wait as long as it
// takes: a removal that is lost leaves a message that nobody wants, a row that is lost spoils those that build on it.
static void only_messages_are_refused(void **state) {
    struct driver *d = *state;
    driver_close(d);
    d->o.queue_messages = 50;
    assert_int_equal(driver_open(d), 0);
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    driver_run(d, driver_quiet);
    faults_block_tables(true);
    start_counting(d, s, 0);
    driver_run(d, publish_too_much);
    assert_int_equal(d->last_err, MG_EFULL);
    d->open += 2;
    assert_int_equal(mg_stream_remove(s, 1, false, d), 0);
    assert_int_equal(mg_stream_row_put(s, mg_cstr("k"), mg_cstr("v"), d), 0);
    mg_wheel_advance(&d->wheel, mg_wheel_next(&d->wheel) + UINT64_C(6000000000));
    d->open++;
    assert_int_equal(mg_stream_remove(s, 2, false, d), 0);
    faults_block_tables(false);
    driver_run(d, driver_quiet);
    check_messages(d, s, d->ok - 3 - 2); // three answers are not of messages, two messages are gone
}

static void poisoned_journal(void **state) {
    struct driver *d = *state;
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    start_counting(d, s, 20);
    driver_run(d, publish_until_refused);
    faults_fail_journal(true);
    assert_int_equal(driver_publish(d, s, "a", 10, 0), 0);
    driver_run(d, poisoned);
    driver_run(d, poisoned);
    assert_int_equal(d->open, 1); // nobody knows its outcome, so it has no answer
    assert_true(driver_said(d, "the journal failed"));
    assert_int_equal(driver_publish(d, s, "a", 10, 0), MG_EIO);
    assert_int_equal(mg_stream_remove(s, 1, false, d), MG_EIO);
    assert_int_equal(mg_stream_row_put(s, mg_cstr("k"), mg_cstr("v"), d), MG_EIO);
    assert_int_equal(mg_stream_delete(s, d), MG_EIO);
    d->ok = d->failed = 0;
    mg_stream_barrier(s, d);
    d->open++;
    driver_run(d, any_failed);
    assert_int_equal(d->last_err, MG_EIO);
    assert_int_equal(driver_read(d, s, 20), 0);
    driver_close(d);
    faults_fail_journal(false);
    assert_int_equal(driver_open(d), 0);
    assert_int_equal(driver_read(d, driver_find(d, "S"), 20), 0);
}

static bool only_one_open(struct driver *d) { return d->open <= 1; }

// Changes that wait for the journal are told, too, and a checkpoint under way does not keep the store from closing.
static void poison_with_waiting(void **state) {
    struct driver *d = *state;
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    driver_run(d, driver_quiet);
    faults_block_tables(true);
    start_counting(d, s, 0);
    driver_run(d, has_waiting);
    uint64_t waiting = d->open;
    assert_true(waiting > 1);
    faults_fail_journal(true);
    // Another stream's configuration goes through the reserve and meets the failure.
    struct mg_stream_limits limits = {.max_msgs = 5};
    struct mg_stream *t;
    d->open++;
    assert_int_equal(mg_stream_create(mg_store_part(d->store, 0), mg_cstr("T"), mg_cstr("{}"), MG_STORAGE_FILE, &limits,
                                      0, &t, d), 0);
    driver_run(d, poisoned);
    driver_run(d, only_one_open);
    assert_int_equal(d->last_err, MG_EIO);
    faults_block_tables(false);
    driver_close(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ballast_comes_and_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk_closes_and_opens, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk_in_first_lap, setup, teardown),
        cmocka_unit_test_setup_teardown(failing_checkpoint, setup, teardown),
        cmocka_unit_test_setup_teardown(only_messages_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_checkpoint, setup, teardown),
        cmocka_unit_test_setup_teardown(poisoned_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(poison_with_waiting, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
