// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

#include "test/unit/client/core/scenario.h"

#include <string.h>

static void append(char *buf, size_t *n, const char *s, size_t len) {
    CHECK(len < RIG_LOG - *n);
    if (len > 0) memcpy(buf + *n, s, len);
    *n += len;
    buf[*n] = '\0';
}

void rig_note(struct rig *r, const char *s) { append(r->log, &r->log_n, s, strlen(s)); }
void rig_note_str(struct rig *r, midge_str s) { append(r->log, &r->log_n, s.p, s.n); }

void rig_note_int(struct rig *r, long n) {
    char text[24];
    size_t at = sizeof(text);
    unsigned long left = n < 0 ? 0ul - (unsigned long)n : (unsigned long)n;
    do text[--at] = (char)('0' + left % 10);
    while (left /= 10);
    if (n < 0) text[--at] = '-';
    append(r->log, &r->log_n, text + at, sizeof(text) - at);
}

static void on_event(midge *m, const midge_event *e, void *user) {
    static const char *const names[] = {"connected", "reconnected", "disconnected", "closed", "lame duck", "servers",
                                        "permission", "slow consumer", "too large", "dropped", "error"};
    struct rig *r = user;
    CHECK(m == &r->m);
    rig_note(r, names[e->type]);
    if (e->err && e->type != MIDGE_EVENT_TOO_LARGE) rig_note(r, " "), rig_note_int(r, e->err);
    if (e->type == MIDGE_EVENT_PERMISSION) rig_note(r, e->publish ? " publish" : " subscribe");
    if (e->subject.n) rig_note(r, " "), rig_note_str(r, e->subject);
    if (e->size) rig_note(r, " "), rig_note_int(r, (long)e->size);
    if (e->type == MIDGE_EVENT_ERROR) rig_note(r, " "), rig_note_str(r, e->text);
    rig_note(r, "\n");
}

static void note_msg(struct rig *r, const midge_msg *msg) {
    rig_note_str(r, msg->subject);
    if (msg->reply.n) rig_note(r, ">"), rig_note_str(r, msg->reply);
    if (msg->status) rig_note(r, " #"), rig_note_int(r, msg->status);
    midge_str name, value;
    for (size_t pos = 0; midge_headers_next(msg->headers, &pos, &name, &value);) {
        rig_note(r, " ");
        rig_note_str(r, name);
        rig_note(r, "=");
        rig_note_str(r, value);
    }
    rig_note(r, " ");
    rig_note_str(r, msg->data);
    rig_note(r, "\n");
}

void rig_on_msg(midge *m, const midge_msg *msg, void *user) {
    (void)m;
    note_msg(user, msg);
}

// The subject is a fresh one each time: left out.
void rig_on_reply(midge *m, int err, const midge_msg *msg, void *user) {
    struct rig *r = user;
    (void)m;
    rig_note(r, "reply ");
    rig_note_int(r, err);
    if (msg) rig_note(r, " "), rig_note_str(r, msg->data);
    rig_note(r, "\n");
}

void rig_on_flush(midge *m, int err, uint32_t rtt_ms, void *user) {
    struct rig *r = user;
    (void)m;
    rig_note(r, "flush ");
    rig_note_int(r, err);
    rig_note(r, " ");
    rig_note_int(r, (long)rtt_ms);
    rig_note(r, "\n");
}

void rig_fill(struct rig *r) {
    size_t step = r->step, split = r->split;
    memset(r, 0, sizeof(*r));
    r->step = step;
    r->split = split;
    r->now = 0xfffff000; // wraps within seconds
    for (size_t i = 0; i < 4; i++) r->servers[i] = (midge_server){.host = {&"abcd"[i], 1}};
    r->config = (midge_config){.recv_buf = r->recv,
                               .recv_size = RIG_BUF,
                               .send_buf = r->send,
                               .send_size = RIG_BUF,
                               .subs = r->subs,
                               .subs_len = 8,
                               .requests = r->requests,
                               .requests_len = 8,
                               .gossip_buf = r->gossip,
                               .gossip_size = sizeof(r->gossip),
                               .servers = r->servers,
                               .servers_len = 1,
                               .no_randomize = true,
                               .reconnect_jitter = 1,
                               .seed = 42,
                               .on_event = on_event,
                               .user_data = r};
}

static void open_transport(struct rig *r) {
    midge_server s = midge_server_now(&r->m);
    CHECK(!r->open);
    rig_note(r, "open ");
    rig_note_str(r, s.host);
    rig_note(r, "\n");
    r->out_n = 0;
    if (r->refuse) {
        midge_disconnected(&r->m, MIDGE_ECONNECT);
    } else {
        r->open = true;
        midge_connected(&r->m);
    }
}

