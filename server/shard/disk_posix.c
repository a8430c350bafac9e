// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// disk.h over the system's calls. Everything is relative to the descriptor of the locked directory, so a directory that
// is renamed meanwhile stays the same one. Short transfers are continued, interrupted ones repeated; nothing else is
// ever tried again: a write or sync that failed is the caller's to judge.
//
// The lock is flock(2) on a file named `lock`: the system drops it when the process ends, however it ends. Its text
// only tells people who holds it; it stays behind when the lock is gone.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/disk_impl.h"

struct mg_file {
    int fd;
    struct mg_disk *disk;
    char name[]; // for messages
};

static int code_of(int err) {
    switch (err) {
    case ENOENT: return MG_ENOTFOUND;
    case EEXIST:
    case ENOTEMPTY: return MG_EEXISTS;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return MG_ENOSPC;
    case EACCES:
    case EPERM:
    case EROFS: return MG_EDENIED;
    case EWOULDBLOCK: return MG_EBUSY;
    case EOPNOTSUPP:
    case ENOSYS: return MG_EUNSUPPORTED;
    case EINVAL: return MG_EINVAL;
    default: return MG_EIO;
    }
}

// "cannot <verb> <directory>/<name>: <text of err>"
static int fail_with(struct mg_disk_why *why, int err, const char *verb, const char *path, const char *name) {
    char text[128];
    if (why)
        snprintf(why->text, sizeof(why->text), "cannot %s %.80s%s%.80s: %.60s", verb, path, name[0] ? "/" : "", name,
                 strerror_r(err, text, sizeof(text)));
    return code_of(err);
}

static int fail(struct mg_disk_why *why, const char *verb, const struct mg_disk *d, const char *name) {
    return fail_with(why, errno, verb, d->path, name);
}

static int fail_file(struct mg_disk_why *why, const char *verb, const struct mg_file *f) {
    return fail(why, verb, f->disk, f->name);
}

static const char *at_name(const char *name) { return name[0] ? name : "."; }

// ---- the directory ------------------------------------------------------------------------------------------------

