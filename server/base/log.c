// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The ring of log lines: Vyukov's bounded queue with a sequence number in each slot, many producers, one consumer.
//
//   slot.seq == pos            free for the producer that takes position pos
//   slot.seq == pos + 1        holds the line of position pos
//   slot.seq == pos + slots    taken out: free for the next round
//
// The good path: a producer takes a position by CAS on tail, formats right into the slot, publishes it by its sequence
// number and rings only if the consumer said that it sleeps. Lines that do not fit into a slot go to the heap.
// How it fails: when the ring is full the line is counted and forgotten. A producer that is preempted between the two
// steps holds up the lines behind it, not their producers; when it is done it rings, so nothing is missed.
// What always holds: publishing a line and testing `sleeping`, and saying `sleeping` and testing for a line, are
// sequentially consistent, so at least one side sees the other.
#include "server/base/log.h"

#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "server/base/assert.h"
#include "server/base/mem.h"

#define SLOT_SIZE 256
#define SLOT_TEXT (SLOT_SIZE - 32)

struct slot {
    _Atomic uint64_t seq;
    int64_t wall;
    char *heap; // the text, if it is longer than fits; owned
    uint32_t len;
    uint8_t level;
    char text[SLOT_TEXT + 3];
};
_Static_assert(sizeof(struct slot) == SLOT_SIZE, "a slot is four cache lines");

struct mg_log_ring {
    uint64_t mask;
    char pad0[64]; // producers and consumer write to different cache lines
    _Atomic uint64_t tail;
    _Atomic uint64_t dropped;
    char pad1[64];
    uint64_t head; // the consumer's
    atomic_bool sleeping;
    char pad2[64];
    struct slot slots[];
};

void mg_log_init(struct mg_log *log, size_t slots) {
    mg_assert((slots & (slots - 1)) == 0);
    *log = (struct mg_log){.ring = NULL};
    if (slots == 0) return;
    struct mg_log_ring *r = mg_alloc(sizeof(*r) + slots * sizeof(struct slot));
    r->mask = slots - 1;
    atomic_init(&r->tail, 0);
    atomic_init(&r->dropped, 0);
    r->head = 0;
    atomic_init(&r->sleeping, false);
    for (size_t i = 0; i < slots; i++) {
        atomic_init(&r->slots[i].seq, i);
        r->slots[i].heap = NULL;
    }
    log->ring = r;
}

static void discard(void *arg, enum mg_log_level level, int64_t wall_ns, mg_slice text) {
    (void)arg, (void)level, (void)wall_ns, (void)text;
}

void mg_log_fini(struct mg_log *log) {
    if (log->ring == NULL) return;
    while (mg_log_pop(log, discard, NULL)) continue;
    mg_free(log->ring);
    log->ring = NULL;
}

void mg_log_set_flags(struct mg_log *log, bool debug, bool trace, bool trace_verbose, bool trace_headers,
                      int64_t max_traced_msg_len) {
    atomic_store_explicit(&log->debug, debug, memory_order_relaxed);
    atomic_store_explicit(&log->trace, trace, memory_order_relaxed);
    atomic_store_explicit(&log->trace_verbose, trace_verbose, memory_order_relaxed);
    atomic_store_explicit(&log->trace_headers, trace_headers, memory_order_relaxed);
    atomic_store_explicit(&log->max_traced_msg_len, max_traced_msg_len, memory_order_relaxed);
}

// ---- producers -------------------------------------------------------------------------------------------------------

// Formats into buf if it fits, else into *heap. Returns the length.
static uint32_t format(char *buf, size_t size, char **heap, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    int r = vsnprintf(buf, size, fmt, ap);
    mg_assert(r >= 0);
    size_t n = (size_t)r < MG_LOG_LINE_MAX ? (size_t)r : MG_LOG_LINE_MAX;
    *heap = NULL;
    if ((size_t)r >= size) {
        *heap = mg_alloc(n + 1);
        vsnprintf(*heap, n + 1, fmt, again);
    }
    va_end(again);
    return (uint32_t)n;
}

// Takes the next free slot, or NULL when the ring is full.
static struct slot *claim(struct mg_log_ring *r, uint64_t *out_pos) {
    uint64_t pos = atomic_load_explicit(&r->tail, memory_order_relaxed);
    for (;;) {
        struct slot *s = &r->slots[pos & r->mask];
        uint64_t seq = atomic_load_explicit(&s->seq, memory_order_acquire);
        if (seq == pos) {
            if (atomic_compare_exchange_weak_explicit(&r->tail, &pos, pos + 1, memory_order_relaxed,
                                                      memory_order_relaxed)) {
                *out_pos = pos;
                return s;
            }
        } else if (seq < pos) {
            return NULL;
        } else {
            pos = atomic_load_explicit(&r->tail, memory_order_relaxed);
        }
    }
}

