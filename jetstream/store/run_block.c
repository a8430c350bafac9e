// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Blocks of sorted rows; the layout is drawn in the header. A search bisects the restarts, then walks at most 16 rows.
// What always holds: an iterator never reads outside of the block, its key buffer never exceeds MG_ROW_KEY_MAX, and
// keys that do not ascend are damage, so a walk ends.
#include "jetstream/store/run_block.h"

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

size_t mg_varint_put(uint8_t *p, uint64_t v) {
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        p[n++] = (uint8_t)(v | 0x80);
    p[n++] = (uint8_t)v;
    return n;
}

size_t mg_varint_get(const uint8_t *p, const uint8_t *end, uint64_t *v) {
    uint64_t x = 0;
    for (size_t i = 0; i < 10 && p + i < end; i++) {
        uint64_t bits = p[i] & 0x7f;
        if (i == 9 && bits > 1) return 0;
        x |= bits << (7 * i);
        if (p[i] < 0x80) {
            *v = x;
            return i + 1;
        }
    }
    return 0;
}

static uint32_t load32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void add32(struct mg_buf *b, uint32_t v) {
    const uint8_t p[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    mg_buf_add(b, p, sizeof p);
}

// ---- writing

void mg_block_builder_init(struct mg_block_builder *b) { *b = (struct mg_block_builder){0}; }

void mg_block_builder_fini(struct mg_block_builder *b) {
    mg_buf_fini(&b->data);
    mg_buf_fini(&b->last);
    mg_free(b->restarts);
    mg_block_builder_init(b);
}

void mg_block_builder_reset(struct mg_block_builder *b) {
    b->data.len = b->last.len = 0;
    b->nrestarts = b->rows = 0;
}

static void add_restart(struct mg_block_builder *b) {
    if (b->nrestarts == b->cap_restarts) {
        b->cap_restarts = b->cap_restarts ? b->cap_restarts * 2 : 16;
        b->restarts = mg_realloc(b->restarts, b->cap_restarts * sizeof *b->restarts);
    }
    b->restarts[b->nrestarts++] = (uint32_t)b->data.len;
}

static size_t shared_prefix(mg_slice a, mg_slice b) {
    size_t n = a.n < b.n ? a.n : b.n, i = 0;
    while (i < n && a.p[i] == b.p[i])
        i++;
    return i;
}

void mg_block_builder_add(struct mg_block_builder *b, const struct mg_row *row) {
    mg_assert(row->key.n > 0 && row->key.n <= MG_ROW_KEY_MAX && row->value.n <= MG_ROW_VALUE_MAX);
    mg_assert(b->rows == 0 || mg_key_cmp(mg_buf_slice(&b->last), row->key) < 0);
    size_t shared = 0;
    if (b->rows % MG_BLOCK_RESTART == 0)
        add_restart(b);
    else
        shared = shared_prefix(mg_buf_slice(&b->last), row->key);
    uint8_t head[30];
    size_t n = mg_varint_put(head, shared);
    n += mg_varint_put(head + n, row->key.n - shared);
    n += mg_varint_put(head + n, (uint64_t)row->value.n << 1 | row->tombstone);
    mg_buf_add(&b->data, head, n);
    mg_buf_add(&b->data, row->key.p + shared, row->key.n - shared);
    mg_buf_add_slice(&b->data, row->value);
    b->last.len = shared;
    mg_buf_add(&b->last, row->key.p + shared, row->key.n - shared);
    b->rows++;
}

size_t mg_block_builder_size(const struct mg_block_builder *b) { return b->data.len + 4 * (size_t)b->nrestarts + 4; }

mg_slice mg_block_builder_finish(struct mg_block_builder *b) {
    for (uint32_t i = 0; i < b->nrestarts; i++)
        add32(&b->data, b->restarts[i]);
    add32(&b->data, b->nrestarts);
    return mg_buf_slice(&b->data);
}

// ---- reading

int mg_block_view_init(struct mg_block_view *v, const void *p, size_t n) {
    if (n < 4 || n > UINT32_MAX) return MG_ECORRUPT;
    *v = (struct mg_block_view){.p = p, .nrestarts = load32((const uint8_t *)p + n - 4)};
    if (v->nrestarts > (n - 4) / 4) return MG_ECORRUPT;
    v->data_len = (uint32_t)(n - 4 - 4 * (size_t)v->nrestarts);
    // Rows exist exactly where restarts do, and the first one is a restart.
    if ((v->data_len == 0) != (v->nrestarts == 0)) return MG_ECORRUPT;
    if (v->nrestarts && load32(v->p + v->data_len) != 0) return MG_ECORRUPT;
    return MG_OK;
}

void mg_block_iter_init(struct mg_block_iter *it) { *it = (struct mg_block_iter){0}; }

void mg_block_iter_fini(struct mg_block_iter *it) {
    mg_buf_fini(&it->key);
    mg_block_iter_init(it);
}

void mg_block_iter_set(struct mg_block_iter *it, const struct mg_block_view *view) {
    it->view = *view;
    it->key.len = 0;
    it->at = it->next = it->index = 0;
}

struct row_head {
    size_t shared, rest, value, head; // lengths; head: of the three varints
    bool tombstone;
};

// Reads what stands before the key at offset `at`; true if the whole row lies within the block.
static bool read_head(const struct mg_block_view *v, uint32_t at, struct row_head *h) {
    const uint8_t *p = v->p + at, *end = v->p + v->data_len;
    uint64_t shared, rest, value;
    if (end - p >= 3 && (p[0] | p[1] | p[2]) < 0x80) { // nearly always
        shared = p[0], rest = p[1], value = p[2];
        p += 3;
    } else {
        size_t n;
        if ((n = mg_varint_get(p, end, &shared)) == 0) return false;
        p += n;
        if ((n = mg_varint_get(p, end, &rest)) == 0) return false;
        p += n;
        if ((n = mg_varint_get(p, end, &value)) == 0) return false;
        p += n;
    }
    if (shared > MG_ROW_KEY_MAX || rest > MG_ROW_KEY_MAX - shared) return false;
    if (value >> 1 > MG_ROW_VALUE_MAX || rest + (value >> 1) > (uint64_t)(end - p)) return false;
    *h = (struct row_head){shared, rest, value >> 1, (size_t)(p - v->p) - at, value & 1};
    return true;
}

// Decodes the row at offset `at`, whose predecessor's key is in it->key.
static int decode(struct mg_block_iter *it, uint32_t at) {
    struct row_head h;
    if (!read_head(&it->view, at, &h) || h.shared > it->key.len) return MG_ECORRUPT;
    const char *p = (const char *)it->view.p + at + h.head;
    // The shared part is equal, so the rest decides the order.
    if (at != 0 && it->key.len) {
        mg_slice old = {it->key.p + h.shared, it->key.len - h.shared};
        if (mg_key_cmp(old, mg_slice_of(p, h.rest)) >= 0) return MG_ECORRUPT;
    }
    it->key.len = h.shared;
    mg_buf_add(&it->key, p, h.rest);
    it->row = (struct mg_row){mg_buf_slice(&it->key), {p + h.rest, h.value}, h.tombstone};
    it->at = at;
    it->next = (uint32_t)(at + h.head + h.rest + h.value);
    return MG_OK;
}

int mg_block_iter_first(struct mg_block_iter *it) {
    it->key.len = 0;
    it->index = 0;
    if (it->view.data_len == 0) return MG_ENOTFOUND;
    return decode(it, 0);
}

int mg_block_iter_next(struct mg_block_iter *it) {
    if (it->next >= it->view.data_len) return MG_ENOTFOUND;
    it->index++;
    return decode(it, it->next);
}

// The key of a restart, which lies in the block as a whole.
static int restart_key(const struct mg_block_view *v, uint32_t i, uint32_t *at, mg_slice *key) {
    struct row_head h;
    *at = load32(v->p + v->data_len + 4 * (size_t)i);
    if (*at >= v->data_len || !read_head(v, *at, &h) || h.shared != 0) return MG_ECORRUPT;
    *key = mg_slice_of((const char *)v->p + *at + h.head, h.rest);
    return MG_OK;
}

// To the last restart whose key is <= key; to the first one if there is none. The block is not empty.
static int to_restart(struct mg_block_iter *it, mg_slice key) {
    uint32_t low = 0, high = it->view.nrestarts, at = 0;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        mg_slice k;
        if (restart_key(&it->view, mid, &at, &k)) return MG_ECORRUPT;
        if (mg_key_cmp(k, key) <= 0)
            low = mid;
        else
            high = mid;
    }
    mg_slice k;
    if (restart_key(&it->view, low, &at, &k)) return MG_ECORRUPT;
    it->key.len = 0;
    it->index = low * MG_BLOCK_RESTART;
    return decode(it, at);
}

