// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The command line. Words are taken from left to right: a flag of any level that is open at that point, the name of a
// command where a group is open, else a positional argument. Flags may stand anywhere after the command that they
// belong to, the global ones everywhere; "--" ends them. The forms are those of natscli:
//
//      --flag=value  --flag value  --switch  --no-flag (CLI_BOOL)  -f value  -fvalue  -f=value  -abc value
//
// A flag that is not on the line takes its variable, then its default. Every value is checked here, so commands read
// ready numbers. The first mistake ends parsing with one sentence; nothing is printed.
#include "client/cli/app.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/units.h"

typedef struct parser {
    cli *app;
    char *const *argv;
    int argc, at;
    bool flags_ended;
    enum cli_parsed result;
    char *err;
    size_t err_size;
} parser;

static bool wrong(parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(parser *p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(p->err, p->err_size, format, args);
    va_end(args);
    p->result = CLI_PARSED_WRONG;
    return false;
}

// ---- tables ---------------------------------------------------------------------------------------------------------

static bool word_in(const char *list, const char *word, size_t n) {
    for (const char *at = list; at != NULL && *at != '\0';) {
        size_t len = strcspn(at, " ");
        if (len == n && memcmp(at, word, n) == 0) return true;
        at += len + (at[len] == ' ');
    }
    return false;
}

const cli_command *cli_find(const cli_command *group, const char *name) {
    for (size_t i = 0; group->commands != NULL && group->commands[i] != NULL; i++) {
        const cli_command *c = group->commands[i];
        if (strcmp(c->name, name) == 0 || word_in(c->aliases, name, strlen(name))) return c;
    }
    return NULL;
}

const cli_flag *cli_level_flags(const cli_command *const *path, size_t depth, size_t level) {
    static const cli_flag none[] = {{0}};
    const cli_flag *flags = level == depth + 2  ? path[depth]->shared
                            : level == depth + 1 ? cli_global_flags
                                                 : path[level]->flags;
    return flags != NULL ? flags : none;
}

// Makes room for the values of a table; inner tables hide outer ones because they are searched last to first.
static void add_flags(cli *app, const cli_flag *flags) {
    size_t n = 0;
    while (flags != NULL && flags[n].name != NULL)
        n++;
    if (n == 0) return;
    cli_value *values = cli_alloc(app, (app->values_len + n) * sizeof *values);
    if (app->values_len > 0) memcpy(values, app->values, app->values_len * sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[app->values_len + i].flag = &flags[i];
    app->values = values;
    app->values_len += n;
}

static cli_value *find_long(cli *app, const char *name, size_t n) {
    for (size_t i = app->values_len; i-- > 0;) {
        const char *have = app->values[i].flag->name;
        if (strlen(have) == n && memcmp(have, name, n) == 0) return &app->values[i];
    }
    return NULL;
}

static cli_value *find_short(cli *app, char name) {
    for (size_t i = app->values_len; i-- > 0;)
        if (app->values[i].flag->short_name == name) return &app->values[i];
    return NULL;
}

// ---- values ---------------------------------------------------------------------------------------------------------

static bool parse_bool(const char *text, bool *on) {
    if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0) {
        *on = true;
    } else if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0) {
        *on = false;
    } else {
        return false;
    }
    return true;
}

static void add_text(cli *app, cli_value *v, const char *text) {
    const char **list = cli_alloc(app, (v->list_len + 1) * sizeof *list);
    if (v->list_len > 0) memcpy(list, v->list, v->list_len * sizeof *list);
    list[v->list_len++] = text;
    v->list = list;
}

// Checks a value and stores it. Its type says what is wrong with it.
static bool set_value(parser *p, cli_value *v, const char *text) {
    const char *name = v->flag->name;
    int64_t number = 0;
    v->text = text;
    switch (v->flag->type) {
    case CLI_SWITCH:
    case CLI_BOOL:
        if (!parse_bool(text, &v->on)) return wrong(p, "--%s is true or false, not \"%s\"", name, text);
        return true;
    case CLI_STRING:
    case CLI_FILE: return true;
    case CLI_STRINGS: add_text(p->app, v, text); return true;
    case CLI_INT:
        if (cli_parse_int(text, INT64_MIN, INT64_MAX, &v->i) == 0) return true;
        return wrong(p, "--%s needs a whole number, not \"%s\"", name, text);
    case CLI_UINT:
        if (cli_parse_int(text, 0, INT64_MAX, &number) != 0)
            return wrong(p, "--%s needs a whole number that is not negative, not \"%s\"", name, text);
        break;
    case CLI_DURATION:
        if (cli_parse_duration(text, &number) != 0 || number < 0)
            return wrong(p, "--%s needs a duration like 300ms, 5s or 1h30m, not \"%s\"", name, text);
        break;
    case CLI_SIZE:
        if (cli_parse_bytes(text, &number) != 0)
            return wrong(p, "--%s needs a size like 128, 64KB or 1MB, not \"%s\"", name, text);
        break;
    case CLI_ENUM:
        if (!word_in(v->flag->choices, text, strlen(text)))
            return wrong(p, "--%s must be one of %s, not \"%s\"", name, v->flag->choices, text);
        return true;
    }
    v->u = (uint64_t)number;
    return true;
}

static bool is_switch(const cli_value *v) { return v->flag->type == CLI_SWITCH || v->flag->type == CLI_BOOL; }

// ---- words ----------------------------------------------------------------------------------------------------------

