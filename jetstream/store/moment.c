// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/moment.h"

#include "jetstream/store/merge.h"
#include "jetstream/store/store_impl.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

void mg_moment_take(struct mg_moment *m, struct mg_store *st) {
    const struct mg_keeper *k = st->keeping;
    *m = (struct mg_moment){.runs = mg_runset_ref(st->runs)};
    m->segments = mg_alloc((k->segments_len + 1u) * sizeof(struct mg_segment_ref *));
    for (; m->segments_len < k->segments_len; m->segments_len++)
        m->segments[m->segments_len] = mg_segment_ref_get(k->segments[m->segments_len]);
}

void mg_moment_end(struct mg_moment *m) {
    for (uint32_t i = 0; i < m->segments_len; i++) mg_segment_ref_put(m->segments[i]);
    mg_free(m->segments);
    mg_runset_unref(m->runs);
}

static struct mg_segment_ref *segment_of(const struct mg_moment *m, uint64_t id) {
    uint32_t lo = 0, hi = m->segments_len;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (m->segments[mid]->id < id) lo = mid + 1;
        else hi = mid;
    }
    return lo < m->segments_len && m->segments[lo]->id == id ? m->segments[lo] : NULL;
}

int mg_moment_stretches(const struct mg_moment *m, uint64_t stream, struct mg_stretch **out, uint32_t *n) {
    struct mg_merge *rows = mg_runset_merge(m->runs, true, false);
    char from[MG_ROW_KEY_HEAD];
    mg_row_key_head(from, MG_ROW_STRETCH, stream);
    *n = 0;
    *out = NULL;
    int err = rows ? mg_merge_seek(rows, mg_slice_of(from, sizeof(from))) : MG_ENOTFOUND;
    for (; err == 0; err = mg_merge_next(rows)) {
        const struct mg_row *r = mg_merge_row(rows);
        struct mg_stretch c;
        uint64_t id;
        if (r->key.n < sizeof(from) || memcmp(r->key.p, from, sizeof(from)) != 0) break;
        err = mg_stretch_decode(r->key, r->value, &id, &c);
        if (err) break;
        c.segment = segment_of(m, id);
        *out = mg_realloc(*out, (*n + 1) * sizeof(**out));
        (*out)[(*n)++] = c;
    }
    if (rows) mg_merge_free(rows);
    return err == MG_ENOTFOUND ? 0 : err;
}
