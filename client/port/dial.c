// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// getaddrinfo blocks for as long as name servers like, and cannot be stopped. So a thread does it, and as it is there
// already it also races the addresses (RFC 8305, "happy eyeballs"): families take turns, the next address starts when
// one has failed or STAGGER_MS have passed, the first that is connected wins and the others are closed.
//
// The job is shared by the caller and the thread: two references, the last one frees it. The thread writes the result
// first and then sets `done`; the caller reads the result only after it has seen `done`. A cancelled job runs on until
// it notices, in a name look-up possibly long after the connection is gone; it touches nothing but itself.
#include "client/port/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/port/sys.h"

enum { ADDRESSES_MAX = 16, STAGGER_MS = 250, CANCEL_CHECK_MS = 100 };

struct mgc_dial {
    atomic_int refs;
    atomic_bool done, cancelled;
    int wake_fd;
    uint32_t timeout_ms;
    int fd; // the result, -1: failed
    char reason[160];
    char port[8];
    char host[]; // terminated
};

struct race {
    struct addrinfo *address[ADDRESSES_MAX];
    struct pollfd attempt[ADDRESSES_MAX]; // fd -1: ended
    nfds_t addresses, started, open;
    int error; // errno of the last failure
};

static void dial_unref(struct mgc_dial *d) {
    if (atomic_fetch_sub(&d->refs, 1) > 1) return;
    if (d->fd >= 0) close(d->fd);
    close(d->wake_fd);
    free(d);
}

// ---- the race -------------------------------------------------------------------------------------------------------

// Puts the list in order: families take turns, the first one's first (RFC 8305 section 4).
static void race_order(struct race *r, struct addrinfo *list) {
    struct addrinfo *same = list, *other = list;
    int family = list->ai_family;
    while (r->addresses < ADDRESSES_MAX && (same != NULL || other != NULL)) {
        while (same != NULL && same->ai_family != family) {
            same = same->ai_next;
        }
        if (same != NULL) {
            r->address[r->addresses++] = same;
            same = same->ai_next;
        }
        while (other != NULL && other->ai_family == family) {
            other = other->ai_next;
        }
        if (other != NULL && r->addresses < ADDRESSES_MAX) {
            r->address[r->addresses++] = other;
            other = other->ai_next;
        }
    }
}

// Begins with one more address. True if it is connected already.
static bool race_start_next(struct race *r) {
    const struct addrinfo *a = r->address[r->started];
    struct pollfd *p = &r->attempt[r->started++];
    p->events = POLLOUT;
    p->fd = mgc_socket(a->ai_family);
    if (p->fd < 0) {
        r->error = errno;
        return false;
    }
    if (connect(p->fd, a->ai_addr, a->ai_addrlen) == 0) return true;
    if (errno == EINPROGRESS || errno == EINTR) {
        r->open++;
        return false;
    }
    r->error = errno;
    close(p->fd);
    p->fd = -1;
    return false;
}

// The index of an attempt that is connected, or -1; ends those that failed.
static int race_look(struct race *r) {
    for (nfds_t i = 0; i < r->started; i++) {
        struct pollfd *p = &r->attempt[i];
        if (p->fd < 0 || p->revents == 0) continue;
        int error = 0;
        socklen_t size = sizeof error;
        if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
        if (error == 0) return (int)i;
        r->error = error;
        close(p->fd);
        p->fd = -1;
        r->open--;
    }
    return -1;
}

static int race_take(struct race *r, int winner) {
    int fd = r->attempt[winner].fd;
    r->attempt[winner].fd = -1;
    return fd;
}

