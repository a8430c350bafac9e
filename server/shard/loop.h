// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The seam, part 1: an event loop with one timer, a doorbell, clocks, threads and off-loop work.
// loop_uv.c implements it over libuv; test/sim implements it with virtual time and a seeded scheduler, where each
// shard's thread is a coroutine. The choice is made when linking: there are no function tables on the message path.
//
// A loop is owned by the thread that runs it. Only mg_loop_wake may be called from another thread.
#ifndef MG_SHARD_LOOP_H
#define MG_SHARD_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mg_loop;
struct mg_thread;

#define MG_NEVER UINT64_MAX

struct mg_loop_hooks {
    void *arg;
    // Right before the loop would block. Returns true when there is more to do at once: then it polls without waiting.
    bool (*before_poll)(void *arg);
    // The time given to mg_loop_set_timer has come.
    void (*timer)(void *arg);
};

// Creates a loop. Its hooks are called on the thread that runs it. 0 or an error.
int mg_loop_new(struct mg_loop **out, const struct mg_loop_hooks *hooks);
// Runs until mg_loop_stop. All sockets must be closed before mg_loop_free.
void mg_loop_run(struct mg_loop *loop);
void mg_loop_stop(struct mg_loop *loop);
void mg_loop_free(struct mg_loop *loop);
// The doorbell: makes the loop's poll return soon. Any thread, any number of times; cheap but a system call.
void mg_loop_wake(struct mg_loop *loop);

// Arms the loop's one timer at a monotonic time in ns (MG_NEVER: disarms). The shard's timer wheel multiplexes it.
void mg_loop_set_timer(struct mg_loop *loop, uint64_t at);

// Monotonic ns, read at most once between two polls: cheap.
uint64_t mg_loop_now(struct mg_loop *loop);
// Monotonic ns, read now.
uint64_t mg_loop_clock(struct mg_loop *loop);
// Wall clock, ns since the epoch.
int64_t mg_loop_wall(struct mg_loop *loop);
// 64 random bits fit for secrets (nonces, hash seeds).
uint64_t mg_loop_entropy(struct mg_loop *loop);

// A place where other shards may run: nothing in a server, a switch in the simulator. Called at every post to another
// shard and at every socket write.
#ifdef MG_SIM
void mg_loop_switch_point(void);
#else
static inline void mg_loop_switch_point(void) {}
#endif

// Runs fn(arg) on a new thread named `name` (at most 15 characters). Signals are blocked in it. 0 or an error.
int mg_thread_start(struct mg_thread **out, const char *name, void (*fn)(void *), void *arg);
void mg_thread_join(struct mg_thread *t); // waits for the end and frees
// The calling thread lets others go first where there is not enough CPU: 0 not at all, 19 always. A hint.
void mg_thread_yield_to_others(int nice);
// The calling thread sleeps often and somebody waits for what it does then: it should get a CPU at once when it wakes.
// A hint.
void mg_thread_prompt(void);
// The calling thread works for long: a good place to let others have the CPU. Cheap (some 0.3 us) if nobody wants it.
void mg_thread_breathe(void);

// Off-loop work: run() on a worker thread, then done() on the loop that asked. The struct belongs to the caller and
// must stay until done() was called. Work of a loop finishes in any order. At most `mg_loop_work_threads` run at a
// time, the others wait: callers bound how much they submit.
struct mg_work {
    void (*run)(struct mg_work *w);  // worker thread; must not touch the shard
    void (*done)(struct mg_work *w); // loop's thread
    void *impl[16];                  // the implementation's
};
void mg_loop_work(struct mg_loop *loop, struct mg_work *w);

#endif
