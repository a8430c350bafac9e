// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// One stream with ten million subjects, in a store with a memory of 256 MB: publishing, updates, the last message of
// a subject, counts, lists and a purge by wildcards.
#include <stdio.h>
#include <stdlib.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/bell.h"
#include "test/bench/store/rig.h"
#include "test/bench/store/rows.h"
#include "test/bench/store/watch.h"

#define GROUPS 1000u

struct many {
    struct rig r;
    struct load l;
    struct hist turns, turns_cpu, latency;
    uint64_t n, wait_until, began;
    struct mg_stream *s;
    struct mg_read read;
    struct mg_subjects_read list;
    uint64_t listed, got;
    unsigned lookups;
    bool over;
};

// Neighbours in time are no neighbours in the order of bytes.
static size_t subject_of(uint64_t n, char out[32]) {
    return (size_t)snprintf(out, 32, "dev.%u.%u", (unsigned)(n % GROUPS), (unsigned)(n / GROUPS));
}

static enum rig_step rest_step(void *arg) {
    struct many *m = arg;
    m->r.wake_at = mg_loop_clock(m->r.loop) + 10000000;
    return mg_store_status(m->r.store).resting ? RIG_DONE : RIG_WAIT;
}

static double since(uint64_t began) { return (double)(mg_bell_clock() - began) / 1e9; }

static double publish(struct many *m, uint64_t n, bool random) {
    uint64_t began = mg_bell_clock();
    m->l.random = random;
    m->l.total += n;
    rig_run(&m->r, load_step, &m->l);
    return (double)n / since(began);
}

// ---- the last of a subject ------------------------------------------------------------------------------------------

static void next_lookup(struct many *m);

static void looked_up(struct mg_read *r) {
    struct many *m = r->user;
    mg_assert(r->err == 0);
    hist_add(&m->latency, mg_bell_clock() - m->began);
    m->read.stream = NULL;
}

static enum rig_step lookup_step(void *arg) {
    struct many *m = arg;
    while (m->read.stream == NULL && m->lookups > 0) next_lookup(m);
    return m->read.stream == NULL ? RIG_DONE : RIG_WAIT;
}

static void next_lookup(struct many *m) {
    static char text[32];
    static mg_slice filter;
    m->lookups--;
    filter = mg_slice_of(text, subject_of((uint64_t)rand() * 31u % m->n, text));
    m->read = (struct mg_read){.kind = MG_READ_LAST, .seq = MG_ANY_SEQ, .filters = &filter, .filters_len = 1,
                               .done = looked_up, .user = m};
    m->began = mg_bell_clock();
    if (mg_stream_read(m->s, &m->read) == 0) looked_up(&m->read);
}

// ---- counts, lists, a purge -----------------------------------------------------------------------------------------

static void counted(struct mg_read *r) {
    struct many *m = r->user;
    mg_assert(r->err == 0);
    m->got = r->count;
    m->over = true;
}
static enum rig_step over_step(void *arg) { return ((struct many *)arg)->over ? RIG_DONE : RIG_WAIT; }

static double count(struct many *m, const char *filter, uint64_t want) {
    uint64_t began = mg_bell_clock();
    mg_slice f = {filter, strlen(filter)};
    m->over = false;
    m->read = (struct mg_read){.kind = MG_READ_COUNT, .filters = &f, .filters_len = 1, .done = counted, .user = m};
    if (mg_stream_read(m->s, &m->read) == 0) counted(&m->read);
    rig_run(&m->r, over_step, m);
    double took = since(began);
    fprintf(stderr, "count %s: %llu\n", filter, (unsigned long long)m->got);
    mg_assert(want == 0 || m->got == want);
    return took;
}

static void each(struct mg_subjects_read *r, mg_slice subject, uint64_t n, uint64_t last) {
    struct many *m = r->user;
    (void)subject, (void)n, (void)last;
    m->listed++;
}
static void list_done(struct mg_subjects_read *r, int err, uint64_t total) {
    struct many *m = r->user;
    mg_assert(err == 0);
    m->got = total;
    m->over = true;
}

