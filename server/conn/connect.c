// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// CONNECT and who it is (spec/client-protocol.md A1, A3; spec/accounts-security.md 1). A bcrypt password is checked
// on a worker thread; until its verdict the bytes behind CONNECT stay unparsed and unanswered.
#include "server/account/cred_cache.h"
#include "server/account/errtext.h"
#include "server/account/password.h"
#include "server/account/responses.h"
#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/conn/conn.h"

#define BCRYPT_AT_ONCE 2u // workers a shard uses for passwords

void conn_set_user(struct mg_conn *c, const struct mg_auth_user *user, enum mg_auth_id id) {
    if (c->auth != c->core->settings->auth) {
        mg_auth_unref(c->auth);
        c->auth = mg_auth_ref(c->core->settings->auth);
    }
    c->user = user;
    c->auth_id = (uint8_t)id;
    const struct mg_perms *perms = user ? user->perms : NULL;
    if (c->rare && c->rare->responses) {
        mg_responses_free(c->rare->responses);
        c->rare->responses = NULL;
    }
    c->filters = perms != NULL;
}

// ---- verdicts -------------------------------------------------------------------------------------------------------

static void denied(struct mg_conn *c, const struct mg_auth_who *who, bool proxy_required) {
    struct mg_buf text = MG_BUF_INIT;
    mg_log_auth(&text, who);
    conn_log(c, MG_LOG_ERR, "%.*s", (int)text.len, text.p);
    mg_buf_fini(&text);
    c->core->counters.auth_errors++;
    conn_close_err(c, proxy_required ? MG_CLOSE_PROXY_REQUIRED : MG_CLOSE_AUTH_FAILURE, MG_ERR_AUTH_VIOLATION);
}

static void refused(struct mg_conn *c, enum mg_close_reason reason, const char *text) {
    conn_err(c, mg_cstr(text));
    conn_log(c, MG_LOG_ERR, "%s", text);
    conn_close(c, reason);
}

static void accepted(struct mg_conn *c) {
    const struct mg_connect *o = c->opts;
    bool server_headers = !c->core->settings->opts->no_header_support;
    if (o->account[0] || o->new_account) {
        struct mg_auth_who who;
        conn_who(c, &who);
        denied(c, &who, false);
        return;
    }
    c->connected = true;
    if (o->protocol != 0 && o->protocol != 1) {
        refused(c, MG_CLOSE_BAD_PROTOCOL_VERSION, "invalid client protocol");
        return;
    }
    c->headers = o->headers && server_headers;
    if (o->no_responders && !c->headers) {
        refused(c, MG_CLOSE_NO_RESPONDERS_HEADERS, "no responders requires headers support");
        return;
    }
    c->no_responders = o->no_responders;
    c->verbose = o->verbose;
    c->pedantic = o->pedantic;
    c->echo = o->echo;
    c->info_async = o->protocol >= 1;
    c->authed = true;
    conn_first_ping(c);
    conn_ok(c);
}

// A verdict is in; `without_connect`: for a client that sent something else first, or whose CONNECT was long ago.
static bool verdict(struct mg_conn *c, const struct mg_auth_result *r, bool without_connect) {
    if (r->verdict != MG_AUTH_OK) {
        conn_set_user(c, NULL, MG_AUTH_ID_NONE);
        denied(c, &r->who, r->proxy_required);
        return false;
    }
    if (r->user_replaced) conn_log(c, MG_LOG_WRN, "User in CONNECT overruled by the one of the client certificate");
    conn_set_user(c, r->user, r->who.id);
    if (without_connect) {
        bool again = c->authed;
        c->authed = true;
        if (again) conn_recheck_subs(c);
        else conn_timer_start(c);
    } else {
        accepted(c);
    }
    return true;
}

// ---- bcrypt on a worker --------------------------------------------------------------------------------------------

static void bcrypt_run(struct mg_work *w) {
    struct mg_conn_rare *rare = mg_container_of(w, struct mg_conn_rare, work);
    rare->work_result = mg_bcrypt_verify(rare->verdict.hash, rare->verdict.password);
}

static void bcrypt_start(struct mg_core *core);
static bool authenticate(struct mg_conn *c, bool without_connect);

// What the worker found, unless the configuration has changed meanwhile: its users are gone then, and all begins anew.
static void bcrypt_verdict(struct mg_conn *c, struct mg_auth *asked) {
    struct mg_conn_rare *rare = c->rare;
    struct mg_auth_result *r = &rare->verdict;
    if (asked != c->core->settings->auth) {
        authenticate(c, rare->without_connect);
        return;
    }
    if (rare->work_result) mg_cred_cache_add(c->core->creds, r->hash, r->password);
    mg_auth_finish(r, rare->work_result);
    verdict(c, r, rare->without_connect);
}

