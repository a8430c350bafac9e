// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// "source destination subject": a transform that can be built must apply to a matching subject, give the same result
// in any buffer that holds it and an error in any that does not.
#include <stdlib.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/proto/subject.h"
#include "server/proto/transform.h"

static mg_slice next_word(mg_slice *rest, char end) {
    const char *cut = rest->n ? memchr(rest->p, end, rest->n) : NULL;
    mg_slice word = mg_slice_of(rest->p, cut ? (size_t)(cut - rest->p) : rest->n);
    *rest = cut ? mg_slice_of(cut + 1, rest->n - word.n - 1) : mg_slice_of(NULL, 0);
    return word;
}

static void check(mg_slice src, mg_slice dest, mg_slice subject, unsigned flags) {
    char err[128];
    struct mg_transform *t;
    int rc = mg_transform_new(src, dest, flags, &t, err, sizeof err);
    mg_assert((rc == 0) == (t != NULL) && (rc == 0) == (err[0] == '\0'));
    if (t == NULL) return;
    if (mg_transform_matches(t, subject)) {
        size_t cap = 1 << 20;
        char *big = malloc(cap);
        mg_slice full, again;
        mg_assert(mg_transform_apply(t, subject, 7, big, cap, &full) == 0);
        char *exact = malloc(full.n + 1);
        mg_assert(mg_transform_apply(t, subject, 7, exact, full.n, &again) == 0 && mg_slice_eq(full, again));
        if (full.n > 0) mg_assert(mg_transform_apply(t, subject, 7, exact, full.n - 1, &again) == MG_ERANGE);
        free(exact);
        free(big);
    }
    mg_transform_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 512) return 0;
    mg_slice rest = mg_slice_of((const char *)data, size);
    mg_slice src = next_word(&rest, '\n'), dest = next_word(&rest, '\n'), subject = next_word(&rest, '\n');
    for (unsigned flags = 0; flags < 4; flags++) check(src, dest, subject, flags);
    return 0;
}
