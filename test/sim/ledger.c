// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/sim/ledger.h"

#include <stdio.h>
#include <string.h>

#include "server/base/assert.h"
#include "server/base/mem.h"

#define NOT_YET UINT64_MAX
#define TEXT 40
#define NOTICED_NS UINT64_C(1000000000) // by then the broker knows that a client has left

struct message {
    unsigned client;
    char subject[TEXT];
    bool request;
    uint64_t queued_at, ponged_at; // ticks
    uint64_t queued_ns;            // virtual time
    unsigned got, nobody;
};

struct subscription {
    unsigned client, sid, max;
    char pattern[TEXT], queue[TEXT]; // queue "": plain
    uint64_t sent_at, acked_at, unsub_at, unsub_acked_at;
    unsigned got, most; // most: once an UNSUB with a maximum is acknowledged
};

struct ping {
    uint64_t sent_at;
};

struct client {
    bool closed;
    uint64_t closed_ns; // virtual time
    struct ping *pings;
    unsigned npings, answered;
    unsigned checked;      // of `ponged`: those before were checked for this client
    unsigned acked_msgs;   // messages before this number of the ledger need no look
    unsigned *last;        // by publisher: the number of the last message that came to a plain subscription
    unsigned nlast;
};

struct ledger {
    struct sim *sim;
    uint64_t tick;
    struct client *clients;
    struct subscription *subs;
    struct message *msgs;
    unsigned *ponged; // messages in the order of their publishers' PONGs
    unsigned char *matrix; // [message][subscription], rows of MAX_SUBS: deliveries
    unsigned nclients, nsubs, nmsgs, nponged;
};

#define MAX_SUBS 512

static void *grown(void *p, unsigned n, size_t size) {
    return (n & (n - 1)) == 0 ? mg_realloc(p, (n ? n * 2 : 1) * size) : p;
}

struct ledger *ledger_new(struct sim *s) {
    struct ledger *l = mg_zalloc(sizeof(*l));
    l->sim = s;
    return l;
}

void ledger_free(struct ledger *l) {
    for (unsigned i = 0; i < l->nclients; i++) {
        mg_free(l->clients[i].pings);
        mg_free(l->clients[i].last);
    }
    mg_free(l->clients);
    mg_free(l->subs);
    mg_free(l->msgs);
    mg_free(l->ponged);
    mg_free(l->matrix);
    mg_free(l);
}

unsigned ledger_messages(const struct ledger *l) { return l->nmsgs; }

// Tokens separated by dots; * is one token, > is the rest. Written without a look at the server's.
static bool matches(const char *pattern, const char *subject) {
    for (;;) {
        if (strcmp(pattern, ">") == 0) return *subject != '\0';
        size_t p = strcspn(pattern, "."), s = strcspn(subject, ".");
        bool any = p == 1 && pattern[0] == '*';
        if (!any && (p != s || memcmp(pattern, subject, p) != 0)) return false;
        if (pattern[p] == '\0' || subject[s] == '\0') return pattern[p] == subject[s];
        pattern += p + 1;
        subject += s + 1;
    }
}

// ---- what clients do ----------------------------------------------------------------------------------------------

unsigned ledger_client(struct ledger *l) {
    l->clients = grown(l->clients, l->nclients, sizeof(*l->clients));
    l->clients[l->nclients] = (struct client){.closed = false};
    return l->nclients++;
}

void ledger_subscribe(struct ledger *l, unsigned client, unsigned sid, const char *pattern, const char *queue) {
    mg_assert(l->nsubs < MAX_SUBS);
    l->subs = grown(l->subs, l->nsubs, sizeof(*l->subs));
    struct subscription *s = &l->subs[l->nsubs++];
    *s = (struct subscription){.client = client, .sid = sid, .sent_at = ++l->tick, .acked_at = NOT_YET,
                               .unsub_at = NOT_YET, .unsub_acked_at = NOT_YET};
    snprintf(s->pattern, sizeof(s->pattern), "%s", pattern);
    snprintf(s->queue, sizeof(s->queue), "%s", queue);
}

static struct subscription *find(struct ledger *l, unsigned client, unsigned sid) {
    for (unsigned i = 0; i < l->nsubs; i++)
        if (l->subs[i].client == client && l->subs[i].sid == sid) return &l->subs[i];
    return NULL;
}

void ledger_unsubscribe(struct ledger *l, unsigned client, unsigned sid, unsigned max) {
    struct subscription *s = find(l, client, sid);
    mg_assert(s != NULL);
    s->unsub_at = ++l->tick; // with a max: from here on nothing must come
    s->max = max;
}

