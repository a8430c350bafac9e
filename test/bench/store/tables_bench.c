// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What runs and segments cost on a real disk. Argument: a directory on it (it is filled and emptied; default
// ./tables-bench). "cold" means that the page cache was told to forget the file before.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "jetstream/store/merge.h"
#include "jetstream/store/segment.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/disk.h"

enum { ROWS = 2000000, RUNS = 4, MESSAGES = 2000000, SUBJECTS = 50000, PAYLOAD = 128 };

static double now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void ok(int err, const char *what) {
    if (err == MG_OK) return;
    fprintf(stderr, "%s: %s\n", what, mg_strerror(err));
    exit(1);
}

static void row(const char *what, double n, double seconds, const char *unit, double bytes) {
    printf("%-44s %12.0f %s/s %8.0f ns each", what, n / seconds, unit, seconds / n * 1e9);
    if (bytes > 0) printf(" %8.0f MB/s", bytes / seconds / 1e6);
    printf("\n");
}

static uint64_t rnd(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static struct mg_disk *disk;
static struct mg_table_env env = {.salt = 1};

// A file that is written past the page cache where the file system can.
static struct mg_file *create(const char *name) {
    struct mg_file *f;
    unsigned flags = MG_FILE_WRITE | MG_FILE_CREATE | MG_FILE_EMPTY;
    if (mg_file_open(disk, &f, name, flags | MG_FILE_DIRECT, NULL)) ok(mg_file_open(disk, &f, name, flags, NULL), name);
    return f;
}

static struct mg_file *reopen(struct mg_file *f, const char *name) {
    struct mg_file *again;
    ok(mg_file_sync(f, NULL), "sync");
    mg_file_close(f);
    ok(mg_file_open(disk, &again, name, MG_FILE_READ, NULL), name);
    return again;
}

static void make_cold(struct mg_file *f, uint64_t size) { mg_file_forget(f, 0, size); }

// ---- runs

struct run {
    struct mg_file *file;
    struct mg_run *run;
    struct mg_run_summary sum;
    char name[32];
};

static mg_slice key_of(char key[48], uint64_t i) {
    return mg_slice_of(key, (size_t)snprintf(key, 48, "s%08d.orders.eu.%012llu", 7, (unsigned long long)i));
}

static void finish_run(struct run *r, struct mg_run_builder *b, struct mg_file_writer *w) {
    mg_run_builder_free(b);
    mg_file_writer_fini(w);
    r->file = reopen(r->file, r->name);
    ok(mg_run_open(&r->run, &env, mg_blob_of_file(r->file), (struct mg_blob){0}, r->sum.file, r->sum.size, 0), "open");
}

static void build_run(struct run *r, uint64_t id, uint64_t first, uint64_t step, uint64_t n) {
    struct mg_file_writer w;
    snprintf(r->name, sizeof r->name, "run-%llu", (unsigned long long)id);
    r->file = create(r->name);
    mg_file_writer_init(&w, mg_blob_of_file(r->file), 0);
    struct mg_run_builder *b = mg_run_builder_new(&(struct mg_run_options){.env = &env, .file = id}, &w);
    for (uint64_t i = 0; i < n; i++) {
        char key[48];
        const struct mg_row row = {key_of(key, first + i * step), MG_S("0123456789abcdef"), false};
        ok(mg_run_builder_add(b, &row), "add");
    }
    ok(mg_run_builder_finish(b, &r->sum), "finish");
    finish_run(r, b, &w);
}

static void drop_run(struct run *r) {
    mg_run_close(r->run);
    mg_run_summary_fini(&r->sum);
    mg_file_close(r->file);
    mg_disk_unlink(disk, r->name, NULL);
}

static void gets(const char *what, const struct run *r, uint64_t n, bool there) {
    uint64_t seed = 1, found = 0;
    double t = now();
    for (uint64_t i = 0; i < n; i++) {
        char key[48];
        struct mg_run_hit hit;
        if (mg_run_get(r->run, key_of(key, rnd(&seed) % ROWS * 2 + !there), &hit)) continue;
        found++;
        mg_run_hit_release(&hit);
    }
    row(what, (double)n, now() - t, "gets", 0);
    mg_assert(found == (there ? n : 0));
}

static void bench_runs(void) {
    struct run r, parts[RUNS], merged = {.name = "run-99"};
    double t = now();
    build_run(&r, 1, 0, 2, ROWS);
    row("run: build, 31-byte keys, 16-byte values", ROWS, now() - t, "rows", (double)r.sum.row_bytes);
    printf("%-44s %12.1f bytes a row\n", "run: on disk", (double)r.sum.size / ROWS);
    env.cache = mg_blockcache_new((size_t)512 << 20);
    make_cold(r.file, r.sum.size);
    gets("run: get, cold", &r, 5000, true);
    gets("run: get, warming up", &r, 500000, true);
    gets("run: get, hot", &r, 1000000, true);
    gets("run: get, not there, hot", &r, 1000000, false);
    mg_blockcache_free(env.cache);
    env.cache = NULL;
    struct mg_run_iter *it = mg_run_iter_new(r.run, true);
    make_cold(r.file, r.sum.size);
    t = now();
    uint64_t n = 0;
    for (int err = mg_run_iter_seek(it, mg_slice_of(NULL, 0)); err == MG_OK; err = mg_run_iter_next(it))
        n++;
    row("run: iterate, cold", (double)n, now() - t, "rows", (double)r.sum.size);
    mg_run_iter_free(it);
    drop_run(&r);

    struct mg_run *inputs[RUNS];
    for (uint64_t i = 0; i < RUNS; i++) {
        build_run(&parts[i], 10 + i, i, RUNS, ROWS / RUNS);
        inputs[i] = parts[i].run;
    }
    struct mg_file_writer w;
    merged.file = create(merged.name);
    mg_file_writer_init(&w, mg_blob_of_file(merged.file), 0);
    struct mg_run_builder *b = mg_run_builder_new(&(struct mg_run_options){.env = &env, .file = 99}, &w);
    t = now();
    ok(mg_run_merge(&(struct mg_merge_job){.inputs = inputs, .ninputs = RUNS}, b, &merged.sum), "merge");
    row("run: merge of 4", ROWS, now() - t, "rows", (double)merged.sum.row_bytes);
    finish_run(&merged, b, &w);
    for (int i = 0; i < RUNS; i++)
        drop_run(&parts[i]);
    drop_run(&merged);
}

// ---- segments

static void scan(const char *what, const struct mg_segment *g, const struct mg_section_filter *f, uint64_t want) {
    double t = now(), bytes = 0;
    uint64_t n = 0;
    for (uint32_t i = 0; i < g->sections; i++) {
        struct mg_section s;
        struct mg_section_entry e;
        struct mg_record_view v;
        ok(mg_segment_section(g, i, &s), "section");
        struct mg_section_scan *c = mg_section_scan_new(g, &s, f, 0, false);
        while (mg_section_scan_next(c, &e, &v) == MG_OK)
            n++;
        bytes += (double)s.data_bytes;
        mg_section_scan_free(c);
    }
    row(what, (double)n, now() - t, "msgs", bytes);
    mg_assert(n == want);
}

static void random_reads(const char *what, const struct mg_segment *g, uint64_t n) {
    struct mg_section sections[16];
    struct mg_record_buf buf = {0};
    struct mg_record_view v;
    uint64_t seed = 3;
    for (uint32_t i = 0; i < g->sections; i++)
        ok(mg_segment_section(g, i, &sections[i]), "section");
    double t = now();
    for (uint64_t i = 0; i < n; i++) {
        uint64_t seq = 1 + rnd(&seed) % MESSAGES;
        uint32_t k = 0;
        while (sections[k].last_seq < seq)
            k++;
        ok(mg_section_get(g, &sections[k], seq, &buf, &v), "get");
    }
    row(what, (double)n, now() - t, "msgs", 0);
    mg_record_buf_fini(&buf);
}

static void questions(const struct mg_segment *g) {
    struct mg_section s;
    struct mg_section_entry e;
    ok(mg_segment_section(g, 0, &s), "section");
    uint64_t seed = 4, n = 200000, count;
    double t = now();
    for (uint64_t i = 0; i < n; i++) {
        char subject[32];
        int len = snprintf(subject, sizeof subject, "orders.%06d", (int)(rnd(&seed) % SUBJECTS));
        ok(mg_section_last(g, &s, mg_slice_of(subject, (size_t)len), UINT64_MAX, &e), "last");
    }
    row("segment: last of a subject, hot", (double)n, now() - t, "asks", 0);
    const struct mg_subject_match m = {.prefix = MG_S("orders.00001")};
    t = now();
    struct mg_section_filter *f = NULL;
    for (int i = 0; i < 1000; i++) {
        mg_section_filter_free(f);
        f = mg_section_filter_new(g, &s, &m);
    }
    row("segment: filter, 10 of 50,000 subjects", 1000, now() - t, "asks", 0);
    t = now();
    for (int i = 0; i < 20; i++)
        ok(mg_section_count(g, &s, f, s.first_seq + s.messages / 2, &count), "count");
    row("segment: passing over messages", 20.0 * s.messages / 2, now() - t, "msgs", 0);
    mg_section_filter_free(f);
}

static void bench_segments(void) {
    struct mg_file *file = create("segment");
    struct mg_file_writer w;
    struct mg_segment_summary sum;
    struct mg_segment *g;
    uint64_t seed = 9;
    size_t size = mg_record_size(0, 13, 0, PAYLOAD);
    uint8_t *records = mg_alloc(SUBJECTS * size);
    char payload[PAYLOAD] = "payload";
    mg_file_writer_init(&w, mg_blob_of_file(file), 0);
    struct mg_segment_builder *b = mg_segment_builder_new(&(struct mg_segment_options){.env = &env, .file = 5}, &w);
    double t = 0;
    for (uint64_t seq = 1; seq <= MESSAGES;) {
        uint64_t from = seq; // encoding is not what is measured
        for (uint64_t i = 0; i < SUBJECTS; i++, seq++) {
            char subject[32];
            snprintf(subject, sizeof subject, "orders.%06d", (int)(rnd(&seed) % SUBJECTS));
            struct mg_record_view v = {.head = {.type = MG_RECORD_MSG, .stream = 1, .seq = seq, .time = (int64_t)seq},
                                       .subject = {subject, 13}, .payload = {payload, PAYLOAD}};
            mg_record_encode(records + i * size, &v);
        }
        t -= now();
        for (uint64_t i = 0; from + i < seq; i++)
            ok(mg_segment_builder_add(b, records + i * size), "add");
        t += now();
    }
    t -= now();
    ok(mg_segment_builder_finish(b, &sum), "finish");
    t += now();
    row("segment: build, 128-byte payloads", MESSAGES, t, "msgs", (double)sum.size);
    printf("%-44s %12.1f bytes a message beside the record\n", "segment: metadata",
           (double)(sum.size - sum.record_bytes) / MESSAGES);
    mg_segment_builder_free(b);
    mg_file_writer_fini(&w);
    mg_free(records);
    file = reopen(file, "segment");
    env.cache = mg_blockcache_new((size_t)64 << 20);
    ok(mg_segment_open(&g, &env, mg_blob_of_file(file), 5, sum.size, sum.foot_sum), "open");
    make_cold(file, sum.size);
    scan("segment: sequential read, cold", g, NULL, MESSAGES);
    scan("segment: sequential read, in the page cache", g, NULL, MESSAGES);
    questions(g);
    random_reads("segment: get, in the page cache", g, 500000);
    make_cold(file, sum.size);
    random_reads("segment: get, cold, metadata hot", g, 5000);
    mg_segment_close(g);
    mg_file_close(file);
    if (mg_file_open(disk, &file, "segment", MG_FILE_READ | MG_FILE_DIRECT, NULL) == MG_OK) {
        ok(mg_segment_open(&g, &env, mg_blob_of_direct_file(file), 5, sum.size, sum.foot_sum), "open");
        scan("segment: sequential read, direct", g, NULL, MESSAGES);
        mg_segment_close(g);
        mg_file_close(file);
    }
    mg_blockcache_free(env.cache);
    env.cache = NULL;
    mg_disk_unlink(disk, "segment", NULL);
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "tables-bench";
    struct mg_disk_why why;
    if (mg_disk_open(&disk, path, "tables_bench", MG_DISK_CREATE, &why)) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    bench_runs();
    bench_segments();
    mg_disk_close(disk);
    return 0;
}
