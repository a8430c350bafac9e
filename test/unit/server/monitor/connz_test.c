// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/monitor/connz.h"

#include <stdio.h>

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/monitor/closed_ring.h"
#include "test/unit/cmocka_inc.h"

#define SEC INT64_C(1000000000)
#define NOW (INT64_C(1767323045) * SEC) // 2026-01-02T03:04:05Z

static void query_defaults_and_values(void **state) {
    (void)state;
    struct mg_connz_query q;
    struct mg_buf err = MG_BUF_INIT;
    assert_int_equal(mg_connz_parse(MG_S(""), &q, &err), MG_OK);
    assert_int_equal(q.sort, MG_SORT_CID);
    assert_int_equal(q.state, MG_CONNZ_OPEN);
    assert_int_equal(q.offset, 0);
    assert_int_equal(q.limit, 1024);
    assert_false(q.auth || q.subs || q.subs_detail);
    assert_null(q.user);
    mg_connz_query_fini(&q);
    static const char all[] = "limit=-5&offset=-7&subs=DETAIL&auth=T&state=ANY&sort=bytes_to&user=u&"
                              "acc=%24G&mqtt_client=m";
    assert_int_equal(mg_connz_parse(mg_cstr(all), &q, &err), MG_OK);
    assert_int_equal(q.limit, 1024);
    assert_int_equal(q.offset, 0);
    assert_true(q.auth && !q.subs && q.subs_detail);
    assert_int_equal(q.state, MG_CONNZ_ALL);
    assert_int_equal(q.sort, MG_SORT_BYTES_TO);
    struct mg_connz_query copy;
    mg_connz_query_copy(&copy, &q);
    mg_connz_query_fini(&q);
    assert_string_equal(copy.user, "u");
    assert_string_equal(copy.account, "$G");
    assert_string_equal(copy.mqtt_client, "m");
    mg_connz_query_fini(&copy);
    assert_int_equal(mg_connz_parse(MG_S("cid=7&limit=20"), &q, &err), MG_OK);
    assert_int_equal(q.limit, 1);
    mg_connz_query_fini(&q);
    mg_buf_fini(&err);
}

static void query_errors(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"sort=foo", "invalid sorting option: foo"},
        {"sort=stop", "sort by stop only valid on closed connections"},
        {"sort=stop&state=any", "sort by stop only valid on closed connections"},
        {"sort=reason&state=all", "sort by reason only valid on closed connections"},
        {"state=gone&sort=foo", "Error decoding state for gone"},
        {"auth=x", "Error decoding boolean for 'auth': strconv.ParseBool: parsing \"x\": invalid syntax"},
        {"subs=x", "Error decoding boolean for 'subs': strconv.ParseBool: parsing \"x\": invalid syntax"},
        {"offset=x", "Error decoding int for 'offset': strconv.Atoi: parsing \"x\": invalid syntax"},
        {"limit=1.5", "Error decoding int for 'limit': strconv.Atoi: parsing \"1.5\": invalid syntax"},
        {"cid=x", "Error decoding uint64 for 'cid': strconv.ParseUint: parsing \"x\": invalid syntax"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mg_connz_query q;
        struct mg_buf err = MG_BUF_INIT;
        assert_int_equal(mg_connz_parse(mg_cstr(cases[i][0]), &q, &err), MG_EINVAL);
        mg_buf_addc(&err, '\0');
        assert_string_equal(err.p, cases[i][1]);
        mg_buf_fini(&err);
    }
}

// Connections with all numbers different. 1-4 are open, 5 and 6 closed.
static const struct mg_conn_stats conns[] = {
    {.cid = 1, .start_ns = NOW - 90 * SEC, .last_ns = NOW - 1 * SEC, .rtt_ns = 5000, .in_msgs = 1, .in_bytes = 40,
     .out_msgs = 7, .out_bytes = 3, .pending = 20, .nsubs = 3},
    {.cid = 2, .start_ns = NOW - 80 * SEC, .last_ns = NOW - 4 * SEC, .rtt_ns = 9000, .in_msgs = 4, .in_bytes = 10,
     .out_msgs = 8, .out_bytes = 2, .pending = 10, .nsubs = 1},
    {.cid = 3, .start_ns = NOW - 70 * SEC, .last_ns = NOW - 2 * SEC, .rtt_ns = 1000, .in_msgs = 3, .in_bytes = 20,
     .out_msgs = 5, .out_bytes = 1, .pending = 30, .nsubs = 2},
    {.cid = 4, .start_ns = NOW - 60 * SEC, .last_ns = NOW - 3 * SEC, .rtt_ns = 0, .in_msgs = 2, .in_bytes = 30,
     .out_msgs = 6, .out_bytes = 4, .pending = 40, .nsubs = 4},
    {.cid = 5, .start_ns = NOW - 50 * SEC, .last_ns = NOW - 45 * SEC, .stop_ns = NOW - 10 * SEC,
     .reason = MG_CLOSE_STALE, .nsubs = 9},
    {.cid = 6, .start_ns = NOW - 40 * SEC, .last_ns = NOW - 35 * SEC, .stop_ns = NOW - 30 * SEC,
     .reason = MG_CLOSE_CLIENT_CLOSED, .nsubs = 8},
};

