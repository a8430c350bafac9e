// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A store is made, damaged in its files, and looked at.
#include "jetstream/store/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "server/base/log.h"
#include "test/unit/jetstream/store/store_driver.h"

#define MESSAGES 700
#define SIZE (32u * 1024)

// Messages in segments and in the journal, removed ones in both, several subjects, a second stream.
static struct mg_stream *target;
static uint64_t sent;
static bool fill(struct driver *d) {
    char subject[16];
    while (d->open < 16 && sent < MESSAGES) {
        snprintf(subject, sizeof(subject), "s.%u", (unsigned)(sent++ % 10));
        assert_int_equal(driver_publish(d, target, subject, SIZE, 0), 0);
    }
    return sent == MESSAGES && d->open == 0;
}

static void remove_some(struct driver *d) {
    for (uint64_t seq = 3; seq < MESSAGES; seq += 50) {
        d->open++;
        assert_int_equal(mg_stream_remove(target, seq, false, d), 0);
    }
    driver_run(d, driver_quiet);
}

static int setup_of(void **state, const struct mg_stream_limits *limits) {
    static struct driver d;
    driver_init(&d, 2);
    assert_int_equal(driver_open(&d), 0);
    target = driver_stream(&d, 1, "S", limits);
    driver_stream(&d, 0, "T", NULL);
    sent = 0;
    driver_run(&d, fill);
    remove_some(&d);
    assert_int_equal(d.failed, 0);
    driver_close(&d);
    *state = &d;
    return 0;
}

static int setup(void **state) { return setup_of(state, NULL); }
static int setup_packed(void **state) { return setup_of(state, &(struct mg_stream_limits){.packed = true}); }

static int teardown(void **state) {
    driver_fini(*state);
    return 0;
}

static char told[65536];
static void hear(void *arg, enum mg_check_verdict meaning, const char *text) {
    (void)arg;
    size_t n = strlen(told);
    snprintf(told + n, sizeof(told) - n, "%d %s\n", meaning, text);
}

static enum mg_check_verdict check(struct driver *d) {
    told[0] = '\0';
    return mg_store_check(d->dir, hear, NULL);
}

static void hears(const char *text) {
    if (strstr(told, text) == NULL) print_error("%s is not in:\n%s", text, told);
    assert_non_null(strstr(told, text));
}

// The n-th file of a folder, in order of names; its path below the store.
static bool nth_file(struct driver *d, const char *folder, const char *suffix, int n, char out[128]) {
    char path[128], names[64][32];
    int count = 0;
    snprintf(path, sizeof(path), "%s/%s", d->dir, folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) && count < 64;) {
        if (strstr(e->d_name, suffix)) snprintf(names[count++], sizeof(names[0]), "%.31s", e->d_name);
    }
    closedir(dir);
    for (int i = 0; i < count; i++) {
        int smaller = 0;
        for (int k = 0; k < count; k++) smaller += strcmp(names[k], names[i]) < 0;
        if (smaller == n) return snprintf(out, 128, "%s/%s/%s", d->dir, folder, names[i]), true;
    }
    return false;
}

static void spoil(const char *path, off_t at, size_t n) {
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    if (at < 0) at += st.st_size;
    for (size_t i = 0; i < n; i++) assert_int_equal(pwrite(fd, "\xa5", 1, at + (off_t)i), 1);
    close(fd);
}

static void healthy(void **state) {
    struct driver *d = *state;
    assert_int_equal(check(d), MG_CHECK_HEALTHY);
    hears("2 streams with 686 messages: nothing is wrong");
    // Nothing was changed, so a second look sees the same, and so does a server.
    assert_int_equal(check(d), MG_CHECK_HEALTHY);
    assert_int_equal(driver_open(d), 0);
    assert_int_equal(driver_read(d, driver_find(d, "S"), MESSAGES), 0);
    // While a server runs, too: no lock is taken.
    driver_close(d);
    assert_int_equal(check(d), MG_CHECK_HEALTHY);
}

