// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Turns a host name and a port into a connected TCP socket, without blocking the caller.
#ifndef MIDGE_PORT_DIAL_H
#define MIDGE_PORT_DIAL_H

#include <stddef.h>
#include <stdint.h>

struct mgc_dial; // on the heap, shared with the thread that works on it

// Starts. One byte is written to wake_fd (which is duplicated) when the result is there. Gives up after timeout_ms,
// except that a name server may take longer. NULL: no memory or no thread.
struct mgc_dial *mgc_dial_start(const char *host, uint16_t port, uint32_t timeout_ms, int wake_fd);

enum mgc_dial_state { MGC_DIAL_RUNNING, MGC_DIAL_CONNECTED, MGC_DIAL_FAILED };

// CONNECTED: *fd is the caller's: non-blocking, close-on-exec, without Nagle's delay. FAILED: reason has a phrase for
// people. Both end the dial: d is gone.
enum mgc_dial_state mgc_dial_take(struct mgc_dial *d, int *fd, char *reason, size_t size);

// Forgets it; whatever it still finds is closed. NULL is fine.
void mgc_dial_cancel(struct mgc_dial *d);

#endif
