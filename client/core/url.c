// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// URLs of servers: [nats://|tls://][user[:password]@]host[:port][/]
#include "client/core/internal.h"

static const char *find(midge_str s, char c) { return s.n ? mgc_find(s.p, c, s.n) : NULL; }

static bool strip(midge_str *s, const char *scheme) {
    if (!mgc_begins(*s, scheme)) return false;
    size_t n = midge_cstr(scheme).n;
    s->p += n;
    s->n -= n;
    return true;
}

static void userinfo(midge_str *s, midge_str *user, midge_str *password) {
    *user = *password = MIDGE_NONE;
    size_t at = s->n;
    while (at && s->p[at - 1] != '@') at--; // the last one: passwords have some
    if (!at) return;
    *user = (midge_str){s->p, at - 1};
    const char *colon = find(*user, ':');
    if (colon) {
        *password = (midge_str){colon + 1, (size_t)(user->p + user->n - colon - 1)};
        user->n = (size_t)(colon - user->p);
    }
    s->p += at;
    s->n -= at;
}

static int port_of(midge_str s, uint16_t *port) {
    int32_t n = mgc_get_u31((const uint8_t *)s.p, s.n);
    if (n <= 0 || n > 65535) return MIDGE_EINVAL;
    *port = (uint16_t)n;
    return 0;
}

int midge_url_parse(midge_str url, midge_server *server, midge_str *user, midge_str *password) {
    *server = (midge_server){.port = 4222};
    server->tls = strip(&url, "tls://");
    if (!server->tls && !strip(&url, "nats://")) {
        const char *colon = find(url, ':'); // another scheme
        if (colon && url.n - (size_t)(colon - url.p) > 2 && colon[1] == '/' && colon[2] == '/') return MIDGE_EINVAL;
    }
    if (url.n && url.p[url.n - 1] == '/') url.n--;
    userinfo(&url, user, password);
    const char *end = url.p + url.n, *rest;
    if (url.n && url.p[0] == '[') {
        rest = find(url, ']');
        if (!rest) return MIDGE_EINVAL;
        server->host = (midge_str){url.p + 1, (size_t)(rest - url.p - 1)};
        rest++;
    } else {
        rest = find(url, ':');
        if (!rest) rest = end;
        server->host = (midge_str){url.p, (size_t)(rest - url.p)};
    }
    if (!server->host.n || find(server->host, '/') || find(server->host, ' ')) return MIDGE_EINVAL;
    if (rest == end) return 0;
    if (*rest != ':') return MIDGE_EINVAL;
    return port_of((midge_str){rest + 1, (size_t)(end - rest - 1)}, &server->port);
}
