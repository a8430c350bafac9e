// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Merging by a heap of the heads of all runs: the smallest (key, age) is next. A head is a row or a gap; a gap counts
// as its lower end. The run whose row was given last is not in the heap: it moves with the next call.
//
// A row of run j is given if no newer run has a row with its key (those are skipped with it) or a gap around it. What
// always holds: rows come in strictly ascending order; a row is the newest one, or what is newer could be read nowhere
// and its range was said before.
#include "jetstream/store/merge.h"

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

enum head { HEAD_END, HEAD_ROW, HEAD_GAP };

#define AHEAD_ALL (8u * 1024 * 1024) // read ahead, all runs together
#define AHEAD_MIN (32u * 1024)       // a run
#define AHEAD_MAX (1024u * 1024)

struct child {
    struct mg_run_iter *it;
    enum head head;
    int err;       // of a gap
    mg_slice key;  // of the head
    bool blind;    // its keys up to `until` are unknown
    bool blind_for_ever;
    struct mg_buf until;
};

struct mg_merge {
    struct child *children; // newest first
    size_t n;
    struct child **heap;   // those that have a head
    size_t heap_len;
    size_t blind;          // children that are
    bool drop_tombstones;
    struct child *current; // whose row was given: it moves with the next call
    struct mg_row row;
    struct mg_run_gap gap;
};

struct mg_merge *mg_merge_new(struct mg_run *const *runs, size_t n, bool drop_tombstones, bool bulk) {
    struct mg_merge *m = mg_zalloc(sizeof *m);
    size_t ahead = AHEAD_ALL / (n + 1);
    if (ahead > AHEAD_MAX) ahead = AHEAD_MAX;
    if (ahead < AHEAD_MIN) ahead = AHEAD_MIN;
    m->children = mg_zalloc((n + 1) * sizeof *m->children);
    m->heap = mg_alloc((n + 1) * sizeof(struct child *));
    m->n = n;
    m->drop_tombstones = drop_tombstones;
    for (size_t i = 0; i < n; i++) {
        m->children[i].it = mg_run_iter_new(runs[i], bulk);
        mg_run_iter_ahead(m->children[i].it, ahead);
    }
    return m;
}

void mg_merge_free(struct mg_merge *m) {
    if (!m) return;
    for (size_t i = 0; i < m->n; i++) {
        mg_run_iter_free(m->children[i].it);
        mg_buf_fini(&m->children[i].until);
    }
    mg_free(m->children);
    mg_free(m->heap);
    mg_buf_fini(&m->gap.low);
    mg_buf_fini(&m->gap.high);
    mg_free(m);
}

const struct mg_row *mg_merge_row(const struct mg_merge *m) { return &m->row; }
const struct mg_run_gap *mg_merge_gap(const struct mg_merge *m) { return &m->gap; }

static void set_head(struct child *c, int err) {
    c->err = err;
    if (err == MG_OK) {
        c->head = HEAD_ROW;
        c->key = mg_run_iter_row(c->it)->key;
    } else if (err == MG_ENOTFOUND) {
        c->head = HEAD_END;
    } else {
        c->head = HEAD_GAP;
        c->key = mg_buf_slice(&mg_run_iter_gap(c->it)->low);
    }
}

// ---- the heap

static bool goes_before(const struct child *a, const struct child *b) {
    int order = mg_key_cmp(a->key, b->key);
    return order < 0 || (order == 0 && a < b); // of equal keys the newest
}

static void sink(struct mg_merge *m, size_t i) {
    struct child *c = m->heap[i];
    for (size_t k; (k = 2 * i + 1) < m->heap_len; i = k) {
        if (k + 1 < m->heap_len && goes_before(m->heap[k + 1], m->heap[k])) k++;
        if (!goes_before(m->heap[k], c)) break;
        m->heap[i] = m->heap[k];
    }
    m->heap[i] = c;
}

static void heap_add(struct mg_merge *m, struct child *c) {
    if (c->head == HEAD_END) return;
    size_t i = m->heap_len++;
    for (; i > 0 && goes_before(c, m->heap[(i - 1) / 2]); i = (i - 1) / 2) m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = c;
}

