// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// lwIP with its socket layer (LWIP_SOCKET, LWIP_DNS, LWIP_SOCKET_POLL and SO_RCVBUF on).
// The name look-up blocks this thread for as long as the DNS client's timeout.
#include "client/port/rtos/midge_rtos.h"

#include <errno.h>
#include <lwip/netdb.h>
#include <lwip/sockets.h>
#include <lwip/sys.h>

int mgc_net_open(midge_rtos *r, const char *host, const char *port) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    int one = 1;
    if (lwip_getaddrinfo(host, port, &hints, &list) != 0) return -1;
    r->fd = lwip_socket(list->ai_family, SOCK_STREAM, IPPROTO_TCP);
    int rc = -1;
    if (r->fd >= 0 && lwip_fcntl(r->fd, F_SETFL, O_NONBLOCK) == 0) {
        lwip_setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        rc = lwip_connect(r->fd, list->ai_addr, list->ai_addrlen);
        if (rc != 0 && errno == EINPROGRESS) rc = 0;
    }
    lwip_freeaddrinfo(list);
    return rc;
}

int mgc_net_opened(midge_rtos *r) {
    struct pollfd p = {.fd = r->fd, .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof error;
    if (lwip_poll(&p, 1, 0) <= 0) return 0;
    return lwip_getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0 ? 1 : -1;
}

// A count, or 0 for "not now", or -1.
static int outcome(int n) { return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1; }

int mgc_net_read(midge_rtos *r, void *p, size_t n) { return outcome((int)lwip_recv(r->fd, p, n, 0)); }
int mgc_net_write(midge_rtos *r, const void *p, size_t n) { return outcome((int)lwip_send(r->fd, p, n, 0)); }

void mgc_net_wait(midge_rtos *r, uint32_t ms) {
    struct pollfd p = {.fd = r->fd, .events = POLLIN};
    if (r->blocked || !r->opened) p.events |= POLLOUT;
    lwip_poll(&p, r->fd >= 0 ? 1 : 0, ms < INT32_MAX ? (int)ms : -1);
}

void mgc_net_close(midge_rtos *r) {
    if (r->fd >= 0) lwip_close(r->fd);
}

uint32_t mgc_net_now(void) { return sys_now(); }

// LWIP_RAND must be the hardware's generator here: two devices that start with the same bits would share inboxes.
uint64_t mgc_net_seed(void) {
    uint32_t high = LWIP_RAND(), low = LWIP_RAND();
    return (uint64_t)high << 32 | low;
}
