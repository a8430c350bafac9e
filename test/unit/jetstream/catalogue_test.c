// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/catalogue.h"

#include "test/unit/cmocka_inc.h"

// A configuration with one subject; not owned by anybody, so it must not be freed.
static struct mg_js_stream_config config(const char *name, mg_slice *subject, const char *text, int64_t max_bytes) {
    *subject = mg_cstr(text);
    return (struct mg_js_stream_config){.name = mg_cstr(name), .subjects = {.v = subject, .n = 1},
                                        .max_bytes = max_bytes, .storage = MG_JS_FILE};
}

static struct mg_js_item *add(struct mg_js_catalogue *all, const char *name, unsigned shard, const char *subject,
                              int64_t max_bytes) {
    mg_slice s;
    struct mg_js_stream_config c = config(name, &s, subject, max_bytes);
    return mg_js_catalogue_add(all, mg_cstr(name), shard, &c);
}

static struct mg_js_item *met(const struct mg_js_catalogue *all, const char *subject, const struct mg_js_item *own) {
    mg_slice s;
    struct mg_js_stream_config c = config("", &s, subject, 0);
    return mg_js_catalogue_collides(all, &c, own);
}

static void streams_go_to_the_shard_with_the_fewest(void **state) {
    (void)state;
    struct mg_js_catalogue all = {.n = 0};
    assert_int_equal(mg_js_catalogue_place(&all, 1), 0);
    assert_int_equal(mg_js_catalogue_place(&all, 3), 2);
    add(&all, "A", 2, "a", 0);
    assert_int_equal(mg_js_catalogue_place(&all, 3), 1);
    struct mg_js_item *b = add(&all, "B", 1, "b", 0);
    assert_int_equal(mg_js_catalogue_place(&all, 3), 0);
    add(&all, "C", 0, "c", 0);
    assert_int_equal(mg_js_catalogue_place(&all, 3), 2);
    mg_js_catalogue_remove(&all, b);
    assert_int_equal(mg_js_catalogue_place(&all, 3), 1);
    assert_int_equal(mg_js_catalogue_place(&all, 1), 0);
    mg_js_catalogue_fini(&all);
}

static void names_are_found_and_listed_in_order(void **state) {
    (void)state;
    struct mg_js_catalogue all = {.n = 0};
    struct mg_js_item *out[4];
    struct mg_js_item *c = add(&all, "C", 1, "c", 0), *a = add(&all, "A", 0, "a", 0);
    mg_js_catalogue_add(&all, MG_S("B"), 1, NULL); // its configuration cannot be read
    assert_ptr_equal(mg_js_catalogue_find(&all, MG_S("C")), c);
    assert_null(mg_js_catalogue_find(&all, MG_S("B")));
    assert_true(mg_js_catalogue_unreadable(&all, MG_S("B")));
    assert_false(mg_js_catalogue_unreadable(&all, MG_S("A")));
    assert_int_equal(mg_js_catalogue_streams(&all), 2);
    assert_int_equal(mg_js_catalogue_behind(&all, MG_S(""), out, 4), 2);
    assert_true(out[0] == a && out[1] == c);
    assert_int_equal(mg_js_catalogue_behind(&all, MG_S("A"), out, 4), 1);
    assert_int_equal(mg_js_catalogue_behind(&all, MG_S("AA"), out, 1), 1);
    assert_ptr_equal(out[0], c);
    assert_int_equal(mg_js_catalogue_behind(&all, MG_S("C"), out, 4), 0);
    mg_js_catalogue_fini(&all);
}

static void an_update_has_both_until_it_is_settled(void **state) {
    (void)state;
    for (unsigned became = 0; became < 2; became++) {
        struct mg_js_catalogue all = {.n = 0};
        mg_slice s[2];
        struct mg_js_item *a = add(&all, "A", 1, "old", 100);
        struct mg_js_stream_config old = config("A", &s[0], "old", 100), fresh = config("A", &s[1], "fresh", 70);
        assert_int_equal(all.reserved[MG_JS_FILE], 100);
        mg_js_catalogue_begin(&all, a, &fresh);
        a->busy = true;
        assert_ptr_equal(met(&all, "old", NULL), a);
        assert_ptr_equal(met(&all, "fresh", NULL), a);
        assert_null(met(&all, "fresh", a));
        assert_int_equal(all.reserved[MG_JS_FILE], 100); // the higher one
        mg_js_catalogue_settle(&all, a, &old, &fresh, became);
        assert_int_equal(met(&all, "old", NULL) == a, !became);
        assert_int_equal(met(&all, "fresh", NULL) == a, became);
        assert_int_equal(all.reserved[MG_JS_FILE], became ? 70 : 100);
        assert_int_equal(a->config->max_bytes, became ? 70 : 100);
        mg_js_catalogue_remove(&all, a);
        assert_int_equal(all.reserved[MG_JS_FILE], 0);
        assert_null(met(&all, ">", NULL));
        mg_js_catalogue_fini(&all);
    }
}

// Who collides with a stream for sure need not wait for one that is being changed.
static void those_that_are_not_busy_go_first(void **state) {
    (void)state;
    struct mg_js_catalogue all = {.n = 0};
    mg_slice s[2] = {MG_S("a"), MG_S("b")};
    struct mg_js_stream_config both = {.name = MG_S("C"), .subjects = {.v = s, .n = 2}};
    struct mg_js_item *a = add(&all, "A", 0, "a", 0), *b = add(&all, "B", 1, "b", 0);
    a->busy = true;
    assert_ptr_equal(mg_js_catalogue_collides(&all, &both, NULL), b);
    b->busy = true;
    assert_non_null(mg_js_catalogue_collides(&all, &both, NULL));
    mg_js_catalogue_fini(&all);
}

static void a_borrowed_configuration_is_the_streams(void **state) {
    (void)state;
    struct mg_js_catalogue all = {.n = 0};
    mg_slice s[3];
    struct mg_js_item *a = add(&all, "A", 0, "old", 0);
    struct mg_js_stream_config stream = config("A", &s[0], "old", 0), old = config("A", &s[1], "old", 0),
                               fresh = config("A", &s[2], "fresh", 9);
    mg_js_item_borrow(a, &stream);
    mg_js_catalogue_begin(&all, a, &fresh);
    s[0] = s[2]; // the stream changes
    stream.max_bytes = 9;
    mg_js_catalogue_settle(&all, a, &old, &fresh, true);
    assert_ptr_equal(a->config, &stream);
    assert_null(met(&all, "old", NULL));
    assert_int_equal(all.reserved[MG_JS_FILE], 9);
    mg_js_catalogue_remove(&all, a);
    assert_null(met(&all, ">", NULL));
    mg_js_catalogue_fini(&all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_go_to_the_shard_with_the_fewest),
        cmocka_unit_test(names_are_found_and_listed_in_order),
        cmocka_unit_test(an_update_has_both_until_it_is_settled),
        cmocka_unit_test(those_that_are_not_busy_go_first),
        cmocka_unit_test(a_borrowed_configuration_is_the_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
