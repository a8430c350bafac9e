// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Conditions of an append that look at more than one number, and what an append tells of its decision; the same after a
// restart, when the messages they speak of are in segments.
#include "jetstream/store/part.h"
#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "test/unit/cmocka_inc.h"
#include "test/unit/jetstream/store/store_rig.h"

struct answer {
    int err;
    uint64_t seq;
    bool here, duplicate;
};

static void result(void *app, const struct mg_result *r) {
    struct answer *a = r->ctx;
    (void)app;
    if (a) *a = (struct answer){r->err, r->seq, true, r->duplicate};
}
static const struct mg_stream_ops ops = {.result = result};

static bool answered(struct rig *r) { return ((struct answer *)r->user)->here; }

static struct answer await(struct rig *r, struct answer *a) {
    r->user = a;
    rig_until(r, answered);
    return *a;
}

static struct mg_append plain(const char *subject) {
    return (struct mg_append){.subject = mg_cstr(subject), .payload = MG_S("x"), .expect_last = MG_ANY_SEQ,
                              .expect_subject_last = MG_ANY_SEQ};
}

static struct answer append(struct rig *r, struct mg_stream *s, const struct mg_append *a) {
    struct answer got = {0};
    assert_int_equal(mg_stream_append(s, a, &got), 0);
    return await(r, &got);
}

static struct mg_stream *create(struct rig *r) {
    const struct mg_stream_limits limits = {.dedupe_window = 120000000000u};
    struct mg_stream *s;
    struct answer got = {0};
    assert_int_equal(mg_stream_create(r->part, MG_S("S"), MG_S("{}"), MG_STORAGE_FILE, &limits, 0, &s, &got), 0);
    mg_stream_set_ops(s, &ops, r);
    await(r, &got);
    return s;
}

static uint64_t wanted;
static bool checkpointed(struct rig *r) { return mg_store_status(r->st).checkpoints >= wanted; }

// Everything goes to segments, and the store is opened again.
static struct mg_stream *reopen(struct rig *r) {
    wanted = mg_store_status(r->st).checkpoints + 1;
    mg_store_press(r->st);
    rig_until(r, checkpointed);
    rig_close(r);
    rig_open(r);
    struct mg_stream *s = mg_stream_find(r->part, MG_S("S"));
    assert_non_null(s);
    mg_stream_set_ops(s, &ops, r);
    return s;
}

static void check_wildcards(struct rig *r, struct mg_stream *s) {
    struct mg_append a = plain("c");
    a.expect_subject = MG_S("a.*");
    a.expect_subject_last = 1;
    struct answer got = append(r, s, &a);
    assert_int_equal(got.err, MG_EWRONGSEQ);
    assert_int_equal(got.seq, 2);
    a.expect_subject = MG_S("none.>");
    assert_int_equal(append(r, s, &a).seq, 0);
}

static void wildcards_of_a_condition(void **state) {
    struct rig r;
    (void)state;
    rig_new(&r);
    struct mg_stream *s = create(&r);
    struct mg_append a1 = plain("a.1"), a2 = plain("a.2"), b = plain("b");
    append(&r, s, &a1);
    append(&r, s, &a2);
    append(&r, s, &b);
    check_wildcards(&r, s);
    s = reopen(&r);
    check_wildcards(&r, s);
    struct mg_append ok = plain("c");
    ok.expect_subject = MG_S("a.*");
    ok.expect_subject_last = 2;
    assert_int_equal(append(&r, s, &ok).seq, 4);
    rig_close(&r);
    rig_remove(&r);
}

