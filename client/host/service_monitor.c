// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Discovery: nine subjects, three answers, and the same answers read by those who ask
// (spec/monitoring-and-tools.md E). What a request says is not looked at: the CLI sends `{}` and a header.
#include "client/host/service.h"

#include <stdlib.h>
#include <string.h>

static const char *const verbs[] = {"PING", "INFO", "STATS"};
const char *const mgc_service_types[] = {"io.nats.micro.v1.ping_response", "io.nats.micro.v1.info_response",
                                         "io.nats.micro.v1.stats_response"};

midge_str mgc_service_subject(mgc_arena *a, enum midge_service_verb verb, midge_str name, midge_str id) {
    return mgc_arena_format(a, "$SRV.%s%s%.*s%s%.*s", verbs[verb], name.n ? "." : "", (int)name.n, name.n ? name.p : "",
                            id.n ? "." : "", (int)id.n, id.n ? id.p : "");
}

// ---- answers --------------------------------------------------------------------------------------------------------

static void put_metadata(mgc_json_out *o, const midge_pair *pairs, size_t len) {
    mgc_json_open(o, "metadata", '{');
    for (size_t i = 0; i < len; i++) {
        mgc_json_key(o, pairs[i].name);
        mgc_json_put_str(o, NULL, pairs[i].value);
    }
    mgc_json_close(o);
}

static void put_stats(mgc_json_out *o, midge_endpoint *e) {
    mgc_json_put_u64(o, "num_requests", e->requests);
    mgc_json_put_u64(o, "num_errors", e->errors);
    mgc_json_put_str(o, "last_error", (midge_str){e->last_error, e->last_error_n});
    mgc_json_put_i64(o, "processing_time", e->processing_time);
    mgc_json_put_i64(o, "average_processing_time", e->requests ? e->processing_time / (int64_t)e->requests : 0);
    midge_str data = e->config.data ? e->config.data(e, e->config.user) : MIDGE_NONE;
    if (mgc_json_valid(data)) mgc_json_put_raw(o, "data", data);
}

static void put_endpoints(mgc_json_out *o, const midge_service *s, enum midge_service_verb verb) {
    mgc_json_open(o, "endpoints", '[');
    for (midge_endpoint *e = s->endpoints; e; e = e->next) {
        mgc_json_open(o, NULL, '{');
        mgc_json_put_str(o, "name", e->config.name);
        mgc_json_put_str(o, "subject", e->config.subject);
        mgc_json_put_str(o, "queue_group", e->queue);
        if (verb == MIDGE_SERVICE_STATS) put_stats(o, e);
        else put_metadata(o, e->config.metadata, e->config.metadata_len);
        mgc_json_close(o);
    }
    mgc_json_close(o);
}

static void answer(const midge_service *s, const midge_msg *msg, enum midge_service_verb verb) {
    char time[MIDGE_TIME_MAX];
    mgc_json_out o;
    midge_str text;
    mgc_json_out_init(&o, NULL, 0);
    mgc_json_open(&o, NULL, '{');
    mgc_json_put_cstr(&o, "type", mgc_service_types[verb]);
    mgc_json_put_str(&o, "name", s->config.name);
    mgc_json_put_str(&o, "id", midge_service_id(s));
    mgc_json_put_str(&o, "version", s->config.version);
    put_metadata(&o, s->config.metadata, s->config.metadata_len);
    if (verb == MIDGE_SERVICE_INFO) mgc_json_put_str(&o, "description", s->config.description);
    if (verb == MIDGE_SERVICE_STATS) mgc_json_put_str(&o, "started", midge_time_text(s->started, time));
    if (verb != MIDGE_SERVICE_PING) put_endpoints(&o, s, verb);
    mgc_json_close(&o);
    // Without room to answer: the asker sees one instance less, as when it had asked a moment later.
    if (msg->reply.n && mgc_json_out_end(&o, &text) == 0) midge_respond(s->m, msg, text.p, text.n);
    mgc_json_out_fini(&o);
}

static void on_ping(midge *m, const midge_msg *msg, void *user) {
    (void)m;
    answer(user, msg, MIDGE_SERVICE_PING);
}

static void on_info(midge *m, const midge_msg *msg, void *user) {
    (void)m;
    answer(user, msg, MIDGE_SERVICE_INFO);
}

static void on_stats(midge *m, const midge_msg *msg, void *user) {
    (void)m;
    answer(user, msg, MIDGE_SERVICE_STATS);
}

int mgc_service_monitor(midge_service *s) {
    static const midge_msg_fn handlers[] = {on_ping, on_info, on_stats};
    for (int i = 0; i < MGC_SERVICE_MONITORS; i++) {
        enum midge_service_verb verb = (enum midge_service_verb)(i / 3);
        midge_str name = i % 3 ? s->config.name : MIDGE_NONE, id = i % 3 == 2 ? midge_service_id(s) : MIDGE_NONE;
        midge_str subject = mgc_service_subject(&s->arena, verb, name, id);
        if (!subject.n) return MIDGE_ENOMEM;
        s->monitors[i] = midge_subscribe(s->m, subject, MIDGE_NONE, handlers[verb], s);
        if (s->monitors[i] < 0) return s->monitors[i];
    }
    return 0;
}

