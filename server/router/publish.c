// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Routing where a message was published. First everything is decided without effect: who matches here, which other
// shards want it, which member of each queue group is chosen. If a shard that must get it has no credit, nothing has
// happened and the publisher pauses. Then it is delivered and posted.
#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/router/router_impl.h"

bool deliver_group(struct mg_router *r, const struct mg_qmatch *g, const struct mg_msg *m) {
    uint32_t at = g->n == 1 ? 0 : (uint32_t)(((mg_shard_random(r->shard) >> 32) * g->n) >> 32);
    for (uint32_t i = 0; i < g->n; i++) {
        if (deliver_one(g->subs[at], m)) return true;
        if (++at == g->n) at = 0;
    }
    return false;
}

static const struct mg_match *match_memo(struct mg_router *r, mg_slice subject, struct mg_memo **memo) {
    struct mg_memo *mm = memo ? *memo : NULL;
    uint64_t generation = mg_sublist_generation(r->subs);
    if (mm && mm->generation == generation && mm->len == subject.n && memcmp(mm->subject, subject.p, subject.n) == 0)
        return mm->match;
    const struct mg_match *match = mg_sublist_match(r->subs, subject);
    if (memo == NULL || subject.n > 256) return match;
    if (mm == NULL || mm->cap < subject.n) {
        uint32_t cap = subject.n <= 40 ? 40 : 256;
        mm = mg_realloc(mm, sizeof(*mm) + cap);
        mm->cap = cap;
        *memo = mm;
    }
    memcpy(mm->subject, subject.p, subject.n);
    mm->len = (uint32_t)subject.n;
    mm->match = match;
    mm->generation = mg_sublist_generation(r->subs);
    mm->interest = 0;
    mm->id = ++r->memo_ids;
    return match;
}

// ---- one shard -----------------------------------------------------------------------------------------------------

static uint32_t deliver_all(struct mg_router *r, const struct mg_match *match, const struct mg_msg *m) {
    uint32_t delivered = 0;
    for (uint32_t i = 0; i < match->nplain; i++) delivered += deliver_one(match->plain[i], m);
    for (uint32_t i = 0; i < match->ngroups; i++) delivered += deliver_group(r, &match->groups[i], m);
    return delivered;
}

// ---- several shards ------------------------------------------------------------------------------------------------

// Where the one copy for each queue group goes.
struct choice {
    mg_slice name;
    const struct mg_qmatch *local;   // NULL: no members here
    const struct mg_igroup *remote;  // NULL: no members elsewhere
    int to;                          // chosen shard; -1: here
    bool tried;                      // the local members cannot take it
};

struct plan {
    struct mg_imatch interest;
    uint32_t n;
    struct choice *groups; // the router's scratch
    mg_slice *names;       // as many; names of the groups that go to one shard
};

static const struct mg_igroup *remote_group(const struct mg_imatch *im, mg_slice name) {
    for (uint32_t i = 0; i < im->ngroups; i++)
        if (mg_slice_eq(im->groups[i].name, name)) return &im->groups[i];
    return NULL;
}

static bool local_group(const struct mg_match *match, mg_slice name) {
    for (uint32_t i = 0; i < match->ngroups; i++)
        if (mg_slice_eq(match->groups[i].name, name)) return true;
    return false;
}

// Weighted by members; shards in `not` are left out. -1: the local ones (if any), or nobody.
static int choose(struct mg_router *r, uint32_t local, const struct mg_igroup *g, uint64_t not) {
    uint64_t total = local;
    for (uint32_t i = 0; i < g->n; i++)
        if (!(not & UINT64_C(1) << g->weights[i].shard)) total += g->weights[i].members;
    if (total == local) return -1;
    uint64_t pick = (uint64_t)(((unsigned __int128)mg_shard_random(r->shard) * total) >> 64);
    if (pick < local) return -1;
    pick -= local;
    for (uint32_t i = 0; i < g->n; i++) {
        if (not & UINT64_C(1) << g->weights[i].shard) continue;
        if (pick < g->weights[i].members) return (int)g->weights[i].shard;
        pick -= g->weights[i].members;
    }
    mg_assert(false);
    return -1;
}

static void plan_groups(struct mg_router *r, const struct mg_match *match, struct plan *plan) {
    size_t most = (size_t)match->ngroups + plan->interest.ngroups;
    size_t need = most * (sizeof(struct choice) + sizeof(mg_slice));
    if (need > r->plan_cap) {
        r->plan = mg_realloc(r->plan, need);
        r->plan_cap = need;
    }
    plan->n = 0;
    plan->groups = r->plan;
    plan->names = (mg_slice *)(void *)(plan->groups + most);
    for (uint32_t i = 0; i < match->ngroups; i++) {
        const struct mg_qmatch *local = &match->groups[i];
        const struct mg_igroup *remote = remote_group(&plan->interest, local->name);
        int to = remote ? choose(r, local->n, remote, 0) : -1;
        plan->groups[plan->n++] = (struct choice){local->name, local, remote, to, false};
    }
    for (uint32_t i = 0; i < plan->interest.ngroups; i++) {
        const struct mg_igroup *remote = &plan->interest.groups[i];
        if (local_group(match, remote->name)) continue;
        plan->groups[plan->n++] = (struct choice){remote->name, NULL, remote, choose(r, 0, remote, 0), true};
    }
}

