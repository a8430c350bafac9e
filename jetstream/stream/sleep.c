// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Consumers that nobody uses. A hundred thousand of them must cost neither memory nor a look at each message, so only
// the IDLE_MAX that were used last stay awake without need; the others are their rows, and a struct mg_js_sleeper that
// holds the name. Those found at the start sleep from the start.
//
// Who is asked for wakes up: its rows are read, at once where they are in memory, and what came for it meanwhile is
// handled then. Only consumers that do nothing by themselves may sleep (no push, nobody waits), on streams that keep
// messages whatever consumers want.
#include "jetstream/request/request.h"
#include "jetstream/stream/member.h"
#include "server/base/errors.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/router/hash.h"

#define IDLE_MAX 1024u
#define PARCELS_MAX 65536u // messages that wait for one consumer; more are as if lost on their way
#define SEED 0x736c656570u

struct mg_js_waking {
    struct mg_js_reading rd;
    struct mg_js_sleeper *sl;
    struct mg_buf key;
    struct mg_js_stored st;
    enum { CONFIG, SNAPSHOT, DELTAS, AWAKE, BROKEN } stage;
    struct mg_list parcels;  // of struct mg_js_parcel
    unsigned nparcels;
    struct mg_list requests; // of struct mg_js_request, by wait.link
    struct mg_list tasks;    // of struct mg_js_task
};

// Of one that was awake before.
struct mg_js_memories {
    struct mg_js_sleeper *sl;
    struct mg_js_consumer_past past;
    struct mg_timer timer; // when it has to wake by itself
};

// ---- who sleeps -----------------------------------------------------------------------------------------------------

static inline bool is_named(const void *val, const void *key) {
    return mg_slice_eq(mg_js_sleeper_name(val), *(const mg_slice *)key);
}

struct mg_js_sleeper *mg_js_sleeper_find(const struct mg_js_stream *s, mg_slice name) {
    if (s->members == NULL) return NULL;
    return mg_table_find(&s->members->asleep, mg_hash(name, SEED), is_named, &name);
}

bool mg_js_sleeps_from_start(const struct mg_js_stream *s, const struct mg_js_row_head *head) {
    return s->config.retention == MG_JS_LIMITS && (head->flags & MG_JS_ROW_QUIET);
}

static void due(struct mg_timer *t) {
    struct mg_js_sleeper *sl = mg_container_of(t, struct mg_js_memories, timer)->sl;
    if (!sl->stream->deleting) mg_js_sleeper_wake(sl, NULL);
}

struct mg_js_sleeper *mg_js_sleeper_new(struct mg_js_stream *s, mg_slice name, const struct mg_js_row_head *head) {
    struct mg_js_members *ms = mg_js_members_of(s);
    struct mg_js_sleeper *sl = mg_zalloc(offsetof(struct mg_js_sleeper, name.text) + name.n);
    sl->stream = s;
    sl->max_ack_pending = head->max_ack_pending;
    sl->inactive_threshold = head->inactive_threshold;
    sl->flags = head->flags;
    sl->name.len = (uint16_t)name.n;
    memcpy(sl->name.text, name.p, name.n);
    mg_table_add(&ms->asleep, mg_hash(name, SEED), sl);
    mg_js_count(&s->js->tally->consumers, 1);
    if (head->flags & MG_JS_ROW_HIDDEN) return sl;
    ms->n_limited++;
    mg_js_names_add(&ms->names, &sl->name);
    return sl;
}

static void sleeper_remove(struct mg_js_sleeper *sl) {
    struct mg_js_members *ms = sl->stream->members;
    mg_table_del(&ms->asleep, mg_hash(mg_js_sleeper_name(sl), SEED), sl);
    mg_js_uncount(&sl->stream->js->tally->consumers);
    if (!(sl->flags & MG_JS_ROW_HIDDEN)) {
        ms->n_limited--;
        mg_js_names_remove(&ms->names, &sl->name);
    }
    if (sl->before) mg_timer_stop(mg_shard_wheel(sl->stream->js->shard), &sl->before->timer);
    mg_free(sl->before);
    mg_free(sl);
}

// ---- falling asleep -------------------------------------------------------------------------------------------------

static bool may_sleep(const struct mg_js_member *m) {
    const struct mg_js_stream *s = m->stream;
    if (s->deleting || s->config.retention != MG_JS_LIMITS) return false;
    return m->live && m->persistent && !m->more && !m->expired && m->held == 0 && !m->reading && m->count == NULL &&
           m->asking == NULL && m->journal.changes == NULL && m->bounced == 0 && mg_list_empty(&m->active) &&
           mg_js_consumer_dormant(m->c) && !mg_js_member_is_push(m);
}

