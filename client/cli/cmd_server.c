// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge server. Its only group so far is check.
#include <inttypes.h>
#include <string.h>

#include "client/cli/check.h"
#include "client/cli/commands.h"
#include "client/cli/units.h"

typedef struct echo {
    char sent[100];
    bool done, same;
} echo;

static void on_echo(midge *m, const midge_msg *msg, void *user) {
    echo *e = user;
    (void)m;
    e->same = msg->data.n == sizeof e->sent && memcmp(msg->data.p, e->sent, sizeof e->sent) == 0;
    e->done = true;
}

static void check_rtt(cli *app, cli_check *c, midge_conn *conn) {
    uint64_t began = cli_mono_ns();
    int err = midge_flush_wait(conn, (uint32_t)cli_timeout(app));
    uint64_t ns = cli_mono_ns() - began;
    if (err != 0) {
        cli_check_say(app, c, CLI_CHECK_CRITICAL, "rtt failed: %s", midge_strerror(err));
        return;
    }
    const cli_measure m = {"rtt", "The round-trip-time of the connection", ns, cli_get_duration(app, "rtt-warn"),
                           cli_get_duration(app, "rtt-critical")};
    const char *fine = cli_printf(app, "rtt time %s", cli_duration_exact((int64_t)ns).s);
    cli_check_measure(app, c, &m, "rtt time exceeded", fine);
}

// A message to an inbox of our own: the whole way of a request.
static void check_request(cli *app, cli_check *c, midge_conn *conn) {
    midge *engine = midge_engine(conn);
    char inbox[MIDGE_INBOX_MAX + 1] = "";
    echo e = {.done = false};
    memset(e.sent, 'x', sizeof e.sent);
    int err = midge_inbox(engine, inbox, sizeof inbox);
    int32_t sub = err < 0 ? err : midge_subscribe(engine, midge_cstr(inbox), MIDGE_NONE, on_echo, &e);
    uint64_t began = cli_mono_ns();
    uint32_t timeout = (uint32_t)cli_timeout(app);
    if (sub < 0) err = sub;
    if (err >= 0)
        err = midge_publish_wait(conn, midge_cstr(inbox), MIDGE_NONE, MIDGE_NONE, e.sent, sizeof e.sent, timeout);
    if (err == 0) err = midge_wait(conn, &e.done, timeout);
    uint64_t ns = cli_mono_ns() - began;
    const char *complaint = cli_complaint(app);
    if (err != 0) {
        cli_check_say(app, c, CLI_CHECK_CRITICAL, "did not receive from %s: %s", inbox,
                      complaint != NULL ? complaint : midge_strerror(err));
        return;
    }
    if (!e.same) cli_check_say(app, c, CLI_CHECK_CRITICAL, "did not receive expected message");
    const cli_measure m = {"request_time", "Time taken for a full Request-Reply operation", ns,
                           cli_get_duration(app, "req-warn"), cli_get_duration(app, "req-critical")};
    const char *took = cli_printf(app, "round trip took %.6fs", (double)ns / 1e9);
    cli_check_measure(app, c, &m, "round trip request exceeded", took);
}

static int run_connection(cli *app) {
    cli_check c = {.suite = "connections", .name = "Connection"};
    char err[512];
    const midge_options *o = cli_options(app);
    if (o == NULL) return CLI_CHECK_UNKNOWN;
    uint64_t began = cli_mono_ns();
    midge_conn *conn = midge_connect(o, err, sizeof err);
    uint64_t ns = cli_mono_ns() - began;
    if (conn == NULL) {
        cli_check_say(app, &c, CLI_CHECK_CRITICAL, "connection failed: %s", err);
        return cli_check_finish(app, &c);
    }
    const char *server = cli_strndup(app, midge_conn_server(conn), strlen(midge_conn_server(conn)));
    const cli_measure m = {"connect_time", "Time taken to connect to NATS", ns, cli_get_duration(app, "connect-warn"),
                           cli_get_duration(app, "connect-critical")};
    cli_check_measure(app, &c, &m, cli_printf(app, "connected to nats://%s, connect time exceeded", server),
                      cli_printf(app, "connected to nats://%s in %s", server, cli_duration_exact((int64_t)ns).s));
    check_rtt(app, &c, conn);
    if (cli_check_level(&c) != CLI_CHECK_CRITICAL) check_request(app, &c, conn);
    midge_conn_free(conn);
    return cli_check_finish(app, &c);
}

static const cli_flag connection_flags[] = {
    {.name = "connect-warn", .type = CLI_DURATION, .value = "500ms", .help = "Warn when connecting takes so long"},
    {.name = "connect-critical", .type = CLI_DURATION, .value = "1s", .help = "Critical when connecting takes so long"},
    {.name = "rtt-warn", .type = CLI_DURATION, .value = "500ms", .help = "Warn when a PING takes so long"},
    {.name = "rtt-critical", .type = CLI_DURATION, .value = "1s", .help = "Critical when a PING takes so long"},
    {.name = "req-warn", .type = CLI_DURATION, .value = "500ms",
     .help = "Warn when a message to ourselves takes so long"},
    {.name = "req-critical", .type = CLI_DURATION, .value = "1s",
     .help = "Critical when a message to ourselves takes so long"},
    {0},
};

static const cli_flag check_flags[] = {
    {.name = "format", .type = CLI_ENUM, .value = "nagios", .choices = "nagios json prometheus text",
     .help = "How the result is written"},
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "The same as --format json"},
    {.name = "namespace", .type = CLI_STRING, .value = "nats_server_check", .help = "First part of Prometheus names"},
    {.name = "outfile", .type = CLI_FILE, .help = "Write the result to a file instead of stdout"},
    {0},
};

static const cli_command connection = {
    .name = "connection",
    .aliases = "conn",
    .summary = "Check that one can connect and exchange messages",
    .text = "Exit status: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN; always 0 with --format prometheus.\n",
    .flags = connection_flags,
    .run = run_connection,
};

static const cli_command *const check_commands[] = {&connection, NULL};
static const cli_command check = {
    .name = "check",
    .summary = "Health checks for monitoring",
    .flags = check_flags,
    .commands = check_commands,
};

static const cli_command *const commands[] = {&check, NULL};
const cli_command cli_command_server = {
    .name = "server",
    .aliases = "srv",
    .summary = "Look at servers",
    .commands = commands,
};
