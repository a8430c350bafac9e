// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/blob.h"

#include <string.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/shard/disk.h"

static int file_read(void *handle, void *p, size_t n, uint64_t at) {
    size_t got = 0;
    int err = mg_file_read(handle, p, n, at, &got, NULL);
    return err ? err : got < n ? MG_EEOF : MG_OK;
}

static int file_write(void *handle, const void *p, size_t n, uint64_t at) {
    return mg_file_write(handle, p, n, at, NULL);
}

static void file_expect(void *handle, uint64_t at, uint64_t n) { mg_file_expect(handle, at, n); }

static void file_forget(void *handle, uint64_t at, uint64_t n) { mg_file_forget(handle, at, n); }

static const struct mg_blob_ops file_ops = {file_read, file_write, file_expect, file_forget};

struct mg_blob mg_blob_of_file(struct mg_file *f) { return (struct mg_blob){&file_ops, f}; }

static int direct_read(void *handle, void *p, size_t n, uint64_t at) {
    uint64_t from = at / MG_WRITER_ALIGN * MG_WRITER_ALIGN;
    size_t skip = (size_t)(at - from), got = 0;
    size_t want = (skip + n + MG_WRITER_ALIGN - 1) / MG_WRITER_ALIGN * MG_WRITER_ALIGN;
    uint8_t *buf = mg_disk_alloc(want);
    int err = mg_file_read(handle, buf, want, from, &got, NULL);
    if (err == MG_OK && got < skip + n) err = MG_EEOF;
    if (err == MG_OK) memcpy(p, buf + skip, n);
    mg_disk_free(buf);
    return err;
}

static const struct mg_blob_ops direct_ops = {direct_read, file_write, NULL, NULL};

struct mg_blob mg_blob_of_direct_file(struct mg_file *f) { return (struct mg_blob){&direct_ops, f}; }

// ---- writing

void mg_file_writer_init(struct mg_file_writer *w, struct mg_blob out, size_t cap) {
    if (cap == 0) cap = MG_WRITER_BYTES;
    mg_assert(cap % MG_WRITER_ALIGN == 0);
    *w = (struct mg_file_writer){.out = out, .buf = mg_disk_alloc(cap), .cap = cap};
}

void mg_file_writer_fini(struct mg_file_writer *w) {
    mg_disk_free(w->buf);
    *w = (struct mg_file_writer){0};
}

static void flush(struct mg_file_writer *w) {
    if (w->err == MG_OK && w->len) w->err = w->out.ops->write(w->out.handle, w->buf, w->len, w->at);
    if (w->err == MG_OK && w->len && w->twin.ops)
        w->err = w->twin.ops->write(w->twin.handle, w->buf, w->len, w->at);
    if (w->err == MG_OK && w->len && w->pace) w->err = w->pace(w->pace_arg, w->len);
    w->at += w->len;
    w->len = 0;
}

void mg_file_write_bytes(struct mg_file_writer *w, const void *p, size_t n) {
    const uint8_t *from = p;
    while (n) {
        size_t part = w->cap - w->len < n ? w->cap - w->len : n;
        memcpy(w->buf + w->len, from, part);
        w->len += part;
        from += part;
        n -= part;
        if (w->len == w->cap) flush(w);
    }
}

void mg_file_write_align(struct mg_file_writer *w, size_t align) {
    static const uint8_t zeroes[256];
    size_t n = (size_t)(-mg_file_writer_at(w) & (align - 1));
    while (n) {
        size_t part = n < sizeof zeroes ? n : sizeof zeroes;
        mg_file_write_bytes(w, zeroes, part);
        n -= part;
    }
}

int mg_file_writer_finish(struct mg_file_writer *w) {
    mg_assert(w->len % MG_WRITER_ALIGN == 0);
    flush(w);
    return w->err;
}
