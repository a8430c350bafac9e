// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What clients of the simulated broker did and what they got, and whether the one follows from the other
// (spec/client-protocol.md A7, A9). A tick counts events, so "before" means: before in the life of the whole world.
//
//  - A message whose publisher has its PONG, published after a plain subscription was acknowledged by its own PONG and
//    not yet unsubscribed, is delivered to it: at the latest before the PONG to a later PING of the subscriber.
//  - Nobody gets a message twice, from before a subscription, after an acknowledged UNSUB, or over UNSUB's max.
//  - The messages of one connection reach another one in order (those chosen for a queue group may be chosen again).
//  - Each queue group gets a message once at most, and once if it has a member all the time.
//  - A request that nobody got is answered with one 503; one that somebody got is not.
#ifndef MG_TEST_SIM_LEDGER_H
#define MG_TEST_SIM_LEDGER_H

#include "server/base/slice.h"
#include "test/sim/sim.h"

struct ledger;

struct ledger *ledger_new(struct sim *s);
void ledger_free(struct ledger *l);

unsigned ledger_client(struct ledger *l); // a new connection
void ledger_subscribe(struct ledger *l, unsigned client, unsigned sid, const char *pattern, const char *queue);
void ledger_unsubscribe(struct ledger *l, unsigned client, unsigned sid, unsigned max); // max 0: at once
// Returns the message's number, which its payload must begin with.
unsigned ledger_publish(struct ledger *l, unsigned client, const char *subject, bool request);
void ledger_ping(struct ledger *l, unsigned client);
void ledger_pong(struct ledger *l, unsigned client);
void ledger_got(struct ledger *l, unsigned client, unsigned sid, mg_slice subject, unsigned message);
void ledger_nobody(struct ledger *l, unsigned client, unsigned message); // a 503
void ledger_closed(struct ledger *l, unsigned client);
// Everybody has had a last PONG and nothing is under way.
void ledger_check_end(const struct ledger *l);

unsigned ledger_messages(const struct ledger *l);

#endif
