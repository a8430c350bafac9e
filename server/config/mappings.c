// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The mappings block (spec/accounts-security.md 13). Whether a destination makes sense for its source is asked of the
// validator in the config source: transforms are protocol, not configuration.
#include <stdio.h>
#include <stdlib.h>

#include "server/base/mem.h"
#include "server/config/process.h"

static bool parse_weight(struct mg_conf_ctx *c, const struct mg_conf_value *m, uint8_t *weight) {
    int64_t n = 0;
    if (m->type == MG_CONF_STRING) {
        size_t len = strlen(m->str);
        char *digits = mg_strndup(m->str, len > 0 && m->str[len - 1] == '%' ? len - 1 : len);
        const char *d = *digits == '-' ? digits + 1 : digits;
        size_t nd = strspn(d, "0123456789");
        bool ok = nd > 0 && nd < 10 && d[nd] == '\0';
        if (ok) n = strtoll(digits, NULL, 10);
        else mg_conf_error_q(c, m, "Invalid weight ", digits, " for mapping destination");
        mg_free(digits);
        if (!ok) return false;
    } else if (m->type == MG_CONF_INT) {
        n = m->i;
    } else {
        struct mg_buf shown = MG_BUF_INIT;
        mg_conf_value_show(&shown, m);
        mg_conf_error(c, m, "Unknown entry type for weight of %.*s", (int)shown.len, shown.p);
        mg_buf_fini(&shown);
        return false;
    }
    if (n < 0 || n > 100) {
        mg_conf_error(c, m, "Invalid weight %lld for mapping destination", (long long)n);
        return false;
    }
    *weight = (uint8_t)n;
    return true;
}

// {destination, weight, cluster}
static bool parse_dest(struct mg_conf_ctx *c, const struct mg_conf_value *v, struct mg_map_dest *d) {
    *d = (struct mg_map_dest){0};
    bool weighted = false, ok = v->type == MG_CONF_MAP;
    if (!ok) mg_conf_error(c, v, "Expected an entry for the mapping destination");
    for (size_t i = 0; ok && i < v->list.n; i++) {
        const struct mg_conf_value *m = &v->list.v[i];
        if (mg_conf_key_is(m, "destination dest")) ok = mg_conf_get_str(c, m, &d->subject);
        else if (mg_conf_key_is(m, "cluster")) ok = mg_conf_get_str(c, m, &d->cluster);
        else if (mg_conf_key_is(m, "weight")) ok = weighted = parse_weight(c, m, &d->weight);
        else {
            mg_conf_error_q(c, m, "Unknown field ", m->key, " for mapping destination");
            ok = false;
        }
    }
    if (d->cluster != NULL && *d->cluster == '\0') mg_str_set(&d->cluster, NULL);
    if (ok && d->subject == NULL) mg_str_set(&d->subject, "");
    if (ok && !weighted) {
        mg_conf_error_q(c, v, "Missing weight for mapping destination ", d->subject, "");
        ok = false;
    }
    if (ok) return true;
    mg_free(d->subject);
    mg_free(d->cluster);
    return false;
}

static bool same_cluster(const struct mg_map_dest *a, const struct mg_map_dest *b) {
    return strcmp(a->cluster ? a->cluster : "", b->cluster ? b->cluster : "") == 0;
}

// Adds *d, which the mapping then owns, or says why not in err and frees it.
static bool add_dest(struct mg_conf_ctx *c, struct mg_mapping *m, struct mg_map_dest *d, char *err, size_t errlen) {
    int total = d->weight;
    bool ok = true;
    for (size_t i = 0; i < m->ndest && ok; i++) {
        if (strcmp(m->dest[i].subject, d->subject) == 0) {
            struct mg_buf q = MG_BUF_INIT;
            mg_buf_add_quoted(&q, mg_cstr(d->subject));
            snprintf(err, errlen, "duplicate entry for %.*s", (int)q.len, q.p);
            mg_buf_fini(&q);
            ok = false;
        }
        if (same_cluster(&m->dest[i], d)) total += m->dest[i].weight;
    }
    if (ok && total > 100) {
        snprintf(err, errlen, "total weight needs to be <= 100");
        ok = false;
    }
    if (ok && *d->subject == '\0') {
        snprintf(err, errlen, "invalid mapping destination: invalid transform");
        ok = false;
    }
    if (ok && c->src->check_mapping)
        ok = c->src->check_mapping(c->src->ctx, m->src, d->subject, err, errlen) == 0;
    if (!ok) {
        mg_free(d->subject);
        mg_free(d->cluster);
        return false;
    }
    m->dest = mg_realloc(m->dest, (m->ndest + 1) * sizeof(*m->dest));
    m->dest[m->ndest++] = *d;
    return true;
}

static void mapping_error(struct mg_conf_ctx *c, const struct mg_conf_value *v, const char *err) {
    struct mg_buf b = MG_BUF_INIT;
    mg_buf_adds(&b, "Error adding mapping for ");
    mg_buf_add_quoted(&b, mg_cstr(v->key));
    if (v->type == MG_CONF_STRING) {
        mg_buf_adds(&b, " to ");
        mg_buf_add_quoted(&b, mg_cstr(v->str));
    }
    mg_conf_error(c, v, "%.*s : %s", (int)b.len, b.p, err);
    mg_buf_fini(&b);
}

// One member of the block. False if it was reported.
static bool parse_mapping(struct mg_conf_ctx *c, const struct mg_conf_value *v, struct mg_mapping *m) {
    char err[512] = "";
    struct mg_map_dest d;
    bool ok = true;
    if (v->type == MG_CONF_STRING) {
        d = (struct mg_map_dest){.subject = mg_strdup(v->str), .weight = 100};
        ok = add_dest(c, m, &d, err, sizeof(err));
    } else if (v->type == MG_CONF_ARRAY) {
        for (size_t i = 0; i < v->list.n && ok; i++)
            ok = parse_dest(c, &v->list.v[i], &d) && add_dest(c, m, &d, err, sizeof(err));
    } else {
        ok = parse_dest(c, v, &d) && add_dest(c, m, &d, err, sizeof(err));
    }
    if (err[0] != '\0') mapping_error(c, v, err);
    return ok;
}

void mg_conf_parse_mappings(struct mg_conf_ctx *c, const struct mg_conf_value *v, struct mg_mapping **out, size_t *n) {
    if (v->type != MG_CONF_MAP) {
        mg_conf_wrong_type(c, v, "map[string]interface {}");
        return;
    }
    *out = mg_realloc(*out, (*n + v->list.n + 1) * sizeof(**out));
    for (size_t i = 0; i < v->list.n; i++) {
        const struct mg_conf_value *m = &v->list.v[i];
        if (!mg_conf_subject_valid(m->key, strlen(m->key))) {
            mg_conf_error_q(c, m, "Subject ", m->key, " is not a valid subject");
            continue;
        }
        struct mg_mapping map = {.src = mg_strdup(m->key)};
        if (parse_mapping(c, m, &map)) (*out)[(*n)++] = map;
        else mg_mapping_fini(&map);
    }
}

void mg_conf_block_mappings(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    mg_conf_parse_mappings(c, v, &c->o->mappings, &c->o->nmappings);
}
