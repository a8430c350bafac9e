// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Listing the owner's rows: of memory, of table runs, of both, and after a restart.
#include "test/unit/cmocka_inc.h"

#include "jetstream/store/part.h"
#include "server/base/buf.h"
#include "server/base/errors.h"
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

struct reading {
    struct mg_rows_read read;
    struct listed l;
    int err;
    bool done;
};

static void each(struct mg_rows_read *r, mg_slice key, mg_slice value) {
    struct reading *x = mg_container_of(r, struct reading, read);
    assert_false(x->done);
    add(&x->l, key, value);
}

static void done(struct mg_rows_read *r, int err) {
    struct reading *x = mg_container_of(r, struct reading, read);
    x->err = err;
    x->done = true;
}

static bool over(struct rig *r) { return ((struct reading *)r->user)->done; }

static void expect_text(struct listed *l, const char *text) {
    mg_buf_addc(&l->text, '\0');
    assert_string_equal(l->text.p, text);
    mg_buf_fini(&l->text);
}

// Both ways must give the same.
static void expect_of(struct rig *r, struct mg_stream *s, const char *prefix, const char *from, size_t most,
                      const char *text) {
    struct listed l = {.text = MG_BUF_INIT, .most = most};
    assert_int_equal(mg_stream_rows(s, mg_cstr(prefix), mg_cstr(from), add, &l), 0);
    expect_text(&l, text);
    struct reading x = {.l = {.text = MG_BUF_INIT, .most = most}};
    x.read = (struct mg_rows_read){
        .prefix = mg_cstr(prefix), .from = mg_cstr(from), .max = most, .each = each, .done = done};
    mg_stream_read_rows(s, &x.read);
    assert_false(x.done);
    r->user = &x;
    rig_until(r, over);
    assert_int_equal(x.err, 0);
    expect_text(&x.l, text);
}
#define expect(s, prefix, from, most, text) expect_of(&r, s, prefix, from, most, text)

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
    rig_checkpoint(&r);
    put(&r, s, "c/a", "longer"); // than in the generation before
    expect(s, "c/", "", 99, "c/= c/a=longer c/b=2 c/c=2 ");
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

// Given up: nobody is told. The stream goes: everybody is.
static void ends_early(void **state) {
    const struct mg_stream_limits none = {0};
    struct rig r;
    (void)state;
    rig_new(&r);
    struct mg_stream *s = rig_stream(&r, "S", &none);
    for (unsigned i = 0; i < 3000; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%u", i);
        put(&r, s, key, "x");
    }
    rig_settle(&r);
    struct reading x[2] = {{.done = false}, {.done = false}};
    for (int i = 0; i < 2; i++) {
        x[i].l.most = 9999;
        x[i].read = (struct mg_rows_read){.prefix = MG_S("k"), .max = 9999, .each = each, .done = done};
        mg_stream_read_rows(s, &x[i].read);
    }
    mg_stream_read_rows_end(s, &x[0].read);
    r.user = &x[1];
    rig_until(&r, over);
    assert_int_equal(x[1].err, 0);
    assert_true(x[1].l.text.len > 3000 * 5);
    assert_false(x[0].done);
    mg_buf_fini(&x[1].l.text);
    x[1] = (struct reading){.read = x[1].read, .l = {.most = 1}};
    mg_stream_read_rows(s, &x[1].read);
    r.asked++;
    assert_int_equal(mg_stream_delete(s, &r), 0);
    rig_until(&r, over);
    assert_true(x[1].err == MG_ECLOSED || x[1].err == 0);
    mg_buf_fini(&x[1].l.text);
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

struct looking {
    struct mg_read rd;
    char value[16];
    bool done;
};

static void looked(struct mg_read *rd) {
    struct looking *l = mg_container_of(rd, struct looking, rd);
    if (rd->err == 0) snprintf(l->value, sizeof(l->value), "%.*s", (int)rd->msg.payload.n, rd->msg.payload.p);
    l->done = true;
}

static bool has_looked(struct rig *r) { return ((struct looking *)r->user)->done; }

static void begin_look(struct looking *l, struct mg_stream *s, const char *key) {
    *l = (struct looking){.rd = {.kind = MG_READ_ROW, .key = mg_cstr(key), .done = looked}};
    if (mg_stream_read(s, &l->rd) != MG_EAGAIN) looked(&l->rd);
}

static void expect_look(struct rig *r, struct looking *l, int err, const char *value) {
    r->user = l;
    if (!l->done) rig_until(r, has_looked);
    assert_int_equal(l->rd.err, err);
    assert_string_equal(l->value, value);
    mg_stream_read_end(&l->rd);
}

// One row after the other is looked at, and memory has none of them afterwards.
static void looks_without_keeping(void **state) {
    const struct mg_stream_limits none = {0};
    struct rig r;
    struct looking a, b, c;
    (void)state;
    rig_new(&r);
    struct mg_stream *s = rig_stream(&r, "S", &none);
    put(&r, s, "k1", "one");
    put(&r, s, "k2", "two");
    put(&r, s, "k3", "three");
    rig_checkpoint(&r);
    rig_close(&r);
    rig_open(&r);
    s = mg_stream_find(r.part, mg_cstr("S"));
    uint32_t kept = r.part->rows.active->count;
    begin_look(&a, s, "k1");
    assert_false(a.done);
    begin_look(&b, s, "none");
    expect_look(&r, &a, 0, "one");
    expect_look(&r, &b, MG_ENOTFOUND, "");
    assert_int_equal(r.part->rows.active->count, kept);
    // What changes while a reader looks is seen as it is then.
    begin_look(&a, s, "k1");
    begin_look(&b, s, "k2");
    begin_look(&c, s, "k3");
    put(&r, s, "k1", "new");
    drop(&r, s, "k2");
    expect_look(&r, &a, 0, "new");
    expect_look(&r, &b, MG_ENOTFOUND, "");
    expect_look(&r, &c, 0, "three");
    begin_look(&c, s, "k3");
    mg_stream_read_end(&c.rd); // given up
    rig_settle(&r);
    rig_close(&r);
    rig_remove(&r);
}

static bool has_settled(struct rig *r) { return rig_stopped(r) && mg_store_settle(r->st); }

// True: the next start replayed something.
static bool replays_after(unsigned rows) {
    const struct mg_stream_limits none = {0};
    struct rig r;
    rig_new(&r);
    struct mg_stream *s = rig_stream(&r, "S", &none);
    for (unsigned i = 0; i < rows; i++) {
        char key[16], value[1000];
        snprintf(key, sizeof(key), "k%u", i);
        memset(value, 'v', sizeof(value) - 1);
        value[sizeof(value) - 1] = '\0';
        put(&r, s, key, value);
    }
    rig_settle(&r);
    rig_until(&r, has_settled);
    rig_close(&r);
    rig_open(&r);
    bool replayed = mg_store_status(r.st).records_replayed > 0;
    rig_close(&r);
    rig_remove(&r);
    return replayed;
}

static void settles_before_the_end(void **state) {
    (void)state;
    assert_true(replays_after(10)); // not worth it
    assert_false(replays_after(3000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_all_levels),
        cmocka_unit_test(goes_on_where_it_stopped),
        cmocka_unit_test(ends_early),
        cmocka_unit_test(notes_go_along_or_alone),
        cmocka_unit_test(looks_without_keeping),
        cmocka_unit_test(settles_before_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
