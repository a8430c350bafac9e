// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A client connection. Owned by one shard's core from accept to the last callback of its socket; freed by close.c only.
// The files of this folder are its verbs; this header is what they share, nobody else includes it but the server's
// monitoring.
#ifndef MG_CONN_CONN_H
#define MG_CONN_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "server/account/auth.h"
#include "server/base/assert.h"
#include "server/base/buf.h"
#include "server/base/timer.h"
#include "server/conn/core.h"
#include "server/conn/trace.h"
#include "server/proto/connect.h"
#include "server/proto/parser.h"

struct mg_responses;

// How far a connection has come.
enum mg_conn_state {
    MG_CONN_PEEK,      // waiting for the first byte: TLS or plain (allow_non_tls, handshake_first: auto)
    MG_CONN_HANDSHAKE, // TLS handshake under way
    MG_CONN_OPEN,      // speaks the protocol
    MG_CONN_CLOSING,   // -ERR and the like are on their way out; nothing is read any more
    MG_CONN_CLOSED,    // the socket is closing; the struct lives until its last callback
};

// Why input is paused: bits. Nothing is parsed while any is set.
enum {
    MG_PAUSE_VERDICT = 1, // a password is being checked: bytes after CONNECT wait (spec/accounts-security.md 1.5)
    MG_PAUSE_CREDIT = 2,  // another shard has no room for what comes next
    MG_PAUSE_STALL = 4,   // a subscriber is slow (spec/client-protocol.md A11)
    MG_PAUSE_WORK = 8,    // the TLS handshake is on a worker
};

// What only some connections need, made when first needed.
struct mg_conn_rare {
    struct mg_conn *conn;
    struct mg_credit_waiter waiter; // for MG_PAUSE_CREDIT
    struct mg_timer stall;          // ends MG_PAUSE_STALL
    uint64_t stall_spent;           // ns in this read
    uint64_t stalled_cid, stalled_at; // the publisher on another shard that was asked to pause last, and when
    uint64_t map_random;            // what maps the PUB under way
    struct mg_responses *responses; // allow_responses

    struct mg_tls_ctx *tls_ctx;     // a reference: what was offered, whatever the configuration says later
    struct mg_tls *tls;             // made when its first handshake step runs
    struct mg_buf tls_early;        // bytes that came before
    struct mg_timer tls_timer; // first byte, handshake
    uint64_t tls_left;         // ns that the client may still take for the handshake; our own time does not count
    bool tls_first;            // the handshake comes before INFO
    bool tls_done;
    bool tls_probe; // what came first is no TLS
    int tls_status; // of the last handshake step

    struct mg_work work;      // a password or a handshake step on a worker thread
    struct mg_list work_link; // waits for a worker
    bool work_running;        // the connection is not freed before it is done
    bool work_result, without_connect;
    struct mg_auth_result verdict; // what the password decides; points into work_auth
    struct mg_auth *work_auth;     // NULL: no password is being checked, nor waits for it
};

// The owner's flag of struct mg_sub: messages must pass the delivery-time permissions.
#define CONN_SUB_FILTER 2

struct mg_conn {
    struct mg_sink sink; // first: the router's view
    struct mg_core *core;
    struct mg_sock *sock;
    uint64_t cid;
    uint32_t slot;
    uint8_t state;  // enum mg_conn_state
    uint8_t pause;  // MG_PAUSE_*
    uint8_t reason; // enum mg_close_reason
    bool connected : 1;    // CONNECT was accepted
    bool authed : 1;       // may do things: no auth required, or logged in
    bool verbose : 1, pedantic : 1, echo : 1, headers : 1, no_responders : 1;
    bool info_async : 1;   // protocol >= 1
    bool first_pong : 1;   // the first PONG after CONNECT was queued
    bool in_dirty : 1, want_write : 1, is_blocked : 1;
    bool filters : 1;      // has permissions: deliveries are checked
    bool tls : 1;          // bytes go through rare->tls
    bool auth_timer : 1;   // the timer is the authentication timeout
    bool pub_checked : 1;  // the next PUB was checked and answered before it had to wait for credit
    bool rtt_guessed : 1;
    bool eof : 1;          // the peer has closed: nothing more will come
    bool socket_gone : 1;
    struct mg_parser parser;
    struct mg_mbuf *in; // bytes that could not be parsed yet
    size_t in_need;     // bytes known to be needed in `in`, 0: unknown
    struct mg_outq out;
    struct mg_list link; // core->conns; after the end core->dying while it has subscriptions
    struct mg_list dirty, blocked;
    uint64_t blocked_until, blocked_bytes; // deadline, and bytes that must be out by then
    uint64_t sent_bytes;                   // to the socket

