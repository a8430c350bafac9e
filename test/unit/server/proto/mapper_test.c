// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include "server/base/errors.h"
#include "server/proto/mapper.h"

#define MAP(s, ...)                                                                                                    \
    {                                                                                                                  \
        .src = (char *)(s), .dest = (struct mg_map_dest[]){__VA_ARGS__},                                               \
        .ndest = sizeof((struct mg_map_dest[]){__VA_ARGS__}) / sizeof(struct mg_map_dest)                              \
    }
#define TO(subj, w)                                                                                                    \
    {                                                                                                                  \
        .subject = (char *)(subj), .weight = (w)                                                                       \
    }
#define TO_IN(subj, w, c)                                                                                              \
    {                                                                                                                  \
        .subject = (char *)(subj), .weight = (w), .cluster = (char *)(c)                                               \
    }

static struct mg_mapper *build(const struct mg_mapping *maps, size_t n, const char *cluster) {
    struct mg_mapper *m;
    char err[256];
    if (mg_mapper_new(maps, n, cluster, &m, err, sizeof err, NULL) != 0) fail_msg("%s", err);
    return m;
}

// want NULL: dropped. Equal to the subject: unchanged.
static void expect(const struct mg_mapper *m, const char *subject, uint32_t rand100, const char *want) {
    char out[128];
    mg_slice r;
    enum mg_mapped got = mg_mapper_apply(m, mg_cstr(subject), rand100, 1, out, sizeof out, &r);
    if (want == NULL) {
        assert_int_equal(got, MG_MAP_DROPPED);
        return;
    }
    if (!mg_slice_eq(r, mg_cstr(want))) fail_msg("%s at %u: %.*s", subject, rand100, (int)r.n, r.p);
    assert_int_equal(got, strcmp(subject, want) == 0 ? MG_MAP_UNCHANGED : MG_MAP_CHANGED);
}

static void first_match_wins(void **state) {
    (void)state;
    const struct mg_mapping maps[] = {
        MAP("a.b", TO("literal", 100)),
        MAP("a.*", TO("star.$1", 100)),
        MAP("a.>", TO("rest.>", 100)),
        MAP("x", TO("old", 100)),
        MAP("x", TO("new", 100)),
    };
    struct mg_mapper *m = build(maps, 5, NULL);
    for (uint32_t r = 0; r < 100; r += 33) {
        expect(m, "a.b", r, "literal");
        expect(m, "a.c", r, "star.c");
        expect(m, "a.c.d", r, "rest.c.d");
        expect(m, "a", r, "a");
        expect(m, "literal", r, "literal"); // not mapped again
        expect(m, "x", r, "new");
    }
    mg_mapper_free(m);
    mg_mapper_free(NULL);
}

static void weights_share(void **state) {
    (void)state;
    const struct mg_mapping maps[] = {MAP("a", TO("big", 60), TO("small", 10)), MAP("*.x", TO("$1.y", 25))};
    struct mg_mapper *m = build(maps, 2, NULL);
    // ascending: small 10, the source's rest 30, big 60
    expect(m, "a", 0, "small");
    expect(m, "a", 9, "small");
    expect(m, "a", 10, "a");
    expect(m, "a", 39, "a");
    expect(m, "a", 40, "big");
    expect(m, "a", 99, "big");
    expect(m, "q.x", 24, "q.y");
    expect(m, "q.x", 25, "q.x");
    mg_mapper_free(m);
}

static void a_listed_source_loses_the_rest(void **state) {
    (void)state;
    const struct mg_mapping maps[] = {MAP("a", TO("a", 50), TO("b", 20)), MAP("none", TO("x", 0))};
    struct mg_mapper *m = build(maps, 2, NULL);
    char out[16];
    mg_slice r;
    assert_int_equal(mg_mapper_apply(m, MG_S("a"), 0, 0, out, sizeof out, &r), MG_MAP_CHANGED);
    assert_true(mg_slice_eq(r, MG_S("b")));
    assert_int_equal(mg_mapper_apply(m, MG_S("a"), 69, 0, out, sizeof out, &r), MG_MAP_CHANGED);
    assert_true(mg_slice_eq(r, MG_S("a")));
    expect(m, "a", 70, NULL);
    expect(m, "none", 0, "none");
    mg_mapper_free(m);
}

