// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Reading ahead: batches of eight messages, while the stream changes under the reader.
#include "jetstream/store/ahead.h"

#include "jetstream/store/part.h"
#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "test/unit/cmocka_inc.h"
#include "test/unit/jetstream/store/store_rig.h"

#define BATCH 8u
#define MANY 100u

struct reader {
    struct rig r;
    struct mg_stream *s;
    struct mg_read read;
    mg_slice filter;
    bool waits, over; // over: done was called
};

static void put(struct reader *a, const char *subject, unsigned n) {
    struct mg_append m = {.subject = mg_cstr(subject), .payload = MG_S("x"), .expect_last = MG_ANY_SEQ,
                          .expect_subject_last = MG_ANY_SEQ};
    for (; n > 0; n--) {
        a->r.asked++;
        assert_int_equal(mg_stream_append(a->s, &m, &a->r), 0);
    }
    rig_settle(&a->r);
}

static void drop(struct reader *a, uint64_t seq) {
    a->r.asked++;
    assert_int_equal(mg_stream_remove(a->s, seq, false, &a->r), 0);
    rig_settle(&a->r);
}

static void done(struct mg_read *r) {
    struct reader *a = r->user;
    a->waits = false;
    a->over = true;
}

static void begin(struct reader *a, const char *filter) {
    const struct mg_stream_limits none = {0};
    memset(a, 0, sizeof(*a));
    rig_new_walking(&a->r, BATCH);
    a->s = rig_stream(&a->r, "S", &none);
    a->filter = mg_cstr(filter);
    a->read = (struct mg_read){.kind = MG_READ_NEXT, .sequential = true, .filters = &a->filter,
                               .filters_len = a->filter.n > 0, .done = done, .user = a};
}

// With all there is in files.
static void begin_cold(struct reader *a) {
    begin(a, "");
    put(a, "a", MANY);
    rig_checkpoint(&a->r);
}

static void end(struct reader *a) {
    mg_stream_read_end(&a->read);
    rig_settle(&a->r);
    assert_int_equal(a->r.failed, 0);
    rig_close(&a->r);
    rig_remove(&a->r);
}

static void ask(struct reader *a, uint64_t from) {
    a->read.seq = from;
    a->waits = mg_stream_read(a->s, &a->read) != 0;
}
static bool is_over(struct rig *r) { return !mg_container_of(r, struct reader, r)->waits; }

// The number of the message from `from` on; 0: there is none.
static uint64_t next(struct reader *a, uint64_t from) {
    ask(a, from);
    if (a->waits) rig_until(&a->r, is_over);
    if (a->read.err == 0) return a->read.msg.seq;
    assert_int_equal(a->read.err, MG_ENOTFOUND);
    return 0;
}

static bool came(struct rig *r) {
    const struct reader *a = mg_container_of(r, struct reader, r);
    return a->read.ahead->coming == NULL;
}

static void the_next_batch_is_there_when_it_is_needed(void **state) {
    struct reader a;
    (void)state;
    begin_cold(&a);
    for (uint64_t seq = 1; seq <= MANY; seq++) {
        ask(&a, seq);
        assert_int_equal(a.waits, seq == 1);
        if (a.waits) rig_until(&a.r, is_over);
        assert_int_equal(a.read.msg.seq, seq);
        if (seq % BATCH == 4) {
            assert_int_equal(a.read.ahead->coming != NULL, seq + BATCH / 2 < MANY);
            rig_until(&a.r, came);
        }
    }
    assert_int_equal(next(&a, MANY + 1), 0);
    assert_null(a.read.ahead->coming);
    end(&a);
}

// As above, but nobody waits for the answer in time.
static void who_is_faster_than_the_disk_waits_for_the_same_answer(void **state) {
    struct reader a;
    (void)state;
    begin_cold(&a);
    unsigned waited = 0;
    for (uint64_t seq = 1; seq <= MANY; seq++) {
        ask(&a, seq);
        const struct mg_cold_read *cold = a.read.cold;
        if (seq > 1 && a.waits) assert_ptr_equal(cold, a.read.ahead->coming);
        waited += a.waits;
        if (a.waits) rig_until(&a.r, is_over);
        assert_int_equal(a.read.msg.seq, seq);
    }
    assert_true(waited <= MANY / BATCH + 1);
    end(&a);
}