unsigned ledger_publish(struct ledger *l, unsigned client, const char *subject, bool request) {
    l->msgs = grown(l->msgs, l->nmsgs, sizeof(*l->msgs));
    l->matrix = grown(l->matrix, l->nmsgs, MAX_SUBS);
    memset(l->matrix + (size_t)l->nmsgs * MAX_SUBS, 0, MAX_SUBS);
    struct message *m = &l->msgs[l->nmsgs];
    *m = (struct message){.client = client, .request = request, .queued_at = ++l->tick, .ponged_at = NOT_YET,
                          .queued_ns = sim_now(l->sim)};
    snprintf(m->subject, sizeof(m->subject), "%s", subject);
    return l->nmsgs++;
}

void ledger_ping(struct ledger *l, unsigned client) {
    struct client *c = &l->clients[client];
    c->pings = grown(c->pings, c->npings, sizeof(*c->pings));
    c->pings[c->npings++] = (struct ping){.sent_at = ++l->tick};
}

void ledger_closed(struct ledger *l, unsigned client) {
    struct client *c = &l->clients[client];
    if (c->closed) return;
    c->closed = true;
    c->closed_ns = sim_now(l->sim);
    l->tick++;
    for (unsigned i = 0; i < l->nsubs; i++)
        if (l->subs[i].client == client && l->subs[i].unsub_at == NOT_YET) l->subs[i].unsub_at = l->tick;
}

// ---- what they get ------------------------------------------------------------------------------------------------

static unsigned got(const struct ledger *l, unsigned message, unsigned sub) {
    return l->matrix[(size_t)message * MAX_SUBS + sub];
}

// The plain subscription s must have got m, if it was asked at tick `now`.
static bool must_have(const struct message *m, const struct subscription *s) {
    // What a connection does itself is done in order: its own messages need no PONG after its SUB.
    bool before = s->client == m->client ? s->sent_at < m->queued_at : s->acked_at < m->queued_at;
    return s->queue[0] == '\0' && before && m->ponged_at != NOT_YET && s->unsub_at > m->ponged_at &&
           matches(s->pattern, m->subject);
}

static void check_had(const struct ledger *l, unsigned message, unsigned sub, const char *when) {
    const struct message *m = &l->msgs[message];
    const struct subscription *s = &l->subs[sub];
    if (!must_have(m, s) || got(l, message, sub) == 1) return;
    sim_fail("%s: client %u did not get message %u of client %u on %s with sid %u on %s", when, s->client, message,
             m->client, m->subject, s->sid, s->pattern);
}

// Everything whose publisher had its PONG before this PING was sent has come before its PONG.
static void check_covered(struct ledger *l, unsigned client, uint64_t ping_sent) {
    struct client *c = &l->clients[client];
    for (; c->checked < l->nponged; c->checked++) {
        unsigned n = l->ponged[c->checked];
        if (l->msgs[n].ponged_at >= ping_sent) return;
        for (unsigned i = 0; i < l->nsubs; i++)
            if (l->subs[i].client == client) check_had(l, n, i, "PONG");
    }
}

void ledger_pong(struct ledger *l, unsigned client) {
    struct client *c = &l->clients[client];
    mg_assert(c->answered < c->npings);
    uint64_t sent = c->pings[c->answered++].sent_at;
    l->tick++;
    for (unsigned i = 0; i < l->nsubs; i++) {
        struct subscription *s = &l->subs[i];
        if (s->client != client) continue;
        if (s->sent_at < sent && s->acked_at == NOT_YET) s->acked_at = l->tick;
        if (s->unsub_at < sent && s->unsub_acked_at == NOT_YET && s->max == 0) s->unsub_acked_at = l->tick;
        if (s->unsub_at < sent && s->max > 0 && s->most == 0) s->most = s->got > s->max ? s->got : s->max;
    }
    for (; c->acked_msgs < l->nmsgs && l->msgs[c->acked_msgs].queued_at < sent; c->acked_msgs++) {
        struct message *m = &l->msgs[c->acked_msgs];
        if (m->client != client) continue;
        m->ponged_at = l->tick;
        l->ponged = grown(l->ponged, l->nponged, sizeof(*l->ponged));
        l->ponged[l->nponged++] = c->acked_msgs;
    }
    check_covered(l, client, sent);
}

