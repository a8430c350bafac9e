// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The row of a subject is computed from all stretches of a stream: they are copied in slices.
#include "jetstream/store/cold.h"

#include "jetstream/store/store_impl.h"
#include "test/unit/cmocka_inc.h"
#include "test/unit/jetstream/store/store_rig.h"

#define SECTIONS 700u

struct asked {
    bool done, cancelled;
    int64_t count;
    uint64_t first, last;
};

static void answered(struct mg_cold_read *r) {
    struct asked *a = r->user;
    a->done = true;
    a->cancelled = r->stream == NULL;
    if (a->cancelled) return;
    const struct mg_buf *found = &r->answer->bytes;
    const struct mg_subject_row *row = (const void *)found->p;
    assert_int_equal(r->err, 0);
    if (found->len == 0) return;
    a->count = row->count;
    a->first = row->first;
    a->last = row->last;
}

static bool is_done(struct rig *r) { return ((const struct asked *)r->user)->done; }

static struct mg_cold_read *ask(struct mg_stream *s, mg_slice subject, struct asked *a) {
    const struct mg_cold_question q = {.kind = MG_COLD_SUBJECT, .filters = &subject, .filters_len = 1};
    *a = (struct asked){.done = false};
    return mg_cold_ask(s, &q, answered, a);
}

// Ten messages in each stretch; the first one is of subject b.
static struct mg_stream *stretched(struct rig *r, struct asked *a) {
    rig_new(r);
    r->st->o.section_messages = 10;
    struct mg_stream *s = rig_stream(r, "S", &(struct mg_stream_limits){.max_msgs = 0});
    for (unsigned i = 0; i < SECTIONS * 10; i++) rig_append(r, s, i % 10 ? MG_S("a") : MG_S("b"), MG_S("x"));
    rig_checkpoint(r);
    assert_int_equal(s->cold.count, SECTIONS);
    r->st->o.steps = 1;
    r->user = a;
    return s;
}

static void of_all_stretches(void **state) {
    struct rig r;
    struct asked a;
    struct mg_stream *s = stretched(&r, &a);
    (void)state;
    const struct mg_cold_read *c = ask(s, MG_S("b"), &a);
    assert_in_range(c->cold_len, 1, SECTIONS / 2);
    rig_until(&r, is_done);
    assert_int_equal(a.count, SECTIONS);
    assert_int_equal(a.first, 1);
    assert_int_equal(a.last, SECTIONS * 10 - 9);
    ask(s, MG_S("c"), &a);
    rig_until(&r, is_done);
    assert_int_equal(a.count, 0);
    rig_close(&r);
    rig_remove(&r);
}

static void begins_again_behind_a_checkpoint(void **state) {
    struct rig r;
    struct asked a;
    struct mg_stream *s = stretched(&r, &a);
    (void)state;
    const struct mg_cold_read *c = ask(s, MG_S("b"), &a);
    uint32_t slice = c->cold_len;
    mg_cold_gather(s);
    assert_int_equal(c->cold_len, 2 * slice);
    s->installs++;
    mg_cold_gather(s);
    assert_int_equal(c->cold_len, slice);
    rig_until(&r, is_done);
    assert_int_equal(a.count, SECTIONS);
    rig_close(&r);
    rig_remove(&r);
}

static void is_told_that_the_stream_is_gone(void **state) {
    struct rig r;
    struct asked a;
    struct mg_stream *s = stretched(&r, &a);
    (void)state;
    ask(s, MG_S("b"), &a);
    assert_int_equal(mg_stream_delete(s, &r), 0);
    r.asked++;
    rig_until(&r, is_done);
    assert_true(a.cancelled);
    rig_settle(&r);
    rig_close(&r);
    rig_remove(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_all_stretches),
        cmocka_unit_test(begins_again_behind_a_checkpoint),
        cmocka_unit_test(is_told_that_the_stream_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