    union { // by sid (subs.c)
        struct mg_sub *one;    // sub_mask 0: one chain
        struct mg_sub **table; // sub_mask + 1 chains
    } subs;
    uint32_t nsubs, sub_mask, reap_at;

    struct mg_timer timer; // auth timeout, later ping
    int64_t start_wall;
    uint64_t start_at;
    uint64_t last_at;   // last activity as connz shows it: message or subscription, delivery
    uint64_t active_at; // last message, SUB, UNSUB or PING from the client; 0: none
    uint64_t rtt_ns, ping_sent_at; // rtt_ns before the first PONG: from accept to CONNECT (rtt_guessed)
    uint32_t pings_out;
    uint32_t stalls;
    uint32_t stall_request; // ns that subscribers asked this publisher to pause
    uint64_t in_msgs, in_bytes, out_msgs, out_bytes;

    const struct mg_auth_user *user; // NULL: none needed
    struct mg_auth *auth;            // holds user
    uint8_t auth_id;             // enum mg_auth_id
    int64_t max_payload;
    struct mg_connect *opts; // decoded CONNECT; NULL before it
    struct mg_memo *memo;
    struct mg_conn_rare *rare;
    struct mg_addr peer;
    char nonce[16];
};

// ---- life (open.c, close.c) ----------------------------------------------------------------------------------------
void conn_open(struct mg_core *core, const struct mg_sock_seed *seed);
struct mg_conn_rare *conn_rare(struct mg_conn *c);
// Flushes what is queued, then half-closes; nothing is parsed any more.
void conn_close(struct mg_conn *c, enum mg_close_reason reason);
void conn_peer_closed(struct mg_conn *c); // as above; the peer has ended its side
// Sends -ERR, then closes as above.
void conn_close_err(struct mg_conn *c, enum mg_close_reason reason, const char *text);
// Closes at once: pending output is dropped.
void conn_abort(struct mg_conn *c, enum mg_close_reason reason);
// A slice of unlinking what closed. True: more is left.
bool conn_reap(struct mg_core *core);
// Frees a closed connection if nothing holds it any more.
void conn_release(struct mg_conn *c);
static inline bool conn_alive(const struct mg_conn *c) { return c->state < MG_CONN_CLOSING; }

// ---- input (input.c) -----------------------------------------------------------------------------------------------
void conn_readable(void *owner);
void conn_pause(struct mg_conn *c, uint8_t why);
void conn_resume(struct mg_conn *c, uint8_t why);
// Reads once through `reader` (as mg_sock_readv) and parses.
ptrdiff_t conn_read_once(struct mg_conn *c, ptrdiff_t (*reader)(struct mg_conn *c, const struct iovec *iov, int n));
// Parses plain bytes that arrived; keeps what is left over. mbuf: holds the bytes, or NULL (slab).
void conn_input(struct mg_conn *c, char *p, size_t n, struct mg_mbuf *mbuf);

// ---- output (output.c) ---------------------------------------------------------------------------------------------
static inline char *conn_reserve(struct mg_conn *c, size_t n) { return mg_outq_reserve(&c->out, &c->core->pool, n); }
void conn_mark_dirty(struct mg_conn *c);
static inline void conn_commit(struct mg_conn *c, char *end) {
    mg_outq_commit(&c->out, end);
    if (!c->in_dirty) conn_mark_dirty(c);
}
void conn_write(struct mg_conn *c, const char *p, size_t n);
void conn_err(struct mg_conn *c, mg_slice text); // -ERR '<text>'
void conn_ok(struct mg_conn *c); // +OK, if the client wants it
void conn_flush(struct mg_conn *c);
// So much was produced that sockets must be flushed before more is: whoever reads must not be pushed over max_pending
// by one read, or by what another shard sends at once.
static inline bool core_turn_full(const struct mg_core *core) {
    size_t most = (size_t)core->settings->opts->max_pending / 4;
    return core->dirty_bytes >= (most < MG_OUTPUT_TURN ? most : MG_OUTPUT_TURN);
}
void conn_writable(void *owner);
bool core_flush(void *app, unsigned max);
void core_deadline(struct mg_timer *t);

