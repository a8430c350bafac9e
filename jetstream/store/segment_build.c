// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Building a segment. Records go straight to the writer; of each one 24 bytes and of each distinct subject its text
// stay in memory until its section ends, which a new stream or a limit of the section brings about. Then the section's
// metadata is written behind its records. The list of sections comes last, twice.
//
// Where records are packed (mg_segment_builder_pack), a section's first ones wait for its dictionary (segment_pack.c),
// which is written twice in front of them. Limits of a section count records as they are unpacked.
//
// A section of one leaf and one block of subjects is the usual case when a checkpoint holds thousands of streams: it
// has no dir, no index and no filter, its line in the list says it all.
#include "jetstream/store/segment_impl.h"

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/loop.h"

enum { SECTION_MESSAGES = 1024 * 1024, SECTION_SUBJECTS = 16 * 1024 * 1024, MESSAGES_FIRST = 1024 };
#define SECTION_BYTES ((uint64_t)1 << 30)
#define SECTION_BYTES_MOST (UINT64_C(31) << 30) // offsets in a section are 32 bits, in units of 8 bytes
// So that the frame is four pages, and its copy no further away.
#define DICT_BYTES (4 * MG_FOOT_BYTES - MG_FRAME_HEAD_SIZE)

struct message {
    uint64_t seq;
    int64_t time;
    uint32_t subject;
    uint32_t offset; // / 8, from the section's first record
};

struct mg_segment_builder {
    struct mg_segment_options o;
    struct mg_file_writer *w;
    struct mg_section section; // being built; messages 0: none
    uint32_t written;          // of its messages, the others are held back
    uint64_t plain_bytes;      // of its records, unpacked
    bool pack;                 // in sections to come
    struct packing packing;
    struct message *messages;
    uint32_t cap;
    struct names names;
    uint64_t last_stream, last_seq; // of the last record; sequences begin at 1
    struct mg_buf sections, dir, leaf; // packed; the last two are scratch
    struct mg_segment_summary sum;
};

struct mg_segment_builder *mg_segment_builder_new(const struct mg_segment_options *o, struct mg_file_writer *w) {
    mg_assert(mg_file_writer_at(w) == 0);
    struct mg_segment_builder *b = mg_zalloc(sizeof *b);
    b->o = *o;
    if (b->o.section_messages == 0) b->o.section_messages = SECTION_MESSAGES;
    if (b->o.section_subjects == 0) b->o.section_subjects = SECTION_SUBJECTS;
    if (b->o.section_bytes == 0) b->o.section_bytes = SECTION_BYTES;
    b->packing.dict_bytes = o->dict_bytes ? o->dict_bytes : (uint32_t)DICT_BYTES;
    mg_assert(b->packing.dict_bytes <= MG_DICT_MAX);
    b->w = w;
    names_init(&b->names, o->env->salt);
    mg_file_head_write(w, o->env, o->file, MG_SEGMENT_MAGIC, MG_SEGMENT_VERSION);
    return b;
}

void mg_segment_builder_free(struct mg_segment_builder *b) {
    if (!b) return;
    names_fini(&b->names);
    packing_fini(&b->packing);
    mg_buf_fini(&b->sections);
    mg_buf_fini(&b->dir);
    mg_buf_fini(&b->leaf);
    mg_free(b->messages);
    mg_free(b);
}

// ---- leaves

// The end of message i's record, / 8.
static uint32_t end_of(const struct mg_segment_builder *b, uint32_t i) {
    return i + 1 < b->section.messages ? b->messages[i + 1].offset : (uint32_t)(b->section.data_bytes / 8);
}

// The end of the leaf, or block, that begins with message i: at most so many messages, records and sequences.
static uint32_t group_end(const struct mg_segment_builder *b, uint32_t i, uint32_t limit, uint32_t messages,
                          uint32_t bytes) {
    uint32_t end = i + 1;
    while (end < limit && end - i < messages && end_of(b, end - 1) - b->messages[i].offset < bytes / 8 &&
           b->messages[end].seq - b->messages[i].seq < UINT32_MAX)
        end++;
    return end;
}

