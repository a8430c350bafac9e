// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The grammar of request bodies. The reference reads them with Go's decoder and hands its texts to the client, with the
// offset (spec/jetstream-streams.md 1), so this scanner says what that decoder says. It works on the text in place:
// whoever wants a value takes its slice.
#ifndef MG_JETSTREAM_API_SYNTAX_H
#define MG_JETSTREAM_API_SYNTAX_H

#include "server/base/buf.h"
#include "server/base/slice.h"

enum mg_syntax { MG_SYNTAX_END, MG_SYNTAX_VALUE, MG_SYNTAX_BAD };

// Scans one value of text behind *at, blanks skipped. VALUE: *value is its text and *at stands behind it. END: nothing
// but blanks is left. BAD: err holds the text, offset included.
enum mg_syntax mg_syntax_next(mg_slice text, size_t *at, mg_slice *value, struct mg_buf *err);

// The whole text is one value, between blanks: what Go's Unmarshal takes. False: err holds the text, without an offset.
bool mg_syntax_whole(mg_slice text, mg_slice *value, struct mg_buf *err);

// "'x'", as Go shows the byte c.
void mg_syntax_quote(struct mg_buf *out, char c);

// ---- walking a value that mg_syntax_next has found ----------------------------------------------------------------

// The members of an object or the items of an array, one after the other:
//     struct mg_members it = mg_members_of(value);
//     for (mg_slice key, v; mg_members_next(&it, &key, &v);) ...
// key is the text between the quotes, still escaped; empty for items.
struct mg_members {
    const char *p, *end;
};

struct mg_members mg_members_of(mg_slice value);
bool mg_members_next(struct mg_members *it, mg_slice *key, mg_slice *value);

// Appends what the inside of a string means: escapes resolved, and U+FFFD for bytes that are not UTF-8 and for halves
// of surrogate pairs, as Go does. False: it holds U+0000, which the broker does not take.
bool mg_syntax_unescape(mg_slice inside, struct mg_buf *out);

#endif
