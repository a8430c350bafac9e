// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

#include "test/unit/client/core/scenario.h"

#include <string.h>

static void again(struct rig *r, uint32_t ms) {
    rig_later(r, ms);
    rig_say(r, RIG_INFO);
    rig_hello(r, "");
    rig_say(r, "PONG\r\n");
}

static void scenario_before_connect(struct rig *r) {
    rig_fill(r);
    CHECK(midge_init(&r->m, &r->config) == 0);
    int32_t a = midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, rig_on_msg, r);
    int32_t b = midge_subscribe(&r->m, MIDGE_STR("b"), MIDGE_STR("q"), rig_on_msg, r);
    int32_t c = midge_subscribe(&r->m, MIDGE_STR("c"), MIDGE_NONE, rig_on_msg, r);
    CHECK(midge_publish(&r->m, MIDGE_STR("x"), "1", 1) == 0);
    CHECK(midge_unsubscribe(&r->m, b, 7) == 0);
    CHECK(midge_unsubscribe(&r->m, a, 0) == 0);
    CHECK(midge_unsubscribe(&r->m, c, 0) == 0);
    int32_t d = midge_subscribe(&r->m, MIDGE_STR("d"), MIDGE_NONE, rig_on_msg, r);
    CHECK((d & 0xfffff) == 3);
    rig_run(r);
    rig_say(r, RIG_INFO);
    rig_hello(r, "");
    rig_say(r, "PONG\r\n");
    rig_wrote(r, "SUB b q 2\r\nUNSUB 2 7\r\nSUB d 1048579\r\nPUB x 1\r\n1\r\n");
}

static void scenario_again(struct rig *r) {
    rig_fill(r);
    rig_connect(r);
    midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, rig_on_msg, r);
    rig_run(r);
    rig_say(r, "MSG a 1 10\r\nhalf a");
    rig_cut(r);
    rig_saw(r, "disconnected -10\n");
    CHECK(midge_state_of(&r->m) == MIDGE_STATE_RECONNECTING && midge_error(&r->m) == MIDGE_EDISCONNECTED);
    CHECK(midge_publish(&r->m, MIDGE_STR("p"), "waits", 5) == 0);
    rig_later(r, 99);
    rig_saw(r, "");
    again(r, 2);
    rig_saw(r, "open a\nreconnected\n");
    rig_wrote(r, "SUB a 1\r\nPUB p 5\r\nwaits\r\n");
    rig_say(r, "MSG a 1 1\r\nx\r\n");
    rig_saw(r, "a x\n");
    CHECK(midge_stats_of(&r->m).reconnects == 1);
}

// A command that was cut in its middle is sent again whole, what was written is not, SUB and PING are not.
static void scenario_half_written(struct rig *r) {
    static const char all[] = "PUB a 6\r\nPUB \r\n\r\nSUB s 1\r\nHPUB b 12 13\r\nNATS/1.0\r\n\r\nx\r\n"
                              "PUB c 3\r\n123\r\n";
    midge_str headers = MIDGE_STR("NATS/1.0\r\n\r\n");
    for (size_t cut = 0; cut < sizeof(all); cut++) {
        rig_fill(r);
        rig_connect(r);
        r->stuck = true;
        midge_publish(&r->m, MIDGE_STR("a"), "PUB \r\n", 6);
        midge_subscribe(&r->m, MIDGE_STR("s"), MIDGE_NONE, rig_on_msg, r);
        midge_publish_full(&r->m, MIDGE_STR("b"), MIDGE_NONE, headers, "x", 1);
        midge_publish(&r->m, MIDGE_STR("c"), "123", 3);
        size_t n;
        const char *p = midge_send_buf(&r->m, &n);
        CHECK(n == sizeof(all) - 1 && memcmp(p, all, n) == 0);
        midge_send_ack(&r->m, cut);
        rig_cut(r);
        r->stuck = false;
        again(r, 200);
        r->out[r->out_n] = '\0';
        CHECK((strstr(r->out, "PUB a") != NULL) == (cut < 17));
        CHECK((strstr(r->out, "HPUB b") != NULL) == (cut < 55));
        CHECK((strstr(r->out, "PUB c") != NULL) == (cut < sizeof(all) - 1));
        CHECK(strncmp(r->out, "SUB s 1\r\n", 9) == 0 && !strstr(r->out + 1, "SUB s"));
    }
}

