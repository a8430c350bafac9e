// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/monitor/js.h"

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"

#define NOW (INT64_C(1767323045) * 1000000000) // 2026-01-02T03:04:05Z

static char host[] = "0.0.0.0", name[] = "srv", base[] = "/nats";
static struct mg_options opts; // filled by the setup

static struct mg_server_facts facts(void) {
    opts = (struct mg_options){
        .host = host, .http_port = -1, .max_connections = 65536, .ping_interval_ns = 120 * MG_SEC, .ping_max = 2,
        .max_control_line = 4096, .max_payload = 1048576, .max_pending = 67108864, .write_deadline_ns = 10 * MG_SEC};
    return (struct mg_server_facts){
        .opts = &opts, .server_id = "NID", .version = "2.14.5", .git_commit = "", .build = "gcc 12", .ip = "",
        .proto = 1, .port = 4222, .listening = true, .start_ns = NOW - INT64_C(90061) * 1000000000 - 1, .now_ns = NOW,
        .config_load_ns = NOW - 500000000, .cores = 4, .shards = 2, .rss = 5000000, .cpu_percent = 1.5,
        .system_account = "$SYS"};
}

static void expect(struct mg_buf *out, const char *want) {
    mg_buf_addc(out, '\0');
    assert_string_equal(out->p, want);
    out->len = 0;
}

#define HEAD "{\n  \"server_id\": \"NID\",\n"
#define AT "  \"now\": \"2026-01-02T03:04:05Z\",\n"

static void varz_minimal(void **state) {
    (void)state;
    struct mg_server_facts f = facts();
    struct mg_totals t = {.connections = 1, .total_connections = 2, .in_msgs = UINT64_MAX, .in_client_bytes = 9,
                          .slow_consumers = {1, 2, 3, 4}, .stalled_clients = 5, .sublist = {.num_subs = 60}};
    struct mg_endpoint_hits hits = {{0}};
    struct mg_buf out = MG_BUF_INIT;
    hits.n[MG_ENDPOINT_VARZ] = 3;
    hits.n[MG_ENDPOINT_ROOT] = 1;
    hits.n[MG_ENDPOINT_STACKSZ] = 7; // not counted there
    mg_varz_render(&f, &t, &hits, &out);
    expect(&out, HEAD
           "  \"server_name\": \"NID\",\n  \"version\": \"2.14.5\",\n  \"proto\": 1,\n  \"go\": \"gcc 12\",\n"
           "  \"host\": \"0.0.0.0\",\n  \"port\": 4222,\n  \"max_connections\": 65536,\n"
           "  \"ping_interval\": 120000000000,\n  \"ping_max\": 2,\n  \"http_host\": \"0.0.0.0\",\n"
           "  \"http_port\": -1,\n  \"http_base_path\": \"\",\n  \"https_port\": 0,\n  \"auth_timeout\": 2,\n"
           "  \"max_control_line\": 4096,\n  \"max_payload\": 1048576,\n  \"max_pending\": 67108864,\n"
           "  \"cluster\": {},\n  \"gateway\": {},\n  \"leaf\": {},\n  \"mqtt\": {},\n  \"websocket\": {},\n"
           "  \"jetstream\": {},\n  \"tls_timeout\": 2,\n  \"write_deadline\": 10000000000,\n"
           "  \"start\": \"2026-01-01T02:03:03.999999999Z\",\n" AT "  \"uptime\": \"1d1h1m1s\",\n  \"mem\": 5000000,\n"
           "  \"cores\": 4,\n  \"gomaxprocs\": 2,\n  \"cpu\": 1.5,\n  \"connections\": 1,\n"
           "  \"total_connections\": 2,\n  \"routes\": 0,\n  \"remotes\": 0,\n  \"leafnodes\": 0,\n"
           "  \"in_msgs\": 18446744073709551615,\n  \"in_bytes\": 0,\n  \"in_client_msgs\": 0,\n"
           "  \"in_client_bytes\": 9,\n  \"out_msgs\": 0,\n  \"out_bytes\": 0,\n  \"out_client_msgs\": 0,\n"
           "  \"out_client_bytes\": 0,\n  \"slow_consumers\": 10,\n  \"stale_connections\": 0,\n"
           "  \"stalled_clients\": 5,\n  \"subscriptions\": 60,\n  \"http_req_stats\": {\n    \"/\": 1,\n"
           "    \"/varz\": 3\n  },\n  \"config_load_time\": \"2026-01-02T03:04:04.5Z\",\n  \"config_digest\": \"\",\n"
           "  \"system_account\": \"$SYS\",\n  \"slow_consumer_stats\": {\n    \"clients\": 1,\n    \"routes\": 2,\n"
           "    \"gateways\": 3,\n    \"leafs\": 4\n  },\n  \"stale_connection_stats\": {\n    \"clients\": 0,\n"
           "    \"routes\": 0,\n    \"gateways\": 0,\n    \"leafs\": 0\n  },\n  \"disk_io_wait_stats\": {\n"
           "    \"waiters\": 0,\n    \"waits\": 0,\n    \"wait_time\": 0,\n    \"max_wait_time\": 0\n  }\n}");
    mg_buf_fini(&out);
}

