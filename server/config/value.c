// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The config tree: ownership, look-up, copies for $variables, and its digest.
//
// Lists hold their values inline. Duplicate keys are not looked for while a map grows: dedupe sorts once at its end, so
// a map of n members costs n log n. What always holds in a finished tree: keys of a map are unique, nesting is bounded
// by MG_CONF_MAX_DEPTH (so recursion over it is safe), strings hold no NUL.
#include "server/config/value.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/base/assert.h"
#include "server/base/json.h"
#include "server/base/mem.h"

static bool is_list(const struct mg_conf_value *v) { return v->type == MG_CONF_ARRAY || v->type == MG_CONF_MAP; }
static bool is_text(const struct mg_conf_value *v) { return v->type == MG_CONF_STRING || v->type == MG_CONF_DATETIME; }

void mg_conf_value_fini(struct mg_conf_value *v) {
    mg_free(v->key);
    if (is_text(v)) mg_free(v->str);
    if (is_list(v)) {
        for (size_t i = 0; i < v->list.n; i++)
            mg_conf_value_fini(&v->list.v[i]);
        mg_free(v->list.v);
    }
    *v = (struct mg_conf_value){.type = MG_CONF_ARRAY};
}

void mg_conf_tree_fini(struct mg_conf_tree *t) {
    mg_conf_value_fini(&t->root);
    mg_strlist_fini(&t->files);
    *t = (struct mg_conf_tree){.root = {.type = MG_CONF_MAP}};
}

void mg_conf_list_push(struct mg_conf_value *list, struct mg_conf_value *item) {
    mg_assert(is_list(list));
    if (list->list.n == list->list.cap) {
        list->list.cap = list->list.cap ? list->list.cap * 2 : 4;
        list->list.v = mg_realloc(list->list.v, list->list.cap * sizeof(*list->list.v));
    }
    list->list.v[list->list.n++] = *item;
}

struct mg_conf_value *mg_conf_map_find(const struct mg_conf_value *map, const char *key) {
    mg_assert(map->type == MG_CONF_MAP);
    for (size_t i = map->list.n; i-- > 0;)
        if (strcmp(map->list.v[i].key, key) == 0) return &map->list.v[i];
    return NULL;
}

// By key; equal keys by position.
static int by_key(const void *a, const void *b) {
    const struct mg_conf_value *x = *(const struct mg_conf_value *const *)a;
    const struct mg_conf_value *y = *(const struct mg_conf_value *const *)b;
    int c = strcmp(x->key, y->key);
    return c != 0 ? c : (x > y) - (x < y);
}

// The members in sorted order; the caller frees the array.
static struct mg_conf_value **sorted_members(const struct mg_conf_value *map) {
    struct mg_conf_value **p = mg_alloc((map->list.n + 1) * sizeof(struct mg_conf_value *));
    for (size_t i = 0; i < map->list.n; i++)
        p[i] = &map->list.v[i];
    qsort(p, map->list.n, sizeof(struct mg_conf_value *), by_key);
    return p;
}

void mg_conf_map_dedupe(struct mg_conf_value *map) {
    mg_assert(map->type == MG_CONF_MAP);
    if (map->list.n < 2) return;
    struct mg_conf_value **p = sorted_members(map);
    bool dropped = false;
    for (size_t i = 0; i + 1 < map->list.n; i++) {
        if (strcmp(p[i]->key, p[i + 1]->key) != 0) continue;
        p[i + 1]->used |= p[i]->used;
        mg_free(p[i]->key);
        p[i]->key = NULL; // marks it; the next round compares p[i + 1], which keeps its key
        dropped = true;
    }
    mg_free(p);
    if (!dropped) return;
    size_t n = 0;
    for (size_t i = 0; i < map->list.n; i++) {
        if (map->list.v[i].key != NULL) map->list.v[n++] = map->list.v[i];
        else mg_conf_value_fini(&map->list.v[i]);
    }
    map->list.n = n;
}

