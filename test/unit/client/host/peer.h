// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The other end of an engine, for unit tests of what is built on it: takes apart what the client writes, and says what
// the test wants, whole or byte by byte.
#ifndef MG_TEST_CLIENT_HOST_PEER_H
#define MG_TEST_CLIENT_HOST_PEER_H

#include "client/host/midge_host.h"

enum { PEER_SUBS = 24 };

typedef struct peer {
    midge m;
    uint8_t recv[1 << 15], send[1 << 15];
    midge_sub subs[PEER_SUBS];
    midge_request_slot requests[24];
    midge_server server;
    uint32_t now;
    size_t step; // bytes at one time; 0: all
    char out[1 << 16];
    size_t out_n, at;
    struct {
        char subject[128];
        int sid;
    } heard[64];
    int heard_n;
    char subject[256], reply[256], headers[512], data[8192]; // of the message that peer_next found
} peer;

void peer_start(peer *p, size_t step); // up to "connected"
void peer_say(peer *p, const char *bytes);
// The next message that the client has published, in subject, reply, headers, data. False: none.
bool peer_next(peer *p);
// A message to whoever of the client has subscribed to the subject. headers may be NULL.
void peer_send(peer *p, const char *subject, const char *reply, const char *headers, const char *data);
// To the reply subject of the message that peer_next found.
void peer_answer(peer *p, const char *data);
void peer_later(peer *p, uint32_t ms);
void peer_cut(peer *p);       // the connection breaks
void peer_reconnect(peer *p); // and is there again

#endif
