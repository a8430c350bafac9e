// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The paths of the monitoring port and how often each was asked for (spec/monitoring-and-tools.md A2, A3).
#ifndef MG_MONITOR_ENDPOINT_H
#define MG_MONITOR_ENDPOINT_H

#include <stdint.h>

#include "server/base/json.h"

// X(name, path, counted): counted ones appear in varz http_req_stats after their first hit. /subscriptionsz counts as
// /subsz.
#define MG_ENDPOINTS(X)                                                                                                \
    X(ROOT, "/", true)                                                                                                 \
    X(ACCOUNTZ, "/accountz", true)                                                                                     \
    X(ACCSTATZ, "/accstatz", true)                                                                                     \
    X(CONNZ, "/connz", true)                                                                                           \
    X(DEBUG_VARS, "/debug/vars", false)                                                                                \
    X(GATEWAYZ, "/gatewayz", true)                                                                                     \
    X(HEALTHZ, "/healthz", true)                                                                                       \
    X(IPQUEUESZ, "/ipqueuesz", false)                                                                                  \
    X(JSZ, "/jsz", true)                                                                                               \
    X(LEAFZ, "/leafz", true)                                                                                           \
    X(METRICS, "/metrics", true)                                                                                       \
    X(RAFTZ, "/raftz", false)                                                                                          \
    X(ROUTEZ, "/routez", true)                                                                                         \
    X(STACKSZ, "/stacksz", false)                                                                                      \
    X(SUBSZ, "/subsz", true)                                                                                           \
    X(VARZ, "/varz", true)

enum mg_endpoint {
#define X(name, path, counted) MG_ENDPOINT_##name,
    MG_ENDPOINTS(X)
#undef X
        MG_ENDPOINT_COUNT,
    MG_ENDPOINT_NONE = MG_ENDPOINT_COUNT // 404
};

// The endpoint of a clean path under base_path (as configured; NULL or "": "/").
enum mg_endpoint mg_endpoint_of(const char *base_path, const char *path);
// "/varz", without the base path. Static.
const char *mg_endpoint_path(enum mg_endpoint e);

struct mg_endpoint_hits {
    uint64_t n[MG_ENDPOINT_COUNT];
};
// The http_req_stats member.
void mg_put_endpoint_hits(struct mg_jw *w, const struct mg_endpoint_hits *hits);

#endif
