// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A connection on a libuv loop: a program of its own, as it links libmidge-uv.
#include "test/client/scenario.h"

#include <time.h>
#include <uv.h>

#include "client/port/midge_uv.h"

const struct scenario storm_scenarios[] = {{NULL, NULL}};
const struct scenario load_scenarios[] = {{NULL, NULL}};
const struct scenario loop_scenarios[] = {{NULL, NULL}};
const struct scenario js_scenarios[] = {{NULL, NULL}};

struct app {
    midge_conn *conn;
    uv_timer_t limit;
    unsigned asked, answered, reconnects, rounds;
    int err;
    bool closed;
};

static void on_echo(midge *m, const midge_msg *msg, void *user) {
    (void)user;
    midge_respond(m, msg, msg->data.p, msg->data.n);
}

static void ask(struct app *app);

static void on_answer(midge *m, int err, const midge_msg *msg, void *user) {
    struct app *app = user;
    if (app->closed && err == MIDGE_ECLOSED) return; // detached with a question open
    CHECK(err == 0 && msg->data.n == 3, "answer: %s", midge_strerror(err));
    app->answered++;
    if (app->answered < 100) {
        ask(app);
    } else if (app->answered == 100 && app->rounds > 0) {
        at("connected"); // the launcher restarts the server
    } else {
        midge_drain(m);
    }
}

static void ask(struct app *app) {
    midge_request_opts opts = {.timeout = LIMIT_MS};
    app->asked++;
    int32_t rc = midge_request(midge_engine(app->conn), MIDGE_STR("echo"), MIDGE_NONE, "uv?", 3, &opts, on_answer, app);
    CHECK(rc > 0, "ask: %s", midge_strerror(rc));
}

static void on_event(midge *m, const midge_event *event, void *user) {
    struct app *app = user;
    (void)m;
    if (event->type == MIDGE_EVENT_CONNECTED) ask(app);
    if (event->type == MIDGE_EVENT_RECONNECTED) {
        app->reconnects++;
        ask(app);
    }
}

static void on_limit(uv_timer_t *timer) {
    (void)timer;
    fail(__FILE__, __LINE__, "no end");
}

static void on_closed(midge_conn *c, int err, void *user) {
    struct app *app = user;
    app->closed = true;
    app->err = err;
    uv_close((uv_handle_t *)&app->limit, NULL);
    midge_conn_free(c);
}

static void run_loop(bool detach) {
    uv_loop_t loop;
    char err[400];
    struct app app = {.rounds = detach ? 0 : 1};
    midge_options o = options_of_args();
    o.on_event = on_event;
    o.user_data = &app;
    uv_loop_init(&loop);
    uv_timer_init(&loop, &app.limit);
    uv_timer_start(&app.limit, on_limit, LIMIT_MS, 0);
    app.conn = midge_conn_new(&o, err, sizeof err);
    CHECK(app.conn != NULL, "%s", err);
    midge_subscribe(midge_engine(app.conn), MIDGE_STR("echo"), MIDGE_NONE, on_echo, NULL);
    midge_uv *u = midge_uv_attach(&loop, app.conn, on_closed, &app);
    CHECK(u != NULL, "attach");
    if (detach) {
        while (app.answered < 10) {
            uv_run(&loop, UV_RUN_ONCE);
        }
        midge_uv_detach(u);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(app.closed && app.err == (detach ? 0 : MIDGE_ECLOSED), "the end is %d", app.err);
    CHECK(app.reconnects == app.rounds, "%u reconnects", app.reconnects);
    CHECK(uv_loop_close(&loop) == 0, "a handle is left");
}

static void run_uv(void) { run_loop(false); }
static void run_uv_detach(void) { run_loop(true); }

// The loop ends by itself when there is no server.
static void run_uv_refused(void) {
    uv_loop_t loop;
    char err[400];
    struct app app = {0};
    midge_options o = options_of_args();
    uv_loop_init(&loop);
    uv_timer_init(&loop, &app.limit);
    app.conn = midge_conn_new(&o, err, sizeof err);
    CHECK(app.conn != NULL, "%s", err);
    CHECK(midge_uv_attach(&loop, app.conn, on_closed, &app) != NULL, "attach");
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(app.closed && app.err == MIDGE_ECONNECT, "the end is %d", app.err);
    CHECK(uv_loop_close(&loop) == 0, "a handle is left");
}

const struct scenario basic_scenarios[] = {
    {"uv", run_uv}, {"uv_detach", run_uv_detach}, {"uv_refused", run_uv_refused}, {NULL, NULL},
};
