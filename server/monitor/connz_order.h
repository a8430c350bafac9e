// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Shared by the two halves of /connz only.
#ifndef MG_MONITOR_CONNZ_ORDER_H
#define MG_MONITOR_CONNZ_ORDER_H

#include "server/monitor/connz.h"

// Where a connection stands in a sort order: smaller comes first.
uint64_t mg_connz_order(enum mg_connz_sort sort, const struct mg_conn_stats *s, int64_t now_ns);

#endif
