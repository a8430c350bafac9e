// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Whole files: between two lives one is away, is cut short, or has changed places with another of its kind, and some
// lives later it is as it was. Of segments, single copies of tables, tables of subjects and extents all that the store
// cannot do without is left, so it has to start and each message is judged as in `decay` (check_decayed): it is read,
// or an error and counted; what was removed is not back. When all files are back, everything can be read again: nothing
// was given up meanwhile but by a limit. Only what was in extents may be lost by then. Of the journal what is missing
// is missing; it has to be told, and a start that is refused has changed nothing.
#include <stdio.h>
#include <string.h>

#include "server/base/mem.h"
#include "test/sim/store_driver.h"

#define HARMED_MAX 12u

struct files {
    struct harmed {
        char name[MG_DISK_NAME_MAX + 1];
        uint8_t *was, *is; // owned; is: NULL: away
        uint64_t was_len, is_len;
    } all[HARMED_MAX];
    unsigned len;
    bool away;  // segments are away, nothing else
    bool lossy; // extents were among them: a checkpoint in between makes their loss final
};

struct files *files_new(bool away) {
    struct files *x = mg_zalloc(sizeof(*x));
    x->away = away;
    return x;
}

static void forget(struct files *x, unsigned i) {
    mg_free(x->all[i].was);
    mg_free(x->all[i].is);
    x->all[i] = x->all[--x->len];
}

void files_free(struct world *w) {
    while (w->files && w->files->len) forget(w->files, 0);
    mg_free(w->files);
    w->files = NULL;
}

static bool starts(const char *name, const char *with) { return strncmp(name, with, strlen(with)) == 0; }

// Without what comes behind the last dot: of two copies of a table it is the same.
static size_t stem(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot ? (size_t)(dot - name) : strlen(name);
}

// It or its other copy.
static bool is_harmed(const struct files *x, const char *name) {
    for (unsigned i = 0; i < x->len; i++) {
        if (stem(x->all[i].name) == stem(name) && strncmp(x->all[i].name, name, stem(name)) == 0) return true;
    }
    return false;
}

// Of the same kind as `like`, if that is not NULL; else of any kind but the journal.
static bool pick(struct world *w, const char *folder, const char *like, char name[MG_DISK_NAME_MAX + 1]) {
    for (unsigned i = 0; i < 100 && sim_disk_some_file(w->disk, name); i++) {
        if (!starts(name, folder) || is_harmed(w->files, name)) continue;
        if (like == NULL || strcmp(name + stem(name), like + stem(like)) == 0) return true;
    }
    return false;
}

static uint8_t *copy(struct world *w, const char *name, uint64_t *n) {
    const uint8_t *p = sim_disk_peek(w->disk, name, n);
    uint8_t *own = mg_alloc(*n + 1);
    memcpy(own, p, *n);
    return own;
}

static struct harmed *harm(struct world *w, const char *name) {
    struct harmed *h = &w->files->all[w->files->len++];
    *h = (struct harmed){0};
    snprintf(h->name, sizeof(h->name), "%s", name);
    h->was = copy(w, name, &h->was_len);
    w->files->lossy |= starts(name, "extents/");
    return h;
}

static void replace(struct world *w, struct harmed *h, const uint8_t *p, uint64_t n) {
    h->is = mg_alloc(n + 1);
    h->is_len = n;
    memcpy(h->is, p, n);
    sim_disk_take(w->disk, h->name);
    sim_disk_set(w->disk, h->name, h->is, n);
}

static void harm_one(struct world *w, const char *folder) {
    char name[MG_DISK_NAME_MAX + 1], other[MG_DISK_NAME_MAX + 1];
    if (w->files->len + 2 > HARMED_MAX || !pick(w, folder, NULL, name)) return;
    struct harmed *h = harm(w, name);
    unsigned how = w->files->away ? 0 : (unsigned)sim_below(w->sim, 4);
    if (how == 2 && pick(w, folder, name, other)) {
        struct harmed *o = harm(w, other);
        sim_trace("%s and %s change places", name, other);
        replace(w, h, o->was, o->was_len);
        replace(w, o, h->was, h->was_len);
    } else if (how == 3) {
        uint64_t n = sim_below(w->sim, h->was_len);
        sim_trace("%s is cut to %llu of %llu bytes", name, (unsigned long long)n, (unsigned long long)h->was_len);
        replace(w, h, h->was, n);
    } else {
        sim_trace("%s is away", name);
        sim_disk_take(w->disk, name);
    }
}

void files_harm(struct world *w) {
    static const char *const folders[] = {"segments/", "segments/", "tables/", "tables/", "extents/"};
    const uint64_t kinds = w->files->away ? 2 : 5;
    for (uint64_t n = 1 + sim_below(w->sim, 3); n > 0; n--) harm_one(w, folders[sim_below(w->sim, kinds)]);
    w->whole = w->files->len == 0 && !w->files->lossy;
}

void files_harm_journal(struct world *w) {
    for (uint64_t n = 1 + sim_below(w->sim, 3); n > 0; n--) harm_one(w, "journal/");
}

static void heal(struct world *w, const struct harmed *h) {
    uint64_t n;
    const uint8_t *p = sim_disk_peek(w->disk, h->name, &n);
    bool ring = starts(h->name, "journal/"); // a file of it that is away is made anew
    bool anew = starts(h->name, "extents/"); // so is one of these of which no record needs anything
    sim_check(h->is || p == NULL || ring || anew, "%s was away, and its name was given again", h->name);
    bool as_left = h->is ? p && n == h->is_len && memcmp(p, h->is, n) == 0 : p == NULL || ring;
    sim_trace("%s %s", h->name, as_left ? "is back" : "was replaced");
    if (!as_left) return;
    sim_disk_take(w->disk, h->name);
    sim_disk_set(w->disk, h->name, h->was, h->was_len);
}

void files_heal(struct world *w, bool all) {
    struct files *x = w->files;
    for (unsigned i = x->len; i-- > 0;) {
        if (!all && sim_chance(w->sim, 128)) continue;
        heal(w, &x->all[i]);
        forget(x, i);
    }
    w->whole = x->len == 0 && !x->lossy;
}

static void add(void *arg, const char *name, const uint8_t *p, uint64_t n) {
    uint64_t *sum = arg, one = UINT64_C(0xcbf29ce484222325);
    for (const char *c = name; *c; c++) one = (one ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    for (uint64_t i = 0; i < n; i++) one = (one ^ p[i]) * UINT64_C(0x100000001b3);
    *sum += one; // in whatever order
}

uint64_t files_digest(struct world *w) {
    uint64_t sum = 0;
    sim_disk_each(w->disk, add, &sum);
    return sum;
}
