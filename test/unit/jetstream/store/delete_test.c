// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A stream is deleted while thousands of changes wait: they are refused in slices, in order, and the deletion is
// answered behind them. Or while a checkpoint begins that has to know much of it: the deletion waits for that.
#include "test/unit/cmocka_inc.h"

#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "test/unit/jetstream/store/store_rig.h"

#define WAITING 5000u
#define STEPS 100u

struct seen {
    uint64_t refused, before, most; // most: in one turn
    bool deleted;
};

static void on_result(void *app, const struct mg_result *res) {
    struct seen *seen = ((struct rig *)app)->user;
    if (res->ctx == seen) {
        assert_int_equal(res->err, 0);
        assert_int_equal(seen->refused, WAITING);
        seen->deleted = true;
    } else if (res->ctx) {
        assert_int_equal(res->err, MG_ECLOSED);
        assert_int_equal((uintptr_t)res->ctx, ++seen->refused);
    }
}

static bool is_deleted(struct rig *r) {
    struct seen *seen = r->user;
    uint64_t n = seen->refused - seen->before;
    if (n > seen->most) seen->most = n;
    seen->before = seen->refused;
    return seen->deleted;
}

static void append(struct mg_stream *s, size_t bytes, uintptr_t ctx) {
    char *payload = mg_zalloc(bytes);
    struct mg_append a = {.subject = mg_slice_of("a", 1), .payload = mg_slice_of(payload, bytes),
                          .expect_last = MG_ANY_SEQ, .expect_subject_last = MG_ANY_SEQ};
    assert_int_equal(mg_stream_append(s, &a, (void *)ctx), 0); // NOLINT
    mg_free(payload);
}

static void refuses_what_waits_in_slices(void **state) {
    static const struct mg_stream_ops ops = {.result = on_result};
    struct seen seen = {.refused = 0};
    struct rig r;
    (void)state;
    rig_new(&r);
    struct mg_stream *s = rig_stream(&r, "S", &(struct mg_stream_limits){.max_msgs = 0});
    rig_settle(&r);
    r.user = &seen;
    mg_stream_set_ops(s, &ops, &r);
    r.st->o.steps = STEPS;
    // The first one waits for its extent, the others for the first one.
    append(s, 300000, 1);
    for (uintptr_t i = 2; i <= WAITING; i++) append(s, 10, i);
    assert_int_equal(mg_stream_delete(s, &seen), 0);
    assert_int_equal(mg_stream_delete(s, &seen), MG_ECLOSED);
    assert_null(mg_stream_find(r.part, mg_slice_of("S", 1)));
    struct mg_stream *again = rig_stream(&r, "S", &(struct mg_stream_limits){.max_msgs = 0});
    rig_until(&r, is_deleted);
    assert_true(seen.most <= STEPS);
    rig_settle(&r);
    assert_ptr_equal(mg_stream_find(r.part, mg_slice_of("S", 1)), again);
    assert_int_equal(mg_store_part_sums(r.part)->messages, 0);
    rig_append(&r, again, mg_slice_of("a", 1), mg_slice_of("x", 1));
    rig_settle(&r);
    assert_int_equal(mg_store_part_sums(r.part)->messages, 1);
    assert_int_equal(mg_store_part_sums(r.part)->bytes[MG_STORAGE_FILE], mg_stream_bytes(again));
    rig_close(&r);
    rig_open(&r);
    assert_int_equal(mg_store_part_sums(r.part)->messages, 1);
    rig_close(&r);
    rig_remove(&r);
}

#define SECTIONS 500u

static bool is_half_sealed(struct rig *r) {
    const struct mg_stream *s = mg_stream_find(r->part, mg_slice_of("S", 1));
    return r->part->seal && s->sealed_in != r->part->generation;
}

// Messages of many stretches were removed, and a checkpoint has begun.
static struct mg_stream *half_sealed(struct rig *r) {
    rig_new(r);
    r->st->o.section_messages = 10;
    struct mg_stream *s = rig_stream(r, "S", &(struct mg_stream_limits){.max_msgs = 0});
    for (unsigned i = 0; i < SECTIONS * 10; i++) rig_append(r, s, i % 10 ? MG_S("a") : MG_S("b"), MG_S("x"));
    rig_checkpoint(r);
    assert_true(s->cold.count >= SECTIONS);
    assert_int_equal(mg_stream_purge(s, MG_S("b"), 0, 0, r), 0);
    r->asked++;
    rig_settle(r);
    assert_true(s->cold.stale >= SECTIONS);
    r->st->o.steps = 1;
    mg_store_press(r->st);
    rig_until(r, is_half_sealed);
    assert_true(s->cold.stale > 0);
    return s;
}

static void end(struct rig *r, bool there) {
    for (int i = 0; i < 2; i++) {
        const struct mg_stream *s = mg_stream_find(r->part, mg_slice_of("S", 1));
        assert_int_equal(s != NULL, there);
        if (there) assert_int_equal(mg_stream_messages((struct mg_stream *)(uintptr_t)s), 1);
        rig_close(r);
        rig_open(r);
    }
    rig_close(r);
    rig_remove(r);
}

static void waits_for_a_checkpoint(void **state) {
    struct rig r;
    struct mg_stream *s = half_sealed(&r);
    (void)state;
    assert_int_equal(mg_stream_delete(s, &r), 0);
    r.asked++;
    assert_true(s->cold.stale > 0);
    assert_false(s->dropped);
    assert_int_equal(mg_store_part_sums(r.part)->messages, 0);
    assert_null(mg_stream_find(r.part, mg_slice_of("S", 1)));
    rig_settle(&r);
    assert_int_equal(r.failed, 0);
    end(&r, false);
}

// Its record is in front of that of the next stream of this name.
static void is_before_the_next_one(void **state) {
    struct rig r;
    struct mg_stream *s = half_sealed(&r);
    (void)state;
    assert_int_equal(mg_stream_delete(s, &r), 0);
    r.asked++;
    assert_false(s->dropped);
    struct mg_stream *next = rig_stream(&r, "S", &(struct mg_stream_limits){.max_msgs = 0});
    assert_true(s->dropped);
    rig_append(&r, next, MG_S("a"), MG_S("x"));
    rig_settle(&r);
    assert_int_equal(r.failed, 0);
    end(&r, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_waits_in_slices),
        cmocka_unit_test(waits_for_a_checkpoint),
        cmocka_unit_test(is_before_the_next_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
