// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/client/host/live.h"

static int store(live *t, const char *subject, const char *headers, const char *data) {
    const midge_msg *reply;
    return midge_request_wait(t->c, midge_cstr(subject), midge_cstr(headers), data, strlen(data), 5000, &reply);
}

static int put(live *t, const char *subject, const char *data) {
    return store(t, subject, NULL, data);
}

static int mark(live *t, const char *subject, bool purge) {
    return store(t, subject,
                 purge ? "NATS/1.0\r\nKV-Operation: PURGE\r\nNats-Rollup: sub\r\n\r\n"
                       : "NATS/1.0\r\nKV-Operation: DEL\r\n\r\n",
                 "");
}

static int make(live *t, midge_op *op) {
    const midge_bucket_config config = {.bucket = MIDGE_STR("CFG"), .history = 10, .ttl = 3600 * MIDGE_SECOND,
                                        .description = MIDGE_STR("settings"), .max_value_size = 1024,
                                        .compression = true, .marker_ttl = 60 * MIDGE_SECOND};
    return RUN(op, midge_bucket_create(t->m, op, &config));
}

static const char *life(live *t) {
    midge_op op = {0};
    midge_bucket_status status;
    CHECK(make(t, &op) == 0);
    CHECK(make(t, &op) == 0); // equal
    CHECK(put(t, "$KV.CFG.a", "1") == 0);
    CHECK(RUN(&op, midge_bucket_info(t->m, &op, MIDGE_STR("CFG"))) == 0);
    CHECK(midge_bucket_status_of(&op.stream, &status));
    CHECK(live_is(status.bucket, "CFG") && status.history == 10 && status.ttl == 3600 * MIDGE_SECOND);
    CHECK(status.values == 1 && status.compression && status.replicas == 1);
    CHECK(status.marker_ttl == 60 * MIDGE_SECOND && op.stream.config.allow_msg_ttl);
    CHECK(op.stream.config.deny_delete && op.stream.config.allow_rollup_hdrs && op.stream.config.allow_direct);
    midge_bucket_config config = {.bucket = MIDGE_STR("CFG"), .history = 20};
    CHECK(RUN(&op, midge_bucket_create(t->m, &op, &config)) == MIDGE_EEXISTS);
    config.marker_ttl = 60 * MIDGE_SECOND; // cannot be taken back
    CHECK(RUN(&op, midge_bucket_update(t->m, &op, &config)) == 0 && op.stream.config.max_msgs_per_subject == 20);
    CHECK(RUN(&op, midge_bucket_list(t->m, &op)) == 0 && op.len == 1 && live_is(op.names[0], "CFG"));
    CHECK(midge_bucket_info(t->m, &op, MIDGE_STR("a.b")) == MIDGE_EINVAL);
    config.history = 65;
    CHECK(midge_bucket_create(t->m, &op, &config) == MIDGE_EINVAL);
    CHECK(RUN(&op, midge_bucket_delete(t->m, &op, MIDGE_STR("CFG"))) == 0);
    CHECK(RUN(&op, midge_bucket_info(t->m, &op, MIDGE_STR("CFG"))) == MIDGE_ENOTFOUND);
    midge_op_free(&op);
    return NULL;
}

static const char *keys(live *t) {
    midge_op op = {0};
    char subject[32];
    CHECK(make(t, &op) == 0);
    CHECK(RUN(&op, midge_bucket_keys(t->m, &op, MIDGE_STR("CFG"), MIDGE_NONE)) == 0 && op.len == 0);
    for (int i = 0; i < 500; i++) {
        snprintf(subject, sizeof subject, "$KV.CFG.k.%03d", i);
        CHECK(put(t, subject, "value") == 0);
    }
    CHECK(put(t, "$KV.CFG.other", "x") == 0 && mark(t, "$KV.CFG.k.007", false) == 0);
    CHECK(mark(t, "$KV.CFG.k.008", true) == 0 && put(t, "$KV.CFG.k.000", "again") == 0);
    CHECK(RUN(&op, midge_bucket_keys(t->m, &op, MIDGE_STR("CFG"), MIDGE_NONE)) == 0);
    CHECK(op.len == 499 && live_is(op.names[0], "k.000") && live_is(op.names[7], "k.009"));
    CHECK(live_is(op.names[498], "other"));
    CHECK(RUN(&op, midge_bucket_keys(t->m, &op, MIDGE_STR("CFG"), MIDGE_STR("oth*"))) == 0 && op.len == 0);
    CHECK(RUN(&op, midge_bucket_keys(t->m, &op, MIDGE_STR("CFG"), MIDGE_STR("k.*"))) == 0 && op.len == 498);
    CHECK(RUN(&op, midge_bucket_keys(t->m, &op, MIDGE_STR("NONE"), MIDGE_NONE)) == MIDGE_ENOTFOUND);
    CHECK(op.error.err_code == 10059);
    // The reader's consumers are gone again.
    CHECK(RUN(&op, midge_consumer_names(t->m, &op, MIDGE_STR("KV_CFG"))) == 0 && op.len == 0);
    CHECK(RUN(&op, midge_bucket_delete(t->m, &op, MIDGE_STR("CFG"))) == 0);
    midge_op_free(&op);
    return NULL;
}

