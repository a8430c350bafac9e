// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// One table a struct says how it is read from JSON, written, compared, copied and freed. Reading follows Go's
// encoding/json, whose texts clients see (spec/jetstream-streams.md 1): keys match without regard to case, the last of
// two equal keys wins, null leaves a plain member as it is, integers are plain integers of full precision.
//
// A struct with a shape is plain memory: zeroed is valid and empty, mg_shape_fini frees what it owns. Strings are owned
// copies with a NUL behind them.
#ifndef MG_JETSTREAM_API_SHAPE_H
#define MG_JETSTREAM_API_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jetstream/api/timestamp.h"
#include "server/base/buf.h"
#include "server/base/json.h"
#include "server/base/slice.h"

enum mg_kind {
    MG_KIND_BOOL,      // bool
    MG_KIND_INT,       // int64_t; Go calls it int
    MG_KIND_INT32,     // int32_t
    MG_KIND_INT64,     // int64_t
    MG_KIND_UINT64,    // uint64_t
    MG_KIND_DURATION,  // int64_t, nanoseconds
    MG_KIND_STRING,    // mg_slice, owned
    MG_KIND_ENUM,      // int; `of` is a struct mg_words
    MG_KIND_TIME,      // struct mg_js_time
    MG_KIND_STRINGS,   // struct mg_strings
    MG_KIND_DURATIONS, // struct mg_durations
    MG_KIND_MAP,       // struct mg_map
    MG_KIND_STRUCT,    // the struct itself; `of` is its shape
    MG_KIND_POINTER,   // pointer to an owned struct or NULL; `of` is its shape
    MG_KIND_LIST,      // struct mg_list_of(T); `of` is the shape of T
    MG_KIND_EMBEDDED,  // as STRUCT, but its members stand in the outer object
};

struct mg_strings {
    mg_slice *v; // owned, as are the strings
    size_t n;
};

struct mg_durations {
    int64_t *v; // owned; nanoseconds
    size_t n;
};

struct mg_pair {
    mg_slice key, value;
};

// Sorted by key, bytewise: that is the order in which Go prints it.
struct mg_map {
    struct mg_pair *v; // owned, as are the strings
    size_t n;
};

#define mg_list_of(T)                                                                                                  \
    struct {                                                                                                           \
        T *v; /* owned */                                                                                              \
        size_t n;                                                                                                      \
    }

// The values of an enumeration: the first word of a value is the one that is written.
struct mg_word {
    const char *text;
    int value;
};

enum mg_words_style {
    MG_WORDS_PLAIN,      // an unknown word: `can not unmarshal "\"x\""`
    MG_WORDS_ANY_CASE,   // the same, and case does not matter
    MG_WORDS_NAMED,      // `unknown consumer action: "x"`
    MG_WORDS_COMPRESSED, // a string first, `unknown compression algorithm` then
};

struct mg_words {
    enum mg_words_style style;
    const char *what; // for NAMED: "consumer action"
    const struct mg_word *v;
    size_t n;
};

struct mg_field {
    const char *key;
    enum mg_kind kind;
    bool omit;     // not written when it is empty or 0
    bool by_value; // LIST: Go has no pointers in it
    size_t at;     // offset in the struct
    const void *of;
};

struct mg_shape {
    const char *name; // of Go's struct, for the texts
    size_t size;
    const struct mg_field *fields;
    size_t n;
};

// Reads the body of a request into *out, a valid struct of this shape: members that the body does not name keep their
// value. strict: members that the shape does not know are errors (spec/jetstream-streams.md 1). An empty body changes
// nothing. 0, or MG_ESYNTAX: err gets the text and *out holds what was read so far.
int mg_shape_read(const struct mg_shape *shape, mg_slice body, bool strict, void *out, struct mg_buf *err);
// The same for the bodies that are never strict: one value and nothing else, not even an empty body.
int mg_shape_read_whole(const struct mg_shape *shape, mg_slice body, void *out, struct mg_buf *err);
// Writes the members, without the braces.
void mg_shape_write_members(const struct mg_shape *shape, const void *v, struct mg_jw *w);
void mg_shape_write(const struct mg_shape *shape, const void *v, struct mg_jw *w);
// Only those that are not as in `usual`, be they empty: what is read over a copy of `usual` gives v again (an empty map
// and empty lists do not, unless they are empty there, too).
void mg_shape_write_unusual(const struct mg_shape *shape, const void *v, const void *usual, struct mg_jw *w);
bool mg_shape_equal(const struct mg_shape *shape, const void *a, const void *b);
// dst is overwritten unseen.
void mg_shape_copy(const struct mg_shape *shape, void *dst, const void *src);
// Frees what it owns and zeroes it.
void mg_shape_fini(const struct mg_shape *shape, void *v);

// ---- members ------------------------------------------------------------------------------------------------------

void mg_string_set(mg_slice *s, mg_slice to); // frees the old one
void mg_strings_add(struct mg_strings *s, mg_slice one);
void mg_strings_fini(struct mg_strings *s); // and zeroes it
mg_slice mg_map_get(const struct mg_map *m, mg_slice key); // {NULL, 0}: not there
void mg_map_set(struct mg_map *m, mg_slice key, mg_slice value);
void mg_map_remove(struct mg_map *m, mg_slice key);
uint64_t mg_map_bytes(const struct mg_map *m); // of all keys and values

#endif
