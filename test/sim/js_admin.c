// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Streams and consumers: made, changed, purged, paused, deleted. A configuration carries its generation and version in
// its description, so that it is known which one survived.
#include <stdio.h>
#include <string.h>

#include "server/base/mem.h"
#include "server/base/timefmt.h"
#include "test/sim/js_world.h"

#define BODY 700

struct js_stream *js_some_stream(struct js_client *cl) {
    struct js_stream *s = &cl->w->model.streams[js_below(cl, cl->w->streams)];
    return s->phase == JS_PRESENT ? s : NULL;
}

struct js_consumer *js_some_consumer(struct js_client *cl, bool push) {
    struct js_stream *s = js_some_stream(cl);
    if (s == NULL) return NULL;
    unsigned first = (unsigned)js_below(cl, JS_CONSUMERS);
    for (unsigned i = 0; i < JS_CONSUMERS; i++) {
        struct js_consumer *c = &s->consumers[(first + i) % JS_CONSUMERS];
        if (c->phase == JS_PRESENT && c->push == push) return c;
    }
    return NULL;
}

// ---- streams -------------------------------------------------------------------------------------------------------

static void draw_stream(struct js_client *cl, struct js_stream *s) {
    js_stream_new_generation(s);
    s->kind = cl->w->kind < JS_KINDS ? cl->w->kind : (enum js_kind)js_below(cl, JS_KINDS);
    s->partitioned = js_chance(cl, 128);
    s->max_msgs = s->kind == JS_LIMITS && js_chance(cl, 128) ? 5 + (int64_t)js_below(cl, 60) : -1;
    s->max_per_subject = s->kind == JS_KV ? 1 + (int64_t)js_below(cl, 4) : -1;
    s->max_age = s->kind == JS_LIMITS && js_chance(cl, 80) ? (10 + js_below(cl, 100)) * MG_SEC : 0;
    s->packed = js_chance(cl, 100);
    s->dedupe = s->max_age ? s->max_age / 2 : (5 + js_below(cl, 100)) * MG_SEC;
    s->memory = js_chance(cl, 30);
}

static void write_stream(const struct js_stream *s, unsigned version, char *out, size_t cap) {
    static const char *const retention[] = {"limits", "workqueue", "interest", "limits"};
    snprintf(out, cap,
             "{\"name\":\"S%u\",\"description\":\"g%uv%u.\",\"subjects\":[\"s%u.*\"],\"retention\":\"%s\","
             "\"max_msgs\":%lld,\"max_msgs_per_subject\":%lld,\"max_age\":%llu,\"duplicate_window\":%llu,"
             "\"compression\":\"%s\",\"storage\":\"%s\",\"num_replicas\":1,\"allow_direct\":true,"
             "\"allow_rollup_hdrs\":true}",
             s->no, s->generation, version, s->no, retention[s->kind], (long long)s->max_msgs,
             (long long)s->max_per_subject, (unsigned long long)s->max_age, (unsigned long long)s->dedupe,
             s->packed != (version % 3 == 2) ? "s2" : "none", // an update may change it
             s->memory ? "memory" : "file");
}

static void put_stream(struct js_client *cl, struct js_stream *s, const char *verb) {
    char subject[64], body[BODY];
    struct js_call call;
    unsigned version = ++s->next_version;
    snprintf(subject, sizeof(subject), "$JS.API.STREAM.%s.S%u", verb, s->no);
    write_stream(s, version, body, sizeof(body));
    if (js_ask(cl, &call, subject, body)) {
        sim_check(js_error(&call.body) == 0, "%s: %s", subject, js_body(&call));
        s->version = version;
        s->phase = JS_PRESENT;
    }
    js_end(&call);
}

static void make_stream(struct js_client *cl, struct js_stream *s) {
    if (s->users) return;
    for (unsigned i = 0; i < JS_CONSUMERS; i++)
        if (s->consumers[i].users) return;
    draw_stream(cl, s);
    s->phase = JS_MAYBE;
    put_stream(cl, s, "CREATE");
}

