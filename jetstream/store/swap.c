// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/swap.h"

#include "jetstream/store/stream.h"
#include "jetstream/store/worker.h"
#include "server/base/assert.h"
#include "server/base/mem.h"

// The group that covers a stretch of an old segment.
static uint32_t group_of(const struct mg_swap_group *groups, uint32_t n, uint64_t seq) {
    uint32_t i = 0;
    while (i < n && groups[i].to < seq) i++;
    mg_assert(i < n && groups[i].from <= seq);
    return i;
}

// Takes the old stretches out; live[i] becomes how many messages live in what group i replaces. That is exact: what was
// removed since the new segment was written was counted off here.
static void take_out(struct mg_stream *s, const struct mg_swap *w, const struct mg_swap_group *groups, uint32_t n,
                     uint64_t *live) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->cold_len; i++) {
        struct mg_stretch *c = &s->cold[i];
        if (!mg_ids_have(w->old, w->old_len, c->segment->id)) {
            s->cold[kept++] = *c;
            continue;
        }
        live[group_of(groups, n, c->first_seq)] += c->live;
        mg_segment_ref_put(c->segment);
    }
    s->part->stretches -= s->cold_len - kept;
    s->cold_len = kept;
}

static void put_in(struct mg_stream *s, const struct mg_swap_group *g, uint64_t live) {
    struct mg_stretch c = mg_stretch_of(mg_segment_ref_get(g->segment), g->section, &g->at);
    c.live = (uint32_t)g->row_live;
    mg_stretch_set_live(&c, live);
    mg_stream_add_stretch(s, &c);
    uint32_t i = s->cold_len - 1;
    for (; i > 0 && s->cold[i - 1].first_seq > c.first_seq; i--) s->cold[i] = s->cold[i - 1];
    s->cold[i] = c;
    if (i > 0) mg_assert(s->cold[i - 1].last_seq < c.first_seq);
}

static void swap_stream(struct mg_stream *s, const struct mg_swap *w, const struct mg_swap_group *groups, uint32_t n) {
    uint64_t *live = mg_zalloc(n * sizeof(*live));
    take_out(s, w, groups, n, live);
    for (uint32_t i = 0; i < n; i++) {
        if (groups[i].segment) put_in(s, &groups[i], live[i]);
    }
    mg_free(live);
}

// The stream's groups; how many of its stretches were looked at.
static uint32_t swap_next(struct mg_swap *w) {
    uint64_t id = w->groups[w->at].stream;
    uint32_t from = w->at;
    while (w->at < w->groups_len && w->groups[w->at].stream == id) w->at++;
    struct mg_stream *s = mg_part_stream(w->part, id);
    if (s == NULL || s->deleted) return 0;
    swap_stream(s, w, &w->groups[from], w->at - from);
    return s->cold_len;
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
        if (mg_part_spent(p, 1 + swap_next(w) / 64)) return true;
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
    mg_free(w->old);
    mg_free(w);
}
