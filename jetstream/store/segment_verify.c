// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Scrubbing: every byte of a segment that means something is read from the device and checked, then the metadata is
// compared with what the records say. And salvaging: what can be read is written again.
#include "jetstream/store/segment_impl.h"

#include "jetstream/store/bloom.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

// What the records say about one subject.
struct recount {
    uint64_t hash, first_seq, last_seq;
    uint32_t count;
    bool mixed; // different subjects under one ordinal
};

struct pass {
    struct mg_segment g; // a copy without cache
    struct mg_table_env env;
    int (*pace)(void *arg, size_t bytes);
    void *arg;
    int stop, err;
    struct mg_segment_health *health;
    struct recount *recount; // of the section's subjects
    const struct mg_section *s;
};

static void paced(struct pass *p, uint64_t bytes) {
    if (p->pace && p->stop == MG_OK) p->stop = p->pace(p->arg, (size_t)bytes);
}

static void bad_frame(struct pass *p, uint64_t at, uint64_t bytes, uint32_t kind, int err) {
    mg_frame_report(&p->g.file,
                    &(struct mg_fault){.file = p->g.file.id, .at = at, .bytes = bytes, .kind = kind, .err = err});
    p->health->frame_faults++;
    if (p->err == MG_OK) p->err = err;
}

static void check_frame(struct pass *p, uint64_t at, uint32_t length, uint32_t kind) {
    struct mg_block *b;
    int err = mg_frame_read_copy(&p->g.file, 0, at, length, kind, &b);
    if (err)
        bad_frame(p, at, mg_frame_size(length), kind, err == MG_EIO ? MG_EIO : MG_ECORRUPT);
    else
        mg_block_unref(b);
    paced(p, mg_frame_size(length));
}

static void check_ends(struct pass *p) {
    uint8_t buf[128];
    _Static_assert((int)MG_SEGMENT_FOOT_SIZE <= 128 && (int)MG_FILE_HEAD_BYTES <= 128, "room for head and foot");
    const struct mg_frame_file *f = &p->g.file;
    const struct mg_foot_want want = {MG_SEGMENT_MAGIC, MG_SEGMENT_VERSION, MG_SEGMENT_FOOT_SIZE, p->g.foot_sum};
    int err = mg_blob_read(&f->main, buf, MG_FILE_HEAD_BYTES, 0);
    if (err == MG_OK) err = mg_file_head_check(buf, f->env, f->id, MG_SEGMENT_MAGIC, MG_SEGMENT_VERSION);
    if (err) bad_frame(p, 0, MG_FILE_HEAD_BYTES, MG_FRAME_FILE_HEAD, err);
    for (uint64_t i = 0; i < 2; i++) {
        err = mg_file_foot_check(f, i, &want, buf);
        if (err) bad_frame(p, f->size - (i + 1) * MG_FOOT_BYTES, MG_FOOT_BYTES, MG_FRAME_FOOT, err);
    }
    for (uint32_t i = 0; i < p->g.sections && p->stop == MG_OK; i += SECTIONS_A_FRAME) {
        uint32_t n = p->g.sections - i < SECTIONS_A_FRAME ? p->g.sections - i : SECTIONS_A_FRAME;
        uint64_t offset = i / SECTIONS_A_FRAME * mg_frame_size(SECTIONS_A_FRAME * MG_SECTION_SIZE);
        check_frame(p, p->g.sections_at + offset, n * MG_SECTION_SIZE, MG_FRAME_SECTIONS);
        check_frame(p, p->g.sections_copy + offset, n * MG_SECTION_SIZE, MG_FRAME_SECTIONS);
    }
}

// ---- one section

static void check_leaves(struct pass *p, const struct mg_section *s) {
    if (s->leaves > 1) {
        check_frame(p, s->dir, s->dir_length, MG_FRAME_DIR);
        check_frame(p, s->dir_copy, s->dir_length, MG_FRAME_DIR);
    }
    struct section_dir dir;
    section_dir_load(&p->g, s, &dir);
    for (uint32_t i = 0; i < dir.n && p->stop == MG_OK; i++) {
        struct mg_dir_row row;
        section_dir_row(&dir, i, &row);
        if (row.length) check_frame(p, row.offset, row.length, MG_FRAME_LEAF);
    }
    section_dir_release(&dir);
}

static void check_dict(struct pass *p, const struct mg_section *s) {
    if (s->dict_length == 0) return;
    check_frame(p, section_dict_at(s), s->dict_length, MG_FRAME_DICT);
    check_frame(p, section_dict_copy(s), s->dict_length, MG_FRAME_DICT);
}

