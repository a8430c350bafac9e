// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The subject index against a naive model. The input is text, an operation a line; anything else is skipped:
//
//     s<subject> [queue]     subscribe
//     u<number>              unsubscribe the number-th (modulo how many there are)
//     p<subject>             publish and compare
//     l<number>              list in slices of that size
#include <stdlib.h>

#include "test/unit/server/router/sublist_model.h"

enum { MOST = 200 };

static void list(struct model *m, size_t slice) {
    struct mg_sublist_cursor c = {0};
    struct mg_sub *out[16];
    size_t all = 0;
    m->stamp++;
    for (size_t n; (n = mg_sublist_list(m->sl, &c, out, slice)) > 0; all += n) {
        for (size_t i = 0; i < n; i++) {
            mg_assert(out[i]->delivered != m->stamp);
            out[i]->delivered = m->stamp;
        }
    }
    mg_assert(all == m->n);
}

static void subscribe(struct model *m, mg_slice arg) {
    const char *space = arg.n ? memchr(arg.p, ' ', arg.n) : NULL;
    size_t n = space ? (size_t)(space - arg.p) : arg.n;
    mg_slice subject = mg_slice_of(arg.p, n), queue = MG_S("");
    if (space) queue = mg_slice_of(space + 1, arg.n - n - 1);
    if (m->n < MOST && mg_subject_valid(subject) && subject.n <= 1000 && queue.n <= 1000)
        model_insert(m, subject, queue);
}

static size_t number(mg_slice s) {
    size_t v = 0;
    for (size_t i = 0; i < s.n && i < 6; i++)
        v = v * 10 + (unsigned char)s.p[i] % 10;
    return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct model m;
    const char *p = (const char *)data, *end = p + size;
    model_init(&m, size > 0 ? data[0] : 0, size > 1 && data[1] % 4 == 0 ? 0 : 64);
    while (p < end) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        if (eol == NULL) eol = end;
        mg_slice arg = mg_slice_of(p + 1, eol > p ? (size_t)(eol - p) - 1 : 0);
        switch (eol > p ? *p : 0) {
        case 's': subscribe(&m, arg); break;
        case 'u':
            if (m.n > 0) model_remove(&m, number(arg) % m.n);
            break;
        case 'p': model_check(&m, arg); break;
        case 'l': list(&m, 1 + number(arg) % 16); break;
        default: break;
        }
        p = eol < end ? eol + 1 : end;
    }
    model_fini(&m);
    return 0;
}
