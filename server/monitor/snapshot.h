// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What monitoring answers are made of: plain structs that the shards fill and the renderers read. Times are
// wall-clock ns since the epoch, counters are sums since the start unless they say "now".
//
// Strings in rows are slices whose bytes live in the arena of the row set that holds the row (mg_arena_dup), so a row
// set may be handed from a shard to the asker as a whole.
#ifndef MG_MONITOR_SNAPSHOT_H
#define MG_MONITOR_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/slice.h"
#include "server/config/options.h"
#include "server/conn/close_reason.h"

// ---- memory of row sets -----------------------------------------------------------------------------------------

struct mg_arena_block;
// Memory that is freed as a whole. Owned by one thread at a time.
struct mg_arena {
    struct mg_arena_block *head;
};
#define MG_ARENA_INIT {NULL}
void *mg_arena_alloc(struct mg_arena *a, size_t n); // aligned for any type, uninitialized
mg_slice mg_arena_dup(struct mg_arena *a, mg_slice s);
void mg_arena_fini(struct mg_arena *a);
void mg_arena_move(struct mg_arena *dst, struct mg_arena *src); // gives src's blocks to dst

// ---- the server -------------------------------------------------------------------------------------------------

// What does not come from the shards. Everything is borrowed for the duration of a rendering call.
struct mg_js_facts; // js.h
struct mg_server_facts {
    const struct mg_options *opts;
    const char *server_id;
    const char *version;    // SemVer
    const char *git_commit; // "" if unknown
    const char *build;      // compiler text, shown where the reference has its Go version; never empty
    const char *ip;         // "" unless the listener is bound to one address that is advertised
    int proto;
    int port;          // the client listener's real one
    int monitor_port;  // the monitoring listener's real one
    struct mg_strlist connect_urls; // "host:port", as in INFO
    bool auth_required, tls_required, tls_verify;
    bool listening;    // the client listener accepts: false before the start, in lame duck mode and at shutdown
    int64_t start_ns, now_ns, config_load_ns;
    int cores;         // CPUs this process may use
    int shards;
    uint64_t rss;      // bytes
    double cpu_percent; // over about the last second
    double cpu_seconds; // user + system since the start
    uint64_t open_fds;
    const char *system_account; // NULL: none
    const struct mg_js_facts *js; // NULL: no JetStream
    int64_t tls_not_after_s;    // end of the own certificate, seconds since the epoch; 0: none
};

static inline const char *mg_facts_name(const struct mg_server_facts *f) {
    return f->opts->server_name ? f->opts->server_name : f->server_id;
}

struct mg_kind_counts {
    uint64_t clients, routes, gateways, leafs;
};

// A subject index; fanout_total / num_cache is the average fan-out of cached results.
struct mg_sublist_counts {
    uint64_t num_subs, num_cache, num_inserts, num_removes, num_matches, cache_hits, max_fanout, fanout_total;
};

// Counters of one shard, or their sum. *_client_* are the part that came from or went to clients.
struct mg_totals {
    uint64_t connections; // now
    uint64_t total_connections;
    uint64_t leafnodes; // now
    uint64_t in_msgs, in_bytes, in_client_msgs, in_client_bytes;
    uint64_t out_msgs, out_bytes, out_client_msgs, out_client_bytes;
    struct mg_kind_counts slow_consumers, stale_connections;
    uint64_t stalled_clients;
    uint64_t auth_errors;
    uint64_t closed[MG_CLOSE_REASON_COUNT];
    struct mg_sublist_counts sublist; // all accounts; varz subscriptions = sublist.num_subs
};
// dst += src (max_fanout: the larger one).
void mg_totals_add(struct mg_totals *dst, const struct mg_totals *src);
void mg_sublist_counts_add(struct mg_sublist_counts *dst, const struct mg_sublist_counts *src);

// One account on this server, summed over shards. in: from the account's clients, out: to them.
struct mg_account_row {
    mg_slice name;
    bool is_system;
    uint64_t connections, leafnodes; // now
    uint64_t in_msgs, in_bytes, out_msgs, out_bytes, slow_consumers;
    struct mg_sublist_counts sublist;
};

// ---- connections ------------------------------------------------------------------------------------------------

enum mg_conn_kind { MG_KIND_CLIENT, MG_KIND_LEAFNODE };
enum mg_conn_client_type { MG_TYPE_NATS, MG_TYPE_WEBSOCKET, MG_TYPE_MQTT, MG_TYPE_NONE };

// The fixed part of a connection: enough to count, filter by id and sort. Cheap to fill.
struct mg_conn_stats {
    uint64_t cid;
    int64_t start_ns, last_ns;
    int64_t stop_ns; // 0: open
    int64_t rtt_ns;  // 0: unknown
    uint64_t in_msgs, in_bytes;   // from the client
    uint64_t out_msgs, out_bytes; // to the client
    uint64_t stalls;
    uint64_t pending; // bytes
    uint32_t nsubs;
    uint16_t port;
    uint8_t kind;   // enum mg_conn_kind
    uint8_t type;   // enum mg_conn_client_type
    uint8_t reason; // enum mg_close_reason, when closed
    bool tls_first;
};

// A subscription. On the list of an open connection account and tag are empty.
struct mg_sub_row {
    mg_slice account, account_tag, subject, queue, sid;
    uint64_t msgs, max; // max 0: none
    uint64_t cid;
};

struct mg_peer_cert {
    mg_slice subject, spki_sha256, cert_sha256;
};

// One entry of connz. Empty slices are left out of the answer. user and account are always filled: the renderer hides
// them unless auth was asked for.
struct mg_conn_row {
    struct mg_conn_stats s;
    mg_slice ip, name, lang, version;
    mg_slice tls_version, tls_cipher; // "1.3", IANA name
    mg_slice user;                    // nkey, user name, or "[REDACTED]" for a token
    mg_slice account;                 // also "$G"
    mg_slice name_tag;                // the account's; falls back to its name
    mg_slice jwt, issuer_key;         // jwt: empty for bearer users
    mg_slice mqtt_client, proxy_key;
    const mg_slice *tags;
    size_t ntags;
    const struct mg_peer_cert *certs;
    size_t ncerts;
    const struct mg_sub_row *subs; // filled only if asked for, and in what is handed to the closed ring
    size_t nsubs;
};

// A growing set of rows and the memory of their strings.
struct mg_conn_rows {
    struct mg_conn_row *v;
    size_t n, cap;
    struct mg_arena arena;
};
#define MG_CONN_ROWS_INIT {NULL, 0, 0, MG_ARENA_INIT}
struct mg_conn_row *mg_conn_rows_add(struct mg_conn_rows *r); // a zeroed row; valid until the next add
// Moves src's rows and memory into dst; src is empty afterwards.
void mg_conn_rows_move(struct mg_conn_rows *dst, struct mg_conn_rows *src);
void mg_conn_rows_fini(struct mg_conn_rows *r);

struct mg_sub_rows {
    struct mg_sub_row *v;
    size_t n, cap;
    struct mg_arena arena;
};
#define MG_SUB_ROWS_INIT {NULL, 0, 0, MG_ARENA_INIT}
struct mg_sub_row *mg_sub_rows_add(struct mg_sub_rows *r);
void mg_sub_rows_move(struct mg_sub_rows *dst, struct mg_sub_rows *src);
void mg_sub_rows_fini(struct mg_sub_rows *r);

#endif
