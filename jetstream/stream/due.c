// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/stream/due.h"

#include <stdlib.h>

#include "server/base/mem.h"

static int compare(const void *a, const void *b) {
    const struct mg_js_due *x = a, *y = b;
    if (x->at != y->at) return x->at < y->at ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void swap(struct mg_js_due *a, struct mg_js_due *b) {
    struct mg_js_due t = *a;
    *a = *b;
    *b = t;
}

// An ascending array is a heap.
static void cut(struct mg_js_dues *d) {
    qsort(d->v, d->n, sizeof(d->v[0]), compare);
    d->n /= 2;
    d->horizon = d->v[d->n];
    d->cut = true;
}

void mg_js_dues_add(struct mg_js_dues *d, struct mg_js_due one) {
    if (d->cut && compare(&one, &d->horizon) >= 0) return;
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 16;
        d->v = mg_realloc(d->v, d->cap * sizeof(d->v[0]));
    }
    uint32_t at = d->n++;
    d->v[at] = one;
    for (uint32_t up; at > 0 && compare(&d->v[at], &d->v[up = (at - 1) / 2]) < 0; at = up) swap(&d->v[at], &d->v[up]);
    if (d->n == MG_JS_DUES_MAX) cut(d);
}

const struct mg_js_due *mg_js_dues_first(const struct mg_js_dues *d) { return d->n ? &d->v[0] : NULL; }

void mg_js_dues_pop(struct mg_js_dues *d) {
    uint32_t at = 0;
    d->v[0] = d->v[--d->n];
    for (;;) {
        uint32_t least = at, left = 2 * at + 1;
        if (left < d->n && compare(&d->v[left], &d->v[least]) < 0) least = left;
        if (left + 1 < d->n && compare(&d->v[left + 1], &d->v[least]) < 0) least = left + 1;
        if (least == at) return;
        swap(&d->v[at], &d->v[least]);
        at = least;
    }
}

void mg_js_dues_fini(struct mg_js_dues *d) {
    mg_free(d->v);
    *d = (struct mg_js_dues){.v = NULL};
}
