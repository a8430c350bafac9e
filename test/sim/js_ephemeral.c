// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Ephemeral consumers (spec/jetstream-consumers.md 4): there while somebody uses them and for inactive_threshold after,
// gone soon behind that. Those in files come back from a crash with a new term; those in memory do not. What a client
// was told is gone stays away.
#include <stdio.h>
#include <string.h>

#include "server/base/mem.h"
#include "test/sim/js_world.h"

#define LL(x) ((unsigned long long)(x))
#define SLOTS 4u
#define LATE (2 * MG_SEC) // jitter, and what timers may be late

enum phase { NONE, THERE, MAYBE }; // MAYBE: it was not used in time, or the answer to its creation never came

struct slot {
    enum phase phase;
    bool busy, memory;
    unsigned serial;
    uint64_t threshold;    // ns
    uint64_t used, doubt;  // ns: when it was surely used, at the earliest; from when on it is perhaps gone for good
};

struct ephemeral {
    struct slot slots[SLOTS];
    unsigned serials;
};

static void *make(struct js_world *w) {
    (void)w;
    return mg_zalloc(sizeof(struct ephemeral));
}

// The clock of a consumer that is read from disk begins anew.
static void new_life(void *own) {
    struct ephemeral *e = own;
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *s = &e->slots[i];
        s->busy = false;
        if (s->memory) s->phase = NONE;
    }
}

// ---- what is known -------------------------------------------------------------------------------------------------

// It was used between two times: of the request, and of the answer.
static void used(struct slot *s, uint64_t from, uint64_t to) {
    s->phase = THERE;
    s->used = from;
    s->doubt = to;
}

static bool surely_there(const struct slot *s, uint64_t now) {
    return s->phase == THERE && now < s->used + s->threshold;
}

static bool surely_gone(const struct slot *s, uint64_t now) {
    return s->phase == NONE || now > s->doubt + s->threshold + LATE;
}

static void seen(struct slot *s, bool there, uint64_t from, uint64_t to) {
    sim_check(there || !surely_there(s, to), "the ephemeral consumer e%u is gone %llu ms after it was used",
              s->serial, LL((to - s->used) / 1000000));
    sim_check(!there || !surely_gone(s, from), "the ephemeral consumer e%u is there %llu ms after it was used",
              s->serial, LL((from - s->doubt) / 1000000));
    if (!there) s->phase = NONE;
}

// ---- what is done --------------------------------------------------------------------------------------------------

static void create(struct js_client *cl, struct ephemeral *e, struct slot *s) {
    char subject[64], body[300];
    uint64_t now = sim_now(cl->w->sim);
    *s = (struct slot){.busy = true, .phase = MAYBE, .serial = ++e->serials, .used = now};
    s->threshold = (1500 + js_below(cl, 6000)) * 1000000;
    s->doubt = UINT64_MAX / 2;
    s->memory = js_chance(cl, 64);
    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.CREATE.E.e%u", s->serial);
    snprintf(body, sizeof(body), "{\"stream_name\":\"E\",\"action\":\"create\",\"config\":{\"name\":\"e%u\","
             "\"ack_policy\":\"none\",\"mem_storage\":%s,\"inactive_threshold\":%llu}}", s->serial,
             s->memory ? "true" : "false", LL(s->threshold));
    if (js_do(cl, subject, body)) used(s, now, sim_now(cl->w->sim));
}

static bool look(struct js_client *cl, struct slot *s) {
    char subject[64];
    struct js_call call;
    uint64_t from = sim_now(cl->w->sim);
    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.INFO.E.e%u", s->serial);
    bool answered = js_ask(cl, &call, subject, "");
    if (answered) seen(s, js_error(&call.body) == 0, from, sim_now(cl->w->sim));
    js_end(&call);
    return answered;
}

// A request that waits keeps it alive, too.
static void pull(struct js_client *cl, struct slot *s) {
    char name[24];
    struct js_fetch f = {.n = 0};
    bool wait = js_chance(cl, 80);
    snprintf(name, sizeof(name), "E.e%u", s->serial);
    uint64_t doubt = s->doubt, from = sim_now(cl->w->sim);
    s->doubt = UINT64_MAX / 2; // it is being used
    js_fetch(cl, &f, name, 1 + (unsigned)js_below(cl, 4), wait ? ",\"expires\":9000000000" : ",\"no_wait\":true");
    if (cl->lost) return;
    s->doubt = doubt;
    sim_check(f.code != 409, "the ephemeral consumer e%u is deleted while somebody waits for it", s->serial);
    seen(s, f.code != 503, from, sim_now(cl->w->sim));
    if (f.code != 503) used(s, from, sim_now(cl->w->sim));
}

static void act(struct js_client *cl, void *own) {
    struct ephemeral *e = own;
    struct slot *s = &e->slots[js_below(cl, SLOTS)];
    if (s->busy || js_chance(cl, 40)) {
        js_put(cl, "e", "", "0");
        return;
    }
    s->busy = true;
    if (s->phase == NONE && (s->serial == 0 || js_chance(cl, 200))) create(cl, e, s);
    else if (js_chance(cl, 100)) look(cl, s);
    else pull(cl, s);
    if (js_chance(cl, 60)) js_pause(cl, s->threshold - MG_SEC + js_below(cl, 2 * MG_SEC)); // just about
    if (!cl->lost) s->busy = false;
}

// After a start: those in files have a new term, whether or not the old one was over.
static void audit(struct js_client *cl, void *own, bool last) {
    struct ephemeral *e = own;
    uint64_t now = sim_now(cl->w->sim);
    if (!js_do(cl, "$JS.API.STREAM.CREATE.E", "{\"name\":\"E\",\"subjects\":[\"e\"],\"max_msgs\":50}")) return;
    for (unsigned i = 0; i < SLOTS && !cl->lost; i++) {
        struct slot *s = &e->slots[i];
        if (s->serial == 0) continue;
        if (s->phase != NONE) s->doubt = now;
        look(cl, s);
        if (last && !cl->lost) js_pause(cl, s->threshold + LATE + MG_SEC);
        if (last && !cl->lost) look(cl, s);
    }
}

const struct js_feature js_ephemeral = {.name = "ephemeral", .make = make, .free = mg_free, .new_life = new_life,
                                        .act = act, .audit = audit};
