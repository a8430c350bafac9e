// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/base/sizefmt.h"

#include <inttypes.h>
#include <stdio.h>

char *mg_fmt_size(char *buf, int64_t bytes) {
    static const char units[] = "KMGTPE";
    if (bytes < 1024) {
        snprintf(buf, 40, "%" PRId64 " B", bytes);
        return buf;
    }
    double v = (double)bytes / 1024;
    const char *unit = units;
    for (; v >= 1024; unit++) v /= 1024;
    snprintf(buf, 40, "%.2f %cB", v, *unit);
    return buf;
}
