// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What survives of a consumer, as rows of its stream:
//
//     c/<name>          version, time of creation, configuration as JSON
//     s/<name>          version, generation, highest slot, snapshot of the state
//     d/<name>/<slot>   generation, changes (state.h) since the row before
//
// A turn writes the changes of a consumer as one row, whatever their number. The slots form a ring of MG_JS_SLOTS: when
// it is full, or the changes weigh more than the snapshot, a new snapshot of the next generation is written, and slots
// of older generations mean nothing: they need not be removed. Generations begin with the time of creation, so that a
// consumer of the same name never takes an older one's rows for its own.
//
// Frames that speak of a change (answers to acknowledgements, deliveries that max_deliver counts) are held until the
// row of their turn is durable; everything that comes behind a held delivery is held, too, to keep its order.
#include "jetstream/stream/member.h"

#include <stdio.h>

#include "server/base/errors.h"
#include "server/base/log.h"
#include "server/base/mem.h"

#define VERSION 1
#define SNAPSHOT_LEAST 4096u // bytes of changes that are worth a new snapshot

struct mg_js_hold {
    struct mg_js_wait wait;
    struct mg_list link;    // of the member's holds
    struct mg_js *js;
    struct mg_js_member *m; // NULL: it is gone
    bool ordered;           // it has deliveries
    struct mg_buf frames;   // of struct frame and their bytes
};

struct frame {
    size_t to, subject, reply, headers, payload; // bytes of each, one behind the other
};

// ---- frames that wait -----------------------------------------------------------------------------------------------

