// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Walking a section, forwards and backwards, by its leaves alone; and with the records, which are taken from a window
// that was read ahead. A filter is a bit per subject, so passing over a message that is not wanted costs about a
// nanosecond. Only a message whose subject is unknown (damaged metadata) makes the walk read a record.
//
// What always holds: each message of the section between two places is given, is passed over by the filter, or lies in
// a range that was said to be unreadable.
#include "jetstream/store/segment_impl.h"

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/loop.h"

// A window is not larger than what the journal can wait for: its commits go to the same device. The next one is fetched
// while this one is looked at.
enum { WINDOW = 64 * 1024, WINDOW_FIRST = 16 * 1024 };
enum { UNPACKED = 512 }; // so many bytes to unpack take as long as a record

struct mg_section_walk {
    const struct mg_segment *g;
    struct mg_section s;
    const struct mg_section_filter *filter;
    int broken; // the section's description makes no sense
    struct section_dir dir;
    struct section_leaf leaf; // block NULL: at the end
    uint32_t leaf_no, pos;    // between pos - 1 and pos
    bool within;              // inside of entry pos, an unreadable stretch: both neighbours of the place
    struct mg_record_buf buf;
};

// Does the filter know all there is to know?
static bool is_exact(const struct mg_section_filter *f) { return f && !f->unknown && f->nbits; }

struct mg_section_walk *mg_section_walk_new(const struct mg_segment *g, const struct mg_section *s,
                                            const struct mg_section_filter *filter) {
    struct mg_section_walk *w = mg_zalloc(sizeof *w);
    w->g = g;
    w->s = *s;
    w->filter = filter;
    w->broken = section_check(g, s);
    if (w->broken) return w;
    section_dir_load(g, &w->s, &w->dir);
    mg_section_walk_seek(w, 0);
    return w;
}

void mg_section_walk_free(struct mg_section_walk *w) {
    if (!w) return;
    section_leaf_release(&w->leaf);
    section_dir_release(&w->dir);
    mg_record_buf_fini(&w->buf);
    mg_free(w);
}

static void enter_leaf(struct mg_section_walk *w, uint32_t i) {
    mg_thread_breathe();
    section_leaf_release(&w->leaf);
    w->leaf_no = i;
    w->pos = 0;
    w->within = false;
    if (i >= w->dir.n) return;
    struct mg_dir_row row;
    section_dir_row(&w->dir, i, &row);
    section_leaf_load(w->g, &w->s, &row, &w->leaf);
}

void mg_section_walk_seek(struct mg_section_walk *w, uint64_t seq) {
    if (w->broken) return;
    enter_leaf(w, section_dir_find(&w->dir, seq));
    if (!w->leaf.block) return;
    w->pos = section_leaf_find(&w->leaf, seq);
    w->within = w->pos < w->leaf.head.messages && section_leaf_seq(&w->leaf, w->pos) < seq;
}

// Does the filter say no to an entry, by its subject alone?
static bool unwanted(const struct mg_section_walk *w, uint32_t i) {
    const struct mg_section_filter *f = w->filter;
    uint32_t subject = mg_get_u32(w->leaf.entries + (size_t)i * 8);
    if (!f || subject >= f->nbits || (f->bits[subject / 64] >> (subject % 64) & 1)) return false;
    return !f->unknown || !(f->unknown[subject / 64] >> (subject % 64) & 1);
}

// Whether the filter lets an entry pass: MG_OK, MG_ENOTFOUND: no, or the error of its record.
static int passes(struct mg_section_walk *w, const struct mg_section_entry *e) {
    const struct mg_section_filter *f = w->filter;
    if (!f) return MG_OK;
    if (mg_section_filter_has(f, e)) return MG_OK;
    struct mg_record_view v;
    int err = mg_section_read(w->g, &w->s, e, &w->buf, &v);
    if (err) return err;
    return section_in_set(f->match, v.subject) ? MG_OK : MG_ENOTFOUND;
}

// Entry i of the leaf. MG_ENOTFOUND: it is to be passed over.
static int look(struct mg_section_walk *w, uint32_t i, struct mg_section_entry *e) {
    if (unwanted(w, i)) return MG_ENOTFOUND;
    int err = section_leaf_entry(&w->s, &w->leaf, i, e);
    if (err == MG_OK) return passes(w, e);
    return e->seq > e->last_seq ? MG_ENOTFOUND : err;
}

// Is nothing wanted in the leaf, nor on its far side?
static bool filter_ends_before(const struct mg_section_walk *w, uint64_t seq) {
    return is_exact(w->filter) && (w->filter->subjects == 0 || w->filter->last_seq < seq);
}
static bool filter_begins_behind(const struct mg_section_walk *w, uint64_t seq) {
    return is_exact(w->filter) && (w->filter->subjects == 0 || w->filter->first_seq > seq);
}

