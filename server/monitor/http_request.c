// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Requests are parsed by http-parser, which gives pieces of the URL and of headers; kept are only the URL and what the
// answers depend on (Host must be there, Accept chooses the metrics format). Everything else is counted and forgotten,
// so the 1 MiB of headers that are allowed cost memory only for a long URL.
//
// The parser pauses at the end of each message, so pipelined requests come out one by one. It keeps a limit of its own for
// headers (80 KB, a process-wide variable); its counter is reset before each piece, as the limits here are stricter in what
// they count and belong to one connection.
#include "server/monitor/http_request.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/monitor/query.h"

#define PIECE 16384u
#define MAX_ACCEPT 4096u

void mg_http_request_free(struct mg_http_request *req) {
    if (req == NULL) return;
    mg_buf_fini(&req->url);
    mg_buf_fini(&req->path);
    mg_buf_fini(&req->accept);
    mg_free(req);
}

const char *mg_http_path(const struct mg_http_request *req) { return req->path.p; }
mg_slice mg_http_query(const struct mg_http_request *req) { return req->query; }
mg_slice mg_http_accept(const struct mg_http_request *req) { return mg_buf_slice(&req->accept); }
bool mg_http_cancelled(const struct mg_http_request *req) { return req->conn == NULL; }

// ---- parsing ---------------------------------------------------------------------------------------------------------

static int on_begin(http_parser *p) {
    struct mg_http_parser *hp = p->data;
    mg_assert(hp->req == NULL);
    hp->req = mg_zalloc(sizeof(*hp->req));
    hp->head_bytes = hp->body_bytes = 0;
    hp->head_done = hp->in_value = hp->want_continue = false;
    hp->name_len = 0;
    hp->header = MG_HEADER_OTHER;
    return 0;
}

static int on_url(http_parser *p, const char *at, size_t n) {
    struct mg_http_parser *hp = p->data;
    mg_buf_add(&hp->req->url, at, n);
    return 0;
}

static int on_field(http_parser *p, const char *at, size_t n) {
    struct mg_http_parser *hp = p->data;
    if (hp->in_value) hp->name_len = 0;
    hp->in_value = false;
    // A name that is longer than the buffer is none that matters; name_len then stays beyond any that does.
    for (size_t i = 0; i < n && hp->name_len < sizeof(hp->name); i++) hp->name[hp->name_len++] = at[i];
    return 0;
}

static bool name_is(const struct mg_http_parser *hp, const char *name) {
    return hp->name_len == strlen(name) && strncasecmp(hp->name, name, hp->name_len) == 0;
}

static int on_value(http_parser *p, const char *at, size_t n) {
    struct mg_http_parser *hp = p->data;
    if (!hp->in_value)
        hp->header = name_is(hp, "host")     ? MG_HEADER_HOST
                     : name_is(hp, "accept") ? MG_HEADER_ACCEPT
                     : name_is(hp, "expect") ? MG_HEADER_EXPECT
                                             : MG_HEADER_OTHER;
    struct mg_buf *accept = &hp->req->accept;
    if (hp->header == MG_HEADER_HOST) hp->req->has_host = true;
    if (hp->header == MG_HEADER_EXPECT) hp->want_continue = true;
    if (hp->header == MG_HEADER_ACCEPT && accept->len + n < MAX_ACCEPT) {
        if (!hp->in_value && accept->len != 0) mg_buf_adds(accept, ", ");
        mg_buf_add(accept, at, n);
    }
    hp->in_value = true;
    return 0;
}

static int on_headers_complete(http_parser *p) {
    struct mg_http_parser *hp = p->data;
    struct mg_http_request *req = hp->req;
    hp->head_done = true;
    req->head = p->method == HTTP_HEAD;
    req->http10 = p->http_major < 1 || (p->http_major == 1 && p->http_minor == 0);
    if (req->http10) hp->want_continue = false;
    return 0;
}

