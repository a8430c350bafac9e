// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// How the builders and readers of runs and segments reach bytes: a file of disk.h in a server, memory in tests and
// fuzzers. Handles are borrowed: who opened a file closes it, after its readers.
#ifndef MG_STORE_BLOB_H
#define MG_STORE_BLOB_H

#include <stddef.h>
#include <stdint.h>

struct mg_file;

struct mg_blob_ops {
    // Reads exactly n bytes at `at`; MG_EIO, or MG_EEOF if the file ends before.
    int (*read)(void *handle, void *p, size_t n, uint64_t at);
    int (*write)(void *handle, const void *p, size_t n, uint64_t at);
    // These bytes will be read soon; will not be read again soon. Both may be NULL.
    void (*expect)(void *handle, uint64_t at, uint64_t n);
    void (*forget)(void *handle, uint64_t at, uint64_t n);
};

struct mg_blob {
    const struct mg_blob_ops *ops; // NULL: there is no such file
    void *handle;
};

// A file that is open for plain (not direct) reads, or for writes.
struct mg_blob mg_blob_of_file(struct mg_file *f);

// A file that is open for direct reads: any place and length, through an aligned buffer of its own for each read. Past
// the page cache, so for long reads whose bytes nobody else wants soon.
struct mg_blob mg_blob_of_direct_file(struct mg_file *f);

static inline int mg_blob_read(const struct mg_blob *b, void *p, size_t n, uint64_t at) {
    return b->ops->read(b->handle, p, n, at);
}

// ---- writing

enum { MG_WRITER_ALIGN = 4096, MG_WRITER_BYTES = 256 * 1024 };

// Writes a file from its start to its end in large aligned pieces, as direct transfers want them. Embedded in a
// builder; one thread. Errors stick: after one, nothing more is written and finish returns it.
struct mg_file_writer {
    struct mg_blob out, twin; // twin: gets the same bytes; ops NULL: there is none
    // Called after each piece; may block (pacing). Not MG_OK: stop, with this error. May be NULL.
    int (*pace)(void *arg, size_t written);
    void *pace_arg;
    uint8_t *buf; // owned, aligned
    size_t len, cap;
    uint64_t at; // offset of buf in the file
    int err;
};

// cap: bytes of a piece, a multiple of MG_WRITER_ALIGN; 0: MG_WRITER_BYTES.
void mg_file_writer_init(struct mg_file_writer *w, struct mg_blob out, size_t cap);
void mg_file_writer_fini(struct mg_file_writer *w);
static inline uint64_t mg_file_writer_at(const struct mg_file_writer *w) { return w->at + w->len; }
void mg_file_write_bytes(struct mg_file_writer *w, const void *p, size_t n);
// Zeroes up to the next multiple of `align`, a power of two.
void mg_file_write_align(struct mg_file_writer *w, size_t align);
// Writes the rest, which ends at a multiple of MG_WRITER_ALIGN (asserted). The first error there was.
int mg_file_writer_finish(struct mg_file_writer *w);

#endif
