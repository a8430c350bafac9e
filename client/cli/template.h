// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Payload templates: the part of Go's templates that natscli's help names (spec/monitoring-and-tools.md C3). Text
// outside of {{ }} stays as it is; inside stands one of
//
//      Count .Count Cnt .Cnt   TimeStamp .TimeStamp   Unix .Unix   UnixNano .UnixNano   Time .Time
//      ID .ID   Random MIN MAX   .Request Request   Subject   Stream
//
// with blanks around it, and "{{-" and "-}}" which take the blanks before and after away.
#ifndef CLI_TEMPLATE_H
#define CLI_TEMPLATE_H

#include <stdint.h>

#include "client/core/midge.h"

typedef struct cli_template {
    uint64_t count;
    midge_str request;           // .Request
    const char *subject, *stream; // Subject, Stream: only known when not NULL
    uint64_t random;             // state of the generator, any value
    int64_t unix_ns;             // now
    bool counts;                 // Count and the other payload names are known
} cli_template;

// The text with its templates filled in, of malloc, *len bytes (terminated besides). NULL: err says what is wrong.
char *cli_template_fill(cli_template *t, midge_str text, size_t *len, char *err, size_t err_size);

// The next of a series of pseudo-random numbers.
uint64_t cli_random(uint64_t *state);

#endif
