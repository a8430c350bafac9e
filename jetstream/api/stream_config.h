// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The configuration of a stream: read from a request, completed and checked, compared, updated, written. Pure: other
// streams are seen through a callback. Facts: spec/jetstream-streams.md 4, 5, 13 and 16.
//
// A create goes: mg_js_stream_read, mg_js_stream_admit, the account's counts, mg_js_stream_check. An update goes:
// mg_js_stream_read, mg_js_stream_check, the name, mg_js_stream_update. All return 0 or MG_EINVAL with *e filled; after
// an error the config is only fit for mg_js_stream_fini.
#ifndef MG_JETSTREAM_API_STREAM_CONFIG_H
#define MG_JETSTREAM_API_STREAM_CONFIG_H

#include "jetstream/api/errors.h"
#include "jetstream/api/limits.h"
#include "jetstream/api/shape.h"

enum mg_js_retention { MG_JS_LIMITS, MG_JS_INTEREST, MG_JS_WORKQUEUE };
enum mg_js_discard { MG_JS_DISCARD_OLD, MG_JS_DISCARD_NEW };
enum mg_js_storage { MG_JS_FILE, MG_JS_MEMORY };
enum mg_js_compression { MG_JS_COMPRESSION_NONE, MG_JS_COMPRESSION_S2 };
enum mg_js_persist { MG_JS_PERSIST_DEFAULT, MG_JS_PERSIST_ASYNC };

struct mg_js_placement {
    mg_slice cluster;
    struct mg_strings tags;
    mg_slice preferred;
};

struct mg_js_subject_transform {
    mg_slice src, dest;
};

struct mg_js_external {
    mg_slice api, deliver;
};

struct mg_js_source_consumer {
    mg_slice name, deliver_subject;
};

// Where a mirror or a source takes its messages from.
struct mg_js_source {
    mg_slice name;
    uint64_t opt_start_seq;
    struct mg_js_time opt_start_time;
    mg_slice filter_subject;
    mg_list_of(struct mg_js_subject_transform) subject_transforms;
    struct mg_js_external *external;        // NULL: in this account
    struct mg_js_source_consumer *consumer; // NULL: one of our own
};

struct mg_js_republish {
    mg_slice src, dest;
    bool headers_only;
};

// Defaults and maxima of the stream's consumers; 0: none.
struct mg_js_consumer_limits {
    int64_t inactive_threshold; // nanoseconds
    int64_t max_ack_pending;
};

// -1 is "no limit" once it is checked. Durations are nanoseconds.
struct mg_js_stream_config {
    mg_slice name, description;
    struct mg_strings subjects;
    int retention; // enum mg_js_retention
    int64_t max_consumers, max_msgs, max_bytes;
    int64_t max_age; // 0: none
    int64_t max_msgs_per_subject;
    int32_t max_msg_size;
    int discard, storage; // enum mg_js_discard, enum mg_js_storage
    int64_t num_replicas;
    bool no_ack;
    int64_t duplicate_window; // 0: no deduplication
    struct mg_js_placement *placement;
    struct mg_js_source *mirror;
    mg_list_of(struct mg_js_source) sources;
    int compression; // enum mg_js_compression
    uint64_t first_seq;
    struct mg_js_subject_transform *subject_transform;
    struct mg_js_republish *republish;
    bool allow_direct, mirror_direct, discard_new_per_subject;
    bool sealed, deny_delete, deny_purge, allow_rollup_hdrs;
    struct mg_js_consumer_limits consumer_limits;
    bool allow_msg_ttl;
    int64_t subject_delete_marker_ttl;
    bool allow_msg_counter, allow_atomic, allow_msg_schedules;
    int persist_mode; // enum mg_js_persist
    bool allow_batched;
    struct mg_map metadata;
};

struct mg_js_stream_request {
    struct mg_js_stream_config config;
    bool pedantic; // refuse what would be mended silently
};

// What a check may look at.
struct mg_js_stream_env {
    const struct mg_js_limits *limits;
    // The configuration of another stream of the account, NULL if there is none; valid until the next call.
    const struct mg_js_stream_config *(*find)(void *arg, mg_slice name);
    void *arg;
};

// Reads the body of a request into a zeroed *req. On error req still has to be freed.
int mg_js_stream_read(struct mg_js_stream_request *req, mg_slice body, bool strict, struct mg_js_error *e);
void mg_js_stream_request_fini(struct mg_js_stream_request *req);

// What a create is refused for before anything else: the name against the subject's token, sealed, mirror_direct.
int mg_js_stream_admit(const struct mg_js_stream_config *c, mg_slice token, struct mg_js_error *e);
// Fills in defaults and checks everything, in the reference's order.
int mg_js_stream_check(struct mg_js_stream_config *c, const struct mg_js_stream_env *env, bool pedantic,
                       struct mg_js_error *e);
// A single server holds one replica; called behind mg_js_stream_check on create (an update checks it itself).
int mg_js_stream_check_replicas(const struct mg_js_stream_config *c, struct mg_js_error *e);
// What passed all checks and this server has not got all the same.
int mg_js_stream_check_supported(const struct mg_js_stream_config *c, struct mg_js_error *e);
// May a stream of configuration `old` become the checked *c? Sealing changes *c.
int mg_js_stream_update(const struct mg_js_stream_config *old, struct mg_js_stream_config *c, struct mg_js_error *e);
// Does one of the subjects collide with one of the other's?
bool mg_js_subjects_collide(const struct mg_strings *a, const struct mg_strings *b);

// Metadata (section 16). The stored configuration has the level that it requires; answers also say who answers.
void mg_js_stream_stamp(struct mg_js_stream_config *c); // before a configuration is compared or stored
// Is the request c, checked and stamped, what is there already? Order of subjects and sources matters, the server's own
// metadata does not.
bool mg_js_stream_same(const struct mg_js_stream_config *c, const struct mg_js_stream_config *stored);

void mg_js_stream_copy(struct mg_js_stream_config *dst, const struct mg_js_stream_config *src);
void mg_js_stream_fini(struct mg_js_stream_config *c);
// The stored form is JSON as the reference prints it: mg_js_stream_load reads it back. MG_ECORRUPT: it is none.
void mg_js_stream_write(const struct mg_js_stream_config *c, struct mg_jw *w);
int mg_js_stream_load(struct mg_js_stream_config *c, mg_slice json);
// The same for what the disk has of the stream `name`. MG_ECORRUPT: it cannot be served. Without any text (the store
// was rebuilt, and that was lost) one is made up: it keeps what is there, takes nothing in, and can be updated.
int mg_js_stream_recover(struct mg_js_stream_config *c, mg_slice name, mg_slice json);
// As mg_js_stream_write, with _nats.ver and _nats.level: for answers to create, update and info.
void mg_js_stream_write_answer(const struct mg_js_stream_config *c, const char *version, struct mg_jw *w);

// Names of streams and consumers: not empty, no blank, none of `. * > \ /`.
bool mg_js_name_valid(mg_slice name);
// Subjects that a configuration subscribes or publishes to, and filters of them: MG_JS_MAX_SUBJECT bytes at most.
bool mg_js_subject_valid(mg_slice subject);

// The shapes that other files use.
extern const struct mg_shape mg_js_transform_shape, mg_js_external_shape;

#endif
