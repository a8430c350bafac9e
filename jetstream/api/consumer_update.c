// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What surrounds a consumer's configuration: the subject that a create came on, and what the stream and the consumers
// that are there say (spec/jetstream-consumers.md 2, 2.1, 2.2, 14.2).
#include "jetstream/api/consumer_config.h"

#include "server/base/errors.h"
#include "server/proto/subject.h"

// ---- the subject of a create --------------------------------------------------------------------------------------

// Token `at` of the subject, from 0; empty if there is none. rest: with everything behind it.
static mg_slice token_at(mg_slice subject, size_t at, bool rest) {
    struct mg_tokens it = mg_tokens_of(subject);
    mg_slice token = {NULL, 0};
    for (size_t i = 0; mg_tokens_next(&it, &token); i++)
        if (i == at) return rest ? mg_slice_of(token.p, (size_t)(subject.p + subject.n - token.p)) : token;
    return mg_slice_of(NULL, 0);
}

static int check_name_and_durable(struct mg_js_consumer_request *req, bool durable_form, bool new_form, mg_slice name,
                                  struct mg_js_error *e) {
    struct mg_js_consumer_config *c = &req->config;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '\\' || name.p[i] == '/') return mg_js_fail(e, MG_JSE_CONSUMER_NAME_CONTAINS_PATH_SEPARATORS);
    if (durable_form && c->durable_name.n == 0) return mg_js_fail(e, MG_JSE_CONSUMER_DURABLE_NAME_NOT_SET);
    bool other = c->durable_name.n > 0 && !mg_slice_eq(name, c->durable_name);
    if ((durable_form || new_form) && other) return mg_js_fail(e, MG_JSE_CONSUMER_DURABLE_NAME_NOT_MATCH_SUBJECT);
    if (durable_form || new_form) mg_string_set(&c->name, name);
    else if (c->durable_name.n > 0) return mg_js_fail(e, MG_JSE_CONSUMER_EPHEMERAL_WITH_DURABLE_NAME);
    return 0;
}

int mg_js_consumer_admit(struct mg_js_consumer_request *req, mg_slice subject, mg_slice *name, struct mg_js_error *e) {
    size_t n = mg_subject_tokens(subject);
    bool durable_form = n > 5 && mg_slice_eq(token_at(subject, 3, false), MG_S("DURABLE"));
    bool new_form = n > 5 && !durable_form;
    if (durable_form && n != 7) return mg_js_fail(e, MG_JSE_CONSUMER_DURABLE_NAME_NOT_IN_SUBJECT);
    mg_slice stream = token_at(subject, durable_form ? 5 : 4, false);
    *name = durable_form ? token_at(subject, 6, false) : new_form ? token_at(subject, 5, false) : req->config.name;
    if (!mg_slice_eq(stream, req->stream_name)) return mg_js_fail(e, MG_JSE_STREAM_MISMATCH);
    int rc = check_name_and_durable(req, durable_form, new_form, *name, e);
    if (rc != 0) return rc;
    mg_slice filter = new_form ? token_at(subject, 6, true) : mg_slice_of(NULL, 0);
    if (filter.n > 0 && req->config.filter_subjects.n > 0)
        return mg_js_fail(e, MG_JSE_CONSUMER_MULTIPLE_FILTERS_NOT_ALLOWED);
    if (filter.n > 0 && !mg_slice_eq(filter, req->config.filter_subject))
        return mg_js_fail(e, MG_JSE_CONSUMER_CREATE_FILTER_SUBJECT_MISMATCH);
    return req->config.num_replicas > 1 ? mg_js_fail(e, MG_JSE_STREAM_REPLICAS_NOT_SUPPORTED) : 0;
}

int mg_js_consumer_check_name(const struct mg_js_consumer_config *c, struct mg_js_error *e) {
    if (c->durable_name.n > MG_JS_MAX_NAME)
        return mg_js_failf(e, MG_JSE_CONSUMER_NAME_TOO_LONG, "%d", MG_JS_MAX_NAME);
    return 0;
}

