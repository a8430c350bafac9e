// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Faults in front of the real disk: the linker puts these in the place of the functions of disk.h (--wrap).
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/shard/disk.h"
#include "test/unit/jetstream/store/store_driver.h"

#define FILES 512

enum kind { OTHER, JOURNAL, TABLES, EXTENTS };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool fail_journal, fail_tables, fail_extents, block_tables;
    uint64_t capacity, used;
    struct known {
        struct mg_file *file;
        enum kind kind;
    } files[FILES];
} faults = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

static void set(bool *what, bool on) {
    pthread_mutex_lock(&faults.lock);
    *what = on;
    pthread_cond_broadcast(&faults.moved);
    pthread_mutex_unlock(&faults.lock);
}

void faults_fail_journal(bool on) { set(&faults.fail_journal, on); }
void faults_fail_tables(bool on) { set(&faults.fail_tables, on); }
void faults_fail_extents(bool on) { set(&faults.fail_extents, on); }
void faults_block_tables(bool on) { set(&faults.block_tables, on); }

void faults_capacity(uint64_t bytes) {
    pthread_mutex_lock(&faults.lock);
    faults.capacity = bytes;
    pthread_mutex_unlock(&faults.lock);
}

uint64_t faults_used(void) {
    pthread_mutex_lock(&faults.lock);
    uint64_t n = faults.used;
    pthread_mutex_unlock(&faults.lock);
    return n;
}

static enum kind kind_of(struct mg_file *f) {
    enum kind kind = OTHER;
    pthread_mutex_lock(&faults.lock);
    for (int i = 0; i < FILES; i++) {
        if (faults.files[i].file == f) kind = faults.files[i].kind;
    }
    pthread_mutex_unlock(&faults.lock);
    return kind;
}

static void remember(struct mg_file *f, const char *name) {
    enum kind kind = strncmp(name, "journal/", 8) == 0                                         ? JOURNAL
                     : strncmp(name, "extents/", 8) == 0                                       ? EXTENTS
                     : strncmp(name, "segments/", 9) == 0 || strncmp(name, "tables/", 7) == 0 ? TABLES
                                                                                               : OTHER;
    pthread_mutex_lock(&faults.lock);
    int i = 0;
    while (i < FILES && faults.files[i].file) i++;
    mg_assert(i < FILES);
    faults.files[i] = (struct known){f, kind};
    pthread_mutex_unlock(&faults.lock);
}

int __real_mg_file_open(struct mg_disk *d, struct mg_file **out, const char *name, unsigned flags,
                        struct mg_disk_why *why);
int __wrap_mg_file_open(struct mg_disk *d, struct mg_file **out, const char *name, unsigned flags,
                        struct mg_disk_why *why);
void __real_mg_file_close(struct mg_file *f);
void __wrap_mg_file_close(struct mg_file *f);
int __real_mg_file_write(struct mg_file *f, const void *p, size_t n, uint64_t at, struct mg_disk_why *why);
int __wrap_mg_file_write(struct mg_file *f, const void *p, size_t n, uint64_t at, struct mg_disk_why *why);
int __real_mg_file_sync(struct mg_file *f, struct mg_disk_why *why);
int __wrap_mg_file_sync(struct mg_file *f, struct mg_disk_why *why);
int __real_mg_disk_unlink(struct mg_disk *d, const char *name, struct mg_disk_why *why);
int __wrap_mg_disk_unlink(struct mg_disk *d, const char *name, struct mg_disk_why *why);
int __wrap_mg_disk_space(struct mg_disk *d, struct mg_disk_space *out, struct mg_disk_why *why);

static uint64_t size_of(struct mg_disk *d, const char *name) {
    struct mg_file *f;
    uint64_t size = 0;
    if (__real_mg_file_open(d, &f, name, MG_FILE_READ, NULL) != 0) return 0;
    if (mg_file_size(f, &size, NULL) != 0) size = 0;
    __real_mg_file_close(f);
    return size;
}

static void give_back(uint64_t bytes) {
    pthread_mutex_lock(&faults.lock);
    faults.used -= bytes < faults.used ? bytes : faults.used;
    pthread_mutex_unlock(&faults.lock);
}

int __wrap_mg_file_open(struct mg_disk *d, struct mg_file **out, const char *name, unsigned flags,
                        struct mg_disk_why *why) {
    if (flags & MG_FILE_EMPTY) give_back(size_of(d, name));
    int err = __real_mg_file_open(d, out, name, flags, why);
    if (err == 0) remember(*out, name);
    return err;
}

void __wrap_mg_file_close(struct mg_file *f) {
    pthread_mutex_lock(&faults.lock);
    for (int i = 0; f && i < FILES; i++) {
        if (faults.files[i].file == f) faults.files[i].file = NULL;
    }
    pthread_mutex_unlock(&faults.lock);
    __real_mg_file_close(f);
}

static int error(struct mg_disk_why *why, int err) {
    if (why) strcpy(why->text, "planted");
    return err;
}

static bool fails(struct mg_file *f) {
    enum kind kind = kind_of(f);
    pthread_mutex_lock(&faults.lock);
    while (kind == TABLES && faults.block_tables) pthread_cond_wait(&faults.moved, &faults.lock);
    bool yes = (kind == JOURNAL && faults.fail_journal) || (kind == TABLES && faults.fail_tables) ||
               (kind == EXTENTS && faults.fail_extents);
    pthread_mutex_unlock(&faults.lock);
    return yes;
}

static int charge(struct mg_file *f, size_t n, uint64_t at) {
    uint64_t size = 0;
    if (mg_file_size(f, &size, NULL) != 0 || at + n <= size) return 0;
    uint64_t more = at + n - size;
    pthread_mutex_lock(&faults.lock);
    bool full = faults.capacity && faults.used + more > faults.capacity;
    if (!full) faults.used += more;
    pthread_mutex_unlock(&faults.lock);
    return full ? MG_ENOSPC : 0;
}

int __wrap_mg_file_write(struct mg_file *f, const void *p, size_t n, uint64_t at, struct mg_disk_why *why) {
    if (fails(f)) return error(why, MG_EIO);
    int err = charge(f, n, at);
    return err ? error(why, err) : __real_mg_file_write(f, p, n, at, why);
}

int __wrap_mg_file_sync(struct mg_file *f, struct mg_disk_why *why) {
    return fails(f) ? error(why, MG_EIO) : __real_mg_file_sync(f, why);
}

int __wrap_mg_disk_unlink(struct mg_disk *d, const char *name, struct mg_disk_why *why) {
    uint64_t size = size_of(d, name);
    int err = __real_mg_disk_unlink(d, name, why);
    if (err == 0) give_back(size);
    return err;
}

int __wrap_mg_disk_space(struct mg_disk *d, struct mg_disk_space *out, struct mg_disk_why *why) {
    (void)d, (void)why;
    pthread_mutex_lock(&faults.lock);
    out->total = faults.capacity ? faults.capacity : UINT64_C(1) << 40;
    out->free = out->total > faults.used ? out->total - faults.used : 0;
    pthread_mutex_unlock(&faults.lock);
    return 0;
}
