// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A message with a time to live is written together with a row "T" time number, so what is due first stands first among
// the rows, whatever the number of messages. The nearest are in memory (due.h); behind them the rows are looked at
// again, some thousands at a time. A row outlives its message if that goes earlier: when it is due nothing is there.
//
// max_age of such a stream is done here as well, because a message may be exempt from it (Nats-TTL: never): a number
// walks over the messages in their order, which is the order of their times; below it everything is gone or exempt. A
// start walks again from the first.
//
// With subject_delete_marker_ttl the only message of a subject is not removed but replaced: by a marker that rolls it
// up, on the condition that it is still the last one. If it is not, it goes without a marker.
#include "jetstream/stream/expiry.h"

#include <stdio.h>

#include "jetstream/stream/due.h"
#include "jetstream/stream/wishes.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/base/timefmt.h"
#include "server/proto/headers.h"

#define AT_ONCE 256u                      // messages of one turn, and markers under way
#define AGE_EVERY INT64_C(250000000)      // spec/jetstream-streams.md 13a
#define LONGEST INT64_C(600000000000)     // sleeps no longer: the clock may be set
#define SECOND INT64_C(1000000000)

struct mg_js_expiry {
    struct mg_js_stream *s;
    struct mg_timer timer;
    struct mg_js_task task;
    struct mg_js_dues dues;
    struct mg_rows_read rows;
    bool loading;      // the rows are being looked at
    uint64_t age_next; // the walk of max_age
    int64_t age_at;    // when the message there is too old; 0: to be found out, INT64_MAX: there is none
    // The message that is being decided.
    struct mg_js_reading rd;
    void (*step)(struct mg_js_expiry *x);
    uint64_t seq;
    int64_t row_at; // 0: it has no row
    struct mg_buf subject;
    mg_slice filter;
    bool reading;
    unsigned markers; // under way
};

static void work(struct mg_js_expiry *x);

// ---- rows -----------------------------------------------------------------------------------------------------------

static void put_be64(char *out, uint64_t v) {
    for (int i = 7; i >= 0; i--, v >>= 8) out[i] = (char)(v & 0xff);
}

static uint64_t get_be64(const char *p) {
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) v = v << 8 | (uint8_t)p[i];
    return v;
}

mg_slice mg_js_expiry_row(int64_t at, char out[MG_JS_EXPIRY_KEY]) {
    out[0] = 'T';
    put_be64(out + 1, (uint64_t)at);
    return mg_slice_of(out, MG_JS_EXPIRY_KEY);
}

static void forget_row(struct mg_js_expiry *x) {
    char key[MG_JS_EXPIRY_KEY + 8];
    if (x->row_at == 0) return;
    mg_js_expiry_row(x->row_at, key);
    put_be64(key + MG_JS_EXPIRY_KEY, x->seq);
    mg_stream_row_delete(x->s->store, mg_slice_of(key, sizeof(key)), NULL);
}

static void load_row(struct mg_rows_read *r, mg_slice key, mg_slice value) {
    struct mg_js_expiry *x = r->user;
    (void)value;
    if (key.n != MG_JS_EXPIRY_KEY + 8 || MG_PLANTED(never_due)) return;
    mg_js_dues_add(&x->dues, (struct mg_js_due){(int64_t)get_be64(key.p + 1), get_be64(key.p + MG_JS_EXPIRY_KEY)});
}

static void loaded(struct mg_rows_read *r, int err) {
    struct mg_js_expiry *x = r->user;
    x->loading = false;
    if (err == MG_ECLOSED) return;
    mg_slice name = mg_js_stream_name(x->s);
    if (err)
        mg_log_err(x->s->js->log, "JetStream: when messages of stream %.*s expire cannot all be read: %s", (int)name.n,
                   name.p, mg_strerror(err));
    if (!x->reading) work(x);
}

// More rows than the heap holds, so that it is cut if there are more. What is added meanwhile is in it already, perhaps
// twice: the second time nothing is there.
static void load(struct mg_js_expiry *x) {
    x->dues.cut = false;
    x->loading = true;
    x->rows = (struct mg_rows_read){
        .prefix = MG_S("T"), .max = MG_JS_DUES_MAX + 1, .each = load_row, .done = loaded, .user = x};
    mg_stream_read_rows(x->s->store, &x->rows);
}

// ---- markers --------------------------------------------------------------------------------------------------------

struct marker {
    struct mg_js_wait wait;
    struct mg_js_expiry *x;
    uint64_t seq;
    int64_t at; // when the marker itself expires
};

static void marked(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r) {
    struct marker *m = mg_container_of(w, struct marker, wait);
    if (r == NULL) { // the server ends, and the stream may be gone
        mg_free(m);
        return;
    }
    struct mg_js_expiry *x = m->x;
    x->markers--;
    if (r->err == 0) mg_js_expiry_added(s, r->seq, m->at);
    else if (r->err == MG_EWRONGSEQ) mg_stream_remove(s->store, m->seq, false, NULL);
    mg_free(m);
    if (x->markers == AT_ONCE - 1 && !s->deleting) work(x);
}

