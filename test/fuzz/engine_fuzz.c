// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A hostile server and a caller that does everything in any order. The input is a program: a letter says what happens
// next, what follows are its arguments; see `act`. After each step the invariants of the engine must hold, and what it
// writes must be commands.
#include "client/core/internal.h"

#include <stdlib.h>

enum { RECV = 512, SEND = 512, SUBS = 5, REQUESTS = 5, FLUSHES = 4 };

struct world {
    midge m;
    const uint8_t *p, *end;
    uint8_t *recv, *send; // on the heap, where the sanitizer sees each byte
    midge_sub subs[SUBS];
    midge_request_slot requests[REQUESTS];
    midge_flush_op flushes[FLUSHES];
    bool flushing[FLUSHES];
    char gossip[40];
    int32_t handles[8];
    uint32_t now;
    unsigned open_requests, events, depth;
    bool transport, closed;
    uint8_t larger[2][2048], payload[1024];
};

static void must(bool good) {
    if (!good) abort();
}

static uint8_t take(struct world *w) { return w->p < w->end ? *w->p++ : 0; }

// Up to the next line end, which is not part of it.
static midge_str take_text(struct world *w) {
    const uint8_t *from = w->p;
    while (w->p < w->end && *w->p != '\n') w->p++;
    midge_str s = {(const char *)from, (size_t)(w->p - from)};
    if (w->p < w->end) w->p++;
    return s;
}

static void inside(const struct world *w, midge_str s) {
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < s.n; i++) sum = (uint8_t)(sum + (uint8_t)s.p[i]); // the sanitizer looks
    (void)w;
}

static void api(struct world *w, uint8_t what);

static void in_callback(struct world *w) {
    if (w->depth >= 3 || w->p >= w->end || *w->p < 'A' || *w->p > 'Z') return;
    w->depth++;
    api(w, (uint8_t)(take(w) | 32));
    w->depth--;
}

static void on_event(midge *m, const midge_event *e, void *user) {
    struct world *w = user;
    must(m == &w->m && !w->closed);
    inside(w, e->text);
    inside(w, e->subject);
    if (e->type == MIDGE_EVENT_CLOSED) {
        w->closed = true;
        must(w->open_requests == 0);
        for (size_t i = 0; i < FLUSHES; i++) must(!w->flushing[i]);
    }
    if (e->type == MIDGE_EVENT_TOO_LARGE && m->config.recv_size < 2048 && (w->events++ & 1))
        must(midge_replace_recv_buf(m, w->larger[0], 2048) == 0);
    in_callback(w);
}

static void on_msg(midge *m, const midge_msg *msg, void *user) {
    struct world *w = user;
    midge_str name, value;
    must(m == &w->m && !w->closed);
    inside(w, msg->subject);
    inside(w, msg->reply);
    inside(w, msg->headers);
    inside(w, msg->data);
    for (size_t pos = 0; midge_headers_next(msg->headers, &pos, &name, &value);) inside(w, value);
    inside(w, midge_headers_description(msg->headers));
    in_callback(w);
    if (!w->closed && msg->data.n == 1) midge_respond(m, msg, "x", 1);
}

static void on_reply(midge *m, int err, const midge_msg *msg, void *user) {
    struct world *w = user;
    must(m == &w->m && !w->closed && (err == 0 || !msg));
    if (msg) inside(w, msg->data);
    must(w->open_requests >= m->requests_open);
    w->open_requests = m->requests_open; // has it ended, it is not counted any more
    in_callback(w);
}

static void on_flush(midge *m, int err, uint32_t rtt_ms, void *user) {
    bool *flushing = user;
    (void)m, (void)err, (void)rtt_ms;
    must(*flushing);
    *flushing = false;
}

static int sign(void *ctx, const void *nonce, size_t n, uint8_t signature[64]) {
    inside(ctx, (midge_str){nonce, n});
    memset(signature, 7, 64);
    return n % 7 ? 0 : MIDGE_ESIGN;
}

static void ask(struct world *w) {
    uint8_t how = take(w);
    midge_request_opts opts = {.timeout = how * 10u, .stall = how & 1 ? 20 : 0, .max_replies = how & 3};
    opts.sentinel = how & 4;
    if (how & 8) opts.max_replies = 0xffff;
    int32_t id = midge_request(&w->m, MIDGE_STR("q"), MIDGE_NONE, w->payload, how, &opts, on_reply, w);
    if (id > 0) w->open_requests++, w->handles[how & 7] = id;
}

