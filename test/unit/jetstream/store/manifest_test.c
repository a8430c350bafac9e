// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The manifest: round trips of random ones, each byte flipped, the two slots on a real directory, and what becomes of
// files that nothing lists.
#include "test/unit/cmocka_inc.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "jetstream/store/manifest.h"
#include "test/unit/jetstream/store/mem_file.h"

static struct mg_manifest random_manifest(uint64_t *seed) {
    struct mg_manifest m = {0};
    m.head.salt = rnd(seed);
    m.head.next_file = 1000;
    m.head.page_bytes = 4096;
    m.head.replay_from = rnd(seed);
    uint32_t runs = rnd_to(seed, 20), segments = rnd_to(seed, 40), intents = rnd_to(seed, 5);
    for (uint32_t i = 0; i < runs; i++) {
        char low[32], high[32];
        int a = snprintf(low, sizeof low, "a%u", rnd_to(seed, 1000)), b = snprintf(high, sizeof high, "b%u", i);
        const struct mg_manifest_run r = {.file = i, .size = rnd(seed), .flags = rnd_to(seed, 2), .level = i % 5};
        mg_manifest_add_run(&m, &r, mg_slice_of(low, (size_t)a), mg_slice_of(high, (size_t)b));
    }
    for (uint32_t i = 0; i < segments; i++)
        mg_manifest_add_segment(&m, &(struct mg_manifest_segment){.file = 500 + i, .size = rnd(seed), .sections = i});
    for (uint32_t i = 0; i < intents; i++)
        mg_manifest_add_intent(&m, i, 900 + i * 10, 10);
    return m;
}

static void expect_same(const struct mg_manifest *a, const struct mg_manifest *b) {
    struct mg_buf x = MG_BUF_INIT, y = MG_BUF_INIT;
    mg_manifest_encode(a, &x);
    mg_manifest_encode(b, &y);
    assert_true(mg_slice_eq(mg_buf_slice(&x), mg_buf_slice(&y)));
    mg_buf_fini(&x);
    mg_buf_fini(&y);
}

static void round_trips(void **state) {
    (void)state;
    uint64_t seed = test_seed();
    for (int i = 0; i < 200; i++) {
        struct mg_manifest m = random_manifest(&seed), again = {0};
        struct mg_buf b = MG_BUF_INIT;
        mg_manifest_encode(&m, &b);
        assert_int_equal(mg_manifest_decode(&again, b.p, b.len), MG_OK);
        assert_int_equal(again.nruns, m.nruns);
        assert_int_equal(again.nsegments, m.nsegments);
        assert_int_equal(again.nintents, m.nintents);
        expect_same(&m, &again);
        for (size_t cut = 0; cut < b.len; cut += 1 + rnd_to(&seed, 50)) {
            struct mg_manifest none = {0};
            assert_int_equal(mg_manifest_decode(&none, b.p, cut), MG_ECORRUPT);
            mg_manifest_fini(&none);
        }
        if (m.nsegments) {
            assert_true(mg_manifest_remove_segment(&m, 500));
            assert_false(mg_manifest_remove_segment(&m, 500));
        }
        if (m.nruns) assert_true(mg_manifest_remove_run(&m, m.nruns - 1));
        if (m.nintents) assert_true(mg_manifest_remove_intent(&m, 0));
        mg_manifest_fini(&m);
        mg_manifest_fini(&again);
        mg_buf_fini(&b);
    }
}

static void each_flipped_byte(void **state) {
    (void)state;
    uint64_t seed = test_seed() + 1;
    struct mg_manifest m = random_manifest(&seed);
    struct mg_buf b = MG_BUF_INIT;
    mg_manifest_encode(&m, &b);
    for (size_t i = 0; i < b.len * 8; i++) {
        struct mg_manifest none = {0};
        b.p[i / 8] = (char)(b.p[i / 8] ^ 1 << i % 8);
        assert_int_equal(mg_manifest_decode(&none, b.p, b.len), MG_ECORRUPT);
        b.p[i / 8] = (char)(b.p[i / 8] ^ 1 << i % 8);
    }
    mg_manifest_fini(&m);
    mg_buf_fini(&b);
}

