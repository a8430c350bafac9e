// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What survives of a consumer, as rows of its stream:
//
//     c/<name>          version, flags, numbers (struct mg_js_row_head), configuration as JSON without what most have
//                       the same
//     s/<name>          version, generation, highest slot, snapshot of the state
//     d/<name>/<slot>   generation, changes (state.h) since the row before
//
// A turn writes the changes of a consumer as one row, whatever their number, and while two rows are under way the
// changes of several turns are collected for the next. The slots form a ring of MG_JS_SLOTS: when
// it is full, or the changes weigh more than the snapshot, a new snapshot of the next generation is written, and slots
// of older generations mean nothing: they need not be removed. Generations begin with the time of creation, so that a
// consumer of the same name never takes an older one's rows for its own.
//
// A row that nothing waits for is a note: it goes with the next commit, and need not be the reason for one.
// Frames that speak of a change (answers to acknowledgements, deliveries that max_deliver counts) are held until the
// row of their turn is durable; everything that comes behind a held delivery is held, too, to keep its order.
#include "jetstream/consumer/varint.h"
#include "jetstream/stream/member.h"

#include <stdio.h>

#include "server/base/errors.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

#define VERSION 1
#define CONFIG_VERSION 2 // 1: all of the configuration stands there
#define SNAPSHOT_LEAST 4096u // bytes of changes that are worth a new snapshot
#define WRITING_MAX 2u       // rows under way before changes are collected
#define HELD_MAX (8u << 20)  // bytes of answers that wait for one row

struct mg_js_hold {
    struct mg_js_wait wait;
    struct mg_list link;    // of the member's holds
    struct mg_js *js;
    struct mg_js_member *m; // NULL: it is gone
    bool ordered;           // it has deliveries
    struct mg_buf frames;   // of struct frame and their bytes
};

// How a row of version 1 began; little-endian, as all that is stored.
struct config_head_1 {
    uint8_t version, flags; // MG_JS_ROW_*
    uint8_t reserved[6];
    int64_t created, max_ack_pending, inactive_threshold;
};
_Static_assert(sizeof(struct config_head_1) == 32, "it is stored");

struct frame {
    size_t to, subject, reply, headers, payload; // bytes of each, one behind the other
};

// ---- frames that wait -----------------------------------------------------------------------------------------------

static struct mg_js_changes *changes_of(struct mg_js_member *m) {
    if (m->journal.changes == NULL) {
        m->journal.changes = mg_zalloc(sizeof(*m->journal.changes));
        mg_list_init(&m->journal.changes->holds);
    }
    return m->journal.changes;
}

static void free_changes(struct mg_js_member *m) {
    mg_buf_fini(&m->journal.changes->deltas);
    mg_free(m->journal.changes);
    m->journal.changes = NULL;
}

static struct mg_js_hold *hold_of(struct mg_js_member *m) {
    struct mg_js_changes *c = changes_of(m);
    if (c->hold) return c->hold;
    struct mg_js_hold *h = c->hold = mg_zalloc(sizeof(*h));
    h->js = m->stream->js;
    h->m = m;
    mg_list_push_back(&c->holds, &h->link);
    return h;
}

void mg_js_member_hold(struct mg_js_member *m, mg_slice to, mg_slice subject, mg_slice reply, mg_slice headers,
                       mg_slice payload, bool delivery) {
    struct mg_js_hold *h = hold_of(m);
    // The disk has not moved for long: who waits for this answer will ask again.
    if (!delivery && h->frames.len >= HELD_MAX) return;
    if (delivery && !h->ordered) {
        h->ordered = true;
        m->journal.changes->ordered++;
    }
    struct frame f = {to.n, to.p == subject.p ? 0 : subject.n, reply.n, headers.n, payload.n};
    mg_buf_add(&h->frames, &f, sizeof(f));
    mg_buf_add_slice(&h->frames, to);
    if (f.subject) mg_buf_add_slice(&h->frames, subject);
    if (reply.n) mg_buf_add_slice(&h->frames, reply);
    if (headers.n) mg_buf_add_slice(&h->frames, headers);
    if (payload.n) mg_buf_add_slice(&h->frames, payload);
}

