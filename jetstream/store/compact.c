// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Compaction: a few segments are written again without what was removed, and as fewer, longer stretches.
//
//   1. the inputs are chosen (compact_pick.c); checkpoints leave them in the manifest until the job ends (`busy`)
//   2. their sections are copied in the order of (stream, sequence). What is removed is known from the facts (`first`)
//      and from the bitmaps in the tables. Neighbouring stretches of a stream become one section: a *group*
//   3. a run with the rows of the new stretches, and tombstones of the old ones
//   4. files synced, directories synced, one manifest: new segments and run in, old segments out
//   5. the parts exchange their stretches (swap.c)
//
// Messages that are removed while this goes on stay in the new segment and stay removed: their bits are rows of their
// own. Each group consists of whole stretches, so how many messages live in it is the sum of what lives in these, at
// any moment: as of the last checkpoint for the row, as of now for the part.
//
// A section never spans a stretch that is not an input: where one lies between two, a new group begins.
//
// Checkpoints are made in between (mg_keeper_pace). They add stretches behind all others, remove dead ones and streams,
// and let bits become more: nothing of it makes wrong what was copied. Facts are looked up anew each time. So are
// merges of runs, which leave out rows of bits only where no segment holds a removed message.
//
// It fails without a trace: the new files are deleted, the old ones stay. A segment that cannot be read in full, or
// that does not hold what the facts say, is left alone from then on.
#include "jetstream/store/compact.h"

#include <stdlib.h>
#include <string.h>

#include "jetstream/store/compact_pick.h"
#include "jetstream/store/row_kinds.h"
#include "jetstream/store/stretch.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "jetstream/store/swap.h"
#include "jetstream/store/worker.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

#define PRODUCTS_MAX 32u                       // files of a job
#define PRODUCT_BYTES (UINT64_C(128) << 20)    // a file ends at the first stream behind so much
#define PIECE (256u * 1024)                    // read between two breaks
#define SECTION_MESSAGES (1024u * 1024)
#define SECTION_BYTES (UINT64_C(1) << 30)
#define SECTION_SUBJECTS (UINT64_C(16) << 20)
#define SUBJECT_BLOCK (32u * 1024)             // bytes of subjects that a block stands for, at most

// A section of an input.
struct input {
    struct mg_segment_ref *segment;
    const struct mg_segment *open; // the same
    struct mg_section at;
    uint32_t group;
};

struct job {
    struct mg_store *st;
    struct mg_segment_ref *from[MG_COMPACT_MAX]; // with references
    uint32_t from_len, from_used; // the first so many are open
    struct input *inputs; // by stream and number
    uint32_t inputs_len;
    struct mg_swap_group *groups;
    uint32_t groups_len;
    uint32_t open_group;  // whose section comes out of the builder next
    bool confused;        // a section came out that is nobody's

    uint64_t first_id, next_id;
    struct mg_segment_write write; // file NULL: none is open
    uint32_t file_groups;          // first group of the open file
    struct mg_segment_ref *products[PRODUCTS_MAX];
    uint32_t products_len;
    struct mg_run_ref *run;

    uint64_t chunk;       // bitmap of removed messages that is in `bits`
    uint64_t chunk_stream;
    bool chunk_known;
    struct mg_buf bits;
    size_t since_pause;
};

// ---- inputs ---------------------------------------------------------------------------------------------------------

static int by_message(const void *a, const void *b) {
    const struct input *x = a, *y = b;
    if (x->at.stream != y->at.stream) return x->at.stream < y->at.stream ? -1 : 1;
    return (x->at.first_seq > y->at.first_seq) - (x->at.first_seq < y->at.first_seq);
}

static int list_sections(struct job *j, struct mg_segment_ref *from) {
    const struct mg_segment *g;
    int err = mg_segment_use(from, &g);
    if (err) return err;
    j->from_used++;
    j->inputs = mg_realloc(j->inputs, (j->inputs_len + g->sections + (size_t)1) * sizeof(j->inputs[0]));
    for (uint32_t k = 0; k < g->sections && err == 0; k++) {
        struct input *in = &j->inputs[j->inputs_len++];
        *in = (struct input){.segment = from, .open = g};
        err = mg_segment_section(g, k, &in->at);
    }
    return err;
}

