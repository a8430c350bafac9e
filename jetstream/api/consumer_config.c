// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The consumer configuration's table, in the order in which the reference prints the members, and what follows from it.
// The rules are in consumer_check.c and consumer_update.c.
#include "jetstream/api/consumer_config.h"

#include <errno.h>
#include <stdlib.h>

#include "jetstream/api/metadata.h"
#include "server/base/errors.h"
#include "server/proto/subject.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

// ---- words --------------------------------------------------------------------------------------------------------

static const struct mg_word deliver_words[] = {
    {"all", MG_JS_DELIVER_ALL},
    {"undefined", MG_JS_DELIVER_ALL},
    {"last", MG_JS_DELIVER_LAST},
    {"new", MG_JS_DELIVER_NEW},
    {"by_start_sequence", MG_JS_DELIVER_BY_START_SEQUENCE},
    {"by_start_time", MG_JS_DELIVER_BY_START_TIME},
    {"last_per_subject", MG_JS_DELIVER_LAST_PER_SUBJECT},
};
static const struct mg_word ack_words[] = {{"none", MG_JS_ACK_NONE},
                                           {"all", MG_JS_ACK_ALL},
                                           {"explicit", MG_JS_ACK_EXPLICIT},
                                           {"flow_control", MG_JS_ACK_FLOW_CONTROL}};
static const struct mg_word replay_words[] = {{"instant", MG_JS_REPLAY_INSTANT}, {"original", MG_JS_REPLAY_ORIGINAL}};
static const struct mg_word priority_words[] = {{"none", MG_JS_PRIORITY_NONE},
                                                {"overflow", MG_JS_PRIORITY_OVERFLOW},
                                                {"pinned_client", MG_JS_PRIORITY_PINNED},
                                                {"prioritized", MG_JS_PRIORITY_PRIORITIZED}};
static const struct mg_word action_words[] = {
    {"", MG_JS_CREATE_OR_UPDATE}, {"update", MG_JS_UPDATE}, {"create", MG_JS_CREATE}};

static const struct mg_words deliver = {MG_WORDS_PLAIN, NULL, deliver_words, COUNT(deliver_words)};
static const struct mg_words ack = {MG_WORDS_PLAIN, NULL, ack_words, COUNT(ack_words)};
static const struct mg_words replay = {MG_WORDS_PLAIN, NULL, replay_words, COUNT(replay_words)};
static const struct mg_words priority = {MG_WORDS_NAMED, "priority policy", priority_words, COUNT(priority_words)};
static const struct mg_words action = {MG_WORDS_NAMED, "consumer action", action_words, COUNT(action_words)};

// ---- shapes -------------------------------------------------------------------------------------------------------

#define SHOW(key, kind, ...) {#key, MG_KIND_##kind, .at = offsetof(struct mg_js_consumer_config, key), ##__VA_ARGS__}
#define OMIT(key, kind, ...) SHOW(key, kind, .omit = true, ##__VA_ARGS__)

static const struct mg_field config_fields[] = {
    OMIT(durable_name, STRING),
    OMIT(name, STRING),
    OMIT(description, STRING),
    SHOW(deliver_policy, ENUM, .of = &deliver),
    OMIT(opt_start_seq, UINT64),
    OMIT(opt_start_time, TIME),
    SHOW(ack_policy, ENUM, .of = &ack),
    OMIT(ack_wait, DURATION),
    OMIT(max_deliver, INT),
    OMIT(backoff, DURATIONS),
    OMIT(filter_subject, STRING),
    OMIT(filter_subjects, STRINGS),
    SHOW(replay_policy, ENUM, .of = &replay),
    OMIT(rate_limit_bps, UINT64),
    OMIT(sample_freq, STRING),
    OMIT(max_waiting, INT),
    OMIT(max_ack_pending, INT),
    OMIT(flow_control, BOOL),
    OMIT(headers_only, BOOL),
    OMIT(max_batch, INT),
    OMIT(max_expires, DURATION),
    OMIT(max_bytes, INT),
    OMIT(deliver_subject, STRING),
    OMIT(deliver_group, STRING),
    OMIT(idle_heartbeat, DURATION),
    OMIT(inactive_threshold, DURATION),
    SHOW(num_replicas, INT),
    OMIT(mem_storage, BOOL),
    OMIT(direct, BOOL),
    OMIT(sourcing, BOOL),
    OMIT(metadata, MAP),
    OMIT(pause_until, TIME),
    OMIT(priority_groups, STRINGS),
    OMIT(priority_policy, ENUM, .of = &priority),
    OMIT(priority_timeout, DURATION),
};
static const struct mg_shape config_shape = {"ConsumerConfig", sizeof(struct mg_js_consumer_config), config_fields,
                                             COUNT(config_fields)};

static const struct mg_field request_fields[] = {
    {"stream_name", MG_KIND_STRING, .at = offsetof(struct mg_js_consumer_request, stream_name)},
    {"config", MG_KIND_STRUCT, .at = offsetof(struct mg_js_consumer_request, config), .of = &config_shape},
    {"action", MG_KIND_ENUM, .at = offsetof(struct mg_js_consumer_request, action), .of = &action},
    {"pedantic", MG_KIND_BOOL, .at = offsetof(struct mg_js_consumer_request, pedantic)},
};
static const struct mg_shape request_shape = {"CreateConsumerRequest", sizeof(struct mg_js_consumer_request),
                                              request_fields, COUNT(request_fields)};

