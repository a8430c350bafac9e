// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

#include "client/core/js_text.h"
#include "test/unit/cmocka_inc.h"

// The text in a block of exactly its size, so that a sanitizer sees reads behind it.
#define TEXT(literal) MIDGE_STR(literal)

static void assert_str(midge_str s, const char *want) {
    assert_int_equal(s.n, strlen(want));
    assert_memory_equal(s.p ? s.p : "", want, s.n);
}

static void reads_a_publish_ack(void **state) {
    (void)state;
    midge_js_reply r;

    assert_int_equal(midge_js_reply_parse(TEXT("{\"stream\":\"S\",\"seq\":7}"), &r), 0);
    assert_str(r.stream, "S");
    assert_true(r.seq == 7 && !r.duplicate && r.code == 0 && r.domain.n == 0);
    assert_int_equal(midge_js_reply_parse(TEXT("{\"stream\":\"S\",\"domain\":\"hub\",\"seq\":9999999999999999999,"
                                               "\"duplicate\": true}"), &r), 0);
    assert_str(r.domain, "hub");
    assert_true(r.seq == 9999999999999999999u && r.duplicate);
    // Up to 2.11 there was a blank behind the commas.
    assert_int_equal(midge_js_reply_parse(TEXT("{\"stream\":\"S\", \"seq\": 12}"), &r), 0);
    assert_true(r.seq == 12);
}

static void reads_errors(void **state) {
    (void)state;
    static const struct {
        const char *code;
        int err;
    } known[] = {{"10070", MIDGE_EEXISTS},   {"10071", MIDGE_EEXISTS},   {"10164", MIDGE_EEXISTS},
                 {"10014", MIDGE_ENOTFOUND}, {"10037", MIDGE_ENOTFOUND}, {"10059", MIDGE_ENOTFOUND},
                 {"10077", MIDGE_EJETSTREAM}};
    midge_js_reply r;
    char text[200];

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        strcpy(text, "{\"error\":{\"code\":400,\"err_code\":");
        strcat(text, known[i].code);
        strcat(text, ",\"description\":\"wrong: {7}\"},\"stream\":\"S\",\"seq\":0}");
        assert_int_equal(midge_js_reply_parse(midge_cstr(text), &r), known[i].err);
        assert_int_equal(r.code, 400);
        assert_str(r.description, "wrong: {7}");
        assert_str(r.stream, "S");
    }
    assert_int_equal(midge_js_reply_parse(TEXT("{\"error\":{}}"), &r), MIDGE_EJETSTREAM);
}

static void refuses_other_answers(void **state) {
    (void)state;
    static const char *const bad[] = {
        "", "x", "[]", "{}", "{\"stream\":\"S\"}", "{\"seq\":1}", "{\"stream\":\"S\",\"seq\":-1}", "+OK",
        "{\"stream\":\"S\",\"seq\":18446744073709551615}", "{\"stream\":\"S\",\"seq\":1.5}",
        "{\"stream\":\"\",\"seq\":1}"};
    midge_js_reply r;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(midge_js_reply_parse(midge_cstr(bad[i]), &r), MIDGE_EPROTO);
    }
}

static void survives_cut_answers(void **state) {
    (void)state;
    static const char whole[] = "{\"error\":{\"code\":400,\"description\":\"a\\\"b\"},\"stream\":\"S\",\"seq\":12}";
    char copy[sizeof(whole)];
    midge_js_reply r;

    for (size_t n = 0; n + 1 < sizeof(whole); n++) {
        char *end = copy + sizeof(copy) - n; // the end of the slice is the end of the array
        memcpy(end, whole, n);
        midge_js_reply_parse((midge_str){end, n}, &r);
        assert_true(r.seq == 0);
    }
}

static void finds_members(void **state) {
    (void)state;
    static const char text[] = "{\"a\\\"b\":{\"x\":[1,{\"seq\":9}],\"y\":\"}\"},\n\t"
                               "\"s\":\"q\\\\\",\"n\":null,\"seq\":5,\"e\":\"\"}";

    assert_str(mgc_json_get(TEXT(text), "seq"), "5");
    assert_str(mgc_json_get(TEXT(text), "s"), "q\\\\");
    assert_str(mgc_json_get(TEXT(text), "n"), "null");
    assert_str(mgc_json_get(TEXT(text), "e"), "");
    assert_str(mgc_json_get(TEXT(text), "x"), "");
    assert_str(mgc_json_get(TEXT(text), "a\\\"b"), "{\"x\":[1,{\"seq\":9}],\"y\":\"}\"}");
}

static void reads_meta_of_both_forms(void **state) {
    (void)state;
    midge_js_meta m;

    assert_int_equal(midge_js_meta_parse(TEXT("$JS.ACK.S.d.1.12.3.1795254334733000454.9"), &m), 0);
    assert_str(m.stream, "S");
    assert_str(m.consumer, "d");
    assert_true(m.domain.n == 0 && m.delivered == 1 && m.stream_seq == 12 && m.consumer_seq == 3 && m.pending == 9);
    assert_true(m.time == 1795254334733000454u);
    assert_int_equal(midge_js_meta_parse(TEXT("$JS.ACK.hub.szMpdrwD.S.d.2.12.3.4.5"), &m), 0);
    assert_str(m.domain, "hub");
    assert_str(m.stream, "S");
    assert_true(m.delivered == 2 && m.pending == 5);
    assert_int_equal(midge_js_meta_parse(TEXT("$JS.ACK._.szMpdrwD.S.d.2.12.3.4.5.rnd.more"), &m), 0);
    assert_true(m.domain.n == 0 && m.pending == 5);
}

