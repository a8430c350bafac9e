// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Shared by the files of the publish path.
#ifndef MG_JETSTREAM_STREAM_PUBLISH_H
#define MG_JETSTREAM_STREAM_PUBLISH_H

#include "jetstream/stream/js_stream.h"

// A message as it arrived; borrowed. headers is the block as it was sent.
struct mg_js_inbound {
    mg_slice subject, reply, headers, payload;
    struct mg_mbuf *mbuf; // holds headers and payload; NULL: nobody knows
};

// publish.c
void mg_js_stream_take(struct mg_js_stream *s, const struct mg_js_inbound *in);

// hold.c: messages that cannot be decided until the id of the stream's last message was read; order stays. False: there
// are too many.
bool mg_js_stream_hold(struct mg_js_stream *s, const struct mg_js_inbound *in);
void mg_js_stream_unhold(struct mg_js_stream *s); // they are forgotten, without an answer

// republish.c: a copy of what is stored, published when that is durable. NULL: this message is not republished.
struct mg_js_copy;
struct mg_js_copy *mg_js_copy_new(struct mg_js_stream *s, const struct mg_append *a);
void mg_js_copy_publish(struct mg_js_stream *s, const struct mg_js_copy *c, uint64_t seq,
                        const struct mg_append_facts *facts);
void mg_js_copy_free(struct mg_js_copy *c); // NULL is fine

#endif
