// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What prometheus-nats-exporter makes of /varz (spec/monitoring-and-tools.md D1), so that existing dashboards work
// without it: every numeric member is a gauge named nats_varz_<path>, some strings are gauges of value 1 with a
// label, two times are epoch milliseconds. As there, the names are taken from the JSON itself, so the two cannot
// drift apart.
#include <stdio.h>

#include "server/base/assert.h"
#include "server/monitor/answers.h"
#include "server/monitor/metrics.h"

#define NAME_MAX_LEN 256

struct walk {
    struct mg_metrics *m;
    const struct mg_server_facts *f;
    char name[NAME_MAX_LEN];
    size_t len;
};

static bool is_one_of(const char *key, const char *const names[], size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(key, names[i]) == 0) return true;
    return false;
}

static bool is_label(const char *key) {
    static const char *const keys[] = {"server_id", "server_name", "version", "domain", "leader", "name"};
    return is_one_of(key, keys, sizeof(keys) / sizeof(keys[0]));
}

// These hold what a configuration made up, not names of ours.
static bool is_free_form(const char *key) {
    static const char *const keys[] = {"metadata", "feature_flags"};
    return is_one_of(key, keys, sizeof(keys) / sizeof(keys[0]));
}

// Appends "_key" without the characters that a metric's name cannot have. False: nothing was left of it.
static bool push_name(struct walk *w, const char *key) {
    size_t begin = w->len;
    w->name[w->len++] = '_';
    for (; *key != '\0' && w->len < NAME_MAX_LEN - 1; key++) {
        bool fine = (*key >= 'a' && *key <= 'z') || (*key >= 'A' && *key <= 'Z') || (*key >= '0' && *key <= '9');
        if (fine || *key == '_') w->name[w->len++] = *key;
    }
    w->name[w->len] = '\0';
    return w->len > begin + 1;
}

static void sample(struct walk *w, const char *const labels[], const char *value) {
    mg_metrics_family(w->m, w->name, "gauge", w->name + sizeof("nats_varz_") - 1);
    mg_metrics_text(w->m, labels, value);
}

static void walk_object(struct walk *w, const struct mg_json *object, unsigned depth);

static void walk_member(struct walk *w, const struct mg_json *v, unsigned depth) {
    const char *key = mg_json_key(v), *id[] = {"server_id", w->f->server_id, NULL};
    char ms[32];
    if (mg_json_number(v) != NULL) {
        sample(w, id, mg_json_number(v));
    } else if (mg_json_type(v) == MG_JSON_OBJECT && !is_free_form(key)) {
        walk_object(w, v, depth + 1);
    } else if (mg_json_str(v) != NULL && is_label(key)) {
        const char *labels[] = {"server_id", w->f->server_id, "value", mg_json_str(v), NULL};
        sample(w, labels, "1");
    } else if (depth == 0 && (strcmp(key, "start") == 0 || strcmp(key, "config_load_time") == 0)) {
        int64_t ns = key[0] == 's' ? w->f->start_ns : w->f->config_load_ns;
        snprintf(ms, sizeof(ms), "%lld", (long long)(ns / 1000000));
        sample(w, id, ms);
    }
}

static void walk_object(struct walk *w, const struct mg_json *object, unsigned depth) {
    for (const struct mg_json *v = mg_json_first(object); v != NULL; v = mg_json_next(v)) {
        size_t len = w->len;
        if (len + 2 < NAME_MAX_LEN && push_name(w, mg_json_key(v))) walk_member(w, v, depth);
        w->len = len;
        w->name[len] = '\0';
    }
}

void mg_metrics_dropin(struct mg_metrics *m, const struct mg_server_facts *f, const struct mg_totals *t,
                       const struct mg_endpoint_hits *hits) {
    struct mg_buf varz = MG_BUF_INIT;
    mg_varz_render(f, t, hits, &varz);
    struct mg_json *doc = mg_json_parse(mg_buf_slice(&varz));
    mg_assert(doc != NULL);
    struct walk w = {.m = m, .f = f, .name = "nats_varz", .len = sizeof("nats_varz") - 1};
    walk_object(&w, doc, 0);
    mg_json_free(doc);
    mg_buf_fini(&varz);
}
