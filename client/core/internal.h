// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the files of the engine share. Nothing of it is visible outside of the library.
//
//      input.c    bytes in: lines and messages            output.c   bytes out: the send buffer, commands in it
//      info.c     INFO, piece by piece                    hello.c    CONNECT
//      servers.c  which server is next, and when          engine.c   phases, timers, the end
//      sub.c  request.c  flush.c  drain.c  hook.c         what the caller has open
#ifndef MGC_INTERNAL_H
#define MGC_INTERNAL_H

#include "client/core/midge.h"

#include <string.h>

#define MGC_NONE UINT32_MAX // no index

enum {
    MGC_WAIT,  // for the timer, then OPEN
    MGC_OPEN,  // the port opens a transport
    MGC_INFO,  // it is open; the server speaks first
    MGC_TLS,   // the port shakes hands
    MGC_HELLO, // CONNECT and PING are written, PONG is awaited
    MGC_UP,
    MGC_LOST,  // the port closes
    MGC_CLOSED // the end; the port may have to close
};

// midge.drain
enum { MGC_DRAIN_NOT, MGC_DRAIN_SUBS, MGC_DRAIN_PUBS };

// midge_sub.flags
enum {
    MGC_SUB_USED = 1,
    MGC_SUB_OWED = 2,  // SUB (and UNSUB with a maximum) to be said
    MGC_SUB_DRAIN = 4, // gone with the PONG number `mark`; 0: PING to be said
    MGC_SUB_GONE = 8,  // only UNSUB is to be said
    MGC_SUB_LIMIT = 16 // UNSUB with a maximum is to be said
};

#define MGC_PREFIX_MAX 44 // and ".", 22 letters, ".", a token of 10 letters, NUL
#define MGC_ID_LEN 22
#define MGC_TOKEN_LEN 10

#define MGC_SIZE_MAX 999999999 // of a message: spec/client-protocol.md A4, at most nine digits

#define MGC_HANDLE_BITS 20
#define MGC_HANDLE_MASK ((1 << MGC_HANDLE_BITS) - 1)
#define MGC_TABLE_MAX 1000000

// ---- str.c ----
#define MGC_U32_MAX 10 // digits
// Of libc only memcpy and memset are wanted on small processors, as compilers want them anyway: others cost hundreds of
// bytes, since they are made for speed.
#ifdef MIDGE_FREESTANDING
const void *mgc_find(const void *s, char c, size_t n);
#else
static inline const void *mgc_find(const void *s, char c, size_t n) { return memchr(s, c, n); }
#endif
void mgc_down(uint8_t *to, const uint8_t *from, size_t n); // to a lower place, which may overlap
uint8_t *mgc_put(uint8_t *p, const void *s, size_t n);
#define MGC_PUT(p, literal) mgc_put((p), (literal), sizeof(literal) - 1)
uint8_t *mgc_put_u32(uint8_t *p, uint32_t n); // decimal
uint8_t *mgc_put_str(uint8_t *p, midge_str s);
// Digits only: the number, or -1. Larger than any handle and any size that we meet is MGC_U31_MAX, which ends with 9.
#define MGC_U31_MAX 2147483639u
int32_t mgc_get_u31(const uint8_t *p, size_t n);
// Appends a digit; false when c is none.
bool mgc_digit(uint64_t *n, char c);
bool mgc_same(midge_str a, midge_str b);
// s begins with the words, whatever the case.
bool mgc_begins(midge_str s, const char *words);
bool mgc_subject_ok(midge_str subject, bool wildcards);
// Wrapping time: true when `at` is not after now.
static inline bool mgc_due(const midge *m, uint32_t at) { return (int32_t)(m->now - at) >= 0; }
extern const char mgc_alphabet[64]; // of base64url

// ---- engine.c ----
uint32_t mgc_random(midge *m);
uint32_t mgc_random_below(midge *m, uint32_t limit); // [0, limit]
void mgc_event(midge *m, const midge_event *event);
void mgc_event_type(midge *m, enum midge_event_type type, int err);
// The connection is of no use any more; the port must close it.
void mgc_lost(midge *m, int err);
// PONG came while shaking hands.
void mgc_up(midge *m);
// The end, with its reason.
void mgc_end(midge *m, int err);

// ---- servers.c ----
void mgc_servers_init(midge *m);
// A transport is gone: when to try which server, or the end.
void mgc_servers_next(midge *m);
void mgc_servers_gossip_begin(midge *m); // a list comes
void mgc_servers_gossip(midge *m, midge_str url);

// ---- input.c ----
void mgc_input_reset(midge *m);
// Free bytes behind what was received, after moving it to the front.
size_t mgc_input_free(midge *m);

// ---- errors.c ----
void mgc_server_error(midge *m, midge_str text);

// ---- info.c ----
void mgc_info_begin(midge *m);
bool mgc_info_step(midge *m); // false: needs more bytes, or the connection is lost

// ---- hello.c ----
size_t mgc_hello_size(const midge_config *c); // of CONNECT and PING, at most
void mgc_hello(midge *m);

// ---- output.c ----
// Room for n bytes at send_end, or NULL. The caller then moves send_end.
uint8_t *mgc_room(midge *m, size_t n);
void mgc_wrote(midge *m, uint8_t *end);
void mgc_output_cut(midge *m);
// Says the next PING, now or as soon as there is room; its number.
uint32_t mgc_ping(midge *m);

// ---- sub.c ----
midge_sub *mgc_sub(const midge *m, int32_t handle); // NULL: no such
void mgc_sub_free(midge *m, midge_sub *s);
void mgc_subs_aside(midge *m);                      // SUBs that are owed, as many as there is room for
void mgc_subs_pay(midge *m);                        // UNSUBs and PINGs that are owed
void mgc_subs_cut(midge *m);
void mgc_subs_pong(midge *m);
void mgc_subs_drain(midge *m);
bool mgc_deliver(midge *m, midge_msg *msg); // false: nobody wants it

// ---- inbox.c ----
char *mgc_inbox(midge *m, char *out); // "<prefix>.<id>", its end
char *mgc_put_letters(char *p, uint32_t n, size_t letters); // six bits each, the lowest first

// ---- request.c ----
void mgc_requests_tick(midge *m);
void mgc_requests_end(midge *m);

// ---- flush.c ----
void mgc_flush_pong(midge *m);
void mgc_flush_tick(midge *m);
void mgc_flush_end(midge *m, int err, bool all); // those whose PING was said, or all
void mgc_flush_pay(midge *m);

// ---- hook.c ----
void mgc_hooks_tick(midge *m);
void mgc_hooks_say(midge *m, enum midge_hook_why why);

// ---- drain.c ----
void mgc_drain_step(midge *m);

#endif
