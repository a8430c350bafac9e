// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Putting an object.
//
//      look the old one up --> chunks, a window of them unacknowledged --> the description --> purge the old chunks
//                                   | (an error)
//                                   +--> purge the new chunks --> the end with that error
//
// Until the description is stored readers see the old object whole. Chunks get a new nuid, so a put that dies leaves
// chunks that nobody refers to, never a broken object. `pump` sends while there is room: it is called again by each
// acknowledgement, and by a timer when the send buffer had none. A chunk that could never fit the buffer is halved.
// Always, while chunks are sent: something is unacknowledged, or the timer runs, or pump is on its way to store.
#include "client/host/object.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_CHUNK = 128 << 10, MAX_CHUNK = 64 << 20, MIN_CHUNK = 1024, WINDOW = 16, ROOM_WAIT = 2 };

struct put;
typedef struct flight {
    struct put *put;
    int32_t request; // 0: free
} flight;

typedef struct put {
    midge_op *op;
    midge_object next;
    midge_str stream, chunk_subject, old_chunks;
    midge_object_source source;
    char *buf;          // a chunk that was read; NULL for memory
    const char *at;     // bytes in hand
    size_t have, chunk;
    bool ended;         // the source has
    int failed;
    midge_api_error error; // that goes with it
    mgc_sha256 hash;
    midge_hook hook;
    flight window[WINDOW];
    unsigned flying;
    uint32_t waited; // ms for room in the send buffer
} put;

static void pump(put *p);

static void stop(midge_op *op) {
    put *p = op->internal->plan;
    midge *m = op->internal->m;
    for (int i = 0; i < WINDOW; i++)
        if (p->window[i].request) midge_request_cancel(m, p->window[i].request);
    midge_hook_remove(m, &p->hook);
    free(p->buf);
    p->buf = NULL;
}

// ---- the end --------------------------------------------------------------------------------------------------------

static void purged_new(midge_op *op, int err) {
    (void)err; // what is left of it, nobody refers to
    const put *p = op->internal->plan;
    op->error = p->error;
    mgc_op_end(op, p->failed);
}

// The answers to what is on the way are waited for: a purge could overtake the chunks.
static void fail(put *p, int err) {
    const midge_purge_opts opts = {.filter = p->chunk_subject};
    midge_op *op = p->op;
    if (!p->failed) {
        p->failed = err;
        p->error = op->error;
        p->error.description = mgc_arena_dup(mgc_op_results(op), op->error.description);
        midge_hook_remove(op->internal->m, &p->hook);
    }
    if (p->flying) return;
    if (!p->next.chunks || mgc_purge(op, p->stream, &opts, purged_new) != 0) purged_new(op, 0);
}

static void purged_old(midge_op *op, int err) {
    (void)err; // the new object is stored; what is left of the old one takes room, no more
    op->error = (midge_api_error){0};
    mgc_op_end(op, 0);
}

static void described(midge_op *op, int err) {
    put *p = op->internal->plan;
    const midge_purge_opts opts = {.filter = p->old_chunks};
    if (err) {
        fail(p, err);
        return;
    }
    op->object = p->next;
    op->object.revision = op->count;
    op->object.time = mgc_wall_now();
    op->count = 0;
    if (!p->old_chunks.n || mgc_purge(op, p->stream, &opts, purged_old) != 0) mgc_op_end(op, 0);
}

static void describe(put *p) {
    p->next.digest = mgc_object_digest(p->op, &p->hash);
    int err = p->next.digest.n ? mgc_object_store(p->op, &p->next, described) : MIDGE_ENOMEM;
    if (err) fail(p, err);
}

// ---- chunks ---------------------------------------------------------------------------------------------------------

static int acknowledgement(put *p, int err, const midge_msg *msg) {
    midge_op *op = p->op;
    if (err) return err;
    mgc_op_scratch(op);
    midge_str json = mgc_arena_dup(mgc_op_arena(op), msg->data);
    return json.n ? mgc_api_error_of(json, &op->error, mgc_op_arena(op)) : MIDGE_EPROTO;
}

static void on_ack(midge *m, int err, const midge_msg *msg, void *user) {
    flight *f = user;
    (void)m;
    f->request = 0;
    f->put->flying--;
    err = acknowledgement(f->put, err, msg);
    if (err || f->put->failed) fail(f->put, err);
    else pump(f->put);
}

// Makes sure that bytes are in hand, or that the source has ended.
static int fill(put *p) {
    if (p->have || p->ended) return 0;
    if (!p->source.read) {
        p->at = p->source.data;
        p->have = p->source.len;
        p->ended = true;
        return 0;
    }
    while (!p->ended && p->have < p->chunk) {
        int64_t n = p->source.read(p->source.user, p->buf + p->have, p->chunk - p->have);
        if (n < 0) return n < INT32_MIN ? MIDGE_EINVAL : (int)n;
        if ((uint64_t)n > p->chunk - p->have) return MIDGE_EINVAL;
        p->have += (size_t)n;
        p->ended = n == 0;
    }
    p->at = p->buf;
    return 0;
}

