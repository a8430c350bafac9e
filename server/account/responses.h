// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// allow_responses: the reply subjects a client was given lately and may therefore publish to. One table a connection,
// made when the first reply subject comes by, used by the connection's shard only. Facts: spec/accounts-security.md
// 7.4.
#ifndef MG_ACCOUNT_RESPONSES_H
#define MG_ACCOUNT_RESPONSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/account/perms.h"
#include "server/base/slice.h"

// Bounds of one table. The oldest entry goes when either is passed.
#define MG_RESPONSES_MAX 65536           // reply subjects
#define MG_RESPONSES_MAX_BYTES (8 << 20) // bytes of their text

struct mg_responses;

// Copies the limits. seed keys the hash (any random number).
struct mg_responses *mg_responses_new(const struct mg_resp_limits *lim, uint64_t seed);
void mg_responses_free(struct mg_responses *r); // NULL is fine
size_t mg_responses_count(const struct mg_responses *r);

// A message with this reply subject is delivered to the client, which could not publish there by its lists
// (!mg_perms_can_pub): remember it. Again: the time and the count start anew. now_ns is monotonic.
void mg_responses_track(struct mg_responses *r, mg_slice reply, uint64_t now_ns);
// The client publishes to `subject`, which its lists deny: true if it is a tracked reply that is not used up and not
// too old. Counts one use.
bool mg_responses_allow(struct mg_responses *r, mg_slice subject, uint64_t now_ns);

#endif
