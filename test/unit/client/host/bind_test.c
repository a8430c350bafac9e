// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/host/bind.h"
#include "client/host/midge_host.h"

typedef struct part {
    uint64_t n;
    midge_str s;
} part;

typedef struct thing {
    int small;
    bool yes;
    int color;
    int64_t when;
    midge_str raw;
    const int64_t *numbers;
    size_t numbers_len;
    const part *parts;
    size_t parts_len;
    part inner;
    midge_str extra;
} thing;

static const char *const colors[] = {"red", "blue", NULL};
static const mgc_field part_fields[] = {
    {.name = "n", .kind = MGC_U64, .at = offsetof(part, n), .always = true},
    {.name = "s", .kind = MGC_STR, .at = offsetof(part, s)},
    {0},
};
static const mgc_field fields[] = {
    {.name = "small", .kind = MGC_INT, .at = offsetof(thing, small)},
    {.name = "yes", .kind = MGC_BOOL, .at = offsetof(thing, yes)},
    {.name = "color", .kind = MGC_ENUM, .at = offsetof(thing, color), .more = colors},
    {.name = "when", .kind = MGC_TIME, .at = offsetof(thing, when)},
    {.name = "raw", .kind = MGC_RAW, .at = offsetof(thing, raw)},
    {.name = "numbers", .kind = MGC_I64S, .at = offsetof(thing, numbers), .len_at = offsetof(thing, numbers_len)},
    {.name = "parts", .kind = MGC_OBJECTS, .at = offsetof(thing, parts), .len_at = offsetof(thing, parts_len),
     .size = sizeof(part), .more = part_fields},
    {.name = "inner", .kind = MGC_OBJECT, .at = offsetof(thing, inner), .more = part_fields},
    {.kind = MGC_EXTRA, .at = offsetof(thing, extra)},
    {0},
};

static midge_str str(const char *s) {
    return (midge_str){s, strlen(s)};
}

static void written(const thing *t, const char *want) {
    mgc_json_out o;
    midge_str text;
    mgc_json_out_init(&o, NULL, 0);
    mgc_bind_write(&o, NULL, fields, t);
    assert_int_equal(mgc_json_out_end(&o, &text), 0);
    assert_string_equal(text.p, want);
    mgc_json_out_fini(&o);
}

static void there_and_back(void **state) {
    static const char text[] = "{\"small\":-3,\"yes\":true,\"color\":\"blue\","
                               "\"when\":\"2026-01-02T03:04:05.000000007Z\",\"raw\":[{\"a\":1}],\"numbers\":[1,-2],"
                               "\"parts\":[{\"n\":1,\"s\":\"x\\n\"},{\"n\":2}],"
                               "\"inner\":{\"n\":5,\"s\":\"in\"},\"a\":{\"b\":[]},\"c\":null2}";
    (void)state;
    mgc_arena a = {0};
    thing t = {0};
    char *good = strdup(text);
    memcpy(strstr(good, "null2"), "77777", 5);
    assert_int_equal(mgc_bind_parse(str(good), fields, &t, &a), 0);
    assert_true(t.small == -3 && t.yes && t.color == 1 && t.numbers_len == 2 && t.parts_len == 2 && t.inner.n == 5);
    assert_memory_equal(t.parts[0].s.p, "x\n", 2);
    written(&t, good);
    mgc_arena_free(&a);
    t = (thing){0};
    assert_int_equal(mgc_bind_parse(str(text), fields, &t, &a), MIDGE_EPROTO);
    mgc_arena_free(&a);
    free(good);
}

// What does not fit a member is kept as it stands.
static void misfits(void **state) {
    (void)state;
    static const char text[] = "{\"small\":5000000000,\"yes\":1,\"color\":\"green\",\"when\":\"noon\","
                               "\"numbers\":[1,\"2\"],\"parts\":[1],\"inner\":[],\"raw\":null}";
    mgc_arena a = {0};
    thing t = {0};
    assert_int_equal(mgc_bind_parse(str(text), fields, &t, &a), 0);
    assert_true(!t.small && !t.yes && !t.color && !t.when && !t.numbers_len && !t.parts_len && !t.raw.n);
    written(&t, "{\"inner\":{\"n\":0},\"small\":5000000000,\"yes\":1,\"color\":\"green\",\"when\":\"noon\","
                "\"numbers\":[1,\"2\"],\"parts\":[1],\"inner\":[]}");
    mgc_arena_free(&a);
}

