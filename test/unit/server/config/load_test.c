// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Every top-level option: default, value, alias, wrong type, range (spec/client-protocol.md B6, B9).
#include "test/unit/cmocka_inc.h"

#include "test/unit/server/config/fake_source.h"

static void defaults(void **state) {
    (void)state;
    struct mg_options *o = mg_options_new();
    assert_string_equal(o->host, "0.0.0.0");
    assert_int_equal(o->port, 4222);
    assert_int_equal(o->http_port, 0);
    assert_int_equal(o->shards, 0);
    assert_true(o->logtime);
    assert_false(o->logtime_utc);
    assert_int_equal(o->max_connections, 65536);
    assert_int_equal(o->max_subs, 0);
    assert_int_equal(o->max_control_line, 4096);
    assert_int_equal(o->max_payload, 1048576);
    assert_int_equal(o->max_pending, 67108864);
    assert_int_equal(o->max_closed_clients, 10000);
    assert_int_equal(o->ping_interval_ns, 120 * MG_SEC);
    assert_int_equal(o->ping_max, 2);
    assert_int_equal(o->write_deadline_ns, 10 * MG_SEC);
    assert_string_equal(o->write_timeout, "default");
    assert_int_equal(o->lame_duck_duration_ns, 120 * MG_SEC);
    assert_int_equal(o->lame_duck_grace_ns, 10 * MG_SEC);
    assert_int_equal(o->connect_error_reports, 3600);
    assert_int_equal(o->reconnect_error_reports, 1);
    assert_int_equal(o->tls_opts.timeout_ns, 2 * MG_SEC);
    assert_int_equal(o->tls_opts.min_version, 0x0303);
    assert_null(o->server_name);
    assert_null(o->user);
    mg_options_free(o);
    mg_options_free(NULL);
}

static void listeners(void **state) {
    (void)state;
    struct mg_options *o = load_ok("listen: 127.0.0.1:4333\nhttp: \"[::1]:8222\"\nclient_advertise: a:1\n"
                                   "http_base_path: /m\nprof_port: 6060\nprof_block_rate: 3");
    assert_string_equal(o->host, "127.0.0.1");
    assert_int_equal(o->port, 4333);
    assert_string_equal(o->http_host, "::1");
    assert_int_equal(o->http_port, 8222);
    assert_string_equal(o->client_advertise, "a:1");
    assert_string_equal(o->http_base_path, "/m");
    assert_int_equal(o->prof_port, 6060);
    mg_options_free(o);

    o = load_ok("net: ::1\nport: -1\nmonitor_port: -1");
    assert_string_equal(o->host, "::1");
    assert_int_equal(o->port, -1);
    assert_int_equal(o->http_port, -1);
    assert_null(o->http_host);
    mg_options_free(o);

    o = load_ok("listen: 5222\nhttps: 127.0.0.1:-1");
    assert_string_equal(o->host, "0.0.0.0");
    assert_int_equal(o->port, 5222);
    assert_int_equal(o->https_port, -1);
    mg_options_free(o);

    o = load_ok("listen: \":4333\"");
    assert_string_equal(o->host, "0.0.0.0");
    mg_options_free(o);

    o = load_ok("port: 0"); // 0 means the default
    assert_int_equal(o->port, 4222);
    mg_options_free(o);

    expect_report("listen: true", ":1:1: expected port or host:port, got bool\n");
    expect_report("listen: \"x\"", ":1:1: could not parse address string \"x\"\n");
    expect_report("listen: \"::1:4222\"", ":1:1: could not parse address string \"::1:4222\"\n");
    expect_report("http: \"a:b\"", ":1:1: could not parse port \"b\"\n");
    expect_report("http: \"a:\"", ":1:1: could not parse port \"\"\n");
    expect_report("port: 65536", ":1:1: port value is too big\n");
    expect_report("port: -2", ":1:1: port value can not be negative\n");
    expect_report("port: \"1\"", ":1:1: interface conversion: interface {} is string, not int64\n");
    expect_report("host: 1", ":1:1: interface conversion: interface {} is int64, not string\n");
}

