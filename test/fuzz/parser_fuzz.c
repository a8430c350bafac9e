// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Where reads are cut must not change what the parser says: the input is fed whole, byte by byte, and in pieces whose
// sizes come from its first byte; the three outcomes are compared.
#include "test/unit/server/proto/parser_script.h"

static struct mg_buf run(const struct mg_parse_limits *lim, const char *p, size_t n, size_t step) {
    struct script s = {.lim = *lim};
    struct mg_buf out = MG_BUF_INIT;
    for (size_t at = 0, i = 1; at < n; i++) {
        size_t piece = step ? 1 + (i * step) % 61 : n;
        if (step == 1) piece = 1;
        if (piece > n - at) piece = n - at;
        script_feed(&s, p + at, piece, &out);
        at += piece;
    }
    script_fini(&s);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 4096) return 0;
    const struct mg_parse_limits lim = {data[0] & 1 ? 20 : 512, data[0] & 2 ? 40 : -1, (data[0] & 4) != 0};
    const char *p = (const char *)data + 1;
    struct mg_buf whole = run(&lim, p, size - 1, 0), bytes = run(&lim, p, size - 1, 1);
    struct mg_buf pieces = run(&lim, p, size - 1, 2 + data[0]);
    mg_assert(mg_slice_eq(mg_buf_slice(&whole), mg_buf_slice(&bytes)));
    mg_assert(mg_slice_eq(mg_buf_slice(&whole), mg_buf_slice(&pieces)));
    mg_buf_fini(&whole);
    mg_buf_fini(&bytes);
    mg_buf_fini(&pieces);
    return 0;
}
