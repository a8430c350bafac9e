// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The table of top-level options and what can be done with one entry: default, set, compare, show, clear.
//
// A row with a field is handled by its kind alone. A row with a parse function sets one or more fields itself; if it
// also has a kind, the field is still defaulted, compared and freed by it. Blocks have no field and a parse function.
// Ranges are those of the reference; values that it takes and then trips over (ports above 65535, negative intervals)
// are refused here instead.
#include "server/config/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/base/timefmt.h"
#include "server/config/process.h"

static void parse_listen(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    char *host = NULL;
    if (mg_conf_get_listen(c, v, &host, &c->o->port)) mg_str_set(&c->o->host, host ? host : "0.0.0.0");
    if (c->o->port == 0) c->o->port = 4222;
    mg_free(host);
}

static void parse_http(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    mg_conf_get_listen(c, v, &c->o->http_host, &c->o->http_port);
}

static void parse_https(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    mg_conf_get_listen(c, v, &c->o->http_host, &c->o->https_port);
}

static void parse_server_name(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    if (v->type == MG_CONF_STRING && strchr(v->str, ' ') != NULL) {
        mg_conf_error(c, v, "server name cannot contain spaces");
        return;
    }
    if (mg_conf_get_str(c, v, &c->o->server_name) && *c->o->server_name == '\0') mg_str_set(&c->o->server_name, NULL);
}

// Tags are a set of lower-case words.
static void parse_tags(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    struct mg_strlist raw = {0};
    mg_conf_get_strings(c, v, "tags", &raw);
    for (size_t i = 0; i < raw.n; i++) {
        char *s = raw.v[i] + strspn(raw.v[i], " \t\r\n");
        size_t n = strlen(s);
        while (n > 0 && strchr(" \t\r\n", s[n - 1]) != NULL)
            s[--n] = '\0';
        for (char *p = s; *p; p++)
            if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
        if (n > 0 && !mg_strlist_has(&c->o->tags, s)) mg_strlist_add(&c->o->tags, s);
    }
    mg_strlist_fini(&raw);
}

static void parse_string_map(struct mg_conf_ctx *c, const struct mg_conf_value *v, const char *what,
                             struct mg_strlist *out) {
    if (v->type != MG_CONF_MAP) {
        mg_conf_error(c, v, "error parsing %s: unsupported type %s", what, mg_conf_type_name(v));
        return;
    }
    for (size_t i = 0; i < v->list.n; i++) {
        const struct mg_conf_value *m = &v->list.v[i];
        if (m->type != MG_CONF_STRING) {
            mg_conf_wrong_type(c, m, "string");
            continue;
        }
        mg_strlist_add(out, m->key);
        mg_strlist_add(out, m->str);
    }
    mg_strlist_sort_pairs(out);
}

static void parse_metadata(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    parse_string_map(c, v, "metadata", &c->o->metadata);
}

static void parse_js_domains(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    parse_string_map(c, v, "default_js_domain", &c->o->js_domains);
}

static void parse_feature_flags(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    if (v->type != MG_CONF_MAP) {
        mg_conf_error(c, v, "error parsing feature flags: unsupported type %s", mg_conf_type_name(v));
        return;
    }
    for (size_t i = 0; i < v->list.n; i++) {
        const struct mg_conf_value *m = &v->list.v[i];
        if (m->type != MG_CONF_BOOL) {
            mg_conf_error(c, m, "error parsing feature flag \"%s\": expected bool, got %s", m->key,
                          mg_conf_type_name(m));
            continue;
        }
        mg_strlist_add(&c->o->feature_flags, m->key);
        mg_strlist_add(&c->o->feature_flags, m->b ? "true" : "false");
    }
    mg_strlist_sort_pairs(&c->o->feature_flags);
}

// Both imply trace. Turning them off does not: `trace: true` beside `trace_verbose: false` stays on.
static void parse_trace_verbose(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    if (mg_conf_get_bool(c, v, &c->o->trace_verbose)) c->o->trace |= c->o->trace_verbose;
}

static void parse_trace_headers(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    if (mg_conf_get_bool(c, v, &c->o->trace_headers)) c->o->trace |= c->o->trace_headers;
}

