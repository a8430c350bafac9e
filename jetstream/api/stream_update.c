// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a stream may become (spec/jetstream-streams.md 5). The new configuration is complete and checked already.
#include "jetstream/api/stream_check.h"

#include "server/base/errors.h"

static int refuse(struct mg_js_error *e, const char *text) {
    return mg_js_failf(e, MG_JSE_STREAM_INVALID_CONFIG, "%s", text);
}

static int check_fixed(const struct mg_js_stream_config *old, const struct mg_js_stream_config *c,
                       struct mg_js_error *e) {
    if (!mg_slice_eq(c->name, old->name)) return refuse(e, "stream configuration name must match original");
    int rc = mg_js_stream_check_replicas(c, e);
    if (rc != 0) return rc;
    if (c->storage != old->storage) return refuse(e, "stream configuration update can not change storage type");
    bool workqueue = c->retention == MG_JS_WORKQUEUE || old->retention == MG_JS_WORKQUEUE;
    if (c->retention != old->retention && workqueue)
        return refuse(e, "stream configuration update can not change retention policy to/from workqueue");
    if (old->sealed && !c->sealed) return refuse(e, "stream configuration update can not unseal a sealed stream");
    if (old->deny_delete && !c->deny_delete)
        return refuse(e, "stream configuration update can not cancel deny message deletes");
    if (old->deny_purge && !c->deny_purge) return refuse(e, "stream configuration update can not cancel deny purge");
    // Taking the mirror away is allowed: it becomes a stream of its own.
    if (c->mirror != NULL && (old->mirror == NULL || !mg_js_source_equal(c->mirror, old->mirror)))
        return mg_js_fail(e, MG_JSE_STREAM_MIRROR_NOT_UPDATABLE);
    return 0;
}

static int check_features(const struct mg_js_stream_config *old, const struct mg_js_stream_config *c,
                          struct mg_js_error *e) {
    if (old->allow_msg_ttl && !c->allow_msg_ttl) return refuse(e, "message TTL status can not be disabled");
    if (old->allow_msg_counter != c->allow_msg_counter)
        return refuse(e, "stream configuration update can not change message counter setting");
    if (old->allow_msg_schedules && !c->allow_msg_schedules)
        return refuse(e, "message schedules can not be disabled");
    if (old->persist_mode != c->persist_mode)
        return refuse(e, "stream configuration update can not change persist mode");
    return 0;
}

int mg_js_stream_update(const struct mg_js_stream_config *old, struct mg_js_stream_config *c, struct mg_js_error *e) {
    int rc = check_fixed(old, c, e);
    if (rc == 0) rc = mg_js_check_discard(c, e);
    if (rc == 0) rc = check_features(old, c, e);
    if (rc == 0 && c->sealed) {
        c->max_age = 0;
        c->discard = MG_JS_DISCARD_NEW;
        c->deny_delete = c->deny_purge = true;
        c->allow_rollup_hdrs = false;
    }
    return rc;
}