static mg_slice take(mg_slice *from, size_t n) {
    mg_slice s = mg_slice_of(from->p, n);
    *from = mg_slice_of(from->p + n, from->n - n);
    return s;
}

static void send_frames(struct mg_js_hold *h) {
    mg_slice left = mg_buf_slice(&h->frames);
    while (left.n > 0) {
        struct frame f;
        memcpy(&f, left.p, sizeof(f));
        take(&left, sizeof(f));
        mg_slice to = take(&left, f.to), subject = take(&left, f.subject), reply = take(&left, f.reply);
        mg_slice headers = take(&left, f.headers), payload = take(&left, f.payload);
        mg_js_deliver(h->js, to, f.subject ? subject : to, reply, headers, payload);
    }
}

static void let_go(struct mg_js_hold *h) {
    if (h->m && h->ordered) h->m->journal.changes->ordered--;
    mg_list_remove(&h->link);
    mg_buf_fini(&h->frames);
    mg_free(h);
}

// One row less is under way.
static void written(struct mg_js_member *m) {
    m->journal.changes->writing--;
    if (m->journal.changes->writing == 0 && !mg_js_member_changed(m)) free_changes(m);
}

static void recorded(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r) {
    struct mg_js_hold *h = mg_container_of(w, struct mg_js_hold, wait);
    (void)s;
    // Whoever was refused hears nothing: what is not recorded has not happened.
    if (r && r->err == 0) send_frames(h);
    struct mg_js_member *m = h->m;
    let_go(h);
    if (m == NULL) return;
    written(m);
    if (mg_js_member_changed(m)) mg_js_member_wake(m);
    else mg_js_sleep_consider(m); // it could not while something was under way
}

void mg_js_member_unhold(struct mg_js_member *m) {
    struct mg_js_changes *c = m->journal.changes;
    if (c == NULL) return;
    while (!mg_list_empty(&c->holds)) {
        struct mg_js_hold *h = mg_container_of(c->holds.next, struct mg_js_hold, link);
        mg_list_remove(&h->link);
        h->m = NULL;
        if (h == c->hold) let_go(h); // it is not written yet: there will be no result
    }
    free_changes(m);
}

// ---- writing --------------------------------------------------------------------------------------------------------

static mg_slice key_of(const struct mg_js_member *m, char kind, struct mg_buf *out) {
    return mg_js_rows_key(kind, mg_js_member_name(m), m->journal.slot, out);
}

// A row of the state. Where nothing is held until it is durable, it need not be the reason for a commit.
static int put_state(struct mg_js_member *m, char kind, const struct mg_buf *value, struct mg_js_hold *h) {
    struct mg_buf key = MG_BUF_INIT;
    struct mg_stream *store = m->stream->store;
    mg_slice k = key_of(m, kind, &key), v = mg_buf_slice(value);
    void *ctx = h ? &h->wait : NULL;
    int err = h && h->frames.len ? mg_stream_row_put(store, k, v, ctx) : mg_stream_row_note(store, k, v, ctx);
    mg_buf_fini(&key);
    return err;
}

static int put_row(struct mg_js_member *m, char kind, const struct mg_buf *value, void *ctx) {
    struct mg_buf key = MG_BUF_INIT;
    int err = mg_stream_row_put(m->stream->store, key_of(m, kind, &key), mg_buf_slice(value), ctx);
    mg_buf_fini(&key);
    return err;
}

