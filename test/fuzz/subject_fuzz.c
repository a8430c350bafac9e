// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Two subjects, separated by a blank. The functions must agree with each other.
#include <stdint.h>

#include "server/base/assert.h"
#include "server/proto/subject.h"

static void check_one(mg_slice s) {
    size_t n = 0;
    bool empty = false, wild = false;
    struct mg_tokens it = mg_tokens_of(s);
    for (mg_slice tok; mg_tokens_next(&it, &tok); n++) {
        empty |= tok.n == 0;
        wild |= mg_token_is(tok, '*') || mg_token_is(tok, '>');
    }
    mg_assert(mg_subject_tokens(s) == n);
    mg_assert(mg_subject_is_literal(s) == !wild);
    mg_assert(mg_subject_valid_literal(s) == (s.n > 0 && !empty && !wild));
    mg_assert(!mg_subject_valid(s) || (s.n > 0 && !empty));
    mg_assert(!mg_subject_valid_strict(s) || mg_subject_valid(s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *p = (const char *)data, *blank = memchr(p, ' ', size);
    if (blank == NULL) return 0;
    mg_slice a = mg_slice_of(p, (size_t)(blank - p)), b = mg_slice_of(blank + 1, size - a.n - 1);
    check_one(a);
    check_one(b);
    mg_assert(mg_subject_collide(a, b) == mg_subject_collide(b, a));
    if (!mg_subject_valid(a) || !mg_subject_valid(b)) return 0;
    mg_assert(mg_subject_match(a, MG_S(">")) && mg_subject_subset(a, a) && mg_subject_collide(a, a));
    if (mg_subject_subset(a, b)) mg_assert(mg_subject_collide(a, b));
    if (mg_subject_is_literal(a)) {
        mg_assert(mg_subject_match(a, b) == mg_subject_subset(a, b));
        mg_assert(mg_subject_match(a, b) == mg_subject_collide(a, b));
    }
    return 0;
}
