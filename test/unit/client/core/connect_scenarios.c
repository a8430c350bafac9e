// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

#include "test/unit/client/core/scenario.h"

#include <string.h>

static void scenario_plain(struct rig *r) {
    rig_fill(r);
    rig_start(r);
    CHECK(midge_state_of(&r->m) == MIDGE_STATE_CONNECTING);
    rig_saw(r, "open a\n");
    rig_say(r, "INFO {\"server_id\":\"NABC\\\"x\",\"x\":{\"headers\":false,\"y\":[[1,{}],\"a}\"]},\"headers\":true,"
               "\"client_id\" : 18446744073709551615,\"max_payload\":1048576,\"jetstream\":true,\"ldm\":null} \r\n");
    rig_wrote(r, "CONNECT {\"protocol\":1,\"headers\":true,\"no_responders\":true,\"verbose\":false,\"pedantic\":false,"
                 "\"echo\":true,\"tls_required\":false,\"lang\":\"midge\",\"version\":\"" MIDGE_VERSION
                 "\"}\r\nPING\r\n");
    rig_saw(r, "");
    rig_say(r, "PONG\r\n");
    rig_saw(r, "connected\n");
    const midge_info *info = midge_info_of(&r->m);
    CHECK(info->client_id == UINT64_MAX && info->max_payload == 1048576 && info->headers && info->jetstream);
    CHECK(!info->lame_duck && !info->tls_required && !info->auth_required);
    CHECK(midge_state_of(&r->m) == MIDGE_STATE_CONNECTED && midge_error(&r->m) == 0);
    midge_close(&r->m);
    rig_run(r);
    rig_saw(r, "closed\nclose\n");
    CHECK(midge_state_of(&r->m) == MIDGE_STATE_CLOSED && midge_tick(&r->m, r->now) == UINT32_MAX);
}

static void scenario_options(struct rig *r) {
    rig_fill(r);
    r->config.verbose = r->config.pedantic = r->config.no_echo = true;
    r->config.name = MIDGE_STR("a \"b\\c\x01\x1f");
    r->config.lang = MIDGE_STR("l");
    r->config.version = MIDGE_STR("9");
    rig_start(r);
    rig_say(r, RIG_INFO);
    rig_hello(r, "\"verbose\":true,\"pedantic\":true,\"echo\":false,\"tls_required\":false,\"lang\":\"l\","
                 "\"version\":\"9\",\"name\":\"a \\\"b\\\\c\\u0001\\u001f\"}");
    rig_say(r, "+OK\r\nPONG\r\n+OK\r\n");
    rig_saw(r, "open a\nconnected\n");
}

static void scenario_credentials(struct rig *r) {
    rig_fill(r);
    r->config.user = MIDGE_STR("me");
    r->config.password = MIDGE_STR("s3");
    rig_start(r);
    rig_say(r, RIG_INFO);
    rig_hello(r, ",\"user\":\"me\",\"pass\":\"s3\"}");

    rig_fill(r);
    r->config.user = MIDGE_STR("me");
    r->config.token = MIDGE_STR("t0");
    rig_start(r);
    rig_say(r, RIG_INFO);
    rig_hello(r, ",\"auth_token\":\"t0\"}");
}

static int sign(void *ctx, const void *nonce, size_t nonce_len, uint8_t signature[64]) {
    struct rig *r = ctx;
    rig_note(r, "sign ");
    rig_note_str(r, (midge_str){nonce, nonce_len});
    rig_note(r, "\n");
    for (int i = 0; i < 64; i++) signature[i] = (uint8_t)(i * 7);
    return 0;
}

static int refuse_to_sign(void *ctx, const void *nonce, size_t nonce_len, uint8_t signature[64]) {
    (void)ctx, (void)nonce, (void)nonce_len, (void)signature;
    return MIDGE_ESIGN;
}

#define NONCE_INFO "INFO {\"auth_required\":true,\"nonce\":\"abc_-\",\"headers\":true,\"max_payload\":9}\r\n"
#define SIG "AAcOFRwjKjE4P0ZNVFtiaXB3foWMk5qhqK-2vcTL0tng5-71_AMKERgfJi00O0JJUFdeZWxzeoGIj5adpKuyuQ"