static bool push(struct mg_log *log, enum mg_log_level level, int64_t wall, const char *fmt, va_list ap) {
    struct mg_log_ring *r = log->ring;
    uint64_t pos;
    struct slot *s = claim(r, &pos);
    if (s == NULL) return false;
    s->wall = wall;
    s->level = (uint8_t)level;
    s->len = format(s->text, sizeof(s->text), &s->heap, fmt, ap);
    atomic_store_explicit(&s->seq, pos + 1, memory_order_seq_cst);
    if (atomic_load_explicit(&r->sleeping, memory_order_seq_cst) && atomic_exchange(&r->sleeping, false) &&
        log->wake != NULL)
        log->wake(log->hook_arg);
    return true;
}

int64_t mg_log_wall(const struct mg_log *log) {
    if (log->wall != NULL) return log->wall(log->wall_arg);
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void write_to_sink(struct mg_log *log, enum mg_log_level level, int64_t wall, const char *fmt, va_list ap) {
    char buf[SLOT_TEXT], *heap;
    size_t n = format(buf, sizeof(buf), &heap, fmt, ap);
    log->sink(log->sink_arg, level, wall, mg_slice_of(heap ? heap : buf, n));
    mg_free(heap);
}

void mg_log_vwrite(struct mg_log *log, enum mg_log_level level, const char *fmt, va_list ap) {
    if (log == NULL || (log->ring == NULL && log->sink == NULL)) return;
    int64_t wall = mg_log_wall(log);
    if (log->ring == NULL) {
        write_to_sink(log, level, wall, fmt, ap);
        return;
    }
    bool must = level == MG_LOG_FTL && log->flush != NULL;
    for (;;) {
        va_list again;
        va_copy(again, ap);
        bool ok = push(log, level, wall, fmt, again);
        va_end(again);
        if (ok) break;
        if (!must) {
            atomic_fetch_add_explicit(&log->ring->dropped, 1, memory_order_relaxed);
            return;
        }
        log->flush(log->hook_arg);
    }
    if (must) log->flush(log->hook_arg);
}

void mg_log_write(struct mg_log *log, enum mg_log_level level, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    mg_log_vwrite(log, level, fmt, ap);
    va_end(ap);
}

// ---- the consumer ----------------------------------------------------------------------------------------------------

bool mg_log_pop(struct mg_log *log, mg_log_sink *sink, void *arg) {
    struct mg_log_ring *r = log->ring;
    struct slot *s = &r->slots[r->head & r->mask];
    if (atomic_load_explicit(&s->seq, memory_order_acquire) != r->head + 1) return false;
    sink(arg, (enum mg_log_level)s->level, s->wall, mg_slice_of(s->heap ? s->heap : s->text, s->len));
    mg_free(s->heap);
    s->heap = NULL;
    atomic_store_explicit(&s->seq, r->head + r->mask + 1, memory_order_release);
    r->head++;
    return true;
}

void mg_log_drain(struct mg_log *log, mg_log_sink *sink, void *arg) {
    uint64_t end = atomic_load_explicit(&log->ring->tail, memory_order_seq_cst);
    while (log->ring->head < end)
        if (!mg_log_pop(log, sink, arg)) sched_yield(); // that writer formats its line: it will not take long
}

uint64_t mg_log_take_dropped(struct mg_log *log) {
    if (atomic_load_explicit(&log->ring->dropped, memory_order_relaxed) == 0) return 0;
    return atomic_exchange_explicit(&log->ring->dropped, 0, memory_order_relaxed);
}

bool mg_log_sleep(struct mg_log *log) {
    struct mg_log_ring *r = log->ring;
    atomic_store_explicit(&r->sleeping, true, memory_order_seq_cst);
    if (atomic_load_explicit(&r->slots[r->head & r->mask].seq, memory_order_seq_cst) != r->head + 1) return true;
    atomic_store_explicit(&r->sleeping, false, memory_order_relaxed);
    return false;
}

// ---- the text of a line ----------------------------------------------------------------------------------------------

static void add_time(struct mg_buf *out, enum mg_log_time mode, int64_t wall_ns) {
    time_t sec = (time_t)(wall_ns / 1000000000);
    int us = (int)(wall_ns % 1000000000 / 1000);
    struct tm tm;
    if (mode == MG_LOG_TIME_UTC)
        gmtime_r(&sec, &tm);
    else
        localtime_r(&sec, &tm);
    mg_buf_addf(out, "%04d/%02d/%02d %02d:%02d:%02d.%06d ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                tm.tm_min, tm.tm_sec, us);
}

void mg_log_format(struct mg_buf *out, const struct mg_log_style *style, enum mg_log_level level, int64_t wall_ns,
                   mg_slice text) {
    static const char *const names[] = {"FTL", "ERR", "WRN", "INF", "DBG", "TRC"};
    static const char *const colors[] = {"31", "31", "0;93", "32", "36", "33"};
    mg_assert((unsigned)level <= MG_LOG_TRC);
    mg_buf_addf(out, "[%d] ", style->pid);
    if (style->time != MG_LOG_TIME_NONE) add_time(out, style->time, wall_ns);
    if (style->color)
        mg_buf_addf(out, "[\x1b[%sm%s\x1b[0m] ", colors[level], names[level]);
    else
        mg_buf_addf(out, "[%s] ", names[level]);
    mg_buf_add_slice(out, text);
    // As the reference: a text that already ends its line gets no second end.
    if (text.n == 0 || text.p[text.n - 1] != '\n') mg_buf_addc(out, '\n');
}
