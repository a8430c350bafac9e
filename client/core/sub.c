// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Subscriptions: the caller's table, and what must be said about its entries.
//
// A handle is the entry's number plus one and, above, how often the entry was used; it is the sid on the wire, so a
// message for a subscription that is gone finds nobody. While not connected nothing is said: the entry is marked as
// owed, and each connection begins with what is owed, before anything that waits in the send buffer. UNSUB never fails
// for want of room; it is owed too.
#include "client/core/internal.h"

midge_sub *mgc_sub(const midge *m, int32_t handle) {
    uint32_t i = (uint32_t)(handle & MGC_HANDLE_MASK) - 1;
    if (handle <= 0 || i >= m->subs_used) return NULL;
    midge_sub *s = &m->config.subs[i];
    return s->handle == handle && (s->flags & MGC_SUB_USED) && !(s->flags & MGC_SUB_GONE) ? s : NULL;
}

static midge_sub *take(midge *m) {
    midge_sub *s;
    if (m->subs_free != MGC_NONE) {
        s = &m->config.subs[m->subs_free];
        m->subs_free = s->mark;
    } else if (m->subs_used < m->config.subs_len) {
        s = &m->config.subs[m->subs_used++];
        s->handle = (int32_t)m->subs_used;
    } else {
        return NULL;
    }
    s->received = s->before = s->max = s->mark = 0;
    s->flags = MGC_SUB_USED;
    return s;
}

static bool owes(const midge_sub *s) {
    return (s->flags & (MGC_SUB_GONE | MGC_SUB_LIMIT)) || ((s->flags & MGC_SUB_DRAIN) && !s->mark);
}

void mgc_sub_free(midge *m, midge_sub *s) {
    if (owes(s)) m->unsubs_owed--;
    if (s->flags & MGC_SUB_OWED) m->subs_owed--;
    if (s->flags & MGC_SUB_DRAIN) m->subs_draining--;
    s->flags = 0;
    s->handle = (int32_t)(((uint32_t)s->handle + (1u << MGC_HANDLE_BITS)) & INT32_MAX);
    s->mark = m->subs_free;
    m->subs_free = (uint32_t)(s - m->config.subs);
}

// "SUB ", three blanks and the line end; "UNSUB ", a blank and the line end; four numbers
static size_t line_size(const midge_sub *s) { return s->subject.n + s->queue.n + 17 + 3 * MGC_U32_MAX; }

static uint8_t *put_sub(uint8_t *p, const midge_sub *s) {
    p = mgc_put_str(MGC_PUT(p, "SUB "), s->subject);
    *p++ = ' ';
    if (s->queue.n) {
        p = mgc_put_str(p, s->queue);
        *p++ = ' ';
    }
    return MGC_PUT(mgc_put_u32(p, (uint32_t)s->handle), "\r\n");
}

// The server counts what it delivers on this connection.
static uint8_t *put_unsub(uint8_t *p, const midge_sub *s) {
    p = mgc_put_u32(MGC_PUT(p, "UNSUB "), (uint32_t)s->handle);
    if (s->max && !(s->flags & (MGC_SUB_GONE | MGC_SUB_DRAIN))) {
        *p++ = ' ';
        p = mgc_put_u32(p, s->max - s->before);
    }
    return MGC_PUT(p, "\r\n");
}

int32_t midge_subscribe(midge *m, midge_str subject, midge_str queue, midge_msg_fn fn, void *user) {
    if (m->phase == MGC_CLOSED) return MIDGE_ECLOSED;
    if (m->drain) return MIDGE_EDRAINING;
    if (!fn) return MIDGE_EINVAL;
    if (!mgc_subject_ok(subject, true) || (queue.n && !mgc_subject_ok(queue, true))) return MIDGE_ESUBJECT;
    // It must fit both buffers, or it could never be said (again).
    size_t size = m->config.recv_size < m->config.send_size ? m->config.recv_size : m->config.send_size;
    if (subject.n > size || queue.n > size || subject.n + queue.n + 47 > size) return MIDGE_ETOOLARGE;
    midge_sub *s = take(m);
    if (!s) return MIDGE_ETABLE;
    s->fn = fn;
    s->user = user;
    s->subject = subject;
    s->queue = queue;
    if (m->phase == MGC_UP && !m->subs_owed) {
        uint8_t *p = mgc_room(m, line_size(s));
        if (!p) {
            mgc_sub_free(m, s);
            return MIDGE_EFULL;
        }
        mgc_wrote(m, put_sub(p, s));
    } else {
        uint32_t i = (uint32_t)(s - m->config.subs);
        s->flags |= MGC_SUB_OWED;
        m->subs_owed++;
        if (i < m->subs_next) m->subs_next = i;
    }
    return s->handle;
}

// Says UNSUB, or keeps it in mind: the caller has set the flag that owes it. The end of a drain is the PONG for the
// next PING, which the caller says: one for many.
static bool say_unsub(midge *m, midge_sub *s) {
    uint8_t *p = mgc_room(m, line_size(s));
    if (!p) return false;
    mgc_wrote(m, put_unsub(p, s));
    if (s->flags & MGC_SUB_GONE) {
        mgc_sub_free(m, s);
        return true;
    }
    m->unsubs_owed--;
    s->flags &= ~(uint32_t)MGC_SUB_LIMIT;
    if (s->flags & MGC_SUB_DRAIN) s->mark = m->owe_ping ? m->pings : m->pings + 1;
    return true;
}

