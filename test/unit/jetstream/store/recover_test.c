// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Starts that do not depend on how much there is, and what the journal has of streams that nobody knows.
#include "test/unit/cmocka_inc.h"

#include <sys/resource.h>

#include "jetstream/store/check.h"
#include "jetstream/store/files.h"
#include "jetstream/store/merge.h"
#include "jetstream/store/merge_pick.h"
#include "jetstream/store/row_kinds.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "test/unit/jetstream/store/store_rig.h"

#define SUBJECTS 1500u
#define RUNS 1100u

// ---- many runs ------------------------------------------------------------------------------------------------------

static void say_nothing(void *arg, int level, const char *text) {
    (void)arg;
    (void)level;
    (void)text;
}

static bool is_of(mg_slice key, uint64_t stream) {
    return stream && key.n >= MG_ROW_KEY_HEAD && mg_get_be64(key.p + 1) == stream;
}

// Every row goes to one of `n` runs, but those of one stream. In older ones there is an older row with its key.
static void scatter(struct mg_store *st, bool primary, unsigned n, uint64_t but) {
    struct mg_merge *m = mg_runset_merge(st->runs, primary, false);
    struct mg_run_ref **new = mg_zalloc(n * sizeof(*new));
    uint32_t nold, rows = 0;
    struct mg_run_ref **old = mg_runset_kind(st->runs, primary, &nold);
    uint64_t id;
    for (uint32_t i = 0; i < nold; i++) mg_run_ref_get(old[i]);
    assert_int_equal(mg_files_begin(st, n, &id), 0);
    for (unsigned i = 0; i < n; i++) {
        struct mg_run_write w;
        assert_int_equal(mg_run_write_open(&w, st, id + n - 1 - i, primary), 0);
        rows = 0;
        for (int err = mg_merge_seek(m, (mg_slice){NULL, 0}); err == 0; err = mg_merge_next(m), rows++) {
            struct mg_row row = *mg_merge_row(m);
            if (is_of(row.key, but)) continue;
            if (rows % n == i || n == 1) assert_int_equal(mg_run_builder_add(w.builder, &row), 0);
            row.value = (mg_slice){"an older one", 12};
            if (rows % n == i - 1 && i > 0) assert_int_equal(mg_run_builder_add(w.builder, &row), 0);
        }
        assert_int_equal(mg_run_write_close(&w, 0, &new[i]), 0);
    }
    mg_merge_free(m);
    struct mg_files_change change = {.job = id, .runs = new, .runs_len = n, .old_runs = old, .old_runs_len = nold};
    assert_int_equal(mg_files_commit(st, &change), 0);
    for (unsigned i = 0; i < n; i++) mg_run_ref_put(new[i]);
    for (uint32_t i = 0; i < nold; i++) mg_run_ref_put(old[i]);
    mg_free(new);
    mg_free(old);
}

static void scatter_store(const char *dir, unsigned n, uint64_t but) {
    struct mg_disk_why why = {""};
    struct mg_store *st = mg_zalloc(sizeof(*st));
    st->o.log = say_nothing;
    mg_segment_pool_init(&st->pool);
    st->keeping = mg_zalloc(sizeof(*st->keeping));
    assert_int_equal(mg_disk_open(&st->disk, dir, "test", 0, &why), 0);
    assert_int_equal(mg_files_open(st, &why), 0);
    scatter(st, true, n, but);
    scatter(st, false, n, but);
    mg_files_close(st);
    mg_segment_pool_fini(&st->pool);
    mg_disk_close(st->disk);
    mg_free(st->keeping->intents);
    mg_free(st->keeping);
    mg_free(st);
}

