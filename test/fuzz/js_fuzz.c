// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// JetStream and key-value for devices against a server that says anything. The input is a program: a letter says what
// happens next, what follows are its arguments; see `act`. The server knows the inboxes, so what it says gets to the
// operations: texts are answers, acknowledgements, statuses and messages of a consumer. A '|' in a text is a line end.
//
// Each operation has memory of its own that is freed in its last callback, so the sanitizer sees whatever is touched
// later; at the end each has had one.
#include "client/core/internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { OPS = 6, INBOXES = 8, BUF = 2048, TEXT = 700 };

enum kind { PUBLISH, GET, PULL, KV_GET, KV_WRITE, WATCH, ACK };

struct op {
    struct world *w;
    enum kind kind;
    int32_t request; // of ACK
    union {
        midge_js_pub pub;
        midge_js_get get;
        midge_js_pull pull;
        midge_kv_get_op kv_get;
        midge_kv_write write;
        midge_kv_watch watch;
    };
};

struct world {
    midge m;
    midge_js js;
    midge_kv kv;
    const uint8_t *p, *end;
    uint8_t *recv, *send;
    char text[TEXT];
    midge_sub subs[OPS + 1];
    midge_request_slot requests[OPS];
    struct op *ops[OPS];
    char inbox[INBOXES][MIDGE_INBOX_MAX]; // the newest reply subjects
    uint32_t inboxes, now, depth;
};

static void must(bool good) {
    if (!good) abort();
}

static uint8_t take(struct world *w) { return w->p < w->end ? *w->p++ : 0; }

static midge_str take_text(struct world *w) {
    const uint8_t *from = w->p;
    while (w->p < w->end && *w->p != '\n') w->p++;
    midge_str s = {(const char *)from, (size_t)(w->p - from)};
    if (w->p < w->end) w->p++;
    return s;
}

static void inside(midge_str s) {
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < s.n; i++) sum = (uint8_t)(sum + (uint8_t)s.p[i]); // the sanitizer looks
}

// ---- operations -----------------------------------------------------------------------------------------------------

static void api(struct world *w, uint8_t what);

static void forget(struct op *op) {
    for (size_t i = 0; i < OPS; i++)
        if (op->w->ops[i] == op) op->w->ops[i] = NULL;
    free(op);
}

// A callback: the last one frees. Anything may be done in it, also what ends and frees the operation itself.
static void called(struct op *op, bool last) {
    struct world *w = op->w;
    if (last) forget(op);
    if (w->depth >= 2 || w->p >= w->end || *w->p < 'A' || *w->p > 'Z') return;
    w->depth++;
    api(w, (uint8_t)(take(w) | 32));
    w->depth--;
}

static void on_ack(midge_js *js, int err, const midge_js_reply *reply, void *user) {
    (void)js, (void)err;
    if (reply) inside(reply->stream), inside(reply->domain), inside(reply->description);
    called(user, true);
}

static void on_get(midge_js_get *get, int err, const midge_js_stored *msg, void *user) {
    (void)get;
    must((err == 0) == (msg != NULL));
    if (msg) inside(msg->subject), inside(msg->headers), inside(msg->data);
    called(user, true);
}

static void on_entry(const midge_kv *kv, int err, const midge_kv_entry *e, void *user) {
    (void)kv;
    must(err != 0 || (e && e->operation == MIDGE_KV_PUT));
    if (e) inside(e->key), inside(e->value), inside(e->headers);
    called(user, true);
}

static void on_write(const midge_kv *kv, int err, uint64_t revision, void *user) {
    (void)kv;
    must(err == 0 || revision == 0);
    called(user, true);
}

static void on_ack_sync(midge *m, int err, const midge_msg *msg, void *user) {
    (void)m;
    must((err == 0) == (msg != NULL));
    called(user, true);
}

