// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// disk.h over the system's files.
#include "server/shard/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"

struct fixture {
    char dir[64];
    struct mg_disk *d;
    struct mg_disk_why why;
};

static int setup(void **state) {
    struct fixture *f = mg_zalloc(sizeof(*f));
    snprintf(f->dir, sizeof(f->dir), "./midge-disk-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(mg_disk_open(&f->d, f->dir, "one", 0, &f->why), 0);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    static const char *const names[] = {"sub/a", "sub", "a", "b", "lock"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) mg_disk_unlink(f->d, names[i], NULL);
    mg_disk_close(f->d);
    assert_int_equal(rmdir(f->dir), 0);
    mg_free(f);
    return 0;
}

static struct mg_file *open_file(struct fixture *f, const char *name, unsigned flags) {
    struct mg_file *file = NULL;
    int rc = mg_file_open(f->d, &file, name, flags, &f->why);
    if (rc != 0) fail_msg("%s", f->why.text);
    return file;
}

static void one_directory_has_one_holder(void **state) {
    struct fixture *f = *state;
    struct mg_disk *second;
    char pid[32];
    assert_int_equal(mg_disk_open(&second, f->dir, "two", 0, &f->why), MG_EBUSY);
    snprintf(pid, sizeof(pid), "one, process %ld on ", (long)getpid());
    assert_non_null(strstr(f->why.text, pid));
    assert_int_equal(mg_disk_open(&second, f->dir, "two", MG_DISK_LOOK_ONLY, &f->why), 0);
    struct mg_file *file;
    assert_int_equal(mg_file_open(second, &file, "a", MG_FILE_WRITE | MG_FILE_CREATE, &f->why), MG_EDENIED);
    assert_int_equal(mg_disk_mkdir(second, "sub", NULL), MG_EDENIED);
    assert_int_equal(mg_disk_unlink(second, "lock", NULL), MG_EDENIED);
    mg_disk_close(second);
    mg_disk_close(f->d);
    assert_int_equal(mg_disk_open(&f->d, f->dir, "three", 0, &f->why), 0);
    assert_string_equal(mg_disk_path(f->d), f->dir);
}

static void what_is_not_there_is_not_opened(void **state) {
    struct fixture *f = *state;
    struct mg_disk *d;
    struct mg_file *file;
    char path[128];
    assert_int_equal(mg_file_open(f->d, &file, "a", MG_FILE_WRITE, &f->why), MG_ENOTFOUND);
    assert_non_null(strstr(f->why.text, "cannot open ./midge-disk-"));
    assert_non_null(strstr(f->why.text, "/a: No such file"));
    snprintf(path, sizeof(path), "%s/no/such", f->dir);
    assert_int_equal(mg_disk_open(&d, path, "x", 0, &f->why), MG_ENOTFOUND);
    assert_int_equal(mg_disk_open(&d, path, "x", MG_DISK_CREATE, &f->why), 0); // and what is above it
    mg_disk_close(d);
    char lock[160];
    snprintf(lock, sizeof(lock), "%s/lock", path);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(rmdir(path), 0);
    snprintf(path, sizeof(path), "%s/no", f->dir);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mg_disk_sync_dir(f->d, "no", &f->why), MG_ENOTFOUND);
}

static void bytes_are_written_and_read(void **state) {
    struct fixture *f = *state;
    struct mg_file *file = open_file(f, "a", MG_FILE_WRITE | MG_FILE_CREATE | MG_FILE_EXCL), *second;
    char out[300];
    size_t got;
    uint64_t size;
    struct mg_span spans[100];
    for (int i = 0; i < 100; i++) spans[i] = (struct mg_span){i % 3 ? "ab" : "", i % 3 ? 2 : 0};
    assert_int_equal(mg_file_write(file, "0123456789", 10, 5, NULL), 0);
    assert_int_equal(mg_file_writev(file, spans, 100, 15, NULL), 0);
    assert_int_equal(mg_file_sync(file, NULL), 0);
    assert_int_equal(mg_file_size(file, &size, NULL), 0);
    assert_int_equal(size, 15 + 132);
    assert_int_equal(mg_file_read(file, out, sizeof(out), 0, &got, NULL), 0);
    assert_int_equal(got, size);
    assert_memory_equal(out, "\0\0\0\0\0" "0123456789abab", 19);
    assert_memory_equal(out + 145, "ab", 2);
    assert_int_equal(mg_file_read(file, out, 10, 1000, &got, NULL), 0);
    assert_int_equal(got, 0);
    assert_int_equal(mg_file_truncate(file, 7, NULL), 0);
    assert_int_equal(mg_file_open(f->d, &second, "a", MG_FILE_WRITE | MG_FILE_CREATE | MG_FILE_EXCL, NULL), MG_EEXISTS);
    second = open_file(f, "a", MG_FILE_READ | MG_FILE_EXACT);
    mg_file_expect(second, 0, 7);
    mg_file_forget(second, 0, 7);
    assert_int_equal(mg_file_read(second, out, 10, 4, &got, NULL), 0);
    assert_int_equal(got, 3);
    assert_int_equal(mg_file_write(second, "x", 1, 0, &f->why), MG_EIO);
    mg_file_close(second);
    mg_file_close(file);
    file = open_file(f, "a", MG_FILE_WRITE | MG_FILE_EMPTY);
    assert_int_equal(mg_file_size(file, &size, NULL), 0);
    assert_int_equal(size, 0);
    mg_file_close(file);
}

