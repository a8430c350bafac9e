// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Bytes out: the send buffer.
//
//      send_buf  |  written, but of a command that is not  |  not written  |   free  |
//                ^ send_base                               ^ send_at       ^ send_end
//
// Publishing is a bounds check and a copy to send_end. What was written is not looked at until its place is needed or
// the connection is cut; only then the commands are walked, from send_base on: their text says how long they are. So a
// command that was cut in its middle is still there and is sent again whole. A cut also throws away what belongs to the
// old connection (SUB, UNSUB, PING, PONG): only messages wait for the next one.
//
// The handshake and the SUBs after it must go first, whatever waits here. They are made in the free part of the receive
// buffer (`aside`). Reading goes on in front of them, as a server may not read before it could write; only a message
// that is larger than what is left there waits until they are written, and if they never are the connection is stale.
#include "client/core/internal.h"

// Of PUB, HPUB, SUB, UNSUB, PING, PONG.
static bool is_message(const uint8_t *p) { return p[0] == 'H' || (p[0] == 'P' && p[1] == 'U'); }

// The command at p, which we have written, with its payload.
static size_t command_len(const uint8_t *p) {
    const uint8_t *end = p;
    while (*end != '\n') end++;
    size_t n = (size_t)(end - p) + 1;
    if (!is_message(p)) return n;
    size_t payload = 0, place = 1;
    for (const uint8_t *digit = end - 2; *digit != ' '; digit--) {
        payload += (size_t)(*digit - '0') * place;
        place *= 10;
    }
    return n + payload + 2;
}

// Gives up the commands that are written as a whole.
static void walk(midge *m) {
    const uint8_t *buf = m->config.send_buf;
    if (m->send_at == m->send_end) m->send_base = m->send_at;
    while (m->send_base < m->send_at) {
        size_t n = command_len(buf + m->send_base);
        if (n > m->send_at - m->send_base) break;
        m->send_base += n;
    }
}

static void to_front(midge *m) {
    uint8_t *buf = m->config.send_buf;
    size_t base = m->send_base;
    if (!base) return;
    mgc_down(buf, buf + base, m->send_end - base);
    m->send_base = 0;
    m->send_at -= base;
    m->send_end -= base;
}

static uint8_t *make_room(midge *m, size_t n) {
    uint8_t *buf = m->config.send_buf;
    size_t size = m->config.send_size;
    if (n > size) return NULL;
    walk(m);
    if (n > size - (m->send_end - m->send_base) && m->config.pending == MIDGE_PENDING_DROP_OLDEST &&
        m->phase != MGC_UP) {
        while (n > size - (m->send_end - m->send_base)) { // only messages are here, and none is half written
            size_t oldest = command_len(buf + m->send_base);
            m->send_base += oldest;
            m->dropped += oldest;
            m->stats.dropped_msgs++;
        }
        m->send_at = m->send_base;
    }
    if (n > size - (m->send_end - m->send_base)) return NULL;
    to_front(m);
    return buf + m->send_end;
}

uint8_t *mgc_room(midge *m, size_t n) {
    if (n <= m->config.send_size - m->send_end) return m->config.send_buf + m->send_end;
    return make_room(m, n);
}

void mgc_wrote(midge *m, uint8_t *end) { m->send_end = (size_t)(end - m->config.send_buf); }

void mgc_output_cut(midge *m) {
    uint8_t *buf = m->config.send_buf;
    size_t to = 0;
    walk(m);
    for (size_t at = m->send_base; at < m->send_end;) {
        size_t n = command_len(buf + at);
        if (is_message(buf + at)) {
            mgc_down(buf + to, buf + at, n);
            to += n;
        }
        at += n;
    }
    m->send_base = m->send_at = 0;
    m->send_end = to;
    m->owe_ping = m->owe_pong = false;
    m->pings = m->pongs = 0;
    m->aside_n = 0;
}

static bool pay(midge *m, bool *owed, const char *line) {
    uint8_t *p = *owed ? mgc_room(m, 6) : NULL;
    if (!p) return false;
    mgc_wrote(m, mgc_put(p, line, 6));
    *owed = false;
    return true;
}

uint32_t mgc_ping(midge *m) {
    if (!m->owe_ping) {
        m->owe_ping = true;
        m->pings++;
        pay(m, &m->owe_ping, "PING\r\n");
    }
    return m->pings;
}

const void *midge_send_buf(midge *m, size_t *n) {
    *n = 0;
    if (m->phase != MGC_UP && m->phase != MGC_HELLO) return m->config.send_buf;
    if (!m->aside_n && m->subs_owed && m->phase == MGC_UP) mgc_subs_aside(m);
    if (m->aside_n) {
        *n = m->aside_n;
        return m->config.recv_buf + m->aside_at;
    }
    if (m->phase == MGC_UP && !m->subs_owed) {
        pay(m, &m->owe_pong, "PONG\r\n");
        if (m->unsubs_owed) mgc_subs_pay(m);
        pay(m, &m->owe_ping, "PING\r\n");
        *n = m->send_end - m->send_at;
    }
    return m->config.send_buf + m->send_at;
}

void midge_send_ack(midge *m, size_t n) {
    if (m->aside_n) {
        if (n > m->aside_n) n = m->aside_n;
        m->aside_at += n;
        m->aside_n -= n;
        return;
    }
    if (n > m->send_end - m->send_at) n = m->send_end - m->send_at;
    m->send_at += n;
    if (m->send_at == m->send_end) m->send_base = m->send_at = m->send_end = 0;
}

size_t midge_pending_bytes(const midge *m) { return m->send_end - m->send_at + m->aside_n; }

int midge_replace_send_buf(midge *m, void *buf, size_t size) {
    if (!buf || size <= m->config.send_size) return MIDGE_EINVAL;
    memcpy(buf, m->config.send_buf, m->send_end);
    m->config.send_buf = buf;
    m->config.send_size = size;
    return 0;
}
