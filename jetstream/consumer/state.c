// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The state of a consumer and how a change moves it; see state.h.
//
// What always holds: the floor is not above the last delivery, in both numbers; every entry stands between the floor
// (of the stream's numbers) and the last delivery, but parked ones may be below the floor; nothing pending means that
// the floor is the last delivery, unless nothing was ever acknowledged. Floors only rise, except in a reset.
#include "jetstream/consumer/state.h"

#include "jetstream/consumer/varint.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

void mg_js_state_init(struct mg_js_state *s, uint64_t next, bool no_acks) {
    mg_assert(next > 0);
    *s = (struct mg_js_state){.delivered.seq = next - 1, .floor.seq = next - 1, .no_acks = no_acks};
}

static void skip_free(struct mg_js_state *s) {
    if (s->skip == NULL) return;
    mg_buf_fini(&s->skip->packed);
    mg_free(s->skip);
    s->skip = NULL;
}

void mg_js_state_fini(struct mg_js_state *s) {
    mg_js_pending_fini(&s->pending);
    skip_free(s);
}

uint64_t mg_js_state_next(const struct mg_js_state *s) {
    uint64_t next = s->delivered.seq + 1;
    return s->skip == NULL && s->resume > next ? s->resume : next;
}

// ---- the skip list --------------------------------------------------------------------------------------------------

static void skip_pop(struct mg_js_state *s) {
    struct mg_js_skip *k = s->skip;
    if (--k->left == 0) {
        skip_free(s);
        return;
    }
    struct mg_varint_reader r = {k->packed.p + k->at, k->packed.p + k->packed.len, false};
    k->head += mg_varint_next(&r);
    mg_assert(!r.bad);
    k->at = (size_t)(r.p - k->packed.p);
}

static void skip_below(struct mg_js_state *s, uint64_t seq) {
    while (s->skip != NULL && s->skip->head < seq) skip_pop(s);
}

void mg_js_state_skip_list(struct mg_js_state *s, const uint64_t *seqs, size_t n, uint64_t resume) {
    mg_assert(s->skip == NULL);
    s->resume = resume;
    if (n == 0) return;
    s->skip = mg_zalloc(sizeof *s->skip);
    s->skip->head = seqs[0];
    s->skip->left = n;
    mg_assert(seqs[0] > s->delivered.seq && seqs[n - 1] < resume);
    for (size_t i = 1; i < n; i++) {
        mg_assert(seqs[i] > seqs[i - 1]);
        mg_varint_add(&s->skip->packed, seqs[i] - seqs[i - 1]);
    }
}

// ---- floors ---------------------------------------------------------------------------------------------------------

static void raise_floor(struct mg_js_state *s, uint64_t dseq, uint64_t seq) {
    if (dseq > s->floor.dseq) s->floor.dseq = dseq;
    if (seq > s->floor.seq) s->floor.seq = seq;
}

// The first live entry has stopped being one: spec/jetstream-consumers.md 13, ack-floor arithmetic. When another one
// has, the floor stays.
static void settle_floor(struct mg_js_state *s) {
    const struct mg_js_entry *first = mg_js_pending_first(&s->pending);
    if (first == NULL) raise_floor(s, s->delivered.dseq, s->delivered.seq);
    else raise_floor(s, first->dseq - 1, first->seq - 1);
}

static bool is_first(struct mg_js_state *s, const struct mg_js_entry *e) {
    return mg_js_pending_first(&s->pending) == e;
}

// ---- one function a change ------------------------------------------------------------------------------------------

static int deliver(struct mg_js_state *s, const struct mg_js_delta *d) {
    if (d->seq <= s->delivered.seq || d->seq == UINT64_MAX || s->delivered.dseq >= UINT64_MAX - 1) return MG_ECORRUPT;
    if (s->skip != NULL && d->seq != s->skip->head) return MG_ECORRUPT;
    if (s->pending.live + s->pending.parked >= MG_JS_PENDING_MAX) return MG_ECORRUPT;
    if (s->skip != NULL) skip_pop(s);
    s->delivered = (struct mg_js_pair){s->delivered.dseq + 1, d->seq};
    if (s->no_acks) s->floor = s->delivered;
    else mg_js_pending_append(&s->pending, d->seq, s->delivered.dseq, d->due, 1, MG_JS_ENTRY_LIVE);
    return 0;
}

