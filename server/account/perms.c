// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Four lists of rules: publish and subscribe, allow and deny. Each is sorted into three parts when it is compiled:
//
//     rules:  | literals | wildcards | with a queue |
//
// A publish, the hot path, looks for its subject among the literals (a handful is compared one by one, more go through
// a hash table) and then walks the wildcards, comparing the bytes before the first wildcard before it walks tokens.
// The other checks happen once a subscription, or for each message to the few subscriptions that a deny cuts into.
//
// A subject is always matched as a literal, wildcard tokens included; that is what makes SUB foo.> pass an allow of
// foo.* and a deny of foo.* (spec/accounts-security.md 7.3), and it is why a delivery filter is needed at all.
#include "server/account/perms.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/config/options.h"
#include "server/proto/subject.h"

#define LINEAR_MAX 8 // literals that are cheaper to compare than to hash

struct rule {
    mg_slice subject, queue; // into the list's text; queue.n == 0: none
    size_t prefix;           // bytes before the first wildcard token; all of them in a literal
};

struct list {
    struct rule *rules;
    size_t nlit, nwild, nqueue;
    uint32_t *slots; // open addressing, index of a literal + 1, 0 is free; NULL for a few literals
    size_t nslots;   // a power of two
    char *text;
};

struct mg_perms {
    struct list pub_allow, pub_deny, sub_allow, sub_deny;
    bool pub_allow_set; // an empty pub_allow allows nothing
    bool has_responses;
    struct mg_resp_limits responses;
};

// ---- compiling ---------------------------------------------------------------------------------------------------

static size_t literal_prefix(mg_slice subject) {
    struct mg_tokens it = mg_tokens_of(subject);
    for (mg_slice tok; mg_tokens_next(&it, &tok);)
        if (mg_token_is(tok, '*') || mg_token_is(tok, '>')) return (size_t)(tok.p - subject.p);
    return subject.n;
}

static bool is_wild(const struct rule *r) { return r->prefix < r->subject.n; }

enum part { LITERAL, WILD, QUEUE };

static enum part part_of(const struct rule *r) {
    if (r->queue.n > 0) return QUEUE;
    return is_wild(r) ? WILD : LITERAL;
}

static mg_slice store(char **at, const char *s) {
    size_t n = s ? strlen(s) : 0;
    mg_slice copy = mg_slice_of(*at, n);
    if (n > 0) memcpy(*at, s, n);
    *at += n;
    return copy;
}

// Appends the rules of one part, in the order of the configuration.
static size_t add_part(struct list *l, const struct rule *from, size_t n, enum part part) {
    size_t at = l->nlit + l->nwild, added = 0;
    for (size_t i = 0; i < n; i++)
        if (part_of(&from[i]) == part) l->rules[at + added++] = from[i];
    return added;
}

static void hash_literals(struct list *l) {
    if (l->nlit <= LINEAR_MAX) return;
    mg_assert(l->nlit < UINT32_MAX / 4);
    for (l->nslots = 4 * LINEAR_MAX; l->nslots < 2 * l->nlit;) l->nslots *= 2;
    l->slots = mg_zalloc(l->nslots * sizeof l->slots[0]);
    for (size_t i = 0; i < l->nlit; i++) {
        size_t at = XXH3_64bits(l->rules[i].subject.p, l->rules[i].subject.n) & (l->nslots - 1);
        while (l->slots[at]) at = (at + 1) & (l->nslots - 1);
        l->slots[at] = (uint32_t)i + 1;
    }
}

// Queues mean nothing in a publish list, where the configuration refuses them; should one come through, its subject
// counts as if it stood alone: a deny must not get lost.
static void list_init(struct list *l, const struct mg_perm_list *src, bool queues) {
    if (src->n == 0) return;
    size_t bytes = 1;
    for (size_t i = 0; i < src->n; i++)
        bytes += strlen(src->v[i].subject) + (src->v[i].queue ? strlen(src->v[i].queue) : 0);
    char *at = l->text = mg_alloc(bytes);
    struct rule *all = mg_alloc(src->n * sizeof all[0]);
    for (size_t i = 0; i < src->n; i++) {
        all[i].subject = store(&at, src->v[i].subject);
        all[i].queue = store(&at, queues ? src->v[i].queue : NULL);
        all[i].prefix = literal_prefix(all[i].subject);
    }
    l->rules = mg_alloc(src->n * sizeof l->rules[0]);
    l->nlit = add_part(l, all, src->n, LITERAL);
    l->nwild = add_part(l, all, src->n, WILD);
    l->nqueue = add_part(l, all, src->n, QUEUE);
    mg_assert(l->nlit + l->nwild + l->nqueue == src->n);
    mg_free(all);
    hash_literals(l);
}

static void list_fini(struct list *l) {
    mg_free(l->rules);
    mg_free(l->slots);
    mg_free(l->text);
}

struct mg_perms *mg_perms_new(const struct mg_permissions *src) {
    if (src == NULL) return NULL;
    struct mg_perms *p = mg_zalloc(sizeof *p);
    list_init(&p->pub_allow, &src->pub_allow, false);
    list_init(&p->pub_deny, &src->pub_deny, false);
    list_init(&p->sub_allow, &src->sub_allow, true);
    list_init(&p->sub_deny, &src->sub_deny, true);
    p->pub_allow_set = src->pub_allow_set || src->pub_allow.n > 0;
    p->has_responses = src->allow_responses;
    if (p->has_responses) {
        // spec/accounts-security.md 7.1: zero stands for the default.
        p->responses.max = src->resp_max ? src->resp_max : 1;
        p->responses.expires_ns = src->resp_expires_ns ? src->resp_expires_ns : (int64_t)(120 * MG_SEC);
    }
    return p;
}

