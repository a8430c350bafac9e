// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a shape's table is good for besides reading (shape_read.c): writing, comparing, copying, freeing, and the small
// containers that members are. Each verb is one switch over the kinds; kinds that hold another shape recurse, and as no
// shape holds itself the recursion ends.
#include "jetstream/api/shape.h"

#include "server/base/assert.h"
#include "server/base/mem.h"

typedef mg_list_of(char) any_list; // the layout of all lists

static void *member(const struct mg_field *f, void *v) { return (char *)v + f->at; }
static const void *member_of(const struct mg_field *f, const void *v) { return (const char *)v + f->at; }

static void free_string(mg_slice *s) {
    mg_free((char *)(uintptr_t)s->p);
    *s = mg_slice_of(NULL, 0);
}

static mg_slice dup_string(mg_slice s) { return s.n ? mg_slice_of(mg_slice_dup(s), s.n) : mg_slice_of(NULL, 0); }

// ---- members ------------------------------------------------------------------------------------------------------

void mg_string_set(mg_slice *s, mg_slice to) {
    mg_slice copy = dup_string(to);
    free_string(s);
    *s = copy;
}

void mg_strings_add(struct mg_strings *s, mg_slice one) {
    if ((s->n & (s->n - 1)) == 0) s->v = mg_realloc(s->v, (s->n ? s->n * 2 : 1) * sizeof *s->v);
    s->v[s->n++] = dup_string(one);
}