static void delete_stream(struct js_client *cl, struct js_stream *s) {
    char subject[64];
    struct js_call call;
    for (unsigned i = 0; i < JS_CONSUMERS; i++)
        if (s->consumers[i].busy) return;
    for (unsigned i = 0; i < JS_CONSUMERS; i++)
        if (s->consumers[i].phase != JS_ABSENT) s->consumers[i].phase = JS_MAYBE;
    s->phase = JS_MAYBE;
    snprintf(subject, sizeof(subject), "$JS.API.STREAM.DELETE.S%u", s->no);
    if (js_ask(cl, &call, subject, "")) {
        sim_check(js_error(&call.body) == 0, "%s: %s", subject, js_body(&call));
        s->phase = JS_ABSENT;
        for (unsigned i = 0; i < JS_CONSUMERS; i++) s->consumers[i].phase = JS_ABSENT;
    }
    js_end(&call);
}

static void purge(struct js_client *cl, struct js_stream *s) {
    char subject[64], body[96] = "";
    struct js_call call;
    unsigned generation = s->generation;
    struct js_removal *r = js_remove(s);
    r->filter = js_chance(cl, 200) ? (unsigned)js_below(cl, JS_SUBJECTS) : JS_ALL;
    if (js_chance(cl, 128) && s->last) r->below = 1 + js_below(cl, s->last);
    else if (js_chance(cl, 100)) r->keep = 1 + js_below(cl, 4);
    int n = snprintf(body, sizeof(body), "{\"seq\":%llu,\"keep\":%llu", (unsigned long long)r->below,
                     (unsigned long long)r->keep);
    if (r->filter != JS_ALL)
        n += snprintf(body + n, sizeof(body) - (size_t)n, ",\"filter\":\"s%u.%u\"", s->no, r->filter);
    snprintf(body + n, sizeof(body) - (size_t)n, "}");
    snprintf(subject, sizeof(subject), "$JS.API.STREAM.PURGE.S%u", s->no);
    bool done = js_ask(cl, &call, subject, body);
    if (done && s->generation == generation) {
        r->failed = js_error(&call.body) != 0;
        r->answered = js_tick(s->m);
    }
    js_end(&call);
}

static void delete_message(struct js_client *cl, struct js_stream *s) {
    char subject[64], body[64];
    struct js_call call;
    unsigned generation = s->generation;
    if (s->last == 0) return;
    struct js_removal *r = js_remove(s);
    r->seq = 1 + js_below(cl, s->last);
    snprintf(subject, sizeof(subject), "$JS.API.STREAM.MSG.DELETE.S%u", s->no);
    snprintf(body, sizeof(body), "{\"seq\":%llu,\"no_erase\":true}", (unsigned long long)r->seq);
    bool done = js_ask(cl, &call, subject, body);
    if (done && s->generation == generation) {
        r->failed = js_error(&call.body) != 0;
        r->answered = js_tick(s->m);
    }
    js_end(&call);
}

// ---- consumers -----------------------------------------------------------------------------------------------------

static void draw_waits(struct js_client *cl, struct js_consumer *c) {
    c->ack_wait = c->backoff[0] = 1000000 * (300 + js_below(cl, 3000));
    c->backoff[1] = c->backoff[0] + 1000000 * js_below(cl, 3000);
    if (c->nbackoff) c->ack_wait = c->backoff[c->nbackoff - 1];
}

static void draw_consumer(struct js_client *cl, struct js_consumer *c) {
    struct js_stream *s = c->stream;
    js_consumer_new_generation(c);
    c->filter = s->kind == JS_QUEUE ? (s->partitioned ? c->no : JS_ALL)
                                    : js_chance(cl, 128) ? JS_ALL : (unsigned)js_below(cl, JS_SUBJECTS);
    c->push = js_chance(cl, 70);
    c->ack_none = s->kind != JS_QUEUE && js_chance(cl, 20);
    c->ack_all = s->kind != JS_QUEUE && !c->ack_none && js_chance(cl, 60);
    c->fresh = s->kind != JS_QUEUE && js_chance(cl, 50);
    c->memory = s->kind != JS_INTEREST && js_chance(cl, 20);
    bool counted = cl->w->hasty || js_chance(cl, 128);
    c->max_deliver = c->ack_none || !counted ? -1 : 1 + (int)js_below(cl, cl->w->hasty ? 12 : 4);
    c->nbackoff = c->max_deliver > 2 && js_chance(cl, 128) ? 2 : 0;
    c->max_ack_pending = c->ack_none ? 0 : js_chance(cl, 128) ? 1000 : 2 + (unsigned)js_below(cl, 10);
    draw_waits(cl, c);
}

