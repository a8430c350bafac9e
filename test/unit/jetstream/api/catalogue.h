// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What tests of configurations play requests against: the streams and consumers that earlier requests made, in the
// order of checks that the reference has (spec/jetstream-streams.md 4, 5; spec/jetstream-consumers.md 2.1).
#ifndef MG_TEST_JETSTREAM_API_CATALOGUE_H
#define MG_TEST_JETSTREAM_API_CATALOGUE_H

#include "jetstream/api/consumer_config.h"

enum { CATALOGUE_ROOM = 64 };

struct catalogue {
    struct mg_js_limits limits;
    struct mg_js_stream_config streams[CATALOGUE_ROOM];
    size_t nstreams;
    struct {
        char name[300];
        mg_slice stream; // borrowed from streams[]
        struct mg_js_consumer_config config;
    } consumers[CATALOGUE_ROOM];
    size_t nconsumers;
};

void catalogue_fini(struct catalogue *c);
// Plays one request; subject without "$JS.API.". The answer, an error or a configuration, is appended to out.
void catalogue_play(struct catalogue *c, mg_slice subject, mg_slice body, struct mg_buf *out);
// Plays a file of test/data/js_api and fails at the first answer that differs. Returns the number of requests.
size_t catalogue_play_file(struct catalogue *c, const char *path);

#endif
