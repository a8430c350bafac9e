// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What lives on one shard: its router, its connections and what they share. One struct mg_core a shard, owned by it.
#ifndef MG_CONN_CORE_H
#define MG_CONN_CORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/base/list.h"
#include "server/base/log.h"
#include "server/base/timer.h"
#include "server/conn/settings.h"
#include "server/conn/close_reason.h"
#include "server/router/router.h"
#include "server/shard/net.h"
#include "server/shard/outq.h"
#include "server/shard/shard.h"

struct mg_conn;
struct mg_cred_cache;

// Bytes read from a socket in one turn at most; also the size of the shard's read slab.
#define MG_SLAB_BYTES (256u * 1024)
// Messages from this size on are read into a buffer of their own.
#define MG_OWN_BUFFER 32768u
// Bytes of output in one turn after which sockets are flushed.
#define MG_OUTPUT_TURN (1u << 20)
// Payloads below this size are copied into the subscriber's queue, larger ones are referred to.
#define MG_COPY_MAX 1024u

// The only mutable state that shards share: exact limits for the whole server. Relaxed atomics, a cache line each.
struct mg_globals {
    _Alignas(64) _Atomic uint64_t next_cid;
    _Alignas(64) _Atomic int64_t connections;
    // TLS handshakes begun in the second `tls_second` (tls.connection_rate_limit): second << 32 | count.
    _Alignas(64) _Atomic uint64_t tls_rate;
    struct {
        _Alignas(64) _Atomic int64_t connections;
    } shard[MG_MAX_SHARDS];
};

// Fixed for the life of the server.
struct mg_identity {
    char server_id[64];   // "N..."
    char xkey[64];        // "X..."
    int64_t start_ns;     // wall
};

// Counters of one shard; the names follow spec/monitoring-and-tools.md A3.
struct mg_core_counters {
    uint64_t in_msgs, in_bytes, out_msgs, out_bytes;
    uint64_t total_connections, slow_consumers, stale_connections, stalled_clients, auth_errors;
    uint64_t closed[MG_CLOSE_REASON_COUNT];
};

struct mg_slot {
    struct mg_conn *conn; // NULL: free
    uint32_t next;        // free slot
};

struct mg_core {
    struct mg_shard *shard;
    struct mg_loop *loop;
    struct mg_router router;
    struct mg_settings *settings;
    struct mg_globals *globals;
    const struct mg_identity *identity;
    struct mg_log *log;
    struct mg_outpool pool;
    struct mg_cred_cache *creds;

    char *slab;            // MG_SLAB_BYTES, allocated at the first read
    struct mg_list conns;  // all connections
    struct mg_slot *slots; // by number; records name a connection by slot and cid
    uint32_t nslots, free_slot, nconns;
    uint32_t ndying; // closed, not freed yet
    uint64_t now;    // monotonic ns of the input under way

    struct mg_list dirty;   // connections with output that was not offered to their socket in this turn
    uint32_t ndirty;
    size_t dirty_bytes;     // produced since the last flush
    struct mg_list blocked; // connections whose socket took no more, by deadline
    struct mg_timer deadline;
    struct mg_list dying;   // closed connections whose subscriptions are being unlinked
    struct mg_sub **expired; // subscriptions that reached their maximum in this turn
    size_t nexpired, expired_cap;
    bool slab_used; // some queue refers to the slab
    char *cipher;   // cipher bytes of one read

    struct mg_list bcrypt_waiting; // connections whose password waits for a worker
    unsigned bcrypt_running;
    struct mg_list tls_waiting; // connections whose handshake waits for a worker
    unsigned tls_running;

    // When these were last written to the log: at most once a second.
    uint64_t said_max_conns, said_max_subs;
    bool lame_duck;  // INFO says so
    bool draining;   // shutting down: nothing is parsed any more
    struct mg_core_counters counters;

    // Told when a connection is gone for good (closed ring, shutdown). Set by the server.
    void (*conn_closed)(void *arg, struct mg_conn *c);
    // Records that are not the router's.
    void (*record)(void *arg, const struct mg_rec *rec);
    // More idle work of the server's. True: there is more.
    bool (*idle)(void *arg);
    void *arg;
};

// Records of connections between shards; the server's own kinds begin at MG_REC_SERVER.
enum mg_conn_rec { MG_REC_ADOPT = MG_REC_APP, MG_REC_STALL, MG_REC_SERVER = 32 };
// Asks the shard of a publisher to pause it.
struct rec_stall {
    uint64_t cid;
    uint32_t slot, ns;
};

struct mg_core_params {
    struct mg_shard *shard;
    struct mg_settings *settings; // a reference is taken
    struct mg_globals *globals;
    const struct mg_identity *identity;
    struct mg_log *log;
    uint64_t hash_seed;
};

struct mg_core *mg_core_new(const struct mg_core_params *p);
void mg_core_free(struct mg_core *core); // all connections are gone
// The runtime's hooks for this core.
extern const struct mg_shard_ops mg_core_shard_ops;

// An accepted socket becomes a connection of this shard, or of the least loaded one (core_adopt.c).
void mg_core_accept(struct mg_core *core, const struct mg_sock_seed *seed);
// Swaps the settings; re-evaluates every connection (spec/client-protocol.md B8).
void mg_core_reload(struct mg_core *core, struct mg_settings *fresh);
// Tells clients that the server is about to go (lame duck mode).
void mg_core_lame_duck(struct mg_core *core);
void mg_core_close_one(struct mg_core *core);
// Parses nothing any more and closes all connections; done when nconns and ndying are 0.
void mg_core_drain(struct mg_core *core);
// The connection in a slot, if it is still that one.
struct mg_conn *mg_core_conn(const struct mg_core *core, uint32_t slot, uint64_t cid);

// Makes the bytes in the slab go away safely: everything that refers to them is sent or copied.
void mg_core_release_slab(struct mg_core *core);

#endif
