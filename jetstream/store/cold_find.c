// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Cold reads, the reader's side: what the snapshot's stretches and runs say. What cannot be read becomes an entry with
// its error, unless it was removed; who asks decides what that means.
#include "jetstream/store/cold.h"
#include "jetstream/store/packed.h"
#include "jetstream/store/store_impl.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/proto/subject.h"

#define SCAN_BYTES (256u * 1024)

// Bitmaps of removed messages, one chunk at a time.
struct removed {
    const struct mg_cold_read *r;
    uint64_t chunk; // UINT64_MAX: none yet
    bool known;     // there is a bitmap
    int failed;     // it cannot be read
    struct mg_buf bits;
};

// COUNT brings the bits along that were in memory only when it was asked: {u64 chunk, bitmap}, ascending.
static void add_bits_of_memory(struct removed *x) {
    const struct mg_buf *m = &x->r->memory_bits;
    size_t lo = 0, hi = m->len / (8 + MG_REMOVED_BYTES);
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (mg_get_u64(m->p + mid * (8 + MG_REMOVED_BYTES)) < x->chunk) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (lo == m->len / (8 + MG_REMOVED_BYTES) || mg_get_u64(m->p + lo * (8 + MG_REMOVED_BYTES)) != x->chunk) return;
    const char *bits = m->p + lo * (8 + MG_REMOVED_BYTES) + 8;
    if (!x->known) {
        x->bits.len = 0;
        mg_buf_add(&x->bits, bits, MG_REMOVED_BYTES);
        x->known = true;
        return;
    }
    for (size_t i = 0; i < MG_REMOVED_BYTES; i++) x->bits.p[i] = (char)(x->bits.p[i] | bits[i]);
}

// On error *out is false: whoever looks for messages takes one for there, and for one that cannot be read.
static int is_removed(struct removed *x, uint64_t seq, bool *out) {
    *out = seq < x->r->low;
    if (*out) return 0;
    uint64_t chunk = seq / MG_REMOVED_SPAN, bit = seq % MG_REMOVED_SPAN;
    if (chunk != x->chunk) {
        char key[MG_ROW_KEY_HEAD + 8];
        mg_row_key_head(key, MG_ROW_REMOVED, x->r->stream_id);
        mg_put_be64(key + MG_ROW_KEY_HEAD, chunk);
        x->bits.len = 0;
        int err = mg_runset_get(x->r->runs, mg_slice_of(key, sizeof(key)), &x->bits);
        x->failed = err == MG_ENOTFOUND ? 0 : err;
        x->known = err == 0 && x->bits.len == MG_REMOVED_BYTES;
        x->chunk = chunk;
        if (x->failed == 0) add_bits_of_memory(x);
    }
    if (x->failed) return x->failed;
    *out = x->known && (x->bits.p[bit / 8] >> (bit % 8) & 1);
    return 0;
}

bool mg_cold_matches(const struct mg_cold_question *q, mg_slice subject) {
    for (unsigned i = 0; i < q->filters_len; i++) {
        if (mg_subject_match(subject, q->filters[i])) return true;
    }
    return q->filters_len == 0;
}

static bool matches(void *arg, mg_slice subject) { return mg_cold_matches(arg, subject); }

static struct mg_subject_match match_of(struct mg_cold_question *q) {
    struct mg_subject_match m = {.match = matches, .arg = q};
    if (q->filters_len == 1) {
        m.prefix = mg_slice_of(q->filters[0].p, mg_subject_literal_prefix(q->filters[0]));
        m.literal = m.prefix.n == q->filters[0].n;
    }
    return m;
}

static void add_entry(struct mg_cold_read *r, uint64_t seq, uint64_t last_seq, const struct mg_record_view *v,
                      int err) {
    if (r->count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 16;
        r->entries = mg_realloc(r->entries, r->cap * sizeof(r->entries[0]));
    }
    struct mg_cold_entry *e = &r->entries[r->count++];
    *e = (struct mg_cold_entry){.seq = seq, .last_seq = err ? last_seq : seq, .time = INT64_MAX, .err = err};
    if (err) return;
    // Offsets for now: the buffer may move. They become pointers when all is there.
    e->time = v->head.time;
    e->subject = mg_slice_of((const char *)r->answer->bytes.len, v->subject.n);
    e->headers = mg_slice_of((const char *)r->answer->bytes.len + v->subject.n, v->headers.n);
    e->payload = mg_slice_of((const char *)r->answer->bytes.len + v->subject.n + v->headers.n, v->payload.n);
    mg_buf_add_slice(&r->answer->bytes, v->subject);
    mg_buf_add_slice(&r->answer->bytes, v->headers);
    mg_buf_add_slice(&r->answer->bytes, v->payload);
}

