// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Connections of the monitoring HTTP server.
//
// The good path: bytes are read into `raw` cipher or plain, plain ones wait in `in` for the parser; a complete request
// goes to the owner and parsing stops (c->asked) until it is answered; the answer goes to `out` and from there to the
// socket; then the next pipelined request, or idle.
// How it fails: every phase but the owner's work has a deadline, and everything wrong with the bytes or the socket ends
// in drop(), which gives up the connection at once. The struct goes away in the socket's `closed`, or, if a handshake is
// on a worker thread then, when that is back. An unanswered request is detached (req->conn = NULL) and freed by its reply.
// What always holds: at most one request is with the owner; at most IN_MAX bytes wait to be parsed; while c->working, only
// the worker touches c->tls.
#include "server/monitor/http.h"

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/list.h"
#include "server/base/mem.h"
#include "server/monitor/http_request.h"

#define READ_SIZE 16384u
#define IN_MAX 65536u     // bytes waiting to be parsed
#define TLS_RECORD 16384u // plain bytes encrypted at a time

// spec/monitoring-and-tools.md A1: 5 s to read the request headers. The other deadlines are ours.
#define HEAD_NS (5 * MG_SEC)
#define BODY_NS (30 * MG_SEC)
#define WRITE_NS (30 * MG_SEC)  // without progress
#define IDLE_NS (300 * MG_SEC)
#define LINGER_NS (1 * MG_SEC)

struct mg_http {
    struct mg_loop *loop;
    struct mg_wheel *wheel;
    struct mg_listener *listener;
    struct mg_tls_ctx *tls; // NULL: plain
    const struct mg_http_ops *ops;
    void *owner;
    struct mg_list idle; // conn.idle_link, the longest idle first
    struct mg_list all;  // conn.link
    unsigned nconns;
    bool closing;
};

struct http_conn {
    struct mg_list link, idle_link;
    struct mg_http *h;
    struct mg_sock *sock;
    struct mg_timer timer;
    struct mg_http_parser parser;
    struct mg_http_request *asked; // with the owner; its reply frees it
    struct mg_buf in;
    size_t in_pos;
    struct mg_buf out; // plain bytes to write
    size_t out_pos;
    struct mg_tls *tls; // NULL: plain
    struct mg_work work;
    int handshake;     // its result, MG_EAGAIN: not finished
    bool working;      // the handshake is on a worker thread
    bool served;       // there was a request already
    bool eof;          // the peer will send no more
    bool finish;       // close when everything is written
    bool dropped;      // mg_sock_close was called
    bool sock_gone;    // `closed` was called
    bool advancing;    // advance() is on the stack
};

static void advance(struct http_conn *c);

// ---- life of a connection --------------------------------------------------------------------------------------------

static void http_free(struct mg_http *h) {
    const struct mg_http_ops *ops = h->ops;
    void *owner = h->owner;
    mg_tls_ctx_unref(h->tls);
    mg_free(h);
    ops->closed(owner);
}

static void conn_free(struct http_conn *c) {
    struct mg_http *h = c->h;
    mg_assert(c->sock_gone && !c->working);
    mg_list_remove(&c->link);
    if (c->tls != NULL) mg_tls_free(c->tls);
    mg_http_parser_fini(&c->parser);
    mg_buf_fini(&c->in);
    mg_buf_fini(&c->out);
    mg_free(c);
    h->nconns--;
    if (h->closing && h->nconns == 0) http_free(h);
}

static void give_up(struct http_conn *c) {
    c->dropped = true;
    mg_timer_stop(c->h->wheel, &c->timer);
    mg_list_remove(&c->idle_link);
    if (c->asked != NULL) c->asked->conn = NULL;
    c->asked = NULL;
}

static void drop(struct http_conn *c) {
    if (c->dropped) return;
    give_up(c);
    mg_sock_close(c->sock);
}

static void on_closed(void *owner) {
    struct http_conn *c = owner;
    c->sock_gone = true;
    if (!c->working) conn_free(c);
}

static void on_timeout(struct mg_timer *t) { drop(mg_container_of(t, struct http_conn, timer)); }

static void set_deadline(struct http_conn *c, uint64_t ns) {
    mg_timer_start(c->h->wheel, &c->timer, mg_loop_now(c->h->loop) + ns);
}

// ---- writing ---------------------------------------------------------------------------------------------------------

