// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Which files the store consists of. The keeper's lists of segments and runs say it in memory, the manifest on disk; a
// change is a new manifest, and only when that is durable do the lists change and are replaced files doomed.
#include "jetstream/store/files.h"

#include <stdio.h>
#include <string.h>

#include "jetstream/store/merge.h"
#include "jetstream/store/seal.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

// ---- the lists ------------------------------------------------------------------------------------------------------

static uint32_t place_of(const struct mg_keeper *k, uint64_t id) {
    uint32_t lo = 0, hi = k->segments_len;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (k->segments[mid]->id < id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

struct mg_segment_ref *mg_keeper_segment(const struct mg_store *st, uint64_t id) {
    const struct mg_keeper *k = st->keeping;
    uint32_t at = place_of(k, id);
    return at < k->segments_len && k->segments[at]->id == id ? k->segments[at] : NULL;
}

static void add_segment(struct mg_keeper *k, struct mg_segment_ref *g) {
    if (k->segments_len == k->segments_cap) {
        k->segments_cap = k->segments_cap ? k->segments_cap * 2 : 64;
        k->segments = mg_realloc(k->segments, k->segments_cap * sizeof(k->segments[0]));
    }
    uint32_t at = place_of(k, g->id);
    memmove(&k->segments[at + 1], &k->segments[at], (k->segments_len - at) * sizeof(k->segments[0]));
    k->segments[at] = g;
    k->segments_len++;
}

static void remove_segment(struct mg_keeper *k, struct mg_segment_ref *g) {
    uint32_t at = place_of(k, g->id);
    mg_assert(at < k->segments_len && k->segments[at] == g);
    k->segments_len--;
    memmove(&k->segments[at], &k->segments[at + 1], (k->segments_len - at) * sizeof(k->segments[0]));
    atomic_store(&g->doomed, true);
    mg_segment_ref_put(g);
}

static bool goes(const struct mg_files_change *c, const struct mg_run_ref *r) {
    for (uint32_t i = 0; i < c->old_runs_len; i++) {
        if (c->old_runs[i] == r) return true;
    }
    return false;
}

// New runs stand in front; the product of a merge in the place of the runs that it replaces.
static struct mg_runset *changed_runs(const struct mg_runset *now, const struct mg_files_change *c) {
    struct mg_run_ref *list[MG_MERGE_MAX * 2];
    uint32_t n = 0;
    bool placed = c->old_runs_len == 0;
    if (placed) {
        for (uint32_t i = 0; i < c->runs_len; i++) list[n++] = c->runs[i];
    }
    for (uint32_t i = 0; i < now->count; i++) {
        if (!goes(c, now->runs[i])) {
            list[n++] = now->runs[i];
        } else if (!placed) {
            for (uint32_t k = 0; k < c->runs_len; k++) list[n++] = c->runs[k];
            placed = true;
        }
    }
    return mg_runset_new(list, n);
}

// ---- files that go --------------------------------------------------------------------------------------------------

static void doom(struct mg_keeper *k, uint64_t id, bool doubtful) {
    if (k->doomed_len == k->doomed_cap) {
        k->doomed_cap = k->doomed_cap ? k->doomed_cap * 2 : 16;
        k->doomed = mg_realloc(k->doomed, k->doomed_cap * sizeof(k->doomed[0]));
    }
    k->doomed[k->doomed_len++] = (struct mg_doomed){.id = id, .state = doubtful ? MG_DOOMED_DOUBTFUL : MG_DOOMED_THERE};
}

void mg_files_unlinked(struct mg_store *st, uint64_t id) {
    struct mg_keeper *k = st->keeping;
    for (uint32_t i = 0; i < k->doomed_len; i++) {
        if (k->doomed[i].id == id) k->doomed[i].state = MG_DOOMED_UNLINKED;
    }
}

// Their removal is durable: the next manifest need not speak of them.
static void forget_synced(struct mg_keeper *k) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < k->doomed_len; i++) {
        if (k->doomed[i].state != MG_DOOMED_SYNCED) k->doomed[kept++] = k->doomed[i];
    }
    k->doomed_len = kept;
}

