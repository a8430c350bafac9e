// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Subject transforms (spec/client-protocol.md A18): a source pattern and a destination with functions of the source's
// wildcards. Immutable once built, so shards may share one. Used by account mappings, import and stream transforms.
#ifndef MG_PROTO_TRANSFORM_H
#define MG_PROTO_TRANSFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/slice.h"

enum mg_transform_flags {
    // Account mappings and stream transforms: left() and right() are unknown, no blanks outside of functions.
    MG_TRANSFORM_MAPPING = 1,
    // Account imports, which must be reversible: wildcard() only, and every wildcard is used.
    MG_TRANSFORM_REVERSIBLE = 2,
};

enum mg_transform_fn {
    MG_TFN_LITERAL,
    MG_TFN_REST, // `>`
    MG_TFN_WILDCARD,
    MG_TFN_PARTITION,
    MG_TFN_RANDOM,
    MG_TFN_SPLIT,
    MG_TFN_SPLIT_FROM_LEFT,
    MG_TFN_SPLIT_FROM_RIGHT,
    MG_TFN_SLICE_FROM_LEFT,
    MG_TFN_SLICE_FROM_RIGHT,
    MG_TFN_LEFT,
    MG_TFN_RIGHT,
};

// One token of the destination.
struct mg_transform_step {
    enum mg_transform_fn fn;
    int32_t arg;      // partitions, random's ceiling, position, size
    mg_slice text;    // LITERAL: the token; SPLIT: the separator. Points into dest
    uint32_t first;   // its source tokens are at[first .. first + count)
    uint32_t count;
};

struct mg_transform {
    char *src, *dest; // owned copies
    uint32_t src_tokens;
    struct mg_transform_step *steps; // owned
    size_t nsteps;
    uint32_t *at; // owned: positions of source tokens, from 0
    size_t nat;
};

// Builds a transform. An empty src means ">". 0, or MG_ESYNTAX with the reference's text in err (n bytes, always
// terminated) and *out NULL. mg_transform_free takes NULL.
int mg_transform_new(mg_slice src, mg_slice dest, unsigned flags, struct mg_transform **out, char *err, size_t n);
void mg_transform_free(struct mg_transform *t);

// For the configuration: can src be mapped to dest? mapping: with MG_TRANSFORM_MAPPING. As mg_transform_new.
int mg_transform_check(const char *src, const char *dest, bool mapping, char *err, size_t n);

// Does the transform apply to this published subject?
bool mg_transform_matches(const struct mg_transform *t, mg_slice subject);
// Writes the transformed subject. The subject must match. rnd is the randomness for random(). *result is in out;
// MG_ERANGE if cap bytes do not hold it.
int mg_transform_apply(const struct mg_transform *t, mg_slice subject, uint64_t rnd, char *out, size_t cap,
                       mg_slice *result);

#endif
