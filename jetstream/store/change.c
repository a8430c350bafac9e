// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Changes: what callers ask a stream to do, in order.
//
// The good path: nothing waits, the change is executed on the spot, its result queues behind its record. When it needs
// a row or a message that is on disk, a copy is kept and everything after it queues behind: order is the promise. The
// part calls mg_stream_pump when something that was looked up has come.
//
// The queue is bounded for messages (spec/jetstream-streams.md 12: 100,000, 128 MiB); what does not fit gets MG_EFULL.
// Other changes are never refused for want of room: what removes messages must get through, and rows build on each
// other. Who makes them has bounds of its own.
#include <string.h>

#include "jetstream/store/correct.h"
#include "jetstream/store/seal.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

#define WAITING_MAX 100000u
#define WAITING_BYTES_MAX (128u * 1024 * 1024)
#define LOOK_AHEAD 64u // changes at a time: some 64 us

// Bytes of the record that a change writes, more or less: lists of removed messages are small beside the reserve.
static size_t record_bytes(const struct mg_change *c) {
    const struct mg_append *a = &c->append;
    size_t body = c->large ? MG_EXTENT_PLACE_SIZE : a->headers.n + a->payload.n;
    return MG_RECORD_SIZE + 256 + a->subject.n + body + a->row.n + c->key.n + c->value.n;
}

// 0: go on. 1: refused, the answer is queued. MG_EAGAIN: it has to wait for the journal.
static int admit(struct mg_stream *s, struct mg_change *c) {
    if (s->storage == MG_STORAGE_MEMORY) return 0;
    // A publish that has made room was let in before it began.
    int err = mg_part_admit(s->part, c->kind == MG_CHANGE_APPEND && !c->started, record_bytes(c));
    if (err == 0 || err == MG_EAGAIN) return err;
    if (c->started) return MG_EAGAIN; // half done: the rest must follow
    mg_stream_answer(s, c->ctx, err, 0, MG_ANSWER_PLAIN);
    return 1;
}

// A large message is decided when its extent is durable: 0. 1: it cannot be, the answer is queued. MG_EAGAIN.
static int check_extent(struct mg_stream *s, const struct mg_change *c) {
    if (c->extent == NULL) return 0;
    if (c->extent->away) return MG_EAGAIN;
    if (c->extent->err == 0) return 0;
    mg_stream_answer(s, c->ctx, c->extent->err, 0, MG_ANSWER_PLAIN);
    return 1;
}

static int execute(struct mg_stream *s, struct mg_change *c) {
    struct mg_stream_state state;
    if (!MG_PLANTED(late_seal) && !mg_seal_first(s)) {
        mg_part_pump_later(s);
        return MG_EAGAIN;
    }
    int err = check_extent(s, c);
    if (err == 0) err = admit(s, c);
    if (err) return err == 1 ? 0 : err;
    switch (c->kind) {
    case MG_CHANGE_APPEND: return mg_append_execute(s, c);
    case MG_CHANGE_REMOVE: return mg_remove_execute(s, c->seq, c->erase, c->ctx);
    case MG_CHANGE_PURGE: return mg_purge_execute(s, c);
    case MG_CHANGE_BARRIER:
        if (mg_stream_state(s, &state) == MG_EAGAIN) return MG_EAGAIN;
        mg_stream_answer(s, c->ctx, 0, s->last, MG_ANSWER_PLAIN);
        return 0;
    case MG_CHANGE_CONFIGURE: return mg_configure_execute(s, c);
    case MG_CHANGE_ROW: return mg_row_execute(s, c);
    case MG_CHANGE_CORRECT: return mg_correct_execute(s, c);
    }
    return MG_EINVAL;
}

static mg_slice keep(struct mg_change *c, mg_slice v) {
    char *to = c->bytes + c->size;
    if (v.n) memcpy(to, v.p, v.n);
    c->size += v.n;
    return mg_slice_of(to, v.n);
}

static struct mg_change *copy_change(struct mg_stream *s, const struct mg_change *proto) {
    const struct mg_append *a = &proto->append;
    size_t body = proto->large ? 0 : a->headers.n + a->payload.n; // an extent has its own copy
    size_t n = a->subject.n + body + a->msg_id.n + a->expect_subject.n + proto->filter.n + proto->key.n +
               proto->value.n + a->expect_id.n + a->row.n;
    struct mg_change *c = mg_alloc(sizeof(*c) + n);
    *c = *proto;
    c->size = 0;
    c->append.subject = keep(c, a->subject);
    if (!c->large) {
        c->append.headers = keep(c, a->headers);
        c->append.payload = keep(c, a->payload);
        c->append.mbuf = NULL;
    }
    c->append.msg_id = keep(c, a->msg_id);
    c->append.expect_subject = keep(c, a->expect_subject);
    c->append.expect_id = keep(c, a->expect_id);
    c->append.row = keep(c, a->row);
    c->filter = keep(c, proto->filter);
    c->key = keep(c, proto->key);
    c->value = keep(c, proto->value);
    c->stream = s;
    c->weight = sizeof(*c) + c->size + (c->large ? a->headers.n + a->payload.n : 0);
    return c;
}

