// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Consumers: the tables of their JSON (spec/jetstream-consumers.md 3, 13) and the requests about them (section 1).
#include "client/host/encode.h"
#include "client/host/op.h"

#include <string.h>

static const char *const delivers[] = {"all", "last", "new", "by_start_sequence", "by_start_time", "last_per_subject",
                                       NULL};
static const char *const acks[] = {"explicit", "none", "all", "flow_control", NULL};
static const char *const replays[] = {"instant", "original", NULL};

#define C(type, field, kind_) {.name = #field, .kind = kind_, .at = offsetof(type, field)}
#define CONFIG(field, kind_) C(midge_consumer_config, field, kind_)
#define LIST(field, kind_)                                                                                           \
    {.name = #field, .kind = kind_, .at = offsetof(midge_consumer_config, field),                                    \
     .len_at = offsetof(midge_consumer_config, field##_len)}
#define CHOICE(field, names) \
    {.name = #field, .kind = MGC_ENUM, .at = offsetof(midge_consumer_config, field), .more = names}

const mgc_field mgc_consumer_config_fields[] = {
    CONFIG(name, MGC_STR),
    {.name = "durable_name", .kind = MGC_STR, .at = offsetof(midge_consumer_config, durable)},
    CONFIG(description, MGC_STR),
    CHOICE(deliver_policy, delivers),
    // Always: ours is `explicit`, the server's would be `none`. A policy that we do not know stands in `extra`, behind
    // it, and there the last one counts.
    {.name = "ack_policy", .kind = MGC_ENUM, .at = offsetof(midge_consumer_config, ack_policy), .always = true,
     .more = acks},
    CHOICE(replay_policy, replays),
    CONFIG(opt_start_seq, MGC_U64),
    CONFIG(opt_start_time, MGC_TIME),
    CONFIG(ack_wait, MGC_I64),
    CONFIG(max_deliver, MGC_I64),
    LIST(backoff, MGC_I64S),
    CONFIG(filter_subject, MGC_STR),
    LIST(filter_subjects, MGC_STRS),
    CONFIG(max_waiting, MGC_I64),
    CONFIG(max_ack_pending, MGC_I64),
    CONFIG(max_batch, MGC_I64),
    CONFIG(max_expires, MGC_I64),
    CONFIG(max_bytes, MGC_I64),
    CONFIG(inactive_threshold, MGC_I64),
    CONFIG(num_replicas, MGC_I64),
    CONFIG(sample_freq, MGC_STR),
    CONFIG(deliver_subject, MGC_STR),
    CONFIG(deliver_group, MGC_STR),
    CONFIG(idle_heartbeat, MGC_I64),
    CONFIG(rate_limit_bps, MGC_U64),
    CONFIG(flow_control, MGC_BOOL),
    CONFIG(headers_only, MGC_BOOL),
    CONFIG(mem_storage, MGC_BOOL),
    CONFIG(pause_until, MGC_TIME),
    LIST(priority_groups, MGC_STRS),
    CONFIG(priority_policy, MGC_STR),
    CONFIG(priority_timeout, MGC_I64),
    LIST(metadata, MGC_PAIRS),
    {.kind = MGC_EXTRA, .at = offsetof(midge_consumer_config, extra)},
    {0},
};

#define POSITION(field, kind_) C(midge_consumer_position, field, kind_)
static const mgc_field position_fields[] = {
    POSITION(consumer_seq, MGC_U64),
    POSITION(stream_seq, MGC_U64),
    POSITION(last_active, MGC_TIME),
    {0},
};

#define RESULT(field, kind_) C(midge_consumer_result, field, kind_)
#define OBJECT(field, table) \
    {.name = #field, .kind = MGC_OBJECT, .at = offsetof(midge_consumer_result, field), .more = table}
const mgc_field mgc_consumer_fields[] = {
    RESULT(stream_name, MGC_STR),
    RESULT(name, MGC_STR),
    OBJECT(config, mgc_consumer_config_fields),
    OBJECT(delivered, position_fields),
    OBJECT(ack_floor, position_fields),
    RESULT(num_ack_pending, MGC_U64),
    RESULT(num_redelivered, MGC_U64),
    RESULT(num_waiting, MGC_U64),
    RESULT(num_pending, MGC_U64),
    RESULT(created, MGC_TIME),
    RESULT(ts, MGC_TIME),
    RESULT(pause_remaining, MGC_I64),
    RESULT(cluster, MGC_RAW),
    RESULT(priority_groups, MGC_RAW),
    RESULT(push_bound, MGC_BOOL),
    RESULT(paused, MGC_BOOL),
    {0},
};

static void result_end(midge_op *op, int err) {
    mgc_op_end(op, err ? err : mgc_op_read(op, mgc_consumer_fields, &op->consumer));
}

// ---- create ---------------------------------------------------------------------------------------------------------

// spec/jetstream-consumers.md 1, 2: CREATE.<stream>.<name>[.<filter>]; several filters are only in the config.
int mgc_consumer_start(midge_op *op, midge_str stream, const midge_consumer_config *config,
                       enum midge_consumer_action action, mgc_step then) {
    static const char *const actions[] = {"", "create", "update"};
    midge_str name = config->durable.n ? config->durable : config->name;
    if (!mgc_name_ok(stream) || !mgc_name_ok(name) || (unsigned)action > MIDGE_CONSUMER_UPDATE) return MIDGE_EINVAL;
    mgc_json_out body;
    mgc_json_out_init(&body, NULL, 0);
    mgc_json_open(&body, NULL, '{');
    mgc_json_put_str(&body, "stream_name", stream);
    if (*actions[action]) mgc_json_put_cstr(&body, "action", actions[action]);
    mgc_bind_write(&body, "config", mgc_consumer_config_fields, config);
    mgc_json_close(&body);
    midge_str filter = config->filter_subject;
    if (filter.n)
        name = mgc_arena_format(mgc_op_arena(op), "%.*s.%.*s", (int)name.n, name.p, (int)filter.n, filter.p);
    return mgc_api_json(op, "CONSUMER.CREATE", stream, name, &body, then);
}

int midge_consumer_create(midge *m, midge_op *op, midge_str stream, const midge_consumer_config *config,
                          enum midge_consumer_action action) {
    int err = mgc_op_begin(m, op);
    if (err) return err;
    midge_consumer_config named = *config;
    char id[23];
    if (!named.name.n && !named.durable.n) {
        mgc_nuid(m, id);
        named.name = (midge_str){id, 22};
    }
    return mgc_op_started(op, mgc_consumer_start(op, stream, &named, action, result_end));
}

// ---- about one ------------------------------------------------------------------------------------------------------

static int about(midge *m, midge_op *op, const char *verb, midge_str stream, midge_str consumer, midge_str body,
                 mgc_step then) {
    if (!mgc_name_ok(stream) || !mgc_name_ok(consumer)) return MIDGE_EINVAL;
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, mgc_api(op, verb, stream, consumer, body, then));
}

int midge_consumer_info(midge *m, midge_op *op, midge_str stream, midge_str consumer) {
    return about(m, op, "CONSUMER.INFO", stream, consumer, MIDGE_NONE, result_end);
}

int midge_consumer_delete(midge *m, midge_op *op, midge_str stream, midge_str consumer) {
    return about(m, op, "CONSUMER.DELETE", stream, consumer, MIDGE_NONE, mgc_op_last);
}

int midge_consumer_pause(midge *m, midge_op *op, midge_str stream, midge_str consumer, int64_t until) {
    char body[64], time[MIDGE_TIME_MAX];
    mgc_json_out o;
    midge_str text = MIDGE_NONE;
    mgc_json_out_init(&o, body, sizeof body);
    mgc_json_open(&o, NULL, '{');
    mgc_json_put_str(&o, "pause_until", midge_time_text(until, time));
    mgc_json_close(&o);
    int err = mgc_json_out_end(&o, &text);
    return err ? err : about(m, op, "CONSUMER.PAUSE", stream, consumer, until ? text : MIDGE_NONE, result_end);
}

// ---- lists ----------------------------------------------------------------------------------------------------------

static void names_done(midge_op *op, void *items) {
    op->names = items;
}

int midge_consumer_names(midge *m, midge_op *op, midge_str stream) {
    const mgc_list list = {.verb = "CONSUMER.NAMES", .member = "consumers", .about = stream, .size = sizeof(midge_str),
                           .done = names_done};
    return mgc_name_ok(stream) ? mgc_list_all(m, op, &list) : MIDGE_EINVAL;
}

static void consumers_done(midge_op *op, void *items) {
    op->consumers = items;
}

int midge_consumer_list(midge *m, midge_op *op, midge_str stream) {
    const mgc_list list = {.verb = "CONSUMER.LIST", .member = "consumers", .about = stream,
                           .table = mgc_consumer_fields, .size = sizeof(midge_consumer_result),
                           .done = consumers_done};
    return mgc_name_ok(stream) ? mgc_list_all(m, op, &list) : MIDGE_EINVAL;
}
