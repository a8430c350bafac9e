// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge object put, get: files into a bucket and out of it. A file that is got has its name only when all of it is
// there and its digest is right.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/object.h"
#include "client/cli/progress.h"
#include "client/cli/prompt.h"
#include "client/cli/units.h"

enum { SHOWN_FROM = 20480 }; // bytes: files from this size on have a bar

typedef struct transfer {
    cli_js *js;
    int fd;
    uint64_t bytes;
    cli_progress *progress; // NULL: none
    int error;              // errno of the file
} transfer;

static void show_progress(transfer *t, size_t n) {
    t->bytes += n;
    if (t->progress == NULL) return;
    cli_progress_set(t->progress, 0, t->bytes);
    cli_progress_draw(t->progress, cli_mono_ns());
}

static void begin_progress(transfer *t, uint64_t size) {
    if (!cli_get_bool(t->js->app, "progress") || size < SHOWN_FROM) return;
    t->progress = cli_progress_new(stderr, true, cli_mono_ns());
    cli_progress_add(t->progress, "", size, 1);
}

static void end_progress(transfer *t) {
    if (t->progress != NULL) cli_progress_finish(t->progress, cli_mono_ns());
    cli_progress_free(t->progress);
}

// ---- put ------------------------------------------------------------------------------------------------------------

static int64_t read_some(void *user, void *buf, size_t size) {
    transfer *t = user;
    ssize_t n;
    do n = read(t->fd, buf, size);
    while (n < 0 && errno == EINTR && !cli_interrupted(t->js->app));
    if (n < 0) t->error = errno;
    if (n > 0) show_progress(t, (size_t)n);
    return n < 0 ? MIDGE_ECLOSED : n;
}

// Do two lines "K:V" have one name?
static bool same_name(const char *a, const char *b) {
    size_t n = strcspn(a, ":");
    return n == strcspn(b, ":") && memcmp(a, b, n) == 0;
}

// {"name":["value"]} of --header.
static int headers_json(cli *app, midge_str *json) {
    size_t n;
    const char *const *lines = cli_get_strings(app, "header", &n);
    mgc_json_out o;
    for (size_t i = 0; i < n; i++)
        if (lines[i][0] == ':' || strchr(lines[i], ':') == NULL)
            return cli_fail(app, "invalid header \"%s\": it must be K:V", lines[i]);
    if (n == 0) return CLI_OK;
    mgc_json_out_init(&o, NULL, 0);
    mgc_json_open(&o, NULL, '{');
    for (size_t i = 0; i < n; i++) {
        size_t first = 0;
        while (!same_name(lines[first], lines[i]))
            first++;
        if (first < i) continue; // its values are there
        mgc_json_open(&o, cli_strndup(app, lines[i], strcspn(lines[i], ":")), '[');
        for (size_t k = i; k < n; k++) {
            const char *value = strchr(lines[k], ':') + 1;
            if (same_name(lines[i], lines[k])) mgc_json_put_cstr(&o, NULL, value + strspn(value, " "));
        }
        mgc_json_close(&o);
    }
    mgc_json_close(&o);
    *json = cli_js_written(app, &o);
    return CLI_OK;
}

// An object of that name is replaced only if that is wanted. True: go on.
static bool may_replace(cli_js *js, const char *bucket, const char *name, int *status) {
    *status = CLI_OK;
    if (cli_get_bool(js->app, "force")) return true;
    int err = cli_js_wait(js, &js->op, midge_object_info(js->m, &js->op, midge_cstr(bucket), midge_cstr(name)));
    if (err == MIDGE_ENOTFOUND) return true;
    if (err != 0) {
        *status = cli_object_failed(js, err, "look for", bucket, name);
        return false;
    }
    cli_object_show(js, &js->op.object);
    putchar('\n');
    return cli_confirm(js->app, false, status, "Replace existing file %s > %s", bucket, name);
}

