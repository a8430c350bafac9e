// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Records travel in batches of 64 KB. Each shard has an outbox towards each other one with two chains, interest and
// data; a post round pushes first the interest of all outboxes, then the data. So when a reaction to some data is
// published on a third shard, the interest that was sent before that data is already in every mailbox.
//
// A batch is made, charged and pooled by its sender; the receiver processes it and pushes the very same batch back,
// which returns the memory and the credit at once. Only data rings the doorbell of a sleeping shard; interest is read
// by the next input that drains anyway, and returned credit matters only to a shard that is starved for it. A sender
// that pauses on a shard rings it, since unprocessed interest alone may have used the credit up; and as long as
// somebody waits for credit, interest towards that shard rings as data does.
#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/shard/shard_impl.h"

void post_init(struct mg_shard *sh) {
    sh->out = mg_zalloc(sizeof(*sh->out) * sh->rt->n);
    for (unsigned i = 0; i < sh->rt->n; i++) {
        sh->out[i].credit = (int64_t)sh->rt->credit;
        mg_list_init(&sh->out[i].waiters);
    }
}

void post_fini(struct mg_shard *sh) {
    while (sh->pool) {
        struct batch *b = sh->pool;
        sh->pool = b->more;
        mg_free(b);
    }
    for (unsigned i = 0; i < sh->rt->n; i++) mg_assert(!sh->out[i].first[0] && !sh->out[i].first[1]);
    mg_free(sh->out);
    sh->out = NULL;
}

static struct batch *batch_new(struct mg_shard *sh, size_t need) {
    struct batch *b = sh->pool;
    if (b && need <= BATCH_CAP) {
        sh->pool = b->more;
        sh->pooled--;
    } else {
        uint32_t cap = need > BATCH_CAP ? (uint32_t)need : BATCH_CAP;
        b = mg_alloc(sizeof(*b) + cap);
        b->cap = cap;
    }
    b->owner = (uint16_t)sh->id;
    b->used = 0;
    b->charged = 0;
    b->more = NULL;
    return b;
}

static void batch_free(struct mg_shard *sh, struct batch *b) {
    if (b->cap != BATCH_CAP || sh->pooled == POOL_MAX) {
        mg_free(b);
        return;
    }
    b->more = sh->pool;
    sh->pool = b;
    sh->pooled++;
}

static struct mg_rec *post(struct mg_shard *sh, unsigned to, uint16_t kind, uint32_t size, enum batch_phase phase) {
    mg_assert(to < sh->rt->n && to != sh->id && size < INT32_MAX);
    if (MG_UNLIKELY(sh->voted)) { // to stop: shard.c
        sh->voted = false;
        atomic_fetch_sub(&sh->rt->votes, 1);
    }
    struct outbox *ob = &sh->out[to];
    size_t need = sizeof(struct mg_rec) + ((size + 7u) & ~7u);
    struct batch *b = ob->last[phase];
    if (b == NULL || b->cap - b->used < need) {
        b = batch_new(sh, need);
        b->phase = (uint8_t)phase;
        b->at = (uint16_t)to;
        if (ob->last[phase] && !MG_PLANTED(lost_batch)) ob->last[phase]->more = b;
        else ob->first[phase] = b;
        ob->last[phase] = b;
    }
    struct mg_rec *rec = (struct mg_rec *)(void *)(b->data + b->used);
    rec->size = size;
    rec->kind = kind;
    rec->from = (uint16_t)sh->id;
    b->used += (uint32_t)need;
    b->charged += need;
    ob->credit -= (int64_t)need;
    sh->unposted += need;
    sh->counters.records_sent++;
    return rec;
}

struct mg_rec *mg_post_interest(struct mg_shard *sh, unsigned to, uint16_t kind, uint32_t size) {
    return post(sh, to, kind, size, PHASE_INTEREST);
}

struct mg_rec *mg_post_data(struct mg_shard *sh, unsigned to, uint16_t kind, uint32_t size) {
    struct mg_rec *rec = post(sh, to, kind, size, PHASE_DATA);
    sh->out[to].tail = rec;
    sh->out[to].tail_seq++;
    return rec;
}

uint64_t mg_post_seq(const struct mg_shard *sh, unsigned to) { return sh->out[to].tail_seq; }

char *mg_post_extend(struct mg_shard *sh, unsigned to, uint64_t seq, uint32_t more) {
    struct outbox *ob = &sh->out[to];
    struct batch *b = ob->last[PHASE_DATA];
    if (ob->tail_seq != seq || b == NULL) return NULL;
    uint32_t size = ob->tail->size;
    uint32_t grown = ((size + more + 7u) & ~7u) - ((size + 7u) & ~7u);
    if (b->cap - b->used < grown) return NULL;
    ob->tail->size = size + more;
    b->used += grown;
    b->charged += grown;
    ob->credit -= grown;
    sh->unposted += grown;
    return ob->tail->body + size;
}

