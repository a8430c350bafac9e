// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"

static char root[64];

static int setup(void **state) {
    (void)state;
    snprintf(root, sizeof(root), "/tmp/midge-proc-XXXXXX");
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", root);
    return system(command);
}

static void put(const char *dir, const char *name, const char *text) {
    char path[256];
    for (size_t i = 0; dir[i] != '\0'; i++)
        if (dir[i] == '/' || dir[i + 1] == '\0') {
            snprintf(path, sizeof(path), "%s/%.*s", root, (int)(i + 1), dir);
            mkdir(path, 0755);
        }
    snprintf(path, sizeof(path), "%s/%s/%s", root, dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void pid_file(void **state) {
    (void)state;
    char path[128], err[256], got[32] = "", want[32];
    struct stat st;
    snprintf(path, sizeof(path), "%s/pid", root);
    assert_int_equal(mg_pid_file_write(path, err, sizeof(err)), MG_OK);
    FILE *f = fopen(path, "r");
    assert_true(fread(got, 1, sizeof(got) - 1, f) > 0);
    fclose(f);
    snprintf(want, sizeof(want), "%d", (int)getpid());
    assert_string_equal(got, want);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(mg_pid_file_write("/nonexistent-dir/pid", err, sizeof(err)), MG_EIO);
    assert_string_equal(err, "open /nonexistent-dir/pid: no such file or directory");
}

static void ports_file(void **state) {
    (void)state;
    struct mg_ports p = {0};
    struct mg_buf path = MG_BUF_INIT, text = MG_BUF_INIT;
    char err[256], got[256] = "";
    mg_ports_add(&p.nats, "nats", "127.0.0.1", 4222);
    mg_ports_add(&p.nats, "tls", "::1", 4222);
    mg_ports_add(&p.monitoring, "http", "localhost", 8222);
    mg_ports_text(&p, &text);
    mg_ports_path(root, "/usr/bin/nats-server", 77, &path);
    assert_string_equal(path.p + strlen(root), "/nats-server_77.ports");
    assert_int_equal(mg_ports_write(&p, path.p, err, sizeof(err)), MG_OK);
    FILE *f = fopen(path.p, "r");
    assert_non_null(f);
    assert_true(fread(got, 1, sizeof(got) - 1, f) > 0);
    fclose(f);
    assert_string_equal(got, "{\"nats\":[\"nats://127.0.0.1:4222\",\"tls://[::1]:4222\"],"
                             "\"monitoring\":[\"http://localhost:8222\"]}");
    assert_int_equal(mg_ports_write(&p, "/nonexistent-dir/x.ports", err, sizeof(err)), MG_EIO);
    mg_ports_fini(&p);
    mg_ports_add(&p.nats, "nats", "0.0.0.0", 1); // loopback is always among them
    bool loopback = false;
    for (size_t i = 0; i < p.nats.n; i++) loopback |= strcmp(p.nats.v[i], "nats://127.0.0.1:1") == 0;
    assert_true(loopback);
    mg_ports_fini(&p);
    mg_buf_fini(&path);
    mg_buf_fini(&text);
}

static struct {
    int pid[8], signal[8];
    unsigned n;
} sent;

static int record_kill(int pid, int sig) {
    if (pid == 999) return ESRCH;
    sent.pid[sent.n] = pid;
    sent.signal[sent.n++] = sig;
    return 0;
}

static void expect_signal(const char *arg, int rc, const char *err) {
    char proc[96];
    snprintf(proc, sizeof(proc), "%s/proc", root);
    struct mg_signal_env env = {proc, 100, record_kill};
    struct mg_buf text = MG_BUF_INIT;
    sent.n = 0;
    assert_int_equal(mg_signal_send(&env, arg, &text), rc);
    mg_buf_addc(&text, '\0');
    assert_string_equal(text.p, err);
    mg_buf_fini(&text);
}

static void signals_by_name(void **state) {
    (void)state;
    expect_signal("quit", MG_EIO, "unable to resolve pid, try providing one");
    put("proc/100", "comm", "nats-server\n"); // this process
    put("proc/200", "comm", "bash\n");
    put("proc/net", "comm", "nats-server\n");
    expect_signal("quit", MG_ENOTFOUND, "no nats-server processes running");
    put("proc/1234", "comm", "midge-server\n");
    expect_signal("reload", MG_OK, "");
    assert_int_equal(sent.n, 1);
    assert_int_equal(sent.pid[0], 1234);
    assert_int_equal(sent.signal[0], SIGHUP);
    expect_signal("ldm=", MG_OK, "");
    assert_int_equal(sent.signal[0], SIGUSR2);
    put("proc/999", "comm", "nats-server\n");
    expect_signal("quit", MG_EINVAL, "multiple nats-server processes running:\n999\n1234");
    expect_signal("quit=12*", MG_OK, "");
    assert_int_equal(sent.n, 1);
    assert_int_equal(sent.pid[0], 1234);
    expect_signal("quit=7*", MG_OK, "");
    assert_int_equal(sent.n, 0);
    expect_signal("term=*", MG_EIO, "\nsignal \"term\" 999: no such process");
    assert_int_equal(sent.n, 1);
}

static void signals_by_pid(void **state) {
    (void)state;
    static const struct {
        const char *arg;
        int signal;
    } ok[] = {{"ldm=5", SIGUSR2}, {"stop=5", SIGKILL},   {"quit=5", SIGINT},
              {"term=5", SIGTERM}, {"reopen=5", SIGUSR1}, {"reload=5", SIGHUP}};
    for (size_t i = 0; i < sizeof(ok) / sizeof(ok[0]); i++) {
        expect_signal(ok[i].arg, MG_OK, "");
        assert_int_equal(sent.pid[0], 5);
        assert_int_equal(sent.signal[0], ok[i].signal);
    }
    expect_signal("foo=5", MG_EINVAL, "unknown signal \"foo\"");
    expect_signal("quit=12x", MG_EINVAL, "invalid pid: 12x");
    expect_signal("foo=12x", MG_EINVAL, "invalid pid: 12x");
    expect_signal("quit=-1", MG_EINVAL, "invalid pid: -1"); // kill(-1) would hit everything
    expect_signal("quit=0", MG_EINVAL, "invalid pid: 0");
    expect_signal("quit=999", MG_EIO, "\nsignal \"quit\" 999: no such process");
    expect_signal("quit=1=2", MG_EINVAL, "invalid signal parameters: [2]");
    char arg[128];
    put("run", "pid", "4321");
    snprintf(arg, sizeof(arg), "reopen=%s/run/pid", root);
    expect_signal(arg, MG_OK, "");
    assert_int_equal(sent.pid[0], 4321);
}

static double cpus(const char *cgroup) {
    char file[128], fs[128];
    put("self", "cgroup", cgroup);
    snprintf(file, sizeof(file), "%s/self/cgroup", root);
    snprintf(fs, sizeof(fs), "%s/fs", root);
    return mg_cgroup_cpus(file, fs);
}

static void cgroup_quota(void **state) {
    (void)state;
    assert_true(cpus("0::/a/b\n") == 0);
    put("fs/a/b", "cpu.max", "max 100000\n");
    assert_true(cpus("0::/a/b\n") == 0);
    put("fs/a", "cpu.max", "150000 100000\n"); // the parent's counts too
    assert_true(cpus("0::/a/b\n") == 1.5);
    put("fs/a/b", "cpu.max", "50000 100000\n");
    assert_true(cpus("0::/a/b\n") == 0.5);
    put("fs/cpu/c", "cpu.cfs_quota_us", "-1\n");
    put("fs/cpu/c", "cpu.cfs_period_us", "100000\n");
    assert_true(cpus("5:cpu,cpuacct:/c\n2:cpuset:/c\n") == 0);
    put("fs/cpu/c", "cpu.cfs_quota_us", "400000\n");
    assert_true(cpus("5:cpuacct,cpu:/c\n") == 4);
    assert_true(cpus("5:cpuset:/c\n") == 0);
    assert_true(mg_cgroup_cpus("/nonexistent", "/nonexistent") == 0);
}

static void figures(void **state) {
    (void)state;
    assert_true(mg_process_rss() > 100000);
    assert_true(mg_process_open_fds() >= 3);
    assert_true(mg_process_cores() >= 1);
    assert_in_range(mg_process_usable_cpus(), 1, mg_process_cores());
    struct mg_cpu_meter m = {0};
    assert_true(mg_cpu_meter_sample(&m, MG_SEC, 1.0) == 0);
    assert_true(mg_cpu_meter_sample(&m, 2 * MG_SEC, 1.5) == 50);
    assert_true(mg_cpu_meter_sample(&m, 2 * MG_SEC + MG_MS, 9) == 50); // too soon
    assert_true(mg_cpu_meter_sample(&m, 4 * MG_SEC, 4.5) == 150);
    assert_true(mg_cpu_meter_sample(&m, 5 * MG_SEC, 4.50049) == 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(pid_file), TEST(ports_file), TEST(signals_by_name), TEST(signals_by_pid), TEST(cgroup_quota), TEST(figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
