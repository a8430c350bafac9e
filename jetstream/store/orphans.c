// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/orphans.h"

#include <string.h>

#include "server/base/mem.h"

void mg_orphans_fini(struct mg_orphans *o) {
    mg_free(o->list);
    *o = (struct mg_orphans){0};
}

static struct mg_orphan *entry_of(struct mg_orphans *o, uint64_t stream) {
    uint32_t lo = 0, hi = o->len;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (o->list[mid].stream < stream) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (lo < o->len && o->list[lo].stream == stream) return &o->list[lo];
    if (o->len == o->cap) {
        o->cap = o->cap ? o->cap * 2 : 16;
        o->list = mg_realloc(o->list, o->cap * sizeof(o->list[0]));
    }
    memmove(&o->list[lo + 1], &o->list[lo], (o->len - lo) * sizeof(o->list[0]));
    o->len++;
    o->list[lo] = (struct mg_orphan){.stream = stream};
    return &o->list[lo];
}

void mg_orphans_add(struct mg_orphans *o, const struct mg_record_view *rec) {
    struct mg_orphan *x = entry_of(o, rec->head.stream);
    x->records++;
    x->dropped |= rec->head.type == MG_RECORD_DROP;
    if (rec->head.type != MG_RECORD_MSG) return;
    if (x->messages++ == 0) x->first_seq = rec->head.seq;
    x->last_seq = rec->head.seq;
}

void mg_orphans_dropped(struct mg_orphans *o, uint64_t stream) { entry_of(o, stream)->dropped = true; }
