// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// libmidge: a NATS client that needs nothing but memory you give it.
//
// The engine is sans-IO. It owns no socket, clock, thread or heap: bytes come in, bytes go out, callbacks tell what
// happened. A *port* (client/port has POSIX, libuv and a skeleton for RTOSes) moves the bytes. The loop of a port:
//
//      midge_init(&m, &config);
//      for (;;) {
//          wait = midge_tick(&m, now_ms);               // timers; returns how long nothing needs doing
//          switch (midge_want(&m)) {
//          case MIDGE_WANT_CONNECT: open a transport to midge_server_now(&m); then midge_connected(&m)
//          case MIDGE_WANT_TLS:     do a TLS handshake on it;                 then midge_tls_done(&m)
//          case MIDGE_WANT_CLOSE:   close it;                                 then midge_disconnected(&m, 0)
//          case MIDGE_WANT_NONE:    break;
//          }
//          p = midge_send_buf(&m, &n);  n = write(p, n);  midge_send_ack(&m, n);
//          p = midge_recv_buf(&m, &n);  n = read(p, n);   midge_recv_ack(&m, n);      // runs callbacks
//      }                                               // a failed open, handshake, read or write: midge_disconnected()
//
// Rules that hold for every function
// - One thread at a time per engine; two engines share nothing.
// - Functions return 0 (or what they say) or a negative MIDGE_E* code. After an error nothing has changed.
// - Callbacks run inside midge_recv_ack, midge_tick, midge_disconnected and midge_close. From a callback everything may
//   be called except the functions of the port (tick, want, connected, tls_done, disconnected, send_*, recv_*) and
//   midge_init.
// - Slices given to a callback are valid until it returns. Slices given to the engine are copied at once, except where
//   "kept" is said: those must stay readable and unchanged for the time named.
// - Times are milliseconds: durations uint32_t below 2^31, "now" a counter that may wrap. The engine's "now" is that of
//   the last midge_tick.
// - Nothing is allocated; every table and buffer is the caller's and its size is the limit.
#ifndef MIDGE_H
#define MIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Compile the library with MIDGE_FREESTANDING where there is no more of libc than memcpy and memset, or where bytes of
// code count more than speed.
#if defined(__GNUC__) && !defined(MIDGE_FREESTANDING)
#define MIDGE_API __attribute__((visibility("default")))
#else
#define MIDGE_API
#endif

#define MIDGE_VERSION "0.1.0"

// ---- errors ---------------------------------------------------------------------------------------------------------

// X(name, number, text)
#define MIDGE_ERRORS(X)                                                                                              \
    X(EINVAL, -1, "invalid argument")                                                                                \
    X(EFULL, -2, "no room in the send buffer")                                                                       \
    X(ETABLE, -3, "no free entry in the table")                                                                      \
    X(ETOOLARGE, -4, "larger than the buffer or the server's max_payload")                                           \
    X(ESUBJECT, -5, "invalid subject")                                                                               \
    X(ECLOSED, -6, "connection closed")                                                                              \
    X(EDRAINING, -7, "connection is draining")                                                                       \
    X(ETIMEOUT, -8, "timeout")                                                                                       \
    X(ENORESPONDERS, -9, "no responders available for request")                                                      \
    X(EDISCONNECTED, -10, "connection lost")                                                                         \
    X(ECONNECT, -11, "cannot connect")                                                                               \
    X(ETLS, -12, "TLS failed or is required")                                                                        \
    X(EPROTO, -13, "protocol error")                                                                                 \
    X(EAUTH, -14, "authorization violation")                                                                         \
    X(EAUTHEXPIRED, -15, "authentication expired")                                                                   \
    X(EPERMISSION, -16, "permissions violation")                                                                     \
    X(ESTALE, -17, "stale connection")                                                                               \
    X(ESERVER, -18, "error from the server")                                                                         \
    X(ESIGN, -19, "cannot sign the server's nonce")                                                                  \
    X(EHEADERS, -20, "headers not supported by the server")                                                          \
    X(EJETSTREAM, -21, "JetStream error")                                                                            \
    X(ENOTFOUND, -22, "not found")                                                                                   \
    X(EEXISTS, -23, "exists already or has another revision")                                                        \
    X(EHEARTBEAT, -24, "missed heartbeats")                                                                          \
    X(EBADHEADER, -25, "malformed headers")                                                                          \
    X(ENOMEM, -26, "out of memory")

#define MIDGE_ERROR_ENUM(name, number, text) MIDGE_##name = number,
enum { MIDGE_OK = 0, MIDGE_ERRORS(MIDGE_ERROR_ENUM) };
#undef MIDGE_ERROR_ENUM

// The text of a code; "unknown error" for others. Not needed by the engine: a device that does not call it does not
// pay for the texts.
MIDGE_API const char *midge_strerror(int err);

// ---- slices ---------------------------------------------------------------------------------------------------------

