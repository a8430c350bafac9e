// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Blocks whose features are not active: they are read and checked like the others, so that a config for nats-server
// loads and a typing error is still found, and then recorded by name in options.inactive.
//
// What a block may hold is a table of keys (spec/client-protocol.md B7), each with the kind of its value; a kind may be
// another table. A block that carries security (accounts, operators, callouts, trusted proxies) is recorded as one with
// which the server must not start: ignoring it would let clients do what its owner forbade.
#include <strings.h>

#include "server/base/mem.h"
#include "server/config/nkey_text.h"
#include "server/config/process.h"

enum kind {
    ANY,
    STRING,
    INTEGER,
    BOOLEAN,
    DURATION,   // Go duration, or seconds with a warning
    STRICT_DUR, // Go duration only
    SECONDS,    // int, float or duration
    SIZE,       // int or "10G"
    LISTEN,
    STRINGS, // string or array of strings
    URLS,    // the same
    STRING_MAP,
    SUBJECTS,
    PERMISSIONS,
    MAPPINGS,
    TLS,
    CLUSTER_TLS, // may check known URLs
    ROUTE_AUTH,  // authorization of cluster and gateway: one user
    USERS,
    ACCOUNT_NKEY,
    JETSTREAM, // bool, enabled/disabled or a block of `sub`
    WRITE_TIMEOUT,
    BLOCK,          // a map of `sub`
    BLOCKS,         // an array of them
    BLOCK_OR_OTHER, // a map of `sub`, or a scalar
};

struct key {
    const char *names;
    enum kind kind;
    const struct key *sub;
};

#define END {NULL, ANY, NULL}

static const struct key compression_keys[] = {
    {"mode", STRING, NULL}, {"rtt_thresholds thresholds rtts rtt", STRINGS, NULL}, END};

static const struct key cluster_keys[] = {
    {"name", STRING, NULL},
    {"listen", LISTEN, NULL},
    {"host net", STRING, NULL},
    {"port", INTEGER, NULL},
    {"authorization", ROUTE_AUTH, NULL},
    {"tls", CLUSTER_TLS, NULL},
    {"advertise cluster_advertise", STRING, NULL},
    {"no_advertise", BOOLEAN, NULL},
    {"routes", URLS, NULL},
    {"connect_retries", INTEGER, NULL},
    {"connect_backoff", BOOLEAN, NULL},
    {"permissions", PERMISSIONS, NULL},
    {"pool_size", INTEGER, NULL},
    {"accounts", STRINGS, NULL},
    {"compression", BLOCK_OR_OTHER, compression_keys},
    {"ping_interval", DURATION, NULL},
    {"ping_max", INTEGER, NULL},
    {"write_deadline", DURATION, NULL},
    {"write_timeout", WRITE_TIMEOUT, NULL},
    END};

static const struct key remote_gateway_keys[] = {
    {"name", STRING, NULL}, {"url", STRING, NULL}, {"urls", URLS, NULL}, {"tls", CLUSTER_TLS, NULL}, END};

static const struct key gateway_keys[] = {
    {"name", STRING, NULL},
    {"listen", LISTEN, NULL},
    {"host net", STRING, NULL},
    {"port", INTEGER, NULL},
    {"authorization", ROUTE_AUTH, NULL},
    {"tls", CLUSTER_TLS, NULL},
    {"advertise", STRING, NULL},
    {"connect_retries", INTEGER, NULL},
    {"connect_backoff", BOOLEAN, NULL},
    {"gateways", BLOCKS, remote_gateway_keys},
    {"reject_unknown_cluster reject_unknown", BOOLEAN, NULL},
    {"write_deadline", DURATION, NULL},
    {"write_timeout", WRITE_TIMEOUT, NULL},
    END};

static const struct key leaf_user_keys[] = {{"user username", STRING, NULL},
                                            {"password pass", STRING, NULL},
                                            {"account", STRING, NULL},
                                            {"proxy_required", BOOLEAN, NULL},
                                            END};

static const struct key leaf_auth_keys[] = {{"user username", STRING, NULL},
                                            {"password pass", STRING, NULL},
                                            {"nkey", STRING, NULL},
                                            {"account", STRING, NULL},
                                            {"users", BLOCKS, leaf_user_keys},
                                            {"timeout", SECONDS, NULL},
                                            {"proxy_required", BOOLEAN, NULL},
                                            END};

