// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The life of a shard: turns. Sockets become readable, their owners parse at most a budget each and call
// mg_turn_charge; every 256 KB, 256 inputs or 200 us the hook runs in line: post to other shards, then flush sockets.
// Before the loop blocks, everything left is processed, and the shard announces that it sleeps.
#include "server/shard/shard.h"

#include <stdio.h>

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/shard/shard_impl.h"

struct mg_shard *mg_runtime_shard(struct mg_runtime *rt, unsigned id) {
    mg_assert(id < rt->n);
    return rt->shards[id];
}
unsigned mg_runtime_count(const struct mg_runtime *rt) { return rt->n; }
void mg_shard_set_app(struct mg_shard *sh, const struct mg_shard_ops *ops, void *app) {
    sh->ops = ops;
    sh->app = app;
}
void *mg_shard_app(const struct mg_shard *sh) { return sh->app; }
unsigned mg_shard_id(const struct mg_shard *sh) { return sh->id; }
unsigned mg_shard_count(const struct mg_shard *sh) { return sh->rt->n; }
struct mg_loop *mg_shard_loop(const struct mg_shard *sh) { return sh->loop; }
struct mg_wheel *mg_shard_wheel(struct mg_shard *sh) { return &sh->wheel; }
const struct mg_shard_counters *mg_shard_counters(const struct mg_shard *sh) { return &sh->counters; }

// xorshift128+ (Vigna, 2014)
uint64_t mg_shard_random(struct mg_shard *sh) {
    uint64_t a = sh->rng[0], b = sh->rng[1];
    sh->rng[0] = b;
    a ^= a << 23;
    sh->rng[1] = a ^ b ^ (a >> 18) ^ (b >> 5);
    return sh->rng[1] + b;
}

static void process(struct mg_shard *sh, struct batch *b) {
    for (uint32_t off = 0; off < b->used;) {
        const struct mg_rec *rec = (const struct mg_rec *)(const void *)(b->data + off);
        off += (uint32_t)sizeof(*rec) + ((rec->size + 7u) & ~7u);
        mg_assert(off <= b->used);
        sh->ops->record(sh->app, rec);
    }
}

// Queues refer to the bodies of `held`: what the sockets do not take now is copied, then the batches may go home.
static void release(struct mg_shard *sh, struct batch *held) {
    if (held == NULL) return;
    mg_turn_end(sh);
    sh->ops->settle(sh->app);
    while (held) {
        struct batch *b = held;
        held = b->more;
        b->more = NULL;
        post_send_home(sh, b);
    }
}

static void drain(struct mg_shard *sh) {
    if (sh->draining) return;
    sh->draining = true;
    struct batch *held = NULL;
    struct mg_mail *m = mg_mailbox_drain(&sh->mailbox);
    uint64_t taken = 0; // what others send is input, too: sockets must not wait for all of it
    while (m) {
        struct batch *b = mg_container_of(m, struct batch, mail);
        m = m->next;
        if (b->phase == PHASE_HOME) {
            post_came_home(sh, b);
            continue;
        }
        process(sh, b);
        taken += b->charged;
        if (sh->ops->refers && sh->ops->refers(sh->app)) {
            b->more = held;
            held = b;
        } else {
            post_send_home(sh, b);
        }
        if (taken < TURN_BYTES) continue;
        mg_turn_end(sh);
        taken = 0;
    }
    release(sh, held);
    sh->draining = false;
}

void mg_shard_input(struct mg_shard *sh) {
    mg_mailbox_awake(&sh->mailbox);
    if (!MG_PLANTED(no_drain)) drain(sh);
}

void mg_turn_end(struct mg_shard *sh) {
    sh->turn_bytes = 0;
    sh->turn_calls = 0;
    sh->turn_began = 0;
    sh->counters.turns++;
    if (MG_PLANTED(flush_first)) sh->ops->flush(sh->app, FLUSH_SOCKETS);
    post_round(sh);
    sh->flush_more = sh->ops->flush(sh->app, FLUSH_SOCKETS);
}

void mg_turn_charge(struct mg_shard *sh, size_t bytes) {
    sh->turn_bytes += bytes;
    sh->turn_calls++;
    if (sh->unposted >= POST_ROUND_BYTES) post_round(sh);
    bool over = sh->turn_bytes >= TURN_BYTES || sh->turn_calls >= TURN_CALLS;
    // The clock is read for every eighth input only: 200 us is a bound on delay, not a measurement.
    if (!over && (sh->turn_calls & 7) == 0) {
        uint64_t now = mg_loop_clock(sh->loop);
        if (sh->turn_began == 0) sh->turn_began = now;
        over = now - sh->turn_began >= TURN_NS;
    }
    if (over) mg_turn_end(sh);
}

