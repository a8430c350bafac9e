// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Texts as nats-server 2.15.2 answers them; where several stand in a table, in the order of the reply's enumeration.
#include "test/unit/cmocka_inc.h"

#include "jetstream/api/info.h"

#define API "io.nats.jetstream.api.v1."

static void expect(struct mg_buf *b, const char *want) {
    mg_buf_addc(b, '\0');
    assert_string_equal(b->p, want);
    mg_buf_fini(b);
}

static void errors_keep_what_is_never_omitted(void **state) {
    (void)state;
#define E "\",\"error\":{\"code\":412,\"err_code\":10185,\"description\":\"JetStream minimum api level required\"}"
#define PAGE ",\"total\":0,\"offset\":0,\"limit\":0"
    static const struct {
        enum mg_js_reply reply;
        const char *text;
    } rows[] = {
        {MG_JS_REPLY_ACCOUNT_INFO, "{\"type\":\"" API "account_info_response" E "}"},
        {MG_JS_REPLY_STREAM_CREATE, "{\"type\":\"" API "stream_create_response" E "}"},
        {MG_JS_REPLY_STREAM_NAMES, "{\"type\":\"" API "stream_names_response" E PAGE ",\"streams\":null}"},
        {MG_JS_REPLY_STREAM_LIST, "{\"type\":\"" API "stream_list_response" E PAGE ",\"streams\":[]}"},
        {MG_JS_REPLY_STREAM_INFO, "{\"type\":\"" API "stream_info_response" E PAGE "}"},
        {MG_JS_REPLY_STREAM_PURGE, "{\"type\":\"" API "stream_purge_response" E ",\"purged\":0}"},
        {MG_JS_REPLY_STREAM_RESTORE, "{\"type\":\"" API "stream_restore_response" E ",\"deliver_subject\":\"\"}"},
        {MG_JS_REPLY_CONSUMER_NAMES, "{\"type\":\"" API "consumer_names_response" E PAGE ",\"consumers\":[]}"},
        {MG_JS_REPLY_CONSUMER_LIST, "{\"type\":\"" API "consumer_list_response" E PAGE ",\"consumers\":[]}"},
        {MG_JS_REPLY_CONSUMER_PAUSE, "{\"type\":\"" API "consumer_pause_response" E
                                     ",\"paused\":false,\"pause_until\":\"0001-01-01T00:00:00Z\"}"},
        {MG_JS_REPLY_CONSUMER_RESET, "{\"type\":\"" API "consumer_reset_response" E ",\"reset_seq\":0}"},
    };
    struct mg_js_error e = {NULL, MG_BUF_INIT};
    mg_js_fail(&e, MG_JSE_REQUIRED_API_LEVEL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mg_buf out = MG_BUF_INIT;
        mg_js_reply_error(&out, rows[i].reply, &e);
        expect(&out, rows[i].text);
    }
    mg_js_error_fini(&e);
}

static void small_answers(void **state) {
    (void)state;
    struct mg_buf out = MG_BUF_INIT;
    mg_js_reply_success(&out, MG_JS_REPLY_STREAM_DELETE);
    expect(&out, "{\"type\":\"" API "stream_delete_response\",\"success\":true}");
    mg_js_reply_plain(&out, MG_JS_REPLY_CONSUMER_UNPIN);
    expect(&out, "{\"type\":\"" API "consumer_unpin_response\"}");
    mg_js_reply_purged(&out, UINT64_MAX);
    expect(&out, "{\"type\":\"" API "stream_purge_response\",\"success\":true,\"purged\":18446744073709551615}");
    mg_js_reply_pause(&out, &(struct mg_js_pause){.paused = false});
    expect(&out, "{\"type\":\"" API "consumer_pause_response\",\"paused\":false,"
                 "\"pause_until\":\"0001-01-01T00:00:00Z\"}");
    mg_js_reply_pause(&out, &(struct mg_js_pause){true, {.sec = 4070908800, .set = true}, 2275631153657855448});
    expect(&out, "{\"type\":\"" API "consumer_pause_response\",\"paused\":true,"
                 "\"pause_until\":\"2099-01-01T00:00:00Z\",\"pause_remaining\":2275631153657855448}");
    mg_js_reply_message(&out, &(struct mg_message){.subject = MG_S("s.h"),
                                                      .headers = MG_S("NATS/1.0\r\nA: b\r\n\r\n"),
                                                      .payload = MG_S("z"),
                                                      .seq = 5,
                                                      .time = 1795277646338506686});
    expect(&out, "{\"type\":\"" API "stream_msg_get_response\",\"message\":{\"subject\":\"s.h\",\"seq\":5,"
                 "\"hdrs\":\"TkFUUy8xLjANCkE6IGINCg0K\",\"data\":\"eg==\","
                 "\"time\":\"2026-11-21T16:14:06.338506686Z\"}}");
    mg_js_reply_message(&out, &(struct mg_message){.subject = MG_S("s"), .seq = 1, .time = 0});
    expect(&out, "{\"type\":\"" API "stream_msg_get_response\",\"message\":{\"subject\":\"s\",\"seq\":1,"
                 "\"time\":\"1970-01-01T00:00:00Z\"}}");
}

