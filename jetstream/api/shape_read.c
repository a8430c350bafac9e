// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Reading a struct from JSON by its shape. The text of a value is scanned for syntax as a whole (syntax.c), then walked
// member by member and stored.
//
// What goes wrong while storing comes in two sorts, as in Go. A member of the wrong type or, in strict reading, an
// unknown one is remembered, the first of them, and reading goes on. A word or a time that means nothing ends the
// reading at once and so wins over what was remembered.
//
// The text of a type error names Go's innermost struct, the path of keys to the member and Go's type:
//     json: cannot unmarshal string into Go struct field StreamSource.StreamConfig.mirror.name of type string
#include <errno.h>
#include <stdlib.h>

#include "jetstream/api/shape.h"
#include "jetstream/api/syntax.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

typedef mg_list_of(char) any_list;

struct reader {
    bool strict;
    const char *owner;   // Go's name of the struct whose members are read; NULL: none yet
    struct mg_buf path;  // of keys to the member, with dots
    struct mg_buf first; // the first error that does not stop
    struct mg_buf *err;  // the error that stopped
};

// ---- errors -------------------------------------------------------------------------------------------------------

static const char *type_of(mg_slice v) {
    switch (v.p[0]) {
    case '{': return "object";
    case '[': return "array";
    case '"': return "string";
    case 't':
    case 'f': return "bool";
    default: return "number";
    }
}

static void add_mismatch(struct reader *r, struct mg_buf *to, const char *what, mg_slice number, const char *type) {
    mg_buf_addf(to, "json: cannot unmarshal %s%s", what, number.n ? " " : "");
    mg_buf_add_slice(to, number);
    if (r->owner == NULL) {
        mg_buf_addf(to, " into Go value of type %s", type);
        return;
    }
    mg_buf_addf(to, " into Go struct field %s.", r->owner);
    mg_buf_add_slice(to, mg_buf_slice(&r->path));
    mg_buf_addf(to, " of type %s", type);
}

// Remembers that value v does not fit Go's type; true, as reading goes on.
static bool mismatch(struct reader *r, mg_slice v, const char *type) {
    if (r->first.len == 0) add_mismatch(r, &r->first, type_of(v), mg_slice_of(NULL, 0), type);
    return true;
}

// A number that is one, but not for this type.
static bool number_mismatch(struct reader *r, mg_slice v, const char *type) {
    if (r->first.len == 0) add_mismatch(r, &r->first, "number", v, type);
    return true;
}

static bool shape_mismatch(struct reader *r, mg_slice v, const char *prefix, const struct mg_shape *shape) {
    struct mg_buf type = MG_BUF_INIT;
    mg_buf_addf(&type, "%sserver.%s", prefix, shape->name);
    mg_buf_addc(&type, '\0');
    mismatch(r, v, type.p);
    mg_buf_fini(&type);
    return true;
}

static bool is_null(mg_slice v) { return v.p[0] == 'n'; }

// ---- plain members ------------------------------------------------------------------------------------------------

static mg_slice inside(mg_slice string) { return mg_slice_of(string.p + 1, string.n - 2); }

// What stands between two quotes.
static bool unescape(struct reader *r, mg_slice text, struct mg_buf *out) {
    if (mg_syntax_unescape(text, out)) return true;
    mg_buf_adds(r->err, "invalid character '\\x00' in string literal");
    return false;
}

static bool read_string(struct reader *r, mg_slice v, mg_slice *out) {
    if (is_null(v)) return true;
    if (v.p[0] != '"') return mismatch(r, v, "string");
    struct mg_buf text = MG_BUF_INIT;
    bool ok = unescape(r, inside(v), &text);
    if (ok) mg_string_set(out, mg_buf_slice(&text));
    mg_buf_fini(&text);
    return ok;
}

static bool read_bool(struct reader *r, mg_slice v, bool *out) {
    if (is_null(v)) return true;
    if (v.p[0] != 't' && v.p[0] != 'f') return mismatch(r, v, "bool");
    *out = v.p[0] == 't';
    return true;
}

