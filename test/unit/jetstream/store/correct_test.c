// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Segments are damaged so that whole ranges of messages cannot be read, limits take what is there, and the counters
// must become right again: all of them, also after a restart, and without a message that can be read being removed for
// it.
#include "jetstream/store/correct.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jetstream/store/store_impl.h"
#include "server/base/errors.h"
#include "test/unit/jetstream/store/store_driver.h"

#define SEGMENTS 3
#define MESSAGES 2000u // in each of them
#define SIZE 500u
#define RECORD 568u // 64 bytes, subject, payload, up to a multiple of 8
#define STORED (30u + 3u + SIZE)

static struct mg_stream *target;
static uint64_t sent, until;

static bool fill(struct driver *d) {
    char subject[16];
    while (d->open < 64 && sent < until) {
        uint64_t seq = ++sent;
        // Some subjects have one message only, all of them in what will be damaged.
        if (seq >= 900 && seq < 910) snprintf(subject, sizeof(subject), "x.%u", (unsigned)(seq - 900));
        else snprintf(subject, sizeof(subject), "s.%u", (unsigned)(seq % 10));
        assert_int_equal(driver_publish(d, target, subject, SIZE, 0), 0);
    }
    return sent == until && d->open == 0;
}

static uint64_t checkpoints;
static bool has_checkpoint(struct driver *d) {
    struct mg_store_status now = mg_store_status(d->store);
    return now.checkpoints >= checkpoints && now.resting;
}

static void checkpoint(struct driver *d) {
    driver_run(d, driver_quiet);
    checkpoints = mg_store_status(d->store).checkpoints + 1;
    mg_store_press(d->store);
    driver_run(d, has_checkpoint);
}

static int setup(void **state) {
    static struct driver d;
    driver_init(&d, 2);
    assert_int_equal(driver_open(&d), 0);
    target = driver_stream(&d, 1, "S", NULL);
    sent = 0;
    for (int i = 1; i <= SEGMENTS; i++) {
        until = MESSAGES * (uint64_t)i;
        driver_run(&d, fill);
        checkpoint(&d);
    }
    assert_int_equal(d.failed, 0);
    driver_close(&d);
    *state = &d;
    return 0;
}

static int teardown(void **state) {
    driver_fini(*state);
    return 0;
}

// The n-th file of a kind. False: there are not so many.
static bool nth_file(const struct driver *d, const char *folder, const char *suffix, unsigned n, char out[128]) {
    char path[100], names[64][32], name[32];
    unsigned count = 0;
    snprintf(path, sizeof(path), "%s/%s", d->dir, folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) && count < 64;) {
        if (strstr(e->d_name, suffix)) snprintf(names[count++], sizeof(names[0]), "%.31s", e->d_name);
    }
    closedir(dir);
    for (unsigned i = 0; i + 1 < count; i++) {
        for (unsigned k = i + 1; k < count; k++) {
            if (strcmp(names[i], names[k]) <= 0) continue;
            memcpy(name, names[i], sizeof(name));
            memcpy(names[i], names[k], sizeof(name));
            memcpy(names[k], name, sizeof(name));
        }
    }
    if (n < count) snprintf(out, 128, "%s/%s", path, names[n]);
    return n < count;
}

// The n-th segment.
static void path_of(const struct driver *d, unsigned n, char out[128]) {
    assert_true(nth_file(d, "segments", ".seg", n, out));
}

// Of the n-th segment, what lies between two hundredths of the file: records, and what finds them.
static void spoil(const struct driver *d, unsigned n, unsigned from, unsigned to) {
    char path[128], garbage[4096];
    struct stat st;
    path_of(d, n, path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    memset(garbage, 0xa5, sizeof(garbage));
    for (off_t at = st.st_size / 100 * from; at < st.st_size / 100 * to; at += (off_t)sizeof(garbage))
        assert_int_equal(pwrite(fd, garbage, sizeof(garbage), at), sizeof(garbage));
    close(fd);
}

// All that finds the first thousand messages of a segment, too: where records are damaged nobody knows what was there.
static void spoil_range(const struct driver *d, unsigned n, unsigned from, unsigned to) {
    char path[128];
    spoil(d, n, from, to);
    path_of(d, n, path);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "damage", 6, 64 + MESSAGES * RECORD + 64), 6);
    close(fd);
}

