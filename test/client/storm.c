// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Servers that die, come back, move, cut in the middle, or do not answer.
#include "test/client/scenario.h"

// Numbered messages to ourselves.
struct flow {
    uint64_t sent, got, last;
    bool wrong;
};

static void on_number(midge *m, const midge_msg *msg, void *user) {
    struct flow *f = user;
    char text[24] = "";
    (void)m;
    memcpy(text, msg->data.p, msg->data.n < 23 ? msg->data.n : 23);
    uint64_t n = strtoull(text, NULL, 10);
    if (n <= f->last) f->wrong = true; // twice, or out of order
    f->last = n;
    f->got++;
}

static int send_number(midge_conn *c, struct flow *f, midge_str subject) {
    char text[24];
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)f->sent + 1);
    int rc = midge_publish(midge_engine(c), subject, text, (size_t)n);
    if (rc == 0) f->sent++;
    return rc;
}

// The launcher kills and restarts the server at each `at`. Nothing arrives twice, subscriptions are back each time.
static void run_storm(void) {
    struct seen seen = {.count = {0}};
    struct flow flow = {0};
    midge_options o = options_of_args();
    unsigned rounds = (unsigned)arg_number("rounds", 20);
    o.on_event = on_seen;
    o.user_data = &seen;
    midge_conn *c = connect_or_fail(&o);
    midge_subscribe(midge_engine(c), MIDGE_STR("storm.*"), MIDGE_NONE, on_number, &flow);
    for (unsigned round = 0; round < rounds; round++) {
        uint64_t before = flow.got;
        at("round");
        for (uint32_t began = now_ms(); seen.count[MIDGE_EVENT_RECONNECTED] <= round || flow.got < before + 50;) {
            for (int i = 0; i < 50; i++) {
                send_number(c, &flow, MIDGE_STR("storm.x")); // refused when the buffer is full
            }
            CHECK(midge_poll(c, 1) == 0, "closed");
            CHECK(now_ms() - began < LIMIT_MS, "round %u does not end", round);
        }
    }
    CHECK(!flow.wrong, "a message came twice or out of order");
    CHECK(seen.count[MIDGE_EVENT_DISCONNECTED] == rounds, "%u disconnections", seen.count[MIDGE_EVENT_DISCONNECTED]);
    CHECK(midge_stats_of(midge_engine(c)).reconnects == rounds, "the count of reconnects");
    midge_conn_free(c);
}

// ---- a server of the launcher's that cuts at every byte -------------------------------------------------------------

struct script {
    unsigned got, rounds, next;
    bool wrong, end;
};

static void on_script(midge *m, const midge_msg *msg, void *user) {
    static const char *const bodies[] = {"", "one", "line\r\nbreak", "MSG x 1 3\r\nabc"};
    struct script *s = user;
    (void)m;
    if (msg->data.n == 3 && memcmp(msg->data.p, "end", 3) == 0) {
        s->end = true;
        return;
    }
    const char *body = bodies[s->next % 4];
    if (s->next >= 4 || msg->data.n != strlen(body) || memcmp(msg->data.p, body, msg->data.n) != 0) s->wrong = true;
    s->next++;
    s->got++;
}

static void on_script_event(midge *m, const midge_event *event, void *user) {
    struct script *s = user;
    (void)m;
    if (event->type == MIDGE_EVENT_DISCONNECTED) s->next = 0;
    if (event->type == MIDGE_EVENT_RECONNECTED) s->rounds++;
}

// On each connection a prefix of the script arrives, in order, whole messages only.
static void run_cut(void) {
    struct script script = {0};
    midge_options o = options_of_args();
    o.on_event = on_script_event;
    o.user_data = &script;
    o.retry_first = true;
    midge_conn *c = connect_or_fail(&o);
    CHECK(midge_subscribe(midge_engine(c), MIDGE_STR("x"), MIDGE_NONE, on_script, &script) > 0, "subscribe");
    UNTIL(c, script.end);
    CHECK(!script.wrong, "a message was not what the server sent");
    CHECK(script.got > 4, "messages came");
    CHECK(script.rounds > 50, "%u reconnects", script.rounds);
    midge_conn_free(c);
}

