// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/jetstream/api/catalogue.h"

#include "test/unit/cmocka_inc.h"

static void answers_as_the_reference(void **state) {
    (void)state;
    struct catalogue c = {.nstreams = 0};
    assert_in_range(catalogue_play_file(&c, MG_TEST_DATA "/js_api/consumers.txt"), 100, 1000);
    catalogue_fini(&c);
}

static void expect(struct catalogue *c, const char *subject, const char *body, const char *part) {
    struct mg_buf out = MG_BUF_INIT;
    catalogue_play(c, mg_cstr(subject), mg_cstr(body), &out);
    mg_buf_addc(&out, '\0');
    if (strstr(out.p, part) == NULL) fail_msg("%s\n  answers %s\n  not     %s", body, out.p, part);
    mg_buf_fini(&out);
}

// spec/jetstream-consumers.md 3: limits of the server and the account
static void obeys_limits(void **state) {
    (void)state;
    struct catalogue c = {.limits = {.max_ack_pending = 500, .account_max_ack_pending = 400, .max_request_batch = 20}};
    expect(&c, "STREAM.CREATE.S", "{\"name\":\"S\"}", "\"name\":\"S\"");
    expect(&c, "CONSUMER.CREATE.S.a", "{\"stream_name\":\"S\",\"config\":{\"ack_policy\":\"explicit\"}}",
           "\"max_ack_pending\":400,\"max_batch\":20,");
    expect(&c, "CONSUMER.CREATE.S.b", "{\"stream_name\":\"S\",\"pedantic\":true}",
           "pedantic mode: max_request_batch must be set if it's JetStream limits are set");
    expect(&c, "CONSUMER.CREATE.S.b", "{\"stream_name\":\"S\",\"config\":{\"max_batch\":21}}",
           "10125,\"description\":\"consumer max request batch exceeds server limit of 20\"");
    expect(&c, "CONSUMER.CREATE.S.b", "{\"stream_name\":\"S\",\"config\":{\"max_ack_pending\":501}}",
           "10121,\"description\":\"consumer max ack pending exceeds system limit of 500\"");
    expect(&c, "CONSUMER.CREATE.S.b", "{\"stream_name\":\"S\",\"config\":{\"max_ack_pending\":401}}",
           "10121,\"description\":\"consumer max ack pending exceeds system limit of 400\"");
    expect(&c, "CONSUMER.CREATE.S.b", "{\"stream_name\":\"S\",\"config\":{\"max_ack_pending\":-1}}",
           "\"max_ack_pending\":-1,");
    c.limits.account_max_consumers = 2;
    expect(&c, "CONSUMER.CREATE.S.c", "{\"stream_name\":\"S\"}", ":10026,");
    catalogue_fini(&c);
}

