// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Reading what a consumer wants and handing it over, a slice at a time so that none starves the others. What is in
// memory is delivered in the same turn; what is on disk comes later, and goes on from there.
//
// `clear` saves reading: the index of filters tells a consumer of every new message that matches, so one that has once
// reached the end knows where its next message is without looking at those between.
//
// num_pending is kept by the state machine as messages are stored and delivered. When something was removed that it
// may have counted it is `stale`, and counted again before it is told: at once where the stream has no gaps, by the
// store where it has. At the end it is known to be 0. While the store counts nothing is read, and it begins to count
// when nothing is being read: nobody could say whether a count has seen what was delivered meanwhile.
#include "jetstream/stream/member.h"

#include "server/base/errors.h"
#include "server/base/mem.h"

#define SLICE_MESSAGES 256u
#define SLICE_BYTES (1u << 20)
#define COUNT_REST INT64_C(50000000) // between two counts that have to read

static void stop_counting(struct mg_js_member *m) {
    if (m->count) mg_js_later_fini(&m->count->later);
    mg_free(m->count);
    m->count = NULL;
}

// ---- reading --------------------------------------------------------------------------------------------------------

static void rest(struct mg_js_member *m) {
    if (m->feed == NULL) return;
    mg_js_reading_end(&m->feed->rd);
    mg_free(m->feed);
    m->feed = NULL;
}

void mg_js_member_stop_reading(struct mg_js_member *m) {
    rest(m);
    m->reading = false;
    if (m->count) mg_js_reading_end(&m->count->rd);
    stop_counting(m);
}

void mg_js_member_restart(struct mg_js_member *m) {
    mg_js_member_stop_reading(m);
    m->clear = 0;
    m->stale = true;
    if (m->asking) mg_js_member_wake(m);
}

// A message that was removed is passed over before anybody is told: it still counts, and nobody takes it off later, for
// the consumer is behind it by then.
static void note_passed(struct mg_js_member *m) {
    uint64_t next = mg_js_consumer_next(m->c), untold = mg_stream_untold(m->stream->store);
    bool passes = untold >= next || m->stream->members->highest_removed >= next;
    m->stale = m->stale || passes;
}

static void at_end(struct mg_js_member *m, const struct mg_js_want *w, uint64_t last) {
    note_passed(m);
    mg_js_consumer_end(m->c, mg_js_member_now(m), w, last);
    m->clear = UINT64_MAX;
    rest(m);
    if (m->counted > last) return;
    mg_js_consumer_set_num_pending(m->c, 0);
    m->stale = false;
}

static void after_delivery(struct mg_js_member *m) {
    if (m->bounced == 0) return;
    uint64_t seq = m->bounced;
    m->bounced = 0;
    mg_js_consumer_bounced(m->c, mg_js_member_now(m), seq, mg_buf_slice(&m->stream->members->bounce));
    if (mg_js_member_is_push(m)) {
        m->look_for_listeners = true;
        mg_js_member_wake(m);
    }
}

// What was read. Returns the bytes that it was worth.
static size_t hand_over(struct mg_js_member *m) {
    int64_t now = mg_js_member_now(m);
    const struct mg_read *r = &m->feed->rd.r;
    const struct mg_js_want want = m->feed->want, *w = &want; // the feed may end
    if (r->err == 0) {
        if (w->kind == MG_JS_WANT_NEXT) m->clear = r->msg.seq;
        size_t size = r->msg.subject.n + r->msg.headers.n + r->msg.payload.n;
        mg_js_consumer_message(m->c, now, w, &r->msg);
        after_delivery(m);
        return size;
    }
    if (w->kind == MG_JS_WANT_SEQ) {
        mg_js_consumer_gone(m->c, now, w);
    } else if (r->err == MG_ENOTFOUND) {
        at_end(m, w, mg_stream_visible(m->stream->store));
    } else { // it is there and cannot be read: the next one
        mg_js_consumer_pass(m->c, w, r->msg.seq);
        m->stale = true;
    }
    return 0;
}

// Is there a gap in front of what was read?
static bool passes(const struct mg_js_member *m) {
    const struct mg_read *r = &m->feed->rd.r;
    return r->err == 0 && m->feed->want.kind == MG_JS_WANT_NEXT && r->msg.seq > mg_js_consumer_next(m->c);
}

