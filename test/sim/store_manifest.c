// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// One slot of the manifest that cannot be read at one start, and can at the next one if nobody has written it.
// Whichever slot it is, and whatever the store was doing when it ended: nothing is missing, nothing is reported but the
// slot.
#include <stdio.h>
#include <string.h>

#include "jetstream/store/manifest.h"
#include "server/base/mem.h"
#include "test/sim/store_driver.h"

static bool is_valid(struct world *w, const char *name) {
    uint64_t size;
    struct mg_manifest m = {0};
    const uint8_t *p = sim_disk_peek(w->disk, name, &size);
    bool valid = p && mg_manifest_decode(&m, p, size) == 0;
    mg_manifest_fini(&m);
    return valid;
}

// Both must be good ones (a crash may have torn the one that was written), and durable.
void manifest_spoil(struct world *w) {
    struct sim *s = w->sim;
    struct slot_wound *x = &w->wound;
    static const char *const words[] = {"flipped", "unreadable", "neither readable nor writable"};
    if (!is_valid(w, "manifest-0") || !is_valid(w, "manifest-1")) return;
    snprintf(x->name, sizeof(x->name), "manifest-%u", (unsigned)sim_below(s, 2));
    const uint8_t *p = sim_disk_peek(w->disk, x->name, &x->size);
    x->how = (unsigned char)sim_below(s, 3);
    x->at = sim_below(s, 64); // of the head
    if (x->how == SLOT_FLIPPED) sim_disk_flip(w->disk, x->name, x->at, 3);
    else if (x->how == SLOT_UNREADABLE) sim_disk_bad_sector(w->disk, x->name, x->at);
    else sim_disk_stuck(w->disk, x->name, w->faulty = true); // a start may refuse
    x->bytes = mg_alloc(x->size);
    memcpy(x->bytes, p, x->size);
    sim_trace("%s is spoiled: %s", x->name, words[x->how]);
}

void manifest_heal(struct world *w) {
    struct slot_wound *x = &w->wound;
    uint64_t size;
    if (x->bytes == NULL) return;
    const uint8_t *p = sim_disk_peek(w->disk, x->name, &size);
    bool as_it_was = p && size == x->size && memcmp(p, x->bytes, size) == 0;
    sim_trace("%s %s", x->name, as_it_was ? "is as it was" : "was written");
    if (x->how == SLOT_UNREADABLE) sim_disk_good_sector(w->disk, x->name, x->at);
    if (x->how == SLOT_FLIPPED && as_it_was) sim_disk_flip(w->disk, x->name, x->at, 3);
    if (x->how == SLOT_STUCK) sim_disk_stuck(w->disk, x->name, w->faulty = false);
    mg_free(x->bytes);
    x->bytes = NULL;
}