static void the_id_of_the_last_message(void **state) {
    struct rig r;
    struct mg_append_facts facts = {.want_previous = true};
    (void)state;
    rig_new(&r);
    struct mg_stream *s = create(&r);
    struct mg_append a = plain("a");
    a.msg_id = MG_S("one");
    a.facts = &facts;
    assert_true(mg_stream_last_id_known(s));
    assert_int_equal(append(&r, s, &a).seq, 1);
    assert_int_equal(facts.previous, 0);
    assert_true(facts.time > 0);
    a.msg_id = MG_S("two");
    a.expects_id = true;
    a.expect_id = MG_S("none");
    assert_int_equal(append(&r, s, &a).err, MG_EWRONGID);
    assert_true(mg_slice_eq(mg_buf_slice(&facts.last_id), MG_S("one")));
    a.expect_id = MG_S("one");
    assert_int_equal(append(&r, s, &a).seq, 2);
    assert_int_equal(facts.previous, 1);
    a.expect_id = MG_S("nonsense"); // a duplicate is found before
    assert_true(append(&r, s, &a).duplicate);
    a.refuse_early = MG_EINVAL; // and this comes before that
    assert_int_equal(append(&r, s, &a).err, MG_EINVAL);
    s = reopen(&r);
    assert_false(mg_stream_last_id_known(s));
    mg_stream_set_last_id(s, MG_S("two"));
    a = plain("a");
    a.expects_id = true;
    a.expect_id = MG_S("two");
    assert_int_equal(append(&r, s, &a).seq, 3);
    mg_buf_fini(&facts.last_id);
    rig_close(&r);
    rig_remove(&r);
}

static bool read_done;
static void on_read(struct mg_read *rd) {
    (void)rd;
    read_done = true;
}
static bool was_read(struct rig *r) {
    (void)r;
    return read_done;
}

static int row(struct rig *r, struct mg_stream *s, mg_slice key) {
    struct mg_read rd = {.kind = MG_READ_ROW, .key = key, .done = on_read};
    read_done = false;
    if (mg_stream_read(s, &rd) == MG_EAGAIN) rig_until(r, was_read);
    return rd.err;
}

static void a_row_comes_with_its_message(void **state) {
    struct rig r;
    (void)state;
    rig_new(&r);
    struct mg_stream *s = create(&r);
    struct mg_append a = plain("a");
    a.msg_id = MG_S("id");
    a.row = MG_S("T1");
    append(&r, s, &a);
    append(&r, s, &a); // a duplicate writes none
    mg_slice first = mg_slice_of("T1\0\0\0\0\0\0\0\1", 10), second = mg_slice_of("T1\0\0\0\0\0\0\0\2", 10);
    assert_int_equal(row(&r, s, first), 0);
    rig_close(&r); // from the journal
    rig_open(&r);
    s = mg_stream_find(r.part, MG_S("S"));
    assert_int_equal(row(&r, s, first), 0);
    assert_int_equal(row(&r, s, second), MG_ENOTFOUND);
    mg_stream_set_ops(s, &ops, &r);
    s = reopen(&r); // from the tables
    assert_int_equal(row(&r, s, first), 0);
    assert_int_equal(row(&r, s, second), MG_ENOTFOUND);
    rig_close(&r);
    rig_remove(&r);
}

static struct mg_stream_state state_of(struct rig *r, struct mg_stream *s) {
    struct mg_stream_state st;
    struct answer got = {0};
    mg_stream_barrier(s, &got);
    await(r, &got);
    assert_int_equal(mg_stream_state(s, &st), 0);
    return st;
}

static void a_purge_beyond_the_end_moves_it(void **state) {
    struct rig r;
    struct answer got = {0};
    (void)state;
    rig_new(&r);
    struct mg_stream *s = create(&r);
    struct mg_append a = plain("a");
    append(&r, s, &a);
    assert_int_equal(mg_stream_purge(s, mg_slice_of(NULL, 0), 100, 0, &got), 0);
    assert_int_equal(await(&r, &got).seq, 1);
    s = reopen(&r);
    struct mg_stream_state st = state_of(&r, s);
    assert_int_equal(st.first, 100);
    assert_int_equal(st.last, 99);
    assert_int_equal(st.msgs, 0);
    assert_int_equal(append(&r, s, &a).seq, 100);
    s = reopen(&r);
    st = state_of(&r, s);
    assert_int_equal(st.last, 100);
    assert_int_equal(st.deleted, 0);
    rig_close(&r);
    rig_remove(&r);
}

