// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// JetStream and key-value of the core against a server that has both. The stream S takes "s.>", the consumer "c" of it
// is durable; the bucket is "b".
#include "test/client/scenario.h"

static char text[700];
static midge_js js;
static midge_kv kv = {.js = &js, .bucket = {"b", 1}};

static midge_conn *connect_js(void) {
    midge_options o = options_of_args();
    midge_conn *c = connect_or_fail(&o);
    js = (midge_js){.m = midge_engine(c), .buf = text, .size = sizeof text};
    return c;
}

// ---- publish and get

struct answer {
    bool done;
    int err;
    uint64_t seq;
    bool duplicate;
    char value[64];
    enum midge_kv_operation operation;
};

static void on_ack(midge_js *j, int err, const midge_js_reply *reply, void *user) {
    (void)j;
    *(struct answer *)user = (struct answer){.done = true, .err = err, .seq = reply ? reply->seq : 0,
                                             .duplicate = reply && reply->duplicate};
}

static struct answer publish(midge_conn *c, midge_js_pub *op) {
    struct answer a = {0};
    int rc = midge_js_publish(&js, op, on_ack, &a);
    CHECK(rc == 0, "publish: %s", midge_strerror(rc));
    CHECK(midge_wait(c, &a.done, LIMIT_MS) == 0, "no acknowledgement");
    return a;
}

static void on_stored(midge_js_get *op, int err, const midge_js_stored *msg, void *user) {
    struct answer *a = user;
    (void)op;
    *a = (struct answer){.done = true, .err = err};
    if (!msg) return;
    a->seq = msg->seq;
    snprintf(a->value, sizeof a->value, "%.*s", (int)msg->data.n, msg->data.p);
    // Made within the last minutes.
    CHECK(msg->time / 1000000000 > 1700000000 && msg->subject.n == 3, "what the server says of the message");
}

static struct answer get(midge_conn *c, midge_js_get *op) {
    struct answer a = {0};
    CHECK(midge_js_get_msg(&js, op, on_stored, &a) == 0, "get");
    CHECK(midge_wait(c, &a.done, LIMIT_MS) == 0, "no answer");
    return a;
}

static void run_publish(void) {
    midge_conn *c = connect_js();
    midge_js_pub op = {.subject = MIDGE_STR("s.a"), .data = "one", .len = 3, .msg_id = MIDGE_STR("id1"),
                       .expect_stream = MIDGE_STR("S")};
    struct answer a = publish(c, &op);
    CHECK(a.err == 0 && a.seq == 1 && !a.duplicate, "the first: %s", midge_strerror(a.err));
    a = publish(c, &op);
    CHECK(a.err == 0 && a.seq == 1 && a.duplicate, "the same again");
    midge_js_pub wrong = {.subject = MIDGE_STR("s.a"), .expect = MIDGE_JS_LAST_SEQ, .expect_last_seq = 7};
    CHECK(publish(c, &wrong).err == MIDGE_EEXISTS, "a wrong last sequence");
    wrong.expect_last_seq = 1;
    wrong.expect_last_msg_id = MIDGE_STR("id2");
    CHECK(publish(c, &wrong).err == MIDGE_EEXISTS, "a wrong last id");
    wrong.expect_last_msg_id = MIDGE_NONE;
    wrong.expect_stream = MIDGE_STR("T");
    CHECK(publish(c, &wrong).err == MIDGE_EJETSTREAM, "a wrong stream");
    midge_js_pub nowhere = {.subject = MIDGE_STR("nowhere"), .retry_wait = 10};
    CHECK(publish(c, &nowhere).err == MIDGE_ENORESPONDERS, "no stream");
    midge_js_get by = {.stream = MIDGE_STR("S"), .subject = MIDGE_STR("s.a")};
    a = get(c, &by);
    CHECK(a.err == 0 && a.seq == 1 && strcmp(a.value, "one") == 0, "the last: %s", midge_strerror(a.err));
    by.seq = 1;
    CHECK(get(c, &by).seq == 1, "by sequence");
    by.seq = 2;
    CHECK(get(c, &by).err == MIDGE_ENOTFOUND, "one that is not there");
    by.stream = MIDGE_STR("T");
    CHECK(get(c, &by).err == MIDGE_ENORESPONDERS, "from no stream");
    midge_conn_free(c);
}