static void times_of(const struct mg_segment_builder *b, uint32_t first, uint32_t end, int64_t *min, int64_t *max) {
    *min = *max = b->messages[first].time;
    for (uint32_t i = first + 1; i < end; i++) {
        if (b->messages[i].time < *min) *min = b->messages[i].time;
        if (b->messages[i].time > *max) *max = b->messages[i].time;
    }
}

static void add32(struct mg_buf *buf, uint32_t v) {
    uint8_t p[4];
    mg_put_u32(p, v);
    mg_buf_add(buf, p, sizeof p);
}

static uint32_t add_blocks(struct mg_segment_builder *b, uint32_t first, uint32_t end) {
    uint32_t blocks = 0;
    for (uint32_t i = first, stop; i < end; i = stop, blocks++) {
        stop = group_end(b, i, end, end - i, BLOCK_BYTES);
        struct mg_leaf_block block = {b->messages[i].seq, i - first, b->messages[i].offset, 0, 0};
        times_of(b, i, stop, &block.min_time, &block.max_time);
        uint8_t p[MG_LEAF_BLOCK_SIZE];
        mg_leaf_block_pack(p, &block);
        mg_buf_add(&b->leaf, p, sizeof p);
    }
    return blocks;
}

// Writes messages first..end - 1 as a leaf and adds its line to the dir.
static void write_leaf(struct mg_segment_builder *b, uint32_t first, uint32_t end, const uint32_t *rank) {
    const struct message *m = b->messages;
    struct mg_leaf_head head = {m[first].seq, end - first, 0, 0, end_of(b, end - 1)};
    head.sparse = m[end - 1].seq - m[first].seq != end - first - 1;
    uint8_t packed[MG_LEAF_HEAD_SIZE], line[MG_DIR_ROW_SIZE];
    b->leaf.len = 0;
    mg_buf_add(&b->leaf, packed, sizeof packed); // filled below
    for (uint32_t i = first; i < end; i++) {
        add32(&b->leaf, rank[m[i].subject]);
        add32(&b->leaf, m[i].offset);
    }
    for (uint32_t i = first; i < end && head.sparse; i++)
        add32(&b->leaf, (uint32_t)(m[i].seq - m[first].seq));
    head.blocks = add_blocks(b, first, end);
    mg_leaf_head_pack(b->leaf.p, &head);
    struct mg_dir_row row = {.first_seq = m[first].seq, .last_seq = m[end - 1].seq};
    row.offset = mg_frame_write(b->w, b->o.env, b->o.file, MG_FRAME_LEAF, mg_buf_slice(&b->leaf));
    row.length = (uint32_t)b->leaf.len;
    row.messages = end - first;
    row.data = m[first].offset;
    row.data_end = head.data_end;
    times_of(b, first, end, &row.min_time, &row.max_time);
    mg_dir_row_pack(line, &row);
    mg_buf_add(&b->dir, line, sizeof line);
}

static void write_leaves(struct mg_segment_builder *b, const uint32_t *rank) {
    struct mg_section *s = &b->section;
    b->dir.len = 0;
    for (uint32_t i = 0, end; i < s->messages; i = end, s->leaves++) {
        end = group_end(b, i, s->messages, LEAF_MESSAGES, LEAF_BYTES);
        write_leaf(b, i, end, rank);
        mg_thread_breathe();
    }
    struct mg_dir_row row; // of the only leaf, if there is one only
    mg_dir_row_unpack(&row, b->dir.p);
    s->dir = row.offset;
    s->dir_length = row.length;
}

// ---- records

static void write_record(struct mg_segment_builder *b, mg_slice record) {
    struct mg_section *s = &b->section;
    if (b->written == 0) s->data = mg_file_writer_at(b->w);
    b->messages[b->written++].offset = (uint32_t)(s->data_bytes / 8);
    mg_file_write_bytes(b->w, record.p, record.n);
    s->data_bytes += record.n;
}

