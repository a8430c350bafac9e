// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The reader: make a consumer, pull from it, and when anything is odd make another one behind the last message.
//
//      create --> created --> pulling --msg--> entry
//        ^                       |
//        +---- (hook: a moment) <+-- a gap in the consumer's sequence, a missed heartbeat, the consumer or the
//                                    connection gone
//
// After a lost connection it always begins anew: messages that were on the way are delivered for the server, and nobody
// would say that they are missing. The consumer acknowledges nothing and vanishes by itself.
// Always: either a request (create), the pull or the hook's timer is on its way, so the reader cannot fall asleep.
#include "client/host/reader.h"

#include "client/host/encode.h"

enum { TRIES = 6, FIRST_WAIT = 100, IDLE_MINUTES = 5, BATCH = 64 };

static void created(midge_op *op, int err);
static void on_pull(midge_js_pull *pull, const midge_msg *msg, int err, midge_str text, void *user);

static mgc_reader *reader_of(midge_hook *hook) {
    return (mgc_reader *)(void *)((char *)hook - offsetof(mgc_reader, hook));
}

static int create(mgc_reader *r) {
    mgc_op_scratch(r->op);
    mgc_nuid(r->js.m, r->name);
    midge_consumer_config config = {.name = {r->name, 22}, .deliver_policy = r->deliver, .ack_policy = MIDGE_ACK_NONE,
                                    .filter_subject = r->filter, .headers_only = r->headers_only, .mem_storage = true,
                                    .num_replicas = 1, .inactive_threshold = IDLE_MINUTES * 60 * MIDGE_SECOND};
    if (r->stream_seq) {
        config.deliver_policy = MIDGE_DELIVER_BY_START_SEQUENCE;
        config.opt_start_seq = r->stream_seq + 1;
    }
    r->consumer_seq = 0;
    return mgc_consumer_start(r->op, r->stream, &config, MIDGE_CONSUMER_CREATE, created);
}

// Nobody waits for the answer, so none is asked for (spec/jetstream-streams.md 1); if it is lost, time does the same.
static void forget_consumer(mgc_reader *r) {
    if (!r->name[0] || !r->started) return;
    midge_str subject = mgc_arena_format(mgc_op_arena(r->op), "%.*s.CONSUMER.DELETE.%.*s.%s",
                                         (int)mgc_api_prefix(r->op).n, mgc_api_prefix(r->op).p, (int)r->stream.n,
                                         r->stream.p, r->name);
    if (subject.n) midge_publish(r->js.m, subject, "", 0);
    r->name[0] = '\0';
}

// Tries again in a moment, or gives up.
static void again(mgc_reader *r, int err) {
    midge_js_stop(&r->pull);
    forget_consumer(r);
    bool hopeless = err == MIDGE_ENOTFOUND || err == MIDGE_EPROTO || err == MIDGE_ENOMEM || err == MIDGE_ECLOSED;
    if (hopeless || (!r->lasting && r->tries >= TRIES)) {
        mgc_op_end(r->op, err);
        return;
    }
    midge_hook_arm(r->js.m, &r->hook, (uint32_t)FIRST_WAIT << (r->tries < TRIES ? r->tries : TRIES));
    r->tries++;
}

static void on_hook(midge *m, midge_hook *hook, enum midge_hook_why why) {
    mgc_reader *r = reader_of(hook);
    (void)m;
    if (why == MIDGE_HOOK_CLOSED) {
        mgc_op_end(r->op, MIDGE_ECLOSED);
    } else if (why == MIDGE_HOOK_TIME) {
        int err = create(r);
        if (err) again(r, err);
    }
}

static bool caught_up(mgc_reader *r) {
    if (r->caught_up) return true;
    r->caught_up = true;
    return r->entry(r->op, NULL, NULL);
}

static void created(midge_op *op, int err) {
    mgc_reader *r = op->internal->reader;
    midge_consumer_result info = {0};
    if (!err) err = mgc_op_read(op, mgc_consumer_fields, &info);
    if (err) {
        if (r->started) again(r, err);
        else mgc_op_end(op, err);
        return;
    }
    r->started = true;
    if (!r->caught_up) r->behind = info.num_pending;
    if (!r->behind && !caught_up(r)) return;
    r->pull = (midge_js_pull){.stream = r->stream, .consumer = {r->name, 22}, .batch = BATCH};
    err = midge_js_consume(&r->js, &r->pull, on_pull, r);
    if (err) again(r, err);
}

static void on_message(mgc_reader *r, const midge_msg *msg) {
    midge_js_meta meta;
    if (midge_js_meta_parse(msg->reply, &meta) != 0) return;
    if (meta.consumer_seq != r->consumer_seq + 1) {
        again(r, MIDGE_EHEARTBEAT);
        return;
    }
    r->consumer_seq++;
    r->stream_seq = meta.stream_seq;
    r->tries = 0;
    if (r->behind) r->behind--;
    bool last = !r->behind || !meta.pending; // messages may have vanished since the start
    if (r->entry(r->op, msg, &meta) && last) caught_up(r);
}

static void on_pull(midge_js_pull *pull, const midge_msg *msg, int err, midge_str text, void *user) {
    mgc_reader *r = user;
    (void)pull, (void)text;
    if (msg) on_message(r, msg);
    // A consumer that is gone can be made again; only its stream can be missing for good, which create finds out.
    else again(r, err == MIDGE_ENOTFOUND ? MIDGE_ENORESPONDERS : err);
}

int mgc_reader_start(mgc_reader *r) {
    midge_op *op = r->op;
    midge *m = op->internal->m;
    op->internal->reader = r;
    r->js = (midge_js){.m = m, .buf = r->buf, .size = sizeof r->buf, .domain = op->domain, .prefix = op->prefix,
                       .opts = {.timeout = op->timeout}};
    midge_hook_add(m, &r->hook, on_hook);
    int err = create(r);
    if (err) mgc_reader_stop(r);
    return err;
}

void mgc_reader_stop(mgc_reader *r) {
    midge_js_stop(&r->pull);
    forget_consumer(r);
    midge_hook_remove(r->js.m, &r->hook);
}
