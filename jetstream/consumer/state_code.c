// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The state of a consumer and its changes as bytes. All numbers are varints, those that may be negative as zigzag;
// times are milliseconds since the epoch plus 1, 0 is never.
//
//   snapshot   version 1, flags (1: no acks, 2: skip list),
//              delivered.dseq, delivered.seq, floor.dseq, floor.seq, resume, entries,
//              an entry: seq - previous seq, zigzag(dseq - previous dseq), count * 2 + parked,
//                        zigzag(due - previous due)
//              skip list: left, head, bytes of the differences, the differences
//   delta      op, zigzag(seq - previous seq), and zigzag(due - previous due) for those that have one
//
// Nothing here trusts its input: what is read is checked against what state.c promises.
#include "jetstream/consumer/state.h"

#include "jetstream/consumer/varint.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

#define VERSION 1
#define FLAG_NO_ACKS 1u
#define FLAG_SKIP 2u
#define ENTRY_BYTES_MIN 4

// ---- writing --------------------------------------------------------------------------------------------------------

static uint64_t time_code(int64_t due) { return due == MG_JS_NEVER ? 0 : (uint64_t)(due / MG_JS_MS) + 1; }

static bool time_of(uint64_t code, int64_t *due) {
    if (code > (uint64_t)(MG_JS_NEVER / MG_JS_MS)) return false;
    *due = code == 0 ? MG_JS_NEVER : (int64_t)(code - 1) * MG_JS_MS;
    return true;
}

static void add_difference(struct mg_buf *out, uint64_t v, uint64_t *previous) {
    mg_varint_add(out, mg_zigzag((int64_t)(v - *previous)));
    *previous = v;
}

static uint64_t next_difference(struct mg_varint_reader *r, uint64_t *previous) {
    return *previous += (uint64_t)mg_unzigzag(mg_varint_next(r));
}

void mg_js_state_encode(const struct mg_js_state *s, struct mg_buf *out) {
    const struct mg_js_pending *p = &s->pending;
    uint64_t seq = 0, dseq = 0, due = 0;
    mg_varint_add(out, VERSION);
    mg_varint_add(out, (s->no_acks ? FLAG_NO_ACKS : 0) | (s->skip != NULL ? FLAG_SKIP : 0));
    mg_varint_add(out, s->delivered.dseq);
    mg_varint_add(out, s->delivered.seq);
    mg_varint_add(out, s->floor.dseq);
    mg_varint_add(out, s->floor.seq);
    mg_varint_add(out, s->resume);
    mg_varint_add(out, p->live + p->parked);
    for (uint32_t i = 0; p->in && i < p->in->len; i++) {
        const struct mg_js_entry *e = &p->in->log[i];
        if (e->state == MG_JS_ENTRY_GONE) continue;
        mg_varint_add(out, e->seq - seq);
        seq = e->seq;
        add_difference(out, e->dseq, &dseq);
        mg_varint_add(out, (uint64_t)e->count * 2 + (e->state == MG_JS_ENTRY_PARKED));
        add_difference(out, time_code(e->due), &due);
    }
    if (s->skip == NULL) return;
    mg_varint_add(out, s->skip->left);
    mg_varint_add(out, s->skip->head);
    mg_varint_add(out, s->skip->packed.len - s->skip->at);
    if (s->skip->packed.len > s->skip->at)
        mg_buf_add(out, s->skip->packed.p + s->skip->at, s->skip->packed.len - s->skip->at);
}

// ---- reading --------------------------------------------------------------------------------------------------------

static int read_entries(struct mg_js_state *s, struct mg_varint_reader *r) {
    uint64_t seq = 0, dseq = 0, code = 0, n = mg_varint_next(r);
    if (r->bad || n > (uint64_t)(r->end - r->p) / ENTRY_BYTES_MIN || n > MG_JS_PENDING_MAX) return MG_ECORRUPT;
    if (n > 0 && s->no_acks) return MG_ECORRUPT;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t step = mg_varint_next(r), before = dseq;
        if (__builtin_add_overflow(seq, step, &seq) || step == 0) return MG_ECORRUPT;
        next_difference(r, &dseq);
        uint64_t count = mg_varint_next(r);
        bool parked = count & 1;
        int64_t due;
        next_difference(r, &code);
        if (r->bad || !time_of(code, &due) || count / 2 >= 1u << 30) return MG_ECORRUPT;
        if (seq > s->delivered.seq || dseq <= before || dseq > s->delivered.dseq) return MG_ECORRUPT;
        if (!parked && (seq <= s->floor.seq || dseq <= s->floor.dseq)) return MG_ECORRUPT;
        if (parked && due != MG_JS_NEVER) return MG_ECORRUPT;
        mg_js_pending_append(&s->pending, seq, dseq, due, (uint32_t)(count / 2),
                             parked ? MG_JS_ENTRY_PARKED : MG_JS_ENTRY_LIVE);
    }
    return 0;
}

