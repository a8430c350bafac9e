// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The turn of a part. The good path: streams write records into the open chunk; mg_part_turn hands the range since the
// last turn to the journal; the committer gives it back durable; the results that waited for it leave, in order.
//
// When the journal is full (a checkpoint has to free pages first) the open batch stays here and changes wait in their
// streams, bounded there. When it is poisoned, what was in flight is never answered, and changes get MG_EIO.
//
// A checkpoint makes durable what it has sealed, sent or not: so a full journal cannot keep it waiting.
//
// No turn is long, however much has come: each kind of work has a share of it (mg_part_spent), what is left over comes
// first in the next one, and that follows at once.
//
// What always holds: `durable` <= the numbers of batches in flight < `batch`, the open one; the results' ring is in the
// order of calls, and a result leaves only when its batch and all before it are durable.
#include "jetstream/store/part.h"

#include "jetstream/store/cold.h"
#include "jetstream/store/journal.h"
#include "jetstream/store/page.h"
#include "jetstream/store/seal.h"
#include "jetstream/store/space.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "jetstream/store/swap.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

// Rows that are being looked up, from which on publishes wait.
#define LOOKING_MAX 8192u

// Changes wait so long for pages of the journal before they are refused.
#define PATIENCE_NS UINT64_C(5000000000)

// A batch of notes alone waits so long for something else to go with. For a burst of them that is one commit.
#define NOTE_NS UINT64_C(5000000)

#define LOOK_EVERY 16u    // us of work, as it is guessed: then the clock is looked at

struct part_batch {
    struct mg_batch batch;
    struct mg_span span;
    struct mg_store_part *part;
    struct mg_chunk *chunk;
    uint64_t number;
};

// ---- records --------------------------------------------------------------------------------------------------------

static void move_clock(struct mg_store_part *p) {
    uint64_t mono = mg_loop_now(p->loop);
    if (mono == p->clock.mono) return;
    int64_t jump = mg_clock_move(&p->clock, mono, mg_loop_wall(p->loop));
    if (jump) mg_store_press(p->store);
    if (jump && p->index == 0)
        mg_store_say(p->store, MG_LOG_WRN, "The clock jumped %.1f hours ahead: for 10 minutes nothing expires by it",
                     (double)jump / 3.6e12);
}

int64_t mg_part_time(struct mg_store_part *p) {
    if (p->loop == NULL) return p->last_time;
    move_clock(p);
    return p->clock.now;
}

int64_t mg_part_aging_time(struct mg_store_part *p) {
    if (p->loop == NULL) return p->last_time;
    move_clock(p);
    return mg_clock_aging(&p->clock);
}

const struct mg_store_sums *mg_store_part_sums(const struct mg_store_part *p) { return &p->sums; }
int64_t mg_store_part_time(struct mg_store_part *p) { return mg_part_time(p); }
int64_t mg_store_part_aging(struct mg_store_part *p) { return mg_part_aging_time(p); }

static void start_clock(struct mg_store_part *p) {
    int64_t last = p->store->last_time;
    // Both read now: what the loop read before the recovery would count as time that the wall clock has lost.
    uint64_t mono = MG_PLANTED(stale_start) ? mg_loop_now(p->loop) : mg_loop_clock(p->loop);
    int64_t jump = mg_clock_start(&p->clock, mono, mg_loop_wall(p->loop), last, p->store->lag);
    if (jump > 0) mg_store_press(p->store); // how far ages are behind must survive the process
    if (jump == 0 || p->index != 0) return;
    if (jump > 0)
        mg_store_say(p->store, MG_LOG_WRN, "The clock is %.1f hours ahead of what was stored last: for 10 minutes "
                     "nothing expires by it", (double)jump / 3.6e12);
    else
        mg_store_say(p->store, MG_LOG_WRN, "The clock is %.1f hours behind what was stored last: stored times run at "
                     "half speed until it has caught up", -(double)jump / 3.6e12);
}

static void new_chunk(struct mg_store_part *p, size_t size) {
    struct mg_chunk *c = mg_chunk_new(size > MG_CHUNK_BYTES ? size : MG_CHUNK_BYTES);
    if (p->chunks_last) {
        p->chunks_last->next = c;
    } else {
        p->chunks_first = c;
    }
    p->chunks_last = p->chunk = c;
    p->batch_at = 0;
}

