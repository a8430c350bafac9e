// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a client is told about the server (spec/client-protocol.md A2).
#include "server/conn/conn.h"
#include "server/proto/info.h"

void conn_info(struct mg_conn *c, bool first, bool connect_info) {
    const struct mg_core *core = c->core;
    const struct mg_settings *s = core->settings;
    const struct mg_options *o = s->opts;
    bool tls_first = c->rare && c->rare->tls_first;
    const struct mg_info info = {
        .server_id = core->identity->server_id,
        .server_name = o->server_name ? o->server_name : core->identity->server_id,
        .host = s->host,
        .port = s->port,
        .headers = !o->no_header_support,
        // The first INFO hides it from clients that a no_auth_user lets in; later ones do not.
        .auth_required = first ? mg_auth_info_required(s->auth) : mg_auth_required(s->auth),
        .tls_required = s->tls && (!o->allow_non_tls || tls_first),
        .tls_verify = s->tls && (o->tls_opts.verify || o->tls_opts.verify_and_map),
        .tls_available = s->tls && o->allow_non_tls,
        .max_payload = (int32_t)c->max_payload,
        .jetstream = o->jetstream,
        .client_id = c->cid,
        .client_ip = c->peer.ip,
        .nonce = first && c->nonce[0] ? c->nonce : NULL,
        .cluster = NULL,
        .domain = o->jetstream ? o->js.domain : NULL,
        .ldm = core->lame_duck && !first && !connect_info,
        .connect_info = connect_info,
        .remote_account = connect_info ? "$G" : NULL,
        .xkey = core->identity->xkey,
    };
    struct mg_buf text = MG_BUF_INIT;
    mg_info_write(&info, &text);
    conn_write(c, text.p, text.len);
    mg_buf_fini(&text);
}
