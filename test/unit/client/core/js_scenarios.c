// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// JetStream against a scripted server.
#include "test/unit/client/core/js_rig.h"

// ---- callbacks that log

static void on_ack(midge_js *j, int err, const midge_js_reply *reply, void *user) {
    struct rig *r = user;
    (void)j;
    js_note(r, "ack", err);
    if (reply) {
        rig_note(r, " ");
        rig_note_str(r, reply->stream);
        rig_note(r, ":");
        rig_note_int(r, (long)reply->seq);
        if (reply->duplicate) rig_note(r, " duplicate");
        if (reply->err_code) js_note(r, "", reply->err_code);
        rig_note_str(r, reply->description);
    }
    rig_note(r, "\n");
}

static void on_stored(midge_js_get *op, int err, const midge_js_stored *msg, void *user) {
    struct rig *r = user;
    (void)op;
    js_note(r, "got", err);
    if (msg) {
        rig_note(r, " ");
        rig_note_str(r, msg->subject);
        rig_note(r, "@");
        rig_note_int(r, (long)msg->seq);
        rig_note(r, " ");
        rig_note_str(r, msg->data);
        CHECK(msg->time == 1767323045500000000u);
    }
    rig_note(r, "\n");
}

static void on_pull(midge_js_pull *pull, const midge_msg *msg, int err, midge_str text, void *user) {
    struct rig *r = user;
    if (msg) {
        rig_note(r, "msg ");
        rig_note_str(r, msg->data);
        CHECK(midge_js_ack(&r->m, msg->reply) == 0);
        if (js.stop_after > 0 && --js.stop_after == 0) midge_js_stop(pull);
    } else {
        js_note(r, pull->active ? "notice" : "end", err);
        if (text.n > 0) rig_note(r, " ");
        rig_note_str(r, text);
    }
    rig_note(r, "\n");
}

// ---- publish

static void scenario_publish(struct rig *r) {
    midge_js_pub op = {.subject = MIDGE_STR("a.b"), .data = "hello", .len = 5};
    js_connect(r);
    CHECK(midge_js_publish(&js.js, &op, on_ack, r) == 0);
    wrote(r, "SUB _INBOX.{a}.* 1\r\nPUB a.b _INBOX.{a}.{b} 5\r\nhello\r\n");
    js_say_msg(r, "_INBOX.{a}.{b} 1", "", "{\"stream\":\"S\",\"seq\":7}");
    rig_saw(r, "ack 0 S:7\n");
    // With everything that can be said in headers, the caller's first.
    op.headers = MIDGE_STR("NATS/1.0\r\nA: 1\r\n\r\n");
    op.msg_id = MIDGE_STR("id");
    op.expect_stream = MIDGE_STR("S");
    op.expect_last_msg_id = MIDGE_STR("old");
    op.expect = MIDGE_JS_LAST_SEQ | MIDGE_JS_LAST_SUBJECT_SEQ;
    op.expect_last_seq = 7;
    op.expect_last_subject_seq = 0;
    op.len = 0;
    CHECK(midge_js_publish(&js.js, &op, on_ack, r) == 0);
    wrote(r, "HPUB a.b _INBOX.{a}.{c} 164 164\r\nNATS/1.0\r\nA: 1\r\nNats-Msg-Id: id\r\nNats-Expected-Stream: S\r\n"
             "Nats-Expected-Last-Msg-Id: old\r\nNats-Expected-Last-Sequence: 7\r\n"
             "Nats-Expected-Last-Subject-Sequence: 0\r\n\r\n\r\n");
    js_say_msg(r, "_INBOX.{a}.{c} 1", "",
            "{\"error\":{\"code\":400,\"err_code\":10071,\"description\":\"wrong last sequence: 9\"},"
            "\"stream\":\"S\",\"seq\":0}");
    rig_saw(r, "ack -23 S:0 10071wrong last sequence: 9\n");
}

