// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Listing the subjects of a stream: the rows in memory and those in the table runs, merged in order. The shard copies
// what memory has (newest generation first), a reader thread walks the runs beside it; rows in memory win. Nothing here
// depends on the number of messages.
#include <stdlib.h>
#include <string.h>

#include "jetstream/store/merge.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "jetstream/store/worker.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/proto/subject.h"

struct found {
    uint32_t subject_at, subject_len;
    uint64_t count, last;
};

struct listing {
    struct mg_parcel parcel;
    struct mg_list link;       // of the stream's listings; the stream is NULL when it is gone
    struct mg_stream *stream;
    struct mg_store_part *part;
    struct mg_subjects_read *read;
    uint64_t id;
    uint32_t epoch;
    struct mg_buf filter, after;
    uint64_t skip, max, above;
    bool brief;
    struct mg_runset *runs;
    struct mg_rowmap *memory;  // copies: key -> row
    struct mg_cell **sorted;
    // The answer.
    uint64_t total;
    struct found *found;
    uint32_t count, cap;
    struct mg_buf subjects;
    int err;
};

#define HEAD (MG_ROW_KEY_HEAD + 4u)

static bool wanted(const struct listing *l, mg_slice key) {
    if (key.n < HEAD || key.p[0] != MG_ROW_SUBJECT || mg_get_be64(key.p + 1) != l->id ||
        mg_get_be32(key.p + MG_ROW_KEY_HEAD) != l->epoch)
        return false;
    mg_slice subject = mg_slice_of(key.p + HEAD, key.n - HEAD);
    if (l->after.len && mg_cell_compare(subject, mg_buf_slice(&l->after)) <= 0) return false;
    return l->filter.len == 0 || mg_subject_match(subject, mg_buf_slice(&l->filter));
}

// ---- the reader's side ----------------------------------------------------------------------------------------------

static bool is_enough(const struct listing *l) { return l->brief && l->count >= l->max; }

static void add(struct listing *l, mg_slice key, mg_slice value) {
    struct mg_subject_row row;
    if (value.n < sizeof(row)) return;
    memcpy(&row, value.p, sizeof(row));
    if (row.count <= 0 || (uint64_t)row.count <= l->above || is_enough(l)) return;
    uint64_t n = l->total++;
    if (n < l->skip || l->count >= l->max) return;
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->found = mg_realloc(l->found, l->cap * sizeof(l->found[0]));
    }
    mg_slice subject = mg_slice_of(key.p + HEAD, key.n - HEAD);
    l->found[l->count++] =
        (struct found){(uint32_t)l->subjects.len, (uint32_t)subject.n, (uint64_t)row.count, row.last};
    mg_buf_add_slice(&l->subjects, subject);
}

static void add_memory(struct listing *l, const struct mg_cell *c) {
    if (!(c->flags & MG_CELL_DELETED)) add(l, mg_cell_key(c), mg_cell_value(c));
}

static void walk(struct listing *l, struct mg_merge *m) {
    uint32_t at = 0;
    char from[MG_CELL_KEY_MAX];
    mg_row_key_head(from, MG_ROW_SUBJECT, l->id);
    mg_put_be32(from + MG_ROW_KEY_HEAD, l->epoch);
    if (l->after.len) memcpy(from + HEAD, l->after.p, l->after.len);
    int err = m ? mg_merge_seek(m, mg_slice_of(from, HEAD + l->after.len)) : MG_ENOTFOUND;
    while (err == 0 && !is_enough(l)) {
        const struct mg_row *row = mg_merge_row(m);
        if (row->key.n < HEAD || memcmp(row->key.p, from, HEAD) != 0) break;
        int order = -1;
        while (at < l->memory->count && (order = mg_cell_compare(mg_cell_key(l->sorted[at]), row->key)) < 0)
            add_memory(l, l->sorted[at++]);
        bool newer = at < l->memory->count && order == 0;
        if (!newer && wanted(l, row->key)) add(l, row->key, row->value);
        err = mg_merge_next(m);
    }
    while (at < l->memory->count) add_memory(l, l->sorted[at++]);
    l->err = err == MG_ENOTFOUND ? 0 : err;
}

static void listed(struct mg_parcel *p);

