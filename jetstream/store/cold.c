// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/cold.h"

#include "jetstream/store/store_impl.h"
#include "jetstream/store/worker.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

#define STRETCHES 16u // that a question takes along
#define BITMAPS 128u  // looked for at a time, in each generation of rows

static void arrived_back(struct mg_parcel *p);

static void work(struct mg_parcel *p) {
    struct mg_cold_read *r = mg_container_of(p, struct mg_cold_read, parcel);
    r->answer = mg_zalloc(sizeof(*r->answer));
    r->answer->reader = mg_store_reader(r->part->store, r->stream_id);
    mg_cold_find(r);
    r->parcel.arrived = arrived_back;
    mg_inbox_post(&r->part->inbox, &r->parcel);
}

static void free_answer(struct mg_parcel *p) {
    struct mg_cold_answer *a = mg_container_of(p, struct mg_cold_answer, parcel);
    mg_free(a->entries);
    mg_buf_fini(&a->bytes);
    mg_free(a);
}

// ---- the shard's side -----------------------------------------------------------------------------------------------

static void forget_snapshot(struct mg_cold_read *r) {
    for (uint32_t i = 0; i < r->cold_len; i++) mg_segment_ref_put(r->cold[i].segment);
    mg_free(r->cold);
    mg_runset_unref(r->runs);
    r->cold = NULL;
    r->cold_len = 0;
    r->runs = NULL;
}

void mg_cold_answer_free(struct mg_cold_answer *a) {
    if (a == NULL) return;
    a->parcel.arrived = free_answer;
    mg_worker_post(a->reader, &a->parcel);
}

static void free_read(struct mg_cold_read *r) {
    forget_snapshot(r);
    mg_cold_answer_free(r->answer);
    mg_free((void *)(uintptr_t)r->q.filters);
    mg_buf_fini(&r->filters);
    mg_buf_fini(&r->memory_bits);
    mg_free(r);
}

static bool before(struct mg_stretch_at a, struct mg_stretch_at b) {
    return a.page != b.page ? a.page < b.page : a.i < b.i;
}

// The first of the stretches to take along, *n: at most so many. LAST goes from the end.
static struct mg_stretch_at choose_stretches(struct mg_cold_read *r, uint32_t *n) {
    const struct mg_stretches *t = &r->stream->cold;
    struct mg_stretch_at at = mg_stretches_find(t, r->q.from);
    *n = r->q.kind == MG_COLD_ROW ? 0 : STRETCHES;
    if (r->q.kind == MG_COLD_SUBJECT) *n = t->count; // it is asked where a table is damaged
    if (r->q.kind == MG_COLD_TIME) {
        struct mg_stretch_at young = mg_stretches_reaching(t, r->q.time);
        if (before(at, young)) at = young;
    }
    if (r->q.kind == MG_COLD_LAST) {
        const struct mg_stretch *c = mg_stretches_get(t, at);
        *n = c && c->first_seq <= r->q.from;
        while (*n < STRETCHES && mg_stretches_back(t, &at)) ++*n;
    }
    return at;
}

// cut: there are more of them where the question goes on.
static void snapshot(struct mg_cold_read *r) {
    const struct mg_stretches *t = &r->stream->cold;
    uint32_t n;
    struct mg_stretch_at at = choose_stretches(r, &n), first = at;
    const struct mg_stretch *c;
    r->cold = mg_alloc((n ? n : 1) * sizeof(r->cold[0]));
    for (r->cold_len = 0; r->cold_len < n && (c = mg_stretches_get(t, at)); at = mg_stretches_next(t, at)) {
        r->cold[r->cold_len++] = *c;
        mg_segment_ref_get(c->segment);
    }
    r->cut = r->q.kind == MG_COLD_LAST ? mg_stretches_back(t, &first) : n > 0 && mg_stretches_get(t, at);
    r->upto = r->cold_len ? r->cold[r->cold_len - 1].last_seq + 1 : r->q.from;
}

static void post(struct mg_cold_read *r) {
    r->bits_at = MG_ANY_SEQ;
    r->parcel.arrived = work;
    r->part->jobs_out++;
    mg_worker_post(mg_store_reader(r->part->store, r->stream_id), &r->parcel);
}

static void take_snapshot(struct mg_cold_read *r) {
    snapshot(r);
    r->runs = mg_runset_ref(r->part->rows.runs);
    r->installs = mg_stream_installs(r->stream);
    r->low = r->stream->first;
    r->memory_bits.len = 0;
    r->bits_at = r->q.from;
    r->gone = 0;
}

// The next slice. Bits that have left memory for runs since the snapshot would be in neither: then it begins again.
static void gather(struct mg_cold_read *r) {
    uint32_t left = BITMAPS;
    if (r->installs != mg_stream_installs(r->stream)) {
        forget_snapshot(r);
        take_snapshot(r);
    }
    for (uint32_t i = 0; i < r->cold_len && left > 0; i++) {
        const struct mg_stretch *c = &r->cold[i];
        if (c->last_seq < r->bits_at) continue;
        // Of a stretch that is complete none is asked for.
        if (c->live == c->messages) r->bits_at = c->last_seq + 1;
        else mg_stream_removed_bits(r->stream, &r->bits_at, c, &left, &r->memory_bits);
    }
    if (r->bits_at < r->upto) {
        mg_list_push_back(&r->stream->gathering, &r->gathers);
        mg_part_pump_later(r->stream);
    } else {
        post(r);
    }
}

