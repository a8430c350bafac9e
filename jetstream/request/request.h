// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Requests of the JetStream API (spec/jetstream-streams.md 1, 2, 6; spec/jetstream-consumers.md 1): the table of their
// subjects, and one file for each group of them.
//
// A request lives from its message to its answer. Its handler answers it exactly once, at once or later out of a result
// of the store; mg_js_answer and its like free it. What an answer tells must be durable: it leaves out of a result or
// behind mg_js_request_barrier.
#ifndef MG_JETSTREAM_REQUEST_REQUEST_H
#define MG_JETSTREAM_REQUEST_REQUEST_H

#include "jetstream/api/info.h"
#include "jetstream/api/reply.h"
#include "jetstream/api/shape.h"
#include "jetstream/js.h"
#include "jetstream/stream/js_stream.h"

struct mg_js_member;

struct mg_js_request {
    struct mg_js *js;
    struct mg_js_wait wait;
    // What follows when `wait` has its result. The handler's.
    void (*next)(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r);
    void (*drop)(struct mg_js_request *rq); // frees `own`; NULL: mg_free
    void *own;                              // the handler's; NULL: nothing
    void (*run)(struct mg_js_request *rq); // its handler
    enum mg_js_reply reply;
    bool info;                  // counts in info_inflight
    bool tell_anyway;           // mg_js_answer_behind: even if nothing becomes durable any more
    bool unseen;                // neither counted nor told of
    struct mg_buf client;       // who asks, as JSON; empty: nobody wants to know of it
    mg_slice subject, to, body; // to: where the answer goes; empty: nowhere
    mg_slice stream, consumer;  // tokens of the subject, empty where it has none
    char text[];
};

// The handler of $JS.API.>: it takes everything but what streams and consumers answer themselves.
bool mg_js_api_message(void *arg, const struct mg_msg *m);
// Does the message want a higher level of the API than this server has?
bool mg_js_level_too_high(const struct mg_msg *m);

// ---- answers: each frees the request --------------------------------------------------------------------------------

void mg_js_answer(struct mg_js_request *rq, const struct mg_buf *out);
void mg_js_answer_body(struct mg_js_request *rq, struct mg_mbuf *body); // by reference
void mg_js_answer_success(struct mg_js_request *rq);
void mg_js_answer_error(struct mg_js_request *rq, struct mg_js_error *e); // frees what is in *e
void mg_js_answer_fail(struct mg_js_request *rq, enum mg_js_errno err);   // one without placeholders
void mg_js_answer_nothing(struct mg_js_request *rq);
// When all that the stream's state says is durable. out is moved.
void mg_js_answer_behind(struct mg_js_request *rq, struct mg_js_stream *s, struct mg_buf *out);
// For an error of the store, wrapped in a code whose description is {err}.
void mg_js_answer_store_error(struct mg_js_request *rq, enum mg_js_errno wrap, int err);

// ---- steps ----------------------------------------------------------------------------------------------------------

// The stream that the subject names; NULL: it was answered that there is none.
struct mg_js_stream *mg_js_request_stream(struct mg_js_request *rq);
// The consumer that the subject names; NULL: it was answered that there is none, or the request is run again when the
// consumer has been read from its rows.
struct mg_js_member *mg_js_request_consumer(struct mg_js_request *rq);
// Is it asleep? Then the request is run again.
bool mg_js_request_wakes(struct mg_js_request *rq, struct mg_js_stream *s, mg_slice consumer);
// The context for a call into the store; `next` comes with its result. If that call fails at once:
// mg_js_request_failed, and no result comes.
void *mg_js_request_then(struct mg_js_request *rq, void (*next)(struct mg_js_request *, struct mg_js_stream *,
                                                                const struct mg_result *));
void mg_js_request_failed(struct mg_js_request *rq);
// `next` when all that the stream's state says is durable, with r->err 0. If the stream is being deleted the request is
// answered: there is none.
void mg_js_request_barrier(struct mg_js_request *rq, struct mg_js_stream *s,
                           void (*next)(struct mg_js_request *, struct mg_js_stream *, const struct mg_result *));
// Bodies that are optional: read only if they look like JSON. Required: not empty, not {}. Answers on error.
bool mg_js_request_optional(struct mg_js_request *rq, const struct mg_shape *shape, void *out);
bool mg_js_request_required(struct mg_js_request *rq, const struct mg_shape *shape, void *out);
bool mg_js_request_filled(struct mg_js_request *rq); // the same without reading it

// The same for a body that may have members which nobody knows, whatever the server's rule is.
bool mg_js_request_lenient(struct mg_js_request *rq, const struct mg_shape *shape, void *out);
// The body must be empty or {}; answers if it is not.
bool mg_js_request_empty(struct mg_js_request *rq);

// ---- those that came while a consumer was being called --------------------------------------------------------------

bool mg_js_requests_run(struct mg_js *js); // true: there were some
void mg_js_requests_drop(struct mg_js *js);

// ---- handlers -------------------------------------------------------------------------------------------------------

void mg_js_do_account_info(struct mg_js_request *rq);
void mg_js_do_stream_create(struct mg_js_request *rq);
void mg_js_do_stream_update(struct mg_js_request *rq);
void mg_js_do_stream_names(struct mg_js_request *rq);
void mg_js_do_stream_list(struct mg_js_request *rq);
void mg_js_do_stream_info(struct mg_js_request *rq);
void mg_js_do_stream_delete(struct mg_js_request *rq);
void mg_js_do_stream_purge(struct mg_js_request *rq);
void mg_js_do_msg_get(struct mg_js_request *rq);
void mg_js_do_msg_delete(struct mg_js_request *rq);
void mg_js_do_unclustered(struct mg_js_request *rq); // what only a cluster can do
void mg_js_do_snapshot(struct mg_js_request *rq);    // this and the next are refused
void mg_js_do_restore(struct mg_js_request *rq);

void mg_js_do_consumer_create(struct mg_js_request *rq);
void mg_js_do_consumer_names(struct mg_js_request *rq);
void mg_js_do_consumer_list(struct mg_js_request *rq);
void mg_js_do_consumer_info(struct mg_js_request *rq);
void mg_js_do_consumer_delete(struct mg_js_request *rq);
void mg_js_do_consumer_pause(struct mg_js_request *rq);
void mg_js_do_consumer_reset(struct mg_js_request *rq);
void mg_js_do_consumer_unpin(struct mg_js_request *rq);
// What is known of its state at once: not durable, perhaps not complete (mg_stream_glance).
struct mg_js_stream_state mg_js_stream_glance(const struct mg_js_stream *s);
// What the answers tell of a stream; false: not all of it is known, ask again behind a barrier.
bool mg_js_stream_tell(struct mg_js_stream *s, struct mg_js_stream_info *info);

#endif
