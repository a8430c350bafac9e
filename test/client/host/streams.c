// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/client/host/live.h"

#include <stdlib.h>

static const midge_str subjects[] = {{"orders.*", 8}, {"returns.>", 9}};
static const midge_pair metadata[] = {{{"team", 4}, {"a<b", 3}}};

static int make(live *t, midge_op *op, midge_str name) {
    const midge_stream_config config = {
        .name = name, .subjects = subjects, .subjects_len = 2, .description = MIDGE_STR("all \"orders\""),
        .max_age = 3600 * MIDGE_SECOND, .max_msgs_per_subject = 5, .allow_direct = true, .metadata = metadata,
        .metadata_len = 1, .discard = MIDGE_DISCARD_NEW, .compression = MIDGE_COMPRESS_S2,
        .extra = MIDGE_STR("\"allow_msg_counter\":false"), .consumer_limits = MIDGE_STR("{\"max_ack_pending\":500}")};
    return RUN(op, midge_stream_create(t->m, op, &config));
}

static int drop(live *t, midge_op *op, midge_str name) {
    int err = RUN(op, midge_stream_delete(t->m, op, name));
    midge_op_free(op);
    return err;
}

static int publish(live *t, const char *subject, const char *data) {
    const midge_msg *reply;
    return midge_request_wait(t->c, midge_cstr(subject), MIDGE_NONE, data, strlen(data), 5000, &reply);
}

static const char *life(live *t) {
    midge_op op = {0};
    CHECK(make(t, &op, MIDGE_STR("ORDERS")) == 0);
    CHECK(op.stream.did_create && live_is(op.stream.config.name, "ORDERS"));
    CHECK(make(t, &op, MIDGE_STR("ORDERS")) == 0); // equal: fine
    CHECK(op.stream.config.subjects_len == 2 && live_is(op.stream.config.subjects[1], "returns.>"));
    CHECK(op.stream.config.retention == MIDGE_RETAIN_LIMITS && op.stream.config.discard == MIDGE_DISCARD_NEW);
    CHECK(op.stream.config.compression == MIDGE_COMPRESS_S2 && op.stream.config.max_msgs == -1);
    CHECK(op.stream.config.max_age == 3600 * MIDGE_SECOND && live_is(op.stream.config.description, "all \"orders\""));
    CHECK(op.stream.created > 1700000000 * MIDGE_SECOND && op.stream.config.allow_direct);
    CHECK(midge_stream_info(t->m, &op, op.stream.config.name, NULL) == 0 && live_wait(t, &op) == 0); // own slice
    CHECK(op.stream.state.messages == 0 && op.stream.state.first_ts == 0);
    // Read, changed, sent back: nothing is lost on the way.
    op.stream.config.max_msgs = 1000;
    CHECK(RUN(&op, midge_stream_update(t->m, &op, &op.stream.config)) == 0);
    CHECK(op.stream.config.max_msgs == 1000 && op.stream.config.max_msgs_per_subject == 5);
    CHECK(op.stream.config.metadata_len >= 1);
    CHECK(live_is(op.stream.config.consumer_limits, "{\"max_ack_pending\":500}"));
    midge_stream_config other = {.name = MIDGE_STR("ORDERS"), .subjects = subjects, .subjects_len = 1};
    midge_op second = {0};
    CHECK(RUN(&second, midge_stream_create(t->m, &second, &other)) == MIDGE_EEXISTS);
    CHECK(second.error.err_code == 10058 && second.error.description.n > 0);
    midge_op_free(&second);
    CHECK(drop(t, &op, MIDGE_STR("ORDERS")) == 0);
    CHECK(RUN(&op, midge_stream_info(t->m, &op, MIDGE_STR("ORDERS"), NULL)) == MIDGE_ENOTFOUND);
    CHECK(op.error.code == 404 && op.error.err_code == 10059 && live_is(op.error.description, "stream not found"));
    midge_op_free(&op);
    return NULL;
}

