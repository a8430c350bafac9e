// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// One part on a loop of its own, as a shard would have it. rig_run is the shard's main loop: a step of the row, then
// the part's turn, then the poll. Raw writes go to a file of a second directory beside the store's, so that both are on
// the same device and file system.
#include "test/bench/store/rig.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "jetstream/store/size.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/bell.h"
#include "server/shard/mbuf.h"
#include "test/bench/store/watch.h"

#define RAW_FILE (64u << 20)

// ---- figures ------------------------------------------------------------------------------------------------------

void figure(const char *name, double value, const char *unit) {
    printf("%s\t%.6g\t%s\n", name, value, unit);
    fflush(stdout);
}

// 16 slots for each power of two: 6 % wide.
void hist_add(struct hist *h, uint64_t ns) {
    unsigned log = ns < 16 ? 0 : 59u - (unsigned)__builtin_clzll(ns);
    h->slots[log * 16 + (ns >> log)]++;
    h->count++;
}

void hist_merge(struct hist *h, const struct hist *other) {
    for (unsigned i = 0; i < sizeof(h->slots) / sizeof(h->slots[0]); i++) h->slots[i] += other->slots[i];
    h->count += other->count;
}

double hist_us(const struct hist *h, double quantile) {
    uint64_t wanted = (uint64_t)(quantile * (double)h->count), seen = 0;
    for (unsigned i = 0; i < sizeof(h->slots) / sizeof(h->slots[0]); i++) {
        seen += h->slots[i];
        if (seen <= wanted) continue;
        unsigned log = i < 32 ? 0 : i / 16 - 1;
        return (double)((uint64_t)(i - log * 16) << log) / 1000;
    }
    return 0;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *values, unsigned n) {
    qsort(values, n, sizeof(*values), by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double cpu_seconds(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

struct io io_now(void) {
    struct io io = {0};
    char line[128];
    FILE *f = fopen("/proc/self/io", "r");
    while (f && fgets(line, sizeof(line), f)) {
        if (strncmp(line, "read_bytes: ", 12) == 0) io.read = strtoull(line + 12, NULL, 10);
        if (strncmp(line, "write_bytes: ", 13) == 0) io.written = strtoull(line + 13, NULL, 10);
    }
    if (f) fclose(f);
    return io;
}

// All that was done, by whomever, in ticks (proc(5)): without idle and waiting for the device, with what a hypervisor
// took.
static double all_cpu_seconds(void) {
    double n[8] = {0};
    FILE *f = fopen("/proc/stat", "r");
    if (f == NULL) return 0;
    if (fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7) != 8)
        memset(n, 0, sizeof(n));
    fclose(f);
    return (n[0] + n[1] + n[2] + n[5] + n[6] + n[7]) / (double)sysconf(_SC_CLK_TCK);
}

// All that was read from and written to the device of a directory; 0: not known.
static uint64_t device_bytes(const char *dir) {
    char path[64];
    struct stat st;
    unsigned long long read, written;
    if (stat(dir, &st) != 0) return 0;
    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/stat", major(st.st_dev), minor(st.st_dev));
    FILE *f = fopen(path, "r");
    bool known = f && fscanf(f, "%*u %*u %llu %*u %*u %*u %llu", &read, &written) == 2;
    if (f) fclose(f);
    return known ? (read + written) * 512 : 0;
}

struct weather weather_now(const char *dir) {
    struct io io = io_now();
    return (struct weather){.at = mg_bell_clock(), .own_cpu = cpu_seconds(), .all_cpu = all_cpu_seconds(),
                            .own_io = io.read + io.written, .all_io = device_bytes(dir)};
}

void weather_since(const struct weather *then, const char *dir, double *cpu, double *mb) {
    struct weather now = weather_now(dir);
    double seconds = (double)(now.at - then->at) / 1e9, others = now.all_cpu - then->all_cpu;
    others -= now.own_cpu - then->own_cpu;
    double bytes = (double)(now.all_io - then->all_io) - (double)(now.own_io - then->own_io);
    *cpu = others < 0 ? 0 : others / seconds / (double)sysconf(_SC_NPROCESSORS_ONLN);
    *mb = bytes < 0 ? 0 : bytes / seconds / 1e6;
}

static double status_mb(const char *what) {
    char line[128];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof(line), f)) {
        if (strncmp(line, what, strlen(what)) == 0) kb = strtod(line + strlen(what), NULL);
    }
    if (f) fclose(f);
    return kb / 1024;
}

