// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Times that are errors are in test/data/js_api/json.txt.
#include "test/unit/cmocka_inc.h"

#include "jetstream/api/timestamp.h"

static void reads_and_prints(void **state) {
    (void)state;
    static const struct {
        const char *text, *printed; // NULL: as it was
        int64_t ns;
    } rows[] = {
        {"1970-01-01T00:00:00Z", NULL, 0},
        {"1970-01-01T00:00:00+00:00", "1970-01-01T00:00:00Z", 0},
        {"1969-12-31T23:59:59.999999999Z", NULL, -1},
        {"2026-11-21T16:14:06.3385Z", NULL, 1795277646338500000},
        {"2026-11-21T16:14:06.338500000Z", "2026-11-21T16:14:06.3385Z", 1795277646338500000},
        {"2026-11-21T16:14:06.3385009876Z", "2026-11-21T16:14:06.338500987Z", 1795277646338500987},
        {"2026-11-21T17:44:06+01:30", NULL, 1795277646000000000},
        {"2026-11-21T06:14:06-10:00", NULL, 1795277646000000000},
        {"2026-11-21T6:14:06,5-10:00", "2026-11-21T06:14:06.5-10:00", 1795277646500000000},
        {"2000-02-29T00:00:00Z", NULL, 951782400000000000},
        {"0001-01-01T00:00:00Z", NULL, INT64_MIN},
        {"0000-03-01T00:00:00Z", NULL, INT64_MIN},
        {"9999-12-31T23:59:59.999999999Z", NULL, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mg_js_time t;
        struct mg_buf out = MG_BUF_INIT;
        assert_true(mg_js_time_parse(mg_cstr(rows[i].text), &t, &out));
        assert_int_equal(mg_js_time_ns(t), rows[i].ns);
        mg_js_time_print(&out, t);
        mg_buf_addc(&out, '\0');
        assert_string_equal(out.p, rows[i].printed ? rows[i].printed : rows[i].text);
        mg_buf_fini(&out);
    }
}

static void knows_the_zero_time(void **state) {
    (void)state;
    struct mg_js_time t = mg_js_time_of_ns(INT64_MIN);
    assert_true(mg_js_time_is_zero(t));
    assert_false(mg_js_time_is_zero(mg_js_time_of_ns(0)));
    assert_false(mg_js_time_is_zero((struct mg_js_time){.set = false}));
    assert_false(mg_js_time_same((struct mg_js_time){.set = false}, mg_js_time_of_ns(0)));
    assert_int_equal(mg_js_time_ns(mg_js_time_of_ns(-1)), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_and_prints), cmocka_unit_test(knows_the_zero_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
