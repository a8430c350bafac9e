// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Signals without handlers: SIGINT, SIGTERM and SIGQUIT are blocked in all threads, and one thread waits for them. It
// sets a mark and wakes the connection. The second one gives the process back to the system, which ends it, so a
// command that hangs can still be stopped; not if it comes at once, as timeout(1) sends one to the process and one to
// its group. SIGUSR1 is how cli_release_signals ends the thread.
#include "client/cli/app.h"

#include <signal.h>
#include <unistd.h>

#define AT_ONCE_NS 300000000u

static void signal_set(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGQUIT);
    sigaddset(set, SIGUSR1);
}

static void *wait_for_signals(void *arg) {
    cli *app = arg;
    sigset_t set;
    uint64_t first = 0;
    signal_set(&set);
    for (int number; sigwait(&set, &number) == 0 && number != SIGUSR1;) {
        if (atomic_fetch_add(&app->signals, 1) == 0) {
            first = cli_mono_ns();
        } else if (cli_mono_ns() - first > AT_ONCE_NS) {
            pthread_sigmask(SIG_UNBLOCK, &set, NULL);
            kill(getpid(), number);
        }
        midge_conn *conn = atomic_load(&app->to_wake);
        if (conn != NULL) midge_wakeup(conn);
    }
    return NULL;
}

void cli_catch_signals(cli *app, midge_conn *conn) {
    sigset_t set;
    signal_set(&set);
    atomic_store(&app->to_wake, conn);
    if (app->waiting) return;
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    app->waiting = pthread_create(&app->waiter, NULL, wait_for_signals, app) == 0;
    if (!app->waiting) pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void cli_release_signals(cli *app) {
    if (!app->waiting) return;
    pthread_kill(app->waiter, SIGUSR1);
    pthread_join(app->waiter, NULL);
    app->waiting = false;
    sigset_t set;
    signal_set(&set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

bool cli_interrupted(const cli *app) { return atomic_load(&app->signals) > 0; }

bool cli_idle(cli *app, midge_conn *conn, uint64_t ns) {
    const uint64_t began = cli_mono_ns();
    for (uint64_t past = 0; past < ns; past = cli_mono_ns() - began) {
        if (cli_interrupted(app)) return false;
        uint64_t ms = (ns - past + 999999) / 1000000;
        if (midge_poll(conn, ms < 60000 ? (uint32_t)ms : 60000) < 0) return false;
    }
    return !cli_interrupted(app);
}
