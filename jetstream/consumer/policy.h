// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The policies of a consumer (spec/jetstream-consumers.md 2), for its configuration and for the rules made of it.
#ifndef MG_JETSTREAM_CONSUMER_POLICY_H
#define MG_JETSTREAM_CONSUMER_POLICY_H

enum mg_js_deliver_policy {
    MG_JS_DELIVER_ALL,
    MG_JS_DELIVER_LAST,
    MG_JS_DELIVER_NEW,
    MG_JS_DELIVER_BY_START_SEQUENCE,
    MG_JS_DELIVER_BY_START_TIME,
    MG_JS_DELIVER_LAST_PER_SUBJECT,
};
enum mg_js_ack_policy { MG_JS_ACK_NONE, MG_JS_ACK_ALL, MG_JS_ACK_EXPLICIT, MG_JS_ACK_FLOW_CONTROL };
enum mg_js_priority_policy {
    MG_JS_PRIORITY_NONE,
    MG_JS_PRIORITY_OVERFLOW,
    MG_JS_PRIORITY_PINNED,
    MG_JS_PRIORITY_PRIORITIZED,
};

#endif
