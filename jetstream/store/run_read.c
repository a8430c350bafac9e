// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Opening a run and looking up one key: top (in memory) -> part (cache or one read): filter, index -> block (cache or
// one read). Damage that frame.c could not heal:
//
//   foot, top       open fails (there are two of each, four in a primary run)
//   a part          its data frames are walked, they say how long they are; an index is made of them
//   a data frame    the keys from its first one up to the next frame's first one are an error, nothing else is
//
// What always holds: a key whose block cannot be read is never "not found".
#include "jetstream/store/run_impl.h"

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

// ---- parts

static int part_ref(const struct mg_row *top_row, struct mg_run_part *ref) {
    if (top_row->value.n != MG_RUN_PART_SIZE || top_row->tombstone) return MG_ECORRUPT;
    mg_run_part_unpack(ref, top_row->value.p);
    return MG_OK;
}

// The pieces of a part's payload.
static int part_parse(struct run_part *part) {
    const struct mg_block *b = part->block;
    struct mg_run_part_head head;
    if (b->length < MG_RUN_PART_HEAD_SIZE) return MG_ECORRUPT;
    mg_run_part_head_unpack(&head, b->data);
    uint64_t filter = (uint64_t)head.lines * MG_BLOOM_LINE;
    if (filter > b->length - MG_RUN_PART_HEAD_SIZE) return MG_ECORRUPT;
    part->lines = head.lines;
    part->filter = head.lines ? b->data + MG_RUN_PART_HEAD_SIZE : NULL;
    size_t skip = MG_RUN_PART_HEAD_SIZE + (size_t)filter;
    return mg_block_view_init(&part->blocks, b->data + skip, b->length - skip);
}

// Reads the data frame at `at`, asking the frame itself how long it is.
static struct mg_block *walk_frame(const struct mg_run *r, const struct run_part *part, uint64_t at) {
    const struct mg_frame_file *f = &r->file;
    for (int which = 0; which < 2; which++) {
        const struct mg_blob *blob = which ? &f->copy : &f->main;
        uint8_t head[MG_FRAME_HEAD_SIZE];
        uint32_t length;
        struct mg_block *b;
        if (!blob->ops || part->ref.offset - at < sizeof head || mg_blob_read(blob, head, sizeof head, at)) continue;
        if (mg_frame_length(head, MG_FRAME_DATA, &length)) continue;
        if (mg_frame_size(length) > part->ref.offset - at) continue;
        if (mg_frame_read_copy(f, which, at, length, MG_FRAME_DATA, &b) == MG_OK) return b;
    }
    return NULL;
}

static void index_add(struct mg_block_builder *index, mg_slice key, uint64_t offset, uint32_t length) {
    const struct mg_run_block ref = {(uint32_t)offset, length};
    char value[MG_RUN_BLOCK_SIZE];
    mg_run_block_pack(value, &ref);
    mg_block_builder_add(index, &(struct mg_row){key, {value, sizeof value}, false});
}

// Makes an index of the data frames that can be read; `last` becomes the greatest key seen. True if that is all of
// them.
static bool walk_part(const struct mg_run *r, const struct run_part *part, struct mg_block_builder *index,
                      struct mg_buf *last) {
    uint64_t at = part->ref.data;
    struct mg_block_iter it;
    mg_block_iter_init(&it);
    while (at < part->ref.offset) {
        struct mg_block *b = walk_frame(r, part, at);
        struct mg_block_view view;
        if (!b) break;
        int err = mg_block_view_init(&view, b->data, b->length);
        if (err == MG_OK) {
            mg_block_iter_set(&it, &view);
            err = mg_block_iter_first(&it);
        }
        if (err == MG_OK && it.row.key.n == 0) err = MG_ECORRUPT;
        if (err == MG_OK && index->rows && mg_key_cmp(mg_buf_slice(last), it.row.key) >= 0) err = MG_ECORRUPT;
        if (err == MG_OK) index_add(index, it.row.key, at - part->ref.data, b->length);
        while (err == MG_OK) {
            last->len = 0;
            mg_buf_add_slice(last, it.row.key);
            err = mg_block_iter_next(&it);
        }
        at += mg_frame_size(b->length);
        mg_block_unref(b);
        if (err != MG_ENOTFOUND) break;
    }
    mg_block_iter_fini(&it);
    return at >= part->ref.offset;
}

