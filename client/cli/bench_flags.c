// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a benchmark is asked to do: the flags that the tables of all kinds share, checked and put into a cli_bench, and
// the line that repeats them. A flag that is not in the table of the command stays 0.
#include "client/cli/bench.h"

#include <errno.h>
#include <string.h>

#include "client/cli/units.h"

#define CLIENTS_MAX 10000
#define PAYLOAD_MAX ((size_t)64 << 20)

static bool has(const cli_bench *b, const char *name) {
    for (const cli_flag *f = cli_command_of(b->app)->flags; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return true;
    return false;
}

static int read_counts(cli_bench *b) {
    uint64_t clients = cli_get_uint(b->app, "clients");
    b->msgs = cli_get_uint(b->app, "msgs");
    b->size = cli_get_uint(b->app, "size");
    if (has(b, "sleep"))
        b->sleep_ns = cli_get_duration(b->app, "sleep");
    if (has(b, "throughput")) {
        b->throughput = cli_get_uint(b->app, "throughput");
        b->duration_ns = cli_get_duration(b->app, "duration");
    }
    if (b->duration_ns && !b->throughput)
        return cli_fail(b->app, "--duration requires --throughput to be set");
    if (b->duration_ns) {
        b->msgs = (uint64_t)((double)b->throughput * (double)b->duration_ns / 1e9 + 0.5);
        if (b->msgs == 0)
            return cli_fail(b->app, "the combination of --throughput=%llu and --duration=%s results in zero messages",
                            (unsigned long long)b->throughput, cli_duration_exact((int64_t)b->duration_ns).s);
    }
    if (clients == 0 || clients > CLIENTS_MAX)
        return cli_fail(b->app, "--clients must be 1 to %d", CLIENTS_MAX);
    if (b->msgs == 0 || b->msgs > INT64_MAX)
        return cli_fail(b->app, "number of messages should be greater than 0");
    if (b->size == 0 || b->size > PAYLOAD_MAX)
        return cli_fail(b->app, "--size must be 1 byte to 64 MiB");
    b->clients = b->kind->split && clients > b->msgs ? (unsigned)b->msgs : (unsigned)clients;
    return CLI_OK;
}

static int read_payload(cli_bench *b) {
    const char *path = has(b, "payload") ? cli_get_string(b->app, "payload") : NULL;
    if (!path) {
        b->payload = cli_alloc(b->app, b->size);
        return CLI_OK;
    }
    FILE *f = fopen(path, "rb");
    if (!f)
        return cli_fail(b->app, "reading the payload file %s: %s", path, strerror(errno));
    size_t n = 0;
    char *data = NULL;
    if (fseek(f, 0, SEEK_END) == 0 && ftell(f) >= 0 && (size_t)ftell(f) <= PAYLOAD_MAX) {
        size_t size = (size_t)ftell(f);
        rewind(f);
        data = cli_alloc(b->app, size + 1);
        n = fread(data, 1, size, f);
    }
    fclose(f);
    if (!data)
        return cli_fail(b->app, "the payload file %s must be a file of at most 64 MiB", path);
    b->payload = data;
    b->size = n;
    return CLI_OK;
}

static midge_str trimmed(const char *p, size_t n) {
    while (n && *p == ' ')
        p++, n--;
    while (n && p[n - 1] == ' ')
        n--;
    return (midge_str){p, n};
}

static int read_headers(cli_bench *b) {
    size_t n = 0, size = 32;
    const char *const *lines = has(b, "header") ? cli_get_strings(b->app, "header", &n) : NULL;
    if (n == 0)
        return CLI_OK;
    for (size_t i = 0; i < n; i++)
        size += strlen(lines[i]) + 4;
    midge_headers h;
    midge_headers_begin(&h, cli_alloc(b->app, size), size);
    for (size_t i = 0; i < n; i++) {
        const char *colon = strchr(lines[i], ':');
        if (!colon)
            return cli_fail(b->app, "invalid header \"%s\": it must be K:V", lines[i]);
        midge_headers_add(&h, trimmed(lines[i], (size_t)(colon - lines[i])), trimmed(colon + 1, strlen(colon + 1)));
    }
    int err = midge_headers_end(&h, &b->headers);
    return err ? cli_fail(b->app, "invalid headers: %s", midge_strerror(err)) : CLI_OK;
}

int cli_bench_read(cli_bench *b) {
    b->subject = cli_arg_of(b->app, "subject");
    if (has(b, "multisubject"))
        b->multisubject = cli_get_bool(b->app, "multisubject");
    if (has(b, "multisubjectmax")) {
        b->multisubject_max = cli_get_uint(b->app, "multisubjectmax");
        b->multisubject_random = cli_get_bool(b->app, "multisubjectrandomize");
    }
    int status = read_counts(b);
    if (status == CLI_OK)
        status = read_payload(b);
    return status == CLI_OK ? read_headers(b) : status;
}

// The settings in the order of their names, as the nats command lists them.
void cli_bench_banner(const cli_bench *b) {
    char text[1024], *at = text;
    char *end = text + sizeof(text);
#define ADD(...) (at += (size_t)snprintf(at, (size_t)(end - at), __VA_ARGS__), at = at < end ? at : end - 1)
    ADD("clients=%s", cli_count(b->clients).s);
    if (b->duration_ns)
        ADD(", duration=%s", cli_duration((int64_t)b->duration_ns).s);
    ADD(", msg-size=%s, msgs=%s", cli_bytes(b->size).s, cli_count(b->msgs).s);
    if (has(b, "multisubject"))
        ADD(", multi-subject=%s", b->multisubject ? "true" : "false");
    if (has(b, "multisubjectmax"))
        ADD(", multi-subject-max=%s, multi-subject-randomize=%s", cli_count(b->multisubject_max).s,
            b->multisubject_random ? "true" : "false");
    if (has(b, "sleep"))
        ADD(", sleep=%s", cli_duration((int64_t)b->sleep_ns).s);
    if (b->subject)
        ADD(", subject=%s%s", b->subject, b->multisubject ? ".*" : "");
    if (b->throughput)
        ADD(", throughput=%s", cli_count(b->throughput).s);
#undef ADD
    cli_log(b->app, "Starting %s benchmark [%s]", b->kind->label, text);
}