static void spoil_file(const char *path) {
    char garbage[200];
    memset(garbage, 0xa5, sizeof(garbage));
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, garbage, sizeof(garbage), 100), sizeof(garbage));
    close(fd);
}
static void cut_file(const char *path) { assert_int_equal(truncate(path, 100), 0); }

static void each_table_of_subjects(const struct driver *d, void (*what)(const char *path)) {
    char path[128], copy[128];
    for (unsigned i = 0; nth_file(d, "tables", ".run", i, path); i++) {
        snprintf(copy, sizeof(copy), "%s", path);
        memcpy(copy + strlen(copy) - 4, ".dup", 4);
        if (access(copy, F_OK) != 0) what(path); // else a primary one
    }
}

// The rows of all tables of subjects; what finds them is whole.
static void spoil_subjects(const struct driver *d) { each_table_of_subjects(d, spoil_file); }

static void state_of(struct driver *d, struct mg_stream *s, struct mg_stream_state *out) {
    int err;
    while ((err = mg_stream_state(s, out)) == MG_EAGAIN) {
        d->open++;
        mg_stream_barrier(s, d);
        driver_run(d, driver_quiet);
    }
    assert_int_equal(err, 0);
}

static struct mg_stream *reopen(struct driver *d) {
    assert_int_equal(driver_open(d), 0);
    target = driver_find(d, "S");
    assert_non_null(target);
    return target;
}

static void keep(struct driver *d, int64_t max_msgs, int64_t max_bytes) {
    struct mg_stream_limits l = {.max_msgs = max_msgs, .max_bytes = max_bytes};
    d->open++;
    assert_int_equal(mg_stream_configure(target, (mg_slice){NULL, 0}, &l, d), 0);
    driver_run(d, driver_quiet);
}

static bool is_exact(struct driver *d) {
    (void)d;
    return !target->inexact && !target->unsure && mg_list_empty(&target->waiting);
}
static bool is_counted(struct driver *d) {
    (void)d;
    return target->recount == MG_RECOUNT_IDLE && mg_list_empty(&target->waiting);
}

static void await(struct driver *d, bool (*what)(struct driver *d)) {
    mg_store_press(d->store);
    driver_run(d, what);
}

// By reading all of them: how many there are from `first` on, and how many of the subject s.1.
static uint64_t readable(struct driver *d, uint64_t first, uint64_t *unreadable) {
    uint64_t n = 0;
    *unreadable = 0;
    for (uint64_t seq = first; seq <= target->last; seq++) {
        int err = driver_read(d, target, seq);
        n += err == 0;
        *unreadable += err == MG_ECORRUPT;
    }
    return n;
}

static uint64_t count_of(struct driver *d, const char *subject) {
    uint64_t n = 0;
    int err;
    while ((err = mg_stream_subject(target, mg_cstr(subject), &n)) == MG_EAGAIN) {
        d->open++;
        mg_stream_barrier(target, d);
        driver_run(d, driver_quiet);
    }
    return err ? 0 : n;
}

// All counters are those of the last n messages.
static void counts_are(struct driver *d, uint64_t n) {
    struct mg_stream_state now;
    state_of(d, target, &now);
    assert_int_equal(now.msgs, n);
    assert_int_equal(now.bytes, n * STORED);
    assert_int_equal(now.first, now.last + 1 - n);
    assert_int_equal(now.deleted, 0);
    assert_int_equal(now.subjects, n < 10 ? n : 10);
    assert_int_equal(count_of(d, "s.1"), n / 10);
}

