// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge_host.h: the larger things, for programs on hosts: streams and consumers, buckets of keys and their history,
// objects, services. All of it works on an engine of midge.h and is as asynchronous as that; unlike the engine it takes
// memory from malloc.
//
// An operation is a midge_op of the caller, zeroed before its first use. It is started by a function, runs while the
// engine runs, and ends once: `done` is set, then `fn` is called, if there is one. What the operation found is in the
// op and stays there until midge_op_free or the next start with the same op.
//
//      midge_op op = {0};                                           // with midge_posix.h, waiting:
//      midge_stream_info(m, &op, MIDGE_STR("ORDERS"), NULL);
//      midge_wait(c, &op.done, MIDGE_FOREVER);
//      if (op.err) printf("%.*s\n", (int)op.error.description.n, op.error.description.p);
//      else printf("%llu messages\n", (unsigned long long)op.stream.state.messages);
//      midge_op_free(&op);
//
// Rules
// - As in midge.h: one thread an engine; functions return 0 or a negative MIDGE_E* code, and after an error nothing has
//   started. Slices given to a function are copied before it returns, except where "kept" is said.
// - An op must stay where it is while it runs. From fn, everything may be done with it: freed, started again. Callbacks
//   on the way (an entry, a chunk) must leave it alone, and say by their result whether it shall go on.
// - Ends that every operation can have: ETIMEOUT, EDISCONNECTED, ECLOSED, ENOMEM, EFULL (the send buffer),
//   ENORESPONDERS (no JetStream there), EPROTO (an answer that is not understood), and the API errors (see `error`):
//   ENOTFOUND, EEXISTS, EJETSTREAM for all others.
// - Times are nanoseconds since 1970 in UTC, 0: none. Durations are nanoseconds, but `timeout` is milliseconds as in
//   midge.h.
#ifndef MIDGE_HOST_H
#define MIDGE_HOST_H

#include "client/core/midge.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct midge_op midge_op;

#define MIDGE_SECOND ((int64_t)1000000000)

typedef struct midge_pair {
    midge_str name, value;
} midge_pair;

// Writes the time as the server does, "2026-01-02T03:04:05.5Z", terminated; at most 31 bytes.
#define MIDGE_TIME_MAX 32
MIDGE_API midge_str midge_time_text(int64_t time, char out[MIDGE_TIME_MAX]);
// Reads RFC 3339; false: malformed. The year 1 is 0.
MIDGE_API bool midge_time_parse(midge_str text, int64_t *time);

// ---- streams --------------------------------------------------------------------------------------------------------

enum midge_retention { MIDGE_RETAIN_LIMITS, MIDGE_RETAIN_INTEREST, MIDGE_RETAIN_WORKQUEUE };
enum midge_storage { MIDGE_STORE_FILE, MIDGE_STORE_MEMORY };
enum midge_discard { MIDGE_DISCARD_OLD, MIDGE_DISCARD_NEW };
enum midge_compression { MIDGE_COMPRESS_NONE, MIDGE_COMPRESS_S2 };

// Zero is the server's default everywhere. Members named "JSON" are a value as text, for what is rarely set in C.
typedef struct midge_stream_config {
    midge_str name, description;
    const midge_str *subjects;
    size_t subjects_len;
    enum midge_retention retention;
    enum midge_storage storage;
    enum midge_discard discard;
    enum midge_compression compression;
    int64_t max_msgs, max_bytes, max_msgs_per_subject, max_consumers;
    int64_t max_age; // duration
    int64_t max_msg_size, num_replicas;
    int64_t duplicate_window;          // duration
    int64_t subject_delete_marker_ttl; // duration
    uint64_t first_seq;
    bool no_ack, discard_new_per_subject, sealed, deny_delete, deny_purge;
    bool allow_direct, mirror_direct, allow_rollup_hdrs, allow_msg_ttl, allow_atomic, allow_batched;
    bool allow_msg_counter, allow_msg_schedules;
    midge_str persist_mode; // "async"; empty: the default
    midge_str placement, mirror, sources, republish, subject_transform, consumer_limits; // JSON
    const midge_pair *metadata;
    size_t metadata_len;
    // Members that this struct does not know, as JSON text `"a":1,"b":[]`. Reading an info fills it, so that a config
    // that was read can be changed and sent back without losing anything.
    midge_str extra;
} midge_stream_config;

