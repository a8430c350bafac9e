// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Descriptions of objects: their JSON, and the operations that touch nothing else (info, delete, update, link) or the
// whole bucket.
#include "client/host/object.h"

#include <string.h>

enum { MAX_NAME = 2048 }; // its subject has to fit a line of 4,096 bytes

#define OBJECT(field, kind_) {.name = #field, .kind = kind_, .at = offsetof(midge_object, field)}
#define FLAT                                                                                                         \
    {.name = "name", .kind = MGC_STR, .at = offsetof(midge_object, name), .always = true},                           \
    OBJECT(description, MGC_STR),                                                                                    \
    OBJECT(headers, MGC_RAW),                                                                                        \
    {.name = "metadata", .kind = MGC_PAIRS, .at = offsetof(midge_object, metadata),                                  \
     .len_at = offsetof(midge_object, metadata_len)},                                                                \
    {.name = "bucket", .kind = MGC_STR, .at = offsetof(midge_object, bucket), .always = true},                       \
    {.name = "nuid", .kind = MGC_STR, .at = offsetof(midge_object, nuid), .always = true},                           \
    {.name = "size", .kind = MGC_U64, .at = offsetof(midge_object, size), .always = true},                           \
    {.name = "chunks", .kind = MGC_U64, .at = offsetof(midge_object, chunks), .always = true},                       \
    OBJECT(digest, MGC_STR),                                                                                         \
    OBJECT(deleted, MGC_BOOL)

static const mgc_field link_fields[] = {
    {.name = "bucket", .kind = MGC_STR, .at = offsetof(midge_object, link_bucket)},
    {.name = "name", .kind = MGC_STR, .at = offsetof(midge_object, link_name)},
    {0},
};
// Both are parts of the same struct, not structs in it.
static const mgc_field option_fields[] = {
    {.name = "link", .kind = MGC_OBJECT, .at = 0, .more = link_fields},
    OBJECT(max_chunk_size, MGC_U64),
    {0},
};
static const mgc_field read_fields[] = {FLAT, {.name = "options", .kind = MGC_OBJECT, .at = 0, .more = option_fields},
                                        {0}};
static const mgc_field flat_fields[] = {FLAT, {0}};

int mgc_object_parse(midge_str json, midge_object *object, mgc_arena *a) {
    *object = (midge_object){0};
    return mgc_bind_parse(json, read_fields, object, a);
}

// ADR-20: the time is never stored.
static void write_object(mgc_json_out *o, const midge_object *object) {
    mgc_json_open(o, NULL, '{');
    mgc_bind_members(o, flat_fields, object);
    if (object->link_bucket.n || object->max_chunk_size) {
        mgc_json_open(o, "options", '{');
        if (object->link_bucket.n) mgc_bind_write(o, "link", link_fields, object);
        if (object->max_chunk_size) mgc_json_put_u64(o, "max_chunk_size", object->max_chunk_size);
        mgc_json_close(o);
    }
    mgc_json_close(o);
}

// ---- texts ----------------------------------------------------------------------------------------------------------

bool mgc_object_name_ok(midge_str name) {
    return name.n > 0 && name.n <= MAX_NAME;
}

midge_str mgc_object_meta_subject(midge_op *op, midge_str bucket, midge_str name) {
    midge_str subject = mgc_arena_format(mgc_op_results(op), "$O.%.*s.M.%*s", (int)bucket.n, bucket.p,
                                         (int)MGC_BASE64_SIZE(name.n), "");
    if (!subject.n) return MIDGE_NONE;
    char *end = (char *)(uintptr_t)subject.p + subject.n; // memory of the arena; the blanks are room
    mgc_base64_encode(name.p, name.n, true, end - MGC_BASE64_SIZE(name.n));
    return subject;
}

midge_str mgc_object_chunk_subject(midge_op *op, midge_str bucket, midge_str nuid) {
    return mgc_arena_format(mgc_op_results(op), "$O.%.*s.C.%.*s", (int)bucket.n, bucket.p, (int)nuid.n, nuid.p);
}

#define DIGEST "SHA-256="
midge_str mgc_object_digest(midge_op *op, mgc_sha256 *hash) {
    uint8_t digest[32];
    char text[MGC_BASE64_SIZE(32)];
    mgc_sha256_final(hash, digest);
    mgc_base64_encode(digest, sizeof digest, true, text);
    return mgc_arena_format(mgc_op_results(op), DIGEST "%.*s", (int)sizeof text, text);
}

bool mgc_object_digest_is(midge_str digest, mgc_sha256 *hash) {
    uint8_t is[32], should[48];
    mgc_sha256_final(hash, is);
    if (!mgc_text_starts(digest, DIGEST) || digest.n > sizeof DIGEST - 1 + MGC_BASE64_SIZE(32)) return false;
    midge_str text = {digest.p + sizeof DIGEST - 1, digest.n - (sizeof DIGEST - 1)};
    return mgc_base64_decode(text, should) == sizeof is && memcmp(is, should, sizeof is) == 0;
}

