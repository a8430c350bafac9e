// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// loop.h and net.h in memory, for one test: time stands still until it is moved, sockets do what they are told.
#ifndef MG_TEST_FAKE_NET_H
#define MG_TEST_FAKE_NET_H

#include "server/base/buf.h"
#include "server/base/timer.h"
#include "server/shard/net.h"
#include "test/unit/server/seam/fake_tls.h"

#define FAKE_MAX_SOCKS 1024

struct mg_sock {
    struct mg_loop *loop;
    const struct mg_sock_ops *ops;
    void *owner;
    struct mg_buf in; // from the peer, not read yet
    size_t in_pos;
    struct mg_buf out;  // to the peer
    size_t read_max;    // bytes a read gives
    size_t window;      // bytes that writes may still take
    bool peer_eof, peer_reset;
    bool want_read, want_write;
    bool closing, lingering, closed, refused;
};

struct mg_loop {
    uint64_t now;
    struct mg_wheel wheel;
    const struct mg_listener_ops *listener_ops; // NULL: closed
    void *listener_owner;
    struct mg_sock *socks[FAKE_MAX_SOCKS];
    size_t nsocks;
    struct mg_work *work[FAKE_MAX_SOCKS];
    size_t nwork;
    bool hold_work; // worker threads are busy
};

void fake_init(struct mg_loop *loop);
void fake_fini(struct mg_loop *loop);
struct mg_sock *fake_connect(struct mg_loop *loop); // as accepted; check ->refused
void fake_send(struct mg_sock *s, const char *text);
void fake_send_bytes(struct mg_sock *s, const void *p, size_t n);
// Delivers events until there are none.
void fake_run(struct mg_loop *loop);
void fake_advance(struct mg_loop *loop, uint64_t ns); // moves time, then runs

#endif