typedef struct midge_stream_state {
    uint64_t messages, bytes, first_seq, last_seq, num_subjects, num_deleted, consumer_count;
    int64_t first_ts, last_ts;
    midge_str subjects; // JSON {"subject":count}; only if asked for
    midge_str deleted;  // JSON [sequence]; only if asked for
    midge_str lost;     // JSON
} midge_stream_state;

typedef struct midge_stream_result {
    midge_stream_config config;
    midge_stream_state state;
    int64_t created, ts;
    midge_str domain;
    midge_str cluster, mirror, sources, alternates; // JSON
    uint64_t total, offset, limit;                  // paging of state.subjects
    bool did_create;
} midge_stream_result;

typedef struct midge_stream_info_opts {
    midge_str subjects_filter; // fills state.subjects; ">" for all
    uint64_t offset;           // the page of subjects that begins there
    bool deleted_details;      // fills state.deleted
} midge_stream_info_opts;

typedef struct midge_purge_opts {
    midge_str filter; // only subjects that match
    uint64_t seq;     // only below this sequence
    uint64_t keep;    // leave so many; not together with seq
} midge_purge_opts;

// Results in op->stream. Creating what exists with an equal config is fine, with another one EEXISTS. An update takes
// the whole config: what is zero goes back to its default.
MIDGE_API int midge_stream_create(midge *m, midge_op *op, const midge_stream_config *config);
MIDGE_API int midge_stream_update(midge *m, midge_op *op, const midge_stream_config *config);
MIDGE_API int midge_stream_info(midge *m, midge_op *op, midge_str stream, const midge_stream_info_opts *opts);
MIDGE_API int midge_stream_delete(midge *m, midge_op *op, midge_str stream);
// op->count: messages that were removed. opts may be NULL: all.
MIDGE_API int midge_stream_purge(midge *m, midge_op *op, midge_str stream, const midge_purge_opts *opts);
// All pages. subject: only streams that listen to it (wildcards match both ways), or MIDGE_NONE.
MIDGE_API int midge_stream_names(midge *m, midge_op *op, midge_str subject); // op->names
MIDGE_API int midge_stream_list(midge *m, midge_op *op, midge_str subject);  // op->streams

// A stored message, by its sequence, or the last one of a subject, or the first one of a subject from a sequence on.
typedef struct midge_msg_get_opts {
    uint64_t seq;
    midge_str last_by_subject, next_by_subject; // one of them, or none
} midge_msg_get_opts;

typedef struct midge_stored_msg {
    midge_str subject, headers, data; // headers: see midge_headers_next
    uint64_t seq;
    int64_t time;
} midge_stored_msg;

MIDGE_API int midge_stream_msg_get(midge *m, midge_op *op, midge_str stream, const midge_msg_get_opts *opts); // op->msg
// no_erase: faster, the bytes are not overwritten.
MIDGE_API int midge_stream_msg_delete(midge *m, midge_op *op, midge_str stream, uint64_t seq, bool no_erase);

// ---- consumers ------------------------------------------------------------------------------------------------------

enum midge_deliver {
    MIDGE_DELIVER_ALL,
    MIDGE_DELIVER_LAST,
    MIDGE_DELIVER_NEW,
    MIDGE_DELIVER_BY_START_SEQUENCE,
    MIDGE_DELIVER_BY_START_TIME,
    MIDGE_DELIVER_LAST_PER_SUBJECT
};
// The server's default for what is absent is `none`; this API's is `explicit`, and it is always written.
enum midge_ack_policy { MIDGE_ACK_EXPLICIT, MIDGE_ACK_NONE, MIDGE_ACK_ALL, MIDGE_ACK_FLOW_CONTROL };
enum midge_replay { MIDGE_REPLAY_INSTANT, MIDGE_REPLAY_ORIGINAL };

