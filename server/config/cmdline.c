// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The command line: a table of flags, Go's flag syntax, and laying flags over options.
//
// Parsing checks every value and keeps it as text. Applying walks that text in order and sets fields; what several
// flags decide together (tls, verbosity, cluster and routes) is settled at its end, so the order of flags does not
// matter. Applying is repeatable: it reads nothing but the list.
#include "server/config/cmdline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/base/errors.h"
#include "server/base/mem.h"

enum flag_type { FLAG_STR, FLAG_INT, FLAG_BOOL };

enum flag_id {
    // a plain field of the options: see field_of
    ID_FIELD,
    // needs a function of its own
    ID_PORT,
    ID_DV,
    ID_VV,
    ID_DVV,
    ID_TLS,
    ID_TLS_VERIFY,
    ID_TLS_CERT,
    ID_TLS_KEY,
    ID_TLS_CA,
    ID_SHARDS,
    ID_JETSTREAM,
    ID_CLUSTER,
    ID_ROUTES,
    ID_IGNORED, // of a feature that is not active
    // decides what the program does
    ID_CONFIG,
    ID_CHECK,
    ID_SIGNAL,
    ID_CHECK_STORE,
    ID_REBUILD_STORE,
    ID_HELP,
    ID_HELP_TLS,
    ID_VERSION,
};

struct mg_cmdline_flag {
    const char *names; // separated by blanks, without dashes
    enum flag_type type;
    enum flag_id id;
    size_t offset; // ID_FIELD: char * for strings, bool, int64_t
};

#define FIELD(f) ID_FIELD, offsetof(struct mg_options, f)

