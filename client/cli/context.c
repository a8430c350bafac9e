// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Contexts and their files. A file that is damaged is an error that names it, never overwritten silently: saving
// starts from what loading gave. Everything written goes to a temporary file beside its target and is renamed, so a
// reader sees the old or the new one.
#include "client/cli/context.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/cli.h"

#define FILE_MAX_BYTES (1u << 20)

static int fail(char *err, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int fail(char *err, size_t size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(err, size, format, args);
    va_end(args);
    return -1;
}

// ---- text -----------------------------------------------------------------------------------------------------------

const char *cli_context_member(enum cli_context_text which) {
#define MEMBER(name, member) member,
    static const char *const members[] = {CLI_CONTEXT_TEXTS(MEMBER)};
#undef MEMBER
    return members[which];
}

static int read_member(cli *app, midge_str name, midge_str value, cli_context *out) {
    for (int i = 0; i < CLI_CONTEXT_TEXTS_LEN; i++) {
        const char *member = cli_context_member((enum cli_context_text)i);
        if (strlen(member) != name.n || memcmp(member, name.p, name.n) != 0) continue;
        if (value.n == 4 && memcmp(value.p, "null", 4) == 0) return 0;
        char *text = cli_alloc(app, value.n + 1);
        if (cli_json_unquote(value, text) == SIZE_MAX) return -1;
        out->text[i] = *text != '\0' ? text : NULL;
        return 0;
    }
    if (name.n == 9 && memcmp(name.p, "tls_first", 9) == 0) {
        out->tls_first = value.n == 4 && memcmp(value.p, "true", 4) == 0;
        return 0;
    }
    if (name.n == 4 && memcmp(name.p, "name", 4) == 0) return 0;
    out->others = cli_printf(app, "%s%s\"%.*s\": %.*s", out->others != NULL ? out->others : "",
                             out->others != NULL ? ",\n  " : "", (int)name.n, name.p, (int)value.n, value.p);
    return 0;
}

int cli_context_parse(cli *app, const char *text, size_t n, cli_context *out, char *err, size_t err_size) {
    *out = (cli_context){0};
    cli_json_reader r;
    midge_str name, value;
    if (!cli_json_enter(&r, (midge_str){text, n}, '{')) return fail(err, err_size, "it is no JSON object");
    while (cli_json_next(&r, &name, &value))
        if (read_member(app, name, value, out) != 0)
            return fail(err, err_size, "the member \"%.*s\" is no text", (int)name.n, name.p);
    if (!cli_json_done(&r)) return fail(err, err_size, "it is no JSON object");
    return 0;
}

void cli_context_write(const cli_context *c, cli_json *j, bool with_name) {
    cli_json_begin(j, NULL, '{');
    if (with_name) cli_json_string(j, "name", c->name);
    for (int i = 0; i < CLI_CONTEXT_TEXTS_LEN; i++) {
        if (i == CLI_CONTEXT_WIN_STORE) cli_json_bool(j, "tls_first", c->tls_first);
        cli_json_string(j, cli_context_member((enum cli_context_text)i), c->text[i]);
    }
    if (c->others == NULL) {
        cli_json_raw(j, "windows_ca_certs_match", "null"); // natscli writes it always
    } else {
        cli_json_raw(j, NULL, c->others);
    }
    cli_json_end(j, '}');
}

bool cli_context_name_valid(const char *name) {
    return *name != '\0' && strstr(name, "..") == NULL && strpbrk(name, "/\\") == NULL;
}

// ---- files ----------------------------------------------------------------------------------------------------------

const char *cli_context_root(cli *app) {
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (xdg != NULL && *xdg != '\0') return cli_printf(app, "%s/nats", xdg);
    if (home == NULL || *home == '\0') {
        const struct passwd *user = getpwuid(getuid());
        home = user != NULL ? user->pw_dir : NULL;
    }
    return home != NULL && *home != '\0' ? cli_printf(app, "%s/.config/nats", home) : NULL;
}

const char *cli_context_path(cli *app, const char *name) {
    const char *root = cli_context_root(app);
    return root != NULL ? cli_printf(app, "%s/context/%s.json", root, name) : NULL;
}

char *cli_read_file(cli *app, const char *path, size_t *n) {
    FILE *file = fopen(path, "re");
    if (file == NULL) return NULL;
    char *text = cli_alloc(app, FILE_MAX_BYTES + 1);
    errno = 0;
    *n = fread(text, 1, FILE_MAX_BYTES + 1, file);
    int wrong = ferror(file) != 0 ? (errno != 0 ? errno : EIO) : *n > FILE_MAX_BYTES ? EFBIG : 0;
    fclose(file);
    if (wrong == 0) {
        text[*n] = '\0';
        return text;
    }
    errno = wrong;
    return NULL;
}

// Makes the directories of the path up to its last '/', which are the owner's alone.
static int make_parents(const char *path) {
    char dir[4096];
    if (strlen(path) >= sizeof dir) return -1;
    strcpy(dir, path);
    for (char *at = dir + 1; *at != '\0'; at++) {
        if (*at != '/') continue;
        *at = '\0';
        if (mkdir(dir, 0700) != 0 && errno != EEXIST) return -1;
        *at = '/';
    }
    return 0;
}

// A stream to a new file beside path; *temporary is its name.
static FILE *open_beside(cli *app, const char *path, char **temporary) {
    if (make_parents(path) != 0) return NULL;
    *temporary = cli_printf(app, "%s.tmp-XXXXXX", path);
    int fd = mkostemp(*temporary, O_CLOEXEC); // mode 0600
    return fd >= 0 ? fdopen(fd, "w") : NULL;
}

// Ends what open_beside began. 0, or -1 and errno.
static int put_in_place(FILE *file, const char *temporary, const char *path) {
    bool bad = ferror(file) != 0 || fflush(file) != 0 || fsync(fileno(file)) != 0;
    if (fclose(file) != 0 || bad || rename(temporary, path) != 0) {
        int why = errno;
        unlink(temporary);
        errno = why;
        return -1;
    }
    return 0;
}

int cli_write_file(cli *app, const char *path, const char *text) {
    char *temporary;
    FILE *file = open_beside(app, path, &temporary);
    if (file == NULL) return -1;
    fputs(text, file);
    return put_in_place(file, temporary, path);
}

bool cli_context_known(cli *app, const char *name) {
    const char *path = cli_context_name_valid(name) ? cli_context_path(app, name) : NULL;
    return path != NULL && access(path, R_OK) == 0;
}

int cli_context_load_file(cli *app, const char *path, cli_context *out, char *err, size_t err_size) {
    size_t n;
    char why[128];
    const char *text = cli_read_file(app, path, &n);
    if (text == NULL) return fail(err, err_size, "cannot read the context %s: %s", path, strerror(errno));
    if (cli_context_parse(app, text, n, out, why, sizeof why) != 0)
        return fail(err, err_size, "cannot use the context %s: %s", path, why);
    const char *base = strrchr(path, '/');
    base = base != NULL ? base + 1 : path;
    size_t len = strlen(base);
    if (len > 5 && strcmp(base + len - 5, ".json") == 0) len -= 5;
    out->name = cli_strndup(app, base, len);
    out->path = cli_strndup(app, path, strlen(path));
    return 0;
}

int cli_context_load(cli *app, const char *name, cli_context *out, char *err, size_t err_size) {
    if (!cli_context_name_valid(name)) return fail(err, err_size, "invalid context name \"%s\"", name);
    if (!cli_context_known(app, name))
        return fail(err, err_size, "context not found: \"%s\"; midge context ls shows those that are known", name);
    return cli_context_load_file(app, cli_context_path(app, name), out, err, err_size);
}

int cli_context_save(cli *app, cli_context *c, const char *name, char *err, size_t err_size) {
    if (!cli_context_name_valid(name)) return fail(err, err_size, "invalid context name \"%s\"", name);
    const char *path = cli_context_path(app, name);
    if (path == NULL) return fail(err, err_size, "cannot save the context: neither $XDG_CONFIG_HOME nor $HOME is set");
    char *temporary;
    FILE *file = open_beside(app, path, &temporary);
    if (file == NULL) return fail(err, err_size, "cannot write %s: %s", path, strerror(errno));
    cli_json j = {.out = file, .indent = 2};
    cli_context_write(c, &j, false);
    if (put_in_place(file, temporary, path) != 0)
        return fail(err, err_size, "cannot write %s: %s", path, strerror(errno));
    c->name = cli_strndup(app, name, strlen(name));
    c->path = path;
    return 0;
}

int cli_context_remove(cli *app, const char *name, char *err, size_t err_size) {
    if (!cli_context_name_valid(name)) return fail(err, err_size, "invalid context name \"%s\"", name);
    const char *path = cli_context_path(app, name);
    if (path == NULL || (unlink(path) != 0 && errno != ENOENT))
        return fail(err, err_size, "cannot remove %s: %s", path != NULL ? path : name, strerror(errno));
    return 0;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **cli_context_list(cli *app, size_t *n) {
    const char *root = cli_context_root(app), **names = NULL;
    size_t room = 0;
    *n = 0;
    DIR *dir = root != NULL ? opendir(cli_printf(app, "%s/context", root)) : NULL;
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        size_t len = strlen(entry->d_name);
        if (len <= 5 || strcmp(entry->d_name + len - 5, ".json") != 0) continue;
        const char *name = cli_strndup(app, entry->d_name, len - 5);
        struct stat st;
        if (!cli_context_name_valid(name) || stat(cli_context_path(app, name), &st) != 0) continue;
        if (!S_ISREG(st.st_mode) || st.st_size == 0) continue;
        if (*n == room) {
            room = room == 0 ? 16 : room * 2;
            const char **more = cli_alloc(app, room * sizeof *more);
            if (*n > 0) memcpy(more, names, *n * sizeof *more);
            names = more;
        }
        names[(*n)++] = name;
    }
    if (dir != NULL) closedir(dir);
    if (*n > 0) qsort(names, *n, sizeof *names, by_name);
    return names;
}

// ---- selection ------------------------------------------------------------------------------------------------------

static const char *read_selection(cli *app, const char *file) {
    const char *root = cli_context_root(app);
    size_t n;
    char *text = root != NULL ? cli_read_file(app, cli_printf(app, "%s/%s", root, file), &n) : NULL;
    if (text == NULL) return NULL;
    text += strspn(text, " \t\r\n");
    n = strlen(text);
    while (n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL)
        text[--n] = '\0';
    return n > 0 ? text : NULL;
}

const char *cli_context_selected(cli *app) { return read_selection(app, "context.txt"); }
const char *cli_context_previous(cli *app) { return read_selection(app, "previous-context.txt"); }

int cli_context_select(cli *app, const char *name, char *err, size_t err_size) {
    const char *root = cli_context_root(app), *before = cli_context_selected(app);
    if (root == NULL) return fail(err, err_size, "cannot select: neither $XDG_CONFIG_HOME nor $HOME is set");
    const char *selected = cli_printf(app, "%s/context.txt", root);
    const char *previous = cli_printf(app, "%s/previous-context.txt", root);
    if (before != NULL && cli_write_file(app, previous, before) != 0)
        return fail(err, err_size, "cannot write %s: %s", previous, strerror(errno));
    if (name != NULL ? cli_write_file(app, selected, name) == 0 : unlink(selected) == 0 || errno == ENOENT) return 0;
    return fail(err, err_size, "cannot write %s: %s", selected, strerror(errno));
}