typedef struct midge_consumer_config {
    midge_str name;    // with durable unset: an ephemeral consumer of this name; empty: one is invented
    midge_str durable;
    midge_str description;
    enum midge_deliver deliver_policy;
    enum midge_ack_policy ack_policy;
    enum midge_replay replay_policy;
    uint64_t opt_start_seq;
    int64_t opt_start_time;
    int64_t ack_wait; // duration
    int64_t max_deliver;
    const int64_t *backoff; // durations
    size_t backoff_len;
    midge_str filter_subject;
    const midge_str *filter_subjects; // instead of it
    size_t filter_subjects_len;
    int64_t max_waiting, max_ack_pending, max_batch, max_expires /* duration */, max_bytes;
    int64_t inactive_threshold; // duration
    int64_t num_replicas;
    midge_str sample_freq;
    midge_str deliver_subject, deliver_group; // push
    int64_t idle_heartbeat;                   // duration, push
    uint64_t rate_limit_bps;
    bool flow_control, headers_only, mem_storage;
    int64_t pause_until;
    const midge_str *priority_groups;
    size_t priority_groups_len;
    midge_str priority_policy;
    int64_t priority_timeout; // duration
    const midge_pair *metadata;
    size_t metadata_len;
    midge_str extra; // as in midge_stream_config
} midge_consumer_config;

typedef struct midge_consumer_position {
    uint64_t consumer_seq, stream_seq;
    int64_t last_active;
} midge_consumer_position;

typedef struct midge_consumer_result {
    midge_str stream_name, name;
    midge_consumer_config config;
    midge_consumer_position delivered, ack_floor;
    uint64_t num_ack_pending, num_redelivered, num_waiting, num_pending;
    int64_t created, ts;
    int64_t pause_remaining;            // duration
    midge_str cluster, priority_groups; // JSON
    bool push_bound, paused;
} midge_consumer_result;

enum midge_consumer_action {
    MIDGE_CONSUMER_CREATE_OR_UPDATE,
    MIDGE_CONSUMER_CREATE, // EEXISTS if it is there with another config
    MIDGE_CONSUMER_UPDATE  // it must be there
};

// Results in op->consumer.
MIDGE_API int midge_consumer_create(midge *m, midge_op *op, midge_str stream, const midge_consumer_config *config,
                                    enum midge_consumer_action action);
MIDGE_API int midge_consumer_info(midge *m, midge_op *op, midge_str stream, midge_str consumer);
MIDGE_API int midge_consumer_delete(midge *m, midge_op *op, midge_str stream, midge_str consumer);
// Pauses until a time; 0 resumes. op->consumer: paused, pause_remaining.
MIDGE_API int midge_consumer_pause(midge *m, midge_op *op, midge_str stream, midge_str consumer, int64_t until);
MIDGE_API int midge_consumer_names(midge *m, midge_op *op, midge_str stream); // all pages; op->names
MIDGE_API int midge_consumer_list(midge *m, midge_op *op, midge_str stream);  // all pages; op->consumers

// ---- account, and requests of any kind ------------------------------------------------------------------------------

typedef struct midge_account_limits {
    int64_t max_memory, max_storage, max_streams, max_consumers, max_ack_pending; // -1: none
    int64_t memory_max_stream_bytes, storage_max_stream_bytes;
    bool max_bytes_required;
} midge_account_limits;

typedef struct midge_account_result {
    uint64_t memory, storage, reserved_memory, reserved_storage, streams, consumers;
    midge_account_limits limits;
    midge_str domain;
    uint64_t api_level, api_total, api_errors;
    midge_str tiers; // JSON
} midge_account_result;

MIDGE_API int midge_account_info(midge *m, midge_op *op); // op->account

// Any request of the API: `verb` is the subject behind the prefix ("STREAM.LEADER.STEPDOWN.ORDERS"), the answer is in
// op->json.
MIDGE_API int midge_api_request(midge *m, midge_op *op, midge_str verb, midge_str body);

// ---- buckets of keys (KV) -------------------------------------------------------------------------------------------
// Reading and writing single keys is midge.h's; here are the buckets and what walks over many keys.

typedef struct midge_bucket_config {
    midge_str bucket, description;
    int64_t history;          // revisions kept of a key, at most 64; 0: 1
    int64_t ttl;              // duration
    int64_t marker_ttl;       // duration, at least a second: deletes by age leave markers for so long; keys may have a
                              // TTL of their own then
    int64_t max_bytes, max_value_size, replicas;
    enum midge_storage storage;
    bool compression;
    midge_str placement, republish, mirror, sources; // JSON, as in a stream's config
    const midge_pair *metadata;
    size_t metadata_len;
} midge_bucket_config;

