// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/stretch.h"

#include "server/base/errors.h"

#define COARSE 32 // bits of a time (ns) that are left out: 4.3 s
#define COARSE_MAX 0x7fffffffu

static uint32_t coarse(int64_t time) { return time < 0 ? 0 : (uint32_t)(time >> COARSE) & COARSE_MAX; }

struct mg_stretch mg_stretch_of(struct mg_segment_ref *segment, uint32_t section, const struct mg_section *at) {
    return (struct mg_stretch){.first_seq = at->first_seq,
                               .last_seq = at->last_seq,
                               .segment = segment,
                               .section = section,
                               .messages = at->messages,
                               .live = at->messages,
                               .max_time = coarse(at->max_time) & COARSE_MAX};
}

bool mg_stretch_reaches(const struct mg_stretch *c, int64_t time) {
    return coarse(time) <= c->max_time;
}

int64_t mg_stretch_latest(const struct mg_stretch *c) { return ((int64_t)c->max_time + 1) << COARSE; }

uint64_t mg_stretch_bytes(const struct mg_stretch *c) {
    uint64_t all = c->segment->messages;
    return all ? c->segment->size / all * c->messages : 0;
}

int mg_stretch_open(const struct mg_stretch *c, uint64_t stream, const struct mg_segment **segment,
                    struct mg_section *at) {
    int err = mg_segment_use(c->segment, segment);
    if (err) return err;
    err = mg_segment_section(*segment, c->section, at);
    if (err == MG_ENOTFOUND) err = MG_ECORRUPT;
    if (err == 0 && (at->stream != stream || at->first_seq != c->first_seq || at->last_seq != c->last_seq ||
                     at->messages != c->messages))
        err = MG_ECORRUPT;
    if (err) mg_segment_unuse(c->segment);
    return err;
}

void mg_stretch_close(const struct mg_stretch *c) { mg_segment_unuse(c->segment); }

void mg_stretch_key(uint64_t stream, uint64_t first_seq, char key[MG_STRETCH_KEY]) {
    mg_row_key_head(key, MG_ROW_STRETCH, stream);
    mg_put_be64(key + MG_ROW_KEY_HEAD, first_seq);
}

void mg_stretch_encode(uint64_t stream, const struct mg_stretch *c, char key[MG_STRETCH_KEY],
                       char value[MG_STRETCH_ROW_SIZE]) {
    mg_stretch_key(stream, c->first_seq, key);
    mg_stretch_row_pack(value, &(struct mg_stretch_row){.segment = c->segment->id,
                                                        .last_seq = c->last_seq,
                                                        .section = c->section,
                                                        .messages = c->messages,
                                                        .live = c->live,
                                                        .max_time = c->max_time});
}

int mg_stretch_decode(mg_slice key, mg_slice value, uint64_t *segment, struct mg_stretch *out) {
    struct mg_stretch_row row;
    if (key.n != MG_STRETCH_KEY || value.n != MG_STRETCH_ROW_SIZE) return MG_ECORRUPT;
    mg_stretch_row_unpack(&row, value.p);
    *segment = row.segment;
    *out = (struct mg_stretch){.first_seq = mg_get_be64(key.p + MG_ROW_KEY_HEAD),
                               .last_seq = row.last_seq,
                               .section = row.section,
                               .messages = row.messages,
                               .live = row.live,
                               .max_time = row.max_time & COARSE_MAX};
    return out->first_seq <= out->last_seq && row.live <= row.messages && row.max_time <= COARSE_MAX ? 0 : MG_ECORRUPT;
}
