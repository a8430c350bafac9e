// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Answers of reads that have to wait. What is read is the newest state, and a power cut may take that back; so an
// answer that speaks of something that is not durable is kept, with a copy of its bytes, until that is.
//
// Asking again when it is durable would not do: under a stream of changes there is always something newer that is not,
// and the reader of a key that is written all the time would starve.
//
// After a failure of the journal nothing becomes durable: what waits is answered with MG_EIO.
#include <string.h>

#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

static bool looks_for_last(const struct mg_read *r) { return r->kind == MG_READ_LAST || r->last_of_subject; }

// The batch that must be durable before the answer is true.
static uint64_t depends_on(const struct mg_stream *s, const struct mg_read *r) {
    switch (r->kind) {
    case MG_READ_NEXT:
    case MG_READ_COUNT: return 0; // store.h
    case MG_READ_ROW: return MG_PLANTED(row_at_once) ? 0 : s->rows_batch;
    default:
        if (r->err == 0 && r->msg.seq > s->visible) return s->batch;
        return r->err == MG_ENOTFOUND || looks_for_last(r) ? s->gone_batch : 0;
    }
}

static mg_slice keep(char **to, mg_slice v) {
    mg_slice kept = mg_slice_of(*to, v.n);
    if (v.n) memcpy(*to, v.p, v.n);
    *to += v.n;
    return kept;
}

static void copy_message(struct mg_read *r) {
    struct mg_message *m = &r->msg;
    if (r->err) return;
    char *to = r->copy = mg_alloc(m->subject.n + m->headers.n + m->payload.n + 1);
    m->subject = keep(&to, m->subject);
    m->headers = keep(&to, m->headers);
    m->payload = keep(&to, m->payload);
}

int mg_read_settle(struct mg_stream *s, struct mg_read *r) {
    struct mg_store_part *p = s->part;
    bool ahead = r->kind != MG_READ_ROW && r->err == 0 && looks_for_last(r) && r->msg.seq > s->visible;
    if (r->err != 0 && r->err != MG_ENOTFOUND) return 0;
    r->batch = depends_on(s, r);
    if (r->batch <= p->durable && !ahead) return 0; // of a memory stream only `visible` may lag behind
    if (p->poisoned) {
        // What was found is durable, though perhaps not the last one any more.
        if (r->err || r->kind == MG_READ_ROW) r->err = MG_EIO;
        return 0;
    }
    copy_message(r);
    mg_list_push_back(&s->held, &r->waits);
    if (mg_list_empty(&s->holds)) mg_list_push_back(&p->holding, &s->holds);
    return MG_EAGAIN;
}

static void give(struct mg_read *r, int err) {
    char *copy = r->copy;
    r->copy = NULL;
    if (err) r->err = err;
    r->done(r); // may free it
    mg_free(copy);
}

// Of a memory stream nothing has to become durable, but its results may not all have been given.
static bool is_ahead(const struct mg_stream *s, const struct mg_read *r) {
    return s->storage == MG_STORAGE_MEMORY && r->err == 0 && r->kind != MG_READ_ROW && r->msg.seq > s->visible;
}

// Reads may be begun and given up meanwhile; the stream stays, since nothing is deleted at this point of a turn.
static void release(struct mg_stream *s, uint64_t durable) {
    struct mg_list now;
    mg_list_init(&now);
    mg_list_splice(&now, &s->held);
    while (!mg_list_empty(&now)) {
        struct mg_read *r = mg_container_of(now.next, struct mg_read, waits);
        mg_list_remove(&r->waits);
        if (r->batch <= durable && !is_ahead(s, r)) give(r, 0);
        else if (s->part->poisoned) give(r, MG_EIO);
        else mg_list_push_back(&s->held, &r->waits);
        if (!mg_part_spent(s->part, 1)) continue;
        s->part->pump |= !mg_list_empty(&now); // another turn
        break;
    }
    mg_list_splice(&now, &s->held);
    mg_list_splice(&s->held, &now);
}

void mg_reads_release(struct mg_store_part *p, uint64_t durable) {
    struct mg_list now;
    mg_list_init(&now);
    mg_list_splice(&now, &p->holding);
    while (!mg_list_empty(&now)) {
        struct mg_stream *s = mg_container_of(now.next, struct mg_stream, holds);
        mg_list_remove(&s->holds);
        release(s, durable);
        if (!mg_list_empty(&s->held) && mg_list_empty(&s->holds)) mg_list_push_back(&p->holding, &s->holds);
    }
}