uint8_t *mg_part_reserve(struct mg_store_part *p, size_t size) {
    size_t open = p->chunk ? p->chunk->used - p->batch_at : 0;
    if (open > 0 && p->store->journal && open + size > mg_journal_max_batch(p->store->journal)) mg_part_submit(p);
    if (p->chunk == NULL || p->chunk->size - p->chunk->used < size) {
        if (p->chunk && p->chunk->used > p->batch_at) mg_part_submit(p);
        new_chunk(p, size);
    }
    return p->chunk->bytes + p->chunk->used;
}

void mg_part_recorded(struct mg_store_part *p, struct mg_stream *s, size_t size) {
    p->chunk->used += size;
    s->batch = p->batch;
}

// ---- room -----------------------------------------------------------------------------------------------------------

bool mg_part_busy(const struct mg_store_part *p) { return p->unsent_len > 0; }

static bool is_full(const struct mg_store_part *p) {
    return atomic_load_explicit(&p->store->refuse, memory_order_relaxed) != 0;
}

// Each part may use its share of the free pages, so that all together do not take more than there are.
static bool has_room(struct mg_store_part *p, size_t size) {
    if (size <= p->room) return true;
    // The open batch will take whole pages.
    uint64_t open = (p->chunk ? p->chunk->used - p->batch_at : 0) + MG_PAGE_BYTES_MAX;
    uint64_t share = mg_journal_room(p->store->journal, MG_BATCH_NORMAL) / p->store->o.parts;
    p->room = share > open ? share - open : 0;
    return size <= p->room;
}

static void send_unsent(struct mg_store_part *p);

static void lost_patience(struct mg_timer *t) {
    struct mg_store_part *p = mg_container_of(t, struct mg_store_part, patience);
    p->impatient = true;
    send_unsent(p);
    mg_part_pump_all(p);
}

static void calm(struct mg_store_part *p) {
    p->impatient = false;
    if (mg_timer_active(&p->patience)) mg_timer_stop(p->wheel, &p->patience);
}

int mg_part_refuses(const struct mg_store_part *p) {
    if (is_full(p)) return MG_ENOSPC;
    return p->impatient ? MG_EFULL : 0;
}

bool mg_part_may_look_up(const struct mg_store_part *p) { return p->rows.looking < LOOKING_MAX; }

int mg_part_admit(struct mg_store_part *p, bool publish, size_t size) {
    if (publish && is_full(p)) return MG_ENOSPC;
    if (publish && !mg_part_may_look_up(p)) return MG_EAGAIN;
    if (p->unsent_len == 0 && (!publish || has_room(p, size))) {
        if (publish) p->room -= size;
        if (MG_UNLIKELY(mg_timer_active(&p->patience) || p->impatient)) calm(p);
        return 0;
    }
    if (size > mg_journal_max_batch(p->store->journal)) return MG_ERANGE;
    if (publish && atomic_load_explicit(&p->store->stuck, memory_order_relaxed)) return MG_EFULL;
    mg_store_press(p->store);
    if (publish && p->impatient) return MG_EFULL;
    if (p->wheel && !mg_timer_active(&p->patience))
        mg_timer_start(p->wheel, &p->patience, mg_loop_now(p->loop) + PATIENCE_NS);
    return MG_EAGAIN;
}

void mg_part_batch_free(struct part_batch *b) {
    mg_chunk_unref(b->chunk);
    mg_free(b);
}

// ---- to the journal and back ----------------------------------------------------------------------------------------

// What waits is refused; what was in flight is never answered.
static void poison(struct mg_store_part *p) {
    if (p->poisoned) return;
    p->poisoned = true;
    p->pump = true; // streams with changes that wait are among those that want
}

static void news(struct mg_parcel *parcel) {
    struct mg_store_part *p = mg_container_of(parcel, struct mg_store_part, news);
    atomic_store(&p->news_out, false);
    if (atomic_load(&p->store->poisoned)) poison(p);
    mg_part_pump_all(p);
}

void mg_store_tell_parts(struct mg_store *st) {
    for (unsigned i = 0; i < st->o.parts; i++) {
        struct mg_store_part *p = st->parts[i];
        if (atomic_exchange(&p->news_out, true)) continue;
        p->news.arrived = news;
        mg_inbox_post(&p->inbox, &p->news);
    }
}

