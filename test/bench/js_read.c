// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Reading from a stream by a pull consumer: everything that is stored, by fetches or as clients consume; and how long a
// message takes from its publisher to a consumer that waits.
//
// What must come is known, so rows count messages here and time follows: some 400,000 for each second that was asked
// for. The last message is acknowledged with a question, and then nothing may be pending: all acknowledgements are part
// of what is measured.
#include "test/bench/js.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 1000
#define OUT ((size_t)256 << 10)
// As the clients' consume: so many are asked for, and again when half of them have come.
#define AHEAD 500
#define PACE 500 // messages a second whose latency is measured

struct reader {
    struct mgb_js js;
    char next[64], pulls[MGB_INBOX_LEN + 8];
    char *out;
    size_t out_len;
    uint64_t received;
};

static void reader_open(struct reader *r, const struct mgb_target *t, const char *consumer) {
    memset(r, 0, sizeof *r);
    mgb_js_open(&r->js, t);
    snprintf(r->next, sizeof r->next, "$JS.API.CONSUMER.MSG.NEXT.s00.%s", consumer);
    snprintf(r->pulls, sizeof r->pulls, "%spull", r->js.inbox);
    r->out = malloc(OUT);
    if (r->out == NULL)
        mgb_die("out of memory");
}

static void reader_close(struct reader *r) {
    mgb_js_close(&r->js);
    free(r->out);
}

static void send_out(struct reader *r) {
    mgb_conn_send_all(&r->js.conn, r->out, r->out_len);
    r->out_len = 0;
}

static void pull(struct reader *r, size_t batch) {
    char body[64];
    snprintf(body, sizeof body, "{\"batch\":%zu,\"expires\":30000000000}", batch);
    r->out_len += mgb_js_put(r->out + r->out_len, OUT - r->out_len, r->next, r->pulls, body);
}

// A status comes with headers and no reply: "408 Request Timeout", "409 ...". Of messages each has its reply subject.
static bool take(struct reader *r, struct mgb_msg *m) {
    if (!mgb_js_take(&r->js, m))
        return false;
    if (m->reply == NULL)
        mgb_die("no message but: %.*s", (int)m->len, m->body);
    r->received++;
    return true;
}

static void ack(struct reader *r, const struct mgb_msg *m, const char *reply) {
    size_t need = m->reply_len + 80;
    if (need > OUT - r->out_len)
        send_out(r);
    int n = snprintf(r->out + r->out_len, OUT - r->out_len, "PUB %.*s %s%s4\r\n+ACK\r\n", (int)m->reply_len, m->reply,
                     reply, reply[0] ? " " : "");
    r->out_len += (size_t)n;
}

static void fetch_all(struct reader *r, uint64_t total) {
    char done[MGB_INBOX_LEN + 8];
    struct mgb_msg m;
    snprintf(done, sizeof done, "%sdone", r->js.inbox);
    while (r->received < total) {
        uint64_t end = r->received + BATCH < total ? r->received + BATCH : total;
        pull(r, end - r->received);
        for (send_out(r); r->received < end; send_out(r)) {
            mgb_js_fill(&r->js);
            while (take(r, &m))
                ack(r, &m, r->received == total ? done : "");
        }
    }
    while (!mgb_js_take(&r->js, &m))
        mgb_js_fill(&r->js);
}

static void consume_all(struct reader *r, uint64_t total) {
    struct mgb_msg m;
    uint64_t asked = AHEAD;
    for (pull(r, AHEAD); r->received < total;) {
        send_out(r);
        mgb_js_fill(&r->js);
        while (take(r, &m))
            if (asked - r->received <= AHEAD / 2) {
                pull(r, AHEAD / 2);
                asked += AHEAD / 2;
            }
    }
}