static int put_from(transfer *t, const char *bucket, const char *name) {
    cli_js *js = t->js;
    cli *app = js->app;
    int64_t chunk = 0;
    midge_object meta = {.name = midge_cstr(name), .description = midge_cstr(cli_get_string(app, "description"))};
    if (headers_json(app, &meta.headers) != CLI_OK || cli_js_bytes(app, "chunk-size", &chunk) != CLI_OK)
        return CLI_FAILED;
    meta.max_chunk_size = chunk > 0 ? (uint64_t)chunk : 0;
    const midge_object_source source = {.read = read_some, .user = t};
    struct stat st;
    if (fstat(t->fd, &st) == 0 && S_ISREG(st.st_mode)) begin_progress(t, (uint64_t)st.st_size);
    cli_catch_signals(app, js->conn);
    int err = midge_conn_reserve(js->conn, 3 << 20); // room for all chunks that may be on their way
    if (err == 0) err = midge_object_put(js->m, &js->op, midge_cstr(bucket), &meta, &source);
    err = cli_js_wait(js, &js->op, err);
    end_progress(t);
    if (t->error != 0) return cli_fail(app, "cannot read the file: %s", strerror(t->error));
    if (err != 0) return cli_object_failed(js, err, "put", bucket, name);
    if (!js->json) putchar('\n');
    cli_object_show(js, &js->op.object);
    return CLI_OK;
}

static int put(cli_js *js) {
    cli *app = js->app;
    int status;
    const char *bucket = cli_arg_of(app, "bucket"), *file = cli_arg_of(app, "file");
    const char *name = cli_get_string(app, "name");
    transfer t = {.js = js, .fd = STDIN_FILENO};
    if (name == NULL && file == NULL) return cli_fail(app, "--name is required when the bytes come from stdin");
    if (name == NULL) name = strncmp(file, "./", 2) == 0 ? file + 2 : file;
    if (cli_object_bucket(js) == NULL) return CLI_FAILED;
    if (!may_replace(js, bucket, name, &status)) return status;
    if (file != NULL) t.fd = open(file, O_RDONLY | O_CLOEXEC);
    if (t.fd < 0) return cli_fail(app, "cannot open %s: %s", file, strerror(errno));
    status = put_from(&t, bucket, name);
    if (file != NULL) close(t.fd);
    return status;
}

// ---- get ------------------------------------------------------------------------------------------------------------

static int write_some(void *user, const void *data, size_t n) {
    transfer *t = user;
    const char *at = data;
    for (size_t left = n; left > 0;) {
        ssize_t done = write(t->fd, at, left);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) {
            t->error = errno;
            return MIDGE_ECLOSED;
        }
        at += done;
        left -= (size_t)done;
    }
    show_progress(t, n);
    return 0;
}

static int get_into(transfer *t, const char *bucket, const char *name, uint64_t size) {
    cli_js *js = t->js;
    begin_progress(t, size);
    cli_catch_signals(js->app, js->conn);
    int err = cli_js_wait(js, &js->op, midge_object_get(js->m, &js->op, midge_cstr(bucket), midge_cstr(name), 0,
                                                        write_some, t));
    end_progress(t);
    if (t->error != 0) return cli_fail(js->app, "cannot write the file: %s", strerror(t->error));
    return err == 0 ? CLI_OK : cli_object_failed(js, err, "get", bucket, name);
}

static const char *absolute(cli *app, const char *path) {
    char folder[4096];
    if (*path == '/' || getcwd(folder, sizeof folder) == NULL) return path;
    return cli_printf(app, "%s/%s", folder, path);
}

