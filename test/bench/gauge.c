// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/bench/bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t clock_ns(clockid_t id) {
    struct timespec ts;
    if (clock_gettime(id, &ts) != 0)
        mgb_die("cannot read a clock (has the server died?)");
    return (uint64_t)ts.tv_sec * MGB_SECOND + (uint64_t)ts.tv_nsec;
}

uint64_t mgb_now(void) { return clock_ns(CLOCK_MONOTONIC); }

// The CPU clock of another process is exact to the nanosecond and counts threads that have ended, unlike utime/stime in
// /proc/<pid>/stat (10 ms steps) and schedstat (per living thread). Loopback delivery runs in the sender's context, so
// what the server sends is charged to the server.
void mgb_mark_now(struct mgb_mark *m, pid_t server) {
    clockid_t id;
    if (clock_getcpuclockid(server, &id) != 0)
        mgb_die("no process %d", (int)server);
    m->wall = mgb_now();
    m->server = clock_ns(id);
    m->self = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

double mgb_status_kb(pid_t pid, const char *field) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        mgb_die("no process %d", (int)pid);
    double kb = -1;
    size_t n = strlen(field);
    while (kb < 0 && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, field, n) == 0 && line[n] == ':')
            kb = strtod(line + n + 1, NULL);
    fclose(f);
    if (kb < 0)
        mgb_die("no %s in %s", field, path);
    return kb;
}

void mgb_print(const struct mgb_row *row, const char *metric, double value) {
    printf("%s\t%s\t%.1f\n", row->name, metric, value);
    fflush(stdout);
}

void mgb_print_load(const struct mgb_row *row, const char *unit, uint64_t count, const struct mgb_mark *a,
                    const struct mgb_mark *b, pid_t server) {
    if (count == 0)
        mgb_die("%s: nothing was done in the time given", row->name);
    double wall = (double)(b->wall - a->wall), cpu = (double)(b->server - a->server);
    char metric[64];
    snprintf(metric, sizeof metric, "%s_per_s", unit);
    mgb_print(row, metric, (double)count * 1e9 / wall);
    mgb_print(row, "cpu_ns", cpu / (double)count);
    // Where neither is near 100 the machine was shared with somebody else or both waited for each other.
    mgb_print(row, "server_cpu_pct", cpu * 100 / wall);
    mgb_print(row, "bench_cpu_pct", (double)(b->self - a->self) * 100 / wall);
    mgb_print(row, "peak_kb", mgb_status_kb(server, "VmHWM"));
}

void mgb_samples_init(struct mgb_samples *s) {
    s->n = 0;
    s->ns = malloc(MGB_SAMPLES * sizeof *s->ns);
    if (s->ns == NULL)
        mgb_die("out of memory");
}

void mgb_samples_fini(struct mgb_samples *s) { free(s->ns); }

void mgb_sample(struct mgb_samples *s, uint64_t ns) {
    if (s->n < MGB_SAMPLES)
        s->ns[s->n++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

void mgb_samples_print(const struct mgb_row *row, struct mgb_samples *s) {
    if (s->n == 0)
        mgb_die("%s: nothing was done in the time given", row->name);
    qsort(s->ns, s->n, sizeof *s->ns, by_value);
    mgb_print(row, "p50_us", s->ns[(s->n - 1) * 50 / 100] / 1e3);
    mgb_print(row, "p99_us", s->ns[(s->n - 1) * 99 / 100] / 1e3);
}

void mgb_die(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fputs("midge-bench: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}
