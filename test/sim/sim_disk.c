// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// disk.h over the simulated disk. A call lets others run, counts, may be the one in which the crash comes, does its
// work, lets others run again (a write or sync is under way for a while), and finds out whether its process still
// lives.
#include "test/sim/sim_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/sim/sim_disk_impl.h"

static int fail(struct mg_disk_why *why, int code, const char *verb, const char *name) {
    if (why) snprintf(why->text, sizeof(why->text), "cannot %s %.100s: %s", verb, name, mg_strerror(code));
    return code;
}

static bool unlucky(struct sim_disk *sd, unsigned chance) {
    return chance > 0 && sim_below(sd->sim, 65536) < chance;
}

static bool failing(struct sim_disk *sd, unsigned chance) {
    if (!unlucky(sd, chance)) return false;
    if (sd->faults.fail_once && sd->failures >= sd->faults.fail_once) return false;
    sd->failures++;
    sd->counts.failed++;
    return true;
}

// Others may run, and time passes.
static void pause(struct sim_disk *sd) {
    struct sim *s = sd->sim;
    if (unlucky(sd, sd->faults.slow)) sim_sleep(s, NULL, s->now + sim_below(s, sd->faults.slow_ns + 1));
    else mg_loop_switch_point();
}

// Begins an operation. *crashes: the crash comes in the middle of it.
static int begin(struct mg_disk *d, bool *crashes) {
    pause(d->sd);
    if (d->dead) return MG_ECLOSED;
    d->sd->counts.operations++;
    *crashes = d->sd->crash_at > 0 && --d->sd->crash_at == 0;
    return 0;
}

// Begins one that has no middle: the crash comes before or after it.
static int begin_simple(struct mg_disk *d, bool *after) {
    int rc = begin(d, after);
    if (rc == 0 && *after && sim_chance(d->sd->sim, 128)) {
        crash(d->sd, d->sd->how);
        return MG_ECLOSED;
    }
    return rc;
}

static int end(struct mg_disk *d, bool crashes) {
    if (crashes && !d->dead) crash(d->sd, d->sd->how);
    if (!d->dead) pause(d->sd);
    return d->dead ? MG_ECLOSED : 0;
}

// ---- the directory ------------------------------------------------------------------------------------------------

static struct sim_disk *disk_at(const char *path) {
    struct mg_list *disks = &sim_current()->disks;
    for (struct mg_list *l = disks->next; l != disks; l = l->next) {
        struct sim_disk *sd = mg_container_of(l, struct sim_disk, link);
        if (strcmp(sd->path, path) == 0) return sd;
    }
    return NULL;
}

int mg_disk_open(struct mg_disk **out, const char *path, const char *who, unsigned flags, struct mg_disk_why *why) {
    struct sim_disk *sd = disk_at(path);
    if (sd == NULL) return fail(why, MG_ENOTFOUND, "open", path);
    bool look_only = flags & MG_DISK_LOOK_ONLY;
    if (!look_only && sd->open) return fail(why, MG_EBUSY, "lock", sd->holder);
    struct mg_disk *d = mg_zalloc(sizeof(*d));
    d->sd = sd;
    d->look_only = look_only;
    sd->handles++;
    if (!look_only) {
        d->locked = true;
        sd->open = d;
        sd->crashed = false;
        snprintf(sd->holder, sizeof(sd->holder), "%s", who);
    }
    *out = d;
    return 0;
}

void mg_disk_close(struct mg_disk *d) {
    if (d == NULL) return;
    if (d->locked) d->sd->open = NULL;
    d->sd->handles--;
    mg_free(d);
}

const char *mg_disk_path(const struct mg_disk *d) { return d->sd->path; }

static bool parent_exists(struct sim_disk *sd, const char *name) {
    const char *slash = strrchr(name, '/');
    char dir[MG_DISK_NAME_MAX + 1];
    if (slash == NULL) return true;
    snprintf(dir, sizeof(dir), "%.*s", (int)(slash - name), name);
    struct entry *e = entry_find(&sd->now, dir);
    return e && e->node->dir;
}

static struct entry *create(struct sim_disk *sd, const char *name, bool dir) {
    struct node *n = mg_zalloc(sizeof(*n));
    n->home = sd;
    n->dir = dir;
    entry_put(&sd->now, name, n);
    change_add(sd, n, name, "");
    return entry_find(&sd->now, name);
}

