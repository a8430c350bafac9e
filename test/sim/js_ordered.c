// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// An ordered consumer as clients build it (spec/jetstream-consumers.md 12.5): a consumer in memory that acknowledges
// nothing and begins behind the last message that the client has seen; made anew when a number of a delivery is
// missing, when the connection was lost, and at times for no reason. Whatever crashes come, the client sees each
// message once, in order, and none is left out that was acknowledged and that nobody removed.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/mem.h"
#include "test/sim/js_world.h"

#define LL(x) ((unsigned long long)(x))
#define SUBJECTS 3u
#define SID 3u
#define IDLE (300 * MG_SEC)

struct at { // a sequence number
    bool stored, matches, perhaps_gone;
    uint64_t answered; // tick; 0: the publisher was told nothing
};

struct ordered {
    struct at *at;
    size_t nat;
    uint64_t last;          // the highest number that anybody knows
    uint64_t seen;          // by the client
    uint64_t next;          // number of a delivery
    uint64_t used;          // ns: when the consumer was
    bool filtered, busy;    // only subject 0; the client reads
    bool gap;
    unsigned serial, serials, life; // of the consumer, 0: none; how many there were; when it was looked for
    bool push;
};

static void *make(struct js_world *w) {
    struct ordered *o = mg_zalloc(sizeof(*o));
    o->filtered = sim_chance(w->sim, 100);
    return o;
}

static void drop(void *own) {
    struct ordered *o = own;
    mg_free(o->at);
    mg_free(o);
}

static void new_life(void *own) {
    struct ordered *o = own;
    o->busy = false;
}

static struct at *at(struct ordered *o, uint64_t seq) {
    if (seq >= o->nat) {
        size_t n = seq + 64;
        o->at = mg_realloc(o->at, n * sizeof(o->at[0]));
        memset(o->at + o->nat, 0, (n - o->nat) * sizeof(o->at[0]));
        o->nat = n;
    }
    if (seq > o->last) o->last = seq;
    return &o->at[seq];
}

// ---- the stream ----------------------------------------------------------------------------------------------------

static void publish(struct js_client *cl, struct ordered *o) {
    char subject[16];
    unsigned on = (unsigned)js_below(cl, SUBJECTS);
    snprintf(subject, sizeof(subject), "o.%u", on);
    uint64_t seq = js_put(cl, subject, "", "0");
    if (seq == 0) return;
    struct at *a = at(o, seq);
    sim_check(!a->answered, "number %llu of an ordered stream is given twice", LL(seq));
    a->stored = true;
    a->matches = !o->filtered || on == 0;
    a->answered = js_tick(&cl->w->model);
}

static void remove_some(struct js_client *cl, struct ordered *o) {
    char body[64];
    if (o->last == 0) return;
    uint64_t seq = 1 + js_below(cl, o->last);
    bool one = js_chance(cl, 200);
    for (uint64_t i = one ? seq : 1; i < seq + one; i++) at(o, i)->perhaps_gone = true;
    snprintf(body, sizeof(body), one ? "{\"seq\":%llu,\"no_erase\":true}" : "{\"seq\":%llu}", LL(seq));
    struct js_call call; // it may be gone already
    js_ask(cl, &call, one ? "$JS.API.STREAM.MSG.DELETE.O" : "$JS.API.STREAM.PURGE.O", body);
    js_end(&call);
}

// ---- the client ----------------------------------------------------------------------------------------------------

// One that should have come before `seq`, asked for at a tick; 0: none.
static uint64_t left_out(const struct ordered *o, uint64_t seq, uint64_t asked) {
    for (uint64_t i = o->seen + 1; i < seq && i < o->nat; i++) {
        const struct at *a = &o->at[i];
        if (a->answered && a->answered < asked && a->matches && !a->perhaps_gone) return i;
    }
    return 0;
}

static unsigned sid_of(const struct ordered *o) { return SID + o->serial % 90; }

static void take(struct ordered *o, const struct js_delivery *d) {
    if (o->gap) return;
    o->gap = d->dseq != o->next;
    if (o->gap) return;
    o->next++;
    sim_check(d->seq > o->seen, "an ordered consumer gives %llu behind %llu", LL(d->seq), LL(o->seen));
    sim_check(d->count == 1, "an ordered consumer gives %llu for the %lluth time", LL(d->seq), LL(d->count));
    uint64_t missing = left_out(o, d->seq, UINT64_MAX);
    sim_check(missing == 0, "an ordered consumer gives %llu and leaves out %llu", LL(d->seq), LL(missing));
    const struct at *a = at(o, d->seq);
    sim_check(!a->answered || a->matches, "an ordered consumer gives %llu, which does not match", LL(d->seq));
    o->seen = d->seq;
}

static void forget_consumer(struct js_client *cl, struct ordered *o) {
    char subject[64];
    if (o->serial == 0) return;
    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.DELETE.O.r%u", o->serial);
    js_tell(cl, subject, "");
    o->serial = 0;
}

