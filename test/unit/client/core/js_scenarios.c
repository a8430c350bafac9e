// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// JetStream and key-value against a scripted server. Inboxes differ from run to run, so scripts name them: `{a}` in
// what is expected takes the letters that stand there, and stands for them from then on.
#include "test/unit/client/core/scenario.h"

#include <string.h>

static struct {
    midge_js js;
    midge_kv kv;
    char text[640];
    char names['z' - 'a' + 1][32];
    // Of the last callbacks, for scenarios that act in them.
    int stop_after;
} js;

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static char *name_at(const char *s) {
    CHECK(s[0] == '{' && s[1] >= 'a' && s[1] <= 'z' && s[2] == '}');
    return js.names[s[1] - 'a'];
}

// True when `{x}` begins here, not JSON.
static bool is_name(const char *s) { return s[0] == '{' && s[1] >= 'a' && s[1] <= 'z' && s[2] == '}'; }

static void start(struct rig *r) {
    memset(&js, 0, sizeof(js));
    rig_fill(r);
    js.js = (midge_js){.m = &r->m, .buf = js.text, .size = sizeof(js.text)};
    js.kv = (midge_kv){.js = &js.js, .bucket = MIDGE_STR("cfg")};
}

static void connect(struct rig *r) {
    start(r);
    rig_connect(r);
}

// What was written since the last time is this.
static void wrote_(struct rig *r, const char *want, int line) {
    const char *got = r->out;

    rig_run(r);
    r->out[r->out_n] = '\0';
    while (*want != '\0') {
        if (is_name(want)) {
            char *name = name_at(want);
            size_t n = strlen(name);
            if (n == 0) {
                while (is_letter(got[n]) && n + 1 < sizeof(js.names[0])) n++;
                memcpy(name, got, n);
                name[n] = '\0';
            }
            if (n == 0 || strncmp(got, name, n) != 0) scenario_failed(__FILE__, line, r->out);
            got += n;
            want += 3;
        } else if (*got++ != *want++) {
            scenario_failed(__FILE__, line, r->out);
        }
    }
    if (*got != '\0') scenario_failed(__FILE__, line, r->out);
    r->out_n = 0;
}
#define wrote(r, want) wrote_((r), (want), __LINE__)

// The server says it, with names replaced.
static void say(struct rig *r, const char *s) {
    static char text[2048];
    size_t n = 0;

    while (*s != '\0') {
        if (is_name(s)) {
            const char *name = name_at(s);
            CHECK(name[0] != '\0');
            memcpy(text + n, name, strlen(name));
            n += strlen(name);
            s += 3;
        } else {
            text[n++] = *s++;
        }
        CHECK(n < sizeof(text) - 64);
    }
    text[n] = '\0';
    rig_say(r, text);
}

static char *put_size(char *at, size_t n) {
    char digits[8];
    size_t i = 0;

    do digits[i++] = (char)('0' + n % 10);
    while (n /= 10);
    while (i > 0) *at++ = digits[--i];
    *at = '\0';
    return at;
}

// A message: "MSG <head> <size>" or, with headers, "HMSG ..."; head is "subject sid[ reply]".
static void say_msg(struct rig *r, const char *head, const char *headers, const char *data) {
    char line[1024] = "";
    size_t h = strlen(headers);

    strcat(line, h > 0 ? "HMSG " : "MSG ");
    strcat(line, head);
    strcat(line, " ");
    if (h > 0) {
        put_size(line + strlen(line), h);
        strcat(line, " ");
    }
    put_size(line + strlen(line), h + strlen(data));
    strcat(line, "\r\n");
    strcat(line, headers);
    strcat(line, data);
    strcat(line, "\r\n");
    say(r, line);
}

static const char nobody[] = "NATS/1.0 503\r\n\r\n";

// ---- callbacks that log

static void note(struct rig *r, const char *what, int err) {
    rig_note(r, what);
    rig_note(r, " ");
    rig_note_int(r, err);
}

static void on_ack(midge_js *j, int err, const midge_js_reply *reply, void *user) {
    struct rig *r = user;
    (void)j;
    note(r, "ack", err);
    if (reply) {
        rig_note(r, " ");
        rig_note_str(r, reply->stream);
        rig_note(r, ":");
        rig_note_int(r, (long)reply->seq);
        if (reply->duplicate) rig_note(r, " duplicate");
        if (reply->err_code) note(r, "", reply->err_code);
        rig_note_str(r, reply->description);
    }
    rig_note(r, "\n");
}

