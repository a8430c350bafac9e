// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Answers are written member by member in the order of the reference's structs. What an error answer keeps of the
// members behind the error is in the table of replies: clients decode one struct for both.
#include "jetstream/api/reply.h"

#include "server/base/encode.h"
#include "server/base/mem.h"
#include "server/base/timefmt.h"

#define PREFIX "io.nats.jetstream.api.v1."

static const struct {
    const char *type;
    enum mg_js_rest rest;
} replies[] = {
#define X(name, type, rest) {PREFIX type, rest},
    MG_JS_REPLIES(X)
#undef X
};

void mg_js_reply_begin(struct mg_jw *w, struct mg_buf *out, enum mg_js_reply reply) {
    mg_jw_init(w, out, 0);
    mg_jw_obj(w);
    mg_jw_kstr(w, "type", replies[reply].type);
}

void mg_js_reply_end(struct mg_jw *w) { mg_jw_end_obj(w); }

static void write_raw(struct mg_jw *w, const char *key, const char *json) {
    mg_jw_key(w, key);
    mg_jw_raw(w, mg_cstr(json));
}

static void write_rest(struct mg_jw *w, enum mg_js_rest rest) {
    switch (rest) {
    case MG_JS_REST_NONE: return;
    case MG_JS_REST_PURGED: mg_jw_kuint(w, "purged", 0); return;
    case MG_JS_REST_DELIVER: mg_jw_kstr(w, "deliver_subject", ""); return;
    case MG_JS_REST_RESET: mg_jw_kuint(w, "reset_seq", 0); return;
    case MG_JS_REST_PAUSED:
        mg_jw_kbool(w, "paused", false);
        mg_js_write_time(w, "pause_until", INT64_MIN);
        return;
    case MG_JS_REST_PAGE:
    case MG_JS_REST_STREAM_NAMES:
    case MG_JS_REST_STREAMS:
    case MG_JS_REST_CONSUMERS: mg_js_write_page(w, (struct mg_js_page){0, 0, 0}); break;
    }
    if (rest == MG_JS_REST_STREAM_NAMES) write_raw(w, "streams", "null");
    if (rest == MG_JS_REST_STREAMS) write_raw(w, "streams", "[]");
    if (rest == MG_JS_REST_CONSUMERS) write_raw(w, "consumers", "[]");
}

void mg_js_reply_error(struct mg_buf *out, enum mg_js_reply reply, const struct mg_js_error *e) {
    struct mg_jw w;
    mg_js_reply_begin(&w, out, reply);
    mg_jw_key(&w, "error");
    mg_js_error_write(e, &w);
    write_rest(&w, replies[reply].rest);
    mg_js_reply_end(&w);
}

void mg_js_reply_plain(struct mg_buf *out, enum mg_js_reply reply) {
    struct mg_jw w;
    mg_js_reply_begin(&w, out, reply);
    mg_js_reply_end(&w);
}

void mg_js_reply_success(struct mg_buf *out, enum mg_js_reply reply) {
    struct mg_jw w;
    mg_js_reply_begin(&w, out, reply);
    mg_jw_kbool(&w, "success", true);
    mg_js_reply_end(&w);
}

void mg_js_reply_purged(struct mg_buf *out, uint64_t purged) {
    struct mg_jw w;
    mg_js_reply_begin(&w, out, MG_JS_REPLY_STREAM_PURGE);
    mg_jw_kbool(&w, "success", true);
    mg_jw_kuint(&w, "purged", purged);
    mg_js_reply_end(&w);
}

// ---- pages --------------------------------------------------------------------------------------------------------

struct mg_js_page mg_js_page_at(int64_t total, int64_t offset, int64_t limit) {
    if (offset < 0) offset = 0;
    return (struct mg_js_page){total, offset > total ? total : offset, limit};
}

int64_t mg_js_page_count(struct mg_js_page page) {
    int64_t left = page.total - page.offset;
    return left < page.limit ? left : page.limit;
}

void mg_js_write_page(struct mg_jw *w, struct mg_js_page page) {
    mg_jw_kint(w, "total", page.total);
    mg_jw_kint(w, "offset", page.offset);
    mg_jw_kint(w, "limit", page.limit);
}

