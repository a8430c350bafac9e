// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Publishing to streams: a number of messages is outstanding, each acknowledgement makes room for one more. Each
// message has a reply subject that was not seen before, as with every client. A message is a copy of one frame in which
// the digits of its stream, its subject and its reply are changed.
#include "test/bench/js.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_DIGITS 2
#define SUBJECT_DIGITS 6
#define REPLY_DIGITS 9
#define OUT ((size_t)128 << 10)

static void digits(char *p, size_t n, uint64_t v) {
    for (; n > 0; v /= 10)
        p[--n] = (char)('0' + v % 10);
}

static void make_frame(struct mgb_publisher *p) {
    size_t payload = p->row->payload, room = payload + 128;
    p->frame = malloc(room);
    p->out = malloc(OUT);
    if (p->frame == NULL || p->out == NULL)
        mgb_die("out of memory");
    size_t n = (size_t)snprintf(p->frame, room, "PUB s00.000000 %s000000000 %zu\r\n", p->js.inbox, payload);
    p->stream_at = 5;
    p->subject_at = p->stream_at + STREAM_DIGITS + 1;
    p->reply_at = p->subject_at + SUBJECT_DIGITS + 1 + MGB_INBOX_LEN;
    p->payload_at = n;
    p->frame_len = n + payload + 2;
    memset(p->frame + n, 'x', payload);
    memcpy(p->frame + n + payload, "\r\n", 2);
}

void mgb_publisher_open(struct mgb_publisher *p, const struct mgb_row *row, const struct mgb_target *t) {
    memset(p, 0, sizeof *p);
    p->row = row;
    p->subjects = row->subjects ? row->subjects : t->consumers;
    mgb_js_open(&p->js, t);
    make_frame(p);
}

void mgb_publisher_close(struct mgb_publisher *p) {
    mgb_js_close(&p->js);
    free(p->frame);
    free(p->out);
}

void mgb_publish(struct mgb_publisher *p, uint64_t limit) {
    size_t n = 0;
    for (; p->sent < limit; p->sent++) {
        if (OUT - n < p->frame_len) {
            mgb_conn_send_all(&p->js.conn, p->out, n);
            n = 0;
        }
        if (p->row->streams > 1)
            digits(p->frame + p->stream_at, STREAM_DIGITS, p->sent % p->row->streams);
        if (p->subjects > 1)
            digits(p->frame + p->subject_at, SUBJECT_DIGITS, p->sent / p->row->streams % p->subjects);
        digits(p->frame + p->reply_at, REPLY_DIGITS, p->sent);
        memcpy(p->out + n, p->frame, p->frame_len);
        n += p->frame_len;
    }
    mgb_conn_send_all(&p->js.conn, p->out, n);
}

void mgb_publisher_take(struct mgb_publisher *p) {
    static const char good[] = "{\"stream\":\"s";
    for (struct mgb_msg m; mgb_js_take(&p->js, &m); p->acked++)
        if (m.headers || m.len < sizeof good || memcmp(m.body, good, sizeof good - 1) != 0)
            mgb_die("%s: not acknowledged: %.*s", p->row->name, (int)m.len, m.body);
}

void mgb_publish_all(struct mgb_publisher *p, uint64_t n) {
    for (uint64_t end = p->sent + n; p->acked < end; mgb_publisher_take(p)) {
        uint64_t limit = p->acked + 1000;
        mgb_publish(p, limit < end ? limit : end);
        mgb_js_fill(&p->js);
    }
}

static void run_until(struct mgb_publisher *p, uint64_t deadline, struct mgb_samples *latencies) {
    uint64_t start = mgb_now();
    for (uint64_t now = start; now < deadline; start = now) {
        mgb_publish(p, p->acked + p->row->in_flight);
        mgb_js_fill(&p->js);
        mgb_publisher_take(p);
        now = mgb_now();
        if (p->acked == p->sent)
            mgb_sample(latencies, now - start);
    }
}

void mgb_publish_measured(struct mgb_publisher *p, const struct mgb_target *t) {
    struct mgb_mark a, b;
    struct mgb_samples latencies;
    uint64_t span = (uint64_t)(t->seconds * 1e9), before;
    mgb_samples_init(&latencies);
    run_until(p, mgb_now() + span / 4, &latencies);
    latencies.n = 0;
    before = p->acked;
    mgb_mark_now(&a, t->pid);
    run_until(p, a.wall + span, &latencies);
    mgb_mark_now(&b, t->pid);
    mgb_print_load(p->row, "msgs", p->acked - before, &a, &b, t->pid);
    if (p->row->in_flight == 1)
        mgb_samples_print(p->row, &latencies);
    mgb_samples_fini(&latencies);
    while (p->acked < p->sent) {
        mgb_js_fill(&p->js);
        mgb_publisher_take(p);
    }
}

void mgb_js_publish_row(const struct mgb_row *row, const struct mgb_target *t) {
    struct mgb_publisher p;
    mgb_publisher_open(&p, row, t);
    mgb_js_make_streams(&p.js, row);
    mgb_publish_measured(&p, t);
    mgb_publisher_close(&p);
}
