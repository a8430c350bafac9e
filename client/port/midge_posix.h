// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge_posix.h: the engine of midge.h on sockets, for programs with an operating system.
//
//      char err[256];
//      midge_options o = {.servers = "nats://127.0.0.1:4222", .name = "example"};
//      midge_conn *c = midge_connect(&o, err, sizeof err);
//      if (c == NULL) return fprintf(stderr, "%s\n", err), 1;
//      midge_subscribe(midge_engine(c), MIDGE_STR("greet.*"), MIDGE_NONE, on_message, NULL);
//      while (midge_poll(c, 1000) >= 0) {}
//      midge_conn_free(c);
//
// A midge_conn is an engine with its memory, socket and TLS, on the heap. Everything of midge.h that is not marked "for
// the port" is used directly on midge_engine(c). Nothing runs between calls: in a midge_poll bytes move, timers fire
// and callbacks run, and the _wait functions are loops of it.
//
// - One thread at a time per connection. Only midge_wakeup may be called from elsewhere. For a connection that any
//   thread may use see midge_sync.h; for a libuv loop see midge_uv.h.
// - Callbacks run inside midge_poll and the _wait functions. From a callback everything of midge.h may be called, and
//   midge_conn_of, midge_conn_reserve, midge_conn_error, midge_conn_server, midge_wakeup; not midge_conn_free, and what
//   polls refuses with MIDGE_EINVAL.
// - Errors are MIDGE_E* codes; texts are one sentence for people, without a newline.
// - No signal is raised (SIGPIPE neither), no handler installed, no global state. A name is looked up, and the first
//   address that answers is found, by a short-lived thread with all signals blocked.
#ifndef MIDGE_POSIX_H
#define MIDGE_POSIX_H

#include <poll.h>

#include "client/core/midge.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct midge_conn midge_conn;

// Zeroed memory is a good start: every 0 or NULL means the default that is named. Strings are copied.
typedef struct midge_options {
    // Where: URLs, separated by commas: "nats://host:port", "tls://...", "host", "[v6]:port". Default
    // nats://127.0.0.1:4222. User and password (or a token: a user without a password) in a URL count when none are
    // given below; "%40" there is '@', as in every URL.
    const char *servers;

    // Who. At most one kind is used: creds; jwt and seed; nkey_seed; token; user and password.
    const char *user, *password;
    const char *token;
    const char *creds;     // file, read once
    const char *nkey_seed; // text "SU..." or a file that holds it
    const char *jwt, *seed; // texts, as a .creds file has them

    // TLS. Files are PEM; one that is named requires TLS. tls_ca: default is the file that $SSL_CERT_FILE names, else
    // the system's bundle. tls_insecure: the server's certificate is not checked.
    const char *tls_ca, *tls_cert, *tls_key;
    const char *tls_name; // the name that the server's certificate must have; default is the host of its URL
    bool tls_first, tls_required, tls_insecure;

    const char *name;         // shown in the server's monitoring
    const char *inbox_prefix; // default "_INBOX"
    const char *lang, *version; // of the library, in CONNECT; default "midge" and MIDGE_VERSION

    // Memory, bytes. Buffers start at *_size and grow: recv to hold a message of max_message, send up to send_max when
    // the server does not take the bytes as fast, or as far as one message needs. What is published while disconnected
    // waits in the send buffer, so send_max bounds it.
    size_t recv_size, send_size; // 65,536 each
    size_t send_max;             // 1 MiB
    size_t max_message;          // 64 MiB
    uint32_t max_subs;           // 0: 65,535, of which only what is used takes memory
    uint32_t max_requests;       // open at one time; 0: 65,535, same

    // How; see midge_config.
    bool no_echo, verbose, pedantic, no_randomize, no_gossip;
    enum midge_pending pending;
    uint32_t connect_timeout, ping_interval;
    uint32_t reconnect_wait, reconnect_wait_max, reconnect_jitter;
    uint32_t drain_timeout;
    uint16_t max_pings_out;
    int32_t max_reconnects;
    bool retry_first;

    midge_event_fn on_event; // may be NULL
    void *user_data;         // its argument
} midge_options;

// Connects: blocks until it is there (with retry_first: for as long as it takes) or has failed. o may be NULL. NULL:
// err has the sentence, for example `cannot connect to 127.0.0.1:4222: connection refused`.
MIDGE_API midge_conn *midge_connect(const midge_options *o, char *err, size_t err_size);

// The same without waiting: midge_poll connects. NULL only for what is wrong with the options (a file that cannot be
// read, a malformed URL or seed).
MIDGE_API midge_conn *midge_conn_new(const midge_options *o, char *err, size_t err_size);

