// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Messages of many streams become too old at the same moment: timers remove nothing, turns do.
#include "jetstream/store/stream.h"
#include "test/unit/cmocka_inc.h"
#include "test/unit/jetstream/store/store_rig.h"

#define STREAMS 50u
#define MESSAGES 300u
#define LATER UINT64_C(10000000000) // ns

static bool answered(struct rig *r) { return r->answered == r->asked; }

static bool all_gone(struct rig *r) {
    for (struct mg_stream *s = mg_stream_next(r->part, NULL); s; s = mg_stream_next(r->part, s)) {
        if (mg_stream_messages(s)) return false;
    }
    return true;
}

static void fill(struct rig *r, unsigned n) {
    const struct mg_stream_limits limits = {.max_age = 1};
    struct mg_append a = {.subject = MG_S("a"), .payload = MG_S("x"), .expect_last = MG_ANY_SEQ,
                          .expect_subject_last = MG_ANY_SEQ};
    char name[16];
    mg_slice slice = {name, (size_t)snprintf(name, sizeof(name), "S%u", n)};
    struct mg_stream *s;
    assert_int_equal(mg_stream_create(r->part, slice, MG_S("{}"), MG_STORAGE_FILE, &limits, 0, &s, r), 0);
    mg_stream_set_ops(s, &rig_ops, r);
    for (unsigned i = 0; i < MESSAGES; i++) assert_int_equal(mg_stream_append(s, &a, r), 0);
    r->asked += 1 + MESSAGES;
}

static void all_at_once(void **state) {
    struct rig r;
    (void)state;
    rig_new(&r);
    for (unsigned i = 0; i < STREAMS; i++) fill(&r, i);
    rig_until(&r, answered);
    uint64_t before = mg_store_part_sums(r.part)->messages; // all, unless the machine is very slow
    mg_wheel_advance(&r.wheel, mg_loop_clock(r.loop) + LATER);
    assert_int_equal(mg_store_part_sums(r.part)->messages, before);
    for (struct mg_stream *s = mg_stream_next(r.part, NULL); s; s = mg_stream_next(r.part, s))
        assert_true(mg_stream_messages(s) == 0 || !mg_list_empty(&s->aging));
    rig_until(&r, all_gone);
    assert_int_equal(r.failed, 0);
    rig_close(&r);
    rig_remove(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
