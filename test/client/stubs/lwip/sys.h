// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#ifndef STUB_LWIP_SYS_H
#define STUB_LWIP_SYS_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static inline uint32_t sys_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint32_t)(t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

// lwIP has it in the cc.h of its port.
#define LWIP_RAND() ((uint32_t)random())

#endif
