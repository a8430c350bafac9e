// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The same index as the subscriptions' (index.c), with other entries: what hangs at a pattern is a mask and, rarely,
// queue groups with weights.
//
//     node  | entry | plain mask | groups, ngroups, cap | "orders.eu.new" |
//                                     |
//                                     +-> array of {name, weights, n}
//                                                    |      +-> array of {shard, members}, sorted by shard
//                                                    +-> text of the struct group, found by (node, name)
//
// A literal costs 40 bytes, its text and about 30 of table slot: a million announced patterns fit in 100 MB.
//
// A match is an OR of the masks of the patterns that match. Where only one of them has groups, its array is the
// answer; else weights are added up by name into scratch. The cache remembers the mask and *which nodes* have groups,
// never the weights, so members may come and go without making anything stale.
//
// What always holds: a node has a bit in its mask or a group; a group has a weight; a weight is at least 1.
#include "server/router/interest.h"

#include <stdlib.h>

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/router/index.h"

// One pattern. Owner: the index. Lives while a shard is interested.
struct inode {
    struct mg_ixentry e;
    uint64_t plain;
    struct mg_igroup *groups;
    uint32_t ngroups, cap;
};

// Finds a group of a node by its name, and holds the name. Owner: the table `groups`.
struct group {
    struct inode *node;
    uint32_t idx; // in node->groups
    uint32_t name_len;
    char name[];
};

// A cached result: a block of the cache, the subject behind the nodes.
struct iresult {
    struct mg_rcached c;
    uint64_t plain;
    size_t nqueues;
    struct inode *queues[]; // the nodes that match and have groups
};

struct mg_interest {
    struct mg_index ix;
    struct mg_table groups;    // (node, queue name) -> struct group
    uint64_t generation;
    struct mg_igroup *refs;    // scratch of the merge: groups of all nodes, then joined
    size_t refs_cap;
    struct mg_iweight *weights; // scratch: the joined weights
    size_t weights_cap;
};

// ---- queue groups ----------------------------------------------------------------------------------------------

struct group_key {
    const struct inode *node;
    mg_slice name;
};

static inline bool group_eq(const void *val, const void *key) {
    const struct group *g = val;
    const struct group_key *k = key;
    return g->node == k->node && mg_slice_eq((mg_slice){g->name, g->name_len}, k->name);
}

static uint64_t group_hash(const struct mg_interest *ix, const struct inode *node, mg_slice name) {
    return mg_hash_mix(mg_index_hash(&ix->ix, name), (uintptr_t)node);
}

static struct group *group_find(const struct mg_interest *ix, const struct inode *node, mg_slice name) {
    struct group_key key = {node, name};
    return mg_table_find(&ix->groups, group_hash(ix, node, name), group_eq, &key);
}

static struct group *group_new(struct mg_interest *ix, struct inode *node, mg_slice name) {
    if (node->ngroups == node->cap) {
        mg_assert(node->cap < UINT32_MAX / 2);
        node->cap = node->cap ? node->cap * 2 : 1;
        node->groups = mg_realloc(node->groups, node->cap * sizeof *node->groups);
    }
    struct group *g = mg_alloc(sizeof *g + name.n);
    g->node = node;
    g->idx = node->ngroups++;
    g->name_len = (uint32_t)name.n;
    memcpy(g->name, name.p, name.n);
    node->groups[g->idx] = (struct mg_igroup){{g->name, name.n}, NULL, 0};
    mg_table_add(&ix->groups, group_hash(ix, node, name), g);
    return g;
}

// Frees a group without weights; the node's last group takes its place.
static void group_free(struct mg_interest *ix, struct group *g) {
    struct inode *node = g->node;
    uint32_t last = node->ngroups - 1;
    mg_table_del(&ix->groups, group_hash(ix, node, (mg_slice){g->name, g->name_len}), g);
    mg_free((struct mg_iweight *)node->groups[g->idx].weights);
    if (g->idx != last) {
        struct group *moved = group_find(ix, node, node->groups[last].name);
        mg_assert(moved != NULL && moved->idx == last);
        node->groups[g->idx] = node->groups[last];
        moved->idx = g->idx;
    }
    node->ngroups = last;
    if (last == 0) {
        mg_free(node->groups);
        node->groups = NULL;
        node->cap = 0;
    }
    mg_free(g);
}

