// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A worker in a queue group: worker [URL [NAME]]. Start as many as you like; each job goes to one of them:
//
//      midge pub jobs.resize "picture 1"
//
// Core NATS delivers at most once: a job that is sent while no worker is there is gone. See work_queue.c for jobs that
// must be done. A program with threads could use midge_sync.h instead of the loop here.
#include <midge_posix.h>

#include <signal.h>
#include <stdio.h>

static midge_conn *conn;
static volatile sig_atomic_t stopping;

static void on_signal(int number) {
    (void)number;
    stopping = 1;
    midge_wakeup(conn);
}

// One job. The answer is for who asked with a request; a job that was published has nowhere to answer.
static void on_job(midge *m, const midge_msg *msg, void *name) {
    char done[128];
    printf("%s: %.*s: %.*s\n", (const char *)name, (int)msg->subject.n, msg->subject.p, (int)msg->data.n, msg->data.p);
    fflush(stdout);
    int n = snprintf(done, sizeof done, "done by %s", (const char *)name);
    if (msg->reply.n > 0) midge_respond(m, msg, done, (size_t)n);
}

int main(int argc, char **argv) {
    char err[300], nameless[] = "worker", *name = argc > 2 ? argv[2] : nameless;
    midge_options options = {.servers = argc > 1 ? argv[1] : NULL, .name = name};
    conn = midge_connect(&options, err, sizeof err);
    if (conn == NULL) {
        fprintf(stderr, "%s\n", err);
        return 1;
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    midge_subscribe(midge_engine(conn), MIDGE_STR("jobs.*"), MIDGE_STR("workers"), on_job, name);
    midge_flush_wait(conn, 5000);
    printf("ready\n");
    fflush(stdout);
    while (!stopping && midge_poll(conn, MIDGE_FOREVER) == 0) {
    }
    // Others get new jobs from now on; ours are finished first.
    int rc = stopping ? midge_drain_wait(conn, 5000) : 1;
    midge_conn_free(conn);
    return rc == 0 ? 0 : 1;
}
