// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Blocks of features that are not active: checked, recorded, refused where security depends on them
// (spec/client-protocol.md B7).
#include "test/unit/cmocka_inc.h"

#include "test/unit/server/config/fake_source.h"

static void expect_inactive(const char *text, const char *name, bool refuse) {
    struct mg_options *o = load_ok(text);
    const struct mg_inactive_block *b = mg_options_inactive(o, name);
    if (b == NULL) print_error("config: %s\n", text);
    assert_non_null(b);
    assert_int_equal(b->refuse, refuse);
    mg_options_free(o);
}

static void recorded(void **state) {
    (void)state;
    expect_inactive("cluster {name: x, listen: 127.0.0.1:-1, routes: [ nats-route://h:1 ], pool_size: 3, "
                    "compression: s2_fast\n"
                    "authorization {user: a, password: b}, permissions {import: foo, export: \"bar\"}, "
                    "ping_interval: 10s\n"
                    "compression {mode: s2_auto, rtt_thresholds: [ 10ms ]}, write_timeout: close, accounts: [ A ]\n"
                    "tls {verify_cert_and_check_known_urls: true}}",
                    "cluster", false);
    expect_inactive("gateway {name: A, port: 7222, gateways: [ {name: B, url: nats://h:1} ], reject_unknown: true}",
                    "gateway", false);
    expect_inactive("leaf {listen: 127.0.0.1:-1, remotes: [ {url: nats://h:1, deny_imports: foo, account: A\n"
                    "proxy {url: x}, jetstream_cluster_migrate: {leader_migrate_delay: 1s}} ]\n"
                    "authorization {users: [ {user: a, password: b} ], timeout: 1}, reconnect: 1s}",
                    "leafnodes", false);
    expect_inactive("websocket\n{\n port: -1\n no_tls: true\n headers {a: b}\n handshake_timeout: 2\n}",
        "websocket", false);
    expect_inactive("mqtt {port: 1883, ack_wait: 30s, max_ack_pending: 10, authentication {user: x}}", "mqtt", false);
    expect_inactive("ocsp: true", "ocsp", false);
    expect_inactive("ocsp_cache {type: local}", "ocsp_cache", false);
    expect_inactive("operator: /x.jwt", "operator", true);
    expect_inactive("root_operators: [ a, b ]", "operator", true);
    expect_inactive("trusted: [ a ]", "trusted_keys", true);
    expect_inactive("resolver: MEMORY", "resolver", false);
    expect_inactive("account_resolver {type: full, dir: \"./jwt\", interval: 2m30s}", "resolver", false);
    expect_inactive("resolver_preload {A: x}", "resolver_preload", false);
    expect_inactive("proxy_protocol: true", "proxy_protocol", true);
    expect_inactive("proxies {trusted: []}", "proxies", true);
    expect_inactive("accounts [ A, B ]", "accounts", true);
    expect_inactive("accounts {A {users: [ {user: a, password: b} ], exports: [ {service: \"$JS.API.>\"}, {stream: "
                    "foo} ]\n"
                    "jetstream: enabled, limits {max_conn: 5}, mappings {a: b}, default_permissions {publish: x}}\n"
                    "$SYS {users: [ {user: s} ]}\n"
                    "B {imports: [ {service: {account: A, subject: foo}, to: bar}, {stream: {account: A, subject: "
                    "s}, prefix: p} ]\n"
                    "jetstream {max_memory: 1, max_stream_bytes: true}}}",
                    "accounts", true);
    struct mg_options *o = load_ok("proxy_protocol: false\nno_system_account: true");
    assert_int_equal(o->ninactive, 0);
    mg_options_free(o);
}

static void jetstream(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool on;
        const char *dir;
    } cases[] = {
        {"jetstream: true", true, NULL},
        {"jetstream: false", false, NULL},
        {"jetstream: enabled", true, NULL},
        {"jetstream: disabled", false, NULL},
        {"jetstream {store_dir: /d, max_mem: 1g, max_file: \"10G\", sync: always, limits {duplicate_window: "
         "1m30s}}", true,
         "/d"},
        {"jetstream {enabled: false, store: /d}", false, "/d"},
        {"storedir: /e\njetstream {}", true, "/e"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mg_options *o = load_ok(cases[i].text);
        assert_int_equal(o->jetstream, cases[i].on);
        assert_null(mg_options_inactive(o, "jetstream"));
        if (cases[i].dir) assert_string_equal(o->store_dir, cases[i].dir);
        else assert_null(o->store_dir);
        mg_options_free(o);
    }
    expect_report("jetstream: foo", ":1:1: Expected 'enabled' or 'disabled' for string value, got 'foo'\n");
    expect_report("jetstream: 3", ":1:1: Expected map, bool or string to define JetStream, got int64\n");
    expect_report("jetstream {foo: 1}", ":1:12: unknown field \"foo\"\n");
    expect_report("jetstream {cipher: rot13}", ":1:12: Unknown cipher type: \"rot13\"\n");
    expect_report("jetstream {store_dir: a}\nstore_dir: b", ":2:1: Duplicate 'store_dir' configuration\n");
    expect_report("store_dir: b\njetstream {store_dir: a}", ":2:12: Duplicate 'store_dir' configuration\n");
    expect_report("jetstream {max_mem: \"10X\"}", ":1:12: max_mem sizes defined as strings must end in K, M, G, T\n");
    expect_report("jetstream {store_memory: 63M}", ":1:12: store_memory must be at least 64M\n");
    expect_report("jetstream {store_memory: 0}", ":1:12: store_memory must be at least 64M\n");
    expect_report("jetstream {store_memory: \"-1G\"}", ":1:12: store_memory must be at least 64M\n");
    expect_report("jetstream {domain: a.b}", ":1:12: invalid domain name: may not contain ., * or >\n");
    expect_report("jetstream {limits: 1}", ":1:12: Expected limits to be a map, got int64\n");
    expect_report("jetstream {limits {foo: 1}}", ":1:20: unknown field \"foo\"\n");
}

