// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The subjects of a section: one of them, all that match, and the answer for all as bits.
//
// A block of subjects that cannot be read leaves its ordinals unknown (they are known: the index has the first one of
// each block). A walk then asks the records of these messages. With the index gone, all are unknown.
#include "jetstream/store/segment_impl.h"

#include "jetstream/store/bloom.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

// ---- going through the blocks

// A place among the blocks of subjects.
struct names_walk {
    const struct mg_segment *g;
    const struct mg_section *s;
    struct mg_block *index; // NULL: there is one block only
    struct mg_block *block;
    struct mg_block_iter lines, rows;
    bool first;             // of the only block
    struct mg_subject_block ref;
    uint32_t end;           // ordinal behind the block's last subject
};

static void names_walk_fini(struct names_walk *x) {
    mg_block_unref(x->index);
    mg_block_unref(x->block);
    mg_block_iter_fini(&x->lines);
    mg_block_iter_fini(&x->rows);
}

static int names_walk_init(struct names_walk *x, const struct mg_segment *g, const struct mg_section *s) {
    *x = (struct names_walk){.g = g, .s = s, .first = true};
    mg_block_iter_init(&x->lines);
    mg_block_iter_init(&x->rows);
    if (s->blocks == 1) return MG_OK;
    struct mg_block_view view;
    int err = mg_frame_read_twice(&g->file, s->index, s->index_copy, s->index_length, MG_FRAME_INDEX, &x->index);
    if (err == MG_OK) err = mg_block_view_init(&view, x->index->data, x->index->length);
    if (err == MG_OK) mg_block_iter_set(&x->lines, &view);
    return err;
}

static int take_line(struct names_walk *x, const struct mg_row *line) {
    if (line->value.n != MG_SUBJECT_BLOCK_SIZE) return MG_ECORRUPT;
    mg_subject_block_unpack(&x->ref, line->value.p);
    return x->ref.ordinal < x->s->subjects ? MG_OK : MG_ECORRUPT;
}

// To the block that would hold the subject; to the first one if the subject sorts before all.
static int names_walk_floor(struct names_walk *x, mg_slice subject) {
    if (x->s->blocks == 1) {
        x->ref = (struct mg_subject_block){x->s->index, x->s->index_length, 0};
        x->first = false;
        return MG_OK;
    }
    int err = mg_block_iter_floor(&x->lines, subject);
    if (err == MG_ENOTFOUND) err = mg_block_iter_first(&x->lines);
    return err ? err : take_line(x, &x->lines.row);
}

// To the next block (the first one at the start).
static int names_walk_next(struct names_walk *x) {
    if (x->s->blocks == 1) {
        if (!x->first) return MG_ENOTFOUND;
        return names_walk_floor(x, mg_slice_of(NULL, 0));
    }
    int err = mg_block_iter_next(&x->lines);
    return err ? err : take_line(x, &x->lines.row);
}

// The end of the block's ordinals; the place moves on to the next block, which `more` tells to be there.
static int names_walk_peek(struct names_walk *x, struct mg_subject_block *now, bool *more) {
    *now = x->ref;
    int err = names_walk_next(x);
    if (err && err != MG_ENOTFOUND) return err;
    *more = err == MG_OK;
    x->end = *more ? x->ref.ordinal : x->s->subjects;
    return x->end > now->ordinal ? MG_OK : MG_ECORRUPT;
}

// Loads a block; rows stands before its first subject.
static int names_walk_load(struct names_walk *x, const struct mg_subject_block *ref) {
    struct mg_block_view view;
    mg_block_unref(x->block);
    x->block = NULL;
    int err = mg_frame_read(&x->g->file, ref->offset, ref->length, MG_FRAME_SUBJECTS, &x->block);
    if (err == MG_OK) err = mg_block_view_init(&view, x->block->data, x->block->length);
    if (err == MG_OK) mg_block_iter_set(&x->rows, &view);
    return err;
}