static int compare(mg_slice a, mg_slice b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

// Where the key is, or has its place.
static size_t map_find(const struct mg_map *m, mg_slice key, bool *found) {
    size_t low = 0, high = m->n;
    *found = false;
    while (low < high && !*found) {
        size_t mid = low + (high - low) / 2;
        int c = compare(m->v[mid].key, key);
        if (c == 0) *found = true, low = mid;
        else if (c < 0) low = mid + 1;
        else high = mid;
    }
    return low;
}

mg_slice mg_map_get(const struct mg_map *m, mg_slice key) {
    bool found;
    size_t at = map_find(m, key, &found);
    return found ? m->v[at].value : mg_slice_of(NULL, 0);
}

void mg_map_set(struct mg_map *m, mg_slice key, mg_slice value) {
    bool found;
    size_t at = map_find(m, key, &found);
    if (found) {
        mg_string_set(&m->v[at].value, value);
        return;
    }
    if ((m->n & (m->n - 1)) == 0) m->v = mg_realloc(m->v, (m->n ? m->n * 2 : 1) * sizeof *m->v);
    memmove(&m->v[at + 1], &m->v[at], (m->n - at) * sizeof *m->v);
    m->v[at] = (struct mg_pair){dup_string(key), dup_string(value)};
    m->n++;
}

void mg_map_remove(struct mg_map *m, mg_slice key) {
    bool found;
    size_t at = map_find(m, key, &found);
    if (!found) return;
    free_string(&m->v[at].key);
    free_string(&m->v[at].value);
    m->n--;
    memmove(&m->v[at], &m->v[at + 1], (m->n - at) * sizeof *m->v);
}

uint64_t mg_map_bytes(const struct mg_map *m) {
    uint64_t sum = 0;
    for (size_t i = 0; i < m->n; i++) sum += m->v[i].key.n + m->v[i].value.n;
    return sum;
}

// ---- freeing and copying ------------------------------------------------------------------------------------------

void mg_strings_fini(struct mg_strings *s) {
    for (size_t i = 0; i < s->n; i++) free_string(&s->v[i]);
    mg_free(s->v);
    *s = (struct mg_strings){NULL, 0};
}

static void fini_map(struct mg_map *m) {
    for (size_t i = 0; i < m->n; i++) {
        free_string(&m->v[i].key);
        free_string(&m->v[i].value);
    }
    mg_free(m->v);
}

static void fini_list(const struct mg_shape *of, any_list *list) {
    for (size_t i = 0; i < list->n; i++) mg_shape_fini(of, list->v + i * of->size);
    mg_free(list->v);
}

static void fini_pointer(const struct mg_shape *of, void **p) {
    if (*p != NULL) mg_shape_fini(of, *p);
    mg_free(*p);
}

void mg_shape_fini(const struct mg_shape *shape, void *v) {
    for (size_t i = 0; i < shape->n; i++) {
        const struct mg_field *f = &shape->fields[i];
        void *m = member(f, v);
        switch (f->kind) {
        case MG_KIND_STRING: free_string(m); break;
        case MG_KIND_STRINGS: mg_strings_fini(m); break;
        case MG_KIND_DURATIONS: mg_free(((struct mg_durations *)m)->v); break;
        case MG_KIND_MAP: fini_map(m); break;
        case MG_KIND_LIST: fini_list(f->of, m); break;
        case MG_KIND_POINTER: fini_pointer(f->of, m); break;
        case MG_KIND_STRUCT:
        case MG_KIND_EMBEDDED: mg_shape_fini(f->of, m); break;
        default: break;
        }
    }
    memset(v, 0, shape->size);
}

static void copy_strings(struct mg_strings *dst, const struct mg_strings *src) {
    *dst = (struct mg_strings){NULL, 0};
    for (size_t i = 0; i < src->n; i++) mg_strings_add(dst, src->v[i]);
}

// The power of two from which mg_map_set grows it.
static size_t room_for(size_t n) {
    size_t room = 1;
    while (room < n) room *= 2;
    return room;
}

static void copy_map(struct mg_map *dst, const struct mg_map *src) {
    *dst = (struct mg_map){NULL, src->n};
    if (src->n > 0) dst->v = mg_alloc(room_for(src->n) * sizeof *dst->v);
    for (size_t i = 0; i < src->n; i++)
        dst->v[i] = (struct mg_pair){dup_string(src->v[i].key), dup_string(src->v[i].value)};
}

static void copy_list(const struct mg_shape *of, any_list *dst, const any_list *src) {
    dst->n = src->n;
    dst->v = src->n > 0 ? mg_alloc(room_for(src->n) * of->size) : NULL;
    for (size_t i = 0; i < src->n; i++) mg_shape_copy(of, dst->v + i * of->size, src->v + i * of->size);
}

static void copy_durations(struct mg_durations *dst, const struct mg_durations *src) {
    dst->n = src->n;
    dst->v = src->n > 0 ? mg_alloc(room_for(src->n) * sizeof *dst->v) : NULL;
    if (src->n > 0) memcpy(dst->v, src->v, src->n * sizeof *dst->v);
}

static void copy_pointer(const struct mg_shape *of, void **dst, void *const *src) {
    *dst = *src != NULL ? mg_alloc(of->size) : NULL;
    if (*src != NULL) mg_shape_copy(of, *dst, *src);
}

void mg_shape_copy(const struct mg_shape *shape, void *dst, const void *src) {
    memcpy(dst, src, shape->size);
    for (size_t i = 0; i < shape->n; i++) {
        const struct mg_field *f = &shape->fields[i];
        void *d = member(f, dst);
        const void *s = member_of(f, src);
        switch (f->kind) {
        case MG_KIND_STRING: *(mg_slice *)d = dup_string(*(const mg_slice *)s); break;
        case MG_KIND_STRINGS: copy_strings(d, s); break;
        case MG_KIND_DURATIONS: copy_durations(d, s); break;
        case MG_KIND_MAP: copy_map(d, s); break;
        case MG_KIND_LIST: copy_list(f->of, d, s); break;
        case MG_KIND_POINTER: copy_pointer(f->of, d, s); break;
        case MG_KIND_STRUCT:
        case MG_KIND_EMBEDDED: mg_shape_copy(f->of, d, s); break;
        default: break;
        }
    }
}

// ---- comparing ----------------------------------------------------------------------------------------------------

static bool equal_strings(const struct mg_strings *a, const struct mg_strings *b) {
    bool equal = a->n == b->n;
    for (size_t i = 0; i < a->n && equal; i++) equal = mg_slice_eq(a->v[i], b->v[i]);
    return equal;
}

static bool equal_maps(const struct mg_map *a, const struct mg_map *b) {
    bool equal = a->n == b->n;
    for (size_t i = 0; i < a->n && equal; i++)
        equal = mg_slice_eq(a->v[i].key, b->v[i].key) && mg_slice_eq(a->v[i].value, b->v[i].value);
    return equal;
}

static bool equal_lists(const struct mg_shape *of, const any_list *a, const any_list *b) {
    bool equal = a->n == b->n;
    for (size_t i = 0; i < a->n && equal; i++) equal = mg_shape_equal(of, a->v + i * of->size, b->v + i * of->size);
    return equal;
}

static bool equal_durations(const struct mg_durations *a, const struct mg_durations *b) {
    return a->n == b->n && (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof *a->v) == 0);
}