static void on_stored(midge_js_get *op, int err, const midge_js_stored *msg, void *user) {
    struct rig *r = user;
    (void)op;
    note(r, "got", err);
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
        note(r, pull->active ? "notice" : "end", err);
        if (text.n > 0) rig_note(r, " ");
        rig_note_str(r, text);
    }
    rig_note(r, "\n");
}

static void note_entry(struct rig *r, const midge_kv_entry *e) {
    static const char *const words[] = {"", " deleted", " purged"};
    if (e) {
        rig_note(r, " ");
        rig_note_str(r, e->key);
        rig_note(r, "@");
        rig_note_int(r, (long)e->revision);
        rig_note(r, "=");
        rig_note_str(r, e->value);
        rig_note(r, words[e->operation]);
    }
    rig_note(r, "\n");
}

static void on_entry(const midge_kv *kv, int err, const midge_kv_entry *entry, void *user) {
    (void)kv;
    note(user, "entry", err);
    note_entry(user, entry);
}

static void on_write(const midge_kv *kv, int err, uint64_t revision, void *user) {
    (void)kv;
    note(user, "written", err);
    note(user, "", (int)revision);
    rig_note(user, "\n");
}

static void on_watch(midge_kv_watch *w, const midge_kv_entry *entry, int err, void *user) {
    note(user, w->active ? "watch" : "end", err);
    note_entry(user, entry);
}

// ---- publish

static void scenario_publish(struct rig *r) {
    midge_js_pub op = {.subject = MIDGE_STR("a.b"), .data = "hello", .len = 5};
    connect(r);
    CHECK(midge_js_publish(&js.js, &op, on_ack, r) == 0);
    wrote(r, "SUB _INBOX.{a}.* 1\r\nPUB a.b _INBOX.{a}.{b} 5\r\nhello\r\n");
    say_msg(r, "_INBOX.{a}.{b} 1", "", "{\"stream\":\"S\",\"seq\":7}");
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
    say_msg(r, "_INBOX.{a}.{c} 1", "",
            "{\"error\":{\"code\":400,\"err_code\":10071,\"description\":\"wrong last sequence: 9\"},\"stream\":\"S\",\"seq\":0}");
    rig_saw(r, "ack -23 S:0 10071wrong last sequence: 9\n");
}

static void scenario_publish_again(struct rig *r) {
    midge_js_pub op = {.subject = MIDGE_STR("a"), .msg_id = MIDGE_STR("x\ny"), .retry_wait = 100};
    connect(r);
    CHECK(midge_js_publish(&js.js, &op, on_ack, r) == MIDGE_ETOOLARGE); // a line break
    op.msg_id = MIDGE_NONE;
    CHECK(midge_js_publish(&js.js, &op, on_ack, r) == 0);
    wrote(r, "SUB _INBOX.{a}.* 1\r\nPUB a _INBOX.{a}.{b} 0\r\n\r\n");
    say_msg(r, "_INBOX.{a}.{b} 1", nobody, "");
    rig_later(r, 99);
    wrote(r, "");
    rig_later(r, 1);
    wrote(r, "PUB a _INBOX.{a}.{c} 0\r\n\r\n");
    say_msg(r, "_INBOX.{a}.{c} 1", nobody, "");
    rig_later(r, 100);
    wrote(r, "PUB a _INBOX.{a}.{d} 0\r\n\r\n");
    say_msg(r, "_INBOX.{a}.{d} 1", nobody, "");
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
    say_msg(r, "_INBOX.{a}.{f} 1", "", "{\"stream\":\"S\",\"seq\":3,\"duplicate\": true}");
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
    connect(r);
    CHECK(midge_js_publish(&js.js, &waiting, on_ack, r) == 0);
    wrote(r, "SUB _INBOX.{a}.* 1\r\nPUB b _INBOX.{a}.{b} 0\r\n\r\n");
    say_msg(r, "_INBOX.{a}.{b} 1", nobody, "");
    CHECK(midge_js_publish(&js.js, &op, on_ack, r) == 0);
    midge_close(&r->m);
    rig_saw(r, "ack -6\nack -6\nclosed\n");
}

// ---- get

#define STORED "NATS/1.0\r\nNats-Subject: forged\r\nNats-Stream: S\r\nNats-Subject: a.b\r\nNats-Sequence: 7\r\n" \
               "Nats-Time-Stamp: 2026-01-02T03:04:05.5Z\r\n\r\n"

