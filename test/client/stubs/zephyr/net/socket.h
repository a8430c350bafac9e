// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Stands for Zephyr's header of that name: its functions are this system's, so that client/port/rtos can run in tests.
#ifndef STUB_ZEPHYR_SOCKET_H
#define STUB_ZEPHYR_SOCKET_H

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define zsock_socket       socket
#define zsock_connect      connect
#define zsock_recv         recv
#define zsock_send         send
#define zsock_close        close
#define zsock_fcntl        fcntl
#define zsock_poll         poll
#define zsock_setsockopt   setsockopt
#define zsock_getsockopt   getsockopt
#define zsock_getaddrinfo  getaddrinfo
#define zsock_freeaddrinfo freeaddrinfo
#define zsock_addrinfo     addrinfo
#define zsock_pollfd       pollfd
#define ZSOCK_POLLIN       POLLIN
#define ZSOCK_POLLOUT      POLLOUT

#endif
