// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Protocol trace lines (spec/client-protocol.md B4). prefix: how the connection is named in the log,
// "127.0.0.1:4242 - cid:5"; each line is "prefix - text". Call these only when mg_log_on(log, MG_LOG_TRC).
#ifndef MG_CONN_TRACE_H
#define MG_CONN_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/buf.h"
#include "server/base/log.h"
#include "server/base/slice.h"

enum mg_trace_dir { MG_TRACE_IN, MG_TRACE_OUT, MG_TRACE_INNER }; // "<<-", "->>", "<->"

// "<<- [SUB foo 1]"; op or arg may be empty. An outgoing MSG line is given as op, without its CRLF.
void mg_trace_op(struct mg_log *log, const char *prefix, enum mg_trace_dir dir, mg_slice op, mg_slice arg);
// "<<- [CONNECT {...}]" without secrets.
void mg_trace_connect(struct mg_log *log, const char *prefix, mg_slice arg);
// "<<- MSG_PAYLOAD: ["hi"]". msg: headers and body, without the final CRLF; hdr_len: of the headers with their final
// CRLFCRLF, 0: none. Obeys log's max_traced_msg_len and trace_headers; nothing is written for an empty message.
void mg_trace_payload(struct mg_log *log, const char *prefix, enum mg_trace_dir dir, mg_slice msg, size_t hdr_len);

// Appends the argument of a CONNECT with the values of secrets replaced by [REDACTED].
void mg_trace_redact(struct mg_buf *out, mg_slice arg);

#endif
