// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Consuming: pull requests of all kinds, listening on a deliver subject, and what is done with a message: every verb of
// an acknowledgement, or nothing, so that it comes again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/mem.h"
#include "test/sim/js_world.h"

#define HELD 16u // messages that a client has in hand
#define DELIVER_SID 2

struct held {
    char reply[160];
    uint64_t seq;
};

struct pull {
    struct js_call call;
    struct js_consumer *consumer;
    unsigned generation;
    uint64_t asked; // tick: what was under way before is not counted
    struct held held[HELD];
    unsigned n, got, batch;
    bool over; // a status ended it
};

static void take(struct pull *p, const struct sim_msg *m, mg_slice subject) {
    struct js_consumer *c = p->consumer;
    struct js_delivery d;
    sim_check(js_parse_reply(m->reply, &d), "a strange delivery: %.*s", (int)m->reply.n, m->reply.p);
    if (c->generation != p->generation) return;
    js_tick(c->stream->m);
    js_found(c->stream, strtoull(m->payload.p, NULL, 10), d.seq, subject);
    sim_trace("consumer %u.%u gives %llu (%llu, count %llu)", c->stream->no, c->no, (unsigned long long)d.seq,
              (unsigned long long)d.dseq, (unsigned long long)d.count);
    js_received(c, &d, p->asked);
    p->got++;
    if (p->n == HELD) return;
    struct held *h = &p->held[p->n++];
    snprintf(h->reply, sizeof(h->reply), "%.*s", (int)m->reply.n, m->reply.p);
    h->seq = d.seq;
}

static void pulled(struct js_call *call, const struct sim_msg *m) {
    struct pull *p = call->arg;
    if (m->reply.n) {
        take(p, m, m->subject);
        if (p->got == p->batch) call->done = true;
        return;
    }
    if (m->header.n >= 12 && memcmp(m->header.p, "NATS/1.0 100", 12) == 0) return; // a heartbeat
    p->over = true;
    call->done = true;
}

// ---- what is done with them ----------------------------------------------------------------------------------------

static bool confirm(struct js_client *cl, struct pull *p, const struct held *h, const char *verb) {
    struct js_call call = {.came = NULL};
    js_ack_sent(p->consumer, h->seq);
    js_begin(cl, &call, h->reply, "", verb);
    // Nobody answers when the consumer is gone, or has forgotten in a crash that it ever delivered this.
    bool done = js_await(&call, 5 * MG_SEC) && call.header.len == 0;
    if (done && p->consumer->generation == p->generation) js_ack_confirmed(p->consumer, h->seq);
    if (done) sim_trace("client %u: %llu is confirmed", cl->serial, (unsigned long long)h->seq);
    js_end(&call);
    return done;
}

static void finish(struct js_client *cl, struct pull *p, const struct held *h) {
    switch (js_below(cl, cl->w->hasty ? 3 : 12)) {
    case 0: break; // forgotten: it comes again
    case 1: js_tell(cl, h->reply, "-NAK"); break;
    case 2: js_tell(cl, h->reply, "-NAK {\"delay\":700000000}"); break;
    case 3:
        js_ack_sent(p->consumer, h->seq);
        js_tell(cl, h->reply, "+TERM");
        break;
    case 4: js_tell(cl, h->reply, "+WPI"); break;
    case 5: confirm(cl, p, h, "+TERM"); break;
    case 6:
    case 7:
        js_ack_sent(p->consumer, h->seq);
        js_tell(cl, h->reply, js_chance(cl, 128) ? "+ACK" : "");
        break;
    default: confirm(cl, p, h, "+ACK");
    }
}

static bool valid(const struct js_client *cl, const struct pull *p) {
    return !cl->lost && p->consumer->generation == p->generation;
}

static void finish_all(struct js_client *cl, struct pull *p) {
    bool last_only = p->consumer->ack_all && js_chance(cl, 200);
    for (unsigned i = 0; i < p->n && valid(cl, p); i++) {
        if (last_only && i + 1 < p->n) continue;
        if (js_chance(cl, 30)) js_pause(cl, js_below(cl, 4 * MG_SEC)); // perhaps longer than the consumer waits
        if (valid(cl, p)) finish(cl, p, &p->held[i]);
    }
    p->n = 0;
}

// ---- pulling -------------------------------------------------------------------------------------------------------

