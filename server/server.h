// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A whole broker: shards, listeners, who may connect, monitoring. It touches no signals, stdio, exit or environment, so
// that several can live in one process (the simulator runs whole groups of them).
//
// mg_server_run runs shard 0 on the calling thread; all other functions are called before it, or on that thread from
// a callback of its loop, unless they say otherwise.
#ifndef MG_SERVER_H
#define MG_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/log.h"
#include "server/config/options.h"

struct mg_loop;
struct mg_reload_diff;
struct mg_server;
struct mg_store_options;

// The store's folder in `store_dir`, beside `jetstream`, which is the reference's.
#define MG_STORE_FOLDER "midge"

// What monitoring says about the process; the embedding program knows how to find out.
struct mg_figures {
    uint64_t rss, open_fds;
    uint64_t ram; // bytes that this process may use; 0: unknown
    double cpu_percent, cpu_seconds;
    int cores;
};

struct mg_server_params {
    struct mg_options *opts; // checked (mg_options_check); the server takes ownership
    struct mg_log *log;      // outlives the server; NULL: no log
    unsigned shards;         // 1..64
    uint64_t credit;         // bytes unprocessed a shard accepts from the others; 0: default
    // All may be NULL; called on shard 0.
    void (*figures)(void *arg, struct mg_figures *out); // for monitoring
    // New options are in force on all shards: what the program does with options itself is to follow now.
    void (*reloaded)(void *arg, const struct mg_reload_diff *diff);
    void (*stopped)(void *arg); // everything is closed: the program must close what it has on the loop
    void (*tune_store)(void *arg, struct mg_store_options *o); // JetStream's, before it is opened: sizes, for tests
    void *arg;
};

// Builds a server, opens its listeners (so that errors show here) and logs the start: 0, or an error with one line in
// err. After an error params->opts still belongs to the caller.
int mg_server_new(struct mg_server **out, const struct mg_server_params *params, char *err, size_t errlen);
// Serves until shut down.
void mg_server_run(struct mg_server *s);
void mg_server_free(struct mg_server *s);

// Closes clients after flushing them, quiesces the shards and lets mg_server_run return. Calling it again is harmless.
void mg_server_shutdown(struct mg_server *s);
// Lame duck mode (spec/client-protocol.md A12): ends in a shutdown.
void mg_server_lame_duck(struct mg_server *s);
bool mg_server_is_lame_duck(const struct mg_server *s);
// Applies checked options, of which the server takes ownership. All shards see them before "Reloaded server
// configuration" is logged. On error nothing has changed, err says why, and fresh still belongs to the caller.
int mg_server_reload(struct mg_server *s, struct mg_options *fresh, char *err, size_t errlen);

const struct mg_options *mg_server_options(const struct mg_server *s);
struct mg_loop *mg_server_loop(struct mg_server *s); // shard 0's
int mg_server_port(const struct mg_server *s);       // the client listener's real port
int mg_server_monitor_port(const struct mg_server *s); // 0: none

#endif
