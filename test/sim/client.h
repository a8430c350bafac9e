// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A client of the simulated broker: it connects to a listener of the world, sends what it is told to and parses what
// comes strictly by spec/client-protocol.md A1-A4: anything that no server may send is a failure. It answers PINGs.
// As an actor it writes and reads in portions that the seed chooses; a stalled one does not read for a while.
#ifndef MG_TEST_SIM_CLIENT_H
#define MG_TEST_SIM_CLIENT_H

#include "server/base/buf.h"
#include "server/base/slice.h"
#include "test/sim/sim.h"

struct sim_client;

struct sim_msg {
    mg_slice subject, sid, reply, header, payload; // reply, header: n 0 if there is none
};

struct sim_client_ops {
    void (*ready)(struct sim_client *c); // INFO, CONNECT and the first PONG are over
    void (*pong)(struct sim_client *c);  // the answer to a sim_client_ping
    void (*msg)(struct sim_client *c, const struct sim_msg *m);
    void (*err)(struct sim_client *c, mg_slice text);
    void (*closed)(struct sim_client *c); // by the server, or the connection broke
    void (*turn)(struct sim_client *c);   // the time given to sim_client_at has come
};

enum sim_client_state {
    SIM_CLIENT_INFO,
    SIM_CLIENT_FIRST_PONG,
    SIM_CLIENT_SECOND_INFO,
    SIM_CLIENT_OPEN,
    SIM_CLIENT_GONE,
};

struct sim_client {
    struct sim_actor actor;
    struct sim *sim;
    struct sim_conn *conn; // NULL: gone
    const struct sim_client_ops *ops;
    void *owner;
    unsigned id;
    enum sim_client_state state;
    int protocol;            // as in CONNECT
    uint64_t turn_at;        // MG_NEVER: none
    uint64_t stalled_until;  // reads nothing before
    unsigned pings;          // sent and not answered
    struct mg_buf out, in;
    size_t written; // of out
};

// False: nobody listens. The client is an actor of the world from then on, until it is freed.
bool sim_client_open(struct sim_client *c, struct sim *s, uint16_t port, const struct sim_client_ops *ops, void *owner,
                     unsigned id);
void sim_client_close(struct sim_client *c, bool reset); // `closed` is not called
void sim_client_free(struct sim_client *c);

void sim_client_send(struct sim_client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sim_client_ping(struct sim_client *c);
void sim_client_at(struct sim_client *c, uint64_t at); // when `turn` is called next
void sim_client_stall(struct sim_client *c, uint64_t ns);

#endif
