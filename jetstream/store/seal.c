// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/seal.h"

#include <stdlib.h>

#include "jetstream/store/cold.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "jetstream/store/worker.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

// ---- sealing --------------------------------------------------------------------------------------------------------

static struct mg_cell *put_state(struct mg_stream *s) {
    struct mg_state_row row = {
        .op = s->op,
        .first = s->first,
        .last = s->last,
        .msgs = s->msgs,
        .bytes = s->bytes,
        .subjects = s->subjects,
        .lost = s->lost,
        .lost_operations = s->lost_operations,
        .last_time = s->last_time,
        .epoch = s->epoch,
        .flags = (s->first_exact ? MG_STATE_FIRST_EXACT : 0) | (s->inexact ? MG_STATE_INEXACT : 0),
    };
    char key[MG_ROW_KEY_HEAD], value[MG_STATE_ROW_SIZE + MG_LOST_BYTES_MAX];
    mg_state_row_pack(value, &row);
    size_t n = MG_STATE_ROW_SIZE + mg_lost_encode(&s->lost_ranges, value + MG_STATE_ROW_SIZE);
    mg_row_key_head(key, MG_ROW_STATE, s->id);
    return mg_rows_put(s->rows, mg_slice_of(key, sizeof(key)), mg_slice_of(value, n));
}

// Look-ups that came after the seal said how many of the sealed subjects were new.
static void correct_state(struct mg_sealed_stream *z) {
    struct mg_state_row row;
    mg_state_row_unpack(&row, z->state->value);
    row.subjects = (uint64_t)((int64_t)row.subjects + z->stream->sealed_subjects);
    if (!MG_PLANTED(sealed_count)) mg_state_row_pack(z->state->value, &row);
}

static void put_stretches(struct mg_stream *s, struct mg_facts *f) {
    for (uint32_t i = 0; i < s->cold_len; i++) {
        struct mg_stretch *c = &s->cold[i];
        // What cannot be read was never removed one by one.
        if (c->last_seq < s->first) mg_stretch_set_live(c, 0);
        if (!c->stale) continue;
        char key[MG_STRETCH_KEY], value[MG_STRETCH_ROW_SIZE];
        c->stale = false;
        mg_stretch_encode(s->id, c, key, value);
        mg_rows_put(s->rows, mg_slice_of(key, sizeof(key)), mg_slice_of(value, sizeof(value)));
        mg_facts_add_stretch(f, mg_fact_stretch_of(c->segment->id, c->first_seq, c->last_seq, c->messages,
                                                          c->live));
    }
}

// Message ids that are so old mean nothing any more.
static int64_t dedupe_before(const struct mg_stream *s, int64_t now) {
    if (s->limits.dedupe_window == 0) return INT64_MAX;
    return s->limits.dedupe_window < (uint64_t)now ? now - (int64_t)s->limits.dedupe_window - 1 : INT64_MIN;
}

static int by_id(const void *a, const void *b) {
    const struct mg_sealed_stream *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static uint64_t bytes_of(const struct mg_sealed_stream *z) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < z->blocks_len; i++) n += z->blocks[i]->bytes;
    return n;
}

static void seal_streams(struct mg_store_part *p, struct mg_seal *seal) {
    uint32_t n = 0;
    int64_t now = mg_part_aging_time(p);
    seal->lag = mg_clock_lag(&p->clock);
    for (struct mg_list *l = p->streams.next; l != &p->streams; l = l->next) n++;
    seal->streams = mg_zalloc((n ? n : 1) * sizeof(*seal->streams));
    seal->dropped = mg_alloc((n ? n : 1) * sizeof(*seal->dropped));
    for (struct mg_list *l = p->streams.next; l != &p->streams; l = l->next) {
        struct mg_stream *s = mg_container_of(l, struct mg_stream, link);
        s->last_row = NULL; // a later generation may get the address of this one
        if (s->storage == MG_STORAGE_FILE && s->deleted) seal->dropped[seal->dropped_len++] = s->id;
        if (s->storage == MG_STORAGE_MEMORY || s->deleted) continue;
        mg_facts_add(&seal->facts, s->id, s->first, s->epoch, dedupe_before(s, now));
        if (!s->dirty) continue;
        struct mg_sealed_stream *z = &seal->streams[seal->streams_len++];
        *z = (struct mg_sealed_stream){.stream = s, .id = s->id};
        z->blocks = mg_memtable_seal(&s->mem, seal->generation, &z->blocks_len);
        z->bytes = bytes_of(z);
        s->sealed_subjects = 0;
        s->in_seal = true;
        put_stretches(s, &seal->facts);
        z->state = put_state(s);
        s->dirty = false;
    }
    qsort(seal->streams, seal->streams_len, sizeof(*seal->streams), by_id);
}

void mg_seal_ask(struct mg_parcel *parcel) {
    struct mg_seal *seal = mg_container_of(parcel, struct mg_seal, parcel);
    struct mg_store_part *p = seal->part;
    if (p->closed) {
        mg_free(seal);
        return;
    }
    mg_assert(p->seal == NULL);
    p->seal = seal;
    if (p->closed) return; // freed with the part
    seal->generation = p->generation;
    mg_part_submit(p);
    seal->last = p->batch - 1;
    seal->batch = mg_part_sent(p);
    // Nothing of this part is under way: the next batch comes behind all that is durable now.
    struct mg_journal_state state;
    mg_journal_state(p->store->journal, &state);
    seal->page = state.durable;
    seal_streams(p, seal);
    seal->rows = mg_rowmap_ref(mg_rows_freeze(&p->rows));
    p->generation++;
    if (p->chunk) p->chunk->generation = seal->generation;
    for (struct mg_chunk *c = p->chunks_first; c; c = c->next) {
        if (c->generation == 0) c->generation = seal->generation;
    }
    mg_extent_seal(p, seal->generation);
    p->chunk = NULL;
    mg_seal_step(p);
}

