// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/server/seam/fake_broker.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/config/config.h"

static struct mg_settings *settings(const char *config, uint64_t epoch) {
    struct mg_config_source src = {.ctx = NULL};
    struct mg_config_report report = {0};
    struct mg_options *o = NULL;
    char err[256];
    int rc = mg_config_load_text(&src, config, strlen(config), &o, &report);
    mg_assert(rc == 0);
    mg_config_report_fini(&report);
    struct mg_settings *s = mg_settings_new(o, epoch, err, sizeof(err));
    mg_assert(s != NULL);
    return s;
}

void fake_broker_start(struct fake_broker *b, unsigned shards, const char *config) {
    memset(b, 0, sizeof(*b));
    b->n = shards;
    mg_log_init(&b->log, 0);
    const struct mg_runtime_options ro = {.shards = shards};
    b->runtime = mg_runtime_new(&ro);
    b->globals = aligned_alloc(64, sizeof(*b->globals));
    mg_assert(b->runtime && b->globals);
    memset(b->globals, 0, sizeof(*b->globals));
    atomic_store(&b->globals->next_cid, 1);
    struct mg_settings *s = settings(config, 1);
    for (unsigned i = 0; i < shards; i++) {
        const struct mg_core_params p = {
            .shard = mg_runtime_shard(b->runtime, i), .settings = s, .globals = b->globals, .identity = &b->identity,
            .log = &b->log, .hash_seed = 7,
        };
        b->cores[i] = mg_core_new(&p);
        b->loops[i] = mg_shard_loop(p.shard);
    }
    mg_settings_unref(s);
    fake_broker_run(b);
}

void fake_broker_run(struct fake_broker *b) { fake_run(b->loops, b->n); }
void fake_broker_advance(struct fake_broker *b, uint64_t ns) { fake_advance(b->loops, b->n, ns); }

void fake_broker_stop(struct fake_broker *b) {
    for (unsigned i = 0; i < b->n; i++) {
        mg_core_drain(b->cores[i]);
        mg_loop_wake(b->loops[i]);
    }
    fake_broker_run(b);
    fake_broker_advance(b, 3 * MG_SEC); // whoever does not read has had its time
    for (unsigned i = 0; i < b->n; i++) {
        mg_assert(mg_shard_quiet(mg_runtime_shard(b->runtime, i)));
        mg_core_free(b->cores[i]);
    }
    mg_runtime_free(b->runtime);
    for (size_t i = 0; i < b->nsocks; i++) fake_sock_free(b->socks[i]);
    free(b->globals);
    mg_log_fini(&b->log);
}

struct mg_sock *fake_client(struct fake_broker *b, unsigned shard) {
    mg_assert(b->nsocks < FAKE_MAX);
    struct mg_sock *s = b->socks[b->nsocks++] = fake_sock_new();
    struct mg_sock_seed seed = fake_seed(s);
    // The least loaded shard gets it: all others seem full.
    for (unsigned i = 0; i < b->n; i++) atomic_fetch_add(&b->globals->shard[i].connections, i == shard ? 0 : 1000);
    mg_core_accept(b->cores[shard], &seed);
    for (unsigned i = 0; i < b->n; i++) atomic_fetch_sub(&b->globals->shard[i].connections, i == shard ? 0 : 1000);
    mg_loop_wake(b->loops[shard]);
    fake_broker_run(b);
    mg_assert(strncmp(fake_take(s), "INFO ", 5) == 0);
    return s;
}

const char *fake_say(struct fake_broker *b, struct mg_sock *s, const char *text) {
    fake_send(s, text);
    fake_broker_run(b);
    return fake_take(s);
}

void fake_broker_reload(struct fake_broker *b, const char *config) {
    struct mg_settings *s = settings(config, 2);
    for (unsigned i = 0; i < b->n; i++) {
        mg_core_reload(b->cores[i], s);
        mg_loop_wake(b->loops[i]);
    }
    mg_settings_unref(s);
    fake_broker_run(b);
}