midge_object mgc_object_dup(midge_op *op, const midge_object *meta) {
    mgc_arena *a = mgc_op_results(op);
    midge_object own = {.name = mgc_arena_dup(a, meta->name), .description = mgc_arena_dup(a, meta->description),
                        .headers = mgc_arena_dup(a, meta->headers), .metadata_len = meta->metadata_len,
                        .max_chunk_size = meta->max_chunk_size};
    midge_pair *pairs = meta->metadata_len ? mgc_arena_alloc(a, meta->metadata_len * sizeof *pairs) : NULL;
    for (size_t i = 0; pairs && i < meta->metadata_len; i++)
        pairs[i] = (midge_pair){mgc_arena_dup(a, meta->metadata[i].name), mgc_arena_dup(a, meta->metadata[i].value)};
    own.metadata = pairs;
    return own;
}

// ---- steps ----------------------------------------------------------------------------------------------------------

static void looked_up(midge_op *op, int err) {
    op->object = (midge_object){0};
    if (!err) err = mgc_object_parse(op->msg.data, &op->object, mgc_op_arena(op));
    op->object.time = op->msg.time; // ADR-20: that of the message
    op->object.revision = op->msg.seq;
    op->internal->then_object(op, err);
}

int mgc_object_lookup(midge_op *op, midge_str stream, midge_str bucket, midge_str name, mgc_step then) {
    const midge_msg_get_opts opts = {.last_by_subject = mgc_object_meta_subject(op, bucket, name)};
    if (!opts.last_by_subject.n) return MIDGE_ENOMEM;
    op->internal->then_object = then;
    return mgc_msg_get(op, stream, &opts, looked_up);
}

int mgc_object_store(midge_op *op, const midge_object *object, mgc_step then) {
    static const char rollup[] = "NATS/1.0\r\nNats-Rollup: sub\r\n\r\n";
    midge_str subject = mgc_object_meta_subject(op, object->bucket, object->name), text;
    mgc_json_out o;
    mgc_json_out_init(&o, NULL, 0);
    write_object(&o, object);
    int err = mgc_json_out_end(&o, &text);
    if (!err && !subject.n) err = MIDGE_ENOMEM;
    if (!err) err = mgc_publish(op, subject, MIDGE_STR(rollup), text, then);
    mgc_json_out_fini(&o);
    return err;
}

// ---- info, delete, update, link -------------------------------------------------------------------------------------

typedef struct change {
    midge_str stream, bucket, name;
    midge_object next; // what is to be stored
    midge_str target_bucket, target;
} change;

static int start(midge_op *op, midge_str bucket, midge_str name, change **made) {
    change *c = mgc_arena_alloc(mgc_op_results(op), sizeof *c);
    if (!c) return MIDGE_ENOMEM;
    c->stream = mgc_bucket_stream(op, "OBJ_", bucket);
    if (!c->stream.n || !mgc_object_name_ok(name)) return MIDGE_EINVAL;
    c->bucket = (midge_str){c->stream.p + 4, c->stream.n - 4};
    c->name = mgc_arena_dup(mgc_op_results(op), name);
    op->internal->plan = c;
    *made = c;
    return c->name.n ? 0 : MIDGE_ENOMEM;
}

static void info_end(midge_op *op, int err) {
    mgc_op_end(op, !err && op->object.deleted ? MIDGE_ENOTFOUND : err);
}

static int start_one(midge_op *op, midge_str bucket, midge_str name, mgc_step then) {
    change *c;
    int err = start(op, bucket, name, &c);
    return err ? err : mgc_object_lookup(op, c->stream, c->bucket, c->name, then);
}

int midge_object_info(midge *m, midge_op *op, midge_str bucket, midge_str name) {
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, start_one(op, bucket, name, info_end));
}

static void marked_deleted(midge_op *op, int err) {
    const change *c = op->internal->plan;
    op->object.revision = op->count;
    op->count = 0;
    const midge_purge_opts opts = {.filter = mgc_object_chunk_subject(op, c->bucket, op->object.nuid)};
    if (!err && !op->object.nuid.n) {
        mgc_op_end(op, 0); // a link has no chunks
        return;
    }
    if (!err) err = opts.filter.n ? mgc_purge(op, c->stream, &opts, mgc_op_last) : MIDGE_ENOMEM;
    if (err) mgc_op_end(op, err);
}

static void delete_found(midge_op *op, int err) {
    if (!err && op->object.deleted) err = MIDGE_ENOTFOUND;
    if (!err) {
        op->object.deleted = true;
        op->object.size = op->object.chunks = 0;
        op->object.digest = MIDGE_NONE;
        err = mgc_object_store(op, &op->object, marked_deleted);
    }
    if (err) mgc_op_end(op, err);
}