int mg_disk_mkdir(struct mg_disk *d, const char *name, struct mg_disk_why *why) {
    bool after;
    int rc = begin_simple(d, &after);
    if (rc != 0) return fail(why, rc, "create", name);
    if (d->look_only) return fail(why, MG_EDENIED, "create", name);
    if (entry_find(&d->sd->now, name)) return fail(why, MG_EEXISTS, "create", name);
    if (!parent_exists(d->sd, name)) return fail(why, MG_ENOTFOUND, "create", name);
    create(d->sd, name, true);
    return end(d, after);
}

int mg_disk_sync_dir(struct mg_disk *d, const char *name, struct mg_disk_why *why) {
    bool after;
    int rc = begin_simple(d, &after);
    if (rc != 0) return fail(why, rc, "sync", name);
    if (name[0] && !entry_find(&d->sd->now, name)) return fail(why, MG_ENOTFOUND, "sync", name);
    settle_dir(d->sd, name);
    return end(d, after);
}

int mg_disk_rename(struct mg_disk *d, const char *from, const char *to, struct mg_disk_why *why) {
    bool after;
    int rc = begin_simple(d, &after);
    if (rc != 0) return fail(why, rc, "rename", from);
    if (d->look_only) return fail(why, MG_EDENIED, "rename", from);
    struct entry *e = entry_find(&d->sd->now, from);
    if (e == NULL || !parent_exists(d->sd, to)) return fail(why, MG_ENOTFOUND, "rename", from);
    struct node *n = node_ref(e->node);
    change_add(d->sd, n, to, from);
    entry_remove(&d->sd->now, from);
    entry_put(&d->sd->now, to, n);
    node_unref(n);
    return end(d, after);
}

static bool has_children(struct sim_disk *sd, const char *dir) {
    for (struct mg_list *l = sd->now.next; l != &sd->now; l = l->next)
        if (name_in(dir, mg_container_of(l, struct entry, link)->name)) return true;
    return false;
}

int mg_disk_unlink(struct mg_disk *d, const char *name, struct mg_disk_why *why) {
    bool after;
    int rc = begin_simple(d, &after);
    if (rc != 0) return fail(why, rc, "remove", name);
    if (d->look_only) return fail(why, MG_EDENIED, "remove", name);
    struct entry *e = entry_find(&d->sd->now, name);
    if (e == NULL) return fail(why, MG_ENOTFOUND, "remove", name);
    if (e->node->dir && has_children(d->sd, name)) return fail(why, MG_EEXISTS, "remove", name);
    change_add(d->sd, NULL, "", name);
    e->node->unlinked = sim_now(d->sd->sim);
    entry_remove(&d->sd->now, name);
    if (d->sd->crash_at_unlink > 0 && --d->sd->crash_at_unlink == 0) after = true;
    return end(d, after);
}

int mg_disk_list(struct mg_disk *d, const char *name, void (*fn)(void *arg, const char *entry, uint64_t size, bool dir),
                 void *arg, struct mg_disk_why *why) {
    bool after;
    int rc = begin_simple(d, &after);
    if (rc != 0) return fail(why, rc, "list", name);
    size_t skip = name[0] ? strlen(name) + 1 : 0;
    if (skip && !entry_find(&d->sd->now, name)) return fail(why, MG_ENOTFOUND, "list", name);
    for (struct mg_list *l = d->sd->now.next; l != &d->sd->now; l = l->next) {
        struct entry *e = mg_container_of(l, struct entry, link);
        if (name_in(name, e->name)) fn(arg, e->name + skip, e->node->dir ? 0 : e->node->now.size, e->node->dir);
    }
    return end(d, after);
}

static uint64_t used_bytes(struct sim_disk *sd) {
    uint64_t n = 0;
    for (struct mg_list *l = sd->now.next; l != &sd->now; l = l->next)
        n += mg_container_of(l, struct entry, link)->node->now.size;
    return n;
}

int mg_disk_space(struct mg_disk *d, struct mg_disk_space *out, struct mg_disk_why *why) {
    if (d->dead) return fail(why, MG_ECLOSED, "measure", "");
    uint64_t total = d->sd->faults.capacity ? d->sd->faults.capacity : UINT64_C(1) << 40, used = used_bytes(d->sd);
    *out = (struct mg_disk_space){.free = used < total ? total - used : 0, .total = total};
    return 0;
}

void mg_disk_describe(struct mg_disk *d, struct mg_disk_about *out) {
    (void)d;
    *out = (struct mg_disk_about){.fs = "simulated", .device = "sim", .cache = MG_CACHE_WRITE_BACK, .fua = 0};
}

// ---- files --------------------------------------------------------------------------------------------------------

