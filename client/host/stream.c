// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Streams: the tables of their JSON (spec/jetstream-streams.md 4, 7) and the requests about them (section 2, 6).
#include "client/host/encode.h"
#include "client/host/op.h"

#include <string.h>

static const char *const retentions[] = {"limits", "interest", "workqueue", NULL};
static const char *const storages[] = {"file", "memory", NULL};
static const char *const discards[] = {"old", "new", NULL};
static const char *const compressions[] = {"none", "s2", NULL};

#define C(type, field, kind_) {.name = #field, .kind = kind_, .at = offsetof(type, field)}
#define STREAM(field, kind_) C(midge_stream_config, field, kind_)

const mgc_field mgc_stream_config_fields[] = {
    STREAM(name, MGC_STR),
    STREAM(description, MGC_STR),
    {.name = "subjects", .kind = MGC_STRS, .at = offsetof(midge_stream_config, subjects),
     .len_at = offsetof(midge_stream_config, subjects_len)},
    {.name = "retention", .kind = MGC_ENUM, .at = offsetof(midge_stream_config, retention), .more = retentions},
    {.name = "storage", .kind = MGC_ENUM, .at = offsetof(midge_stream_config, storage), .more = storages},
    {.name = "discard", .kind = MGC_ENUM, .at = offsetof(midge_stream_config, discard), .more = discards},
    {.name = "compression", .kind = MGC_ENUM, .at = offsetof(midge_stream_config, compression), .more = compressions},
    STREAM(max_msgs, MGC_I64),
    STREAM(max_bytes, MGC_I64),
    STREAM(max_msgs_per_subject, MGC_I64),
    STREAM(max_consumers, MGC_I64),
    STREAM(max_age, MGC_I64),
    STREAM(max_msg_size, MGC_I64),
    STREAM(num_replicas, MGC_I64),
    STREAM(duplicate_window, MGC_I64),
    STREAM(subject_delete_marker_ttl, MGC_I64),
    STREAM(first_seq, MGC_U64),
    STREAM(no_ack, MGC_BOOL),
    STREAM(discard_new_per_subject, MGC_BOOL),
    STREAM(sealed, MGC_BOOL),
    STREAM(deny_delete, MGC_BOOL),
    STREAM(deny_purge, MGC_BOOL),
    STREAM(allow_direct, MGC_BOOL),
    STREAM(mirror_direct, MGC_BOOL),
    STREAM(allow_rollup_hdrs, MGC_BOOL),
    STREAM(allow_msg_ttl, MGC_BOOL),
    STREAM(allow_atomic, MGC_BOOL),
    STREAM(allow_batched, MGC_BOOL),
    STREAM(allow_msg_counter, MGC_BOOL),
    STREAM(allow_msg_schedules, MGC_BOOL),
    STREAM(persist_mode, MGC_STR),
    STREAM(placement, MGC_RAW),
    STREAM(mirror, MGC_RAW),
    STREAM(sources, MGC_RAW),
    STREAM(republish, MGC_RAW),
    STREAM(subject_transform, MGC_RAW),
    STREAM(consumer_limits, MGC_RAW),
    {.name = "metadata", .kind = MGC_PAIRS, .at = offsetof(midge_stream_config, metadata),
     .len_at = offsetof(midge_stream_config, metadata_len)},
    {.kind = MGC_EXTRA, .at = offsetof(midge_stream_config, extra)},
    {0},
};

#define STATE(field, kind_) C(midge_stream_state, field, kind_)
static const mgc_field state_fields[] = {
    STATE(messages, MGC_U64),     STATE(bytes, MGC_U64),       STATE(first_seq, MGC_U64),
    STATE(last_seq, MGC_U64),     STATE(num_subjects, MGC_U64), STATE(num_deleted, MGC_U64),
    STATE(consumer_count, MGC_U64), STATE(first_ts, MGC_TIME), STATE(last_ts, MGC_TIME),
    STATE(subjects, MGC_RAW),     STATE(deleted, MGC_RAW),     STATE(lost, MGC_RAW),
    {0},
};

