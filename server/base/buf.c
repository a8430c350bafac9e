// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/base/buf.h"

#include <stdint.h>
#include <stdio.h>

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/base/utf8.h"

void mg_buf_fini(struct mg_buf *b) {
    mg_free(b->p);
    *b = (struct mg_buf)MG_BUF_INIT;
}

void mg_buf_reserve(struct mg_buf *b, size_t more) {
    mg_assert(more < SIZE_MAX / 4);
    if (b->cap - b->len >= more) return;
    size_t cap = b->cap ? b->cap : 64;
    while (cap - b->len < more) cap *= 2;
    b->p = mg_realloc(b->p, cap);
    b->cap = cap;
}

void mg_buf_add(struct mg_buf *b, const void *p, size_t n) {
    if (n == 0) return;
    mg_buf_reserve(b, n);
    memcpy(b->p + b->len, p, n);
    b->len += n;
}

void mg_buf_adds(struct mg_buf *b, const char *s) { mg_buf_add(b, s, strlen(s)); }
void mg_buf_addc(struct mg_buf *b, char c) { mg_buf_add(b, &c, 1); }

void mg_buf_vaddf(struct mg_buf *b, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    mg_buf_reserve(b, 64);
    int n = vsnprintf(b->p + b->len, b->cap - b->len, fmt, ap);
    mg_assert(n >= 0);
    if ((size_t)n >= b->cap - b->len) {
        mg_buf_reserve(b, (size_t)n + 1);
        vsnprintf(b->p + b->len, b->cap - b->len, fmt, again);
    }
    va_end(again);
    b->len += (size_t)n;
}

void mg_buf_addf(struct mg_buf *b, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    mg_buf_vaddf(b, fmt, ap);
    va_end(ap);
}

void mg_buf_add_quoted(struct mg_buf *b, mg_slice s) {
    static const char escapes[] = {['\a'] = 'a', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n',
                                   ['\r'] = 'r', ['\t'] = 't', ['\v'] = 'v', ['"'] = '"', ['\\'] = '\\'};
    mg_buf_addc(b, '"');
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t len = mg_utf8_len(s.p + i, s.n - i);
        if (c < sizeof(escapes) && escapes[c] != 0) {
            char pair[2] = {'\\', escapes[c]};
            mg_buf_add(b, pair, 2);
        } else if (len == 0 || (len == 1 && (c < 0x20 || c == 0x7f))) {
            mg_buf_addf(b, "\\x%02x", c);
        } else {
            mg_buf_add(b, s.p + i, len);
            i += len - 1;
        }
        i++;
    }
    mg_buf_addc(b, '"');
}