void mg_js_member_record(struct mg_js_member *m, const struct mg_js_delta *d) {
    const struct mg_js_journal *j = &m->journal;
    if (!m->persistent) return;
    struct mg_js_changes *c = changes_of(m);
    if (c->whole) return;
    mg_js_delta_encode(&c->coder, &c->deltas, d);
    if (j->since + c->deltas.len <= j->snapshot + 2 * (size_t)SNAPSHOT_LEAST) return;
    c->whole = true;
    c->deltas.len = 0;
}

bool mg_js_member_changed(const struct mg_js_member *m) {
    const struct mg_js_changes *c = m->journal.changes;
    return c && (c->hold || c->whole || c->deltas.len > 0);
}

static int write_snapshot(struct mg_js_member *m, struct mg_js_hold *h) {
    struct mg_js_journal *j = &m->journal;
    struct mg_buf value = MG_BUF_INIT;
    uint64_t generation = j->generation + (MG_PLANTED(same_generation) ? 0 : 1);
    mg_buf_addc(&value, VERSION);
    mg_buf_addc(&value, (char)j->used);
    mg_buf_add(&value, &generation, sizeof(generation));
    mg_js_state_encode(mg_js_consumer_state(m->c), &value);
    int err = put_state(m, 's', &value, h);
    if (err == 0) {
        j->generation = generation;
        j->slot = 0;
        j->since = 0;
        j->snapshot = (uint32_t)value.len;
    }
    mg_buf_fini(&value);
    return err;
}

static int write_deltas(struct mg_js_member *m, struct mg_js_hold *h) {
    struct mg_js_journal *j = &m->journal;
    struct mg_buf value = MG_BUF_INIT;
    mg_buf_add(&value, &j->generation, sizeof(j->generation));
    mg_buf_add_slice(&value, mg_buf_slice(&j->changes->deltas));
    int err = put_state(m, 'd', &value, h);
    if (err == 0) {
        j->since += (uint32_t)value.len;
        if (++j->slot > j->used) j->used = j->slot;
    }
    mg_buf_fini(&value);
    return err;
}

static int write_changes(struct mg_js_member *m, struct mg_js_hold *h) {
    const struct mg_js_journal *j = &m->journal;
    struct mg_js_changes *c = j->changes;
    bool full = c->whole || j->slot == MG_JS_SLOTS || j->since + c->deltas.len > j->snapshot + (size_t)SNAPSHOT_LEAST;
    int err = full ? write_snapshot(m, h) : write_deltas(m, h);
    c->whole = false;
    c->deltas.len = 0;
    c->coder = (struct mg_js_delta_coder){0};
    if (c->deltas.cap > SNAPSHOT_LEAST) mg_buf_fini(&c->deltas);
    return err;
}

void mg_js_member_flush(struct mg_js_member *m) {
    struct mg_js_changes *c = m->journal.changes;
    if (!mg_js_member_changed(m)) return;
    mg_js_retention_settle(m->stream->members); // what is removed for these changes goes before them (retention.c)
    struct mg_js_hold *h = hold_of(m);
    c->hold = NULL;
    c->writing++;
    mg_js_wait(m->stream->js, &h->wait, recorded);
    if ((!c->whole && c->deltas.len == 0) || (h->frames.len && MG_PLANTED(late_row))) {
        mg_stream_barrier(m->stream->store, &h->wait);
    } else if (write_changes(m, h) != 0) {
        mg_js_wait_cancel(&h->wait);
        let_go(h);
        written(m);
    }
}

void mg_js_member_write(struct mg_js_member *m) {
    // What is held must not wait for notes: it takes them along.
    const struct mg_js_changes *c = m->journal.changes;
    if (c && c->writing < WRITING_MAX + (c->hold != NULL)) mg_js_member_flush(m);
}

