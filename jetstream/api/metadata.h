// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The server's own keys in the metadata of streams and consumers (spec/jetstream-streams.md 16): `_nats.req.level` is
// stored, `_nats.ver` and `_nats.level` stand in answers only. Clients cannot set any of them.
#ifndef MG_JETSTREAM_API_METADATA_H
#define MG_JETSTREAM_API_METADATA_H

#include "jetstream/api/shape.h"

// Puts in the level that the configuration requires; what only answers have is removed.
void mg_js_metadata_stamp(struct mg_map *m, int level);
bool mg_js_metadata_usual(const struct mg_map *m); // nothing but that level, and that is 0
// For answers: adds the version of this server and its level.
void mg_js_metadata_sign(struct mg_map *m, const char *version);
// For comparisons: takes the server's keys of `stored` instead of those in m.
void mg_js_metadata_adopt(struct mg_map *m, const struct mg_map *stored);

#endif
