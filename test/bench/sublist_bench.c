// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the subject index costs: ns per operation, the best of a few runs.
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/router/interest.h"
#include "server/router/sublist.h"

enum { RUNS = 5 };

static uint64_t now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

// Without the time in which other processes had the core: for the worst single operation.
static uint64_t cpu_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static struct mg_sub *sub_new(const char *subject, const char *queue) {
    size_t n = strlen(subject), q = strlen(queue);
    struct mg_sub *s = mg_zalloc(sizeof *s + mg_sub_size(n, q, 1));
    s->subject_len = (uint16_t)n;
    s->queue_len = (uint16_t)q;
    s->sid_len = 1;
    memcpy(s->text, subject, n);
    memcpy(s->text + n, queue, q);
    s->text[n + q] = '1';
    return s;
}

static struct mg_sub **fill(struct mg_sublist *sl, const char *format, size_t n) {
    struct mg_sub **subs = mg_alloc(n * sizeof *subs);
    char text[128];
    for (size_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, format, i);
        subs[i] = sub_new(text, "");
        mg_sublist_insert(sl, subs[i], NULL);
    }
    return subs;
}

static void drop(struct mg_sublist *sl, struct mg_sub **subs, size_t n) {
    for (size_t i = 0; i < n; i++) {
        mg_sublist_remove(sl, subs[i], NULL);
        mg_free(subs[i]);
    }
    mg_free(subs);
}

// n matches of subjects made by `format` with 0 .. distinct - 1.
static void match(struct mg_sublist *sl, const char *what, const char *format, size_t distinct, size_t n) {
    char(*subjects)[64] = mg_alloc(distinct * sizeof *subjects);
    size_t *lens = mg_alloc(distinct * sizeof *lens);
    for (size_t i = 0; i < distinct; i++) {
        snprintf(subjects[i], sizeof subjects[i], format, i);
        lens[i] = strlen(subjects[i]);
        mg_sublist_match(sl, mg_slice_of(subjects[i], lens[i]));
        mg_sublist_match(sl, mg_slice_of(subjects[i], lens[i]));
    }
    uint64_t best = UINT64_MAX, fanout = 0;
    for (int run = 0; run < RUNS; run++) {
        uint64_t t = now_ns();
        fanout = 0;
        for (size_t i = 0, k = 0; i < n; i++, k = k + 1 < distinct ? k + 1 : 0)
            fanout += mg_sublist_match(sl, mg_slice_of(subjects[k], lens[k]))->nplain;
        t = now_ns() - t;
        if (t < best) best = t;
    }
    printf("%-52s %8.1f ns   (fan-out %.0f)\n", what, (double)best / (double)n, (double)fanout / (double)n);
    mg_free(subjects);
    mg_free(lens);
}

static void churn(struct mg_sublist *sl, const char *what, const char *subject, const char *queue) {
    struct mg_sub *s = sub_new(subject, queue);
    const size_t n = 1000000;
    uint64_t best = UINT64_MAX;
    for (int run = 0; run < RUNS; run++) {
        uint64_t t = now_ns();
        for (size_t i = 0; i < n; i++) {
            mg_sublist_insert(sl, s, NULL);
            mg_sublist_remove(sl, s, NULL);
        }
        t = now_ns() - t;
        if (t < best) best = t;
    }
    printf("%-52s %8.1f ns   (both)\n", what, (double)best / (double)n);
    mg_free(s);
}

static void bench_flat(void) {
    struct mg_sublist *sl = mg_sublist_new(42, 1024);
    struct mg_sub **lit = fill(sl, "orders.eu.%zu.new", 1000);
    match(sl, "literal, 1 subject, literals only", "orders.eu.%zu.new", 1, 20000000);
    struct mg_sub **inbox = fill(sl, "_INBOX.%022zu.*", 1000);
    match(sl, "literal, 1 subject, and inboxes", "orders.eu.%zu.new", 1, 20000000);
    match(sl, "literal, 1000 subjects, and inboxes", "orders.eu.%zu.new", 1000, 20000000);
    match(sl, "prefix, 1 inbox", "_INBOX.%022zu.0123456789", 1, 20000000);
    match(sl, "prefix, 1000 inboxes", "_INBOX.%022zu.0123456789", 1000, 20000000);
    match(sl, "nobody", "nobody.%zu.here", 1000, 20000000);
    churn(sl, "insert + remove literal", "orders.eu.x.new", "");
    churn(sl, "insert + remove literal, not the first", "orders.eu.7.new", "");
    churn(sl, "insert + remove inbox", "_INBOX.0123456789012345678901.*", "");
    churn(sl, "insert + remove queue", "orders.eu.x.new", "workers");
    drop(sl, lit, 1000);
    drop(sl, inbox, 1000);
    mg_sublist_free(sl);
}

