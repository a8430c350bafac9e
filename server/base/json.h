// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// JSON: a small writer (pretty or compact, member order kept, 64-bit integers exact) and a reader on top of cJSON
// (json.c is the only file that includes it). Integers never pass through a double in either direction.
#ifndef MG_BASE_JSON_H
#define MG_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/base/slice.h"

// ---- writing ---------------------------------------------------------------------------------------------------

struct mg_jw {
    struct mg_buf *out;
    int indent; // spaces per level; 0: compact
    int depth;
    bool first; // nothing written yet in the current container
    bool after_key;
};

void mg_jw_init(struct mg_jw *w, struct mg_buf *out, int indent);
void mg_jw_obj(struct mg_jw *w); // {
void mg_jw_end_obj(struct mg_jw *w);
void mg_jw_arr(struct mg_jw *w); // [
void mg_jw_end_arr(struct mg_jw *w);
void mg_jw_key(struct mg_jw *w, const char *key);
void mg_jw_key_slice(struct mg_jw *w, mg_slice key);
// Escapes as Go does: also < > & U+2028 U+2029; invalid UTF-8 becomes U+FFFD (monitoring sheet 0.7).
void mg_jw_str(struct mg_jw *w, mg_slice s);
void mg_jw_cstr(struct mg_jw *w, const char *s); // NULL writes ""
void mg_jw_int(struct mg_jw *w, int64_t v);
void mg_jw_uint(struct mg_jw *w, uint64_t v);
void mg_jw_float(struct mg_jw *w, double v); // shortest round trip; integers without ".0"
void mg_jw_bool(struct mg_jw *w, bool v);
void mg_jw_null(struct mg_jw *w);
void mg_jw_raw(struct mg_jw *w, mg_slice json); // as is

// key + value in one call
void mg_jw_kstr(struct mg_jw *w, const char *key, const char *v);
void mg_jw_kint(struct mg_jw *w, const char *key, int64_t v);
void mg_jw_kuint(struct mg_jw *w, const char *key, uint64_t v);
void mg_jw_kbool(struct mg_jw *w, const char *key, bool v);

// ---- reading ---------------------------------------------------------------------------------------------------

enum mg_json_type { MG_JSON_NULL, MG_JSON_BOOL, MG_JSON_NUMBER, MG_JSON_STRING, MG_JSON_ARRAY, MG_JSON_OBJECT };

struct mg_json; // a parsed document or a value in it

// Is this exactly one JSON document (RFC 8259, surrounding blanks allowed), nested at most 64 deep? A string may not
// hold \u0000: what is read ends up in C strings, where it would hide what follows.
bool mg_json_valid(mg_slice text);
// Parses exactly one valid document (as above). NULL on anything else.
struct mg_json *mg_json_parse(mg_slice text);
void mg_json_free(struct mg_json *doc); // only on what mg_json_parse returned
enum mg_json_type mg_json_type(const struct mg_json *v);
// Members and items: iterate with first/next. The key of a member, "" for items.
const struct mg_json *mg_json_first(const struct mg_json *v);
const struct mg_json *mg_json_next(const struct mg_json *v);
const char *mg_json_key(const struct mg_json *v);
const char *mg_json_str(const struct mg_json *v); // NULL unless a string
bool mg_json_bool(const struct mg_json *v, bool *out);
const char *mg_json_number(const struct mg_json *v); // the text of a number; NULL unless one
// Exact; MG_ERANGE if it does not fit or is no integer (1.0 and 1e3 are none). Read from the text, never from a double.
int mg_json_int(const struct mg_json *v, int64_t *out);
int mg_json_uint(const struct mg_json *v, uint64_t *out);

#endif