static const struct key leaf_proxy_keys[] = {{"url", STRING, NULL},
                                             {"username", STRING, NULL},
                                             {"password", STRING, NULL},
                                             {"timeout", DURATION, NULL},
                                             END};

static const struct key migrate_keys[] = {{"leader_migrate_delay", DURATION, NULL}, END};

static const struct key remote_keys[] = {
    {"url urls", URLS, NULL},
    {"account local", STRING, NULL},
    {"credentials creds", STRING, NULL},
    {"nkey seed", STRING, NULL},
    {"tls", TLS, NULL},
    {"hub", BOOLEAN, NULL},
    {"deny_imports deny_import", SUBJECTS, NULL},
    {"deny_exports deny_export", SUBJECTS, NULL},
    {"no_randomize dont_randomize", BOOLEAN, NULL},
    {"ws_compression ws_compress websocket_compression websocket_compress", BOOLEAN, NULL},
    {"ws_no_masking websocket_no_masking", BOOLEAN, NULL},
    {"jetstream_cluster_migrate js_cluster_migrate", BLOCK_OR_OTHER, migrate_keys},
    {"isolate_leafnode_interest isolate", BOOLEAN, NULL},
    {"request_isolation", BOOLEAN, NULL},
    {"compression", BLOCK_OR_OTHER, compression_keys},
    {"first_info_timeout", DURATION, NULL},
    {"dial_timeout", DURATION, NULL},
    {"disabled", BOOLEAN, NULL},
    {"proxy", BLOCK, leaf_proxy_keys},
    {"ignore_discovered_servers", BOOLEAN, NULL},
    END};

static const struct key leafnode_keys[] = {
    {"listen", LISTEN, NULL},
    {"host net", STRING, NULL},
    {"port", INTEGER, NULL},
    {"authorization", BLOCK, leaf_auth_keys},
    {"tls", TLS, NULL},
    {"advertise leafnode_advertise", STRING, NULL},
    {"no_advertise", BOOLEAN, NULL},
    {"min_version minimum_version", STRING, NULL},
    {"compression", BLOCK_OR_OTHER, compression_keys},
    {"reconnect reconnect_delay reconnect_interval", DURATION, NULL},
    {"dial_timeout", DURATION, NULL},
    {"isolate_leafnode_interest isolate", BOOLEAN, NULL},
    {"write_deadline", DURATION, NULL},
    {"write_timeout", WRITE_TIMEOUT, NULL},
    {"remotes", BLOCKS, remote_keys},
    END};

static const struct key simple_auth_keys[] = {{"user username", STRING, NULL},
                                              {"password pass", STRING, NULL},
                                              {"token", STRING, NULL},
                                              {"timeout", SECONDS, NULL},
                                              END};

static const struct key websocket_keys[] = {
    {"listen", LISTEN, NULL},
    {"host net", STRING, NULL},
    {"port", INTEGER, NULL},
    {"advertise", STRING, NULL},
    {"no_tls", BOOLEAN, NULL},
    {"tls", TLS, NULL},
    {"same_origin", BOOLEAN, NULL},
    {"allowed_origins allowed_origin allow_origins allow_origin origins origin", STRINGS, NULL},
    {"handshake_timeout", SECONDS, NULL},
    {"compression compress", BOOLEAN, NULL},
    {"authorization authentication", BLOCK, simple_auth_keys},
    {"jwt_cookie", STRING, NULL},
    {"user_cookie", STRING, NULL},
    {"pass_cookie", STRING, NULL},
    {"token_cookie", STRING, NULL},
    {"no_auth_user", STRING, NULL},
    {"headers", STRING_MAP, NULL},
    {"ping_interval", DURATION, NULL},
    END};

static const struct key mqtt_keys[] = {
    {"listen", LISTEN, NULL},
    {"host net", STRING, NULL},
    {"port", INTEGER, NULL},
    {"tls", TLS, NULL},
    {"authorization authentication", BLOCK, simple_auth_keys},
    {"no_auth_user", STRING, NULL},
    {"ack_wait ackwait", DURATION, NULL},
    {"js_api_timeout api_timeout", DURATION, NULL},
    {"max_ack_pending max_pending max_inflight", INTEGER, NULL},
    {"js_domain", STRING, NULL},
    {"stream_replicas", INTEGER, NULL},
    {"consumer_replicas", ANY, NULL},
    {"consumer_memory_storage", BOOLEAN, NULL},
    {"consumer_inactive_threshold consumer_auto_cleanup", DURATION, NULL},
    {"reject_qos2_publish", BOOLEAN, NULL},
    {"downgrade_qos2_subscribe", BOOLEAN, NULL},
    END};