// A shard that is quiet may still be sent a reaction by one that is not, which would wait for ever if it had stopped.
// So a shard votes when it has nothing under way, takes its vote back when it posts (before the batch that made it
// post goes home), and all stop when all have voted: then nothing is under way anywhere.
static bool stop_if_all_quiet(struct mg_shard *sh) {
    struct mg_runtime *rt = sh->rt;
    if (MG_PLANTED(stop_early)) {
        mg_loop_stop(sh->loop);
        return true;
    }
    if (!mg_shard_quiet(sh)) return false;
    if (!sh->voted) {
        sh->voted = true;
        if (atomic_fetch_add(&rt->votes, 1) + 1 == rt->n)
            for (unsigned i = 0; i < rt->n; i++) mg_loop_wake(rt->shards[i]->loop);
    }
    if (atomic_load(&rt->votes) < rt->n) return false;
    mg_loop_stop(sh->loop);
    return true;
}

static bool on_before_poll(void *arg) {
    struct mg_shard *sh = arg;
    mg_mailbox_awake(&sh->mailbox);
    drain(sh);
    bool more = sh->rt->n > 1 && post_resume(sh);
    mg_turn_end(sh);
    if (sh->ops->idle && sh->ops->idle(sh->app)) more = true;
    post_round(sh);
    // What the idle work wrote must not lie until the next input. (The first flush came before it to be early.)
    if (sh->flush_more || sh->ops->flush(sh->app, FLUSH_SOCKETS)) more = true;
    if (sh->stopping && stop_if_all_quiet(sh)) return true;
    mg_loop_set_timer(sh->loop, mg_wheel_next(&sh->wheel));
    if (more) return true;
    bool starved = sh->stopping;
    for (unsigned i = 0; i < sh->rt->n && !starved; i++) starved = !mg_list_empty(&sh->out[i].waiters);
    if (MG_PLANTED(sleep_not_starved)) starved = false;
    return !mg_mailbox_sleep(&sh->mailbox, starved ? MG_STARVED : MG_ASLEEP);
}

static void on_timer(void *arg) {
    struct mg_shard *sh = arg;
    mg_shard_input(sh);
    mg_wheel_advance(&sh->wheel, mg_loop_clock(sh->loop));
}

bool mg_shard_quiet(const struct mg_shard *sh) { return sh->in_flight == 0 && sh->unposted == 0; }
void mg_shard_stop(struct mg_shard *sh) { sh->stopping = true; }

static struct mg_shard *shard_new(struct mg_runtime *rt, unsigned id) {
    struct mg_shard *sh = mg_zalloc(sizeof(*sh));
    sh->id = id;
    sh->rt = rt;
    const struct mg_loop_hooks hooks = {.arg = sh, .before_poll = on_before_poll, .timer = on_timer};
    if (mg_loop_new(&sh->loop, &hooks) != 0) {
        mg_free(sh);
        return NULL;
    }
    sh->rng[0] = mg_loop_entropy(sh->loop);
    sh->rng[1] = mg_loop_entropy(sh->loop) | 1;
    mg_wheel_init(&sh->wheel, mg_loop_clock(sh->loop));
    post_init(sh);
    return sh;
}

struct mg_runtime *mg_runtime_new(const struct mg_runtime_options *o) {
    mg_assert(o->shards >= 1 && o->shards <= MG_MAX_SHARDS);
    struct mg_runtime *rt = mg_zalloc(sizeof(*rt));
    rt->n = o->shards;
    uint64_t credit = o->credit ? o->credit : DEFAULT_CREDIT;
    rt->credit = o->shards > 1 ? credit / (o->shards - 1) : credit;
    if (rt->credit < 2) rt->credit = 2;
    snprintf(rt->prefix, sizeof(rt->prefix), "%s", o->thread_prefix ? o->thread_prefix : "shard");
    for (unsigned i = 0; i < rt->n; i++) {
        rt->shards[i] = shard_new(rt, i);
        if (rt->shards[i] == NULL) {
            mg_runtime_free(rt);
            return NULL;
        }
    }
    return rt;
}

static void shard_main(void *arg) {
    struct mg_shard *sh = arg;
    mg_thread_prompt();
    if (sh->ops->start) sh->ops->start(sh->app);
    mg_loop_run(sh->loop);
}

int mg_runtime_start(struct mg_runtime *rt) {
    for (unsigned i = 1; i < rt->n; i++) {
        char name[24];
        snprintf(name, sizeof(name), "%s-%u", rt->prefix, i);
        int rc = mg_thread_start(&rt->shards[i]->thread, name, shard_main, rt->shards[i]);
        if (rc != 0) return rc;
    }
    return 0;
}

void mg_runtime_run(struct mg_runtime *rt) {
    shard_main(rt->shards[0]);
    for (unsigned i = 1; i < rt->n; i++) {
        if (rt->shards[i]->thread) mg_thread_join(rt->shards[i]->thread);
        rt->shards[i]->thread = NULL;
    }
}

void mg_runtime_free(struct mg_runtime *rt) {
    for (unsigned i = 0; i < rt->n; i++) {
        struct mg_shard *sh = rt->shards[i];
        if (sh == NULL) continue;
        drain(sh); // only batches on their way home can be left
        post_fini(sh);
        mg_loop_free(sh->loop);
        mg_free(sh);
    }
    mg_free(rt);
}