// Is it an integer in [low, high]? digits hold at most 20 of them, so a 128-bit sum cannot overflow before it is seen.
static bool to_integer(mg_slice v, __int128 low, __int128 high, __int128 *out) {
    bool neg = v.p[0] == '-';
    if (neg && low == 0) return false;
    __int128 sum = 0;
    for (size_t i = neg; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9') return false;
        sum = sum * 10 + (v.p[i] - '0');
        if (sum > (__int128)UINT64_MAX) return false;
    }
    *out = neg ? -sum : sum;
    return *out >= low && *out <= high;
}

static bool read_integer(struct reader *r, mg_slice v, enum mg_kind kind, void *out) {
    const char *type = kind == MG_KIND_INT     ? "int"
                       : kind == MG_KIND_INT32 ? "int32"
                       : kind == MG_KIND_INT64 ? "int64"
                       : kind == MG_KIND_UINT64 ? "uint64"
                                                : "time.Duration";
    if (is_null(v)) return true;
    if (strcmp(type_of(v), "number") != 0) return mismatch(r, v, type);
    __int128 n;
    if (kind == MG_KIND_UINT64) {
        if (!to_integer(v, 0, UINT64_MAX, &n)) return number_mismatch(r, v, type);
        *(uint64_t *)out = (uint64_t)n;
    } else if (kind == MG_KIND_INT32) {
        if (!to_integer(v, INT32_MIN, INT32_MAX, &n)) return number_mismatch(r, v, type);
        *(int32_t *)out = (int32_t)n;
    } else {
        if (!to_integer(v, INT64_MIN, INT64_MAX, &n)) return number_mismatch(r, v, type);
        *(int64_t *)out = (int64_t)n;
    }
    return true;
}

static bool read_time(struct reader *r, mg_slice v, struct mg_js_time *out) {
    if (is_null(v)) {
        *out = (struct mg_js_time){.set = false};
        return true;
    }
    if (v.p[0] != '"') {
        mg_buf_adds(r->err, "Time.UnmarshalJSON: input is not a JSON string");
        return false;
    }
    return mg_js_time_parse(inside(v), out, r->err);
}

// ---- words --------------------------------------------------------------------------------------------------------

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

static bool same_text(mg_slice text, const char *word, bool any_case) {
    size_t n = strlen(word);
    if (text.n != n) return false;
    for (size_t i = 0; i < n; i++)
        if (text.p[i] != word[i] && !(any_case && lower(text.p[i]) == lower(word[i]))) return false;
    return true;
}

static bool find_word(const struct mg_words *words, mg_slice text, int *out) {
    for (size_t i = 0; i < words->n; i++) {
        if (!same_text(text, words->v[i].text, words->style == MG_WORDS_ANY_CASE)) continue;
        *out = words->v[i].value;
        return true;
    }
    return false;
}

// The algorithm is read as a string of its own, so escapes count and another type is an error of types that stops.
static bool read_compression(struct reader *r, mg_slice v, const struct mg_words *words, int *out) {
    if (v.p[0] != '"' && !is_null(v)) {
        add_mismatch(r, r->err, type_of(v), mg_slice_of(NULL, 0), "string");
        return false;
    }
    struct mg_buf text = MG_BUF_INIT;
    bool ok = is_null(v) || mg_syntax_unescape(inside(v), &text);
    ok = ok && find_word(words, mg_buf_slice(&text), out);
    mg_buf_fini(&text);
    if (!ok) mg_buf_adds(r->err, "unknown compression algorithm");
    return ok;
}

// The others compare the bytes as they stand, quotes included: null, or a word with an escape, is unknown.
static bool read_word(struct reader *r, mg_slice v, const struct mg_words *words, int *out) {
    if (words->style == MG_WORDS_COMPRESSED) return read_compression(r, v, words, out);
    if (v.p[0] == '"' && find_word(words, inside(v), out)) return true;
    if (words->style == MG_WORDS_NAMED) {
        mg_buf_addf(r->err, "unknown %s: ", words->what);
        mg_buf_add_slice(r->err, v);
    } else {
        mg_buf_adds(r->err, "can not unmarshal ");
        mg_buf_add_quoted(r->err, v);
    }
    return false;
}

// ---- members with parts -------------------------------------------------------------------------------------------

static void clear_strings(struct mg_strings *s) {
    for (size_t i = 0; i < s->n; i++) mg_string_set(&s->v[i], mg_slice_of(NULL, 0));
    mg_free(s->v);
    *s = (struct mg_strings){NULL, 0};
}

