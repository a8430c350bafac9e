// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Listing the subjects of a stream: the rows in memory and those in the table runs, merged in order; rows in memory
// win. Nothing here depends on the number of messages.
//
//   shard    copies what memory has beyond the runs, a slice in each turn (row_copy.h).
//   reader   walks the runs beside the copy, from the literal beginning of the filter on; in slices, too, for others
//            wait for the reader.
//   shard    gives what was found, a slice in each turn. The reader, whose memory it is, frees it.
#include <stdlib.h>
#include <string.h>

#include "jetstream/store/heal.h"
#include "jetstream/store/merge.h"
#include "jetstream/store/row_copy.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "jetstream/store/worker.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/proto/subject.h"

#define WALK_AT_ONCE 50000u // rows of runs until the reader does something else
#define COPY_COST 16u       // us that a slice of the copy takes, more or less

struct found {
    uint32_t subject_at, subject_len;
    uint64_t count, last;
    bool gone; // that last one may be
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
    struct mg_row_copy copy;
    bool copying, giving;
    uint32_t given;            // of those found
    struct mg_read look;       // for the last message of the next one
    mg_slice looked_for;
    enum { LOOK_NOT, LOOK_WAITS, LOOK_DONE } looking;
    struct mg_cell **sorted;   // its rows
    uint32_t next;             // of them
    struct mg_merge *merge;
    size_t prefix;             // bytes of the filter that all keys begin with
    // The answer.
    atomic_bool given_up;
    uint64_t total, all;       // all: of the stream, when it was asked
    struct found *found;
    uint32_t count, cap;
    struct mg_buf subjects;
    int err;
};

#define HEAD (MG_ROW_KEY_HEAD + 4u)

static void key_from(const struct listing *l, struct mg_buf *out) {
    char head[HEAD];
    mg_row_key_head(head, MG_ROW_SUBJECT, l->id);
    mg_put_be32(head + MG_ROW_KEY_HEAD, l->epoch);
    mg_buf_add(out, head, HEAD);
    mg_buf_add(out, l->filter.p, l->prefix);
}

static bool wanted(const void *arg, mg_slice key) {
    const struct listing *l = arg;
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
        (struct found){(uint32_t)l->subjects.len, (uint32_t)subject.n, (uint64_t)row.count, row.last, row.last_gone};
    mg_buf_add_slice(&l->subjects, subject);
}

static void add_memory(struct listing *l, const struct mg_cell *c) {
    if (!(c->flags & MG_CELL_DELETED)) add(l, mg_cell_key(c), mg_cell_value(c));
}

// Of all subjects the number is known.
static bool knows_enough(const struct listing *l) {
    return l->filter.len == 0 && l->after.len == 0 && l->above == 0 && l->count == l->max;
}

static int seek(struct listing *l, mg_slice from) {
    struct mg_buf behind = MG_BUF_INIT;
    mg_buf_add(&behind, from.p, HEAD);
    mg_buf_add_slice(&behind, mg_buf_slice(&l->after));
    mg_slice later = mg_buf_slice(&behind);
    int err = mg_merge_seek(l->merge, mg_cell_compare(later, from) > 0 ? later : from);
    mg_buf_fini(&behind);
    return err;
}

// MG_EAGAIN: there is more.
static int walk(struct listing *l) {
    struct mg_buf from = MG_BUF_INIT;
    struct mg_merge *m = l->merge;
    uint32_t rows = 0, ours = l->copy.rows->count;
    int err = MG_ENOTFOUND;
    key_from(l, &from);
    if (m) {
        err = mg_merge_next(m);
    } else {
        m = l->merge = mg_runset_merge(l->copy.runs, false, false);
        if (m) err = seek(l, mg_buf_slice(&from));
    }
    for (; err == 0 && !is_enough(l) && !knows_enough(l); err = mg_merge_next(m)) {
        const struct mg_row *row = mg_merge_row(m);
        if (row->key.n < from.len || memcmp(row->key.p, from.p, from.len) != 0) break;
        int order = -1;
        while (l->next < ours && (order = mg_cell_compare(mg_cell_key(l->sorted[l->next]), row->key)) < 0)
            add_memory(l, l->sorted[l->next++]);
        bool newer = l->next < ours && order == 0;
        if (!newer && wanted(l, row->key)) add(l, row->key, row->value);
        if (++rows == WALK_AT_ONCE) break;
    }
    mg_buf_fini(&from);
    if (!knows_enough(l)) {
        if (err == 0 && rows == WALK_AT_ONCE) return MG_EAGAIN;
        while (l->next < ours) add_memory(l, l->sorted[l->next++]);
    }
    if (knows_enough(l)) l->total = l->all;
    return err == MG_ENOTFOUND ? 0 : err;
}

