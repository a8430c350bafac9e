// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Comparing the manifest with the folders: what it lists must be there, what nothing lists must go. Files of unfinished
// jobs are deleted; others are moved to lost+found, under a name that is free. Nothing else is ever deleted or moved.
#include <stdio.h>
#include <stdlib.h>

#include "jetstream/store/manifest.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

static const struct {
    const char *folder, *suffix;
} kinds[] = {
    [MG_FILE_SEGMENT] = {"segments", ".seg"},
    [MG_FILE_RUN] = {"tables", ".run"},
    [MG_FILE_RUN_COPY] = {"tables", ".dup"},
};

void mg_table_file_name(char name[MG_FILE_NAME_MAX], enum mg_table_file kind, uint64_t id) {
    snprintf(name, MG_FILE_NAME_MAX, "%s/%016llx%s", kinds[kind].folder, (unsigned long long)id, kinds[kind].suffix);
}

bool mg_table_file_parse(const char *entry, enum mg_table_file *kind, uint64_t *id) {
    char again[MG_FILE_NAME_MAX];
    if (strlen(entry) != 20) return false;
    *id = strtoull(entry, NULL, 16);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        *kind = (enum mg_table_file)i;
        mg_table_file_name(again, *kind, *id);
        if (strcmp(strchr(again, '/') + 1, entry) == 0) return true; // so it has this form and no other
    }
    return false;
}

struct entry {
    char name[MG_DISK_NAME_MAX + 1]; // with its folder
    bool known;                      // the name has a kind and an id
    enum mg_table_file kind;
    uint64_t id, size;
    bool listed;
};

struct listing {
    const char *folder;
    struct entry *list;
    size_t n, cap;
};

static void on_entry(void *arg, const char *name, uint64_t size, bool dir) {
    struct listing *l = arg;
    if (dir) return;
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->list = mg_realloc(l->list, l->cap * sizeof *l->list);
    }
    struct entry *e = &l->list[l->n++];
    *e = (struct entry){.size = size};
    snprintf(e->name, sizeof e->name, "%s/%s", l->folder, name);
    e->known = mg_table_file_parse(name, &e->kind, &e->id) && strcmp(kinds[e->kind].folder, l->folder) == 0;
}