static void put_marker(struct mg_js_expiry *x) {
    char age[40], key[MG_JS_EXPIRY_KEY];
    int64_t ttl = x->s->config.subject_delete_marker_ttl / SECOND * SECOND;
    struct mg_buf headers = MG_BUF_INIT;
    struct marker *m = mg_alloc(sizeof(*m));
    *m = (struct marker){.x = x, .seq = x->seq, .at = mg_store_part_time(x->s->js->part) + ttl};
    mg_buf_addf(&headers, "NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\nNats-TTL: %s\r\nNats-Rollup: sub\r\n\r\n",
                mg_fmt_duration(age, ttl));
    const struct mg_append a = {
        .subject = mg_buf_slice(&x->subject),
        .headers = mg_buf_slice(&headers),
        .expect_last = MG_ANY_SEQ,
        .expect_subject_last = x->seq,
        .rollup_subject = true,
        .no_limit_per_subject = true,
        .row = mg_js_expiry_row(m->at, key),
    };
    mg_js_wait(x->s->js, &m->wait, marked);
    x->markers++;
    if (mg_stream_append(x->s->store, &a, &m->wait) != 0) { // it stops: the next start does it
        mg_js_wait_cancel(&m->wait);
        x->markers--;
        mg_free(m);
    }
    mg_buf_fini(&headers);
}

// ---- one message ----------------------------------------------------------------------------------------------------

static void came(struct mg_js_reading *rd) {
    struct mg_js_expiry *x = mg_container_of(rd, struct mg_js_expiry, rd);
    x->reading = false;
    x->step(x);
    work(x);
}

static void gone(struct mg_js_reading *rd) { (void)rd; }

// Goes on with `step`; work() waits for it.
static void look(struct mg_js_expiry *x, enum mg_read_kind kind, uint64_t seq, void (*step)(struct mg_js_expiry *x)) {
    x->rd.r.kind = kind;
    x->rd.r.seq = seq;
    x->rd.r.filters = &x->filter;
    x->rd.r.filters_len = x->filter.n > 0;
    x->rd.done = came;
    x->rd.gone = gone;
    x->step = step;
    x->reading = mg_js_read(x->s, &x->rd) != 0;
    if (!x->reading) step(x);
}

static void remove_it(struct mg_js_expiry *x) {
    mg_stream_remove(x->s->store, x->seq, false, NULL);
    forget_row(x);
}

static void replace_it(struct mg_js_expiry *x) {
    if (MG_PLANTED(no_marker)) {
        remove_it(x);
        return;
    }
    put_marker(x);
    forget_row(x);
}

// Is there an older message of the subject?
static void older_found(struct mg_js_expiry *x) {
    if (x->rd.r.err == MG_ENOTFOUND) replace_it(x);
    else remove_it(x);
}

// Is it the newest one? Which it is when the marker is written is a condition of that.
static void newest_found(struct mg_js_expiry *x) {
    if (x->rd.r.err == 0 && x->rd.r.msg.seq != x->seq) remove_it(x);
    else if (x->seq == 1) replace_it(x);
    else look(x, MG_READ_LAST, x->seq - 1, older_found);
}

static bool is_marker(mg_slice headers) {
    mg_slice v;
    if (headers.n == 0) return false;
    if (mg_hdr_get(headers, MG_S("Nats-Marker-Reason"), &v) && v.n) return true;
    return mg_hdr_get(headers, MG_S("KV-Operation"), &v) && mg_slice_eq(v, MG_S("PURGE"));
}

// What is to become of the message that was read?
static void decide(struct mg_js_expiry *x) {
    const struct mg_message *m = &x->rd.r.msg;
    if (x->rd.r.err == MG_ENOTFOUND) {
        forget_row(x);
        return;
    }
    if (x->rd.r.err != 0 || is_marker(m->headers)) {
        remove_it(x);
        return;
    }
    x->subject.len = 0;
    mg_buf_add_slice(&x->subject, m->subject);
    x->filter = mg_buf_slice(&x->subject);
    uint64_t count;
    if (mg_stream_subject(x->s->store, x->filter, &count) != 0) look(x, MG_READ_LAST, MG_ANY_SEQ, newest_found);
    else if (count > 1) remove_it(x);
    else replace_it(x);
}

static void expire(struct mg_js_expiry *x, struct mg_js_due d) {
    x->seq = d.seq;
    x->row_at = d.at;
    x->filter = mg_slice_of(NULL, 0);
    if (x->s->config.subject_delete_marker_ttl > 0) look(x, MG_READ_SEQ, d.seq, decide);
    else remove_it(x);
}

// ---- age ------------------------------------------------------------------------------------------------------------

static int64_t now(const struct mg_js_expiry *x) { return mg_store_part_aging(x->s->js->part); }

