// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/log_writer.h"
#include "test/unit/cmocka_inc.h"

struct fixture {
    char dir[64];
    char file[96];
    char err[512];
    struct mg_log log;
    struct mg_options o;
    struct mg_log_writer *w;
};

static int setup(void **state) {
    struct fixture *f = mg_zalloc(sizeof(*f));
    snprintf(f->dir, sizeof(f->dir), "/tmp/midge-log-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->file, sizeof(f->file), "%s/server.log", f->dir);
    mg_log_init(&f->log, 64);
    f->o.log_file = f->file;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    DIR *dir = opendir(f->dir);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.') unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
    rmdir(f->dir);
    mg_log_fini(&f->log);
    mg_free(f);
    return 0;
}

static void start(struct fixture *f) {
    assert_int_equal(mg_log_writer_start(&f->w, &f->log, &f->o, "midge-test", f->err, sizeof(f->err)), MG_OK);
}

// The file's text with the pid taken out: "[INF] ..." lines. The caller frees.
static char *read_log(const char *path) {
    char prefix[32], line[1024];
    struct mg_buf b = MG_BUF_INIT;
    int n = snprintf(prefix, sizeof(prefix), "[%d] ", (int)getpid());
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    while (fgets(line, sizeof(line), in) != NULL) {
        assert_memory_equal(line, prefix, (size_t)n);
        mg_buf_adds(&b, line + n);
    }
    fclose(in);
    mg_buf_addc(&b, '\0');
    return b.p;
}

static void expect_log(const char *path, const char *want) {
    char *text = read_log(path);
    assert_string_equal(text, want);
    mg_free(text);
}

static unsigned count_files(const char *dir_name) {
    DIR *dir = opendir(dir_name);
    unsigned n = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.') n++;
    closedir(dir);
    return n;
}

static void lines_are_appended_and_flushed(void **state) {
    struct fixture *f = *state;
    for (int round = 0; round < 2; round++) {
        start(f);
        mg_log_inf(&f->log, "round %d", round);
        mg_log_dbg(&f->log, "not on");
        mg_log_writer_stop(f->w);
    }
    expect_log(f->file, "[INF] round 0\n[INF] round 1\n");
    struct stat st;
    assert_int_equal(stat(f->file, &st), 0);
    assert_int_equal((st.st_mode & 0777) | 0640, 0640);
}

static void a_fatal_line_is_out_when_the_call_returns(void **state) {
    struct fixture *f = *state;
    start(f);
    mg_log_inf(&f->log, "before");
    mg_log_ftl(&f->log, "the end");
    expect_log(f->file, "[INF] before\n[FTL] the end\n");
    mg_log_writer_stop(f->w);
}

static void a_large_file_is_rotated_and_old_ones_purged(void **state) {
    struct fixture *f = *state;
    f->o.log_size_limit = 100;
    f->o.log_max_num = 3;
    start(f);
    char *text;
    mg_log_inf(&f->log, "%0100d", 1);
    mg_log_writer_flush(f->w);
    text = read_log(f->file);
    assert_memory_equal(text, "[INF] Rotated log, backup saved as \"/tmp/midge-log-", 51);
    assert_string_equal(text + strlen(text) - 3, "\"\r\n");
    assert_null(strstr(text, "Purged"));
    mg_free(text);
    assert_int_equal(count_files(f->dir), 2);
    for (int i = 0; i < 3; i++) {
        mg_log_inf(&f->log, "%0100d", i);
        mg_log_writer_flush(f->w);
    }
    text = read_log(f->file);
    assert_non_null(strstr(text, "[INF] Purged log file \"server.log.2"));
    mg_free(text);
    assert_int_equal(count_files(f->dir), 3);
    mg_log_writer_stop(f->w);
}

static void a_file_over_the_limit_is_rotated_at_the_start(void **state) {
    struct fixture *f = *state;
    start(f);
    mg_log_inf(&f->log, "%0200d", 1);
    mg_log_writer_stop(f->w);
    f->o.log_size_limit = 100;
    start(f);
    mg_log_writer_stop(f->w);
    char *text = read_log(f->file);
    assert_non_null(strstr(text, "Rotated log, backup saved as"));
    mg_free(text);
    assert_int_equal(count_files(f->dir), 2);
}

static void reopen_follows_a_moved_file(void **state) {
    struct fixture *f = *state;
    char moved[128];
    snprintf(moved, sizeof(moved), "%s.moved", f->file);
    start(f);
    mg_log_inf(&f->log, "old");
    mg_log_writer_flush(f->w);
    assert_int_equal(rename(f->file, moved), 0);
    mg_log_inf(&f->log, "still old");
    mg_log_writer_reopen(f->w);
    mg_log_writer_flush(f->w);
    mg_log_inf(&f->log, "new");
    mg_log_writer_stop(f->w);
    expect_log(moved, "[INF] old\n[INF] still old\n");
    expect_log(f->file, "[INF] File log re-opened\n[INF] new\n");
}

static void reload_switches_between_two_lines(void **state) {
    struct fixture *f = *state;
    char other[128];
    snprintf(other, sizeof(other), "%s.2", f->file);
    start(f);
    mg_log_inf(&f->log, "one");
    struct mg_options o = f->o;
    o.log_file = other;
    o.debug = true;
    assert_int_equal(mg_log_writer_reload(f->w, &o, f->err, sizeof(f->err)), MG_OK);
    mg_log_writer_flush(f->w);
    mg_log_dbg(&f->log, "two");
    char bad[] = "/nonexistent-dir/x";
    o.log_file = bad;
    assert_int_equal(mg_log_writer_reload(f->w, &o, f->err, sizeof(f->err)), MG_EIO);
    assert_string_equal(f->err, "error opening file: open /nonexistent-dir/x: no such file or directory");
    mg_log_dbg(&f->log, "three");
    mg_log_writer_stop(f->w);
    expect_log(f->file, "[INF] one\n");
    expect_log(other, "[DBG] two\n[DBG] three\n");
}

static void dropped_lines_are_reported(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 70; i++) mg_log_inf(&f->log, "x"); // nobody takes them out yet
    start(f);
    mg_log_writer_stop(f->w);
    char *text = read_log(f->file);
    assert_non_null(strstr(text, "[WRN] 6 lines dropped\n"));
    mg_free(text);
}