// ---- what follows -------------------------------------------------------------------------------------------------

int mg_js_consumer_read(struct mg_js_consumer_request *req, mg_slice body, bool strict, struct mg_js_error *e) {
    struct mg_buf text = MG_BUF_INIT;
    int rc = mg_shape_read(&request_shape, body, strict, req, &text);
    if (rc != 0) {
        mg_slice value = mg_buf_slice(&text);
        rc = mg_js_fail_with(e, MG_JSE_INVALID_JSON, &value, 1);
    }
    mg_buf_fini(&text);
    return rc;
}

void mg_js_consumer_request_fini(struct mg_js_consumer_request *req) { mg_shape_fini(&request_shape, req); }
void mg_js_consumer_fini(struct mg_js_consumer_config *c) { mg_shape_fini(&config_shape, c); }

void mg_js_consumer_copy(struct mg_js_consumer_config *dst, const struct mg_js_consumer_config *src) {
    mg_shape_copy(&config_shape, dst, src);
}

void mg_js_consumer_write(const struct mg_js_consumer_config *c, struct mg_jw *w) {
    mg_shape_write(&config_shape, c, w);
}

void mg_js_consumer_write_answer(const struct mg_js_consumer_config *c, const char *version, struct mg_jw *w) {
    struct mg_js_consumer_config answer;
    mg_shape_copy(&config_shape, &answer, c);
    mg_js_metadata_sign(&answer.metadata, version);
    mg_shape_write(&config_shape, &answer, w);
    mg_shape_fini(&config_shape, &answer);
}

// What is stored relies on this: it never changes. Metadata, too, has a usual value.
static const struct mg_js_consumer_config usual = {.ack_policy = MG_JS_ACK_EXPLICIT, .ack_wait = 30000000000,
                                                   .max_deliver = -1, .max_waiting = 512, .max_ack_pending = 1000};

void mg_js_consumer_store(const struct mg_js_consumer_config *c, struct mg_jw *w) {
    struct mg_js_consumer_config shown = *c;
    if (mg_js_metadata_usual(&c->metadata)) shown.metadata = (struct mg_map){NULL, 0};
    mg_shape_write_unusual(&config_shape, &shown, &usual, w);
}

int mg_js_consumer_load(struct mg_js_consumer_config *c, mg_slice json, bool whole) {
    struct mg_buf err = MG_BUF_INIT;
    *c = whole ? (struct mg_js_consumer_config){.name = {NULL, 0}} : usual;
    int rc = mg_shape_read(&config_shape, json, true, c, &err);
    mg_buf_fini(&err);
    if (!whole && c->metadata.n == 0) mg_js_metadata_stamp(&c->metadata, 0);
    if (rc == 0) return 0;
    mg_shape_fini(&config_shape, c);
    return MG_ECORRUPT;
}

bool mg_js_consumer_equal(const struct mg_js_consumer_config *a, const struct mg_js_consumer_config *b) {
    return mg_shape_equal(&config_shape, a, b);
}

bool mg_js_consumer_same(const struct mg_js_consumer_config *c, const struct mg_js_consumer_config *stored) {
    struct mg_js_consumer_config copy;
    mg_shape_copy(&config_shape, &copy, c);
    mg_js_metadata_adopt(&copy.metadata, &stored->metadata);
    bool same = mg_shape_equal(&config_shape, &copy, stored);
    mg_shape_fini(&config_shape, &copy);
    return same;
}

// spec/jetstream-consumers.md 3, server metadata keys
void mg_js_consumer_stamp(struct mg_js_consumer_config *c) {
    int level = 0;
    if (c->pause_until.set && !mg_js_time_is_zero(c->pause_until)) level = 1;
    if (c->priority_policy != MG_JS_PRIORITY_NONE || c->priority_timeout != 0 || c->priority_groups.n > 0) level = 1;
    if (c->ack_policy == MG_JS_ACK_FLOW_CONTROL) level = 4;
    mg_js_metadata_stamp(&c->metadata, level);
}

size_t mg_js_consumer_filters(const struct mg_js_consumer_config *c) {
    return (c->filter_subject.n > 0) + c->filter_subjects.n;
}

mg_slice mg_js_consumer_filter(const struct mg_js_consumer_config *c, size_t i) {
    if (c->filter_subject.n > 0 && i == 0) return c->filter_subject;
    return c->filter_subjects.v[i - (c->filter_subject.n > 0)];
}

int64_t mg_js_consumer_sample_percent(const struct mg_js_consumer_config *c) {
    if (c->sample_freq.n == 0) return 0;
    errno = 0;
    int64_t percent = strtoll(c->sample_freq.p, NULL, 10);
    return errno == 0 && percent > 0 ? percent : 0;
}

bool mg_js_consumer_collide(const struct mg_js_consumer_config *a, const struct mg_js_consumer_config *b) {
    size_t na = mg_js_consumer_filters(a), nb = mg_js_consumer_filters(b);
    if (na > 0 && nb == 0) return true;
    for (size_t i = 0; i < na; i++)
        for (size_t j = 0; j < nb; j++)
            if (mg_subject_collide(mg_js_consumer_filter(a, i), mg_js_consumer_filter(b, j))) return true;
    return false;
}
