// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Jobs that must be done: work_queue URL STREAM CONSUMER [COUNT]
//
// A stream keeps the jobs and a durable consumer knows which are done. Both are made once, for example:
//
//      nats stream add JOBS --subjects 'jobs.>' --retention work --defaults
//      nats consumer add JOBS resizers --pull --ack explicit --wait 30s --defaults
//
// Each copy of this program pulls from the same consumer. A job that is not acknowledged in the ack wait is given to
// somebody again, so a worker may crash at any time. With COUNT it ends after that many jobs.
#include <midge_posix.h>

#include <stdio.h>
#include <stdlib.h>

struct work {
    midge *m;
    long left; // jobs; negative: no end
    bool done;
    int err;
};

// Stands for the work. False: it failed for now.
static bool do_job(const midge_msg *msg) {
    printf("%.*s: %.*s\n", (int)msg->subject.n, msg->subject.p, (int)msg->data.n, msg->data.p);
    fflush(stdout);
    return true;
}

static void on_pull(midge_js_pull *pull, const midge_msg *msg, int err, midge_str text, void *user) {
    struct work *work = user;
    if (msg == NULL) { // a notice; while the pull is active it goes on by itself
        fprintf(stderr, "%s %.*s\n", midge_strerror(err), (int)text.n, text.p);
        work->done = work->done || !pull->active;
        work->err = err;
        return;
    }
    if (!do_job(msg)) {
        midge_js_nak(work->m, msg->reply, 5000); // again in five seconds
        return;
    }
    midge_js_ack(work->m, msg->reply);
    if (work->left > 0 && --work->left == 0) {
        midge_js_stop(pull);
        work->done = true;
        work->err = 0;
    }
}

int main(int argc, char **argv) {
    char err[300], buf[1024];
    if (argc < 4) {
        fprintf(stderr, "usage: work_queue URL STREAM CONSUMER [COUNT]\n");
        return 2;
    }
    midge_options options = {.servers = argv[1], .name = "work queue"};
    midge_conn *c = midge_connect(&options, err, sizeof err);
    if (c == NULL) {
        fprintf(stderr, "%s\n", err);
        return 1;
    }
    struct work work = {.m = midge_engine(c), .left = argc > 4 ? strtol(argv[4], NULL, 10) : -1};
    midge_js js = {.m = midge_engine(c), .buf = buf, .size = sizeof buf};
    midge_js_pull pull = {.stream = midge_cstr(argv[2]), .consumer = midge_cstr(argv[3]), .batch = 10};
    int rc = midge_js_consume(&js, &pull, on_pull, &work);
    if (rc == 0) rc = midge_wait(c, &work.done, MIDGE_FOREVER);
    if (rc == 0) rc = work.err;
    if (rc != 0) fprintf(stderr, "%s\n", midge_strerror(rc));
    midge_drain_wait(c, 5000); // the last acknowledgements leave
    midge_conn_free(c);
    return rc == 0 ? 0 : 1;
}