static void heap_drop_first(struct mg_merge *m) {
    m->heap[0] = m->heap[--m->heap_len];
    if (m->heap_len) sink(m, 0);
}

// Moves the first one on.
static void advance_first(struct mg_merge *m) {
    struct child *c = m->heap[0];
    set_head(c, mg_run_iter_next(c->it));
    if (c->head == HEAD_END) heap_drop_first(m);
    else sink(m, 0);
}

// ---- rows and gaps

static int give_gap(struct mg_merge *m) {
    struct child *c = m->heap[0];
    const struct mg_run_gap *gap = mg_run_iter_gap(c->it);
    int err = c->err;
    m->gap.low.len = m->gap.high.len = c->until.len = 0;
    mg_buf_add_slice(&m->gap.low, mg_buf_slice(&gap->low));
    mg_buf_add_slice(&m->gap.high, mg_buf_slice(&gap->high));
    mg_buf_add_slice(&c->until, mg_buf_slice(&gap->high));
    m->gap.endless = c->blind_for_ever = gap->endless;
    m->blind += !c->blind;
    c->blind = true;
    advance_first(m);
    return err;
}

// Is there a newer run that cannot say whether it has this key?
static bool doubtful(struct mg_merge *m, const struct child *c) {
    for (struct child *newer = m->children; newer < c && m->blind > 0; newer++) {
        if (!newer->blind) continue;
        if (newer->blind_for_ever || mg_key_cmp(c->key, mg_buf_slice(&newer->until)) < 0) return true;
        newer->blind = false; // keys ascend: this gap lies behind
        m->blind--;
    }
    return false;
}

// Passes over the rows of older runs that have the key of c's head: they come next. (c is not in the heap and stands:
// its key is what is compared with. Behind a gap there may be one more; the gap makes it doubtful.)
static void skip_older(struct mg_merge *m, const struct child *c) {
    while (m->heap_len && m->heap[0]->head == HEAD_ROW && mg_key_cmp(m->heap[0]->key, c->key) == 0)
        advance_first(m);
}

static int next(struct mg_merge *m) {
    while (m->heap_len) {
        struct child *c = m->heap[0];
        if (c->head == HEAD_GAP) return give_gap(m);
        if (doubtful(m, c)) {
            advance_first(m);
            continue;
        }
        heap_drop_first(m);
        skip_older(m, c);
        m->row = *mg_run_iter_row(c->it);
        m->current = c;
        if (!m->row.tombstone || !m->drop_tombstones) return MG_OK;
        set_head(c, mg_run_iter_next(c->it));
        heap_add(m, c);
    }
    m->current = NULL;
    return MG_ENOTFOUND;
}

int mg_merge_seek(struct mg_merge *m, mg_slice key) {
    m->heap_len = m->blind = 0;
    m->current = NULL;
    for (size_t i = 0; i < m->n; i++) {
        m->children[i].blind = false;
        set_head(&m->children[i], mg_run_iter_seek(m->children[i].it, key));
        heap_add(m, &m->children[i]);
    }
    return next(m);
}

int mg_merge_next(struct mg_merge *m) {
    struct child *c = m->current;
    m->current = NULL;
    if (c) {
        set_head(c, mg_run_iter_next(c->it));
        heap_add(m, c);
    }
    return next(m);
}

// ---- the job

int mg_run_merge(const struct mg_merge_job *job, struct mg_run_builder *b, struct mg_run_summary *out) {
    struct mg_merge *m = mg_merge_new(job->inputs, job->ninputs, job->drop_tombstones, true);
    int err = mg_merge_seek(m, mg_slice_of(NULL, 0));
    const uint32_t every = job->every ? job->every : 1024;
    for (uint64_t rows = 1; err == MG_OK; rows++) {
        const struct mg_row *row = mg_merge_row(m);
        if (!job->keep || job->keep(job->arg, row)) err = mg_run_builder_add(b, row);
        if (err == MG_OK && rows % every == 0 && job->go_on) err = job->go_on(job->arg);
        if (err == MG_OK) err = mg_merge_next(m);
        else if (err == MG_ENOTFOUND) err = MG_EINVAL; // not the end of the rows
    }
    mg_merge_free(m);
    return err == MG_ENOTFOUND ? mg_run_builder_finish(b, out) : err;
}
