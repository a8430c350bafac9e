// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The result of a health check, as monitoring plugins give it: sentences that are fine, warn or are critical, and
// measurements with thresholds. The formats are those of natscli (spec/monitoring-and-tools.md C3, server check).
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include "client/cli/cli.h"

// Exit status of checks; with --format prometheus always 0.
enum cli_check_level { CLI_CHECK_OK, CLI_CHECK_WARNING, CLI_CHECK_CRITICAL, CLI_CHECK_UNKNOWN };

#define CLI_CHECK_MAX 32 // sentences, and measurements

typedef struct cli_measure {
    const char *name, *help;
    uint64_t ns, warn, critical; // durations; 0: no threshold
} cli_measure;

typedef struct cli_check {
    const char *suite, *name; // "connections", "Connection"
    struct {
        enum cli_check_level level;
        const char *text;
    } says[CLI_CHECK_MAX];
    size_t says_len;
    cli_measure measures[CLI_CHECK_MAX];
    size_t measures_len;
} cli_check;

void cli_check_say(cli *app, cli_check *c, enum cli_check_level level, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// Adds a measurement, and says `exceeded` if it is at or over a threshold, else `fine`.
void cli_check_measure(cli *app, cli_check *c, const cli_measure *m, const char *exceeded, const char *fine);

// The worst of what was said.
enum cli_check_level cli_check_level(const cli_check *c);

// Writes the check in a format: nagios, json, prometheus, text.
void cli_check_write(const cli_check *c, const char *format, const char *namespace, FILE *out);

// Writes as --format, --namespace and --outfile say; returns the exit status.
int cli_check_finish(cli *app, const cli_check *c);

#endif
