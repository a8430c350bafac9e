// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// One consumer of a stream: what its state machine does becomes frames, rows and removals. Effects of one call happen
// at once, except those that wait for the row of this turn (rows.c); whatever follows from it, be it reading, writing
// or timers, is done once in the stream's turn.
#include "jetstream/request/request.h"
#include "jetstream/stream/member.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/router/hash.h"

#define BURST (UINT64_C(1) << 20) // of a rate limit, in bytes, where the stream does not bound its messages

static const mg_slice none = {"", 0};

// ---- effects --------------------------------------------------------------------------------------------------------

static void op_record(void *app, const struct mg_js_delta *d) { mg_js_member_record(app, d); }

// Deliveries are held: nothing may overtake them.
static bool held_back(const struct mg_js_member *m) { return m->journal.changes && m->journal.changes->ordered; }

static void op_deliver(void *app, const struct mg_js_delivery *d) {
    struct mg_js_member *m = app;
    if (m->persistent && (d->after_record || held_back(m))) {
        mg_js_member_hold(m, d->to, d->subject, d->reply, d->headers, d->payload, true);
        return;
    }
    if (mg_js_deliver(m->stream->js, d->to, d->subject, d->reply, d->headers, d->payload) > 0) return;
    struct mg_buf *to = &m->stream->members->bounce;
    to->len = 0;
    mg_buf_add_slice(to, d->to);
    m->bounced = d->seq;
}

static void op_send(void *app, mg_slice to, mg_slice reply, mg_slice headers) {
    struct mg_js_member *m = app;
    bool answer = headers.n == 0 && !MG_PLANTED(confirmed_at_once); // to an acknowledgement
    if (m->persistent && (answer || held_back(m))) mg_js_member_hold(m, to, to, reply, headers, none, !answer);
    else mg_js_publish(m->stream->js, to, reply, headers, none);
}

static void op_done(void *app, uint64_t seq) { mg_js_retention_done(app, seq); }

static enum mg_js_interest op_interest(void *app, mg_slice inbox) {
    struct mg_js_member *m = app;
    return mg_js_interest(m->stream->js, inbox) ? MG_JS_INTEREST_YES : MG_JS_INTEREST_NO;
}

static void op_notice(void *app, const struct mg_js_notice *n) {
    struct mg_js_member *m = app;
    if (n->kind == MG_JS_NOTICE_INACTIVE) m->expired = true;
    else mg_js_advise(m, n);
}

static uint64_t op_random(void *app) { return mg_shard_random(((struct mg_js_member *)app)->stream->js->shard); }

static bool op_matches(void *app, mg_slice subject) {
    return mg_js_own_matches(&((struct mg_js_member *)app)->own, subject);
}

static const struct mg_js_consumer_ops ops = {op_record,   op_deliver, op_send,   op_done,
                                              op_interest, op_notice,  op_random, op_matches};

// ---- the index of filters -------------------------------------------------------------------------------------------

static void enter_index(struct mg_js_member *m) {
    struct mg_js_members *ms = m->stream->members;
    mg_js_own_enter(&m->own, ms->index, &ms->unfiltered);
    ms->nfiltered += m->own.n > 0;
}

static void leave_index(struct mg_js_member *m) {
    struct mg_js_members *ms = m->stream->members;
    mg_js_own_leave(&m->own, ms->index);
    ms->nfiltered -= m->own.n > 0;
}

// ---- life -----------------------------------------------------------------------------------------------------------

static bool is_limited(const struct mg_js_consumer_config *c) { return !c->direct && !c->sourcing; }

static uint64_t name_hash(const struct mg_js_stream *s, mg_slice name) {
    (void)s;
    return mg_hash(name, 0x6d69646765u);
}

static inline bool is_named(const void *val, const void *key) {
    return mg_slice_eq(mg_js_member_name(val), *(const mg_slice *)key);
}

struct mg_js_member *mg_js_member_find(const struct mg_js_stream *s, mg_slice name) {
    if (s->members == NULL) return NULL;
    return mg_table_find(&s->members->by_name, name_hash(s, name), is_named, &name);
}

static void due(struct mg_timer *t) {
    struct mg_js_member *m = mg_container_of(t, struct mg_js_member, timer);
    mg_js_member_wake(m);
}

// config is moved.
static void take_config(struct mg_js_member *m, struct mg_js_consumer_config *config) {
    int64_t size = m->stream->config.max_msg_size;
    mg_js_own_take(&m->own, config, mg_js_member_name(m), m);
    m->terms = mg_js_terms_take(&m->stream->members->terms, config, m->own.durable, size > 0 ? (uint64_t)size : BURST);
}

