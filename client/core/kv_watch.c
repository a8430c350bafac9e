// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Watching keys: an ordered push consumer (ADR-17) of the bucket's stream.
//
// Each incarnation has a new inbox to which the server pushes, and a consumer named after it that acknowledges nothing.
// Its messages are numbered from 1 without gaps, and heartbeats say the last number. So a gap, a heartbeat that knows
// of more, silence or a reconnect make the next incarnation, which begins behind the last revision that was given.
// The old consumer is deleted without waiting for an answer; were that lost, the server removes it after some seconds.
//
// The end of what was there at the beginning is known from the answer to the creation (how many there are), or from a
// message that none follows; messages may come before the answer.
//
// What always holds: while active the hook is added, and one of these is true: the creation is under way (`creating`),
// the hook is armed for the next try, messages are expected (hook armed for silence), or there is no connection.
#include "client/core/js_priv.h"

#define PATIENCE 10000 // two heartbeats, in ms

static void begin(midge_kv_watch *w);

// The name of the consumer: the last token of its inbox.
static midge_str name_of(const midge_kv_watch *w) {
    midge_str name = midge_cstr(w->inbox);
    for (size_t i = name.n; i > 0; i--) {
        if (name.p[i - 1] == '.') return (midge_str){name.p + i, name.n - i};
    }
    return name;
}

// Deletes the consumer that is there, as far as possible.
static void discard(midge_kv_watch *w) {
    midge *m = w->kv->js->m;
    midge_str name = name_of(w);
    mgc_text t;

    midge_request_cancel(m, w->request);
    w->request = 0;
    midge_unsubscribe(m, w->sub, 0);
    w->sub = 0;
    if (!w->known) return;
    w->known = false;
    mgc_text_begin(&t, w->kv->js);
    mgc_text_form(&t, "@.CONSUMER.DELETE.KV_?.?", &w->kv->bucket, &name);
    if (!t.full) midge_publish(m, (midge_str){t.p, t.n}, NULL, 0);
}

void midge_kv_watch_stop(midge_kv_watch *w) {
    if (!w->active) return;
    w->active = false;
    discard(w);
    midge_hook_remove(w->kv->js->m, &w->hook);
}

static void end(midge_kv_watch *w, int err) {
    midge_kv_watch_stop(w);
    w->fn(w, NULL, err, w->user);
}

// Tries again a little later, and more and more later.
static void later(midge_kv_watch *w) {
    discard(w);
    midge_hook_arm(w->kv->js->m, &w->hook, 250u << w->fails);
    if (w->fails < 5) w->fails++;
}

static void expect_within(midge_kv_watch *w) { midge_hook_arm(w->kv->js->m, &w->hook, PATIENCE); }

// Says once that all that was there has been given.
static void check_ready(midge_kv_watch *w, bool all) {
    if (w->ready || !all) return;
    w->ready = true;
    w->fn(w, NULL, 0, w->user);
}

static void give(midge_kv_watch *w, const midge_msg *msg, const midge_js_meta *meta) {
    size_t n = mgc_kv_prefix(w->kv);
    midge_kv_entry entry = {.value = msg->data, .headers = msg->headers, .revision = meta->stream_seq,
                            .created = meta->time, .pending = meta->pending,
                            .operation = mgc_kv_operation(msg->headers)};
    midge *m = w->kv->js->m;
    int32_t sub = w->sub;
    bool all = ++w->seen == w->initial || meta->pending == 0;

    if (msg->subject.n > n) entry.key = (midge_str){msg->subject.p + n, msg->subject.n - n};
    if (entry.operation == MIDGE_KV_PUT || !w->ignore_deletes) w->fn(w, &entry, 0, w->user);
    if (midge_sub_alive(m, sub)) check_ready(w, all); // otherwise it was ended in fn, and may be no more
}

static void answer(midge *m, midge_str reply) {
    if (reply.n > 0) midge_publish(m, reply, NULL, 0);
}

// spec/jetstream-consumers.md 12.2, 12.3: heartbeats, and questions whether we have kept up.
static void on_control(midge_kv_watch *w, const midge_msg *msg) {
    midge *m = w->kv->js->m;
    midge_str last = mgc_header(msg->headers, "Nats-Last-Consumer");

    answer(m, msg->reply);
    answer(m, mgc_header(msg->headers, "Nats-Consumer-Stalled"));
    if (last.n > 0 && (uint32_t)mgc_u64_or_0(last) != w->consumer_seq) begin(w);
}

static void on_push(midge *m, const midge_msg *msg, void *user) {
    midge_kv_watch *w = user;
    midge_js_meta meta;

    (void)m;
    if (!w->creating) expect_within(w);
    w->fails = 0;
    if (msg->status != 0 && mgc_str_eq(msg->subject, w->inbox)) {
        on_control(w, msg);
        return;
    }
    if (midge_js_meta_parse(msg->reply, &meta) != 0) return;
    if ((uint32_t)meta.consumer_seq != w->consumer_seq + 1) {
        begin(w);
        return;
    }
    w->consumer_seq++;
    w->revision = meta.stream_seq;
    give(w, msg, &meta);
}

