// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A key-value bucket is a stream with one subject a key (ADR-8; spec/jetstream-streams.md 24): reading is reading the
// last message, writing is publishing, deleting is publishing a marker.
//
// create publishes with the expectation that the key has no message. When it has one that is a marker, it publishes
// once more, expecting the marker.
#include "client/core/js_priv.h"

size_t mgc_kv_prefix(const midge_kv *kv) { return kv->bucket.n + 5; }

enum midge_kv_operation mgc_kv_operation(midge_str headers) {
    midge_str operation = mgc_header(headers, "KV-Operation");
    midge_str marker = mgc_header(headers, "Nats-Marker-Reason"); // made by the server, ADR-43

    if (mgc_str_eq(operation, "DEL") || mgc_str_eq(marker, "Remove")) return MIDGE_KV_DELETE;
    if (mgc_str_eq(operation, "PURGE") || marker.n > 0) return MIDGE_KV_PURGE;
    return MIDGE_KV_PUT;
}

static bool valid(const midge_kv *kv, midge_str key) {
    return midge_kv_bucket_valid(kv->bucket) && midge_kv_key_valid(key);
}

// ---- reading

static void on_stored(midge_js_get *get, int err, const midge_js_stored *msg, void *user) {
    midge_kv_get_op *op = user;
    midge_kv_entry entry;
    const midge_kv_entry *found = NULL;

    if (err == 0) {
        // A revision may be of another key. The subject ends with the key.
        size_t n = mgc_kv_prefix(get->kv);
        entry = (midge_kv_entry){.key = op->key, .value = msg->data, .headers = msg->headers, .revision = msg->seq,
                                 .created = msg->time, .operation = mgc_kv_operation(msg->headers)};
        bool same = msg->subject.n > n && mgc_same((midge_str){msg->subject.p + n, msg->subject.n - n}, op->key);
        if (same) found = &entry;
        if (!same || entry.operation != MIDGE_KV_PUT) err = MIDGE_ENOTFOUND;
    }
    op->fn(get->kv, err, found, op->user);
}

int midge_kv_get(const midge_kv *kv, midge_kv_get_op *op, midge_kv_get_fn fn, void *user) {
    if (!valid(kv, op->key)) return MIDGE_EINVAL;
    op->get.kv = kv;
    op->get.stream = kv->bucket;
    op->get.subject = op->key;
    op->get.seq = op->revision;
    op->fn = fn;
    op->user = user;
    return midge_js_get_msg(kv->js, &op->get, on_stored, op);
}

// ---- writing

// midge_kv_write.how, beside the operations
enum { CREATE = MIDGE_KV_PURGE + 1, UPDATE };

static void on_written(midge_js *js, int err, const midge_js_reply *reply, void *user);

// create: what is there may be a marker.
static void on_found(const midge_kv *kv, int err, const midge_kv_entry *entry, void *user) {
    midge_kv_write *op = user;

    if (err == MIDGE_ENOTFOUND && entry) {
        op->pub.expect_last_subject_seq = entry->revision;
        err = midge_js_publish(kv->js, &op->pub, on_written, op);
        if (err == 0) return;
    } else if (err == 0 || err == MIDGE_ENOTFOUND) {
        err = MIDGE_EEXISTS;
    }
    op->fn(kv, err, 0, op->user);
}

static void on_written(midge_js *js, int err, const midge_js_reply *reply, void *user) {
    midge_kv_write *op = user;

    (void)js;
    if (err == MIDGE_EEXISTS && op->how == CREATE) {
        op->how = UPDATE; // once only
        op->get = (midge_kv_get_op){.key = op->key};
        err = midge_kv_get(op->pub.kv, &op->get, on_found, op);
        if (err == 0) return;
    }
    op->fn(op->pub.kv, err, err == 0 ? reply->seq : 0, op->user);
}

// op->how is set.
static int write_key(const midge_kv *kv, midge_kv_write *op, midge_kv_write_fn fn, void *user) {
    bool put = op->how == MIDGE_KV_PUT || op->how >= CREATE;

    if (!valid(kv, op->key)) return MIDGE_EINVAL;
    op->fn = fn;
    op->user = user;
    op->pub.kv = kv;
    op->pub.subject = op->key;
    op->pub.headers = op->headers;
    op->pub.data = op->value;
    op->pub.len = put ? op->len : 0;
    op->pub.operation = put ? MIDGE_KV_PUT : op->how;
    op->pub.expect_last_subject_seq = op->how == CREATE ? 0 : op->revision;
    op->pub.expect = op->how >= CREATE || (!put && op->revision > 0) ? MIDGE_JS_LAST_SUBJECT_SEQ : 0;
    return midge_js_publish(kv->js, &op->pub, on_written, op);
}

int midge_kv_put(const midge_kv *kv, midge_kv_write *op, midge_kv_write_fn fn, void *user) {
    op->how = MIDGE_KV_PUT;
    return write_key(kv, op, fn, user);
}

int midge_kv_create(const midge_kv *kv, midge_kv_write *op, midge_kv_write_fn fn, void *user) {
    op->how = CREATE;
    return write_key(kv, op, fn, user);
}

int midge_kv_update(const midge_kv *kv, midge_kv_write *op, midge_kv_write_fn fn, void *user) {
    op->how = UPDATE;
    return write_key(kv, op, fn, user);
}

int midge_kv_delete(const midge_kv *kv, midge_kv_write *op, midge_kv_write_fn fn, void *user) {
    op->how = MIDGE_KV_DELETE;
    return write_key(kv, op, fn, user);
}

int midge_kv_purge(const midge_kv *kv, midge_kv_write *op, midge_kv_write_fn fn, void *user) {
    op->how = MIDGE_KV_PURGE;
    return write_key(kv, op, fn, user);
}
