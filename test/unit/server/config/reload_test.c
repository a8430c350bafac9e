// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The reload difference (spec/client-protocol.md B6 column R, B8; spec/accounts-security.md 23).
#include "test/unit/cmocka_inc.h"

#include "server/config/reload.h"
#include "test/unit/server/config/fake_source.h"

// What every reload says.
#define ALWAYS "Reloaded: authorization users\nReloaded: accounts\n"

// All lines of the difference, or the text that refuses it; the caller frees it.
static char *diff(const char *from, const char *to) {
    struct mg_options *a = load_ok(from), *b = load_ok(to);
    struct mg_reload_diff d;
    struct mg_buf out = MG_BUF_INIT;
    int rc = mg_options_diff(a, b, &d);
    assert_int_equal(rc, d.unsupported ? MG_EUNSUPPORTED : MG_OK);
    for (size_t i = 0; i < d.n && d.unsupported == NULL; i++)
        mg_buf_addf(&out, "%s\n", d.changes[i].line);
    if (d.unsupported) mg_buf_adds(&out, d.unsupported);
    mg_buf_addc(&out, '\0');
    mg_reload_diff_fini(&d);
    mg_options_free(a);
    mg_options_free(b);
    return out.p;
}

struct reload_case {
    const char *from, *to, *want;
};

static void applied(void **state) {
    (void)state;
    static const struct reload_case cases[] = {
        {"port: 4222", "port: 4222", ALWAYS},
        {"port: -1", "port: -1", ALWAYS},
        {"port: 4222", "port: -1", ALWAYS}, // random keeps the port chosen at start
        {"debug: false", "debug: true", "Reloaded: debug = true\n" ALWAYS},
        {"debug: true", "trace_verbose: true",
         "Reloaded: debug = false\nReloaded: trace = true\nReloaded: trace_verbose = true\n" ALWAYS},
        {"logtime: true", "logtime: false", "Reloaded: logtime = false\n" ALWAYS},
        {"port: 4222", "log_file: /x", "Reloaded: log_file = /x\n" ALWAYS},
        {"pid_file: /a", "port: 4222", "Reloaded: pid_file = \n" ALWAYS},
        {"port: 4222", "max_conn: 10", "Reloaded: max_connections = 10\n" ALWAYS},
        {"port: 4222", "max_payload: 2mb", "Reloaded: max_payload = 2097152\n" ALWAYS},
        {"port: 4222", "max_control_line: 512", "Reloaded: max_control_line = 512\n" ALWAYS},
        {"port: 4222", "ping_interval: 90s", "Reloaded: ping_interval = 1m30s\n" ALWAYS},
        {"port: 4222", "write_deadline: 1s", "Reloaded: write_deadline = 1s\n" ALWAYS},
        {"port: 4222", "client_advertise: a:1", "Reloaded: client_advertise = a:1\n" ALWAYS},
        {"server_tags: a", "server_tags: b", "Reloaded: tags\n" ALWAYS},
        {"server_metadata {a: b}", "server_metadata {a: c}", "Reloaded: metadata\n" ALWAYS},
        {"port: 4222", "no_fast_producer_stall: true", "Reloaded: fast producers will not be stalled\n" ALWAYS},
        {"no_fast_producer_stall: true", "port: 4222", "Reloaded: fast producers will be stalled\n" ALWAYS},
        {"authorization {user: a, password: b}", "authorization {user: c, password: d}",
         "Reloaded: authorization username\nReloaded: authorization password\n" ALWAYS},
        {"authorization {token: a, timeout: 1}", "authorization {token: b, timeout: 2.5}",
         "Reloaded: authorization token\nReloaded: authorization timeout = 2.5\n" ALWAYS},
        {"tls {verify: true}", "tls {verify: false, timeout: 3}",
         "Reloaded: tls = enabled\nReloaded: tls timeout = 3\n" ALWAYS},
        {"tls {verify: true}", "port: 4222", "Reloaded: tls = disabled\n" ALWAYS},
        {"tls {verify: true}", "tls {first: auto}",
         "Reloaded: tls = enabled\nReloaded: Client TLS handshake first: true\n"
         "Reloaded: Client TLS handshake first fallback delay: 50ms\n" ALWAYS},
        {"no_auth_user: a, authorization {users: [ {user: a} ]}", "authorization {users: [ {user: b} ]}", ALWAYS},
        {"jetstream {max_mem: 1K, max_file: 1}", "jetstream {max_mem: 2K, max_file: 2}",
         ALWAYS "Reloaded: JetStream max_mem_store = 1.95 KB\nReloaded: JetStream max_file_store = 2 B\n"},
        {"http_port: -1", "http_port: -1", ALWAYS},
        {"port: 4222", "cluster {port: 1}", ALWAYS}, // without effect, so without notice
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *got = diff(cases[i].from, cases[i].to);
        if (strcmp(got, cases[i].want) != 0) print_error("from: %s to: %s\n", cases[i].from, cases[i].to);
        assert_string_equal(got, cases[i].want);
        mg_free(got);
    }
}

