// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/mem.h"
#include "test/sim/js_world.h"
#include "test/sim/sim_impl.h"

#define INBOX 1  // sid
#define OWN 100  // and up: those of single requests
#define PATIENCE (100 * MG_SEC)

uint64_t js_below(struct js_client *cl, uint64_t n) { return sim_below(cl->w->sim, n); }
bool js_chance(struct js_client *cl, unsigned of256) { return sim_chance(cl->w->sim, of256); }

// ---- what comes ----------------------------------------------------------------------------------------------------

static void ring(struct js_client *cl) { cl->rung = true; }

static void on_ready(struct sim_client *c) {
    struct js_client *cl = c->owner;
    sim_client_send(c, "SUB _I.%u.* %u\r\n", cl->serial, INBOX);
    cl->ready = true;
    ring(cl);
}

static void on_pong(struct sim_client *c) {
    struct js_client *cl = c->owner;
    cl->fence = cl->pinged;
    cl->pinged = 0;
    ring(cl);
}

static void keep(struct mg_buf *b, mg_slice s) {
    b->len = 0;
    mg_buf_add_slice(b, s);
    mg_buf_addc(b, '\0');
    b->len--;
}

// Of the request: behind the inbox's last dot; a blank follows.
static uint64_t id_of(mg_slice inbox) {
    size_t at = inbox.n;
    while (at > 0 && inbox.p[at - 1] != '.') at--;
    return strtoull(inbox.p + at, NULL, 10);
}

static void answered(struct js_client *cl, uint64_t id, const struct sim_msg *m) {
    for (struct mg_list *l = cl->calls.next; l != &cl->calls; l = l->next) {
        struct js_call *c = mg_container_of(l, struct js_call, link);
        if (c->id != id) continue;
        if (cl->w->stopping && mg_slice_starts(m->header, MG_S("NATS/1.0 503"))) { // nobody takes it any more
            cl->lost = true;
            return;
        }
        if (c->came) {
            c->came(c, m);
            return;
        }
        sim_check(!c->done, "a request was answered twice");
        keep(&c->header, m->header);
        keep(&c->body, m->payload);
        c->done = true;
        return;
    }
}

static void on_msg(struct sim_client *c, const struct sim_msg *m) {
    struct js_client *cl = c->owner;
    uint64_t sid = strtoull(m->sid.p, NULL, 10);
    if (sid == INBOX) answered(cl, id_of(m->subject), m);
    else if (sid >= OWN) answered(cl, sid - OWN, m);
    else if (cl->listener) cl->listener(cl, m);
    ring(cl);
}

static void on_err(struct sim_client *c, mg_slice text) {
    sim_fail("client %u got %.*s", c->id, (int)text.n, text.p);
}

static void on_closed(struct sim_client *c) {
    struct js_client *cl = c->owner;
    sim_check(cl->w->stopping || sim_disk_crashed(cl->w->disk), "the broker closed client %u", c->id);
    cl->lost = true;
    ring(cl);
}

static void on_turn(struct sim_client *c) { (void)c; }

static const struct sim_client_ops ops = {
    .ready = on_ready, .pong = on_pong, .msg = on_msg, .err = on_err, .closed = on_closed, .turn = on_turn};

// ---- the fiber -----------------------------------------------------------------------------------------------------

void js_wait(struct js_client *cl, uint64_t until) {
    if (!cl->rung && !cl->lost) sim_sleep(cl->w->sim, &cl->rung, until);
    cl->rung = false;
}

void js_pause(struct js_client *cl, uint64_t ns) {
    uint64_t until = sim_now(cl->w->sim) + ns;
    while (!cl->lost && sim_now(cl->w->sim) < until) js_wait(cl, until);
}

static void client_main(void *arg) {
    struct js_client *cl = arg;
    struct js_world *w = cl->w;
    if (!cl->lost) {
        cl->opened = sim_client_open(&cl->conn, w->sim, (uint16_t)mg_server_port(w->server), &ops, cl, cl->serial);
        sim_check(cl->opened || w->stopping, "nobody listens");
        cl->lost = !cl->opened;
        while (!cl->ready && !cl->lost) js_wait(cl, MG_NEVER);
        if (!cl->lost) cl->script(cl);
        if (cl->opened) sim_client_free(&cl->conn);
        cl->opened = false;
    }
    w->running--;
}

void js_client_start(struct js_world *w, struct js_client *cl, void (*script)(struct js_client *cl), const char *name) {
    *cl = (struct js_client){.w = w, .serial = ++w->serials, .script = script, .actions = cl->actions};
    mg_list_init(&cl->calls);
    w->running++;
    sim_spawn(w->sim, name, client_main, cl);
}