struct mg_js_member *mg_js_member_new(struct mg_js_stream *s, mg_slice name, struct mg_js_consumer_config *config,
                                      int64_t created) {
    struct mg_js_members *ms = mg_js_members_of(s);
    struct mg_js_member *m = mg_zalloc(offsetof(struct mg_js_member, name.text) + name.n);
    m->stream = s;
    m->created = created;
    m->persistent = s->config.storage == MG_JS_FILE && !config->mem_storage;
    m->journal.generation = (uint64_t)created;
    m->name.len = (uint16_t)name.n;
    memcpy(m->name.text, name.p, name.n);
    mg_list_init(&m->active);
    mg_list_init(&m->watch);
    mg_timer_init(&m->timer, due);
    take_config(m, config);
    mg_table_add(&ms->by_name, name_hash(s, mg_js_member_name(m)), m);
    ms->n++;
    s->js->nconsumers++;
    ms->n_limited += is_limited(&m->terms->config);
    ms->env.ops = &ops;
    return m;
}

void mg_js_member_begin(struct mg_js_member *m, struct mg_js_state *state) {
    struct mg_js *js = m->stream->js;
    js->inside++;
    m->c = mg_js_consumer_new(&m->stream->members->env, &m->terms->rules, mg_js_member_name(m), state, mg_js_now(js),
                              m);
    js->inside--;
    enter_index(m);
    m->listed = is_limited(&m->terms->config); // without those that mirrors and sources use (spec 1)
    if (m->listed) mg_js_names_add(&m->stream->members->names, &m->name);
    mg_js_member_restart(m);
}

void mg_js_member_unlist(struct mg_js_member *m) {
    if (m->listed) mg_js_names_remove(&m->stream->members->names, &m->name);
    m->listed = false;
}

void mg_js_member_serve(struct mg_js_member *m) {
    m->live = true;
    if (mg_js_member_is_push(m)) {
        mg_js_watch_add(m);
        m->look_for_listeners = true;
    }
    mg_js_member_wake(m);
}

void mg_js_member_drop(struct mg_js_member *m) {
    struct mg_js_members *ms = m->stream->members;
    mg_assert(!m->dead);
    m->dead = true;
    m->live = false;
    mg_table_del(&ms->by_name, name_hash(m->stream, mg_js_member_name(m)), m);
    ms->n--;
    m->stream->js->nconsumers--;
    ms->n_limited -= is_limited(&m->terms->config);
    mg_js_member_unlist(m);
    if (m->c) leave_index(m);
    mg_js_watch_remove(m);
    mg_js_sleep_forget(m);
    mg_js_member_stop_reading(m);
    mg_timer_stop(mg_shard_wheel(m->stream->js->shard), &m->timer);
    mg_js_member_asked(m, NULL);
    mg_list_remove(&m->active);
    mg_list_push_back(&ms->dead, &m->active);
    mg_js_stream_busy(m->stream);
}

void mg_js_member_free(struct mg_js_member *m) {
    mg_list_remove(&m->active);
    mg_js_member_asked(m, NULL);
    mg_js_member_unhold(m);
    mg_js_consumer_free(m->c);
    mg_js_own_fini(&m->own);
    mg_js_terms_drop(&m->stream->members->terms, m->terms);
    mg_free(m);
}

int mg_js_member_delete(struct mg_js_member *m, void *ctx) {
    struct mg_js_stream *s = m->stream;
    struct mg_js *js = s->js;
    mg_js_member_flush(m); // acknowledgements that were taken are answered
    int err = mg_js_member_erase(m, ctx);
    if (err != 0) return err;
    js->inside++;
    if (m->c) mg_js_consumer_say_deleted(m->c);
    js->inside--;
    mg_js_advise_action(s, mg_js_member_name(m), false);
    mg_js_member_drop(m);
    mg_js_retention_sweep(s);
    return 0;
}

void mg_js_member_revise(struct mg_js_member *m, struct mg_js_consumer_config *config) {
    struct mg_js *js = m->stream->js;
    struct mg_js_terms *old_terms = m->terms;
    struct mg_js_own old = m->own;
    mg_js_watch_remove(m);
    leave_index(m);
    mg_js_member_stop_reading(m);
    take_config(m, config);
    bool new_filters = !mg_js_own_same_filters(&old, &m->own);
    js->inside++;
    mg_js_consumer_revise(m->c, mg_js_now(js), &m->terms->rules, new_filters);
    js->inside--;
    enter_index(m);
    mg_js_member_restart(m);
    mg_js_own_fini(&old);
    mg_js_terms_drop(&m->stream->members->terms, old_terms);
    if (mg_js_member_is_push(m)) {
        mg_js_watch_add(m);
        m->look_for_listeners = true;
    }
    mg_js_member_wake(m);
    if (!new_filters) return;
    m->refiltered = true;
    mg_js_retention_sweep(m->stream);
}

