// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// loop.h and net.h in memory, for unit tests of what lives on shards: no threads, time stands still until it is moved,
// and a loop that sleeps runs only when somebody rings it. The test decides which loop runs next.
#ifndef MG_TEST_FAKE_SEAM_H
#define MG_TEST_FAKE_SEAM_H

#include "server/base/buf.h"
#include "server/shard/loop.h"
#include "server/shard/net.h"

#define FAKE_MAX 64

struct mg_sock {
    struct mg_loop *loop;
    const struct mg_sock_ops *ops; // NULL: not attached yet
    void *owner;
    struct mg_buf in; // from the peer, not read yet
    size_t in_pos;
    struct mg_buf out; // to the peer
    size_t window;     // bytes that writes may still take
    bool peer_eof, want_read, want_write, closing, lingering, closed;
};

struct mg_loop {
    struct mg_loop_hooks hooks;
    uint64_t now, timer_at, entropy;
    bool awake, stopped;
    unsigned rings; // how often it was woken
    struct mg_sock *socks[FAKE_MAX];
    size_t nsocks;
    struct mg_work *work[FAKE_MAX];
    size_t nwork;
    bool hold_work; // worker threads are busy
};

// One turn of the loop: timer, work, one event for each socket, then the hook. Returns false when it went to sleep.
bool fake_turn(struct mg_loop *loop);
// Runs the loops that are awake until all sleep.
void fake_run(struct mg_loop *const *loops, size_t n);
void fake_advance(struct mg_loop *const *loops, size_t n, uint64_t ns); // moves time, then runs

// A socket that nobody has attached yet; free it at the end.
struct mg_sock *fake_sock_new(void);
void fake_sock_free(struct mg_sock *s);
struct mg_sock_seed fake_seed(struct mg_sock *s);
void fake_send(struct mg_sock *s, const char *text);
// The peer takes what was written: as a string, valid until the next call with this socket.
const char *fake_take(struct mg_sock *s);

#endif