static void listed(struct mg_parcel *p);

static void list(struct mg_parcel *p) {
    struct listing *l = mg_container_of(p, struct listing, parcel);
    if (l->sorted == NULL) l->sorted = mg_rowmap_sorted(l->copy.rows);
    l->err = walk(l);
    // Once the store closes, nothing is posted any more that would find the part gone.
    if (l->err == MG_EAGAIN && !atomic_load(&l->given_up) && !atomic_load(&l->part->store->keeping->closing)) {
        mg_worker_post(mg_store_reader(l->part->store, l->id), &l->parcel);
        return;
    }
    if (l->merge) mg_merge_free(l->merge);
    l->merge = NULL;
    l->parcel.arrived = listed;
    mg_inbox_post(&l->part->inbox, &l->parcel);
}

// ---- the shard's side -----------------------------------------------------------------------------------------------

static void free_memory(struct mg_parcel *p) {
    struct listing *l = mg_container_of(p, struct listing, parcel);
    mg_row_copy_end(&l->copy);
    mg_free(l->sorted);
    mg_free(l->found);
    mg_buf_fini(&l->filter);
    mg_buf_fini(&l->after);
    mg_buf_fini(&l->subjects);
    mg_free(l);
}

static void free_listing(struct listing *l) {
    if (l->merge) mg_merge_free(l->merge);
    mg_runset_unref(l->copy.runs);
    l->copy.runs = NULL;
    l->parcel.arrived = free_memory;
    mg_worker_post(mg_store_reader(l->part->store, l->id), &l->parcel);
}

// Rows that cannot be read are counted anew by the keeper (heal.c); a checkpoint brings them. Then all begins again.
static bool wait_for_heal(struct listing *l) {
    struct mg_subjects_read *r = l->read;
    struct mg_store *st = l->part->store;
    if (l->err != MG_ECORRUPT && l->err != MG_EIO) return false;
    uint64_t failed = atomic_load(&st->keeping->heal_failed);
    if (st->keeper == NULL || atomic_load(&st->poisoned) || (r->heals && r->heals_failed != failed)) return false;
    if (!r->heals) r->heals_failed = failed;
    r->heals = true;
    r->installs = l->part->installs;
    mg_heal_want(st);
    mg_list_push_back(&l->stream->listings_wait, &r->waits);
    mg_part_want(l->stream);
    return true;
}

static void looked(struct mg_read *r) {
    struct listing *l = r->user;
    l->looking = LOOK_DONE;
    mg_part_pump_later(l->stream);
}

// Its row does not know for sure: then the messages are asked. False: the answer will come.
static bool find_last(struct listing *l, const struct found *f, mg_slice subject, uint64_t *last) {
    *last = f->last;
    if (!l->read->lasts || !(f->gone || mg_stream_overlooks(l->stream, f->last + 1))) return true;
    if (l->looking == LOOK_NOT) {
        l->looked_for = subject;
        l->look = (struct mg_read){.kind = MG_READ_LAST, .inside = true, .seq = MG_ANY_SEQ,
                                   .filters = &l->looked_for, .filters_len = 1, .done = looked, .user = l};
        l->looking = mg_stream_read(l->stream, &l->look) == MG_EAGAIN ? LOOK_WAITS : LOOK_DONE;
    }
    if (l->looking == LOOK_WAITS) return false;
    *last = l->look.err ? 0 : l->look.msg.seq;
    mg_stream_read_end(&l->look);
    l->looking = LOOK_NOT;
    return true;
}

