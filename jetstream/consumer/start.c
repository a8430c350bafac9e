// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Where a new consumer begins; see start.h.
#include "jetstream/consumer/start.h"

#include "server/base/planted.h"

struct mg_js_start mg_js_start_plan(const struct mg_js_consumer_rules *r, bool filtered, int64_t per_subject) {
    struct mg_js_start plan = {MG_JS_START_KNOWN, 0};
    switch (r->deliver) {
    case MG_JS_DELIVER_LAST:
        if (filtered) plan.ask = MG_JS_START_LAST_MATCH;
        break;
    case MG_JS_DELIVER_BY_START_TIME:
        plan = (struct mg_js_start){MG_JS_START_FIRST_AT, r->start_time};
        break;
    case MG_JS_DELIVER_LAST_PER_SUBJECT:
        if (per_subject != 1) plan.ask = MG_JS_START_LAST_SUBJECTS; // else there is nothing but last ones
        break;
    default: break;
    }
    return plan;
}

static uint64_t choose(const struct mg_js_consumer_rules *r, struct mg_js_start plan, uint64_t first, uint64_t last,
                       uint64_t found) {
    switch (r->deliver) {
    case MG_JS_DELIVER_LAST: return plan.ask == MG_JS_START_KNOWN ? last : found;
    case MG_JS_DELIVER_NEW: return last + 1;
    case MG_JS_DELIVER_BY_START_SEQUENCE: return r->start_seq + MG_PLANTED(start_behind);
    case MG_JS_DELIVER_BY_START_TIME: return found > 0 ? found : last + 1;
    case MG_JS_DELIVER_LAST_PER_SUBJECT: return plan.ask == MG_JS_START_KNOWN ? first : found > 0 ? found : last;
    default: return first;
    }
}

uint64_t mg_js_start_at(const struct mg_js_consumer_rules *r, struct mg_js_start plan, uint64_t stream_first,
                        uint64_t stream_last, uint64_t found) {
    uint64_t at = choose(r, plan, stream_first, stream_last, found);
    // A start beyond the end is waited for if somebody asked for just that.
    if (at > stream_last + 1 && r->deliver != MG_JS_DELIVER_BY_START_SEQUENCE) at = stream_last + 1;
    if (at < stream_first) at = stream_first;
    return at > 0 ? at : 1;
}