static void refuses_other_replies(void **state) {
    (void)state;
    static const char *const bad[] = {"", "_INBOX.x", "$JS.ACK.", "$JS.ACK.S.d.1.2.3.4", "$JS.ACK.S.d.1.2.3.4.5.6",
                                      "$JS.ACK.S.d.1.x.3.4.5", "$JS.ACK.S.d.1..3.4.5",
                                      "$JS.ACK.S.d.1.99999999999999999999.3.4.5"};
    midge_js_meta m;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(midge_js_meta_parse(midge_cstr(bad[i]), &m), MIDGE_EINVAL);
    }
}

static void reads_times(void **state) {
    (void)state;
    assert_true(mgc_time(TEXT("1970-01-01T00:00:00Z")) == 0);
    assert_true(mgc_time(TEXT("1970-01-01T00:00:01.5Z")) == 1500000000);
    assert_true(mgc_time(TEXT("2026-01-02T03:04:05.123456789Z")) == 1767323045123456789u);
    assert_true(mgc_time(TEXT("2000-02-29T23:59:59.000000001Z")) == 951868799000000001u);
    assert_true(mgc_time(TEXT("2099-12-31T23:59:59Z")) == 4102444799000000000u);
    assert_true(mgc_time(TEXT("2100-01-01T00:00:00Z")) == 0);
    assert_true(mgc_time(TEXT("2024-01-31T00:00:00Z")) == 1706659200000000000u);
    assert_true(mgc_time(TEXT("1973-03-01T00:00:00.1Z")) == 99792000100000000u);
    assert_true(mgc_time(TEXT("2026-01-02T03:04:05")) == 0);
    assert_true(mgc_time(TEXT("2026-01-02T03:04:05+01:00")) == 0);
    assert_true(mgc_time(TEXT("2026-13-02T03:04:05Z")) == 0);
    assert_true(mgc_time(TEXT("2026-01-02 03:04:05Z")) == 0);
    assert_true(mgc_time(TEXT("")) == 0);
}

static void writes_numbers_and_forms(void **state) {
    (void)state;
    char buf[40];
    midge_js js = {.domain = TEXT("hub"), .buf = buf, .size = sizeof(buf)};
    midge_str a = TEXT("A"), b = TEXT("b.c");
    mgc_text t;

    mgc_text_begin(&t, &js);
    mgc_text_u64(&t, "", UINT64_MAX);
    mgc_text_u64(&t, " ", 0);
    mgc_text_u64(&t, ", ", 4294967296u);
    assert_str((midge_str){t.p, t.n}, "18446744073709551615 0, 4294967296");
    mgc_text_u64(&t, "", UINT64_MAX);
    assert_true(t.full);
    mgc_text_begin(&t, &js);
    mgc_text_form(&t, "@.GET.?.?", &a, &b);
    assert_str((midge_str){t.p, t.n}, "$JS.hub.API.GET.A.b.c");
    js.prefix = TEXT("X.Y");
    mgc_text_begin(&t, &js);
    mgc_text_form(&t, "@.?", &b, NULL);
    assert_str((midge_str){t.p, t.n}, "X.Y.b.c");
}

static void knows_keys(void **state) {
    (void)state;
    static const char *const good[] = {"a", "a.b", "A-/_=9.z", "1"};
    static const char *const bad[] = {"", ".", ".a", "a.", "a..b", "a b", "a*", "*", ">", "a.>", "\xc3\xa4", "a:b"};
    static const char *const patterns[] = {"*", ">", "a.*", "a.>", "*.b", "a"};
    static const char *const not_patterns[] = {"", "a*", "*a", ">.a", "a.>>", "a.*b", ".>", "**"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) assert_true(midge_kv_key_valid(midge_cstr(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) assert_false(midge_kv_key_valid(midge_cstr(bad[i])));
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        assert_true(midge_kv_pattern_valid(midge_cstr(patterns[i])));
    }
    for (size_t i = 0; i < sizeof(not_patterns) / sizeof(not_patterns[0]); i++) {
        assert_false(midge_kv_pattern_valid(midge_cstr(not_patterns[i])));
    }
    assert_true(midge_kv_bucket_valid(TEXT("config_1-A")));
    assert_false(midge_kv_bucket_valid(TEXT("")));
    assert_false(midge_kv_bucket_valid(TEXT("a.b")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_publish_ack),
        cmocka_unit_test(reads_errors),
        cmocka_unit_test(refuses_other_answers),
        cmocka_unit_test(survives_cut_answers),
        cmocka_unit_test(finds_members),
        cmocka_unit_test(reads_meta_of_both_forms),
        cmocka_unit_test(refuses_other_replies),
        cmocka_unit_test(reads_times),
        cmocka_unit_test(writes_numbers_and_forms),
        cmocka_unit_test(knows_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
