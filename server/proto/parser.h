// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The client protocol's parser (spec/client-protocol.md A4). Pure and re-entrant: bytes in, one command out as slices
// into those bytes; no allocation, no copy. A read may end anywhere: what was not consumed is presented again with
// more bytes behind it, and the work already done is not repeated.
//
//     while (len > 0) {
//         enum mg_parse r = mg_parse(&st, &lim, buf, len, &cmd, &consumed, &need);
//         if (r > MG_PARSE_PARTIAL) { ... mg_parse_wire_error(r), close ... }
//         if (r == MG_PARSE_OK) handle(&cmd);   // its slices point into buf
//         buf += consumed, len -= consumed;
//         if (r == MG_PARSE_PARTIAL) break;     // keep the remaining len bytes
//     }
#ifndef MG_PROTO_PARSER_H
#define MG_PROTO_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/base/slice.h"

enum mg_op {
    MG_OP_CONNECT = 1,
    MG_OP_PUB,
    MG_OP_HPUB,
    MG_OP_SUB,
    MG_OP_UNSUB,
    MG_OP_PING,
    MG_OP_PONG,
    MG_OP_INFO,
    MG_OP_OK,
    MG_OP_ERR,
};

// One command. Which fields are set depends on op; all others are undefined:
//   CONNECT, INFO, ERR   args
//   PUB                  args subject reply size_text size hdr_len(0) payload
//   HPUB                 args subject reply size_text size hdr_text hdr_len payload
//   SUB                  args subject queue sid
//   UNSUB                args sid max
//   PING, PONG, OK       -
// On an error, op (0: no known verb), args (the offending text) and with PAYLOAD size are set, for the log.
struct mg_cmd {
    enum mg_op op;
    uint32_t hdr_len;    // bytes of headers at the start of payload; at most size
    uint32_t size;       // bytes of payload, headers included
    const char *payload; // size bytes, then CRLF
    mg_slice args;       // the whole argument text, without line end
    mg_slice subject;    // never empty
    mg_slice reply;      // p is NULL: absent
    mg_slice queue;      // p is NULL: absent
    mg_slice sid;
    mg_slice max;        // UNSUB's second argument as it came; p is NULL: absent. See mg_parse_size
    mg_slice size_text;  // total size token verbatim: it is echoed to subscribers
    mg_slice hdr_text;   // header size token verbatim
    const char *what;    // MG_PARSE_ARGS only: what is wrong, static text for the log
};

struct mg_parse_limits {
    int64_t max_control_line; // bytes of argument text
    int64_t max_payload;      // bytes; -1: no limit
    bool headers;             // HPUB is allowed
};

// State between two reads of one connection: zero it at the start; owned by the connection.
struct mg_parser {
    size_t scanned; // this many argument bytes were searched for a line end already
    size_t wait;    // inside a payload: no verdict before more than this many bytes are presented
    enum mg_op op;  // its verb and blanks were consumed, the argument comes; 0: at a verb
};

enum mg_parse {
    MG_PARSE_OK,      // cmd is set, *consumed bytes make it up
    MG_PARSE_PARTIAL, // more bytes are needed; *consumed may be > 0 (verb, blanks: need not be kept); *need: bytes from
                      // buf + *consumed on that the rest of the command is known to take, 0: not known yet
    // All below are fatal for the connection.
    MG_PARSE_UNKNOWN_OP,   // wrong verb byte, found without a line end; payload not followed by CRLF
    MG_PARSE_CONTROL_LINE, // argument text above max_control_line, also while it is incomplete
    MG_PARSE_PAYLOAD,      // size above max_payload; found as soon as the line is complete
    MG_PARSE_ARGS,         // wrong number of arguments or a bad size
    MG_PARSE_HEADERS_OFF,  // HPUB from a connection without headers
};

// len > 0. On PARTIAL the next call presents the bytes from buf + *consumed on, with at least one more behind them (the
// same bytes again are harmless). cmd, consumed and need are always set (cmd only as far as documented above).
enum mg_parse mg_parse(struct mg_parser *st, const struct mg_parse_limits *lim, const char *buf, size_t len,
                       struct mg_cmd *cmd, size_t *consumed, size_t *need);

// True when buf[0] of the next call begins a verb. An unauthenticated connection may send nothing but CONNECT and is
// refused at the first other byte (A1): the caller looks at buf[0] when this holds.
static inline bool mg_parser_at_verb(const struct mg_parser *st) { return st->op == 0; }

// A size as the protocol writes it: 1 to 9 digits (A4). -1: anything else.
int64_t mg_parse_size(mg_slice text);

// The text inside -ERR '...' for an error; NULL: close without one (A5).
const char *mg_parse_wire_error(enum mg_parse err);
// Appends the line for the log, as `processPub Parse Error: "..."`. cmd is what mg_parse left with the error.
void mg_parse_log_text(enum mg_parse err, const struct mg_parse_limits *lim, const struct mg_cmd *cmd,
                       struct mg_buf *out);

#endif
