// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The configuration of a consumer: read from a request, completed and checked, compared, updated, written. Pure. Facts:
// spec/jetstream-consumers.md 2 and 3.
//
// A create goes: mg_js_consumer_read, mg_js_consumer_admit, the stream is found, pause_until of an existing consumer is
// put in, mg_js_consumer_stamp, mg_js_consumer_check; then against what is there: mg_js_consumer_same for action
// "create", mg_js_consumer_workqueue, mg_js_consumer_update. All return 0 or MG_EINVAL with *e filled.
#ifndef MG_JETSTREAM_API_CONSUMER_CONFIG_H
#define MG_JETSTREAM_API_CONSUMER_CONFIG_H

#include "jetstream/api/errors.h"
#include "jetstream/api/limits.h"
#include "jetstream/api/shape.h"
#include "jetstream/api/stream_config.h"
#include "jetstream/consumer/policy.h"

enum mg_js_replay { MG_JS_REPLAY_INSTANT, MG_JS_REPLAY_ORIGINAL };
enum mg_js_action { MG_JS_CREATE_OR_UPDATE, MG_JS_UPDATE, MG_JS_CREATE };

// Durations are nanoseconds, 0 is "not set" everywhere.
struct mg_js_consumer_config {
    mg_slice durable_name, name, description;
    int deliver_policy; // enum mg_js_deliver_policy
    uint64_t opt_start_seq;
    struct mg_js_time opt_start_time;
    int ack_policy; // enum mg_js_ack_policy
    int64_t ack_wait;
    int64_t max_deliver; // -1: no limit
    struct mg_durations backoff;
    mg_slice filter_subject;
    struct mg_strings filter_subjects;
    int replay_policy;       // enum mg_js_replay
    uint64_t rate_limit_bps; // bits a second
    mg_slice sample_freq;    // "30" or "30%"
    int64_t max_waiting;
    int64_t max_ack_pending; // -1: no limit
    bool flow_control, headers_only;
    int64_t max_batch, max_expires, max_bytes; // of a pull request
    mg_slice deliver_subject;                  // empty: a pull consumer
    mg_slice deliver_group;
    int64_t idle_heartbeat, inactive_threshold;
    int64_t num_replicas;
    bool mem_storage, direct, sourcing;
    struct mg_map metadata;
    struct mg_js_time pause_until;
    struct mg_strings priority_groups;
    int priority_policy; // enum mg_js_priority_policy
    int64_t priority_timeout;
};

struct mg_js_consumer_request {
    mg_slice stream_name;
    struct mg_js_consumer_config config;
    int action; // enum mg_js_action
    bool pedantic;
};

// Reads the body of a request into a zeroed *req. On error req still has to be freed.
int mg_js_consumer_read(struct mg_js_consumer_request *req, mg_slice body, bool strict, struct mg_js_error *e);
void mg_js_consumer_request_fini(struct mg_js_consumer_request *req);

// The subject of a create against its body, for all forms of the subject, beginning with "$JS.API.CONSUMER."; sets the
// name as the form says. *name: how the consumer will be called, empty: the server finds one. Borrowed from subject or
// *req.
int mg_js_consumer_admit(struct mg_js_consumer_request *req, mg_slice subject, mg_slice *name, struct mg_js_error *e);
// Fills in defaults and checks everything, in the reference's order. stream is the one it belongs to.
int mg_js_consumer_check(struct mg_js_consumer_config *c, const struct mg_js_stream_config *stream,
                         const struct mg_js_limits *limits, bool pedantic, struct mg_js_error *e);
// What passed these checks and this server has not got all the same.
int mg_js_consumer_check_supported(const struct mg_js_consumer_config *c, struct mg_js_error *e);
bool mg_js_group_valid(mg_slice group); // the name of a priority group that is not empty
// What is checked last before a new one is made: the length of its name.
int mg_js_consumer_check_name(const struct mg_js_consumer_config *c, struct mg_js_error *e);
// How many consumers the stream may have; 0: no limit. Those with `direct` or `sourcing` do not count.
int64_t mg_js_consumer_maximum(const struct mg_js_stream_config *stream, const struct mg_js_limits *limits);
// A new consumer on a work-queue stream. others: how many (that count) there are; unique: no filter of theirs collides.
int mg_js_consumer_check_workqueue(const struct mg_js_consumer_config *c, size_t others, bool unique,
                                   struct mg_js_error *e);
// May a consumer of configuration `old` become the checked c? bound: something subscribes to old's deliver subject.
int mg_js_consumer_update(const struct mg_js_consumer_config *old, const struct mg_js_consumer_config *c, bool bound,
                          struct mg_js_error *e);
// Would the stream's limits, being updated, forbid this consumer (10069)?
bool mg_js_consumer_violates(const struct mg_js_consumer_config *c, const struct mg_js_consumer_limits *limits);
// Does a filter of a collide with b's filters, or has b none? That an a without filters collides with nothing is the
// reference's (spec/jetstream-consumers.md 14.2). For work-queue streams, b any other consumer that counts.
bool mg_js_consumer_collide(const struct mg_js_consumer_config *a, const struct mg_js_consumer_config *b);
// An ephemeral without inactive_threshold gets 5 s, when everything is checked and compared. On update old, else NULL,
// says whether it is one, whatever the new configuration says.
void mg_js_consumer_settle(struct mg_js_consumer_config *c, const struct mg_js_consumer_config *old);

// The filters as one list, whichever member they stand in: filter(c, i) for i < filters(c).
size_t mg_js_consumer_filters(const struct mg_js_consumer_config *c);
mg_slice mg_js_consumer_filter(const struct mg_js_consumer_config *c, size_t i);
// Percent of acknowledgements that are sampled, from sample_freq; 0: none.
int64_t mg_js_consumer_sample_percent(const struct mg_js_consumer_config *c);
static inline bool mg_js_consumer_is_push(const struct mg_js_consumer_config *c) { return c->deliver_subject.n > 0; }
static inline bool mg_js_consumer_is_durable(const struct mg_js_consumer_config *c) { return c->durable_name.n > 0; }

// Metadata: as for streams.
void mg_js_consumer_stamp(struct mg_js_consumer_config *c);
bool mg_js_consumer_equal(const struct mg_js_consumer_config *a, const struct mg_js_consumer_config *b);
bool mg_js_consumer_same(const struct mg_js_consumer_config *c, const struct mg_js_consumer_config *stored);

void mg_js_consumer_copy(struct mg_js_consumer_config *dst, const struct mg_js_consumer_config *src);
void mg_js_consumer_fini(struct mg_js_consumer_config *c);
void mg_js_consumer_write(const struct mg_js_consumer_config *c, struct mg_jw *w);
// As it is stored: without what most have the same. mg_js_consumer_load reads that, and with `whole` what
// mg_js_consumer_write writes. MG_ECORRUPT: it is none.
void mg_js_consumer_store(const struct mg_js_consumer_config *c, struct mg_jw *w);
int mg_js_consumer_load(struct mg_js_consumer_config *c, mg_slice json, bool whole);
void mg_js_consumer_write_answer(const struct mg_js_consumer_config *c, const char *version, struct mg_jw *w);

#endif
