// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Subjects: pure functions on slices, no allocation, safe on any bytes. Tokens are separated by '.'; `*` (one token)
// and `>` (the rest, one token or more) are wildcards only when they are a whole token (spec/client-protocol.md A8).
#ifndef MG_PROTO_SUBJECT_H
#define MG_PROTO_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/slice.h"

// What SUB accepts: not empty, no empty token, `>` only as the last token. Any other byte passes.
bool mg_subject_valid(mg_slice s);
// What configuration and the JetStream API accept: valid, and no SP, TAB, LF, CR or FF.
bool mg_subject_valid_strict(mg_slice s);
// No token equals `*` or `>`. Says nothing about empty tokens.
bool mg_subject_is_literal(mg_slice s);
// What a pedantic publish checks: not empty, no empty token and no wildcard token.
bool mg_subject_valid_literal(mg_slice s);
// How many bytes all subjects that the pattern matches begin with: those in front of its first wildcard token.
size_t mg_subject_literal_prefix(mg_slice pattern);
// Number of tokens, empty ones included; 0 for the empty slice.
size_t mg_subject_tokens(mg_slice s);

// Does a message published to `literal` reach a subscription to `pattern`? Wildcard tokens in `literal` are plain
// tokens (A8: `PUB foo.*` reaches `foo.*` and `foo.>`, not `foo.bar`). A literal with an empty token matches
// nothing.
bool mg_subject_match(mg_slice literal, mg_slice pattern);
// Does every subject that `sub` matches also match `pattern`? Both may hold wildcards (permissions, filters).
bool mg_subject_subset(mg_slice sub, mg_slice pattern);
// Is there a subject that both patterns match?
bool mg_subject_collide(mg_slice a, mg_slice b);

static inline bool mg_token_is(mg_slice tok, char wildcard) { return tok.n == 1 && tok.p[0] == wildcard; }

// Walks the tokens of a subject in place:
//     struct mg_tokens it = mg_tokens_of(subject);
//     for (mg_slice tok; mg_tokens_next(&it, &tok);) ...
// Empty tokens are reported ("a." has the tokens "a" and ""); the empty slice has none.
struct mg_tokens {
    const char *p;   // start of the next token; NULL: no more
    const char *end; // borrowed from the subject
};

static inline struct mg_tokens mg_tokens_of(mg_slice s) {
    return (struct mg_tokens){s.n ? s.p : NULL, s.n ? s.p + s.n : NULL};
}

static inline bool mg_tokens_next(struct mg_tokens *it, mg_slice *tok) {
    if (it->p == NULL) return false;
    const char *q = it->p;
    while (q < it->end && *q != '.') q++; // tokens are short: cheaper than a call to memchr
    *tok = mg_slice_of(it->p, (size_t)(q - it->p));
    it->p = q < it->end ? q + 1 : NULL;
    return true;
}

#endif
