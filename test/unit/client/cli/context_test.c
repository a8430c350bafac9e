// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/context.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/app.h"
#include "client/cli/connect.h"
#include "test/unit/cmocka_inc.h"

static char err[512];

static char *written(const cli_context *c) {
    char *text = NULL;
    size_t n;
    cli_json j = {.out = open_memstream(&text, &n), .indent = 2};
    cli_context_write(c, &j, false);
    fclose(j.out);
    return text;
}

static void round_trip(void **state) {
    static const char text[] =
        "{\n  \"description\": \"A \\\"b\\\"\",\n  \"url\": \"nats://h:1,tls://i\",\n  \"socks_proxy\": \"\",\n"
        "  \"token\": \"t\",\n  \"user\": \"\",\n  \"password\": \"\",\n  \"creds\": \"/c\",\n  \"nkey\": \"\",\n"
        "  \"cert\": \"\",\n  \"key\": \"\",\n  \"ca\": \"\",\n  \"nsc\": \"\",\n  \"jetstream_domain\": \"d\",\n"
        "  \"jetstream_api_prefix\": \"\",\n  \"jetstream_event_prefix\": \"\",\n  \"inbox_prefix\": \"\",\n"
        "  \"user_jwt\": \"\",\n  \"user_seed\": \"\",\n  \"color_scheme\": \"\",\n  \"tls_first\": true,\n"
        "  \"windows_cert_store\": \"\",\n  \"windows_cert_match_by\": \"\",\n  \"windows_cert_match\": \"\",\n"
        "  \"windows_ca_certs_match\": null\n}\n";
    cli app;
    cli_context c, again;
    (void)state;
    cli_init(&app);
    assert_int_equal(cli_context_parse(&app, text, strlen(text), &c, err, sizeof err), 0);
    assert_string_equal(c.text[CLI_CONTEXT_DESCRIPTION], "A \"b\"");
    assert_string_equal(c.text[CLI_CONTEXT_CREDS], "/c");
    assert_null(c.text[CLI_CONTEXT_USER]);
    assert_true(c.tls_first);
    char *out = written(&c);
    assert_string_equal(out, text);
    assert_int_equal(cli_context_parse(&app, out, strlen(out), &again, err, sizeof err), 0);
    assert_string_equal(again.text[CLI_CONTEXT_JS_DOMAIN], "d");
    free(out);
    cli_fini(&app);
}

static void keeps_what_it_does_not_know(void **state) {
    static const char text[] = "{\"name\":\"x\",\"new\":{\"a\":[1]},\"url\":null,\"windows_ca_certs_match\":[\"c\"]}";
    cli app;
    cli_context c;
    (void)state;
    cli_init(&app);
    assert_int_equal(cli_context_parse(&app, text, strlen(text), &c, err, sizeof err), 0);
    assert_null(c.text[CLI_CONTEXT_URL]);
    char *out = written(&c);
    assert_non_null(strstr(out, "\"new\": {\"a\":[1]},\n  \"windows_ca_certs_match\": [\"c\"]\n}"));
    assert_null(strstr(out, "null"));
    free(out);
    cli_fini(&app);
}

static void damaged(void **state) {
    static const char *const texts[] = {"", "[]", "{", "{\"url\":1}", "{\"url\":\"a\"}}", "{\"url\":\"\\q\"}"};
    cli app;
    cli_context c;
    (void)state;
    cli_init(&app);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(cli_context_parse(&app, texts[i], strlen(texts[i]), &c, err, sizeof err), -1);
    cli_fini(&app);
}

static void names(void **state) {
    (void)state;
    assert_true(cli_context_name_valid("a.b-c d"));
    assert_false(cli_context_name_valid(""));
    assert_false(cli_context_name_valid("a/b"));
    assert_false(cli_context_name_valid("a\\b"));
    assert_false(cli_context_name_valid("a..b"));
}

