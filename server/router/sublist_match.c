// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// From a published subject to its subscribers, in the order of cost:
//
// 1. The cache has it: one probe.
// 2. The trie is empty (only literals and `prefix.*` are subscribed): two probes, and unless both hit, the result is
//    the node itself.
// 3. Otherwise the patterns are collected (index.c). None or one: again nothing to build. More: merge. If the subject
//    was seen before, the result goes into the cache, also when it is "nobody" or a single node.
//
// The merge copies pointers only where it must: when just one pattern has plain subscriptions, the result points to
// that node's array, and a group that only one pattern names stays where it is. The same queue name at several
// patterns is one group (spec/client-protocol.md A9): names are sorted, neighbours joined.
//
//     | struct mg_sresult | struct mg_qmatch [groups] | struct mg_sub * [copies] | subject, if cached |
//
// Lifetime. A result must outlive the next MG_MATCH_KEEP matches. Nodes and cached results do so by themselves, except
// that a cached one may be evicted. So what leaves the cache, and what was never in it, waits in a list stamped with
// the number of the match; a later merge frees what is old enough, or builds in it.
// A caller may also remember a result (mg_sublist_generation) and use it again without a match. So the generation
// moves when a result is evicted, and when the next walk begins after one that was not cached; that moment stamps it.
#include <stdlib.h>

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/router/sublist_impl.h"

enum { REUSE_MAX = 16384 }; // larger retired blocks are freed instead of being built in again

void mg_sublist_match_init(struct mg_sublist *sl) { sl->retired_end = &sl->retired; }

void mg_sublist_match_fini(struct mg_sublist *sl) {
    while (sl->retired != NULL) {
        struct mg_sresult *r = sl->retired;
        sl->retired = r->next;
        mg_free(r);
    }
    mg_free(sl->uncached);
    mg_free(sl->refs);
}

// ---- blocks ----------------------------------------------------------------------------------------------------

// From now on r is only good for those who hold it.
static void retire(struct mg_sublist *sl, struct mg_sresult *r) {
    r->retired = sl->matches;
    r->next = NULL;
    *sl->retired_end = r;
    sl->retired_end = &r->next;
}

// A block of at least `size` bytes, an old one if that fits; of just `size` if it is for the cache, which has a budget.
// Frees what nobody can hold any more.
static struct mg_sresult *block_new(struct mg_sublist *sl, size_t size, bool cached) {
    struct mg_sresult *r;
    while ((r = sl->retired) != NULL && sl->matches - r->retired > MG_MATCH_KEEP) {
        sl->retired = r->next;
        if (sl->retired == NULL) sl->retired_end = &sl->retired;
        if (!cached && r->c.size >= size && r->c.size <= REUSE_MAX) return r;
        mg_free(r);
    }
    r = mg_alloc(size);
    r->c.size = size;
    return r;
}

// ---- merging ---------------------------------------------------------------------------------------------------

// What a merge will need, counted before the block is allocated.
struct plan {
    const struct mg_match *plain; // the only node with plain subscriptions; NULL if there are more
    size_t nplain;                // in all nodes
    size_t nrefs;                 // entries of sl->refs, sorted by name
    size_t ngroups;               // distinct names among them
    size_t copies;                // pointers to copy
};

static const struct mg_match *hit(const struct mg_sublist *sl, size_t i) {
    return &((const struct mg_snode *)sl->ix.hits.v[i])->m;
}

static int by_name(const void *a, const void *b) {
    mg_slice x = ((const struct mg_qmatch *)a)->name, y = ((const struct mg_qmatch *)b)->name;
    if (x.n != y.n) return x.n < y.n ? -1 : 1;
    return memcmp(x.p, y.p, x.n);
}

static void collect_groups(struct mg_sublist *sl, size_t n) {
    if (n > sl->refs_cap) {
        sl->refs_cap = n * 2;
        mg_free(sl->refs);
        sl->refs = mg_alloc(sl->refs_cap * sizeof *sl->refs);
    }
    size_t k = 0;
    for (size_t i = 0; i < sl->ix.hits.n; i++) {
        const struct mg_match *m = hit(sl, i);
        if (m->ngroups > 0) memcpy(sl->refs + k, m->groups, m->ngroups * sizeof *m->groups);
        k += m->ngroups;
    }
    if (n > 1) qsort(sl->refs, n, sizeof *sl->refs, by_name);
}

// The run of refs from i on that have the same name: its end, and the members in it.
static size_t run_end(const struct mg_sublist *sl, size_t nrefs, size_t i, size_t *members) {
    size_t j = i;
    *members = 0;
    do {
        *members += sl->refs[j++].n;
    } while (j < nrefs && mg_slice_eq(sl->refs[i].name, sl->refs[j].name));
    return j;
}

static void make_plan(struct mg_sublist *sl, struct plan *p) {
    *p = (struct plan){0};
    for (size_t i = 0; i < sl->ix.hits.n; i++) {
        const struct mg_match *m = hit(sl, i);
        if (m->nplain > 0) p->plain = p->nplain == 0 ? m : NULL;
        p->nplain += m->nplain;
        p->nrefs += m->ngroups;
    }
    if (p->plain == NULL) p->copies = p->nplain;
    if (p->nrefs == 0) return;
    collect_groups(sl, p->nrefs);
    for (size_t i = 0, members; i < p->nrefs; p->ngroups++) {
        size_t end = run_end(sl, p->nrefs, i, &members);
        if (end > i + 1) p->copies += members;
        i = end;
    }
}