static void give(struct listing *l) {
    while (l->given < l->count && l->err == 0) {
        const struct found *f = &l->found[l->given];
        mg_slice subject = mg_slice_of(l->subjects.p + f->subject_at, f->subject_len);
        uint64_t last;
        if (!find_last(l, f, subject, &last)) return;
        l->given++;
        l->read->each(l->read, subject, f->count, last);
        if (!mg_part_spent(l->part, 1)) continue;
        mg_part_pump_later(l->stream);
        return;
    }
    mg_list_remove(&l->link);
    l->read->done(l->read, l->err, l->total);
    free_listing(l);
}

static void listed(struct mg_parcel *p) {
    struct listing *l = mg_container_of(p, struct listing, parcel);
    l->part->jobs_out--;
    if (l->stream) {
        mg_list_remove(&l->link);
        if (wait_for_heal(l)) {
            free_listing(l);
            return;
        }
        mg_list_push_back(&l->stream->listings, &l->link);
        l->giving = true;
        give(l);
        return;
    }
    free_listing(l);
}

static void go_on(struct listing *l) {
    l->copying = !mg_row_copy_more(&l->copy, wanted, l);
    if (l->copying) {
        mg_part_pump_later(l->stream);
        return;
    }
    l->parcel.arrived = list;
    l->part->jobs_out++;
    mg_worker_post(mg_store_reader(l->part->store, l->id), &l->parcel);
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
    l->all = s->subjects;
    l->above = r->above;
    l->brief = r->brief;
    mg_buf_add_slice(&l->filter, r->filter);
    mg_buf_add_slice(&l->after, mg_slice_of(r->after.p, r->after.n > UINT16_MAX ? UINT16_MAX : r->after.n));
    l->prefix = mg_subject_literal_prefix(r->filter);
    mg_row_copy_begin(&l->copy, s->rows, s->storage == MG_STORAGE_FILE);
    mg_list_push_back(&s->listings, &l->link);
    go_on(l);
}

void mg_stream_subjects(struct mg_stream *s, struct mg_subjects_read *r) {
    mg_list_init(&r->waits);
    r->heals = false;
    if (s->unresolved == 0) {
        start(s, r);
        return;
    }
    // Rows whose older value is on its way.
    mg_list_push_back(&s->listings_wait, &r->waits);
    mg_part_want(s);
}

void mg_subjects_pump(struct mg_stream *s) {
    struct mg_list now;
    mg_list_init(&now);
    mg_list_splice(&now, &s->listings);
    while (!mg_list_empty(&now)) {
        struct listing *l = mg_container_of(now.next, struct listing, link);
        mg_list_remove(&l->link);
        mg_list_push_back(&s->listings, &l->link);
        if (l->copying) go_on(l);
        else if (l->giving) give(l);
        if (!mg_part_spent(s->part, COPY_COST)) continue;
        if (!mg_list_empty(&now)) mg_part_pump_later(s);
        break;
    }
    mg_list_splice(&now, &s->listings); // those who had their turn stand behind the others
    mg_list_splice(&s->listings, &now);
    for (struct mg_list *at = s->listings_wait.next, *next; s->unresolved == 0 && at != &s->listings_wait; at = next) {
        struct mg_subjects_read *r = mg_container_of(at, struct mg_subjects_read, waits);
        next = at->next;
        bool failed = s->part->poisoned || r->heals_failed != atomic_load(&s->part->store->keeping->heal_failed);
        if (r->heals && r->installs == s->part->installs && !failed) continue;
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
        struct mg_subjects_read *r = l->read;
        mg_list_remove(&l->link);
        if (l->looking == LOOK_WAITS) mg_stream_read_end(&l->look);
        l->stream = NULL;
        atomic_store(&l->given_up, true);
        if (l->copying || l->giving) free_listing(l);
        r->done(r, MG_ECLOSED, 0);
    }
}
