// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The subscriptions of one account on one shard, by pattern. index.c finds patterns; here is what hangs at them.
//
//     node  | entry | match: plain, nplain, ngroups, groups | one | caps | "orders.eu.*" |
//                            |                       |         ^
//                            +-- one subscription ---)---------+        (most nodes: no array at all)
//                            +-- more: array of struct mg_sub *
//                                                    +-- array of {name, subs, n}
//                                                                         +-- the group's `one` or an array
//
// The node *is* a finished struct mg_match, so a subject that hits one node costs no copy: the caller reads the node's
// own arrays. A subscription remembers its index in its array, so removal is a swap with the last one: O(1), also when
// 100,000 of them leave one pattern. Members of a queue find their group by a table of (node, queue name), because a
// node may have any number of groups; the group's name is the text of its first member, nothing is stored twice.
//
// Memory for one inbox `_INBOX.<22 characters>.*`, without the subscription itself: 56 + 31 bytes of node (96 as the
// allocator rounds) and about 30 of table slot. Array growth doubles; arrays shrink at a quarter.
//
// What always holds: a node has at least one subscription; a group at least one member; sub->pos is its index; every
// change moves the generation and makes the cached results stale that the pattern may have gone into.
#include "server/router/sublist.h"

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/router/sublist_impl.h"

// What a node keeps about a queue group besides the public struct mg_qmatch, which is node->m.groups[idx].
// Owner: the list's table. Its address never changes.
struct group {
    struct mg_snode *node;
    struct mg_sub *one; // subs while there is room for one only
    uint32_t idx;
    uint32_t cap; // 1: subs is &one
};

// An array of subscriptions seen as something to change: plain ones or a group's.
struct subs {
    struct mg_sub **v;
    struct mg_sub **one; // the inline room
    uint32_t n, cap;
};

static void subs_resize(struct subs *s, uint32_t cap) {
    struct mg_sub **v = cap == 1 ? s->one : s->cap > 1 ? s->v : NULL;
    if (cap > 1) v = mg_realloc(v, cap * sizeof *v);
    if (s->cap <= 1 && cap > 1 && s->n > 0) v[0] = s->v[0];
    if (s->cap > 1 && cap == 1) {
        v[0] = s->v[0];
        mg_free(s->v);
    }
    s->v = v;
    s->cap = cap;
}

static void subs_add(struct subs *s, struct mg_sub *sub) {
    if (s->n == s->cap) {
        mg_assert(s->n < UINT32_MAX / 2);
        subs_resize(s, s->cap ? s->cap * 2 : 1);
    }
    sub->pos = s->n;
    s->v[s->n++] = sub;
}

static void subs_del(struct subs *s, struct mg_sub *sub) {
    mg_assert(sub->pos < s->n && s->v[sub->pos] == sub);
    struct mg_sub *last = s->v[--s->n];
    s->v[sub->pos] = last;
    last->pos = sub->pos;
    if (s->n == 1 && s->cap > 1)
        subs_resize(s, 1);
    else if (s->n > 1 && s->n <= s->cap / 4)
        subs_resize(s, s->cap / 2);
}

static void plain_add(struct mg_snode *node, struct mg_sub *sub) {
    struct subs s = {(struct mg_sub **)node->m.plain, &node->one, node->m.nplain, node->plain_cap};
    subs_add(&s, sub);
    node->m.plain = s.v;
    node->m.nplain = s.n;
    node->plain_cap = s.cap;
}

static void plain_del(struct mg_snode *node, struct mg_sub *sub) {
    struct subs s = {(struct mg_sub **)node->m.plain, &node->one, node->m.nplain, node->plain_cap};
    subs_del(&s, sub);
    node->m.plain = s.v;
    node->m.nplain = s.n;
    node->plain_cap = s.cap;
}

// ---- queue groups ----------------------------------------------------------------------------------------------

static struct mg_qmatch *qmatch_of(const struct group *g) {
    return (struct mg_qmatch *)&g->node->m.groups[g->idx]; // const for the callers of the match, not for us
}

struct group_key {
    const struct mg_snode *node;
    mg_slice name;
};

static inline bool group_eq(const void *val, const void *key) {
    const struct group *g = val;
    const struct group_key *k = key;
    return g->node == k->node && mg_slice_eq(qmatch_of(g)->name, k->name);
}

static uint64_t group_hash(const struct mg_sublist *sl, const struct mg_snode *node, mg_slice name) {
    return mg_hash_mix(mg_index_hash(&sl->ix, name), (uintptr_t)node);
}

static struct group *group_find(const struct mg_sublist *sl, const struct mg_snode *node, mg_slice name) {
    struct group_key key = {node, name};
    return mg_table_find(&sl->groups, group_hash(sl, node, name), group_eq, &key);
}

