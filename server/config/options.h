// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The server's options as plain data: what the config file, the command line and the defaults add up to.
// An options object is immutable once built; a reload builds a new one. It owns every string and array in it.
// Durations are nanoseconds, sizes are bytes.
// Facts: spec/client-protocol.md B5-B9, spec/accounts-security.md 3, 7, 13, 18.
#ifndef MG_CONFIG_OPTIONS_H
#define MG_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MG_MS UINT64_C(1000000)
#define MG_SEC UINT64_C(1000000000)

// A list of owned NUL-terminated strings.
struct mg_strlist {
    char **v;
    size_t n;
};

// One entry of a subscribe permission may be limited to a queue group: "subject queue".
struct mg_perm_entry {
    char *subject;
    char *queue; // NULL: plain entry
};

struct mg_perm_list {
    struct mg_perm_entry *v;
    size_t n;
};

// Permissions of one user. An allow list with n == 0 and !*_allow_set means "everything".
// `pub_allow_set` is also true when allow_responses is present and publish.allow is not: then nothing but replies.
struct mg_permissions {
    struct mg_perm_list pub_allow, pub_deny, sub_allow, sub_deny;
    bool pub_allow_set, sub_allow_set;
    bool allow_responses;
    int64_t resp_max;        // messages per reply subject; negative: unlimited
    int64_t resp_expires_ns; // negative: never
};

enum mg_conn_type {
    MG_CONN_STANDARD = 1 << 0,
    MG_CONN_WEBSOCKET = 1 << 1,
    MG_CONN_LEAFNODE = 1 << 2,
    MG_CONN_LEAFNODE_WS = 1 << 3,
    MG_CONN_MQTT = 1 << 4,
    MG_CONN_MQTT_WS = 1 << 5,
    MG_CONN_IN_PROCESS = 1 << 6,
};

// An entry of authorization.users: a user with a password, or an nkey.
struct mg_user {
    char *user;     // NULL for nkey users
    char *password; // plaintext or bcrypt; "" when absent
    char *nkey;     // public user nkey "U...", or NULL
    struct mg_permissions *perms; // NULL: no restrictions. Default permissions are already applied.
    uint32_t conn_types;          // bits of mg_conn_type; 0: all
    bool proxy_required;
};

enum mg_tls_first { MG_TLS_FIRST_OFF, MG_TLS_FIRST_ON, MG_TLS_FIRST_AUTO };

struct mg_tls_options {
    char *cert_file, *key_file, *ca_file;
    bool verify, verify_and_map;
    bool allow_insecure_ciphers;
    struct mg_strlist cipher_suites; // Go names, validated
    struct mg_strlist curves;        // Go names, validated
    struct mg_strlist pinned_certs;  // 64 lower-case hex digits each
    uint64_t timeout_ns;             // handshake timeout, default 2 s
    int64_t rate_limit;              // handshakes per second; 0: none
    enum mg_tls_first first;
    uint64_t first_wait_ns; // MG_TLS_FIRST_AUTO: how long to wait for a client byte
    int min_version;        // 0x0303 (1.2, default) or 0x0304 (1.3)
};

struct mg_map_dest {
    char *subject;
    uint8_t weight;
    char *cluster; // NULL: any
};

// One entry of `mappings`, in config order.
struct mg_mapping {
    char *src;
    struct mg_map_dest *dest;
    size_t ndest;
};

// A config block whose feature is not active yet: it was parsed and checked, and this names it.
struct mg_inactive_block {
    char *name; // "jetstream", "cluster", ...
    bool refuse; // starting with it would endanger security: refuse
};

// The jetstream block (spec/jetstream-streams.md 21). Bytes, ns, counts.
struct mg_js_options {
    bool enabled, strict;              // strict: unknown members of requests are errors
    char *store_dir;                   // only while the block is read
    bool max_memory_set, max_store_set;
    int64_t max_memory, max_store;     // unless set they follow from the machine
    int64_t store_memory;              // for what the file store keeps in memory; 0: it follows from the machine
    int64_t sync_interval;             // 0: always
    char *domain, *unique_tag;         // NULL: none
    int64_t max_ack_pending, max_request_batch, duplicate_window; // <= 0: no limit
    int64_t max_buffered_size, max_buffered_msgs;                 // of one stream; <= 0: default
    int64_t request_queue_limit, info_queue_limit;                // <= 0: default
};