static int by_kind_and_id(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    if (x->known != y->known) return x->known ? -1 : 1;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static struct entry *find(const struct listing *l, enum mg_table_file kind, uint64_t id) {
    const struct entry key = {.known = true, .kind = kind, .id = id};
    return l->n ? bsearch(&key, l->list, l->n, sizeof key, by_kind_and_id) : NULL;
}

static int list_all(struct mg_disk *d, struct listing *l, struct mg_disk_why *why) {
    static const char *const folders[] = {"segments", "tables"};
    for (size_t i = 0; i < 2; i++) {
        l->folder = folders[i];
        int err = mg_disk_list(d, folders[i], on_entry, l, why);
        if (err && err != MG_ENOTFOUND) return err;
    }
    if (l->n) qsort(l->list, l->n, sizeof *l->list, by_kind_and_id);
    return MG_OK;
}

static void tell(struct mg_file_check *c, const struct mg_file_finding *f) {
    if (c->found) c->found(c->arg, f);
}

// ---- what is listed

static bool is_whole(const struct entry *e, uint64_t size) { return e && e->size == size; }

static void check_listed(struct mg_file_check *c, struct listing *l, enum mg_table_file kind, uint64_t id,
                         uint64_t size, bool survivable) {
    struct entry *e = find(l, kind, id);
    if (e) e->listed = true;
    if (is_whole(e, size)) return;
    char name[MG_FILE_NAME_MAX];
    mg_table_file_name(name, kind, id);
    if (!survivable) c->lost++;
    tell(c, &(struct mg_file_finding){.fate = e ? MG_FATE_SIZE : MG_FATE_MISSING, .name = name, .kind = kind, .id = id,
                                      .size = e ? e->size : 0, .want = size, .survivable = survivable});
}

static void check_all_listed(const struct mg_manifest *m, struct mg_file_check *c, struct listing *l) {
    for (uint32_t i = 0; i < m->nsegments; i++)
        check_listed(c, l, MG_FILE_SEGMENT, m->segments[i].file, m->segments[i].size, false);
    for (uint32_t i = 0; i < m->nruns; i++) {
        const struct mg_manifest_run *r = &m->runs[i].about;
        bool twice = r->flags & MG_MANIFEST_RUN_PRIMARY;
        bool copy = twice && is_whole(find(l, MG_FILE_RUN_COPY, r->file), r->size);
        bool main = is_whole(find(l, MG_FILE_RUN, r->file), r->size);
        check_listed(c, l, MG_FILE_RUN, r->file, r->size, copy);
        if (twice) check_listed(c, l, MG_FILE_RUN_COPY, r->file, r->size, main);
    }
}

// ---- what is not

static bool intended(const struct mg_manifest *m, uint64_t id) {
    for (uint32_t i = 0; i < m->nintents; i++)
        if (id >= m->intents[i].first && id - m->intents[i].first < m->intents[i].count) return true;
    return false;
}

int mg_put_aside(struct mg_disk *d, const char *name, const char *as) {
    char to[MG_DISK_NAME_MAX + 32];
    int err = mg_disk_mkdir(d, "lost+found", NULL);
    if (err && err != MG_EEXISTS) return err;
    for (int i = 0; i < 1000; i++) {
        struct mg_file *f;
        if (i == 0)
            snprintf(to, sizeof to, "lost+found/%s", as);
        else
            snprintf(to, sizeof to, "lost+found/%s.%d", as, i);
        if (strlen(to) > MG_DISK_NAME_MAX) return MG_ERANGE;
        err = mg_file_open(d, &f, to, MG_FILE_READ, NULL);
        if (err == MG_ENOTFOUND) return mg_disk_rename(d, name, to, NULL);
        if (err == MG_OK) mg_file_close(f);
    }
    return MG_EEXISTS;
}

static void clear(struct mg_disk *d, const struct mg_manifest *m, struct mg_file_check *c, const struct entry *e,
                  bool doubt) {
    struct mg_file_finding f = {.name = e->name, .kind = e->kind, .id = e->id, .size = e->size};
    bool garbage = e->known && intended(m, e->id);
    if (doubt) {
        f.fate = MG_FATE_LEFT;
        c->left++;
    } else if (garbage) {
        f.fate = MG_FATE_GARBAGE;
        c->garbage++;
        if (!c->look_only && c->going) c->going(c->arg, &f);
        if (!c->look_only) f.err = mg_disk_unlink(d, e->name, NULL);
    } else {
        f.fate = MG_FATE_ASIDE;
        c->aside++;
        if (!c->look_only) f.err = mg_put_aside(d, e->name, strchr(e->name, '/') + 1);
    }
    if (f.err) f.fate = MG_FATE_FAILED;
    tell(c, &f);
}

// Always: what is gone may have been removed by a process that died before it could sync, and come back after a power
// cut, when no intent knows it any more.
static int sync_folders(struct mg_disk *d, const struct mg_file_check *c, struct mg_disk_why *why) {
    static const char *const folders[] = {"", "segments", "tables", "lost+found"};
    if (c->look_only) return MG_OK;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        int err = mg_disk_sync_dir(d, folders[i], why);
        if (err && err != MG_ENOTFOUND) return err;
    }
    return MG_OK;
}

int mg_manifest_check_files(struct mg_disk *d, const struct mg_manifest *m, const struct mg_manifest_loaded *loaded,
                            struct mg_file_check *c, struct mg_disk_why *why) {
    struct listing l = {0};
    bool doubt = loaded->slots[0] == MG_SLOT_DAMAGED || loaded->slots[1] == MG_SLOT_DAMAGED;
    c->max_id = 0;
    c->lost = c->garbage = c->aside = c->left = 0;
    // A file may only go when the manifest that does not list it is sure to stay.
    int err = c->look_only || loaded->used < 0 ? MG_OK : mg_manifest_settle(d, loaded->used, why);
    if (err == MG_OK) err = list_all(d, &l, why);
    if (err == MG_OK) {
        check_all_listed(m, c, &l);
        for (size_t i = 0; i < l.n; i++) {
            if (l.list[i].known && l.list[i].id > c->max_id) c->max_id = l.list[i].id;
            if (!l.list[i].listed) clear(d, m, c, &l.list[i], doubt);
        }
        err = sync_folders(d, c, why);
    }
    mg_free(l.list);
    return err;
}
