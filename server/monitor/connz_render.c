// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The answer of /connz: member order and omission rules of spec/monitoring-and-tools.md A4.
#include <stdlib.h>

#include "server/base/mem.h"
#include "server/monitor/connz_order.h"
#include "server/monitor/render.h"

static const char *kind_text(uint8_t kind) { return kind == MG_KIND_LEAFNODE ? "Leafnode" : "Client"; }

static const char *type_text(uint8_t type) {
    switch (type) {
    case MG_TYPE_NATS: return "nats";
    case MG_TYPE_WEBSOCKET: return "websocket";
    case MG_TYPE_MQTT: return "mqtt";
    default: return "";
    }
}

static uint64_t span(int64_t from, int64_t to) { return to > from ? (uint64_t)(to - from) : 0; }

// A4, 0.5: a round trip between 1 us and 1 ms loses its fraction of a microsecond.
static int64_t shown_rtt(int64_t ns) { return ns > 1000 && ns < 1000000 ? ns / 1000 * 1000 : ns; }

static void put_times(struct mg_jw *w, const struct mg_conn_stats *s, int64_t now_ns) {
    char buf[40];
    int64_t end = s->stop_ns != 0 ? s->stop_ns : now_ns;
    mg_put_time(w, "start", s->start_ns);
    mg_put_time(w, "last_activity", s->last_ns);
    if (s->stop_ns != 0) {
        mg_put_time(w, "stop", s->stop_ns);
        mg_jw_kstr(w, "reason", mg_close_reason_text(s->reason));
    }
    mg_jw_kstr(w, "rtt", mg_fmt_duration(buf, shown_rtt(s->rtt_ns)));
    mg_jw_kstr(w, "uptime", mg_fmt_uptime(buf, span(s->start_ns, end)));
    mg_jw_kstr(w, "idle", mg_fmt_uptime(buf, span(s->last_ns, end)));
}

static void put_counts(struct mg_jw *w, const struct mg_conn_stats *s) {
    mg_jw_kuint(w, "pending_bytes", s->pending);
    mg_jw_kuint(w, "in_msgs", s->in_msgs);
    mg_jw_kuint(w, "out_msgs", s->out_msgs);
    mg_jw_kuint(w, "in_bytes", s->in_bytes);
    mg_jw_kuint(w, "out_bytes", s->out_bytes);
    mg_opt_uint(w, "stalls", s->stalls);
    mg_jw_kuint(w, "subscriptions", s->nsubs);
}

static void put_certs(struct mg_jw *w, const struct mg_conn_row *r) {
    if (r->ncerts == 0) return;
    mg_jw_key(w, "tls_peer_certs");
    mg_jw_arr(w);
    for (size_t i = 0; i < r->ncerts; i++) {
        mg_jw_obj(w);
        mg_opt_slice(w, "subject", r->certs[i].subject);
        mg_opt_slice(w, "spki_sha256", r->certs[i].spki_sha256);
        mg_opt_slice(w, "cert_sha256", r->certs[i].cert_sha256);
        mg_jw_end_obj(w);
    }
    mg_jw_end_arr(w);
}

static void put_subs(struct mg_jw *w, const struct mg_connz_query *q, const struct mg_conn_row *r) {
    if (r->nsubs == 0 || !mg_connz_wants_subs(q)) return;
    mg_jw_key(w, q->subs_detail ? "subscriptions_list_detail" : "subscriptions_list");
    mg_jw_arr(w);
    for (size_t i = 0; i < r->nsubs; i++) {
        if (q->subs_detail)
            mg_put_sub(w, &r->subs[i]);
        else
            mg_jw_str(w, r->subs[i].subject);
    }
    mg_jw_end_arr(w);
}