int mg_files_sync_dirs(struct mg_store *st) {
    struct mg_keeper *k = st->keeping;
    struct mg_disk_why why;
    int err = MG_PLANTED(folder_not_synced) ? 0 : mg_disk_sync_dir(st->disk, "segments", &why);
    if (err == 0 && !MG_PLANTED(folder_not_synced)) err = mg_disk_sync_dir(st->disk, "tables", &why);
    if (err) mg_store_say(st, MG_LOG_ERR, "cannot sync a directory: %s", why.text);
    for (uint32_t i = 0; i < k->doomed_len && err == 0; i++) {
        if (k->doomed[i].state == MG_DOOMED_UNLINKED) k->doomed[i].state = MG_DOOMED_SYNCED;
    }
    forget_synced(k);
    return err;
}

// A manifest is durable that does not name them, after one that perhaps is not.
static void unlink_doubtful(struct mg_store *st) {
    struct mg_keeper *k = st->keeping;
    for (uint32_t i = 0; i < k->doomed_len; i++) {
        if (k->doomed[i].state != MG_DOOMED_DOUBTFUL) continue;
        for (int kind = MG_FILE_SEGMENT; kind <= MG_FILE_RUN_COPY; kind++) {
            char name[MG_FILE_NAME_MAX];
            mg_table_file_name(name, (enum mg_table_file)kind, k->doomed[i].id);
            mg_disk_unlink(st->disk, name, NULL);
        }
        k->doomed[i].state = MG_DOOMED_UNLINKED;
    }
}

// ---- the manifest ---------------------------------------------------------------------------------------------------

static void add_run(struct mg_manifest *m, const struct mg_run_ref *r) {
    const struct mg_run_foot *foot = mg_run_about(r->run);
    struct mg_manifest_run about = {.file = r->id, .size = r->size, .foot_sum = r->foot_sum, .rows = foot->rows,
                                    .flags = r->primary ? MG_MANIFEST_RUN_PRIMARY : 0};
    mg_slice low, high;
    mg_run_range(r->run, &low, &high);
    mg_manifest_add_run(m, &about, low, high);
}

static void add_file(struct mg_manifest *m, const struct mg_segment_ref *g) {
    struct mg_manifest_segment about = {.file = g->id, .size = g->size, .foot_sum = g->foot_sum,
                                        .messages = g->segment->messages, .record_bytes = g->segment->record_bytes,
                                        .sections = g->segment->sections};
    mg_manifest_add_segment(m, &about);
}

static bool goes_segment(const struct mg_files_change *c, const struct mg_segment_ref *g) {
    for (uint32_t i = 0; c && i < c->old_segments_len; i++) {
        if (c->old_segments[i] == g) return true;
    }
    return false;
}

// Writes what there will be after the change (NULL: what there is), with the ids that the job may use.
static int write_manifest(struct mg_store *st, const struct mg_runset *runs, const struct mg_files_change *c,
                          uint64_t first, uint32_t count) {
    struct mg_keeper *k = st->keeping;
    struct mg_manifest m = {.head = st->head};
    struct mg_disk_why why;
    if (c && c->replay_from) m.head.replay_from = c->replay_from;
    m.head.next_file = k->next_file;
    if (st->journal) {
        struct mg_journal_state state;
        mg_journal_state(st->journal, &state);
        m.head.incarnation = state.incarnation;
    }
    for (uint32_t i = 0; i < runs->count; i++) add_run(&m, runs->runs[i]);
    for (uint32_t i = 0; i < k->segments_len; i++) {
        if (!goes_segment(c, k->segments[i])) add_file(&m, k->segments[i]);
    }
    for (uint32_t i = 0; c && i < c->segments_len; i++) add_file(&m, c->segments[i]);
    if (count) mg_manifest_add_intent(&m, first, first, count);
    for (uint32_t i = 0; i < k->kept_len; i++)
        mg_manifest_add_intent(&m, k->kept[i].job, k->kept[i].first, k->kept[i].count);
    for (uint32_t i = 0; i < k->doomed_len; i++) mg_manifest_add_intent(&m, k->doomed[i].id, k->doomed[i].id, 1);
    for (uint32_t i = 0; c && i < c->old_segments_len; i++)
        mg_manifest_add_intent(&m, c->old_segments[i]->id, c->old_segments[i]->id, 1);
    for (uint32_t i = 0; c && i < c->old_runs_len; i++)
        mg_manifest_add_intent(&m, c->old_runs[i]->id, c->old_runs[i]->id, 1);
    int err = mg_manifest_store(st->disk, &m, &why);
    if (err) {
        mg_store_say(st, MG_LOG_ERR, "cannot write the manifest: %s", why.text);
    } else {
        st->head = m.head;
        unlink_doubtful(st);
    }
    mg_manifest_fini(&m);
    return err;
}