static void scenario_publish_again(struct rig *r) {
    midge_js_pub op = {.subject = MIDGE_STR("a"), .msg_id = MIDGE_STR("x\ny"), .retry_wait = 100};
    js_connect(r);
    CHECK(midge_js_publish(&js.js, &op, on_ack, r) == MIDGE_ETOOLARGE); // a line break
    op.msg_id = MIDGE_NONE;
    CHECK(midge_js_publish(&js.js, &op, on_ack, r) == 0);
    wrote(r, "SUB _INBOX.{a}.* 1\r\nPUB a _INBOX.{a}.{b} 0\r\n\r\n");
    js_say_msg(r, "_INBOX.{a}.{b} 1", NOBODY, "");
    rig_later(r, 99);
    wrote(r, "");
    rig_later(r, 1);
    wrote(r, "PUB a _INBOX.{a}.{c} 0\r\n\r\n");
    js_say_msg(r, "_INBOX.{a}.{c} 1", NOBODY, "");
    rig_later(r, 100);
    wrote(r, "PUB a _INBOX.{a}.{d} 0\r\n\r\n");
    js_say_msg(r, "_INBOX.{a}.{d} 1", NOBODY, "");
    rig_saw(r, "ack -9\n");
    // Without an id a timeout is the end, with one it is not.
    CHECK(midge_js_publish(&js.js, &op, on_ack, r) == 0);
    rig_later(r, 5000);
    rig_saw(r, "ack -8\n");
    r->out_n = 0;
    op.msg_id = MIDGE_STR("i");
    js.js.opts.timeout = 1000;
    CHECK(midge_js_publish(&js.js, &op, on_ack, r) == 0);
    rig_later(r, 1100);
    wrote(r, "HPUB a _INBOX.{a}.{e} 28 28\r\nNATS/1.0\r\nNats-Msg-Id: i\r\n\r\n\r\n"
             "HPUB a _INBOX.{a}.{f} 28 28\r\nNATS/1.0\r\nNats-Msg-Id: i\r\n\r\n\r\n");
    js_say_msg(r, "_INBOX.{a}.{f} 1", "", "{\"stream\":\"S\",\"seq\":3,\"duplicate\": true}");
    rig_saw(r, "ack 0 S:3 duplicate\n");
    // Once means once; and what is cancelled is silent.
    op.retries = MIDGE_JS_ONCE;
    CHECK(midge_js_publish(&js.js, &op, on_ack, r) == 0);
    rig_later(r, 2000);
    rig_saw(r, "ack -8\n");
    op.retries = 1;
    CHECK(midge_js_publish(&js.js, &op, on_ack, r) == 0);
    rig_later(r, 1050);
    midge_js_publish_cancel(&op);
    rig_later(r, 10000);
    rig_saw(r, "");
}

static void scenario_publish_closed(struct rig *r) {
    midge_js_pub op = {.subject = MIDGE_STR("a")}, waiting = {.subject = MIDGE_STR("b")};
    js_connect(r);
    CHECK(midge_js_publish(&js.js, &waiting, on_ack, r) == 0);
    wrote(r, "SUB _INBOX.{a}.* 1\r\nPUB b _INBOX.{a}.{b} 0\r\n\r\n");
    js_say_msg(r, "_INBOX.{a}.{b} 1", NOBODY, "");
    CHECK(midge_js_publish(&js.js, &op, on_ack, r) == 0);
    midge_close(&r->m);
    rig_saw(r, "ack -6\nack -6\nclosed\n");
}

// ---- get

#define STORED "NATS/1.0\r\nNats-Subject: forged\r\nNats-Stream: S\r\nNats-Subject: a.b\r\nNats-Sequence: 7\r\n" \
               "Nats-Time-Stamp: 2026-01-02T03:04:05.5Z\r\n\r\n"