int mg_block_iter_seek(struct mg_block_iter *it, mg_slice key) {
    if (it->view.data_len == 0) return MG_ENOTFOUND;
    int err = to_restart(it, key);
    while (err == MG_OK && mg_key_cmp(it->row.key, key) < 0)
        err = mg_block_iter_next(it);
    return err;
}

// Is the key of the next row, which h describes, greater than key? The part it shares is that of the current row.
static bool next_is_greater(const struct mg_block_iter *it, const struct row_head *h, mg_slice key) {
    if (key.n == 0) return h->shared + h->rest > 0; // its pointer may be NULL
    mg_slice shared = {it->key.p, h->shared}, head = {key.p, key.n < h->shared ? key.n : h->shared};
    int c = mg_key_cmp(shared, head);
    if (c || head.n < h->shared) return c > 0;
    mg_slice rest = {(const char *)it->view.p + it->next + h->head, h->rest};
    return mg_key_cmp(rest, mg_slice_of(key.p + head.n, key.n - head.n)) > 0;
}

int mg_block_iter_floor(struct mg_block_iter *it, mg_slice key) {
    if (it->view.data_len == 0) return MG_ENOTFOUND;
    int err = to_restart(it, key);
    if (err) return err;
    if (mg_key_cmp(it->row.key, key) > 0) return MG_ENOTFOUND; // before the first row
    while (it->next < it->view.data_len) {
        struct row_head h;
        if (!read_head(&it->view, it->next, &h) || h.shared > it->key.len) return MG_ECORRUPT;
        if (next_is_greater(it, &h, key)) return MG_OK;
        if ((err = mg_block_iter_next(it)) != MG_OK) return err;
    }
    return MG_OK;
}