// ---- pull

struct pulled {
    unsigned count, again, notices;
    bool ended;
    int err;
    uint64_t last;
    bool refuse; // the first time of each third message
};

static void on_pull(midge_js_pull *pull, const midge_msg *msg, int err, midge_str why, void *user) {
    struct pulled *p = user;
    midge_js_meta meta;
    (void)why;
    if (!msg) {
        p->notices++;
        p->err = err;
        p->ended = !pull->active;
        return;
    }
    CHECK(midge_js_meta_parse(msg->reply, &meta) == 0 && meta.stream.n == 1, "meta");
    if (p->refuse && meta.delivered == 1 && meta.stream_seq % 3 == 0) {
        CHECK(midge_js_nak(js.m, msg->reply, meta.stream_seq % 2 == 0 ? 50 : 0) == 0, "nak");
        return;
    }
    if (meta.delivered > 1) p->again++;
    p->count++;
    p->last = meta.stream_seq;
    CHECK(midge_js_ack(js.m, msg->reply) == 0, "ack");
}

static void fill(midge_conn *c, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        int rc = midge_publish_wait(c, MIDGE_STR("s.a"), MIDGE_NONE, MIDGE_NONE, "0123456789", 10, LIMIT_MS);
        CHECK(rc == 0, "publish: %s", midge_strerror(rc));
    }
    CHECK(midge_flush_wait(c, LIMIT_MS) == 0, "flush");
}

static void run_fetch(void) {
    midge_conn *c = connect_js();
    midge_js_pull pull = {.stream = MIDGE_STR("S"), .consumer = MIDGE_STR("c"), .batch = 7, .no_wait = true};
    struct pulled p = {0};
    CHECK(midge_js_fetch(&js, &pull, on_pull, &p) == 0, "fetch");
    UNTIL(c, p.ended);
    CHECK(p.count == 0 && p.err == 0, "an empty stream");
    fill(c, 10);
    pull.no_wait = false;
    pull.expires = 400;
    for (unsigned i = 7; i <= 14; i += 7) {
        p.ended = false;
        CHECK(midge_js_fetch(&js, &pull, on_pull, &p) == 0, "fetch");
        UNTIL(c, p.ended);
        CHECK(p.err == 0 && p.count == (i == 7 ? 7 : 10), "%u of a batch: %s", p.count, midge_strerror(p.err));
    }
    pull.consumer = MIDGE_STR("nobody");
    p.ended = false;
    CHECK(midge_js_fetch(&js, &pull, on_pull, &p) == 0, "fetch");
    UNTIL(c, p.ended);
    CHECK(p.err == MIDGE_ENORESPONDERS, "no such consumer");
    midge_conn_free(c);
}

static void on_sync(midge *m, int err, const midge_msg *msg, void *user) {
    (void)m;
    *(struct answer *)user = (struct answer){.done = true, .err = err};
    CHECK(err != 0 || msg->data.n == 0, "an acknowledged acknowledgement");
}

static void on_last(midge_js_pull *pull, const midge_msg *msg, int err, midge_str why, void *user) {
    (void)pull, (void)err, (void)why;
    if (msg) CHECK(midge_js_ack_sync(&js, msg->reply, on_sync, user) > 0, "ack sync");
}

