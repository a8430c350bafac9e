// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// One publisher, n subscribers, one way: throughput and the server's CPU per delivered message.
//
// The publisher writes the same prepared block of PUBs over and over, from any byte to any byte of it. It is allowed to
// be `window` bytes ahead of what the subscribers have read in total; both ends live in this process, so it knows. That
// keeps the server busy and far below its limit for slow consumers, and makes a lost message an error and no accident.
// A window of one message makes every message its own wake-up.
//
// After the measurement the publisher completes its message and sends PING; its PONG says that the server has handled
// all of it. Then every subscriber does the same; its PONG comes behind everything that was delivered to it. What has
// been counted by then must be exactly what was published.
//
// The server's own PINGs stay unanswered: a row takes seconds, a server's patience is minutes.
#include "test/bench/bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SUBJECT "bench.flow"
#define EVENTS 256

struct peer {
    struct mgb_conn conn;
    struct mgb_scan scan;
};

struct flow {
    const struct mgb_row *row;
    struct peer pub;
    struct peer *subs;
    int epoll;
    bool wants_room; // the publisher waits for EPOLLOUT
    size_t copies;   // deliveries of one published message
    size_t frame;    // bytes of one PUB
    char *block;     // whole PUBs
    size_t block_len;
    uint64_t sent;     // bytes of PUBs
    uint64_t received; // messages, by all subscribers
    uint64_t window;   // messages under way, over all subscribers
    char *scratch;
};

static void fill_block(struct flow *f) {
    char head[64];
    size_t payload = f->row->payload;
    size_t head_len = (size_t)snprintf(head, sizeof head, "PUB " SUBJECT " %zu\r\n", payload);
    f->frame = head_len + payload + 2;
    size_t n = MGB_SCRATCH / f->frame;
    f->block_len = n * f->frame;
    f->block = malloc(f->block_len);
    f->scratch = malloc(MGB_SCRATCH);
    if (f->block == NULL || f->scratch == NULL)
        mgb_die("out of memory");
    for (char *p = f->block; n-- > 0; p += f->frame) {
        memcpy(p, head, head_len);
        memset(p + head_len, 'x', payload);
        memcpy(p + f->frame - 2, "\r\n", 2);
    }
}

static void watch(struct flow *f, struct peer *p, int op, uint32_t events) {
    struct epoll_event ev = {.events = events, .data.ptr = p};
    if (epoll_ctl(f->epoll, op, p->conn.fd, &ev) != 0)
        mgb_die("epoll_ctl: %s", strerror(errno));
}

static void open_peer(struct flow *f, struct peer *p, const struct mgb_target *t, const char *hello) {
    mgb_conn_open(&p->conn, t, hello);
    watch(f, p, EPOLL_CTL_ADD, EPOLLIN);
}

static void open_peers(struct flow *f, const struct mgb_target *t) {
    const struct mgb_row *row = f->row;
    mgb_allow_descriptors(row->subs + 64);
    if (t->split)
        open_peer(f, &f->pub, t, "");
    for (size_t i = 0; i < row->subs; i++) {
        open_peer(f, &f->subs[i], t, row->queue ? "SUB " SUBJECT " workers 1\r\n" : "SUB " SUBJECT " 1\r\n");
        f->subs[i].scan.frame = mgb_msg_frame(SUBJECT, 1, row->payload);
    }
    if (!t->split)
        open_peer(f, &f->pub, t, "");
}

static void flow_open(struct flow *f, const struct mgb_row *row, const struct mgb_target *t) {
    memset(f, 0, sizeof *f);
    f->row = row;
    f->copies = row->queue ? 1 : row->subs;
    fill_block(f);
    f->window = row->window / f->frame;
    if (f->window < f->copies)
        f->window = f->copies;
    f->subs = calloc(row->subs, sizeof *f->subs);
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (f->subs == NULL || f->epoll < 0)
        mgb_die("out of memory or descriptors");
    open_peers(f, t);
}