static void scenario_get(struct rig *r) {
    midge_js_get op = {.stream = MIDGE_STR("S"), .subject = MIDGE_STR("a.b")};
    connect(r);
    js.js.domain = MIDGE_STR("hub");
    CHECK(midge_js_get_msg(&js.js, &op, on_stored, r) == 0);
    wrote(r, "SUB _INBOX.{a}.* 1\r\nPUB $JS.hub.API.DIRECT.GET.S.a.b _INBOX.{a}.{b} 0\r\n\r\n");
    say_msg(r, "_INBOX.{a}.{b} 1", STORED, "v");
    rig_saw(r, "got 0 a.b@7 v\n");
    op.seq = 12;
    CHECK(midge_js_get_msg(&js.js, &op, on_stored, r) == 0);
    wrote(r, "PUB $JS.hub.API.DIRECT.GET.S _INBOX.{a}.{c} 10\r\n{\"seq\":12}\r\n");
    say_msg(r, "_INBOX.{a}.{c} 1", "NATS/1.0 404 Message Not Found\r\n\r\n", "");
    rig_saw(r, "got -22\n");
    static const struct {
        const char *headers, *data, *saw;
    } bad[] = {{nobody, "", "got -9\n"},
               {"NATS/1.0 408 Bad Request\r\n\r\n", "", "got -21\n"},
               {"", "no headers", "got -13\n"}};
    for (size_t i = 0; i < 3; i++) {
        CHECK(midge_js_get_msg(&js.js, &op, on_stored, r) == 0);
        name_at("{z}")[0] = '\0';
        wrote(r, "PUB $JS.hub.API.DIRECT.GET.S _INBOX.{a}.{z} 10\r\n{\"seq\":12}\r\n");
        say_msg(r, "_INBOX.{a}.{z} 1", bad[i].headers, bad[i].data);
        rig_saw(r, bad[i].saw);
    }
    js.js.size = 20;
    CHECK(midge_js_get_msg(&js.js, &op, on_stored, r) == MIDGE_ETOOLARGE);
}

// ---- acknowledgements

static void scenario_acks(struct rig *r) {
    midge_str to = MIDGE_STR("$JS.ACK.S.c.1.2.3.4.5");
    connect(r);
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
    say_msg(r, "_INBOX.{a}.{b} 1", "", "");
    rig_saw(r, "reply 0 \n");
}

// ---- pull

#define HEARTBEAT "NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 1\r\nNats-Last-Stream: 1\r\n\r\n"

static void scenario_fetch(struct rig *r) {
    midge_js_pull op = {.stream = MIDGE_STR("S"), .consumer = MIDGE_STR("c"), .batch = 2};
    connect(r);
    CHECK(midge_js_fetch(&js.js, &op, on_pull, r) == 0);
    wrote(r, "SUB _INBOX.{a} 1\r\nPUB $JS.API.CONSUMER.MSG.NEXT.S.c _INBOX.{a} 32\r\n{\"batch\":2,\"expires\":5000000000}\r\n");
    say_msg(r, "a.b 1 $JS.ACK.S.c.1.1.1.4.5", "", "one");
    say_msg(r, "a.b 1 $JS.ACK.S.c.1.2.2.4.5", "", "two");
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
                {"NATS/1.0 409 Message Size Exceeds MaxBytes\r\nNats-Pending-Messages: 2\r\nNats-Pending-Bytes: 9\r\n\r\n",
                 "end 0 Message Size Exceeds MaxBytes\n"},
                {"NATS/1.0 409 Exceeded MaxWaiting\r\n\r\n", "end -21 Exceeded MaxWaiting\n"},
                {"NATS/1.0 409 Consumer Deleted\r\n\r\n", "end -22 Consumer Deleted\n"},
                {"NATS/1.0 409 Consumer is push based\r\n\r\n", "end -1 Consumer is push based\n"},
                {"NATS/1.0 400 Bad Request - no\r\n\r\n", "end -1 Bad Request - no\n"},
                {nobody, "end -9\n"}};
    op.no_wait = true;
    op.max_bytes = 100;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        CHECK(midge_js_fetch(&js.js, &op, on_pull, r) == 0);
        name_at("{y}")[0] = name_at("{z}")[0] = '\0';
        wrote(r, "SUB _INBOX.{z} {y}\r\nPUB $JS.API.CONSUMER.MSG.NEXT.S.c _INBOX.{z} 42\r\n"
                 "{\"batch\":2,\"max_bytes\":100,\"no_wait\":true}\r\n");
        say_msg(r, "_INBOX.{z} {y}", ends[i].status, "");
        rig_saw(r, ends[i].saw);
        r->out_n = 0;
    }
}