static int on_complete(http_parser *p) {
    struct mg_http_parser *hp = p->data;
    // Nothing is switched to here: after an answer to an upgrade or CONNECT the connection closes.
    hp->req->keep_alive = http_should_keep_alive(p) && !p->upgrade;
    hp->complete = true;
    http_parser_pause(p, 1);
    return 0;
}

static const http_parser_settings settings = {
    .on_message_begin = on_begin,
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
    .on_message_complete = on_complete,
};

void mg_http_parser_init(struct mg_http_parser *hp) {
    *hp = (struct mg_http_parser){.req = NULL};
    http_parser_init(&hp->p, HTTP_REQUEST);
    hp->p.data = hp;
}

void mg_http_parser_fini(struct mg_http_parser *hp) {
    mg_http_request_free(hp->req);
    hp->req = NULL;
}

// The target as path and query. A target that is no absolute path or URL, a bad escape or a NUL: MG_EINVAL.
static int split_target(struct mg_http_request *req) {
    struct http_parser_url u;
    http_parser_url_init(&u);
    if (req->url.len > UINT16_MAX) {
        // http_parser_url holds 16-bit offsets: a longer target has to begin with the path.
        if (req->url.p[0] != '/') return MG_EINVAL;
        const char *q = memchr(req->url.p, '?', req->url.len);
        size_t path_len = q ? (size_t)(q - req->url.p) : req->url.len;
        if (q != NULL) req->query = mg_slice_of(q + 1, req->url.len - path_len - 1);
        u.field_set = 1 << UF_PATH;
        if (!mg_query_unescape(mg_slice_of(req->url.p, path_len), false, &req->path)) return MG_EINVAL;
    } else {
        if (req->url.len == 0 || http_parser_parse_url(req->url.p, req->url.len, 0, &u) != 0) return MG_EINVAL;
        mg_slice path = MG_S("/");
        if (u.field_set & (1 << UF_PATH))
            path = mg_slice_of(req->url.p + u.field_data[UF_PATH].off, u.field_data[UF_PATH].len);
        if (u.field_set & (1 << UF_QUERY))
            req->query = mg_slice_of(req->url.p + u.field_data[UF_QUERY].off, u.field_data[UF_QUERY].len);
        if (path.p[0] != '/' || !mg_query_unescape(path, false, &req->path)) return MG_EINVAL;
    }
    if (memchr(req->path.p, '\0', req->path.len) != NULL) return MG_EINVAL;
    mg_buf_addc(&req->path, '\0');
    req->path.len--;
    return MG_OK;
}

// A finished message: checks what http-parser does not.
static int finish(struct mg_http_parser *hp, struct mg_http_request **out, int *status) {
    struct mg_http_request *req = hp->req;
    hp->req = NULL;
    hp->complete = hp->head_done = false;
    hp->head_bytes = 0;
    http_parser_pause(&hp->p, 0);
    bool connect = hp->p.method == HTTP_CONNECT;
    if (connect || (!req->http10 && !req->has_host) || split_target(req) != MG_OK) {
        mg_http_request_free(req);
        *status = connect ? 405 : 400;
        return MG_EINVAL;
    }
    *out = req;
    return MG_OK;
}

int mg_http_parse(struct mg_http_parser *hp, const char *p, size_t n, size_t *used, struct mg_http_request **req,
                  int *status) {
    *used = 0;
    while (*used < n) {
        size_t piece = n - *used < PIECE ? n - *used : PIECE;
        bool was_head = !hp->head_done; // blank lines between requests count too
        hp->p.nread = 0;
        size_t took = http_parser_execute(&hp->p, &settings, p + *used, piece);
        *used += took;
        if (was_head)
            hp->head_bytes += took;
        else
            hp->body_bytes += took;
        if (hp->complete) return finish(hp, req, status);
        *status = 400;
        if (HTTP_PARSER_ERRNO(&hp->p) != HPE_OK) return MG_EINVAL;
        *status = 431;
        if (!hp->head_done && hp->head_bytes > MG_HTTP_MAX_HEAD) return MG_EINVAL;
        *status = 413;
        if (hp->body_bytes > MG_HTTP_MAX_BODY) return MG_EINVAL;
    }
    return MG_EAGAIN;
}