typedef struct midge_bucket_status {
    midge_str bucket;
    uint64_t values, bytes; // values: revisions, markers of deletes too
    int64_t history, ttl, marker_ttl, replicas;
    enum midge_storage storage;
    bool compression;
} midge_bucket_status;

MIDGE_API int midge_bucket_create(midge *m, midge_op *op, const midge_bucket_config *config); // op->stream
MIDGE_API int midge_bucket_update(midge *m, midge_op *op, const midge_bucket_config *config); // op->stream
MIDGE_API int midge_bucket_info(midge *m, midge_op *op, midge_str bucket);                    // op->stream
MIDGE_API int midge_bucket_delete(midge *m, midge_op *op, midge_str bucket);
MIDGE_API int midge_bucket_list(midge *m, midge_op *op); // op->names: of buckets
// The view of a bucket on its stream. False: the stream is not a bucket.
MIDGE_API bool midge_bucket_status_of(const midge_stream_result *stream, midge_bucket_status *status);

enum midge_entry_kind { MIDGE_ENTRY_PUT, MIDGE_ENTRY_DELETE, MIDGE_ENTRY_PURGE };

typedef struct midge_bucket_entry {
    midge_str key, value;
    uint64_t revision;
    uint64_t pending; // entries that follow
    int64_t time;
    enum midge_entry_kind kind;
} midge_bucket_entry;

// Called for each entry; slices are valid until it returns. False ends the operation, err 0.
typedef bool (*midge_entry_fn)(midge *m, midge_op *op, const midge_bucket_entry *entry);

// The keys that have a value, of those that match the filter (wildcards; MIDGE_NONE: all): op->names.
MIDGE_API int midge_bucket_keys(midge *m, midge_op *op, midge_str bucket, midge_str filter);
// All revisions that are stored of the keys that match, oldest first, markers too; MIDGE_NONE: all keys.
MIDGE_API int midge_bucket_history(midge *m, midge_op *op, midge_str bucket, midge_str filter, midge_entry_fn fn);
// Removes keys whose last revision is a marker, and their history. Markers younger than `keep` (a duration; 0: 30
// minutes, negative: none) stay, without their history. op->count: keys handled.
MIDGE_API int midge_bucket_purge_deletes(midge *m, midge_op *op, midge_str bucket, int64_t keep);

// ---- objects (ADR-20) -----------------------------------------------------------------------------------------------

typedef struct midge_objects_config {
    midge_str bucket, description;
    int64_t ttl; // duration
    int64_t max_bytes, replicas;
    enum midge_storage storage;
    bool compression;
    midge_str placement; // JSON
    const midge_pair *metadata;
    size_t metadata_len;
} midge_objects_config;

MIDGE_API int midge_objects_create(midge *m, midge_op *op, const midge_objects_config *config); // op->stream
MIDGE_API int midge_objects_info(midge *m, midge_op *op, midge_str bucket);                     // op->stream
MIDGE_API int midge_objects_delete(midge *m, midge_op *op, midge_str bucket);
MIDGE_API int midge_objects_list(midge *m, midge_op *op); // op->names: of buckets
// No further change to the bucket is possible. op->stream
MIDGE_API int midge_objects_seal(midge *m, midge_op *op, midge_str bucket);

typedef struct midge_object {
    midge_str name, description;
    midge_str headers; // JSON {"name":["value"]}
    const midge_pair *metadata;
    size_t metadata_len;
    midge_str link_bucket, link_name; // a link to an object; without a name to a bucket
    uint64_t max_chunk_size;
    midge_str bucket, nuid;
    uint64_t size, chunks;
    midge_str digest; // "SHA-256=" and base64
    bool deleted;
    int64_t time;      // of the message
    uint64_t revision; // its sequence
} midge_object;

// Where the bytes of a put come from: memory (kept until the end), or if read is set, that: it fills up to size bytes
// and returns their number; 0: the end; negative: gives up, and the put ends with that code.
typedef struct midge_object_source {
    const void *data;
    size_t len;
    int64_t (*read)(void *user, void *buf, size_t size);
    void *user;
} midge_object_source;

// Of meta count: name (at most 2,048 bytes), description, headers, metadata, max_chunk_size (0: 128 KiB; no more than
// fits a message and the send buffer, so that buffer should have room for some chunks). An object of that name is
// replaced when all of the new one is stored. op->object
MIDGE_API int midge_object_put(midge *m, midge_op *op, midge_str bucket, const midge_object *meta,
                               const midge_object_source *source);

