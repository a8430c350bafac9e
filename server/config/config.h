// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Loading a config file into options. This is the face of server/config for the rest of the server; options.h is what
// comes out, check.h says whether a server may start with it, reload.h what a change means, cmdline.h what flags add.
#ifndef MG_CONFIG_CONFIG_H
#define MG_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/buf.h"
#include "server/config/options.h"

// Where a config comes from. The library reads no file and no environment but through these. All may be called any
// number of times during one load, always from the loading thread.
struct mg_config_source {
    void *ctx;
    // Appends the whole file to *out. 0, or MG_E* and a one-line text in err ("open x: no such file or directory").
    // A file of more than `limit` bytes is an error.
    int (*read_file)(void *ctx, const char *path, size_t limit, struct mg_buf *out, char *err, size_t errlen);
    // The value of an environment variable, or NULL. NULL function: no environment. Valid until the next call.
    const char *(*getenv)(void *ctx, const char *name);
    // Whether messages on src can be mapped to dest: 0, or MG_E* and a text in err. NULL function: not checked here.
    int (*check_mapping)(void *ctx, const char *src, const char *dest, char *err, size_t errlen);
    // Whether the files of a tls block (which names certificate and key) can be loaded: as above.
    int (*check_tls)(void *ctx, const struct mg_tls_options *t, char *err, size_t errlen);
};

// Fills read_file and getenv with the file system and the environment of this process; the rest is NULL.
void mg_config_source_posix(struct mg_config_source *src);

// What loading has to say: warnings first, then errors, each one line without a line end.
struct mg_config_note {
    bool warning;
    char *text; // owned
};

struct mg_config_report {
    struct mg_config_note *v;
    size_t n;
    size_t warnings; // how many of them; they come first
};

// Zero-initialize a report before its first use.
void mg_config_report_fini(struct mg_config_report *r);
void mg_config_report_add(struct mg_config_report *r, bool warning, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool mg_config_report_has_errors(const struct mg_config_report *r);
// All notes, one per line, each line ended, as the reference prints them after "nats-server: ".
void mg_config_report_text(const struct mg_config_report *r, struct mg_buf *out);

// Reads and processes a config file. Defaults fill what it does not set. 0: *out is a new options object (free with
// mg_options_free) and the report holds warnings at most. MG_ESYNTAX or a read error: *out is NULL and the report says
// why; every error found is in it, not just the first.
int mg_config_load(const struct mg_config_source *src, const char *path, struct mg_options **out,
                   struct mg_config_report *report);

// The same with the text given; includes are relative to the current directory and there is no digest.
int mg_config_load_text(const struct mg_config_source *src, const char *text, size_t n, struct mg_options **out,
                        struct mg_config_report *report);

#endif
