// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Which server is next, and when.
//
// The configured servers and then those that the cluster told of are a ring, begun at a random place. A round is one
// try of each; after a round in vain the wait doubles. A server whose connection was lost has had its turn in the first
// round. A server that refuses our credentials twice running is given up; servers above the 31st share a mark.
//
// The cluster's servers are kept in the caller's gossip buffer as records: a byte of length, the port in two bytes, a
// byte that says whether the newest INFO still has it, the host. Those that it has not leave when the next server is
// chosen; until then slices of them are in use.
#include "client/core/internal.h"

enum { HEAD = 4 };

static size_t count(const midge *m) { return (size_t)m->config.servers_len + m->gossip_n; }

static uint32_t bit(const midge *m) { return 1u << (m->server < 31 ? m->server : 31); }

void mgc_servers_init(midge *m) {
    if (!m->config.no_randomize) m->server = (uint16_t)mgc_random_below(m, m->config.servers_len - 1u);
    m->told = m->first = m->server;
}

static uint16_t port_of(const midge_server *s) { return s->port ? s->port : 4222; }

midge_server midge_server_now(const midge *m) {
    bool gossip = m->server >= m->config.servers_len;
    midge_server s = m->config.servers[gossip ? m->told : m->server];
    s.port = port_of(&s);
    if (!gossip) return s;
    const char *p = m->config.gossip_buf;
    for (uint16_t i = m->config.servers_len; i < m->server; i++) p += HEAD + (uint8_t)p[0];
    if (!s.tls_name.n) s.tls_name = s.host;
    s.host = (midge_str){p + HEAD, (uint8_t)p[0]};
    s.port = (uint16_t)((uint8_t)p[1] << 8 | (uint8_t)p[2]);
    return s;
}

void mgc_servers_gossip_begin(midge *m) {
    char *p = m->config.gossip_buf;
    for (uint16_t i = 0; i < m->gossip_n; i++, p += HEAD + (uint8_t)p[0]) p[3] = 0;
}

// "host:port" or "[v6]:port"
void mgc_servers_gossip(midge *m, midge_str url) {
    char *p = m->config.gossip_buf;
    size_t colon = url.n;
    while (colon && url.p[colon - 1] != ':') colon--;
    if (!p || !colon) return;
    int32_t port = mgc_get_u31((const uint8_t *)url.p + colon, url.n - colon);
    midge_str host = {url.p, colon - 1};
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') host.p++, host.n -= 2;
    if (!host.n || host.n > 255 || port <= 0 || port > 65535) return;
    for (uint16_t i = 0; i < m->config.servers_len; i++)
        if (port_of(&m->config.servers[i]) == port && mgc_same(m->config.servers[i].host, host)) return;
    for (uint16_t i = 0; i < m->gossip_n; i++, p += HEAD + (uint8_t)p[0]) {
        if (((uint8_t)p[1] << 8 | (uint8_t)p[2]) != port || !mgc_same((midge_str){p + HEAD, (uint8_t)p[0]}, host))
            continue;
        p[3] = 1;
        return;
    }
    if (HEAD + host.n > m->config.gossip_size - m->gossip_end || count(m) >= UINT16_MAX) return;
    p[0] = (char)host.n;
    p[1] = (char)(port >> 8);
    p[2] = (char)port;
    p[3] = 1;
    memcpy(p + HEAD, host.p, host.n);
    m->gossip_end += HEAD + host.n;
    m->gossip_n++;
    m->servers_new = true;
}

// Takes away those that the cluster has no more.
static void sweep(midge *m) {
    char *p = m->config.gossip_buf;
    for (uint16_t i = m->config.servers_len; i < count(m);) {
        size_t n = HEAD + (uint8_t)p[0];
        if (p[3]) {
            p += n;
            i++;
            continue;
        }
        m->gossip_end -= n;
        mgc_down((uint8_t *)p, (uint8_t *)p + n, m->gossip_end - (size_t)(p - m->config.gossip_buf));
        m->gossip_n--;
        if (m->server >= i && m->server) m->server--;
    }
}

// On to the next server that is not given up; false: there is none. Passing the first one ends the round.
static bool next(midge *m, bool *round) {
    for (size_t tries = count(m); tries; tries--) {
        if (++m->server >= count(m)) m->server = 0;
        if (m->server == m->first) *round = true;
        if (!(m->auth_gone & bit(m))) return true;
    }
    return false;
}

static uint32_t backoff(midge *m) {
    uint32_t wait = m->config.reconnect_wait, most = m->config.reconnect_wait_max;
    for (uint32_t i = 1; i < m->rounds && wait < most; i++) wait <<= 1;
    if (wait > most) wait = most;
    return wait + mgc_random_below(m, m->config.reconnect_jitter);
}

void mgc_servers_next(midge *m) {
    const midge_config *c = &m->config;
    bool was_up = m->established, round = false, enough = was_up && c->max_reconnects < 0;
    m->established = false;
    if (was_up) {
        if (m->server < c->servers_len) m->told = m->server;
        sweep(m);
        m->first = m->server;
        m->rounds = 0;
    }
    if (m->err == MIDGE_EAUTH || m->err == MIDGE_EAUTHEXPIRED) {
        m->auth_gone |= m->auth_failed & bit(m);
        m->auth_failed |= bit(m);
    }
    if (!next(m, &round)) enough = true;
    m->phase = MGC_WAIT;
    m->timer = m->now;
    if (round) {
        if (!was_up) {
            m->rounds++;
            enough |= !m->ever && !c->retry_first;
            enough |= c->max_reconnects > 0 && m->rounds >= (uint32_t)c->max_reconnects;
        }
        m->timer += backoff(m);
    }
    if (enough) mgc_end(m, m->err);
}
