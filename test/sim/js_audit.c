// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A client that looks at everything while no other works: after each restart, and at the end of each life that ends in
// peace. What may still settle (removals that follow an acknowledgement) gets some time.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/mem.h"
#include "test/sim/js_world.h"

#define TRIES 4u

// ---- what survived -------------------------------------------------------------------------------------------------

// g<generation>v<version>.: of what was asked for, and not older than what was confirmed.
static unsigned check_version(const struct js_call *info, const char *what, unsigned no, unsigned generation,
                              unsigned least, unsigned most) {
    unsigned g = 0, v = 0;
    const char *p = strstr(js_body(info), "\"description\":\"g");
    sim_check(p && sscanf(p + 15, "g%uv%u.", &g, &v) == 2, "a strange configuration: %s", js_body(info));
    sim_check(g == generation, "%s %u: generation %u is there, and it was %u", what, no, g, generation);
    sim_check(v >= least && v <= most, "%s %u: version %u is there, and it was %u to %u", what, no, v, least, most);
    return v;
}

static void find_consumer(struct js_client *cl, struct js_consumer *c) {
    char subject[64];
    struct js_call call;
    const struct js_stream *s = c->stream;
    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.INFO.S%u.C%u", s->no, c->no);
    if (!js_ask(cl, &call, subject, "")) {
        js_end(&call);
        return;
    }
    bool there = js_error(&call.body) == 0;
    sim_check(there || c->phase != JS_PRESENT, "consumer %u.%u is lost: %s", s->no, c->no, js_body(&call));
    sim_check(!there || c->phase != JS_ABSENT, "consumer %u.%u was deleted, or in memory, and is there", s->no, c->no);
    if (there) c->version = check_version(&call, "consumer", s->no * 10 + c->no, c->generation, c->version,
                                          c->next_version);
    c->next_version = there ? c->version : c->next_version;
    c->phase = there ? JS_PRESENT : JS_ABSENT;
    if (there && c->since == 0) c->since = js_tick(s->m);
    js_end(&call);
}

// Its first and last numbers; false: it is not there, or the server is dead.
static bool find_stream(struct js_client *cl, struct js_stream *s, uint64_t *first, uint64_t *last) {
    char subject[64];
    struct js_call call;
    snprintf(subject, sizeof(subject), "$JS.API.STREAM.INFO.S%u", s->no);
    bool answered = js_ask(cl, &call, subject, ""), there = answered && js_error(&call.body) == 0;
    if (answered) {
        sim_check(there || s->phase != JS_PRESENT, "stream %u is lost: %s", s->no, js_body(&call));
        sim_check(!there || s->phase != JS_ABSENT, "stream %u was deleted, or in memory, and is there", s->no);
        if (there) s->version = check_version(&call, "stream", s->no, s->generation, s->version, s->next_version);
        s->phase = there ? JS_PRESENT : JS_ABSENT;
        s->next_version = there ? s->version : s->next_version;
        bool read = !there || (js_number(&call.body, "state", "messages", &s->messages) &&
                               js_number(&call.body, "state", "first_seq", first) &&
                               js_number(&call.body, "state", "last_seq", last));
        sim_check(read, "a strange state: %s", js_body(&call));
    }
    js_end(&call);
    if (answered && !there)
        for (unsigned i = 0; i < JS_CONSUMERS; i++) s->consumers[i].phase = JS_ABSENT;
    for (unsigned i = 0; i < JS_CONSUMERS && there; i++) find_consumer(cl, &s->consumers[i]);
    return there && !cl->lost;
}

// ---- reading all of it ---------------------------------------------------------------------------------------------

static bool header(const struct js_call *c, const char *name, char *out, size_t n) {
    const char *p = c->header.len ? strstr(c->header.p, name) : NULL;
    if (p == NULL) return false;
    p += strlen(name);
    snprintf(out, n, "%.*s", (int)strcspn(p, "\r\n"), p);
    return true;
}

static void mark(struct js_stream *s, uint64_t seq) {
    if (seq >= s->npresent) {
        size_t n = seq + 64;
        s->present = mg_realloc(s->present, n);
        memset(s->present + s->npresent, 0, n - s->npresent);
        s->npresent = n;
    }
    s->present[seq] = true;
}

