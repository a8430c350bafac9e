// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the keeper cleans up, seen from outside: random work with many checkpoints against a model, then the files.
#include "test/unit/cmocka_inc.h"

#include "jetstream/store/compact_pick.h"
#include "jetstream/store/part.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "test/unit/jetstream/store/store_rig.h"

#define SUBJECTS 40u
#define SEQS 40000u

struct model {
    struct mg_stream *s;
    uint8_t subject[SEQS]; // + 1; 0: no such message (any more)
    uint64_t last, live;
    uint64_t newest[SUBJECTS];
    bool kv;
};

static uint64_t next_random(uint64_t *x) {
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static mg_slice subject_name(unsigned k, char out[16]) {
    int n = snprintf(out, 16, "s.%u.x", k);
    return mg_slice_of(out, (size_t)n);
}

// The payload says which message it is of; its length varies.
static mg_slice payload_of(uint64_t seq, size_t size, char *out) {
    for (size_t i = 0; i < size; i++) out[i] = (char)(seq * 31 + i * 7);
    return mg_slice_of(out, size);
}
static size_t payload_size(uint64_t seq, size_t base) { return base + seq * 2654435761u % 97; }

static void forget(struct model *m, uint64_t seq) {
    if (m->subject[seq] == 0) return;
    m->subject[seq] = 0;
    m->live--;
}

static void append(struct rig *r, struct model *m, unsigned k, size_t base) {
    char name[16], bytes[4096];
    uint64_t seq = ++m->last;
    assert_true(seq < SEQS);
    rig_append(r, m->s, subject_name(k, name), payload_of(seq, payload_size(seq, base), bytes));
    if (m->kv && m->newest[k]) forget(m, m->newest[k]);
    m->newest[k] = seq;
    m->subject[seq] = (uint8_t)(k + 1);
    m->live++;
}

static void remove_one(struct rig *r, struct model *m, uint64_t seq) {
    if (m->subject[seq] == 0) return;
    assert_int_equal(mg_stream_remove(m->s, seq, false, r), 0);
    r->asked++;
    forget(m, seq);
}

static void purge(struct rig *r, struct model *m, int k, uint64_t up_to) {
    char name[16];
    mg_slice filter = k >= 0 ? subject_name((unsigned)k, name) : (mg_slice){NULL, 0};
    assert_int_equal(mg_stream_purge(m->s, filter, up_to, 0, r), 0);
    r->asked++;
    for (uint64_t seq = 1; seq <= m->last && (up_to == 0 || seq < up_to); seq++) {
        if (k < 0 || m->subject[seq] == k + 1) forget(m, seq);
    }
}

// Everything that can be read is what the model has.
static void check(struct rig *r, struct model *m, size_t base) {
    struct rig_copy got = {0};
    struct rig_reading x = {.read = {.kind = MG_READ_NEXT, .seq = 1, .sequential = true}};
    char bytes[4096], name[16];
    uint64_t seen = 0;
    for (uint64_t seq = 1;; seq++) {
        while (seq <= m->last && m->subject[seq] == 0) seq++;
        rig_read(r, m->s, &x, &got);
        if (seq > m->last) break;
        assert_int_equal(got.err, 0);
        assert_int_equal(got.seq, seq);
        mg_slice subject = subject_name(m->subject[seq] - 1u, name);
        assert_true(mg_slice_eq(subject, mg_slice_of(got.subject, got.subject_len)));
        mg_slice payload = payload_of(seq, payload_size(seq, base), bytes);
        assert_true(mg_slice_eq(payload, got.payload));
        x.read.seq = seq + 1;
        seen++;
    }
    assert_int_equal(got.err, MG_ENOTFOUND);
    assert_int_equal(seen, m->live);
    mg_stream_read_end(&x.read);
    struct rig_reading count = {.read = {.kind = MG_READ_COUNT, .seq = 1}};
    rig_read(r, m->s, &count, &got);
    assert_int_equal(got.count, m->live);
    mg_free((char *)(uintptr_t)got.payload.p);
}

static uint64_t messages_in_files(struct rig *r) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < r->st->keeping->segments_len; i++) n += r->st->keeping->segments[i]->messages;
    return n;
}

