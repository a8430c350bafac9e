// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// From flags and context to a connection.
//
// The context is the one of --context, else the selected one, unless --no-context; flags and their variables override
// its members one by one, as in natscli. A user without a password is a token. Credentials may be URIs: file://,
// env://NAME, data:;base64,..., op:// (the program `op`) and nsc:// (the program `nsc`).
#include "client/cli/app.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "client/cli/connect.h"
#include "client/cli/child.h"

// ---- credential URIs ------------------------------------------------------------------------------------------------

static bool has_scheme(const char *ref, const char *scheme) { return strncasecmp(ref, scheme, strlen(scheme)) == 0; }

// What a program prints, without the line break at its end.
static char *output_of(cli *app, const char *const words[], char *err, size_t err_size) {
    char *output;
    size_t n;
    int status = cli_spawn(words, NULL, MIDGE_NONE, false, &output, &n);
    if (status != 0) {
        const char *why = status < 0 ? strerror(errno) : "it failed";
        snprintf(err, err_size, "cannot run \"%s\": %s", words[0], why);
        free(output);
        return NULL;
    }
    while (n > 0 && (output[n - 1] == '\n' || output[n - 1] == '\r'))
        n--;
    char *copy = cli_strndup(app, output != NULL ? output : "", n);
    free(output);
    return copy;
}

// The file of the credentials that `nsc generate profile` names.
static const char *nsc_creds(cli *app, const char *ref, char *err, size_t err_size) {
    const char *const words[] = {"nsc", "generate", "profile", cli_printf(app, "nsc://%s", ref), NULL};
    char *text = output_of(app, words, err, err_size);
    cli_json_reader r;
    midge_str name, value;
    if (text == NULL) return NULL;
    bool ok = cli_json_enter(&r, midge_cstr(text), '{');
    while (ok && cli_json_next(&r, &name, &value)) {
        if (name.n != 10 || memcmp(name.p, "user_creds", 10) != 0) continue;
        char *path = cli_alloc(app, value.n + 1);
        if (cli_json_unquote(value, path) != SIZE_MAX) return path;
    }
    snprintf(err, err_size, "nsc did not name user_creds");
    return NULL;
}

static const char *read_text(cli *app, const char *path, char *err, size_t err_size) {
    size_t n;
    char *text = cli_read_file(app, path, &n);
    if (text == NULL) snprintf(err, err_size, "cannot read %s: %s", path, strerror(errno));
    return text;
}

static const char *decode_data(cli *app, const char *ref, char *err, size_t err_size) {
    const char *body = strstr(ref, ";base64,");
    char *text = cli_alloc(app, strlen(ref) + 4);
    size_t n = body != NULL ? cli_base64_read(body + 8, strlen(body + 8), text) : SIZE_MAX;
    if (n == SIZE_MAX) {
        snprintf(err, err_size, "a data: reference needs base64");
        return NULL;
    }
    text[n] = '\0';
    return text;
}

const char *cli_resolve(cli *app, const char *ref, bool literal, char *err, size_t err_size) {
    if (has_scheme(ref, "env://")) {
        const char *value = getenv(ref + 6);
        if (value == NULL) snprintf(err, err_size, "the variable %s is not set", ref + 6);
        return value;
    }
    if (has_scheme(ref, "data:")) return decode_data(app, ref, err, err_size);
    if (has_scheme(ref, "op://")) {
        const char *const words[] = {"op", "read", cli_strndup(app, ref, strlen(ref)), NULL};
        return output_of(app, words, err, err_size);
    }
    if (has_scheme(ref, "nsc://")) {
        const char *path = nsc_creds(app, ref + 6, err, err_size);
        return path != NULL ? read_text(app, path, err, err_size) : NULL;
    }
    if (has_scheme(ref, "file://")) return read_text(app, ref + 7, err, err_size);
    return literal ? ref : read_text(app, ref, err, err_size);
}

// ---- the context ----------------------------------------------------------------------------------------------------

