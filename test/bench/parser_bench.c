// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What one PUB costs the parser: a 64 KB buffer of equal messages, parsed for half a second of CPU time (other work
// on the machine does not count). Prints nanoseconds a message for a few shapes.
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "server/base/buf.h"
#include "server/proto/parser.h"

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void bench(const char *name, const char *one) {
    struct mg_buf b = MG_BUF_INIT;
    while (b.len < 65536) mg_buf_adds(&b, one);
    const struct mg_parse_limits lim = {4096, 1 << 20, true};
    struct mg_parser st = {0};
    struct mg_cmd cmd;
    uint64_t n = 0, bytes = 0;
    double start = now_s(), end = start;
    while (end - start < 0.5) {
        for (size_t at = 0, used, need; at < b.len; at += used, n++) {
            if (mg_parse(&st, &lim, b.p + at, b.len - at, &cmd, &used, &need) != MG_PARSE_OK) return;
            bytes += cmd.subject.n + cmd.size; // keep the result alive
        }
        end = now_s();
    }
    printf("%-28s %6.2f ns a message (%" PRIu64 " bytes seen)\n", name, (end - start) * 1e9 / (double)n, bytes);
    mg_buf_fini(&b);
}

int main(void) {
    bench("PUB 16 B", "PUB foo.bar 16\r\n0123456789abcdef\r\n");
    bench("PUB 16 B, long subject", "PUB orders.europe.germany.berlin.4711 16\r\n0123456789abcdef\r\n");
    bench("PUB 16 B, reply", "PUB foo.bar _INBOX.abcdefghijklmnopqrstuv.12345678 16\r\n0123456789abcdef\r\n");
    bench("HPUB 12+16 B", "HPUB foo.bar 12 28\r\nNATS/1.0\r\n\r\n0123456789abcdef\r\n");
    bench("PING", "PING\r\n");
    return 0;
}
