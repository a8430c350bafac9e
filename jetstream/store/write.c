// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A decided change becomes a record: encoded where it will stay (the open chunk, or memory of its own for a memory
// stream), then applied.
#include "jetstream/store/segments.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/assert.h"
#include "server/base/mem.h"

#define MOST_REMOVALS 128u // some 50 us

void mg_stream_write(struct mg_stream *s, struct mg_record_view *rec) {
    mg_assert((!s->deleted || rec->head.type == MG_RECORD_DROP) && !s->part->poisoned);
    size_t size = mg_record_view_size(rec);
    rec->head.stream = s->id;
    rec->head.op = s->op + 1;
    uint8_t *bytes;
    if (s->storage == MG_STORAGE_MEMORY) {
        bytes = mg_alloc(size);
        mg_record_encode(bytes, rec);
    } else {
        bytes = mg_part_reserve(s->part, size);
        mg_record_encode(bytes, rec);
        mg_part_recorded(s->part, s, size);
    }
    // Slices of the caller's memory and of the record are equal; the record's stay.
    mg_stream_apply(s, rec, bytes, true);
    if (s->storage == MG_STORAGE_MEMORY && rec->head.type != MG_RECORD_MSG) mg_free(bytes);
}

// What the journal gets says where headers and payload are.
static void write_place(struct mg_stream *s, const struct mg_record_view *rec, const struct mg_extent *e) {
    char place[MG_EXTENT_PLACE_SIZE];
    struct mg_record_view ref = *rec;
    mg_extent_place_pack(place, &e->at);
    ref.head.flags |= MG_RECORD_EXTENT;
    ref.headers = (mg_slice){NULL, 0};
    ref.payload = mg_slice_of(place, sizeof(place));
    size_t size = mg_record_view_size(&ref);
    mg_record_encode(mg_part_reserve(s->part, size), &ref);
    mg_part_recorded(s->part, s, size);
}

void mg_stream_write_large(struct mg_stream *s, struct mg_record_view *rec, struct mg_extent *e) {
    mg_assert(!s->deleted && !s->part->poisoned);
    uint8_t *bytes = e->body - rec->subject.n - rec->extra.n - MG_RECORD_SIZE;
    rec->head.stream = s->id;
    rec->head.op = s->op + 1;
    if (s->storage == MG_STORAGE_MEMORY) {
        rec->head.flags |= MG_RECORD_EXTENT; // so that who frees it knows
        mg_record_encode_around(bytes, rec);
        mg_extent_mark(e, bytes);
    } else {
        mg_record_encode_around(bytes, rec);
        write_place(s, rec, e);
        mg_extent_keep(e);
    }
    mg_stream_apply(s, rec, bytes, true);
}

void mg_removals_write(struct mg_stream *s, const struct mg_removals *list, bool erase) {
    struct mg_buf payload = MG_BUF_INIT;
    mg_removals_encode(list, &payload);
    struct mg_record_view rec = {
        .head = {.type = MG_RECORD_REMOVE, .flags = erase ? MG_RECORD_ERASE : 0, .time = s->last_time},
        .payload = mg_buf_slice(&payload)};
    mg_stream_write(s, &rec);
    mg_buf_fini(&payload);
}

// Each changes the row of its subject: what memory does not know of is looked for in the filters of all tables.
uint32_t mg_removals_most(const struct mg_stream *s) {
    const struct mg_runset *tables = s->rows->runs;
    if (s->part->store->o.removals) return s->part->store->o.removals;
    return MOST_REMOVALS * 8 / (8 + (tables ? tables->count : 0));
}

int mg_row_execute(struct mg_stream *s, const struct mg_change *c) {
    struct mg_record_view rec = {
        .head = {.type = MG_RECORD_ROW, .flags = c->delete_row ? MG_RECORD_ROW_DELETED : 0},
        .extra = c->key,
        .payload = c->value,
    };
    mg_stream_write(s, &rec);
    if (c->note && s->storage == MG_STORAGE_FILE) s->part->notes += mg_record_view_size(&rec);
    mg_stream_answer(s, c->ctx, 0, 0, c->note ? MG_ANSWER_NOTE : MG_ANSWER_PLAIN);
    return 0;
}
