// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Acknowledgements on the wire; see ack.h. Tokens are taken as they are: names may hold anything but dots. What cannot
// be a number becomes MG_JS_ACK_BAD, which is beyond every sequence number, so that the state machine treats it as a
// message that was never delivered.
#include "jetstream/consumer/ack.h"

#include <strings.h>

#include "server/base/json.h"
#include "server/base/timefmt.h"
#include "server/proto/subject.h"

#define SHORT_TOKENS 9
#define LONG_TOKENS 11

static void add_token(struct mg_buf *out, mg_slice token) {
    mg_buf_add_slice(out, token);
    mg_buf_addc(out, '.');
}

void mg_js_ack_prefix(struct mg_buf *out, mg_slice domain, mg_slice account, mg_slice stream, mg_slice consumer) {
    mg_buf_adds(out, "$JS.ACK.");
    if (account.n > 0) {
        add_token(out, domain.n > 0 ? domain : MG_S("_"));
        add_token(out, account);
    }
    add_token(out, stream);
    add_token(out, consumer);
}

static char *put_number(char *end, uint64_t v) {
    do {
        *--end = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    return end;
}

void mg_js_ack_numbers(struct mg_buf *out, const struct mg_js_ack_subject *a) {
    char text[5 * 21], *end = text + sizeof text, *p = end; // 20 digits and a dot each; written backwards
    const uint64_t numbers[] = {a->pending, a->time, a->dseq, a->seq, a->delivered};
    for (unsigned i = 0; i < 5; i++) {
        if (i > 0) *--p = '.';
        p = put_number(p, numbers[i]);
    }
    mg_buf_add(out, p, (size_t)(end - p));
}

static uint64_t number(mg_slice s) {
    uint64_t v = 0;
    if (s.n == 0) return MG_JS_ACK_BAD;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return MG_JS_ACK_BAD;
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (unsigned)(s.p[i] - '0'), &v))
            return MG_JS_ACK_BAD;
    }
    return v;
}

bool mg_js_ack_parse(mg_slice subject, struct mg_js_ack_subject *out) {
    mg_slice tokens[LONG_TOKENS];
    unsigned n = 0;
    struct mg_tokens it = mg_tokens_of(subject);
    // spec 7.2: tokens behind the eleventh are ignored.
    for (mg_slice token; n < LONG_TOKENS && mg_tokens_next(&it, &token);) tokens[n++] = token;
    if (n != SHORT_TOKENS && n != LONG_TOKENS) return false;
    if (!mg_slice_eq(tokens[0], MG_S("$JS")) || !mg_slice_eq(tokens[1], MG_S("ACK"))) return false;
    const mg_slice *t = tokens + 2;
    *out = (struct mg_js_ack_subject){0};
    if (n == LONG_TOKENS) {
        out->domain = *t++;
        out->account = *t++;
    }
    out->stream = t[0];
    out->consumer = t[1];
    out->delivered = number(t[2]);
    out->seq = number(t[3]);
    out->dseq = number(t[4]);
    out->time = number(t[5]);
    out->pending = number(t[6]);
    return true;
}

// ---- payloads -------------------------------------------------------------------------------------------------------

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f'; }

static mg_slice trim(mg_slice s) {
    while (s.n > 0 && blank(s.p[0])) s = mg_slice_of(s.p + 1, s.n - 1);
    while (s.n > 0 && blank(s.p[s.n - 1])) s.n--;
    return s;
}

static mg_slice behind(mg_slice s, size_t n) { return mg_slice_of(s.p + n, s.n - n); }

static bool json_delay(mg_slice text, int64_t *ns) {
    struct mg_json *doc = mg_json_parse(text);
    bool ok = doc != NULL && mg_json_type(doc) == MG_JSON_OBJECT;
    *ns = 0;
    for (const struct mg_json *m = ok ? mg_json_first(doc) : NULL; m != NULL && ok; m = mg_json_next(m)) {
        if (strcasecmp(mg_json_key(m), "delay") != 0 || mg_json_type(m) == MG_JSON_NULL) continue;
        ok = mg_json_int(m, ns) == 0;
    }
    if (doc != NULL) mg_json_free(doc);
    return ok;
}

static bool text_delay(mg_slice text, int64_t *ns) {
    char z[64];
    if (text.n >= sizeof z || memchr(text.p, 0, text.n) != NULL) return false;
    memcpy(z, text.p, text.n);
    z[text.n] = 0;
    return mg_parse_duration(z, ns) == 0;
}

static struct mg_js_ack read_nak(mg_slice rest) {
    struct mg_js_ack a = {.verb = MG_JS_ACK_NAK};
    rest = trim(rest);
    if (rest.n == 0) return a;
    if (rest.p[0] == '{' ? json_delay(rest, &a.delay) : text_delay(rest, &a.delay)) a.verb = MG_JS_ACK_NAK_DELAY;
    else a.bad_delay = true;
    return a;
}

struct mg_js_ack mg_js_ack_read(mg_slice payload) {
    // spec 8: +ACK, +OK and +WPI are exact; the others may be followed by anything.
    if (payload.n == 0 || mg_slice_eq(payload, MG_S("+ACK")) || mg_slice_eq(payload, MG_S("+OK")))
        return (struct mg_js_ack){.verb = MG_JS_ACK_OK};
    if (mg_slice_eq(payload, MG_S("+WPI"))) return (struct mg_js_ack){.verb = MG_JS_ACK_PROGRESS};
    if (mg_slice_starts(payload, MG_S("-NAK"))) return read_nak(behind(payload, 4));
    if (mg_slice_starts(payload, MG_S("+TERM")))
        return (struct mg_js_ack){.verb = MG_JS_ACK_TERM, .rest = trim(behind(payload, 5))};
    if (mg_slice_starts(payload, MG_S("+NXT")))
        return (struct mg_js_ack){.verb = MG_JS_ACK_NEXT, .rest = trim(behind(payload, 4))};
    return (struct mg_js_ack){.verb = MG_JS_ACK_UNKNOWN};
}