// Asks for num_pending while messages are perhaps being read. False: it does not.
static bool glance(struct js_client *cl, struct js_call *call, const struct js_consumer *c) {
    char subject[64];
    if (!js_chance(cl, 64)) return false;
    js_pause(cl, js_below(cl, 2 * MG_MS));
    if (cl->lost) return false;
    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.INFO.S%u.C%u", c->stream->no, c->no);
    js_begin(cl, call, subject, "", "");
    return true;
}

static void request(struct js_client *cl, struct pull *p, uint64_t expires, bool no_wait) {
    char subject[64], body[96];
    const struct js_consumer *c = p->consumer;
    struct js_call info = {.came = NULL};
    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.MSG.NEXT.S%u.C%u", c->stream->no, c->no);
    int n = snprintf(body, sizeof(body), "{\"batch\":%u", p->batch);
    if (expires) n += snprintf(body + n, sizeof(body) - (size_t)n, ",\"expires\":%llu", (unsigned long long)expires);
    snprintf(body + n, sizeof(body) - (size_t)n, "%s}", no_wait ? ",\"no_wait\":true" : "");
    p->call = (struct js_call){.came = pulled, .arg = p, .own = true};
    p->n = p->got = 0;
    p->over = false;
    js_begin(cl, &p->call, subject, "", body);
    p->asked = p->call.sent;
    bool asks = glance(cl, &info, c);
    js_await(&p->call, expires + 20 * MG_SEC);
    if (asks) js_end(&info);
}

void js_do_pull(struct js_client *cl) {
    struct js_consumer *c = js_some_consumer(cl, false);
    if (c == NULL) return;
    struct pull p = {.consumer = c, .generation = c->generation, .batch = 1 + (unsigned)js_below(cl, 10)};
    c->users++;
    request(cl, &p, js_chance(cl, 200) ? 1 + js_below(cl, 3 * MG_SEC) : 0, js_chance(cl, 128));
    js_end(&p.call);
    if (!cl->lost) finish_all(cl, &p);
    if (!cl->lost) js_fence(cl); // nothing of this reaches a later consumer of the name
    if (!cl->lost) c->users--;
}

void js_drain(struct js_client *cl, struct js_consumer *c) {
    uint64_t rest = c->ack_wait + 2 * MG_SEC;
    struct pull p = {.consumer = c, .generation = c->generation, .batch = 10};
    for (unsigned quiet = 0; quiet < 2 && !cl->lost;) {
        request(cl, &p, rest, false);
        js_end(&p.call);
        quiet = p.got ? 0 : quiet + 1;
        for (unsigned i = 0; i < p.n && !cl->lost; i++) {
            if (c->ack_all && i + 1 < p.n) continue;
            bool done = c->ack_none || confirm(cl, &p, &p.held[i], "+ACK");
            sim_check(done || cl->lost, "consumer %u.%u does not confirm %llu", c->stream->no, c->no,
                      (unsigned long long)p.held[i].seq);
        }
    }
}

// ---- listening -----------------------------------------------------------------------------------------------------

static void listened(struct js_client *cl, const struct sim_msg *m) {
    struct pull *p = cl->listener_arg;
    if (m->reply.n == 0 || memcmp(m->reply.p, "$JS.ACK.", 8) != 0) return; // heartbeats
    p->asked = cl->fence; // what was under way when the last ping was answered has come
    take(p, m, m->subject);
}

void js_do_listen(struct js_client *cl) {
    struct js_consumer *c = js_some_consumer(cl, true);
    if (c == NULL) return;
    struct pull p = {.consumer = c, .generation = c->generation};
    cl->listener = listened;
    cl->listener_arg = &p;
    c->users++;
    cl->fence = js_tick(&cl->w->model);
    sim_client_send(&cl->conn, "SUB D.%u.%u.%u q %u\r\n", c->stream->no, c->no, c->generation, DELIVER_SID);
    for (uint64_t n = 1 + js_below(cl, 6); n > 0 && valid(cl, &p); n--) {
        js_pause(cl, js_below(cl, MG_SEC));
        if (js_chance(cl, 100)) js_fence(cl);
        struct pull mine = p; // more may come while these are being finished
        p.n = 0;
        if (valid(cl, &p)) finish_all(cl, &mine);
    }
    if (!cl->lost) sim_client_send(&cl->conn, "UNSUB %u\r\n", DELIVER_SID);
    if (!cl->lost) js_fence(cl);
    cl->listener = NULL;
    if (!cl->lost) c->users--;
}
