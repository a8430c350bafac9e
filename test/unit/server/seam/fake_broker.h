// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Shards with their cores on the fake seam, and clients that speak to them: what tests of server/conn begin with.
#ifndef MG_TEST_FAKE_BROKER_H
#define MG_TEST_FAKE_BROKER_H

#include "server/conn/core.h"
#include "test/unit/server/seam/fake_seam.h"

struct fake_broker {
    unsigned n;
    struct mg_runtime *runtime;
    struct mg_globals *globals;
    struct mg_identity identity;
    struct mg_log log;
    struct mg_core *cores[MG_MAX_SHARDS];
    struct mg_loop *loops[MG_MAX_SHARDS];
    struct mg_sock *socks[FAKE_MAX];
    size_t nsocks;
};

// config: as in a configuration file.
void fake_broker_start(struct fake_broker *b, unsigned shards, const char *config);
void fake_broker_stop(struct fake_broker *b);
void fake_broker_run(struct fake_broker *b);
void fake_broker_advance(struct fake_broker *b, uint64_t ns);
// A client on a shard. Its INFO has been taken.
struct mg_sock *fake_client(struct fake_broker *b, unsigned shard);
// Sends and runs until all is quiet; what the broker said to this client.
const char *fake_say(struct fake_broker *b, struct mg_sock *s, const char *text);
// New settings on all shards.
void fake_broker_reload(struct fake_broker *b, const char *config);

#endif
