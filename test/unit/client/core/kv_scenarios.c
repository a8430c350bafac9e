// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Key-value against a scripted server.
#include "test/unit/client/core/js_rig.h"

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
    js_note(user, "entry", err);
    note_entry(user, entry);
}

static void on_write(const midge_kv *kv, int err, uint64_t revision, void *user) {
    (void)kv;
    js_note(user, "written", err);
    js_note(user, "", (int)revision);
    rig_note(user, "\n");
}

static void on_watch(midge_kv_watch *w, const midge_kv_entry *entry, int err, void *user) {
    js_note(user, w->active ? "watch" : "end", err);
    note_entry(user, entry);
}

static void scenario_kv_get(struct rig *r) {
    midge_kv_get_op op = {.key = MIDGE_STR("x.y")};
    js_connect(r);
    CHECK(midge_kv_get(&js.kv, &op, on_entry, r) == 0);
    wrote(r, "SUB _INBOX.{a}.* 1\r\nPUB $JS.API.DIRECT.GET.KV_cfg.$KV.cfg.x.y _INBOX.{a}.{b} 0\r\n\r\n");
    js_say_msg(r, "_INBOX.{a}.{b} 1", "NATS/1.0\r\nNats-Subject: $KV.cfg.x.y\r\nNats-Sequence: 9\r\n\r\n", "v");
    rig_saw(r, "entry 0 x.y@9=v\n");
    op.revision = 3;
    CHECK(midge_kv_get(&js.kv, &op, on_entry, r) == 0);
    wrote(r, "PUB $JS.API.DIRECT.GET.KV_cfg _INBOX.{a}.{c} 9\r\n{\"seq\":3}\r\n");
    js_say_msg(r, "_INBOX.{a}.{c} 1", "NATS/1.0\r\nNats-Subject: $KV.cfg.x.z\r\nNats-Sequence: 3\r\n\r\n", "v");
    rig_saw(r, "entry -22\n");
    op.revision = 0;
    CHECK(midge_kv_get(&js.kv, &op, on_entry, r) == 0);
    wrote(r, "PUB $JS.API.DIRECT.GET.KV_cfg.$KV.cfg.x.y _INBOX.{a}.{d} 0\r\n\r\n");
    js_say_msg(r, "_INBOX.{a}.{d} 1",
            "NATS/1.0\r\nKV-Operation: DEL\r\nNats-Subject: $KV.cfg.x.y\r\nNats-Sequence: 10\r\n\r\n", "");
    rig_saw(r, "entry -22 x.y@10= deleted\n");
    op.key = MIDGE_STR("x.*");
    CHECK(midge_kv_get(&js.kv, &op, on_entry, r) == MIDGE_EINVAL);
}

static void scenario_kv_write(struct rig *r) {
    midge_kv_write op = {.key = MIDGE_STR("k"), .value = "v1", .len = 2};
    js_connect(r);
    CHECK(midge_kv_put(&js.kv, &op, on_write, r) == 0);
    wrote(r, "SUB _INBOX.{a}.* 1\r\nPUB $KV.cfg.k _INBOX.{a}.{b} 2\r\nv1\r\n");
    js_say_msg(r, "_INBOX.{a}.{b} 1", "", "{\"stream\":\"KV_cfg\",\"seq\":4}");
    rig_saw(r, "written 0 4\n");
    op.revision = 4;
    CHECK(midge_kv_update(&js.kv, &op, on_write, r) == 0);
    wrote(r, "HPUB $KV.cfg.k _INBOX.{a}.{c} 52 54\r\nNATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 4\r\n\r\nv1\r\n");
    js_say_msg(r, "_INBOX.{a}.{c} 1", "",
            "{\"error\":{\"code\":400,\"err_code\":10164,\"description\":\"wrong last sequence\"},\"seq\":0}");
    rig_saw(r, "written -23 0\n");
    CHECK(midge_kv_delete(&js.kv, &op, on_write, r) == 0);
    wrote(r, "HPUB $KV.cfg.k _INBOX.{a}.{d} 71 71\r\nNATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 4\r\n"
             "KV-Operation: DEL\r\n\r\n\r\n");
    js_say_msg(r, "_INBOX.{a}.{d} 1", "", "{\"stream\":\"KV_cfg\",\"seq\":5}");
    rig_saw(r, "written 0 5\n");
    op.revision = 0;
    js.js.domain = MIDGE_STR("hub");
    CHECK(midge_kv_purge(&js.kv, &op, on_write, r) == 0);
    wrote(r, "HPUB $JS.hub.API.$KV.cfg.k _INBOX.{a}.{e} 51 51\r\n"
             "NATS/1.0\r\nKV-Operation: PURGE\r\nNats-Rollup: sub\r\n"
             "\r\n\r\n");
    js_say_msg(r, "_INBOX.{a}.{e} 1", NOBODY, "");
    r->out_n = 0;
    midge_close(&r->m);
    rig_saw(r, "written -6 0\nclosed\n");
}