// ---- cleaning up
// -----------------------------------------------------------------------------------------------------

static void random_work(struct rig *r, struct model *m, unsigned n, unsigned steps, uint64_t *seed, size_t base) {
    for (unsigned i = 0; i < steps; i++) {
        struct model *one = &m[next_random(seed) % n];
        uint64_t what = next_random(seed) % 1000;
        if (what < 900 || one->last == 0) {
            append(r, one, (unsigned)(next_random(seed) % SUBJECTS), base);
        } else if (what < 990) {
            remove_one(r, one, next_random(seed) % one->last + 1);
        } else if (what < 996 && !one->kv) {
            purge(r, one, (int)(next_random(seed) % SUBJECTS), 0);
        } else if (what < 999 && !one->kv) {
            purge(r, one, -1, one->last - one->last / 3);
        } else if (!one->kv) {
            purge(r, one, -1, 0);
        }
        if (i % 512 == 511) rig_settle(r);
    }
    rig_settle(r);
    assert_int_equal(r->failed, 0);
}

static void test_random_work_equals_model(void **state) {
    (void)state;
    struct rig r;
    enum { STREAMS = 5 };
    struct model *m = mg_zalloc(STREAMS * sizeof(*m));
    uint64_t seed = 88172645463325252u, compactions = 0, merges = 0;
    rig_new(&r);
    for (unsigned i = 0; i < STREAMS; i++) {
        char name[8];
        snprintf(name, sizeof(name), "S%u", i);
        m[i].kv = i % 2 == 0;
        struct mg_stream_limits limits = {.max_msgs_per_subject = m[i].kv ? 1 : 0, .packed = i % 3 == 1};
        m[i].s = rig_stream(&r, name, &limits);
    }
    for (unsigned round = 0; round < 24; round++) {
        random_work(&r, m, STREAMS, 2000, &seed, 200);
        if (round % 3 != 2) {
            rig_checkpoint(&r);
        } else { // reads while it works
            r.checkpoints = mg_store_status(r.st).checkpoints + 1;
            mg_store_press(r.st);
        }
        for (unsigned i = 0; i < STREAMS; i++) check(&r, &m[i], 200);
        if (round % 8 == 7) { // what is on disk alone
            struct mg_store_status status = mg_store_status(r.st);
            compactions += status.compactions;
            merges += status.merges;
            rig_close(&r);
            rig_open(&r);
            for (unsigned i = 0; i < STREAMS; i++) {
                char name[8];
                int n = snprintf(name, sizeof(name), "S%u", i);
                m[i].s = mg_stream_find(r.part, mg_slice_of(name, (size_t)n));
                assert_non_null(m[i].s);
                check(&r, &m[i], 200);
                struct mg_stream_state info;
                rig_settle(&r);
                mg_stream_barrier(m[i].s, &r);
                r.asked++;
                rig_settle(&r);
                assert_int_equal(mg_stream_state(m[i].s, &info) == 0 ? info.msgs : m[i].live, m[i].live);
                assert_int_equal(info.lost, 0);
            }
        }
    }
    rig_checkpoint(&r);
    assert_true(compactions > 0 && merges > 0);
    uint64_t live = 0;
    for (unsigned i = 0; i < STREAMS; i++) live += m[i].live;
    assert_true(messages_in_files(&r) <= 2 * live + 2000);
    assert_true(r.st->keeping->segments_len <= 12);
    for (unsigned i = 0; i < STREAMS; i++) assert_true(m[i].s->cold.count <= 12);
    rig_close(&r);
    assert_int_equal(rig_usage(&r, "lost+found").files, 0);
    rig_remove(&r);
    mg_free(m);
}

