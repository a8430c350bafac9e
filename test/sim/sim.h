// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The deterministic simulator: one process, one real thread, one seed. It implements the seam (loop.h, net.h) with
// virtual time, in-memory pipes and a scheduler that decides with a seeded generator who runs next. The threads of
// shards are coroutines; clients and other outsiders are actors, whose steps run between those of the coroutines.
// Whatever runs is decided by the seed alone, so a failure is a number that anybody can replay.
//
// The seam's functions carry no world with them (a server needs none), so the world that is being simulated is kept in
// a thread-local variable of sim.c: one at a time.
#ifndef MG_TEST_SIM_SIM_H
#define MG_TEST_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/list.h"
#include "server/shard/loop.h"
#include "server/shard/net.h"

struct sim;

// ---- the world ----------------------------------------------------------------------------------------------------

// How the world treats its inhabitants; sim_new draws all of it from the seed.
struct sim_knobs {
    unsigned switch_chance; // of 256: a switch point really switches
    unsigned stall_chance;  // of 256: one who is switched away from stays away for a while
    unsigned stall_max;     // ... for at most so many steps of others
    unsigned again_chance;  // of 256: a read or write answers MG_EAGAIN though it could do something
    size_t chunk;           // bytes that a read or write moves at most; 0: as many as there are
    size_t pipe;            // bytes in flight in one direction of a connection
};

struct sim *sim_new(uint64_t seed);
void sim_free(struct sim *s); // every fiber must have ended
struct sim_knobs *sim_knobs(struct sim *s);
uint64_t sim_now(const struct sim *s); // virtual monotonic ns
void sim_wall_jump(struct sim *s, int64_t by); // somebody sets the wall clock; ns
uint64_t sim_doorbells(const struct sim *s);

enum sim_end {
    SIM_DONE,    // done() said so
    SIM_IDLE,    // nobody can run and nothing will ever happen by itself
    SIM_TIMEOUT, // the next thing happens after `until`
    SIM_STEPS,   // step limit: somebody spins
};
// Runs the world. done may be NULL; it is asked before each step.
enum sim_end sim_run(struct sim *s, bool (*done)(void *arg), void *arg, uint64_t until);
void sim_set_step_limit(struct sim *s, uint64_t steps); // counted from here

// Runs fn(arg) as a coroutine, as mg_thread_start does.
void sim_spawn(struct sim *s, const char *name, void (*fn)(void *), void *arg);
bool sim_all_ended(const struct sim *s);

// An outsider. Zero it, set what it has, add it.
struct sim_actor {
    struct mg_list link;
    bool (*ready)(struct sim_actor *a); // could do something now
    void (*step)(struct sim_actor *a);  // does a bit of it
    uint64_t at;                        // virtual time at which it is ready in any case; MG_NEVER: none
};
void sim_actor_add(struct sim *s, struct sim_actor *a);
void sim_actor_remove(struct sim *s, struct sim_actor *a);

// Random numbers of the world.
uint64_t sim_random(struct sim *s);
static inline uint64_t sim_below(struct sim *s, uint64_t n) { return sim_random(s) % n; }
static inline bool sim_chance(struct sim *s, unsigned of256) { return (sim_random(s) & 255) < of256; }

// ---- connections, the client's side -------------------------------------------------------------------------------

struct sim_conn;

// NULL: nobody listens on the port.
struct sim_conn *sim_connect(struct sim *s, uint16_t port);
bool sim_conn_readable(const struct sim_conn *c); // bytes, an end or a reset
bool sim_conn_writable(const struct sim_conn *c);
// As mg_sock_readv and mg_sock_writev.
ptrdiff_t sim_conn_read(struct sim_conn *c, char *p, size_t n);
ptrdiff_t sim_conn_write(struct sim_conn *c, const char *p, size_t n);
void sim_conn_shutdown(struct sim_conn *c); // no more writes; the server reads an end of file after what is in flight
void sim_conn_close(struct sim_conn *c, bool reset); // c is gone for the caller. reset: what is in flight is lost

// ---- what test programs share -------------------------------------------------------------------------------------

// Prints what happened, the seed and the command that replays it; ends the process.
_Noreturn void sim_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define sim_check(cond, ...) ((cond) ? (void)0 : sim_fail(__VA_ARGS__))
// One line on stderr with virtual time and the name of who runs, if --trace was given.
void sim_trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

struct sim_args {
    uint64_t first, last;    // seeds
    unsigned shards;         // 0: drawn
    double seconds;          // stop beginning new seeds after so long; 0: never
    const char *workload;    // NULL: all, in turn
};
// The main function of a test: parses --seed N, --seeds A-B, --shards N, --seconds S, --trace, --bug NAME and calls
// run for each seed.
int sim_main(int argc, char **argv, uint64_t seeds, void (*run)(uint64_t seed, const struct sim_args *args));

#endif
