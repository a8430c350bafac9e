// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The buffers and tables of a connection. Buffers double when they grow. Tables are taken at their full size: the
// engine touches an entry when it is first used, so the system gives pages only for those.
#include <stdlib.h>
#include <string.h>

#include "client/port/conn.h"

enum {
    BUFFER_MIN = 512,
    BUFFER_DEFAULT = 64 * 1024,
    SEND_MAX_DEFAULT = 1024 * 1024,
    MESSAGE_MAX_DEFAULT = 64 * 1024 * 1024,
    TABLE_DEFAULT = 65535,
    GOSSIP_SIZE = 8 * 1024,
    LINE_MAX = 4096, // what the line of a message takes beside its bytes, generously
};

static size_t or_default(size_t n, size_t fallback) { return n != 0 ? n : fallback; }

int mgc_memory_init(midge_conn *c, const midge_options *o) {
    midge_config *to = &c->config;
    to->recv_size = or_default(o->recv_size, BUFFER_DEFAULT);
    to->send_size = or_default(o->send_size, BUFFER_DEFAULT);
    if (to->recv_size < BUFFER_MIN) to->recv_size = BUFFER_MIN;
    if (to->send_size < BUFFER_MIN) to->send_size = BUFFER_MIN;
    c->send_max = or_default(o->send_max, SEND_MAX_DEFAULT);
    c->max_message = or_default(o->max_message, MESSAGE_MAX_DEFAULT);
    to->subs_len = (uint32_t)or_default(o->max_subs, TABLE_DEFAULT);
    to->requests_len = (uint32_t)or_default(o->max_requests, TABLE_DEFAULT);
    to->subs_len += 1; // the shared inbox
    to->recv_buf = malloc(to->recv_size);
    to->send_buf = malloc(to->send_size);
    to->subs = malloc(to->subs_len * sizeof *to->subs);
    to->requests = malloc(to->requests_len * sizeof *to->requests);
    if (!o->no_gossip) {
        to->gossip_buf = malloc(GOSSIP_SIZE);
        to->gossip_size = GOSSIP_SIZE;
    }
    bool ok = to->recv_buf != NULL && to->send_buf != NULL && to->subs != NULL && to->requests != NULL &&
              (o->no_gossip || to->gossip_buf != NULL);
    return ok ? 0 : MIDGE_ENOMEM;
}

void mgc_memory_fini(midge_conn *c) {
    free(c->config.recv_buf);
    free(c->config.send_buf);
    free(c->config.subs);
    free(c->config.requests);
    free(c->config.gossip_buf);
    free(c->reply_bytes);
}

// The next doubling of `size` that holds need; 0: more than a message may take.
static size_t grown(const midge_conn *c, size_t size, size_t need) {
    size_t max = c->max_message + LINE_MAX;
    if (need > max) return 0;
    while (size < need) {
        size = size > max / 2 ? max : size * 2;
    }
    return size;
}

int mgc_grow_recv(midge_conn *c, size_t need) {
    size_t size = grown(c, c->config.recv_size, need);
    if (size == 0) return MIDGE_ETOOLARGE;
    if (size <= c->config.recv_size) return 0;
    void *buf = malloc(size);
    if (buf == NULL) return MIDGE_ENOMEM;
    int rc = midge_replace_recv_buf(&c->engine, buf, size);
    if (rc != 0) {
        free(buf);
        return rc;
    }
    free(c->config.recv_buf);
    c->config.recv_buf = buf;
    c->config.recv_size = size;
    return 0;
}

int mgc_grow_send(midge_conn *c, size_t size) {
    void *buf = malloc(size);
    if (buf == NULL) return MIDGE_ENOMEM;
    int rc = midge_replace_send_buf(&c->engine, buf, size);
    if (rc != 0) {
        free(buf);
        return rc;
    }
    free(c->config.send_buf);
    c->config.send_buf = buf;
    c->config.send_size = size;
    return 0;
}

int midge_conn_reserve(midge_conn *c, size_t size) {
    if (size > c->max_message) return MIDGE_ETOOLARGE;
    size = grown(c, c->config.send_size, size + LINE_MAX);
    return size > c->config.send_size ? mgc_grow_send(c, size) : 0;
}
