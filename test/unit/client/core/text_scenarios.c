// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

#include "test/unit/client/core/scenario.h"

#include <string.h>

static bool is(midge_str s, const char *text) { return s.n == strlen(text) && (!s.n || memcmp(s.p, text, s.n) == 0); }

static void scenario_headers_build(struct rig *r) {
    static const char whole[] = "NATS/1.0\r\nA: b\r\nNats-Msg-Id: x:y z\r\nEmpty: \r\n\r\n";
    char buf[128];
    midge_headers h;
    midge_str block;
    (void)r;
    for (size_t size = 0; size <= sizeof(buf); size++) {
        midge_headers_begin(&h, buf, size);
        midge_headers_add(&h, MIDGE_STR("A"), MIDGE_STR("b"));
        midge_headers_add(&h, MIDGE_STR("Nats-Msg-Id"), MIDGE_STR("x:y z"));
        midge_headers_add(&h, MIDGE_STR("Empty"), MIDGE_NONE);
        int err = midge_headers_end(&h, &block);
        CHECK(err == (size < sizeof(whole) - 1 ? MIDGE_ETOOLARGE : 0));
        CHECK(is(block, err ? "" : whole));
    }
    static const midge_str bad[][2] = {
        {{"", 0}, {"x", 1}},      {{"a:b", 3}, {"x", 1}},    {{"a b", 3}, {"x", 1}}, {{"a\r", 2}, {"x", 1}},
        {{"a", 1}, {"x\r\n", 3}}, {{"a", 1}, {"x\ny", 3}}, {{"\x80", 1}, {"", 0}},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        midge_headers_begin(&h, buf, sizeof(buf));
        midge_headers_add(&h, bad[i][0], bad[i][1]);
        midge_headers_add(&h, MIDGE_STR("A"), MIDGE_STR("b"));
        CHECK(midge_headers_end(&h, &block) == MIDGE_EBADHEADER && !block.n);
    }
}

static void scenario_headers_parse(struct rig *r) {
    midge_str block = MIDGE_STR("NATS/1.0 503  No Responders \r\nA:1\r\nA:  two words \t\r\nnot a header\r\n"
                                ": x\r\na:\r\n"
                                "Last: x:y\r\n\r\nBehind: the end\r\n");
    midge_str name, value;
    size_t pos = 0, n = 0;
    (void)r;
    static const char *const want[][2] = {{"A", "1"}, {"A", "two words"}, {"a", ""}, {"Last", "x:y"}};
    while (midge_headers_next(block, &pos, &name, &value)) {
        CHECK(n < 4 && is(name, want[n][0]) && is(value, want[n][1]));
        n++;
    }
    CHECK(n == 4 && !midge_headers_next(block, &pos, &name, &value));
    CHECK(is(midge_headers_get(block, MIDGE_STR("A")), "1"));
    CHECK(is(midge_headers_get(block, MIDGE_STR("Last")), "x:y"));
    CHECK(!midge_headers_get(block, MIDGE_STR("B")).n && !midge_headers_get(MIDGE_NONE, MIDGE_STR("B")).n);
    CHECK(is(midge_headers_description(block), "No Responders"));
    CHECK(!midge_headers_description(MIDGE_STR("NATS/1.0 503\r\n\r\n")).n);
    CHECK(!midge_headers_description(MIDGE_STR("NATS/1.0 503 \r\n\r\n")).n);
    CHECK(!midge_headers_description(MIDGE_STR("NATS/1.0\r\n\r\n")).n);
    CHECK(!midge_headers_description(MIDGE_NONE).n);
    // Cut anywhere it stays inside.
    for (size_t i = 0; i < block.n; i++)
        for (pos = 0; midge_headers_next((midge_str){block.p, i}, &pos, &name, &value);)
            CHECK(value.p + value.n <= block.p + i);
}

#define SEED "SUAIBDPBAUTWCWBKIO6XHQNINK5FWJW4OHLXC3HQ2KFE4PEJUA44CNHTC4"
#define PUBLIC "UCK5N7N66OBOINFXAYC2ACJQYFSOD4VYNU6APEJTAVFZB2SVHLKGEW7L"
#define CREDS                                                                                                        \
    "-----BEGIN NATS USER JWT-----\r\neyJ0.eyJq.sig\r\n------END NATS USER JWT------\n\n*** IMPORTANT ***\n\n"         \
    "-----BEGIN USER NKEY SEED-----\n" SEED "\n------END USER NKEY SEED------\n"