static void refuses_nonsense(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct mg_manifest m = {0}, none = {0};
        m.head.next_file = 10;
        struct mg_manifest_run r = {.file = 3};
        if (i == 1) r.flags = 8;
        mg_manifest_add_run(&m, &r, i == 2 ? MG_S("z") : MG_S("a"), MG_S("b"));
        mg_manifest_add_segment(&m, &(struct mg_manifest_segment){.file = i == 3 ? 3 : i == 4 ? 10 : 4});
        struct mg_buf b = MG_BUF_INIT;
        mg_manifest_encode(&m, &b);
        assert_int_equal(mg_manifest_decode(&none, b.p, b.len), i ? MG_ECORRUPT : MG_OK);
        mg_manifest_fini(&m);
        mg_manifest_fini(&none);
        mg_buf_fini(&b);
    }
}

// ---- on disk

static char dir[64];

static int make_dir(void **state) {
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/midge-manifest-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state) {
    (void)state;
    char cmd[100];
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
    return system(cmd);
}

static struct mg_disk *open_disk(void) {
    struct mg_disk *d;
    assert_int_equal(mg_disk_open(&d, dir, "test", MG_DISK_CREATE, NULL), MG_OK);
    return d;
}

static void put_file(struct mg_disk *d, const char *name, size_t n) {
    struct mg_file *f;
    char *p = mg_zalloc(n + 1);
    assert_int_equal(mg_file_open(d, &f, name, MG_FILE_WRITE | MG_FILE_CREATE | MG_FILE_EMPTY, NULL), MG_OK);
    assert_int_equal(mg_file_write(f, p, n, 0, NULL), MG_OK);
    mg_file_close(f);
    mg_free(p);
}

static bool is_there(struct mg_disk *d, const char *name) {
    struct mg_file *f;
    int err = mg_file_open(d, &f, name, MG_FILE_READ, NULL);
    if (err == MG_OK) mg_file_close(f);
    return err == MG_OK;
}

static void slots_take_turns(void **state) {
    (void)state;
    uint64_t seed = test_seed() + 2;
    struct mg_disk *d = open_disk();
    struct mg_manifest m = {0}, again = {0};
    struct mg_manifest_loaded loaded;
    assert_int_equal(mg_manifest_load(d, &m, &loaded), MG_ENOTFOUND);
    m = random_manifest(&seed);
    for (uint64_t g = 1; g < 8; g++) {
        m.head.replay_from = g * 100;
        assert_int_equal(mg_manifest_store(d, &m, NULL), MG_OK);
        assert_int_equal(m.head.generation, g);
        assert_int_equal(mg_manifest_load(d, &again, &loaded), MG_OK);
        assert_int_equal(loaded.used, g % 2);
        expect_same(&m, &again);
        mg_manifest_fini(&again);
    }
    // The newest is damaged: the one before; both: an error, as without any but with a segment.
    put_file(d, "manifest-1", 4096);
    assert_int_equal(mg_manifest_load(d, &again, &loaded), MG_OK);
    assert_int_equal(loaded.slots[1], MG_SLOT_DAMAGED);
    assert_int_equal(again.head.replay_from, 600);
    mg_manifest_fini(&again);
    put_file(d, "manifest-0", 100);
    assert_int_equal(mg_manifest_load(d, &again, &loaded), MG_ECORRUPT);
    assert_string_equal(loaded.why.text, "neither manifest-0 nor manifest-1 can be read");
    assert_int_equal(mg_disk_unlink(d, "manifest-0", NULL), MG_OK);
    assert_int_equal(mg_manifest_load(d, &again, &loaded), MG_ENOTFOUND); // the first one, torn
    assert_int_equal(mg_disk_mkdir(d, "journal", NULL), MG_OK);
    put_file(d, "journal/ring-00000", 1);
    assert_int_equal(mg_manifest_load(d, &again, &loaded), MG_ECORRUPT);
    assert_int_equal(mg_disk_unlink(d, "journal/ring-00000", NULL), MG_OK);
    assert_int_equal(mg_disk_unlink(d, "manifest-1", NULL), MG_OK);
    assert_int_equal(mg_manifest_load(d, &again, &loaded), MG_ENOTFOUND);
    assert_int_equal(mg_disk_mkdir(d, "segments", NULL), MG_OK);
    assert_int_equal(mg_manifest_load(d, &again, &loaded), MG_ENOTFOUND);
    put_file(d, "segments/0000000000000001.seg", 1);
    assert_int_equal(mg_manifest_load(d, &again, &loaded), MG_ECORRUPT);
    // A newer version wrote last: the older slot is not the truth.
    struct mg_buf b = MG_BUF_INIT;
    m.head.generation = 8;
    mg_manifest_encode(&m, &b);
    mg_put_u32(b.p + 8, 2);
    mg_put_u64(b.p + 16, XXH3_64bits_withSeed(b.p + 24, b.len - 24, 2));
    struct mg_file *f;
    assert_int_equal(mg_manifest_store(d, &m, NULL), MG_OK);
    assert_int_equal(mg_file_open(d, &f, "manifest-0", MG_FILE_WRITE | MG_FILE_CREATE, NULL), MG_OK);
    assert_int_equal(mg_file_write(f, b.p, b.len, 0, NULL), MG_OK);
    mg_file_close(f);
    assert_int_equal(mg_manifest_load(d, &again, &loaded), MG_EUNSUPPORTED);
    mg_buf_fini(&b);
    mg_manifest_fini(&m);
    mg_disk_close(d);
}

