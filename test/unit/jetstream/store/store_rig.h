// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A store of one part in a directory of its own, with real threads and files, for tests of what the keeper does. The
// loop runs inside of rig_until only.
#ifndef MG_TEST_STORE_RIG_H
#define MG_TEST_STORE_RIG_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jetstream/store/store.h"
#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/base/timer.h"
#include "server/shard/loop.h"

struct rig {
    char dir[64];
    struct mg_store *st;
    struct mg_store_part *part;
    struct mg_loop *loop;
    struct mg_wheel wheel;
    bool (*done)(struct rig *r);
    void *user;
    uint64_t asked, answered, failed; // changes; a change's ctx is the rig
    uint64_t checkpoints;             // that are waited for
    bool loud;
    uint32_t walk; // as in the options
};

static inline void rig_say(void *arg, int level, const char *text) {
    const struct rig *r = arg;
    if (r->loud) fprintf(stderr, "[%d] %s\n", level, text);
}

static inline bool rig_before_poll(void *arg) {
    struct rig *r = arg;
    bool more = mg_store_part_turn(r->part);
    if (r->done(r)) mg_loop_stop(r->loop);
    mg_loop_set_timer(r->loop, mg_loop_clock(r->loop) + 1000000); // what it waits for may come without a wake-up
    return more;
}

static inline void rig_timer(void *arg) {
    struct rig *r = arg;
    mg_wheel_advance(&r->wheel, mg_loop_now(r->loop));
}

static inline void rig_until(struct rig *r, bool (*done)(struct rig *r)) {
    r->done = done;
    mg_loop_run(r->loop);
}

static inline void rig_result(void *app, const struct mg_result *res) {
    (void)app;
    struct rig *r = res->ctx;
    if (r == NULL) return;
    r->answered++;
    if (res->err) r->failed++;
}
static const struct mg_stream_ops rig_ops = {.result = rig_result};

static inline void rig_open(struct rig *r) {
    char err[256] = "";
    struct mg_store_options o = {
        .dir = r->dir, .parts = 1, .ring_bytes = 16u << 20, .walk = r->walk, .log = rig_say, .log_arg = r};
    for (size_t i = 0; i < sizeof(o.secret); i++) o.secret[i] = (uint8_t)(i * 7 + 1);
    int rc = mg_store_open(&r->st, &o, err, sizeof(err));
    if (rc) fprintf(stderr, "%s\n", err);
    mg_assert(rc == 0);
    struct mg_loop_hooks hooks = {.arg = r, .before_poll = rig_before_poll, .timer = rig_timer};
    mg_assert(mg_loop_new(&r->loop, &hooks) == 0);
    mg_wheel_init(&r->wheel, mg_loop_clock(r->loop));
    r->part = mg_store_part(r->st, 0);
    mg_store_part_start(r->part, r->loop, &r->wheel);
    for (struct mg_stream *s = mg_stream_next(r->part, NULL); s; s = mg_stream_next(r->part, s))
        mg_stream_set_ops(s, &rig_ops, r);
}

static inline void rig_new_walking(struct rig *r, uint32_t walk) {
    const char *tmp = getenv("TMPDIR");
    memset(r, 0, sizeof(*r));
    r->walk = walk;
    snprintf(r->dir, sizeof(r->dir), "%s/midge-store-XXXXXX", tmp && strlen(tmp) < 32 ? tmp : "/tmp");
    mg_assert(mkdtemp(r->dir) != NULL);
    rig_open(r);
}

static inline void rig_new(struct rig *r) { rig_new_walking(r, 0); }

static inline bool rig_stopped(struct rig *r) { return mg_store_part_stop(r->part); }

static inline void rig_close(struct rig *r) {
    rig_until(r, rig_stopped);
    mg_store_close(r->st);
    mg_loop_free(r->loop);
}

// Calls fn for each file below the store's directory; sizes as the file system gives them.
static inline void rig_files(struct rig *r, const char *folder, void (*fn)(void *arg, const char *path, uint64_t size),
                             void *arg) {
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", r->dir, folder);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat about;
        snprintf(path, sizeof(path), "%s/%s/%s", r->dir, folder, e->d_name);
        if (stat(path, &about) == 0 && S_ISREG(about.st_mode)) fn(arg, path, (uint64_t)about.st_size);
    }
    if (d) closedir(d);
}

