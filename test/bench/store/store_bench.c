// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
//     store_bench DIR [--quick] ROW...
//
// What the storage engine costs on the file system of DIR, which is made and removed. Prints `figure, value, unit` with
// tabs; scripts/bench-store knows what they have to reach.
#include <stdio.h>
#include <string.h>

#include "server/base/mem.h"
#include "test/bench/store/rig.h"
#include "test/bench/store/rows.h"

static const struct {
    const char *name;
    void (*run)(const struct bench *b);
} rows[] = {
    {"append", row_append}, {"streams", row_streams}, {"subjects", row_subjects}, {"one", row_one},
    {"calm", row_calm},     {"read", row_read},       {"readers", row_readers},   {"memory", row_memory},
    {"queue", row_queue},   {"kv", row_kv},           {"many", row_many},           {"recovery", row_recovery},
    {"large", row_large},   {"sealed", row_sealed},   {"packed", row_packed},
    {"slices", row_slices},
};

static int run(const struct bench *b, const char *name) {
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].name, name) != 0) continue;
        rig_remove(b->dir);
        rows[i].run(b);
        rig_remove(b->dir);
        return 0;
    }
    fprintf(stderr, "no row %s\n", name);
    return 2;
}

int main(int argc, char **argv) {
    struct bench b = {.dir = argc > 1 ? argv[1] : ""};
    if (argc < 3) return fprintf(stderr, "usage: %s DIR [--quick] ROW...\n", argv[0]), 2;
    int err = 0;
    mg_heap_setup(); // as the server
    for (int i = 2; i < argc && err == 0; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            b.quick = true;
        } else {
            err = run(&b, argv[i]);
        }
    }
    char raw[4096];
    snprintf(raw, sizeof(raw), "%s.raw", b.dir);
    rig_remove(raw);
    return err;
}
