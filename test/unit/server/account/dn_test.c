// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/account/dn.h"

#include <stdio.h>

#include "server/base/buf.h"
#include "server/base/errors.h"
#include "test/unit/cmocka_inc.h"

// Parses and prints as <type=value>, RDNs separated by |, or "bad".
static void expect(const char *text, const char *want) {
    struct mg_dn dn;
    struct mg_buf b = MG_BUF_INIT;
    if (mg_dn_parse(&dn, mg_cstr(text)) == MG_OK) {
        for (size_t i = 0; i < dn.nattrs; i++) {
            if (i > 0 && dn.attrs[i].rdn != dn.attrs[i - 1].rdn) mg_buf_addc(&b, '|');
            mg_buf_addf(&b, "<%.*s=%.*s>", (int)dn.attrs[i].type.n, dn.attrs[i].type.p, (int)dn.attrs[i].value.n,
                        dn.attrs[i].value.p);
        }
        assert_int_equal(dn.nrdns, dn.attrs[dn.nattrs - 1].rdn + 1);
        mg_dn_fini(&dn);
    } else {
        mg_buf_adds(&b, "bad");
    }
    mg_buf_addc(&b, '\0');
    assert_string_equal(b.p, want);
    mg_buf_fini(&b);
}

static void test_parse(void **state) {
    (void)state;
    expect("CN=a,OU=b+O=c,DC=d", "<CN=a>|<OU=b><O=c>|<DC=d>");
    expect("  CN = a b  , OU =  c ", "<CN=a b>|<OU=c>");
    expect("CN=a\\,b\\=c\\\\d,O=x", "<CN=a,b=c\\d>|<O=x>");
    expect("CN=\\ a\\ ,O=x", "<CN= a >|<O=x>"); // escaped spaces stay
    expect("CN=\\41\\c3\\a4,O=x", "<CN=A\xc3\xa4>|<O=x>");
    expect("CN=a,O=", "<CN=a>"); // an unfinished end is dropped
    expect("CN=,O=x", "<CN=>|<O=x>");
    expect("CN=a\\", "<CN=a>");
    expect("CN=a=b", "<a=b>");
    expect("", "bad");
    expect("   ", "bad");
    expect("bob", "bad");
    expect("CN=a,bob", "bad");
    expect("CN=a,,O=b", "bad");
    expect("=a", "bad");
    expect("CN=", "bad");
    expect("CN=#04024869", "bad");
    expect("CN=a\\4", "bad");
    expect("CN=a\\zz", "bad");
}

static bool compare(const char *a, const char *b, bool (*same)(const struct mg_dn *, const struct mg_dn *)) {
    struct mg_dn x, y;
    assert_int_equal(mg_dn_parse(&x, mg_cstr(a)), MG_OK);
    assert_int_equal(mg_dn_parse(&y, mg_cstr(b)), MG_OK);
    bool r = same(&x, &y);
    assert_int_equal(same(&y, &x), r);
    mg_dn_fini(&x);
    mg_dn_fini(&y);
    return r;
}

static void test_equal(void **state) {
    (void)state;
    assert_true(compare("CN=a,O=b", "cn=a, o=b", mg_dn_equal));
    assert_true(compare("CN=a+OU=c,O=b", "OU=c+CN=a,O=b", mg_dn_equal));
    assert_false(compare("CN=a,O=b", "CN=A,O=b", mg_dn_equal)); // values are exact
    assert_false(compare("CN=a,O=b", "O=b,CN=a", mg_dn_equal));
    assert_false(compare("CN=a,O=b", "CN=a", mg_dn_equal));
    assert_false(compare("CN=a+O=b", "CN=a,O=b", mg_dn_equal));
    assert_false(compare("CN=a,OU=b+O=c", "CN=a+OU=b,O=c", mg_dn_equal));
}

static void test_any_order(void **state) {
    (void)state;
    assert_true(compare("CN=a,O=b", "O=b,CN=a", mg_dn_match));
    assert_true(compare("DC=x,DC=y,CN=a", "CN=a,DC=y,DC=x", mg_dn_match));
    assert_false(compare("DC=x,DC=x,CN=a", "CN=a,DC=y,DC=x", mg_dn_match)); // a multiset
    assert_false(compare("CN=a,O=b", "CN=a,O=c", mg_dn_match));
    assert_false(compare("CN=a", "CN=a,O=c", mg_dn_match));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
