// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the scanner takes, the writer must write again to the same tokens, with and without blanks; slices of tokens lie
// in the input, and unescaped texts are never longer. Read as a stream's description and written again, it is the same
// when that is done once more.
#include "client/host/op.h"

#include <stdlib.h>
#include <string.h>

static void check(bool ok) {
    if (!ok) abort();
}

// A text of all tokens, to compare by.
static void trace(midge_str text, mgc_json_out *out) {
    mgc_json j;
    mgc_json_init(&j, text);
    mgc_json_open(out, NULL, '[');
    while (mgc_json_next(&j) != MGC_JSON_END && j.type != MGC_JSON_ERROR) {
        check(j.text.p >= text.p && j.text.p + j.text.n <= text.p + text.n);
        mgc_json_put_i64(out, NULL, (int64_t)j.type);
        mgc_json_put_str(out, NULL, j.text);
        if (j.type != MGC_JSON_KEY && j.type != MGC_JSON_STRING) continue;
        char *plain = malloc(j.text.n + 1);
        size_t n = mgc_json_unescape(j.text, plain);
        check(n <= j.text.n);
        mgc_json_out quoted; // unescaped and quoted is a string again that means the same
        midge_str again;
        mgc_json_out_init(&quoted, NULL, 0);
        mgc_json_put_str(&quoted, NULL, (midge_str){plain, n});
        check(mgc_json_out_end(&quoted, &again) == 0);
        mgc_json k;
        mgc_json_init(&k, again);
        check(mgc_json_next(&k) == MGC_JSON_STRING);
        char *back = malloc(k.text.n + 1);
        check(mgc_json_unescape(k.text, back) == n && memcmp(back, plain, n) == 0);
        free(back);
        free(plain);
        mgc_json_out_fini(&quoted);
    }
    mgc_json_put_i64(out, NULL, (int64_t)j.type);
    mgc_json_close(out);
}

static bool described(midge_str text, mgc_json_out *out, midge_str *written) {
    mgc_arena a = {0};
    midge_stream_result stream = {0};
    int err = mgc_bind_parse(text, mgc_stream_fields, &stream, &a);
    mgc_json_out_init(out, NULL, 0);
    if (!err) mgc_bind_write(out, NULL, mgc_stream_fields, &stream);
    if (!err) check(mgc_json_out_end(out, written) == 0 && mgc_json_valid(*written));
    mgc_arena_free(&a);
    return !err;
}

static void bind(midge_str text) {
    mgc_json_out one, two;
    midge_str first, second;
    if (described(text, &one, &first)) {
        check(described(first, &two, &second));
        check(first.n == second.n && memcmp(first.p, second.p, first.n) == 0);
        mgc_json_out_fini(&two);
    }
    mgc_json_out_fini(&one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 4096) return 0;
    midge_str text = {(const char *)data + 1, size - 1}, first, copy, second;
    mgc_json_out a, b, c;
    mgc_json_out_init(&a, NULL, 0);
    mgc_json_out_init(&b, NULL, 0);
    mgc_json_out_init(&c, NULL, 0);
    b.indent = data[0] & 3u;
    trace(text, &a);
    check(mgc_json_out_end(&a, &first) == 0);
    bool valid = mgc_json_valid(text);
    check((mgc_json_copy(&b, NULL, text) == 0) == valid);
    if (valid) {
        check(mgc_json_out_end(&b, &copy) == 0);
        trace(copy, &c);
        check(mgc_json_out_end(&c, &second) == 0);
        check(first.n == second.n && memcmp(first.p, second.p, first.n) == 0);
    }
    bind(text);
    mgc_json j;
    if (mgc_json_find(text, "a.b", &j)) check(mgc_json_raw(&j).n > 0 || j.type == MGC_JSON_ERROR);
    mgc_json_out_fini(&a);
    mgc_json_out_fini(&b);
    mgc_json_out_fini(&c);
    return 0;
}
