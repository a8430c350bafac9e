// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The stream configuration's tables, in the order in which the reference prints the members, and what follows from
// them: reading, writing, comparing. The rules are in stream_check.c, stream_sources.c and stream_update.c.
#include "jetstream/api/stream_config.h"

#include "jetstream/api/limits.h"
#include "jetstream/api/metadata.h"
#include "jetstream/api/stream_check.h"
#include "server/base/errors.h"
#include "server/proto/subject.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SHAPE(type, go, fields) {go, sizeof(struct type), fields, COUNT(fields)}
#define WORDS(style, words) {style, NULL, words, COUNT(words)}

// ---- words --------------------------------------------------------------------------------------------------------

static const struct mg_word retention_words[] = {
    {"limits", MG_JS_LIMITS}, {"interest", MG_JS_INTEREST}, {"workqueue", MG_JS_WORKQUEUE}};
static const struct mg_word discard_words[] = {{"old", MG_JS_DISCARD_OLD}, {"new", MG_JS_DISCARD_NEW}};
static const struct mg_word storage_words[] = {{"file", MG_JS_FILE}, {"memory", MG_JS_MEMORY}};
static const struct mg_word compression_words[] = {{"none", MG_JS_COMPRESSION_NONE}, {"s2", MG_JS_COMPRESSION_S2}};
static const struct mg_word persist_words[] = {
    {"default", MG_JS_PERSIST_DEFAULT}, {"", MG_JS_PERSIST_DEFAULT}, {"async", MG_JS_PERSIST_ASYNC}};

static const struct mg_words retention = WORDS(MG_WORDS_PLAIN, retention_words);
static const struct mg_words discard = WORDS(MG_WORDS_ANY_CASE, discard_words);
static const struct mg_words storage = WORDS(MG_WORDS_PLAIN, storage_words);
static const struct mg_words compression = WORDS(MG_WORDS_COMPRESSED, compression_words);
static const struct mg_words persist = WORDS(MG_WORDS_PLAIN, persist_words);

// ---- shapes -------------------------------------------------------------------------------------------------------

// Go's `json:"key"` and `json:"key,omitempty"`
#define SHOW(type, key, kind, ...) {#key, MG_KIND_##kind, .at = offsetof(struct type, key), ##__VA_ARGS__}
#define OMIT(type, key, kind, ...) SHOW(type, key, kind, .omit = true, ##__VA_ARGS__)

static const struct mg_field placement_fields[] = {
    OMIT(mg_js_placement, cluster, STRING),
    OMIT(mg_js_placement, tags, STRINGS),
    OMIT(mg_js_placement, preferred, STRING),
};
static const struct mg_shape placement_shape = SHAPE(mg_js_placement, "Placement", placement_fields);

static const struct mg_field transform_fields[] = {
    SHOW(mg_js_subject_transform, src, STRING),
    SHOW(mg_js_subject_transform, dest, STRING),
};
const struct mg_shape mg_js_transform_shape =
    SHAPE(mg_js_subject_transform, "SubjectTransformConfig", transform_fields);

static const struct mg_field external_fields[] = {
    SHOW(mg_js_external, api, STRING),
    SHOW(mg_js_external, deliver, STRING),
};
const struct mg_shape mg_js_external_shape = SHAPE(mg_js_external, "ExternalStream", external_fields);

static const struct mg_field source_consumer_fields[] = {
    OMIT(mg_js_source_consumer, name, STRING),
    OMIT(mg_js_source_consumer, deliver_subject, STRING),
};
static const struct mg_shape source_consumer_shape =
    SHAPE(mg_js_source_consumer, "StreamConsumerSource", source_consumer_fields);

static const struct mg_field source_fields[] = {
    SHOW(mg_js_source, name, STRING),
    OMIT(mg_js_source, opt_start_seq, UINT64),
    OMIT(mg_js_source, opt_start_time, TIME),
    OMIT(mg_js_source, filter_subject, STRING),
    OMIT(mg_js_source, subject_transforms, LIST, .by_value = true, .of = &mg_js_transform_shape),
    OMIT(mg_js_source, external, POINTER, .of = &mg_js_external_shape),
    OMIT(mg_js_source, consumer, POINTER, .of = &source_consumer_shape),
};
static const struct mg_shape source_shape = SHAPE(mg_js_source, "StreamSource", source_fields);