// Overlapping pulls by messages and by bytes, redelivery, the server killed in between.
static void run_consume(void) {
    midge_conn *c = connect_js();
    struct pulled p = {.refuse = true};
    midge_js_pull pull = {.stream = MIDGE_STR("S"), .consumer = MIDGE_STR("c"), .batch = 20, .expires = 2000};
    fill(c, 300);
    CHECK(midge_js_consume(&js, &pull, on_pull, &p) == 0, "consume");
    UNTIL(c, p.count >= 300);
    CHECK(p.count == 300 && p.again == 100, "%u messages, %u of them again", p.count, p.again);
    at("restart");
    UNTIL(c, p.notices > 0 && midge_state_of(js.m) == MIDGE_STATE_CONNECTED);
    p.refuse = false;
    fill(c, 100);
    UNTIL(c, p.count >= 400);
    midge_js_stop(&pull);
    pull.max_bytes = 300;
    pull.batch = 50;
    CHECK(midge_js_consume(&js, &pull, on_pull, &p) == 0, "consume by bytes");
    fill(c, 200);
    UNTIL(c, p.count >= 600);
    midge_js_stop(&pull);
    struct answer a = {0};
    midge_js_pull last = {.stream = MIDGE_STR("S"), .consumer = MIDGE_STR("c"), .batch = 1};
    fill(c, 1);
    CHECK(midge_js_fetch(&js, &last, on_last, &a) == 0, "fetch");
    CHECK(midge_wait(c, &a.done, LIMIT_MS) == 0 && a.err == 0, "ack sync");
    midge_conn_free(c);
}

// ---- key-value

static void on_write(const midge_kv *k, int err, uint64_t revision, void *user) {
    (void)k;
    *(struct answer *)user = (struct answer){.done = true, .err = err, .seq = revision};
}

typedef int (*write_fn)(const midge_kv *kv, midge_kv_write *op, midge_kv_write_fn fn, void *user);

static uint64_t write_key(midge_conn *c, write_fn fn, const char *key, const char *value, uint64_t revision, int err) {
    struct answer a = {0};
    midge_kv_write op = {.key = midge_cstr(key), .value = value, .len = strlen(value), .revision = revision};
    CHECK(fn(&kv, &op, on_write, &a) == 0, "write %s", key);
    CHECK(midge_wait(c, &a.done, LIMIT_MS) == 0, "no answer");
    CHECK(a.err == err, "%s=%s: %s", key, value, midge_strerror(a.err));
    return a.seq;
}

static void on_entry(const midge_kv *k, int err, const midge_kv_entry *entry, void *user) {
    struct answer *a = user;
    (void)k;
    *a = (struct answer){.done = true, .err = err};
    if (!entry) return;
    a->operation = entry->operation;
    a->seq = entry->revision;
    snprintf(a->value, sizeof a->value, "%.*s", (int)entry->value.n, entry->value.p);
}

static struct answer read_key(midge_conn *c, const char *key, uint64_t revision) {
    struct answer a = {0};
    midge_kv_get_op op = {.key = midge_cstr(key), .revision = revision};
    CHECK(midge_kv_get(&kv, &op, on_entry, &a) == 0, "get %s", key);
    CHECK(midge_wait(c, &a.done, LIMIT_MS) == 0, "no answer");
    return a;
}

static void run_keys(void) {
    midge_conn *c = connect_js();
    CHECK(read_key(c, "k", 0).err == MIDGE_ENOTFOUND, "no key");
    uint64_t first = write_key(c, midge_kv_create, "k", "1", 0, 0);
    write_key(c, midge_kv_create, "k", "2", 0, MIDGE_EEXISTS);
    write_key(c, midge_kv_update, "k", "2", first + 1, MIDGE_EEXISTS);
    uint64_t second = write_key(c, midge_kv_update, "k", "2", first, 0);
    struct answer a = read_key(c, "k", 0);
    CHECK(a.err == 0 && a.seq == second && strcmp(a.value, "2") == 0, "the value");
    a = read_key(c, "k", first);
    CHECK(a.err == 0 && a.seq == first && strcmp(a.value, "1") == 0, "the old value");
    CHECK(read_key(c, "other", first).err == MIDGE_ENOTFOUND, "a revision of another key");
    write_key(c, midge_kv_delete, "k", "", first, MIDGE_EEXISTS);
    write_key(c, midge_kv_delete, "k", "", second, 0);
    a = read_key(c, "k", 0);
    CHECK(a.err == MIDGE_ENOTFOUND && a.operation == MIDGE_KV_DELETE, "deleted");
    write_key(c, midge_kv_create, "k", "3", 0, 0); // over the marker
    write_key(c, midge_kv_purge, "k", "", 0, 0);
    a = read_key(c, "k", 0);
    CHECK(a.err == MIDGE_ENOTFOUND && a.operation == MIDGE_KV_PURGE, "purged");
    CHECK(read_key(c, "k", first).err == MIDGE_ENOTFOUND, "the history is gone");
    midge_conn_free(c);
}

