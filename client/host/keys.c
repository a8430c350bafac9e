// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What walks over the keys of a bucket: keys, history, purging of markers. All read the bucket's stream in order
// (reader.c). The list of keys remembers the last entry of each key: when the reader had to begin anew it may see
// several of one key, and the last one decides whether the key lives.
#include "client/host/bucket.h"

#include <stdlib.h>
#include <string.h>

#include "client/host/reader.h"

enum { MAX_KEYS = 1 << 24 };

typedef struct seen {
    midge_str key;
    uint64_t revision;
    int64_t time;
    bool live;
} seen;

typedef struct walk {
    mgc_reader reader;
    midge_str bucket;
    size_t skip;       // length of "$KV.<bucket>."
    midge_entry_fn fn; // of a history
    seen *seen;
    size_t len, at;
    bool purging;
    int64_t keep_since; // markers that are younger stay
} walk;

// spec/jetstream-streams.md 24; markers of the server name their reason (ADR-43).
static enum midge_entry_kind kind_of(const midge_msg *msg) {
    midge_str operation = midge_headers_get(msg->headers, MIDGE_STR("KV-Operation"));
    if (mgc_text_is(operation, "DEL")) return MIDGE_ENTRY_DELETE;
    if (mgc_text_is(operation, "PURGE")) return MIDGE_ENTRY_PURGE;
    midge_str reason = midge_headers_get(msg->headers, MIDGE_STR("Nats-Marker-Reason"));
    if (!reason.n) return MIDGE_ENTRY_PUT;
    return mgc_text_is(reason, "Purge") ? MIDGE_ENTRY_PURGE : MIDGE_ENTRY_DELETE;
}

static midge_str key_of(const walk *w, const midge_msg *msg) {
    if (msg->subject.n <= w->skip) return MIDGE_NONE;
    return (midge_str){msg->subject.p + w->skip, msg->subject.n - w->skip};
}

static int start(midge_op *op, midge_str bucket, midge_str filter, walk **made) {
    walk *w = mgc_arena_alloc(mgc_op_results(op), sizeof *w);
    if (!w) return MIDGE_ENOMEM;
    midge_str stream = mgc_bucket_stream(op, "KV_", bucket);
    if (!stream.n) return MIDGE_EINVAL;
    w->bucket = (midge_str){stream.p + 3, stream.n - 3};
    w->skip = bucket.n + 5;
    if (!filter.n) filter = MIDGE_STR(">");
    filter = mgc_arena_format(mgc_op_results(op), "$KV.%.*s.%.*s", (int)bucket.n, bucket.p, (int)filter.n, filter.p);
    w->reader.op = op;
    w->reader.stream = stream;
    w->reader.filter = filter;
    op->internal->plan = w;
    *made = w;
    return 0;
}

// ---- history --------------------------------------------------------------------------------------------------------

static bool on_history(midge_op *op, const midge_msg *msg, const midge_js_meta *meta) {
    walk *w = op->internal->plan;
    if (!msg) {
        mgc_op_end(op, 0);
        return false;
    }
    const midge_bucket_entry entry = {.key = key_of(w, msg), .value = msg->data, .revision = meta->stream_seq,
                                      .pending = meta->pending, .time = (int64_t)meta->time, .kind = kind_of(msg)};
    mgc_op *mine = op->internal;
    bool more = w->fn(mine->m, op, &entry);
    if (op->internal != mine) return false; // cancelled by the callback
    if (!more) mgc_op_end(op, 0);
    return more;
}

static int start_history(midge_op *op, midge_str bucket, midge_str filter, midge_entry_fn fn) {
    walk *w;
    int err = start(op, bucket, filter, &w);
    if (err) return err;
    w->fn = fn;
    w->reader.entry = on_history;
    w->reader.deliver = MIDGE_DELIVER_ALL;
    return mgc_reader_start(&w->reader);
}

int midge_bucket_history(midge *m, midge_op *op, midge_str bucket, midge_str filter, midge_entry_fn fn) {
    if (!fn) return MIDGE_EINVAL;
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, start_history(op, bucket, filter, fn));
}

// ---- the last entry of each key -------------------------------------------------------------------------------------

static int by_key(const void *a, const void *b) {
    const seen *x = a, *y = b;
    size_t n = x->key.n < y->key.n ? x->key.n : y->key.n;
    int order = n ? memcmp(x->key.p, y->key.p, n) : 0;
    if (order) return order;
    if (x->key.n != y->key.n) return x->key.n < y->key.n ? -1 : 1;
    return x->revision < y->revision ? -1 : x->revision > y->revision;
}

