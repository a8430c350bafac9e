// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Inside of the simulated disk: sim_disk.c (disk.h, and how a test gets at it) and sim_disk_fate.c (what is durable,
// what a crash leaves).
#ifndef MG_TEST_SIM_DISK_IMPL_H
#define MG_TEST_SIM_DISK_IMPL_H

#include "test/sim/sim_disk.h"
#include "test/sim/sim_impl.h"

#define BAD_SECTORS_MAX 16

struct image {
    uint8_t *p;
    uint64_t size, cap;
};

// A change of a file that is not yet durable, oldest first.
struct pending {
    struct pending *next;
    bool truncate; // to size `at`; else a write
    bool dropped;  // a sync has failed over it: it never becomes durable
    uint64_t at;
    uint64_t when; // simulated ns
    size_t n;
    uint8_t bytes[];
};

struct node {
    struct sim_disk *home;
    unsigned refs; // entries and handles
    bool dir;
    bool lost;     // by a power cut
    bool stuck;    // reads and writes fail
    uint64_t unlinked; // when it was removed last
    struct image now, disk; // what programs see; what survives
    struct pending *pending;
    uint64_t bad[BAD_SECTORS_MAX]; // sector numbers that cannot be read
    unsigned nbad;
};

struct entry {
    struct mg_list link;
    struct node *node;
    char name[MG_DISK_NAME_MAX + 1]; // the whole path
};

// A change of a directory that is not yet durable. add: `node` gets `name`; remove: `gone` ends; rename: both.
struct change {
    struct mg_list link;
    struct node *node; // NULL: none is added
    char name[MG_DISK_NAME_MAX + 1], gone[MG_DISK_NAME_MAX + 1];
};

struct sim_disk {
    struct mg_list link; // in the world
    struct sim *sim;
    char path[64], holder[64];
    struct mg_list now, disk; // of struct entry
    struct mg_list changes;
    struct mg_disk *open; // who has the lock
    unsigned handles;     // disks that were opened and not yet closed, dead ones included
    struct sim_disk_faults faults;
    struct sim_disk_counts counts;
    uint64_t crash_at;
    uint64_t crash_at_unlink;
    enum sim_crash how;
    bool crashed;
    unsigned failures;
    void (*freed)(void *arg, uint64_t when, const uint8_t *p, uint64_t n);
    void *freed_arg;
};

// One opening of the directory: a process.
struct mg_disk {
    struct sim_disk *sd;
    bool dead, look_only, locked;
};

struct mg_file {
    struct mg_disk *d;
    struct node *node;
    unsigned flags;
    char name[MG_DISK_NAME_MAX + 1];
};

// sim_disk_fate.c
struct node *node_ref(struct node *n);
void node_unref(struct node *n);
void image_write(struct image *im, uint64_t at, const void *p, size_t n);
void image_resize(struct image *im, uint64_t size);
struct entry *entry_find(struct mg_list *map, const char *name);
void entry_put(struct mg_list *map, const char *name, struct node *n);
void entry_remove(struct mg_list *map, const char *name);
void map_free(struct mg_list *map);
void change_add(struct sim_disk *sd, struct node *n, const char *name, const char *gone);
bool name_in(const char *dir, const char *name); // directly
// Registers a write (or truncation) that programs see from now on.
struct pending *pend(struct node *n, bool truncate, uint64_t at, const void *p, size_t len);
void settle(struct node *n, uint64_t at, uint64_t end); // what overlaps [at, end) becomes durable
void settle_dir(struct sim_disk *sd, const char *dir);
void settle_all(struct sim_disk *sd); // all directories
void drop_pending(struct node *n); // a sync failed
void crash(struct sim_disk *sd, enum sim_crash how);

#endif
