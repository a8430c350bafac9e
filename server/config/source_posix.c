// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The config source of a server process: its files and its environment.
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/base/errors.h"
#include "server/config/config.h"

// "open x: no such file or directory": the texts begin in lower case, as the reference's do.
static int os_error(const char *verb, const char *path, int code, char *err, size_t errlen) {
    char text[128];
    const char *s = strerror_r(code, text, sizeof(text));
    snprintf(err, errlen, "%s %s: %c%s", verb, path, tolower((unsigned char)s[0]), s[0] ? s + 1 : "");
    return code == ENOENT ? MG_ENOTFOUND : MG_EIO;
}

static int read_file(void *ctx, const char *path, size_t limit, struct mg_buf *out, char *err, size_t errlen) {
    (void)ctx;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return os_error("open", path, errno, err, errlen);
    size_t start = out->len;
    ssize_t n;
    int rc = MG_OK;
    do {
        mg_buf_reserve(out, 16384);
        n = read(fd, out->p + out->len, out->cap - out->len);
        if (n > 0) out->len += (size_t)n;
    } while ((n > 0 || (n < 0 && errno == EINTR)) && out->len - start <= limit);
    if (n < 0) {
        rc = os_error("read", path, errno, err, errlen);
    } else if (out->len - start > limit) {
        snprintf(err, errlen, "read %s: more than %zu bytes", path, limit);
        rc = MG_ERANGE;
    }
    close(fd);
    return rc;
}

static const char *get_env(void *ctx, const char *name) {
    (void)ctx;
    return getenv(name);
}

void mg_config_source_posix(struct mg_config_source *src) {
    *src = (struct mg_config_source){.read_file = read_file, .getenv = get_env};
}