static void varz_optional_members(void **state) {
    (void)state;
    struct mg_server_facts f = facts();
    struct mg_totals t = {0};
    struct mg_endpoint_hits hits = {{0}};
    struct mg_buf out = MG_BUF_INIT;
    char a1[] = "a:1", b2[] = "b:2", x[] = "x", k[] = "k", v[] = "v", close_word[] = "close";
    char *urls[] = {a1, b2}, *tags[] = {x}, *meta[] = {k, v};
    opts.server_name = name;
    opts.http_base_path = base;
    opts.max_subs = 5;
    opts.auth_timeout_s = 1.5;
    opts.tls = true;
    opts.tls_opts.timeout_ns = 500 * MG_MS;
    opts.write_timeout = close_word;
    opts.tags = (struct mg_strlist){tags, 1};
    opts.metadata = (struct mg_strlist){meta, 2};
    f.connect_urls = (struct mg_strlist){urls, 2};
    f.auth_required = f.tls_required = f.tls_verify = true;
    f.git_commit = "abc";
    f.ip = "1.2.3.4";
    f.tls_not_after_s = 1767323045;
    mg_varz_render(&f, &t, &hits, &out);
    mg_buf_addc(&out, '\0');
    static const char *const wanted[] = {
        "  \"server_name\": \"srv\",\n", "  \"proto\": 1,\n  \"git_commit\": \"abc\",\n  \"go\"",
        "  \"port\": 4222,\n  \"auth_required\": true,\n  \"tls_required\": true,\n  \"tls_verify\": true,\n"
        "  \"ip\": \"1.2.3.4\",\n  \"connect_urls\": [\n    \"a:1\",\n    \"b:2\"\n  ],\n"
        "  \"max_connections\": 65536,\n  \"max_subscriptions\": 5,\n",
        "  \"http_base_path\": \"/nats\",\n", "  \"auth_timeout\": 1.5,\n", "  \"tls_timeout\": 0.5,\n",
        "  \"write_timeout\": \"close\",\n  \"start\"", "  \"http_req_stats\": {},\n",
        "  \"tags\": [\n    \"x\"\n  ],\n  \"metadata\": {\n    \"k\": \"v\"\n  },\n  \"system_account\"",
        "\n  },\n  \"tls_cert_not_after\": \"2026-01-02T03:04:05Z\"\n}"};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (strstr(out.p, wanted[i]) == NULL) fail_msg("missing: %s\nin: %s", wanted[i], out.p);
    mg_buf_fini(&out);
}