static int list_inputs(struct job *j, struct mg_segment_ref **bad) {
    for (uint32_t i = 0; i < j->from_len; i++) {
        *bad = j->from[i];
        int err = list_sections(j, j->from[i]);
        if (err) return err;
    }
    *bad = NULL;
    j->groups = mg_zalloc((j->inputs_len + 1u) * sizeof(j->groups[0]));
    if (j->inputs_len) qsort(j->inputs, j->inputs_len, sizeof(j->inputs[0]), by_message);
    return 0;
}

// Its place among the stretches of its stream; -1: the facts do not know it.
static int64_t place_of(const struct mg_facts *f, const struct mg_fact *x, const struct input *in) {
    for (uint32_t i = 0; i < x->len; i++) {
        const struct mg_fact_stretch *s = &f->stretches[x->at + i];
        if (s->segment == in->segment->id && s->first_seq == in->at.first_seq) return i;
    }
    return -1;
}

// ---- copying --------------------------------------------------------------------------------------------------------

static int is_removed(struct job *j, uint64_t stream, uint64_t seq, bool *out) {
    uint64_t chunk = seq / MG_REMOVED_SPAN, bit = seq % MG_REMOVED_SPAN;
    if (chunk != j->chunk || stream != j->chunk_stream) {
        char key[MG_ROW_KEY_HEAD + 8];
        mg_row_key_head(key, MG_ROW_REMOVED, stream);
        mg_put_be64(key + MG_ROW_KEY_HEAD, chunk);
        j->bits.len = 0;
        int err = mg_runset_get(j->st->runs, mg_slice_of(key, sizeof(key)), &j->bits);
        if (err && err != MG_ENOTFOUND) return err;
        j->chunk_known = err == 0 && j->bits.len == MG_REMOVED_BYTES;
        j->chunk = chunk;
        j->chunk_stream = stream;
    }
    *out = j->chunk_known && (j->bits.p[bit / 8] >> (bit % 8) & 1);
    return 0;
}

static int pause(struct job *j, size_t bytes) {
    j->since_pause += bytes;
    if (j->since_pause < PIECE) return 0;
    j->since_pause = 0;
    return mg_keeper_pace(j->st);
}

static int copy_record(struct job *j, const struct mg_section_scan *scan, const struct mg_section_entry *e,
                       uint64_t stream, bool whole, uint64_t *copied) {
    bool gone = false;
    int err = whole ? 0 : is_removed(j, stream, e->seq, &gone);
    if (err || gone) return err;
    ++*copied;
    return mg_segment_builder_add(j->write.builder, mg_section_scan_record(scan));
}

// What lives of an input. MG_ECORRUPT: it cannot be read in full, or holds less than it should.
static int copy_input(struct job *j, const struct input *in, uint64_t first, uint64_t live) {
    struct mg_section_scan *scan = mg_section_scan_new(in->open, &in->at, NULL, 0, true);
    struct mg_section_entry e;
    struct mg_record_view v;
    uint64_t copied = 0;
    int err;
    mg_section_scan_seek(scan, first);
    while ((err = mg_section_scan_next(scan, &e, &v)) != MG_ENOTFOUND) {
        if (err && MG_PLANTED(compacted_away)) continue;
        if (err) break;
        err = copy_record(j, scan, &e, in->at.stream, live == in->at.messages, &copied);
        if (err == 0) err = pause(j, e.length);
        if (err) break;
    }
    mg_section_scan_free(scan);
    if (err != MG_ENOTFOUND) return err;
    // Checkpoints in between can only have made the true number smaller than what was copied.
    const struct mg_facts *f = &j->st->keeping->facts;
    const struct mg_fact *x = mg_facts_find(f, in->at.stream);
    int64_t place = x ? place_of(f, x, in) : -1;
    bool less = x && (place < 0 || f->stretches[x->at + (uint32_t)place].live > copied);
    return less && !MG_PLANTED(compacted_away) ? MG_ECORRUPT : 0;
}

