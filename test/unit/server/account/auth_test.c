// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/account/auth.h"

#include <crypt.h>
#include <sodium.h>

#include "server/account/nkey.h"
#include "server/account/password.h"
#include "server/base/encode.h"
#include "server/config/options.h"
#include "server/shard/tls.h"
#include "test/unit/cmocka_inc.h"

static char nkey[MG_NKEY_PUBLIC + 1]; // a user key, its secret and a nonce that it signed
static char nkey_sig[96];
static const char nonce[] = "nxKvXfn5DBE0fBk";
static char bcrypt_pw[64]; // of "secret"

static struct mg_auth_result ask(const struct mg_auth *a, struct mg_auth_request req) {
    struct mg_auth_result res;
    if (req.conn_type == 0) req.conn_type = MG_CONN_STANDARD;
    if (req.nonce.p == NULL) req.nonce = mg_cstr(nonce);
    mg_auth_begin(a, &req, &res);
    if (res.verdict == MG_AUTH_BCRYPT) mg_auth_finish(&res, mg_bcrypt_verify(res.hash, res.password));
    assert_true(res.verdict == MG_AUTH_OK || res.user == NULL);
    return res;
}

#define REQ(...) ((struct mg_auth_request){__VA_ARGS__})
#define OK(a, ...) (ask(a, REQ(__VA_ARGS__)).verdict == MG_AUTH_OK)
#define C(s) mg_cstr(s)

static void assert_label(const struct mg_auth_who *who, const char *label, const char *name) {
    struct mg_buf b = MG_BUF_INIT;
    mg_auth_label(&b, who);
    mg_buf_addc(&b, '\0');
    assert_string_equal(b.p, label);
    b.len = 0;
    mg_auth_name(&b, who);
    mg_buf_addc(&b, '\0');
    assert_string_equal(b.p, name);
    mg_buf_fini(&b);
}

static void test_open(void **state) {
    (void)state;
    struct mg_options o = {0};
    struct mg_auth *a = mg_auth_new(&o);
    assert_false(mg_auth_required(a) || mg_auth_info_required(a) || mg_auth_nonce_required(a));
    assert_false(mg_auth_has_plaintext(a));
    assert_int_equal(mg_auth_timeout_ns(a), 2 * MG_SEC);
    struct mg_auth_result r = ask(a, REQ(.user = C("who"), .pass = C("ever")));
    assert_int_equal(r.verdict, MG_AUTH_OK);
    assert_null(r.user);
    assert_label(&r.who, "user:who", "who"); // credentials are ignored, but they name the connection
    r = ask(a, REQ(0));
    assert_label(&r.who, "", "");
    mg_auth_unref(a);
    mg_auth_unref(NULL);
}

static void test_single(void **state) {
    (void)state;
    struct mg_options o = {.user = (char[]){"bob"}, .password = (char[]){"pw"}, .auth_timeout_s = 0.5};
    struct mg_auth *a = mg_auth_new(&o);
    assert_true(mg_auth_required(a) && mg_auth_info_required(a) && mg_auth_has_plaintext(a));
    assert_false(mg_auth_without_connect(a, MG_CONN_STANDARD));
    assert_int_equal(mg_auth_timeout_ns(a), MG_SEC / 2);
    assert_true(OK(a, .user = C("bob"), .pass = C("pw")));
    assert_false(OK(a, .user = C("bob"), .pass = C("pW")));
    assert_false(OK(a, .user = C("bob")));
    assert_false(OK(a, .user = C("Bob"), .pass = C("pw")));
    assert_false(OK(a, .pass = C("pw")));
    assert_false(OK(a, .token = C("pw")));
    assert_false(OK(a, 0));
    mg_auth_unref(a);

    o = (struct mg_options){.user = (char[]){"bob"}, .password = bcrypt_pw};
    a = mg_auth_new(&o);
    assert_false(mg_auth_has_plaintext(a));
    assert_true(OK(a, .user = C("bob"), .pass = C("secret")));
    assert_false(OK(a, .user = C("bob"), .pass = C(bcrypt_pw)));
    mg_auth_unref(a);

    o = (struct mg_options){.user = (char[]){"bob"}, .password = (char[]){"pw"}, .proxy_required = true};
    a = mg_auth_new(&o);
    struct mg_auth_result r = ask(a, REQ(.user = C("bob"), .pass = C("pw")));
    assert_true(r.verdict == MG_AUTH_DENIED && r.proxy_required);
    mg_auth_unref(a);
}