static bool equal_times(const struct mg_js_time *a, const struct mg_js_time *b) {
    return mg_js_time_same(*a, *b) && a->offset == b->offset;
}

static bool equal_pointers(const struct mg_shape *of, const void *a, const void *b) {
    if (a == NULL || b == NULL) return a == b;
    return mg_shape_equal(of, a, b);
}

static bool equal_members(const struct mg_field *f, const void *a, const void *b) {
    switch (f->kind) {
    case MG_KIND_BOOL: return *(const bool *)a == *(const bool *)b;
    case MG_KIND_ENUM: return *(const int *)a == *(const int *)b;
    case MG_KIND_INT32: return *(const int32_t *)a == *(const int32_t *)b;
    case MG_KIND_INT:
    case MG_KIND_INT64:
    case MG_KIND_DURATION: return *(const int64_t *)a == *(const int64_t *)b;
    case MG_KIND_UINT64: return *(const uint64_t *)a == *(const uint64_t *)b;
    case MG_KIND_STRING: return mg_slice_eq(*(const mg_slice *)a, *(const mg_slice *)b);
    case MG_KIND_TIME: return equal_times(a, b);
    case MG_KIND_STRINGS: return equal_strings(a, b);
    case MG_KIND_DURATIONS: return equal_durations(a, b);
    case MG_KIND_MAP: return equal_maps(a, b);
    case MG_KIND_LIST: return equal_lists(f->of, a, b);
    case MG_KIND_POINTER: return equal_pointers(f->of, *(void *const *)a, *(void *const *)b);
    case MG_KIND_STRUCT:
    case MG_KIND_EMBEDDED: return mg_shape_equal(f->of, a, b);
    }
    return false;
}

bool mg_shape_equal(const struct mg_shape *shape, const void *a, const void *b) {
    for (size_t i = 0; i < shape->n; i++) {
        const struct mg_field *f = &shape->fields[i];
        if (!equal_members(f, member_of(f, a), member_of(f, b))) return false;
    }
    return true;
}

// ---- writing ------------------------------------------------------------------------------------------------------

// What Go's omitempty leaves out. A struct is never empty.
static bool is_empty(const struct mg_field *f, const void *m) {
    switch (f->kind) {
    case MG_KIND_BOOL: return !*(const bool *)m;
    case MG_KIND_ENUM: return *(const int *)m == 0;
    case MG_KIND_INT32: return *(const int32_t *)m == 0;
    case MG_KIND_INT:
    case MG_KIND_INT64:
    case MG_KIND_DURATION:
    case MG_KIND_UINT64: return *(const uint64_t *)m == 0;
    case MG_KIND_STRING: return ((const mg_slice *)m)->n == 0;
    case MG_KIND_TIME: return !((const struct mg_js_time *)m)->set;
    case MG_KIND_STRINGS: return ((const struct mg_strings *)m)->n == 0;
    case MG_KIND_DURATIONS: return ((const struct mg_durations *)m)->n == 0;
    case MG_KIND_MAP: return ((const struct mg_map *)m)->n == 0;
    case MG_KIND_LIST: return ((const any_list *)m)->n == 0;
    case MG_KIND_POINTER: return *(void *const *)m == NULL;
    case MG_KIND_STRUCT:
    case MG_KIND_EMBEDDED: break;
    }
    return false;
}