uint8_t mg_js_member_row_flags(const struct mg_js_member *m) {
    const struct mg_js_consumer_config *c = &m->terms->config;
    bool quiet = !mg_js_consumer_is_push(c) && c->inactive_threshold == 0 && c->replay_policy == MG_JS_REPLAY_INSTANT;
    bool no_acks = c->ack_policy == MG_JS_ACK_NONE || c->ack_policy == MG_JS_ACK_FLOW_CONTROL;
    return (uint8_t)((quiet ? MG_JS_ROW_QUIET : 0) | (c->direct || c->sourcing ? MG_JS_ROW_HIDDEN : 0) |
                     (no_acks ? MG_JS_ROW_NO_ACKS : 0) | (m->own.named ? MG_JS_ROW_NAMED : 0) |
                     (m->own.durable ? MG_JS_ROW_DURABLE : 0));
}

int mg_js_member_store_config(struct mg_js_member *m, void *ctx) {
    struct mg_buf value = MG_BUF_INIT;
    struct mg_jw w;
    mg_buf_addc(&value, CONFIG_VERSION);
    mg_buf_addc(&value, (char)mg_js_member_row_flags(m));
    mg_varint_add(&value, mg_zigzag(m->created));
    mg_varint_add(&value, mg_zigzag(m->terms->config.max_ack_pending));
    mg_varint_add(&value, mg_zigzag(m->terms->config.inactive_threshold));
    struct mg_js_consumer_config config = mg_js_member_config(m);
    if (m->own.named) config.name = mg_slice_of(NULL, 0);
    if (m->own.durable) config.durable_name = mg_slice_of(NULL, 0);
    mg_jw_init(&w, &value, 0);
    mg_js_consumer_store(&config, &w);
    int err = put_row(m, 'c', &value, ctx);
    mg_buf_fini(&value);
    return err;
}

int mg_js_member_store_state(struct mg_js_member *m) { return write_snapshot(m, NULL); }

int mg_js_member_erase(struct mg_js_member *m, void *ctx) {
    struct mg_stream *store = m->stream->store;
    struct mg_buf key = MG_BUF_INIT;
    int err = 0;
    if (!m->persistent) {
        if (ctx) mg_stream_barrier(store, ctx);
        return 0;
    }
    // Without its configuration a consumer does not exist: that row goes last, and its result is the answer.
    for (m->journal.slot = 0; m->journal.slot < m->journal.used && err == 0; m->journal.slot++)
        err = mg_stream_row_delete(store, key_of(m, 'd', &key), NULL);
    if (err == 0) err = mg_stream_row_delete(store, key_of(m, 's', &key), NULL);
    if (err == 0) err = mg_stream_row_delete(store, key_of(m, 'c', &key), ctx);
    mg_buf_fini(&key);
    return err;
}

// ---- reading --------------------------------------------------------------------------------------------------------

static void complain(const struct mg_js_stream *s, mg_slice consumer, const char *what) {
    mg_slice name = mg_js_stream_name(s);
    mg_log_err(s->js->log, "JetStream: consumer %.*s of stream %.*s: %s", (int)consumer.n, consumer.p, (int)name.n,
               name.p, what);
}

static bool read_head_1(mg_slice value, struct mg_js_row_head *out) {
    struct config_head_1 head;
    if (value.n < sizeof(head)) return false;
    memcpy(&head, value.p, sizeof(head));
    *out = (struct mg_js_row_head){head.flags, head.created, head.max_ack_pending, head.inactive_threshold, true,
                                   mg_slice_of(value.p + sizeof(head), value.n - sizeof(head))};
    return true;
}

bool mg_js_rows_head(mg_slice value, struct mg_js_row_head *out) {
    if (value.n < 2) return false;
    if (value.p[0] == 1) return read_head_1(value, out);
    struct mg_varint_reader r = {value.p + 2, value.p + value.n, value.p[0] != CONFIG_VERSION};
    *out = (struct mg_js_row_head){.flags = (uint8_t)value.p[1]};
    out->created = mg_unzigzag(mg_varint_next(&r));
    out->max_ack_pending = mg_unzigzag(mg_varint_next(&r));
    out->inactive_threshold = mg_unzigzag(mg_varint_next(&r));
    out->config = mg_slice_of(r.p, (size_t)(r.end - r.p));
    return !r.bad;
}