// Bytes that somebody else owns; not terminated. n == 0 means absent, then p may be NULL.
typedef struct midge_str {
    const char *p;
    size_t n;
} midge_str;

#ifdef __cplusplus
#define MIDGE_STR(literal) (midge_str{(literal), sizeof(literal) - 1})
#define MIDGE_NONE (midge_str{NULL, 0})
#else
#define MIDGE_STR(literal) ((midge_str){(literal), sizeof(literal) - 1})
#define MIDGE_NONE ((midge_str){NULL, 0})
#endif
MIDGE_API midge_str midge_cstr(const char *s); // NULL gives MIDGE_NONE

typedef struct midge midge;

// ---- messages -------------------------------------------------------------------------------------------------------

typedef struct midge_msg {
    midge_str subject;
    midge_str reply;   // where to answer; n == 0: nowhere
    midge_str headers; // the block from "NATS/1.0" to the empty line; n == 0: none
    midge_str data;
    int32_t sub;       // handle of the subscription that got it
    uint16_t status;   // from the header's first line (503, 404, 100 ...); 0: none
} midge_msg;

typedef void (*midge_msg_fn)(midge *m, const midge_msg *msg, void *user);

// ---- configuration --------------------------------------------------------------------------------------------------

typedef struct midge_server {
    midge_str host;     // name or address, no brackets
    uint16_t port;      // 0: 4222
    bool tls;           // tls:// was asked for: refuse to go on without
    midge_str tls_name; // the name that the certificate must have; n == 0: host. Servers that the cluster told of are
                        // addresses; they get the name of the configured server that told.
} midge_server;

enum midge_event_type {
    MIDGE_EVENT_CONNECTED,     // the first time
    MIDGE_EVENT_RECONNECTED,   // later times; subscriptions are there again
    MIDGE_EVENT_DISCONNECTED,  // err says why; the engine goes on trying
    MIDGE_EVENT_CLOSED,        // the end: err is 0 after midge_close/midge_drain, else why it gave up. Nothing follows,
                               // but midge_want may still ask to close the transport.
    MIDGE_EVENT_LAME_DUCK,     // the server will go away soon; the engine moves when it is closed
    MIDGE_EVENT_SERVERS,       // gossip brought servers that were unknown
    MIDGE_EVENT_PERMISSION,    // subject is set; publish tells which of both was refused. The connection stays.
    MIDGE_EVENT_SLOW_CONSUMER, // the server says that it dropped us for reading too slowly; DISCONNECTED follows
    MIDGE_EVENT_TOO_LARGE,     // `size` bytes of a message do not fit the receive buffer. See midge_replace_recv_buf;
                               // without that the message is skipped. subject is set.
    MIDGE_EVENT_DROPPED,       // MIDGE_PENDING_DROP_OLDEST dropped `size` bytes
    MIDGE_EVENT_ERROR          // any other -ERR; text is the server's
};

typedef struct midge_event {
    enum midge_event_type type;
    int err;           // MIDGE_E* or 0
    midge_str text;    // the server's words, without quotes
    midge_str subject;
    size_t size;
    bool publish;
} midge_event;

typedef void (*midge_event_fn)(midge *m, const midge_event *event, void *user);

enum midge_pending {
    MIDGE_PENDING_REFUSE,     // no room: MIDGE_EFULL, nothing is lost silently (default)
    MIDGE_PENDING_DROP_OLDEST // while disconnected the oldest unsent messages make room, with an event
};

// Entries of the caller's tables; need not be zeroed. The members are the engine's.
typedef struct midge_sub {
    midge_msg_fn fn;
    void *user;
    midge_str subject, queue;
    uint32_t received, before; // on this connection, on those before it
    uint32_t max;              // of both together; 0: no limit
    uint32_t mark;             // draining: gone with this PONG. Free: the next free entry
    int32_t handle;
    uint32_t flags;
} midge_sub;

typedef struct midge_request_slot {
    void (*fn)(midge *m, int err, const midge_msg *msg, void *user);
    void *user;
    uint32_t deadline, end, stall; // the next one of both ends; the last one
    uint32_t generation;
    uint16_t left, flags;
    uint32_t link[2]; // [0] which slot has this place of the heap; [1] which place this slot has, or the next free slot
} midge_request_slot;

