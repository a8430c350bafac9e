// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

#include "test/unit/client/core/scenario.h"

#include <string.h>

// "PUB <subject> _INBOX.<22>.<token> ..." was written: the reply subject.
static midge_str reply_of(struct rig *r, const char *subject, char out[MIDGE_INBOX_MAX]) {
    r->out[r->out_n] = '\0';
    const char *p = strstr(r->out, subject);
    CHECK(p);
    p = strstr(p, "_INBOX.");
    CHECK(p);
    size_t n = 0;
    while (p[n] != ' ') n++;
    CHECK(n == 6 + 1 + 22 + 1 + 10);
    memcpy(out, p, n);
    out[n] = '\0';
    return (midge_str){out, n};
}

static void say_reply(struct rig *r, midge_str to, const char *rest) {
    char line[256];
    size_t n = strlen(rest);
    memcpy(line, "MSG ", 4);
    memcpy(line + 4, to.p, to.n);
    memcpy(line + 4 + to.n, rest, n + 1);
    rig_say(r, line);
}

static void say_nobody(struct rig *r, midge_str to) {
    char line[256];
    memcpy(line, "HMSG ", 5);
    memcpy(line + 5, to.p, to.n);
    strcpy(line + 5 + to.n, " 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n");
    rig_say(r, line);
}

static int32_t ask(struct rig *r, const char *subject, const midge_request_opts *opts) {
    int32_t id = midge_request(&r->m, midge_cstr(subject), MIDGE_NONE, "?", 1, opts, rig_on_reply, r);
    rig_run(r);
    return id;
}

static void scenario_request(struct rig *r) {
    char a[MIDGE_INBOX_MAX], b[MIDGE_INBOX_MAX];
    rig_fill(r);
    rig_connect(r);
    CHECK(ask(r, "q.a", NULL) > 0);
    midge_str to_a = reply_of(r, "PUB q.a", a);
    CHECK(strncmp(r->out, "SUB _INBOX.", 11) == 0 && strncmp(r->out + 11 + 22, ".* 1\r\nPUB q.a _INBOX.", 21) == 0);
    r->out_n = 0;
    CHECK(ask(r, "q.b", NULL) > 0);
    midge_str to_b = reply_of(r, "PUB q.b", b);
    CHECK(strncmp(r->out, "PUB q.b", 7) == 0 && strcmp(a, b) != 0);
    say_reply(r, to_b, " 1 4\r\nto b\r\n");
    say_reply(r, to_b, " 1 5\r\ntwice\r\n");
    say_reply(r, to_a, "x 1 1\r\n?\r\n"); // no such token
    say_reply(r, (midge_str){a, to_a.n - 1}, "~ 1 1\r\n?\r\n");
    say_reply(r, (midge_str){a, to_a.n - 10}, "~~~~~~~~~~ 1 1\r\n?\r\n");
    say_reply(r, (midge_str){a, to_a.n - 10}, "__________ 1 1\r\n?\r\n");
    say_reply(r, to_a, " 1 4\r\nto a\r\n");
    rig_saw(r, "reply 0 to b\nreply 0 to a\n");
    // A slot that is used again has another token.
    r->out_n = 0;
    CHECK(ask(r, "q.c", NULL) > 0);
    say_reply(r, to_a, " 1 4\r\nlate\r\n");
    rig_saw(r, "");
    char c[MIDGE_INBOX_MAX];
    say_reply(r, reply_of(r, "PUB q.c", c), " 1 0\r\n\r\n");
    rig_saw(r, "reply 0 \n");
}

static void scenario_no_responders(struct rig *r) {
    char a[MIDGE_INBOX_MAX];
    rig_fill(r);
    rig_connect(r);
    ask(r, "q", NULL);
    say_nobody(r, reply_of(r, "PUB q", a));
    rig_saw(r, "reply -9\n");
    r->out_n = 0;
    ask(r, "q", &(midge_request_opts){.max_replies = 5});
    say_nobody(r, reply_of(r, "PUB q", a));
    rig_saw(r, "reply -9\n");
}

static void scenario_request_timeout(struct rig *r) {
    rig_fill(r);
    rig_connect(r);
    ask(r, "q", &(midge_request_opts){.timeout = 300});
    ask(r, "q", &(midge_request_opts){.timeout = 100});
    ask(r, "q", NULL);
    int32_t gone = ask(r, "q", &(midge_request_opts){.timeout = 50});
    CHECK(midge_request_cancel(&r->m, gone) == 0);
    CHECK(midge_request_cancel(&r->m, gone) == MIDGE_EINVAL);
    CHECK(midge_request_cancel(&r->m, 0) == MIDGE_EINVAL && midge_request_cancel(&r->m, -1) == MIDGE_EINVAL);
    rig_later(r, 99);
    rig_saw(r, "");
    rig_later(r, 1);
    rig_saw(r, "reply -8\n");
    rig_later(r, 200);
    rig_saw(r, "reply -8\n");
    rig_later(r, 4699);
    rig_saw(r, "");
    rig_later(r, 1);
    rig_saw(r, "reply -8\n");
}

