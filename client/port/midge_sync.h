// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge_sync.h: a connection that any thread may use. A thread in the background owns it; calls become records in a
// queue. Callbacks run on that thread: what they do holds up everything else, so they are short or pass work on.
// For the fastest way, and for what is not here, use one midge_conn a thread (midge_posix.h).
#ifndef MIDGE_SYNC_H
#define MIDGE_SYNC_H

#include "client/port/midge_posix.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct midge_sync midge_sync;

// Connects as midge_connect does, then starts the thread. o->send_max also bounds the queue. on_event and message
// callbacks run on the thread, with the engine as their argument: they may use it directly (midge_respond ...).
MIDGE_API midge_sync *midge_sync_connect(const midge_options *o, char *err, size_t err_size);

// Copies the message into the queue; waits up to timeout_ms for room in it (in callbacks: not at all). What the engine
// refuses later (an invalid subject, too large) is counted in midge_sync_refused. Errors: ETIMEOUT, ETOOLARGE (larger
// than the queue), ECLOSED.
MIDGE_API int midge_sync_publish(midge_sync *s, midge_str subject, midge_str reply, midge_str headers, const void *data,
                                 size_t len, uint32_t timeout_ms);
MIDGE_API uint64_t midge_sync_refused(midge_sync *s);

// subject and queue are kept as midge_subscribe says. A handle > 0 or an error. Also from callbacks.
MIDGE_API int32_t midge_sync_subscribe(midge_sync *s, midge_str subject, midge_str queue, midge_msg_fn fn, void *user);
// max as midge_unsubscribe. With 0: when it returns on another thread, no callback runs or follows.
MIDGE_API int midge_sync_unsubscribe(midge_sync *s, int32_t sub, uint32_t max);

// Blocks the caller until the reply or an error. *reply is the caller's, to be freed by free(); its slices point into
// the same memory. Not from callbacks (EINVAL): those use midge_request.
MIDGE_API int midge_sync_request(midge_sync *s, midge_str subject, midge_str headers, const void *data, size_t len,
                                 uint32_t timeout_ms, midge_msg **reply);

// Blocks until the server has seen what this thread published and subscribed before. Not from callbacks.
MIDGE_API int midge_sync_flush(midge_sync *s, uint32_t timeout_ms);

// Ends it: with a timeout drains first (what is queued is written, what has come is delivered), with 0 closes at once.
// Joins the thread and frees all. 0 or the reason why something may be lost. Not from callbacks, and no other thread
// may use it any more.
MIDGE_API int midge_sync_free(midge_sync *s, uint32_t drain_timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
