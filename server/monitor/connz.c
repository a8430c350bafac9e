// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The selection half of /connz; connz_render.c writes the answer.
//
// Every sort order is a 64-bit number, smaller first, with the connection id breaking ties: what the reference sorts
// descending is stored inverted. A shard's struct mg_connz holds at most `room` = offset + limit keys in a binary
// heap with the worst on top, so showing one more connection costs O(log room) and the work is spread over the
// shard's turns.
#include "server/monitor/connz.h"

#include <stdlib.h>
#include <strings.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/monitor/connz_order.h"
#include "server/monitor/query.h"

// ---- the query --------------------------------------------------------------------------------------------------

static int fail(struct mg_buf *err, const char *text, const char *arg) {
    err->len = 0;
    mg_buf_adds(err, text);
    mg_buf_adds(err, arg);
    return MG_EINVAL;
}

static int parse_sort(mg_slice query, struct mg_connz_query *q, struct mg_buf *err) {
    static const char *const names[] = {"cid",      "start",      "subs", "pending", "msgs_to", "msgs_from", "bytes_to",
                                        "bytes_from", "last", "idle",    "uptime",  "stop",      "reason",   "rtt"};
    q->sort = MG_SORT_CID;
    char *name = mg_query_dup(query, "sort");
    if (name == NULL) return MG_OK;
    int rc = MG_EINVAL;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0) {
            q->sort = (enum mg_connz_sort)i;
            rc = MG_OK;
        }
    if (rc != MG_OK) fail(err, "invalid sorting option: ", name);
    mg_free(name);
    return rc;
}

static int parse_state(mg_slice query, struct mg_connz_query *q, struct mg_buf *err) {
    q->state = MG_CONNZ_OPEN;
    char *name = mg_query_dup(query, "state");
    if (name == NULL) return MG_OK;
    int rc = MG_OK;
    if (strcasecmp(name, "closed") == 0)
        q->state = MG_CONNZ_CLOSED;
    else if (strcasecmp(name, "any") == 0 || strcasecmp(name, "all") == 0)
        q->state = MG_CONNZ_ALL;
    else if (strcasecmp(name, "open") != 0)
        rc = fail(err, "Error decoding state for ", name);
    mg_free(name);
    return rc;
}

static int parse_subs(mg_slice query, struct mg_connz_query *q, struct mg_buf *err) {
    char *value = mg_query_dup(query, "subs");
    q->subs_detail = value != NULL && strcasecmp(value, "detail") == 0;
    mg_free(value);
    return q->subs_detail ? MG_OK : mg_query_bool(query, "subs", &q->subs, err);
}

// The order of the checks decides which of several mistakes is reported: first those of the HTTP layer, in the order
// in which the reference decodes them, then what does not fit together.
static int parse(mg_slice query, struct mg_connz_query *q, struct mg_buf *err) {
    int rc = mg_query_bool(query, "auth", &q->auth, err);
    if (rc == MG_OK) rc = parse_subs(query, q, err);
    if (rc == MG_OK) rc = mg_query_int(query, "offset", &q->offset, err);
    if (rc == MG_OK) rc = mg_query_int(query, "limit", &q->limit, err);
    if (rc == MG_OK) rc = mg_query_uint(query, "cid", &q->cid, err);
    if (rc == MG_OK) rc = parse_state(query, q, err);
    if (rc == MG_OK) rc = parse_sort(query, q, err);
    if (rc != MG_OK) return rc;
    if (q->sort == MG_SORT_STOP && q->state != MG_CONNZ_CLOSED)
        return fail(err, "sort by stop only valid on closed connections", "");
    if (q->sort == MG_SORT_REASON && q->state != MG_CONNZ_CLOSED)
        return fail(err, "sort by reason only valid on closed connections", "");
    if (q->offset < 0) q->offset = 0;
    if (q->limit <= 0) q->limit = MG_CONNZ_DEFAULT_LIMIT;
    if (q->cid != 0) q->limit = 1;
    q->user = mg_query_dup(query, "user");
    q->account = mg_query_dup(query, "acc");
    q->mqtt_client = mg_query_dup(query, "mqtt_client");
    return MG_OK;
}

int mg_connz_parse(mg_slice query, struct mg_connz_query *q, struct mg_buf *err) {
    *q = (struct mg_connz_query){0};
    int rc = parse(query, q, err);
    if (rc != MG_OK) *q = (struct mg_connz_query){0};
    return rc;
}

void mg_connz_query_copy(struct mg_connz_query *dst, const struct mg_connz_query *src) {
    *dst = *src;
    dst->user = mg_strdup(src->user);
    dst->account = mg_strdup(src->account);
    dst->mqtt_client = mg_strdup(src->mqtt_client);
}

void mg_connz_query_fini(struct mg_connz_query *q) {
    mg_free(q->user);
    mg_free(q->account);
    mg_free(q->mqtt_client);
    *q = (struct mg_connz_query){0};
}

// ---- the order --------------------------------------------------------------------------------------------------

// Maps signed to unsigned so that the order stays.
static uint64_t bias(int64_t v) { return (uint64_t)v ^ (UINT64_C(1) << 63); }