static void batch_back(struct mg_parcel *parcel) {
    struct part_batch *b = mg_container_of(parcel, struct part_batch, batch.parcel);
    struct mg_store_part *p = b->part;
    p->batches_out--;
    if (b->batch.result == 0) {
        if (b->number > p->durable) p->durable = b->number; // else a checkpoint was faster
        // What is sealed ends here; the next batch may begin in the same page.
        if (p->seal && b->number == p->seal->batch) p->seal->page = b->batch.pages_end - 1;
        if (MG_UNLIKELY(!atomic_load_explicit(&p->store->written, memory_order_relaxed))) mg_space_written(p->store);
    } else {
        mg_store_poisoned(p->store);
        poison(p);
    }
    mg_part_batch_free(b);
}

static bool send(struct mg_store_part *p, struct part_batch *b) {
    // It was decided before the pages ran out. A checkpoint that waits for it, or a full disk, must not wait for ever.
    if (is_full(p) || p->impatient || (p->seal && !p->seal->given)) b->batch.class = MG_BATCH_RESERVED;
    int err = mg_journal_submit(p->store->journal, &b->batch);
    if (err == 0) {
        p->batches_out++;
        return true;
    }
    if (err == MG_EFULL || err == MG_ENOSPC) return false;
    b->batch.result = err;
    p->batches_out++;
    batch_back(&b->batch.parcel);
    return true;
}

static void send_unsent(struct mg_store_part *p) {
    bool full = p->unsent_len > 0;
    while (p->unsent_len > 0 && send(p, p->unsent[0])) {
        p->unsent_len--;
        memmove(p->unsent, p->unsent + 1, p->unsent_len * sizeof(p->unsent[0]));
        if (p->unsent_len == 0) p->pump = true; // changes that waited for room
    }
    if (full && p->unsent_len == 0) p->pump = true; // changes waited for it
}

uint64_t mg_part_sent(const struct mg_store_part *p) {
    return p->unsent_len ? p->unsent[0]->number - 1 : p->batch - 1;
}

void mg_part_durable(struct mg_store_part *p, uint64_t last) {
    uint32_t n = 0;
    while (n < p->unsent_len && p->unsent[n]->number <= last) mg_part_batch_free(p->unsent[n++]);
    p->unsent_len -= n;
    if (n) memmove(p->unsent, p->unsent + n, p->unsent_len * sizeof(p->unsent[0]));
    if (last > p->durable) p->durable = last;
}

void mg_part_submit(struct mg_store_part *p) {
    if (p->chunk == NULL || p->chunk->used == p->batch_at) return;
    struct part_batch *b = mg_zalloc(sizeof(*b));
    b->part = p;
    b->chunk = mg_chunk_ref(p->chunk);
    b->number = p->batch++;
    b->span = (struct mg_span){p->chunk->bytes + p->batch_at, p->chunk->used - p->batch_at};
    b->batch.parcel.arrived = batch_back;
    b->batch.home = &p->inbox;
    b->batch.spans = &b->span;
    b->batch.nspans = 1;
    b->batch.bytes = b->span.n;
    b->batch.class = p->publishes ? MG_BATCH_NORMAL : MG_BATCH_RESERVED;
    p->publishes = false;
    p->room = 0; // to be asked for again
    p->batch_at = p->chunk->used;
    p->notes = 0;
    p->awaited = false;
    if (p->wheel && mg_timer_active(&p->note)) mg_timer_stop(p->wheel, &p->note);
    if (p->unsent_len == 0 && send(p, b)) return;
    if (p->unsent_len == p->unsent_cap) {
        p->unsent_cap = p->unsent_cap ? p->unsent_cap * 2 : 8;
        p->unsent = mg_realloc(p->unsent, p->unsent_cap * sizeof(p->unsent[0]));
    }
    p->unsent[p->unsent_len++] = b;
}

static void noted(struct mg_timer *t) { mg_container_of(t, struct mg_store_part, note)->awaited = true; }

