// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The program of size_posix.c, written for nats.c.
#include <nats.h>
#include <stdio.h>

static void on_message(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *user) {
    (void)sub, (void)user;
    natsConnection_Publish(nc, natsMsg_GetReply(msg), natsMsg_GetData(msg), natsMsg_GetDataLength(msg));
    natsMsg_Destroy(msg);
}

int main(int argc, char **argv) {
    natsConnection *nc = NULL;
    natsSubscription *sub = NULL;
    natsMsg *reply = NULL;
    if (natsConnection_ConnectTo(&nc, argc > 1 ? argv[1] : NATS_DEFAULT_URL) != NATS_OK) return 1;
    natsConnection_Subscribe(&sub, nc, "greet", on_message, NULL);
    natsConnection_Publish(nc, "hello", "world", 5);
    if (natsConnection_Request(&reply, nc, "greet", "x", 1, 1000) == NATS_OK) {
        printf("%.*s\n", natsMsg_GetDataLength(reply), natsMsg_GetData(reply));
        natsMsg_Destroy(reply);
    }
    natsSubscription_Destroy(sub);
    natsConnection_Destroy(nc);
    return 0;
}