static int blocked_shard(struct mg_router *r, const struct plan *plan) {
    uint64_t mask = plan->interest.plain;
    for (uint32_t i = 0; i < plan->n; i++)
        if (plan->groups[i].to >= 0) mask |= UINT64_C(1) << plan->groups[i].to;
    while (mask) {
        int to = __builtin_ctzll(mask);
        if (mg_credit(r->shard, (unsigned)to) <= 0) return to;
        mask &= mask - 1;
    }
    return -1;
}

// Local members first; a group whose local members cannot take the message goes to another shard after all. That is a
// reaction: it goes into debt if it must.
static uint32_t deliver_local_groups(struct mg_router *r, struct plan *plan, const struct mg_msg *m) {
    uint32_t delivered = 0;
    for (uint32_t i = 0; i < plan->n; i++) {
        struct choice *c = &plan->groups[i];
        if (c->to >= 0) continue;
        c->tried = true;
        if (c->local && deliver_group(r, c->local, m) && !MG_PLANTED(group_twice)) delivered++;
        else if (c->remote) c->to = choose(r, 0, c->remote, 0);
    }
    return delivered;
}

static uint32_t send_all(struct mg_router *r, struct plan *plan, const struct mg_msg *m, bool want_outcome) {
    uint64_t mask = plan->interest.plain;
    for (uint32_t i = 0; i < plan->n; i++)
        if (plan->groups[i].to >= 0) mask |= UINT64_C(1) << plan->groups[i].to;
    if (mask == 0) return 0;
    uint32_t records = (uint32_t)__builtin_popcountll(mask);
    uint64_t share = want_outcome ? OUTCOME_SHARE : 0;
    uint32_t wait = want_outcome ? wait_open(r, m, share * records) : 0;
    for (; mask; mask &= mask - 1) {
        unsigned to = (unsigned)__builtin_ctzll(mask);
        uint32_t n = 0;
        // A group that has members here which were not asked may come back to them.
        uint64_t visited = UINT64_C(1) << mg_shard_id(r->shard);
        for (uint32_t i = 0; i < plan->n; i++) {
            if (plan->groups[i].to != (int)to) continue;
            plan->names[n++] = plan->groups[i].name;
            if (!plan->groups[i].tried && !MG_PLANTED(origin_asked)) visited = 0;
        }
        bool plain = plan->interest.plain >> to & 1;
        send_msg(r, to, m, plain, (struct group_names){plan->names, n}, visited, wait, share);
    }
    return records;
}

// A plain message of a publisher that stays with its subject: no reply, no headers, no queue groups anywhere, small,
// and its size written as we would. What the memo remembers is all there is to decide.
static bool fits_run(const struct mg_router *r, const struct mg_match *match, const struct mg_msg *m,
                     const struct mg_memo *memo) {
    if (memo == NULL || memo->match != match) return false;
    bool stale = memo->interest != mg_interest_generation(r->others);
    if (stale && !(memo->interest && MG_PLANTED(stale_memo))) return false;
    return match->ngroups == 0 && m->reply.n == 0 && m->route.n == 0 && m->hdr_len == 0 &&
           m->payload.n < BY_REFERENCE && (m->size_text.p[0] != '0' || m->size_text.n == 1);
}

static int publish_run(struct mg_router *r, const struct mg_match *match, const struct mg_msg *m,
                       const struct mg_memo *memo, struct mg_publish_result *result) {
    for (uint64_t mask = m->reaction ? 0 : memo->shards; mask; mask &= mask - 1)
        if (mg_credit(r->shard, (unsigned)__builtin_ctzll(mask)) <= 0) return __builtin_ctzll(mask);
    for (uint32_t i = 0; i < match->nplain; i++) result->delivered += deliver_one(match->plain[i], m);
    run_send(r, memo->shards, memo->id, m);
    result->sent = (uint32_t)__builtin_popcountll(memo->shards);
    return -1;
}

static int publish_shards(struct mg_router *r, const struct mg_match *match, const struct mg_msg *m, bool want_outcome,
                          struct mg_memo *memo, struct mg_publish_result *result) {
    struct plan plan;
    if (fits_run(r, match, m, memo)) return publish_run(r, match, m, memo, result);
    mg_interest_match(r->others, mg_msg_route(m), &plan.interest);
    if (memo && memo->match == match && plan.interest.ngroups == 0) {
        memo->shards = plan.interest.plain;
        memo->interest = mg_interest_generation(r->others);
        if (fits_run(r, match, m, memo)) return publish_run(r, match, m, memo, result);
    }
    plan_groups(r, match, &plan);
    int blocked = m->reaction ? -1 : blocked_shard(r, &plan);
    if (blocked >= 0) return blocked;
    for (uint32_t i = 0; i < match->nplain; i++) result->delivered += deliver_one(match->plain[i], m);
    result->delivered += deliver_local_groups(r, &plan, m);
    result->sent = send_all(r, &plan, m, want_outcome && result->delivered == 0);
    return -1;
}

int mg_router_publish(struct mg_router *r, const struct mg_msg *m, bool want_outcome, struct mg_memo **memo,
                      struct mg_publish_result *result) {
    *result = (struct mg_publish_result){0, 0};
    const struct mg_match *match = match_memo(r, mg_msg_route(m), memo);
    if (r->others && !mg_interest_none(r->others)) {
        int blocked = publish_shards(r, match, m, want_outcome, memo ? *memo : NULL, result);
        if (blocked >= 0) return blocked;
    } else {
        result->delivered = deliver_all(r, match, m);
    }
    return -1;
}