static void subsz(void **state) {
    (void)state;
    struct mg_server_facts f = facts();
    struct mg_subsz_query q;
    struct mg_sublist_counts counts = {60, 5, 70, 10, 7, 2, 1, 4};
    struct mg_sub_rows rows = MG_SUB_ROWS_INIT;
    struct mg_buf out = MG_BUF_INIT;
    assert_int_equal(mg_subsz_parse(MG_S("limit=x"), &q, &out), MG_EINVAL);
    expect(&out, "Error decoding int for 'limit': strconv.Atoi: parsing \"x\": invalid syntax");
    assert_int_equal(mg_subsz_parse(MG_S("acc=A&test=a.*"), &q, &out), MG_OK);
    assert_string_equal(q.account, "A");
    mg_subsz_bad_test(&q, &out);
    expect(&out, "invalid test subject, must be valid publish subject: a.*");
#define COUNTS                                                                                                         \
    "  \"num_subscriptions\": 60,\n  \"num_cache\": 5,\n  \"num_inserts\": 70,\n  \"num_removes\": 10,\n"              \
    "  \"num_matches\": 7,\n  \"cache_hit_rate\": 0.2857142857142857,\n  \"max_fanout\": 1,\n  \"avg_fanout\": 0.8,\n"
    mg_subsz_render(&f, &q, &counts, 33, &rows, &out);
    expect(&out, HEAD AT COUNTS "  \"total\": 0,\n  \"offset\": 0,\n  \"limit\": 1024\n}");
    mg_subsz_query_fini(&q);

    assert_int_equal(mg_subsz_parse(MG_S("subs=1&offset=2&limit=3"), &q, &out), MG_OK);
    struct mg_subsz_cursor c;
    mg_subsz_begin(&c, &q);
    unsigned listed = 0;
    for (unsigned i = 0; i < 10; i++)
        if (mg_subsz_visit(&c)) listed |= 1u << i;
    assert_int_equal(listed, 0x1c); // the third to the fifth
    assert_int_equal(c.total, 10);
    *mg_sub_rows_add(&rows) = (struct mg_sub_row){.account = MG_S("$G"), .account_tag = MG_S("$G"),
                                                  .subject = MG_S("a"), .queue = MG_S("q"), .sid = MG_S("1"), .cid = 3};
    counts = (struct mg_sublist_counts){0};
    mg_subsz_render(&f, &q, &counts, c.total, &rows, &out);
    mg_buf_addc(&out, '\0');
    assert_string_equal(strstr(out.p, "  \"cache_hit_rate\""),
                        "  \"cache_hit_rate\": 0,\n  \"max_fanout\": 0,\n  \"avg_fanout\": 0,\n  \"total\": 10,\n"
                        "  \"offset\": 2,\n  \"limit\": 3,\n  \"subscriptions_list\": [\n    {\n"
                        "      \"account\": \"$G\",\n      \"account_tag\": \"$G\",\n      \"subject\": \"a\",\n"
                        "      \"qgroup\": \"q\",\n      \"sid\": \"1\",\n      \"msgs\": 0,\n      \"cid\": 3\n"
                        "    }\n  ]\n}");
    mg_subsz_query_fini(&q);
    mg_sub_rows_fini(&rows);
    mg_buf_fini(&out);
}

static void expect_health(const struct mg_server_facts *f, const char *query, int status, bool json, const char *body,
                          const char *warning) {
    struct mg_buf out = MG_BUF_INIT, warn = MG_BUF_INIT;
    struct mg_answer a = mg_healthz_render(f, mg_cstr(query), &out, &warn);
    assert_int_equal(a.status, status);
    assert_int_equal(a.json, json);
    expect(&out, body);
    expect(&warn, warning);
    mg_buf_fini(&out);
    mg_buf_fini(&warn);
}

static void healthz(void **state) {
    (void)state;
    struct mg_server_facts f = facts();
    expect_health(&f, "", 200, true, "{\"status\":\"ok\"}", "");
    expect_health(&f, "js-server-only=true&js-enabled-only=1&details=1&account=A", 200, true,
                  "{\"status\":\"ok\"}", "");
    expect_health(&f, "stream=S", 400, true,
                  "{\"status\":\"error\",\"error\":\"\\\"account\\\" must not be empty when checking stream health\"}",
                  "Healthcheck failed: \"\\\"account\\\" must not be empty when checking stream health\"");
    expect_health(&f, "account=A&consumer=C&details=true", 400, true,
                  "{\"status\":\"error\",\"errors\":[{\"type\":\"BAD_REQUEST\","
                  "\"error\":\"\\\"stream\\\" must not be empty when checking consumer health\"}]}",
                  "Healthcheck failed: 1 errors");
    expect_health(&f, "js-enabled-only=x", 400, false,
                  "Error decoding boolean for 'js-enabled-only': strconv.ParseBool: parsing \"x\": invalid syntax", "");
    f.listening = false;
    expect_health(&f, "", 500, true,
                  "{\"status\":\"error\",\"error\":\"failed to be ready for connections after 1ms: server\"}",
                  "Healthcheck failed: \"failed to be ready for connections after 1ms: server\"");
    expect_health(&f, "details=1", 500, true,
                  "{\"status\":\"error\",\"errors\":[{\"type\":\"CONNECTION\","
                  "\"error\":\"failed to be ready for connections after 1ms: server\"}]}",
                  "Healthcheck failed: 1 errors");
}