static void scenario_creds(struct rig *r) {
    midge_str jwt, seed;
    (void)r;
    CHECK(midge_creds_parse(MIDGE_STR(CREDS), &jwt, &seed) == 0);
    CHECK(is(jwt, "eyJ0.eyJq.sig") && is(seed, SEED));
    CHECK(midge_creds_parse(MIDGE_NONE, &jwt, &seed) == MIDGE_EINVAL);
    CHECK(midge_creds_parse(MIDGE_STR("-----BEGIN NATS USER JWT-----\nx\n"), &jwt, &seed) == MIDGE_EINVAL);
    CHECK(midge_creds_parse(MIDGE_STR("-----BEGIN USER NKEY SEED-----\nx\n"), &jwt, &seed) == MIDGE_EINVAL);
    midge_str no_jwt = MIDGE_STR("-----BEGIN NATS USER JWT-----\n-----BEGIN USER NKEY SEED-----\nx\n");
    CHECK(midge_creds_parse(no_jwt, &jwt, &seed) == MIDGE_EINVAL);
    for (size_t i = 0; i + 40 < sizeof(CREDS) - 1; i++) {
        int err = midge_creds_parse((midge_str){CREDS, i}, &jwt, &seed);
        CHECK(err || seed.n < 58);
    }
}

static void scenario_nkey_text(struct rig *r) {
    uint8_t seed[32], key[32];
    char text[57], bad[59];
    (void)r;
    CHECK(midge_seed_decode(MIDGE_STR(SEED), seed) == 0);
    CHECK(midge_seed_decode(MIDGE_STR(PUBLIC), seed) == MIDGE_EINVAL);
    for (size_t i = 0; i < 58; i++) { // the checksum finds each letter
        memcpy(bad, SEED, 59);
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        CHECK(midge_seed_decode((midge_str){bad, 58}, seed) == MIDGE_EINVAL);
        bad[i] = '1';
        CHECK(midge_seed_decode((midge_str){bad, 58}, seed) == MIDGE_EINVAL);
        CHECK(midge_seed_decode((midge_str){SEED, i}, seed) == MIDGE_EINVAL);
    }
    memset(key, 0, sizeof(key));
    midge_nkey_encode(key, text);
    CHECK(strlen(text) == 56 && strncmp(text, "UAAAAAAA", 8) == 0);
}

static void scenario_url(struct rig *r) {
    static const struct {
        const char *url, *host;
        uint16_t port;
        bool tls;
        const char *user, *password;
    } good[] = {
        {"localhost", "localhost", 4222, false, "", ""},
        {"nats://a", "a", 4222, false, "", ""},
        {"NATS://a:1/", "a", 1, false, "", ""},
        {"tls://u:p:w@h.x:65535", "h.x", 65535, true, "u", "p:w"},
        {"nats://tok@h", "h", 4222, false, "tok", ""},
        {"nats://u:p@s@h", "h", 4222, false, "u", "p@s"},
        {"[::1]:5", "::1", 5, false, "", ""},
        {"nats://[fe80::1]", "fe80::1", 4222, false, "", ""},
        {"10.0.0.1:4", "10.0.0.1", 4, false, "", ""},
    };
    static const char *const bad[] = {"", "nats://", "ws://a", "http://a:1", "a:", "a:0", "a:65536", "a:x", "[::1",
                                      "[::1]x", "[]:1", ":4222", "nats://u@", "a/b", "a b", "a:1:2"};
    midge_server s;
    midge_str user, password;
    (void)r;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CHECK(midge_url_parse(midge_cstr(good[i].url), &s, &user, &password) == 0);
        CHECK(is(s.host, good[i].host) && s.port == good[i].port && s.tls == good[i].tls);
        CHECK(is(user, good[i].user) && is(password, good[i].password));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(midge_url_parse(midge_cstr(bad[i]), &s, &user, &password) == MIDGE_EINVAL);
}

static void scenario_strerror(struct rig *r) {
    (void)r;
    CHECK(strcmp(midge_strerror(MIDGE_EFULL), "no room in the send buffer") == 0);
    CHECK(strcmp(midge_strerror(0), "no error") == 0);
    CHECK(strcmp(midge_strerror(1), "unknown error") == 0 && strcmp(midge_strerror(-1000), "unknown error") == 0);
    for (int err = MIDGE_ENOMEM; err < 0; err++) CHECK(strcmp(midge_strerror(err), "unknown error") != 0);
}

const struct scenario scenarios_text[] = {
    {"build headers", scenario_headers_build},
    {"parse headers", scenario_headers_parse},
    {"creds", scenario_creds},
    {"nkey", scenario_nkey_text},
    {"url", scenario_url},
    {"strerror", scenario_strerror},
    {NULL, NULL},
};
