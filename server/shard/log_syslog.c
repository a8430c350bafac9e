// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Syslog over unix sockets, UDP and TCP (spec/client-protocol.md B4): facility daemon, the level as severity, no
// time, pid or level in the text itself. The C library's syslog() is not used: its state belongs to the process, not
// to this log.
//
//   local:   <pri>Jan  2 15:04:05 tag[pid]: text LF
//   remote:  <pri>2026-01-02T15:04:05+01:00 host tag[pid]: text LF
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/log_out.h"

#define FACILITY_DAEMON (3 << 3)

struct mg_syslog {
    int fd;
    char *url; // NULL: local
    char *tag;
    char host[256];
    struct mg_buf line;
};

static int connect_unix(const char *path, int type) {
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(sa.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(sa.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

// A syslog socket may be of either type.
static int connect_path(const char *path) {
    int fd = connect_unix(path, SOCK_DGRAM);
    return fd >= 0 ? fd : connect_unix(path, SOCK_STREAM);
}

static int connect_local(void) {
    static const char *const paths[] = {"/dev/log", "/var/run/syslog", "/var/run/log"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        int fd = connect_path(paths[i]);
        if (fd >= 0) return fd;
    }
    return -1;
}

// "host:port" or "[v6]:port".
static int connect_inet(const char *address, int type) {
    char host[256];
    const char *colon = strrchr(address, ':');
    size_t n = colon ? (size_t)(colon - address) : 0;
    bool bracket = n >= 2 && address[0] == '[' && address[n - 1] == ']';
    if (colon == NULL || n >= sizeof(host)) {
        errno = EINVAL;
        return -1;
    }
    snprintf(host, sizeof(host), "%.*s", (int)(bracket ? n - 2 : n), bracket ? address + 1 : address);
    struct addrinfo hints = {.ai_socktype = type}, *list = NULL;
    if (getaddrinfo(host[0] ? host : NULL, colon + 1, &hints, &list) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int fd = -1;
    for (struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            int saved = errno;
            close(fd);
            fd = -1;
            errno = saved;
        }
    }
    freeaddrinfo(list);
    return fd;
}

static int dial(const struct mg_syslog *s) {
    if (s->url == NULL) return connect_local();
    const char *rest = strstr(s->url, "://") + 3;
    if (strncmp(s->url, "unix", 4) == 0) return connect_path(rest);
    return connect_inet(rest, s->url[0] == 'u' ? SOCK_DGRAM : SOCK_STREAM);
}

static bool known_scheme(const char *url) {
    return strncmp(url, "udp://", 6) == 0 || strncmp(url, "tcp://", 6) == 0 || strncmp(url, "unix://", 7) == 0;
}

int mg_syslog_open(struct mg_syslog **out, const char *url, const char *tag, char *err, size_t errlen) {
    if (url != NULL && !known_scheme(url)) {
        const char *end = strstr(url, "://");
        snprintf(err, errlen, "error invalid network type: \"%.*s\"", end ? (int)(end - url) : 0, url);
        return MG_EINVAL;
    }
    struct mg_syslog *s = mg_zalloc(sizeof(*s));
    s->url = mg_strdup(url);
    const char *slash = strrchr(tag, '/');
    s->tag = mg_strdup(slash ? slash + 1 : tag);
    if (gethostname(s->host, sizeof(s->host) - 1) != 0) snprintf(s->host, sizeof(s->host), "localhost");
    s->fd = dial(s);
    if (s->fd < 0) {
        char text[128];
        snprintf(err, errlen, "error connecting to syslog: \"%s\"", strerror_r(errno, text, sizeof(text)));
        mg_syslog_close(s);
        return MG_EIO;
    }
    *out = s;
    return MG_OK;
}

void mg_syslog_close(struct mg_syslog *s) {
    if (s->fd >= 0) close(s->fd);
    mg_buf_fini(&s->line);
    mg_free(s->url);
    mg_free(s->tag);
    mg_free(s);
}

static int severity(enum mg_log_level level) {
    switch (level) {
    case MG_LOG_FTL: return 2; // critical
    case MG_LOG_ERR: return 3;
    case MG_LOG_WRN: return 4;
    case MG_LOG_DBG: return 7;
    default: return 5; // notice: information and traces
    }
}

static void format_line(struct mg_syslog *s, enum mg_log_level level, int64_t wall_ns, mg_slice text) {
    time_t sec = (time_t)(wall_ns / 1000000000);
    struct tm tm;
    char stamp[64];
    localtime_r(&sec, &tm);
    size_t n = strftime(stamp, sizeof(stamp), s->url ? "%Y-%m-%dT%H:%M:%S%z" : "%b %e %H:%M:%S", &tm);
    if (s->url != NULL && n >= 5 && tm.tm_gmtoff == 0) { // +0000 -> Z
        memcpy(stamp + n - 5, "Z", 2);
    } else if (s->url != NULL && n >= 5) { // +0100 -> +01:00
        memmove(stamp + n - 1, stamp + n - 2, 3);
        stamp[n - 2] = ':';
    }
    s->line.len = 0;
    mg_buf_addf(&s->line, "<%d>%s ", FACILITY_DAEMON | severity(level), stamp);
    if (s->url != NULL) mg_buf_addf(&s->line, "%s ", s->host);
    mg_buf_addf(&s->line, "%s[%d]: ", s->tag, (int)getpid());
    mg_buf_add_slice(&s->line, text);
    if (text.n == 0 || text.p[text.n - 1] != '\n') mg_buf_addc(&s->line, '\n');
}

static bool send_line(struct mg_syslog *s) {
    size_t done = 0;
    while (s->fd >= 0 && done < s->line.len) {
        ssize_t n = send(s->fd, s->line.p + done, s->line.len - done, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return s->fd >= 0;
}

void mg_syslog_write(struct mg_syslog *s, enum mg_log_level level, int64_t wall_ns, mg_slice text) {
    format_line(s, level, wall_ns, text);
    if (send_line(s)) return;
    if (s->fd >= 0) close(s->fd);
    s->fd = dial(s);
    if (s->fd >= 0) send_line(s);
}