static void flush(struct world *w) {
    size_t i = take(w) % FLUSHES;
    if (w->flushing[i]) return;
    w->flushing[i] = true;
    if (midge_flush(&w->m, &w->flushes[i], take(w), on_flush, &w->flushing[i])) w->flushing[i] = false;
}

static void api(struct world *w, uint8_t what) {
    static const midge_str subjects[] = {{"a", 1}, {"b.*", 3}, {"c.>", 3}, {">", 1}, {"d..", 3}, {"", 0}};
    static const midge_str block = {"NATS/1.0\r\n\r\n", 12};
    midge *m = &w->m;
    uint8_t n;
    switch (what) {
    case 'p': n = take(w), midge_publish(m, subjects[n % 6], w->payload, n * 3u); break;
    case 'h': n = take(w), midge_publish_full(m, subjects[0], subjects[n % 6], block, NULL, 0); break;
    case 's':
        n = take(w);
        w->handles[n & 7] = midge_subscribe(m, subjects[n % 6], subjects[n / 6 % 6], on_msg, w);
        break;
    case 'u': n = take(w), midge_unsubscribe(m, w->handles[n & 7], n >> 3); break;
    case 'd': n = take(w), midge_drain_sub(m, w->handles[n & 7]); break;
    case 'r': ask(w); break;
    case 'x':
        n = take(w);
        if (midge_request_cancel(m, w->handles[n & 7]) == 0) w->open_requests--;
        break;
    case 'f': flush(w); break;
    case 'e':
        if (take(w) == 1) midge_drain(m);
        break;
    case 'c':
        if (take(w) == 1) midge_close(m);
        break;
    case 'l':
        if (m->config.send_size < 2048 && take(w) == 1) must(midge_replace_send_buf(m, w->larger[1], 2048) == 0);
        break;
    default: break;
    }
}

static void write_some(struct world *w, size_t most) {
    size_t n;
    const uint8_t *p = midge_send_buf(&w->m, &n);
    if (n > most) n = most;
    inside(w, (midge_str){(const char *)p, n});
    midge_send_ack(&w->m, n);
}

static void read_some(struct world *w, midge_str s, bool line) {
    for (size_t i = 0; i < s.n + 2 * line;) {
        size_t room;
        uint8_t *p = midge_recv_buf(&w->m, &room);
        size_t n = 0;
        for (; n < room && i < s.n + 2 * line; n++, i++) p[n] = (uint8_t)(i < s.n ? s.p[i] : "\r\n"[i - s.n]);
        midge_recv_ack(&w->m, n);
        if (!n) return;
    }
}

static void port(struct world *w) {
    w->now += take(w) * 4u;
    midge_tick(&w->m, w->now);
    switch (midge_want(&w->m)) {
    case MIDGE_WANT_CONNECT: inside(w, midge_server_now(&w->m).host), midge_connected(&w->m); break;
    case MIDGE_WANT_TLS: midge_tls_done(&w->m); break;
    case MIDGE_WANT_CLOSE: midge_disconnected(&w->m, 0); break;
    case MIDGE_WANT_NONE: break;
    }
}

static void act(struct world *w) {
    static const char info[] = "INFO {\"headers\":true,\"nonce\":\"abcd\",\"max_payload\":300}";
    uint8_t what = take(w);
    switch (what) {
    case 't': port(w); break;
    case 'w': write_some(w, take(w)); break;
    case 'W': write_some(w, SIZE_MAX); break;
    case '<': read_some(w, take_text(w), true); break;
    case '-': read_some(w, take_text(w), false); break;
    case 'i': read_some(w, (midge_str){info, sizeof(info) - 1}, true); break;
    case 'o': read_some(w, MIDGE_STR("PONG"), true); break;
    case 'z': midge_disconnected(&w->m, take(w) % 3 ? MIDGE_ECONNECT : 0); break;
    case '!': // a whole handshake
        port(w), port(w), read_some(w, (midge_str){info, sizeof(info) - 1}, true), write_some(w, SIZE_MAX);
        read_some(w, MIDGE_STR("PONG"), true);
        break;
    default: api(w, what);
    }
}

