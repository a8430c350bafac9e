// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the rows of store_bench share: a store with one part on a loop of its own, the raw writes beside it, histograms.
// All of it belongs to the thread that runs the loop.
#ifndef MG_BENCH_STORE_RIG_H
#define MG_BENCH_STORE_RIG_H

#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/shard/loop.h"

// ---- figures

// One line: name, value, unit. What it has to reach stands in scripts/bench-store.
void figure(const char *name, double value, const char *unit);

struct hist {
    uint64_t slots[64 * 16], count;
};
void hist_add(struct hist *h, uint64_t ns);
void hist_merge(struct hist *h, const struct hist *other);
double hist_us(const struct hist *h, double quantile);

double median(double *values, unsigned n); // sorts
double cpu_seconds(void);                  // of all threads
struct io { // of this process, bytes that reached the device
    uint64_t read, written;
};
struct io io_now(void);
// MB of memory that this process has, and the most it had since the start or rss_again.
double rss_mb(void);
double rss_peak_mb(void);
void rss_again(void);
double hist_max_us(const struct hist *h);

// What others do on this machine, which the tails feel first.
struct weather {
    uint64_t at, own_io, all_io; // bytes
    double own_cpu, all_cpu;     // seconds
};
struct weather weather_now(const char *dir); // of the device of dir
void weather_since(const struct weather *then, const char *dir, double *cpu, double *mb); // others: share, MB/s

// ---- the store

enum rig_step { RIG_WAIT, RIG_MORE, RIG_DONE };

struct watch;

struct rig {
    const char *dir;
    struct mg_store *store;
    struct mg_store_part *part;
    struct mg_loop *loop;
    struct mg_wheel wheel;
    uint64_t wake_at; // a step that waits for a time sets it
    enum rig_step (*step)(void *arg);
    void *arg;
    bool stopping;
    struct hist *turns; // how long the part's turns take; NULL: nobody asks
    struct hist *turns_cpu; // CPU time of these and of timers; with `watch` only
    struct watch *watch;    // NULL: nobody asks
};

void rig_open(struct rig *r, const char *dir, uint64_t ring_bytes); // a store that is there is recovered
// The same as a server opens it that is configured with so much store_memory.
void rig_open_small(struct rig *r, const char *dir, uint64_t memory);
// The same with so few messages in a section of a segment; 0: as usual.
void rig_open_sections(struct rig *r, const char *dir, uint64_t ring_bytes, uint32_t messages);
void rig_close(struct rig *r);
// Runs the loop; step is called in each turn until it says RIG_DONE.
void rig_run(struct rig *r, enum rig_step (*step)(void *arg), void *arg);
struct mg_stream *rig_stream(struct rig *r, unsigned n, const struct mg_stream_limits *limits); // finds or creates it
void rig_checkpoint(struct rig *r); // and waits for it
void rig_remove(const char *dir);   // the whole directory
void rig_forget(const char *dir);   // drops its files from the page cache
uint64_t rig_bytes(const char *dir, const char *folder); // of the files in it

// Raw writes as the journal writes, to a file of their own beside the store.
struct raw {
    struct mg_disk *disk;
    struct mg_file *file;
    void *pages;
    size_t bytes;
    uint64_t at;
};
void raw_open(struct raw *w, const struct rig *r, size_t bytes); // rounded up to pages
uint64_t raw_write(struct raw *w);                               // ns that it took
void raw_close(struct raw *w);
double raw_write_us(const struct rig *r, size_t bytes, unsigned rounds); // the median of some

// ---- a load of appends

struct load {
    struct rig *rig;
    struct mg_stream **streams;
    unsigned nstreams, subjects;
    size_t size;
    unsigned in_flight;       // at most
    uint64_t rate;            // appends a second; 0: as fast as they go
    uint64_t total;           // 0: until somebody stops it
    bool random;              // subjects at random, else in turn
    struct hist *latency;     // may be NULL
    void (*done)(struct load *l, const struct mg_result *res); // may be NULL
    size_t (*subject)(uint64_t n, char out[32]); // of the n-th; NULL: orders.<n>, digits backwards
    size_t (*body)(struct load *l, char *out);   // up to 1 MB; NULL: `size` zeros
    // Its own.
    uint64_t sent, answered, failed, began, seed;
    uint64_t bytes; // of subjects and payloads that were sent
    uint64_t *starts;
    struct mg_mbuf *payload;
};
void load_init(struct load *l, struct rig *r, unsigned nstreams, unsigned first, const struct mg_stream_limits *limits);
void load_fini(struct load *l);
enum rig_step load_step(void *load); // for rig_run: until `total` is answered
void load_push(struct load *l);      // sends what may be sent now

#endif