void mg_js_member_hold(struct mg_js_member *m, mg_slice to, mg_slice subject, mg_slice reply, mg_slice headers,
                       mg_slice payload, bool delivery) {
    struct mg_js_hold *h = m->journal.hold;
    if (h == NULL) {
        h = m->journal.hold = mg_zalloc(sizeof(*h));
        h->js = m->stream->js;
        h->m = m;
        mg_list_push_back(&m->journal.holds, &h->link);
    }
    if (delivery && !h->ordered) {
        h->ordered = true;
        m->journal.ordered++;
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
    if (h->m && h->ordered) h->m->journal.ordered--;
    mg_list_remove(&h->link);
    mg_buf_fini(&h->frames);
    mg_free(h);
}

static void recorded(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r) {
    struct mg_js_hold *h = mg_container_of(w, struct mg_js_hold, wait);
    (void)s;
    // Whoever was refused hears nothing: what is not recorded has not happened.
    if (r && r->err == 0) send_frames(h);
    let_go(h);
}

void mg_js_member_unhold(struct mg_js_member *m) {
    while (!mg_list_empty(&m->journal.holds)) {
        struct mg_js_hold *h = mg_container_of(m->journal.holds.next, struct mg_js_hold, link);
        mg_list_remove(&h->link);
        h->m = NULL;
        if (h == m->journal.hold) let_go(h); // of this turn: nobody waits for it yet
    }
    m->journal.hold = NULL;
}

// ---- writing --------------------------------------------------------------------------------------------------------

static mg_slice key_of(const struct mg_js_member *m, char kind, struct mg_buf *out) {
    out->len = 0;
    mg_buf_addc(out, kind);
    mg_buf_addc(out, '/');
    mg_buf_add_slice(out, mg_js_member_name(m));
    if (kind == 'd') mg_buf_addf(out, "/%02u", m->journal.slot);
    return mg_buf_slice(out);
}

static int put_row(struct mg_js_member *m, char kind, const struct mg_buf *value, void *ctx) {
    struct mg_buf key = MG_BUF_INIT;
    int err = mg_stream_row_put(m->stream->store, key_of(m, kind, &key), mg_buf_slice(value), ctx);
    mg_buf_fini(&key);
    return err;
}

void mg_js_member_record(struct mg_js_member *m, const struct mg_js_delta *d) {
    if (m->persistent) mg_js_delta_encode(&m->journal.coder, &m->journal.deltas, d);
}

static int write_snapshot(struct mg_js_member *m, void *ctx) {
    struct mg_js_journal *j = &m->journal;
    struct mg_buf value = MG_BUF_INIT;
    uint64_t generation = j->generation + 1;
    mg_buf_addc(&value, VERSION);
    mg_buf_addc(&value, (char)j->used);
    mg_buf_add(&value, &generation, sizeof(generation));
    mg_js_state_encode(mg_js_consumer_state(m->c), &value);
    int err = put_row(m, 's', &value, ctx);
    if (err == 0) {
        j->generation = generation;
        j->slot = 0;
        j->since = 0;
        j->snapshot = value.len;
    }
    mg_buf_fini(&value);
    return err;
}

static int write_deltas(struct mg_js_member *m, void *ctx) {
    struct mg_js_journal *j = &m->journal;
    struct mg_buf value = MG_BUF_INIT;
    mg_buf_add(&value, &j->generation, sizeof(j->generation));
    mg_buf_add_slice(&value, mg_buf_slice(&j->deltas));
    int err = put_row(m, 'd', &value, ctx);
    if (err == 0) {
        j->since += value.len;
        if (++j->slot > j->used) j->used = j->slot;
    }
    mg_buf_fini(&value);
    return err;
}

static int write_changes(struct mg_js_member *m, void *ctx) {
    struct mg_js_journal *j = &m->journal;
    bool full = j->slot == MG_JS_SLOTS || j->since + j->deltas.len > j->snapshot + SNAPSHOT_LEAST;
    int err = full ? write_snapshot(m, ctx) : write_deltas(m, ctx);
    j->deltas.len = 0;
    j->coder = (struct mg_js_delta_coder){0};
    if (j->deltas.cap > SNAPSHOT_LEAST) mg_buf_fini(&j->deltas);
    return err;
}

void mg_js_member_flush(struct mg_js_member *m) {
    struct mg_js_journal *j = &m->journal;
    struct mg_js_hold *h = j->hold;
    void *ctx = NULL;
    if (h == NULL && j->deltas.len == 0) return;
    j->hold = NULL;
    if (h) {
        mg_js_wait(m->stream->js, &h->wait, recorded);
        ctx = &h->wait;
    }
    if (j->deltas.len == 0) {
        mg_stream_barrier(m->stream->store, ctx);
    } else if (write_changes(m, ctx) != 0 && h) {
        mg_js_wait_cancel(&h->wait);
        let_go(h);
    }
}

int mg_js_member_store_config(struct mg_js_member *m, void *ctx) {
    struct mg_buf value = MG_BUF_INIT;
    struct mg_jw w;
    mg_buf_addc(&value, VERSION);
    mg_buf_add(&value, &m->created, sizeof(m->created));
    mg_jw_init(&w, &value, 0);
    mg_js_consumer_write(&m->config, &w);
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

struct loading {
    struct mg_js_stream *stream;
    struct mg_js_member *m; // of the last row
    struct mg_js_member **members;
    size_t n, cap;
};

static void complain(const struct mg_js_stream *s, mg_slice consumer, const char *what) {
    mg_slice name = mg_js_stream_name(s);
    mg_log_err(s->js->log, "JetStream: consumer %.*s of stream %.*s: %s", (int)consumer.n, consumer.p, (int)name.n,
               name.p, what);
}

static mg_slice name_in(mg_slice key, char kind) {
    mg_slice name = mg_slice_of(key.p + 2, key.n - 2);
    if (kind == 'd') name.n = name.n > 3 ? name.n - 3 : 0;
    return name;
}

static bool load_config(void *arg, mg_slice key, mg_slice value) {
    struct loading *l = arg;
    struct mg_js_consumer_config config;
    int64_t created;
    const size_t head = 1 + sizeof(created);
    mg_slice name = name_in(key, 'c');
    if (value.n < head || value.p[0] != VERSION ||
        mg_js_consumer_load(&config, mg_slice_of(value.p + head, value.n - head)) != 0) {
        complain(l->stream, name, "its configuration cannot be read: it stays as it is, out of service");
        return true;
    }
    memcpy(&created, value.p + 1, sizeof(created));
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->members = mg_realloc(l->members, l->cap * sizeof(l->members[0]));
    }
    l->members[l->n++] = mg_js_member_new(l->stream, name, &config, created);
    return true;
}

static struct mg_js_member *loaded(struct loading *l, mg_slice name) {
    if (l->m == NULL || !mg_slice_eq(mg_js_member_name(l->m), name)) l->m = mg_js_member_find(l->stream, name);
    return l->m;
}

static bool load_snapshot(void *arg, mg_slice key, mg_slice value) {
    struct loading *l = arg;
    struct mg_js_member *m = loaded(l, name_in(key, 's'));
    struct mg_js_state state;
    const size_t head = 2 + sizeof(uint64_t);
    if (m == NULL) return true;
    if (value.n < head || value.p[0] != VERSION ||
        mg_js_state_decode(&state, mg_slice_of(value.p + head, value.n - head)) != 0) {
        complain(l->stream, mg_js_member_name(m), "its state cannot be read: it begins anew");
        return true;
    }
    m->journal.used = (uint8_t)value.p[1];
    m->journal.snapshot = value.n;
    memcpy(&m->journal.generation, value.p + 2, sizeof(uint64_t));
    m->loading = mg_alloc(sizeof(state));
    *m->loading = state;
    return true;
}

// Slots come in their order; the first one that is older than the snapshot ends it.
static bool load_deltas(void *arg, mg_slice key, mg_slice value) {
    struct loading *l = arg;
    struct mg_js_member *m = key.n > 5 ? loaded(l, name_in(key, 'd')) : NULL;
    uint64_t generation;
    if (m == NULL || m->loading == NULL || value.n < sizeof(generation)) return true;
    struct mg_js_journal *j = &m->journal;
    unsigned slot = (unsigned)(key.p[key.n - 2] - '0') * 10 + (unsigned)(key.p[key.n - 1] - '0');
    if (slot >= MG_JS_SLOTS) return true;
    if (slot >= j->used) j->used = slot + 1;
    memcpy(&generation, value.p, sizeof(generation));
    if (generation != j->generation || slot != j->slot) return true;
    if (mg_js_state_replay(m->loading, mg_slice_of(value.p + sizeof(generation), value.n - sizeof(generation))) != 0)
        complain(l->stream, mg_js_member_name(m), "a change of its state cannot be read");
    j->slot++;
    j->since += value.n;
    return true;
}

static void begin(struct loading *l, struct mg_js_member *m) {
    struct mg_js_state state;
    struct mg_stream_state st = {.first = 1};
    mg_stream_state(l->stream->store, &st);
    if (m->loading) state = *m->loading;
    else mg_js_state_init(&state, st.first ? st.first : 1, m->config.ack_policy == MG_JS_ACK_NONE);
    bool fresh = m->loading == NULL;
    mg_free(m->loading);
    m->loading = NULL;
    mg_js_member_begin(m, &state);
    if (fresh) mg_js_member_store_state(m);
    l->stream->js->inside++;
    if (st.first) mg_js_consumer_trim(m->c, mg_js_member_now(m), st.first);
    l->stream->js->inside--;
    mg_js_member_serve(m);
}

static int list(struct loading *l, const char *prefix, bool (*each)(void *, mg_slice, mg_slice)) {
    l->m = NULL;
    return mg_stream_rows(l->stream->store, mg_cstr(prefix), mg_slice_of(NULL, 0), each, l);
}

void mg_js_rows_load(struct mg_js_stream *s) {
    struct loading l = {.stream = s};
    int err = list(&l, "c/", load_config);
    if (l.n && list(&l, "s/", load_snapshot) != 0) err = MG_EIO;
    if (l.n && list(&l, "d/", load_deltas) != 0) err = MG_EIO;
    if (err != 0) complain(s, MG_S("*"), "some rows cannot be read");
    for (size_t i = 0; i < l.n; i++) begin(&l, l.members[i]);
    mg_free(l.members);
}