// B6: a configured 0 refuses all connections, it is not the default.
static void parse_max_connections(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    if (mg_conf_get_int(c, v, &c->o->max_connections) && c->o->max_connections == 0) c->o->max_connections = -1;
}

static void parse_max_sub_tokens(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    int64_t n = 0;
    if (!mg_conf_get_int(c, v, &n)) return;
    if (n > 255) mg_conf_error(c, v, "%s value is too big", v->key);
    else if (n <= 0) mg_conf_error(c, v, "%s value can not be negative", v->key);
    else c->o->max_sub_tokens = n;
}

static void parse_write_timeout(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    bool known = v->type == MG_CONF_STRING && (strcmp(v->str, "default") == 0 || strcmp(v->str, "close") == 0 ||
                                               strcmp(v->str, "retry") == 0);
    if (v->type == MG_CONF_STRING && !known) mg_conf_error(c, v, "write_timeout must be 'default', 'close' or 'retry'");
    else mg_conf_get_str(c, v, &c->o->write_timeout);
}

static void parse_lame_duck_duration(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    char text[40], err[256];
    int64_t ns = 0;
    if (v->type != MG_CONF_STRING) mg_conf_wrong_type(c, v, "string");
    else if (!mg_conf_parse_duration(v->str, &ns, err, sizeof(err)))
        mg_conf_error(c, v, "error parsing lame_duck_duration: %s", err);
    else if (ns < (int64_t)(30 * MG_SEC))
        mg_conf_error(c, v, "invalid lame_duck_duration of %s, minimum is 30 seconds", mg_fmt_duration(text, ns));
    else c->o->lame_duck_duration_ns = (uint64_t)ns;
}

static void parse_lame_duck_grace(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    char err[256];
    int64_t ns = 0;
    if (v->type != MG_CONF_STRING) mg_conf_wrong_type(c, v, "string");
    else if (!mg_conf_parse_duration(v->str, &ns, err, sizeof(err)))
        mg_conf_error(c, v, "error parsing lame_duck_grace_period: %s", err);
    else if (ns < 0) mg_conf_error(c, v, "invalid lame_duck_grace_period, needs to be positive");
    else if (ns > 0) c->o->lame_duck_grace_ns = (uint64_t)ns;
}

// B6: these names count in exact lower case only; other spellings are taken and ignored.
static void parse_system_account(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    if (strcmp(v->key, "system_account") != 0 && strcmp(v->key, "system") != 0) return;
    if (v->type != MG_CONF_STRING) mg_conf_error(c, v, "system account name must be a string");
    else mg_conf_get_str(c, v, &c->o->system_account);
}

static void parse_store_dir(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    if (c->o->store_dir != NULL) mg_conf_error(c, v, "Duplicate 'store_dir' configuration");
    else mg_conf_get_str(c, v, &c->o->store_dir);
}

static void parse_shards(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    if (v->type == MG_CONF_STRING && strcasecmp(v->str, "auto") == 0) c->o->shards = 0;
    else if (v->type == MG_CONF_INT && v->i >= 1 && v->i <= 64) c->o->shards = (int)v->i;
    else mg_conf_error(c, v, "shards must be auto or a number from 1 to 64");
}

#define AT(field) .offset = offsetof(struct mg_options, field)
#define BOOL(field) .kind = MG_CONF_KIND_BOOL, AT(field)
#define STR(field) .kind = MG_CONF_KIND_STR, AT(field)
#define INT(field) .kind = MG_CONF_KIND_INT, AT(field)
#define PORT(field) .kind = MG_CONF_KIND_PORT, AT(field), .min = -1, .max = 65535
#define DUR(field) .kind = MG_CONF_KIND_DURATION, AT(field), .max = INT64_MAX
#define LIST(field) .kind = MG_CONF_KIND_LIST, AT(field)
#define NO(go) .reload = MG_CONF_RELOAD_NO, .go_name = go
#define YES .reload = MG_CONF_RELOAD_YES
#define CUSTOM(go) .reload = MG_CONF_RELOAD_CUSTOM, .go_name = go
#define BLOCK(fn) .reload = MG_CONF_RELOAD_CUSTOM, .parse = fn
#define INACTIVE BLOCK(mg_conf_block_inactive)