int mg_file_open(struct mg_disk *d, struct mg_file **out, const char *name, unsigned flags, struct mg_disk_why *why) {
    bool after;
    mg_assert(strlen(name) <= MG_DISK_NAME_MAX);
    int rc = begin_simple(d, &after);
    if (rc != 0) return fail(why, rc, "open", name);
    struct sim_disk *sd = d->sd;
    struct entry *e = entry_find(&sd->now, name);
    bool write = flags & MG_FILE_WRITE;
    if (write && d->look_only) return fail(why, MG_EDENIED, "open", name);
    if ((flags & MG_FILE_DIRECT) && sd->faults.no_direct) return fail(why, MG_EUNSUPPORTED, "open", name);
    if (e == NULL && !(write && (flags & MG_FILE_CREATE) && parent_exists(sd, name)))
        return fail(why, MG_ENOTFOUND, "open", name);
    if (e && ((flags & MG_FILE_EXCL) || e->node->dir)) return fail(why, MG_EEXISTS, "open", name);
    if (e == NULL) e = create(sd, name, false);
    if (write && (flags & MG_FILE_EMPTY)) pend(e->node, true, 0, NULL, 0);
    struct mg_file *f = mg_zalloc(sizeof(*f));
    f->d = d;
    f->node = node_ref(e->node);
    f->flags = flags;
    snprintf(f->name, sizeof(f->name), "%s", name);
    rc = end(d, after);
    if (rc != 0) {
        mg_file_close(f);
        return fail(why, rc, "open", name);
    }
    *out = f;
    return 0;
}

void mg_file_close(struct mg_file *f) {
    if (f == NULL) return;
    node_unref(f->node);
    mg_free(f);
}

int mg_file_size(struct mg_file *f, uint64_t *out, struct mg_disk_why *why) {
    if (f->d->dead) return fail(why, MG_ECLOSED, "measure", f->name);
    *out = f->node->now.size;
    return 0;
}

static bool aligned(const struct mg_file *f, const void *p, size_t n, uint64_t at) {
    if (!(f->flags & MG_FILE_DIRECT)) return true;
    return (uintptr_t)p % SIM_SECTOR == 0 && n % MG_DISK_ALIGN == 0 && at % MG_DISK_ALIGN == 0;
}

int mg_file_read(struct mg_file *f, void *p, size_t n, uint64_t at, size_t *got, struct mg_disk_why *why) {
    bool after;
    int rc = begin_simple(f->d, &after);
    if (rc != 0) return fail(why, rc, "read", f->name);
    if (!aligned(f, p, n, at)) return fail(why, MG_EINVAL, "read", f->name);
    const struct node *node = f->node;
    uint64_t left = at < node->now.size ? node->now.size - at : 0;
    *got = left < n ? (size_t)left : n;
    if (node->stuck) return fail(why, MG_EIO, "read", f->name);
    for (unsigned i = 0; i < node->nbad; i++) {
        uint64_t bad = node->bad[i] * SIM_SECTOR;
        if (bad < at + *got && bad + SIM_SECTOR > at) return fail(why, MG_EIO, "read", f->name);
    }
    if (*got) memcpy(p, node->now.p + at, *got);
    return end(f->d, after);
}

// A sector that is written is readable again.
static void heal(struct node *n, uint64_t at, size_t len) {
    for (unsigned i = 0; i < n->nbad;) {
        uint64_t bad = n->bad[i] * SIM_SECTOR;
        if (bad >= at && bad + SIM_SECTOR <= at + len) n->bad[i] = n->bad[--n->nbad];
        else i++;
    }
}

static bool too_much(struct sim_disk *sd, const struct node *n, uint64_t reach) {
    if (sd->faults.capacity == 0 || reach <= n->now.size) return false;
    return used_bytes(sd) + (reach - n->now.size) > sd->faults.capacity;
}

static uint64_t astray(struct mg_file *f, size_t n) {
    uint64_t pages = f->node->now.size / MG_DISK_ALIGN, need = (n + MG_DISK_ALIGN - 1) / MG_DISK_ALIGN;
    return pages > need ? sim_below(f->d->sd->sim, pages - need + 1) * MG_DISK_ALIGN : 0;
}

// The write itself; `n` bytes of it happen.
static int put(struct mg_file *f, const void *p, size_t n, uint64_t at, bool crashes) {
    struct sim_disk *sd = f->d->sd;
    if (unlucky(sd, sd->faults.lose_write)) {
        sd->counts.lost++;
        return end(f->d, crashes);
    }
    if (unlucky(sd, sd->faults.misdirect) && n % MG_DISK_ALIGN == 0) {
        at = astray(f, n);
        sd->counts.misdirected++;
    }
    bool durable = f->flags & MG_FILE_DSYNC;
    if (f->flags & MG_FILE_DIRECT) settle(f->node, at & ~(uint64_t)(MG_DISK_ALIGN - 1), at + n);
    heal(f->node, at, n);
    pend(f->node, false, at, p, n);
    int rc = end(f->d, crashes);
    if (rc == 0 && durable) settle(f->node, at, at + n);
    return rc;
}