static void scenario_backoff(struct rig *r) {
    rig_fill(r);
    rig_connect(r);
    rig_cut(r);
    r->refuse = true;
    uint32_t last = r->now;
    static const uint32_t waits[] = {100, 100, 200, 400, 800, 1600, 3200, 6400, 8000, 8000};
    rig_saw(r, "disconnected -10\n");
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        while (!r->log_n) rig_later(r, 1);
        uint32_t wait = r->now - last;
        CHECK(wait >= waits[i] && wait <= waits[i] + 1);
        last = r->now;
        rig_saw(r, "open a\n");
    }
    CHECK(midge_error(&r->m) == MIDGE_ECONNECT);
    r->refuse = false;
    again(r, 8001);
    rig_cut(r);
    rig_saw(r, "open a\nreconnected\ndisconnected -10\n");
    again(r, 101); // from the beginning
    rig_saw(r, "open a\nreconnected\n");
}

static void scenario_jitter(struct rig *r) {
    uint32_t least = UINT32_MAX, most = 0;
    rig_fill(r);
    r->config.reconnect_jitter = 1000;
    rig_connect(r);
    for (int i = 0; i < 50; i++) {
        rig_cut(r);
        uint32_t wait = midge_tick(&r->m, r->now);
        if (wait < least) least = wait;
        if (wait > most) most = wait;
        again(r, wait);
    }
    CHECK(least >= 100 && least < 300 && most <= 1100 && most > 900);
    r->log_n = 0;
}

static void scenario_max_reconnects(struct rig *r) {
    rig_fill(r);
    r->config.max_reconnects = 2;
    r->config.servers_len = 2;
    rig_connect(r);
    r->refuse = true;
    rig_cut(r);
    rig_later(r, 10000);
    // b is the rest of the first round, a and b the second one
    rig_saw(r, "disconnected -10\nopen b\nopen a\nopen b\nclosed -11\n");

    rig_fill(r);
    r->config.max_reconnects = -1;
    rig_connect(r);
    rig_cut(r);
    rig_saw(r, "disconnected -10\nclosed -10\n");
    CHECK(midge_error(&r->m) == MIDGE_EDISCONNECTED);
}

static void scenario_first_connect(struct rig *r) {
    rig_fill(r);
    r->config.servers_len = 3;
    r->refuse = true;
    rig_start(r);
    rig_saw(r, "open a\nopen b\nopen c\nclosed -11\n");

    rig_fill(r);
    r->config.retry_first = r->refuse = true;
    r->config.servers_len = 2;
    rig_start(r);
    rig_saw(r, "open a\nopen b\n");
    CHECK(midge_state_of(&r->m) == MIDGE_STATE_CONNECTING);
    rig_later(r, 101);
    rig_saw(r, "open a\nopen b\n");
    r->refuse = false;
    again(r, 300);
    rig_saw(r, "open a\nconnected\n");
}

static void scenario_several(struct rig *r) {
    rig_fill(r);
    r->config.servers_len = 3;
    rig_connect(r);
    rig_cut(r); // at once to the next
    rig_saw(r, "disconnected -10\nopen b\n");
    rig_say(r, RIG_INFO);
    rig_cut(r);
    rig_saw(r, "open c\n");
    rig_say(r, "nonsense\r\n");
    rig_saw(r, "close\n");
    again(r, 101);
    rig_saw(r, "open a\nreconnected\n");
}

