// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the JetStream files share.
#ifndef MIDGE_CLIENT_CORE_JS_PRIV_H
#define MIDGE_CLIENT_CORE_JS_PRIV_H

#include "client/core/js_text.h"

// A request of what is in t: the subject, and from `body` on the body. A handle or an error, never 0.
int32_t mgc_js_request(const mgc_text *t, size_t body, bool wildcards, midge_reply_fn fn, void *user);

// Subscribes a fresh inbox, which is put into `inbox` of MIDGE_INBOX_MAX bytes.
int32_t mgc_js_inbox(midge *m, char *inbox, midge_msg_fn fn, void *user);

#define MGC_KV_SUBJECT "$KV.?.?" // a form: bucket, key
// "$KV.<bucket>." of a subject: how long it is.
size_t mgc_kv_prefix(const midge_kv *kv);
// What the headers say was done to the key.
enum midge_kv_operation mgc_kv_operation(midge_str headers);

// The struct that a hook is in.
#define MGC_OF_HOOK(type, at) ((type *)(void *)((char *)(at) - offsetof(type, hook)))

#endif