#define NCONNS (sizeof(conns) / sizeof(conns[0]))

static mg_slice user_of(size_t i) { return i % 2 == 0 ? MG_S("even") : MG_S("odd"); }
static mg_slice account_of(size_t i) { return i < 3 ? MG_S("$G") : MG_S("B"); }
static mg_slice mqtt_of(size_t i) { return i == 2 ? MG_S("m") : MG_S(""); }

// The page's ids as text, "1 2 3", and the total. The walk is split over two shards.
static void expect_page(const char *query, const char *ids, uint64_t total) {
    struct mg_connz_query q;
    struct mg_buf text = MG_BUF_INIT;
    struct mg_connz shards[2], all;
    assert_int_equal(mg_connz_parse(mg_cstr(query), &q, &text), MG_OK);
    mg_connz_init(&shards[0], &q, NOW);
    mg_connz_init(&shards[1], &q, NOW);
    mg_connz_init(&all, &q, NOW);
    for (size_t i = 0; i < NCONNS; i++)
        mg_connz_visit(&shards[i % 2], &conns[i], i % 2, user_of(i), account_of(i), mqtt_of(i));
    for (size_t i = 0; i < 2; i++) mg_connz_merge(&all, &shards[i]);
    size_t n;
    const struct mg_conn_key *page = mg_connz_page(&all, &n);
    for (size_t i = 0; i < n; i++) {
        mg_buf_addf(&text, "%s%llu", i ? " " : "", (unsigned long long)page[i].cid);
        assert_int_equal(page[i].shard, (page[i].cid - 1) % 2);
        assert_int_equal(page[i].closed, page[i].cid >= 5);
    }
    mg_buf_addc(&text, '\0');
    assert_string_equal(text.p, ids);
    assert_int_equal(all.total, total);
    mg_connz_fini(&shards[0]);
    mg_connz_fini(&shards[1]);
    mg_connz_fini(&all);
    mg_connz_query_fini(&q);
    mg_buf_fini(&text);
}

static void sorts(void **state) {
    (void)state;
    expect_page("", "1 2 3 4", 4);
    expect_page("sort=start", "1 2 3 4", 4);
    expect_page("sort=subs", "4 1 3 2", 4);
    expect_page("sort=pending", "4 3 1 2", 4);
    expect_page("sort=msgs_to", "2 1 4 3", 4);
    expect_page("sort=msgs_from", "2 3 4 1", 4);
    expect_page("sort=bytes_to", "4 1 2 3", 4);
    expect_page("sort=bytes_from", "1 4 3 2", 4);
    expect_page("sort=last", "1 3 4 2", 4);
    expect_page("sort=idle", "2 4 3 1", 4);
    expect_page("sort=uptime", "4 3 2 1", 4);
    expect_page("sort=rtt", "2 1 3 4", 4);
    expect_page("sort=uptime&state=all", "6 5 4 3 2 1", 6);
    expect_page("sort=stop&state=closed", "5 6", 2);
    expect_page("sort=reason&state=closed", "6 5", 2);
}