static void scenario_random(struct rig *r) {
    unsigned first[4] = {0};
    for (uint64_t seed = 0; seed < 100; seed++) {
        rig_fill(r);
        r->config.servers_len = 4;
        r->config.no_randomize = false;
        r->config.seed = seed << 32;
        r->refuse = true;
        rig_start(r);
        unsigned seen = 0;
        for (size_t i = 0; i < 4; i++) seen |= 1u << (r->log[7 * i + 5] - 'a');
        CHECK(seen == 15 && strcmp(r->log + 28, "closed -11\n") == 0); // each once
        first[r->log[5] - 'a']++;
    }
    for (size_t i = 0; i < 4; i++) CHECK(first[i] > 10);
    r->log_n = 0;
}

static void scenario_auth_twice(struct rig *r) {
    rig_fill(r);
    r->config.servers_len = 2;
    r->config.retry_first = true;
    rig_start(r);
    rig_say(r, RIG_INFO);
    rig_say(r, "-ERR 'Authorization Violation'\r\n");
    rig_saw(r, "open a\nclose\nopen b\n");
    rig_say(r, RIG_INFO);
    rig_cut(r);
    rig_later(r, 101);
    rig_saw(r, "open a\n");
    rig_say(r, RIG_INFO);
    r->refuse = true;
    rig_say(r, "-ERR 'Authorization Violation'\r\n"); // a is given up
    rig_saw(r, "close\nopen b\n");
    rig_later(r, 1000);
    rig_saw(r, "open b\nopen b\n");
}

static void scenario_auth_ends(struct rig *r) {
    rig_fill(r);
    rig_connect(r);
    rig_say(r, "-ERR 'User Authentication Expired'\r\n");
    rig_saw(r, "disconnected -15\nclose\n");
    rig_later(r, 101);
    rig_say(r, RIG_INFO);
    rig_say(r, "-ERR 'Authorization Violation'\r\n");
    rig_saw(r, "open a\nclose\nclosed -14\n");
    CHECK(midge_error(&r->m) == MIDGE_EAUTH);
    // Once, then welcome, then once: goes on
    rig_fill(r);
    rig_connect(r);
    for (int i = 0; i < 3; i++) {
        rig_say(r, "-ERR 'User Authentication Expired'\r\n");
        rig_saw(r, "disconnected -15\nclose\n");
        again(r, 101);
        rig_saw(r, "open a\nreconnected\n");
    }
}

static void scenario_gossip(struct rig *r) {
    rig_fill(r);
    rig_connect(r);
    rig_say(r, "INFO {\"connect_urls\":[\"a:4222\",\"10.0.0.1:4223\",\"[::1]:5\",\"x\",\"x:0\","
               "\"y:70000\",\":1\"],\"headers\":true} \r\n");
    rig_saw(r, "servers\n");
    rig_say(r, "INFO {\"connect_urls\":[\"10.0.0.1:4223\",\"[::1]:5\"],\"headers\":true} \r\n");
    rig_saw(r, ""); // nothing new
    rig_cut(r);
    rig_saw(r, "disconnected -10\nopen 10.0.0.1\n");
    midge_server s = midge_server_now(&r->m);
    CHECK(s.port == 4223 && s.tls_name.n == 1 && *s.tls_name.p == 'a' && !s.tls);
    rig_cut(r);
    rig_saw(r, "open ::1\n");
    CHECK(midge_server_now(&r->m).port == 5);
    again(r, 0);
    rig_saw(r, "reconnected\n");
    // The first is gone, a new one came, one is too long for the memory that is left.
    rig_say(r, "INFO {\"connect_urls\":[\"[::1]:5\",\"n:6\","
               "\"0123456789012345678901234567890123456789012345678901234567890123456789:7\"],\"ldm\":true} \r\n");
    rig_saw(r, "servers\nlame duck\n");
    CHECK(midge_server_now(&r->m).port == 5 && midge_info_of(&r->m)->lame_duck);
    r->refuse = true;
    rig_cut(r);
    rig_saw(r, "disconnected -10\nopen n\nopen a\n");
    rig_later(r, 101);
    rig_saw(r, "open ::1\nopen n\nopen a\n");
    // Without a list what was told stays.
    r->refuse = false;
    rig_later(r, 201);
    rig_saw(r, "open ::1\n");
    again(r, 0);
    rig_cut(r);
    rig_saw(r, "reconnected\ndisconnected -10\nopen n\n");
}

