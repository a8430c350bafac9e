// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The consumers of a stream together. One subscription each takes all pulls, acknowledgements and answers to flow
// control of the stream, and finds the consumer by its name; a name that is not there is not taken, so that a request
// hears that nobody answers (spec/jetstream-consumers.md 1).
//
// A turn of the stream: what arrived from inside is handled; new messages are told to those whose filters match (the
// index of filters: others do not notice); then so are removals; those with something to do deliver a slice each; what
// nobody needs any more is removed; and what has changed is written, one row a consumer.
#include "jetstream/stream/member.h"

#include <stdio.h>

#include "jetstream/request/request.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/proto/subject.h"

#define TOLD_SLICE 8192u    // new messages times members that are told of them in one turn
#define READ_WORTH 8u       // members, more or less: what it costs to read a message for its subject
#define WORK_SLICE 256u     // members that work in one turn
#define LEAVE_SLICE 64u     // consumers of a deleted stream that go in one turn
#define PULLS_MAX 4096u     // requests that wait for num_pending of one consumer
#define ACCOUNT "szMpdrwD"  // hash of the only account, $G (spec 7.2)

// ---- from clients ---------------------------------------------------------------------------------------------------

static mg_slice body_of(const struct mg_msg *m) {
    return mg_slice_of(m->payload.p + m->hdr_len, m->payload.n - m->hdr_len);
}

static mg_slice put(char **at, mg_slice from) {
    char *to = *at;
    if (from.n) memcpy(to, from.p, from.n);
    *at += from.n;
    return mg_slice_of(to, from.n);
}

// Its slices are the message's.
static struct mg_js_parcel parcel(enum mg_js_parcel_kind kind, mg_slice consumer, const struct mg_msg *msg) {
    return (struct mg_js_parcel){.kind = kind, .consumer = consumer, .subject = msg->subject, .reply = msg->reply,
                                 .body = body_of(msg)};
}

static struct mg_js_parcel *copy(const struct mg_js_parcel *from) {
    struct mg_js_parcel *p = mg_alloc(sizeof(*p) + from->consumer.n + from->subject.n + from->reply.n + from->body.n);
    char *at = p->text;
    p->kind = from->kind;
    p->consumer = put(&at, from->consumer);
    p->subject = put(&at, from->subject);
    p->reply = put(&at, from->reply);
    p->body = put(&at, from->body);
    return p;
}

// Who does not want to wait is told at once if there is nothing, so that has to be known. Others find out.
static bool needs_count(const struct mg_js_member *m, mg_slice body) {
    static const char word[] = "no_wait";
    return m->stale && body.n > sizeof(word) && memmem(body.p, body.n, word, sizeof(word) - 1) != NULL;
}

static bool pulls_wait(const struct mg_js_member *m) { return m->asking && m->asking->npulls > 0; }

void mg_js_member_take(struct mg_js_member *m, const struct mg_js_parcel *p) {
    if (p->kind == MG_JS_PULL) mg_js_members_catch_up(m->stream->members);
    if (p->kind == MG_JS_ACK) {
        mg_js_member_ack(m, p->subject, p->reply, p->body);
    } else if (p->kind == MG_JS_FLOW) {
        mg_js_member_flow(m, p->subject);
    } else if (!pulls_wait(m) && (!needs_count(m, p->body) || mg_js_member_counted(m))) {
        mg_js_member_pull(m, p->reply, p->body);
    } else if (mg_js_member_asking(m)->npulls >= PULLS_MAX) {
        static const mg_slice none = {NULL, 0};
        if (p->reply.n)
            mg_js_publish(m->stream->js, p->reply, none, MG_S("NATS/1.0 409 Exceeded MaxWaiting\r\n\r\n"), none);
    } else {
        m->asking->npulls++;
        mg_list_push_back(&m->asking->pulls, &copy(p)->link);
    }
}

// Is there a consumer of this name that takes such messages? spec 8: nobody listens to acknowledgements of the policies
// none and flow_control.
static bool takes(const struct mg_js_stream *s, const struct mg_js_member *m, const struct mg_js_sleeper *sl,
                  enum mg_js_parcel_kind kind) {
    if (s->deleting || (m == NULL && sl == NULL) || (m && !m->live)) return false;
    if (kind != MG_JS_ACK) return true;
    if (sl) return !(sl->flags & MG_JS_ROW_NO_ACKS);
    return m->terms->config.ack_policy != MG_JS_ACK_NONE && m->terms->config.ack_policy != MG_JS_ACK_FLOW_CONTROL;
}