// Writes the dictionary, and what waits for it.
static void end_holding(struct mg_segment_builder *b) {
    struct packing *p = &b->packing;
    mg_slice dict = packing_choose(p);
    b->section.dict_length = (uint32_t)dict.n;
    for (int copies = dict.n ? 2 : 0; copies > 0; copies--) {
        mg_file_write_align(b->w, MG_FOOT_BYTES); // they are in different sectors
        mg_frame_write(b->w, b->o.env, b->o.file, MG_FRAME_DICT, dict);
    }
    for (size_t at = 0; at < p->held.len;) {
        uint32_t length = mg_record_length(p->held.p + at);
        write_record(b, packing_pack(p, p->held.p + at, length));
        at += length;
    }
    p->held.len = 0;
}

static void add_record(struct mg_segment_builder *b, const void *record, uint32_t length) {
    struct packing *p = &b->packing;
    if (!p->on) {
        write_record(b, mg_slice_of(record, length));
        return;
    }
    if (p->holding && packing_hold(p, record, length)) return;
    if (p->holding) end_holding(b);
    write_record(b, packing_pack(p, record, length));
}

// ---- sections

static void end_section(struct mg_segment_builder *b) {
    struct mg_section *s = &b->section;
    if (s->messages == 0) return;
    if (b->packing.holding) end_holding(b);
    uint32_t *rank = mg_alloc(b->names.n * sizeof *rank);
    names_rank(&b->names, rank);
    write_leaves(b, rank);
    mg_free(rank);
    names_write(&b->names, &b->o, b->w, s);
    mg_slice dir = mg_buf_slice(&b->dir);
    if (s->leaves > 1) {
        s->dir_length = (uint32_t)dir.n;
        s->dir = mg_frame_write(b->w, b->o.env, b->o.file, MG_FRAME_DIR, dir);
    }
    if (s->leaves > 1 || s->blocks > 1) mg_file_write_align(b->w, MG_FOOT_BYTES); // copies are in other sectors
    if (s->leaves > 1) s->dir_copy = mg_frame_write(b->w, b->o.env, b->o.file, MG_FRAME_DIR, dir);
    names_write_copy(&b->names, &b->o, b->w, s);
    uint8_t packed[MG_SECTION_SIZE];
    mg_section_pack(packed, s);
    mg_buf_add(&b->sections, packed, sizeof packed);
    if (b->o.section) b->o.section(b->o.arg, b->sum.sections, s);
    b->sum.sections++;
    b->sum.messages += s->messages;
    b->sum.record_bytes += s->data_bytes;
    names_reset(&b->names);
    *s = (struct mg_section){0};
    b->plain_bytes = 0;
    b->written = 0;
}

static bool section_is_full(const struct mg_segment_builder *b, const struct mg_record_view *v) {
    const struct mg_section *s = &b->section;
    return s->stream != v->head.stream || s->messages >= b->o.section_messages ||
           b->plain_bytes >= b->o.section_bytes || b->names.text.len >= b->o.section_subjects;
}

static void count_times(struct mg_segment_builder *b, int64_t time) {
    struct mg_section *s = &b->section;
    if (s->messages == 0 || time < s->min_time) s->min_time = time;
    if (s->messages == 0 || time > s->max_time) s->max_time = time;
    bool first = s->messages == 0 && b->sum.sections == 0;
    if (first || time < b->sum.min_time) b->sum.min_time = time;
    if (first || time > b->sum.max_time) b->sum.max_time = time;
}