static void files(void **state) {
    char home[] = "/tmp/midge-test-XXXXXX";
    cli app;
    cli_context c = {.tls_first = true}, back;
    struct stat st;
    size_t n;
    (void)state;
    assert_non_null(mkdtemp(home));
    setenv("XDG_CONFIG_HOME", home, 1);
    cli_init(&app);
    assert_null(cli_context_list(&app, &n));
    assert_null(cli_context_selected(&app));
    c.text[CLI_CONTEXT_URL] = "nats://h";
    assert_int_equal(cli_context_save(&app, &c, "two", err, sizeof err), 0);
    assert_int_equal(cli_context_save(&app, &c, "one", err, sizeof err), 0);
    assert_int_equal(cli_context_save(&app, &c, "../bad", err, sizeof err), -1);
    assert_int_equal(stat(cli_context_path(&app, "one"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(cli_context_load(&app, "one", &back, err, sizeof err), 0);
    assert_string_equal(back.name, "one");
    assert_string_equal(back.text[CLI_CONTEXT_URL], "nats://h");
    assert_int_equal(cli_context_load(&app, "three", &back, err, sizeof err), -1);
    assert_non_null(strstr(err, "context not found: \"three\""));
    const char **list = cli_context_list(&app, &n);
    assert_int_equal(n, 2);
    assert_string_equal(list[0], "one");

    assert_int_equal(cli_context_select(&app, "one", err, sizeof err), 0);
    assert_null(cli_context_previous(&app));
    assert_int_equal(cli_context_select(&app, "two", err, sizeof err), 0);
    assert_string_equal(cli_context_selected(&app), "two");
    assert_string_equal(cli_context_previous(&app), "one");
    assert_int_equal(cli_context_select(&app, NULL, err, sizeof err), 0);
    assert_null(cli_context_selected(&app));
    assert_string_equal(cli_context_previous(&app), "two");
    assert_int_equal(cli_context_select(&app, NULL, err, sizeof err), 0);

    assert_int_equal(cli_context_remove(&app, "one", err, sizeof err), 0);
    assert_int_equal(cli_context_remove(&app, "one", err, sizeof err), 0);
    assert_int_equal(cli_context_remove(&app, "two", err, sizeof err), 0);
    assert_false(cli_context_known(&app, "one"));
    assert_int_equal(unlink(cli_printf(&app, "%s/nats/previous-context.txt", home)), 0);
    assert_int_equal(rmdir(cli_printf(&app, "%s/nats/context", home)), 0);
    assert_int_equal(rmdir(cli_printf(&app, "%s/nats", home)), 0);
    assert_int_equal(rmdir(home), 0);
    unsetenv("XDG_CONFIG_HOME");
    cli_fini(&app);
}

static void references(void **state) {
    cli app;
    (void)state;
    cli_init(&app);
    setenv("CLI_TEST_SECRET", "s3cret", 1);
    setenv("HOME", "/home/me", 1);
    assert_string_equal(cli_resolve(&app, "plain", true, err, sizeof err), "plain");
    assert_string_equal(cli_resolve(&app, "env://CLI_TEST_SECRET", true, err, sizeof err), "s3cret");
    assert_string_equal(cli_resolve(&app, "ENV://CLI_TEST_SECRET", false, err, sizeof err), "s3cret");
    assert_string_equal(cli_resolve(&app, "data:;base64,Zm9v", false, err, sizeof err), "foo");
    assert_null(cli_resolve(&app, "env://CLI_TEST_NOTHING", true, err, sizeof err));
    assert_null(cli_resolve(&app, "data:,foo", true, err, sizeof err));
    assert_null(cli_resolve(&app, "/nonexistent", false, err, sizeof err));
    assert_non_null(strstr(err, "cannot read /nonexistent"));
    assert_string_equal(cli_context_expand(&app, "~/a"), "/home/me/a");
    assert_string_equal(cli_context_expand(&app, "/x/$CLI_TEST_SECRET/${CLI_TEST_SECRET}y$"), "/x/s3cret/s3crety");
    assert_string_equal(cli_context_expand(&app, "a~"), "a~");
    cli_fini(&app);
}

// A .creds file: a JWT and a seed between their marks.
static const char credentials[] =
    "data:;base64,"
    "LS0tLS1CRUdJTiBOQVRTIFVTRVIgSldULS0tLS0KZXlKMC5leUpxLnNpZwotLS0tLS1FTkQgTkFUUyBVU0VSIEpXVC0tLS0t"
    "LQoKLS0tLS1CRUdJTiBVU0VSIE5LRVkgU0VFRC0tLS0tClNVQUlCRFBCQVVUV0NXQktJTzZYSFFOSU5LNUZXSlc0T0hMWEMz"
    "SFEyS0ZFNFBFSlVBNDRDTkhUQzQKLS0tLS0tRU5EIFVTRVIgTktFWSBTRUVELS0tLS0tCg==";

// What flags and a context come to.
static int options_of(cli *app, const char *flag, const char *value, cli_context *c, midge_options *o) {
    char *argv[] = {(char[]){"midge"}, (char[]){"rtt"}, NULL, NULL};
    int argc = 2;
    cli_init(app);
    if (flag != NULL) {
        argv[argc++] = cli_strndup(app, flag, strlen(flag));
        argv[argc++] = cli_strndup(app, value, strlen(value));
    }
    assert_int_equal(cli_parse(app, &cli_root, argc, argv, err, sizeof err), CLI_PARSED_RUN);
    cli_context_override(app, c);
    return cli_context_options(app, c, o, err, sizeof err);
}

static void options(void **state) {
    cli app;
    midge_options o;
    cli_context c = {.name = NULL};
    (void)state;
    assert_int_equal(options_of(&app, "--user", "tok", &c, &o), 0);
    assert_string_equal(o.token, "tok");
    assert_null(o.user);
    cli_fini(&app);

    c = (cli_context){.text = {[CLI_CONTEXT_USER] = "u", [CLI_CONTEXT_PASSWORD] = "env://CLI_TEST_PASSWORD",
                               [CLI_CONTEXT_CA] = "file:///ca.pem"}};
    setenv("CLI_TEST_PASSWORD", "pw", 1);
    assert_int_equal(options_of(&app, "--server", "nats://flag", &c, &o), 0);
    assert_string_equal(o.servers, "nats://flag");
    assert_string_equal(o.user, "u");
    assert_string_equal(o.password, "pw");
    assert_string_equal(o.tls_ca, "/ca.pem");
    cli_fini(&app);

    c = (cli_context){.tls_first = true};
    assert_int_equal(options_of(&app, "--creds", credentials, &c, &o), 0);
    assert_true(o.tls_first);
    assert_null(o.creds);
    assert_string_equal(o.jwt, "eyJ0.eyJq.sig");
    assert_string_equal(o.seed, "SUAIBDPBAUTWCWBKIO6XHQNINK5FWJW4OHLXC3HQ2KFE4PEJUA44CNHTC4");
    cli_fini(&app);

    c = (cli_context){.text = {[CLI_CONTEXT_CREDS] = "/some/user.creds"}};
    assert_int_equal(options_of(&app, NULL, NULL, &c, &o), 0);
    assert_string_equal(o.creds, "/some/user.creds");
    cli_fini(&app);

    c = (cli_context){.name = NULL};
    assert_int_equal(options_of(&app, "--creds", "data:;base64,Zm9v", &c, &o), -1);
    assert_non_null(strstr(err, "no user JWT and seed"));
    cli_fini(&app);
    c = (cli_context){.name = NULL};
    assert_int_equal(options_of(&app, "--socks-proxy", "socks5://h:1", &c, &o), -1);
    cli_fini(&app);
}

static void hints(void **state) {
    (void)state;
    assert_non_null(strstr(cli_connect_hint("cannot connect to h:1: Connection refused"), "is the server running?"));
    assert_non_null(strstr(cli_connect_hint("authorization violation"), "--user"));
    assert_non_null(strstr(cli_connect_hint("the server's certificate is refused"), "--tlsca"));
    assert_string_equal(cli_connect_hint("something else"), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip), cmocka_unit_test(keeps_what_it_does_not_know), cmocka_unit_test(damaged),
        cmocka_unit_test(names),      cmocka_unit_test(files),                       cmocka_unit_test(references),
        cmocka_unit_test(options),    cmocka_unit_test(hints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
