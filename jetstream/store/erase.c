// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Where a message's bytes can be, and how they go:
//
//   memory        the sealed blocks are dropped by the checkpoint that follows the removal
//   a segment     is rewritten without the message. As long as anything is to be erased (`to_erase`) none is deleted
//                 that was not overwritten: what a compaction, a checkpoint or a crash has left may have it, too
//   an extent     the file is overwritten when nothing else in it is needed, which is after the next checkpoint
//   the journal   a page is free after the checkpoint, but keeps its bytes until it is used again: the committer writes
//                 empty pages until the ring has gone round once
//
// A row (MG_ROW_ERASE) is written with the removal and deleted at the end, when nobody reads the old files any more
// either, so a crash in between begins it anew. It outlives its stream. All of it is idempotent.
//
// What remains: the subject, as a key of tables, until its rows are merged away; copies in lost+found; a segment
// that is damaged; and what the file system or the device keeps of files that were deleted before the removal or
// lost their names in a power cut, or of blocks that it does not overwrite in place. Files beside a damaged slot of
// the manifest go with the next start.
#include "jetstream/store/erase.h"

#include "jetstream/store/compact.h"
#include "jetstream/store/extent.h"
#include "jetstream/store/rows.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/shard/bell.h"

#define ERASE_KEY (MG_ROW_KEY_HEAD + 8u)
#define POLL_NS UINT64_C(20000000)
#define RETRY_NS UINT64_C(1000000000)

// ---- the part -------------------------------------------------------------------------------------------------------

static void make_key(uint64_t stream, uint64_t seq, char key[ERASE_KEY]) {
    mg_row_key_head(key, MG_ROW_ERASE, stream);
    mg_put_be64(key + MG_ROW_KEY_HEAD, seq);
}

void mg_erase_want(struct mg_stream *s, uint64_t seq, bool live) {
    char key[ERASE_KEY];
    if (s->storage == MG_STORAGE_MEMORY) return;
    make_key(s->id, seq, key);
    mg_rows_put(s->rows, mg_slice_of(key, sizeof(key)), mg_slice_of("\1", 1));
    atomic_fetch_add(&s->part->store->to_erase, 1);
    if (!MG_PLANTED(erase_forgotten) || live) mg_store_press_soon(s->part->store);
}

// To the part, frees itself: the row can go.
struct erased {
    struct mg_parcel parcel;
    struct mg_store_part *part;
    uint64_t stream, seq;
};

static void erased(struct mg_parcel *parcel) {
    struct erased *e = mg_container_of(parcel, struct erased, parcel);
    char key[ERASE_KEY];
    make_key(e->stream, e->seq, key);
    mg_rows_delete(&e->part->rows, mg_slice_of(key, sizeof(key)));
    atomic_fetch_sub(&e->part->store->to_erase, 1);
    mg_free(e);
}

// ---- the keeper -----------------------------------------------------------------------------------------------------

void mg_erase_add(struct mg_keeper *k, mg_slice key) {
    if (key.n != ERASE_KEY) return;
    struct mg_erase e = {.stream = mg_get_be64(key.p + 1), .seq = mg_get_be64(key.p + MG_ROW_KEY_HEAD)};
    for (uint32_t i = 0; i < k->erase_len; i++) {
        if (k->erase[i].stream == e.stream && k->erase[i].seq == e.seq) return;
    }
    if (k->erase_len == k->erase_cap) {
        k->erase_cap = k->erase_cap ? k->erase_cap * 2 : 16;
        k->erase = mg_realloc(k->erase, k->erase_cap * sizeof(k->erase[0]));
    }
    k->erase[k->erase_len++] = e;
}

void mg_erase_found(struct mg_store *st, mg_slice key) {
    if (key.n != ERASE_KEY || MG_PLANTED(erase_forgotten)) return;
    mg_erase_add(st->keeping, key);
    atomic_fetch_add(&st->to_erase, 1);
    mg_store_press_soon(st); // it goes on behind a checkpoint
}

// The segment with a message, whether it is removed or not.
static struct mg_segment_ref *segment_of(struct mg_store *st, const struct mg_facts *f, const struct mg_erase *e) {
    const struct mg_fact *x = mg_facts_find(f, e->stream);
    for (uint32_t i = 0; x && i < x->len; i++) {
        const struct mg_fact_stretch *s = &f->stretches[x->at + i];
        if (s->first_seq <= e->seq && e->seq <= s->last_seq) return mg_keeper_segment(st, s->segment);
    }
    return NULL;
}