int mg_files_begin(struct mg_store *st, uint32_t n, uint64_t *first) {
    *first = st->keeping->next_file;
    st->keeping->next_file += n;
    return write_manifest(st, st->runs, NULL, *first, n);
}

int mg_files_commit(struct mg_store *st, const struct mg_files_change *c) {
    struct mg_keeper *k = st->keeping;
    struct mg_runset *runs = changed_runs(st->runs, c);
    for (uint32_t i = 0; i < c->old_runs_len && MG_PLANTED(unlink_first); i++) {
        char name[MG_FILE_NAME_MAX];
        mg_table_file_name(name, MG_FILE_RUN, c->old_runs[i]->id);
        mg_disk_unlink(st->disk, name, NULL);
        mg_table_file_name(name, MG_FILE_RUN_COPY, c->old_runs[i]->id);
        mg_disk_unlink(st->disk, name, NULL);
    }
    int err = write_manifest(st, runs, c, 0, 0);
    if (err) {
        // The manifest may be on disk all the same, and be what the next start finds: its files must stay until another
        // one is durable.
        for (uint32_t i = 0; i < c->segments_len; i++) {
            c->segments[i]->doubtful = true;
            doom(k, c->segments[i]->id, true);
        }
        for (uint32_t i = 0; i < c->runs_len; i++) {
            c->runs[i]->doubtful = true;
            doom(k, c->runs[i]->id, true);
        }
        mg_runset_unref(runs);
        return err;
    }
    mg_runset_unref(st->runs);
    st->runs = runs;
    for (uint32_t i = 0; i < c->segments_len; i++) add_segment(k, mg_segment_ref_get(c->segments[i]));
    for (uint32_t i = 0; i < c->old_segments_len; i++) {
        doom(k, c->old_segments[i]->id, false);
        remove_segment(k, c->old_segments[i]);
    }
    for (uint32_t i = 0; i < c->old_runs_len; i++) {
        doom(k, c->old_runs[i]->id, false);
        atomic_store(&c->old_runs[i]->doomed, true);
    }
    return 0;
}

// ---- open -----------------------------------------------------------------------------------------------------------

static int new_store(struct mg_store *st, struct mg_disk_why *why) {
    static const char *const folders[] = {"journal", "segments", "tables"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        int err = mg_disk_mkdir(st->disk, folders[i], why);
        if (err && err != MG_EEXISTS) return err;
    }
    struct mg_manifest_head *h = &st->head;
    memcpy(&h->store, st->o.secret, sizeof(h->store));
    memcpy(&h->salt, st->o.secret + sizeof(h->store), sizeof(h->salt));
    h->page_bytes = MG_DISK_ALIGN;
    h->ring_file_pages = st->o.ring_file_bytes / h->page_bytes;
    h->ring_pages = st->o.ring_bytes / st->o.ring_file_bytes * h->ring_file_pages;
    st->keeping->next_file = 1;
    st->runs = mg_runset_new(NULL, 0);
    int err = write_manifest(st, st->runs, NULL, 0, 0);
    return err ? err : mg_disk_sync_dir(st->disk, "", why);
}

static int check_head(const struct mg_manifest_head *h) {
    bool pages = h->page_bytes >= 4096 && h->page_bytes <= 65536 && (h->page_bytes & (h->page_bytes - 1)) == 0;
    return pages && h->ring_file_pages && h->ring_pages && h->ring_pages % h->ring_file_pages == 0 ? 0 : MG_ECORRUPT;
}

static int open_runs(struct mg_store *st, const struct mg_manifest *m, struct mg_disk_why *why) {
    struct mg_run_ref **runs = mg_alloc((m->nruns ? m->nruns : 1) * sizeof(struct mg_run_ref *));
    uint32_t n = 0;
    int err = 0;
    for (uint32_t i = 0; i < m->nruns && err == 0; i++) {
        const struct mg_manifest_run *r = &m->runs[i].about;
        err = mg_run_ref_open(&runs[n], st, r->file, r->size, r->foot_sum, r->flags & MG_MANIFEST_RUN_PRIMARY);
        if (err) {
            snprintf(why->text, sizeof(why->text), "table %016llx cannot be read: %s; nothing was changed",
                     (unsigned long long)r->file, mg_strerror(err));
        } else {
            n++;
        }
    }
    st->runs = mg_runset_new(runs, n);
    for (uint32_t i = 0; i < n; i++) mg_run_ref_put(runs[i]);
    mg_free(runs);
    return err;
}

