// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Structs as JSON objects. Reading asks the table for each key; a value that its kind does not take (a text where a
// number is due, a new name of an enum) is treated as a member that the table does not know: it is kept in MGC_EXTRA as
// it stands, so a newer server's config survives the way through a struct of ours.
// Always: after reading a member the scanner stands on its last token.
#include "client/host/bind.h"

#include <string.h>

#include "client/host/midge_host.h"

midge_str mgc_bind_text(const mgc_json *j, mgc_arena *a) {
    if (!j->escaped || !j->text.n) return j->text;
    char *p = mgc_arena_alloc(a, j->text.n);
    return p ? (midge_str){p, mgc_json_unescape(j->text, p)} : MIDGE_NONE;
}

static bool read_enum(const mgc_json *j, const mgc_field *f, void *to) {
    const char *const *names = f->more;
    for (int i = 0; names[i]; i++) {
        if (!mgc_json_is(j, names[i])) continue;
        *(int *)to = i;
        return true;
    }
    return false;
}

static bool read_scalar(const mgc_json *j, const mgc_field *f, void *to, mgc_arena *a) {
    int64_t number;
    switch (f->kind) {
    case MGC_STR:
        if (j->type != MGC_JSON_STRING) return false;
        *(midge_str *)to = mgc_bind_text(j, a);
        return true;
    case MGC_U64: return mgc_json_uint(j, to);
    case MGC_I64: return mgc_json_int(j, to);
    case MGC_INT:
        if (!mgc_json_int(j, &number) || number < INT32_MIN || number > INT32_MAX) return false;
        *(int *)to = (int)number;
        return true;
    case MGC_BOOL: return mgc_json_bool(j, to);
    case MGC_TIME: return j->type == MGC_JSON_STRING && midge_time_parse(j->text, to);
    case MGC_ENUM: return read_enum(j, f, to);
    default: return false;
    }
}

// ---- lists ----------------------------------------------------------------------------------------------------------

// At '[': reads elements until one that does not fit; false then.
static bool read_list(mgc_json *j, const mgc_field *f, char *to, mgc_arena *a) {
    static const mgc_field text = {.kind = MGC_STR}, number = {.kind = MGC_I64};
    bool objects = f->kind == MGC_OBJECTS;
    size_t size = objects ? f->size : f->kind == MGC_STRS ? sizeof(midge_str) : sizeof(int64_t);
    void *items = NULL;
    size_t len = 0;
    while (mgc_json_next(j) != MGC_JSON_ARRAY_END) {
        if (objects != (j->type == MGC_JSON_OBJECT)) return false;
        items = mgc_arena_push(a, items, &len, size);
        if (!items) return false;
        void *item = (char *)items + (len - 1) * size;
        if (objects ? mgc_bind_read(j, f->more, item, a) != 0
                    : !read_scalar(j, f->kind == MGC_STRS ? &text : &number, item, a))
            return false;
    }
    *(void **)(to + f->at) = items;
    *(size_t *)(to + f->len_at) = len;
    return true;
}

// At '{'.
static bool read_pairs(mgc_json *j, const mgc_field *f, char *to, mgc_arena *a) {
    midge_pair *pairs = NULL;
    size_t len = 0;
    while (mgc_json_next(j) == MGC_JSON_KEY) {
        pairs = mgc_arena_push(a, pairs, &len, sizeof *pairs);
        if (!pairs) return false;
        pairs[len - 1].name = mgc_bind_text(j, a);
        if (mgc_json_next(j) != MGC_JSON_STRING) return false;
        pairs[len - 1].value = mgc_bind_text(j, a);
    }
    if (j->type != MGC_JSON_OBJECT_END) return false;
    *(const midge_pair **)(to + f->at) = pairs;
    *(size_t *)(to + f->len_at) = len;
    return true;
}

// ---- objects --------------------------------------------------------------------------------------------------------

// At the value's first token.
static bool read_value(mgc_json *j, const mgc_field *f, char *to, mgc_arena *a) {
    switch (f->kind) {
    case MGC_RAW: *(midge_str *)(to + f->at) = mgc_json_raw(j); return true;
    case MGC_STRS:
    case MGC_I64S:
    case MGC_OBJECTS: return j->type == MGC_JSON_ARRAY && read_list(j, f, to, a);
    case MGC_PAIRS: return j->type == MGC_JSON_OBJECT && read_pairs(j, f, to, a);
    case MGC_OBJECT: return j->type == MGC_JSON_OBJECT && mgc_bind_read(j, f->more, to + f->at, a) == 0;
    default: return read_scalar(j, f, to + f->at, a);
    }
}

static const mgc_field *field_of(const mgc_json *j, const mgc_field *table) {
    for (; table->kind != MGC_END && table->kind != MGC_EXTRA; table++)
        if (mgc_json_is(j, table->name)) return table;
    return NULL;
}

static const mgc_field *extra_of(const mgc_field *table) {
    for (; table->kind != MGC_END; table++)
        if (table->kind == MGC_EXTRA) return table;
    return NULL;
}

// Room for what an object may have to keep, which is not longer than itself, behind what was kept of an earlier one.
static bool make_room(midge_str *all, const mgc_json *object, mgc_arena *a) {
    mgc_json whole = *object;
    char *p = mgc_arena_alloc(a, all->n + mgc_json_raw(&whole).n + 1);
    if (!p) return false;
    if (all->n) memcpy(p, all->p, all->n);
    all->p = p;
    return true;
}

