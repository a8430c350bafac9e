// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Consumers that are alike share their terms; a configuration that was taken apart can be put together again.
#include "test/unit/cmocka_inc.h"

#include "jetstream/stream/terms.h"

#define THRESHOLD "\"inactive_threshold\":5000000000"

struct one {
    struct mg_js_own own;
    struct mg_js_terms *terms;
    const char *name;
};

static struct one take(struct mg_table *t, const char *name, const char *json) {
    struct one o = {.name = name};
    struct mg_js_consumer_config c;
    assert_int_equal(mg_js_consumer_load(&c, mg_cstr(json), false), 0);
    mg_js_own_take(&o.own, &c, mg_cstr(name), t);
    o.terms = mg_js_terms_take(t, &c, o.own.durable, 100);
    return o;
}

static void drop(struct mg_table *t, struct one *o) {
    mg_js_own_fini(&o->own);
    mg_js_terms_drop(t, o->terms);
}

static void expect(const struct one *o, const char *json) {
    struct mg_js_consumer_config c = mg_js_own_config(&o->own, o->terms, mg_cstr(o->name)), wanted;
    assert_int_equal(mg_js_consumer_load(&wanted, mg_cstr(json), false), 0);
    assert_true(mg_js_consumer_equal(&c, &wanted));
    mg_js_consumer_fini(&wanted);
}

static void are_shared(void **state) {
    (void)state;
    static const char *const rows[] = {
        "{\"durable_name\":\"a\",\"name\":\"a\",\"filter_subject\":\"x\"}",
        "{\"durable_name\":\"b\",\"filter_subjects\":[\"y\",\"z.*\"]}",
        "{\"durable_name\":\"c\"}",
        "{\"name\":\"d\"}",                                // not durable
        "{\"durable_name\":\"e\",\"max_deliver\":5}",
        "{\"durable_name\":\"f\",\"filter_subject\":\">\"}", // as if there were none
        "{\"durable_name\":\"other\"}",                     // as only damage could make it
    };
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g"};
    static const size_t kinds[] = {1, 1, 1, 1, 2, 3, 4};
    struct mg_table t;
    struct one v[7];
    mg_table_init(&t);
    for (size_t i = 0; i < 7; i++) {
        v[i] = take(&t, names[i], rows[i]);
        expect(&v[i], rows[i]);
        assert_int_equal(t.count, kinds[i]);
    }
    assert_ptr_equal(v[0].terms, v[1].terms);
    assert_ptr_not_equal(v[0].terms, v[4].terms);
    assert_int_equal(v[0].terms->rules.max_deliver, -1);
    assert_int_equal(v[4].terms->rules.max_deliver, 5);
    for (size_t i = 0; i < 7; i++) drop(&t, &v[i]);
    assert_int_equal(t.count, 0);
    mg_table_fini(&t);
}

// Whether its time without use is lengthened depends on being durable, which is each consumer's own.
static void are_not_when_rules_differ(void **state) {
    (void)state;
    struct mg_table t;
    mg_table_init(&t);
    struct one a = take(&t, "a", "{\"durable_name\":\"a\",\"deliver_subject\":\"d\"," THRESHOLD "}");
    struct one b = take(&t, "b", "{\"name\":\"b\",\"deliver_subject\":\"d\"," THRESHOLD "}");
    assert_ptr_not_equal(a.terms, b.terms);
    assert_false(a.terms->rules.inactive_jitter);
    assert_true(b.terms->rules.inactive_jitter);
    drop(&t, &a);
    drop(&t, &b);
    mg_table_fini(&t);
}

static void have_filters(void **state) {
    (void)state;
    struct mg_table t;
    mg_table_init(&t);
    struct mg_sublist *index = mg_sublist_new(1, 0);
    struct one a = take(&t, "a", "{\"filter_subjects\":[\"x.*\",\"y\"]}");
    struct one b = take(&t, "b", "{\"filter_subject\":\"y\"}");
    struct one c = take(&t, "c", "{}");
    struct mg_list unfiltered;
    mg_list_init(&unfiltered);
    mg_js_own_enter(&a.own, index, &unfiltered);
    mg_js_own_enter(&b.own, index, &unfiltered);
    assert_true(mg_list_empty(&unfiltered));
    mg_js_own_enter(&c.own, index, &unfiltered);
    assert_ptr_equal(unfiltered.next, &c.own.unfiltered);
    assert_int_equal(mg_sublist_match(index, MG_S("y"))->nplain, 2);
    assert_int_equal(mg_sublist_match(index, MG_S("x.1"))->nplain, 1);
    assert_true(mg_js_own_matches(&a.own, MG_S("x.1")));
    assert_false(mg_js_own_matches(&b.own, MG_S("x.1")));
    assert_true(mg_js_own_matches(&c.own, MG_S("x.1")));
    assert_true(mg_js_own_same_filters(&a.own, &a.own));
    assert_false(mg_js_own_same_filters(&a.own, &b.own));
    mg_js_own_leave(&a.own, index);
    mg_js_own_leave(&b.own, index);
    mg_js_own_leave(&c.own, index);
    assert_true(mg_list_empty(&unfiltered));
    assert_int_equal(mg_sublist_count(index), 0);
    mg_sublist_free(index);
    drop(&t, &a);
    drop(&t, &b);
    drop(&t, &c);
    mg_table_fini(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(are_shared),
        cmocka_unit_test(are_not_when_rules_differ),
        cmocka_unit_test(have_filters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