// What was removed is left out, wherever the answer is just then; what has moved from memory into files is found.
static void messages_that_go_meanwhile_are_left_out(void **state) {
    for (unsigned when = 0; when < 3; when++) {
        struct reader a;
        (void)state;
        begin_cold(&a);
        assert_int_equal(next(&a, 1), 1);
        assert_int_equal(next(&a, 2), 2);
        assert_non_null(a.read.ahead->coming);
        if (when == 1) rig_until(&a.r, came);
        for (uint64_t seq = 9; seq <= 17; seq++) drop(&a, seq); // all of the next batch
        put(&a, "a", 3);
        if (when == 2) rig_checkpoint(&a.r);
        for (uint64_t seq = 3; seq <= 8; seq++) assert_int_equal(next(&a, seq), seq);
        assert_int_equal(next(&a, 9), 18);
        drop(&a, 19);
        rig_checkpoint(&a.r);
        drop(&a, 20);
        assert_int_equal(next(&a, 19), 21);
        for (uint64_t seq = 22; seq <= MANY + 3; seq++) assert_int_equal(next(&a, seq), seq);
        assert_int_equal(next(&a, MANY + 4), 0);
        assert_int_equal(next(&a, 1), 1); // back
        assert_int_equal(next(&a, 60), 60);
        assert_int_equal(next(&a, 3), 3);
        end(&a);
    }
}

static void a_purge_moves_the_reader_on(void **state) {
    struct reader a;
    (void)state;
    begin_cold(&a);
    for (uint64_t seq = 1; seq <= 5; seq++) assert_int_equal(next(&a, seq), seq);
    a.r.asked++;
    assert_int_equal(mg_stream_purge(a.s, MG_S(""), 50, 0, &a.r), 0); // behind the batch that is coming
    rig_settle(&a.r);
    for (uint64_t seq = 6, found; seq <= MANY; seq = found + 1) {
        found = next(&a, seq);
        assert_int_equal(found, seq < 50 ? 50 : seq);
    }
    end(&a);
}

// One in twenty matches: the batch ends where the file does.
static void nothing_is_asked_for_behind_a_batch_that_is_not_full(void **state) {
    struct reader a;
    (void)state;
    begin(&a, "b");
    for (unsigned i = 0; i < 4; i++) {
        put(&a, "a", 19);
        put(&a, "b", 1);
    }
    rig_checkpoint(&a.r);
    assert_int_equal(next(&a, 1), 20);
    assert_int_equal(next(&a, 21), 40);
    assert_null(a.read.ahead->coming);
    assert_int_equal(next(&a, 41), 60);
    assert_int_equal(next(&a, 61), 80);
    assert_int_equal(next(&a, 81), 0);
    end(&a);
}

// The stream goes while the answer is under way: who waits for it is told, who does not is not.
static void the_stream_goes(void **state) {
    for (int waits = 0; waits < 2; waits++) {
        struct reader a;
        (void)state;
        begin_cold(&a);
        assert_int_equal(next(&a, 1), 1);
        for (uint64_t seq = 2; seq <= (waits ? 8 : 2); seq++) assert_int_equal(next(&a, seq), seq);
        if (waits) {
            for (uint64_t seq = 9; !a.waits && seq < MANY; seq++) ask(&a, seq);
            assert_true(a.waits);
        }
        a.over = false;
        mg_reads_fail(a.s);
        assert_int_equal(a.over, waits);
        if (waits) assert_int_equal(a.read.err, MG_ECLOSED);
        end(&a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_batch_is_there_when_it_is_needed),
        cmocka_unit_test(who_is_faster_than_the_disk_waits_for_the_same_answer),
        cmocka_unit_test(messages_that_go_meanwhile_are_left_out),
        cmocka_unit_test(a_purge_moves_the_reader_on),
        cmocka_unit_test(nothing_is_asked_for_behind_a_batch_that_is_not_full),
        cmocka_unit_test(the_stream_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
