// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/jetstream/api/catalogue.h"

#include "server/base/errors.h"
#include "test/unit/cmocka_inc.h"

static void answers_bodies_of_all_shapes(void **state) {
    (void)state;
    struct catalogue c = {.nstreams = 0};
    assert_in_range(catalogue_play_file(&c, MG_TEST_DATA "/js_api/json.txt"), 100, 1000);
    catalogue_fini(&c);
}

static void answers_as_the_reference(void **state) {
    (void)state;
    struct catalogue c = {.nstreams = 0};
    assert_in_range(catalogue_play_file(&c, MG_TEST_DATA "/js_api/streams.txt"), 100, 1000);
    catalogue_fini(&c);
}

static void expect(struct catalogue *c, const char *subject, const char *body, const char *part) {
    struct mg_buf out = MG_BUF_INIT;
    catalogue_play(c, mg_cstr(subject), mg_cstr(body), &out);
    mg_buf_addc(&out, '\0');
    if (strstr(out.p, part) == NULL) fail_msg("%s\n  answers %s\n  not     %s", body, out.p, part);
    mg_buf_fini(&out);
}

// Bodies too long for the table.
static void refuses_long_texts(void **state) {
    (void)state;
    static const struct {
        const char *head;
        size_t fill;
        const char *tail, *part;
    } rows[] = {
        {"{\"name\":\"S\",\"description\":\"", 4096, "\"}", "\"name\":\"S\""},
        {"{\"name\":\"S\",\"description\":\"", 4097, "\"}",
         "10052,\"description\":\"stream description is too long, maximum allowed is 4096\""},
        {"{\"name\":\"S\",\"metadata\":{\"a\":\"", 131072, "\"}}",
         "10052,\"description\":\"stream metadata exceeds maximum size of 131072 bytes\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct catalogue c = {.nstreams = 0};
        struct mg_buf body = MG_BUF_INIT;
        mg_buf_adds(&body, rows[i].head);
        for (size_t n = 0; n < rows[i].fill; n++) mg_buf_addc(&body, 'x');
        mg_buf_adds(&body, rows[i].tail);
        mg_buf_addc(&body, '\0');
        expect(&c, "STREAM.CREATE.S", body.p, rows[i].part);
        mg_buf_fini(&body);
        catalogue_fini(&c);
    }
    struct catalogue c = {.nstreams = 0};
    char subject[300] = "STREAM.CREATE.", body[300] = "{\"name\":\"";
    memset(subject + 14, 'n', 256);
    memset(body + 9, 'n', 256);
    strcpy(body + 9 + 256, "\"}");
    expect(&c, subject, body, "10052,\"description\":\"stream name is too long, maximum allowed is 255\"");
    catalogue_fini(&c);
}

// spec/jetstream-streams.md 21
static void obeys_limits(void **state) {
    (void)state;
    struct catalogue c = {.limits = {.duplicate_window = 60000000000}};
    expect(&c, "STREAM.CREATE.A", "{\"name\":\"A\"}", "\"duplicate_window\":60000000000,");
    expect(&c, "STREAM.CREATE.B", "{\"name\":\"B\",\"pedantic\":true}",
           "pedantic mode: duplicate window limits are higher than current limits");
    expect(&c, "STREAM.CREATE.B", "{\"name\":\"B\",\"duplicate_window\":61000000000}",
           "10052,\"description\":\"duplicates window can not be larger then server limit of 1m0s\"");
    c.limits = (struct mg_js_limits){.max_bytes_required = true, .memory_max_stream_bytes = 10};
    expect(&c, "STREAM.CREATE.B", "{\"name\":\"B\"}", ":10113,");
    expect(&c, "STREAM.CREATE.B", "{\"name\":\"B\",\"storage\":\"memory\",\"max_bytes\":11}", ":10122,");
    expect(&c, "STREAM.CREATE.B", "{\"name\":\"B\",\"max_bytes\":11}", "\"max_bytes\":11,");
    catalogue_fini(&c);
}

static void takes_nothing_for_an_empty_request(void **state) {
    (void)state;
    struct catalogue c = {.nstreams = 0};
    expect(&c, "STREAM.CREATE.S", "", ":10056,");
    expect(&c, "STREAM.CREATE.S", " \t\r\n", ":10056,");
    expect(&c, "CONSUMER.CREATE.S", "", ":10056,");
    catalogue_fini(&c);
}

static void reads_leniently_when_asked(void **state) {
    (void)state;
    static const struct {
        const char *body, *text; // NULL: read
    } rows[] = {
        {"{\"foo\":1,\"name\":\"S\",\"placement\":{\"bar\":[1,{}]}}", NULL},
        {"{\"foo\":1}  x", "invalid JSON: invalid character 'x' after top-level value"},
        {"{\"foo\":1}{\"name\":\"T\"}", "invalid JSON: invalid character '{' after top-level value"},
        {"{\"max_msgs\":\"x\",\"foo\":1}", "invalid JSON: json: cannot unmarshal string into Go struct field "
                                           "StreamConfigRequest.StreamConfig.max_msgs of type int64"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mg_js_stream_request r;
        memset(&r, 0, sizeof r);
        struct mg_js_error e = {NULL, MG_BUF_INIT};
        int rc = mg_js_stream_read(&r, mg_cstr(rows[i].body), false, &e);
        assert_int_equal(rc == 0, rows[i].text == NULL);
        if (rc == 0) assert_true(mg_slice_eq(r.config.name, MG_S("S")));
        else assert_true(mg_slice_eq(mg_buf_slice(&e.text), mg_cstr(rows[i].text)));
        mg_js_error_fini(&e);
        mg_js_stream_request_fini(&r);
    }
}

static void refuses_a_stored_form_that_is_none(void **state) {
    (void)state;
    struct mg_js_stream_config c;
    assert_int_not_equal(mg_js_stream_load(&c, MG_S("{\"name\":\"S\",\"unheard_of\":1}")), 0);
    assert_int_not_equal(mg_js_stream_load(&c, MG_S("{\"name\":\"S\"")), 0);
}

// What the disk has of a stream, whatever it is, is served or refused.
static void recovers_what_can_be_served(void **state) {
    (void)state;
    struct mg_js_stream_config c;
    assert_int_equal(mg_js_stream_recover(&c, MG_S("S"), MG_S("{\"name\":\"S\",\"subjects\":[\"s.*\"]}")), 0);
    assert_int_equal(c.subjects.n, 1);
    mg_js_stream_fini(&c);
    static const char *const refused[] = {
        "{", "{}", "[]", "{\"name\":\"T\"}", "{\"name\":\"S\",\"subjects\":[\"\"]}",
        "{\"name\":\"S\",\"subjects\":[\"a..b\"]}"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(mg_js_stream_recover(&c, MG_S("S"), mg_cstr(refused[i])), MG_ECORRUPT);
    assert_int_equal(mg_js_stream_recover(&c, MG_S("S"), MG_S("")), 0);
    assert_true(mg_slice_eq(c.name, MG_S("S")));
    assert_int_equal(c.subjects.n, 0);
    assert_int_equal(c.max_msgs, -1);
    assert_int_equal(c.max_age, 0);
    assert_true(c.allow_direct && c.storage == MG_JS_FILE && c.retention == MG_JS_LIMITS);
    mg_js_stream_fini(&c);
    assert_int_equal(mg_js_stream_recover(&c, MG_S("a.b"), MG_S("")), MG_ECORRUPT);
    assert_int_equal(mg_js_stream_recover(&c, MG_S(""), MG_S("")), MG_ECORRUPT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_bodies_of_all_shapes), cmocka_unit_test(answers_as_the_reference),
        cmocka_unit_test(refuses_long_texts),           cmocka_unit_test(obeys_limits),
        cmocka_unit_test(takes_nothing_for_an_empty_request),
        cmocka_unit_test(reads_leniently_when_asked),   cmocka_unit_test(refuses_a_stored_form_that_is_none),
        cmocka_unit_test(recovers_what_can_be_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
