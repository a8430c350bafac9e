// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/segment_impl.h"

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/shard/loop.h"

enum {
    HELD = 8,           // dictionaries that may be held back
    WORTH = 4,          // so many must be: a dictionary is written twice
    SAMPLE = 1024,      // bytes of one record, at most
    PACKED_BREATH = 8 * 1024,
};

void packing_fini(struct packing *p) {
    mg_compressor_free(p->c);
    mg_buf_fini(&p->held);
    mg_buf_fini(&p->dict);
    mg_buf_fini(&p->out);
}

void packing_begin(struct packing *p, bool on) {
    mg_compressor_free(p->c);
    p->c = NULL;
    p->on = p->holding = on;
}

bool packing_hold(struct packing *p, const void *record, uint32_t length) {
    if (p->held.len + length > (size_t)HELD * p->dict_bytes) return false;
    mg_buf_add(&p->held, record, length);
    return true;
}

// Pieces of the records, spread evenly.
static void sample(struct packing *p) {
    uint64_t seen = 0;
    p->dict.len = 0;
    for (size_t at = 0, n; at < p->held.len && p->dict.len < p->dict_bytes; at += n) {
        n = mg_record_length(p->held.p + at);
        seen += n;
        if (p->dict.len * p->held.len > seen * p->dict_bytes) continue;
        size_t take = n - sizeof(uint64_t), room = p->dict_bytes - p->dict.len; // all but the checksum
        if (take > SAMPLE) take = SAMPLE;
        if (take > room) take = room;
        mg_buf_add(&p->dict, p->held.p + at + sizeof(uint64_t), take);
    }
}

mg_slice packing_choose(struct packing *p) {
    mg_assert(p->holding);
    p->holding = false;
    p->dict.len = 0;
    if (p->held.len >= (size_t)WORTH * p->dict_bytes) sample(p);
    if (p->dict.len < p->dict_bytes / 2) p->dict.len = 0; // a few large records
    p->c = mg_compressor_new(mg_buf_slice(&p->dict));
    return mg_buf_slice(&p->dict);
}

mg_slice packing_pack(struct packing *p, const void *record, uint32_t length) {
    p->since += length;
    if (p->since >= PACKED_BREATH) {
        mg_thread_breathe();
        p->since = 0;
    }
    return mg_packed_encode(p->c, record, &p->out) ? mg_buf_slice(&p->out) : mg_slice_of(record, length);
}