static bool enough(const struct mg_cold_read *r) {
    return r->count >= r->q.max || r->answer->bytes.len >= (r->q.max_bytes ? r->q.max_bytes : SCAN_BYTES);
}

// A stretch whose segment cannot be opened: those that it has from `from` on, as one entry.
static void add_unreadable(struct mg_cold_read *r, const struct mg_stretch *c, uint64_t from, struct removed *x,
                           int err) {
    uint64_t seq = from > c->first_seq ? from : c->first_seq;
    bool gone = true;
    for (; gone && seq <= c->last_seq; seq += gone) is_removed(x, seq, &gone);
    if (!gone) {
        add_entry(r, seq, c->last_seq, NULL, err);
        r->entries[r->count - 1].time = mg_stretch_latest(c);
    }
    r->covered = c->last_seq + 1;
}

// Of a damaged range, what is of the stretch, behind `from`, and not below the first message.
static void clip(const struct mg_cold_read *r, const struct mg_stretch *c, uint64_t from, struct mg_section_entry *e) {
    if (from < r->low) from = r->low;
    if (from < c->first_seq) from = c->first_seq;
    if (e->seq < from) e->seq = from;
    if (e->last_seq > c->last_seq) e->last_seq = c->last_seq;
}

// What can be told of a message whose record is damaged: the leaf knows how long that is, and its head may be whole.
static void describe(struct mg_cold_entry *out, const struct mg_section_scan *scan, const struct mg_section *at,
                     const struct mg_section_entry *e) {
    const uint8_t *p = mg_section_scan_record(scan);
    struct mg_record_view v;
    struct mg_stored s;
    out->time = at->max_time;
    if (e->seq != e->last_seq || e->length < MG_RECORD_SIZE) return;
    out->size = mg_stored_size(0, 0, e->length - MG_RECORD_SIZE);
    if (out->err != MG_ECORRUPT || p == NULL || mg_stored_measure(&s, p, e->length) || s.length != e->length ||
        s.stream != at->stream || s.seq != e->seq)
        return;
    if (s.packed) { // lengths that nothing confirms
        if (mg_stored_check(&s, p, e->length) == 0) out->size = mg_stored_size(0, 0, s.plain - MG_RECORD_SIZE);
        return;
    }
    mg_record_borrow(&v, p);
    out->size = mg_stored_size(v.subject.n, v.headers.n, v.payload.n);
}

// It is whole, but nobody knows whether it was removed.
static void describe_intact(struct mg_cold_entry *out, const struct mg_record_view *v) {
    out->time = v->head.time;
    out->size = mg_stored_size(v->subject.n, v->headers.n, v->payload.n);
}

// From `from` on through one stretch. True: go on with the next one.
static bool scan_stretch(struct mg_cold_read *r, const struct mg_stretch *c, uint64_t from, struct removed *x) {
    struct mg_subject_match m = match_of(&r->q);
    const struct mg_segment *g;
    struct mg_section at;
    int failed = mg_stretch_open(c, r->stream_id, &g, &at);
    if (failed) {
        add_unreadable(r, c, from, x, failed);
        return !enough(r);
    }
    struct mg_section_filter *f = r->q.filters_len ? mg_section_filter_new(g, &at, &m) : NULL;
    bool more = true;
    if (f == NULL || f->messages || f->unknown) {
        struct mg_section_scan *scan = mg_section_scan_new(g, &at, f, r->q.max == 1 ? 4096 : r->q.window, r->q.max > 1);
        mg_section_scan_seek(scan, from);
        while (more) {
            struct mg_section_entry e;
            struct mg_record_view v;
            int err = mg_section_scan_next(scan, &e, &v);
            if (err == MG_ENOTFOUND) break;
            bool gone = true;
            int unknown = 0; // whether it is there
            if (err) clip(r, c, from, &e);
            for (uint64_t seq = e.seq; gone && seq <= e.last_seq; seq++) {
                unknown = is_removed(x, seq, &gone);
                e.seq = seq;
            }
            bool hidden = err && MG_PLANTED(damage_is_absence);
            if (!gone && !hidden) {
                add_entry(r, e.seq, e.last_seq, &v, err ? err : unknown);
                if (err) describe(&r->entries[r->count - 1], scan, &at, &e);
                else if (unknown) describe_intact(&r->entries[r->count - 1], &v);
            }
            r->covered = (err ? e.last_seq : e.seq) + 1;
            if (enough(r)) more = false;
        }
        mg_section_scan_free(scan);
    }
    if (more && r->covered <= c->last_seq) r->covered = c->last_seq + 1;
    if (f) mg_section_filter_free(f);
    mg_stretch_close(c);
    return more;
}