static uint64_t op_of(struct rig *r, struct mg_stream *s) {
    state_of(r, s);
    return s->op;
}

// What a crash cannot tear: the message and what it removes are one operation.
static void a_rollup_is_one_operation(void **state) {
    struct rig r;
    (void)state;
    rig_new(&r);
    struct mg_stream *s = create(&r);
    struct mg_append a = plain("a"), b = plain("b");
    for (unsigned i = 0; i < 5; i++) append(&r, s, &a);
    append(&r, s, &b);
    s = reopen(&r);
    append(&r, s, &a);
    a.rollup_subject = true;
    uint64_t before = op_of(&r, s);
    assert_int_equal(append(&r, s, &a).seq, 8);
    assert_int_equal(op_of(&r, s), before + 1);
    struct mg_stream_state st = state_of(&r, s);
    assert_int_equal(st.msgs, 2);
    assert_int_equal(st.first, 6);
    b.rollup_all = true;
    assert_int_equal(append(&r, s, &b).seq, 9);
    assert_int_equal(op_of(&r, s), before + 2);
    rig_close(&r); // from the journal
    rig_open(&r);
    s = mg_stream_find(r.part, MG_S("S"));
    mg_stream_set_ops(s, &ops, &r);
    st = state_of(&r, s);
    assert_int_equal(st.msgs, 1);
    assert_int_equal(st.first, 9);
    assert_int_equal(st.last, 9);
    rig_close(&r);
    rig_remove(&r);
}

// ---- room -----------------------------------------------------------------------------------------------------------

#define SMALL 3000u

struct watched {
    struct mg_stream *s;
    uint64_t each, most, removed;
};

static void removed_watched(void *app, uint64_t seq, mg_slice subject) {
    struct watched *w = app;
    (void)subject;
    assert_int_equal(seq, ++w->removed);
    assert_true(mg_stream_bytes(w->s) <= w->most);
}
static const struct mg_stream_ops watched_ops = {.result = result, .removed = removed_watched};

// Messages as small as they can be, and no room for another.
static void fill(struct rig *r, enum mg_stream_storage storage, struct watched *w) {
    struct mg_append a = plain("a");
    struct answer got = {0};
    w->each = storage == MG_STORAGE_FILE ? 32 : 18;
    w->most = SMALL * w->each;
    const struct mg_stream_limits limits = {.max_bytes = (int64_t)w->most, .discard = MG_DISCARD_OLD};
    assert_int_equal(mg_stream_create(r->part, MG_S("S"), MG_S("{}"), storage, &limits, 0, &w->s, &got), 0);
    mg_stream_set_ops(w->s, &watched_ops, w);
    await(r, &got);
    for (unsigned i = 1; i < SMALL; i++) assert_int_equal(mg_stream_append(w->s, &a, NULL), 0);
    append(r, w->s, &a);
    assert_int_equal(mg_stream_bytes(w->s), w->most);
}

