// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The program: command line, config file, log, start, signals (spec/client-protocol.md B1, B2). Everything that touches
// signals, stdio, exit or the environment is here; the broker itself is server.c.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "jetstream/store/check.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/config/check.h"
#include "server/config/cmdline.h"
#include "server/config/config.h"
#include "server/config/reload.h"
#include "server/process.h"
#include "server/proto/info.h"
#include "server/proto/transform.h"
#include "server/server.h"
#include "server/shard/log_writer.h"
#include "server/shard/loop_uv.h"
#include "server/shard/tls.h"

#define SIGNALS 5
#define LOG_RING 4096

struct program {
    struct mg_cmdline cmdline;
    const char *argv0;
    struct mg_log log;
    struct mg_log_writer *writer;
    struct mg_server *server;
    struct mg_cpu_meter cpu;
    uv_signal_t signals[SIGNALS];
    char *ports_path; // written, to be removed
};

// ---- options -------------------------------------------------------------------------------------------------------

static int check_mapping(void *ctx, const char *src, const char *dest, char *err, size_t errlen) {
    (void)ctx;
    return mg_transform_check(src, dest, true, err, errlen);
}

static int check_tls(void *ctx, const struct mg_tls_options *t, char *err, size_t errlen) {
    (void)ctx;
    struct mg_tls_ctx *loaded = mg_tls_ctx_new(t, true, err, errlen);
    mg_tls_ctx_unref(loaded);
    return loaded ? 0 : MG_EINVAL;
}

static int load(const struct mg_cmdline *cl, struct mg_options **out, struct mg_config_report *report) {
    struct mg_config_source src;
    mg_config_source_posix(&src);
    src.check_mapping = check_mapping;
    src.check_tls = check_tls;
    if (cl->config_file) {
        int rc = mg_config_load(&src, cl->config_file, out, report);
        if (rc != 0) return rc;
    } else {
        *out = mg_options_new();
    }
    char err[512];
    int rc = mg_cmdline_apply(cl, *out, err, sizeof(err));
    // Flags can bring certificates too; without a certificate it is the start that fails.
    const struct mg_tls_options *tls = &(*out)->tls_opts;
    if (rc == 0 && (*out)->tls && tls->cert_file && tls->key_file) rc = check_tls(NULL, tls, err, sizeof(err));
    if (rc == 0) return 0;
    mg_config_report_add(report, false, "%s", err);
    mg_options_free(*out);
    *out = NULL;
    return rc;
}

// Prints notes to stderr as the reference does: the first line behind the program's name.
static void print_report(const struct mg_config_report *report) {
    struct mg_buf text = MG_BUF_INIT;
    mg_config_report_text(report, &text);
    if (text.len) fprintf(stderr, "nats-server: %.*s", (int)text.len, text.p);
    mg_buf_fini(&text);
}

// `-t`: exit code (spec/client-protocol.md B1).
static int check_config(const struct mg_cmdline *cl) {
    if (cl->config_file == NULL) {
        fprintf(stderr, "nats-server: must specify [-c, --config] option to check configuration file syntax\n");
        return 1;
    }
    struct mg_options *o = NULL;
    struct mg_config_report report = {0};
    int rc = load(cl, &o, &report);
    print_report(&report);
    if (rc == 0 && report.n == 0)
        fprintf(stderr, "nats-server: configuration file %s is valid (%s)\n", cl->config_file, o->config_digest);
    int code = rc == 0 && report.n == 0 ? 0 : 1;
    mg_config_report_fini(&report);
    mg_options_free(o);
    return code;
}

// `--check-store` and `--rebuild-store`: exit code is the verdict.
static void print_verdict(void *arg, enum mg_check_verdict meaning, const char *text) {
    static const char *const words[] = {"", "damaged: ", "lost: "};
    (void)arg;
    printf("%s%s\n", words[meaning], text);
}

// DIR is a store, or the `store_dir` that has one.
static int judge_store(const char *dir, enum mg_check_verdict (*judge)(const char *dir, mg_check_fn tell, void *arg)) {
    struct mg_buf path = MG_BUF_INIT;
    struct stat st;
    mg_buf_addf(&path, "%s/" MG_STORE_FOLDER, dir);
    mg_buf_addc(&path, '\0');
    bool inside = stat(path.p, &st) == 0 && S_ISDIR(st.st_mode);
    int code = (int)judge(inside ? path.p : dir, print_verdict, NULL);
    mg_buf_fini(&path);
    return code;
}

static int send_signal(const struct mg_cmdline *cl) {
    struct mg_buf arg = MG_BUF_INIT, err = MG_BUF_INIT;
    mg_buf_adds(&arg, cl->signal_cmd);
    if (cl->signal_pid) mg_buf_addf(&arg, "=%s", cl->signal_pid);
    mg_buf_addc(&arg, '\0');
    int rc = mg_signal_send(&mg_signal_env_system, arg.p, &err);
    if (rc != 0) fprintf(stderr, "nats-server: %.*s\n", (int)err.len, err.p);
    mg_buf_fini(&arg);
    mg_buf_fini(&err);
    return rc == 0 ? 0 : 1;
}

