// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Much at once: requests with random timeouts, a reader that is too slow.
#include "test/client/scenario.h"

#include <sys/socket.h>

static uint32_t random_of(uint32_t *state) { // xorshift
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

// ---- requests -------------------------------------------------------------------------------------------------------

enum { OPEN_MAX = 5000 };

struct load {
    uint32_t total, started, ended, open;
    uint32_t replies, timeouts;
    uint8_t *calls; // callbacks of each request
    bool wrong;
};

struct one {
    struct load *load;
    uint32_t id;
};

struct responder {
    uint32_t random;
    char late[1000][100]; // reply subjects that are answered later
    uint32_t n;
};

// Of four requests two are answered at once, one later, one never.
static void on_request(midge *m, const midge_msg *msg, void *user) {
    struct responder *r = user;
    uint32_t choice = random_of(&r->random) % 4;
    if (choice == 0) return;
    if (choice > 1) {
        midge_respond(m, msg, msg->data.p, msg->data.n);
        return;
    }
    char *slot = r->late[r->n++ % 1000];
    if (slot[0] != '\0') midge_publish(m, midge_cstr(slot), "late", 4);
    snprintf(slot, sizeof r->late[0], "%.*s", (int)msg->reply.n, msg->reply.p);
}

static void on_reply(midge *m, int err, const midge_msg *msg, void *user) {
    struct one *one = user;
    struct load *load = one->load;
    (void)m;
    load->calls[one->id]++;
    load->ended++;
    load->open--;
    if (err == 0) {
        char text[16];
        int n = snprintf(text, sizeof text, "%u", one->id);
        bool same = msg->data.n == (size_t)n && memcmp(msg->data.p, text, (size_t)n) == 0;
        bool late = msg->data.n == 4 && memcmp(msg->data.p, "late", 4) == 0;
        if (!same && !late) load->wrong = true; // the answer to another request
        load->replies++;
    } else if (err == MIDGE_ETIMEOUT) {
        load->timeouts++;
    } else {
        load->wrong = true;
    }
}

static void start_some(midge_conn *c, struct load *load, struct one *ones, uint32_t *random) {
    char text[16];
    while (load->started < load->total && load->open < OPEN_MAX) {
        uint32_t id = load->started;
        int n = snprintf(text, sizeof text, "%u", id);
        midge_request_opts opts = {.timeout = 1 + random_of(random) % 50};
        ones[id] = (struct one){load, id};
        int32_t rc = midge_request(midge_engine(c), MIDGE_STR("load"), MIDGE_NONE, text, (size_t)n, &opts, on_reply,
                                   &ones[id]);
        if (rc == MIDGE_EFULL) return;
        CHECK(rc > 0, "request %u: %s", id, midge_strerror(rc));
        load->started++;
        load->open++;
    }
}

// Each request ends exactly once, with its own answer or a timeout.
static void run_requests(void) {
    midge_options o = options_of_args();
    struct load load = {.total = (uint32_t)arg_number("requests", 100000)};
    struct responder *responder = calloc(1, sizeof *responder);
    struct one *ones = calloc(load.total, sizeof *ones);
    uint32_t random = (uint32_t)arg_number("seed", 1), began = now_ms();
    load.calls = calloc(load.total, 1);
    responder->random = random;
    midge_conn *server = connect_or_fail(&o);
    midge_subscribe(midge_engine(server), MIDGE_STR("load"), MIDGE_NONE, on_request, responder);
    CHECK(midge_flush_wait(server, LIMIT_MS) == 0, "flush");
    midge_conn *c = connect_or_fail(&o);
    while (load.ended < load.total) {
        start_some(c, &load, ones, &random);
        CHECK(midge_poll(c, 1) == 0 && midge_poll(server, 0) == 0, "closed");
        CHECK(now_ms() - began < 3 * LIMIT_MS, "%u of %u requests ended", load.ended, load.total);
    }
    CHECK(!load.wrong, "a request got the answer to another one, or an error");
    for (uint32_t i = 0; i < load.total; i++) {
        CHECK(load.calls[i] == 1, "request %u ended %u times", i, load.calls[i]);
    }
    CHECK(load.replies > 0 && load.timeouts > 0, "%u replies, %u timeouts", load.replies, load.timeouts);
    CHECK(load.open == 0, "%u are open", load.open);
    printf("%u replies, %u timeouts, %u ms\n", load.replies, load.timeouts, now_ms() - began);
    midge_conn_free(c);
    midge_conn_free(server);
    free(ones);
    free(responder);
    free(load.calls);
}

// Ten requests, ten answers each.
static void on_many(midge *m, int err, const midge_msg *msg, void *user) {
    unsigned *counts = user;
    (void)m;
    CHECK(err == 0, "request-many: %s", midge_strerror(err));
    counts[msg != NULL ? 0 : 1]++;
}

static void on_request_many(midge *m, const midge_msg *msg, void *user) {
    (void)user;
    for (int i = 0; i < 10; i++) {
        midge_respond(m, msg, "x", 1);
    }
    midge_respond(m, msg, NULL, 0);
}

static void run_request_many(void) {
    midge_options o = options_of_args();
    unsigned counts[2] = {0, 0};
    midge_conn *c = connect_or_fail(&o);
    midge_subscribe(midge_engine(c), MIDGE_STR("many"), MIDGE_NONE, on_request_many, NULL);
    midge_request_opts opts = {.timeout = LIMIT_MS, .max_replies = 0xffff, .sentinel = true};
    for (int i = 0; i < 10; i++) {
        CHECK(midge_request(midge_engine(c), MIDGE_STR("many"), MIDGE_NONE, "q", 1, &opts, on_many, counts) > 0, "ask");
    }
    UNTIL(c, counts[1] == 10);
    CHECK(counts[0] == 100, "%u answers", counts[0]);
    midge_conn_free(c);
}

// ---- a slow reader --------------------------------------------------------------------------------------------------

static void on_count(midge *m, const midge_msg *msg, void *user) {
    (void)m;
    (void)msg;
    (*(uint64_t *)user)++;
}

// Does not read while another publishes more than the server keeps for it (max_pending of the launcher's server); it is
// thrown out, comes back by itself and gets what is published from then on.
static void run_slow(void) {
    static const char data[60000];
    struct seen seen = {.count = {0}};
    uint64_t got = 0;
    int small = 65536;
    midge_options o = options_of_args();
    midge_conn *from = connect_or_fail(&o);
    o.on_event = on_seen;
    o.user_data = &seen;
    midge_conn *c = connect_or_fail(&o);
    setsockopt(midge_conn_fd(c), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    midge_subscribe(midge_engine(c), MIDGE_STR("flood"), MIDGE_NONE, on_count, &got);
    CHECK(midge_flush_wait(c, LIMIT_MS) == 0, "flush");
    for (int i = 0; i < 500; i++) {
        int rc = midge_publish_wait(from, MIDGE_STR("flood"), MIDGE_NONE, MIDGE_NONE, data, sizeof data, LIMIT_MS);
        CHECK(rc == 0, "publish: %s", midge_strerror(rc));
    }
    CHECK(midge_flush_wait(from, LIMIT_MS) == 0, "flush");
    UNTIL(c, seen.count[MIDGE_EVENT_RECONNECTED] == 1);
    CHECK(got < 500, "everything came");
    got = 0;
    CHECK(midge_flush_wait(c, LIMIT_MS) == 0, "flush");
    midge_publish_wait(from, MIDGE_STR("flood"), MIDGE_NONE, MIDGE_NONE, "x", 1, LIMIT_MS);
    CHECK(midge_flush_wait(from, LIMIT_MS) == 0, "flush");
    UNTIL(c, got == 1);
    midge_conn_free(c);
    midge_conn_free(from);
}

// ---- a socket that takes little -------------------------------------------------------------------------------------

struct flood {
    uint32_t next;
    bool wrong;
};

static void on_flood(midge *m, const midge_msg *msg, void *user) {
    struct flood *f = user;
    uint32_t number = 0;
    (void)m;
    if (msg->data.n >= sizeof number) memcpy(&number, msg->data.p, sizeof number);
    if (number != f->next || msg->data.n != 4 + number % 300) f->wrong = true;
    f->next++;
}

// Writes stop in the middle all the time, while more is published: everything arrives, whole and in order.
static void run_flood(void) {
    midge_options o = options_of_args();
    struct flood flood = {0};
    char data[400] = "";
    int small = 4096;
    uint32_t total = (uint32_t)arg_number("n", 50000);
    midge_conn *c = connect_or_fail(&o);
    setsockopt(midge_conn_fd(c), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    midge_subscribe(midge_engine(c), MIDGE_STR("flood"), MIDGE_NONE, on_flood, &flood);
    for (uint32_t i = 0; i < total; i++) {
        memcpy(data, &i, sizeof i);
        int rc = midge_publish_wait(c, MIDGE_STR("flood"), MIDGE_NONE, MIDGE_NONE, data, 4 + i % 300, LIMIT_MS);
        CHECK(rc == 0, "publish %u: %s", i, midge_strerror(rc));
        if (i % 50 == 0) CHECK(midge_poll(c, 0) == 0, "closed");
    }
    UNTIL(c, flood.next == total);
    CHECK(!flood.wrong, "something arrived that was not sent");
    midge_conn_free(c);
}

// Many messages at once, then silence: what TLS has taken from the socket already must be looked for there.
static void run_burst(void) {
    midge_options o = options_of_args();
    uint64_t got = 0;
    midge_conn *c = connect_or_fail(&o);
    o.recv_size = 0;
    midge_conn *from = connect_or_fail(&o);
    midge_subscribe(midge_engine(c), MIDGE_STR("burst"), MIDGE_NONE, on_count, &got);
    CHECK(midge_flush_wait(c, LIMIT_MS) == 0, "flush");
    for (int i = 0; i < 800; i++) {
        CHECK(midge_publish(midge_engine(from), MIDGE_STR("burst"), "x", 1) == 0, "publish");
    }
    CHECK(midge_flush_wait(from, LIMIT_MS) == 0, "flush");
    UNTIL(c, got == 800);
    midge_conn_free(c);
    midge_conn_free(from);
}

// ---- many subscriptions ---------------------------------------------------------------------------------------------

static void run_many_subs(void) {
    enum { SUBS = 20000 };
    midge_options o = options_of_args();
    uint64_t got = 0;
    char(*subjects)[16] = malloc(SUBS * sizeof *subjects);
    midge_conn *c = connect_or_fail(&o);
    uint32_t began = now_ms();
    for (int i = 0; i < SUBS; i++) {
        snprintf(subjects[i], sizeof subjects[i], "s.%d", i);
        int32_t rc;
        while ((rc = midge_subscribe(midge_engine(c), midge_cstr(subjects[i]), MIDGE_NONE, on_count, &got)) < 0) {
            // A turn that has made room must not wait, however long it may.
            CHECK(rc == MIDGE_EFULL && midge_poll(c, LIMIT_MS) == 0, "subscribe: %s", midge_strerror(rc));
        }
    }
    CHECK(now_ms() - began < LIMIT_MS, "turns waited although there was room");
    for (int i = 0; i < SUBS; i += 100) {
        CHECK(midge_publish_wait(c, midge_cstr(subjects[i]), MIDGE_NONE, MIDGE_NONE, "x", 1, LIMIT_MS) == 0, "publish");
    }
    UNTIL(c, got == SUBS / 100);
    midge_conn_free(c);
    free(subjects);
}

// ---- figures --------------------------------------------------------------------------------------------------------

// Not a test: publishes and receives `n` messages of 16 bytes; for a profiler.
static void run_bench(void) {
    midge_options o = options_of_args();
    uint64_t got = 0, n = (uint64_t)arg_number("n", 5000000);
    bool pub = arg("sub") == NULL, sub = arg("pub") == NULL;
    midge_conn *c = connect_or_fail(&o);
    if (sub) midge_subscribe(midge_engine(c), MIDGE_STR("bench"), MIDGE_NONE, on_count, &got);
    CHECK(midge_flush_wait(c, LIMIT_MS) == 0, "flush");
    at("go");
    uint32_t began = 0;
    if (pub) {
        began = now_ms();
        for (uint64_t i = 0; i < n; i++) {
            midge_publish_wait(c, MIDGE_STR("bench"), MIDGE_NONE, MIDGE_NONE, "0123456789abcdef", 16, MIDGE_FOREVER);
        }
        midge_flush_wait(c, MIDGE_FOREVER);
    }
    while (sub && got < n) {
        if (got > 0 && began == 0) began = now_ms();
        CHECK(midge_poll(c, LIMIT_MS) == 0, "closed");
    }
    uint32_t ms = now_ms() - began;
    printf("%llu messages, %u ms, %.0f ns each\n", (unsigned long long)n, ms, 1e6 * ms / (double)n);
    midge_conn_free(c);
}

const struct scenario load_scenarios[] = {
    {"requests", run_requests}, {"request_many", run_request_many}, {"slow", run_slow},
    {"flood", run_flood},
    {"burst", run_burst},
    {"many_subs", run_many_subs}, {"bench", run_bench}, {NULL, NULL},
};
