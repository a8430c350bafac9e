// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Requests and their replies: chains of requests by the hash of the reply subject, and a ring of all of them in the
// order of arrival, so that the oldest can be forgotten when too many wait.
#include <stdlib.h>
#include <string.h>

#include "client/cli/sub.h"

#define WAITING_MAX 65536u // a power of two; also the number of chains

typedef struct waiting {
    struct waiting *next; // of the chain
    uint64_t number;
    size_t slot;
    midge_msg *msg;
} waiting;

struct sub_match {
    waiting *chains[WAITING_MAX];
    waiting *ring[WAITING_MAX]; // NULL: answered
    size_t at, len;
};

sub_match *sub_match_new(void) {
    sub_match *m = calloc(1, sizeof *m);
    if (m == NULL) abort();
    return m;
}

static waiting **chain_of(sub_match *m, midge_str subject) {
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < subject.n; i++)
        h = (h ^ (unsigned char)subject.p[i]) * 0x100000001b3u;
    return &m->chains[(h ^ h >> 32) & (WAITING_MAX - 1)];
}

static void forget(sub_match *m, waiting *w) {
    waiting **at = chain_of(m, w->msg->reply);
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    m->ring[w->slot] = NULL;
    m->len--;
    free(w->msg);
    free(w);
}

void sub_match_free(sub_match *m) {
    for (size_t i = 0; m != NULL && i < WAITING_MAX; i++)
        if (m->ring[i] != NULL) forget(m, m->ring[i]);
    free(m);
}

void sub_match_request(sub_match *m, uint64_t number, const midge_msg *msg) {
    size_t slot = m->at++ & (WAITING_MAX - 1);
    if (m->ring[slot] != NULL) forget(m, m->ring[slot]);
    waiting *w = calloc(1, sizeof *w);
    midge_msg *copy = w != NULL ? cli_message_dup(msg) : NULL;
    if (copy == NULL) abort();
    waiting **chain = chain_of(m, msg->reply);
    *w = (waiting){.next = *chain, .number = number, .slot = slot, .msg = copy};
    *chain = m->ring[slot] = w;
    m->len++;
}

void sub_match_answer(sub_match *m, sub_run *r, const midge_msg *msg) {
    for (waiting *w = *chain_of(m, msg->subject); w != NULL; w = w->next) {
        midge_str reply = w->msg->reply;
        if (reply.n != msg->subject.n || memcmp(reply.p, msg->subject.p, reply.n) != 0) continue;
        uint64_t count = r->count;
        r->count = w->number; // the number that is shown is the request's
        sub_show(r, w->msg, msg);
        r->count = count;
        r->last = cli_mono_ns();
        forget(m, w);
        return;
    }
}

size_t sub_match_pending(const sub_match *m) { return m->len; }
