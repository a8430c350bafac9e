// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/monitor/endpoint.h"

#include <stdbool.h>

static const struct {
    const char *path;
    bool counted;
} endpoints[] = { // in the order of the paths: http_req_stats is sorted by them
#define X(name, path, counted) {path, counted},
    MG_ENDPOINTS(X)
#undef X
};

const char *mg_endpoint_path(enum mg_endpoint e) { return endpoints[e].path; }

// Takes "/nats" off "/nats/varz". A missing leading slash in the configured text is added, superfluous ones do not
// count. NULL: the path is not below the base.
static const char *strip_base(const char *base, const char *path) {
    for (;;) {
        while (*base == '/') base++;
        if (*base == '\0') return path;
        size_t n = strcspn(base, "/");
        if (path[0] != '/' || strncmp(path + 1, base, n) != 0) return NULL;
        if (path[n + 1] != '/' && path[n + 1] != '\0') return NULL;
        path += n + 1;
        base += n;
    }
}

enum mg_endpoint mg_endpoint_of(const char *base_path, const char *path) {
    const char *rest = strip_base(base_path ? base_path : "", path);
    if (rest == NULL) return MG_ENDPOINT_NONE;
    // The root page is at the base path exactly: "/nats" has it, "/nats/" does not.
    if (rest[0] == '\0') return MG_ENDPOINT_ROOT;
    if (rest != path && strcmp(rest, "/") == 0) return MG_ENDPOINT_NONE;
    if (strcmp(rest, "/subscriptionsz") == 0) return MG_ENDPOINT_SUBSZ;
    for (unsigned i = 0; i < MG_ENDPOINT_COUNT; i++)
        if (strcmp(rest, endpoints[i].path) == 0) return (enum mg_endpoint)i;
    return MG_ENDPOINT_NONE;
}

void mg_put_endpoint_hits(struct mg_jw *w, const struct mg_endpoint_hits *hits) {
    mg_jw_key(w, "http_req_stats");
    mg_jw_obj(w);
    for (unsigned i = 0; i < MG_ENDPOINT_COUNT; i++)
        if (endpoints[i].counted && hits->n[i] != 0) mg_jw_kuint(w, endpoints[i].path, hits->n[i]);
    mg_jw_end_obj(w);
}
