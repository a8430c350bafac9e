// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Reading a transform: the destination is cut into tokens, each becomes one step. `{{Name(arg, arg)}}` as a whole
// token is a function, `$n` is wildcard(n), anything else stands for itself. Names are looked up in one table that
// says how many arguments a function takes and what they are; errors carry the reference's texts (A18).
//
// What always holds for a transform that was built: source positions are within the source's tokens, and `>` is the
// last step exactly if it is the last source token. So applying it to a matching subject cannot fail but for space.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/proto/subject.h"
#include "server/proto/transform.h"

#define BAD_TRANSFORM "invalid transform"
#define UNKNOWN_FUNCTION "unknown function"
#define OUT_OF_RANGE "wildcard index out of range"
#define TOO_FEW "not enough arguments passed to the function"
#define TOO_MANY "too many arguments passed to the function"
#define BAD_ARG "function argument is invalid or in the wrong format"
#define NOT_ALL_USED "not using all of the token wildcard(s)"
#define IMPORT_ONLY "the only mapping function allowed for import transforms is {{Wildcard()}}"

enum { MAX_ARGS = 64, MAX_SUBJECT = 64 * 1024 };

struct build {
    struct mg_transform *t;
    unsigned flags;
    uint32_t stars;  // partial wildcards in the source
    bool wild;       // the source has wildcards at all
    uint32_t used;   // wildcard arguments in the destination
    char *err;
    size_t errn;
};

static int fail_text(struct build *b, const char *text) {
    snprintf(b->err, b->errn, "%s", text);
    return MG_ESYNTAX;
}

static int fail(struct build *b, const char *what, mg_slice tok) {
    snprintf(b->err, b->errn, "invalid mapping destination: %s%s%.*s", what, tok.n ? " in " : "", (int)tok.n,
             tok.n ? tok.p : "");
    return MG_ESYNTAX;
}

// ---- one token -------------------------------------------------------------------------------------------------

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r'; }

static mg_slice trim(mg_slice s) {
    while (s.n > 0 && is_blank(s.p[0])) s.p++, s.n--;
    while (s.n > 0 && is_blank(s.p[s.n - 1])) s.n--;
    return s;
}

// A decimal integer with optional sign in [INT32_MIN, INT32_MAX].
static bool read_int(mg_slice s, int32_t *out) {
    char text[16];
    s = trim(s);
    if (s.n == 0 || s.n >= sizeof text || is_blank(s.p[0])) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    const char *digits = text + (text[0] == '-' || text[0] == '+');
    if (*digits == '\0' || digits[strspn(digits, "0123456789")] != '\0') return false;
    int64_t v = strtoll(text, NULL, 10);
    *out = (int32_t)v;
    return v >= INT32_MIN && v <= INT32_MAX;
}

static const struct function {
    const char *name; // an upper-case letter begins a word and may be written in either case
    enum mg_transform_fn fn;
} functions[] = {
    {"Wildcard", MG_TFN_WILDCARD},
    {"Partition", MG_TFN_PARTITION},
    {"Random", MG_TFN_RANDOM},
    {"Split", MG_TFN_SPLIT},
    {"SplitFromLeft", MG_TFN_SPLIT_FROM_LEFT},
    {"SplitFromRight", MG_TFN_SPLIT_FROM_RIGHT},
    {"SliceFromLeft", MG_TFN_SLICE_FROM_LEFT},
    {"SliceFromRight", MG_TFN_SLICE_FROM_RIGHT},
    {"Left", MG_TFN_LEFT},
    {"Right", MG_TFN_RIGHT},
};

static bool name_is(mg_slice text, const char *name) {
    size_t i = 0;
    for (; i < text.n && name[i] != '\0'; i++) {
        bool word = name[i] >= 'A' && name[i] <= 'Z';
        if (text.p[i] != name[i] && !(word && text.p[i] == (name[i] | 0x20))) return false;
    }
    return i == text.n && name[i] == '\0';
}

static bool is_function(mg_slice tok) {
    return tok.n > 4 && memcmp(tok.p, "{{", 2) == 0 && memcmp(tok.p + tok.n - 2, "}}", 2) == 0;
}

// Splits "{{ Name ( args ) }}". LITERAL: no known function.
static enum mg_transform_fn function_of(mg_slice tok, mg_slice *args) {
    mg_slice body = trim(mg_slice_of(tok.p + 2, tok.n - 4));
    const char *paren = body.n ? memchr(body.p, '(', body.n) : NULL;
    if (paren == NULL || body.p[body.n - 1] != ')') return MG_TFN_LITERAL;
    mg_slice name = mg_slice_of(body.p, (size_t)(paren - body.p));
    while (name.n > 0 && is_blank(name.p[name.n - 1])) name.n--;
    *args = mg_slice_of(paren + 1, body.n - (size_t)(paren - body.p) - 2);
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        if (name_is(name, functions[i].name)) return functions[i].fn;
    return MG_TFN_LITERAL;
}

