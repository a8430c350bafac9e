// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/dedupe.h"

#include <sodium.h>
#include <string.h>

#include "jetstream/store/stream.h"
#include "server/base/errors.h"

_Static_assert(crypto_shorthash_siphashx24_BYTES == MG_DEDUPE_HASH, "SipHash-2-4 with 128 bits");

// Keyed with the store's secret, so that nobody can make two ids that collide.
void mg_dedupe_hash(const struct mg_stream *s, mg_slice id, char out[MG_DEDUPE_HASH]) {
    unsigned char key[crypto_shorthash_siphashx24_KEYBYTES];
    uint64_t seed = s->rows->seed, stream = s->id;
    memcpy(key, &seed, 8);
    memcpy(key + 8, &stream, 8);
    crypto_shorthash_siphashx24((unsigned char *)out, (const unsigned char *)id.p, id.n, key);
}

static mg_slice dedupe_key(const struct mg_stream *s, const char *hash, char out[MG_ROW_KEY_HEAD + MG_DEDUPE_HASH]) {
    mg_row_key_head(out, MG_ROW_DEDUPE, s->id);
    memcpy(out + MG_ROW_KEY_HEAD, hash, MG_DEDUPE_HASH);
    return mg_slice_of(out, MG_ROW_KEY_HEAD + MG_DEDUPE_HASH);
}

int mg_dedupe_find(struct mg_stream *s, mg_slice id, uint64_t *seq) {
    char hash[MG_DEDUPE_HASH], key[MG_ROW_KEY_HEAD + MG_DEDUPE_HASH];
    const struct mg_cell *cell;
    mg_dedupe_hash(s, id, hash);
    enum mg_row_found f = mg_rows_get(s->rows, dedupe_key(s, hash, key), &cell);
    if (f == MG_ROW_PENDING) return MG_EAGAIN;
    if (f == MG_ROW_ABSENT || cell->value_len != sizeof(struct mg_dedupe_row)) return MG_ENOTFOUND;
    struct mg_dedupe_row row;
    memcpy(&row, cell->value, sizeof(row));
    int64_t age = mg_part_aging_time(s->part) - row.time;
    if (age > 0 && (uint64_t)age > s->limits.dedupe_window) return MG_ENOTFOUND;
    *seq = row.seq;
    return 0;
}

void mg_dedupe_put(struct mg_stream *s, const char hash[MG_DEDUPE_HASH], uint64_t seq, int64_t time) {
    char key[MG_ROW_KEY_HEAD + MG_DEDUPE_HASH];
    struct mg_dedupe_row row = {.seq = seq, .time = time};
    mg_rows_put(s->rows, dedupe_key(s, hash, key), mg_slice_of((const char *)&row, sizeof(row)));
}
