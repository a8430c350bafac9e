// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

#include "test/unit/client/core/scenario.h"

#include <string.h>

static void scenario_flush(struct rig *r) {
    midge_flush_op a, b, c;
    rig_fill(r);
    rig_connect(r);
    CHECK(midge_flush(&r->m, &a, 1000, NULL, r) == MIDGE_EINVAL);
    midge_publish(&r->m, MIDGE_STR("x"), "", 0);
    CHECK(midge_flush(&r->m, &a, 1000, rig_on_flush, r) == 0);
    CHECK(midge_flush(&r->m, &b, 50, rig_on_flush, r) == 0);
    CHECK(midge_flush(&r->m, &c, 0, rig_on_flush, r) == 0);
    rig_run(r);
    rig_wrote(r, "PUB x 0\r\n\r\nPING\r\nPING\r\nPING\r\n");
    rig_later(r, 30);
    rig_say(r, "PONG\r\n");
    rig_saw(r, "flush 0 30\n");
    rig_later(r, 20);
    rig_saw(r, "flush -8 50\n");
    rig_say(r, "PONG\r\n"); // of the one that waits no more
    rig_saw(r, "");
    rig_say(r, "PONG\r\nPONG\r\n"); // one too many
    rig_saw(r, "flush 0 50\n");
}

static void scenario_flush_disconnected(struct rig *r) {
    midge_flush_op a, b, c;
    rig_fill(r);
    CHECK(midge_init(&r->m, &r->config) == 0);
    midge_publish(&r->m, MIDGE_STR("x"), "", 0);
    midge_flush(&r->m, &a, 1000, rig_on_flush, r);
    rig_run(r);
    rig_say(r, RIG_INFO);
    rig_say(r, "PONG\r\n");
    CHECK(strcmp(r->out + r->out_n - 17, "PUB x 0\r\n\r\nPING\r\n") == 0);
    rig_say(r, "PONG\r\n");
    midge_flush(&r->m, &a, 1000, rig_on_flush, r);
    rig_run(r);
    rig_cut(r);
    midge_flush(&r->m, &b, 50, rig_on_flush, r);
    midge_flush(&r->m, &c, 5000, rig_on_flush, r);
    rig_saw(r, "open a\nconnected\nflush 0 0\nflush -10 0\ndisconnected -10\n");
    rig_later(r, 50);
    rig_saw(r, "flush -8 50\n");
    midge_close(&r->m);
    rig_saw(r, "flush -6 50\nclosed\n");
    CHECK(midge_flush(&r->m, &c, 1, rig_on_flush, r) == MIDGE_ECLOSED);
}

static void scenario_drain_sub(struct rig *r) {
    rig_fill(r);
    rig_connect(r);
    int32_t a = midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, rig_on_msg, r);
    CHECK(midge_drain_sub(&r->m, a) == 0 && midge_drain_sub(&r->m, a) == 0);
    rig_run(r);
    rig_wrote(r, "SUB a 1\r\nUNSUB 1\r\nPING\r\n");
    rig_say(r, "MSG a 1 1\r\n1\r\n");
    CHECK(midge_sub_alive(&r->m, a));
    rig_say(r, "PONG\r\n");
    CHECK(!midge_sub_alive(&r->m, a) && midge_drain_sub(&r->m, a) == MIDGE_EINVAL);
    rig_say(r, "MSG a 1 1\r\n2\r\n");
    rig_saw(r, "a 1\n");
    // A cut ends it at once; so does unsubscribe.
    a = midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, rig_on_msg, r);
    int32_t b = midge_subscribe(&r->m, MIDGE_STR("b"), MIDGE_NONE, rig_on_msg, r);
    midge_drain_sub(&r->m, a);
    midge_drain_sub(&r->m, b);
    CHECK(midge_unsubscribe(&r->m, b, 0) == 0 && !midge_sub_alive(&r->m, b));
    rig_cut(r);
    CHECK(!midge_sub_alive(&r->m, a));
    // Not connected: gone
    a = midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, rig_on_msg, r);
    CHECK(midge_drain_sub(&r->m, a) == 0 && !midge_sub_alive(&r->m, a));
}

// No room to say so: it is said later, once.
static void scenario_drain_full(struct rig *r) {
    char data[450];
    memset(data, 'x', sizeof(data));
    rig_fill(r);
    rig_connect(r);
    int32_t a = midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, rig_on_msg, r);
    int32_t b = midge_subscribe(&r->m, MIDGE_STR("b"), MIDGE_NONE, rig_on_msg, r);
    rig_run(r);
    r->stuck = true;
    CHECK(midge_publish(&r->m, MIDGE_STR("p"), data, 450) == 0);
    CHECK(midge_publish(&r->m, MIDGE_STR("p"), data, 450) == 0);
    CHECK(midge_publish(&r->m, MIDGE_STR("p"), data, 50) == 0);
    CHECK(midge_drain_sub(&r->m, a) == 0 && midge_drain_sub(&r->m, a) == 0 && midge_drain_sub(&r->m, b) == 0);
    CHECK(midge_unsubscribe(&r->m, a, 0) == 0 && !midge_sub_alive(&r->m, a));
    CHECK(midge_unsubscribe(&r->m, b, 3) == 0 && midge_sub_alive(&r->m, b));
    rig_say(r, "MSG a 1 1\r\nx\r\nMSG b 2 1\r\ny\r\n");
    rig_saw(r, "b y\n");
    r->stuck = false;
    rig_run(r);
    r->out[r->out_n] = '\0';
    CHECK(strcmp(r->out + r->out_n - 24, "UNSUB 1\r\nUNSUB 2\r\nPING\r\n") == 0);
    CHECK(midge_sub_alive(&r->m, b));
    rig_say(r, "PONG\r\n");
    CHECK(!midge_sub_alive(&r->m, b));
}

