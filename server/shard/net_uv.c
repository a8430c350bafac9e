// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// net.h over libuv: a uv_poll_t a socket, reads and writes are made by the owner directly. So a read can be scattered
// into a message's own buffer and the shard's slab at once, and nothing is read that the budget does not allow; libuv's
// own streams would read on until the socket is empty.
#include "server/shard/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/list.h"
#include "server/base/mem.h"
#include "server/shard/loop_uv.h"

#define LINGER_DRAIN_MAX 65536
#define ACCEPTS_A_CALL 64
#define BACKLOG 4096

struct mg_sock {
    uv_poll_t poll;
    struct mg_loop *loop;
    const struct mg_sock_ops *ops;
    void *owner;
    int fd;
    uint32_t drained; // bytes dropped while lingering
    bool want_read, want_write, lingering, closing;
    uv_timer_t *linger; // only while lingering
};

static void on_poll(uv_poll_t *h, int status, int events);

static int error_of(int err) {
    switch (err) {
    case EAGAIN:
    case EINTR: return MG_EAGAIN;
    case ECONNRESET:
    case EPIPE: return MG_ERESET;
    default: return MG_EIO;
    }
}

static void update_poll(struct mg_sock *s) {
    if (s->closing) return;
    int events = (s->want_read ? UV_READABLE : 0) | (s->want_write ? UV_WRITABLE : 0);
    if (events) uv_poll_start(&s->poll, events, on_poll);
    else uv_poll_stop(&s->poll);
}

static void finish_close(struct mg_sock *s) {
    const struct mg_sock_ops *ops = s->ops;
    void *owner = s->owner;
    close(s->fd);
    mg_free(s);
    ops->closed(owner);
}

static void on_linger_closed(uv_handle_t *h) { mg_free(h); }
static void on_closed(uv_handle_t *h) { finish_close(mg_container_of((uv_poll_t *)h, struct mg_sock, poll)); }

void mg_sock_close(struct mg_sock *s) {
    if (s->closing) return;
    s->closing = true;
    if (s->linger) uv_close((uv_handle_t *)s->linger, on_linger_closed);
    uv_close((uv_handle_t *)&s->poll, on_closed);
}

static void on_linger_over(uv_timer_t *h) { mg_sock_close(h->data); }

// The peer gets what was written, then our FIN; we drop what it still sends until it closes too.
void mg_sock_close_lingering(struct mg_sock *s, uint64_t linger_ns) {
    if (s->closing || s->lingering) return;
    s->lingering = true;
    if (shutdown(s->fd, SHUT_WR) != 0) {
        mg_sock_close(s);
        return;
    }
    s->linger = mg_alloc(sizeof(*s->linger));
    uv_timer_init(&s->loop->uv, s->linger);
    s->linger->data = s;
    uv_timer_start(s->linger, on_linger_over, linger_ns / 1000000, 0);
    s->want_read = true;
    s->want_write = false;
    update_poll(s);
}

static void drain_lingering(struct mg_sock *s) {
    char dump[4096];
    ssize_t n = recv(s->fd, dump, sizeof(dump), 0);
    if (n > 0 && (s->drained += (uint32_t)n) < LINGER_DRAIN_MAX) return;
    if (n < 0 && error_of(errno) == MG_EAGAIN) return;
    mg_sock_close(s);
}

static void on_poll(uv_poll_t *h, int status, int events) {
    struct mg_sock *s = mg_container_of(h, struct mg_sock, poll);
    if (s->lingering) {
        drain_lingering(s);
        return;
    }
    // An error shows in the owner's next read or write, which may first give what came before it. libuv has stopped
    // polling: it must go on, or the connection would stay for ever.
    if (status < 0) {
        events = (s->want_read ? UV_READABLE : 0) | (s->want_write ? UV_WRITABLE : 0);
        update_poll(s);
    }
    if ((events & UV_WRITABLE) && s->want_write) s->ops->writable(s->owner);
    if ((events & UV_READABLE) && s->want_read && !s->closing && !s->lingering) s->ops->readable(s->owner);
}