static void check_output(const midge *m) {
    const uint8_t *p = m->config.send_buf;
    must(m->send_base <= m->send_at && m->send_at <= m->send_end && m->send_end <= m->config.send_size);
    size_t at = m->send_base;
    while (at < m->send_end) {
        const uint8_t *end = memchr(p + at, '\n', m->send_end - at);
        must(end && end > p + at && end[-1] == '\r');
        size_t n = (size_t)(end - p) + 1 - at;
        bool pub = memcmp(p + at, "PUB ", 4) == 0 || memcmp(p + at, "HPUB ", 5) == 0;
        must(pub || memcmp(p + at, "SUB ", 4) == 0 || memcmp(p + at, "UNSUB ", 6) == 0 ||
             memcmp(p + at, "PING\r", 5) == 0 || memcmp(p + at, "PONG\r", 5) == 0);
        must(pub || m->phase == MGC_UP);
        if (pub) n += (size_t)strtoul((const char *)memrchr(p + at, ' ', n), NULL, 10) + 2;
        must(n <= m->send_end - at && p[at + n - 1] == '\n');
        at += n;
    }
}

static void check(const midge *m) {
    uint32_t owed = 0, unsubs = 0, draining = 0, open = 0, used = 0;
    must(m->recv_at <= m->recv_scan && m->recv_scan <= m->recv_end && m->recv_end <= m->config.recv_size);
    must(m->aside_n == 0 || (m->recv_end <= m->aside_at && m->aside_at + m->aside_n <= m->config.recv_size));
    check_output(m);
    for (uint32_t i = 0; i < m->subs_used; i++) {
        const midge_sub *s = &m->config.subs[i];
        if (!(s->flags & MGC_SUB_USED)) continue;
        used++;
        must(((uint32_t)s->handle & MGC_HANDLE_MASK) == i + 1);
        owed += (s->flags & MGC_SUB_OWED) != 0;
        draining += (s->flags & MGC_SUB_DRAIN) != 0;
        unsubs += (s->flags & (MGC_SUB_GONE | MGC_SUB_LIMIT)) || ((s->flags & MGC_SUB_DRAIN) && !s->mark);
        must(!s->max || s->before + s->received < s->max);
    }
    must(owed == m->subs_owed && draining == m->subs_draining && unsubs == m->unsubs_owed);
    for (uint32_t i = m->subs_free; i != MGC_NONE; i = m->config.subs[i].mark) used++;
    must(used == m->subs_used);
    for (uint32_t i = 0; i < m->requests_used; i++) open += m->config.requests[i].flags != 0;
    must(open == m->requests_open);
    for (uint32_t i = 1; i < open; i++) {
        const midge_request_slot *t = m->config.requests;
        must((int32_t)(t[t[i].link[0]].deadline - t[t[(i - 1) / 2].link[0]].deadline) >= 0);
        must(t[t[i].link[0]].link[1] == i);
    }
    must(m->gossip_end <= m->config.gossip_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const midge_server servers[] = {{{"a", 1}, 1, false, {NULL, 0}}, {{"b", 1}, 2, false, {NULL, 0}}};
    if (size < 2 || size > 4096) return 0;
    struct world *w = calloc(1, sizeof(*w));
    must(w != NULL);
    w->p = data + 1;
    w->end = data + size;
    w->recv = malloc(RECV);
    w->send = malloc(SEND);
    midge_config c = {.recv_buf = w->recv,
                      .recv_size = RECV,
                      .send_buf = w->send,
                      .send_size = SEND,
                      .subs = w->subs,
                      .subs_len = SUBS,
                      .requests = w->requests,
                      .requests_len = REQUESTS,
                      .gossip_buf = w->gossip,
                      .gossip_size = sizeof(w->gossip),
                      .servers = servers,
                      .servers_len = 2,
                      .no_randomize = true,
                      .tls_available = true,
                      .tls_first = data[0] & 1,
                      .pending = data[0] & 2 ? MIDGE_PENDING_DROP_OLDEST : MIDGE_PENDING_REFUSE,
                      .retry_first = data[0] & 4,
                      .max_reconnects = data[0] & 8 ? 2 : 0,
                      .ping_interval = 300,
                      .nkey = MIDGE_STR("U"),
                      .sign = sign,
                      .sign_ctx = w,
                      .seed = data[0],
                      .on_event = on_event,
                      .user_data = w};
    must(midge_init(&w->m, &c) == 0);
    while (w->p < w->end) {
        act(w);
        check(&w->m);
    }
    midge_close(&w->m);
    must(w->closed && w->m.requests_open == 0);
    free(w->recv);
    free(w->send);
    free(w);
    return 0;
}