static struct group *group_new(struct mg_sublist *sl, struct mg_snode *node, mg_slice name) {
    if (node->m.ngroups == node->group_cap) {
        mg_assert(node->group_cap < UINT32_MAX / 2);
        node->group_cap = node->group_cap ? node->group_cap * 2 : 1;
        node->m.groups = mg_realloc((struct mg_qmatch *)node->m.groups, node->group_cap * sizeof *node->m.groups);
    }
    struct group *g = mg_zalloc(sizeof *g);
    g->node = node;
    g->idx = node->m.ngroups++;
    *qmatch_of(g) = (struct mg_qmatch){name, NULL, 0};
    mg_table_add(&sl->groups, group_hash(sl, node, name), g);
    return g;
}

// Frees an empty group; the node's last group takes its place.
static void group_free(struct mg_sublist *sl, struct group *g, mg_slice name) {
    struct mg_snode *node = g->node;
    uint32_t last = node->m.ngroups - 1;
    mg_table_del(&sl->groups, group_hash(sl, node, name), g);
    if (g->idx != last) {
        struct group *moved = group_find(sl, node, node->m.groups[last].name);
        mg_assert(moved != NULL && moved->idx == last);
        *qmatch_of(g) = *qmatch_of(moved);
        moved->idx = g->idx;
    }
    node->m.ngroups = last;
    if (last == 0) {
        mg_free((struct mg_qmatch *)node->m.groups);
        node->m.groups = NULL;
        node->group_cap = 0;
    }
    mg_free(g);
}

// Changes the members of a group, then lets the public view follow.
static uint32_t group_change(struct group *g, struct mg_sub *sub, void (*change)(struct subs *, struct mg_sub *)) {
    struct mg_qmatch *q = qmatch_of(g);
    struct subs s = {(struct mg_sub **)q->subs, &g->one, q->n, g->cap};
    change(&s, sub);
    q->subs = s.v;
    q->n = s.n;
    g->cap = s.cap;
    if (s.n > 0) q->name = mg_sub_queue(s.v[0]); // the text of a member that is still there
    return s.n;
}

static uint32_t queue_add(struct mg_sublist *sl, struct mg_snode *node, struct mg_sub *sub) {
    mg_slice name = mg_sub_queue(sub);
    struct group *g = group_find(sl, node, name);
    if (g == NULL) g = group_new(sl, node, name);
    return group_change(g, sub, subs_add);
}

static uint32_t queue_del(struct mg_sublist *sl, struct mg_snode *node, struct mg_sub *sub) {
    mg_slice name = mg_sub_queue(sub);
    struct group *g = group_find(sl, node, name);
    mg_assert(g != NULL);
    uint32_t left = group_change(g, sub, subs_del);
    if (left == 0) group_free(sl, g, name);
    return left;
}

// ---- the list --------------------------------------------------------------------------------------------------

struct mg_sublist *mg_sublist_new(uint64_t hash_seed, size_t cache_max) {
    struct mg_sublist *sl = mg_zalloc(sizeof *sl);
    mg_index_init(&sl->ix, sizeof(struct mg_snode), hash_seed, cache_max);
    mg_table_init(&sl->groups);
    sl->generation = 1;
    mg_sublist_match_init(sl);
    return sl;
}

static void orphan(const struct subs *s) {
    for (uint32_t i = 0; i < s->n; i++)
        s->v[i]->node = NULL;
    if (s->cap > 1) mg_free(s->v);
}

static void fini_group(void *ctx, void *val) {
    (void)ctx;
    struct group *g = val;
    struct mg_qmatch *q = qmatch_of(g);
    struct subs s = {(struct mg_sub **)q->subs, &g->one, q->n, g->cap};
    orphan(&s);
    mg_free(g);
}

static void fini_node(void *ctx, void *entry) {
    (void)ctx;
    struct mg_snode *node = entry;
    struct subs s = {(struct mg_sub **)node->m.plain, &node->one, node->m.nplain, node->plain_cap};
    orphan(&s);
    mg_free((struct mg_qmatch *)node->m.groups);
}

void mg_sublist_free(struct mg_sublist *sl) {
    if (sl == NULL) return;
    mg_sublist_match_fini(sl);
    mg_table_each(&sl->groups, fini_group, NULL);
    mg_table_fini(&sl->groups);
    mg_index_fini(&sl->ix, fini_node, NULL);
    mg_free(sl);
}

void mg_sublist_insert(struct mg_sublist *sl, struct mg_sub *sub, struct mg_sub_change *change) {
    mg_assert(sub->node == NULL);
    struct mg_snode *node = (struct mg_snode *)mg_index_add(&sl->ix, mg_sub_subject(sub));
    struct mg_sub_change c = {false, false, 0};
    if (sub->queue_len > 0) {
        c.queue_members = queue_add(sl, node, sub);
    } else {
        plain_add(node, sub);
        c.first_plain = node->m.nplain == 1;
    }
    sub->node = node;
    mg_index_touch(&sl->ix, &node->e);
    sl->count++;
    sl->inserts++;
    sl->generation++;
    if (change != NULL) *change = c;
}