int mg_file_write(struct mg_file *f, const void *p, size_t n, uint64_t at, struct mg_disk_why *why) {
    bool crashes;
    struct sim_disk *sd = f->d->sd;
    int rc = begin(f->d, &crashes);
    if (rc != 0) return fail(why, rc, "write", f->name);
    if (!(f->flags & MG_FILE_WRITE) || !aligned(f, p, n, at)) return fail(why, MG_EINVAL, "write", f->name);
    if (f->node->stuck) return fail(why, MG_EIO, "write", f->name);
    if (too_much(sd, f->node, at + n)) {
        sd->counts.no_space++;
        rc = end(f->d, crashes);
        return fail(why, rc ? rc : MG_ENOSPC, "write", f->name);
    }
    bool fails = failing(sd, sd->faults.fail_write);
    // One that fails may have written any number of sectors; a kill comes between pages.
    if (fails) n = sim_below(sd->sim, n / SIM_SECTOR + 1) * SIM_SECTOR;
    else if (crashes && sd->how == SIM_KILL) n = sim_below(sd->sim, n / MG_DISK_ALIGN + 1) * MG_DISK_ALIGN;
    rc = put(f, p, n, at, crashes);
    if (rc == 0 && fails) rc = MG_EIO;
    return rc == 0 ? 0 : fail(why, rc, "write", f->name);
}

int mg_file_writev(struct mg_file *f, const struct mg_span *spans, size_t count, uint64_t at, struct mg_disk_why *why) {
    size_t n = 0;
    for (size_t i = 0; i < count; i++) n += spans[i].n;
    uint8_t *all = mg_disk_alloc(n ? n : 1), *p = all;
    for (size_t i = 0; i < count; p += spans[i++].n)
        if (spans[i].n) memcpy(p, spans[i].p, spans[i].n);
    int rc = mg_file_write(f, all, n, at, why);
    mg_disk_free(all);
    return rc;
}

int mg_file_truncate(struct mg_file *f, uint64_t size, struct mg_disk_why *why) {
    bool crashes;
    int rc = begin(f->d, &crashes);
    if (rc != 0) return fail(why, rc, "cut", f->name);
    if (!(f->flags & MG_FILE_WRITE)) return fail(why, MG_EINVAL, "cut", f->name);
    if (f->node->stuck) return fail(why, MG_EIO, "cut", f->name);
    pend(f->node, true, size, NULL, 0);
    return end(f->d, crashes);
}

int mg_file_sync(struct mg_file *f, struct mg_disk_why *why) {
    bool crashes;
    struct sim_disk *sd = f->d->sd;
    int rc = begin(f->d, &crashes);
    if (rc == 0 && failing(sd, sd->faults.fail_sync)) {
        drop_pending(f->node);
        rc = MG_EIO;
    }
    if (rc == 0) rc = end(f->d, crashes);
    if (rc != 0) return fail(why, rc, "sync", f->name);
    settle(f->node, 0, UINT64_MAX);
    return 0;
}

static void no_hint(struct mg_file *f, uint64_t at, uint64_t n) {
    (void)f;
    (void)at;
    (void)n;
}

void mg_file_expect(struct mg_file *f, uint64_t at, uint64_t n) { no_hint(f, at, n); }
void mg_file_forget(struct mg_file *f, uint64_t at, uint64_t n) { no_hint(f, at, n); }

void *mg_disk_alloc(size_t size) {
    void *p = NULL;
    int rc = posix_memalign(&p, MG_DISK_ALIGN, size);
    mg_assert(rc == 0);
    return p;
}

void mg_disk_free(void *p) { free(p); }

// ---- the test's side ----------------------------------------------------------------------------------------------

struct sim_disk *sim_disk_new(struct sim *s, const char *path) {
    struct sim_disk *sd = mg_zalloc(sizeof(*sd));
    sd->sim = s;
    snprintf(sd->path, sizeof(sd->path), "%s", path);
    mg_list_init(&sd->now);
    mg_list_init(&sd->disk);
    mg_list_init(&sd->changes);
    sd->faults.garbage = 64;
    mg_list_push_back(&s->disks, &sd->link);
    return sd;
}

