// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Getting an object: its description, through a link if it is one, then the chunks in order, and at the end the number
// of bytes and the digest. Bytes are given on as they come, so a caller must wait for the end before it believes them.
#include "client/host/object.h"
#include "client/host/reader.h"

#include <string.h>

enum { DEFAULT_LIMIT = 64 << 20 };

typedef struct get {
    mgc_reader reader;
    midge_str stream, bucket;
    size_t limit;
    midge_object_write_fn write;
    void *user;
    char *data; // if write is NULL: room for object.size bytes
    uint64_t n; // bytes so far
    mgc_sha256 hash;
    bool linked;
} get;

static int take(get *g, const midge_object *object, midge_str bytes) {
    if (bytes.n > object->size - g->n) return MIDGE_EPROTO;
    mgc_sha256_update(&g->hash, bytes.p, bytes.n);
    if (g->data && bytes.n) memcpy(g->data + g->n, bytes.p, bytes.n);
    g->n += bytes.n;
    return g->write ? g->write(g->user, bytes.p, bytes.n) : 0;
}

static int verify(midge_op *op, get *g) {
    if (g->n != op->object.size || !mgc_object_digest_is(op->object.digest, &g->hash)) return MIDGE_EPROTO;
    if (g->data) op->data = (midge_str){g->data, (size_t)g->n};
    return 0;
}

static bool on_chunk(midge_op *op, const midge_msg *msg, const midge_js_meta *meta) {
    get *g = op->internal->plan;
    (void)meta;
    int err = msg ? take(g, &op->object, msg->data) : verify(op, g);
    if (!err && msg) return true;
    mgc_op_end(op, err);
    return false;
}

static int read_chunks(midge_op *op, get *g) {
    mgc_sha256_init(&g->hash);
    if (!g->write && op->object.size > g->limit) return MIDGE_ETOOLARGE;
    if (!g->write) {
        g->data = mgc_arena_alloc(mgc_op_results(op), (size_t)op->object.size + 1);
        if (!g->data) return MIDGE_ENOMEM;
    }
    if (!op->object.size) {
        mgc_op_end(op, verify(op, g));
        return 0;
    }
    g->reader.op = op;
    g->reader.stream = g->stream;
    g->reader.filter = mgc_object_chunk_subject(op, g->bucket, op->object.nuid);
    g->reader.deliver = MIDGE_DELIVER_ALL;
    g->reader.entry = on_chunk;
    return g->reader.filter.n ? mgc_reader_start(&g->reader) : MIDGE_ENOMEM;
}

static void found(midge_op *op, int err);

// ADR-20: a link leads to an object, never to a link; one to a whole bucket cannot be read.
static int follow(midge_op *op, get *g) {
    if (g->linked || !op->object.link_name.n) return MIDGE_EINVAL;
    g->linked = true;
    g->stream = mgc_bucket_stream(op, "OBJ_", op->object.link_bucket);
    if (!g->stream.n) return MIDGE_EPROTO;
    g->bucket = (midge_str){g->stream.p + 4, g->stream.n - 4};
    return mgc_object_lookup(op, g->stream, g->bucket, op->object.link_name, found);
}

static void found(midge_op *op, int err) {
    get *g = op->internal->plan;
    if (!err && op->object.deleted) err = MIDGE_ENOTFOUND;
    if (!err) err = op->object.link_bucket.n ? follow(op, g) : read_chunks(op, g);
    if (err) mgc_op_end(op, err);
}

static int start(midge_op *op, midge_str bucket, midge_str name, get **made) {
    get *g = mgc_arena_alloc(mgc_op_results(op), sizeof *g);
    if (!g) return MIDGE_ENOMEM;
    g->stream = mgc_bucket_stream(op, "OBJ_", bucket);
    if (!g->stream.n || !mgc_object_name_ok(name)) return MIDGE_EINVAL;
    g->bucket = (midge_str){g->stream.p + 4, g->stream.n - 4};
    op->internal->plan = g;
    *made = g;
    return mgc_object_lookup(op, g->stream, g->bucket, name, found);
}

int midge_object_get(midge *m, midge_op *op, midge_str bucket, midge_str name, size_t limit,
                     midge_object_write_fn write, void *user) {
    int err = mgc_op_begin(m, op);
    if (err) return err;
    get *g;
    err = start(op, bucket, name, &g);
    if (err) return mgc_op_started(op, err);
    g->limit = limit ? limit : DEFAULT_LIMIT;
    g->write = write;
    g->user = user;
    return mgc_op_started(op, 0);
}
