// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#ifndef STUB_ZEPHYR_RANDOM_H
#define STUB_ZEPHYR_RANDOM_H

#include <stddef.h>
#include <unistd.h>

static inline int sys_csrand_get(void *dst, size_t n) { return getentropy(dst, n); }

#endif