#define WRONG "{\"error\":{\"code\":400,\"err_code\":10071,\"description\":\"wrong last sequence: 7\"},\"seq\":0}"

static void scenario_kv_create(struct rig *r) {
    midge_kv_write op = {.key = MIDGE_STR("k"), .value = "v", .len = 1};
    js_connect(r);
    CHECK(midge_kv_create(&js.kv, &op, on_write, r) == 0);
    wrote(r, "SUB _INBOX.{a}.* 1\r\nHPUB $KV.cfg.k _INBOX.{a}.{b} 52 53\r\nNATS/1.0\r\n"
             "Nats-Expected-Last-Subject-Sequence: 0\r\n\r\nv\r\n");
    js_say_msg(r, "_INBOX.{a}.{b} 1", "", WRONG);
    wrote(r, "PUB $JS.API.DIRECT.GET.KV_cfg.$KV.cfg.k _INBOX.{a}.{c} 0\r\n\r\n");
    js_say_msg(r, "_INBOX.{a}.{c} 1",
            "NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\nNats-Subject: $KV.cfg.k\r\nNats-Sequence: 7\r\n\r\n", "");
    wrote(r, "HPUB $KV.cfg.k _INBOX.{a}.{d} 52 53\r\nNATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 7\r\n\r\nv\r\n");
    js_say_msg(r, "_INBOX.{a}.{d} 1", "", "{\"stream\":\"KV_cfg\",\"seq\":8}");
    rig_saw(r, "written 0 8\n");
    // There is a value.
    CHECK(midge_kv_create(&js.kv, &op, on_write, r) == 0);
    wrote(r, "HPUB $KV.cfg.k _INBOX.{a}.{e} 52 53\r\nNATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 0\r\n\r\nv\r\n");
    js_say_msg(r, "_INBOX.{a}.{e} 1", "", WRONG);
    wrote(r, "PUB $JS.API.DIRECT.GET.KV_cfg.$KV.cfg.k _INBOX.{a}.{f} 0\r\n\r\n");
    js_say_msg(r, "_INBOX.{a}.{f} 1", "NATS/1.0\r\nNats-Subject: $KV.cfg.k\r\nNats-Sequence: 8\r\n\r\n", "v");
    rig_saw(r, "written -23 0\n");
}

#define CONFIG(filter, policy) \
    "{\"stream_name\":\"KV_cfg\",\"config\":{\"name\":\"{b}\",\"deliver_subject\":\"_INBOX.{b}\",\"filter_subject\":" \
    "\"$KV.cfg." filter "\",\"ack_policy\":\"none\",\"flow_control\":true,\"idle_heartbeat\":5000000000," \
    "\"num_replicas\":1,\"mem_storage\":true,\"deliver_policy\":\"" policy "}}"
#define CONTROL(last) "NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: " last "\r\nNats-Last-Stream: 9\r\n\r\n"

static void scenario_kv_watch(struct rig *r) {
    midge_kv_watch w = {.pattern = MIDGE_STR("k.*")};
    js_connect(r);
    CHECK(midge_kv_watch_start(&js.kv, &w, on_watch, r) == 0);
    wrote(r, "SUB _INBOX.{b} 1\r\nSUB _INBOX.{a}.* 2\r\n"
             "PUB $JS.API.CONSUMER.CREATE.KV_cfg.{b}.$KV.cfg.k.* _INBOX.{a}.{c} 288\r\n"
             CONFIG("k.*", "last_per_subject\"") "\r\n");
    // Messages may come before the answer to the creation.
    js_say_msg(r, "$KV.cfg.k.a 1 $JS.ACK.KV_cfg.{b}.1.4.1.10.1", "", "A");
    js_say_msg(r, "_INBOX.{a}.{c} 2", "",
            "{\"type\":\"t\",\"name\":\"n\",\"delivered\":{\"consumer_seq\":0,\"stream_seq\":3},\"num_pending\":2}");
    js_say_msg(r, "$KV.cfg.k.b 1 $JS.ACK.KV_cfg.{b}.1.7.2.10.0", "NATS/1.0\r\nKV-Operation: PURGE\r\n\r\n", "");
    rig_saw(r, "watch 0 k.a@4=A\nwatch 0 k.b@7= purged\nwatch 0\n");
    js_say_msg(r, "$KV.cfg.k.a 1 $JS.ACK.KV_cfg.{b}.1.8.3.10.0", "", "B");
    js_say_msg(r, "_INBOX.{b} 1", CONTROL("3"), "");
    js_say_msg(r, "_INBOX.{b} 1 $JS.FC.KV_cfg.x.1", "NATS/1.0 100 FlowControl Request\r\n\r\n", "");
    wrote(r, "PUB $JS.FC.KV_cfg.x.1 0\r\n\r\n");
    rig_saw(r, "watch 0 k.a@8=B\n");
    midge_kv_watch_stop(&w);
    wrote(r, "UNSUB 1\r\nPUB $JS.API.CONSUMER.DELETE.KV_cfg.{b} 0\r\n\r\n");
    rig_later(r, 60000);
    rig_saw(r, "");
}

