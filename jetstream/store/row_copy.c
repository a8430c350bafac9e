// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/row_copy.h"

#include <string.h>

#include "jetstream/store/segments.h"

#define LOOK_AT_ONCE 4096u // slots of a generation in a turn of the shard
#define COPY_AT_ONCE 256u  // rows

void mg_row_copy_begin(struct mg_row_copy *c, const struct mg_rows *rows, bool with_runs) {
    *c = (struct mg_row_copy){.runs = with_runs ? mg_runset_ref(rows->runs) : NULL, .rows = mg_rowmap_new()};
    c->levels[c->nlevels++] = mg_rowmap_ref(rows->active);
    for (unsigned i = 0; i < rows->frozen_len - rows->written; i++)
        c->levels[c->nlevels++] = mg_rowmap_ref(rows->frozen[i]);
}

static void copy(struct mg_row_copy *c, const struct mg_cell *cell) {
    bool added;
    mg_slice key = mg_cell_key(cell);
    struct mg_cell *to = mg_rowmap_put(c->rows, mg_row_hash(0, key), key, cell->value_len, &added);
    if (!added) return; // a newer generation has it
    if (cell->value_len) memcpy(to->value, cell->value, cell->value_len);
    to->flags = cell->flags;
}

bool mg_row_copy_more(struct mg_row_copy *c, bool (*wanted)(const void *arg, mg_slice key), const void *arg) {
    uint32_t looked = 0, copied = 0;
    for (; c->level < c->nlevels; c->level++, c->begun = false) {
        const struct mg_rowmap *m = c->levels[c->level];
        // If it has grown: from the beginning, what is there is there.
        if (!c->begun || c->grown != mg_rowmap_grown(m)) c->slot = mg_rowmap_end(m);
        c->begun = true;
        c->grown = mg_rowmap_grown(m);
        for (; c->slot > 0; c->slot--) {
            if (looked++ == LOOK_AT_ONCE || copied == COPY_AT_ONCE) return false;
            const struct mg_cell *cell = mg_rowmap_at(m, c->slot - 1);
            if (cell == NULL || cell->flags & MG_CELL_UNRESOLVED || !wanted(arg, mg_cell_key(cell))) continue;
            copy(c, cell);
            copied++;
        }
    }
    return true;
}

void mg_row_copy_end(struct mg_row_copy *c) {
    mg_runset_unref(c->runs);
    for (uint32_t i = 0; i < c->nlevels; i++) mg_rowmap_unref(c->levels[i]);
    mg_rowmap_unref(c->rows);
}
