// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// New settings reach a shard (spec/client-protocol.md B8, spec/accounts-security.md 23): who may stay, with which
// permissions; subscriptions that are not allowed any more go with an -ERR each.
#include "server/account/cred_cache.h"
#include "server/account/errtext.h"
#include "server/base/assert.h"
#include "server/conn/conn.h"

// Drops what the present permissions forbid, and marks what needs the delivery-time check.
void conn_recheck_subs(struct mg_conn *c) {
    const struct mg_perms *perms = c->user ? c->user->perms : NULL;
    struct mg_auth_who who;
    conn_who(c, &who);
    core_expire(c->core);
    for (struct mg_sub *sub = conn_sub_next(c, NULL), *next; sub; sub = next) {
        next = conn_sub_next(c, sub);
        mg_slice subject = mg_sub_subject(sub), queue = mg_sub_queue(sub);
        if (queue.n == 0) queue.p = NULL;
        if (mg_perms_can_sub(perms, subject, queue)) {
            sub->flags &= (uint8_t)~CONN_SUB_FILTER;
            if (mg_perms_needs_filter(perms, subject, queue)) sub->flags |= CONN_SUB_FILTER;
            continue;
        }
        struct mg_buf text = MG_BUF_INIT;
        mg_err_sub_removed(&text, subject, queue, mg_sub_sid(sub));
        conn_err(c, mg_buf_slice(&text));
        text.len = 0;
        mg_log_sub_removed(&text, subject, queue, mg_sub_sid(sub), &who);
        mg_log_inf(c->core->log, "%.*s", (int)text.len, text.p);
        mg_buf_fini(&text);
        conn_sub_drop(c, sub);
    }
}

// A pinned certificate was taken off the list: its connections go.
static bool still_pinned(struct mg_conn *c) {
    const struct mg_strlist *pins = &c->core->settings->opts->tls_opts.pinned_certs;
    if (!c->tls || !c->rare->tls_done || pins->n == 0) return true;
    struct mg_tls_peer peer;
    mg_tls_peer_get(c->rare->tls, &peer);
    bool found = false;
    for (size_t i = 0; i < pins->n && !found; i++) found = strcmp(pins->v[i], peer.spki_sha256) == 0;
    mg_tls_peer_fini(&peer);
    return found;
}

// Its user is not there any more: it is closed without a word (spec/accounts-security.md 23).
static bool vanished(const struct mg_conn *c) {
    struct mg_auth_who who;
    conn_who(c, &who);
    bool named = who.id == MG_AUTH_ID_USER || who.id == MG_AUTH_ID_NKEY;
    return named && !mg_auth_knows(c->core->settings->auth, &who);
}

static void reload_conn(struct mg_conn *c, const struct mg_settings *before) {
    const struct mg_settings *now = c->core->settings;
    c->max_payload = now->opts->max_payload;
    if (!still_pinned(c)) {
        conn_abort(c, MG_CLOSE_TLS_HANDSHAKE);
        return;
    }
    if (!c->connected && !c->authed) return; // decides when it speaks
    if (c->rare && c->rare->work_auth) return; // bcrypt_done sees that the users have changed, and asks these
    if ((c->user || mg_auth_required(now->auth)) && vanished(c)) {
        conn_close(c, MG_CLOSE_CLIENT_CLOSED);
        return;
    }
    if (!mg_auth_required(now->auth)) {
        conn_set_user(c, NULL, MG_AUTH_ID_NONE);
        conn_recheck_subs(c);
        return;
    }
    bool map_changed = before->opts->tls_opts.verify_and_map != now->opts->tls_opts.verify_and_map;
    const struct mg_auth_user *same = c->user && !map_changed ? mg_auth_same_user(now->auth, c->user) : NULL;
    if (same) {
        bool equal = mg_perms_equal(same->perms, c->user->perms);
        conn_set_user(c, same, (enum mg_auth_id)c->auth_id);
        if (!equal) conn_recheck_subs(c);
        return;
    }
    conn_authenticate_again(c);
}

void mg_core_reload(struct mg_core *core, struct mg_settings *fresh) {
    struct mg_settings *before = core->settings;
    core->settings = mg_settings_ref(fresh);
    mg_cred_cache_clear(core->creds);
    for (struct mg_list *l = core->conns.next, *next; l != &core->conns; l = next) {
        next = l->next;
        reload_conn(mg_container_of(l, struct mg_conn, link), before);
    }
    // A lowered limit closes some connections, whichever come first (B6).
    while (atomic_load_explicit(&core->globals->connections, memory_order_relaxed) > fresh->opts->max_connections &&
           !mg_list_empty(&core->conns))
        conn_close_err(mg_container_of(core->conns.next, struct mg_conn, link), MG_CLOSE_MAX_CONNECTIONS,
                       MG_ERR_MAX_CONNECTIONS);
    mg_settings_unref(before);
}

void mg_core_lame_duck(struct mg_core *core) {
    core->lame_duck = true;
    for (struct mg_list *l = core->conns.next; l != &core->conns; l = l->next) {
        struct mg_conn *c = mg_container_of(l, struct mg_conn, link);
        if (c->info_async && c->first_pong) conn_info(c, false, false);
    }
}

void mg_core_close_one(struct mg_core *core) {
    if (!mg_list_empty(&core->conns))
        conn_close(mg_container_of(core->conns.next, struct mg_conn, link), MG_CLOSE_SERVER_SHUTDOWN);
}

void mg_core_drain(struct mg_core *core) {
    core->draining = true;
    while (!mg_list_empty(&core->conns)) mg_core_close_one(core);
}
