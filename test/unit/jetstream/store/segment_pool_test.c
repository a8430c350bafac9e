// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A segment of a real store stands for many: each is a reference of its own to the same file.
#include "jetstream/store/segment_pool.h"

#include <stdatomic.h>

#include "jetstream/store/store_impl.h"
#include "test/unit/jetstream/store/store_driver.h"

static atomic_int open_files; // of segments; the store's threads open them, too

int __real_mg_file_open(struct mg_disk *d, struct mg_file **out, const char *name, unsigned flags,
                        struct mg_disk_why *why);
int __wrap_mg_file_open(struct mg_disk *d, struct mg_file **out, const char *name, unsigned flags,
                        struct mg_disk_why *why);
int __wrap_mg_file_open(struct mg_disk *d, struct mg_file **out, const char *name, unsigned flags,
                        struct mg_disk_why *why) {
    int err = __real_mg_file_open(d, out, name, flags, why);
    if (err == 0) atomic_fetch_add(&open_files, 1);
    return err;
}
void __real_mg_file_close(struct mg_file *f);
void __wrap_mg_file_close(struct mg_file *f);
void __wrap_mg_file_close(struct mg_file *f) {
    if (f) atomic_fetch_sub(&open_files, 1);
    __real_mg_file_close(f);
}

static bool has_checkpoint(struct driver *d) {
    struct mg_store_status s = mg_store_status(d->store);
    return s.checkpoints > 0 && s.resting;
}

#define MANY (4 * MG_SEGMENT_POOL_MAX)

static void test_open_files_are_bounded(void **state) {
    (void)state;
    struct driver d;
    driver_init(&d, 1);
    assert_int_equal(driver_open(&d), 0);
    struct mg_stream *s = driver_stream(&d, 0, "S", NULL);
    assert_int_equal(driver_publish(&d, s, "a", 100, 0), 0);
    driver_run(&d, driver_quiet);
    mg_store_press(d.store);
    driver_run(&d, has_checkpoint);
    struct mg_segment_pool *p = &d.store->pool;
    struct mg_manifest_segment about = mg_segment_ref_about(d.store->keeping->segments[0]);
    struct mg_segment_ref *refs[MANY];
    const struct mg_segment *g, *again;
    int before = atomic_load(&open_files);
    // One after the other: as many stay open as may.
    for (unsigned i = 0; i < MANY; i++) {
        refs[i] = mg_segment_ref_new(d.store, &about);
        assert_int_equal(mg_segment_use(refs[i], &g), 0);
        assert_int_equal(g->messages, 1);
        mg_segment_unuse(refs[i]);
    }
    assert_int_equal(p->open, MG_SEGMENT_POOL_MAX);
    assert_true(atomic_load(&open_files) <= before + (int)MG_SEGMENT_POOL_MAX);
    // All at once: what is in use is never closed, and used twice it is open once.
    for (unsigned i = 0; i < MANY; i++) assert_int_equal(mg_segment_use(refs[i], &g), 0);
    assert_int_equal(p->open, MANY);
    assert_int_equal(mg_segment_use(refs[MANY - 1], &again), 0);
    assert_ptr_equal(again, g);
    assert_int_equal(p->open, MANY);
    mg_segment_unuse(refs[MANY - 1]);
    for (unsigned i = 0; i < MANY; i++) mg_segment_unuse(refs[i]);
    assert_int_equal(p->open, MG_SEGMENT_POOL_MAX);
    for (unsigned i = 0; i < MANY; i++) mg_segment_ref_put(refs[i]); // the keeper closes them
    driver_close(&d);
    assert_int_equal(atomic_load(&open_files), 0);
    driver_fini(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_open_files_are_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
