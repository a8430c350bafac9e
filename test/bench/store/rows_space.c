// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Memory and disk: what a segment and a hot subject cost in memory, what a work queue and a key-value stream write.
#include <malloc.h>
#include <stdio.h>
#include <sys/stat.h>

#include "jetstream/store/seal.h"
#include "jetstream/store/segment_pool.h"
#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/shard/bell.h"
#include "test/bench/store/rig.h"
#include "test/bench/store/rows.h"

#define RING (64u << 20)

// The same segment many times, each opened once, as a store with so many has them; with what the part and the keeper
// keep of the one stretch in it.
static double segment_memory(struct rig *r) {
    enum { N = 5000, POOL = 2 * MG_SEGMENT_POOL_MAX };
    struct mg_segment_ref **refs = mg_alloc(N * sizeof(struct mg_segment_ref *));
    struct mg_manifest_segment about = mg_segment_ref_about(r->store->keeping->segments[0]);
    size_t before = 0;
    for (unsigned i = 0; i < N; i++) {
        const struct mg_segment *g;
        if (i == POOL) before = mallinfo2().uordblks; // as many are open as may be
        refs[i] = mg_segment_ref_new(r->store, &about);
        mg_assert(mg_segment_use(refs[i], &g) == 0);
        mg_segment_unuse(refs[i]);
    }
    size_t after = mallinfo2().uordblks;
    for (unsigned i = 0; i < N; i++) mg_segment_ref_put(refs[i]);
    mg_free(refs);
    return (double)(after - before) / (N - POOL) + sizeof(struct mg_stretch) + sizeof(struct mg_segment_ref *) +
           sizeof(struct mg_fact_stretch);
}

void row_memory(const struct bench *b) {
    struct rig r;
    struct load l;
    rig_open(&r, b->dir, 256u << 20);
    load_init(&l, &r, 1, 0, NULL);
    l.subjects = 300000;
    l.total = 300000;
    rig_run(&r, load_step, &l);
    const struct mg_rowmap *m = r.part->rows.active;
    if (m->count >= 300000) figure("memory_subject", (double)m->bytes / m->count, "B");
    rig_checkpoint(&r);
    figure("memory_segment", segment_memory(&r), "B");
    load_fini(&l);
    rig_close(&r);
}

// ---- work queue -----------------------------------------------------------------------------------------------------

struct queue {
    struct load l;
    struct {
        uint64_t seqs[4096];
        unsigned head, len;
    } unacked;
};

// What was accepted is acknowledged a little later, that is: removed.
static void acknowledge(struct load *l, const struct mg_result *res) {
    struct queue *q = mg_container_of(l, struct queue, l);
    if (res->ctx != l || res->err) return;
    unsigned cap = sizeof(q->unacked.seqs) / sizeof(q->unacked.seqs[0]);
    if (q->unacked.len == 3000) {
        mg_assert(mg_stream_remove(l->streams[0], q->unacked.seqs[q->unacked.head], false, &q->unacked) == 0);
        q->unacked.head = (q->unacked.head + 1) % cap;
        q->unacked.len--;
    }
    q->unacked.seqs[(q->unacked.head + q->unacked.len++) % cap] = res->seq;
}

static bool ballast_is_there(const char *dir) {
    char path[4096];
    struct stat st;
    snprintf(path, sizeof(path), "%s/ballast", dir);
    return stat(path, &st) == 0 && st.st_size > 0;
}

void row_queue(const struct bench *b) {
    struct rig r;
    struct queue *q = mg_zalloc(sizeof(*q));
    struct mg_journal_state before, after;
    rig_open(&r, b->dir, RING);
    load_init(&q->l, &r, 1, 0, NULL);
    q->l.done = acknowledge;
    uint64_t lap = RING / 208;
    for (unsigned i = 0; i < 4 || (i < 12 && !ballast_is_there(b->dir)); i++) { // the ring is made, and the ballast
        q->l.total += lap;
        rig_run(&r, load_step, &q->l);
    }
    struct io io = io_now();
    double cpu = cpu_seconds();
    mg_journal_state(r.store->journal, &before);
    uint64_t n = (b->quick ? 2 : 20) * lap;
    q->l.total += n;
    rig_run(&r, load_step, &q->l);
    cpu = cpu_seconds() - cpu;
    uint64_t written = io_now().written - io.written;
    mg_journal_state(r.store->journal, &after);
    uint64_t journal = after.page_bytes - before.page_bytes, records = after.record_bytes - before.record_bytes;
    figure("queue_files_to_accepted", (double)(written - journal) / ((double)n * 200), "x");
    figure("queue_journal_to_records", (double)journal / (double)records, "x");
    figure("queue_cpu", cpu / (double)n * 1e6, "us");
    load_fini(&q->l);
    rig_close(&r);
    mg_free(q);
}

// ---- key-value ------------------------------------------------------------------------------------------------------

void row_kv(const struct bench *b) {
    struct rig r;
    struct load l;
    unsigned keys = b->quick ? 100000 : 400000;
    rig_open(&r, b->dir, RING);
    load_init(&l, &r, 1, 0, &(struct mg_stream_limits){.max_msgs_per_subject = 1});
    l.subjects = keys;
    l.size = 400;
    l.total = keys;
    rig_run(&r, load_step, &l);
    l.random = true;
    uint64_t laps = b->quick ? 4 : 20;
    double live = (double)keys * (64 + 14 + 400);
    for (int full = 0; full <= 1; full++) {
        double worst = 0, last = 0;
        l.rate = full ? 0 : 100000;
        l.began = l.sent = l.answered = l.total = 0;
        uint64_t began = mg_bell_clock();
        for (uint64_t i = 0; i < laps; i++) { // pieces of a fifth of all keys
            l.total += keys / 5;
            rig_run(&r, load_step, &l);
            double segments = (double)rig_bytes(b->dir, "segments") / live;
            last = segments + (double)rig_bytes(b->dir, "tables") / live;
            fprintf(stderr, "%llu updates: segments %.2f, with tables %.2f\n", (unsigned long long)l.total, segments,
                    last);
            if (last > worst) worst = last;
        }
        figure(full ? "kv_full_space_worst" : "kv_space_worst", worst, "x");
        figure(full ? "kv_full_space" : "kv_space", last, "x");
        double seconds = (double)(mg_bell_clock() - began) / 1e9;
        if (full) figure("kv_full_rate", (double)(l.total - l.failed) / seconds, "/s");
    }
    load_fini(&l);
    rig_close(&r);
}
