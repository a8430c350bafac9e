// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Completion. The shells' scripts (cmd_completion.c) give the words of the line to a hidden command and get lines
// "word<TAB>description", so they are short and cannot be older than the tables.
//
// The words before the last are walked as parse.c does, without checking values: that tells whether the last one is the
// value of a flag, a flag, a command or an argument.
#include "client/cli/app.h"

#include <dirent.h>
#include <string.h>

typedef struct walk {
    const cli_command *path[CLI_DEPTH + 1];
    size_t depth;
    size_t args;              // positional words so far
    const cli_flag *expects;  // the next word is its value
    bool flags_ended;
} walk;

static bool takes_value(const cli_flag *f) { return f->type != CLI_SWITCH && f->type != CLI_BOOL; }

static const cli_flag *find_flag(const walk *w, const char *name, size_t n, char letter) {
    for (size_t level = 0; level <= w->depth + 2; level++)
        for (const cli_flag *f = cli_level_flags(w->path, w->depth, level); f->name != NULL; f++)
            if (letter != 0 ? f->short_name == letter : strlen(f->name) == n && memcmp(f->name, name, n) == 0) return f;
    return NULL;
}

static void step(walk *w, const char *word) {
    const cli_flag *f = NULL;
    if (w->expects != NULL) {
        w->expects = NULL;
        return;
    }
    if (!w->flags_ended && word[0] == '-' && word[1] != '\0') {
        size_t n = strlen(word);
        w->flags_ended = strcmp(word, "--") == 0;
        if (word[1] == '-' && strchr(word, '=') == NULL) f = find_flag(w, word + 2, n - 2, 0);
        // Of a cluster only the last letter can want the next word.
        if (word[1] != '-') f = find_flag(w, NULL, 0, word[n - 1]);
        w->expects = f != NULL && takes_value(f) ? f : NULL;
        return;
    }
    const cli_command *c = cli_find(w->path[w->depth], word);
    if (c != NULL && w->depth < CLI_DEPTH) {
        w->path[++w->depth] = c;
    } else {
        w->args++;
    }
}

static void offer(FILE *out, const char *begin, const char *before, const char *word, const char *about) {
    char full[256];
    snprintf(full, sizeof full, "%s%s", before, word);
    if (strncmp(full, begin, strlen(begin)) == 0) fprintf(out, "%s\t%s\n", full, about);
}

static void offer_choices(FILE *out, const char *begin, const char *before, const char *choices) {
    for (const char *at = choices; at != NULL && *at != '\0';) {
        char word[64];
        size_t n = strcspn(at, " ");
        snprintf(word, sizeof word, "%.*s", (int)n, at);
        offer(out, begin, before, word, "");
        at += n + (at[n] == ' ');
    }
}

static void offer_contexts(cli *app, FILE *out, const char *begin, const char *before) {
    size_t n;
    const char **names = cli_context_list(app, &n);
    for (size_t i = 0; i < n; i++) {
        cli_context c;
        char err[128];
        bool ok = cli_context_load(app, names[i], &c, err, sizeof err) == 0;
        const char *about = ok && c.text[CLI_CONTEXT_DESCRIPTION] != NULL ? c.text[CLI_CONTEXT_DESCRIPTION] : "";
        offer(out, begin, before, names[i], about);
    }
}

static void offer_values(cli *app, FILE *out, const cli_flag *f, const char *begin, const char *before) {
    if (f->type == CLI_ENUM) offer_choices(out, begin, before, f->choices);
    if (strcmp(f->name, "context") == 0) offer_contexts(app, out, begin, before);
    if (f->type == CLI_FILE) fputs(":files\t\n", out); // the shell knows them better
}

static void offer_flags(const walk *w, FILE *out, const char *begin) {
    for (size_t level = w->depth + 3; level-- > 0;)
        for (const cli_flag *f = cli_level_flags(w->path, w->depth, level); f->name != NULL; f++) {
            if (f->hidden) continue;
            offer(out, begin, "--", f->name, f->help);
            if (f->type == CLI_BOOL) offer(out, begin, "--no-", f->name, f->help);
        }
    offer(out, begin, "--", "help", "Show help for the command");
}

void cli_complete(cli *app, const cli_command *root, char *const words[], size_t n, FILE *out) {
    walk w = {.path = {root}};
    for (size_t i = 0; i + 1 < n; i++)
        step(&w, words[i]);
    const char *last = n > 0 ? words[n - 1] : "";
    const char *equals = strchr(last, '=');
    if (w.expects != NULL) {
        offer_values(app, out, w.expects, last, "");
    } else if (!w.flags_ended && last[0] == '-' && last[1] == '-' && equals != NULL) {
        const cli_flag *f = find_flag(&w, last + 2, (size_t)(equals - last) - 2, 0);
        if (f != NULL) offer_values(app, out, f, last, cli_strndup(app, last, (size_t)(equals - last) + 1));
    } else if (!w.flags_ended && last[0] == '-') {
        offer_flags(&w, out, last);
    } else if (w.path[w.depth]->commands != NULL) {
        if (w.args > 0) return; // a word that is no command
        for (size_t i = 0; w.path[w.depth]->commands[i] != NULL; i++) {
            const cli_command *c = w.path[w.depth]->commands[i];
            if (!c->hidden) offer(out, last, "", c->name, c->summary);
        }
    } else {
        const cli_arg *args = w.path[w.depth]->args;
        size_t at = 0;
        while (args != NULL && args[at].name != NULL && at < w.args && !args[at].many)
            at++;
        if (args == NULL || args[at].name == NULL || args[at].list == NULL) return;
        if (strcmp(args[at].list, "context") == 0) {
            offer_contexts(app, out, last, "");
        } else if (strcmp(args[at].list, ":files") == 0) {
            fputs(":files\t\n", out);
        } else {
            offer_choices(out, last, "", args[at].list);
        }
    }
}
