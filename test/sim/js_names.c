// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Streams that want the same: some names and some subjects, which everybody gives to streams, changes and takes away at
// the same time. No two streams ever have a subject in common; nobody is refused without a reason; whoever was told of
// a stream, or of the end of one, finds it so at once, from whatever shard; and lists tell of all of them.
#include <stdio.h>
#include <string.h>

#include "server/base/mem.h"
#include "test/sim/js_world.h"

#define NAMES 5u
#define OVERLAPS 10065u // error codes
#define NO_STREAM 10059u
#define IN_USE 10058u

static const char *const subjects[] = {"n.a", "n.b", "n.c", "n.*"};
#define SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))
#define LITERALS (SUBJECTS - 1)

struct name {
    enum js_phase phase;
    unsigned subject;
    bool unsure;       // of the subject
    unsigned asked;    // changes of it that are not answered
    bool mixed;        // of these, some were under way at the same time
    uint64_t answered; // tick of the last answer
};

struct names {
    struct name name[NAMES];
    uint64_t changes; // that were begun or have ended
};

static void *make(struct js_world *w) {
    (void)w;
    return mg_zalloc(sizeof(struct names));
}

static void drop(void *own) { mg_free(own); }

static void new_life(void *own) {
    struct names *ns = own;
    for (unsigned i = 0; i < NAMES; i++) {
        struct name *n = &ns->name[i];
        if (n->asked) {
            n->phase = JS_MAYBE;
            n->unsure = true;
        }
        n->asked = 0;
        n->mixed = false;
    }
}

static bool collide(unsigned a, unsigned b) { return a == b || a == LITERALS || b == LITERALS; }

// ---- what is known -------------------------------------------------------------------------------------------------

static bool surely(const struct name *n) { return n->phase == JS_PRESENT && n->asked == 0 && !n->unsure; }

// Of no two streams that are there subjects collide.
static void check_apart(const struct names *ns) {
    for (unsigned i = 0; i < NAMES; i++)
        for (unsigned j = 0; j < i; j++)
            sim_check(!surely(&ns->name[i]) || !surely(&ns->name[j]) ||
                          !collide(ns->name[i].subject, ns->name[j].subject),
                      "streams N%u and N%u both have %s", i, j, subjects[ns->name[i].subject]);
}

// Could somebody else have had this subject since that tick?
static bool excused(const struct names *ns, const struct name *own, unsigned subject, uint64_t since) {
    for (unsigned i = 0; i < NAMES; i++) {
        const struct name *n = &ns->name[i];
        if (n == own) continue;
        bool was = n->asked || n->unsure || n->answered >= since;
        if (was || (n->phase != JS_ABSENT && collide(n->subject, subject))) return true;
    }
    return false;
}

// A change begins; mixed: another one is under way, and what comes of both is not known.
static void begin(struct names *ns, struct name *n) {
    ns->changes++;
    n->mixed |= n->asked++ > 0;
}

// True: it was alone, and n is as the caller will say.
static bool end(struct js_client *cl, struct names *ns, struct name *n) {
    bool alone = !n->mixed;
    ns->changes++;
    n->answered = js_tick(&cl->w->model);
    if (--n->asked > 0) return false;
    n->mixed = false;
    if (alone) return true;
    n->phase = JS_MAYBE;
    n->unsure = true;
    return false;
}

// ---- looking -------------------------------------------------------------------------------------------------------

// A message for subject `k` is stored by the one stream that is sure to have it.
static void publish(struct js_client *cl, struct names *ns, unsigned k) {
    struct js_call call;
    char stream[24];
    uint64_t before = ns->changes, seq;
    unsigned owner = NAMES;
    for (unsigned i = 0; i < NAMES; i++) {
        struct name *n = &ns->name[i];
        if (surely(n) && collide(n->subject, k)) owner = i;
    }
    if (js_ask(cl, &call, subjects[k], "x") && owner < NAMES && ns->changes == before && !cl->w->stopping) {
        snprintf(stream, sizeof(stream), "\"stream\":\"N%u\"", owner);
        sim_check(strstr(js_body(&call), stream) && js_number(&call.body, "", "seq", &seq),
                  "%s is N%u's, and a message for it gets: %s %s", subjects[k], owner, js_body(&call),
                  call.header.len ? call.header.p : "");
    }
    js_end(&call);
}

// Each one that is sure to be there, once and in order, and none that is not.
static void list(struct js_client *cl, struct names *ns, const char *verb, const char *key) {
    struct js_call call;
    char subject[40], text[24];
    uint64_t before = ns->changes;
    snprintf(subject, sizeof(subject), "$JS.API.STREAM.%s", verb);
    if (js_ask(cl, &call, subject, "{\"subject\":\"n.>\"}") && ns->changes == before) {
        const char *at = strstr(js_body(&call), "\"streams\":");
        sim_check(at != NULL, "a strange list: %s", js_body(&call));
        for (unsigned i = 0; i < NAMES; i++) {
            const struct name *n = &ns->name[i];
            snprintf(text, sizeof(text), "%s\"N%u\"", key, i);
            const char *found = strstr(at, text);
            sim_check(found || !surely(n), "N%u is not in order in %s: %s", i, verb, js_body(&call));
            sim_check(!found || n->phase != JS_ABSENT || n->asked, "N%u is not there, but in %s", i, verb);
            sim_check(!found || !strstr(found + 1, text), "N%u is twice in %s", i, verb);
            if (found) at = found;
        }
    }
    js_end(&call);
}