// Stores messages, makes a consumer, lets `read_all` read them and says what that took.
static void read_row(const struct mgb_row *row, const struct mgb_target *t, const char *policy, const char *limits,
                     void (*read_all)(struct reader *r, uint64_t total)) {
    struct mgb_publisher p;
    struct reader r;
    struct mgb_mark a, b;
    uint64_t total = (uint64_t)(t->seconds * 400000) / t->part + 1;
    mgb_publisher_open(&p, row, t);
    mgb_js_make_streams(&p.js, row);
    mgb_publish_all(&p, total);
    mgb_js_make_consumer(&p.js, "reader", policy, limits);
    reader_open(&r, t, "reader");
    mgb_mark_now(&a, t->pid);
    read_all(&r, total);
    mgb_mark_now(&b, t->pid);
    mgb_print_load(row, "msgs", total, &a, &b, t->pid);
    struct mgb_msg info = mgb_js_ask(&p.js, "$JS.API.CONSUMER.INFO.s00.reader", "");
    if (memmem(info.body, info.len, "\"num_ack_pending\":0,", 20) == NULL ||
        memmem(info.body, info.len, "\"num_pending\":0,", 16) == NULL)
        mgb_die("%s: something is pending: %.*s", row->name, (int)info.len, info.body);
    reader_close(&r);
    mgb_publisher_close(&p);
}

void mgb_js_fetch_row(const struct mgb_row *row, const struct mgb_target *t) {
    read_row(row, t, "explicit", "", fetch_all);
}

void mgb_js_consume_row(const struct mgb_row *row, const struct mgb_target *t) {
    read_row(row, t, "none", "", consume_all);
}

// ---- latency

static void take_late(struct reader *r, struct mgb_samples *s) {
    mgb_js_poll(&r->js);
    for (struct mgb_msg m; take(r, &m);) {
        uint64_t sent;
        memcpy(&sent, m.body, sizeof sent);
        mgb_sample(s, mgb_now() - sent);
    }
}

// Publishes each 1/PACE of a second, one at a time, until `deadline`; then waits for what is under way.
static void paced(struct mgb_publisher *p, struct reader *r, uint64_t deadline, struct mgb_samples *s) {
    uint64_t next = mgb_now();
    for (uint64_t now; (now = mgb_now()) < deadline || r->received < p->sent || p->acked < p->sent;) {
        if (now > deadline + 10 * MGB_SECOND)
            mgb_die("%s: %llu of %llu messages came", p->row->name, (unsigned long long)r->received,
                    (unsigned long long)p->sent);
        if (now < deadline && now >= next && p->acked == p->sent) {
            memcpy(p->frame + p->payload_at, &now, sizeof now);
            mgb_publish(p, p->sent + 1);
            next = now + MGB_SECOND / PACE;
            continue;
        }
        struct pollfd input[2] = {{.fd = p->js.conn.fd, .events = POLLIN}, {.fd = r->js.conn.fd, .events = POLLIN}};
        struct timespec wait = {.tv_nsec = next > now ? (long)(next - now) : 1000000};
        if (ppoll(input, 2, &wait, NULL) <= 0)
            continue;
        if (input[1].revents)
            take_late(r, s);
        if (input[0].revents && mgb_js_poll(&p->js))
            mgb_publisher_take(p);
    }
}

void mgb_js_latency_row(const struct mgb_row *row, const struct mgb_target *t) {
    struct mgb_publisher p;
    struct reader r;
    struct mgb_samples s;
    uint64_t span = (uint64_t)(t->seconds * 4e9) / t->part; // p99 of a second's 500 would be five messages
    mgb_samples_init(&s);
    mgb_publisher_open(&p, row, t);
    mgb_js_make_streams(&p.js, row);
    mgb_js_make_consumer(&p.js, "reader", "none", "");
    reader_open(&r, t, "reader");
    pull(&r, 1000000);
    send_out(&r);
    paced(&p, &r, mgb_now() + span / 8, &s);
    s.n = 0;
    paced(&p, &r, mgb_now() + span, &s);
    mgb_samples_print(row, &s);
    mgb_samples_fini(&s);
    reader_close(&r);
    mgb_publisher_close(&p);
}