static void bench_wild(size_t patterns, const char *format, const char *name) {
    char what[128];
    for (size_t cache = 0; cache <= 1024; cache += 1024) {
        struct mg_sublist *sl = mg_sublist_new(42, cache);
        struct mg_sub **lit = fill(sl, "orders.eu.%zu.new", 1000);
        struct mg_sub **wild = fill(sl, format, patterns);
        snprintf(what, sizeof what, "%zu %s, 100 subjects, %s", patterns, name, cache ? "cached" : "not cached");
        match(sl, what, "orders.eu.%zu.new", 100, patterns > 100 && !cache ? 200000 : 5000000);
        if (cache) {
            churn(sl, "  insert + remove literal", "orders.eu.x.new", "");
            churn(sl, "  insert + remove pattern", "orders.*.x.>", "");
            match(sl, "  unique subjects", "orders.eu.%zu.old", 100000, 1000000);
        }
        drop(sl, lit, 1000);
        drop(sl, wild, patterns);
        mg_sublist_free(sl);
    }
}

static size_t heap_in_use(void) {
    struct mallinfo2 mi = mallinfo2();
    return mi.uordblks + mi.hblkhd;
}

// A million distinct subscriptions: the mean (with the clock calls, about 300 ns) and the worst of single operations.
// glibc joins all small freed chunks at once when it next allocates a large one: 7 ms after a million frees. Run with
// GLIBC_TUNABLES=glibc.malloc.mxfast=0 to see the index alone.
static void bench_million(const char *format) {
    const size_t n = 1000000;
    struct mg_sublist *sl = mg_sublist_new(42, 1024);
    struct mg_sub **subs = mg_alloc(n * sizeof *subs);
    char text[128];
    for (size_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, format, i);
        subs[i] = sub_new(text, "");
    }
    size_t before = heap_in_use();
    uint64_t worst = 0, start = now_ns();
    for (size_t i = 0; i < n; i++) {
        uint64_t t = cpu_ns();
        mg_sublist_insert(sl, subs[i], NULL);
        t = cpu_ns() - t;
        if (t > worst) worst = t;
    }
    uint64_t insert = now_ns() - start;
    printf("1M %s: insert %.0f ns, worst %.0f us, %.1f bytes each\n", format, (double)insert / (double)n,
           (double)worst / 1000, (double)(heap_in_use() - before) / (double)n);
    match(sl, "  match, 1M subjects (cold)", format, n, n);
    start = now_ns();
    worst = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t t = cpu_ns();
        mg_sublist_remove(sl, subs[i], NULL);
        t = cpu_ns() - t;
        if (t > worst) worst = t;
    }
    printf("  remove %.0f ns, worst %.0f us, %zu bytes left\n", (double)(now_ns() - start) / (double)n,
           (double)worst / 1000, heap_in_use() - before);
    for (size_t i = 0; i < n; i++)
        mg_free(subs[i]);
    mg_free(subs);
    mg_sublist_free(sl);
}

static void bench_interest(void) {
    struct mg_interest *ix = mg_interest_new(42, 1024);
    const size_t n = 1000000;
    char text[64];
    size_t before = heap_in_use();
    uint64_t t = now_ns();
    for (size_t i = 0; i < n; i++) {
        int len = snprintf(text, sizeof text, "sensors.%08zu.temp", i);
        mg_interest_plain(ix, mg_slice_of(text, (size_t)len), 3, true);
    }
    t = now_ns() - t;
    printf("interest: 1M literals announced, %.0f ns and %.1f bytes each\n", (double)t / (double)n,
           (double)(heap_in_use() - before) / (double)n);
    struct mg_imatch m;
    uint64_t mask = 0;
    for (int wild = 0; wild < 2; wild++) {
        if (wild) mg_interest_plain(ix, MG_S("*.*.humidity"), 5, true);
        t = now_ns();
        for (size_t i = 0; i < 10000000; i++) {
            mg_interest_match(ix, MG_S("sensors.00000007.temp"), &m);
            mask |= m.plain;
        }
        t = now_ns() - t;
        mg_assert(mask == 8);
        const char *what = wild ? "  match literal, with a pattern, cached" : "  match literal";
        printf("%-52s %8.1f ns\n", what, (double)t / 1e7);
    }
    mg_interest_free(ix);
}

int main(void) {
    bench_flat();
    bench_wild(1, ">%.0zu", "tap"); // `>`: the number is not printed
    bench_wild(10, "orders.*.%zu.>", "patterns");
    bench_wild(1000, "orders.*.%zu.>", "patterns");
    bench_million("_INBOX.%022zu.*");
    bench_million("sensors.%08zu.temp");
    bench_million("_INBOX.%022zu.>");
    bench_interest();
    return 0;
}
