// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// One connection, or a refusal; what a connection does while all is well.
#include "test/client/scenario.h"

static void on_echo(midge *m, const midge_msg *msg, void *user) {
    (void)user;
    midge_publish_full(m, msg->reply, MIDGE_NONE, msg->headers, msg->data.p, msg->data.n);
}

// Everything that a working connection can do once.
static void round_trip(midge_conn *c) {
    midge *m = midge_engine(c);
    const midge_msg *reply = NULL;
    char block[200];
    midge_headers h;
    midge_str headers;
    midge_headers_begin(&h, block, sizeof block);
    midge_headers_add(&h, MIDGE_STR("Colour"), MIDGE_STR("green"));
    CHECK(midge_headers_end(&h, &headers) == 0, "headers");
    int32_t sub = midge_subscribe(m, MIDGE_STR("echo.*"), MIDGE_STR("workers"), on_echo, NULL);
    CHECK(sub > 0, "subscribe: %s", midge_strerror(sub));
    int rc = midge_request_wait(c, MIDGE_STR("echo.one"), headers, "hello", 5, LIMIT_MS, &reply);
    CHECK(rc == 0, "request: %s", midge_strerror(rc));
    CHECK(reply->data.n == 5 && memcmp(reply->data.p, "hello", 5) == 0, "the reply is another one");
    midge_str colour = midge_headers_get(reply->headers, MIDGE_STR("Colour"));
    CHECK(colour.n == 5 && memcmp(colour.p, "green", 5) == 0, "the header is lost");
    rc = midge_request_wait(c, MIDGE_STR("nobody.there"), MIDGE_NONE, NULL, 0, LIMIT_MS, &reply);
    CHECK(rc == MIDGE_ENORESPONDERS, "no responders: %s", midge_strerror(rc));
    CHECK(midge_flush_wait(c, LIMIT_MS) == 0, "flush");
    CHECK(midge_unsubscribe(m, sub, 0) == 0 && !midge_sub_alive(m, sub), "unsubscribe");
    CHECK(midge_poll(c, 0) == 0, "poll");
}

static void run_round_trip(void) {
    midge_options o = options_of_args();
    midge_conn *c = connect_or_fail(&o);
    round_trip(c);
    CHECK(midge_drain_wait(c, LIMIT_MS) == 0, "drain");
    CHECK(midge_poll(c, 0) == MIDGE_ECLOSED, "it polls after the end");
    midge_conn_free(c);
}

// The connection must fail, with a sentence that has `expect` in it and, if said, the error `code`.
static void run_refused(void) {
    midge_options o = options_of_args();
    char err[400] = "";
    const char *expect = arg("expect");
    midge_conn *c = midge_connect(&o, err, sizeof err);
    CHECK(c == NULL, "it connects");
    CHECK(strstr(err, expect) != NULL, "the sentence is `%s`, without `%s`", err, expect);
}

// A server that is there but does not let us in is tried again; the reason can be asked for.
static void run_refused_for_ever(void) {
    midge_options o = options_of_args();
    char err[400] = "";
    o.retry_first = true;
    midge_conn *c = midge_conn_new(&o, err, sizeof err);
    CHECK(c != NULL, "%s", err);
    CHECK(midge_connect_wait(c, 100) == MIDGE_ETIMEOUT, "it does not go on trying");
    CHECK(midge_conn_error(c, err, sizeof err) == MIDGE_ECONNECT, "the reason is `%s`", err);
    CHECK(strstr(err, arg("expect")) != NULL, "the sentence is `%s`", err);
    midge_conn_free(c);
}

// Asks once; the answer has no error of JetStream's, and has `expect` in it.
static void run_ask(void) {
    midge_options o = options_of_args();
    midge_conn *c = connect_or_fail(&o);
    const midge_msg *reply;
    const char *data = arg("data"), *expect = arg("expect");
    int rc = midge_request_wait(c, midge_cstr(arg("subject")), MIDGE_NONE, data, strlen(data), LIMIT_MS, &reply);
    CHECK(rc == 0, "request: %s", midge_strerror(rc));
    char *text = calloc(1, reply->data.n + 1);
    memcpy(text, reply->data.p, reply->data.n);
    CHECK(strstr(text, "\"error\"") == NULL && (expect == NULL || strstr(text, expect) != NULL), "%s", text);
    free(text);
    midge_conn_free(c);
}

