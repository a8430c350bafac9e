// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Tree -> options: what the files of server/config share while they process one parsed config. Private to this folder.
// All errors of a config are collected, so functions report and go on; their bool says whether *out is usable.
#ifndef MG_CONFIG_PROCESS_H
#define MG_CONFIG_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/config/config.h"
#include "server/config/value.h"

struct mg_conf_ctx {
    const struct mg_config_source *src;
    struct mg_options *o; // being filled
    struct mg_config_report *report;
    // Users of account blocks: accounts are not active, but what conflicts with authorization is an error all the same.
    struct mg_user *account_users;
    size_t naccount_users;
    const struct mg_conf_value *account_users_at; // the last array of them; NULL: none
};

// ---- reporting: "file:line:col: text" ----------------------------------------------------------------------------
void mg_conf_error(struct mg_conf_ctx *c, const struct mg_conf_value *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// "file:line:col: invalid use of field "key": text"
void mg_conf_warn(struct mg_conf_ctx *c, const struct mg_conf_value *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// An error text that holds a string in Go's %q form: before, "s", after.
void mg_conf_error_q(struct mg_conf_ctx *c, const struct mg_conf_value *at, const char *before, const char *s,
                     const char *after);
// unknown field, unless a $variable named the member.
void mg_conf_unknown(struct mg_conf_ctx *c, const struct mg_conf_value *member);
// The error of a value that has another type: "interface conversion: interface {} is int64, not <want>". Returns false.
bool mg_conf_wrong_type(struct mg_conf_ctx *c, const struct mg_conf_value *v, const char *want);

// ---- reading values ----------------------------------------------------------------------------------------------
// Whether the member's key is one of the words in `names` (separated by blanks), whatever its case.
bool mg_conf_key_is(const struct mg_conf_value *member, const char *names);
bool mg_conf_get_bool(struct mg_conf_ctx *c, const struct mg_conf_value *v, bool *out);
bool mg_conf_get_int(struct mg_conf_ctx *c, const struct mg_conf_value *v, int64_t *out);
bool mg_conf_get_str(struct mg_conf_ctx *c, const struct mg_conf_value *v, char **out); // replaces *out, owned
// A Go duration string, or a whole number of seconds with a warning. name is the option in texts.
bool mg_conf_get_duration(struct mg_conf_ctx *c, const struct mg_conf_value *v, const char *name, int64_t *ns);
// A number of seconds (integer or float) or a duration string; block is the one in texts, *s >= 0.
bool mg_conf_get_seconds(struct mg_conf_ctx *c, const struct mg_conf_value *v, const char *block, double *s);
// A port or "host:port". *host (owned) is NULL when only a port is given or the host part is empty.
bool mg_conf_get_listen(struct mg_conf_ctx *c, const struct mg_conf_value *v, char **host, int *port);
// A string or an array of strings, appended to *out; what is named in texts.
bool mg_conf_get_strings(struct mg_conf_ctx *c, const struct mg_conf_value *v, const char *what,
                         struct mg_strlist *out);
// Parses a Go duration; on failure a Go-like text is in err.
bool mg_conf_parse_duration(const char *s, int64_t *ns, char *err, size_t errlen);
// As IsValidSubject of the reference: tokens, wildcards, no blanks.
bool mg_conf_subject_valid(const char *s, size_t n);

// ---- blocks ------------------------------------------------------------------------------------------------------
// What an authorization block says; also used for blocks of other listeners.
struct mg_conf_auth {
    char *user, *password, *token;
    double timeout_s;
    struct mg_user *users;
    size_t nusers;
    bool users_given; // even if empty
    struct mg_permissions *defaults;
    bool callout, proxy_required;
};

void mg_conf_parse_auth(struct mg_conf_ctx *c, const struct mg_conf_value *v, struct mg_conf_auth *out);
void mg_conf_auth_fini(struct mg_conf_auth *a);
// After all members: users of accounts against those of authorization. Frees the context's account users.
void mg_conf_settle_account_users(struct mg_conf_ctx *c);
// users[] of an authorization or account block, appended.
void mg_conf_parse_users(struct mg_conf_ctx *c, const struct mg_conf_value *v, struct mg_user **users, size_t *n);
// NULL if the value is no map (reported).
struct mg_permissions *mg_conf_parse_permissions(struct mg_conf_ctx *c, const struct mg_conf_value *v);
// Subjects of one permission list; for the deny lists of leafnode remotes too.
bool mg_conf_parse_subjects(struct mg_conf_ctx *c, const struct mg_conf_value *v, bool queues,
                            struct mg_perm_list *out);
void mg_conf_perm_list_fini(struct mg_perm_list *l);
// known_urls: verify_cert_and_check_known_urls is allowed (cluster and gateway). t is initialized by the caller.
void mg_conf_parse_tls(struct mg_conf_ctx *c, const struct mg_conf_value *v, bool known_urls,
                       struct mg_tls_options *t);
// Appends the mappings of a mappings block.
void mg_conf_parse_mappings(struct mg_conf_ctx *c, const struct mg_conf_value *v, struct mg_mapping **out, size_t *n);

// Top-level blocks, as the table calls them.
void mg_conf_block_authorization(struct mg_conf_ctx *c, const struct mg_conf_value *v);
void mg_conf_block_mappings(struct mg_conf_ctx *c, const struct mg_conf_value *v);
void mg_conf_block_tls(struct mg_conf_ctx *c, const struct mg_conf_value *v);
// What `jetstream` says when it is no block: a bool or a word.
void mg_conf_jetstream_word(struct mg_conf_ctx *c, const struct mg_conf_value *v, bool *enabled);
void mg_conf_block_jetstream(struct mg_conf_ctx *c, const struct mg_conf_value *v);
void mg_conf_block_accounts(struct mg_conf_ctx *c, const struct mg_conf_value *v);
void mg_conf_block_inactive(struct mg_conf_ctx *c, const struct mg_conf_value *v); // by its key

#endif