static void test_dropped_streams_leave_no_file(void **state) {
    (void)state;
    struct rig r;
    struct mg_stream_limits limits = {0};
    struct model *m = mg_zalloc(2 * sizeof(*m));
    rig_new(&r);
    m[0].s = rig_stream(&r, "A", &limits);
    m[1].s = rig_stream(&r, "B", &limits);
    for (unsigned i = 0; i < 4000; i++) append(&r, &m[i % 2], i % SUBJECTS, 500);
    rig_checkpoint(&r);
    assert_true(rig_usage(&r, "segments").files > 0);
    purge(&r, &m[1], -1, 0);
    mg_stream_delete(m[0].s, &r);
    r.asked++;
    rig_checkpoint(&r);
    assert_int_equal(r.st->keeping->segments_len, 0);
    rig_checkpoint(&r); // the last reference to a file went with the answer to the first
    rig_close(&r);
    assert_int_equal(rig_usage(&r, "segments").files, 0);
    rig_open(&r);
    assert_null(mg_stream_find(r.part, mg_slice_of("A", 1)));
    m[1].s = mg_stream_find(r.part, mg_slice_of("B", 1));
    check(&r, &m[1], 500);
    assert_int_equal(m[1].s->unreadable, 0);
    // The rows of both are gone as soon as all runs were merged into one.
    for (unsigned i = 0; i < 30; i++) {
        append(&r, &m[1], 1, 10);
        rig_checkpoint(&r);
    }
    assert_true(rig_usage(&r, "tables").bytes < 400000);
    rig_close(&r);
    rig_remove(&r);
    mg_free(m);
}

static void test_many_streams_have_few_stretches(void **state) {
    (void)state;
    struct rig r;
    enum { STREAMS = 200 };
    struct mg_stream_limits limits = {0};
    struct model *m = mg_zalloc(STREAMS * sizeof(*m));
    rig_new(&r);
    for (unsigned i = 0; i < STREAMS; i++) {
        char name[8];
        snprintf(name, sizeof(name), "S%u", i);
        m[i].s = rig_stream(&r, name, &limits);
    }
    for (unsigned round = 0; round < 60; round++) {
        for (unsigned i = 0; i < STREAMS; i++) append(&r, &m[i], round % SUBJECTS, 100);
        rig_checkpoint(&r);
    }
    uint32_t most = 0;
    for (unsigned i = 0; i < STREAMS; i++) {
        if (m[i].s->cold.count > most) most = m[i].s->cold.count;
    }
    assert_true(most <= 14); // 60 without
    assert_true(r.st->keeping->segments_len <= 14);
    for (unsigned i = 0; i < STREAMS; i += 20) check(&r, &m[i], 100);
    rig_close(&r);
    rig_remove(&r);
    mg_free(m);
}

// ---- packing --------------------------------------------------------------------------------------------------------

static void configure(struct rig *r, struct mg_stream *s, bool packed) {
    const struct mg_stream_limits limits = {.packed = packed};
    assert_int_equal(mg_stream_configure(s, mg_slice_of("c", 1), &limits, r), 0);
    r->asked++;
}

static uint64_t segments_with(struct rig *r, struct model *m, unsigned n, size_t base) {
    for (unsigned i = 0; i < n; i++) append(r, m, i % SUBJECTS, base);
    rig_checkpoint(r);
    return rig_usage(r, "segments").bytes;
}