static const struct key trusted_proxy_keys[] = {{"key public_key", STRING, NULL}, END};
static const struct key proxies_keys[] = {{"trusted", BLOCKS, trusted_proxy_keys}, END};

static const struct key ocsp_keys[] = {{"mode", STRING, NULL}, {"url", STRING, NULL}, {"urls", STRINGS, NULL}, END};
static const struct key ocsp_cache_keys[] = {{"type", STRING, NULL},
                                             {"local_store", STRING, NULL},
                                             {"preserve_revoked", BOOLEAN, NULL},
                                             {"save_interval", DURATION, NULL},
                                             END};

static const struct key resolver_keys[] = {{"dir", STRING, NULL},
                                           {"type", STRING, NULL},
                                           {"allow_delete", BOOLEAN, NULL},
                                           {"hard_delete", BOOLEAN, NULL},
                                           {"limit", INTEGER, NULL},
                                           {"ttl", STRICT_DUR, NULL},
                                           {"interval", STRICT_DUR, NULL},
                                           {"timeout", STRICT_DUR, NULL},
                                           {"url", STRING, NULL},
                                           END};

static const struct key account_limit_keys[] = {{"max_connections max_conn", INTEGER, NULL},
                                                {"max_subscriptions max_subs", INTEGER, NULL},
                                                {"max_payload max_pay", INTEGER, NULL},
                                                {"max_leafnodes max_leafs", INTEGER, NULL},
                                                END};

static const struct key account_js_keys[] = {
    {"max_memory max_mem mem memory", INTEGER, NULL},
    {"max_store max_file max_disk store disk", INTEGER, NULL},
    {"max_streams streams", INTEGER, NULL},
    {"max_consumers consumers", INTEGER, NULL},
    {"max_bytes_required max_stream_bytes max_bytes", BOOLEAN, NULL},
    {"memory_max_stream_bytes mem_max_stream_bytes", INTEGER, NULL},
    {"store_max_stream_bytes disk_max_stream_bytes", INTEGER, NULL},
    {"max_ack_pending", INTEGER, NULL},
    {"cluster_traffic", STRING, NULL},
    END};

static const struct key sampling_keys[] = {{"subject", STRING, NULL}, {"sampling", ANY, NULL}, END};
static const struct key trace_keys[] = {{"dest", STRING, NULL}, {"sampling", ANY, NULL}, END};

static const struct key export_keys[] = {
    {"stream", STRING, NULL},
    {"service", STRING, NULL},
    {"accounts", STRINGS, NULL},
    {"response response_type", STRING, NULL},
    {"threshold response_threshold response_max_time response_time", STRICT_DUR, NULL},
    {"latency", BLOCK_OR_OTHER, sampling_keys},
    {"account_token_position", INTEGER, NULL},
    {"allow_trace", BOOLEAN, NULL},
    END};

static const struct key import_source_keys[] = {{"account", STRING, NULL}, {"subject", STRING, NULL}, END};
static const struct key import_keys[] = {
    {"stream", BLOCK, import_source_keys},
    {"service", BLOCK, import_source_keys},
    {"prefix", STRING, NULL},
    {"to", STRING, NULL},
    {"share", BOOLEAN, NULL},
    {"allow_trace", BOOLEAN, NULL},
    END};

static const struct key account_keys[] = {
    {"nkey", ACCOUNT_NKEY, NULL},
    {"users", USERS, NULL},
    {"default_permissions", PERMISSIONS, NULL},
    {"imports", BLOCKS, import_keys},
    {"exports", BLOCKS, export_keys},
    {"jetstream", JETSTREAM, account_js_keys},
    {"mappings maps", MAPPINGS, NULL},
    {"limits", BLOCK, account_limit_keys},
    {"msg_trace trace_dest", BLOCK_OR_OTHER, trace_keys},
    END};

