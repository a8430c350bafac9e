// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The command line (spec/client-protocol.md B1): every flag, Go's flag syntax, modes, exits, overrides.
#include "test/unit/cmocka_inc.h"

#include <stdlib.h>

#include "server/config/cmdline.h"
#include "test/unit/server/config/fake_source.h"

#define MAX_ARGS 16

// Parses words separated by '|' ("-p|4222").
static void parse(const char *words, struct mg_cmdline *c) {
    char name[] = "nats-server", *copy = mg_strdup(words), *argv[MAX_ARGS] = {name}, *save = NULL;
    int argc = 1;
    for (char *w = strtok_r(copy, "|", &save); w && argc < MAX_ARGS; w = strtok_r(NULL, "|", &save))
        argv[argc++] = w;
    mg_cmdline_parse(argc, argv, "2.14.5", c);
    mg_free(copy);
}

// Lays flags over a config; both must be right.
static struct mg_options *apply(const char *words, const char *config) {
    struct mg_cmdline c;
    char err[256] = "";
    struct mg_options *o = config ? load_ok(config) : mg_options_new();
    parse(words, &c);
    if (c.mode != MG_CMDLINE_RUN) print_error("%s: %.*s\n", words, (int)c.err.len, c.err.p);
    assert_int_equal(c.mode, MG_CMDLINE_RUN);
    assert_int_equal(mg_cmdline_apply(&c, o, err, sizeof(err)), MG_OK);
    assert_string_equal(err, "");
    mg_cmdline_fini(&c);
    return o;
}

// Flags that set one string, integer or boolean, under each of their names and both dash styles.
static void plain_flags(void **state) {
    (void)state;
#define AT(f) offsetof(struct mg_options, f)
    static const struct {
        const char *names;
        char type; // s string, i int64, p int, b bool
        size_t at;
    } flags[] = {
        {"a addr net", 's', AT(host)},
        {"n name server_name", 's', AT(server_name)},
        {"client_advertise", 's', AT(client_advertise)},
        {"P pid", 's', AT(pid_file)},
        {"ports_file_dir", 's', AT(ports_file_dir)},
        {"l log", 's', AT(log_file)},
        {"r remote_syslog", 's', AT(remote_syslog)},
        {"user", 's', AT(user)},
        {"pass", 's', AT(password)},
        {"auth", 's', AT(token)},
        {"sd store_dir", 's', AT(store_dir)},
        {"cluster_name", 's', AT(cluster_name)},
        {"p port", 'p', AT(port)},
        {"m http_port", 'p', AT(http_port)},
        {"ms https_port", 'p', AT(https_port)},
        {"profile", 'p', AT(prof_port)},
        {"shards", 'p', AT(shards)},
        {"log_size_limit", 'i', AT(log_size_limit)},
        {"max_traced_msg_len", 'i', AT(max_traced_msg_len)},
        {"D debug", 'b', AT(debug)},
        {"V trace", 'b', AT(trace)},
        {"T logtime", 'b', AT(logtime)},
        {"logtime_utc", 'b', AT(logtime_utc)},
        {"s syslog", 'b', AT(syslog)},
        {"js jetstream", 'b', AT(jetstream)},
    };
#undef AT
    static const char *const forms[] = {"-%s|%s", "--%s|%s", "-%s=%s", "--%s=%s"};
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        char *names = mg_strdup(flags[i].names), *save = NULL;
        for (char *n = strtok_r(names, " ", &save); n; n = strtok_r(NULL, " ", &save)) {
            for (size_t k = flags[i].type == 'b' ? 2 : 0; k < 4; k++) {
                char words[128];
                const char *value = flags[i].type == 's' ? "x y" : flags[i].type == 'b' ? "true" : "17";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                snprintf(words, sizeof(words), forms[k], n, value);
#pragma GCC diagnostic pop
                struct mg_options *o = apply(words, "logtime: false");
                const void *field = (const char *)o + flags[i].at;
                if (flags[i].type == 's') assert_string_equal(*(char *const *)field, "x y");
                if (flags[i].type == 'i') assert_int_equal(*(const int64_t *)field, 17);
                if (flags[i].type == 'p') assert_int_equal(*(const int *)field, 17);
                if (flags[i].type == 'b') assert_true(*(const bool *)field);
                mg_options_free(o);
            }
        }
        mg_free(names);
    }
}