// A segment that cannot be opened does not stop the others: its messages are lost, as the log and the streams say.
static void open_segments(struct mg_store *st, const struct mg_manifest *m) {
    for (uint32_t i = 0; i < m->nsegments; i++) {
        const struct mg_manifest_segment *a = &m->segments[i];
        struct mg_segment_ref *g;
        if (mg_segment_ref_open(&g, st, a->file, a->size, a->foot_sum) == 0) {
            add_segment(st->keeping, g);
        } else {
            st->status.damaged_files++;
            st->status.lost_messages += a->messages;
        }
    }
}

static void found_file(void *arg, const struct mg_file_finding *f) {
    static const char *const words[] = {
        [MG_FATE_MISSING] = "is missing",
        [MG_FATE_SIZE] = "has the wrong size",
        [MG_FATE_GARBAGE] = "is left from an unfinished job and was deleted",
        [MG_FATE_ASIDE] = "belongs to nothing and was moved to lost+found",
        [MG_FATE_LEFT] = "belongs to nothing and was left",
        [MG_FATE_FAILED] = "could not be moved or deleted",
    };
    int level = f->fate == MG_FATE_GARBAGE ? MG_LOG_DBG : f->fate == MG_FATE_MISSING ? MG_LOG_ERR : MG_LOG_WRN;
    mg_store_say(arg, level, "%s %s", f->name, words[f->fate]);
}

static void keep_intents(struct mg_keeper *k, const struct mg_manifest *m) {
    k->kept = mg_alloc((m->nintents ? m->nintents : 1) * sizeof(k->kept[0]));
    if (m->nintents) memcpy(k->kept, m->intents, m->nintents * sizeof(k->kept[0]));
    k->kept_len = m->nintents;
}

static int read_store(struct mg_store *st, const struct mg_manifest *m, const struct mg_manifest_loaded *loaded,
                      struct mg_disk_why *why) {
    struct mg_file_check check = {.look_only = true};
    st->head = m->head;
    st->keeping->next_file = m->head.next_file;
    for (int i = 0; i < 2; i++) {
        if (loaded->slots[i] != MG_SLOT_DAMAGED) continue;
        mg_store_say(st, MG_LOG_WRN, "manifest-%d is damaged; the other one is used", i);
        keep_intents(st->keeping, m);
    }
    st->env.salt = m->head.salt;
    int err = check_head(&m->head);
    if (err) snprintf(why->text, sizeof(why->text), "the manifest is not plausible; nothing was changed");
    if (err == 0) err = mg_manifest_check_files(st->disk, m, loaded, &check, why);
    if (check.max_id >= st->keeping->next_file) st->keeping->next_file = check.max_id + 1;
    if (err == 0) err = open_runs(st, m, why);
    if (err) return err;
    open_segments(st, m);
    check = (struct mg_file_check){.found = found_file, .arg = st};
    return mg_manifest_check_files(st->disk, m, loaded, &check, why);
}

int mg_files_open(struct mg_store *st, struct mg_disk_why *why) {
    struct mg_manifest m = {0};
    struct mg_manifest_loaded loaded;
    int err = mg_manifest_load(st->disk, &m, &loaded);
    if (err == MG_ENOTFOUND) {
        err = new_store(st, why);
    } else if (err) {
        *why = loaded.why;
    } else {
        err = read_store(st, &m, &loaded, why);
    }
    mg_manifest_fini(&m);
    st->env.salt = st->head.salt;
    st->seed = st->head.salt * UINT64_C(0x9e3779b97f4a7c15);
    return err;
}

void mg_files_close(struct mg_store *st) {
    struct mg_keeper *k = st->keeping;
    mg_runset_unref(st->runs);
    st->runs = NULL;
    for (uint32_t i = 0; i < k->segments_len; i++) mg_segment_ref_put(k->segments[i]);
    mg_free(k->segments);
    mg_free(k->doomed);
    mg_free(k->kept);
    k->segments = NULL;
    k->segments_len = k->doomed_len = 0;
    k->doomed = NULL;
}
