// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// One slot of the manifest cannot be read at one start, and perhaps can at the next one. What happened behind the last
// change of the manifest must not depend on which slot it is.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jetstream/store/check.h"
#include "jetstream/store/keeper.h"
#include "jetstream/store/store_impl.h"
#include "server/base/errors.h"
#include "test/unit/jetstream/store/store_driver.h"

#define SIZE 4000u

static uint64_t wanted; // checkpoints
static bool rests(struct driver *d) {
    struct mg_store_status s = mg_store_status(d->store);
    return d->open == 0 && s.checkpoints >= wanted && s.resting;
}
static void checkpoint(struct driver *d) {
    wanted = mg_store_status(d->store).checkpoints + 1;
    mg_store_press(d->store);
    driver_run(d, rests);
}

static void publish(struct driver *d, unsigned n) {
    struct mg_stream *s = driver_find(d, "S");
    for (unsigned i = 0; i < n; i++) assert_int_equal(driver_publish(d, s, i % 2 ? "s.a" : "s.b", SIZE, 0), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(d->failed, 0);
}

static uint64_t rounds;

// A round of messages, and a checkpoint. True: tables were merged or segments compacted behind it.
static bool round_of(struct driver *d) {
    struct mg_store_status before = mg_store_status(d->store), now;
    publish(d, 20);
    for (unsigned k = 1; k <= 15; k++) {
        d->open++;
        assert_int_equal(mg_stream_remove(driver_find(d, "S"), rounds * 20 + k, false, d), 0);
    }
    driver_run(d, driver_quiet);
    checkpoint(d);
    rounds++;
    now = mg_store_status(d->store);
    return now.merges + now.compactions > before.merges + before.compactions;
}

// The last change of the manifest: files were replaced by others, and have gone.
static int setup(void **state) {
    static struct driver d;
    driver_init(&d, 1);
    assert_int_equal(driver_open(&d), 0);
    driver_stream(&d, 0, "S", NULL);
    rounds = 0;
    for (bool replaced = false; !replaced || rounds < 8;) replaced = round_of(&d);
    publish(&d, 3);
    driver_close(&d);
    *state = &d;
    return 0;
}

static int teardown(void **state) {
    driver_fini(*state);
    return 0;
}

static void check_messages(struct driver *d, uint64_t last) {
    struct mg_stream_state now;
    struct mg_stream *s = driver_find(d, "S");
    assert_non_null(s);
    for (uint64_t seq = 1; seq <= last; seq++) {
        bool there = seq > rounds * 20 || (seq - 1) % 20 >= 15;
        assert_int_equal(driver_read(d, s, seq), there ? 0 : MG_ENOTFOUND);
    }
    while (mg_stream_state(s, &now) == MG_EAGAIN) {
        d->open++;
        mg_stream_barrier(s, d);
        driver_run(d, driver_quiet);
    }
    assert_int_equal(now.last, last);
    assert_int_equal(now.msgs, last - rounds * 15);
    assert_int_equal(now.lost + now.lost_operations, 0);
    assert_int_equal(mg_store_status(d->store).damaged_pages, 0);
    assert_int_equal(mg_store_status(d->store).lost_messages, 0);
}

static char told[65536];
static void hear(void *arg, enum mg_check_verdict meaning, const char *text) {
    (void)arg;
    size_t n = strlen(told);
    snprintf(told + n, sizeof(told) - n, "%d %s\n", meaning, text);
}
static enum mg_check_verdict check(struct driver *d) {
    told[0] = '\0';
    return mg_store_check(d->dir, hear, NULL);
}

static char *slot_path(struct driver *d, int slot) {
    static char path[128];
    snprintf(path, sizeof(path), "%s/manifest-%d", d->dir, slot);
    return path;
}
static char *aside_path(struct driver *d) {
    static char path[128];
    snprintf(path, sizeof(path), "%s/aside", d->dir);
    return path;
}

static void spoil(struct driver *d, int slot) {
    int fd = open(slot_path(d, slot), O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "\xa5\x5a", 2, 60), 2);
    close(fd);
}

// Whichever slot is damaged, the other one has it all, and the next start finds two good ones.
static void either_slot_is_enough(void **state) {
    struct driver *d = *state;
    uint64_t last = rounds * 20 + 3;
    for (int slot = 0; slot < 4; slot++) {
        spoil(d, slot % 2);
        assert_int_equal(check(d), MG_CHECK_DAMAGED);
        assert_int_equal(driver_open(d), 0);
        assert_true(driver_said(d, "the other one is used"));
        check_messages(d, last);
        publish(d, 2);
        last += 2;
        if (slot >= 2) checkpoint(d);
        driver_close(d);
        assert_int_equal(check(d), MG_CHECK_HEALTHY);
    }
    assert_int_equal(driver_open(d), 0);
    check_messages(d, last);
    driver_close(d);
}

// A slot that can be neither read nor written may come back and be the newer one: nothing is served without it.
static void it_comes_back_as_it_was(void **state) {
    struct driver *d = *state;
    uint64_t last = rounds * 20 + 3;
    for (int slot = 0; slot < 4; slot++) {
        assert_int_equal(rename(slot_path(d, slot % 2), aside_path(d)), 0);
        assert_int_equal(mkdir(slot_path(d, slot % 2), 0700), 0);
        assert_true(driver_open(d) != 0);
        assert_non_null(strstr(d->error, "can neither be read nor written"));
        assert_int_equal(rmdir(slot_path(d, slot % 2)), 0);
        assert_int_equal(rename(aside_path(d), slot_path(d, slot % 2)), 0);
        assert_int_equal(check(d), MG_CHECK_HEALTHY);
        assert_int_equal(driver_open(d), 0);
        check_messages(d, last);
        publish(d, 5);
        last += 5;
        if (slot >= 2) checkpoint(d);
        driver_close(d);
        assert_int_equal(check(d), MG_CHECK_HEALTHY);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(either_slot_is_enough, setup, teardown),
        cmocka_unit_test_setup_teardown(it_comes_back_as_it_was, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