struct listener {
    unsigned got;
};

static void on_listen(midge *m, const midge_msg *msg, void *user) {
    struct listener *l = user;
    (void)m;
    (void)msg;
    at("message %u", ++l->got);
}

// Tells the launcher of `n` messages.
static void run_listen(void) {
    struct listener l = {0};
    midge_options o = options_of_args();
    midge_conn *c = connect_or_fail(&o);
    midge_subscribe(midge_engine(c), midge_cstr(arg("subject")), MIDGE_NONE, on_listen, &l);
    CHECK(midge_flush_wait(c, LIMIT_MS) == 0, "flush");
    at("ready");
    UNTIL(c, l.got >= (unsigned)arg_number("n", 1));
    midge_conn_free(c);
}

// ---- permissions ----------------------------------------------------------------------------------------------------

static void on_nothing(midge *m, const midge_msg *msg, void *user) {
    (void)m;
    (void)msg;
    (void)user;
}

static void run_permissions(void) {
    struct seen seen = {.count = {0}};
    midge_options o = options_of_args();
    o.on_event = on_seen;
    o.user_data = &seen;
    midge_conn *c = connect_or_fail(&o);
    midge *m = midge_engine(c);
    CHECK(midge_publish(m, MIDGE_STR("secret.pub"), "x", 1) == 0, "publish");
    UNTIL(c, seen.count[MIDGE_EVENT_PERMISSION] == 1);
    CHECK(seen.publish && strcmp(seen.subject, "secret.pub") == 0, "the event names %s", seen.subject);
    CHECK(midge_subscribe(m, MIDGE_STR("secret.sub"), MIDGE_NONE, on_nothing, NULL) > 0, "subscribe");
    UNTIL(c, seen.count[MIDGE_EVENT_PERMISSION] == 2);
    CHECK(!seen.publish && strcmp(seen.subject, "secret.sub") == 0, "the event names %s", seen.subject);
    CHECK(seen.count[MIDGE_EVENT_DISCONNECTED] == 0, "it is disconnected");
    round_trip(c);
    midge_conn_free(c);
}

// ---- drain ----------------------------------------------------------------------------------------------------------

enum { DRAINED = 3000 };

static void on_count(midge *m, const midge_msg *msg, void *user) {
    (void)m;
    (void)msg;
    (*(unsigned *)user)++;
}

// All that was published before the drain arrives, here and elsewhere; what a callback publishes meanwhile too.
static void run_drain(void) {
    struct seen seen = {.count = {0}};
    midge_options o = options_of_args();
    unsigned here = 0, there = 0;
    midge_conn *other = connect_or_fail(&o);
    midge_subscribe(midge_engine(other), MIDGE_STR("drain.out"), MIDGE_NONE, on_count, &there);
    midge_subscribe(midge_engine(other), MIDGE_STR("ready"), MIDGE_NONE, on_echo, NULL);
    CHECK(midge_flush_wait(other, LIMIT_MS) == 0, "flush");
    o.on_event = on_seen;
    o.user_data = &seen;
    midge_conn *c = connect_or_fail(&o);
    midge *m = midge_engine(c);
    midge_subscribe(m, MIDGE_STR("drain.in"), MIDGE_NONE, on_count, &here);
    midge_subscribe(m, MIDGE_STR("drain.in"), MIDGE_STR("group"), on_count, &here);
    CHECK(midge_flush_wait(c, LIMIT_MS) == 0, "flush");
    for (int i = 0; i < DRAINED; i++) {
        CHECK(midge_publish_wait(other, MIDGE_STR("drain.in"), MIDGE_NONE, MIDGE_NONE, "in", 2, LIMIT_MS) == 0, "in");
    }
    CHECK(midge_flush_wait(other, LIMIT_MS) == 0, "flush");
    for (int i = 0; i < DRAINED; i++) {
        CHECK(midge_publish_wait(c, MIDGE_STR("drain.out"), MIDGE_NONE, MIDGE_NONE, "out", 3, LIMIT_MS) == 0, "out");
    }
    CHECK(midge_drain_wait(c, LIMIT_MS) == 0, "drain");
    CHECK(here == 2 * DRAINED, "%u messages arrived before the end", here);
    CHECK(seen.count[MIDGE_EVENT_CLOSED] == 1 && seen.closed_err == 0, "the event of the end");
    CHECK(midge_publish(m, MIDGE_STR("drain.out"), "x", 1) == MIDGE_ECLOSED, "it publishes after the end");
    UNTIL(other, there == DRAINED);
    midge_conn_free(c);
    midge_conn_free(other);
}

