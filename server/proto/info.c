// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/proto/info.h"

#include "server/base/json.h"

static void put_str(struct mg_jw *w, const char *key, const char *v) {
    if (v != NULL && *v != '\0') mg_jw_kstr(w, key, v);
}

static void put_true(struct mg_jw *w, const char *key, bool v) {
    if (v) mg_jw_kbool(w, key, v);
}

static void put_urls(struct mg_jw *w, const struct mg_info *info) {
    if (info->nconnect_urls == 0) return;
    mg_jw_key(w, "connect_urls");
    mg_jw_arr(w);
    for (size_t i = 0; i < info->nconnect_urls; i++) mg_jw_cstr(w, info->connect_urls[i]);
    mg_jw_end_arr(w);
}

// Members in the order of the reference: some clients' tests look at the text.
void mg_info_write(const struct mg_info *info, struct mg_buf *out) {
    struct mg_jw w;
    mg_buf_adds(out, "INFO ");
    mg_jw_init(&w, out, 0);
    mg_jw_obj(&w);
    mg_jw_kstr(&w, "server_id", info->server_id);
    mg_jw_kstr(&w, "server_name", info->server_name);
    mg_jw_kstr(&w, "version", MG_NATS_VERSION);
    mg_jw_kint(&w, "proto", 1);
    put_str(&w, "git_commit", info->git_commit);
    mg_jw_kstr(&w, "go", MG_RUNTIME_VERSION);
    mg_jw_kstr(&w, "host", info->host);
    mg_jw_kint(&w, "port", info->port);
    mg_jw_kbool(&w, "headers", info->headers);
    put_true(&w, "auth_required", info->auth_required);
    put_true(&w, "tls_required", info->tls_required);
    put_true(&w, "tls_verify", info->tls_verify);
    put_true(&w, "tls_available", info->tls_available);
    mg_jw_kint(&w, "max_payload", info->max_payload);
    put_true(&w, "jetstream", info->jetstream);
    if (info->client_id != 0) mg_jw_kuint(&w, "client_id", info->client_id);
    put_str(&w, "client_ip", info->client_ip);
    put_str(&w, "nonce", info->nonce);
    put_str(&w, "cluster", info->cluster);
    put_str(&w, "domain", info->domain);
    put_urls(&w, info);
    put_true(&w, "ldm", info->ldm);
    put_true(&w, "connect_info", info->connect_info);
    put_str(&w, "remote_account", info->remote_account);
    put_true(&w, "acc_is_sys", info->acc_is_sys);
    mg_jw_kint(&w, "api_lvl", MG_API_LEVEL);
    put_str(&w, "xkey", info->xkey);
    mg_jw_end_obj(&w);
    mg_buf_adds(out, " \r\n");
}
