// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

#include "test/unit/client/core/scenario.h"

#include <string.h>

static void scenario_publish(struct rig *r) {
    char block[64];
    midge_headers h;
    midge_str headers;
    rig_fill(r);
    rig_connect(r);
    CHECK(midge_publish(&r->m, MIDGE_STR("a.b"), "hello", 5) == 0);
    CHECK(midge_publish(&r->m, MIDGE_STR("a"), NULL, 0) == 0);
    CHECK(midge_publish_full(&r->m, MIDGE_STR("a"), MIDGE_STR("r.x"), MIDGE_NONE, "0123456789ab", 12) == 0);
    midge_headers_begin(&h, block, sizeof(block));
    midge_headers_add(&h, MIDGE_STR("K"), MIDGE_STR("v w"));
    CHECK(midge_headers_end(&h, &headers) == 0);
    CHECK(midge_publish_full(&r->m, MIDGE_STR("a"), MIDGE_STR("r"), headers, "xy", 2) == 0);
    CHECK(midge_publish_full(&r->m, MIDGE_STR("a"), MIDGE_NONE, headers, NULL, 0) == 0);
    CHECK(midge_pending_bytes(&r->m) > 0);
    rig_run(r);
    rig_wrote(r, "PUB a.b 5\r\nhello\r\nPUB a 0\r\n\r\nPUB a r.x 12\r\n0123456789ab\r\n"
                 "HPUB a r 20 22\r\nNATS/1.0\r\nK: v w\r\n\r\nxy\r\nHPUB a 20 20\r\nNATS/1.0\r\nK: v w\r\n\r\n\r\n");
    midge_stats stats = midge_stats_of(&r->m);
    CHECK(stats.out_msgs == 5 && stats.out_bytes == 5 + 12 + 22 + 20 && midge_pending_bytes(&r->m) == 0);
}

static void scenario_publish_errors(struct rig *r) {
    static const char *const bad[] = {"", ".", "a.", ".a", "a..b", "a b", "a\tb", "a\r\n", "*", ">", "a.*", "a.>",
                                      "*.a", "\x7f"};
    static const char *const good[] = {"a*", "a.b>c", "$JS.x", "\xc3\xa9", "a.**"};
    static char large[RIG_BUF + 1];
    rig_fill(r);
    rig_connect(r);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(midge_publish(&r->m, midge_cstr(bad[i]), "", 0) == MIDGE_ESUBJECT);
        int err = midge_publish_full(&r->m, MIDGE_STR("a"), midge_cstr(bad[i]), MIDGE_NONE, "", 0);
        CHECK(err == (*bad[i] ? MIDGE_ESUBJECT : 0));
    }
    CHECK(midge_publish(&r->m, MIDGE_STR("a"), NULL, 1) == MIDGE_EINVAL);
    CHECK(midge_publish(&r->m, MIDGE_STR("a"), large, 501) == MIDGE_ETOOLARGE); // max_payload
    CHECK(midge_publish(&r->m, MIDGE_STR("a"), large, SIZE_MAX) == MIDGE_ETOOLARGE);
    midge_str endless = {large, SIZE_MAX};
    CHECK(midge_publish_full(&r->m, MIDGE_STR("a"), MIDGE_NONE, endless, large, 2) == MIDGE_ETOOLARGE);
    rig_run(r);
    rig_wrote(r, "PUB a 0\r\n\r\n");
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        CHECK(midge_publish(&r->m, midge_cstr(good[i]), "", 0) == 0);
    midge_close(&r->m);
    CHECK(midge_publish(&r->m, MIDGE_STR("a"), "", 0) == MIDGE_ECLOSED);

    rig_fill(r);
    rig_start(r);
    CHECK(midge_publish(&r->m, MIDGE_STR("a"), large, RIG_BUF) == MIDGE_ETOOLARGE); // the buffer
    rig_say(r, "INFO {\"max_payload\":-1}\r\n");
    rig_say(r, "PONG\r\n");
    CHECK(midge_publish(&r->m, MIDGE_STR("a"), large, RIG_BUF - 41) == 0);
    CHECK(midge_publish_full(&r->m, MIDGE_STR("a"), MIDGE_NONE, MIDGE_STR("x"), "", 0) == MIDGE_EHEADERS);
}