static void copy_slot(struct mg_disk *d, const char *from, const char *to) {
    struct mg_file *f;
    char p[65536];
    size_t n;
    assert_int_equal(mg_file_open(d, &f, from, MG_FILE_READ, NULL), MG_OK);
    assert_int_equal(mg_file_read(f, p, sizeof p, 0, &n, NULL), MG_OK);
    mg_file_close(f);
    assert_true(n < sizeof p);
    assert_int_equal(mg_file_open(d, &f, to, MG_FILE_WRITE | MG_FILE_CREATE | MG_FILE_EMPTY, NULL), MG_OK);
    assert_int_equal(mg_file_write(f, p, n, 0, NULL), MG_OK);
    mg_file_close(f);
}

// What stands in a slot is whole, and not what was written there.
static void strange_slots(void **state) {
    (void)state;
    uint64_t seed = test_seed() + 5;
    struct mg_disk *d = open_disk();
    struct mg_manifest m = random_manifest(&seed), again = {0};
    struct mg_manifest_loaded loaded;
    assert_int_equal(mg_manifest_store(d, &m, NULL), MG_OK);
    assert_int_equal(mg_manifest_store(d, &m, NULL), MG_OK);
    copy_slot(d, "manifest-0", "aside-0");
    copy_slot(d, "manifest-1", "aside-1");
    for (int from = 0; from < 2; from++) { // the other slot's, be it the newer or the older one
        copy_slot(d, from ? "aside-1" : "aside-0", from ? "manifest-0" : "manifest-1");
        assert_int_equal(mg_manifest_load(d, &again, &loaded), MG_OK);
        assert_int_equal(loaded.used, from);
        assert_int_equal(loaded.slots[1 - from], MG_SLOT_DAMAGED);
        assert_false(loaded.same);
        assert_int_equal(again.head.generation, from ? 1 : 2);
        mg_manifest_fini(&again);
        copy_slot(d, "aside-0", "manifest-0");
        copy_slot(d, "aside-1", "manifest-1");
    }
    // Another store's: which of the two is at home here nobody can tell.
    m.head.salt++;
    assert_int_equal(mg_manifest_store(d, &m, NULL), MG_OK);
    assert_int_equal(mg_manifest_load(d, &again, &loaded), MG_ECORRUPT);
    assert_string_equal(loaded.why.text, "manifest-0 and manifest-1 are of two different stores");
    mg_manifest_fini(&m);
    mg_disk_close(d);
}

struct tally {
    int fates[6], survivable;
};

static void on_finding(void *arg, const struct mg_file_finding *f) {
    struct tally *t = arg;
    t->fates[f->fate]++;
    t->survivable += f->survivable;
}