static void scenario_nkey(struct rig *r) {
    rig_fill(r);
    r->config.nkey = MIDGE_STR("UKEY");
    r->config.token = MIDGE_STR("not used");
    r->config.sign = sign;
    r->config.sign_ctx = r;
    rig_start(r);
    rig_say(r, NONCE_INFO);
    rig_saw(r, "open a\nsign abc_-\n");
    rig_hello(r, ",\"nkey\":\"UKEY\",\"sig\":\"" SIG "\"}");
}

static void scenario_jwt(struct rig *r) {
    rig_fill(r);
    r->config.jwt = MIDGE_STR("eyJ.x");
    r->config.nkey = MIDGE_STR("UKEY");
    r->config.sign = sign;
    r->config.sign_ctx = r;
    rig_start(r);
    rig_say(r, NONCE_INFO);
    rig_hello(r, ",\"jwt\":\"eyJ.x\",\"sig\":\"" SIG "\"}");
    rig_say(r, "PONG\r\n");
    rig_saw(r, "open a\nsign abc_-\nconnected\n");
}

static void scenario_sign_fails(struct rig *r) {
    rig_fill(r);
    r->config.jwt = MIDGE_STR("eyJ.x");
    r->config.sign = refuse_to_sign;
    rig_start(r);
    rig_say(r, NONCE_INFO);
    rig_saw(r, "open a\nclose\nclosed -19\n");
    rig_wrote(r, "");
    CHECK(midge_error(&r->m) == MIDGE_ESIGN);
}

static void scenario_tls(struct rig *r) {
    rig_fill(r);
    r->config.tls_available = true;
    rig_start(r);
    rig_say(r, "INFO {\"tls_required\":true}\r\n");
    rig_saw(r, "open a\ntls\n");
    rig_hello(r, "\"tls_required\":true");
    rig_say(r, "PONG\r\n");
    rig_saw(r, "connected\n");
    rig_cut(r);
    rig_later(r, 200);
    rig_say(r, "INFO {\"tls_required\":true}\r\n");
    rig_saw(r, "disconnected -10\nopen a\ntls\n");
}

static void scenario_tls_optional(struct rig *r) {
    rig_fill(r);
    r->config.tls_available = true;
    rig_start(r);
    rig_say(r, "INFO {\"tls_available\":true}\r\n");
    rig_hello(r, "\"tls_required\":false"); // not asked for

    rig_fill(r);
    r->config.tls_available = r->servers[0].tls = true;
    rig_start(r);
    rig_say(r, "INFO {\"tls_available\":true}\r\n");
    rig_saw(r, "open a\ntls\n");
    rig_hello(r, "\"tls_required\":true");
}

static void scenario_tls_first(struct rig *r) {
    rig_fill(r);
    r->config.tls_first = r->config.tls_available = true;
    rig_start(r);
    rig_saw(r, "open a\ntls\n");
    rig_say(r, "INFO {\"tls_required\":true}\r\n");
    rig_hello(r, "\"tls_required\":true");
    rig_say(r, "PONG\r\n");
    rig_saw(r, "connected\n");
}

static void scenario_tls_impossible(struct rig *r) {
    rig_fill(r); // the port cannot
    rig_start(r);
    rig_say(r, "INFO {\"tls_required\":true}\r\n");
    rig_saw(r, "open a\nclose\nclosed -12\n");

    rig_fill(r); // the server cannot
    r->config.tls_available = r->config.tls_required = true;
    rig_start(r);
    rig_say(r, RIG_INFO);
    rig_saw(r, "open a\nclose\nclosed -12\n");

    rig_fill(r); // the handshake fails
    r->config.tls_available = r->refuse_tls = true;
    rig_start(r);
    rig_say(r, "INFO {\"tls_required\":true}\r\n");
    rig_saw(r, "open a\ntls\nclosed -12\n");
}

