// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/swap.h"

#include "jetstream/store/stream.h"
#include "jetstream/store/worker.h"
#include "server/base/assert.h"
#include "server/base/mem.h"

// Puts the new stretch in the place of the old ones. How many messages live in it is exact: what was removed since the
// new segment was written was counted off these.
static uint32_t swap_group(struct mg_stream *s, const struct mg_swap_group *g) {
    uint64_t live;
    uint32_t n = mg_stretches_take(&s->cold, g->from, g->to, s->first, &live);
    if (g->segment == NULL) return n;
    struct mg_stretch c = mg_stretch_of(mg_segment_ref_get(g->segment), g->section, &g->at);
    c.live = (uint32_t)g->row_live;
    mg_stretch_set_live(&c, live);
    mg_stretches_put(&s->cold, &c);
    return n;
}

// The next group; how many stretches it was about.
static uint32_t swap_next(struct mg_swap *w) {
    const struct mg_swap_group *g = &w->groups[w->at++];
    struct mg_stream *s = mg_part_stream(w->part, g->stream);
    return s == NULL || s->dropped ? 0 : swap_group(s, g);
}

void mg_swap_arrived(struct mg_parcel *parcel) {
    struct mg_swap *w = mg_container_of(parcel, struct mg_swap, parcel);
    struct mg_swap **last = &w->part->swaps;
    while (*last) last = &(*last)->next;
    *last = w;
}

bool mg_swap_step(struct mg_store_part *p) {
    struct mg_swap *w = p->swaps;
    if (w == NULL) return false;
    while (w->at < w->groups_len) {
        if (mg_part_spent(p, 1 + swap_next(w) / 8)) return true;
    }
    p->swaps = w->next;
    w->parcel.arrived = w->swapped;
    mg_worker_post(w->keeper, &w->parcel);
    return p->swaps != NULL;
}

void mg_swap_free(struct mg_swap *w) {
    if (w == NULL) return;
    for (uint32_t i = 0; i < w->groups_len; i++) mg_segment_ref_put(w->groups[i].segment);
    mg_free(w->groups);
    mg_free(w);
}