const struct mg_conf_option mg_conf_table[] = {
    // listeners
    {"listen", .parse = parse_listen, CUSTOM(NULL)},
    {"host net", STR(host), .def_str = "0.0.0.0", NO("Host")},
    {"port", PORT(port), .def = 4222, CUSTOM("Port")},
    {"client_advertise", STR(client_advertise), YES},
    {"http", .parse = parse_http, CUSTOM(NULL)},
    {"https", .parse = parse_https, CUSTOM(NULL)},
    {"http_port monitor_port", PORT(http_port), NO("HTTPPort")},
    {"https_port", PORT(https_port), NO("HTTPSPort")},
    {"http_base_path", STR(http_base_path), NO("HTTPBasePath")},
    {"prof_port", PORT(prof_port), NO("ProfPort")},
    {"prof_block_rate", INT(prof_block_rate), YES},
    // identity
    {"server_name", STR(server_name), .parse = parse_server_name, NO("ServerName")},
    {"server_tags", LIST(tags), .parse = parse_tags, YES, .label = "tags"},
    {"server_metadata", LIST(metadata), .parse = parse_metadata, YES, .label = "metadata"},
    {"feature_flags", LIST(feature_flags), .parse = parse_feature_flags, NO("FeatureFlags")},
    {"shards", .kind = MG_CONF_KIND_PORT, AT(shards), .parse = parse_shards, NO("Shards")},
    // logging
    {"debug", BOOL(debug), YES},
    {"trace", BOOL(trace), YES},
    {"trace_verbose", BOOL(trace_verbose), .parse = parse_trace_verbose, YES},
    {"trace_headers", BOOL(trace_headers), .parse = parse_trace_headers, YES},
    {"logtime", BOOL(logtime), .def = true, YES},
    {"logtime_utc", BOOL(logtime_utc), YES},
    {"log_file logfile", STR(log_file), YES},
    {"log_size_limit logfile_size_limit", INT(log_size_limit), NO("LogSizeLimit")},
    {"log_max_num logfile_max_num", INT(log_max_num), NO("LogMaxFiles")},
    {"max_traced_msg_len", INT(max_traced_msg_len), YES},
    {"syslog", BOOL(syslog), YES},
    {"remote_syslog", STR(remote_syslog), YES},
    {"pid_file pidfile", STR(pid_file), YES},
    {"ports_file_dir", STR(ports_file_dir), YES},
    {"connect_error_reports", INT(connect_error_reports), .def = 3600, YES},
    {"reconnect_error_reports", INT(reconnect_error_reports), .def = 1, YES},
    // limits
    {"max_connections max_conn", INT(max_connections), .def = 65536, .parse = parse_max_connections, YES},
    {"max_subscriptions max_subs", INT(max_subs), NO("MaxSubs")},
    {"max_subscription_tokens max_sub_tokens", INT(max_sub_tokens), .parse = parse_max_sub_tokens, NO("MaxSubTokens")},
    {"max_control_line", INT(max_control_line), .def = 4096, .max = INT32_MAX, YES},
    {"max_payload", INT(max_payload), .def = 1048576, .min = -1, .max = INT32_MAX, YES},
    {"max_pending", INT(max_pending), .def = 67108864, NO("MaxPending")},
    {"max_closed_clients", INT(max_closed_clients), .def = 10000, NO("MaxClosedClients")},
    {"ping_interval", DUR(ping_interval_ns), .def = 120 * (int64_t)MG_SEC, YES},
    {"ping_max", INT(ping_max), .def = 2, .max = INT32_MAX, YES},
    {"write_deadline", DUR(write_deadline_ns), .def = 10 * (int64_t)MG_SEC, YES},
    {"write_timeout", STR(write_timeout), .def_str = "default", .parse = parse_write_timeout, NO("WriteTimeout")},
    {"no_fast_producer_stall", BOOL(no_fast_producer_stall), CUSTOM(NULL)},
    {"lame_duck_duration", DUR(lame_duck_duration_ns), .def = 120 * (int64_t)MG_SEC,
     .parse = parse_lame_duck_duration, NO("LameDuckDuration")},
    {"lame_duck_grace_period", DUR(lame_duck_grace_ns), .def = 10 * (int64_t)MG_SEC,
     .parse = parse_lame_duck_grace, NO("LameDuckGracePeriod")},
    {"no_header_support", BOOL(no_header_support), NO("NoHeaderSupport")},
    {"disable_sublist_cache no_sublist_cache", BOOL(no_sublist_cache), NO("NoSublistCache")},
    // who may connect
    {"tls", BLOCK(mg_conf_block_tls)},
    {"allow_non_tls", BOOL(allow_non_tls), NO("AllowNonTLS")},
    {"authorization", BLOCK(mg_conf_block_authorization)},
    {"mappings maps", BLOCK(mg_conf_block_mappings)},
    {"no_auth_user", STR(no_auth_user), CUSTOM("NoAuthUser")},
    {"system_account system", STR(system_account), .parse = parse_system_account, CUSTOM("SystemAccount")},
    {"no_system_account no_system no_sys_acc", BOOL(no_system_account), NO("NoSystemAccount")},
    {"default_sentinel", STR(default_sentinel), YES},
    // JetStream
    {"jetstream", BOOL(jetstream), .parse = mg_conf_block_jetstream, CUSTOM(NULL)},
    {"store_dir storedir", STR(store_dir), .parse = parse_store_dir, CUSTOM("StoreDir")},
    {"default_js_domain", LIST(js_domains), .parse = parse_js_domains, NO("JsAccDefaultDomain")},
    // blocks of features that are not active
    {"accounts", BLOCK(mg_conf_block_accounts)},
    {"cluster", INACTIVE},
    {"gateway", INACTIVE},
    {"leafnodes leaf", INACTIVE},
    {"websocket ws", INACTIVE},
    {"mqtt", INACTIVE},
    {"ocsp", INACTIVE},
    {"ocsp_cache", INACTIVE},
    {"proxies", INACTIVE},
    {"proxy_protocol", INACTIVE},
    {"operator operators root roots root_operator root_operators", INACTIVE},
    {"trusted_keys trusted", INACTIVE},
    {"resolver account_resolver accounts_resolver", INACTIVE},
    {"resolver_tls", INACTIVE},
    {"resolver_preload", INACTIVE},
    {"resolver_pinned_accounts", INACTIVE},
    {NULL, .kind = MG_CONF_KIND_NONE},
};

