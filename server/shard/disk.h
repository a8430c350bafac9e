// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The seam, part 4: files. disk_posix.c implements it over the system's calls, test/sim/sim_disk.c over a disk in
// memory that loses power. The choice is made when linking.
//
// A `disk` is one directory that this process has locked. Names are paths below it ("journal/ring-00003"); "" is the
// directory itself.
//
// Who may call what: every call but those marked otherwise may block for long, so none is made on the thread of a
// shard; the store's own threads make them. Any number of threads may use the same disk and the same file at the same
// time; open and close of one file, and everything else about it, must be ordered by its users.
//
// What is durable: the bytes of a file after mg_file_sync, or after a write to a file opened with MG_FILE_DSYNC; its
// size likewise; its name (creation, rename, removal) after mg_disk_sync_dir of the directory that holds the name.
// After an error of a write or sync nobody knows what is on the device and a later sync that succeeds proves nothing.
//
// Errors: MG_ENOTFOUND, MG_EEXISTS, MG_ENOSPC (device or quota full), MG_EBUSY (locked by another), MG_EDENIED,
// MG_EUNSUPPORTED (flags that this file system cannot do), MG_EINVAL, MG_EIO (everything else). `why` gets one line for
// people; it may be NULL and is touched only when an error is returned.
#ifndef MG_SHARD_DISK_H
#define MG_SHARD_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mg_disk;
struct mg_file;

#define MG_DISK_ALIGN 4096u   // of memory, offset and length of direct transfers
#define MG_DISK_NAME_MAX 200u // bytes of a name

struct mg_disk_why {
    char text[256];
};

enum mg_disk_flags {
    MG_DISK_CREATE = 1,    // create the directory, and those above it, where they are not there
    MG_DISK_LOOK_ONLY = 2, // take no lock, refuse whatever changes something: for checks
};

// Opens and locks a directory. `who` is written into its lock file, beside process and host, for the eyes of a second
// one that wants it: MG_EBUSY and `why` then name the holder. The lock ends with mg_disk_close or with the process.
int mg_disk_open(struct mg_disk **out, const char *path, const char *who, unsigned flags, struct mg_disk_why *why);
void mg_disk_close(struct mg_disk *d); // all its files are closed; NULL is fine
const char *mg_disk_path(const struct mg_disk *d); // never blocks

int mg_disk_mkdir(struct mg_disk *d, const char *name, struct mg_disk_why *why);
int mg_disk_sync_dir(struct mg_disk *d, const char *name, struct mg_disk_why *why);
// Replaces `to` at once if it is there. Both in the same directory.
int mg_disk_rename(struct mg_disk *d, const char *from, const char *to, struct mg_disk_why *why);
int mg_disk_unlink(struct mg_disk *d, const char *name, struct mg_disk_why *why); // a file, or an empty directory

// Calls fn for each entry of a directory, in no order; fn must not change it. `size` of a directory is 0.
int mg_disk_list(struct mg_disk *d, const char *name, void (*fn)(void *arg, const char *entry, uint64_t size, bool dir),
                 void *arg, struct mg_disk_why *why);

struct mg_disk_space {
    uint64_t free, total; // bytes; `free` is what this process may still use
};
int mg_disk_space(struct mg_disk *d, struct mg_disk_space *out, struct mg_disk_why *why);

enum mg_disk_cache { MG_CACHE_UNKNOWN, MG_CACHE_WRITE_BACK, MG_CACHE_WRITE_THROUGH };
struct mg_disk_about {
    char fs[32];              // "ext4"; "unknown"
    char device[32];          // "nvme0n1"; "" where there is none to be found
    enum mg_disk_cache cache; // the device's volatile write cache
    int fua;                  // writes can pass it by themselves: 1, 0; -1: unknown
    bool volatile_fs;         // in memory: nothing survives the machine
};
void mg_disk_describe(struct mg_disk *d, struct mg_disk_about *out);

// ---- files --------------------------------------------------------------------------------------------------------

enum mg_file_flags {
    MG_FILE_READ = 0,    // read only
    MG_FILE_WRITE = 1,   // and write
    MG_FILE_CREATE = 2,  // with WRITE: create if it is not there
    MG_FILE_EXCL = 4,    // with CREATE: MG_EEXISTS if it is there
    MG_FILE_EMPTY = 8,   // with WRITE: cut to nothing
    MG_FILE_DIRECT = 16, // past the page cache; transfers are aligned (MG_EINVAL otherwise)
    MG_FILE_DSYNC = 32,  // a write returns when its bytes and the size are durable
    MG_FILE_EXACT = 64,  // nothing is read ahead but what mg_file_expect says
};

struct mg_span {
    const void *p;
    size_t n;
};

int mg_file_open(struct mg_disk *d, struct mg_file **out, const char *name, unsigned flags, struct mg_disk_why *why);
void mg_file_close(struct mg_file *f); // NULL is fine
int mg_file_size(struct mg_file *f, uint64_t *out, struct mg_disk_why *why);
// Reads n bytes; *got is less only where the file ends. On an error the contents of p are undefined.
int mg_file_read(struct mg_file *f, void *p, size_t n, uint64_t at, size_t *got, struct mg_disk_why *why);
// All or an error; after an error any part of it may have been written.
int mg_file_write(struct mg_file *f, const void *p, size_t n, uint64_t at, struct mg_disk_why *why);
int mg_file_writev(struct mg_file *f, const struct mg_span *spans, size_t count, uint64_t at, struct mg_disk_why *why);
int mg_file_truncate(struct mg_file *f, uint64_t size, struct mg_disk_why *why);
int mg_file_sync(struct mg_file *f, struct mg_disk_why *why); // bytes and size
// A hint: these bytes will be read soon. Does not wait for them.
void mg_file_expect(struct mg_file *f, uint64_t at, uint64_t n);
// A hint: these bytes will not be read again soon. Keeps long reads from driving other files out of the page cache.
void mg_file_forget(struct mg_file *f, uint64_t at, uint64_t n);

// Memory for direct transfers, aligned to MG_DISK_ALIGN, not zeroed. mg_disk_free: NULL is fine. Neither blocks.
void *mg_disk_alloc(size_t size);
void mg_disk_free(void *p);

#endif