// ---- the stream and its consumers ---------------------------------------------------------------------------------

int64_t mg_js_consumer_maximum(const struct mg_js_stream_config *stream, const struct mg_js_limits *limits) {
    int64_t own = stream->max_consumers, account = limits->account_max_consumers;
    int64_t max = own <= 0 || (account > 0 && account < own) ? account : own;
    return max > 0 ? max : 0;
}

int mg_js_consumer_check_workqueue(const struct mg_js_consumer_config *c, size_t others, bool unique,
                                   struct mg_js_error *e) {
    if (c->direct || c->sourcing) return 0;
    if (c->ack_policy != MG_JS_ACK_EXPLICIT && c->ack_policy != MG_JS_ACK_FLOW_CONTROL)
        return mg_js_fail(e, MG_JSE_CONSUMER_WQ_REQUIRES_EXPLICIT_ACK);
    if (c->deliver_policy != MG_JS_DELIVER_ALL) return mg_js_fail(e, MG_JSE_CONSUMER_WQ_CONSUMER_NOT_DELIVER_ALL);
    if (others == 0) return 0;
    if (mg_js_consumer_filters(c) == 0) return mg_js_fail(e, MG_JSE_CONSUMER_WQ_MULTIPLE_UNFILTERED);
    return unique ? 0 : mg_js_fail(e, MG_JSE_CONSUMER_WQ_CONSUMER_NOT_UNIQUE);
}

bool mg_js_consumer_violates(const struct mg_js_consumer_config *c, const struct mg_js_consumer_limits *limits) {
    return (limits->inactive_threshold > 0 && c->inactive_threshold > limits->inactive_threshold) ||
           (limits->max_ack_pending > 0 && c->max_ack_pending > limits->max_ack_pending);
}

// ---- updates ------------------------------------------------------------------------------------------------------

static int refuse(struct mg_js_error *e, const char *what) {
    return mg_js_failf(e, MG_JSE_CONSUMER_CREATE, "%s can not be updated", what);
}

static int check_deliver_subject(const struct mg_js_consumer_config *old, const struct mg_js_consumer_config *c,
                                 bool bound, struct mg_js_error *e) {
    if (mg_slice_eq(old->deliver_subject, c->deliver_subject)) return 0;
    if (!mg_js_consumer_is_push(old))
        return mg_js_failf(e, MG_JSE_CONSUMER_CREATE, "can not update pull consumer to push based");
    if (!mg_js_consumer_is_push(c))
        return mg_js_failf(e, MG_JSE_CONSUMER_CREATE, "can not update push consumer to pull based");
    return bound ? mg_js_fail(e, MG_JSE_CONSUMER_NAME_EXIST) : 0;
}

int mg_js_consumer_update(const struct mg_js_consumer_config *old, const struct mg_js_consumer_config *c, bool bound,
                          struct mg_js_error *e) {
    if (old->deliver_policy != c->deliver_policy) return refuse(e, "deliver policy");
    if (old->mem_storage != c->mem_storage) return refuse(e, "storage type");
    if (old->direct != c->direct) return refuse(e, "direct");
    if (old->sourcing != c->sourcing) return refuse(e, "sourcing");
    if (old->opt_start_seq != c->opt_start_seq) return refuse(e, "start sequence");
    if (!mg_js_time_same(old->opt_start_time, c->opt_start_time)) return refuse(e, "start time");
    if (old->ack_policy != c->ack_policy) return refuse(e, "ack policy");
    if (old->replay_policy != c->replay_policy) return refuse(e, "replay policy");
    if (old->idle_heartbeat != c->idle_heartbeat) return refuse(e, "heart beats");
    if (old->flow_control != c->flow_control) return refuse(e, "flow control");
    int rc = check_deliver_subject(old, c, bound, e);
    if (rc != 0) return rc;
    return old->max_waiting != c->max_waiting ? refuse(e, "max waiting") : 0;
}
