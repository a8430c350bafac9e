// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Stands for lwIP's header of that name: its functions are this system's, so that client/port/rtos can run in tests.
#ifndef STUB_LWIP_SOCKETS_H
#define STUB_LWIP_SOCKETS_H

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define lwip_socket     socket
#define lwip_connect    connect
#define lwip_recv       recv
#define lwip_send       send
#define lwip_close      close
#define lwip_fcntl      fcntl
#define lwip_poll       poll
#define lwip_setsockopt setsockopt
#define lwip_getsockopt getsockopt

#endif