// What is packed takes less room, and counts as before. A new configuration is for what comes; a compaction, which a
// removal brings about here, takes along what is there.
static void test_packed_streams_take_less_room(void **state) {
    (void)state;
    enum { MESSAGES = 3000, SIZE = 1000 };
    struct rig r;
    struct mg_stream_state info[2];
    uint64_t bytes[2], all;
    struct model *m = mg_zalloc(2 * sizeof(*m));
    rig_new(&r);
    for (unsigned i = 0; i < 2; i++) {
        const struct mg_stream_limits limits = {.packed = i == 1};
        m[i].s = rig_stream(&r, i ? "B" : "A", &limits);
        all = rig_usage(&r, "segments").bytes;
        bytes[i] = segments_with(&r, &m[i], MESSAGES, SIZE) - all;
        mg_stream_glance(m[i].s, &info[i]);
    }
    assert_true(bytes[0] > MESSAGES * SIZE && bytes[1] * 2 < bytes[0]);
    assert_int_equal(info[0].bytes, info[1].bytes);
    configure(&r, m[0].s, true);
    configure(&r, m[1].s, false);
    rig_settle(&r);
    for (unsigned i = 0; i < 2; i++) {
        all = rig_usage(&r, "segments").bytes;
        uint64_t more = segments_with(&r, &m[i], MESSAGES, SIZE) - all;
        assert_true(i ? more > MESSAGES * SIZE : more * 2 < MESSAGES * SIZE);
    }
    rig_close(&r);
    rig_open(&r);
    for (unsigned i = 0; i < 2; i++) {
        m[i].s = mg_stream_find(r.part, mg_slice_of(i ? "B" : "A", 1));
        check(&r, &m[i], SIZE);
    }
    all = rig_usage(&r, "segments").bytes;
    for (uint64_t seq = 1; seq <= MESSAGES; seq += 3) {
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(mg_stream_remove(m[i].s, seq, seq == 1, &r), 0);
            r.asked++;
            forget(&m[i], seq);
        }
    }
    rig_checkpoint(&r);
    assert_true(mg_store_status(r.st).compactions > 0);
    for (unsigned i = 0; i < 2; i++) check(&r, &m[i], SIZE);
    // A's first third has become small, B's large.
    for (unsigned i = 0; i < 2; i++) {
        const struct mg_stretch *c = mg_stretches_get(&m[i].s->cold, (struct mg_stretch_at){0, 0});
        struct mg_section at;
        const struct mg_segment *g;
        assert_int_equal(mg_stretch_open(c, m[i].s->id, &g, &at), 0);
        uint64_t plain = (uint64_t)at.messages * SIZE;
        assert_true(i ? at.data_bytes > plain : at.data_bytes * 2 < plain);
        mg_stretch_close(c);
    }
    rig_close(&r);
    rig_remove(&r);
    mg_free(m);
}

// ---- the scrub ------------------------------------------------------------------------------------------------------

static bool scrubbed(struct rig *r) {
    struct mg_store_status s = mg_store_status(r->st);
    return s.scrubs >= r->checkpoints && s.resting;
}

static void flip_some(void *arg, const char *path, uint64_t size) {
    const char *suffix = arg;
    if (strstr(path, suffix) == NULL || size < 8192) return;
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, 300, SEEK_SET);
    int c = fgetc(f);
    fseek(f, 300, SEEK_SET);
    fputc(c ^ 1, f);
    fclose(f);
}

static void test_scrub_heals_a_copy(void **state) {
    (void)state;
    struct rig r;
    struct mg_stream_limits limits = {.dedupe_window = 0};
    struct model *m = mg_zalloc(sizeof(*m));
    rig_new(&r);
    m->s = rig_stream(&r, "A", &limits);
    for (unsigned i = 0; i < 500; i++) append(&r, m, i % SUBJECTS, 100);
    for (unsigned i = 0; i < 300; i++) {
        char key[16];
        int n = snprintf(key, sizeof(key), "row%u", i);
        mg_stream_row_put(m->s, mg_slice_of(key, (size_t)n), mg_slice_of("01234567890123456789", 20), &r);
        r.asked++;
    }
    rig_checkpoint(&r);
    rig_files(&r, "tables", flip_some, (char[]){".dup"});
    r.checkpoints = 1;
    mg_store_scrub(r.st);
    rig_until(&r, scrubbed);
    struct mg_store_status status = mg_store_status(r.st);
    assert_int_equal(status.scrub_damaged, 1);
    assert_int_equal(status.scrub_healed, 1);
    r.checkpoints = 2;
    mg_store_scrub(r.st);
    rig_until(&r, scrubbed);
    assert_int_equal(mg_store_status(r.st).scrub_damaged, 1); // nothing new
    check(&r, m, 100);
    rig_close(&r);
    rig_remove(&r);
    mg_free(m);
}

// ---- secure erase ---------------------------------------------------------------------------------------------------

struct needle {
    const char *bytes;
    size_t n;
    unsigned found;
};

static void look_for(void *arg, const char *path, uint64_t size) {
    struct needle *x = arg;
    char *all = mg_alloc(size + 1);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(all, 1, size, f), size);
    fclose(f);
    if (size && memmem(all, size, x->bytes, x->n)) x->found++;
    mg_free(all);
}

static unsigned files_with(struct rig *r, const char *bytes) {
    static const char *const folders[] = {"segments", "tables", "journal"};
    struct needle x = {.bytes = bytes, .n = strlen(bytes)};
    for (size_t i = 0; i < 3; i++) rig_files(r, folders[i], look_for, &x);
    return x.found;
}