static double list(struct many *m, const char *filter, uint64_t skip, uint64_t max) {
    uint64_t began = mg_bell_clock();
    m->over = false;
    m->listed = 0;
    m->list = (struct mg_subjects_read){.filter = {filter, strlen(filter)}, .skip = skip, .max = max, .each = each,
                                        .done = list_done, .user = m};
    mg_stream_subjects(m->s, &m->list);
    rig_run(&m->r, over_step, m);
    double took = since(began);
    fprintf(stderr, "list %s: %llu of %llu\n", filter, (unsigned long long)m->listed, (unsigned long long)m->got);
    return took;
}

static void purged(struct load *l, const struct mg_result *res) {
    struct many *m = mg_container_of(l, struct many, l);
    if (res->ctx == l) return;
    m->got = res->seq;
    m->over = true;
}

static double purge(struct many *m, const char *filter) {
    uint64_t began = mg_bell_clock();
    m->over = false;
    m->l.done = purged;
    mg_assert(mg_stream_purge(m->s, (mg_slice){filter, strlen(filter)}, 0, 0, m) == 0);
    rig_run(&m->r, over_step, m);
    double took = since(began);
    fprintf(stderr, "purge %s: %llu\n", filter, (unsigned long long)m->got);
    return took;
}

static void say_memory(const char *when, struct many *m) {
    fprintf(stderr, "%s: %.0f MB, at most %.0f MB; turns p99.9 %.0f us, at most %.0f us (%.0f us, %.0f us on "
            "the CPU); %u runs, %u stretches\n", when, rss_mb(), rss_peak_mb(), hist_us(&m->turns, 0.999),
            hist_max_us(&m->turns), hist_us(&m->turns_cpu, 0.999), hist_max_us(&m->turns_cpu),
            m->r.store->runs->count, m->s->cold.count);
}

void row_many(const struct bench *b) {
    struct many *m = mg_zalloc(sizeof(*m));
    m->n = b->quick ? 1000000 : 10000000;
    rig_open_small(&m->r, b->dir, 256u << 20);
    load_init(&m->l, &m->r, 1, 0, NULL);
    m->l.subject = subject_of;
    m->l.subjects = (unsigned)m->n;
    m->l.size = 64;
    m->s = m->l.streams[0];
    m->r.turns = &m->turns;
    m->r.turns_cpu = &m->turns_cpu;
    m->r.watch = watch_new(400000);
    rss_again();
    figure("many_publish", publish(m, m->n, false), "/s");
    figure("many_refused", (double)m->l.failed, "");
    figure("many_publish_peak", rss_peak_mb(), "MB");
    say_memory("published", m);
    figure("many_update", publish(m, m->n / 20, true), "/s");
    say_memory("updated", m);
    rig_checkpoint(&m->r);
    rig_run(&m->r, rest_step, m);
    say_memory("at rest", m);
    uint64_t all = m->n + m->n / 20 - m->l.failed;
    m->lookups = b->quick ? 5000 : 20000;
    rig_run(&m->r, lookup_step, m);
    figure("many_last_p50", hist_us(&m->latency, 0.5), "us");
    figure("many_last_p99", hist_us(&m->latency, 0.99), "us");
    say_memory("looked up", m);
    figure("many_count", count(m, "dev.7.*", 0) * 1000, "ms");
    figure("many_count_all", count(m, "dev.>", all) * 1000, "ms");
    figure("many_list", list(m, "dev.8.*", 0, 10000) * 1000, "ms");
    figure("many_list_page", list(m, "", m->n / 2, 1000) * 1000, "ms");
    say_memory("listed", m);
    figure("many_purge", purge(m, "dev.9.*") * 1000, "ms");
    say_memory("purged", m);
    figure("many_turn_p999", hist_us(&m->turns, 0.999), "us");
    figure("many_turn_max", hist_max_us(&m->turns), "us");
    figure("many_turn_cpu_p999", hist_us(&m->turns_cpu, 0.999), "us");
    figure("many_turn_cpu_max", hist_max_us(&m->turns_cpu), "us");
    figure("many_peak", rss_peak_mb(), "MB");
    watch_say(m->r.watch);
    watch_free(m->r.watch);
    load_fini(&m->l);
    rig_close(&m->r);
    mg_free(m);
}