static void test_token(void **state) {
    (void)state;
    struct mg_options o = {.token = (char[]){"t0k"}};
    struct mg_auth *a = mg_auth_new(&o);
    struct mg_auth_result r = ask(a, REQ(.token = C("t0k")));
    assert_int_equal(r.verdict, MG_AUTH_OK);
    assert_int_equal(r.user->kind, MG_AUTH_TOKEN);
    assert_label(&r.who, "token", "[REDACTED]");
    assert_true(OK(a, .user = C("x"), .token = C("t0k")));
    assert_false(OK(a, .token = C("t0K")));
    assert_false(OK(a, .user = C("t0k")));
    assert_false(OK(a, .pass = C("t0k")));
    assert_false(OK(a, 0));
    mg_auth_unref(a);

    o.token = bcrypt_pw;
    a = mg_auth_new(&o);
    assert_true(OK(a, .token = C("secret")));
    assert_false(OK(a, .token = C(bcrypt_pw)));
    mg_auth_unref(a);
}

static struct mg_user users[] = {
    {.user = (char[]){"alice"}, .password = (char[]){"a-pw"}},
    {.user = (char[]){"bob"}, .password = bcrypt_pw},
    {.user = (char[]){"nopass"}, .password = (char[]){""}},
    {.user = (char[]){"web"}, .password = (char[]){"w"}, .conn_types = MG_CONN_WEBSOCKET},
    {.user = (char[]){"proxied"}, .password = (char[]){"p"}, .proxy_required = true},
    {.nkey = nkey},
};
#define NUSERS (sizeof users / sizeof users[0])

static void test_users(void **state) {
    (void)state;
    struct mg_options o = {.users = users, .nusers = NUSERS - 1, .tls = true, .tls_opts.timeout_ns = 3 * MG_SEC};
    struct mg_auth *a = mg_auth_new(&o);
    assert_false(mg_auth_nonce_required(a));
    assert_int_equal(mg_auth_timeout_ns(a), 4 * MG_SEC);
    struct mg_auth_result r = ask(a, REQ(.user = C("alice"), .pass = C("a-pw")));
    assert_int_equal(r.verdict, MG_AUTH_OK);
    assert_true(mg_slice_eq(r.user->name, C("alice")));
    assert_label(&r.who, "user:alice", "alice");

    assert_false(OK(a, .user = C("alice"), .pass = C("secret")));
    assert_false(OK(a, .user = C("nobody"), .pass = C("a-pw")));
    assert_false(OK(a, .token = C("a-pw")));
    assert_false(OK(a, 0)); // no no_auth_user
    assert_true(OK(a, .user = C("nopass")));
    assert_false(OK(a, .user = C("nopass"), .pass = C("x")));
    assert_false(OK(a, .user = C("web"), .pass = C("w")));
    assert_true(OK(a, .user = C("web"), .pass = C("w"), .conn_type = MG_CONN_WEBSOCKET));
    r = ask(a, REQ(.user = C("proxied"), .pass = C("p")));
    assert_true(r.verdict == MG_AUTH_DENIED && r.proxy_required);
    assert_label(&r.who, "user:proxied", "proxied");
    mg_auth_unref(a);
}

static void test_bcrypt_is_left_to_the_caller(void **state) {
    (void)state;
    struct mg_options o = {.users = users, .nusers = NUSERS};
    struct mg_auth *a = mg_auth_new(&o);
    struct mg_auth_request req = {.user = C("bob"), .pass = C("secret"), .conn_type = MG_CONN_STANDARD};
    struct mg_auth_result r;
    mg_auth_begin(a, &req, &r);
    assert_int_equal(r.verdict, MG_AUTH_BCRYPT);
    assert_true(mg_slice_eq(r.hash, C(bcrypt_pw)) && mg_slice_eq(r.password, C("secret")));
    mg_auth_finish(&r, true);
    assert_int_equal(r.verdict, MG_AUTH_OK);
    assert_true(mg_slice_eq(r.user->name, C("bob")));
    mg_auth_begin(a, &req, &r);
    mg_auth_finish(&r, false);
    assert_int_equal(r.verdict, MG_AUTH_DENIED);
    assert_null(r.user);
    mg_auth_unref(a);
}

static void test_nkey(void **state) {
    (void)state;
    struct mg_options o = {.users = users, .nusers = NUSERS};
    struct mg_auth *a = mg_auth_new(&o);
    assert_true(mg_auth_nonce_required(a));
    struct mg_auth_result r = ask(a, REQ(.nkey = C(nkey), .sig = C(nkey_sig)));
    assert_int_equal(r.verdict, MG_AUTH_OK);
    assert_int_equal(r.user->kind, MG_AUTH_NKEY);
    assert_int_equal(r.who.id, MG_AUTH_ID_NKEY);
    assert_false(OK(a, .nkey = C(nkey)));
    assert_false(OK(a, .nkey = C(nkey), .sig = C(nkey_sig), .nonce = C("other")));
    // An nkey in CONNECT leaves no way back to a password.
    assert_false(OK(a, .nkey = C("UNKNOWN"), .user = C("alice"), .pass = C("a-pw")));
    assert_true(OK(a, .user = C("alice"), .pass = C("a-pw")));
    // An nkey is not a user name.
    assert_false(OK(a, .user = C(nkey)));
    mg_auth_unref(a);
}

