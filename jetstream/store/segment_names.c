// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The subjects of a section that is being built: a hash table over texts in one buffer, in order of appearance. At the
// end they are sorted, each gets its rank as ordinal, and they are written as
//
//   blocks of rows (subject -> count, first seq - section's first seq, last seq - first seq), index, filter
//
// and later the index once more.
//
// One block needs no index and no filter: the section points at the block itself.
#include "jetstream/store/segment_impl.h"

#include "jetstream/store/bloom.h"
#include "jetstream/store/key_sort.h"
#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/shard/loop.h"

enum { SUBJECTS_BYTES = 16 * 1024, SLOTS_FIRST = 64 };

void names_init(struct names *t, uint64_t salt) { *t = (struct names){.salt = salt}; }

void names_fini(struct names *t) {
    mg_buf_fini(&t->text);
    mg_buf_fini(&t->index);
    mg_free(t->sorted);
    mg_free(t->list);
    mg_free(t->slots);
    names_init(t, t->salt);
}

void names_reset(struct names *t) {
    t->text.len = 0;
    t->n = 0;
    t->nslots = 0; // the next section makes as many as it needs: it may have few, and there may be many of them
}

static mg_slice text_of(const struct names *t, uint32_t i) {
    return mg_slice_of(t->text.p + t->list[i].at, t->list[i].len);
}

static void grow(struct names *t) {
    t->nslots = t->nslots ? t->nslots * 2 : SLOTS_FIRST;
    t->slots = mg_realloc(t->slots, t->nslots * sizeof *t->slots);
    memset(t->slots, 0, t->nslots * sizeof *t->slots);
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t s = (uint32_t)t->list[i].hash & (t->nslots - 1);
        while (t->slots[s])
            s = (s + 1) & (t->nslots - 1);
        t->slots[s] = i + 1;
    }
}

static uint32_t insert(struct names *t, mg_slice subject, uint64_t hash) {
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : SLOTS_FIRST;
        t->list = mg_realloc(t->list, t->cap * sizeof *t->list);
    }
    t->list[t->n] = (struct name){.hash = hash, .at = t->text.len, .len = (uint32_t)subject.n};
    mg_buf_add_slice(&t->text, subject);
    return t->n++;
}

uint32_t names_add(struct names *t, mg_slice subject, uint64_t seq) {
    if (t->n >= t->nslots / 2) grow(t);
    uint64_t hash = mg_bloom_hash(subject, t->salt);
    uint32_t s = (uint32_t)hash & (t->nslots - 1), i;
    for (;; s = (s + 1) & (t->nslots - 1)) {
        if (!t->slots[s]) {
            i = insert(t, subject, hash);
            t->slots[s] = i + 1;
            t->list[i].first_seq = seq;
            break;
        }
        i = t->slots[s] - 1;
        if (t->list[i].hash == hash && mg_slice_eq(text_of(t, i), subject)) break;
    }
    t->list[i].count++;
    t->list[i].last_seq = seq;
    return i;
}

// ---- writing

// What is known while the blocks are written.
struct writing {
    const struct names *t;
    const struct mg_segment_options *o;
    struct mg_file_writer *w;
    struct mg_section *s;
    struct mg_block_builder block, index;
    uint32_t first;     // number of the block's first subject
    uint32_t ordinal;   // and its rank
};

static void end_block(struct writing *x) {
    if (x->block.rows == 0) return;
    mg_thread_breathe();
    mg_slice payload = mg_block_builder_finish(&x->block);
    uint64_t at = mg_frame_write(x->w, x->o->env, x->o->file, MG_FRAME_SUBJECTS, payload);
    const struct mg_subject_block ref = {at, (uint32_t)payload.n, x->ordinal};
    char value[MG_SUBJECT_BLOCK_SIZE];
    mg_subject_block_pack(value, &ref);
    mg_block_builder_add(&x->index, &(struct mg_row){text_of(x->t, x->first), {value, sizeof value}, false});
    // Right as long as there is one block only.
    x->s->index = at;
    x->s->index_length = (uint32_t)payload.n;
    x->s->blocks++;
    mg_block_builder_reset(&x->block);
}

static void write_blocks(struct writing *x, const uint32_t *sorted) {
    for (uint32_t i = 0; i < x->t->n; i++) {
        const struct name *n = &x->t->list[sorted[i]];
        uint8_t value[30];
        size_t len = mg_varint_put(value, n->count);
        len += mg_varint_put(value + len, n->first_seq - x->s->first_seq);
        len += mg_varint_put(value + len, n->last_seq - n->first_seq);
        if (x->block.rows == 0) {
            x->first = sorted[i];
            x->ordinal = i;
        }
        mg_block_builder_add(&x->block, &(struct mg_row){text_of(x->t, sorted[i]), {(char *)value, len}, false});
        if (mg_block_builder_size(&x->block) >= SUBJECTS_BYTES) end_block(x);
    }
    end_block(x);
}

static void write_filter(struct writing *x) {
    uint32_t lines = mg_bloom_lines(x->t->n);
    uint8_t *filter = mg_zalloc((size_t)lines * MG_BLOOM_LINE);
    for (uint32_t i = 0; i < x->t->n; i++)
        mg_bloom_add(filter, lines, x->t->list[i].hash);
    x->s->bloom = mg_file_writer_at(x->w);
    x->s->bloom_lines = lines;
    for (uint32_t i = 0; i < lines; i += BLOOM_FRAME_LINES) {
        uint32_t n = lines - i < BLOOM_FRAME_LINES ? lines - i : BLOOM_FRAME_LINES;
        mg_frame_write(x->w, x->o->env, x->o->file, MG_FRAME_BLOOM,
                       mg_slice_of((char *)filter + (size_t)i * MG_BLOOM_LINE, (size_t)n * MG_BLOOM_LINE));
    }
    mg_free(filter);
}

void names_rank(struct names *t, uint32_t *rank) {
    t->sorted = mg_realloc(t->sorted, t->n * sizeof *t->sorted);
    struct mg_sort_item *items = mg_alloc((t->n ? t->n : 1) * sizeof *items);
    for (uint32_t i = 0; i < t->n; i++)
        items[i] = (struct mg_sort_item){.key = text_of(t, i), .item = &t->list[i]};
    mg_key_sort(items, t->n);
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t number = (uint32_t)((struct name *)items[i].item - t->list);
        t->sorted[i] = number;
        rank[number] = i;
    }
    mg_free(items);
}

void names_write(struct names *t, const struct mg_segment_options *o, struct mg_file_writer *w, struct mg_section *s) {
    struct writing x = {.t = t, .o = o, .w = w, .s = s};
    mg_block_builder_init(&x.block);
    mg_block_builder_init(&x.index);
    s->subjects = t->n;
    write_blocks(&x, t->sorted);
    t->index.len = 0;
    if (s->blocks > 1) {
        mg_buf_add_slice(&t->index, mg_block_builder_finish(&x.index));
        s->index_length = (uint32_t)t->index.len;
        s->index = mg_frame_write(w, o->env, o->file, MG_FRAME_INDEX, mg_buf_slice(&t->index));
        write_filter(&x);
    }
    mg_block_builder_fini(&x.block);
    mg_block_builder_fini(&x.index);
}

void names_write_copy(const struct names *t, const struct mg_segment_options *o, struct mg_file_writer *w,
                      struct mg_section *s) {
    if (s->blocks > 1) s->index_copy = mg_frame_write(w, o->env, o->file, MG_FRAME_INDEX, mg_buf_slice(&t->index));
}
