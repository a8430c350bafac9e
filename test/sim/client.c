// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/sim/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

// ---- sending ------------------------------------------------------------------------------------------------------

void sim_client_send(struct sim_client *c, const char *fmt, ...) {
    if (c->state == SIM_CLIENT_GONE) return;
    size_t before = c->out.len;
    va_list ap;
    va_start(ap, fmt);
    char line[512];
    int n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    mg_assert(n >= 0 && (size_t)n < sizeof(line));
    mg_buf_add(&c->out, line, (size_t)n);
    sim_trace("client %u sends %.*s", c->id, (int)(n < 100 ? n : 100), c->out.p + before);
}

void sim_client_ping(struct sim_client *c) {
    c->pings++;
    sim_client_send(c, "PING\r\n");
}

void sim_client_at(struct sim_client *c, uint64_t at) { c->turn_at = at; }
void sim_client_stall(struct sim_client *c, uint64_t ns) { c->stalled_until = sim_now(c->sim) + ns; }

// ---- receiving ----------------------------------------------------------------------------------------------------

static bool starts(mg_slice line, const char *with) {
    size_t n = strlen(with);
    return line.n >= n && memcmp(line.p, with, n) == 0;
}

static _Noreturn void bad(const struct sim_client *c, mg_slice line) {
    sim_fail("client %u in state %d got: %.*s", c->id, (int)c->state, (int)(line.n < 200 ? line.n : 200), line.p);
}

static void on_info(struct sim_client *c, mg_slice line) {
    if (!starts(line, "INFO {\"server_id\":") || line.n < 20 || memcmp(line.p + line.n - 2, "} ", 2) != 0) bad(c, line);
    if (c->state == SIM_CLIENT_INFO) {
        c->state = SIM_CLIENT_FIRST_PONG;
        sim_client_send(c, "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true,"
                        "\"protocol\":%d,\"name\":\"c%u\"}\r\nPING\r\n", c->protocol, c->id);
    } else if (c->state == SIM_CLIENT_SECOND_INFO) {
        c->state = SIM_CLIENT_OPEN;
        c->ops->ready(c);
    } else if (c->protocol == 0) {
        bad(c, line); // spec/client-protocol.md A2: async INFO needs protocol 1
    }
}

static void on_pong(struct sim_client *c, mg_slice line) {
    if (c->state == SIM_CLIENT_FIRST_PONG) {
        c->state = c->protocol ? SIM_CLIENT_SECOND_INFO : SIM_CLIENT_OPEN;
        if (c->state == SIM_CLIENT_OPEN) c->ops->ready(c);
    } else if (c->state == SIM_CLIENT_OPEN && c->pings > 0) {
        c->pings--;
        c->ops->pong(c);
    } else {
        bad(c, line);
    }
}

static size_t number(const struct sim_client *c, mg_slice line, mg_slice word) {
    size_t v = 0;
    if (word.n == 0 || word.n > 9) bad(c, line);
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] < '0' || word.p[i] > '9') bad(c, line);
        v = v * 10 + (size_t)(word.p[i] - '0');
    }
    return v;
}

// Words of a line, each separated by one blank. At most max.
static int split(mg_slice line, mg_slice *words, int max) {
    int n = 0;
    for (size_t i = 0; n < max;) {
        size_t begin = i;
        while (i < line.n && line.p[i] != ' ') i++;
        words[n++] = (mg_slice){line.p + begin, i - begin};
        if (i++ >= line.n) break;
    }
    return n;
}

// MSG <subject> <sid> [reply] <#bytes> or HMSG <subject> <sid> [reply] <#hdr> <#total>. `rest` begins after the line.
// Returns the bytes of rest that belong to it, 0 when they have not all come.
static size_t on_msg(struct sim_client *c, mg_slice line, mg_slice rest) {
    mg_slice w[8];
    int n = split(line, w, 8), hdr = line.p[0] == 'H';
    if (c->state != SIM_CLIENT_OPEN || (n != 4 + hdr && n != 5 + hdr)) bad(c, line);
    size_t total = number(c, line, w[n - 1]), head = hdr ? number(c, line, w[n - 2]) : 0;
    if (head > total || w[1].n == 0 || w[2].n == 0) bad(c, line);
    if (rest.n < total + 2) return 0;
    if (memcmp(rest.p + total, "\r\n", 2) != 0) sim_fail("client %u: a payload does not end in CRLF", c->id);
    struct sim_msg m = {.subject = w[1], .sid = w[2], .header = {rest.p, head}};
    m.payload = (mg_slice){rest.p + head, total - head};
    if (n == 5 + hdr) m.reply = w[3];
    sim_trace("client %u gets %.*s: %.*s", c->id, (int)line.n, line.p, (int)(m.payload.n < 12 ? m.payload.n : 12),
              m.payload.p);
    c->ops->msg(c, &m);
    return total + 2;
}