static bool make_consumer(struct js_client *cl, struct ordered *o) {
    static const char pushes[] = "\"deliver_subject\":\"OD.%u\",\"flow_control\":true,\"max_deliver\":1,"
                                 "\"idle_heartbeat\":5000000000";
    char subject[64], body[500], kind[160];
    snprintf(kind, sizeof(kind), o->push ? pushes : "\"inactive_threshold\":300000000000", o->serial);
    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.CREATE.O.r%u", o->serial);
    snprintf(body, sizeof(body), "{\"stream_name\":\"O\",\"action\":\"create\",\"config\":{\"name\":\"r%u\","
             "\"deliver_policy\":\"by_start_sequence\",\"opt_start_seq\":%llu,\"ack_policy\":\"none\","
             "\"mem_storage\":true,\"num_replicas\":1,%s%s}}", o->serial, LL(o->seen + 1),
             o->filtered ? "\"filter_subject\":\"o.0\"," : "", kind);
    return js_do(cl, subject, body);
}

static void begin(struct js_client *cl, struct ordered *o, bool push) {
    forget_consumer(cl, o);
    o->serial = ++o->serials;
    o->push = push;
    o->next = 1;
    o->gap = false;
    o->used = sim_now(cl->w->sim);
}

// True: there may be more.
static bool pull(struct js_client *cl, struct ordered *o) {
    char name[24];
    struct js_fetch f = {.n = 0};
    snprintf(name, sizeof(name), "O.r%u", o->serial);
    bool wait = js_chance(cl, 100);
    uint64_t asked_at = sim_now(cl->w->sim), asked = js_tick(&cl->w->model);
    unsigned batch = 1 + (unsigned)js_below(cl, 10);
    js_fetch(cl, &f, name, batch, wait ? ",\"expires\":1000000000" : ",\"no_wait\":true");
    for (unsigned i = 0; i < f.n; i++) take(o, &f.got[i].d);
    if (cl->lost) return false;
    bool idle = asked_at > o->used + IDLE - MG_SEC; // it may have been too long
    o->used = sim_now(cl->w->sim);
    if (f.code == 503 && idle) {
        o->gap = true;
        return false;
    }
    sim_check(f.code != 503 && f.code != 409, "an ordered consumer that is used is gone: %u", f.code);
    uint64_t missing = f.n < batch && !o->gap ? left_out(o, UINT64_MAX, asked) : 0;
    sim_check(missing == 0, "an ordered consumer has nothing more, and %llu was not seen", LL(missing));
    return f.n == batch;
}

static void listened(struct js_client *cl, const struct sim_msg *m) {
    struct ordered *o = cl->listener_arg;
    struct js_delivery d;
    char reply[80];
    if (strtoull(m->sid.p, NULL, 10) != sid_of(o)) return; // of an earlier one
    if (js_parse_reply(m->reply, &d)) {
        take(o, &d);
    } else if (m->reply.n) { // flow control
        snprintf(reply, sizeof(reply), "%.*s", (int)m->reply.n, m->reply.p);
        js_tell(cl, reply, "");
    }
}

static void listen_for(struct js_client *cl, struct ordered *o, uint64_t ns) {
    begin(cl, o, true);
    cl->listener = listened;
    cl->listener_arg = o;
    sim_client_send(&cl->conn, "SUB OD.%u %u\r\n", o->serial, sid_of(o));
    if (make_consumer(cl, o)) js_pause(cl, ns);
    if (cl->lost) return;
    sim_client_send(&cl->conn, "UNSUB %u\r\n", sid_of(o));
    cl->listener = NULL;
    forget_consumer(cl, o);
}

static void pull_some(struct js_client *cl, struct ordered *o, uint64_t times) {
    bool anew = o->serial == 0 || o->gap || js_chance(cl, 20);
    if (anew) begin(cl, o, false);
    if (anew && !make_consumer(cl, o)) return;
    while (times-- > 0 && !cl->lost && !o->gap && pull(cl, o)) continue;
}

// ---- what is done --------------------------------------------------------------------------------------------------

static void act(struct js_client *cl, void *own) {
    struct ordered *o = own;
    uint64_t what = js_below(cl, 10);
    if (what == 0) {
        remove_some(cl, o);
    } else if (what < 5 || o->busy) {
        for (uint64_t n = 1 + js_below(cl, 8); n > 0 && !cl->lost; n--) publish(cl, o);
    } else {
        o->busy = true;
        if (what < 7) listen_for(cl, o, js_below(cl, 2 * MG_SEC));
        else pull_some(cl, o, 1 + js_below(cl, 4));
        if (!cl->lost) o->busy = false;
    }
}

static void audit(struct js_client *cl, void *own, bool last) {
    struct ordered *o = own;
    char subject[64];
    struct js_call call;
    if (!js_do(cl, "$JS.API.STREAM.CREATE.O", "{\"name\":\"O\",\"subjects\":[\"o.*\"]}")) return;
    if (o->life != cl->w->model.life && o->serial) {
        snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.INFO.O.r%u", o->serial);
        bool there = js_ask(cl, &call, subject, "") && js_error(&call.body) == 0;
        sim_check(!there, "a consumer in memory has survived the end of the broker");
        js_end(&call);
        o->serial = 0;
    }
    o->life = cl->w->model.life;
    if (last && !cl->lost) pull_some(cl, o, 1000);
}

const struct js_feature js_ordered = {.name = "ordered", .make = make, .free = drop, .new_life = new_life,
                                      .act = act, .audit = audit};