// Zeroed memory is a good start: every 0 means the default that is named. Slices and arrays are kept until
// MIDGE_EVENT_CLOSED.
typedef struct midge_config {
    // Memory. recv holds one message with its line, and while connecting CONNECT (about 250 bytes and the credentials)
    // and the longest subscription; send holds what is not written yet. At least 512 bytes each.
    uint8_t *recv_buf, *send_buf;
    size_t recv_size, send_size;
    midge_sub *subs;
    midge_request_slot *requests;
    uint32_t subs_len, requests_len; // below 2^20; requests take one entry of subs for their shared inbox
    char *gossip_buf;                // for servers that the cluster tells of; NULL: gossip is ignored
    size_t gossip_size;

    // Where. Servers are tried in this order after a random rotation unless no_randomize.
    const midge_server *servers;
    uint16_t servers_len;         // one that refuses our credentials twice running is given up
    bool no_randomize;
    bool tls_first;               // handshake before INFO
    bool tls_required;            // for all servers
    bool tls_available;           // the port can do TLS; a server that requires it is refused (MIDGE_ETLS) without

    // Who. The first that is set wins: jwt + sign, nkey + sign, token, user and password.
    midge_str user, password, token;
    midge_str nkey;               // public key "U..."
    midge_str jwt;                // user JWT
    // Signs the server's nonce with the user's seed; 0 or an error (MIDGE_ESIGN). client/port has a libsodium signer.
    int (*sign)(void *ctx, const void *nonce, size_t nonce_len, uint8_t signature[64]);
    void *sign_ctx;

    // How.
    midge_str name;               // shown in the server's monitoring
    midge_str lang, version;      // of the library in CONNECT; default "midge" and MIDGE_VERSION
    midge_str inbox_prefix;       // default "_INBOX"; a valid literal subject of at most 44 bytes
    bool no_echo, verbose, pedantic;
    enum midge_pending pending;
    uint32_t connect_timeout;     // open, TLS and handshake together; 2,000
    uint32_t ping_interval;       // 120,000
    uint16_t max_pings_out;       // unanswered, then stale; 2
    uint32_t reconnect_wait;      // before a server is tried again; doubled each round without success; 100
    uint32_t reconnect_wait_max;  // 8,000
    uint32_t reconnect_jitter;    // random addition; 100
    int32_t max_reconnects;       // rounds over all servers without success; 0 = for ever, -1 = never reconnect
    bool retry_first;             // the first connect is tried again like later ones; otherwise a round in vain closes
    uint32_t drain_timeout;       // 30,000
    uint64_t seed;                // random bits that no other client has; inboxes and jitter come from it

    midge_event_fn on_event;      // may be NULL
    void *user_data;              // its argument
} midge_config;

// ---- the engine -----------------------------------------------------------------------------------------------------

// Checks the configuration and starts: midge_want says MIDGE_WANT_CONNECT after the first midge_tick.
// config itself is copied. MIDGE_EINVAL: a buffer or table is missing or too small.
MIDGE_API int midge_init(midge *m, const midge_config *config);

enum midge_state {
    MIDGE_STATE_CONNECTING,   // the first connection is not there yet
    MIDGE_STATE_CONNECTED,
    MIDGE_STATE_RECONNECTING,
    MIDGE_STATE_DRAINING,
    MIDGE_STATE_CLOSED
};
MIDGE_API enum midge_state midge_state_of(const midge *m);

// The sticky reason of the last disconnection, or of the end; 0: none yet.
MIDGE_API int midge_error(const midge *m);

// For the port -------------------------------------------------------------------------------------------------------

enum midge_want { MIDGE_WANT_NONE, MIDGE_WANT_CONNECT, MIDGE_WANT_TLS, MIDGE_WANT_CLOSE };
MIDGE_API enum midge_want midge_want(const midge *m);

// Tells the time and runs timers. Returns the milliseconds until it must be called again, UINT32_MAX: no timer runs.
MIDGE_API uint32_t midge_tick(midge *m, uint32_t now_ms);

// The server that MIDGE_WANT_CONNECT means, or that is connected; valid until the next midge_disconnected.
MIDGE_API midge_server midge_server_now(const midge *m);

MIDGE_API void midge_connected(midge *m);
MIDGE_API void midge_tls_done(midge *m);

// The transport is gone or could not be opened. err: MIDGE_ECONNECT, MIDGE_ETLS, MIDGE_EDISCONNECTED; 0 after
// MIDGE_WANT_CLOSE (the engine knows why).
MIDGE_API void midge_disconnected(midge *m, int err);

// Bytes to write: *n is 0 when there are none. Valid until any other call. After n bytes were written: midge_send_ack.
MIDGE_API const void *midge_send_buf(midge *m, size_t *n);
MIDGE_API void midge_send_ack(midge *m, size_t n);

// Room to read into: *n is 0 when nothing may be read now (what is to be written needs it). Valid until any other
// function of the port. After n bytes were read: midge_recv_ack, which runs the callbacks of all complete messages.
MIDGE_API void *midge_recv_buf(midge *m, size_t *n);
MIDGE_API void midge_recv_ack(midge *m, size_t n);

// Replaces the receive or send buffer by a larger one; what is in the old one is copied, which is then the caller's
// again. The receive buffer may be replaced from the callback of MIDGE_EVENT_TOO_LARGE (and outside of callbacks), the
// send buffer at any time. MIDGE_EINVAL: not larger.
MIDGE_API int midge_replace_recv_buf(midge *m, void *buf, size_t size);
MIDGE_API int midge_replace_send_buf(midge *m, void *buf, size_t size);