// ---- verbs ---------------------------------------------------------------------------------------------------------
void conn_info(struct mg_conn *c, bool first, bool connect_info);
void conn_on_connect(struct mg_conn *c, const struct mg_cmd *cmd);
// 0: done. -1: nothing was done, credit is missing: the connection is paused and the command must come again.
int conn_on_pub(struct mg_conn *c, const struct mg_cmd *cmd, struct mg_mbuf *mbuf);
int conn_on_sub(struct mg_conn *c, const struct mg_cmd *cmd);
void conn_on_unsub(struct mg_conn *c, const struct mg_cmd *cmd);
void conn_on_ping(struct mg_conn *c);
void conn_on_pong(struct mg_conn *c);
void conn_nobody(void *app, uint32_t slot, uint64_t id, mg_slice subject, mg_slice reply);
bool conn_deliver(struct mg_sink *sink, struct mg_sub *sub, const struct mg_msg *m);
void conn_wait_credit(struct mg_conn *c, int shard);
void conn_stall(struct mg_conn *c, uint64_t ns);
void conn_stall_over(struct mg_timer *t);

// ---- subscriptions (subs.c) ----------------------------------------------------------------------------------------
struct mg_sub *conn_sub_find(struct mg_conn *c, mg_slice sid);
// Walks all subscriptions, dead ones included: NULL begins and ends. No change meanwhile.
struct mg_sub *conn_sub_next(const struct mg_conn *c, const struct mg_sub *after);
void conn_sub_add(struct mg_conn *c, struct mg_sub *sub);
void conn_sub_drop(struct mg_conn *c, struct mg_sub *sub); // unlinks everywhere and frees
void conn_sub_drop_all(struct mg_conn *c);
bool conn_sub_drop_some(struct mg_conn *c, unsigned n); // at most n; true when some are left
// A subscription that reaches its maximum while messages are being delivered: dropped after the turn.
void conn_sub_expire(struct mg_conn *c, struct mg_sub *sub);
void core_expire(struct mg_core *core);

// ---- who (connect.c, reload.c) -------------------------------------------------------------------------------------
// Auth is required and something else than CONNECT came first. True: let in by no_auth_user, go on.
bool conn_auth_without_connect(struct mg_conn *c);
void conn_auth_request(struct mg_conn *c, struct mg_auth_request *req);
void conn_set_user(struct mg_conn *c, const struct mg_auth_user *user, enum mg_auth_id id);
void conn_who(const struct mg_conn *c, struct mg_auth_who *who);
// After a reload: with the CONNECT that was stored.
void conn_authenticate_again(struct mg_conn *c);
// Drops what the present permissions forbid.
void conn_recheck_subs(struct mg_conn *c);

// ---- timers (ping.c) -----------------------------------------------------------------------------------------------
void conn_timer(struct mg_timer *t);
void conn_timer_start(struct mg_conn *c); // authentication timeout or pings
void conn_first_ping(struct mg_conn *c);
void conn_send_ping(struct mg_conn *c);

// ---- TLS (tls_io.c) ------------------------------------------------------------------------------------------------
void conn_tls_begin(struct mg_conn *c);
void conn_tls_timeout(struct mg_timer *t);
void conn_tls_readable(struct mg_conn *c);
int conn_tls_flush(struct mg_conn *c); // 0: all out; MG_EAGAIN; or an error
void conn_tls_fini(struct mg_conn *c);

// ---- log (text.c) --------------------------------------------------------------------------------------------------
// Writes a line with the connection's prefix (spec/client-protocol.md B4).
void conn_log(struct mg_conn *c, enum mg_log_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// May a line that many clients can provoke be written now? Notes the time in *said.
static inline bool core_may_say(struct mg_core *core, uint64_t *said) {
    if (*said != 0 && core->now - *said < MG_SEC) return false;
    *said = core->now;
    return true;
}
#define conn_dbg(c, ...) (mg_log_on((c)->core->log, MG_LOG_DBG) ? conn_log((c), MG_LOG_DBG, __VA_ARGS__) : (void)0)
static inline bool conn_traced(const struct mg_conn *c) { return mg_log_on(c->core->log, MG_LOG_TRC); }
// Lines of the protocol trace; only when conn_traced.
void conn_trace(const struct mg_conn *c, enum mg_trace_dir dir, mg_slice op, mg_slice arg);
void conn_trace_connect(const struct mg_conn *c, mg_slice arg);
// mapped: the subject that mappings gave it, empty if they left it alone.
void conn_trace_pub(const struct mg_conn *c, const struct mg_cmd *cmd, mg_slice mapped);
void conn_trace_msg(const struct mg_conn *c, const struct mg_sub *sub, const struct mg_msg *m);

#endif
