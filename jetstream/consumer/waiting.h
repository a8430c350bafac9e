// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Pull requests that wait: a queue in the order in which they are served (spec/jetstream-consumers.md 10.4).
// Prioritized ones stand by priority, and first come first served within one.
#ifndef MG_JETSTREAM_CONSUMER_WAITING_H
#define MG_JETSTREAM_CONSUMER_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#include "jetstream/consumer/request.h"
#include "server/base/list.h"
#include "server/base/slice.h"

#define MG_JS_PIN_ID 22      // characters
#define MG_JS_PRIORITY_LAST 10 // of requests that cannot say one

// What only a request to a priority group says.
struct mg_js_waiter_group {
    int64_t min_pending, min_ack_pending;
    uint8_t name_len, id_len;
    char id[MG_JS_PIN_ID + 1]; // a longer one is kept as one byte more than any pin has
    char name[16];
};

struct mg_js_waiter {
    struct mg_list link;
    int64_t left;         // messages it still wants
    int64_t bytes_left;   // 0: no budget was asked for, or it is spent
    uint32_t given;       // messages
    bool no_wait, json;
    uint8_t priority;
    int64_t expires;      // MG_JS_NEVER
    int64_t heartbeat, next_heartbeat; // 0, MG_JS_NEVER: none
    struct mg_js_waiter_group *group;  // owned; NULL: it says nothing of the kind
    uint32_t reply_len;
    char reply[];
};

struct mg_js_waiting {
    struct mg_list queue;
    uint32_t len;
    uint32_t one_shots; // that said no_wait
    int64_t batches; // what all of them want together
    int64_t wake;    // not later than the next expiry or heartbeat
    int64_t checked; // when dead ones were looked for
};

static inline mg_slice mg_js_waiter_reply(const struct mg_js_waiter *w) { return mg_slice_of(w->reply, w->reply_len); }
static inline mg_slice mg_js_waiter_id(const struct mg_js_waiter *w) {
    return w->group ? mg_slice_of(w->group->id, w->group->id_len) : mg_slice_of(NULL, 0);
}
static inline mg_slice mg_js_waiter_group(const struct mg_js_waiter *w) {
    return w->group ? mg_slice_of(w->group->name, w->group->name_len) : mg_slice_of(NULL, 0);
}

void mg_js_waiting_init(struct mg_js_waiting *q);
void mg_js_waiting_fini(struct mg_js_waiting *q);
struct mg_js_waiter *mg_js_waiting_add(struct mg_js_waiting *q, const struct mg_js_request *r, mg_slice reply,
                                       int64_t now, bool prioritized);
struct mg_js_waiter *mg_js_waiting_head(const struct mg_js_waiting *q);
struct mg_js_waiter *mg_js_waiting_find(const struct mg_js_waiting *q, mg_slice reply);
void mg_js_waiting_cycle(struct mg_js_waiting *q, struct mg_js_waiter *w, bool prioritized); // behind its equals
void mg_js_waiting_want(struct mg_js_waiting *q, struct mg_js_waiter *w, int64_t left);
void mg_js_waiting_remove(struct mg_js_waiting *q, struct mg_js_waiter *w); // unlinks and frees

#endif