static int redeliver(struct mg_js_state *s, struct mg_js_entry *e, int64_t due) {
    if (s->delivered.dseq >= UINT64_MAX - 1) return MG_ECORRUPT;
    s->delivered.dseq++;
    mg_js_pending_count(&s->pending, e, e->count + 1);
    mg_js_pending_due(&s->pending, e, due);
    mg_js_pending_dequeue(&s->pending, e);
    return 0;
}

static int drop(struct mg_js_state *s, struct mg_js_entry *e) {
    bool first = is_first(s, e);
    mg_js_pending_remove(&s->pending, e);
    if (first) settle_floor(s);
    return 0;
}

static int park(struct mg_js_state *s, struct mg_js_entry *e) {
    bool first = is_first(s, e);
    mg_js_pending_park(&s->pending, e);
    if (first) settle_floor(s);
    return 0;
}

static void remove_to(struct mg_js_state *s, uint64_t seq) {
    for (struct mg_js_entry *e; (e = mg_js_pending_from(&s->pending, 0)) != NULL && e->seq <= seq;)
        mg_js_pending_remove(&s->pending, e);
}

static int drop_to(struct mg_js_state *s, uint64_t seq) {
    if (seq > s->delivered.seq) return MG_ECORRUPT;
    remove_to(s, seq);
    const struct mg_js_entry *first = mg_js_pending_first(&s->pending);
    if (first == NULL) raise_floor(s, s->delivered.dseq, s->delivered.seq);
    else raise_floor(s, first->dseq - 1, seq);
    return 0;
}

// spec 14.3: what is below is gone, undelivered or not.
static int begin_at(struct mg_js_state *s, uint64_t seq) {
    if (seq == 0 || seq == UINT64_MAX) return MG_ECORRUPT;
    remove_to(s, seq - 1);
    skip_below(s, seq);
    if (s->delivered.seq < seq - 1) s->delivered.seq = seq - 1;
    const struct mg_js_entry *first = mg_js_pending_first(&s->pending);
    if (first == NULL) raise_floor(s, s->delivered.dseq, s->delivered.seq);
    else raise_floor(s, first->dseq - 1, seq - 1);
    return 0;
}

static int reset(struct mg_js_state *s, uint64_t seq) {
    if (seq == 0 || seq == UINT64_MAX) return MG_ECORRUPT;
    bool no_acks = s->no_acks;
    mg_js_state_fini(s);
    mg_js_state_init(s, seq, no_acks);
    return 0;
}

static int skip_one(struct mg_js_state *s, uint64_t seq) {
    if (s->skip == NULL || s->skip->head != seq) return MG_ECORRUPT;
    skip_pop(s);
    return 0;
}

static bool due_ok(int64_t due) { return due == MG_JS_NEVER || (due >= 0 && due % MG_JS_MS == 0); }

int mg_js_state_apply(struct mg_js_state *s, const struct mg_js_delta *d) {
    if (!due_ok(d->due)) return MG_ECORRUPT;
    switch (d->op) {
    case MG_JS_DELTA_DELIVER: return deliver(s, d);
    case MG_JS_DELTA_DROP_TO: return drop_to(s, d->seq);
    case MG_JS_DELTA_FIRST: return begin_at(s, d->seq);
    case MG_JS_DELTA_RESET: return reset(s, d->seq);
    case MG_JS_DELTA_SKIP: return skip_one(s, d->seq);
    default: break;
    }
    struct mg_js_entry *e = mg_js_pending_find(&s->pending, d->seq);
    if (e == NULL) return MG_ECORRUPT;
    if (d->op == MG_JS_DELTA_DROP) return drop(s, e);
    if (e->state != MG_JS_ENTRY_LIVE) return MG_ECORRUPT;
    switch (d->op) {
    case MG_JS_DELTA_REDELIVER: return redeliver(s, e, d->due);
    case MG_JS_DELTA_PARK: return park(s, e);
    case MG_JS_DELTA_BOUNCE:
        if (e->count == 0) return MG_ECORRUPT;
        mg_js_pending_count(&s->pending, e, e->count - 1);
        mg_js_pending_due(&s->pending, e, d->due);
        return 0;
    case MG_JS_DELTA_DUE: mg_js_pending_due(&s->pending, e, d->due); return 0;
    default: return MG_ECORRUPT;
    }
}
