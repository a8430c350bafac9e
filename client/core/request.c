// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Requests over one shared inbox.
//
// The first request subscribes "<prefix>.<id>.*"; each has the reply subject "<prefix>.<id>.<token>", where the token
// names its slot and the slot's generation, so a late answer to a slot that is used again finds nobody. Deadlines are a
// binary heap inside of the table: link[0] of entry i says which slot has place i of the heap, link[1] of a slot which
// place it has. 100,000 open requests cost a tick nothing, and an answer some 17 steps.
#include "client/core/internal.h"

enum { OPEN = 1, MANY = 2, SENTINEL = 4, ANSWERED = 8, UNLIMITED = 16 };

static bool sooner(const midge_request_slot *t, uint32_t a, uint32_t b) {
    return (int32_t)(t[a].deadline - t[b].deadline) < 0;
}

static void place(midge_request_slot *t, uint32_t at, uint32_t slot) {
    t[at].link[0] = slot;
    t[slot].link[1] = at;
}

// Moves the slot to where it belongs, from the free place `at`.
static void settle(midge *m, uint32_t at, uint32_t slot) {
    midge_request_slot *t = m->config.requests;
    while (at && sooner(t, slot, t[(at - 1) / 2].link[0])) {
        place(t, at, t[(at - 1) / 2].link[0]);
        at = (at - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= m->requests_open) break;
        if (child + 1 < m->requests_open && sooner(t, t[child + 1].link[0], t[child].link[0])) child++;
        if (!sooner(t, t[child].link[0], slot)) break;
        place(t, at, t[child].link[0]);
        at = child;
    }
    place(t, at, slot);
}

static void release(midge *m, uint32_t slot) {
    midge_request_slot *t = m->config.requests;
    uint32_t at = t[slot].link[1], last = t[--m->requests_open].link[0];
    if (last != slot) settle(m, at, last);
    t[slot].flags = 0;
    t[slot].generation++;
    t[slot].link[1] = m->requests_free;
    m->requests_free = slot;
}

// The last call of a request.
static void finish(midge *m, uint32_t slot, int err, const midge_msg *msg) {
    const midge_request_slot *s = &m->config.requests[slot];
    midge_reply_fn fn = s->fn;
    void *user = s->user;
    release(m, slot);
    fn(m, err, msg, user);
}

static bool get_letters(const char *p, size_t letters, uint32_t *n) {
    *n = 0;
    for (size_t i = letters; i--;) {
        const char *letter = mgc_find(mgc_alphabet, p[i], sizeof(mgc_alphabet));
        if (!letter) return false;
        *n = *n << 6 | (uint32_t)(letter - mgc_alphabet);
    }
    return true;
}

static void one_of_many(midge *m, uint32_t slot, const midge_msg *msg) {
    midge_request_slot *s = &m->config.requests[slot];
    uint32_t generation = s->generation;
    if ((s->flags & SENTINEL) && !msg->data.n) {
        finish(m, slot, 0, NULL);
        return;
    }
    s->flags |= ANSWERED;
    if (!(s->flags & UNLIMITED)) s->left--;
    if (s->stall) {
        uint32_t stalled = m->now + s->stall;
        s->deadline = (int32_t)(stalled - s->end) < 0 ? stalled : s->end;
        settle(m, s->link[1], slot);
    }
    s->fn(m, 0, msg, s->user);
    s = &m->config.requests[slot];
    if ((s->flags & OPEN) && s->generation == generation && !s->left) finish(m, slot, 0, NULL);
}

static void reply(midge *m, const midge_msg *msg, void *user) {
    uint32_t slot, generation;
    (void)user;
    if (msg->subject.n != m->inbox_n - 1u + MGC_TOKEN_LEN) return;
    const char *token = msg->subject.p + m->inbox_n - 1;
    if (!get_letters(token, 4, &slot) || !get_letters(token + 4, 6, &generation) || slot >= m->requests_used) return;
    midge_request_slot *s = &m->config.requests[slot];
    if (!(s->flags & OPEN) || s->generation != generation) return;
    // spec/client-protocol.md A7: nobody has subscribed to the subject
    if (msg->status == 503 && !msg->data.n) {
        finish(m, slot, MIDGE_ENORESPONDERS, NULL);
    } else if (s->flags & MANY) {
        one_of_many(m, slot, msg);
    } else {
        finish(m, slot, 0, msg);
    }
}