int mg_section_walk_next(struct mg_section_walk *w, struct mg_section_entry *e) {
    if (w->broken) {
        *e = (struct mg_section_entry){.seq = 0, .last_seq = UINT64_MAX};
        return MG_ECORRUPT;
    }
    while (w->leaf.block) {
        if (filter_ends_before(w, w->leaf.row.first_seq)) return MG_ENOTFOUND;
        if (filter_begins_behind(w, w->leaf.row.last_seq)) w->pos = w->leaf.head.messages;
        w->within = false;
        while (w->pos < w->leaf.head.messages) {
            int err = look(w, w->pos++, e);
            if (err != MG_ENOTFOUND) return err;
        }
        enter_leaf(w, w->leaf_no + 1);
    }
    return MG_ENOTFOUND;
}

int mg_section_walk_prev(struct mg_section_walk *w, struct mg_section_entry *e) {
    if (w->broken) return mg_section_walk_next(w, e);
    for (;;) {
        if (w->leaf.block) {
            if (filter_begins_behind(w, w->leaf.row.last_seq)) return MG_ENOTFOUND;
            w->pos += w->within;
            w->within = false;
            if (filter_ends_before(w, w->leaf.row.first_seq)) w->pos = 0;
            while (w->pos > 0) {
                int err = look(w, --w->pos, e);
                if (err != MG_ENOTFOUND) return err;
            }
        }
        if (w->leaf_no == 0) return MG_ENOTFOUND;
        enter_leaf(w, w->leaf_no - 1);
        w->pos = w->leaf.head.messages;
    }
}

// ---- with the records

struct mg_section_scan {
    struct mg_section_walk *walk;
    bool once;
    uint8_t *window; // owned
    size_t cap, len, ahead;
    uint64_t at;     // of the window in the file
    struct mg_record_buf buf; // a record that does not fit, or was packed
    uint32_t work; // done since the last breath; see BREATH
};

struct mg_section_scan *mg_section_scan_new(const struct mg_segment *g, const struct mg_section *s,
                                            const struct mg_section_filter *filter, size_t window, bool once) {
    struct mg_section_scan *c = mg_zalloc(sizeof *c);
    c->walk = mg_section_walk_new(g, s, filter);
    c->cap = window ? window : WINDOW;
    if (c->cap < WINDOW_FIRST) c->cap = WINDOW_FIRST;
    c->once = once;
    c->ahead = WINDOW_FIRST;
    return c;
}

void mg_section_scan_free(struct mg_section_scan *c) {
    if (!c) return;
    mg_section_walk_free(c->walk);
    mg_record_buf_fini(&c->buf);
    mg_free(c->window);
    mg_free(c);
}

void mg_section_scan_seek(struct mg_section_scan *c, uint64_t seq) { mg_section_walk_seek(c->walk, seq); }

const uint8_t *mg_section_scan_record(const struct mg_section_scan *c) { return c->buf.record; }

static bool in_window(const struct mg_section_scan *c, const struct mg_section_entry *e) {
    return e->at >= c->at && e->at - c->at <= c->len && e->length <= c->len - (e->at - c->at);
}

// Reads ahead from the entry on, more each time while reading goes on where the last window ended. Who reads once has
// come to read on: much at once, and the device gets what follows while that is being looked at.
static void fill(struct mg_section_scan *c, const struct mg_section_entry *e) {
    const struct mg_section *s = &c->walk->s;
    const struct mg_blob *blob = &c->walk->g->file.main;
    bool begins = c->once && c->window == NULL;
    bool on = begins || (c->len && e->at >= c->at && e->at - c->at <= 2 * c->len);
    if (on && c->once && c->len && blob->ops->forget) blob->ops->forget(blob->handle, c->at, c->len);
    c->ahead = !on ? WINDOW_FIRST : c->ahead * 4 < c->cap && !begins ? c->ahead * 4 : c->cap;
    size_t n = e->length > c->ahead ? e->length : c->ahead;
    uint64_t left = s->data + s->data_bytes - e->at;
    if (n > left) n = (size_t)left;
    if (!c->window) c->window = mg_alloc(c->cap);
    c->at = e->at;
    c->len = mg_blob_read(blob, c->window, n, e->at) == MG_OK ? n : 0;
    left -= n;
    if (on && c->len && left && blob->ops->expect)
        blob->ops->expect(blob->handle, e->at + n, left < c->cap ? left : c->cap);
}

// For the record that was given last.
static void breathe(struct mg_section_scan *c) {
    bool unpacked = c->buf.record && c->buf.record == c->buf.plain;
    c->work += 1 + (unpacked ? mg_record_length(c->buf.record) / UNPACKED : 0);
    if (c->work < BREATH) return;
    mg_thread_breathe();
    c->work = 0;
}

int mg_section_scan_next(struct mg_section_scan *c, struct mg_section_entry *e, struct mg_record_view *out) {
    int err = mg_section_walk_next(c->walk, e);
    if (err == MG_OK) breathe(c);
    c->buf.record = NULL;
    if (err) return err;
    if (!in_window(c, e) && e->length <= c->cap) fill(c, e);
    if (in_window(c, e)) {
        const uint8_t *p = c->window + (e->at - c->at);
        if (section_open_record(c->walk->g, &c->walk->s, e, p, &c->buf, out) == MG_OK) return MG_OK;
    }
    return mg_section_read(c->walk->g, &c->walk->s, e, &c->buf, out); // by itself, with a report
}
