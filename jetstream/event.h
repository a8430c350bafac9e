// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Advisories of streams and of the API (spec/jetstream-streams.md 15), for whoever subscribes to them or captures them
// in a stream. Nothing is written when nobody does.
#ifndef MG_JETSTREAM_EVENT_H
#define MG_JETSTREAM_EVENT_H

#include "jetstream/js.h"
#include "server/base/json.h"

// What all events begin and end with, also those of consumers: type (behind io.nats.jetstream.), id and timestamp, and
// the domain. mg_js_event_send frees what is in *out.
void mg_js_event_begin(struct mg_js *js, struct mg_jw *w, struct mg_buf *out, const char *type);
void mg_js_event_send(struct mg_js *js, mg_slice subject, struct mg_jw *w, struct mg_buf *out);

enum mg_js_happening { MG_JS_CREATED, MG_JS_UPDATED, MG_JS_DELETED };
void mg_js_event_stream(struct mg_js *js, mg_slice stream, enum mg_js_happening what);

// Appends who has sent m, as JSON, if anybody wants to know of requests now; else nothing.
void mg_js_event_client(struct mg_js *js, const struct mg_msg *m, struct mg_buf *out);
// client: what mg_js_event_client gave when the request came.
void mg_js_event_api(struct mg_js *js, mg_slice client, mg_slice subject, mg_slice request, mg_slice response);

#endif