void mg_seal_step(struct mg_store_part *p) {
    struct mg_seal *seal = p->seal;
    if (seal == NULL || seal->given || p->poisoned) return;
    if (p->durable < seal->batch || (seal->rows->unresolved > 0 && !MG_PLANTED(half_row))) return;
    for (uint32_t i = 0; i < seal->streams_len; i++) correct_state(&seal->streams[i]);
    if (MG_PLANTED(extent_early_free)) mg_extent_drop_places(p, seal->generation);
    seal->given = true;
    seal->parcel.arrived = seal->sealed;
    mg_worker_post(seal->keeper, &seal->parcel);
}

// ---- the answer -----------------------------------------------------------------------------------------------------

// Messages of these numbers that were not removed since the seal. Blocks and stretches ascend: *at is where to go on.
static uint64_t alive_in(const struct mg_sealed_stream *z, const struct mg_stretch *section, uint32_t *at) {
    uint64_t n = 0;
    for (; *at < z->blocks_len; ++*at) {
        const struct mg_mem_block *b = z->blocks[*at];
        if (b->first > section->last_seq) break;
        if (b->first >= section->first_seq && b->first + b->count <= section->last_seq + 1) {
            n += b->alive; // as nearly all of them
            continue;
        }
        for (uint32_t i = 0; i < b->count; i++) {
            uint64_t seq = b->first + i;
            n += seq >= section->first_seq && seq <= section->last_seq && mg_mem_block_alive_at(b, i, UINT32_MAX - 1);
        }
        if (b->first + b->count > section->last_seq + 1) break; // the next section begins in it
    }
    return n;
}

static void add_stretches(struct mg_stream *s, const struct mg_sealed_stream *z) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < z->stretches_len; i++) {
        mg_stream_add_stretch(s, &z->stretches[i]);
        struct mg_stretch *c = &s->cold[s->cold_len - 1];
        mg_stretch_set_live(c, alive_in(z, c, &at));
    }
    mg_free(z->stretches);
}

// Segments in which nothing lived at the seal are not in the manifest any more. That their messages are gone is
// durable; the rows of the stretches go with the next checkpoint (recover.c knows that they may be left over).
static void drop_stretches(struct mg_stream *s, const struct mg_seal *seal) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->cold_len; i++) {
        struct mg_stretch *c = &s->cold[i];
        if (!mg_ids_have(seal->dead, seal->dead_len, c->segment->id)) {
            s->cold[kept++] = *c;
            continue;
        }
        char key[MG_STRETCH_KEY];
        mg_stretch_key(s->id, c->first_seq, key);
        if (!s->deleted) mg_rows_delete(s->rows, mg_slice_of(key, sizeof(key)));
        mg_segment_ref_put(c->segment);
    }
    s->cold_len = kept;
}

static void drop_chunks(struct mg_store_part *p, uint32_t generation) {
    mg_extent_drop(p, generation);
    while (p->chunks_first && p->chunks_first->generation && p->chunks_first->generation <= generation) {
        struct mg_chunk *c = p->chunks_first;
        p->chunks_first = c->next;
        if (p->chunks_first == NULL) p->chunks_last = NULL;
        mg_chunk_unref(c);
    }
}

void mg_seal_installed(struct mg_parcel *parcel) {
    struct mg_seal *seal = mg_container_of(parcel, struct mg_seal, parcel);
    struct mg_store_part *p = seal->part;
    for (uint32_t i = 0; i < seal->streams_len; i++) {
        struct mg_sealed_stream *z = &seal->streams[i];
        struct mg_stream *s = z->stream;
        add_stretches(s, z);
        mg_memtable_drop(&s->mem, seal->generation);
        for (uint32_t k = 0; k < z->blocks_len; k++) mg_mem_block_unref(z->blocks[k]);
        mg_free(z->blocks);
        s->in_seal = false;
        if (s->deleted && s->results_out == 0) mg_stream_free(s);
    }
    for (struct mg_list *l = p->streams.next; l != &p->streams && seal->dead_len; l = l->next)
        drop_stretches(mg_container_of(l, struct mg_stream, link), seal);
    mg_part_durable(p, seal->last);
    drop_chunks(p, seal->generation);
    mg_runset_unref(p->rows.runs);
    p->rows.runs = seal->runs;
    p->installs++;
    mg_rows_written(&p->rows, seal->rows, p->store->o.rows_bytes / p->store->o.parts);
    mg_rowmap_unref(seal->rows);
    mg_free(seal->streams);
    mg_free(seal->dropped);
    mg_facts_fini(&seal->facts);
    mg_free(seal->dead);
    p->seal = NULL;
    mg_free(seal);
    mg_part_pump_all(p); // pages are free again
}

void mg_seal_free(struct mg_seal *seal) {
    if (seal == NULL) return;
    for (uint32_t i = 0; i < seal->streams_len; i++) {
        struct mg_sealed_stream *z = &seal->streams[i];
        for (uint32_t k = 0; k < z->blocks_len; k++) mg_mem_block_unref(z->blocks[k]);
        mg_free(z->blocks);
        for (uint32_t k = 0; k < z->stretches_len; k++) mg_segment_ref_put(z->stretches[k].segment);
        mg_free(z->stretches);
    }
    mg_rowmap_unref(seal->rows);
    mg_runset_unref(seal->runs);
    mg_free(seal->streams);
    mg_free(seal->dropped);
    mg_facts_fini(&seal->facts);
    mg_free(seal->dead);
    mg_free(seal);
}
