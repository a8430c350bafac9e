// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Tests of the engine that run anywhere: on a host under cmocka, on a bare Cortex-M under a main of its own. They need
// string.h and a function that says what failed and does not return.
//
// A scenario talks to an engine through a rig: a scripted server, a port and a clock in one. The runner plays each one
// many times: bytes whole, byte by byte in both directions, and with one cut at each place of what the server says.
#ifndef MG_TEST_SCENARIO_H
#define MG_TEST_SCENARIO_H

#include "client/core/midge.h"

_Noreturn void scenario_failed(const char *file, int line, const char *what); // from the main

#define CHECK(condition) ((condition) ? (void)0 : scenario_failed(__FILE__, __LINE__, #condition))

enum { RIG_BUF = 1024, RIG_LOG = 8192 };

struct rig {
    midge m;
    midge_config config; // as rig_fill left it; a scenario may change it before rig_start
    midge_server servers[4];
    uint8_t recv[RIG_BUF], send[RIG_BUF];
    midge_sub subs[8];
    midge_request_slot requests[8];
    char gossip[64];

    uint32_t now;
    bool refuse, refuse_tls, stuck; // no transport, no handshake, nothing can be written
    bool open;
    bool limited; // only `quota` more bytes can be written
    size_t quota;
    // How bytes are cut: each `step` bytes (0: whole), and once after `split` bytes of all that was said.
    size_t step, split, said;

    char log[RIG_LOG], out[RIG_LOG]; // what happened, what was written; both since it was last asked for
    size_t log_n, out_n;
};

struct scenario {
    const char *name;
    void (*run)(struct rig *r);
};
extern const struct scenario scenarios_connect[], scenarios_message[], scenarios_reconnect[], scenarios_request[],
    scenarios_drain[], scenarios_text[], scenarios_storm[], scenarios_js[],
    scenarios_kv[], scenarios_hook[]; // each ends with a name of NULL

// Plays it in all ways; the number of runs. `stride`: only each so many-th place for the cut.
unsigned scenario_play(const struct scenario *s, struct rig *r, size_t stride);

// ---- the rig ----
void rig_fill(struct rig *r);                 // defaults: one server a:4222, 1 KB buffers, logs all events
void rig_start(struct rig *r);                // midge_init and the first turn
void rig_connect(struct rig *r);              // the same up to "connected"
void rig_run(struct rig *r);                  // turns of the port until nothing moves
void rig_say(struct rig *r, const char *s);   // the server says
void rig_cut(struct rig *r);                  // the transport breaks
void rig_later(struct rig *r, uint32_t ms);   // time passes, timer by timer
void rig_note(struct rig *r, const char *s);  // into the log
void rig_note_str(struct rig *r, midge_str s);
void rig_note_int(struct rig *r, long n);
// What was written, or happened, since the last time: exactly this.
void rig_wrote_(struct rig *r, const char *s, const char *file, int line);
void rig_saw_(struct rig *r, const char *s, const char *file, int line);
// CONNECT with these words in it was written, PING behind it.
void rig_hello_(struct rig *r, const char *words, const char *file, int line);
#define rig_wrote(r, s) rig_wrote_((r), (s), __FILE__, __LINE__)
#define rig_saw(r, s) rig_saw_((r), (s), __FILE__, __LINE__)
#define rig_hello(r, words) rig_hello_((r), (words), __FILE__, __LINE__)

// Callbacks that log "subject[>reply] [#status] [headers] data", "reply ...", "flush err rtt"; user is the rig.
void rig_on_msg(midge *m, const midge_msg *msg, void *user);
void rig_on_reply(midge *m, int err, const midge_msg *msg, void *user);
void rig_on_flush(midge *m, int err, uint32_t rtt_ms, void *user);

#define RIG_INFO "INFO {\"server_id\":\"N\",\"headers\":true,\"max_payload\":500,\"client_id\":7} \r\n"

#endif
