// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The manifest in memory and as bytes. Decoding is strict: lengths must add up, reserved fields are zero, no file has
// two entries, every id has been given out, keys are in order. So what was decoded encodes to the same bytes.
#include "jetstream/store/manifest.h"

#include <stdlib.h>

#include "jetstream/store/run_block.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

// Of all bytes but itself: version and flags, which stand before it, are the seed.
static uint64_t sum_of(const char *p, size_t n) {
    size_t skip = MG_AT(manifest_head, checksum) + 8;
    return XXH3_64bits_withSeed(p + skip, n - skip, mg_get_u64(p + MG_AT(manifest_head, version)));
}

void mg_manifest_fini(struct mg_manifest *m) {
    for (uint32_t i = 0; i < m->nruns; i++) {
        mg_buf_fini(&m->runs[i].min_key);
        mg_buf_fini(&m->runs[i].max_key);
    }
    mg_free(m->runs);
    mg_free(m->segments);
    mg_free(m->intents);
    *m = (struct mg_manifest){0};
}

// Room for one more in an array that grows at powers of two.
static void *grow(void *p, uint32_t n, size_t size) {
    return n & (n - 1) || n == 1 ? p : mg_realloc(p, (n ? (size_t)n * 2 : 2) * size);
}

void mg_manifest_add_run(struct mg_manifest *m, const struct mg_manifest_run *about, mg_slice min_key,
                         mg_slice max_key) {
    m->runs = grow(m->runs, m->nruns, sizeof *m->runs);
    struct mg_manifest_run_entry *e = &m->runs[m->nruns++];
    *e = (struct mg_manifest_run_entry){.about = *about};
    mg_buf_add_slice(&e->min_key, min_key);
    mg_buf_add_slice(&e->max_key, max_key);
    e->about.min_length = (uint32_t)min_key.n;
    e->about.max_length = (uint32_t)max_key.n;
}

void mg_manifest_add_segment(struct mg_manifest *m, const struct mg_manifest_segment *segment) {
    m->segments = grow(m->segments, m->nsegments, sizeof *m->segments);
    m->segments[m->nsegments++] = *segment;
}

void mg_manifest_add_intent(struct mg_manifest *m, uint64_t job, uint64_t first, uint32_t count) {
    m->intents = grow(m->intents, m->nintents, sizeof *m->intents);
    m->intents[m->nintents++] = (struct mg_manifest_intent){job, first, count, 0};
}

bool mg_manifest_remove_run(struct mg_manifest *m, uint64_t file) {
    for (uint32_t i = 0; i < m->nruns; i++) {
        if (m->runs[i].about.file != file) continue;
        mg_buf_fini(&m->runs[i].min_key);
        mg_buf_fini(&m->runs[i].max_key);
        memmove(&m->runs[i], &m->runs[i + 1], (m->nruns - i - 1) * sizeof *m->runs);
        m->nruns--;
        return true;
    }
    return false;
}

bool mg_manifest_remove_segment(struct mg_manifest *m, uint64_t file) {
    for (uint32_t i = 0; i < m->nsegments; i++) {
        if (m->segments[i].file != file) continue;
        memmove(&m->segments[i], &m->segments[i + 1], (m->nsegments - i - 1) * sizeof *m->segments);
        m->nsegments--;
        return true;
    }
    return false;
}

bool mg_manifest_remove_intent(struct mg_manifest *m, uint64_t job) {
    for (uint32_t i = 0; i < m->nintents; i++) {
        if (m->intents[i].job != job) continue;
        memmove(&m->intents[i], &m->intents[i + 1], (m->nintents - i - 1) * sizeof *m->intents);
        m->nintents--;
        return true;
    }
    return false;
}

// ---- writing

void mg_manifest_encode(const struct mg_manifest *m, struct mg_buf *out) {
    size_t start = out->len;
    char head[MG_MANIFEST_HEAD_SIZE], p[64];
    mg_buf_add(out, memset(head, 0, sizeof head), sizeof head);
    for (uint32_t i = 0; i < m->nruns; i++) {
        mg_manifest_run_pack(p, &m->runs[i].about);
        mg_buf_add(out, p, MG_MANIFEST_RUN_SIZE);
        mg_buf_add_slice(out, mg_buf_slice(&m->runs[i].min_key));
        mg_buf_add_slice(out, mg_buf_slice(&m->runs[i].max_key));
    }
    for (uint32_t i = 0; i < m->nsegments; i++) {
        mg_manifest_segment_pack(p, &m->segments[i]);
        mg_buf_add(out, p, MG_MANIFEST_SEGMENT_SIZE);
    }
    for (uint32_t i = 0; i < m->nintents; i++) {
        mg_manifest_intent_pack(p, &m->intents[i]);
        mg_buf_add(out, p, MG_MANIFEST_INTENT_SIZE);
    }
    struct mg_manifest_head h = m->head;
    h.magic = MG_MANIFEST_MAGIC;
    h.version = MG_MANIFEST_VERSION;
    h.length = out->len - start;
    h.runs = m->nruns;
    h.segments = m->nsegments;
    h.intents = m->nintents;
    mg_manifest_head_pack(out->p + start, &h);
    h.checksum = sum_of(out->p + start, out->len - start);
    mg_manifest_head_pack(out->p + start, &h);
}