static void healthz_of_jetstream(void **state) {
    (void)state;
    struct mg_server_facts f = facts();
    struct mg_js_facts js = {.streams = 1};
    const char *off = "{\"status\":\"unavailable\",\"error\":\"JetStream not enabled (10076)\"}";
    f.js = &js;
    f.listening = false; // while the store is opened
    expect_health(&f, "", 503, true, off, "Healthcheck failed: \"JetStream not enabled (10076)\"");
    js.restored = (UINT64_C(24) << 20) + 5;
    js.to_restore = UINT64_C(64) << 20;
    expect_health(&f, "", 503, true, "{\"status\":\"unavailable\",\"error\":\"JetStream not enabled (10076): "
                  "restoring, 24 of 64 MB of the journal\"}",
                  "Healthcheck failed: \"JetStream not enabled (10076): restoring, 24 of 64 MB of the journal\"");
    js.to_restore = 0;
    expect_health(&f, "js-enabled-only=true", 503, true, off, "Healthcheck failed: \"JetStream not enabled (10076)\"");
    expect_health(&f, "js-server-only=true", 500, true,
                  "{\"status\":\"error\",\"error\":\"failed to be ready for connections after 1ms: server\"}",
                  "Healthcheck failed: \"failed to be ready for connections after 1ms: server\"");
    f.listening = js.ready = true;
    js.has_stream = js.has_consumer = true;
    expect_health(&f, "account=$G&stream=S&consumer=C", 200, true, "{\"status\":\"ok\"}", "");
    js.has_stream = js.has_consumer = false;
    expect_health(&f, "account=$G&stream=T&js-enabled=1", 200, true, "{\"status\":\"ok\"}", "");
    expect_health(&f, "account=$G&stream=T&details=1", 404, true,
                  "{\"status\":\"error\",\"errors\":[{\"type\":\"STREAM\",\"account\":\"$G\",\"stream\":\"T\","
                  "\"error\":\"JetStream stream \\\"T\\\" not found on account \\\"$G\\\"\"}]}",
                  "Healthcheck failed: 1 errors");
    js.poisoned = true;
    expect_health(&f, "", 503, true,
                  "{\"status\":\"unavailable\","
                  "\"error\":\"JetStream's disk has failed: nothing is stored until the next start\"}",
                  "Healthcheck failed: \"JetStream's disk has failed: nothing is stored until the next start\"");
    expect_health(&f, "js-server-only=true", 200, true, "{\"status\":\"ok\"}", "");
}

static const struct mg_account_row accounts[] = {
    {.name = {"$G", 2}, .connections = 2, .in_msgs = 1, .in_bytes = 2, .out_msgs = 3, .out_bytes = 4,
     .slow_consumers = 5, .sublist = {.num_subs = 6}},
    {.name = {"$SYS", 4}, .is_system = true},
};

#define PARTS                                                                                                          \
    "        \"gateways\": {\n          \"msgs\": 0,\n          \"bytes\": 0\n        },\n"                            \
    "        \"routes\": {\n          \"msgs\": 0,\n          \"bytes\": 0\n        },\n"                              \
    "        \"leafs\": {\n          \"msgs\": 0,\n          \"bytes\": 0\n        }\n      }"