// Cuts at commas; blanks behind a comma go with it. Returns the number of arguments, at least 1; MAX_ARGS + 1: too
// many.
static size_t cut_args(mg_slice text, mg_slice *args) {
    for (size_t n = 0; n < MAX_ARGS;) {
        const char *comma = text.n ? memchr(text.p, ',', text.n) : NULL;
        args[n++] = mg_slice_of(text.p, comma ? (size_t)(comma - text.p) : text.n);
        if (comma == NULL) return n;
        text = mg_slice_of(comma + 1, text.n - args[n - 1].n - 1);
        while (text.n > 0 && is_blank(text.p[0])) text.p++, text.n--;
    }
    return MAX_ARGS + 1;
}

// A source token by its wildcard's number. Numbers below 1 name the first token, as in the reference.
static int add_source(struct build *b, struct mg_transform_step *s, int32_t number, mg_slice tok) {
    struct mg_transform *t = b->t;
    if (number > 0 && (uint32_t)number > b->stars) {
        snprintf(b->err, b->errn, "invalid mapping destination: " OUT_OF_RANGE " in %.*s: [%" PRId32 "]", (int)tok.n,
                 tok.p, number);
        return MG_ESYNTAX;
    }
    uint32_t pos = 0;
    struct mg_tokens it = mg_tokens_of(mg_cstr(t->src));
    for (mg_slice src; number > 0 && mg_tokens_next(&it, &src); pos++)
        if (mg_token_is(src, '*') && --number == 0) break;
    mg_assert(pos < t->src_tokens);
    if (s->count == 0) s->first = (uint32_t)t->nat;
    t->at = mg_realloc(t->at, (t->nat + 1) * sizeof *t->at);
    t->at[t->nat++] = pos;
    s->count++;
    b->used++;
    return 0;
}

// What a function's arguments look like, apart from the wildcard numbers.
static int read_args(struct build *b, struct mg_transform_step *s, const mg_slice *args, size_t n, mg_slice tok) {
    switch (s->fn) {
    case MG_TFN_WILDCARD:
        if (n == 1 && args[0].n == 0) return fail(b, TOO_FEW, tok);
        return n > 1 ? fail(b, TOO_MANY, tok) : 0;
    case MG_TFN_PARTITION: return read_int(args[0], &s->arg) ? 0 : fail(b, BAD_ARG, tok);
    case MG_TFN_RANDOM:
        if (n > 1) return fail(b, TOO_FEW, tok); // sic
        return read_int(args[0], &s->arg) ? 0 : fail(b, BAD_ARG, tok);
    default: break;
    }
    if (n != 2) return fail(b, n < 2 ? TOO_FEW : TOO_MANY, tok);
    if (s->fn != MG_TFN_SPLIT) return read_int(args[1], &s->arg) ? 0 : fail(b, BAD_ARG, tok);
    if (args[1].n > 0 && memchr(args[1].p, ' ', args[1].n)) return fail(b, BAD_ARG, tok);
    s->text = args[1];
    return 0;
}

static int read_function(struct build *b, struct mg_transform_step *s, mg_slice tok) {
    mg_slice text, args[MAX_ARGS];
    s->fn = function_of(tok, &text);
    if (s->fn == MG_TFN_LITERAL) return fail(b, UNKNOWN_FUNCTION, tok);
    size_t n = cut_args(text, args);
    if (n > MAX_ARGS) return fail(b, TOO_MANY, tok);
    int err = read_args(b, s, args, n, tok);
    if (err != 0) return err;
    if ((b->flags & MG_TRANSFORM_REVERSIBLE) && s->fn != MG_TFN_WILDCARD) return fail(b, IMPORT_ONLY, tok);
    if (s->fn == MG_TFN_RANDOM) return 0;
    int32_t numbers[MAX_ARGS];
    size_t from = s->fn == MG_TFN_PARTITION ? 1 : 0, to = s->fn == MG_TFN_PARTITION ? n : 1;
    for (size_t i = from; i < to; i++)
        if (!read_int(args[i], &numbers[i])) return fail(b, BAD_ARG, tok);
    if (!b->wild && s->fn != MG_TFN_PARTITION) return fail(b, OUT_OF_RANGE, tok);
    for (size_t i = from; b->wild && i < to; i++) // a literal source leaves partition() the whole subject
        if ((err = add_source(b, s, numbers[i], tok)) != 0) return err;
    return 0;
}