static void scenario_gossip_ignored(struct rig *r) {
    rig_fill(r);
    r->config.gossip_buf = NULL;
    rig_connect(r);
    rig_say(r, "INFO {\"connect_urls\":[\"10.0.0.1:4223\"]} \r\nINFO {\"ldm\":true} \r\n");
    rig_saw(r, "lame duck\n");
}

static void scenario_ping(struct rig *r) {
    rig_fill(r);
    r->config.ping_interval = 1000;
    rig_connect(r);
    rig_later(r, 999);
    rig_wrote(r, "");
    rig_later(r, 1);
    rig_wrote(r, "PING\r\n");
    rig_say(r, "PONG\r\n");
    rig_later(r, 2000);
    rig_wrote(r, "PING\r\nPING\r\n");
    rig_say(r, "PING\r\n"); // anything shows that it lives
    rig_wrote(r, "PONG\r\n");
    rig_later(r, 2000);
    rig_wrote(r, "PING\r\nPING\r\n");
    rig_saw(r, "");
    rig_later(r, 1000);
    rig_saw(r, "disconnected -17\nclose\n");
    CHECK(midge_error(&r->m) == MIDGE_ESTALE);
}

// No room for a single PING: it is said later.
static void scenario_ping_stuck(struct rig *r) {
    midge_flush_op ops[8];
    size_t n = 0;
    rig_fill(r);
    r->config.ping_interval = 1000;
    rig_connect(r);
    r->stuck = true;
    while (midge_publish(&r->m, MIDGE_STR("p"), "x", 1) == 0) {
    }
    while (RIG_BUF - midge_pending_bytes(&r->m) >= 6) CHECK(midge_flush(&r->m, &ops[n++], 9000, rig_on_flush, r) == 0);
    CHECK(n > 0 && n < 7);
    rig_say(r, "PING\r\n");
    CHECK(midge_flush(&r->m, &ops[n++], 9000, rig_on_flush, r) == 0);
    rig_later(r, 1500);
    rig_saw(r, "");
    size_t full = midge_pending_bytes(&r->m);
    CHECK(full > RIG_BUF - 6);
    r->stuck = false;
    rig_run(r);
    CHECK(r->out_n == full + 12);
    CHECK(memcmp(r->out + full, "PONG\r\nPING\r\n", 12) == 0);
    while (--n) rig_say(r, "PONG\r\n");
    r->log_n = 0;
    rig_say(r, "PONG\r\n");
    rig_saw(r, "flush 0 1500\n");
    r->stuck = true;
    rig_later(r, 2499);
    rig_saw(r, "");
    rig_later(r, 1);
    rig_saw(r, "disconnected -17\nclose\n");
}

// What was owed to the old connection is not said to the new one.
static void scenario_owed(struct rig *r) {
    midge_flush_op ops[8];
    size_t n = 0;
    rig_fill(r);
    rig_connect(r);
    int32_t a = midge_subscribe(&r->m, MIDGE_STR("a"), MIDGE_NONE, rig_on_msg, r);
    rig_run(r);
    r->stuck = true;
    while (midge_publish(&r->m, MIDGE_STR("p"), "x", 1) == 0) {
    }
    while (RIG_BUF - midge_pending_bytes(&r->m) >= 6) CHECK(midge_flush(&r->m, &ops[n++], 9000, rig_on_flush, r) == 0);
    rig_say(r, "PING\r\n");
    CHECK(midge_flush(&r->m, &ops[n++], 9000, rig_on_flush, r) == 0);
    CHECK(midge_unsubscribe(&r->m, a, 0) == 0);
    CHECK(midge_subscribe(&r->m, MIDGE_STR("b"), MIDGE_NONE, rig_on_msg, r) == MIDGE_EFULL);
    rig_cut(r);
    CHECK(midge_subscribe(&r->m, MIDGE_STR("b"), MIDGE_NONE, rig_on_msg, r) > 0);
    CHECK(r->log_n == n * strlen("flush -10 0\n") + strlen("disconnected -10\n"));
    r->stuck = false;
    again(r, 101);
    r->out[r->out_n] = '\0';
    CHECK(strncmp(r->out, "SUB b ", 6) == 0 && strstr(r->out, "PUB p 1\r\nx\r\n"));
    CHECK(!strstr(r->out, "PONG") && !strstr(r->out, "PING") && !strstr(r->out, "UNSUB") && !strstr(r->out, "SUB a"));
    r->log_n = 0;
}