// The top-level blocks of this file but accounts.
static const struct block {
    const char *name; // in options.inactive, and the first of the keys in the option table
    struct key key;
    bool refuse;
    const char *expected; // the error of a BLOCK that is no map begins with it; NULL: the usual text
} blocks[] = {
    {"cluster", {"cluster", BLOCK, cluster_keys}, false, "Expected map to define cluster"},
    {"gateway", {"gateway", BLOCK, gateway_keys}, false, NULL},
    {"leafnodes", {"leafnodes leaf", BLOCK, leafnode_keys}, false, "Expected map to define a leafnode"},
    {"websocket", {"websocket ws", BLOCK, websocket_keys}, false, "Expected websocket to be a map"},
    {"mqtt", {"mqtt", BLOCK, mqtt_keys}, false, NULL},
    {"ocsp", {"ocsp", BLOCK_OR_OTHER, ocsp_keys}, false, NULL},
    {"ocsp_cache", {"ocsp_cache", BLOCK_OR_OTHER, ocsp_cache_keys}, false, NULL},
    {"proxies", {"proxies", BLOCK, proxies_keys}, true, "expected proxies to be a map/struct"},
    {"proxy_protocol", {"proxy_protocol", BOOLEAN, NULL}, true, NULL},
    {"operator", {"operator operators root roots root_operator root_operators", STRINGS, NULL}, true, NULL},
    {"trusted_keys", {"trusted_keys trusted", STRINGS, NULL}, true, NULL},
    {"resolver", {"resolver account_resolver accounts_resolver", BLOCK_OR_OTHER, resolver_keys}, false, NULL},
    {"resolver_tls", {"resolver_tls", TLS, NULL}, false, NULL},
    {"resolver_preload", {"resolver_preload", STRING_MAP, NULL}, false, NULL},
    {"resolver_pinned_accounts", {"resolver_pinned_accounts", STRINGS, NULL}, false, NULL},
};

static void check_block(struct mg_conf_ctx *c, const struct mg_conf_value *v, const struct key *keys);

static void check_size(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    if (v->type == MG_CONF_INT) return;
    size_t n = v->type == MG_CONF_STRING ? strlen(v->str) : 0;
    bool number = v->type == MG_CONF_STRING && n > 0 && strspn(v->str, "-0123456789") == n - 1;
    if (v->type != MG_CONF_STRING) mg_conf_error(c, v, "%s must be int64 or string", v->key);
    else if (n > 0 && (!number || strchr("KMGT", v->str[n - 1]) == NULL))
        mg_conf_error(c, v, "%s sizes defined as strings must end in K, M, G, T", v->key);
}

static void check_route_auth(struct mg_conf_ctx *c, const struct mg_conf_value *v, const struct key *owner) {
    const char *who = owner == gateway_keys ? "Gateway" : "Cluster";
    struct mg_conf_auth a;
    mg_conf_parse_auth(c, v, &a);
    if (a.users_given) mg_conf_error(c, v, "%s authorization does not allow multiple users", who);
    if (a.token) mg_conf_error(c, v, "%s authorization does not support tokens", who);
    if (a.callout) mg_conf_error(c, v, "%s authorization does not support callouts", who);
    if (a.defaults && owner == cluster_keys)
        mg_conf_warn(c, v, "setting \"permissions\" within cluster authorization block is deprecated");
    mg_conf_auth_fini(&a);
}

static void check_tls(struct mg_conf_ctx *c, const struct mg_conf_value *v, bool known_urls) {
    struct mg_tls_options t;
    mg_tls_options_init(&t);
    mg_conf_parse_tls(c, v, known_urls, &t);
    mg_tls_options_fini(&t);
}

static void check_permissions(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    struct mg_permissions *p = mg_conf_parse_permissions(c, v);
    if (p) mg_permissions_fini(p);
    mg_free(p);
}

// Only accounts have them here. They are settled when all of the config was seen.
static void check_users(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    mg_conf_parse_users(c, v, &c->account_users, &c->naccount_users);
    c->account_users_at = v;
}

static void check_mappings(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    struct mg_mapping *m = NULL;
    size_t n = 0;
    mg_conf_parse_mappings(c, v, &m, &n);
    for (size_t i = 0; i < n; i++)
        mg_mapping_fini(&m[i]);
    mg_free(m);
}