static void filters_and_pages(void **state) {
    (void)state;
    expect_page("state=closed", "5 6", 2);
    expect_page("state=all", "1 2 3 4 5 6", 6);
    expect_page("limit=2", "1 2", 4);
    expect_page("limit=2&offset=1", "2 3", 4);
    expect_page("limit=2&offset=3", "4", 4);
    expect_page("offset=4", "", 4);
    expect_page("offset=9223372036854775807&limit=9223372036854775807", "", 4);
    expect_page("sort=pending&limit=1", "4", 4);
    expect_page("sort=pending&limit=1&offset=2", "1", 4);
    expect_page("user=odd", "2 4", 4);
    expect_page("user=nobody", "", 4);
    expect_page("mqtt_client=m", "3", 4);
    expect_page("acc=B", "4", 1);
    expect_page("acc=B&state=all", "4 5 6", 3);
    expect_page("acc=B&state=all&user=even", "5", 3);
    expect_page("cid=3", "3", 4);
    expect_page("cid=3&user=nobody", "3", 4); // an open one is found whoever it is
    expect_page("cid=5", "", 4);
    expect_page("cid=5&state=closed", "5", 2);
    expect_page("cid=5&state=all", "5", 6);
    expect_page("cid=99", "", 4);
}

static void memory_follows_the_page(void **state) {
    (void)state;
    struct mg_connz_query q;
    struct mg_buf err = MG_BUF_INIT;
    struct mg_connz c;
    assert_int_equal(mg_connz_parse(MG_S("sort=pending&limit=10&offset=5"), &q, &err), MG_OK);
    mg_connz_init(&c, &q, NOW);
    for (uint64_t i = 0; i < 10000; i++) { // pending is a permutation of 0..9999
        struct mg_conn_stats s = {.cid = i + 1, .pending = i * 7919 % 10000};
        mg_connz_visit(&c, &s, 0, MG_S(""), MG_S(""), MG_S(""));
    }
    assert_true(c.cap < 100);
    assert_int_equal(c.total, 10000);
    size_t n;
    const struct mg_conn_key *page = mg_connz_page(&c, &n);
    assert_int_equal(n, 10);
    for (size_t i = 0; i < n; i++) assert_int_equal((page[i].cid - 1) * 7919 % 10000, 9999 - 5 - i);
    mg_connz_fini(&c);
    mg_connz_query_fini(&q);
}

// Renders rows for a query.
static char *render(const char *query, const struct mg_conn_rows *rows, bool unknown_account) {
    struct mg_connz_query q;
    struct mg_buf out = MG_BUF_INIT;
    struct mg_connz c;
    assert_int_equal(mg_connz_parse(mg_cstr(query), &q, &out), MG_OK);
    mg_connz_init(&c, &q, NOW);
    c.total = 7;
    c.unknown_account = unknown_account;
    mg_connz_render(&c, "ID", rows, &out);
    mg_buf_addc(&out, '\0');
    mg_connz_fini(&c);
    mg_connz_query_fini(&q);
    return out.p;
}

static void expect_render(const char *query, const struct mg_conn_rows *rows, bool unknown, const char *want) {
    char *text = render(query, rows, unknown);
    assert_string_equal(text, want);
    mg_free(text);
}

static const struct mg_sub_row some_subs[] = {
    {.subject = {"foo.>", 5}, .queue = {"q", 1}, .sid = {"1", 1}, .cid = 5},
    {.subject = {"bar", 3}, .sid = {"2", 1}, .msgs = 1, .max = 9, .cid = 5},
};

static struct mg_conn_row plain_row(void) {
    return (struct mg_conn_row){
        .s = {.cid = 5, .start_ns = NOW - 3661 * SEC, .last_ns = NOW - 59 * SEC + 120000000, .rtt_ns = 975432,
              .in_msgs = 1, .in_bytes = 2, .out_msgs = 3, .out_bytes = 4, .nsubs = 2, .port = 4242},
        .ip = MG_S("127.0.0.1"), .name = MG_S("n<m>"), .lang = MG_S("c"), .version = MG_S("1.0"),
        .user = MG_S("a"), .account = MG_S("$G"), .name_tag = MG_S("$G"), .subs = some_subs, .nsubs = 2};
}

#define ENVELOPE(n)                                                                                                    \
    "{\n  \"server_id\": \"ID\",\n  \"now\": \"2026-01-02T03:04:05Z\",\n  \"num_connections\": " n                     \
    ",\n  \"total\": 7,\n  \"offset\": 0,\n  \"limit\": 1024,\n  \"connections\": "
#define CONN                                                                                                           \
    "[\n    {\n      \"cid\": 5,\n      \"kind\": \"Client\",\n      \"type\": \"nats\",\n"                            \
    "      \"ip\": \"127.0.0.1\",\n      \"port\": 4242,\n      \"start\": \"2026-01-02T02:03:04Z\",\n"                \
    "      \"last_activity\": \"2026-01-02T03:03:06.12Z\",\n"