static void check_names(struct pass *p, const struct mg_section *s) {
    if (s->blocks == 1) {
        check_frame(p, s->index, s->index_length, MG_FRAME_SUBJECTS);
        return;
    }
    check_frame(p, s->index, s->index_length, MG_FRAME_INDEX);
    check_frame(p, s->index_copy, s->index_length, MG_FRAME_INDEX);
    uint64_t step = mg_frame_size((uint64_t)BLOOM_FRAME_LINES * MG_BLOOM_LINE);
    for (uint32_t i = 0; i < s->bloom_lines && p->stop == MG_OK; i += BLOOM_FRAME_LINES) {
        uint32_t n = s->bloom_lines - i < BLOOM_FRAME_LINES ? s->bloom_lines - i : BLOOM_FRAME_LINES;
        check_frame(p, s->bloom + i / BLOOM_FRAME_LINES * step, n * MG_BLOOM_LINE, MG_FRAME_BLOOM);
    }
    // The blocks themselves are read when the subjects are compared.
}

static void count_record(struct pass *p, const struct mg_section_entry *e, const struct mg_record_view *v) {
    p->health->records++;
    if (e->subject >= p->s->subjects) return; // of a rebuilt leaf: reported before
    struct recount *r = &p->recount[e->subject];
    uint64_t hash = mg_bloom_hash(v->subject, p->env.salt);
    if (r->count && r->hash != hash) r->mixed = true;
    if (r->count == 0) r->first_seq = e->seq;
    r->hash = hash;
    r->last_seq = e->seq;
    r->count++;
}

static bool compare_subject(void *arg, mg_slice subject, const struct mg_subject_stat *stat) {
    struct pass *p = arg;
    const struct recount *r = &p->recount[stat->ordinal];
    if (r->mixed || r->count != stat->count || r->first_seq != stat->first_seq || r->last_seq != stat->last_seq ||
        r->hash != mg_bloom_hash(subject, p->env.salt))
        bad_frame(p, p->s->index, p->s->index_length, MG_FRAME_SUBJECTS, MG_ECORRUPT);
    return true;
}

static void check_records(struct pass *p, const struct mg_section *s) {
    uint64_t faults = p->health->record_faults, frames = p->health->frame_faults;
    p->s = s;
    p->recount = mg_zalloc(s->subjects * sizeof *p->recount);
    struct mg_section_scan *c = mg_section_scan_new(&p->g, s, NULL, 0, true);
    struct mg_section_entry e;
    struct mg_record_view v;
    int err = MG_OK;
    while (p->stop == MG_OK && (err = mg_section_scan_next(c, &e, &v)) != MG_ENOTFOUND) {
        if (err) {
            p->health->record_faults++;
            if (p->err == MG_OK) p->err = err;
        } else {
            count_record(p, &e, &v);
        }
        paced(p, e.length);
    }
    mg_section_scan_free(c);
    const struct mg_subject_match all = {0};
    if (p->stop == MG_OK && faults == p->health->record_faults && frames == p->health->frame_faults) {
        err = mg_section_subjects(&p->g, s, &all, compare_subject, p);
        if (err) bad_frame(p, s->index, s->index_length, MG_FRAME_SUBJECTS, err);
    } else if (p->stop == MG_OK) { // what is missing cannot be counted
        err = mg_section_subjects(&p->g, s, &all, NULL, NULL);
        if (err) bad_frame(p, s->index, s->index_length, MG_FRAME_SUBJECTS, err);
    }
    mg_free(p->recount);
}

int mg_segment_verify(const struct mg_segment *g, int (*pace)(void *arg, size_t bytes), void *arg,
                      struct mg_segment_health *out) {
    *out = (struct mg_segment_health){0};
    struct pass p = {.g = *g, .env = *g->file.env, .pace = pace, .arg = arg, .health = out};
    p.env.cache = NULL;
    p.g.file.env = &p.env;
    check_ends(&p);
    for (uint32_t i = 0; i < g->sections && p.stop == MG_OK; i++) {
        struct mg_section s;
        int err = mg_segment_section(&p.g, i, &s);
        if (err) {
            bad_frame(&p, g->sections_at, 0, MG_FRAME_SECTIONS, err);
            continue;
        }
        check_dict(&p, &s);
        check_leaves(&p, &s);
        check_names(&p, &s);
        check_records(&p, &s);
    }
    return p.stop ? p.stop : p.err;
}

// ---- salvaging

int mg_segment_salvage(const struct mg_segment *g, struct mg_segment_builder *b, uint64_t *lost) {
    *lost = 0;
    for (uint32_t i = 0; i < g->sections; i++) {
        struct mg_section s;
        struct mg_section_entry e;
        struct mg_record_view v;
        int err = mg_segment_section(g, i, &s);
        if (err) return err;
        struct mg_section_scan *c = mg_section_scan_new(g, &s, NULL, 0, true);
        while ((err = mg_section_scan_next(c, &e, &v)) != MG_ENOTFOUND) {
            int failed = err ? MG_OK : mg_segment_builder_add(b, mg_section_scan_record(c));
            if (err) *lost += e.last_seq - e.seq + 1;
            if (failed) {
                mg_section_scan_free(c);
                return failed;
            }
        }
        mg_section_scan_free(c);
    }
    return MG_OK;
}
