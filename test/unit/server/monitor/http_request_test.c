// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/monitor/http_request.h"

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"

// Parses text in pieces of n bytes; returns 0 and *req, or the status it is refused with, or MG_EAGAIN.
static int parse(const char *text, size_t len, size_t piece, struct mg_http_request **req) {
    struct mg_http_parser hp;
    int rc = MG_EAGAIN, status = 0;
    *req = NULL;
    mg_http_parser_init(&hp);
    for (size_t at = 0; at < len && rc == MG_EAGAIN;) {
        size_t n = len - at < piece ? len - at : piece, used = 0;
        rc = mg_http_parse(&hp, text + at, n, &used, req, &status);
        assert_true(used <= n && (rc != MG_EAGAIN || used == n));
        at += used;
    }
    mg_http_parser_fini(&hp);
    return rc == MG_EINVAL ? status : rc;
}

static void expect(const char *text, const char *path, const char *query) {
    for (size_t piece = 1; piece <= strlen(text); piece += 1 + piece / 2) {
        struct mg_http_request *req;
        assert_int_equal(parse(text, strlen(text), piece, &req), MG_OK);
        assert_string_equal(mg_http_path(req), path);
        assert_int_equal(mg_http_query(req).n, strlen(query));
        assert_memory_equal(mg_http_query(req).p ? mg_http_query(req).p : "", query, strlen(query));
        mg_http_request_free(req);
    }
}

static void expect_refused(const char *text, int status) {
    struct mg_http_request *req;
    assert_int_equal(parse(text, strlen(text), strlen(text), &req), status);
    assert_null(req);
}

static void targets(void **state) {
    (void)state;
    expect("GET / HTTP/1.0\r\n\r\n", "/", "");
    expect("GET /varz HTTP/1.1\r\nHost: a\r\n\r\n", "/varz", "");
    expect("\r\n\r\nGET /varz? HTTP/1.1\r\nhost:\r\n\r\n", "/varz", "");
    expect("GET /a%20b/%63?x=%20&y HTTP/1.1\r\nHOST: a\r\n\r\n", "/a b/c", "x=%20&y");
    expect("GET http://host:1/varz?q=http://y HTTP/1.1\r\nHost: a\r\n\r\n", "/varz", "q=http://y");
    expect("OPTIONS /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "/x", "");
    expect_refused("GET /varz HTTP/1.1\r\n\r\n", 400); // no Host
    expect_refused("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    expect_refused("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    expect_refused("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    expect_refused("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405);
    expect_refused("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400);
    expect_refused("NONSENSE\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n", 400);
}

static void headers(void **state) {
    (void)state;
    struct mg_http_request *req;
    static const char text[] = "GET / HTTP/1.1\r\nX-Very-Long-Header-Name-Indeed: 1\r\naccept: a/b\r\nHost: x\r\n"
                               "Accept: c/d\r\nAcceptx: no\r\n\r\n";
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        assert_int_equal(parse(text, sizeof(text) - 1, piece, &req), MG_OK);
        assert_int_equal(mg_http_accept(req).n, 8);
        assert_memory_equal(mg_http_accept(req).p, "a/b, c/d", 8);
        assert_true(req->keep_alive && !req->head && !req->http10);
        mg_http_request_free(req);
    }
}

// A request whose head (or body) has about `len` bytes.
static int parse_large(bool body, size_t len, size_t piece) {
    struct mg_buf b = MG_BUF_INIT;
    struct mg_http_request *req;
    mg_buf_adds(&b, "GET / HTTP/1.1\r\nHost: x\r\n");
    if (body) mg_buf_addf(&b, "Content-Length: %zu\r\n\r\n", len);
    while (b.len < len) mg_buf_adds(&b, body ? "0123456789abcdef" : "X-Filler: 0123456789abcdef\r\n");
    if (!body) mg_buf_adds(&b, "\r\n");
    int rc = parse(b.p, b.len, piece, &req);
    mg_http_request_free(req);
    mg_buf_fini(&b);
    return rc;
}

static void limits(void **state) {
    (void)state;
    for (size_t piece = 1000; piece <= 100000; piece *= 10) {
        assert_int_equal(parse_large(false, MG_HTTP_MAX_HEAD - 100, piece), MG_OK);
        assert_int_equal(parse_large(false, MG_HTTP_MAX_HEAD + 20000, piece), 431);
        assert_int_equal(parse_large(true, 2 * MG_HTTP_MAX_BODY, piece), 413);
    }
    struct mg_buf blank = MG_BUF_INIT; // line ends for ever
    struct mg_http_request *req;
    while (blank.len < MG_HTTP_MAX_HEAD + 20000) mg_buf_adds(&blank, "\r\n");
    assert_int_equal(parse(blank.p, blank.len, 5000, &req), 431);
    mg_buf_fini(&blank);
}

static void a_long_target(void **state) {
    (void)state;
    struct mg_buf b = MG_BUF_INIT;
    struct mg_http_request *req;
    mg_buf_adds(&b, "GET /connz?user=");
    while (b.len < 100000) mg_buf_addc(&b, 'u');
    mg_buf_adds(&b, " HTTP/1.0\r\n\r\n");
    assert_int_equal(parse(b.p, b.len, 7777, &req), MG_OK);
    assert_string_equal(mg_http_path(req), "/connz");
    assert_int_equal(mg_http_query(req).n, 100000 - strlen("GET /connz?"));
    mg_http_request_free(req);
    mg_buf_fini(&b);
}

static void redirects(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"/", NULL},           {"/varz", NULL},        {"/varz/", NULL},           {"//varz", "/varz"},
        {"/a/../varz", "/varz"}, {"/./varz", "/varz"},  {"/varz/.", "/varz"},       {"/varz//", "/varz/"},
        {"/../..", "/"},       {"///", "/"},           {"//%0d%0aX:%20y", "/%0D%0AX:%20y"}, {"//evil.example/x", "/evil.example/x"},
        {"//a?b=c&d=%0d", "/a?b=c&d=%0d"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mg_buf text = MG_BUF_INIT, location = MG_BUF_INIT;
        struct mg_http_request *req;
        mg_buf_addf(&text, "GET %s HTTP/1.0\r\n\r\n", cases[i][0]);
        assert_int_equal(parse(text.p, text.len, text.len, &req), MG_OK);
        assert_int_equal(mg_http_redirect(req, &location), cases[i][1] != NULL);
        mg_buf_addc(&location, '\0');
        assert_string_equal(location.p, cases[i][1] ? cases[i][1] : "");
        mg_http_request_free(req);
        mg_buf_fini(&text);
        mg_buf_fini(&location);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets), cmocka_unit_test(headers),       cmocka_unit_test(limits),
        cmocka_unit_test(a_long_target), cmocka_unit_test(redirects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