// Whoever delivers one message after the other writes a note for each. A commit of its own for each would be in the way
// of the next publish, which can take the note along.
static bool may_wait(struct mg_store_part *p) {
    size_t open = p->chunk ? p->chunk->used - p->batch_at : 0;
    if (open == 0 || open > p->notes || p->awaited || p->stopping || p->wheel == NULL) return false;
    if (!mg_timer_active(&p->note)) mg_timer_start(p->wheel, &p->note, mg_loop_now(p->loop) + NOTE_NS);
    return true;
}

// ---- results --------------------------------------------------------------------------------------------------------

static struct mg_result_block *new_block(struct mg_result_queue *q) {
    struct mg_result_block *b = q->spare ? q->spare : mg_alloc(sizeof(*b));
    q->spare = NULL;
    b->next = NULL;
    return b;
}

static void queue_add(struct mg_result_queue *q, const struct mg_pending_result *result) {
    if (q->last == NULL || q->tail == MG_RESULT_BLOCK) {
        struct mg_result_block *b = new_block(q);
        if (q->last) q->last->next = b;
        else q->first = b;
        q->last = b;
        q->tail = 0;
    }
    q->last->at[q->tail++] = *result;
    q->len++;
}

static const struct mg_pending_result *queue_front(const struct mg_result_queue *q) { return &q->first->at[q->head]; }

static struct mg_pending_result queue_take(struct mg_result_queue *q) {
    struct mg_pending_result r = *queue_front(q);
    q->len--;
    if (++q->head < MG_RESULT_BLOCK && q->len > 0) return r;
    struct mg_result_block *empty = q->first;
    q->first = empty->next;
    if (q->first == NULL) q->last = NULL;
    q->head = 0;
    if (q->spare) mg_free(empty);
    else q->spare = empty;
    return r;
}

void mg_stream_answer(struct mg_stream *s, void *ctx, int err, uint64_t seq, enum mg_answer kind) {
    struct mg_store_part *p = s->part;
    // After a failure of the journal nothing becomes durable any more: errors do not wait for it.
    bool now = s->storage == MG_STORAGE_MEMORY || p->poisoned;
    now |= MG_PLANTED(duplicate_at_once) && kind == MG_ANSWER_DUPLICATE;
    struct mg_pending_result r = {
        .stream = s, .ctx = ctx, .seq = seq, .batch = now ? 0 : s->batch, .err = err, .kind = kind};
    queue_add(now ? &p->at_once : &p->results, &r);
    if (!now && kind != MG_ANSWER_NOTE && p->notes > 0) p->awaited = true; // it is behind them, or speaks of them
    if (MG_PLANTED(early_visible) && kind == MG_ANSWER_APPENDED) s->visible = seq;
    s->results_out++;
}

void mg_stream_tell_removed(struct mg_stream *s, uint64_t seq, mg_slice subject) {
    if (s->ops == NULL || s->ops->removed == NULL) return;
    struct mg_gone *gone = mg_alloc(sizeof(*gone) + subject.n); // the record may have left memory by then
    gone->len = (uint32_t)subject.n;
    if (subject.n) memcpy(gone->subject, subject.p, subject.n);
    if (s->untold_len++ == 0 || seq > s->untold_highest) s->untold_highest = seq;
    mg_stream_answer(s, gone, 0, seq, MG_ANSWER_REMOVED);
}

static void tell_gone(const struct mg_pending_result *r) {
    struct mg_gone *gone = r->ctx;
    struct mg_stream *s = r->stream;
    s->untold_len--;
    if (s->ops && s->ops->removed) s->ops->removed(s->app, r->seq, mg_slice_of(gone->subject, gone->len));
    mg_free(gone);
}

static void forget_results(struct mg_result_queue *q) {
    while (q->len > 0) {
        struct mg_pending_result r = queue_take(q);
        if (r.kind == MG_ANSWER_REMOVED) mg_free(r.ctx);
    }
    mg_free(q->spare);
    q->spare = NULL;
}

void mg_part_forget_results(struct mg_store_part *p) {
    forget_results(&p->results);
    forget_results(&p->at_once);
}