static void scenario_get(struct rig *r) {
    midge_js_get op = {.stream = MIDGE_STR("S"), .subject = MIDGE_STR("a.b")};
    js_connect(r);
    js.js.domain = MIDGE_STR("hub");
    CHECK(midge_js_get_msg(&js.js, &op, on_stored, r) == 0);
    wrote(r, "SUB _INBOX.{a}.* 1\r\nPUB $JS.hub.API.DIRECT.GET.S.a.b _INBOX.{a}.{b} 0\r\n\r\n");
    js_say_msg(r, "_INBOX.{a}.{b} 1", STORED, "v");
    rig_saw(r, "got 0 a.b@7 v\n");
    op.seq = 12;
    CHECK(midge_js_get_msg(&js.js, &op, on_stored, r) == 0);
    wrote(r, "PUB $JS.hub.API.DIRECT.GET.S _INBOX.{a}.{c} 10\r\n{\"seq\":12}\r\n");
    js_say_msg(r, "_INBOX.{a}.{c} 1", "NATS/1.0 404 Message Not Found\r\n\r\n", "");
    rig_saw(r, "got -22\n");
    static const struct {
        const char *headers, *data, *saw;
    } bad[] = {{NOBODY, "", "got -9\n"},
               {"NATS/1.0 408 Bad Request\r\n\r\n", "", "got -21\n"},
               {"", "no headers", "got -13\n"}};
    for (size_t i = 0; i < 3; i++) {
        CHECK(midge_js_get_msg(&js.js, &op, on_stored, r) == 0);
        js_name("{z}")[0] = '\0';
        wrote(r, "PUB $JS.hub.API.DIRECT.GET.S _INBOX.{a}.{z} 10\r\n{\"seq\":12}\r\n");
        js_say_msg(r, "_INBOX.{a}.{z} 1", bad[i].headers, bad[i].data);
        rig_saw(r, bad[i].saw);
    }
    js.js.size = 20;
    CHECK(midge_js_get_msg(&js.js, &op, on_stored, r) == MIDGE_ETOOLARGE);
}

// ---- acknowledgements

static void scenario_acks(struct rig *r) {
    midge_str to = MIDGE_STR("$JS.ACK.S.c.1.2.3.4.5");
    js_connect(r);
    CHECK(midge_js_ack(&r->m, to) == 0 && midge_js_progress(&r->m, to) == 0 && midge_js_nak(&r->m, to, 0) == 0);
    wrote(r, "PUB $JS.ACK.S.c.1.2.3.4.5 4\r\n+ACK\r\nPUB $JS.ACK.S.c.1.2.3.4.5 4\r\n+WPI\r\n"
             "PUB $JS.ACK.S.c.1.2.3.4.5 4\r\n-NAK\r\n");
    CHECK(midge_js_nak(&r->m, to, 1500) == 0);
    wrote(r, "PUB $JS.ACK.S.c.1.2.3.4.5 25\r\n-NAK {\"delay\":1500000000}\r\n");
    CHECK(midge_js_term(&r->m, to, MIDGE_NONE) == 0 && midge_js_term(&r->m, to, MIDGE_STR("no use")) == 0);
    wrote(r, "PUB $JS.ACK.S.c.1.2.3.4.5 5\r\n+TERM\r\nPUB $JS.ACK.S.c.1.2.3.4.5 12\r\n+TERM no use\r\n");
    char reason[130];
    memset(reason, 'x', sizeof(reason));
    CHECK(midge_js_term(&r->m, to, (midge_str){reason, sizeof(reason)}) == MIDGE_ETOOLARGE);
    CHECK(midge_js_ack(&r->m, MIDGE_NONE) == MIDGE_ESUBJECT);
    CHECK(midge_js_ack_sync(&js.js, to, rig_on_reply, r) > 0);
    wrote(r, "SUB _INBOX.{a}.* 1\r\nPUB $JS.ACK.S.c.1.2.3.4.5 _INBOX.{a}.{b} 4\r\n+ACK\r\n");
    js_say_msg(r, "_INBOX.{a}.{b} 1", "", "");
    rig_saw(r, "reply 0 \n");
}

// ---- pull

#define HEARTBEAT "NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 1\r\nNats-Last-Stream: 1\r\n\r\n"

