// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a midge_conn is made of; shared by the files of the POSIX port alone.
#ifndef MIDGE_PORT_CONN_H
#define MIDGE_PORT_CONN_H

#include "client/port/dial.h"
#include "client/port/midge_posix.h"
#include "client/port/midge_signer.h"
#include "client/port/tls.h"

// The way of a socket: each state owns what its line says, nothing else is open.
enum mgc_link {
    MGC_LINK_NONE,      // nothing
    MGC_LINK_DIALING,   // dial
    MGC_LINK_OPEN,      // fd, plain or (secure) with TLS
    MGC_LINK_HANDSHAKE, // fd
};

struct mgc_string { // a copy of an option, wiped when it is freed
    struct mgc_string *next;
    size_t n;
    char text[];
};

struct midge_conn {
    midge engine; // first, for midge_conn_of
    midge_config config;

    // What config points to.
    struct mgc_string *strings;
    midge_server *servers;
    midge_signer signer;
    char nkey[57];
    size_t send_max, max_message;

    enum mgc_link link;
    struct mgc_dial *dial;
    int fd;
    bool secure;
    bool write_blocked; // the socket takes no more now
    bool write_broken;  // nor ever; what it still has to say is read
    short tls_wants;    // events that the handshake waits for
    struct mgc_tls *tls;
    struct mgc_tls_config tls_config;
    int wake[2];

    bool polling, closed;
    midge_socket_fn watch;
    void *watch_user;

    // The last reason. `said`: it stands in text, what follows is a consequence.
    int err;
    bool established, said;
    char text[320];
    char words[100]; // the last -ERR of this connection
    char server[272]; // "host:port"

    midge_event_fn on_event;
    void *user_data;

    // midge_request_wait
    midge_msg reply;
    char *reply_bytes;
    size_t reply_size;
};

// options.c: fills in config and what it points to, but not the buffers and tables. 0 or -1 with a sentence in err.
int mgc_options_apply(midge_conn *c, const midge_options *o, char *err, size_t err_size);
void mgc_options_fini(midge_conn *c);

// reason.c: keeps what happened as a sentence. `phrase` is the part after "cannot connect to host:port: ".
void mgc_reason_connect(midge_conn *c, int err, const char *phrase);
void mgc_reason_lost(midge_conn *c, int err, const char *phrase);
void mgc_reason_begin(midge_conn *c);  // a connection is tried
void mgc_reason_engine(midge_conn *c); // nobody has said anything: what the engine knows
void mgc_reason_event(midge_conn *c, const midge_event *event);

// memory.c
int mgc_memory_init(midge_conn *c, const midge_options *o);
void mgc_memory_fini(midge_conn *c);
int mgc_grow_recv(midge_conn *c, size_t need); // to hold that many bytes: 0, ENOMEM, ETOOLARGE
int mgc_grow_send(midge_conn *c, size_t size); // to this size, which is larger: 0, ENOMEM

#endif