int mg_js_stored_config(struct mg_js_stored *st, mg_slice name, mg_slice value) {
    struct mg_js_row_head head;
    if (!mg_js_rows_head(value, &head)) return MG_ECORRUPT;
    st->created = head.created;
    int err = mg_js_consumer_load(&st->config, head.config, head.whole);
    if (err == 0 && head.flags & MG_JS_ROW_NAMED) mg_string_set(&st->config.name, name);
    if (err == 0 && head.flags & MG_JS_ROW_DURABLE) mg_string_set(&st->config.durable_name, name);
    return err;
}

int mg_js_stored_snapshot(struct mg_js_stored *st, mg_slice value) {
    const size_t head = 2 + sizeof(uint64_t);
    if (value.n < head || value.p[0] != VERSION) return MG_ECORRUPT;
    int err = mg_js_state_decode(&st->state, mg_slice_of(value.p + head, value.n - head));
    if (err != 0) return err;
    st->has_state = true;
    st->used = (uint8_t)value.p[1];
    st->snapshot = value.n;
    memcpy(&st->generation, value.p + 2, sizeof(uint64_t));
    return 0;
}

bool mg_js_stored_deltas(struct mg_js_stored *st, unsigned slot, mg_slice value, bool *damaged) {
    uint64_t generation;
    if (slot >= st->used) st->used = slot + 1;
    if (!st->has_state || value.n < sizeof(generation)) return false;
    memcpy(&generation, value.p, sizeof(generation));
    if (generation != st->generation || slot != st->slot) return false;
    mg_slice deltas = mg_slice_of(value.p + sizeof(generation), value.n - sizeof(generation));
    if (mg_js_state_replay(&st->state, deltas) != 0) *damaged = true;
    st->slot++;
    st->since += value.n;
    return true;
}

void mg_js_stored_fini(struct mg_js_stored *st) {
    mg_js_consumer_fini(&st->config);
    if (st->has_state) mg_js_state_fini(&st->state);
}

mg_slice mg_js_rows_key(char kind, mg_slice name, unsigned slot, struct mg_buf *out) {
    out->len = 0;
    mg_buf_addc(out, kind);
    mg_buf_addc(out, '/');
    mg_buf_add_slice(out, name);
    if (kind == 'd') mg_buf_addf(out, "/%02u", slot);
    return mg_buf_slice(out);
}

struct mg_js_member *mg_js_member_revive(struct mg_js_stream *s, mg_slice name, struct mg_js_stored *st,
                                         const struct mg_js_consumer_past *past) {
    struct mg_stream_state now = {.first = 1};
    if (mg_stream_state(s->store, &now) != 0) now.first = 0;
    struct mg_js_member *m = mg_js_member_new(s, name, &st->config, st->created);
    bool fresh = !st->has_state;
    if (fresh) {
        complain(s, name, "its state cannot be read: it begins anew");
        mg_js_state_init(&st->state, now.first ? now.first : 1, m->terms->config.ack_policy == MG_JS_ACK_NONE);
    } else {
        m->journal.generation = st->generation;
    }
    m->journal.slot = (uint8_t)st->slot;
    m->journal.used = (uint8_t)st->used;
    m->journal.since = (uint32_t)st->since;
    m->journal.snapshot = (uint32_t)st->snapshot;
    st->has_state = false;
    if (MG_PLANTED(floor_back)) st->state.floor = (struct mg_js_pair){0, 0};
    mg_js_member_begin(m, &st->state);
    if (past) mg_js_consumer_recall(m->c, mg_js_member_now(m), past);
    if (fresh) mg_js_member_store_state(m);
    s->js->inside++;
    if (now.first) mg_js_consumer_trim(m->c, mg_js_member_now(m), now.first);
    s->js->inside--;
    mg_js_member_serve(m);
    return m;
}