// What an eavesdropper adds in clear behind INFO must not be believed.
static void scenario_tls_injection(struct rig *r) {
    rig_fill(r);
    r->config.tls_available = true;
    rig_start(r);
    size_t n;
    const char *s = "INFO {\"tls_required\":true}\r\nPO";
    memcpy(midge_recv_buf(&r->m, &n), s, strlen(s));
    midge_recv_ack(&r->m, strlen(s));
    midge_recv_buf(&r->m, &n);
    CHECK(n == 0);
    rig_run(r);
    rig_hello(r, "");
    rig_say(r, "PONG\r\n");
    rig_saw(r, "open a\ntls\nconnected\n");
}

static void scenario_refused_in_clear(struct rig *r) {
    rig_fill(r);
    r->config.tls_available = true;
    rig_start(r);
    size_t n;
    const char *s = "INFO {\"tls_required\":true}\r\n-ERR 'maximum connections exceeded'\r\n";
    memcpy(midge_recv_buf(&r->m, &n), s, strlen(s));
    midge_recv_ack(&r->m, strlen(s));
    rig_run(r);
    rig_saw(r, "open a\nerror -18 maximum connections exceeded\nclose\nclosed -18\n");
}

static const struct {
    const char *text, *saw;
} refusals[] = {
    {"-ERR 'Authorization Violation'\r\n", "open a\nclose\nclosed -14\n"},
    {"-ERR 'Authentication Timeout'\r\n", "open a\nclose\nclosed -14\n"},
    {"-ERR 'User Authentication Revoked'\r\n", "open a\nclose\nclosed -14\n"},
    {"-ERR 'User Authentication Expired'\r\n", "open a\nclose\nclosed -15\n"},
    {"-ERR 'Account Authentication Expired'\r\n", "open a\nclose\nclosed -15\n"},
    {"-ERR 'Stale Connection'\r\n", "open a\nclose\nclosed -17\n"},
    {"-ERR 'Secure Connection - TLS Required'\r\n", "open a\nclose\nclosed -12\n"},
    {"-ERR 'odd'\r\n", "open a\nerror -18 odd\nclose\nclosed -18\n"},
    {"-ERR\r\n", "open a\nerror -18 \nclose\nclosed -18\n"},
    {"MSG a 1 0\r\n\r\n", "open a\nclose\nclosed -13\n"},
    {"HELLO\r\n", "open a\nclose\nclosed -13\n"},
    {"\r\n", "open a\nclose\nclosed -13\n"},
};

static void scenario_refused(struct rig *r) {
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        rig_fill(r);
        rig_start(r);
        rig_say(r, RIG_INFO);
        rig_say(r, refusals[i].text);
        rig_saw(r, refusals[i].saw);
        CHECK(midge_state_of(&r->m) == MIDGE_STATE_CLOSED && midge_error(&r->m) < 0);
    }
}

static const char *const bad_starts[] = {
    "PING\r\n", "PONG\r\n", "+OK\r\n", "HTTP/1.1 400 Bad Request\r\n", "INFO {\"a\":{\r\n", "INFO ]\r\n", "INFO }{\r\n",
    "INFO {\"a\n", "INFO x\r\n", "MSG a 1 0\r\n",
};

static void scenario_not_a_server(struct rig *r) {
    for (size_t i = 0; i < sizeof(bad_starts) / sizeof(bad_starts[0]); i++) {
        rig_fill(r);
        rig_start(r);
        rig_say(r, bad_starts[i]);
        rig_saw(r, "open a\nclose\nclosed -13\n");
    }
}

static void scenario_endless_line(struct rig *r) {
    static const char *const starts[] = {"", "INFO {\"", "INFO {\"a\":1"};
    for (size_t k = 0; k < 3; k++) {
        rig_fill(r);
        r->config.recv_size = 600;
        rig_start(r);
        rig_say(r, starts[k]);
        for (int i = 0; i < 80 && r->open; i++) rig_say(r, "1234567890");
        rig_saw(r, "open a\nclose\nclosed -13\n");
    }
    // INFO may be longer than the buffer
    rig_fill(r);
    r->config.recv_size = 512;
    rig_start(r);
    rig_say(r, "INFO {");
    for (int i = 0; i < 60; i++) rig_say(r, "\"some_key\":\"and its value\",");
    rig_say(r, "\"max_payload\":77}\r\n");
    rig_hello(r, "");
    rig_say(r, "PONG\r\n");
    rig_saw(r, "open a\nconnected\n");
    CHECK(midge_info_of(&r->m)->max_payload == 77);
}

