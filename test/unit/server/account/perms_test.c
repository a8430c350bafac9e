// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/account/perms.h"

#include <stdio.h>

#include "server/base/mem.h"
#include "server/config/options.h"
#include "test/unit/cmocka_inc.h"

// A permission list from a text: entries separated by commas, "subject queue" for a queue entry.
static struct mg_perm_list list(const char *text) {
    struct mg_perm_list l = {NULL, 0};
    char *copy = mg_strdup(text), *save = NULL;
    for (char *e = strtok_r(copy, ",", &save); e; e = strtok_r(NULL, ",", &save)) {
        l.v = mg_realloc(l.v, (l.n + 1) * sizeof l.v[0]);
        char *space = strchr(e, ' ');
        l.v[l.n].queue = space ? mg_strdup(space + 1) : NULL;
        l.v[l.n++].subject = mg_strndup(e, space ? (size_t)(space - e) : strlen(e));
    }
    mg_free(copy);
    return l;
}

static void list_free(struct mg_perm_list *l) {
    for (size_t i = 0; i < l->n; i++) {
        mg_free(l->v[i].subject);
        mg_free(l->v[i].queue);
    }
    mg_free(l->v);
}

static struct mg_perms *perms(const char *pub_allow, const char *pub_deny, const char *sub_allow,
                              const char *sub_deny) {
    struct mg_permissions p = {
        .pub_allow = list(pub_allow),
        .pub_deny = list(pub_deny),
        .sub_allow = list(sub_allow),
        .sub_deny = list(sub_deny),
    };
    p.pub_allow_set = p.pub_allow.n > 0;
    struct mg_perms *c = mg_perms_new(&p);
    list_free(&p.pub_allow);
    list_free(&p.pub_deny);
    list_free(&p.sub_allow);
    list_free(&p.sub_deny);
    return c;
}

static bool pub(const struct mg_perms *p, const char *subject) { return mg_perms_can_pub(p, mg_cstr(subject)); }
static bool sub(const struct mg_perms *p, const char *subject, const char *queue) {
    return mg_perms_can_sub(p, mg_cstr(subject), mg_cstr(queue));
}
static bool filter(const struct mg_perms *p, const char *subject, const char *queue) {
    return mg_perms_needs_filter(p, mg_cstr(subject), mg_cstr(queue));
}
static bool deliver(const struct mg_perms *p, const char *subject, const char *queue) {
    return mg_perms_can_deliver(p, mg_cstr(subject), mg_cstr(queue));
}

static void test_none(void **state) {
    (void)state;
    assert_null(mg_perms_new(NULL));
    assert_true(pub(NULL, "a") && sub(NULL, ">", "q") && deliver(NULL, "a", NULL));
    assert_false(filter(NULL, ">", NULL) || mg_perms_limits_pub(NULL));
    assert_null(mg_perms_responses(NULL));

    struct mg_perms *p = perms("", "", "", ""); // `permissions: {}`
    assert_true(pub(p, "a") && sub(p, ">", NULL) && deliver(p, "a", NULL));
    assert_false(mg_perms_limits_pub(p));
    mg_perms_free(p);
}

static void test_publish(void **state) {
    (void)state;
    struct mg_perms *p = perms("foo,bar.*,baz.>,a.*.c", "bar.no,baz.x.>,foo.never", "", "");
    assert_true(mg_perms_limits_pub(p));
    assert_true(pub(p, "foo") && pub(p, "bar.yes") && pub(p, "baz.a.b.c") && pub(p, "a.b.c"));
    assert_false(pub(p, "fo") || pub(p, "fooo") || pub(p, "foo.a") || pub(p, "bar") || pub(p, "bar.a.b"));
    assert_false(pub(p, "baz") || pub(p, "a.b.c.d") || pub(p, "a.b") || pub(p, ""));
    assert_false(pub(p, "bar.no") || pub(p, "baz.x.1"));
    assert_true(pub(p, "baz.x"));
    assert_false(pub(p, "baz..x") || pub(p, "baz.")); // empty tokens match nothing
    mg_perms_free(p);

    p = perms("", "secret.>", "", "");
    assert_true(pub(p, "anything") && pub(p, "secret"));
    assert_false(pub(p, "secret.a"));
    assert_true(pub(p, "secret..a")); // nothing matches it, so neither does the deny
    mg_perms_free(p);
}

