// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge-bench: one process, one thread, that drives a NATS server and measures what the server pays for it. It shares
// no code with the server. Names start with mgb_. A benchmark has nobody to recover for: whatever goes wrong (a lost
// message, a closed connection, an -ERR) ends the process with one line on stderr, so a figure that is printed is true.
//
//   main.c         arguments and the table of rows          flow.c     publisher to subscribers, throughput
//   conn.c         connections, counting of what arrives    request.c  requests and replies, latency
//   gauge.c        clocks, the server's CPU and memory      idle.c     idle connections, memory, handshakes
//   tls_mbedtls.c  the client's side of TLS                 js*.c      JetStream; see js.h
#ifndef MG_TEST_BENCH_H
#define MG_TEST_BENCH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MGB_SECOND UINT64_C(1000000000)
#define MGB_SCRATCH ((size_t)256 << 10) // bytes taken from a socket at once

struct mgb_tls_env; // what all TLS connections share
struct mgb_tls;     // one TLS connection

// The server under test and how long to look at it. Owned by main, constant while rows run.
struct mgb_target {
    struct sockaddr_in addr;
    pid_t pid;
    double seconds; // of one measurement, after the warm-up
    size_t conns;   // idle connections of the memory rows
    bool split;     // publisher is connection 1, subscriber connection 2
    struct mgb_tls_env *tls; // NULL: plain TCP
    size_t consumers; // of the rows with many of them
    uint64_t bytes;   // stored by the row js-fill
    uint64_t since;   // when the server was started, by mgb_now: for the row js-first
    unsigned part;    // JetStream rows do 1/part of what they count, not time
};

// One line of the table in main.c. A row uses the fields that concern it.
struct mgb_row {
    const char *name;
    void (*run)(const struct mgb_row *row, const struct mgb_target *target);
    const char *what;
    size_t payload;    // bytes
    size_t subs;       // subscribers
    bool queue;        // subscribers form one queue group
    size_t window;     // flow rows: bytes under way at most, over all subscribers; 0: one message
    size_t requesters; // request rows: connections
    size_t in_flight;  // request rows: outstanding requests a connection
    bool old_style;    // request rows: a fresh inbox subscription for each request
    bool tls;          // needs --tls
    bool js;           // needs a server with JetStream
    size_t streams;    // JetStream: published to in turn
    size_t subjects;   // JetStream: of each stream, published to in turn; 0: as many as there are consumers
    size_t keep;       // JetStream: max_msgs_per_subject; 0: all
};

void mgb_flow_row(const struct mgb_row *row, const struct mgb_target *t);
void mgb_request_row(const struct mgb_row *row, const struct mgb_target *t);
void mgb_idle_row(const struct mgb_row *row, const struct mgb_target *t);
void mgb_conns_row(const struct mgb_row *row, const struct mgb_target *t);
void mgb_handshake_row(const struct mgb_row *row, const struct mgb_target *t);
void mgb_js_publish_row(const struct mgb_row *row, const struct mgb_target *t);
void mgb_js_latency_row(const struct mgb_row *row, const struct mgb_target *t);
void mgb_js_fetch_row(const struct mgb_row *row, const struct mgb_target *t);
void mgb_js_consume_row(const struct mgb_row *row, const struct mgb_target *t);
void mgb_js_create_row(const struct mgb_row *row, const struct mgb_target *t);
void mgb_js_wake_row(const struct mgb_row *row, const struct mgb_target *t);
void mgb_js_fill_row(const struct mgb_row *row, const struct mgb_target *t);
void mgb_js_first_row(const struct mgb_row *row, const struct mgb_target *t);

// ---- gauge.c

// A moment: wall clock, CPU time used so far by all threads of the server (dead ones too) and by ourselves, in ns.
struct mgb_mark {
    uint64_t wall, server, self;
};

uint64_t mgb_now(void); // monotonic, ns
void mgb_mark_now(struct mgb_mark *m, pid_t server);
// A field of /proc/<pid>/status in KB: "VmRSS", "VmHWM", "RssAnon".
double mgb_status_kb(pid_t pid, const char *field);
// Prints "row <tab> metric <tab> value".
void mgb_print(const struct mgb_row *row, const char *metric, double value);
// Prints what every load has in common: `count` things (`unit`: "msgs", "reqs", ...) done between a and b.
void mgb_print_load(const struct mgb_row *row, const char *unit, uint64_t count, const struct mgb_mark *a,
                    const struct mgb_mark *b, pid_t server);
// Latencies in ns; memory is touched only as far as it is used, and what comes beyond MGB_SAMPLES is not kept.
#define MGB_SAMPLES ((size_t)8 << 20)
struct mgb_samples {
    uint32_t *ns;
    size_t n;
};
void mgb_samples_init(struct mgb_samples *s);
void mgb_samples_fini(struct mgb_samples *s);
void mgb_sample(struct mgb_samples *s, uint64_t ns);
// Sorts them and prints p50_us and p99_us.
void mgb_samples_print(const struct mgb_row *row, struct mgb_samples *s);
_Noreturn void mgb_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

// ---- conn.c

struct mgb_conn {
    int fd;
    struct mgb_tls *tls; // NULL: plain
};

// Says whether somebody listens at the target's port.
bool mgb_conn_possible(const struct mgb_target *t);
// Connects, says CONNECT, sends `hello` (NUL-terminated protocol lines, may be "") and waits for the PONG that covers
// it. Then the socket is non-blocking and nothing that was sent up to the PONG is left unread.
void mgb_conn_open(struct mgb_conn *c, const struct mgb_target *t, const char *hello);
void mgb_conn_close(struct mgb_conn *c);
// Bytes moved; 0: would block.
size_t mgb_conn_recv(struct mgb_conn *c, char *p, size_t n);
size_t mgb_conn_send(struct mgb_conn *c, const char *p, size_t n);
// Sends all n bytes, waiting for room.
void mgb_conn_send_all(struct mgb_conn *c, const char *p, size_t n);

// Counts messages that all have the same length on the wire, by looking at one byte of each.
struct mgb_scan {
    size_t frame; // bytes of one message with its MSG line
    size_t skip;  // bytes of the current message that are still to come
    uint64_t messages, pings, pongs;
    char line[256]; // start of a control line that is not complete
    size_t line_len;
};

void mgb_scan(struct mgb_scan *s, const char *p, size_t n);
// The length of "MSG <subject> <sid> <payload>\r\n<payload>\r\n".
size_t mgb_msg_frame(const char *subject, unsigned sid, size_t payload);
// Allows n descriptors in this process, or ends it.
void mgb_allow_descriptors(size_t n);
// Fills p[0..21] with an inbox name that is different for each n, then NUL.
void mgb_inbox_name(char p[23], uint64_t n);

// ---- tls_mbedtls.c

struct mgb_tls_env *mgb_tls_env_new(void);
void mgb_tls_env_free(struct mgb_tls_env *env);
// Handshakes on a blocking, connected socket. The certificate is not verified: this measures, it does not trust.
struct mgb_tls *mgb_tls_open(struct mgb_tls_env *env, int fd);
void mgb_tls_close(struct mgb_tls *tls);
size_t mgb_tls_recv(struct mgb_tls *tls, char *p, size_t n); // as mgb_conn_recv
size_t mgb_tls_send(struct mgb_tls *tls, const char *p, size_t n);

#endif