// The next bytes for the socket; encrypts some if there are none yet.
static mg_slice next_output(struct http_conn *c) {
    mg_slice plain = c->out.len > c->out_pos ? mg_slice_of(c->out.p + c->out_pos, c->out.len - c->out_pos)
                                             : mg_slice_of(NULL, 0);
    if (c->tls == NULL) return plain;
    mg_slice cipher = mg_tls_pending(c->tls);
    if (cipher.n != 0 || plain.n == 0) return cipher;
    if (plain.n > TLS_RECORD) plain.n = TLS_RECORD;
    if (mg_tls_write(c->tls, plain.p, plain.n) != MG_OK) {
        c->finish = true;
        return mg_slice_of(NULL, 0);
    }
    c->out_pos += plain.n;
    return mg_tls_pending(c->tls);
}

// Writes what the socket takes. True: nothing is left.
static bool flush(struct http_conn *c) {
    for (;;) {
        mg_slice s = next_output(c);
        if (s.n == 0) break;
        struct iovec iov = {.iov_base = (char *)(uintptr_t)s.p, .iov_len = s.n};
        ptrdiff_t n = mg_sock_writev(c->sock, &iov, 1);
        if (n == MG_EAGAIN) {
            mg_sock_want_write(c->sock, true);
            return false;
        }
        if (n < 0) {
            drop(c);
            return false;
        }
        if (c->tls != NULL)
            mg_tls_sent(c->tls, (size_t)n);
        else
            c->out_pos += (size_t)n;
        if (c->out.len != 0) set_deadline(c, WRITE_NS);
    }
    // A large answer's memory is not kept for the next one.
    if (c->out.cap > READ_SIZE) mg_buf_fini(&c->out);
    c->out.len = c->out_pos = 0;
    return true;
}

// Everything is written and nothing more is to come: says so and closes, so that the peer can still read it.
static void close_politely(struct http_conn *c) {
    if (c->tls != NULL && c->handshake == MG_OK) {
        mg_tls_close(c->tls);
        if (!flush(c)) {
            drop(c);
            return;
        }
    }
    give_up(c);
    mg_sock_close_lingering(c->sock, LINGER_NS);
}

// TLS is broken; what it has to say about that is still sent.
static void close_with_alert(struct http_conn *c) {
    c->out.len = c->out_pos = 0;
    flush(c);
    if (c->dropped) return;
    give_up(c);
    mg_sock_close_lingering(c->sock, LINGER_NS);
}

static void on_writable(void *owner) {
    struct http_conn *c = owner;
    if (!c->dropped && !c->working) advance(c);
}

// ---- reading ---------------------------------------------------------------------------------------------------------

static size_t unparsed(const struct http_conn *c) { return c->in.len - c->in_pos; }

// Forgets what was parsed, so that c->in does not grow beyond what waits.
static void compact(struct http_conn *c) {
    size_t n = unparsed(c);
    if (n != 0)
        memmove(c->in.p, c->in.p + c->in_pos, n);
    else if (c->in.cap > READ_SIZE)
        mg_buf_fini(&c->in);
    c->in.len = n;
    c->in_pos = 0;
}

static void on_readable(void *owner) {
    struct http_conn *c = owner;
    compact(c);
    char buf[READ_SIZE];
    struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf)};
    ptrdiff_t n = mg_sock_readv(c->sock, &iov, 1);
    if (n == MG_EAGAIN) return;
    if (n < 0 && n != MG_EEOF) {
        drop(c);
        return;
    }
    if (n == MG_EEOF || n == 0)
        c->eof = true;
    else if (c->tls != NULL)
        mg_tls_feed(c->tls, buf, (size_t)n);
    else
        mg_buf_add(&c->in, buf, (size_t)n);
    advance(c);
}

// Moves decrypted bytes to c->in. False: the connection is gone.
static bool decrypt(struct http_conn *c) {
    compact(c);
    while (unparsed(c) < IN_MAX) {
        mg_buf_reserve(&c->in, READ_SIZE);
        ptrdiff_t n = mg_tls_read(c->tls, c->in.p + c->in.len, READ_SIZE);
        if (n == MG_EAGAIN) break;
        if (n == MG_EEOF) {
            c->eof = true;
            break;
        }
        if (n < 0) {
            close_with_alert(c);
            return false;
        }
        c->in.len += (size_t)n;
    }
    return true;
}

static void handshake_run(struct mg_work *w) {
    struct http_conn *c = mg_container_of(w, struct http_conn, work);
    c->handshake = mg_tls_handshake(c->tls);
}

