// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a consumer is configured to do, as plain values: the API's configuration after defaults and checks. The state
// machine trusts it and keeps a pointer to it. Durations and times are nanoseconds. Filters are not here: consumers
// that are alike in all else share their rules, and the owner knows the filters (`matches` of consumer.h).
#ifndef MG_JETSTREAM_CONSUMER_RULES_H
#define MG_JETSTREAM_CONSUMER_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "jetstream/consumer/policy.h"
#include "server/base/slice.h"

struct mg_js_consumer_rules {
    enum mg_js_deliver_policy deliver;
    uint64_t start_seq; // by_start_sequence
    int64_t start_time; // by_start_time
    enum mg_js_ack_policy ack;
    int64_t ack_wait;
    const int64_t *backoff; // after the n-th delivery backoff[min(n - 1, len - 1)] instead of ack_wait
    unsigned backoff_len;
    int64_t max_deliver;      // <= 0: no limit
    int64_t max_ack_pending;  // <= 0: no limit
    bool replay_original;
    bool headers_only;
    int sample;               // percent
    int64_t pause_until;      // delivers nothing before that time; 0: does not pause
    int64_t inactive_after;   // goes away after that long without activity; 0: never
    bool inactive_jitter;     // plus 100 to 999 ms (spec/jetstream-consumers.md 4)

    // push
    mg_slice deliver_subject; // empty: pull
    uint64_t rate_limit;      // bits a second; 0: none
    uint64_t rate_burst;      // bytes
    bool flow_control;
    int64_t idle_heartbeat;   // 0: none

    // pull
    uint32_t max_waiting;
    int64_t max_batch, max_expires, max_bytes; // of one request; 0: no limit
    enum mg_js_priority_policy priority;
    const mg_slice *groups;
    unsigned groups_len;
    int64_t pin_timeout;
};

static inline bool mg_js_rules_push(const struct mg_js_consumer_rules *r) { return r->deliver_subject.n > 0; }

// How long after its n-th delivery (n >= 1) a message is due again.
static inline int64_t mg_js_rules_wait(const struct mg_js_consumer_rules *r, uint32_t n) {
    if (r->backoff_len == 0) return r->ack_wait;
    uint32_t step = n > 0 ? n - 1 : 0;
    return r->backoff[step < r->backoff_len ? step : r->backoff_len - 1];
}

#endif
