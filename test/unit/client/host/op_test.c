// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include <stdio.h>
#include <stdlib.h>

#include "test/unit/client/host/peer.h"

static void assert_text(midge_str s, const char *want) {
    assert_int_equal(s.n, strlen(want));
    assert_memory_equal(s.n ? s.p : "", want, s.n);
}

static peer *start(void **state) {
    peer *p = malloc(sizeof *p);
    peer_start(p, *(size_t *)*state);
    return p;
}

// A request was written to this subject with this body; then the answer.
static void exchange(peer *p, const char *subject, const char *body, const char *answer) {
    assert_true(peer_next(p));
    assert_string_equal(p->subject, subject);
    assert_string_equal(p->data, body);
    peer_answer(p, answer);
}

static void pages(void **state) {
    peer *p = start(state);
    midge_op op = {.domain = MIDGE_STR("hub")};
    assert_int_equal(midge_stream_names(&p->m, &op, MIDGE_STR("a.>")), 0);
    exchange(p, "$JS.hub.API.STREAM.NAMES", "{\"offset\":0,\"subject\":\"a.>\"}",
             "{\"total\":3,\"offset\":0,\"limit\":2,\"streams\":[\"a\",\"b\\u003e\"]}");
    assert_false(op.done);
    exchange(p, "$JS.hub.API.STREAM.NAMES", "{\"offset\":2,\"subject\":\"a.>\"}",
             "{\"total\":3,\"offset\":2,\"limit\":2,\"streams\":[\"c\"]}");
    assert_true(op.done);
    assert_int_equal(op.err, 0);
    assert_int_equal(op.len, 3);
    assert_text(op.names[1], "b>");
    assert_text(op.names[2], "c");
    assert_false(peer_next(p));
    // Nothing, in the form that the server has for it; and a total that is never reached.
    assert_int_equal(midge_stream_names(&p->m, &op, MIDGE_NONE), 0);
    exchange(p, "$JS.hub.API.STREAM.NAMES", "{\"offset\":0}", "{\"total\":0,\"streams\":null}");
    assert_true(op.done && !op.err && !op.len);
    assert_int_equal(midge_stream_names(&p->m, &op, MIDGE_NONE), 0);
    exchange(p, "$JS.hub.API.STREAM.NAMES", "{\"offset\":0}", "{\"total\":9,\"streams\":[\"a\"]}");
    exchange(p, "$JS.hub.API.STREAM.NAMES", "{\"offset\":1}", "{\"total\":9,\"streams\":[]}");
    assert_true(op.done && !op.err && op.len == 1);
    midge_op_free(&op);
    free(p);
}

static void check_error(peer *p, const char *answer, int err, int err_code, const char *description) {
    midge_op op = {0};
    assert_int_equal(midge_stream_info(&p->m, &op, MIDGE_STR("S"), NULL), 0);
    exchange(p, "$JS.API.STREAM.INFO.S", "{}", answer);
    assert_true(op.done);
    assert_int_equal(op.err, err);
    assert_int_equal(op.error.err_code, err_code);
    assert_text(op.error.description, description);
    midge_op_free(&op);
}

static void errors(void **state) {
    peer *p = start(state);
    check_error(p, "{\"error\":{\"code\":404,\"err_code\":10059,\"description\":\"stream \\\"S\\\" not found\"}}",
                MIDGE_ENOTFOUND, 10059, "stream \"S\" not found");
    check_error(p, "{\"error\":{\"code\":400,\"err_code\":10058}}", MIDGE_EEXISTS, 10058, "");
    check_error(p, "{\"error\":{\"code\":503}}", MIDGE_EJETSTREAM, 0, "");
    check_error(p, "{\"error\":null}", 0, 0, "");
    check_error(p, "{\"error\":1}", MIDGE_EPROTO, 0, "");
    check_error(p, "", MIDGE_EPROTO, 0, "");
    check_error(p, "no json", MIDGE_EPROTO, 0, "");
    check_error(p, "[]", MIDGE_EPROTO, 0, "");
    check_error(p, "{\"config\":{\"name\":\"S\"}", MIDGE_EPROTO, 0, "");
    free(p);
}

static void count_call(midge *m, midge_op *op) {
    (void)m;
    ++*(int *)op->user;
}