void mg_js_member_pause(struct mg_js_member *m, struct mg_js_time until) {
    struct mg_js *js = m->stream->js;
    struct mg_js_terms *old = m->terms;
    struct mg_js_consumer_config config;
    if (mg_js_time_same(old->config.pause_until, until)) return; // nothing to tell of either
    mg_js_consumer_copy(&config, &old->config);
    config.pause_until = until;
    mg_js_consumer_stamp(&config);
    m->terms = mg_js_terms_take(&m->stream->members->terms, &config, m->own.durable, old->rules.rate_burst);
    js->inside++;
    mg_js_consumer_pause(m->c, mg_js_now(js), &m->terms->rules);
    js->inside--;
    mg_js_terms_drop(&m->stream->members->terms, old);
    mg_js_member_wake(m);
}

// ---- what to do in the turn -----------------------------------------------------------------------------------------

void mg_js_member_wake(struct mg_js_member *m) {
    if (m->dead || m->c == NULL) return;
    if (mg_list_empty(&m->active)) mg_list_push_back(&m->stream->members->active, &m->active);
    mg_js_stream_busy(m->stream);
}

void mg_js_member_arm(struct mg_js_member *m) {
    struct mg_js *js = m->stream->js;
    int64_t at = m->live ? mg_js_consumer_deadline(m->c) : MG_JS_NEVER, now = mg_js_now(js);
    if (at == MG_JS_NEVER) {
        mg_timer_stop(mg_shard_wheel(js->shard), &m->timer);
        return;
    }
    uint64_t when = mg_shard_now(js->shard) + (at > now ? (uint64_t)(at - now) : 0);
    if (!mg_timer_active(&m->timer) || m->timer.at != when) mg_timer_at(js->shard, &m->timer, when);
}

// ---- from clients ---------------------------------------------------------------------------------------------------

void mg_js_member_pull(struct mg_js_member *m, mg_slice reply, mg_slice body) {
    struct mg_js *js = m->stream->js;
    js->inside++;
    mg_js_consumer_pull(m->c, mg_js_now(js), reply, body);
    js->inside--;
    mg_js_member_wake(m);
}

void mg_js_member_ack(struct mg_js_member *m, mg_slice subject, mg_slice reply, mg_slice payload) {
    struct mg_js *js = m->stream->js;
    js->inside++;
    mg_js_consumer_ack(m->c, mg_js_now(js), subject, reply, payload);
    js->inside--;
    mg_js_member_wake(m);
}

void mg_js_member_flow(struct mg_js_member *m, mg_slice subject) {
    struct mg_js *js = m->stream->js;
    js->inside++;
    mg_js_consumer_flow(m->c, mg_js_now(js), subject);
    js->inside--;
    mg_js_member_wake(m);
}

// ---- what is told ---------------------------------------------------------------------------------------------------

static struct mg_js_sequence_info pair(struct mg_js_pair p, int64_t active) {
    return (struct mg_js_sequence_info){p.dseq, p.seq, active ? active : INT64_MIN};
}

struct mg_js_consumer_info mg_js_member_tell(struct mg_js_member *m, struct mg_js_consumer_config *config) {
    struct mg_js *js = m->stream->js;
    struct mg_stream_state st = {.msgs = 0};
    if (mg_stream_state(m->stream->store, &st) != 0) st.msgs = st.last = UINT64_MAX - 1;
    js->inside++;
    struct mg_js_consumer_facts f = mg_js_consumer_facts(m->c, mg_js_now(js), st.msgs, st.last);
    js->inside--;
    *config = mg_js_member_config(m);
    return (struct mg_js_consumer_info){
        .stream = mg_js_stream_name(m->stream),
        .name = mg_js_member_name(m),
        .created = m->created,
        .config = config,
        .version = js->o.version,
        .delivered = pair(f.delivered, f.last_delivered),
        .ack_floor = pair(f.floor, f.last_acked),
        .num_ack_pending = f.num_ack_pending,
        .num_redelivered = f.num_redelivered,
        .num_waiting = f.num_waiting,
        .num_pending = f.num_pending,
        // Before it serves, too: who reads that nobody listens would bind to it as well.
        .push_bound = f.push_bound || (!m->live && mg_js_member_is_push(m) && mg_js_watch_listens(m)),
        .paused = f.paused,
        .pause_remaining = f.pause_remaining,
        .now = mg_js_wall(js),
        .pinned_client = f.pin_id,
        .pinned_time = f.pin_time,
    };
}
