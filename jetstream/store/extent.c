// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Extents from a part's point of view, and at recovery. extents.c has the files.
#include "jetstream/store/extent.h"

#include <string.h>

#include "jetstream/store/extents.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/disk.h"

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
    mg_part_pump_later(e->change->stream);
}

void mg_extent_write(struct mg_store_part *p, struct mg_change *c) {
    struct mg_append *a = &c->append;
    struct mg_extent *e = mg_zalloc(sizeof(*e));
    size_t n = a->headers.n + a->payload.n;
    e->part = p;
    e->change = c;
    e->room = (n + MG_DISK_ALIGN - 1) & ~(uint64_t)(MG_DISK_ALIGN - 1);
    e->at = (struct mg_extent_place){.headers_len = (uint32_t)a->headers.n, .payload_len = (uint32_t)a->payload.n};
    e->bytes = mg_disk_alloc(e->room);
    memset(e->bytes + e->room - MG_DISK_ALIGN, 0, MG_DISK_ALIGN);
    if (a->headers.n) memcpy(e->bytes, a->headers.p, a->headers.n);
    if (a->payload.n) memcpy(e->bytes + a->headers.n, a->payload.p, a->payload.n);
    a->headers = mg_slice_of((const char *)e->bytes, a->headers.n);
    a->payload = mg_slice_of((const char *)e->bytes + a->headers.n, a->payload.n);
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
    mg_disk_free(e->bytes);
    e->bytes = NULL;
    mg_extents_release(e->part->store, e);
}

// ---- records --------------------------------------------------------------------------------------------------------

struct mg_chunk *mg_extent_chunk(struct mg_store_part *p, size_t size, struct mg_extent *e) {
    struct mg_chunk *c = mg_chunk_new(size);
    c->used = size;
    c->extent = e;
    c->next = p->large;
    p->large = c;
    return c;
}

void mg_extent_seal(struct mg_store_part *p, uint32_t generation) {
    for (struct mg_chunk *c = p->large; c; c = c->next) {
        if (c->generation == 0) c->generation = generation;
    }
}

void mg_extent_drop(struct mg_store_part *p, uint32_t generation) {
    for (struct mg_chunk **at = &p->large, *c; (c = *at);) {
        if (c->generation == 0 || c->generation > generation) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        mg_extent_give_up(c->extent);
        mg_chunk_unref(c);
    }
}

#ifdef MG_PLANTED_BUGS
void mg_extent_drop_places(struct mg_store_part *p, uint32_t generation) {
    for (struct mg_chunk *c = p->large; c; c = c->next) {
        if (c->generation == 0 || c->generation > generation) continue;
        mg_extent_give_up(c->extent);
        c->extent = NULL;
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
    struct mg_chunk *c = mg_extent_chunk(p, mg_record_view_size(&whole), e);
    mg_record_encode(c->bytes, &whole);
    mg_free(bytes);
    *err = 0;
    return c->bytes;
}