double rss_mb(void) { return status_mb("VmRSS:"); }
double rss_peak_mb(void) { return status_mb("VmHWM:"); }

void rss_again(void) {
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (f == NULL) return;
    fputs("5", f);
    fclose(f);
}

double hist_max_us(const struct hist *h) {
    uint64_t last = 0;
    for (unsigned i = 0; i < sizeof(h->slots) / sizeof(h->slots[0]); i++) {
        unsigned log = i < 32 ? 0 : i / 16 - 1;
        if (h->slots[i]) last = (uint64_t)(i - log * 16) << log;
    }
    return (double)last / 1000;
}

// ---- the directory ------------------------------------------------------------------------------------------------

static uint64_t each_file(const char *dir, bool remove_all, bool forget) {
    char path[4096];
    uint64_t bytes = 0;
    DIR *d = opendir(dir);
    if (d == NULL) return 0;
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (lstat(path, &st) != 0) continue;
        if (S_ISDIR(st.st_mode)) {
            bytes += each_file(path, remove_all, forget);
            continue;
        }
        uint64_t taken = (uint64_t)st.st_blocks * 512; // more, where room was made in advance; less never counts
        bytes += taken > (uint64_t)st.st_size ? taken : (uint64_t)st.st_size;
        int fd = forget ? open(path, O_RDONLY) : -1;
        if (fd >= 0) {
            fdatasync(fd);
            posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
            close(fd);
        }
        if (remove_all) unlink(path);
    }
    closedir(d);
    if (remove_all) rmdir(dir);
    return bytes;
}

void rig_remove(const char *dir) { each_file(dir, true, false); }
void rig_forget(const char *dir) { each_file(dir, false, true); }

uint64_t rig_bytes(const char *dir, const char *folder) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", dir, folder);
    return each_file(path, false, false);
}

static void must(int err, const char *what) {
    if (err == 0) return;
    fprintf(stderr, "%s: %s\n", what, mg_strerror(err));
    exit(1);
}

// ---- the loop -----------------------------------------------------------------------------------------------------

static bool turn(struct rig *r) {
    uint64_t began = r->turns ? mg_loop_clock(r->loop) : 0;
    if (r->watch) watch_begin(r->watch);
    bool more = mg_store_part_turn(r->part);
    if (r->watch) hist_add(r->turns_cpu, watch_end(r->watch));
    if (r->turns) hist_add(r->turns, mg_loop_clock(r->loop) - began);
    return more;
}

static bool before_poll(void *arg) {
    struct rig *r = arg;
    bool more = turn(r);
    enum rig_step step = RIG_DONE;
    r->wake_at = MG_NEVER;
    if (r->stopping) {
        if (!mg_store_part_stop(r->part)) step = RIG_WAIT;
    } else {
        step = r->step(r->arg);
        more |= turn(r);
    }
    uint64_t due = mg_wheel_next(&r->wheel);
    mg_loop_set_timer(r->loop, due < r->wake_at ? due : r->wake_at);
    if (step == RIG_DONE) mg_loop_stop(r->loop);
    return more || step != RIG_WAIT;
}

static void timer(void *arg) {
    struct rig *r = arg;
    if (r->watch) watch_begin(r->watch);
    mg_wheel_advance(&r->wheel, mg_loop_now(r->loop));
    if (r->watch) hist_add(r->turns_cpu, watch_end(r->watch));
}

static void say(void *arg, int level, const char *text) {
    (void)arg;
    fprintf(stderr, "[%d] %s\n", level, text);
}

static void open_with(struct rig *r, struct mg_store_options *o) {
    char err[256];
    o->parts = 1;
    o->log = say;
    memset(o->secret, 7, sizeof(o->secret));
    *r = (struct rig){.dir = o->dir};
    if (mg_store_open(&r->store, o, err, sizeof(err)) != 0) {
        fprintf(stderr, "%s\n", err);
        exit(1);
    }
    struct mg_loop_hooks hooks = {.arg = r, .before_poll = before_poll, .timer = timer};
    mg_assert(mg_loop_new(&r->loop, &hooks) == 0);
    mg_thread_prompt(); // as a shard
    mg_wheel_init(&r->wheel, mg_loop_clock(r->loop));
    r->part = mg_store_part(r->store, 0);
    mg_store_part_start(r->part, r->loop, &r->wheel);
}