static bool turn(struct rig *r) {
    midge_tick(&r->m, r->now);
    switch (midge_want(&r->m)) {
    case MIDGE_WANT_CONNECT: open_transport(r); return true;
    case MIDGE_WANT_TLS:
        CHECK(r->open);
        rig_note(r, "tls\n");
        if (r->refuse_tls) {
            r->open = false;
            midge_disconnected(&r->m, MIDGE_ETLS);
        } else {
            midge_tls_done(&r->m);
        }
        return true;
    case MIDGE_WANT_CLOSE:
        CHECK(r->open);
        r->open = false;
        rig_note(r, "close\n");
        midge_disconnected(&r->m, 0);
        return true;
    case MIDGE_WANT_NONE: break;
    }
    size_t n;
    const void *p = midge_send_buf(&r->m, &n);
    if (!n || r->stuck) return false;
    CHECK(r->open);
    if (r->step && n > r->step) n = r->step;
    if (r->limited && n > r->quota) n = r->quota;
    if (!n) return false;
    r->quota -= r->limited ? n : 0;
    append(r->out, &r->out_n, p, n);
    midge_send_ack(&r->m, n);
    return true;
}

void rig_run(struct rig *r) {
    for (int i = 0; turn(r); i++) CHECK(i < 100000);
}

void rig_start(struct rig *r) {
    CHECK(midge_init(&r->m, &r->config) == 0);
    rig_run(r);
}

void rig_connect(struct rig *r) {
    rig_start(r);
    rig_saw(r, "open a\n");
    rig_say(r, RIG_INFO);
    rig_hello(r, "");
    rig_say(r, "PONG\r\n");
    rig_saw(r, "connected\n");
}

void rig_say(struct rig *r, const char *s) {
    size_t left = strlen(s);
    while (left && r->open) {
        size_t room, piece = left;
        void *p = midge_recv_buf(&r->m, &room);
        if (!room) return; // nobody listens any more
        if (r->step && piece > r->step) piece = r->step;
        if (r->said < r->split && r->said + piece > r->split) piece = r->split - r->said;
        if (piece > room) piece = room;
        memcpy(p, s, piece);
        midge_recv_ack(&r->m, piece);
        s += piece;
        left -= piece;
        r->said += piece;
        rig_run(r);
    }
}

void rig_cut(struct rig *r) {
    CHECK(r->open);
    r->open = false;
    midge_disconnected(&r->m, MIDGE_EDISCONNECTED);
    rig_run(r);
}

void rig_later(struct rig *r, uint32_t ms) {
    for (;;) {
        uint32_t wait = midge_tick(&r->m, r->now);
        rig_run(r);
        if (wait > ms) break;
        r->now += wait;
        ms -= wait;
        if (!wait) ms -= ms > 0, r->now++; // a timer that the port must answer
        if (!ms) break;
    }
    r->now += ms;
    rig_run(r);
}

static void expect(struct rig *r, char *got, size_t *n, const char *want, const char *file, int line) {
    (void)r;
    bool same = strlen(want) == *n && memcmp(got, want, *n) == 0;
    if (!same) scenario_failed(file, line, got);
    *n = 0;
    got[0] = '\0';
}

void rig_wrote_(struct rig *r, const char *s, const char *file, int line) {
    r->out[r->out_n] = '\0';
    expect(r, r->out, &r->out_n, s, file, line);
}

void rig_saw_(struct rig *r, const char *s, const char *file, int line) {
    r->log[r->log_n] = '\0';
    expect(r, r->log, &r->log_n, s, file, line);
}

void rig_hello_(struct rig *r, const char *words, const char *file, int line) {
    r->out[r->out_n] = '\0';
    const char *end = strstr(r->out, "}\r\nPING\r\n");
    bool good = strncmp(r->out, "CONNECT {", 9) == 0 && end && end[9] == '\0' && strstr(r->out, words);
    if (!good) scenario_failed(file, line, r->out);
    r->out_n = 0;
    r->out[0] = '\0';
}

unsigned scenario_play(const struct scenario *s, struct rig *r, size_t stride) {
    unsigned runs = 2;
    r->step = r->split = 0;
    s->run(r);
    size_t said = r->said;
    r->step = 1;
    s->run(r);
    r->step = 0;
    for (r->split = 1; r->split < said; r->split += stride, runs++) s->run(r);
    r->split = 0;
    return runs;
}
