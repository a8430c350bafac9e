// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The log of one server: many threads write lines, one writer thread takes them out (shard/log_writer.h). Writing never
// blocks: a line goes into a bounded lock-free ring and is counted as dropped when the ring is full.
//
// Instead of a ring a log may have a capture sink, which gets each line at once on the thread that wrote it: that is for
// tests and the simulator. A log with neither (and a NULL log) discards everything.
#ifndef MG_BASE_LOG_H
#define MG_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/base/slice.h"

enum mg_log_level { MG_LOG_FTL, MG_LOG_ERR, MG_LOG_WRN, MG_LOG_INF, MG_LOG_DBG, MG_LOG_TRC };

#define MG_LOG_LINE_MAX 65536u // bytes of one line's text; the rest is cut off

struct mg_log_ring;

// Gets a line's level, wall time (ns since the epoch) and text; the text is valid during the call.
typedef void mg_log_sink(void *arg, enum mg_log_level level, int64_t wall_ns, mg_slice text);

// One per server, shared by its threads. Everything but the atomics is set before the first thread starts.
struct mg_log {
    // What a reload may change while lines are written (mg_log_set_flags).
    atomic_bool debug, trace;
    atomic_bool trace_verbose; // trace the system account too
    atomic_bool trace_headers; // trace the header part of messages only
    _Atomic int64_t max_traced_msg_len; // 0: all

    struct mg_log_ring *ring; // owned; NULL: none
    mg_log_sink *sink;        // used when there is no ring; may be NULL
    void *sink_arg;

    // The writer's hooks. wake: the ring got its first line while the writer slept. flush: returns when everything
    // written so far is out (used by fatal lines); NULL: none.
    void (*wake)(void *arg);
    void (*flush)(void *arg);
    void *hook_arg;
    int64_t (*wall)(void *arg); // ns since the epoch; NULL: the system's clock
    void *wall_arg;
};

// A log with a ring of `slots` lines (a power of two; 256 bytes each) or, when slots is 0, without one.
void mg_log_init(struct mg_log *log, size_t slots);
void mg_log_fini(struct mg_log *log); // no thread may use it any more
void mg_log_set_flags(struct mg_log *log, bool debug, bool trace, bool trace_verbose, bool trace_headers,
                      int64_t max_traced_msg_len);

static inline bool mg_log_on(const struct mg_log *log, enum mg_log_level level) {
    if (log == NULL) return false;
    if (level == MG_LOG_DBG) return atomic_load_explicit(&log->debug, memory_order_relaxed);
    if (level == MG_LOG_TRC) return atomic_load_explicit(&log->trace, memory_order_relaxed);
    return true;
}

// Any thread. The level is not tested here: use the macros, which do not even evaluate the arguments when it is off.
// MG_LOG_FTL waits until the line is out; the others never wait.
void mg_log_write(struct mg_log *log, enum mg_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void mg_log_vwrite(struct mg_log *log, enum mg_log_level level, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

#define mg_log_at(log, level, ...) (mg_log_on((log), (level)) ? mg_log_write((log), (level), __VA_ARGS__) : (void)0)
#define mg_log_ftl(log, ...) mg_log_at((log), MG_LOG_FTL, __VA_ARGS__)
#define mg_log_err(log, ...) mg_log_at((log), MG_LOG_ERR, __VA_ARGS__)
#define mg_log_wrn(log, ...) mg_log_at((log), MG_LOG_WRN, __VA_ARGS__)
#define mg_log_inf(log, ...) mg_log_at((log), MG_LOG_INF, __VA_ARGS__)
#define mg_log_dbg(log, ...) mg_log_at((log), MG_LOG_DBG, __VA_ARGS__)
#define mg_log_trc(log, ...) mg_log_at((log), MG_LOG_TRC, __VA_ARGS__)

// ---- the consumer's side (one thread) ----------------------------------------------------------------------------

// Takes the oldest line and gives it to sink. False: there is none (or its writer has not finished it yet: it will wake).
bool mg_log_pop(struct mg_log *log, mg_log_sink *sink, void *arg);
// Takes everything that was written before the call; waits for writers that are in the middle of a line.
void mg_log_drain(struct mg_log *log, mg_log_sink *sink, void *arg);
// How many lines were dropped since the last call.
uint64_t mg_log_take_dropped(struct mg_log *log);
// Says that the consumer is about to sleep. False: there are lines, do not sleep. After true, `wake` will be called once
// when a line arrives.
bool mg_log_sleep(struct mg_log *log);

// The time that lines are stamped with.
int64_t mg_log_wall(const struct mg_log *log);

// ---- the text of a line (spec/client-protocol.md B4) --------------------------------------------------------------

enum mg_log_time { MG_LOG_TIME_NONE, MG_LOG_TIME_LOCAL, MG_LOG_TIME_UTC };

struct mg_log_style {
    int pid;
    enum mg_log_time time;
    bool color;
};

// Appends "[pid] 2026/01/02 15:04:05.000000 [INF] text\n".
void mg_log_format(struct mg_buf *out, const struct mg_log_style *style, enum mg_log_level level, int64_t wall_ns,
                   mg_slice text);

#endif