static void scenario_fetch(struct rig *r) {
    midge_js_pull op = {.stream = MIDGE_STR("S"), .consumer = MIDGE_STR("c"), .batch = 2};
    js_connect(r);
    CHECK(midge_js_fetch(&js.js, &op, on_pull, r) == 0);
    wrote(r, "SUB _INBOX.{a} 1\r\nPUB $JS.API.CONSUMER.MSG.NEXT.S.c _INBOX.{a} 32\r\n"
             "{\"batch\":2,\"expires\":5000000000}\r\n");
    js_say_msg(r, "a.b 1 $JS.ACK.S.c.1.1.1.4.5", "", "one");
    js_say_msg(r, "a.b 1 $JS.ACK.S.c.1.2.2.4.5", "", "two");
    rig_saw(r, "msg one\nmsg two\nend 0\n");
    wrote(r, "PUB $JS.ACK.S.c.1.1.1.4.5 4\r\n+ACK\r\nPUB $JS.ACK.S.c.1.2.2.4.5 4\r\n+ACK\r\nUNSUB 1\r\n");
    // What ends a fetch early.
    static const struct {
        const char *status, *saw;
    } ends[] = {{"NATS/1.0 404 No Messages\r\n\r\n", "end 0 No Messages\n"},
                {"NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 2\r\nNats-Pending-Bytes: 0\r\n\r\n",
                 "end 0 Request Timeout\n"},
                {"NATS/1.0 409 Batch Completed\r\nNats-Pending-Messages: 0\r\nNats-Pending-Bytes: 9\r\n\r\n",
                 "end 0 Batch Completed\n"},
                {"NATS/1.0 409 Message Size Exceeds MaxBytes\r\n"
                 "Nats-Pending-Messages: 2\r\nNats-Pending-Bytes: 9\r\n\r\n",
                 "end 0 Message Size Exceeds MaxBytes\n"},
                {"NATS/1.0 409 Exceeded MaxWaiting\r\n\r\n", "end -21 Exceeded MaxWaiting\n"},
                {"NATS/1.0 409 Consumer Deleted\r\n\r\n", "end -22 Consumer Deleted\n"},
                {"NATS/1.0 409 Consumer is push based\r\n\r\n", "end -1 Consumer is push based\n"},
                {"NATS/1.0 400 Bad Request - no\r\n\r\n", "end -1 Bad Request - no\n"},
                {NOBODY, "end -9\n"}};
    op.no_wait = true;
    op.max_bytes = 100;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        CHECK(midge_js_fetch(&js.js, &op, on_pull, r) == 0);
        js_name("{y}")[0] = js_name("{z}")[0] = '\0';
        wrote(r, "SUB _INBOX.{z} {y}\r\nPUB $JS.API.CONSUMER.MSG.NEXT.S.c _INBOX.{z} 42\r\n"
                 "{\"batch\":2,\"max_bytes\":100,\"no_wait\":true}\r\n");
        js_say_msg(r, "_INBOX.{z} {y}", ends[i].status, "");
        rig_saw(r, ends[i].saw);
        r->out_n = 0;
    }
}

static void scenario_fetch_silence(struct rig *r) {
    midge_js_pull op = {.stream = MIDGE_STR("S"), .consumer = MIDGE_STR("c"), .batch = 1, .expires = 20000};
    js_connect(r);
    CHECK(midge_js_fetch(&js.js, &op, on_pull, r) == 0);
    wrote(r, "SUB _INBOX.{a} 1\r\nPUB $JS.API.CONSUMER.MSG.NEXT.S.c _INBOX.{a} 62\r\n"
             "{\"batch\":1,\"expires\":20000000000,\"idle_heartbeat\":10000000000}\r\n");
    rig_later(r, 19000);
    js_say_msg(r, "_INBOX.{a} 1", HEARTBEAT, "");
    rig_later(r, 19999);
    rig_saw(r, "");
    rig_later(r, 1);
    rig_saw(r, "end -24\n");
    op.expires = 1000;
    CHECK(midge_js_fetch(&js.js, &op, on_pull, r) == 0);
    rig_later(r, 3000);
    rig_saw(r, "end -8\n");
    CHECK(midge_js_fetch(&js.js, &op, on_pull, r) == 0);
    rig_cut(r);
    rig_saw(r, "disconnected -10\nend -10\n");
    op.heartbeat = 501;
    CHECK(midge_js_fetch(&js.js, &op, on_pull, r) == MIDGE_EINVAL);
}