// The same for the tables (entries, not bytes), at any time, also from callbacks: after ETABLE, say.
MIDGE_API int midge_replace_subs(midge *m, midge_sub *subs, uint32_t len);
MIDGE_API int midge_replace_requests(midge *m, midge_request_slot *requests, uint32_t len);

// ---- publish and subscribe ------------------------------------------------------------------------------------------

// Copies the message into the send buffer. While disconnected it waits there (config.pending).
// Errors: EFULL (write first, then again), ETOOLARGE, ESUBJECT (empty, blanks, wildcards), EHEADERS, ECLOSED,
// EDRAINING.
MIDGE_API int midge_publish(midge *m, midge_str subject, const void *data, size_t len);

// The same with a reply subject and a header block (see midge_headers_*), each may be MIDGE_NONE.
MIDGE_API int midge_publish_full(midge *m, midge_str subject, midge_str reply, midge_str headers, const void *data,
                                 size_t len);

// Answers a message; MIDGE_EINVAL if it has no reply subject.
MIDGE_API int midge_respond(midge *m, const midge_msg *msg, const void *data, size_t len);

// subject and queue are kept until the subscription is gone. queue may be MIDGE_NONE. Returns a handle > 0 or an error.
// Subscriptions survive reconnects.
MIDGE_API int32_t midge_subscribe(midge *m, midge_str subject, midge_str queue, midge_msg_fn fn, void *user);

// max 0: now, no callback follows. Otherwise after `max` messages in all (those received already count), also across
// reconnects. MIDGE_EINVAL: no such subscription.
MIDGE_API int midge_unsubscribe(midge *m, int32_t sub, uint32_t max);

// Drains one subscription: what the server has sent up to now is still delivered, then it is gone.
MIDGE_API int midge_drain_sub(midge *m, int32_t sub);

// True while the handle is a subscription of ours.
MIDGE_API bool midge_sub_alive(const midge *m, int32_t sub);

// Drains all: subscriptions first, then what was published is written, then the engine closes (EVENT_CLOSED, err 0, or
// ETIMEOUT after drain_timeout).
MIDGE_API int midge_drain(midge *m);

// Closes at once, also from a callback; EVENT_CLOSED comes before it returns. Unsent bytes are lost; requests end with
// ECLOSED.
MIDGE_API void midge_close(midge *m);

// Asks the server for a PONG; fn is called when it has processed all that was published and subscribed before, with
// err 0 and the round trip in ms, or with EDISCONNECTED, ETIMEOUT (timeout_ms 0: 5,000), ECLOSED. `op` is the engine's
// until then. While disconnected the question waits for the next connection.
typedef struct midge_flush_op {
    void (*fn)(midge *m, int err, uint32_t rtt_ms, void *user);
    void *user;
    struct midge_flush_op *next;
    uint32_t started, deadline, ping;
} midge_flush_op;
MIDGE_API int midge_flush(midge *m, midge_flush_op *op, uint32_t timeout_ms,
                          void (*fn)(midge *m, int err, uint32_t rtt_ms, void *user), void *user);

// ---- request and reply ----------------------------------------------------------------------------------------------

// err 0: msg is a reply. Otherwise msg is NULL and this is the last call: ETIMEOUT, ENORESPONDERS, ECLOSED. With
// several replies wanted, the normal end is one call with err 0 and msg NULL (the timeout too, once there was a reply).
// Requests outlive a reconnect: what waits is sent, and an answer may still come.
typedef void (*midge_reply_fn)(midge *m, int err, const midge_msg *msg, void *user);

typedef struct midge_request_opts {
    uint32_t timeout;     // for all of it; 0: 5,000
    uint32_t stall;       // several replies: the end when none came for so long after the first; 0: not
    uint16_t max_replies; // 0 and 1: one reply. 0xffff: until an end by time or sentinel
    bool sentinel;        // several replies: an empty message is the end
    bool wildcards;       // the subject may have some: the JetStream API has filters in its subjects
} midge_request_opts;

// Sends a request over the shared inbox. opts may be NULL. Returns a handle > 0, or an error (ETABLE: too many open).
MIDGE_API int32_t midge_request(midge *m, midge_str subject, midge_str headers, const void *data, size_t len,
                                const midge_request_opts *opts, midge_reply_fn fn, void *user);

// Forgets a request: no callback follows.
MIDGE_API int midge_request_cancel(midge *m, int32_t request);

// A fresh unique inbox subject of less than MIDGE_INBOX_MAX bytes into out (terminated); its length, or ETOOLARGE.
#define MIDGE_INBOX_MAX 80
MIDGE_API int midge_inbox(midge *m, char *out, size_t size);

// ---- headers --------------------------------------------------------------------------------------------------------

// Builds a block in the caller's memory: begin, add..., end. An error is sticky and comes out of end.
typedef struct midge_headers {
    char *buf;
    size_t size, n;
    int err;
} midge_headers;
MIDGE_API void midge_headers_begin(midge_headers *h, void *buf, size_t size);
// No line breaks in either (EBADHEADER), no ':' in the name.
MIDGE_API void midge_headers_add(midge_headers *h, midge_str name, midge_str value);
MIDGE_API int midge_headers_end(midge_headers *h, midge_str *block);

