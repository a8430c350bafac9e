// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Inside of the libuv side of the seam: shared by loop_uv.c and net_uv.c only.
#ifndef MG_SHARD_LOOP_UV_H
#define MG_SHARD_LOOP_UV_H

#include <uv.h>

#include "server/shard/loop.h"

struct mg_loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_idle_t idle; // active while the hook says that there is more to do: the poll does not wait
    uv_timer_t timer;
    uv_poll_t bell;
    int bell_fd;     // an eventfd; -1: none
    struct mg_loop_hooks hooks;
    uint64_t now;
    uint64_t timer_at;
    bool now_stale;
    bool idle_on;
};

#endif
