// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/port/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint32_t mgc_now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint32_t)((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000);
}

void mgc_errno_text(int error, char *text, size_t size) {
    char buf[128];
    // GNU's strerror_r returns the text, which need not be in buf; _GNU_SOURCE is on for the whole tree.
    const char *words = strerror_r(error, buf, sizeof buf);
    snprintf(text, size, "%s", words);
    if (size > 0 && text[0] >= 'A' && text[0] <= 'Z' && !(text[1] >= 'A' && text[1] <= 'Z')) text[0] |= 0x20;
}

static int flag_fd(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return -1;
    return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int mgc_socket(int family) {
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

int mgc_pipe(int fds[2]) {
    if (pipe(fds) != 0) return -1;
    if (flag_fd(fds[0]) == 0 && flag_fd(fds[1]) == 0) return 0;
    int error = errno;
    close(fds[0]);
    close(fds[1]);
    errno = error;
    return -1;
}

void mgc_wake(int write_end) {
    int error = errno;
    // A full pipe wakes as well as one byte more would.
    ssize_t n = write(write_end, "", 1);
    (void)n;
    errno = error;
}

void mgc_wake_clear(int read_end) {
    char buf[64];
    while (read(read_end, buf, sizeof buf) == (ssize_t)sizeof buf) {
    }
}

// Not stdio: its buffer would keep a copy of a secret.
static ssize_t read_whole(int fd, char *p, size_t max) {
    size_t n = 0;
    while (n < max) {
        ssize_t got = read(fd, p + n, max - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

char *mgc_read_file(const char *path, const char *what, size_t max, size_t *len, char *err, size_t err_size) {
    char why[128] = "it is too large";
    char *text = malloc(max + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 && text != NULL ? read_whole(fd, text, max + 1) : -1;
    if (n < 0) mgc_errno_text(errno, why, sizeof why);
    if (fd >= 0) close(fd);
    if (n >= 0 && (size_t)n <= max) {
        text[n] = '\0';
        *len = (size_t)n;
        return text;
    }
    if (text != NULL) memset(text, 0, max + 1);
    free(text);
    snprintf(err, err_size, "cannot read %s %s: %s", what, path, why);
    return NULL;
}