static void owe_unsub(midge *m, midge_sub *s, uint32_t flag) {
    if (!owes(s)) m->unsubs_owed++;
    s->flags |= flag;
    say_unsub(m, s);
}

void mgc_subs_pay(midge *m) {
    bool ping = false;
    for (uint32_t i = 0; i < m->subs_used && m->unsubs_owed; i++) {
        midge_sub *s = &m->config.subs[i];
        if (!owes(s)) continue;
        if (!say_unsub(m, s)) break;
        if (s->flags & MGC_SUB_DRAIN) ping = true;
    }
    if (ping) mgc_ping(m);
}

// The server does not know it: nothing needs saying.
static bool unknown(const midge *m, const midge_sub *s) { return m->phase != MGC_UP || (s->flags & MGC_SUB_OWED); }

int midge_unsubscribe(midge *m, int32_t sub, uint32_t max) {
    midge_sub *s = mgc_sub(m, sub);
    if (!s) return MIDGE_EINVAL;
    bool now = max <= s->before + s->received;
    // A drain whose UNSUB was said needs no other one.
    bool tell = !unknown(m, s) && !((s->flags & MGC_SUB_DRAIN) && s->mark);
    if (!now) s->max = max;
    if (tell) {
        owe_unsub(m, s, now ? MGC_SUB_GONE : MGC_SUB_LIMIT);
    } else if (now) {
        mgc_sub_free(m, s);
    }
    return 0;
}

static void drain(midge *m, midge_sub *s) {
    if (s->flags & MGC_SUB_DRAIN) return;
    if (unknown(m, s)) {
        mgc_sub_free(m, s);
        return;
    }
    if (!owes(s)) m->unsubs_owed++;
    s->flags = (s->flags & ~(uint32_t)MGC_SUB_LIMIT) | MGC_SUB_DRAIN;
    m->subs_draining++;
}

int midge_drain_sub(midge *m, int32_t sub) {
    midge_sub *s = mgc_sub(m, sub);
    if (!s) return MIDGE_EINVAL;
    drain(m, s);
    if (owes(s) && say_unsub(m, s)) mgc_ping(m);
    return 0;
}

bool midge_sub_alive(const midge *m, int32_t sub) { return mgc_sub(m, sub) != NULL; }

void mgc_subs_drain(midge *m) {
    for (uint32_t i = 0; i < m->subs_used; i++) {
        midge_sub *s = &m->config.subs[i];
        if (s->flags & MGC_SUB_USED && !(s->flags & MGC_SUB_GONE) && s->handle != m->inbox_sub) drain(m, s);
    }
    mgc_subs_pay(m);
}

void mgc_subs_pong(midge *m) {
    for (uint32_t i = 0; i < m->subs_used && m->subs_draining; i++) {
        midge_sub *s = &m->config.subs[i];
        if (s->flags & MGC_SUB_DRAIN && s->mark && (int32_t)(m->pongs - s->mark) >= 0) mgc_sub_free(m, s);
    }
}

void mgc_subs_cut(midge *m) {
    for (uint32_t i = 0; i < m->subs_used; i++) {
        midge_sub *s = &m->config.subs[i];
        if (!(s->flags & MGC_SUB_USED)) continue;
        if (s->flags & (MGC_SUB_GONE | MGC_SUB_DRAIN)) {
            mgc_sub_free(m, s);
            continue;
        }
        if (owes(s)) m->unsubs_owed--;
        if (!(s->flags & MGC_SUB_OWED)) m->subs_owed++;
        s->flags = MGC_SUB_USED | MGC_SUB_OWED;
        s->before += s->received;
        s->received = 0;
    }
    m->subs_next = 0;
}

// From the middle of what is free, so that reading goes on beside it; from further ahead only if not even one SUB would
// fit. A message that is coming and needs more goes first.
void mgc_subs_aside(midge *m) {
    size_t room = mgc_input_free(m), start = room / 2, at = start;
    uint8_t *p = m->config.recv_buf + m->recv_end;
    if (m->line && m->line + m->total + 2 > m->recv_end - m->recv_at + start) return;
    for (; m->subs_next < m->subs_used && m->subs_owed; m->subs_next++) {
        midge_sub *s = &m->config.subs[m->subs_next];
        if (!(s->flags & MGC_SUB_OWED)) continue;
        size_t n = line_size(s);
        if (n > room - at) {
            if (at > start || n > room) break;
            start = at = room - n;
        }
        s->flags &= ~(uint32_t)MGC_SUB_OWED;
        m->subs_owed--;
        uint8_t *end = put_sub(p + at, s);
        if (s->max) end = put_unsub(end, s);
        at = (size_t)(end - p);
    }
    m->aside_at = m->recv_end + start;
    m->aside_n = at - start;
}

bool mgc_deliver(midge *m, midge_msg *msg) {
    midge_sub *s = mgc_sub(m, msg->sub);
    if (!s) return false;
    midge_msg_fn fn = s->fn;
    void *user = s->user;
    s->received++;
    // The server has forgotten it as well. Gone before the callback, so that it may subscribe again.
    if (s->max && s->received >= s->max - s->before) mgc_sub_free(m, s);
    fn(m, msg, user);
    return true;
}

int midge_replace_subs(midge *m, midge_sub *subs, uint32_t len) {
    if (!subs || len <= m->config.subs_len || len > MGC_TABLE_MAX) return MIDGE_EINVAL;
    if (m->subs_used) memcpy(subs, m->config.subs, m->subs_used * sizeof(*subs));
    m->config.subs = subs;
    m->config.subs_len = len;
    return 0;
}