// ---- files ----------------------------------------------------------------------------------------------------------

static void take_section(void *arg, uint32_t ordinal, const struct mg_section *at) {
    struct job *j = arg;
    struct mg_swap_group *g = &j->groups[j->open_group];
    if (j->open_group >= j->groups_len || g->at.messages > 0 || g->stream != at->stream || at->first_seq < g->from ||
        at->last_seq > g->to) {
        j->confused = true;
        return;
    }
    g->at = *at;
    g->section = ordinal;
}

static bool has_messages(void *arg) {
    const struct job *j = arg;
    for (uint32_t i = j->file_groups; i < j->groups_len; i++) {
        if (j->groups[i].at.messages) return true;
    }
    return false;
}

static int open_file(struct job *j) {
    if (j->products_len == PRODUCTS_MAX) return MG_EFULL;
    j->file_groups = j->groups_len;
    int err = mg_segment_write_open(&j->write, j->st, j->next_id, take_section, j);
    if (err) return err;
    j->next_id++;
    // Sections end where groups do, and only there.
    mg_segment_builder_unlimited(j->write.builder);
    return 0;
}

static int close_file(struct job *j, int err) {
    if (j->write.file == NULL) return err;
    struct mg_segment_ref *g;
    err = mg_segment_write_close(&j->write, err, has_messages, j, &g);
    j->write.file = NULL;
    if (g == NULL) return err;
    for (uint32_t i = 0; i < j->from_len; i++) {
        if (j->from[i]->age > g->age) g->age = j->from[i]->age;
    }
    j->products[j->products_len++] = g;
    for (uint32_t i = j->file_groups; i < j->groups_len; i++) {
        if (j->groups[i].at.messages) j->groups[i].segment = mg_segment_ref_get(g);
    }
    return err;
}

// Ends the section of the last group: what comes belongs to another one.
static void end_group(struct job *j) {
    if (j->write.file) mg_segment_builder_break(j->write.builder);
}

// Does it follow the input before it without anything in between, and is there room in the section?
static bool goes_on(const struct job *j, const struct mg_fact *x, int64_t place, const struct input *in) {
    const struct mg_facts *f = &j->st->keeping->facts;
    if (in == j->inputs || j->groups_len == 0 || in[-1].at.stream != in->at.stream) return false;
    if (place_of(f, x, in - 1) + 1 != place) return false;
    uint64_t messages, bytes, subjects;
    mg_segment_builder_section(j->write.builder, &messages, &bytes, &subjects);
    return messages == 0 || (messages + in->at.messages <= SECTION_MESSAGES &&
                             bytes + in->at.data_bytes <= SECTION_BYTES &&
                             subjects + (uint64_t)in->at.blocks * SUBJECT_BLOCK <= SECTION_SUBJECTS);
}

static int next_group(struct job *j, const struct input *in, bool packed) {
    bool new_stream = j->groups_len == 0 || j->groups[j->groups_len - 1].stream != in->at.stream;
    int err = 0;
    end_group(j);
    if (j->write.file && new_stream && mg_file_writer_at(&j->write.writer) >= PRODUCT_BYTES &&
        j->products_len + 1 < PRODUCTS_MAX)
        err = close_file(j, 0);
    if (err == 0 && j->write.file == NULL) err = open_file(j);
    if (err == 0) mg_segment_builder_pack(j->write.builder, packed);
    j->open_group = j->groups_len;
    j->groups[j->groups_len++] =
        (struct mg_swap_group){.stream = in->at.stream, .from = in->at.first_seq, .to = in->at.last_seq};
    return err;
}