static void scenario_request_errors(struct rig *r) {
    rig_fill(r);
    rig_connect(r);
    CHECK(ask(r, "q.*", NULL) == MIDGE_ESUBJECT);
    CHECK(midge_request(&r->m, MIDGE_STR("q"), MIDGE_NONE, "", 0, NULL, NULL, NULL) == MIDGE_EINVAL);
    for (int i = 0; i < 8; i++) CHECK(ask(r, "q", NULL) > 0);
    CHECK(ask(r, "q", NULL) == MIDGE_ETABLE);
    static midge_request_slot more[9];
    CHECK(midge_replace_requests(&r->m, more, 8) == MIDGE_EINVAL);
    CHECK(midge_replace_requests(&r->m, more, 9) == 0);
    r->out_n = 0;
    CHECK(ask(r, "q", NULL) == 9);
    char a[MIDGE_INBOX_MAX];
    say_reply(r, reply_of(r, "PUB q", a), " 1 1\r\n9\r\n");
    rig_saw(r, "reply 0 9\n");
    midge_close(&r->m);
    rig_run(r);
    rig_saw(r, "reply -6\nreply -6\nreply -6\nreply -6\nreply -6\nreply -6\nreply -6\nreply -6\nclosed\nclose\n");
    CHECK(ask(r, "q", NULL) == MIDGE_ECLOSED);
    // No place for the inbox
    rig_fill(r);
    r->config.subs_len = 1;
    rig_connect(r);
    CHECK(midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, rig_on_msg, r) > 0);
    CHECK(ask(r, "q", NULL) == MIDGE_ETABLE);
}

// Requests outlive a reconnect.
static void scenario_request_reconnect(struct rig *r) {
    char a[MIDGE_INBOX_MAX], b[MIDGE_INBOX_MAX];
    rig_fill(r);
    rig_connect(r);
    ask(r, "q.a", NULL);
    midge_str to_a = reply_of(r, "PUB q.a", a);
    rig_cut(r);
    ask(r, "q.b", NULL);
    rig_later(r, 200);
    rig_say(r, RIG_INFO);
    rig_say(r, "PONG\r\n");
    midge_str to_b = reply_of(r, "PUB q.b", b);
    CHECK(strstr(r->out, "SUB _INBOX.") && !strstr(r->out, "q.a"));
    say_reply(r, to_a, " 1 1\r\na\r\n");
    say_reply(r, to_b, " 1 1\r\nb\r\n");
    rig_saw(r, "disconnected -10\nopen a\nreconnected\nreply 0 a\nreply 0 b\n");
}

static void scenario_many(struct rig *r) {
    char a[MIDGE_INBOX_MAX];
    rig_fill(r);
    rig_connect(r);
    // so many
    ask(r, "q", &(midge_request_opts){.max_replies = 2});
    midge_str to = reply_of(r, "PUB q", a);
    say_reply(r, to, " 1 1\r\n1\r\n");
    say_reply(r, to, " 1 1\r\n2\r\n");
    say_reply(r, to, " 1 1\r\n3\r\n");
    rig_saw(r, "reply 0 1\nreply 0 2\nreply 0\n");
    // until an empty one
    r->out_n = 0;
    ask(r, "q", &(midge_request_opts){.max_replies = 0xffff, .sentinel = true});
    to = reply_of(r, "PUB q", a);
    say_reply(r, to, " 1 1\r\n1\r\n");
    say_reply(r, to, " 1 0\r\n\r\n");
    say_reply(r, to, " 1 1\r\n2\r\n");
    rig_saw(r, "reply 0 1\nreply 0\n");
    // until it stalls, at most until the timeout
    r->out_n = 0;
    ask(r, "q", &(midge_request_opts){.max_replies = 0xffff, .timeout = 250, .stall = 100});
    to = reply_of(r, "PUB q", a);
    rig_later(r, 150);
    rig_saw(r, "");
    say_reply(r, to, " 1 1\r\n1\r\n");
    rig_later(r, 50);
    say_reply(r, to, " 1 0\r\n\r\n");
    rig_later(r, 49);
    rig_saw(r, "reply 0 1\nreply 0 \n");
    rig_later(r, 1);
    rig_saw(r, "reply 0\n");
    r->out_n = 0;
    ask(r, "q", &(midge_request_opts){.max_replies = 3, .timeout = 250, .stall = 100});
    say_reply(r, reply_of(r, "PUB q", a), " 1 1\r\n1\r\n");
    rig_later(r, 99);
    rig_saw(r, "reply 0 1\n");
    rig_later(r, 1);
    rig_saw(r, "reply 0\n");
    // nothing at all
    ask(r, "q", &(midge_request_opts){.max_replies = 3, .timeout = 250, .stall = 100});
    rig_later(r, 249);
    rig_saw(r, "");
    rig_later(r, 1);
    rig_saw(r, "reply -8\n");
}

