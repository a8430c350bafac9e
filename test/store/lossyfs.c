// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A file system that loses what was not synced, for programs that must survive a power cut:
//
//     lossyfs BACKING MOUNTPOINT [fuse options]
//
// What programs see is in memory. What a power cut leaves is in the directory BACKING: `inode-N` has the bytes of file
// N as of its last sync, `names` the names as of the last sync of their directories. Ending the program in any way is
// the power cut:
//
//     SIGKILL   all that was not synced is lost
//     SIGUSR1   of each file every page that was not synced is lost or kept at random, and its size with them; of the
//               changes to names some are kept, oldest first
//
// The next one that is started on BACKING shows what is left. A sync is fsync, fdatasync, or a write through a
// descriptor with O_SYNC or O_DSYNC. One thread; meant for hundreds of files.
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096u
#define PATH 300u
#define NAMES 4096u

struct inode {
    uint64_t no;
    char *bytes;
    uint8_t *dirty; // a flag for each page
    size_t size, cap;
    bool directory;
};
struct name {
    char path[PATH];
    struct inode *inode;
};
struct names {
    struct name at[NAMES];
    unsigned len;
};
// A change to names that no sync of a directory has covered.
struct change {
    enum { LINK, UNLINK, RENAME } kind;
    char path[PATH], to[PATH];
    struct inode *inode;
};

static struct names now, durable;
static struct change log_[NAMES];
static unsigned log_len;
static uint64_t next_inode = 1;
static int backing;

// ---- names ----------------------------------------------------------------------------------------------------------

static struct name *find(struct names *n, const char *path) {
    for (unsigned i = 0; i < n->len; i++)
        if (strcmp(n->at[i].path, path) == 0) return &n->at[i];
    return NULL;
}

static void link_name(struct names *n, const char *path, struct inode *inode) {
    struct name *e = find(n, path);
    if (e == NULL) {
        if (n->len == NAMES) abort();
        e = &n->at[n->len++];
        snprintf(e->path, sizeof(e->path), "%s", path);
    }
    e->inode = inode;
}

static void unlink_name(struct names *n, const char *path) {
    struct name *e = find(n, path);
    if (e) *e = n->at[--n->len];
}

static void apply(struct names *n, const struct change *c) {
    if (c->kind == LINK) link_name(n, c->path, c->inode);
    else unlink_name(n, c->path);
    if (c->kind == RENAME) link_name(n, c->to, c->inode);
}

static void change(int kind, const char *path, const char *to, struct inode *inode) {
    struct change c = {.kind = (unsigned)kind, .inode = inode};
    snprintf(c.path, sizeof(c.path), "%s", path);
    snprintf(c.to, sizeof(c.to), "%s", to);
    apply(&now, &c);
    if (log_len == NAMES) abort();
    log_[log_len++] = c;
}

static bool is_in(const char *path, const char *dir) {
    size_t n = strcmp(dir, "/") == 0 ? 0 : strlen(dir);
    return strncmp(path, dir, n) == 0 && path[n] == '/' && path[n + 1] && strchr(path + n + 1, '/') == NULL;
}

// ---- what a power cut leaves ----------------------------------------------------------------------------------------

static void must(bool ok, const char *what) {
    if (ok) return;
    perror(what);
    abort();
}

static int open_inode(const struct inode *i, int flags) {
    char file[40];
    snprintf(file, sizeof(file), "inode-%llu", (unsigned long long)i->no);
    int fd = openat(backing, file, flags, 0600);
    must(fd >= 0, file);
    return fd;
}

// keep: the chance of a page to be kept, of 256.
static void save_inode(struct inode *i, unsigned keep) {
    int fd = open_inode(i, O_RDWR | O_CREAT);
    if (keep == 256 || (unsigned)rand() % 256 < keep) must(ftruncate(fd, (off_t)i->size) == 0, "size");
    off_t end = lseek(fd, 0, SEEK_END);
    for (size_t p = 0; p * PAGE < (size_t)end; p++) {
        size_t n = (size_t)end - p * PAGE < PAGE ? (size_t)end - p * PAGE : PAGE;
        if (!i->dirty || p * PAGE >= i->cap || !i->dirty[p] || (unsigned)rand() % 256 >= keep) continue;
        must(pwrite(fd, i->bytes + p * PAGE, n, (off_t)(p * PAGE)) == (ssize_t)n, "write");
        i->dirty[p] = 0;
    }
    close(fd);
}