static void on_pull(midge_js_pull *pull, const midge_msg *msg, int err, midge_str text, void *user) {
    struct op *op = user;
    midge_js_meta meta;
    inside(text);
    if (msg) {
        must(pull->active && err == 0);
        inside(msg->subject), inside(msg->headers), inside(msg->data);
        if (midge_js_meta_parse(msg->reply, &meta) == 0) inside(meta.stream), inside(meta.consumer);
        if (msg->reply.n) midge_js_ack(&op->w->m, msg->reply);
    } else {
        must(err != 0 || !pull->active);
    }
    called(op, !msg && !pull->active);
}

static void on_watch(midge_kv_watch *watch, const midge_kv_entry *e, int err, void *user) {
    must(e == NULL || (watch->active && err == 0));
    if (e) inside(e->key), inside(e->value), inside(e->headers);
    called(user, !watch->active);
}

static int start_write(struct op *op, uint8_t how) {
    const midge_kv *kv = &op->w->kv;
    op->write = (midge_kv_write){.key = how & 64 ? MIDGE_STR("a.b") : MIDGE_STR("k"), .value = "value", .len = how & 3,
                                 .revision = how & 4 ? 7 : 0};
    switch (how >> 3 & 7) {
    case 0: return midge_kv_put(kv, &op->write, on_write, op);
    case 1: return midge_kv_update(kv, &op->write, on_write, op);
    case 2: return midge_kv_delete(kv, &op->write, on_write, op);
    case 3: return midge_kv_purge(kv, &op->write, on_write, op);
    default: return midge_kv_create(kv, &op->write, on_write, op);
    }
}

static int start_pull(struct op *op, uint8_t how) {
    op->pull = (midge_js_pull){.stream = MIDGE_STR("S"), .consumer = MIDGE_STR("C"), .batch = how >> 2 & 3,
                               .max_bytes = how & 16 ? 100 : 0, .heartbeat = how & 32 ? 50 : 0, .expires = 200,
                               .no_wait = how & 64};
    return how & 2 ? midge_js_consume(&op->w->js, &op->pull, on_pull, op)
                   : midge_js_fetch(&op->w->js, &op->pull, on_pull, op);
}

static int start_watch(struct op *op, uint8_t how) {
    static const char *const patterns[] = {NULL, "k", "a.*", "a..b"};
    op->watch = (midge_kv_watch){.pattern = midge_cstr(patterns[how & 3]), .history = how & 4, .updates_only = how & 8,
                                 .ignore_deletes = how & 16, .meta_only = how & 32, .from_revision = how & 64 ? 5 : 0};
    return midge_kv_watch_start(&op->w->kv, &op->watch, on_watch, op);
}

static int start_op(struct op *op, uint8_t how) {
    struct world *w = op->w;
    switch (op->kind) {
    case PUBLISH:
        op->pub = (midge_js_pub){.subject = MIDGE_STR("s"), .data = "data", .len = how & 3,
                                 .retry_wait = how & 16 ? 20 : 0, .msg_id = how & 4 ? MIDGE_STR("id") : MIDGE_NONE,
                                 .expect = how >> 5 & 3};
        return midge_js_publish(&w->js, &op->pub, on_ack, op);
    case GET:
        op->get = (midge_js_get){.stream = MIDGE_STR("S"), .subject = MIDGE_STR("s"), .seq = how & 1 ? 3 : 0};
        return midge_js_get_msg(&w->js, &op->get, on_get, op);
    case KV_GET:
        op->kv_get = (midge_kv_get_op){.key = MIDGE_STR("k"), .revision = how & 1 ? 4 : 0};
        return midge_kv_get(&w->kv, &op->kv_get, on_entry, op);
    case PULL: return start_pull(op, how);
    case KV_WRITE: return start_write(op, how);
    case WATCH: return start_watch(op, how);
    case ACK: break;
    }
    op->request = midge_js_ack_sync(&w->js, MIDGE_STR("$JS.ACK.S.C.1.2.3.4.5"), on_ack_sync, op);
    return op->request > 0 ? 0 : op->request;
}