static void scan(struct mg_cold_read *r, uint64_t from) {
    struct removed x = {.r = r, .chunk = UINT64_MAX};
    r->covered = from;
    for (uint32_t i = 0; i < r->cold_len; i++) {
        if (r->cold[i].last_seq < from) continue;
        if (!scan_stretch(r, &r->cold[i], from, &x)) break;
    }
    mg_buf_fini(&x.bits);
}

static void read_entry(struct mg_cold_read *r, const struct mg_segment *g, const struct mg_section *at,
                       const struct mg_section_entry *e, int err) {
    struct mg_record_buf buf = {0};
    struct mg_record_view v;
    if (err == 0) err = mg_section_read(g, at, e, &buf, &v);
    add_entry(r, e->seq, e->last_seq, &v, err);
    mg_record_buf_fini(&buf);
}

static void find_last_in(struct mg_cold_read *r, const struct mg_segment *g, const struct mg_section *at,
                         struct removed *x) {
    struct mg_subject_match m = match_of(&r->q);
    struct mg_section_filter *f = r->q.filters_len ? mg_section_filter_new(g, at, &m) : NULL;
    struct mg_section_walk *w = mg_section_walk_new(g, at, f);
    mg_section_walk_seek(w, r->q.from + 1);
    for (;;) {
        struct mg_section_entry e;
        bool gone = true;
        int err = mg_section_walk_prev(w, &e);
        if (err == MG_ENOTFOUND) break;
        uint64_t low = e.seq > at->first_seq ? e.seq : at->first_seq;
        uint64_t seq = e.last_seq < r->q.from ? e.last_seq : r->q.from;
        if (low < r->low) low = r->low;
        for (; gone && r->err == 0 && seq >= low && seq > 0; seq--) {
            r->err = is_removed(x, seq, &gone);
            e.seq = e.last_seq = seq;
        }
        if (r->err) break;
        if (gone) continue;
        read_entry(r, g, at, &e, err);
        break;
    }
    mg_section_walk_free(w);
    if (f) mg_section_filter_free(f);
}

// It might be in a stretch whose segment cannot be opened, unless all of that is removed.
static void suspect_last(struct mg_cold_read *r, const struct mg_stretch *c, struct removed *x, int err) {
    uint64_t seq = r->q.from < c->last_seq ? r->q.from : c->last_seq;
    for (bool gone; r->err == 0 && seq >= c->first_seq && seq >= r->low; seq--) {
        r->err = is_removed(x, seq, &gone);
        if (r->err || gone) continue;
        add_entry(r, seq, seq, NULL, err);
        return;
    }
}

// Backwards, the newest stretch first.
static void find_last(struct mg_cold_read *r) {
    struct removed x = {.r = r, .chunk = UINT64_MAX};
    for (uint32_t i = r->cold_len; i-- > 0 && r->count == 0 && r->err == 0;) {
        const struct mg_stretch *c = &r->cold[i];
        const struct mg_segment *g;
        struct mg_section at;
        if (c->first_seq > r->q.from) continue;
        int err = mg_stretch_open(c, r->stream_id, &g, &at);
        if (err) {
            suspect_last(r, c, &x, err);
            continue;
        }
        find_last_in(r, g, &at, &x);
        mg_stretch_close(c);
    }
    mg_buf_fini(&x.bits);
}