// A server that takes the connection and then does not answer pings.
static void run_stale(void) {
    struct seen seen = {.count = {0}};
    midge_options o = options_of_args();
    char err[400];
    o.ping_interval = 20;
    o.on_event = on_seen;
    o.user_data = &seen;
    midge_conn *c = connect_or_fail(&o);
    UNTIL(c, seen.count[MIDGE_EVENT_DISCONNECTED] == 1);
    CHECK(midge_conn_error(c, err, sizeof err) == MIDGE_ESTALE, "the reason is `%s`", err);
    UNTIL(c, seen.count[MIDGE_EVENT_RECONNECTED] == 1);
    midge_conn_free(c);
}

// ---- moving ---------------------------------------------------------------------------------------------------------

// The first server says that it goes, then goes; subscriptions live on at the second.
static void run_lame_duck(void) {
    struct seen seen = {.count = {0}};
    struct flow flow = {0};
    midge_options o = options_of_args();
    char first[300];
    o.on_event = on_seen;
    o.user_data = &seen;
    midge_conn *c = connect_or_fail(&o);
    midge_subscribe(midge_engine(c), MIDGE_STR("duck"), MIDGE_NONE, on_number, &flow);
    CHECK(midge_flush_wait(c, LIMIT_MS) == 0, "flush");
    snprintf(first, sizeof first, "%s", midge_conn_server(c));
    at("connected");
    UNTIL(c, seen.count[MIDGE_EVENT_LAME_DUCK] == 1);
    CHECK(midge_state_of(midge_engine(c)) == MIDGE_STATE_CONNECTED, "it does not stay until the end");
    at("warned");
    UNTIL(c, seen.count[MIDGE_EVENT_RECONNECTED] == 1);
    CHECK(strcmp(first, midge_conn_server(c)) != 0, "it is at %s again", first);
    send_number(c, &flow, MIDGE_STR("duck"));
    UNTIL(c, flow.got == 1);
    midge_conn_free(c);
}

// Of several servers some are there. The launcher kills the one that is used, `rounds` times.
static void run_fail_over(void) {
    struct seen seen = {.count = {0}};
    struct flow flow = {0};
    midge_options o = options_of_args();
    unsigned rounds = (unsigned)arg_number("rounds", 2);
    o.on_event = on_seen;
    o.user_data = &seen;
    midge_conn *c = connect_or_fail(&o);
    midge_subscribe(midge_engine(c), MIDGE_STR("over"), MIDGE_NONE, on_number, &flow);
    for (unsigned round = 0; round < rounds; round++) {
        CHECK(midge_flush_wait(c, LIMIT_MS) == 0, "flush");
        at("server %s", midge_conn_server(c));
        UNTIL(c, seen.count[MIDGE_EVENT_RECONNECTED] == round + 1);
        send_number(c, &flow, MIDGE_STR("over"));
        UNTIL(c, flow.got == round + 1);
    }
    midge_conn_free(c);
}

// Told never to reconnect, and told to give up.
static void run_give_up(void) {
    struct seen seen = {.count = {0}};
    struct flow flow = {0};
    midge_options o = options_of_args();
    const midge_msg *reply;
    char err[400];
    o.max_reconnects = (int32_t)arg_number("max_reconnects", -1);
    o.on_event = on_seen;
    o.user_data = &seen;
    midge_conn *c = connect_or_fail(&o);
    midge_subscribe(midge_engine(c), MIDGE_STR("silent"), MIDGE_NONE, on_number, &flow);
    at("connected");
    int rc = midge_request_wait(c, MIDGE_STR("silent"), MIDGE_NONE, NULL, 0, LIMIT_MS, &reply);
    CHECK(rc == MIDGE_ECLOSED, "the request ends with `%s`", midge_strerror(rc));
    rc = midge_poll(c, 0);
    midge_conn_error(c, err, sizeof err);
    CHECK(rc == (o.max_reconnects < 0 ? MIDGE_EDISCONNECTED : MIDGE_ECONNECT), "it ends with %d, `%s`", rc, err);
    CHECK(seen.count[MIDGE_EVENT_CLOSED] == 1, "%u events of the end", seen.count[MIDGE_EVENT_CLOSED]);
    midge_conn_free(c);
}