static void scenario_full(struct rig *r) {
    char data[200];
    memset(data, 'x', sizeof(data));
    rig_fill(r);
    rig_connect(r);
    int n = 0;
    r->stuck = true;
    rig_run(r);
    while (midge_publish(&r->m, MIDGE_STR("a"), data, sizeof(data)) == 0) n++;
    CHECK(n == 4);
    CHECK(midge_publish(&r->m, MIDGE_STR("a"), data, sizeof(data)) == MIDGE_EFULL);
    // After the first command and a half are written there is room for one more.
    size_t got;
    const char *p = midge_send_buf(&r->m, &got);
    CHECK(got > 400 && memcmp(p, "PUB a 200\r\nxxx", 14) == 0);
    midge_send_ack(&r->m, 300);
    CHECK(midge_publish(&r->m, MIDGE_STR("b"), data, sizeof(data)) == 0);
    CHECK(midge_publish(&r->m, MIDGE_STR("b"), data, sizeof(data)) == MIDGE_EFULL);
    p = midge_send_buf(&r->m, &got);
    CHECK(got == 5 * 213 - 300 && p[0] == 'x' && p[125] == '\n' && memcmp(p + 126, "PUB a 200", 9) == 0);
    // A larger buffer
    static uint8_t larger[2 * RIG_BUF];
    CHECK(midge_replace_send_buf(&r->m, larger, RIG_BUF) == MIDGE_EINVAL);
    CHECK(midge_replace_send_buf(&r->m, NULL, 2 * RIG_BUF) == MIDGE_EINVAL);
    CHECK(midge_replace_send_buf(&r->m, larger, sizeof(larger)) == 0);
    CHECK(midge_publish(&r->m, MIDGE_STR("b"), data, sizeof(data)) == 0);
    r->stuck = false;
    rig_run(r);
    CHECK(r->out_n == 6 * 213 - 300 && midge_pending_bytes(&r->m) == 0);
}

static void scenario_subscribe(struct rig *r) {
    rig_fill(r);
    rig_connect(r);
    int32_t a = midge_subscribe(&r->m, MIDGE_STR("a.*"), MIDGE_NONE, rig_on_msg, r);
    int32_t b = midge_subscribe(&r->m, MIDGE_STR("b.>"), MIDGE_STR("workers"), rig_on_msg, r);
    CHECK(a == 1 && b == 2);
    rig_run(r);
    rig_wrote(r, "SUB a.* 1\r\nSUB b.> workers 2\r\n");
    rig_say(r, "MSG a.x 1 5\r\nhello\r\nMSG b.y 2 re.ply 0\r\n\r\nmsg \ta.z  1\t \t3 \nabc\r\n"
               "HMSG b.y 2 20 22\r\nNATS/1.0\r\nA:  b \r\n\r\nhi\r\n"
               "HMSG b.y 2 r 28 28\r\nNATS/1.0 404 No Messages\r\n\r\n\r\n");
    rig_saw(r, "a.x hello\nb.y>re.ply \na.z abc\nb.y A=b hi\nb.y>r #404 \n");
    CHECK(midge_sub_alive(&r->m, a));
    CHECK(midge_unsubscribe(&r->m, a, 0) == 0);
    CHECK(!midge_sub_alive(&r->m, a) && midge_unsubscribe(&r->m, a, 0) == MIDGE_EINVAL);
    rig_say(r, "MSG a.x 1 5\r\nhello\r\nMSG b.y 2 2\r\nhi\r\nMSG b.y 77 2\r\nhi\r\nMSG b.y 0 2\r\nhi\r\n");
    rig_saw(r, "b.y hi\n");
    rig_run(r);
    rig_wrote(r, "UNSUB 1\r\n");
    // The entry is used again under another name.
    int32_t c = midge_subscribe(&r->m, MIDGE_STR("c"), MIDGE_NONE, rig_on_msg, r);
    CHECK(c != a && c > 0);
    rig_run(r);
    rig_wrote(r, "SUB c 1048577\r\n");
    rig_say(r, "MSG c 1 1\r\nx\r\nMSG c 1048577 1\r\ny\r\nPING\r\n+OK\r\nPONG\r\n");
    rig_saw(r, "c y\n");
    rig_wrote(r, "PONG\r\n");
    midge_stats stats = midge_stats_of(&r->m);
    CHECK(stats.in_msgs == 11 && stats.dropped_msgs == 0);
}

