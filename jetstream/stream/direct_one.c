// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A direct get of one message: by number, the last or the next of a subject, the first since a time.
#include <stdio.h>

#include "jetstream/stream/direct.h"
#include "server/base/errors.h"

static void answer(struct mg_js_direct *d) {
    static const mg_slice none = {NULL, 0};
    const struct mg_message *m = &d->rd.r.msg;
    struct mg_buf headers = MG_BUF_INIT;
    char text[80];
    if (d->rd.r.err == MG_ENOTFOUND) {
        mg_js_direct_nothing(d, "404 Message Not Found");
        return;
    }
    if (d->rd.r.err != 0) {
        snprintf(text, sizeof(text), "500 %s", mg_strerror(d->rd.r.err));
        mg_js_direct_status(d, text);
        return;
    }
    if (!d->ask.no_hdr) {
        mg_js_write_where(&headers, d->stream, m->headers, &(struct mg_js_where){m->subject, m->seq, m->time});
        mg_buf_adds(&headers, "\r\n");
    }
    mg_js_publish(d->stream->js, d->to, none, mg_buf_slice(&headers), m->payload);
    mg_buf_fini(&headers);
    mg_js_direct_free(d);
}

// By start time: first the number that it leads to, then on from there.
static void started(struct mg_js_direct *d) {
    if (d->rd.r.err != 0 || d->ask.next_by_subj.n == 0) {
        answer(d);
        return;
    }
    d->filter = d->ask.next_by_subj;
    mg_js_direct_read(d, MG_READ_NEXT, d->rd.r.msg.seq, answer);
}

void mg_js_direct_one(struct mg_js_direct *d) {
    const struct mg_js_ask *a = &d->ask;
    if (a->start_time.set) {
        d->rd.r.time = mg_js_time_ns(a->start_time);
        mg_js_direct_read(d, MG_READ_TIME, 0, started);
        return;
    }
    d->filter = a->last_by_subj.n ? a->last_by_subj : a->next_by_subj;
    if (a->last_by_subj.n) mg_js_direct_read(d, MG_READ_LAST, MG_ANY_SEQ, answer);
    else mg_js_direct_read(d, a->next_by_subj.n ? MG_READ_NEXT : MG_READ_SEQ, a->seq, answer);
}
