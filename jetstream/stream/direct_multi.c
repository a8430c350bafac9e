// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A direct get of the last messages of many subjects (spec/jetstream-streams.md 8). First the subjects that the filters
// match are listed, then the last message of each at or below the ceiling is looked for, then these are sent in the
// order of their numbers. All of them are as of one ceiling: what is published meanwhile does not show.
#include <stdlib.h>

#include "jetstream/stream/direct.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

#define RESULTS_MAX 1024u   // spec/jetstream-streams.md 8
#define SUBJECTS_MAX 65536u // with a ceiling, many may match whose messages are all above it
#define STEPS_A_TURN 64u

struct multi {
    struct mg_subjects_read list;
    struct mg_js_direct *d;
    size_t filter;        // that is listed
    struct mg_buf listed; // a copy of it: the list may outlive the request
    struct mg_buf text;   // of the subjects
    struct found {
        uint32_t at, len; // in text; a length of 0: a duplicate
        uint64_t seq;     // 0: none
    } *v;
    uint32_t n, cap, next;
    uint64_t ceiling;
    bool listing, dead;  // dead: nobody wants the list any more
};

static void multi_free(struct multi *u) {
    mg_buf_fini(&u->listed);
    mg_buf_fini(&u->text);
    mg_free(u->v);
    mg_free(u);
}

// While a list is made the store has it.
void mg_js_direct_multi_free(struct mg_js_direct *d) {
    struct multi *u = d->own;
    d->own = NULL;
    if (u == NULL) return;
    if (u->listing) u->dead = true;
    else multi_free(u);
}

// ---- sending --------------------------------------------------------------------------------------------------------

