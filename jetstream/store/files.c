// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Which files the store consists of. The keeper's lists of segments and runs say it in memory, the manifest on disk; a
// change is a new manifest, and only when that is durable do the lists change and are replaced files doomed.
//
// The manifest also names the files that may be there without being part of the store, so that a crash leaves nothing
// behind: those that a running job may create, and those that are doomed, until their deletion is durable.
//
// What cannot be undone (files are deleted, pages and extents written again) follows a change only when both slots of
// the manifest have it: either one is enough then, whichever can be read at the next start. The beginning of a job
// undoes nothing, so one slot does.
//
// When a manifest cannot be written, nobody knows whether the disk has the old one or the new one. So the files of both
// stay (`limbo`) until a later one is in both slots.
#include "jetstream/store/files.h"

#include <stdio.h>
#include <string.h>

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
    struct mg_run_ref **list = mg_alloc((now->count + c->runs_len + 1) * sizeof(struct mg_run_ref *));
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
    struct mg_runset *set = mg_runset_new(list, n);
    mg_free(list);
    return set;
}

// ---- files that are not part of the store -----------------------------------------------------------------------

struct mg_segment_ref *mg_keeper_lost_segment(const struct mg_store *st, uint64_t id) {
    const struct mg_keeper *k = st->keeping;
    for (uint32_t i = 0; i < k->lost_len; i++) {
        if (k->lost[i]->id == id) return k->lost[i];
    }
    return NULL;
}

static struct mg_intent *add_intent(struct mg_keeper *k, uint64_t first, uint32_t count, enum mg_intent_state state) {
    if (k->intents_len == k->intents_cap) {
        k->intents_cap = k->intents_cap ? k->intents_cap * 2 : 16;
        k->intents = mg_realloc(k->intents, k->intents_cap * sizeof(k->intents[0]));
    }
    struct mg_intent *in = &k->intents[k->intents_len++];
    *in = (struct mg_intent){.first = first, .count = count, .state = state};
    return in;
}

static void remove_intents(struct mg_keeper *k, bool (*which)(const struct mg_intent *in, uint64_t id), uint64_t id) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < k->intents_len; i++) {
        if (!which(&k->intents[i], id)) k->intents[kept++] = k->intents[i];
    }
    k->intents_len = kept;
}

static bool is_gone(const struct mg_intent *in, uint64_t id) {
    (void)id;
    return in->state == MG_INTENT_GONE;
}
static bool is_job(const struct mg_intent *in, uint64_t id) { return in->state == MG_INTENT_JOB && in->first == id; }
static bool is_doomed(const struct mg_intent *in, uint64_t id) {
    return in->state == MG_INTENT_DOOMED && in->first == id;
}

void mg_files_unlinked(struct mg_store *st, uint64_t id) {
    struct mg_keeper *k = st->keeping;
    for (uint32_t i = 0; i < k->intents_len; i++) {
        if (is_doomed(&k->intents[i], id)) k->intents[i].state = MG_INTENT_GONE;
    }
}

void mg_files_end(struct mg_store *st, uint64_t job) {
    struct mg_keeper *k = st->keeping;
    for (uint32_t i = 0; i < k->intents_len; i++) {
        if (is_job(&k->intents[i], job)) k->intents[i].state = MG_INTENT_GONE;
    }
}

static void doom(struct mg_segment_ref *const *segments, uint32_t segments_len, struct mg_run_ref *const *runs,
                 uint32_t runs_len) {
    for (uint32_t i = 0; i < segments_len; i++) {
        atomic_store(&segments[i]->doomed, true);
        mg_segment_ref_put(segments[i]);
    }
    for (uint32_t i = 0; i < runs_len; i++) {
        atomic_store(&runs[i]->doomed, true);
        mg_run_ref_put(runs[i]);
    }
}