static void flow_close(struct flow *f) {
    mgb_conn_close(&f->pub.conn);
    for (size_t i = 0; i < f->row->subs; i++)
        mgb_conn_close(&f->subs[i].conn);
    close(f->epoll);
    free(f->subs);
    free(f->block);
    free(f->scratch);
}

// Publishes up to byte `limit`, one write at most. False: the socket is full.
static bool publish(struct flow *f, uint64_t limit) {
    size_t at = (size_t)(f->sent % f->block_len), n = f->block_len - at;
    if (limit - f->sent < n)
        n = (size_t)(limit - f->sent);
    size_t sent = n > 0 ? mgb_conn_send(&f->pub.conn, f->block + at, n) : 0;
    f->sent += sent;
    return sent == n;
}

static void want_room(struct flow *f, bool want) {
    if (f->wants_room == want)
        return;
    f->wants_room = want;
    watch(f, &f->pub, EPOLL_CTL_MOD, EPOLLIN | (want ? EPOLLOUT : 0));
}

static void take_input(struct flow *f, struct peer *p) {
    uint64_t before = p->scan.messages;
    size_t n = mgb_conn_recv(&p->conn, f->scratch, MGB_SCRATCH);
    if (n > 0)
        mgb_scan(&p->scan, f->scratch, n);
    f->received += p->scan.messages - before;
}

// Publishes up to `limit` and takes what has arrived; waits if there is nothing else to do.
static void turn(struct flow *f, uint64_t limit) {
    if (limit < f->sent)
        limit = f->sent;
    bool room = publish(f, limit);
    want_room(f, !room);
    struct epoll_event ev[EVENTS];
    int n = epoll_wait(f->epoll, ev, EVENTS, room && f->sent < limit ? 0 : 100);
    for (int i = 0; i < n; i++)
        if (ev[i].events & ~(uint32_t)EPOLLOUT)
            take_input(f, ev[i].data.ptr);
}

static void run_until(struct flow *f, uint64_t deadline) {
    while (mgb_now() < deadline)
        turn(f, ((f->received + f->window) / f->copies) * f->frame);
}

static void await_pong(struct flow *f, struct peer *p) {
    uint64_t deadline = mgb_now() + 30 * MGB_SECOND;
    for (mgb_conn_send_all(&p->conn, "PING\r\n", 6); p->scan.pongs == 0; turn(f, f->sent))
        if (mgb_now() > deadline)
            mgb_die("%s: no PONG after 30 s, %llu messages received", f->row->name, (unsigned long long)f->received);
}

static void flow_finish(struct flow *f) {
    while (f->sent % f->frame != 0)
        turn(f, f->sent - f->sent % f->frame + f->frame);
    await_pong(f, &f->pub);
    for (size_t i = 0; i < f->row->subs; i++)
        await_pong(f, &f->subs[i]);
    uint64_t expected = f->sent / f->frame * f->copies;
    if (f->received != expected)
        mgb_die("%s: %llu messages expected, %llu received", f->row->name, (unsigned long long)expected,
                (unsigned long long)f->received);
}

void mgb_flow_row(const struct mgb_row *row, const struct mgb_target *t) {
    struct flow f;
    struct mgb_mark a, b;
    uint64_t span = (uint64_t)(t->seconds * 1e9);
    flow_open(&f, row, t);
    run_until(&f, mgb_now() + span / 4);
    uint64_t before = f.received;
    mgb_mark_now(&a, t->pid);
    run_until(&f, a.wall + span);
    mgb_mark_now(&b, t->pid);
    uint64_t count = f.received - before;
    flow_finish(&f);
    mgb_print_load(row, "msgs", count, &a, &b, t->pid);
    if (t->tls)
        mgb_print(row, "mb_per_s", (double)count * (double)row->payload * 1e3 / (double)(b.wall - a.wall));
    flow_close(&f);
}
