// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Other loops than midge_poll's: the program's own, threads, small systems. (libuv's is in scenario_uv.c.)
#include "test/client/scenario.h"

#include <pthread.h>
#include <stdatomic.h>

#include "client/port/midge_sync.h"
#include "client/port/rtos/midge_freertos.h"

static void on_echo(midge *m, const midge_msg *msg, void *user) {
    (void)user;
    midge_respond(m, msg, msg->data.p, msg->data.n);
}

// ---- a loop of the program's own ------------------------------------------------------------------------------------

struct once {
    bool done;
    int err;
    size_t n;
};

static void on_once(midge *m, int err, const midge_msg *msg, void *user) {
    struct once *once = user;
    (void)m;
    *once = (struct once){true, err, msg != NULL ? msg->data.n : 0};
}

static void run_own_poll(void) {
    midge_options o = options_of_args();
    struct once once = {0};
    char err[400];
    bool asked = false;
    midge_conn *c = midge_conn_new(&o, err, sizeof err);
    CHECK(c != NULL, "%s", err);
    midge_subscribe(midge_engine(c), MIDGE_STR("echo"), MIDGE_NONE, on_echo, NULL);
    uint32_t began = now_ms();
    while (!once.done) {
        struct pollfd p[2];
        if (!asked && midge_state_of(midge_engine(c)) == MIDGE_STATE_CONNECTED) {
            asked = midge_request(midge_engine(c), MIDGE_STR("echo"), MIDGE_NONE, "own", 3, NULL, on_once, &once) > 0;
        }
        uint32_t wait = midge_conn_timeout(c);
        midge_conn_pollfds(c, p);
        poll(p, 2, wait < 1000 ? (int)wait : 1000);
        CHECK(midge_poll(c, 0) == 0, "closed");
        CHECK(now_ms() - began < LIMIT_MS, "no answer");
    }
    CHECK(once.err == 0 && once.n == 3, "the answer");
    midge_conn_free(c);
}

// ---- threads --------------------------------------------------------------------------------------------------------

static void *wake_later(void *conn) {
    midge_wakeup(conn);
    return NULL;
}

static void run_wakeup(void) {
    midge_options o = options_of_args();
    midge_conn *c = connect_or_fail(&o);
    pthread_t thread;
    pthread_create(&thread, NULL, wake_later, c);
    uint32_t began = now_ms();
    CHECK(midge_poll(c, LIMIT_MS) == 0, "closed");
    CHECK(now_ms() - began < LIMIT_MS, "it does not wake");
    pthread_join(thread, NULL);
    midge_conn_free(c);
}

enum { THREADS = 4, EACH = 5000, ASKED = 200 };

struct shared {
    midge_sync *sync;
    atomic_uint got, next, failed;
};

static void on_shared(midge *m, const midge_msg *msg, void *user) {
    struct shared *s = user;
    if (msg->reply.n > 0) midge_respond(m, msg, msg->data.p, msg->data.n);
    atomic_fetch_add(&s->got, 1);
}

static void *share(void *arg) {
    struct shared *s = arg;
    unsigned id = atomic_fetch_add(&s->next, 1);
    char text[32];
    for (int i = 0; i < EACH; i++) {
        if (midge_sync_publish(s->sync, MIDGE_STR("count"), MIDGE_NONE, MIDGE_NONE, "x", 1, LIMIT_MS) != 0) s->failed++;
    }
    if (midge_sync_flush(s->sync, LIMIT_MS) != 0) s->failed++;
    for (int i = 0; i < ASKED; i++) {
        midge_msg *reply = NULL;
        size_t n = (size_t)snprintf(text, sizeof text, "%u.%d", id, i);
        int rc = midge_sync_request(s->sync, MIDGE_STR("ask"), MIDGE_NONE, text, n, LIMIT_MS, &reply);
        if (rc != 0 || reply->data.n != n || memcmp(reply->data.p, text, n) != 0) s->failed++;
        free(reply);
    }
    return NULL;
}

static void run_sync(void) {
    struct shared s = {.sync = NULL};
    midge_options o = options_of_args();
    pthread_t threads[THREADS];
    char err[400];
    midge_msg *reply;
    o.send_max = 8192; // so that publishers have to wait for room
    s.sync = midge_sync_connect(&o, err, sizeof err);
    CHECK(s.sync != NULL, "%s", err);
    int32_t count = midge_sync_subscribe(s.sync, MIDGE_STR("count"), MIDGE_NONE, on_shared, &s);
    int32_t ask = midge_sync_subscribe(s.sync, MIDGE_STR("ask"), MIDGE_NONE, on_shared, &s);
    CHECK(count > 0 && ask > 0, "subscribe");
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, share, &s);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK(atomic_load(&s.failed) == 0, "%u calls failed", atomic_load(&s.failed));
    CHECK(midge_sync_flush(s.sync, LIMIT_MS) == 0, "flush");
    CHECK(atomic_load(&s.got) == THREADS * (EACH + ASKED), "%u messages came", atomic_load(&s.got));
    CHECK(midge_sync_request(s.sync, MIDGE_STR("nobody"), MIDGE_NONE, NULL, 0, LIMIT_MS, &reply) ==
              MIDGE_ENORESPONDERS, "no responders");
    CHECK(midge_sync_publish(s.sync, MIDGE_STR("a..b"), MIDGE_NONE, MIDGE_NONE, NULL, 0, LIMIT_MS) == 0, "publish");
    CHECK(midge_sync_flush(s.sync, LIMIT_MS) == 0 && midge_sync_refused(s.sync) == 1, "the refused one is not counted");
    CHECK(midge_sync_unsubscribe(s.sync, ask, 0) == 0, "unsubscribe");
    CHECK(midge_sync_unsubscribe(s.sync, ask, 0) == MIDGE_EINVAL, "unsubscribe again");
    midge_sync_publish(s.sync, MIDGE_STR("count"), MIDGE_NONE, MIDGE_NONE, "x", 1, LIMIT_MS);
    CHECK(midge_sync_free(s.sync, LIMIT_MS) == 0, "drain");
    s.sync = midge_sync_connect(&o, err, sizeof err);
    CHECK(s.sync != NULL && midge_sync_free(s.sync, 0) == 0, "close at once");
}

