// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the renderers share: JSON members with the formats and omission rules of spec/monitoring-and-tools.md section 0.
#ifndef MG_MONITOR_RENDER_H
#define MG_MONITOR_RENDER_H

#include "server/base/json.h"
#include "server/base/timefmt.h"
#include "server/monitor/snapshot.h"

#define MG_JSON_INDENT 2 // HTTP bodies (0.6)

static inline void mg_put_slice(struct mg_jw *w, const char *key, mg_slice v) {
    mg_jw_key(w, key);
    mg_jw_str(w, v);
}
static inline void mg_put_time(struct mg_jw *w, const char *key, int64_t ns) {
    char buf[40];
    mg_jw_kstr(w, key, mg_fmt_time(buf, ns));
}
static inline void mg_put_float(struct mg_jw *w, const char *key, double v) {
    mg_jw_key(w, key);
    mg_jw_float(w, v);
}
static inline void mg_put_empty_obj(struct mg_jw *w, const char *key) {
    mg_jw_key(w, key);
    mg_jw_obj(w);
    mg_jw_end_obj(w);
}
static inline void mg_put_empty_arr(struct mg_jw *w, const char *key) {
    mg_jw_key(w, key);
    mg_jw_arr(w);
    mg_jw_end_arr(w);
}
static inline void mg_put_strlist(struct mg_jw *w, const char *key, const struct mg_strlist *l) {
    mg_jw_key(w, key);
    mg_jw_arr(w);
    for (size_t i = 0; i < l->n; i++) mg_jw_cstr(w, l->v[i]);
    mg_jw_end_arr(w);
}

// The same, left out when empty ("?" in the sheet).
static inline void mg_opt_slice(struct mg_jw *w, const char *key, mg_slice v) {
    if (v.n != 0) mg_put_slice(w, key, v);
}
static inline void mg_opt_str(struct mg_jw *w, const char *key, const char *v) {
    if (v != NULL && v[0] != '\0') mg_jw_kstr(w, key, v);
}
static inline void mg_opt_uint(struct mg_jw *w, const char *key, uint64_t v) {
    if (v != 0) mg_jw_kuint(w, key, v);
}
static inline void mg_opt_int(struct mg_jw *w, const char *key, int64_t v) {
    if (v != 0) mg_jw_kint(w, key, v);
}
static inline void mg_opt_bool(struct mg_jw *w, const char *key, bool v) {
    if (v) mg_jw_kbool(w, key, true);
}
static inline void mg_opt_strlist(struct mg_jw *w, const char *key, const struct mg_strlist *l) {
    if (l->n != 0) mg_put_strlist(w, key, l);
}

// A SubDetail (spec/monitoring-and-tools.md A4).
void mg_put_sub(struct mg_jw *w, const struct mg_sub_row *s);
// The eight members of a subject index (A8).
void mg_put_sublist(struct mg_jw *w, const struct mg_sublist_counts *c);

#endif
