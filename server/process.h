// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a server process has to do with its machine: pid and ports files, --signal, memory and CPU figures. For main and
// for the facts of monitoring. Part of the port: it does I/O of its own; nothing here waits for anything.
#ifndef MG_PROCESS_H
#define MG_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/config/options.h"

// ---- files (spec/client-protocol.md B3) ------------------------------------------------------------------------------

// Writes the own pid in decimal, without a newline, mode 0600. On failure returns an error and a text such as
// "open /x: permission denied", to be logged behind "Could not write pidfile: ".
int mg_pid_file_write(const char *path, char *err, size_t errlen);

struct mg_ports {
    struct mg_strlist nats, monitoring, cluster, profile, websocket; // URLs; owned
};
// Appends "scheme://host:port", or one URL for each address of this machine if host is unspecified.
void mg_ports_add(struct mg_strlist *urls, const char *scheme, const char *host, uint16_t port);
void mg_ports_fini(struct mg_ports *p);
// Appends the file's text: JSON without the empty lists.
void mg_ports_text(const struct mg_ports *p, struct mg_buf *out);
// Appends "<dir>/<basename of argv0>_<pid>.ports" and a NUL that len does not count.
void mg_ports_path(const char *dir, const char *argv0, int pid, struct mg_buf *out);
// Writes the file (mode 0666 less the umask) by renaming, so that nobody reads half of it. To be removed at the end.
int mg_ports_write(const struct mg_ports *p, const char *path, char *err, size_t errlen);

// ---- --signal (spec/client-protocol.md B2) ---------------------------------------------------------------------------

// What it works on; tests bring their own.
struct mg_signal_env {
    const char *proc; // "/proc"
    int self;         // this process, which is never a target
    int (*kill)(int pid, int signal); // 0 or an errno
};
extern const struct mg_signal_env mg_signal_env_system; // self is filled in by mg_signal_send when 0

// Obeys "command[=pid|pidfile|prefix*]". 0, or an error with the text to print behind "nats-server: " appended to err.
int mg_signal_send(const struct mg_signal_env *env, const char *arg, struct mg_buf *err);

// ---- figures (spec/monitoring-and-tools.md F4: only /proc/self and getrusage) -----------------------------------------

uint64_t mg_process_rss(void);         // bytes; 0 if unknown
uint64_t mg_process_open_fds(void);    // 0 if unknown
double mg_process_cpu_seconds(void);   // user + system
int mg_process_cores(void);            // CPUs in the affinity mask, at least 1
// CPUs that may really be used: the smaller of the affinity mask and the cgroup's quota, rounded up; at least 1.
int mg_process_usable_cpus(void);
// The quota of the cgroup (v1 or v2) that cgroup_file ("/proc/self/cgroup") names, below fs_root ("/sys/fs/cgroup"): the
// smallest one on the way up to the root. In CPUs; 0: none.
double mg_cgroup_cpus(const char *cgroup_file, const char *fs_root);

// CPU percent over the time since the sample before (of at least a second; younger ones are repeated).
struct mg_cpu_meter {
    uint64_t at_ns; // monotonic; 0: never sampled
    double cpu_seconds, percent;
};
double mg_cpu_meter_sample(struct mg_cpu_meter *m, uint64_t now_ns, double cpu_seconds);

#endif
