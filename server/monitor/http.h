// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A small HTTP/1.1 server for the monitoring port: keep-alive, one request of a connection at a time, answers that come
// later. It lives on one loop; all calls are made on that loop's thread.
#ifndef MG_MONITOR_HTTP_H
#define MG_MONITOR_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/base/slice.h"
#include "server/base/timer.h"
#include "server/shard/net.h"
#include "server/shard/tls.h"

#define MG_HTTP_MAX_CONNS 256u           // the longest idle one makes room for a new one
#define MG_HTTP_MAX_HEAD (1024u * 1024u) // bytes of request line and headers (spec/monitoring-and-tools.md A1)
#define MG_HTTP_MAX_BODY (1024u * 1024u) // bytes of a request body, which is read and ignored

struct mg_http;
struct mg_http_request;

struct mg_http_ops {
    // A request is complete. The owner must call mg_http_reply for it exactly once, now or later.
    void (*request)(void *owner, struct mg_http_request *req);
    // After mg_http_close: the last connection is gone and h was freed. The last call. Requests that were not answered
    // yet stay valid and still have to be.
    void (*closed)(void *owner);
};

struct mg_http_config {
    struct mg_loop *loop;
    struct mg_wheel *wheel; // the loop's
    const char *host;
    uint16_t port;          // 0: any
    struct mg_tls_ctx *tls; // NULL: plain; a reference is taken
    const struct mg_http_ops *ops;
    void *owner;
};

// Starts listening. On failure returns an error, with the listener's text in err.
int mg_http_open(struct mg_http **out, const struct mg_http_config *config, char *err, size_t errlen);
uint16_t mg_http_port(const struct mg_http *h);
// The certificate for connections accepted from now on (a reference is taken; never NULL <-> set after open).
void mg_http_set_tls(struct mg_http *h, struct mg_tls_ctx *tls);
// Stops listening and closes all connections; ops->closed follows, perhaps from inside this call.
void mg_http_close(struct mg_http *h);

// What a request says; valid until mg_http_reply.
const char *mg_http_path(const struct mg_http_request *req); // unescaped and clean: begins with '/', no "//", no ".."
mg_slice mg_http_query(const struct mg_http_request *req);   // raw, what follows '?'; see query.h
mg_slice mg_http_accept(const struct mg_http_request *req);  // the Accept header, empty if none
// The peer has left: the answer will not be sent, so the work for it can be saved.
bool mg_http_cancelled(const struct mg_http_request *req);

// Answers and frees req. extra_headers: "" or whole lines, each with its CRLF. The body is copied.
void mg_http_reply(struct mg_http_request *req, int status, const char *content_type, const char *extra_headers,
                   mg_slice body);
// The two usual forms (spec/monitoring-and-tools.md A1): JSON with the CORS header; plain text.
void mg_http_reply_json(struct mg_http_request *req, int status, mg_slice body);
void mg_http_reply_text(struct mg_http_request *req, int status, mg_slice body);
void mg_http_reply_not_found(struct mg_http_request *req);

#endif