// Sets the weight of a shard (0 removes it). The array has no spare room: weights change rarely compared to matches.
static void weight_set(struct mg_igroup *q, uint32_t shard, uint32_t members) {
    struct mg_iweight *w = (struct mg_iweight *)q->weights; // const for the callers of the match, not for us
    uint32_t i = 0;
    while (i < q->n && w[i].shard < shard)
        i++;
    bool found = i < q->n && w[i].shard == shard;
    if (found && members > 0) {
        w[i].members = members;
    } else if (found) {
        q->n--;
        memmove(w + i, w + i + 1, (q->n - i) * sizeof *w);
    } else if (members > 0) {
        w = mg_realloc(w, (q->n + 1) * sizeof *w);
        memmove(w + i + 1, w + i, (q->n - i) * sizeof *w);
        w[i] = (struct mg_iweight){shard, members};
        q->n++;
    }
    q->weights = w;
}

// ---- announcements ---------------------------------------------------------------------------------------------

struct mg_interest *mg_interest_new(uint64_t hash_seed, size_t cache_max) {
    struct mg_interest *ix = mg_zalloc(sizeof *ix);
    mg_index_init(&ix->ix, sizeof(struct inode), hash_seed, cache_max);
    mg_table_init(&ix->groups);
    ix->generation = 1;
    return ix;
}

static void fini_group(void *ctx, void *val) {
    (void)ctx;
    struct group *g = val;
    mg_free((struct mg_iweight *)g->node->groups[g->idx].weights);
    mg_free(g);
}

static void fini_node(void *ctx, void *entry) {
    (void)ctx;
    mg_free(((struct inode *)entry)->groups);
}

void mg_interest_free(struct mg_interest *ix) {
    if (ix == NULL) return;
    mg_table_each(&ix->groups, fini_group, NULL);
    mg_table_fini(&ix->groups);
    mg_index_fini(&ix->ix, fini_node, NULL);
    mg_free(ix->refs);
    mg_free(ix->weights);
    mg_free(ix);
}

// After a change: what was cached is stale, and a node that says nothing goes.
static void settle(struct mg_interest *ix, struct inode *node) {
    if (node->plain == 0 && node->ngroups == 0)
        mg_index_del(&ix->ix, &node->e);
    else
        mg_index_touch(&ix->ix, &node->e);
}

void mg_interest_plain(struct mg_interest *ix, mg_slice subject, uint32_t shard, bool on) {
    mg_assert(shard < MG_INTEREST_SHARDS);
    uint64_t bit = (uint64_t)1 << shard;
    struct mg_ixentry *e = on ? mg_index_add(&ix->ix, subject) : mg_index_find(&ix->ix, subject);
    if (e == NULL) return;
    struct inode *node = (struct inode *)e;
    if (((node->plain & bit) != 0) == on) return;
    node->plain ^= bit;
    ix->generation++;
    settle(ix, node);
}

static void queue_drop(struct mg_interest *ix, struct inode *node, struct group *g, uint32_t shard) {
    struct mg_igroup *q = &node->groups[g->idx];
    weight_set(q, shard, 0);
    if (q->n == 0) group_free(ix, g);
    ix->generation++;
}

void mg_interest_queue(struct mg_interest *ix, mg_slice subject, mg_slice queue, uint32_t shard, uint32_t members) {
    mg_assert(shard < MG_INTEREST_SHARDS && queue.n > 0 && queue.n <= UINT16_MAX);
    struct mg_ixentry *e = members > 0 ? mg_index_add(&ix->ix, subject) : mg_index_find(&ix->ix, subject);
    if (e == NULL) return;
    struct inode *node = (struct inode *)e;
    struct group *g = group_find(ix, node, queue);
    if (members == 0) {
        if (g == NULL) return;
        queue_drop(ix, node, g, shard);
        if (node->ngroups == 0) settle(ix, node);
        return;
    }
    bool first = node->ngroups == 0;
    if (g == NULL) g = group_new(ix, node, queue);
    weight_set(&node->groups[g->idx], shard, members);
    ix->generation++;
    if (first) settle(ix, node); // with its first group the node's part in cached results changes, later it does not
}

