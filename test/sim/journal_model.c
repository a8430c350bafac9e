// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The judge of the journal's simulation. Nothing here knows how the journal works, only what it promises.
#include "test/sim/journal_model.h"

#include <string.h>

#include "server/base/mem.h"

void model_init(struct model *m, uint64_t salt, uint64_t ring_pages) {
    memset(m, 0, sizeof(*m));
    m->salt = salt;
    m->ring_pages = ring_pages;
}

void model_fini(struct model *m) {
    for (unsigned i = 0; i < MODEL_STREAMS; i++) mg_free(m->streams[i].ops);
}

uint64_t model_next(const struct model *m, unsigned stream) { return m->streams[stream].n; }
struct model_op *model_op(struct model *m, unsigned stream, uint64_t op) { return &m->streams[stream].ops[op]; }

size_t model_record(struct model *m, unsigned stream, uint64_t op, size_t payload, uint8_t *out) {
    char bytes[20000];
    uint64_t x = (m->salt << 32) + ++m->uses;
    for (size_t i = 0; i < payload; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
        bytes[i] = (char)(x >> 56);
    }
    struct mg_record_view v = {
        .head = {.type = MG_RECORD_MSG, .stream = stream + 1, .op = op, .seq = m->uses},
        .subject = MG_S("a.b.c"),
        .payload = mg_slice_of(bytes, payload),
    };
    return mg_record_encode(out, &v);
}

void model_submitted(struct model *m, unsigned stream, uint64_t first, uint64_t count, const uint8_t *bytes) {
    struct model_stream *st = &m->streams[stream];
    sim_check(st->n == first, "the test is wrong");
    if (first + count > st->cap) {
        st->cap = (first + count) * 2;
        st->ops = mg_realloc(st->ops, st->cap * sizeof(*st->ops));
    }
    for (uint64_t i = 0; i < count; i++) {
        struct mg_record_view v;
        mg_record_borrow(&v, bytes);
        bytes += v.head.length;
        st->ops[st->n++] = (struct model_op){.checksum = v.head.checksum, .length = v.head.length};
    }
}

void model_take_back(struct model *m, unsigned stream, uint64_t first) { m->streams[stream].n = first; }

uint64_t model_some_page(struct model *m, struct sim *s, uint64_t below) {
    const struct model_stream *st = &m->streams[sim_below(s, MODEL_STREAMS)];
    if (st->n == 0) return 0;
    uint64_t from = st->n > 40 && sim_chance(s, 200) ? st->n - 40 : 0;
    const struct model_op *op = &st->ops[from + sim_below(s, st->n - from)];
    return op->fate == MODEL_ACKED && op->page < below ? op->page : 0;
}

uint64_t model_end(const struct model *m) {
    uint64_t end = m->replay_from;
    for (unsigned i = 0; i < MODEL_STREAMS; i++)
        for (uint64_t n = 0; n < m->streams[i].n; n++)
            if (m->streams[i].ops[n].fate == MODEL_ACKED && m->streams[i].ops[n].pages_end > end)
                end = m->streams[i].ops[n].pages_end;
    return end;
}

void model_attempted(struct model *m, uint64_t end) {
    if (end > m->attempted) m->attempted = end;
}

void model_spoil(struct model *m, uint64_t slot) {
    m->spoiled_slot[slot] = 1;
    m->damaged = true;
    if (m->head == 0) return;
    uint64_t last = m->head - 1;
    uint64_t page = last - (last % m->ring_pages + m->ring_pages - slot) % m->ring_pages;
    if (page <= last && page >= m->replay_from) m->spoiled[page] = 1; // the newest page of the slot
}

// ---- recovery -----------------------------------------------------------------------------------------------------

void model_begin_recovery(struct model *m) {
    m->damages = 0;
    m->ever_torn |= m->perhaps_torn;
    // One that did not come to its end has told the truth, too.
    for (uint64_t p = 0; p < MODEL_PAGES; p++) m->known[p] |= m->hit[p] != 0;
    memset(m->hit, 0, sizeof(m->hit));
    for (unsigned i = 0; i < MODEL_STREAMS; i++) {
        m->streams[i].last = UINT64_MAX;
        m->streams[i].gap = false;
        for (uint64_t n = 0; n < m->streams[i].n; n++) m->streams[i].ops[n].seen = false;
    }
}

