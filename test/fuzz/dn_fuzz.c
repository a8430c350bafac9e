// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Distinguished names: two texts, separated by a line feed. What parses must equal itself in every sense, and the two
// comparisons must not depend on the order of their arguments.
#include <stdint.h>

#include "server/account/dn.h"
#include "server/base/assert.h"
#include "server/base/errors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mg_slice all = mg_slice_of((const char *)data, size);
    const char *lf = size ? memchr(all.p, '\n', size) : NULL;
    size_t n = lf ? (size_t)(lf - all.p) : size;
    struct mg_dn a, b;
    if (mg_dn_parse(&a, mg_slice_of(all.p, n)) != MG_OK) return 0;
    mg_assert(a.nrdns > 0 && a.nattrs >= a.nrdns);
    mg_assert(mg_dn_equal(&a, &a) && mg_dn_match(&a, &a));
    if (lf && mg_dn_parse(&b, mg_slice_of(lf + 1, size - n - 1)) == MG_OK) {
        bool equal = mg_dn_equal(&a, &b), match = mg_dn_match(&a, &b);
        mg_assert(equal == mg_dn_equal(&b, &a) && match == mg_dn_match(&b, &a));
        mg_assert(!equal || match);
        mg_dn_fini(&b);
    }
    mg_dn_fini(&a);
    return 0;
}
