// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Records in the journal of streams that nobody knows. Most of them are nothing: the stream was dropped, and the
// checkpoint behind that forgot it. Then its last record, DROP, is in the journal too, or the checkpoint that came
// before the journal had room for it names the stream. If neither is so, the stream's row was lost (its record is in a
// damaged page, or the tables are wrong), and what is there of it must be reported.
//
// Used at the start only, by its thread.
#ifndef MG_JETSTREAM_STORE_ORPHANS_H
#define MG_JETSTREAM_STORE_ORPHANS_H

#include "jetstream/store/record.h"

struct mg_orphan {
    uint64_t stream, records, messages;
    uint64_t first_seq, last_seq; // of the messages
    bool dropped;
};

// Zeroed is empty.
struct mg_orphans {
    struct mg_orphan *list; // ascending numbers of streams
    uint32_t len, cap;
};
void mg_orphans_fini(struct mg_orphans *o);
void mg_orphans_add(struct mg_orphans *o, const struct mg_record_view *rec);
// The stream was dropped: nothing of it is missed.
void mg_orphans_dropped(struct mg_orphans *o, uint64_t stream);

#endif