struct rig_usage {
    uint64_t files, bytes;
};
static inline void rig_add_file(void *arg, const char *path, uint64_t size) {
    struct rig_usage *u = arg;
    (void)path;
    u->files++;
    u->bytes += size;
}
static inline struct rig_usage rig_usage(struct rig *r, const char *folder) {
    struct rig_usage u = {0, 0};
    rig_files(r, folder, rig_add_file, &u);
    return u;
}

static inline void rig_unlink(void *arg, const char *path, uint64_t size) {
    (void)arg;
    (void)size;
    unlink(path);
}

static inline void rig_remove(struct rig *r) {
    static const char *const folders[] = {"segments", "tables", "journal", "lost+found", ""};
    char path[128];
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        rig_files(r, folders[i], rig_unlink, NULL);
        snprintf(path, sizeof(path), "%s/%s", r->dir, folders[i]);
        rmdir(path);
    }
}

static inline bool rig_all_answered(struct rig *r) { return r->answered == r->asked; }
static inline void rig_settle(struct rig *r) { rig_until(r, rig_all_answered); }

static inline bool rig_rests(struct rig *r) {
    struct mg_store_status s = mg_store_status(r->st);
    return s.checkpoints >= r->checkpoints && s.resting;
}
// A checkpoint, and all that follows from it.
static inline void rig_checkpoint(struct rig *r) {
    rig_settle(r);
    r->checkpoints = mg_store_status(r->st).checkpoints + 1;
    mg_store_press(r->st);
    rig_until(r, rig_rests);
}

static inline struct mg_stream *rig_stream(struct rig *r, const char *name, const struct mg_stream_limits *limits) {
    struct mg_stream *s;
    mg_assert(mg_stream_create(r->part, (mg_slice){name, strlen(name)}, (mg_slice){"{}", 2}, MG_STORAGE_FILE, limits, 0,
                               &s, r) == 0);
    mg_stream_set_ops(s, &rig_ops, r);
    r->asked++;
    return s;
}

static inline void rig_append(struct rig *r, struct mg_stream *s, mg_slice subject, mg_slice payload) {
    struct mg_append a = {
        .subject = subject, .payload = payload, .expect_last = MG_ANY_SEQ, .expect_subject_last = MG_ANY_SEQ};
    mg_assert(mg_stream_append(s, &a, r) == 0);
    r->asked++;
}


struct rig_copy {
    int err;
    uint64_t seq, count;
    char subject[64];
    size_t subject_len;
    mg_slice payload; // owned
};
static inline void rig_take(struct rig_copy *c, const struct mg_read *rd) {
    c->err = rd->err;
    c->seq = rd->msg.seq;
    c->count = rd->count;
    if (rd->err) return;
    c->subject_len = rd->msg.subject.n < sizeof(c->subject) ? rd->msg.subject.n : 0;
    if (c->subject_len) memcpy(c->subject, rd->msg.subject.p, c->subject_len);
    mg_free((char *)(uintptr_t)c->payload.p);
    c->payload = mg_slice_of(mg_slice_dup(rd->msg.payload), rd->msg.payload.n);
}

struct rig_reading {
    struct mg_read read;
    struct rig_copy *out;
    bool done;
};
static inline void rig_reading_done(struct mg_read *rd) {
    struct rig_reading *x = rd->user;
    rig_take(x->out, rd);
    x->done = true;
}
static inline bool rig_reading_over(struct rig *r) { return ((struct rig_reading *)r->user)->done; }
// One read, waited for; what it gave is copied.
static inline void rig_read(struct rig *r, struct mg_stream *s, struct rig_reading *x, struct rig_copy *out) {
    x->out = out;
    x->done = false;
    x->read.done = rig_reading_done;
    x->read.user = x;
    if (mg_stream_read(s, &x->read) == 0) {
        rig_take(out, &x->read);
        return;
    }
    r->user = x;
    rig_until(r, rig_reading_over);
}

#endif
