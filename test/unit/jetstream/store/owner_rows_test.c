// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Listing the owner's rows: of memory, of table runs, of both, and after a restart.
#include "test/unit/cmocka_inc.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_all_levels),
        cmocka_unit_test(goes_on_where_it_stopped),
        cmocka_unit_test(ends_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