typedef struct entries {
    int n, stop_after;
    enum midge_entry_kind kinds[16];
    char values[16][16];
    uint64_t pending[16], revisions[16];
} entries;

static bool on_entry(midge *m, midge_op *op, const midge_bucket_entry *entry) {
    entries *e = op->user;
    (void)m;
    if (e->n < 16) {
        e->kinds[e->n] = entry->kind;
        e->pending[e->n] = entry->pending;
        e->revisions[e->n] = entry->revision;
        snprintf(e->values[e->n], sizeof *e->values, "%.*s", (int)entry->value.n, entry->value.p);
    }
    e->n++;
    return e->n != e->stop_after;
}

static const char *history(live *t) {
    midge_op op = {0};
    entries e = {0};
    CHECK(make(t, &op) == 0);
    CHECK(put(t, "$KV.CFG.a", "1") == 0 && put(t, "$KV.CFG.b", "x") == 0 && put(t, "$KV.CFG.a", "2") == 0);
    CHECK(mark(t, "$KV.CFG.a", false) == 0 && put(t, "$KV.CFG.a", "3") == 0);
    op.user = &e;
    CHECK(RUN(&op, midge_bucket_history(t->m, &op, MIDGE_STR("CFG"), MIDGE_STR("a"), on_entry)) == 0);
    CHECK(e.n == 4 && strcmp(e.values[0], "1") == 0 && strcmp(e.values[1], "2") == 0 && strcmp(e.values[3], "3") == 0);
    CHECK(e.kinds[1] == MIDGE_ENTRY_PUT && e.kinds[2] == MIDGE_ENTRY_DELETE && e.pending[0] == 3 && e.pending[3] == 0);
    CHECK(e.revisions[0] == 1 && e.revisions[3] == 5);
    e = (entries){.stop_after = 2};
    CHECK(RUN(&op, midge_bucket_history(t->m, &op, MIDGE_STR("CFG"), MIDGE_NONE, on_entry)) == 0 && e.n == 2);
    e = (entries){0};
    CHECK(RUN(&op, midge_bucket_history(t->m, &op, MIDGE_STR("CFG"), MIDGE_STR("none"), on_entry)) == 0 && e.n == 0);
    CHECK(RUN(&op, midge_bucket_delete(t->m, &op, MIDGE_STR("CFG"))) == 0);
    midge_op_free(&op);
    return NULL;
}

static const char *purge_deletes(live *t) {
    midge_op op = {0};
    CHECK(make(t, &op) == 0);
    for (int i = 0; i < 3; i++) CHECK(put(t, "$KV.CFG.a", "v") == 0 && put(t, "$KV.CFG.b", "v") == 0);
    CHECK(put(t, "$KV.CFG.c", "v") == 0 && mark(t, "$KV.CFG.a", false) == 0 && mark(t, "$KV.CFG.b", false) == 0);
    CHECK(RUN(&op, midge_bucket_purge_deletes(t->m, &op, MIDGE_STR("CFG"), 0)) == 0 && op.count == 2);
    CHECK(RUN(&op, midge_bucket_info(t->m, &op, MIDGE_STR("CFG"))) == 0 && op.stream.state.messages == 3);
    CHECK(RUN(&op, midge_bucket_purge_deletes(t->m, &op, MIDGE_STR("CFG"), -1)) == 0 && op.count == 2);
    CHECK(RUN(&op, midge_bucket_info(t->m, &op, MIDGE_STR("CFG"))) == 0 && op.stream.state.messages == 1);
    CHECK(RUN(&op, midge_bucket_purge_deletes(t->m, &op, MIDGE_STR("CFG"), -1)) == 0 && op.count == 0);
    CHECK(RUN(&op, midge_bucket_delete(t->m, &op, MIDGE_STR("CFG"))) == 0);
    midge_op_free(&op);
    return NULL;
}

const live_test bucket_tests[] = {
    {"jetstream", "life of a bucket", life}, {"jetstream", "keys", keys}, {"jetstream", "history", history},
    {"jetstream", "purge of markers", purge_deletes}, {0},
};
