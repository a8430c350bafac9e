// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A store so young that it has neither a table nor a segment, and no manifest any more: the journal has all of it.
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jetstream/store/check.h"
#include "server/base/errors.h"
#include "test/unit/jetstream/store/store_driver.h"

#define MESSAGES 200u
#define LARGE (300u * 1024)

static int setup(void **state) {
    static struct driver d;
    driver_init(&d, 2);
    assert_int_equal(driver_open(&d), 0);
    struct mg_stream *s = driver_stream(&d, 0, "S", NULL);
    driver_stream(&d, 1, "T", NULL);
    for (unsigned i = 0; i < MESSAGES; i++)
        assert_int_equal(driver_publish(&d, s, i % 2 ? "s.a" : "s.b", i == 7 ? LARGE : 1000, 0), 0);
    driver_run(&d, driver_quiet);
    d.open++;
    assert_int_equal(mg_stream_remove(s, 3, false, &d), 0);
    driver_run(&d, driver_quiet);
    assert_int_equal(d.failed, 0);
    assert_int_equal(mg_store_status(d.store).checkpoints, 0);
    driver_close(&d);
    *state = &d;
    return 0;
}

static int teardown(void **state) {
    driver_fini(*state);
    return 0;
}

static char told[65536];
static void hear(void *arg, enum mg_check_verdict meaning, const char *text) {
    (void)arg;
    size_t n = strlen(told);
    snprintf(told + n, sizeof(told) - n, "%d %s\n", meaning, text);
}

static void lose(struct driver *d, const char *file) {
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", d->dir, file);
    assert_int_equal(unlink(path), 0);
}

static void rebuilt_from_the_journal(void **state) {
    struct driver *d = *state;
    struct mg_stream_state now;
    lose(d, "manifest-0");
    lose(d, "manifest-1");
    assert_int_equal(driver_open(d), MG_ECORRUPT);
    told[0] = '\0';
    assert_int_equal(mg_store_rebuild(d->dir, hear, NULL), MG_CHECK_LOST);
    assert_non_null(strstr(told, "No manifest can be read"));
    for (int again = 0; again < 2; again++) {
        assert_int_equal(driver_open(d), 0);
        struct mg_stream *s = driver_find(d, "S");
        assert_non_null(s);
        assert_non_null(driver_find(d, "T"));
        for (unsigned seq = 1; seq <= MESSAGES; seq++)
            assert_int_equal(driver_read(d, s, seq), seq == 3 ? MG_ENOTFOUND : 0);
        assert_int_equal(driver_publish(d, s, "s.c", 1000, 0), 0);
        driver_run(d, driver_quiet);
        assert_int_equal(mg_stream_state(s, &now), 0);
        assert_int_equal(now.last, MESSAGES + 1 + (unsigned)again);
        assert_int_equal(now.msgs, MESSAGES + (unsigned)again);
        assert_int_equal(now.lost + now.lost_operations, 0);
        driver_close(d);
        told[0] = '\0';
        assert_int_equal(mg_store_check(d->dir, hear, NULL), MG_CHECK_HEALTHY);
    }
}

// Without the ring nothing is left.
static void without_a_journal(void **state) {
    struct driver *d = *state;
    lose(d, "manifest-0");
    lose(d, "manifest-1");
    lose(d, "journal/ring-00000");
    told[0] = '\0';
    assert_int_equal(mg_store_rebuild(d->dir, hear, NULL), MG_CHECK_LOST);
    assert_non_null(strstr(told, "no file that tells the store's salt"));
}

// The journal's folder is not mounted at one start, or empty: nothing is served, nothing is changed.
static void the_journal_is_away(void **state) {
    struct driver *d = *state;
    struct mg_stream_state now;
    char journal[128], away[128];
    snprintf(journal, sizeof(journal), "%s/journal", d->dir);
    snprintf(away, sizeof(away), "%s/away", d->dir);
    for (int empty = 0; empty < 2; empty++) {
        assert_int_equal(rename(journal, away), 0);
        if (empty) assert_int_equal(mkdir(journal, 0700), 0);
        assert_true(driver_open(d) != 0);
        assert_non_null(strstr(d->error, "all files of the journal are away"));
        told[0] = '\0';
        assert_int_equal(mg_store_check(d->dir, hear, NULL), MG_CHECK_LOST);
        assert_non_null(strstr(told, "all files of the journal are away"));
        if (empty) assert_int_equal(rmdir(journal), 0);
        assert_int_equal(rename(away, journal), 0);
        assert_int_equal(driver_open(d), 0);
        assert_int_equal(mg_stream_state(driver_find(d, "S"), &now), 0);
        assert_int_equal(now.msgs, MESSAGES - 1);
        driver_close(d);
    }
    assert_int_equal(rename(journal, away), 0);
    assert_int_equal(mg_store_rebuild(d->dir, hear, NULL), MG_CHECK_LOST);
    assert_non_null(strstr(told, "what was only there is lost"));
    assert_int_equal(driver_open(d), 0);
    assert_null(driver_find(d, "S"));
    driver_close(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rebuilt_from_the_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(the_journal_is_away, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
