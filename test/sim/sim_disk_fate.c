// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What is durable on the simulated disk, and what a crash leaves. A file has two images: what programs see, and what is
// on the device. A write goes to the first and into a list of pending ones; a sync moves the list to the second. The
// directory tree likewise has two maps and a list of pending changes.
//
// A power cut decides each pending write anew: kept, dropped, or sector by sector; a torn sector may hold neither the
// old nor the new bytes. A direct write first makes the older ones below it durable, as kernels do; so a pending write
// never covers a newer durable one.
#include <stdio.h>
#include <string.h>

#include "test/sim/sim_disk_impl.h"

// ---- images -------------------------------------------------------------------------------------------------------

void image_resize(struct image *im, uint64_t size) {
    if (size > im->cap) {
        im->cap = size < 2 * im->cap ? 2 * im->cap : size;
        im->p = mg_realloc(im->p, im->cap);
    }
    if (size > im->size) memset(im->p + im->size, 0, size - im->size);
    im->size = size;
}

void image_write(struct image *im, uint64_t at, const void *p, size_t n) {
    if (at + n > im->size) image_resize(im, at + n);
    if (n) memcpy(im->p + at, p, n);
}

static void image_copy(struct image *to, const struct image *from) {
    to->size = 0;
    image_write(to, 0, from->p, from->size);
}

struct node *node_ref(struct node *n) {
    n->refs++;
    return n;
}

static void free_pending(struct node *n) {
    for (struct pending *p = n->pending, *next; p; p = next) {
        next = p->next;
        mg_free(p);
    }
    n->pending = NULL;
}

// What the device keeps of a file behind `at`, for these blocks are free now.
static void give_back(struct node *n, uint64_t at, uint64_t when) {
    const struct sim_disk *sd = n->home;
    if (sd->freed && !n->lost && at < n->disk.size) sd->freed(sd->freed_arg, when, n->disk.p + at, n->disk.size - at);
}

void node_unref(struct node *n) {
    if (--n->refs > 0) return;
    give_back(n, 0, n->unlinked);
    free_pending(n);
    mg_free(n->now.p);
    mg_free(n->disk.p);
    mg_free(n);
}

// ---- maps ---------------------------------------------------------------------------------------------------------

struct entry *entry_find(struct mg_list *map, const char *name) {
    for (struct mg_list *l = map->next; l != map; l = l->next) {
        struct entry *e = mg_container_of(l, struct entry, link);
        if (strcmp(e->name, name) == 0) return e;
    }
    return NULL;
}

static void entry_free(struct entry *e) {
    mg_list_remove(&e->link);
    node_unref(e->node);
    mg_free(e);
}

void entry_remove(struct mg_list *map, const char *name) {
    struct entry *e = entry_find(map, name);
    if (e) entry_free(e);
}

void entry_put(struct mg_list *map, const char *name, struct node *n) {
    node_ref(n);
    entry_remove(map, name);
    struct entry *e = mg_zalloc(sizeof(*e));
    snprintf(e->name, sizeof(e->name), "%s", name);
    e->node = n;
    mg_list_push_back(map, &e->link);
}

void map_free(struct mg_list *map) {
    while (!mg_list_empty(map)) entry_free(mg_container_of(map->next, struct entry, link));
}

static void map_copy(struct mg_list *to, const struct mg_list *from) {
    for (const struct mg_list *l = from->next; l != from; l = l->next) {
        const struct entry *e = mg_container_of(l, struct entry, link);
        entry_put(to, e->name, e->node);
    }
}

bool name_in(const char *dir, const char *name) {
    size_t n = strlen(dir);
    if (n > 0 && (strncmp(name, dir, n) != 0 || name[n] != '/')) return false;
    return strchr(name + (n ? n + 1 : 0), '/') == NULL;
}

void change_add(struct sim_disk *sd, struct node *n, const char *name, const char *gone) {
    struct change *c = mg_zalloc(sizeof(*c));
    c->node = n ? node_ref(n) : NULL;
    snprintf(c->name, sizeof(c->name), "%s", name);
    snprintf(c->gone, sizeof(c->gone), "%s", gone);
    mg_list_push_back(&sd->changes, &c->link);
}

static void change_end(struct sim_disk *sd, struct change *c, bool apply) {
    if (apply && c->gone[0]) entry_remove(&sd->disk, c->gone);
    if (apply && c->node) entry_put(&sd->disk, c->name, c->node);
    if (c->node) node_unref(c->node);
    mg_list_remove(&c->link);
    mg_free(c);
}

void settle_dir(struct sim_disk *sd, const char *dir) {
    for (struct mg_list *l = sd->changes.next, *next; l != &sd->changes; l = next) {
        next = l->next;
        struct change *c = mg_container_of(l, struct change, link);
        if (name_in(dir, c->node ? c->name : c->gone)) change_end(sd, c, true);
    }
}

void settle_all(struct sim_disk *sd) {
    while (!mg_list_empty(&sd->changes)) change_end(sd, mg_container_of(sd->changes.next, struct change, link), true);
}

// ---- writes -------------------------------------------------------------------------------------------------------