static int get_file(transfer *t, const char *bucket, const char *name, const char *out, uint64_t size) {
    cli *app = t->js->app;
    uint64_t began = cli_mono_ns();
    const char *part = cli_printf(app, "%s.%d.part", out, (int)getpid());
    t->fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (t->fd < 0) return cli_fail(app, "cannot create %s: %s", part, strerror(errno));
    int status = get_into(t, bucket, name, size);
    if (close(t->fd) != 0 && status == CLI_OK) status = cli_fail(app, "cannot write %s: %s", part, strerror(errno));
    if (status == CLI_OK && rename(part, out) != 0)
        status = cli_fail(app, "cannot rename %s to %s: %s", part, out, strerror(errno));
    if (status != CLI_OK) {
        unlink(part);
        return status;
    }
    uint64_t ns = cli_mono_ns() - began;
    printf("Wrote: %s to %s in %s", cli_bytes(t->bytes).s, absolute(app, out), cli_duration((int64_t)ns).s);
    if (ns > 2 * CLI_SEC) printf(" average %s/s", cli_bytes((uint64_t)((double)t->bytes * 1e9 / (double)ns)).s);
    putchar('\n');
    return CLI_OK;
}

static int get(cli_js *js) {
    cli *app = js->app;
    int status;
    const char *bucket = cli_arg_of(app, "bucket"), *name = cli_arg_of(app, "file");
    const char *out = cli_get_string(app, "output");
    transfer t = {.js = js, .fd = STDOUT_FILENO};
    int err = cli_js_wait(js, &js->op, midge_object_info(js->m, &js->op, midge_cstr(bucket), midge_cstr(name)));
    if (err != 0) return cli_object_failed(js, err, "get", bucket, name);
    uint64_t size = js->op.object.size;
    if (out != NULL && strcmp(out, "-") == 0) return get_into(&t, bucket, name, size);
    if (out == NULL) out = strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name;
    if (*out == '\0') return cli_fail(app, "\"%s\" is no name of a file; give one with --output", name);
    bool force = cli_get_bool(app, "force") || access(out, F_OK) != 0;
    if (!cli_confirm(app, force, &status, "Replace existing target file %s", absolute(app, out))) return status;
    return get_file(&t, bucket, name, out, size);
}

// ---- tables ---------------------------------------------------------------------------------------------------------

static int run_put(cli *app) { return cli_js_run(app, put); }
static int run_get(cli *app) { return cli_js_run(app, get); }

#define PROGRESS_FLAG {.name = "progress", .type = CLI_BOOL, .value = "true", .help = "Draw a progress bar"}
#define FORCE_FLAG {.name = "force", .short_name = 'f', .type = CLI_SWITCH, .help = "Do not ask"}

static const cli_flag put_flags[] = {
    {.name = "name", .type = CLI_STRING, .help = "Name of the object; the file's if not given"},
    {.name = "description", .type = CLI_STRING, .help = "A few words about it"},
    {.name = "header", .short_name = 'H', .type = CLI_STRINGS, .placeholder = "K:V", .help = "Adds a header"},
    {.name = "chunk-size", .type = CLI_STRING, .placeholder = "BYTES",
     .help = "Size of a message; 128 KiB if not given"},
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print JSON"},
    PROGRESS_FLAG,
    FORCE_FLAG,
    {0},
};
static const cli_flag get_flags[] = {
    {.name = "output", .short_name = 'O', .type = CLI_FILE, .help = "File to write; -: stdout"},
    PROGRESS_FLAG,
    FORCE_FLAG,
    {0},
};
static const cli_arg put_args[] = {
    {.name = "bucket", .help = "Name of the bucket", .required = true},
    {.name = "file", .help = "File to put; without it stdin is read", .list = ":files"},
    {0},
};
static const cli_arg get_args[] = {
    {.name = "bucket", .help = "Name of the bucket", .required = true},
    {.name = "file", .help = "Name of the object", .required = true},
    {0},
};

const cli_command cli_command_object_put = {
    .name = "put",
    .summary = "Put a file into a bucket",
    .flags = put_flags,
    .args = put_args,
    .run = run_put,
};
const cli_command cli_command_object_get = {
    .name = "get",
    .summary = "Get a file from a bucket",
    .flags = get_flags,
    .args = get_args,
    .run = run_get,
};