// Handles what stands at the beginning of p. Returns the bytes used; 0: more must come.
static size_t parse_one(struct sim_client *c, mg_slice p) {
    const char *end = memchr(p.p, '\n', p.n);
    if (end == NULL) return 0;
    size_t used = (size_t)(end - p.p) + 1;
    if (used < 2 || end[-1] != '\r') bad(c, p);
    mg_slice line = {p.p, used - 2};
    if (starts(line, "MSG ") || starts(line, "HMSG ")) {
        size_t more = on_msg(c, line, (mg_slice){p.p + used, p.n - used});
        return more ? used + more : 0;
    }
    sim_trace("client %u gets %.*s", c->id, (int)(line.n < 60 ? line.n : 60), line.p);
    if (starts(line, "INFO ")) on_info(c, line);
    else if (mg_slice_eq(line, MG_S("PONG"))) on_pong(c, line);
    else if (mg_slice_eq(line, MG_S("PING")) && c->state != SIM_CLIENT_INFO && c->state != SIM_CLIENT_FIRST_PONG)
        sim_client_send(c, "PONG\r\n");
    else if (starts(line, "-ERR '") && line.p[line.n - 1] == '\'') c->ops->err(c, line);
    else bad(c, line);
    return used;
}

static void gone(struct sim_client *c) {
    sim_trace("client %u is closed", c->id);
    sim_client_close(c, false);
    c->ops->closed(c);
}

static void read_some(struct sim_client *c) {
    char bytes[4096];
    size_t most = sim_chance(c->sim, 64) ? 1 + sim_below(c->sim, 30) : sizeof(bytes);
    ptrdiff_t n = sim_conn_read(c->conn, bytes, most);
    if (n == MG_EAGAIN) return;
    if (n < 0) {
        gone(c);
        return;
    }
    mg_buf_add(&c->in, bytes, (size_t)n);
    size_t at = 0;
    while (at < c->in.len && c->state != SIM_CLIENT_GONE) {
        size_t used = parse_one(c, (mg_slice){c->in.p + at, c->in.len - at});
        if (used == 0) break;
        at += used;
    }
    memmove(c->in.p, c->in.p + at, c->in.len - at);
    c->in.len -= at;
}

static void write_some(struct sim_client *c) {
    size_t n = c->out.len - c->written;
    if (sim_chance(c->sim, 64)) n = 1 + sim_below(c->sim, n);
    ptrdiff_t put = sim_conn_write(c->conn, c->out.p + c->written, n);
    if (put == MG_EAGAIN) return;
    if (put < 0) { // what the server sent before it closed may still be there to read
        c->written = c->out.len;
        return;
    }
    c->written += (size_t)put;
    if (c->written == c->out.len) c->written = c->out.len = 0;
}

// ---- the actor ----------------------------------------------------------------------------------------------------

static bool can_read(const struct sim_client *c) {
    return c->conn && c->stalled_until <= sim_now(c->sim) && sim_conn_readable(c->conn);
}
static bool can_write(const struct sim_client *c) {
    return c->conn && c->written < c->out.len && sim_conn_writable(c->conn);
}

static bool is_ready(struct sim_actor *a) {
    struct sim_client *c = mg_container_of(a, struct sim_client, actor);
    a->at = c->turn_at;
    if (c->stalled_until > sim_now(c->sim) && c->stalled_until < a->at) a->at = c->stalled_until;
    return c->turn_at <= sim_now(c->sim) || can_read(c) || can_write(c);
}

static void step(struct sim_actor *a) {
    struct sim_client *c = mg_container_of(a, struct sim_client, actor);
    bool turn = c->turn_at <= sim_now(c->sim), r = can_read(c), w = can_write(c);
    unsigned n = (unsigned)turn + r + w;
    a->at = MG_NEVER;
    if (n == 0) return;
    uint64_t pick = sim_below(c->sim, n);
    if (turn && pick-- == 0) {
        c->turn_at = MG_NEVER;
        c->ops->turn(c);
    } else if (r && pick-- == 0) {
        read_some(c);
    } else {
        write_some(c);
    }
}

bool sim_client_open(struct sim_client *c, struct sim *s, uint16_t port, const struct sim_client_ops *ops, void *owner,
                     unsigned id) {
    memset(c, 0, sizeof(*c));
    mg_list_init(&c->actor.link);
    c->conn = sim_connect(s, port);
    if (c->conn == NULL) return false;
    c->sim = s;
    c->ops = ops;
    c->owner = owner;
    c->id = id;
    c->protocol = (int)sim_below(s, 2);
    c->turn_at = c->actor.at = MG_NEVER;
    c->actor.ready = is_ready;
    c->actor.step = step;
    sim_actor_add(s, &c->actor);
    return true;
}

void sim_client_close(struct sim_client *c, bool reset) {
    if (c->conn) sim_conn_close(c->conn, reset);
    c->conn = NULL;
    c->state = SIM_CLIENT_GONE;
}

void sim_client_free(struct sim_client *c) {
    sim_client_close(c, true);
    sim_actor_remove(c->sim, &c->actor);
    mg_buf_fini(&c->out);
    mg_buf_fini(&c->in);
}