// A local socket stands in for a syslog daemon.
static void syslog_gets_the_bare_text(void **state) {
    struct fixture *f = *state;
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    char url[160], got[256], want[64];
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/log", f->dir);
    snprintf(url, sizeof(url), "unix://%s", sa.sun_path);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    f->o.log_file = NULL;
    f->o.remote_syslog = url;
    start(f);
    mg_log_wrn(&f->log, "hello");
    mg_log_writer_reopen(f->w);
    mg_log_writer_stop(f->w);
    ssize_t n = recv(fd, got, sizeof(got) - 1, 0);
    assert_true(n > 0);
    got[n] = '\0';
    assert_memory_equal(got, "<28>2", 5); // daemon.warning, then the time
    snprintf(want, sizeof(want), " midge-test[%d]: hello\n", (int)getpid());
    assert_string_equal(got + strlen(got) - strlen(want), want);
    n = recv(fd, got, sizeof(got) - 1, 0);
    assert_true(n > 0);
    got[n] = '\0';
    assert_non_null(strstr(got, ": File log re-open ignored, not a file logger\n"));
    close(fd);
}

static void bad_sinks_are_refused(void **state) {
    struct fixture *f = *state;
    char url[] = "http://x:1";
    f->o.log_file = NULL;
    f->o.remote_syslog = url;
    assert_int_equal(mg_log_writer_start(&f->w, &f->log, &f->o, "t", f->err, sizeof(f->err)), MG_EINVAL);
    assert_string_equal(f->err, "error invalid network type: \"http\"");
    char gone[] = "unix:///nonexistent-dir/log";
    f->o.remote_syslog = gone;
    assert_int_equal(mg_log_writer_start(&f->w, &f->log, &f->o, "t", f->err, sizeof(f->err)), MG_EIO);
    assert_memory_equal(f->err, "error connecting to syslog: ", 28);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(lines_are_appended_and_flushed),
        TEST(a_fatal_line_is_out_when_the_call_returns),
        TEST(a_large_file_is_rotated_and_old_ones_purged),
        TEST(a_file_over_the_limit_is_rotated_at_the_start),
        TEST(reopen_follows_a_moved_file),
        TEST(reload_switches_between_two_lines),
        TEST(dropped_lines_are_reported),
        TEST(syslog_gets_the_bare_text),
        TEST(bad_sinks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
