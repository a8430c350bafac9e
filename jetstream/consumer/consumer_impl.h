// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Inside of a consumer: shared by the files of this folder that are its verbs.
//
//   consumer.c  life, and which message is wanted    acks.c    acknowledgements
//   deliver.c   giving a message to somebody         pulls.c   pull requests: admission, and who gets a message
//   ticks.c     what happens by time                 push.c    activity, flow control, heartbeats
//   changes.c   stream and API change something      status.c  frames without payload
//   pins.c      pinned clients
#ifndef MG_JETSTREAM_CONSUMER_CONSUMER_IMPL_H
#define MG_JETSTREAM_CONSUMER_CONSUMER_IMPL_H

#include "jetstream/consumer/consumer.h"
#include "jetstream/consumer/waiting.h"

#define MG_JS_SECOND INT64_C(1000000000)
#define MG_JS_FLOW_WINDOW_FIRST (INT64_C(2) << 20) // bytes (spec 12.3)
#define MG_JS_FLOW_WINDOW_MAX (INT64_C(32) << 20)
#define MG_JS_REASON_DELETED "Unacknowledged message was deleted"
#define MG_JS_REASON_LIMITS "Message deleted by stream limits"
#define MG_JS_FLOW_ID_MAX 5 // ".abcd"

// Only push consumers have one.
struct mg_js_push {
    bool active;
    int64_t next_heartbeat; // MG_JS_NEVER
    // Flow control (spec 12.3), in bytes.
    int64_t out, window, asked; // asked: what the outstanding request covers
    char flow_id[MG_JS_FLOW_ID_MAX]; // the last token of the outstanding request; [0] == 0: none
    // The rate limit: a bucket of bytes.
    double bucket;
    int64_t bucket_time;
};

// Only while somebody is pinned.
struct mg_js_pin {
    char id[MG_JS_PIN_ID];
    char group[16];
    uint8_t group_len;
    int64_t since, until;
};

// Only with replay original: until the end of the stream is reached. The times of
// the last message, in the stream and in fact.
struct mg_js_replay {
    int64_t stored, sent; // 0: nothing was sent yet
};

struct mg_js_consumer {
    struct mg_js_consumer_env *env;
    const struct mg_js_consumer_rules *rules;
    void *app;
    struct mg_js_state state;
    uint64_t next;        // the position; never below mg_js_state_next
    uint64_t num_pending;
    int64_t last_delivered, last_acked;
    int64_t used;         // pull: when somebody last used it; push: when interest was lost
    int64_t inactive_at;  // MG_JS_NEVER
    int64_t hold_until;   // replay and rate limit: nothing new before that
    struct mg_js_waiting *waiting; // owned; NULL: no request waits
    struct mg_js_push *push;       // owned; NULL: pull
    struct mg_js_pin *pin;         // owned; NULL: nobody
    struct mg_js_replay *replay;   // owned; NULL: as fast as it goes
    uint32_t epoch;
    uint16_t jitter_ms;   // of inactive_after
    bool no_taker;        // a message went round and nobody could take it: wait for something to happen
    bool paused;
    uint16_t name_len;
    char name[];
};

static inline bool consumer_is_push(const struct mg_js_consumer *c) { return mg_js_rules_push(c->rules); }
static inline int64_t consumer_jitter(const struct mg_js_consumer *c) { return c->jitter_ms * MG_JS_MS; }
static inline mg_slice consumer_name(const struct mg_js_consumer *c) { return mg_slice_of(c->name, c->name_len); }
static inline int64_t consumer_later(int64_t now, int64_t ns) {
    int64_t at;
    return __builtin_add_overflow(now, ns, &at) ? (ns > 0 ? MG_JS_NEVER : 0) : at;
}

// consumer.c: records a change and applies it.
void consumer_record(struct mg_js_consumer *c, const struct mg_js_delta *d);
void consumer_apply(struct mg_js_consumer *c, const struct mg_js_delta *d);
// Both.
void consumer_commit(struct mg_js_consumer *c, enum mg_js_delta_op op, uint64_t seq, int64_t due);
void consumer_notice(struct mg_js_consumer *c, const struct mg_js_notice *n);
// A message that is not the stream's any more: terminated with a reason, or only forgotten.
void consumer_forget(struct mg_js_consumer *c, struct mg_js_entry *e, const char *reason);
// max_deliver is reached: true, and it is parked.
bool consumer_park_spent(struct mg_js_consumer *c, struct mg_js_entry *e);

// deliver.c: m is what is wanted. True: somebody got it.
bool consumer_deliver(struct mg_js_consumer *c, int64_t now, const struct mg_message *m);

// status.c: text is what follows "NATS/1.0 ". pending: with the two headers of what is left of w.
void consumer_status(struct mg_js_consumer *c, mg_slice to, const char *text);
void consumer_status_pending(struct mg_js_consumer *c, const struct mg_js_waiter *w, const char *text);
void consumer_heartbeat(struct mg_js_consumer *c, mg_slice to);

// pulls.c
struct mg_js_waiter *consumer_next_waiter(struct mg_js_consumer *c, int64_t now, size_t size, bool first_delivery);
void consumer_check_waiting(struct mg_js_consumer *c, int64_t now, bool at_end);
void consumer_drop_waiter(struct mg_js_consumer *c, struct mg_js_waiter *w);
void consumer_used(struct mg_js_consumer *c, int64_t now);

// push.c
bool push_may_send(const struct mg_js_consumer *c);
void push_sent(struct mg_js_consumer *c, int64_t now, size_t size);
// Takes size from the bucket: 0, or the time to wait until.
int64_t push_rate(struct mg_js_consumer *c, int64_t now, size_t size);
void push_flow_subject(const struct mg_js_consumer *c, struct mg_buf *out);
void push_tick(struct mg_js_consumer *c, int64_t now);

// pins.c
void pin_set(struct mg_js_consumer *c, int64_t now, struct mg_js_waiter *w);
void pin_clear(struct mg_js_consumer *c);
static inline mg_slice pin_id(const struct mg_js_consumer *c) {
    return c->pin != NULL ? mg_slice_of(c->pin->id, MG_JS_PIN_ID) : mg_slice_of(NULL, 0);
}
void pin_expire(struct mg_js_consumer *c, const char *reason);

// ticks.c
void consumer_arm_inactive(struct mg_js_consumer *c, int64_t now);

#endif