// Closed connections keep these also when auth was not asked for; jwt and the rest of it are empty without JWTs.
static void put_identity(struct mg_jw *w, const struct mg_connz_query *q, const struct mg_conn_row *r) {
    bool closed = r->s.stop_ns != 0, global = mg_slice_eq(r->account, MG_S("$G"));
    if (!q->auth && !closed) return;
    mg_opt_slice(w, "jwt", r->jwt);
    mg_opt_slice(w, "issuer_key", r->issuer_key);
    if (q->auth && !(closed && global)) mg_opt_slice(w, "name_tag", r->name_tag.n != 0 ? r->name_tag : r->account);
    if (r->ntags == 0) return;
    mg_jw_key(w, "tags");
    mg_jw_arr(w);
    for (size_t i = 0; i < r->ntags; i++) mg_jw_str(w, r->tags[i]);
    mg_jw_end_arr(w);
}

static void put_conn(struct mg_jw *w, const struct mg_connz *c, const struct mg_conn_row *r) {
    const struct mg_connz_query *q = c->q;
    mg_jw_obj(w);
    mg_jw_kuint(w, "cid", r->s.cid);
    mg_jw_kstr(w, "kind", kind_text(r->s.kind));
    mg_opt_str(w, "type", type_text(r->s.type));
    mg_put_slice(w, "ip", r->ip);
    mg_jw_kuint(w, "port", r->s.port);
    put_times(w, &r->s, c->now_ns);
    put_counts(w, &r->s);
    mg_opt_slice(w, "name", r->name);
    mg_opt_slice(w, "lang", r->lang);
    mg_opt_slice(w, "version", r->version);
    mg_opt_slice(w, "tls_version", r->tls_version);
    mg_opt_slice(w, "tls_cipher_suite", r->tls_cipher);
    if (q->auth) put_certs(w, r);
    mg_opt_bool(w, "tls_first", r->s.tls_first);
    if (q->auth) {
        mg_opt_slice(w, "authorized_user", r->user);
        if (!mg_slice_eq(r->account, MG_S("$G"))) mg_opt_slice(w, "account", r->account);
    }
    put_subs(w, q, r);
    put_identity(w, q, r);
    mg_opt_slice(w, "mqtt_client", r->mqtt_client);
    if (r->proxy_key.n != 0) {
        mg_jw_key(w, "proxy");
        mg_jw_obj(w);
        mg_put_slice(w, "key", r->proxy_key);
        mg_jw_end_obj(w);
    }
    mg_jw_end_obj(w);
}

struct place {
    uint64_t order, cid;
    size_t row;
};

static int compare_places(const void *pa, const void *pb) {
    const struct place *a = pa, *b = pb;
    if (a->order != b->order) return a->order < b->order ? -1 : 1;
    return a->cid < b->cid ? -1 : a->cid > b->cid;
}

static void put_conns(struct mg_jw *w, const struct mg_connz *c, const struct mg_conn_rows *rows) {
    struct place *places = mg_alloc((rows->n + 1) * sizeof(*places));
    for (size_t i = 0; i < rows->n; i++) {
        const struct mg_conn_stats *s = &rows->v[i].s;
        places[i] = (struct place){mg_connz_order(c->q->sort, s, c->now_ns), s->cid, i};
    }
    qsort(places, rows->n, sizeof(*places), compare_places);
    mg_jw_arr(w);
    for (size_t i = 0; i < rows->n; i++) put_conn(w, c, &rows->v[places[i].row]);
    mg_jw_end_arr(w);
    mg_free(places);
}

void mg_connz_render(const struct mg_connz *c, const char *server_id, const struct mg_conn_rows *rows,
                     struct mg_buf *out) {
    struct mg_jw w;
    mg_jw_init(&w, out, MG_JSON_INDENT);
    mg_jw_obj(&w);
    mg_jw_kstr(&w, "server_id", c->unknown_account ? "" : server_id);
    mg_put_time(&w, "now", c->now_ns);
    mg_jw_kuint(&w, "num_connections", c->unknown_account ? 0 : rows->n);
    mg_jw_kuint(&w, "total", c->unknown_account ? 0 : c->total);
    mg_jw_kint(&w, "offset", c->q->offset);
    mg_jw_kint(&w, "limit", c->q->limit);
    mg_jw_key(&w, "connections");
    if (c->unknown_account)
        mg_jw_null(&w);
    else
        put_conns(&w, c, rows);
    mg_jw_end_obj(&w);
}
