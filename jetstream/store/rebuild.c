// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Writing a store anew from what can be read of it: when both copies of a table, or of the manifest, are lost.
//
//   1. what there is: by the manifest; without one, every file in the folders
//   2. rows of streams, counters and stretches: those that can be read, in memory. What should be there and is not is
//      made up from the sections of segments: a stream without a row is called recovered-<number>
//   3. every message of every segment is read: counters and rows of subjects are what was counted
//   4. a new run of primary rows, one of subjects, a manifest in both slots that names them and the readable segments
//   5. whatever the new manifest does not name goes to lost+found
//
// Segments and the journal stay as they are; the journal is replayed by the next start. Until the manifest of step 4 is
// written nothing has changed but for new files; after a crash behind it the rest is done by the next start.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jetstream/store/assume.h"
#include "jetstream/store/check.h"
#include "jetstream/store/files.h"
#include "jetstream/store/merge.h"
#include "jetstream/store/recount.h"
#include "jetstream/store/stretch.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

struct place { // a stretch, and whether a row said so
    struct mg_stretch at;
    uint64_t stream;
    bool listed;
};

struct rebuild {
    mg_check_fn report;
    void *arg;
    enum mg_check_verdict worst;
    struct mg_store *st;
    struct mg_disk_why why;
    struct mg_manifest was;
    struct mg_manifest_loaded loaded;
    bool holes;            // rows of streams may be missing
    struct mg_rowmap *rows; // of the kinds STREAM, STATE, STRETCH, as they will be
    struct place *places;
    uint32_t nplaces, places_cap;
    uint64_t *streams;
    uint32_t nstreams;
    uint64_t messages;
};

static void tell(struct rebuild *r, enum mg_check_verdict meaning, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void tell(struct rebuild *r, enum mg_check_verdict meaning, const char *fmt, ...) {
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (meaning > r->worst) r->worst = meaning;
    r->report(r->arg, meaning, text);
}

// ---- the manifest ---------------------------------------------------------------------------------------------------

static int assume_manifest(struct rebuild *r) {
    if (!mg_manifest_assume(r->st->disk, &r->was)) {
        tell(r, MG_CHECK_LOST, "There is no manifest and no file that tells the store's salt: nothing can be read");
        return MG_ECORRUPT;
    }
    r->holes = true;
    tell(r, MG_CHECK_LOST, "No manifest can be read: all files there are were taken. Streams, messages and consumers "
                           "that were deleted may be back, settings may be older ones");
    return 0;
}

// Before the lock, which leaves a file behind.
static bool is_store(struct rebuild *r, const char *dir) {
    struct mg_disk *d = NULL;
    int err = mg_disk_open(&d, dir, NULL, MG_DISK_LOOK_ONLY, &r->why);
    if (err) tell(r, MG_CHECK_LOST, "%s", r->why.text);
    if (err) return false;
    bool none = mg_manifest_load(d, &r->was, &r->loaded) == MG_ENOTFOUND;
    if (none) tell(r, MG_CHECK_LOST, "There is no store in %s", dir);
    mg_manifest_fini(&r->was);
    mg_disk_close(d);
    return !none;
}

static int take_manifest(struct rebuild *r) {
    int err = mg_manifest_load(r->st->disk, &r->was, &r->loaded);
    if (err == MG_EUNSUPPORTED) {
        tell(r, MG_CHECK_LOST, "%s", r->loaded.why.text);
    } else if (err) {
        err = assume_manifest(r);
    }
    r->st->head = r->was.head;
    r->st->env.salt = r->was.head.salt;
    r->st->keeping->next_file = r->was.head.next_file;
    return err;
}

// ---- opening --------------------------------------------------------------------------------------------------------

static void open_runs(struct rebuild *r) {
    struct mg_run_ref **runs = mg_alloc((r->was.nruns ? r->was.nruns : 1) * sizeof(struct mg_run_ref *));
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->was.nruns; i++) {
        const struct mg_manifest_run *a = &r->was.runs[i].about;
        bool primary = a->flags & MG_MANIFEST_RUN_PRIMARY;
        int err = mg_run_ref_open(&runs[n], r->st, a->file, a->size, a->foot_sum, primary);
        if (err && primary) {
            r->holes = true;
            tell(r, MG_CHECK_LOST, "Table %016llx cannot be read: its changes to streams and consumers are lost",
                 (unsigned long long)a->file);
        }
        n += err == 0;
    }
    r->st->runs = mg_runset_new(runs, n);
    for (uint32_t i = 0; i < n; i++) mg_run_ref_put(runs[i]);
    mg_free(runs);
}

