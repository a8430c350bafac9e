// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The reload difference. Most options are decided by their row in the option table; the rest (ports, tls,
// authorization, JetStream, inactive blocks) have a function each below.
//
// A reload is all or nothing: the first difference that a running server cannot take ends the comparison. Texts with
// secrets (user, password, token) never show values.
#include "server/config/reload.h"

#include <stdarg.h>
#include <string.h>

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/sizefmt.h"
#include "server/base/timefmt.h"
#include "server/config/table.h"

struct pair {
    const struct mg_options *a, *b; // old, new
    struct mg_reload_diff *d;
};

static void change(struct pair *p, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void change(struct pair *p, const char *key, const char *fmt, ...) {
    struct mg_buf b = MG_BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    mg_buf_adds(&b, "Reloaded: ");
    mg_buf_vaddf(&b, fmt, ap);
    mg_buf_addc(&b, '\0');
    va_end(ap);
    p->d->changes = mg_realloc(p->d->changes, (p->d->n + 1) * sizeof(*p->d->changes));
    p->d->changes[p->d->n++] = (struct mg_reload_change){key, b.p};
}

static int unsupported(struct pair *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int unsupported(struct pair *p, const char *fmt, ...) {
    struct mg_buf b = MG_BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    mg_buf_adds(&b, "config reload not supported for ");
    mg_buf_vaddf(&b, fmt, ap);
    mg_buf_addc(&b, '\0');
    va_end(ap);
    mg_free(p->d->unsupported);
    p->d->unsupported = b.p;
    return MG_EUNSUPPORTED;
}

static const char *text(const char *s) { return s ? s : ""; }
static bool same(const char *s, const char *t) { return strcmp(text(s), text(t)) == 0; }

static int unsupported_row(struct pair *p, const struct mg_conf_option *opt) {
    struct mg_buf a = MG_BUF_INIT, b = MG_BUF_INIT;
    mg_conf_option_show(opt, p->a, &a);
    mg_conf_option_show(opt, p->b, &b);
    int rc = unsupported(p, "%s: old=%.*s, new=%.*s", opt->go_name, (int)a.len, text(a.p), (int)b.len, text(b.p));
    mg_buf_fini(&a);
    mg_buf_fini(&b);
    return rc;
}

// ---- tls ---------------------------------------------------------------------------------------------------------

static int diff_tls(struct pair *p) {
    const struct mg_tls_options *a = &p->a->tls_opts, *b = &p->b->tls_opts;
    if (p->a->tls && p->b->tls && a->verify_and_map != b->verify_and_map)
        return unsupported(p, "TLSMap: old=%s, new=%s", a->verify_and_map ? "true" : "false",
                           b->verify_and_map ? "true" : "false");
    if (a->rate_limit != b->rate_limit)
        return unsupported(p, "TLSRateLimit: old=%lld, new=%lld", (long long)a->rate_limit, (long long)b->rate_limit);
    // The files may hold new certificates under the old names, so an enabled tls is always loaded again.
    if (p->a->tls || p->b->tls) change(p, "tls", "tls = %s", p->b->tls ? "enabled" : "disabled");
    if (a->timeout_ns != b->timeout_ns) change(p, "tls", "tls timeout = %g", (double)b->timeout_ns / 1e9);
    if (!mg_strlist_eq(&a->pinned_certs, &b->pinned_certs)) change(p, "tls", "%zu pinned_certs", b->pinned_certs.n);
    if ((a->first == MG_TLS_FIRST_OFF) != (b->first == MG_TLS_FIRST_OFF))
        change(p, "tls", "Client TLS handshake first: %s", b->first != MG_TLS_FIRST_OFF ? "true" : "false");
    if (a->first_wait_ns != b->first_wait_ns) {
        char wait[40];
        change(p, "tls", "Client TLS handshake first fallback delay: %s",
               mg_fmt_duration(wait, (int64_t)b->first_wait_ns));
    }
    return MG_OK;
}

// ---- who may connect ---------------------------------------------------------------------------------------------

static bool same_nkeys(const struct mg_options *a, const struct mg_options *b) {
    size_t i = 0, k = 0;
    for (;;) {
        while (i < a->nusers && a->users[i].nkey == NULL)
            i++;
        while (k < b->nusers && b->users[k].nkey == NULL)
            k++;
        if (i == a->nusers || k == b->nusers) return i == a->nusers && k == b->nusers;
        if (strcmp(a->users[i++].nkey, b->users[k++].nkey) != 0) return false;
    }
}

static int diff_authorization(struct pair *p) {
    const struct mg_options *a = p->a, *b = p->b;
    if (a->proxy_required != b->proxy_required)
        return unsupported(p, "ProxyRequired: old=%s, new=%s", a->proxy_required ? "true" : "false",
                           b->proxy_required ? "true" : "false");
    if (!same(a->user, b->user)) change(p, "authorization", "authorization username");
    if (!same(a->password, b->password)) change(p, "authorization", "authorization password");
    if (!same(a->token, b->token)) change(p, "authorization", "authorization token");
    if (a->auth_timeout_s < b->auth_timeout_s || a->auth_timeout_s > b->auth_timeout_s)
        change(p, "authorization", "authorization timeout = %g", b->auth_timeout_s);
    if (!same_nkeys(a, b)) change(p, "authorization", "authorization nkey users");
    change(p, "authorization", "authorization users");
    return MG_OK;
}

// It may go if the user that it named goes too.
static int diff_no_auth_user(struct pair *p, const struct mg_conf_option *opt) {
    if (same(p->a->no_auth_user, p->b->no_auth_user)) return MG_OK;
    if (p->a->no_auth_user == NULL || p->b->no_auth_user != NULL) return unsupported_row(p, opt);
    for (size_t i = 0; i < p->b->nusers; i++)
        if (same(p->b->users[i].user, p->a->no_auth_user)) return unsupported_row(p, opt);
    return MG_OK;
}

static int diff_system_account(struct pair *p, const struct mg_conf_option *opt) {
    const char *a = p->a->system_account ? p->a->system_account : "$SYS";
    const char *b = p->b->system_account ? p->b->system_account : "$SYS";
    return same(a, b) ? MG_OK : unsupported_row(p, opt);
}

// ---- the rest ----------------------------------------------------------------------------------------------------

static int diff_http_host(struct pair *p) {
    // Unset, monitoring follows `host`, whose change is refused by its own row.
    if (p->b->http_port == 0 && p->b->https_port == 0) return MG_OK;
    const char *a = p->a->http_host ? p->a->http_host : p->a->host;
    const char *b = p->b->http_host ? p->b->http_host : p->b->host;
    return same(a, b) ? MG_OK : unsupported(p, "HTTPHost: old=%s, new=%s", text(a), text(b));
}

// A block with which no server would start cannot come in by the back door.
static int diff_inactive(struct pair *p) {
    for (size_t i = 0; i < p->b->ninactive; i++) {
        const struct mg_inactive_block *b = &p->b->inactive[i];
        const struct mg_inactive_block *a = mg_options_inactive(p->a, b->name);
        if (b->refuse && (a == NULL || !a->refuse)) return unsupported(p, "%s: old=[], new=[configured]", b->name);
    }
    return MG_OK;
}

static int diff_sync(struct pair *p) {
    int64_t ns[] = {p->a->js.sync_interval, p->b->js.sync_interval};
    char text[2][40] = {"always", "always"};
    for (int i = 0; i < 2; i++)
        if (ns[i]) mg_fmt_duration(text[i], ns[i]);
    return unsupported(p, "SyncInterval: old=%s, new=%s", text[0], text[1]);
}

// spec/jetstream-streams.md 21: bounds that were set may grow. Unlike in the reference, JetStream itself and what its
// store was opened with stay as they are until the next start.
static int diff_jetstream(struct pair *p) {
    const struct mg_js_options *a = &p->a->js, *b = &p->b->js;
    if (p->a->jetstream != p->b->jetstream)
        return unsupported(p, "JetStream: old=%s, new=%s", p->a->jetstream ? "true" : "false",
                           p->b->jetstream ? "true" : "false");
    if (!p->a->jetstream) return MG_OK;
    if (a->max_memory_set != b->max_memory_set || a->max_store_set != b->max_store_set)
        return unsupported(p, "jetstream dynamic max memory and store");
    if (b->max_memory < a->max_memory || b->max_store < a->max_store)
        return unsupported(p, "decreasing jetstream max memory and store");
    if (a->store_memory != b->store_memory) return unsupported(p, "jetstream store_memory");
    if (!same(a->domain, b->domain))
        return unsupported(p, "JetStreamDomain: old=%s, new=%s", text(a->domain), text(b->domain));
    if (!same(a->unique_tag, b->unique_tag)) return unsupported(p, "JetStreamUniqueTag");
    if (a->sync_interval != b->sync_interval) return diff_sync(p);
    if (a->strict != b->strict) return unsupported(p, "NoJetStreamStrict");
    if (a->max_ack_pending != b->max_ack_pending || a->max_request_batch != b->max_request_batch ||
        a->duplicate_window != b->duplicate_window)
        return unsupported(p, "JetStreamLimits");
    if (a->max_buffered_size != b->max_buffered_size || a->max_buffered_msgs != b->max_buffered_msgs)
        return unsupported(p, "StreamMaxBufferedMsgs");
    if (a->request_queue_limit != b->request_queue_limit || a->info_queue_limit != b->info_queue_limit)
        return unsupported(p, "JetStreamRequestQueueLimit");
    char size[40];
    if (a->max_memory != b->max_memory)
        change(p, "jetstream", "JetStream max_mem_store = %s", mg_fmt_size(size, b->max_memory));
    if (a->max_store != b->max_store)
        change(p, "jetstream", "JetStream max_file_store = %s", mg_fmt_size(size, b->max_store));
    return MG_OK;
}

static int diff_custom(struct pair *p, const struct mg_conf_option *opt) {
    const struct mg_options *a = p->a, *b = p->b;
    const char *keys = opt->keys;
    if (strcmp(keys, "port") == 0) return b->port == -1 || b->port == a->port ? MG_OK : unsupported_row(p, opt);
    if (strcmp(keys, "http") == 0) return diff_http_host(p);
    if (strcmp(keys, "tls") == 0) return diff_tls(p);
    if (strcmp(keys, "authorization") == 0) return diff_authorization(p);
    if (strncmp(keys, "no_auth_user", 12) == 0) return diff_no_auth_user(p, opt);
    if (strncmp(keys, "system_account", 14) == 0) return diff_system_account(p, opt);
    if (strncmp(keys, "mappings", 8) == 0) change(p, "mappings", "accounts");
    else if (strcmp(keys, "no_fast_producer_stall") == 0 && a->no_fast_producer_stall != b->no_fast_producer_stall)
        change(p, keys, "fast producers will %sbe stalled", b->no_fast_producer_stall ? "not " : "");
    else if (strcmp(keys, "jetstream") == 0) return diff_jetstream(p);
    else if (strncmp(keys, "store_dir", 9) == 0 && a->jetstream && b->jetstream && !same(a->store_dir, b->store_dir))
        return unsupported(p, "jetstream storage directory");
    return MG_OK;
}

static int diff_row(struct pair *p, const struct mg_conf_option *opt) {
    if (opt->reload == MG_CONF_RELOAD_CUSTOM) return diff_custom(p, opt);
    if (mg_conf_option_eq(opt, p->a, p->b)) return MG_OK;
    if (opt->reload == MG_CONF_RELOAD_NO) return unsupported_row(p, opt);
    struct mg_buf value = MG_BUF_INIT;
    mg_conf_option_show(opt, p->b, &value);
    if (opt->label) change(p, opt->keys, "%s", opt->label);
    else change(p, opt->keys, "%.*s = %.*s", (int)strcspn(opt->keys, " "), opt->keys, (int)value.len, text(value.p));
    mg_buf_fini(&value);
    return MG_OK;
}

int mg_options_diff(const struct mg_options *old, const struct mg_options *new_, struct mg_reload_diff *out) {
    *out = (struct mg_reload_diff){0};
    struct pair p = {old, new_, out};
    int rc = diff_inactive(&p);
    for (const struct mg_conf_option *opt = mg_conf_table; opt->keys && rc == MG_OK; opt++)
        rc = diff_row(&p, opt);
    return rc;
}

void mg_reload_diff_fini(struct mg_reload_diff *d) {
    for (size_t i = 0; i < d->n; i++)
        mg_free(d->changes[i].line);
    mg_free(d->changes);
    mg_free(d->unsupported);
    *d = (struct mg_reload_diff){0};
}

bool mg_reload_changed(const struct mg_reload_diff *d, const char *key) {
    size_t n = strlen(key);
    for (size_t i = 0; i < d->n; i++) {
        const char *k = d->changes[i].keys;
        if (strcspn(k, " ") == n && strncmp(k, key, n) == 0) return true;
    }
    return false;
}
