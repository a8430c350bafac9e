// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Large payloads, on real files and threads: they are taken with a small ring, survive, are found damaged, erased, and
// refused when the disk is full.
#include "jetstream/store/extent.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jetstream/store/check.h"
#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/mbuf.h"
#include "test/unit/jetstream/store/store_driver.h"

#define MB (1024u * 1024)

static uint64_t used_before; // by other tests

static int setup(void **state) {
    static struct driver d;
    used_before = faults_used();
    faults_fail_journal(false);
    faults_fail_tables(false);
    faults_block_tables(false);
    faults_fail_extents(false);
    faults_capacity(0);
    driver_init(&d, 2);
    assert_int_equal(driver_open(&d), 0);
    *state = &d;
    return 0;
}

static int teardown(void **state) {
    faults_fail_tables(false);
    faults_block_tables(false);
    faults_fail_extents(false);
    faults_capacity(0);
    driver_fini(*state);
    return 0;
}

// ---- messages -------------------------------------------------------------------------------------------------------

static void fill(char *p, size_t n, uint64_t seed) {
    for (size_t i = 0; i + 8 <= n; i += 8) {
        uint64_t v = (seed << 40) + i * UINT64_C(0x9e3779b97f4a7c15);
        memcpy(p + i, &v, 8);
    }
    for (size_t i = n & ~(size_t)7; i < n; i++) p[i] = (char)i;
}

// Its bytes follow from the sizes and the seed.
static struct mg_append message(struct mg_mbuf *m, size_t headers, size_t payload, uint64_t seed) {
    fill(m->data, headers + payload, seed);
    return (struct mg_append){.subject = mg_cstr("large"),
                              .headers = {m->data, headers},
                              .payload = {m->data + headers, payload},
                              .expect_last = MG_ANY_SEQ,
                              .expect_subject_last = MG_ANY_SEQ};
}

static int publish(struct driver *d, struct mg_stream *s, size_t headers, size_t payload, uint64_t seed) {
    struct mg_mbuf *m = mg_mbuf_new(headers + payload + 1);
    struct mg_append a = message(m, headers, payload, seed);
    int err = mg_stream_append(s, &a, d);
    if (err == 0) d->open++;
    memset(m->data, 0, m->cap); // the store has its own copy
    mg_mbuf_unref(m);
    return err;
}

struct wanted {
    size_t headers, payload;
    uint64_t seed;
    bool done, same;
};

static void compare(struct mg_read *r) {
    struct wanted *w = r->user;
    w->done = true;
    if (r->err) return;
    char *p = mg_alloc(w->headers + w->payload + 1);
    fill(p, w->headers + w->payload, w->seed);
    w->same = mg_slice_eq(r->msg.headers, mg_slice_of(p, w->headers)) &&
              mg_slice_eq(r->msg.payload, mg_slice_of(p + w->headers, w->payload));
    mg_free(p);
}

static struct wanted *asked_for;
static bool has_come(struct driver *d) {
    (void)d;
    return asked_for->done;
}

static int read_back(struct driver *d, struct mg_stream *s, uint64_t seq, size_t headers, size_t payload,
                     uint64_t seed) {
    struct wanted w = {.headers = headers, .payload = payload, .seed = seed};
    struct mg_read r = {.kind = MG_READ_SEQ, .seq = seq, .done = compare, .user = &w};
    asked_for = &w;
    if (mg_stream_read(s, &r) == MG_EAGAIN) driver_run(d, has_come);
    else compare(&r);
    mg_stream_read_end(&r);
    if (r.err == 0) assert_true(w.same);
    return r.err;
}

static struct mg_stream_state state_of(struct driver *d, struct mg_stream *s) {
    struct mg_stream_state st;
    while (mg_stream_state(s, &st) == MG_EAGAIN) {
        d->open++;
        mg_stream_barrier(s, d);
        driver_run(d, driver_quiet);
    }
    return st;
}