// What there is of one that nobody changes.
static void find(struct js_client *cl, struct names *ns, unsigned i) {
    struct name *n = &ns->name[i];
    struct js_call call;
    char subject[40];
    uint64_t before = ns->changes;
    snprintf(subject, sizeof(subject), "$JS.API.STREAM.INFO.N%u", i);
    if (js_ask(cl, &call, subject, "") && ns->changes == before && n->asked == 0) {
        bool there = js_error(&call.body) == 0;
        sim_check(there || js_error(&call.body) == NO_STREAM, "%s: %s", subject, js_body(&call));
        sim_check(there || n->phase != JS_PRESENT, "N%u is lost", i);
        sim_check(!there || n->phase != JS_ABSENT, "N%u is there again", i);
        n->phase = there ? JS_PRESENT : JS_ABSENT;
        const char *at = strstr(js_body(&call), "\"subjects\":[\"");
        for (unsigned k = 0; k < SUBJECTS && there && at; k++) {
            if (strncmp(at + 13, subjects[k], 3) != 0) continue;
            sim_check(n->unsure || n->subject == k, "N%u has %s, and had %s", i, subjects[k], subjects[n->subject]);
            n->subject = k;
        }
        n->unsure = false;
        check_apart(ns);
    }
    js_end(&call);
}

// ---- changing ------------------------------------------------------------------------------------------------------

static void put(struct js_client *cl, struct names *ns, unsigned i, const char *verb) {
    struct name *n = &ns->name[i];
    struct js_call call;
    char subject[40], body[80];
    const unsigned k = (unsigned)js_below(cl, SUBJECTS);
    const uint64_t since = js_tick(&cl->w->model);
    const enum js_phase was = n->phase;
    snprintf(subject, sizeof(subject), "$JS.API.STREAM.%s.N%u", verb, i);
    snprintf(body, sizeof(body), "{\"name\":\"N%u\",\"subjects\":[\"%s\"]}", i, subjects[k]);
    begin(ns, n);
    if (js_ask(cl, &call, subject, body)) {
        const unsigned error = js_error(&call.body);
        const bool alone = end(cl, ns, n);
        sim_check(error == 0 || error == OVERLAPS || error == NO_STREAM || error == IN_USE, "%s: %s", subject,
                  js_body(&call));
        sim_check(error != OVERLAPS || excused(ns, n, k, since), "%s: nobody has %s: %s", subject, subjects[k],
                  js_body(&call));
        if (alone && error == 0) {
            sim_check(was != JS_PRESENT || verb[0] == 'U' || n->unsure || n->subject == k, "%s: made twice", subject);
            n->phase = JS_PRESENT;
            n->subject = k;
            n->unsure = false;
            check_apart(ns);
            if (k < LITERALS) publish(cl, ns, k);
        } else if (alone) {
            sim_check(error != NO_STREAM || was != JS_PRESENT, "%s: it is not there any more", subject);
            sim_check(error != IN_USE || was != JS_ABSENT, "%s: it is there already", subject);
        }
    }
    js_end(&call);
}

static void delete_one(struct js_client *cl, struct names *ns, unsigned i) {
    struct name *n = &ns->name[i];
    struct js_call call;
    char subject[40];
    const enum js_phase was = n->phase;
    snprintf(subject, sizeof(subject), "$JS.API.STREAM.DELETE.N%u", i);
    begin(ns, n);
    if (js_ask(cl, &call, subject, "")) {
        const unsigned error = js_error(&call.body);
        sim_check(error == 0 || error == NO_STREAM, "%s: %s", subject, js_body(&call));
        if (end(cl, ns, n)) {
            sim_check(error == 0 || was != JS_PRESENT, "%s: it is not there any more", subject);
            sim_check(error != 0 || was != JS_ABSENT, "%s: it was there", subject);
            n->phase = JS_ABSENT;
            n->unsure = false;
        }
    }
    js_end(&call);
}

// ---- what is done --------------------------------------------------------------------------------------------------

static void act(struct js_client *cl, void *own) {
    struct names *ns = own;
    const unsigned i = (unsigned)js_below(cl, NAMES);
    switch (js_below(cl, 12)) {
    case 0:
    case 1:
    case 2:
    case 3: put(cl, ns, i, "CREATE"); break;
    case 4:
    case 5: put(cl, ns, i, "UPDATE"); break;
    case 6:
    case 7:
    case 8: delete_one(cl, ns, i); break;
    case 9: list(cl, ns, "NAMES", ""); break;
    case 10: find(cl, ns, i); break;
    default: publish(cl, ns, (unsigned)js_below(cl, LITERALS));
    }
}

static void audit(struct js_client *cl, void *own, bool last) {
    struct names *ns = own;
    (void)last;
    for (unsigned i = 0; i < NAMES && !cl->lost; i++) find(cl, ns, i);
    if (!cl->lost) list(cl, ns, "NAMES", "");
    if (!cl->lost) list(cl, ns, "LIST", "\"config\":{\"name\":");
    for (unsigned k = 0; k < LITERALS && !cl->lost; k++) publish(cl, ns, k);
}

const struct js_feature js_names = {.name = "names", .make = make, .free = drop, .new_life = new_life,
                                    .act = act, .audit = audit};