// Makes the names of an incarnation free for the next one.
static void next_incarnation(void) { js_name("{b}")[0] = js_name("{c}")[0] = '\0'; }

static void scenario_kv_watch_gap(struct rig *r) {
    midge_kv_watch w = {.pattern = MIDGE_STR("k"), .updates_only = true, .meta_only = true};
    js_connect(r);
    CHECK(midge_kv_watch_start(&js.kv, &w, on_watch, r) == 0);
    wrote(r, "SUB _INBOX.{b} 1\r\nSUB _INBOX.{a}.* 2\r\n"
             "PUB $JS.API.CONSUMER.CREATE.KV_cfg.{b}.$KV.cfg.k _INBOX.{a}.{c} 293\r\n"
             CONFIG("k", "new\",\"headers_only\":true") "\r\n");
    js_say_msg(r, "_INBOX.{a}.{c} 2", "", "{\"delivered\":{\"consumer_seq\":0,\"stream_seq\":20},\"num_pending\":0}");
    rig_saw(r, "watch 0\n");
    // A heartbeat knows of a message that did not come: again, from where the first one began.
    js_say_msg(r, "_INBOX.{b} 1", CONTROL("1"), "");
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
    js_say_msg(r, "_INBOX.{a}.{c} 2", "", "{\"delivered\":{\"consumer_seq\":0,\"stream_seq\":20},\"num_pending\":1}");
    js_say_msg(r, "$KV.cfg.k {s} $JS.ACK.KV_cfg.{b}.1.21.1.10.0", "NATS/1.0\r\nNats-Msg-Size: 5\r\n\r\n", "");
    rig_saw(r, "watch 0 k@21=\n");
    // A gap in the numbers, then silence, make further ones; refusals are waited out.
    js_say_msg(r, "$KV.cfg.k {s} $JS.ACK.KV_cfg.{b}.1.23.3.10.0", "", "");
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
    CHECK(midge_kv_watch_start(&js.kv, &w, on_watch, r) == MIDGE_ECLOSED);
}

static void scenario_kv_watch_silence(struct rig *r) {
    midge_kv_watch w = {.history = true, .ignore_deletes = true};
    js_connect(r);
    CHECK(midge_kv_watch_start(&js.kv, &w, on_watch, r) == 0);
    wrote(r, "SUB _INBOX.{b} 1\r\nSUB _INBOX.{a}.* 2\r\n"
             "PUB $JS.API.CONSUMER.CREATE.KV_cfg.{b}.$KV.cfg.> _INBOX.{a}.{c} 273\r\n"
             CONFIG(">", "all\"") "\r\n");
    js_say_msg(r, "_INBOX.{a}.{c} 2", "", "{\"delivered\":{\"consumer_seq\":0,\"stream_seq\":0},\"num_pending\":2}");
    js_say_msg(r, "$KV.cfg.k 1 $JS.ACK.KV_cfg.{b}.1.1.1.10.1", "", "1");
    js_say_msg(r, "$KV.cfg.k 1 $JS.ACK.KV_cfg.{b}.1.2.2.10.1", "NATS/1.0\r\nKV-Operation: DEL\r\n\r\n", "");
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
    memcpy(js_name("{b}"), to + 7 + 22 + 1, 10);
    js_name("{b}")[10] = '\0';
    js_say_msg(r, "_INBOX.{a}.{b} 2", "",
            "{\"type\":\"t\",\"error\":{\"code\":404,\"err_code\":10059,\"description\":\"stream not found\"}}");
    rig_saw(r, "end -22\n");
}

const struct scenario scenarios_kv[] = {{"kv: get", scenario_kv_get},
                                        {"kv: write", scenario_kv_write},
                                        {"kv: create", scenario_kv_create},
                                        {"kv: watch", scenario_kv_watch},
                                        {"kv: watch with a gap", scenario_kv_watch_gap},
                                        {"kv: watch and silence", scenario_kv_watch_silence},
                                        {NULL, NULL}};