static int open_inbox(midge *m) {
    if (m->inbox_sub) return 0;
    char *end = mgc_inbox(m, m->inbox);
    *end++ = '.';
    *end++ = '*';
    midge_str subject = {m->inbox, (size_t)(end - m->inbox)};
    int32_t sub = midge_subscribe(m, subject, MIDGE_NONE, reply, NULL);
    if (sub < 0) return sub;
    m->inbox_sub = sub;
    m->inbox_n = (uint8_t)subject.n;
    return 0;
}

int32_t midge_request(midge *m, midge_str subject, midge_str headers, const void *data, size_t len,
                      const midge_request_opts *opts, midge_reply_fn fn, void *user) {
    static const midge_request_opts none = {0};
    if (!opts) opts = &none;
    if (!fn) return MIDGE_EINVAL;
    if (m->phase == MGC_CLOSED) return MIDGE_ECLOSED;
    if (m->drain) return MIDGE_EDRAINING;
    midge_request_slot *t = m->config.requests;
    bool fresh = m->requests_free == MGC_NONE;
    uint32_t slot = fresh ? m->requests_used : m->requests_free;
    if (slot >= m->config.requests_len) return MIDGE_ETABLE;
    int err = open_inbox(m);
    if (err) return err;
    uint32_t generation = fresh ? 0 : t[slot].generation;
    char *token = m->inbox + m->inbox_n - 1; // in place of the wildcard, for a moment
    mgc_put_letters(mgc_put_letters(token, slot, 4), generation, 6);
    midge_str reply = {m->inbox, m->inbox_n - 1u + MGC_TOKEN_LEN};
    m->wildcards = opts->wildcards;
    err = midge_publish_full(m, subject, reply, headers, data, len);
    m->wildcards = false;
    *token = '*';
    if (err) return err;

    if (fresh) {
        m->requests_used++;
    } else {
        m->requests_free = t[slot].link[1];
    }
    midge_request_slot *s = &t[slot];
    s->fn = fn;
    s->user = user;
    s->generation = generation;
    s->end = s->deadline = m->now + (opts->timeout ? opts->timeout : 5000);
    s->stall = opts->stall;
    s->left = opts->max_replies;
    s->flags = (uint16_t)(OPEN | (opts->max_replies > 1 ? MANY : 0) | (opts->sentinel ? SENTINEL : 0) |
                          (opts->max_replies == UINT16_MAX ? UNLIMITED : 0));
    settle(m, m->requests_open++, slot);
    return (int32_t)((generation << MGC_HANDLE_BITS & INT32_MAX) | (slot + 1));
}

int midge_request_cancel(midge *m, int32_t request) {
    uint32_t slot = (uint32_t)(request & MGC_HANDLE_MASK) - 1;
    if (request <= 0 || slot >= m->requests_used) return MIDGE_EINVAL;
    const midge_request_slot *s = &m->config.requests[slot];
    if (!(s->flags & OPEN) || ((s->generation << MGC_HANDLE_BITS & INT32_MAX) | (slot + 1)) != (uint32_t)request)
        return MIDGE_EINVAL;
    release(m, slot);
    return 0;
}

void mgc_requests_tick(midge *m) {
    while (m->requests_open) {
        const midge_request_slot *t = m->config.requests;
        uint32_t slot = t[0].link[0];
        if (!mgc_due(m, t[slot].deadline)) return;
        finish(m, slot, t[slot].flags & ANSWERED ? 0 : MIDGE_ETIMEOUT, NULL);
    }
}

void mgc_requests_end(midge *m) {
    while (m->requests_open) finish(m, m->config.requests[0].link[0], MIDGE_ECLOSED, NULL);
}

int midge_replace_requests(midge *m, midge_request_slot *requests, uint32_t len) {
    if (!requests || len <= m->config.requests_len || len > MGC_TABLE_MAX) return MIDGE_EINVAL;
    if (m->requests_used) memcpy(requests, m->config.requests, m->requests_used * sizeof(*requests));
    m->config.requests = requests;
    m->config.requests_len = len;
    return 0;
}
