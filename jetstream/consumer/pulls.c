// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Pull requests: which are let in, which gets the message at hand, and how they end (spec/jetstream-consumers.md 10,
// 11, 19.1). Each request ends exactly once: with a status, silently when it got all that it asked for, or without a
// word when nobody listens any more. The queue is freed with its last request.
#include "jetstream/consumer/consumer_impl.h"

#include <inttypes.h>
#include <stdio.h>

#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/base/timefmt.h"

void consumer_drop_waiter(struct mg_js_consumer *c, struct mg_js_waiter *w) {
    mg_js_waiting_remove(c->waiting, w);
    if (c->waiting->len > 0) return;
    mg_free(c->waiting);
    c->waiting = NULL;
}

static void end_pending(struct mg_js_consumer *c, struct mg_js_waiter *w, const char *text) {
    consumer_status_pending(c, w, text);
    consumer_drop_waiter(c, w);
}

void consumer_used(struct mg_js_consumer *c, int64_t now) {
    if (MG_PLANTED(used_in_vain)) return;
    c->used = now;
    consumer_arm_inactive(c, now);
}

// ---- those who wait -------------------------------------------------------------------------------------------------

// True: it has ended.
static bool check_waiter(struct mg_js_consumer *c, int64_t now, struct mg_js_waiter *w, bool at_end) {
    if (w->expires <= now) {
        end_pending(c, w, "408 Request Timeout");
        return true;
    }
    if (at_end && w->no_wait && (w->expires == MG_JS_NEVER || w->given > 0)) {
        consumer_status(c, mg_js_waiter_reply(w), "404 No Messages");
        consumer_drop_waiter(c, w);
        return true;
    }
    if (c->env->ops->interest(c->app, mg_js_waiter_reply(w)) != MG_JS_INTEREST_YES) {
        consumer_drop_waiter(c, w);
        return true;
    }
    if (w->next_heartbeat <= now) {
        consumer_heartbeat(c, mg_js_waiter_reply(w));
        w->next_heartbeat = consumer_later(now, w->heartbeat);
    }
    return false;
}

static void check_all(struct mg_js_consumer *c, int64_t now, bool at_end) {
    int64_t wake = MG_JS_NEVER;
    c->waiting->checked = now;
    for (struct mg_list *l = c->waiting->queue.next, *next; c->waiting != NULL && l != &c->waiting->queue; l = next) {
        struct mg_js_waiter *w = mg_container_of(l, struct mg_js_waiter, link);
        next = l->next;
        if (check_waiter(c, now, w, at_end)) continue;
        if (w->expires < wake) wake = w->expires;
        if (w->next_heartbeat < wake) wake = w->next_heartbeat;
    }
    if (c->waiting != NULL) c->waiting->wake = wake;
}

void consumer_check_waiting(struct mg_js_consumer *c, int64_t now, bool at_end) {
    if (c->waiting == NULL) return;
    // At the end of the stream only one-shot requests and due ones need a look: the end is reached all the time.
    if (at_end && c->waiting->one_shots == 0 && c->waiting->wake > now) return;
    check_all(c, now, at_end);
}

void mg_js_consumer_interest_changed(struct mg_js_consumer *c, int64_t now) {
    if (c->waiting != NULL) check_all(c, now, false);
}

static void end_all(struct mg_js_consumer *c, const char *text, bool pending) {
    while (c->waiting != NULL) {
        struct mg_js_waiter *w = mg_js_waiting_head(c->waiting);
        if (pending) consumer_status_pending(c, w, text);
        else consumer_status(c, mg_js_waiter_reply(w), text);
        consumer_drop_waiter(c, w);
    }
}

void mg_js_consumer_say_deleted(struct mg_js_consumer *c) { end_all(c, "409 Consumer Deleted", false); }
void mg_js_consumer_say_shutdown(struct mg_js_consumer *c) { end_all(c, "409 Server Shutdown", true); }
void mg_js_consumer_say_leader_change(struct mg_js_consumer *c) { end_all(c, "409 Leadership Change", false); }

// ---- who gets the message at hand -----------------------------------------------------------------------------------

enum verdict { TAKES, WAITS, ENDED };

// Policies of priority groups (spec 11). WAITS: not its turn, it goes to the end.
static enum verdict check_pin(struct mg_js_consumer *c, struct mg_js_waiter *w) {
    if (c->rules->priority != MG_JS_PRIORITY_PINNED) return TAKES;
    if (mg_js_waiter_id(w).n == 0) return c->pin == NULL || MG_PLANTED(pin_unheeded) ? TAKES : WAITS;
    if (c->pin != NULL && mg_slice_eq(mg_js_waiter_id(w), pin_id(c))) return TAKES;
    end_pending(c, w, "423 Nats-Wrong-Pin-Id");
    return ENDED;
}