bool mg_conf_value_copy(struct mg_conf_value *dst, const struct mg_conf_value *src, int depth, size_t *budget) {
    size_t cost = sizeof(*src) + (src->key ? strlen(src->key) : 0) + (is_text(src) ? strlen(src->str) : 0);
    *dst = (struct mg_conf_value){.type = MG_CONF_ARRAY};
    if (cost > *budget || (is_list(src) && depth >= MG_CONF_MAX_DEPTH)) return false;
    *budget -= cost;
    *dst = *src;
    dst->key = NULL;
    if (is_text(src)) dst->str = mg_strdup(src->str);
    if (!is_list(src)) return true;
    dst->list.v = NULL;
    dst->list.n = dst->list.cap = 0;
    for (size_t i = 0; i < src->list.n; i++) {
        struct mg_conf_value item;
        if (!mg_conf_value_copy(&item, &src->list.v[i], depth + 1, budget)) {
            mg_conf_value_fini(dst);
            return false;
        }
        item.key = mg_strdup(src->list.v[i].key);
        mg_conf_list_push(dst, &item);
    }
    return true;
}

const char *mg_conf_type_name(const struct mg_conf_value *v) {
    switch (v->type) {
    case MG_CONF_STRING: return "string";
    case MG_CONF_INT: return "int64";
    case MG_CONF_FLOAT: return "float64";
    case MG_CONF_BOOL: return "bool";
    case MG_CONF_DATETIME: return "time.Time";
    case MG_CONF_ARRAY: return "[]interface {}";
    case MG_CONF_MAP: return "map[string]interface {}";
    }
    return "nil";
}

void mg_conf_value_show(struct mg_buf *out, const struct mg_conf_value *v) {
    switch (v->type) {
    case MG_CONF_STRING:
    case MG_CONF_DATETIME: mg_buf_adds(out, v->str); break;
    case MG_CONF_INT: mg_buf_addf(out, "%" PRId64, v->i); break;
    case MG_CONF_FLOAT: mg_buf_addf(out, "%g", v->f); break;
    case MG_CONF_BOOL: mg_buf_adds(out, v->b ? "true" : "false"); break;
    case MG_CONF_ARRAY: mg_buf_addf(out, "[%zu items]", v->list.n); break;
    case MG_CONF_MAP: mg_buf_addf(out, "{%zu members}", v->list.n); break;
    }
}

static void write_json(struct mg_jw *w, const struct mg_conf_value *v) {
    switch (v->type) {
    case MG_CONF_STRING:
    case MG_CONF_DATETIME: mg_jw_cstr(w, v->str); break;
    case MG_CONF_INT: mg_jw_int(w, v->i); break;
    case MG_CONF_FLOAT: mg_jw_float(w, v->f); break;
    case MG_CONF_BOOL: mg_jw_bool(w, v->b); break;
    case MG_CONF_ARRAY:
        mg_jw_arr(w);
        for (size_t i = 0; i < v->list.n; i++)
            write_json(w, &v->list.v[i]);
        mg_jw_end_arr(w);
        break;
    case MG_CONF_MAP: {
        struct mg_conf_value **p = sorted_members(v);
        mg_jw_obj(w);
        for (size_t i = 0; i < v->list.n; i++) {
            mg_jw_key(w, p[i]->key);
            write_json(w, p[i]);
        }
        mg_jw_end_obj(w);
        mg_free(p);
        break;
    }
    }
}

void mg_conf_value_json(struct mg_buf *out, const struct mg_conf_value *v) {
    struct mg_jw w;
    mg_jw_init(&w, out, 0);
    write_json(&w, v);
}

void mg_conf_digest(const struct mg_conf_tree *t, char out[72]) {
    struct mg_buf json = MG_BUF_INIT;
    unsigned char hash[crypto_hash_sha256_BYTES];
    mg_conf_value_json(&json, &t->root);
    mg_buf_addc(&json, '\n');
    crypto_hash_sha256(hash, (const unsigned char *)json.p, json.len);
    mg_buf_fini(&json);
    memcpy(out, "sha256:", 7);
    sodium_bin2hex(out + 7, 65, hash, sizeof(hash));
}