static int read_token(struct build *b, struct mg_transform_step *s, mg_slice tok) {
    int32_t number;
    *s = (struct mg_transform_step){.fn = MG_TFN_LITERAL, .text = tok};
    if (is_function(tok)) return read_function(b, s, tok);
    if (mg_token_is(tok, '>')) s->fn = MG_TFN_REST;
    if (tok.n < 2 || tok.p[0] != '$' || is_blank(tok.p[1]) || is_blank(tok.p[tok.n - 1])) return 0;
    if (!read_int(mg_slice_of(tok.p + 1, tok.n - 1), &number)) return 0; // other `$words` are plain
    s->fn = MG_TFN_WILDCARD;
    if (!b->wild) return fail(b, OUT_OF_RANGE, tok);
    return add_source(b, s, number, tok);
}

// ---- the whole -------------------------------------------------------------------------------------------------

// The destination's own rules for mappings; they come before those for any transform.
static int check_mapping_dest(struct build *b, mg_slice dest) {
    bool rest = false;
    struct mg_tokens it = mg_tokens_of(dest);
    for (mg_slice tok, args; mg_tokens_next(&it, &tok);) {
        if (tok.n == 0 || rest) return fail(b, BAD_TRANSFORM, tok);
        if (is_function(tok)) {
            enum mg_transform_fn fn = function_of(tok, &args);
            if (fn == MG_TFN_LITERAL || fn == MG_TFN_LEFT || fn == MG_TFN_RIGHT) return fail(b, UNKNOWN_FUNCTION, tok);
            continue;
        }
        rest = mg_token_is(tok, '>');
        for (size_t i = 0; i < tok.n; i++)
            if (is_blank(tok.p[i])) return fail(b, BAD_TRANSFORM, mg_slice_of(NULL, 0));
    }
    return 0;
}

static uint32_t count_tokens(mg_slice s, char wildcard) {
    uint32_t n = 0;
    struct mg_tokens it = mg_tokens_of(s);
    for (mg_slice tok; mg_tokens_next(&it, &tok);) n += mg_token_is(tok, wildcard);
    return n;
}

static int build(struct build *b) {
    struct mg_transform *t = b->t;
    mg_slice src = mg_cstr(t->src), dest = mg_cstr(t->dest);
    if ((b->flags & MG_TRANSFORM_MAPPING) && !mg_subject_valid_strict(src)) return fail_text(b, "invalid subject");
    int err = b->flags & MG_TRANSFORM_MAPPING ? check_mapping_dest(b, dest) : 0;
    if (err != 0) return err;
    uint32_t rest = count_tokens(src, '>');
    bool both_valid = mg_subject_valid(src) && mg_subject_valid(dest);
    if (!both_valid || count_tokens(dest, '*') > 0 || rest != count_tokens(dest, '>'))
        return fail_text(b, "invalid subject");
    b->stars = count_tokens(src, '*');
    b->wild = b->stars > 0 || rest > 0;
    t->src_tokens = (uint32_t)mg_subject_tokens(src);
    t->steps = mg_alloc(mg_subject_tokens(dest) * sizeof *t->steps);
    struct mg_tokens it = mg_tokens_of(dest);
    for (mg_slice tok; mg_tokens_next(&it, &tok);)
        if ((err = read_token(b, &t->steps[t->nsteps++], tok)) != 0) return err;
    if ((b->flags & MG_TRANSFORM_REVERSIBLE) && b->used < b->stars) return fail(b, NOT_ALL_USED, dest);
    return 0;
}

int mg_transform_new(mg_slice src, mg_slice dest, unsigned flags, struct mg_transform **out, char *err, size_t n) {
    mg_assert(n > 0);
    err[0] = '\0';
    *out = NULL;
    struct build b = {.flags = flags, .err = err, .errn = n};
    if (src.n > MAX_SUBJECT || dest.n > MAX_SUBJECT || (src.n && memchr(src.p, 0, src.n)) ||
        (dest.n && memchr(dest.p, 0, dest.n)))
        return fail_text(&b, "invalid subject");
    b.t = mg_zalloc(sizeof *b.t);
    b.t->src = src.n ? mg_slice_dup(src) : mg_strdup(">");
    b.t->dest = mg_slice_dup(dest);
    int rc = build(&b);
    if (rc == 0) *out = b.t;
    else mg_transform_free(b.t);
    return rc;
}

void mg_transform_free(struct mg_transform *t) {
    if (t == NULL) return;
    mg_free(t->src);
    mg_free(t->dest);
    mg_free(t->steps);
    mg_free(t->at);
    mg_free(t);
}

int mg_transform_check(const char *src, const char *dest, bool mapping, char *err, size_t n) {
    struct mg_transform *t;
    int rc = mg_transform_new(mg_cstr(src), mg_cstr(dest), mapping ? MG_TRANSFORM_MAPPING : 0, &t, err, n);
    mg_transform_free(t);
    return rc;
}
