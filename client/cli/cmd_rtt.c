// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge rtt: a connection to every address of every server, and the average of some PINGs on it. An address that does
// not answer is told and does not end the command, as in natscli.
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client/cli/cli.h"
#include "client/cli/commands.h"
#include "client/cli/connect.h"
#include "client/cli/json.h"
#include "client/cli/message.h"
#include "client/cli/units.h"

#define ADDRESSES_MAX 64 // of one server

typedef struct result {
    const char *address; // "nats://127.0.0.1:4222"
    char time[40];
    uint64_t rtt; // ns; 0: failed
} result;

typedef struct target {
    const char *url;
    const char *name; // for the certificate; NULL: the address is the name
    result *results;
    size_t len;
} target;

static void add_address(cli *app, target *t, const char *scheme, const char *host, unsigned port) {
    bool v6 = strchr(host, ':') != NULL;
    t->results[t->len++].address = cli_printf(app, "%s://%s%s%s:%u", scheme, v6 ? "[" : "", host, v6 ? "]" : "", port);
}

static void look_up(cli *app, target *t, const char *scheme, const char *host, unsigned port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    char text[NI_MAXHOST];
    if (getaddrinfo(host, NULL, &hints, &list) != 0) list = NULL;
    for (const struct addrinfo *a = list; a != NULL && t->len < ADDRESSES_MAX; a = a->ai_next)
        if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0) {
            if (strcmp(text, host) != 0) t->name = host;
            add_address(app, t, scheme, text, port);
        }
    if (list != NULL) freeaddrinfo(list);
    if (t->len == 0) add_address(app, t, scheme, host, port); // connecting says what is wrong with it
}

static bool find_target(cli *app, const char *url, size_t n, target *t) {
    midge_server server;
    midge_str user, password;
    const char *sep = memmem(url, n, "://", 3);
    const char *scheme = sep != NULL ? cli_strndup(app, url, (size_t)(sep - url)) : "nats";
    t->url = cli_printf(app, "%s%.*s", sep == NULL ? "nats://" : "", (int)n, url);
    t->results = cli_alloc(app, ADDRESSES_MAX * sizeof *t->results);
    if (midge_url_parse((midge_str){url, n}, &server, &user, &password) != 0) return false;
    look_up(app, t, scheme, cli_strndup(app, server.host.p, server.host.n), server.port != 0 ? server.port : 4222);
    return true;
}

// The average of `iterations` round trips, 0: failed, and why has been told.
static uint64_t measure(cli *app, const target *t, const char *address, uint64_t iterations) {
    char err[512];
    midge_options o = *cli_options(app);
    o.servers = address;
    if (t->name != NULL) o.tls_name = t->name;
    midge_conn *conn = midge_connect(&o, err, sizeof err);
    if (conn == NULL) {
        cli_log(app, "Failed to compute rtt for %s: %s%s", address, err, cli_connect_hint(err));
        return 0;
    }
    uint64_t sum = 0;
    int wrong = 0;
    for (uint64_t i = 1; i <= iterations && wrong == 0; i++) {
        uint64_t began = cli_mono_ns();
        wrong = midge_flush_wait(conn, (uint32_t)cli_timeout(app));
        uint64_t rtt = cli_mono_ns() - began;
        sum += rtt;
        if (cli_get_bool(app, "trace"))
            cli_log(app, "#%llu: rtt=%s", (unsigned long long)i, cli_duration((int64_t)rtt).s);
    }
    if (wrong != 0) cli_log(app, "Failed to compute rtt for %s: %s", address, midge_strerror(wrong));
    midge_conn_free(conn);
    return wrong == 0 ? sum / iterations : 0;
}

static void print_json(const target *targets, size_t n) {
    cli_json j = {.out = stdout, .indent = 2};
    cli_json_begin(&j, NULL, '[');
    for (size_t i = 0; i < n; i++) {
        cli_json_begin(&j, NULL, '{');
        cli_json_string(&j, "url", targets[i].url);
        cli_json_begin(&j, "results", '[');
        for (size_t k = 0; k < targets[i].len; k++) {
            const result *r = &targets[i].results[k];
            cli_json_begin(&j, NULL, '{');
            cli_json_string(&j, "time", r->time);
            cli_json_string(&j, "address", r->address);
            cli_json_uint(&j, "rtt", r->rtt);
            cli_json_string(&j, "url", r->rtt > 0 ? r->address : "");
            cli_json_end(&j, '}');
        }
        cli_json_end(&j, ']');
        cli_json_end(&j, '}');
    }
    cli_json_end(&j, ']');
}

static void print_text(const target *targets, size_t n) {
    size_t width = 3;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < targets[i].len; k++)
            if (strlen(targets[i].results[k].address) + 3 > width) width = strlen(targets[i].results[k].address) + 3;
    for (size_t i = 0; i < n; i++) {
        printf("%s:\n\n", targets[i].url);
        for (size_t k = 0; k < targets[i].len; k++) {
            const result *r = &targets[i].results[k];
            printf("%*s: %s\n", (int)width, r->address, r->rtt > 0 ? cli_duration((int64_t)r->rtt).s : "failed");
        }
        putchar('\n');
    }
}

static int run(cli *app) {
    const char *text = cli_arg_of(app, "iterations");
    int64_t iterations = 0;
    size_t n = 0;
    if (cli_parse_int(text, 1, 1000000, &iterations) != 0)
        return cli_fail(app, "<iterations> needs a whole number from 1 to 1000000, not \"%s\"", text);
    const midge_options *o = cli_options(app);
    if (o == NULL) return CLI_FAILED;
    target *targets = cli_alloc(app, (strlen(o->servers) + 1) * sizeof *targets);
    for (const char *at = o->servers; *at != '\0';) {
        size_t len = strcspn(at, ",");
        if (len > 0 && !find_target(app, at, len, &targets[n++]))
            return cli_fail(app, "invalid URL \"%.*s\"", (int)len, at);
        at += len + (at[len] == ',');
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < targets[i].len; k++) {
            result *r = &targets[i].results[k];
            cli_time_text(r->time, sizeof r->time);
            r->rtt = measure(app, &targets[i], r->address, (uint64_t)iterations);
        }
    if (cli_get_bool(app, "json")) {
        print_json(targets, n);
    } else {
        print_text(targets, n);
    }
    return CLI_OK;
}

static const cli_flag flags[] = {
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print JSON"},
    {0},
};

static const cli_arg args[] = {
    {.name = "iterations", .value = "5", .help = "How many round trips the average is of"},
    {0},
};

const cli_command cli_command_rtt = {
    .name = "rtt",
    .summary = "Measure the round trip to every address of the servers",
    .flags = flags,
    .args = args,
    .run = run,
};