static void write_consumer(const struct js_consumer *c, unsigned version, const char *action, char *out, size_t cap) {
    struct mg_buf b = MG_BUF_INIT;
    const struct js_stream *s = c->stream;
    mg_buf_addf(&b, "{\"stream_name\":\"S%u\",\"action\":\"%s\",\"config\":{\"durable_name\":\"C%u\",", s->no, action,
                c->no);
    mg_buf_addf(&b, "\"description\":\"g%uv%u.\",\"deliver_policy\":\"%s\",\"ack_policy\":\"%s\",\"max_deliver\":%d",
                c->generation, version, c->fresh ? "new" : "all",
                c->ack_none ? "none" : c->ack_all ? "all" : "explicit", c->max_deliver);
    if (c->nbackoff)
        mg_buf_addf(&b, ",\"backoff\":[%llu,%llu]", (unsigned long long)c->backoff[0],
                    (unsigned long long)c->backoff[1]);
    else if (!c->ack_none) mg_buf_addf(&b, ",\"ack_wait\":%llu", (unsigned long long)c->ack_wait);
    if (c->max_ack_pending) mg_buf_addf(&b, ",\"max_ack_pending\":%u", c->max_ack_pending);
    if (c->memory) mg_buf_adds(&b, ",\"mem_storage\":true");
    if (c->filter != JS_ALL) mg_buf_addf(&b, ",\"filter_subject\":\"s%u.%u\"", s->no, c->filter);
    if (c->push)
        mg_buf_addf(&b, ",\"deliver_subject\":\"D.%u.%u.%u\",\"deliver_group\":\"q\"", s->no, c->no, c->generation);
    mg_buf_adds(&b, "}}");
    sim_check(b.len < cap, "too long");
    snprintf(out, cap, "%.*s", (int)b.len, b.p);
    mg_buf_fini(&b);
}

// Of a stream that somebody may be deleting: then there is an error.
static void put_consumer(struct js_client *cl, struct js_consumer *c, const char *action) {
    char subject[64], body[BODY];
    struct js_call call;
    struct js_stream *s = c->stream;
    unsigned version = ++c->next_version, generation = s->generation;
    bool fresh = c->phase == JS_MAYBE;
    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.CREATE.S%u.C%u", s->no, c->no);
    write_consumer(c, version, action, body, sizeof(body));
    if (js_ask(cl, &call, subject, body) && s->generation == generation && s->phase == JS_PRESENT) {
        sim_check(js_error(&call.body) == 0, "%s: %s: %s", subject, body, js_body(&call));
        c->version = version;
        if (fresh) c->since = js_tick(s->m);
        c->phase = JS_PRESENT;
    }
    js_end(&call);
}

static void make_consumer(struct js_client *cl, struct js_consumer *c) {
    const struct js_stream *s = c->stream;
    if (c->users || (s->kind == JS_QUEUE && !s->partitioned && c->no > 0)) return;
    draw_consumer(cl, c);
    c->phase = JS_MAYBE;
    c->born = js_tick(&cl->w->model);
    put_consumer(cl, c, "create");
}

static void change_consumer(struct js_client *cl, struct js_consumer *c) {
    uint64_t longest = c->ack_wait;
    c->paused = 0; // the new configuration does not say so
    draw_waits(cl, c);
    put_consumer(cl, c, "update");
    if (longest > c->ack_wait) c->ack_wait = longest; // of what is already under way
}

static void delete_consumer(struct js_client *cl, struct js_consumer *c) {
    char subject[64];
    struct js_call call;
    struct js_stream *s = c->stream;
    unsigned generation = s->generation;
    c->phase = JS_MAYBE;
    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.DELETE.S%u.C%u", s->no, c->no);
    if (js_ask(cl, &call, subject, "") && s->generation == generation && s->phase == JS_PRESENT) {
        sim_check(js_error(&call.body) == 0, "%s: %s", subject, js_body(&call));
        c->phase = JS_ABSENT;
    }
    js_end(&call);
}