static void handshake_done(struct mg_work *w) {
    struct http_conn *c = mg_container_of(w, struct http_conn, work);
    c->working = false;
    if (c->sock_gone) {
        conn_free(c);
        return;
    }
    if (c->dropped) return;
    if (c->handshake != MG_OK && c->handshake != MG_EAGAIN) {
        close_with_alert(c);
        return;
    }
    bool sent = flush(c);
    if (c->dropped) return;
    mg_sock_want_read(c->sock, true);
    if (c->handshake == MG_OK && sent) advance(c);
}

// A handshake takes milliseconds of arithmetic: not on the loop's thread. Nothing is read meanwhile.
static void start_handshake(struct http_conn *c) {
    c->working = true;
    mg_sock_want_read(c->sock, false);
    c->work.run = handshake_run;
    c->work.done = handshake_done;
    mg_loop_work(c->h->loop, &c->work);
}

// ---- requests --------------------------------------------------------------------------------------------------------

static void reply_redirect(struct mg_http_request *req, mg_slice location) {
    struct mg_buf headers = MG_BUF_INIT, body = MG_BUF_INIT;
    mg_buf_addf(&headers, "Location: %.*s\r\n", (int)location.n, location.p);
    mg_buf_adds(&body, "<a href=\"");
    for (size_t i = 0; i < location.n; i++) {
        if (location.p[i] == '&')
            mg_buf_adds(&body, "&amp;");
        else if (location.p[i] == '\'')
            mg_buf_adds(&body, "&#39;");
        else
            mg_buf_addc(&body, location.p[i]);
    }
    mg_buf_adds(&body, "\">Moved Permanently</a>.\n\n");
    mg_buf_addc(&headers, '\0');
    mg_http_reply(req, 301, "text/html; charset=utf-8", headers.p, mg_buf_slice(&body));
    mg_buf_fini(&headers);
    mg_buf_fini(&body);
}

static void ask_owner(struct http_conn *c, struct mg_http_request *req) {
    struct mg_buf location = MG_BUF_INIT;
    req->conn = c;
    c->asked = req;
    c->served = true;
    mg_timer_stop(c->h->wheel, &c->timer);
    if (mg_http_redirect(req, &location))
        reply_redirect(req, mg_buf_slice(&location));
    else
        c->h->ops->request(c->h->owner, req);
    mg_buf_fini(&location);
}

