// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// One consumer of a stream: from its configuration to the rules of the state machine, and from what that does to
// frames, rows and removals. Effects of one call happen at once, except those that wait for the row of this turn
// (rows.c); whatever follows from it, reading, writing, timers, is done once in the stream's turn.
#include "jetstream/request/request.h"
#include "jetstream/stream/member.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/router/hash.h"

#define DEFAULT_INACTIVE INT64_C(5000000000) // spec 4
#define BURST (UINT64_C(1) << 20) // of a rate limit, in bytes, where the stream does not bound its messages

static const mg_slice none = {"", 0};

// ---- rules ----------------------------------------------------------------------------------------------------------

// `>` is everything, and needs no look at the subject.
static unsigned list_filters(const struct mg_js_consumer_config *c, mg_slice *out) {
    unsigned n = 0;
    for (size_t i = 0; i < mg_js_consumer_filters(c); i++) {
        out[n] = mg_js_consumer_filter(c, i);
        if (mg_slice_eq(out[n++], MG_S(">"))) return 0;
    }
    return n;
}

// spec 4: pull, and whoever did not ask for a time
static bool jitters(const struct mg_js_consumer_config *c) {
    bool chose = mg_js_consumer_is_durable(c) || c->inactive_threshold != DEFAULT_INACTIVE;
    return !mg_js_consumer_is_push(c) || !chose;
}

static struct mg_js_consumer_rules *make_rules(const struct mg_js_stream *s, const struct mg_js_consumer_config *c) {
    int64_t size = s->config.max_msg_size;
    struct mg_js_consumer_rules *r = mg_alloc(sizeof(*r) + mg_js_consumer_filters(c) * sizeof(mg_slice));
    mg_slice *filters = (mg_slice *)(void *)(r + 1);
    *r = (struct mg_js_consumer_rules){
        .deliver = (enum mg_js_deliver_policy)c->deliver_policy,
        .start_seq = c->opt_start_seq,
        .start_time = c->opt_start_time.set ? mg_js_time_ns(c->opt_start_time) : 0,
        .ack = (enum mg_js_ack_policy)c->ack_policy,
        .ack_wait = c->ack_wait,
        .backoff = c->backoff.v,
        .backoff_len = (unsigned)c->backoff.n,
        .max_deliver = c->max_deliver,
        .max_ack_pending = c->max_ack_pending,
        .filters = filters,
        .filters_len = list_filters(c, filters),
        .replay_original = c->replay_policy == MG_JS_REPLAY_ORIGINAL,
        .headers_only = c->headers_only,
        .sample = (int)mg_js_consumer_sample_percent(c),
        .pause_until = c->pause_until.set && !mg_js_time_is_zero(c->pause_until) ? mg_js_time_ns(c->pause_until) : 0,
        .inactive_after = c->inactive_threshold,
        .inactive_jitter = jitters(c),
        .deliver_subject = c->deliver_subject,
        .rate_limit = c->rate_limit_bps,
        .rate_burst = size > 0 ? (uint64_t)size : BURST,
        .flow_control = c->flow_control,
        .idle_heartbeat = c->idle_heartbeat,
        .max_waiting = c->max_waiting > UINT32_MAX ? UINT32_MAX : (uint32_t)c->max_waiting,
        .max_batch = c->max_batch,
        .max_expires = c->max_expires,
        .max_bytes = c->max_bytes,
        .priority = (enum mg_js_priority_policy)c->priority_policy,
        .groups = c->priority_groups.v,
        .groups_len = (unsigned)c->priority_groups.n,
        .pin_timeout = c->priority_timeout,
    };
    return r;
}

// ---- effects --------------------------------------------------------------------------------------------------------

static void op_record(void *app, const struct mg_js_delta *d) { mg_js_member_record(app, d); }

