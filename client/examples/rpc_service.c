// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A service that adds numbers: rpc_service [URL]; ask it with rpc_client, or `midge request math.add "1 2"`.
//
// Start it several times: as a queue group, one of them gets each request. SIGTERM or Ctrl-C ends it gently: what it
// has been asked is still answered.
#include <midge_posix.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static midge_conn *conn;
static volatile sig_atomic_t stopping;

static void on_signal(int number) {
    (void)number;
    stopping = 1;
    midge_wakeup(conn); // the only thing that a signal handler may do with a connection
}

// Data is bytes, without an end: it is copied to be read as text.
static void on_add(midge *m, const midge_msg *msg, void *user) {
    char text[256], answer[64], *at = text;
    long sum = 0;
    (void)user;
    size_t n = msg->data.n < sizeof text - 1 ? msg->data.n : sizeof text - 1;
    if (n > 0) memcpy(text, msg->data.p, n);
    text[n] = '\0';
    for (char *end; *at != '\0'; at = end) {
        sum += strtol(at, &end, 10);
        if (end == at) break;
    }
    int len = snprintf(answer, sizeof answer, "%ld", sum);
    midge_respond(m, msg, answer, (size_t)len);
}

int main(int argc, char **argv) {
    char err[300];
    midge_options options = {.servers = argc > 1 ? argv[1] : NULL, .name = "adder"};
    conn = midge_connect(&options, err, sizeof err);
    if (conn == NULL) {
        fprintf(stderr, "%s\n", err);
        return 1;
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    midge_subscribe(midge_engine(conn), MIDGE_STR("math.add"), MIDGE_STR("adders"), on_add, NULL);
    midge_flush_wait(conn, 5000); // from here on the server knows of us
    printf("ready\n");
    fflush(stdout);
    while (!stopping && midge_poll(conn, MIDGE_FOREVER) == 0) {
    }
    int rc = stopping ? midge_drain_wait(conn, 5000) : 1;
    midge_conn_free(conn);
    return rc == 0 ? 0 : 1;
}
