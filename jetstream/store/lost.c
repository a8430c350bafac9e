// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/lost.h"

static uint64_t numbers(uint64_t first, uint64_t last) { return last - first + 1; }

// How many of first..last no range covers.
static uint64_t uncovered(const struct mg_lost *l, uint64_t first, uint64_t last) {
    uint64_t n = numbers(first, last);
    for (uint32_t i = 0; i < l->len; i++) {
        uint64_t from = l->at[i].first > first ? l->at[i].first : first;
        uint64_t to = l->at[i].last < last ? l->at[i].last : last;
        if (from <= to) n -= numbers(from, to);
    }
    return n;
}

bool mg_lost_has(const struct mg_lost *l, uint64_t seq) { return uncovered(l, seq, seq) == 0; }

static void join(struct mg_lost *l, uint32_t i) { // with the next one
    l->at[i].last = l->at[i + 1].last > l->at[i].last ? l->at[i + 1].last : l->at[i].last;
    l->at[i].count += l->at[i + 1].count;
    l->len--;
    memmove(&l->at[i + 1], &l->at[i + 2], (l->len - i - 1) * sizeof(l->at[0]));
}

// The two neighbours that are closest to each other become one.
static void make_room(struct mg_lost *l) {
    uint32_t best = 0;
    for (uint32_t i = 1; i + 1 < l->len; i++) {
        if (l->at[i + 1].first - l->at[i].last < l->at[best + 1].first - l->at[best].last) best = i;
    }
    join(l, best);
}

uint64_t mg_lost_add(struct mg_lost *l, uint64_t first, uint64_t last, uint64_t count) {
    if (first > last) return 0;
    uint64_t news = uncovered(l, first, last);
    if (count < news) news = count;
    if (news == 0) return 0;
    if (l->len == MG_LOST_RANGES) make_room(l);
    uint32_t i = 0;
    while (i < l->len && l->at[i].first < first) i++;
    memmove(&l->at[i + 1], &l->at[i], (l->len - i) * sizeof(l->at[0]));
    l->at[i] = (struct mg_lost_range){.first = first, .last = last, .count = news};
    l->len++;
    if (i > 0 && l->at[i - 1].last + 1 >= first) join(l, --i);
    while (i + 1 < l->len && l->at[i].last + 1 >= l->at[i + 1].first) join(l, i);
    return news;
}

size_t mg_lost_encode(const struct mg_lost *l, char out[MG_LOST_BYTES_MAX]) {
    for (uint32_t i = 0; i < l->len; i++) mg_lost_range_pack(out + i * MG_LOST_RANGE_SIZE, &l->at[i]);
    return l->len * (size_t)MG_LOST_RANGE_SIZE;
}

bool mg_lost_decode(struct mg_lost *l, mg_slice bytes) {
    *l = (struct mg_lost){.len = 0};
    if (bytes.n % MG_LOST_RANGE_SIZE || bytes.n > MG_LOST_BYTES_MAX) return false;
    for (size_t at = 0; at < bytes.n; at += MG_LOST_RANGE_SIZE) {
        struct mg_lost_range r;
        mg_lost_range_unpack(&r, bytes.p + at);
        if (r.first > r.last || (l->len && r.first <= l->at[l->len - 1].last)) return false;
        l->at[l->len++] = r;
    }
    return true;
}
