// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Shared by the two halves of /metrics only: writing metric families.
#ifndef MG_MONITOR_METRICS_H
#define MG_MONITOR_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/monitor/endpoint.h"
#include "server/monitor/snapshot.h"

struct mg_metrics {
    struct mg_buf *out;
    bool openmetrics;
    const char *name, *suffix; // of the samples of the current family
};

// Announces a family; type is "gauge", "counter", "histogram" or "info". The name has no "_total" and no "_info".
void mg_metrics_family(struct mg_metrics *m, const char *name, const char *type, const char *help);
// A sample of it. labels: name, value, ..., NULL.
void mg_metrics_uint(struct mg_metrics *m, const char *const labels[], uint64_t v);
void mg_metrics_text(struct mg_metrics *m, const char *const labels[], const char *number);
void mg_metrics_float(struct mg_metrics *m, const char *const labels[], double v);

// The names that prometheus-nats-exporter makes of /varz, with prefix "nats".
void mg_metrics_dropin(struct mg_metrics *m, const struct mg_server_facts *f, const struct mg_totals *t,
                       const struct mg_endpoint_hits *hits);

#endif
