// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The seam, part 2: stream sockets and listeners. Readiness based and level triggered: `readable` is called once a poll
// while there is something to read and reading is wanted, and the owner reads as much as its budget allows.
// net_uv.c implements it; test/sim implements it with in-memory pipes, one-byte reads, partial writes and cuts.
//
// A socket belongs to one loop. mg_sock_detach and mg_sock_attach hand it over to another one.
#ifndef MG_SHARD_NET_H
#define MG_SHARD_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "server/shard/loop.h"

struct mg_sock;
struct mg_listener;

// A numeric address. Text is what clients see as client_ip: a v4 peer on a dual-stack socket is a dotted quad.
struct mg_addr {
    char ip[46];
    uint16_t port;
};

// What a socket's owner provides. Static storage; `owner` is the pointer given to mg_sock_attach.
struct mg_sock_ops {
    void (*readable)(void *owner);
    void (*writable)(void *owner); // once each time a write became possible after mg_sock_want_write(true)
    void (*closed)(void *owner);   // last call: the handle is gone, the owner may be freed
};

// ---- sockets ---------------------------------------------------------------------------------------------------

// An accepted or detached socket that belongs to nobody: plain data, may travel between threads.
struct mg_sock_seed {
    intptr_t fd;
    struct mg_addr peer;
};

// Makes the socket part of the loop: non-blocking, TCP_NODELAY. Reading is wanted from the start. 0 or an error (then
// the seed's descriptor is closed).
int mg_sock_attach(struct mg_loop *loop, const struct mg_sock_seed *seed, const struct mg_sock_ops *ops, void *owner,
                   struct mg_sock **out);
// Closes a seed that nobody attached.
void mg_sock_seed_close(const struct mg_sock_seed *seed);

// Reads once. > 0: bytes; MG_EAGAIN; MG_EEOF; another error: the connection is broken.
ptrdiff_t mg_sock_readv(struct mg_sock *s, const struct iovec *iov, int n);
// Writes once. >= 0: bytes taken; MG_EAGAIN when nothing was taken; another error: broken.
ptrdiff_t mg_sock_writev(struct mg_sock *s, const struct iovec *iov, int n);
void mg_sock_want_read(struct mg_sock *s, bool on);
void mg_sock_want_write(struct mg_sock *s, bool on);

// Closes at once; `closed` is called from the loop later, never from inside this call.
void mg_sock_close(struct mg_sock *s);
// Closes so that the last bytes written survive: half-closes, then reads and drops what still arrives until the peer
// closes, at most 64 KB and `linger_ns`; then closes (spec/client-protocol.md A5: unread input would reset the
// connection and destroy an -ERR in flight). `readable` and `writable` are not called any more.
void mg_sock_close_lingering(struct mg_sock *s, uint64_t linger_ns);

// ---- listeners -------------------------------------------------------------------------------------------------

struct mg_listener_ops {
    // A new socket. The owner must attach it somewhere or close the seed.
    void (*accepted)(void *owner, const struct mg_sock_seed *seed);
};

// Binds and listens on host:port (port 0: any; "0.0.0.0" and "::" are dual-stack, spec/client-protocol.md A1). On
// failure returns an error and a text as "listen tcp 127.0.0.1:4222: bind: address already in use" in err.
int mg_listener_open(struct mg_loop *loop, const char *host, uint16_t port, const struct mg_listener_ops *ops,
                     void *owner, struct mg_listener **out, char *err, size_t errlen);
uint16_t mg_listener_port(const struct mg_listener *l);
// Stops accepting at once and frees l (the handle itself goes away in the loop).
void mg_listener_close(struct mg_listener *l);

// The addresses of this machine's interfaces, global unicast only unless `all` (then loopback too). At most max of
// them.
size_t mg_net_addresses(struct mg_addr *out, size_t max, bool all);

#endif
