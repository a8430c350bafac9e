// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// One of two copies is whole, but belongs elsewhere, or is not there. The other one is enough for a start, a check says
// "damaged", not "lost", and the scrub makes it two good ones again.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "jetstream/store/check.h"
#include "server/base/errors.h"
#include "test/unit/jetstream/store/store_driver.h"

enum { ROUNDS = 2, MESSAGES = 20 };

static uint64_t wanted; // checkpoints, or passes of the scrub
static bool has_checkpoints(struct driver *d) {
    struct mg_store_status s = mg_store_status(d->store);
    return s.checkpoints >= wanted && s.resting;
}
static bool has_scrubbed(struct driver *d) {
    struct mg_store_status s = mg_store_status(d->store);
    return s.scrubs >= wanted && s.resting;
}

static void publish_and_checkpoint(struct driver *d, struct mg_stream *s) {
    for (int k = 0; k < MESSAGES; k++) assert_int_equal(driver_publish(d, s, "a", 100, 0), 0);
    driver_run(d, driver_quiet);
    wanted = mg_store_status(d->store).checkpoints + 1;
    mg_store_press(d->store);
    driver_run(d, has_checkpoints);
}

// Two tables of the same size, and two segments.
static int setup(void **state) {
    static struct driver d;
    driver_init(&d, 1);
    assert_int_equal(driver_open(&d), 0);
    struct mg_stream *s = driver_stream(&d, 0, "S", NULL);
    for (int i = 0; i < ROUNDS; i++) publish_and_checkpoint(&d, s);
    driver_close(&d);
    *state = &d;
    return 0;
}

static int teardown(void **state) {
    driver_fini(*state);
    return 0;
}

// The two files of a folder that end so. Of tables only those that are there twice.
static void two_files(struct driver *d, const char *folder, const char *suffix, char out[2][192]) {
    char path[128], copy[192];
    unsigned n = 0;
    snprintf(path, sizeof(path), "%s/%s", d->dir, folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        if (strstr(e->d_name, suffix) == NULL) continue;
        snprintf(copy, sizeof(copy), "%s/%.16s.dup", path, e->d_name);
        if (strcmp(suffix, ".run") == 0 && access(copy, F_OK) != 0) continue;
        assert_true(n < 2);
        snprintf(out[n++], sizeof(out[0]), "%s/%.30s", path, e->d_name);
    }
    closedir(dir);
    assert_int_equal(n, 2);
}

static void swap(char files[2][192]) {
    char aside[200];
    snprintf(aside, sizeof(aside), "%s~", files[0]);
    assert_int_equal(rename(files[0], aside), 0);
    assert_int_equal(rename(files[1], files[0]), 0);
    assert_int_equal(rename(aside, files[1]), 0);
}

static void overwrite_end(const char *path, const char *from, off_t end, size_t n) {
    char page[8192];
    int in = open(from, O_RDONLY), out = open(path, O_WRONLY);
    assert_true(in >= 0 && out >= 0 && n <= sizeof(page));
    assert_int_equal(pread(in, page, n, lseek(in, 0, SEEK_END) - end), n);
    assert_int_equal(pwrite(out, page, n, lseek(out, 0, SEEK_END) - end), n);
    close(in);
    close(out);
}

static char told[65536];
static void hear(void *arg, enum mg_check_verdict meaning, const char *text) {
    (void)arg;
    size_t n = strlen(told);
    snprintf(told + n, sizeof(told) - n, "%d %s\n", meaning, text);
}

static void check_says(struct driver *d, enum mg_check_verdict want) {
    told[0] = '\0';
    enum mg_check_verdict v = mg_store_check(d->dir, hear, NULL);
    if (v != want) print_error("%s", told);
    assert_int_equal(v, want);
}

static void all_is_there(struct driver *d) {
    struct mg_stream *s = driver_find(d, "S");
    assert_non_null(s);
    for (uint64_t seq = 1; seq <= ROUNDS * MESSAGES; seq++) assert_int_equal(driver_read(d, s, seq), 0);
    assert_int_equal(mg_store_status(d->store).lost_messages, 0);
}

// `files`: that the scrub must find damaged, and write again.
static void survives(struct driver *d, unsigned files) {
    check_says(d, MG_CHECK_DAMAGED);
    assert_int_equal(driver_open(d), 0);
    all_is_there(d);
    publish_and_checkpoint(d, driver_find(d, "S")); // a segment is written again when there was one in this life
    wanted = 1;
    mg_store_scrub(d->store);
    driver_run(d, has_scrubbed);
assert_int_equal(mg_store_status(d->store).scrub_damaged, files);
    assert_int_equal(mg_store_status(d->store).scrub_healed, files);
    all_is_there(d);
    driver_close(d);
    check_says(d, MG_CHECK_HEALTHY);
    assert_int_equal(driver_open(d), 0);
    all_is_there(d);
}

static void first_copies_swapped(void **state) {
    char files[2][192];
    two_files(*state, "tables", ".run", files);
    swap(files);
    survives(*state, 2);
}

static void second_copies_swapped(void **state) {
    char files[2][192];
    two_files(*state, "tables", ".dup", files);
    swap(files);
    survives(*state, 2);
}

static void a_missing_first_copy(void **state) {
    char files[2][192];
    two_files(*state, "tables", ".run", files);
    assert_int_equal(unlink(files[0]), 0);
    survives(*state, 1);
}

static void a_missing_second_copy(void **state) {
    char files[2][192];
    two_files(*state, "tables", ".dup", files);
    assert_int_equal(unlink(files[1]), 0);
    survives(*state, 1);
}

static void a_short_copy(void **state) {
    char files[2][192];
    two_files(*state, "tables", ".run", files);
    assert_int_equal(truncate(files[1], 4096), 0);
    survives(*state, 1);
}

// The feet of a table, of a segment.
static void feet_of_another(void **state) {
    char files[2][192];
    two_files(*state, "tables", ".run", files);
    overwrite_end(files[0], files[1], 8192, 8192);
    survives(*state, 1);
}

static void a_foot_of_another(void **state) {
    char files[2][192];
    two_files(*state, "segments", ".seg", files);
    overwrite_end(files[0], files[1], 4096, 4096);
    overwrite_end(files[1], files[0], 8192, 4096);
    survives(*state, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_copies_swapped, setup, teardown),
        cmocka_unit_test_setup_teardown(second_copies_swapped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_first_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_second_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(a_short_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(feet_of_another, setup, teardown),
        cmocka_unit_test_setup_teardown(a_foot_of_another, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