static int parse_stat(const struct mg_section *s, const struct mg_row *row, uint32_t ordinal,
                      struct mg_subject_stat *out) {
    const uint8_t *p = (const uint8_t *)row->value.p, *end = p + row->value.n;
    uint64_t v[3];
    for (int i = 0; i < 3; i++) {
        size_t n = mg_varint_get(p, end, &v[i]);
        if (n == 0) return MG_ECORRUPT;
        p += n;
    }
    uint64_t span = s->last_seq - s->first_seq;
    if (p != end || v[0] == 0 || v[0] > s->messages || v[1] > span || v[2] > span - v[1] || ordinal >= s->subjects)
        return MG_ECORRUPT;
    *out = (struct mg_subject_stat){ordinal, (uint32_t)v[0], s->first_seq + v[1], s->first_seq + v[1] + v[2]};
    return MG_OK;
}

// ---- one subject

static bool maybe_there(const struct mg_segment *g, const struct mg_section *s, mg_slice subject) {
    if (s->bloom_lines == 0) return true;
    uint64_t hash = mg_bloom_hash(subject, g->file.env->salt);
    uint32_t line = mg_bloom_line(hash, s->bloom_lines), frame = line / BLOOM_FRAME_LINES;
    uint32_t first = frame * BLOOM_FRAME_LINES, n = s->bloom_lines - first;
    if (n > BLOOM_FRAME_LINES) n = BLOOM_FRAME_LINES;
    uint64_t at = s->bloom + frame * mg_frame_size((uint64_t)BLOOM_FRAME_LINES * MG_BLOOM_LINE);
    struct mg_block *b;
    if (mg_frame_read(&g->file, at, n * MG_BLOOM_LINE, MG_FRAME_BLOOM, &b)) return true;
    bool maybe = mg_bloom_maybe_in_line(b->data + (size_t)(line - first) * MG_BLOOM_LINE, hash);
    mg_block_unref(b);
    return maybe;
}

int mg_section_subject(const struct mg_segment *g, const struct mg_section *s, mg_slice subject,
                       struct mg_subject_stat *out) {
    if (section_check(g, s)) return MG_ECORRUPT;
    if (subject.n == 0 || !maybe_there(g, s, subject)) return MG_ENOTFOUND;
    struct names_walk x;
    int err = names_walk_init(&x, g, s);
    if (err == MG_OK) err = names_walk_floor(&x, subject);
    if (err == MG_OK) err = names_walk_load(&x, &x.ref);
    if (err == MG_OK) err = mg_block_iter_seek(&x.rows, subject);
    if (err == MG_OK && mg_key_cmp(x.rows.row.key, subject) != 0) err = MG_ENOTFOUND;
    if (err == MG_OK) err = parse_stat(s, &x.rows.row, x.ref.ordinal + x.rows.index, out);
    names_walk_fini(&x);
    return err;
}

// ---- many

bool section_in_set(const struct mg_subject_match *m, mg_slice subject) {
    if (!mg_slice_starts(subject, m->prefix)) return false;
    return m->literal ? subject.n == m->prefix.n : !m->match || m->match(m->arg, subject);
}

// What a visitor gets: subjects of the set, and stretches of ordinals that cannot be read.
struct visitor {
    const struct mg_subject_match *m;
    bool (*fn)(void *arg, mg_slice subject, const struct mg_subject_stat *stat);
    void (*unknown)(void *arg, uint32_t first, uint32_t end); // may be NULL
    void *arg;
    bool stopped;
    int err; // the first one
};

static void lost(struct visitor *v, uint32_t first, uint32_t end, int err) {
    if (v->err == MG_OK) v->err = err == MG_EIO ? MG_EIO : MG_ECORRUPT;
    if (v->unknown && first < end) v->unknown(v->arg, first, end);
}