static bool is_global_word(parser *p, const char *name, size_t n) {
    if (n == 4 && memcmp(name, "help", 4) == 0) p->result = CLI_PARSED_HELP;
    if (n == 7 && memcmp(name, "version", 7) == 0) p->result = CLI_PARSED_VERSION;
    return p->result != CLI_PARSED_RUN;
}

static bool take_long(parser *p, const char *word) {
    size_t n = strcspn(word, "=");
    const char *text = word[n] == '=' ? word + n + 1 : NULL;
    cli_value *v = find_long(p->app, word, n);
    if (v == NULL && n > 3 && memcmp(word, "no-", 3) == 0 && text == NULL) {
        v = find_long(p->app, word + 3, n - 3);
        if (v == NULL || v->flag->type != CLI_BOOL) return wrong(p, "unknown flag --%s", word);
        v->given = true;
        return set_value(p, v, "false");
    }
    if (v == NULL) return is_global_word(p, word, n) || wrong(p, "unknown flag --%.*s", (int)n, word);
    v->given = true;
    if (text == NULL && is_switch(v)) return set_value(p, v, "true");
    if (text == NULL && p->at < p->argc) text = p->argv[p->at++];
    if (text == NULL) return wrong(p, "--%s needs a value", v->flag->name);
    return set_value(p, v, text);
}

// A word of short flags: the first that takes a value has the rest of the word, or the next word.
static bool take_short(parser *p, const char *word) {
    for (; *word != '\0'; word++) {
        cli_value *v = find_short(p->app, *word);
        if (v == NULL && *word == 'h') {
            p->result = CLI_PARSED_HELP;
            return true;
        }
        if (v == NULL) return wrong(p, "unknown flag -%c", *word);
        v->given = true;
        if (is_switch(v)) {
            if (!set_value(p, v, "true")) return false;
            continue;
        }
        const char *text = word + 1 + (word[1] == '=');
        if (*text == '\0' && word[1] == '\0') text = p->at < p->argc ? p->argv[p->at++] : NULL;
        if (text == NULL) return wrong(p, "-%c needs a value", *word);
        return set_value(p, v, text);
    }
    return true;
}

static bool take_command(parser *p, const char *word) {
    cli *app = p->app;
    const cli_command *c = cli_find(app->path[app->depth], word);
    if (c == NULL) return wrong(p, "unknown command \"%s\"", word);
    if (app->depth == CLI_DEPTH) return wrong(p, "too many words");
    app->path[++app->depth] = c;
    add_flags(app, c->shared);
    add_flags(app, c->flags);
    return true;
}

static bool take_argument(parser *p, const char *word) {
    cli *app = p->app;
    const cli_arg *args = app->path[app->depth]->args;
    size_t n = 0;
    while (args != NULL && args[n].name != NULL)
        n++;
    bool many = n > 0 && args[n - 1].many;
    if (app->args_len >= n && !many) return wrong(p, "unexpected argument \"%s\"", word);
    app->args[app->args_len++] = word;
    return true;
}

static bool take_word(parser *p, const char *word) {
    if (!p->flags_ended && word[0] == '-' && word[1] != '\0') {
        if (strcmp(word, "--") == 0) {
            p->flags_ended = true;
            return true;
        }
        return word[1] == '-' ? take_long(p, word + 2) : take_short(p, word + 1);
    }
    if (p->app->path[p->app->depth]->commands != NULL) return take_command(p, word);
    return take_argument(p, word);
}

// ---- the end --------------------------------------------------------------------------------------------------------

static bool take_defaults(parser *p) {
    for (size_t i = 0; i < p->app->values_len; i++) {
        cli_value *v = &p->app->values[i];
        if (v->given) continue;
        const char *env = v->flag->env != NULL ? getenv(v->flag->env) : NULL;
        if (env != NULL && *env != '\0') {
            if (!set_value(p, v, env)) {
                size_t n = strlen(p->err);
                snprintf(p->err + n, p->err_size - n, " (from $%s)", v->flag->env);
                return false;
            }
            v->given = true;
        } else if (v->flag->value != NULL && !set_value(p, v, v->flag->value)) {
            return false;
        }
        if (v->flag->required && v->text == NULL) return wrong(p, "--%s is required", v->flag->name);
    }
    return true;
}

static bool check_arguments(parser *p) {
    const cli *app = p->app;
    const cli_command *c = app->path[app->depth];
    if (c->commands != NULL) return wrong(p, "a command is missing");
    for (size_t i = 0; c->args != NULL && c->args[i].name != NULL; i++)
        if (c->args[i].required && i >= app->args_len) return wrong(p, "the argument <%s> is missing", c->args[i].name);
    return true;
}

enum cli_parsed cli_parse(cli *app, const cli_command *root, int argc, char *const argv[], char *err, size_t err_size) {
    parser p = {.app = app, .argv = argv, .argc = argc, .at = 1, .err = err, .err_size = err_size};
    app->path[0] = root;
    app->depth = 0;
    app->values = NULL;
    app->values_len = 0;
    app->args = cli_alloc(app, ((size_t)argc + 1) * sizeof *app->args);
    app->args_len = 0;
    add_flags(app, cli_global_flags);
    while (p.at < argc && p.result == CLI_PARSED_RUN)
        take_word(&p, argv[p.at++]);
    // Help is for the command that the whole line names: `midge --help pub` is about pub.
    while (p.at < argc && p.result == CLI_PARSED_HELP && cli_find(app->path[app->depth], argv[p.at]) != NULL)
        take_command(&p, argv[p.at++]);
    if (p.result == CLI_PARSED_RUN && take_defaults(&p)) check_arguments(&p);
    return p.result;
}