void mg_post_charge(struct mg_shard *sh, unsigned to, uint64_t bytes) {
    struct outbox *ob = &sh->out[to];
    mg_assert(ob->last[PHASE_DATA] != NULL);
    ob->last[PHASE_DATA]->charged += bytes;
    ob->credit -= (int64_t)bytes;
    sh->unposted += bytes;
}

int64_t mg_credit(const struct mg_shard *sh, unsigned to) { return sh->out[to].credit; }

static void ring(struct mg_shard *sh, struct mg_shard *to, enum mg_sleep level) {
    if (!mg_mailbox_must_ring(&to->mailbox, level)) return;
    sh->counters.doorbells++;
    if (MG_PLANTED(lost_doorbell) && sh->counters.doorbells % 8 == 0) return;
    mg_loop_wake(to->loop);
}

void mg_credit_wait(struct mg_shard *sh, unsigned to, struct mg_credit_waiter *w) {
    mg_assert(mg_list_empty(&w->link) && to != sh->id);
    if (MG_PLANTED(last_in_first_out)) mg_list_push_front(&sh->out[to].waiters, &w->link);
    else mg_list_push_back(&sh->out[to].waiters, &w->link);
    sh->counters.credit_waits++;
    post_round(sh);
    if (!MG_PLANTED(silent_wait)) ring(sh, sh->rt->shards[to], MG_ASLEEP);
}

bool post_pending(const struct mg_shard *sh) { return sh->unposted != 0; }

static void post_to(struct mg_shard *sh, unsigned to, enum batch_phase phase) {
    struct outbox *ob = &sh->out[to];
    if (ob->first[phase] == NULL) return;
    struct mg_shard *target = sh->rt->shards[to];
    struct batch *b = ob->first[phase];
    ob->first[phase] = ob->last[phase] = NULL;
    while (b) {
        struct batch *more = b->more;
        b->more = NULL;
        sh->in_flight++;
        sh->counters.batches_sent++;
        sh->counters.bytes_sent += b->used;
        mg_mailbox_push(&target->mailbox, &b->mail);
        mg_loop_switch_point();
        b = more;
    }
    // Interest that nobody is held for may still be what keeps the credit away from one who waits.
    if (phase == PHASE_DATA || !mg_list_empty(&ob->waiters)) ring(sh, target, MG_ASLEEP);
}

void post_round(struct mg_shard *sh) {
    if (sh->unposted == 0) return;
    sh->unposted = 0;
    for (unsigned to = 0; to < sh->rt->n; to++) {
        post_to(sh, to, PHASE_INTEREST);
        if (MG_PLANTED(one_phase)) post_to(sh, to, PHASE_DATA);
    }
    for (unsigned to = 0; to < sh->rt->n; to++) post_to(sh, to, PHASE_DATA);
}

void post_send_home(struct mg_shard *sh, struct batch *b) {
    struct mg_shard *owner = sh->rt->shards[b->owner];
    b->phase = PHASE_HOME;
    mg_mailbox_push(&owner->mailbox, &b->mail);
    mg_loop_switch_point();
    if (!MG_PLANTED(silent_return)) ring(sh, owner, MG_STARVED);
}

void post_came_home(struct mg_shard *sh, struct batch *b) {
    struct outbox *ob = &sh->out[b->at];
    mg_assert(b->owner == sh->id && sh->in_flight > 0);
    sh->in_flight--;
    ob->credit += (int64_t)(MG_PLANTED(lost_charge) ? b->used : b->charged);
    mg_assert(ob->credit <= (int64_t)sh->rt->credit);
    // Hysteresis: below half of the credit nobody is resumed.
    if (ob->credit >= (int64_t)(sh->rt->credit / 2)) ob->resumable += RESUME_AT_ONCE;
    batch_free(sh, b);
}

bool post_resume(struct mg_shard *sh) {
    for (unsigned to = 0; to < sh->rt->n; to++) {
        struct outbox *ob = &sh->out[to];
        unsigned n = ob->resumable;
        ob->resumable = 0;
        while (n > 0 && !mg_list_empty(&ob->waiters) && ob->credit > 0) {
            struct mg_credit_waiter *w = mg_container_of(ob->waiters.next, struct mg_credit_waiter, link);
            mg_list_remove(&w->link);
            n--;
            w->resume(w);
        }
    }
    // Everything has come home and somebody still waits: no return will come that could resume them. All outboxes are
    // looked at again, since a resumed input drains the mailbox, and what comes home then may be of any of them.
    bool more = false;
    if (MG_PLANTED(lost_waiter)) return more;
    for (unsigned to = 0; to < sh->rt->n; to++) {
        struct outbox *ob = &sh->out[to];
        if (mg_list_empty(&ob->waiters) || ob->credit < (int64_t)(sh->rt->credit / 2)) continue;
        ob->resumable = RESUME_AT_ONCE;
        more = true;
    }
    return more;
}