struct watched {
    char log[400];
    unsigned notices;
};

static void on_watch(midge_kv_watch *w, const midge_kv_entry *entry, int err, void *user) {
    struct watched *seen = user;
    size_t n = strlen(seen->log);
    if (err != 0) {
        CHECK(w->active, "the watch ended: %s", midge_strerror(err));
        seen->notices++;
    } else if (!entry) {
        snprintf(seen->log + n, sizeof seen->log - n, "|");
    } else {
        snprintf(seen->log + n, sizeof seen->log - n, "%.*s%c%.*s ", (int)entry->key.n, entry->key.p,
                 "=-~"[entry->operation], (int)entry->value.n, entry->value.p);
    }
}

static void check_watch(midge_conn *c, struct watched *w, const char *want) {
    UNTIL(c, strlen(w->log) >= strlen(want));
    CHECK(strcmp(w->log, want) == 0, "`%s` is not `%s`", w->log, want);
}

static void run_watch(void) {
    midge_conn *c = connect_js();
    struct watched last = {0}, all = {0}, news = {0}, names = {0}, since = {0}, none = {0};
    write_key(c, midge_kv_put, "a.x", "1", 0, 0);
    write_key(c, midge_kv_put, "a.x", "2", 0, 0);
    uint64_t at_y = write_key(c, midge_kv_put, "a.y", "3", 0, 0);
    write_key(c, midge_kv_put, "b", "4", 0, 0);
    write_key(c, midge_kv_delete, "b", "", 0, 0);
    midge_kv_watch watches[] = {{.pattern = MIDGE_STR("a.*")},
                                {.history = true},
                                {.updates_only = true},
                                {.meta_only = true, .ignore_deletes = true},
                                {.from_revision = at_y, .pattern = MIDGE_STR("a.>")},
                                {.pattern = MIDGE_STR("none")}};
    struct watched *seen[] = {&last, &all, &news, &names, &since, &none};
    for (size_t i = 0; i < 6; i++) CHECK(midge_kv_watch_start(&kv, &watches[i], on_watch, seen[i]) == 0, "watch");
    check_watch(c, &last, "a.x=2 a.y=3 |");
    check_watch(c, &all, "a.x=1 a.x=2 a.y=3 b=4 b- |");
    check_watch(c, &news, "|");
    check_watch(c, &names, "a.x= a.y= |");
    check_watch(c, &since, "a.y=3 |");
    check_watch(c, &none, "|");
    write_key(c, midge_kv_put, "a.z", "5", 0, 0);
    check_watch(c, &last, "a.x=2 a.y=3 |a.z=5 ");
    check_watch(c, &news, "|a.z=5 ");
    // The server is killed: nothing is lost, nothing comes twice.
    at("restart");
    UNTIL(c, last.notices > 0 && midge_state_of(js.m) == MIDGE_STATE_CONNECTED);
    write_key(c, midge_kv_put, "a.x", "6", 0, 0);
    check_watch(c, &last, "a.x=2 a.y=3 |a.z=5 a.x=6 ");
    check_watch(c, &all, "a.x=1 a.x=2 a.y=3 b=4 b- |a.z=5 a.x=6 ");
    check_watch(c, &news, "|a.z=5 a.x=6 ");
    check_watch(c, &since, "a.y=3 |a.z=5 a.x=6 ");
    for (size_t i = 0; i < 6; i++) midge_kv_watch_stop(&watches[i]);
    CHECK(midge_flush_wait(c, LIMIT_MS) == 0, "flush");
    midge_conn_free(c);
}

const struct scenario js_scenarios[] = {
    {"js_publish", run_publish}, {"js_fetch", run_fetch}, {"js_consume", run_consume},
    {"js_keys", run_keys},       {"js_watch", run_watch}, {NULL, NULL},
};
