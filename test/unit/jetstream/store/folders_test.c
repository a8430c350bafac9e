// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A folder of the store is missing at a start: it is made again, what was in it is told and counted, and everything
// that needs the folder works.
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jetstream/store/check.h"
#include "server/base/errors.h"
#include "test/unit/jetstream/store/store_driver.h"

#define MESSAGES 40u // half of them in a segment
#define LARGE    (300u * 1024)

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

// The last one is large.
static void publish(struct driver *d, unsigned n) {
    for (unsigned i = 1; i <= n; i++) {
        assert_int_equal(driver_publish(d, driver_find(d, "S"), "s.a", i == n ? LARGE : 500, 0), 0);
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
    driver_close(&d);
    *state = &d;
    return 0;
}

static int teardown(void **state) {
    driver_fini(*state);
    return 0;
}

static void rename_folder(const struct driver *d, const char *from, const char *to) {
    char a[128], b[128];
    snprintf(a, sizeof(a), "%s/%s", d->dir, from);
    snprintf(b, sizeof(b), "%s/%s", d->dir, to);
    assert_int_equal(rename(a, b), 0);
}

static bool is_there(const struct driver *d, const char *folder) {
    char path[128];
    struct stat about;
    snprintf(path, sizeof(path), "%s/%s", d->dir, folder);
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static char told[65536];
static void hear(void *arg, enum mg_check_verdict meaning, const char *text) {
    (void)arg;
    size_t n = strlen(told);
    snprintf(told + n, sizeof(told) - n, "%d %s\n", meaning, text);
}

// Messages from..to of S are lost, and told as such; the others can be read.
static void expect_lost(struct driver *d, uint64_t from, uint64_t to) {
    struct mg_stream *s = driver_find(d, "S");
    for (uint64_t seq = 1; seq <= MESSAGES; seq++) {
        int err = driver_read(d, s, seq);
        assert_int_equal(err != 0, seq >= from && seq <= to);
    }
    struct mg_stream_state now;
    while (mg_stream_state(s, &now) == MG_EAGAIN) {
        d->open++;
        mg_stream_barrier(s, d);
        driver_run(d, driver_quiet);
    }
    assert_int_equal(now.lost, to - from + 1);
}

static void expect_service(struct driver *d) {
    publish(d, 3);
    uint64_t last = d->last_seq;
    checkpoint(d);
    for (int again = 0; again < 2; again++) {
        for (uint64_t seq = last - 2; seq <= last; seq++) assert_int_equal(driver_read(d, driver_find(d, "S"), seq), 0);
        driver_close(d);
        assert_int_equal(driver_open(d), 0);
    }
    driver_close(d);
}

static void no_segments(void **state) {
    struct driver *d = *state;
    rename_folder(d, "segments", "away");
    told[0] = '\0';
    assert_int_equal(mg_store_check(d->dir, hear, NULL), MG_CHECK_LOST);
    assert_false(is_there(d, "segments"));
    assert_int_equal(driver_open(d), 0);
    assert_true(driver_said(d, "the folder segments was missing; it was made again"));
    assert_true(driver_said(d, "is missing"));
    assert_true(is_there(d, "segments"));
    assert_int_equal(mg_store_status(d->store).lost_messages, MESSAGES / 2);
    expect_lost(d, 1, MESSAGES / 2);
    expect_service(d);
}

// Nothing is made where the start is refused.
static void no_tables(void **state) {
    struct driver *d = *state;
    rename_folder(d, "tables", "away");
    assert_true(driver_open(d) != 0);
    assert_non_null(strstr(d->error, "nothing was changed"));
    assert_false(is_there(d, "tables"));
    told[0] = '\0';
    assert_int_equal(mg_store_rebuild(d->dir, hear, NULL), MG_CHECK_LOST);
    assert_non_null(strstr(told, "it is called recovered-1\n"));
    assert_true(is_there(d, "tables"));
    assert_int_equal(driver_open(d), 0);
    struct mg_stream *s = driver_find(d, "recovered-1");
    assert_non_null(s);
    assert_int_equal(mg_stream_config(s).n, 0);
    for (uint64_t seq = 1; seq <= MESSAGES / 2; seq++) assert_int_equal(driver_read(d, s, seq), 0);
    driver_close(d);
}

static void no_journal(void **state) {
    struct driver *d = *state;
    rename_folder(d, "journal", "away");
    assert_true(driver_open(d) != 0);
    assert_false(is_there(d, "journal"));
    told[0] = '\0';
    assert_int_equal(mg_store_rebuild(d->dir, hear, NULL), MG_CHECK_LOST);
    assert_non_null(strstr(told, "what was only there is lost"));
    assert_int_equal(driver_open(d), 0);
    expect_service(d);
}

// The one large message that no checkpoint has copied.
static void no_extents(void **state) {
    struct driver *d = *state;
    rename_folder(d, "extents", "away");
    assert_int_equal(driver_open(d), 0);
    expect_lost(d, MESSAGES, MESSAGES);
    expect_service(d);
    assert_true(is_there(d, "extents"));
}

// The oldest table with a second copy loses both of them.
static void lose_first_table(const struct driver *d) {
    char path[160], first[32] = "";
    snprintf(path, sizeof(path), "%s/tables", d->dir);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        if (strstr(e->d_name, ".dup") == NULL) continue;
        if (first[0] == '\0' || strcmp(e->d_name, first) < 0) snprintf(first, sizeof(first), "%.20s", e->d_name);
    }
    closedir(dir);
    assert_int_equal(strlen(first), 20);
    snprintf(path, sizeof(path), "%s/tables/%s", d->dir, first);
    assert_int_equal(unlink(path), 0);
    memcpy(strstr(path, ".dup"), ".run", 4);
    assert_int_equal(unlink(path), 0);
}

static void recovered_names_are_unique(void **state) {
    struct driver *d = *state;
    assert_int_equal(driver_open(d), 0);
    driver_stream(d, 0, "recovered-1", NULL);
    driver_run(d, driver_quiet);
    checkpoint(d);
    driver_close(d);
    lose_first_table(d);
    told[0] = '\0';
    assert_int_equal(mg_store_rebuild(d->dir, hear, NULL), MG_CHECK_LOST);
    assert_non_null(strstr(told, "it is called recovered-1-2\n"));
    assert_int_equal(driver_open(d), 0);
    assert_non_null(driver_find(d, "recovered-1"));
    assert_int_equal(driver_read(d, driver_find(d, "recovered-1-2"), 1), 0);
    driver_close(d);
}

static void no_store(void **state) {
    struct driver *d = *state;
    char path[128];
    snprintf(path, sizeof(path), "%s/nothing", d->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    told[0] = '\0';
    assert_int_equal(mg_store_rebuild(path, hear, NULL), MG_CHECK_LOST);
    assert_non_null(strstr(told, "There is no store in "));
    assert_int_equal(rmdir(path), 0); // it is empty
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(no_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(no_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(no_extents, setup, teardown),
        cmocka_unit_test_setup_teardown(recovered_names_are_unique, setup, teardown),
        cmocka_unit_test_setup_teardown(no_store, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