// Takes the bytes in order; not 0: gives up, and the get ends with that code.
typedef int (*midge_object_write_fn)(void *user, const void *data, size_t len);

// Follows a link to an object. The end is 0 only if all bytes came and the digest is right, otherwise EPROTO: what was
// written before must not be used then. write NULL: into op->data, at most `limit` bytes (ETOOLARGE; 0: 64 MiB).
// op->object
MIDGE_API int midge_object_get(midge *m, midge_op *op, midge_str bucket, midge_str name, size_t limit,
                               midge_object_write_fn write, void *user);
// ENOTFOUND also for deleted ones, whose op->object is filled nevertheless.
MIDGE_API int midge_object_info(midge *m, midge_op *op, midge_str bucket, midge_str name);
MIDGE_API int midge_object_delete(midge *m, midge_op *op, midge_str bucket, midge_str name);
// Replaces name, description, headers and metadata. EEXISTS: another object has the new name.
MIDGE_API int midge_object_update(midge *m, midge_op *op, midge_str bucket, midge_str name, const midge_object *meta);
// A link to an object of a bucket, or with target MIDGE_NONE to the bucket. EEXISTS: the name is that of an object that
// is no link. EINVAL as the end: the target is a link itself.
MIDGE_API int midge_object_link(midge *m, midge_op *op, midge_str bucket, midge_str name, midge_str target_bucket,
                                midge_str target);
MIDGE_API int midge_object_list(midge *m, midge_op *op, midge_str bucket, bool deleted_too); // op->objects

// Called with each change, slices valid until it returns; with object NULL once, when all that was there before has
// been given. False ends the watch, err 0. Otherwise it goes on until midge_op_cancel, or an error that lasts.
typedef bool (*midge_object_fn)(midge *m, midge_op *op, const midge_object *object);
MIDGE_API int midge_object_watch(midge *m, midge_op *op, midge_str bucket, bool updates_only, midge_object_fn fn);

// ---- services (ADR-32) ----------------------------------------------------------------------------------------------

typedef struct midge_service midge_service; // on the heap
typedef struct midge_endpoint midge_endpoint;

typedef struct midge_service_request {
    midge *m;
    midge_service *service;
    midge_endpoint *endpoint;
    const midge_msg *msg;
    int64_t started; // the library's
} midge_service_request;

// Answers with one of midge_service_respond, _fail, _defer. Without an answer the client times out.
typedef void (*midge_service_fn)(midge_service_request *request, void *user);

typedef struct midge_service_config {
    midge_str name;    // letters, digits, '-', '_'
    midge_str version; // SemVer: "1.0.0"
    midge_str description;
    const midge_pair *metadata;
    size_t metadata_len;
    midge_str queue_group; // of endpoints that name none; default "q"
    bool no_queue_group;   // every instance gets every request
    // Called when the service has ended by midge_service_stop.
    void (*on_stopped)(midge_service *service, void *user);
    void *user;
    int64_t (*now)(void); // nanoseconds since 1970; NULL: the system's clock
} midge_service_config;

typedef struct midge_endpoint_config {
    midge_str name;    // letters, digits, '-', '_'
    midge_str group;   // prefix of the subject, "v1.admin"; may be MIDGE_NONE
    midge_str subject; // default: the name
    const midge_pair *metadata;
    size_t metadata_len;
    midge_str queue_group;
    bool no_queue_group;
    midge_service_fn fn;
    void *user;
    // Adds the member `data` to the statistics: JSON text, valid until the next call; may be NULL.
    midge_str (*data)(midge_endpoint *endpoint, void *user);
} midge_endpoint_config;

// Answers discovery from now on. Takes 9 subscriptions, and one for each endpoint. NULL: *err says why.
MIDGE_API midge_service *midge_service_new(midge *m, const midge_service_config *config, int *err);
// NULL: *err says why.
MIDGE_API midge_endpoint *midge_service_add(midge_service *service, const midge_endpoint_config *config, int *err);
MIDGE_API midge_str midge_service_id(const midge_service *service);
// Drains: requests that have arrived are still handled, then on_stopped is called.
MIDGE_API int midge_service_stop(midge_service *service);
// Zeroes the statistics.
MIDGE_API void midge_service_reset(midge_service *service);
// Ends it at once, and frees it; deferred requests become invalid. Not from its own handlers; from on_stopped it may.
// NULL is fine.
MIDGE_API void midge_service_free(midge_service *service);

