// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A key-value bucket is a stream with one subject a key (ADR-8; spec/jetstream-streams.md 24): reading is reading the
// last message, writing is publishing, deleting is publishing a marker.
//
// create publishes with the expectation that the key has no message. When it has one that is a marker, it publishes once
// more, expecting the marker.
#include "client/core/js_priv.h"

void mgc_kv_subject(mgc_text *t, const midge_kv *kv, midge_str key, bool write) {
    // spec/jetstream-streams.md 22: only below the API's subject do writes get into another domain.
    bool foreign = kv->js->domain.n > 0 || kv->js->prefix.n > 0;
    mgc_text_form(t, kv->js, write && foreign ? "@.$KV.?.?" : "$KV.?.?", &kv->bucket, &key, NULL);
}

enum midge_kv_operation mgc_kv_operation(midge_str headers) {
    midge_str operation = midge_headers_get(headers, MIDGE_STR("KV-Operation"));
    midge_str marker = midge_headers_get(headers, MIDGE_STR("Nats-Marker-Reason")); // made by the server, ADR-43

    if (mgc_str_eq(operation, "DEL") || mgc_str_eq(marker, "Remove")) return MIDGE_KV_DELETE;
    if (mgc_str_eq(operation, "PURGE") || marker.n > 0) return MIDGE_KV_PURGE;
    return MIDGE_KV_PUT;
}

// ---- reading

static void on_stored(midge_js *js, int err, const midge_js_stored *msg, void *user) {
    midge_kv_get_op *op = user;
    midge_kv_entry entry;

    (void)js;
    if (err == 0) {
        // The subject ends with the key; the buffer that has the beginning may be in use by now.
        size_t n = 5 + op->kv->bucket.n;
        if (msg->subject.n < n || !mgc_same((midge_str){msg->subject.p + n, msg->subject.n - n}, op->key)) {
            err = MIDGE_ENOTFOUND;
        }
    }
    if (err != 0) {
        op->fn(op->kv, err, NULL, op->user);
        return;
    }
    entry = (midge_kv_entry){.key = op->key, .value = msg->data, .headers = msg->headers, .revision = msg->seq,
                             .created = msg->time, .operation = mgc_kv_operation(msg->headers)};
    op->fn(op->kv, entry.operation == MIDGE_KV_PUT ? 0 : MIDGE_ENOTFOUND, &entry, op->user);
}

int midge_kv_get(const midge_kv *kv, midge_kv_get_op *op, midge_str key, uint64_t revision, midge_kv_get_fn fn,
                 void *user) {
    const char *form = revision > 0 ? "@.DIRECT.GET.KV_?" : "@.DIRECT.GET.KV_?.$KV.?.?";

    if (!midge_kv_bucket_valid(kv->bucket) || !midge_kv_key_valid(key)) return MIDGE_EINVAL;
    op->kv = kv;
    op->key = key;
    op->fn = fn;
    op->user = user;
    return mgc_js_get(kv->js, &op->get, form, &kv->bucket, &kv->bucket, &op->key, revision, on_stored, op);
}

// ---- writing

static void finish(midge_kv_write *op, int err, uint64_t revision) { op->fn(op->pub.kv, err, revision, op->user); }

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
    finish(op, err, 0);
}

static void on_written(midge_js *js, int err, const midge_js_reply *reply, void *user) {
    midge_kv_write *op = user;

    (void)js;
    if (err == MIDGE_EEXISTS && op->create) {
        op->create = false;
        err = midge_kv_get(op->pub.kv, &op->get, op->pub.subject, 0, on_found, op);
        if (err == 0) return;
    }
    finish(op, err, err == 0 ? reply->seq : 0);
}

static int write_key(const midge_kv *kv, midge_kv_write *op, midge_str key, const char *operation,
                     midge_kv_write_fn fn, void *user) {
    if (!midge_kv_bucket_valid(kv->bucket) || !midge_kv_key_valid(key)) return MIDGE_EINVAL;
    op->pub.kv = kv;
    op->pub.subject = key;
    op->pub.kv_operation = operation;
    op->fn = fn;
    op->user = user;
    return midge_js_publish(kv->js, &op->pub, on_written, op);
}

static int put_value(const midge_kv *kv, midge_kv_write *op, midge_str key, const void *value, size_t len,
                     midge_kv_write_fn fn, void *user) {
    op->pub.data = value;
    op->pub.len = len;
    return write_key(kv, op, key, NULL, fn, user);
}

static void expect(midge_kv_write *op, bool create, uint8_t what, uint64_t revision) {
    op->create = create;
    op->pub.expect = what;
    op->pub.expect_last_subject_seq = revision;
}

int midge_kv_put(const midge_kv *kv, midge_kv_write *op, midge_str key, const void *value, size_t len,
                 midge_kv_write_fn fn, void *user) {
    expect(op, false, 0, 0);
    return put_value(kv, op, key, value, len, fn, user);
}

int midge_kv_create(const midge_kv *kv, midge_kv_write *op, midge_str key, const void *value, size_t len,
                    midge_kv_write_fn fn, void *user) {
    expect(op, true, MIDGE_JS_LAST_SUBJECT_SEQ, 0);
    return put_value(kv, op, key, value, len, fn, user);
}

int midge_kv_update(const midge_kv *kv, midge_kv_write *op, midge_str key, const void *value, size_t len,
                    uint64_t revision, midge_kv_write_fn fn, void *user) {
    expect(op, false, MIDGE_JS_LAST_SUBJECT_SEQ, revision);
    return put_value(kv, op, key, value, len, fn, user);
}

static int remove_key(const midge_kv *kv, midge_kv_write *op, midge_str key, uint64_t revision, const char *operation,
                      midge_kv_write_fn fn, void *user) {
    expect(op, false, revision > 0 ? MIDGE_JS_LAST_SUBJECT_SEQ : 0, revision);
    op->pub.len = 0;
    return write_key(kv, op, key, operation, fn, user);
}

int midge_kv_delete(const midge_kv *kv, midge_kv_write *op, midge_str key, uint64_t revision, midge_kv_write_fn fn,
                    void *user) {
    return remove_key(kv, op, key, revision, "DEL", fn, user);
}

int midge_kv_purge(const midge_kv *kv, midge_kv_write *op, midge_str key, uint64_t revision, midge_kv_write_fn fn,
                   void *user) {
    return remove_key(kv, op, key, revision, "PURGE", fn, user);
}
