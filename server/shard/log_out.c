// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The log file and its rotation (spec/client-protocol.md B4), stderr, and the choice among the sinks.
//
// After a line that takes the file over its limit, the file is renamed to <file>.YYYY.MM.DD.hh.mm.ss.nnnnnnnnn and a new
// one begins with a line that says so (which, like the lines about purging, ends in CRLF). Backups beyond the number to keep
// are removed, oldest first; their names sort by age.
// How it fails: if the file cannot be opened again after the renaming, the lines go to stderr until it can be.
#include "server/shard/log_out.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server/base/errors.h"
#include "server/base/mem.h"

#define GATHER 65536u

struct mg_log_out {
    struct mg_log_style style;
    int fd;
    struct mg_buf buf; // formatted, not written yet
    char *path;        // of the file; NULL: none
    int64_t size;      // of the file, buf not included
    int64_t limit;     // 0: no rotation
    int64_t max_files; // with the active one; 0: no purge
    struct mg_syslog *syslog;
};

// The text of errno as the reference prints it: beginning in lower case.
static void error_text(char *buf, size_t n) {
    char tmp[128];
    snprintf(buf, n, "%s", strerror_r(errno, tmp, sizeof(tmp)));
    buf[0] = (char)tolower((unsigned char)buf[0]);
}

static void write_all(int fd, const char *p, size_t n) {
    while (n != 0) {
        ssize_t r = write(fd, p, n);
        if (r < 0 && errno == EINTR) continue;
        if (r <= 0) return; // nobody is left to be told
        p += r;
        n -= (size_t)r;
    }
}

static void flush_buf(struct mg_log_out *o) {
    write_all(o->fd >= 0 ? o->fd : STDERR_FILENO, o->buf.p, o->buf.len);
    o->size += (int64_t)o->buf.len;
    o->buf.len = 0;
}

static int64_t now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

// ---- the file --------------------------------------------------------------------------------------------------------

static int open_file(const char *path, int64_t *size, char *err, size_t errlen) {
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        char text[128];
        error_text(text, sizeof(text));
        snprintf(err, errlen, "open %s: %s", path, text);
        if (fd >= 0) close(fd);
        return -1;
    }
    *size = st.st_size;
    return fd;
}

// A line of the rotation's own; ends in CRLF.
static void add_own_line(struct mg_log_out *o, enum mg_log_level level, const char *before, const char *name,
                         const char *after) {
    struct mg_buf text = MG_BUF_INIT;
    mg_buf_adds(&text, before);
    mg_buf_add_quoted(&text, mg_cstr(name));
    mg_buf_adds(&text, after);
    mg_buf_adds(&text, "\r\n");
    mg_log_format(&o->buf, &o->style, level, now_ns(), mg_buf_slice(&text));
    mg_buf_fini(&text);
}

// Is it "2026.01.02.03.04.05.123456789" (1 to 9 digits at the end)?
static bool is_stamp(const char *s) {
    static const int widths[] = {4, 2, 2, 2, 2, 2};
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        for (int k = 0; k < widths[i]; k++)
            if (*s < '0' || *s++ > '9') return false;
        if (*s++ != '.') return false;
    }
    size_t n = strspn(s, "0123456789");
    return n >= 1 && n <= 9 && s[n] == '\0';
}

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

// Names of the backups of `base` in dir, sorted. The caller frees them.
static struct mg_strlist list_backups(DIR *dir, const char *base) {
    struct mg_strlist l = {NULL, 0};
    size_t cap = 0, n = strlen(base);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (strncmp(e->d_name, base, n) != 0 || e->d_name[n] != '.' || !is_stamp(e->d_name + n + 1)) continue;
        if (l.n == cap) l.v = mg_realloc(l.v, (cap = cap ? cap * 2 : 16) * sizeof(*l.v));
        l.v[l.n++] = mg_strdup(e->d_name);
    }
    if (l.n != 0) qsort(l.v, l.n, sizeof(*l.v), compare_names);
    return l;
}

static void purge(struct mg_log_out *o) {
    const char *slash = strrchr(o->path, '/');
    const char *base = slash ? slash + 1 : o->path;
    char *dir_name = slash == NULL ? mg_strdup(".") : mg_strndup(o->path, slash == o->path ? 1 : (size_t)(slash - o->path));
    char text[128], after[192];
    DIR *dir = opendir(dir_name);
    if (dir == NULL) {
        error_text(text, sizeof(text));
        snprintf(after, sizeof(after), " for log purge (%s), will attempt next rotation", text);
        add_own_line(o, MG_LOG_ERR, "Unable to read directory ", dir_name, after);
        mg_free(dir_name);
        return;
    }
    struct mg_strlist l = list_backups(dir, base);
    bool stop = false;
    for (size_t i = 0; i < l.n; i++) {
        if (!stop && (int64_t)(l.n - i) > o->max_files - 1) {
            if (unlinkat(dirfd(dir), l.v[i], 0) == 0) {
                add_own_line(o, MG_LOG_INF, "Purged log file ", l.v[i], "");
            } else {
                error_text(text, sizeof(text));
                snprintf(after, sizeof(after), " (%s), will attempt next rotation", text);
                add_own_line(o, MG_LOG_ERR, "Unable to remove backup log file ", l.v[i], after);
                stop = true;
            }
        }
        mg_free(l.v[i]);
    }
    mg_free(l.v);
    closedir(dir);
    mg_free(dir_name);
}

