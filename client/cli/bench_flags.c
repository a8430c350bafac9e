// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a benchmark is asked to do: the flags that the tables of all kinds share, checked and put into a cli_bench, and
// the line that repeats them. A flag that is not in the table of the command stays 0.
#include "client/cli/bench.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "client/cli/units.h"

#define CLIENTS_MAX 10000
#define BATCH_MAX   32768 // acknowledgements that one connection waits for
#define PAYLOAD_MAX ((size_t)64 << 20)

static bool has(const cli_bench *b, const char *name) {
    return cli_has_flag(b->app, name);
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

static const char *text_of(const cli_bench *b, const char *flag) {
    return has(b, flag) ? cli_get_string(b->app, flag) : NULL;
}

// Those of JetStream.
static int read_streams(cli_bench *b) {
    struct timespec now;
    b->stream = text_of(b, "stream");
    b->bucket = text_of(b, "bucket");
    b->consumer = text_of(b, "consumer");
    b->acks = text_of(b, "acks");
    b->dedup = has(b, "dedup") && cli_get_bool(b->app, "dedup");
    b->double_ack = has(b, "doubleack") && cli_get_bool(b->app, "doubleack");
    b->batch = has(b, "batch") ? cli_get_uint(b->app, "batch") : 0;
    b->randomize = has(b, "randomize") ? cli_get_uint(b->app, "randomize") : 0;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(b->id, sizeof(b->id), "%llx%05lx", (unsigned long long)now.tv_sec, (unsigned long)now.tv_nsec / 1000);
    if (has(b, "batch") && (b->batch == 0 || b->batch > BATCH_MAX))
        return cli_fail(b->app, "--batch must be 1 to %d", BATCH_MAX);
    return CLI_OK;
}

int cli_bench_read(cli_bench *b) {
    const cli_arg *args = cli_command_of(b->app)->args;
    b->subject = args != NULL ? cli_arg_of(b->app, "subject") : NULL;
    if (has(b, "multisubject"))
        b->multisubject = cli_get_bool(b->app, "multisubject");
    if (has(b, "multisubjectmax")) {
        b->multisubject_max = cli_get_uint(b->app, "multisubjectmax");
        b->multisubject_random = cli_get_bool(b->app, "multisubjectrandomize");
    }
    int status = read_counts(b);
    if (status == CLI_OK)
        status = read_streams(b);
    if (status == CLI_OK)
        status = read_payload(b);
    return status == CLI_OK ? read_headers(b) : status;
}

typedef struct line {
    char text[1024];
    size_t n;
    bool more;
} line;

static void add(line *l, const char *name, const char *value) {
    if (l->n < sizeof(l->text))
        l->n += (size_t)snprintf(l->text + l->n, sizeof(l->text) - l->n, "%s%s=%s", l->more ? ", " : "", name, value);
    l->more = true;
}

static void add_bool(line *l, const cli_bench *b, const char *flag, const char *name) {
    if (has(b, flag))
        add(l, name, cli_get_bool(b->app, flag) ? "true" : "false");
}

static void add_text(line *l, const char *name, const char *value) {
    if (value)
        add(l, name, value);
}

// The filters with commas between them; NULL: none.
static const char *filter_of(const cli_bench *b) {
    size_t n;
    const char *text = NULL;
    if (b->kind == &cli_bench_js_get_batch)
        return cli_get_string(b->app, "filter");
    const char *const *filters = cli_get_strings(b->app, "filter", &n);
    for (size_t i = 0; i < n; i++)
        text = cli_printf(b->app, "%s%s%s", i ? text : "", i ? "," : "", filters[i]);
    return text;
}

// The settings in the order of their names, as the nats command lists them; what concerns only a stream that is created
// is shown only then.
void cli_bench_banner(const cli_bench *b) {
    line l = {.n = 0};
    bool creates = has(b, "create") && cli_get_bool(b->app, "create");
    add_text(&l, "acks", b->acks);
    if (b->batch)
        add(&l, "batch", cli_count(b->batch).s);
    add_text(&l, "bucket", b->bucket);
    add(&l, "clients", cli_count(b->clients).s);
    add_text(&l, "consumer", b->consumer);
    if (creates)
        add(&l, "dedup-window", cli_duration((int64_t)cli_get_duration(b->app, "dedupwindow")).s);
    if (creates)
        add_bool(&l, b, "dedup", "deduplication");
    add_bool(&l, b, "doubleack", "double-acked");
    if (b->duration_ns)
        add(&l, "duration", cli_duration((int64_t)b->duration_ns).s);
    if (has(b, "filter"))
        add_text(&l, "filter", filter_of(b));
    if (creates)
        add(&l, "max-bytes", cli_count(cli_get_uint(b->app, "maxbytes")).s);
    add(&l, "msg-size", cli_bytes(b->size).s);
    add(&l, "msgs", cli_count(b->msgs).s);
    if (has(b, "multisubject"))
        add(&l, "multi-subject", b->multisubject ? "true" : "false");
    if (has(b, "multisubjectmax")) {
        add(&l, "multi-subject-max", cli_count(b->multisubject_max).s);
        add(&l, "multi-subject-randomize", b->multisubject_random ? "true" : "false");
    }
    add_bool(&l, b, "purge", "purge");
    if (b->kind == &cli_bench_kv_get)
        add(&l, "randomize", cli_count(b->randomize).s);
    if (creates)
        add(&l, "replicas", cli_count(cli_get_uint(b->app, "replicas")).s);
    if (has(b, "sleep"))
        add(&l, "sleep", cli_duration((int64_t)b->sleep_ns).s);
    if (creates)
        add(&l, "storage", cli_get_string(b->app, "storage"));
    add_text(&l, "stream", b->stream);
    if (b->subject)
        add(&l, "subject", cli_printf(b->app, "%s%s", b->subject, b->multisubject ? ".*" : ""));
    if (b->throughput)
        add(&l, "throughput", cli_count(b->throughput).s);
    cli_log(b->app, "Starting %s benchmark [%s]", b->kind->label, l.text);
}