static void no_store(void **state) {
    (void)state;
    told[0] = '\0';
    assert_int_equal(mg_store_check("/tmp/there-is-no-such-midge-store", hear, NULL), MG_CHECK_LOST);
    hears("cannot open");
}

static void one_slot(void **state) {
    struct driver *d = *state;
    char path[128];
    snprintf(path, sizeof(path), "%s/manifest-0", d->dir);
    spoil(path, 30, 4);
    // The older slot lists files that are gone, or none of the newest: what it lists must be found all the same.
    enum mg_check_verdict v = check(d);
    assert_true(v != MG_CHECK_HEALTHY);
    hears("manifest-0 is damaged");
}

static void both_slots(void **state) {
    struct driver *d = *state;
    char path[128];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/manifest-%d", d->dir, i);
        spoil(path, 30, 4);
    }
    assert_int_equal(check(d), MG_CHECK_LOST);
    hears("a server cannot start");
}

static void damaged_message(void **state) {
    struct driver *d = *state;
    char path[128];
    assert_true(nth_file(d, "segments", ".seg", 0, path));
    spoil(path, 100000, 1);
    assert_int_equal(check(d), MG_CHECK_LOST);
    hears("1 messages of");
    hears("of 686 messages can be read");
}

static void missing_segment(void **state) {
    struct driver *d = *state;
    char path[128];
    assert_true(nth_file(d, "segments", ".seg", 0, path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(check(d), MG_CHECK_LOST);
    hears("messages are lost");
}

static void one_copy(void **state) {
    struct driver *d = *state;
    char path[128];
    assert_true(nth_file(d, "tables", ".dup", 0, path));
    spoil(path, 70, 8);
    assert_int_equal(check(d), MG_CHECK_DAMAGED);
    hears("(second copy)");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(check(d), MG_CHECK_DAMAGED);
    hears("there is another copy");
}

static void both_copies(void **state) {
    struct driver *d = *state;
    char path[128];
    assert_true(nth_file(d, "tables", ".dup", 0, path));
    assert_int_equal(unlink(path), 0);
    memcpy(path + strlen(path) - 4, ".run", 4);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(check(d), MG_CHECK_LOST);
    hears("a server cannot start");
}

static void orphan(void **state) {
    struct driver *d = *state;
    char path[128];
    snprintf(path, sizeof(path), "%s/segments/surprise", d->dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(check(d), MG_CHECK_DAMAGED);
    hears("segments/surprise belongs to nothing");
}

static void damaged_journal(void **state) {
    struct driver *d = *state;
    char path[128];
    // What is not in tables yet is somewhere in the ring.
    for (int i = 0; nth_file(d, "journal", "ring", i, path); i++) {
        for (off_t at = 0; at < 8 << 20; at += 2 * 4096) spoil(path, at + 2000, 1);
    }
    assert_int_equal(check(d), MG_CHECK_LOST);
    hears("journal: pages");
}

static uint64_t listed, listed_messages;
static bool list_done;
static void each(struct mg_subjects_read *r, mg_slice subject, uint64_t count, uint64_t last) {
    (void)r, (void)subject, (void)last;
    listed++;
    listed_messages += count;
}
static void listed_all(struct mg_subjects_read *r, int err, uint64_t total) {
    (void)r;
    assert_int_equal(err, 0);
    assert_int_equal(total, listed);
    list_done = true;
}
static bool has_list(struct driver *d) {
    (void)d;
    return list_done;
}

static void check_subjects(struct driver *d) {
    struct mg_subjects_read r = {.max = 1000, .each = each, .done = listed_all};
    listed = listed_messages = 0;
    list_done = false;
    mg_stream_subjects(driver_find(d, "S"), &r);
    driver_run(d, has_list);
    assert_int_equal(listed, 10);
    assert_int_equal(listed_messages, 686);
}

static void table_of_subjects(void **state) {
    struct driver *d = *state;
    char path[128], copy[128];
    assert_int_equal(driver_open(d), 0);
    check_subjects(d);
    driver_close(d);
    for (int i = 0; nth_file(d, "tables", ".run", i, path); i++) {
        snprintf(copy, sizeof(copy), "%s", path);
        memcpy(copy + strlen(copy) - 4, ".dup", 4);
        if (access(copy, F_OK) == 0) continue; // a primary one
        spoil(path, -8192, 8192);
        break;
    }
    assert_int_equal(check(d), MG_CHECK_DAMAGED);
    hears("a server counts subjects again");
    assert_int_equal(driver_open(d), 0);
    assert_true(driver_said(d, "subjects are counted again"));
    check_subjects(d);
    driver_close(d);
    assert_int_equal(driver_open(d), 0); // puts the damaged one aside
    check_subjects(d);
    driver_close(d);
    assert_int_equal(check(d), MG_CHECK_HEALTHY);
    assert_true(nth_file(d, "lost+found", ".run", 0, path));
}

static void state_of(struct driver *d, struct mg_stream *s, struct mg_stream_state *out);

// The rows of subjects are gone, the table's foot is not: each is computed from the messages when it is needed.
static void damaged_rows_of_subjects(void **state) {
    struct driver *d = *state;
    struct mg_stream_state now;
    char path[128], copy[128], subject[16];
    for (int i = 0; nth_file(d, "tables", ".run", i, path); i++) {
        snprintf(copy, sizeof(copy), "%s", path);
        memcpy(copy + strlen(copy) - 4, ".dup", 4);
        if (access(copy, F_OK) == 0) continue; // a primary one
        spoil(path, 100, 200);
    }
    assert_int_equal(driver_open(d), 0);
    struct mg_stream *s = driver_find(d, "S");
    for (unsigned i = 0; i < 10; i++) {
        snprintf(subject, sizeof(subject), "s.%u", i);
        struct mg_append a = {.subject = mg_cstr(subject), .expect_last = MG_ANY_SEQ,
                              .expect_subject_last = MESSAGES - 9 + i};
        d->open++;
        assert_int_equal(mg_stream_append(s, &a, d), 0);
        driver_run(d, driver_quiet);
        assert_int_equal(d->last_err, 0);
    }
    state_of(d, s, &now);
    assert_int_equal(now.subjects, 10);
    assert_true(driver_said(d, "a row of kind U"));
    driver_close(d);
}

// A list of them waits until the keeper has counted them again.
static void damaged_rows_are_listed(void **state) {
    struct driver *d = *state;
    char path[128], copy[128];
    for (int i = 0; nth_file(d, "tables", ".run", i, path); i++) {
        snprintf(copy, sizeof(copy), "%s", path);
        memcpy(copy + strlen(copy) - 4, ".dup", 4);
        if (access(copy, F_OK) != 0) spoil(path, 100, 200);
    }
    assert_int_equal(driver_open(d), 0);
    check_subjects(d);
    assert_true(driver_said(d, "tables of subjects were written anew"));
    driver_close(d);
    assert_int_equal(check(d), MG_CHECK_HEALTHY);
    assert_int_equal(driver_open(d), 0);
    check_subjects(d);
    driver_close(d);
}

static void state_of(struct driver *d, struct mg_stream *s, struct mg_stream_state *out) {
    while (mg_stream_state(s, out) == MG_EAGAIN) {
        d->open++;
        mg_stream_barrier(s, d);
        driver_run(d, driver_quiet);
    }
}

// A damaged message is an error, counted and told once, also after a restart; the one behind it is fine.
static bool rests(struct driver *d) { return mg_store_status(d->store).checkpoints > 0; }

static void lost_is_counted_once(void **state) {
    struct driver *d = *state;
    damaged_message(state);
    uint64_t first, last, count;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(driver_open(d), 0);
        struct mg_stream *s = driver_find(d, "S");
        struct mg_stream_state now;
        uint64_t bad = 0;
        for (uint64_t seq = 1; seq < 8; seq++) {
            int err = driver_read(d, s, seq);
            if (seq != 3 && err) bad = seq;
            assert_true(seq == 3 || err == 0 || err == MG_ECORRUPT);
        }
        assert_true(bad > 0);
        driver_read(d, s, bad);
        state_of(d, s, &now);
        assert_int_equal(now.lost, 1);
        assert_true(mg_stream_lost(s, 0, &first, &last, &count));
        assert_int_equal(first, bad);
        assert_int_equal(count, 1);
        assert_false(mg_stream_lost(s, 1, &first, &last, &count));
        assert_int_equal(mg_store_status(d->store).lost_messages, round == 0 ? 1 : 0);
        mg_store_press(d->store);
        driver_run(d, rests);
        driver_close(d);
    }
    assert_true(driver_said(d, "1 messages from"));
}

// A damaged message at the head goes when limits take it; what is behind it is counted, and an empty stream is empty.
static void damaged_head(void **state) {
    struct driver *d = *state;
    struct mg_stream_state now;
    struct mg_stream_limits l = {.max_msgs = 10};
    damaged_message(state);
    assert_int_equal(driver_open(d), 0);
    struct mg_stream *s = driver_find(d, "S");
    d->open++;
    assert_int_equal(mg_stream_configure(s, (mg_slice){NULL, 0}, &l, d), 0);
    driver_run(d, driver_quiet);
    state_of(d, s, &now);
    assert_int_equal(now.msgs, 10);
    assert_int_equal(now.bytes, 10 * (30 + 3 + SIZE)); // the head of the damaged record tells its size
    assert_int_equal(now.first, MESSAGES - 9);
    assert_int_equal(now.lost, 1);
    assert_int_equal(driver_publish(d, s, "s.1", 100, 0), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(driver_read(d, s, MESSAGES + 1), 0);
    for (uint64_t seq = MESSAGES - 8; seq <= MESSAGES + 1; seq++) {
        d->open++;
        assert_int_equal(mg_stream_remove(s, seq, false, d), 0);
    }
    driver_run(d, driver_quiet);
    state_of(d, s, &now);
    assert_int_equal(now.msgs, 0);
    assert_int_equal(now.bytes, 0);
    assert_int_equal(now.subjects, 0);
    driver_close(d);
}

// A message that cannot be read is not too old for that.
static void damaged_head_ages(void **state) {
    struct driver *d = *state;
    struct mg_stream_state now;
    struct mg_stream_limits l = {.max_age = UINT64_C(3600000000000)};
    damaged_message(state);
    assert_int_equal(driver_open(d), 0);
    struct mg_stream *s = driver_find(d, "S");
    for (uint64_t seq = 1; seq < 4; seq++) { // up to the damaged one
        d->open++;
        if (driver_read(d, s, seq) == 0) assert_int_equal(mg_stream_remove(s, seq, false, d), 0);
        else d->open--;
        driver_run(d, driver_quiet);
    }
    d->open++;
    assert_int_equal(mg_stream_configure(s, (mg_slice){NULL, 0}, &l, d), 0);
    driver_run(d, driver_quiet);
    state_of(d, s, &now);
    uint64_t before = now.msgs, first = now.first;
    mg_stream_age_due(&s->age_timer);
    driver_run(d, driver_quiet);
    state_of(d, s, &now);
    assert_int_equal(now.msgs, before);
    assert_int_equal(now.first, first);
    assert_int_equal(driver_read(d, s, first), MG_ECORRUPT);
    driver_close(d);
}

// ---- segments are opened when they are needed -----------------------------------------------------------------------

// A file that is too short is found at the start: its messages are lost, the others are served.
static void short_segment(void **state) {
    struct driver *d = *state;
    struct mg_stream_state now;
    struct stat st;
    char path[128];
    assert_true(nth_file(d, "segments", ".seg", 0, path));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 4096), 0);
    assert_int_equal(driver_open(d), 0);
    assert_true(driver_said(d, "has the wrong size"));
    assert_true(mg_store_status(d->store).lost_messages > 0);
    state_of(d, driver_find(d, "S"), &now);
    assert_true(now.lost > 0);
    uint64_t first, last, count;
    assert_true(mg_stream_lost(driver_find(d, "S"), 0, &first, &last, &count));
    assert_int_equal(first, 1);
    assert_int_equal(count, now.lost);
    assert_true(last - first + 1 >= count && last < MESSAGES);
    assert_false(mg_stream_lost(driver_find(d, "S"), 1, &first, &last, &count));
    assert_int_equal(driver_read(d, driver_find(d, "S"), MESSAGES), 0);
}

// Feet are read with the first message: until then nothing is wrong, then it is told once, and never "not found".
static void damaged_feet(void **state) {
    struct driver *d = *state;
    struct mg_stream_state now;
    char path[128];
    assert_true(nth_file(d, "segments", ".seg", 0, path));
    spoil(path, -8192, 16);
    spoil(path, -4096, 16);
    assert_int_equal(check(d), MG_CHECK_LOST);
    hears("cannot be read");
    assert_int_equal(driver_open(d), 0);
    struct mg_stream *s = driver_find(d, "S");
    assert_int_equal(mg_store_status(d->store).faults, 0);
    assert_int_equal(driver_read(d, s, 1), MG_ECORRUPT);
    assert_int_equal(driver_read(d, s, 2), MG_ECORRUPT);
    int removed = driver_read(d, s, 3); // counted as lost with its neighbours or not, as the keeper comes to it
    assert_true(removed == MG_ENOTFOUND || removed == MG_ECORRUPT);
    assert_int_equal(driver_read(d, s, MESSAGES), 0);
    assert_true(driver_said(d, "its foot cannot be read"));
    assert_int_equal(mg_store_status(d->store).faults, 2);
    state_of(d, s, &now);
    assert_true(now.lost > 0);
}

// One foot is enough.
static void damaged_foot(void **state) {
    struct driver *d = *state;
    char path[128];
    assert_true(nth_file(d, "segments", ".seg", 0, path));
    spoil(path, -4096, 16);
    assert_int_equal(driver_open(d), 0);
    assert_int_equal(driver_read(d, driver_find(d, "S"), 1), 0);
    assert_int_equal(mg_store_status(d->store).faults, 1);
}

// ---- writing it anew ------------------------------------------------------------------------------------------------

static enum mg_check_verdict rebuild(struct driver *d) {
    told[0] = '\0';
    return mg_store_rebuild(d->dir, hear, NULL);
}

static void opens_whole(struct driver *d, const char *name) {
    assert_int_equal(driver_open(d), 0);
    struct mg_stream *s = driver_find(d, name);
    assert_non_null(s);
    struct mg_stream_state state;
    state_of(d, s, &state);
    assert_int_equal(state.msgs, 686);
    assert_int_equal(state.subjects, 10);
    assert_int_equal(driver_read(d, s, 1), 0);
    assert_int_equal(driver_read(d, s, 53), MG_ENOTFOUND); // removed
    assert_int_equal(driver_read(d, s, MESSAGES), 0);
    assert_int_equal(driver_publish(d, s, "s.1", 10, 0), 0);
    driver_run(d, driver_quiet);
    assert_int_equal(d->last_seq, MESSAGES + 1);
}

static void rebuild_of_a_healthy_one(void **state) {
    struct driver *d = *state;
    assert_int_equal(rebuild(d), MG_CHECK_HEALTHY);
    assert_int_equal(check(d), MG_CHECK_HEALTHY);
    opens_whole(d, "S");
    assert_non_null(driver_find(d, "T"));
    // While somebody has it, it is left alone.
    assert_int_equal(rebuild(d), MG_CHECK_LOST);
    hears("in use by midge-server");
}

static void rebuild_without_manifest(void **state) {
    struct driver *d = *state;
    both_slots(state);
    assert_int_equal(driver_open(d), MG_ECORRUPT);
    assert_int_equal(rebuild(d), MG_CHECK_LOST);
    hears("No manifest can be read");
    opens_whole(d, "S");
    char path[128];
    assert_true(nth_file(d, "lost+found", "manifest-1", 0, path));
}

// What an earlier one has put aside stays.
static void rebuilt_twice(void **state) {
    struct driver *d = *state;
    char path[128];
    struct stat first, now;
    both_slots(state);
    rebuild(d);
    assert_true(nth_file(d, "lost+found", "manifest-0", 0, path));
    assert_int_equal(stat(path, &first), 0);
    both_slots(state);
    rebuild(d);
    assert_true(nth_file(d, "lost+found", "manifest-0.damaged", 0, path));
    assert_int_equal(stat(path, &now), 0);
    assert_int_equal(now.st_ino, first.st_ino);
    assert_true(nth_file(d, "lost+found", "manifest-0.damaged.1", 0, path));
    assert_true(nth_file(d, "lost+found", "manifest-1.damaged.1", 0, path));
    opens_whole(d, "S");
}

static void rebuild_without_a_table(void **state) {
    struct driver *d = *state;
    char path[128];
    // All primary tables are gone: names, counters, removals.
    while (nth_file(d, "tables", ".dup", 0, path)) {
        assert_int_equal(unlink(path), 0);
        memcpy(path + strlen(path) - 4, ".run", 4);
        assert_int_equal(unlink(path), 0);
    }
    assert_true(driver_open(d) != 0);
    assert_int_equal(rebuild(d), MG_CHECK_LOST);
    hears("its name and settings are lost");
    assert_int_equal(driver_open(d), 0);
    struct mg_stream *s = mg_stream_next(mg_store_part(d->store, 0), NULL);
    if (s == NULL) s = mg_stream_next(mg_store_part(d->store, 1), NULL);
    assert_non_null(s);
    assert_int_equal(memcmp(mg_stream_name(s).p, "recovered-", 10), 0);
    assert_int_equal(driver_read(d, s, 1), 0);
    assert_int_equal(driver_read(d, s, MESSAGES), 0); // from the journal
}

static void rebuild_without_a_segment(void **state) {
    struct driver *d = *state;
    missing_segment(state);
    assert_int_equal(rebuild(d), MG_CHECK_LOST);
    hears("messages are lost");
    assert_int_equal(driver_open(d), 0);
    assert_int_equal(driver_read(d, driver_find(d, "S"), MESSAGES), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(healthy, setup, teardown),
        cmocka_unit_test(no_store),
        cmocka_unit_test_setup_teardown(one_slot, setup, teardown),
        cmocka_unit_test_setup_teardown(both_slots, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_message, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_segment, setup, teardown),
        cmocka_unit_test_setup_teardown(short_segment, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_feet, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_foot, setup, teardown),
        cmocka_unit_test_setup_teardown(one_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(both_copies, setup, teardown),
        cmocka_unit_test_setup_teardown(table_of_subjects, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_rows_of_subjects, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_rows_are_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_head, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_head_ages, setup, teardown),
        cmocka_unit_test_setup_teardown(orphan, setup, teardown),
        cmocka_unit_test_setup_teardown(lost_is_counted_once, setup, teardown),
        cmocka_unit_test_setup_teardown(rebuild_of_a_healthy_one, setup, teardown),
        cmocka_unit_test_setup_teardown(rebuild_without_manifest, setup, teardown),
        cmocka_unit_test_setup_teardown(rebuilt_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(rebuild_without_a_table, setup, teardown),
        cmocka_unit_test_setup_teardown(rebuild_without_a_segment, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(healthy, setup_packed, teardown),
        cmocka_unit_test_setup_teardown(damaged_feet, setup_packed, teardown),
        cmocka_unit_test_setup_teardown(table_of_subjects, setup_packed, teardown),
        cmocka_unit_test_setup_teardown(damaged_rows_of_subjects, setup_packed, teardown),
        cmocka_unit_test_setup_teardown(rebuild_of_a_healthy_one, setup_packed, teardown),
        cmocka_unit_test_setup_teardown(rebuild_without_manifest, setup_packed, teardown),
        cmocka_unit_test_setup_teardown(rebuild_without_a_table, setup_packed, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
