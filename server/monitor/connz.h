// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// /connz (spec/monitoring-and-tools.md A4) in three steps, so that no shard is held up by 100,000 connections:
//
//   1. mg_connz_parse turns the query string into a struct mg_connz_query, or a 400 text.
//   2. Each shard walks its connections by a cursor, 256 a turn, and shows each to its own struct mg_connz with
//      mg_connz_visit; shard 0 shows the closed ones too (mg_closed_ring). A struct mg_connz keeps only the best
//      offset + limit keys in a heap. The asker merges the shards' with mg_connz_merge and picks the page with
//      mg_connz_page.
//   3. Each shard fills rows for those of the page's keys that are its own (connections that closed in between drop
//      out), and the asker renders them with mg_connz_render, which sorts them once more by their newer numbers.
//
// Memory: 32 bytes for each of min(connections, offset + limit) keys, rows for one page.
#ifndef MG_MONITOR_CONNZ_H
#define MG_MONITOR_CONNZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/base/slice.h"
#include "server/monitor/snapshot.h"

#define MG_CONNZ_DEFAULT_LIMIT 1024

enum mg_connz_sort {
    MG_SORT_CID,
    MG_SORT_START,
    MG_SORT_SUBS,
    MG_SORT_PENDING,
    MG_SORT_MSGS_TO,
    MG_SORT_MSGS_FROM,
    MG_SORT_BYTES_TO,
    MG_SORT_BYTES_FROM,
    MG_SORT_LAST,
    MG_SORT_IDLE,
    MG_SORT_UPTIME,
    MG_SORT_STOP,
    MG_SORT_REASON,
    MG_SORT_RTT,
};

enum mg_connz_state { MG_CONNZ_OPEN, MG_CONNZ_CLOSED, MG_CONNZ_ALL };

struct mg_connz_query {
    enum mg_connz_sort sort;
    enum mg_connz_state state;
    bool auth;
    bool subs, subs_detail; // subs_detail wins
    int64_t offset;         // >= 0
    int64_t limit;          // > 0
    uint64_t cid;           // 0: any; otherwise limit is 1
    // Filters; owned; NULL: none.
    char *user, *account, *mqtt_client;
};

// Parses a raw query string. On failure returns MG_EINVAL with the body of the 400 answer in err; q is then empty.
int mg_connz_parse(mg_slice query, struct mg_connz_query *q, struct mg_buf *err);
void mg_connz_query_copy(struct mg_connz_query *dst, const struct mg_connz_query *src); // for another shard
void mg_connz_query_fini(struct mg_connz_query *q);
static inline bool mg_connz_wants_open(const struct mg_connz_query *q) { return q->state != MG_CONNZ_CLOSED; }
static inline bool mg_connz_wants_closed(const struct mg_connz_query *q) { return q->state != MG_CONNZ_OPEN; }
// Rows need their subs only then.
static inline bool mg_connz_wants_subs(const struct mg_connz_query *q) { return q->subs || q->subs_detail; }

// Names a connection that the page may show. Smaller (order, cid) come first.
struct mg_conn_key {
    uint64_t order;
    uint64_t cid;
    uint32_t shard;
    bool closed;
};

// The best keys seen so far. One shard or the asker owns it.
struct mg_connz {
    const struct mg_connz_query *q; // borrowed
    int64_t now_ns;
    uint64_t total;        // connections counted: those of the account, or all
    bool unknown_account;  // set by the asker: q->account names none (answered with an empty server id)
    struct mg_conn_key *v; // a heap, the worst on top; sorted by mg_connz_page
    size_t n, cap, room;   // room: at most so many keys
};

void mg_connz_init(struct mg_connz *c, const struct mg_connz_query *q, int64_t now_ns);
void mg_connz_fini(struct mg_connz *c);
// Shows one connection. user, account and mqtt_client may be empty slices when the query does not filter by them.
void mg_connz_visit(struct mg_connz *c, const struct mg_conn_stats *s, uint32_t shard, mg_slice user, mg_slice account,
                    mg_slice mqtt_client);
// Adds what src saw; src stays as it is.
void mg_connz_merge(struct mg_connz *dst, const struct mg_connz *src);
// Sorts and returns the page's keys (*n of them, at most q->limit); valid until fini. After this only render is
// allowed.
const struct mg_conn_key *mg_connz_page(struct mg_connz *c, size_t *n);

// Appends the JSON answer (HTTP 200) with the rows in the order asked for.
void mg_connz_render(const struct mg_connz *c, const char *server_id, const struct mg_conn_rows *rows,
                     struct mg_buf *out);

#endif
