// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The device of size_core.c with all of JetStream and key-value; linked with it by scripts/client-size.
#include "client/core/midge.h"

void work(midge *m);

static midge_js js;
static midge_kv kv;
static char text[640];
static midge_js_pub pub;
static midge_js_get get;
static midge_js_pull fetch, consume;
static midge_kv_get_op kv_get;
static midge_kv_write kv_write;
static midge_kv_watch kv_watch;

static void on_write(const midge_kv *k, int err, uint64_t revision, void *user) {
    (void)user;
    kv_write.revision = revision;
    if (err == MIDGE_EEXISTS) midge_kv_update(k, &kv_write, on_write, NULL);
    if (err == MIDGE_ENOTFOUND) midge_kv_delete(k, &kv_write, on_write, NULL);
    if (err == MIDGE_ETIMEOUT) midge_kv_purge(k, &kv_write, on_write, NULL);
    if (err == MIDGE_EPROTO) midge_kv_create(k, &kv_write, on_write, NULL);
}

static void on_entry(const midge_kv *k, int err, const midge_kv_entry *entry, void *user) {
    (void)user;
    kv_write.key = MIDGE_STR("a");
    if (err == 0 && entry->revision == 1) midge_kv_put(k, &kv_write, on_write, NULL);
}

static void on_watch(midge_kv_watch *w, const midge_kv_entry *entry, int err, void *user) {
    (void)user;
    (void)entry;
    if (err != 0) midge_kv_watch_stop(w);
}

static void on_sync(midge *m, int err, const midge_msg *msg, void *user) {
    (void)user;
    if (err == 0) midge_js_progress(m, msg->reply);
}

static void on_pull(midge_js_pull *pull, const midge_msg *msg, int err, midge_str why, void *user) {
    midge_js_meta meta;

    (void)user;
    if (!msg) {
        if (err != 0) midge_js_stop(pull);
    } else if (midge_js_meta_parse(msg->reply, &meta) != 0) {
        midge_js_term(js.m, msg->reply, why);
    } else if (meta.delivered > 3) {
        midge_js_nak(js.m, msg->reply, 1000);
    } else if (meta.pending > 0) {
        midge_js_ack(js.m, msg->reply);
    } else {
        midge_js_ack_sync(&js, msg->reply, on_sync, NULL);
    }
}

static void on_stored(midge_js_get *op, int err, const midge_js_stored *msg, void *user) {
    (void)user;
    if (err == 0 && msg->seq == 1) midge_js_get_msg(&js, op, on_stored, NULL);
}

static void on_ack(midge_js *j, int err, const midge_js_reply *reply, void *user) {
    (void)user;
    if (err == 0 && reply->seq == 1) midge_js_publish_cancel(&pub);
    get.stream = get.subject = MIDGE_STR("S");
    midge_js_get_msg(j, &get, on_stored, NULL);
}

void work(midge *m) {
    js = (midge_js){.m = m, .buf = text, .size = sizeof(text)};
    kv = (midge_kv){.js = &js, .bucket = MIDGE_STR("config")};
    pub = (midge_js_pub){.subject = MIDGE_STR("a"), .msg_id = MIDGE_STR("1")};
    midge_js_publish(&js, &pub, on_ack, NULL);
    fetch.stream = consume.stream = MIDGE_STR("S");
    fetch.consumer = consume.consumer = MIDGE_STR("c");
    midge_js_fetch(&js, &fetch, on_pull, NULL);
    midge_js_consume(&js, &consume, on_pull, NULL);
    kv_get.key = MIDGE_STR("a");
    midge_kv_get(&kv, &kv_get, on_entry, NULL);
    midge_kv_watch_start(&kv, &kv_watch, on_watch, NULL);
}
