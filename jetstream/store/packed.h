// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Packed records: how a segment holds the messages of a stream that asks for compression (format.h has the layout). The
// record is compressed as a whole, behind a small head of its own that says what finds and checks it: so a search needs
// no decompression, and damage hits one message. A record that does not become smaller stays as it is; the two kinds
// stand side by side.
// Pure functions over the caller's memory; any thread.
#ifndef MG_JETSTREAM_STORE_PACKED_H
#define MG_JETSTREAM_STORE_PACKED_H

#include "jetstream/store/compress.h"
#include "jetstream/store/record.h"
#include "server/base/buf.h"

// What a record in a segment says of itself while it is not unpacked, whichever kind it is.
struct mg_stored {
    bool packed;
    uint32_t length; // bytes that it takes there
    uint32_t plain;  // of the record as it was in the journal, padding included
    uint64_t stream, seq;
};

// Bytes from a segment, not trusted: n from p on. 0; MG_EAGAIN: they end before the record does; MG_ECORRUPT.
int mg_stored_measure(struct mg_stored *out, const void *p, size_t n); // only the head; n: of the head are enough
int mg_stored_check(struct mg_stored *out, const void *p, size_t n);   // all of it, with its checksum

// Packs an encoded record into `out`, replacing what is in there. False: it would not become smaller by a sixteenth.
bool mg_packed_encode(struct mg_compressor *c, const void *record, struct mg_buf *out);
// Undoes it: `p` has passed mg_stored_check as `s`, `out` has room for s->plain bytes. The view points into `out`.
// MG_ECORRUPT: this is no record, or not with this dictionary.
int mg_packed_decode(struct mg_record_view *v, void *out, const struct mg_stored *s, const void *p, mg_slice dict);

#endif