// ---- files ---------------------------------------------------------------------------------------------------------

static void write_ports(struct program *p) {
    const struct mg_options *o = mg_server_options(p->server);
    if (p->ports_path) unlink(p->ports_path);
    mg_free(p->ports_path);
    p->ports_path = NULL;
    if (o->ports_file_dir == NULL) return;
    struct mg_ports ports = {0};
    mg_ports_add(&ports.nats, o->tls ? "tls" : "nats", o->host, (uint16_t)mg_server_port(p->server));
    int monitor = mg_server_monitor_port(p->server);
    if (monitor)
        mg_ports_add(&ports.monitoring, o->https_port ? "https" : "http", o->http_host ? o->http_host : o->host,
                     (uint16_t)monitor);
    struct mg_buf path = MG_BUF_INIT;
    char err[512];
    mg_ports_path(o->ports_file_dir, p->argv0, (int)getpid(), &path);
    if (mg_ports_write(&ports, path.p, err, sizeof(err)) == 0) p->ports_path = mg_strdup(path.p);
    else mg_log_err(&p->log, "Error writing ports file (%s): %s", path.p, err);
    mg_buf_fini(&path);
    mg_ports_fini(&ports);
}

// ---- signals -------------------------------------------------------------------------------------------------------

static void on_reloaded(void *arg, const struct mg_reload_diff *diff) {
    struct program *p = arg;
    const struct mg_options *now = mg_server_options(p->server);
    char err[512];
    if (mg_reload_changed(diff, "pid_file") && now->pid_file && mg_pid_file_write(now->pid_file, err, sizeof(err)) != 0)
        mg_log_err(&p->log, "Could not write pidfile: %s", err);
    if (mg_reload_changed(diff, "ports_file_dir")) write_ports(p);
    if (mg_log_writer_reload(p->writer, now, err, sizeof(err)) != 0) mg_log_err(&p->log, "%s", err);
    mg_log_writer_flush(p->writer); // what is said from now on goes to the new place
}

static void reload(struct program *p) {
    if (p->cmdline.config_file == NULL) {
        mg_log_err(&p->log, "Failed to reload server configuration: can only reload config when a file is provided "
                            "using -c or --config");
        return;
    }
    struct mg_options *fresh = NULL;
    struct mg_config_report report = {0};
    char err[512] = "";
    struct mg_buf text = MG_BUF_INIT;
    int rc = load(&p->cmdline, &fresh, &report);
    if (rc != 0) mg_config_report_text(&report, &text);
    else rc = mg_options_check(fresh, err, sizeof(err));
    if (rc == 0) rc = mg_server_reload(p->server, fresh, err, sizeof(err));
    if (rc != 0) {
        while (text.len && text.p[text.len - 1] == '\n') text.len--;
        mg_log_err(&p->log, "Failed to reload server configuration: %.*s%s", (int)text.len, text.p ? text.p : "", err);
        mg_options_free(fresh);
    }
    mg_buf_fini(&text);
    mg_config_report_fini(&report);
}

static void on_signal(uv_signal_t *h, int signum) {
    struct program *p = h->data;
    const char *name = signum == SIGINT    ? "interrupt"
                       : signum == SIGTERM ? "terminated"
                       : signum == SIGUSR1 ? "user defined signal 1"
                       : signum == SIGUSR2 ? "user defined signal 2"
                                           : "hangup";
    mg_log_inf(&p->log, "Trapped \"%s\" signal", name);
    switch (signum) {
    case SIGINT: mg_server_shutdown(p->server); break;
    case SIGTERM: // must not cut a lame duck short: Kubernetes sends it behind the preStop hook
        if (!mg_server_is_lame_duck(p->server)) mg_server_shutdown(p->server);
        break;
    case SIGUSR1: mg_log_writer_reopen(p->writer); break;
    case SIGUSR2: mg_server_lame_duck(p->server); break;
    default: reload(p);
    }
}

static void trap_signals(struct program *p) {
    static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGHUP};
    for (int i = 0; i < SIGNALS; i++) {
        uv_signal_init(&mg_server_loop(p->server)->uv, &p->signals[i]);
        p->signals[i].data = p;
        uv_signal_start(&p->signals[i], on_signal, numbers[i]);
    }
}

static void on_stopped(void *arg) {
    struct program *p = arg;
    for (int i = 0; i < SIGNALS; i++) uv_close((uv_handle_t *)&p->signals[i], NULL);
}