static int send_chunk(put *p) {
    flight *f = p->window;
    while (f->request) f++;
    size_t n = p->have < p->chunk ? p->have : p->chunk;
    const midge_request_opts opts = {.timeout = p->op->timeout};
    f->put = p;
    int32_t request = midge_request(p->op->internal->m, p->chunk_subject, MIDGE_NONE, p->at, n, &opts, on_ack, f);
    if (request < 0) return request;
    f->request = request;
    p->flying++;
    p->waited = 0;
    mgc_sha256_update(&p->hash, p->at, n);
    p->at += n;
    p->have -= n;
    p->next.size += n;
    p->next.chunks++;
    return 0;
}

static void pump(put *p) {
    const uint32_t patience = p->op->timeout ? p->op->timeout : 5000;
    while (p->flying < WINDOW) {
        int err = fill(p);
        if (!err && !p->have) {
            if (!p->flying) describe(p);
            return;
        }
        if (!err) err = send_chunk(p);
        if (err == MIDGE_ETOOLARGE && p->chunk / 2 >= MIN_CHUNK) {
            p->chunk /= 2;
        } else if ((err == MIDGE_EFULL || err == MIDGE_ETABLE) && p->waited < patience) {
            p->waited += ROOM_WAIT;
            midge_hook_arm(p->op->internal->m, &p->hook, ROOM_WAIT);
            return;
        } else if (err) {
            fail(p, err);
            return;
        }
    }
}

static void on_hook(midge *m, midge_hook *hook, enum midge_hook_why why) {
    put *p = (put *)(void *)((char *)hook - offsetof(put, hook));
    (void)m;
    if (why == MIDGE_HOOK_TIME) pump(p);
    else if (why == MIDGE_HOOK_CLOSED) mgc_op_end(p->op, MIDGE_ECLOSED);
}

// ---- the beginning --------------------------------------------------------------------------------------------------

static void looked_up(midge_op *op, int err) {
    put *p = op->internal->plan;
    if (err && err != MIDGE_ENOTFOUND) {
        mgc_op_end(op, err);
        return;
    }
    if (!err && !op->object.deleted && op->object.nuid.n)
        p->old_chunks = mgc_object_chunk_subject(op, (midge_str){p->stream.p + 4, p->stream.n - 4}, op->object.nuid);
    op->object = (midge_object){0};
    op->error = (midge_api_error){0};
    const midge_info *info = midge_info_of(op->internal->m);
    if (info->max_payload > 0 && (uint64_t)info->max_payload < p->chunk) p->chunk = (size_t)info->max_payload;
    p->next.max_chunk_size = p->chunk;
    if (p->source.read) p->buf = malloc(p->chunk);
    if (p->source.read && !p->buf) {
        mgc_op_end(op, MIDGE_ENOMEM);
        return;
    }
    midge_hook_add(op->internal->m, &p->hook, on_hook);
    pump(p);
}

static int start(midge_op *op, midge_str bucket, const midge_object *meta, const midge_object_source *source) {
    char nuid[23];
    put *p = mgc_arena_alloc(mgc_op_results(op), sizeof *p);
    if (!p) return MIDGE_ENOMEM;
    p->op = op;
    p->stream = mgc_bucket_stream(op, "OBJ_", bucket);
    if (!p->stream.n || !mgc_object_name_ok(meta->name) || meta->link_bucket.n) return MIDGE_EINVAL;
    if (meta->max_chunk_size > MAX_CHUNK || (meta->headers.n && !mgc_json_valid(meta->headers))) return MIDGE_EINVAL;
    mgc_nuid(op->internal->m, nuid);
    p->next = mgc_object_dup(op, meta);
    p->next.bucket = (midge_str){p->stream.p + 4, p->stream.n - 4};
    p->next.nuid = mgc_arena_dup(mgc_op_results(op), (midge_str){nuid, 22});
    p->chunk_subject = mgc_object_chunk_subject(op, p->next.bucket, p->next.nuid);
    p->chunk = meta->max_chunk_size ? (size_t)meta->max_chunk_size : DEFAULT_CHUNK;
    p->source = *source;
    mgc_sha256_init(&p->hash);
    op->internal->plan = p;
    op->internal->stop = stop;
    return mgc_object_lookup(op, p->stream, p->next.bucket, p->next.name, looked_up);
}

int midge_object_put(midge *m, midge_op *op, midge_str bucket, const midge_object *meta,
                     const midge_object_source *source) {
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, start(op, bucket, meta, source));
}
