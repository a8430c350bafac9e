// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the JetStream rows of the load generator share: a connection with an inbox, the messages that arrive on it, and
// a publisher. Each row makes its streams and consumers by the API, as any client.
//
//   js.c          connection, requests, streams, consumers
//   js_publish.c  publisher; rows that publish
//   js_read.c     rows that read: fetch, consume, latency
//   js_many.c     many consumers; restart
#ifndef MG_TEST_BENCH_JS_H
#define MG_TEST_BENCH_JS_H

#include "test/bench/bench.h"

#define MGB_INBOX_LEN 30 // "_INBOX.<22 characters>."

struct mgb_js {
    struct mgb_conn conn;
    char *in; // MGB_SCRATCH bytes: [at, len) is not taken yet
    size_t at, len;
    char inbox[MGB_INBOX_LEN + 1]; // what is sent to it with anything behind comes here
};

// A message as it lies in the input, until the next mgb_js_fill. With headers, the body begins with them.
struct mgb_msg {
    const char *subject, *reply, *body; // reply: NULL if none
    size_t subject_len, reply_len, len;
    bool headers;
};

void mgb_js_open(struct mgb_js *j, const struct mgb_target *t);
void mgb_js_close(struct mgb_js *j);
// Takes the next message of the input; false: there is none that is complete.
bool mgb_js_take(struct mgb_js *j, struct mgb_msg *m);
// Waits for input, ten seconds at most, and reads it. Ends the process if none comes.
void mgb_js_fill(struct mgb_js *j);
// Reads what is there. False: nothing was.
bool mgb_js_poll(struct mgb_js *j);
// Asks and takes the answer, which is valid until the next fill; messages that come before it are lost, so there should
// be none. An answer with an error ends the process.
struct mgb_msg mgb_js_ask(struct mgb_js *j, const char *subject, const char *body);
// Appends "PUB subject reply body" to p (cap bytes) and returns its length.
size_t mgb_js_put(char *p, size_t cap, const char *subject, const char *reply, const char *body);
// Ends the process if an answer of the API or to a publish says an error.
void mgb_js_check(const struct mgb_msg *m);

// Streams are called s00, s01, ...; s07 has the subjects s07.>; a publisher uses s07.000000, s07.000001, ...
void mgb_js_make_streams(struct mgb_js *j, const struct mgb_row *row);
// A consumer of s00; `more` is JSON behind other members, with its comma, or "".
void mgb_js_make_consumer(struct mgb_js *j, const char *name, const char *ack_policy, const char *more);

// Publishes to the streams and subjects of a row in turn, with a reply subject of its own for each message.
struct mgb_publisher {
    const struct mgb_row *row;
    struct mgb_js js;
    char *frame; // one PUB; digits are written into it
    size_t frame_len, stream_at, subject_at, reply_at, payload_at;
    size_t subjects;
    char *out;
    uint64_t sent, acked;
};

void mgb_publisher_open(struct mgb_publisher *p, const struct mgb_row *row, const struct mgb_target *t);
void mgb_publisher_close(struct mgb_publisher *p);
// Publishes messages until `limit` have been sent in all.
void mgb_publish(struct mgb_publisher *p, uint64_t limit);
// Takes the acknowledgements that have been read.
void mgb_publisher_take(struct mgb_publisher *p);
// Publishes n messages and waits for their acknowledgements, a thousand at a time.
void mgb_publish_all(struct mgb_publisher *p, uint64_t n);
// Keeps as many outstanding as the row says, from warm-up to end, and says what it did.
void mgb_publish_measured(struct mgb_publisher *p, const struct mgb_target *t);

#endif
