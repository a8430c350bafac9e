// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Applying a transform: the steps are written one behind the other, separated by dots. Pure and allocation-free: source
// tokens are found by walking the subject, the result goes to the caller's buffer.
//
// What always holds: writing beyond the buffer is impossible; a result that does not fit is an error, never a cut one.
#include <inttypes.h>
#include <stdio.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/utf8.h"
#include "server/proto/subject.h"
#include "server/proto/transform.h"

struct sink {
    char *p;
    size_t n, cap;
    bool full;
};

static void put(struct sink *s, const char *p, size_t n) {
    if (n > s->cap - s->n) s->full = true;
    if (s->full || n == 0) return;
    memcpy(s->p + s->n, p, n);
    s->n += n;
}

static void put_dot(struct sink *s) { put(s, ".", 1); }

static void put_number(struct sink *s, uint32_t v) {
    char text[12];
    put(s, text, (size_t)snprintf(text, sizeof text, "%" PRIu32, v));
}

static mg_slice token_at(mg_slice subject, uint32_t pos) {
    mg_slice tok = {NULL, 0};
    struct mg_tokens it = mg_tokens_of(subject);
    for (uint32_t i = 0; i <= pos; i++)
        if (!mg_tokens_next(&it, &tok)) return mg_slice_of(NULL, 0);
    return tok;
}

static uint32_t fnv1a(uint32_t h, mg_slice s) {
    for (size_t i = 0; i < s.n; i++) h = (h ^ (unsigned char)s.p[i]) * 16777619u;
    return h;
}

static void put_partition(struct sink *s, const struct mg_transform *t, const struct mg_transform_step *step,
                          mg_slice subject) {
    uint32_t h = 2166136261u;
    for (uint32_t i = 0; i < step->count; i++) h = fnv1a(h, token_at(subject, t->at[step->first + i]));
    if (step->count == 0) h = fnv1a(h, subject);
    put_number(s, step->arg ? h % (uint32_t)step->arg : 0);
}

// Pieces between separators, empty ones left out. An empty separator cuts between characters.
static void put_split(struct sink *s, mg_slice tok, mg_slice sep) {
    bool any = false;
    while (tok.n > 0) {
        const char *cut = sep.n ? memmem(tok.p, tok.n, sep.p, sep.n) : NULL;
        size_t n = cut ? (size_t)(cut - tok.p) : tok.n;
        if (sep.n == 0) {
            n = mg_utf8_len(tok.p, tok.n);
            if (n == 0) n = 1;
        }
        if (n > 0) {
            if (any) put_dot(s);
            put(s, tok.p, n);
            any = true;
        }
        size_t skip = cut ? n + sep.n : n;
        tok = mg_slice_of(tok.p + skip, tok.n - skip);
    }
}

// Pieces of `size` bytes, the last may be shorter; the first one has `head` bytes if that is not 0.
static void put_slices(struct sink *s, mg_slice tok, size_t head, size_t size) {
    for (size_t at = 0, n; at < tok.n; at += n) {
        n = at == 0 && head > 0 ? head : size;
        if (n > tok.n - at) n = tok.n - at;
        if (at > 0) put_dot(s);
        put(s, tok.p + at, n);
    }
}

// The functions of one token and a number of bytes k. Out of 0 < k < length the token is left as it is.
static void put_cut(struct sink *s, enum mg_transform_fn fn, mg_slice tok, int32_t k) {
    if (k <= 0 || (size_t)k >= tok.n) {
        put(s, tok.p, tok.n);
        return;
    }
    size_t left = (size_t)k, right = tok.n - (size_t)k;
    switch (fn) {
    case MG_TFN_SPLIT_FROM_LEFT: put_slices(s, tok, left, right); break;
    case MG_TFN_SPLIT_FROM_RIGHT: put_slices(s, tok, right, left); break;
    case MG_TFN_SLICE_FROM_LEFT: put_slices(s, tok, 0, left); break;
    case MG_TFN_SLICE_FROM_RIGHT: put_slices(s, tok, tok.n % left, left); break;
    case MG_TFN_LEFT: put(s, tok.p, left); break;
    default: put(s, tok.p + right, left); break;
    }
}

// What `>` stands for: everything from the source's last token on.
static void put_rest(struct sink *s, const struct mg_transform *t, mg_slice subject) {
    mg_slice tok = token_at(subject, t->src_tokens - 1);
    if (tok.p != NULL) put(s, tok.p, (size_t)(subject.p + subject.n - tok.p));
}

static void put_step(struct sink *s, const struct mg_transform *t, const struct mg_transform_step *step,
                     mg_slice subject, uint64_t rnd) {
    switch (step->fn) {
    case MG_TFN_LITERAL: put(s, step->text.p, step->text.n); return;
    case MG_TFN_REST: put_rest(s, t, subject); return;
    case MG_TFN_PARTITION: put_partition(s, t, step, subject); return;
    case MG_TFN_RANDOM: put_number(s, step->arg ? (uint32_t)((int64_t)(rnd >> 33) % step->arg) : 0); return;
    default: break;
    }
    mg_assert(step->count == 1);
    mg_slice tok = token_at(subject, t->at[step->first]);
    if (step->fn == MG_TFN_WILDCARD) put(s, tok.p, tok.n);
    else if (step->fn == MG_TFN_SPLIT) put_split(s, tok, step->text);
    else put_cut(s, step->fn, tok, step->arg);
}

bool mg_transform_matches(const struct mg_transform *t, mg_slice subject) {
    return mg_subject_subset(subject, mg_cstr(t->src));
}

int mg_transform_apply(const struct mg_transform *t, mg_slice subject, uint64_t rnd, char *out, size_t cap,
                       mg_slice *result) {
    struct sink s = {.p = out, .cap = cap};
    for (size_t i = 0; i < t->nsteps; i++) {
        if (i > 0) put_dot(&s);
        put_step(&s, t, &t->steps[i], subject, rnd);
        rnd = rnd * 6364136223846793005u + 1442695040888963407u; // two random() in one subject differ
    }
    *result = mg_slice_of(out, s.n);
    return s.full ? MG_ERANGE : 0;
}
