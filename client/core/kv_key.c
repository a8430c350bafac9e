// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Which names a bucket and a key may have (ADR-8).
#include "client/core/js_text.h"

static bool letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool midge_kv_bucket_valid(midge_str bucket) {
    for (size_t i = 0; i < bucket.n; i++) {
        if (!letter_or_digit(bucket.p[i]) && bucket.p[i] != '-' && bucket.p[i] != '_') return false;
    }
    return bucket.n > 0;
}

// Goes through the tokens; a wildcard is a token alone, '>' the last one.
static bool valid(midge_str key, bool wildcards) {
    size_t length = 0; // of the token up to here

    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        bool last = i + 1 == key.n;
        if (c == '.') {
            if (length == 0) return false;
            length = 0;
            continue;
        }
        if (c == '*' || c == '>') {
            if (!wildcards || length > 0 || (!last && (c == '>' || key.p[i + 1] != '.'))) return false;
        } else if (!letter_or_digit(c) && c != '-' && c != '/' && c != '_' && c != '=') {
            return false;
        }
        length++;
    }
    return length > 0;
}

bool midge_kv_key_valid(midge_str key) { return valid(key, false); }
bool midge_kv_pattern_valid(midge_str pattern) { return valid(pattern, true); }