static void save_names(void) {
    int fd = openat(backing, "names.new", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    must(fd >= 0, "names");
    for (unsigned i = 0; i < durable.len; i++)
        dprintf(fd, "%llu %d %s\n", (unsigned long long)durable.at[i].inode->no, durable.at[i].inode->directory,
                durable.at[i].path);
    close(fd);
    must(renameat(backing, "names.new", backing, "names") == 0, "names");
}

static void power_cut(int signal) {
    (void)signal;
    srand((unsigned)time(NULL) ^ (unsigned)getpid());
    for (unsigned i = 0; i < now.len; i++)
        if (!now.at[i].inode->directory) save_inode(now.at[i].inode, 128);
    unsigned kept = (unsigned)rand() % (log_len + 1);
    for (unsigned i = 0; i < kept; i++) apply(&durable, &log_[i]);
    save_names();
    _exit(0);
}

static struct inode *inode_new(bool directory) {
    struct inode *i = calloc(1, sizeof(*i));
    must(i != NULL, "memory");
    i->directory = directory;
    return i;
}

static void grow(struct inode *i, size_t size) {
    if (size > i->cap) {
        size_t cap = i->cap ? i->cap : PAGE;
        while (cap < size) cap *= 2;
        i->bytes = realloc(i->bytes, cap);
        i->dirty = realloc(i->dirty, cap / PAGE);
        must(i->bytes && i->dirty, "memory");
        memset(i->bytes + i->cap, 0, cap - i->cap);
        memset(i->dirty + i->cap / PAGE, 0, (cap - i->cap) / PAGE);
        i->cap = cap;
    }
    if (size > i->size) i->size = size;
}

static void load(void) {
    FILE *f = fdopen(openat(backing, "names", O_RDONLY | O_CREAT, 0600), "r");
    must(f != NULL, "names");
    unsigned long long no;
    int directory;
    char path[PATH];
    while (fscanf(f, "%llu %d %299s", &no, &directory, path) == 3) {
        struct inode *i = inode_new(directory != 0);
        i->no = no;
        if (no >= next_inode) next_inode = no + 1;
        if (!directory) {
            int fd = open_inode(i, O_RDONLY | O_CREAT);
            grow(i, (size_t)lseek(fd, 0, SEEK_END));
            must(pread(fd, i->bytes, i->size, 0) == (ssize_t)i->size, "read");
            close(fd);
        }
        link_name(&now, path, i);
    }
    fclose(f);
    durable = now;
}

// ---- operations -----------------------------------------------------------------------------------------------------

static int fs_getattr(const char *path, struct stat *st, struct fuse_file_info *fi) {
    const struct inode *i = fi ? (const struct inode *)(uintptr_t)fi->fh : NULL; // it may have no name any more
    struct name *e = i ? NULL : find(&now, path);
    memset(st, 0, sizeof(*st));
    if (e) i = e->inode;
    if (i == NULL && strcmp(path, "/") != 0) return -ENOENT;
    bool directory = i == NULL || i->directory;
    st->st_mode = directory ? S_IFDIR | 0755 : S_IFREG | 0644;
    st->st_nlink = 1;
    st->st_size = directory ? 0 : (off_t)i->size;
    st->st_blksize = PAGE;
    return 0;
}

static int fs_readdir(const char *path, void *buf, fuse_fill_dir_t fill, off_t at, struct fuse_file_info *fi,
                      enum fuse_readdir_flags flags) {
    (void)at, (void)fi, (void)flags;
    for (unsigned i = 0; i < now.len; i++)
        if (is_in(now.at[i].path, path)) fill(buf, strrchr(now.at[i].path, '/') + 1, NULL, 0, 0);
    return 0;
}

static int make(const char *path, bool directory, struct fuse_file_info *fi) {
    if (strlen(path) >= PATH || strpbrk(path, " \n")) return -EINVAL;
    if (find(&now, path)) return -EEXIST;
    struct inode *i = inode_new(directory);
    i->no = next_inode++;
    if (!directory) close(open_inode(i, O_RDWR | O_CREAT | O_TRUNC));
    change(LINK, path, "", i);
    if (fi) fi->fh = (uint64_t)(uintptr_t)i, fi->direct_io = 1;
    return 0;
}

static int fs_create(const char *path, mode_t mode, struct fuse_file_info *fi) {
    return (void)mode, make(path, false, fi);
}
static int fs_mkdir(const char *path, mode_t mode) { return (void)mode, make(path, true, NULL); }

static int fs_open(const char *path, struct fuse_file_info *fi) {
    struct name *e = find(&now, path);
    if (e == NULL) return -ENOENT;
    fi->fh = (uint64_t)(uintptr_t)e->inode;
    fi->direct_io = 1; // no cache in front of us
    return 0;
}

static int fs_unlink(const char *path) {
    struct name *e = find(&now, path);
    if (e == NULL) return -ENOENT;
    change(UNLINK, path, "", e->inode); // its memory stays: a few files
    return 0;
}

static int fs_rename(const char *from, const char *to, unsigned flags) {
    struct name *e = find(&now, from);
    if (flags || e == NULL || strlen(to) >= PATH) return e ? -EINVAL : -ENOENT;
    if (e->inode->directory) return -EXDEV;
    change(RENAME, from, to, e->inode);
    return 0;
}

static struct inode *inode_of(const struct fuse_file_info *fi) { return (struct inode *)(uintptr_t)fi->fh; }

static int fs_read(const char *path, char *buf, size_t n, off_t at, struct fuse_file_info *fi) {
    (void)path;
    const struct inode *i = inode_of(fi);
    if ((size_t)at >= i->size) return 0;
    if (n > i->size - (size_t)at) n = i->size - (size_t)at;
    memcpy(buf, i->bytes + at, n);
    return (int)n;
}

static int fs_write(const char *path, const char *buf, size_t n, off_t at, struct fuse_file_info *fi) {
    (void)path;
    struct inode *i = inode_of(fi);
    grow(i, (size_t)at + n);
    memcpy(i->bytes + at, buf, n);
    for (size_t p = (size_t)at / PAGE; p * PAGE < (size_t)at + n; p++) i->dirty[p] = 1;
    if (fi->flags & (O_DSYNC | O_SYNC)) save_inode(i, 256);
    return (int)n;
}

static int fs_truncate(const char *path, off_t size, struct fuse_file_info *fi) {
    struct name *e = fi ? NULL : find(&now, path);
    if (fi == NULL && e == NULL) return -ENOENT;
    struct inode *i = fi ? inode_of(fi) : e->inode;
    if ((size_t)size < i->size) {
        memset(i->bytes + size, 0, i->size - (size_t)size);
        for (size_t p = (size_t)size / PAGE; p * PAGE < i->size; p++) i->dirty[p] = 1;
        i->size = (size_t)size;
    }
    grow(i, (size_t)size);
    return 0;
}

static int fs_fsync(const char *path, int data_only, struct fuse_file_info *fi) {
    (void)path, (void)data_only;
    save_inode(inode_of(fi), 256);
    return 0;
}

static int fs_fsyncdir(const char *path, int data_only, struct fuse_file_info *fi) {
    (void)data_only, (void)fi;
    unsigned kept = 0;
    for (unsigned i = 0; i < log_len; i++) {
        if (is_in(log_[i].path, path) || (log_[i].kind == RENAME && is_in(log_[i].to, path))) apply(&durable, &log_[i]);
        else log_[kept++] = log_[i];
    }
    log_len = kept;
    save_names();
    return 0;
}

static int fs_statfs(const char *path, struct statvfs *st) { return (void)path, fstatvfs(backing, st) ? -errno : 0; }

static void *fs_init(struct fuse_conn_info *conn, struct fuse_config *config) {
    (void)conn;
    config->hard_remove = 1; // an open file that is unlinked is gone by name at once
    return NULL;
}

static const struct fuse_operations operations = {
    .init = fs_init, .getattr = fs_getattr, .readdir = fs_readdir, .create = fs_create, .mkdir = fs_mkdir,
    .open = fs_open, .unlink = fs_unlink, .rmdir = fs_unlink, .rename = fs_rename, .read = fs_read, .write = fs_write,
    .truncate = fs_truncate, .fsync = fs_fsync, .fsyncdir = fs_fsyncdir, .statfs = fs_statfs,
};

int main(int argc, char **argv) {
    if (argc < 3) return fprintf(stderr, "usage: lossyfs BACKING MOUNTPOINT [fuse options]\n"), 2;
    backing = open(argv[1], O_RDONLY | O_DIRECTORY);
    must(backing >= 0, argv[1]);
    load();
    signal(SIGUSR1, power_cut);
    char foreground[] = "-f", one_thread[] = "-s";
    char *args[16] = {argv[0], foreground, one_thread};
    int n = 3;
    for (int i = 2; i < argc && n < 15; i++) args[n++] = argv[i];
    return fuse_main(n, args, &operations, NULL);
}
