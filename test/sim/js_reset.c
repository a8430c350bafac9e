// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Consumers that are reset (spec/jetstream-consumers.md 15): from then on all messages from a number on are due, and
// none below; the numbers of deliveries begin anew. One that a crash cut off has happened or not.
#include <stdio.h>
#include <string.h>

#include "server/base/mem.h"
#include "test/sim/js_world.h"

#define LL(x) ((unsigned long long)(x))
#define NAME "R.C"

struct due { // of a sequence number
    bool may, must; // come
    bool ended;     // somebody has acknowledged it
    bool again;     // it may come for another time than the first
};

struct reset {
    struct due *due;
    size_t ndue;
    uint64_t last;  // what a publisher was told
    uint64_t wait;  // ns that the consumer waits
    bool busy, made;
    bool fresh;     // a reset to `from` was confirmed, and nothing came since
    uint64_t from;
};

static void *make(struct js_world *w) {
    struct reset *r = mg_zalloc(sizeof(*r));
    r->wait = (1 + sim_below(w->sim, 4)) * MG_SEC;
    return r;
}

static void drop(void *own) {
    struct reset *r = own;
    mg_free(r->due);
    mg_free(r);
}

static void new_life(void *own) {
    struct reset *r = own;
    r->busy = false;
    for (size_t i = 0; i < r->ndue; i++) r->due[i].again = true; // it may have been on its way
}

static struct due *due(struct reset *r, uint64_t seq) {
    if (seq >= r->ndue) {
        size_t n = seq + 64;
        r->due = mg_realloc(r->due, n * sizeof(r->due[0]));
        for (size_t i = r->ndue; i < n; i++) r->due[i] = (struct due){.may = true};
        r->ndue = n;
    }
    return &r->due[seq];
}

static void publish(struct js_client *cl, struct reset *r) {
    uint64_t seq = js_put(cl, "r", "", "0");
    if (seq == 0) return;
    due(r, seq)->must = !due(r, seq)->ended; // somebody may have had it already
    if (seq > r->last) r->last = seq;
}

// ---- deliveries ----------------------------------------------------------------------------------------------------

static void taken(struct reset *r, const struct js_got *g, bool first) {
    struct due *d = due(r, g->d.seq);
    sim_check(d->may, "%llu is delivered behind its acknowledgement, or below a reset", LL(g->d.seq));
    sim_check(d->again || g->d.count == 1, "%llu is delivered for the %lluth time since the reset", LL(g->d.seq),
              LL(g->d.count));
    sim_check(!first || (g->d.dseq == 1 && g->d.seq == r->from), "behind a reset to %llu comes %llu as number %llu",
              LL(r->from), LL(g->d.seq), LL(g->d.dseq));
    d->again = true;
}

static void fetch(struct js_client *cl, struct reset *r, unsigned batch, unsigned acked) {
    struct js_fetch f = {.n = 0};
    bool fresh = r->fresh;
    r->fresh = false;
    js_fetch(cl, &f, NAME, batch, ",\"no_wait\":true");
    for (unsigned i = 0; i < f.n; i++) taken(r, &f.got[i], fresh && i == 0);
    for (unsigned i = 0; i < f.n && !cl->lost; i++) {
        struct due *d = due(r, f.got[i].d.seq);
        if (!js_chance(cl, acked)) continue;
        d->must = false;
        d->ended = true;
        if (!js_confirm(cl, f.got[i].reply)) sim_check(cl->lost, "%llu is not confirmed", LL(f.got[i].d.seq));
        else due(r, f.got[i].d.seq)->may = false;
    }
}

// ---- the reset -----------------------------------------------------------------------------------------------------

static void apply(struct reset *r, uint64_t n, bool sure) {
    due(r, r->last);
    for (uint64_t seq = 1; seq < r->ndue; seq++) {
        struct due *d = &r->due[seq];
        bool from = seq >= n;
        if (sure) *d = (struct due){.may = from, .must = from && seq <= r->last};
        else d->may |= from, d->must &= from, d->again = true;
    }
}