// ---- what waits while there is no server ----------------------------------------------------------------------------

// REFUSE: what was accepted arrives, all of it and in order. The launcher kills at `connected`, restarts at `full`.
static void run_pending_refuse(void) {
    struct seen seen = {.count = {0}};
    struct flow flow = {0};
    midge_options o = options_of_args();
    o.send_max = 100000;
    o.on_event = on_seen;
    o.user_data = &seen;
    midge_conn *c = connect_or_fail(&o);
    midge_subscribe(midge_engine(c), MIDGE_STR("wait"), MIDGE_NONE, on_number, &flow);
    CHECK(midge_flush_wait(c, LIMIT_MS) == 0, "flush");
    at("connected");
    UNTIL(c, seen.count[MIDGE_EVENT_DISCONNECTED] == 1);
    while (send_number(c, &flow, MIDGE_STR("wait")) == 0) {
    }
    CHECK(send_number(c, &flow, MIDGE_STR("wait")) == MIDGE_EFULL, "not full");
    CHECK(midge_pending_bytes(midge_engine(c)) > 90000, "%zu bytes wait", midge_pending_bytes(midge_engine(c)));
    CHECK(midge_pending_bytes(midge_engine(c)) <= 100000, "%zu bytes wait", midge_pending_bytes(midge_engine(c)));
    int rc = midge_publish_wait(c, MIDGE_STR("wait"), MIDGE_NONE, MIDGE_NONE, "larger than a number", 20, 10);
    CHECK(rc == MIDGE_ETIMEOUT, "it waits for room: %s", midge_strerror(rc));
    at("full");
    UNTIL(c, flow.got == flow.sent);
    CHECK(!flow.wrong && flow.last == flow.sent, "something is lost");
    CHECK(seen.dropped == 0, "something is dropped");
    midge_conn_free(c);
}

// DROP_OLDEST: publishing never fails, the newest arrive in order, the rest is told of.
static void run_pending_drop(void) {
    struct seen seen = {.count = {0}};
    struct flow flow = {0};
    midge_options o = options_of_args();
    o.send_max = 70000;
    o.pending = MIDGE_PENDING_DROP_OLDEST;
    o.on_event = on_seen;
    o.user_data = &seen;
    midge_conn *c = connect_or_fail(&o);
    midge_subscribe(midge_engine(c), MIDGE_STR("wait"), MIDGE_NONE, on_number, &flow);
    CHECK(midge_flush_wait(c, LIMIT_MS) == 0, "flush");
    at("connected");
    UNTIL(c, seen.count[MIDGE_EVENT_DISCONNECTED] == 1);
    for (int i = 0; i < 20000; i++) {
        CHECK(send_number(c, &flow, MIDGE_STR("wait")) == 0, "message %d is refused", i);
    }
    at("full");
    UNTIL(c, flow.last == flow.sent);
    CHECK(!flow.wrong && flow.got < flow.sent, "all %llu came", (unsigned long long)flow.got);
    CHECK(seen.dropped > 0, "no event tells of it");
    CHECK(midge_stats_of(midge_engine(c)).dropped_msgs == flow.sent - flow.got, "the count is wrong");
    midge_conn_free(c);
}

const struct scenario storm_scenarios[] = {
    {"storm", run_storm}, {"cut", run_cut}, {"stale", run_stale}, {"lame_duck", run_lame_duck},
    {"fail_over", run_fail_over}, {"give_up", run_give_up}, {"pending_refuse", run_pending_refuse},
    {"pending_drop", run_pending_drop}, {NULL, NULL},
};