void mg_sock_seed_close(const struct mg_sock_seed *seed) { close((int)seed->fd); }

int mg_sock_attach(struct mg_loop *loop, const struct mg_sock_seed *seed, const struct mg_sock_ops *ops, void *owner,
                   struct mg_sock **out) {
    struct mg_sock *s = mg_zalloc(sizeof(*s));
    s->loop = loop;
    s->ops = ops;
    s->owner = owner;
    s->fd = (int)seed->fd;
    int one = 1;
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (uv_poll_init_socket(&loop->uv, &s->poll, s->fd) != 0) {
        close(s->fd);
        mg_free(s);
        return MG_EIO;
    }
    s->want_read = true;
    update_poll(s);
    *out = s;
    return 0;
}

ptrdiff_t mg_sock_readv(struct mg_sock *s, const struct iovec *iov, int n) {
    ssize_t got = readv(s->fd, iov, n);
    if (got > 0) return got;
    return got == 0 ? MG_EEOF : error_of(errno);
}

ptrdiff_t mg_sock_writev(struct mg_sock *s, const struct iovec *iov, int n) {
    const struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};
    ssize_t put = sendmsg(s->fd, &msg, MSG_NOSIGNAL);
    return put >= 0 ? put : error_of(errno);
}

void mg_sock_want_read(struct mg_sock *s, bool on) {
    if (s->want_read == on || s->lingering) return;
    s->want_read = on;
    update_poll(s);
}

void mg_sock_want_write(struct mg_sock *s, bool on) {
    if (s->want_write == on || s->lingering) return;
    s->want_write = on;
    update_poll(s);
}

// ---- listeners ---------------------------------------------------------------------------------------------------

struct mg_listener {
    uv_poll_t poll;
    uv_timer_t backoff;
    const struct mg_listener_ops *ops;
    void *owner;
    int fd;
    unsigned open_handles;
    uint64_t backoff_ms;
    uint16_t port;
    bool closing;
};

static void addr_text(const struct sockaddr_storage *ss, struct mg_addr *out) {
    if (ss->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
        out->port = ntohs(in6->sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
            inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], out->ip, sizeof(out->ip));
            return;
        }
        inet_ntop(AF_INET6, &in6->sin6_addr, out->ip, sizeof(out->ip));
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
        out->port = ntohs(in->sin_port);
        inet_ntop(AF_INET, &in->sin_addr, out->ip, sizeof(out->ip));
    }
}

static void on_listen_poll(uv_poll_t *h, int status, int events);

static void on_backoff(uv_timer_t *h) {
    struct mg_listener *l = h->data;
    if (!l->closing) uv_poll_start(&l->poll, UV_READABLE, on_listen_poll);
}

// Out of descriptors: accepting again at once would spin. 10 ms, doubled up to 1 s (spec/client-protocol.md B9).
static void back_off(struct mg_listener *l) {
    l->backoff_ms = l->backoff_ms ? l->backoff_ms * 2 : 10;
    if (l->backoff_ms > 1000) l->backoff_ms = 1000;
    uv_poll_stop(&l->poll);
    uv_timer_start(&l->backoff, on_backoff, l->backoff_ms, 0);
}

static void on_listen_poll(uv_poll_t *h, int status, int events) {
    struct mg_listener *l = h->data;
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_A_CALL && !l->closing; i++) {
        struct sockaddr_storage ss;
        socklen_t len = sizeof(ss);
        int fd = accept4(l->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) back_off(l);
            return;
        }
        l->backoff_ms = 0;
        struct mg_sock_seed seed = {.fd = fd};
        addr_text(&ss, &seed.peer);
        l->ops->accepted(l->owner, &seed);
    }
}

static int bind_listen(int family, const struct sockaddr *sa, socklen_t len, bool dual, const char **what) {
    *what = "socket";
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int one = 1, zero = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, dual ? &zero : &one, sizeof(one));
    *what = "bind";
    if (bind(fd, sa, len) == 0) {
        *what = "listen";
        if (listen(fd, BACKLOG) == 0) return fd;
    }
    int err = errno;
    close(fd);
    errno = err;
    return -1;
}