static const struct mg_cmdline_flag flags[] = {
    {"a addr net", FLAG_STR, FIELD(host)},
    {"p port", FLAG_INT, ID_PORT, offsetof(struct mg_options, port)},
    {"n name server_name", FLAG_STR, FIELD(server_name)},
    {"client_advertise", FLAG_STR, FIELD(client_advertise)},
    {"m http_port", FLAG_INT, ID_PORT, offsetof(struct mg_options, http_port)},
    {"ms https_port", FLAG_INT, ID_PORT, offsetof(struct mg_options, https_port)},
    {"profile", FLAG_INT, ID_PORT, offsetof(struct mg_options, prof_port)},
    {"P pid", FLAG_STR, FIELD(pid_file)},
    {"ports_file_dir", FLAG_STR, FIELD(ports_file_dir)},
    {"D debug", FLAG_BOOL, FIELD(debug)},
    {"V trace", FLAG_BOOL, FIELD(trace)},
    {"DV", FLAG_BOOL, ID_DV, 0},
    {"VV", FLAG_BOOL, ID_VV, 0},
    {"DVV", FLAG_BOOL, ID_DVV, 0},
    {"T logtime", FLAG_BOOL, FIELD(logtime)},
    {"logtime_utc", FLAG_BOOL, FIELD(logtime_utc)},
    {"l log", FLAG_STR, FIELD(log_file)},
    {"log_size_limit", FLAG_INT, FIELD(log_size_limit)},
    {"s syslog", FLAG_BOOL, FIELD(syslog)},
    {"r remote_syslog", FLAG_STR, FIELD(remote_syslog)},
    {"max_traced_msg_len", FLAG_INT, FIELD(max_traced_msg_len)},
    {"user", FLAG_STR, FIELD(user)},
    {"pass", FLAG_STR, FIELD(password)},
    {"auth", FLAG_STR, FIELD(token)},
    {"tls", FLAG_BOOL, ID_TLS, 0},
    {"tlsverify", FLAG_BOOL, ID_TLS_VERIFY, 0},
    {"tlscert", FLAG_STR, ID_TLS_CERT, 0},
    {"tlskey", FLAG_STR, ID_TLS_KEY, 0},
    {"tlscacert", FLAG_STR, ID_TLS_CA, 0},
    {"shards", FLAG_STR, ID_SHARDS, 0},
    {"js jetstream", FLAG_BOOL, ID_JETSTREAM, 0},
    {"sd store_dir", FLAG_STR, FIELD(store_dir)},
    {"cluster cluster_listen", FLAG_STR, ID_CLUSTER, 0},
    {"cluster_name", FLAG_STR, FIELD(cluster_name)},
    {"cluster_advertise", FLAG_STR, ID_IGNORED, 0},
    {"no_advertise", FLAG_BOOL, ID_IGNORED, 0},
    {"connect_retries", FLAG_INT, ID_IGNORED, 0},
    {"routes", FLAG_STR, ID_ROUTES, 0},
    {"c config", FLAG_STR, ID_CONFIG, 0},
    {"t", FLAG_BOOL, ID_CHECK, 0},
    {"sl signal", FLAG_STR, ID_SIGNAL, 0},
    {"check-store", FLAG_STR, ID_CHECK_STORE, 0},
    {"rebuild-store", FLAG_STR, ID_REBUILD_STORE, 0},
    {"h help", FLAG_BOOL, ID_HELP, 0},
    {"help_tls", FLAG_BOOL, ID_HELP_TLS, 0},
    {"v version", FLAG_BOOL, ID_VERSION, 0},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct mg_cmdline_flag *find_flag(const char *name, size_t n) {
    for (size_t i = 0; i < COUNT(flags); i++)
        for (const char *p = flags[i].names; *p != '\0';) {
            size_t len = strcspn(p, " ");
            if (len == n && memcmp(p, name, n) == 0) return &flags[i];
            p += len + (p[len] == ' ');
        }
    return NULL;
}

// ---- values ------------------------------------------------------------------------------------------------------

// Go's ParseBool.
static bool parse_bool(const char *s, bool *v) {
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    for (size_t i = 0; i < COUNT(yes); i++) {
        if (strcmp(s, yes[i]) != 0 && strcmp(s, no[i]) != 0) continue;
        *v = strcmp(s, yes[i]) == 0;
        return true;
    }
    return false;
}

// Go's ParseInt with base 0: sign, 0x 0o 0b 0 prefixes, single '_' between digits. NULL, or what is wrong.
static const char *parse_int(const char *s, int64_t *v) {
    char digits[72];
    size_t n = 0;
    int base = 10;
    bool negative = *s == '-';
    if (*s == '-' || *s == '+') s++;
    const char *p = s;
    if (p[0] == '0' && p[1] != '\0') {
        int c = p[1] | 0x20;
        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        p += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
    }
    for (bool sep = p == s; *p != '\0'; p++) {
        if (*p == '_') {
            if (sep || p[1] == '\0') return "parse error";
            sep = true;
            continue;
        }
        sep = false;
        if (n == sizeof(digits) - 1) return "value out of range";
        digits[n++] = *p;
    }
    digits[n] = '\0';
    if (n == 0 || strspn(digits, "0123456789abcdefABCDEF") != n) return "parse error";
    char *end;
    errno = 0;
    unsigned long long u = strtoull(digits, &end, base);
    if (*end != '\0') return "parse error";
    if (errno == ERANGE || u > (unsigned long long)INT64_MAX + negative) return "value out of range";
    *v = negative ? (int64_t)(0 - u) : (int64_t)u;
    return NULL;
}

// Keeps a flag whose value is checked and written in one form. NULL, or what is wrong with it.
static const char *keep(struct mg_cmdline *c, const struct mg_cmdline_flag *f, const char *value) {
    char number[24];
    int64_t n = 0;
    bool b;
    if (f->type == FLAG_INT) {
        const char *wrong = parse_int(value, &n);
        if (wrong == NULL && f->id == ID_PORT && (n < INT32_MIN || n > INT32_MAX)) wrong = "value out of range";
        if (wrong != NULL) return wrong;
        snprintf(number, sizeof(number), "%" PRId64, n);
        value = number;
    } else if (f->type == FLAG_BOOL) {
        if (!parse_bool(value, &b)) return "parse error";
        value = b ? "true" : "false";
    } else if (f->id == ID_SHARDS) {
        if (strcmp(value, "auto") != 0 && (parse_int(value, &n) != NULL || n < 1 || n > 64))
            return "must be auto or a number from 1 to 64";
        if (n != 0) snprintf(number, sizeof(number), "%" PRId64, n), value = number;
    }
    c->v = mg_realloc(c->v, (c->n + 1) * sizeof(*c->v));
    c->v[c->n++] = (struct mg_cmdline_override){f, mg_strdup(value)};
    return NULL;
}

// ---- parsing -----------------------------------------------------------------------------------------------------

static void exit_with(struct mg_cmdline *c, int code, const char *out) {
    c->mode = MG_CMDLINE_EXIT;
    c->exit_code = code;
    mg_buf_adds(&c->out, out);
}

static void exit_with_error(struct mg_cmdline *c, const char *text) {
    exit_with(c, 1, "");
    mg_buf_addf(&c->err, "nats-server: %s\n", text);
}

// One flag at argv[*i], which is moved past it. False if the command line is wrong (the text is then in c->err).
static bool parse_flag(struct mg_cmdline *c, int argc, char *const argv[], int *i) {
    const char *arg = argv[(*i)++];
    const char *name = arg + (arg[1] == '-' ? 2 : 1);
    size_t n = strcspn(name, "=");
    const char *value = name[n] == '=' ? name + n + 1 : NULL;
    if (n == 0 || *name == '-') {
        mg_buf_addf(&c->err, "bad flag syntax: %s\n", arg);
        return false;
    }
    const struct mg_cmdline_flag *f = find_flag(name, n);
    if (f == NULL) {
        mg_buf_addf(&c->err, "flag provided but not defined: -%.*s\n", (int)n, name);
        return false;
    }
    if (value == NULL && f->type == FLAG_BOOL) value = "true";
    if (value == NULL && *i < argc) value = argv[(*i)++];
    if (value == NULL) {
        mg_buf_addf(&c->err, "flag needs an argument: -%.*s\n", (int)n, name);
        return false;
    }
    const char *wrong = keep(c, f, value);
    if (wrong == NULL) return true;
    mg_buf_addf(&c->err, "invalid %svalue ", f->type == FLAG_BOOL ? "boolean " : "");
    mg_buf_add_quoted(&c->err, mg_cstr(value));
    mg_buf_addf(&c->err, " for %s-%.*s: %s\n", f->type == FLAG_BOOL ? "" : "flag ", (int)n, name, wrong);
    return false;
}

// The last value of a flag that decides the mode; NULL if it was not given.
static const char *given(const struct mg_cmdline *c, enum flag_id id) {
    const char *v = NULL;
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i].flag->id == id) v = c->v[i].value;
    return v;
}

