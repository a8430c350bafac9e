// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Connections of the load generator, and the cheapest possible understanding of what arrives on them.
//
// The opening dialogue (INFO, perhaps TLS, CONNECT, PING, PONG) is blocking and takes line by line exactly what it
// needs, so that no byte is left over when the measurement begins. From then on a connection that only receives runs
// its bytes through mgb_scan: all messages of a row have the same length on the wire, so the scanner hops from first
// byte to first byte and copies nothing. What does not begin with 'M' is a control line and goes the slow way; a wrong
// frame length would land the scanner in the middle of a payload, which is no control line, and ends the process.
#include "test/bench/bench.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <fcntl.h>
#include <unistd.h>

static const char CONNECT[] = "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"c\",\"version\":\"1\",\"name\":"
                              "\"midge-bench\",\"protocol\":1,\"headers\":true,\"no_responders\":true}\r\n";

static size_t plain_recv(int fd, char *p, size_t n, int flags) {
    ssize_t r = recv(fd, p, n, flags);
    if (r > 0)
        return (size_t)r;
    if (r < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    mgb_die("the server closed a connection: %s", r == 0 ? "end of stream" : strerror(errno));
}

static size_t plain_send(int fd, const char *p, size_t n) {
    ssize_t r = send(fd, p, n, MSG_NOSIGNAL);
    if (r >= 0)
        return (size_t)r;
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    mgb_die("cannot send: %s", strerror(errno));
}

size_t mgb_conn_recv(struct mgb_conn *c, char *p, size_t n) {
    return c->tls ? mgb_tls_recv(c->tls, p, n) : plain_recv(c->fd, p, n, 0);
}

size_t mgb_conn_send(struct mgb_conn *c, const char *p, size_t n) {
    return c->tls ? mgb_tls_send(c->tls, p, n) : plain_send(c->fd, p, n);
}

void mgb_conn_send_all(struct mgb_conn *c, const char *p, size_t n) {
    while (n > 0) {
        size_t sent = mgb_conn_send(c, p, n);
        p += sent;
        n -= sent;
        struct pollfd room = {.fd = c->fd, .events = POLLOUT};
        if (sent == 0 && poll(&room, 1, 10000) == 0)
            mgb_die("the server takes no input");
    }
}

// Takes one line off a blocking connection, and not a byte more. Keeps what fits of it, as a string.
static void take_line(struct mgb_conn *c, char *line, size_t cap) {
    size_t have = 0;
    for (bool end = false; !end;) {
        char piece[4096];
        size_t n = 1; // TLS has read its record already: a byte at a time costs nothing
        if (c->tls)
            n = mgb_tls_recv(c->tls, piece, n);
        else if ((n = plain_recv(c->fd, piece, sizeof piece, MSG_PEEK)) > 0) {
            const char *nl = memchr(piece, '\n', n);
            n = plain_recv(c->fd, piece, nl ? (size_t)(nl - piece) + 1 : n, 0);
        }
        if (n == 0)
            mgb_die("the server does not answer");
        end = piece[n - 1] == '\n';
        size_t keep = n < cap - 1 - have ? n : cap - 1 - have;
        memcpy(line + have, piece, keep);
        have += keep;
    }
    line[have] = '\0';
}

bool mgb_conn_possible(const struct mgb_target *t) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool there = fd >= 0 && connect(fd, (const struct sockaddr *)&t->addr, sizeof t->addr) == 0;
    close(fd);
    return there;
}

static void dial(struct mgb_conn *c, const struct mgb_target *t) {
    int on = 1;
    c->tls = NULL;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&t->addr, sizeof t->addr) != 0)
        mgb_die("cannot connect to port %d: %s", ntohs(t->addr.sin_port), strerror(errno));
    struct timeval patience = {.tv_sec = 10};
    if (setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
        mgb_die("setsockopt: %s", strerror(errno));
}

void mgb_conn_open(struct mgb_conn *c, const struct mgb_target *t, const char *hello) {
    char line[256];
    dial(c, t);
    take_line(c, line, sizeof line);
    if (strncmp(line, "INFO ", 5) != 0)
        mgb_die("expected INFO, got: %s", line);
    if (t->tls)
        c->tls = mgb_tls_open(t->tls, c->fd);
    mgb_conn_send_all(c, CONNECT, sizeof CONNECT - 1);
    mgb_conn_send_all(c, hello, strlen(hello));
    mgb_conn_send_all(c, "PING\r\n", 6);
    do {
        take_line(c, line, sizeof line);
        if (line[0] == '-')
            mgb_die("the server says %s", line);
    } while (strcmp(line, "PONG\r\n") != 0);
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0)
        mgb_die("fcntl: %s", strerror(errno));
}

void mgb_conn_close(struct mgb_conn *c) {
    if (c->tls)
        mgb_tls_close(c->tls);
    close(c->fd);
}

static void control_line(struct mgb_scan *s) {
    s->line[s->line_len] = '\0';
    if (strcmp(s->line, "PING\r\n") == 0)
        s->pings++;
    else if (strcmp(s->line, "PONG\r\n") == 0)
        s->pongs++;
    else if (strncmp(s->line, "INFO ", 5) != 0)
        mgb_die("unexpected input: %s", s->line);
    s->line_len = 0;
}

// Takes a control line, or what there is of it, and returns how many bytes that were. A long INFO is cut.
static size_t control(struct mgb_scan *s, const char *p, size_t n) {
    const char *nl = memchr(p, '\n', n);
    size_t take = nl ? (size_t)(nl - p) + 1 : n, room = sizeof s->line - 1 - s->line_len;
    size_t keep = take < room ? take : room;
    memcpy(s->line + s->line_len, p, keep);
    s->line_len += keep;
    if (nl)
        control_line(s);
    return take;
}

void mgb_scan(struct mgb_scan *s, const char *p, size_t n) {
    size_t at = s->skip;
    while (at < n) {
        if (p[at] == 'M' && s->line_len == 0) {
            at += s->frame;
            s->messages++;
        } else {
            at += control(s, p + at, n - at);
        }
    }
    s->skip = at - n;
}

size_t mgb_msg_frame(const char *subject, unsigned sid, size_t payload) {
    return (size_t)snprintf(NULL, 0, "MSG %s %u %zu\r\n", subject, sid, payload) + payload + 2;
}

void mgb_allow_descriptors(size_t n) {
    struct rlimit lim;
    if (getrlimit(RLIMIT_NOFILE, &lim) != 0)
        mgb_die("getrlimit: %s", strerror(errno));
    lim.rlim_cur = n > lim.rlim_cur ? n : lim.rlim_cur;
    lim.rlim_max = n > lim.rlim_max ? n : lim.rlim_max; // only root may raise this one
    if (setrlimit(RLIMIT_NOFILE, &lim) != 0)
        mgb_die("cannot allow %zu descriptors: %s", n, strerror(errno));
}

void mgb_inbox_name(char p[23], uint64_t n) {
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    memcpy(p, "dNhYpRkXvTqWsAbEfGjL", 20); // as a client's random prefix; the counter is written over its end
    for (size_t i = 22; i-- > 12; n /= 62)
        p[i] = digits[n % 62];
    p[22] = '\0';
}