static void verbosity(void **state) {
    (void)state;
    struct mg_options *o = apply("-DV", NULL);
    assert_true(o->debug && o->trace && !o->trace_verbose);
    mg_options_free(o);
    o = apply("-VV", NULL);
    assert_true(!o->debug && o->trace && o->trace_verbose);
    mg_options_free(o);
    o = apply("-DVV", NULL);
    assert_true(o->debug && o->trace && o->trace_verbose);
    mg_options_free(o);
    o = apply("-D=false", "debug: true"); // flags override the file both ways
    assert_false(o->debug);
    mg_options_free(o);
    o = apply("-p|4444", "debug: true");
    assert_true(o->debug);
    assert_int_equal(o->port, 4444);
    mg_options_free(o);
}

static void numbers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t want;
    } cases[] = {{"0x10", 16},  {"0b101", 5}, {"0o17", 15}, {"017", 15},  {"1_000", 1000}, {"+5", 5},
                 {"-1", -1},    {"0", 0},     {"0X1F", 31}, {"-0x10", -16}, {"9223372036854775807", INT64_MAX},
                 {"-9223372036854775808", INT64_MIN}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char words[64];
        snprintf(words, sizeof(words), "-log_size_limit=%s", cases[i].text);
        struct mg_options *o = apply(words, NULL);
        assert_true(o->log_size_limit == cases[i].want);
        mg_options_free(o);
    }
    struct mg_options *o = apply("-p|-1|-m|-1", NULL);
    assert_int_equal(o->port, -1);
    assert_int_equal(o->http_port, -1);
    mg_options_free(o);
    o = apply("-p|0", "port: 5"); // 0: the default
    assert_int_equal(o->port, 4222);
    mg_options_free(o);
}

