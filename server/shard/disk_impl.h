// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Inside of the POSIX side of disk.h: shared by disk_posix.c and disk_about.c only.
#ifndef MG_SHARD_DISK_IMPL_H
#define MG_SHARD_DISK_IMPL_H

#include "server/shard/disk.h"

// Immutable while it is open, so any thread may use it.
struct mg_disk {
    char *path;
    int fd;      // of the directory
    int lock_fd; // -1: looks only
};

#endif
