// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What -ERR means. spec/client-protocol.md A5 has all of them; here are those that a client can do something about.
#include "client/core/internal.h"

// As many letters as tell them apart.
static const struct {
    char words[22];
    int8_t err;
} meanings[] = {
    {"authorization v", MIDGE_EAUTH},              // Authorization Violation
    {"authentication t", MIDGE_EAUTH},             // Authentication Timeout
    {"user authentication r", MIDGE_EAUTH},        // User Authentication Revoked
    {"user authentication e", MIDGE_EAUTHEXPIRED}, // User Authentication Expired
    {"account a", MIDGE_EAUTHEXPIRED},             // Account Authentication Expired
    {"stale", MIDGE_ESTALE},                       // Stale Connection
    {"secure c", MIDGE_ETLS},                      // Secure Connection - TLS Required
};

// What stands between double quotes, which Go may have escaped.
static midge_str quoted(midge_str text) {
    const char *from = mgc_find(text.p, '"', text.n), *end = text.p + text.n;
    if (!from) return MIDGE_NONE;
    const char *to = ++from;
    while (to < end && *to != '"') to += *to == '\\' && to + 1 < end ? 2 : 1;
    return (midge_str){from, (size_t)(to - from)};
}

void mgc_server_error(midge *m, midge_str text) {
    while (text.n && (text.p[0] == ' ' || text.p[0] == '\'')) text.p++, text.n--;
    while (text.n && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\'')) text.n--;
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (!mgc_begins(text, meanings[i].words)) continue;
        mgc_lost(m, meanings[i].err);
        return;
    }
    midge_event event = {.type = MIDGE_EVENT_ERROR, .err = MIDGE_ESERVER, .text = text};
    if (mgc_begins(text, "permissions violation for ")) {
        event.type = MIDGE_EVENT_PERMISSION;
        event.err = MIDGE_EPERMISSION;
        event.publish = text.n > 26 && (text.p[26] | 32) == 'p';
        event.subject = quoted(text);
    } else if (mgc_begins(text, "slow consumer")) {
        event.type = MIDGE_EVENT_SLOW_CONSUMER;
    }
    if (event.type != MIDGE_EVENT_PERMISSION) m->why = event.err; // in case that the server cuts now
    mgc_event(m, &event);
    // While shaking hands nothing but the end can follow.
    if (m->phase < MGC_UP) mgc_lost(m, event.err);
}