static uint64_t checkpoints_before;
static bool one_more_checkpoint(struct driver *d) { return mg_store_status(d->store).checkpoints > checkpoints_before; }
static void checkpoint(struct driver *d) {
    checkpoints_before = mg_store_status(d->store).checkpoints;
    mg_store_press(d->store);
    driver_run(d, one_more_checkpoint);
}

static void reopen(struct driver *d) {
    driver_close(d);
    assert_int_equal(driver_open(d), 0);
}

// Sum of the sizes of the files of extents, and how many there are.
static uint64_t extent_files(const struct driver *d, unsigned *count) {
    char path[512];
    uint64_t n = 0;
    snprintf(path, sizeof(path), "%s/extents", d->dir);
    DIR *dir = opendir(path);
    *count = 0;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        struct stat st;
        snprintf(path, sizeof(path), "%s/extents/%s", d->dir, e->d_name);
        if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) continue;
        n += (uint64_t)st.st_size;
        ++*count;
    }
    if (dir) closedir(dir);
    return n;
}

// ---- tests ----------------------------------------------------------------------------------------------------------

// The ring has 16 MB here, and takes batches of a quarter of it.
static void any_size(void **state) {
    struct driver *d = *state;
    static const size_t sizes[] = {MG_EXTENT_MIN - 1, MG_EXTENT_MIN, MB, 4 * MB + 1, 15 * MB, 64 * MB, 300001};
    const unsigned n = sizeof(sizes) / sizeof(sizes[0]);
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    for (unsigned i = 0; i < n; i++) assert_int_equal(publish(d, s, 0, sizes[i], i), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(d->failed, 0);
    // The journal has not seen them.
    struct mg_store_counters c = mg_store_counters(d->store);
    assert_int_equal(c.extents, n - 1);
    assert_true(c.extent_bytes >= 84 * MB);
    assert_true(c.record_bytes < MB);
    for (unsigned i = 0; i < n; i++) assert_int_equal(read_back(d, s, 1 + i, 0, sizes[i], i), 0);
    reopen(d);
    s = driver_find(d, "S");
    for (unsigned i = 0; i < n; i++) assert_int_equal(read_back(d, s, 1 + i, 0, sizes[i], i), 0);
    checkpoint(d);
    for (unsigned i = 0; i < n; i++) assert_int_equal(read_back(d, s, 1 + i, 0, sizes[i], i), 0);
    reopen(d);
    s = driver_find(d, "S");
    for (unsigned i = 0; i < n; i++) assert_int_equal(read_back(d, s, 1 + i, 0, sizes[i], i), 0);
    driver_close(d);
    struct mg_store *look;
    d->o.progress = NULL;
    assert_int_equal(mg_store_open(&look, &d->o, d->error, sizeof(d->error)), 0);
    mg_store_close(look);
}

static void too_large(void **state) {
    struct driver *d = *state;
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    char byte = 0;
    struct mg_append a = {.subject = mg_cstr("s"), .payload = {&byte, (size_t)MG_EXTENT_MAX + 1}};
    assert_int_equal(mg_stream_append(s, &a, d), MG_ERANGE);
    a.payload.n = MG_EXTENT_MAX;
    a.headers = mg_slice_of(&byte, 1);
    assert_int_equal(mg_stream_append(s, &a, d), MG_ERANGE);
    driver_run(d, driver_quiet);
}

static void headers_too(void **state) {
    struct driver *d = *state;
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    assert_int_equal(publish(d, s, 5 * MB + 3, 0, 1), 0);
    assert_int_equal(publish(d, s, 77, MB, 2), 0);
    assert_int_equal(publish(d, s, 5, 5, 3), 0);
    driver_run(d, driver_quiet);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(read_back(d, s, 1, 5 * MB + 3, 0, 1), 0);
        assert_int_equal(read_back(d, s, 2, 77, MB, 2), 0);
        assert_int_equal(read_back(d, s, 3, 5, 5, 3), 0);
        reopen(d);
        s = driver_find(d, "S");
    }
}