// Makes it the next possible key. False: it is the greatest one.
static bool next_key(struct mg_buf *key) {
    if (key->len < MG_ROW_KEY_MAX) {
        mg_buf_addc(key, 0);
        return true;
    }
    while (key->len > 0 && (uint8_t)key->p[key->len - 1] == UINT8_MAX) key->len--;
    if (key->len > 0) key->p[key->len - 1]++;
    return key->len > 0;
}

static struct mg_block *part_rebuild(const struct mg_run *r, const struct run_part *part, mg_slice first) {
    struct mg_block_builder index;
    struct mg_buf last = MG_BUF_INIT;
    mg_block_builder_init(&index);
    if (!walk_part(r, part, &index, &last)) {
        bool more = index.rows == 0 || next_key(&last);
        if (index.rows == 0) mg_buf_add_slice(&last, first);
        if (more) index_add(&index, mg_buf_slice(&last), 0, 0);
    }
    const struct mg_run_part_head head = {0, index.rows};
    mg_slice rows = mg_block_builder_finish(&index);
    struct mg_block *b = mg_block_new(r->file.id, part->ref.offset, (uint32_t)(MG_RUN_PART_HEAD_SIZE + rows.n));
    b->rebuilt = MG_FRAME_PART;
    mg_run_part_head_pack(b->data, &head);
    memcpy(b->data + MG_RUN_PART_HEAD_SIZE, rows.p, rows.n);
    mg_block_builder_fini(&index);
    mg_buf_fini(&last);
    return b;
}

void run_part_load(const struct mg_run *r, const struct mg_row *top_row, struct run_part *part) {
    mg_assert(part_ref(top_row, &part->ref) == MG_OK); // open has looked at all of them
    int err = mg_frame_read(&r->file, part->ref.offset, part->ref.length, MG_FRAME_PART, &part->block);
    if (err == MG_OK) {
        if (part_parse(part) == MG_OK && part->blocks.nrestarts) return;
        mg_block_unref(part->block);
    }
    part->block = part_rebuild(r, part, top_row->key);
    mg_assert(part_parse(part) == MG_OK);
    if (r->file.env->cache) mg_blockcache_put(r->file.env->cache, part->block);
}

void run_part_release(struct run_part *part) {
    mg_block_unref(part->block);
    part->block = NULL;
}

int run_block_place(const struct run_part *part, const struct mg_row *index_row, uint64_t *at, uint32_t *length) {
    struct mg_run_block ref;
    if (index_row->value.n != MG_RUN_BLOCK_SIZE) return MG_ECORRUPT;
    mg_run_block_unpack(&ref, index_row->value.p);
    uint64_t room = part->ref.offset - part->ref.data;
    if (ref.length == 0 || ref.offset > room || mg_frame_size(ref.length) > room - ref.offset) return MG_ECORRUPT;
    *at = part->ref.data + ref.offset;
    *length = ref.length;
    return MG_OK;
}

// ---- open

static void free_gates(struct mg_run *r) {
    struct mg_filter_budget *budget = r->file.env->filters;
    for (uint32_t i = 0; i < r->ngates; i++) {
        uint8_t *filter = atomic_load(&r->gates[i].filter);
        if (filter) atomic_fetch_sub(&budget->used, (size_t)r->gates[i].lines * MG_BLOOM_LINE);
        mg_free(filter);
    }
    mg_free(r->gates);
    mg_buf_fini(&r->gate_keys);
}

// The top has been checked.
static void make_gates(struct mg_run *r) {
    struct mg_block_iter it;
    r->gates = mg_zalloc((r->foot.parts ? r->foot.parts : 1) * sizeof(*r->gates));
    mg_block_iter_init(&it);
    mg_block_iter_set(&it, &r->parts);
    for (int err = mg_block_iter_first(&it); err == MG_OK; err = mg_block_iter_next(&it)) {
        // An offset for now: the buffer may move.
        r->gates[r->ngates++].first = mg_slice_of((const char *)r->gate_keys.len, it.row.key.n);
        mg_buf_add_slice(&r->gate_keys, it.row.key);
    }
    for (uint32_t i = 0; i < r->ngates; i++) r->gates[i].first.p = r->gate_keys.p + (size_t)r->gates[i].first.p;
    mg_block_iter_fini(&it);
}