static void identity(void **state) {
    (void)state;
    struct mg_options *o = load_ok("Server_Name: n1\nserver_tags: [ Az:1, b, \" B \" ]\n"
                                   "server_metadata {z: 1a, a: x}\nfeature_flags {js_ack_fc_v2: true}\nshards: 3");
    assert_string_equal(o->server_name, "n1");
    assert_int_equal(o->tags.n, 2); // a set, lower case
    assert_string_equal(o->tags.v[0], "az:1");
    assert_string_equal(o->tags.v[1], "b");
    assert_int_equal(o->metadata.n, 4);
    assert_string_equal(o->metadata.v[0], "a"); // sorted by key
    assert_string_equal(o->metadata.v[1], "x");
    assert_string_equal(o->metadata.v[2], "z");
    assert_string_equal(o->feature_flags.v[0], "js_ack_fc_v2");
    assert_string_equal(o->feature_flags.v[1], "true");
    assert_int_equal(o->shards, 3);
    mg_options_free(o);

    o = load_ok("shards: auto\nserver_tags: One");
    assert_int_equal(o->shards, 0);
    assert_string_equal(o->tags.v[0], "one");
    mg_options_free(o);

    expect_report("server_name: \"a b\"", ":1:1: server name cannot contain spaces\n");
    expect_report("server_tags: 1", ":1:1: error parsing tags: unsupported type int64\n");
    expect_report("server_metadata {a: 1}", ":1:18: interface conversion: interface {} is int64, not string\n");
    expect_report("feature_flags {a: 1}", ":1:16: error parsing feature flag \"a\": expected bool, got int64\n");
    expect_report("shards: 65", ":1:1: shards must be auto or a number from 1 to 64\n");
    expect_report("shards: 0", ":1:1: shards must be auto or a number from 1 to 64\n");
    expect_report("shards: many", ":1:1: shards must be auto or a number from 1 to 64\n");
}

static void logging(void **state) {
    (void)state;
    struct mg_options *o = load_ok("debug: true\nlogtime: false\nlogtime_utc: yes\nlogfile: /l\nlogfile_size_limit: "
                                   "1kb\n"
                                   "logfile_max_num: 4\nmax_traced_msg_len: 10\nsyslog: on\nremote_syslog: udp://h\n"
                                   "pidfile: /p\nports_file_dir: /d\nconnect_error_reports: 5\n"
                                   "reconnect_error_reports: 6");
    assert_true(o->debug);
    assert_false(o->trace);
    assert_false(o->logtime);
    assert_true(o->logtime_utc);
    assert_string_equal(o->log_file, "/l");
    assert_int_equal(o->log_size_limit, 1024);
    assert_int_equal(o->log_max_num, 4);
    assert_int_equal(o->max_traced_msg_len, 10);
    assert_true(o->syslog);
    assert_string_equal(o->remote_syslog, "udp://h");
    assert_string_equal(o->pid_file, "/p");
    assert_string_equal(o->ports_file_dir, "/d");
    assert_int_equal(o->connect_error_reports, 5);
    assert_int_equal(o->reconnect_error_reports, 6);
    mg_options_free(o);

    o = load_ok("trace_verbose: true");
    assert_true(o->trace && o->trace_verbose);
    mg_options_free(o);
    o = load_ok("trace_headers: true");
    assert_true(o->trace && o->trace_headers);
    mg_options_free(o);
    o = load_ok("trace: true\ntrace_verbose: false\ntrace_headers: false");
    assert_true(o->trace);
    mg_options_free(o);

    expect_report("debug: 1", ":1:1: interface conversion: interface {} is int64, not bool\n");
    expect_report("debug: \"true\"", ":1:1: interface conversion: interface {} is string, not bool\n");
}

static void limits(void **state) {
    (void)state;
    struct mg_options *o = load_ok("max_conn: 5\nmax_subs: 6\nmax_sub_tokens: 7\nmax_control_line: 512\nmax_payload: "
                                   "8mb\n"
                                   "max_pending: 10mb\nmax_closed_clients: 9\nping_interval: 5s\nping_max: 3\n"
                                   "write_deadline: \"1m30s\"\nwrite_timeout: retry\nno_fast_producer_stall: true\n"
                                   "lame_duck_duration: \"60s\"\nlame_duck_grace_period: \"1s\"\nno_header_support: "
                                   "true\n"
                                   "no_sublist_cache: true");
    assert_int_equal(o->max_connections, 5);
    assert_int_equal(o->max_subs, 6);
    assert_int_equal(o->max_sub_tokens, 7);
    assert_int_equal(o->max_control_line, 512);
    assert_int_equal(o->max_payload, 8 << 20);
    assert_int_equal(o->max_pending, 10 << 20);
    assert_int_equal(o->max_closed_clients, 9);
    assert_int_equal(o->ping_interval_ns, 5 * MG_SEC);
    assert_int_equal(o->ping_max, 3);
    assert_int_equal(o->write_deadline_ns, 90 * MG_SEC);
    assert_string_equal(o->write_timeout, "retry");
    assert_true(o->no_fast_producer_stall && o->no_header_support && o->no_sublist_cache);
    assert_int_equal(o->lame_duck_duration_ns, 60 * MG_SEC);
    assert_int_equal(o->lame_duck_grace_ns, MG_SEC);
    mg_options_free(o);

    o = load_ok("max_connections: 0\nmax_payload: -1\nmax_pending: 0\nping_max: 0"); // 0: nobody, or the default
    assert_int_equal(o->max_connections, -1);
    assert_int_equal(o->max_payload, -1);
    assert_int_equal(o->max_pending, 67108864);
    assert_int_equal(o->ping_max, 2);
    mg_options_free(o);

    expect_report("max_payload: 3gb", ":1:1: max_payload value is too big\n");
    expect_report("max_control_line: 2147483648", ":1:1: max_control_line value is too big\n");
    expect_report("max_sub_tokens: 256", ":1:1: max_sub_tokens value is too big\n");
    expect_report("max_subscription_tokens: 0", ":1:1: max_subscription_tokens value can not be negative\n");
    expect_report("ping_interval: 1x", ":1:1: error parsing ping_interval: time: invalid duration \"1x\"\n");
    expect_report("ping_interval: \"10\"", ":1:1: error parsing ping_interval: time: missing unit in duration "
                                           "\"10\"\n");
    expect_report("ping_interval: \"-1s\"", ":1:1: ping_interval value can not be negative\n");
    expect_report("write_timeout: x", ":1:1: write_timeout must be 'default', 'close' or 'retry'\n");
    expect_report("lame_duck_duration: \"29s\"", ":1:1: invalid lame_duck_duration of 29s, minimum is 30 seconds\n");
    expect_report("lame_duck_duration: 60", ":1:1: interface conversion: interface {} is int64, not string\n");
    expect_report("lame_duck_grace_period: \"-1s\"", ":1:1: invalid lame_duck_grace_period, needs to be positive\n");
}