static void read_all(struct js_client *cl, struct js_stream *s) {
    char subject[64], body[80], at[40], on[40];
    if (s->present) memset(s->present, 0, s->npresent);
    snprintf(subject, sizeof(subject), "$JS.API.DIRECT.GET.S%u", s->no);
    for (uint64_t next = 1; !cl->lost;) {
        struct js_call call;
        snprintf(body, sizeof(body), "{\"seq\":%llu,\"next_by_subj\":\">\"}", (unsigned long long)next);
        bool answered = js_ask(cl, &call, subject, body);
        bool found = answered && header(&call, "Nats-Sequence: ", at, sizeof(at)) &&
                     header(&call, "Nats-Subject: ", on, sizeof(on));
        if (found) {
            uint64_t seq = strtoull(at, NULL, 10);
            sim_check(seq >= next, "stream %u: asked for %llu, got %llu", s->no, (unsigned long long)next,
                      (unsigned long long)seq);
            js_found(s, strtoull(js_body(&call), NULL, 10), seq, mg_cstr(on));
            mark(s, seq);
            next = seq + 1;
        } else if (answered) {
            sim_check(strstr(call.header.p, "404") != NULL, "a strange answer: %s", call.header.p);
        }
        js_end(&call);
        if (!found) break;
    }
    s->looked = js_tick(s->m);
}

// ---- the verdict ---------------------------------------------------------------------------------------------------

static void judge(struct js_client *cl, struct js_stream *s) {
    char why[200];
    for (unsigned i = 0; i < TRIES && !cl->lost; i++) {
        uint64_t first, last;
        const char *wrong = NULL;
        if (!find_stream(cl, s, &first, &last)) return;
        read_all(cl, s);
        if (cl->lost) return;
        wrong = js_stream_judge(s, first, last, why, sizeof(why));
        for (unsigned k = 0; k < JS_CONSUMERS && wrong == NULL && !cl->lost; k++) {
            struct js_consumer *c = &s->consumers[k];
            struct js_facts f;
            if (c->phase != JS_PRESENT || !js_look(cl, c, &f)) continue;
            wrong = js_consumer_judge(c, &f, why, sizeof(why));
        }
        if (wrong == NULL) return;
        sim_check(i + 1 < TRIES || cl->lost, "%s", wrong);
        sim_trace("not yet: %s", wrong);
        js_pause(cl, 10 * MG_SEC);
    }
}

void js_audit(struct js_client *cl) {
    for (unsigned i = 0; i < JS_STREAMS && !cl->lost; i++) judge(cl, &cl->w->model.streams[i]);
}

// ---- the end -------------------------------------------------------------------------------------------------------

static void run_empty(struct js_client *cl, struct js_consumer *c) {
    struct js_stream *s = c->stream;
    uint64_t last = s->last;
    bool *wanted = mg_zalloc(last + 1);
    for (uint64_t seq = 1; seq <= last; seq++) {
        const struct js_msg *msg = js_at(s, seq);
        if (seq >= s->npresent || !s->present[seq] || msg == NULL || !js_matches(c, msg->subject)) continue;
        if (c->fresh && msg->sent < c->since) continue;
        wanted[seq] = js_seen(c, seq)->acked == 0;
        js_seen(c, seq)->drained = false;
    }
    js_resume(cl, c);
    js_drain(cl, c);
    for (uint64_t seq = 1; seq <= last && !cl->lost; seq++) {
        // With ack all, one that came behind it may have ended it.
        bool ended = js_seen(c, seq)->drained || (c->ack_all && js_seen(c, seq)->acked);
        sim_check(!wanted[seq] || ended || c->ack_none, "consumer %u.%u never gets %llu", s->no, c->no,
                  (unsigned long long)seq);
    }
    mg_free(wanted);
}

void js_last_audit(struct js_client *cl) {
    struct js_model *m = &cl->w->model;
    js_audit(cl);
    m->draining = true;
    for (unsigned i = 0; i < JS_STREAMS * JS_CONSUMERS && !cl->lost; i++) {
        struct js_stream *s = &m->streams[i / JS_CONSUMERS];
        struct js_consumer *c = &s->consumers[i % JS_CONSUMERS];
        if (s->phase != JS_PRESENT || c->phase != JS_PRESENT || c->push || c->max_deliver > 0 || s->max_age) continue;
        run_empty(cl, c);
    }
    m->draining = false;
    js_audit(cl);
}