static void direct_writes_are_aligned(void **state) {
    struct fixture *f = *state;
    struct mg_file *file;
    unsigned flags = MG_FILE_WRITE | MG_FILE_CREATE | MG_FILE_DIRECT | MG_FILE_DSYNC;
    if (mg_file_open(f->d, &file, "a", flags, &f->why) == MG_EUNSUPPORTED) skip();
    uint8_t *p = mg_disk_alloc(2 * MG_DISK_ALIGN), *q = mg_disk_alloc(MG_DISK_ALIGN);
    size_t got;
    assert_int_equal((uintptr_t)p % MG_DISK_ALIGN, 0);
    memset(p, 'x', 2 * MG_DISK_ALIGN);
    assert_int_equal(mg_file_write(file, p, 2 * MG_DISK_ALIGN, MG_DISK_ALIGN, NULL), 0);
    assert_int_equal(mg_file_read(file, q, MG_DISK_ALIGN, 2 * MG_DISK_ALIGN, &got, NULL), 0);
    assert_int_equal(got, MG_DISK_ALIGN);
    assert_memory_equal(p, q, MG_DISK_ALIGN);
    mg_disk_free(p);
    mg_disk_free(q);
    mg_file_close(file);
}

static void count_entries(void *arg, const char *entry, uint64_t size, bool dir) {
    char *seen = arg, line[64];
    snprintf(line, sizeof(line), "[%s %d %d]", entry, (int)size, dir);
    assert_true(strlen(seen) + strlen(line) < 256);
    strcat(seen, line);
}

static void names_can_be_changed(void **state) {
    struct fixture *f = *state;
    char seen[256] = "";
    assert_int_equal(mg_disk_mkdir(f->d, "sub", NULL), 0);
    assert_int_equal(mg_disk_mkdir(f->d, "sub", NULL), MG_EEXISTS);
    struct mg_file *file = open_file(f, "sub/b", MG_FILE_WRITE | MG_FILE_CREATE);
    assert_int_equal(mg_file_write(file, "12345", 5, 0, NULL), 0);
    mg_file_close(file);
    mg_file_close(open_file(f, "sub/a", MG_FILE_WRITE | MG_FILE_CREATE));
    assert_int_equal(mg_disk_rename(f->d, "sub/b", "sub/a", NULL), 0);
    assert_int_equal(mg_disk_sync_dir(f->d, "sub", NULL), 0);
    assert_int_equal(mg_disk_sync_dir(f->d, "", NULL), 0);
    assert_int_equal(mg_disk_list(f->d, "sub", count_entries, seen, NULL), 0);
    assert_string_equal(seen, "[a 5 0]");
    assert_int_equal(mg_disk_list(f->d, "", count_entries, seen, NULL), 0);
    assert_non_null(strstr(seen, "[sub 0 1]"));
    assert_non_null(strstr(seen, "[lock "));
    assert_int_equal(mg_disk_unlink(f->d, "sub", NULL), MG_EEXISTS); // not empty
    assert_int_equal(mg_disk_unlink(f->d, "sub/a", NULL), 0);
    assert_int_equal(mg_disk_unlink(f->d, "sub", NULL), 0);
    assert_int_equal(mg_disk_unlink(f->d, "sub", NULL), MG_ENOTFOUND);
}

static void it_tells_about_itself(void **state) {
    struct fixture *f = *state;
    struct mg_disk_space space;
    struct mg_disk_about about;
    assert_int_equal(mg_disk_space(f->d, &space, NULL), 0);
    assert_true(space.total > 0 && space.free <= space.total);
    mg_disk_describe(f->d, &about);
    assert_true(about.fs[0] != '\0' && about.fua >= -1 && about.fua <= 1);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_directory_has_one_holder), T(what_is_not_there_is_not_opened), T(bytes_are_written_and_read),
        T(direct_writes_are_aligned),    T(names_can_be_changed),            T(it_tells_about_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