static void test_no_auth_user(void **state) {
    (void)state;
    struct mg_options o = {.users = users, .nusers = NUSERS, .no_auth_user = (char[]){"alice"}};
    struct mg_auth *a = mg_auth_new(&o);
    assert_true(mg_auth_required(a)); // the timer runs
    assert_false(mg_auth_info_required(a));
    assert_true(mg_auth_without_connect(a, MG_CONN_STANDARD));
    struct mg_auth_result r = ask(a, REQ(0));
    assert_int_equal(r.verdict, MG_AUTH_OK);
    assert_label(&r.who, "user:alice", "alice");
    // What was sent and is wrong does not fall back.
    assert_false(OK(a, .user = C("alice")));
    assert_false(OK(a, .user = C("nobody")));
    assert_false(OK(a, .pass = C("x")));
    assert_false(OK(a, .token = C("x")));
    assert_false(OK(a, .nkey = C("x")));
    mg_auth_unref(a);

    o.no_auth_user = nkey;
    a = mg_auth_new(&o);
    assert_false(mg_auth_without_connect(a, MG_CONN_STANDARD)); // only with a CONNECT
    assert_true(OK(a, 0));
    assert_true(OK(a, .nkey = C(nkey))); // no signature needed
    assert_false(OK(a, .user = C("nobody")));
    mg_auth_unref(a);

    o.no_auth_user = (char[]){"web"};
    a = mg_auth_new(&o);
    assert_false(mg_auth_without_connect(a, MG_CONN_STANDARD));
    assert_false(OK(a, 0));
    assert_true(mg_auth_without_connect(a, MG_CONN_WEBSOCKET));
    assert_true(OK(a, .conn_type = MG_CONN_WEBSOCKET));
    mg_auth_unref(a);

    o.no_auth_user = (char[]){"bob"}; // with a hash for a password
    a = mg_auth_new(&o);
    assert_false(OK(a, 0));
    assert_true(OK(a, .user = C("bob"), .pass = C("secret")));
    mg_auth_unref(a);
}

static void test_tls_map(void **state) {
    (void)state;
    struct mg_user mapped[] = {
        {.user = (char[]){"derek@nats.io"}, .password = (char[]){""}},
        {.user = (char[]){"host.example"}, .password = (char[]){"host-pw"}},
        {.user = (char[]){"spiffe://x/y"}, .password = (char[]){""}},
        {.user = (char[]){"O=acme,CN=any order"}, .password = (char[]){""}},
        {.user = (char[]){"CN=text,OU=a,DC=x,DC=y"}, .password = (char[]){""}},
        {.user = (char[]){"CN=plain\\,text"}, .password = (char[]){""}},
        {.user = (char[]){"plain"}, .password = (char[]){"plain-pw"}},
        {.user = (char[]){"webby"}, .password = (char[]){""}, .conn_types = MG_CONN_WEBSOCKET},
    };
    struct mg_options o = {
        .users = mapped, .nusers = sizeof mapped / sizeof mapped[0], .tls = true, .tls_opts.verify_and_map = true};
    struct mg_auth *a = mg_auth_new(&o);
    char *mails[] = {(char[]){"unknown@nats.io"}, (char[]){"derek@nats.io"}};
    char *hosts[] = {(char[]){"host.example"}};
    char *uris[] = {(char[]){"spiffe://x/y"}};
    char *web[] = {(char[]){"webby"}};

    struct mg_tls_peer p = {.present = true, .emails = {mails, 2}, .dns = {hosts, 1}};
    struct mg_auth_result r = ask(a, REQ(.peer = &p));
    assert_int_equal(r.verdict, MG_AUTH_OK); // e-mail goes before DNS
    assert_true(mg_slice_eq(r.user->name, C("derek@nats.io")));
    assert_false(r.user_replaced);
    assert_label(&r.who, "user:derek@nats.io", "derek@nats.io");

    r = ask(a, REQ(.peer = &p, .user = C("plain"))); // CONNECT does not matter
    assert_true(r.verdict == MG_AUTH_OK && r.user_replaced);
    assert_true(mg_slice_eq(r.user->name, C("derek@nats.io")));
    assert_false(OK(a, .peer = &p, .pass = C("x"))); // no password means no password

    p = (struct mg_tls_peer){.present = true, .dns = {hosts, 1}, .uris = {uris, 1}};
    assert_false(OK(a, .peer = &p)); // its password still counts
    assert_true(OK(a, .peer = &p, .pass = C("host-pw")));
    p.dns.n = 0;
    assert_true(OK(a, .peer = &p));

    p = (struct mg_tls_peer){.present = true, .subject_dn = (char[]){"CN=any order,O=acme"}};
    assert_true(OK(a, .peer = &p));
    p = (struct mg_tls_peer){
        .present = true, .subject_rdn = (char[]){"CN=text,OU=a"}, .subject_dc = (char[]){"DC=x,DC=y"}};
    assert_true(OK(a, .peer = &p));
    p.subject_dc = NULL;
    assert_false(OK(a, .peer = &p));
    p = (struct mg_tls_peer){.present = true, .subject_rdn = (char[]){"CN=plain\\,text"}};
    assert_true(OK(a, .peer = &p));

    p = (struct mg_tls_peer){.present = true, .dns = {web, 1}}; // exists, but not for this connection
    assert_false(OK(a, .peer = &p));
    p = (struct mg_tls_peer){.present = true};
    assert_false(OK(a, .peer = &p));
    assert_false(OK(a, .user = C("plain"), .pass = C("plain-pw"))); // no certificate, no way in
    assert_false(OK(a, .user = C("plain"), .pass = C("plain-pw"), .conn_type = MG_CONN_IN_PROCESS));
    // Another listener does not map: passwords count, but a passwordless user needs its certificate.
    assert_true(OK(a, .user = C("plain"), .pass = C("plain-pw"), .conn_type = MG_CONN_WEBSOCKET));
    assert_false(OK(a, .user = C("derek@nats.io"), .conn_type = MG_CONN_WEBSOCKET));
    mg_auth_unref(a);
}