static int refuse_locked(struct mg_disk *d, struct mg_disk_why *why) {
    char holder[128] = "";
    ssize_t n = pread(d->lock_fd, holder, sizeof(holder) - 1, 0);
    holder[n > 0 ? n : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    if (why)
        snprintf(why->text, sizeof(why->text), "%.100s is in use by %s", d->path, holder[0] ? holder : "another one");
    return MG_EBUSY;
}

static int take_lock(struct mg_disk *d, const char *who, struct mg_disk_why *why) {
    d->lock_fd = openat(d->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (d->lock_fd < 0) return fail(why, "open", d, "lock");
    if (flock(d->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return refuse_locked(d, why);
        return fail(why, "lock", d, "lock");
    }
    char host[64] = "", text[128];
    gethostname(host, sizeof(host) - 1);
    int n = snprintf(text, sizeof(text), "%.40s, process %ld on %s\n", who, (long)getpid(), host);
    // What is not written only spoils the text that another one would show.
    if (ftruncate(d->lock_fd, 0) != 0 || pwrite(d->lock_fd, text, (size_t)n, 0) != n) return 0;
    return 0;
}

static int sync_path(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd >= 0 && fsync(fd) == 0 ? 0 : -1;
    if (fd >= 0) close(fd);
    return rc;
}

// Makes the directory and those above it. A new one that a power cut takes would take all that it holds: the one above
// is synced.
static int make_path(const char *path) {
    char *at = mg_strdup(path), *end = at + strlen(at);
    int rc = 0;
    for (char *p = at + 1; rc == 0 && p <= end; p++) {
        if (*p != '/' && p != end) continue;
        *p = '\0';
        bool made = mkdir(at, 0750) == 0;
        rc = made || errno == EEXIST || errno == EISDIR ? 0 : -1;
        char *slash = strrchr(at, '/');
        if (made && slash) {
            *slash = '\0';
            rc = sync_path(slash == at ? "/" : at);
            *slash = '/';
        } else if (made) {
            rc = sync_path(".");
        }
        if (p != end) *p = '/';
    }
    mg_free(at);
    return rc;
}

int mg_disk_open(struct mg_disk **out, const char *path, const char *who, unsigned flags, struct mg_disk_why *why) {
    if ((flags & MG_DISK_CREATE) && make_path(path) != 0)
        return fail_with(why, errno, "create", path, "");
    struct mg_disk *d = mg_zalloc(sizeof(*d));
    d->path = mg_strdup(path);
    d->lock_fd = -1;
    d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = d->fd < 0 ? fail(why, "open", d, "") : 0;
    if (rc == 0 && !(flags & MG_DISK_LOOK_ONLY)) rc = take_lock(d, who, why);
    if (rc != 0) {
        mg_disk_close(d);
        return rc;
    }
    *out = d;
    return 0;
}

void mg_disk_close(struct mg_disk *d) {
    if (d == NULL) return;
    if (d->lock_fd >= 0) close(d->lock_fd);
    if (d->fd >= 0) close(d->fd);
    mg_free(d->path);
    mg_free(d);
}

const char *mg_disk_path(const struct mg_disk *d) { return d->path; }

static int may_change(const struct mg_disk *d, const char *name, struct mg_disk_why *why) {
    return d->lock_fd >= 0 ? 0 : fail_with(why, EROFS, "change", d->path, name);
}

int mg_disk_mkdir(struct mg_disk *d, const char *name, struct mg_disk_why *why) {
    int rc = may_change(d, name, why);
    if (rc == 0 && mkdirat(d->fd, name, 0750) != 0) rc = fail(why, "create", d, name);
    return rc;
}

int mg_disk_sync_dir(struct mg_disk *d, const char *name, struct mg_disk_why *why) {
    int fd = openat(d->fd, at_name(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fail(why, "open", d, name);
    int rc = fsync(fd) == 0 ? 0 : fail(why, "sync", d, name);
    close(fd);
    return rc;
}

int mg_disk_rename(struct mg_disk *d, const char *from, const char *to, struct mg_disk_why *why) {
    int rc = may_change(d, to, why);
    if (rc == 0 && renameat(d->fd, from, d->fd, to) != 0) rc = fail(why, "rename", d, from);
    return rc;
}

int mg_disk_unlink(struct mg_disk *d, const char *name, struct mg_disk_why *why) {
    int rc = may_change(d, name, why);
    if (rc != 0 || unlinkat(d->fd, name, 0) == 0) return rc;
    // Linux answers EISDIR, POSIX says EPERM.
    if ((errno == EISDIR || errno == EPERM) && unlinkat(d->fd, name, AT_REMOVEDIR) == 0) return 0;
    return fail(why, "remove", d, name);
}

int mg_disk_list(struct mg_disk *d, const char *name, void (*fn)(void *arg, const char *entry, uint64_t size, bool dir),
                 void *arg, struct mg_disk_why *why) {
    int fd = openat(d->fd, at_name(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        int rc = fail(why, "list", d, name);
        if (fd >= 0) close(fd);
        return rc;
    }
    for (struct dirent *e; errno = 0, (e = readdir(dir)) != NULL;) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) continue; // gone meanwhile
        bool is_dir = S_ISDIR(st.st_mode);
        fn(arg, e->d_name, is_dir ? 0 : (uint64_t)st.st_size, is_dir);
    }
    int rc = errno == 0 ? 0 : fail(why, "list", d, name);
    closedir(dir);
    return rc;
}

int mg_disk_space(struct mg_disk *d, struct mg_disk_space *out, struct mg_disk_why *why) {
    struct statvfs fs;
    if (fstatvfs(d->fd, &fs) != 0) return fail(why, "measure", d, "");
    out->free = (uint64_t)fs.f_bavail * fs.f_frsize;
    out->total = (uint64_t)fs.f_blocks * fs.f_frsize;
    return 0;
}

// ---- files --------------------------------------------------------------------------------------------------------

int mg_file_open(struct mg_disk *d, struct mg_file **out, const char *name, unsigned flags, struct mg_disk_why *why) {
    int how = O_CLOEXEC | ((flags & MG_FILE_WRITE) ? O_RDWR : O_RDONLY);
    if (flags & MG_FILE_WRITE) {
        int rc = may_change(d, name, why);
        if (rc != 0) return rc;
        if (flags & MG_FILE_CREATE) how |= O_CREAT;
        if (flags & MG_FILE_EXCL) how |= O_EXCL;
        if (flags & MG_FILE_EMPTY) how |= O_TRUNC;
    }
    if (flags & MG_FILE_DIRECT) how |= O_DIRECT;
    if (flags & MG_FILE_DSYNC) how |= O_DSYNC;
    int fd = openat(d->fd, name, how, 0640);
    if (fd < 0) {
        int rc = fail(why, "open", d, name);
        return rc == MG_EINVAL && (flags & MG_FILE_DIRECT) ? MG_EUNSUPPORTED : rc;
    }
    if (flags & MG_FILE_EXACT) posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    size_t n = strlen(name) + 1;
    struct mg_file *f = mg_alloc(sizeof(*f) + n);
    f->fd = fd;
    f->disk = d;
    memcpy(f->name, name, n);
    *out = f;
    return 0;
}

void mg_file_close(struct mg_file *f) {
    if (f == NULL) return;
    close(f->fd); // what it might report was reported by a sync, or nobody has been promised anything
    mg_free(f);
}

int mg_file_size(struct mg_file *f, uint64_t *out, struct mg_disk_why *why) {
    struct stat st;
    if (fstat(f->fd, &st) != 0) return fail_file(why, "measure", f);
    *out = (uint64_t)st.st_size;
    return 0;
}

int mg_file_read(struct mg_file *f, void *p, size_t n, uint64_t at, size_t *got, struct mg_disk_why *why) {
    *got = 0;
    while (*got < n) {
        ssize_t r = pread(f->fd, (char *)p + *got, n - *got, (off_t)(at + *got));
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return fail_file(why, "read", f);
        if (r == 0) break;
        *got += (size_t)r;
    }
    return 0;
}

int mg_file_write(struct mg_file *f, const void *p, size_t n, uint64_t at, struct mg_disk_why *why) {
    for (size_t done = 0; done < n;) {
        ssize_t r = pwrite(f->fd, (const char *)p + done, n - done, (off_t)(at + done));
        if (r < 0 && errno == EINTR) continue;
        if (r <= 0) {
            if (r == 0) errno = EIO;
            return fail_file(why, "write", f);
        }
        done += (size_t)r;
    }
    return 0;
}

#define IOV_AT_ONCE 64

int mg_file_writev(struct mg_file *f, const struct mg_span *spans, size_t count, uint64_t at, struct mg_disk_why *why) {
    size_t first = 0, skip = 0; // spans[first] from `skip` on is not yet written
    while (first < count) {
        struct iovec iov[IOV_AT_ONCE];
        int n = 0;
        for (size_t i = first; i < count && n < IOV_AT_ONCE; i++, n++) {
            size_t off = i == first ? skip : 0;
            iov[n] = (struct iovec){(char *)(uintptr_t)spans[i].p + off, spans[i].n - off};
        }
        ssize_t r = pwritev(f->fd, iov, n, (off_t)at);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return fail_file(why, "write", f);
        at += (uint64_t)r;
        skip += (size_t)r;
        bool moved = r > 0;
        while (first < count && skip >= spans[first].n) {
            skip -= spans[first++].n;
            moved = true;
        }
        if (moved) continue;
        errno = EIO;
        return fail_file(why, "write", f);
    }
    return 0;
}

int mg_file_truncate(struct mg_file *f, uint64_t size, struct mg_disk_why *why) {
    return ftruncate(f->fd, (off_t)size) == 0 ? 0 : fail_file(why, "cut", f);
}

int mg_file_sync(struct mg_file *f, struct mg_disk_why *why) {
    return fdatasync(f->fd) == 0 ? 0 : fail_file(why, "sync", f);
}

void mg_file_expect(struct mg_file *f, uint64_t at, uint64_t n) {
    posix_fadvise(f->fd, (off_t)at, (off_t)n, POSIX_FADV_WILLNEED);
}

void mg_file_forget(struct mg_file *f, uint64_t at, uint64_t n) {
    posix_fadvise(f->fd, (off_t)at, (off_t)n, POSIX_FADV_DONTNEED);
}

void *mg_disk_alloc(size_t size) {
    void *p = NULL;
    int rc = posix_memalign(&p, MG_DISK_ALIGN, size);
    mg_assert(rc == 0);
    return p;
}

void mg_disk_free(void *p) { free(p); }