void mg_js_reply_names(struct mg_buf *out, enum mg_js_reply reply, struct mg_js_page page, const mg_slice *names) {
    bool streams = reply == MG_JS_REPLY_STREAM_NAMES;
    int64_t count = mg_js_page_count(page);
    struct mg_jw w;
    mg_js_reply_begin(&w, out, reply);
    mg_js_write_page(&w, page);
    mg_jw_key(&w, streams ? "streams" : "consumers");
    if (streams && count == 0) {
        mg_jw_null(&w);
    } else {
        mg_jw_arr(&w);
        for (int64_t i = 0; i < count; i++) mg_jw_str(&w, names[i]);
        mg_jw_end_arr(&w);
    }
    mg_js_reply_end(&w);
}

// ---- members ------------------------------------------------------------------------------------------------------

void mg_js_write_time(struct mg_jw *w, const char *key, int64_t ns) {
    char text[40];
    mg_jw_kstr(w, key, mg_fmt_time(text, ns));
}

void mg_js_write_slice(struct mg_jw *w, const char *key, mg_slice s) {
    mg_jw_key(w, key);
    mg_jw_str(w, s);
}

// ---- acknowledgements ---------------------------------------------------------------------------------------------

// spec/jetstream-streams.md 12
void mg_js_pub_ack_prefix(struct mg_buf *out, mg_slice stream, mg_slice domain) {
    struct mg_jw w;
    mg_jw_init(&w, out, 0);
    mg_jw_obj(&w);
    mg_js_write_slice(&w, "stream", stream);
    if (domain.n > 0) mg_js_write_slice(&w, "domain", domain);
    mg_jw_key(&w, "seq");
}

static void add_digits(struct mg_buf *out, uint64_t v) {
    char text[20], *p = text + sizeof text;
    do *--p = (char)('0' + v % 10);
    while ((v /= 10) != 0);
    mg_buf_add(out, p, (size_t)(text + sizeof text - p));
}

static void add_string(struct mg_buf *out, const char *before, mg_slice s) {
    struct mg_jw w;
    mg_buf_adds(out, before);
    mg_jw_init(&w, out, 0);
    mg_jw_str(&w, s);
}

// Of each published message, so without the writer's bookkeeping. The reference builds it by hand too, hence the blank
// before true.
void mg_js_pub_ack(struct mg_buf *out, const struct mg_js_pub_ack *ack) {
    mg_buf_add_slice(out, ack->prefix);
    add_digits(out, ack->seq);
    if (ack->duplicate) mg_buf_adds(out, ",\"duplicate\": true");
    if (ack->counter.n > 0) add_string(out, ",\"val\":", ack->counter);
    if (ack->batch.n > 0) {
        add_string(out, ",\"batch\":", ack->batch);
        mg_buf_adds(out, ",\"count\":");
        add_digits(out, ack->batch_size);
    }
    mg_buf_addc(out, '}');
}

void mg_js_pub_error(struct mg_buf *out, mg_slice stream, const struct mg_js_error *e) {
    struct mg_jw w;
    mg_jw_init(&w, out, 0);
    mg_jw_obj(&w);
    mg_jw_key(&w, "error");
    mg_js_error_write(e, &w);
    mg_js_write_slice(&w, "stream", stream);
    mg_jw_kuint(&w, "seq", 0);
    mg_jw_end_obj(&w);
}

// ---- a stored message ---------------------------------------------------------------------------------------------

static void write_base64(struct mg_jw *w, const char *key, mg_slice bytes) {
    if (bytes.n == 0) return;
    char *text = mg_alloc(MG_BASE64_PAD_LEN(bytes.n) + 1);
    mg_jw_key(w, key);
    mg_jw_str(w, mg_slice_of(text, mg_base64_encode(text, (const uint8_t *)bytes.p, bytes.n)));
    mg_free(text);
}

void mg_js_reply_message(struct mg_buf *out, const struct mg_message *m) {
    struct mg_jw w;
    mg_js_reply_begin(&w, out, MG_JS_REPLY_STREAM_MSG_GET);
    mg_jw_key(&w, "message");
    mg_jw_obj(&w);
    mg_js_write_slice(&w, "subject", m->subject);
    mg_jw_kuint(&w, "seq", m->seq);
    write_base64(&w, "hdrs", m->headers);
    write_base64(&w, "data", m->payload);
    mg_js_write_time(&w, "time", m->time);
    mg_jw_end_obj(&w);
    mg_js_reply_end(&w);
}
