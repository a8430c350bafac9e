// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/client/host/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void take(peer *p) {
    for (size_t n;;) {
        const void *bytes = midge_send_buf(&p->m, &n);
        if (!n) return;
        if (n > sizeof p->out - 1 - p->out_n) abort();
        memcpy(p->out + p->out_n, bytes, n);
        p->out_n += n;
        p->out[p->out_n] = '\0';
        midge_send_ack(&p->m, n);
    }
}

static void give(peer *p, const char *bytes, size_t len) {
    while (len) {
        size_t room, n = p->step && p->step < len ? p->step : len;
        void *to = midge_recv_buf(&p->m, &room);
        if (n > room) n = room;
        if (!n) abort();
        memcpy(to, bytes, n);
        midge_recv_ack(&p->m, n);
        take(p);
        bytes += n;
        len -= n;
    }
}

void peer_say(peer *p, const char *bytes) {
    give(p, bytes, strlen(bytes));
}

static void welcome(peer *p) {
    midge_connected(&p->m);
    peer_say(p, "INFO {\"server_id\":\"N\",\"headers\":true,\"max_payload\":20000}\r\n");
    peer_say(p, "PONG\r\n");
    take(p);
}

void peer_start(peer *p, size_t step) {
    memset(p, 0, sizeof *p);
    p->step = step;
    p->server = (midge_server){.host = MIDGE_STR("a"), .port = 4222};
    const midge_config config = {.recv_buf = p->recv, .recv_size = sizeof p->recv, .send_buf = p->send,
                                 .send_size = sizeof p->send, .subs = p->subs, .subs_len = PEER_SUBS,
                                 .requests = p->requests, .requests_len = 24, .servers = &p->server,
                                 .servers_len = 1, .seed = 1};
    if (midge_init(&p->m, &config) != 0) abort();
    midge_tick(&p->m, p->now);
    welcome(p);
    if (midge_state_of(&p->m) != MIDGE_STATE_CONNECTED) abort();
}

void peer_later(peer *p, uint32_t ms) {
    for (uint32_t end = p->now + ms; p->now < end;) {
        p->now += end - p->now < 50 ? end - p->now : 50;
        midge_tick(&p->m, p->now);
        take(p);
    }
}

void peer_cut(peer *p) {
    midge_disconnected(&p->m, MIDGE_EDISCONNECTED);
    p->heard_n = 0;
    p->out_n = p->at = 0;
}

void peer_reconnect(peer *p) {
    for (int i = 0; i < 1000 && midge_want(&p->m) != MIDGE_WANT_CONNECT; i++) peer_later(p, 50);
    welcome(p);
}

// ---- what the client says -------------------------------------------------------------------------------------------

static void hear(peer *p, const char *at) {
    char subject[128], queue[128], line[512];
    snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\r"), at);
    int sid;
    if (p->heard_n == 64) abort();
    bool group = sscanf(line, "SUB %127s %127s %d", subject, queue, &sid) == 3;
    if (!group && sscanf(line, "SUB %127s %d", subject, &sid) != 2) abort();
    snprintf(p->heard[p->heard_n].subject, sizeof subject, "%s", subject);
    p->heard[p->heard_n++].sid = sid;
}

// The message whose line is given; its bytes are behind it.
static void message(peer *p, const char *at) {
    char words[5][256] = {{0}}, line[1024];
    snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\r"), at);
    int n = sscanf(line, "%255s %255s %255s %255s %255s", words[0], words[1], words[2], words[3], words[4]);
    bool headers = words[0][0] == 'H';
    size_t total = strtoul(words[n - 1], NULL, 10), first = headers ? strtoul(words[n - 2], NULL, 10) : 0;
    snprintf(p->subject, sizeof p->subject, "%s", words[1]);
    snprintf(p->reply, sizeof p->reply, "%s", n == (headers ? 5 : 4) ? words[2] : "");
    snprintf(p->headers, sizeof p->headers, "%.*s", (int)first, p->out + p->at);
    snprintf(p->data, sizeof p->data, "%.*s", (int)(total - first), p->out + p->at + first);
    p->at += total + 2;
}

bool peer_next(peer *p) {
    take(p);
    while (p->at < p->out_n) {
        const char *line = p->out + p->at;
        p->at = (size_t)(strstr(line, "\r\n") + 2 - p->out);
        if (strncmp(line, "SUB ", 4) == 0) hear(p, line);
        if (strncmp(line, "PUB ", 4) != 0 && strncmp(line, "HPUB ", 5) != 0) continue;
        message(p, line);
        return true;
    }
    p->out_n = p->at = 0;
    return false;
}

// ---- what the test says ---------------------------------------------------------------------------------------------

static int sid_of(const peer *p, const char *subject) {
    for (int i = p->heard_n; i-- > 0;) {
        const char *heard = p->heard[i].subject;
        size_t n = strlen(heard);
        if (strcmp(heard, subject) == 0) return p->heard[i].sid;
        if (n > 1 && heard[n - 1] == '*' && strncmp(heard, subject, n - 1) == 0) return p->heard[i].sid;
    }
    abort();
}

void peer_send(peer *p, const char *subject, const char *reply, const char *headers, const char *data) {
    char line[1024];
    size_t h = headers ? strlen(headers) : 0, n = strlen(data);
    if (headers)
        snprintf(line, sizeof line, "HMSG %s %d %s %zu %zu\r\n%s", subject, sid_of(p, subject), reply, h, h + n,
                 headers);
    else
        snprintf(line, sizeof line, "MSG %s %d %s %zu\r\n", subject, sid_of(p, subject), reply, n);
    peer_say(p, line);
    give(p, data, n);
    peer_say(p, "\r\n");
}

void peer_answer(peer *p, const char *data) {
    char reply[256];
    memcpy(reply, p->reply, sizeof reply);
    peer_send(p, reply, "", NULL, data);
}
