// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Arguments, and the table of everything that is measured.
#include "test/bench/bench.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KB ((size_t)1 << 10)
#define MB ((size_t)1 << 20)

static const struct mgb_row ROWS[] = {
    {"one_16", mgb_flow_row, "1 publisher, 1 subscriber, 16 B", .payload = 16, .subs = 1, .window = 2 * MB},
    {"one_128", mgb_flow_row, "1 publisher, 1 subscriber, 128 B", .payload = 128, .subs = 1, .window = 2 * MB},
    {"one_1k", mgb_flow_row, "1 publisher, 1 subscriber, 1 KB", .payload = KB, .subs = 1, .window = 2 * MB},
    {"one_16k", mgb_flow_row, "1 publisher, 1 subscriber, 16 KB", .payload = 16 * KB, .subs = 1, .window = 4 * MB},
    {"single_128", mgb_flow_row, "1:1, 128 B, one message under way", .payload = 128, .subs = 1, .window = 0},
    {"fan10_128", mgb_flow_row, "1:10, 128 B, per delivery", .payload = 128, .subs = 10, .window = 16 * MB},
    {"fan1000_128", mgb_flow_row, "1:1000, 128 B, per delivery", .payload = 128, .subs = 1000, .window = 16 * MB},
    {"queue8_128", mgb_flow_row, "queue group of 8, 128 B", .payload = 128, .subs = 8, .queue = true, .window = 2 * MB},
    {"req_1", mgb_request_row, "requests, 128 B, one in flight", .payload = 128, .requesters = 1, .in_flight = 1},
    {"req_10x10", mgb_request_row, "requests, 10 clients, 10 in flight each", .payload = 128, .requesters = 10,
     .in_flight = 10},
    {"oldreq_1", mgb_request_row, "old-style requests, one in flight", .payload = 128, .requesters = 1, .in_flight = 1,
     .old_style = true},
    {"oldreq_10x10", mgb_request_row, "old-style requests, 10 clients, 10 in flight each", .payload = 128,
     .requesters = 10, .in_flight = 10, .old_style = true},
    {"idle", mgb_idle_row, "memory and CPU of an idle server", .payload = 0},
    {"conns", mgb_conns_row, "memory of idle connections with an inbox each", .payload = 0},
    {"tls_16k", mgb_flow_row, "1:1, 16 KB, TLS", .payload = 16 * KB, .subs = 1, .window = 4 * MB, .tls = true},
    {"tls_handshake", mgb_handshake_row, "TLS connections, one after the other", .tls = true},
    {"tls_conns", mgb_conns_row, "memory of idle TLS connections", .tls = true},
    {"js-publish", mgb_js_publish_row, "publishes of 128 B, 1,000 outstanding", .js = true, .payload = 128,
     .in_flight = 1000, .streams = 1, .subjects = 1},
    {"js-sync", mgb_js_publish_row, "publishes of 128 B, one in flight", .js = true, .payload = 128, .in_flight = 1,
     .streams = 1, .subjects = 1},
    {"js-subject", mgb_js_publish_row, "publishes to one subject that keeps 10", .js = true, .payload = 128,
     .in_flight = 1000, .streams = 1, .subjects = 1, .keep = 10},
    {"js-subjects", mgb_js_publish_row, "publishes to 1,024 subjects that keep 10 each", .js = true, .payload = 128,
     .in_flight = 1000, .streams = 1, .subjects = 1024, .keep = 10},
    {"js-streams", mgb_js_publish_row, "publishes to 64 streams in turn", .js = true, .payload = 128, .in_flight = 1000,
     .streams = 64, .subjects = 1},
    {"js-alone", mgb_js_publish_row, "publishes to the subjects of js-create, no consumers", .js = true, .payload = 128,
     .in_flight = 1000, .streams = 1},
    {"js-latency", mgb_js_latency_row, "from publish to delivery, 500 a second", .js = true, .payload = 128,
     .streams = 1, .subjects = 1},
    {"js-fetch", mgb_js_fetch_row, "fetches of 1,000, each message acknowledged", .js = true, .payload = 128,
     .streams = 1, .subjects = 1},
    {"js-consume", mgb_js_consume_row, "consume, no acknowledgement", .js = true, .payload = 128, .streams = 1,
     .subjects = 1},
    {"js-create", mgb_js_create_row, "many durable consumers, a subject each", .js = true, .streams = 1},
    {"js-beside", mgb_js_create_row, "the same, and publishes to these subjects", .js = true, .payload = 128,
     .in_flight = 1000, .streams = 1},
    {"js-wake", mgb_js_wake_row, "a pull request for each of them", .js = true, .streams = 1},
    {"js-fill", mgb_js_fill_row, "stores --bytes in messages of 1 KB", .js = true, .payload = KB, .in_flight = 1000,
     .streams = 1, .subjects = 1000},
    {"js-first", mgb_js_first_row, "until the server answers a fetch", .js = true},
};
#define NROWS (sizeof ROWS / sizeof ROWS[0])