static int rewrite(struct mg_store *st, const struct mg_erase *e, struct mg_segment_ref *g) {
    int err = MG_PLANTED(erase_leaves) ? 0 : g->left_alone ? MG_ECORRUPT : mg_compact_segments(st, &g, 1);
    if (err != MG_ECORRUPT && err != MG_EIO) return err;
    mg_store_say(st, MG_LOG_ERR, "message %llu could not be erased: segment %016llx is damaged",
                 (unsigned long long)e->seq, (unsigned long long)g->id);
    return 0;
}

// Is there a section with this message, of whatever is in this file?
static bool has_message(struct mg_segment_ref *g, const struct mg_erase *e) {
    const struct mg_segment *open;
    struct mg_section at;
    bool has = false;
    if (mg_segment_use(g, &open) != 0) return false;
    for (uint32_t i = 0; i < open->sections && !has; i++) {
        has = mg_segment_section(open, i, &at) == 0 && at.stream == e->stream && at.first_seq <= e->seq &&
              e->seq <= at.last_seq;
    }
    mg_segment_unuse(g);
    return has;
}

// Facts say nothing of a stream that was dropped: the files do.
static int rewrite_all(struct mg_store *st, const struct mg_erase *e) {
    struct mg_keeper *k = st->keeping;
    uint64_t end = k->next_file;
    int err = 0;
    for (uint32_t i = 0; i < k->segments_len && k->segments[i]->id < end && err == 0;) {
        uint64_t id = k->segments[i]->id;
        struct mg_segment_ref *g = mg_segment_ref_get(k->segments[i]);
        if (!g->left_alone && has_message(g, e)) err = rewrite(st, e, g);
        mg_segment_ref_put(g);
        for (i = 0; i < k->segments_len && k->segments[i]->id <= id;) i++;
    }
    return err;
}

static int rewrite_where(struct mg_store *st, const struct mg_erase *e) {
    if (mg_facts_find(&st->keeping->facts, e->stream) == NULL) return rewrite_all(st, e);
    struct mg_segment_ref *g = segment_of(st, &st->keeping->facts, e);
    return g ? rewrite(st, e, g) : 0;
}

// Files with the message are overwritten when the last reader has gone.
static bool files_gone(const struct mg_keeper *k, uint64_t below) {
    for (uint32_t i = 0; i < k->intents_len; i++) {
        const struct mg_intent *in = &k->intents[i];
        if (in->state == MG_INTENT_DOOMED && in->messages && in->first < below) return false;
    }
    return true;
}

static void tell_part(struct mg_store *st, const struct mg_erase *e) {
    struct erased *done = mg_zalloc(sizeof(*done));
    done->part = st->parts[e->stream % st->o.parts];
    done->stream = e->stream;
    done->seq = e->seq;
    done->parcel.arrived = erased;
    mg_inbox_post(&done->part->inbox, &done->parcel);
}

uint64_t mg_erase_step(struct mg_store *st) {
    struct mg_keeper *k = st->keeping;
    if (k->erase_len == 0 || !k->knows) return MG_NEVER;
    struct mg_journal_state state;
    uint64_t extents = 0;
    for (uint32_t i = 0; i < k->erase_len; i++) {
        if (k->erase[i].target) continue;
        // A copy: a checkpoint in between may add entries, at the end.
        struct mg_erase e = k->erase[i];
        if (rewrite_where(st, &e) != 0) return mg_bell_clock() + RETRY_NS;
        mg_journal_state(st->journal, &state);
        k->erase[i].files = k->next_file;
        k->erase[i].target = state.head + state.pages;
        if (extents == 0) extents = mg_extents_wipe(st);
        k->erase[i].extents = extents;
        if (!MG_PLANTED(erase_spares_ring)) mg_journal_wipe(st->journal, k->erase[i].target);
    }
    mg_journal_state(st->journal, &state);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < k->erase_len; i++) {
        const struct mg_erase *e = &k->erase[i];
        bool done = state.durable >= e->target && e->extents <= mg_extents_wiped(st) && files_gone(k, e->files);
        if (!done) {
            k->erase[kept++] = k->erase[i];
        } else {
            tell_part(st, &k->erase[i]);
        }
    }
    k->erase_len = kept;
    return kept ? mg_bell_clock() + POLL_NS : MG_NEVER;
}
