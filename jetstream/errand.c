// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/errand.h"

#include "jetstream/js.h"

void mg_js_errand_come(struct mg_js *js, struct mg_js_errand *e) {
    if (e->back) e->done(e);
    else e->run(e, js);
}

void mg_js_errand_send(struct mg_js *js, struct mg_js_errand *e, unsigned to) {
    e->home = js;
    e->shard = mg_shard_id(js->shard);
    e->back = e->lost = false;
    if (to == e->shard) e->run(e, js);
    else js->o.carry(js->o.carry_arg, to, e);
}

// When the server ends the shards' threads do no more, and one of them ends everything.
void mg_js_errand_back(struct mg_js *there, struct mg_js_errand *e) {
    e->back = true;
    e->lost = there->ended;
    if (e->home == there || e->lost) e->done(e);
    else there->o.carry(there->o.carry_arg, e->shard, e);
}
