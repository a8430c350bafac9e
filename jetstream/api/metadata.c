// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/api/metadata.h"

#include <stdio.h>

#include "jetstream/api/limits.h"

#define REQUIRED MG_S("_nats.req.level")
#define VERSION MG_S("_nats.ver")
#define LEVEL MG_S("_nats.level")

static void set_int(struct mg_map *m, mg_slice key, int v) {
    char text[16];
    snprintf(text, sizeof text, "%d", v);
    mg_map_set(m, key, mg_cstr(text));
}

static void remove_answers(struct mg_map *m) {
    mg_map_remove(m, VERSION);
    mg_map_remove(m, LEVEL);
}

void mg_js_metadata_stamp(struct mg_map *m, int level) {
    remove_answers(m);
    set_int(m, REQUIRED, level);
}

bool mg_js_metadata_usual(const struct mg_map *m) {
    return m->n == 1 && mg_slice_eq(m->v[0].key, REQUIRED) && mg_slice_eq(m->v[0].value, MG_S("0"));
}

void mg_js_metadata_sign(struct mg_map *m, const char *version) {
    mg_map_set(m, VERSION, mg_cstr(version));
    set_int(m, LEVEL, MG_JS_API_LEVEL);
}

void mg_js_metadata_adopt(struct mg_map *m, const struct mg_map *stored) {
    remove_answers(m);
    mg_slice level = mg_map_get(stored, REQUIRED);
    if (level.n > 0) mg_map_set(m, REQUIRED, level);
    else mg_map_remove(m, REQUIRED);
}
