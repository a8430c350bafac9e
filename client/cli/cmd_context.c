// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge context: everything that only moves contexts. Showing and validating are in context_show.c, editing is in
// context_edit.c. natscli asks before it removes; this program asks nobody, so `rm` wants --force instead where there
// is no terminal, as natscli does there.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/commands.h"
#include "client/cli/connect.h"
#include "client/cli/context_cmd.h"
#include "client/cli/prompt.h"
#include "client/cli/table.h"

static int show(cli *app, const cli_context *c) {
    if (cli_get_bool(app, "json")) {
        cli_json j = {.out = stdout, .indent = 2};
        cli_context_write(c, &j, true);
    } else {
        cli_context_show(app, c, false);
    }
    return CLI_OK;
}

// ---- add, copy ------------------------------------------------------------------------------------------------------

// A file becomes a data: URI. Other references stay.
static int embed(cli *app, cli_context *c, enum cli_context_text which, char *err, size_t err_size) {
    const char *ref = c->text[which];
    const char *colon = ref != NULL ? strstr(ref, ":") : NULL;
    bool file = ref != NULL && strncmp(ref, "file://", 7) == 0;
    if (ref == NULL || (colon != NULL && !file)) return 0;
    size_t n, len;
    char *data = NULL;
    const char *text = cli_read_file(app, file ? ref + 7 : ref, &n);
    if (text == NULL) {
        snprintf(err, err_size, "cannot read %s: %s", ref, strerror(errno));
        return -1;
    }
    FILE *out = open_memstream(&data, &len);
    if (out == NULL) return -1;
    fputs("data:;base64,", out);
    cli_base64_write(out, (midge_str){text, n});
    fclose(out);
    c->text[which] = cli_strndup(app, data, len);
    free(data);
    return 0;
}

static int too_many_credentials(const cli_context *c) {
    static const enum cli_context_text kinds[] = {CLI_CONTEXT_USER, CLI_CONTEXT_CREDS, CLI_CONTEXT_NKEY,
                                                  CLI_CONTEXT_NSC, CLI_CONTEXT_USER_JWT};
    int n = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        n += c->text[kinds[i]] != NULL;
    return n > 1;
}

// Saves what `c` is, changed by the flags, as `name`.
static int save(cli *app, cli_context *c, const char *name) {
    char err[512];
    cli_context_override(app, c);
    const char *description = cli_get_string(app, "description");
    if (description != NULL) c->text[CLI_CONTEXT_DESCRIPTION] = description;
    if (c->text[CLI_CONTEXT_URL] == NULL) c->text[CLI_CONTEXT_URL] = "nats://127.0.0.1:4222";
    if (too_many_credentials(c))
        return cli_fail(app, "too many types of credentials. "
                             "Choose only one from 'user/token', 'creds', 'nkey', 'nsc'");
    static const enum cli_context_text files[] = {CLI_CONTEXT_CREDS, CLI_CONTEXT_NKEY, CLI_CONTEXT_USER_JWT,
                                                  CLI_CONTEXT_USER_SEED};
    for (size_t i = 0; cli_get_bool(app, "embed") && i < sizeof files / sizeof files[0]; i++)
        if (embed(app, c, files[i], err, sizeof err) != 0) return cli_fail(app, "%s", err);
    if (cli_context_save(app, c, name, err, sizeof err) != 0) return cli_fail(app, "%s", err);
    if (cli_get_bool(app, "select") && cli_context_select(app, name, err, sizeof err) != 0)
        return cli_fail(app, "%s", err);
    return show(app, c);
}

static int run_add(cli *app) {
    const char *name = cli_arg_of(app, "name"), *from = cli_get_string(app, "context");
    cli_context c = {0};
    char err[512];
    if (cli_context_known(app, name)) from = name;
    if (from != NULL && cli_context_load(app, from, &c, err, sizeof err) != 0) return cli_fail(app, "%s", err);
    return save(app, &c, name);
}

static int run_copy(cli *app) {
    const char *source = cli_arg_of(app, "source"), *name = cli_arg_of(app, "name");
    cli_context c;
    char err[512];
    if (!cli_context_known(app, source)) return cli_fail(app, "unknown context \"%s\"", source);
    if (cli_context_known(app, name)) return cli_fail(app, "context \"%s\" already exists", name);
    if (cli_context_load(app, source, &c, err, sizeof err) != 0) return cli_fail(app, "%s", err);
    return save(app, &c, name);
}

// ---- ls -------------------------------------------------------------------------------------------------------------

static int run_ls(cli *app) {
    size_t n;
    const char **names = cli_context_list(app, &n);
    const char *selected = cli_context_selected(app);
    bool json = cli_get_bool(app, "json"), only_names = cli_get_bool(app, "names");
    cli_json j = {.out = stdout, .indent = 2};
    cli_table *t = cli_table_new("Known Contexts");
    CLI_TABLE_HEADERS(t, "Name", "Description");
    if (json) cli_json_begin(&j, NULL, '[');
    for (size_t i = 0; i < n; i++) {
        cli_context c;
        char err[512];
        if (cli_context_load(app, names[i], &c, err, sizeof err) != 0) {
            cli_log(app, "Could not load context %s: %s", names[i], err);
            continue;
        }
        if (json) cli_context_write(&c, &j, true);
        if (only_names && !json) puts(names[i]);
        const char *mark = selected != NULL && strcmp(selected, names[i]) == 0 ? "*" : "";
        CLI_TABLE_ROW(t, cli_printf(app, "%s%s", names[i], mark), c.text[CLI_CONTEXT_DESCRIPTION]);
    }
    if (json) {
        cli_json_end(&j, ']');
    } else if (n == 0 && !only_names) {
        puts("No known contexts");
    } else if (!only_names) {
        cli_table_print(t, stdout);
        putchar('\n');
    }
    cli_table_free(t);
    return CLI_OK;
}

