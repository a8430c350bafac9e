// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The levels of rows. The good path is one probe in the active generation. A miss there probes the frozen ones and
// copies what it finds up, so each row is copied at most once a generation; a miss in memory asks the bloom filters.
//
// What always holds: a key that is under way has an UNRESOLVED row in the active or a frozen generation, or a *mark*:
// an unresolved row without a value in the active generation (mg_rows_get made it). So a key is asked for once at a
// time, and when the answer comes, everybody who needs it finds a complete row.
#include "jetstream/store/rows.h"

#include "jetstream/store/segments.h"
#include "server/base/assert.h"
#include "server/base/mem.h"

void mg_put_be64(char *out, uint64_t v) {
    for (int i = 7; i >= 0; i--, v >>= 8) out[i] = (char)(v & 0xff);
}
void mg_put_be32(char *out, uint32_t v) {
    for (int i = 3; i >= 0; i--, v >>= 8) out[i] = (char)(v & 0xff);
}
uint64_t mg_get_be64(const char *p) {
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) v = v << 8 | (uint8_t)p[i];
    return v;
}
uint32_t mg_get_be32(const char *p) {
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) v = v << 8 | (uint8_t)p[i];
    return v;
}

void mg_row_key_head(char *out, enum mg_row_kind kind, uint64_t stream) {
    out[0] = (char)kind;
    mg_put_be64(out + 1, stream);
}

void mg_clock_key(char out[MG_CLOCK_KEY]) {
    mg_row_key_head(out, MG_ROW_OWNER, 0);
    memcpy(out + MG_ROW_KEY_HEAD, "clock", MG_CLOCK_KEY - MG_ROW_KEY_HEAD);
}

void mg_rows_init(struct mg_rows *rows, uint64_t seed) {
    memset(rows, 0, sizeof(*rows));
    rows->seed = seed;
    rows->active = mg_rowmap_new();
}

void mg_rows_fini(struct mg_rows *rows) {
    mg_rowmap_unref(rows->active);
    for (unsigned i = 0; i < rows->frozen_len; i++) mg_rowmap_unref(rows->frozen[i]);
    for (unsigned i = 0; i < rows->dying_len; i++) mg_rowmap_unref(rows->dying[i]);
    mg_runset_unref(rows->runs);
    mg_buf_fini(&rows->wanted);
    memset(rows, 0, sizeof(*rows));
}

static void want(struct mg_rows *rows, mg_slice key) {
    uint32_t n = (uint32_t)key.n;
    mg_buf_add(&rows->wanted, &n, sizeof(n));
    mg_buf_add_slice(&rows->wanted, key);
    rows->wanted_len++;
    rows->looking++;
}

static struct mg_cell *find_frozen(const struct mg_rows *rows, uint64_t hash, mg_slice key) {
    for (unsigned i = 0; i < rows->frozen_len; i++) {
        struct mg_cell *r = mg_rowmap_get(rows->frozen[i], hash, key);
        if (r) return r;
    }
    return NULL;
}

static enum mg_row_found found(const struct mg_cell *r) {
    return r->flags & MG_CELL_UNRESOLVED ? MG_ROW_PENDING : r->flags & MG_CELL_DELETED ? MG_ROW_ABSENT : MG_ROW_FOUND;
}

enum mg_row_found mg_rows_peek(const struct mg_rows *rows, mg_slice key, const struct mg_cell **row) {
    uint64_t hash = mg_row_hash(rows->seed, key);
    struct mg_cell *r = mg_rowmap_get(rows->active, hash, key);
    if (r == NULL) r = find_frozen(rows, hash, key);
    *row = r;
    if (r) return found(r);
    return mg_runset_may_have(rows->runs, key) ? MG_ROW_PENDING : MG_ROW_ABSENT;
}

enum mg_row_found mg_rows_get(struct mg_rows *rows, mg_slice key, const struct mg_cell **row) {
    enum mg_row_found f = mg_rows_peek(rows, key, row);
    if (*row || f == MG_ROW_ABSENT) return f;
    bool added;
    struct mg_cell *r = mg_rowmap_put(rows->active, mg_row_hash(rows->seed, key), key, 0, &added);
    r->flags = MG_CELL_UNRESOLVED;
    rows->active->unresolved++;
    want(rows, key);
    *row = r;
    return MG_ROW_PENDING;
}

