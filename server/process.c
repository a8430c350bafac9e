// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Files that other programs read (pid, ports) and what /proc, getrusage and the cgroup file system tell about this process.
// process_signal.c has --signal.
#include "server/process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/base/errors.h"
#include "server/base/json.h"
#include "server/base/mem.h"
#include "server/shard/net.h"

// ---- files -----------------------------------------------------------------------------------------------------------

static int fail(const char *what, const char *path, char *err, size_t errlen) {
    char text[128];
    snprintf(text, sizeof(text), "%s", strerror(errno));
    text[0] = (char)tolower((unsigned char)text[0]);
    snprintf(err, errlen, "%s %s: %s", what, path, text);
    return MG_EIO;
}

static int write_file(const char *path, int mode, mg_slice text, char *err, size_t errlen) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0) return fail("open", path, err, errlen);
    ssize_t n = write(fd, text.p, text.n);
    int rc = n == (ssize_t)text.n ? MG_OK : fail("write", path, err, errlen);
    if (close(fd) != 0 && rc == MG_OK) rc = fail("close", path, err, errlen);
    return rc;
}

int mg_pid_file_write(const char *path, char *err, size_t errlen) {
    char pid[16];
    int n = snprintf(pid, sizeof(pid), "%d", (int)getpid());
    return write_file(path, 0600, mg_slice_of(pid, (size_t)n), err, errlen);
}

static void add_url(struct mg_strlist *urls, const char *scheme, const char *host, uint16_t port) {
    struct mg_buf b = MG_BUF_INIT;
    bool v6 = strchr(host, ':') != NULL;
    mg_buf_addf(&b, "%s://%s%s%s:%u", scheme, v6 ? "[" : "", host, v6 ? "]" : "", (unsigned)port);
    urls->v = mg_realloc(urls->v, (urls->n + 1) * sizeof(*urls->v));
    urls->v[urls->n++] = mg_strndup(b.p, b.len);
    mg_buf_fini(&b);
}

void mg_ports_add(struct mg_strlist *urls, const char *scheme, const char *host, uint16_t port) {
    if (host[0] != '\0' && strcmp(host, "0.0.0.0") != 0 && strcmp(host, "::") != 0) {
        add_url(urls, scheme, host, port);
        return;
    }
    struct mg_addr addrs[64];
    size_t n = mg_net_addresses(addrs, sizeof(addrs) / sizeof(addrs[0]), true);
    for (size_t i = 0; i < n; i++) add_url(urls, scheme, addrs[i].ip, port);
}

static void free_list(struct mg_strlist *l) {
    for (size_t i = 0; i < l->n; i++) mg_free(l->v[i]);
    mg_free(l->v);
    *l = (struct mg_strlist){NULL, 0};
}

void mg_ports_fini(struct mg_ports *p) {
    free_list(&p->nats);
    free_list(&p->monitoring);
    free_list(&p->cluster);
    free_list(&p->profile);
    free_list(&p->websocket);
}

static void put_urls(struct mg_jw *w, const char *key, const struct mg_strlist *l) {
    if (l->n == 0) return;
    mg_jw_key(w, key);
    mg_jw_arr(w);
    for (size_t i = 0; i < l->n; i++) mg_jw_cstr(w, l->v[i]);
    mg_jw_end_arr(w);
}

void mg_ports_text(const struct mg_ports *p, struct mg_buf *out) {
    struct mg_jw w;
    mg_jw_init(&w, out, 0);
    mg_jw_obj(&w);
    put_urls(&w, "nats", &p->nats);
    put_urls(&w, "monitoring", &p->monitoring);
    put_urls(&w, "cluster", &p->cluster);
    put_urls(&w, "profile", &p->profile);
    put_urls(&w, "websocket", &p->websocket);
    mg_jw_end_obj(&w);
}

void mg_ports_path(const char *dir, const char *argv0, int pid, struct mg_buf *out) {
    const char *slash = strrchr(argv0, '/');
    size_t n = strlen(dir);
    mg_buf_addf(out, "%s%s%s_%d.ports", dir, n != 0 && dir[n - 1] == '/' ? "" : "/", slash ? slash + 1 : argv0, pid);
    mg_buf_addc(out, '\0');
    out->len--;
}

int mg_ports_write(const struct mg_ports *p, const char *path, char *err, size_t errlen) {
    struct mg_buf text = MG_BUF_INIT, tmp = MG_BUF_INIT;
    mg_ports_text(p, &text);
    mg_buf_adds(&tmp, path);
    mg_buf_add(&tmp, ".tmp", sizeof(".tmp"));
    int rc = write_file(tmp.p, 0666, mg_buf_slice(&text), err, errlen);
    if (rc == MG_OK && rename(tmp.p, path) != 0) rc = fail("rename", path, err, errlen);
    if (rc != MG_OK) unlink(tmp.p);
    mg_buf_fini(&text);
    mg_buf_fini(&tmp);
    return rc;
}

