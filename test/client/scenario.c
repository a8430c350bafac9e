// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// scenario NAME [name=value]...: exit status 0 and `ok`, or 1 and the sentence that says what went wrong.
#include "test/client/scenario.h"

#include <stdarg.h>
#include <time.h>

static char **args;

_Noreturn void fail(const char *file, int line, const char *form, ...) {
    va_list list;
    va_start(list, form);
    printf("FAILED %s:%d: ", file, line);
    vprintf(form, list);
    printf("\n");
    va_end(list);
    fflush(stdout);
    _Exit(1);
}

void at(const char *form, ...) {
    va_list list;
    va_start(list, form);
    printf("at ");
    vprintf(form, list);
    printf("\n");
    va_end(list);
    fflush(stdout);
}

const char *arg(const char *name) {
    size_t n = strlen(name);
    for (char **a = args; *a != NULL; a++) {
        if (strncmp(*a, name, n) == 0 && (*a)[n] == '=') return *a + n + 1;
    }
    return NULL;
}

long arg_number(const char *name, long fallback) {
    const char *text = arg(name);
    return text != NULL ? strtol(text, NULL, 10) : fallback;
}

midge_options options_of_args(void) {
    return (midge_options){
        .servers = arg("servers"),
        .user = arg("user"),
        .password = arg("password"),
        .token = arg("token"),
        .creds = arg("creds"),
        .nkey_seed = arg("nkey_seed"),
        .jwt = arg("jwt"),
        .seed = arg("seed"),
        .tls_ca = arg("tls_ca"),
        .tls_cert = arg("tls_cert"),
        .tls_key = arg("tls_key"),
        .tls_name = arg("tls_name"),
        .tls_first = arg("tls_first") != NULL,
        .tls_required = arg("tls_required") != NULL,
        .tls_insecure = arg("tls_insecure") != NULL,
        .no_randomize = true,
        .connect_timeout = (uint32_t)arg_number("connect_timeout", 10000),
        .reconnect_wait = 1,
        .reconnect_wait_max = 20,
        .reconnect_jitter = 1,
        .recv_size = (size_t)arg_number("recv_size", 0),
        .send_size = (size_t)arg_number("send_size", 0),
    };
}

midge_conn *connect_or_fail(const midge_options *o) {
    char err[400] = "";
    midge_conn *c = midge_connect(o, err, sizeof err);
    CHECK(c != NULL, "%s", err);
    return c;
}

void on_seen(midge *m, const midge_event *event, void *user) {
    struct seen *seen = user;
    (void)m;
    seen->count[event->type]++;
    if (event->type == MIDGE_EVENT_PERMISSION) {
        snprintf(seen->subject, sizeof seen->subject, "%.*s", (int)event->subject.n, event->subject.p);
        seen->publish = event->publish;
    }
    if (event->type == MIDGE_EVENT_ERROR) {
        snprintf(seen->text, sizeof seen->text, "%.*s", (int)event->text.n, event->text.p);
    }
    if (event->type == MIDGE_EVENT_DROPPED) seen->dropped += event->size;
    if (event->type == MIDGE_EVENT_CLOSED) seen->closed_err = event->err;
}

uint32_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint32_t)(t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

int main(int argc, char **argv) {
    static const struct scenario *const tables[] = {basic_scenarios, storm_scenarios, load_scenarios, loop_scenarios,
                                                    js_scenarios};
    if (argc < 2) return 2;
    args = argv + 2;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        for (const struct scenario *s = tables[i]; s->name != NULL; s++) {
            if (strcmp(s->name, argv[1]) != 0) continue;
            s->run();
            printf("ok\n");
            return 0;
        }
    }
    fprintf(stderr, "no such scenario: %s\n", argv[1]);
    return 2;
}
