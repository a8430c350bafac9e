// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/seal.h"

#include "jetstream/store/cold.h"
#include "jetstream/store/correct.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "jetstream/store/worker.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

#define PAGE_COST 8u // us to look at the stretches of a page, more or less
#define BLOCKS 32u   // closed between two looks at the clock
#define BLOCKS_COST 16u

// ---- sealing --------------------------------------------------------------------------------------------------------

size_t mg_seal_state(const struct mg_stream *s, char key[MG_ROW_KEY_HEAD], char value[MG_STATE_MAX]) {
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
        .flags = (s->first_exact ? MG_STATE_FIRST_EXACT : 0) | (s->inexact || s->unsure ? MG_STATE_INEXACT : 0),
        .overlooked = s->overlooked >= s->first ? s->overlooked : 0,
    };
    mg_row_key_head(key, MG_ROW_STATE, s->id);
    mg_state_row_pack(value, &row);
    return MG_STATE_ROW_SIZE + mg_lost_encode(&s->lost_ranges, value + MG_STATE_ROW_SIZE);
}

void mg_seal_correct(struct mg_stream *s, int more) {
    struct mg_state_row row;
    if (s->sealed_state == NULL || more == 0) return;
    mg_state_row_unpack(&row, s->sealed_state->value);
    row.subjects = (uint64_t)((int64_t)row.subjects + more);
    if (!MG_PLANTED(sealed_count)) mg_state_row_pack(s->sealed_state->value, &row);
}

void mg_seal_inexact(struct mg_stream *s) {
    const struct mg_seal *seal = s->part->seal;
    struct mg_state_row row;
    if (s->sealed_state == NULL || seal == NULL || seal->given) return;
    mg_state_row_unpack(&row, s->sealed_state->value);
    row.flags |= MG_STATE_INEXACT;
    row.overlooked = s->overlooked;
    mg_state_row_pack(s->sealed_state->value, &row);
}

// Of those that `first` has passed neither row nor facts are needed: nothing in them lives.
static void put_stretch(void *arg, const struct mg_stretch *c) {
    struct mg_stream *s = arg;
    char key[MG_STRETCH_KEY], value[MG_STRETCH_ROW_SIZE];
    if (c->last_seq < s->first) return;
    mg_stretch_encode(s->id, c, key, value);
    mg_rows_put_frozen(s->rows, mg_slice_of(key, sizeof(key)), mg_slice_of(value, sizeof(value)));
    mg_facts_add_change(&s->part->seal->facts, s->id, mg_fact_stretch_of(c->segment->id, c->first_seq, c->last_seq,
                                                                         c->messages, c->live));
}

// False: there are more. None of them changes before all are put: nothing is decided.
static bool put_stretches(struct mg_stream *s, bool all) {
    for (uint32_t i = 0; i < s->cold.pages_len && s->cold.stale > 0; i++) {
        if (s->cold.pages[i].stale == 0) continue;
        mg_stretches_tell(&s->cold, i, put_stretch, s);
        if (mg_part_spent(s->part, PAGE_COST) && !all) break;
    }
    return s->cold.stale == 0;
}

// Message ids that are so old mean nothing any more.
static int64_t dedupe_before(const struct mg_stream *s, int64_t now) {
    if (s->limits.dedupe_window == 0) return INT64_MAX;
    return s->limits.dedupe_window < (uint64_t)now ? now - (int64_t)s->limits.dedupe_window - 1 : INT64_MIN;
}

static bool close_blocks(struct mg_stream *s, bool all) {
    while (!mg_memtable_close(&s->mem, s->part->seal->generation, BLOCKS)) {
        if (mg_part_spent(s->part, BLOCKS_COST) && !all) return false;
    }
    return true;
}

