// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Requests and replies: n requesters with m requests under way each, one responder that echoes.
//
// Two styles. New clients subscribe once to `_INBOX.<22>.*` and give every request its own last token. Old ones give
// every request its own inbox: SUB, UNSUB 1, PUB. In both the last character of the reply subject names the slot of the
// request, which remembers when it was sent, and the rest is a counter, so that no subject is seen twice: that is what
// caches of a server have to live with.
//
// There are never more than some 100 small messages under way, so a socket buffer has always room; a write that is cut
// short would be a defect here and ends the process.
#include "test/bench/bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SUBJECT "bench.echo"
#define BUFFER ((size_t)128 << 10)
#define MAX_SLOTS 10

struct peer {
    struct mgb_conn conn;
    char *in, *out;
    size_t in_len, out_len;
    char prefix[23];              // of the inbox, requesters only
    uint64_t sent_at[MAX_SLOTS]; // requesters only
};

struct echo {
    const struct mgb_row *row;
    struct peer responder, *requesters;
    int epoll;
    uint64_t requests, replies; // sent, received, by all requesters
    struct mgb_samples samples;
    char payload[1024];
};

// A message as it lies in a peer's input.
struct msg {
    const char *subject, *reply; // reply: NULL if none
    size_t subject_len, reply_len;
};

// Understands what begins at p. Returns its length, 0 if it is not complete. A control line has no subject.
static size_t parse(const char *p, size_t n, struct msg *m) {
    *m = (struct msg){0};
    const char *nl = memchr(p, '\n', n);
    if (nl == NULL)
        return 0;
    size_t line = (size_t)(nl - p) + 1;
    if (memcmp(p, "PING", 4) == 0 || memcmp(p, "INFO", 4) == 0)
        return line;
    if (memcmp(p, "MSG ", 4) != 0)
        mgb_die("unexpected input: %.*s", (int)line, p); // -ERR, or HMSG with "503 no responders"
    const char *word[4];
    size_t words = 0;
    for (const char *q = p + 3; q < nl; q++)
        if (*q == ' ' && words < 4)
            word[words++] = q + 1;
    if (words < 3)
        mgb_die("unexpected input: %.*s", (int)line, p);
    m->subject = word[0];
    m->subject_len = (size_t)(word[1] - word[0]) - 1;
    if (words == 4) {
        m->reply = word[2];
        m->reply_len = (size_t)(word[3] - word[2]) - 1;
    }
    size_t len = line + (size_t)strtoul(word[words - 1], NULL, 10) + 2;
    return len <= n ? len : 0;
}

static void put(struct peer *p, const char *s, size_t n) {
    if (n > BUFFER - p->out_len)
        mgb_die("too much output");
    memcpy(p->out + p->out_len, s, n);
    p->out_len += n;
}

// Publishes the payload to `subject` with an optional reply subject.
static void put_pub(struct echo *e, struct peer *p, const char *subject, size_t n, const char *reply) {
    char tail[64];
    put(p, "PUB ", 4);
    put(p, subject, n);
    int len = snprintf(tail, sizeof tail, " %s%s%zu\r\n", reply, reply[0] ? " " : "", e->row->payload);
    put(p, tail, (size_t)len);
    put(p, e->payload, e->row->payload + 2);
}

static void put_request(struct echo *e, struct peer *p, size_t slot) {
    char name[23], reply[64], head[128];
    uint64_t id = e->requests++;
    mgb_inbox_name(name, id * 62 + slot); // the last digit is the slot
    if (e->row->old_style) {
        snprintf(reply, sizeof reply, "_INBOX.%s", name);
        unsigned long long sid = id + 1;
        int n = snprintf(head, sizeof head, "SUB %s %llu\r\nUNSUB %llu 1\r\n", reply, sid, sid);
        put(p, head, (size_t)n);
    } else {
        snprintf(reply, sizeof reply, "_INBOX.%s.%s", p->prefix, name + 14);
    }
    p->sent_at[slot] = mgb_now();
    put_pub(e, p, SUBJECT, sizeof SUBJECT - 1, reply);
}

static void take_reply(struct echo *e, struct peer *p, const struct msg *m) {
    size_t slot = (size_t)(m->subject[m->subject_len - 1] - '0');
    if (slot >= e->row->in_flight || p->sent_at[slot] == 0)
        mgb_die("a reply to nothing: %.*s", (int)m->subject_len, m->subject);
    mgb_sample(&e->samples, mgb_now() - p->sent_at[slot]);
    e->replies++;
    put_request(e, p, slot);
}