static void test_reload(void **state) {
    (void)state;
    struct mg_user changed[NUSERS];
    memcpy(changed, users, sizeof users);
    struct mg_permissions perms = {.pub_allow_set = true};
    changed[0].perms = &perms;                 // alice: permissions only
    changed[1].password = (char[]){"another"}; // bob: password
    changed[2].conn_types = MG_CONN_WEBSOCKET; // nopass: connection types
    struct mg_options o1 = {.users = users, .nusers = NUSERS};
    struct mg_options o2 = {.users = changed, .nusers = NUSERS - 1}; // the nkey is gone
    struct mg_auth *a = mg_auth_new(&o1), *b = mg_auth_new(&o2);

    const struct mg_auth_user *alice = ask(a, REQ(.user = C("alice"), .pass = C("a-pw"))).user;
    const struct mg_auth_user *now = mg_auth_same_user(b, alice);
    assert_non_null(now);
    assert_ptr_not_equal(now, alice);
    assert_false(mg_perms_equal(now->perms, alice->perms));
    assert_true(mg_user_same(alice, now) && mg_user_same(NULL, NULL));
    assert_false(mg_user_same(alice, NULL));
    assert_null(mg_auth_same_user(b, ask(a, REQ(.user = C("bob"), .pass = C("secret"))).user));
    assert_null(mg_auth_same_user(b, ask(a, REQ(.user = C("nopass"))).user));
    assert_null(mg_auth_same_user(b, ask(a, REQ(.nkey = C(nkey), .sig = C(nkey_sig))).user));
    assert_null(mg_auth_same_user(b, NULL));

    mg_auth_ref(a); // a user lives as long as somebody refers to its snapshot
    mg_auth_unref(a);
    assert_true(mg_slice_eq(alice->name, C("alice")));
    mg_auth_unref(a);
    mg_auth_unref(b);
}

static int setup(void **state) {
    (void)state;
    if (sodium_init() < 0) return -1;
    uint8_t seed[32] = {7}, public[32], secret[64], sig[64];
    crypto_sign_seed_keypair(public, secret, seed);
    mg_nkey_encode(MG_NKEY_USER, public, nkey);
    crypto_sign_detached(sig, NULL, (const uint8_t *)nonce, strlen(nonce), secret);
    mg_base64url_encode(nkey_sig, sig, sizeof sig);
    static struct crypt_data data;
    strcpy(bcrypt_pw, crypt_rn("secret", "$2b$04$abcdefghijklmnopqrstuu", &data, sizeof data));
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_single),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_bcrypt_is_left_to_the_caller),
        cmocka_unit_test(test_nkey),
        cmocka_unit_test(test_no_auth_user),
        cmocka_unit_test(test_tls_map),
        cmocka_unit_test(test_reload),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
