// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A store in a directory of its own, driven from a test: all its parts on one loop. Waiting is for a condition, never
// for a time. Faults of the disk are planted by store_faults.c where a test links it.
#ifndef MG_TEST_STORE_DRIVER_H
#define MG_TEST_STORE_DRIVER_H

#include "jetstream/store/store.h"
#include "server/base/timer.h"
#include "test/unit/cmocka_inc.h"

struct driver {
    char dir[64];
    struct mg_store_options o;
    struct mg_store *store;
    struct mg_loop *loop;
    struct mg_wheel wheel;
    bool (*until)(struct driver *d);
    uint64_t deadline;
    uint64_t ok, failed, open; // answers that came, answers that are to come
    int last_err;
    uint64_t last_seq;
    char log[16384]; // what the store said, line by line
    int opened;      // what mg_store_open returned
    char error[256];
};

// Options are those of d->o (dir, log and log_arg are set here).
void driver_init(struct driver *d, unsigned parts);
int driver_open(struct driver *d);  // opens and starts all parts
void driver_close(struct driver *d); // stops and closes
void driver_fini(struct driver *d); // and removes the directory
// Runs until the condition holds; fails the test after a minute.
void driver_run(struct driver *d, bool (*until)(struct driver *d));
bool driver_quiet(struct driver *d); // a condition: every answer has come
bool driver_said(const struct driver *d, const char *text);

struct mg_stream *driver_stream(struct driver *d, unsigned part, const char *name, const struct mg_stream_limits *l);
struct mg_stream *driver_find(struct driver *d, const char *name); // in any part; NULL
// Publishes; the answer is counted in d. Returns what append returned.
int driver_publish(struct driver *d, struct mg_stream *s, const char *subject, size_t size, int64_t time);
// Reads a message and waits for it: its error.
int driver_read(struct driver *d, struct mg_stream *s, uint64_t seq);

// ---- faults (store_faults.c) ----

// All writes and syncs of the journal fail with MG_EIO.
void faults_fail_journal(bool on);
// All writes of segments and tables fail with MG_EIO.
void faults_fail_tables(bool on);
// All writes of extents fail with MG_EIO.
void faults_fail_extents(bool on);
// The keeper's writes of segments and tables wait.
void faults_block_tables(bool on);
// Bytes that files may have together; 0: no limit.
void faults_capacity(uint64_t bytes);
uint64_t faults_used(void);

#endif