static const char *messages(live *t) {
    midge_op op = {0};
    CHECK(make(t, &op, MIDGE_STR("ORDERS")) == 0);
    CHECK(publish(t, "orders.1", "first") == 0 && publish(t, "orders.2", "second") == 0);
    CHECK(publish(t, "orders.1", "third") == 0 && publish(t, "returns.a.b", "") == 0);
    const midge_stream_info_opts opts = {.subjects_filter = MIDGE_STR("orders.>")};
    CHECK(RUN(&op, midge_stream_info(t->m, &op, MIDGE_STR("ORDERS"), &opts)) == 0);
    CHECK(op.stream.state.messages == 4 && op.stream.state.last_seq == 4 && op.stream.total == 2);
    CHECK(op.stream.state.num_subjects == 3 && op.stream.state.subjects.n > 0);
    CHECK(RUN(&op, midge_stream_msg_get(t->m, &op, MIDGE_STR("ORDERS"), &(midge_msg_get_opts){.seq = 2})) == 0);
    CHECK(live_is(op.msg.subject, "orders.2") && live_is(op.msg.data, "second") && op.msg.seq == 2 && op.msg.time > 0);
    CHECK(RUN(&op, midge_stream_msg_get(t->m, &op, MIDGE_STR("ORDERS"),
                                        &(midge_msg_get_opts){.last_by_subject = MIDGE_STR("orders.*")})) == 0);
    CHECK(op.msg.seq == 3 && live_is(op.msg.data, "third"));
    const midge_msg_get_opts next = {.seq = 2, .next_by_subject = MIDGE_STR("orders.1")};
    CHECK(RUN(&op, midge_stream_msg_get(t->m, &op, MIDGE_STR("ORDERS"), &next)) == 0);
    CHECK(op.msg.seq == 3);
    CHECK(RUN(&op, midge_stream_msg_delete(t->m, &op, MIDGE_STR("ORDERS"), 2, false)) == 0);
    CHECK(RUN(&op, midge_stream_msg_get(t->m, &op, MIDGE_STR("ORDERS"), &(midge_msg_get_opts){.seq = 2})) ==
          MIDGE_ENOTFOUND);
    CHECK(op.error.err_code == 10037);
    CHECK(RUN(&op, midge_stream_info(t->m, &op, MIDGE_STR("ORDERS"),
                                     &(midge_stream_info_opts){.deleted_details = true})) == 0);
    CHECK(op.stream.state.num_deleted == 1 && live_is(op.stream.state.deleted, "[2]"));
    CHECK(RUN(&op, midge_stream_purge(t->m, &op, MIDGE_STR("ORDERS"),
                                      &(midge_purge_opts){.filter = MIDGE_STR("orders.1"), .keep = 1})) == 0);
    CHECK(op.count == 1);
    CHECK(RUN(&op, midge_stream_purge(t->m, &op, MIDGE_STR("ORDERS"), NULL)) == 0 && op.count == 2);
    CHECK(drop(t, &op, MIDGE_STR("ORDERS")) == 0);
    return NULL;
}

