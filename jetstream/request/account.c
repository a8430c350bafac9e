// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the API tells of the account (spec/jetstream-streams.md 3), and what is refused: there is no cluster,
// and snapshots are not supported yet.
#include "jetstream/request/request.h"

void mg_js_do_account_info(struct mg_js_request *rq) {
    struct mg_js *js = rq->js;
    const struct mg_js_sums sums = mg_js_sums(js->o.shared, mg_shard_count(js->shard));
    const struct mg_js_account_info a = {
        .memory = mg_js_used(js, MG_JS_MEMORY),
        .storage = mg_js_used(js, MG_JS_FILE),
        .reserved_memory = js->all->reserved[MG_JS_MEMORY],
        .reserved_storage = js->all->reserved[MG_JS_FILE],
        .streams = mg_js_catalogue_streams(js->all),
        .consumers = sums.consumers,
        .max_memory = -1,
        .max_storage = -1,
        .max_streams = -1,
        .max_consumers = -1,
        .max_ack_pending = -1,
        .memory_max_stream_bytes = -1,
        .storage_max_stream_bytes = -1,
        .domain = js->domain,
        .api_total = sums.answered,
        .api_errors = sums.errors,
    };
    struct mg_buf out = MG_BUF_INIT;
    mg_js_reply_account(&out, &a);
    mg_js_answer(rq, &out);
    mg_buf_fini(&out);
}

void mg_js_do_unclustered(struct mg_js_request *rq) { mg_js_answer_fail(rq, MG_JSE_CLUSTER_REQUIRED); }

// ---- what is not there yet (spec/jetstream-streams.md 9) ------------------------------------------------------------

static void refuse(struct mg_js_request *rq, enum mg_js_errno err) {
    struct mg_js_error e = {0};
    mg_js_failf(&e, err, "not supported by this server yet");
    mg_js_answer_error(rq, &e);
}

void mg_js_do_snapshot(struct mg_js_request *rq) {
    if (mg_js_request_filled(rq) && mg_js_request_stream(rq)) refuse(rq, MG_JSE_STREAM_SNAPSHOT);
}

void mg_js_do_restore(struct mg_js_request *rq) {
    if (mg_js_request_filled(rq)) refuse(rq, MG_JSE_STREAM_RESTORE);
}
