// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The end of the journal after a power cut that has torn a page within itself: what --check-store and a server make of
// it. The journal's own part of it is in journal_test.c.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jetstream/store/check.h"
#include "jetstream/store/page.h"
#include "test/unit/jetstream/store/store_driver.h"

#define PAGE MG_PAGE_BYTES_MIN

static int setup(void **state) {
    static struct driver d;
    driver_init(&d, 1);
    assert_int_equal(driver_open(&d), 0);
    struct mg_stream *s = driver_stream(&d, 0, "S", NULL);
    for (int i = 0; i < 3; i++) assert_int_equal(driver_publish(&d, s, "s.told", 100, 0), 0);
    driver_run(&d, driver_quiet);
    // One turn, so one commit of some pages.
    for (int i = 0; i < 5; i++) assert_int_equal(driver_publish(&d, s, "s.end", 3000, 0), 0);
    driver_run(&d, driver_quiet);
    assert_int_equal(d.failed, 0);
    driver_close(&d);
    *state = &d;
    return 0;
}

static int teardown(void **state) {
    driver_fini(*state);
    return 0;
}

static char told[8192];
static void hear(void *arg, enum mg_check_verdict meaning, const char *text) {
    (void)arg;
    size_t n = strlen(told);
    snprintf(told + n, sizeof(told) - n, "%d %s\n", meaning, text);
}

static enum mg_check_verdict check(struct driver *d) {
    told[0] = '\0';
    return mg_store_check(d->dir, hear, NULL);
}

static void hears(const char *text) {
    if (strstr(told, text) == NULL) print_error("%s is not in:\n%s", text, told);
    assert_non_null(strstr(told, text));
}

// The power went during the last commit with records: what was written later is not there. Returns its second page in
// the first file of the ring, which is open then.
static off_t cut(struct driver *d, int *fd) {
    char path[128];
    uint8_t page[PAGE];
    const uint8_t zeros[PAGE] = {0};
    off_t second = 0;
    struct mg_page h, last = {0};
    snprintf(path, sizeof(path), "%s/journal/ring-00000", d->dir);
    *fd = open(path, O_RDWR);
    assert_true(*fd >= 0);
    for (off_t at = 0; pread(*fd, page, PAGE, at) == PAGE; at += PAGE) {
        mg_page_unpack(&h, page);
        if (h.kind == MG_PAGE_RECORDS && h.index == 1) second = at;
        if (h.kind == MG_PAGE_RECORDS) last = h;
    }
    assert_true(last.count > 3 && second == (off_t)(last.page - last.index + 1) * PAGE);
    off_t behind = (off_t)(last.page + 1) * PAGE;
    for (off_t at = behind; at < behind + 4 * PAGE; at += PAGE) assert_int_equal(pwrite(*fd, zeros, PAGE, at), PAGE);
    return second;
}

static void nothing_acknowledged_is_in_it(void **state) {
    struct driver *d = *state;
    struct mg_stream_state now;
    int fd;
    const uint8_t zeros[1024] = {0};
    off_t second = cut(d, &fd);
    assert_int_equal(check(d), MG_CHECK_HEALTHY);
    hears("with 8 messages");
    assert_int_equal(pwrite(fd, zeros, sizeof(zeros), second + 1024), sizeof(zeros));
    close(fd);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(check(d), MG_CHECK_HEALTHY);
        if (i == 0) hears("the end of the journal is torn; nothing that was acknowledged");
        hears("1 streams with 3 messages: nothing is wrong");
        assert_int_equal(driver_open(d), 0);
        assert_int_equal(mg_stream_state(driver_find(d, "S"), &now), 0);
        assert_int_equal(now.last, 3);
        assert_int_equal(now.lost + now.lost_operations, 0);
        assert_int_equal(mg_store_status(d->store).damaged_pages, 0);
        driver_close(d);
    }
}

// Rotten, not torn: these messages may have been acknowledged, and they are counted.
static void something_acknowledged_may_be_in_it(void **state) {
    struct driver *d = *state;
    struct mg_stream_state now;
    int fd;
    off_t second = cut(d, &fd);
    assert_int_equal(pwrite(fd, "rotten", 6, second + 1024), 6);
    close(fd);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(check(d), MG_CHECK_LOST);
        hears("operations are missing");
        assert_int_equal(driver_open(d), 0);
        assert_int_equal(mg_stream_state(driver_find(d, "S"), &now), 0);
        assert_int_equal(now.last, 8);
        assert_true(now.lost > 0 && now.lost_operations == now.lost);
        driver_close(d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_acknowledged_is_in_it, setup, teardown),
        cmocka_unit_test_setup_teardown(something_acknowledged_may_be_in_it, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