static void ends(void **state) {
    peer *p = start(state);
    int calls = 0;
    midge_op op = {.fn = count_call, .user = &calls, .timeout = 300};
    assert_int_equal(midge_account_info(&p->m, &op), 0);
    peer_later(p, 200);
    assert_false(op.done);
    peer_later(p, 150);
    assert_true(op.done && op.err == MIDGE_ETIMEOUT && calls == 1);
    assert_true(peer_next(p));
    peer_answer(p, "{}"); // too late
    assert_int_equal(calls, 1);
    assert_int_equal(midge_account_info(&p->m, &op), 0);
    assert_int_equal(midge_account_info(&p->m, &op), MIDGE_EINVAL);
    assert_true(peer_next(p));
    midge_op_cancel(&op);
    peer_answer(p, "{}");
    assert_true(calls == 1 && !op.done && op.timeout == 300);
    assert_int_equal(midge_account_info(&p->m, &op), 0);
    midge_close(&p->m);
    assert_true(calls == 2 && op.err == MIDGE_ECLOSED);
    assert_int_equal(midge_account_info(&p->m, &op), MIDGE_ECLOSED);
    assert_false(op.done);
    midge_op_free(&op);
    midge_op_free(&op);
    free(p);
}

// A config that was read goes back as it was, with what the struct does not know.
static void there_and_back(void **state) {
    peer *p = start(state);
    midge_op op = {0};
    assert_int_equal(midge_stream_info(&p->m, &op, MIDGE_STR("S"), NULL), 0);
    exchange(p, "$JS.API.STREAM.INFO.S", "{}",
             "{\"config\":{\"name\":\"S\",\"subjects\":[\"a.\\u003e\"],\"retention\":\"brandnew\","
             "\"storage\":\"memory\",\"max_msgs\":-1,\"max_bytes\":9007199254740993,\"sealed\":false,"
             "\"future\":{\"x\":[1]},"
             "\"metadata\":{\"k\":\"v\\n\"}},\"state\":{\"messages\":18446744073709551615,"
             "\"first_ts\":\"2026-01-02T03:04:05.5Z\",\"last_ts\":\"0001-01-01T00:00:00Z\"}}");
    assert_true(op.done && !op.err);
    assert_true(op.stream.state.messages == UINT64_MAX && op.stream.config.max_bytes == 9007199254740993);
    assert_true(op.stream.state.first_ts == 1767323045 * MIDGE_SECOND + MIDGE_SECOND / 2 && !op.stream.state.last_ts);
    assert_text(op.stream.config.extra, "\"retention\":\"brandnew\",\"future\":{\"x\":[1]}");
    assert_int_equal(midge_stream_update(&p->m, &op, &op.stream.config), 0);
    exchange(p, "$JS.API.STREAM.UPDATE.S",
             "{\"name\":\"S\",\"subjects\":[\"a.>\"],\"storage\":\"memory\",\"max_msgs\":-1,"
             "\"max_bytes\":9007199254740993,\"metadata\":{\"k\":\"v\\n\"},\"retention\":\"brandnew\","
             "\"future\":{\"x\":[1]}}",
             "{}");
    midge_op_free(&op);
    free(p);
}

static void consumer_subjects(void **state) {
    peer *p = start(state);
    midge_op op = {0};
    midge_consumer_config config = {.durable = MIDGE_STR("d"), .filter_subject = MIDGE_STR("a.b")};
    assert_int_equal(midge_consumer_create(&p->m, &op, MIDGE_STR("S"), &config, MIDGE_CONSUMER_CREATE), 0);
    exchange(p, "$JS.API.CONSUMER.CREATE.S.d.a.b",
             "{\"stream_name\":\"S\",\"action\":\"create\",\"config\":{\"durable_name\":\"d\","
             "\"ack_policy\":\"explicit\",\"filter_subject\":\"a.b\"}}",
             "{\"name\":\"d\"}");
    config.filter_subject = MIDGE_STR("a.*");
    assert_int_equal(midge_consumer_create(&p->m, &op, MIDGE_STR("S"), &config, MIDGE_CONSUMER_UPDATE), 0);
    assert_true(peer_next(p));
    assert_string_equal(p->subject, "$JS.API.CONSUMER.CREATE.S.d.a.*");
    midge_op_free(&op);
    config.durable = MIDGE_STR("a.b");
    assert_int_equal(midge_consumer_create(&p->m, &op, MIDGE_STR("S"), &config, MIDGE_CONSUMER_UPDATE), MIDGE_EINVAL);
    assert_false(peer_next(p));
    free(p);
}

