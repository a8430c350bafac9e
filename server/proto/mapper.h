// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// An account's subject mappings (spec/client-protocol.md A18, spec/accounts-security.md 13): weighted destinations for
// subjects that clients publish to. Immutable once built: shards share one and replace it on reload.
#ifndef MG_PROTO_MAPPER_H
#define MG_PROTO_MAPPER_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/slice.h"
#include "server/config/options.h"

struct mg_mapper;

enum mg_mapped {
    MG_MAP_UNCHANGED, // no mapping, or the source's own share
    MG_MAP_CHANGED,   // the message goes to *result instead
    MG_MAP_DROPPED,   // the weights lose it, or the result does not fit
};

// Checks and compiles n mappings, in the order of the configuration; a source given twice replaces the earlier entry.
// cluster: this server's cluster name or NULL. Nothing of maps is kept. 0, or MG_ESYNTAX with the text in err (errn
// bytes, always terminated) and in *bad (may be NULL) the index of the mapping at fault.
int mg_mapper_new(const struct mg_mapping *maps, size_t n, const char *cluster, struct mg_mapper **out, char *err,
                  size_t errn, size_t *bad);
void mg_mapper_free(struct mg_mapper *m); // NULL is fine

// Maps the subject of one message. rand100: 0..99, uniform, chooses among weights; rnd: for random(). On CHANGED
// *result is in out; otherwise it is the subject. First matching source wins; the result is not mapped again.
enum mg_mapped mg_mapper_apply(const struct mg_mapper *m, mg_slice subject, uint32_t rand100, uint64_t rnd, char *out,
                               size_t cap, mg_slice *result);

#endif
