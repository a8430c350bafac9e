// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Trace lines, and what must not stand in them.
//
// A CONNECT that is traced may be malformed, so secrets are found in the text, not in parsed JSON: a key that
// contains "auth_token" or "pass", or is exactly nkey, sig or proxy_sig, then ':' or '=', then the value. A quoted
// value ends at its closing quote (escapes are honoured), another one at , " } or the end of the line. Rather too
// much is hidden than too little.
#include "server/conn/trace.h"

#include <string.h>
#include <strings.h>

static const char *arrow(enum mg_trace_dir dir) {
    return dir == MG_TRACE_IN ? "<<-" : dir == MG_TRACE_OUT ? "->>" : "<->";
}

void mg_trace_op(struct mg_log *log, const char *prefix, enum mg_trace_dir dir, mg_slice op, mg_slice arg) {
    mg_log_trc(log, "%s - %s [%.*s%s%.*s]", prefix, arrow(dir), (int)op.n, op.p ? op.p : "",
               op.n != 0 && arg.n != 0 ? " " : "", (int)arg.n, arg.p ? arg.p : "");
}

void mg_trace_payload(struct mg_log *log, const char *prefix, enum mg_trace_dir dir, mg_slice msg, size_t hdr_len) {
    int64_t max = atomic_load_explicit(&log->max_traced_msg_len, memory_order_relaxed);
    if (atomic_load_explicit(&log->trace_headers, memory_order_relaxed)) {
        if (hdr_len <= 4 || hdr_len > msg.n) return;
        msg.n = hdr_len - 4;
    }
    if (msg.n == 0) return;
    bool cut = max > 0 && msg.n > (uint64_t)max;
    if (cut) msg.n = (size_t)max;
    // A line is bounded: more than this would be cut off by the log anyhow.
    if (msg.n > MG_LOG_LINE_MAX) msg.n = MG_LOG_LINE_MAX;
    struct mg_buf text = MG_BUF_INIT;
    mg_buf_add_quoted(&text, msg);
    const char *end = cut ? "...\"" : "\"";
    mg_log_trc(log, "%s - %s MSG_PAYLOAD: [%.*s%s]", prefix, arrow(dir), (int)text.len - 1, text.p, end);
    mg_buf_fini(&text);
}

// ---- secrets ----------------------------------------------------------------------------------------------------

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static size_t skip_blanks(mg_slice s, size_t i) {
    while (i < s.n && is_blank(s.p[i])) i++;
    return i;
}

// At the end of a key: an optional quote, ':' or '=', blanks. Gives where the value (or its quote) begins.
static bool match_colon(mg_slice s, size_t i, size_t *value) {
    if (i < s.n && s.p[i] == '"') i++;
    i = skip_blanks(s, i);
    if (i == s.n || (s.p[i] != ':' && s.p[i] != '=')) return false;
    *value = skip_blanks(s, i + 1);
    return true;
}

// Keys of a CONNECT match in any case.
static bool starts_at(mg_slice s, size_t i, mg_slice word) {
    return s.n - i >= word.n && strncasecmp(s.p + i, word.p, word.n) == 0;
}

// Does the key of a secret begin at i? Gives where its value begins.
static bool match_secret(mg_slice s, size_t i, size_t *value) {
    static const mg_slice prefixes[] = {{"auth_token", 10}, {"pass", 4}};
    static const mg_slice exact[] = {{"proxy_sig", 9}, {"nkey", 4}, {"sig", 3}};
    for (size_t k = 0; k < sizeof(prefixes) / sizeof(prefixes[0]); k++) {
        if (!starts_at(s, i, prefixes[k])) continue;
        // The rest of the key: whatever is not blank, up to the first thing that looks like its end.
        for (size_t j = i + prefixes[k].n;; j++) {
            if (match_colon(s, j, value)) return true;
            if (j >= s.n || is_blank(s.p[j]) || s.p[j] == '"') break;
        }
    }
    if (i != 0 && is_word(s.p[i - 1])) return false;
    for (size_t k = 0; k < sizeof(exact) / sizeof(exact[0]); k++)
        if (starts_at(s, i, exact[k]) && match_colon(s, i + exact[k].n, value)) return true;
    return false;
}

// The end of a value; *begin moves behind its quote, which stays visible.
static size_t value_end(mg_slice s, size_t *begin) {
    size_t i = *begin;
    if (i < s.n && s.p[i] == '"') {
        *begin = ++i;
        while (i < s.n && s.p[i] != '"') i += s.p[i] == '\\' && i + 1 < s.n ? 2 : 1;
        return i;
    }
    while (i < s.n && strchr("\",\r\n}", s.p[i]) == NULL) i++;
    return i;
}

void mg_trace_redact(struct mg_buf *out, mg_slice arg) {
    size_t i = 0, value;
    while (i < arg.n) {
        if (!match_secret(arg, i, &value)) {
            mg_buf_addc(out, arg.p[i++]);
            continue;
        }
        size_t end = value_end(arg, &value);
        mg_buf_add(out, arg.p + i, value - i);
        mg_buf_adds(out, "[REDACTED]");
        i = end;
    }
}

void mg_trace_connect(struct mg_log *log, const char *prefix, mg_slice arg) {
    struct mg_buf clean = MG_BUF_INIT;
    mg_trace_redact(&clean, arg);
    mg_trace_op(log, prefix, MG_TRACE_IN, MG_S("CONNECT"), mg_buf_slice(&clean));
    mg_buf_fini(&clean);
}
