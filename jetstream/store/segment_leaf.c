// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Dirs and leaves in memory: loading, searching, and making them again when they are damaged.
//
//   a dir    leaves stand right behind the records, each frame says how long it is and has what a line of the dir says.
//            Where that chain breaks, one line covers the rest of the records.
//   a leaf   of the records that its line covers (segment_rescan.c). If these are damaged, too, each hole between the
//            sequences that were found becomes an entry that says: unreadable.
//
// Rebuilt ones are kept in the cache under the place of the damaged frame. They know no subjects and no blocks, and
// write sequences with 8 bytes (sparse = 2, which no file has).
#include "jetstream/store/segment_impl.h"

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

enum { ENTRY = 8 };

static void keep(const struct mg_segment *g, struct mg_block *b) {
    if (g->file.env->cache) mg_blockcache_put(g->file.env->cache, b);
}

static struct mg_block *rebuilt_block(const struct mg_segment *g, uint8_t kind, uint64_t at,
                                      const struct mg_buf *payload) {
    struct mg_block *b = mg_block_new(g->file.id, at, (uint32_t)payload->len);
    b->rebuilt = kind;
    memcpy(b->data, payload->p, payload->len);
    keep(g, b);
    return b;
}

// ---- dir

static bool dir_row_ok(const struct mg_section *s, const struct mg_dir_row *row) {
    return row->first_seq >= s->first_seq && row->last_seq <= s->last_seq && row->first_seq <= row->last_seq &&
           row->data < row->data_end && row->data_end <= s->data_bytes / 8;
}

// Lines must ascend: a search and a walk rely on it.
static int dir_check(const struct mg_section *s, const uint8_t *rows, uint32_t n) {
    struct mg_dir_row row, last = {0};
    for (uint32_t i = 0; i < n; i++, last = row) {
        mg_dir_row_unpack(&row, rows + (size_t)i * MG_DIR_ROW_SIZE);
        if (!dir_row_ok(s, &row) || row.data != last.data_end || row.first_seq <= last.last_seq) return MG_ECORRUPT;
    }
    return last.data_end == s->data_bytes / 8 ? MG_OK : MG_ECORRUPT;
}

// The line of a dir that an intact leaf gives.
static void row_of_leaf(const struct mg_block *b, uint64_t at, struct mg_dir_row *row) {
    struct section_leaf leaf = {0};
    mg_leaf_head_unpack(&leaf.head, b->data);
    leaf.entries = b->data + MG_LEAF_HEAD_SIZE;
    leaf.seqs = leaf.entries + (size_t)leaf.head.messages * ENTRY;
    *row = (struct mg_dir_row){.first_seq = leaf.head.first_seq, .offset = at, .length = b->length};
    row->messages = leaf.head.messages;
    row->last_seq = section_leaf_seq(&leaf, leaf.head.messages - 1);
    row->data = mg_get_u32(leaf.entries + 4);
    row->data_end = leaf.head.data_end;
    row->min_time = INT64_MIN; // of no use once the dir is gone
    row->max_time = INT64_MAX;
}

static bool leaf_shape_ok(const struct mg_block *b) {
    struct mg_leaf_head head;
    if (b->length < MG_LEAF_HEAD_SIZE) return false;
    mg_leaf_head_unpack(&head, b->data);
    uint64_t each = ENTRY + (head.sparse ? 4 : 0);
    return head.messages > 0 && head.messages <= LEAF_MESSAGES && head.blocks <= head.messages && head.sparse <= 1 &&
           b->length == MG_LEAF_HEAD_SIZE + head.messages * each + (uint64_t)head.blocks * MG_LEAF_BLOCK_SIZE;
}

static void add_row(struct mg_buf *rows, const struct mg_dir_row *row) {
    uint8_t p[MG_DIR_ROW_SIZE];
    mg_dir_row_pack(p, row);
    mg_buf_add(rows, p, sizeof p);
}

static struct mg_block *dir_rebuild(const struct mg_segment *g, const struct mg_section *s) {
    struct mg_buf rows = MG_BUF_INIT;
    struct mg_dir_row row, last = {0};
    uint64_t at = s->data + s->data_bytes;
    for (uint32_t i = 0; i < s->leaves; i++, last = row) {
        uint8_t head[MG_FRAME_HEAD_SIZE];
        uint32_t length;
        struct mg_block *b;
        if (mg_blob_read(&g->file.main, head, sizeof head, at) || mg_frame_length(head, MG_FRAME_LEAF, &length) ||
            mg_frame_read_copy(&g->file, 0, at, length, MG_FRAME_LEAF, &b))
            break;
        bool ok = leaf_shape_ok(b);
        if (ok) row_of_leaf(b, at, &row);
        mg_block_unref(b);
        if (!ok || !dir_row_ok(s, &row) || row.data != last.data_end || row.first_seq <= last.last_seq) break;
        add_row(&rows, &row);
        at += mg_frame_size(length);
    }
    if (last.data_end != s->data_bytes / 8) {
        row = (struct mg_dir_row){.first_seq = last.last_seq ? last.last_seq + 1 : s->first_seq,
                                  .last_seq = s->last_seq, .offset = s->dir_copy, .data = last.data_end,
                                  .data_end = (uint32_t)(s->data_bytes / 8),
                                  .min_time = INT64_MIN, .max_time = INT64_MAX};
        // No leaf is there, and length 0 says so: to be made of the records.
        if (row.first_seq <= row.last_seq) add_row(&rows, &row);
    }
    struct mg_block *b = rebuilt_block(g, MG_FRAME_DIR, s->dir, &rows);
    mg_buf_fini(&rows);
    return b;
}

