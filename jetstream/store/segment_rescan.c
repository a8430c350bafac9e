// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Records in order without the help of metadata: each one says how long it is. A damaged record whose lengths are
// plausible is passed over. Where they are not, the rest of the range is given up: looking for something that resembles
// a record would find what somebody has put into a payload.
//
// What always holds: a record that is given has a right checksum, is of the stream, and its sequence is greater than
// that of the one before.
#include "jetstream/store/segment_impl.h"

#include "server/base/errors.h"
#include "server/base/mem.h"

enum { PAGE = 4096, WINDOW = 256 * 1024 };

void segment_read_tolerant(const struct mg_segment *g, uint8_t *p, size_t n, uint64_t at) {
    if (mg_blob_read(&g->file.main, p, n, at) == MG_OK) return;
    for (size_t done = 0, part; done < n; done += part) {
        part = PAGE - (size_t)((at + done) % PAGE); // up to the end of the page
        if (part > n - done) part = n - done;
        if (mg_blob_read(&g->file.main, p + done, part, at + done)) memset(p + done, 0, part);
    }
}

void rescan_init(struct rescan *r, const struct mg_segment *g, const struct mg_section *s, uint64_t at, uint64_t end,
                 uint64_t seq, uint64_t last_seq) {
    *r = (struct rescan){.g = g, .stream = s->stream, .seq = seq, .last_seq = last_seq, .at = at, .end = end};
}

void rescan_fini(struct rescan *r) {
    mg_free(r->buf);
    r->buf = NULL;
}

// n bytes from r->at on, which lie before r->end.
static const uint8_t *bytes_at(struct rescan *r, size_t n) {
    if (r->at < r->buf_at || r->at - r->buf_at > r->buf_len || n > r->buf_len - (r->at - r->buf_at)) {
        size_t want = n > WINDOW ? n : WINDOW;
        if (want > r->end - r->at) want = (size_t)(r->end - r->at);
        if (want > r->cap) {
            mg_free(r->buf);
            r->buf = mg_alloc(want);
            r->cap = want;
        }
        segment_read_tolerant(r->g, r->buf, want, r->at);
        r->buf_at = r->at;
        r->buf_len = want;
    }
    return r->buf + (r->at - r->buf_at);
}

static void skip(struct rescan *r, uint64_t bytes) {
    r->skipped = true;
    r->at += bytes;
}

bool rescan_next(struct rescan *r) {
    r->skipped = false;
    while (r->at < r->end) {
        uint64_t left = r->end - r->at;
        size_t head = left < MG_RECORD_SIZE ? (size_t)left : MG_RECORD_SIZE;
        struct mg_stored *s = &r->found;
        if (mg_stored_measure(s, bytes_at(r, head), head) || s->length > left) {
            skip(r, left);
            return false;
        }
        uint32_t length = s->length;
        if (mg_stored_check(s, bytes_at(r, length), length) == MG_OK && s->stream == r->stream && s->seq >= r->seq &&
            s->seq <= r->last_seq) {
            r->found_at = r->at;
            r->at += length;
            r->seq = s->seq + 1;
            return true;
        }
        skip(r, length);
    }
    return false;
}