void mg_cold_gather(struct mg_stream *s) {
    struct mg_list now;
    mg_list_init(&now);
    mg_list_splice(&now, &s->gathering);
    while (!mg_list_empty(&now)) {
        struct mg_cold_read *r = mg_container_of(now.next, struct mg_cold_read, gathers);
        mg_list_remove(&r->gathers);
        gather(r);
    }
}

void mg_cold_uncount(struct mg_cold_read *r, uint64_t seq, mg_slice subject) {
    if (seq < r->bits_at) { // it was not removed in what the reader has, or will have
        r->gone += mg_cold_matches(&r->q, subject);
        return;
    }
    for (uint32_t i = 0; i < r->cold_len; i++) {
        struct mg_stretch *c = &r->cold[i];
        if (seq >= c->first_seq && seq <= c->last_seq && c->live == c->messages) mg_stretch_set_live(c, c->live - 1u);
    }
}

static void submit(struct mg_cold_read *r) {
    take_snapshot(r);
    mg_cold_answer_free(r->answer); // there was one in vain
    r->answer = NULL;
    r->entries = NULL;
    r->count = r->cap = 0;
    r->total = 0;
    r->doubt = false;
    r->left_out = 0;
    r->err = 0;
    if (r->q.kind == MG_COLD_COUNT) gather(r);
    else post(r);
}

static void leave_out_removed(struct mg_cold_read *r) {
    uint32_t kept = 0;
    uint64_t clean = UINT64_MAX;
    for (uint32_t i = 0; i < r->count; i++) {
        struct mg_cold_entry e = r->entries[i];
        if (e.err && e.seq < r->stream->first) e.seq = r->stream->first;
        while (e.seq <= e.last_seq && mg_stream_known_removed_in_turn(r->stream, e.seq, &clean)) e.seq++;
        if (e.seq <= e.last_seq) r->entries[kept++] = e;
    }
    r->count = kept;
}

// Everything that was found has been removed, as rows in memory say: the question goes on behind it.
static bool go_on_behind(struct mg_cold_read *r) {
    if (r->q.kind == MG_COLD_LAST) {
        uint64_t found = r->entries[0].seq;
        r->q.from = found - 1;
        return found > 1;
    }
    // Times ascend with numbers: what is behind a message that is young enough is, too. Of one that cannot be read
    // nobody knows whether it was.
    if (!r->entries[0].err) r->q.kind = MG_COLD_SCAN;
    r->q.from = r->covered;
    return true;
}

static void tell_lost(const struct mg_cold_read *r) {
    for (uint32_t i = 0; i < r->count; i++) {
        const struct mg_cold_entry *e = &r->entries[i];
        if (e->err) mg_stream_found_lost(r->stream, e->seq, e->last_seq, e->last_seq - e->seq + 1);
    }
}

static void arrived_back(struct mg_parcel *p) {
    struct mg_cold_read *r = mg_container_of(p, struct mg_cold_read, parcel);
    uint64_t lowest = r->cold_len ? r->cold[0].first_seq : 1;
    r->part->jobs_out--;
    forget_snapshot(r);
    if (r->stream == NULL) {
        if (r->q.kind == MG_COLD_SUBJECT) r->done(r);
        free_read(r);
        return;
    }
    uint32_t before = r->count;
    bool moved = r->installs != mg_stream_installs(r->stream) && !MG_PLANTED(old_snapshot);
    if (!moved) leave_out_removed(r);
    if (r->q.kind == MG_COLD_COUNT) { // it is true of its snapshot
        r->total -= r->gone;
    } else if (moved || (before && r->count == 0 && go_on_behind(r))) {
        submit(r);
        return;
    } else if (r->count == 0 && r->cut && r->err == 0) {
        r->q.from = r->q.kind == MG_COLD_LAST ? lowest - 1 : r->covered;
        submit(r);
        return;
    }
    mg_list_remove(&r->link);
    tell_lost(r);
    r->done(r);
    free_read(r);
}

struct mg_cold_read *mg_cold_ask(struct mg_stream *s, const struct mg_cold_question *q, mg_cold_done done, void *user) {
    struct mg_cold_read *r = mg_zalloc(sizeof(*r));
    mg_slice *filters = mg_alloc((q->filters_len ? q->filters_len : 1) * sizeof(*filters));
    for (unsigned i = 0; i < q->filters_len; i++) mg_buf_add_slice(&r->filters, q->filters[i]);
    for (unsigned i = 0, at = 0; i < q->filters_len; at += (unsigned)q->filters[i++].n)
        filters[i] = mg_slice_of(r->filters.p + at, q->filters[i].n);
    r->q = *q;
    r->q.filters = filters;
    r->stream = s;
    r->stream_id = s->id;
    r->part = s->part;
    r->done = done;
    r->user = user;
    mg_list_push_back(&s->reads, &r->link);
    mg_list_init(&r->gathers);
    submit(r);
    return r;
}

void mg_cold_cancel(struct mg_cold_read *r) {
    mg_list_remove(&r->link);
    r->stream = NULL;
    if (mg_list_empty(&r->gathers)) return; // a reader has it
    mg_list_remove(&r->gathers);
    free_read(r);
}

void mg_cold_cancel_all(struct mg_stream *s) {
    while (!mg_list_empty(&s->reads)) mg_cold_cancel(mg_container_of(s->reads.next, struct mg_cold_read, link));
}