typedef struct midge_endpoint_stats {
    uint64_t requests, errors;
    int64_t processing_time; // duration, sum
    midge_str last_error;    // "code:text", valid until the next error
} midge_endpoint_stats;
MIDGE_API midge_endpoint_stats midge_endpoint_stats_of(const midge_endpoint *endpoint);

// headers: a block of midge_headers_end or MIDGE_NONE.
MIDGE_API int midge_service_respond(midge_service_request *request, midge_str headers, const void *data, size_t len);
// Says that it failed: code and text (not empty, no line breaks) travel as headers. data may be NULL.
MIDGE_API int midge_service_fail(midge_service_request *request, int code, midge_str text, const void *data,
                                 size_t len);
// To answer later: a copy on the heap (its msg has only subject and reply), ended by midge_service_finish after the
// answer. NULL: out of memory.
MIDGE_API midge_service_request *midge_service_defer(midge_service_request *request);
MIDGE_API void midge_service_finish(midge_service_request *deferred);

// For clients: whether a reply says that the service failed.
MIDGE_API bool midge_service_failed(const midge_msg *reply, int *code, midge_str *text);

// Discovery: asks services for themselves.
enum midge_service_verb { MIDGE_SERVICE_PING, MIDGE_SERVICE_INFO, MIDGE_SERVICE_STATS };

typedef struct midge_endpoint_result {
    midge_str name, subject, queue_group;
    const midge_pair *metadata;
    size_t metadata_len;
    uint64_t num_requests, num_errors;
    midge_str last_error;
    int64_t processing_time, average_processing_time; // durations
    midge_str data;                                   // JSON
} midge_endpoint_result;

typedef struct midge_service_result {
    midge_str name, id, version, description;
    const midge_pair *metadata;
    size_t metadata_len;
    int64_t started;
    const midge_endpoint_result *endpoints;
    size_t endpoints_len;
    midge_str json; // the whole answer
    int64_t rtt;    // duration since the request was sent
} midge_service_result;

// Without a name all services, without an id all instances. Ends when nobody has answered for `stall` ms (0: 300) or
// after op->timeout; with an id, after one answer. op->services; none there: ENORESPONDERS.
MIDGE_API int midge_service_discover(midge *m, midge_op *op, enum midge_service_verb verb, midge_str name, midge_str id,
                                     uint32_t stall);

// ---- operations -----------------------------------------------------------------------------------------------------

// What the server said when it refused.
typedef struct midge_api_error {
    int code;              // as in HTTP
    int err_code;          // 10059: stream not found ...
    midge_str description;
} midge_api_error;

struct midge_op {
    // The caller's, before a start. Zero: defaults. Slices are kept while the op runs.
    void (*fn)(midge *m, midge_op *op); // may be NULL
    void *user;
    midge_str domain;  // of JetStream; the prefix is then $JS.<domain>.API
    midge_str prefix;  // instead of $JS.API
    uint32_t timeout;  // ms for each request; 0: 5,000

    // The result.
    bool done;
    int err;
    midge_api_error error; // for ENOTFOUND, EEXISTS, EJETSTREAM
    midge_str json;        // the last answer of the server
    uint64_t count;        // purged messages, keys
    midge_stream_result stream;
    midge_consumer_result consumer;
    midge_account_result account;
    midge_stored_msg msg;
    midge_object object;
    midge_str data; // of an object
    const midge_str *names;
    const midge_stream_result *streams;
    const midge_consumer_result *consumers;
    const midge_object *objects;
    const midge_service_result *services;
    size_t len; // of names, streams, consumers, objects, services

    struct mgc_op *internal;
};

// Ends an op that runs: fn is not called any more, done stays false. One that does not run is left as it is.
MIDGE_API void midge_op_cancel(midge_op *op);
// Cancels, and frees the results. An op that was never started is fine. What the caller set stays.
MIDGE_API void midge_op_free(midge_op *op);

#ifdef __cplusplus
}
#endif

#endif