static void scenario_refuse(struct rig *r) {
    char data[200];
    memset(data, 'x', sizeof(data));
    rig_fill(r);
    rig_connect(r);
    rig_cut(r);
    for (int i = 0; i < 4; i++) CHECK(midge_publish(&r->m, MIDGE_STR("a"), data, sizeof(data)) == 0);
    CHECK(midge_publish(&r->m, MIDGE_STR("a"), data, sizeof(data)) == MIDGE_EFULL);
    again(r, 200);
    CHECK(r->out_n == 4 * 213);
}

static void scenario_drop_oldest(struct rig *r) {
    char data[200];
    memset(data, 'x', sizeof(data));
    rig_fill(r);
    r->config.pending = MIDGE_PENDING_DROP_OLDEST;
    rig_connect(r);
    r->stuck = true;
    for (int i = 0; i < 4; i++) CHECK(midge_publish(&r->m, MIDGE_STR("a"), data, sizeof(data)) == 0);
    CHECK(midge_publish(&r->m, MIDGE_STR("a"), data, sizeof(data)) == MIDGE_EFULL); // connected: nothing is dropped
    size_t n;
    midge_send_buf(&r->m, &n);
    midge_send_ack(&r->m, 5); // the first is half written
    rig_cut(r);
    rig_saw(r, "disconnected -10\n");
    for (int i = 0; i < 5; i++) {
        data[0] = (char)('1' + i);
        CHECK(midge_publish(&r->m, MIDGE_STR("a"), data, sizeof(data)) == 0);
    }
    CHECK(midge_stats_of(&r->m).dropped_msgs == 5);
    r->stuck = false;
    rig_run(r);
    rig_saw(r, "dropped 1065\n");
    again(r, 200);
    CHECK(r->out_n == 4 * 213 && r->out[11] == '2' && r->out[3 * 213 + 11] == '5');
}

// SUBs for which the receive buffer has no room at once.
static void scenario_many_subs(struct rig *r) {
    static const char long_name[] = "x.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789"
                                    ".123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789";
    rig_fill(r);
    r->config.recv_size = 512;
    rig_connect(r);
    midge_str name = MIDGE_STR(long_name);
    for (int i = 0; i < 8; i++) {
        CHECK(midge_subscribe(&r->m, name, MIDGE_NONE, rig_on_msg, r) > 0);
        rig_run(r);
    }
    size_t all = r->out_n;
    rig_cut(r);
    again(r, 101);
    CHECK(r->out_n == all);
    // The same while messages come in
    rig_cut(r);
    rig_later(r, 101);
    rig_say(r, RIG_INFO);
    r->out_n = 0;
    r->stuck = true;
    rig_say(r, "PONG\r\n");
    size_t n;
    const char *p = midge_send_buf(&r->m, &n);
    CHECK(n > 150 && n < 512 && memcmp(p, "SUB x.123", 9) == 0);
    midge_recv_buf(&r->m, &n);
    CHECK(n >= 150); // beside it there is room to read into
    CHECK(midge_subscribe(&r->m, name, MIDGE_NONE, rig_on_msg, r) == MIDGE_ETABLE);
    CHECK(midge_publish(&r->m, MIDGE_STR("after"), "", 0) == 0);
    // The first was said already; another takes its place and must still come before all messages.
    CHECK(midge_unsubscribe(&r->m, 1, 0) == 0);
    CHECK(midge_subscribe(&r->m, MIDGE_STR("new"), MIDGE_NONE, rig_on_msg, r) == (1 << 20) + 1);
    r->stuck = false;
    rig_run(r);
    static const char sub[] = "SUB new 1048577\r\n", end[] = "PUB after 0\r\n\r\nUNSUB 1\r\n";
    size_t before = all + sizeof(sub) - 1;
    CHECK(r->out_n == before + sizeof(end) - 1 && memcmp(r->out + before, end, sizeof(end) - 1) == 0);
    r->out[r->out_n] = '\0';
    CHECK(strstr(r->out, sub));
    r->log_n = 0;
}