static void scenario_timeout(struct rig *r) {
    rig_fill(r);
    r->config.connect_timeout = 500;
    rig_start(r);
    rig_later(r, 499);
    rig_saw(r, "open a\n");
    rig_later(r, 1);
    rig_saw(r, "close\nclosed -8\n");

    rig_fill(r); // a handshake that stops half-way has no second timeout
    rig_start(r);
    rig_later(r, 1500);
    rig_say(r, RIG_INFO);
    rig_later(r, 499);
    rig_saw(r, "open a\n");
    rig_later(r, 1);
    rig_saw(r, "close\nclosed -8\n");
}

static void scenario_config(struct rig *r) {
    midge m;
    rig_fill(r);
#define REFUSED(change)                                                                                              \
    do {                                                                                                             \
        midge_config save = r->config;                                                                               \
        change;                                                                                                      \
        CHECK(midge_init(&m, &r->config) == MIDGE_EINVAL);                                                           \
        r->config = save;                                                                                            \
    } while (0)
    REFUSED(r->config.recv_buf = NULL);
    REFUSED(r->config.send_buf = NULL);
    REFUSED(r->config.recv_size = 511);
    REFUSED(r->config.send_size = 511);
    REFUSED(r->config.servers_len = 0);
    REFUSED(r->config.servers = NULL);
    REFUSED(r->config.subs = NULL);
    REFUSED(r->config.requests = NULL);
    REFUSED(r->config.subs_len = 0);
    REFUSED(r->config.subs_len = 1000001);
    REFUSED(r->config.requests_len = 1000001);
    REFUSED(r->config.tls_first = true);
    REFUSED(r->config.inbox_prefix = MIDGE_STR("a.*"));
    REFUSED(r->config.inbox_prefix = MIDGE_STR("a123456789012345678901234567890123456789012345"));
    REFUSED((r->config.password = (midge_str){r->log, RIG_BUF}));
    CHECK(midge_init(&m, &r->config) == 0);
    CHECK(sizeof(midge) <= 1024);
}

// The functions of the port out of turn change nothing.
static void scenario_out_of_turn(struct rig *r) {
    size_t n;
    rig_fill(r);
    CHECK(midge_init(&r->m, &r->config) == 0);
    CHECK(midge_want(&r->m) == MIDGE_WANT_NONE);
    midge_connected(&r->m);
    midge_tls_done(&r->m);
    midge_disconnected(&r->m, MIDGE_ECONNECT);
    midge_send_ack(&r->m, 100);
    midge_send_buf(&r->m, &n);
    CHECK(n == 0);
    midge_recv_buf(&r->m, &n);
    CHECK(n == 0);
    midge_recv_ack(&r->m, 0);
    rig_run(r);
    rig_saw(r, "open a\n");
    rig_say(r, RIG_INFO);
    midge_recv_buf(&r->m, &n);
    rig_hello(r, "");
    rig_say(r, "PONG\r\n");
    rig_saw(r, "connected\n");
}

const struct scenario scenarios_connect[] = {
    {"plain", scenario_plain},
    {"options", scenario_options},
    {"credentials", scenario_credentials},
    {"nkey", scenario_nkey},
    {"jwt", scenario_jwt},
    {"sign fails", scenario_sign_fails},
    {"tls", scenario_tls},
    {"tls optional", scenario_tls_optional},
    {"tls first", scenario_tls_first},
    {"tls impossible", scenario_tls_impossible},
    {"tls injection", scenario_tls_injection},
    {"refused in clear", scenario_refused_in_clear},
    {"refused", scenario_refused},
    {"not a server", scenario_not_a_server},
    {"endless line", scenario_endless_line},
    {"timeout", scenario_timeout},
    {"config", scenario_config},
    {"out of turn", scenario_out_of_turn},
    {NULL, NULL},
};