static void scenario_fetch_silence(struct rig *r) {
    midge_js_pull op = {.stream = MIDGE_STR("S"), .consumer = MIDGE_STR("c"), .batch = 1, .expires = 20000};
    connect(r);
    CHECK(midge_js_fetch(&js.js, &op, on_pull, r) == 0);
    wrote(r, "SUB _INBOX.{a} 1\r\nPUB $JS.API.CONSUMER.MSG.NEXT.S.c _INBOX.{a} 62\r\n"
             "{\"batch\":1,\"expires\":20000000000,\"idle_heartbeat\":10000000000}\r\n");
    rig_later(r, 19000);
    say_msg(r, "_INBOX.{a} 1", HEARTBEAT, "");
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
    connect(r);
    CHECK(midge_js_consume(&js.js, &op, on_pull, r) == 0);
    wrote(r, "SUB _INBOX.{a} 1\r\n" PULL("62", "{\"batch\":4" LIFE));
    say_msg(r, "a 1 $JS.ACK.S.c.1.1.1.4.5", "", "1");
    wrote(r, ACK("1"));
    say_msg(r, "a 1 $JS.ACK.S.c.1.2.2.4.5", "", "2"); // half: asks for two more
    wrote(r, PULL("62", "{\"batch\":2" LIFE) ACK("2"));
    say_msg(r, "a 1 $JS.ACK.S.c.1.3.3.4.5", "NATS/1.0\r\nA: b\r\n\r\n", "3");
    rig_saw(r, "msg 1\nmsg 2\nmsg 3\n");
    wrote(r, ACK("3"));
    // The first request expires with one message owed; of four one is on its way then, two of the second request.
    say_msg(r, "_INBOX.{a} 1",
            "NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 1\r\nNats-Pending-Bytes: 0\r\n\r\n", "");
    wrote(r, PULL("62", "{\"batch\":2" LIFE));
    say_msg(r, "_INBOX.{a} 1", HEARTBEAT, "");
    rig_later(r, 29999);
    rig_saw(r, "");
    rig_later(r, 1);
    rig_saw(r, "notice -24\n");
    wrote(r, PULL("62", "{\"batch\":4" LIFE));
    midge_js_stop(&op);
    midge_js_stop(&op);
    wrote(r, "UNSUB 1\r\n");
    say_msg(r, "a 1 $JS.ACK.S.c.1.4.4.4.5", "", "4");
    rig_later(r, 60000);
    rig_saw(r, "");
}

static void scenario_consume_bytes(struct rig *r) {
    midge_js_pull op = {.stream = MIDGE_STR("S"), .consumer = MIDGE_STR("c"), .batch = 50, .max_bytes = 100};
    connect(r);
    CHECK(midge_js_consume(&js.js, &op, on_pull, r) == 0);
    wrote(r, "SUB _INBOX.{a} 1\r\n" PULL("79", "{\"batch\":50,\"max_bytes\":100" LIFE));
    // 1 + 21 + 0 + 30 bytes leave 48.
    say_msg(r, "a 1 $JS.ACK.S.c.1.1.1.4.5", "", "123456789012345678901234567890");
    wrote(r, PULL("77", "{\"batch\":1,\"max_bytes\":52" LIFE) ACK("1"));
    // A message of 100 fits neither request: the first refusal is answered by asking, the next by waiting.
    say_msg(r, "_INBOX.{a} 1",
            "NATS/1.0 409 Message Size Exceeds MaxBytes\r\nNats-Pending-Messages: 49\r\nNats-Pending-Bytes: 48\r\n\r\n", "");
    wrote(r, PULL("78", "{\"batch\":49,\"max_bytes\":48" LIFE));
    say_msg(r, "_INBOX.{a} 1",
            "NATS/1.0 409 Message Size Exceeds MaxBytes\r\nNats-Pending-Messages: 1\r\nNats-Pending-Bytes: 52\r\n\r\n", "");
    wrote(r, "");
    rig_saw(r, "msg 123456789012345678901234567890\nnotice -21 Message Size Exceeds MaxBytes\n");
    rig_later(r, 500);
    wrote(r, PULL("79", "{\"batch\":50,\"max_bytes\":100" LIFE));
    js.stop_after = 1; // stops in the callback
    say_msg(r, "a 1 $JS.ACK.S.c.1.2.2.4.5", "", "1234567890");
    rig_saw(r, "msg 1234567890\n");
    CHECK(!op.active);
}