int mg_segment_builder_add(struct mg_segment_builder *b, const void *record) {
    struct mg_record_view v;
    mg_record_borrow(&v, record);
    struct mg_section *s = &b->section;
    if (v.subject.n == 0 || v.head.seq == 0 || v.head.seq == UINT64_MAX) return MG_EINVAL;
    if (v.head.stream < b->last_stream || (v.head.stream == b->last_stream && v.head.seq <= b->last_seq))
        return MG_EINVAL;
    b->last_stream = v.head.stream;
    b->last_seq = v.head.seq;
    if (s->messages % BREATH == BREATH - 1) mg_thread_breathe();
    if (s->messages && section_is_full(b, &v)) end_section(b);
    if (s->messages == 0) {
        s->stream = v.head.stream;
        s->first_seq = v.head.seq;
        packing_begin(&b->packing, b->pack);
    }
    if (b->plain_bytes + v.head.length > SECTION_BYTES_MOST) return MG_ERANGE;
    if (s->messages == b->cap) {
        b->cap = b->cap ? b->cap * 2 : MESSAGES_FIRST;
        b->messages = mg_realloc(b->messages, b->cap * sizeof *b->messages);
    }
    struct message *m = &b->messages[s->messages]; // its place comes when it is written
    *m = (struct message){v.head.seq, v.head.time, names_add(&b->names, v.subject, v.head.seq), 0};
    count_times(b, v.head.time);
    s->last_seq = v.head.seq;
    s->messages++;
    b->plain_bytes += v.head.length;
    add_record(b, record, v.head.length);
    return b->w->err;
}

void mg_segment_builder_unlimited(struct mg_segment_builder *b) {
    b->o.section_messages = b->o.section_subjects = UINT32_MAX;
    b->o.section_bytes = UINT64_C(16) << 30;
}

void mg_segment_builder_pack(struct mg_segment_builder *b, bool pack) { b->pack = pack; }

void mg_segment_builder_break(struct mg_segment_builder *b) { end_section(b); }

void mg_segment_builder_section(const struct mg_segment_builder *b, uint64_t *messages, uint64_t *bytes,
                                uint64_t *subjects) {
    *messages = b->section.messages;
    *bytes = b->plain_bytes;
    *subjects = b->names.text.len;
}

// ---- the end of the file

static uint64_t write_sections(struct mg_segment_builder *b) {
    uint64_t first = mg_file_writer_at(b->w);
    size_t step = (size_t)SECTIONS_A_FRAME * MG_SECTION_SIZE;
    for (size_t i = 0; i < b->sections.len; i += step) {
        size_t n = b->sections.len - i < step ? b->sections.len - i : step;
        mg_frame_write(b->w, b->o.env, b->o.file, MG_FRAME_SECTIONS, mg_slice_of(b->sections.p + i, n));
    }
    return first;
}

int mg_segment_builder_finish(struct mg_segment_builder *b, struct mg_segment_summary *out) {
    end_section(b);
    struct mg_segment_foot foot = {.magic = MG_SEGMENT_MAGIC, .version = MG_SEGMENT_VERSION, .file = b->o.file};
    foot.salt = b->o.env->salt;
    foot.messages = b->sum.messages;
    foot.record_bytes = b->sum.record_bytes;
    foot.sections = b->sum.sections;
    foot.min_time = b->sum.min_time;
    foot.max_time = b->sum.max_time;
    foot.sections_at = write_sections(b);
    mg_file_write_align(b->w, MG_FOOT_BYTES);
    foot.sections_copy = write_sections(b);
    foot.size = (mg_file_writer_at(b->w) + 3 * MG_FOOT_BYTES - 1) / MG_FOOT_BYTES * MG_FOOT_BYTES;
    uint8_t packed[MG_SEGMENT_FOOT_SIZE];
    mg_segment_foot_pack(packed, &foot);
    int err = mg_file_foot_write(b->w, packed, sizeof packed);
    mg_assert(mg_file_writer_at(b->w) == foot.size);
    b->sum.file = b->o.file;
    b->sum.size = foot.size;
    b->sum.foot_sum = mg_get_u64(packed + sizeof packed - 8);
    *out = b->sum;
    return err;
}
