// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Which subjects are taken: the patterns of all streams in a trie of their tokens, so that a new stream is compared
// with those few that could collide with it and not with all. Pure.
//
//   a.*.c  a.b.>          (root)
//                           a
//                         *   b
//                         c   >
//
// A look-up walks both: a token of the pattern meets the same token and `*` here, its own `*` meets everything, and `>`
// on either side meets the rest. Costs the tokens of the pattern, times the branches that its wildcards open; the stack
// does not grow with either.
#ifndef MG_JETSTREAM_STREAM_TAKEN_H
#define MG_JETSTREAM_STREAM_TAKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/slice.h"

struct mg_js_taken {
    struct mg_js_taken_node *root; // NULL: empty
};

// The same pattern may be there for several owners.
void mg_js_taken_add(struct mg_js_taken *t, mg_slice pattern, const void *owner);
void mg_js_taken_remove(struct mg_js_taken *t, mg_slice pattern, const void *owner);
// An owner other than `owner` of a pattern that has a subject in common with this one; NULL: there is none.
const void *mg_js_taken_collides(const struct mg_js_taken *t, mg_slice pattern, const void *owner);
void mg_js_taken_fini(struct mg_js_taken *t);

#endif