static int copy_all(struct job *j, struct mg_segment_ref **bad) {
    int err = 0;
    for (uint32_t i = 0; i < j->inputs_len && err == 0; i++) {
        struct input *in = &j->inputs[i];
        const struct mg_facts *f = &j->st->keeping->facts;
        const struct mg_fact *x = mg_facts_find(f, in->at.stream);
        if (x == NULL) { // of a stream that was dropped
            in->group = UINT32_MAX;
            continue;
        }
        *bad = in->segment;
        int64_t place = place_of(f, x, in);
        if (place < 0) return MG_ECORRUPT;
        if (!goes_on(j, x, place, in)) err = next_group(j, in, x->packed);
        if (err) break;
        in->group = j->groups_len - 1;
        j->groups[in->group].to = in->at.last_seq;
        uint64_t live = f->stretches[x->at + (uint32_t)place].live;
        if (live) err = copy_input(j, in, x->first, live);
    }
    end_group(j);
    return j->confused && err == 0 ? MG_EINVAL : err;
}

// ---- rows -----------------------------------------------------------------------------------------------------------

static void put_cell(struct mg_rowmap *m, mg_slice key, const char *value, uint32_t n) {
    bool added;
    struct mg_cell *cell = mg_rowmap_put(m, mg_row_hash(0, key), key, n, &added);
    cell->flags = value ? 0 : MG_CELL_DELETED;
    if (value) memcpy(cell->value, value, n);
}

// How many live in each group, as of the last checkpoint; tombstones of the old rows.
static void count_groups(struct job *j, struct mg_rowmap *rows) {
    const struct mg_facts *f = &j->st->keeping->facts;
    for (uint32_t i = 0; i < j->inputs_len; i++) {
        const struct input *in = &j->inputs[i];
        char key[MG_STRETCH_KEY];
        const struct mg_fact *x = mg_facts_find(f, in->at.stream);
        int64_t place = x ? place_of(f, x, in) : -1;
        if (in->group == UINT32_MAX || place < 0) continue;
        j->groups[in->group].row_live += f->stretches[x->at + (uint32_t)place].live;
        mg_stretch_key(in->at.stream, in->at.first_seq, key);
        put_cell(rows, mg_slice_of(key, sizeof(key)), NULL, 0);
    }
}

static void put_groups(struct job *j, struct mg_rowmap *rows) {
    for (uint32_t i = 0; i < j->groups_len; i++) {
        struct mg_swap_group *g = &j->groups[i];
        if (g->segment == NULL || mg_facts_find(&j->st->keeping->facts, g->stream) == NULL) continue;
        if (g->row_live > g->at.messages) g->row_live = g->at.messages;
        char key[MG_STRETCH_KEY], value[MG_STRETCH_ROW_SIZE];
        struct mg_stretch c = mg_stretch_of(g->segment, g->section, &g->at);
        c.live = (uint32_t)g->row_live;
        mg_stretch_encode(g->stream, &c, key, value);
        put_cell(rows, mg_slice_of(key, sizeof(key)), value, sizeof(value));
    }
}

static int write_rows(struct job *j) {
    struct mg_rowmap *rows = mg_rowmap_new();
    count_groups(j, rows);
    put_groups(j, rows);
    struct mg_cell **cells = mg_rowmap_sorted(rows);
    struct mg_run_write w;
    int err = mg_run_write_open(&w, j->st, j->next_id, true);
    for (uint32_t i = 0; i < rows->count && err == 0; i++) {
        bool gone = cells[i]->flags & MG_CELL_DELETED;
        struct mg_row row = {mg_cell_key(cells[i]), gone ? (mg_slice){NULL, 0} : mg_cell_value(cells[i]), gone};
        err = mg_run_builder_add(w.builder, &row);
    }
    err = mg_run_write_close(&w, err, &j->run);
    mg_free(cells);
    mg_rowmap_unref(rows);
    return err;
}

// ---- the exchange ---------------------------------------------------------------------------------------------------

static int commit(struct job *j) {
    struct mg_files_change change = {
        .job = j->first_id,
        .segments = j->products,
        .segments_len = j->products_len,
        .runs = &j->run,
        .runs_len = 1,
        .old_segments = j->from,
        .old_segments_len = j->from_len,
    };
    return mg_files_commit(j->st, &change);
}