static struct mg_js_member *reader(struct mg_js_reading *rd) { return rd->r.user; }

static bool knows_pending(struct mg_js_member *m);

static void came(struct mg_js_reading *rd) {
    struct mg_js_member *m = reader(rd);
    struct mg_js *js = m->stream->js;
    m->reading = false;
    js->inside++;
    if (passes(m)) note_passed(m);
    if (rd->r.err != 0 || knows_pending(m)) hand_over(m); // if not: it is read again when it is counted
    js->inside--;
    mg_js_member_wake(m);
}

static void gone(struct mg_js_reading *rd) {
    struct mg_js_member *m = reader(rd);
    mg_free(m->feed);
    m->feed = NULL;
    m->reading = false;
}

// 0: the feed has the answer. MG_EAGAIN: later.
static int read(struct mg_js_member *m, const struct mg_js_want *w, uint64_t from) {
    if (m->feed == NULL) m->feed = mg_zalloc(sizeof(*m->feed));
    struct mg_read *r = &m->feed->rd.r;
    bool next = w->kind == MG_JS_WANT_NEXT;
    m->feed->want = *w;
    r->kind = next ? MG_READ_NEXT : MG_READ_SEQ;
    r->sequential = next;
    r->seq = from;
    r->filters = mg_js_own_filters(&m->own);
    r->filters_len = next ? m->own.n : 0;
    r->user = m;
    m->feed->rd.done = came;
    m->feed->rd.gone = gone;
    int err = mg_js_read(m->stream, &m->feed->rd);
    m->reading = err != 0;
    return err;
}

// ---- num_pending ----------------------------------------------------------------------------------------------------

static void counted(struct mg_js_member *m, uint64_t n, uint64_t upto) {
    const struct mg_js_skip *skip = mg_js_consumer_state(m->c)->skip;
    uint64_t later = m->count ? mg_js_later_than(&m->count->later, upto) : 0;
    mg_js_consumer_set_num_pending(m->c, n + (skip ? skip->left : 0) + later);
    if (m->counted < upto) m->counted = upto;
    m->stale = false;
}

struct mg_js_asking *mg_js_member_asking(struct mg_js_member *m) {
    if (m->asking) return m->asking;
    struct mg_js_asking *a = m->asking = mg_zalloc(sizeof(*a));
    mg_list_init(&a->knowing);
    mg_list_init(&a->pulls);
    return a;
}

// Who hears of it may ask again.
void mg_js_member_asked(struct mg_js_member *m, struct mg_js_member *told) {
    struct mg_js_asking *a = m->asking;
    if (a == NULL) return;
    m->asking = NULL;
    while (!mg_list_empty(&a->pulls)) {
        struct mg_js_parcel *p = mg_container_of(a->pulls.next, struct mg_js_parcel, link);
        mg_list_remove(&p->link);
        if (told) mg_js_member_pull(m, p->reply, p->body);
        mg_free(p);
    }
    while (!mg_list_empty(&a->knowing)) {
        struct mg_js_knowing *k = mg_container_of(a->knowing.next, struct mg_js_knowing, link);
        mg_list_remove(&k->link);
        k->known(k, told);
    }
    mg_free(a);
}

static uint64_t count_from(const struct mg_js_member *m) {
    const struct mg_js_state *state = mg_js_consumer_state(m->c);
    uint64_t next = mg_js_consumer_next(m->c);
    return state->skip && state->resume > next ? state->resume : next;
}

// Without gaps the numbers say it all.
static bool count_numbers(struct mg_js_member *m) {
    struct mg_stream_state st;
    if (m->own.n || mg_stream_state(m->stream->store, &st) != 0) return false;
    if (st.msgs != st.last + 1 - st.first) return false;
    uint64_t from = count_from(m) > st.first ? count_from(m) : st.first;
    counted(m, from > st.last ? 0 : st.last - from + 1, st.last);
    return true;
}

// Who is told that nothing is left stops, so where something cannot be read the others count.
static bool has_count(const struct mg_read *r) { return r->err == 0 || r->err == MG_ECORRUPT || r->err == MG_EIO; }

