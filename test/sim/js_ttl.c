// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Messages with a time to live, and the markers that stand where the last of a subject was (spec/jetstream-streams.md
// 14): a message is there until its time and not long after; behind it a marker, for its own time. Crashes change
// nothing of that.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/mem.h"
#include "test/sim/js_world.h"

#define LL(x) ((unsigned long long)(x))
#define SUBJECTS 5u
#define LATE (5 * MG_SEC)

struct timed {
    uint64_t seq;                // 0: nobody said that it is stored
    uint64_t sent, answered;     // ns; answered: or when it was known that no answer will come
    uint64_t ttl;                // ns; 0: it stays
    bool rollup, open;           // open: an answer may come
};

struct subject {
    bool busy; // somebody publishes or looks
    struct timed *msgs;
    size_t n;
};

struct ttl {
    struct sim *sim;
    struct subject subjects[SUBJECTS];
    bool one;        // message of a subject
    uint64_t marker; // ns that markers stay; 0: there are none
};

static void *make(struct js_world *w) {
    struct ttl *t = mg_zalloc(sizeof(*t));
    t->sim = w->sim;
    t->one = sim_chance(w->sim, 80);
    t->marker = sim_chance(w->sim, 160) ? (1 + sim_below(w->sim, 5)) * MG_SEC : 0;
    return t;
}

static void drop(void *own) {
    struct ttl *t = own;
    for (unsigned i = 0; i < SUBJECTS; i++) mg_free(t->subjects[i].msgs);
    mg_free(t);
}

static void new_life(void *own) {
    struct ttl *t = own;
    for (unsigned i = 0; i < SUBJECTS; i++) {
        struct subject *s = &t->subjects[i];
        s->busy = false;
        if (s->n && s->msgs[s->n - 1].open) s->msgs[s->n - 1].answered = sim_now(t->sim);
        if (s->n) s->msgs[s->n - 1].open = false;
    }
}

static void publish(struct js_client *cl, struct ttl *t, unsigned no) {
    struct subject *s = &t->subjects[no];
    char on[16], headers[80] = "", body[24];
    if (s->n % 16 == 0) s->msgs = mg_realloc(s->msgs, (s->n + 16) * sizeof(s->msgs[0]));
    uint64_t seconds = js_chance(cl, 200) ? 1 + js_below(cl, 10) : 0;
    size_t i = s->n++;
    s->msgs[i] = (struct timed){.sent = sim_now(t->sim), .ttl = seconds * MG_SEC, .open = true};
    s->msgs[i].rollup = t->one || js_chance(cl, 30);
    if (!t->one && seconds && s->msgs[i].ttl < t->marker) s->msgs[i].ttl = t->marker; // it is raised
    int n = seconds ? snprintf(headers, sizeof(headers), "Nats-TTL: %llu\r\n", LL(seconds)) : 0;
    if (s->msgs[i].rollup && !t->one) snprintf(headers + n, sizeof(headers) - (size_t)n, "Nats-Rollup: sub\r\n");
    snprintf(on, sizeof(on), "t.%u", no);
    snprintf(body, sizeof(body), "%zu", i);
    uint64_t seq = js_put(cl, on, headers, body);
    if (cl->lost) return;
    s->msgs[i].seq = seq;
    s->msgs[i].open = false;
    s->msgs[i].answered = sim_now(t->sim);
}

// ---- what must be --------------------------------------------------------------------------------------------------

static bool over(const struct timed *m, uint64_t now) { return m->ttl && now >= m->sent + m->ttl; } // perhaps
static bool overdue(const struct timed *m, uint64_t now) { return m->ttl && now > m->answered + m->ttl + LATE; }

// A later one has taken its place; surely: it is known to be stored.
static bool replaced(const struct subject *s, size_t i, bool surely) {
    for (size_t k = i + 1; k < s->n; k++)
        if (s->msgs[k].rollup && (!surely || s->msgs[k].seq)) return true;
    return false;
}

static void check_there(const struct subject *s, unsigned no, size_t i, uint64_t asked) {
    sim_check(i < s->n, "t.%u: message %zu was invented", no, i);
    sim_check(!overdue(&s->msgs[i], asked), "t.%u: message %zu is there %llu ms after its time", no, i,
              LL((asked - s->msgs[i].answered - s->msgs[i].ttl) / 1000000));
    sim_check(!replaced(s, i, true), "t.%u: message %zu is there though another has taken its place", no, i);
}

// It is not there, or not the last one.
static void check_gone(const struct subject *s, unsigned no, size_t i, uint64_t now) {
    const struct timed *m = &s->msgs[i];
    if (m->seq == 0 || replaced(s, i, false)) return;
    sim_check(over(m, now), "t.%u: message %zu is gone %llu ms after it was sent, and it is to stay for %llu ms", no, i,
              LL((now - m->sent) / 1000000), LL(m->ttl / 1000000));
}