static void account_answers(void **state) {
    (void)state;
    struct mg_server_facts f = facts();
    struct mg_buf out = MG_BUF_INIT;
    assert_int_equal(mg_accountz_render(&f, MG_S(""), accounts, 2, &out).status, 200);
    expect(&out, HEAD AT "  \"system_account\": \"$SYS\",\n  \"accounts\": [\n    \"$G\",\n    \"$SYS\"\n  ]\n}");
    struct mg_answer a = mg_accountz_render(&f, MG_S("acc=nope"), accounts, 2, &out);
    assert_int_equal(a.status, 400);
    assert_false(a.json);
    expect(&out, "Account nope does not exist");
    assert_int_equal(mg_accountz_render(&f, MG_S("acc=%24SYS"), accounts, 2, &out).status, 200);
    mg_buf_addc(&out, '\0');
    static const char detail[] =
        "  \"account_detail\": {\n    \"account_name\": \"$SYS\",\n"
        "    \"update_time\": \"2026-01-02T03:04:04.5Z\",\n    \"is_system\": true,\n"
        "    \"expired\": false,\n    \"complete\": true,\n    \"jetstream_enabled\": false,\n"
        "    \"leafnode_connections\": 0,\n    \"client_connections\": 0,\n"
        "    \"subscriptions\": 0,\n    \"name_tag\": \"$SYS\",\n    \"sublist_stats\": {\n";
    assert_non_null(strstr(out.p, detail));
    out.len = 0;
    assert_int_equal(mg_accstatz_render(&f, MG_S(""), accounts, 2, &out).status, 200);
    expect(&out, HEAD AT "  \"account_statz\": [\n    {\n      \"acc\": \"$G\",\n      \"name\": \"$G\",\n"
                         "      \"conns\": 2,\n      \"leafnodes\": 0,\n      \"total_conns\": 2,\n"
                         "      \"num_subscriptions\": 6,\n      \"sent\": {\n        \"msgs\": 3,\n"
                         "        \"bytes\": 4,\n" PARTS ",\n      \"received\": {\n        \"msgs\": 1,\n"
                         "        \"bytes\": 2,\n" PARTS ",\n      \"slow_consumers\": 5\n    }\n  ]\n}");
    assert_int_equal(mg_accstatz_render(&f, MG_S("unused=1"), accounts, 2, &out).status, 200);
    mg_buf_addc(&out, '\0');
    assert_non_null(strstr(out.p, "\"acc\": \"$SYS\""));
    out.len = 0;
    assert_int_equal(mg_accstatz_render(&f, MG_S(""), accounts + 1, 1, &out).status, 200);
    expect(&out, HEAD AT "  \"account_statz\": []\n}");
    assert_int_equal(mg_accstatz_render(&f, MG_S("unused=x"), accounts, 2, &out).status, 400);
    mg_buf_fini(&out);
}

static void features_that_are_off(void **state) {
    (void)state;
    struct mg_server_facts f = facts();
    struct mg_buf out = MG_BUF_INIT;
    opts.server_name = name;
    assert_int_equal(mg_routez_render(&f, MG_S("subs=detail"), &out).status, 200);
    expect(&out, HEAD "  \"server_name\": \"srv\",\n" AT "  \"num_routes\": 0,\n  \"routes\": []\n}");
    assert_int_equal(mg_gatewayz_render(&f, MG_S(""), &out).status, 200);
    expect(&out, HEAD AT "  \"outbound_gateways\": {},\n  \"inbound_gateways\": {}\n}");
    assert_int_equal(mg_gatewayz_render(&f, MG_S("gw_name=x"), &out).status, 200);
    expect(&out, HEAD AT "  \"outbound_gateways\": null,\n  \"inbound_gateways\": {}\n}");
    assert_int_equal(mg_leafz_render(&f, MG_S("subs=1"), &out).status, 200);
    expect(&out, HEAD AT "  \"leafnodes\": 0,\n  \"leafs\": []\n}");
    struct mg_jsz_query q;
    assert_int_equal(mg_jsz_parse(MG_S("consumers=true&config=1&limit=5"), &q, &out), 0);
    assert_false(mg_jsz_wants_streams(&q, NULL));
    assert_int_equal(mg_jsz_render(&f, &q, &out).status, 200);
    mg_jsz_query_fini(&q);
    expect(&out, "{\n  \"memory\": 0,\n  \"storage\": 0,\n  \"reserved_memory\": 0,\n  \"reserved_storage\": 0,\n"
                 "  \"accounts\": 0,\n  \"ha_assets\": 0,\n  \"api\": {\n    \"level\": 0,\n    \"total\": 0,\n"
                 "    \"errors\": 0\n  },\n  \"server_id\": \"NID\",\n" AT "  \"disabled\": true,\n  \"config\": {\n"
                 "    \"max_memory\": 0,\n    \"max_storage\": 0\n  },\n  \"streams\": 0,\n  \"consumers\": 0,\n"
                 "  \"messages\": 0,\n  \"bytes\": 0,\n  \"total\": 0\n}");
    assert_int_equal(mg_jsz_parse(MG_S("leader-only=1"), &q, &out), 0);
    struct mg_answer a = mg_jsz_render(&f, &q, &out);
    mg_jsz_query_fini(&q);
    assert_true(a.status == 400 && !a.json);
    expect(&out, "filtered response: not leader");
    a = mg_raftz_render(&f, MG_S(""), &out);
    assert_true(a.status == 404 && !a.json);
    expect(&out, "No Raft nodes registered");
    assert_int_equal(mg_ipqueuesz_render(&f, MG_S("all=1"), &out).status, 200);
    expect(&out, "{}");
    a = mg_routez_render(&f, MG_S("subs=x"), &out);
    assert_true(a.status == 400 && !a.json);
    a = mg_leafz_render(&f, MG_S("subs=detail"), &out);
    assert_true(a.status == 400 && !a.json);
    mg_buf_fini(&out);
}

