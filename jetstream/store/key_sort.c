// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/key_sort.h"

#include <stdlib.h>
#include <string.h>

#include "server/shard/loop.h"

#define BREATH 512u // keys that are looked at between two breaths

static size_t common_prefix(const struct mg_sort_item *items, size_t n) {
    mg_slice first = items[0].key;
    size_t common = first.n;
    for (size_t i = 1; i < n; i++) {
        mg_slice k = items[i].key;
        if (i % BREATH == 0) mg_thread_breathe();
        if (k.n < common) common = k.n;
        if (common && memcmp(k.p, first.p, common) == 0) continue;
        for (size_t at = 0; at < common; at++) {
            if (k.p[at] != first.p[at]) common = at;
        }
    }
    return common;
}

// Eight bytes as a number, zeroes behind the end: never above that of a greater key, but keys may share it.
static uint64_t head_of(mg_slice key, size_t from) {
    uint64_t head = 0;
    size_t n = key.n - from < sizeof(head) ? key.n - from : sizeof(head);
    for (size_t i = 0; i < n; i++) head |= (uint64_t)(uint8_t)key.p[from + i] << (56 - 8 * i);
    return head;
}

static int compare(const void *a, const void *b, void *count) {
    const struct mg_sort_item *x = a, *y = b;
    if (++*(uint32_t *)count % BREATH == 0) mg_thread_breathe();
    if (x->head != y->head) return x->head < y->head ? -1 : 1;
    size_t n = x->key.n < y->key.n ? x->key.n : y->key.n;
    int c = n ? memcmp(x->key.p, y->key.p, n) : 0;
    return c ? c : (x->key.n > y->key.n) - (x->key.n < y->key.n);
}

void mg_key_sort(struct mg_sort_item *items, size_t n) {
    if (n < 2) return;
    size_t common = common_prefix(items, n);
    for (size_t i = 0; i < n; i++) {
        if (i % BREATH == 0) mg_thread_breathe();
        items[i].head = head_of(items[i].key, common);
    }
    uint32_t count = 0;
    qsort_r(items, n, sizeof(*items), compare, &count);
}
