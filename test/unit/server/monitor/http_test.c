// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/monitor/http.h"

#include <stdio.h>

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"
#include "test/unit/server/monitor/fake_net.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define DATE "Date: Fri, 02 Jan 2026 03:04:05 GMT\r\n"

struct fixture {
    struct mg_loop loop;
    struct mg_http *http;
    struct mg_tls_ctx *tls;
    struct mg_http_request *held[8]; // requests not answered yet
    unsigned nheld, requests, closed;
    bool hold, closing;
};

static void answer(struct mg_http_request *req) {
    struct mg_buf body = MG_BUF_INIT;
    mg_buf_addf(&body, "path=%s query=%.*s", mg_http_path(req), (int)mg_http_query(req).n, mg_http_query(req).p);
    if (strcmp(mg_http_path(req), "/none") == 0)
        mg_http_reply_not_found(req);
    else if (strcmp(mg_http_path(req), "/json") == 0)
        mg_http_reply_json(req, 200, MG_S("{}"));
    else
        mg_http_reply_text(req, 200, mg_buf_slice(&body));
    mg_buf_fini(&body);
}

static void on_request(void *owner, struct mg_http_request *req) {
    struct fixture *f = owner;
    f->requests++;
    if (f->hold)
        f->held[f->nheld++] = req;
    else
        answer(req);
}

static void on_closed(void *owner) { ((struct fixture *)owner)->closed++; }

static const struct mg_http_ops ops = {on_request, on_closed};

static struct fixture *open_server(bool tls) {
    struct fixture *f = mg_zalloc(sizeof(*f));
    char err[128];
    fake_init(&f->loop);
    if (tls) f->tls = fake_tls_ctx();
    struct mg_http_config c = {&f->loop, &f->loop.wheel, "127.0.0.1", 0, f->tls, &ops, f};
    assert_int_equal(mg_http_open(&f->http, &c, err, sizeof(err)), MG_OK);
    assert_int_equal(mg_http_port(f->http), 8222);
    return f;
}

static int setup(void **state) {
    *state = open_server(false);
    return 0;
}

static int setup_tls(void **state) {
    *state = open_server(true);
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    if (!f->closing) mg_http_close(f->http);
    f->loop.hold_work = false;
    fake_run(&f->loop);
    assert_int_equal(f->closed, 1);
    for (unsigned i = 0; i < f->nheld; i++) answer(f->held[i]);
    assert_true(mg_wheel_next(&f->loop.wheel) == UINT64_MAX); // no timer is left behind
    fake_fini(&f->loop);
    mg_tls_ctx_unref(f->tls);
    mg_free(f);
    return 0;
}

// What the peer got since the last call.
static void expect_out(struct mg_sock *s, const char *want) {
    mg_buf_addc(&s->out, '\0');
    assert_string_equal(s->out.p, want);
    s->out.len = 0;
}