// Walks a block without copying: start with *pos = 0; true while there was a line. Values are trimmed as ADR-4 says.
MIDGE_API bool midge_headers_next(midge_str block, size_t *pos, midge_str *name, midge_str *value);
// The first value of a name, exact case; MIDGE_NONE if there is none.
MIDGE_API midge_str midge_headers_get(midge_str block, midge_str name);
// The words after the status of the first line ("No Messages"); MIDGE_NONE if there are none.
MIDGE_API midge_str midge_headers_description(midge_str block);

// ---- what the server says -------------------------------------------------------------------------------------------

// Facts of the last INFO. Valid until the next callback or port call.
typedef struct midge_info {
    uint64_t client_id;
    int64_t max_payload; // bytes; -1: no limit
    bool headers, jetstream, tls_required, tls_available, auth_required, lame_duck; // in this order: see info.c
} midge_info;
MIDGE_API const midge_info *midge_info_of(const midge *m);

typedef struct midge_stats {
    uint64_t in_msgs, in_bytes, out_msgs, out_bytes; // bytes of payload and headers
    uint32_t reconnects, dropped_msgs;               // skipped for size, or dropped while disconnected
} midge_stats;
MIDGE_API midge_stats midge_stats_of(const midge *m);
// Bytes that are in the send buffer and not written.
MIDGE_API size_t midge_pending_bytes(const midge *m);

// ---- credentials ----------------------------------------------------------------------------------------------------

// Finds the JWT and the seed in the text of a .creds file; slices of it. EINVAL: one is missing.
MIDGE_API int midge_creds_parse(midge_str text, midge_str *jwt, midge_str *seed);
// The 32 bytes of an Ed25519 seed from its text ("SU..."); checks prefix and checksum. EINVAL.
MIDGE_API int midge_seed_decode(midge_str seed, uint8_t out[32]);
// The public key's text ("U...", 56 characters, terminated) from 32 bytes.
MIDGE_API void midge_nkey_encode(const uint8_t public_key[32], char out[57]);
// Splits "nats://user:pass@host:port" or "tls://", "host", "host:port", "[v6]:port"; slices of url. Userinfo without
// ':' is given as user, and password.p is NULL; escapes ("%40") stay as they are. EINVAL.
MIDGE_API int midge_url_parse(midge_str url, midge_server *server, midge_str *user, midge_str *password);

// ---- hooks ----------------------------------------------------------------------------------------------------------

// A timer that also hears of the connection; what JetStream below is built on, and free for your own use. The struct is
// the caller's, zeroed and kept from midge_hook_add to midge_hook_remove. fn may add, arm and remove any hook.
enum midge_hook_why {
    MIDGE_HOOK_TIME,   // midge_hook_arm's time has come; the timer is off
    MIDGE_HOOK_UP,     // connected or connected again
    MIDGE_HOOK_DOWN,   // the connection is lost
    MIDGE_HOOK_CLOSED  // the end; the hook has been removed
};
typedef struct midge_hook {
    void (*fn)(midge *m, struct midge_hook *hook, enum midge_hook_why why);
    struct midge_hook *next;
    uint32_t deadline;
    bool armed, added;
    uint8_t round;
} midge_hook;
// Does nothing if it is added already.
MIDGE_API void midge_hook_add(midge *m, midge_hook *hook, void (*fn)(midge *m, midge_hook *hook, enum midge_hook_why));
MIDGE_API void midge_hook_arm(midge *m, midge_hook *hook, uint32_t ms); // from now on; again: anew
MIDGE_API void midge_hook_remove(midge *m, midge_hook *hook);           // does nothing if it is not there

// ---- JetStream ------------------------------------------------------------------------------------------------------
//
// What a device needs: publish with an acknowledgement, pull from a consumer that somebody made, acknowledge, read the
// last value, and key-value buckets. Streams and consumers are managed by larger programs (client/host, `midge`).
//
// Operations are structs of the caller: zero them, set what stands above the line, call; the struct, the slices in it
// and `js` are kept until the last callback. In the last callback, and as soon as it was stopped or cancelled (also in
// a callback), the struct is the caller's again: it may be freed or used for the next operation. Members under the line
// are the library's.

typedef struct midge_js {
    midge *m;
    // Where subjects, headers and bodies are put together during a call. As long as the longest subject plus 128 bytes
    // plus the headers of a publish; key-value watches want 640. May be shared by all of one engine.
    char *buf;
    size_t size;
    midge_str domain; // "hub": the API is at $JS.hub.API
    midge_str prefix; // instead of the domain: all of it, without a dot at the end; default "$JS.API"
    midge_request_opts opts; // of each request; only its timeout counts
} midge_js;

