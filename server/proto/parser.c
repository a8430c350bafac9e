// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The client protocol's parser.
//
// The good path: a PUB that is complete in the buffer (plain_pub). Its verb is one 4-byte load, a mask of the bytes
// <= ' ' in the next 64 leads from blank to blank to the line end, the size is read from its token, and two bytes
// behind the payload are compared. Everything else is walked with the same masks, 16 bytes a step (cut_line).
//
// A command that is not complete leaves three facts in struct mg_parser: which verb was seen (verb and blanks are
// consumed at once, so a flood of blanks never needs memory), how far the line was searched, and how many bytes a
// payload waits for. So a line that comes byte by byte is searched once, and a payload in many pieces costs one
// comparison a piece. When the line end has come the line is walked from its start; nothing else is remembered.
//
// What always holds: errors depend on the bytes alone, never on where reads were cut (test/fuzz/parser_fuzz.c), and
// are found as early as in the reference: a wrong verb byte without its line, a long line without its end, a big
// payload without its bytes.
#include "server/proto/parser.h"

#include <inttypes.h>

#include "server/base/assert.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { MAX_TOKENS = 4 }; // HPUB subject reply #hdr #total

// An argument line that is being cut into tokens.
struct line {
    const char *p;     // first argument byte
    const char *end;   // behind the last one: CR LF or LF follows
    const char *next;  // behind the line end
    const char *start; // of the current token
    bool cr_blank;     // CR separates as a blank does: SUB and UNSUB (A4 as observed; elsewhere it is part of a token)
    unsigned n;        // tokens; more than MAX_TOKENS are counted, not kept
    mg_slice tok[MAX_TOKENS];
};

// Bit i: p[i] <= ' ', for 16 bytes.
static inline unsigned control_mask(const char *p) {
#ifdef __SSE2__
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(' ')), x));
#else
    unsigned mask = 0;
    for (unsigned i = 0; i < 16; i++) mask |= (unsigned)((unsigned char)p[i] <= ' ') << i;
    return mask;
#endif
}

static inline bool is_blank(char c) { return c == ' ' || c == '\t'; }

static inline void add_token(struct line *l, const char *end) {
    if (l->start >= end) return;
    if (l->n < MAX_TOKENS) l->tok[l->n] = mg_slice_of(l->start, (size_t)(end - l->start));
    l->n++;
}

// A byte <= ' ' at c. True when it is the line end.
static inline bool on_control(struct line *l, const char *c) {
    if (is_blank(*c) || (l->cr_blank && *c == '\r')) {
        add_token(l, c);
        l->start = c + 1;
        return false;
    }
    if (*c != '\n') return false;
    l->end = c[-1] == '\r' && c - 1 > l->p ? c - 1 : c;
    l->next = c + 1;
    add_token(l, l->end);
    return true;
}

// Cuts the line at p into tokens. False: its end is not there yet. p[0] is never a blank, and whatever it is, it is
// no line end: the reference does not look at it ("PUB \r\n" has the one argument "\r").
static inline bool cut_line(struct line *l, const char *p, const char *end, bool cr_blank) {
    l->p = l->start = p;
    l->cr_blank = cr_blank;
    l->n = 0;
    if (cr_blank && (*p == '\r' || *p == '\n')) l->start++;
    const char *q = p + 1;
    for (; end - q >= 16; q += 16)
        for (unsigned mask = control_mask(q); mask; mask &= mask - 1)
            if (on_control(l, q + __builtin_ctz(mask))) return true;
    for (; q < end; q++)
        if ((unsigned char)*q <= ' ' && on_control(l, q)) return true;
    return false;
}

static inline int64_t parse_size(mg_slice t) {
    if (t.n == 0 || t.n > 9) return -1;
    uint32_t v = 0;
    for (size_t i = 0; i < t.n; i++) {
        uint32_t digit = (uint32_t)(unsigned char)t.p[i] - '0';
        if (MG_UNLIKELY(digit > 9)) return -1;
        v = v * 10 + digit;
    }
    return v;
}

int64_t mg_parse_size(mg_slice text) { return parse_size(text); }

// ---- verbs -----------------------------------------------------------------------------------------------------