// A buffer that holds the message is not needed any longer than until it is written.
static void by_reference(void **state) {
    struct driver *d = *state;
    struct mg_stream_limits full = {.max_msgs = 2, .discard = MG_DISCARD_NEW};
    struct mg_stream *s = driver_stream(d, 0, "S", &full);
    struct mg_mbuf *m[3], *small = mg_mbuf_new(100);
    for (unsigned i = 0; i < 3; i++) { // the third is refused
        m[i] = mg_mbuf_new(MB + 4096);
        struct mg_append a = message(m[i], i * 7, MB + 4096 - i * 7 - i % 2, i);
        a.mbuf = m[i];
        d->open++;
        assert_int_equal(mg_stream_append(s, &a, d), 0);
    }
    driver_run(d, driver_quiet);
    assert_int_equal(d->last_err, MG_EMAXMSGS);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(atomic_load(&m[i]->refs), 1);
        memset(m[i]->data, 0, m[i]->cap);
        mg_mbuf_unref(m[i]);
    }
    struct mg_append a = message(small, 1, 99, 4);
    a.mbuf = small;
    d->open++;
    assert_int_equal(mg_stream_append(driver_stream(d, 0, "T", NULL), &a, d), 0);
    assert_int_equal(atomic_load(&small->refs), 1);
    mg_mbuf_unref(small);
    driver_run(d, driver_quiet);
    for (int again = 0; again < 2; again++) {
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(read_back(d, s, 1 + i, i * 7, MB + 4096 - i * 7 - i % 2, i), 0);
        reopen(d);
        s = driver_find(d, "S");
    }
    checkpoint(d);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(read_back(d, s, 1 + i, i * 7, MB + 4096 - i * 7 - i % 2, i), 0);
}

