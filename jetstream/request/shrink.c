// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A lower limit of messages per subject works at once (spec/jetstream-streams.md 5). The store keeps a subject at its
// limit when a message comes; what is there already is found by a list of all subjects and purged, one by one. An
// update is answered behind that.
#include "jetstream/request/request.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

struct shrink {
    struct mg_subjects_read list;
    struct mg_js_request *rq;
    struct mg_js_stream *stream;
    void (*next)(struct mg_js_request *, struct mg_js_stream *, const struct mg_result *);
    uint64_t most;
    struct mg_buf subjects; // u16 length, text: those with more
};

static void note(struct mg_subjects_read *l, mg_slice subject, uint64_t count, uint64_t last) {
    struct shrink *sh = mg_container_of(l, struct shrink, list);
    uint16_t n = (uint16_t)subject.n;
    (void)last;
    if (count <= sh->most) return;
    mg_buf_add(&sh->subjects, &n, sizeof(n));
    mg_buf_add_slice(&sh->subjects, subject);
}

static void listed(struct mg_subjects_read *l, int err, uint64_t total) {
    struct shrink *sh = mg_container_of(l, struct shrink, list);
    struct mg_js_request *rq = sh->rq;
    (void)total;
    for (size_t at = 0; err == 0 && at < sh->subjects.len;) {
        uint16_t n;
        memcpy(&n, sh->subjects.p + at, sizeof(n));
        mg_slice subject = mg_slice_of(sh->subjects.p + at + sizeof(n), n);
        err = mg_stream_purge(sh->stream->store, subject, 0, sh->most, NULL);
        at += sizeof(n) + n;
    }
    if (err == 0) mg_js_request_barrier(rq, sh->stream, sh->next);
    else mg_js_answer_store_error(rq, MG_JSE_STREAM_UPDATE, err);
    mg_buf_fini(&sh->subjects);
    mg_free(sh);
}

void mg_js_stream_shrink(struct mg_js_stream *s, struct mg_js_request *rq,
                         void (*next)(struct mg_js_request *, struct mg_js_stream *, const struct mg_result *)) {
    struct shrink *sh = mg_zalloc(sizeof(*sh));
    sh->rq = rq;
    sh->stream = s;
    sh->next = next;
    sh->most = (uint64_t)s->config.max_msgs_per_subject;
    sh->list = (struct mg_subjects_read){.max = UINT64_MAX, .each = note, .done = listed};
    mg_stream_subjects(s->store, &sh->list);
}