void mg_change_free(struct mg_change *c) {
    mg_extent_give_up(c->extent);
    mg_free(c);
}

// One that would be refused need not be written: nothing stands before it. 0: the answer is queued.
static int refuse_large(struct mg_stream *s, const struct mg_change *c) {
    int err = s->storage == MG_STORAGE_FILE ? mg_part_refuses(s->part) : 0;
    if (err == 0) return mg_append_refused(s, c) ? 0 : MG_EAGAIN;
    mg_stream_answer(s, c->ctx, err, 0, MG_ANSWER_PLAIN);
    return 0;
}

// Those that came while too much was looked up already have their turn later.
static void look_ahead(struct mg_stream *s, unsigned most) {
    for (; most > 0 && s->ahead != &s->waiting && mg_part_may_look_up(s->part); most--, s->ahead = s->ahead->next) {
        const struct mg_change *c = mg_container_of(s->ahead, struct mg_change, link);
        if (c->kind == MG_CHANGE_APPEND) mg_append_look_ahead(s, &c->append);
    }
}

int mg_change_submit(struct mg_stream *s, struct mg_change *proto) {
    if (s->deleted || s->part->stopping) return MG_ECLOSED;
    if (s->part->poisoned) return MG_EIO;
    if (mg_list_empty(&s->waiting)) {
        int err = proto->large ? refuse_large(s, proto) : execute(s, proto);
        if (err != MG_EAGAIN) return err;
    }
    const struct mg_store_options *o = &s->part->store->o;
    uint32_t most = o->queue_messages ? o->queue_messages : WAITING_MAX;
    uint64_t most_bytes = o->queue_bytes ? o->queue_bytes : WAITING_BYTES_MAX;
    if (proto->kind == MG_CHANGE_APPEND && (s->waiting_len >= most || s->waiting_bytes >= most_bytes)) {
        mg_stream_answer(s, proto->ctx, MG_EFULL, 0, MG_ANSWER_PLAIN);
        return 0;
    }
    struct mg_change *c = copy_change(s, proto);
    mg_list_push_back(&s->waiting, &c->link);
    if (s->ahead == &s->waiting) s->ahead = &c->link;
    mg_part_want(s);
    s->waiting_len++;
    s->waiting_bytes += c->weight;
    look_ahead(s, 1);
    if (c->large) mg_extent_write(s->part, c);
    return 0;
}

void mg_change_first(struct mg_stream *s, const struct mg_change *proto) {
    struct mg_change *c = copy_change(s, proto);
    mg_list_push_front(&s->waiting, &c->link);
    s->waiting_len++;
    s->waiting_bytes += c->weight;
    mg_part_pump_later(s);
}

static void forget(struct mg_stream *s, struct mg_change *c) {
    if (s->ahead == &c->link) s->ahead = c->link.next;
    mg_list_remove(&c->link);
    s->waiting_len--;
    s->waiting_bytes -= c->weight;
    mg_change_free(c);
}

// The journal has failed: nothing that waits will be done.
static void fail_all(struct mg_stream *s) {
    mg_assist_reset(s);
    while (!mg_list_empty(&s->waiting)) {
        struct mg_change *c = mg_container_of(s->waiting.next, struct mg_change, link);
        // Of one that has begun nobody knows how much of it is on disk: it is not answered, like what was in flight.
        if (!c->started) mg_stream_answer(s, c->ctx, MG_EIO, 0, MG_ANSWER_PLAIN);
        forget(s, c);
        if (!mg_part_spent(s->part, 1)) continue;
        mg_part_pump_later(s);
        return;
    }
}

// What stands behind a change that waits for the journal is refused as it would be at the head.
static void refuse_behind(struct mg_stream *s) {
    if (s->storage == MG_STORAGE_MEMORY) return;
    for (struct mg_list *l = s->waiting.next->next, *next; l != &s->waiting; l = next) {
        struct mg_change *c = mg_container_of(l, struct mg_change, link);
        next = l->next;
        if (c->kind != MG_CHANGE_APPEND || c->started) continue;
        int err = mg_part_refuses(s->part);
        if (err == 0) return;
        mg_stream_answer(s, c->ctx, err, 0, MG_ANSWER_PLAIN);
        forget(s, c);
        if (!mg_part_spent(s->part, 1)) continue;
        mg_part_pump_later(s);
        return;
    }
}

