// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Where log lines go. Used by the log's writer only: everything here may block.
#ifndef MG_SHARD_LOG_OUT_H
#define MG_SHARD_LOG_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/log.h"
#include "server/config/options.h"

struct mg_log_out;

// Opens the file, remote syslog, local syslog or stderr that o asks for, in this order. On failure returns an error and
// one line in err.
int mg_log_out_open(struct mg_log_out **out, const struct mg_options *o, const char *tag, char *err, size_t errlen);
void mg_log_out_close(struct mg_log_out *out); // flushes
// Lines are gathered until the next flush, or 64 KB.
void mg_log_out_write(struct mg_log_out *out, enum mg_log_level level, int64_t wall_ns, mg_slice text);
void mg_log_out_flush(struct mg_log_out *out);
// Opens the file again by its name. MG_EUNSUPPORTED: it is no file; another error: it could not be opened and the old one
// stays, with a text in err.
int mg_log_out_reopen(struct mg_log_out *out, char *err, size_t errlen);

// ---- syslog (log_syslog.c) ----
struct mg_syslog;
// url: "udp://host:port", "tcp://host:port", "unix:///path", or NULL for this machine's.
int mg_syslog_open(struct mg_syslog **out, const char *url, const char *tag, char *err, size_t errlen);
void mg_syslog_close(struct mg_syslog *s);
// Sends one line; connects again once if that fails. What cannot be sent is lost.
void mg_syslog_write(struct mg_syslog *s, enum mg_log_level level, int64_t wall_ns, mg_slice text);

#endif