// Large messages of a memory stream are copied and freed by the thread, too, and nothing is written.
static void in_memory(void **state) {
    struct driver *d = *state;
    const struct mg_stream_limits limits = {.max_msgs = 20};
    struct mg_stream *file = driver_stream(d, 0, "F", NULL), *s;
    assert_int_equal(mg_stream_create(mg_store_part(d->store, 0), MG_S("M"), MG_S(""), MG_STORAGE_MEMORY, &limits, 0,
                                      &s, d), 0);
    d->open++;
    mg_stream_set_ops(s, file->ops, d);
    driver_run(d, driver_quiet);
    for (unsigned i = 1; i <= 40; i++) assert_int_equal(publish(d, s, i % 2 * 100, i % 3 ? MB : 10, i), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(d->failed, 0);
    assert_int_equal(d->last_seq, 40);
    assert_int_equal(read_back(d, s, 20, 0, MB, 20), MG_ENOTFOUND);
    for (unsigned i = 21; i <= 40; i++) assert_int_equal(read_back(d, s, i, i % 2 * 100, i % 3 ? MB : 10, i), 0);
    assert_int_equal(mg_store_counters(d->store).extents, 0);
    d->open += 2;
    assert_int_equal(mg_stream_remove(s, 22, false, d), 0);
    assert_int_equal(mg_stream_purge(s, (mg_slice){NULL, 0}, 0, 0, d), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(mg_stream_messages(s), 0);
    for (unsigned i = 0; i < 5; i++) assert_int_equal(publish(d, s, 0, MB, i), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(read_back(d, s, 45, 0, MB, 4), 0);
    assert_int_equal(publish(d, s, 0, MB, 1), 0); // waits when it is deleted
    assert_int_equal(mg_stream_delete(s, d), 0);
    d->open++;
    driver_run(d, driver_quiet);
}

// Files are used again: many times their room goes through them, over streams of two parts.
static void files_are_reused(void **state) {
    struct driver *d = *state;
    struct mg_stream_limits last = {.max_msgs = 2};
    struct mg_stream *s[2] = {driver_stream(d, 0, "S", &last), driver_stream(d, 1, "T", NULL)};
    unsigned count;
    for (unsigned i = 0; i < 60; i++) {
        assert_int_equal(publish(d, s[i % 2], 0, MB, i), 0);
        if (i % 6 == 5) driver_run(d, driver_quiet);
    }
    driver_run(d, driver_quiet);
    assert_int_equal(d->failed, 0);
    assert_true(mg_store_status(d->store).checkpoints > 2);
    assert_true(extent_files(d, &count) <= 32 * MB);
    assert_true(count >= 2 && count <= 4);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(read_back(d, s[0], 28, 0, MB, 54), MG_ENOTFOUND);
        assert_int_equal(read_back(d, s[0], 30, 0, MB, 58), 0);
        for (unsigned i = 0; i < 30; i++) assert_int_equal(read_back(d, s[1], 1 + i, 0, MB, 2 * i + 1), 0);
        reopen(d);
        s[0] = driver_find(d, "S");
        s[1] = driver_find(d, "T");
    }
}

static void order_holds(void **state) {
    struct driver *d = *state;
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    for (unsigned i = 0; i < 40; i++) assert_int_equal(publish(d, s, 0, i % 3 ? 100 : 2 * MB, i), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(d->failed, 0);
    assert_int_equal(d->last_seq, 40);
    for (unsigned i = 0; i < 40; i++) assert_int_equal(read_back(d, s, 1 + i, 0, i % 3 ? 100 : 2 * MB, i), 0);
}

static uint64_t written(struct driver *d) { return mg_store_counters(d->store).extents; }

// What limits or conditions refuse is not written at all.
static void refused_unwritten(void **state) {
    struct driver *d = *state;
    struct mg_stream_limits full = {.max_msgs = 1, .discard = MG_DISCARD_NEW, .dedupe_window = 1000000000};
    struct mg_stream *s = driver_stream(d, 0, "S", &full);
    assert_int_equal(publish(d, s, 0, 2 * MB, 1), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(written(d), 1);
    assert_int_equal(publish(d, s, 0, 2 * MB, 2), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(d->last_err, MG_EMAXMSGS);
    char *p = mg_zalloc(MB);
    struct mg_append a = {.subject = MG_S("large"), .payload = {p, MB}, .expect_last = 7,
                          .expect_subject_last = MG_ANY_SEQ};
    d->open++;
    assert_int_equal(mg_stream_append(s, &a, d), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(d->last_err, MG_EWRONGSEQ);
    mg_free(p);
    assert_int_equal(written(d), 1);
}

// What stands in front decides: then it is written first, and its room in the file is the next one's.
static void refused_gives_back(void **state) {
    struct driver *d = *state;
    struct mg_stream_limits full = {.max_msgs = 1, .discard = MG_DISCARD_NEW};
    struct mg_stream *s = driver_stream(d, 0, "S", &full), *t = driver_stream(d, 0, "T", NULL);
    unsigned count;
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 3; i++) assert_int_equal(publish(d, s, 0, MB, i), 0);
        driver_run(d, driver_quiet);
        assert_int_equal(d->last_err, MG_EMAXMSGS);
        if (round == 0) assert_int_equal(publish(d, t, 0, MB, 9), 0);
        driver_run(d, driver_quiet);
    }
    assert_true(written(d) <= 4);
    assert_true(extent_files(d, &count) <= 4 * MB);
    assert_int_equal(read_back(d, t, 1, 0, MB, 9), 0);
}

static void deleted_while_it_is_written(void **state) {
    struct driver *d = *state;
    struct mg_stream *s = driver_stream(d, 0, "S", NULL), *t = driver_stream(d, 0, "T", NULL);
    for (unsigned i = 0; i < 8; i++) assert_int_equal(publish(d, s, 0, 3 * MB, i), 0);
    d->open++;
    assert_int_equal(mg_stream_delete(s, d), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(d->failed, 8); // MG_ECLOSED
    // Nothing of them is left that takes room: as much as there is goes in.
    for (unsigned i = 0; i < 4; i++) assert_int_equal(publish(d, t, 0, 15 * MB, i), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(d->failed, 8);
    reopen(d);
    assert_null(driver_find(d, "S"));
    assert_int_equal(read_back(d, driver_find(d, "T"), 4, 0, 15 * MB, 3), 0);
}

static void hear(void *arg, enum mg_check_verdict meaning, const char *text) {
    (void)meaning;
    strncat(arg, text, 4000 - strlen(arg));
}

static void spoil(const struct driver *d, off_t at) {
    char path[128], byte;
    snprintf(path, sizeof(path), "%s/extents/00000.ext", d->dir);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte = (char)(byte ^ 4);
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void damage_is_told(void **state) {
    struct driver *d = *state;
    char told[4096] = "";
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    struct mg_stream_state st;
    for (unsigned i = 0; i < 3; i++) assert_int_equal(publish(d, s, 0, MB, i), 0);
    assert_int_equal(publish(d, s, 0, 10, 3), 0);
    driver_run(d, driver_quiet);
    driver_close(d);
    assert_int_equal(mg_store_check(d->dir, hear, told), MG_CHECK_HEALTHY);
    spoil(d, MB + 1000);
    assert_int_equal(mg_store_check(d->dir, hear, told), MG_CHECK_LOST);
    assert_non_null(strstr(told, "the extent of message 2 cannot be read"));
    assert_int_equal(driver_open(d), 0);
    assert_true(driver_said(d, "the extent of message 2 cannot be read"));
    s = driver_find(d, "S");
    for (int again = 0; again < 2; again++) {
        st = state_of(d, s);
        assert_int_equal(st.lost, 1);
        assert_int_equal(st.msgs, 3);
        assert_int_equal(st.last, 4);
        assert_int_equal(read_back(d, s, 1, 0, MB, 0), 0);
        assert_int_not_equal(read_back(d, s, 2, 0, MB, 1), 0);
        assert_int_equal(read_back(d, s, 3, 0, MB, 2), 0);
        assert_int_equal(read_back(d, s, 4, 0, 10, 3), 0);
        checkpoint(d);
        reopen(d);
        s = driver_find(d, "S");
    }
}

static void missing_file(void **state) {
    struct driver *d = *state;
    char path[128];
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    struct mg_stream_state st;
    for (unsigned i = 0; i < 2; i++) assert_int_equal(publish(d, s, 0, MB, i), 0);
    driver_run(d, driver_quiet);
    driver_close(d);
    snprintf(path, sizeof(path), "%s/extents/00000.ext", d->dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(driver_open(d), 0);
    s = driver_find(d, "S");
    st = state_of(d, s);
    assert_int_equal(st.lost, 2);
    assert_int_equal(publish(d, s, 0, MB, 9), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(read_back(d, s, 3, 0, MB, 9), 0);
}

// ---- erasing --------------------------------------------------------------------------------------------------------

static bool holds(const struct driver *d, const char *folder, const void *what, size_t n) {
    char path[512];
    bool found = false;
    snprintf(path, sizeof(path), "%s/%s", d->dir, folder);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir)) && !found;) {
        struct stat st;
        snprintf(path, sizeof(path), "%s/%s/%s", d->dir, folder, e->d_name);
        int fd = open(path, O_RDONLY);
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
            char *p = mg_alloc((size_t)st.st_size);
            ssize_t got = pread(fd, p, (size_t)st.st_size, 0);
            found = got > 0 && memmem(p, (size_t)got, what, n) != NULL;
            mg_free(p);
        }
        if (fd >= 0) close(fd);
    }
    if (dir) closedir(dir);
    return found;
}

static bool resting(struct driver *d) { return mg_store_status(d->store).resting; }

static void erased(void **state) {
    struct driver *d = *state;
    char secret[64];
    fill(secret, sizeof(secret), 1);
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    assert_int_equal(publish(d, s, 0, MB, 1), 0);
    assert_int_equal(publish(d, s, 0, MB, 2), 0);
    driver_run(d, driver_quiet);
    assert_true(holds(d, "extents", secret, sizeof(secret)));
    d->open++;
    assert_int_equal(mg_stream_remove(s, 1, true, d), 0);
    driver_run(d, driver_quiet);
    checkpoint(d);
    driver_run(d, resting);
    assert_false(holds(d, "extents", secret, sizeof(secret)));
    assert_false(holds(d, "segments", secret, sizeof(secret)));
    assert_false(holds(d, "journal", secret, sizeof(secret)));
    assert_int_equal(read_back(d, s, 2, 0, MB, 2), 0);
}

// ---- faults ---------------------------------------------------------------------------------------------------------

// The ring's two files and the ballast.
static bool all_made(struct driver *d) {
    (void)d;
    return faults_used() >= used_before + 17 * MB;
}

static void no_space(void **state) {
    struct driver *d = *state;
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    assert_int_equal(publish(d, s, 0, 10, 1), 0);
    driver_run(d, driver_quiet);
    driver_run(d, all_made);
    driver_run(d, resting);
    faults_capacity(faults_used() + 3 * MB); // one of 2 MB would need as much again for the checkpoint
    assert_int_equal(publish(d, s, 0, 2 * MB, 2), 0);
    assert_int_equal(publish(d, s, 0, 10, 3), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(d->failed, 1);
    assert_true(driver_said(d, "is refused: too little of the disk is free"));
    assert_int_equal(read_back(d, s, 2, 0, 10, 3), 0); // what is small is still taken
    faults_capacity(0);
    assert_int_equal(publish(d, s, 0, 2 * MB, 4), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(d->failed, 1);
    assert_int_equal(read_back(d, s, 3, 0, 2 * MB, 4), 0);
}

// Checkpoints that fail make no room: who needs some is refused, and taken later.
static void no_checkpoint(void **state) {
    struct driver *d = *state;
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    faults_fail_tables(true);
    for (unsigned i = 0; i < 20; i++) assert_int_equal(publish(d, s, 0, MB, i), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(d->failed, 4); // there is room for 16 MB
    assert_int_equal(d->last_err, MG_EFULL);
    uint64_t failed = d->failed;
    faults_fail_tables(false);
    checkpoint(d);
    assert_int_equal(publish(d, s, 0, MB, 77), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(d->failed, failed);
    assert_int_equal(read_back(d, s, d->last_seq, 0, MB, 77), 0);
}

static void failed_write(void **state) {
    struct driver *d = *state;
    struct mg_stream *s = driver_stream(d, 0, "S", NULL);
    assert_int_equal(publish(d, s, 0, MB, 1), 0);
    driver_run(d, driver_quiet);
    faults_fail_extents(true);
    assert_int_equal(publish(d, s, 0, MB, 2), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(d->last_err, MG_EIO);
    assert_true(mg_store_status(d->store).poisoned);
    assert_int_equal(publish(d, s, 0, 10, 3), MG_EIO);
    assert_int_equal(read_back(d, s, 1, 0, MB, 1), 0);
    faults_fail_extents(false);
    reopen(d);
    s = driver_find(d, "S");
    assert_int_equal(read_back(d, s, 1, 0, MB, 1), 0);
    assert_int_equal(read_back(d, s, 2, 0, MB, 2), MG_ENOTFOUND);
    assert_int_equal(publish(d, s, 0, MB, 4), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(read_back(d, s, 2, 0, MB, 4), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_size, setup, teardown),
        cmocka_unit_test_setup_teardown(too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(headers_too, setup, teardown),
        cmocka_unit_test_setup_teardown(in_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(by_reference, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_reused, setup, teardown),
        cmocka_unit_test_setup_teardown(order_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(refused_unwritten, setup, teardown),
        cmocka_unit_test_setup_teardown(refused_gives_back, setup, teardown),
        cmocka_unit_test_setup_teardown(deleted_while_it_is_written, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_file, setup, teardown),
        cmocka_unit_test_setup_teardown(erased, setup, teardown),
        cmocka_unit_test_setup_teardown(no_space, setup, teardown),
        cmocka_unit_test_setup_teardown(no_checkpoint, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_write, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