static void wrong_usage(void **state) {
    (void)state;
    static const struct {
        const char *words, *err;
    } cases[] = {
        {"-zz", "flag provided but not defined: -zz\n"},
        {"--zz=1", "flag provided but not defined: -zz\n"},
        {"-p", "flag needs an argument: -p\n"},
        {"-p|abc", "invalid value \"abc\" for flag -p: parse error\n"},
        {"-p=", "invalid value \"\" for flag -p: parse error\n"},
        {"-log_size_limit|1__0", "invalid value \"1__0\" for flag -log_size_limit: parse error\n"},
        {"-log_size_limit|1_", "invalid value \"1_\" for flag -log_size_limit: parse error\n"},
        {"-log_size_limit|08", "invalid value \"08\" for flag -log_size_limit: parse error\n"},
        {"-log_size_limit|9223372036854775808",
         "invalid value \"9223372036854775808\" for flag -log_size_limit: value out of range\n"},
        {"-p|99999999999999999999999", "invalid value \"99999999999999999999999\" for flag -p: value out of range\n"},
        {"-D=foo", "invalid boolean value \"foo\" for -D: parse error\n"},
        {"---x", "bad flag syntax: ---x\n"},
        {"--=x", "bad flag syntax: --=x\n"},
        {"-=x", "bad flag syntax: -=x\n"},
        {"--shards|0", "invalid value \"0\" for flag -shards: must be auto or a number from 1 to 64\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mg_cmdline c;
        parse(cases[i].words, &c);
        assert_int_equal(c.mode, MG_CMDLINE_EXIT);
        assert_int_equal(c.exit_code, 0); // as the reference: wrong usage is no failure
        assert_true(mg_slice_eq(mg_buf_slice(&c.err), mg_cstr(cases[i].err)));
        assert_true(mg_slice_eq(mg_buf_slice(&c.out), mg_cstr(mg_cmdline_usage())));
        mg_cmdline_fini(&c);
    }
}

static void exits(void **state) {
    (void)state;
    static const struct {
        const char *words, *out, *err;
        int code;
    } cases[] = {
        {"-v", "nats-server: v2.14.5\n", "", 0},
        {"--version", "nats-server: v2.14.5\n", "", 0},
        {"version", "nats-server: v2.14.5\n", "", 0},
        {"-D|VERSION", "nats-server: v2.14.5\n", "", 0},
        {"foo", "", "nats-server: unrecognized command: \"foo\"\n", 1},
        {"-D|true", "", "nats-server: unrecognized command: \"true\"\n", 1}, // booleans take their value with '='
        {"--|-D", "", "nats-server: unrecognized command: \"-D\"\n", 1},
        {"-t", "", "nats-server: must specify [-c, --config] option to check configuration file syntax\n", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mg_cmdline c;
        parse(cases[i].words, &c);
        assert_int_equal(c.mode, MG_CMDLINE_EXIT);
        assert_int_equal(c.exit_code, cases[i].code);
        assert_true(mg_slice_eq(mg_buf_slice(&c.out), mg_cstr(cases[i].out)));
        assert_true(mg_slice_eq(mg_buf_slice(&c.err), mg_cstr(cases[i].err)));
        mg_cmdline_fini(&c);
    }
    static const char *const helps[] = {"-h", "--help", "help", "-help"};
    for (size_t i = 0; i < sizeof(helps) / sizeof(helps[0]); i++) {
        struct mg_cmdline c;
        parse(helps[i], &c);
        assert_int_equal(c.mode, MG_CMDLINE_EXIT);
        assert_true(mg_slice_eq(mg_buf_slice(&c.out), mg_cstr(mg_cmdline_usage())));
        assert_int_equal(c.err.len, 0);
        mg_cmdline_fini(&c);
    }
    struct mg_cmdline c;
    parse("--help_tls", &c);
    assert_true(mg_slice_eq(mg_buf_slice(&c.out), mg_cstr(mg_cmdline_tls_usage())));
    mg_cmdline_fini(&c);
}

static void modes(void **state) {
    (void)state;
    struct mg_cmdline c;
    parse("-c|a.conf|-t", &c);
    assert_int_equal(c.mode, MG_CMDLINE_CHECK);
    assert_string_equal(c.config_file, "a.conf");
    mg_cmdline_fini(&c);
    parse("--config=b.conf", &c);
    assert_int_equal(c.mode, MG_CMDLINE_RUN);
    assert_string_equal(c.config_file, "b.conf");
    mg_cmdline_fini(&c);
    parse("--check-store|/var/lib/midge", &c);
    assert_int_equal(c.mode, MG_CMDLINE_CHECK_STORE);
    assert_string_equal(c.store, "/var/lib/midge");
    mg_cmdline_fini(&c);
    parse("--rebuild-store=/var/lib/midge", &c);
    assert_int_equal(c.mode, MG_CMDLINE_REBUILD_STORE);
    assert_string_equal(c.store, "/var/lib/midge");
    mg_cmdline_fini(&c);
    parse("-sl|reload=/run/x.pid", &c);
    assert_int_equal(c.mode, MG_CMDLINE_SIGNAL);
    assert_string_equal(c.signal_cmd, "reload");
    assert_string_equal(c.signal_pid, "/run/x.pid");
    mg_cmdline_fini(&c);
    parse("--signal=stop", &c);
    assert_string_equal(c.signal_cmd, "stop");
    assert_null(c.signal_pid);
    mg_cmdline_fini(&c);
    parse("", &c);
    assert_int_equal(c.mode, MG_CMDLINE_RUN);
    assert_null(c.config_file);
    mg_cmdline_fini(&c);
}

static void expect_apply_error(const char *words, const char *want) {
    struct mg_cmdline c;
    char err[256] = "";
    struct mg_options *o = mg_options_new();
    parse(words, &c);
    assert_int_equal(mg_cmdline_apply(&c, o, err, sizeof(err)), MG_EINVAL);
    assert_string_equal(err, want);
    mg_cmdline_fini(&c);
    mg_options_free(o);
}

static void tls(void **state) {
    (void)state;
    struct mg_options *o = apply("--tlscert=c|--tlskey=k|--tlscacert=a|--tlsverify", "tls {timeout: 9, first: true}");
    assert_true(o->tls && o->tls_opts.verify);
    assert_string_equal(o->tls_opts.cert_file, "c");
    assert_string_equal(o->tls_opts.key_file, "k");
    assert_string_equal(o->tls_opts.ca_file, "a");
    assert_int_equal(o->tls_opts.timeout_ns, 2 * MG_SEC); // the file's block is replaced
    assert_int_equal(o->tls_opts.first, MG_TLS_FIRST_OFF);
    mg_options_free(o);
    o = apply("--tls=false|--tlscert=c", "tls {timeout: 9}");
    assert_false(o->tls);
    mg_options_free(o);
    expect_apply_error("--tls", "TLS Server certificate must be present and valid");
    expect_apply_error("--tlsverify|--tlskey=k", "TLS Server certificate must be present and valid");
    expect_apply_error("--tlscert=c", "TLS Server private key must be present and valid");
}

static void inactive(void **state) {
    (void)state;
    struct mg_options *o = apply("-js|--cluster|nats://h:-1|--routes|nats://a:1,nats://b:1|--no_advertise|"
                                 "--connect_retries|3|--cluster_advertise|x|--cluster_name|west", NULL);
    assert_true(o->jetstream);
    assert_non_null(mg_options_inactive(o, "cluster"));
    assert_string_equal(o->cluster_name, "west");
    mg_options_free(o);
    o = apply("--cluster=|-js=false", "cluster {port: 1}, jetstream: true");
    assert_int_equal(o->ninactive, 0);
    mg_options_free(o);
    o = apply("--routes=nats://a:1", "cluster {port: 1}");
    assert_non_null(mg_options_inactive(o, "cluster"));
    mg_options_free(o);
    expect_apply_error("--routes=nats://a:1", "solicited routes require cluster capabilities, e.g. --cluster");
}

// At a reload the same flags are laid over a freshly loaded file.
static void applied_again(void **state) {
    (void)state;
    struct mg_cmdline c;
    char err[256];
    parse("-n|foo|--https_port|8443|--max_traced_msg_len|5|-r|udp://x", &c);
    for (int i = 0; i < 2; i++) {
        struct mg_options *o = load_ok("debug: true");
        assert_int_equal(mg_cmdline_apply(&c, o, err, sizeof(err)), MG_OK);
        assert_string_equal(o->server_name, "foo");
        assert_int_equal(o->https_port, 8443);
        assert_int_equal(o->max_traced_msg_len, 5);
        assert_string_equal(o->remote_syslog, "udp://x");
        assert_true(o->debug);
        mg_options_free(o);
    }
    mg_cmdline_fini(&c);
}

static void redacted(void **state) {
    (void)state;
    static const char *const args[] = {"nats-server", "--user", "me", "-pass=secret", "--auth", "tok", "-p", "4222",
                                       "--cluster", "nats://u:p@h:-1", "--routes=nats://a:b@h:1,nats://h:2", "-D",
                                       "--userx=1"};
    static const char *const want[] = {"nats-server", "--user", "[REDACTED]", "-pass=[REDACTED]", "--auth",
                                       "[REDACTED]", "-p", "4222", "--cluster", "nats://[REDACTED]@h:-1",
                                       "--routes=nats://[REDACTED]@h:1,nats://h:2", "-D", "--userx=1"};
    struct mg_strlist given = {0}, out = {0};
    for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
        mg_strlist_add(&given, args[i]);
    mg_cmdline_redact((int)given.n, given.v, &out);
    assert_int_equal(out.n, sizeof(want) / sizeof(want[0]));
    for (size_t i = 0; i < out.n; i++)
        assert_string_equal(out.v[i], want[i]);
    mg_strlist_fini(&given);
    mg_strlist_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_flags), cmocka_unit_test(verbosity), cmocka_unit_test(numbers),
        cmocka_unit_test(wrong_usage), cmocka_unit_test(exits),     cmocka_unit_test(modes),
        cmocka_unit_test(tls),         cmocka_unit_test(inactive),  cmocka_unit_test(applied_again),
        cmocka_unit_test(redacted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