// Over eight literals the hash table answers; it must agree with plain comparison.
static void test_many_literals(void **state) {
    (void)state;
    for (int n = 7; n < 200; n += 17) {
        char text[4096] = "", name[32];
        for (int i = 0; i < n; i++) {
            snprintf(name, sizeof name, "%ss.%d", i ? "," : "", i);
            strcat(text, name);
        }
        struct mg_perms *p = perms(text, "s.3,x.*", "", "");
        for (int i = 0; i < n + 10; i++) {
            snprintf(name, sizeof name, "s.%d", i);
            assert_int_equal(pub(p, name), i < n && i != 3);
        }
        mg_perms_free(p);
    }
}

static void test_empty_allow(void **state) {
    (void)state;
    // allow_responses without a publish list: only replies.
    struct mg_permissions o = {.pub_allow_set = true, .allow_responses = true, .resp_max = 3, .resp_expires_ns = -1};
    struct mg_perms *p = mg_perms_new(&o);
    assert_true(mg_perms_limits_pub(p));
    assert_false(pub(p, "foo"));
    assert_true(sub(p, "foo", NULL));
    assert_int_equal(mg_perms_responses(p)->max, 3);
    assert_int_equal(mg_perms_responses(p)->expires_ns, -1);
    mg_perms_free(p);

    o = (struct mg_permissions){.pub_allow_set = true, .allow_responses = true};
    p = mg_perms_new(&o);
    assert_int_equal(mg_perms_responses(p)->max, 1);
    assert_int_equal(mg_perms_responses(p)->expires_ns, 120 * MG_SEC);
    mg_perms_free(p);
}

static void test_subscribe_plain(void **state) {
    (void)state;
    struct mg_perms *p = perms("", "", "foo,bar.*,only q", "bar.no");
    assert_true(sub(p, "foo", NULL) && sub(p, "bar.a", NULL) && sub(p, "bar.*", NULL));
    assert_false(sub(p, "baz", NULL) || sub(p, "bar.no", NULL) || sub(p, "bar.a.b", NULL));
    assert_false(sub(p, "only", NULL)); // a rule with a queue does not help a plain subscription
    // Wildcards of the SUB are taken literally: `*` matches the token `>`.
    assert_true(sub(p, "bar.>", NULL));
    assert_false(sub(p, ">", NULL) || sub(p, "*", NULL) || sub(p, "foo.>", NULL));
    mg_perms_free(p);

    p = perms("", "", "*", "");
    assert_true(sub(p, ">", NULL) && sub(p, "*", NULL) && sub(p, "a", NULL));
    assert_false(sub(p, "a.b", NULL));
    mg_perms_free(p);

    p = perms("", "", "", "foo.*");
    assert_false(sub(p, "foo.*", NULL) || sub(p, "foo.>", NULL) || sub(p, "foo.a", NULL));
    assert_true(sub(p, "foo", NULL) && sub(p, ">", NULL) && sub(p, "*.a", NULL));
    mg_perms_free(p);
}

