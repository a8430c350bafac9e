// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Extents from a part's point of view, and at recovery. extents.c has the files.
#include "jetstream/store/extent.h"

#include <string.h>

#include "jetstream/store/extents.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/disk.h"
#include "server/shard/mbuf.h"

// ---- writing --------------------------------------------------------------------------------------------------------

// Back from the thread.
static void written(struct mg_parcel *parcel) {
    struct mg_extent *e = mg_container_of(parcel, struct mg_extent, parcel);
    e->away = false;
    e->part->jobs_out--;
    if (e->change == NULL) {
        mg_extent_give_up(e);
        return;
    }
    e->change->append.headers = e->headers;
    e->change->append.payload = e->payload;
    mg_part_pump_later(e->change->stream);
}

static uint64_t aligned(uint64_t n) { return (n + MG_DISK_ALIGN - 1) & ~(uint64_t)(MG_DISK_ALIGN - 1); }

static mg_slice add(struct mg_mbuf *m, mg_slice v) {
    char *to = m->data + m->len;
    if (v.n) memcpy(to, v.p, v.n);
    m->len += (uint32_t)v.n;
    return mg_slice_of(to, v.n);
}

// Bytes that are the caller's.
static void copy_source(struct mg_extent *e) {
    e->source = mg_mbuf_new(e->headers.n + e->payload.n);
    e->headers = add(e->source, e->headers);
    e->payload = add(e->source, e->payload);
}

void mg_extent_write(struct mg_store_part *p, struct mg_change *c) {
    struct mg_append *a = &c->append;
    struct mg_extent *e = mg_zalloc(sizeof(*e));
    e->part = p;
    e->change = c;
    e->written = c->stream->storage == MG_STORAGE_FILE;
    e->front = aligned(sizeof(e) + MG_RECORD_SIZE + UINT16_MAX + a->subject.n);
    e->room = aligned(a->headers.n + a->payload.n);
    e->at = (struct mg_extent_place){.headers_len = (uint32_t)a->headers.n, .payload_len = (uint32_t)a->payload.n};
    e->headers = a->headers;
    e->payload = a->payload;
    if (a->mbuf) e->source = mg_mbuf_ref(a->mbuf);
    else copy_source(e);
    a->headers = e->headers;
    a->payload = e->payload;
    a->mbuf = NULL;
    c->extent = e;
    e->away = true;
    p->jobs_out++;
    e->back = written;
    mg_extents_post(p->store, e);
}

void mg_extent_give_up(struct mg_extent *e) {
    if (e == NULL) return;
    e->change = NULL;
    if (e->away) return; // when it comes back
    mg_extents_release(e->part->store, e);
}

// ---- records --------------------------------------------------------------------------------------------------------

void mg_extent_keep(struct mg_extent *e) {
    e->change = NULL;
    e->next = e->part->extents;
    e->part->extents = e;
}

void mg_extent_mark(struct mg_extent *e, uint8_t *record) {
    e->change = NULL;
    memcpy(record - sizeof(e), &e, sizeof(e));
}

struct mg_extent *mg_extent_of(const uint8_t *record) {
    struct mg_extent *e = NULL;
    if (record[MG_AT(record, flags)] & MG_RECORD_EXTENT) memcpy(&e, record - sizeof(e), sizeof(e));
    return e;
}

void mg_extent_seal(struct mg_store_part *p) {
    mg_assert(p->extents_sealed == NULL);
    p->extents_sealed = p->extents;
    p->extents = NULL;
}

void mg_extent_drop(struct mg_store_part *p) {
    if (p->extents_sealed) mg_extents_release(p->store, p->extents_sealed);
    p->extents_sealed = NULL;
}

#ifdef MG_PLANTED_BUGS
void mg_extent_drop_places(struct mg_store_part *p) {
    for (struct mg_extent *e = p->extents_sealed; e; e = e->next) {
        struct mg_extent *place = mg_alloc(sizeof(*place));
        *place = *e;
        place->memory = NULL;
        place->next = NULL;
        e->placed = false;
        mg_extents_release(p->store, place);
    }
}
#endif

// ---- recovery -------------------------------------------------------------------------------------------------------

static bool plausible(const struct mg_extent_place *at) {
    return (uint64_t)at->headers_len + at->payload_len <= MG_EXTENT_MAX && at->offset % MG_DISK_ALIGN == 0;
}

const uint8_t *mg_extent_recover(struct mg_store_part *p, const struct mg_record_view *rec, int *err) {
    struct mg_extent_place at;
    *err = MG_ECORRUPT;
    if (rec->payload.n != MG_EXTENT_PLACE_SIZE || rec->headers.n) return NULL;
    mg_extent_place_unpack(&at, rec->payload.p);
    if (!plausible(&at)) return NULL;
    struct mg_extent *e = mg_zalloc(sizeof(*e));
    e->part = p;
    e->at = at;
    uint8_t *bytes = mg_extents_read(p->store, e, err);
    if (bytes == NULL) {
        mg_free(e);
        return NULL;
    }
    struct mg_record_view whole = *rec;
    whole.head.flags &= (uint8_t)~MG_RECORD_EXTENT;
    whole.headers = mg_slice_of((const char *)bytes, at.headers_len);
    whole.payload = mg_slice_of((const char *)bytes + at.headers_len, at.payload_len);
    e->memory = mg_disk_alloc(mg_record_view_size(&whole));
    mg_record_encode(e->memory, &whole);
    mg_free(bytes);
    mg_extent_keep(e);
    *err = 0;
    return e->memory;
}
