// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Child processes. Input and output pass through two pipes, both served by one poll loop, so a child that answers
// before it has read everything cannot block us. A child gets the signal mask and handlers of a fresh process.
#include "client/cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

// ---- words ----------------------------------------------------------------------------------------------------------

// One word at *line into out (room for the rest of the line); moves *line past it. False: a quote does not end.
static bool next_word(const char **line, char *out) {
    char quote = '\0';
    const char *at = *line;
    for (; *at != '\0' && (quote != '\0' || strchr(" \t\r\n", *at) == NULL); at++) {
        if (quote == '\0' && (*at == '\'' || *at == '"')) {
            quote = *at;
        } else if (quote != '\0' && *at == quote) {
            quote = '\0';
        } else if (*at == '\\' && quote != '\'' && at[1] != '\0' &&
                   (quote == '\0' || strchr("\"\\$`", at[1]) != NULL)) {
            *out++ = *++at;
        } else {
            *out++ = *at;
        }
    }
    *out = '\0';
    *line = at;
    return quote == '\0';
}

const char **cli_words_split(const char *line) {
    size_t n = 0, room = strlen(line) + 1;
    const char **words = calloc(room / 2 + 2, sizeof *words); // a word and its blank take two characters
    bool ok = words != NULL;
    while (ok) {
        line += strspn(line, " \t\r\n");
        if (*line == '\0') break;
        char *word = malloc(room);
        ok = word != NULL && next_word(&line, word);
        words[n++] = word;
    }
    if (ok && n > 0) return words;
    cli_words_free(words);
    return NULL;
}

void cli_words_free(const char **words) {
    for (size_t i = 0; words != NULL && words[i] != NULL; i++)
        free((void *)(uintptr_t)words[i]);
    free(words);
}

// ---- processes ------------------------------------------------------------------------------------------------------

static char **merge_env(const char *const more[]) {
    size_t n = 0, m = 0;
    while (environ[n] != NULL)
        n++;
    while (more != NULL && more[m] != NULL)
        m++;
    char **all = calloc(n + m + 1, sizeof *all);
    if (all == NULL) return NULL;
    // The first of two equal names counts, so ours come first.
    for (size_t i = 0; i < m; i++)
        all[i] = (char *)(uintptr_t)more[i];
    memcpy(all + m, environ, n * sizeof *all);
    return all;
}

static int start(pid_t *pid, const char *const words[], const char *const env[], const int fds[3]) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    char **merged = merge_env(env);
    if (merged == NULL) return ENOMEM;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawn_file_actions_init(&actions);
    for (int i = 0; fds != NULL && i < 3; i++)
        if (fds[i] >= 0) posix_spawn_file_actions_adddup2(&actions, fds[i], i);
    int wrong = posix_spawnp(pid, words[0], &actions, &attr, (char *const *)(uintptr_t)words, merged);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    free(merged);
    return wrong;
}

static int wait_for(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static void feed(int *fd, midge_str *input) {
    ssize_t n = input->n > 0 ? write(*fd, input->p, input->n) : 0;
    if (n > 0) {
        input->p += n;
        input->n -= (size_t)n;
    }
    if (input->n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) close_fd(fd);
}

// Reads some; false at the end.
static bool collect(int fd, char **output, size_t *len, size_t *room) {
    if (*room - *len < 4096) {
        size_t more = *room == 0 ? 8192 : *room * 2;
        char *grown = realloc(*output, more);
        if (grown == NULL) return false;
        *output = grown;
        *room = more;
    }
    ssize_t n = read(fd, *output + *len, *room - *len - 1);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    *len += (size_t)n;
    (*output)[*len] = '\0';
    return n > 0;
}

// Serves both pipes until the child has closed its output. Writing to a child that has gone must not kill us.
static void serve(int *to, int *from, midge_str input, char **output, size_t *len) {
    size_t room = 0;
    sigset_t pipe_set, before;
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_set, &before);
    fcntl(*to, F_SETFL, O_NONBLOCK);
    while (*from >= 0) {
        struct pollfd fds[2] = {{.fd = *from, .events = POLLIN}, {.fd = *to, .events = POLLOUT}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR) break;
        if (fds[1].revents != 0 && *to >= 0) feed(to, &input);
        if (fds[0].revents != 0 && !collect(*from, output, len, &room)) close_fd(from);
    }
    // One that is pending now would come when the mask is restored.
    const struct timespec at_once = {0};
    while (sigtimedwait(&pipe_set, NULL, &at_once) == SIGPIPE) {
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int cli_spawn(const char *const words[], const char *const env[], midge_str input, bool with_errors, char **output,
              size_t *len) {
    int to[2] = {-1, -1}, from[2] = {-1, -1};
    pid_t pid;
    *output = NULL;
    *len = 0;
    int wrong = pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0 ? errno : 0;
    if (wrong == 0) {
        const int fds[3] = {to[0], from[1], with_errors ? from[1] : -1};
        wrong = start(&pid, words, env, fds);
    }
    close_fd(&to[0]);
    close_fd(&from[1]);
    if (wrong == 0) serve(&to[1], &from[0], input, output, len);
    close_fd(&to[1]);
    close_fd(&from[0]);
    errno = wrong;
    return wrong == 0 ? wait_for(pid) : -1;
}

int cli_spawn_interactive(const char *const words[]) {
    pid_t pid;
    errno = start(&pid, words, NULL, NULL);
    return errno == 0 ? wait_for(pid) : -1;
}