static enum verdict check_overflow(const struct mg_js_consumer *c, const struct mg_js_waiter *w, bool first) {
    if (c->rules->priority != MG_JS_PRIORITY_OVERFLOW) return TAKES;
    const struct mg_js_waiter_group *g = w->group;
    if (g == NULL || (g->min_pending <= 0 && g->min_ack_pending <= 0)) return TAKES;
    uint64_t pending = c->num_pending + (first ? 0 : 1) + MG_PLANTED(one_below); // the one at hand counts
    if (g->min_pending > 0 && pending >= (uint64_t)g->min_pending) return TAKES;
    if (g->min_ack_pending > 0 && c->state.pending.live >= g->min_ack_pending) return TAKES;
    return WAITS;
}

static enum verdict check_interest(struct mg_js_consumer *c, struct mg_js_waiter *w) {
    enum mg_js_interest interest = c->env->ops->interest(c->app, mg_js_waiter_reply(w));
    if (interest == MG_JS_INTEREST_YES) return TAKES;
    if (interest == MG_JS_INTEREST_NO_REMAPPED) consumer_status_pending(c, w, "408 Interest Expired");
    consumer_drop_waiter(c, w);
    return ENDED;
}

// spec 19.1, 6, in this order.
static enum verdict judge(struct mg_js_consumer *c, int64_t now, struct mg_js_waiter *w, size_t size, bool first) {
    if (w->expires <= now) {
        end_pending(c, w, "408 Request Timeout");
        return ENDED;
    }
    enum verdict v = check_pin(c, w);
    if (v == TAKES) v = check_overflow(c, w, first);
    if (v != TAKES) return v;
    if (w->bytes_left > 0 && size > (uint64_t)w->bytes_left) {
        end_pending(c, w, "409 Message Size Exceeds MaxBytes");
        return ENDED;
    }
    return check_interest(c, w);
}

static void take(struct mg_js_consumer *c, int64_t now, struct mg_js_waiter *w, size_t size) {
    int64_t left = w->left;
    if (w->bytes_left > 0) {
        w->bytes_left -= (int64_t)size;
        if (w->bytes_left == 0) left = 1; // this one and no more
    }
    w->given++;
    mg_js_waiting_want(c->waiting, w, left - 1);
    // A request that is no object has no group, and is not pinned.
    bool pins = c->rules->priority == MG_JS_PRIORITY_PINNED && c->pin == NULL;
    if (pins && mg_js_waiter_group(w).n > 0) pin_set(c, now, w);
}

struct mg_js_waiter *consumer_next_waiter(struct mg_js_consumer *c, int64_t now, size_t size, bool first_delivery) {
    for (uint32_t cycled = 0; c->waiting != NULL && cycled < c->waiting->len;) {
        struct mg_js_waiter *w = mg_js_waiting_head(c->waiting);
        enum verdict v = judge(c, now, w, size, first_delivery);
        if (v == TAKES) {
            take(c, now, w, size);
            return w;
        }
        if (v == ENDED) continue;
        mg_js_waiting_cycle(c->waiting, w, false);
        cycled++;
    }
    return NULL;
}

// ---- admission ------------------------------------------------------------------------------------------------------

static bool group_known(const struct mg_js_consumer_rules *r, mg_slice group) {
    for (unsigned i = 0; i < r->groups_len; i++)
        if (mg_slice_eq(r->groups[i], group)) return true;
    return false;
}

// The text of a refusal, or NULL.
static const char *check_priority(const struct mg_js_consumer_rules *r, const struct mg_js_request *q) {
    if (!q->json) return NULL;
    if ((q->min_pending != 0 || q->min_ack_pending != 0) && r->priority != MG_JS_PRIORITY_OVERFLOW)
        return "400 Bad Request - Not a Overflow Priority consumer";
    if (q->id.n > 0 && r->priority != MG_JS_PRIORITY_PINNED)
        return "400 Bad Request - Not a Pinned Client Priority consumer";
    if (q->priority < 0 || q->priority > 9) return "400 Bad Request - Priority must be between 0 and 9";
    if (r->priority == MG_JS_PRIORITY_NONE) return NULL;
    if (q->group.n == 0) return "400 Bad Request - Priority Group missing";
    if (!group_known(r, q->group)) return "400 Bad Request - Invalid Priority Group";
    return NULL;
}