static void check_marker(const struct ttl *t, unsigned no, uint64_t asked, uint64_t now) {
    const struct subject *s = &t->subjects[no];
    uint64_t latest = 0;
    bool any = false;
    for (size_t i = 0; i < s->n; i++) {
        const struct timed *m = &s->msgs[i];
        any |= over(m, now);
        if (m->ttl && m->answered + m->ttl > latest) latest = m->answered + m->ttl;
    }
    sim_check(t->marker && any, "t.%u has a marker, and nothing expired", no);
    sim_check(asked <= latest + t->marker + 2 * LATE, "t.%u has a marker after its time", no);
}

// Nothing is there: the marker of what was the last has gone, too.
static void check_nothing(const struct ttl *t, unsigned no, uint64_t now) {
    const struct subject *s = &t->subjects[no];
    if (s->n == 0 || t->marker == 0) return;
    const struct timed *m = &s->msgs[s->n - 1];
    // Behind an older marker there may be none.
    bool certain = m->seq && m->ttl >= t->marker + 2 * MG_SEC;
    sim_check(!certain || now >= m->sent + m->ttl + t->marker, "t.%u has no marker", no);
}

static void look(struct js_client *cl, struct ttl *t, unsigned no) {
    struct subject *s = &t->subjects[no];
    struct js_call call;
    char subject[64], why[40];
    uint64_t asked = sim_now(t->sim);
    snprintf(subject, sizeof(subject), "$JS.API.DIRECT.GET.T.t.%u", no);
    if (js_ask(cl, &call, subject, "")) {
        uint64_t now = sim_now(t->sim);
        mg_slice headers = mg_buf_slice(&call.header);
        size_t last = SIZE_MAX;
        if (js_header(headers, "Nats-Marker-Reason", why, sizeof(why))) {
            check_marker(t, no, asked, now);
        } else if (js_header(headers, "Nats-Sequence", why, sizeof(why))) {
            last = (size_t)strtoull(js_body(&call), NULL, 10);
            check_there(s, no, last, asked);
        } else {
            check_nothing(t, no, now);
        }
        for (size_t i = 0; i < s->n; i++)
            if (last == SIZE_MAX || i > last) check_gone(s, no, i, now);
    }
    js_end(&call);
}

static void look_at(struct js_client *cl, struct ttl *t, unsigned no) {
    struct subject *s = &t->subjects[no];
    struct js_call call;
    char body[64], on[24], want[24];
    if (s->n == 0) return;
    size_t i = (size_t)js_below(cl, s->n);
    if (s->msgs[i].seq == 0) return;
    uint64_t asked = sim_now(t->sim);
    snprintf(body, sizeof(body), "{\"seq\":%llu}", LL(s->msgs[i].seq));
    snprintf(want, sizeof(want), "t.%u", no);
    if (js_ask(cl, &call, "$JS.API.DIRECT.GET.T", body)) {
        if (js_header(mg_buf_slice(&call.header), "Nats-Subject", on, sizeof(on))) {
            sim_check(strcmp(on, want) == 0 && strtoull(js_body(&call), NULL, 10) == i, "number %llu is on %s: %s",
                      LL(s->msgs[i].seq), on, js_body(&call));
            check_there(s, no, i, asked);
        } else {
            check_gone(s, no, i, sim_now(t->sim));
        }
    }
    js_end(&call);
}

// ---- what is done --------------------------------------------------------------------------------------------------

static void act(struct js_client *cl, void *own) {
    struct ttl *t = own;
    unsigned no = (unsigned)js_below(cl, SUBJECTS);
    struct subject *s = &t->subjects[no];
    if (s->busy) return;
    s->busy = true;
    switch (js_below(cl, 8)) {
    case 0:
    case 1:
    case 2: publish(cl, t, no); break;
    case 3: look_at(cl, t, no); break;
    case 4: js_pause(cl, js_below(cl, 4 * MG_SEC)); // and what it was comes to an end meanwhile
            // fall through
    default: look(cl, t, no);
    }
    if (!cl->lost) s->busy = false;
}

static void audit(struct js_client *cl, void *own, bool last) {
    struct ttl *t = own;
    char body[300];
    snprintf(body, sizeof(body), "{\"name\":\"T\",\"subjects\":[\"t.*\"],\"allow_direct\":true,"
             "\"allow_rollup_hdrs\":true,\"allow_msg_ttl\":true,"
             "\"max_msgs_per_subject\":%d,\"subject_delete_marker_ttl\":%llu}",
             t->one ? 1 : -1, LL(t->marker));
    if (!js_do(cl, "$JS.API.STREAM.CREATE.T", body)) return;
    for (unsigned round = 0; round < (last ? 5u : 1u) && !cl->lost; round++) {
        for (unsigned no = 0; no < SUBJECTS && !cl->lost; no++) look(cl, t, no);
        for (unsigned no = 0; no < SUBJECTS && !cl->lost; no++) look_at(cl, t, no);
        if (last) js_pause(cl, 5 * MG_SEC);
    }
}

const struct js_feature js_ttl = {.name = "ttl", .make = make, .free = drop, .new_life = new_life,
                                  .act = act, .audit = audit};
