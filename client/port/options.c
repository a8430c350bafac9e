// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// From what a person writes (URLs, files, texts) to what the engine wants (slices that stay). Every string is copied,
// and wiped when the connection goes, as some are secrets. Seeds are decoded into the signer at once and not kept.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/port/conn.h"
#include "client/port/sys.h"

enum { SERVERS_MAX = 256, CREDS_MAX = 65536 };

static void wipe(void *p, size_t n) { explicit_bzero(p, n); }

// A terminated copy that lives as long as the connection; NULL for NULL, or when there is no memory.
static char *keep(midge_conn *c, const char *s, size_t n) {
    struct mgc_string *copy = s != NULL ? malloc(sizeof *copy + n + 1) : NULL;
    if (copy == NULL) return NULL;
    copy->next = c->strings;
    copy->n = n;
    memcpy(copy->text, s, n);
    copy->text[n] = '\0';
    c->strings = copy;
    return copy->text;
}

static const char *keep_cstr(midge_conn *c, const char *s) { return keep(c, s, s != NULL ? strlen(s) : 0); }
static midge_str keep_slice(midge_conn *c, const char *s) { return midge_cstr(keep_cstr(c, s)); }

// ---- servers --------------------------------------------------------------------------------------------------------

static midge_str trim(midge_str s) {
    while (s.n > 0 && isspace((unsigned char)s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && isspace((unsigned char)s.p[s.n - 1])) {
        s.n--;
    }
    return s;
}

static int hex_digit(char c) {
    const char *digits = "0123456789abcdef", *at = c != '\0' ? strchr(digits, tolower((unsigned char)c)) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

// A copy without "%40" and the like; what is no escape stays as it is.
static midge_str unescape(midge_conn *c, midge_str s) {
    char *copy = keep(c, s.p, s.n);
    size_t n = 0;
    if (copy == NULL) return MIDGE_NONE;
    for (size_t i = 0; i < s.n; i++, n++) {
        int high = copy[i] == '%' ? hex_digit(copy[i + 1]) : -1, low = high >= 0 ? hex_digit(copy[i + 2]) : -1;
        copy[n] = (char)(low >= 0 ? high << 4 | low : copy[i]);
        if (low >= 0) i += 2;
    }
    return (midge_str){copy, n};
}

// A user alone is a token, as everywhere in NATS. With an empty password it is a user.
static void take_userinfo(midge_conn *c, midge_str user, midge_str password) {
    if (c->config.user.n > 0 || c->config.token.n > 0 || user.n == 0) return;
    if (password.p == NULL) {
        c->config.token = unescape(c, user);
    } else {
        c->config.user = unescape(c, user);
        c->config.password = unescape(c, password);
    }
}

static int add_server(midge_conn *c, midge_str url, char *err, size_t err_size) {
    midge_str user = MIDGE_NONE, password = MIDGE_NONE;
    midge_server *server = &c->servers[c->config.servers_len];
    if (midge_url_parse(url, server, &user, &password) != 0 || server->host.n > 255) {
        snprintf(err, err_size, "the server's URL is malformed: %.*s; write nats://host:port", (int)url.n, url.p);
        return -1;
    }
    take_userinfo(c, user, password);
    c->config.servers_len++;
    return 0;
}

static int apply_servers(midge_conn *c, const char *urls, char *err, size_t err_size) {
    const char *text = keep_cstr(c, urls != NULL && urls[0] != '\0' ? urls : "nats://127.0.0.1:4222");
    c->servers = calloc(SERVERS_MAX, sizeof *c->servers);
    if (text == NULL || c->servers == NULL) {
        snprintf(err, err_size, "%s", midge_strerror(MIDGE_ENOMEM));
        return -1;
    }
    c->config.servers = c->servers;
    while (text != NULL) {
        const char *comma = strchr(text, ',');
        midge_str url = trim((midge_str){text, comma != NULL ? (size_t)(comma - text) : strlen(text)});
        text = comma != NULL ? comma + 1 : NULL;
        if (url.n == 0) continue;
        if (c->config.servers_len == SERVERS_MAX) {
            snprintf(err, err_size, "more than %d servers are named; name a few, they tell of the others", SERVERS_MAX);
            return -1;
        }
        if (add_server(c, url, err, err_size) != 0) return -1;
    }
    if (c->config.servers_len > 0) return 0;
    snprintf(err, err_size, "no server is named; write nats://host:port");
    return -1;
}

// ---- who we are -----------------------------------------------------------------------------------------------------

static int apply_seed(midge_conn *c, midge_str seed, const char *from, char *err, size_t err_size) {
    int rc = midge_signer_init(&c->signer, seed, c->nkey);
    if (rc != 0) {
        snprintf(err, err_size, "%s has no valid user seed (\"SU...\")", from);
        return -1;
    }
    c->config.sign = midge_signer_sign;
    c->config.sign_ctx = &c->signer;
    return 0;
}

static int apply_creds(midge_conn *c, const char *path, char *err, size_t err_size) {
    size_t n;
    char *text = mgc_read_file(path, "the credentials file", CREDS_MAX, &n, err, err_size);
    if (text == NULL) return -1;
    midge_str jwt, seed;
    int rc = midge_creds_parse((midge_str){text, n}, &jwt, &seed);
    if (rc != 0) {
        snprintf(err, err_size, "%s is not a credentials file: it must hold a user JWT and its seed", path);
    } else {
        const char *copy = keep(c, jwt.p, jwt.n);
        c->config.jwt = midge_cstr(copy);
        rc = apply_seed(c, seed, path, err, err_size);
    }
    wipe(text, n);
    free(text);
    return rc;
}

// The first line of a file of seeds that begins as one; such files may have comments.
static midge_str find_seed(const char *text) {
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        size_t n = strcspn(line, " \t\r\n");
        if (n > 2 && line[0] == 'S' && line[1] == 'U') return (midge_str){line, n};
    }
    return MIDGE_NONE;
}

static int apply_nkey(midge_conn *c, const char *seed, char *err, size_t err_size) {
    int rc;
    uint8_t raw[32];
    if (midge_seed_decode(midge_cstr(seed), raw) == 0) {
        wipe(raw, sizeof raw);
        rc = apply_seed(c, midge_cstr(seed), "the nkey", err, err_size);
    } else {
        size_t n;
        char *text = mgc_read_file(seed, "the nkey file", CREDS_MAX, &n, err, err_size);
        if (text == NULL) return -1;
        rc = apply_seed(c, find_seed(text), seed, err, err_size);
        wipe(text, n);
        free(text);
    }
    c->config.nkey = midge_cstr(c->nkey);
    return rc;
}

static int apply_user(midge_conn *c, const midge_options *o, char *err, size_t err_size) {
    c->config.user = keep_slice(c, o->user);
    c->config.password = keep_slice(c, o->password);
    c->config.token = keep_slice(c, o->token);
    if (o->creds != NULL) return apply_creds(c, o->creds, err, err_size);
    if (o->jwt != NULL) {
        c->config.jwt = keep_slice(c, o->jwt);
        return apply_seed(c, midge_cstr(o->seed), "the seed of the JWT", err, err_size);
    }
    return o->nkey_seed != NULL ? apply_nkey(c, o->nkey_seed, err, err_size) : 0;
}

// ---- TLS and the rest -----------------------------------------------------------------------------------------------

static int apply_tls(midge_conn *c, const midge_options *o, char *err, size_t err_size) {
    c->tls_config = (struct mgc_tls_config){.ca = keep_cstr(c, o->tls_ca),
                                            .cert = keep_cstr(c, o->tls_cert),
                                            .key = keep_cstr(c, o->tls_key),
                                            .insecure = o->tls_insecure};
    midge_str name = keep_slice(c, o->tls_name);
    for (uint16_t i = 0; i < c->config.servers_len; i++) {
        c->servers[i].tls_name = name;
    }
    bool files = o->tls_ca != NULL || o->tls_cert != NULL || o->tls_key != NULL;
    c->config.tls_available = true;
    c->config.tls_first = o->tls_first;
    c->config.tls_required = o->tls_required || files;
    if (!files) return 0; // made when a server wants it
    c->tls = mgc_tls_new(&c->tls_config, err, err_size);
    return c->tls != NULL ? 0 : -1;
}

static void apply_plain(midge_conn *c, const midge_options *o) {
    midge_config *to = &c->config;
    to->name = keep_slice(c, o->name);
    to->lang = keep_slice(c, o->lang);
    to->version = keep_slice(c, o->version);
    to->inbox_prefix = keep_slice(c, o->inbox_prefix);
    to->no_echo = o->no_echo;
    to->verbose = o->verbose;
    to->pedantic = o->pedantic;
    to->no_randomize = o->no_randomize;
    to->pending = o->pending;
    to->connect_timeout = o->connect_timeout;
    to->ping_interval = o->ping_interval;
    to->max_pings_out = o->max_pings_out;
    to->reconnect_wait = o->reconnect_wait;
    to->reconnect_wait_max = o->reconnect_wait_max;
    to->reconnect_jitter = o->reconnect_jitter;
    to->max_reconnects = o->max_reconnects;
    to->retry_first = o->retry_first;
    to->drain_timeout = o->drain_timeout;
}

int mgc_options_apply(midge_conn *c, const midge_options *o, char *err, size_t err_size) {
    apply_plain(c, o);
    if (apply_user(c, o, err, err_size) != 0 || apply_servers(c, o->servers, err, err_size) != 0 ||
        apply_tls(c, o, err, err_size) != 0) {
        return -1;
    }
    if (getentropy(&c->config.seed, sizeof c->config.seed) == 0) return 0;
    snprintf(err, err_size, "the system gives no random numbers");
    return -1;
}

void mgc_options_fini(midge_conn *c) {
    midge_signer_fini(&c->signer);
    mgc_tls_free(c->tls);
    free(c->servers);
    for (struct mgc_string *next, *s = c->strings; s != NULL; s = next) {
        next = s->next;
        wipe(s->text, s->n);
        free(s);
    }
}