static struct mg_sub **copy_subs(struct mg_sub **to, struct mg_sub *const *from, size_t n) {
    if (n > 0) memcpy(to, from, n * sizeof *to);
    return to + n;
}

static struct mg_sub **merge_groups(struct mg_sublist *sl, const struct plan *p, struct mg_qmatch *groups,
                                    struct mg_sub **copies) {
    for (size_t i = 0, g = 0, members; i < p->nrefs; g++) {
        size_t end = run_end(sl, p->nrefs, i, &members);
        groups[g] = sl->refs[i];
        if (end > i + 1) {
            mg_assert(members <= UINT32_MAX);
            groups[g].subs = copies;
            groups[g].n = (uint32_t)members;
            for (size_t j = i; j < end; j++)
                copies = copy_subs(copies, sl->refs[j].subs, sl->refs[j].n);
        }
        i = end;
    }
    return copies;
}

// Fills r->own from the hits; returns the end of what was used of the block.
static char *merge(struct mg_sublist *sl, const struct plan *p, struct mg_sresult *r) {
    struct mg_qmatch *groups = (struct mg_qmatch *)(r + 1);
    struct mg_sub **copies = (struct mg_sub **)(groups + p->ngroups);
    mg_assert(p->nplain <= UINT32_MAX);
    r->own = (struct mg_match){p->plain ? p->plain->plain : copies, (uint32_t)p->nplain, (uint32_t)p->ngroups, groups};
    for (size_t i = 0; p->plain == NULL && i < sl->ix.hits.n; i++)
        copies = copy_subs(copies, hit(sl, i)->plain, hit(sl, i)->nplain);
    copies = merge_groups(sl, p, groups, copies);
    r->match = &r->own;
    return (char *)copies;
}

// ---- the match -------------------------------------------------------------------------------------------------

static void cache_put(struct mg_sublist *sl, struct mg_sresult *r, mg_slice subject, uint64_t hash, char *text) {
    memcpy(text, subject.p, subject.n);
    r->c.subject = text;
    r->c.subject_len = subject.n;
    uint64_t prefix_hash = mg_index_hash(&sl->ix, mg_index_prefix_of(subject));
    struct mg_rcached *out = mg_rcache_put(&sl->ix.cache, hash, prefix_hash, &r->c);
    while (out != NULL) {
        struct mg_rcached *next = out->next;
        retire(sl, (struct mg_sresult *)out);
        sl->generation++;
        out = next;
    }
}

// The result that was built last without going into the cache: until now it could be remembered and used.
static void end_memo(struct mg_sublist *sl) {
    if (sl->uncached == NULL) return;
    retire(sl, sl->uncached);
    sl->uncached = NULL;
    sl->generation++;
}

static const struct mg_match *match_slow(struct mg_sublist *sl, mg_slice subject, uint64_t hash) {
    sl->slow++;
    end_memo(sl);
    mg_index_match(&sl->ix, subject, hash);
    size_t n = sl->ix.hits.n;
    struct plan p = {0};
    if (n > 1) make_plan(sl, &p);
    size_t size = sizeof(struct mg_sresult) + p.ngroups * sizeof(struct mg_qmatch) + p.copies * sizeof(struct mg_sub *);
    bool cached = subject.n > 0 && mg_rcache_admits(&sl->ix.cache, hash, size + subject.n);
    if (n <= 1 && !cached) return n == 0 ? &sl->none : hit(sl, 0);

    struct mg_sresult *r = block_new(sl, size + (cached ? subject.n : 0), cached);
    char *end = (char *)(r + 1);
    if (n > 1)
        end = merge(sl, &p, r);
    else
        r->match = n == 0 ? &sl->none : hit(sl, 0);
    if (cached)
        cache_put(sl, r, subject, hash, end);
    else
        sl->uncached = r;
    return r->match;
}

static inline const struct mg_match *match(struct mg_sublist *sl, mg_slice subject) {
    uint64_t hash = mg_index_hash(&sl->ix, subject);
    const struct mg_rcached *c = mg_rcache_get(&sl->ix.cache, hash, subject);
    if (c != NULL) return ((const struct mg_sresult *)c)->match;
    if (sl->ix.trie.count > 0) return match_slow(sl, subject, hash);
    const struct mg_ixentry *literal = mg_index_literal(&sl->ix, subject, hash);
    const struct mg_ixentry *prefix = mg_index_prefix(&sl->ix, subject);
    if (literal != NULL && prefix != NULL) return match_slow(sl, subject, hash);
    if (literal == NULL) literal = prefix;
    return literal != NULL ? &((const struct mg_snode *)literal)->m : &sl->none;
}

const struct mg_match *mg_sublist_match(struct mg_sublist *sl, mg_slice subject) {
    sl->matches++;
    const struct mg_match *m = match(sl, subject);
    uint64_t fanout = (uint64_t)m->nplain + m->ngroups;
    sl->fanout_sum += fanout;
    if (fanout > sl->max_fanout) sl->max_fanout = fanout;
    return m;
}
