// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Zephyr's BSD sockets (CONFIG_NETWORKING, CONFIG_NET_TCP, CONFIG_NET_SOCKETS, CONFIG_DNS_RESOLVER). For TLS make the
// socket with IPPROTO_TLS_1_2 and set TLS_SEC_TAG_LIST and TLS_HOSTNAME in mgc_net_open, set midge_config.tls_first on
// both sides, and the stack does the rest (CONFIG_NET_SOCKETS_SOCKOPT_TLS): tls_step then only says 1.
#include "client/port/rtos/midge_rtos.h"

#include <errno.h>
#include <zephyr/kernel.h>
#include <zephyr/net/socket.h>
#include <zephyr/random/random.h>

int mgc_net_open(midge_rtos *r, const char *host, const char *port) {
    struct zsock_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    int one = 1;
    if (zsock_getaddrinfo(host, port, &hints, &list) != 0) return -1;
    r->fd = zsock_socket(list->ai_family, SOCK_STREAM, IPPROTO_TCP);
    int rc = -1;
    if (r->fd >= 0 && zsock_fcntl(r->fd, F_SETFL, O_NONBLOCK) == 0) {
        zsock_setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        rc = zsock_connect(r->fd, list->ai_addr, list->ai_addrlen);
        if (rc != 0 && errno == EINPROGRESS) rc = 0;
    }
    zsock_freeaddrinfo(list);
    return rc;
}

int mgc_net_opened(midge_rtos *r) {
    struct zsock_pollfd p = {.fd = r->fd, .events = ZSOCK_POLLOUT};
    int error = 0;
    socklen_t size = sizeof error;
    if (zsock_poll(&p, 1, 0) <= 0) return 0;
    return zsock_getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0 ? 1 : -1;
}

// A count, or 0 for "not now", or -1.
static int outcome(int n) { return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1; }

int mgc_net_read(midge_rtos *r, void *p, size_t n) { return outcome((int)zsock_recv(r->fd, p, n, 0)); }
int mgc_net_write(midge_rtos *r, const void *p, size_t n) { return outcome((int)zsock_send(r->fd, p, n, 0)); }

void mgc_net_wait(midge_rtos *r, uint32_t ms) {
    struct zsock_pollfd p = {.fd = r->fd, .events = ZSOCK_POLLIN};
    if (r->blocked || !r->opened) p.events |= ZSOCK_POLLOUT;
    zsock_poll(&p, r->fd >= 0 ? 1 : 0, ms < INT32_MAX ? (int)ms : -1);
}

void mgc_net_close(midge_rtos *r) {
    if (r->fd >= 0) zsock_close(r->fd);
}

uint32_t mgc_net_now(void) { return k_uptime_get_32(); }

uint64_t mgc_net_seed(void) {
    uint64_t seed;
    return sys_csrand_get(&seed, sizeof seed) == 0 ? seed : k_cycle_get_64();
}