static void give(struct mg_store_part *p, const struct mg_pending_result *r) {
    struct mg_stream *s = r->stream;
    s->results_out--;
    if ((r->kind == MG_ANSWER_APPENDED || r->kind == MG_ANSWER_VISIBLE) && r->seq > s->visible) {
        s->visible = r->seq;
        if (mg_list_empty(&s->told)) mg_list_push_back(&p->told, &s->told);
    }
    if (r->kind == MG_ANSWER_REMOVED) {
        tell_gone(r);
    } else if (r->kind == MG_ANSWER_CLEARED) {
        if (s->ops && s->ops->cleared) s->ops->cleared(s->app, r->seq);
    } else if (s->ops && s->ops->result && r->kind != MG_ANSWER_VISIBLE) {
        struct mg_result out = {
            .ctx = r->ctx, .seq = r->seq, .err = r->err, .duplicate = r->kind == MG_ANSWER_DUPLICATE};
        s->ops->result(s->app, &out);
    }
    if (s->deleted && s->results_out == 0 && !s->in_seal) mg_stream_free(s);
}

static void begin_share(struct mg_store_part *p);

static bool give_ready(struct mg_store_part *p, struct mg_result_queue *q, uint64_t durable) {
    bool any = false;
    begin_share(p);
    while (q->len > 0 && queue_front(q)->batch <= durable) {
        struct mg_pending_result r = queue_take(q);
        give(p, &r);
        any = true;
        if (mg_part_spent(p, 1)) break;
    }
    return any;
}

// Messages of batches up to this one are visible.
static uint64_t given(const struct mg_store_part *p, uint64_t durable) {
    if (p->results.len == 0) return durable;
    uint64_t next = queue_front(&p->results)->batch;
    return next > durable ? durable : next ? next - 1 : 0;
}

static void tell_visible(struct mg_store_part *p) {
    while (!mg_list_empty(&p->told)) {
        struct mg_stream *s = mg_container_of(p->told.next, struct mg_stream, told);
        mg_list_remove(&s->told);
        if (s->ops && s->ops->visible) s->ops->visible(s->app, s->visible);
    }
}

// ---- streams --------------------------------------------------------------------------------------------------------

static uint64_t hash_of(uint64_t id) { return id * UINT64_C(0x9e3779b97f4a7c15); }

static inline bool has_id(const void *val, const void *id) {
    return ((const struct mg_stream *)val)->id == *(const uint64_t *)id;
}

struct mg_stream *mg_part_stream(struct mg_store_part *p, uint64_t id) {
    return mg_table_find(&p->by_id, hash_of(id), has_id, &id);
}

void mg_part_index(struct mg_store_part *p, struct mg_stream *s) { mg_table_add(&p->by_id, hash_of(s->id), s); }
void mg_part_unindex(struct mg_store_part *p, struct mg_stream *s) { mg_table_del(&p->by_id, hash_of(s->id), s); }

void mg_part_want(struct mg_stream *s) {
    if (mg_list_empty(&s->wants)) mg_list_push_back(&s->part->wanting, &s->wants);
}

void mg_part_pump_later(struct mg_stream *s) {
    mg_part_want(s);
    s->part->pump = true;
}

void mg_part_pump_all(struct mg_store_part *p) { p->pump = true; }

static void pump(struct mg_store_part *p) {
    struct mg_list now;
    if (!p->pump || p->closed) return;
    p->pump = false;
    begin_share(p);
    mg_list_init(&now);
    mg_list_splice(&now, &p->wanting);
    while (!mg_list_empty(&now)) {
        struct mg_stream *s = mg_container_of(now.next, struct mg_stream, wants);
        mg_list_remove(&s->wants);
        if (s->deleted) {
            if (mg_changes_refuse(s)) continue;
            mg_part_pump_later(s);
            break;
        }
        mg_stream_pump(s);
        mg_reads_pump(s);
        mg_cold_gather(s);
        mg_subjects_pump(s);
        bool more = mg_rows_pump(s);
        if (more || !mg_list_empty(&s->waiting) || !mg_list_empty(&s->slow) || !mg_list_empty(&s->listings_wait) ||
            !mg_list_empty(&s->gathering))
            mg_part_want(s);
        if (!mg_part_spent(p, 1)) continue;
        p->pump |= !mg_list_empty(&now);
        break;
    }
    mg_list_splice(&now, &p->wanting); // those who had their turn stand behind the others
    mg_list_splice(&p->wanting, &now);
}

// ---- shares of a turn -----------------------------------------------------------------------------------------------