static bool is_input(const struct job *j, uint64_t id) {
    for (uint32_t i = 0; i < j->from_len; i++) {
        if (j->from[i]->id == id) return true;
    }
    return false;
}

// The facts with the new stretches in the places of the old ones. Groups are in the order of streams and numbers, too.
static void change_facts(struct job *j) {
    struct mg_facts old = j->st->keeping->facts, now = {0};
    uint32_t at = 0;
    for (uint32_t i = 0; i < old.len; i++) {
        const struct mg_fact *x = &old.streams[i];
        mg_facts_add(&now, x);
        while (at < j->groups_len && j->groups[at].stream < x->stream) at++;
        for (uint32_t k = 0; k <= x->len; k++) {
            const struct mg_fact_stretch *s = k < x->len ? &old.stretches[x->at + k] : NULL;
            for (; at < j->groups_len && j->groups[at].stream == x->stream &&
                   (s == NULL || j->groups[at].from <= s->first_seq);
                 at++) {
                const struct mg_swap_group *g = &j->groups[at];
                if (g->segment == NULL) continue;
                mg_facts_add_stretch(&now, mg_fact_stretch_of(g->segment->id, g->at.first_seq, g->at.last_seq,
                                                                     g->at.messages, (uint32_t)g->row_live));
            }
            if (s && !is_input(j, s->segment)) mg_facts_add_stretch(&now, *s);
        }
    }
    mg_facts_fini(&old);
    j->st->keeping->facts = now;
}

static void swapped(struct mg_parcel *p) {
    struct mg_swap *w = mg_container_of(p, struct mg_swap, parcel);
    w->part->store->keeping->swapped++;
    mg_swap_free(w);
}

static void tell_part(const struct job *j, unsigned part) {
    struct mg_swap *w = mg_zalloc(sizeof(*w));
    w->part = j->st->parts[part];
    w->keeper = j->st->keeper;
    w->swapped = swapped;
    w->groups = mg_alloc((j->groups_len + 1u) * sizeof(w->groups[0]));
    for (uint32_t i = 0; i < j->groups_len; i++) {
        if (j->groups[i].stream % j->st->o.parts != part) continue;
        w->groups[w->groups_len++] = j->groups[i];
        if (j->groups[i].segment) mg_segment_ref_get(j->groups[i].segment);
    }
    w->parcel.arrived = mg_swap_arrived;
    mg_inbox_post(&w->part->inbox, &w->parcel);
}

static void tell_parts(const struct job *j) {
    struct mg_keeper *k = j->st->keeping;
    k->swapped = 0;
    for (unsigned i = 0; i < j->st->o.parts; i++) tell_part(j, i);
    while (k->swapped < j->st->o.parts && !atomic_load(&k->closing)) mg_worker_wait(j->st->keeper);
}

// ---- the job --------------------------------------------------------------------------------------------------------

static int run(struct job *j, struct mg_segment_ref **bad) {
    int err = mg_files_begin(j->st, PRODUCTS_MAX + 1, &j->first_id);
    if (err) return err;
    j->next_id = j->first_id;
    err = list_inputs(j, bad);
    if (err == 0) err = copy_all(j, bad);
    err = close_file(j, err);
    if (err == 0) err = write_rows(j);
    if (err == 0) err = mg_files_sync_dirs(j->st);
    if (err == 0) err = commit(j);
    if (err) return err;
    change_facts(j);
    tell_parts(j);
    return 0;
}

static void give_up(struct job *j, int err, struct mg_segment_ref *bad) {
    mg_files_abandon(j->st, j->products, j->products_len, &j->run, j->run != NULL);
    mg_files_end(j->st, j->first_id);
    j->products_len = 0;
    j->run = NULL;
    if (err == MG_ECLOSED) return;
    bool damaged = bad && (err == MG_ECORRUPT || err == MG_EIO || err == MG_ERANGE);
    if (damaged) bad->left_alone = true;
    mg_store_say(j->st, MG_LOG_WRN, "segment %016llx could not be compacted: %s%s",
                 (unsigned long long)(bad ? bad->id : 0), mg_strerror(err), damaged ? "; it is left as it is" : "");
}