static void scenario_drain(struct rig *r) {
    rig_fill(r);
    rig_connect(r);
    midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, rig_on_msg, r);
    midge_subscribe(&r->m, MIDGE_STR("b"), MIDGE_NONE, rig_on_msg, r);
    rig_run(r);
    CHECK(midge_drain(&r->m) == 0 && midge_drain(&r->m) == 0);
    CHECK(midge_state_of(&r->m) == MIDGE_STATE_DRAINING);
    CHECK(midge_subscribe(&r->m, MIDGE_STR("c"), MIDGE_NONE, rig_on_msg, r) == MIDGE_EDRAINING);
    CHECK(midge_request(&r->m, MIDGE_STR("c"), MIDGE_NONE, "", 0, NULL, rig_on_reply, r) == MIDGE_EDRAINING);
    rig_run(r);
    rig_say(r, "MSG a 1 1\r\n1\r\n");
    CHECK(midge_publish(&r->m, MIDGE_STR("p"), "", 0) == 0); // an answer may still leave
    rig_say(r, "PONG\r\n");
    rig_saw(r, "a 1\n");
    CHECK(midge_publish(&r->m, MIDGE_STR("p"), "", 0) == MIDGE_EDRAINING);
    rig_wrote(r, "SUB a 1\r\nSUB b 2\r\nUNSUB 1\r\nUNSUB 2\r\nPING\r\nPUB p 0\r\n\r\nPING\r\n");
    rig_say(r, "PONG\r\n");
    rig_saw(r, "closed\nclose\n");
    CHECK(midge_error(&r->m) == 0 && midge_drain(&r->m) == MIDGE_ECLOSED);
}

static void scenario_drain_requests(struct rig *r) {
    rig_fill(r);
    rig_connect(r);
    midge_request(&r->m, MIDGE_STR("q"), MIDGE_NONE, "", 0, &(midge_request_opts){.timeout = 100}, rig_on_reply, r);
    rig_run(r);
    r->out_n = 0;
    midge_drain(&r->m);
    rig_run(r);
    rig_wrote(r, ""); // the answer has time to come
    rig_later(r, 100);
    rig_saw(r, "reply -8\n");
    rig_wrote(r, "PING\r\n");
    rig_say(r, "PONG\r\n");
    rig_saw(r, "closed\nclose\n");
}

static void scenario_drain_timeout(struct rig *r) {
    rig_fill(r);
    r->config.drain_timeout = 700;
    rig_connect(r);
    midge_drain(&r->m);
    rig_later(r, 699);
    rig_saw(r, "");
    rig_later(r, 1);
    rig_saw(r, "closed -8\nclose\n");
}

static void scenario_drain_disconnected(struct rig *r) {
    rig_fill(r); // nothing waits
    rig_connect(r);
    midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, rig_on_msg, r);
    rig_cut(r);
    midge_drain(&r->m);
    rig_run(r);
    rig_saw(r, "disconnected -10\nclosed\n");
    // A message waits
    rig_fill(r);
    rig_connect(r);
    rig_cut(r);
    midge_publish(&r->m, MIDGE_STR("a"), "", 0);
    midge_drain(&r->m);
    rig_later(r, 200);
    rig_saw(r, "disconnected -10\nopen a\n");
    rig_say(r, RIG_INFO);
    rig_hello(r, "");
    rig_say(r, "PONG\r\n");
    rig_wrote(r, "PUB a 0\r\n\r\nPING\r\n");
    rig_say(r, "PONG\r\n");
    rig_saw(r, "reconnected\nclosed\nclose\n");
    // It is lost while draining
    rig_fill(r);
    rig_connect(r);
    midge_drain(&r->m);
    rig_run(r);
    rig_cut(r);
    rig_saw(r, "disconnected -10\nclosed\n");
}

const struct scenario scenarios_drain[] = {
    {"flush", scenario_flush},
    {"flush while disconnected", scenario_flush_disconnected},
    {"drain a subscription", scenario_drain_sub},
    {"drain without room", scenario_drain_full},
    {"drain", scenario_drain},
    {"drain with requests", scenario_drain_requests},
    {"drain timeout", scenario_drain_timeout},
    {"drain while disconnected", scenario_drain_disconnected},
    {NULL, NULL},
};