// ---- the reader, by a history ---------------------------------------------------------------------------------------

typedef struct seen {
    char text[128];
} seen;

static bool on_entry(midge *m, midge_op *op, const midge_bucket_entry *e) {
    seen *s = op->user;
    size_t n = strlen(s->text);
    (void)m;
    snprintf(s->text + n, sizeof s->text - n, "%.*s=%.*s@%d ", (int)e->key.n, e->key.p, (int)e->value.n, e->value.p,
             (int)e->revision);
    return true;
}

// The consumer is asked for with these words in its config, and made; then the client pulls. `inbox`: where from.
static void consumer_made(peer *p, const char *words, const char *pending, char inbox[256]) {
    char answer[128];
    do assert_true(peer_next(p));
    while (strncmp(p->subject, "$JS.API.CONSUMER.CREATE.KV_B.", 29) != 0);
    if (!strstr(p->data, words)) fail_msg("%s without %s", p->data, words);
    snprintf(answer, sizeof answer, "{\"name\":\"c\",\"num_pending\":%s}", pending);
    peer_answer(p, answer);
    assert_true(peer_next(p));
    assert_int_equal(strncmp(p->subject, "$JS.API.CONSUMER.MSG.NEXT.KV_B.", 31), 0);
    memcpy(inbox, p->reply, 256);
}

// As the server delivers: to the inbox, with the stored subject. The engine finds the subscription by its id.
static void deliver(peer *p, const char *inbox, int seq, int consumer_seq, int pending, const char *value) {
    char line[512];
    int sid = 0;
    for (int i = 0; i < p->heard_n; i++)
        if (strcmp(p->heard[i].subject, inbox) == 0) sid = p->heard[i].sid;
    assert_true(sid > 0);
    snprintf(line, sizeof line, "MSG $KV.B.k %d $JS.ACK.KV_B.c.1.%d.%d.1700000000000000000.%d %d\r\n%s\r\n", sid, seq,
             consumer_seq, pending, (int)strlen(value), value);
    peer_say(p, line);
}

static void gap(void **state) {
    peer *p = start(state);
    seen s = {{0}};
    char inbox[256];
    midge_op op = {.user = &s};
    assert_int_equal(midge_bucket_history(&p->m, &op, MIDGE_STR("B"), MIDGE_STR("k"), on_entry), 0);
    consumer_made(p, "\"mem_storage\":true", "3", inbox);
    deliver(p, inbox, 4, 1, 2, "one");
    deliver(p, inbox, 9, 3, 0, "three"); // 2 is missing
    assert_string_equal(s.text, "k=one@4 ");
    peer_later(p, 200);
    consumer_made(p, "\"deliver_policy\":\"by_start_sequence\"", "2", inbox);
    assert_false(op.done);
    deliver(p, inbox, 7, 1, 1, "two");
    deliver(p, inbox, 9, 2, 0, "three");
    assert_string_equal(s.text, "k=one@4 k=two@7 k=three@9 ");
    assert_true(op.done && !op.err);
    midge_op_free(&op);
    free(p);
}

static void lost_connection(void **state) {
    peer *p = start(state);
    seen s = {{0}};
    char inbox[256];
    midge_op op = {.user = &s};
    assert_int_equal(midge_bucket_history(&p->m, &op, MIDGE_STR("B"), MIDGE_NONE, on_entry), 0);
    consumer_made(p, "\"ack_policy\":\"none\"", "2", inbox);
    deliver(p, inbox, 1, 1, 1, "one");
    peer_cut(p);
    peer_reconnect(p);
    peer_later(p, 200);
    consumer_made(p, "\"opt_start_seq\":2", "1", inbox);
    deliver(p, inbox, 2, 1, 0, "two");
    assert_true(op.done && !op.err);
    assert_string_equal(s.text, "k=one@1 k=two@2 ");
    midge_op_free(&op);
    free(p);
}