// Most have never delivered anything, and wait for nothing.
static void remember(struct mg_js_sleeper *sl, const struct mg_js_member *m) {
    const struct mg_js_consumer_past past = mg_js_consumer_past(m->c);
    bool timed = mg_timer_active(&m->timer);
    if (!timed && !past.last_delivered && !past.last_acked && !past.paused && !sl->inactive_threshold) return;
    sl->before = mg_alloc(sizeof(*sl->before));
    sl->before->sl = sl;
    sl->before->past = past;
    mg_timer_init(&sl->before->timer, due);
    if (timed) mg_timer_at(m->stream->js->shard, &sl->before->timer, m->timer.at);
}

static void fall_asleep(struct mg_js_member *m) {
    const struct mg_js_row_head head = {.flags = mg_js_member_row_flags(m),
                                        .max_ack_pending = m->terms->config.max_ack_pending,
                                        .inactive_threshold = m->terms->config.inactive_threshold};
    mg_js_member_unlist(m);
    remember(mg_js_sleeper_new(m->stream, mg_js_member_name(m), &head), m);
    mg_js_member_drop(m);
}

void mg_js_sleep_forget(struct mg_js_member *m) {
    if (mg_js_member_is_push(m) || mg_list_empty(&m->watch)) return;
    mg_list_remove(&m->watch);
    m->stream->js->nidle--;
}

void mg_js_sleep_consider(struct mg_js_member *m) {
    struct mg_js *js = m->stream->js;
    mg_js_sleep_forget(m);
    if (!may_sleep(m)) return;
    mg_list_push_back(&js->idle, &m->watch);
    if (++js->nidle <= IDLE_MAX) return;
    struct mg_js_member *oldest = mg_container_of(js->idle.next, struct mg_js_member, watch);
    mg_js_sleep_forget(oldest);
    if (may_sleep(oldest)) fall_asleep(oldest);
}

// ---- waking up ------------------------------------------------------------------------------------------------------

static void waking_free(struct mg_js_waking *w) {
    mg_js_reading_end(&w->rd);
    mg_js_stored_fini(&w->st);
    mg_buf_fini(&w->key);
    mg_free(w);
}

// Requests are run again in this turn, tasks in the next one: they find it awake, or not at all.
static void run_waiting(struct mg_js *js, struct mg_js_waking *w) {
    mg_list_splice(&js->later, &w->requests);
    mg_list_splice(&js->tasks, &w->tasks);
}

static void give_parcels(struct mg_js_waking *w, struct mg_js_member *m) {
    while (!mg_list_empty(&w->parcels)) {
        struct mg_js_parcel *p = mg_container_of(w->parcels.next, struct mg_js_parcel, link);
        mg_list_remove(&p->link);
        if (m) mg_js_member_take(m, p);
        mg_free(p);
    }
}

static void complain(const struct mg_js_sleeper *sl, const char *what) {
    mg_slice name = mg_js_stream_name(sl->stream), consumer = mg_js_sleeper_name(sl);
    mg_log_err(sl->stream->js->log, "JetStream: consumer %.*s of stream %.*s: %s", (int)consumer.n, consumer.p,
               (int)name.n, name.p, what);
}

static void wake_up(struct mg_js_waking *w) {
    struct mg_js_sleeper *sl = w->sl;
    struct mg_js_stream *s = sl->stream;
    struct mg_js_member *m = NULL;
    struct mg_js_consumer_past past = {.used = 0};
    bool remembers = sl->before != NULL;
    if (remembers) past = sl->before->past;
    struct mg_buf name = MG_BUF_INIT;
    mg_buf_add_slice(&name, mg_js_sleeper_name(sl));
    if (w->stage == BROKEN) complain(sl, "its configuration cannot be read: it is out of service");
    sleeper_remove(sl);
    if (w->stage == AWAKE) m = mg_js_member_revive(s, mg_buf_slice(&name), &w->st, remembers ? &past : NULL);
    mg_buf_fini(&name);
    give_parcels(w, m);
    run_waiting(s->js, w);
    waking_free(w);
    mg_js_stream_busy(s);
}