// The last part that begins at or below the key; NULL: none.
static struct run_gate *gate_of(const struct mg_run *r, mg_slice key) {
    uint32_t lo = 0, hi = r->ngates;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (mg_key_cmp(r->gates[mid].first, key) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo ? &r->gates[lo - 1] : NULL;
}

// Any thread that reads: keeps the filter, if there is memory and nobody was faster.
static bool keep_filter(const struct mg_run *r, struct run_gate *g, const struct run_part *part) {
    struct mg_filter_budget *budget = r->file.env->filters;
    size_t n = (size_t)part->lines * MG_BLOOM_LINE;
    if (!budget || !part->filter) return false;
    if (atomic_load(&g->filter)) return true;
    if (atomic_fetch_add(&budget->used, n) + n > budget->max) {
        atomic_fetch_sub(&budget->used, n);
        return false;
    }
    uint8_t *filter = mg_alloc(n), *none = NULL;
    memcpy(filter, part->filter, n);
    atomic_store_explicit(&g->lines, part->lines, memory_order_relaxed); // the same, whoever writes it
    if (atomic_compare_exchange_strong(&g->filter, &none, filter)) return true;
    atomic_fetch_sub(&budget->used, n);
    mg_free(filter);
    return true;
}

bool mg_run_warm(const struct mg_run *r) {
    struct mg_table_env env = *r->file.env; // past the cache: the rest of a part is not wanted
    struct mg_run run = *r;
    struct mg_block_iter it;
    bool all = true;
    env.cache = NULL;
    run.file.env = &env;
    mg_block_iter_init(&it);
    mg_block_iter_set(&it, &r->parts);
    uint32_t i = 0;
    for (int err = mg_block_iter_first(&it); err == MG_OK && all; err = mg_block_iter_next(&it), i++) {
        struct run_part part;
        if (atomic_load(&r->gates[i].filter)) continue;
        run_part_load(&run, &it.row, &part);
        all = keep_filter(r, &r->gates[i], &part) || !part.filter;
        run_part_release(&part);
    }
    mg_block_iter_fini(&it);
    return all;
}

bool mg_run_may_have(const struct mg_run *r, mg_slice key) {
    if (key.n == 0 || mg_key_cmp(key, r->max_key) > 0) return false;
    const struct run_gate *g = gate_of(r, key);
    if (!g) return false;
    const uint8_t *filter = atomic_load_explicit(&g->filter, memory_order_acquire);
    if (!filter) return true;
    uint32_t lines = atomic_load_explicit(&g->lines, memory_order_relaxed);
    return mg_bloom_maybe(filter, lines, mg_bloom_hash(key, r->file.env->salt));
}

// Parts follow each other without holes, so what every row of the top says can be checked against its neighbours.
static int check_top(const struct mg_run *r) {
    uint64_t at = MG_FILE_HEAD_BYTES, rows = 0;
    uint32_t parts = 0;
    struct mg_block_iter it;
    mg_block_iter_init(&it);
    mg_block_iter_set(&it, &r->parts);
    int err;
    for (err = mg_block_iter_first(&it); err == MG_OK; err = mg_block_iter_next(&it)) {
        struct mg_run_part ref;
        if (part_ref(&it.row, &ref) || ref.data != at || ref.offset <= at || ref.offset % 8 ||
            ref.offset > r->file.size || mg_frame_size(ref.length) > r->file.size - ref.offset) {
            err = MG_ECORRUPT;
            break;
        }
        at = ref.offset + mg_frame_size(ref.length);
        rows += ref.rows;
        parts++;
    }
    if (err == MG_ENOTFOUND && rows == r->foot.rows && parts == r->foot.parts) err = MG_OK;
    mg_block_iter_fini(&it);
    return err == MG_OK ? MG_OK : MG_ECORRUPT;
}

static int take_top(struct mg_run *r, struct mg_block *b) {
    struct mg_run_top top;
    r->top = b; // freed by close
    if (b->length < MG_RUN_TOP_SIZE) return MG_ECORRUPT;
    mg_run_top_unpack(&top, b->data);
    if (top.key_length > b->length - MG_RUN_TOP_SIZE) return MG_ECORRUPT;
    r->max_key = mg_slice_of((const char *)b->data + MG_RUN_TOP_SIZE, top.key_length);
    size_t skip = MG_RUN_TOP_SIZE + (size_t)top.key_length;
    int err = mg_block_view_init(&r->parts, b->data + skip, b->length - skip);
    if (err == MG_OK) err = check_top(r);
    if (err == MG_OK) make_gates(r);
    return err;
}

static int open_top(struct mg_run *r) {
    const struct mg_run_foot *foot = &r->foot;
    struct mg_table_env env = *r->file.env; // the top stays with the run, not in the cache
    env.cache = NULL;
    struct mg_frame_file f = r->file;
    f.env = &env;
    struct mg_block *b;
    int err = mg_frame_read_twice(&f, foot->top, foot->top_copy, foot->top_length, MG_FRAME_TOP, &b);
    if (err) return err;
    return take_top(r, b);
}

int mg_run_open(struct mg_run **out, const struct mg_table_env *env, struct mg_blob main, struct mg_blob copy,
                uint64_t file, uint64_t size, uint64_t foot_sum) {
    struct mg_run *r = mg_zalloc(sizeof *r);
    r->file = (struct mg_frame_file){env, main, copy, file, size};
    uint8_t foot[MG_RUN_FOOT_SIZE];
    const struct mg_foot_want want = {MG_RUN_MAGIC, MG_RUN_VERSION, sizeof foot, foot_sum};
    int err = mg_file_foot_read(&r->file, &want, foot);
    if (err == MG_OK) {
        mg_run_foot_unpack(&r->foot, foot);
        if (r->foot.top_length > size) err = MG_ECORRUPT;
    }
    if (err == MG_OK) err = open_top(r);
    if (err) {
        mg_run_close(r);
        r = NULL;
    }
    *out = r;
    return err;
}

void mg_run_close(struct mg_run *r) {
    if (!r) return;
    free_gates(r);
    mg_block_unref(r->top);
    mg_free(r);
}

const struct mg_run_foot *mg_run_about(const struct mg_run *r) { return &r->foot; }

void mg_run_range(const struct mg_run *r, mg_slice *min_key, mg_slice *max_key) {
    *max_key = r->max_key;
    *min_key = r->ngates ? r->gates[0].first : mg_slice_of(NULL, 0);
}

// ---- one key

static int get_in_block(const struct mg_run *r, const struct run_part *part, struct mg_block_iter *it, mg_slice key,
                        struct mg_run_hit *hit) {
    uint64_t at;
    uint32_t length;
    struct mg_block *b;
    int err = run_block_place(part, &it->row, &at, &length);
    if (err == MG_OK) err = mg_frame_read(&r->file, at, length, MG_FRAME_DATA, &b);
    if (err) return err;
    struct mg_block_view view;
    err = mg_block_view_init(&view, b->data, b->length);
    if (err == MG_OK) {
        mg_block_iter_set(it, &view);
        err = mg_block_iter_seek(it, key);
    }
    if (err == MG_OK && mg_key_cmp(it->row.key, key) != 0) err = MG_ENOTFOUND;
    if (err == MG_OK)
        *hit = (struct mg_run_hit){it->row.value, it->row.tombstone, b};
    else
        mg_block_unref(b);
    return err;
}

static int get_in_part(const struct mg_run *r, struct mg_block_iter *it, mg_slice key, struct mg_run_hit *hit) {
    struct run_part part;
    run_part_load(r, &it->row, &part);
    struct run_gate *g = gate_of(r, key);
    if (g) keep_filter(r, g, &part);
    int err = MG_ENOTFOUND;
    if (!part.filter || mg_bloom_maybe(part.filter, part.lines, mg_bloom_hash(key, r->file.env->salt))) {
        mg_block_iter_set(it, &part.blocks);
        err = mg_block_iter_floor(it, key);
        if (err == MG_OK) err = get_in_block(r, &part, it, key, hit);
    }
    run_part_release(&part);
    return err;
}

int mg_run_get(const struct mg_run *r, mg_slice key, struct mg_run_hit *hit) {
    if (key.n == 0 || mg_key_cmp(key, r->max_key) > 0) return MG_ENOTFOUND;
    struct mg_block_iter it;
    mg_block_iter_init(&it);
    mg_block_iter_set(&it, &r->parts);
    int err = mg_block_iter_floor(&it, key);
    if (err == MG_OK) err = get_in_part(r, &it, key, hit);
    mg_block_iter_fini(&it);
    return err;
}

int mg_runs_get(struct mg_run *const *runs, size_t n, mg_slice key, struct mg_run_hit *hit) {
    int err = MG_ENOTFOUND;
    for (size_t i = 0; i < n && err == MG_ENOTFOUND; i++)
        err = mg_run_get(runs[i], key, hit);
    return err;
}

void mg_run_hit_release(struct mg_run_hit *hit) {
    mg_block_unref(hit->block);
    hit->block = NULL;
}
