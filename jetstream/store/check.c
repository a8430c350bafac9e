// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Two passes. The first looks at files, one after the other, and goes on behind whatever is wrong: the manifest's
// slots, which files there are, every frame of the tables, every record of the segments. The second starts the store as
// a server would, without writing: rows, journal, replay; and then counts what its streams claim to have.
//
// Nothing is decided here that the server would decide otherwise: the second pass is the server's own start.
#include "jetstream/store/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "jetstream/store/files.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

#define FAULTS_TOLD 100u // damaged places that are named one by one

struct check {
    mg_check_fn report;
    void *arg;
    enum mg_check_verdict worst;
    uint64_t faults;
    struct mg_store *st;
    struct mg_disk_why why;
};

static void tell(struct check *c, enum mg_check_verdict meaning, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void tell(struct check *c, enum mg_check_verdict meaning, const char *fmt, ...) {
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (meaning > c->worst) c->worst = meaning;
    c->report(c->arg, meaning, text);
}

// ---- files ----------------------------------------------------------------------------------------------------------

static void found_fault(void *arg, const struct mg_fault *f) {
    struct check *c = arg;
    if (c->faults++ >= FAULTS_TOLD) return;
    if (f->kind == MG_FRAME_RECORD)
        tell(c, MG_CHECK_DAMAGED, "File %016llx: message %llu of stream %llu, at %llu, cannot be read: %s",
             (unsigned long long)f->file, (unsigned long long)f->seq, (unsigned long long)f->stream,
             (unsigned long long)f->at, mg_strerror(f->err));
    else
        tell(c, MG_CHECK_DAMAGED, "File %016llx%s: %s at %llu cannot be read: %s", (unsigned long long)f->file,
             f->copy ? " (second copy)" : "", mg_frame_kind_text(f->kind), (unsigned long long)f->at,
             mg_strerror(f->err));
}

static void found_file(void *arg, const struct mg_file_finding *f) {
    struct check *c = arg;
    switch (f->fate) {
    case MG_FATE_MISSING:
    case MG_FATE_SIZE:
        if (f->survivable)
            tell(c, MG_CHECK_DAMAGED, "%s %s; there is another copy", f->name,
                 f->fate == MG_FATE_MISSING ? "is missing" : "has the wrong size");
        break; // otherwise it is told when it is opened
    case MG_FATE_GARBAGE: break; // normal behind a crash
    case MG_FATE_ASIDE:
        tell(c, MG_CHECK_DAMAGED, "%s belongs to nothing: a server will put it into lost+found", f->name);
        break;
    default: tell(c, MG_CHECK_DAMAGED, "%s belongs to nothing", f->name); break;
    }
}

static void count_gaps(struct check *c, const struct mg_run_ref *r, const char *name) {
    struct mg_run_iter *it = mg_run_iter_new(r->run, true);
    uint64_t gaps = 0;
    int err;
    for (err = mg_run_iter_seek(it, (mg_slice){NULL, 0}); err != MG_ENOTFOUND; err = mg_run_iter_next(it))
        gaps += err != 0;
    mg_run_iter_free(it);
    if (gaps == 0) return;
    if (r->primary)
        tell(c, MG_CHECK_LOST, "%s: rows in %llu places cannot be read in either copy: state of streams is lost", name,
             (unsigned long long)gaps);
    else
        tell(c, MG_CHECK_DAMAGED, "%s: counts of subjects in %llu places cannot be read: --rebuild-store counts again",
             name, (unsigned long long)gaps);
}

static void check_run(struct check *c, const struct mg_manifest_run *a) {
    char name[MG_FILE_NAME_MAX];
    struct mg_run_ref *r;
    bool primary = a->flags & MG_MANIFEST_RUN_PRIMARY;
    mg_table_file_name(name, MG_FILE_RUN, a->file);
    if (mg_run_ref_open(&r, c->st, a->file, a->size, a->foot_sum, primary) != 0) {
        if (primary) tell(c, MG_CHECK_LOST, "%s cannot be read, nor its copy: a server cannot start without it", name);
        else tell(c, MG_CHECK_DAMAGED, "%s cannot be read: a server counts subjects again when it starts", name);
        return;
    }
    c->faults = 0;
    if (mg_run_verify(r->run, NULL, NULL) != 0) {
        tell(c, MG_CHECK_DAMAGED, "%s is damaged in %llu places", name, (unsigned long long)c->faults);
        count_gaps(c, r, name);
    }
    mg_run_ref_put(r);
}

static void check_segment(struct check *c, const struct mg_manifest_segment *a) {
    char name[MG_FILE_NAME_MAX];
    struct mg_segment_ref *g = mg_segment_ref_new(c->st, a);
    const struct mg_segment *open;
    struct mg_segment_health health;
    mg_table_file_name(name, MG_FILE_SEGMENT, a->file);
    if (mg_segment_use(g, &open) != 0) {
        tell(c, MG_CHECK_LOST, "%s cannot be read: %llu messages are lost", name, (unsigned long long)a->messages);
        mg_segment_ref_put(g);
        return;
    }
    c->faults = 0;
    mg_segment_verify(open, NULL, NULL, &health);
    mg_segment_unuse(g);
    if (health.record_faults)
        tell(c, MG_CHECK_LOST, "%s: %llu messages of %llu cannot be read", name,
             (unsigned long long)health.record_faults, (unsigned long long)a->messages);
    if (health.frame_faults)
        tell(c, MG_CHECK_DAMAGED, "%s: %llu pieces that only help to find messages are damaged", name,
             (unsigned long long)health.frame_faults);
    mg_segment_ref_put(g);
}

static bool check_manifest(struct check *c, struct mg_manifest *m, struct mg_manifest_loaded *loaded) {
    int err = mg_manifest_load(c->st->disk, m, loaded);
    if (err == MG_ENOTFOUND) tell(c, MG_CHECK_LOST, "There is no store in %s", mg_disk_path(c->st->disk));
    else if (err) tell(c, MG_CHECK_LOST, "%s: a server cannot start on it", loaded->why.text);
    for (int i = 0; i < 2 && err == 0; i++) {
        if (loaded->slots[i] == MG_SLOT_DAMAGED)
            tell(c, MG_CHECK_DAMAGED, "manifest-%d is damaged; manifest-%d is used", i, 1 - i);
    }
    return err == 0;
}

static bool check_files(struct check *c) {
    struct mg_manifest m = {0};
    struct mg_manifest_loaded loaded;
    bool ok = check_manifest(c, &m, &loaded);
    if (ok) {
        struct mg_file_check files = {.found = found_file, .arg = c, .look_only = true};
        c->st->env.salt = m.head.salt;
        if (mg_manifest_check_files(c->st->disk, &m, &loaded, &files, &c->why) != 0)
            tell(c, MG_CHECK_LOST, "The folders cannot be read: %s", c->why.text);
        for (uint32_t i = 0; i < m.nruns; i++) check_run(c, &m.runs[i].about);
        for (uint32_t i = 0; i < m.nsegments; i++) check_segment(c, &m.segments[i]);
    }
    mg_manifest_fini(&m);
    return ok;
}

// A store that only serves to open files.
static bool look_at_files(struct check *c, const char *dir) {
    struct mg_store *st = c->st = mg_zalloc(sizeof(*st));
    bool ok = false;
    st->keeping = mg_zalloc(sizeof(*st->keeping));
    mg_segment_pool_init(&st->pool);
    st->env.report = found_fault;
    st->env.arg = c;
    if (mg_disk_open(&st->disk, dir, "", MG_DISK_LOOK_ONLY, &c->why) != 0) tell(c, MG_CHECK_LOST, "%s", c->why.text);
    else ok = check_files(c);
    mg_segment_pool_fini(&st->pool);
    mg_disk_close(st->disk);
    mg_free(st->keeping);
    mg_free(st);
    c->st = NULL;
    return ok;
}

// ---- streams --------------------------------------------------------------------------------------------------------

static bool is_removed(const struct mg_stream *s, uint64_t seq, struct mg_buf *bits, uint64_t *chunk) {
    if (mg_stream_known_removed(s, seq)) return true;
    if (seq / MG_REMOVED_SPAN != *chunk) {
        char key[MG_ROW_KEY_HEAD + 8];
        *chunk = seq / MG_REMOVED_SPAN;
        mg_row_key_head(key, MG_ROW_REMOVED, s->id);
        mg_put_be64(key + MG_ROW_KEY_HEAD, *chunk);
        bits->len = 0;
        mg_runset_get(s->rows->runs, mg_slice_of(key, sizeof(key)), bits);
    }
    uint64_t bit = seq % MG_REMOVED_SPAN;
    return bits->len == MG_REMOVED_BYTES && (bits->p[bit / 8] >> (bit % 8) & 1);
}

struct count {
    uint64_t msgs, bytes, unreadable;
};

static void count_stretch(const struct mg_stream *s, const struct mg_stretch *c, struct count *n) {
    struct mg_buf bits = MG_BUF_INIT;
    uint64_t chunk = UINT64_MAX;
    const struct mg_segment *g;
    struct mg_section at;
    if (mg_stretch_open(c, s->id, &g, &at) != 0) {
        if (c->last_seq >= s->first) n->unreadable += c->live;
        return;
    }
    struct mg_section_scan *scan = mg_section_scan_new(g, &at, NULL, 0, true);
    struct mg_section_entry e;
    struct mg_record_view v;
    for (int err; (err = mg_section_scan_next(scan, &e, &v)) != MG_ENOTFOUND;) {
        if (err) {
            n->unreadable += e.last_seq - e.seq + 1;
            continue;
        }
        if (is_removed(s, e.seq, &bits, &chunk)) continue;
        n->msgs++;
        n->bytes += mg_stream_size_of(s, v.subject.n, v.headers.n, v.payload.n);
    }
    mg_section_scan_free(scan);
    mg_stretch_close(c);
    mg_buf_fini(&bits);
}

static void count_memory(const struct mg_stream *s, struct count *n) {
    uint64_t seq = s->first;
    for (const uint8_t *p; (p = mg_memtable_next(&s->mem, &seq)); seq++) {
        struct mg_record_view v;
        mg_record_borrow(&v, p);
        n->msgs++;
        n->bytes += mg_stream_size_of(s, v.subject.n, v.headers.n, v.payload.n);
    }
}

static void check_stretches(struct check *c, const struct mg_stream *s) {
    struct mg_stretch_at place = {0, 0};
    uint64_t before = 0;
    for (const struct mg_stretch *at; (at = mg_stretches_get(&s->cold, place));
         place = mg_stretches_next(&s->cold, place)) {
        const struct mg_segment *g;
        struct mg_section there;
        if (before >= at->first_seq)
            tell(c, MG_CHECK_LOST, "Stream %.*s: messages around %llu are in two places", (int)s->name.n, s->name.p,
                 (unsigned long long)at->first_seq);
        before = at->last_seq;
        int err = mg_stretch_open(at, s->id, &g, &there);
        if (err == 0)
            mg_stretch_close(at);
        else
            tell(c, MG_CHECK_LOST, "Stream %.*s: file %016llx does not have its messages from %llu on", (int)s->name.n,
                 s->name.p, (unsigned long long)at->segment->id, (unsigned long long)at->first_seq);
    }
}

static void check_stream(struct check *c, const struct mg_stream *s) {
    struct count n = {0};
    check_stretches(c, s);
    struct mg_stretch_at at = {0, 0};
    for (const struct mg_stretch *x; (x = mg_stretches_get(&s->cold, at)); at = mg_stretches_next(&s->cold, at))
        count_stretch(s, x, &n);
    count_memory(s, &n);
    bool same = n.msgs == s->msgs && n.bytes == s->bytes;
    if (!same && (n.unreadable || s->lost)) // told above, one by one
        tell(c, MG_CHECK_LOST, "Stream %.*s: %llu of %llu messages can be read", (int)s->name.n, s->name.p,
             (unsigned long long)n.msgs, (unsigned long long)s->msgs);
    else if (!same)
        tell(c, MG_CHECK_LOST, "Stream %.*s counts %llu messages in %llu bytes, but has %llu in %llu", (int)s->name.n,
             s->name.p, (unsigned long long)s->msgs, (unsigned long long)s->bytes, (unsigned long long)n.msgs,
             (unsigned long long)n.bytes);
    if (s->lost_operations)
        tell(c, MG_CHECK_LOST, "Stream %.*s: %llu operations are missing: lost in the journal, or torn by a crash",
             (int)s->name.n, s->name.p, (unsigned long long)s->lost_operations);
    if (s->lost && same)
        tell(c, MG_CHECK_LOST, "Stream %.*s: %llu messages were lost before", (int)s->name.n, s->name.p,
             (unsigned long long)s->lost);
}

// ---- the start ------------------------------------------------------------------------------------------------------

// What concerns files was told in the first pass, in more detail.
static void said(void *arg, int level, const char *text) {
    bool news = strncmp(text, "journal:", 8) == 0 || strncmp(text, "stream ", 7) == 0;
    enum mg_check_verdict meaning = level <= MG_LOG_ERR   ? MG_CHECK_LOST
                                    : level == MG_LOG_WRN ? MG_CHECK_DAMAGED
                                                          : MG_CHECK_HEALTHY;
    if (news) tell(arg, meaning, "%s", text);
}

static void look_at_streams(struct check *c, const char *dir) {
    struct mg_store_options o = {.dir = dir, .parts = 1, .log = said, .log_arg = c};
    char text[256];
    if (mg_store_look(&c->st, &o, text, sizeof(text)) != 0) {
        tell(c, MG_CHECK_LOST, "A server cannot start: %s", text);
        return;
    }
    struct mg_store_part *p = mg_store_part(c->st, 0);
    mg_part_look_up_now(p);
    uint64_t streams = 0, msgs = 0;
    for (struct mg_stream *s = mg_stream_next(p, NULL); s; s = mg_stream_next(p, s)) {
        check_stream(c, s);
        streams++;
        msgs += s->msgs;
    }
    if (c->worst == MG_CHECK_HEALTHY)
        tell(c, MG_CHECK_HEALTHY, "%llu streams with %llu messages: nothing is wrong", (unsigned long long)streams,
             (unsigned long long)msgs);
    mg_store_close(c->st);
}

enum mg_check_verdict mg_store_check(const char *dir, mg_check_fn report, void *arg) {
    struct check c = {.report = report, .arg = arg};
    if (look_at_files(&c, dir)) look_at_streams(&c, dir);
    return c.worst;
}
