// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The steps of a start, on the thread that opens the store.
#ifndef MG_JETSTREAM_STORE_RECOVER_H
#define MG_JETSTREAM_STORE_RECOVER_H

#include "jetstream/store/store_impl.h"

// Streams, their counters and where their messages are, from the tables.
int mg_recover_rows(struct mg_store *st);
// Callbacks of the journal.
int mg_recover_record(void *arg, const struct mg_record_view *rec, const void *bytes, uint64_t page);
void mg_recover_damage(void *arg, const struct mg_journal_damage *d);
// Everything was replayed.
void mg_recover_end(struct mg_store *st);

#endif