static void refuses_long_texts(void **state) {
    (void)state;
    struct catalogue c = {.nstreams = 0};
    expect(&c, "STREAM.CREATE.S", "{\"name\":\"S\"}", "\"name\":\"S\"");
    static const struct {
        const char *head;
        size_t fill;
        const char *tail, *part;
    } rows[] = {
        {"{\"stream_name\":\"S\",\"config\":{\"description\":\"", 4097, "\"}}",
         "10107,\"description\":\"consumer description is too long, maximum allowed is 4096\""},
        {"{\"stream_name\":\"S\",\"config\":{\"metadata\":{\"a\":\"", 131072, "\"}}}",
         "10135,\"description\":\"consumer metadata exceeds maximum size of 128KB\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mg_buf body = MG_BUF_INIT;
        mg_buf_adds(&body, rows[i].head);
        for (size_t n = 0; n < rows[i].fill; n++) mg_buf_addc(&body, 'x');
        mg_buf_adds(&body, rows[i].tail);
        mg_buf_addc(&body, '\0');
        expect(&c, "CONSUMER.CREATE.S.a", body.p, rows[i].part);
        mg_buf_fini(&body);
    }
    catalogue_fini(&c);
}

// Names outside of what the file of requests can hold.
static void refuses_a_long_durable(void **state) {
    (void)state;
    char name[257];
    memset(name, 'n', 256);
    struct mg_js_consumer_config c = {.durable_name = {name, 256}};
    struct mg_js_error e = {NULL, MG_BUF_INIT};
    assert_int_not_equal(mg_js_consumer_check_name(&c, &e), 0);
    assert_int_equal(e.row->err_code, 10102);
    assert_true(mg_slice_eq(mg_buf_slice(&e.text), MG_S("consumer name is too long, maximum allowed is 255")));
    c.durable_name.n = 255;
    assert_int_equal(mg_js_consumer_check_name(&c, &e), 0);
    mg_js_error_fini(&e);
}

static void moves_a_bound_deliver_subject_not(void **state) {
    (void)state;
    struct mg_js_consumer_config old = {.deliver_subject = MG_S("d")}, now = {.deliver_subject = MG_S("e")};
    struct mg_js_error e = {NULL, MG_BUF_INIT};
    assert_int_equal(mg_js_consumer_update(&old, &now, false, &e), 0);
    assert_int_not_equal(mg_js_consumer_update(&old, &now, true, &e), 0);
    assert_int_equal(e.row->err_code, 10013);
    mg_js_error_fini(&e);
}

static void sees_violated_limits(void **state) {
    (void)state;
    const struct mg_js_consumer_config c = {.inactive_threshold = 10, .max_ack_pending = 10};
    assert_false(mg_js_consumer_violates(&c, &(struct mg_js_consumer_limits){0, 0}));
    assert_false(mg_js_consumer_violates(&c, &(struct mg_js_consumer_limits){10, 10}));
    assert_true(mg_js_consumer_violates(&c, &(struct mg_js_consumer_limits){9, 0}));
    assert_true(mg_js_consumer_violates(&c, &(struct mg_js_consumer_limits){0, 9}));
}

static void samples_percents(void **state) {
    (void)state;
    assert_int_equal(mg_js_consumer_sample_percent(&(struct mg_js_consumer_config){.sample_freq = MG_S("30%")}), 30);
    assert_int_equal(mg_js_consumer_sample_percent(&(struct mg_js_consumer_config){.sample_freq = MG_S("7")}), 7);
    assert_int_equal(mg_js_consumer_sample_percent(&(struct mg_js_consumer_config){.max_deliver = 1}), 0);
}

// What is stored is what is unusual, and that it is gone, too.
static void stores_what_is_unusual(void **state) {
    (void)state;
    static const char *const rows[] = {
        "{}",
        "{\"filter_subject\":\"a.b\"}",
        "{\"ack_policy\":\"none\",\"ack_wait\":0,\"max_deliver\":7,\"backoff\":[1,2],\"filter_subjects\":[\"a\",\"b\"],"
        "\"max_waiting\":0,\"max_ack_pending\":0,\"metadata\":{\"_nats.req.level\":\"0\",\"a\":\"b\"}}",
        "{\"metadata\":{\"_nats.req.level\":\"1\"},\"pause_until\":\"2030-01-02T03:04:05Z\","
        "\"priority_groups\":[\"g\"]}",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mg_js_consumer_config c, again;
        struct mg_buf text = MG_BUF_INIT;
        struct mg_jw w;
        assert_int_equal(mg_js_consumer_load(&c, mg_cstr(rows[i]), false), 0);
        mg_jw_init(&w, &text, 0);
        mg_js_consumer_store(&c, &w);
        mg_buf_addc(&text, '\0');
        assert_string_equal(text.p, rows[i]);
        text.len = 0;
        mg_jw_init(&w, &text, 0);
        mg_js_consumer_write(&c, &w);
        assert_int_equal(mg_js_consumer_load(&again, mg_buf_slice(&text), true), 0);
        assert_true(mg_js_consumer_equal(&c, &again));
        mg_js_consumer_fini(&c);
        mg_js_consumer_fini(&again);
        mg_buf_fini(&text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_as_the_reference),
        cmocka_unit_test(obeys_limits),
        cmocka_unit_test(refuses_long_texts),
        cmocka_unit_test(refuses_a_long_durable),
        cmocka_unit_test(moves_a_bound_deliver_subject_not),
        cmocka_unit_test(sees_violated_limits),
        cmocka_unit_test(samples_percents),
        cmocka_unit_test(stores_what_is_unusual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
