// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Lists of subjects from memory, from tables and from both, in slices, while the stream goes on.
#include "test/unit/cmocka_inc.h"

#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "test/unit/jetstream/store/store_rig.h"

#define GROUPS 10u
#define EACH 2000u

struct list {
    struct mg_subjects_read read;
    uint64_t n, sum, total;
    int err;
    bool done;
    char last[32];
};

static void each(struct mg_subjects_read *r, mg_slice subject, uint64_t count, uint64_t last) {
    struct list *l = r->user;
    char text[32];
    (void)last;
    snprintf(text, sizeof(text), "%.*s", (int)subject.n, subject.p);
    assert_true(strcmp(l->last, text) < 0);
    memcpy(l->last, text, sizeof(text));
    l->n++;
    l->sum += count;
}
static void done(struct mg_subjects_read *r, int err, uint64_t total) {
    struct list *l = r->user;
    l->err = err;
    l->total = total;
    l->done = true;
}
static bool is_done(struct rig *r) { return ((struct list *)r->user)->done; }

static void ask(struct list *l, struct mg_stream *s, const char *filter, const char *after, uint64_t skip,
                uint64_t max) {
    *l = (struct list){.read = {.filter = {filter, strlen(filter)}, .after = {after, strlen(after)}, .skip = skip,
                                .max = max, .each = each, .done = done}};
    l->read.user = l;
    mg_stream_subjects(s, &l->read);
    assert_false(l->done);
}

static void expect(struct rig *r, struct mg_stream *s, const char *filter, const char *after, uint64_t n,
                   uint64_t sum) {
    struct list l;
    ask(&l, s, filter, after, 0, UINT64_MAX);
    r->user = &l;
    rig_until(r, is_done);
    assert_int_equal(l.err, 0);
    assert_int_equal(l.n, n);
    assert_int_equal(l.total, n);
    assert_int_equal(l.sum, sum);
    ask(&l, s, filter, after, n / 2, 3);
    r->user = &l;
    rig_until(r, is_done);
    assert_int_equal(l.n, 3);
    assert_int_equal(l.total, n);
}

// One message more on every subject.
static void fill(struct rig *r, struct mg_stream *s, const char *prefix) {
    char text[32];
    for (unsigned i = 0; i < GROUPS * EACH; i++) {
        int n = snprintf(text, sizeof(text), "%s.%u.%04u", prefix, i % GROUPS, i / GROUPS);
        rig_append(r, s, mg_slice_of(text, (size_t)n), mg_slice_of("x", 1));
    }
}

static void check(struct rig *r, struct mg_stream *s, uint64_t count) {
    expect(r, s, "", "", GROUPS * EACH, GROUPS * EACH * count);
    expect(r, s, "dev.>", "", GROUPS * EACH, GROUPS * EACH * count);
    expect(r, s, "dev.7.*", "", EACH, EACH * count);
    expect(r, s, "*.7.*", "", EACH, EACH * count);
    expect(r, s, "dev.7.*", "dev.7.0999", EACH - 1000, (EACH - 1000) * count);
    expect(r, s, "dev.7.*", "dev.6", EACH, EACH * count);
    expect(r, s, "", "dev.8.1999", EACH, EACH * count);
}

static void lists_what_there_is(void **state) {
    (void)state;
    struct rig r;
    rig_new(&r);
    struct mg_stream *s = rig_stream(&r, "S", &(struct mg_stream_limits){0});
    fill(&r, s, "dev");
    rig_settle(&r);
    check(&r, s, 1);
    rig_checkpoint(&r);
    check(&r, s, 1);
    fill(&r, s, "dev"); // changes to rows in tables
    rig_settle(&r);
    check(&r, s, 2);
    rig_close(&r);
    rig_open(&r);
    check(&r, mg_stream_find(r.part, (mg_slice){"S", 1}), 2);
    rig_close(&r);
    rig_remove(&r);
}

// What comes while a list is made is in it or not; all else is. The generations grow and are replaced meanwhile.
static void goes_on_beside_changes(void **state) {
    (void)state;
    struct rig r;
    struct list l;
    rig_new(&r);
    struct mg_stream *s = rig_stream(&r, "S", &(struct mg_stream_limits){0});
    fill(&r, s, "dev");
    rig_settle(&r);
    for (unsigned i = 0; i < 4; i++) {
        ask(&l, s, "dev.>", "", 0, UINT64_MAX);
        fill(&r, s, i % 2 ? "dev" : "new");
        if (i > 1) mg_store_press(r.st);
        r.user = &l;
        rig_until(&r, is_done);
        rig_settle(&r);
        assert_int_equal(l.err, 0);
        assert_int_equal(l.n, GROUPS * EACH);
        assert_in_range(l.sum, GROUPS * EACH, 3 * GROUPS * EACH);
    }
    expect(&r, s, "dev.>", "", GROUPS * EACH, 3 * GROUPS * EACH);
    // One that is given up with its stream.
    ask(&l, s, "", "", 0, UINT64_MAX);
    assert_int_equal(mg_stream_delete(s, &r), 0);
    r.asked++;
    r.user = &l;
    rig_until(&r, is_done);
    rig_settle(&r);
    rig_close(&r);
    rig_remove(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_what_there_is),
        cmocka_unit_test(goes_on_beside_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