void mg_files_abandon(struct mg_store *st, struct mg_segment_ref *const *segments, uint32_t segments_len,
                      struct mg_run_ref *const *runs, uint32_t runs_len) {
    struct mg_keeper *k = st->keeping;
    for (uint32_t i = 0; i < segments_len; i++) add_intent(k, segments[i]->id, 1, MG_INTENT_DOOMED)->messages = true;
    for (uint32_t i = 0; i < runs_len; i++) add_intent(k, runs[i]->id, 1, MG_INTENT_DOOMED);
    if (!k->in_doubt || MG_PLANTED(doubtful_unlinked)) {
        doom(segments, segments_len, runs, runs_len);
        return;
    }
    // There may be more than one such job: one that another let in, and that other one.
    k->limbo_segments = mg_realloc(k->limbo_segments, (k->limbo_segments_len + segments_len + 1) *
                                                          sizeof(struct mg_segment_ref *));
    k->limbo_runs = mg_realloc(k->limbo_runs, (k->limbo_runs_len + runs_len + 1) * sizeof(struct mg_run_ref *));
    for (uint32_t i = 0; i < segments_len; i++) k->limbo_segments[k->limbo_segments_len++] = segments[i];
    for (uint32_t i = 0; i < runs_len; i++) k->limbo_runs[k->limbo_runs_len++] = runs[i];
}

static void leave_limbo(struct mg_keeper *k) {
    k->in_doubt = false;
    doom(k->limbo_segments, k->limbo_segments_len, k->limbo_runs, k->limbo_runs_len);
    k->limbo_segments_len = k->limbo_runs_len = 0;
}

int mg_files_sync_dirs(struct mg_store *st) {
    struct mg_disk_why why;
    int err = MG_PLANTED(folder_not_synced) ? 0 : mg_disk_sync_dir(st->disk, "segments", &why);
    if (err == 0 && !MG_PLANTED(folder_not_synced)) err = mg_disk_sync_dir(st->disk, "tables", &why);
    if (err) mg_store_say(st, MG_LOG_ERR, "cannot sync a directory: %s", why.text);
    else remove_intents(st->keeping, is_gone, 0);
    return err;
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
    struct mg_manifest_segment about = mg_segment_ref_about(g);
    mg_manifest_add_segment(m, &about);
}

static bool goes_segment(const struct mg_files_change *c, const struct mg_segment_ref *g) {
    for (uint32_t i = 0; c && i < c->old_segments_len; i++) {
        if (c->old_segments[i] == g) return true;
    }
    return false;
}

// Writes what there will be after the change (NULL: what there is).
static int write_manifest(struct mg_store *st, const struct mg_runset *runs, const struct mg_files_change *c) {
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
    for (uint32_t i = 0; i < k->lost_len; i++) add_file(&m, k->lost[i]);
    for (uint32_t i = 0; i < k->intents_len; i++) {
        const struct mg_intent *in = &k->intents[i];
        if (c == NULL || !is_job(in, c->job)) mg_manifest_add_intent(&m, in->first, in->first, in->count);
    }
    int err = mg_manifest_store(st->disk, &m, &why);
    if (err) {
        mg_store_say(st, MG_LOG_ERR, "cannot write the manifest: %s", why.text);
        k->in_doubt = true;
    } else {
        st->head.generation = m.head.generation; // the rest of a change counts when both slots have it
        if (MG_PLANTED(half_commit)) st->head = m.head;
    }
    mg_manifest_fini(&m);
    return err;
}

static int write_both(struct mg_store *st, const struct mg_runset *runs, const struct mg_files_change *c) {
    int err = write_manifest(st, runs, c);
    if (err == 0 && !MG_PLANTED(one_slot)) err = write_manifest(st, runs, c);
    if (err == 0) leave_limbo(st->keeping);
    return err;
}

int mg_files_begin(struct mg_store *st, uint32_t n, uint64_t *first) {
    *first = st->keeping->next_file;
    st->keeping->next_file += n;
    add_intent(st->keeping, *first, n, MG_INTENT_JOB);
    int err = st->keeping->in_doubt ? write_both(st, st->runs, NULL) : write_manifest(st, st->runs, NULL);
    if (err) mg_files_end(st, *first);
    return err;
}