void model_seen(struct model *m, const struct mg_record_view *v, uint64_t page) {
    const struct mg_record *h = &v->head;
    sim_check(h->stream >= 1 && h->stream <= MODEL_STREAMS, "invented: stream %llu", (unsigned long long)h->stream);
    struct model_stream *st = &m->streams[h->stream - 1];
    sim_check(h->op < st->n, "invented: operation %llu of %llu", (unsigned long long)h->op, (unsigned long long)st->n);
    struct model_op *op = &st->ops[h->op];
    sim_check(op->checksum == h->checksum && op->length == h->length, "operation %llu has other bytes than written",
              (unsigned long long)h->op);
    sim_check(op->fate != MODEL_REFUSED, "operation %llu was said to be not written", (unsigned long long)h->op);
    sim_check(op->fate != MODEL_LOST || m->stray, "operation %llu was lost and came back", (unsigned long long)h->op);
    sim_check(st->last == UINT64_MAX || h->op > st->last, "operation %llu comes after %llu", (unsigned long long)h->op,
              (unsigned long long)st->last);
    if (st->last != UINT64_MAX && h->op != st->last + 1) st->gap = true;
    st->last = h->op;
    op->seen = true;
    op->page = page;
    // It begins somewhere in its first page: this is how far it may go.
    if (op->fate != MODEL_ACKED) op->pages_end = page + 2 + op->length / MODEL_BODY;
}

void model_damage(struct model *m, const struct mg_journal_damage *d) {
    m->damages++;
    for (uint64_t p = d->page; p < d->pages_end && p < MODEL_PAGES; p++) {
        m->hit[p] = d->unfinished ? 2 : 1;
        // Where the next commit would begin may stand a damaged page of the lap before, one that was never written, or
        // what a power cut some time ago has torn.
        bool end = d->perhaps_torn || d->unfinished;
        bool before = end && ((p >= m->ring_pages && m->known[p - m->ring_pages]) ||
                              m->spoiled_slot[p % m->ring_pages] || (m->ever_torn && p < m->attempted));
        bool excused = m->known[p] || m->spoiled[p] || before || m->stray || (end && m->perhaps_torn);
        sim_check(excused, "page %llu is reported as damaged: %s", (unsigned long long)p, mg_damage_text(d->cause));
    }
}

// Has anything survived that was written to this page or a later one?
static bool anything_behind(const struct model *m, uint64_t page) {
    for (unsigned i = 0; i < MODEL_STREAMS; i++)
        for (uint64_t n = 0; n < m->streams[i].n; n++)
            if (m->streams[i].ops[n].seen && m->streams[i].ops[n].pages_end > page) return true;
    return false;
}

// Operation n is not there: may that be?
static void judge_missing(struct model *m, struct model_stream *st, uint64_t n, uint64_t head) {
    const struct model_op *op = &st->ops[n];
    if (op->fate != MODEL_ACKED || op->page < m->replay_from) return;
    if (m->interval && op->pages_end > m->durable) return;
    bool hit = false;
    // Not by what it calls the torn end: nobody was told about that.
    for (uint64_t p = op->page; p < op->pages_end; p++) hit |= m->hit[p] == 1;
    // A lost write of the last commits cannot be known.
    if (m->stray && (op->pages_end >= head || !anything_behind(m, op->page))) return;
    sim_check(hit, "operation %llu, pages %llu to %llu, was acknowledged and is gone", (unsigned long long)n,
              (unsigned long long)op->page, (unsigned long long)op->pages_end);
    for (uint64_t p = op->page; p < op->pages_end; p++)
        if (m->spoiled[p] || m->known[p] || m->stray) return;
    sim_fail("operation %llu was acknowledged and is gone with a page that nobody spoiled", (unsigned long long)n);
}

static void judge_stream(struct model *m, struct model_stream *st, uint64_t head) {
    uint64_t keep = 0;
    sim_check(!st->gap || m->damages > 0, "what survives is not a prefix");
    for (uint64_t n = 0; n < st->n; n++) {
        struct model_op *op = &st->ops[n];
        if (!op->seen) judge_missing(m, st, n, head);
        bool recycled = op->fate == MODEL_ACKED && op->page < m->replay_from;
        if (op->seen) op->fate = MODEL_ACKED;
        else if (!recycled) op->fate = MODEL_LOST;
        if (op->fate == MODEL_ACKED) keep = n + 1;
    }
    st->n = keep; // what was lost behind is written anew under the same numbers
}

void model_recovered(struct model *m, uint64_t head) {
    for (unsigned i = 0; i < MODEL_STREAMS; i++) judge_stream(m, &m->streams[i], head);
    for (uint64_t p = m->replay_from; p < MODEL_PAGES && head != UINT64_MAX && p < head; p++) {
        sim_check(m->spoiled[p] != 1 || m->hit[p], "page %llu is spoiled and nobody says so", (unsigned long long)p);
        if (m->spoiled[p]) m->spoiled[p] = 2;
    }
    m->perhaps_torn = false;
    m->durable = head == UINT64_MAX ? m->durable : head;
    m->head = head == UINT64_MAX ? m->head : head;
}
