// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Pinned clients: one at a time gets all messages, until it stops pulling (spec/jetstream-consumers.md 11, 19.4).
#include "jetstream/consumer/consumer_impl.h"

#include "server/base/encode.h"
#include "server/base/mem.h"

static void draw_id(struct mg_js_consumer *c, char *id) {
    for (size_t at = 0, n; at < MG_JS_PIN_ID; at += n) {
        n = MG_JS_PIN_ID - at < 8 ? MG_JS_PIN_ID - at : 8;
        mg_base62_digits(id + at, n, c->env->ops->random(c->app));
    }
}

void pin_set(struct mg_js_consumer *c, int64_t now, struct mg_js_waiter *w) {
    struct mg_js_pin *p = c->pin = mg_zalloc(sizeof *p);
    draw_id(c, p->id);
    p->group_len = w->group->name_len;
    memcpy(p->group, w->group->name, sizeof p->group);
    p->since = now;
    p->until = consumer_later(now, c->rules->pin_timeout);
    // The rest of its batch is served as one that knows its id.
    memcpy(w->group->id, p->id, MG_JS_PIN_ID);
    w->group->id_len = MG_JS_PIN_ID;
    consumer_notice(c, &(struct mg_js_notice){.kind = MG_JS_NOTICE_PINNED, .group = mg_js_waiter_group(w),
                                              .text = pin_id(c)});
}

void pin_clear(struct mg_js_consumer *c) {
    mg_free(c->pin);
    c->pin = NULL;
    c->no_taker = false;
}

void pin_expire(struct mg_js_consumer *c, const char *reason) {
    consumer_notice(c, &(struct mg_js_notice){.kind = MG_JS_NOTICE_UNPINNED, .text = mg_cstr(reason),
                                              .group = mg_slice_of(c->pin->group, c->pin->group_len)});
    pin_clear(c);
}

void mg_js_consumer_unpin(struct mg_js_consumer *c, int64_t now, mg_slice group) {
    (void)now;
    pin_clear(c);
    // Said even if nobody was pinned.
    consumer_notice(c, &(struct mg_js_notice){.kind = MG_JS_NOTICE_UNPINNED, .text = MG_S("admin"), .group = group});
}
