// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge_uv.h: a connection of midge_posix.h on a libuv loop.
//
//      midge_conn *c = midge_conn_new(&options, err, sizeof err);
//      midge_uv *u = midge_uv_attach(&loop, c, on_closed, NULL);
//      midge_subscribe(midge_engine(c), ...);
//      uv_run(&loop, UV_RUN_DEFAULT);
//
// From then on callbacks run in the loop, and what any callback of the loop publishes leaves before the loop waits
// again. midge_poll and the _wait functions are not needed, and must not be called from the loop's callbacks.
// Everything happens on the loop's thread; midge_wakeup is still for any thread.
#ifndef MIDGE_UV_H
#define MIDGE_UV_H

#include <uv.h>

#include "client/port/midge_posix.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct midge_uv midge_uv;

// The connection is closed for good, or detached: err as of midge_poll, 0 after midge_uv_detach. The midge_uv is gone
// and no handle is left in the loop; here midge_conn_free may be called. May be NULL.
typedef void (*midge_uv_closed_fn)(midge_conn *c, int err, void *user);

// The loop stays alive until then. c stays the caller's. NULL: no memory, or the loop takes no handle.
MIDGE_API midge_uv *midge_uv_attach(uv_loop_t *loop, midge_conn *c, midge_uv_closed_fn fn, void *user);

// Takes it off the loop; the connection stays as it is, and fn is called when the handles are closed. Also from
// callbacks. To end the connection rather use midge_drain or midge_close.
MIDGE_API void midge_uv_detach(midge_uv *u);

#ifdef __cplusplus
}
#endif

#endif