void mgc_service_unmonitor(midge_service *s) {
    for (int i = 0; i < MGC_SERVICE_MONITORS; i++) {
        if (s->monitors[i] > 0) midge_unsubscribe(s->m, s->monitors[i], 0);
        s->monitors[i] = 0;
    }
}

// ---- asking ---------------------------------------------------------------------------------------------------------

#define C(type, field, kind_) {.name = #field, .kind = kind_, .at = offsetof(type, field)}
#define ENDPOINT(field, kind_) C(midge_endpoint_result, field, kind_)
static const mgc_field endpoint_fields[] = {
    ENDPOINT(name, MGC_STR),
    ENDPOINT(subject, MGC_STR),
    ENDPOINT(queue_group, MGC_STR),
    {.name = "metadata", .kind = MGC_PAIRS, .at = offsetof(midge_endpoint_result, metadata),
     .len_at = offsetof(midge_endpoint_result, metadata_len)},
    ENDPOINT(num_requests, MGC_U64),
    ENDPOINT(num_errors, MGC_U64),
    ENDPOINT(last_error, MGC_STR),
    ENDPOINT(processing_time, MGC_I64),
    ENDPOINT(average_processing_time, MGC_I64),
    ENDPOINT(data, MGC_RAW),
    {0},
};

#define SERVICE(field, kind_) C(midge_service_result, field, kind_)
static const mgc_field service_fields[] = {
    SERVICE(name, MGC_STR),
    SERVICE(id, MGC_STR),
    SERVICE(version, MGC_STR),
    SERVICE(description, MGC_STR),
    {.name = "metadata", .kind = MGC_PAIRS, .at = offsetof(midge_service_result, metadata),
     .len_at = offsetof(midge_service_result, metadata_len)},
    SERVICE(started, MGC_TIME),
    {.name = "endpoints", .kind = MGC_OBJECTS, .at = offsetof(midge_service_result, endpoints),
     .len_at = offsetof(midge_service_result, endpoints_len), .size = sizeof(midge_endpoint_result),
     .more = endpoint_fields},
    {0},
};

enum { MAX_SERVICES = 65536 };

typedef struct asking {
    enum midge_service_verb verb;
    bool one; // an instance was named: its answer is the end
    int64_t sent;
    midge_service_result *services;
} asking;

// An answer of another type, or none at all, is nobody's: it is passed over (spec/monitoring-and-tools.md E).
static void answer_came(midge_op *op, const midge_msg *msg) {
    asking *plan = op->internal->plan;
    mgc_arena *a = mgc_op_arena(op);
    midge_service_result one = {.json = mgc_arena_dup(a, msg->data), .rtt = mgc_wall_now() - plan->sent};
    mgc_json type;
    if (!mgc_json_find(one.json, "type", &type) || !mgc_json_is(&type, mgc_service_types[plan->verb])) return;
    if (op->len == MAX_SERVICES || mgc_bind_parse(one.json, service_fields, &one, a) != 0 || !one.id.n) return;
    plan->services = mgc_arena_push(a, plan->services, &op->len, sizeof one);
    if (plan->services) plan->services[op->len - 1] = one;
}

static void discovered(midge *m, int err, const midge_msg *msg, void *user) {
    midge_op *op = user;
    asking *plan = op->internal->plan;
    (void)m;
    if (msg) answer_came(op, msg);
    if (msg && !plan->one) return;
    op->internal->request = 0;
    op->services = plan->services;
    mgc_op_end(op, op->internal->arena.failed ? MIDGE_ENOMEM : err);
}

static int ask(midge_op *op, enum midge_service_verb verb, midge_str name, midge_str id, uint32_t stall) {
    const midge_request_opts opts = {
        .timeout = op->timeout, .stall = stall ? stall : 300, .max_replies = id.n ? 1 : UINT16_MAX};
    mgc_op *in = op->internal;
    asking *plan = mgc_arena_alloc(&in->arena, sizeof *plan);
    midge_str subject = mgc_service_subject(&in->arena, verb, name, id);
    if (!plan || !subject.n) return MIDGE_ENOMEM;
    *plan = (asking){.verb = verb, .one = id.n > 0, .sent = mgc_wall_now()};
    in->plan = plan;
    int32_t request = midge_request(in->m, subject, MIDGE_NONE, "", 0, &opts, discovered, op);
    in->request = request > 0 ? request : 0;
    return request > 0 ? 0 : request;
}

int midge_service_discover(midge *m, midge_op *op, enum midge_service_verb verb, midge_str name, midge_str id,
                           uint32_t stall) {
    if ((unsigned)verb > MIDGE_SERVICE_STATS || (name.n && !mgc_restricted_ok(name))) return MIDGE_EINVAL;
    if (id.n && (!name.n || !mgc_name_ok(id))) return MIDGE_EINVAL;
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, ask(op, verb, name, id, stall));
}