// "~" at the start, and $NAME or ${NAME} anywhere.
const char *cli_context_expand(cli *app, const char *path) {
    const char *home = getenv("HOME");
    const char *out = *path == '~' && home != NULL ? home : "";
    for (path += *out != '\0'; *path != '\0';) {
        size_t plain = strcspn(path, "$");
        out = cli_printf(app, "%s%.*s", out, (int)plain, path);
        path += plain;
        if (*path == '\0') break;
        bool braces = path[1] == '{';
        const char *name = path + 1 + braces;
        size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
        const char *value = getenv(cli_strndup(app, name, n));
        out = cli_printf(app, "%s%s", out, value != NULL ? value : "");
        path = name + n + (braces && name[n] == '}');
    }
    return out;
}

static const struct {
    const char *flag;
    enum cli_context_text which;
} overrides[] = {
    {"server", CLI_CONTEXT_URL},
    {"socks-proxy", CLI_CONTEXT_SOCKS_PROXY},
    {"token", CLI_CONTEXT_TOKEN},
    {"creds", CLI_CONTEXT_CREDS},
    {"nkey", CLI_CONTEXT_NKEY},
    {"jwt", CLI_CONTEXT_USER_JWT},
    {"seed", CLI_CONTEXT_USER_SEED},
    {"tlscert", CLI_CONTEXT_CERT},
    {"tlskey", CLI_CONTEXT_KEY},
    {"tlsca", CLI_CONTEXT_CA},
    {"js-domain", CLI_CONTEXT_JS_DOMAIN},
    {"domain", CLI_CONTEXT_JS_DOMAIN},
    {"js-api-prefix", CLI_CONTEXT_JS_API_PREFIX},
    {"js-event-prefix", CLI_CONTEXT_JS_EVENT_PREFIX},
    {"inbox-prefix", CLI_CONTEXT_INBOX_PREFIX},
    {"colors", CLI_CONTEXT_COLOR_SCHEME},
};

void cli_context_override(cli *app, cli_context *c) {
    for (size_t i = 0; i < sizeof overrides / sizeof overrides[0]; i++) {
        const char *text = cli_get_string(app, overrides[i].flag);
        if (text != NULL && *text != '\0') c->text[overrides[i].which] = text;
    }
    const char *user = cli_get_string(app, "user"), *password = cli_get_string(app, "password");
    if (user != NULL && *user != '\0' && (password == NULL || *password == '\0')) {
        c->text[CLI_CONTEXT_TOKEN] = user;
    } else {
        if (user != NULL && *user != '\0') c->text[CLI_CONTEXT_USER] = user;
        if (password != NULL && *password != '\0') c->text[CLI_CONTEXT_PASSWORD] = password;
    }
    if (cli_given(app, "tlsfirst")) c->tls_first = cli_get_bool(app, "tlsfirst");
    if (cli_given(app, "tls-first")) c->tls_first = cli_get_bool(app, "tls-first");
    const char *proxy = c->text[CLI_CONTEXT_SOCKS_PROXY];
    if (proxy != NULL && (strcasecmp(proxy, "none") == 0 || strcmp(proxy, "-") == 0))
        c->text[CLI_CONTEXT_SOCKS_PROXY] = NULL;
}

static int load_context(cli *app, cli_context *c, char *err, size_t err_size) {
    const char *name = cli_get_string(app, "context");
    *c = (cli_context){0};
    if (cli_get_bool(app, "no-context")) return 0;
    size_t n = name != NULL ? strlen(name) : 0;
    if (n > 5 && strcmp(name + n - 5, ".json") == 0 && access(name, R_OK) == 0)
        return cli_context_load_file(app, name, c, err, err_size);
    if (n == 0) name = cli_context_selected(app);
    return name != NULL ? cli_context_load(app, name, c, err, err_size) : 0;
}

// ---- options --------------------------------------------------------------------------------------------------------

