// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Text for JetStream: putting subjects and JSON together in the caller's buffer, and taking numbers, times and members
// out of what the server says. Pure; no allocation.
#ifndef MIDGE_CLIENT_CORE_JS_TEXT_H
#define MIDGE_CLIENT_CORE_JS_TEXT_H

#include "client/core/internal.h"

// A buffer being filled. When it is too small `full` stays set and what was there before remains.
typedef struct mgc_text {
    char *p;
    size_t n, size;
    const midge_js *js;
    bool full;
} mgc_text;

void mgc_text_begin(mgc_text *t, const midge_js *js); // in js->buf
void mgc_text_put(mgc_text *t, const char *s, size_t n);
void mgc_text_cstr(mgc_text *t, const char *s);
void mgc_text_u64(mgc_text *t, const char *before, uint64_t v); // text, then the number
// Puts `form`: the first '?' in it stands for a, later ones for b, and '@' for the subject of the JetStream API.
void mgc_text_form(mgc_text *t, const char *form, const midge_str *a, const midge_str *b);

bool mgc_str_eq(midge_str a, const char *b);
midge_str mgc_header(midge_str headers, const char *name);

// s as a decimal number of at most 19 digits; false, and 0, if it is none.
bool mgc_u64(midge_str s, uint64_t *v);
// The same, 0 when it is none.
uint64_t mgc_u64_or_0(midge_str s);

// Nanoseconds since 1970 of "2026-01-02T03:04:05.38Z", before 2100; 0 when it is no such time.
uint64_t mgc_time(midge_str s);

// The value of a member of a JSON object: of a string what is between the quotes, as it was written; of anything else
// its text. As servers write it: no blanks before ':' and ','. MIDGE_NONE if there is none, or the text is no object.
midge_str mgc_json_get(midge_str object, const char *name);
// The same as a number, 0 when it is none.
uint64_t mgc_json_u64(midge_str object, const char *name);

#endif
