// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a server costs while nothing is said: its memory and CPU when it idles, the memory of idle connections, and what
// it costs to make a TLS connection.
//
// Every idle connection holds one subscription to an inbox, as each client that has ever made a request does, and
// answers the server's PINGs. The memory is read some seconds after the last connection: by then buffers of the opening
// dialogue have been given back, where a server does that.
#include "test/bench/bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct idler {
    struct mgb_conn conn;
    struct mgb_scan scan;
};

static void answer(struct idler *p) {
    char buf[4096];
    size_t n = mgb_conn_recv(&p->conn, buf, sizeof buf);
    if (n > 0)
        mgb_scan(&p->scan, buf, n);
    for (; p->scan.pings > 0; p->scan.pings--)
        mgb_conn_send_all(&p->conn, "PONG\r\n", 6);
}

static void settle(int epoll, uint64_t span) {
    uint64_t deadline = mgb_now() + span;
    for (uint64_t now; (now = mgb_now()) < deadline;) {
        struct epoll_event ev[256];
        int n = epoll_wait(epoll, ev, 256, (int)((deadline - now) / 1000000) + 1);
        for (int i = 0; i < n; i++)
            answer(ev[i].data.ptr);
    }
}

static int new_epoll(void) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        mgb_die("epoll: %s", strerror(errno));
    return epoll;
}

void mgb_idle_row(const struct mgb_row *row, const struct mgb_target *t) {
    struct mgb_mark a, b;
    int epoll = new_epoll();
    settle(epoll, MGB_SECOND);
    mgb_mark_now(&a, t->pid);
    settle(epoll, (uint64_t)(t->seconds * 1e9));
    mgb_mark_now(&b, t->pid);
    mgb_print(row, "rss_kb", mgb_status_kb(t->pid, "VmRSS"));
    mgb_print(row, "anon_kb", mgb_status_kb(t->pid, "RssAnon"));
    mgb_print(row, "cpu_us_per_s", (double)(b.server - a.server) * 1e6 / (double)(b.wall - a.wall));
    close(epoll);
}

static void open_idler(struct idler *p, int epoll, const struct mgb_target *t, size_t i) {
    char name[23], sub[64];
    mgb_inbox_name(name, i);
    snprintf(sub, sizeof sub, "SUB _INBOX.%s.* 1\r\n", name);
    mgb_conn_open(&p->conn, t, sub);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = p};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, p->conn.fd, &ev) != 0)
        mgb_die("epoll_ctl: %s", strerror(errno));
}

void mgb_conns_row(const struct mgb_row *row, const struct mgb_target *t) {
    // A TLS connection costs this side memory and milliseconds, so a tenth of them has to do.
    size_t n = row->tls ? t->conns / 10 : t->conns;
    mgb_allow_descriptors(n + 64);
    struct idler *idlers = calloc(n, sizeof *idlers);
    if (idlers == NULL)
        mgb_die("out of memory");
    int epoll = new_epoll();
    settle(epoll, MGB_SECOND);
    double before = mgb_status_kb(t->pid, "VmRSS");
    for (size_t i = 0; i < n; i++)
        open_idler(&idlers[i], epoll, t, i);
    settle(epoll, 4 * MGB_SECOND);
    double after = mgb_status_kb(t->pid, "VmRSS");
    mgb_print(row, "conns", (double)n);
    mgb_print(row, "bytes_per_conn", (after - before) * 1024 / (double)n);
    mgb_print(row, "rss_kb", after);
    mgb_print(row, "peak_kb", mgb_status_kb(t->pid, "VmHWM"));
    for (size_t i = 0; i < n; i++)
        mgb_conn_close(&idlers[i].conn);
    close(epoll);
    free(idlers);
}

void mgb_handshake_row(const struct mgb_row *row, const struct mgb_target *t) {
    struct mgb_mark a, b;
    uint64_t span = (uint64_t)(t->seconds * 1e9), count = 0;
    mgb_mark_now(&a, t->pid);
    do {
        struct mgb_conn c;
        mgb_conn_open(&c, t, "");
        mgb_conn_close(&c);
        count++;
        mgb_mark_now(&b, t->pid);
    } while (b.wall < a.wall + span);
    mgb_print_load(row, "conns", count, &a, &b, t->pid);
}