bool mg_http_parser_take_continue(struct mg_http_parser *hp) {
    bool want = hp->req != NULL && hp->head_done && hp->want_continue;
    if (want) hp->want_continue = false;
    return want;
}

// ---- clean paths -----------------------------------------------------------------------------------------------------

// Resolves "//", "/./" and "/../"; a final slash stays. path begins with '/'.
static void clean_path(mg_slice path, struct mg_buf *out) {
    size_t i = 0;
    while (i < path.n) {
        while (i < path.n && path.p[i] == '/') i++;
        size_t begin = i;
        while (i < path.n && path.p[i] != '/') i++;
        mg_slice part = mg_slice_of(path.p + begin, i - begin);
        if (part.n == 0 || mg_slice_eq(part, MG_S("."))) continue;
        if (mg_slice_eq(part, MG_S(".."))) {
            while (out->len != 0 && out->p[--out->len] != '/') continue;
            continue;
        }
        mg_buf_addc(out, '/');
        mg_buf_add_slice(out, part);
    }
    if (out->len == 0 || path.p[path.n - 1] == '/') mg_buf_addc(out, '/');
}

static void add_escaped(struct mg_buf *out, mg_slice s, const char *plain) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (alnum || (c != '\0' && strchr(plain, c) != NULL))
            mg_buf_addc(out, c);
        else
            mg_buf_addf(out, "%%%02X", (unsigned char)c);
    }
}

bool mg_http_redirect(const struct mg_http_request *req, struct mg_buf *location) {
    struct mg_buf clean = MG_BUF_INIT;
    clean_path(mg_buf_slice(&req->path), &clean);
    bool same = mg_slice_eq(mg_buf_slice(&clean), mg_buf_slice(&req->path));
    if (!same) {
        add_escaped(location, mg_buf_slice(&clean), "/-_.~$&+:=@");
        if (req->query.n != 0) {
            mg_buf_addc(location, '?');
            add_escaped(location, req->query, "/-_.~$&+:=@%?!*'(),;");
        }
    }
    mg_buf_fini(&clean);
    return !same;
}

// ---- answers ---------------------------------------------------------------------------------------------------------

static const char *status_text(int status) {
    switch (status) {
#define XX(num, name, string)                                                                                          \
    case num: return #string;
        HTTP_STATUS_MAP(XX)
#undef XX
    default: return "Unknown";
    }
}

// "Fri, 02 Jan 2026 03:04:05 GMT", whatever the locale.
static void add_date(struct mg_buf *out, int64_t wall_ns) {
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t sec = (time_t)(wall_ns / 1000000000);
    struct tm tm;
    gmtime_r(&sec, &tm);
    mg_buf_addf(out, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
                tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void mg_http_format_head(struct mg_buf *out, const struct mg_http_request *req, int status, const char *content_type,
                         const char *extra_headers, size_t len, int64_t wall_ns) {
    mg_buf_addf(out, "HTTP/1.%d %d %s\r\nContent-Type: %s\r\n%s", req->http10 ? 0 : 1, status, status_text(status),
                content_type, extra_headers);
    add_date(out, wall_ns);
    mg_buf_addf(out, "Content-Length: %zu\r\n", len);
    if (!req->keep_alive)
        mg_buf_adds(out, "Connection: close\r\n");
    else if (req->http10)
        mg_buf_adds(out, "Connection: keep-alive\r\n");
    mg_buf_adds(out, "\r\n");
}

void mg_http_format_refusal(struct mg_buf *out, int status) {
    struct mg_buf body = MG_BUF_INIT;
    mg_buf_addf(&body, "%d %s", status, status_text(status));
    mg_buf_addf(out,
                "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
                "Connection: close\r\n\r\n",
                status, status_text(status), body.len);
    mg_buf_add_slice(out, mg_buf_slice(&body));
    mg_buf_fini(&body);
}
