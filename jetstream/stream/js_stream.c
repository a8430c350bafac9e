// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/stream/js_stream.h"

#include <stdlib.h>

#include "jetstream/api/reply.h"
#include "jetstream/stream/expiry.h"
#include "jetstream/stream/member.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/timefmt.h"

struct mg_stream_limits mg_js_stream_limits(const struct mg_js_stream_config *c) {
    return (struct mg_stream_limits){
        .max_msgs = c->max_msgs,
        .max_bytes = c->max_bytes,
        .max_msgs_per_subject = c->max_msgs_per_subject,
        .max_age = c->allow_msg_ttl ? 0 : (uint64_t)c->max_age, // expiry.c does it
        .dedupe_window = (uint64_t)c->duplicate_window,
        .discard = c->discard == MG_JS_DISCARD_NEW ? MG_DISCARD_NEW : MG_DISCARD_OLD,
        .discard_new_per_subject = c->discard_new_per_subject,
        .packed = c->compression == MG_JS_COMPRESSION_S2,
    };
}

// ---- what the store tells -------------------------------------------------------------------------------------------

static void on_result(void *app, const struct mg_result *r) {
    struct mg_js_stream *s = app;
    struct mg_js_wait *w = r->ctx;
    if (w == NULL) return;
    mg_list_remove(&w->link);
    w->done(w, s, r);
}

static void on_visible(void *app, uint64_t last) {
    (void)last;
    mg_js_stream_busy(app);
}

static void on_removed(void *app, uint64_t seq, mg_slice subject) { mg_js_members_removed(app, seq, subject); }
static void on_cleared(void *app, uint64_t last) { mg_js_members_cleared(app, last); }

static const struct mg_stream_ops ops = {
    .result = on_result, .visible = on_visible, .removed = on_removed, .cleared = on_cleared};

// ---- subjects -------------------------------------------------------------------------------------------------------

static struct mg_js_sub *subscribe_direct(struct mg_js_stream *s, const char *tail) {
    struct mg_buf subject = MG_BUF_INIT;
    mg_slice name = mg_js_stream_name(s);
    mg_buf_addf(&subject, "$JS.API.DIRECT.GET.%.*s%s", (int)name.n, name.p, tail);
    struct mg_js_sub *sub = mg_js_subscribe(s->js, mg_buf_slice(&subject), mg_js_stream_direct, s);
    mg_buf_fini(&subject);
    return sub;
}

static void subscribe(struct mg_js_stream *s) {
    s->nsubs = s->config.subjects.n;
    s->subs = mg_zalloc((s->nsubs + 1) * sizeof(s->subs[0]));
    for (size_t i = 0; i < s->nsubs; i++)
        s->subs[i] = mg_js_subscribe(s->js, s->config.subjects.v[i], mg_js_stream_publish, s);
    if (!s->config.allow_direct) return;
    s->direct = subscribe_direct(s, "");
    s->direct_last = subscribe_direct(s, ".>");
}

static void unsubscribe(struct mg_js_stream *s) {
    for (size_t i = 0; i < s->nsubs; i++) mg_js_unsubscribe(s->js, s->subs[i]);
    mg_free(s->subs);
    s->subs = NULL;
    s->nsubs = 0;
    mg_js_unsubscribe(s->js, s->direct);
    mg_js_unsubscribe(s->js, s->direct_last);
    s->direct = s->direct_last = NULL;
}

// ---- reads ----------------------------------------------------------------------------------------------------------

static void came(struct mg_read *r) {
    struct mg_js_reading *rd = mg_container_of(r, struct mg_js_reading, r);
    mg_list_remove(&rd->link);
    rd->done(rd);
}

int mg_js_read(struct mg_js_stream *s, struct mg_js_reading *rd) {
    rd->stream = s;
    rd->r.done = came;
    int err = mg_stream_read(s->store, &rd->r);
    if (err == MG_EAGAIN) mg_list_push_back(&s->reads, &rd->link);
    return err;
}

