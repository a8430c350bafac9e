// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Buckets of keys as streams (ADR-8, spec/jetstream-streams.md 24): a bucket B is the stream KV_B with the subjects
// $KV.B.<key>.
#include "client/host/bucket.h"

#include <string.h>

enum { MAX_HISTORY = 64 };

midge_str mgc_bucket_stream(midge_op *op, const char *prefix, midge_str bucket) {
    if (!mgc_restricted_ok(bucket)) return MIDGE_NONE;
    return mgc_arena_format(mgc_op_results(op), "%s%.*s", prefix, (int)bucket.n, bucket.p);
}

// ---- create, update -------------------------------------------------------------------------------------------------

// Defaults are written as the server would report them: creating an equal bucket again must find an equal config.
static int change(midge_op *op, const char *verb, const midge_bucket_config *b) {
    const int64_t two_minutes = 120 * MIDGE_SECOND;
    midge_str subject = mgc_arena_format(mgc_op_results(op), "$KV.%.*s.>", (int)b->bucket.n, b->bucket.p);
    midge_stream_config s = {
        .name = mgc_bucket_stream(op, "KV_", b->bucket),
        .description = b->description,
        .subjects = &subject,
        .subjects_len = b->mirror.n ? 0 : 1,
        .storage = b->storage,
        .discard = MIDGE_DISCARD_NEW,
        .compression = b->compression ? MIDGE_COMPRESS_S2 : MIDGE_COMPRESS_NONE,
        .max_msgs = -1,
        .max_consumers = -1,
        .max_bytes = b->max_bytes ? b->max_bytes : -1,
        .max_msg_size = b->max_value_size ? b->max_value_size : -1,
        .max_msgs_per_subject = b->history ? b->history : 1,
        .num_replicas = b->replicas ? b->replicas : 1,
        .max_age = b->ttl,
        .duplicate_window = b->ttl && b->ttl < two_minutes ? b->ttl : two_minutes,
        .subject_delete_marker_ttl = b->marker_ttl,
        .allow_msg_ttl = b->marker_ttl > 0,
        .allow_rollup_hdrs = true,
        .deny_delete = true,
        .allow_direct = true,
        .mirror_direct = b->mirror.n > 0,
        .placement = b->placement,
        .republish = b->republish,
        .mirror = b->mirror,
        .sources = b->sources,
        .metadata = b->metadata,
        .metadata_len = b->metadata_len,
    };
    if (b->history < 0 || b->history > MAX_HISTORY || !s.name.n) return MIDGE_EINVAL;
    return mgc_stream_change(op, verb, &s, mgc_stream_end);
}

int midge_bucket_create(midge *m, midge_op *op, const midge_bucket_config *config) {
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, change(op, "STREAM.CREATE", config));
}

int midge_bucket_update(midge *m, midge_op *op, const midge_bucket_config *config) {
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, change(op, "STREAM.UPDATE", config));
}

// ---- info, delete, list ---------------------------------------------------------------------------------------------

int mgc_bucket_request(midge *m, midge_op *op, const char *verb, const char *prefix, midge_str bucket, mgc_step then) {
    int err = mgc_op_begin(m, op);
    if (err) return err;
    midge_str stream = mgc_bucket_stream(op, prefix, bucket);
    return mgc_op_started(op, stream.n ? mgc_api(op, verb, stream, MIDGE_NONE, MIDGE_NONE, then) : MIDGE_EINVAL);
}

int midge_bucket_info(midge *m, midge_op *op, midge_str bucket) {
    return mgc_bucket_request(m, op, "STREAM.INFO", "KV_", bucket, mgc_stream_end);
}

int midge_bucket_delete(midge *m, midge_op *op, midge_str bucket) {
    return mgc_bucket_request(m, op, "STREAM.DELETE", "KV_", bucket, mgc_op_last);
}

// Other streams may listen to subjects of this form, so the names decide.
static void keep_names(midge_op *op, void *items, const char *prefix) {
    midge_str *names = items;
    size_t kept = 0, skip = strlen(prefix);
    for (size_t i = 0; i < op->len; i++)
        if (mgc_text_starts(names[i], prefix)) names[kept++] = (midge_str){names[i].p + skip, names[i].n - skip};
    op->names = names;
    op->len = kept;
}

static void buckets_done(midge_op *op, void *items) {
    keep_names(op, items, "KV_");
}

int midge_bucket_list(midge *m, midge_op *op) {
    const mgc_list list = {.verb = "STREAM.NAMES", .member = "streams", .filter = MIDGE_STR("$KV.*.>"),
                           .size = sizeof(midge_str), .done = buckets_done};
    return mgc_list_all(m, op, &list);
}

static void stores_done(midge_op *op, void *items) {
    keep_names(op, items, "OBJ_");
}

int midge_objects_list(midge *m, midge_op *op) {
    const mgc_list list = {.verb = "STREAM.NAMES", .member = "streams", .filter = MIDGE_STR("$O.*.C.>"),
                           .size = sizeof(midge_str), .done = stores_done};
    return mgc_list_all(m, op, &list);
}

bool midge_bucket_status_of(const midge_stream_result *stream, midge_bucket_status *status) {
    const midge_stream_config *c = &stream->config;
    if (!mgc_text_starts(c->name, "KV_") || c->name.n == 3) return false;
    *status = (midge_bucket_status){
        .bucket = {c->name.p + 3, c->name.n - 3},
        .values = stream->state.messages,
        .bytes = stream->state.bytes,
        .history = c->max_msgs_per_subject,
        .ttl = c->max_age,
        .marker_ttl = c->subject_delete_marker_ttl,
        .replicas = c->num_replicas,
        .storage = c->storage,
        .compression = c->compression == MIDGE_COMPRESS_S2,
    };
    return true;
}