struct mg_options {
    // listeners
    char *host; // default "0.0.0.0"
    int port;   // -1: random
    char *client_advertise;
    char *http_host; // monitoring; NULL: same as host
    int http_port, https_port; // 0: off, -1: random
    char *http_base_path;      // as configured; NULL: "/"

    // identity
    char *server_name; // NULL: the server id
    struct mg_strlist tags;
    struct mg_strlist metadata; // key, value, key, value, ... sorted by key
    struct mg_strlist feature_flags; // name, "true" or "false", ... sorted by name
    char *cluster_name;         // from `cluster.name` or --cluster_name; used for mapping choice only, for now

    // shards: 0 is auto
    int shards;

    // logging
    bool debug, trace, trace_verbose, trace_headers;
    bool logtime, logtime_utc;
    char *log_file;
    int64_t log_size_limit, log_max_num;
    int64_t max_traced_msg_len;
    bool syslog;
    char *remote_syslog;
    char *pid_file, *ports_file_dir;
    int prof_port;
    int64_t prof_block_rate;

    // limits
    int64_t max_connections; // <= 0: refuse all
    int64_t max_subs;        // per connection; 0: no limit
    int64_t max_sub_tokens;  // 0: no limit
    int64_t max_control_line;
    int64_t max_payload; // -1: no limit
    int64_t max_pending;
    int64_t max_closed_clients;
    uint64_t ping_interval_ns;
    int64_t ping_max;
    uint64_t write_deadline_ns;
    char *write_timeout; // "default", "close", "retry"
    bool no_fast_producer_stall;
    uint64_t lame_duck_duration_ns, lame_duck_grace_ns;
    bool no_header_support;
    bool no_sublist_cache;
    bool no_system_account;
    int64_t connect_error_reports, reconnect_error_reports;

    // who may connect
    char *user, *password, *token; // single user or token; NULL: none
    bool auth_block;               // an authorization block was present
    bool proxy_required;
    double auth_timeout_s; // 0: default (2 s, or TLS timeout + 1 s)
    struct mg_user *users;
    size_t nusers;
    char *no_auth_user;
    char *system_account; // NULL: "$SYS"
    char *default_sentinel;

    bool tls; // a tls block (or --tls flags)
    struct mg_tls_options tls_opts;
    bool allow_non_tls;

    struct mg_mapping *mappings;
    size_t nmappings;

    struct mg_inactive_block *inactive;
    size_t ninactive;

    // JetStream
    bool jetstream;
    char *store_dir;
    struct mg_js_options js;
    struct mg_strlist js_domains; // account, domain, ... sorted by account

    // provenance
    char *config_file;       // NULL: none
    char config_digest[72];  // "sha256:<hex>", "" without a file
};

// ---- owning ------------------------------------------------------------------------------------------------------

// A new object with every default set (spec/client-protocol.md B6, B9).
struct mg_options *mg_options_new(void);
void mg_options_free(struct mg_options *o); // NULL is fine

// Each frees what the struct owns and zeroes it.
void mg_permissions_fini(struct mg_permissions *p);
void mg_user_fini(struct mg_user *u);
void mg_tls_options_init(struct mg_tls_options *t); // defaults
void mg_tls_options_fini(struct mg_tls_options *t);
void mg_mapping_fini(struct mg_mapping *m);
struct mg_permissions *mg_permissions_dup(const struct mg_permissions *p); // NULL gives NULL

void mg_strlist_add(struct mg_strlist *l, const char *s); // copies s; a list grows by this function alone
void mg_strlist_fini(struct mg_strlist *l);
bool mg_strlist_has(const struct mg_strlist *l, const char *s);
bool mg_strlist_eq(const struct mg_strlist *a, const struct mg_strlist *b);
// Sorts a list of pairs (name, value, name, value, ...) by name.
void mg_strlist_sort_pairs(struct mg_strlist *l);

// Replaces an owned string by a copy of s (NULL: none).
void mg_str_set(char **dst, const char *s);
// Notes a block whose feature is not active; the name is kept once, refuse wins.
void mg_options_add_inactive(struct mg_options *o, const char *name, bool refuse);
const struct mg_inactive_block *mg_options_inactive(const struct mg_options *o, const char *name); // NULL: not there

#endif
