// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/removal.h"

static size_t put_varint(uint8_t *out, uint64_t v) {
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) out[n++] = (uint8_t)(v | 0x80);
    out[n++] = (uint8_t)v;
    return n;
}

static bool get_varint(struct mg_removal_walk *w, uint64_t *v) {
    *v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (w->p == w->end) return false;
        uint8_t b = *w->p++;
        *v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) return true;
    }
    return false;
}

static uint64_t zigzag(uint64_t delta) { return delta << 1 ^ (uint64_t)-(int64_t)(delta >> 63); }
static uint64_t unzigzag(uint64_t v) { return v >> 1 ^ (uint64_t)-(int64_t)(v & 1); }

void mg_removals_clear(struct mg_removals *l) {
    l->buf.len = 0;
    l->count = 0;
    l->previous = 0;
}

void mg_removals_fini(struct mg_removals *l) {
    mg_buf_fini(&l->buf);
    mg_removals_clear(l);
}

void mg_removals_add(struct mg_removals *l, const struct mg_removal *r) {
    uint8_t head[30];
    size_t n = put_varint(head, zigzag(r->seq - l->previous));
    n += put_varint(head + n, r->size);
    n += put_varint(head + n, r->named ? r->subject.n + 1 : 0);
    mg_buf_add(&l->buf, head, n);
    if (r->named) mg_buf_add_slice(&l->buf, r->subject);
    l->previous = r->seq;
    l->count++;
}

void mg_removals_encode(const struct mg_removals *l, struct mg_buf *out) {
    uint8_t head[10];
    mg_buf_add(out, head, put_varint(head, l->count));
    mg_buf_add(out, l->buf.p, l->buf.len);
}

struct mg_removal_walk mg_removal_walk_of(mg_slice list) {
    struct mg_removal_walk w = {(const uint8_t *)list.p, (const uint8_t *)list.p + list.n, 0, 0, false};
    uint64_t count = 0;
    if (list.n == 0) return w;
    if (!get_varint(&w, &count) || count > list.n) w.bad = true;
    w.left = w.bad ? 0 : (uint32_t)count;
    return w;
}

bool mg_removal_next(struct mg_removal_walk *w, struct mg_removal *out) {
    if (w->left == 0) return false;
    uint64_t delta, size, length;
    w->left--;
    if (!get_varint(w, &delta) || !get_varint(w, &size) || !get_varint(w, &length) || size > UINT32_MAX ||
        length > (uint64_t)(w->end - w->p) + 1) {
        w->bad = true;
        w->left = 0;
        return false;
    }
    out->seq = w->previous = w->previous + unzigzag(delta);
    out->size = (uint32_t)size;
    out->named = length > 0;
    out->subject = length ? mg_slice_of((const char *)w->p, (size_t)(length - 1)) : (mg_slice){NULL, 0};
    if (length) w->p += length - 1;
    return true;
}

void mg_removals_cut(struct mg_removals *l, uint32_t n) {
    struct mg_removal_walk w = {(const uint8_t *)l->buf.p, (const uint8_t *)l->buf.p + l->buf.len, l->count, 0, false};
    struct mg_removal r = {0};
    if (n >= l->count) return;
    for (uint32_t i = 0; i < n && mg_removal_next(&w, &r); i++) l->previous = r.seq;
    l->buf.len = (size_t)((const char *)w.p - l->buf.p);
    l->count = n;
}
