// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Priority groups (spec/jetstream-consumers.md 11): who of those that wait gets a message.
//
//   pinned       one client at a time: the deliveries of a pin are one stretch of the consumer's. The next pin comes
//                when the last request of the one before is priority_timeout old, or somebody unpinned it
//   prioritized  a lower number first, until that request is full
//   overflow     nobody below its min_pending
#include <stdio.h>
#include <string.h>

#include "server/base/mem.h"
#include "test/sim/js_world.h"

#define LL(x) ((unsigned long long)(x))
#define PIN 24u
#define PINS 64u

struct pin {
    char id[PIN];
    unsigned client;      // serial
    uint64_t first, last; // numbers of deliveries
    uint64_t fed;         // ns: a request of it was taken in, not before
    uint64_t cut;         // tick: it was sure to be unpinned; 0: it was not
    bool doubt;           // somebody asked for that while it was pinned, or before it was known
};

struct groups {
    struct pin pins[PINS]; // of this life, in the order of their deliveries
    unsigned npins;
    uint64_t timeout;      // ns
    uint64_t unpins;       // asked for
    unsigned unpinning;    // ... and not answered
    bool busy;             // the prioritized consumer is one client's
};

static void *make(struct js_world *w) {
    struct groups *g = mg_zalloc(sizeof(*g));
    g->timeout = (1 + sim_below(w->sim, 4)) * MG_SEC;
    return g;
}

// A start forgets who is pinned.
static void new_life(void *own) {
    struct groups *g = own;
    g->npins = g->unpinning = 0;
    g->busy = false;
}

static void publish(struct js_client *cl, unsigned n) {
    while (n-- > 0 && !cl->lost) js_put(cl, "g", "", "0");
}

static void finish(struct js_client *cl, struct js_fetch *f) {
    for (unsigned i = 0; i < f->n && !cl->lost; i++)
        if (js_chance(cl, 230)) js_tell(cl, f->got[i].reply, "+ACK");
}

// ---- pinned --------------------------------------------------------------------------------------------------------

static struct pin *find(struct groups *g, const char *id) {
    for (unsigned i = 0; i < g->npins; i++)
        if (strcmp(g->pins[i].id, id) == 0) return &g->pins[i];
    return NULL;
}

static struct pin *add(struct groups *g, unsigned client, const struct js_got *got) {
    if (g->npins == PINS) return NULL; // enough for a life
    struct pin *p = &g->pins[g->npins++];
    *p = (struct pin){.client = client, .first = got->d.dseq, .last = got->d.dseq};
    snprintf(p->id, sizeof(p->id), "%s", got->pin);
    return p;
}

static void check_stretches(const struct groups *g, const struct pin *p) {
    for (unsigned i = 0; i < g->npins; i++) {
        const struct pin *o = &g->pins[i];
        sim_check(o == p || o->last < p->first || o->first > p->last,
                  "deliveries %llu to %llu are of one pin, %llu to %llu of another", LL(p->first), LL(p->last),
                  LL(o->first), LL(o->last));
    }
}

// Deliveries come to clients in any order of time, so whoever is behind in the numbers is looked at, too.
static void check_turns(const struct groups *g, const struct pin *p, uint64_t now) {
    for (unsigned i = 0; i < g->npins; i++) {
        const struct pin *o = &g->pins[i];
        if (o == p || o->last > p->first || o->doubt || o->cut) continue;
        sim_check(now >= o->fed + g->timeout, "client %u is pinned %llu ms after a request of the pinned client %u",
                  p->client, LL((now - o->fed) / 1000000), o->client);
    }
}

struct turn {
    struct groups *g;
    uint64_t asked, unpins; // tick; how many had been asked for
    bool unpinned;          // somebody waited for the answer to one
};

static void pinned(struct js_fetch *f, const struct js_got *got) {
    struct turn *t = f->user;
    struct groups *g = t->g;
    unsigned client = f->call.cl->serial;
    sim_check(got->pin[0], "a message of a pinned group has no pin");
    struct pin *p = find(g, got->pin);
    bool fresh = p == NULL;
    if (p == NULL) p = add(g, client, got);
    if (p == NULL) return;
    // Somebody may have asked for that before the pin was known to anybody.
    if (fresh) p->doubt = t->unpinned || g->unpins != t->unpins;
    sim_check(p->client == client, "the pin of client %u is given to client %u", p->client, client);
    sim_check(p->cut == 0 || p->cut > t->asked, "client %u is unpinned and gets a message", client);
    if (got->d.dseq < p->first) p->first = got->d.dseq;
    if (got->d.dseq > p->last) p->last = got->d.dseq;
    if (f->begun > p->fed) p->fed = f->begun;
    check_stretches(g, p);
    if (fresh) check_turns(g, p, sim_now(f->call.cl->w->sim));
}

static void unpin(struct js_client *cl, struct groups *g) {
    unsigned n = g->npins;
    g->unpins++;
    g->unpinning++;
    for (unsigned i = 0; i < n; i++) g->pins[i].doubt = true;
    if (!js_do(cl, "$JS.API.CONSUMER.UNPIN.G.pinned", "{\"group\":\"A\"}")) return;
    g->unpinning--;
    for (unsigned i = 0; i < n && i < g->npins; i++)
        if (g->pins[i].cut == 0) g->pins[i].cut = js_tick(&cl->w->model);
}

