// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/jetstream/store/store_driver.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/loop.h"

#define GIVE_UP_NS UINT64_C(60000000000)
#define LOOK_AGAIN_NS UINT64_C(5000000)

static void say(void *arg, int level, const char *text) {
    struct driver *d = arg;
    (void)level;
    size_t n = strlen(d->log);
    snprintf(d->log + n, sizeof(d->log) - n, "%s\n", text);
}

bool driver_said(const struct driver *d, const char *text) { return strstr(d->log, text) != NULL; }

static bool before_poll(void *arg) {
    struct driver *d = arg;
    bool more = false;
    for (unsigned i = 0; i < d->o.parts; i++) more |= mg_store_part_turn(mg_store_part(d->store, i));
    if (d->until == NULL) return false; // the loop ends
    if (d->until(d)) {
        mg_loop_stop(d->loop);
        d->until = NULL;
        return true;
    }
    assert_true(mg_loop_clock(d->loop) < d->deadline);
    mg_loop_set_timer(d->loop, mg_loop_clock(d->loop) + LOOK_AGAIN_NS);
    return more;
}

static void timer(void *arg) {
    struct driver *d = arg;
    mg_wheel_advance(&d->wheel, mg_loop_now(d->loop));
}

void driver_init(struct driver *d, unsigned parts) {
    *d = (struct driver){.o = {.parts = parts, .ring_bytes = 1, .ballast_bytes = 1 << 20, .log = say}};
    snprintf(d->dir, sizeof(d->dir), "/tmp/midge-store-XXXXXX");
    assert_non_null(mkdtemp(d->dir));
    memcpy(d->o.secret, d->dir + sizeof("/tmp/midge-store-") - 1, 6);
    d->o.secret[20] = 7;
}

int driver_open(struct driver *d) {
    d->o.dir = d->dir;
    d->o.log_arg = d;
    d->opened = mg_store_open(&d->store, &d->o, d->error, sizeof(d->error));
    if (d->opened != 0) return d->opened;
    struct mg_loop_hooks hooks = {.arg = d, .before_poll = before_poll, .timer = timer};
    assert_int_equal(mg_loop_new(&d->loop, &hooks), 0);
    mg_wheel_init(&d->wheel, mg_loop_clock(d->loop));
    for (unsigned i = 0; i < d->o.parts; i++) mg_store_part_start(mg_store_part(d->store, i), d->loop, &d->wheel);
    return 0;
}

static bool stopped(struct driver *d) {
    bool all = true;
    for (unsigned i = 0; i < d->o.parts; i++) all &= mg_store_part_stop(mg_store_part(d->store, i));
    return all;
}

void driver_close(struct driver *d) {
    driver_run(d, stopped);
    mg_store_close(d->store);
    mg_loop_free(d->loop);
    d->store = NULL;
    d->open = 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void driver_fini(struct driver *d) {
    if (d->store) driver_close(d);
    nftw(d->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void driver_run(struct driver *d, bool (*until)(struct driver *d)) {
    d->until = until;
    d->deadline = mg_loop_clock(d->loop) + GIVE_UP_NS;
    mg_loop_set_timer(d->loop, mg_loop_clock(d->loop));
    mg_loop_run(d->loop);
}

bool driver_quiet(struct driver *d) { return d->open == 0; }

static void result(void *app, const struct mg_result *r) {
    struct driver *d = app;
    if (r->ctx == NULL) return;
    d->open--;
    d->last_err = r->err;
    if (r->err) d->failed++;
    else d->ok++;
    if (r->err == 0) d->last_seq = r->seq;
}

static const struct mg_stream_ops ops = {.result = result};

struct mg_stream *driver_find(struct driver *d, const char *name) {
    for (unsigned i = 0; i < d->o.parts; i++) {
        struct mg_stream *s = mg_stream_find(mg_store_part(d->store, i), mg_cstr(name));
        if (s == NULL) continue;
        mg_stream_set_ops(s, &ops, d);
        return s;
    }
    return NULL;
}

struct mg_stream *driver_stream(struct driver *d, unsigned part, const char *name, const struct mg_stream_limits *l) {
    struct mg_stream *s;
    struct mg_stream_limits none = {0};
    d->open++;
    int err = mg_stream_create(mg_store_part(d->store, part), mg_cstr(name), mg_cstr("{}"), MG_STORAGE_FILE,
                               l ? l : &none, 0, &s, d);
    assert_int_equal(err, 0);
    mg_stream_set_ops(s, &ops, d);
    return s;
}

int driver_publish(struct driver *d, struct mg_stream *s, const char *subject, size_t size, int64_t time) {
    char *payload = mg_alloc(size + 1);
    memset(payload, 'x', size);
    struct mg_append a = {.subject = mg_cstr(subject),
                          .payload = {payload, size},
                          .expect_last = MG_ANY_SEQ,
                          .expect_subject_last = MG_ANY_SEQ,
                          .time = time};
    int err = mg_stream_append(s, &a, d);
    if (err == 0) d->open++;
    mg_free(payload);
    return err;
}

static void read_done(struct mg_read *r) { *(bool *)r->user = true; }
static bool *waited_for;
static bool has_read(struct driver *d) {
    (void)d;
    return *waited_for;
}

int driver_read(struct driver *d, struct mg_stream *s, uint64_t seq) {
    bool done = false;
    struct mg_read r = {.kind = MG_READ_SEQ, .seq = seq, .done = read_done, .user = &done};
    waited_for = &done;
    if (mg_stream_read(s, &r) == MG_EAGAIN) driver_run(d, has_read);
    mg_stream_read_end(&r);
    return r.err;
}