static void pages(void **state) {
    (void)state;
    static const struct {
        int64_t total, offset, limit, want_offset, want_count;
    } rows[] = {{0, 0, 3, 0, 0}, {5, 0, 3, 0, 3}, {5, 3, 3, 3, 2}, {5, -7, 3, 0, 3}, {5, 9, 3, 5, 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mg_js_page p = mg_js_page_at(rows[i].total, rows[i].offset, rows[i].limit);
        assert_int_equal(p.offset, rows[i].want_offset);
        assert_int_equal(mg_js_page_count(p), rows[i].want_count);
    }
    const mg_slice names[] = {MG_S("a"), MG_S("b<"), MG_S("c")};
    struct mg_buf out = MG_BUF_INIT;
    mg_js_reply_names(&out, MG_JS_REPLY_STREAM_NAMES, mg_js_page_at(3, 1, 1024), names + 1);
    expect(&out, "{\"type\":\"" API "stream_names_response\",\"total\":3,\"offset\":1,\"limit\":1024,"
                 "\"streams\":[\"b\\u003c\",\"c\"]}");
    mg_js_reply_names(&out, MG_JS_REPLY_STREAM_NAMES, mg_js_page_at(1, 7, 1024), names);
    expect(&out, "{\"type\":\"" API "stream_names_response\",\"total\":1,\"offset\":1,\"limit\":1024,"
                 "\"streams\":null}");
    mg_js_reply_names(&out, MG_JS_REPLY_CONSUMER_NAMES, mg_js_page_at(0, 0, 1024), NULL);
    expect(&out, "{\"type\":\"" API "consumer_names_response\",\"total\":0,\"offset\":0,\"limit\":1024,"
                 "\"consumers\":[]}");
}

// spec/jetstream-streams.md 12
static void publish_acks(void **state) {
    (void)state;
    struct mg_buf plain = MG_BUF_INIT, domain = MG_BUF_INIT, out = MG_BUF_INIT;
    mg_js_pub_ack_prefix(&plain, MG_S("S"), MG_S(""));
    mg_js_pub_ack_prefix(&domain, MG_S("S"), MG_S("D"));
    mg_slice p = mg_buf_slice(&plain), d = mg_buf_slice(&domain);
    const struct {
        struct mg_js_pub_ack ack;
        const char *text;
    } rows[] = {
        {{.prefix = p, .seq = 7}, "{\"stream\":\"S\",\"seq\":7}"},
        {{.prefix = p, .seq = UINT64_MAX}, "{\"stream\":\"S\",\"seq\":18446744073709551615}"},
        {{.prefix = d, .seq = 0}, "{\"stream\":\"S\",\"domain\":\"D\",\"seq\":0}"},
        {{.prefix = p, .seq = 7, .duplicate = true}, "{\"stream\":\"S\",\"seq\":7,\"duplicate\": true}"},
        {{.prefix = p, .seq = 7, .counter = MG_S("42")}, "{\"stream\":\"S\",\"seq\":7,\"val\":\"42\"}"},
        {{.prefix = p, .seq = 7, .batch = MG_S("id"), .batch_size = 3},
         "{\"stream\":\"S\",\"seq\":7,\"batch\":\"id\",\"count\":3}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        mg_js_pub_ack(&out, &rows[i].ack);
        expect(&out, rows[i].text);
    }
    struct mg_js_error e = {NULL, MG_BUF_INIT};
    mg_js_failf(&e, MG_JSE_STREAM_WRONG_LAST_SEQUENCE, "%d", 7);
    mg_js_pub_error(&out, MG_S("S"), &e);
    expect(&out, "{\"error\":{\"code\":400,\"err_code\":10071,\"description\":\"wrong last sequence: 7\"},"
                 "\"stream\":\"S\",\"seq\":0}");
    mg_js_error_fini(&e);
    mg_buf_fini(&plain);
    mg_buf_fini(&domain);
}

static void account(void **state) {
    (void)state;
    struct mg_buf out = MG_BUF_INIT;
    struct mg_js_account_info a = {.storage = 159, .streams = 1, .max_memory = -1, .max_storage = -1, .max_streams = -1,
                                   .max_consumers = -1, .max_ack_pending = -1, .memory_max_stream_bytes = -1,
                                   .storage_max_stream_bytes = -1, .api_total = 20, .api_errors = 3};
#define LIMITS                                                                                                        \
    "\"limits\":{\"max_memory\":-1,\"max_storage\":-1,\"max_streams\":-1,\"max_consumers\":-1,"                       \
    "\"max_ack_pending\":-1,\"memory_max_stream_bytes\":-1,\"storage_max_stream_bytes\":-1,"                          \
    "\"max_bytes_required\":false}"
    mg_js_reply_account(&out, &a);
    expect(&out, "{\"type\":\"" API "account_info_response\",\"memory\":0,\"storage\":159,\"reserved_memory\":0,"
                 "\"reserved_storage\":0,\"streams\":1,\"consumers\":0," LIMITS
                 ",\"api\":{\"level\":4,\"total\":20,\"errors\":3}}");
    a.domain = MG_S("D");
    a.api_inflight = 1;
    mg_js_reply_account(&out, &a);
    expect(&out, "{\"type\":\"" API "account_info_response\",\"memory\":0,\"storage\":159,\"reserved_memory\":0,"
                 "\"reserved_storage\":0,\"streams\":1,\"consumers\":0," LIMITS
                 ",\"domain\":\"D\",\"api\":{\"level\":4,\"total\":20,\"errors\":3,\"inflight\":1}}");
}

static struct mg_buf text_of(const struct mg_js_stream_config *c) {
    struct mg_buf b = MG_BUF_INIT;
    struct mg_jw w;
    mg_jw_init(&w, &b, 0);
    mg_js_stream_write(c, &w);
    return b;
}

static void streams(void **state) {
    (void)state;
    struct mg_js_subject_transform transform = {MG_S("a"), MG_S("b")};
    struct mg_js_external external = {MG_S("api"), MG_S("dlv")};
    struct mg_js_source source = {.name = MG_S("Q"), .filter_subject = MG_S("f"), .external = &external,
                                  .subject_transforms = {&transform, 1}};
    struct mg_js_error e = {NULL, MG_BUF_INIT};
    mg_js_fail(&e, MG_JSE_STREAM_NOT_FOUND);
    const struct mg_js_source_info sources[] = {{&source, 3, -1, NULL}, {&source, 0, 5, &e}};
    size_t subjects_at = 0, deleted_at = 0;
    const struct mg_js_stream_config config = {.name = MG_S("S")};
    struct mg_js_stream_info info = {
        .config = &config,
        .created = 1795277646337271514,
        .state = {.messages = 3, .bytes = 159, .first_seq = 1, .last_seq = 5, .first_time = INT64_MIN,
                  .last_time = 1795277646300000000, .num_subjects = 2, .num_deleted = 2,
                  .subjects_at = &subjects_at, .deleted_at = &deleted_at, .consumers = 1},
        .domain = MG_S("D"),
        .leader = MG_S("me"),
        .mirror = &sources[0],
        .sources = sources,
        .nsources = 2,
        .now = 1795277646000000000,
    };
    struct mg_buf out = MG_BUF_INIT, plain = text_of(&config), want = MG_BUF_INIT;
    struct mg_jw w;
    mg_js_reply_begin(&w, &out, MG_JS_REPLY_STREAM_UPDATE);
    mg_js_write_stream_info(&w, &info);
    mg_js_reply_end(&w);
    mg_buf_addf(&want, "{\"type\":\"" API "stream_update_response\",\"config\":%.*s,", (int)plain.len, plain.p);
#define SOURCE                                                                                                        \
    "\"filter_subject\":\"f\",\"subject_transforms\":[{\"src\":\"a\",\"dest\":\"b\"}]}"
#define NAMED "{\"name\":\"Q\",\"external\":{\"api\":\"api\",\"deliver\":\"dlv\"},"
    mg_buf_adds(&want, "\"created\":\"2026-11-21T16:14:06.337271514Z\",\"state\":{\"messages\":3,\"bytes\":159,"
                       "\"first_seq\":1,\"first_ts\":\"0001-01-01T00:00:00Z\",\"last_seq\":5,"
                       "\"last_ts\":\"2026-11-21T16:14:06.3Z\",\"num_subjects\":2,"
                       "\"subjects\":,\"num_deleted\":2,\"deleted\":,\"consumer_count\":1},"
                       "\"domain\":\"D\",\"cluster\":{\"leader\":\"me\"},"
                       "\"mirror\":" NAMED "\"lag\":3,\"active\":-1," SOURCE ",\"sources\":[" NAMED
                       "\"lag\":3,\"active\":-1," SOURCE "," NAMED "\"lag\":0,\"active\":5,\"error\":{\"code\":404,"
                       "\"err_code\":10059,\"description\":\"stream not found\"}," SOURCE
                       "],\"ts\":\"2026-11-21T16:14:06Z\"}");
    mg_buf_addc(&want, '\0');
    expect(&out, want.p);
    mg_buf_fini(&want);
    mg_buf_fini(&plain);
    mg_js_error_fini(&e);
}

static void consumers(void **state) {
    (void)state;
    mg_slice group = MG_S("g");
    const struct mg_js_consumer_config config = {.durable_name = MG_S("c"), .priority_groups = {&group, 1}};
    struct mg_js_consumer_info info = {
        .stream = MG_S("S"), .name = MG_S("c"), .created = 0, .config = &config, .version = "V",
        .delivered = {3, 4, 1000000000}, .ack_floor = {1, 2, INT64_MIN}, .num_pending = 4, .now = 5000000000,
    };
    struct mg_buf out = MG_BUF_INIT;
    struct mg_jw w;
#define HEAD                                                                                                          \
    "{\"type\":\"" API "consumer_info_response\",\"stream_name\":\"S\",\"name\":\"c\","                               \
    "\"created\":\"1970-01-01T00:00:00Z\",\"config\":{\"durable_name\":\"c\",\"deliver_policy\":\"all\","             \
    "\"ack_policy\":\"none\",\"replay_policy\":\"instant\",\"num_replicas\":0,"
#define COUNTS                                                                                                        \
    "\"priority_groups\":[\"g\"]},\"delivered\":{\"consumer_seq\":3,\"stream_seq\":4,"                                \
    "\"last_active\":\"1970-01-01T00:00:01Z\"},\"ack_floor\":{\"consumer_seq\":1,\"stream_seq\":2},"                  \
    "\"num_ack_pending\":0,\"num_redelivered\":0,\"num_waiting\":0,\"num_pending\":4,"
    mg_js_reply_begin(&w, &out, MG_JS_REPLY_CONSUMER_INFO);
    mg_js_write_consumer_info(&w, &info);
    mg_js_reply_end(&w);
    expect(&out, HEAD "\"metadata\":{\"_nats.level\":\"4\",\"_nats.ver\":\"V\"}," COUNTS
                      "\"ts\":\"1970-01-01T00:00:05Z\",\"priority_groups\":[{\"group\":\"g\","
                      "\"pinned_ts\":\"0001-01-01T00:00:00Z\"}]}");
    info.version = NULL;
    info.push_bound = info.paused = true;
    info.pause_remaining = 9;
    info.pinned_client = MG_S("id");
    info.pinned_time = 0;
    mg_js_reply_begin(&w, &out, MG_JS_REPLY_CONSUMER_INFO);
    mg_js_write_consumer_info(&w, &info);
    mg_js_reply_end(&w);
    expect(&out, HEAD COUNTS "\"push_bound\":true,\"paused\":true,\"pause_remaining\":9,"
                             "\"ts\":\"1970-01-01T00:00:05Z\",\"priority_groups\":[{\"group\":\"g\","
                             "\"pinned_client_id\":\"id\",\"pinned_ts\":\"1970-01-01T00:00:00Z\"}]}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_keep_what_is_never_omitted),
        cmocka_unit_test(small_answers),
        cmocka_unit_test(pages),
        cmocka_unit_test(publish_acks),
        cmocka_unit_test(account),
        cmocka_unit_test(streams),
        cmocka_unit_test(consumers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
