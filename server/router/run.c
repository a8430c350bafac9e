// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Runs: a publisher that sends one message after the other to the same subject. The first one makes a record that names
// publisher and subject, the next ones only add their bytes to it, as long as nothing else was posted to that shard and
// there is room. The receiver looks the subject up once for all of them.
#include "server/base/assert.h"
#include "server/router/router_impl.h"

static char *add_item(char *at, const struct mg_msg *m) {
    uint32_t size = (uint32_t)m->payload.n;
    memcpy(at, &size, 4);
    memcpy(at + 4, m->payload.p, size);
    return at + 4 + pad4(size);
}

static void begin(struct mg_router *r, unsigned to, uint64_t memo, const struct mg_msg *m) {
    uint32_t subject = pad4((uint32_t)m->subject.n);
    uint32_t item = 4 + pad4((uint32_t)m->payload.n);
    struct mg_rec *rec = mg_post_data(r->shard, to, MG_REC_RUN, (uint32_t)sizeof(struct rec_run) + subject + item);
    const struct rec_run run = {.origin_slot = m->origin_slot, .origin_id = m->origin_id,
                                .origin_shard = m->origin_shard, .subject_len = (uint16_t)m->subject.n};
    memcpy(rec->body, &run, sizeof(run));
    memcpy(rec->body + sizeof(run), m->subject.p, m->subject.n);
    add_item(rec->body + sizeof(run) + subject, m);
    r->runs[to] = (struct mg_run){memo, mg_post_seq(r->shard, to)};
}

void run_send(struct mg_router *r, uint64_t shards, uint64_t memo, const struct mg_msg *m) {
    for (; shards; shards &= shards - 1) {
        unsigned to = (unsigned)__builtin_ctzll(shards);
        char *at = NULL;
        if (r->runs[to].memo == memo)
            at = mg_post_extend(r->shard, to, r->runs[to].seq, 4 + pad4((uint32_t)m->payload.n));
        if (at) add_item(at, m);
        else begin(r, to, memo, m);
    }
}

static mg_slice digits(char *end, uint32_t v) {
    char *at = end;
    do {
        *--at = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    return (mg_slice){at, (size_t)(end - at)};
}

void run_received(struct mg_router *r, const struct mg_rec *rec) {
    struct rec_run run;
    memcpy(&run, rec->body, sizeof(run));
    const char *at = rec->body + sizeof(run), *end = rec->body + rec->size;
    char text[12];
    uint32_t text_of = UINT32_MAX;
    struct mg_msg m = {.subject = {at, run.subject_len}, .slab = true, .origin_id = run.origin_id,
                       .origin_slot = run.origin_slot, .origin_shard = run.origin_shard};
    at += pad4(run.subject_len);
    const struct mg_match *match = mg_sublist_match(r->subs, m.subject);
    while (at < end) {
        uint32_t size;
        memcpy(&size, at, 4);
        mg_assert(size <= (size_t)(end - at) - 4);
        if (size != text_of) m.size_text = digits(text + sizeof(text), size);
        text_of = size;
        m.payload = (mg_slice){at + 4, size};
        for (uint32_t i = 0; i < match->nplain; i++) deliver_one(match->plain[i], &m);
        at += 4 + pad4(size);
    }
}