static void flush(struct peer *p) {
    if (p->out_len > 0 && mgb_conn_send(&p->conn, p->out, p->out_len) != p->out_len)
        mgb_die("a socket buffer is full");
    p->out_len = 0;
}

static void take_input(struct echo *e, struct peer *p) {
    p->in_len += mgb_conn_recv(&p->conn, p->in + p->in_len, BUFFER - p->in_len);
    size_t at = 0, n;
    for (struct msg m; (n = parse(p->in + at, p->in_len - at, &m)) > 0; at += n) {
        if (m.subject == NULL)
            continue;
        if (p == &e->responder)
            put_pub(e, p, m.reply, m.reply_len, "");
        else
            take_reply(e, p, &m);
    }
    memmove(p->in, p->in + at, p->in_len - at);
    p->in_len -= at;
    flush(p);
}

static void open_peer(struct echo *e, struct peer *p, const struct mgb_target *t, const char *hello) {
    mgb_conn_open(&p->conn, t, hello);
    p->in = malloc(BUFFER);
    p->out = malloc(BUFFER);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = p};
    if (p->in == NULL || p->out == NULL || epoll_ctl(e->epoll, EPOLL_CTL_ADD, p->conn.fd, &ev) != 0)
        mgb_die("out of memory or descriptors");
}

static void open_peers(struct echo *e, const struct mgb_target *t) {
    open_peer(e, &e->responder, t, "SUB " SUBJECT " 1\r\n");
    for (size_t i = 0; i < e->row->requesters; i++) {
        struct peer *p = &e->requesters[i];
        char sub[64];
        mgb_inbox_name(p->prefix, i);
        snprintf(sub, sizeof sub, "SUB _INBOX.%s.* 1\r\n", p->prefix);
        open_peer(e, p, t, e->row->old_style ? "" : sub);
    }
}

static void echo_open(struct echo *e, const struct mgb_row *row, const struct mgb_target *t) {
    memset(e, 0, sizeof *e);
    e->row = row;
    e->requesters = calloc(row->requesters, sizeof *e->requesters);
    mgb_samples_init(&e->samples);
    e->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (e->requesters == NULL || e->epoll < 0)
        mgb_die("out of memory or descriptors");
    memset(e->payload, 'x', row->payload);
    memcpy(e->payload + row->payload, "\r\n", 2);
    open_peers(e, t);
    for (size_t i = 0; i < row->requesters; i++) {
        for (size_t slot = 0; slot < row->in_flight; slot++)
            put_request(e, &e->requesters[i], slot);
        flush(&e->requesters[i]);
    }
}

static void close_peer(struct peer *p) {
    mgb_conn_close(&p->conn);
    free(p->in);
    free(p->out);
}

static void echo_close(struct echo *e) {
    close_peer(&e->responder);
    for (size_t i = 0; i < e->row->requesters; i++)
        close_peer(&e->requesters[i]);
    close(e->epoll);
    free(e->requesters);
    mgb_samples_fini(&e->samples);
}

static void run_until(struct echo *e, uint64_t deadline) {
    struct epoll_event ev[64];
    uint64_t quiet = mgb_now();
    for (uint64_t now = quiet; now < deadline; now = mgb_now()) {
        int n = epoll_wait(e->epoll, ev, 64, 100);
        for (int i = 0; i < n; i++)
            take_input(e, ev[i].data.ptr);
        if (n > 0)
            quiet = now;
        if (now - quiet > 10 * MGB_SECOND)
            mgb_die("%s: a request was lost, %llu replies so far", e->row->name, (unsigned long long)e->replies);
    }
}

void mgb_request_row(const struct mgb_row *row, const struct mgb_target *t) {
    struct echo e;
    struct mgb_mark a, b;
    uint64_t span = (uint64_t)(t->seconds * 1e9);
    echo_open(&e, row, t);
    run_until(&e, mgb_now() + span / 4);
    uint64_t before = e.replies;
    e.samples.n = 0;
    mgb_mark_now(&a, t->pid);
    run_until(&e, a.wall + span);
    mgb_mark_now(&b, t->pid);
    mgb_print_load(row, "reqs", e.replies - before, &a, &b, t->pid);
    mgb_samples_print(row, &e.samples);
    echo_close(&e);
}
