// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "client/cli/connect.h"
#include "client/cli/context_cmd.h"

// Lines are kept until all are known, because the names stand at the right of their column.
typedef struct line {
    const char *name, *value;
} line;

typedef struct view {
    cli *app;
    line lines[CLI_CONTEXT_TEXTS_LEN + 4];
    size_t len;
    const char *problems[CLI_CONTEXT_TEXTS_LEN + 1];
    size_t problems_len;
} view;

static void add(view *v, const char *name, const char *value) {
    if (value != NULL) v->lines[v->len++] = (line){name, value};
}

static const char *coloured(cli *app, enum cli_colour colour, const char *text) {
    return cli_printf(app, "%s%s%s", cli_colour(app, colour), text, cli_colour(app, CLI_PLAIN));
}

// "path (OK)", or where it comes from.
static void add_file(view *v, const char *name, const char *ref) {
    static const char *const sources[][2] = {
        {"op://", "1Password"}, {"nsc://", "nsc"}, {"env://", "runtime environment"}};
    const char *state = NULL, *path = ref;
    if (ref == NULL) return;
    if (strncasecmp(ref, "data:;base64,", 13) == 0) {
        add(v, name, "embedded data");
        return;
    }
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
        if (strncasecmp(ref, sources[i][0], strlen(sources[i][0])) == 0)
            state = coloured(v->app, CLI_CYAN, sources[i][1]);
    if (strncasecmp(ref, "file://", 7) == 0) path = ref + 7;
    if (state == NULL) {
        bool readable = access(cli_context_expand(v->app, path), R_OK) == 0;
        if (!readable) v->problems[v->problems_len++] = cli_printf(v->app, "%s: %s cannot be read", name, path);
        state = readable ? coloured(v->app, CLI_GREEN, "OK") : coloured(v->app, CLI_RED, "ERROR");
    }
    add(v, name, cli_printf(v->app, "%s (%s)", ref, state));
}

static void try_to_connect(view *v, const cli_context *c) {
    char err[512];
    midge_options o;
    cli_context with_url = *c;
    if (with_url.text[CLI_CONTEXT_URL] == NULL) with_url.text[CLI_CONTEXT_URL] = "nats://127.0.0.1:4222";
    midge_conn *conn = NULL;
    if (cli_context_options(v->app, &with_url, &o, err, sizeof err) == 0) conn = midge_connect(&o, err, sizeof err);
    if (conn == NULL) v->problems[v->problems_len++] = cli_strndup(v->app, err, strlen(err));
    add(v, "Connection", conn != NULL ? coloured(v->app, CLI_GREEN, "OK")
                                      : coloured(v->app, CLI_RED, cli_strndup(v->app, err, strlen(err))));
    midge_conn_free(conn);
}

static void tell_overrides(cli *app) {
    const char *list = "";
    for (const cli_flag *f = cli_global_flags; f->name != NULL; f++) {
        const char *value = f->env != NULL && strcmp(f->env, "NATS_CONTEXT") != 0 ? getenv(f->env) : NULL;
        if (value != NULL && *value != '\0') list = cli_printf(app, "%s%s%s", list, *list != '\0' ? ", " : "", f->env);
    }
    if (*list != '\0')
        printf("%s: Shell environment overrides in place using %s\n", coloured(app, CLI_RED, "WARNING"), list);
}

// What there is to say about a context. *v is zeroed.
static void look(view *v, cli *app, const cli_context *c, bool connect) {
    v->app = app;
    const char *const *t = c->text;
    const char *password = t[CLI_CONTEXT_PASSWORD];
    char *stars = password != NULL ? cli_strndup(app, password, strlen(password)) : NULL;
    if (stars != NULL) memset(stars, '*', strlen(stars));
    add(v, "Description", t[CLI_CONTEXT_DESCRIPTION]);
    add(v, "Server URLs", t[CLI_CONTEXT_URL] != NULL ? t[CLI_CONTEXT_URL] : "nats://127.0.0.1:4222");
    add(v, "SOCKS5 Proxy", t[CLI_CONTEXT_SOCKS_PROXY]);
    add(v, "Username", t[CLI_CONTEXT_USER]);
    add(v, "Password", stars);
    add(v, "Token", t[CLI_CONTEXT_TOKEN]);
    add_file(v, "Credentials", t[CLI_CONTEXT_CREDS]);
    add_file(v, "User JWT", t[CLI_CONTEXT_USER_JWT]);
    add_file(v, "User Seed", t[CLI_CONTEXT_USER_SEED]);
    add_file(v, "NKey", t[CLI_CONTEXT_NKEY]);
    add_file(v, "Certificate", t[CLI_CONTEXT_CERT]);
    add_file(v, "Key", t[CLI_CONTEXT_KEY]);
    add_file(v, "CA", t[CLI_CONTEXT_CA]);
    add(v, "TLS First", c->tls_first ? "true" : NULL);
    add(v, "JS API Prefix", t[CLI_CONTEXT_JS_API_PREFIX]);
    add(v, "JS Event Prefix", t[CLI_CONTEXT_JS_EVENT_PREFIX]);
    add(v, "JS Domain", t[CLI_CONTEXT_JS_DOMAIN]);
    add(v, "Inbox Prefix", t[CLI_CONTEXT_INBOX_PREFIX]);
    add(v, "Path", c->path);
    add(v, "Color Scheme", t[CLI_CONTEXT_COLOR_SCHEME]);
    if (connect) try_to_connect(v, c);
}

