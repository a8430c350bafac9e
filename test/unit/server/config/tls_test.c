// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// tls blocks (spec/accounts-security.md 18.1, 18.2).
#include "test/unit/cmocka_inc.h"

#include "test/unit/server/config/fake_source.h"

#define PIN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"

static void values(void **state) {
    (void)state;
    struct mg_options *o =
        load_ok("tls {cert_file: c.pem, key_file: \"k.pem\", ca_file: ca.pem, verify_and_map: true, timeout: 0.5,\n"
                "cipher_suites: [ TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, \"TLS_AES_128_GCM_SHA256\" ]\n"
                "curve_preferences: [ X25519MLKEM768, CurveP256 ]\n"
                "pinned_certs: [ \"" PIN "\" ], connection_rate_limit: 7, min_version: \"1.3\", insecure: false}\n"
                "allow_non_tls: true");
    const struct mg_tls_options *t = &o->tls_opts;
    assert_true(o->tls && o->allow_non_tls);
    assert_string_equal(t->cert_file, "c.pem");
    assert_string_equal(t->key_file, "k.pem");
    assert_string_equal(t->ca_file, "ca.pem");
    assert_true(t->verify && t->verify_and_map); // the second implies the first
    assert_int_equal(t->timeout_ns, 500 * MG_MS);
    assert_int_equal(t->cipher_suites.n, 2);
    assert_string_equal(t->curves.v[1], "CurveP256");
    assert_int_equal(t->pinned_certs.n, 1);
    assert_int_equal(t->pinned_certs.v[0][63], 'f'); // lower case
    assert_int_equal(t->rate_limit, 7);
    assert_int_equal(t->min_version, 0x0304);
    assert_int_equal(t->first, MG_TLS_FIRST_OFF);
    mg_options_free(o);
}

static void handshake_first(void **state) {
    (void)state;
    static const struct {
        const char *value;
        enum mg_tls_first first;
        uint64_t wait_ns;
    } cases[] = {
        {"true", MG_TLS_FIRST_ON, 0},         {"false", MG_TLS_FIRST_OFF, 0},
        {"\"on\"", MG_TLS_FIRST_ON, 0},       {"\"OFF\"", MG_TLS_FIRST_OFF, 0},
        {"auto", MG_TLS_FIRST_AUTO, 50 * MG_MS}, {"Auto_Fallback", MG_TLS_FIRST_AUTO, 50 * MG_MS},
        {"300ms", MG_TLS_FIRST_AUTO, 300 * MG_MS},
    };
    static const char *const keys[] = {"handshake_first", "first", "immediate"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "tls {%s: %s}", keys[i % 3], cases[i].value);
        struct mg_options *o = load_ok(text);
        assert_int_equal(o->tls_opts.first, cases[i].first);
        assert_int_equal(o->tls_opts.first_wait_ns, cases[i].wait_ns);
        mg_options_free(o);
    }
}

static void certs(void **state) {
    (void)state;
    struct mg_options *o = load_ok("tls {certs: [ {cert_file: c, key_file: k} ]}");
    assert_string_equal(o->tls_opts.cert_file, "c");
    assert_string_equal(o->tls_opts.key_file, "k");
    assert_int_equal(o->ninactive, 0);
    mg_options_free(o);
    o = load_ok("tls {certificates: [ {cert_file: c, key_file: k}, {cert_file: d, key_file: l} ]}");
    assert_string_equal(o->tls_opts.cert_file, "c");
    assert_true(mg_options_inactive(o, "tls.certs")->refuse);
    mg_options_free(o);
    o = load_ok("tls {ocsp_peer: {verify: true, warn_only: true}}");
    assert_true(mg_options_inactive(o, "tls.ocsp_peer")->refuse);
    mg_options_free(o);
    o = load_ok("tls {ocsp_peer: false}");
    assert_int_equal(o->ninactive, 0);
    mg_options_free(o);
}