// More streams than a page of STREAM.LIST has.
static const char *lists(live *t) {
    enum { COUNT = 300 };
    static char names[COUNT][16], topics[COUNT][16];
    midge_op op = {0};
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof *names, "S%03d", i);
        snprintf(topics[i], sizeof *topics, "topic.%d", i);
        midge_str subject = midge_cstr(topics[i]);
        const midge_stream_config config = {.name = midge_cstr(names[i]), .subjects = &subject, .subjects_len = 1,
                                            .storage = MIDGE_STORE_MEMORY};
        CHECK(RUN(&op, midge_stream_create(t->m, &op, &config)) == 0);
    }
    CHECK(RUN(&op, midge_stream_names(t->m, &op, MIDGE_NONE)) == 0);
    CHECK(op.len == COUNT && live_is(op.names[0], "S000") && live_is(op.names[COUNT - 1], "S299"));
    CHECK(RUN(&op, midge_stream_list(t->m, &op, MIDGE_NONE)) == 0 && op.len == COUNT);
    for (int i = 0; i < COUNT; i++) CHECK(live_is(op.streams[i].config.name, names[i]));
    CHECK(op.streams[299].config.storage == MIDGE_STORE_MEMORY);
    CHECK(RUN(&op, midge_stream_names(t->m, &op, MIDGE_STR("topic.7"))) == 0);
    CHECK(op.len == 1 && live_is(op.names[0], "S007"));
    CHECK(RUN(&op, midge_stream_names(t->m, &op, MIDGE_STR("nothing"))) == 0 && op.len == 0);
    for (int i = 0; i < COUNT; i++) CHECK(drop(t, &op, midge_cstr(names[i])) == 0);
    return NULL;
}

// A name that was made up comes before or behind it.
static bool has_worker(const midge_op *op) {
    for (size_t i = 0; i < op->len; i++)
        if (live_is(op->consumers[i].name, "worker")) return op->consumers[i].config.max_deliver == 7;
    return false;
}

static const char *consumers(live *t) {
    static const int64_t backoff[] = {MIDGE_SECOND, 5 * MIDGE_SECOND};
    static const midge_str filters[] = {{"orders.1", 8}, {"returns.>", 9}};
    midge_op op = {0};
    CHECK(make(t, &op, MIDGE_STR("ORDERS")) == 0);
    CHECK(publish(t, "orders.1", "first") == 0 && publish(t, "orders.2", "second") == 0);
    midge_consumer_config config = {.durable = MIDGE_STR("worker"), .max_deliver = 5, .backoff = backoff,
                                    .backoff_len = 2, .filter_subjects = filters, .filter_subjects_len = 2,
                                    .metadata = metadata, .metadata_len = 1, .max_ack_pending = 50};
    CHECK(RUN(&op, midge_consumer_create(t->m, &op, MIDGE_STR("ORDERS"), &config, MIDGE_CONSUMER_CREATE)) == 0);
    CHECK(live_is(op.consumer.name, "worker") && live_is(op.consumer.stream_name, "ORDERS"));
    CHECK(op.consumer.num_pending == 1 && op.consumer.config.ack_policy == MIDGE_ACK_EXPLICIT);
    CHECK(op.consumer.config.backoff_len == 2 && op.consumer.config.backoff[1] == 5 * MIDGE_SECOND);
    CHECK(op.consumer.config.filter_subjects_len == 2 && op.consumer.config.ack_wait == MIDGE_SECOND);
    config.max_deliver = 7;
    CHECK(RUN(&op, midge_consumer_create(t->m, &op, MIDGE_STR("ORDERS"), &config, MIDGE_CONSUMER_CREATE)) ==
          MIDGE_EEXISTS);
    CHECK(RUN(&op, midge_consumer_create(t->m, &op, MIDGE_STR("ORDERS"), &config, MIDGE_CONSUMER_UPDATE)) == 0);
    CHECK(op.consumer.config.max_deliver == 7);
    // What an info says can be sent back.
    CHECK(RUN(&op, midge_consumer_create(t->m, &op, op.consumer.stream_name, &op.consumer.config,
                                         MIDGE_CONSUMER_CREATE_OR_UPDATE)) == 0);
    const midge_consumer_config start = {.name = MIDGE_STR("late"), .filter_subject = MIDGE_STR("orders.>"),
                                         .deliver_policy = MIDGE_DELIVER_BY_START_TIME,
                                         .opt_start_time = 1800000000 * MIDGE_SECOND + 5, .ack_policy = MIDGE_ACK_NONE};
    CHECK(RUN(&op, midge_consumer_create(t->m, &op, MIDGE_STR("ORDERS"), &start, MIDGE_CONSUMER_CREATE)) == 0);
    CHECK(op.consumer.config.opt_start_time == start.opt_start_time);
    CHECK(RUN(&op, midge_consumer_create(t->m, &op, MIDGE_STR("ORDERS"), &(midge_consumer_config){0},
                                         MIDGE_CONSUMER_CREATE_OR_UPDATE)) == 0);
    CHECK(op.consumer.name.n == 22);
    CHECK(RUN(&op, midge_consumer_info(t->m, &op, MIDGE_STR("ORDERS"), MIDGE_STR("worker"))) == 0);
    CHECK(op.consumer.num_waiting == 0 && op.consumer.delivered.stream_seq == 0);
    CHECK(RUN(&op, midge_consumer_names(t->m, &op, MIDGE_STR("ORDERS"))) == 0 && op.len == 3);
    CHECK(RUN(&op, midge_consumer_list(t->m, &op, MIDGE_STR("ORDERS"))) == 0 && op.len == 3);
    CHECK(has_worker(&op));
    CHECK(RUN(&op, midge_consumer_pause(t->m, &op, MIDGE_STR("ORDERS"), MIDGE_STR("worker"),
                                        4000000000 * MIDGE_SECOND)) == 0);
    CHECK(op.consumer.paused && op.consumer.pause_remaining > 0);
    CHECK(RUN(&op, midge_consumer_pause(t->m, &op, MIDGE_STR("ORDERS"), MIDGE_STR("worker"), 0)) == 0);
    CHECK(!op.consumer.paused);
    CHECK(RUN(&op, midge_consumer_delete(t->m, &op, MIDGE_STR("ORDERS"), MIDGE_STR("worker"))) == 0);
    CHECK(RUN(&op, midge_consumer_info(t->m, &op, MIDGE_STR("ORDERS"), MIDGE_STR("worker"))) == MIDGE_ENOTFOUND);
    CHECK(op.error.err_code == 10014);
    CHECK(drop(t, &op, MIDGE_STR("ORDERS")) == 0);
    return NULL;
}