static void files_that_nothing_lists(void **state) {
    (void)state;
    struct mg_disk *d = open_disk();
    struct mg_manifest m = {0};
    m.head.next_file = 100;
    mg_manifest_add_segment(&m, &(struct mg_manifest_segment){.file = 1, .size = 10});
    mg_manifest_add_segment(&m, &(struct mg_manifest_segment){.file = 2, .size = 10});
    mg_manifest_add_segment(&m, &(struct mg_manifest_segment){.file = 3, .size = 10});
    for (uint64_t i = 10; i < 13; i++) {
        const struct mg_manifest_run r = {.file = i, .size = 20, .flags = i == 12 ? 0 : MG_MANIFEST_RUN_PRIMARY};
        mg_manifest_add_run(&m, &r, MG_S("a"), MG_S("b"));
    }
    mg_manifest_add_intent(&m, 1, 50, 3);
    mg_disk_mkdir(d, "segments", NULL);
    mg_disk_mkdir(d, "tables", NULL);
    const struct {
        const char *name;
        size_t n;
    } files[] = {{"segments/0000000000000001.seg", 10}, {"segments/0000000000000002.seg", 9},
                 {"tables/000000000000000a.run", 20}, {"tables/000000000000000a.dup", 20},
                 {"tables/000000000000000b.dup", 20}, {"tables/000000000000000c.run", 20},
                 {"tables/000000000000000c.dup", 20},   // not primary: nobody lists the copy
                 {"segments/0000000000000033.seg", 5}, {"tables/0000000000000034.run", 5}, // 51, 52: intended
                 {"segments/0000000000000036.seg", 5}, {"segments/note.txt", 5},
                 {"segments/000000000000000A.seg", 5}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        put_file(d, files[i].name, files[i].n);
    struct mg_manifest_loaded loaded = {.slots = {MG_SLOT_VALID, MG_SLOT_DAMAGED}};
    struct tally t = {{0}, 0};
    struct mg_file_check c = {.found = on_finding, .arg = &t};
    // Nothing is touched while the newer manifest may have listed it.
    assert_int_equal(mg_manifest_check_files(d, &m, &loaded, &c, NULL), MG_OK);
    assert_int_equal(c.left, 6);
    assert_int_equal(c.garbage + c.aside, 0);
    loaded.slots[1] = MG_SLOT_VALID;
    c.look_only = true;
    assert_int_equal(mg_manifest_check_files(d, &m, &loaded, &c, NULL), MG_OK);
    assert_true(is_there(d, "segments/0000000000000033.seg"));
    assert_int_equal(c.max_id, 0x36);
    c.look_only = false;
    t = (struct tally){{0}, 0};
    assert_int_equal(mg_manifest_check_files(d, &m, &loaded, &c, NULL), MG_OK);
    assert_int_equal(c.lost, 2);
    assert_int_equal(c.garbage, 2);
    assert_int_equal(c.aside, 4);
    assert_int_equal(t.fates[MG_FATE_MISSING], 2); // segment 3; run 11, of which there is a copy
    assert_int_equal(t.fates[MG_FATE_SIZE], 1);
    assert_int_equal(t.survivable, 1);
    assert_false(is_there(d, "segments/0000000000000033.seg"));
    assert_false(is_there(d, "tables/0000000000000034.run"));
    assert_true(is_there(d, "lost+found/0000000000000036.seg"));
    assert_true(is_there(d, "lost+found/note.txt"));
    assert_true(is_there(d, "lost+found/000000000000000c.dup"));
    assert_true(is_there(d, "segments/0000000000000001.seg"));
    put_file(d, "segments/note.txt", 7);
    assert_int_equal(mg_manifest_check_files(d, &m, &loaded, &c, NULL), MG_OK);
    assert_true(is_there(d, "lost+found/note.txt.1"));
    assert_int_equal(c.garbage, 0);
    mg_manifest_fini(&m);
    mg_disk_close(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(each_flipped_byte),
        cmocka_unit_test(refuses_nonsense),
        cmocka_unit_test_setup_teardown(slots_take_turns, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(strange_slots, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(files_that_nothing_lists, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