// ---- all of a stream, at the start ----------------------------------------------------------------------------------

struct named {
    struct mg_js_stored st;
    mg_slice name; // owned
};

struct loading {
    struct mg_js_stream *stream;
    struct named *v; // in the order of their names, as rows come
    size_t n, cap, at;
};

static bool load_config(void *arg, mg_slice key, mg_slice value) {
    struct loading *l = arg;
    struct mg_js_stored st = {.created = 0};
    struct mg_js_row_head head;
    mg_slice name = mg_slice_of(key.p + 2, key.n - 2);
    if (mg_js_rows_head(value, &head) && mg_js_sleeps_from_start(l->stream, &head)) {
        mg_js_sleeper_new(l->stream, name, &head);
        return true;
    }
    if (mg_js_stored_config(&st, name, value) != 0) {
        complain(l->stream, name, "its configuration cannot be read: it stays as it is, out of service");
        return true;
    }
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->v = mg_realloc(l->v, l->cap * sizeof(l->v[0]));
    }
    l->v[l->n++] = (struct named){st, mg_slice_of(mg_slice_dup(name), name.n)};
    return true;
}

// Rows come in the order of names, so the one that is meant stands at or behind the last one.
static struct mg_js_stored *stored_of(struct loading *l, mg_slice name) {
    while (l->at < l->n && mg_slice_cmp(l->v[l->at].name, name) < 0) l->at++;
    return l->at < l->n && mg_slice_eq(l->v[l->at].name, name) ? &l->v[l->at].st : NULL;
}

static bool load_snapshot(void *arg, mg_slice key, mg_slice value) {
    struct mg_js_stored *st = stored_of(arg, mg_slice_of(key.p + 2, key.n - 2));
    if (st) mg_js_stored_snapshot(st, value);
    return true;
}

// d/<name>/<slot>: the slash makes these names come in another order than the others.
static bool load_deltas(void *arg, mg_slice key, mg_slice value) {
    struct loading *l = arg;
    if (key.n < 6) return true;
    mg_slice name = mg_slice_of(key.p + 2, key.n - 5);
    if (l->at == l->n || !mg_slice_eq(l->v[l->at].name, name)) {
        size_t lo = 0, hi = l->n;
        while (lo < hi) {
            size_t mid = lo + (hi - lo) / 2;
            if (mg_slice_cmp(l->v[mid].name, name) < 0) lo = mid + 1;
            else hi = mid;
        }
        l->at = lo;
    }
    if (l->at == l->n || !mg_slice_eq(l->v[l->at].name, name)) return true;
    bool damaged = false;
    unsigned slot = (unsigned)(key.p[key.n - 2] - '0') * 10 + (unsigned)(key.p[key.n - 1] - '0');
    if (slot < MG_JS_SLOTS) mg_js_stored_deltas(&l->v[l->at].st, slot, value, &damaged);
    if (damaged) complain(l->stream, name, "a change of its state cannot be read");
    return true;
}

static int list(struct loading *l, const char *prefix, bool (*each)(void *, mg_slice, mg_slice)) {
    l->at = 0;
    return mg_stream_rows(l->stream->store, mg_cstr(prefix), mg_slice_of(NULL, 0), each, l);
}

void mg_js_rows_load(struct mg_js_stream *s) {
    struct loading l = {.stream = s};
    int err = list(&l, "c/", load_config);
    if (l.n && list(&l, "s/", load_snapshot) != 0) err = MG_EIO;
    if (l.n && list(&l, "d/", load_deltas) != 0) err = MG_EIO;
    if (err != 0) complain(s, MG_S("*"), "some rows cannot be read");
    for (size_t i = 0; i < l.n; i++) {
        mg_js_member_revive(s, l.v[i].name, &l.v[i].st, NULL);
        mg_js_stored_fini(&l.v[i].st);
        mg_free((char *)(uintptr_t)l.v[i].name.p);
    }
    mg_free(l.v);
}