static void begin(struct world *w, enum kind kind) {
    size_t i = 0;
    uint8_t how = take(w);
    while (i < OPS && w->ops[i]) i++;
    struct op *op = i < OPS ? calloc(1, sizeof(*op)) : NULL;
    if (!op) return;
    *op = (struct op){.w = w, .kind = kind};
    w->ops[i] = op;
    if (start_op(op, how) != 0) forget(op);
}

static void stop(struct world *w) {
    struct op *op = w->ops[take(w) % OPS];
    if (!op) return;
    switch (op->kind) {
    case PUBLISH: midge_js_publish_cancel(&op->pub); break;
    case PULL: midge_js_stop(&op->pull); break;
    case WATCH: midge_kv_watch_stop(&op->watch); break;
    default: return;
    }
    forget(op);
}

static void api(struct world *w, uint8_t what) {
    switch (what) {
    case 'p': begin(w, PUBLISH); break;
    case 'g': begin(w, GET); break;
    case 'f': begin(w, PULL); break;
    case 'k': begin(w, KV_GET); break;
    case 'u': begin(w, KV_WRITE); break;
    case 'w': begin(w, WATCH); break;
    case 'a': begin(w, ACK); break;
    case 'x': stop(w); break;
    case 'n': midge_js_nak(&w->m, MIDGE_STR("r"), take(w)); break;
    case 't': midge_js_term(&w->m, MIDGE_STR("r"), MIDGE_STR("why")); break;
    case 'e':
        if (take(w) == 1) midge_drain(&w->m);
        break;
    case 'c':
        if (take(w) == 1) midge_close(&w->m);
        break;
    default: break;
    }
}

// ---- the server -----------------------------------------------------------------------------------------------------

// Remembers the inboxes in what the client writes.
static void heard(struct world *w, const char *p, size_t n) {
    for (size_t i = 0; i + 7 < n; i++) {
        if (memcmp(p + i, "_INBOX.", 7) != 0) continue;
        char *to = w->inbox[w->inboxes++ % INBOXES];
        size_t k = 0;
        for (; i < n && k + 1 < MIDGE_INBOX_MAX && p[i] > ' ' && p[i] != '"' && p[i] != '*'; i++) to[k++] = p[i];
        to[k] = '\0';
    }
}

static void writes(struct world *w) {
    size_t n;
    const void *p;
    while (p = midge_send_buf(&w->m, &n), n > 0) {
        heard(w, p, n);
        midge_send_ack(&w->m, n);
    }
}

static void reads(struct world *w, const char *s, size_t left) {
    while (left > 0) {
        size_t room;
        void *p = midge_recv_buf(&w->m, &room);
        if (room > left) room = left;
        if (room == 0) return;
        memcpy(p, s, room);
        midge_recv_ack(&w->m, room);
        s += room;
        left -= room;
    }
}

// A message to an inbox or with a subject of its own, for each subscription that there is.
static void says(struct world *w, bool to_inbox, midge_str headers, midge_str data) {
    static const char *const subjects[] = {"s", "$KV.B.k", "$KV.B.a.b", "$KV."};
    uint8_t which = take(w);
    const char *subject = to_inbox ? w->inbox[which % INBOXES] : subjects[which & 3];
    char line[1024], ack[96];
    if (subject[0] == '\0') return;
    int n = snprintf(ack, sizeof(ack), "$JS.ACK.S.C.1.%u.%u.1700000000000000000.%u", take(w), which >> 6,
                     which >> 2 & 3);
    must(n > 0);
    for (uint32_t i = 0; i < w->m.subs_used && w->m.phase == MGC_UP; i++) {
        size_t total = headers.n + data.n;
        n = headers.n ? snprintf(line, sizeof(line), "HMSG %s %d %s %zu %zu\r\n", subject, w->subs[i].handle,
                                 which & 16 ? ack : "", headers.n, total)
                      : snprintf(line, sizeof(line), "MSG %s %d %s %zu\r\n", subject, w->subs[i].handle,
                                 which & 16 ? ack : "", total);
        reads(w, line, (size_t)n);
        reads(w, headers.p, headers.n);
        reads(w, data.p, data.n);
        reads(w, "\r\n", 2);
    }
}

