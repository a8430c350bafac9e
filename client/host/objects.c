// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Buckets of objects, and what goes over all objects of one: list and watch.
#include <stdlib.h>
#include <string.h>

#include "client/host/object.h"
#include "client/host/reader.h"

// ---- the bucket -----------------------------------------------------------------------------------------------------

static int create(midge_op *op, const midge_objects_config *o) {
    mgc_arena *a = mgc_op_results(op);
    const midge_str subjects[] = {
        mgc_arena_format(a, "$O.%.*s.C.>", (int)o->bucket.n, o->bucket.p),
        mgc_arena_format(a, "$O.%.*s.M.>", (int)o->bucket.n, o->bucket.p),
    };
    const midge_stream_config s = {
        .name = mgc_bucket_stream(op, "OBJ_", o->bucket),
        .description = o->description,
        .subjects = subjects,
        .subjects_len = 2,
        .storage = o->storage,
        .discard = MIDGE_DISCARD_NEW,
        .compression = o->compression ? MIDGE_COMPRESS_S2 : MIDGE_COMPRESS_NONE,
        .max_bytes = o->max_bytes ? o->max_bytes : -1,
        .num_replicas = o->replicas ? o->replicas : 1,
        .max_age = o->ttl,
        .allow_rollup_hdrs = true,
        .allow_direct = true,
        .placement = o->placement,
        .metadata = o->metadata,
        .metadata_len = o->metadata_len,
    };
    return s.name.n ? mgc_stream_change(op, "STREAM.CREATE", &s, mgc_stream_end) : MIDGE_EINVAL;
}

int midge_objects_create(midge *m, midge_op *op, const midge_objects_config *config) {
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, create(op, config));
}

int midge_objects_info(midge *m, midge_op *op, midge_str bucket) {
    return mgc_bucket_request(m, op, "STREAM.INFO", "OBJ_", bucket, mgc_stream_end);
}

int midge_objects_delete(midge *m, midge_op *op, midge_str bucket) {
    return mgc_bucket_request(m, op, "STREAM.DELETE", "OBJ_", bucket, mgc_op_last);
}

static void seal_found(midge_op *op, int err) {
    if (!err) err = mgc_op_read(op, mgc_stream_fields, &op->stream);
    midge_stream_config config = op->stream.config;
    op->stream = (midge_stream_result){0};
    config.sealed = true;
    if (!err) err = mgc_stream_change(op, "STREAM.UPDATE", &config, mgc_stream_end);
    if (err) mgc_op_end(op, err);
}

int midge_objects_seal(midge *m, midge_op *op, midge_str bucket) {
    return mgc_bucket_request(m, op, "STREAM.INFO", "OBJ_", bucket, seal_found);
}

// ---- list, watch ----------------------------------------------------------------------------------------------------

typedef struct survey {
    mgc_reader reader;
    midge_object_fn fn; // of a watch
    mgc_arena one;      // of the object that is given now
    midge_object *objects;
    size_t len;
    bool deleted_too;
} survey;

enum { MAX_OBJECTS = 1 << 22 };

static int start(midge_op *op, midge_str bucket, survey **made) {
    survey *s = mgc_arena_alloc(mgc_op_results(op), sizeof *s);
    if (!s) return MIDGE_ENOMEM;
    s->reader.op = op;
    s->reader.stream = mgc_bucket_stream(op, "OBJ_", bucket);
    if (!s->reader.stream.n) return MIDGE_EINVAL;
    s->reader.filter = mgc_arena_format(mgc_op_results(op), "$O.%.*s.M.>", (int)bucket.n, bucket.p);
    s->reader.deliver = MIDGE_DELIVER_LAST_PER_SUBJECT;
    op->internal->plan = s;
    *made = s;
    return 0;
}

static bool read_object(const midge_msg *msg, const midge_js_meta *meta, midge_object *object, mgc_arena *a) {
    if (mgc_object_parse(mgc_arena_dup(a, msg->data), object, a) != 0) return false;
    object->time = (int64_t)meta->time;
    object->revision = meta->stream_seq;
    return object->name.n > 0;
}

static int by_name(const void *a, const void *b) {
    const midge_object *x = a, *y = b;
    size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
    int order = memcmp(x->name.p, y->name.p, n);
    if (order) return order;
    if (x->name.n != y->name.n) return x->name.n < y->name.n ? -1 : 1;
    return x->revision < y->revision ? -1 : x->revision > y->revision;
}

// Sorted; of several descriptions of one name (the reader had to begin anew) the last one.
static void list_end(midge_op *op, survey *s) {
    size_t kept = 0, live = 0;
    if (s->len) qsort(s->objects, s->len, sizeof *s->objects, by_name);
    for (size_t i = 0; i < s->len; i++) {
        if (kept && mgc_text_eq(s->objects[kept - 1].name, s->objects[i].name)) kept--;
        s->objects[kept++] = s->objects[i];
    }
    for (size_t i = 0; i < kept; i++)
        if (s->deleted_too || !s->objects[i].deleted) s->objects[live++] = s->objects[i];
    op->objects = s->objects;
    op->len = live;
    mgc_op_end(op, 0);
}

// A description that cannot be read is passed over: another client's mistake must not hide the other objects.
static bool on_listed(midge_op *op, const midge_msg *msg, const midge_js_meta *meta) {
    survey *s = op->internal->plan;
    midge_object object;
    if (!msg) {
        list_end(op, s);
        return false;
    }
    if (!read_object(msg, meta, &object, mgc_op_results(op))) return true;
    int err = s->len == MAX_OBJECTS ? MIDGE_ETOOLARGE : 0;
    if (!err) s->objects = mgc_arena_push(mgc_op_results(op), s->objects, &s->len, sizeof object);
    if (!err && !s->objects) err = MIDGE_ENOMEM;
    if (!err) s->objects[s->len - 1] = object;
    if (err) mgc_op_end(op, err);
    return !err;
}

static int start_list(midge_op *op, midge_str bucket, bool deleted_too) {
    survey *s;
    int err = start(op, bucket, &s);
    if (err) return err;
    s->deleted_too = deleted_too;
    s->reader.entry = on_listed;
    return mgc_reader_start(&s->reader);
}

int midge_object_list(midge *m, midge_op *op, midge_str bucket, bool deleted_too) {
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, start_list(op, bucket, deleted_too));
}

static void free_one(midge_op *op) {
    survey *s = op->internal->plan;
    mgc_arena_free(&s->one);
}

static bool on_watched(midge_op *op, const midge_msg *msg, const midge_js_meta *meta) {
    survey *s = op->internal->plan;
    midge_object object;
    mgc_arena_free(&s->one);
    if (msg && !read_object(msg, meta, &object, &s->one)) return true;
    mgc_op *mine = op->internal;
    bool more = s->fn(mine->m, op, msg ? &object : NULL);
    if (op->internal != mine) return false; // cancelled by the callback
    if (!more) mgc_op_end(op, 0);
    return more;
}

static int start_watch(midge_op *op, midge_str bucket, bool updates_only, midge_object_fn fn) {
    survey *s;
    int err = start(op, bucket, &s);
    if (err) return err;
    if (updates_only) s->reader.deliver = MIDGE_DELIVER_NEW;
    s->fn = fn;
    s->reader.entry = on_watched;
    s->reader.lasting = true;
    op->internal->stop = free_one;
    return mgc_reader_start(&s->reader);
}

int midge_object_watch(midge *m, midge_op *op, midge_str bucket, bool updates_only, midge_object_fn fn) {
    if (!fn) return MIDGE_EINVAL;
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, start_watch(op, bucket, updates_only, fn));
}