struct listed {
    struct mg_subjects_read read;
    struct rig *rig;
    uint64_t n, sum;
    bool done;
};
static void each(struct mg_subjects_read *r, mg_slice subject, uint64_t count, uint64_t last) {
    struct listed *l = r->user;
    (void)subject;
    assert_int_equal(count, 1);
    l->n++;
    l->sum += last;
}
static void done(struct mg_subjects_read *r, int err, uint64_t total) {
    struct listed *l = r->user;
    assert_int_equal(err, 0);
    assert_int_equal(total, l->n);
    l->done = true;
}
static bool is_listed(struct rig *r) { return ((struct listed *)r->user)->done; }

static void check_subjects(struct rig *r, struct mg_stream *s) {
    struct listed l = {.read = {.max = UINT64_MAX, .each = each, .done = done}};
    l.read.user = r->user = &l;
    mg_stream_subjects(s, &l.read);
    rig_until(r, is_listed);
    assert_int_equal(l.n, SUBJECTS);
    assert_int_equal(l.sum, (uint64_t)SUBJECTS * (SUBJECTS + 1) / 2);
}

static void check_all(struct rig *r) {
    unsigned n = 0;
    for (struct mg_stream *s = mg_stream_next(r->part, NULL); s; s = mg_stream_next(r->part, s)) n++;
    assert_int_equal(n, RUNS);
    struct mg_stream *s = mg_stream_find(r->part, (mg_slice){"S0", 2});
    assert_non_null(s);
    check_subjects(r, s);
    for (uint64_t seq = 1; seq <= SUBJECTS; seq += 100) {
        struct rig_reading x = {.read = {.kind = MG_READ_SEQ, .seq = seq}};
        struct rig_copy got = {0};
        rig_read(r, s, &x, &got);
        assert_int_equal(got.err, 0);
        assert_int_equal(got.seq, seq);
        mg_free((char *)(uintptr_t)got.payload.p);
    }
}

static void starts_from_any_number_of_runs(void **state) {
    (void)state;
    struct rig r;
    struct rlimit limit;
    char text[32];
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < 4 * RUNS) skip(); // each run is an open file, or two
    rig_new(&r);
    for (unsigned i = 0; i < RUNS; i++) {
        snprintf(text, sizeof(text), "S%u", i);
        rig_stream(&r, text, &(struct mg_stream_limits){.max_msgs = 0});
    }
    struct mg_stream *s = mg_stream_find(r.part, (mg_slice){"S0", 2});
    for (unsigned i = 0; i < SUBJECTS; i++) {
        int n = snprintf(text, sizeof(text), "orders.%u", i * 7919 % SUBJECTS);
        rig_append(&r, s, mg_slice_of(text, (size_t)n), mg_slice_of("x", 1));
    }
    rig_checkpoint(&r);
    rig_close(&r);

    static const unsigned runs[] = {70, RUNS};
    for (unsigned i = 0; i < 2; i++) {
        scatter_store(r.dir, runs[i], 0);
        rig_open(&r);
        assert_int_equal(rig_usage(&r, "tables").files, 3 * runs[i]);
        check_all(&r);
        // A checkpoint comes through, and merges what there is.
        rig_append(&r, mg_stream_find(r.part, (mg_slice){"S1", 2}), mg_slice_of("a", 1), mg_slice_of("x", 1));
        rig_checkpoint(&r);
        assert_true(r.st->runs->count < 2 * MG_MERGE_MANY + 2);
        check_all(&r);
        rig_close(&r);
    }
    rig_remove(&r);
}

// ---- records of streams that nobody knows ---------------------------------------------------------------------------

struct told {
    unsigned lost;
    char text[512];
};
static void report(void *arg, enum mg_check_verdict meaning, const char *text) {
    struct told *t = arg;
    if (meaning != MG_CHECK_LOST) return;
    t->lost++;
    snprintf(t->text, sizeof(t->text), "%s", text);
}

static void add(struct rig *r, const char *name, unsigned n) {
    struct mg_stream *s = mg_stream_find(r->part, (mg_slice){name, strlen(name)});
    for (unsigned i = 0; i < n; i++) rig_append(r, s, mg_slice_of("a", 1), mg_slice_of("x", 1));
    rig_settle(r);
}