static bool arrived(struct mg_js_stream *s, enum mg_js_parcel_kind kind, mg_slice consumer, const struct mg_msg *msg) {
    struct mg_js_member *m = mg_js_member_find(s, consumer);
    struct mg_js_sleeper *sl = m ? NULL : mg_js_sleeper_find(s, consumer);
    const struct mg_js_parcel p = parcel(kind, consumer, msg);
    if (!takes(s, m, sl, kind)) return false;
    if (s->js->inside) {
        mg_list_push_back(&s->members->inbox, &copy(&p)->link);
        mg_js_stream_busy(s);
    } else if (m) {
        mg_js_member_take(m, &p);
    } else {
        mg_js_sleeper_keep(sl, copy(&p));
    }
    return true;
}

static bool on_next(void *arg, const struct mg_msg *msg) {
    struct mg_js_stream *s = arg;
    size_t prefix = sizeof("$JS.API.CONSUMER.MSG.NEXT.") + mg_js_stream_name(s).n;
    mg_slice consumer = mg_slice_of(msg->subject.p + prefix, msg->subject.n - prefix);
    if (mg_js_level_too_high(msg) && mg_js_member_find(s, consumer)) {
        static const mg_slice none = {NULL, 0};
        if (msg->reply.n)
            mg_js_publish(s->js, msg->reply, none, MG_S("NATS/1.0 412 Required Api Level\r\n\r\n"), none);
        return true;
    }
    return arrived(s, MG_JS_PULL, consumer, msg);
}

static bool on_ack(void *arg, const struct mg_msg *msg) {
    struct mg_js_ack_subject a;
    return mg_js_ack_parse(msg->subject, &a) && arrived(arg, MG_JS_ACK, a.consumer, msg);
}

// $JS.FC.<stream>.<consumer>.<id>, or with domain and account before the stream.
static bool on_flow(void *arg, const struct mg_msg *msg) {
    const char *end = msg->subject.p + msg->subject.n, *dot = memrchr(msg->subject.p, '.', msg->subject.n);
    const char *from = dot ? memrchr(msg->subject.p, '.', (size_t)(dot - msg->subject.p)) : NULL;
    if (from == NULL || dot + 1 == end) return false;
    return arrived(arg, MG_JS_FLOW, mg_slice_of(from + 1, (size_t)(dot - from - 1)), msg);
}

static void empty_inbox(struct mg_js_members *ms, bool handle_them) {
    struct mg_list todo;
    mg_list_init(&todo);
    mg_list_splice(&todo, &ms->inbox);
    while (!mg_list_empty(&todo)) {
        struct mg_js_parcel *p = mg_container_of(todo.next, struct mg_js_parcel, link);
        struct mg_js_member *m = mg_js_member_find(ms->stream, p->consumer);
        struct mg_js_sleeper *sl = m || !handle_them ? NULL : mg_js_sleeper_find(ms->stream, p->consumer);
        mg_list_remove(&p->link);
        if (sl) {
            mg_js_sleeper_keep(sl, p);
            continue;
        }
        if (handle_them && m && m->live) mg_js_member_take(m, p);
        mg_free(p);
    }
}

// ---- subscriptions --------------------------------------------------------------------------------------------------

static struct mg_js_sub *listen(struct mg_js_stream *s, const char *prefix, const char *tail, mg_js_handler fn) {
    struct mg_buf subject = MG_BUF_INIT;
    mg_slice name = mg_js_stream_name(s);
    mg_buf_addf(&subject, "%s.%.*s.%s", prefix, (int)name.n, name.p, tail);
    struct mg_js_sub *sub = mg_js_subscribe(s->js, mg_buf_slice(&subject), fn, s);
    mg_buf_fini(&subject);
    return sub;
}

static void subscribe(struct mg_js_members *ms) {
    struct mg_js_stream *s = ms->stream;
    ms->next = listen(s, "$JS.API.CONSUMER.MSG.NEXT", "*", on_next);
    ms->ack = listen(s, "$JS.ACK", ">", on_ack);
    ms->ack_long = listen(s, "$JS.ACK.*." ACCOUNT, ">", on_ack);
    ms->flow = listen(s, "$JS.FC", "*.*", on_flow);
    ms->flow_long = listen(s, "$JS.FC.*." ACCOUNT, "*.*", on_flow);
}

