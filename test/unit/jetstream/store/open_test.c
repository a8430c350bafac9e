// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What happens between two starts: another server, another number of parts, another time.
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/base/errors.h"
#include "test/unit/jetstream/store/store_driver.h"

static int setup(void **state) {
    static struct driver d;
    driver_init(&d, 1);
    *state = &d;
    return 0;
}

static int teardown(void **state) {
    driver_fini(*state);
    return 0;
}

static void second_server_is_refused(void **state) {
    struct driver *d = *state;
    assert_int_equal(driver_open(d), 0);
    struct mg_store *second;
    struct mg_store_options o = d->o;
    char text[256], process[32];
    assert_int_equal(mg_store_open(&second, &o, text, sizeof(text)), MG_EBUSY);
    snprintf(process, sizeof(process), "process %ld", (long)getpid());
    assert_non_null(strstr(text, d->dir));
    assert_non_null(strstr(text, "in use by midge-server"));
    assert_non_null(strstr(text, process));
    // The first one is none the worse for it.
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    assert_int_equal(driver_publish(d, s, "a", 10, 0), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(d->ok, 2);
}

static bool has_whole_sentence(const char *text) {
    static const char *const ends[] = {"no volatile write cache", "flushed at each commit", "write cache, FUA",
                                       "write cache unknown", "THIS FILE SYSTEM IS IN MEMORY"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t n = strlen(text), m = strlen(ends[i]);
        if (n >= m && strcmp(text + n - m, ends[i]) == 0) return true;
    }
    return false;
}

static void sentence_has_an_end(void **state) {
    struct driver *d = *state;
    assert_int_equal(driver_open(d), 0);
    assert_true(has_whole_sentence(mg_store_status(d->store).sync_method));
    driver_stream(d, 0, "S", NULL);
    driver_run(d, driver_quiet);
    assert_true(has_whole_sentence(mg_store_status(d->store).sync_method));
}

static unsigned times_said(const struct driver *d, const char *text) {
    unsigned n = 0;
    for (const char *p = d->log; (p = strstr(p, text)) != NULL; p++) n++;
    return n;
}

static uint64_t later; // what each look at the clock takes

uint64_t __real_mg_bell_clock(void);
uint64_t __wrap_mg_bell_clock(void);
uint64_t __wrap_mg_bell_clock(void) {
    static _Atomic uint64_t shift_ns; // never back, threads have deadlines
    return __real_mg_bell_clock() + atomic_fetch_add(&shift_ns, later) + later;
}

// A recovery that takes long says each second how far it is; one that does not says nothing.
static void recovery_shows_progress(void **state) {
    struct driver *d = *state;
    struct mg_store_progress progress = {0};
    d->o.progress = &progress;
    assert_int_equal(driver_open(d), 0);
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    for (int i = 0; i < 200; i++) assert_int_equal(driver_publish(d, s, "a", 10000, 0), 0);
    driver_run(d, driver_quiet);
    driver_close(d);
    assert_false(driver_said(d, "Restoring"));
    later = 300000000;
    int err = driver_open(d);
    later = 0;
    assert_int_equal(err, 0);
    assert_in_range(times_said(d, "Restoring: "), 3, 8); // 16 looks at the clock while it reads
    assert_true(driver_said(d, "of 16 MB of the journal are read"));
    assert_int_equal(progress.records, 201);
    assert_true(progress.bytes > 2000000 && progress.bytes == progress.bytes_total);
    d->o.progress = NULL;
}

// The first commit of a new store measures the device, and the log has what it found: once. Later starts measure it
// before they are done, and leave it to whoever opened the store to say so.
static void first_commit_tells_of_the_device(void **state) {
    struct driver *d = *state;
    assert_int_equal(driver_open(d), 0);
    assert_non_null(strstr(mg_store_status(d->store).sync_method, "(not measured)"));
    assert_int_equal(times_said(d, "Journal of"), 0);
    for (int i = 0; i < 3; i++) {
        driver_stream(d, 0, i == 0 ? "S" : i == 1 ? "T" : "U", NULL);
        driver_run(d, driver_quiet);
    }
    bool measured = strstr(mg_store_status(d->store).sync_method, "us against") != NULL;
    assert_int_equal(times_said(d, "Journal of"), measured ? 1 : 0);
    if (measured) assert_true(driver_said(d, mg_store_status(d->store).sync_method));
    driver_close(d);
    d->log[0] = '\0';
    assert_int_equal(driver_open(d), 0);
    driver_stream(d, 0, "V", NULL);
    driver_run(d, driver_quiet);
    assert_int_equal(times_said(d, "Journal of"), 0);
}

static uint64_t messages_of(struct driver *d, const char *name) {
    struct mg_stream *s = driver_find(d, name);
    struct mg_stream_state state = {0};
    assert_non_null(s);
    while (mg_stream_state(s, &state) == MG_EAGAIN) {
        d->open++;
        mg_stream_barrier(s, d);
        driver_run(d, driver_quiet);
    }
    if (state.msgs) assert_int_equal(driver_read(d, s, state.last), 0);
    return state.msgs;
}

// Streams and their messages are found again, and nothing of an old stream comes up in a new one.
static void parts_may_change(void **state) {
    struct driver *d = *state;
    static const unsigned parts[] = {1, 3, 2, 4, 1};
    char name[16];
    for (unsigned round = 0; round < 5; round++) {
        d->o.parts = parts[round];
        assert_int_equal(driver_open(d), 0);
        for (unsigned i = 0; i < round * 2; i++) {
            snprintf(name, sizeof(name), "S%u", i);
            assert_int_equal(messages_of(d, name), 5 * (round - i / 2));
        }
        for (unsigned i = round * 2; i < round * 2 + 2; i++) {
            snprintf(name, sizeof(name), "S%u", i);
            driver_stream(d, i % parts[round], name, NULL);
            assert_int_equal(messages_of(d, name), 0);
        }
        for (unsigned i = 0; i < round * 2 + 2; i++) {
            snprintf(name, sizeof(name), "S%u", i);
            struct mg_stream *s = driver_find(d, name);
            for (int k = 0; k < 5; k++) assert_int_equal(driver_publish(d, s, "a.b", 100, 0), 0);
        }
        driver_run(d, driver_quiet);
        assert_int_equal(d->failed, 0);
        driver_close(d);
    }
}

// ---- time -----------------------------------------------------------------------------------------------------------

#define HOUR INT64_C(3600000000000)
#define MINUTE UINT64_C(60000000000)

static int64_t shift; // of the wall clock
int64_t __wrap_mg_loop_wall(struct mg_loop *loop);
int64_t __wrap_mg_loop_wall(struct mg_loop *loop) {
    struct timespec ts;
    (void)loop;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec + shift;
}

static const struct mg_stream_limits seventy_minutes = {.max_age = 70 * MINUTE};

static void store_three(struct driver *d) {
    struct mg_stream *s = driver_stream(d, 0, "S", &seventy_minutes);
    for (int i = 0; i < 3; i++) assert_int_equal(driver_publish(d, s, "a", 10, 0), 0);
    driver_run(d, driver_quiet);
}

// Timers of the next ten minutes fire.
static void let_timers_fire(struct driver *d) {
    uint64_t next = mg_wheel_next(&d->wheel);
    assert_true(next != UINT64_MAX);
    mg_wheel_advance(&d->wheel, next + 10 * MINUTE);
    d->open++; // and the turn that they have work for
    mg_stream_barrier(driver_find(d, "S"), d);
    driver_run(d, driver_quiet);
}

static void clock_that_jumped(void **state) {
    struct driver *d = *state;
    shift = 0;
    assert_int_equal(driver_open(d), 0);
    store_three(d);
    driver_close(d);
    shift = 2 * HOUR;
    assert_int_equal(driver_open(d), 0);
    let_timers_fire(d);
    assert_int_equal(messages_of(d, "S"), 3);
    assert_true(driver_said(d, "2.0 hours ahead of what was stored last"));
    // Set back: what was stored keeps its order.
    driver_close(d);
    shift = -2 * HOUR;
    assert_int_equal(driver_open(d), 0);
    assert_true(driver_said(d, "2.0 hours behind what was stored last"));
    let_timers_fire(d);
    assert_int_equal(messages_of(d, "S"), 3);
}

static void old_messages_do_expire(void **state) {
    struct driver *d = *state;
    shift = 0;
    assert_int_equal(driver_open(d), 0);
    store_three(d);
    for (int i = 0; i < 4; i++) { // no jump, but a clock that goes too fast
        shift += HOUR / 2;
        assert_int_equal(driver_read(d, driver_find(d, "S"), 99), MG_ENOTFOUND);
        struct mg_stream *s = driver_find(d, "S");
        assert_int_equal(driver_publish(d, s, "a", 10, 0), 0);
        driver_run(d, driver_quiet);
    }
    let_timers_fire(d);
    assert_int_equal(messages_of(d, "S"), 3); // those of the last 70 minutes
    assert_false(driver_said(d, "hours"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(second_server_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(sentence_has_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(recovery_shows_progress, setup, teardown),
        cmocka_unit_test_setup_teardown(first_commit_tells_of_the_device, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_may_change, setup, teardown),
        cmocka_unit_test_setup_teardown(clock_that_jumped, setup, teardown),
        cmocka_unit_test_setup_teardown(old_messages_do_expire, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
