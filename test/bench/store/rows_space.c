// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Memory and disk: what a segment and a hot subject cost in memory, what a work queue and a key-value stream write.
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

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

// Of all generations: a checkpoint that comes early begins another one.
static size_t rows_memory(const struct mg_rows *rows) {
    size_t bytes = rows->active->bytes;
    for (unsigned i = 0; i < rows->frozen_len; i++) bytes += rows->frozen[i]->bytes;
    return bytes;
}

void row_memory(const struct bench *b) {
    struct rig r;
    struct load l;
    rig_open(&r, b->dir, 256u << 20);
    load_init(&l, &r, 1, 0, NULL);
    l.subjects = 300000;
    l.total = 300000;
    rig_run(&r, load_step, &l);
    figure("memory_subject", (double)rows_memory(&r.part->rows) / l.subjects, "B");
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

// A consumer has no more than so many: the default of max_ack_pending.
#define UNACKED 1000u

// What was accepted is acknowledged a little later, that is: removed.
static void acknowledge(struct load *l, const struct mg_result *res) {
    struct queue *q = mg_container_of(l, struct queue, l);
    if (res->ctx != l || res->err) return;
    unsigned cap = sizeof(q->unacked.seqs) / sizeof(q->unacked.seqs[0]);
    if (q->unacked.len == UNACKED) {
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
    const struct mg_keeper *k = r.store->keeping;
    uint64_t segments = atomic_load(&k->segment_bytes), checkpoints = atomic_load(&k->checkpoints);
    mg_journal_state(r.store->journal, &before);
    uint64_t n = (b->quick ? 2 : 20) * lap, accepted = q->l.bytes;
    q->l.total += n;
    rig_run(&r, load_step, &q->l);
    cpu = cpu_seconds() - cpu;
    accepted = q->l.bytes - accepted;
    segments = atomic_load(&k->segment_bytes) - segments;
    checkpoints = atomic_load(&k->checkpoints) - checkpoints;
    uint64_t written = io_now().written - io.written;
    mg_journal_state(r.store->journal, &after);
    uint64_t journal = after.page_bytes - before.page_bytes, records = after.record_bytes - before.record_bytes;
    figure("queue_segments_to_accepted", (double)segments / (double)accepted, "x");
    figure("queue_files_to_accepted", (double)(written - journal) / (double)accepted, "x");
    figure("queue_checkpoints", (double)checkpoints, "");
    figure("queue_journal_to_records", (double)journal / (double)records, "x");
    figure("queue_cpu", cpu / (double)n * 1e6, "us");
    load_fini(&q->l);
    rig_close(&r);
    mg_free(q);
}

// ---- key-value ------------------------------------------------------------------------------------------------------

// What the store takes, again and again on a thread of its own: also while both what a job reads and what it writes are
// there. Without the ring, which has its size whatever is in it.
struct scale {
    const char *dir;
    atomic_bool over;
    struct room {
        uint64_t sum, most, samples; // bytes
        uint64_t tables;             // of the sum
    } room;
};

static void scale_main(void *arg) {
    struct scale *x = arg;
    while (!atomic_load(&x->over)) {
        uint64_t tables = rig_bytes(x->dir, "tables"), bytes = tables + rig_bytes(x->dir, "segments");
        if (bytes > x->room.most) x->room.most = bytes;
        x->room.tables += tables;
        x->room.sum += bytes;
        x->room.samples++;
        usleep(10000);
    }
}

// Runs the load and weighs meanwhile.
static struct room weigh(struct load *l, const char *dir) {
    struct scale x = {.dir = dir};
    struct mg_thread *t;
    mg_assert(mg_thread_start(&t, "scale", scale_main, &x) == 0);
    rig_run(l->rig, load_step, l);
    atomic_store(&x.over, true);
    mg_thread_join(t);
    return x.room;
}

// Live bytes are what the stream's `bytes` says, which is what an operator compares with.
// Each key is updated once on average at the pace in question before that counts, and four times while it does.
struct pace {
    uint64_t rate; // updates a second; 0: as fast as they go
    const char *space, *tables, *worst, *reached;
};

static void update(const struct bench *b, struct load *l, const struct pace *p) {
    l->rate = p->rate;
    l->began = l->sent = l->answered = l->failed = 0;
    l->total = l->subjects;
    rig_run(l->rig, load_step, l);
    uint64_t began = mg_bell_clock(), refused = l->failed, n = (b->quick ? 1 : 4) * l->subjects;
    l->total += n;
    struct room room = weigh(l, b->dir);
    double seconds = (double)(mg_bell_clock() - began) / 1e9, live = (double)mg_stream_bytes(l->streams[0]);
    figure(p->space, (double)room.sum / (double)room.samples / live, "x");
    figure(p->tables, (double)room.tables / (double)room.samples / live, "x");
    figure(p->worst, (double)room.most / live, "x");
    figure(p->reached, (double)(n - (l->failed - refused)) / seconds, "/s");
}

void row_kv(const struct bench *b) {
    struct rig r;
    struct load l;
    rig_open(&r, b->dir, RING);
    load_init(&l, &r, 1, 0, &(struct mg_stream_limits){.max_msgs_per_subject = 1});
    l.subjects = b->quick ? 100000 : 400000;
    l.size = 400;
    l.total = l.subjects;
    rig_run(&r, load_step, &l);
    l.random = true;
    update(b, &l, &(struct pace){50000, "kv_space", "kv_tables", "kv_space_worst", "kv_rate"});
    update(b, &l, &(struct pace){100000, "kv_fast_space", "kv_fast_tables", "kv_fast_space_worst", "kv_fast_rate"});
    update(b, &l, &(struct pace){0, "kv_full_space", "kv_full_tables", "kv_full_space_worst", "kv_full_rate"});
    load_fini(&l);
    rig_close(&r);
}