#define COUNTS                                                                                                         \
    "      \"pending_bytes\": 0,\n      \"in_msgs\": 1,\n      \"out_msgs\": 3,\n      \"in_bytes\": 2,\n"             \
    "      \"out_bytes\": 4,\n      \"subscriptions\": 2,\n      \"name\": \"n\\u003cm\\u003e\",\n"                    \
    "      \"lang\": \"c\",\n      \"version\": \"1.0\""
#define OPEN_TIMES "      \"rtt\": \"975µs\",\n      \"uptime\": \"1h1m1s\",\n      \"idle\": \"58s\",\n"
#define END "\n    }\n  ]\n}"

static void renders_open_connections(void **state) {
    (void)state;
    struct mg_conn_row row = plain_row();
    struct mg_conn_rows rows = {.v = &row, .n = 1}, none = MG_CONN_ROWS_INIT;
    expect_render("", &none, false, ENVELOPE("0") "[]\n}");
    expect_render("", &rows, false, ENVELOPE("1") CONN OPEN_TIMES COUNTS END);
    expect_render("auth=1", &rows, false, ENVELOPE("1") CONN OPEN_TIMES COUNTS
                  ",\n      \"authorized_user\": \"a\",\n      \"name_tag\": \"$G\"" END);
    expect_render("subs=1", &rows, false, ENVELOPE("1") CONN OPEN_TIMES COUNTS
                  ",\n      \"subscriptions_list\": [\n        \"foo.\\u003e\",\n        \"bar\"\n      ]" END);
    expect_render("subs=detail", &rows, false, ENVELOPE("1") CONN OPEN_TIMES COUNTS
                  ",\n      \"subscriptions_list_detail\": [\n        {\n          \"subject\": \"foo.\\u003e\",\n"
                  "          \"qgroup\": \"q\",\n          \"sid\": \"1\",\n          \"msgs\": 0,\n"
                  "          \"cid\": 5\n        },\n        {\n          \"subject\": \"bar\",\n"
                  "          \"sid\": \"2\",\n          \"msgs\": 1,\n          \"max\": 9,\n          \"cid\": 5\n"
                  "        }\n      ]" END);
    expect_render("acc=x", &none, true,
                  "{\n  \"server_id\": \"\",\n  \"now\": \"2026-01-02T03:04:05Z\",\n  \"num_connections\": 0,\n"
                  "  \"total\": 0,\n  \"offset\": 0,\n  \"limit\": 1024,\n  \"connections\": null\n}");
}

static void renders_every_member(void **state) {
    (void)state;
    static const struct mg_peer_cert cert = {{"CN=x", 4}, {"aa", 2}, {"bb", 2}};
    static const mg_slice tags[] = {{"t1", 2}, {"t2", 2}};
    struct mg_conn_row row = plain_row();
    row.s.type = MG_TYPE_MQTT;
    row.s.stalls = 6;
    row.s.tls_first = true;
    row.tls_version = MG_S("1.3");
    row.tls_cipher = MG_S("TLS_AES_128_GCM_SHA256");
    row.account = row.name_tag = MG_S("B");
    row.jwt = MG_S("ey");
    row.issuer_key = MG_S("AK");
    row.tags = tags;
    row.ntags = 2;
    row.mqtt_client = MG_S("mc");
    row.proxy_key = MG_S("PK");
    row.certs = &cert;
    row.ncerts = 1;
    struct mg_conn_rows rows = {.v = &row, .n = 1};
    char *text = render("auth=1", &rows, false);
    const char *tail = strstr(text, "      \"stalls\"");
    assert_non_null(strstr(text, "\"type\": \"mqtt\""));
    assert_non_null(tail);
    assert_string_equal(tail,
                        "      \"stalls\": 6,\n      \"subscriptions\": 2,\n      \"name\": \"n\\u003cm\\u003e\",\n"
                        "      \"lang\": \"c\",\n      \"version\": \"1.0\",\n      \"tls_version\": \"1.3\",\n"
                        "      \"tls_cipher_suite\": \"TLS_AES_128_GCM_SHA256\",\n      \"tls_peer_certs\": [\n"
                        "        {\n          \"subject\": \"CN=x\",\n          \"spki_sha256\": \"aa\",\n"
                        "          \"cert_sha256\": \"bb\"\n        }\n      ],\n      \"tls_first\": true,\n"
                        "      \"authorized_user\": \"a\",\n      \"account\": \"B\",\n      \"jwt\": \"ey\",\n"
                        "      \"issuer_key\": \"AK\",\n      \"name_tag\": \"B\",\n      \"tags\": [\n"
                        "        \"t1\",\n        \"t2\"\n      ],\n      \"mqtt_client\": \"mc\",\n"
                        "      \"proxy\": {\n        \"key\": \"PK\"\n      }" END);
    mg_free(text);
    text = render("", &rows, false); // what only auth shows is hidden
    assert_null(strstr(text, "authorized_user"));
    assert_null(strstr(text, "\"account\""));
    assert_null(strstr(text, "jwt"));
    assert_null(strstr(text, "peer_certs"));
    mg_free(text);
}