static bool read_strings(struct reader *r, mg_slice v, struct mg_strings *out) {
    if (!is_null(v) && v.p[0] != '[') return mismatch(r, v, "[]string");
    clear_strings(out);
    if (is_null(v)) return true;
    struct mg_members it = mg_members_of(v);
    for (mg_slice key, item; mg_members_next(&it, &key, &item);) {
        mg_strings_add(out, mg_slice_of(NULL, 0));
        if (!read_string(r, item, &out->v[out->n - 1])) return false;
    }
    return true;
}

static bool read_durations(struct reader *r, mg_slice v, struct mg_durations *out) {
    if (!is_null(v) && v.p[0] != '[') return mismatch(r, v, "[]time.Duration");
    mg_free(out->v);
    *out = (struct mg_durations){NULL, 0};
    if (is_null(v)) return true;
    struct mg_members it = mg_members_of(v);
    for (mg_slice key, item; mg_members_next(&it, &key, &item);) {
        if ((out->n & (out->n - 1)) == 0) out->v = mg_realloc(out->v, (out->n ? out->n * 2 : 1) * sizeof *out->v);
        out->v[out->n++] = 0;
        if (!read_integer(r, item, MG_KIND_DURATION, &out->v[out->n - 1])) return false;
    }
    return true;
}

static bool read_pair(struct reader *r, mg_slice key, mg_slice v, struct mg_map *out) {
    struct mg_buf name = MG_BUF_INIT;
    mg_slice value = {NULL, 0};
    bool ok = unescape(r, key, &name) && read_string(r, v, &value);
    if (ok) mg_map_set(out, mg_buf_slice(&name), value);
    mg_string_set(&value, mg_slice_of(NULL, 0));
    mg_buf_fini(&name);
    return ok;
}

static bool read_map(struct reader *r, mg_slice v, struct mg_map *out) {
    if (is_null(v)) {
        while (out->n > 0) mg_map_remove(out, out->v[out->n - 1].key);
        return true;
    }
    if (v.p[0] != '{') return mismatch(r, v, "map[string]string");
    struct mg_members it = mg_members_of(v);
    for (mg_slice key, item; mg_members_next(&it, &key, &item);)
        if (!read_pair(r, key, item, out)) return false;
    return true;
}

static bool read_struct(struct reader *r, mg_slice v, const struct mg_shape *shape, void *out);

static bool read_pointer(struct reader *r, mg_slice v, const struct mg_shape *of, void **out) {
    if (is_null(v)) {
        if (*out != NULL) mg_shape_fini(of, *out);
        mg_free(*out);
        *out = NULL;
        return true;
    }
    if (*out == NULL) *out = mg_zalloc(of->size);
    return read_struct(r, v, of, *out);
}

static bool read_list(struct reader *r, mg_slice v, const struct mg_field *f, any_list *out) {
    const struct mg_shape *of = f->of;
    if (!is_null(v) && v.p[0] != '[') return shape_mismatch(r, v, f->by_value ? "[]" : "[]*", of);
    for (size_t i = 0; i < out->n; i++) mg_shape_fini(of, out->v + i * of->size);
    mg_free(out->v);
    *out = (any_list){NULL, 0};
    if (is_null(v)) return true;
    struct mg_members it = mg_members_of(v);
    for (mg_slice key, item; mg_members_next(&it, &key, &item);) {
        if ((out->n & (out->n - 1)) == 0) out->v = mg_realloc(out->v, (out->n ? out->n * 2 : 1) * of->size);
        void *element = out->v + out->n++ * of->size;
        memset(element, 0, of->size);
        if (!is_null(item) && !read_struct(r, item, of, element)) return false;
    }
    return true;
}

static bool read_member(struct reader *r, mg_slice v, const struct mg_field *f, void *m) {
    switch (f->kind) {
    case MG_KIND_BOOL: return read_bool(r, v, m);
    case MG_KIND_STRING: return read_string(r, v, m);
    case MG_KIND_ENUM: return read_word(r, v, f->of, m);
    case MG_KIND_TIME: return read_time(r, v, m);
    case MG_KIND_STRINGS: return read_strings(r, v, m);
    case MG_KIND_DURATIONS: return read_durations(r, v, m);
    case MG_KIND_MAP: return read_map(r, v, m);
    case MG_KIND_LIST: return read_list(r, v, f, m);
    case MG_KIND_POINTER: return read_pointer(r, v, f->of, m);
    case MG_KIND_STRUCT:
    case MG_KIND_EMBEDDED: return is_null(v) || read_struct(r, v, f->of, m);
    default: return read_integer(r, v, f->kind, m);
    }
}

