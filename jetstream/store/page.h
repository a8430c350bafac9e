// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Pages of the journal: a head (format.h), then a piece of the commit's records. Records run on over the pages of their
// commit, never over its end. Pure functions; only the journal's files use them.
//
//   | header | marks | end of a record | record | record | begin of a record |  first = where the first record begins
//                    |<------------------------ used ----------------------->|
//
// Marks. A power cut may leave a page of which a device has written some sectors and not the others. Its checksum does
// not match, as that of a rotten page does not, which may have been acknowledged. So each sector of 512 bytes says
// which page it was written with: its mark is a hash of the page's number and of the incarnation. That of the first
// sector stands behind the header; those of the others are the last four bytes of their sectors, and what belongs there
// stands behind the first mark. A sector with the mark of an earlier page proves that the write of this one was not
// finished: rot does not make marks.
#ifndef MG_STORE_PAGE_H
#define MG_STORE_PAGE_H

#include <stdbool.h>

#include "jetstream/store/format.h"

#define MG_PAGE_BYTES_MIN 4096u
#define MG_PAGE_BYTES_MAX 65536u
#define MG_PAGE_SECTOR    512u

// Bytes in front of the records of a page of `size` bytes: header, and four for each sector.
static inline size_t mg_page_head_bytes(size_t size) { return MG_PAGE_SIZE + size / MG_PAGE_SECTOR * 4; }

enum mg_page_state {
    MG_PAGE_VALID,
    MG_PAGE_ZERO, // nothing but zeros: not yet written
    MG_PAGE_BAD,
};

// Completes a page of `size` bytes whose records are in place: writes magic, version, header, zeros behind the records,
// marks, checksum.
void mg_page_seal(void *page, size_t size, struct mg_page *head, uint64_t salt);

// Judges `size` bytes from disk. VALID: *head has the header, and its numbers make sense by themselves (used, first,
// index, count, kind). Otherwise *head is undefined.
enum mg_page_state mg_page_check(struct mg_page *head, const void *page, size_t size, uint64_t salt);

// The bytes of a valid page without marks, as they were before it was sealed; `plain` has room for `size` bytes.
// Returns where its records begin, in `plain`.
const uint8_t *mg_page_open(uint8_t *plain, const void *page, size_t size, const struct mg_page *head);

// Is this a valid page by the salt that it names itself? For who knows no other; not for version 1.
bool mg_page_names_itself(struct mg_page *head, const void *page, size_t size);

// Of a bad page in the slot of page `number` of a ring of `ring` pages: was its write begun, or due, and not finished?
// True is proof: a sector is as it was before. `incarnation`: the newest one that began at or below `number`; pages of
// earlier ones with that number were cut off.
bool mg_page_torn(const void *page, size_t size, uint64_t salt, uint64_t number, uint64_t ring, uint32_t incarnation);

#endif