static void list(struct mg_parcel *p) {
    struct listing *l = mg_container_of(p, struct listing, parcel);
    struct mg_run *runs[MG_MERGE_MAX];
    size_t n = 0;
    for (uint32_t i = 0; l->runs && i < l->runs->count && n < MG_MERGE_MAX; i++) {
        if (!l->runs->runs[i]->primary) runs[n++] = l->runs->runs[i]->run;
    }
    l->sorted = mg_rowmap_sorted(l->memory);
    struct mg_merge *m = n ? mg_merge_new(runs, n, true, false) : NULL;
    walk(l, m);
    if (m) mg_merge_free(m);
    l->parcel.arrived = listed;
    mg_inbox_post(&l->part->inbox, &l->parcel);
}

// ---- the shard's side -----------------------------------------------------------------------------------------------

static void free_listing(struct listing *l) {
    mg_runset_unref(l->runs);
    mg_rowmap_unref(l->memory);
    mg_free(l->sorted);
    mg_free(l->found);
    mg_buf_fini(&l->filter);
    mg_buf_fini(&l->after);
    mg_buf_fini(&l->subjects);
    mg_free(l);
}

static void listed(struct mg_parcel *p) {
    struct listing *l = mg_container_of(p, struct listing, parcel);
    l->part->jobs_out--;
    if (l->stream) {
        mg_list_remove(&l->link);
        for (uint32_t i = 0; i < l->count && l->err == 0; i++) {
            const struct found *f = &l->found[i];
            l->read->each(l->read, mg_slice_of(l->subjects.p + f->subject_at, f->subject_len), f->count, f->last);
        }
        l->read->done(l->read, l->err, l->total);
    }
    free_listing(l);
}

static void copy_rows(struct listing *l, const struct mg_rowmap *m) {
    for (uint32_t i = 0; i <= m->mask; i++) {
        const struct mg_cell *c = mg_rowmap_at(m, i);
        if (c == NULL || c->value_len == 0 || !wanted(l, mg_cell_key(c))) continue;
        bool added;
        mg_slice key = mg_cell_key(c);
        struct mg_cell *copy = mg_rowmap_put(l->memory, mg_row_hash(0, key), key, c->value_len, &added);
        if (!added) continue; // a newer generation has it
        memcpy(copy->value, c->value, c->value_len);
        copy->flags = c->flags;
    }
}

static void start(struct mg_stream *s, struct mg_subjects_read *r) {
    struct listing *l = mg_zalloc(sizeof(*l));
    l->stream = s;
    l->part = s->part;
    l->read = r;
    l->id = s->id;
    l->epoch = s->epoch;
    l->skip = r->skip;
    l->max = r->max;
    l->above = r->above;
    l->brief = r->brief;
    mg_buf_add_slice(&l->filter, r->filter);
    mg_buf_add_slice(&l->after, mg_slice_of(r->after.p, r->after.n > UINT16_MAX ? UINT16_MAX : r->after.n));
    l->runs = s->storage == MG_STORAGE_FILE ? mg_runset_ref(s->part->rows.runs) : NULL;
    l->memory = mg_rowmap_new();
    copy_rows(l, s->rows->active);
    for (unsigned i = 0; i < s->rows->frozen_len; i++) copy_rows(l, s->rows->frozen[i]);
    mg_list_push_back(&s->listings, &l->link);
    l->parcel.arrived = list;
    s->part->jobs_out++;
    mg_worker_post(mg_store_reader(s->part->store, s->id), &l->parcel);
}

void mg_stream_subjects(struct mg_stream *s, struct mg_subjects_read *r) {
    mg_list_init(&r->waits);
    if (s->unresolved == 0) {
        start(s, r);
        return;
    }
    // Rows whose older value is on its way.
    mg_list_push_back(&s->listings_wait, &r->waits);
    mg_part_want(s);
}

void mg_subjects_pump(struct mg_stream *s) {
    while (s->unresolved == 0 && !mg_list_empty(&s->listings_wait)) {
        struct mg_subjects_read *r = mg_container_of(s->listings_wait.next, struct mg_subjects_read, waits);
        mg_list_remove(&r->waits);
        start(s, r);
    }
}

void mg_subjects_fail(struct mg_stream *s) {
    while (!mg_list_empty(&s->listings_wait)) {
        struct mg_subjects_read *r = mg_container_of(s->listings_wait.next, struct mg_subjects_read, waits);
        mg_list_remove(&r->waits);
        r->done(r, MG_ECLOSED, 0);
    }
    while (!mg_list_empty(&s->listings)) {
        struct listing *l = mg_container_of(s->listings.next, struct listing, link);
        mg_list_remove(&l->link);
        l->stream = NULL;
        l->read->done(l->read, MG_ECLOSED, 0);
    }
}