// The connected socket or -1.
static int race_run(struct race *r, const struct mgc_dial *d) {
    uint32_t began = mgc_now_ms(), next = 0;
    for (;;) {
        uint32_t spent = mgc_now_ms() - began;
        if (atomic_load(&d->cancelled)) return -1;
        if (r->started < r->addresses && (r->open == 0 || spent >= next)) {
            next = spent + STAGGER_MS;
            if (race_start_next(r)) return race_take(r, (int)r->started - 1);
            continue;
        }
        if (r->open == 0) return -1;
        if (spent >= d->timeout_ms) {
            r->error = ETIMEDOUT;
            return -1;
        }
        uint32_t wait = d->timeout_ms - spent < CANCEL_CHECK_MS ? d->timeout_ms - spent : CANCEL_CHECK_MS;
        if (r->started < r->addresses && next - spent < wait) wait = next - spent;
        if (poll(r->attempt, r->started, (int)wait) > 0) {
            int winner = race_look(r);
            if (winner >= 0) return race_take(r, winner);
        }
    }
}

// ---- the thread -----------------------------------------------------------------------------------------------------

static void explain_lookup(struct mgc_dial *d, int code) {
    switch (code) {
    case EAI_NONAME:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
        snprintf(d->reason, sizeof d->reason, "no such host; check the spelling of its name");
        break;
    case EAI_AGAIN:
        snprintf(d->reason, sizeof d->reason, "the name server does not answer; check the network or use an address");
        break;
    case EAI_SYSTEM: mgc_errno_text(errno, d->reason, sizeof d->reason); break;
    default: snprintf(d->reason, sizeof d->reason, "%s", gai_strerror(code)); break;
    }
}

static void explain_race(struct mgc_dial *d, int error) {
    if (error == ETIMEDOUT) {
        snprintf(d->reason, sizeof d->reason,
                 "no answer within %u ms; check the address, is a firewall between?", d->timeout_ms);
    } else {
        mgc_errno_text(error, d->reason, sizeof d->reason);
    }
}

static void dial_work(struct mgc_dial *d) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list = NULL;
    int code = getaddrinfo(d->host, d->port, &hints, &list);
    if (code != 0) {
        explain_lookup(d, code);
        return;
    }
    struct race r = {.error = EADDRNOTAVAIL};
    race_order(&r, list);
    d->fd = race_run(&r, d);
    if (d->fd < 0) explain_race(d, r.error);
    for (nfds_t i = 0; i < r.started; i++) {
        if (r.attempt[i].fd >= 0) close(r.attempt[i].fd);
    }
    freeaddrinfo(list);
}

static void *dial_thread(void *arg) {
    struct mgc_dial *d = arg;
    dial_work(d);
    atomic_store(&d->done, true);
    mgc_wake(d->wake_fd);
    dial_unref(d);
    return NULL;
}

// Signals are for the program's own threads.
static int start_thread(struct mgc_dial *d) {
    sigset_t all, old;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(&thread, NULL, dial_thread, d);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error == 0) pthread_detach(thread);
    return error;
}

// ---- the caller's side ----------------------------------------------------------------------------------------------

struct mgc_dial *mgc_dial_start(const char *host, uint16_t port, uint32_t timeout_ms, int wake_fd) {
    size_t n = strlen(host) + 1;
    struct mgc_dial *d = calloc(1, sizeof *d + n);
    if (d == NULL) return NULL;
    atomic_init(&d->refs, 2);
    d->fd = -1;
    d->timeout_ms = timeout_ms;
    snprintf(d->port, sizeof d->port, "%u", port);
    memcpy(d->host, host, n);
    d->wake_fd = fcntl(wake_fd, F_DUPFD_CLOEXEC, 0);
    if (d->wake_fd < 0 || start_thread(d) != 0) {
        if (d->wake_fd >= 0) close(d->wake_fd);
        free(d);
        return NULL;
    }
    return d;
}

enum mgc_dial_state mgc_dial_take(struct mgc_dial *d, int *fd, char *reason, size_t size) {
    if (!atomic_load(&d->done)) return MGC_DIAL_RUNNING;
    enum mgc_dial_state state = d->fd >= 0 ? MGC_DIAL_CONNECTED : MGC_DIAL_FAILED;
    *fd = d->fd;
    d->fd = -1;
    if (state == MGC_DIAL_FAILED) snprintf(reason, size, "%s", d->reason);
    dial_unref(d);
    return state;
}

void mgc_dial_cancel(struct mgc_dial *d) {
    if (d == NULL) return;
    atomic_store(&d->cancelled, true);
    dial_unref(d);
}
