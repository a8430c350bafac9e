// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The values of the rows that change by increments, and how a change is merged with an older value.
// In memory and in tables they have this layout (little-endian; docs/FORMATS.md).
#ifndef MG_JETSTREAM_STORE_ROW_KINDS_H
#define MG_JETSTREAM_STORE_ROW_KINDS_H

#include "jetstream/store/rows.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "rows are read in place: little-endian only");

// One stored message of a subject, kept in streams with a limit per subject.
struct mg_subject_recent {
    uint64_t seq;
    uint32_t size; // as the stream's bytes count it
    uint32_t reserved;
};

// MG_ROW_SUBJECT. In an unresolved row `count` is a difference.
struct mg_subject_row {
    int64_t count;
    uint64_t first;      // no message of the subject is older; may itself be gone
    uint64_t last;       // no message of the subject is newer; may itself be gone if last_gone
    uint16_t last_gone;
    uint16_t older_gone; // in an unresolved row: 1: `recent` of the older value names some that are removed; 2: the
                         // older value was wrong, and `count` is no difference
    uint32_t recent_len; // when == count, `recent` names all of them, oldest first
    struct mg_subject_recent recent[];
};
#define MG_SUBJECT_RECENT_MAX 64u
#define MG_SUBJECT_OLDER_GONE 1u
#define MG_SUBJECT_OLDER_WRONG 2u

static inline uint32_t mg_subject_row_size(uint32_t recent) {
    return (uint32_t)(sizeof(struct mg_subject_row) + recent * sizeof(struct mg_subject_recent));
}

// MG_ROW_REMOVED: one bit for each of 4096 numbers.
#define MG_REMOVED_SPAN 4096u
#define MG_REMOVED_BYTES (MG_REMOVED_SPAN / 8)

// MG_ROW_DEDUPE.
struct mg_dedupe_row {
    uint64_t seq;
    int64_t time;
};

// True if a value read from disk has a sane length for its kind (the contents of counters are not judged).
bool mg_row_value_ok(uint8_t kind, mg_slice value);

#endif
