// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// An errand: something that one shard's JetStream has done by another's. Its struct, part of whatever it is about,
// belongs to the shard that has it: it is sent, `run` there does the work, at once or over many turns, and gives it
// back; then `done` is called at home. Errands of two shards come in the order in which they were sent, and with
// messages between them. One for the own shard is run at once, and may be back before mg_js_errand_send returns.
#ifndef MG_JETSTREAM_ERRAND_H
#define MG_JETSTREAM_ERRAND_H

#include <stdbool.h>

struct mg_js;

struct mg_js_errand {
    struct mg_js *home; // to be looked at on its shard only
    unsigned shard;     // home's
    void (*run)(struct mg_js_errand *e, struct mg_js *there);
    void (*done)(struct mg_js_errand *e); // NULL: it stays there
    bool back;
    bool lost; // in `done`: the server ends and nothing of it can be told any more; free what there is
};

void mg_js_errand_send(struct mg_js *js, struct mg_js_errand *e, unsigned to);
void mg_js_errand_back(struct mg_js *there, struct mg_js_errand *e);
// The server has brought it.
void mg_js_errand_come(struct mg_js *js, struct mg_js_errand *e);

#endif
