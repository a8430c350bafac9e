// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Listing the owner's rows of a stream: those in memory and those in the table runs, merged in order of their keys; of
// equal keys memory's row counts, and of generations the newest. At the start, when a shard does not serve yet, that is
// done on its thread. In service the shard copies what memory has, in slices, and a reader does the rest.
#include "jetstream/store/merge.h"
#include "jetstream/store/row_copy.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "jetstream/store/worker.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

struct listing {
    struct mg_buf low, prefix; // whole keys: where it begins, and what all of them begin with
    bool (*each)(void *arg, mg_slice key, mg_slice value);
    void *arg;
    bool stopped;
};

static void copy_rows(const struct listing *l, const struct mg_rowmap *from, struct mg_rowmap *to) {
    for (uint32_t i = mg_rowmap_end(from); i-- > 0;) {
        const struct mg_cell *c = mg_rowmap_at(from, i);
        if (c == NULL || (c->flags & MG_CELL_UNRESOLVED)) continue;
        mg_slice key = mg_cell_key(c);
        bool added;
        if (!mg_slice_starts(key, mg_buf_slice(&l->prefix))) continue;
        if (mg_cell_compare(key, mg_buf_slice(&l->low)) < 0) continue;
        struct mg_cell *copy = mg_rowmap_put(to, mg_row_hash(0, key), key, c->value_len, &added);
        if (!added) continue; // a newer generation has it
        if (c->value_len) memcpy(copy->value, c->value, c->value_len);
        copy->flags = c->flags;
    }
}

static void give(struct listing *l, mg_slice key, mg_slice value) {
    if (!l->stopped)
        l->stopped = !l->each(l->arg, mg_slice_of(key.p + MG_ROW_KEY_HEAD, key.n - MG_ROW_KEY_HEAD), value);
}

static void give_memory(struct listing *l, const struct mg_cell *c) {
    if (!(c->flags & MG_CELL_DELETED)) give(l, mg_cell_key(c), mg_cell_value(c));
}

static int walk(struct listing *l, struct mg_merge *m, struct mg_cell **sorted, uint32_t count) {
    uint32_t at = 0;
    int worst = 0, err = m ? mg_merge_seek(m, mg_buf_slice(&l->low)) : MG_ENOTFOUND;
    for (; err != MG_ENOTFOUND && !l->stopped; err = mg_merge_next(m)) {
        if (err != 0) { // keys that cannot be read; it goes on behind them
            worst = err;
            continue;
        }
        const struct mg_row *row = mg_merge_row(m);
        int order = -1;
        if (!mg_slice_starts(row->key, mg_buf_slice(&l->prefix))) break;
        while (at < count && (order = mg_cell_compare(mg_cell_key(sorted[at]), row->key)) < 0)
            give_memory(l, sorted[at++]);
        if (at == count || order != 0) give(l, row->key, row->value);
    }
    while (at < count) give_memory(l, sorted[at++]);
    return worst;
}

int mg_stream_rows(struct mg_stream *s, mg_slice prefix, mg_slice from,
                   bool (*each)(void *arg, mg_slice key, mg_slice value), void *arg) {
    struct listing l = {.each = each, .arg = arg};
    char head[MG_ROW_KEY_HEAD];
    mg_row_key_head(head, MG_ROW_OWNER, s->id);
    mg_buf_add(&l.prefix, head, sizeof(head));
    mg_buf_add_slice(&l.prefix, prefix);
    mg_buf_add(&l.low, head, sizeof(head));
    mg_buf_add_slice(&l.low, mg_slice_cmp(from, prefix) > 0 ? from : prefix);
    struct mg_rowmap *memory = mg_rowmap_new();
    copy_rows(&l, s->rows->active, memory);
    for (unsigned i = 0; i < s->rows->frozen_len; i++) copy_rows(&l, s->rows->frozen[i], memory);
    struct mg_runset *set = s->storage == MG_STORAGE_FILE ? mg_runset_ref(s->part->rows.runs) : NULL;
    struct mg_cell **sorted = mg_rowmap_sorted(memory);
    struct mg_merge *m = set ? mg_runset_merge(set, true, false) : NULL;
    int err = walk(&l, m, sorted, memory->count);
    if (m) mg_merge_free(m);
    mg_runset_unref(set);
    mg_free(sorted);
    mg_rowmap_unref(memory);
    mg_buf_fini(&l.low);
    mg_buf_fini(&l.prefix);
    return err;
}

// ---- in service -----------------------------------------------------------------------------------------------------

struct job {
    struct mg_parcel parcel;
    struct mg_list link;      // of the stream's jobs
    struct mg_stream *stream; // NULL: it is gone
    struct mg_store_part *part;
    struct mg_rows_read *read;
    struct listing l;
    struct mg_row_copy copy;
    bool copying;
    uint64_t most;
    struct mg_buf found;      // u32 bytes of the key, u32 of the value, both
    int err;
};