static void check_string_map(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    if (v->type != MG_CONF_MAP) mg_conf_wrong_type(c, v, "map[string]interface {}");
    for (size_t i = 0; v->type == MG_CONF_MAP && i < v->list.n; i++)
        if (v->list.v[i].type != MG_CONF_STRING) mg_conf_wrong_type(c, &v->list.v[i], "string");
}

static void check_blocks(struct mg_conf_ctx *c, const struct mg_conf_value *v, const struct key *sub) {
    if (v->type != MG_CONF_ARRAY)
        mg_conf_error(c, v, "Expected %s field to be an array, got %s", v->key, mg_conf_type_name(v));
    for (size_t i = 0; v->type == MG_CONF_ARRAY && i < v->list.n; i++) {
        const struct mg_conf_value *item = &v->list.v[i];
        if (item->type == MG_CONF_MAP) check_block(c, item, sub);
        else mg_conf_error(c, item, "Expected %s entry to be a map/struct, got %s", v->key, mg_conf_type_name(item));
    }
}

// bool, a word, or a block.
static void check_jetstream(struct mg_conf_ctx *c, const struct mg_conf_value *v, const struct key *sub) {
    bool enabled;
    if (v->type == MG_CONF_MAP) check_block(c, v, sub);
    else mg_conf_jetstream_word(c, v, &enabled);
}

// Checks a value that is a scalar or a list of them.
static void check_plain(struct mg_conf_ctx *c, const struct mg_conf_value *v, enum kind kind) {
    struct mg_strlist list = {0};
    int64_t n = 0;
    double s = 0;
    bool b = false;
    char *str = NULL, err[256];
    int port = 0;
    switch (kind) {
    case STRING: mg_conf_get_str(c, v, &str); break;
    case INTEGER: mg_conf_get_int(c, v, &n); break;
    case BOOLEAN: mg_conf_get_bool(c, v, &b); break;
    case DURATION: mg_conf_get_duration(c, v, v->key, &n); break;
    case STRICT_DUR:
        if (mg_conf_get_str(c, v, &str) && !mg_conf_parse_duration(str, &n, err, sizeof(err)))
            mg_conf_error(c, v, "%s", err);
        break;
    case SECONDS: mg_conf_get_seconds(c, v, "authorization", &s); break;
    case LISTEN: mg_conf_get_listen(c, v, &str, &port); break;
    case STRINGS:
    case URLS: mg_conf_get_strings(c, v, v->key, &list); break;
    case WRITE_TIMEOUT:
        if (mg_conf_get_str(c, v, &str) && strcmp(str, "default") && strcmp(str, "close") && strcmp(str, "retry"))
            mg_conf_error(c, v, "write_timeout must be 'default', 'close' or 'retry'");
        break;
    default: break;
    }
    mg_strlist_fini(&list);
    mg_free(str);
}

static void check_value(struct mg_conf_ctx *c, const struct mg_conf_value *v, const struct key *k,
                        const struct key *owner) {
    struct mg_perm_list subjects = {0};
    switch (k->kind) {
    case SIZE: check_size(c, v); break;
    case STRING_MAP: check_string_map(c, v); break;
    case SUBJECTS: mg_conf_parse_subjects(c, v, false, &subjects); break;
    case PERMISSIONS: check_permissions(c, v); break;
    case MAPPINGS: check_mappings(c, v); break;
    case TLS: check_tls(c, v, false); break;
    case CLUSTER_TLS: check_tls(c, v, true); break;
    case ROUTE_AUTH: check_route_auth(c, v, owner); break;
    case USERS: check_users(c, v); break;
    case ACCOUNT_NKEY:
        if (v->type != MG_CONF_STRING) mg_conf_wrong_type(c, v, "string");
        else if (!mg_nkey_text_valid(mg_cstr(v->str), MG_NKEY_PREFIX_ACCOUNT))
            mg_conf_error_q(c, v, "Not a valid public nkey for an account: ", v->str, "");
        break;
    case JETSTREAM: check_jetstream(c, v, k->sub); break;
    case BLOCK:
        if (v->type == MG_CONF_MAP) check_block(c, v, k->sub);
        else mg_conf_error(c, v, "Expected %s to be a map, got %s", v->key, mg_conf_type_name(v));
        break;
    case BLOCKS: check_blocks(c, v, k->sub); break;
    case BLOCK_OR_OTHER:
        if (v->type == MG_CONF_MAP) check_block(c, v, k->sub);
        else if (v->type == MG_CONF_ARRAY)
            mg_conf_error(c, v, "field \"%s\" should be a boolean or a structure, got %s", v->key,
                          mg_conf_type_name(v));
        break;
    default: check_plain(c, v, k->kind); break;
    }
    mg_conf_perm_list_fini(&subjects);
}