static int first_in(const struct mg_cold_read *r, const struct mg_stretch *c, struct mg_section_entry *e) {
    const struct mg_segment *g;
    struct mg_section at;
    *e = (struct mg_section_entry){.seq = c->first_seq > r->q.from ? c->first_seq : r->q.from,
                                   .last_seq = c->last_seq};
    int err = mg_stretch_open(c, r->stream_id, &g, &at);
    if (err) return err;
    err = at.max_time < r->q.time ? MG_ENOTFOUND : mg_section_first_at(g, &at, r->q.from, r->q.time, e);
    mg_stretch_close(c);
    return err;
}

// In one stretch. False: nothing, go on with the next one.
static bool find_time_in(struct mg_cold_read *r, const struct mg_stretch *c, struct removed *x) {
    struct mg_section_entry e;
    bool gone = true;
    while (gone && r->err == 0 && c->last_seq >= r->q.from) {
        int err = first_in(r, c, &e);
        if (err == MG_ENOTFOUND) return false;
        if (err == 0) {
            scan(r, e.seq);
            return true;
        }
        // One that cannot be read may be it, unless it was removed.
        uint64_t seq = e.seq > r->q.from ? e.seq : r->q.from;
        uint64_t last = e.last_seq < c->last_seq ? e.last_seq : c->last_seq;
        for (; gone && r->err == 0 && seq <= last; seq += gone) r->err = is_removed(x, seq, &gone);
        r->covered = last + 1;
        if (gone) r->q.from = r->covered; // else the question may have to be asked again
        if (r->err == 0 && !gone) add_entry(r, seq, last, NULL, err);
    }
    return r->err || !gone;
}

static void find_time(struct mg_cold_read *r) {
    struct removed x = {.r = r, .chunk = UINT64_MAX};
    for (uint32_t i = 0; i < r->cold_len; i++) {
        const struct mg_stretch *c = &r->cold[i];
        if (c->last_seq < r->q.from || !mg_stretch_reaches(c, r->q.time)) continue;
        if (find_time_in(r, c, &x)) {
            mg_buf_fini(&x.bits);
            return;
        }
    }
    r->covered = r->upto;
    mg_buf_fini(&x.bits);
}

// What can be told is counted, also where something cannot be.
static int count_stretch(struct mg_cold_read *r, const struct mg_stretch *c, struct removed *x) {
    struct mg_subject_match m = match_of(&r->q);
    const struct mg_segment *g;
    struct mg_section at;
    int err = mg_stretch_open(c, r->stream_id, &g, &at);
    if (err) {
        if (r->q.filters_len == 0 && c->first_seq >= r->q.from) r->total += c->live;
        return err;
    }
    struct mg_section_filter *f = r->q.filters_len ? mg_section_filter_new(g, &at, &m) : NULL;
    if (c->live == c->messages) {
        uint64_t n = 0;
        err = mg_section_count(g, &at, f, r->q.from, &n);
        r->total += n;
    } else {
        struct mg_section_walk *w = mg_section_walk_new(g, &at, f);
        struct mg_section_entry e;
        mg_section_walk_seek(w, r->q.from);
        while (mg_section_walk_next(w, &e) != MG_ENOTFOUND) {
            bool gone;
            int unknown = is_removed(x, e.seq, &gone);
            if (unknown) err = unknown;
            r->total += !gone;
        }
        mg_section_walk_free(w);
    }
    if (f) mg_section_filter_free(f);
    mg_stretch_close(c);
    return err;
}

static void count(struct mg_cold_read *r) {
    struct removed x = {.r = r, .chunk = UINT64_MAX};
    for (uint32_t i = 0; i < r->cold_len; i++) {
        int err = r->cold[i].last_seq >= r->q.from ? count_stretch(r, &r->cold[i], &x) : 0;
        if (err) r->err = err;
    }
    mg_buf_fini(&x.bits);
}

// As of the checkpoint that the snapshot belongs to: its first message, its bitmaps.
static int set_low(struct mg_cold_read *r) {
    char key[MG_ROW_KEY_HEAD];
    struct mg_buf value = MG_BUF_INIT;
    struct mg_state_row row;
    mg_row_key_head(key, MG_ROW_STATE, r->stream_id);
    int err = mg_runset_get(r->runs, mg_slice_of(key, sizeof(key)), &value);
    if (err == 0 && value.len < MG_STATE_ROW_SIZE) err = MG_ECORRUPT;
    if (err == 0) mg_state_row_unpack(&row, value.p);
    if (err == 0) {
        r->low = row.first;
        r->doubt = row.flags & MG_STATE_IN_DOUBT;
    }
    mg_buf_fini(&value);
    return err;
}