// A client that keeps its pin for some requests; a stale one is refused.
static void be_pinned(struct js_client *cl, struct groups *g) {
    char id[PIN] = "", rest[120];
    for (uint64_t n = 1 + js_below(cl, 4); n > 0 && !cl->lost; n--) {
        struct turn t = {.g = g, .asked = js_tick(&cl->w->model), .unpins = g->unpins,
                         .unpinned = g->unpinning > 0};
        struct js_fetch f = {.each = pinned, .user = &t};
        int at = snprintf(rest, sizeof(rest), ",\"group\":\"A\",\"expires\":%llu", LL(1 + js_below(cl, 3 * MG_SEC)));
        if (id[0]) snprintf(rest + at, sizeof(rest) - (size_t)at, ",\"id\":\"%s\"", id);
        js_fetch(cl, &f, "G.pinned", 1 + (unsigned)js_below(cl, 6), rest);
        if (cl->lost) return;
        for (unsigned i = 0; i < f.n; i++) snprintf(id, sizeof(id), "%s", f.got[i].pin);
        if (f.code == 423) id[0] = '\0';
        finish(cl, &f);
        if (js_chance(cl, 60)) js_pause(cl, js_below(cl, 2 * g->timeout));
        if (!cl->lost && js_chance(cl, 128)) publish(cl, 1 + (unsigned)js_below(cl, 4));
    }
}

// ---- overflow ------------------------------------------------------------------------------------------------------

static void overflow(struct js_client *cl) {
    struct js_fetch f = {.n = 0};
    char rest[120];
    uint64_t least = 1 + js_below(cl, 12);
    snprintf(rest, sizeof(rest), ",\"group\":\"A\",\"min_pending\":%llu,\"expires\":%llu", LL(least),
             LL(1 + js_below(cl, 2 * MG_SEC)));
    js_fetch(cl, &f, "G.overflow", 1 + (unsigned)js_below(cl, 10), rest);
    for (unsigned i = 0; i < f.n; i++)
        sim_check(f.got[i].d.pending + 1 >= least, "a request for overflow from %llu on gets one of %llu", LL(least),
                  LL(f.got[i].d.pending + 1));
    finish(cl, &f);
}

// ---- prioritized ---------------------------------------------------------------------------------------------------

struct contest {
    const struct js_fetch *better;
    uint64_t from; // messages from this number on came behind both requests
};

static void worse(struct js_fetch *f, const struct js_got *got) {
    const struct contest *c = f->user;
    bool open = c->better->code == 0 && c->better->n < c->better->batch;
    sim_check(!open || c->from == 0 || got->d.seq < c->from || got->d.count > 1,
              "a request of low priority gets %llu while one of high priority waits", LL(got->d.seq));
}

// Two requests of one client wait; what is published behind them goes to the better one first.
static void prioritized(struct js_client *cl, struct groups *g) {
    struct js_fetch high = {.n = 0}, low = {.each = worse};
    struct contest c = {.better = &high};
    unsigned better = (unsigned)js_below(cl, 9), other = better + 1 + (unsigned)js_below(cl, 9 - better);
    char rest[80];
    g->busy = true;
    low.user = &c;
    snprintf(rest, sizeof(rest), ",\"group\":\"A\",\"priority\":%u,\"expires\":20000000000", other);
    js_fetch_begin(cl, &low, "G.prioritized", 20, rest);
    snprintf(rest, sizeof(rest), ",\"group\":\"A\",\"priority\":%u,\"expires\":20000000000", better);
    js_fetch_begin(cl, &high, "G.prioritized", 1 + (unsigned)js_below(cl, 5), rest);
    c.from = js_put(cl, "g", "", "0");
    publish(cl, (unsigned)js_below(cl, 8));
    js_await(&high.call, 30 * MG_SEC);
    js_end(&high.call);
    js_end(&low.call);
    if (cl->lost) return;
    finish(cl, &high);
    finish(cl, &low);
    js_fence(cl);
    if (!cl->lost) g->busy = false;
}

// ---- what is done --------------------------------------------------------------------------------------------------

static void act(struct js_client *cl, void *own) {
    struct groups *g = own;
    switch (js_below(cl, 10)) {
    case 0: unpin(cl, g); break;
    case 1: overflow(cl); break;
    case 2:
        if (!g->busy) prioritized(cl, g);
        break;
    case 3:
    case 4: publish(cl, 1 + (unsigned)js_below(cl, 8)); break;
    default: be_pinned(cl, g);
    }
}

static bool make_consumer(struct js_client *cl, const char *name, const char *policy, const char *more) {
    char subject[80], body[400];
    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.DURABLE.CREATE.G.%s", name);
    snprintf(body, sizeof(body), "{\"stream_name\":\"G\",\"config\":{\"durable_name\":\"%s\","
             "\"ack_policy\":\"explicit\",\"ack_wait\":2000000000,"
             "\"priority_groups\":[\"A\"],\"priority_policy\":\"%s\"%s}}", name, policy, more);
    return js_do(cl, subject, body);
}

static void audit(struct js_client *cl, void *own, bool last) {
    struct groups *g = own;
    char timeout[60];
    (void)last;
    snprintf(timeout, sizeof(timeout), ",\"priority_timeout\":%llu", LL(g->timeout));
    if (!js_do(cl, "$JS.API.STREAM.CREATE.G", "{\"name\":\"G\",\"subjects\":[\"g\"],\"max_msgs\":200}")) return;
    if (!make_consumer(cl, "pinned", "pinned_client", timeout)) return;
    if (make_consumer(cl, "overflow", "overflow", "")) make_consumer(cl, "prioritized", "prioritized", "");
}

const struct js_feature js_groups = {.name = "groups", .make = make, .free = mg_free, .new_life = new_life,
                                     .act = act, .audit = audit};