static void aged(struct mg_js_expiry *x) {
    const struct mg_message *m = &x->rd.r.msg;
    mg_slice ttl;
    if (x->rd.r.err == MG_ENOTFOUND) {
        x->age_at = INT64_MAX;
        return;
    }
    x->age_next = m->seq;
    x->age_at = m->time + x->s->config.max_age;
    if (x->rd.r.err == 0 && x->age_at > now(x)) return;
    x->age_next = m->seq + 1;
    x->age_at = 0;
    bool exempt = m->headers.n && mg_hdr_get(m->headers, MG_S("Nats-TTL"), &ttl) &&
                  mg_js_ttl_read(ttl).kind == MG_JS_TTL_NEVER;
    if (x->rd.r.err != 0 || exempt) return;
    x->seq = m->seq;
    x->row_at = 0;
    if (x->s->config.subject_delete_marker_ttl > 0) decide(x);
    else remove_it(x);
}

// ---- the work -------------------------------------------------------------------------------------------------------

static void arm(struct mg_js_expiry *x) {
    const struct mg_js_due *d = mg_js_dues_first(&x->dues);
    int64_t t = now(x), wait = LONGEST;
    if (d && d->at - t < wait) wait = d->at > t ? d->at - t : 1;
    if (x->s->config.max_age > 0 && x->age_at != INT64_MAX) {
        int64_t left = x->age_at - t > AGE_EVERY ? x->age_at - t : AGE_EVERY;
        if (left < wait) wait = left;
    }
    if (d == NULL && x->age_at == INT64_MAX) return;
    uint64_t at = mg_loop_now(mg_shard_loop(x->s->js->shard)) + (uint64_t)wait;
    mg_timer_start(mg_shard_wheel(x->s->js->shard), &x->timer, at);
}

// The next thing that is due: false if nothing is.
static bool one(struct mg_js_expiry *x) {
    const struct mg_js_due *d = mg_js_dues_first(&x->dues);
    if (d == NULL && x->dues.cut && !x->loading) load(x);
    if (d && d->at <= now(x)) {
        struct mg_js_due due = *d;
        mg_js_dues_pop(&x->dues);
        expire(x, due);
        return true;
    }
    if (x->s->config.max_age <= 0 || x->age_at > now(x)) return false;
    x->filter = mg_slice_of(NULL, 0);
    look(x, MG_READ_NEXT, x->age_next, aged);
    return true;
}

static void later(struct mg_js_task *t) { work(mg_container_of(t, struct mg_js_expiry, task)); }

static void work(struct mg_js_expiry *x) {
    unsigned left = AT_ONCE;
    if (x->s->deleting || x->s->js->stopping) return;
    while (!x->reading && x->markers < AT_ONCE && left > 0 && one(x)) left--;
    if (x->reading || x->markers >= AT_ONCE) return; // it goes on when that has come
    if (left > 0) arm(x);
    else if (mg_list_empty(&x->task.link)) mg_js_later(x->s->js, &x->task, later);
}

static void fire(struct mg_timer *t) {
    struct mg_js_expiry *x = mg_container_of(t, struct mg_js_expiry, timer);
    if (!x->reading) work(x);
}

// ---- life -----------------------------------------------------------------------------------------------------------

void mg_js_expiry_update(struct mg_js_stream *s) {
    struct mg_js_expiry *x = s->expiry;
    if (!s->config.allow_msg_ttl) return;
    if (x == NULL) {
        x = s->expiry = mg_zalloc(sizeof(*x));
        x->s = s;
        mg_list_init(&x->task.link);
        mg_timer_init(&x->timer, fire);
        if (mg_stream_visible(s->store) > 0) load(x);
    }
    x->age_next = 0;
    x->age_at = s->config.max_age > 0 ? 0 : INT64_MAX;
    if (!x->reading) work(x);
}

void mg_js_expiry_free(struct mg_js_stream *s) {
    struct mg_js_expiry *x = s->expiry;
    if (x == NULL) return;
    mg_timer_stop(mg_shard_wheel(s->js->shard), &x->timer);
    mg_list_remove(&x->task.link);
    if (x->loading) mg_stream_read_rows_end(s->store, &x->rows);
    mg_js_reading_end(&x->rd);
    mg_js_dues_fini(&x->dues);
    mg_buf_fini(&x->subject);
    mg_free(x);
    s->expiry = NULL;
}

void mg_js_expiry_added(struct mg_js_stream *s, uint64_t seq, int64_t at) {
    struct mg_js_expiry *x = s->expiry;
    if (x == NULL || s->deleting) return;
    const struct mg_js_due *d = mg_js_dues_first(&x->dues);
    bool sooner = at && (d == NULL || at < d->at);
    if (at) mg_js_dues_add(&x->dues, (struct mg_js_due){at, seq});
    if (s->config.max_age > 0 && x->age_at == INT64_MAX) {
        x->age_at = now(x) + s->config.max_age;
        sooner = true;
    }
    if (sooner && !x->reading) arm(x);
}