static const struct mg_field republish_fields[] = {
    OMIT(mg_js_republish, src, STRING),
    SHOW(mg_js_republish, dest, STRING),
    OMIT(mg_js_republish, headers_only, BOOL),
};
static const struct mg_shape republish_shape = SHAPE(mg_js_republish, "RePublish", republish_fields);

static const struct mg_field limits_fields[] = {
    OMIT(mg_js_consumer_limits, inactive_threshold, DURATION),
    OMIT(mg_js_consumer_limits, max_ack_pending, INT),
};
static const struct mg_shape limits_shape = SHAPE(mg_js_consumer_limits, "StreamConsumerLimits", limits_fields);

static const struct mg_field config_fields[] = {
    SHOW(mg_js_stream_config, name, STRING),
    OMIT(mg_js_stream_config, description, STRING),
    OMIT(mg_js_stream_config, subjects, STRINGS),
    SHOW(mg_js_stream_config, retention, ENUM, .of = &retention),
    SHOW(mg_js_stream_config, max_consumers, INT),
    SHOW(mg_js_stream_config, max_msgs, INT64),
    SHOW(mg_js_stream_config, max_bytes, INT64),
    SHOW(mg_js_stream_config, max_age, DURATION),
    SHOW(mg_js_stream_config, max_msgs_per_subject, INT64),
    OMIT(mg_js_stream_config, max_msg_size, INT32),
    SHOW(mg_js_stream_config, discard, ENUM, .of = &discard),
    SHOW(mg_js_stream_config, storage, ENUM, .of = &storage),
    SHOW(mg_js_stream_config, num_replicas, INT),
    OMIT(mg_js_stream_config, no_ack, BOOL),
    OMIT(mg_js_stream_config, duplicate_window, DURATION),
    OMIT(mg_js_stream_config, placement, POINTER, .of = &placement_shape),
    OMIT(mg_js_stream_config, mirror, POINTER, .of = &source_shape),
    OMIT(mg_js_stream_config, sources, LIST, .of = &source_shape),
    SHOW(mg_js_stream_config, compression, ENUM, .of = &compression),
    OMIT(mg_js_stream_config, first_seq, UINT64),
    OMIT(mg_js_stream_config, subject_transform, POINTER, .of = &mg_js_transform_shape),
    OMIT(mg_js_stream_config, republish, POINTER, .of = &republish_shape),
    SHOW(mg_js_stream_config, allow_direct, BOOL),
    SHOW(mg_js_stream_config, mirror_direct, BOOL),
    OMIT(mg_js_stream_config, discard_new_per_subject, BOOL),
    SHOW(mg_js_stream_config, sealed, BOOL),
    SHOW(mg_js_stream_config, deny_delete, BOOL),
    SHOW(mg_js_stream_config, deny_purge, BOOL),
    SHOW(mg_js_stream_config, allow_rollup_hdrs, BOOL),
    SHOW(mg_js_stream_config, consumer_limits, STRUCT, .of = &limits_shape),
    SHOW(mg_js_stream_config, allow_msg_ttl, BOOL),
    OMIT(mg_js_stream_config, subject_delete_marker_ttl, DURATION),
    OMIT(mg_js_stream_config, allow_msg_counter, BOOL),
    OMIT(mg_js_stream_config, allow_atomic, BOOL),
    OMIT(mg_js_stream_config, allow_msg_schedules, BOOL),
    OMIT(mg_js_stream_config, persist_mode, ENUM, .of = &persist),
    OMIT(mg_js_stream_config, allow_batched, BOOL),
    OMIT(mg_js_stream_config, metadata, MAP),
};
static const struct mg_shape config_shape = SHAPE(mg_js_stream_config, "StreamConfig", config_fields);

static const struct mg_field request_fields[] = {
    SHOW(mg_js_stream_request, config, EMBEDDED, .of = &config_shape),
    OMIT(mg_js_stream_request, pedantic, BOOL),
};
static const struct mg_shape request_shape = SHAPE(mg_js_stream_request, "StreamConfigRequest", request_fields);

// ---- what follows -------------------------------------------------------------------------------------------------

int mg_js_stream_read(struct mg_js_stream_request *req, mg_slice body, bool strict, struct mg_js_error *e) {
    struct mg_buf text = MG_BUF_INIT;
    int rc = mg_shape_read(&request_shape, body, strict, req, &text);
    if (rc != 0) {
        mg_slice value = mg_buf_slice(&text);
        rc = mg_js_fail_with(e, MG_JSE_INVALID_JSON, &value, 1);
    }
    mg_buf_fini(&text);
    return rc;
}