static void unsubscribe(struct mg_js_members *ms) {
    struct mg_js *js = ms->stream->js;
    mg_js_unsubscribe(js, ms->next);
    mg_js_unsubscribe(js, ms->ack);
    mg_js_unsubscribe(js, ms->ack_long);
    mg_js_unsubscribe(js, ms->flow);
    mg_js_unsubscribe(js, ms->flow_long);
    ms->next = ms->ack = ms->ack_long = ms->flow = ms->flow_long = NULL;
}

// ---- life -----------------------------------------------------------------------------------------------------------

struct mg_js_members *mg_js_members_of(struct mg_js_stream *s) {
    if (s->members) return s->members;
    struct mg_js_members *ms = mg_zalloc(sizeof(*ms));
    ms->stream = s;
    mg_table_init(&ms->by_name);
    mg_table_init(&ms->asleep);
    mg_table_init(&ms->terms);
    ms->index = mg_sublist_new(mg_shard_random(s->js->shard), 0);
    mg_list_init(&ms->unfiltered);
    mg_list_init(&ms->active);
    mg_list_init(&ms->inbox);
    mg_list_init(&ms->dead);
    ms->env.stream = mg_stream_name(s->store);
    ms->told = mg_stream_visible(s->store);
    s->members = ms;
    subscribe(ms);
    return ms;
}

void mg_js_members_recover(struct mg_js_stream *s) {
    mg_js_rows_load(s);
    if (s->members) mg_js_retention_sweep(s);
}

struct each {
    struct mg_js_member **v;
    size_t n;
};

static void collect(void *ctx, void *val) {
    struct each *e = ctx;
    e->v[e->n++] = val;
}

static struct each collect_all(const struct mg_js_members *ms) {
    struct each e = {mg_alloc((ms->n + 1) * sizeof(e.v[0])), 0};
    mg_table_each(&ms->by_name, collect, &e);
    return e;
}

void mg_js_members_each(struct mg_js_members *ms, void (*fn)(void *arg, struct mg_js_member *m), void *arg) {
    struct each e = collect_all(ms);
    for (size_t i = 0; i < e.n; i++) fn(arg, e.v[i]);
    mg_free(e.v);
}

static void bury(struct mg_js_members *ms, bool all) {
    for (struct mg_list *l = ms->dead.next, *next; l != &ms->dead; l = next) {
        struct mg_js_member *m = mg_container_of(l, struct mg_js_member, active);
        next = l->next;
        if (all || m->held == 0) mg_js_member_free(m);
    }
}

static void say_shutdown(void *arg, struct mg_js_member *m) {
    (void)arg;
    if (m->c == NULL) return;
    mg_js_consumer_say_shutdown(m->c);
    mg_js_member_flush(m);
}

static void say_deleted(struct mg_js_member *m) {
    struct mg_js *js = m->stream->js;
    js->inside++;
    if (m->c) mg_js_consumer_say_deleted(m->c);
    js->inside--;
    mg_js_advise_action(m->stream, mg_js_member_name(m), false);
    mg_js_member_drop(m);
}

void mg_js_members_retire(struct mg_js_stream *s, bool deleted) {
    struct mg_js_members *ms = s->members;
    if (ms == NULL) return;
    unsubscribe(ms);
    mg_js_retention_stop(ms);
    mg_js_reading_end(&ms->walk);
    ms->walking = false;
    if (deleted) {
        ms->env.stream = mg_js_stream_name(s); // the stored one goes before them
        mg_js_stream_busy(s);
        return;
    }
    s->js->inside++;
    mg_js_members_each(ms, say_shutdown, NULL);
    s->js->inside--;
    mg_js_sleepers_free(ms);
}

// The next one of the table that everybody leaves; NULL: it is empty.
static void *next_leaver(struct mg_js_members *ms, const struct mg_table *t) {
    bool begin = ms->leaving.of != t;
    ms->leaving.of = t;
    if (!mg_table_next(t, begin, &ms->leaving.hash, &ms->leaving.val)) return NULL;
    return (void *)ms->leaving.val;
}

bool mg_js_members_leave(struct mg_js_members *ms) {
    for (unsigned i = 0; i < LEAVE_SLICE; i++) {
        struct mg_js_member *m = next_leaver(ms, &ms->by_name);
        if (m == NULL) break;
        say_deleted(m);
        if (mg_js_spent(ms->stream->js)) break;
    }
    for (unsigned i = 0; i < LEAVE_SLICE && ms->by_name.count == 0; i++) {
        struct mg_js_sleeper *sl = next_leaver(ms, &ms->asleep);
        if (sl == NULL) break;
        mg_js_advise_action(ms->stream, mg_js_sleeper_name(sl), false);
        mg_js_sleeper_free(sl);
        if (mg_js_spent(ms->stream->js)) break;
    }
    bury(ms, false);
    return ms->by_name.count + ms->asleep.count > 0;
}

