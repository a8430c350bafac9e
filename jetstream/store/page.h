// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Pages of the journal: a header of MG_PAGE_SIZE bytes (format.h), then a piece of the commit's records. Records run on
// over the pages of their commit, never over its end. Pure functions; only the journal's files use them.
//
//   | header | end of a record | record | record | begin of a record |     first = where the first record begins
//            |<------------------- used ---------------------------->|
#ifndef MG_STORE_PAGE_H
#define MG_STORE_PAGE_H

#include "jetstream/store/format.h"

#define MG_PAGE_BYTES_MIN 4096u
#define MG_PAGE_BYTES_MAX 65536u

enum mg_page_state {
    MG_PAGE_VALID,
    MG_PAGE_ZERO, // nothing but zeros: not yet written
    MG_PAGE_BAD,
};

// Completes a page of `size` bytes whose records are in place: writes magic, version, header, zeros behind the records,
// checksum.
void mg_page_seal(void *page, size_t size, struct mg_page *head, uint64_t salt);

// Judges `size` bytes from disk. VALID: *head has the header, and its numbers make sense by themselves (used, first,
// index, count, kind). Otherwise *head is undefined.
enum mg_page_state mg_page_check(struct mg_page *head, const void *page, size_t size, uint64_t salt);

#endif