static void test_subscribe_queue(void **state) {
    (void)state;
    struct mg_perms *p = perms("", "", "foo", "");
    assert_true(sub(p, "foo", "any"));
    assert_false(sub(p, "bar", "any"));
    mg_perms_free(p);

    p = perms("", "", "foo,foo v1,foo v2.*,foo.> *.dev", "");
    assert_true(sub(p, "foo", NULL)); // rules with queues say nothing about plain ones
    assert_true(sub(p, "foo", "v1") && sub(p, "foo", "v2.a") && sub(p, "foo", "v2.*"));
    assert_false(sub(p, "foo", "v3") || sub(p, "foo", "v2") || sub(p, "foo", "v2.a.b"));
    assert_true(sub(p, "foo.a", "x.dev"));
    assert_false(sub(p, "foo.a", "x.prod") || sub(p, "foo.a", NULL));
    mg_perms_free(p);

    p = perms("", "", "foo v1", "");
    assert_true(sub(p, "foo", "v1"));
    assert_false(sub(p, "foo", NULL) || sub(p, "foo", "v2"));
    mg_perms_free(p);

    p = perms("", "", "", "foo v1,foo v2.>,bar");
    assert_true(sub(p, "foo", NULL) && sub(p, "foo", "v3") && sub(p, "foo", "v2"));
    assert_false(sub(p, "foo", "v1") || sub(p, "foo", "v2.a.b"));
    assert_false(sub(p, "bar", NULL) || sub(p, "bar", "q"));
    mg_perms_free(p);
}

static void test_delivery(void **state) {
    (void)state;
    struct mg_perms *p = perms("", "", "", "foo.bar,baz.* prod,x.>");
    assert_true(sub(p, "foo.*", NULL)); // accepted, cut at delivery
    assert_true(filter(p, "foo.*", NULL) && filter(p, "*.bar", NULL) && filter(p, ">", NULL));
    assert_true(filter(p, "baz.>", "prod") && filter(p, "baz.>", NULL));
    assert_false(filter(p, "foo.baz", NULL) || filter(p, "foo.bar.>", NULL) || filter(p, "other.>", "q"));

    assert_false(deliver(p, "foo.bar", NULL) || deliver(p, "foo.bar", "q") || deliver(p, "x.a.b", NULL));
    assert_true(deliver(p, "foo.baz", NULL) && deliver(p, "x", NULL));
    assert_false(deliver(p, "baz.1", "prod"));
    assert_true(deliver(p, "baz.1", "dev") && deliver(p, "baz.1", NULL));
    mg_perms_free(p);

    p = perms("", "", "foo.*", ""); // an allow list never filters at delivery
    assert_true(sub(p, "foo.>", NULL));
    assert_false(filter(p, "foo.>", NULL));
    assert_true(deliver(p, "foo.a.b", NULL));
    mg_perms_free(p);
}

static void test_equal(void **state) {
    (void)state;
    struct mg_perms *a = perms("a,b.*", "c", "d q", "e");
    struct mg_perms *same = perms("a,b.*", "c", "d q", "e");
    const char *other[][4] = {{"a", "c", "d q", "e"}, {"a,b.*", "x", "d q", "e"}, {"a,b.*", "c", "d", "e"},
                              {"a,b.*", "c", "d r", "e"}, {"a,b.*", "c", "d q", ""}};
    assert_true(mg_perms_equal(a, a) && mg_perms_equal(a, same) && mg_perms_equal(NULL, NULL));
    assert_false(mg_perms_equal(a, NULL) || mg_perms_equal(NULL, a));
    for (size_t i = 0; i < 5; i++) {
        struct mg_perms *b = perms(other[i][0], other[i][1], other[i][2], other[i][3]);
        assert_false(mg_perms_equal(a, b));
        mg_perms_free(b);
    }
    struct mg_permissions o = {.allow_responses = true, .resp_max = 1};
    struct mg_perms *r1 = mg_perms_new(&o), *none = perms("", "", "", "");
    o.resp_max = 2;
    struct mg_perms *r2 = mg_perms_new(&o);
    assert_false(mg_perms_equal(r1, r2) || mg_perms_equal(r1, none));
    mg_perms_free(a);
    mg_perms_free(same);
    mg_perms_free(r1);
    mg_perms_free(r2);
    mg_perms_free(none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),           cmocka_unit_test(test_publish),
        cmocka_unit_test(test_many_literals),  cmocka_unit_test(test_empty_allow),
        cmocka_unit_test(test_subscribe_plain), cmocka_unit_test(test_subscribe_queue),
        cmocka_unit_test(test_delivery),       cmocka_unit_test(test_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