static void open_segments(struct rebuild *r) {
    struct mg_keeper *k = r->st->keeping;
    k->segments = mg_alloc((r->was.nsegments ? r->was.nsegments : 1) * sizeof(k->segments[0]));
    for (uint32_t i = 0; i < r->was.nsegments; i++) {
        const struct mg_manifest_segment *a = &r->was.segments[i];
        struct mg_segment_ref *g = mg_segment_ref_new(r->st, a);
        const struct mg_segment *open;
        if (mg_segment_use(g, &open) == 0) {
            mg_segment_unuse(g);
            k->segments[k->segments_len++] = g;
        } else {
            mg_segment_ref_put(g);
            tell(r, MG_CHECK_LOST, "Segment %016llx cannot be read: %llu messages are lost",
                 (unsigned long long)a->file, (unsigned long long)a->messages);
        }
    }
}

static struct mg_segment_ref *segment_of(const struct rebuild *r, uint64_t id) {
    for (uint32_t i = 0; i < r->st->keeping->segments_len; i++) {
        if (r->st->keeping->segments[i]->id == id) return r->st->keeping->segments[i];
    }
    return NULL;
}

// ---- rows of streams ------------------------------------------------------------------------------------------------

static void put_row(struct rebuild *r, mg_slice key, mg_slice value) {
    bool added;
    struct mg_cell *cell = mg_rowmap_put(r->rows, mg_row_hash(0, key), key, (uint32_t)value.n, &added);
    if (value.n) memcpy(cell->value, value.p, value.n);
}

static const struct mg_cell *get_row(const struct rebuild *r, enum mg_row_kind kind, uint64_t stream) {
    char key[MG_ROW_KEY_HEAD];
    mg_row_key_head(key, kind, stream);
    mg_slice k = mg_slice_of(key, sizeof(key));
    return mg_rowmap_get(r->rows, mg_row_hash(0, k), k);
}

static void add_place(struct rebuild *r, uint64_t stream, const struct mg_stretch *c, bool listed) {
    if (r->nplaces == r->places_cap) {
        r->places_cap = r->places_cap ? r->places_cap * 2 : 64;
        r->places = mg_realloc(r->places, r->places_cap * sizeof(r->places[0]));
    }
    r->places[r->nplaces++] = (struct place){*c, stream, listed};
}

static void take_stretch(struct rebuild *r, const struct mg_row *row) {
    uint64_t file;
    struct mg_stretch c;
    if (mg_stretch_decode(row->key, row->value, &file, &c) != 0) {
        r->holes = true;
        return;
    }
    c.segment = segment_of(r, file);
    if (c.segment) add_place(r, mg_get_be64(row->key.p + 1), &c, true);
}

static void take_rows(struct rebuild *r) {
    struct mg_merge *m = mg_runset_merge(r->st->runs, true, true);
    uint64_t gaps = 0;
    int err;
    if (m == NULL) return;
    for (err = mg_merge_seek(m, (mg_slice){NULL, 0}); err != MG_ENOTFOUND; err = mg_merge_next(m)) {
        if (err) {
            mg_slice low = mg_buf_slice(&mg_merge_gap(m)->low);
            if (low.n && low.p[0] > MG_ROW_STRETCH) break;
            gaps++;
            continue;
        }
        const struct mg_row *row = mg_merge_row(m);
        if (row->key.n < MG_ROW_KEY_HEAD) continue;
        if (row->key.p[0] > MG_ROW_STRETCH) break;
        if (row->key.p[0] == MG_ROW_STRETCH) take_stretch(r, row);
        else put_row(r, row->key, row->value);
    }
    mg_merge_free(m);
    if (gaps == 0) return;
    r->holes = true;
    tell(r, MG_CHECK_LOST, "Rows of streams in %llu places cannot be read", (unsigned long long)gaps);
}