static const char *word_of(const struct mg_words *words, int value) {
    for (size_t i = 0; i < words->n; i++)
        if (words->v[i].value == value) return words->v[i].text;
    mg_assert(words == NULL); // an enumeration has a word for each of its values
    return "";
}

static void write_time(struct mg_js_time t, struct mg_jw *w) {
    struct mg_buf text = MG_BUF_INIT;
    mg_js_time_print(&text, t);
    mg_jw_str(w, mg_buf_slice(&text));
    mg_buf_fini(&text);
}

static void write_strings(const struct mg_strings *s, struct mg_jw *w) {
    mg_jw_arr(w);
    for (size_t i = 0; i < s->n; i++) mg_jw_str(w, s->v[i]);
    mg_jw_end_arr(w);
}

static void write_durations(const struct mg_durations *d, struct mg_jw *w) {
    mg_jw_arr(w);
    for (size_t i = 0; i < d->n; i++) mg_jw_int(w, d->v[i]);
    mg_jw_end_arr(w);
}

static void write_map(const struct mg_map *m, struct mg_jw *w) {
    mg_jw_obj(w);
    for (size_t i = 0; i < m->n; i++) {
        mg_jw_key_slice(w, m->v[i].key);
        mg_jw_str(w, m->v[i].value);
    }
    mg_jw_end_obj(w);
}

static void write_list(const struct mg_shape *of, const any_list *list, struct mg_jw *w) {
    mg_jw_arr(w);
    for (size_t i = 0; i < list->n; i++) mg_shape_write(of, list->v + i * of->size, w);
    mg_jw_end_arr(w);
}

static void write_value(const struct mg_field *f, const void *m, struct mg_jw *w) {
    switch (f->kind) {
    case MG_KIND_BOOL: mg_jw_bool(w, *(const bool *)m); break;
    case MG_KIND_ENUM: mg_jw_cstr(w, word_of(f->of, *(const int *)m)); break;
    case MG_KIND_INT32: mg_jw_int(w, *(const int32_t *)m); break;
    case MG_KIND_INT:
    case MG_KIND_INT64:
    case MG_KIND_DURATION: mg_jw_int(w, *(const int64_t *)m); break;
    case MG_KIND_UINT64: mg_jw_uint(w, *(const uint64_t *)m); break;
    case MG_KIND_STRING: mg_jw_str(w, *(const mg_slice *)m); break;
    case MG_KIND_TIME: write_time(*(const struct mg_js_time *)m, w); break;
    case MG_KIND_STRINGS: write_strings(m, w); break;
    case MG_KIND_DURATIONS: write_durations(m, w); break;
    case MG_KIND_MAP: write_map(m, w); break;
    case MG_KIND_LIST: write_list(f->of, m, w); break;
    case MG_KIND_POINTER: mg_shape_write(f->of, *(void *const *)m, w); break;
    case MG_KIND_STRUCT: mg_shape_write(f->of, m, w); break;
    case MG_KIND_EMBEDDED: break;
    }
}

void mg_shape_write_members(const struct mg_shape *shape, const void *v, struct mg_jw *w) {
    for (size_t i = 0; i < shape->n; i++) {
        const struct mg_field *f = &shape->fields[i];
        const void *m = member_of(f, v);
        if (f->kind == MG_KIND_EMBEDDED) {
            mg_shape_write_members(f->of, m, w);
        } else if (!f->omit || !is_empty(f, m)) {
            mg_jw_key(w, f->key);
            write_value(f, m, w);
        }
    }
}

void mg_shape_write_unusual(const struct mg_shape *shape, const void *v, const void *usual, struct mg_jw *w) {
    mg_jw_obj(w);
    for (size_t i = 0; i < shape->n; i++) {
        const struct mg_field *f = &shape->fields[i];
        if (equal_members(f, member_of(f, v), member_of(f, usual))) continue;
        mg_jw_key(w, f->key);
        write_value(f, member_of(f, v), w);
    }
    mg_jw_end_obj(w);
}

void mg_shape_write(const struct mg_shape *shape, const void *v, struct mg_jw *w) {
    mg_jw_obj(w);
    mg_shape_write_members(shape, v, w);
    mg_jw_end_obj(w);
}
