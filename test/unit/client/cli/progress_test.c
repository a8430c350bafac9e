// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/progress.h"

#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "test/unit/cmocka_inc.h"

#define MS ((uint64_t)1000000)

static void lines(void **state) {
    (void)state;
    char line[512];
    size_t n = cli_progress_line(line, sizeof(line), "[1]", 500, 1000, 12345, 128, 511);
    assert_string_equal(line, "[1]  50% ▕████████████            ▏ 500/1,000  12,345 msgs/sec  1.5 MiB/sec");
    assert_int_equal(n, strlen(line));
    cli_progress_line(line, sizeof(line), "", 1001, 1000, 0, 0, 511);
    assert_string_equal(line, "100% ▕████████████████████████▏ 1,001/1,000");
    cli_progress_line(line, sizeof(line), "", 1, 192, 0, 0, 511);
    assert_string_equal(line, "  0% ▕▏                       ▏ 1/192"); // an eighth of a column
    cli_progress_line(line, sizeof(line), "x", 7, 0, 3, 0, 511);
    assert_string_equal(line, "x 7  3 msgs/sec");
    cli_progress_line(line, sizeof(line), "", 96, 192, 0, 0, 9); // cut between characters
    assert_string_equal(line, " 50% ▕███");
    n = cli_progress_line(line, 4, "abcdef", 7, 0, 0, 0, 511);
    assert_int_equal(n, 3);
}

// What a terminal is sent comes in pieces: reads until `end` is there.
static void read_until(int fd, char *buf, size_t size, const char *end) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    size_t n = 0;
    do {
        assert_int_equal(poll(&p, 1, 10000), 1);
        ssize_t got = read(fd, buf + n, size - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
        buf[n] = '\0';
    } while (!strstr(buf, end));
}

static void on_a_terminal(void **state) {
    (void)state;
    int master, slave;
    struct winsize size = {.ws_row = 24, .ws_col = 100};
    char text[4096];
    setenv("TERM", "xterm", 1);
    assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
    FILE *out = fdopen(slave, "w");
    cli_progress *p = cli_progress_new(out, true, 0);
    cli_progress_add(p, "[1]", 100, 0);
    cli_progress_add(p, "[2]", 100, 0);
    cli_progress_set(p, 0, 50);
    assert_false(cli_progress_draw(p, 99 * MS)); // too early
    assert_true(cli_progress_draw(p, 100 * MS));
    read_until(master, text, sizeof(text), " 0/100\r\n");
    assert_non_null(strstr(text, "[1]  50% "));
    assert_non_null(strstr(text, "[2]   0% "));
    assert_non_null(strstr(text, "  500 msgs/sec"));
    assert_null(strstr(text, "\x1b[2A")); // the first drawing does not go up
    assert_false(cli_progress_draw(p, 150 * MS));
    cli_progress_colour(p, "\x1b[36m");
    cli_progress_set(p, 0, 100);
    cli_progress_finish(p, 1000 * MS);
    read_until(master, text, sizeof(text), "\r\x1b[2K[2] ");
    assert_int_equal(strncmp(text, "\x1b[2A\r\x1b[2K[1] 100% ", 18), 0);
    assert_non_null(strstr(text, "[1] 100% \x1b[36m▕████████████████████████▏ \x1b[0m100/100  "));
    assert_non_null(strstr(text, "  100 msgs/sec")); // of all the time
    assert_false(cli_progress_draw(p, 5000 * MS));
    cli_progress_free(p);
    fclose(out);
    close(master);
}

static void many_bars_are_one(void **state) {
    (void)state;
    int master, slave;
    struct winsize size = {.ws_row = 3, .ws_col = 100};
    char text[4096];
    assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
    FILE *out = fdopen(slave, "w");
    cli_progress *p = cli_progress_new(out, true, 0);
    for (size_t i = 0; i < 5; i++) {
        size_t at = cli_progress_add(p, "bar", 10, 0);
        assert_int_equal(at, i);
        cli_progress_set(p, at, 5);
    }
    assert_true(cli_progress_draw(p, 100 * MS));
    read_until(master, text, sizeof(text), " 25/50");
    assert_non_null(strstr(text, "5 clients  50% "));
    assert_non_null(strstr(text, " 25/50"));
    cli_progress_free(p);
    fclose(out);
    close(master);
}

static void silent_elsewhere(void **state) {
    (void)state;
    FILE *out = tmpfile();
    cli_progress *p = cli_progress_new(out, true, 0);
    cli_progress_add(p, "x", 10, 0);
    assert_false(cli_progress_draw(p, 1000 * MS));
    cli_progress_free(p);
    assert_int_equal(ftell(out), 0);
    fclose(out);
    cli_progress_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(on_a_terminal),
        cmocka_unit_test(many_bars_are_one),
        cmocka_unit_test(silent_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