// Gives what the block at ref holds, whose ordinals end at x->end.
static void visit_block(struct names_walk *x, const struct mg_subject_block *ref, struct visitor *v) {
    int err = names_walk_load(x, ref);
    uint32_t ordinal = ref->ordinal;
    if (err == MG_OK) err = mg_block_iter_first(&x->rows);
    for (; err == MG_OK && ordinal < x->end && !v->stopped; ordinal++, err = mg_block_iter_next(&x->rows)) {
        struct mg_subject_stat stat;
        if ((err = parse_stat(x->s, &x->rows.row, ordinal, &stat)) != MG_OK) break;
        if (v->fn && section_in_set(v->m, x->rows.row.key)) v->stopped = !v->fn(v->arg, x->rows.row.key, &stat);
    }
    if (ordinal < x->end && !v->stopped) lost(v, ordinal, x->end, err);
}

static bool beyond_prefix(const struct mg_subject_match *m, mg_slice subject) {
    return mg_key_cmp(subject, m->prefix) > 0 && !mg_slice_starts(subject, m->prefix);
}

static void visit(const struct mg_segment *g, const struct mg_section *s, struct visitor *v) {
    struct names_walk x;
    struct mg_subject_block ref;
    int err = section_check(g, s);
    if (err) {
        lost(v, 0, 0, err);
        return;
    }
    err = names_walk_init(&x, g, s);
    bool more = err == MG_OK;
    uint32_t next = 0; // ordinal up to which all is said
    if (more) {
        err = v->m->prefix.n ? names_walk_floor(&x, v->m->prefix) : names_walk_next(&x);
        more = err == MG_OK;
        if (more) next = x.ref.ordinal;
    }
    while (more && !v->stopped) {
        bool beyond = s->blocks > 1 && beyond_prefix(v->m, x.lines.row.key);
        if (beyond) break;
        err = names_walk_peek(&x, &ref, &more);
        if (err) break;
        visit_block(&x, &ref, v);
        next = x.end;
    }
    if (err && err != MG_ENOTFOUND) lost(v, next, s->subjects, err);
    names_walk_fini(&x);
}

int mg_section_subjects(const struct mg_segment *g, const struct mg_section *s, const struct mg_subject_match *m,
                        bool (*fn)(void *arg, mg_slice subject, const struct mg_subject_stat *stat), void *arg) {
    struct visitor v = {.m = m, .fn = fn, .arg = arg};
    visit(g, s, &v);
    return v.err;
}

// ---- the filter

static size_t words(uint32_t nbits) { return ((size_t)nbits + 63) / 64; }

static bool filter_add(void *arg, mg_slice subject, const struct mg_subject_stat *stat) {
    (void)subject;
    struct mg_section_filter *f = arg;
    f->bits[stat->ordinal / 64] |= (uint64_t)1 << (stat->ordinal % 64);
    if (f->subjects == 0 || stat->first_seq < f->first_seq) f->first_seq = stat->first_seq;
    if (f->subjects == 0 || stat->last_seq > f->last_seq) f->last_seq = stat->last_seq;
    f->subjects++;
    f->messages += stat->count;
    return true;
}

static void filter_unknown(void *arg, uint32_t first, uint32_t end) {
    struct mg_section_filter *f = arg;
    if (!f->unknown) f->unknown = mg_zalloc(words(f->nbits) * sizeof *f->unknown);
    for (uint32_t i = first; i < end; i++)
        f->unknown[i / 64] |= (uint64_t)1 << (i % 64);
}

struct mg_section_filter *mg_section_filter_new(const struct mg_segment *g, const struct mg_section *s,
                                                const struct mg_subject_match *m) {
    struct mg_section_filter *f = mg_zalloc(sizeof *f);
    f->match = m;
    f->nbits = section_check(g, s) == MG_OK ? s->subjects : 0;
    f->bits = mg_zalloc((words(f->nbits) + 1) * sizeof *f->bits);
    if (m->literal && !maybe_there(g, s, m->prefix)) return f;
    struct visitor v = {.m = m, .fn = filter_add, .unknown = filter_unknown, .arg = f};
    visit(g, s, &v);
    return f;
}

void mg_section_filter_free(struct mg_section_filter *f) {
    if (!f) return;
    mg_free(f->bits);
    mg_free(f->unknown);
    mg_free(f);
}

size_t mg_section_filter_size(const struct mg_section_filter *f) {
    return sizeof *f + words(f->nbits) * 8 * (f->unknown ? 2 : 1);
}