static void on_created(midge *m, int err, const midge_msg *msg, void *user) {
    midge_kv_watch *w = user;
    midge_js_reply reply;

    (void)m;
    w->request = 0;
    w->creating = false;
    if (err == MIDGE_ECLOSED) return; // the hook hears of it too
    if (err == 0) {
        err = midge_js_reply_parse(msg->data, &reply);
        if (err == MIDGE_EPROTO) err = 0; // no acknowledgement of a publish, nor an error: it is there
    }
    if (err == MIDGE_ENOTFOUND) {
        end(w, err);
        return;
    }
    if (err != 0) {
        later(w);
        w->fn(w, NULL, err, w->user);
        return;
    }
    expect_within(w);
    // spec/jetstream-consumers.md 2: a snapshot from before the first delivery.
    w->initial = (uint32_t)mgc_json_u64(msg->data, "num_pending");
    // Nothing came yet: should this consumer get lost, the next one must not miss what is published from now on.
    uint64_t position = mgc_json_u64(mgc_json_get(msg->data, "delivered"), "stream_seq");
    if (w->updates_only && w->revision < position) w->revision = position;
    check_ready(w, w->updates_only || w->seen >= w->initial);
}

// spec/jetstream-consumers.md 12.5: what clients ask for.
static void put_config(mgc_text *t, const midge_kv_watch *w, const midge_str *name, const midge_str *filter) {
    const midge_str *bucket = &w->kv->bucket;
    midge_str inbox = midge_cstr(w->inbox);
    uint64_t from = w->revision > 0 ? w->revision + 1 : w->from_revision;

    mgc_text_form(t, "{\"stream_name\":\"KV_?\",\"config\":{\"name\":\"?\"", bucket, name);
    mgc_text_form(t, ",\"deliver_subject\":\"?\",\"filter_subject\":\"", &inbox, NULL);
    mgc_text_form(t, MGC_KV_SUBJECT, bucket, filter);
    mgc_text_cstr(t, "\",\"ack_policy\":\"none\",\"flow_control\":true,\"idle_heartbeat\":5000000000,"
                     "\"num_replicas\":1,\"mem_storage\":true,\"deliver_policy\":\"");
    if (from > 0) {
        mgc_text_u64(t, "by_start_sequence\",\"opt_start_seq\":", from);
    } else {
        mgc_text_cstr(t, w->updates_only ? "new\"" : w->history ? "all\"" : "last_per_subject\"");
    }
    mgc_text_cstr(t, w->meta_only ? ",\"headers_only\":true}}" : "}}");
}

// Subscribes and asks for the consumer.
static int create(midge_kv_watch *w) {
    midge_js *js = w->kv->js;
    midge_str filter = w->pattern.n > 0 ? w->pattern : MIDGE_STR(">");
    mgc_text t;

    w->consumer_seq = w->initial = w->seen = 0;
    w->sub = mgc_js_inbox(js->m, w->inbox, on_push, w);
    if (w->sub < 0) return w->sub;
    midge_str name = name_of(w);
    mgc_text_begin(&t, js);
    // spec/jetstream-consumers.md 1: with the filter in the subject, permissions can be given by key.
    mgc_text_form(&t, "@.CONSUMER.CREATE.KV_?.?.", &w->kv->bucket, &name);
    mgc_text_form(&t, MGC_KV_SUBJECT, &w->kv->bucket, &filter);
    size_t body = t.n;
    put_config(&t, w, &name, &filter);
    w->request = mgc_js_request(&t, body, true, on_created, w);
    if (w->request < 0) return w->request;
    w->creating = w->known = true;
    w->hook.armed = false;
    return 0;
}

// The next incarnation; while disconnected that is for later.
static void begin(midge_kv_watch *w) {
    if (midge_state_of(w->kv->js->m) != MIDGE_STATE_CONNECTED) return;
    discard(w);
    if (create(w) != 0) later(w);
}

static void on_hook(midge *m, midge_hook *hook, enum midge_hook_why why) {
    midge_kv_watch *w = MGC_OF_HOOK(midge_kv_watch, hook);

    (void)m;
    switch (why) {
    case MIDGE_HOOK_UP: begin(w); break;
    case MIDGE_HOOK_DOWN:
        hook->armed = false;
        w->fn(w, NULL, MIDGE_EDISCONNECTED, w->user);
        break;
    case MIDGE_HOOK_CLOSED: end(w, MIDGE_ECLOSED); break;
    case MIDGE_HOOK_TIME: {
        bool silence = w->sub > 0;
        begin(w);
        if (silence) w->fn(w, NULL, MIDGE_EHEARTBEAT, w->user);
        break;
    }
    }
}

int midge_kv_watch_start(const midge_kv *kv, midge_kv_watch *w, midge_kv_watch_fn fn, void *user) {
    if (!midge_kv_bucket_valid(kv->bucket) || (w->pattern.n > 0 && !midge_kv_pattern_valid(w->pattern))) {
        return MIDGE_EINVAL;
    }
    w->kv = kv;
    w->fn = fn;
    w->user = user;
    w->creating = w->known = w->ready = false;
    w->fails = 0;
    w->sub = w->request = 0;
    w->revision = 0;
    midge_hook_add(kv->js->m, &w->hook, on_hook);
    w->active = true;
    enum midge_state state = midge_state_of(kv->js->m); // without a connection the next one begins it
    int err = state != MIDGE_STATE_CONNECTING && state != MIDGE_STATE_RECONNECTING ? create(w) : 0;
    if (err != 0) midge_kv_watch_stop(w);
    return err;
}
