// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The world of sim_js: a broker with JetStream on a simulated disk, and clients, each a fiber with a connection of its
// own. A script of a client is a plain function that blocks in calls; when the server dies the call says so, and the
// script ends.
//
//   js_client.c   connections, requests and their answers
//   js_publish.c  publishing
//   js_consume.c  pulling, listening, acknowledging
//   js_admin.c    making, changing and deleting streams and consumers
//   js_audit.c    looking at everything while nothing else happens
//   js_fetch.c    what the scripts of features share
//
// A feature is something that the model of streams and consumers leaves out: a stream of its own, what workers do with
// it, and what they must see (js_ordered.c, ...).
#ifndef MG_TEST_SIM_JS_WORLD_H
#define MG_TEST_SIM_JS_WORLD_H

#include "server/server.h"
#include "test/sim/client.h"
#include "test/sim/js_model.h"
#include "test/sim/sim_disk.h"

#define JS_CLIENTS 5u

struct js_world;

struct js_client {
    struct js_world *w;
    struct sim_client conn;
    unsigned serial;     // of all that there ever were
    bool opened, ready, lost, rung;
    struct mg_list calls; // of struct js_call
    uint64_t next_call;
    uint64_t pinged, fence; // ticks: of the ping that is out (0: none), and of the last that was answered
    // What comes on deliver subjects; NULL: nobody listens.
    void (*listener)(struct js_client *cl, const struct sim_msg *m);
    void *listener_arg;
    void (*script)(struct js_client *cl);
    unsigned actions; // left to a worker
};

struct js_world {
    struct sim *sim;
    struct js_model model;
    struct sim_disk *disk;
    struct mg_server *server; // NULL: it is not up
    struct mg_log log;
    struct mg_work stop;
    bool stopping, ended;   // it was told to end, or has
    bool told;              // it is to be told while clients are at work
    unsigned serials, running; // clients that there ever were, and whose scripts run
    struct js_client clients[JS_CLIENTS + 1];
    unsigned shards;
    unsigned streams, consumers; // how many of each are used: few see more of everything
    uint64_t credit, think;
    uint64_t steps;          // of anybody until the crash; 0: none comes
    enum sim_crash how;
    uint32_t ring_file, ring_files, sections, cache;
    uint32_t walk; // what a read looks at in one go: so few that it has to come again; 0: many
    bool packs; // some streams ask for compression
    bool hasty;              // much is delivered again, and max_deliver counts it
    enum js_kind kind;       // of all streams; JS_KINDS: any
    bool eager;
    const struct js_feature *feature; // NULL: none
    void *own;               // its state
};

struct js_feature {
    const char *name;
    void *(*make)(struct js_world *w);
    void (*free)(void *own);
    void (*new_life)(void *own); // what has not been answered never will be
    void (*act)(struct js_client *cl, void *own);
    // Alone: at the beginning of each life, and when one ends in peace; last: at the very end.
    void (*audit)(struct js_client *cl, void *own, bool last);
};
extern const struct js_feature js_ordered, js_ephemeral, js_groups, js_reset, js_ttl;

// ---- js_client.c ---------------------------------------------------------------------------------------------------

void js_client_start(struct js_world *w, struct js_client *cl, void (*script)(struct js_client *cl), const char *name);
void js_client_lose(struct js_client *cl); // the server is dead
void js_wait(struct js_client *cl, uint64_t until); // or something has come
void js_pause(struct js_client *cl, uint64_t ns);   // false: the server is dead

// One request and what comes of it; lives with its owner until js_end.
struct js_call {
    struct mg_list link;
    struct js_client *cl;
    uint64_t id, sent; // tick
    void (*came)(struct js_call *c, const struct sim_msg *m); // NULL: the answer is kept, and that is all
    void *arg;
    bool own;  // with a subscription of its own: deliveries show another subject than the one they are sent to
    bool done;
    struct mg_buf header, body;
};
// Headers: lines, each with its end; may be "".
void js_begin(struct js_client *cl, struct js_call *c, const char *subject, const char *headers, const char *body);
bool js_await(struct js_call *c, uint64_t ns); // true: it is done
void js_end(struct js_call *c);
// All of that: true if there is an answer, which must come while the server lives.
bool js_ask(struct js_client *cl, struct js_call *c, const char *subject, const char *body);
void js_tell(struct js_client *cl, const char *subject, const char *body); // wants no answer
// What the client has sent was taken in; false: the server is dead.
bool js_fence(struct js_client *cl);

// Reading answers: the number or text behind a key, from `at` on.
bool js_number(const struct mg_buf *body, const char *at, const char *key, uint64_t *out);
unsigned js_error(const struct mg_buf *body); // its code; 0: none
static inline const char *js_body(const struct js_call *c) { return c->body.len ? c->body.p : ""; }

// ---- scripts -------------------------------------------------------------------------------------------------------

struct js_stream *js_some_stream(struct js_client *cl); // that is there; NULL: none
struct js_consumer *js_some_consumer(struct js_client *cl, bool push);
uint64_t js_below(struct js_client *cl, uint64_t n);
bool js_chance(struct js_client *cl, unsigned of256);

void js_do_publish(struct js_client *cl);
void js_do_pull(struct js_client *cl);
void js_do_listen(struct js_client *cl);
void js_do_admin(struct js_client *cl);
// Takes all that c has to give, each message acknowledged and confirmed.
void js_drain(struct js_client *cl, struct js_consumer *c);

// ---- what features share -------------------------------------------------------------------------------------------

bool js_parse_reply(mg_slice reply, struct js_delivery *d);
bool js_header(mg_slice headers, const char *name, char *out, size_t n);
bool js_do(struct js_client *cl, const char *subject, const char *body); // must succeed; false: the server is dead
uint64_t js_put(struct js_client *cl, const char *subject, const char *headers, const char *body); // 0: it is dead
bool js_confirm(struct js_client *cl, const char *reply); // acknowledges; false: nobody says that it is done

#define JS_FETCH 32u
struct js_got {
    struct js_delivery d;
    uint64_t number, at; // at: tick
    char reply[160], pin[24];
};
struct js_fetch {
    struct js_call call;
    struct js_got got[JS_FETCH];
    unsigned n, batch, code; // code: of the status that has ended it; 0: none
    uint64_t begun;          // ns
    void (*each)(struct js_fetch *f, const struct js_got *g); // NULL: nobody; with what has just come
    void *user;
};
// consumer: stream.name; rest: more members of the request, each with a comma in front. Zero f before.
void js_fetch_begin(struct js_client *cl, struct js_fetch *f, const char *consumer, unsigned batch, const char *rest);
bool js_fetch(struct js_client *cl, struct js_fetch *f, const char *consumer, unsigned batch, const char *rest);

// A consumer's state; false: there was none.
bool js_look(struct js_client *cl, struct js_consumer *c, struct js_facts *f);
void js_resume(struct js_client *cl, struct js_consumer *c);

void js_audit(struct js_client *cl);       // finds out what is unknown, then checks everything
void js_last_audit(struct js_client *cl); // and lets every consumer run empty

#endif