// A publish acknowledgement, or what the API answered instead.
typedef struct midge_js_reply {
    midge_str stream, domain;
    uint64_t seq;
    bool duplicate;        // seq is that of the first message with this id
    uint16_t code;         // 404, 400, 503 ... of an error; 0: none
    uint16_t err_code;     // 10071 ...
    midge_str description; // of an error, as JSON writes it
} midge_js_reply;

// err: EJETSTREAM (see reply), EEXISTS (10070, 10071, 10164: the expectation failed), ENOTFOUND (10014, 10037, 10059),
// ENORESPONDERS (no stream has this subject, or no JetStream), ETIMEOUT, ECLOSED, EPROTO (no such answer).
// reply is NULL unless the server answered.
typedef void (*midge_js_reply_fn)(midge_js *js, int err, const midge_js_reply *reply, void *user);

enum { MIDGE_JS_LAST_SEQ = 1, MIDGE_JS_LAST_SUBJECT_SEQ = 2 };
#define MIDGE_JS_ONCE UINT16_MAX

typedef struct midge_js_pub {
    midge_str subject, headers; // headers: a block or MIDGE_NONE; what follows is added to it
    const void *data;
    size_t len;
    midge_str msg_id;           // Nats-Msg-Id: the stream stores it once; makes it safe to send again
    midge_str expect_stream, expect_last_msg_id;
    uint64_t expect_last_seq, expect_last_subject_seq;
    uint8_t expect;             // which of the two are meant: MIDGE_JS_LAST_SEQ, MIDGE_JS_LAST_SUBJECT_SEQ
    uint16_t retries;           // after no responders, and, only with a msg_id, after a timeout; 0: 2 times,
                                // MIDGE_JS_ONCE: never
    uint32_t retry_wait;        // 250
    // ----
    midge_js *js;
    midge_js_reply_fn fn;
    void *user;
    const struct midge_kv *kv;
    uint8_t operation;
    midge_hook hook;
    int32_t request;
    uint16_t left;
} midge_js_pub;

// Publishes and waits for the acknowledgement. An expectation together with a msg_id can be answered by EEXISTS when
// the first try was stored and its answer lost. Errors: those of midge_publish, ETOOLARGE (js->buf), ETABLE.
MIDGE_API int midge_js_publish(midge_js *js, midge_js_pub *op, midge_js_reply_fn fn, void *user);
// Gives up: no callback follows. Does nothing when it has ended.
MIDGE_API void midge_js_publish_cancel(midge_js_pub *op);

// A publish acknowledgement or an API answer from its JSON; slices of it. 0, or what midge_js_reply_fn's err says.
MIDGE_API int midge_js_reply_parse(midge_str json, midge_js_reply *reply);

// ---- reading one message

typedef struct midge_js_stored {
    midge_str subject, headers, data; // headers with the stream's Nats-Stream, Nats-Subject ... at the end
    uint64_t seq;
    uint64_t time;                    // nanoseconds since 1970
} midge_js_stored;
struct midge_js_get;
// err: ENOTFOUND, ENORESPONDERS (the stream is not there or does not allow direct reading), EJETSTREAM (another
// status), and those of requests. msg is NULL unless err is 0.
typedef void (*midge_js_get_fn)(struct midge_js_get *op, int err, const midge_js_stored *msg, void *user);
typedef struct midge_js_get {
    midge_str stream;
    midge_str subject; // its last message,
    uint64_t seq;      // or, if not 0, the message with this sequence
    // ----
    midge_js *js;
    midge_js_get_fn fn;
    void *user;
    const struct midge_kv *kv;
    int32_t request;
} midge_js_get;

// Reads directly from whoever has a copy (`allow_direct` of the stream).
MIDGE_API int midge_js_get_msg(midge_js *js, midge_js_get *op, midge_js_get_fn fn, void *user);

// ---- messages of a consumer

typedef struct midge_js_meta {
    midge_str stream, consumer, domain; // domain: absent in the old form
    uint64_t delivered;                 // times, this one included
    uint64_t stream_seq, consumer_seq;
    uint64_t time;                      // nanoseconds since 1970
    uint64_t pending;                   // after this one; the numbers in this order: see js_parse.c
} midge_js_meta;
// From a message's reply subject. EINVAL: not a message of a consumer.
MIDGE_API int midge_js_meta_parse(midge_str reply, midge_js_meta *meta);

// Acknowledgements: `reply` is the message's reply subject, or a copy kept for later.
MIDGE_API int midge_js_ack(midge *m, midge_str reply);
MIDGE_API int midge_js_nak(midge *m, midge_str reply, uint32_t delay_ms);   // deliver again, after a delay if not 0
MIDGE_API int midge_js_progress(midge *m, midge_str reply);                 // still at work: the ack wait begins anew
MIDGE_API int midge_js_term(midge *m, midge_str reply, midge_str reason);   // never deliver again; the reason is for
                                                                            // people, at most 120 bytes