enum mg_row_found mg_rows_touch(struct mg_rows *rows, mg_slice key, uint32_t value_len, struct mg_cell **row) {
    uint64_t hash = mg_row_hash(rows->seed, key);
    struct mg_cell *r = mg_rowmap_get(rows->active, hash, key);
    bool added;
    if (r) {
        *row = r;
        enum mg_row_found f = found(r);
        if (f != MG_ROW_FOUND && r->value_len < value_len) mg_rowmap_resize(rows->active, r, value_len);
        r->flags &= MG_CELL_UNRESOLVED;
        if (f == MG_ROW_ABSENT) memset(r->value, 0, r->value_len);
        return f;
    }
    const struct mg_cell *old = find_frozen(rows, hash, key);
    enum mg_row_found f = old ? found(old) : mg_runset_may_have(rows->runs, key) ? MG_ROW_PENDING : MG_ROW_ABSENT;
    r = mg_rowmap_put(rows->active, hash, key, f == MG_ROW_FOUND ? old->value_len : value_len, &added);
    mg_assert(added);
    if (f == MG_ROW_FOUND) memcpy(r->value, old->value, old->value_len);
    if (f == MG_ROW_PENDING) {
        r->flags = MG_CELL_UNRESOLVED;
        rows->active->unresolved++;
        if (old == NULL) want(rows, key);
    }
    *row = r;
    return f;
}

static void settle(struct mg_rowmap *m, struct mg_cell *r) {
    if (r->flags & MG_CELL_UNRESOLVED) m->unresolved--;
    r->flags = 0;
}

static struct mg_cell *put_in(const struct mg_rows *rows, struct mg_rowmap *m, mg_slice key, mg_slice value) {
    bool added;
    struct mg_cell *r = mg_rowmap_put(m, mg_row_hash(rows->seed, key), key, (uint32_t)value.n, &added);
    settle(m, r);
    if (value.n) memcpy(r->value, value.p, value.n);
    return r;
}

struct mg_cell *mg_rows_put(struct mg_rows *rows, mg_slice key, mg_slice value) {
    return put_in(rows, rows->active, key, value);
}

struct mg_cell *mg_rows_put_frozen(struct mg_rows *rows, mg_slice key, mg_slice value) {
    mg_assert(rows->frozen_len > rows->written);
    return put_in(rows, rows->frozen[0], key, value);
}

void mg_rows_delete(struct mg_rows *rows, mg_slice key) {
    bool added;
    struct mg_cell *r = mg_rowmap_put(rows->active, mg_row_hash(rows->seed, key), key, 0, &added);
    settle(rows->active, r);
    r->flags = MG_CELL_DELETED;
}

static void resolve_one(struct mg_rowmap *m, struct mg_cell *r, mg_slice *base, bool frozen, mg_rows_merged_fn merged,
                        void *arg) {
    if (r->flags & MG_CELL_UNRESOLVED) {
        bool mark = r->value_len == 0;
        m->unresolved--;
        r->flags = 0;
        mg_row_merge(m, r, *base);
        if (mark) r->flags |= MG_CELL_READ;
        else if (merged) merged(arg, *base, r, frozen);
    }
    *base = r->flags & MG_CELL_DELETED ? (mg_slice){NULL, 0} : mg_cell_value(r);
}

void mg_rows_resolve(struct mg_rows *rows, mg_slice key, mg_slice base, mg_rows_merged_fn merged, void *arg) {
    uint64_t hash = mg_row_hash(rows->seed, key);
    mg_assert(rows->looking > 0);
    rows->looking--;
    for (unsigned i = rows->frozen_len; i-- > 0;) {
        struct mg_cell *r = mg_rowmap_get(rows->frozen[i], hash, key);
        if (r) resolve_one(rows->frozen[i], r, &base, true, merged, arg);
    }
    struct mg_cell *r = mg_rowmap_get(rows->active, hash, key);
    if (r) resolve_one(rows->active, r, &base, false, merged, arg);
}

struct mg_rowmap *mg_rows_freeze(struct mg_rows *rows) {
    mg_assert(rows->frozen_len < MG_ROW_LEVELS);
    memmove(rows->frozen + 1, rows->frozen, rows->frozen_len * sizeof(rows->frozen[0]));
    rows->frozen[0] = rows->active;
    rows->frozen_len++;
    rows->active = mg_rowmap_new();
    return rows->frozen[0];
}

void mg_rows_written(struct mg_rows *rows, struct mg_rowmap *frozen, size_t bytes) {
    size_t kept = 0;
    for (unsigned i = 0; i < rows->frozen_len; i++) kept += rows->frozen[i]->bytes;
    rows->written++;
    mg_assert(rows->written <= rows->frozen_len && rows->frozen[rows->frozen_len - rows->written] == frozen);
    while (rows->written > 0 && (kept > bytes || rows->frozen_len > MG_ROW_LEVELS / 2)) {
        struct mg_rowmap *oldest = rows->frozen[--rows->frozen_len];
        kept -= oldest->bytes;
        if (rows->dying_len < MG_ROW_LEVELS) rows->dying[rows->dying_len++] = oldest;
        else mg_rowmap_unref(oldest);
        rows->written--;
    }
}

bool mg_rows_bury(struct mg_rows *rows) {
    if (rows->dying_len > 0 && mg_rowmap_unref_some(rows->dying[rows->dying_len - 1])) rows->dying_len--;
    return rows->dying_len > 0;
}