void mg_js_reading_end(struct mg_js_reading *rd) {
    if (rd->stream == NULL) return;
    if (rd->link.next) mg_list_remove(&rd->link);
    mg_stream_read_end(&rd->r);
}

static void end_reads(struct mg_js_stream *s) {
    while (!mg_list_empty(&s->reads)) {
        struct mg_js_reading *rd = mg_container_of(s->reads.next, struct mg_js_reading, link);
        mg_list_remove(&rd->link);
        mg_stream_read_end(&rd->r);
        rd->gone(rd);
    }
}

void mg_js_write_where(struct mg_buf *out, const struct mg_js_stream *s, mg_slice stored,
                       const struct mg_js_where *w) {
    char time[40];
    mg_slice name = mg_js_stream_name(s);
    if (stored.n > 2) mg_buf_add(out, stored.p, stored.n - 2);
    else mg_buf_adds(out, "NATS/1.0\r\n");
    mg_buf_addf(out, "Nats-Stream: %.*s\r\nNats-Subject: ", (int)name.n, name.p);
    mg_buf_add_slice(out, w->subject);
    mg_buf_addf(out, "\r\nNats-Sequence: %llu\r\nNats-Time-Stamp: %s\r\n", (unsigned long long)w->seq,
                mg_fmt_time(time, w->time));
}

// ---- life -----------------------------------------------------------------------------------------------------------

static struct mg_transform *transform(mg_slice src, mg_slice dest) {
    struct mg_transform *t = NULL;
    char err[256]; // the configuration was checked: it has none
    return mg_transform_new(src, dest, MG_TRANSFORM_MAPPING, &t, err, sizeof(err)) == 0 ? t : NULL;
}

static void prepare(struct mg_js_stream *s) {
    const struct mg_js_subject_transform *t = s->config.subject_transform;
    const struct mg_js_republish *r = s->config.republish;
    s->transform = t ? transform(t->src, t->dest) : NULL;
    s->republish = r ? transform(r->src, r->dest) : NULL;
    s->ack_prefix.len = 0;
    mg_js_pub_ack_prefix(&s->ack_prefix, mg_js_stream_name(s), s->js->domain);
}

static void unprepare(struct mg_js_stream *s) {
    mg_transform_free(s->transform);
    mg_transform_free(s->republish);
    s->transform = s->republish = NULL;
}

struct mg_js_stream *mg_js_stream_new(struct mg_js *js, struct mg_stream *store, struct mg_js_stream_config *config) {
    struct mg_js_stream *s = mg_zalloc(sizeof(*s));
    s->js = js;
    s->store = store;
    s->config = *config;
    *config = (struct mg_js_stream_config){.name = {NULL, 0}};
    mg_list_init(&s->busy);
    mg_list_init(&s->stalled);
    mg_list_init(&s->leaving);
    mg_list_init(&s->reads);
    mg_list_init(&s->held);
    mg_stream_set_ops(store, &ops, s);
    prepare(s);
    subscribe(s);
    mg_js_expiry_update(s);
    return s;
}

void mg_js_stream_reconfigure(struct mg_js_stream *s, struct mg_js_stream_config *config) {
    unsubscribe(s);
    unprepare(s);
    mg_js_stream_fini(&s->config);
    s->config = *config;
    *config = (struct mg_js_stream_config){.name = {NULL, 0}};
    prepare(s);
    subscribe(s);
    mg_js_expiry_update(s);
    if (s->config.retention == MG_JS_LIMITS) return;
    if (s->members) mg_js_sleepers_wake_all(s->members); // what they need has to be known now
    mg_js_retention_sweep(s);
}

void mg_js_stream_retire(struct mg_js_stream *s) {
    s->deleting = true;
    unsubscribe(s);
    mg_js_members_retire(s, true);
    end_reads(s);
}

// From here on it needs its stored stream no more.
static void detach(struct mg_js_stream *s) {
    s->deleting = true;
    if (s->store == NULL) return;
    mg_stream_set_ops(s->store, NULL, NULL); // it may have something to tell behind its deletion
    unsubscribe(s);
    unprepare(s);
    end_reads(s);
    mg_js_expiry_free(s);
    s->store = NULL;
}

