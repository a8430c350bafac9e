// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Header blocks, ADR-4: "NATS/1.0[ status[ description]]", then "Name: value" lines, then an empty line.
#include "client/core/internal.h"

static void append(midge_headers *h, const void *s, size_t n) {
    if (h->err) return;
    if (n > h->size - h->n) {
        h->err = MIDGE_ETOOLARGE;
        return;
    }
    mgc_put((uint8_t *)h->buf + h->n, s, n);
    h->n += n;
}

void midge_headers_begin(midge_headers *h, void *buf, size_t size) {
    *h = (midge_headers){.buf = buf, .size = size};
    append(h, "NATS/1.0\r\n", 10);
}

void midge_headers_add(midge_headers *h, midge_str name, midge_str value) {
    bool good = name.n > 0;
    for (size_t i = 0; i < name.n; i++) {
        uint32_t c = (uint8_t)name.p[i];
        if (c - '!' > '~' - '!' || c == ':') good = false;
    }
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] == '\r' || value.p[i] == '\n') good = false;
    if (!good && !h->err) h->err = MIDGE_EBADHEADER;
    append(h, name.p, name.n);
    append(h, ": ", 2);
    append(h, value.p, value.n);
    append(h, "\r\n", 2);
}

int midge_headers_end(midge_headers *h, midge_str *block) {
    append(h, "\r\n", 2);
    *block = h->err ? MIDGE_NONE : (midge_str){h->buf, h->n};
    return h->err;
}

static midge_str trim(const char *p, const char *end) {
    while (p < end && (*p == ' ' || *p == '\t')) p++;
    while (p < end && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r')) end--;
    return (midge_str){p, (size_t)(end - p)};
}

// The line at *pos without its end; false at the end of the block.
static bool next_line(midge_str block, size_t *pos, const char **from, const char **to) {
    if (*pos >= block.n) return false;
    *from = block.p + *pos;
    *to = mgc_find(*from, '\n', block.n - *pos);
    if (!*to) return false;
    *pos = (size_t)(*to - block.p) + 1;
    if (*to > *from && (*to)[-1] == '\r') --*to;
    return true;
}

bool midge_headers_next(midge_str block, size_t *pos, midge_str *name, midge_str *value) {
    const char *from, *to, *colon;
    if (*pos == 0 && !next_line(block, pos, &from, &to)) return false;
    while (next_line(block, pos, &from, &to)) {
        if (from == to) break;
        colon = mgc_find(from, ':', (size_t)(to - from));
        if (!colon || colon == from) continue; // not a header; others may be
        *name = (midge_str){from, (size_t)(colon - from)};
        *value = trim(colon + 1, to);
        return true;
    }
    *pos = block.n;
    return false;
}

midge_str midge_headers_get(midge_str block, midge_str name) {
    midge_str found, value;
    for (size_t pos = 0; midge_headers_next(block, &pos, &found, &value);)
        if (mgc_same(found, name)) return value;
    return MIDGE_NONE;
}

midge_str midge_headers_description(midge_str block) {
    const char *from, *to;
    size_t pos = 0;
    if (!next_line(block, &pos, &from, &to) || to - from < 13 || from[8] != ' ') return MIDGE_NONE;
    midge_str words = trim(from + 12, to);
    return words.n ? words : MIDGE_NONE;
}