// Sorted, one entry a key.
static void settle(walk *w) {
    size_t kept = 0;
    if (w->len) qsort(w->seen, w->len, sizeof *w->seen, by_key);
    for (size_t i = 0; i < w->len; i++) {
        if (kept && mgc_text_eq(w->seen[kept - 1].key, w->seen[i].key)) kept--;
        w->seen[kept++] = w->seen[i];
    }
    w->len = kept;
}

static int remember(midge_op *op, walk *w, const midge_msg *msg, const midge_js_meta *meta) {
    if (w->len == MAX_KEYS) return MIDGE_ETOOLARGE;
    w->seen = mgc_arena_push(mgc_op_results(op), w->seen, &w->len, sizeof *w->seen);
    if (!w->seen) return MIDGE_ENOMEM;
    seen *s = &w->seen[w->len - 1];
    *s = (seen){.key = mgc_arena_dup(mgc_op_results(op), key_of(w, msg)), .revision = meta->stream_seq,
                .time = (int64_t)meta->time, .live = kind_of(msg) == MIDGE_ENTRY_PUT};
    return mgc_op_results(op)->failed ? MIDGE_ENOMEM : 0;
}

static int start_last(midge_op *op, midge_str bucket, midge_str filter, int64_t keep_since,
                      bool (*entry)(midge_op *, const midge_msg *, const midge_js_meta *)) {
    walk *w;
    int err = start(op, bucket, filter, &w);
    if (err) return err;
    w->keep_since = keep_since;
    w->reader.entry = entry;
    w->reader.deliver = MIDGE_DELIVER_LAST_PER_SUBJECT;
    w->reader.headers_only = true;
    return mgc_reader_start(&w->reader);
}

// ---- keys -----------------------------------------------------------------------------------------------------------

static void list_keys(midge_op *op, walk *w) {
    settle(w);
    midge_str *names = mgc_arena_alloc(mgc_op_results(op), (w->len + 1) * sizeof *names);
    op->len = 0;
    for (size_t i = 0; names && i < w->len; i++)
        if (w->seen[i].live) names[op->len++] = w->seen[i].key;
    op->names = names;
    mgc_op_end(op, names ? 0 : MIDGE_ENOMEM);
}

static bool on_key(midge_op *op, const midge_msg *msg, const midge_js_meta *meta) {
    walk *w = op->internal->plan;
    int err = msg ? remember(op, w, msg, meta) : 0;
    if (!err && msg) return true;
    if (err) mgc_op_end(op, err);
    else list_keys(op, w);
    return false;
}

int midge_bucket_keys(midge *m, midge_op *op, midge_str bucket, midge_str filter) {
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, start_last(op, bucket, filter, 0, on_key));
}

// ---- purge of markers -----------------------------------------------------------------------------------------------

static void purge_next(midge_op *op, int err) {
    walk *w = op->internal->plan;
    if (!err && w->purging) op->count++; // the one before
    while (!err && w->at < w->len && w->seen[w->at].live) w->at++;
    if (err || w->at >= w->len) {
        mgc_op_end(op, err);
        return;
    }
    const seen *s = &w->seen[w->at++];
    mgc_op_scratch(op);
    midge_str subject = mgc_arena_format(mgc_op_arena(op), "$KV.%.*s.%.*s", (int)w->bucket.n, w->bucket.p,
                                         (int)s->key.n, s->key.p);
    // By sequence, so that a value which was put meanwhile stays.
    bool young = s->time > w->keep_since;
    const midge_purge_opts opts = {.filter = subject, .keep = young ? 1 : 0, .seq = young ? 0 : s->revision + 1};
    w->purging = true;
    err = mgc_purge(op, w->reader.stream, &opts, purge_next);
    if (err) mgc_op_end(op, err);
}

static bool on_marker(midge_op *op, const midge_msg *msg, const midge_js_meta *meta) {
    walk *w = op->internal->plan;
    int err = msg ? remember(op, w, msg, meta) : 0;
    if (!err && msg) return true;
    if (err) {
        mgc_op_end(op, err);
        return false;
    }
    mgc_reader_stop(&w->reader);
    op->internal->reader = NULL;
    settle(w);
    purge_next(op, 0);
    return false;
}

int midge_bucket_purge_deletes(midge *m, midge_op *op, midge_str bucket, int64_t keep) {
    const int64_t half_an_hour = 1800 * MIDGE_SECOND;
    if (!keep) keep = half_an_hour;
    int64_t since = keep < 0 ? INT64_MAX : mgc_wall_now() - keep;
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, start_last(op, bucket, MIDGE_NONE, since, on_marker));
}