bool mg_seal_stream(struct mg_stream *s, bool all) {
    struct mg_seal *seal = s->part->seal;
    bool goes_in = seal && s->storage == MG_STORAGE_FILE && !s->dropped && s->dirty;
    if (goes_in && !(put_stretches(s, all) && close_blocks(s, all))) return false;
    s->sealed_in = s->part->generation;
    s->last_row = NULL; // a later generation may get the address of this one
    if (seal == NULL || s->storage == MG_STORAGE_MEMORY) return true;
    if (s->dropped) {
        seal->dropped[seal->dropped_len++] = s->id;
        return true;
    }
    mg_facts_add(&seal->facts, &(struct mg_fact){.stream = s->id,
                                                 .first = s->first,
                                                 .dedupe_before = dedupe_before(s, seal->aging_time),
                                                 .epoch = s->epoch,
                                                 .packed = s->limits.packed});
    if (s->recount == MG_RECOUNT_WANTED) {
        s->recount = MG_RECOUNT_ASKED;
        seal->recounts[seal->recounts_len++] = s->id;
    }
    if (!goes_in) return true;
    struct mg_sealed_stream *z = &seal->streams[seal->streams_len++];
    *z = (struct mg_sealed_stream){.stream = s, .id = s->id, .packed = s->limits.packed};
    z->blocks = mg_memtable_seal(&s->mem, seal->generation, &z->blocks_len, &z->bytes);
    s->in_seal = true;
    char key[MG_ROW_KEY_HEAD], value[MG_STATE_MAX];
    size_t n = mg_seal_state(s, key, value);
    s->sealed_state = mg_rows_put_frozen(s->rows, mg_slice_of(key, sizeof(key)), mg_slice_of(value, n));
    s->dirty = false;
    return true;
}

void mg_seal_unlink(struct mg_stream *s) {
    struct mg_seal *seal = s->part->seal;
    if (seal == NULL || seal->next != &s->link) return;
    seal->next = s->link.next;
    seal->drop_from = 0;
}

// Room for all streams that there are; memory that is not written costs nothing.
static void make_room(struct mg_seal *seal, uint32_t n) {
    seal->streams = mg_alloc((n ? n : 1) * sizeof(*seal->streams));
    seal->dropped = mg_alloc((n ? n : 1) * sizeof(*seal->dropped));
    seal->recounts = mg_alloc((n ? n : 1) * sizeof(*seal->recounts));
    mg_facts_reserve(&seal->facts, n);
}

static void freeze(struct mg_store_part *p, struct mg_seal *seal) {
    seal->generation = p->generation;
    seal->rows = mg_rowmap_ref(mg_rows_freeze(&p->rows));
    p->generation++;
    if (p->chunk) p->chunk->generation = seal->generation;
    for (struct mg_chunk *c = p->chunks_first; c; c = c->next) {
        if (c->generation == 0) c->generation = seal->generation;
    }
    mg_extent_seal(p);
    p->chunk = NULL;
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
    mg_part_submit(p);
    seal->last = p->batch - 1;
    seal->batch = mg_part_sent(p);
    // Nothing of this part is under way: the next batch comes behind all that is durable now.
    struct mg_journal_state state;
    mg_journal_state(p->store->journal, &state);
    seal->page = state.durable;
    seal->aging_time = mg_part_aging_time(p);
    seal->lag = mg_clock_lag(&p->clock);
    seal->next = p->streams.next;
    make_room(seal, (uint32_t)p->by_id.count);
    freeze(p, seal);
}

static bool seal_some(struct mg_store_part *p, struct mg_seal *seal) {
    while (seal->next != &p->streams) {
        struct mg_stream *s = mg_container_of(seal->next, struct mg_stream, link);
        if (!mg_seal_first(s)) return false;
        seal->next = seal->next->next;
        if (mg_part_spent(p, 1)) return false;
    }
    return true;
}

static bool give(struct mg_store_part *p, struct mg_seal *seal) {
    if (seal->given || p->poisoned) return false;
    if (!seal_some(p, seal)) return true;
    if (p->durable < seal->batch || (seal->rows->unresolved > 0 && !MG_PLANTED(half_row))) return false;
    if (MG_PLANTED(extent_early_free)) mg_extent_drop_places(p);
    seal->given = true;
    seal->parcel.arrived = seal->sealed;
    mg_worker_post(seal->keeper, &seal->parcel);
    return false;
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
        struct mg_stretch *c = &z->stretches[i];
        mg_stretch_set_live(c, alive_in(z, c, &at));
        mg_stretches_add(&s->cold, c);
    }
    mg_free(z->stretches);
}

// From here on the stream's sealed messages are read from segments.
static void take_in(const struct mg_seal *seal, struct mg_sealed_stream *z) {
    struct mg_stream *s = z->stream;
    add_stretches(s, z);
    mg_memtable_drop(&s->mem, seal->generation);
    s->in_seal = false;
    s->sealed_state = NULL;
    s->installs++;
    z->stretches = NULL;
    z->stretches_len = 0;
    z->stream = NULL;
    if (s->deleted && s->results_out == 0) mg_stream_free(s);
}