static void scenario_subscribe_errors(struct rig *r) {
    static char large[RIG_BUF];
    memset(large, 'x', sizeof(large));
    rig_fill(r);
    rig_connect(r);
    CHECK(midge_subscribe(&r->m, MIDGE_STR("a.>.b"), MIDGE_NONE, rig_on_msg, r) == MIDGE_ESUBJECT);
    CHECK(midge_subscribe(&r->m, MIDGE_STR("a..b"), MIDGE_NONE, rig_on_msg, r) == MIDGE_ESUBJECT);
    CHECK(midge_subscribe(&r->m, MIDGE_STR(""), MIDGE_NONE, rig_on_msg, r) == MIDGE_ESUBJECT);
    CHECK(midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_STR("q q"), rig_on_msg, r) == MIDGE_ESUBJECT);
    CHECK(midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, NULL, r) == MIDGE_EINVAL);
    CHECK(midge_subscribe(&r->m, (midge_str){large, RIG_BUF}, MIDGE_NONE, rig_on_msg, r) == MIDGE_ETOOLARGE);
    for (int i = 0; i < 8; i++) CHECK(midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, rig_on_msg, r) > 0);
    CHECK(midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, rig_on_msg, r) == MIDGE_ETABLE);
    static midge_sub more[9];
    CHECK(midge_replace_subs(&r->m, more, 8) == MIDGE_EINVAL);
    CHECK(midge_replace_subs(&r->m, more, 9) == 0);
    CHECK(midge_subscribe(&r->m, MIDGE_STR("last"), MIDGE_NONE, rig_on_msg, r) == 9);
    rig_run(r);
    rig_say(r, "MSG last 9 1\r\nx\r\n");
    rig_saw(r, "last x\n");
    midge_close(&r->m);
    CHECK(midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, rig_on_msg, r) == MIDGE_ECLOSED);
}

// No room for SUB is an error; for UNSUB it is not.
static void scenario_subscribe_full(struct rig *r) {
    char data[450];
    memset(data, 'x', sizeof(data));
    rig_fill(r);
    rig_connect(r);
    int32_t a = midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, rig_on_msg, r);
    int32_t b = midge_subscribe(&r->m, MIDGE_STR("b"), MIDGE_NONE, rig_on_msg, r);
    rig_run(r);
    rig_wrote(r, "SUB a 1\r\nSUB b 2\r\n");
    r->stuck = true;
    CHECK(midge_publish(&r->m, MIDGE_STR("p"), data, 450) == 0);
    CHECK(midge_publish(&r->m, MIDGE_STR("p"), data, 450) == 0);
    CHECK(midge_publish(&r->m, MIDGE_STR("p"), data, 50) == 0);
    CHECK(midge_subscribe(&r->m, MIDGE_STR("c"), MIDGE_NONE, rig_on_msg, r) == MIDGE_EFULL);
    CHECK(midge_unsubscribe(&r->m, a, 0) == 0 && !midge_sub_alive(&r->m, a));
    CHECK(midge_unsubscribe(&r->m, b, 3) == 0 && midge_sub_alive(&r->m, b));
    rig_say(r, "MSG a 1 1\r\nx\r\nMSG b 2 1\r\ny\r\n");
    rig_saw(r, "b y\n");
    r->stuck = false;
    rig_run(r);
    CHECK(strcmp(r->out + r->out_n - 20, "UNSUB 1\r\nUNSUB 2 3\r\n") == 0);
    rig_say(r, "MSG b 2 1\r\ny\r\nMSG b 2 1\r\nz\r\nMSG b 2 1\r\nw\r\n");
    rig_saw(r, "b y\nb z\n");
    CHECK(!midge_sub_alive(&r->m, b));
}