// Takes the next request out of c->in. False: nothing has changed, more bytes are needed.
static bool parse_one(struct http_conn *c) {
    if (unparsed(c) == 0) return false;
    struct mg_http_request *req = NULL;
    bool was_busy = mg_http_parser_busy(&c->parser), was_body = was_busy && c->parser.head_done;
    size_t used = 0;
    int status = 0;
    int rc = mg_http_parse(&c->parser, c->in.p + c->in_pos, unparsed(c), &used, &req, &status);
    c->in_pos += used;
    if (rc == MG_OK) {
        ask_owner(c, req);
        return true;
    }
    if (rc == MG_EAGAIN) {
        bool busy = mg_http_parser_busy(&c->parser), body = busy && c->parser.head_done;
        if (body && !was_body)
            set_deadline(c, BODY_NS);
        else if (busy && !was_busy && c->served) // the first request's time runs since the connection was accepted
            set_deadline(c, HEAD_NS);
        if (!mg_http_parser_take_continue(&c->parser)) return false;
        mg_buf_adds(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
        return true;
    }
    mg_http_format_refusal(&c->out, status);
    c->finish = true;
    return true;
}

// The connection waits for its next request: it may be sacrificed for a new connection.
static void rest(struct http_conn *c) {
    bool waiting = c->asked == NULL && !mg_http_parser_busy(&c->parser) && c->out.len == 0;
    if (waiting && mg_list_empty(&c->idle_link)) {
        mg_list_push_back(&c->h->idle, &c->idle_link);
        if (c->served) set_deadline(c, IDLE_NS);
    } else if (!waiting) {
        mg_list_remove(&c->idle_link);
    }
    // A peer that only closed its sending half still gets its answer. Reading goes on while the owner works, because
    // that is how a broken connection is noticed.
    mg_sock_want_read(c->sock, !c->eof && unparsed(c) < IN_MAX);
}

// Does all that can be done now: called after each event.
static void advance(struct http_conn *c) {
    if (c->advancing || c->working || c->dropped) return;
    c->advancing = true;
    if (c->tls != NULL && c->handshake != MG_OK) {
        if (c->eof)
            drop(c);
        else if (flush(c))
            start_handshake(c);
        c->advancing = false;
        return;
    }
    for (;;) {
        if (c->tls != NULL && !decrypt(c)) break;
        if (!flush(c) || c->asked != NULL) break;
        if (c->finish || (c->eof && unparsed(c) == 0)) {
            close_politely(c);
            break;
        }
        if (!parse_one(c)) break;
    }
    if (!c->dropped) rest(c);
    c->advancing = false;
}

static const struct mg_sock_ops sock_ops = {.readable = on_readable, .writable = on_writable, .closed = on_closed};

static void on_accepted(void *owner, const struct mg_sock_seed *seed) {
    struct mg_http *h = owner;
    if (h->nconns >= MG_HTTP_MAX_CONNS) {
        if (mg_list_empty(&h->idle)) {
            mg_sock_seed_close(seed);
            return;
        }
        drop(mg_container_of(h->idle.next, struct http_conn, idle_link));
    }
    struct http_conn *c = mg_zalloc(sizeof(*c));
    c->h = h;
    if (mg_sock_attach(h->loop, seed, &sock_ops, c, &c->sock) != MG_OK) {
        mg_free(c);
        return;
    }
    h->nconns++;
    mg_list_push_back(&h->all, &c->link);
    mg_list_init(&c->idle_link);
    mg_timer_init(&c->timer, on_timeout);
    mg_http_parser_init(&c->parser);
    c->handshake = MG_EAGAIN;
    if (h->tls != NULL) c->tls = mg_tls_new(h->tls);
    set_deadline(c, HEAD_NS);
}

// ---- the server ------------------------------------------------------------------------------------------------------

int mg_http_open(struct mg_http **out, const struct mg_http_config *config, char *err, size_t errlen) {
    static const struct mg_listener_ops ops = {.accepted = on_accepted};
    struct mg_http *h = mg_zalloc(sizeof(*h));
    h->loop = config->loop;
    h->wheel = config->wheel;
    h->ops = config->ops;
    h->owner = config->owner;
    mg_list_init(&h->idle);
    mg_list_init(&h->all);
    int rc = mg_listener_open(h->loop, config->host, config->port, &ops, h, &h->listener, err, errlen);
    if (rc != MG_OK) {
        mg_free(h);
        return rc;
    }
    if (config->tls != NULL) h->tls = mg_tls_ctx_ref(config->tls);
    *out = h;
    return MG_OK;
}

uint16_t mg_http_port(const struct mg_http *h) { return mg_listener_port(h->listener); }

void mg_http_set_tls(struct mg_http *h, struct mg_tls_ctx *tls) {
    mg_assert(tls != NULL && h->tls != NULL);
    mg_tls_ctx_ref(tls);
    mg_tls_ctx_unref(h->tls);
    h->tls = tls;
}

void mg_http_close(struct mg_http *h) {
    mg_assert(!h->closing);
    h->closing = true;
    mg_listener_close(h->listener);
    h->listener = NULL;
    if (h->nconns == 0) {
        http_free(h);
        return;
    }
    for (struct mg_list *l = h->all.next; l != &h->all; l = l->next) drop(mg_container_of(l, struct http_conn, link));
}

void mg_http_reply(struct mg_http_request *req, int status, const char *content_type, const char *extra_headers,
                   mg_slice body) {
    struct http_conn *c = req->conn;
    if (c != NULL) {
        mg_assert(c->asked == req && !c->dropped);
        mg_http_format_head(&c->out, req, status, content_type, extra_headers, body.n, mg_loop_wall(c->h->loop));
        if (!req->head) mg_buf_add_slice(&c->out, body);
        c->finish = !req->keep_alive;
        c->asked = NULL;
        set_deadline(c, WRITE_NS);
    }
    mg_http_request_free(req);
    if (c != NULL) advance(c);
}

void mg_http_reply_json(struct mg_http_request *req, int status, mg_slice body) {
    mg_http_reply(req, status, "application/json", "Access-Control-Allow-Origin: *\r\n", body);
}

void mg_http_reply_text(struct mg_http_request *req, int status, mg_slice body) {
    mg_http_reply(req, status, "text/plain; charset=utf-8", "", body);
}

void mg_http_reply_not_found(struct mg_http_request *req) {
    mg_http_reply(req, 404, "text/plain; charset=utf-8", "X-Content-Type-Options: nosniff\r\n",
                  MG_S("404 page not found\n"));
}
