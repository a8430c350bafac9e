// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Drives the parser as a connection does and writes what it says as text, one line a command and one for an error.
// Every call sees its bytes in a heap block of exactly their size, so that a sanitizer sees a read beyond them.
// Shared by the unit test and the fuzz target.
#ifndef MG_TEST_PARSER_SCRIPT_H
#define MG_TEST_PARSER_SCRIPT_H

#include <stdlib.h>

#include "server/base/assert.h"
#include "server/base/buf.h"
#include "server/base/mem.h"
#include "server/proto/parser.h"

static inline void script_slice(struct mg_buf *out, const char *name, mg_slice s) {
    mg_buf_addf(out, " %s=", name);
    if (s.p) mg_buf_add_quoted(out, s);
}

static inline void script_command(struct mg_buf *out, const struct mg_cmd *c) {
    static const char *names[] = {"?", "CONNECT", "PUB", "HPUB", "SUB", "UNSUB", "PING", "PONG", "INFO", "OK", "ERR"};
    mg_buf_adds(out, names[c->op]);
    if (c->op == MG_OP_PUB || c->op == MG_OP_HPUB) {
        script_slice(out, "s", c->subject);
        script_slice(out, "r", c->reply);
        if (c->op == MG_OP_HPUB) script_slice(out, "hdr", c->hdr_text);
        script_slice(out, "size", c->size_text);
        mg_buf_addf(out, " %u/%u", (unsigned)c->hdr_len, (unsigned)c->size);
        script_slice(out, "p", mg_slice_of(c->payload, c->size));
        mg_assert(c->hdr_len <= c->size);
        mg_assert(memcmp(c->payload + c->size, "\r\n", 2) == 0);
    } else if (c->op == MG_OP_SUB) {
        script_slice(out, "s", c->subject);
        script_slice(out, "q", c->queue);
        script_slice(out, "sid", c->sid);
    } else if (c->op == MG_OP_UNSUB) {
        script_slice(out, "sid", c->sid);
        script_slice(out, "max", c->max);
    } else if (c->op == MG_OP_CONNECT || c->op == MG_OP_INFO || c->op == MG_OP_ERR) {
        script_slice(out, "a", c->args);
    }
    mg_buf_addc(out, '\n');
}

struct script {
    struct mg_parser st;
    struct mg_parse_limits lim;
    struct mg_buf kept; // bytes that were not consumed
    size_t need;        // what the parser last announced
    bool dead;
};

// One read: n bytes arrive. Appends the outcome to out.
static inline void script_feed(struct script *s, const char *p, size_t n, struct mg_buf *out) {
    if (s->dead || n == 0) return;
    mg_buf_add(&s->kept, p, n);
    while (s->kept.len > 0) {
        char *exact = malloc(s->kept.len);
        memcpy(exact, s->kept.p, s->kept.len);
        struct mg_cmd cmd;
        size_t used = 0, need = 0;
        enum mg_parse r = mg_parse(&s->st, &s->lim, exact, s->kept.len, &cmd, &used, &need);
        mg_assert(used <= s->kept.len);
        if (r == MG_PARSE_OK) {
            mg_assert(used > 0 && (s->need == 0 || s->need == used));
            mg_assert(mg_parser_at_verb(&s->st));
            script_command(out, &cmd);
        } else if (r > MG_PARSE_PARTIAL) {
            const char *wire = mg_parse_wire_error(r);
            mg_buf_addf(out, "error %d %s\n", (int)r, wire ? wire : "-");
            struct mg_buf log = MG_BUF_INIT;
            mg_parse_log_text(r, &s->lim, &cmd, &log);
            mg_assert(log.len > 0);
            mg_buf_fini(&log);
            s->dead = true;
        }
        free(exact);
        if (s->dead) return;
        s->kept.len -= used;
        memmove(s->kept.p, s->kept.p + used, s->kept.len);
        s->need = r == MG_PARSE_PARTIAL ? need : 0;
        mg_assert(s->need == 0 || s->need > s->kept.len);
        if (r == MG_PARSE_PARTIAL) return;
    }
}

static inline void script_fini(struct script *s) { mg_buf_fini(&s->kept); }

#endif
