// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/event.h"

#include <stdio.h>

#include "jetstream/api/reply.h"
#include "server/base/encode.h"

#define ADVISORY "$JS.EVENT.ADVISORY."
#define TYPE     "advisory.v1."

static const mg_slice none = {NULL, 0};

static void write_nuid(struct mg_jw *w, struct mg_js *js) {
    char id[22];
    mg_base62_digits(id, 8, mg_shard_random(js->shard));
    mg_base62_digits(id + 8, 8, mg_shard_random(js->shard));
    mg_base62_digits(id + 16, 6, mg_shard_random(js->shard));
    mg_js_write_slice(w, "id", mg_slice_of(id, sizeof(id)));
}

void mg_js_event_begin(struct mg_js *js, struct mg_jw *w, struct mg_buf *out, const char *type) {
    char whole[80];
    snprintf(whole, sizeof(whole), "io.nats.jetstream.%s", type);
    mg_jw_init(w, out, 0);
    mg_jw_obj(w);
    mg_jw_kstr(w, "type", whole);
    write_nuid(w, js);
    mg_js_write_time(w, "timestamp", mg_js_wall(js));
}

void mg_js_event_send(struct mg_js *js, mg_slice subject, struct mg_jw *w, struct mg_buf *out) {
    if (js->domain.n) mg_js_write_slice(w, "domain", js->domain);
    mg_jw_end_obj(w);
    mg_js_publish(js, subject, none, none, mg_buf_slice(out));
    mg_buf_fini(out);
}

void mg_js_event_stream(struct mg_js *js, mg_slice stream, enum mg_js_happening what) {
    static const struct {
        const char *subject, *word;
    } actions[] = {{"CREATED", "create"}, {"UPDATED", "modify"}, {"DELETED", "delete"}};
    struct mg_buf subject = MG_BUF_INIT, out = MG_BUF_INIT;
    struct mg_jw w;
    mg_buf_addf(&subject, ADVISORY "STREAM.%s.%.*s", actions[what].subject, (int)stream.n, stream.p);
    if (mg_js_interest(js, mg_buf_slice(&subject))) {
        mg_js_event_begin(js, &w, &out, TYPE "stream_action");
        mg_js_write_slice(&w, "stream", stream);
        mg_jw_kstr(&w, "action", actions[what].word);
        mg_js_event_send(js, mg_buf_slice(&subject), &w, &out);
    }
    mg_buf_fini(&subject);
}

// ---- the API --------------------------------------------------------------------------------------------------------

static void opt_slice(struct mg_jw *w, const char *key, mg_slice v) {
    if (v.n) mg_js_write_slice(w, key, v);
}

void mg_js_event_client(struct mg_js *js, const struct mg_msg *m, struct mg_buf *out) {
    struct mg_js_client c = {.start = INT64_MIN};
    struct mg_jw w;
    if (!mg_js_interest(js, MG_S(ADVISORY "API"))) return;
    if (js->o.client) js->o.client(js->o.client_arg, m, &c);
    mg_jw_init(&w, out, 0);
    mg_jw_obj(&w);
    if (c.start != INT64_MIN) mg_js_write_time(&w, "start", c.start);
    opt_slice(&w, "host", c.host);
    if (m->origin_id) mg_jw_kuint(&w, "id", m->origin_id);
    mg_jw_kstr(&w, "acc", "$G");
    opt_slice(&w, "user", c.user);
    opt_slice(&w, "name", c.name);
    opt_slice(&w, "lang", c.lang);
    opt_slice(&w, "ver", c.version);
    if (c.rtt > 0) mg_jw_kint(&w, "rtt", c.rtt);
    mg_js_write_slice(&w, "server", js->server_name);
    mg_jw_kstr(&w, "kind", m->origin_id ? "Client" : "Account");
    if (m->origin_id) mg_jw_kstr(&w, "client_type", "nats");
    mg_jw_end_obj(&w);
}

void mg_js_event_api(struct mg_js *js, mg_slice client, mg_slice subject, mg_slice request, mg_slice response) {
    struct mg_buf out = MG_BUF_INIT;
    struct mg_jw w;
    mg_js_event_begin(js, &w, &out, TYPE "api_audit");
    mg_js_write_slice(&w, "server", js->server_name);
    mg_jw_key(&w, "client");
    mg_jw_raw(&w, client);
    mg_js_write_slice(&w, "subject", subject);
    opt_slice(&w, "request", request);
    mg_js_write_slice(&w, "response", response);
    mg_js_event_send(js, MG_S(ADVISORY "API"), &w, &out);
}
