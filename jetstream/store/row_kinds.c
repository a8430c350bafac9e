// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/row_kinds.h"

#include "server/base/assert.h"
#include "server/base/mem.h"

bool mg_row_value_ok(uint8_t kind, mg_slice value) {
    if (kind == MG_ROW_REMOVED) return value.n == MG_REMOVED_BYTES;
    if (kind == MG_ROW_DEDUPE) return value.n == sizeof(struct mg_dedupe_row);
    if (kind != MG_ROW_SUBJECT) return true;
    struct mg_subject_row head;
    if (value.n < sizeof(head)) return false;
    memcpy(&head, value.p, sizeof(head));
    return head.recent_len <= MG_SUBJECT_RECENT_MAX && value.n == mg_subject_row_size(head.recent_len);
}

// The older messages in front of those of the change.
static void merge_subject(struct mg_rowmap *m, struct mg_cell *change, mg_slice base) {
    struct mg_subject_row old;
    memcpy(&old, base.p, sizeof(old));
    struct mg_subject_row *now = (struct mg_subject_row *)(void *)change->value;
    if (now->older_gone & MG_SUBJECT_OLDER_WRONG) {
        now->older_gone = 0;
        return;
    }
    now->count += old.count;
    if (old.first && (now->first == 0 || old.first < now->first)) now->first = old.first;
    if (old.last > now->last) {
        now->last = old.last;
        now->last_gone |= old.last_gone;
    }
    uint32_t total = old.recent_len + now->recent_len;
    bool stale = now->older_gone;
    now->older_gone = 0;
    if (old.recent_len == 0 || total > MG_SUBJECT_RECENT_MAX || stale) return;
    uint32_t mine = now->recent_len;
    mg_rowmap_resize(m, change, mg_subject_row_size(total));
    now = (struct mg_subject_row *)(void *)change->value;
    memmove(now->recent + old.recent_len, now->recent, mine * sizeof(now->recent[0]));
    memcpy(now->recent, base.p + sizeof(old), old.recent_len * sizeof(now->recent[0]));
    now->recent_len = total;
}

void mg_row_merge(struct mg_rowmap *m, struct mg_cell *change, mg_slice base) {
    uint8_t kind = (uint8_t)change->key[0];
    bool usable = base.p != NULL && mg_row_value_ok(kind, base);
    if (change->value_len == 0) { // a mark: somebody wanted to know the row
        if (!usable) {
            change->flags = MG_CELL_DELETED;
            return;
        }
        mg_rowmap_resize(m, change, (uint32_t)base.n);
        if (base.n) memcpy(change->value, base.p, base.n);
        return;
    }
    if (usable && kind == MG_ROW_SUBJECT) merge_subject(m, change, base);
    if (usable && kind == MG_ROW_REMOVED) {
        for (size_t i = 0; i < MG_REMOVED_BYTES; i++) change->value[i] = (char)(change->value[i] | base.p[i]);
    }
    if (kind == MG_ROW_SUBJECT && ((struct mg_subject_row *)(void *)change->value)->count <= 0)
        change->flags = MG_CELL_DELETED;
}
