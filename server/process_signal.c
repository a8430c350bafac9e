// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// --signal (spec/client-protocol.md B2). Without a pid the one running server is meant, found by its name in /proc as pgrep
// would; a pid that ends in '*' means every running server whose pid begins so.
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/process.h"

#define NAME "nats-server" // in texts, as tools know it

static int system_kill(int pid, int signal) { return kill(pid, signal) == 0 ? 0 : errno; }

const struct mg_signal_env mg_signal_env_system = {"/proc", 0, system_kill};

static int signal_of(const char *command) {
    static const struct {
        const char *command;
        int signal;
    } table[] = {
        {"ldm", SIGUSR2}, {"stop", SIGKILL},   {"quit", SIGINT},
        {"term", SIGTERM}, {"reopen", SIGUSR1}, {"reload", SIGHUP},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(command, table[i].command) == 0) return table[i].signal;
    return 0;
}

// ---- who ---------------------------------------------------------------------------------------------------------------

struct pids {
    int *v;
    size_t n, cap;
};

static bool is_server(const char *proc, const char *pid) {
    char path[512], name[64];
    int n = snprintf(path, sizeof(path), "%s/%s/comm", proc, pid);
    if (n < 0 || (size_t)n >= sizeof(path)) return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t len = read(fd, name, sizeof(name) - 1);
    close(fd);
    if (len <= 0) return false;
    name[len] = '\0';
    return strstr(name, "nats-server") != NULL || strstr(name, "midge-server") != NULL;
}

static int compare_pids(const void *pa, const void *pb) {
    int a = *(const int *)pa, b = *(const int *)pb;
    return a < b ? -1 : a > b;
}

// All running servers but this process, ascending.
static int find_servers(const struct mg_signal_env *env, struct pids *out) {
    DIR *dir = opendir(env->proc);
    if (dir == NULL) return MG_EIO;
    int self = env->self != 0 ? env->self : (int)getpid();
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        size_t n = strspn(e->d_name, "0123456789");
        if (n == 0 || n > 9 || e->d_name[n] != '\0') continue;
        int pid = atoi(e->d_name);
        if (pid == self || !is_server(env->proc, e->d_name)) continue;
        if (out->n == out->cap) out->v = mg_realloc(out->v, (out->cap = out->cap ? out->cap * 2 : 8) * sizeof(int));
        out->v[out->n++] = pid;
    }
    closedir(dir);
    if (out->n != 0) qsort(out->v, out->n, sizeof(int), compare_pids);
    return MG_OK;
}

// The pid expression: the content of a file of that name, or the text itself.
static void read_expression(const char *arg, char *out, size_t size) {
    int fd = open(arg, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, out, size - 1) : -1;
    if (fd >= 0) close(fd);
    if (n < 0) {
        snprintf(out, size, "%s", arg);
        return;
    }
    while (n > 0 && isspace((unsigned char)out[n - 1])) n--;
    out[n] = '\0';
}

static bool parse_pid(const char *s, int *pid) {
    char *end;
    errno = 0;
    long v = strtol(s, &end, 10);
    if (s[0] == '\0' || *end != '\0' || isspace((unsigned char)s[0]) || errno != 0 || v > INT32_MAX || v <= 0) return false;
    *pid = (int)v;
    return true;
}

// Fills pids with the targets of the expression.
static int resolve(const struct mg_signal_env *env, char *expr, struct pids *pids, struct mg_buf *err) {
    size_t n = strlen(expr);
    bool glob = n != 0 && expr[n - 1] == '*';
    int pid = 0;
    if (glob) expr[n - 1] = '\0';
    if (expr[0] != '\0' && !parse_pid(expr, &pid)) {
        mg_buf_addf(err, "invalid pid: %s", expr);
        return MG_EINVAL;
    }
    if (pid != 0 && !glob) {
        pids->v = mg_alloc(sizeof(int));
        pids->v[pids->n++] = pid;
        return MG_OK;
    }
    if (find_servers(env, pids) != MG_OK) {
        mg_buf_adds(err, "unable to resolve pid, try providing one");
        return MG_EIO;
    }
    if (pids->n > 1 && !glob) {
        mg_buf_addf(err, "multiple %s processes running:", NAME);
        for (size_t i = 0; i < pids->n; i++) mg_buf_addf(err, "\n%d", pids->v[i]);
        return MG_EINVAL;
    }
    if (pids->n == 0) {
        mg_buf_addf(err, "no %s processes running", NAME);
        return MG_ENOTFOUND;
    }
    return MG_OK;
}

// ---- what --------------------------------------------------------------------------------------------------------------

static int send_all(const struct mg_signal_env *env, const struct pids *pids, const char *prefix, const char *command,
                    struct mg_buf *err) {
    int signal = signal_of(command);
    if (signal == 0) {
        mg_buf_adds(err, "unknown signal ");
        mg_buf_add_quoted(err, mg_cstr(command));
        return MG_EINVAL;
    }
    int rc = MG_OK;
    for (size_t i = 0; i < pids->n; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", pids->v[i]);
        if (strncmp(text, prefix, strlen(prefix)) != 0) continue;
        int error = env->kill(pids->v[i], signal);
        if (error == 0) continue;
        char why[128];
        snprintf(why, sizeof(why), "%s", strerror(error));
        why[0] = (char)tolower((unsigned char)why[0]);
        mg_buf_addf(err, "\nsignal \"%s\" %d: %s", command, pids->v[i], why);
        rc = MG_EIO;
    }
    return rc;
}

int mg_signal_send(const struct mg_signal_env *env, const char *arg, struct mg_buf *err) {
    char command[64], expr[256] = "";
    const char *eq = strchr(arg, '=');
    const char *more = eq ? strchr(eq + 1, '=') : NULL;
    if (more != NULL) {
        mg_buf_addf(err, "invalid signal parameters: [%s]", more + 1);
        return MG_EINVAL;
    }
    snprintf(command, sizeof(command), "%.*s", eq ? (int)(eq - arg) : (int)strlen(arg), arg);
    if (eq != NULL) read_expression(eq + 1, expr, sizeof(expr));
    struct pids pids = {NULL, 0, 0};
    int rc = resolve(env, expr, &pids, err);
    if (rc == MG_OK) rc = send_all(env, &pids, expr, command, err);
    mg_free(pids.v);
    return rc;
}