// ---- rm, select, unselect, previous ---------------------------------------------------------------------------------

static int run_rm(cli *app) {
    const char *name = cli_arg_of(app, "name"), *selected = cli_context_selected(app);
    bool force = cli_get_bool(app, "force");
    char err[512];
    int status;
    if (selected != NULL && strcmp(selected, name) == 0) {
        if (!force)
            return cli_fail(app, "cannot remove the selected context, select another one or use the unselect command");
        if (cli_context_select(app, NULL, err, sizeof err) != 0) return cli_fail(app, "%s", err);
    }
    if (!cli_confirm(app, force, &status, "Really delete context \"%s\"", name)) return status;
    if (cli_context_remove(app, name, err, sizeof err) != 0) return cli_fail(app, "%s", err);
    return CLI_OK;
}

static int select_and_show(cli *app, const char *name) {
    cli_context c;
    char err[512];
    if (cli_context_load(app, name, &c, err, sizeof err) != 0 ||
        cli_context_select(app, name, err, sizeof err) != 0)
        return cli_fail(app, "%s", err);
    return show(app, &c);
}

static int run_select(cli *app) {
    const char *name = cli_arg_of(app, "name");
    size_t n;
    if (name != NULL) return select_and_show(app, name);
    cli_context_list(app, &n);
    return cli_fail(app, n == 0 ? "no context defined; midge context add makes one"
                                : "which one? midge context ls shows those that are known");
}

static int run_unselect(cli *app) {
    const char *selected = cli_context_selected(app);
    char err[512];
    if (selected == NULL) {
        puts("No context currently selected");
        return CLI_OK;
    }
    if (cli_context_select(app, NULL, err, sizeof err) != 0) return cli_fail(app, "%s", err);
    printf("Unselected the \"%s\" context\n", selected);
    return CLI_OK;
}

static int run_previous(cli *app) {
    const char *name = cli_context_previous(app);
    if (name == NULL) name = cli_context_selected(app);
    return name != NULL ? select_and_show(app, name) : cli_fail(app, "no context was selected before");
}

// ---- tables ---------------------------------------------------------------------------------------------------------

static const cli_flag save_flags[] = {
    {.name = "description", .type = CLI_STRING, .help = "A few words about it"},
    {.name = "select", .type = CLI_SWITCH, .help = "Select it as well"},
    {.name = "embed", .type = CLI_SWITCH, .help = "Put the content of credential files into the context"},
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Show it as JSON"},
    {0},
};
static const cli_flag ls_flags[] = {
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print JSON"},
    {.name = "names", .short_name = 'n', .type = CLI_SWITCH, .help = "Print only the names"},
    {0},
};
static const cli_flag rm_flags[] = {
    {.name = "force", .short_name = 'f', .type = CLI_SWITCH, .help = "Do not ask, and unselect it if it is selected"},
    {0},
};
static const cli_flag show_flags[] = {
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Show it as JSON"},
    {0},
};
static const cli_arg new_name[] = {{.name = "name", .help = "Name of the context", .required = true}, {0}};
static const cli_arg copy_args[] = {
    {.name = "source", .help = "Context to copy", .required = true, .list = "context"},
    {.name = "name", .help = "Name of the copy", .required = true},
    {0},
};
static const cli_arg known_name[] = {
    {.name = "name", .help = "Name of the context", .required = true, .list = "context"},
    {0},
};
static const cli_arg some_name[] = {{.name = "name", .help = "Name of the context", .list = "context"}, {0}};

static const char locations[] =
    "Servers, credentials and so on are given by the global flags. --creds, --nkey, --jwt and --seed may be\n"
    "\n"
    "  /some/path                    a file\n"
    "  file:///some/path             the same\n"
    "  env://NAME                    a variable\n"
    "  data:;base64,...              the content itself\n"
    "  op://vault/item/field         from the program op (1Password)\n"
    "  nsc://Operator/Account/User   from the program nsc\n";

static const cli_command add = {.name = "add", .aliases = "create save", .summary = "Make a context or change one",
                                .text = locations, .flags = save_flags, .args = new_name, .run = run_add};
static const cli_command copy = {.name = "copy", .aliases = "cp", .summary = "Copy a context", .flags = save_flags,
                                 .args = copy_args, .run = run_copy};
static const cli_command edit = {.name = "edit", .aliases = "vi", .summary = "Edit a context in $EDITOR",
                                 .args = known_name, .run = cli_context_run_edit};
static const cli_command ls = {.name = "ls", .aliases = "list l", .summary = "List the contexts", .flags = ls_flags,
                               .run = run_ls};
static const cli_command rm = {.name = "rm", .aliases = "remove", .summary = "Remove a context", .flags = rm_flags,
                               .args = known_name, .run = run_rm};
static const cli_command pick = {.name = "select", .aliases = "switch set", .summary = "Select the context to use",
                                 .flags = show_flags, .args = some_name, .run = run_select};
static const cli_command unselect = {.name = "unselect", .summary = "Use no context", .run = run_unselect};
static const cli_command previous = {.name = "previous", .aliases = "-", .flags = show_flags,
                                     .run = run_previous, .summary = "Select the context that was selected before"};

static const cli_command *const commands[] = {
    &add, &copy, &edit, &ls, &rm, &pick, &unselect, &cli_command_context_info, &cli_command_context_validate, &previous,
    NULL,
};

const cli_command cli_command_context = {
    .name = "context",
    .aliases = "ctx",
    .summary = "Manage contexts: named connection settings, shared with the nats command",
    .commands = commands,
};