static void endpoints(void **state) {
    (void)state;
    static const struct {
        const char *base, *path;
        enum mg_endpoint want;
    } cases[] = {
        {NULL, "/", MG_ENDPOINT_ROOT},           {"", "/varz", MG_ENDPOINT_VARZ},
        {"/", "/connz", MG_ENDPOINT_CONNZ},      {"/", "/varz/", MG_ENDPOINT_NONE},
        {"/", "/subscriptionsz", MG_ENDPOINT_SUBSZ}, {"/", "/debug/vars", MG_ENDPOINT_DEBUG_VARS},
        {"/nats", "/nats", MG_ENDPOINT_ROOT},    {"/nats", "/nats/", MG_ENDPOINT_NONE},
        {"/nats", "/nats/varz", MG_ENDPOINT_VARZ}, {"nats/", "/nats/varz", MG_ENDPOINT_VARZ},
        {"/nats", "/varz", MG_ENDPOINT_NONE},    {"/nats", "/natsy/varz", MG_ENDPOINT_NONE},
        {"/nats", "/", MG_ENDPOINT_NONE},        {"/a//b/", "/a/b/healthz", MG_ENDPOINT_HEALTHZ},
        {"/a/b", "/a", MG_ENDPOINT_NONE},        {"/", "", MG_ENDPOINT_ROOT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (mg_endpoint_of(cases[i].base, cases[i].path) != cases[i].want) fail_msg("case %zu", i);
    assert_string_equal(mg_endpoint_path(MG_ENDPOINT_METRICS), "/metrics");
}

static void root_page(void **state) {
    (void)state;
    struct mg_server_facts f = facts();
    struct mg_buf out = MG_BUF_INIT;
    char evil[] = "<script>\"&", path[] = "nats//x/";
    opts.server_name = evil;
    opts.http_base_path = path;
    mg_root_render(&f, &out);
    mg_buf_addc(&out, '\0');
    assert_non_null(strstr(out.p, "v2.14.5"));
    assert_non_null(strstr(out.p, "&lt;script&gt;&quot;&amp;"));
    assert_null(strstr(out.p, "<script>"));
    assert_non_null(strstr(out.p, "<a href=\"/nats/x/varz\">General</a>"));
    mg_buf_fini(&out);
}

static void totals_add_up(void **state) {
    (void)state;
    struct mg_totals a, b, one;
    memset(&one, 0, sizeof(one));
    uint64_t *v = (uint64_t *)&one;
    for (size_t i = 0; i < sizeof(one) / sizeof(*v); i++) v[i] = i + 1; // every member is a counter
    a = one;
    b = one;
    b.sublist.max_fanout = 1;
    mg_totals_add(&a, &b);
    one.sublist.max_fanout = 0;
    for (size_t i = 0; i < sizeof(one) / sizeof(*v); i++) {
        if (&v[i] == &one.sublist.max_fanout) continue;
        assert_int_equal(((uint64_t *)&a)[i], 2 * (i + 1));
    }
    assert_int_equal(a.sublist.max_fanout, (uint64_t)(&one.sublist.max_fanout - v) + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varz_minimal),    cmocka_unit_test(varz_optional_members), cmocka_unit_test(subsz),
        cmocka_unit_test(healthz),         cmocka_unit_test(healthz_of_jetstream),
               cmocka_unit_test(account_answers),
        cmocka_unit_test(features_that_are_off), cmocka_unit_test(endpoints),
        cmocka_unit_test(root_page),       cmocka_unit_test(totals_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