static bool take_in_some(struct mg_store_part *p, struct mg_seal *seal) {
    while (seal->at < seal->streams_len) {
        struct mg_sealed_stream *z = &seal->streams[seal->at];
        if (z->stream) take_in(seal, z);
        if (z->blocks_len > 0) mg_mem_block_unref(z->blocks[--z->blocks_len]);
        if (z->blocks_len == 0) {
            mg_free(z->blocks);
            z->blocks = NULL;
            seal->at++;
        }
        if (!mg_part_spent(p, 1)) continue;
        mg_heap_settle();
        return false;
    }
    return true;
}

// Segments in which nothing lived at the seal are not in the manifest any more. That their messages are gone is
// durable; the rows of the stretches go with the next checkpoint (recover.c knows that they may be left over).
struct dropping {
    struct mg_stream *s;
    const struct mg_seal *seal;
};

static bool is_dead(void *arg, const struct mg_stretch *c) {
    const struct dropping *d = arg;
    char key[MG_STRETCH_KEY];
    if (c->live > 0 && c->last_seq >= d->s->first) return false;
    if (!mg_ids_have(d->seal->dead, d->seal->dead_len, c->segment->id)) return false;
    mg_stretch_key(d->s->id, c->first_seq, key);
    mg_rows_delete(d->s->rows, mg_slice_of(key, sizeof(key)));
    return true;
}

// Those of the page may be dead, or below `first`.
static bool worth_looking(const struct mg_stream *s, uint32_t page) {
    const struct mg_stretch_page *p = &s->cold.pages[page];
    return p->dead > 0 || page == 0 || p[-1].last_seq + 1 < s->first;
}

// False: there is more to do.
static bool drop_stretches(struct mg_stream *s, struct mg_seal *seal) {
    struct dropping d = {s, seal};
    struct mg_stretches *t = &s->cold;
    uint32_t page = mg_stretches_find(t, seal->drop_from).page;
    while (page < t->pages_len) {
        if (!worth_looking(s, page)) {
            page++;
            continue;
        }
        uint32_t n = mg_stretches_remove(t, &page, is_dead, &d);
        s->installs += n > 0;
        seal->drop_from = page < t->pages_len ? t->pages[page].at[0].first_seq : UINT64_MAX;
        if (mg_part_spent(s->part, PAGE_COST)) return false;
    }
    return true;
}

static bool drop_some(struct mg_store_part *p, struct mg_seal *seal) {
    while (seal->next != &p->streams) {
        struct mg_stream *s = mg_container_of(seal->next, struct mg_stream, link);
        if (!s->dropped && !drop_stretches(s, seal)) return false;
        seal->drop_from = 0;
        seal->next = seal->next->next;
        if (mg_part_spent(p, 1 + s->cold.pages_len / 256)) return false;
    }
    return true;
}

static void drop_chunks(struct mg_store_part *p, uint32_t generation) {
    mg_extent_drop(p);
    while (p->chunks_first && p->chunks_first->generation && p->chunks_first->generation <= generation) {
        struct mg_chunk *c = p->chunks_first;
        p->chunks_first = c->next;
        if (p->chunks_first == NULL) p->chunks_last = NULL;
        c->next = p->chunks_dead;
        p->chunks_dead = c;
    }
}

void mg_seal_installed(struct mg_parcel *parcel) {
    struct mg_seal *seal = mg_container_of(parcel, struct mg_seal, parcel);
    struct mg_store_part *p = seal->part;
    seal->answered = true;
    seal->next = seal->dead_len ? p->streams.next : &p->streams;
    mg_part_durable(p, seal->last);
}

static bool install(struct mg_store_part *p, struct mg_seal *seal) {
    if (!take_in_some(p, seal) || !drop_some(p, seal)) return true;
    drop_chunks(p, seal->generation);
    mg_runset_unref(p->rows.runs);
    p->rows.runs = seal->runs;
    p->installs++;
    mg_rows_written(&p->rows, seal->rows, seal->forget ? 0 : p->store->o.rows_bytes / p->store->o.parts);
    mg_rowmap_unref(seal->rows);
    seal->runs = NULL;
    seal->rows = NULL;
    p->seal = NULL;
    seal->parcel.arrived = seal->installed;
    mg_worker_post(seal->keeper, &seal->parcel);
    mg_part_pump_all(p); // pages are free again
    return false;
}

bool mg_seal_step(struct mg_store_part *p) {
    struct mg_seal *seal = p->seal;
    if (seal == NULL) return false;
    return seal->answered ? install(p, seal) : give(p, seal);
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
    mg_free(seal->recounts);
    mg_facts_fini(&seal->facts);
    mg_free(seal->dead);
    mg_free(seal);
}
