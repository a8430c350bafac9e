// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the files of the services framework share.
#ifndef MGC_HOST_SERVICE_H
#define MGC_HOST_SERVICE_H

#include "client/host/op.h"

#define MGC_SERVICE_MONITORS 9 // PING, INFO, STATS; each for all, by name, by name and id

struct midge_endpoint {
    midge_endpoint *next; // in the order they were added
    midge_service *service;
    midge_endpoint_config config; // with own texts; subject is whole
    midge_str queue;              // MIDGE_NONE: no group
    int32_t sub;
    uint64_t requests, errors;
    int64_t processing_time;
    char last_error[256];
    size_t last_error_n;
};

struct mgc_service_stop;

struct midge_service {
    midge *m;
    mgc_arena arena; // of texts and endpoints
    midge_service_config config;
    char id[23];
    int64_t started;
    midge_endpoint *endpoints, **last;
    int32_t monitors[MGC_SERVICE_MONITORS];
    struct mgc_service_stop *stop; // while it drains
};

// Subscribes to the discovery subjects.
int mgc_service_monitor(midge_service *s);
void mgc_service_unmonitor(midge_service *s);
midge_str mgc_service_subject(mgc_arena *a, enum midge_service_verb verb, midge_str name, midge_str id);
extern const char *const mgc_service_types[]; // by verb

bool mgc_semver_ok(midge_str version);
const midge_pair *mgc_pairs_dup(mgc_arena *a, const midge_pair *pairs, size_t len);

#endif