void rig_open(struct rig *r, const char *dir, uint64_t ring_bytes) {
    open_with(r, &(struct mg_store_options){.dir = dir, .ring_bytes = ring_bytes});
}

void rig_open_sections(struct rig *r, const char *dir, uint64_t ring_bytes, uint32_t messages) {
    open_with(r, &(struct mg_store_options){.dir = dir, .ring_bytes = ring_bytes, .section_messages = messages});
}

void rig_open_small(struct rig *r, const char *dir, uint64_t memory) {
    struct mg_store_options o = {.dir = dir};
    mg_store_size(&o, memory);
    open_with(r, &o);
}

void rig_run(struct rig *r, enum rig_step (*step)(void *arg), void *arg) {
    r->step = step;
    r->arg = arg;
    mg_loop_run(r->loop);
}

void rig_close(struct rig *r) {
    r->stopping = true;
    mg_loop_run(r->loop);
    mg_store_close(r->store);
    mg_loop_free(r->loop);
}

struct mg_stream *rig_stream(struct rig *r, unsigned n, const struct mg_stream_limits *limits) {
    char name[32];
    mg_slice slice = {name, (size_t)snprintf(name, sizeof(name), "S%u", n)};
    struct mg_stream_limits none = {0};
    struct mg_stream *s = mg_stream_find(r->part, slice);
    if (s == NULL)
        must(mg_stream_create(r->part, slice, MG_S("{}"), MG_STORAGE_FILE, limits ? limits : &none, 0, &s, NULL),
             "create");
    return s;
}

struct awaited {
    struct rig *r;
    uint32_t installs;
};

static enum rig_step wait_installed(void *arg) {
    struct awaited *a = arg;
    a->r->wake_at = mg_loop_clock(a->r->loop) + 1000000;
    return a->r->part->installs != a->installs && a->r->part->seal == NULL ? RIG_DONE : RIG_WAIT;
}

void rig_checkpoint(struct rig *r) {
    struct awaited a = {r, r->part->installs};
    mg_store_press(r->store);
    rig_run(r, wait_installed, &a);
}

// ---- raw writes ---------------------------------------------------------------------------------------------------

// The file was filled before, as the ring is.
static struct mg_file *open_raw(struct mg_disk *d) {
    struct mg_file *f;
    uint64_t size;
    must(mg_file_open(d, &f, "raw", MG_FILE_WRITE | MG_FILE_CREATE, NULL), "raw");
    must(mg_file_size(f, &size, NULL), "raw");
    if (size < RAW_FILE) {
        void *zeros = mg_zalloc(1u << 20);
        for (uint64_t at = 0; at < RAW_FILE; at += 1u << 20) must(mg_file_write(f, zeros, 1u << 20, at, NULL), "raw");
        must(mg_file_sync(f, NULL), "raw");
        mg_free(zeros);
    }
    mg_file_close(f);
    must(mg_file_open(d, &f, "raw", MG_FILE_WRITE | MG_FILE_DIRECT | MG_FILE_DSYNC, NULL), "raw");
    return f;
}

void raw_open(struct raw *w, const struct rig *r, size_t bytes) {
    char path[4096];
    struct mg_disk_why why = {""};
    *w = (struct raw){.bytes = (bytes + 4095) & ~(size_t)4095};
    snprintf(path, sizeof(path), "%s.raw", r->dir);
    must(mg_disk_open(&w->disk, path, "store_bench", MG_DISK_CREATE, &why), why.text);
    w->file = open_raw(w->disk);
    w->pages = mg_disk_alloc(w->bytes);
    memset(w->pages, 7, w->bytes);
}

uint64_t raw_write(struct raw *w) {
    if (w->at + w->bytes > RAW_FILE) w->at = 0;
    uint64_t began = mg_bell_clock();
    must(mg_file_write(w->file, w->pages, w->bytes, w->at, NULL), "raw write");
    w->at += w->bytes;
    return mg_bell_clock() - began;
}

void raw_close(struct raw *w) {
    mg_disk_free(w->pages);
    mg_file_close(w->file);
    mg_disk_close(w->disk);
}

struct raw_job {
    struct raw raw;
    double *us;
    unsigned rounds;
};

