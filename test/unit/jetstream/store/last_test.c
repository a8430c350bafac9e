// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The last message of a subject while a newer one takes its place: a reader gets one of the two, never nothing.
#include "test/unit/cmocka_inc.h"

#include "server/base/errors.h"
#include "test/unit/jetstream/store/store_rig.h"

static bool all_answered(struct rig *r) { return r->answered == r->asked; }

static void append(struct rig *r, struct mg_stream *s, const char *payload) {
    const struct mg_append a = {.subject = MG_S("a.b"), .payload = mg_cstr(payload), .expect_last = MG_ANY_SEQ,
                                .expect_subject_last = MG_ANY_SEQ};
    r->asked++;
    assert_int_equal(mg_stream_append(s, &a, r), 0);
}

struct look {
    struct mg_read r;
    struct rig *rig;
    char payload[8];
};

static void looked(struct mg_read *r) {
    struct look *l = mg_container_of(r, struct look, r);
    assert_int_equal(r->err, 0);
    snprintf(l->payload, sizeof(l->payload), "%.*s", (int)r->msg.payload.n, r->msg.payload.p);
    l->rig->answered++;
}

static void look(struct look *l, struct rig *r, struct mg_stream *s, const mg_slice *filter) {
    *l = (struct look){.rig = r};
    l->r = (struct mg_read){.kind = MG_READ_LAST, .seq = MG_ANY_SEQ, .filters = filter, .filters_len = filter != NULL,
                            .done = looked};
    r->asked++;
    int err = mg_stream_read(s, &l->r);
    if (err == 0) looked(&l->r);
    else assert_int_equal(err, MG_EAGAIN);
}

static void test_a_replaced_message_is_never_missing(void **state) {
    struct rig r;
    struct mg_stream *s;
    const struct mg_stream_limits limits = {.max_msgs_per_subject = 1};
    const mg_slice literal = MG_S("a.b"), wild = MG_S("a.*");
    (void)state;
    rig_new(&r);
    r.asked++;
    assert_int_equal(mg_stream_create(r.part, MG_S("S"), MG_S("{}"), MG_STORAGE_FILE, &limits, 0, &s, &r), 0);
    mg_stream_set_ops(s, &rig_ops, &r);
    append(&r, s, "old");
    rig_until(&r, all_answered);
    struct look exact, any, all, given_up;
    append(&r, s, "new");
    look(&exact, &r, s, &literal);
    look(&any, &r, s, &wild);
    look(&all, &r, s, NULL);
    look(&given_up, &r, s, &literal);
    mg_stream_read_end(&given_up.r);
    r.asked--;
    append(&r, s, "newer"); // replaces what they wait for
    rig_until(&r, all_answered);
    assert_string_equal(exact.payload, "new");
    assert_string_equal(any.payload, "new");
    assert_string_equal(all.payload, "new");
    assert_string_equal(given_up.payload, "");
    look(&exact, &r, s, &literal);
    assert_string_equal(exact.payload, "newer");
    assert_int_equal(r.failed, 0);
    rig_close(&r);
    rig_remove(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_replaced_message_is_never_missing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
