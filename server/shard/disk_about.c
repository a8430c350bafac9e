// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the system tells about the file system and the device under a directory: /sys/dev/block/<device>/queue. A
// partition has no queue of its own, its device's is one folder up. Behind network and layered file systems there is no
// device to be found; then everything is unknown.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "server/shard/disk_impl.h"

static const struct {
    unsigned long magic;
    const char *name;
    bool in_memory;
} file_systems[] = {
    {0xEF53, "ext4", false},      {0x58465342, "xfs", false},       {0x9123683E, "btrfs", false},
    {0x2FC12FC1, "zfs", false},   {0xF2F52010, "f2fs", false},      {0x01021994, "tmpfs", true},
    {0x858458F6, "ramfs", true},  {0x794C7630, "overlay", false},   {0x6969, "nfs", false},
    {0x65735546, "fuse", false},  {0xFF534D42, "cifs", false},      {0xFE534D42, "smb2", false},
    {0xCA451A4E, "bcachefs", false},
};

static void name_file_system(struct mg_disk *d, struct mg_disk_about *out) {
    struct statfs fs;
    if (fstatfs(d->fd, &fs) != 0) return;
    for (size_t i = 0; i < sizeof(file_systems) / sizeof(file_systems[0]); i++) {
        if (file_systems[i].magic != (unsigned long)fs.f_type) continue;
        snprintf(out->fs, sizeof(out->fs), "%s", file_systems[i].name);
        out->volatile_fs = file_systems[i].in_memory;
    }
}

// Reads the first line of <block>/queue/<name>, or of the device that <block> is a partition of.
static bool read_queue(const char *block, const char *name, char *out, size_t cap) {
    static const char *const places[] = {"queue", "../queue"};
    for (size_t i = 0; i < 2; i++) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%s/%s", block, places[i], name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) continue;
        ssize_t n = read(fd, out, cap - 1);
        close(fd);
        if (n <= 0) continue;
        out[n] = '\0';
        out[strcspn(out, "\n")] = '\0';
        return true;
    }
    return false;
}

static void ask_device(const char *block, struct mg_disk_about *out) {
    char text[64], link[512];
    ssize_t n = readlink(block, link, sizeof(link) - 1);
    if (n > 0) {
        link[n] = '\0';
        const char *slash = strrchr(link, '/');
        snprintf(out->device, sizeof(out->device), "%.31s", slash ? slash + 1 : link);
    }
    if (read_queue(block, "write_cache", text, sizeof(text)))
        out->cache = strcmp(text, "write back") == 0 ? MG_CACHE_WRITE_BACK : MG_CACHE_WRITE_THROUGH;
    if (read_queue(block, "fua", text, sizeof(text))) out->fua = text[0] == '1';
}

void mg_disk_describe(struct mg_disk *d, struct mg_disk_about *out) {
    *out = (struct mg_disk_about){.fs = "unknown", .fua = -1};
    name_file_system(d, out);
    struct stat st;
    if (fstat(d->fd, &st) != 0) return;
    char block[64];
    snprintf(block, sizeof(block), "/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
    if (access(block, F_OK) == 0) ask_device(block, out);
}
