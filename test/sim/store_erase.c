// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Is anything left of erased messages? From the moment that a removal with `erase` was answered, or was found done
// after a crash, its message has to be gone from the disk within ERASURES_WITHIN of one life: from all files, as
// they are on the device, whatever they are for. Each eight bytes of a payload say whose they are, and so do
// headers.
//
// The same goes for blocks that files have left behind: once the removal is known, a file with such bytes must be
// overwritten before it is deleted or cut. When that becomes durable says nothing: what was deleted before stays
// deleted.
//
// Not in a life that began with a damaged slot of the manifest: what may be of a newer one stays until the next start.
#include <string.h>

#include "server/base/mem.h"
#include "test/sim/store_driver.h"

#define DELETION UINT64_C(20000000) // ns; one that had begun before is under way no longer

struct erasures {
    struct erased {
        uint64_t known;   // 0: this message was not erased
        uint64_t since;   // the same, or when the store was opened last
        uint32_t payload;
    } *of; // by uid
    uint64_t cap, count;
};

static void freed(void *arg, uint64_t when, const uint8_t *p, uint64_t n);

struct erasures *erasures_new(struct world *w) {
    sim_disk_watch(w->disk, freed, w);
    return mg_zalloc(sizeof(struct erasures));
}

void erasures_free(struct world *w) {
    if (w->erasures == NULL) return;
    sim_disk_watch(w->disk, NULL, NULL);
    mg_free(w->erasures->of);
    mg_free(w->erasures);
    w->erasures = NULL;
}

void erasures_opened(struct world *w) {
    for (uint64_t i = 0; i < w->erasures->cap; i++) {
        if (w->erasures->of[i].known) w->erasures->of[i].since = sim_now(w->sim) + 1;
    }
}

void erasures_add(struct world *w, const struct model_msg *g) {
    struct erasures *x = w->erasures;
    if (g->uid >= x->cap) {
        uint64_t cap = g->uid * 2;
        x->of = mg_realloc(x->of, cap * sizeof(x->of[0]));
        memset(x->of + x->cap, 0, (cap - x->cap) * sizeof(x->of[0]));
        x->cap = cap;
    }
    if (x->of[g->uid].known) return;
    uint64_t now = sim_now(w->sim) + 1;
    x->of[g->uid] = (struct erased){.known = now, .since = now, .payload = g->payload};
    x->count++;
}

// Was this message erased, and was that known (ever), or known in this life, by this time?
static bool is_erased(const struct world *w, uint64_t uid, uint64_t by, bool ever) {
    const struct erasures *x = w->erasures;
    if (uid >= x->cap || x->of[uid].known == 0) return false;
    return (ever ? x->of[uid].known : x->of[uid].since) <= by;
}

// The first erased message of which there is something in these bytes; 0: none.
static uint64_t left_in(const struct world *w, const uint8_t *p, uint64_t n, uint64_t by, bool ever) {
    for (uint64_t i = 0; i + 8 <= n; i++) {
        uint64_t word, uid = 0;
        uint32_t at;
        memcpy(&word, p + i, sizeof(word));
        if (word == 0) continue;
        if (p[i] == 'U' && p[i + 1] == ':' && p[i + 2] == ' ') {
            uint64_t k = i + 3;
            for (; k < n && p[k] >= '0' && p[k] <= '9' && k < i + 15; k++) uid = uid * 10 + (p[k] - '0');
            if (k < n && p[k] == '\r' && is_erased(w, uid, by, ever)) return uid;
        }
        uid = model_payload_of(p + i, &at);
        if (is_erased(w, uid, by, ever) && at + 8 <= w->erasures->of[uid].payload) return uid;
    }
    return 0;
}

static void look(void *arg, const char *name, const uint8_t *p, uint64_t n) {
    const struct world *w = arg;
    if (w->files_left && strncmp(name, "segments/", 9) == 0) return;
    uint64_t uid = left_in(w, p, n, sim_now(w->sim) - ERASURES_WITHIN, false);
    sim_check(uid == 0, "message %llu was erased, and %s still has bytes of it", (unsigned long long)uid, name);
}

void erasures_check(struct world *w) {
    if (!w->damaged && w->erasures->count) sim_disk_each(w->disk, look, w);
}

static void freed(void *arg, uint64_t when, const uint8_t *p, uint64_t n) {
    const struct world *w = arg;
    uint64_t uid = w->damaged || w->erasures->count == 0 ? 0 : left_in(w, p, n, when - DELETION, true);
    sim_check(uid == 0, "message %llu was erased, and blocks with bytes of it were given back",
              (unsigned long long)uid);
}