// What the segments have and no row names. Without holes in the tables that was removed on purpose.
static void take_sections(struct rebuild *r) {
    for (uint32_t i = 0; i < r->st->keeping->segments_len; i++) {
        struct mg_segment_ref *ref = r->st->keeping->segments[i];
        const struct mg_segment *g;
        if (mg_segment_use(ref, &g) != 0) continue;
        for (uint32_t k = 0; k < g->sections; k++) {
            struct mg_section at;
            if (mg_segment_section(g, k, &at) != 0) continue;
            struct mg_stretch c = mg_stretch_of(ref, k, &at);
            add_place(r, at.stream, &c, false);
        }
        mg_segment_unuse(ref);
    }
}

static int by_place(const void *a, const void *b) {
    const struct place *x = a, *y = b;
    if (x->stream != y->stream) return x->stream < y->stream ? -1 : 1;
    if (x->at.first_seq != y->at.first_seq) return x->at.first_seq < y->at.first_seq ? -1 : 1;
    return y->listed - x->listed;
}

static bool overlaps_listed(const struct rebuild *r, const struct place *x, uint32_t from) {
    for (uint32_t i = from; i < r->nplaces; i++) {
        const struct place *y = &r->places[i];
        if (y->stream != x->stream || y->at.first_seq > x->at.last_seq) return false;
        if (y->listed) return true;
    }
    return false;
}

// Sorted, and no number twice: a place that a row names wins, then the first one.
static void settle_places(struct rebuild *r) {
    uint32_t kept = 0;
    if (r->nplaces) qsort(r->places, r->nplaces, sizeof(r->places[0]), by_place);
    for (uint32_t i = 0; i < r->nplaces; i++) {
        const struct place *x = &r->places[i], *before = kept ? &r->places[kept - 1] : NULL;
        if (before && before->stream == x->stream && before->at.last_seq >= x->at.first_seq) continue;
        if (!x->listed && overlaps_listed(r, x, i + 1)) continue;
        r->places[kept++] = *x;
    }
    r->nplaces = kept;
}

static bool name_taken(const struct rebuild *r, mg_slice name) {
    for (uint32_t i = mg_rowmap_end(r->rows); i-- > 0;) {
        const struct mg_cell *c = mg_rowmap_at(r->rows, i);
        struct mg_stream_row row;
        if (c == NULL || c->key[0] != MG_ROW_STREAM || c->value_len < MG_STREAM_ROW_SIZE) continue;
        mg_stream_row_unpack(&row, c->value);
        if (row.name_len != name.n || c->value_len - MG_STREAM_ROW_SIZE < name.n) continue;
        if (memcmp(c->value + MG_STREAM_ROW_SIZE, name.p, name.n) == 0) return true;
    }
    return false;
}

// Settings are not for the store to make up: it leaves them empty (stream_config.h: mg_js_stream_recover).
static void make_up_stream(struct rebuild *r, uint64_t id) {
    char key[MG_ROW_KEY_HEAD], name[60], value[MG_STREAM_ROW_SIZE + sizeof(name)];
    int n = snprintf(name, sizeof(name), "recovered-%llu", (unsigned long long)id);
    for (unsigned i = 2; name_taken(r, mg_slice_of(name, (size_t)n)); i++)
        n = snprintf(name, sizeof(name), "recovered-%llu-%u", (unsigned long long)id, i);
    struct mg_stream_row row = {.id = id, .first_seq = 1, .name_len = (uint16_t)n};
    mg_stream_row_pack(value, &row);
    memcpy(value + MG_STREAM_ROW_SIZE, name, (size_t)n);
    mg_row_key_head(key, MG_ROW_STREAM, id);
    put_row(r, mg_slice_of(key, sizeof(key)), mg_slice_of(value, MG_STREAM_ROW_SIZE + (size_t)n));
    tell(r, MG_CHECK_LOST, "Stream number %llu has messages, but its name and settings are lost: it is called %s",
         (unsigned long long)id, name);
}