static bool wanted(const void *arg, mg_slice key) {
    const struct listing *l = arg;
    return mg_slice_starts(key, mg_buf_slice(&l->prefix)) && mg_cell_compare(key, mg_buf_slice(&l->low)) >= 0;
}

static bool keep(void *arg, mg_slice key, mg_slice value) {
    struct job *j = arg;
    uint32_t n[2] = {(uint32_t)key.n, (uint32_t)value.n};
    mg_buf_add(&j->found, n, sizeof(n));
    mg_buf_add_slice(&j->found, key);
    mg_buf_add_slice(&j->found, value);
    return --j->most > 0;
}

static void free_job(struct job *j) {
    mg_row_copy_end(&j->copy);
    mg_buf_fini(&j->found);
    mg_buf_fini(&j->l.low);
    mg_buf_fini(&j->l.prefix);
    mg_free(j);
}

static void listed(struct mg_parcel *p) {
    struct job *j = mg_container_of(p, struct job, parcel);
    struct mg_rows_read *r = j->read;
    j->part->jobs_out--;
    if (j->stream) {
        mg_list_remove(&j->link);
        for (size_t at = 0; at < j->found.len;) {
            uint32_t n[2];
            const char *text = j->found.p + at + sizeof(n);
            memcpy(n, j->found.p + at, sizeof(n));
            r->each(r, mg_slice_of(text, n[0]), mg_slice_of(text + n[0], n[1]));
            at += sizeof(n) + n[0] + n[1];
        }
        r->done(r, j->err);
    }
    free_job(j);
}

static void list(struct mg_parcel *p) {
    struct job *j = mg_container_of(p, struct job, parcel);
    struct mg_cell **sorted = mg_rowmap_sorted(j->copy.rows);
    struct mg_merge *m = j->copy.runs ? mg_runset_merge(j->copy.runs, true, false) : NULL;
    j->err = walk(&j->l, m, sorted, j->copy.rows->count);
    if (m) mg_merge_free(m);
    mg_free(sorted);
    j->parcel.arrived = listed;
    mg_inbox_post(&j->part->inbox, &j->parcel);
}

static void go_on(struct job *j) {
    j->copying = !mg_row_copy_more(&j->copy, wanted, &j->l);
    if (j->copying) {
        mg_part_pump_later(j->stream);
        return;
    }
    j->parcel.arrived = list;
    j->part->jobs_out++;
    mg_worker_post(mg_store_reader(j->part->store, j->stream->id), &j->parcel);
}

void mg_stream_read_rows(struct mg_stream *s, struct mg_rows_read *r) {
    struct job *j = mg_zalloc(sizeof(*j));
    char head[MG_ROW_KEY_HEAD];
    mg_assert(r->max > 0);
    j->stream = s;
    j->part = s->part;
    j->read = r;
    j->most = r->max;
    j->l = (struct listing){.each = keep, .arg = j};
    mg_row_key_head(head, MG_ROW_OWNER, s->id);
    mg_buf_add(&j->l.prefix, head, sizeof(head));
    mg_buf_add_slice(&j->l.prefix, r->prefix);
    mg_buf_add(&j->l.low, head, sizeof(head));
    mg_buf_add_slice(&j->l.low, mg_slice_cmp(r->from, r->prefix) > 0 ? r->from : r->prefix);
    mg_row_copy_begin(&j->copy, s->rows, s->storage == MG_STORAGE_FILE);
    mg_list_push_back(&s->row_reads, &j->link);
    j->copying = true;
    mg_part_pump_later(s);
}

bool mg_rows_pump(struct mg_stream *s) {
    bool more = false;
    for (struct mg_list *at = s->row_reads.next; at != &s->row_reads; at = at->next) {
        struct job *j = mg_container_of(at, struct job, link);
        if (j->copying) go_on(j);
        more |= j->copying;
    }
    return more;
}

static void give_up(struct job *j) {
    mg_list_remove(&j->link);
    j->stream = NULL;
    if (j->copying) free_job(j);
}

void mg_stream_read_rows_end(struct mg_stream *s, struct mg_rows_read *r) {
    for (struct mg_list *at = s->row_reads.next, *next; at != &s->row_reads; at = next) {
        struct job *j = mg_container_of(at, struct job, link);
        next = at->next;
        if (j->read == r) give_up(j);
    }
}

void mg_rows_give_up(struct mg_stream *s) {
    while (!mg_list_empty(&s->row_reads)) {
        struct job *j = mg_container_of(s->row_reads.next, struct job, link);
        struct mg_rows_read *r = j->read;
        give_up(j);
        r->done(r, MG_ECLOSED);
    }
}
