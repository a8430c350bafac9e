// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// loop.h in the simulator. The order inside of a turn of the loop is that of libuv: timer, before_poll, poll, what is
// ready, closed handles. As there, a loop that was stopped in before_poll polls once more without waiting.
#include <string.h>

#include "test/sim/sim_impl.h"

#define WALL_AT_START INT64_C(1750000000000000000)

int mg_loop_new(struct mg_loop **out, const struct mg_loop_hooks *hooks) {
    struct mg_loop *loop = mg_zalloc(sizeof(*loop));
    loop->sim = sim_current();
    loop->hooks = *hooks;
    loop->timer_at = MG_NEVER;
    loop->now = loop->sim->now;
    mg_list_init(&loop->socks);
    mg_list_init(&loop->closing);
    mg_list_init(&loop->listeners);
    mg_list_init(&loop->finished);
    mg_list_push_back(&loop->sim->loops, &loop->link);
    *out = loop;
    return 0;
}

bool loop_ready(struct mg_loop *loop) {
    return loop->woken || loop->stopped || loop->timer_at <= loop->sim->now || !mg_list_empty(&loop->closing) ||
           !mg_list_empty(&loop->finished) || net_ready(loop);
}

uint64_t loop_next_timer(struct mg_loop *loop) {
    uint64_t at = net_next_timer(loop);
    return loop->running && loop->timer_at < at ? loop->timer_at : at;
}

static void run_finished(struct mg_loop *loop) {
    struct mg_list now;
    mg_list_init(&now);
    mg_list_splice(&now, &loop->finished);
    while (!mg_list_empty(&now)) {
        struct sim_work *sw = mg_container_of(now.next, struct sim_work, link);
        mg_list_remove(&sw->link);
        struct mg_work *w = mg_container_of(sw, struct mg_work, impl);
        w->done(w);
    }
}

// Waits until something is ready, unless there is more to do anyway.
static void poll_events(struct mg_loop *loop, bool dont_wait) {
    struct sim *s = loop->sim;
    if (dont_wait || loop_ready(loop)) {
        sim_switch(s);
    } else {
        sim_trace("sleeps");
        s->running->polls = loop;
        sim_block(s);
        s->running->polls = NULL;
        sim_trace("polled");
    }
    loop->woken = false;
    loop->now_stale = true;
}

void mg_loop_run(struct mg_loop *loop) {
    mg_assert(loop->sim->running != NULL);
    loop->running = true;
    while (!loop->stopped) {
        if (loop->timer_at <= loop->sim->now) {
            loop->timer_at = MG_NEVER;
            loop->now_stale = true;
            loop->hooks.timer(loop->hooks.arg);
        }
        bool more = loop->hooks.before_poll(loop->hooks.arg);
        poll_events(loop, more || loop->stopped);
        net_dispatch(loop);
        run_finished(loop);
        net_run_closing(loop);
    }
    loop->stopped = false;
    loop->running = false;
}

void mg_loop_stop(struct mg_loop *loop) { loop->stopped = true; }

void mg_loop_wake(struct mg_loop *loop) {
    mg_loop_switch_point();
    sim_trace("rings");
    loop->sim->doorbells++;
    loop->woken = true;
}

static void work_run(struct sim_work *sw) {
    struct mg_work *w = mg_container_of(sw, struct mg_work, impl);
    mg_list_remove(&sw->link);
    w->run(w);
    mg_list_push_back(&sw->loop->finished, &sw->link);
}

void mg_loop_free(struct mg_loop *loop) {
    struct sim *s = loop->sim;
    for (struct mg_list *l = s->work.next, *next; l != &s->work; l = next) {
        next = l->next;
        struct sim_work *sw = mg_container_of(l, struct sim_work, link);
        if (sw->loop == loop) work_run(sw);
    }
    while (!mg_list_empty(&loop->finished) || !mg_list_empty(&loop->closing)) {
        run_finished(loop);
        net_run_closing(loop);
    }
    // Sockets and listeners were closed by their owners.
    sim_check(mg_list_empty(&loop->socks) && mg_list_empty(&loop->listeners), "a loop is freed with open sockets");
    mg_list_remove(&loop->link);
    mg_free(loop);
}

void mg_loop_set_timer(struct mg_loop *loop, uint64_t at) { loop->timer_at = at; }

uint64_t mg_loop_clock(struct mg_loop *loop) {
    loop->sim->now += 50; // time passes for one who looks at the clock
    loop->now = loop->sim->now;
    loop->now_stale = false;
    return loop->now;
}

uint64_t mg_loop_now(struct mg_loop *loop) { return loop->now_stale ? mg_loop_clock(loop) : loop->now; }
int64_t mg_loop_wall(struct mg_loop *loop) {
    return WALL_AT_START + (int64_t)loop->sim->now + loop->sim->wall_ahead;
}
void sim_wall_jump(struct sim *s, int64_t by) { s->wall_ahead += by; }
uint64_t mg_loop_entropy(struct mg_loop *loop) {
    uint64_t high = sim_random(loop->sim) << 32;
    return high ^ sim_random(loop->sim);
}

// ---- work ---------------------------------------------------------------------------------------------------------

_Static_assert(sizeof(struct sim_work) <= sizeof(((struct mg_work *)0)->impl), "sim_work fits into mg_work");

void mg_loop_work(struct mg_loop *loop, struct mg_work *w) {
    struct sim *s = loop->sim;
    struct sim_work *sw = (struct sim_work *)(void *)w->impl;
    sw->loop = loop;
    sw->at = s->now + sim_below(s, sim_chance(s, 128) ? 20000 : 300000000);
    mg_list_push_back(&s->work, &sw->link);
}

void work_run_due(struct sim *s) {
    for (struct mg_list *l = s->work.next, *next; l != &s->work; l = next) {
        next = l->next;
        struct sim_work *sw = mg_container_of(l, struct sim_work, link);
        if (sw->at <= s->now) work_run(sw);
    }
}

uint64_t work_next(struct sim *s) {
    uint64_t at = MG_NEVER;
    for (struct mg_list *l = s->work.next; l != &s->work; l = l->next) {
        struct sim_work *sw = mg_container_of(l, struct sim_work, link);
        if (sw->at < at) at = sw->at;
    }
    return at;
}