static bool is_on(const struct mg_cmdline *c, enum flag_id id) {
    const char *v = given(c, id);
    return v != NULL && strcmp(v, "true") == 0;
}

static void print_version(struct mg_cmdline *c, const char *version) {
    exit_with(c, 0, "");
    mg_buf_addf(&c->out, "nats-server: v%s\n", version);
}

// After all flags: what the program is to do. word is the first argument that is no flag, or NULL.
static void decide(struct mg_cmdline *c, const char *word, const char *version) {
    const char *config = given(c, ID_CONFIG), *sig = given(c, ID_SIGNAL);
    const char *look = given(c, ID_CHECK_STORE), *rebuild = given(c, ID_REBUILD_STORE);
    if (config != NULL && *config != '\0') mg_str_set(&c->config_file, config);
    if (is_on(c, ID_VERSION)) print_version(c, version);
    else if (is_on(c, ID_HELP)) exit_with(c, 0, mg_cmdline_usage());
    else if (is_on(c, ID_HELP_TLS)) exit_with(c, 0, mg_cmdline_tls_usage());
    else if (word != NULL && strcasecmp(word, "version") == 0) print_version(c, version);
    else if (word != NULL && strcasecmp(word, "help") == 0) exit_with(c, 0, mg_cmdline_usage());
    else if (word != NULL) {
        exit_with(c, 1, "");
        mg_buf_adds(&c->err, "nats-server: unrecognized command: ");
        mg_buf_add_quoted(&c->err, mg_cstr(word));
        mg_buf_addc(&c->err, '\n');
    } else if (sig != NULL && *sig != '\0') {
        const char *eq = strchr(sig, '=');
        c->mode = MG_CMDLINE_SIGNAL;
        c->signal_cmd = mg_strndup(sig, strcspn(sig, "="));
        c->signal_pid = eq ? mg_strdup(eq + 1) : NULL;
    } else if (rebuild != NULL || look != NULL) {
        c->mode = rebuild ? MG_CMDLINE_REBUILD_STORE : MG_CMDLINE_CHECK_STORE;
        c->store = mg_strdup(rebuild ? rebuild : look);
    } else if (is_on(c, ID_CHECK)) {
        c->mode = MG_CMDLINE_CHECK;
        if (c->config_file == NULL)
            exit_with_error(c, "must specify [-c, --config] option to check configuration file syntax");
    }
}