static int read_skip_list(struct mg_js_state *s, struct mg_varint_reader *r) {
    uint64_t left = mg_varint_next(r), head = mg_varint_next(r), bytes = mg_varint_next(r), last = head;
    if (r->bad || left == 0 || bytes > (uint64_t)(r->end - r->p) || left - 1 > bytes) return MG_ECORRUPT;
    if (head <= s->delivered.seq) return MG_ECORRUPT;
    struct mg_varint_reader walk = {r->p, r->p + bytes, false};
    for (uint64_t i = 1; i < left; i++) {
        uint64_t step = mg_varint_next(&walk);
        if (walk.bad || step == 0 || __builtin_add_overflow(last, step, &last)) return MG_ECORRUPT;
    }
    if (walk.p != walk.end || last >= s->resume) return MG_ECORRUPT;
    s->skip = mg_zalloc(sizeof *s->skip);
    s->skip->left = left;
    s->skip->head = head;
    mg_buf_add(&s->skip->packed, r->p, bytes);
    r->p = walk.p;
    return 0;
}

static int read_state(struct mg_js_state *s, struct mg_varint_reader *r) {
    uint64_t flags = mg_varint_next(r);
    if (flags & ~(uint64_t)(FLAG_NO_ACKS | FLAG_SKIP)) return MG_ECORRUPT;
    s->no_acks = flags & FLAG_NO_ACKS;
    s->delivered.dseq = mg_varint_next(r);
    s->delivered.seq = mg_varint_next(r);
    s->floor.dseq = mg_varint_next(r);
    s->floor.seq = mg_varint_next(r);
    s->resume = mg_varint_next(r);
    if (r->bad || s->floor.dseq > s->delivered.dseq || s->floor.seq > s->delivered.seq) return MG_ECORRUPT;
    if (s->delivered.seq == UINT64_MAX || s->delivered.dseq == UINT64_MAX) return MG_ECORRUPT;
    int rc = read_entries(s, r);
    if (rc == 0 && (flags & FLAG_SKIP)) rc = read_skip_list(s, r);
    return rc == 0 && (r->bad || r->p != r->end) ? MG_ECORRUPT : rc;
}

int mg_js_state_decode(struct mg_js_state *out, mg_slice bytes) {
    struct mg_varint_reader r = {bytes.p, bytes.p + bytes.n, false};
    *out = (struct mg_js_state){0};
    uint64_t version = mg_varint_next(&r);
    if (r.bad) return MG_ECORRUPT;
    if (version != VERSION) return MG_EUNSUPPORTED;
    int rc = read_state(out, &r);
    if (rc != 0) mg_js_state_fini(out);
    return rc;
}

// ---- deltas ---------------------------------------------------------------------------------------------------------

static bool has_due(enum mg_js_delta_op op) {
    return op <= MG_JS_DELTA_DUE;
}

void mg_js_delta_encode(struct mg_js_delta_coder *c, struct mg_buf *out, const struct mg_js_delta *d) {
    uint64_t code = (uint64_t)c->due;
    mg_varint_add(out, (uint64_t)d->op);
    add_difference(out, d->seq, &c->seq);
    if (!has_due(d->op)) return;
    add_difference(out, time_code(d->due), &code);
    c->due = (int64_t)code;
}

int mg_js_delta_decode(struct mg_js_delta_coder *c, mg_slice *in, struct mg_js_delta *out) {
    if (in->n == 0) return MG_EEOF;
    struct mg_varint_reader r = {in->p, in->p + in->n, false};
    uint64_t op = mg_varint_next(&r), code = (uint64_t)c->due;
    *out = (struct mg_js_delta){.seq = next_difference(&r, &c->seq)};
    if (r.bad || op == 0 || op >= MG_JS_DELTA_OPS) return MG_ECORRUPT;
    out->op = (enum mg_js_delta_op)op;
    if (has_due(out->op)) {
        next_difference(&r, &code);
        if (r.bad || !time_of(code, &out->due)) return MG_ECORRUPT;
        c->due = (int64_t)code;
    }
    in->n = (size_t)(r.end - r.p);
    in->p = r.p;
    return 0;
}

int mg_js_state_replay(struct mg_js_state *s, mg_slice record) {
    struct mg_js_delta_coder c = {0};
    struct mg_js_delta d;
    int rc;
    while ((rc = mg_js_delta_decode(&c, &record, &d)) == 0) {
        if (MG_PLANTED(acked_again) && d.op == MG_JS_DELTA_DROP) continue;
        if ((rc = mg_js_state_apply(s, &d)) != 0) return rc;
    }
    return rc == MG_EEOF ? 0 : rc;
}
