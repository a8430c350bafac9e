// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Many consumers, and much that is stored. Some of these rows go together, with a restart of the server between them:
// js-create, then js-wake; js-fill, then js-first. The server's memory is read by whoever restarts it.
#include "test/bench/js.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNDER_WAY 256 // creations

static void name_of(char name[16], size_t i) { snprintf(name, 16, "c%06zu", i); }

static void put_creation(struct mgb_js *j, size_t i) {
    char name[16], subject[64], config[256], reply[MGB_INBOX_LEN + 16], out[512];
    name_of(name, i);
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.CREATE.s00.%s.s00.%06zu", name, i);
    snprintf(config, sizeof config,
             "{\"stream_name\":\"s00\",\"config\":{\"durable_name\":\"%s\",\"name\":\"%s\",\"ack_policy\":\"explicit\","
             "\"filter_subject\":\"s00.%06zu\"},\"action\":\"create\"}",
             name, name, i);
    snprintf(reply, sizeof reply, "%s%zu", j->inbox, i);
    mgb_conn_send_all(&j->conn, out, mgb_js_put(out, sizeof out, subject, reply, config));
}

static void create(struct mgb_js *j, size_t n) {
    struct mgb_msg m;
    for (size_t sent = 0, done = 0; done < n;) {
        for (; sent < n && sent - done < UNDER_WAY; sent++)
            put_creation(j, sent);
        for (mgb_js_fill(j); mgb_js_take(j, &m); done++)
            mgb_js_check(&m);
    }
}

// Makes them, many at a time, and then says what publishing costs beside them, if the row has a payload.
void mgb_js_create_row(const struct mgb_row *row, const struct mgb_target *t) {
    struct mgb_publisher p;
    struct mgb_mark a, b;
    size_t n = t->consumers;
    mgb_publisher_open(&p, row, t);
    mgb_js_make_streams(&p.js, row);
    double before = mgb_status_kb(t->pid, "RssAnon");
    mgb_mark_now(&a, t->pid);
    create(&p.js, n);
    mgb_mark_now(&b, t->pid);
    mgb_print(row, "create_us", (double)(b.wall - a.wall) / 1e3 / (double)n);
    mgb_print(row, "create_cpu_us", (double)(b.server - a.server) / 1e3 / (double)n);
    mgb_print(row, "bytes_new", (mgb_status_kb(t->pid, "RssAnon") - before) * 1024 / (double)n);
    if (row->payload > 0)
        mgb_publish_measured(&p, t);
    mgb_publisher_close(&p);
}

// Behind a pull request for each, a question that is answered last says that all have been taken.
void mgb_js_wake_row(const struct mgb_row *row, const struct mgb_target *t) {
    struct mgb_js j;
    mgb_js_open(&j, t);
    mgb_js_ask(&j, "$JS.API.STREAM.INFO.s00", "");
    double before = mgb_status_kb(t->pid, "RssAnon");
    for (size_t i = 0; i < t->consumers; i++) {
        char name[16], subject[64], reply[MGB_INBOX_LEN + 16], out[256];
        name_of(name, i);
        snprintf(subject, sizeof subject, "$JS.API.CONSUMER.MSG.NEXT.s00.%s", name);
        snprintf(reply, sizeof reply, "%s%zu", j.inbox, i);
        size_t len = mgb_js_put(out, sizeof out, subject, reply, "{\"batch\":1,\"expires\":300000000000}");
        mgb_conn_send_all(&j.conn, out, len);
        if (i % 100 == 99 || i + 1 == t->consumers) {
            snprintf(subject, sizeof subject, "$JS.API.CONSUMER.INFO.s00.%s", name);
            struct mgb_msg m = mgb_js_ask(&j, subject, "");
            if (memmem(m.body, m.len, "\"num_waiting\":1,", 16) == NULL)
                mgb_die("%s does not wait: %.*s", name, (int)m.len, m.body);
        }
    }
    mgb_print(row, "bytes_active", (mgb_status_kb(t->pid, "RssAnon") - before) * 1024 / (double)t->consumers);
    mgb_js_close(&j);
}

void mgb_js_fill_row(const struct mgb_row *row, const struct mgb_target *t) {
    struct mgb_publisher p;
    uint64_t start = mgb_now(), n = t->bytes / row->payload + 1;
    mgb_publisher_open(&p, row, t);
    mgb_js_make_streams(&p.js, row);
    mgb_js_make_consumer(&p.js, "reader", "explicit", "");
    mgb_publish_all(&p, n);
    mgb_print(row, "msgs_per_s", (double)n * 1e9 / (double)(mgb_now() - start));
    mgb_publisher_close(&p);
}

// A server that listens may still answer that nobody is there.
static bool fetched(struct mgb_js *j) {
    char out[256], reply[MGB_INBOX_LEN + 8];
    struct mgb_msg m;
    snprintf(reply, sizeof reply, "%sfirst", j->inbox);
    mgb_conn_send_all(&j->conn, out, mgb_js_put(out, sizeof out, "$JS.API.CONSUMER.MSG.NEXT.s00.reader", reply,
                                                "{\"batch\":1,\"expires\":1000000000}"));
    while (!mgb_js_take(j, &m))
        mgb_js_fill(j);
    return m.reply != NULL;
}

void mgb_js_first_row(const struct mgb_row *row, const struct mgb_target *t) {
    struct mgb_js j;
    uint64_t start = t->since ? t->since : mgb_now();
    while (!mgb_conn_possible(t)) {
        if (mgb_now() > start + 300 * MGB_SECOND)
            mgb_die("the server does not listen");
        usleep(1000);
    }
    mgb_print(row, "listens_ms", (double)(mgb_now() - start) / 1e6);
    mgb_js_open(&j, t);
    while (!fetched(&j))
        usleep(1000);
    mgb_print(row, "first_ms", (double)(mgb_now() - start) / 1e6);
    mgb_js_close(&j);
}