static void drop_node(struct mg_interest *ix, struct inode *node, uint32_t shard) {
    uint64_t bit = (uint64_t)1 << shard;
    uint64_t before = ix->generation;
    if ((node->plain & bit) != 0) {
        node->plain ^= bit;
        ix->generation++;
    }
    for (uint32_t i = node->ngroups; i-- > 0;) { // downwards: a freed group is replaced by the last
        for (uint32_t k = 0; k < node->groups[i].n; k++) {
            if (node->groups[i].weights[k].shard != shard) continue;
            queue_drop(ix, node, group_find(ix, node, node->groups[i].name), shard);
            break;
        }
    }
    if (ix->generation != before) settle(ix, node);
}

bool mg_interest_drop_shard(struct mg_interest *ix, uint32_t shard, struct mg_interest_cursor *c, size_t patterns) {
    mg_assert(shard < MG_INTEREST_SHARDS);
    struct mg_ixcursor at = {c->hash, c->entry, c->table, c->state};
    bool done = false;
    for (size_t i = 0; i < patterns && !done; i++) {
        struct inode *node = (struct inode *)mg_index_next(&ix->ix, &at);
        if (node != NULL)
            drop_node(ix, node, shard);
        else
            done = true;
    }
    *c = (struct mg_interest_cursor){at.hash, at.entry, at.table, at.state};
    return done;
}

bool mg_interest_none(const struct mg_interest *ix) { return mg_index_count(&ix->ix) == 0; }
uint64_t mg_interest_generation(const struct mg_interest *ix) { return ix->generation; }
uint64_t mg_interest_patterns(const struct mg_interest *ix) { return mg_index_count(&ix->ix); }

// ---- the match -------------------------------------------------------------------------------------------------

static int by_name(const void *a, const void *b) {
    mg_slice x = ((const struct mg_igroup *)a)->name, y = ((const struct mg_igroup *)b)->name;
    if (x.n != y.n) return x.n < y.n ? -1 : 1;
    return memcmp(x.p, y.p, x.n);
}

// Room for `nrefs` groups and `nweights` weights.
static void reserve(struct mg_interest *ix, size_t nrefs, size_t nweights) {
    if (nrefs > ix->refs_cap) {
        ix->refs_cap = nrefs * 2;
        mg_free(ix->refs);
        ix->refs = mg_alloc(ix->refs_cap * sizeof *ix->refs);
    }
    if (nweights > ix->weights_cap) {
        ix->weights_cap = nweights * 2;
        mg_free(ix->weights);
        ix->weights = mg_alloc(ix->weights_cap * sizeof *ix->weights);
    }
}

// Adds up the weights of groups of one name into `to`, sorted by shard; how many.
static uint32_t join(const struct mg_igroup *q, size_t n, struct mg_iweight *to) {
    uint64_t sum[MG_INTEREST_SHARDS] = {0};
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < q[i].n; k++)
            sum[q[i].weights[k].shard] += q[i].weights[k].members;
    uint32_t count = 0;
    for (uint32_t s = 0; s < MG_INTEREST_SHARDS; s++)
        if (sum[s] > 0) to[count++] = (struct mg_iweight){s, sum[s] < UINT32_MAX ? (uint32_t)sum[s] : UINT32_MAX};
    return count;
}

// The groups of several nodes: gathered, sorted, those of one name joined in place.
static void merge_queues(struct mg_interest *ix, struct inode *const *nodes, size_t n, struct mg_imatch *out) {
    size_t nrefs = 0, nweights = 0, groups = 0;
    for (size_t i = 0; i < n; i++) {
        nrefs += nodes[i]->ngroups;
        for (uint32_t k = 0; k < nodes[i]->ngroups; k++)
            nweights += nodes[i]->groups[k].n;
    }
    reserve(ix, nrefs, nweights);
    for (size_t i = 0, k = 0; i < n; k += nodes[i++]->ngroups)
        memcpy(ix->refs + k, nodes[i]->groups, nodes[i]->ngroups * sizeof *ix->refs);
    qsort(ix->refs, nrefs, sizeof *ix->refs, by_name);
    struct mg_iweight *to = ix->weights;
    for (size_t i = 0, j; i < nrefs; i = j) {
        for (j = i + 1; j < nrefs && mg_slice_eq(ix->refs[i].name, ix->refs[j].name);)
            j++;
        struct mg_igroup q = ix->refs[i];
        if (j > i + 1) {
            q.n = join(ix->refs + i, j - i, to);
            q.weights = to;
            to += q.n;
        }
        ix->refs[groups++] = q;
    }
    ix->generation++; // an earlier result may have been in this scratch
    out->ngroups = (uint32_t)groups;
    out->groups = ix->refs;
}

