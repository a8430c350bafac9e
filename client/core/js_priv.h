// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the JetStream files share.
#ifndef MIDGE_CLIENT_CORE_JS_PRIV_H
#define MIDGE_CLIENT_CORE_JS_PRIV_H

#include "client/core/js_text.h"

// js->buf, empty.
mgc_text mgc_js_text(const midge_js *js);
// The timeout of a request.
midge_request_opts mgc_js_opts(const midge_js *js);

// A direct get: the subject after `form` (see mgc_text_form), and with seq > 0 that message's.
int mgc_js_get(midge_js *js, midge_js_get *op, const char *form, const midge_str *a, const midge_str *b,
               const midge_str *c, uint64_t seq, midge_js_get_fn fn, void *user);

// The subject of a key: $KV.<bucket>.<key>; with a domain or prefix that goes first when it is for writing.
void mgc_kv_subject(mgc_text *t, const midge_kv *kv, midge_str key, bool write);
// What the headers say was done to the key.
enum midge_kv_operation mgc_kv_operation(midge_str headers);

#endif