// Acknowledges and waits until the server has it. Returns the request (for midge_request_cancel) or an error. err of fn
// is 0 with msg, or that of a request; a consumer without acks answers ENORESPONDERS.
MIDGE_API int32_t midge_js_ack_sync(midge_js *js, midge_str reply, midge_reply_fn fn, void *user);

// ---- pull

struct midge_js_pull;
// msg set: a message; it waits for midge_js_ack. Otherwise a notice; `pull->active` says whether it goes on.
// Fetch ends with one notice. err 0: the batch is full or there is no more for now; EJETSTREAM: text is the server's
// word; others as below.
// Consume has notices when something fails twice running: ENORESPONDERS (the consumer is not there), EJETSTREAM
// ("Leadership Change", "Exceeded MaxWaiting"), and at once EHEARTBEAT (nothing heard for two heartbeats) and
// EDISCONNECTED. It asks again by itself, after at most 8 s. It ends with ENOTFOUND (the consumer was deleted), EINVAL
// (it is no pull consumer, or a bad request: see text) and ECLOSED.
typedef void (*midge_js_pull_fn)(struct midge_js_pull *pull, const midge_msg *msg, int err, midge_str text, void *user);

typedef struct midge_js_pull {
    midge_str stream, consumer;
    uint32_t batch;     // fetch: messages wanted. consume: on the way at most; when half is used up it asks again. 100
    uint32_t max_bytes; // on the way at most, headers and subjects included; 0: no bound. Keep it under recv_size.
    uint32_t expires;   // of a request; 30,000, fetch 5,000
    uint32_t heartbeat; // 0: half of expires, at most 15,000 (fetch under 10,000: none). At most half of expires.
    bool no_wait;       // fetch: what is there now, at once
    // ----
    bool active, consume, waiting;
    uint8_t fails;
    uint32_t beat, msgs, bytes;
    int32_t sub;
    midge_js *js;
    midge_js_pull_fn fn;
    void *user;
    midge_hook hook;
    char inbox[MIDGE_INBOX_MAX];
} midge_js_pull;

// Each takes an entry of subs, no request. Errors: EINVAL (no names, heartbeat too long), and of subscribe and publish.
MIDGE_API int midge_js_fetch(midge_js *js, midge_js_pull *pull, midge_js_pull_fn fn, void *user);
MIDGE_API int midge_js_consume(midge_js *js, midge_js_pull *pull, midge_js_pull_fn fn, void *user);
// No callback follows. What is on the way is delivered again after the consumer's ack wait. Also from the callback.
MIDGE_API void midge_js_stop(midge_js_pull *pull);

// ---- key-value ------------------------------------------------------------------------------------------------------

typedef struct midge_kv {
    midge_js *js;
    midge_str bucket; // letters, digits, '-', '_'
} midge_kv;

enum midge_kv_operation { MIDGE_KV_PUT, MIDGE_KV_DELETE, MIDGE_KV_PURGE };
typedef struct midge_kv_entry {
    midge_str key, value, headers;
    uint64_t revision;
    uint64_t created; // nanoseconds since 1970
    uint64_t pending; // watch: how many follow for now
    enum midge_kv_operation operation;
} midge_kv_entry;

// Keys: letters, digits and -/_=. ; no '.' at either end or two in a row. Patterns also have the wildcards * and >.
MIDGE_API bool midge_kv_bucket_valid(midge_str bucket);
MIDGE_API bool midge_kv_key_valid(midge_str key);
MIDGE_API bool midge_kv_pattern_valid(midge_str pattern);

// err ENOTFOUND: no such key, or the revision is of another one (entry is NULL); or a delete or purge was the last
// operation (entry says which). Others as midge_js_get_fn.
typedef void (*midge_kv_get_fn)(const midge_kv *kv, int err, const midge_kv_entry *entry, void *user);
typedef struct midge_kv_get_op {
    midge_str key;
    uint64_t revision; // 0: the last
    // ----
    midge_js_get get;
    midge_kv_get_fn fn;
    void *user;
} midge_kv_get_op;
MIDGE_API int midge_kv_get(const midge_kv *kv, midge_kv_get_op *op, midge_kv_get_fn fn, void *user);

// err EEXISTS: create found a value, or update, delete or purge another revision. revision is that of what was written.
typedef void (*midge_kv_write_fn)(const midge_kv *kv, int err, uint64_t revision, void *user);
typedef struct midge_kv_write {
    midge_str key;
    const void *value; // of put, create and update
    size_t len;
    midge_str headers; // a block, for instance with "Nats-TTL"; or MIDGE_NONE
    uint64_t revision; // update: only if this is the last one. delete, purge: the same if not 0
    // ----
    uint8_t how;
    midge_js_pub pub;
    midge_kv_get_op get;
    midge_kv_write_fn fn;
    void *user;
} midge_kv_write;
MIDGE_API int midge_kv_put(const midge_kv *kv, midge_kv_write *op, midge_kv_write_fn fn, void *user);
// Only if there is no value; a delete marker is none.
MIDGE_API int midge_kv_create(const midge_kv *kv, midge_kv_write *op, midge_kv_write_fn fn, void *user);
MIDGE_API int midge_kv_update(const midge_kv *kv, midge_kv_write *op, midge_kv_write_fn fn, void *user);
MIDGE_API int midge_kv_delete(const midge_kv *kv, midge_kv_write *op, midge_kv_write_fn fn, void *user);
// A marker in place of the whole history.
MIDGE_API int midge_kv_purge(const midge_kv *kv, midge_kv_write *op, midge_kv_write_fn fn, void *user);