static void drop(void *arg, struct mg_js_member *m) {
    (void)arg;
    mg_js_member_drop(m);
}

void mg_js_members_free(struct mg_js_stream *s) {
    struct mg_js_members *ms = s->members;
    if (ms == NULL) return;
    unsubscribe(ms);
    mg_js_retention_stop(ms);
    mg_js_reading_end(&ms->walk);
    mg_js_members_each(ms, drop, NULL);
    bury(ms, true);
    empty_inbox(ms, false);
    mg_js_sleepers_free(ms);
    mg_table_fini(&ms->by_name);
    mg_table_fini(&ms->asleep);
    mg_js_names_fini(&ms->names);
    mg_table_fini(&ms->terms);
    mg_sublist_free(ms->index);
    mg_buf_fini(&ms->env.headers);
    mg_buf_fini(&ms->env.reply);
    mg_buf_fini(&ms->removed);
    mg_buf_fini(&ms->done);
    mg_buf_fini(&ms->bounce);
    s->members = NULL;
    mg_free(ms);
}

// ---- new messages ---------------------------------------------------------------------------------------------------

// seq may be read and matches, as far as the index knows.
static void tell(struct mg_js_member *m, uint64_t seq, mg_slice subject) {
    if (seq > m->counted) { // else it was counted before it could be read, or told by another filter
        m->counted = seq;
        if (mg_js_consumer_stored(m->c, seq, subject) && m->count) mg_js_later_add(&m->count->later, seq);
    }
    if (seq < mg_js_consumer_next(m->c)) return;
    if (m->clear > seq) m->clear = seq;
    if (!mg_js_consumer_dormant(m->c)) mg_js_member_wake(m);
}

static void tell_unfiltered(struct mg_js_members *ms, uint64_t from, uint64_t to) {
    static const mg_slice any = {NULL, 0};
    for (struct mg_list *l = ms->unfiltered.next; l != &ms->unfiltered; l = l->next) {
        struct mg_js_member *m = mg_container_of(l, struct mg_js_member, own.unfiltered);
        for (uint64_t seq = from; seq <= to; seq++) tell(m, seq, any);
    }
}

// Those without filters hear of it now, too: what is removed before the walk comes there is told to nobody.
static void tell_all(struct mg_js_members *ms, uint64_t seq, mg_slice subject) {
    const struct mg_match *match = mg_sublist_match(ms->index, subject);
    for (uint32_t i = 0; i < match->nplain; i++) tell(match->plain[i]->owner, seq, subject);
    tell_unfiltered(ms, seq, seq);
}

static void walked(struct mg_js_reading *rd) {
    struct mg_js_members *ms = mg_container_of(rd, struct mg_js_members, walk);
    ms->walking = false;
    if (rd->r.err == 0) {
        tell_all(ms, rd->r.msg.seq, rd->r.msg.subject);
        ms->told = rd->r.msg.seq;
    } else if (rd->r.err != MG_ENOTFOUND && rd->r.msg.seq > ms->told) {
        ms->told = rd->r.msg.seq;
    }
    mg_js_stream_busy(ms->stream);
}

static void walk_gone(struct mg_js_reading *rd) { mg_container_of(rd, struct mg_js_members, walk)->walking = false; }

// How many messages a turn tells, if each costs as much as that many members, and those without filters.
static uint64_t slice_of(const struct mg_js_members *ms, size_t cost) {
    uint64_t n = TOLD_SLICE / (cost + ms->n - ms->nfiltered + 1);
    return n ? n : 1;
}

// Looks at the subjects of new messages. True: there are more.
static bool walk(struct mg_js_members *ms, uint64_t visible) {
    struct mg_js_reading *rd = &ms->walk;
    for (uint64_t i = slice_of(ms, READ_WORTH); i > 0 && ms->told < visible; i--) {
        rd->r.kind = MG_READ_NEXT;
        rd->r.seq = ms->told + 1;
        rd->done = walked;
        rd->gone = walk_gone;
        ms->walking = mg_js_read(ms->stream, rd) != 0;
        if (ms->walking) return false;
        if (rd->r.err == MG_ENOTFOUND || rd->r.msg.seq > visible) {
            ms->told = visible;
        } else {
            if (rd->r.err == 0) tell_all(ms, rd->r.msg.seq, rd->r.msg.subject);
            ms->told = rd->r.msg.seq;
        }
    }
    return ms->told < visible;
}

