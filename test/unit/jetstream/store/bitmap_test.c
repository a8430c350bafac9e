// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Tables that cannot be read, and with them what says which messages are removed. Who goes from message to message must
// get to the end all the same.
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/shard/disk.h"
#include "test/unit/jetstream/store/store_driver.h"

#define FILES 256
#define MESSAGES 10u

static atomic_bool failing;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct mg_file *tables[FILES];

static int find(const struct mg_file *f) {
    int i = 0;
    while (i < FILES && tables[i] != f) i++;
    return i;
}

int __real_mg_file_open(struct mg_disk *d, struct mg_file **out, const char *name, unsigned flags,
                        struct mg_disk_why *why);
int __wrap_mg_file_open(struct mg_disk *d, struct mg_file **out, const char *name, unsigned flags,
                        struct mg_disk_why *why);
int __wrap_mg_file_open(struct mg_disk *d, struct mg_file **out, const char *name, unsigned flags,
                        struct mg_disk_why *why) {
    int err = __real_mg_file_open(d, out, name, flags, why);
    if (err || strncmp(name, "tables/", 7) != 0) return err;
    pthread_mutex_lock(&lock);
    int i = find(NULL);
    mg_assert(i < FILES);
    tables[i] = *out;
    pthread_mutex_unlock(&lock);
    return 0;
}

void __real_mg_file_close(struct mg_file *f);
void __wrap_mg_file_close(struct mg_file *f);
void __wrap_mg_file_close(struct mg_file *f) {
    pthread_mutex_lock(&lock);
    int i = f ? find(f) : FILES;
    if (i < FILES) tables[i] = NULL;
    pthread_mutex_unlock(&lock);
    __real_mg_file_close(f);
}

int __real_mg_file_read(struct mg_file *f, void *p, size_t n, uint64_t at, size_t *got, struct mg_disk_why *why);
int __wrap_mg_file_read(struct mg_file *f, void *p, size_t n, uint64_t at, size_t *got, struct mg_disk_why *why);
int __wrap_mg_file_read(struct mg_file *f, void *p, size_t n, uint64_t at, size_t *got, struct mg_disk_why *why) {
    pthread_mutex_lock(&lock);
    bool table = find(f) < FILES;
    pthread_mutex_unlock(&lock);
    return table && atomic_load(&failing) ? MG_EIO : __real_mg_file_read(f, p, n, at, got, why);
}

static uint64_t wanted;
static bool has_checkpoints(struct driver *d) {
    struct mg_store_status s = mg_store_status(d->store);
    return s.checkpoints >= wanted && s.resting;
}

static void checkpoint(struct driver *d) {
    driver_run(d, driver_quiet);
    wanted = mg_store_status(d->store).checkpoints + 1;
    mg_store_press(d->store);
    driver_run(d, has_checkpoints);
}

static bool over;
static void done(struct mg_read *r) {
    (void)r;
    over = true;
}
static bool is_over(struct driver *d) {
    (void)d;
    return over;
}

// Its number, also of one that cannot be read; MESSAGES + 1: the end.
static uint64_t next(struct driver *d, struct mg_stream *s, uint64_t from, bool sequential, int *err) {
    struct mg_read r = {.kind = MG_READ_NEXT, .seq = from, .sequential = sequential, .done = done};
    over = false;
    if (mg_stream_read(s, &r) == MG_EAGAIN) driver_run(d, is_over);
    *err = r.err;
    uint64_t seq = r.err == MG_ENOTFOUND ? MESSAGES + 1 : r.msg.seq;
    mg_stream_read_end(&r);
    return seq;
}

static void walks(struct driver *d, struct mg_stream *s, bool sequential, unsigned readable, unsigned unreadable) {
    unsigned good = 0, bad = 0;
    for (uint64_t at = 1; at <= MESSAGES;) {
        int err;
        uint64_t seq = next(d, s, at, sequential, &err);
        assert_true(seq >= at); // or nobody would come to an end
        at = seq + 1;
        good += err == 0;
        bad += err != 0 && err != MG_ENOTFOUND;
    }
    assert_int_equal(good, readable);
    assert_int_equal(bad, unreadable);
}

static void what_is_removed_is_not_known(void **state) {
    (void)state;
    struct driver d;
    driver_init(&d, 1);
    d.o.cache_bytes = 4096; // nothing of a table stays in memory
    assert_int_equal(driver_open(&d), 0);
    struct mg_stream *s = driver_stream(&d, 0, "S", NULL);
    for (unsigned i = 0; i < MESSAGES; i++) assert_int_equal(driver_publish(&d, s, "a", 100, 0), 0);
    checkpoint(&d);
    d.open++;
    assert_int_equal(mg_stream_remove(s, 4, false, &d), 0);
    checkpoint(&d);
    driver_close(&d);
    assert_int_equal(driver_open(&d), 0); // what was in memory is in tables only
    s = driver_find(&d, "S");
    walks(&d, s, false, MESSAGES - 1, 0);
    atomic_store(&failing, true);
    walks(&d, s, false, 0, MESSAGES);
    walks(&d, s, true, 0, MESSAGES);
    atomic_store(&failing, false);
    walks(&d, s, true, MESSAGES - 1, 0);
    driver_close(&d);
    driver_fini(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_removed_is_not_known)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