// A closed connection in the ring, through selection to its row and its text.
static void closed_connections_come_back(void **state) {
    (void)state;
    struct mg_closed_ring ring;
    struct mg_connz_query q;
    struct mg_buf err = MG_BUF_INIT;
    struct mg_connz c;
    mg_closed_ring_init(&ring, 100);
    struct mg_conn_row row = plain_row();
    row.s.stop_ns = NOW - 1 * SEC;
    row.s.reason = MG_CLOSE_SLOW_PENDING;
    mg_closed_ring_add(&ring, mg_closed_new(&row));
    assert_int_equal(mg_connz_parse(MG_S("state=closed&user=a&acc=%24G"), &q, &err), MG_OK);
    mg_connz_init(&c, &q, NOW);
    assert_int_equal(mg_closed_ring_visit(&ring, 0, 10, &c), 1);
    size_t n;
    const struct mg_conn_key *page = mg_connz_page(&c, &n);
    assert_int_equal(n, 1);
    struct mg_conn_rows rows = MG_CONN_ROWS_INIT;
    mg_closed_ring_rows(&ring, page, n, &rows);
    mg_closed_ring_fini(&ring); // rows own their strings
    assert_int_equal(rows.n, 1);
    expect_render("state=closed&auth=1", &rows, false, ENVELOPE("1") CONN
                  "      \"stop\": \"2026-01-02T03:04:04Z\",\n      \"reason\": \"Slow Consumer (Pending Bytes)\",\n"
                  "      \"rtt\": \"975µs\",\n      \"uptime\": \"1h1m0s\",\n      \"idle\": \"57s\",\n" COUNTS
                  ",\n      \"authorized_user\": \"a\"" END);
    char *text = render("state=closed&subs=1", &rows, false);
    assert_non_null(strstr(text, "\"foo.\\u003e\",\n        \"bar\""));
    mg_free(text);
    mg_conn_rows_fini(&rows);
    mg_connz_fini(&c);
    mg_connz_query_fini(&q);
    mg_buf_fini(&err);
}

static void rows_are_sorted_by_their_newest_numbers(void **state) {
    (void)state;
    struct mg_conn_rows a = MG_CONN_ROWS_INIT, b = MG_CONN_ROWS_INIT;
    for (uint64_t i = 1; i <= 3; i++) {
        struct mg_conn_row *r = mg_conn_rows_add(i == 2 ? &b : &a);
        r->s = (struct mg_conn_stats){.cid = i, .start_ns = NOW, .last_ns = NOW, .out_msgs = i * 10};
        r->name = mg_arena_dup(i == 2 ? &b.arena : &a.arena, MG_S("x"));
    }
    mg_conn_rows_move(&a, &b);
    assert_int_equal(a.n, 3);
    assert_int_equal(b.n, 0);
    char *text = render("sort=msgs_to", &a, false);
    const char *three = strstr(text, "\"cid\": 3"), *two = strstr(text, "\"cid\": 2");
    const char *one = strstr(text, "\"cid\": 1");
    assert_true(three < two && two < one);
    mg_free(text);
    mg_conn_rows_fini(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_defaults_and_values),
        cmocka_unit_test(query_errors),
        cmocka_unit_test(sorts),
        cmocka_unit_test(filters_and_pages),
        cmocka_unit_test(memory_follows_the_page),
        cmocka_unit_test(renders_open_connections),
        cmocka_unit_test(renders_every_member),
        cmocka_unit_test(closed_connections_come_back),
        cmocka_unit_test(rows_are_sorted_by_their_newest_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