// Closes the socket at once and frees everything; requests that are open end with MIDGE_ECLOSED. NULL is fine.
// To lose nothing, midge_drain_wait first.
MIDGE_API void midge_conn_free(midge_conn *c);

MIDGE_API midge *midge_engine(midge_conn *c);
// In a callback: the connection that an engine is part of. Only for engines of midge_engine.
MIDGE_API midge_conn *midge_conn_of(midge *m);

// ---- turns ----------------------------------------------------------------------------------------------------------

#define MIDGE_FOREVER UINT32_MAX

// One turn: writes what waits in the send buffer; if that was nothing or could not be written, waits at most timeout_ms
// for bytes, a timer or midge_wakeup and handles what came. So after MIDGE_EFULL a midge_poll is all that it takes.
// 0, or the negative reason when the connection is closed for good (MIDGE_ECLOSED after midge_close or midge_drain).
MIDGE_API int midge_poll(midge_conn *c, uint32_t timeout_ms);

// Polls until *done. 0, MIDGE_ETIMEOUT, or as midge_poll.
MIDGE_API int midge_wait(midge_conn *c, const bool *done, uint32_t timeout_ms);

// Polls until there is a connection. 0, MIDGE_ETIMEOUT, or as midge_poll.
MIDGE_API int midge_connect_wait(midge_conn *c, uint32_t timeout_ms);

// Polls until the server has seen all that was published and subscribed before.
MIDGE_API int midge_flush_wait(midge_conn *c, uint32_t timeout_ms);

// Publishes; when the send buffer is full, polls until there is room. Reply and headers may be MIDGE_NONE. The bytes
// leave when the buffer is full or at the next midge_poll. The fast way to publish in a loop.
// Errors: those of midge_publish_full but EFULL, and ETIMEOUT (nothing was published).
MIDGE_API int midge_publish_wait(midge_conn *c, midge_str subject, midge_str reply, midge_str headers, const void *data,
                                 size_t len, uint32_t timeout_ms);

// Sends a request and polls until the reply. *reply is the connection's, valid until the next midge_request_wait or
// midge_conn_free. Errors: those of midge_request and of midge_reply_fn.
MIDGE_API int midge_request_wait(midge_conn *c, midge_str subject, midge_str headers, const void *data, size_t len,
                                 uint32_t timeout_ms, const midge_msg **reply);

// midge_drain, then polls until closed. 0: all was delivered and written.
MIDGE_API int midge_drain_wait(midge_conn *c, uint32_t timeout_ms);

// Makes the send buffer large enough that a message of `size` bytes (subject, headers and data together) can fit when
// the buffer is empty; midge_publish_wait and midge_request_wait do it themselves. ETOOLARGE: more than max_message.
MIDGE_API int midge_conn_reserve(midge_conn *c, size_t size);

// Makes a midge_poll that runs now, or else the next one, return soon. From any thread and from signal handlers.
MIDGE_API void midge_wakeup(midge_conn *c);

// ---- for programs with a loop of their own --------------------------------------------------------------------------

// What to wait for; then call midge_poll(c, 0). Ask again after each midge_poll: the socket changes with reconnects.
// Fills out[0], which carries midge_wakeup and finished connects, and out[1], the socket (fd -1 while there is none).
MIDGE_API void midge_conn_pollfds(midge_conn *c, struct pollfd out[2]);
// Milliseconds after which midge_poll(c, 0) must be called even if no descriptor is ready: 0 if there is something to
// do, for example to write what was published since; MIDGE_FOREVER if no timer runs. Runs the timers that are due, so
// not from a callback.
MIDGE_API uint32_t midge_conn_timeout(midge_conn *c);

// For loops that register descriptors (epoll, libuv): fn is called with each new socket, and with open false before it
// is closed. One fn a connection; NULL ends it. fn is called at once if there is a socket.
typedef void (*midge_socket_fn)(midge_conn *c, int fd, bool open, void *user);
MIDGE_API void midge_conn_watch(midge_conn *c, midge_socket_fn fn, void *user);

// ---- what happened --------------------------------------------------------------------------------------------------

// The reason of the last disconnection or failed connect: the code, and a sentence into text (may be NULL).
MIDGE_API int midge_conn_error(const midge_conn *c, char *text, size_t size);

// "host:port" of the server that is connected or tried; "" before the first. Valid until the next midge_poll.
MIDGE_API const char *midge_conn_server(const midge_conn *c);

// The socket, -1: none. For getsockname and the like.
MIDGE_API int midge_conn_fd(const midge_conn *c);

#ifdef __cplusplus
}
#endif

#endif