// ---- large messages -------------------------------------------------------------------------------------------------

struct large {
    size_t n;
    bool right;
};

static void on_large(midge *m, const midge_msg *msg, void *user) {
    struct large *l = user;
    (void)m;
    l->n = msg->data.n;
    l->right = true;
    for (size_t i = 0; i < msg->data.n && l->right; i++) {
        l->right = (unsigned char)msg->data.p[i] == (unsigned char)(i * 7 + i / 4096);
    }
}

// Buffers of a few KB grow for messages of up to 8 MB, in both directions.
static void run_large(void) {
    struct seen seen = {.count = {0}};
    midge_options o = options_of_args();
    o.recv_size = o.send_size = 4096;
    o.on_event = on_seen;
    o.user_data = &seen;
    midge_conn *c = connect_or_fail(&o);
    struct large got = {0};
    size_t max = (size_t)arg_number("size", 8 << 20);
    char *data = malloc(max + 1);
    for (size_t i = 0; i <= max; i++) {
        data[i] = (char)(unsigned char)(i * 7 + i / 4096);
    }
    midge_subscribe(midge_engine(c), MIDGE_STR("large"), MIDGE_NONE, on_large, &got);
    for (size_t n = 1000; n <= max; n = n < max && n * 8 > max ? max : n * 8) {
        got = (struct large){0};
        int rc = midge_publish_wait(c, MIDGE_STR("large"), MIDGE_NONE, MIDGE_NONE, data, n, LIMIT_MS);
        CHECK(rc == 0, "publish %zu: %s", n, midge_strerror(rc));
        UNTIL(c, got.n != 0);
        CHECK(got.n == n && got.right, "%zu bytes of %zu arrived", got.n, n);
    }
    CHECK(seen.count[MIDGE_EVENT_TOO_LARGE] == 0, "the program heard of growing");
    int rc = midge_publish_wait(c, MIDGE_STR("large"), MIDGE_NONE, MIDGE_NONE, data, max + 1, LIMIT_MS);
    CHECK(rc == MIDGE_ETOOLARGE, "more than the server takes: %s", midge_strerror(rc));
    free(data);
    midge_conn_free(c);
}

// With a small max_message a larger one is skipped, with an event, and the connection goes on.
static void run_skipped(void) {
    struct seen seen = {.count = {0}};
    midge_options o = options_of_args();
    static const char data[40000];
    struct large got = {0};
    midge_conn *from = connect_or_fail(&o);
    o.recv_size = 4096;
    o.max_message = 10000;
    o.on_event = on_seen;
    o.user_data = &seen;
    midge_conn *c = connect_or_fail(&o);
    midge_subscribe(midge_engine(c), MIDGE_STR("skip"), MIDGE_NONE, on_large, &got);
    CHECK(midge_flush_wait(c, LIMIT_MS) == 0, "flush");
    midge_publish_wait(from, MIDGE_STR("skip"), MIDGE_NONE, MIDGE_NONE, data, sizeof data, LIMIT_MS);
    midge_publish_wait(from, MIDGE_STR("skip"), MIDGE_NONE, MIDGE_NONE, data, 9000, LIMIT_MS);
    CHECK(midge_flush_wait(from, LIMIT_MS) == 0, "flush");
    UNTIL(c, got.n != 0);
    CHECK(got.n == 9000, "%zu bytes arrived", got.n);
    CHECK(seen.count[MIDGE_EVENT_TOO_LARGE] == 1, "the event");
    CHECK(midge_stats_of(midge_engine(c)).dropped_msgs == 1, "the count");
    midge_conn_free(from);
    midge_conn_free(c);
}

const struct scenario basic_scenarios[] = {
    {"round_trip", run_round_trip}, {"refused", run_refused}, {"refused_for_ever", run_refused_for_ever},
    {"ask", run_ask}, {"listen", run_listen},
    {"permissions", run_permissions}, {"drain", run_drain}, {"large", run_large}, {"skipped", run_skipped},
    {NULL, NULL},
};
