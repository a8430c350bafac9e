// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The command line of the simulator's programs and how they fail: with what happened, the seed and the command that
// replays it. A failed assertion and a sanitizer's report end the same way.
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/base/planted.h"
#include "test/sim/sim_impl.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_SANITIZER 1
#endif
#endif
#ifdef HAVE_SANITIZER
#include <sanitizer/common_interface_defs.h>
#endif

#define PATIENCE 300 // seconds: a seed that takes longer spins within one step

// Of the program that runs: read by handlers of the end of the process, which get no argument.
static struct {
    char again[256]; // the command, up to the seed
    uint64_t seed;
    bool trace;
    int bug;
} program;

#ifdef MG_PLANTED_BUGS
bool mg_planted_on(int bug) { return program.bug == bug; }
#endif

static void say_seed(void) {
    char line[320];
    int n = snprintf(line, sizeof(line), "sim: FAILED, seed %llu; again: %s --seed %llu\n",
                     (unsigned long long)program.seed, program.again, (unsigned long long)program.seed);
    if (write(STDERR_FILENO, line, (size_t)n) < 0) _exit(1);
}

static void on_abort(int sig) {
    (void)sig;
    say_seed();
    _exit(1);
}

void sim_fail(const char *fmt, ...) {
    struct sim *s = sim_current();
    fflush(stdout);
    fprintf(stderr, "sim: at %.6f s, %s: ", (double)s->now / 1e9, s->running ? s->running->name : "outside");
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    say_seed();
    _exit(1);
}

void sim_trace(const char *fmt, ...) {
    if (!program.trace) return;
    struct sim *s = sim_current();
    fprintf(stderr, "%12.6f %-8s ", (double)s->now / 1e9, s->running ? s->running->name : "-");
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

static void remember(const char *word) {
    size_t n = strlen(program.again);
    snprintf(program.again + n, sizeof(program.again) - n, "%s%s", n ? " " : "", word);
}

static _Noreturn void usage(const char *name) {
    fprintf(stderr, "usage: %s [--seed N | --seeds A-B] [--shards N] [--seconds S] [--workload NAME] [--trace]%s\n",
            name,
#ifdef MG_PLANTED_BUGS
            " [--bug NAME] [--list-bugs PART]"
#else
            ""
#endif
    );
    exit(2);
}

#ifdef MG_PLANTED_BUGS
static const struct {
    const char *name, *where, *text;
} bugs[] = {
#define X(name, where, text) {#name, #where, text},
    MG_PLANTED_LIST(X)
#undef X
};
#define NBUGS (sizeof(bugs) / sizeof(bugs[0]))

static bool set_bug(const char *name) {
    for (size_t i = 0; i < NBUGS; i++)
        if (strcmp(bugs[i].name, name) == 0) program.bug = (int)i + 1;
    return program.bug != 0;
}

static bool list_bugs(const char *where) {
    for (size_t i = 0; i < NBUGS; i++)
        if (strcmp(bugs[i].where, where) == 0) printf("%s: %s\n", bugs[i].name, bugs[i].text);
    return true;
}
#else
static bool set_bug(const char *name) { return name[0] == 0; }
static bool list_bugs(const char *where) { return where[0] == 0; }
#endif

static void parse(int argc, char **argv, struct sim_args *args) {
    remember(argv[0]);
    for (int i = 1; i < argc; i++) {
        const char *opt = argv[i];
        if (strcmp(opt, "--trace") == 0) {
            program.trace = true;
            continue;
        }
        if (i + 1 == argc) usage(argv[0]);
        char *value = argv[++i], *end = value;
        if (strcmp(opt, "--list-bugs") == 0 && list_bugs(value)) exit(0);
        if (strcmp(opt, "--seed") == 0) {
            args->first = args->last = strtoull(value, &end, 10);
        } else if (strcmp(opt, "--seeds") == 0) {
            args->first = strtoull(value, &end, 10);
            if (*end != '-') usage(argv[0]);
            args->last = strtoull(end + 1, &end, 10);
        } else if (strcmp(opt, "--seconds") == 0) {
            args->seconds = strtod(value, &end);
        } else {
            if (strcmp(opt, "--shards") == 0) args->shards = (unsigned)strtoul(value, &end, 10);
            else if (strcmp(opt, "--workload") == 0) args->workload = value, end += strlen(value);
            else if (strcmp(opt, "--bug") == 0 && set_bug(value)) end += strlen(value);
            else usage(argv[0]);
            remember(opt);
            remember(value);
        }
        if (*end || end == value) usage(argv[0]);
    }
}

static double seconds(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int sim_main(int argc, char **argv, uint64_t seeds, void (*run)(uint64_t seed, const struct sim_args *args)) {
    struct sim_args args = {.first = 1, .last = seeds};
    parse(argc, argv, &args);
    signal(SIGABRT, on_abort);
    signal(SIGALRM, on_abort);
#ifdef HAVE_SANITIZER
    __sanitizer_set_death_callback(say_seed);
#else
    signal(SIGSEGV, on_abort);
#endif
    double began = seconds();
    uint64_t n = 0;
    for (uint64_t seed = args.first; seed <= args.last; seed++, n++) {
        if (args.seconds > 0 && seconds() - began > args.seconds) break;
        program.seed = seed;
        alarm(PATIENCE);
        run(seed, &args);
    }
    printf("%llu seeds passed", (unsigned long long)n);
    if (n) printf(": %llu to %llu", (unsigned long long)args.first, (unsigned long long)(args.first + n - 1));
    putchar('\n');
    return 0;
}