static void check_order(struct ledger *l, unsigned client, unsigned message) {
    struct client *c = &l->clients[client];
    unsigned from = l->msgs[message].client;
    if (from >= c->nlast) {
        c->last = mg_realloc(c->last, l->nclients * sizeof(*c->last));
        memset(c->last + c->nlast, 0, (l->nclients - c->nlast) * sizeof(*c->last));
        c->nlast = l->nclients;
    }
    sim_check(message + 1 >= c->last[from], "client %u got message %u of client %u after message %u", client, message,
              from, c->last[from] - 1);
    c->last[from] = message + 1;
}

void ledger_got(struct ledger *l, unsigned client, unsigned sid, mg_slice subject, unsigned message) {
    struct subscription *s = find(l, client, sid);
    sim_check(s != NULL, "client %u got a message for sid %u that it does not have", client, sid);
    sim_check(message < l->nmsgs, "client %u got message %u that nobody published", client, message);
    struct message *m = &l->msgs[message];
    l->tick++;
    sim_check(strlen(m->subject) == subject.n && memcmp(m->subject, subject.p, subject.n) == 0 &&
              matches(s->pattern, m->subject), "client %u got message %u on %.*s for %s", client, message,
              (int)subject.n, subject.p, s->pattern);
    sim_check(m->queued_at < s->unsub_acked_at, "client %u got message %u after UNSUB %u", client, message, sid);
    s->got++;
    m->got++;
    sim_check(s->most == 0 || s->got <= s->most, "client %u got %u messages for sid %u after UNSUB with %u", client,
              s->got, sid, s->max);
    l->matrix[(size_t)message * MAX_SUBS + (size_t)(s - l->subs)]++;
    sim_check(got(l, message, (unsigned)(s - l->subs)) == 1, "client %u got message %u twice for sid %u", client,
              message, sid);
    if (s->queue[0]) return;
    sim_check(s->sent_at < m->ponged_at, "client %u got message %u from before its subscription %u", client, message,
              sid);
    check_order(l, client, message);
}

void ledger_nobody(struct ledger *l, unsigned client, unsigned message) {
    sim_check(message < l->nmsgs && l->msgs[message].client == client && l->msgs[message].request,
              "client %u got a 503 for message %u that it did not request", client, message);
    sim_check(++l->msgs[message].nobody == 1, "client %u got two 503 for message %u", client, message);
}

// ---- the end ------------------------------------------------------------------------------------------------------

// Somebody who could have got m left before it could be seen whether they did. The broker may learn that a client has
// left only after it has chosen it.
static bool maybe_lost(const struct ledger *l, const struct message *m, const char *queue) {
    for (unsigned i = 0; i < l->nsubs; i++) {
        const struct subscription *s = &l->subs[i];
        if (queue && strcmp(queue, s->queue) != 0) continue;
        const struct client *c = &l->clients[s->client];
        if (matches(s->pattern, m->subject) && c->closed && c->closed_ns + NOTICED_NS > m->queued_ns) return true;
    }
    return false;
}

static void check_group(const struct ledger *l, unsigned message, const char *queue) {
    const struct message *m = &l->msgs[message];
    unsigned n = 0;
    bool stable = false;
    for (unsigned i = 0; i < l->nsubs; i++) {
        const struct subscription *s = &l->subs[i];
        if (strcmp(s->queue, queue) != 0 || !matches(s->pattern, m->subject)) continue;
        n += got(l, message, i);
        if (s->acked_at < m->queued_at && s->unsub_at == NOT_YET) stable = true;
    }
    sim_check(n <= 1, "queue group %s got message %u %u times", queue, message, n);
    sim_check(n == 1 || !stable || m->ponged_at == NOT_YET || maybe_lost(l, m, queue),
              "queue group %s on %s did not get message %u of client %u though it has a member", queue, m->subject,
              message, m->client);
}

static void check_request(const struct ledger *l, unsigned message) {
    const struct message *m = &l->msgs[message];
    sim_check(m->nobody == 0 || m->got == 0, "request %u was answered with 503 and was delivered", message);
    if (m->nobody || m->got || m->ponged_at == NOT_YET || l->clients[m->client].closed) return;
    if (maybe_lost(l, m, NULL)) return;
    sim_fail("nobody got request %u of client %u on %s, and there was no 503", message, m->client, m->subject);
}

void ledger_check_end(const struct ledger *l) {
    for (unsigned n = 0; n < l->nmsgs; n++) {
        for (unsigned i = 0; i < l->nsubs; i++) {
            const struct subscription *s = &l->subs[i];
            if (s->queue[0]) check_group(l, n, s->queue);
            else if (!l->clients[s->client].closed) check_had(l, n, i, "at the end");
        }
        if (l->msgs[n].request) check_request(l, n);
    }
}
