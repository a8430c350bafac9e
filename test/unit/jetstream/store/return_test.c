// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A file is away at one start and back at the next one, as after a cable or a mount that failed; in between the store
// served. Whatever kind of file it is: what was acknowledged in between is there, what could be read in between still
// can be, what was removed stays removed, no name is given again, and counters are those of what is there.
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jetstream/store/check.h"
#include "server/base/errors.h"
#include "test/unit/jetstream/store/store_driver.h"

#define MESSAGES 80u  // half of them in a segment
#define MORE     12u  // of each life
#define LARGE    (300u * 1024)
#define MAX_SEQ  (MESSAGES + 2 * MORE)

static uint64_t checkpoints_before;
static bool rests(struct driver *d) {
    struct mg_store_status s = mg_store_status(d->store);
    return d->open == 0 && s.resting && s.checkpoints > checkpoints_before;
}
static void checkpoint(struct driver *d) {
    checkpoints_before = mg_store_status(d->store).checkpoints;
    mg_store_press(d->store);
    driver_run(d, rests);
}

// Every tenth one is large.
static void publish(struct driver *d, unsigned n) {
    struct mg_stream *s = driver_find(d, "S");
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(driver_publish(d, s, i % 2 ? "s.a" : "s.b", i % 10 == 4 ? LARGE : 500, 0), 0);
        driver_run(d, driver_quiet);
    }
    assert_int_equal(d->failed, 0);
}

static int setup(void **state) {
    static struct driver d;
    driver_init(&d, 1);
    assert_int_equal(driver_open(&d), 0);
    driver_stream(&d, 0, "S", NULL);
    publish(&d, MESSAGES / 2);
    checkpoint(&d);
    publish(&d, MESSAGES / 2);
    for (uint64_t seq = 1; seq < MESSAGES; seq += 20) { // the first one, too
        d.open++;
        assert_int_equal(mg_stream_remove(driver_find(&d, "S"), seq, false, &d), 0);
    }
    driver_run(&d, driver_quiet);
    driver_close(&d);
    *state = &d;
    return 0;
}

static int teardown(void **state) {
    driver_fini(*state);
    return 0;
}

static bool is_removed(uint64_t seq) { return seq < MESSAGES && seq % 20 == 1; }

// Moves all files of a kind out of the store, or back to where they were. Returns how many.
static unsigned move(struct driver *d, const char *folder, const char *suffix, bool away) {
    char here[256], there[256], path[128];
    unsigned n = 0;
    snprintf(there, sizeof(there), "%s/away", d->dir);
    if (away) assert_int_equal(mkdir(there, 0700), 0);
    snprintf(path, sizeof(path), "%s/%s", d->dir, away ? folder : "away");
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        struct stat st;
        if (e->d_name[0] == '.' || strstr(e->d_name, suffix) == NULL) continue;
        snprintf(here, sizeof(here), "%s/%s/%.60s", d->dir, folder, e->d_name);
        snprintf(there, sizeof(there), "%s/away/%.60s", d->dir, e->d_name);
        if (!away && stat(here, &st) == 0) fail_msg("%s was given again", e->d_name);
        assert_int_equal(rename(away ? here : there, away ? there : here), 0);
        n++;
    }
    closedir(dir);
    snprintf(there, sizeof(there), "%s/away", d->dir);
    if (!away) assert_int_equal(rmdir(there), 0);
    return n;
}

struct seen {
    int err[MAX_SEQ + 1];
    uint64_t readable;
};

static bool is_lost(const struct mg_stream *s, uint64_t seq) {
    uint64_t first, last, count;
    for (unsigned i = 0; mg_stream_lost(s, i, &first, &last, &count); i++)
        if (seq >= first && seq <= last) return true;
    return false;
}

// What is neither there nor removed is told as lost.
static void look(struct driver *d, uint64_t last, struct seen *out) {
    struct mg_stream *s = driver_find(d, "S");
    out->readable = 0;
    for (uint64_t seq = 1; seq <= last; seq++) {
        out->err[seq] = driver_read(d, s, seq);
        out->readable += out->err[seq] == 0;
        if (is_removed(seq)) assert_int_equal(out->err[seq], MG_ENOTFOUND);
        else assert_true(out->err[seq] == 0 || is_lost(s, seq));
    }
}

static struct mg_stream_state state_of(struct driver *d) {
    struct mg_stream_state now;
    while (mg_stream_state(driver_find(d, "S"), &now) == MG_EAGAIN) {
        d->open++;
        mg_stream_barrier(driver_find(d, "S"), d);
        driver_run(d, driver_quiet);
    }
    return now;
}

struct kind {
    const char *folder, *suffix;
    bool harmless; // nothing is missing without it
    bool gone;     // what is missing without it does not come back with it
};

static void away_and_back(struct driver *d, const struct kind *k, bool with_checkpoint) {
    struct seen between, then;
    assert_true(move(d, k->folder, k->suffix, true) > 0);
    assert_int_equal(driver_open(d), 0);
    publish(d, MORE);
    look(d, state_of(d).last, &between);
    for (unsigned i = 0; i < MORE; i++) assert_int_equal(between.err[state_of(d).last - i], 0);
    uint64_t last = state_of(d).last;
    if (with_checkpoint) checkpoint(d);
    driver_close(d);
    move(d, k->folder, k->suffix, false);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(driver_open(d), 0);
        look(d, last, &then);
        for (uint64_t seq = 1; seq <= last; seq++)
            if (between.err[seq] == 0 || (!k->gone && !is_removed(seq))) assert_int_equal(then.err[seq], 0);
        struct mg_stream_state now = state_of(d);
        assert_int_equal(now.last, last);
        if (!k->gone) assert_int_equal(now.msgs, then.readable);
        if (k->harmless) assert_int_equal(now.lost + now.lost_operations, 0);
        if (!k->gone && (!with_checkpoint || k->harmless)) assert_int_equal(now.msgs, last - MESSAGES / 20);
        if (again == 0) publish(d, MORE);
        if (again == 0) checkpoint(d);
        last = state_of(d).last;
        driver_close(d);
    }
}

static void each_life(void **state, const struct kind *k) {
    away_and_back(*state, k, false);
    teardown(state);
    setup(state);
    away_and_back(*state, k, true);
}

static void second_copies(void **state) { each_life(state, &(struct kind){"tables", ".dup", .harmless = true}); }

// First copies, and tables of subjects: these are counted again, and nobody needs the old ones any more.
static void first_copies(void **state) { each_life(state, &(struct kind){"tables", ".run", .harmless = true}); }

static void segments(void **state) { each_life(state, &(struct kind){"segments", ".seg", .gone = false}); }

// What a checkpoint could not copy is lost. Until then it is not: the record is still in the journal.
static void extents(void **state) {
    away_and_back(*state, &(struct kind){"extents", ".ext", .gone = false}, false);
    teardown(state);
    setup(state);
    away_and_back(*state, &(struct kind){"extents", ".ext", .gone = true}, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(second_copies, setup, teardown),
        cmocka_unit_test_setup_teardown(first_copies, setup, teardown),
        cmocka_unit_test_setup_teardown(segments, setup, teardown),
        cmocka_unit_test_setup_teardown(extents, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