static void clusters_choose(void **state) {
    (void)state;
    const struct mg_mapping maps[] = {
        MAP("a", TO("general", 100), TO_IN("east1", 40, "east"), TO_IN("east2", 60, "east"), TO_IN("west", 50, "west")),
        MAP("b", TO_IN("only", 100, "east")),
    };
    struct mg_mapper *none = build(maps, 2, NULL), *east = build(maps, 2, "east"), *west = build(maps, 2, "west");
    struct mg_mapper *north = build(maps, 2, "north");
    expect(none, "a", 50, "general");
    expect(north, "a", 50, "general");
    expect(east, "a", 39, "east1");
    expect(east, "a", 40, "east2");
    expect(west, "a", 49, "west");
    expect(west, "a", 50, "a");
    expect(none, "b", 0, "b");
    expect(east, "b", 0, "only");
    mg_mapper_free(none);
    mg_mapper_free(east);
    mg_mapper_free(west);
    mg_mapper_free(north);
}

static void drops_what_does_not_fit(void **state) {
    (void)state;
    const struct mg_mapping maps[] = {MAP("a.*", TO("longer.$1", 100))};
    struct mg_mapper *m = build(maps, 1, NULL);
    char out[8];
    mg_slice r;
    assert_int_equal(mg_mapper_apply(m, MG_S("a.b"), 0, 0, out, sizeof out, &r), MG_MAP_CHANGED);
    assert_int_equal(mg_mapper_apply(m, MG_S("a.bc"), 0, 0, out, sizeof out, &r), MG_MAP_DROPPED);
    mg_mapper_free(m);
}

static void refuses(void **state) {
    (void)state;
    const struct {
        struct mg_mapping m;
        const char *err;
    } rows[] = {
        {MAP("a..b", TO("x", 100)), "invalid subject"},
        {MAP("a b", TO("x", 100)), "invalid subject"},
        {MAP("", TO("x", 100)), "invalid subject"},
        {MAP("a", TO("x", 50), TO("x", 20)), "duplicate entry for \"x\""},
        {MAP("a", TO("x", 50), TO_IN("x", 20, "c")), "duplicate entry for \"x\""},
        {MAP("a", TO("x", 101)), "individual weights need to be <= 100"},
        {MAP("a", TO("x", 60), TO("y", 41)), "total weight needs to be <= 100"},
        {MAP("a", TO_IN("x", 60, "c"), TO_IN("y", 41, "c")), "total weight needs to be <= 100"},
        {MAP("a.*", TO("{{left(1,2)}}", 100)), "invalid mapping destination: unknown function in {{left(1,2)}}"},
        {MAP("a.*", TO_IN("$2", 100, "other")), "invalid mapping destination: wildcard index out of range in $2: [2]"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct mg_mapping both[] = {MAP("ok", TO("fine", 100)), rows[i].m};
        struct mg_mapper *m;
        char err[256];
        size_t bad = 99;
        assert_int_equal(mg_mapper_new(both, 2, NULL, &m, err, sizeof err, &bad), MG_ESYNTAX);
        assert_string_equal(err, rows[i].err);
        assert_int_equal(bad, 1);
        assert_null(m);
    }
    const struct mg_mapping fine = MAP("a", TO("x", 100), TO_IN("y", 100, "c"), TO_IN("z", 100, "d"));
    mg_mapper_free(build(&fine, 1, "c"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_match_wins),        cmocka_unit_test(weights_share),
        cmocka_unit_test(a_listed_source_loses_the_rest), cmocka_unit_test(clusters_choose),
        cmocka_unit_test(drops_what_does_not_fit), cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