static bool called;
static void on_done(midge *m, midge_op *op) {
    (void)m;
    called = op->user == &called && op->done;
    midge_op_free(op);
}

static const char *account(live *t) {
    midge_op op = {0};
    CHECK(RUN(&op, midge_account_info(t->m, &op)) == 0);
    CHECK(op.account.streams == 0 && op.account.api_level >= 1 && op.account.limits.max_streams == -1);
    CHECK(RUN(&op, midge_api_request(t->m, &op, MIDGE_STR("STREAM.INFO.NONE"), MIDGE_NONE)) == MIDGE_ENOTFOUND);
    CHECK(op.json.n > 0);
    midge_op_free(&op);
    op.domain = MIDGE_STR("nowhere");
    CHECK(RUN(&op, midge_account_info(t->m, &op)) == MIDGE_ENORESPONDERS);
    midge_op_free(&op);
    op = (midge_op){.fn = on_done, .user = &called, .prefix = MIDGE_STR("$JS.API")};
    CHECK(midge_account_info(t->m, &op) == 0);
    CHECK(midge_account_info(t->m, &op) == MIDGE_EINVAL); // it runs
    CHECK(midge_wait(t->c, &called, 5000) == 0);
    CHECK(midge_stream_info(t->m, &op, MIDGE_STR("a.b"), NULL) == MIDGE_EINVAL);
    CHECK(midge_stream_info(t->m, &op, MIDGE_NONE, NULL) == MIDGE_EINVAL);
    called = false;
    CHECK(midge_account_info(t->m, &op) == 0);
    midge_op_cancel(&op);
    CHECK(midge_flush_wait(t->c, 5000) == 0 && !called);
    return NULL;
}

const live_test stream_tests[] = {
    {"jetstream", "life of a stream", life},   {"jetstream", "messages", messages},
    {"jetstream", "lists of pages", lists},    {"jetstream", "consumers", consumers},
    {"jetstream", "account and ops", account}, {0},
};