static void look(struct js_client *cl, const struct reset *r, uint64_t n) {
    struct js_call call;
    uint64_t delivered, dseq, floor, pending, open, last = r->last;
    if (js_ask(cl, &call, "$JS.API.CONSUMER.INFO." NAME, "")) {
        bool read = js_number(&call.body, "delivered", "stream_seq", &delivered) &&
                    js_number(&call.body, "delivered", "consumer_seq", &dseq) &&
                    js_number(&call.body, "ack_floor", "stream_seq", &floor) &&
                    js_number(&call.body, "ack_floor", "num_pending", &pending) &&
                    js_number(&call.body, "ack_floor", "num_ack_pending", &open);
        sim_check(read && delivered == n - 1 && dseq == 0 && floor == n - 1 && open == 0 && pending + n >= last + 1,
                  "behind a reset to %llu: %s", LL(n), js_body(&call));
    }
    js_end(&call);
}

static void reset(struct js_client *cl, struct reset *r) {
    struct js_call call;
    char body[40] = "";
    uint64_t n = r->last && js_chance(cl, 180) ? 1 + js_below(cl, r->last) : 0, got;
    if (n) snprintf(body, sizeof(body), "{\"seq\":%llu}", LL(n));
    r->fresh = false;
    if (js_ask(cl, &call, "$JS.API.CONSUMER.RESET." NAME, body)) {
        sim_check(js_error(&call.body) == 0 && js_number(&call.body, "", "reset_seq", &got) && (n == 0 || got == n),
                  "a reset to %llu: %s", LL(n), js_body(&call));
        for (uint64_t seq = 1; seq < got && seq < r->ndue; seq++)
            sim_check(n || !r->due[seq].must, "a reset to the floor, %llu, leaves out %llu", LL(got), LL(seq));
        apply(r, got, true);
        r->from = got;
        r->fresh = got <= r->last;
        look(cl, r, got);
    } else {
        apply(r, n ? n : 1, false);
    }
    js_end(&call);
}

// ---- what is done --------------------------------------------------------------------------------------------------

static void act(struct js_client *cl, void *own) {
    struct reset *r = own;
    uint64_t what = js_below(cl, 10);
    if (what < 3 || r->busy) {
        for (uint64_t n = 1 + js_below(cl, 6); n > 0 && !cl->lost; n--) publish(cl, r);
        return;
    }
    r->busy = true;
    if (what < 5) reset(cl, r);
    else fetch(cl, r, 1 + (unsigned)js_below(cl, 10), 180);
    if (!cl->lost) r->busy = false;
}

static void drain(struct js_client *cl, struct reset *r) {
    for (unsigned tries = 0; tries < 3 && !cl->lost; tries++) {
        for (uint64_t n = 0; n < r->last / 10 + 2 && !cl->lost; n++) fetch(cl, r, 10, 256);
        js_pause(cl, r->wait + MG_SEC);
    }
    for (uint64_t seq = 1; seq <= r->last && !cl->lost; seq++)
        sim_check(!due(r, seq)->must, "%llu never comes", LL(seq));
}

static void audit(struct js_client *cl, void *own, bool last) {
    struct reset *r = own;
    char body[200];
    if (!js_do(cl, "$JS.API.STREAM.CREATE.R", "{\"name\":\"R\",\"subjects\":[\"r\"]}")) return;
    snprintf(body, sizeof(body), "{\"stream_name\":\"R\",\"config\":{\"durable_name\":\"C\",\"ack_policy\":"
             "\"explicit\",\"ack_wait\":%llu,\"max_ack_pending\":1000}}", LL(r->wait));
    if (!js_do(cl, "$JS.API.CONSUMER.DURABLE.CREATE.R.C", body)) return;
    if (r->fresh) look(cl, r, r->from); // it has survived
    if (last) drain(cl, r);
}

const struct js_feature js_reset = {.name = "reset", .make = make, .free = drop, .new_life = new_life,
                                    .act = act, .audit = audit};
