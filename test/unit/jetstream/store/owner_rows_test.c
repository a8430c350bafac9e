// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Listing the owner's rows: of memory, of table runs, of both, and after a restart.
#include "test/unit/cmocka_inc.h"

#include "server/base/buf.h"
#include "test/unit/jetstream/store/store_rig.h"

struct listed {
    struct mg_buf text; // key=value and a blank each
    size_t most;        // stops after so many
};

static bool add(void *arg, mg_slice key, mg_slice value) {
    struct listed *l = arg;
    mg_buf_addf(&l->text, "%.*s=%.*s ", (int)key.n, key.p, (int)value.n, value.n ? value.p : "");
    return --l->most > 0;
}

static void expect(struct mg_stream *s, const char *prefix, const char *from, size_t most, const char *text) {
    struct listed l = {.text = MG_BUF_INIT, .most = most};
    assert_int_equal(mg_stream_rows(s, mg_cstr(prefix), mg_cstr(from), add, &l), 0);
    mg_buf_addc(&l.text, '\0');
    assert_string_equal(l.text.p, text);
    mg_buf_fini(&l.text);
}

static void put(struct rig *r, struct mg_stream *s, const char *key, const char *value) {
    r->asked++;
    assert_int_equal(mg_stream_row_put(s, mg_cstr(key), mg_cstr(value), r), 0);
}

static void note(struct rig *r, struct mg_stream *s, const char *key, const char *value) {
    r->asked++;
    assert_int_equal(mg_stream_row_note(s, mg_cstr(key), mg_cstr(value), r), 0);
}

static void drop(struct rig *r, struct mg_stream *s, const char *key) {
    r->asked++;
    assert_int_equal(mg_stream_row_delete(s, mg_cstr(key), r), 0);
}

static void lists_all_levels(void **state) {
    const struct mg_stream_limits none = {0};
    struct rig r;
    (void)state;
    rig_new(&r);
    struct mg_stream *s = rig_stream(&r, "S", &none), *other = rig_stream(&r, "T", &none);
    expect(s, "", "", 99, "");
    put(&r, s, "c/b", "1");
    put(&r, s, "c/a", "1");
    put(&r, s, "s/a", "x");
    put(&r, s, "c/gone", "1");
    put(&r, other, "c/other", "1");
    expect(s, "c/", "", 99, "c/a=1 c/b=1 c/gone=1 ");
    rig_checkpoint(&r); // now they are in a run
    expect(s, "c/", "", 99, "c/a=1 c/b=1 c/gone=1 ");
    put(&r, s, "c/b", "2");
    put(&r, s, "c/c", "2");
    put(&r, s, "c/", "");
    drop(&r, s, "c/gone");
    expect(s, "c/", "", 99, "c/= c/a=1 c/b=2 c/c=2 ");
    expect(s, "", "", 99, "c/= c/a=1 c/b=2 c/c=2 s/a=x ");
    rig_settle(&r);
    rig_close(&r);

    rig_open(&r); // some from the journal, some from the run
    s = mg_stream_find(r.part, mg_cstr("S"));
    expect(s, "c/", "", 99, "c/= c/a=1 c/b=2 c/c=2 ");
    rig_checkpoint(&r);
    put(&r, s, "c/a", "3");
    expect(s, "", "", 99, "c/= c/a=3 c/b=2 c/c=2 s/a=x ");
    expect(s, "none", "", 99, "");
    rig_settle(&r);
    rig_close(&r);
    rig_remove(&r);
}

static void goes_on_where_it_stopped(void **state) {
    const struct mg_stream_limits none = {0};
    struct rig r;
    (void)state;
    rig_new(&r);
    struct mg_stream *s = rig_stream(&r, "S", &none);
    put(&r, s, "k1", "a");
    put(&r, s, "k3", "c");
    rig_checkpoint(&r);
    put(&r, s, "k2", "b");
    put(&r, s, "k4", "d");
    expect(s, "k", "", 2, "k1=a k2=b ");
    expect(s, "k", "k3", 1, "k3=c ");
    expect(s, "k", "k30", 9, "k4=d ");
    rig_settle(&r);
    rig_close(&r);
    rig_remove(&r);
}

static uint64_t commits(const struct rig *r) {
    struct mg_store_counters c = mg_store_counters(r->st);
    uint64_t n = 0;
    for (unsigned i = 0; i < MG_STORE_BUCKETS; i++) n += c.commit_ns[i];
    return n;
}

static void notes_go_along_or_alone(void **state) {
    const struct mg_stream_limits none = {0};
    struct rig r;
    (void)state;
    rig_new(&r);
    struct mg_stream *s = rig_stream(&r, "S", &none);
    put(&r, s, "k", "0");
    rig_settle(&r);
    uint64_t before = commits(&r);
    note(&r, s, "n1", "a");
    mg_store_part_turn(r.part); // hands over what cannot wait
    put(&r, s, "k", "1");
    rig_settle(&r);
    assert_int_equal(commits(&r), before + 1);
    note(&r, s, "n2", "b");
    rig_settle(&r);
    assert_int_equal(commits(&r), before + 2);
    note(&r, s, "n3", "c");
    mg_stream_barrier(s, &r);
    r.asked++;
    rig_settle(&r);
    note(&r, s, "n4", "d"); // at the end it is not waited for
    rig_close(&r);
    rig_open(&r);
    expect(mg_stream_next(r.part, NULL), "", "", 9, "k=1 n1=a n2=b n3=c n4=d ");
    rig_close(&r);
    rig_remove(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_all_levels),
        cmocka_unit_test(goes_on_where_it_stopped),
        cmocka_unit_test(notes_go_along_or_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
