// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Tables of subjects are kept once, for they can be computed: where one cannot be read, the keeper counts the subjects
// of that range from the messages' segments and writes these tables anew.
#ifndef MG_JETSTREAM_STORE_HEAL_H
#define MG_JETSTREAM_STORE_HEAL_H

#include <stdint.h>

struct mg_store;

// A row of a subject could not be read: the keeper looks after it soon. Any thread.
void mg_heal_want(struct mg_store *st);
// The keeper: does what is wanted. Returns when it should be called again, 0: at once.
uint64_t mg_heal_step(struct mg_store *st);

#endif