struct midge_kv_watch;
// entry set: a value or marker. entry NULL and err 0: all that was there at the beginning has been given (once).
// err: a notice (EHEARTBEAT, EDISCONNECTED, ENORESPONDERS, ETIMEOUT, EJETSTREAM; the watch begins again after the last
// revision) while `watch->active`, otherwise the end (ENOTFOUND: the bucket is not there; ECLOSED).
typedef void (*midge_kv_watch_fn)(struct midge_kv_watch *watch, const midge_kv_entry *entry, int err, void *user);
typedef struct midge_kv_watch {
    midge_str pattern;      // a key or with wildcards; MIDGE_NONE: all
    uint64_t from_revision; // not 0: begin there instead of with the last values
    bool history;           // all revisions that are kept, not only the last
    bool updates_only;      // nothing of what is there now
    bool ignore_deletes;
    bool meta_only;         // values stay empty
    // ----
    bool active, creating, ready, known;
    uint8_t fails;
    const midge_kv *kv;
    midge_kv_watch_fn fn;
    void *user;
    midge_hook hook;
    int32_t sub, request;
    uint32_t consumer_seq, initial, seen;
    uint64_t revision;
    char inbox[MIDGE_INBOX_MAX];
} midge_kv_watch;
// Takes an entry of subs, and of requests while it begins.
MIDGE_API int midge_kv_watch_start(const midge_kv *kv, midge_kv_watch *watch, midge_kv_watch_fn fn, void *user);
MIDGE_API void midge_kv_watch_stop(midge_kv_watch *watch); // no callback follows; also from the callback

// ---- the engine's memory --------------------------------------------------------------------------------------------

// Here so that it can be placed statically: 640 bytes where pointers have 32 bits, 864 where they have 64; an entry of
// subs has 48 and 72, one of requests 36 and 48. Nothing in it is for others.
// What is used most stands first: short offsets make short instructions on small processors.
// What is used most comes first: short instructions of Thumb reach 31 bytes, or words in the first 128 bytes.
struct midge {
    uint8_t phase, drain;
    bool ticked, open, ever, established, tls_on, said_hello, in_info, cut_line, owe_pong, owe_ping, servers_new;
    uint8_t json_depth, json_key, json_value, nonce_n, inbox_n;
    uint8_t hook_round;         // number of the last tour through the hooks
    bool wildcards;             // in the subject of what is published now
    uint16_t unanswered;        // pings by the timer since anything was heard
    uint16_t server, told;      // index of the current server; of the configured one that told of others
    uint16_t first;             // the server that a round begins with
    uint16_t gossip_n;

    // Input: [recv_at, recv_end) is not used up, [recv_at, recv_scan) has no line end.
    size_t recv_at, recv_end, recv_scan, skip;
    // Output: [send_base, send_end) with whole commands from send_base on; [send_at, send_end) is not written.
    size_t send_base, send_at, send_end;
    size_t aside_at, aside_n;   // output that is made in the free part of the receive buffer
    uint32_t now, timer;        // ms since the first tick; what the phase waits for
    uint32_t subs_used, subs_owed; // entries ever used; SUBs to be said
    uint32_t requests_open;
    midge_flush_op *flushes;
    size_t line;                // what the line at recv_at takes; 0: none
    midge_config config;

    size_t subject_at, subject_n, reply_at, reply_n, header_n, total; // of the line
    int32_t sid;
    midge_hook *hooks;
    int err, why;               // the sticky error; what the server said before it cut
    uint32_t pings, pongs;      // sent and got on this connection, without those of CONNECT
    uint32_t subs_free, subs_next; // free list; from where on SUBs are to be said
    uint32_t unsubs_owed, subs_draining;
    uint32_t requests_used, requests_free;

    size_t dropped;
    size_t gossip_end;
    uint32_t rounds;            // in vain
    uint32_t auth_failed, auth_gone; // bits by server
    uint32_t epoch;             // the port's clock at the first tick
    uint32_t drain_timer, drain_mark; // the PONG that ends it; 0: not asked for
    uint32_t rnd[2];
    int32_t inbox_sub;
    midge_stats stats;
    midge_info info, info_next; // info_next fills while an INFO comes in
    char inbox[MIDGE_INBOX_MAX]; // "<prefix>.<id>.*"
    char nonce[64];
};

#ifdef __cplusplus
}
#endif

#endif