static void scenario_auto_unsubscribe(struct rig *r) {
    rig_fill(r);
    rig_connect(r);
    int32_t a = midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, rig_on_msg, r);
    rig_run(r);
    rig_say(r, "MSG a 1 1\r\n1\r\n");
    CHECK(midge_unsubscribe(&r->m, a, 4) == 0);
    rig_run(r);
    rig_wrote(r, "SUB a 1\r\nUNSUB 1 4\r\n");
    rig_say(r, "MSG a 1 1\r\n2\r\n");
    rig_cut(r);
    rig_later(r, 200);
    rig_say(r, RIG_INFO);
    rig_hello(r, "");
    rig_say(r, "PONG\r\n");
    rig_wrote(r, "SUB a 1\r\nUNSUB 1 2\r\n"); // two came before
    rig_say(r, "MSG a 1 1\r\n3\r\n");
    CHECK(midge_unsubscribe(&r->m, a, 5) == 0); // one more
    rig_run(r);
    rig_wrote(r, "UNSUB 1 3\r\n");
    rig_say(r, "MSG a 1 1\r\n4\r\nMSG a 1 1\r\n5\r\nMSG a 1 1\r\n6\r\n");
    rig_saw(r, "a 1\na 2\ndisconnected -10\nopen a\nreconnected\na 3\na 4\na 5\n");
    CHECK(!midge_sub_alive(&r->m, a));
    // Fewer than came: now
    a = midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, rig_on_msg, r);
    rig_run(r);
    rig_say(r, "MSG a 1048577 1\r\n1\r\nMSG a 1048577 1\r\n2\r\n");
    CHECK(midge_unsubscribe(&r->m, a, 2) == 0 && !midge_sub_alive(&r->m, a));
    rig_run(r);
    rig_wrote(r, "SUB a 1048577\r\nUNSUB 1048577\r\n");
}

static const char *const bad_lines[] = {
    "MSG a 1\r\n", "MSG a 1 2 3 4\r\n", "MSG a 1 b c 1\r\n", "MSG a 1 -1\r\n", "MSG a 1 1234567890\r\n",
    "MSG a x 1\r\n",
    "MSG a 99999999999 1\r\n", "HMSG a 1 5\r\n", "HMSG a 1 5 4\r\n", "HMSG a 1 r x 4\r\n", "HMSG a 1 a b c 4\r\n",
    "MSG a 1 1\r\nxyz", "MSG a 1 1\r\nx\n\n", "SUB a 1\r\n", "\r\n", "MSG \r\n", "MSGX\r\n", "INFO {\"x\"\r\n",
};

static void scenario_bad_lines(struct rig *r) {
    for (size_t i = 0; i < sizeof(bad_lines) / sizeof(bad_lines[0]); i++) {
        rig_fill(r);
        rig_connect(r);
        rig_say(r, bad_lines[i]);
        rig_saw(r, "disconnected -13\nclose\n");
        CHECK(midge_error(&r->m) == MIDGE_EPROTO && midge_state_of(&r->m) == MIDGE_STATE_RECONNECTING);
    }
}

static void scenario_too_large(struct rig *r) {
    rig_fill(r);
    r->config.recv_size = 512;
    rig_connect(r);
    midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, rig_on_msg, r);
    rig_run(r);
    rig_say(r, "MSG a 1 600\r\n");
    for (int i = 0; i < 60; i++) rig_say(r, "0123456789");
    rig_say(r, "\r\nMSG a 1 1\r\nx\r\n");
    rig_saw(r, "too large a 615\na x\n");
    CHECK(midge_stats_of(&r->m).dropped_msgs == 1);
    // The line alone is too long.
    rig_say(r, "MSG a.");
    for (int i = 0; i < 70; i++) rig_say(r, "0123456789");
    rig_say(r, " 1 4\r\nabcd\r\nMSG a 1 1\r\ny\r\n");
    rig_saw(r, "too large 518\na y\n");
    CHECK(midge_stats_of(&r->m).dropped_msgs == 2);
    rig_say(r, "HMSG a.");
    for (int i = 0; i < 70; i++) rig_say(r, "0123456789");
    rig_say(r, " 1 x\r\n");
    rig_saw(r, "disconnected -13\nclose\n");
}

static uint8_t larger[2048];

static void grow(midge *m, const midge_event *e, void *user) {
    if (e->type != MIDGE_EVENT_TOO_LARGE) return;
    CHECK(midge_replace_recv_buf(m, larger, 512) == MIDGE_EINVAL);
    CHECK(midge_replace_recv_buf(m, larger, e->size) == 0);
    rig_note(user, "grown\n");
}

static void scenario_grows(struct rig *r) {
    rig_fill(r);
    r->config.recv_size = 512;
    r->config.on_event = grow;
    rig_start(r);
    rig_say(r, RIG_INFO);
    rig_say(r, "PONG\r\n");
    midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, rig_on_msg, r);
    rig_run(r);
    r->log_n = 0;
    rig_say(r, "MSG a 1 600\r\n");
    for (int i = 0; i < 60; i++) rig_say(r, "0123456789");
    rig_say(r, "\r\nMSG a 1 1\r\nx\r\n");
    CHECK(r->log_n == 6 + 2 + 600 + 1 + 4);
    CHECK(midge_stats_of(&r->m).dropped_msgs == 0);
}

