// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The thread that takes lines out of a log's ring and writes them: to a file, a remote or local syslog, or stderr, in
// this order of priority (spec/client-protocol.md B4). Belongs to the port: it does I/O of its own.
#ifndef MG_SHARD_LOG_WRITER_H
#define MG_SHARD_LOG_WRITER_H

#include <stddef.h>

#include "server/base/log.h"
#include "server/config/options.h"

struct mg_log_writer;

// Opens the sink that o asks for, sets log's flags and hooks and starts the thread. log must have a ring. tag: the
// program's name for syslog (basename of argv[0]). On failure returns an error and one line in err
// ("error opening file: open /x: permission denied"). From the thread that owns log, before others use it.
int mg_log_writer_start(struct mg_log_writer **out, struct mg_log *log, const struct mg_options *o, const char *tag,
                        char *err, size_t errlen);
// Switches to other options between two lines. On failure everything stays as it was. Any thread.
int mg_log_writer_reload(struct mg_log_writer *w, const struct mg_options *o, char *err, size_t errlen);
// Closes and opens the log file again (SIGUSR1) and logs the outcome. Any thread; does not wait.
void mg_log_writer_reopen(struct mg_log_writer *w);
// Returns when every line that the calling thread wrote before is out. Any thread but the writer.
void mg_log_writer_flush(struct mg_log_writer *w);
// Writes what is left, closes the sink, ends the thread, takes the hooks off log and frees w.
void mg_log_writer_stop(struct mg_log_writer *w);

#endif