static const struct verb {
    char text[8]; // lower case
    uint8_t len;
    bool blank;   // a blank must follow
} verbs[] = {
    [MG_OP_CONNECT] = {"connect", 7, false}, [MG_OP_PUB] = {"pub", 3, true},     [MG_OP_HPUB] = {"hpub", 4, true},
    [MG_OP_SUB] = {"sub", 3, true},          [MG_OP_UNSUB] = {"unsub", 5, true}, [MG_OP_PING] = {"ping", 4, false},
    [MG_OP_PONG] = {"pong", 4, false},       [MG_OP_INFO] = {"info", 4, false},  [MG_OP_OK] = {"+ok", 3, false},
    [MG_OP_ERR] = {"-err", 4, true},
};

static inline char fold(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

// The only verb that can begin with these bytes; 0: none.
static enum mg_op verb_of(const char *p, size_t len) {
    switch (fold(p[0])) {
    case 'c': return MG_OP_CONNECT;
    case 'h': return MG_OP_HPUB;
    case 's': return MG_OP_SUB;
    case 'u': return MG_OP_UNSUB;
    case 'i': return MG_OP_INFO;
    case '+': return MG_OP_OK;
    case '-': return MG_OP_ERR;
    case 'p':
        if (len < 2 || fold(p[1]) == 'u') return MG_OP_PUB;
        return fold(p[1]) == 'i' ? MG_OP_PING : MG_OP_PONG;
    default: return 0;
    }
}

// Reads the verb at p. OK: *op and *used (verb only) are set. An error leaves the position of the wrong byte in *used.
static enum mg_parse read_verb(const char *p, size_t len, enum mg_op *op, size_t *used) {
    *used = 0;
    *op = verb_of(p, len);
    if (*op == 0) return MG_PARSE_UNKNOWN_OP;
    const struct verb *v = &verbs[*op];
    size_t n = 0;
    while (n < v->len && n < len && fold(p[n]) == v->text[n]) n++;
    *used = n;
    if (n == len) return MG_PARSE_PARTIAL;
    if (n < v->len) return MG_PARSE_UNKNOWN_OP;
    return v->blank && !is_blank(p[n]) ? MG_PARSE_UNKNOWN_OP : MG_PARSE_OK;
}

// ---- the ends of a command -------------------------------------------------------------------------------------

static enum mg_parse fail(enum mg_parse err, enum mg_op op, struct mg_cmd *cmd, const char *p, const char *end) {
    cmd->op = op;
    cmd->args = mg_slice_of(p, (size_t)(end - p));
    return err;
}

static enum mg_parse bad_args(struct mg_cmd *cmd, const char *what) {
    cmd->what = what;
    return MG_PARSE_ARGS;
}

// What every call works on.
struct input {
    struct mg_parser *st;
    const struct mg_parse_limits *lim;
    const char *buf, *end;
    size_t *consumed, *need;
};

static inline enum mg_parse done(const struct input *in, const char *next) {
    *in->consumed = (size_t)(next - in->buf);
    if (MG_UNLIKELY(in->st->op != 0)) *in->st = (struct mg_parser){0};
    return MG_PARSE_OK;
}

// The line at p has no end yet; p < in->end.
static enum mg_parse partial_line(const struct input *in, enum mg_op op, const char *p, struct mg_cmd *cmd) {
    size_t len = (size_t)(in->end - p);
    size_t text = len - (len > 1 && in->end[-1] == '\r');
    if ((int64_t)text > in->lim->max_control_line) return fail(MG_PARSE_CONTROL_LINE, op, cmd, p, in->end);
    in->st->op = op;
    in->st->scanned = len;
    *in->consumed = (size_t)(p - in->buf);
    return MG_PARSE_PARTIAL;
}

// Line and limits of a message are fine: is its payload there? l->next is where it begins.
static inline enum mg_parse finish_payload(const struct input *in, const struct line *l, struct mg_cmd *cmd) {
    cmd->payload = l->next;
    size_t avail = (size_t)(in->end - l->next), size = cmd->size;
    const char *p = l->next;
    if (MG_LIKELY(avail >= size + 2 && p[size] == '\r' && p[size + 1] == '\n')) return done(in, p + size + 2);
    if (avail > size && p[size] != '\r') return fail(MG_PARSE_UNKNOWN_OP, cmd->op, cmd, p + size, in->end);
    if (avail > size + 1) return fail(MG_PARSE_UNKNOWN_OP, cmd->op, cmd, p + size + 1, in->end);
    in->st->op = cmd->op;
    in->st->wait = (size_t)(l->next - l->p) + size;
    *in->need = in->st->wait + 2;
    *in->consumed = (size_t)(l->p - in->buf);
    return MG_PARSE_PARTIAL;
}

static inline bool line_too_long(const struct input *in, const struct line *l) {
    return MG_UNLIKELY(l->end - l->p > in->lim->max_control_line);
}

static inline enum mg_parse parse_pub(const struct input *in, const char *p, struct mg_cmd *cmd) {
    struct line l;
    if (MG_UNLIKELY(!cut_line(&l, p, in->end, false))) return partial_line(in, MG_OP_PUB, p, cmd);
    cmd->op = MG_OP_PUB;
    cmd->args = mg_slice_of(p, (size_t)(l.end - p));
    if (line_too_long(in, &l)) return MG_PARSE_CONTROL_LINE;
    if (MG_UNLIKELY(l.n - 2 > 1)) return bad_args(cmd, "processPub Parse Error");
    cmd->subject = l.tok[0];
    cmd->reply = l.n == 3 ? l.tok[1] : (mg_slice){NULL, 0};
    cmd->size_text = l.tok[l.n - 1];
    int64_t size = parse_size(cmd->size_text);
    if (MG_UNLIKELY(size < 0)) return bad_args(cmd, "processPub Bad or Missing Size");
    cmd->size = (uint32_t)size;
    cmd->hdr_len = 0;
    if (MG_UNLIKELY(size > in->lim->max_payload && in->lim->max_payload != -1)) return MG_PARSE_PAYLOAD;
    return finish_payload(in, &l, cmd);
}

static enum mg_parse parse_hpub(const struct input *in, const char *p, struct mg_cmd *cmd) {
    struct line l;
    if (!cut_line(&l, p, in->end, false)) return partial_line(in, MG_OP_HPUB, p, cmd);
    cmd->op = MG_OP_HPUB;
    cmd->args = mg_slice_of(p, (size_t)(l.end - p));
    if (line_too_long(in, &l)) return MG_PARSE_CONTROL_LINE;
    if (!in->lim->headers) return MG_PARSE_HEADERS_OFF;
    if (l.n - 3 > 1) return bad_args(cmd, "processHeaderPub Parse Error");
    cmd->subject = l.tok[0];
    cmd->reply = l.n == 4 ? l.tok[1] : (mg_slice){NULL, 0};
    cmd->hdr_text = l.tok[l.n - 2];
    cmd->size_text = l.tok[l.n - 1];
    int64_t hdr = parse_size(cmd->hdr_text), size = parse_size(cmd->size_text);
    if (hdr < 0) return bad_args(cmd, "processHeaderPub Bad or Missing Header Size");
    if (size < 0) return bad_args(cmd, "processHeaderPub Bad or Missing Total Size");
    if (hdr > size) return bad_args(cmd, "processHeaderPub Header Size larger then TotalSize");
    cmd->size = (uint32_t)size;
    cmd->hdr_len = (uint32_t)hdr;
    if (size > in->lim->max_payload && in->lim->max_payload != -1) return MG_PARSE_PAYLOAD;
    return finish_payload(in, &l, cmd);
}

// SUB <subject> [queue] <sid>, UNSUB <sid> [max]
static enum mg_parse parse_sub(const struct input *in, enum mg_op op, const char *p, struct mg_cmd *cmd) {
    struct line l;
    if (!cut_line(&l, p, in->end, true)) return partial_line(in, op, p, cmd);
    cmd->op = op;
    cmd->args = mg_slice_of(p, (size_t)(l.end - p));
    if (line_too_long(in, &l)) return MG_PARSE_CONTROL_LINE;
    if (op == MG_OP_UNSUB) {
        if (l.n - 1 > 1) return bad_args(cmd, "processUnsub Parse Error");
        cmd->sid = l.tok[0];
        cmd->max = l.n == 2 ? l.tok[1] : (mg_slice){NULL, 0};
        return done(in, l.next);
    }
    if (l.n - 2 > 1) return bad_args(cmd, "processSub Parse Error");
    cmd->subject = l.tok[0];
    cmd->queue = l.n == 3 ? l.tok[1] : (mg_slice){NULL, 0};
    cmd->sid = l.tok[l.n - 1];
    return done(in, l.next);
}

// CONNECT, INFO, -ERR: the argument is one text.
static enum mg_parse parse_text(const struct input *in, enum mg_op op, const char *p, struct mg_cmd *cmd) {
    const char *nl = memchr(p + 1, '\n', (size_t)(in->end - p - 1));
    if (nl == NULL) return partial_line(in, op, p, cmd);
    const char *end = nl[-1] == '\r' && nl - 1 > p ? nl - 1 : nl;
    cmd->op = op;
    cmd->args = mg_slice_of(p, (size_t)(end - p));
    if (end - p > in->lim->max_control_line) return MG_PARSE_CONTROL_LINE;
    return done(in, nl + 1);
}

// PING, PONG, +OK: everything up to the line end is swallowed.
static enum mg_parse parse_bare(const struct input *in, enum mg_op op, const char *p, struct mg_cmd *cmd) {
    const char *nl = memchr(p, '\n', (size_t)(in->end - p));
    cmd->op = op;
    if (nl != NULL) return done(in, nl + 1);
    in->st->op = op;
    *in->consumed = (size_t)(in->end - in->buf);
    return MG_PARSE_PARTIAL;
}

// ---- the message that nearly all are ----------------------------------------------------------------------------

enum { WINDOW = 64 };

// A complete "PUB subject [reply] size CR LF" of plain form whose line fits the window, with its payload. It accepts or
// abstains: whatever is odd or wrong is left to the general path, so there is one place that judges.
static inline bool plain_pub(const struct mg_parse_limits *lim, const char *buf, size_t len, struct mg_cmd *cmd,
                             size_t *consumed) {
    const char *p = buf + 4;
    if (len < 4 + WINDOW + 1) return false;
    uint64_t m1 = 0;
    for (int i = 0; i < WINDOW; i += 16) m1 |= (uint64_t)control_mask(p + i) << i;
    uint64_t m2 = m1 & (m1 - 1), m3 = m2 & (m2 - 1);
    if (m3 == 0) return false;
    size_t a = (size_t)__builtin_ctzll(m1), b = (size_t)__builtin_ctzll(m2), c = (size_t)__builtin_ctzll(m3);
    if (a == 0 || p[a] != ' ' || b == a + 1) return false;
    mg_slice reply = {NULL, 0};
    size_t num = a + 1, eol = b;
    if (p[b] == ' ') {
        reply = mg_slice_of(p + num, b - num);
        num = b + 1, eol = c;
    }
    int64_t size = parse_size(mg_slice_of(p + num, eol - num));
    if (p[eol] != '\r' || p[eol + 1] != '\n' || size < 0 || (int64_t)eol > lim->max_control_line) return false;
    if (size > lim->max_payload && lim->max_payload != -1) return false;
    size_t payload = 4 + eol + 2, end = payload + (size_t)size;
    if (end + 2 > len || buf[end] != '\r' || buf[end + 1] != '\n') return false;
    cmd->op = MG_OP_PUB;
    cmd->hdr_len = 0;
    cmd->size = (uint32_t)size;
    cmd->payload = buf + payload;
    cmd->args = mg_slice_of(p, eol);
    cmd->subject = mg_slice_of(p, a);
    cmd->reply = reply;
    cmd->size_text = mg_slice_of(p + num, eol - num);
    *consumed = end + 2;
    return true;
}
// ---- any command -----------------------------------------------------------------------------------------------

static bool is_pub(const char *buf) {
    uint32_t head, pub;
    memcpy(&head, buf, 4);
    memcpy(&pub, "pub ", 4);
    // Bit 5 makes letters lower case and maps nothing else to them; for the blank it would let NUL pass.
    return (head | 0x20202020) == pub && buf[3] == ' ';
}

// The verb was read, p is behind it (or where a former call stopped).
static enum mg_parse parse_args(const struct input *in, enum mg_op op, const char *p, struct mg_cmd *cmd) {
    if (op == MG_OP_PING || op == MG_OP_PONG || op == MG_OP_OK) return parse_bare(in, op, p, cmd);
    while (p < in->end && is_blank(*p)) p++;
    if (p == in->end) { // blanks only: they need not be kept
        in->st->op = op;
        *in->consumed = (size_t)(p - in->buf);
        return MG_PARSE_PARTIAL;
    }
    switch (op) {
    case MG_OP_PUB: return parse_pub(in, p, cmd);
    case MG_OP_HPUB: return parse_hpub(in, p, cmd);
    case MG_OP_SUB:
    case MG_OP_UNSUB: return parse_sub(in, op, p, cmd);
    default: return parse_text(in, op, p, cmd);
    }
}

// A command whose verb was consumed by a former call.
static enum mg_parse resume(const struct input *in, struct mg_cmd *cmd) {
    struct mg_parser *st = in->st;
    size_t len = (size_t)(in->end - in->buf);
    if (st->wait > 0 && len <= st->wait) {
        *in->need = st->wait + 2;
        return MG_PARSE_PARTIAL;
    }
    if (st->wait == 0 && st->scanned > 0) {
        size_t more = len > st->scanned ? len - st->scanned : 0;
        if (more == 0 || memchr(in->buf + st->scanned, '\n', more) == NULL)
            return partial_line(in, st->op, in->buf, cmd);
    }
    return parse_args(in, st->op, in->buf, cmd);
}

enum mg_parse mg_parse(struct mg_parser *st, const struct mg_parse_limits *lim, const char *buf, size_t len,
                       struct mg_cmd *cmd, size_t *consumed, size_t *need) {
    mg_assert(len > 0);
    *consumed = *need = 0;
    bool plain = st->op == 0 && len >= 4 && is_pub(buf) && plain_pub(lim, buf, len, cmd, consumed);
    if (MG_LIKELY(plain)) return MG_PARSE_OK;
    const struct input in = {st, lim, buf, buf + len, consumed, need};
    if (st->op != 0) return resume(&in, cmd);
    enum mg_op op;
    size_t used;
    enum mg_parse r = read_verb(buf, len, &op, &used);
    if (r == MG_PARSE_UNKNOWN_OP) return fail(r, 0, cmd, buf + used, buf + len);
    if (r == MG_PARSE_PARTIAL) return r;
    return parse_args(&in, op, buf + used, cmd);
}

// ---- error texts -----------------------------------------------------------------------------------------------

const char *mg_parse_wire_error(enum mg_parse err) {
    switch (err) { // spec/client-protocol.md A5
    case MG_PARSE_UNKNOWN_OP: return "Unknown Protocol Operation";
    case MG_PARSE_CONTROL_LINE: return "maximum control line exceeded";
    case MG_PARSE_PAYLOAD: return "Maximum Payload Violation";
    default: return NULL;
    }
}

void mg_parse_log_text(enum mg_parse err, const struct mg_parse_limits *lim, const struct mg_cmd *cmd,
                       struct mg_buf *out) {
    enum { SNIPPET = 32, LINE_SNIPPET = 128 };
    mg_slice text = cmd->args;
    size_t len = text.n;
    switch (err) {
    case MG_PARSE_OK:
    case MG_PARSE_PARTIAL: return;
    case MG_PARSE_UNKNOWN_OP:
        if (text.n > SNIPPET) text.n = SNIPPET;
        mg_buf_adds(out, "Client parser ERROR, proto='");
        mg_buf_add_quoted(out, text);
        mg_buf_adds(out, "...'");
        return;
    case MG_PARSE_CONTROL_LINE:
        if (text.n > LINE_SNIPPET) text.n = LINE_SNIPPET;
        mg_buf_addf(out, "maximum control line exceeded: max_control_line %" PRId64 ", Buffer len %zu (snip: ",
                    lim->max_control_line, len);
        mg_buf_add_quoted(out, text);
        mg_buf_adds(out, "...)");
        return;
    case MG_PARSE_PAYLOAD:
        mg_buf_addf(out, "maximum payload exceeded: %" PRIu32 " vs %" PRId64, cmd->size, lim->max_payload);
        return;
    case MG_PARSE_ARGS:
        mg_buf_addf(out, "%s: ", cmd->what);
        mg_buf_add_quoted(out, text);
        return;
    case MG_PARSE_HEADERS_OFF: mg_buf_adds(out, "message headers not supported"); return;
    }
}