// ---- reading

struct reader {
    const char *p;
    size_t left;
};

static const char *take(struct reader *r, size_t n) {
    if (n > r->left) return NULL;
    const char *p = r->p;
    r->p += n;
    r->left -= n;
    return p;
}

static bool read_run(struct mg_manifest *m, struct reader *r) {
    struct mg_manifest_run run;
    const char *p = take(r, MG_MANIFEST_RUN_SIZE);
    if (!p) return false;
    mg_manifest_run_unpack(&run, p);
    if (run.min_length > MG_ROW_KEY_MAX || run.max_length > MG_ROW_KEY_MAX) return false;
    const char *low = take(r, run.min_length), *high = low ? take(r, run.max_length) : NULL;
    if (!high) return false;
    mg_slice min_key = mg_slice_of(low, run.min_length), max_key = mg_slice_of(high, run.max_length);
    if (run.flags & ~(uint32_t)MG_MANIFEST_RUN_PRIMARY || mg_key_cmp(min_key, max_key) > 0) return false;
    mg_manifest_add_run(m, &run, min_key, max_key);
    return true;
}

static bool read_body(struct mg_manifest *m, struct reader *r, const struct mg_manifest_head *head) {
    for (uint32_t i = 0; i < head->runs; i++)
        if (!read_run(m, r)) return false;
    for (uint32_t i = 0; i < head->segments; i++) {
        struct mg_manifest_segment s;
        const char *p = take(r, MG_MANIFEST_SEGMENT_SIZE);
        if (!p) return false;
        mg_manifest_segment_unpack(&s, p);
        mg_manifest_add_segment(m, &s);
    }
    for (uint32_t i = 0; i < head->intents; i++) {
        struct mg_manifest_intent n;
        const char *p = take(r, MG_MANIFEST_INTENT_SIZE);
        if (!p) return false;
        mg_manifest_intent_unpack(&n, p);
        if (n.reserved || n.first > head->next_file || n.count > head->next_file - n.first) return false;
        mg_manifest_add_intent(m, n.job, n.first, n.count);
    }
    return r->left == 0;
}

static int by_id(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

// Every file has one entry and an id that has been given out.
static bool ids_ok(const struct mg_manifest *m) {
    size_t n = (size_t)m->nruns + m->nsegments;
    uint64_t *ids = mg_alloc((n + 1) * sizeof *ids);
    for (uint32_t i = 0; i < m->nruns; i++)
        ids[i] = m->runs[i].about.file;
    for (uint32_t i = 0; i < m->nsegments; i++)
        ids[m->nruns + i] = m->segments[i].file;
    qsort(ids, n, sizeof *ids, by_id);
    bool ok = n == 0 || ids[n - 1] < m->head.next_file;
    for (size_t i = 1; i < n; i++)
        ok = ok && ids[i] != ids[i - 1];
    mg_free(ids);
    return ok;
}

int mg_manifest_decode(struct mg_manifest *m, const void *p, size_t n) {
    struct mg_manifest_head head;
    if (n < MG_MANIFEST_HEAD_SIZE) return MG_ECORRUPT;
    mg_manifest_head_unpack(&head, p);
    if (head.magic != MG_MANIFEST_MAGIC || head.length < MG_MANIFEST_HEAD_SIZE || head.length > n) return MG_ECORRUPT;
    if (sum_of(p, head.length) != head.checksum && !MG_PLANTED(unchecked_slot)) return MG_ECORRUPT;
    if (head.version != MG_MANIFEST_VERSION) return head.version > MG_MANIFEST_VERSION ? MG_EUNSUPPORTED : MG_ECORRUPT;
    if (head.flags & ~(uint32_t)MG_MANIFEST_MARKED || head.reserved) return MG_ECORRUPT;
    m->head = head;
    struct reader r = {(const char *)p + MG_MANIFEST_HEAD_SIZE, head.length - MG_MANIFEST_HEAD_SIZE};
    if (read_body(m, &r, &head) && ids_ok(m)) return MG_OK;
    mg_manifest_fini(m);
    return MG_ECORRUPT;
}