// A server that stops reading until we have read must not hang us: messages are taken while SUBs are being written.
static void scenario_read_while_subs(struct rig *r) {
    static uint8_t larger[2048];
    rig_fill(r);
    r->config.recv_size = 512;
    rig_connect(r);
    midge_subscribe(&r->m, MIDGE_STR("first"), MIDGE_NONE, rig_on_msg, r);
    midge_subscribe(&r->m, MIDGE_STR("second"), MIDGE_NONE, rig_on_msg, r);
    rig_run(r);
    rig_cut(r);
    rig_later(r, 101);
    rig_say(r, RIG_INFO);
    rig_hello(r, "");
    r->limited = true;
    r->quota = 16;
    rig_say(r, "PONG\r\n");
    rig_wrote(r, "SUB first 1\r\nSUB");
    r->log_n = 0;
    for (int i = 0; i < 100; i++) {
        rig_say(r, "MSG first 1 12\r\nmany of them\r\n");
        rig_saw(r, "first many of them\n");
    }
    // Neither does a larger buffer lose what is not written.
    CHECK(midge_replace_recv_buf(&r->m, larger, sizeof(larger)) == 0);
    r->limited = false;
    rig_say(r, "MSG first 1 1\r\nx\r\n");
    rig_saw(r, "first x\n");
    rig_wrote(r, " second 2\r\n");
}

// A message for which only the whole buffer is enough goes first, or waits for what is to be written; then it comes.
static void scenario_large_while_subs(struct rig *r) {
    static char text[601] = "";
    memset(text, 'x', 450);
    rig_fill(r);
    r->config.recv_size = 512;
    rig_connect(r);
    midge_subscribe(&r->m, MIDGE_STR("first"), MIDGE_NONE, rig_on_msg, r);
    rig_run(r);
    rig_cut(r);
    rig_later(r, 101);
    rig_say(r, RIG_INFO);
    rig_hello(r, "");
    r->limited = true;
    r->quota = 0;
    rig_say(r, "PONG\r\n");
    r->log_n = 0;
    rig_say(r, "MSG first 1 450\r\n");
    r->limited = false;
    rig_run(r);
    rig_say(r, text);
    rig_say(r, "\r\n");
    CHECK(r->log_n == 6 + 450 + 1);
    r->log_n = 0;
    rig_wrote(r, "SUB first 1\r\n");
}

const struct scenario scenarios_reconnect[] = {
    {"before connect", scenario_before_connect},
    {"again", scenario_again},
    {"half written", scenario_half_written},
    {"backoff", scenario_backoff},
    {"jitter", scenario_jitter},
    {"max reconnects", scenario_max_reconnects},
    {"first connect", scenario_first_connect},
    {"several servers", scenario_several},
    {"random servers", scenario_random},
    {"auth twice", scenario_auth_twice},
    {"auth ends", scenario_auth_ends},
    {"gossip", scenario_gossip},
    {"gossip ignored", scenario_gossip_ignored},
    {"ping", scenario_ping},
    {"ping stuck", scenario_ping_stuck},
    {"owed and cut", scenario_owed},
    {"refuse", scenario_refuse},
    {"drop oldest", scenario_drop_oldest},
    {"many subs", scenario_many_subs},
    {"read while SUBs are written", scenario_read_while_subs},
    {"large message while SUBs are written", scenario_large_while_subs},
    {NULL, NULL},
};