static const char ok_a[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n" DATE
                           "Content-Length: 16\r\n\r\npath=/a query=b=";

static void a_request_is_answered_and_the_connection_kept(void **state) {
    struct fixture *f = *state;
    struct mg_sock *s = fake_connect(&f->loop);
    for (int i = 0; i < 2; i++) {
        fake_send(s, GET("/a?b="));
        fake_run(&f->loop);
        expect_out(s, ok_a);
    }
    fake_send(s, GET("/json"));
    fake_run(&f->loop);
    expect_out(s, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nAccess-Control-Allow-Origin: *\r\n" DATE
                  "Content-Length: 2\r\n\r\n{}");
    fake_send(s, GET("/none"));
    fake_run(&f->loop);
    expect_out(s, "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
                  "X-Content-Type-Options: nosniff\r\n" DATE "Content-Length: 19\r\n\r\n404 page not found\n");
    assert_false(s->closed);
}

static void bytes_may_come_and_go_one_by_one(void **state) {
    struct fixture *f = *state;
    struct mg_sock *s = fake_connect(&f->loop);
    s->read_max = 1;
    s->window = 0;
    fake_send(s, GET("/a?b="));
    fake_run(&f->loop);
    for (size_t i = 0; i < sizeof(ok_a) - 1; i++) {
        s->window = 1;
        fake_run(&f->loop);
    }
    expect_out(s, ok_a);
}

static void pipelined_requests_wait_for_their_turn(void **state) {
    struct fixture *f = *state;
    struct mg_sock *s = fake_connect(&f->loop);
    f->hold = true;
    fake_send(s, GET("/a?b=") GET("/a?b=") GET("/a?b="));
    fake_run(&f->loop);
    assert_int_equal(f->nheld, 1);
    s->window = 10; // the answer does not fit: the next request waits for that too
    f->nheld = 0;
    answer(f->held[0]);
    fake_run(&f->loop);
    assert_int_equal(f->nheld, 0);
    s->window = SIZE_MAX;
    fake_run(&f->loop);
    expect_out(s, ok_a);
    assert_int_equal(f->nheld, 1);
    f->hold = false;
    f->nheld = 0;
    answer(f->held[0]);
    fake_run(&f->loop);
    assert_int_equal(f->requests, 3);
    char twice[2 * sizeof(ok_a)];
    snprintf(twice, sizeof(twice), "%s%s", ok_a, ok_a);
    expect_out(s, twice);
}

static void what_waits_is_bounded(void **state) {
    struct fixture *f = *state;
    struct mg_sock *s = fake_connect(&f->loop);
    f->hold = true;
    for (int i = 0; i < 20000; i++) fake_send(s, GET("/a?b="));
    fake_run(&f->loop);
    assert_int_equal(f->nheld, 1);
    assert_true(s->in_pos < 128 * 1024 && s->in.len - s->in_pos > 256 * 1024);
    assert_false(s->want_read);
    f->hold = false;
    f->nheld = 0;
    answer(f->held[0]);
    fake_run(&f->loop);
    assert_int_equal(f->requests, 20000);
}

static void close_is_obeyed(void **state) {
    struct fixture *f = *state;
    static const char *const requests[] = {
        "GET /a?b= HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /a?b= HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    };
    for (int i = 0; i < 2; i++) {
        struct mg_sock *s = fake_connect(&f->loop);
        fake_send(s, requests[i]);
        fake_run(&f->loop);
        expect_out(s, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n" DATE
                      "Content-Length: 16\r\nConnection: close\r\n\r\npath=/a query=b=");
        assert_true(s->closed && s->lingering);
    }
    struct mg_sock *s = fake_connect(&f->loop);
    fake_send(s, "GET /a?b= HTTP/1.0\r\n\r\n");
    fake_run(&f->loop);
    expect_out(s, "HTTP/1.0 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n" DATE
                  "Content-Length: 16\r\nConnection: close\r\n\r\npath=/a query=b=");
    assert_true(s->closed);
    s = fake_connect(&f->loop);
    fake_send(s, "GET /a?b= HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    fake_run(&f->loop);
    expect_out(s, "HTTP/1.0 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n" DATE
                  "Content-Length: 16\r\nConnection: keep-alive\r\n\r\npath=/a query=b=");
    assert_false(s->closed);
}

static void a_half_closed_peer_gets_its_answer(void **state) {
    struct fixture *f = *state;
    struct mg_sock *s = fake_connect(&f->loop);
    f->hold = true;
    fake_send(s, GET("/a?b="));
    s->peer_eof = true;
    fake_run(&f->loop);
    assert_int_equal(f->nheld, 1);
    assert_false(mg_http_cancelled(f->held[0]));
    f->nheld = 0;
    answer(f->held[0]);
    fake_run(&f->loop);
    expect_out(s, ok_a);
    assert_true(s->closed);
}

static void a_broken_connection_cancels_its_request(void **state) {
    struct fixture *f = *state;
    struct mg_sock *s = fake_connect(&f->loop);
    f->hold = true;
    fake_send(s, GET("/a?b="));
    fake_run(&f->loop);
    s->peer_reset = true;
    fake_run(&f->loop);
    assert_true(s->closed);
    assert_true(mg_http_cancelled(f->held[0]));
    assert_string_equal(mg_http_path(f->held[0]), "/a");
}

static void unclean_paths_are_redirected(void **state) {
    struct fixture *f = *state;
    struct mg_sock *s = fake_connect(&f->loop);
    fake_send(s, GET("//varz?a=1&b='"));
    fake_run(&f->loop);
    expect_out(s, "HTTP/1.1 301 Moved Permanently\r\nContent-Type: text/html; charset=utf-8\r\n"
                  "Location: /varz?a=1&b='\r\n" DATE "Content-Length: 56\r\n\r\n"
                  "<a href=\"/varz?a=1&amp;b=&#39;\">Moved Permanently</a>.\n\n");
    assert_int_equal(f->requests, 0);
}

static void head_has_no_body(void **state) {
    struct fixture *f = *state;
    struct mg_sock *s = fake_connect(&f->loop);
    fake_send(s, "HEAD /a?b= HTTP/1.1\r\nHost: x\r\n\r\n");
    fake_run(&f->loop);
    expect_out(s, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n" DATE "Content-Length: 16\r\n\r\n");
}

static void a_body_is_invited_and_ignored(void **state) {
    struct fixture *f = *state;
    struct mg_sock *s = fake_connect(&f->loop);
    fake_send(s, "POST /a?b= HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    fake_run(&f->loop);
    expect_out(s, "HTTP/1.1 100 Continue\r\n\r\n");
    fake_send(s, "hello");
    fake_run(&f->loop);
    expect_out(s, ok_a);
}

static void nonsense_is_refused(void **state) {
    struct fixture *f = *state;
    struct mg_sock *s = fake_connect(&f->loop);
    fake_send(s, "\x16\x03\x01 TLS on a plain port");
    fake_run(&f->loop);
    expect_out(s, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 15\r\n"
                  "Connection: close\r\n\r\n400 Bad Request");
    assert_true(s->closed && s->lingering);
}

static void slow_peers_are_cut_off(void **state) {
    struct fixture *f = *state;
    struct mg_sock *silent = fake_connect(&f->loop), *slow = fake_connect(&f->loop), *kept = fake_connect(&f->loop);
    struct mg_sock *body = fake_connect(&f->loop), *stuck = fake_connect(&f->loop);
    fake_send(kept, GET("/a?b="));
    fake_send(body, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n");
    stuck->window = 5;
    fake_send(stuck, GET("/a?b="));
    for (int i = 0; i < 4; i++) {
        fake_send_bytes(slow, &"GET "[i], 1);
        fake_advance(&f->loop, MG_SEC);
    }
    assert_false(silent->closed || slow->closed);
    fake_advance(&f->loop, 2 * MG_SEC);
    assert_true(silent->closed && slow->closed);
    assert_false(kept->closed || body->closed || stuck->closed);
    fake_advance(&f->loop, 30 * MG_SEC);
    assert_true(body->closed && stuck->closed);
    fake_send(kept, "GET / HT"); // the next request has its 5 s again
    fake_run(&f->loop);
    fake_advance(&f->loop, 4 * MG_SEC);
    assert_false(kept->closed);
    fake_advance(&f->loop, 2 * MG_SEC);
    assert_true(kept->closed);
}

static void idle_connections_make_room(void **state) {
    struct fixture *f = *state;
    struct mg_sock *first = NULL, *s = NULL;
    for (unsigned i = 0; i < MG_HTTP_MAX_CONNS; i++) {
        s = fake_connect(&f->loop);
        fake_send(s, GET("/a?b="));
        fake_run(&f->loop);
        if (i == 0) first = s;
    }
    struct mg_sock *more = fake_connect(&f->loop);
    fake_run(&f->loop);
    assert_false(more->refused);
    assert_true(first->closed);
    f->hold = true;
    fake_send(more, GET("/a?b="));
    fake_run(&f->loop);
    fake_advance(&f->loop, 301 * MG_SEC); // the others were idle for too long
    assert_true(s->closed);
    assert_false(more->closed); // its request is still being worked on
}

static void without_idle_ones_new_connections_are_refused(void **state) {
    struct fixture *f = *state;
    for (unsigned i = 0; i < MG_HTTP_MAX_CONNS; i++) fake_send(fake_connect(&f->loop), "GET");
    fake_run(&f->loop);
    assert_true(fake_connect(&f->loop)->refused);
}

static void closing_ends_everything(void **state) {
    struct fixture *f = *state;
    struct mg_sock *s = fake_connect(&f->loop), *busy = fake_connect(&f->loop);
    f->hold = true;
    fake_send(busy, GET("/a?b="));
    fake_run(&f->loop);
    f->closing = true;
    mg_http_close(f->http);
    assert_int_equal(f->closed, 0);
    fake_run(&f->loop);
    assert_int_equal(f->closed, 1);
    assert_true(s->closed && busy->closed);
    assert_true(mg_http_cancelled(f->held[0])); // answered by the teardown
}

static void a_bad_address_is_reported(void **state) {
    struct fixture *f = *state;
    struct mg_http *h;
    char err[128];
    struct mg_http_config c = {&f->loop, &f->loop.wheel, "bad", 7, NULL, &ops, f};
    assert_int_equal(mg_http_open(&h, &c, err, sizeof(err)), MG_EIO);
    assert_string_equal(err, "listen tcp bad:7: no");
}

static void send_secret(struct mg_sock *s, const char *text) {
    for (; *text != '\0'; text++) {
        char c = (char)(*text ^ FAKE_KEY);
        fake_send_bytes(s, &c, 1);
    }
}

static void expect_secret(struct mg_sock *s, const char *plain, const char *want, const char *after) {
    size_t n = strlen(plain);
    assert_memory_equal(s->out.p, plain, n);
    assert_int_equal(s->out.len, n + strlen(want) + strlen(after));
    for (size_t i = 0; want[i] != '\0'; i++) assert_int_equal((char)(s->out.p[n + i] ^ FAKE_KEY), want[i]);
    assert_memory_equal(s->out.p + n + strlen(want), after, strlen(after));
    s->out.len = 0;
}

static void tls_carries_the_same(void **state) {
    struct fixture *f = *state;
    struct mg_sock *s = fake_connect(&f->loop);
    s->read_max = 3; // several rounds for the handshake
    fake_send(s, "HELLO");
    send_secret(s, GET("/a?b="));
    fake_run(&f->loop);
    expect_secret(s, "hello", ok_a, "");
    struct mg_tls_ctx *renewed = fake_tls_ctx();
    mg_http_set_tls(f->http, renewed);
    mg_tls_ctx_unref(renewed);
    send_secret(s, "GET /a?b= HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    fake_run(&f->loop);
    expect_secret(s, "", "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n" DATE
                         "Content-Length: 16\r\nConnection: close\r\n\r\npath=/a query=b=", "bye");
    assert_true(s->closed);
}

static void broken_tls_ends_with_an_alert(void **state) {
    struct fixture *f = *state;
    struct mg_sock *s = fake_connect(&f->loop);
    fake_send(s, "GET / HTTP/1.1\r\n\r\n");
    fake_run(&f->loop);
    expect_out(s, "alert");
    assert_true(s->closed);
    s = fake_connect(&f->loop);
    fake_send_bytes(s, "HELLO\0", 6);
    fake_run(&f->loop);
    expect_out(s, "helloalert");
    assert_true(s->closed);
    assert_int_equal(f->requests, 0);
}

static void a_handshake_may_outlive_its_socket(void **state) {
    struct fixture *f = *state;
    struct mg_sock *s = fake_connect(&f->loop);
    f->loop.hold_work = true;
    fake_send(s, "HELLO");
    fake_run(&f->loop);
    assert_int_equal(f->loop.nwork, 1);
    fake_advance(&f->loop, 6 * MG_SEC);
    assert_true(s->closed); // the struct waits for the worker
    s = fake_connect(&f->loop);
    fake_send(s, "HELLO");
    fake_run(&f->loop);
    f->closing = true;
    mg_http_close(f->http);
    fake_run(&f->loop);
    assert_int_equal(f->closed, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define TEST_TLS(fn) cmocka_unit_test_setup_teardown(fn, setup_tls, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_answered_and_the_connection_kept),
        TEST(bytes_may_come_and_go_one_by_one),
        TEST(pipelined_requests_wait_for_their_turn),
        TEST(what_waits_is_bounded),
        TEST(close_is_obeyed),
        TEST(a_half_closed_peer_gets_its_answer),
        TEST(a_broken_connection_cancels_its_request),
        TEST(unclean_paths_are_redirected),
        TEST(head_has_no_body),
        TEST(a_body_is_invited_and_ignored),
        TEST(nonsense_is_refused),
        TEST(slow_peers_are_cut_off),
        TEST(idle_connections_make_room),
        TEST(without_idle_ones_new_connections_are_refused),
        TEST(closing_ends_everything),
        TEST(a_bad_address_is_reported),
        TEST_TLS(tls_carries_the_same),
        TEST_TLS(broken_tls_ends_with_an_alert),
        TEST_TLS(a_handshake_may_outlive_its_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