void mg_js_stream_free(struct mg_js_stream *s) {
    detach(s);
    mg_js_members_free(s);
    mg_list_remove(&s->busy);
    mg_list_remove(&s->stalled);
    mg_list_remove(&s->leaving);
    mg_js_stream_fini(&s->config);
    mg_buf_fini(&s->ack_prefix);
    mg_free(s);
}

void mg_js_stream_leave(struct mg_js_stream *s) {
    detach(s);
    mg_list_push_back(&s->js->leaving, &s->leaving);
    mg_js_stream_busy(s);
}

void mg_js_stream_shutdown(struct mg_js_stream *s) {
    unsubscribe(s);
    mg_js_members_retire(s, false);
    end_reads(s);
}

// ---- turns ----------------------------------------------------------------------------------------------------------

void mg_js_stream_busy(struct mg_js_stream *s) {
    if (mg_list_empty(&s->busy)) mg_list_push_back(&s->js->busy, &s->busy);
}

void mg_js_stream_stall(struct mg_js_stream *s) {
    if (mg_list_empty(&s->stalled)) mg_list_push_back(&s->js->stalled, &s->stalled);
}

bool mg_js_stream_turn(struct mg_js_stream *s) {
    if (!s->deleting) return s->members && mg_js_members_turn(s->members);
    if (s->members && mg_js_members_leave(s->members)) return true;
    if (s->store == NULL) mg_js_stream_free(s);
    return false;
}

// ---- consumers ------------------------------------------------------------------------------------------------------

uint64_t mg_js_stream_consumers(const struct mg_js_stream *s) {
    return s->members ? s->members->n + s->members->asleep.count : 0;
}

struct check {
    const struct mg_js_consumer_limits *limits;
    mg_slice *names; // of those that they would forbid
    size_t n;
};

static void check_sleeper(void *ctx, void *val) {
    struct check *k = ctx;
    const struct mg_js_sleeper *sl = val;
    const struct mg_js_consumer_config c = {.max_ack_pending = sl->max_ack_pending,
                                            .inactive_threshold = sl->inactive_threshold};
    if (mg_js_consumer_violates(&c, k->limits)) k->names[k->n++] = mg_js_sleeper_name(sl);
}

static void check_member(void *ctx, void *val) {
    struct check *k = ctx;
    const struct mg_js_member *m = val;
    if (mg_js_consumer_violates(&m->terms->config, k->limits)) k->names[k->n++] = mg_js_member_name(m);
}

static int by_name(const void *a, const void *b) { return mg_slice_cmp(*(const mg_slice *)a, *(const mg_slice *)b); }

int mg_js_stream_check_consumers(const struct mg_js_stream *s, const struct mg_js_stream_config *c,
                                 struct mg_js_error *e) {
    const struct mg_js_consumer_limits *l = &c->consumer_limits;
    if (s->members == NULL || (l->inactive_threshold <= 0 && l->max_ack_pending <= 0)) return 0;
    struct check k = {l, mg_alloc((mg_js_stream_consumers(s) + 1) * sizeof(mg_slice)), 0};
    struct mg_buf names = MG_BUF_INIT;
    mg_table_each(&s->members->by_name, check_member, &k);
    mg_table_each(&s->members->asleep, check_sleeper, &k);
    qsort(k.names, k.n, sizeof(k.names[0]), by_name);
    for (size_t i = 0; i < k.n; i++) {
        if (i) mg_buf_adds(&names, ", ");
        mg_buf_add_slice(&names, k.names[i]);
    }
    int rc = 0;
    if (k.n)
        rc = mg_js_failf(e, MG_JSE_STREAM_UPDATE, "change to limits violates consumers: %.*s", (int)names.len, names.p);
    mg_buf_fini(&names);
    mg_free(k.names);
    return rc;
}