// Of these nobody knows whose they are. If they were there at the checkpoint, the row may have counted some: also those
// that were removed since.
static void leave_out(struct mg_cold_read *r, const struct mg_stretch *c, uint64_t first, uint64_t last,
                      struct removed *x) {
    struct mg_section_entry e = {.seq = first, .last_seq = last};
    bool gone = true;
    clip(r, c, 0, &e);
    for (; gone && r->err == 0 && e.seq <= e.last_seq; e.seq++) r->err = is_removed(x, e.seq, &gone);
    if (gone) return;
    r->doubt = true;
    r->left_out = e.last_seq; // stretches ascend
}

static void count_of_subject(struct mg_cold_read *r, const struct mg_stretch *c, struct removed *x,
                             struct mg_subject_row *row) {
    struct mg_subject_match m = match_of(&r->q);
    const struct mg_segment *g;
    struct mg_section at;
    if (mg_stretch_open(c, r->stream_id, &g, &at) != 0) {
        leave_out(r, c, c->first_seq, c->last_seq, x);
        return;
    }
    struct mg_section_filter *f = mg_section_filter_new(g, &at, &m);
    struct mg_section_scan *scan = mg_section_scan_new(g, &at, f, 0, true);
    struct mg_section_entry e;
    struct mg_record_view v;
    mg_section_scan_seek(scan, r->low);
    for (int err; r->err == 0 && (err = mg_section_scan_next(scan, &e, &v)) != MG_ENOTFOUND;) {
        bool gone;
        if (err && !mg_section_filter_has(f, &e)) {
            leave_out(r, c, e.seq, e.last_seq, x);
            continue;
        }
        r->err = is_removed(x, e.seq, &gone);
        if (r->err || gone) continue;
        if (row->count++ == 0) row->first = e.seq;
        row->last = e.seq;
        if (err || row->recent_len >= r->q.max || row->recent_len >= MG_SUBJECT_RECENT_MAX) continue;
        uint32_t size = mg_stored_size(v.subject.n, v.headers.n, v.payload.n);
        row->recent[row->recent_len++] = (struct mg_subject_recent){.seq = e.seq, .size = size};
    }
    mg_section_scan_free(scan);
    mg_section_filter_free(f);
    mg_stretch_close(c);
}

static void make_subject_row(struct mg_cold_read *r) {
    struct removed x = {.r = r, .chunk = UINT64_MAX};
    struct mg_subject_row *row = mg_zalloc(mg_subject_row_size(MG_SUBJECT_RECENT_MAX));
    r->err = set_low(r);
    for (uint32_t i = 0; i < r->cold_len && r->err == 0; i++) {
        if (r->cold[i].last_seq >= r->low) count_of_subject(r, &r->cold[i], &x, row);
    }
    if (row->count > 0) mg_buf_add(&r->answer->bytes, row, mg_subject_row_size(row->recent_len));
    mg_free(row);
    mg_buf_fini(&x.bits);
}

void mg_cold_find(struct mg_cold_read *r) {
    switch (r->q.kind) {
    case MG_COLD_SCAN: scan(r, r->q.from); break;
    case MG_COLD_LAST: find_last(r); break;
    case MG_COLD_TIME: find_time(r); break;
    case MG_COLD_COUNT: count(r); break;
    case MG_COLD_ROW: r->err = mg_runset_get(r->runs, r->q.filters[0], &r->answer->bytes); break;
    case MG_COLD_SUBJECT: make_subject_row(r); break;
    }
    for (uint32_t i = 0; i < r->count; i++) {
        struct mg_cold_entry *e = &r->entries[i];
        e->subject.p = r->answer->bytes.p + (size_t)e->subject.p;
        e->headers.p = r->answer->bytes.p + (size_t)e->headers.p;
        e->payload.p = r->answer->bytes.p + (size_t)e->payload.p;
    }
    r->answer->entries = r->entries;
}