static void erased_bytes_are_gone(bool packed) {
    static const char *const secrets[] = {"the first secret, in a segment", "the second secret, in the journal only"};
    enum { SIZE = 500 };
    struct rig r;
    struct mg_stream_limits limits = {.packed = packed};
    struct model *m = mg_zalloc(sizeof(*m));
    rig_new(&r);
    m->s = rig_stream(&r, "A", &limits);
    uint64_t first = ++m->last;
    rig_append(&r, m->s, mg_slice_of("s.1.x", 5), mg_slice_of(secrets[0], strlen(secrets[0])));
    for (unsigned i = 0; i < 300; i++) append(&r, m, i % SUBJECTS, SIZE);
    rig_checkpoint(&r);
    uint64_t second = ++m->last;
    rig_append(&r, m->s, mg_slice_of("s.1.x", 5), mg_slice_of(secrets[1], strlen(secrets[1])));
    for (unsigned i = 0; i < 300; i++) append(&r, m, i % SUBJECTS, SIZE);
    rig_settle(&r);
    assert_int_equal(files_with(&r, secrets[0]), 2); // journal and segment; packed, it is in the dictionary
    assert_int_equal(files_with(&r, secrets[1]), 1);
    mg_stream_remove(m->s, first, true, &r);
    mg_stream_remove(m->s, second, true, &r);
    r.asked += 2;
    rig_checkpoint(&r);
    assert_int_equal(files_with(&r, secrets[0]), 0);
    assert_int_equal(files_with(&r, secrets[1]), 0);
    check(&r, m, SIZE);
    rig_checkpoint(&r);
    rig_close(&r);
    rig_open(&r);
    assert_int_equal(r.st->keeping->erase_len, 0); // nothing is left to do
    m->s = mg_stream_find(r.part, mg_slice_of("A", 1));
    check(&r, m, SIZE);
    rig_close(&r);
    rig_remove(&r);
    mg_free(m);
}

static void test_erased_bytes_are_gone(void **state) {
    (void)state;
    erased_bytes_are_gone(false);
    erased_bytes_are_gone(true);
}

// Figures in, a choice out.
static void test_garbage_is_measured_by_what_lives(void **state) {
    (void)state;
    const uint64_t mb = 1 << 20;
    struct mg_compact_item list[] = {
        {.id = 1, .size = 100 * mb, .live = 100 * mb, .age = 1, .stretches = 1, .usable = true},
        {.id = 2, .size = 40 * mb, .live = 20 * mb, .age = 2, .stretches = 1, .usable = true},
    };
    uint32_t picked[MG_COMPACT_MAX];
    assert_int_equal(mg_compact_garbage(list, 2), MG_GARBAGE_SOME);
    assert_int_equal(mg_compact_pick(list, 2, picked), 1);
    assert_int_equal(picked[0], 1);
    list[1].live = 35 * mb; // an eighth of it is not worth a job
    assert_int_equal(mg_compact_pick(list, 2, picked), 0);
    list[0].live = 70 * mb; // 1.33 times what lives: now 30 percent are
    assert_int_equal(mg_compact_garbage(list, 2), MG_GARBAGE_MUCH);
    assert_int_equal(mg_compact_pick(list, 2, picked), 1);
    assert_int_equal(picked[0], 0);
    list[0].live = 30 * mb;
    assert_int_equal(mg_compact_garbage(list, 2), MG_GARBAGE_FLOOD);
    list[0].usable = false; // what cannot be rewritten counts for nothing
    assert_int_equal(mg_compact_garbage(list, 2), MG_GARBAGE_SOME);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_garbage_is_measured_by_what_lives),
        cmocka_unit_test(test_random_work_equals_model),
        cmocka_unit_test(test_dropped_streams_leave_no_file),
        cmocka_unit_test(test_many_streams_have_few_stretches),
        cmocka_unit_test(test_packed_streams_take_less_room),
        cmocka_unit_test(test_scrub_heals_a_copy),
        cmocka_unit_test(test_erased_bytes_are_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