// ---- structs ------------------------------------------------------------------------------------------------------

// The field of a key, in embedded structs too: *base is the struct that holds it, *within the embedded one or NULL.
static const struct mg_field *find_field(const struct mg_shape *shape, mg_slice key, void **base,
                                         const struct mg_shape **within) {
    for (size_t i = 0; i < shape->n; i++) {
        const struct mg_field *f = &shape->fields[i];
        if (f->kind == MG_KIND_EMBEDDED) {
            void *inner = (char *)*base + f->at;
            const struct mg_field *found = find_field(f->of, key, &inner, within);
            if (found == NULL) continue;
            *base = inner;
            *within = f->of;
            return found;
        }
        if (same_text(key, f->key, true)) return f;
    }
    return NULL;
}

static bool unknown_field(struct reader *r, mg_slice key) {
    if (!r->strict || r->first.len > 0) return true;
    mg_buf_adds(&r->first, "json: unknown field ");
    mg_buf_add_quoted(&r->first, key);
    return true;
}

static bool read_key(struct reader *r, mg_slice key, mg_slice v, const struct mg_shape *shape, void *out) {
    void *base = out;
    const struct mg_shape *within = NULL;
    const struct mg_field *f = find_field(shape, key, &base, &within);
    if (f == NULL) return unknown_field(r, key);
    size_t path = r->path.len;
    const char *owner = r->owner;
    r->owner = shape->name;
    mg_buf_addf(&r->path, "%s%s%s%s", path ? "." : "", within ? within->name : "", within ? "." : "", f->key);
    if (!read_member(r, v, f, (char *)base + f->at)) return false;
    r->path.len = path;
    r->owner = owner;
    return true;
}

static bool read_struct(struct reader *r, mg_slice v, const struct mg_shape *shape, void *out) {
    if (v.p[0] != '{') return shape_mismatch(r, v, "", shape);
    struct mg_members it = mg_members_of(v);
    for (mg_slice key, value; mg_members_next(&it, &key, &value);) {
        struct mg_buf plain = MG_BUF_INIT;
        bool ok = unescape(r, key, &plain) && read_key(r, mg_buf_slice(&plain), value, shape, out);
        mg_buf_fini(&plain);
        if (!ok) return false;
    }
    return true;
}

static int read_one(const struct mg_shape *shape, mg_slice v, bool strict, void *out, struct mg_buf *err) {
    struct reader r = {.strict = strict, .err = err};
    bool ok = is_null(v) || read_struct(&r, v, shape, out);
    if (ok && r.first.len > 0) {
        mg_buf_add_slice(err, mg_buf_slice(&r.first));
        ok = false;
    }
    mg_buf_fini(&r.first);
    mg_buf_fini(&r.path);
    return ok ? 0 : MG_ESYNTAX;
}

// As Go's stream decoder does: value after value, each into the same struct.
static int read_all(const struct mg_shape *shape, mg_slice body, void *out, struct mg_buf *err) {
    size_t at = 0;
    for (;;) {
        mg_slice v;
        enum mg_syntax found = mg_syntax_next(body, &at, &v, err);
        if (found != MG_SYNTAX_VALUE) return found == MG_SYNTAX_END ? 0 : MG_ESYNTAX;
        int rc = read_one(shape, v, true, out, err);
        if (rc != 0) return rc;
    }
}

int mg_shape_read_whole(const struct mg_shape *shape, mg_slice body, void *out, struct mg_buf *err) {
    mg_slice v;
    return mg_syntax_whole(body, &v, err) ? read_one(shape, v, false, out, err) : MG_ESYNTAX;
}

int mg_shape_read(const struct mg_shape *shape, mg_slice body, bool strict, void *out, struct mg_buf *err) {
    int rc = read_all(shape, body, out, err);
    if (rc == 0 || strict) return rc;
    err->len = 0; // once more, without regard to unknown members
    return mg_shape_read_whole(shape, body, out, err);
}