struct pending *pend(struct node *n, bool truncate, uint64_t at, const void *bytes, size_t len) {
    struct pending *p = mg_zalloc(sizeof(*p) + len), **end = &n->pending;
    p->truncate = truncate;
    p->at = at;
    p->when = sim_now(n->home->sim);
    p->n = len;
    if (len) memcpy(p->bytes, bytes, len);
    while (*end) end = &(*end)->next;
    *end = p;
    if (truncate) image_resize(&n->now, at);
    else image_write(&n->now, at, bytes, len);
    return p;
}

static void apply(struct node *n, const struct pending *p) {
    if (p->truncate) give_back(n, p->at, p->when);
    if (p->truncate) image_resize(&n->disk, p->at);
    else image_write(&n->disk, p->at, p->bytes, p->n);
}

void settle(struct node *n, uint64_t at, uint64_t end) {
    for (struct pending **pp = &n->pending; *pp;) {
        struct pending *p = *pp;
        bool touches = p->truncate || (p->at < end && p->at + p->n > at);
        if (!touches) {
            pp = &p->next;
            continue;
        }
        if (!p->dropped) apply(n, p);
        *pp = p->next;
        mg_free(p);
    }
}

void drop_pending(struct node *n) {
    for (struct pending *p = n->pending; p; p = p->next) p->dropped = true;
}

// ---- crashes ------------------------------------------------------------------------------------------------------

// Sector by sector: kept, dropped, or neither.
static void tear(struct sim_disk *sd, struct node *n, const struct pending *p) {
    struct sim *s = sd->sim;
    unsigned keep = (unsigned)sim_below(s, 257);
    uint64_t reach = p->at + p->n;
    if (reach > n->disk.size && sim_chance(s, 128)) reach = n->disk.size; // the size did not make it
    for (uint64_t at = p->at; at < reach;) {
        uint64_t end = (at / SIM_SECTOR + 1) * SIM_SECTOR;
        if (end > reach) end = reach;
        if (sim_chance(s, keep)) {
            image_write(&n->disk, at, p->bytes + (at - p->at), end - at);
        } else if (sim_chance(s, sd->faults.garbage)) {
            uint8_t junk[SIM_SECTOR];
            for (size_t i = 0; i < sizeof(junk); i++) junk[i] = (uint8_t)sim_random(s);
            image_write(&n->disk, at, junk, end - at);
        }
        at = end;
    }
    sd->counts.torn++;
}

static void decide_file(struct sim_disk *sd, struct node *n, unsigned mood) {
    for (struct pending *p = n->pending; p; p = p->next) {
        if (p->dropped) continue;
        unsigned fate = mood < 3 ? mood : (unsigned)sim_below(sd->sim, 3);
        if (fate == 0) apply(n, p);
        else if (fate == 1 && p->truncate) apply(n, p);
        else if (fate == 1) tear(sd, n, p);
    }
    free_pending(n);
    image_copy(&n->now, &n->disk);
}

static void for_each_file(struct sim_disk *sd, struct mg_list *map, unsigned mood) {
    for (struct mg_list *l = map->next; l != map; l = l->next)
        decide_file(sd, mg_container_of(l, struct entry, link)->node, mood);
}

// Entries below a directory that was lost are lost.
static void prune(struct mg_list *map) {
    bool again = true;
    while (again) {
        again = false;
        for (struct mg_list *l = map->next, *next; l != map; l = next) {
            next = l->next;
            struct entry *e = mg_container_of(l, struct entry, link);
            char dir[MG_DISK_NAME_MAX + 1];
            snprintf(dir, sizeof(dir), "%s", e->name);
            char *slash = strrchr(dir, '/');
            if (slash == NULL) continue;
            *slash = '\0';
            if (entry_find(map, dir)) continue;
            entry_free(e);
            again = true;
        }
    }
}

// Files whose names were not durable: nobody has deleted them.
static void mark_lost(struct sim_disk *sd) {
    for (struct mg_list *l = sd->now.next; l != &sd->now; l = l->next) {
        struct node *n = mg_container_of(l, struct entry, link)->node;
        n->lost = true;
        for (struct mg_list *k = sd->disk.next; k != &sd->disk && n->lost; k = k->next)
            n->lost = mg_container_of(k, struct entry, link)->node != n;
    }
}

static void cut_power(struct sim_disk *sd) {
    // All kept, all torn, none, or each as it comes.
    unsigned mood = (unsigned)sim_below(sd->sim, 6);
    while (!mg_list_empty(&sd->changes)) {
        struct change *c = mg_container_of(sd->changes.next, struct change, link);
        change_end(sd, c, mood == 0 || (mood != 2 && sim_chance(sd->sim, 128)));
    }
    for_each_file(sd, &sd->disk, mood);
    prune(&sd->disk);
    mark_lost(sd);
    map_free(&sd->now);
    map_copy(&sd->now, &sd->disk);
}

void crash(struct sim_disk *sd, enum sim_crash how) {
    sim_trace("%s", how == SIM_KILL ? "killed" : "power cut");
    if (sd->open) {
        sd->open->dead = true;
        sd->open->locked = false;
        sd->open = NULL;
    }
    sd->crashed = true;
    sd->crash_at = sd->crash_at_unlink = 0;
    if (how == SIM_POWER_CUT) cut_power(sd);
}
