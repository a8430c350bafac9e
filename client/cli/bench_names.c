// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/bench_names.h"

#include <string.h>

uint64_t cli_bench_random(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static size_t digits_of(uint64_t n) {
    size_t digits = 1;
    while (n /= 10)
        digits++;
    return digits;
}

bool cli_bench_names_init(cli_bench_names *n, const cli_bench_client *client) {
    const cli_bench *b = client->bench;
    size_t len = strlen(b->subject);
    if (len + 24 > sizeof(n->text))
        return false;
    memcpy(n->text, b->subject, len);
    n->text[len] = '.';
    n->prefix = b->multisubject ? len + 1 : len;
    n->max = b->multisubject_max;
    n->width = n->max ? digits_of(n->max) : 1;
    n->random = b->multisubject_random;
    n->seed = 88172645463325252u + client->number;
    return true;
}

midge_str cli_bench_name(cli_bench_names *n, bool multi, uint64_t number) {
    if (!multi)
        return (midge_str){n->text, n->prefix};
    if (n->max)
        number = n->random ? cli_bench_random(&n->seed) % n->max : number % n->max;
    size_t digits = digits_of(number);
    size_t width = digits > n->width ? digits : n->width;
    for (size_t i = width; i; i--, number /= 10)
        n->text[n->prefix + i - 1] = (char)('0' + number % 10);
    return (midge_str){n->text, n->prefix + width};
}