static void pause_until(struct js_client *cl, struct js_consumer *c, uint64_t at) {
    char subject[64], body[80], text[40];
    struct js_call call;
    const struct js_stream *s = c->stream;
    unsigned generation = s->generation;
    int64_t wall = mg_loop_wall(mg_server_loop(cl->w->server));
    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.PAUSE.S%u.C%u", s->no, c->no);
    snprintf(body, sizeof(body), "{\"pause_until\":\"%s\"}",
             mg_fmt_time(text, wall + (int64_t)(at - sim_now(cl->w->sim))));
    c->paused = 0; // what holds until the answer is not known
    bool done = js_ask(cl, &call, subject, at ? body : "{}") && s->generation == generation;
    if (done && js_error(&call.body) == 0 && at) {
        c->paused = js_tick(s->m);
        c->paused_until = at;
    }
    js_end(&call);
}

void js_resume(struct js_client *cl, struct js_consumer *c) { pause_until(cl, c, 0); }

bool js_look(struct js_client *cl, struct js_consumer *c, struct js_facts *f) {
    char subject[64];
    struct js_call call;
    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.INFO.S%u.C%u", c->stream->no, c->no);
    unsigned generation = c->generation;
    bool there = js_ask(cl, &call, subject, "") && js_error(&call.body) == 0 && c->generation == generation;
    if (there) {
        there = js_number(&call.body, "delivered", "stream_seq", &f->delivered) &&
                js_number(&call.body, "delivered", "consumer_seq", &f->delivered_dseq) &&
                js_number(&call.body, "ack_floor", "stream_seq", &f->floor) &&
                js_number(&call.body, "ack_floor", "consumer_seq", &f->floor_dseq) &&
                js_number(&call.body, "ack_floor", "num_pending", &f->num_pending) &&
                js_number(&call.body, "ack_floor", "num_ack_pending", &f->num_ack_pending);
        sim_check(there, "a strange state: %s", js_body(&call));
        js_told(c, f, call.sent);
    }
    js_end(&call);
    return there;
}

// ---- what is done --------------------------------------------------------------------------------------------------

static void with_consumer(struct js_client *cl, struct js_consumer *c) {
    struct js_facts f;
    if (c->busy) return;
    c->busy = true;
    if (c->phase == JS_ABSENT) {
        make_consumer(cl, c);
    } else if (c->phase == JS_PRESENT) {
        switch (js_below(cl, 12)) {
        case 0: delete_consumer(cl, c); break;
        case 1: pause_until(cl, c, sim_now(cl->w->sim) + js_below(cl, 5 * MG_SEC)); break;
        case 2:
        case 3: change_consumer(cl, c); break;
        case 4: js_resume(cl, c); break;
        default: js_look(cl, c, &f);
        }
    }
    if (!cl->lost) c->busy = false;
}

static void with_stream(struct js_client *cl, struct js_stream *s) {
    switch (js_below(cl, 30)) {
    case 0: delete_stream(cl, s); break;
    case 1:
    case 2:
    case 3: put_stream(cl, s, "UPDATE"); break;
    case 4:
    case 5: purge(cl, s); break;
    case 6:
    case 7:
    case 8:
    case 9: delete_message(cl, s); break;
    default: break;
    }
}

void js_do_admin(struct js_client *cl) {
    struct js_stream *s = &cl->w->model.streams[js_below(cl, cl->w->streams)];
    if (!s->busy && (s->phase == JS_ABSENT || js_chance(cl, 80))) {
        s->busy = true;
        if (s->phase == JS_ABSENT) make_stream(cl, s);
        else if (s->phase == JS_PRESENT) with_stream(cl, s);
        if (!cl->lost) s->busy = false;
    } else if (s->phase == JS_PRESENT) {
        with_consumer(cl, &s->consumers[js_below(cl, cl->w->consumers)]);
    }
}