void section_dir_load(const struct mg_segment *g, const struct mg_section *s, struct section_dir *d) {
    *d = (struct section_dir){.n = 1};
    if (s->leaves == 1) {
        const struct mg_dir_row row = {s->first_seq, s->last_seq, s->dir, s->dir_length, s->messages, 0,
                                       (uint32_t)(s->data_bytes / 8), s->min_time, s->max_time};
        mg_dir_row_pack(d->single, &row);
        d->rows = d->single;
        return;
    }
    uint64_t length = (uint64_t)s->leaves * MG_DIR_ROW_SIZE;
    int err = s->dir_length != length ? MG_ECORRUPT
                                      : mg_frame_read_twice(&g->file, s->dir, s->dir_copy, s->dir_length, MG_FRAME_DIR,
                                                            &d->block);
    if (err == MG_OK && !d->block->rebuilt && !atomic_load_explicit(&d->block->checked, memory_order_relaxed)) {
        err = dir_check(s, d->block->data, s->leaves);
        if (err)
            mg_block_unref(d->block);
        else
            atomic_store_explicit(&d->block->checked, true, memory_order_relaxed);
    }
    if (err) d->block = dir_rebuild(g, s);
    d->rows = d->block->data;
    d->n = d->block->length / MG_DIR_ROW_SIZE;
}

void section_dir_release(struct section_dir *d) {
    mg_block_unref(d->block);
    d->block = NULL;
}

void section_dir_row(const struct section_dir *d, uint32_t i, struct mg_dir_row *row) {
    mg_assert(i < d->n);
    mg_dir_row_unpack(row, d->rows + (size_t)i * MG_DIR_ROW_SIZE);
}