// ---- small systems --------------------------------------------------------------------------------------------------

static void on_rtos_event(midge *m, const midge_event *event, void *user) {
    (void)m;
    (*(unsigned *)user) |= 1u << event->type;
}

// The port for small systems in static memory, over the stub of the system that this program was built with.
static void run_rtos(void) {
    static uint8_t recv_buf[2048], send_buf[1024];
    static midge_sub subs[4];
    static midge_request_slot requests[2];
    static midge m;
    midge_server server;
    midge_str user, password;
    unsigned events = 0;
    struct once once = {0};
    midge_rtos r;
    CHECK(midge_url_parse(midge_cstr(arg("servers")), &server, &user, &password) == 0, "the URL");
    midge_config config = {.recv_buf = recv_buf, .recv_size = sizeof recv_buf, .send_buf = send_buf,
                           .send_size = sizeof send_buf, .subs = subs, .subs_len = 4, .requests = requests,
                           .requests_len = 2, .servers = &server, .servers_len = 1, .reconnect_wait = 1,
                           .seed = mgc_net_seed(), .on_event = on_rtos_event, .user_data = &events};
    midge_rtos_init(&r);
    CHECK(midge_init(&m, &config) == 0, "init");
    midge_subscribe(&m, MIDGE_STR("echo"), MIDGE_NONE, on_echo, NULL);
    uint32_t began = now_ms();
    for (unsigned round = 0; round < 2; round++) {
        once = (struct once){0};
        midge_request_opts opts = {.timeout = LIMIT_MS};
        CHECK(midge_request(&m, MIDGE_STR("echo"), MIDGE_NONE, "small", 5, &opts, on_once, &once) > 0, "ask");
        while (!once.done || (events >> MIDGE_EVENT_RECONNECTED & 1) < round) {
            CHECK(midge_rtos_turn(&m, &r, 1000), "closed: %s", midge_strerror(midge_error(&m)));
            CHECK(now_ms() - began < LIMIT_MS, "no answer");
        }
        CHECK(once.err == 0 && once.n == 5, "the answer: %s", midge_strerror(once.err));
        if (round == 0) at("connected"); // the launcher restarts the server
        while (round == 0 && (events >> MIDGE_EVENT_DISCONNECTED & 1) == 0) {
            CHECK(midge_rtos_turn(&m, &r, 1000), "closed: %s", midge_strerror(midge_error(&m)));
        }
    }
    midge_drain(&m);
    while (midge_rtos_turn(&m, &r, 1000)) {
        CHECK(now_ms() - began < LIMIT_MS, "no end");
    }
    CHECK(midge_error(&m) == 0 && r.fd < 0, "the end");
}

static void on_number(midge *m, const midge_msg *msg, void *user) {
    unsigned *next = user;
    char text[16];
    (void)m;
    int n = snprintf(text, sizeof text, "%u", *next);
    CHECK(msg->data.n == (size_t)n && memcmp(msg->data.p, text, (size_t)n) == 0, "message %u is another one", *next);
    (*next)++;
}

// A task that owns an engine; this one publishes through its queue, and a connection of the ordinary kind listens.
static void run_rtos_task(void) {
    enum { MESSAGES = 200 };
    static uint8_t recv_buf[1024], send_buf[1024];
    static midge_sub subs[1];
    static midge_request_slot requests[1];
    static midge m;
    static midge_task task;
    unsigned got = 0, sent = 0;
    midge_server server;
    midge_str user, password;
    midge_options o = options_of_args();
    midge_conn *c = connect_or_fail(&o);
    midge_subscribe(midge_engine(c), MIDGE_STR("device"), MIDGE_NONE, on_number, &got);
    CHECK(midge_flush_wait(c, LIMIT_MS) == 0, "flush");
    CHECK(midge_url_parse(midge_cstr(arg("servers")), &server, &user, &password) == 0, "the URL");
    midge_config config = {.recv_buf = recv_buf, .recv_size = sizeof recv_buf, .send_buf = send_buf,
                           .send_size = sizeof send_buf, .subs = subs, .subs_len = 1, .requests = requests,
                           .requests_len = 1, .servers = &server, .servers_len = 1, .seed = mgc_net_seed()};
    CHECK(midge_init(&m, &config) == 0 && midge_task_start(&task, &m, 1) == 0, "start");
    for (uint32_t began = now_ms(); got < MESSAGES;) {
        char text[16];
        int n = snprintf(text, sizeof text, "%u", sent);
        if (sent < MESSAGES && midge_task_publish(&task, MIDGE_STR("device"), text, (size_t)n, 0) == 0) sent++;
        CHECK(midge_poll(c, sent < MESSAGES ? 0 : 1000) == 0, "closed");
        CHECK(now_ms() - began < LIMIT_MS, "%u of %u messages came", got, sent);
    }
    midge_conn_free(c);
}

const struct scenario loop_scenarios[] = {
    {"own_poll", run_own_poll}, {"wakeup", run_wakeup}, {"sync", run_sync},
    {"rtos", run_rtos}, {"rtos_task", run_rtos_task}, {NULL, NULL},
};