#define RESULT(field, kind_) C(midge_stream_result, field, kind_)
const mgc_field mgc_stream_fields[] = {
    {.name = "config", .kind = MGC_OBJECT, .at = offsetof(midge_stream_result, config),
     .more = mgc_stream_config_fields},
    {.name = "state", .kind = MGC_OBJECT, .at = offsetof(midge_stream_result, state), .more = state_fields},
    RESULT(created, MGC_TIME),
    RESULT(ts, MGC_TIME),
    RESULT(domain, MGC_STR),
    RESULT(cluster, MGC_RAW),
    RESULT(mirror, MGC_RAW),
    RESULT(sources, MGC_RAW),
    RESULT(alternates, MGC_RAW),
    RESULT(total, MGC_U64),
    RESULT(offset, MGC_U64),
    RESULT(limit, MGC_U64),
    RESULT(did_create, MGC_BOOL),
    {0},
};

// ---- create, update, info, delete -----------------------------------------------------------------------------------

void mgc_stream_end(midge_op *op, int err) {
    mgc_op_end(op, err ? err : mgc_op_read(op, mgc_stream_fields, &op->stream));
}

int mgc_stream_change(midge_op *op, const char *verb, const midge_stream_config *config, mgc_step then) {
    if (!mgc_name_ok(config->name)) return MIDGE_EINVAL;
    mgc_json_out body;
    mgc_json_out_init(&body, NULL, 0);
    mgc_bind_write(&body, NULL, mgc_stream_config_fields, config);
    return mgc_api_json(op, verb, config->name, MIDGE_NONE, &body, then);
}

static int change(midge *m, midge_op *op, const char *verb, const midge_stream_config *config) {
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, mgc_stream_change(op, verb, config, mgc_stream_end));
}

int midge_stream_create(midge *m, midge_op *op, const midge_stream_config *config) {
    return change(m, op, "STREAM.CREATE", config);
}

int midge_stream_update(midge *m, midge_op *op, const midge_stream_config *config) {
    return change(m, op, "STREAM.UPDATE", config);
}

static int ask_info(midge_op *op, midge_str stream, const midge_stream_info_opts *opts) {
    const midge_stream_info_opts none = {0};
    if (!mgc_name_ok(stream)) return MIDGE_EINVAL;
    if (!opts) opts = &none;
    mgc_json_out body;
    mgc_json_out_init(&body, NULL, 0);
    mgc_json_open(&body, NULL, '{');
    if (opts->subjects_filter.n) mgc_json_put_str(&body, "subjects_filter", opts->subjects_filter);
    if (opts->offset) mgc_json_put_u64(&body, "offset", opts->offset);
    if (opts->deleted_details) mgc_json_put_bool(&body, "deleted_details", true);
    mgc_json_close(&body);
    return mgc_api_json(op, "STREAM.INFO", stream, MIDGE_NONE, &body, mgc_stream_end);
}

int midge_stream_info(midge *m, midge_op *op, midge_str stream, const midge_stream_info_opts *opts) {
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, ask_info(op, stream, opts));
}

int midge_stream_delete(midge *m, midge_op *op, midge_str stream) {
    if (!mgc_name_ok(stream)) return MIDGE_EINVAL;
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, mgc_api(op, "STREAM.DELETE", stream, MIDGE_NONE, MIDGE_NONE, mgc_op_last));
}

// ---- purge ----------------------------------------------------------------------------------------------------------

static void purged(midge_op *op, int err) {
    mgc_json j;
    if (!err && !(mgc_json_find(op->json, "purged", &j) && mgc_json_uint(&j, &op->count))) err = MIDGE_EPROTO;
    mgc_op_end(op, err);
}

int mgc_purge(midge_op *op, midge_str stream, const midge_purge_opts *opts, mgc_step then) {
    mgc_json_out body;
    mgc_json_out_init(&body, NULL, 0);
    mgc_json_open(&body, NULL, '{');
    if (opts->filter.n) mgc_json_put_str(&body, "filter", opts->filter);
    if (opts->seq) mgc_json_put_u64(&body, "seq", opts->seq);
    if (opts->keep) mgc_json_put_u64(&body, "keep", opts->keep);
    mgc_json_close(&body);
    return mgc_api_json(op, "STREAM.PURGE", stream, MIDGE_NONE, &body, then);
}

