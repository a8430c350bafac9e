// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The world and its scheduler. A step lets one fiber run until its next switch point, or one actor do a bit of work.
// Who it is, is drawn from all that could run; one who is stalled is passed over for some steps, as a thread that the
// kernel has preempted: that opens the window between two pushes or between a push and its doorbell very wide.
//
// Virtual time grows a little with each step and jumps to the next timer when nobody can run. When there is no timer
// either, nothing will ever happen again: sim_run says so, and the test decides whether anybody still waits.
#include <stdio.h>

#include "test/sim/sim_impl.h"

#define START_NS UINT64_C(1000000000000)

static _Thread_local struct sim *current;

struct sim *sim_current(void) {
    mg_assert(current != NULL);
    return current;
}

static uint64_t splitmix(uint64_t *x) {
    uint64_t z = (*x += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

// xorshift128+
uint64_t sim_random(struct sim *s) {
    uint64_t a = s->rng[0], b = s->rng[1];
    s->rng[0] = b;
    a ^= a << 23;
    s->rng[1] = a ^ b ^ (a >> 18) ^ (b >> 5);
    return (s->rng[1] + b) >> 8;
}

static void draw_knobs(struct sim *s) {
    static const unsigned switches[] = {8, 32, 128, 256};
    static const unsigned stalls[] = {0, 2, 16, 64};
    static const unsigned lengths[] = {4, 30, 300, 2000};
    static const size_t chunks[] = {1, 7, 100, 0, 0};
    static const size_t pipes[] = {64, 1000, 16384, 262144};
    s->knobs = (struct sim_knobs){
        .switch_chance = switches[sim_below(s, 4)],
        .stall_chance = stalls[sim_below(s, 4)],
        .stall_max = lengths[sim_below(s, 4)],
        .again_chance = sim_chance(s, 128) ? 32 : 0,
        .chunk = chunks[sim_below(s, 5)],
        .pipe = pipes[sim_below(s, 4)],
    };
}

struct sim *sim_new(uint64_t seed) {
    mg_assert(current == NULL);
    struct sim *s = mg_zalloc(sizeof(*s));
    s->rng[0] = splitmix(&seed);
    s->rng[1] = splitmix(&seed) | 1;
    s->now = START_NS;
    s->step_limit = UINT64_MAX;
    s->next_port = 10000;
    mg_list_init(&s->threads);
    mg_list_init(&s->loops);
    mg_list_init(&s->actors);
    mg_list_init(&s->work);
    mg_list_init(&s->conns);
    mg_list_init(&s->disks);
    draw_knobs(s);
    current = s;
    return s;
}

void sim_free(struct sim *s) {
    while (!mg_list_empty(&s->threads)) {
        struct mg_thread *t = mg_container_of(s->threads.next, struct mg_thread, link);
        mg_assert(t->own);
        mg_list_remove(&t->link);
        fiber_free(t->fiber);
        mg_free(t);
    }
    mg_assert(mg_list_empty(&s->loops) && mg_list_empty(&s->work) && mg_list_empty(&s->disks));
    net_free_conns(s);
    mg_free(s);
    current = NULL;
}

struct sim_knobs *sim_knobs(struct sim *s) { return &s->knobs; }
uint64_t sim_now(const struct sim *s) { return s->now; }
uint64_t sim_doorbells(const struct sim *s) { return s->doorbells; }
void sim_set_step_limit(struct sim *s, uint64_t steps) { s->step_limit = s->steps + steps; }

// ---- fibers -------------------------------------------------------------------------------------------------------

static void thread_main(void *arg) {
    struct mg_thread *t = arg;
    t->fn(t->arg);
}

int mg_thread_start(struct mg_thread **out, const char *name, void (*fn)(void *), void *arg) {
    struct mg_thread *t = mg_zalloc(sizeof(*t));
    snprintf(t->name, sizeof(t->name), "%s", name);
    t->fn = fn;
    t->arg = arg;
    t->fiber = fiber_new(thread_main, t);
    mg_list_push_back(&sim_current()->threads, &t->link);
    *out = t;
    return 0;
}

void mg_thread_yield_to_others(int nice) { (void)nice; }
void mg_thread_prompt(void) {}
void mg_thread_breathe(void) {}

void mg_thread_join(struct mg_thread *t) {
    struct sim *s = sim_current();
    mg_assert(s->running != NULL && s->running != t);
    s->running->joins = t;
    while (!fiber_ended(t->fiber)) sim_block(s);
    s->running->joins = NULL;
    mg_list_remove(&t->link);
    fiber_free(t->fiber);
    mg_free(t);
}

void sim_spawn(struct sim *s, const char *name, void (*fn)(void *), void *arg) {
    struct mg_thread *t;
    mg_assert(s == current);
    mg_thread_start(&t, name, fn, arg);
    t->own = true;
}

bool sim_all_ended(const struct sim *s) {
    for (const struct mg_list *l = s->threads.next; l != &s->threads; l = l->next)
        if (!fiber_ended(mg_container_of(l, struct mg_thread, link)->fiber)) return false;
    return true;
}

void sim_block(struct sim *s) {
    if (sim_chance(s, s->knobs.stall_chance)) s->running->skip = (unsigned)sim_below(s, s->knobs.stall_max);
    fiber_yield(s->running->fiber);
}

void sim_switch(struct sim *s) {
    if (s->running) sim_block(s); // else it is the main program, which is not scheduled
}

void sim_sleep(struct sim *s, const bool *rung, uint64_t until) {
    struct mg_thread *t = s->running;
    if (t == NULL) return;
    t->sleeps = true;
    t->rung = rung;
    t->wakes_at = until;
    sim_block(s);
    t->sleeps = false;
}

void mg_loop_switch_point(void) {
    struct sim *s = sim_current();
    if (sim_chance(s, s->knobs.switch_chance)) sim_switch(s);
}

static bool runnable(const struct mg_thread *t) {
    if (fiber_ended(t->fiber)) return false;
    if (t->polls) return loop_ready(t->polls);
    if (t->joins) return fiber_ended(t->joins->fiber);
    if (t->sleeps) return (t->rung && *t->rung) || t->wakes_at <= sim_current()->now;
    return true;
}

// ---- actors -------------------------------------------------------------------------------------------------------

void sim_actor_add(struct sim *s, struct sim_actor *a) { mg_list_push_back(&s->actors, &a->link); }
void sim_actor_remove(struct sim *s, struct sim_actor *a) {
    (void)s;
    mg_list_remove(&a->link);
}

// ---- steps --------------------------------------------------------------------------------------------------------

struct choice {
    unsigned n; // candidates so far
    struct mg_thread *thread;
    struct sim_actor *actor;
};

// Reservoir sampling: each candidate is taken with the same chance, in one pass.
static bool take(struct sim *s, struct choice *c) { return sim_below(s, ++c->n) == 0; }

static void choose(struct sim *s, struct choice *c) {
    struct mg_thread *stalled = NULL;
    for (struct mg_list *l = s->threads.next; l != &s->threads; l = l->next) {
        struct mg_thread *t = mg_container_of(l, struct mg_thread, link);
        if (!runnable(t)) continue;
        if (t->skip > 0) {
            t->skip--;
            stalled = t;
        } else if (take(s, c)) {
            *c = (struct choice){.n = c->n, .thread = t};
        }
    }
    for (struct mg_list *l = s->actors.next; l != &s->actors; l = l->next) {
        struct sim_actor *a = mg_container_of(l, struct sim_actor, link);
        if ((a->at <= s->now || a->ready(a)) && take(s, c)) *c = (struct choice){.n = c->n, .actor = a};
    }
    if (c->n == 0 && stalled) {
        stalled->skip = 0;
        *c = (struct choice){.n = 1, .thread = stalled};
    }
}

static uint64_t next_event(struct sim *s) {
    uint64_t at = work_next(s);
    for (struct mg_list *l = s->loops.next; l != &s->loops; l = l->next) {
        uint64_t t = loop_next_timer(mg_container_of(l, struct mg_loop, link));
        if (t < at) at = t;
    }
    for (struct mg_list *l = s->actors.next; l != &s->actors; l = l->next) {
        struct sim_actor *a = mg_container_of(l, struct sim_actor, link);
        if (a->at < at) at = a->at;
    }
    for (struct mg_list *l = s->threads.next; l != &s->threads; l = l->next) {
        struct mg_thread *t = mg_container_of(l, struct mg_thread, link);
        if (t->sleeps && !fiber_ended(t->fiber) && t->wakes_at < at) at = t->wakes_at;
    }
    return at;
}

static void pass_time(struct sim *s) {
    s->now += sim_below(s, 1000);
    if (sim_chance(s, 1)) s->now += sim_below(s, 1000000);
}

enum sim_end sim_run(struct sim *s, bool (*done)(void *arg), void *arg, uint64_t until) {
    mg_assert(s->running == NULL);
    for (;;) {
        if (done && done(arg)) return SIM_DONE;
        if (s->steps++ >= s->step_limit) return SIM_STEPS;
        pass_time(s);
        if (s->now > until) return SIM_TIMEOUT;
        work_run_due(s);
        struct choice c = {.n = 0};
        choose(s, &c);
        if (c.thread) {
            s->running = c.thread;
            fiber_resume(c.thread->fiber);
            s->running = NULL;
        } else if (c.actor) {
            c.actor->step(c.actor);
        } else {
            uint64_t at = next_event(s);
            if (at == MG_NEVER) return SIM_IDLE;
            if (at > until) return SIM_TIMEOUT;
            if (at > s->now) s->now = at;
        }
    }
}
