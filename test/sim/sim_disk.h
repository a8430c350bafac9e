// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A disk in memory under disk.h: what is not synced is lost, or half of it, when the power goes. mg_disk_open finds it
// by its path.
//
// Two kinds of crash. After SIM_KILL the process is gone but the system lives: all that was written is there, and is
// still not durable. After SIM_POWER_CUT each write, size and directory entry that was not synced is kept, dropped or
// torn, independent of others. Either way every handle is dead: calls answer MG_ECLOSED and do nothing, so that the
// threads of the dead process run to their end without touching what survived. The directory can be opened again at
// once; what the dead learn after the crash has not happened.
//
// Each call is a scheduling point and counts as one operation.
#ifndef MG_TEST_SIM_DISK_H
#define MG_TEST_SIM_DISK_H

#include "server/shard/disk.h"
#include "test/sim/sim.h"

struct sim_disk;

enum sim_crash { SIM_KILL, SIM_POWER_CUT };

#define SIM_SECTOR 512u

// Chances are of 65536 for each call, except where said.
struct sim_disk_faults {
    unsigned lose_write;   // a write is acknowledged and does not happen
    unsigned misdirect;    // a write goes to another page of the same file
    unsigned fail_write;   // MG_EIO; a part of it is written
    unsigned fail_sync;    // MG_EIO; what was to be synced stays visible and never becomes durable
    unsigned fail_once;    // after so many failures of the two kinds above there are no more; 0: no limit
    unsigned slow;         // a call takes up to slow_ns
    uint64_t slow_ns;
    unsigned garbage;      // of 256: a torn sector holds neither the old nor the new bytes
    bool no_direct;        // the file system cannot do direct writes
    uint64_t capacity;     // bytes of all files; 0: no limit
};

// What has been done to it.
struct sim_disk_counts {
    uint64_t operations, lost, misdirected, failed, no_space, torn;
};

struct sim_disk *sim_disk_new(struct sim *s, const char *path);
void sim_disk_free(struct sim_disk *d); // nobody has it open
struct sim_disk_faults *sim_disk_faults(struct sim_disk *d);
const struct sim_disk_counts *sim_disk_counts(const struct sim_disk *d);

// At the n-th operation from now (1: the next), in the middle of it. 0: never.
void sim_disk_crash_at(struct sim_disk *d, uint64_t n, enum sim_crash how);
// Behind the n-th file that is removed from now on. 0: never.
void sim_disk_crash_at_unlink(struct sim_disk *d, uint64_t n, enum sim_crash how);
void sim_disk_crash(struct sim_disk *d, enum sim_crash how); // now; nobody needs to have it open
bool sim_disk_crashed(const struct sim_disk *d);             // since it was last opened

// At rest. `at` is below the file's size; MG_ENOTFOUND if there is no such file.
int sim_disk_flip(struct sim_disk *d, const char *name, uint64_t at, unsigned bit);
int sim_disk_bad_sector(struct sim_disk *d, const char *name, uint64_t at); // reads fail until it is written
void sim_disk_good_sector(struct sim_disk *d, const char *name, uint64_t at);  // it can be read after all
void sim_disk_stuck(struct sim_disk *d, const char *name, bool on); // reads and writes fail as long; any file
int sim_disk_set(struct sim_disk *d, const char *name, const void *p, size_t n); // a file with these bytes, durable
void sim_disk_take(struct sim_disk *d, const char *name); // the file is gone, and that is durable
bool sim_disk_some_file(struct sim_disk *d, char name[MG_DISK_NAME_MAX + 1]); // one that is not empty; false: none
// The bytes that a reader would see; NULL: no such file. Valid until something changes it.
const uint8_t *sim_disk_peek(struct sim_disk *d, const char *name, uint64_t *size);
// All files, as they are on the device, and as a reader would see them where that differs.
void sim_disk_each(struct sim_disk *d, void (*fn)(void *arg, const char *name, const uint8_t *p, uint64_t n),
                   void *arg);
// From now on `fn` gets the bytes that a deleted or shortened file leaves in blocks that are free then, and when that
// was asked for (the directory is perhaps synced much later). NULL: nobody.
void sim_disk_watch(struct sim_disk *d, void (*fn)(void *arg, uint64_t when, const uint8_t *p, uint64_t n), void *arg);

#endif
