// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Connections of the JetStream rows. Input is read into one buffer, messages are slices of it. Here nothing is counted
// by its length: what an acknowledgement says is looked at, and the first that is an error ends the process.
#include "test/bench/js.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char API_ERROR[] = "\"error\":{";

void mgb_js_open(struct mgb_js *j, const struct mgb_target *t) {
    char name[23], hello[64];
    memset(j, 0, sizeof *j);
    j->in = malloc(MGB_SCRATCH);
    if (j->in == NULL)
        mgb_die("out of memory");
    mgb_inbox_name(name, mgb_now());
    snprintf(j->inbox, sizeof j->inbox, "_INBOX.%s.", name);
    snprintf(hello, sizeof hello, "SUB %s* 1\r\n", j->inbox);
    mgb_conn_open(&j->conn, t, hello);
}

void mgb_js_close(struct mgb_js *j) {
    mgb_conn_close(&j->conn);
    free(j->in);
}

// ---- what arrives

static size_t trailing_number(const char *p, const char *end) {
    size_t n = 0, unit = 1;
    for (; end > p && end[-1] >= '0' && end[-1] <= '9'; end--, unit *= 10)
        n += (size_t)(end[-1] - '0') * unit;
    return n;
}

// The words of "MSG subject sid [reply] size" or "HMSG subject sid [reply] head size"; `end` is behind the last one.
static void read_line(struct mgb_msg *m, const char *line, const char *end) {
    const char *word[6];
    size_t words = 0, fixed;
    for (const char *q = line; q < end; q++)
        if (*q == ' ' && words < 6)
            word[words++] = q + 1;
    m->headers = line[0] == 'H';
    fixed = m->headers ? 4 : 3;
    if (words != fixed && words != fixed + 1)
        mgb_die("unexpected input: %.*s", (int)(end - line), line);
    m->subject = word[0];
    m->subject_len = (size_t)(word[1] - word[0]) - 1;
    m->reply = words > fixed ? word[2] : NULL;
    m->reply_len = words > fixed ? (size_t)(word[3] - word[2]) - 1 : 0;
    m->len = trailing_number(line, end);
}

bool mgb_js_take(struct mgb_js *j, struct mgb_msg *m) {
    for (;;) {
        const char *p = j->in + j->at, *nl = memchr(p, '\n', j->len - j->at);
        if (nl == NULL)
            return false;
        if (*p == 'P' || *p == 'I') { // PING, PONG, INFO
            if (p[1] == 'I')
                mgb_conn_send_all(&j->conn, "PONG\r\n", 6);
            j->at += (size_t)(nl - p) + 1;
            continue;
        }
        if (*p != 'M' && *p != 'H')
            mgb_die("unexpected input: %.*s", (int)(nl - p), p);
        read_line(m, p, nl - 1);
        size_t whole = (size_t)(nl - p) + 1 + m->len + 2;
        if (whole > MGB_SCRATCH)
            mgb_die("a message of %zu bytes", m->len);
        if (whole > j->len - j->at)
            return false;
        m->body = nl + 1;
        j->at += whole;
        return true;
    }
}

bool mgb_js_poll(struct mgb_js *j) {
    memmove(j->in, j->in + j->at, j->len - j->at);
    j->len -= j->at;
    j->at = 0;
    size_t n = mgb_conn_recv(&j->conn, j->in + j->len, MGB_SCRATCH - j->len);
    j->len += n;
    return n > 0;
}

void mgb_js_fill(struct mgb_js *j) {
    struct pollfd input = {.fd = j->conn.fd, .events = POLLIN};
    if (poll(&input, 1, 30000) != 1)
        mgb_die("nothing came for 30 s");
    mgb_js_poll(j);
}

// ---- requests

void mgb_js_check(const struct mgb_msg *m) {
    if (m->headers || memmem(m->body, m->len, API_ERROR, sizeof API_ERROR - 1) != NULL)
        mgb_die("an answer: %.*s", (int)m->len, m->body);
}

size_t mgb_js_put(char *p, size_t cap, const char *subject, const char *reply, const char *body) {
    int n = snprintf(p, cap, "PUB %s %s %zu\r\n%s\r\n", subject, reply, strlen(body), body);
    if (n < 0 || (size_t)n >= cap)
        mgb_die("too much output");
    return (size_t)n;
}

struct mgb_msg mgb_js_ask(struct mgb_js *j, const char *subject, const char *body) {
    char out[2048], reply[MGB_INBOX_LEN + 8];
    struct mgb_msg m;
    snprintf(reply, sizeof reply, "%sask", j->inbox);
    mgb_conn_send_all(&j->conn, out, mgb_js_put(out, sizeof out, subject, reply, body));
    do {
        while (!mgb_js_take(j, &m))
            mgb_js_fill(j);
    } while (m.subject_len != strlen(reply) || memcmp(m.subject, reply, m.subject_len) != 0);
    mgb_js_check(&m);
    return m;
}

void mgb_js_make_streams(struct mgb_js *j, const struct mgb_row *row) {
    for (size_t i = 0; i < row->streams; i++) {
        char subject[64], config[256], limit[64] = "";
        if (row->keep > 0)
            snprintf(limit, sizeof limit, ",\"max_msgs_per_subject\":%zu", row->keep);
        snprintf(subject, sizeof subject, "$JS.API.STREAM.CREATE.s%02zu", i);
        snprintf(config, sizeof config, "{\"name\":\"s%02zu\",\"subjects\":[\"s%02zu.>\"]%s}", i, i, limit);
        mgb_js_ask(j, subject, config);
    }
}

void mgb_js_make_consumer(struct mgb_js *j, const char *name, const char *ack_policy, const char *more) {
    char subject[128], config[512];
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.CREATE.s00.%s", name);
    snprintf(config, sizeof config,
             "{\"stream_name\":\"s00\",\"config\":{\"durable_name\":\"%s\",\"ack_policy\":\"%s\"%s}}", name, ack_policy,
             more);
    mgb_js_ask(j, subject, config);
}