// A purge may have moved the numbers on by any amount: what lies in front of the first one is nothing to tell of.
static void skip_unused(struct mg_js_members *ms, uint64_t visible) {
    struct mg_stream_state st;
    if (visible - ms->told <= mg_stream_messages(ms->stream->store)) return;
    mg_stream_glance(ms->stream->store, &st);
    if (st.first <= visible && st.first > ms->told + 1) ms->told = st.first - 1;
}

static bool look_at_new(struct mg_js_members *ms) {
    uint64_t visible = mg_stream_visible(ms->stream->store);
    if (ms->walking || ms->told >= visible) return false;
    skip_unused(ms, visible);
    if (ms->nfiltered) return walk(ms, visible);
    uint64_t n = mg_list_empty(&ms->unfiltered) ? UINT64_MAX : slice_of(ms, 0);
    uint64_t to = visible - ms->told > n ? ms->told + n : visible;
    tell_unfiltered(ms, ms->told + 1, to);
    ms->told = to;
    return to < visible;
}

// ---- removals -------------------------------------------------------------------------------------------------------

struct removed {
    uint64_t seq;
    size_t subject; // bytes, which follow
};

void mg_js_members_removed(struct mg_js_stream *s, uint64_t seq, mg_slice subject) {
    struct mg_js_members *ms = s->members;
    if (ms == NULL || ms->n == 0 || s->deleting) return; // those who sleep find out when they wake
    const struct removed r = {seq, subject.n};
    mg_buf_add(&ms->removed, &r, sizeof(r));
    mg_buf_add_slice(&ms->removed, subject);
    if (seq > ms->highest_removed) ms->highest_removed = seq;
    mg_js_stream_busy(s);
}

struct removal {
    mg_slice list;
    uint64_t highest;
    bool silent; // by a purge
};

static void forget_one(struct mg_js_member *m, const struct removal *r, uint64_t seq, mg_slice subject) {
    bool waits = seq >= mg_js_consumer_next(m->c);
    if (waits && m->count) mg_js_later_gone(&m->count->later, seq);
    if (waits) m->stale = m->stale || (mg_js_member_matches(m, subject) && !MG_PLANTED(stale_pending));
    else if (r->silent) mg_js_consumer_purged_one(m->c, mg_js_member_now(m), seq);
    else mg_js_consumer_removed(m->c, mg_js_member_now(m), seq, subject);
}

static void forget_removed(void *arg, struct mg_js_member *m) {
    const struct removal *r = arg;
    if (m->c == NULL) return;
    const struct mg_js_state *state = mg_js_consumer_state(m->c);
    if (r->highest <= state->floor.seq && state->pending.parked == 0) return;
    for (mg_slice left = r->list; left.n > 0;) {
        struct removed one;
        memcpy(&one, left.p, sizeof(one));
        forget_one(m, r, one.seq, mg_slice_of(left.p + sizeof(one), one.subject));
        left = mg_slice_of(left.p + sizeof(one) + one.subject, left.n - sizeof(one) - one.subject);
    }
    mg_js_member_wake(m);
}

static void take_removed(struct mg_js_members *ms) {
    if (ms->removed.len == 0) return;
    struct mg_buf list = ms->removed;
    struct removal r = {mg_buf_slice(&list), ms->highest_removed, ms->purges > 0};
    ms->removed = (struct mg_buf)MG_BUF_INIT;
    ms->highest_removed = 0;
    ms->stream->js->inside++;
    mg_js_members_each(ms, forget_removed, &r);
    ms->stream->js->inside--;
    mg_buf_fini(&list);
}

void mg_js_members_purge(struct mg_js_stream *s) {
    if (s->members == NULL) return;
    take_removed(s->members);
    s->members->purges++;
}

void mg_js_members_purge_failed(struct mg_js_stream *s) {
    if (s->members && s->members->purges > 0) s->members->purges--;
}

struct purge {
    mg_slice filter;
    uint64_t first, last;
    bool whole;
};

