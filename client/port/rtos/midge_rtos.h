// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge_rtos.h: the engine on small systems: lwIP, FreeRTOS, Zephyr. A start to copy from; README.md beside it says
// what to change. Nothing here allocates; a midge_rtos is about 40 bytes.
#ifndef MIDGE_RTOS_H
#define MIDGE_RTOS_H

#include "client/core/midge.h"

#define MIDGE_RTOS_HOST_MAX 63 // bytes of a server's name

// One TCP connection, as the system's file (lwip.c, zephyr.c) implements it over non-blocking sockets.
typedef struct midge_rtos {
    int fd;       // -1: none
    bool opened;  // the connect has succeeded
    bool blocked; // the last write found no room
    // One step of a TLS handshake on fd: 1 done, 0 again when the socket is ready, < 0 failed. NULL: no TLS, and
    // midge_config.tls_available must be false. Whoever sets it also replaces net_read and net_write below.
    int (*tls_step)(struct midge_rtos *r, const char *name);
    void *tls;
} midge_rtos;

// ---- what each system's file gives ----
// Starts to connect: 0 or < 0, then closes nothing. port is decimal.
int mgc_net_open(midge_rtos *r, const char *host, const char *port);
int mgc_net_opened(midge_rtos *r);                                // 1 yes, 0 not yet, < 0 failed
int mgc_net_read(midge_rtos *r, void *p, size_t n);               // bytes, 0: none now, < 0: the end
int mgc_net_write(midge_rtos *r, const void *p, size_t n);        // bytes, 0: no room now, < 0: the end
void mgc_net_wait(midge_rtos *r, uint32_t ms);                    // until the socket is ready, or so long
void mgc_net_close(midge_rtos *r);
uint32_t mgc_net_now(void);  // milliseconds, may wrap
uint64_t mgc_net_seed(void); // for midge_config.seed: from the hardware's random numbers

// ---- rtos.c ----
void midge_rtos_init(midge_rtos *r);
// One turn of the engine's loop; waits at most max_wait_ms. False: the engine is closed for good, the socket too.
bool midge_rtos_turn(midge *m, midge_rtos *r, uint32_t max_wait_ms);

#endif