// Without progress it gives up; and its stream can be gone when it comes back.
static void gives_up(void **state) {
    peer *p = start(state);
    seen s = {{0}};
    char inbox[256];
    midge_op op = {.user = &s, .timeout = 100};
    assert_int_equal(midge_bucket_history(&p->m, &op, MIDGE_STR("B"), MIDGE_NONE, on_entry), 0);
    consumer_made(p, "", "2", inbox);
    deliver(p, inbox, 1, 2, 1, "x");
    peer_later(p, 60000);
    assert_true(op.done && op.err == MIDGE_ETIMEOUT);
    peer_next(p);
    while (peer_next(p)) {}
    op.timeout = 0;
    assert_int_equal(midge_bucket_history(&p->m, &op, MIDGE_STR("B"), MIDGE_NONE, on_entry), 0);
    consumer_made(p, "", "2", inbox);
    deliver(p, inbox, 1, 2, 1, "x");
    peer_later(p, 200);
    do assert_true(peer_next(p));
    while (strncmp(p->subject, "$JS.API.CONSUMER.CREATE.KV_B.", 29) != 0);
    peer_answer(p, "{\"error\":{\"code\":404,\"err_code\":10059,\"description\":\"stream not found\"}}");
    assert_true(op.done && op.err == MIDGE_ENOTFOUND);
    assert_text(op.error.description, "stream not found");
    midge_op_free(&op);
    free(p);
}

// ---- services -------------------------------------------------------------------------------------------------------

static int64_t fixed_now(void) {
    return 1700000000 * MIDGE_SECOND;
}

static void on_request(midge_service_request *request, void *user) {
    (void)user;
    midge_service_fail(request, 500, MIDGE_STR("broken"), NULL, 0);
}

static void service(void **state) {
    peer *p = start(state);
    int err;
    char want[512];
    const midge_service_config config = {.name = MIDGE_STR("s"), .version = MIDGE_STR("0.1.0"), .now = fixed_now};
    const midge_endpoint_config endpoint = {.name = MIDGE_STR("e"), .group = MIDGE_STR("g"), .fn = on_request};
    midge_service *s = midge_service_new(&p->m, &config, &err);
    assert_non_null(s);
    assert_non_null(midge_service_add(s, &endpoint, &err));
    assert_false(peer_next(p));
    assert_int_equal(p->heard_n, 10);
    peer_send(p, "g.e", "_R_", NULL, "x");
    assert_true(peer_next(p));
    assert_string_equal(p->subject, "_R_");
    assert_string_equal(p->headers, "NATS/1.0\r\nNats-Service-Error: broken\r\nNats-Service-Error-Code: 500\r\n\r\n");
    peer_send(p, "$SRV.STATS.s", "_R_", "NATS/1.0\r\nAccept-Encoding: snappy\r\n\r\n", "{}");
    assert_true(peer_next(p));
    snprintf(want, sizeof want,
             "{\"type\":\"io.nats.micro.v1.stats_response\",\"name\":\"s\",\"id\":\"%.*s\",\"version\":\"0.1.0\","
             "\"metadata\":{},\"started\":\"2023-11-14T22:13:20Z\",\"endpoints\":[{\"name\":\"e\",\"subject\":\"g.e\","
             "\"queue_group\":\"q\",\"num_requests\":1,\"num_errors\":1,\"last_error\":\"500:broken\","
             "\"processing_time\":0,\"average_processing_time\":0}]}",
             (int)midge_service_id(s).n, midge_service_id(s).p);
    assert_string_equal(p->data, want);
    peer_send(p, "$SRV.PING", "", NULL, ""); // nowhere to answer
    assert_false(peer_next(p));
    midge_service_free(s);
    free(p);
}

int main(void) {
    static size_t whole = 0, bytes = 1;
#define BOTH(test) {#test, test, NULL, NULL, &whole}, {#test " by bytes", test, NULL, NULL, &bytes}
    const struct CMUnitTest tests[] = {
        BOTH(pages), BOTH(errors),          BOTH(ends),     BOTH(there_and_back), BOTH(consumer_subjects),
        BOTH(gap),   BOTH(lost_connection), BOTH(gives_up), BOTH(service),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
