// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Questions to a section: the last message of a subject, the first one of a time, how many there are. Counts and
// times of the metadata answer as far as they can; records are read for the last step only.
#include "jetstream/store/segment_impl.h"

#include "server/base/errors.h"

// ---- the last of a subject

static int walk_back(const struct mg_segment *g, const struct mg_section *s, mg_slice subject, uint64_t seq,
                     struct mg_section_entry *e) {
    const struct mg_subject_match m = {.prefix = subject, .literal = true};
    struct mg_section_filter *f = mg_section_filter_new(g, s, &m);
    struct mg_section_walk *w = mg_section_walk_new(g, s, f);
    mg_section_walk_seek(w, seq == UINT64_MAX ? seq : seq + 1);
    int err = mg_section_walk_prev(w, e);
    mg_section_walk_free(w);
    mg_section_filter_free(f);
    return err;
}

int mg_section_last(const struct mg_segment *g, const struct mg_section *s, mg_slice subject, uint64_t seq,
                    struct mg_section_entry *e) {
    struct mg_subject_stat stat;
    int err = mg_section_subject(g, s, subject, &stat);
    if (err == MG_ENOTFOUND || (err == MG_OK && stat.first_seq > seq)) return MG_ENOTFOUND;
    if (err || stat.last_seq > seq) return walk_back(g, s, subject, seq, e);
    struct mg_section_walk *w = mg_section_walk_new(g, s, NULL);
    mg_section_walk_seek(w, stat.last_seq);
    err = mg_section_walk_next(w, e);
    mg_section_walk_free(w);
    if (err == MG_OK && (e->seq != stat.last_seq || (e->subject != stat.ordinal && e->subject != MG_SUBJECT_UNKNOWN)))
        err = MG_ECORRUPT; // counts and leaves do not agree
    return err == MG_ENOTFOUND ? MG_ECORRUPT : err;
}

// ---- the first of a time

// Messages in a stretch whose latest time is late enough.
static int first_in(struct mg_section_scan *c, uint64_t from, uint64_t to, int64_t time, struct mg_section_entry *e) {
    struct mg_record_view v;
    mg_section_scan_seek(c, from);
    for (;;) {
        int err = mg_section_scan_next(c, e, &v);
        if (err != MG_ENOTFOUND && e->seq > to) return MG_ENOTFOUND;
        if (err || v.head.time >= time) return err;
    }
}

static int first_in_leaf(const struct mg_segment *g, const struct mg_section *s, struct mg_section_scan *c,
                         const struct mg_dir_row *row, uint64_t seq, int64_t time, struct mg_section_entry *e) {
    struct section_leaf leaf;
    section_leaf_load(g, s, row, &leaf);
    uint32_t n = leaf.head.blocks;
    int err = MG_ENOTFOUND;
    if (n == 0) err = first_in(c, seq > row->first_seq ? seq : row->first_seq, row->last_seq, time, e);
    for (uint32_t i = 0; i < n && err == MG_ENOTFOUND; i++) {
        struct mg_leaf_block block, next = {.first_seq = row->last_seq + 1};
        mg_leaf_block_unpack(&block, leaf.blocks + (size_t)i * MG_LEAF_BLOCK_SIZE);
        if (i + 1 < n) mg_leaf_block_unpack(&next, leaf.blocks + (size_t)(i + 1) * MG_LEAF_BLOCK_SIZE);
        if (block.max_time < time || next.first_seq <= seq) continue;
        err = first_in(c, seq > block.first_seq ? seq : block.first_seq, next.first_seq - 1, time, e);
    }
    section_leaf_release(&leaf);
    return err;
}

int mg_section_first_at(const struct mg_segment *g, const struct mg_section *s, uint64_t seq, int64_t time,
                        struct mg_section_entry *e) {
    *e = (struct mg_section_entry){.seq = s->first_seq, .last_seq = s->last_seq};
    if (section_check(g, s)) return MG_ECORRUPT;
    if (s->max_time < time || s->last_seq < seq) return MG_ENOTFOUND;
    struct section_dir dir;
    section_dir_load(g, s, &dir);
    struct mg_section_scan *c = mg_section_scan_new(g, s, NULL, 64 * 1024, false);
    int err = MG_ENOTFOUND;
    for (uint32_t i = section_dir_find(&dir, seq); i < dir.n && err == MG_ENOTFOUND; i++) {
        struct mg_dir_row row;
        section_dir_row(&dir, i, &row);
        if (row.max_time >= time) err = first_in_leaf(g, s, c, &row, seq, time, e);
    }
    mg_section_scan_free(c);
    section_dir_release(&dir);
    return err;
}

// ---- counting

static int count_by_walk(const struct mg_segment *g, const struct mg_section *s, const struct mg_section_filter *filter,
                         uint64_t seq, uint64_t *count) {
    struct mg_section_walk *w = mg_section_walk_new(g, s, filter);
    struct mg_section_entry e;
    int err;
    mg_section_walk_seek(w, seq);
    for (*count = 0; (err = mg_section_walk_next(w, &e)) == MG_OK;)
        ++*count;
    mg_section_walk_free(w);
    return err == MG_ENOTFOUND ? MG_OK : err;
}

// All messages: whole leaves by their lines in the dir.
static int count_by_dir(const struct mg_segment *g, const struct mg_section *s, uint64_t seq, uint64_t *count) {
    struct section_dir dir;
    section_dir_load(g, s, &dir);
    uint32_t i = section_dir_find(&dir, seq);
    bool whole = true;
    *count = 0;
    for (uint32_t k = i; k < dir.n; k++) {
        struct mg_dir_row row;
        struct section_leaf leaf = {0};
        section_dir_row(&dir, k, &row);
        *count += row.messages;
        if (row.length == 0) whole = false; // a line that covers damage
        if (k > i || row.first_seq >= seq) continue;
        section_leaf_load(g, s, &row, &leaf);
        *count -= section_leaf_find(&leaf, seq);
        if (leaf.block->rebuilt) whole = false;
        section_leaf_release(&leaf);
    }
    section_dir_release(&dir);
    return whole ? MG_OK : count_by_walk(g, s, NULL, seq, count);
}

int mg_section_count(const struct mg_segment *g, const struct mg_section *s, const struct mg_section_filter *filter,
                     uint64_t seq, uint64_t *count) {
    *count = 0;
    if (section_check(g, s)) return MG_ECORRUPT;
    if (seq > s->last_seq) return MG_OK;
    if (!filter) {
        if (seq > s->first_seq) return count_by_dir(g, s, seq, count);
        *count = s->messages;
        return MG_OK;
    }
    if (!filter->unknown && (filter->subjects == 0 || seq <= filter->first_seq)) {
        *count = filter->messages;
        return MG_OK;
    }
    return count_by_walk(g, s, filter, seq, count);
}