static void doom_old(struct mg_keeper *k, const struct mg_files_change *c) {
    for (uint32_t i = 0; i < c->old_segments_len; i++)
        add_intent(k, c->old_segments[i]->id, 1, MG_INTENT_DOOMED)->messages = true;
    for (uint32_t i = 0; i < c->old_runs_len; i++) add_intent(k, c->old_runs[i]->id, 1, MG_INTENT_DOOMED);
}

static void spare_old(struct mg_keeper *k, const struct mg_files_change *c) {
    for (uint32_t i = 0; i < c->old_segments_len; i++) remove_intents(k, is_doomed, c->old_segments[i]->id);
    for (uint32_t i = 0; i < c->old_runs_len; i++) remove_intents(k, is_doomed, c->old_runs[i]->id);
}

int mg_files_commit(struct mg_store *st, const struct mg_files_change *c) {
    struct mg_keeper *k = st->keeping;
    struct mg_runset *runs = changed_runs(st->runs, c);
    for (uint32_t i = 0; i < c->old_runs_len && MG_PLANTED(unlink_first); i++) {
        char name[MG_FILE_NAME_MAX];
        mg_table_file_name(name, MG_FILE_RUN, c->old_runs[i]->id);
        mg_disk_unlink(st->disk, name, NULL);
    }
    doom_old(k, c);
    int err = write_both(st, runs, c);
    if (err) {
        spare_old(k, c);
        mg_runset_unref(runs);
        return err;
    }
    if (c->replay_from) st->head.replay_from = c->replay_from;
    remove_intents(k, is_job, c->job);
    mg_runset_unref(st->runs);
    st->runs = runs;
    for (uint32_t i = 0; i < c->segments_len; i++) add_segment(k, mg_segment_ref_get(c->segments[i]));
    for (uint32_t i = 0; i < c->old_segments_len; i++) remove_segment(k, c->old_segments[i]);
    for (uint32_t i = 0; i < c->old_runs_len; i++) atomic_store(&c->old_runs[i]->doomed, true);
    return 0;
}

// ---- open -----------------------------------------------------------------------------------------------------------

int mg_files_make_folders(struct mg_store *st, bool missed, struct mg_disk_why *why) {
    static const char *const folders[] = {"journal", "segments", "tables"};
    bool made = false;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        int err = mg_disk_mkdir(st->disk, folders[i], why);
        if (err == MG_EEXISTS) continue;
        if (err) return err;
        if (missed) mg_store_say(st, MG_LOG_WRN, "the folder %s was missing; it was made again", folders[i]);
        made = true;
    }
    return made ? mg_disk_sync_dir(st->disk, "", why) : 0;
}

static int new_store(struct mg_store *st, struct mg_disk_why *why) {
    int folders = mg_files_make_folders(st, false, why);
    if (folders) return folders;
    struct mg_manifest_head *h = &st->head;
    memcpy(&h->store, st->o.secret, sizeof(h->store));
    memcpy(&h->salt, st->o.secret + sizeof(h->store), sizeof(h->salt));
    h->page_bytes = MG_DISK_ALIGN;
    h->ring_file_pages = st->o.ring_file_bytes / h->page_bytes;
    h->ring_pages = st->o.ring_bytes / st->o.ring_file_bytes * h->ring_file_pages;
    st->keeping->next_file = 1;
    st->runs = mg_runset_new(NULL, 0);
    // No other file is made before there is a manifest.
    int err = write_manifest(st, st->runs, NULL);
    if (err == 0) err = mg_journal_mark(st->disk, why);
    h->flags = MG_MANIFEST_MARKED;
    if (err == 0) err = write_both(st, st->runs, NULL);
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
        if (err == 0) {
            n++;
        } else if (!(r->flags & MG_MANIFEST_RUN_PRIMARY)) {
            st->recount = true; // it can be computed
            st->status.damaged_files++;
            err = 0;
        } else {
            snprintf(why->text, sizeof(why->text), "table %016llx cannot be read: %s; nothing was changed",
                     (unsigned long long)r->file, mg_strerror(err));
        }
    }
    st->runs = mg_runset_new(runs, n);
    for (uint32_t i = 0; i < n; i++) mg_run_ref_put(runs[i]);
    mg_free(runs);
    return err;
}