static int by_number(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void list_streams(struct rebuild *r) {
    for (uint32_t i = 0; r->holes && i < r->nplaces; i++) {
        uint64_t id = r->places[i].stream;
        if (get_row(r, MG_ROW_STREAM, id) == NULL) make_up_stream(r, id);
    }
    r->streams = mg_alloc((r->rows->count + 1) * sizeof(r->streams[0]));
    for (uint32_t i = mg_rowmap_end(r->rows); i-- > 0;) {
        const struct mg_cell *c = mg_rowmap_at(r->rows, i);
        if (c && c->key[0] == MG_ROW_STREAM) r->streams[r->nstreams++] = mg_get_be64(c->key + 1);
    }
    qsort(r->streams, r->nstreams, sizeof(r->streams[0]), by_number);
}

// ---- counting -------------------------------------------------------------------------------------------------------

static void put_state(struct rebuild *r, const struct mg_recount *n, struct mg_state_row *row, bool known) {
    char key[MG_ROW_KEY_HEAD], value[MG_STATE_ROW_SIZE + MG_LOST_BYTES_MAX];
    uint64_t had = known ? row->msgs : n->msgs + n->unreadable;
    if (had > n->msgs) {
        row->lost += had - n->msgs;
        tell(r, MG_CHECK_LOST, "Stream number %llu: %llu of %llu messages are lost", (unsigned long long)n->stream,
             (unsigned long long)(had - n->msgs), (unsigned long long)had);
    }
    if (n->op > row->op) row->op = n->op;
    if (n->last > row->last) row->last = n->last;
    if (n->last_time > row->last_time) row->last_time = n->last_time;
    row->first = n->msgs ? n->first : row->last + 1;
    row->msgs = n->msgs;
    row->bytes = n->bytes;
    row->subjects = n->subjects;
    row->flags = MG_STATE_FIRST_EXACT | MG_STATE_REBUILT;
    row->overlooked = n->left_out;
    mg_state_row_pack(value, row);
    size_t size = MG_STATE_ROW_SIZE + mg_lost_encode(&n->lost, value + MG_STATE_ROW_SIZE);
    mg_row_key_head(key, MG_ROW_STATE, n->stream);
    put_row(r, mg_slice_of(key, sizeof(key)), mg_slice_of(value, size));
    r->messages += n->msgs;
}

static int recount_stream(struct rebuild *r, uint64_t id, uint32_t *at, struct mg_run_builder *b) {
    struct mg_stretch *list = mg_alloc((r->nplaces + 1) * sizeof(*list));
    struct mg_state_row state = {.first = 1};
    struct mg_stream_row row = {0};
    const struct mg_cell *old = get_row(r, MG_ROW_STATE, id), *self = get_row(r, MG_ROW_STREAM, id);
    bool known = old && old->value_len >= MG_STATE_ROW_SIZE;
    uint32_t n = 0;
    while (*at < r->nplaces && r->places[*at].stream < id) ++*at; // of streams that are gone
    for (; *at < r->nplaces && r->places[*at].stream == id; ++*at) {
        char key[MG_STRETCH_KEY], value[MG_STRETCH_ROW_SIZE];
        list[n++] = r->places[*at].at;
        mg_stretch_encode(id, &list[n - 1], key, value);
        put_row(r, mg_slice_of(key, sizeof(key)), mg_slice_of(value, sizeof(value)));
    }
    if (known) mg_state_row_unpack(&state, old->value);
    if (self->value_len >= MG_STREAM_ROW_SIZE) mg_stream_row_unpack(&row, self->value);
    if (!known && row.first_seq) state.last = row.first_seq - 1;
    struct mg_rowmap *subjects = mg_rowmap_new();
    struct mg_recount count = {.stream = id, .low = state.first, .epoch = state.epoch, .runs = r->st->runs,
                               .max_per_subject = row.max_msgs_per_subject, .stretches = list, .stretches_len = n};
    mg_recount_stream(&count, subjects);
    put_state(r, &count, &state, known);
    int err = mg_recount_write(b, subjects);
    mg_rowmap_unref(subjects);
    mg_free(list);
    return err;
}

// ---- writing --------------------------------------------------------------------------------------------------------

static int write_subjects(struct rebuild *r, struct mg_run_ref **out) {
    struct mg_run_write w;
    uint32_t at = 0;
    int err = mg_run_write_open(&w, r->st, r->st->keeping->next_file++, false);
    for (uint32_t i = 0; i < r->nstreams && err == 0; i++) err = recount_stream(r, r->streams[i], &at, w.builder);
    return mg_run_write_close(&w, err, out);
}

// The highest number of a stream.
static void put_store_row(struct rebuild *r) {
    char key[MG_ROW_KEY_HEAD], value[8];
    const struct mg_cell *old = get_row(r, MG_ROW_STATE, 0);
    uint64_t highest = old && old->value_len >= 8 ? mg_get_u64(old->value) : 0;
    if (r->nstreams && r->streams[r->nstreams - 1] > highest) highest = r->streams[r->nstreams - 1];
    if (r->holes) highest += 1000; // numbers of streams that nobody knows any more
    mg_put_u64(value, highest);
    mg_row_key_head(key, MG_ROW_STATE, 0);
    put_row(r, mg_slice_of(key, sizeof(key)), mg_slice_of(value, sizeof(value)));
}

// Rows of the other primary kinds, as they are.
static int copy_others(struct rebuild *r, struct mg_run_builder *b) {
    struct mg_merge *m = mg_runset_merge(r->st->runs, true, true);
    char from[1] = {MG_ROW_STRETCH + 1};
    uint64_t gaps = 0;
    int err, failed = 0;
    if (m == NULL) return 0;
    for (err = mg_merge_seek(m, mg_slice_of(from, 1)); err != MG_ENOTFOUND && failed == 0; err = mg_merge_next(m)) {
        if (err) {
            gaps++;
            continue;
        }
        failed = mg_run_builder_add(b, mg_merge_row(m));
    }
    mg_merge_free(m);
    if (gaps)
        tell(r, MG_CHECK_LOST,
             "Rows in %llu places cannot be read: state of consumers may be lost, removed messages back",
             (unsigned long long)gaps);
    return failed;
}

static int write_primary(struct rebuild *r, struct mg_run_ref **out) {
    struct mg_run_write w;
    put_store_row(r);
    int err = mg_run_write_open(&w, r->st, r->st->keeping->next_file++, true);
    if (err == 0) err = mg_recount_write(w.builder, r->rows);
    if (err == 0) err = copy_others(r, w.builder);
    return mg_run_write_close(&w, err, out);
}

static int put_slots_aside(struct rebuild *r) {
    int err = 0;
    for (int i = 0; i < 2 && err == 0; i++) {
        char from[24], as[40];
        if (r->loaded.slots[i] != MG_SLOT_DAMAGED) continue;
        snprintf(from, sizeof(from), "manifest-%d", i);
        snprintf(as, sizeof(as), "%s.damaged", from);
        err = mg_put_aside(r->st->disk, from, as);
    }
    return err;
}

static void add_run(struct mg_manifest *m, const struct mg_run_ref *r) {
    struct mg_manifest_run about = {.file = r->id, .size = r->size, .foot_sum = r->foot_sum,
                                    .rows = mg_run_about(r->run)->rows,
                                    .flags = r->primary ? MG_MANIFEST_RUN_PRIMARY : 0};
    mg_slice low, high;
    mg_run_range(r->run, &low, &high);
    mg_manifest_add_run(m, &about, low, high);
}

static void moved(void *arg, const struct mg_file_finding *f) {
    if (f->fate == MG_FATE_ASIDE) tell(arg, MG_CHECK_HEALTHY, "%s was moved to lost+found", f->name);
    if (f->fate == MG_FATE_FAILED) tell(arg, MG_CHECK_DAMAGED, "%s could not be moved to lost+found", f->name);
}

// ---- the journal ----------------------------------------------------------------------------------------------------

// Without a manifest: the first page with a record that the tables do not have.
struct first_needed {
    const struct rebuild *r;
    uint64_t page;
};

static int look_at_record(void *arg, const struct mg_record_view *rec, const void *bytes, uint64_t page) {
    struct first_needed *f = arg;
    struct mg_state_row state;
    const struct mg_cell *c = get_row(f->r, MG_ROW_STATE, rec->head.stream);
    (void)bytes;
    bool needed = rec->head.type == MG_RECORD_STREAM && rec->head.op == 1; // of a new stream
    if (c && c->value_len >= MG_STATE_ROW_SIZE) {
        mg_state_row_unpack(&state, c->value);
        needed = rec->head.op > state.op;
    }
    if (needed && page < f->page) f->page = page;
    return 0;
}

static int find_replay_from(struct rebuild *r, struct mg_manifest_head *head) {
    struct first_needed first = {.r = r, .page = UINT64_MAX};
    struct mg_journal *j;
    struct mg_journal_state state;
    struct mg_journal_options o = {
        .disk = r->st->disk,
        .salt = head->salt,
        .page_bytes = head->page_bytes,
        .file_pages = head->ring_file_pages,
        .files = (uint32_t)(head->ring_pages / head->ring_file_pages),
        .look_only = true,
        .arg = &first,
        .record = look_at_record,
    };
    int err = mg_journal_open(&j, &o, &r->why);
    if (err) return err;
    mg_journal_state(j, &state);
    mg_journal_close(j);
    head->replay_from = first.page < state.head ? first.page : state.head;
    head->incarnation = state.incarnation;
    return 0;
}

static int write_manifest(struct rebuild *r, const struct mg_run_ref *primary, const struct mg_run_ref *subjects) {
    struct mg_manifest m = {.head = r->was.head};
    m.head.next_file = r->st->keeping->next_file;
    m.head.flags = MG_MANIFEST_MARKED;
    add_run(&m, primary);
    add_run(&m, subjects);
    for (uint32_t i = 0; i < r->st->keeping->segments_len; i++) {
        struct mg_manifest_segment about = mg_segment_ref_about(r->st->keeping->segments[i]);
        about.age = 0;
        mg_manifest_add_segment(&m, &about);
    }
    int err = r->loaded.used < 0 ? find_replay_from(r, &m.head) : 0;
    if (err == 0 && mg_journal_look(r->st->disk, NULL) == MG_ENOTFOUND)
        tell(r, MG_CHECK_LOST, "All files of the journal are away: what was only there is lost");
    if (err == 0) err = mg_journal_mark(r->st->disk, &r->why);
    if (err == 0) err = put_slots_aside(r);
    for (int i = 0; i < 2 && err == 0; i++) err = mg_manifest_store(r->st->disk, &m, &r->why);
    struct mg_manifest_loaded both = {.slots = {MG_SLOT_VALID, MG_SLOT_VALID}};
    struct mg_file_check check = {.found = moved, .arg = r};
    if (err == 0) err = mg_manifest_check_files(r->st->disk, &m, &both, &check, &r->why);
    mg_manifest_fini(&m);
    return err;
}

static int write_all(struct rebuild *r) {
    struct mg_run_ref *primary = NULL, *subjects = NULL;
    int err = mg_files_make_folders(r->st, true, &r->why);
    if (err == 0) err = write_subjects(r, &subjects); // counts, so it comes first
    if (err == 0) err = write_primary(r, &primary);
    if (err == 0) err = mg_files_sync_dirs(r->st);
    if (err == 0) err = write_manifest(r, primary, subjects);
    mg_run_ref_put(primary);
    mg_run_ref_put(subjects);
    return err;
}

static int rebuild(struct rebuild *r) {
    int err = take_manifest(r);
    if (err) return err;
    open_segments(r);
    open_runs(r);
    take_rows(r);
    if (r->holes) take_sections(r);
    settle_places(r);
    list_streams(r);
    err = write_all(r);
    const char *why = r->why.text[0] ? r->why.text : mg_strerror(err);
    if (err) tell(r, MG_CHECK_LOST, "The tables could not be written: %s", why);
    else
        tell(r, MG_CHECK_HEALTHY,
             "%u streams with %llu messages, and what can be read of the journal, are as they should be", r->nstreams,
             (unsigned long long)r->messages);
    return err;
}

static void said(void *arg, int level, const char *text) {
    if (level <= MG_LOG_WRN) tell(arg, MG_CHECK_HEALTHY, "%s", text);
}

enum mg_check_verdict mg_store_rebuild(const char *dir, mg_check_fn report, void *arg) {
    struct rebuild r = {.report = report, .arg = arg, .rows = mg_rowmap_new()};
    struct mg_store *st = r.st = mg_zalloc(sizeof(*st));
    mg_segment_pool_init(&st->pool);
    st->o.log = said;
    st->o.log_arg = &r;
    st->keeping = mg_zalloc(sizeof(*st->keeping));
    bool there = is_store(&r, dir);
    bool open = there && mg_disk_open(&st->disk, dir, "midge-server --rebuild-store", 0, &r.why) == 0;
    if (there && !open) tell(&r, MG_CHECK_LOST, "%s", r.why.text);
    bool written = open && rebuild(&r) == 0;
    mg_files_close(st);
    mg_segment_pool_fini(&st->pool);
    mg_disk_close(st->disk);
    mg_manifest_fini(&r.was);
    mg_rowmap_unref(r.rows);
    mg_free(r.places);
    mg_free(r.streams);
    mg_free(st->keeping);
    mg_free(st);
    // The journal and its extents stay as they are: what a start will not find in them counts, too.
    enum mg_check_verdict left = written ? mg_store_check(dir, report, arg) : MG_CHECK_HEALTHY;
    return left > r.worst ? left : r.worst;
}