// Limits hold at any moment, no record names more than 128, and conditions hold though what they speak of goes.
static void add_a_large_one(struct rig *r, struct watched *w) {
    const size_t large = SMALL * w->each - 100 * w->each;
    char *payload = mg_zalloc(large);
    struct mg_append a = plain("a"), behind = plain("a");
    struct mg_append_facts facts = {.want_previous = true};
    struct answer got = {0}, next = {0};
    uint64_t before = w->s->op;
    a.payload = mg_slice_of(payload, large);
    a.expect_last = a.expect_subject_last = SMALL;
    a.facts = &facts;
    assert_int_equal(mg_stream_append(w->s, &a, &got), 0);
    assert_int_equal(mg_stream_messages(w->s), SMALL); // all of it in turns of the shard
    assert_int_equal(mg_stream_append(w->s, &behind, &next), 0);
    got = await(r, &got);
    assert_int_equal(got.err, 0);
    assert_int_equal(got.seq, SMALL + 1);
    assert_int_equal(facts.previous, SMALL);
    assert_int_equal(await(r, &next).seq, SMALL + 2);
    assert_int_equal(state_of(r, w->s).first, SMALL + 1 - 98); // 99 went with it, but for what one takes without a body
    assert_int_equal(w->removed, SMALL - 98);
    assert_int_equal(w->s->op - before, (SMALL - 99 - 1) / 128 + 2);
    mg_free(payload);
}

static void a_large_one_makes_room_in_slices(void **state) {
    struct rig r;
    struct watched w = {0}, m = {0};
    struct answer got = {0};
    (void)state;
    rig_new(&r);
    fill(&r, MG_STORAGE_MEMORY, &m);
    add_a_large_one(&r, &m);
    assert_int_equal(mg_stream_delete(m.s, &got), 0);
    await(&r, &got);
    fill(&r, MG_STORAGE_FILE, &w);
    add_a_large_one(&r, &w);
    struct mg_stream_state was = state_of(&r, w.s);
    rig_close(&r); // from the journal
    rig_open(&r);
    struct mg_stream *s = mg_stream_find(r.part, MG_S("S"));
    mg_stream_set_ops(s, &ops, &r);
    struct mg_stream_state is = state_of(&r, s);
    assert_memory_equal(&was, &is, sizeof(is));
    rig_close(&r);
    rig_remove(&r);
}

static void publish_all(struct mg_stream *s, struct answer *got, unsigned n) {
    char subject[16];
    memset(got, 0, n * sizeof(*got));
    for (unsigned i = 0; i < n; i++) {
        snprintf(subject, sizeof(subject), "k.%u", i);
        struct mg_append a = plain(subject);
        assert_int_equal(mg_stream_append(s, &a, &got[i]), 0);
    }
}

// Rows that are on disk are asked for when a publish comes to stand in the queue, not when its turn comes; but not more
// at a time than a checkpoint can wait for.
static void what_waits_looks_ahead(void **state) {
    enum { MANY = 9000 };
    static struct answer got[MANY];
    (void)state;
    struct rig r = {0};
    rig_new(&r);
    struct mg_stream *s = create(&r);
    const struct mg_stream_limits one = {.max_msgs_per_subject = 1};
    assert_int_equal(mg_stream_configure(s, MG_S("{}"), &one, &got[0]), 0);
    await(&r, &got[0]);
    publish_all(s, got, MANY);
    for (unsigned i = 0; i < MANY; i++) assert_int_equal(await(&r, &got[i]).seq, 1 + i);
    s = reopen(&r);
    publish_all(s, got, 8);
    assert_int_equal(s->rows->looking, 8);
    for (unsigned i = 0; i < 8; i++) assert_int_equal(await(&r, &got[i]).seq, MANY + 1 + i);
    s = reopen(&r);
    publish_all(s, got, MANY);
    assert_int_equal(s->rows->looking, 8192);
    for (unsigned i = 0; i < MANY; i++) assert_int_equal(await(&r, &got[i]).seq, MANY + 9 + i);
    assert_int_equal(s->msgs, MANY);
    rig_close(&r);
    rig_remove(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wildcards_of_a_condition),
        cmocka_unit_test(the_id_of_the_last_message),
        cmocka_unit_test(a_row_comes_with_its_message),
        cmocka_unit_test(a_purge_beyond_the_end_moves_it),
        cmocka_unit_test(a_rollup_is_one_operation),
        cmocka_unit_test(a_large_one_makes_room_in_slices),
        cmocka_unit_test(what_waits_looks_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
