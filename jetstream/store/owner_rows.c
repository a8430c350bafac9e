// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Listing the owner's rows of a stream: those in memory and those in the table runs, merged in order of their keys; of
// equal keys memory's row counts, and of generations the newest. It reads on the caller's thread: for the start, when a
// shard does not serve yet.
#include "jetstream/store/merge.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

struct listing {
    struct mg_buf low, prefix; // whole keys: where it begins, and what all of them begin with
    bool (*each)(void *arg, mg_slice key, mg_slice value);
    void *arg;
    bool stopped;
};

static void copy_rows(const struct listing *l, const struct mg_rowmap *from, struct mg_rowmap *to) {
    for (uint32_t i = mg_rowmap_end(from); i-- > 0;) {
        const struct mg_cell *c = mg_rowmap_at(from, i);
        if (c == NULL || (c->flags & MG_CELL_UNRESOLVED)) continue;
        mg_slice key = mg_cell_key(c);
        bool added;
        if (!mg_slice_starts(key, mg_buf_slice(&l->prefix))) continue;
        if (mg_cell_compare(key, mg_buf_slice(&l->low)) < 0) continue;
        struct mg_cell *copy = mg_rowmap_put(to, mg_row_hash(0, key), key, c->value_len, &added);
        if (!added) continue; // a newer generation has it
        if (c->value_len) memcpy(copy->value, c->value, c->value_len);
        copy->flags = c->flags;
    }
}

static void give(struct listing *l, mg_slice key, mg_slice value) {
    if (!l->stopped)
        l->stopped = !l->each(l->arg, mg_slice_of(key.p + MG_ROW_KEY_HEAD, key.n - MG_ROW_KEY_HEAD), value);
}

static void give_memory(struct listing *l, const struct mg_cell *c) {
    if (!(c->flags & MG_CELL_DELETED)) give(l, mg_cell_key(c), mg_cell_value(c));
}

static int walk(struct listing *l, struct mg_merge *m, struct mg_cell **sorted, uint32_t count) {
    uint32_t at = 0;
    int worst = 0, err = m ? mg_merge_seek(m, mg_buf_slice(&l->low)) : MG_ENOTFOUND;
    for (; err != MG_ENOTFOUND && !l->stopped; err = mg_merge_next(m)) {
        if (err != 0) { // keys that cannot be read; it goes on behind them
            worst = err;
            continue;
        }
        const struct mg_row *row = mg_merge_row(m);
        int order = -1;
        if (!mg_slice_starts(row->key, mg_buf_slice(&l->prefix))) break;
        while (at < count && (order = mg_cell_compare(mg_cell_key(sorted[at]), row->key)) < 0)
            give_memory(l, sorted[at++]);
        if (at == count || order != 0) give(l, row->key, row->value);
    }
    while (at < count) give_memory(l, sorted[at++]);
    return worst;
}

int mg_stream_rows(struct mg_stream *s, mg_slice prefix, mg_slice from,
                   bool (*each)(void *arg, mg_slice key, mg_slice value), void *arg) {
    struct listing l = {.each = each, .arg = arg};
    char head[MG_ROW_KEY_HEAD];
    mg_row_key_head(head, MG_ROW_OWNER, s->id);
    mg_buf_add(&l.prefix, head, sizeof(head));
    mg_buf_add_slice(&l.prefix, prefix);
    mg_buf_add(&l.low, head, sizeof(head));
    mg_buf_add_slice(&l.low, mg_slice_cmp(from, prefix) > 0 ? from : prefix);
    struct mg_rowmap *memory = mg_rowmap_new();
    copy_rows(&l, s->rows->active, memory);
    for (unsigned i = 0; i < s->rows->frozen_len; i++) copy_rows(&l, s->rows->frozen[i], memory);
    struct mg_runset *set = s->storage == MG_STORAGE_FILE ? mg_runset_ref(s->part->rows.runs) : NULL;
    struct mg_cell **sorted = mg_rowmap_sorted(memory);
    struct mg_merge *m = set ? mg_runset_merge(set, true, false) : NULL;
    int err = walk(&l, m, sorted, memory->count);
    if (m) mg_merge_free(m);
    mg_runset_unref(set);
    mg_free(sorted);
    mg_rowmap_unref(memory);
    mg_buf_fini(&l.low);
    mg_buf_fini(&l.prefix);
    return err;
}
