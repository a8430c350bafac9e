// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/proto/headers.h"

#include <stdio.h>

// Cuts the first line off; a block without CRLF is one line.
static mg_slice next_line(mg_slice *rest) {
    const char *crlf = rest->n ? memmem(rest->p, rest->n, "\r\n", 2) : NULL;
    mg_slice line = mg_slice_of(rest->p, crlf ? (size_t)(crlf - rest->p) : rest->n);
    *rest = crlf ? mg_slice_of(crlf + 2, rest->n - line.n - 2) : mg_slice_of(NULL, 0);
    return line;
}

static mg_slice skip_spaces(mg_slice s) {
    while (s.n > 0 && s.p[0] == ' ') s.p++, s.n--;
    return s;
}

bool mg_hdr_get(mg_slice block, mg_slice key, mg_slice *value) {
    if (key.n == 0) return false;
    next_line(&block); // version and status
    while (block.n > 0) {
        mg_slice line = next_line(&block);
        if (line.n <= key.n || line.p[key.n] != ':' || !mg_slice_starts(line, key)) continue;
        *value = skip_spaces(mg_slice_of(line.p + key.n + 1, line.n - key.n - 1));
        return true;
    }
    return false;
}

bool mg_hdr_status(mg_slice block, mg_slice *status, mg_slice *description) {
    mg_slice version = MG_S("NATS/1.0"), line = next_line(&block);
    *status = *description = mg_slice_of(NULL, 0);
    if (!mg_slice_starts(line, version)) return false;
    line = mg_slice_of(line.p + version.n, line.n - version.n);
    if (line.n > 0 && line.p[0] != ' ') return false;
    line = skip_spaces(line);
    const char *space = line.n ? memchr(line.p, ' ', line.n) : NULL;
    *status = mg_slice_of(line.p, space ? (size_t)(space - line.p) : line.n);
    if (space != NULL) *description = skip_spaces(mg_slice_of(space, line.n - status->n));
    return true;
}

static char *put(char *p, mg_slice s) {
    if (s.n > 0) memcpy(p, s.p, s.n);
    return p + s.n;
}

// spec/client-protocol.md A7: the block has 32 bytes and the subject, and there is no payload.
size_t mg_hdr_write_503(char *out, size_t cap, mg_slice reply, mg_slice sid, mg_slice subject) {
    static const mg_slice status = {"NATS/1.0 503\r\nNats-Subject: ", 28};
    char sizes[64];
    size_t block = status.n + subject.n + 4;
    mg_slice tail = {sizes, (size_t)snprintf(sizes, sizeof sizes, " %zu %zu\r\n", block, block)};
    size_t len = 5 + reply.n + 1 + sid.n + tail.n + block + 2;
    if (len > cap) return len;
    char *p = put(out, MG_S("HMSG "));
    p = put(put(put(p, reply), MG_S(" ")), sid);
    p = put(put(put(p, tail), status), subject);
    put(p, MG_S("\r\n\r\n\r\n"));
    return len;
}
