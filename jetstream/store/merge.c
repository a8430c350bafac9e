// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Merging by looking at the head of every run: the smallest (key, age) is next. There are few runs, so this is faster
// than a heap. A head is a row or a gap; a gap counts as its lower end.
//
// A row of run j is given if no newer run has a row with its key (those are skipped with it) or a gap around it. What
// always holds: rows come in strictly ascending order; a row is the newest one, or what is newer could be read nowhere
// and its range was said before.
#include "jetstream/store/merge.h"

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

enum head { HEAD_END, HEAD_ROW, HEAD_GAP };

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
    bool drop_tombstones;
    struct child *current; // whose row was given: it moves with the next call
    struct mg_row row;
    struct mg_run_gap gap;
};

struct mg_merge *mg_merge_new(struct mg_run *const *runs, size_t n, bool drop_tombstones, bool bulk) {
    mg_assert(n <= MG_MERGE_MAX);
    struct mg_merge *m = mg_zalloc(sizeof *m);
    m->children = mg_zalloc((n + 1) * sizeof *m->children);
    m->n = n;
    m->drop_tombstones = drop_tombstones;
    for (size_t i = 0; i < n; i++)
        m->children[i].it = mg_run_iter_new(runs[i], bulk);
    return m;
}

void mg_merge_free(struct mg_merge *m) {
    if (!m) return;
    for (size_t i = 0; i < m->n; i++) {
        mg_run_iter_free(m->children[i].it);
        mg_buf_fini(&m->children[i].until);
    }
    mg_free(m->children);
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

static void advance(struct child *c) { set_head(c, mg_run_iter_next(c->it)); }

// The head to look at next, the newest one of equal keys; NULL at the end.
static struct child *smallest(struct mg_merge *m) {
    struct child *best = NULL;
    for (size_t i = 0; i < m->n; i++) {
        struct child *c = &m->children[i];
        if (c->head != HEAD_END && (!best || mg_key_cmp(c->key, best->key) < 0)) best = c;
    }
    return best;
}

static int give_gap(struct mg_merge *m, struct child *c) {
    const struct mg_run_gap *gap = mg_run_iter_gap(c->it);
    int err = c->err;
    m->gap.low.len = m->gap.high.len = c->until.len = 0;
    mg_buf_add_slice(&m->gap.low, mg_buf_slice(&gap->low));
    mg_buf_add_slice(&m->gap.high, mg_buf_slice(&gap->high));
    mg_buf_add_slice(&c->until, mg_buf_slice(&gap->high));
    m->gap.endless = c->blind_for_ever = gap->endless;
    c->blind = true;
    advance(c);
    return err;
}

// Is there a newer run that cannot say whether it has this key?
static bool doubtful(const struct mg_merge *m, const struct child *c) {
    for (struct child *newer = m->children; newer < c; newer++) {
        if (!newer->blind) continue;
        if (newer->blind_for_ever || mg_key_cmp(c->key, mg_buf_slice(&newer->until)) < 0) return true;
        newer->blind = false; // keys ascend: this gap lies behind
    }
    return false;
}

// Passes over the rows of older runs that have the key of c's head. (c stands: its key is what is compared with.)
static void skip_older(struct mg_merge *m, const struct child *c) {
    for (struct child *older = m->children + (c - m->children) + 1; older < m->children + m->n; older++)
        if (older->head == HEAD_ROW && mg_key_cmp(older->key, c->key) == 0) advance(older);
}

static int next(struct mg_merge *m) {
    struct child *c;
    while ((c = smallest(m)) != NULL) {
        if (c->head == HEAD_GAP) return give_gap(m, c);
        bool skip = doubtful(m, c);
        if (!skip) {
            skip_older(m, c);
            m->row = *mg_run_iter_row(c->it);
            skip = m->row.tombstone && m->drop_tombstones;
        }
        if (!skip) {
            m->current = c;
            return MG_OK;
        }
        advance(c);
    }
    return MG_ENOTFOUND;
}

int mg_merge_seek(struct mg_merge *m, mg_slice key) {
    for (size_t i = 0; i < m->n; i++) {
        m->children[i].blind = false;
        set_head(&m->children[i], mg_run_iter_seek(m->children[i].it, key));
    }
    m->current = NULL;
    return next(m);
}

int mg_merge_next(struct mg_merge *m) {
    if (m->current) advance(m->current);
    m->current = NULL;
    return next(m);
}

// ---- the job

int mg_run_merge(const struct mg_merge_job *job, struct mg_run_builder *b, struct mg_run_summary *out) {
    struct mg_merge *m = mg_merge_new(job->inputs, job->ninputs, job->drop_tombstones, true);
    int err = mg_merge_seek(m, mg_slice_of(NULL, 0));
    for (uint64_t rows = 1; err == MG_OK; rows++) {
        const struct mg_row *row = mg_merge_row(m);
        if (!job->keep || job->keep(job->arg, row)) err = mg_run_builder_add(b, row);
        if (err == MG_OK && rows % 1024 == 0 && job->go_on) err = job->go_on(job->arg);
        if (err == MG_OK) err = mg_merge_next(m);
        else if (err == MG_ENOTFOUND) err = MG_EINVAL; // not the end of the rows
    }
    mg_merge_free(m);
    return err == MG_ENOTFOUND ? mg_run_builder_finish(b, out) : err;
}