void mg_perms_free(struct mg_perms *p) {
    if (p == NULL) return;
    list_fini(&p->pub_allow);
    list_fini(&p->pub_deny);
    list_fini(&p->sub_allow);
    list_fini(&p->sub_deny);
    mg_free(p);
}

static bool list_equal(const struct list *a, const struct list *b) {
    if (a->nlit != b->nlit || a->nwild != b->nwild || a->nqueue != b->nqueue) return false;
    for (size_t i = 0; i < a->nlit + a->nwild + a->nqueue; i++) {
        if (!mg_slice_eq(a->rules[i].subject, b->rules[i].subject)) return false;
        if (!mg_slice_eq(a->rules[i].queue, b->rules[i].queue)) return false;
    }
    return true;
}

bool mg_perms_equal(const struct mg_perms *a, const struct mg_perms *b) {
    if (a == NULL || b == NULL) return a == b;
    if (a->pub_allow_set != b->pub_allow_set || a->has_responses != b->has_responses) return false;
    if (a->responses.max != b->responses.max || a->responses.expires_ns != b->responses.expires_ns) return false;
    return list_equal(&a->pub_allow, &b->pub_allow) && list_equal(&a->pub_deny, &b->pub_deny) &&
           list_equal(&a->sub_allow, &b->sub_allow) && list_equal(&a->sub_deny, &b->sub_deny);
}

// ---- asking ------------------------------------------------------------------------------------------------------

static bool has_literal(const struct list *l, mg_slice s) {
    if (l->slots) {
        size_t at = XXH3_64bits(s.p, s.n) & (l->nslots - 1);
        for (; l->slots[at]; at = (at + 1) & (l->nslots - 1))
            if (mg_slice_eq(l->rules[l->slots[at] - 1].subject, s)) return true;
        return false;
    }
    for (size_t i = 0; i < l->nlit; i++)
        if (mg_slice_eq(l->rules[i].subject, s)) return true;
    return false;
}

static bool rule_matches(const struct rule *r, mg_slice s) {
    if (s.n < r->prefix || memcmp(s.p, r->subject.p, r->prefix) != 0) return false;
    return is_wild(r) ? mg_subject_match(s, r->subject) : s.n == r->prefix;
}

// Does a rule without a queue match?
static bool has_plain(const struct list *l, mg_slice s) {
    if (l->rules == NULL || s.n == 0) return false;
    if (has_literal(l, s)) return true;
    const struct rule *wild = l->rules + l->nlit;
    for (size_t i = 0; i < l->nwild; i++)
        if (rule_matches(&wild[i], s)) return true;
    return false;
}

// A queue name may hold tokens that look like wildcards, so equality comes first.
static bool queue_matches(mg_slice queue, mg_slice rule) {
    return mg_slice_eq(queue, rule) || (!mg_subject_is_literal(rule) && mg_subject_subset(queue, rule));
}

enum queue_verdict { NO_RULE, QUEUE_DIFFERS, QUEUE_MATCHES };

// What the rules with a queue say about this subject and queue.
static enum queue_verdict ask_queues(const struct list *l, mg_slice s, mg_slice queue) {
    enum queue_verdict verdict = NO_RULE;
    if (l->rules == NULL || s.n == 0) return verdict;
    const struct rule *rules = l->rules + l->nlit + l->nwild;
    for (size_t i = 0; i < l->nqueue; i++) {
        if (!rule_matches(&rules[i], s)) continue;
        if (queue_matches(queue, rules[i].queue)) return QUEUE_MATCHES;
        verdict = QUEUE_DIFFERS;
    }
    return verdict;
}

static bool sub_denied(const struct mg_perms *p, mg_slice subject, mg_slice queue) {
    const struct list *l = &p->sub_deny;
    if (has_plain(l, subject)) return true;
    return queue.n > 0 && ask_queues(l, subject, queue) == QUEUE_MATCHES;
}

bool mg_perms_limits_pub(const struct mg_perms *p) { return p && (p->pub_allow_set || p->pub_deny.rules); }

// spec/accounts-security.md 7.2
bool mg_perms_can_pub(const struct mg_perms *p, mg_slice subject) {
    if (p == NULL) return true;
    if (p->pub_allow_set && !has_plain(&p->pub_allow, subject)) return false;
    return !has_plain(&p->pub_deny, subject);
}

// spec/accounts-security.md 7.3
bool mg_perms_can_sub(const struct mg_perms *p, mg_slice subject, mg_slice queue) {
    if (p == NULL) return true;
    if (p->sub_allow.rules) {
        bool allowed = has_plain(&p->sub_allow, subject);
        if (queue.n > 0) {
            // Rules that name queues for this subject narrow it to these queues, whatever the plain rules say.
            enum queue_verdict v = ask_queues(&p->sub_allow, subject, queue);
            if (v != NO_RULE) allowed = v == QUEUE_MATCHES;
        }
        if (!allowed) return false;
    }
    return !sub_denied(p, subject, queue);
}

bool mg_perms_needs_filter(const struct mg_perms *p, mg_slice subject, mg_slice queue) {
    if (p == NULL || p->sub_deny.rules == NULL) return false;
    if (queue.n == 0 && mg_subject_is_literal(subject)) return false; // what it gets is what was checked
    const struct list *l = &p->sub_deny;
    for (size_t i = 0; i < l->nlit + l->nwild + l->nqueue; i++)
        if (mg_subject_collide(l->rules[i].subject, subject)) return true;
    return false;
}

bool mg_perms_can_deliver(const struct mg_perms *p, mg_slice subject, mg_slice queue) {
    return p == NULL || !sub_denied(p, subject, queue);
}

const struct mg_resp_limits *mg_perms_responses(const struct mg_perms *p) {
    return p && p->has_responses ? &p->responses : NULL;
}