#define PULL(n, json) "PUB $JS.API.CONSUMER.MSG.NEXT.S.c _INBOX.{a} " n "\r\n" json "\r\n"
#define LIFE ",\"expires\":30000000000,\"idle_heartbeat\":15000000000}"
#define ACK(n) "PUB $JS.ACK.S.c.1." n "." n ".4.5 4\r\n+ACK\r\n"

static void scenario_consume(struct rig *r) {
    midge_js_pull op = {.stream = MIDGE_STR("S"), .consumer = MIDGE_STR("c"), .batch = 4};
    js_connect(r);
    CHECK(midge_js_consume(&js.js, &op, on_pull, r) == 0);
    wrote(r, "SUB _INBOX.{a} 1\r\n" PULL("62", "{\"batch\":4" LIFE));
    js_say_msg(r, "a 1 $JS.ACK.S.c.1.1.1.4.5", "", "1");
    wrote(r, ACK("1"));
    js_say_msg(r, "a 1 $JS.ACK.S.c.1.2.2.4.5", "", "2"); // half: asks for two more
    wrote(r, PULL("62", "{\"batch\":2" LIFE) ACK("2"));
    js_say_msg(r, "a 1 $JS.ACK.S.c.1.3.3.4.5", "NATS/1.0\r\nA: b\r\n\r\n", "3");
    rig_saw(r, "msg 1\nmsg 2\nmsg 3\n");
    wrote(r, ACK("3"));
    // The first request expires with one message owed; of four one is on its way then, two of the second request.
    js_say_msg(r, "_INBOX.{a} 1",
            "NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 1\r\nNats-Pending-Bytes: 0\r\n\r\n", "");
    wrote(r, PULL("62", "{\"batch\":2" LIFE));
    js_say_msg(r, "_INBOX.{a} 1", HEARTBEAT, "");
    rig_later(r, 29999);
    rig_saw(r, "");
    rig_later(r, 1);
    rig_saw(r, "notice -24\n");
    wrote(r, PULL("62", "{\"batch\":4" LIFE));
    midge_js_stop(&op);
    midge_js_stop(&op);
    wrote(r, "UNSUB 1\r\n");
    js_say_msg(r, "a 1 $JS.ACK.S.c.1.4.4.4.5", "", "4");
    rig_later(r, 60000);
    rig_saw(r, "");
}

static void scenario_consume_bytes(struct rig *r) {
    midge_js_pull op = {.stream = MIDGE_STR("S"), .consumer = MIDGE_STR("c"), .batch = 50, .max_bytes = 100};
    js_connect(r);
    CHECK(midge_js_consume(&js.js, &op, on_pull, r) == 0);
    wrote(r, "SUB _INBOX.{a} 1\r\n" PULL("79", "{\"batch\":50,\"max_bytes\":100" LIFE));
    // 1 + 21 + 0 + 30 bytes leave 48.
    js_say_msg(r, "a 1 $JS.ACK.S.c.1.1.1.4.5", "", "123456789012345678901234567890");
    wrote(r, PULL("77", "{\"batch\":1,\"max_bytes\":52" LIFE) ACK("1"));
    // A message of 100 fits neither request: the first refusal is answered by asking, the next by waiting.
    js_say_msg(r, "_INBOX.{a} 1",
            "NATS/1.0 409 Message Size Exceeds MaxBytes\r\n"
            "Nats-Pending-Messages: 49\r\nNats-Pending-Bytes: 48\r\n\r\n", "");
    wrote(r, PULL("78", "{\"batch\":49,\"max_bytes\":48" LIFE));
    js_say_msg(r, "_INBOX.{a} 1",
            "NATS/1.0 409 Message Size Exceeds MaxBytes\r\n"
            "Nats-Pending-Messages: 1\r\nNats-Pending-Bytes: 52\r\n\r\n", "");
    wrote(r, "");
    rig_saw(r, "msg 123456789012345678901234567890\nnotice -21 Message Size Exceeds MaxBytes\n");
    rig_later(r, 500);
    wrote(r, PULL("79", "{\"batch\":50,\"max_bytes\":100" LIFE));
    js.stop_after = 1; // stops in the callback
    js_say_msg(r, "a 1 $JS.ACK.S.c.1.2.2.4.5", "", "1234567890");
    rig_saw(r, "msg 1234567890\n");
    CHECK(!op.active);
}