static void answer(midge *m, const midge_msg *msg, void *user) {
    (void)user;
    CHECK(midge_respond(m, msg, "pong", 4) == (msg->reply.n ? 0 : MIDGE_EINVAL));
}

static void scenario_respond(struct rig *r) {
    rig_fill(r);
    rig_connect(r);
    midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, answer, r);
    rig_run(r);
    rig_say(r, "MSG a 1 _INBOX.x 1\r\nx\r\nMSG a 1 1\r\nx\r\n");
    rig_wrote(r, "SUB a 1\r\nPUB _INBOX.x 4\r\npong\r\n");
}

static void closes(midge *m, const midge_msg *msg, void *user) {
    rig_on_msg(m, msg, user);
    midge_close(m);
    CHECK(midge_publish(m, MIDGE_STR("a"), "", 0) == MIDGE_ECLOSED);
}

static void scenario_close_in_callback(struct rig *r) {
    rig_fill(r);
    rig_connect(r);
    midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, closes, r);
    rig_run(r);
    rig_say(r, "MSG a 1 1\r\nx\r\nMSG a 1 1\r\ny\r\n");
    rig_run(r);
    rig_saw(r, "a x\nclosed\nclose\n");
    CHECK(midge_error(&r->m) == 0);
}

static void swaps(midge *m, const midge_msg *msg, void *user) {
    rig_on_msg(m, msg, user);
    CHECK(midge_unsubscribe(m, msg->sub, 0) == 0);
    CHECK(midge_subscribe(m, MIDGE_STR("b"), MIDGE_NONE, rig_on_msg, user) > 0);
}

static void scenario_subscribe_in_callback(struct rig *r) {
    rig_fill(r);
    rig_connect(r);
    midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, swaps, r);
    rig_run(r);
    rig_say(r, "MSG a 1 1\r\nx\r\nMSG a 1 1\r\ny\r\n");
    rig_wrote(r, "SUB a 1\r\nUNSUB 1\r\nSUB b 1048577\r\n");
    rig_say(r, "MSG b 1048577 1\r\nz\r\n");
    rig_saw(r, "a x\nb z\n");
}

static void scenario_server_errors(struct rig *r) {
    rig_fill(r);
    rig_connect(r);
    rig_say(r, "-ERR 'Permissions Violation for Publish to \"a.b\"'\r\n"
               "-ERR 'Permissions Violation for Subscription to \"c\\\"d\" using queue \"q\"'\r\n"
               "-ERR 'Permissions Violation for Publish with Reply of \"x\"'\r\n"
               "-ERR 'Permissions Violation for Subscription to \"open'\r\n"
               "-ERR 'maximum subscriptions exceeded'\r\n-ERR 'Slow Consumer'\r\n-err Invalid Subject\r\n");
    rig_saw(r, "permission -16 publish a.b\npermission -16 subscribe c\\\"d\npermission -16 publish x\n"
               "permission -16 subscribe open\nerror -18 maximum subscriptions exceeded\nslow consumer -18\n"
               "error -18 Invalid Subject\n");
    CHECK(midge_state_of(&r->m) == MIDGE_STATE_CONNECTED);
    rig_cut(r); // the reason was said before
    rig_saw(r, "disconnected -18\n");
    CHECK(midge_error(&r->m) == MIDGE_ESERVER);
}

const struct scenario scenarios_message[] = {
    {"publish", scenario_publish},
    {"publish errors", scenario_publish_errors},
    {"full", scenario_full},
    {"subscribe", scenario_subscribe},
    {"subscribe errors", scenario_subscribe_errors},
    {"subscribe full", scenario_subscribe_full},
    {"auto unsubscribe", scenario_auto_unsubscribe},
    {"bad lines", scenario_bad_lines},
    {"too large", scenario_too_large},
    {"grows", scenario_grows},
    {"respond", scenario_respond},
    {"close in callback", scenario_close_in_callback},
    {"subscribe in callback", scenario_subscribe_in_callback},
    {"server errors", scenario_server_errors},
    {NULL, NULL},
};