void mg_stream_pump(struct mg_stream *s) {
    if (s->deleted) { // what waits for it is refused in the part's turn
        mg_part_pump_later(s);
        return;
    }
    if (s->part->poisoned) {
        fail_all(s);
        return;
    }
    while (!mg_list_empty(&s->waiting) && !s->part->closed) {
        struct mg_change *c = mg_container_of(s->waiting.next, struct mg_change, link);
        int err = execute(s, c);
        if (err == MG_EAGAIN) {
            refuse_behind(s);
            look_ahead(s, LOOK_AHEAD);
            return;
        }
        mg_assert(err == 0);
        forget(s, c);
        if (!mg_part_spent(s->part, 2)) continue;
        if (!mg_list_empty(&s->waiting)) mg_part_pump_later(s);
        return;
    }
}

bool mg_changes_refuse(struct mg_stream *s) {
    if (!mg_stream_drop(s)) return false;
    while (!mg_list_empty(&s->waiting)) {
        struct mg_change *c = mg_container_of(s->waiting.next, struct mg_change, link);
        if (!c->quiet) mg_stream_answer(s, c->ctx, MG_ECLOSED, 0, MG_ANSWER_PLAIN);
        forget(s, c);
        if (mg_part_spent(s->part, 1)) return false;
    }
    if (s->delete_waits) {
        s->delete_waits = false;
        s->results_out--;
        mg_stream_answer(s, s->delete_ctx, s->dropped ? 0 : MG_EIO, 0, MG_ANSWER_PLAIN);
    }
    return true;
}

// Bytes that its record takes of the journal, at most.
static size_t most_bytes(const struct mg_append *a, size_t body) {
    return (size_t)UINT16_MAX + mg_record_size(0, a->subject.n, 0, body);
}

int mg_stream_append(struct mg_stream *s, const struct mg_append *a, void *ctx) {
    if (!a->skip && (a->subject.n == 0 || a->subject.n > UINT16_MAX)) return MG_EINVAL;
    if (a->headers.n > MG_EXTENT_MAX || a->payload.n > MG_EXTENT_MAX - a->headers.n) return MG_ERANGE;
    struct mg_change c = {.kind = MG_CHANGE_APPEND, .append = *a, .ctx = ctx};
    if (s->storage == MG_STORAGE_FILE) {
        size_t body = a->headers.n + a->payload.n, max = mg_journal_max_batch(s->part->store->journal);
        c.large = body > 0 && !a->skip && (body >= s->part->store->extent_min || most_bytes(a, body) > max);
        if (most_bytes(a, c.large ? MG_EXTENT_PLACE_SIZE : body) > max) return MG_ERANGE;
    } else {
        c.large = !a->skip && a->headers.n + a->payload.n >= s->part->store->extent_min;
    }
    return mg_change_submit(s, &c);
}

int mg_stream_remove(struct mg_stream *s, uint64_t seq, bool erase, void *ctx) {
    struct mg_change c = {.kind = MG_CHANGE_REMOVE, .seq = seq, .erase = erase, .ctx = ctx};
    return mg_change_submit(s, &c);
}

int mg_stream_purge(struct mg_stream *s, mg_slice filter, uint64_t up_to, uint64_t keep_last, void *ctx) {
    struct mg_change c = {.kind = MG_CHANGE_PURGE, .filter = filter, .up_to = up_to, .keep = keep_last, .ctx = ctx};
    return mg_change_submit(s, &c);
}

void mg_stream_barrier(struct mg_stream *s, void *ctx) {
    struct mg_change c = {.kind = MG_CHANGE_BARRIER, .ctx = ctx};
    if (mg_change_submit(s, &c) != 0) mg_stream_answer(s, ctx, MG_EIO, 0, MG_ANSWER_PLAIN);
}

int mg_stream_row_put(struct mg_stream *s, mg_slice key, mg_slice value, void *ctx) {
    struct mg_change c = {.kind = MG_CHANGE_ROW, .key = key, .value = value, .ctx = ctx};
    return mg_change_submit(s, &c);
}

int mg_stream_row_note(struct mg_stream *s, mg_slice key, mg_slice value, void *ctx) {
    struct mg_change c = {.kind = MG_CHANGE_ROW, .key = key, .value = value, .note = true, .ctx = ctx};
    return mg_change_submit(s, &c);
}

int mg_stream_row_delete(struct mg_stream *s, mg_slice key, void *ctx) {
    struct mg_change c = {.kind = MG_CHANGE_ROW, .key = key, .delete_row = true, .ctx = ctx};
    return mg_change_submit(s, &c);
}