// How many reasons' texts sort before r's.
static uint64_t reason_rank(enum mg_close_reason r) {
    uint64_t rank = 0;
    for (unsigned i = 0; i < MG_CLOSE_REASON_COUNT; i++)
        if (strcmp(mg_close_reason_text(i), mg_close_reason_text(r)) < 0) rank++;
    return rank;
}

uint64_t mg_connz_order(enum mg_connz_sort sort, const struct mg_conn_stats *s, int64_t now_ns) {
    switch (sort) {
    case MG_SORT_CID:
    case MG_SORT_START: return 0;
    case MG_SORT_SUBS: return ~(uint64_t)s->nsubs;
    case MG_SORT_PENDING: return ~s->pending;
    case MG_SORT_MSGS_TO: return ~s->out_msgs;
    case MG_SORT_MSGS_FROM: return ~s->in_msgs;
    case MG_SORT_BYTES_TO: return ~s->out_bytes;
    case MG_SORT_BYTES_FROM: return ~s->in_bytes;
    case MG_SORT_LAST: return ~bias(s->last_ns);
    case MG_SORT_IDLE: return bias(s->last_ns);
    case MG_SORT_UPTIME: return bias((s->stop_ns != 0 ? s->stop_ns : now_ns) - s->start_ns);
    case MG_SORT_STOP: return ~bias(s->stop_ns);
    case MG_SORT_REASON: return reason_rank(s->reason);
    case MG_SORT_RTT: return ~bias(s->rtt_ns);
    }
    mg_assert(sort <= MG_SORT_RTT);
    return 0;
}

// ---- the heap ---------------------------------------------------------------------------------------------------

static bool before(const struct mg_conn_key *a, const struct mg_conn_key *b) {
    return a->order != b->order ? a->order < b->order : a->cid < b->cid;
}

static void sift_up(struct mg_conn_key *v, size_t i) {
    struct mg_conn_key k = v[i];
    while (i != 0 && before(&v[(i - 1) / 2], &k)) {
        v[i] = v[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    v[i] = k;
}

static void sift_down(struct mg_conn_key *v, size_t n) {
    struct mg_conn_key k = v[0];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(&v[child], &v[child + 1])) child++;
        if (!before(&k, &v[child])) break;
        v[i] = v[child];
    }
    v[i] = k;
}

static void add_key(struct mg_connz *c, const struct mg_conn_key *k) {
    if (c->n < c->room) {
        if (c->n == c->cap) {
            c->cap = c->cap ? c->cap * 2 : 64;
            c->v = mg_realloc(c->v, c->cap * sizeof(*c->v));
        }
        c->v[c->n] = *k;
        sift_up(c->v, c->n++);
    } else if (before(k, &c->v[0])) {
        c->v[0] = *k;
        sift_down(c->v, c->n);
    }
}

void mg_connz_init(struct mg_connz *c, const struct mg_connz_query *q, int64_t now_ns) {
    mg_assert(q->offset >= 0 && q->limit > 0);
    uint64_t room = (uint64_t)q->offset + (uint64_t)q->limit;
    *c = (struct mg_connz){.q = q, .now_ns = now_ns, .room = room};
}

void mg_connz_fini(struct mg_connz *c) {
    mg_free(c->v);
    *c = (struct mg_connz){0};
}

void mg_connz_visit(struct mg_connz *c, const struct mg_conn_stats *s, uint32_t shard, mg_slice user, mg_slice account,
                    mg_slice mqtt_client) {
    const struct mg_connz_query *q = c->q;
    bool closed = s->stop_ns != 0;
    if (closed ? !mg_connz_wants_closed(q) : !mg_connz_wants_open(q)) return;
    if (q->account != NULL && !mg_slice_eq(account, mg_cstr(q->account))) return;
    c->total++;
    if (q->cid != 0 && s->cid != q->cid) return;
    if (q->cid != 0 && !closed && s->kind != MG_KIND_CLIENT) return;
    // An open connection that was asked for by its id is shown whoever it belongs to.
    if (q->cid == 0 || closed) {
        if (q->user != NULL && !mg_slice_eq(user, mg_cstr(q->user))) return;
        if (q->mqtt_client != NULL && !mg_slice_eq(mqtt_client, mg_cstr(q->mqtt_client))) return;
    }
    add_key(c, &(struct mg_conn_key){mg_connz_order(q->sort, s, c->now_ns), s->cid, shard, closed});
}

void mg_connz_merge(struct mg_connz *dst, const struct mg_connz *src) {
    dst->total += src->total;
    for (size_t i = 0; i < src->n; i++) add_key(dst, &src->v[i]);
}

static int compare_keys(const void *pa, const void *pb) {
    const struct mg_conn_key *a = pa, *b = pb;
    return before(a, b) ? -1 : before(b, a) ? 1 : 0;
}

const struct mg_conn_key *mg_connz_page(struct mg_connz *c, size_t *n) {
    if (c->n != 0) qsort(c->v, c->n, sizeof(*c->v), compare_keys);
    size_t first = (uint64_t)c->q->offset < c->n ? (size_t)c->q->offset : c->n;
    *n = c->n - first < (uint64_t)c->q->limit ? c->n - first : (size_t)c->q->limit;
    return c->n != 0 ? c->v + first : NULL;
}
