// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#ifndef MG_BASE_SIZEFMT_H
#define MG_BASE_SIZEFMT_H

#include <stdint.h>

// Bytes as the reference's log shows them: "512 B", "1.00 KB", "190.73 MB"; powers of 1024. buf must hold 40 bytes.
// Returns buf.
char *mg_fmt_size(char *buf, int64_t bytes);

#endif
