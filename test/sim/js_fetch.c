// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What scripts of features do again and again: ask, publish one message, fetch some.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/assert.h"
#include "test/sim/js_world.h"

// $JS.ACK.<stream>.<consumer>.<count>.<seq>.<dseq>.<time>.<pending>
bool js_parse_reply(mg_slice reply, struct js_delivery *d) {
    char text[160], *p = text;
    uint64_t v[5];
    if (reply.n < 9 || memcmp(reply.p, "$JS.ACK.", 8) != 0) return false;
    snprintf(text, sizeof(text), "%.*s", (int)reply.n, reply.p);
    for (unsigned i = 0; i < 4 && p; i++) p = strchr(p + 1, '.');
    for (unsigned i = 0; i < 5; i++) {
        if (p == NULL || *p != '.') return false;
        v[i] = strtoull(p + 1, &p, 10);
    }
    *d = (struct js_delivery){v[0], v[1], v[2], v[4]};
    return true;
}

bool js_header(mg_slice headers, const char *name, char *out, size_t n) {
    for (size_t at = 0, len = strlen(name); at + len < headers.n; at++) {
        const char *line = headers.p + at;
        if (line[0] != '\n' || memcmp(line + 1, name, len) != 0 || at + 1 + len >= headers.n || line[1 + len] != ':')
            continue;
        const char *v = line + len + 2, *end = headers.p + headers.n;
        while (v < end && *v == ' ') v++;
        size_t k = 0;
        while (v < end && *v != '\r' && k + 1 < n) out[k++] = *v++;
        out[k] = '\0';
        return true;
    }
    return false;
}

bool js_do(struct js_client *cl, const char *subject, const char *body) {
    struct js_call call;
    bool done = js_ask(cl, &call, subject, body);
    if (done) sim_check(js_error(&call.body) == 0, "%s: %s: %s", subject, body, js_body(&call));
    js_end(&call);
    return done;
}

uint64_t js_put(struct js_client *cl, const char *subject, const char *headers, const char *body) {
    struct js_call call = {.came = NULL};
    uint64_t seq = 0;
    js_begin(cl, &call, subject, headers, body);
    bool done = js_await(&call, 100 * MG_SEC);
    sim_check(done || cl->lost, "a publish is not answered");
    if (done) sim_check(js_error(&call.body) == 0 && js_number(&call.body, "", "seq", &seq), "%s: %s", subject,
                        js_body(&call));
    js_end(&call);
    return seq;
}

// ---- fetching ------------------------------------------------------------------------------------------------------

static void came(struct js_call *call, const struct sim_msg *m) {
    struct js_fetch *f = call->arg;
    if (m->reply.n) {
        sim_check(f->n < f->batch, "more than was asked for");
        struct js_got *g = &f->got[f->n++];
        sim_check(js_parse_reply(m->reply, &g->d), "a strange delivery: %.*s", (int)m->reply.n, m->reply.p);
        g->number = strtoull(m->payload.p, NULL, 10);
        g->at = js_tick(&call->cl->w->model);
        snprintf(g->reply, sizeof(g->reply), "%.*s", (int)m->reply.n, m->reply.p);
        if (!js_header(m->header, "Nats-Pin-Id", g->pin, sizeof(g->pin))) g->pin[0] = '\0';
        sim_trace("client %u: %.*s gives %llu", call->cl->serial, (int)m->reply.n, m->reply.p,
                  (unsigned long long)g->number);
        call->done = f->n == f->batch;
        if (f->each) f->each(f, g);
        return;
    }
    unsigned code = m->header.n > 12 ? (unsigned)strtoul(m->header.p + 9, NULL, 10) : 0;
    if (code == 100) return; // a heartbeat
    sim_trace("client %u: the request ends with %.*s", call->cl->serial, (int)m->header.n, m->header.p);
    f->code = code;
    call->done = true;
    if (call->cl->w->stopping && mg_slice_starts(m->header, MG_S("NATS/1.0 409 Server Shutdown")))
        call->cl->lost = true;
}

void js_fetch_begin(struct js_client *cl, struct js_fetch *f, const char *consumer, unsigned batch, const char *rest) {
    char subject[96], body[200];
    mg_assert(batch <= JS_FETCH);
    f->batch = batch;
    f->n = f->code = 0;
    f->begun = sim_now(cl->w->sim);
    f->call = (struct js_call){.came = came, .arg = f, .own = true};
    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.MSG.NEXT.%s", consumer);
    snprintf(body, sizeof(body), "{\"batch\":%u%s}", batch, rest);
    js_begin(cl, &f->call, subject, "", body);
}

bool js_fetch(struct js_client *cl, struct js_fetch *f, const char *consumer, unsigned batch, const char *rest) {
    js_fetch_begin(cl, f, consumer, batch, rest);
    js_await(&f->call, 60 * MG_SEC);
    js_end(&f->call);
    return !cl->lost;
}

bool js_confirm(struct js_client *cl, const char *reply) {
    struct js_call call = {.came = NULL};
    js_begin(cl, &call, reply, "", "+ACK");
    bool done = js_await(&call, 5 * MG_SEC) && call.header.len == 0; // else nobody takes it
    js_end(&call);
    return done;
}
