// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// INFO: a scan of its JSON that takes it token by token and keeps what a client needs.
//
// A token is used up as soon as it is complete, so the line may be longer than the receive buffer; only a single token
// must fit. The state between two tokens is the depth, the key that a value belongs to, and whether ':' was seen.
// Unknown keys and everything nested but connect_urls is passed over. What is malformed as JSON but cannot confuse us
// is not our business.
#include "client/core/internal.h"

// In the order of the names below.
enum {
    KEY_NONE,
    CLIENT_ID,
    MAX_PAYLOAD,
    HEADERS,
    JETSTREAM,
    TLS_REQUIRED,
    TLS_AVAILABLE,
    AUTH_REQUIRED,
    LDM,
    NONCE,
    URLS
};
static const char keys[][14] = {"client_id",     "max_payload",   "headers", "jetstream", "tls_required",
                                "tls_available", "auth_required", "ldm",     "nonce",     "connect_urls"};

void mgc_info_begin(midge *m) {
    m->in_info = true;
    m->info_next = (midge_info){.max_payload = -1};
    m->json_depth = m->json_key = m->json_value = m->nonce_n = 0;
}

static uint8_t key_of(midge_str name) {
    for (uint8_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (mgc_same(midge_cstr(keys[i]), name)) return (uint8_t)(i + 1);
    return KEY_NONE;
}

static void string(midge *m, midge_str s) {
    if (m->json_depth == 1 && !m->json_value) {
        m->json_key = key_of(s);
        if (m->json_key == URLS) mgc_servers_gossip_begin(m);
    } else if (m->json_depth == 1 && m->json_key == NONCE && s.n <= sizeof(m->nonce)) {
        memcpy(m->nonce, s.p, s.n);
        m->nonce_n = (uint8_t)s.n;
    } else if (m->json_depth == 2 && m->json_key == URLS) {
        mgc_servers_gossip(m, s);
    }
}

// true, false, null or a number
static void word(midge *m, midge_str s) {
    midge_info *info = &m->info_next;
    bool yes = s.p[0] == 't';
    uint64_t number = 0;
    if (m->json_depth != 1) return;
    if (s.n <= 20)
        for (size_t i = 0; i < s.n && mgc_digit(&number, s.p[i]); i++) {}
    switch (m->json_key) {
    case CLIENT_ID: info->client_id = number; break;
    case MAX_PAYLOAD: info->max_payload = s.p[0] == '-' ? -1 : (int64_t)number; break;
    default: // midge_info has its flags in the order of the keys
        if (m->json_key >= HEADERS && m->json_key <= LDM)
            ((unsigned char *)info)[offsetof(midge_info, headers) + m->json_key - HEADERS] = yes;
    }
}

static bool done(midge *m) {
    m->in_info = false;
    if (m->json_depth) {
        mgc_lost(m, MIDGE_EPROTO);
        return false;
    }
    bool first = m->phase == MGC_INFO, told = m->servers_new;
    m->info = m->info_next;
    m->servers_new = false;
    if (first) {
        midge_server server = midge_server_now(m);
        if (!m->tls_on && (m->config.tls_required || server.tls || m->info.tls_required)) {
            // A server that requires it and one that is asked for it in vain end in the same way.
            if (m->config.tls_available && (m->info.tls_required || m->info.tls_available)) {
                m->phase = MGC_TLS;
            } else {
                mgc_lost(m, MIDGE_ETLS);
            }
        } else {
            m->phase = MGC_HELLO;
        }
        return true;
    }
    if (told) mgc_event_type(m, MIDGE_EVENT_SERVERS, 0);
    if (m->phase != MGC_CLOSED && m->info.lame_duck) mgc_event_type(m, MIDGE_EVENT_LAME_DUCK, 0);
    return true;
}

// The end of the token that begins at recv_at, or 0; recv_scan keeps the place.
static size_t token_end(midge *m, bool quoted) {
    const uint8_t *p = m->config.recv_buf;
    size_t i = m->recv_scan;
    for (; i < m->recv_end; i++) {
        uint8_t c = p[i];
        if (quoted && c == '\\') {
            if (i + 1 == m->recv_end) break;
            i++;
        } else if (quoted ? c == '"' || c == '\n' : c <= ' ' || c == ',' || c == '}' || c == ']' || c == '"') {
            return i;
        }
    }
    m->recv_scan = i;
    return 0;
}

static bool bracket(midge *m, uint8_t c) {
    if (c == '{' || c == '[') return ++m->json_depth < 100;
    return m->json_depth-- > 0;
}

bool mgc_info_step(midge *m) {
    if (m->recv_at == m->recv_end) return false;
    const uint8_t *p = m->config.recv_buf + m->recv_at;
    uint8_t c = *p;
    bool good = true, quoted = c == '"';
    if (c == '\n') {
        m->recv_scan = ++m->recv_at;
        return done(m);
    }
    if (c <= ' ' || c == ':' || c == ',' || c == '{' || c == '}' || c == '[' || c == ']') {
        if (c == ':' && m->json_depth == 1) m->json_value = true;
        if (c == ',' && m->json_depth == 1) m->json_key = m->json_value = 0;
        if (c == '{' || c == '}' || c == '[' || c == ']') good = bracket(m, c);
        m->recv_scan = ++m->recv_at;
    } else {
        if (m->recv_scan == m->recv_at) m->recv_scan++;
        size_t end = token_end(m, quoted);
        if (!end && !(m->recv_at == 0 && m->recv_end == m->config.recv_size)) return false;
        midge_str token = {(const char *)p + quoted, end - m->recv_at - quoted};
        good = end && !(quoted && p[end - m->recv_at] == '\n') && (quoted || m->json_depth);
        if (good && quoted) string(m, token);
        if (good && !quoted) word(m, token);
        m->recv_scan = m->recv_at = end + quoted;
    }
    if (!good) mgc_lost(m, MIDGE_EPROTO);
    return good;
}
