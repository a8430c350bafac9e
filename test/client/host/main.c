// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// host_live URL GROUP...: the cases of these groups, one line each, and `N passed, N failed`.
// host_live URL serve | put BUCKET NAME <file | get BUCKET NAME >file | bucket NAME | keys BUCKET: the other end of
// tests with the official command.
#include "test/client/host/live.h"

#include <stdlib.h>

int live_wait(live *t, midge_op *op) {
    int err = midge_wait(t->c, &op->done, 10000);
    if (err) {
        midge_op_cancel(op);
        return err;
    }
    if (op->err && op->error.code)
        printf("  (%d, %d: %.*s)\n", op->error.code, op->error.err_code, (int)op->error.description.n,
               op->error.description.p);
    return op->err;
}

static midge_conn *connection(const char *url) {
    char err[256];
    const midge_options o = {.servers = url, .name = "host_live", .send_size = 1 << 20};
    midge_conn *c = midge_connect(&o, err, sizeof err);
    if (c) return c;
    printf("%s\n", err);
    exit(1);
}

static const char *run(const live_test *test, const char *url) {
    live t = {.url = url};
    t.c = connection(url);
    t.other = connection(url);
    t.m = midge_engine(t.c);
    t.n = midge_engine(t.other);
    const char *wrong = test->run(&t);
    midge_conn_free(t.c);
    midge_conn_free(t.other);
    return wrong;
}

static int64_t read_stdin(void *user, void *buf, size_t size) {
    (void)user;
    return (int64_t)fread(buf, 1, size, stdin);
}

static int write_stdout(void *user, const void *data, size_t len) {
    (void)user;
    return fwrite(data, 1, len, stdout) == len ? 0 : MIDGE_EINVAL;
}

// One operation from the command line.
static int command(live *t, char **args) {
    midge_op op = {0};
    int err = MIDGE_EINVAL;
    midge_str first = midge_cstr(args[1]), second = args[2] ? midge_cstr(args[2]) : MIDGE_NONE;
    if (strcmp(args[0], "put") == 0) {
        const midge_objects_config config = {.bucket = first};
        const midge_object meta = {.name = second};
        const midge_object_source source = {.read = read_stdin};
        err = RUN(&op, midge_objects_create(t->m, &op, &config));
        if (!err) err = RUN(&op, midge_object_put(t->m, &op, first, &meta, &source));
    } else if (strcmp(args[0], "get") == 0) {
        err = midge_object_get(t->m, &op, first, second, 0, write_stdout, NULL);
        if (!err) err = midge_wait(t->c, &op.done, 60000);
        if (!err) err = op.err;
    } else if (strcmp(args[0], "bucket") == 0) {
        err = RUN(&op, midge_bucket_create(t->m, &op, &(midge_bucket_config){.bucket = first, .history = 5}));
    } else if (strcmp(args[0], "keys") == 0) {
        err = RUN(&op, midge_bucket_keys(t->m, &op, first, MIDGE_NONE));
        for (size_t i = 0; !err && i < op.len; i++) printf("%.*s\n", (int)op.names[i].n, op.names[i].p);
    }
    if (err) fprintf(stderr, "%s\n", midge_strerror(err));
    midge_op_free(&op);
    midge_conn_free(t->c);
    return err ? 1 : 0;
}

static bool is_command(const char *word) {
    static const char *const words[] = {"put", "get", "bucket", "keys"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i]) == 0) return true;
    return false;
}

int main(int argc, char **argv) {
    static const live_test *const groups[] = {service_tests, stream_tests, bucket_tests, object_tests};
    int passed = 0, failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    bool serve = argc == 3 && strcmp(argv[2], "serve") == 0;
    if (serve || (argc > 3 && is_command(argv[2]))) {
        live t = {.url = argv[1], .c = connection(argv[1])};
        t.m = midge_engine(t.c);
        return serve ? live_serve(&t) : command(&t, argv + 2);
    }
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        for (const live_test *test = groups[g]; test->name; test++) {
            bool wanted = false;
            for (int i = 2; i < argc; i++) wanted = wanted || strcmp(argv[i], test->group) == 0;
            if (!wanted) continue;
            const char *wrong = run(test, argv[1]);
            printf("%s %s: %s%s%s\n", wrong ? "FAIL" : "ok", test->group, test->name, wrong ? ": " : "",
                   wrong ? wrong : "");
            if (wrong) failed++;
            else passed++;
        }
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}
