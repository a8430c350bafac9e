// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Shared by pending.c and pending_queue.c.
#ifndef MG_JETSTREAM_CONSUMER_PENDING_IMPL_H
#define MG_JETSTREAM_CONSUMER_PENDING_IMPL_H

#include "jetstream/consumer/pending.h"

#define MG_JS_COUNT_MAX ((1u << 30) - 1)

void mg_js_heap_push(struct mg_js_pending *p, const struct mg_js_entry *e);
void mg_js_queue_leave(struct mg_js_pending *p, struct mg_js_entry *e); // without a node in the heap

#endif