int midge_stream_purge(midge *m, midge_op *op, midge_str stream, const midge_purge_opts *opts) {
    const midge_purge_opts all = {0};
    if (!mgc_name_ok(stream) || (opts && opts->seq && opts->keep)) return MIDGE_EINVAL;
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, mgc_purge(op, stream, opts ? opts : &all, purged));
}

// ---- lists ----------------------------------------------------------------------------------------------------------

static void names_done(midge_op *op, void *items) {
    op->names = items;
}

int midge_stream_names(midge *m, midge_op *op, midge_str subject) {
    const mgc_list list = {.verb = "STREAM.NAMES", .member = "streams", .filter = subject, .size = sizeof(midge_str),
                           .done = names_done};
    return mgc_list_all(m, op, &list);
}

static void streams_done(midge_op *op, void *items) {
    op->streams = items;
}

int midge_stream_list(midge *m, midge_op *op, midge_str subject) {
    const mgc_list list = {.verb = "STREAM.LIST", .member = "streams", .filter = subject, .table = mgc_stream_fields,
                           .size = sizeof(midge_stream_result), .done = streams_done};
    return mgc_list_all(m, op, &list);
}

// ---- stored messages ------------------------------------------------------------------------------------------------

#define STORED(field, kind_) C(midge_stored_msg, field, kind_)
static const mgc_field stored_fields[] = {
    STORED(subject, MGC_STR),
    {.name = "hdrs", .kind = MGC_STR, .at = offsetof(midge_stored_msg, headers)},
    STORED(data, MGC_STR),
    STORED(seq, MGC_U64),
    STORED(time, MGC_TIME),
    {0},
};

static bool decode(midge_str *text, mgc_arena *a) {
    if (!text->n) return true;
    char *out = mgc_arena_alloc(a, text->n / 4 * 3 + 2);
    int64_t n = out ? mgc_base64_decode(*text, out) : -1;
    *text = n > 0 ? (midge_str){out, (size_t)n} : MIDGE_NONE;
    return n >= 0;
}

static void msg_came(midge_op *op, int err) {
    mgc_json j;
    midge_stored_msg *msg = &op->msg;
    if (!err && (!mgc_json_find(op->json, "message", &j) || j.type != MGC_JSON_OBJECT)) err = MIDGE_EPROTO;
    if (!err) err = mgc_bind_read(&j, stored_fields, msg, mgc_op_arena(op));
    if (!err && (!decode(&msg->headers, mgc_op_arena(op)) || !decode(&msg->data, mgc_op_arena(op)))) err = MIDGE_EPROTO;
    op->internal->then_msg(op, err);
}

int mgc_msg_get(midge_op *op, midge_str stream, const midge_msg_get_opts *opts, mgc_step then) {
    mgc_json_out body;
    mgc_json_out_init(&body, NULL, 0);
    mgc_json_open(&body, NULL, '{');
    if (opts->seq) mgc_json_put_u64(&body, "seq", opts->seq);
    if (opts->last_by_subject.n) mgc_json_put_str(&body, "last_by_subj", opts->last_by_subject);
    if (opts->next_by_subject.n) mgc_json_put_str(&body, "next_by_subj", opts->next_by_subject);
    mgc_json_close(&body);
    op->internal->then_msg = then;
    return mgc_api_json(op, "STREAM.MSG.GET", stream, MIDGE_NONE, &body, msg_came);
}

int midge_stream_msg_get(midge *m, midge_op *op, midge_str stream, const midge_msg_get_opts *opts) {
    if (!mgc_name_ok(stream)) return MIDGE_EINVAL;
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, mgc_msg_get(op, stream, opts, mgc_op_last));
}

int midge_stream_msg_delete(midge *m, midge_op *op, midge_str stream, uint64_t seq, bool no_erase) {
    if (!mgc_name_ok(stream) || !seq) return MIDGE_EINVAL;
    int err = mgc_op_begin(m, op);
    if (err) return err;
    mgc_json_out body;
    mgc_json_out_init(&body, NULL, 0);
    mgc_json_open(&body, NULL, '{');
    mgc_json_put_u64(&body, "seq", seq);
    if (no_erase) mgc_json_put_bool(&body, "no_erase", true);
    mgc_json_close(&body);
    return mgc_op_started(op, mgc_api_json(op, "STREAM.MSG.DELETE", stream, MIDGE_NONE, &body, mgc_op_last));
}