static void scenario_consume_refused(struct rig *r) {
    midge_js_pull op = {.stream = MIDGE_STR("S"), .consumer = MIDGE_STR("c"), .batch = 4};
    js_connect(r);
    CHECK(midge_js_consume(&js.js, &op, on_pull, r) == 0);
    wrote(r, "SUB _INBOX.{a} 1\r\n" PULL("62", "{\"batch\":4" LIFE));
    js_say_msg(r, "_INBOX.{a} 1", NOBODY, "");
    wrote(r, PULL("62", "{\"batch\":4" LIFE)); // at once
    static const uint32_t waits[] = {500, 1000, 2000, 4000, 8000, 8000};
    for (size_t i = 0; i < 6; i++) {
        js_say_msg(r, "_INBOX.{a} 1", NOBODY, "");
        rig_saw(r, "notice -9\n");
        rig_later(r, waits[i] - 1);
        wrote(r, "");
        rig_later(r, 1);
        wrote(r, PULL("62", "{\"batch\":4" LIFE));
    }
    js_say_msg(r, "a 1 $JS.ACK.S.c.1.1.1.4.5", "", "1"); // and all is well again
    rig_saw(r, "msg 1\n");
    wrote(r, ACK("1"));
    js_say_msg(r, "_INBOX.{a} 1", "NATS/1.0 409 Leadership Change\r\n\r\n", "");
    wrote(r, PULL("62", "{\"batch\":4" LIFE));
    rig_saw(r, "");
    js_say_msg(r, "_INBOX.{a} 1", "NATS/1.0 409 Consumer Deleted\r\n\r\n", "");
    rig_saw(r, "end -22 Consumer Deleted\n");
    wrote(r, "UNSUB 1\r\n");
}

static void scenario_consume_reconnect(struct rig *r) {
    midge_js_pull op = {.stream = MIDGE_STR("S"), .consumer = MIDGE_STR("c"), .batch = 4};
    js_start(r);
    rig_start(r);
    rig_saw(r, "open a\n");
    CHECK(midge_js_consume(&js.js, &op, on_pull, r) == 0); // before there is a connection
    rig_say(r, RIG_INFO);
    rig_say(r, "PONG\r\n");
    rig_saw(r, "connected\n");
    const char *pull = strstr(r->out, "PUB $JS");
    CHECK(pull && !strstr(pull + 1, "PUB "));
    rig_cut(r);
    rig_saw(r, "disconnected -10\nnotice -10\n");
    rig_later(r, 1000);
    rig_saw(r, "open a\n");
    rig_say(r, RIG_INFO);
    rig_say(r, "PONG\r\n");
    rig_saw(r, "reconnected\n");
    r->out[r->out_n] = '\0';
    pull = strstr(r->out, "PUB $JS.API.CONSUMER.MSG.NEXT.S.c _INBOX.");
    CHECK(pull && strstr(pull, "{\"batch\":4") && !strstr(pull + 1, "PUB "));
    midge_close(&r->m);
    rig_saw(r, "end -6\nclosed\n");
}

const struct scenario scenarios_js[] = {{"js: publish", scenario_publish},
                                        {"js: publish again", scenario_publish_again},
                                        {"js: publish and close", scenario_publish_closed},
                                        {"js: get", scenario_get},
                                        {"js: acknowledgements", scenario_acks},
                                        {"js: fetch", scenario_fetch},
                                        {"js: fetch and silence", scenario_fetch_silence},
                                        {"js: consume", scenario_consume},
                                        {"js: consume by bytes", scenario_consume_bytes},
                                        {"js: consume refused", scenario_consume_refused},
                                        {"js: consume over a reconnect", scenario_consume_reconnect},
                                        {NULL, NULL}};