static void check_block(struct mg_conf_ctx *c, const struct mg_conf_value *v, const struct key *keys) {
    for (size_t i = 0; i < v->list.n; i++) {
        const struct mg_conf_value *m = &v->list.v[i];
        const struct key *k = keys;
        while (k->names != NULL && !mg_conf_key_is(m, k->names))
            k++;
        if (k->names == NULL) mg_conf_unknown(c, m);
        else check_value(c, m, k, keys);
    }
}

// ---- top-level blocks --------------------------------------------------------------------------------------------

static const struct mg_conf_value *member(const struct mg_conf_value *map, const char *names) {
    for (size_t i = 0; map->type == MG_CONF_MAP && i < map->list.n; i++)
        if (mg_conf_key_is(&map->list.v[i], names)) return &map->list.v[i];
    return NULL;
}

// The cluster's name chooses between mappings, so it counts even though the cluster does not.
static void note_cluster_name(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    const struct mg_conf_value *name = member(v, "name");
    if (name == NULL || name->type != MG_CONF_STRING) return;
    if (strchr(name->str, ' ') != NULL) mg_conf_error(c, name, "cluster name cannot contain spaces");
    else mg_str_set(&c->o->cluster_name, *name->str ? name->str : NULL);
}

static void check_proxy_keys(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    static const unsigned char kinds[] = {MG_NKEY_PREFIX_USER,   MG_NKEY_PREFIX_ACCOUNT, MG_NKEY_PREFIX_OPERATOR,
                                          MG_NKEY_PREFIX_SERVER, MG_NKEY_PREFIX_CLUSTER, MG_NKEY_PREFIX_CURVE};
    const struct mg_conf_value *trusted = member(v, "trusted");
    for (size_t i = 0; trusted && trusted->type == MG_CONF_ARRAY && i < trusted->list.n; i++) {
        const struct mg_conf_value *key = member(&trusted->list.v[i], "key public_key");
        bool valid = key == NULL || key->type != MG_CONF_STRING; // reported before
        for (size_t k = 0; !valid && k < sizeof(kinds); k++)
            valid = mg_nkey_text_valid(mg_cstr(key->str), kinds[k]);
        if (!valid) mg_conf_error_q(c, key, "invalid proxy key ", key->str, "");
    }
}

void mg_conf_block_inactive(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        const struct block *b = &blocks[i];
        if (!mg_conf_key_is(v, b->key.names)) continue;
        if (b->expected != NULL && v->type != MG_CONF_MAP)
            mg_conf_error(c, v, "%s, got %s", b->expected, mg_conf_type_name(v));
        else check_value(c, v, &b->key, NULL);
        if (b->key.sub == cluster_keys) note_cluster_name(c, v);
        if (b->key.sub == proxies_keys) check_proxy_keys(c, v);
        bool off = v->type == MG_CONF_BOOL && !v->b; // `proxy_protocol: false`
        if (!off) mg_options_add_inactive(c->o, b->name, b->refuse);
        return;
    }
}

// An array of names or a map of account blocks.
void mg_conf_block_accounts(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    if (v->type == MG_CONF_ARRAY) check_plain(c, v, STRINGS);
    for (size_t i = 0; v->type == MG_CONF_MAP && i < v->list.n; i++) {
        const struct mg_conf_value *acc = &v->list.v[i];
        if (acc->used) continue; // a variable that happens to be defined here
        if (acc->type != MG_CONF_MAP) mg_conf_error(c, acc, "Expected map entries for accounts");
        else if (strcmp(acc->key, "$G") == 0) mg_conf_error(c, acc, "\"$G\" is a Reserved Account");
        else check_block(c, acc, account_keys);
    }
    mg_options_add_inactive(c->o, "accounts", true);
}