static void print(cli *app, const view *v, const cli_context *c) {
    size_t width = 0;
    for (size_t i = 0; i < v->len; i++)
        if (strlen(v->lines[i].name) > width) width = strlen(v->lines[i].name);
    printf("NATS Configuration Context \"%s\"\n\n", c->name != NULL ? c->name : "");
    for (size_t i = 0; i < v->len; i++)
        printf("  %*s: %s\n", (int)width, v->lines[i].name, v->lines[i].value);
    putchar('\n');
    tell_overrides(app);
}

void cli_context_show(cli *app, const cli_context *c, bool connect) {
    view v = {0};
    look(&v, app, c, connect);
    print(app, &v, c);
}

static int load_named(cli *app, const char *name, cli_context *c) {
    char err[512];
    if (cli_context_load(app, name, c, err, sizeof err) != 0) return cli_fail(app, "%s", err);
    return CLI_OK;
}

static int run_info(cli *app) {
    const char *name = cli_arg_of(app, "name");
    cli_context c;
    if (name == NULL) name = cli_context_selected(app);
    if (name == NULL)
        return cli_fail(app, "no default context and no name supplied; midge context ls shows those that are known");
    if (load_named(app, name, &c) != CLI_OK) return CLI_FAILED;
    if (cli_get_bool(app, "json")) {
        cli_json j = {.out = stdout, .indent = 2};
        cli_context_write(&c, &j, true);
        return CLI_OK;
    }
    cli_context_show(app, &c, cli_get_bool(app, "connect"));
    return CLI_OK;
}

// One context of `validate`; false: something is wrong with it.
static bool validate(cli *app, const char *name, cli_json *j) {
    cli_context c;
    view v = {0};
    char err[512];
    bool loaded = cli_context_load(app, name, &c, err, sizeof err) == 0;
    if (loaded) {
        look(&v, app, &c, cli_get_bool(app, "connect"));
    } else {
        v.problems[v.problems_len++] = err;
    }
    if (j != NULL) {
        cli_json_begin(j, NULL, '{');
        cli_json_string(j, "name", name);
        cli_json_begin(j, "problems", '[');
        for (size_t i = 0; i < v.problems_len; i++)
            cli_json_string(j, NULL, v.problems[i]);
        cli_json_end(j, ']');
        cli_json_end(j, '}');
    } else if (loaded) {
        print(app, &v, &c);
        putchar('\n');
    } else {
        printf("Could not load %s: %s\n\n\n", name, coloured(app, CLI_RED, err));
    }
    return v.problems_len == 0;
}

static int run_validate(cli *app) {
    const char *one = cli_arg_of(app, "name");
    size_t n = 1;
    const char **names = one != NULL ? &one : cli_context_list(app, &n);
    bool ok = true, json = cli_get_bool(app, "json");
    cli_json j = {.out = stdout, .indent = 2};
    if (json) cli_json_begin(&j, NULL, '[');
    for (size_t i = 0; i < n; i++)
        ok = validate(app, names[i], json ? &j : NULL) && ok;
    if (json) cli_json_end(&j, ']');
    return ok ? CLI_OK : cli_fail(app, "validation failed");
}

static const cli_flag info_flags[] = {
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print JSON"},
    {.name = "connect", .type = CLI_SWITCH, .help = "Try to connect"},
    {0},
};
static const cli_flag validate_flags[] = {
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print JSON"},
    {.name = "connect", .type = CLI_SWITCH, .help = "Try to connect"},
    {0},
};
static const cli_arg some_name[] = {{.name = "name", .help = "Name of the context", .list = "context"}, {0}};

const cli_command cli_command_context_info = {
    .name = "info",
    .aliases = "show v view",
    .summary = "Show a context, the selected one by default",
    .flags = info_flags,
    .args = some_name,
    .run = run_info,
};

const cli_command cli_command_context_validate = {
    .name = "validate",
    .summary = "Check one or all contexts",
    .flags = validate_flags,
    .args = some_name,
    .run = run_validate,
};