static bool is_path(const char *ref) {
    static const char *const schemes[] = {"env://", "data:", "op://", "nsc://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (has_scheme(ref, schemes[i])) return false;
    return true;
}

static const char *path_of(cli *app, const char *ref) {
    return ref != NULL ? cli_context_expand(app, has_scheme(ref, "file://") ? ref + 7 : ref) : NULL;
}

// Credentials that are no file become a JWT and a seed.
static int use_creds(cli *app, midge_options *o, const char *ref, char *err, size_t err_size) {
    if (is_path(ref)) {
        o->creds = path_of(app, ref);
        return 0;
    }
    midge_str jwt, seed;
    const char *text = cli_resolve(app, ref, false, err, err_size);
    if (text == NULL) return -1;
    if (midge_creds_parse(midge_cstr(text), &jwt, &seed) != 0) {
        snprintf(err, err_size, "%s has no user JWT and seed", ref);
        return -1;
    }
    o->jwt = cli_strndup(app, jwt.p, jwt.n);
    o->seed = cli_strndup(app, seed.p, seed.n);
    return 0;
}

// The seed inside of a text that may be decorated with lines around it.
static const char *seed_in(cli *app, const char *text) {
    const char *from = strstr(text, "SU");
    if (from == NULL) return text;
    return cli_strndup(app, from, strspn(from, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"));
}

// In natscli's order: user, creds, nkey, JWT; a token besides.
static int use_credentials(cli *app, midge_options *o, const cli_context *c, char *err, size_t err_size) {
    const char *const *text = c->text;
    const char **out = NULL;
    const char *ref = NULL;
    if (text[CLI_CONTEXT_USER] != NULL) {
        o->user = text[CLI_CONTEXT_USER];
        ref = text[CLI_CONTEXT_PASSWORD];
        out = &o->password;
    } else if (text[CLI_CONTEXT_CREDS] != NULL) {
        return use_creds(app, o, text[CLI_CONTEXT_CREDS], err, err_size);
    } else if (text[CLI_CONTEXT_NSC] != NULL) {
        const char *nsc = text[CLI_CONTEXT_NSC];
        const char *creds = nsc_creds(app, has_scheme(nsc, "nsc://") ? nsc + 6 : nsc, err, err_size);
        return creds != NULL ? use_creds(app, o, creds, err, err_size) : -1;
    } else if (text[CLI_CONTEXT_NKEY] != NULL) {
        ref = text[CLI_CONTEXT_NKEY];
        if (is_path(ref)) ref = path_of(app, ref);
        ref = cli_resolve(app, ref, false, err, err_size);
        o->nkey_seed = ref != NULL ? seed_in(app, ref) : NULL;
        return ref != NULL ? 0 : -1;
    } else if (text[CLI_CONTEXT_USER_JWT] != NULL) {
        o->jwt = cli_resolve(app, text[CLI_CONTEXT_USER_JWT], true, err, err_size);
        if (o->jwt == NULL) return -1;
        ref = text[CLI_CONTEXT_USER_SEED];
        out = &o->seed;
    } else {
        ref = text[CLI_CONTEXT_TOKEN];
        out = &o->token;
    }
    if (ref == NULL) return 0;
    *out = cli_resolve(app, ref, true, err, err_size);
    return *out != NULL ? 0 : -1;
}

static void on_event(midge *m, const midge_event *e, void *user) {
    cli *app = user;
    char why[256];
    midge_conn *conn = midge_conn_of(m);
    const char *server = midge_conn_server(conn);
    bool trace = cli_get_bool(app, "trace");
    switch (e->type) {
    case MIDGE_EVENT_CONNECTED:
        if (trace) cli_log(app, ">>> Connected to %s", server);
        break;
    case MIDGE_EVENT_RECONNECTED:
        if (trace) cli_log(app, ">>> Reconnected to %s", server);
        break;
    case MIDGE_EVENT_DISCONNECTED:
        midge_conn_error(conn, why, sizeof why);
        cli_log(app, ">>> Disconnected due to: %s, will attempt reconnect", why);
        break;
    case MIDGE_EVENT_SERVERS:
        if (trace) cli_log(app, ">>> Discovered new servers");
        break;
    case MIDGE_EVENT_TOO_LARGE:
        cli_log(app, ">>> A message on \"%.*s\" is too large and was skipped", (int)e->subject.n, e->subject.p);
        break;
    case MIDGE_EVENT_PERMISSION:
    case MIDGE_EVENT_ERROR:
        snprintf(app->complaint, sizeof app->complaint, "%.*s", (int)e->text.n, e->text.p);
        if (trace) cli_log(app, ">>> Unexpected NATS error: %s", app->complaint);
        break;
    case MIDGE_EVENT_LAME_DUCK:
        if (trace) cli_log(app, ">>> The server is about to go away (lame duck)");
        break;
    case MIDGE_EVENT_SLOW_CONSUMER:
        if (trace) cli_log(app, ">>> The server finds us too slow a consumer");
        break;
    case MIDGE_EVENT_CLOSED:
    case MIDGE_EVENT_DROPPED: break;
    }
}

int cli_context_options(cli *app, const cli_context *c, midge_options *o, char *err, size_t err_size) {
    const char *name = cli_get_string(app, "connection-name");
    *o = (midge_options){
        .servers = c->text[CLI_CONTEXT_URL],
        .tls_ca = path_of(app, c->text[CLI_CONTEXT_CA]),
        .tls_cert = path_of(app, c->text[CLI_CONTEXT_CERT]),
        .tls_key = path_of(app, c->text[CLI_CONTEXT_KEY]),
        .tls_first = c->tls_first,
        .name = name != NULL && *name != '\0' ? name : "Midge CLI Version " MIDGE_VERSION,
        .inbox_prefix = c->text[CLI_CONTEXT_INBOX_PREFIX],
        .on_event = on_event,
        .user_data = app,
    };
    if (c->text[CLI_CONTEXT_SOCKS_PROXY] != NULL) {
        snprintf(err, err_size, "connecting through the SOCKS proxy %s is not possible; --socks-proxy none ignores it",
                 c->text[CLI_CONTEXT_SOCKS_PROXY]);
        return -1;
    }
    return use_credentials(app, o, c, err, err_size);
}

const midge_options *cli_options(cli *app) {
    char err[512] = "";
    if (app->options != NULL) return app->options;
    midge_options *o = cli_alloc(app, sizeof *o);
    if (load_context(app, &app->context, err, sizeof err) != 0) {
        cli_fail(app, "%s", err);
        return NULL;
    }
    cli_context_override(app, &app->context);
    if (app->context.text[CLI_CONTEXT_URL] == NULL) app->context.text[CLI_CONTEXT_URL] = "nats://127.0.0.1:4222";
    if (cli_context_options(app, &app->context, o, err, sizeof err) != 0) {
        cli_fail(app, "%s", err);
        return NULL;
    }
    app->options = o;
    return o;
}

const char *cli_js_domain(const cli *app) { return app->context.text[CLI_CONTEXT_JS_DOMAIN]; }
const char *cli_js_prefix(const cli *app) { return app->context.text[CLI_CONTEXT_JS_API_PREFIX]; }

// ---- connections ----------------------------------------------------------------------------------------------------

const char *cli_connect_hint(const char *reason) {
    static const struct {
        const char *word, *hint;
    } hints[] = {
        {"connection refused", "; is the server running? midge server check connection"},
        {"authorization", "; check --user, --creds or --nkey, or the context: midge context info"},
        {"authentication", "; check --user, --creds or --nkey, or the context: midge context info"},
        {"certificate", "; check --tlsca, --tlscert and --tlskey"},
        {"tls", "; check --tlsca, --tlscert and --tlskey"},
        {"not known", "; check the name in --server or the context: midge context info"},
        {"no address", "; check the name in --server or the context: midge context info"},
        {"name resolution", "; check the name in --server or the context: midge context info"},
        {"unreachable", "; is the address right, and does a firewall let it through?"},
        {"time", "; is the address right, and does a firewall let it through?"},
    };
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
        if (strcasestr(reason, hints[i].word) != NULL) return hints[i].hint;
    return "";
}

int cli_connect_failed(cli *app, const midge_options *options, const char *reason) {
    (void)options;
    return cli_fail(app, "%s%s", reason, cli_connect_hint(reason));
}

midge_conn *cli_connect(cli *app) {
    char err[512] = "";
    const midge_options *o = cli_options(app);
    if (o == NULL) return NULL;
    midge_conn *conn = midge_connect(o, err, sizeof err);
    if (conn == NULL) cli_connect_failed(app, o, err);
    return conn;
}

const char *cli_complaint(cli *app) {
    if (app->complaint[0] == '\0') return NULL;
    const char *text = cli_strndup(app, app->complaint, strlen(app->complaint));
    app->complaint[0] = '\0';
    return text;
}