// ---- one row -----------------------------------------------------------------------------------------------------

static const void *field_of(const struct mg_conf_option *opt, const struct mg_options *o) {
    return (const char *)o + opt->offset;
}

static void *field_in(const struct mg_conf_option *opt, struct mg_options *o) { return (char *)o + opt->offset; }

const struct mg_conf_option *mg_conf_option_find(const char *key) {
    struct mg_conf_value probe = {.key = (char *)(uintptr_t)key}; // only read
    for (const struct mg_conf_option *opt = mg_conf_table; opt->keys; opt++)
        if (mg_conf_key_is(&probe, opt->keys)) return opt;
    return NULL;
}

void mg_conf_option_default(const struct mg_conf_option *opt, struct mg_options *o) {
    switch (opt->kind) {
    case MG_CONF_KIND_NONE:
    case MG_CONF_KIND_LIST: break;
    case MG_CONF_KIND_BOOL: *(bool *)field_in(opt, o) = opt->def != 0; break;
    case MG_CONF_KIND_STR: mg_str_set(field_in(opt, o), opt->def_str); break;
    case MG_CONF_KIND_INT: *(int64_t *)field_in(opt, o) = opt->def; break;
    case MG_CONF_KIND_PORT: *(int *)field_in(opt, o) = (int)opt->def; break;
    case MG_CONF_KIND_DURATION: *(uint64_t *)field_in(opt, o) = (uint64_t)opt->def; break;
    }
}

void mg_conf_option_clear(const struct mg_conf_option *opt, struct mg_options *o) {
    if (opt->kind == MG_CONF_KIND_STR) mg_str_set(field_in(opt, o), NULL);
    if (opt->kind == MG_CONF_KIND_LIST) mg_strlist_fini(field_in(opt, o));
}

