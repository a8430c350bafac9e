// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// JSON for hosts: a scanner that gives one token a call and copies nothing, and a writer into the caller's buffer or a
// growing one. 64-bit integers are exact in both directions.
//
// Reading the members of an object:
//
//      mgc_json j;
//      midge_str name = MIDGE_NONE;
//      mgc_json_init(&j, text);
//      mgc_json_next(&j);                              // MGC_JSON_OBJECT
//      while (mgc_json_next(&j) == MGC_JSON_KEY) {     // ends at MGC_JSON_OBJECT_END, or MGC_JSON_ERROR
//          if (mgc_json_is(&j, "name")) { mgc_json_next(&j); name = j.text; }
//          else mgc_json_skip(&j);                     // the value, whatever it is
//      }
//
// Writing:
//
//      mgc_json_out o;
//      mgc_json_out_init(&o, NULL, 0);                 // on the heap
//      mgc_json_open(&o, NULL, '{');                   // a key is NULL in arrays and at the top
//      mgc_json_put_str(&o, "name", name);
//      mgc_json_put_u64(&o, "seq", 7);
//      mgc_json_close(&o);
//      if (mgc_json_out_end(&o, &text) == 0) ...       // text lives until mgc_json_out_fini
#ifndef MGC_HOST_JSON_H
#define MGC_HOST_JSON_H

#include "client/core/midge.h"

// ---- scanner --------------------------------------------------------------------------------------------------------

#define MGC_JSON_DEPTH 64 // arrays and objects in each other; deeper is an error

enum mgc_json_type {
    MGC_JSON_ERROR, // malformed, cut off or too deep; sticky
    MGC_JSON_END,   // one whole value was read and only blanks follow
    MGC_JSON_OBJECT,
    MGC_JSON_OBJECT_END,
    MGC_JSON_ARRAY,
    MGC_JSON_ARRAY_END,
    MGC_JSON_KEY,
    MGC_JSON_STRING,
    MGC_JSON_NUMBER,
    MGC_JSON_TRUE,
    MGC_JSON_FALSE,
    MGC_JSON_NULL
};

typedef struct mgc_json {
    enum mgc_json_type type; // of the token that mgc_json_next gave last
    midge_str text;          // the token; KEY and STRING: what is between the quotes, escapes as they stand there
    bool escaped;            // KEY, STRING: text has escapes, see mgc_json_unescape
    // the scanner's
    const char *at, *end;
    uint64_t objects;        // one bit a level: it is an object
    unsigned depth;          // levels that are open now; may be read
    unsigned expect;
} mgc_json;

// text is kept as long as the scanner or a slice of it is used. Bytes of 128 and more are not looked at.
void mgc_json_init(mgc_json *j, midge_str text);

// The next token. Braces, commas, colons and the grammar of numbers, strings and escapes are checked.
enum mgc_json_type mgc_json_next(mgc_json *j);

// After KEY: skips its value. After OBJECT or ARRAY: skips to its end. After others: nothing. False: the text is bad.
bool mgc_json_skip(mgc_json *j);

// Like mgc_json_skip, and gives the whole text of the value (a string with its quotes). MIDGE_NONE: the text is bad.
midge_str mgc_json_raw(mgc_json *j);

// The current KEY or STRING, unescaped, is this text.
bool mgc_json_is(const mgc_json *j, const char *text);

// Writes the text of a KEY or STRING without escapes to out, which has room for s.n bytes (the result is never longer);
// out == s.p is allowed. Returns the length. Lone surrogates become U+FFFD.
size_t mgc_json_unescape(midge_str s, char *out);

// The current token as a value; false (and *v unchanged): it is of another type or does not fit. Integers are digits
// alone: 1.0 and 1e3 are refused, as the server refuses them.
bool mgc_json_uint(const mgc_json *j, uint64_t *v);
bool mgc_json_int(const mgc_json *j, int64_t *v);
bool mgc_json_double(const mgc_json *j, double *v);
bool mgc_json_bool(const mgc_json *j, bool *v);

// Looks a value up by its path of keys, "config.name"; keys with dots cannot be asked for. *j is then at the first
// token of the value. False: not there, or the text is bad before it.
bool mgc_json_find(midge_str text, const char *path, mgc_json *j);

// True if the text is one value and nothing else.
bool mgc_json_valid(midge_str text);

// ---- writer ---------------------------------------------------------------------------------------------------------

typedef struct mgc_json_out {
    char *buf;
    size_t size, n;
    int err;         // sticky: MIDGE_ETOOLARGE, MIDGE_ENOMEM, MIDGE_EINVAL (nested too deep, closed too often)
    unsigned indent; // blanks a level; 0: all on one line. Set it after init.
    // the writer's
    bool heap, comma, keyed;
    unsigned depth;
    uint64_t objects;
} mgc_json_out;

// buf NULL: the writer allocates and grows. Otherwise buf is the limit and no fini is needed.
void mgc_json_out_init(mgc_json_out *o, char *buf, size_t size);
void mgc_json_out_fini(mgc_json_out *o);

// The text, terminated by a NUL that is not counted; or the error. MIDGE_EINVAL: something is open.
int mgc_json_out_end(mgc_json_out *o, midge_str *text);

void mgc_json_open(mgc_json_out *o, const char *key, char bracket); // '{' or '['
void mgc_json_close(mgc_json_out *o);                               // the innermost

void mgc_json_put_str(mgc_json_out *o, const char *key, midge_str v);
void mgc_json_put_cstr(mgc_json_out *o, const char *key, const char *v); // NULL: null
void mgc_json_put_u64(mgc_json_out *o, const char *key, uint64_t v);
void mgc_json_put_i64(mgc_json_out *o, const char *key, int64_t v);
void mgc_json_put_double(mgc_json_out *o, const char *key, double v); // shortest form that reads back; NaN, inf: null
void mgc_json_put_bool(mgc_json_out *o, const char *key, bool v);
void mgc_json_put_null(mgc_json_out *o, const char *key);
// A value as JSON, or at the top a whole document; it is not checked. With `indent` its own blanks are kept.
void mgc_json_put_raw(mgc_json_out *o, const char *key, midge_str json);
// For keys that are not constants: the next put or open must then be given the key NULL.
void mgc_json_key(mgc_json_out *o, midge_str key);

// Writes a value again, with the blanks of `indent`: how the CLI prints an answer of the server. EINVAL: not JSON.
int mgc_json_copy(mgc_json_out *o, const char *key, midge_str json);

#endif