static void warnings_and_unknown(void **state) {
    (void)state;
    static const char text[] = "foo: 1\nping_interval: 3\ndebug: 1\nwrite_deadline: 9";
    // Warnings first, then every error, each in the order of the file.
    expect_report(text,
                  ":2:1: invalid use of field \"ping_interval\": ping_interval should be converted to a duration\n"
                  ":4:1: invalid use of field \"write_deadline\": write_deadline should be converted to a duration\n"
                  ":1:1: unknown field \"foo\"\n"
                  ":3:1: interface conversion: interface {} is int64, not bool\n");
    expect_report("", ": config has no values or is empty\n");
    expect_report("n: 3\nping_max: $n", ""); // a variable's key is no unknown field
}

static void loading_a_file(void **state) {
    (void)state;
    static const struct fake_entry files[] = {{"dir/a.conf", "port: 4222\ninclude b.conf\n"},
                                              {"dir/b.conf", "\ndebug: true\nping_interval: 7\n"},
                                              {"bad.conf", "a"},
                                              {NULL, NULL}};
    struct fake_files fs = {files, NULL};
    struct mg_config_source src = fake_source(&fs);
    struct mg_config_report report = {0};
    struct mg_options *o;
    assert_int_equal(mg_config_load(&src, "dir/a.conf", &o, &report), MG_OK);
    assert_int_equal(report.n, 1);
    assert_int_equal(report.warnings, 1);
    assert_false(mg_config_report_has_errors(&report));
    assert_string_equal(report.v[0].text, "dir/b.conf:3:1: invalid use of field \"ping_interval\": ping_interval "
                                          "should be converted to a duration");
    assert_string_equal(o->config_file, "dir/a.conf");
    assert_int_equal(strlen(o->config_digest), 71);
    assert_int_equal(o->ping_interval_ns, 7 * MG_SEC);
    mg_options_free(o);
    mg_config_report_fini(&report);

    assert_int_equal(mg_config_load(&src, "gone.conf", &o, &report), MG_ENOTFOUND);
    assert_null(o);
    assert_string_equal(report.v[0].text, "open gone.conf: no such file or directory");
    mg_config_report_fini(&report);

    assert_int_equal(mg_config_load(&src, "bad.conf", &o, &report), MG_ESYNTAX);
    assert_true(mg_config_report_has_errors(&report));
    assert_string_equal(report.v[0].text, "config is invalid (bad.conf:1:2)");
    mg_config_report_fini(&report);
}

static void posix_source(void **state) {
    (void)state;
    struct mg_config_source src;
    struct mg_buf out = MG_BUF_INIT;
    char err[256] = "";
    mg_config_source_posix(&src);
    assert_int_equal(src.read_file(src.ctx, "/nonexistent/x", 10, &out, err, sizeof(err)), MG_ENOTFOUND);
    assert_string_equal(err, "open /nonexistent/x: no such file or directory");
    assert_int_equal(src.read_file(src.ctx, "/", 10, &out, err, sizeof(err)), MG_EIO);
    assert_string_equal(err, "read /: is a directory");
    assert_int_equal(src.read_file(src.ctx, "/dev/zero", 10, &out, err, sizeof(err)), MG_ERANGE);
    out.len = 0;
    assert_int_equal(src.read_file(src.ctx, "/dev/null", 10, &out, err, sizeof(err)), MG_OK);
    assert_int_equal(out.len, 0);
    assert_non_null(src.getenv(src.ctx, "PATH"));
    assert_null(src.getenv(src.ctx, "MIDGE_NO_SUCH_VARIABLE"));
    mg_buf_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),       cmocka_unit_test(listeners),    cmocka_unit_test(identity),
        cmocka_unit_test(logging),        cmocka_unit_test(limits),       cmocka_unit_test(warnings_and_unknown),
        cmocka_unit_test(loading_a_file), cmocka_unit_test(posix_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