static void end(struct job *j) {
    for (uint32_t i = 0; i < j->groups_len; i++) mg_segment_ref_put(j->groups[i].segment);
    for (uint32_t i = 0; i < j->products_len; i++) mg_segment_ref_put(j->products[i]);
    mg_run_ref_put(j->run);
    for (uint32_t i = 0; i < j->from_used; i++) mg_segment_unuse(j->from[i]);
    for (uint32_t i = 0; i < j->from_len; i++) {
        j->from[i]->busy = false;
        mg_segment_ref_put(j->from[i]);
    }
    mg_free(j->inputs);
    mg_free(j->groups);
    mg_buf_fini(&j->bits);
}

int mg_compact_segments(struct mg_store *st, struct mg_segment_ref *const *from, uint32_t n) {
    struct job j = {.st = st, .chunk = UINT64_MAX};
    mg_assert(n > 0 && n <= MG_COMPACT_MAX && st->keeping->knows);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < n; i++) {
        j.from[j.from_len++] = mg_segment_ref_get(from[i]);
        from[i]->busy = true;
        bytes += from[i]->size;
    }
    struct mg_segment_ref *bad = NULL;
    uint64_t outer = mg_keeper_enter(st, bytes);
    st->keeping->compacting = true;
    int err = run(&j, &bad);
    st->keeping->compacting = false;
    mg_keeper_leave(st, outer);
    if (err) {
        give_up(&j, err, bad);
    } else {
        atomic_fetch_add(&st->keeping->compactions, 1);
    }
    end(&j);
    return err;
}

// ---- the choice -----------------------------------------------------------------------------------------------------

static struct mg_compact_item *items_of(struct mg_store *st) {
    struct mg_keeper *k = st->keeping;
    uint32_t n;
    struct mg_fact_segment *facts = mg_facts_segments(&k->facts, &n);
    struct mg_compact_item *list = mg_alloc((k->segments_len + 1u) * sizeof(*list));
    for (uint32_t i = 0; i < k->segments_len; i++) {
        const struct mg_segment_ref *g = k->segments[i];
        const struct mg_fact_segment *f = mg_fact_segment_find(facts, n, g->id);
        uint64_t all = g->messages, live = f ? f->live : 0;
        if (live > all) live = all;
        list[i] = (struct mg_compact_item){.id = g->id, .size = g->size, .age = g->age};
        list[i].live = all ? g->size * ((live << 16) / all) >> 16 : 0; // in 64 bits for files up to 2^47
        list[i].stretches = f ? f->stretches : 0;
        // What is dead as a whole goes with the next checkpoint.
        list[i].usable = live > 0 && !g->left_alone && !g->busy;
    }
    mg_free(facts);
    mg_compact_sort(list, k->segments_len);
    return list;
}

// Is there room for what is copied, and for a checkpoint beside it?
static bool has_room(struct mg_store *st, const struct mg_compact_item *list, const uint32_t *picked, uint32_t n) {
    struct mg_disk_space space;
    uint64_t need = 2 * st->o.ring_bytes;
    for (uint32_t i = 0; i < n; i++) need += list[picked[i]].live;
    return mg_disk_space(st->disk, &space, NULL) != 0 || space.free >= need;
}

bool mg_compact(struct mg_store *st) {
    struct mg_keeper *k = st->keeping;
    if (!k->knows) return false;
    struct mg_compact_item *list = items_of(st);
    uint32_t picked[MG_COMPACT_MAX], n = mg_compact_pick(list, k->segments_len, picked);
    struct mg_segment_ref *from[MG_COMPACT_MAX];
    for (uint32_t i = 0; i < n; i++) from[i] = mg_keeper_segment(st, list[picked[i]].id);
    k->garbage = mg_compact_garbage(list, k->segments_len);
    bool go = n > 0 && has_room(st, list, picked, n);
    mg_free(list);
    if (!go) return false;
    int err = mg_compact_segments(st, from, n);
    return err == 0 || err == MG_ECORRUPT || err == MG_EIO; // a damaged one is not chosen again
}
