// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Assertions that stay on in release builds. Use mg_assert for what the program itself guarantees (arguments,
// invariants); a limit that input can break is checked and answered with an error instead.
#ifndef MG_BASE_ASSERT_H
#define MG_BASE_ASSERT_H

#define MG_LIKELY(x) __builtin_expect(!!(x), 1)
#define MG_UNLIKELY(x) __builtin_expect(!!(x), 0)

#define mg_assert(x) (MG_LIKELY(x) ? (void)0 : mg_assert_failed(#x, __FILE__, __LINE__))

// Prints one line to stderr and aborts. Never returns.
_Noreturn void mg_assert_failed(const char *expr, const char *file, int line);

#endif