// An object that comes twice: what is kept of the second stands behind what was kept of the first, however long it is.
static void twice(void **state) {
    (void)state;
    static const mgc_field outer[] = {{.name = "o", .kind = MGC_OBJECT, .at = 0, .more = fields}, {0}};
    char text[9000], longer[8001];
    mgc_arena a = {0};
    thing t = {0};
    memset(longer, 'x', 8000);
    longer[8000] = '\0';
    snprintf(text, sizeof text, "{\"o\":{\"a\":1},\"o\":{\"b\":\"%s\",\"c\":2}}", longer);
    assert_int_equal(mgc_bind_parse(str(text), outer, &t, &a), 0);
    assert_int_equal(t.extra.n, strlen("'a':1,'b':'','c':2") + 8000);
    assert_memory_equal(t.extra.p, "\"a\":1,\"b\":\"xxx", 14);
    mgc_arena_free(&a);
}

static void not_objects(void **state) {
    (void)state;
    static const char *const texts[] = {"", "[]", "1", "{", "{}x", "{\"small\":}", "{\"parts\":[{]}", "{\"x\":[1,}"};
    mgc_arena a = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        thing t = {0};
        assert_int_equal(mgc_bind_parse(str(texts[i]), fields, &t, &a), MIDGE_EPROTO);
    }
    mgc_arena_free(&a);
}

static void arena_grows(void **state) {
    (void)state;
    mgc_arena a = {0};
    size_t len = 0;
    int *items = NULL;
    for (int i = 0; i < 10000; i++) {
        items = mgc_arena_push(&a, items, &len, sizeof *items);
        items[len - 1] = i;
        assert_non_null(mgc_arena_alloc(&a, (size_t)i % 3000));
    }
    for (int i = 0; i < 10000; i++) assert_int_equal(items[i], i);
    assert_null(mgc_arena_alloc(&a, SIZE_MAX));
    assert_true(a.failed);
    mgc_arena_free(&a);
}

// ---- times ----------------------------------------------------------------------------------------------------------

static void time_is(const char *text, int64_t want) {
    int64_t time = 1;
    char out[MIDGE_TIME_MAX];
    assert_true(midge_time_parse(str(text), &time));
    assert_true(time == want);
    int64_t again;
    assert_true(midge_time_parse(midge_time_text(time, out), &again) && again == want);
}

static void times(void **state) {
    (void)state;
    char out[MIDGE_TIME_MAX];
    time_is("1970-01-01T00:00:00.000000001Z", 1);
    time_is("0001-01-01T00:00:00Z", 0);
    time_is("2024-02-29T23:59:59Z", 1709251199 * MIDGE_SECOND);
    time_is("2026-01-02T03:04:05.5+02:00", 1767315845 * MIDGE_SECOND + 500000000);
    time_is("1969-12-31T23:59:59.25Z", -750000000);
    time_is("2100-03-01T00:00:00Z", 4107542400 * MIDGE_SECOND);
    assert_string_equal(midge_time_text(1767323045380000000, out).p, "2026-01-02T03:04:05.38Z");
    assert_string_equal(midge_time_text(0, out).p, "0001-01-01T00:00:00Z");
    assert_string_equal(midge_time_text(INT64_MIN, out).p, "1677-09-21T00:12:43.145224192Z");
    assert_int_equal(midge_time_text(INT64_MAX, out).n, 30);
    static const char *const bad[] = {"", "2026", "2026-13-01T00:00:00Z", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00",
                                      "2026-01-01T00:00:00.Z", "2026-01-01T24:00:00Z", "2026-01-00T00:00:00Z",
                                      "2026-01-01T00:00:00+2:00", "9999-01-01T00:00:00Z", "2026-01-01T00:00:00Zx"};
    int64_t time;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(midge_time_parse(str(bad[i]), &time));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back), cmocka_unit_test(misfits), cmocka_unit_test(not_objects),
        cmocka_unit_test(twice),
        cmocka_unit_test(arena_grows),    cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