// Of what a consumer wants, how much was purged: 2 all, 1 some, 0 nothing that it names.
static int purged_of(mg_slice filter, const struct mg_js_own *own) {
    bool all = own->n > 0, some = own->n == 0;
    for (uint32_t i = 0; i < own->n; i++) {
        all = all && mg_subject_subset(mg_js_own_filters(own)[i], filter);
        some = some || mg_subject_subset(filter, mg_js_own_filters(own)[i]);
    }
    return filter.n == 0 || all ? 2 : some;
}

// spec/jetstream-consumers.md 14.3: nobody who wants some of it stays in front of the stream's first message, and who
// wanted nothing else is at its end.
static void tell_purged(void *arg, struct mg_js_member *m) {
    const struct purge *p = arg;
    if (m->c == NULL) return;
    int much = purged_of(p->filter, &m->own);
    uint64_t first = much == 2 && p->filter.n && p->whole ? p->last + 1 : p->first;
    if (much) mg_js_consumer_purged(m->c, mg_js_member_now(m), first);
    mg_js_member_restart(m);
    mg_js_member_wake(m);
}

void mg_js_members_purged(struct mg_js_stream *s, mg_slice filter, uint64_t first, bool whole) {
    struct mg_js_members *ms = s->members;
    if (ms == NULL) return;
    if (ms->purges > 0) {
        take_removed(ms);
        ms->purges--;
    }
    struct purge p = {filter, first, mg_stream_visible(s->store), whole};
    s->js->inside++;
    mg_js_members_each(ms, tell_purged, &p);
    s->js->inside--;
}

// By something else than the API: a rollup of all.
void mg_js_members_cleared(struct mg_js_stream *s, uint64_t last) {
    static const mg_slice all = {NULL, 0};
    if (s->members && s->members->purges == 0) mg_js_members_purged(s, all, last + 1, true);
}

// ---- turns ----------------------------------------------------------------------------------------------------------

static void work_at(struct mg_js_member *m, bool *more) {
    struct mg_js *js = m->stream->js;
    int64_t now = mg_js_now(js);
    if (m->look_for_listeners) {
        m->look_for_listeners = false;
        mg_js_consumer_active(m->c, now, mg_js_watch_listens(m));
    }
    if (mg_js_consumer_deadline(m->c) <= now) mg_js_consumer_tick(m->c, now);
    *more = mg_js_member_pump(m);
}

// What has changed is written, and the next deadline is set. Those that have more to do stay.
static void finish(struct mg_js_members *ms, struct mg_list *worked) {
    while (!mg_list_empty(worked)) {
        struct mg_js_member *m = mg_container_of(worked->next, struct mg_js_member, active);
        mg_list_remove(&m->active);
        mg_js_member_write(m);
        mg_js_member_arm(m);
        if (m->more) mg_list_push_back(&ms->active, &m->active);
        mg_js_sleep_consider(m);
    }
}

static void delete_expired(struct mg_list *worked) {
    for (struct mg_list *l = worked->next, *next; l != worked; l = next) {
        struct mg_js_member *m = mg_container_of(l, struct mg_js_member, active);
        next = l->next;
        if (m->expired && mg_js_member_delete(m, NULL) != 0) m->expired = false;
    }
}

bool mg_js_members_catch_up(struct mg_js_members *ms) {
    bool more = look_at_new(ms);
    take_removed(ms);
    return more;
}

bool mg_js_members_turn(struct mg_js_members *ms) {
    struct mg_js *js = ms->stream->js;
    struct mg_list todo, worked;
    unsigned n = 0;
    empty_inbox(ms, true);
    bool more = mg_js_members_catch_up(ms);
    bool open = mg_js_may_send(js);
    if (!open && !mg_list_empty(&ms->active)) mg_js_stream_stall(ms->stream);
    mg_list_init(&todo);
    mg_list_init(&worked);
    mg_list_splice(&todo, &ms->active);
    js->inside++;
    while (!mg_list_empty(&todo)) {
        struct mg_js_member *m = mg_container_of(todo.next, struct mg_js_member, active);
        mg_list_remove(&m->active);
        mg_list_push_back(&worked, &m->active);
        m->more = false;
        if (open) work_at(m, &m->more);
        else m->more = true;
        if (open && (++n == WORK_SLICE || mg_js_spent(js))) break;
    }
    js->inside--;
    mg_list_splice(&todo, &ms->active); // those who had their turn stand behind the others
    mg_list_splice(&ms->active, &todo);
    delete_expired(&worked);
    more |= mg_js_retention_turn(ms);
    finish(ms, &worked);
    bury(ms, false);
    return more || (open && !mg_list_empty(&ms->active)) || !mg_list_empty(&ms->inbox);
}