static void jetstream_values(void **state) {
    (void)state;
    struct mg_options *o = load_ok("jetstream {max_mem: \"2K\", max_file: 0, sync: \"10s\", domain: hub, "
                                   "strict: false, store_memory: 256MB, "
                                   "max_buffered_msgs: 7, max_buffered_size: \"8M\", request_queue_limit: 9, "
                                   "limits {max_ack_pending: 1, max_request_batch: 2, duplicate_window: \"3s\"}}");
    const struct mg_js_options *js = &o->js;
    assert_true(js->max_memory_set && js->max_store_set && !js->strict);
    assert_int_equal(js->max_memory, 2048);
    assert_int_equal(js->max_store, 0);
    assert_int_equal(js->store_memory, 256 << 20);
    assert_int_equal(js->sync_interval, 10 * MG_SEC);
    assert_string_equal(js->domain, "hub");
    assert_int_equal(js->max_buffered_msgs, 7);
    assert_int_equal(js->max_buffered_size, 8 << 20);
    assert_int_equal(js->request_queue_limit, 9);
    assert_int_equal(js->max_ack_pending, 1);
    assert_int_equal(js->max_request_batch, 2);
    assert_int_equal(js->duplicate_window, 3 * MG_SEC);
    assert_int_equal(o->ninactive, 0);
    mg_options_free(o);
    o = load_ok("jetstream {sync: always, extension_hint: no_extend, limits {max_ha_assets: 1, batch {max_msgs: 2}}}");
    assert_true(o->js.strict && !o->js.max_memory_set);
    assert_int_equal(o->js.sync_interval, 0);
    assert_non_null(mg_options_inactive(o, "jetstream.extension_hint"));
    assert_non_null(mg_options_inactive(o, "jetstream.limits.max_ha_assets"));
    assert_false(mg_options_inactive(o, "jetstream.limits.max_ha_assets")->refuse);
    assert_non_null(mg_options_inactive(o, "jetstream.limits.batch.max_msgs"));
    mg_options_free(o);
    o = load_ok("jetstream {key: secret}");
    assert_true(mg_options_inactive(o, "jetstream.key")->refuse);
    mg_options_free(o);
    o = load_ok("jetstream {enabled: false, key: secret}");
    assert_int_equal(o->ninactive, 0);
    mg_options_free(o);
}

static void cluster_name(void **state) {
    (void)state;
    struct mg_options *o = load_ok("cluster {name: west}");
    assert_string_equal(o->cluster_name, "west");
    mg_options_free(o);
    expect_report("cluster {name: \"a b\"}", ":1:10: cluster name cannot contain spaces\n");
}

static void errors(void **state) {
    (void)state;
    expect_report("cluster {foo: 1}", ":1:10: unknown field \"foo\"\n");
    expect_report("cluster: 3", ":1:1: Expected map to define cluster, got int64\n");
    expect_report("leafnodes: 3", ":1:1: Expected map to define a leafnode, got int64\n");
    expect_report("gateway: 3", ":1:1: Expected gateway to be a map, got int64\n");
    expect_report("cluster {port: x}", ":1:10: interface conversion: interface {} is string, not int64\n");
    expect_report("cluster {authorization {users: []}}", ":1:10: Cluster authorization does not allow multiple "
                                                         "users\n");
    expect_report("gateway {authorization {token: x}}", ":1:10: Gateway authorization does not support tokens\n");
    expect_report("cluster {authorization {permissions {import: a}}}",
                  ":1:10: invalid use of field \"authorization\": setting \"permissions\" within cluster authorization "
                  "block is deprecated\n");
    expect_report("leafnodes {remotes: 3}", ":1:12: Expected remotes field to be an array, got int64\n");
    expect_report("leafnodes {remotes: [ 3 ]}", ":1:23: Expected remotes entry to be a map/struct, got int64\n");
    expect_report("leafnodes {remotes: [ {foo: 1} ]}", ":1:24: unknown field \"foo\"\n");
    expect_report("websocket {tls {foo: 1}}", ":1:17: error parsing tls config, unknown field \"foo\"\n");
    expect_report("proxies {trusted: [ {key: x} ]}", ":1:22: invalid proxy key \"x\"\n");
    expect_report("accounts {$G {}}", ":1:11: \"$G\" is a Reserved Account\n");
    expect_report("accounts {A: 3}", ":1:11: Expected map entries for accounts\n");
    expect_report("accounts {A {foo: 1}}", ":1:14: unknown field \"foo\"\n");
    expect_report("accounts {A {nkey: x}}", ":1:14: Not a valid public nkey for an account: \"x\"\n");
    expect_report("accounts {A {users: [ {password: x} ]}}", ":1:23: User entry requires a user\n");
    expect_report("cluster {n: 3, pool_size: $n}", ""); // a variable's key
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded),
        cmocka_unit_test(jetstream), cmocka_unit_test(jetstream_values),
        cmocka_unit_test(cluster_name),
        cmocka_unit_test(errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
