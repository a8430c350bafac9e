// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/stream/roll.h"

#include "server/base/mem.h"

#define SHOWN_A_TURN 16u
#define PAGE 256u

static void go_on(struct mg_js_task *t);

static void known(struct mg_js_knowing *k, struct mg_js_member *m) {
    struct mg_js_roll *r = mg_container_of(k, struct mg_js_roll, knowing);
    if (r->asking) {
        r->asking = false;
        r->answered = m;
        return;
    }
    if (m && m->c) r->each(r, m);
    mg_js_later(r->js, &r->task, go_on);
}

// False: it will be shown when it knows.
static bool show(struct mg_js_roll *r, struct mg_js_member *m) {
    r->asking = true;
    mg_js_member_know(m, &r->knowing);
    bool at_once = !r->asking;
    r->asking = false;
    if (at_once && r->answered && r->answered->c) r->each(r, r->answered);
    return at_once;
}

static mg_slice next_name(const struct mg_js_roll *r) {
    uint32_t n;
    memcpy(&n, r->names.p + r->at, sizeof(n));
    return mg_slice_of(r->names.p + r->at + sizeof(n), n);
}

static void finish(struct mg_js_roll *r, struct mg_js_stream *s) {
    r->names.len = r->stream.len = r->at = 0;
    r->end(r, s);
}

static void go_on(struct mg_js_task *t) {
    struct mg_js_roll *r = mg_container_of(t, struct mg_js_roll, task);
    struct mg_js_stream *s = mg_js_find(r->js, mg_buf_slice(&r->stream));
    if (s && s->deleting) s = NULL;
    for (unsigned n = 0; s && r->at < r->names.len; n++) {
        mg_slice name = next_name(r);
        struct mg_js_member *m = mg_js_member_find(s, name);
        struct mg_js_sleeper *sl = m ? NULL : mg_js_sleeper_find(s, name);
        if (n == SHOWN_A_TURN) {
            mg_js_later(r->js, t, go_on);
            return;
        }
        if (sl) {
            t->run = go_on;
            mg_js_sleeper_wake_for(sl, t);
            return;
        }
        r->at += sizeof(uint32_t) + name.n;
        if (m && !show(r, m)) return;
    }
    finish(r, s);
}

void mg_js_roll_call(struct mg_js_roll *r, struct mg_js_stream *s, size_t skip, size_t most) {
    mg_slice names[PAGE];
    r->knowing.known = known;
    mg_list_init(&r->task.link);
    mg_buf_add_slice(&r->stream, mg_js_stream_name(s));
    while (s->members && most > 0) {
        size_t n = mg_js_names_page(&s->members->names, skip, names, most < PAGE ? most : PAGE);
        for (size_t i = 0; i < n; i++) {
            uint32_t length = (uint32_t)names[i].n;
            mg_buf_add(&r->names, &length, sizeof(length));
            mg_buf_add_slice(&r->names, names[i]);
        }
        if (n == 0) break;
        skip += n;
        most -= n;
    }
    go_on(&r->task);
}

void mg_js_roll_fini(struct mg_js_roll *r) {
    mg_buf_fini(&r->stream);
    mg_buf_fini(&r->names);
}
