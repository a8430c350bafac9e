// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include "jetstream/api/errors.h"

static void every_row_is_found_by_its_code(void **state) {
    (void)state;
    size_t n = 0;
    for (int code = 10000; code < 10300; code++) {
        const struct mg_js_error_row *row = mg_js_error_row(code);
        if (row == NULL) continue;
        assert_int_equal(row->err_code, code);
        assert_in_range(row->code, 400, 503);
        n++;
    }
    assert_int_equal(n, 226);
    assert_null(mg_js_error_row(0));
    assert_null(mg_js_error_row(10001));
    assert_null(mg_js_error_row(10228));
}

static void expect(const struct mg_js_error *e, const char *want) {
    struct mg_buf out = MG_BUF_INIT;
    struct mg_jw w;
    mg_jw_init(&w, &out, 0);
    mg_js_error_write(e, &w);
    mg_buf_addc(&out, '\0');
    assert_string_equal(out.p, want);
    mg_buf_fini(&out);
}

static void placeholders_are_replaced_in_order(void **state) {
    (void)state;
    struct mg_js_error e = {NULL, MG_BUF_INIT};
    mg_js_fail(&e, MG_JSE_STREAM_NOT_FOUND);
    expect(&e, "{\"code\":404,\"err_code\":10059,\"description\":\"stream not found\"}");
    mg_js_failf(&e, MG_JSE_SEQUENCE_NOT_FOUND, "%llu", 18446744073709551615ull);
    expect(&e, "{\"code\":400,\"err_code\":10043,\"description\":\"sequence 18446744073709551615 not found\"}");
    mg_js_failf(&e, MG_JSE_INVALID_JSON, "%s", "{err} \"<");
    expect(&e, "{\"code\":400,\"err_code\":10025,\"description\":\"invalid JSON: {err} \\\"\\u003c\"}");
    mg_js_fail_with(&e, MG_JSE_STREAM_EXTERNAL_DEL_PREFIX_OVERLAPS, (mg_slice[]){MG_S("p"), MG_S("s")}, 2);
    expect(&e, "{\"code\":400,\"err_code\":10022,"
               "\"description\":\"stream external delivery prefix p overlaps with stream subject s\"}");
    mg_js_fail_with(&e, MG_JSE_RESTORE_SUBSCRIBE_FAILED, (mg_slice[]){MG_S("subj"), MG_S("why")}, 2);
    expect(&e, "{\"code\":500,\"err_code\":10042,"
               "\"description\":\"JetStream unable to subscribe to restore snapshot subj: why\"}");
    mg_js_error_fini(&e);
    assert_null(e.row);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_found_by_its_code),
        cmocka_unit_test(placeholders_are_replaced_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
