// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A naive model of the subject index, for the unit test and the fuzz target: an array of subscriptions, each compared
// with the subject on its own. Disagreement is an assertion.
#ifndef MG_TEST_SUBLIST_MODEL_H
#define MG_TEST_SUBLIST_MODEL_H

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/proto/subject.h"
#include "server/router/sublist.h"

struct model {
    struct mg_sublist *sl;
    struct mg_sub **subs; // owned
    size_t n, cap;
    uint64_t stamp; // marks what a result has shown (in mg_sub.delivered)
};

static inline struct mg_sub *model_sub_new(mg_slice subject, mg_slice queue) {
    struct mg_sub *s = mg_zalloc(sizeof *s + mg_sub_size(subject.n, queue.n, 1));
    s->subject_len = (uint16_t)subject.n;
    s->queue_len = (uint16_t)queue.n;
    s->sid_len = 1;
    memcpy(s->text, subject.p, subject.n);
    if (queue.n > 0) memcpy(s->text + subject.n, queue.p, queue.n);
    s->text[subject.n + queue.n] = '1';
    return s;
}

// Subscriptions of exactly this subject and queue.
static inline uint32_t model_members(const struct model *m, mg_slice subject, mg_slice queue) {
    uint32_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        n += mg_slice_eq(mg_sub_subject(m->subs[i]), subject) && mg_slice_eq(mg_sub_queue(m->subs[i]), queue);
    return n;
}

static inline struct mg_sub *model_insert(struct model *m, mg_slice subject, mg_slice queue) {
    if (m->n == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 64;
        m->subs = mg_realloc(m->subs, m->cap * sizeof *m->subs);
    }
    struct mg_sub *s = m->subs[m->n++] = model_sub_new(subject, queue);
    struct mg_sub_change c;
    mg_sublist_insert(m->sl, s, &c);
    uint32_t now = model_members(m, subject, queue);
    mg_assert(c.first_plain == (queue.n == 0 && now == 1) && !c.last_plain);
    mg_assert(c.queue_members == (queue.n == 0 ? 0 : now));
    mg_assert(mg_sublist_count(m->sl) == m->n);
    return s;
}

static inline void model_remove(struct model *m, size_t i) {
    struct mg_sub *s = m->subs[i];
    m->subs[i] = m->subs[--m->n];
    struct mg_sub_change c;
    mg_sublist_remove(m->sl, s, &c);
    uint32_t left = model_members(m, mg_sub_subject(s), mg_sub_queue(s));
    mg_assert(c.last_plain == (s->queue_len == 0 && left == 0) && !c.first_plain);
    mg_assert(c.queue_members == (s->queue_len == 0 ? 0 : left));
    mg_assert(s->node == NULL && mg_sublist_count(m->sl) == m->n);
    mg_free(s);
}

static inline void model_mark(struct model *m, struct mg_sub *s, mg_slice subject, mg_slice queue) {
    mg_assert(s->delivered != m->stamp); // shown once
    s->delivered = m->stamp;
    mg_assert(mg_slice_eq(mg_sub_queue(s), queue));
    mg_assert(mg_subject_match(subject, mg_sub_subject(s)));
}

// Is `r` exactly what the model says about the subject?
static inline void model_compare(struct model *m, mg_slice subject, const struct mg_match *r) {
    size_t plain = 0, queued = 0, shown = 0;
    for (size_t i = 0; i < m->n; i++) {
        if (!mg_subject_match(subject, mg_sub_subject(m->subs[i]))) continue;
        if (m->subs[i]->queue_len > 0)
            queued++;
        else
            plain++;
    }
    m->stamp++;
    mg_assert(r->nplain == plain && mg_match_empty(r) == (plain + queued == 0));
    for (uint32_t i = 0; i < r->nplain; i++)
        model_mark(m, r->plain[i], subject, MG_S(""));
    for (uint32_t g = 0; g < r->ngroups; g++) {
        mg_assert(r->groups[g].n > 0);
        for (uint32_t h = 0; h < g; h++)
            mg_assert(!mg_slice_eq(r->groups[g].name, r->groups[h].name));
        for (uint32_t i = 0; i < r->groups[g].n; i++)
            model_mark(m, r->groups[g].subs[i], subject, r->groups[g].name);
        shown += r->groups[g].n;
    }
    mg_assert(shown == queued);
}

static inline void model_check(struct model *m, mg_slice subject) {
    model_compare(m, subject, mg_sublist_match(m->sl, subject));
}

static inline void model_init(struct model *m, uint64_t seed, size_t cache_max) {
    *m = (struct model){.sl = mg_sublist_new(seed, cache_max)};
}

static inline void model_fini(struct model *m) {
    mg_sublist_free(m->sl);
    for (size_t i = 0; i < m->n; i++) {
        mg_assert(m->subs[i]->node == NULL);
        mg_free(m->subs[i]);
    }
    mg_free(m->subs);
}

#endif