// Of the machine, or less in a container. Without a limit, cgroups say either nothing or something huge.
static uint64_t usable_memory(void) {
    uint64_t machine = uv_get_total_memory(), limit = uv_get_constrained_memory();
    return limit > 0 && limit < machine ? limit : machine;
}

static void on_figures(void *arg, struct mg_figures *out) {
    struct program *p = arg;
    double seconds = mg_process_cpu_seconds();
    *out = (struct mg_figures){
        .ram = usable_memory(),
        .rss = mg_process_rss(), .open_fds = mg_process_open_fds(), .cpu_seconds = seconds,
        .cpu_percent = mg_cpu_meter_sample(&p->cpu, uv_hrtime(), seconds), .cores = mg_process_cores(),
    };
}

static unsigned shards_of(const struct mg_options *o) {
    if (o->shards > 0) return (unsigned)o->shards;
    int cpus = mg_process_usable_cpus();
    if (cpus < 4) return 1; // measured: a second shard on two CPUs adds latency and gains next to nothing
    return cpus / 2 < 8 ? (unsigned)cpus / 2 : 8;
}

// A shard has at most two passwords and two handshakes on worker threads: with a thread for each, slow passwords never
// hold handshakes up. libuv makes the threads when the first work comes.
static void size_worker_pool(unsigned shards) {
    char n[16];
    snprintf(n, sizeof(n), "%u", shards * 4);
    setenv("UV_THREADPOOL_SIZE", n, 0);
}

static void raise_limits(void) {
    struct rlimit lim;
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
        lim.rlim_cur = lim.rlim_max;
        setrlimit(RLIMIT_NOFILE, &lim);
    }
    mg_heap_setup();
    signal(SIGPIPE, SIG_IGN);
}

// ---- run -----------------------------------------------------------------------------------------------------------

static int serve(struct program *p, struct mg_options *o) {
    char err[1024] = "";
    const struct mg_server_params params = {
        .opts = o, .log = &p->log, .shards = shards_of(o), .figures = on_figures,
        .reloaded = on_reloaded, .stopped = on_stopped, .arg = p,
    };
    if (o->pid_file && mg_pid_file_write(o->pid_file, err, sizeof(err)) != 0) {
        mg_log_ftl(&p->log, "Could not write pidfile: %s", err);
        mg_options_free(o);
        return 1;
    }
    if (mg_server_new(&p->server, &params, err, sizeof(err)) != 0) {
        mg_log_ftl(&p->log, "%s", err);
        mg_options_free(o);
        return 1;
    }
    size_worker_pool(params.shards);
    trap_signals(p);
    write_ports(p);
    mg_server_run(p->server);
    if (p->ports_path) unlink(p->ports_path);
    mg_free(p->ports_path);
    mg_server_free(p->server);
    return 0;
}

static int run(struct program *p) {
    struct mg_options *o = NULL;
    struct mg_config_report report = {0};
    char err[1024] = "";
    int rc = load(&p->cmdline, &o, &report);
    print_report(&report);
    mg_config_report_fini(&report);
    if (rc != 0) return 1;
    if (mg_options_check(o, err, sizeof(err)) != 0) {
        fprintf(stderr, "nats-server: %s\n", err);
        mg_options_free(o);
        return 1;
    }
    raise_limits();
    mg_log_init(&p->log, LOG_RING);
    int code = 1;
    if (mg_log_writer_start(&p->writer, &p->log, o, p->argv0, err, sizeof(err)) != 0) {
        fprintf(stderr, "nats-server: %s\n", err);
        mg_options_free(o);
    } else {
        code = serve(p, o);
        mg_log_writer_stop(p->writer);
    }
    mg_log_fini(&p->log);
    return code;
}

int main(int argc, char **argv) {
    struct program *p = mg_zalloc(sizeof(*p));
    p->argv0 = argc > 0 ? argv[0] : "midge-server";
    mg_cmdline_parse(argc, argv, MG_NATS_VERSION, &p->cmdline);
    int code = 0;
    switch (p->cmdline.mode) {
    case MG_CMDLINE_EXIT:
        fwrite(p->cmdline.out.p ? p->cmdline.out.p : "", 1, p->cmdline.out.len, stdout);
        fwrite(p->cmdline.err.p ? p->cmdline.err.p : "", 1, p->cmdline.err.len, stderr);
        code = p->cmdline.exit_code;
        break;
    case MG_CMDLINE_CHECK: code = check_config(&p->cmdline); break;
    case MG_CMDLINE_CHECK_STORE: code = judge_store(p->cmdline.store, mg_store_check); break;
    case MG_CMDLINE_REBUILD_STORE: code = judge_store(p->cmdline.store, mg_store_rebuild); break;
    case MG_CMDLINE_SIGNAL: code = send_signal(&p->cmdline); break;
    case MG_CMDLINE_RUN: code = run(p); break;
    }
    mg_cmdline_fini(&p->cmdline);
    mg_free(p);
    return code;
}