static int open_socket(const char *host, uint16_t port, char *err, size_t errlen) {
    const char *what = "bind";
    int fd = -1;
    bool any = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 || host[0] == '\0';
    if (any) {
        const struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any};
        fd = bind_listen(AF_INET6, (const struct sockaddr *)&in6, sizeof(in6), true, &what);
        if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) { // no IPv6 on this machine
            const struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
            fd = bind_listen(AF_INET, (const struct sockaddr *)&in, sizeof(in), false, &what);
        }
    } else {
        const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
        struct addrinfo *list = NULL;
        char service[8];
        snprintf(service, sizeof(service), "%u", port);
        int rc = getaddrinfo(host, service, &hints, &list);
        if (rc != 0) {
            const char *why = rc == EAI_NONAME ? "no such host" : gai_strerror(rc);
            snprintf(err, errlen, "listen tcp: lookup %s: %s", host, why);
            return -1;
        }
        fd = bind_listen(list->ai_family, list->ai_addr, list->ai_addrlen, false, &what);
        int saved = errno;
        freeaddrinfo(list);
        errno = saved;
    }
    if (fd < 0) {
        // Lower case as Go prints it: "bind: address already in use".
        char text[128];
        snprintf(text, sizeof(text), "%s", strerror(errno));
        if (text[0] >= 'A' && text[0] <= 'Z') text[0] = (char)(text[0] + 32);
        bool v6 = strchr(host, ':') != NULL;
        snprintf(err, errlen, "listen tcp %s%s%s:%u: %s: %s", v6 ? "[" : "", host, v6 ? "]" : "", port, what, text);
    }
    return fd;
}

int mg_listener_open(struct mg_loop *loop, const char *host, uint16_t port, const struct mg_listener_ops *ops,
                     void *owner, struct mg_listener **out, char *err, size_t errlen) {
    int fd = open_socket(host, port, err, errlen);
    if (fd < 0) return MG_EIO;
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    struct mg_addr addr = {.port = 0};
    if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0) addr_text(&ss, &addr);
    struct mg_listener *l = mg_zalloc(sizeof(*l));
    l->ops = ops;
    l->owner = owner;
    l->fd = fd;
    l->port = addr.port;
    uv_timer_init(&loop->uv, &l->backoff);
    l->open_handles = 2;
    int rc = uv_poll_init_socket(&loop->uv, &l->poll, fd);
    mg_assert(rc == 0);
    l->poll.data = l->backoff.data = l;
    uv_poll_start(&l->poll, UV_READABLE, on_listen_poll);
    *out = l;
    return 0;
}

uint16_t mg_listener_port(const struct mg_listener *l) { return l->port; }

static void on_listener_closed(uv_handle_t *h) {
    struct mg_listener *l = h->data;
    if (--l->open_handles == 0) mg_free(l);
}

void mg_listener_close(struct mg_listener *l) {
    if (l == NULL || l->closing) return;
    l->closing = true;
    uv_poll_stop(&l->poll);
    close(l->fd);
    uv_close((uv_handle_t *)&l->poll, on_listener_closed);
    uv_close((uv_handle_t *)&l->backoff, on_listener_closed);
}

size_t mg_net_addresses(struct mg_addr *out, size_t max, bool all) {
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) != 0) return 0;
    size_t n = 0;
    for (struct ifaddrs *i = list; i && n < max; i = i->ifa_next) {
        if (i->ifa_addr == NULL || !(i->ifa_flags & IFF_UP)) continue;
        int family = i->ifa_addr->sa_family;
        if (family != AF_INET && family != AF_INET6) continue;
        struct sockaddr_storage ss;
        memset(&ss, 0, sizeof(ss));
        memcpy(&ss, i->ifa_addr, family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        if (!all) {
            if (i->ifa_flags & IFF_LOOPBACK) continue;
            if (family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&((struct sockaddr_in6 *)&ss)->sin6_addr)) continue;
        }
        addr_text(&ss, &out[n]);
        out[n++].port = 0;
    }
    freeifaddrs(list);
    return n;
}