void js_client_lose(struct js_client *cl) {
    if (cl->opened) sim_client_close(&cl->conn, true);
    cl->lost = true;
    ring(cl);
}

// ---- requests ------------------------------------------------------------------------------------------------------

static void publish(struct js_client *cl, const char *subject, const char *reply, const char *headers,
                    const char *body) {
    size_t n = strlen(body), h = headers[0] ? strlen(headers) + 12 : 0;
    if (h) sim_client_send(&cl->conn, "HPUB %s %s%s%zu %zu\r\n", subject, reply, reply[0] ? " " : "", h, h + n);
    else sim_client_send(&cl->conn, "PUB %s %s%s%zu\r\n", subject, reply, reply[0] ? " " : "", n);
    if (cl->conn.state == SIM_CLIENT_GONE) return;
    if (h) {
        mg_buf_adds(&cl->conn.out, "NATS/1.0\r\n");
        mg_buf_adds(&cl->conn.out, headers);
        mg_buf_adds(&cl->conn.out, "\r\n");
    }
    mg_buf_adds(&cl->conn.out, body);
    mg_buf_adds(&cl->conn.out, "\r\n");
    sim_trace("client %u:   %s", cl->serial, body);
}

void js_begin(struct js_client *cl, struct js_call *c, const char *subject, const char *headers, const char *body) {
    char reply[40];
    void (*came)(struct js_call *, const struct sim_msg *) = c->came;
    *c = (struct js_call){.cl = cl, .id = ++cl->next_call, .sent = js_tick(&cl->w->model), .came = came, .arg = c->arg,
                          .own = c->own, .header = MG_BUF_INIT, .body = MG_BUF_INIT};
    snprintf(reply, sizeof(reply), "_%c.%u.%llu", c->own ? 'P' : 'I', cl->serial, (unsigned long long)c->id);
    mg_list_push_back(&cl->calls, &c->link);
    if (c->own) sim_client_send(&cl->conn, "SUB %s %llu\r\n", reply, (unsigned long long)(OWN + c->id));
    publish(cl, subject, reply, headers, body);
}

bool js_await(struct js_call *c, uint64_t ns) {
    uint64_t until = sim_now(c->cl->w->sim) + ns;
    while (!c->done && !c->cl->lost && sim_now(c->cl->w->sim) < until) js_wait(c->cl, until);
    return c->done;
}

void js_end(struct js_call *c) {
    if (c->own) sim_client_send(&c->cl->conn, "UNSUB %llu\r\n", (unsigned long long)(OWN + c->id));
    mg_list_remove(&c->link);
    mg_buf_fini(&c->header);
    mg_buf_fini(&c->body);
}

bool js_ask(struct js_client *cl, struct js_call *c, const char *subject, const char *body) {
    *c = (struct js_call){.came = NULL};
    js_begin(cl, c, subject, "", body);
    bool done = js_await(c, PATIENCE);
    sim_check(done || cl->lost, "nobody answers %s", subject);
    if (done) sim_trace("client %u: %s -> %s", cl->serial, subject, js_body(c));
    return done;
}

void js_tell(struct js_client *cl, const char *subject, const char *body) { publish(cl, subject, "", "", body); }

bool js_fence(struct js_client *cl) {
    uint64_t until = sim_now(cl->w->sim) + PATIENCE;
    while (cl->pinged && !cl->lost) js_wait(cl, until);
    if (cl->lost) return false;
    uint64_t mine = cl->pinged = js_tick(&cl->w->model);
    sim_client_ping(&cl->conn);
    while (cl->fence < mine && !cl->lost) {
        js_wait(cl, until);
        sim_check(sim_now(cl->w->sim) < until, "a ping is not answered");
    }
    return !cl->lost;
}

// ---- answers -------------------------------------------------------------------------------------------------------

bool js_number(const struct mg_buf *body, const char *at, const char *key, uint64_t *out) {
    char quoted[48];
    const char *p = body->len ? body->p : "";
    snprintf(quoted, sizeof(quoted), "\"%s\":", at);
    if (at[0]) p = strstr(p, quoted);
    snprintf(quoted, sizeof(quoted), "\"%s\":", key);
    if (p) p = strstr(p, quoted);
    if (p == NULL) return false;
    char *end;
    *out = strtoull(p + strlen(quoted), &end, 10);
    return end != p + strlen(quoted);
}

unsigned js_error(const struct mg_buf *body) {
    uint64_t code;
    return js_number(body, "error", "err_code", &code) ? (unsigned)code : 0;
}
