// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Inside of the simulator: shared by sim.c (scheduler), sim_loop.c and sim_net.c (the seam).
#ifndef MG_TEST_SIM_IMPL_H
#define MG_TEST_SIM_IMPL_H

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "test/sim/fiber.h"
#include "test/sim/sim.h"

struct mg_thread {
    struct mg_list link;
    struct fiber *fiber;
    char name[16];
    void (*fn)(void *);
    void *arg;
    // Runnable when it waits for nothing, or when what it waits for has come.
    struct mg_loop *polls;   // blocked in this loop's poll
    struct mg_thread *joins; // waits for the end of this one
    bool sleeps;             // until its bell rings or the time has come
    const bool *rung;        // its bell; NULL: none
    uint64_t wakes_at;
    unsigned skip;           // steps that others may make before this one runs again
    bool own;                // nobody joins it: the world frees it
};

struct mg_loop {
    struct mg_list link;
    struct sim *sim;
    struct mg_loop_hooks hooks;
    uint64_t timer_at, now;
    bool now_stale, woken, stopped, running;
    struct mg_list socks;     // of struct mg_sock
    struct mg_list closing;   // of struct mg_sock: `closed` is due
    struct mg_list listeners; // of struct mg_listener
    struct mg_list finished;  // of struct sim_work: `done` is due
    unsigned nsocks;
};

// Lives in mg_work.impl while the work is out.
struct sim_work {
    struct mg_list link;
    struct mg_loop *loop;
    uint64_t at; // when a worker runs it
};

struct sim {
    uint64_t rng[2];
    uint64_t now, steps, step_limit;
    int64_t wall_ahead; // of what it would be if nobody had set it
    struct sim_knobs knobs;
    struct mg_list threads, loops, actors, work, conns, disks;
    struct mg_thread *running; // NULL: the main program
    uint64_t doorbells;
    uint16_t next_port;
};

struct sim *sim_current(void);
void sim_switch(struct sim *s); // lets others run; the running fiber stays runnable
// Blocks the running fiber until *rung (may be NULL) or until the time has come. The main program does not wait.
void sim_sleep(struct sim *s, const bool *rung, uint64_t until);
void sim_block(struct sim *s);  // yields; `polls` or `joins` says until when

// sim_net.c, for the loop
bool net_ready(struct mg_loop *loop);
void net_dispatch(struct mg_loop *loop);
void net_run_closing(struct mg_loop *loop);
uint64_t net_next_timer(struct mg_loop *loop);
void net_free_conns(struct sim *s);

// sim_loop.c, for the scheduler
bool loop_ready(struct mg_loop *loop);
uint64_t loop_next_timer(struct mg_loop *loop);
void work_run_due(struct sim *s);
uint64_t work_next(struct sim *s);

#endif