static const char USAGE[] =
    "usage: midge-bench --pid PID [--host 127.0.0.1] [--port 4222] [--rows REGEX] [--seconds 2] [--conns 10000]\n"
    "                   [--split] [--tls] [--js [--consumers N] [--bytes N] [--since NS] [--part N]] [--list]\n"
    "Drives the NATS server PID and prints \"row <tab> metric <tab> value\" lines.\n"
    "  --rows REGEX  only rows whose whole name matches (see --list)\n"
    "  --seconds S   length of a measurement; a quarter of it goes before as warm-up\n"
    "  --conns N     idle connections of the row `conns`; `tls_conns` takes a tenth\n"
    "  --split       publisher is connection 1, subscribers follow: a server that gives a new connection to its least\n"
    "                loaded shard then has publisher and subscriber of a 1:1 row on different shards\n"
    "  --tls         the server wants TLS: run the TLS rows, and no others\n"
    "  --js          the server has JetStream and keeps nothing yet: run the JetStream rows, and no others\n"
    "  --consumers N durable consumers of js-create (100000)\n"
    "  --bytes N     what js-fill stores\n"
    "  --since NS    when the server was started, CLOCK_MONOTONIC: for js-first\n"
    "  --part N      rows that count messages do one in N of them\n";

static const struct mgb_target DEFAULTS = {
    .seconds = 2,
    .conns = 10000,
    .consumers = 100000,
    .bytes = 1 << 30,
    .part = 1,
};

struct args {
    struct mgb_target target;
    const char *rows;
    bool list, tls, js;
};

static double number(const char *text, double min, double max) {
    char *end;
    double v = strtod(text, &end);
    if (*end != '\0' || end == text || !(v >= min && v <= max))
        mgb_die("%s: a number from %.10g to %.10g is needed", text, min, max);
    return v;
}

static struct args parse_args(int argc, char **argv) {
    static const struct option options[] = {
        {"host", required_argument, NULL, 'h'},    {"port", required_argument, NULL, 'p'},
        {"pid", required_argument, NULL, 'i'},     {"rows", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 's'}, {"conns", required_argument, NULL, 'c'},
        {"split", no_argument, NULL, 'S'},         {"tls", no_argument, NULL, 'T'},
        {"list", no_argument, NULL, 'l'},          {"js", no_argument, NULL, 'J'},
        {"consumers", required_argument, NULL, 'C'}, {"bytes", required_argument, NULL, 'B'},
        {"since", required_argument, NULL, 'F'},   {"part", required_argument, NULL, 'P'},
        {NULL, 0, NULL, 0},
    };
    struct args a = {.rows = ".*", .target = DEFAULTS};
    a.target.addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(4222)};
    a.target.addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'h':
            if (inet_pton(AF_INET, optarg, &a.target.addr.sin_addr) != 1)
                mgb_die("%s: an IPv4 address is needed", optarg);
            break;
        case 'p': a.target.addr.sin_port = htons((uint16_t)number(optarg, 1, 65535)); break;
        case 'i': a.target.pid = (pid_t)number(optarg, 1, 1e9); break;
        case 'r': a.rows = optarg; break;
        case 's': a.target.seconds = number(optarg, 0.01, 3600); break;
        case 'c': a.target.conns = (size_t)number(optarg, 10, 1e6); break;
        case 'S': a.target.split = true; break;
        case 'T': a.tls = true; break;
        case 'J': a.js = true; break;
        case 'C': a.target.consumers = (size_t)number(optarg, 1, 1e6); break;
        case 'B': a.target.bytes = (uint64_t)number(optarg, 1, 1e12); break;
        case 'F': a.target.since = (uint64_t)number(optarg, 0, 9e15); break;
        case 'P': a.target.part = (unsigned)number(optarg, 1, 1e6); break;
        case 'l': a.list = true; break;
        default: fputs(USAGE, stderr); exit(2);
        }
    }
    if (optind != argc || (a.target.pid == 0 && !a.list)) {
        fputs(USAGE, stderr);
        exit(2);
    }
    return a;
}

static regex_t compile(const char *rows) {
    char whole[512];
    regex_t re;
    if (snprintf(whole, sizeof whole, "^(%s)$", rows) >= (int)sizeof whole ||
        regcomp(&re, whole, REG_EXTENDED | REG_NOSUB) != 0)
        mgb_die("%s: not a regular expression", rows);
    return re;
}

int main(int argc, char **argv) {
    struct args a = parse_args(argc, argv);
    regex_t re = compile(a.rows);
    size_t matched = 0;
    if (a.tls)
        a.target.tls = mgb_tls_env_new();
    for (size_t i = 0; i < NROWS; i++) {
        const struct mgb_row *row = &ROWS[i];
        if (regexec(&re, row->name, 0, NULL, 0) != 0 || (!a.list && (row->tls != a.tls || row->js != a.js)))
            continue;
        matched++;
        if (a.list)
            printf("%s\t%s\t%s\n", row->name, row->js ? "js" : row->tls ? "tls" : "plain", row->what);
        else
            row->run(row, &a.target);
    }
    mgb_tls_env_free(a.target.tls);
    regfree(&re);
    if (matched == 0)
        mgb_die("no row is called %s", a.rows);
    return 0;
}