static void scenario_consume_refused(struct rig *r) {
    midge_js_pull op = {.stream = MIDGE_STR("S"), .consumer = MIDGE_STR("c"), .batch = 4};
    connect(r);
    CHECK(midge_js_consume(&js.js, &op, on_pull, r) == 0);
    wrote(r, "SUB _INBOX.{a} 1\r\n" PULL("62", "{\"batch\":4" LIFE));
    say_msg(r, "_INBOX.{a} 1", nobody, "");
    wrote(r, PULL("62", "{\"batch\":4" LIFE)); // at once
    static const uint32_t waits[] = {500, 1000, 2000, 4000, 8000, 8000};
    for (size_t i = 0; i < 6; i++) {
        say_msg(r, "_INBOX.{a} 1", nobody, "");
        rig_saw(r, "notice -9\n");
        rig_later(r, waits[i] - 1);
        wrote(r, "");
        rig_later(r, 1);
        wrote(r, PULL("62", "{\"batch\":4" LIFE));
    }
    say_msg(r, "a 1 $JS.ACK.S.c.1.1.1.4.5", "", "1"); // and all is well again
    rig_saw(r, "msg 1\n");
    wrote(r, ACK("1"));
    say_msg(r, "_INBOX.{a} 1", "NATS/1.0 409 Leadership Change\r\n\r\n", "");
    wrote(r, PULL("62", "{\"batch\":4" LIFE));
    rig_saw(r, "");
    say_msg(r, "_INBOX.{a} 1", "NATS/1.0 409 Consumer Deleted\r\n\r\n", "");
    rig_saw(r, "end -22 Consumer Deleted\n");
    wrote(r, "UNSUB 1\r\n");
}