static bool in_range(struct mg_conf_ctx *c, const struct mg_conf_option *opt, const struct mg_conf_value *v,
                     int64_t n) {
    if (opt->min == 0 && opt->max == 0) return true;
    if (n > opt->max) mg_conf_error(c, v, "%s value is too big", v->key);
    if (n < opt->min) mg_conf_error(c, v, "%s value can not be negative", v->key);
    return n >= opt->min && n <= opt->max;
}

static void set_number(struct mg_conf_ctx *c, const struct mg_conf_option *opt, const struct mg_conf_value *v) {
    int64_t n = 0;
    bool is_duration = opt->kind == MG_CONF_KIND_DURATION;
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(opt->keys, " "), opt->keys);
    bool ok = is_duration ? mg_conf_get_duration(c, v, name, &n) : mg_conf_get_int(c, v, &n);
    if (!ok || !in_range(c, opt, v, n)) return;
    if (n == 0) n = opt->def;
    if (opt->kind == MG_CONF_KIND_INT) *(int64_t *)field_in(opt, c->o) = n;
    else if (is_duration) *(uint64_t *)field_in(opt, c->o) = (uint64_t)n;
    else *(int *)field_in(opt, c->o) = (int)n;
}

void mg_conf_option_set(struct mg_conf_ctx *c, const struct mg_conf_option *opt, const struct mg_conf_value *v) {
    if (opt->parse != NULL) {
        opt->parse(c, v);
        return;
    }
    switch (opt->kind) {
    case MG_CONF_KIND_BOOL: mg_conf_get_bool(c, v, field_in(opt, c->o)); break;
    case MG_CONF_KIND_STR: {
        char **s = field_in(opt, c->o);
        if (mg_conf_get_str(c, v, s) && **s == '\0') mg_str_set(s, opt->def_str);
        break;
    }
    case MG_CONF_KIND_INT:
    case MG_CONF_KIND_PORT:
    case MG_CONF_KIND_DURATION: set_number(c, opt, v); break;
    case MG_CONF_KIND_LIST:
    case MG_CONF_KIND_NONE: mg_assert(opt->parse != NULL); // such rows cannot do without
    }
}

bool mg_conf_option_eq(const struct mg_conf_option *opt, const struct mg_options *a, const struct mg_options *b) {
    const void *x = field_of(opt, a), *y = field_of(opt, b);
    switch (opt->kind) {
    case MG_CONF_KIND_NONE: break;
    case MG_CONF_KIND_BOOL: return *(const bool *)x == *(const bool *)y;
    case MG_CONF_KIND_INT: return *(const int64_t *)x == *(const int64_t *)y;
    case MG_CONF_KIND_PORT: return *(const int *)x == *(const int *)y;
    case MG_CONF_KIND_DURATION: return *(const uint64_t *)x == *(const uint64_t *)y;
    case MG_CONF_KIND_LIST: return mg_strlist_eq(x, y);
    case MG_CONF_KIND_STR: {
        const char *s = *(char *const *)x, *t = *(char *const *)y;
        return strcmp(s ? s : "", t ? t : "") == 0;
    }
    }
    return true;
}

void mg_conf_option_show(const struct mg_conf_option *opt, const struct mg_options *o, struct mg_buf *out) {
    const void *x = field_of(opt, o);
    char text[40];
    switch (opt->kind) {
    case MG_CONF_KIND_NONE: break;
    case MG_CONF_KIND_BOOL: mg_buf_adds(out, *(const bool *)x ? "true" : "false"); break;
    case MG_CONF_KIND_INT: mg_buf_addf(out, "%" PRId64, *(const int64_t *)x); break;
    case MG_CONF_KIND_PORT: mg_buf_addf(out, "%d", *(const int *)x); break;
    case MG_CONF_KIND_DURATION: mg_buf_adds(out, mg_fmt_duration(text, (int64_t)*(const uint64_t *)x)); break;
    case MG_CONF_KIND_STR:
        if (*(char *const *)x) mg_buf_adds(out, *(char *const *)x);
        break;
    case MG_CONF_KIND_LIST: {
        const struct mg_strlist *l = x;
        mg_buf_addc(out, '[');
        for (size_t i = 0; i < l->n; i++)
            mg_buf_addf(out, "%s%s", i ? " " : "", l->v[i]);
        mg_buf_addc(out, ']');
        break;
    }
    }
}
