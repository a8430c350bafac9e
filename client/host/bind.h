// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Structs as JSON objects, by tables: one line a member serves reading and writing.
//
//      static const mgc_field table[] = {
//          {.name = "seq", .kind = MGC_U64, .at = offsetof(thing, seq)},
//          {.name = "tags", .kind = MGC_STRS, .at = offsetof(thing, tags), .len_at = offsetof(thing, tags_len)},
//          {0}};
#ifndef MGC_HOST_BIND_H
#define MGC_HOST_BIND_H

#include "client/host/arena.h"
#include "client/host/json.h"

enum mgc_kind {
    MGC_END,
    MGC_STR,     // midge_str
    MGC_U64,     // uint64_t
    MGC_I64,     // int64_t
    MGC_INT,     // int
    MGC_BOOL,    // bool
    MGC_TIME,    // int64_t, nanoseconds since 1970; RFC 3339 in JSON
    MGC_ENUM,    // an enum; `more` is a list of names that ends with NULL
    MGC_RAW,     // midge_str: a value as JSON text
    MGC_STRS,    // const midge_str *, and a size_t at len_at
    MGC_I64S,    // const int64_t *, same
    MGC_PAIRS,   // const midge_pair *, same: {"name":"value"}
    MGC_OBJECT,  // a struct; `more` is its table
    MGC_OBJECTS, // const struct *, and a size_t at len_at; `more` is the table, `size` that of one
    MGC_EXTRA    // midge_str: members that the table does not know, as text "a":1,"b":2. At most one, the last.
};

typedef struct mgc_field {
    const char *name;
    enum mgc_kind kind;
    bool always; // written also when zero
    size_t at, len_at, size;
    const void *more;
} mgc_field;

// Reads the object at which the scanner stands (its token is MGC_JSON_OBJECT) into a zeroed struct. Members of unknown
// names or values (another type, an unknown name of an enum) go to MGC_EXTRA or are skipped; null is zero. Texts are
// slices of the input, or of the arena if they had escapes. MIDGE_EPROTO: bad JSON; ENOMEM.
int mgc_bind_read(mgc_json *j, const mgc_field *table, void *to, mgc_arena *a);
// The same for a whole text.
int mgc_bind_parse(midge_str text, const mgc_field *table, void *to, mgc_arena *a);

// Writes the members that are not zero, as an object.
void mgc_bind_write(mgc_json_out *o, const char *key, const mgc_field *table, const void *from);
// Without the braces, for objects with further members.
void mgc_bind_members(mgc_json_out *o, const mgc_field *table, const void *from);

// The text of the current STRING or KEY, unescaped.
midge_str mgc_bind_text(const mgc_json *j, mgc_arena *a);

#endif