static void raw_main(void *arg) {
    struct raw_job *x = arg;
    mg_thread_prompt();
    for (unsigned i = 0; i < x->rounds; i++) x->us[i] = (double)raw_write(&x->raw) / 1000;
}

// On a new thread: a write takes half as long on the CPU that the device interrupts, so the system must be as free to
// choose one as it is for the committer.
double raw_write_us(const struct rig *r, size_t bytes, unsigned rounds) {
    struct raw_job x = {.us = mg_alloc(rounds * sizeof(double)), .rounds = rounds};
    struct mg_thread *t;
    raw_open(&x.raw, r, bytes);
    must(mg_thread_start(&t, "raw", raw_main, &x), "raw write");
    mg_thread_join(t);
    raw_close(&x.raw);
    double m = median(x.us, rounds);
    mg_free(x.us);
    return m;
}

// ---- load ---------------------------------------------------------------------------------------------------------


static void result(void *app, const struct mg_result *r) {
    struct load *l = app;
    if (r->ctx == NULL) return; // of the stream's creation
    if (r->ctx == l) {
        uint64_t now = l->latency ? mg_loop_clock(l->rig->loop) : 0;
        if (l->latency) hist_add(l->latency, now - l->starts[l->answered % l->in_flight]);
        l->answered++;
        l->failed += r->err != 0;
    }
    if (l->done) l->done(l, r);
}

static const struct mg_stream_ops ops = {.result = result};

void load_init(struct load *l, struct rig *r, unsigned nstreams, unsigned first,
               const struct mg_stream_limits *limits) {
    *l = (struct load){.rig = r, .nstreams = nstreams, .subjects = 1, .size = 128, .in_flight = 1000, .seed = 1};
    l->streams = mg_alloc(nstreams * sizeof(l->streams[0]));
    l->payload = mg_mbuf_new(1u << 20);
    memset(l->payload->data, 0, l->payload->cap);
    l->starts = mg_zalloc(65536 * sizeof(uint64_t));
    for (unsigned i = 0; i < nstreams; i++) {
        l->streams[i] = rig_stream(r, first + i, limits);
        mg_stream_set_ops(l->streams[i], &ops, l);
    }
}

void load_fini(struct load *l) {
    for (unsigned i = 0; i < l->nstreams; i++) mg_stream_set_ops(l->streams[i], NULL, NULL);
    mg_free(l->streams);
    mg_mbuf_unref(l->payload);
    mg_free(l->starts);
}

static void send(struct load *l) {
    char subject[32] = "orders.";
    uint64_t n = l->sent / l->nstreams % l->subjects;
    if (l->random) {
        l->seed = l->seed * 6364136223846793005u + 1442695040888963407u;
        n = (l->seed >> 33) % l->subjects;
    }
    size_t len = l->subject ? l->subject(n, subject) : 7;
    if (l->subject == NULL) {
        do {
            subject[len++] = (char)('0' + n % 10);
        } while ((n /= 10) != 0);
    }
    size_t size = l->body ? l->body(l, l->payload->data) : l->size;
    struct mg_append a = {.subject = {subject, len}, .payload = {l->payload->data, size}, .expect_last = MG_ANY_SEQ,
                          .expect_subject_last = MG_ANY_SEQ};
    if (l->body == NULL) a.mbuf = l->payload; // as a connection has one
    if (l->latency) l->starts[l->sent % l->in_flight] = mg_loop_clock(l->rig->loop);
    mg_assert(mg_stream_append(l->streams[l->sent % l->nstreams], &a, l) == 0);
    l->bytes += len + size;
    l->sent++;
}

void load_push(struct load *l) {
    uint64_t now = mg_loop_clock(l->rig->loop), most = l->total ? l->total : UINT64_MAX;
    if (l->began == 0) l->began = now;
    if (l->rate) {
        uint64_t due = (uint64_t)((double)(now - l->began) / 1e9 * (double)l->rate) + 1;
        if (due < most) most = due;
        if (l->rig->wake_at > now + 1000000) l->rig->wake_at = now + 1000000;
    }
    while (l->sent < most && l->sent - l->answered < l->in_flight) send(l);
}

enum rig_step load_step(void *arg) {
    struct load *l = arg;
    load_push(l);
    return l->total && l->answered == l->total ? RIG_DONE : RIG_WAIT;
}