// True: refused, text is written to out.
static bool over_limit(const struct mg_js_consumer_rules *r, const struct mg_js_request *q, char *out, size_t size) {
    char duration[40];
    if (r->max_batch > 0 && q->batch > r->max_batch)
        snprintf(out, size, "409 Exceeded MaxRequestBatch of %" PRId64, r->max_batch);
    else if (r->max_expires > 0 && q->expires > r->max_expires)
        snprintf(out, size, "409 Exceeded MaxRequestExpires of %s", mg_fmt_duration(duration, r->max_expires));
    else if (r->max_bytes > 0 && q->max_bytes > r->max_bytes)
        snprintf(out, size, "409 Exceeded MaxRequestMaxBytes of %" PRId64, r->max_bytes);
    else
        return false;
    return true;
}

// True: the active pin is somebody else's.
static bool pin_mismatch(struct mg_js_consumer *c, int64_t now, const struct mg_js_request *q) {
    if (c->pin == NULL || !q->json || q->id.n == 0) return false;
    if (!mg_slice_eq(q->id, pin_id(c))) return true;
    c->pin->until = consumer_later(now, c->rules->pin_timeout); // fed by pulls only
    return false;
}

// spec 10.3, 7: the status for a request that does not wait, or NULL: it becomes a one-shot. The messages it does not
// see may be removed on the way to the disk only: it says what there is to deliver now, and promises nothing.
static const char *no_wait_gate(struct mg_js_consumer *c, int64_t now, const struct mg_js_request *q) {
    uint64_t pending = c->num_pending + c->state.pending.queued;
    if (pending == 0) return q->expires == 0 ? "404 No Messages" : NULL;
    consumer_check_waiting(c, now, false);
    if (c->waiting != NULL && pending < (uint64_t)c->waiting->batches) return "408 Requests Pending";
    return NULL;
}

static bool full(struct mg_js_consumer *c, int64_t now) {
    if (c->waiting == NULL || c->waiting->len < c->rules->max_waiting) return c->rules->max_waiting == 0;
    if (now - c->waiting->checked > MG_JS_SECOND) check_all(c, now, false);
    return c->waiting != NULL && c->waiting->len >= c->rules->max_waiting;
}

static void enqueue(struct mg_js_consumer *c, int64_t now, mg_slice reply, const struct mg_js_request *q) {
    const char *refusal = NULL;
    full(c, now); // drops dead ones before no_wait counts them
    if (q->no_wait) refusal = no_wait_gate(c, now, q);
    if (refusal != NULL) {
        consumer_status(c, reply, refusal);
        consumer_used(c, now);
        return;
    }
    if (full(c, now)) {
        // With a heartbeat it is dropped silently: the client notices that, and does not ask again at once.
        if (q->heartbeat == 0) consumer_status(c, reply, "409 Exceeded MaxWaiting");
        return;
    }
    if (c->waiting == NULL) {
        c->waiting = mg_alloc(sizeof *c->waiting);
        mg_js_waiting_init(c->waiting);
    }
    mg_js_waiting_add(c->waiting, q, reply, now, c->rules->priority == MG_JS_PRIORITY_PRIORITIZED);
    c->no_taker = false;
    consumer_used(c, now);
}

static void admit(struct mg_js_consumer *c, int64_t now, mg_slice reply, const struct mg_js_request *q) {
    char limit[96];
    const char *refusal;
    if (over_limit(c->rules, q, limit, sizeof limit)) {
        consumer_status(c, reply, limit);
    } else if ((refusal = check_priority(c->rules, q)) != NULL) {
        consumer_status(c, reply, refusal);
    } else if (pin_mismatch(c, now, q)) {
        consumer_status(c, reply, "423 Nats-Pin-Id mismatch");
    } else {
        enqueue(c, now, reply, q);
    }
}

void mg_js_consumer_pull(struct mg_js_consumer *c, int64_t now, mg_slice reply, mg_slice body) {
    if (reply.n == 0) return;
    if (consumer_is_push(c)) {
        consumer_status(c, reply, "409 Consumer is push based");
        return;
    }
    struct mg_js_request q;
    struct mg_buf text = MG_BUF_INIT;
    mg_buf_adds(&text, "400 Bad Request - ");
    if (mg_js_request_read(body, &q, &text) != 0) {
        mg_buf_addc(&text, 0);
        consumer_status(c, reply, text.p);
    } else {
        admit(c, now, reply, &q);
    }
    mg_js_request_fini(&q);
    mg_buf_fini(&text);
}
