// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#ifndef STUB_ZEPHYR_KERNEL_H
#define STUB_ZEPHYR_KERNEL_H

#include <stdint.h>
#include <time.h>

static inline uint64_t k_cycle_get_64(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint32_t k_uptime_get_32(void) { return (uint32_t)(k_cycle_get_64() / 1000000); }

#endif