// Keeps a member as text: `"key":value`.
static void keep(midge_str *all, midge_str key, midge_str value) {
    char *out = (char *)(uintptr_t)all->p; // memory of the arena
    size_t n = all->n;
    if (n) out[n++] = ',';
    memcpy(out + n, key.p - 1, key.n + 2); // with its quotes
    n += key.n + 2;
    out[n++] = ':';
    memcpy(out + n, value.p, value.n);
    all->n = n + value.n;
}

int mgc_bind_read(mgc_json *j, const mgc_field *table, void *to, mgc_arena *a) {
    const mgc_json object = *j;
    const mgc_field *extra = extra_of(table);
    bool room = false;
    while (mgc_json_next(j) == MGC_JSON_KEY) {
        midge_str key = j->text;
        const mgc_field *f = field_of(j, table);
        mgc_json_next(j);
        if (j->type == MGC_JSON_NULL) continue;
        mgc_json value = *j; // to stand here again
        if (f && read_value(j, f, to, a)) continue;
        *j = value;
        midge_str raw = mgc_json_raw(j);
        if (!raw.n) return MIDGE_EPROTO;
        if (!extra) continue;
        midge_str *all = (midge_str *)((char *)to + extra->at);
        if (!room && !make_room(all, &object, a)) return MIDGE_ENOMEM;
        room = true;
        keep(all, key, raw);
    }
    if (a->failed) return MIDGE_ENOMEM;
    return j->type == MGC_JSON_OBJECT_END ? 0 : MIDGE_EPROTO;
}

int mgc_bind_parse(midge_str text, const mgc_field *table, void *to, mgc_arena *a) {
    mgc_json j;
    mgc_json_init(&j, text);
    if (mgc_json_next(&j) != MGC_JSON_OBJECT) return MIDGE_EPROTO;
    int err = mgc_bind_read(&j, table, to, a);
    if (err) return err;
    return mgc_json_next(&j) == MGC_JSON_END ? 0 : MIDGE_EPROTO;
}

// ---- writing --------------------------------------------------------------------------------------------------------

static void write_lists(mgc_json_out *o, const mgc_field *f, const char *from) {
    const void *items = *(const void *const *)(from + f->at);
    size_t len = *(const size_t *)(from + f->len_at);
    if (!len && !f->always) return;
    mgc_json_open(o, f->name, f->kind == MGC_PAIRS ? '{' : '[');
    for (size_t i = 0; i < len; i++) {
        const midge_pair *pair = (const midge_pair *)items + i;
        switch (f->kind) {
        case MGC_STRS: mgc_json_put_str(o, NULL, ((const midge_str *)items)[i]); break;
        case MGC_I64S: mgc_json_put_i64(o, NULL, ((const int64_t *)items)[i]); break;
        case MGC_OBJECTS: mgc_bind_write(o, NULL, f->more, (const char *)items + i * f->size); break;
        default:
            mgc_json_key(o, pair->name);
            mgc_json_put_str(o, NULL, pair->value);
            break;
        }
    }
    mgc_json_close(o);
}

static void write_time(mgc_json_out *o, const mgc_field *f, int64_t time) {
    char text[MIDGE_TIME_MAX];
    if (time || f->always) mgc_json_put_str(o, f->name, midge_time_text(time, text));
}

static void write_field(mgc_json_out *o, const mgc_field *f, const char *from) {
    const void *p = from + f->at;
    const midge_str *s = p;
    const int *e = p;
    switch (f->kind) {
    case MGC_STR:
        if (s->n || f->always) mgc_json_put_str(o, f->name, *s);
        break;
    case MGC_U64:
        if (*(const uint64_t *)p || f->always) mgc_json_put_u64(o, f->name, *(const uint64_t *)p);
        break;
    case MGC_I64:
        if (*(const int64_t *)p || f->always) mgc_json_put_i64(o, f->name, *(const int64_t *)p);
        break;
    case MGC_INT:
        if (*e || f->always) mgc_json_put_i64(o, f->name, *e);
        break;
    case MGC_BOOL:
        if (*(const bool *)p || f->always) mgc_json_put_bool(o, f->name, *(const bool *)p);
        break;
    case MGC_TIME: write_time(o, f, *(const int64_t *)p); break;
    case MGC_ENUM:
        if (*e || f->always) mgc_json_put_cstr(o, f->name, ((const char *const *)f->more)[*e]);
        break;
    case MGC_RAW:
        if (s->n) mgc_json_put_raw(o, f->name, *s);
        break;
    case MGC_OBJECT: mgc_bind_write(o, f->name, f->more, p); break;
    case MGC_EXTRA:
        if (s->n) mgc_json_put_raw(o, NULL, *s);
        break;
    default: write_lists(o, f, from); break;
    }
}

void mgc_bind_members(mgc_json_out *o, const mgc_field *table, const void *from) {
    for (; table->kind != MGC_END; table++) write_field(o, table, from);
}

void mgc_bind_write(mgc_json_out *o, const char *key, const mgc_field *table, const void *from) {
    mgc_json_open(o, key, '{');
    mgc_bind_members(o, table, from);
    mgc_json_close(o);
}