static void begin_share(struct mg_store_part *p) {
    p->cost = p->steps = 0;
    if (p->loop == NULL) return;
    uint64_t now = mg_loop_clock(p->loop);
    if (p->late_at == 0) p->late_at = now + 3 * MG_PART_SHARE;
    p->spent_at = now + (now < p->late_at ? MG_PART_SHARE : MG_PART_SHARE / 4);
}

bool mg_part_spent(struct mg_store_part *p, uint32_t cost) {
    if (p->loop == NULL || p->closed) return false;
    if (p->store->o.steps && ++p->steps >= p->store->o.steps) return true;
    p->cost += cost;
    if (p->cost < LOOK_EVERY) return false;
    p->cost = 0;
    return mg_loop_clock(p->loop) >= p->spent_at;
}

static bool open_one(struct mg_store_part *p) {
    struct mg_mail *m = p->opened;
    if (m == NULL) return false;
    p->opened = m->next;
    struct mg_parcel *parcel = (struct mg_parcel *)(void *)m;
    parcel->arrived(parcel);
    return true;
}

// What has come. One after the other: what is left is older than what comes meanwhile.
static bool open_some(struct mg_store_part *p) {
    if (p->opened == NULL) p->opened = mg_mailbox_drain(&p->inbox.box);
    begin_share(p);
    if (!open_one(p)) return false;
    while (!mg_part_spent(p, LOOK_EVERY) && open_one(p)) continue;
    return true;
}

void mg_part_open_all(struct mg_store_part *p) {
    do {
        while (open_one(p)) continue;
        p->opened = mg_mailbox_drain(&p->inbox.box);
    } while (p->opened);
}

bool mg_store_part_turn(struct mg_store_part *p) {
    p->late_at = 0;
    begin_share(p);
    mg_part_free_garbage(p);
    mg_mailbox_awake(&p->inbox.box);
    bool had = open_some(p);
    send_unsent(p);
    pump(p);
    bool more = false;
    if (!mg_list_empty(&p->aging)) {
        begin_share(p);
        more = mg_limits_age(p);
    }
    if (!may_wait(p)) mg_part_submit(p);
    mg_part_look_up(p);
    const uint64_t durable = MG_PLANTED(early_ack) ? p->batch : p->durable;
    bool gave = give_ready(p, &p->at_once, 0);
    gave |= give_ready(p, &p->results, durable);
    tell_visible(p);
    begin_share(p);
    mg_reads_release(p, given(p, durable));
    begin_share(p);
    more |= mg_seal_step(p) || mg_swap_step(p);
    // From here on who posts rings; what came just before means another turn.
    return had || gave || more || p->pump || p->opened || !mg_mailbox_sleep(&p->inbox.box, MG_ASLEEP);
}

static void ring(void *arg) {
    struct mg_store_part *p = arg;
    mg_loop_wake(p->loop);
}

void mg_store_part_start(struct mg_store_part *p, struct mg_loop *loop, struct mg_wheel *wheel) {
    p->loop = loop;
    p->wheel = wheel;
    mg_timer_init(&p->patience, lost_patience);
    mg_timer_init(&p->note, noted);
    start_clock(p);
    p->inbox.ring = ring;
    p->inbox.arg = p;
    for (struct mg_stream *s = mg_stream_next(p, NULL); s; s = mg_stream_next(p, s)) {
        mg_stream_sum(s); // as the recovery has left it
        mg_head_advance(s);
        mg_limits_resume(s); // a crash may have come between limits and what they remove
        mg_stream_arm_age(s);
    }
}

bool mg_store_part_stop(struct mg_store_part *p) {
    p->stopping = true;
    // The shard's own turn may be over. It has to have another one when there is more to do: nobody rings for that.
    if (mg_store_part_turn(p) && p->loop) mg_loop_wake(p->loop);
    if (p->jobs_out > 0 || p->at_once.len > 0 || p->opened) return false;
    // On a full disk what was not written yet is not waited for: nobody was told about it.
    bool hopeless = is_full(p) || atomic_load(&p->store->stuck);
    if (!hopeless && (p->batches_out > 0 || (p->results.len > 0 && !p->poisoned))) return false;
    if (p->wheel && mg_timer_active(&p->patience)) mg_timer_stop(p->wheel, &p->patience);
    return true;
}