void sim_disk_free(struct sim_disk *sd) {
    mg_assert(sd->handles == 0);
    settle_all(sd);
    map_free(&sd->now);
    map_free(&sd->disk);
    mg_list_remove(&sd->link);
    mg_free(sd);
}

struct sim_disk_faults *sim_disk_faults(struct sim_disk *d) { return &d->faults; }
const struct sim_disk_counts *sim_disk_counts(const struct sim_disk *d) { return &d->counts; }

void sim_disk_crash_at(struct sim_disk *d, uint64_t n, enum sim_crash how) {
    d->crash_at = n;
    d->how = how;
}

void sim_disk_crash_at_unlink(struct sim_disk *d, uint64_t n, enum sim_crash how) {
    d->crash_at_unlink = n;
    d->how = how;
}

void sim_disk_crash(struct sim_disk *d, enum sim_crash how) { crash(d, how); }
bool sim_disk_crashed(const struct sim_disk *d) { return d->crashed; }

int sim_disk_flip(struct sim_disk *d, const char *name, uint64_t at, unsigned bit) {
    struct entry *e = entry_find(&d->now, name);
    if (e == NULL || at >= e->node->now.size) return MG_ENOTFOUND;
    e->node->now.p[at] ^= (uint8_t)(1u << bit % 8);
    if (at < e->node->disk.size) e->node->disk.p[at] ^= (uint8_t)(1u << bit % 8);
    return 0;
}

int sim_disk_bad_sector(struct sim_disk *d, const char *name, uint64_t at) {
    struct entry *e = entry_find(&d->now, name);
    if (e == NULL || e->node->nbad == BAD_SECTORS_MAX) return MG_ENOTFOUND;
    e->node->bad[e->node->nbad++] = at / SIM_SECTOR;
    return 0;
}

void sim_disk_good_sector(struct sim_disk *d, const char *name, uint64_t at) {
    struct entry *e = entry_find(&d->now, name);
    for (unsigned i = 0; e && i < e->node->nbad; i++)
        if (e->node->bad[i] == at / SIM_SECTOR) e->node->bad[i--] = e->node->bad[--e->node->nbad];
}

void sim_disk_stuck(struct sim_disk *d, const char *name, bool on) {
    struct entry *e = entry_find(&d->now, name);
    if (e) e->node->stuck = on;
}

int sim_disk_set(struct sim_disk *d, const char *name, const void *p, size_t n) {
    struct entry *e = entry_find(&d->now, name);
    if (e == NULL) e = create(d, name, p == NULL);
    if (p) {
        image_resize(&e->node->now, 0);
        image_write(&e->node->now, 0, p, n);
        image_resize(&e->node->disk, 0);
        image_write(&e->node->disk, 0, p, n);
    }
    settle_all(d);
    return 0;
}

void sim_disk_take(struct sim_disk *d, const char *name) {
    settle_all(d);
    if (entry_find(&d->now, name) == NULL) return;
    entry_remove(&d->now, name);
    entry_remove(&d->disk, name);
}

bool sim_disk_some_file(struct sim_disk *d, char name[MG_DISK_NAME_MAX + 1]) {
    uint64_t n = 0;
    for (struct mg_list *l = d->now.next; l != &d->now; l = l->next) {
        struct entry *e = mg_container_of(l, struct entry, link);
        if (e->node->dir || e->node->now.size == 0 || sim_below(d->sim, ++n) != 0) continue;
        snprintf(name, MG_DISK_NAME_MAX + 1, "%s", e->name);
    }
    return n > 0;
}

const uint8_t *sim_disk_peek(struct sim_disk *d, const char *name, uint64_t *size) {
    struct entry *e = entry_find(&d->now, name);
    if (e == NULL) return NULL;
    *size = e->node->now.size;
    return e->node->now.p;
}

void sim_disk_each(struct sim_disk *d, void (*fn)(void *arg, const char *name, const uint8_t *p, uint64_t n),
                   void *arg) {
    for (struct mg_list *l = d->disk.next; l != &d->disk; l = l->next) {
        const struct entry *e = mg_container_of(l, struct entry, link);
        fn(arg, e->name, e->node->disk.p, e->node->disk.size);
    }
    for (struct mg_list *l = d->now.next; l != &d->now; l = l->next) {
        const struct entry *e = mg_container_of(l, struct entry, link);
        if (e->node->pending || entry_find(&d->disk, e->name) == NULL)
            fn(arg, e->name, e->node->now.p, e->node->now.size);
    }
}

void sim_disk_watch(struct sim_disk *d, void (*fn)(void *arg, uint64_t when, const uint8_t *p, uint64_t n), void *arg) {
    d->freed = fn;
    d->freed_arg = arg;
}