int midge_object_delete(midge *m, midge_op *op, midge_str bucket, midge_str name) {
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, start_one(op, bucket, name, delete_found));
}

static void stored(midge_op *op, int err) {
    change *c = op->internal->plan;
    op->object = c->next;
    op->object.revision = op->count;
    op->object.time = mgc_wall_now();
    op->count = 0;
    mgc_op_end(op, err);
}

// ---- update ---------------------------------------------------------------------------------------------------------

static void renamed(midge_op *op, int err) {
    change *c = op->internal->plan;
    if (err || mgc_text_eq(c->name, c->next.name)) {
        stored(op, err);
        return;
    }
    c->next.revision = op->count;
    op->object = c->next;
    op->count = 0;
    const midge_purge_opts opts = {.filter = mgc_object_meta_subject(op, c->bucket, c->name)};
    err = opts.filter.n ? mgc_purge(op, c->stream, &opts, mgc_op_last) : MIDGE_ENOMEM;
    if (err) mgc_op_end(op, err);
}

static void new_name_checked(midge_op *op, int err) {
    change *c = op->internal->plan;
    if (!err) err = op->object.deleted ? 0 : MIDGE_EEXISTS;
    else if (err == MIDGE_ENOTFOUND) err = 0;
    if (!err) err = mgc_object_store(op, &c->next, renamed);
    if (err) mgc_op_end(op, err);
}

static void update_found(midge_op *op, int err) {
    change *c = op->internal->plan;
    if (!err && op->object.deleted) err = MIDGE_ENOTFOUND;
    if (err) {
        mgc_op_end(op, err);
        return;
    }
    midge_object next = op->object;
    if (c->next.name.n) next.name = c->next.name;
    next.description = c->next.description;
    next.headers = c->next.headers;
    next.metadata = c->next.metadata;
    next.metadata_len = c->next.metadata_len;
    c->next = next;
    err = mgc_text_eq(next.name, c->name) ? mgc_object_store(op, &c->next, renamed)
                                          : mgc_object_lookup(op, c->stream, c->bucket, next.name, new_name_checked);
    if (err) mgc_op_end(op, err);
}

static int start_update(midge_op *op, midge_str bucket, midge_str name, const midge_object *meta) {
    change *c;
    int err = start(op, bucket, name, &c);
    if (err) return err;
    if (meta->name.n > MAX_NAME || (meta->headers.n && !mgc_json_valid(meta->headers))) return MIDGE_EINVAL;
    c->next = mgc_object_dup(op, meta);
    return mgc_object_lookup(op, c->stream, c->bucket, c->name, update_found);
}

int midge_object_update(midge *m, midge_op *op, midge_str bucket, midge_str name, const midge_object *meta) {
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, start_update(op, bucket, name, meta));
}

// ---- links ----------------------------------------------------------------------------------------------------------

// ADR-20: a link may take the place of a link and of what is deleted, not of an object.
static void place_checked(midge_op *op, int err) {
    change *c = op->internal->plan;
    if (!err) err = op->object.deleted || op->object.link_bucket.n ? 0 : MIDGE_EEXISTS;
    else if (err == MIDGE_ENOTFOUND) err = 0;
    if (!err) err = mgc_object_store(op, &c->next, stored);
    if (err) mgc_op_end(op, err);
}

static void target_checked(midge_op *op, int err) {
    change *c = op->internal->plan;
    if (!err && op->object.deleted) err = MIDGE_ENOTFOUND;
    if (!err && op->object.link_bucket.n) err = MIDGE_EINVAL;
    if (!err) err = mgc_object_lookup(op, c->stream, c->bucket, c->name, place_checked);
    if (err) mgc_op_end(op, err);
}

static int start_link(midge_op *op, midge_str bucket, midge_str name, midge_str target_bucket, midge_str target) {
    change *c;
    char nuid[23];
    int err = start(op, bucket, name, &c);
    if (err) return err;
    midge_str stream = mgc_bucket_stream(op, "OBJ_", target_bucket);
    if (!stream.n || (target.n && !mgc_object_name_ok(target))) return MIDGE_EINVAL;
    mgc_nuid(op->internal->m, nuid);
    c->next = (midge_object){.name = c->name, .bucket = c->bucket, .link_bucket = {stream.p + 4, stream.n - 4},
                             .link_name = mgc_arena_dup(mgc_op_results(op), target),
                             .nuid = mgc_arena_dup(mgc_op_results(op), (midge_str){nuid, 22})};
    if (!target.n) return mgc_object_lookup(op, c->stream, c->bucket, c->name, place_checked);
    return mgc_object_lookup(op, stream, c->next.link_bucket, c->next.link_name, target_checked);
}

int midge_object_link(midge *m, midge_op *op, midge_str bucket, midge_str name, midge_str target_bucket,
                      midge_str target) {
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, start_link(op, bucket, name, target_bucket, target));
}