static void errors(void **state) {
    (void)state;
    static const struct {
        const char *member, *want; // at the member, unless it begins with a colon
    } cases[] = {
        {"foo: 1", "error parsing tls config, unknown field \"foo\""},
        {"cert_file: 1", "error parsing tls config, expected 'cert_file' to be filename"},
        {"verify: 1", "error parsing tls config, expected 'verify' to be a boolean"},
        {"insecure: 1", "error parsing tls config, expected 'insecure' to be a boolean"},
        {"verify_cert_and_check_known_urls: true", "verify_cert_and_check_known_urls not supported in this context"},
        {"timeout: true", "error parsing tls config, 'timeout' wrong type"},
        {"timeout: 3x", "error parsing tls config, 'timeout' time: invalid duration \"3x\""},
        {"cipher_suites: []", "error parsing tls config, 'cipher_suites' cannot be empty"},
        {"curve_preferences: []", "error parsing tls config, 'curve_preferences' cannot be empty"},
        {"connection_rate_limit: x", "error parsing tls config, 'connection_rate_limit' wrong type"},
        {"pinned_certs: x", "error parsing tls config, expected 'pinned_certs' to be a list of hex-encoded sha256 of "
                            "DER encoded SubjectPublicKeyInfo"},
        {"first: x", "field \"first\"'s value \"x\" is invalid"},
        {"first: 3", "field \"first\" should be a boolean or a string, got int64"},
        {"min_version: \"1.1\"", "error parsing tls config: unsupported TLS version: TLS 1.1"},
        {"min_version: \"x\"", "error parsing tls config: unknown version: x"},
        {"min_version: 1.2", "error parsing tls config: 'min_version' wrong type: 1.2"},
        {"cert_store: x", "cert_store not compatible with current operating system"},
        {"certs: x", "error parsing certificates config: unsupported type string"},
        {"ocsp_peer: x", "error parsing ocsp peer config: unsupported type string"},
        {"cert_file: x", ":1:1: missing 'key_file' in TLS configuration"},
        {"key_file: x", ":1:1: missing 'cert_file' in TLS configuration"},
        {"cipher_suites: [ FOO ]", ":1:23: unrecognized cipher FOO"},
        {"curve_preferences: [ FOO ]", ":1:27: unrecognized curve preference FOO"},
        {"cipher_suites: [ TLS_RSA_WITH_AES_128_CBC_SHA ]",
         ":1:1: insecure cipher suites configured without 'allow_insecure_cipher_suites' option set: "
         "TLS_RSA_WITH_AES_128_CBC_SHA"},
        {"certs: [ {cert_file: x} ]",
         ":1:15: error parsing certificates config: both 'cert_file' and 'cert_key' options are required"},
        {"cert_file: c, key_file: k, certs: [ {cert_file: x, key_file: y} ]",
         ":1:1: error parsing tls config, cannot combine 'cert_file' option with 'certs' option"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256], want[512];
        snprintf(text, sizeof(text), "tls {%s}", cases[i].member);
        snprintf(want, sizeof(want), "%s%s\n", cases[i].want[0] == ':' ? "" : ":1:6: ", cases[i].want);
        expect_report(text, want);
    }
    expect_report("tls: 3", ":1:1: interface conversion: interface {} is int64, not map[string]interface {}\n");
    struct mg_options *o = load_ok("tls {cipher_suites: [ TLS_RSA_WITH_AES_128_CBC_SHA "
                                   "]\nallow_insecure_cipher_suites: true}");
    assert_true(o->tls_opts.allow_insecure_ciphers);
    mg_options_free(o);
    // Unlike elsewhere, a variable's key is unknown too.
    expect_report("tls {c: x, cert_file: $c, key_file: k}", ":1:6: error parsing tls config, unknown field \"c\"\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(handshake_first),
        cmocka_unit_test(certs),
        cmocka_unit_test(errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
