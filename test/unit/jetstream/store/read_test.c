// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Reads that go on for many turns while messages come and go: each slice is one message here, and between two slices
// the test changes the stream. Until that is done turns are slow, so that the read does not come to its end before.
#include <poll.h>

#include "jetstream/store/part.h"
#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "test/unit/cmocka_inc.h"
#include "test/unit/jetstream/store/store_rig.h"

#define MANY 600u
#define SLOW 20000u // more than there are turns until a checkpoint is done

struct asked {
    struct rig r;
    struct mg_stream *s;
    struct mg_read read;
    mg_slice filter;
    unsigned turns;
    bool (*meanwhile)(struct asked *a); // false: not done yet
    uint32_t installs;
    uint64_t seq; // of the answer
    bool over;
};

static void put(struct asked *a, const char *subject) {
    struct mg_append m = {.subject = mg_cstr(subject), .payload = MG_S("x"), .expect_last = MG_ANY_SEQ,
                          .expect_subject_last = MG_ANY_SEQ};
    a->r.asked++;
    assert_int_equal(mg_stream_append(a->s, &m, &a->r), 0);
}

static void drop(struct asked *a, uint64_t seq) {
    a->r.asked++;
    assert_int_equal(mg_stream_remove(a->s, seq, false, &a->r), 0);
}

static void fill(struct asked *a, const char *subject, unsigned n) {
    while (n-- > 0) put(a, subject);
}

static void begin(struct asked *a) {
    const struct mg_stream_limits none = {0};
    memset(a, 0, sizeof(*a));
    rig_new_walking(&a->r, 1);
    a->s = rig_stream(&a->r, "S", &none);
}

static void end(struct asked *a) {
    rig_settle(&a->r);
    assert_int_equal(a->r.failed, 0);
    rig_close(&a->r);
    rig_remove(&a->r);
}

static void done(struct mg_read *r) {
    struct asked *a = r->user;
    a->over = true;
    a->seq = r->err ? 0 : r->msg.seq;
}

static bool next_turn(struct rig *r) {
    struct asked *a = mg_container_of(r, struct asked, r);
    a->turns++;
    if (!a->over && !a->meanwhile(a)) poll(NULL, 0, 1);
    return a->over;
}

static bool nothing(struct asked *a) {
    (void)a;
    return true;
}
static bool answered(struct asked *a) { return a->r.asked == a->r.answered; }

static void ask(struct asked *a, enum mg_read_kind kind, uint64_t seq, const char *filter,
                bool (*meanwhile)(struct asked *a)) {
    a->filter = mg_cstr(filter);
    a->read = (struct mg_read){.kind = kind, .seq = seq, .filters = &a->filter, .filters_len = a->filter.n > 0,
                               .done = done, .user = a};
    a->over = false;
    a->turns = 0;
    a->meanwhile = meanwhile;
    assert_int_equal(mg_stream_read(a->s, &a->read), MG_EAGAIN);
    rig_until(&a->r, next_turn);
    mg_stream_read_end(&a->read);
}

// ---- COUNT ----------------------------------------------------------------------------------------------------------

// One that was counted, one that was not, one that does not match; and a new one, which is not asked for.
static bool remove_some(struct asked *a) {
    if (a->turns != 60) return answered(a);
    drop(a, 3);
    drop(a, MANY - 1);
    drop(a, MANY + 1);
    put(a, "a.9");
    return false;
}

static void a_count_is_exact_at_its_answer(void **state) {
    struct asked a;
    (void)state;
    for (int cold = 0; cold < 2; cold++) {
        begin(&a);
        fill(&a, "a.1", cold ? 40 : MANY);
        if (cold) {
            rig_settle(&a.r);
            rig_checkpoint(&a.r);
            fill(&a, "a.1", MANY - 40);
        }
        fill(&a, "b.1", MANY);
        rig_settle(&a.r);
        ask(&a, MG_READ_COUNT, 0, "a.*", remove_some);
        assert_int_equal(a.read.count, MANY - 2);
        assert_int_equal(a.read.seq, 2 * MANY);
        ask(&a, MG_READ_COUNT, 5, "*.*", nothing);
        assert_int_equal(a.read.count, 2 * MANY - 4 - 2 + 1);
        end(&a);
    }
}

