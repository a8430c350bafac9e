// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The names of a stream's consumers in order, so that a page of a hundred thousand of them is found without sorting
// them. Leaves of some hundred names each; every operation moves a few KB at most.
#ifndef MG_JETSTREAM_STREAM_NAMES_H
#define MG_JETSTREAM_STREAM_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/slice.h"

// At the end of whatever has a name.
struct mg_js_name {
    uint16_t len;
    char text[];
};
static inline mg_slice mg_js_name_slice(const struct mg_js_name *n) { return mg_slice_of(n->text, n->len); }

struct mg_js_names_leaf {
    const struct mg_js_name **v; // room for MG_JS_NAMES_LEAF
    uint32_t n;
};
#define MG_JS_NAMES_LEAF 128u

// Zeroed: empty.
struct mg_js_names {
    struct mg_js_names_leaf *leaves; // none is empty
    size_t nleaves, cap;
    size_t count;
};

void mg_js_names_fini(struct mg_js_names *t);
// Borrows it until it is removed. Not one that is there already.
void mg_js_names_add(struct mg_js_names *t, const struct mg_js_name *name);
void mg_js_names_remove(struct mg_js_names *t, const struct mg_js_name *name); // must be there
// At most `max` names behind the first `skip`; how many.
size_t mg_js_names_page(const struct mg_js_names *t, size_t skip, mg_slice *out, size_t max);

#endif
