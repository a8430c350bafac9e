// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The signal handler notes the addresses only; addr2line says what they are when all is over.
#include "test/bench/store/watch.h"

#include <execinfo.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "server/base/assert.h"
#include "server/base/mem.h"

#define DEPTH 24
#define KEPT 16u

struct sample {
    uint64_t ns;
    int depth;
    void *at[DEPTH];
};

struct watch {
    timer_t timer;
    uint64_t limit, began;
    struct sample now;
    struct sample kept[KEPT]; // the longest turns
};

static uint64_t cpu_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void look(int sig, siginfo_t *info, void *context) {
    struct watch *w = info->si_value.sival_ptr;
    (void)sig, (void)context;
    if (w->began == 0 || w->now.depth || cpu_now() - w->began < w->limit) return;
    w->now.depth = backtrace(w->now.at, DEPTH);
}

static void set_timer(struct watch *w, uint64_t ns) {
    struct itimerspec t = {.it_value.tv_nsec = (long)ns, .it_interval.tv_nsec = (long)ns};
    timer_settime(w->timer, 0, &t, NULL);
}

struct watch *watch_new(uint64_t limit_ns) {
    struct watch *w = mg_zalloc(sizeof(*w));
    struct sigaction act = {.sa_sigaction = look, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2, .sigev_value.sival_ptr = w};
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    w->limit = limit_ns;
    w->now.depth = backtrace(w->now.at, DEPTH); // loads what it needs
    w->now.depth = 0;
    mg_assert(sigaction(SIGUSR2, &act, NULL) == 0);
    mg_assert(timer_create(CLOCK_MONOTONIC, &event, &w->timer) == 0);
    return w;
}

void watch_free(struct watch *w) {
    if (w == NULL) return;
    timer_delete(w->timer);
    signal(SIGUSR2, SIG_IGN); // one that is on its way
    mg_free(w);
}

void watch_begin(struct watch *w) {
    w->now.depth = 0;
    w->began = cpu_now();
    set_timer(w, w->limit);
}

uint64_t watch_end(struct watch *w) {
    uint64_t ns = cpu_now() - w->began;
    set_timer(w, 0);
    w->began = 0;
    w->now.ns = ns;
    if (w->now.depth == 0) return ns;
    struct sample *least = &w->kept[0];
    for (unsigned i = 1; i < KEPT; i++) {
        if (w->kept[i].ns < least->ns) least = &w->kept[i];
    }
    if (least->ns < ns) *least = w->now;
    return ns;
}

static int longest_first(const void *a, const void *b) {
    const struct sample *x = a, *y = b;
    return (x->ns < y->ns) - (x->ns > y->ns);
}

static int base_of(struct dl_phdr_info *info, size_t size, void *base) {
    (void)size;
    *(uintptr_t *)base = info->dlpi_addr; // the program comes first
    return 1;
}

void watch_say(const struct watch *w) {
    struct sample sorted[KEPT];
    uintptr_t base = 0;
    memcpy(sorted, w->kept, sizeof(sorted));
    qsort(sorted, KEPT, sizeof(sorted[0]), longest_first);
    dl_iterate_phdr(base_of, &base);
    for (unsigned i = 0; i < KEPT && sorted[i].ns; i++) {
        char command[1024];
        int n = snprintf(command, sizeof(command), "addr2line -sfpi -e /proc/%d/exe", (int)getpid());
        // The first two are the handler and what the system put below it.
        for (int k = 2; k < sorted[i].depth && n < (int)sizeof(command) - 32; k++)
            n += snprintf(command + n, sizeof(command) - (size_t)n, " %#zx", (uintptr_t)sorted[i].at[k] - base);
        snprintf(command + n, sizeof(command) - (size_t)n, " 1>&2");
        fprintf(stderr, "a turn of %.0f us was at\n", (double)sorted[i].ns / 1000);
        if (system(command) != 0) fprintf(stderr, "(no addr2line)\n");
    }
}