// Segments are opened when they are needed; here it is enough that they are there in full. One that is not does not
// stop the others: its messages are lost, as the log and the streams say.
struct absent {
    uint64_t *ids;
    uint32_t len;
};

static void found_absent(void *arg, const struct mg_file_finding *f) {
    struct absent *a = arg;
    bool listed = f->fate == MG_FATE_MISSING || f->fate == MG_FATE_SIZE;
    if (!listed || f->kind != MG_FILE_SEGMENT || f->size >= f->want) return;
    a->ids = mg_realloc(a->ids, (a->len + 1u) * sizeof(a->ids[0]));
    a->ids[a->len++] = f->id;
}

static bool is_absent(const struct absent *a, uint64_t id) {
    for (uint32_t i = 0; i < a->len; i++) {
        if (a->ids[i] == id) return true;
    }
    return false;
}

static void take_segments(struct mg_store *st, const struct mg_manifest *m, const struct absent *absent) {
    struct mg_keeper *k = st->keeping;
    for (uint32_t i = 0; i < m->nsegments; i++) {
        const struct mg_manifest_segment *a = &m->segments[i];
        if (a->age > k->age) k->age = a->age;
        if (!is_absent(absent, a->file)) {
            add_segment(k, mg_segment_ref_new(st, a));
            continue;
        }
        struct mg_segment_ref *g = mg_segment_ref_new(st, a);
        atomic_store(&g->footless, true);
        k->lost = mg_realloc(k->lost, (k->lost_len + 1) * sizeof(struct mg_segment_ref *));
        k->lost[k->lost_len++] = g;
        st->status.damaged_files++;
        st->status.lost_messages += a->messages;
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
    int level = f->fate == MG_FATE_GARBAGE ? MG_LOG_DBG : f->fate <= MG_FATE_SIZE ? MG_LOG_ERR : MG_LOG_WRN;
    mg_store_say(arg, level, "%s %s", f->name, words[f->fate]);
}

// Beside a damaged slot nothing is cleaned up: what could not be now is at a later start.
static void keep_all(struct mg_keeper *k, const struct mg_manifest *m) {
    k->slot_damaged = true;
    for (uint32_t i = 0; i < m->nintents; i++)
        add_intent(k, m->intents[i].first, m->intents[i].count, MG_INTENT_DOOMED)->messages = true;
}

// A folder that is not mounted, perhaps. To begin a new journal would give numbers again that the old one has given.
static int look_for_journal(struct mg_store *st, struct mg_disk_why *why) {
    int err = st->head.flags & MG_MANIFEST_MARKED ? mg_journal_look(st->disk, why) : 0;
    if (err != MG_ENOTFOUND) return err;
    snprintf(why->text, sizeof(why->text), "all files of the journal are away; nothing was changed");
    return MG_EIO;
}

static int read_store(struct mg_store *st, const struct mg_manifest *m, const struct mg_manifest_loaded *loaded,
                      struct mg_disk_why *why) {
    struct absent absent = {0};
    struct mg_file_check check = {.look_only = true, .found = found_absent, .arg = &absent};
    st->head = m->head;
    st->keeping->next_file = m->head.next_file;
    for (int i = 0; i < 2; i++) {
        if (loaded->slots[i] != MG_SLOT_DAMAGED) continue;
        mg_store_say(st, MG_LOG_WRN, "manifest-%d is damaged; the other one is used", i);
        keep_all(st->keeping, m);
    }
    st->env.salt = m->head.salt;
    int err = check_head(&m->head);
    if (err) snprintf(why->text, sizeof(why->text), "the manifest is not plausible; nothing was changed");
    if (err == 0) err = look_for_journal(st, why);
    if (err == 0) err = mg_manifest_check_files(st->disk, m, loaded, &check, why);
    if (check.max_id >= st->keeping->next_file) st->keeping->next_file = check.max_id + 1;
    if (err == 0) err = open_runs(st, m, why);
    if (err == 0) take_segments(st, m, &absent);
    if (err == 0 && !st->look_only) err = mg_files_make_folders(st, true, why); // behind all that refuses the start
    mg_free(absent.ids);
    return err;
}

// Whether anything is to be erased is known when the journal was read. Before a recount it is not, so what may be is.
static void going_file(void *arg, const struct mg_file_finding *f) {
    struct mg_store *st = arg;
    bool erase = st->recount || atomic_load(&st->to_erase);
    if (f->kind == MG_FILE_SEGMENT && erase) mg_file_overwrite(st, f->id, f->size);
}

int mg_files_clear(struct mg_store *st, struct mg_disk_why *why) {
    struct mg_file_check check = {.found = found_file, .going = going_file, .arg = st};
    struct mg_manifest m = {0};
    struct mg_manifest_loaded loaded;
    int err = mg_manifest_load(st->disk, &m, &loaded);
    // It was until just now: what it may have listed stays for this time.
    if (st->keeping->slot_damaged && loaded.used >= 0) loaded.slots[1 - loaded.used] = MG_SLOT_DAMAGED;
    if (err) *why = loaded.why;
    else err = mg_manifest_check_files(st->disk, &m, &loaded, &check, why);
    mg_manifest_fini(&m);
    return err;
}

int mg_files_mirror(struct mg_store *st, struct mg_disk_why *why) {
    struct mg_manifest m = {0};
    struct mg_manifest_loaded loaded;
    int err = mg_manifest_load(st->disk, &m, &loaded);
    if (err) {
        *why = loaded.why;
    } else if (!loaded.same && (err = mg_manifest_store(st->disk, &m, why)) != 0) {
        // One that could not be read may be the newer one. Should it come back, it must not find a journal that went on
        // from the older one: replay relies on what was in memory when a change was decided.
        bool other_valid = loaded.slots[1 - loaded.used] == MG_SLOT_VALID;
        mg_store_say(st, MG_LOG_ERR, "cannot write the manifest: %s", why->text);
        st->keeping->in_doubt = true;
        if (other_valid) keep_all(st->keeping, &m);
        if (other_valid) err = 0;
        else snprintf(why->text, sizeof(why->text), "manifest-%d can neither be read nor written", 1 - loaded.used);
    }
    if (err == 0) st->head.generation = m.head.generation;
    mg_manifest_fini(&m);
    return err;
}

int mg_files_open(struct mg_store *st, struct mg_disk_why *why) {
    struct mg_manifest m = {0};
    struct mg_manifest_loaded loaded;
    int err = mg_manifest_load(st->disk, &m, &loaded);
    if (err == MG_ENOTFOUND && !st->look_only) {
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
    k->segments = NULL;
    k->segments_len = 0;
    // Limbo: the start will see which manifest it is, and what belongs to nothing.
    for (uint32_t i = 0; i < k->limbo_segments_len; i++) mg_segment_ref_put(k->limbo_segments[i]);
    for (uint32_t i = 0; i < k->limbo_runs_len; i++) mg_run_ref_put(k->limbo_runs[i]);
    k->limbo_segments_len = k->limbo_runs_len = 0;
    mg_free(k->limbo_segments);
    mg_free(k->limbo_runs);
    mg_facts_fini(&k->facts);
    mg_free(k->erase);
    for (uint32_t i = 0; i < k->lost_len; i++) mg_segment_ref_put(k->lost[i]);
    mg_free(k->lost);
    k->lost = NULL;
    k->lost_len = 0;
}