static void take_row(struct mg_js_waking *w, const struct mg_read *r) {
    mg_slice value = r->err == 0 ? r->msg.payload : mg_slice_of(NULL, 0);
    mg_slice name = mg_js_sleeper_name(w->sl);
    bool damaged = false;
    switch (w->stage) {
    case CONFIG: w->stage = mg_js_stored_config(&w->st, name, value) == 0 ? SNAPSHOT : BROKEN; break;
    case SNAPSHOT: w->stage = mg_js_stored_snapshot(&w->st, value) == 0 ? DELTAS : AWAKE; break;
    case DELTAS:
        damaged = r->err != 0 && r->err != MG_ENOTFOUND;
        if (r->err != 0 || !mg_js_stored_deltas(&w->st, w->st.slot, value, &damaged) || w->st.slot == MG_JS_SLOTS)
            w->stage = AWAKE;
        if (damaged) complain(w->sl, "a change of its state cannot be read");
        break;
    case AWAKE:
    case BROKEN: break;
    }
}

static void go_on(struct mg_js_waking *w);

static void came(struct mg_js_reading *rd) {
    struct mg_js_waking *w = mg_container_of(rd, struct mg_js_waking, rd);
    take_row(w, &rd->r);
    go_on(w);
}

// The stream goes, and frees all.
static void gone(struct mg_js_reading *rd) { (void)rd; }

static void go_on(struct mg_js_waking *w) {
    static const char kinds[] = {[CONFIG] = 'c', [SNAPSHOT] = 's', [DELTAS] = 'd'};
    while (w->stage < AWAKE) {
        w->rd.r.kind = MG_READ_ROW;
        w->rd.r.key = mg_js_rows_key(kinds[w->stage], mg_js_sleeper_name(w->sl), w->st.slot, &w->key);
        w->rd.done = came;
        w->rd.gone = gone;
        if (mg_js_read(w->sl->stream, &w->rd) != 0) return;
        take_row(w, &w->rd.r);
    }
    wake_up(w);
}

static struct mg_js_waking *waking_of(struct mg_js_sleeper *sl, bool *begins) {
    *begins = sl->waking == NULL;
    if (*begins) {
        struct mg_js_waking *w = sl->waking = mg_zalloc(sizeof(*w));
        w->sl = sl;
        mg_list_init(&w->parcels);
        mg_list_init(&w->requests);
        mg_list_init(&w->tasks);
    }
    return sl->waking;
}

void mg_js_sleeper_wake(struct mg_js_sleeper *sl, struct mg_js_request *rq) {
    bool begins;
    struct mg_js_waking *w = waking_of(sl, &begins);
    if (rq) mg_list_push_back(&w->requests, &rq->wait.link);
    if (begins) go_on(w);
}

void mg_js_sleeper_wake_for(struct mg_js_sleeper *sl, struct mg_js_task *t) {
    bool begins;
    struct mg_js_waking *w = waking_of(sl, &begins);
    mg_list_push_back(&w->tasks, &t->link);
    if (begins) go_on(w);
}

void mg_js_sleeper_keep(struct mg_js_sleeper *sl, struct mg_js_parcel *p) {
    bool begins;
    struct mg_js_waking *w = waking_of(sl, &begins);
    if (w->nparcels == PARCELS_MAX) {
        mg_free(p);
        return;
    }
    w->nparcels++;
    mg_list_push_back(&w->parcels, &p->link);
    if (begins) go_on(w);
}

// ---- all of them ----------------------------------------------------------------------------------------------------

struct all {
    struct mg_js_sleeper **v;
    size_t n;
};

static void collect(void *ctx, void *val) {
    struct all *a = ctx;
    a->v[a->n++] = val;
}

static struct all all_of(const struct mg_js_members *ms) {
    struct all a = {mg_alloc((ms->asleep.count + 1) * sizeof(a.v[0])), 0};
    mg_table_each(&ms->asleep, collect, &a);
    return a;
}

void mg_js_sleepers_wake_all(struct mg_js_members *ms) {
    struct all a = all_of(ms);
    for (size_t i = 0; i < a.n; i++) mg_js_sleeper_wake(a.v[i], NULL);
    mg_free(a.v);
}

void mg_js_sleeper_free(struct mg_js_sleeper *sl) {
    struct mg_js_waking *w = sl->waking;
    if (w) {
        give_parcels(w, NULL);
        run_waiting(sl->stream->js, w);
        waking_free(w);
    }
    sleeper_remove(sl);
}

void mg_js_sleepers_free(struct mg_js_members *ms) {
    struct all a = all_of(ms);
    for (size_t i = 0; i < a.n; i++) mg_js_sleeper_free(a.v[i]);
    mg_free(a.v);
}
