// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Which names a bucket and a key may have (ADR-8).
#include "client/core/js_text.h"

static bool good(char c, const char *others) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
    while (*others && *others != c) others++;
    return *others;
}

bool midge_kv_bucket_valid(midge_str bucket) {
    size_t i = 0;

    while (i < bucket.n && good(bucket.p[i], "-_")) i++;
    return i == bucket.n && i > 0;
}

// A subject of fewer characters, whose wildcards are tokens of their own.
static bool valid(midge_str key, bool wildcards) {
    for (size_t i = 0; i < key.n; i++) {
        bool inside = (i > 0 && key.p[i - 1] != '.') || (i + 1 < key.n && key.p[i + 1] != '.');
        if (!good(key.p[i], inside ? "-_/=." : "-_/=.*>")) return false;
    }
    return mgc_subject_ok(key, wildcards);
}

bool midge_kv_key_valid(midge_str key) { return valid(key, false); }
bool midge_kv_pattern_valid(midge_str pattern) { return valid(pattern, true); }
