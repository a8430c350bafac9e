// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Configuration that changes while the program runs: config_watch URL BUCKET [PATTERN [COUNT]]
//
//      nats kv add config
//      nats kv put config log.level debug
//
// First comes what is there, then each change, also those that were made while the connection was away. With COUNT it
// ends after that many entries.
#include <midge_posix.h>

#include <stdio.h>
#include <stdlib.h>

struct watcher {
    long left; // entries; negative: no end
    bool done;
    int err;
};

static void on_entry(midge_kv_watch *watch, const midge_kv_entry *entry, int err, void *user) {
    struct watcher *w = user;
    if (entry == NULL) {
        printf("%s\n", err == 0 ? "that is all for now" : midge_strerror(err));
        fflush(stdout);
        if (err == 0 || watch->active) return; // in trouble it begins again by itself
        w->err = err;
        w->done = true;
        return;
    }
    if (entry->operation == MIDGE_KV_PUT) {
        printf("%.*s = %.*s\n", (int)entry->key.n, entry->key.p, (int)entry->value.n, entry->value.p);
    } else {
        printf("%.*s is unset\n", (int)entry->key.n, entry->key.p);
    }
    fflush(stdout);
    if (w->left > 0 && --w->left == 0) w->done = true;
}

int main(int argc, char **argv) {
    char err[300], buf[1024];
    if (argc < 3) {
        fprintf(stderr, "usage: config_watch URL BUCKET [PATTERN [COUNT]]\n");
        return 2;
    }
    midge_options options = {.servers = argv[1], .name = "configuration"};
    midge_conn *c = midge_connect(&options, err, sizeof err);
    if (c == NULL) {
        fprintf(stderr, "%s\n", err);
        return 1;
    }
    struct watcher w = {.left = argc > 4 ? strtol(argv[4], NULL, 10) : -1};
    midge_js js = {.m = midge_engine(c), .buf = buf, .size = sizeof buf};
    midge_kv bucket = {.js = &js, .bucket = midge_cstr(argv[2])};
    midge_kv_watch watch = {.pattern = midge_cstr(argc > 3 ? argv[3] : NULL)};
    int rc = midge_kv_watch_start(&bucket, &watch, on_entry, &w);
    if (rc == 0) rc = midge_wait(c, &w.done, MIDGE_FOREVER);
    if (rc == 0) rc = w.err;
    if (rc != 0) fprintf(stderr, "%s\n", midge_strerror(rc));
    midge_kv_watch_stop(&watch);
    midge_conn_free(c);
    return rc == 0 ? 0 : 1;
}