// ---- figures ---------------------------------------------------------------------------------------------------------

// Reads a small file as a string. False if it cannot be read.
static bool read_small(const char *path, char *buf, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, buf, size - 1);
    close(fd);
    if (n < 0) return false;
    buf[n] = '\0';
    return true;
}

uint64_t mg_process_rss(void) {
    char buf[128];
    unsigned long long size, resident;
    if (!read_small("/proc/self/statm", buf, sizeof(buf))) return 0;
    if (sscanf(buf, "%llu %llu", &size, &resident) != 2) return 0;
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t mg_process_open_fds(void) {
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL) return 0;
    uint64_t n = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.') n++;
    closedir(dir);
    return n - 1; // the directory's own
}

static double seconds(struct timeval tv) { return (double)tv.tv_sec + (double)tv.tv_usec / 1e6; }

double mg_process_cpu_seconds(void) {
    struct rusage ru;
    if (getrusage(RUSAGE_SELF, &ru) != 0) return 0;
    return seconds(ru.ru_utime) + seconds(ru.ru_stime);
}

double mg_cpu_meter_sample(struct mg_cpu_meter *m, uint64_t now_ns, double cpu_seconds) {
    if (m->at_ns == 0) {
        *m = (struct mg_cpu_meter){.at_ns = now_ns, .cpu_seconds = cpu_seconds};
    } else if (now_ns - m->at_ns >= MG_SEC) {
        double part = (cpu_seconds - m->cpu_seconds) / ((double)(now_ns - m->at_ns) / 1e9);
        m->percent = part > 0 ? (double)(int64_t)(part * 1000 + 0.5) / 10 : 0; // one decimal
        m->at_ns = now_ns;
        m->cpu_seconds = cpu_seconds;
    }
    return m->percent;
}

int mg_process_cores(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

// ---- cgroup ----------------------------------------------------------------------------------------------------------

// The quota in one directory, in CPUs; 0: none.
static double quota_v2(const char *dir) {
    char path[4200], buf[128];
    long long quota, period;
    snprintf(path, sizeof(path), "%s/cpu.max", dir);
    if (!read_small(path, buf, sizeof(buf)) || sscanf(buf, "%lld %lld", &quota, &period) != 2) return 0; // also "max"
    return quota > 0 && period > 0 ? (double)quota / (double)period : 0;
}

static double quota_v1(const char *dir) {
    char path[4200], buf[128];
    snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", dir);
    if (!read_small(path, buf, sizeof(buf))) return 0;
    long long quota = strtoll(buf, NULL, 10);
    snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", dir);
    if (!read_small(path, buf, sizeof(buf))) return 0;
    long long period = strtoll(buf, NULL, 10);
    return quota > 0 && period > 0 ? (double)quota / (double)period : 0;
}

// The smallest quota from group up to the root.
static double smallest_quota(const char *root, const char *group, double (*quota)(const char *dir)) {
    char dir[4096];
    double best = 0;
    size_t root_len = strlen(root);
    int n = snprintf(dir, sizeof(dir), "%s%s", root, group);
    if (n < 0 || (size_t)n >= sizeof(dir)) return 0;
    for (;;) {
        double q = quota(dir);
        if (q > 0 && (best == 0 || q < best)) best = q;
        char *slash = strrchr(dir, '/');
        if (strlen(dir) <= root_len || slash == NULL) return best;
        *slash = '\0';
    }
}

// Is `name` one of the comma-separated items?
static bool has_item(const char *items, const char *name) {
    size_t len = strlen(name);
    for (const char *p = items; p != NULL; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (strncmp(p, name, len) == 0 && (p[len] == ',' || p[len] == '\0')) return true;
    return false;
}

double mg_cgroup_cpus(const char *cgroup_file, const char *fs_root) {
    FILE *f = fopen(cgroup_file, "re");
    if (f == NULL) return 0;
    char line[4096], root[4096];
    double best = 0;
    while (fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL) continue;
        *group++ = '\0';
        controllers++;
        double q = 0;
        if (controllers[0] == '\0') {
            q = smallest_quota(fs_root, group, quota_v2);
        } else if (has_item(controllers, "cpu")) {
            snprintf(root, sizeof(root), "%s/cpu", fs_root); // a link where cpu and cpuacct are mounted together
            q = smallest_quota(root, group, quota_v1);
        }
        if (q > 0 && (best == 0 || q < best)) best = q;
    }
    fclose(f);
    return best;
}

int mg_process_usable_cpus(void) {
    int cores = mg_process_cores();
    double quota = mg_cgroup_cpus("/proc/self/cgroup", "/sys/fs/cgroup");
    if (quota <= 0 || quota >= cores) return cores;
    int whole = (int)quota;
    return whole < quota ? whole + 1 : whole;
}