// A damaged range at the head goes: what it had is in no counter then.
static void damaged_range_at_the_head(void **state) {
    struct driver *d = *state;
    spoil_range(d, 0, 5, 60);
    reopen(d);
    keep(d, 3000, 0);
    assert_true(target->inexact && target->unsure);
    assert_true(target->msgs > 3000);
    assert_true(target->first > 2500 && target->first <= 3001); // none of these has gone for what went unseen
    uint64_t lost = target->lost;
    assert_true(lost > 500);
    await(d, is_exact);
    counts_are(d, 3000);
    assert_int_equal(target->slack.msgs, 0);
    // From the journal, and from the next checkpoint.
    driver_close(d);
    for (int i = 0; i < 2; i++) {
        reopen(d);
        counts_are(d, 3000);
        assert_int_equal(target->lost, lost);
        if (i == 0) checkpoint(d);
        assert_true(is_exact(d));
        driver_close(d);
    }
    // Limits hold again.
    reopen(d);
    assert_int_equal(driver_publish(d, target, "s.1", SIZE, 0), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(target->first, 3002);
    assert_int_equal(target->msgs, 3000);
    driver_close(d);
}

// What is published meanwhile is counted as well, what is removed is not, and limits of bytes wait, too.
static void changes_meanwhile(void **state) {
    struct driver *d = *state;
    spoil_range(d, 0, 5, 60);
    reopen(d);
    keep(d, 0, 3000 * (int64_t)STORED);
    assert_true(target->unsure);
    assert_true(target->first > 1000 && target->first <= 3001);
    mg_store_press(d->store); // the checkpoint
    for (unsigned i = 0; i < 100; i++) assert_int_equal(driver_publish(d, target, i % 2 ? "s.1" : "y", SIZE, 0), 0);
    d->open++;
    assert_int_equal(mg_stream_remove(target, 4000, false, d), 0);
    driver_run(d, driver_quiet);
    await(d, is_exact);
    struct mg_stream_state now;
    uint64_t unreadable;
    state_of(d, target, &now);
    assert_int_equal(now.msgs, readable(d, now.first, &unreadable));
    assert_int_equal(unreadable, 0);
    assert_int_equal(now.subjects, 11);
    assert_true(now.bytes >= now.msgs * STORED - 100 && now.bytes <= now.msgs * STORED);
    driver_close(d);
}

// As long as something that is there cannot be read, it counts; what can be told is right.
static void damage_that_stays(void **state) {
    struct driver *d = *state;
    uint64_t unreadable;
    spoil_range(d, 0, 5, 60);
    spoil_range(d, 1, 20, 40);
    reopen(d);
    keep(d, 4000, 0); // the first of these segments goes
    await(d, is_counted);
    assert_int_equal(target->first, 2001);
    assert_true(target->inexact);
    assert_int_equal(target->msgs, 4000);
    assert_int_equal(readable(d, 2001, &unreadable) + unreadable, 4000);
    assert_true(unreadable > 300);
    assert_int_equal(target->msgs, 4000);
    assert_true(target->bytes >= (4000 - unreadable) * STORED);
    // It is counted once more when that has gone, too.
    keep(d, 2000, 0);
    await(d, is_exact);
    counts_are(d, 2000);
    driver_close(d);
}

// A whole segment is missing.
static void missing_segment(void **state) {
    struct driver *d = *state;
    char path[128];
    path_of(d, 0, path);
    assert_int_equal(unlink(path), 0);
    reopen(d);
    struct mg_stream_state now;
    state_of(d, target, &now);
    assert_int_equal(now.lost, MESSAGES);
    assert_int_equal(now.msgs, 3 * MESSAGES);
    await(d, is_counted);
    assert_int_equal(target->msgs, 3 * MESSAGES); // it may come back
    keep(d, 4000, 0);
    assert_int_equal(target->first, MESSAGES + 1);
    await(d, is_exact);
    counts_are(d, 4000);
    driver_close(d);
    reopen(d);
    counts_are(d, 4000);
    assert_true(is_exact(d));
    driver_close(d);
}

// All that is left cannot be read: it ages, and the stream is empty.
static void empty_in_the_end(void **state) {
    struct driver *d = *state;
    spoil(d, 2, 0, 95);
    reopen(d);
    keep(d, 1000, 0);
    struct mg_stream_limits l = {.max_age = 1};
    d->open++;
    assert_int_equal(mg_stream_configure(target, (mg_slice){NULL, 0}, &l, d), 0);
    driver_run(d, driver_quiet);
    for (int i = 0; i < 200 && (target->first <= target->last || !target->first_exact); i++) {
        struct mg_stream_state now;
        mg_stream_age_due(&target->age_timer);
        state_of(d, target, &now);
    }
    await(d, is_exact);
    counts_are(d, 0);
    driver_close(d);
}

// The tables know of messages that only the journal has removed. Rows of subjects that are computed do not, for these
// messages cannot be read any more; nothing is lost otherwise.
static void computed_without_what_went(void **state) {
    struct driver *d = *state;
    reopen(d);
    keep(d, 4000, 0); // all of a segment goes
    assert_int_equal(mg_store_status(d->store).checkpoints, 0);
    driver_close(d);
    spoil(d, 0, 0, 101);
    spoil_subjects(d);
    reopen(d);
    assert_int_equal(target->lost, 0);
    struct mg_stream_state now;
    state_of(d, target, &now); // rows are looked up
    assert_true(driver_said(d, "a row of kind U"));
    assert_true(target->inexact);
    await(d, is_exact);
    counts_are(d, 4000);
    driver_close(d);
    reopen(d);
    counts_are(d, 4000);
    assert_true(is_exact(d));
    driver_close(d);
}

// The only message that there was of a subject went when another one came. What is computed does not know of the first
// one, so with the removal of it there seem to be none.
static void newest_is_there(void **state) {
    struct driver *d = *state;
    reopen(d);
    keep(d, 4000, 0);
    assert_int_equal(driver_publish(d, target, "x.1", SIZE, 0), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(mg_store_status(d->store).checkpoints, 0);
    driver_close(d);
    spoil(d, 0, 0, 101);
    spoil_subjects(d);
    reopen(d);
    struct mg_append a = {.subject = MG_S("x.1"), .expect_last = MG_ANY_SEQ, .expect_subject_last = 0};
    d->open++;
    assert_int_equal(mg_stream_append(target, &a, d), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(d->last_err, MG_EWRONGSEQ);
    assert_int_equal(count_of(d, "x.1"), 1);
    assert_true(target->inexact);
    await(d, is_exact);
    assert_int_equal(count_of(d, "x.1"), 1);
    struct mg_stream_state now;
    state_of(d, target, &now);
    assert_int_equal(now.msgs, 4000);
    assert_int_equal(now.subjects, 11);
    driver_close(d);
}

// What was found damaged is known after the next start, though nobody asks for a checkpoint.
static bool knows_lost(struct driver *d) {
    return mg_store_status(d->store).checkpoints > 0 && !target->dirty;
}

static void lost_is_remembered(void **state) {
    struct driver *d = *state;
    uint64_t unreadable;
    spoil(d, 1, 20, 40);
    reopen(d);
    readable(d, 1, &unreadable);
    uint64_t lost = target->lost;
    assert_true(unreadable > 300 && lost >= unreadable);
    driver_run(d, knows_lost);
    driver_close(d);
    reopen(d);
    assert_int_equal(target->lost, lost);
    driver_close(d);
}

// ---- the last message of a subject ----------------------------------------------------------------------------------

static bool has_read;
static void read_done(struct mg_read *r) {
    (void)r;
    has_read = true;
}
static bool is_read(struct driver *d) {
    (void)d;
    return has_read;
}

static struct mg_read ask(struct driver *d, enum mg_read_kind kind, uint64_t seq, const char *filter) {
    mg_slice f = filter ? mg_cstr(filter) : (mg_slice){NULL, 0};
    struct mg_read r = {.kind = kind, .seq = seq, .filters = &f, .filters_len = filter != NULL, .done = read_done};
    has_read = false;
    if (mg_stream_read(target, &r) == MG_EAGAIN) driver_run(d, is_read);
    mg_stream_read_end(&r);
    return r;
}

// Of those that match, NULL: of all. Its number, or what is wrong.
static int64_t last_of(struct driver *d, const char *filter) {
    struct mg_read r = ask(d, MG_READ_LAST, MG_ANY_SEQ, filter);
    return r.err ? r.err : (int64_t)r.msg.seq;
}

// What cannot be read does not hide what can.
static void can_be_counted(struct driver *d, const char *filter, uint64_t n) {
    struct mg_read r = ask(d, MG_READ_COUNT, 1, filter);
    assert_int_equal(r.err, MG_ECORRUPT);
    assert_int_equal(r.count, n);
}

// A publish that expects this number; what it is answered.
static int publish_if(struct driver *d, const char *subject, uint64_t last) {
    struct mg_append a = {.subject = mg_cstr(subject), .expect_last = MG_ANY_SEQ, .expect_subject_last = last};
    uint64_t failed = d->failed;
    d->open++;
    assert_int_equal(mg_stream_append(target, &a, d), 0);
    driver_run(d, driver_quiet);
    return d->failed > failed ? d->last_err : 0;
}

static bool is_healed(struct driver *d) {
    return atomic_load(&d->store->keeping->healed) > 0 && mg_store_status(d->store).resting;
}

// Tables of subjects and the newest segment are damaged, and one that has all messages of some subjects. Nobody can
// tell the last one then: not an older one, and not "there is none".
static void nothing_older_instead(void **state) {
    struct driver *d = *state;
    spoil(d, 0, 0, 101);
    spoil(d, 2, 0, 101);
    spoil_subjects(d);
    reopen(d);
    for (int i = 0; i < 3; i++) { // rows that are computed; from the journal; of a table that was written anew
        assert_int_equal(last_of(d, "s.1"), MG_ECORRUPT);
        assert_int_equal(last_of(d, "x.1"), MG_ECORRUPT);
        assert_int_equal(last_of(d, "x.*"), MG_ECORRUPT);
        assert_int_equal(publish_if(d, "x.2", 0), MG_ECORRUPT);
        can_be_counted(d, "s.*", MESSAGES);
        assert_true(target->inexact);
        if (i == 1) await(d, is_healed);
        driver_close(d);
        reopen(d);
        if (i > 0) assert_true(target->overlooked > 0);
    }
    // What is newer than all of it is known.
    assert_int_equal(driver_publish(d, target, "x.1", SIZE, 0), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(last_of(d, "x.1"), 3 * MESSAGES + 1);
    assert_int_equal(publish_if(d, "x.1", 0), MG_EWRONGSEQ);
    assert_int_equal(publish_if(d, "x.1", 3 * MESSAGES + 1), 0);
    assert_int_equal(last_of(d, "s.1"), MG_ECORRUPT);
    // And when that has gone.
    keep(d, 1, 0);
    await(d, is_exact);
    assert_int_equal(target->overlooked, 0);
    assert_int_equal(last_of(d, "x.1"), 3 * MESSAGES + 2);
    assert_int_equal(last_of(d, "s.1"), MG_ENOTFOUND);
    assert_int_equal(publish_if(d, "x.2", 0), 0);
    driver_close(d);
}

// Tables that cannot be opened are written anew at the start. That they leave something out is not forgotten if that
// was all that the server did.
static void remembered_at_once(void **state) {
    struct driver *d = *state;
    spoil(d, 2, 0, 101);
    each_table_of_subjects(d, cut_file);
    for (int i = 0; i < 2; i++) {
        reopen(d);
        assert_int_equal(target->overlooked, 3 * MESSAGES);
        assert_int_equal(mg_store_status(d->store).checkpoints, 0);
        if (i == 1) assert_int_equal(last_of(d, "s.1"), MG_ECORRUPT);
        if (i == 1) assert_int_equal(last_of(d, "none"), MG_ECORRUPT);
        driver_close(d);
    }
}

// What was in a file that is not there is an error as well.
static void last_is_missing(void **state) {
    struct driver *d = *state;
    char path[128];
    path_of(d, 2, path);
    assert_int_equal(unlink(path), 0);
    reopen(d);
    assert_int_equal(driver_read(d, target, 2 * MESSAGES + 1), MG_ECORRUPT);
    assert_int_equal(driver_read(d, target, 3 * MESSAGES + 1), MG_ENOTFOUND);
    assert_int_equal(last_of(d, NULL), MG_ECORRUPT);
    assert_int_equal(last_of(d, "s.*"), MG_ECORRUPT);
    assert_int_equal(last_of(d, "s.1"), MG_ECORRUPT);
    assert_int_equal(last_of(d, "x.1"), 901); // a row knows it
    assert_int_equal(last_of(d, "none"), MG_ENOTFOUND);
    d->open++;
    assert_int_equal(mg_stream_remove(target, 901, false, d), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(last_of(d, "x.1"), MG_ENOTFOUND);
    assert_int_equal(driver_publish(d, target, "s.1", SIZE, 0), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(last_of(d, "s.1"), 3 * MESSAGES + 1);
    assert_int_equal(last_of(d, "s.*"), 3 * MESSAGES + 1);
    driver_close(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(damaged_range_at_the_head, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_that_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_segment, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_in_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(computed_without_what_went, setup, teardown),
        cmocka_unit_test_setup_teardown(newest_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(lost_is_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_older_instead, setup, teardown),
        cmocka_unit_test_setup_teardown(remembered_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(last_is_missing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
