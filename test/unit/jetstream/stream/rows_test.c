// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the rows of a consumer say when they are read again: generations, slots, and bytes that are none.
#include "test/unit/cmocka_inc.h"

#include "jetstream/consumer/varint.h"
#include "jetstream/stream/member.h"
#include "server/base/errors.h"

static void add_u64(struct mg_buf *b, uint64_t v) { mg_buf_add(b, &v, sizeof(v)); }

static struct mg_buf snapshot(uint64_t generation, unsigned used, uint64_t next) {
    struct mg_buf b = MG_BUF_INIT;
    struct mg_js_state state;
    mg_js_state_init(&state, next, false);
    mg_buf_addc(&b, 1); // version
    mg_buf_addc(&b, (char)used);
    add_u64(&b, generation);
    mg_js_state_encode(&state, &b);
    mg_js_state_fini(&state);
    return b;
}

// The delivery of seq.
static struct mg_buf delta(uint64_t generation, uint64_t seq) {
    struct mg_buf b = MG_BUF_INIT;
    struct mg_js_delta_coder coder = {0};
    add_u64(&b, generation);
    mg_js_delta_encode(&coder, &b, &(struct mg_js_delta){MG_JS_DELTA_DELIVER, seq, MG_JS_NEVER});
    return b;
}

static bool take(struct mg_js_stored *st, unsigned slot, uint64_t generation, uint64_t seq) {
    struct mg_buf b = delta(generation, seq);
    bool damaged = false;
    bool taken = mg_js_stored_deltas(st, slot, mg_buf_slice(&b), &damaged);
    assert_false(damaged);
    mg_buf_fini(&b);
    return taken;
}

static void slots_of_the_generation(void **state) {
    (void)state;
    struct mg_js_stored st = {.created = 0};
    assert_false(take(&st, 0, 7, 5)); // changes of nothing
    st.used = 0;
    struct mg_buf b = snapshot(7, 3, 5);
    assert_int_equal(mg_js_stored_snapshot(&st, mg_buf_slice(&b)), 0);
    mg_buf_fini(&b);
    assert_int_equal(st.generation, 7);
    assert_int_equal(st.used, 3);
    assert_int_equal(mg_js_state_next(&st.state), 5);
    assert_true(take(&st, 0, 7, 5));
    assert_true(take(&st, 1, 7, 6));
    assert_false(take(&st, 2, 6, 99)); // of the round before
    assert_false(take(&st, 3, 7, 99)); // behind a gap: it cannot be meant
    assert_int_equal(st.slot, 2);
    assert_int_equal(st.used, 4);
    assert_int_equal(st.state.delivered.seq, 6);
    assert_int_equal(st.state.pending.live, 2);
    mg_js_stored_fini(&st);
}

static void bytes_that_are_none(void **state) {
    (void)state;
    struct mg_js_stored st = {.created = 0};
    struct mg_js_row_head head;
    bool damaged = false;
    assert_int_equal(mg_js_stored_snapshot(&st, MG_S("")), MG_ECORRUPT);
    assert_int_equal(mg_js_stored_snapshot(&st, MG_S("\2\0\0\0\0\0\0\0\0\0")), MG_ECORRUPT);
    assert_int_equal(mg_js_stored_snapshot(&st, MG_S("\1\0\0\0\0\0\0\0\0\0")), MG_ECORRUPT);
    assert_false(st.has_state);
    assert_false(mg_js_rows_head(MG_S("\1too short"), &head));
    assert_int_equal(mg_js_stored_config(&st, MG_S("c"), MG_S("")), MG_ECORRUPT);
    struct mg_buf b = snapshot(1, 0, 1);
    assert_int_equal(mg_js_stored_snapshot(&st, mg_buf_slice(&b)), 0);
    b.len = 0;
    add_u64(&b, 1);
    mg_buf_adds(&b, "\x7f\x7f\x7f");
    mg_js_stored_deltas(&st, 0, mg_buf_slice(&b), &damaged);
    assert_true(damaged);
    mg_buf_fini(&b);
    mg_js_stored_fini(&st);
}

static struct mg_buf config_row(uint8_t version, uint8_t flags, const char *json) {
    const int64_t head[] = {77, 1000, 0}; // created, max_ack_pending, inactive_threshold
    struct mg_buf b = MG_BUF_INIT;
    mg_buf_add(&b, (const uint8_t[8]){version, flags}, version == 1 ? 8 : 2);
    if (version == 1) mg_buf_add(&b, head, sizeof(head));
    for (size_t i = 0; version > 1 && i < 3; i++) mg_varint_add(&b, mg_zigzag(head[i]));
    mg_buf_adds(&b, json);
    return b;
}

static void configurations(void **state) {
    (void)state;
    static const struct {
        uint8_t version, flags;
        const char *json, *name, *durable;
        int64_t max_waiting;
    } rows[] = {
        {1, 0, "{\"durable_name\":\"c\",\"max_waiting\":9}", "", "c", 9},
        {1, 0, "{}", "", "", 0},
        {2, MG_JS_ROW_NAMED, "{}", "c", "", 512},
        {2, MG_JS_ROW_NAMED | MG_JS_ROW_DURABLE, "{\"max_waiting\":9}", "c", "c", 9},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mg_js_stored st = {.created = 0};
        struct mg_buf b = config_row(rows[i].version, rows[i].flags, rows[i].json);
        assert_int_equal(mg_js_stored_config(&st, MG_S("c"), mg_buf_slice(&b)), 0);
        assert_int_equal(st.created, 77);
        assert_true(mg_slice_eq(st.config.name, mg_cstr(rows[i].name)));
        assert_true(mg_slice_eq(st.config.durable_name, mg_cstr(rows[i].durable)));
        assert_int_equal(st.config.max_waiting, rows[i].max_waiting);
        mg_js_stored_fini(&st);
        mg_buf_fini(&b);
    }
    struct mg_js_row_head head;
    struct mg_buf b = config_row(2, 0, "");
    assert_true(mg_js_rows_head(mg_buf_slice(&b), &head));
    assert_int_equal(head.max_ack_pending, 1000);
    for (b.len--; b.len > 0; b.len--) assert_false(mg_js_rows_head(mg_buf_slice(&b), &head));
    mg_buf_fini(&b);
    b = config_row(3, 0, "{}");
    assert_false(mg_js_rows_head(mg_buf_slice(&b), &head));
    mg_buf_fini(&b);
}

static void keys(void **state) {
    (void)state;
    struct mg_buf b = MG_BUF_INIT;
    assert_true(mg_slice_eq(mg_js_rows_key('c', MG_S("a"), 9, &b), MG_S("c/a")));
    assert_true(mg_slice_eq(mg_js_rows_key('s', MG_S("a"), 9, &b), MG_S("s/a")));
    assert_true(mg_slice_eq(mg_js_rows_key('d', MG_S("a"), 9, &b), MG_S("d/a/09")));
    mg_buf_fini(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_of_the_generation),
        cmocka_unit_test(bytes_that_are_none),
        cmocka_unit_test(configurations),
        cmocka_unit_test(keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
