// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The pure half of the monitoring HTTP server: bytes in, a request out; an answer in, bytes out. No sockets, no clock.
#ifndef MG_MONITOR_HTTP_REQUEST_H
#define MG_MONITOR_HTTP_REQUEST_H

#include <http_parser.h>

#include "server/monitor/http.h"

struct http_conn;

struct mg_http_request {
    struct http_conn *conn; // NULL: the peer has left
    struct mg_buf url, path, accept;
    mg_slice query; // in url
    bool head;      // the method is HEAD: headers only
    bool http10;
    bool keep_alive;
    bool has_host;
};

void mg_http_request_free(struct mg_http_request *req); // NULL is fine

enum mg_http_header { MG_HEADER_OTHER, MG_HEADER_HOST, MG_HEADER_ACCEPT, MG_HEADER_EXPECT };

// The parser of one connection; embedded there. All fields are private.
struct mg_http_parser {
    http_parser p;
    struct mg_http_request *req; // being built; owned
    size_t head_bytes, body_bytes;
    bool head_done, complete;
    bool in_value; // the last header callback was a value
    bool want_continue; // Expect: 100-continue
    char name[16];
    size_t name_len;
    enum mg_http_header header;
};

void mg_http_parser_init(struct mg_http_parser *hp);
void mg_http_parser_fini(struct mg_http_parser *hp);
// Parses at most one request from the n bytes at p; *used of them were consumed.
//   MG_OK: *req is complete and the caller's; its path may have to be redirected (mg_http_redirect).
//   MG_EAGAIN: all bytes were consumed, more are needed.
//   MG_EINVAL: refuse with *status and its text and close.
int mg_http_parse(struct mg_http_parser *hp, const char *p, size_t n, size_t *used, struct mg_http_request **req,
                  int *status);
// In the middle of a request (else: idle)?
static inline bool mg_http_parser_busy(const struct mg_http_parser *hp) { return hp->req != NULL; }
// Once a request: its sender waits for "100 Continue" before it sends the body.
bool mg_http_parser_take_continue(struct mg_http_parser *hp);

// Appends where a request for an unclean path should go instead, as a Location value. False: the path is clean.
bool mg_http_redirect(const struct mg_http_request *req, struct mg_buf *location);

// Appends the status line and headers of an answer with a body of `len` bytes. wall_ns: for Date.
void mg_http_format_head(struct mg_buf *out, const struct mg_http_request *req, int status, const char *content_type,
                         const char *extra_headers, size_t len, int64_t wall_ns);
// Appends a whole answer to what was no request: the status as text, then the connection closes.
void mg_http_format_refusal(struct mg_buf *out, int status);

#endif