static void bcrypt_done(struct mg_work *w) {
    struct mg_conn_rare *rare = mg_container_of(w, struct mg_conn_rare, work);
    struct mg_conn *c = rare->conn;
    struct mg_core *core = c->core;
    core->bcrypt_running--;
    rare->work_running = false;
    bcrypt_start(core);
    mg_shard_input(core->shard);
    struct mg_auth *asked = rare->work_auth;
    rare->work_auth = NULL;
    if (conn_alive(c)) bcrypt_verdict(c, asked);
    mg_auth_unref(asked);
    if (rare->work_auth == NULL) conn_resume(c, MG_PAUSE_VERDICT); // else it is being checked once more
    conn_release(c);
}

static void bcrypt_start(struct mg_core *core) {
    while (core->bcrypt_running < BCRYPT_AT_ONCE && !mg_list_empty(&core->bcrypt_waiting)) {
        struct mg_conn_rare *rare = mg_container_of(core->bcrypt_waiting.next, struct mg_conn_rare, work_link);
        mg_list_remove(&rare->work_link);
        rare->work.run = bcrypt_run;
        rare->work.done = bcrypt_done;
        rare->work_running = true;
        core->bcrypt_running++;
        mg_loop_work(core->loop, &rare->work);
    }
}

// Jobs of connections that go away are taken out of the queue by close.c.
static void check_bcrypt(struct mg_conn *c, const struct mg_auth_result *r, bool without_connect) {
    struct mg_core *core = c->core;
    struct mg_conn_rare *rare = conn_rare(c);
    mg_assert(rare->work_auth == NULL); // one at a time
    rare->verdict = *r;
    rare->without_connect = without_connect;
    rare->work_auth = mg_auth_ref(core->settings->auth); // r points into it
    conn_pause(c, MG_PAUSE_VERDICT);
    mg_list_push_back(&core->bcrypt_waiting, &rare->work_link);
    bcrypt_start(core);
}

// ---- deciding ------------------------------------------------------------------------------------------------------

static mg_slice text(const char *s) { return mg_cstr(s); }

void conn_auth_request(struct mg_conn *c, struct mg_auth_request *req) {
    *req = (struct mg_auth_request){.nonce = text(c->nonce), .conn_type = MG_CONN_STANDARD};
    if (c->opts) {
        req->user = text(c->opts->user);
        req->pass = text(c->opts->pass);
        req->token = text(c->opts->auth_token);
        req->nkey = text(c->opts->nkey);
        req->sig = text(c->opts->sig);
    }
}

static bool authenticate(struct mg_conn *c, bool without_connect) {
    struct mg_core *core = c->core;
    struct mg_auth_request req;
    struct mg_auth_result r;
    struct mg_tls_peer peer = {0};
    conn_auth_request(c, &req);
    if (c->tls && c->rare && c->rare->tls) {
        mg_tls_peer_get(c->rare->tls, &peer);
        req.peer = &peer;
    }
    mg_auth_begin(core->settings->auth, &req, &r);
    // Names that came from the certificate must not outlive it: what is kept points into the snapshot.
    bool waits = false;
    if (r.verdict == MG_AUTH_BCRYPT) {
        if (mg_cred_cache_has(core->creds, r.hash, r.password)) mg_auth_finish(&r, true);
        else waits = true;
    }
    bool ok = true;
    if (waits) check_bcrypt(c, &r, without_connect);
    else ok = verdict(c, &r, without_connect);
    if (req.peer) mg_tls_peer_fini(&peer);
    return ok;
}

bool conn_auth_without_connect(struct mg_conn *c) {
    if (!mg_auth_without_connect(c->core->settings->auth, MG_CONN_STANDARD)) {
        denied(c, &(struct mg_auth_who){.id = MG_AUTH_ID_NONE}, false);
        return false;
    }
    return authenticate(c, true) && !c->pause;
}

void conn_authenticate_again(struct mg_conn *c) { authenticate(c, true); }

void conn_on_connect(struct mg_conn *c, const struct mg_cmd *cmd) {
    if (conn_traced(c)) conn_trace_connect(c, cmd->args);
    if (c->opts == NULL) {
        c->opts = mg_alloc(sizeof(*c->opts));
        mg_connect_init(c->opts);
    }
    if (mg_connect_decode(c->opts, cmd->args) != 0) {
        conn_log(c, MG_LOG_ERR, "processConnect Parse Error: CONNECT is not valid");
        conn_close(c, MG_CLOSE_PROTOCOL_VIOLATION);
        return;
    }
    // A second CONNECT begins anew: its subscriptions go first (spec/client-protocol.md A1).
    if (c->connected) conn_sub_drop_all(c);
    c->auth_timer = false;
    mg_timer_stop(mg_shard_wheel(c->core->shard), &c->timer);
    if (c->rtt_ns == 0) {
        c->rtt_guessed = true;
        c->rtt_ns = mg_loop_now(c->core->loop) - c->start_at + 1;
    }
    authenticate(c, false);
}
