// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// journal_bench DIR [seconds a line]: what commits cost on the file system of DIR, beside raw writes of the same size
// into a file that was filled before. Raw writes are the limit; the journal adds records, checksums, copies and two
// changes of threads.
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "jetstream/store/journal.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/bell.h"

#define PAGE       4096u
#define FILE_PAGES 2048u
#define FILES      8u
#define RAW_BYTES  (8u << 20)
#define ROUNDS     9

struct flight {
    struct mg_batch batch;
    struct mg_span span;
    struct bench *b;
    unsigned records;
    uint8_t *bytes;
};

struct bench {
    struct mg_disk *disk;
    struct mg_journal *j;
    struct mg_inbox home;
    struct mg_bell bell;
    double seconds;
    uint64_t op, returned, flights;
    uint64_t until;
};

static void must(int rc, const char *what, const char *why) {
    if (rc == 0) return;
    fprintf(stderr, "%s: %s %s\n", what, mg_strerror(rc), why);
    exit(1);
}

static double cpu_seconds(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

// ---- raw ----------------------------------------------------------------------------------------------------------

// Writes of `size` bytes for a while; us each.
static double raw(struct bench *b, size_t size) {
    struct mg_file *f;
    must(mg_file_open(b->disk, &f, "raw", MG_FILE_WRITE | MG_FILE_DIRECT | MG_FILE_DSYNC, NULL), "raw", "");
    uint8_t *p = mg_disk_alloc(size);
    memset(p, 7, size);
    uint64_t n = 0, at = 0, began = mg_bell_clock(), until = began + (uint64_t)(b->seconds * 1e9 / ROUNDS);
    for (; mg_bell_clock() < until; n++, at += size) {
        if (at + size > RAW_BYTES) at = 0;
        must(mg_file_write(f, p, size, at, NULL), "raw write", "");
    }
    double us = (double)(mg_bell_clock() - began) / 1000 / (double)n;
    mg_disk_free(p);
    mg_file_close(f);
    return us;
}

static void fill_raw(struct bench *b) {
    struct mg_file *f;
    must(mg_file_open(b->disk, &f, "raw", MG_FILE_WRITE | MG_FILE_CREATE, NULL), "raw", "");
    void *zeros = mg_zalloc(RAW_BYTES);
    must(mg_file_write(f, zeros, RAW_BYTES, 0, NULL), "fill", "");
    must(mg_file_sync(f, NULL), "sync", "");
    mg_free(zeros);
    mg_file_close(f);
}

// ---- the journal --------------------------------------------------------------------------------------------------

static void ring(void *arg) { mg_bell_ring(arg); }

static void send(struct flight *f) {
    static const char payload[128] = "a message of 128 bytes";
    size_t n = 0;
    for (unsigned i = 0; i < f->records; i++) {
        struct mg_record_view v = {
            .head = {.type = MG_RECORD_MSG, .stream = 1, .op = f->b->op, .seq = f->b->op, .time = (int64_t)f->b->op},
            .subject = MG_S("orders.1234"),
            .payload = mg_slice_of(payload, sizeof(payload)),
        };
        f->b->op++;
        n += mg_record_encode(f->bytes + n, &v);
    }
    f->span = (struct mg_span){f->bytes, n};
    f->batch.spans = &f->span;
    f->batch.nspans = 1;
    f->batch.bytes = n;
    must(mg_journal_submit(f->b->j, &f->batch), "submit", "");
}

static void arrived(struct mg_parcel *p) {
    struct flight *f = (struct flight *)(void *)p;
    must(f->batch.result, "commit", "");
    f->b->returned += f->records;
    f->b->flights--;
    mg_journal_recycle(f->b->j, f->batch.page); // as a keeper would, only sooner
    if (mg_bell_clock() >= f->b->until) return;
    f->b->flights++;
    send(f);
}

struct result {
    double rate, cpu_us, commit_us, kb, overhead;
};

static struct result run(struct bench *b, unsigned flights, unsigned records) {
    struct flight *f = mg_zalloc(flights * sizeof(*f));
    struct mg_journal_state s0, s1;
    mg_journal_state(b->j, &s0);
    double cpu = cpu_seconds();
    uint64_t began = mg_bell_clock();
    b->until = began + (uint64_t)(b->seconds * 1e9 / ROUNDS);
    b->returned = 0;
    for (unsigned i = 0; i < flights; i++) {
        f[i] = (struct flight){.batch = {.parcel.arrived = arrived, .home = &b->home}, .b = b, .records = records};
        f[i].bytes = mg_alloc(records * 256u);
        b->flights++;
        send(&f[i]);
    }
    while (b->flights > 0) {
        if (mg_inbox_open(&b->home)) continue;
        if (mg_mailbox_sleep(&b->home.box, MG_ASLEEP)) mg_bell_wait(&b->bell, MG_NEVER);
        mg_mailbox_awake(&b->home.box);
    }
    double s = (double)(mg_bell_clock() - began) / 1e9, n = (double)b->returned;
    cpu = cpu_seconds() - cpu;
    mg_journal_state(b->j, &s1);
    double commits = (double)(s1.commits - s0.commits), pages = (double)(s1.page_bytes - s0.page_bytes);
    for (unsigned i = 0; i < flights; i++) mg_free(f[i].bytes);
    mg_free(f);
    return (struct result){.rate = n / s,
                           .cpu_us = cpu * 1e6 / n,
                           .commit_us = s * 1e6 / commits,
                           .kb = pages / 1024 / commits,
                           .overhead = pages / (double)(s1.record_bytes - s0.record_bytes)};
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v) {
    qsort(v, ROUNDS, sizeof(*v), by_value);
    return v[ROUNDS / 2];
}

// Raw writes and commits of about the same size in turn, because other users of the device do not hold still.
static void compare(struct bench *b, size_t raw_bytes, unsigned flights, unsigned records) {
    double raw_us[ROUNDS], commit_us[ROUNDS], rate[ROUNDS], cpu[ROUNDS], ratio[ROUNDS];
    struct result r = {0};
    for (int i = 0; i < ROUNDS; i++) {
        raw_us[i] = raw(b, raw_bytes);
        r = run(b, flights, records);
        commit_us[i] = r.commit_us;
        rate[i] = r.rate;
        cpu[i] = r.cpu_us;
        ratio[i] = r.commit_us / raw_us[i];
    }
    printf("%u x %4u records in flight: %8.0f records/s, %6.3f us CPU each; a commit of %4.0f KB %7.1f us, "
           "a raw write of %4zu KB %7.1f us: %.2f x; bytes of pages/records %.3f\n",
           flights, records, median(rate), median(cpu), r.kb, median(commit_us), raw_bytes / 1024, median(raw_us),
           median(ratio), r.overhead);
}

static void open_journal(struct bench *b, uint64_t replay_from) {
    const struct mg_journal_options o = {.disk = b->disk, .salt = 1, .page_bytes = PAGE, .file_pages = FILE_PAGES,
                                         .files = FILES, .idle_ns = 20000000, .replay_from = replay_from};
    struct mg_disk_why why = {""};
    uint64_t began = mg_bell_clock();
    must(mg_journal_open(&b->j, &o, &why), "open", why.text);
    printf("opened in %.1f ms\n", (double)(mg_bell_clock() - began) / 1e6);
}

int main(int argc, char **argv) {
    struct mg_disk_why why = {""};
    struct bench b = {.seconds = argc > 2 ? strtod(argv[2], NULL) : 1};
    char text[300];
    if (argc < 2) {
        fprintf(stderr, "usage: %s DIR [seconds]\n", argv[0]);
        return 2;
    }
    must(mg_disk_open(&b.disk, argv[1], "bench", MG_DISK_CREATE, &why), "open", why.text);
    mg_bell_init(&b.bell);
    b.home.ring = ring;
    b.home.arg = &b.bell;
    fill_raw(&b);
    open_journal(&b, 0);
    for (int i = 0; i < ROUNDS; i++) run(&b, 2, 20000); // the first laps, in which the ring is made
    compare(&b, 4096, 1, 1);
    compare(&b, 65536, 1, 300);
    compare(&b, 106496, 2, 500);
    compare(&b, 212992, 1, 1000);
    compare(&b, 1u << 20, 1, 5000);
    mg_journal_describe(b.j, text, sizeof(text));
    printf("%s\n", text);
    struct mg_journal_state s;
    mg_journal_state(b.j, &s);
    mg_journal_close(b.j);
    open_journal(&b, s.tail);
    mg_journal_close(b.j);
    for (unsigned no = 0; no < FILES; no++) {
        snprintf(text, sizeof(text), "journal/ring-%05u", no);
        mg_disk_unlink(b.disk, text, NULL);
    }
    mg_disk_unlink(b.disk, "journal", NULL);
    mg_disk_unlink(b.disk, "raw", NULL);
    mg_disk_close(b.disk);
    mg_bell_fini(&b.bell);
    return 0;
}
