// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Requests to the monitoring port: the first byte says in which pieces the rest arrives.
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/monitor/connz.h"
#include "server/monitor/endpoint.h"
#include "server/monitor/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(struct mg_http_request *req) {
    struct mg_buf text = MG_BUF_INIT;
    if (mg_http_redirect(req, &text)) {
        mg_assert(text.len != 0 && text.p[0] == '/');
        mg_assert(memchr(text.p, '\r', text.len) == NULL && memchr(text.p, '\n', text.len) == NULL);
        mg_assert(text.len == 1 || text.p[1] != '/'); // stays on this host
    }
    mg_endpoint_of("/nats", mg_http_path(req));
    struct mg_connz_query q;
    text.len = 0;
    if (mg_connz_parse(mg_http_query(req), &q, &text) == MG_OK) {
        mg_assert(q.offset >= 0 && q.limit > 0);
        mg_connz_query_fini(&q);
    } else {
        mg_assert(text.len != 0);
    }
    mg_buf_fini(&text);
    mg_http_request_free(req);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    size_t piece = data[0] == 0 ? size : data[0];
    const char *p = (const char *)data + 1, *end = (const char *)data + size;
    struct mg_http_parser hp;
    mg_http_parser_init(&hp);
    while (p < end) {
        size_t n = (size_t)(end - p) < piece ? (size_t)(end - p) : piece, used = 0;
        struct mg_http_request *req = NULL;
        int status = 0;
        int rc = mg_http_parse(&hp, p, n, &used, &req, &status);
        mg_assert(used <= n && (used != 0 || rc == MG_EINVAL));
        p += used;
        if (rc == MG_OK) {
            bool keep = req->keep_alive;
            use(req);
            if (!keep) break;
        } else if (rc == MG_EINVAL) {
            mg_assert(status == 400 || status == 405 || status == 413 || status == 431);
            break;
        }
    }
    mg_http_parser_fini(&hp);
    return 0;
}
