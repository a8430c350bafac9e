// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A growing byte buffer for building text off the message path (INFO, JSON, HTTP, logs).
#ifndef MG_BASE_BUF_H
#define MG_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include "server/base/slice.h"

struct mg_buf {
    char *p;    // owned; NULL while cap is 0
    size_t len; // bytes used
    size_t cap;
};

#define MG_BUF_INIT {NULL, 0, 0}

void mg_buf_fini(struct mg_buf *b);                 // frees and zeroes
void mg_buf_reserve(struct mg_buf *b, size_t more); // room for `more` bytes beyond len
void mg_buf_add(struct mg_buf *b, const void *p, size_t n);
void mg_buf_adds(struct mg_buf *b, const char *s);
void mg_buf_addc(struct mg_buf *b, char c);
void mg_buf_addf(struct mg_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void mg_buf_vaddf(struct mg_buf *b, const char *fmt, va_list ap);
static inline void mg_buf_add_slice(struct mg_buf *b, mg_slice s) { mg_buf_add(b, s.p, s.n); }
static inline mg_slice mg_buf_slice(const struct mg_buf *b) { return (mg_slice){b->p, b->len}; }

// Appends Go's %q form of s: double quotes, \" and \\ escaped, \n \r \t \a \b \f \v, \xNN for other control bytes and
// invalid UTF-8; printable UTF-8 is kept (spec/accounts-security.md, notation).
void mg_buf_add_quoted(struct mg_buf *b, mg_slice s);

#endif
