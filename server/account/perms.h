// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Compiled permissions of a user: who may publish where, who may subscribe to what, and which messages must be dropped
// at delivery because a deny is narrower than the subscription. Facts: spec/accounts-security.md 7.
//
// A struct mg_perms is immutable after mg_perms_new and may be read by all threads at once. It does not cache; a
// connection that publishes to the same subject over and over keeps its own memo of the verdict. NULL stands for "no
// permissions configured" everywhere below: everything is allowed.
#ifndef MG_ACCOUNT_PERMS_H
#define MG_ACCOUNT_PERMS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/slice.h"

struct mg_permissions; // server/config/options.h
struct mg_perms;

// Copies what it needs of p; p == NULL gives NULL.
struct mg_perms *mg_perms_new(const struct mg_permissions *p);
void mg_perms_free(struct mg_perms *p);
bool mg_perms_equal(const struct mg_perms *a, const struct mg_perms *b); // same rules, in the same order

// False if every publish is allowed, so that the caller can skip the check.
bool mg_perms_limits_pub(const struct mg_perms *p);
// May a client publish to this (literal) subject, allow and deny lists considered? Where the answer is no, a tracked
// reply subject may still turn it into yes: see responses.h. Section 7.2.
bool mg_perms_can_pub(const struct mg_perms *p, mg_slice subject);

// May it subscribe? queue is {NULL, 0} for a plain subscription. Wildcard tokens of the subject are taken literally, as
// the reference does; what a deny then still has to stop is stopped at delivery. Section 7.3.
bool mg_perms_can_sub(const struct mg_perms *p, mg_slice subject, mg_slice queue);
// Asked once for a subscription that is allowed: true if messages to it must pass mg_perms_can_deliver.
bool mg_perms_needs_filter(const struct mg_perms *p, mg_slice subject, mg_slice queue);
// May a message with this (literal) subject be delivered to a subscription with this queue?
bool mg_perms_can_deliver(const struct mg_perms *p, mg_slice subject, mg_slice queue);

// allow_responses of section 7.4.
struct mg_resp_limits {
    int64_t max;        // publishes per reply subject; < 0: unlimited
    int64_t expires_ns; // < 0: never
};
// The limits, or NULL if the user has no allow_responses.
const struct mg_resp_limits *mg_perms_responses(const struct mg_perms *p);

#endif