uint32_t section_dir_find(const struct section_dir *d, uint64_t seq) {
    uint32_t low = 0, high = d->n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (mg_get_u64(d->rows + (size_t)mid * MG_DIR_ROW_SIZE + MG_AT(dir_row, last_seq)) < seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

// ---- leaf

struct leaf_making {
    const struct mg_segment *g;
    const struct mg_section *s;
    struct mg_buf entries, seqs;
    uint32_t n;
    uint64_t seq, at; // the next record should begin with this sequence, at this place
};

static void add_entry(struct leaf_making *m, uint32_t subject, uint64_t at, uint64_t seq) {
    uint8_t p[8];
    mg_put_u32(p, subject);
    mg_put_u32(p + 4, (uint32_t)((at - m->s->data) / 8));
    mg_buf_add(&m->entries, p, 8);
    mg_put_u64(p, seq);
    mg_buf_add(&m->seqs, p, 8);
    m->n++;
}

// Adds what stands for the stretch in front of the record `seq` at `at`, if there is one.
static void add_lost(struct leaf_making *m, uint64_t seq, uint64_t at) {
    if (m->seq >= seq && m->at == at) return;
    const struct mg_section_entry e = {.seq = m->seq, .at = m->at, .length = (uint32_t)(at - m->at)};
    add_entry(m, SUBJECT_LOST, m->at, m->seq);
    segment_report_record(m->g, m->s, &e, MG_ECORRUPT);
}

// Adds the records of a range; true if each of its bytes belongs to one. `damaged`: say so of every hole between them.
// A hole may be a record that was there and now has another one of this stream in its place.
static bool add_records(struct leaf_making *m, const struct mg_dir_row *row, bool damaged) {
    uint64_t at = m->s->data + (uint64_t)row->data * 8, end = m->s->data + (uint64_t)row->data_end * 8;
    struct rescan r;
    bool whole = true;
    rescan_init(&r, m->g, m->s, at, end, row->first_seq, row->last_seq);
    m->n = 0;
    m->entries.len = m->seqs.len = 0;
    m->seq = row->first_seq;
    m->at = at;
    while (rescan_next(&r)) {
        whole = whole && !r.skipped;
        if (damaged) add_lost(m, r.found.seq, r.found_at);
        add_entry(m, MG_SUBJECT_UNKNOWN, r.found_at, r.found.seq);
        m->seq = r.found.seq + 1;
        m->at = r.at;
    }
    if (damaged) add_lost(m, row->last_seq + 1, end);
    whole = whole && !r.skipped;
    rescan_fini(&r);
    return whole;
}

static struct mg_block *leaf_rebuild(const struct mg_segment *g, const struct mg_section *s,
                                     const struct mg_dir_row *row) {
    struct leaf_making m = {.g = g, .s = s};
    if (!add_records(&m, row, false)) add_records(&m, row, true);
    const struct mg_leaf_head head = {row->first_seq, m.n, 0, 2, row->data_end};
    struct mg_buf payload = MG_BUF_INIT;
    uint8_t packed[MG_LEAF_HEAD_SIZE];
    mg_leaf_head_pack(packed, &head);
    mg_buf_add(&payload, packed, sizeof packed);
    mg_buf_add_slice(&payload, mg_buf_slice(&m.entries));
    mg_buf_add_slice(&payload, mg_buf_slice(&m.seqs));
    struct mg_block *b = rebuilt_block(g, MG_FRAME_LEAF, row->offset, &payload);
    mg_buf_fini(&payload);
    mg_buf_fini(&m.entries);
    mg_buf_fini(&m.seqs);
    return b;
}

static void leaf_parse(struct section_leaf *leaf) {
    mg_leaf_head_unpack(&leaf->head, leaf->block->data);
    leaf->entries = leaf->block->data + MG_LEAF_HEAD_SIZE;
    leaf->seqs = leaf->entries + (size_t)leaf->head.messages * ENTRY;
    leaf->blocks = leaf->seqs + (leaf->head.sparse ? (size_t)leaf->head.messages * 4 : 0);
}

static bool leaf_fits(const struct mg_block *b, const struct mg_dir_row *row) {
    if (b->rebuilt) return b->rebuilt == MG_FRAME_LEAF;
    struct mg_leaf_head head;
    if (!leaf_shape_ok(b)) return false;
    mg_leaf_head_unpack(&head, b->data);
    return head.first_seq == row->first_seq && head.messages == row->messages && head.data_end == row->data_end;
}

void section_leaf_load(const struct mg_segment *g, const struct mg_section *s, const struct mg_dir_row *row,
                       struct section_leaf *leaf) {
    *leaf = (struct section_leaf){.row = *row};
    int err = MG_ECORRUPT;
    if (row->length)
        err = mg_frame_read(&g->file, row->offset, row->length, MG_FRAME_LEAF, &leaf->block);
    else if (g->file.env->cache && (leaf->block = mg_blockcache_get(g->file.env->cache, g->file.id, row->offset)))
        err = MG_OK;
    if (err == MG_OK && !leaf_fits(leaf->block, row)) {
        mg_block_unref(leaf->block);
        err = MG_ECORRUPT;
    }
    if (err) leaf->block = leaf_rebuild(g, s, row);
    leaf_parse(leaf);
}

void section_leaf_release(struct section_leaf *leaf) {
    mg_block_unref(leaf->block);
    leaf->block = NULL;
}

uint64_t section_leaf_seq(const struct section_leaf *leaf, uint32_t i) {
    switch (leaf->head.sparse) {
    case 0: return leaf->head.first_seq + i;
    case 1: return leaf->head.first_seq + mg_get_u32(leaf->seqs + (size_t)i * 4);
    default: return mg_get_u64(leaf->seqs + (size_t)i * 8);
    }
}

static uint32_t subject_of(const struct section_leaf *leaf, uint32_t i) {
    return mg_get_u32(leaf->entries + (size_t)i * ENTRY);
}

static uint32_t offset_of(const struct section_leaf *leaf, uint32_t i) {
    return i < leaf->head.messages ? mg_get_u32(leaf->entries + (size_t)i * ENTRY + 4) : leaf->head.data_end;
}

static uint64_t last_seq_of(const struct section_leaf *leaf, uint32_t i) {
    if (subject_of(leaf, i) != SUBJECT_LOST) return section_leaf_seq(leaf, i);
    return i + 1 < leaf->head.messages ? section_leaf_seq(leaf, i + 1) - 1 : leaf->row.last_seq;
}

uint32_t section_leaf_find(const struct section_leaf *leaf, uint64_t seq) {
    if (leaf->head.sparse == 0) {
        if (seq <= leaf->head.first_seq) return 0;
        uint64_t i = seq - leaf->head.first_seq;
        return i < leaf->head.messages ? (uint32_t)i : leaf->head.messages;
    }
    uint32_t low = 0, high = leaf->head.messages;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (last_seq_of(leaf, mid) < seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

int section_leaf_entry(const struct mg_section *s, const struct section_leaf *leaf, uint32_t i,
                       struct mg_section_entry *e) {
    mg_assert(i < leaf->head.messages);
    uint32_t offset = offset_of(leaf, i), end = offset_of(leaf, i + 1);
    e->seq = section_leaf_seq(leaf, i);
    e->last_seq = last_seq_of(leaf, i);
    e->subject = subject_of(leaf, i);
    e->at = s->data + (uint64_t)offset * 8;
    e->length = 0;
    if (e->subject == SUBJECT_LOST) return MG_ECORRUPT;
    if (offset >= end || end > leaf->row.data_end || end - offset > MG_RECORD_MAX / 8) return MG_ECORRUPT;
    e->length = (end - offset) * 8;
    return MG_OK;
}