static void refused(void **state) {
    (void)state;
    static const struct reload_case cases[] = {
        {"port: 4222", "port: 4223", "Port: old=4222, new=4223"},
        {"port: -1", "port: 4223", "Port: old=-1, new=4223"},
        {"host: a", "host: b", "Host: old=a, new=b"},
        {"server_name: foo", "port: 4222", "ServerName: old=foo, new="},
        {"http: a:1", "http: b:1", "HTTPHost: old=a, new=b"},
        {"http: 1", "http: 2", "HTTPPort: old=1, new=2"},
        {"port: 4222", "max_subs: 5", "MaxSubs: old=0, new=5"},
        {"port: 4222", "max_sub_tokens: 5", "MaxSubTokens: old=0, new=5"},
        {"port: 4222", "max_pending: 1", "MaxPending: old=67108864, new=1"},
        {"port: 4222", "lame_duck_duration: \"60s\"", "LameDuckDuration: old=2m0s, new=1m0s"},
        {"port: 4222", "write_timeout: close", "WriteTimeout: old=default, new=close"},
        {"port: 4222", "no_header_support: true", "NoHeaderSupport: old=false, new=true"},
        {"port: 4222", "allow_non_tls: true", "AllowNonTLS: old=false, new=true"},
        {"port: 4222", "log_size_limit: 5", "LogSizeLimit: old=0, new=5"},
        {"port: 4222", "shards: 2", "Shards: old=0, new=2"},
        {"port: 4222", "feature_flags {a: true}", "FeatureFlags: old=[], new=[a true]"},
        {"tls {verify: true}", "tls {verify_and_map: true}", "TLSMap: old=false, new=true"},
        {"tls {verify: true}", "tls {connection_rate_limit: 2}", "TLSRateLimit: old=0, new=2"},
        {"authorization {user: a}", "authorization {user: a, proxy_required: true}", "ProxyRequired: old=false, "
                                                                                     "new=true"},
        {"port: 4222", "no_auth_user: x", "NoAuthUser: old=, new=x"},
        {"no_auth_user: a, authorization {users: [ {user: a} ]}", "authorization {users: [ {user: a} ]}",
         "NoAuthUser: old=a, new="},
        {"port: 4222", "system_account: X", "SystemAccount: old=, new=X"},
        {"jetstream {store_dir: a}", "jetstream {store_dir: b}", "jetstream storage directory"},
        {"port: 4222", "jetstream: true", "JetStream: old=false, new=true"},
        {"jetstream {max_mem: 2}", "jetstream {max_mem: 1}", "decreasing jetstream max memory and store"},
        {"jetstream {}", "jetstream {max_file: 1}", "jetstream dynamic max memory and store"},
        {"jetstream {}", "jetstream {store_memory: 64M}", "jetstream store_memory"},
        {"jetstream {domain: a}", "jetstream {domain: b}", "JetStreamDomain: old=a, new=b"},
        {"jetstream {sync: always}", "jetstream {sync: \"1m\"}", "SyncInterval: old=always, new=1m0s"},
        {"jetstream {}", "jetstream {strict: false}", "NoJetStreamStrict"},
        {"jetstream {}", "jetstream {limits {max_ack_pending: 1}}", "JetStreamLimits"},
        {"port: 4222", "accounts [ A ]", "accounts: old=[], new=[configured]"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char want[256], *got = diff(cases[i].from, cases[i].to);
        snprintf(want, sizeof(want), "config reload not supported for %s", cases[i].want);
        if (strcmp(got, want) != 0) print_error("from: %s to: %s\n", cases[i].from, cases[i].to);
        assert_string_equal(got, want);
        mg_free(got);
    }
}

static void asked_by_key(void **state) {
    (void)state;
    struct mg_options *a = load_ok("max_conn: 1"), *b = load_ok("max_conn: 2");
    struct mg_reload_diff d;
    assert_int_equal(mg_options_diff(a, b, &d), MG_OK);
    assert_true(mg_reload_changed(&d, "max_connections"));
    assert_true(mg_reload_changed(&d, "authorization"));
    assert_false(mg_reload_changed(&d, "max"));
    assert_false(mg_reload_changed(&d, "tls"));
    mg_reload_diff_fini(&d);
    mg_options_free(a);
    mg_options_free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(applied),
        cmocka_unit_test(refused),
        cmocka_unit_test(asked_by_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