static void reports_records_of_unknown_streams(void **state) {
    (void)state;
    struct rig r;
    struct told told = {0};
    rig_new(&r);
    rig_stream(&r, "A", &(struct mg_stream_limits){0});
    rig_stream(&r, "B", &(struct mg_stream_limits){0});
    uint64_t a = mg_stream_find(r.part, (mg_slice){"A", 1})->id;
    add(&r, "A", 5);
    rig_checkpoint(&r);
    add(&r, "A", 7);
    add(&r, "B", 3);
    rig_close(&r);
    assert_int_equal(mg_store_check(r.dir, report, &told), MG_CHECK_HEALTHY);

    scatter_store(r.dir, 1, a); // its rows are lost
    assert_int_equal(mg_store_check(r.dir, report, &told), MG_CHECK_LOST);
    assert_int_equal(told.lost, 1);
    assert_non_null(strstr(told.text, "7 records"));
    assert_non_null(strstr(told.text, "7 messages from 6 to 12"));
    rig_open(&r);
    struct mg_store_status s = mg_store_status(r.st);
    assert_int_equal(s.unknown_streams, 1);
    assert_int_equal(s.lost_messages, 7);
    assert_int_equal(s.messages, 3);
    rig_close(&r);
    rig_remove(&r);
}

static void says_nothing_of_dropped_streams(void **state) {
    (void)state;
    struct rig r;
    struct told told = {0};
    rig_new(&r);
    rig_stream(&r, "A", &(struct mg_stream_limits){0});
    rig_stream(&r, "B", &(struct mg_stream_limits){0});
    add(&r, "A", 5);
    rig_checkpoint(&r);
    for (unsigned i = 0; i < 2; i++) { // known to the tables, and not
        add(&r, i ? "C" : "A", 7);
        struct mg_stream *s = mg_stream_find(r.part, (mg_slice){i ? "C" : "A", 1});
        assert_int_equal(mg_stream_delete(s, &r), 0);
        r.asked++;
        rig_settle(&r);
        rig_stream(&r, "C", &(struct mg_stream_limits){0});
        rig_settle(&r);
        rig_close(&r);
        assert_int_equal(mg_store_check(r.dir, report, &told), MG_CHECK_HEALTHY);
        rig_open(&r);
        assert_int_equal(mg_store_status(r.st).unknown_streams, 0);
        if (i == 0) continue;
        rig_checkpoint(&r);
        rig_close(&r);
        rig_open(&r);
        assert_int_equal(mg_store_status(r.st).unknown_streams, 0);
    }
    rig_close(&r);
    rig_remove(&r);
}

// What a checkpoint has made durable instead of the journal.
static void orphans_know_what_was_dropped(void **state) {
    (void)state;
    struct mg_orphans o = {0};
    struct mg_record_view rec = {.head = {.type = MG_RECORD_MSG, .stream = 7, .seq = 4}};
    mg_orphans_dropped(&o, 9);
    mg_orphans_add(&o, &rec);
    rec.head.seq = 6;
    mg_orphans_add(&o, &rec);
    rec.head.stream = 9;
    mg_orphans_add(&o, &rec);
    rec.head.stream = 8;
    rec.head.type = MG_RECORD_DROP;
    mg_orphans_add(&o, &rec);
    assert_int_equal(o.len, 3);
    assert_false(o.list[0].dropped);
    assert_int_equal(o.list[0].messages, 2);
    assert_int_equal(o.list[0].first_seq, 4);
    assert_int_equal(o.list[0].last_seq, 6);
    assert_true(o.list[1].dropped);
    assert_true(o.list[2].dropped);
    mg_orphans_fini(&o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_from_any_number_of_runs),
        cmocka_unit_test(reports_records_of_unknown_streams),
        cmocka_unit_test(says_nothing_of_dropped_streams),
        cmocka_unit_test(orphans_know_what_was_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