// "NATS/1.0" and the text, whose '|' are line ends.
static midge_str block(midge_str text, char *out) {
    size_t n = 8;
    memcpy(out, "NATS/1.0", 8);
    for (size_t i = 0; i < text.n && i < 400; i++) {
        if (text.p[i] == '|') out[n++] = '\r';
        out[n++] = text.p[i] == '|' ? '\n' : text.p[i];
    }
    memcpy(out + n, "\r\n\r\n", 4);
    return (midge_str){out, n + 4};
}

static void turn(struct world *w) {
    midge_tick(&w->m, w->now);
    switch (midge_want(&w->m)) {
    case MIDGE_WANT_CONNECT: midge_connected(&w->m); break;
    case MIDGE_WANT_CLOSE: midge_disconnected(&w->m, 0); break;
    default: break;
    }
    writes(w);
}

static void handshake(struct world *w) {
    static const char info[] = "INFO {\"headers\":true,\"max_payload\":4000}\r\n";
    turn(w), turn(w);
    reads(w, info, sizeof(info) - 1);
    writes(w);
    reads(w, "PONG\r\n", 6);
    writes(w);
}

static void act(struct world *w) {
    char headers[1024];
    midge_str text;
    uint8_t what = take(w);
    switch (what) {
    case '!': handshake(w); break;
    case '+': w->now += take(w) * 16u, turn(w); break;
    case 'z': midge_disconnected(&w->m, MIDGE_EDISCONNECTED), w->now += 9000, turn(w); break;
    case '<': text = take_text(w), says(w, true, MIDGE_NONE, text); break;             // an answer
    case '#': text = take_text(w), says(w, true, block(text, headers), MIDGE_NONE); break; // a status
    case '=': text = take_text(w), says(w, true, block(text, headers), MIDGE_STR("v")); break;
    case 'm': text = take_text(w), says(w, false, MIDGE_NONE, text); break; // of a consumer
    case 'h': text = take_text(w), says(w, false, block(text, headers), MIDGE_STR("v")); break;
    default: api(w, what);
    }
    writes(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const midge_server server = {{"a", 1}, 1, false, {NULL, 0}};
    if (size < 2 || size > 4096) return 0;
    struct world *w = calloc(1, sizeof(*w));
    must(w != NULL);
    w->p = data + 1;
    w->end = data + size;
    w->recv = malloc(BUF);
    w->send = malloc(BUF);
    w->js = (midge_js){.m = &w->m, .buf = w->text, .size = data[0] & 1 ? TEXT : 200, .opts = {.timeout = 500},
                       .domain = data[0] & 2 ? MIDGE_STR("hub") : MIDGE_NONE};
    w->kv = (midge_kv){.js = &w->js, .bucket = MIDGE_STR("B")};
    midge_config c = {.recv_buf = w->recv, .recv_size = BUF, .send_buf = w->send, .send_size = BUF, .subs = w->subs,
                      .subs_len = OPS + 1, .requests = w->requests, .requests_len = OPS, .servers = &server,
                      .servers_len = 1, .ping_interval = 100000, .seed = data[0]};
    must(midge_init(&w->m, &c) == 0);
    handshake(w);
    while (w->p < w->end) act(w);
    midge_close(&w->m);
    for (size_t i = 0; i < OPS; i++) must(w->ops[i] == NULL);
    must(w->m.hooks == NULL && w->m.requests_open == 0);
    free(w->recv);
    free(w->send);
    free(w);
    return 0;
}
