// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Mappings are kept in configuration order and tried one after the other: accounts have few. Each source has the
// list of destinations that counts on this server: those for its cluster where there are any, the general ones
// otherwise. Weights are stored cumulated and ascending, so the choice is the first that exceeds a number in 0..99.
// A destination without a transform is the source itself: its share stays unchanged.
#include "server/proto/mapper.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/base/assert.h"
#include "server/base/buf.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/proto/subject.h"
#include "server/proto/transform.h"

struct dest {
    struct mg_transform *t; // NULL: the source itself
    uint8_t weight;         // per cent
    uint8_t below;          // chosen by numbers below this one
};

struct entry {
    char *src;
    struct dest *dests;
    size_t n;
};

struct mg_mapper {
    struct entry *entries;
    size_t n;
};

static void entry_fini(struct entry *e) {
    for (size_t i = 0; i < e->n; i++) mg_transform_free(e->dests[i].t);
    mg_free(e->dests);
    mg_free(e->src);
}

static bool same_cluster(const char *a, const char *b) { return strcmp(a ? a : "", b ? b : "") == 0; }

static int check_weights(const struct mg_mapping *m, char *err, size_t errn) {
    for (size_t i = 0; i < m->ndest; i++) {
        unsigned total = 0;
        for (size_t k = 0; k <= i; k++) {
            const struct mg_map_dest *a = &m->dest[i], *b = &m->dest[k];
            if (k < i && strcmp(a->subject, b->subject) == 0) {
                struct mg_buf text = MG_BUF_INIT;
                mg_buf_adds(&text, "duplicate entry for ");
                mg_buf_add_quoted(&text, mg_cstr(a->subject));
                snprintf(err, errn, "%.*s", (int)text.len, text.p);
                mg_buf_fini(&text);
                return MG_ESYNTAX;
            }
            if (same_cluster(a->cluster, b->cluster)) total += b->weight;
        }
        if (m->dest[i].weight > 100 || total > 100) {
            bool one = m->dest[i].weight > 100;
            snprintf(err, errn, "%s to be <= 100", one ? "individual weights need" : "total weight needs");
            return MG_ESYNTAX;
        }
    }
    return 0;
}

static int by_weight(const void *a, const void *b) {
    return ((const struct dest *)a)->weight - ((const struct dest *)b)->weight;
}

// Gives the source what the weights leave over, unless it is a destination itself: then the rest is meant to be lost.
static void settle_weights(struct entry *e, const struct mg_mapping *m) {
    unsigned total = 0;
    bool lossy = false;
    for (size_t i = 0; i < e->n; i++) total += e->dests[i].weight;
    for (size_t i = 0; i < m->ndest; i++) lossy |= strcmp(m->dest[i].subject, m->src) == 0;
    if (total != 100 && !lossy) e->dests[e->n++] = (struct dest){.weight = (uint8_t)(100 - total)};
    qsort(e->dests, e->n, sizeof e->dests[0], by_weight);
    total = 0;
    for (size_t i = 0; i < e->n; i++) e->dests[i].below = (uint8_t)(total += e->dests[i].weight);
    mg_assert(total <= 100);
}

// Compiles one mapping; e is filled so far also on error.
static int compile(const struct mg_mapping *m, const char *cluster, struct entry *e, char *err, size_t errn) {
    *e = (struct entry){.src = mg_strdup(m->src), .dests = mg_zalloc((m->ndest + 1) * sizeof(struct dest))};
    if (!mg_subject_valid_strict(mg_cstr(m->src))) {
        snprintf(err, errn, "invalid subject");
        return MG_ESYNTAX;
    }
    int rc = check_weights(m, err, errn);
    bool ours = false; // there are destinations for this cluster
    for (size_t i = 0; i < m->ndest; i++)
        ours |= cluster && *cluster && m->dest[i].cluster && strcmp(m->dest[i].cluster, cluster) == 0;
    for (size_t i = 0; rc == 0 && i < m->ndest; i++) {
        struct mg_transform *t;
        rc = mg_transform_new(mg_cstr(m->src), mg_cstr(m->dest[i].subject), MG_TRANSFORM_MAPPING, &t, err, errn);
        if (rc == 0 && same_cluster(m->dest[i].cluster, ours ? cluster : NULL))
            e->dests[e->n++] = (struct dest){.t = t, .weight = m->dest[i].weight};
        else mg_transform_free(t);
    }
    if (rc == 0) settle_weights(e, m);
    return rc;
}

static void add_entry(struct mg_mapper *m, struct entry e) {
    for (size_t i = 0; i < m->n; i++) {
        if (strcmp(m->entries[i].src, e.src) != 0) continue;
        entry_fini(&m->entries[i]);
        m->entries[i] = e;
        return;
    }
    m->entries[m->n++] = e;
}

int mg_mapper_new(const struct mg_mapping *maps, size_t n, const char *cluster, struct mg_mapper **out, char *err,
                  size_t errn, size_t *bad) {
    mg_assert(errn > 0);
    err[0] = '\0';
    *out = NULL;
    struct mg_mapper *m = mg_zalloc(sizeof *m);
    m->entries = mg_zalloc((n + 1) * sizeof *m->entries);
    for (size_t i = 0; i < n; i++) {
        struct entry e;
        int rc = compile(&maps[i], cluster, &e, err, errn);
        if (rc != 0) {
            entry_fini(&e);
            mg_mapper_free(m);
            if (bad) *bad = i;
            return rc;
        }
        add_entry(m, e);
    }
    *out = m;
    return 0;
}

void mg_mapper_free(struct mg_mapper *m) {
    if (m == NULL) return;
    for (size_t i = 0; i < m->n; i++) entry_fini(&m->entries[i]);
    mg_free(m->entries);
    mg_free(m);
}

enum mg_mapped mg_mapper_apply(const struct mg_mapper *m, mg_slice subject, uint32_t rand100, uint64_t rnd, char *out,
                               size_t cap, mg_slice *result) {
    mg_assert(rand100 < 100);
    *result = subject;
    for (size_t i = 0; i < m->n; i++) {
        const struct entry *e = &m->entries[i];
        if (!mg_subject_subset(subject, mg_cstr(e->src))) continue;
        for (size_t k = 0; k < e->n; k++) {
            const struct dest *d = &e->dests[k];
            if (rand100 >= d->below) continue;
            if (d->t == NULL) return MG_MAP_UNCHANGED;
            mg_slice mapped;
            if (mg_transform_apply(d->t, subject, rnd, out, cap, &mapped) != 0) return MG_MAP_DROPPED;
            *result = mapped;
            return MG_MAP_CHANGED;
        }
        return MG_MAP_DROPPED;
    }
    return MG_MAP_UNCHANGED;
}