void mg_cmdline_parse(int argc, char *const argv[], const char *version, struct mg_cmdline *out) {
    *out = (struct mg_cmdline){.mode = MG_CMDLINE_RUN};
    int i = 1;
    while (i < argc && argv[i][0] == '-' && argv[i][1] != '\0') {
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        if (parse_flag(out, argc, argv, &i)) continue;
        exit_with(out, 0, mg_cmdline_usage()); // B1: wrong usage exits with 0
        return;
    }
    decide(out, i < argc ? argv[i] : NULL, version);
}

void mg_cmdline_fini(struct mg_cmdline *c) {
    for (size_t i = 0; i < c->n; i++)
        mg_free(c->v[i].value);
    mg_free(c->v);
    mg_free(c->config_file);
    mg_free(c->signal_cmd);
    mg_free(c->signal_pid);
    mg_free(c->store);
    mg_buf_fini(&c->out);
    mg_buf_fini(&c->err);
    *c = (struct mg_cmdline){0};
}

// ---- applying ----------------------------------------------------------------------------------------------------

static bool is_true(const struct mg_cmdline_override *v) { return strcmp(v->value, "true") == 0; }

static void apply_field(const struct mg_cmdline_override *v, struct mg_options *o) {
    void *field = (char *)o + v->flag->offset;
    switch (v->flag->type) {
    case FLAG_BOOL: *(bool *)field = is_true(v); break;
    case FLAG_INT: *(int64_t *)field = strtoll(v->value, NULL, 10); break;
    case FLAG_STR: mg_str_set(field, *v->value ? v->value : NULL); break;
    }
}

static void apply_one(const struct mg_cmdline_override *v, struct mg_options *o) {
    switch (v->flag->id) {
    case ID_FIELD: apply_field(v, o); break;
    case ID_PORT: *(int *)(void *)((char *)o + v->flag->offset) = (int)strtol(v->value, NULL, 10); break;
    case ID_DV: o->debug = o->trace = is_true(v); break;
    case ID_VV: o->trace = o->trace_verbose = is_true(v); break;
    case ID_DVV: o->debug = o->trace = o->trace_verbose = is_true(v); break;
    case ID_SHARDS: o->shards = (int)strtol(v->value, NULL, 10); break; // "auto" reads as 0
    case ID_JETSTREAM: o->jetstream = is_true(v); break;
    case ID_IGNORED: break;
    default: break; // settled together, or no option at all
    }
}

// Any tls flag replaces the file's tls block; --tls=false turns it off, whatever else is given.
static int apply_tls(const struct mg_cmdline *c, struct mg_options *o, char *err, size_t errlen) {
    const char *on = given(c, ID_TLS), *cert = given(c, ID_TLS_CERT), *key = given(c, ID_TLS_KEY);
    const char *ca = given(c, ID_TLS_CA), *verify = given(c, ID_TLS_VERIFY);
    if (!on && !cert && !key && !ca && !verify) return MG_OK;
    mg_tls_options_fini(&o->tls_opts);
    mg_tls_options_init(&o->tls_opts);
    o->tls = on == NULL || strcmp(on, "true") == 0;
    if (!o->tls) return MG_OK;
    const char *missing = key == NULL || *key == '\0' ? "private key" : NULL;
    if (cert == NULL || *cert == '\0') missing = "certificate";
    if (missing != NULL) {
        snprintf(err, errlen, "TLS Server %s must be present and valid", missing);
        return MG_EINVAL;
    }
    mg_str_set(&o->tls_opts.cert_file, cert);
    mg_str_set(&o->tls_opts.key_file, key);
    mg_str_set(&o->tls_opts.ca_file, ca != NULL && *ca ? ca : NULL);
    o->tls_opts.verify = verify != NULL && strcmp(verify, "true") == 0;
    return MG_OK;
}