static void answer(struct mg_interest *ix, uint64_t plain, struct inode *const *queues, size_t n,
                   struct mg_imatch *out) {
    *out = (struct mg_imatch){plain, 0, NULL};
    if (n == 1) {
        out->ngroups = queues[0]->ngroups;
        out->groups = queues[0]->groups;
    } else if (n > 1) {
        merge_queues(ix, queues, n, out);
    }
}

static void keep(struct mg_interest *ix, mg_slice subject, uint64_t hash, uint64_t plain, size_t nqueues) {
    size_t size = sizeof(struct iresult) + nqueues * sizeof(struct inode *) + subject.n;
    if (subject.n == 0 || !mg_rcache_admits(&ix->ix.cache, hash, size)) return;
    struct iresult *r = mg_alloc(size);
    char *text = (char *)(r->queues + nqueues);
    memcpy(text, subject.p, subject.n);
    r->c.subject = text;
    r->c.subject_len = subject.n;
    r->c.size = size;
    r->plain = plain;
    r->nqueues = nqueues;
    if (nqueues > 0) memcpy(r->queues, ix->ix.hits.v, nqueues * sizeof(struct inode *));
    uint64_t prefix_hash = mg_index_hash(&ix->ix, mg_index_prefix_of(subject));
    struct mg_rcached *out = mg_rcache_put(&ix->ix.cache, hash, prefix_hash, &r->c);
    while (out != NULL) {
        struct mg_rcached *next = out->next;
        mg_free(out);
        out = next;
    }
}

static void match_slow(struct mg_interest *ix, mg_slice subject, uint64_t hash, struct mg_imatch *out) {
    mg_index_match(&ix->ix, subject, hash);
    struct inode **hits = (struct inode **)ix->ix.hits.v;
    uint64_t plain = 0;
    size_t nqueues = 0;
    for (size_t i = 0; i < ix->ix.hits.n; i++) { // nodes with groups move to the front
        plain |= hits[i]->plain;
        if (hits[i]->ngroups > 0) hits[nqueues++] = hits[i];
    }
    keep(ix, subject, hash, plain, nqueues);
    answer(ix, plain, hits, nqueues, out);
}

void mg_interest_match(struct mg_interest *ix, mg_slice subject, struct mg_imatch *out) {
    *out = (struct mg_imatch){0};
    if (mg_interest_none(ix)) return;
    uint64_t hash = mg_index_hash(&ix->ix, subject);
    if (ix->ix.trie.count > 0) {
        const struct iresult *r = (const struct iresult *)mg_rcache_get(&ix->ix.cache, hash, subject);
        if (r != NULL)
            answer(ix, r->plain, r->queues, r->nqueues, out);
        else
            match_slow(ix, subject, hash, out);
        return;
    }
    struct inode *queues[2];
    size_t n = 0;
    uint64_t plain = 0;
    struct inode *hit[2] = {(struct inode *)mg_index_literal(&ix->ix, subject, hash),
                            (struct inode *)mg_index_prefix(&ix->ix, subject)};
    for (int i = 0; i < 2; i++) {
        if (hit[i] == NULL) continue;
        plain |= hit[i]->plain;
        if (hit[i]->ngroups > 0) queues[n++] = hit[i];
    }
    answer(ix, plain, queues, n, out);
}

bool mg_interest_has(const struct mg_interest *ix, mg_slice pattern, mg_slice queue) {
    const struct inode *node = (const struct inode *)(const void *)mg_index_find(&ix->ix, pattern);
    if (node == NULL) return false;
    return queue.n ? group_find(ix, node, queue) != NULL : node->plain != 0;
}
