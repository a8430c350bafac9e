// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// JetStream on one shard: what its streams, consumers and API need of the broker. It subscribes and publishes from
// inside, without a connection; it has the shard's timers and its part of the store.
//
// A message arrives in the call that publishes it, so a handler must not keep its slices. What a handler publishes is
// delivered at once as well, at most a few levels deep; answers that must be durable first come out of the store's
// turn (mg_js_turn).
#ifndef MG_JETSTREAM_JS_H
#define MG_JETSTREAM_JS_H

#include "jetstream/store/store.h"
#include "server/base/list.h"
#include "server/base/log.h"
#include "server/router/router.h"

struct mg_js_api;

struct mg_js {
    struct mg_shard *shard;
    struct mg_router *router;
    struct mg_store_part *part;
    struct mg_log *log;
    mg_slice server_name, domain; // domain empty: none
    struct mg_list streams;       // of struct mg_js_stream
    struct mg_list dead;          // of struct mg_js_sub: dropped during a delivery, freed in the next turn
    struct mg_js_api *api;        // on the shard of the catalogue; else NULL
    uint64_t counters_api, counters_errors;
};

void mg_js_init(struct mg_js *js, struct mg_shard *shard, struct mg_router *router, struct mg_store_part *part,
                struct mg_log *log);
void mg_js_fini(struct mg_js *js);
// In each turn of the shard: what the store has finished leaves. True: there is more to do at once.
bool mg_js_turn(struct mg_js *js);

// ---- subscriptions --------------------------------------------------------------------------------------------------

typedef void (*mg_js_handler)(void *arg, const struct mg_msg *m);
struct mg_js_sub;
// subject is copied; valid for SUB.
struct mg_js_sub *mg_js_subscribe(struct mg_js *js, mg_slice subject, mg_js_handler fn, void *arg);
void mg_js_unsubscribe(struct mg_js *js, struct mg_js_sub *sub); // also from inside of a handler; NULL is fine

// ---- publishing -----------------------------------------------------------------------------------------------------

// headers is a whole block ("NATS/1.0\r\n...\r\n\r\n") or empty. Returns how many got it here, plus one for each other
// shard that it was sent to. Never waits: on other shards it goes into debt (router.h).
uint32_t mg_js_publish(struct mg_js *js, mg_slice subject, mg_slice reply, mg_slice headers, mg_slice payload);
// Would anybody get it now? Asks only what is known on this shard.
bool mg_js_interest(struct mg_js *js, mg_slice subject);

static inline uint64_t mg_js_now(const struct mg_js *js) { return mg_shard_now(js->shard); }

#endif
