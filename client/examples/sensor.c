// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A sensor that reports to a broker, over TLS, for ever: sensor URL [CA-FILE [CREDS-FILE [COUNT]]]
//
// The network may go at any time. Readings wait while it is away, and as old readings are worth less than new ones, the
// oldest make room. With COUNT it ends after that many.
#include <midge_posix.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void on_event(midge *m, const midge_event *event, void *user) {
    char why[300];
    (void)user;
    switch (event->type) {
    case MIDGE_EVENT_CONNECTED:
    case MIDGE_EVENT_RECONNECTED: fprintf(stderr, "connected to %s\n", midge_conn_server(midge_conn_of(m))); break;
    case MIDGE_EVENT_DISCONNECTED:
        midge_conn_error(midge_conn_of(m), why, sizeof why);
        fprintf(stderr, "%s\n", why);
        break;
    case MIDGE_EVENT_DROPPED: fprintf(stderr, "%zu bytes of old readings are dropped\n", event->size); break;
    default: break;
    }
}

// Stands for the hardware.
static double read_temperature(void) { return 20 + (double)(rand() % 100) / 10; }

static long now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int main(int argc, char **argv) {
    char err[300], reading[64];
    midge_options options = {
        .servers = argc > 1 ? argv[1] : NULL,
        .tls_ca = argc > 2 && argv[2][0] != '\0' ? argv[2] : NULL, // naming it requires TLS
        .creds = argc > 3 && argv[3][0] != '\0' ? argv[3] : NULL,
        .name = "sensor 7",
        .retry_first = true,                 // the broker may start after us
        .pending = MIDGE_PENDING_DROP_OLDEST, // while there is no connection
        .send_max = 16 * 1024,               // that much may wait
        .on_event = on_event,
    };
    long count = argc > 4 ? strtol(argv[4], NULL, 10) : -1, period = count < 0 ? 1000 : 10, due = now_ms();
    midge_conn *c = midge_conn_new(&options, err, sizeof err);
    if (c == NULL) {
        fprintf(stderr, "%s\n", err);
        return 1;
    }
    while (count != 0) {
        long wait = due - now_ms();
        if (wait > 0) {
            if (midge_poll(c, (uint32_t)wait) < 0) break;
            continue;
        }
        due += period;
        int n = snprintf(reading, sizeof reading, "{\"celsius\": %.1f}", read_temperature());
        if (midge_publish(midge_engine(c), MIDGE_STR("sensor.7.temperature"), reading, (size_t)n) == 0) count--;
    }
    if (count == 0) midge_connect_wait(c, 10000); // so that the last ones leave, too
    int rc = midge_drain_wait(c, 10000);
    midge_conn_free(c);
    return rc == 0 ? 0 : 1;
}