static void rotate(struct mg_log_out *o) {
    int64_t now = now_ns();
    time_t sec = (time_t)(now / 1000000000);
    struct tm tm;
    localtime_r(&sec, &tm);
    struct mg_buf name = MG_BUF_INIT;
    mg_buf_addf(&name, "%s.%04d.%02d.%02d.%02d.%02d.%02d.%09d", o->path, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(now % 1000000000));
    mg_buf_addc(&name, '\0');
    char err[512];
    close(o->fd);
    bool renamed = rename(o->path, name.p) == 0;
    o->size = 0;
    o->fd = open_file(o->path, &o->size, err, sizeof(err));
    if (o->fd < 0) add_own_line(o, MG_LOG_ERR, "Unable to re-open the logfile after rotation: ", err, "");
    if (renamed) add_own_line(o, MG_LOG_INF, "Rotated log, backup saved as ", name.p, "");
    mg_buf_fini(&name);
    if (o->max_files > 0) purge(o);
    flush_buf(o);
}

int mg_log_out_reopen(struct mg_log_out *o, char *err, size_t errlen) {
    if (o->path == NULL) return MG_EUNSUPPORTED;
    mg_log_out_flush(o);
    int64_t size;
    int fd = open_file(o->path, &size, err, errlen);
    if (fd < 0) return MG_EIO;
    if (o->fd >= 0) close(o->fd);
    o->fd = fd;
    o->size = size;
    return MG_OK;
}

// ---- any sink --------------------------------------------------------------------------------------------------------

static int open_sink(struct mg_log_out *o, const struct mg_options *opts, const char *tag, char *err, size_t errlen) {
    if (opts->log_file != NULL && opts->log_file[0] != '\0') {
        char why[512];
        o->path = mg_strdup(opts->log_file);
        o->fd = open_file(o->path, &o->size, why, sizeof(why));
        if (o->fd < 0) {
            snprintf(err, errlen, "error opening file: %s", why);
            return MG_EIO;
        }
        o->limit = opts->log_size_limit;
        o->max_files = opts->log_max_num;
        return MG_OK;
    }
    bool remote = opts->remote_syslog != NULL && opts->remote_syslog[0] != '\0';
    if (remote || opts->syslog)
        return mg_syslog_open(&o->syslog, remote ? opts->remote_syslog : NULL, tag, err, errlen);
    struct stat st;
    o->fd = STDERR_FILENO;
    o->style.color = fstat(STDERR_FILENO, &st) == 0 && S_ISCHR(st.st_mode);
    return MG_OK;
}

int mg_log_out_open(struct mg_log_out **out, const struct mg_options *opts, const char *tag, char *err, size_t errlen) {
    struct mg_log_out *o = mg_zalloc(sizeof(*o));
    o->fd = -1;
    o->style.pid = (int)getpid();
    o->style.time = !opts->logtime ? MG_LOG_TIME_NONE : opts->logtime_utc ? MG_LOG_TIME_UTC : MG_LOG_TIME_LOCAL;
    int rc = open_sink(o, opts, tag, err, errlen);
    if (rc != MG_OK) {
        mg_log_out_close(o);
        return rc;
    }
    // The line takes the file over its limit, so writing it rotates.
    if (o->limit > 0 && o->size > o->limit) mg_log_out_write(o, MG_LOG_INF, now_ns(), MG_S("Rotating logfile..."));
    *out = o;
    return MG_OK;
}

void mg_log_out_close(struct mg_log_out *o) {
    mg_log_out_flush(o);
    if (o->path != NULL && o->fd >= 0) close(o->fd);
    if (o->syslog != NULL) mg_syslog_close(o->syslog);
    mg_free(o->path);
    mg_buf_fini(&o->buf);
    mg_free(o);
}

void mg_log_out_write(struct mg_log_out *o, enum mg_log_level level, int64_t wall_ns, mg_slice text) {
    if (o->syslog != NULL) {
        mg_syslog_write(o->syslog, level, wall_ns, text);
        return;
    }
    mg_log_format(&o->buf, &o->style, level, wall_ns, text);
    bool full = o->path != NULL && o->limit > 0 && o->size + (int64_t)o->buf.len > o->limit;
    if (full || o->buf.len >= GATHER) flush_buf(o);
    if (full) rotate(o);
}

void mg_log_out_flush(struct mg_log_out *o) {
    if (o->buf.len != 0) flush_buf(o);
}