void mg_js_stream_request_fini(struct mg_js_stream_request *req) { mg_shape_fini(&request_shape, req); }
void mg_js_stream_fini(struct mg_js_stream_config *c) { mg_shape_fini(&config_shape, c); }

void mg_js_stream_copy(struct mg_js_stream_config *dst, const struct mg_js_stream_config *src) {
    mg_shape_copy(&config_shape, dst, src);
}

void mg_js_stream_write(const struct mg_js_stream_config *c, struct mg_jw *w) { mg_shape_write(&config_shape, c, w); }

void mg_js_stream_write_answer(const struct mg_js_stream_config *c, const char *version, struct mg_jw *w) {
    struct mg_js_stream_config answer;
    mg_shape_copy(&config_shape, &answer, c);
    mg_js_metadata_sign(&answer.metadata, version);
    mg_shape_write(&config_shape, &answer, w);
    mg_shape_fini(&config_shape, &answer);
}

int mg_js_stream_load(struct mg_js_stream_config *c, mg_slice json) {
    struct mg_buf err = MG_BUF_INIT;
    memset(c, 0, sizeof *c);
    int rc = mg_shape_read(&config_shape, json, true, c, &err);
    mg_buf_fini(&err);
    if (rc == 0) return 0;
    mg_shape_fini(&config_shape, c);
    return MG_ECORRUPT;
}

// No limit removes anything, and without subjects it is in nobody's way.
static int make_up(struct mg_js_stream_config *c, mg_slice name) {
    memset(c, 0, sizeof *c);
    mg_string_set(&c->name, name);
    mg_string_set(&c->description, MG_S("Recovered by --rebuild-store: its name and settings were lost"));
    c->max_consumers = c->max_msgs = c->max_bytes = c->max_msgs_per_subject = c->max_msg_size = -1;
    c->num_replicas = 1;
    c->allow_direct = true;
    mg_js_stream_stamp(c);
    return 0;
}

// What others rely on. Everything else in it was checked before it was stored, and can do no harm. A subject that is
// the name is one by default.
static bool is_servable(const struct mg_js_stream_config *c, mg_slice name) {
    bool ok = mg_slice_eq(c->name, name) && mg_js_name_valid(name) && name.n <= MG_JS_MAX_NAME;
    for (size_t i = 0; ok && i < c->subjects.n; i++)
        ok = mg_js_subject_valid(c->subjects.v[i]) || mg_slice_eq(c->subjects.v[i], name);
    return ok;
}

int mg_js_stream_recover(struct mg_js_stream_config *c, mg_slice name, mg_slice json) {
    int rc = json.n ? mg_js_stream_load(c, json) : make_up(c, name);
    if (rc != 0 || is_servable(c, name)) return rc;
    mg_shape_fini(&config_shape, c);
    return MG_ECORRUPT;
}

bool mg_js_stream_same(const struct mg_js_stream_config *c, const struct mg_js_stream_config *stored) {
    struct mg_js_stream_config copy;
    mg_shape_copy(&config_shape, &copy, c);
    mg_js_metadata_adopt(&copy.metadata, &stored->metadata);
    bool same = mg_shape_equal(&config_shape, &copy, stored);
    mg_shape_fini(&config_shape, &copy);
    return same;
}

bool mg_js_source_equal(const struct mg_js_source *a, const struct mg_js_source *b) {
    return mg_shape_equal(&source_shape, a, b);
}

// spec/jetstream-streams.md 16
void mg_js_stream_stamp(struct mg_js_stream_config *c) {
    int level = 0;
    if (c->allow_msg_ttl || c->subject_delete_marker_ttl > 0) level = 1;
    if (c->allow_msg_counter || c->allow_atomic || c->allow_msg_schedules) level = 2;
    if (c->persist_mode == MG_JS_PERSIST_ASYNC) level = 2;
    if (c->allow_batched) level = 4;
    mg_js_metadata_stamp(&c->metadata, level);
}

bool mg_js_name_valid(mg_slice name) {
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '\0' || strchr(" \t\r\n\f.*>\\/", name.p[i]) != NULL) return false;
    return name.n > 0;
}

bool mg_js_subject_valid(mg_slice subject) {
    return subject.n <= MG_JS_MAX_SUBJECT && mg_subject_valid_strict(subject);
}