static bool purge_all(struct asked *a) {
    if (a->turns != MANY / 2) return true;
    a->r.asked++;
    assert_int_equal(mg_stream_purge(a->s, MG_S(""), 0, 0, &a->r), 0);
    put(a, "a.1");
    return true;
}

static void a_count_of_what_is_purged_is_nothing(void **state) {
    struct asked a;
    (void)state;
    begin(&a);
    fill(&a, "a.1", MANY);
    rig_settle(&a.r);
    ask(&a, MG_READ_COUNT, 1, "a.*", purge_all);
    assert_int_equal(a.read.count, 0);
    assert_int_equal(a.read.seq, MANY);
    end(&a);
}

// What it goes through comes into segments meanwhile.
static bool press(struct asked *a) {
    if (a->turns == 20) {
        a->installs = a->r.part->installs;
        mg_store_press(a->r.st);
    }
    return a->turns < 20 || a->r.part->installs != a->installs;
}

static void a_checkpoint_between_two_slices(void **state) {
    struct asked a;
    (void)state;
    begin(&a);
    for (unsigned round = 1; round < 4; round++) {
        fill(&a, "a.1", SLOW);
        put(&a, "b.1");
        fill(&a, "a.1", 10);
        rig_settle(&a.r);
        uint64_t last = a.s->last;
        if (round == 1) {
            ask(&a, MG_READ_NEXT, 1, "b.>", press);
            assert_int_equal(a.seq, last - 10);
        } else if (round == 2) {
            ask(&a, MG_READ_COUNT, 0, "*.1", press);
            assert_int_equal(a.read.count, last);
        } else {
            ask(&a, MG_READ_LAST, last - 11, "b.>", press);
            assert_int_equal(a.seq, last - (SLOW + 11) - 10);
        }
        assert_int_not_equal(a.r.part->installs, a.installs);
    }
    end(&a);
}

// ---- LAST -----------------------------------------------------------------------------------------------------------

// The only one that matches is far in front; before the walk gets there another takes its place.
static bool replace(struct asked *a) {
    if (a->turns != 60) return answered(a);
    drop(a, 2);
    put(a, "b.2");
    return false;
}

static void the_last_is_not_passed_over(void **state) {
    struct asked a;
    (void)state;
    for (int cold = 0; cold < 2; cold++) {
        begin(&a);
        fill(&a, "a.1", 1);
        put(&a, "b.1");
        if (cold) {
            rig_settle(&a.r);
            rig_checkpoint(&a.r);
        }
        fill(&a, "a.1", MANY);
        rig_settle(&a.r);
        ask(&a, MG_READ_LAST, MG_ANY_SEQ, "b.*", nothing);
        assert_int_equal(a.seq, 2);
        ask(&a, MG_READ_LAST, MG_ANY_SEQ, "b.*", replace);
        assert_int_equal(a.seq, MANY + 3);
        ask(&a, MG_READ_LAST, MANY, "b.*", nothing);
        assert_int_equal(a.read.err, MG_ENOTFOUND);
        end(&a);
    }
}

// A publish with a condition on many subjects walks the same way, and what waits behind it stays behind it.
static void a_condition_waits_for_its_walk(void **state) {
    struct asked a;
    (void)state;
    begin(&a);
    put(&a, "b.1");
    fill(&a, "a.1", MANY);
    struct mg_append m = {.subject = MG_S("b.2"), .expect_last = MG_ANY_SEQ, .expect_subject_last = 1,
                          .expect_subject = MG_S("b.*")};
    a.r.asked++;
    assert_int_equal(mg_stream_append(a.s, &m, &a.r), 0);
    put(&a, "b.3");
    assert_int_equal(a.s->last, MANY + 1);
    rig_settle(&a.r);
    assert_int_equal(a.s->last, MANY + 3);
    a.r.asked++;
    assert_int_equal(mg_stream_purge(a.s, MG_S("a.*"), 0, 10, &a.r), 0);
    rig_settle(&a.r);
    assert_int_equal(a.s->msgs, 13);
    end(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_count_is_exact_at_its_answer),
        cmocka_unit_test(a_count_of_what_is_purged_is_nothing),
        cmocka_unit_test(a_checkpoint_between_two_slices),
        cmocka_unit_test(the_last_is_not_passed_over),
        cmocka_unit_test(a_condition_waits_for_its_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