static void count_came(struct mg_js_reading *rd) {
    struct mg_js_member *m = reader(rd);
    m->count_paid = mg_js_member_now(m);
    if (has_count(&rd->r)) counted(m, rd->r.count, rd->r.seq);
    m->stale = false; // what cannot be counted now cannot be counted in a moment either
    stop_counting(m);
    mg_js_member_asked(m, m);
    mg_js_member_wake(m);
}

static void count_gone(struct mg_js_reading *rd) { stop_counting(reader(rd)); }

// True: it is known now. False: it is being counted.
static bool count(struct mg_js_member *m) {
    if (m->count) return false;
    if (count_numbers(m)) return true;
    if (m->reading) { // the pump begins when that has come
        m->stale = true;
        return false;
    }
    m->count = mg_zalloc(sizeof(*m->count));
    struct mg_js_reading *rd = &m->count->rd;
    rd->r.kind = MG_READ_COUNT;
    rd->r.seq = count_from(m);
    rd->r.filters = mg_js_own_filters(&m->own);
    rd->r.filters_len = m->own.n;
    rd->r.user = m;
    rd->done = count_came;
    rd->gone = count_gone;
    if (mg_js_read(m->stream, rd) != 0) return false;
    if (has_count(&rd->r)) counted(m, rd->r.count, rd->r.seq);
    m->stale = false;
    stop_counting(m);
    return true;
}

bool mg_js_member_counted(struct mg_js_member *m) {
    struct mg_js_members *ms = m->stream->members;
    bool all_told = !mg_js_members_catch_up(ms) && !ms->walking;
    if (m->c == NULL || m->count) return false;
    return count_numbers(m) || (!m->stale && all_told) || count(m);
}

void mg_js_member_know(struct mg_js_member *m, struct mg_js_knowing *k) {
    if (mg_js_member_counted(m)) {
        mg_list_init(&k->link);
        k->known(k, m);
        return;
    }
    mg_list_push_back(&mg_js_member_asking(m)->knowing, &k->link);
}

// Good enough to be told with a delivery?
static bool knows_pending(struct mg_js_member *m) {
    if (m->own.n == 0 && count_numbers(m)) return true;
    if (!m->stale) return true;
    // Where each removal makes it stale, deliveries must not wait for a count each.
    if (mg_js_member_now(m) - m->count_paid < COUNT_REST) return true;
    return count(m);
}

// ---- the pump -------------------------------------------------------------------------------------------------------

// known: num_pending is, as far as this slice goes.
static bool pump_one(struct mg_js_member *m, const struct mg_js_want *w, bool *known, size_t *bytes) {
    struct mg_js_members *ms = m->stream->members;
    uint64_t from = w->seq;
    if (w->kind == MG_JS_WANT_NEXT) {
        if (m->clear == UINT64_MAX) {
            at_end(m, w, ms->told);
            return false;
        }
        if (m->clear > from) from = m->clear;
    }
    if (read(m, w, from) != 0) return false;
    const struct mg_read *r = &m->feed->rd.r;
    bool end = w->kind == MG_JS_WANT_NEXT && r->err == MG_ENOTFOUND;
    if (passes(m)) note_passed(m);
    if (!*known && r->err == 0 && !knows_pending(m)) return false; // read again when it is counted
    *known = *known || r->err == 0;
    *bytes += hand_over(m);
    return !end;
}

bool mg_js_member_pump(struct mg_js_member *m) {
    size_t bytes = 0;
    bool known = false;
    if (m->asking && !m->count && (!m->stale || count(m))) mg_js_member_asked(m, m);
    if (!m->live) return false; // its creation may wait for num_pending, too
    for (unsigned i = 0; i < SLICE_MESSAGES && bytes < SLICE_BYTES; i++) {
        if (m->reading || m->count || m->look_for_listeners) return m->look_for_listeners;
        const struct mg_js_want w = mg_js_consumer_want(m->c, mg_js_member_now(m));
        if (w.kind == MG_JS_WANT_NOTHING) return false;
        if (!pump_one(m, &w, &known, &bytes)) return false;
    }
    return true;
}