static void drop_inactive(struct mg_options *o, const char *name) {
    for (size_t i = 0; i < o->ninactive; i++) {
        if (strcmp(o->inactive[i].name, name) != 0) continue;
        mg_free(o->inactive[i].name);
        o->inactive[i] = o->inactive[--o->ninactive];
        return;
    }
}

static int apply_inactive(const struct mg_cmdline *c, struct mg_options *o, char *err, size_t errlen) {
    const char *cluster = given(c, ID_CLUSTER), *routes = given(c, ID_ROUTES);
    if (cluster != NULL && *cluster == '\0') drop_inactive(o, "cluster");
    else if (cluster != NULL) mg_options_add_inactive(o, "cluster", false);
    if (routes != NULL && *routes != '\0' && mg_options_inactive(o, "cluster") == NULL) {
        snprintf(err, errlen, "solicited routes require cluster capabilities, e.g. --cluster");
        return MG_EINVAL;
    }
    return MG_OK;
}

int mg_cmdline_apply(const struct mg_cmdline *c, struct mg_options *o, char *err, size_t errlen) {
    for (size_t i = 0; i < c->n; i++) {
        apply_one(&c->v[i], o);
        if (c->v[i].flag->id != ID_PORT) continue;
        long port = strtol(c->v[i].value, NULL, 10);
        if (port < -1 || port > 65535) {
            snprintf(err, errlen, "listen tcp: address %ld: invalid port", port);
            return MG_EINVAL;
        }
    }
    // An empty or zero value of these means the default, as in a file.
    if (o->host == NULL) mg_str_set(&o->host, "0.0.0.0");
    if (o->port == 0) o->port = 4222;
    int rc = apply_tls(c, o, err, errlen);
    return rc == MG_OK ? apply_inactive(c, o, err, errlen) : rc;
}

// ---- showing -----------------------------------------------------------------------------------------------------

// Replaces the user info of a URL: "nats://a:b@h:1" -> "nats://[REDACTED]@h:1".
static void redact_url(struct mg_buf *out, const char *s, size_t n) {
    const char *scheme = memmem(s, n, "://", 3), *at = NULL;
    const char *from = scheme ? scheme + 3 : NULL, *end = s + n;
    for (const char *p = from; p && p < end && *p != '/' && *p != '?' && *p != '#'; p++)
        if (*p == '@') at = p;
    if (at == NULL) {
        mg_buf_add(out, s, n);
        return;
    }
    mg_buf_add(out, s, (size_t)(from - s));
    mg_buf_adds(out, "[REDACTED]");
    mg_buf_add(out, at, (size_t)(end - at));
}

static void redact_value(struct mg_buf *out, const char *value, bool urls) {
    if (!urls) {
        mg_buf_adds(out, "[REDACTED]");
        return;
    }
    for (;;) { // comma separated
        size_t n = strcspn(value, ",");
        redact_url(out, value, n);
        if (value[n] == '\0') return;
        mg_buf_addc(out, ',');
        value += n + 1;
    }
}

void mg_cmdline_redact(int argc, char *const argv[], struct mg_strlist *out) {
    static const char *const secrets[] = {"user", "pass", "auth", "routes", "cluster", "cluster_listen"};
    bool redact_next = false, urls = false;
    for (int i = 0; i < argc; i++) {
        struct mg_buf b = MG_BUF_INIT;
        const char *arg = argv[i], *name = arg;
        if (redact_next) {
            redact_next = false;
            redact_value(&b, arg, urls);
        } else {
            while (name - arg < 2 && *name == '-')
                name++;
            size_t n = strcspn(name, "="), k = 0;
            while (k < COUNT(secrets) && (name == arg || strlen(secrets[k]) != n || memcmp(secrets[k], name, n) != 0))
                k++;
            bool secret = k < COUNT(secrets);
            urls = k >= 3;
            redact_next = secret && name[n] == '\0';
            mg_buf_add(&b, arg, (size_t)(name - arg) + n);
            if (name[n] == '=' && secret) {
                mg_buf_addc(&b, '=');
                redact_value(&b, name + n + 1, urls);
            } else {
                mg_buf_adds(&b, name + n);
            }
        }
        mg_buf_addc(&b, '\0');
        mg_strlist_add(out, b.p);
        mg_buf_fini(&b);
    }
}