static int by_seq(const void *a, const void *b) {
    const struct found *x = a, *y = b;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void send_more(struct mg_js_direct *d);

static void sent(struct mg_js_direct *d) {
    struct multi *u = d->own;
    if (d->rd.r.err != 0) {
        mg_js_direct_nothing(d, "404 Message Not Found");
        return;
    }
    bool room = mg_js_direct_send(d);
    u->next++;
    if (!room || u->next == u->n || (d->ask.batch > 0 && d->sent >= d->ask.batch)) mg_js_direct_end(d, u->ceiling);
    else if (u->next % STEPS_A_TURN == 0) mg_js_direct_later(d, send_more);
    else send_more(d);
}

static void send_more(struct mg_js_direct *d) {
    const struct multi *u = d->own;
    d->filter = mg_slice_of(NULL, 0);
    mg_js_direct_read(d, MG_READ_SEQ, u->v[u->next].seq, sent);
}

static void send_all(struct mg_js_direct *d) {
    struct multi *u = d->own;
    uint32_t n = 0;
    for (uint32_t i = 0; i < u->n; i++)
        if (u->v[i].seq > 0 && u->v[i].seq >= d->ask.seq) u->v[n++] = u->v[i];
    u->n = n;
    u->next = 0;
    d->pending = n;
    if (n == 0) {
        mg_js_direct_nothing(d, "404 No Results");
    } else if (n > RESULTS_MAX) {
        mg_js_direct_status(d, "413 Too Many Results");
    } else {
        qsort(u->v, n, sizeof(u->v[0]), by_seq);
        send_more(d);
    }
}

// ---- the last one of each subject -----------------------------------------------------------------------------------

static void look_further(struct mg_js_direct *d);

static void looked(struct mg_js_direct *d) {
    struct multi *u = d->own;
    u->v[u->next++].seq = d->rd.r.err == 0 ? d->rd.r.msg.seq : 0;
    if (u->next == u->n) send_all(d);
    else if (u->next % STEPS_A_TURN == 0) mg_js_direct_later(d, look_further);
    else look_further(d);
}

static void look_further(struct mg_js_direct *d) {
    const struct multi *u = d->own;
    d->filter = mg_slice_of(u->text.p + u->v[u->next].at, u->v[u->next].len);
    mg_js_direct_read(d, MG_READ_LAST, u->ceiling, looked);
}

// ---- the subjects ---------------------------------------------------------------------------------------------------

static void note(struct mg_subjects_read *l, mg_slice subject, uint64_t count, uint64_t last) {
    struct multi *u = mg_container_of(l, struct multi, list);
    (void)count;
    (void)last;
    if (u->n == u->cap) {
        u->cap = u->cap ? u->cap * 2 : 64;
        u->v = mg_realloc(u->v, u->cap * sizeof(u->v[0]));
    }
    u->v[u->n++] = (struct found){(uint32_t)u->text.len, (uint32_t)subject.n, 0};
    mg_buf_add_slice(&u->text, subject);
}

static mg_slice text_of(const struct multi *u, const struct found *f) { return mg_slice_of(u->text.p + f->at, f->len); }

static int by_text(const void *a, const void *b, void *arg) { return mg_slice_cmp(text_of(arg, a), text_of(arg, b)); }

// Filters may overlap.
static void drop_duplicates(struct multi *u) {
    uint32_t n = 0;
    if (u->n == 0) return;
    qsort_r(u->v, u->n, sizeof(u->v[0]), by_text, u);
    for (uint32_t i = 0; i < u->n; i++)
        if (n == 0 || !mg_slice_eq(text_of(u, &u->v[i]), text_of(u, &u->v[n - 1]))) u->v[n++] = u->v[i];
    u->n = n;
}

static void list_next(struct multi *u);

static void listed(struct mg_subjects_read *l, int err, uint64_t total) {
    struct multi *u = mg_container_of(l, struct multi, list);
    struct mg_js_direct *d = u->d;
    u->listing = false;
    if (u->dead) {
        multi_free(u);
        return;
    }
    mg_list_remove(&d->rd.link);
    if (err != 0) {
        mg_js_direct_free(d);
    } else if (total > u->n && u->n >= SUBJECTS_MAX) {
        mg_js_direct_status(d, "413 Too Many Results");
    } else if (++u->filter < d->ask.multi_last.n) {
        list_next(u);
    } else {
        drop_duplicates(u);
        if (u->n) look_further(d);
        else mg_js_direct_nothing(d, "404 No Results");
    }
}

static void gone(struct mg_js_reading *rd) { mg_js_direct_free(mg_container_of(rd, struct mg_js_direct, rd)); }

static void list_next(struct multi *u) {
    struct mg_js_direct *d = u->d;
    u->listed.len = 0;
    mg_buf_add_slice(&u->listed, d->ask.multi_last.v[u->filter]);
    u->list = (struct mg_subjects_read){
        .filter = mg_buf_slice(&u->listed), .max = SUBJECTS_MAX, .each = note, .done = listed};
    u->listing = true;
    d->rd.stream = d->stream; // so that it learns when the stream goes
    d->rd.gone = gone;
    mg_list_push_back(&d->stream->reads, &d->rd.link);
    mg_stream_subjects(d->stream->store, &u->list);
}

// ---- the ceiling ----------------------------------------------------------------------------------------------------

static void begin(struct mg_js_direct *d, uint64_t ceiling) {
    struct multi *u = mg_zalloc(sizeof(*u));
    u->d = d;
    u->ceiling = ceiling;
    d->own = u;
    list_next(u);
}

// The number that the time leads to; the ceiling is below it.
static void timed(struct mg_js_direct *d) {
    struct mg_stream_state st;
    uint64_t seq = d->rd.r.err == 0 ? d->rd.r.msg.seq : mg_stream_visible(d->stream->store) + 1;
    bool known = mg_stream_state(d->stream->store, &st) == 0;
    if (seq <= (known ? st.first : 1)) mg_js_direct_nothing(d, "404 No Results");
    else begin(d, seq - 1);
}

void mg_js_direct_multi(struct mg_js_direct *d) {
    const struct mg_js_ask *a = &d->ask;
    if (!a->up_to_time.set) {
        begin(d, a->up_to_seq ? a->up_to_seq : mg_stream_visible(d->stream->store));
        return;
    }
    d->rd.r.time = mg_js_time_ns(a->up_to_time);
    mg_js_direct_read(d, MG_READ_TIME, 0, timed);
}