static int32_t to_cancel;

static void cancels(midge *m, int err, const midge_msg *msg, void *user) {
    rig_on_reply(m, err, msg, user);
    CHECK(midge_request_cancel(m, to_cancel) == 0);
    // takes the very slot
    CHECK(midge_request(m, MIDGE_STR("next"), MIDGE_NONE, "", 0, NULL, rig_on_reply, user) > 0);
}

static void scenario_cancel_in_callback(struct rig *r) {
    char a[MIDGE_INBOX_MAX];
    rig_fill(r);
    rig_connect(r);
    midge_request_opts opts = {.max_replies = 1000};
    to_cancel = midge_request(&r->m, MIDGE_STR("q"), MIDGE_NONE, "", 0, &opts, cancels, r);
    rig_run(r);
    midge_str to = reply_of(r, "PUB q", a);
    say_reply(r, to, " 1 1\r\n1\r\n");
    say_reply(r, to, " 1 1\r\n2\r\n");
    rig_saw(r, "reply 0 1\n");
    CHECK(ask(r, "q", NULL) > 0);
}

// All orders of deadlines and answers keep the heap a heap.
static void scenario_heap(struct rig *r) {
    static midge_request_slot slots[64];
    uint32_t x = 12345;
    rig_fill(r);
    r->config.requests = slots;
    r->config.requests_len = 64;
    rig_connect(r);
    int32_t ids[64];
    size_t n = 0;
    for (int round = 0; round < 600; round++) {
        x = x * 1664525u + 1013904223u;
        if (n < 64 && x >> 30) {
            midge_request_opts opts = {.timeout = 1 + (x >> 8) % 1000};
            ids[n] = midge_request(&r->m, MIDGE_STR("q"), MIDGE_NONE, "", 0, &opts, rig_on_reply, r);
            CHECK(ids[n++] > 0);
        } else if (n) {
            size_t i = (x >> 8) % n;
            CHECK(midge_request_cancel(&r->m, ids[i]) == 0);
            ids[i] = ids[--n];
        }
        rig_run(r);
        r->out_n = 0;
        uint32_t least = UINT32_MAX;
        for (size_t i = 0; i < n; i++) {
            uint32_t deadline = slots[(ids[i] & 0xfffff) - 1].deadline - r->m.now;
            if (deadline < least) least = deadline;
        }
        CHECK(!n || midge_tick(&r->m, r->now) == least);
    }
    rig_saw(r, "");
    rig_later(r, 1000);
    CHECK(r->log_n == n * strlen("reply -8\n"));
    r->log_n = 0;
}

static void scenario_inbox(struct rig *r) {
    char a[MIDGE_INBOX_MAX], b[MIDGE_INBOX_MAX];
    rig_fill(r);
    r->config.inbox_prefix = MIDGE_STR("my.box");
    CHECK(midge_init(&r->m, &r->config) == 0);
    CHECK(midge_inbox(&r->m, a, sizeof(a)) == 29 && strlen(a) == 29 && strncmp(a, "my.box.", 7) == 0);
    CHECK(midge_inbox(&r->m, b, sizeof(b)) == 29 && strcmp(a, b) != 0);
    CHECK(midge_inbox(&r->m, a, 30) == 29 && midge_inbox(&r->m, a, 29) == MIDGE_ETOOLARGE);
    for (const char *p = a + 7; *p; p++) CHECK(*p > ' ' && *p != '.' && *p != '*' && *p != '>');
    r->config.seed++;
    CHECK(midge_init(&r->m, &r->config) == 0);
    midge_inbox(&r->m, a, sizeof(a));
    CHECK(strcmp(a + 7, b + 7) != 0);
}

const struct scenario scenarios_request[] = {
    {"request", scenario_request},
    {"no responders", scenario_no_responders},
    {"request timeout", scenario_request_timeout},
    {"request errors", scenario_request_errors},
    {"request over a reconnect", scenario_request_reconnect},
    {"several replies", scenario_many},
    {"cancel in callback", scenario_cancel_in_callback},
    {"heap of deadlines", scenario_heap},
    {"inbox", scenario_inbox},
    {NULL, NULL},
};