void mg_sublist_remove(struct mg_sublist *sl, struct mg_sub *sub, struct mg_sub_change *change) {
    struct mg_snode *node = sub->node;
    mg_assert(node != NULL && sl->count > 0);
    struct mg_sub_change c = {false, false, 0};
    if (sub->queue_len > 0) {
        c.queue_members = queue_del(sl, node, sub);
    } else {
        plain_del(node, sub);
        c.last_plain = node->m.nplain == 0;
    }
    sub->node = NULL;
    if (mg_match_empty(&node->m)) {
        mg_index_del(&sl->ix, &node->e);
    } else {
        mg_index_touch(&sl->ix, &node->e);
    }
    sl->count--;
    sl->removes++;
    sl->generation++;
    if (change != NULL) *change = c;
}

uint64_t mg_sublist_generation(const struct mg_sublist *sl) { return sl->generation; }
uint64_t mg_sublist_count(const struct mg_sublist *sl) { return sl->count; }

void mg_sublist_stats(const struct mg_sublist *sl, struct mg_sublist_stats *out) {
    *out = (struct mg_sublist_stats){
        .count = sl->count,
        .patterns = mg_index_count(&sl->ix),
        .cache_entries = sl->ix.cache.count,
        .inserts = sl->inserts,
        .removes = sl->removes,
        .matches = sl->matches,
        .cache_hits = sl->matches - sl->slow,
        .max_fanout = sl->max_fanout,
        .fanout_sum = sl->fanout_sum,
    };
}

// ---- listing ---------------------------------------------------------------------------------------------------
//
// Patterns come in the order of the index's cursor. Inside a pattern: its groups from the last to the first, then the
// plain ones (as "group 0"), each array from its end to its start. Removal moves the *last* element into the hole, so
// going down can show one again but never miss one.

enum { BEFORE, BETWEEN, INSIDE };

// The array that the cursor stands in.
static struct mg_sub *const *array_at(const struct mg_snode *node, uint32_t group, uint32_t *n) {
    if (group == 0) {
        *n = node->m.nplain;
        return node->m.plain;
    }
    *n = node->m.groups[group - 1].n;
    return node->m.groups[group - 1].subs;
}

// Lists what the node still has below the cursor; false when `out` is full first.
static bool list_node(const struct mg_snode *node, struct mg_sublist_cursor *c, struct mg_sub **out, size_t n,
                      size_t *k) {
    if (c->group > node->m.ngroups) { // groups have gone: what is left of them sits lower
        c->group = node->m.ngroups;
        c->pos = UINT32_MAX;
    }
    for (;;) {
        uint32_t size;
        struct mg_sub *const *v = array_at(node, c->group, &size);
        if (c->pos > size) c->pos = size;
        while (c->pos > 0 && *k < n)
            out[(*k)++] = v[--c->pos];
        if (c->pos > 0) return false;
        if (c->group == 0) return true;
        c->group--;
        c->pos = UINT32_MAX;
    }
}

size_t mg_sublist_list(const struct mg_sublist *sl, struct mg_sublist_cursor *c, struct mg_sub **out, size_t n) {
    struct mg_ixcursor at = {c->hash, c->entry, c->table, c->state != BEFORE};
    size_t k = 0;
    while (k < n) {
        struct mg_ixentry *e = c->state == INSIDE ? mg_index_here(&sl->ix, &at) : NULL;
        if (e == NULL) {
            e = mg_index_next(&sl->ix, &at);
            if (e == NULL) break;
            c->group = c->pos = UINT32_MAX;
        }
        c->state = list_node((struct mg_snode *)e, c, out, n, &k) ? BETWEEN : INSIDE;
    }
    c->hash = at.hash;
    c->entry = at.entry;
    c->table = at.table;
    if (at.state == 0) c->state = BEFORE;
    return k;
}

static bool has_client(struct mg_sub *const *subs, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (!(subs[i]->flags & (MG_SUB_DEAD | MG_SUB_INTERNAL))) return true;
    return false;
}

bool mg_sublist_has_client(const struct mg_sublist *sl, mg_slice pattern, mg_slice queue) {
    const struct mg_snode *node = (const struct mg_snode *)(const void *)mg_index_find(&sl->ix, pattern);
    if (node == NULL) return false;
    if (queue.n == 0) return has_client(node->m.plain, node->m.nplain);
    for (uint32_t i = 0; i < node->m.ngroups; i++)
        if (mg_slice_eq(node->m.groups[i].name, queue)) return has_client(node->m.groups[i].subs, node->m.groups[i].n);
    return false;
}