static void op_deliver(void *app, const struct mg_js_delivery *d) {
    struct mg_js_member *m = app;
    if (m->persistent && (d->after_record || m->journal.ordered)) {
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
    if (m->persistent && (answer || m->journal.ordered)) mg_js_member_hold(m, to, to, reply, headers, none, !answer);
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

static const struct mg_js_consumer_ops ops = {op_record,   op_deliver, op_send,  op_done,
                                              op_interest, op_notice,  op_random};

// ---- the index of filters -------------------------------------------------------------------------------------------

static struct mg_sub *index_add(struct mg_js_member *m, mg_slice filter) {
    struct mg_sub *sub = mg_zalloc(mg_sub_size(filter.n, 0, 0));
    sub->owner = m;
    sub->subject_len = (uint16_t)filter.n;
    memcpy(sub->text, filter.p, filter.n);
    mg_sublist_insert(m->stream->members->index, sub, NULL);
    return sub;
}

static void enter_index(struct mg_js_member *m) {
    struct mg_js_members *ms = m->stream->members;
    m->nfilters = m->rules->filters_len;
    if (m->nfilters == 0) {
        mg_list_push_back(&ms->unfiltered, &m->others);
        return;
    }
    m->filters = mg_alloc(m->nfilters * sizeof(m->filters[0]));
    for (unsigned i = 0; i < m->nfilters; i++) m->filters[i] = index_add(m, m->rules->filters[i]);
    ms->nfiltered++;
}

static void leave_index(struct mg_js_member *m) {
    struct mg_js_members *ms = m->stream->members;
    mg_list_remove(&m->others);
    for (unsigned i = 0; i < m->nfilters; i++) {
        mg_sublist_remove(ms->index, m->filters[i], NULL);
        mg_free(m->filters[i]);
    }
    if (m->nfilters) ms->nfiltered--;
    mg_free(m->filters);
    m->filters = NULL;
    m->nfilters = 0;
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

struct mg_js_member *mg_js_member_new(struct mg_js_stream *s, mg_slice name, struct mg_js_consumer_config *config,
                                      int64_t created) {
    struct mg_js_members *ms = mg_js_members_of(s);
    struct mg_js_member *m = mg_zalloc(sizeof(*m) + name.n);
    m->stream = s;
    m->config = *config;
    *config = (struct mg_js_consumer_config){.durable_name = {NULL, 0}};
    m->created = created;
    m->persistent = s->config.storage == MG_JS_FILE && !m->config.mem_storage;
    m->journal.generation = (uint64_t)created;
    m->name_len = (uint32_t)name.n;
    memcpy(m->name, name.p, name.n);
    mg_list_init(&m->active);
    mg_list_init(&m->watch);
    mg_list_init(&m->others);
    mg_list_init(&m->idle);
    mg_list_init(&m->knowing);
    mg_list_init(&m->pulls);
    mg_list_init(&m->journal.holds);
    mg_timer_init(&m->timer, due);
    m->rules = make_rules(s, &m->config);
    mg_table_add(&ms->by_name, name_hash(s, name), m);
    ms->n++;
    ms->n_limited += is_limited(&m->config);
    ms->env.ops = &ops;
    return m;
}

void mg_js_member_begin(struct mg_js_member *m, struct mg_js_state *state) {
    struct mg_js *js = m->stream->js;
    js->inside++;
    m->c = mg_js_consumer_new(&m->stream->members->env, m->rules, mg_js_member_name(m), state, mg_js_now(js), m);
    js->inside--;
    enter_index(m);
    mg_js_member_restart(m);
}

void mg_js_member_serve(struct mg_js_member *m) {
    m->live = true;
    if (mg_js_consumer_is_push(&m->config)) {
        mg_js_watch_add(m);
        m->look_for_listeners = true;
    }
    mg_js_member_wake(m);
}

static void tell_nobody_waits(struct mg_js_member *m) {
    while (!mg_list_empty(&m->knowing)) {
        struct mg_js_knowing *k = mg_container_of(m->knowing.next, struct mg_js_knowing, link);
        mg_list_remove(&k->link);
        k->known(k, NULL);
    }
}

void mg_js_member_drop(struct mg_js_member *m) {
    struct mg_js_members *ms = m->stream->members;
    mg_assert(!m->dead);
    m->dead = true;
    m->live = false;
    mg_table_del(&ms->by_name, name_hash(m->stream, mg_js_member_name(m)), m);
    ms->n--;
    ms->n_limited -= is_limited(&m->config);
    if (m->c) leave_index(m);
    mg_js_watch_remove(m);
    mg_js_sleep_forget(m);
    mg_js_member_stop_reading(m);
    mg_timer_stop(mg_shard_wheel(m->stream->js->shard), &m->timer);
    tell_nobody_waits(m);
    mg_list_remove(&m->active);
    mg_list_push_back(&ms->dead, &m->active);
    mg_js_stream_busy(m->stream);
}

void mg_js_member_free(struct mg_js_member *m) {
    mg_list_remove(&m->active);
    while (!mg_list_empty(&m->pulls)) {
        struct mg_js_parcel *p = mg_container_of(m->pulls.next, struct mg_js_parcel, link);
        mg_list_remove(&p->link);
        mg_free(p);
    }
    mg_js_member_unhold(m);
    mg_js_consumer_free(m->c);
    mg_js_consumer_fini(&m->config);
    mg_free(m->rules);
    mg_buf_fini(&m->journal.deltas);
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

static bool same_filters(const struct mg_js_consumer_config *a, const struct mg_js_consumer_config *b) {
    bool same = mg_js_consumer_filters(a) == mg_js_consumer_filters(b);
    for (size_t i = 0; same && i < mg_js_consumer_filters(a); i++)
        same = mg_slice_eq(mg_js_consumer_filter(a, i), mg_js_consumer_filter(b, i));
    return same;
}

void mg_js_member_revise(struct mg_js_member *m, struct mg_js_consumer_config *config) {
    struct mg_js *js = m->stream->js;
    struct mg_js_consumer_config old = m->config;
    struct mg_js_consumer_rules *old_rules = m->rules;
    bool new_filters = !same_filters(&old, config);
    mg_js_watch_remove(m);
    leave_index(m);
    mg_js_member_stop_reading(m);
    m->config = *config;
    *config = (struct mg_js_consumer_config){.durable_name = {NULL, 0}};
    m->rules = make_rules(m->stream, &m->config);
    js->inside++;
    mg_js_consumer_revise(m->c, mg_js_now(js), m->rules, new_filters);
    js->inside--;
    enter_index(m);
    mg_js_member_restart(m);
    mg_js_consumer_fini(&old);
    mg_free(old_rules);
    if (mg_js_consumer_is_push(&m->config)) {
        mg_js_watch_add(m);
        m->look_for_listeners = true;
    }
    mg_js_member_wake(m);
    if (new_filters) mg_js_retention_sweep(m->stream);
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

struct mg_js_consumer_info mg_js_member_tell(struct mg_js_member *m) {
    struct mg_js *js = m->stream->js;
    struct mg_stream_state st = {.msgs = 0};
    if (mg_stream_state(m->stream->store, &st) != 0) st.msgs = st.last = UINT64_MAX - 1;
    js->inside++;
    struct mg_js_consumer_facts f = mg_js_consumer_facts(m->c, mg_js_now(js), st.msgs, st.last);
    js->inside--;
    return (struct mg_js_consumer_info){
        .stream = mg_js_stream_name(m->stream),
        .name = mg_js_member_name(m),
        .created = m->created,
        .config = &m->config,
        .version = js->o.version,
        .delivered = pair(f.delivered, f.last_delivered),
        .ack_floor = pair(f.floor, f.last_acked),
        .num_ack_pending = f.num_ack_pending,
        .num_redelivered = f.num_redelivered,
        .num_waiting = f.num_waiting,
        .num_pending = f.num_pending,
        // Before it serves, too: who reads that nobody listens would bind to it as well.
        .push_bound = f.push_bound || (!m->live && mg_js_consumer_is_push(&m->config) && mg_js_watch_listens(m)),
        .paused = f.paused,
        .pause_remaining = f.pause_remaining,
        .now = mg_js_wall(js),
        .pinned_client = f.pin_id,
        .pinned_time = f.pin_time,
    };
}
