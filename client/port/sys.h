// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Small things that the files of the POSIX port share.
#ifndef MIDGE_PORT_SYS_H
#define MIDGE_PORT_SYS_H

#include <stddef.h>
#include <stdint.h>

#include "client/core/midge.h"

uint32_t mgc_now_ms(void); // monotonic, wraps

// The system's words for an errno, without a capital at the beginning.
void mgc_errno_text(int error, char *text, size_t size);

int mgc_socket(int family); // TCP, non-blocking, close-on-exec, without Nagle's delay; -1: errno

// A self-pipe: both ends non-blocking. 0 or -1 (errno).
int mgc_pipe(int fds[2]);
void mgc_wake(int write_end); // async-signal-safe, keeps errno
void mgc_wake_clear(int read_end);

// Reads a small file whole; at most `max` bytes. The text is terminated and the caller's, to be wiped and freed.
// NULL: err has a sentence, `cannot read <what> <path>: <why>`.
char *mgc_read_file(const char *path, const char *what, size_t max, size_t *len, char *err, size_t err_size);

#endif