static void scenario_consume_reconnect(struct rig *r) {
    midge_js_pull op = {.stream = MIDGE_STR("S"), .consumer = MIDGE_STR("c"), .batch = 4};
    start(r);
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

// ---- key-value

static void scenario_kv_get(struct rig *r) {
    midge_kv_get_op op = {.key = MIDGE_STR("x.y")};
    connect(r);
    CHECK(midge_kv_get(&js.kv, &op, on_entry, r) == 0);
    wrote(r, "SUB _INBOX.{a}.* 1\r\nPUB $JS.API.DIRECT.GET.KV_cfg.$KV.cfg.x.y _INBOX.{a}.{b} 0\r\n\r\n");
    say_msg(r, "_INBOX.{a}.{b} 1", "NATS/1.0\r\nNats-Subject: $KV.cfg.x.y\r\nNats-Sequence: 9\r\n\r\n", "v");
    rig_saw(r, "entry 0 x.y@9=v\n");
    op.revision = 3;
    CHECK(midge_kv_get(&js.kv, &op, on_entry, r) == 0);
    wrote(r, "PUB $JS.API.DIRECT.GET.KV_cfg _INBOX.{a}.{c} 9\r\n{\"seq\":3}\r\n");
    say_msg(r, "_INBOX.{a}.{c} 1", "NATS/1.0\r\nNats-Subject: $KV.cfg.x.z\r\nNats-Sequence: 3\r\n\r\n", "v");
    rig_saw(r, "entry -22\n");
    op.revision = 0;
    CHECK(midge_kv_get(&js.kv, &op, on_entry, r) == 0);
    wrote(r, "PUB $JS.API.DIRECT.GET.KV_cfg.$KV.cfg.x.y _INBOX.{a}.{d} 0\r\n\r\n");
    say_msg(r, "_INBOX.{a}.{d} 1",
            "NATS/1.0\r\nKV-Operation: DEL\r\nNats-Subject: $KV.cfg.x.y\r\nNats-Sequence: 10\r\n\r\n", "");
    rig_saw(r, "entry -22 x.y@10= deleted\n");
    op.key = MIDGE_STR("x.*");
    CHECK(midge_kv_get(&js.kv, &op, on_entry, r) == MIDGE_EINVAL);
}

static void scenario_kv_write(struct rig *r) {
    midge_kv_write op = {.key = MIDGE_STR("k"), .value = "v1", .len = 2};
    connect(r);
    CHECK(midge_kv_put(&js.kv, &op, on_write, r) == 0);
    wrote(r, "SUB _INBOX.{a}.* 1\r\nPUB $KV.cfg.k _INBOX.{a}.{b} 2\r\nv1\r\n");
    say_msg(r, "_INBOX.{a}.{b} 1", "", "{\"stream\":\"KV_cfg\",\"seq\":4}");
    rig_saw(r, "written 0 4\n");
    op.revision = 4;
    CHECK(midge_kv_update(&js.kv, &op, on_write, r) == 0);
    wrote(r, "HPUB $KV.cfg.k _INBOX.{a}.{c} 52 54\r\nNATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 4\r\n\r\nv1\r\n");
    say_msg(r, "_INBOX.{a}.{c} 1", "",
            "{\"error\":{\"code\":400,\"err_code\":10164,\"description\":\"wrong last sequence\"},\"seq\":0}");
    rig_saw(r, "written -23 0\n");
    CHECK(midge_kv_delete(&js.kv, &op, on_write, r) == 0);
    wrote(r, "HPUB $KV.cfg.k _INBOX.{a}.{d} 71 71\r\nNATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 4\r\n"
             "KV-Operation: DEL\r\n\r\n\r\n");
    say_msg(r, "_INBOX.{a}.{d} 1", "", "{\"stream\":\"KV_cfg\",\"seq\":5}");
    rig_saw(r, "written 0 5\n");
    op.revision = 0;
    js.js.domain = MIDGE_STR("hub");
    CHECK(midge_kv_purge(&js.kv, &op, on_write, r) == 0);
    wrote(r, "HPUB $JS.hub.API.$KV.cfg.k _INBOX.{a}.{e} 51 51\r\nNATS/1.0\r\nKV-Operation: PURGE\r\nNats-Rollup: sub\r\n"
             "\r\n\r\n");
    say_msg(r, "_INBOX.{a}.{e} 1", nobody, "");
    r->out_n = 0;
    midge_close(&r->m);
    rig_saw(r, "written -6 0\nclosed\n");
}

#define WRONG "{\"error\":{\"code\":400,\"err_code\":10071,\"description\":\"wrong last sequence: 7\"},\"seq\":0}"

static void scenario_kv_create(struct rig *r) {
    midge_kv_write op = {.key = MIDGE_STR("k"), .value = "v", .len = 1};
    connect(r);
    CHECK(midge_kv_create(&js.kv, &op, on_write, r) == 0);
    wrote(r, "SUB _INBOX.{a}.* 1\r\nHPUB $KV.cfg.k _INBOX.{a}.{b} 52 53\r\nNATS/1.0\r\n"
             "Nats-Expected-Last-Subject-Sequence: 0\r\n\r\nv\r\n");
    say_msg(r, "_INBOX.{a}.{b} 1", "", WRONG);
    wrote(r, "PUB $JS.API.DIRECT.GET.KV_cfg.$KV.cfg.k _INBOX.{a}.{c} 0\r\n\r\n");
    say_msg(r, "_INBOX.{a}.{c} 1",
            "NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\nNats-Subject: $KV.cfg.k\r\nNats-Sequence: 7\r\n\r\n", "");
    wrote(r, "HPUB $KV.cfg.k _INBOX.{a}.{d} 52 53\r\nNATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 7\r\n\r\nv\r\n");
    say_msg(r, "_INBOX.{a}.{d} 1", "", "{\"stream\":\"KV_cfg\",\"seq\":8}");
    rig_saw(r, "written 0 8\n");
    // There is a value.
    CHECK(midge_kv_create(&js.kv, &op, on_write, r) == 0);
    wrote(r, "HPUB $KV.cfg.k _INBOX.{a}.{e} 52 53\r\nNATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 0\r\n\r\nv\r\n");
    say_msg(r, "_INBOX.{a}.{e} 1", "", WRONG);
    wrote(r, "PUB $JS.API.DIRECT.GET.KV_cfg.$KV.cfg.k _INBOX.{a}.{f} 0\r\n\r\n");
    say_msg(r, "_INBOX.{a}.{f} 1", "NATS/1.0\r\nNats-Subject: $KV.cfg.k\r\nNats-Sequence: 8\r\n\r\n", "v");
    rig_saw(r, "written -23 0\n");
}

#define CONFIG(filter, policy) \
    "{\"stream_name\":\"KV_cfg\",\"config\":{\"name\":\"{b}\",\"deliver_subject\":\"_INBOX.{b}\",\"filter_subject\":" \
    "\"$KV.cfg." filter "\",\"ack_policy\":\"none\",\"flow_control\":true,\"idle_heartbeat\":5000000000," \
    "\"num_replicas\":1,\"mem_storage\":true,\"deliver_policy\":\"" policy "}}"
#define CONTROL(last) "NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: " last "\r\nNats-Last-Stream: 9\r\n\r\n"

static void scenario_kv_watch(struct rig *r) {
    midge_kv_watch w = {.pattern = MIDGE_STR("k.*")};
    connect(r);
    CHECK(midge_kv_watch_start(&js.kv, &w, on_watch, r) == 0);
    wrote(r, "SUB _INBOX.{b} 1\r\nSUB _INBOX.{a}.* 2\r\nPUB $JS.API.CONSUMER.CREATE.KV_cfg.{b} _INBOX.{a}.{c} 288\r\n"
             CONFIG("k.*", "last_per_subject\"") "\r\n");
    // Messages may come before the answer to the creation.
    say_msg(r, "$KV.cfg.k.a 1 $JS.ACK.KV_cfg.{b}.1.4.1.10.1", "", "A");
    say_msg(r, "_INBOX.{a}.{c} 2", "",
            "{\"type\":\"t\",\"name\":\"n\",\"delivered\":{\"consumer_seq\":0,\"stream_seq\":3},\"num_pending\":2}");
    say_msg(r, "$KV.cfg.k.b 1 $JS.ACK.KV_cfg.{b}.1.7.2.10.0", "NATS/1.0\r\nKV-Operation: PURGE\r\n\r\n", "");
    rig_saw(r, "watch 0 k.a@4=A\nwatch 0 k.b@7= purged\nwatch 0\n");
    say_msg(r, "$KV.cfg.k.a 1 $JS.ACK.KV_cfg.{b}.1.8.3.10.0", "", "B");
    say_msg(r, "_INBOX.{b} 1", CONTROL("3"), "");
    say_msg(r, "_INBOX.{b} 1 $JS.FC.KV_cfg.x.1", "NATS/1.0 100 FlowControl Request\r\n\r\n", "");
    wrote(r, "PUB $JS.FC.KV_cfg.x.1 0\r\n\r\n");
    rig_saw(r, "watch 0 k.a@8=B\n");
    midge_kv_watch_stop(&w);
    wrote(r, "UNSUB 1\r\nPUB $JS.API.CONSUMER.DELETE.KV_cfg.{b} 0\r\n\r\n");
    rig_later(r, 60000);
    rig_saw(r, "");
}

// Makes the names of an incarnation free for the next one.
static void next_incarnation(void) { name_at("{b}")[0] = name_at("{c}")[0] = '\0'; }

static void scenario_kv_watch_gap(struct rig *r) {
    midge_kv_watch w = {.pattern = MIDGE_STR("k"), .updates_only = true, .meta_only = true};
    connect(r);
    CHECK(midge_kv_watch_start(&js.kv, &w, on_watch, r) == 0);
    wrote(r, "SUB _INBOX.{b} 1\r\nSUB _INBOX.{a}.* 2\r\nPUB $JS.API.CONSUMER.CREATE.KV_cfg.{b}.$KV.cfg.k _INBOX.{a}.{c} 293\r\n"
             CONFIG("k", "new\",\"headers_only\":true") "\r\n");
    say_msg(r, "_INBOX.{a}.{c} 2", "", "{\"delivered\":{\"consumer_seq\":0,\"stream_seq\":20},\"num_pending\":0}");
    rig_saw(r, "watch 0\n");
    // A heartbeat knows of a message that did not come: again, from where the first one began.
    say_msg(r, "_INBOX.{b} 1", CONTROL("1"), "");
    rig_run(r);
    CHECK(strncmp(r->out, "UNSUB 1\r\nPUB $JS.API.CONSUMER.DELETE.KV_cfg.", 44) == 0);
    r->out[r->out_n] = '\0';
    const char *rest = strstr(r->out, "SUB _INBOX.");
    rest = rest ? rest : "";
    CHECK(rest[0] != '\0');
    memmove(r->out, rest, strlen(rest) + 1);
    r->out_n = strlen(r->out);
    next_incarnation();
    wrote(r, "SUB _INBOX.{b} {s}\r\nPUB $JS.API.CONSUMER.CREATE.KV_cfg.{b}.$KV.cfg.k _INBOX.{a}.{c} 326\r\n"
             CONFIG("k", "by_start_sequence\",\"opt_start_seq\":21,\"headers_only\":true") "\r\n");
    say_msg(r, "_INBOX.{a}.{c} 2", "", "{\"delivered\":{\"consumer_seq\":0,\"stream_seq\":20},\"num_pending\":1}");
    say_msg(r, "$KV.cfg.k {s} $JS.ACK.KV_cfg.{b}.1.21.1.10.0", "NATS/1.0\r\nNats-Msg-Size: 5\r\n\r\n", "");
    rig_saw(r, "watch 0 k@21=\n");
    // A gap in the numbers, then silence, make further ones; refusals are waited out.
    say_msg(r, "$KV.cfg.k {s} $JS.ACK.KV_cfg.{b}.1.23.3.10.0", "", "");
    rig_saw(r, "");
    rig_run(r);
    CHECK(r->out_n > 0);
    r->out[r->out_n] = '\0';
    CHECK(strstr(r->out, "\"opt_start_seq\":22,"));
    r->out_n = 0;
    rig_later(r, 5000); // no answer
    rig_saw(r, "watch -8\n");
    r->out_n = 0;
    rig_later(r, 250);
    r->out[r->out_n] = '\0';
    CHECK(strstr(r->out, "\"opt_start_seq\":22,"));
    rig_saw(r, "");
    midge_close(&r->m);
    rig_saw(r, "end -6\nclosed\n");
}

static void scenario_kv_watch_silence(struct rig *r) {
    midge_kv_watch w = {.history = true, .ignore_deletes = true};
    connect(r);
    CHECK(midge_kv_watch_start(&js.kv, &w, on_watch, r) == 0);
    wrote(r, "SUB _INBOX.{b} 1\r\nSUB _INBOX.{a}.* 2\r\nPUB $JS.API.CONSUMER.CREATE.KV_cfg.{b} _INBOX.{a}.{c} 273\r\n"
             CONFIG(">", "all\"") "\r\n");
    say_msg(r, "_INBOX.{a}.{c} 2", "", "{\"delivered\":{\"consumer_seq\":0,\"stream_seq\":0},\"num_pending\":2}");
    say_msg(r, "$KV.cfg.k 1 $JS.ACK.KV_cfg.{b}.1.1.1.10.1", "", "1");
    say_msg(r, "$KV.cfg.k 1 $JS.ACK.KV_cfg.{b}.1.2.2.10.1", "NATS/1.0\r\nKV-Operation: DEL\r\n\r\n", "");
    rig_saw(r, "watch 0 k@1=1\nwatch 0\n");
    rig_later(r, 9999);
    rig_saw(r, "");
    rig_later(r, 1);
    rig_saw(r, "watch -24\n");
    CHECK(strstr(r->out, "\"opt_start_seq\":3}}"));
    // Cut: the watch begins again with the next connection. The bucket is gone then.
    rig_cut(r);
    rig_saw(r, "disconnected -10\nwatch -10\n");
    rig_later(r, 1000);
    rig_say(r, RIG_INFO);
    rig_say(r, "PONG\r\n");
    rig_saw(r, "open a\nreconnected\n");
    r->out[r->out_n] = '\0';
    const char *to = strstr(r->out, "PUB $JS.API.CONSUMER.CREATE.KV_cfg.");
    CHECK(to);
    to = strstr(to, "_INBOX.");
    CHECK(to);
    memcpy(name_at("{b}"), to + 7 + 22 + 1, 10);
    name_at("{b}")[10] = '\0';
    say_msg(r, "_INBOX.{a}.{b} 2", "",
            "{\"type\":\"t\",\"error\":{\"code\":404,\"err_code\":10059,\"description\":\"stream not found\"}}");
    rig_saw(r, "end -22\n");
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
                                        {"kv: get", scenario_kv_get},
                                        {"kv: write", scenario_kv_write},
                                        {"kv: create", scenario_kv_create},
                                        {"kv: watch", scenario_kv_watch},
                                        {"kv: watch with a gap", scenario_kv_watch_gap},
                                        {"kv: watch and silence", scenario_kv_watch_silence},
                                        {NULL, NULL}};
