// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Segments against a list of messages: every question, with random sections, filters and places. Then the same with
// damage: each byte of a small file flipped, sectors lost, zeroed or taken from elsewhere. An answer is the right one
// or an error; a flipped byte costs one record at most. Streams with odd numbers are packed.
#include "test/unit/cmocka_inc.h"

#include <stdio.h>

#include "jetstream/store/run_block.h"
#include "jetstream/store/segment_impl.h"
#include "test/unit/jetstream/store/mem_file.h"

struct msg {
    uint64_t stream, seq;
    int64_t time;
    char subject[32];
    size_t len;
    uint64_t body_seed;
};

struct model {
    struct msg *m;
    size_t n;
};

static size_t faults_seen, records_lost;

static void on_fault(void *arg, const struct mg_fault *f) {
    (void)arg;
    faults_seen++;
    records_lost += f->kind == MG_FRAME_RECORD && !f->healed;
}

static struct mg_table_env env = {.salt = 0xfeed, .report = on_fault};

static struct model model_new(uint64_t *seed, size_t n, uint32_t streams, uint32_t names, uint32_t body) {
    struct model md = {mg_zalloc((n + 1) * sizeof *md.m), n};
    uint64_t stream = 1, seq = 1 + rnd_to(seed, 50);
    int64_t time = 1000000;
    bool sparse = rnd_to(seed, 2);
    for (size_t i = 0; i < n; i++) {
        struct msg *m = &md.m[i];
        if (rnd_to(seed, (uint32_t)(n / streams + 1)) == 0) {
            stream += 1 + rnd_to(seed, 3);
            seq = 1 + rnd_to(seed, 50);
        }
        m->stream = stream;
        m->seq = seq;
        seq += sparse && rnd_to(seed, 3) == 0 ? 1 + rnd_to(seed, 20) : 1;
        if (rnd_to(seed, 2000) == 0) seq += (uint64_t)5 << 32; // too far for one leaf
        m->time = time;
        time += rnd_to(seed, 20);
        if (rnd_to(seed, 50) == 0) time -= 15; // a mirror's times may go back
        snprintf(m->subject, sizeof m->subject, "a.%u.%u", rnd_to(seed, 3), rnd_to(seed, names));
        m->len = rnd_to(seed, 100) ? rnd_to(seed, body) : rnd_to(seed, body * 20);
        m->body_seed = rnd(seed);
    }
    return md;
}

static mg_slice subject_of(const struct msg *m) { return mg_cstr(m->subject); }

// Noise, or words that come again.
static char *body_of(const struct msg *m) {
    char *p = mg_alloc(m->len + 8);
    uint64_t s = m->body_seed, word = 0;
    for (size_t i = 0; i < m->len; i++) {
        if (s % 3 && i % 8 == 0) word = rnd(&s) % 4 * 0x0101010101010101u;
        p[i] = (char)(m->body_seed % 3 ? word >> i % 8 * 8 : rnd(&s));
    }
    return p;
}

static void expect_msg(const struct msg *m, const struct mg_record_view *v) {
    char *body = body_of(m);
    assert_int_equal(m->stream, v->head.stream);
    assert_int_equal(m->seq, v->head.seq);
    assert_int_equal(m->time, v->head.time);
    assert_true(mg_slice_eq(subject_of(m), v->subject));
    assert_true(mg_slice_eq(mg_slice_of(body, m->len), v->payload));
    mg_free(body);
}

static void build(struct mem_file *file, struct mg_segment_summary *sum, const struct model *md,
                  const struct mg_segment_options *o) {
    *file = (struct mem_file){0};
    struct mg_file_writer w;
    mg_file_writer_init(&w, mem_blob(file), 4096);
    struct mg_segment_builder *b = mg_segment_builder_new(o, &w);
    for (size_t i = 0; i < md->n; i++) {
        const struct msg *m = &md->m[i];
        char *body = body_of(m);
        struct mg_record_view v = {.head = {.type = MG_RECORD_MSG, .stream = m->stream, .seq = m->seq, .time = m->time},
                                   .subject = subject_of(m), .payload = {body, m->len}};
        void *record = mg_alloc(mg_record_view_size(&v));
        mg_record_encode(record, &v);
        mg_segment_builder_pack(b, m->stream % 2);
        assert_int_equal(mg_segment_builder_add(b, record), MG_OK);
        mg_free(record);
        mg_free(body);
    }
    assert_int_equal(mg_segment_builder_finish(b, sum), MG_OK);
    assert_int_equal(sum->messages, md->n);
    assert_int_equal(sum->size, file->n);
    mg_segment_builder_free(b);
    mg_file_writer_fini(&w);
}

// ---- what a section should hold

struct range {
    const struct msg *m;
    size_t n;
};

static struct range range_of(const struct model *md, const struct mg_section *s) {
    size_t i = 0, n = 0;
    while (i < md->n && (md->m[i].stream != s->stream || md->m[i].seq < s->first_seq))
        i++;
    while (i + n < md->n && md->m[i + n].stream == s->stream && md->m[i + n].seq <= s->last_seq)
        n++;
    return (struct range){md->m + i, n};
}

static bool every_third(void *arg, mg_slice subject) {
    uint32_t h = *(uint32_t *)arg;
    for (size_t i = 0; i < subject.n; i++)
        h = h * 31 + (uint8_t)subject.p[i];
    return h % 3 == 0;
}

static bool in_set(const struct mg_subject_match *m, mg_slice s) {
    if (!mg_slice_starts(s, m->prefix)) return false;
    return m->literal ? s.n == m->prefix.n : !m->match || m->match(m->arg, s);
}

// A random question; text and salt are its memory.
static struct mg_subject_match any_match(uint64_t *seed, char text[32], uint32_t *salt) {
    struct mg_subject_match m = {.arg = salt};
    *salt = (uint32_t)rnd(seed);
    uint32_t kind = rnd_to(seed, 4);
    if (kind & 1) m.match = every_third;
    int n = snprintf(text, 32, "a.%u.%u", rnd_to(seed, 4), rnd_to(seed, 30));
    if (kind & 2) m.prefix = mg_slice_of(text, (size_t)n);
    if (kind == 2) m.literal = rnd_to(seed, 2);
    return m;
}

struct probe {
    const struct mg_segment *g;
    struct mg_section s;
    struct range r;
    uint64_t *seed;
    bool damaged;  // errors are allowed
    size_t errors; // that there were
};

static bool answered(struct probe *p, int err) {
    if (err == MG_OK || err == MG_ENOTFOUND) return true;
    assert_true(p->damaged && (err == MG_ECORRUPT || err == MG_EIO));
    p->errors++;
    return false;
}

// ---- the questions

static size_t probe_gets(struct probe *p) {
    struct mg_record_buf buf = {0};
    struct mg_record_view v;
    size_t lost = 0;
    for (size_t i = 0; i < p->r.n; i++) {
        int err = mg_section_get(p->g, &p->s, p->r.m[i].seq, &buf, &v);
        if (answered(p, err)) {
            assert_int_equal(err, MG_OK);
            expect_msg(&p->r.m[i], &v);
        } else {
            lost++;
        }
        uint64_t hole = p->r.m[i].seq + 1;
        if (i + 1 == p->r.n || hole == p->r.m[i + 1].seq) continue;
        err = mg_section_get(p->g, &p->s, hole, &buf, &v);
        if (answered(p, err)) assert_int_equal(err, MG_ENOTFOUND);
    }
    assert_int_equal(mg_section_get(p->g, &p->s, p->s.first_seq - 1, &buf, &v), MG_ENOTFOUND);
    assert_int_equal(mg_section_get(p->g, &p->s, p->s.last_seq + 1, &buf, &v), MG_ENOTFOUND);
    mg_record_buf_fini(&buf);
    return lost;
}

static size_t first_from(const struct range *r, uint64_t seq) {
    size_t i = 0;
    while (i < r->n && r->m[i].seq < seq)
        i++;
    return i;
}

static void probe_scan(struct probe *p, const struct mg_subject_match *match, bool filtered, uint64_t from) {
    struct mg_section_filter *f = filtered ? mg_section_filter_new(p->g, &p->s, match) : NULL;
    struct mg_section_scan *c = mg_section_scan_new(p->g, &p->s, f, 20000, false);
    struct mg_section_entry e;
    struct mg_record_view v;
    mg_section_scan_seek(c, from);
    size_t i = first_from(&p->r, from);
    int err;
    while ((err = mg_section_scan_next(c, &e, &v)) != MG_ENOTFOUND) {
        // What was passed over is not wanted.
        for (; i < p->r.n && p->r.m[i].seq < e.seq; i++)
            assert_false(!filtered || in_set(match, subject_of(&p->r.m[i])));
        if (answered(p, err)) {
            assert_true(i < p->r.n && p->r.m[i].seq == e.seq);
            expect_msg(&p->r.m[i++], &v);
        } else {
            assert_true(e.last_seq >= e.seq);
            while (i < p->r.n && p->r.m[i].seq <= e.last_seq)
                i++;
        }
    }
    for (; i < p->r.n; i++)
        assert_false(!filtered || in_set(match, subject_of(&p->r.m[i])));
    mg_section_scan_free(c);
    mg_section_filter_free(f);
}

static void probe_back(struct probe *p, const struct mg_subject_match *match, uint64_t from) {
    struct mg_section_filter *f = mg_section_filter_new(p->g, &p->s, match);
    struct mg_section_walk *w = mg_section_walk_new(p->g, &p->s, f);
    struct mg_section_entry e;
    mg_section_walk_seek(w, from);
    size_t i = first_from(&p->r, from);
    int err;
    while ((err = mg_section_walk_prev(w, &e)) != MG_ENOTFOUND) {
        for (; i > 0 && p->r.m[i - 1].seq > e.last_seq; i--)
            assert_false(in_set(match, subject_of(&p->r.m[i - 1])));
        if (answered(p, err)) {
            assert_true(i > 0 && p->r.m[i - 1].seq == e.seq);
            assert_true(in_set(match, subject_of(&p->r.m[--i])));
        } else {
            while (i > 0 && p->r.m[i - 1].seq >= e.seq)
                i--;
        }
    }
    for (; i > 0; i--)
        assert_false(in_set(match, subject_of(&p->r.m[i - 1])));
    mg_section_walk_free(w);
    mg_section_filter_free(f);
}

static void probe_count(struct probe *p, const struct mg_subject_match *match, uint64_t from) {
    struct mg_section_filter *f = mg_section_filter_new(p->g, &p->s, match);
    uint64_t got, want = 0, all = 0;
    for (size_t i = first_from(&p->r, from); i < p->r.n; i++, all++)
        want += in_set(match, subject_of(&p->r.m[i]));
    if (answered(p, mg_section_count(p->g, &p->s, f, from, &got))) assert_int_equal(got, want);
    if (answered(p, mg_section_count(p->g, &p->s, NULL, from, &got))) assert_int_equal(got, all);
    mg_section_filter_free(f);
}

static void probe_last(struct probe *p, mg_slice subject, uint64_t upto) {
    struct mg_section_entry e;
    struct mg_subject_stat stat;
    const struct msg *want = NULL;
    uint32_t count = 0;
    uint64_t first = 0, last = 0;
    for (size_t i = 0; i < p->r.n; i++) {
        if (!mg_slice_eq(subject_of(&p->r.m[i]), subject)) continue;
        if (p->r.m[i].seq <= upto) want = &p->r.m[i];
        if (count++ == 0) first = p->r.m[i].seq;
        last = p->r.m[i].seq;
    }
    int err = mg_section_last(p->g, &p->s, subject, upto, &e);
    if (answered(p, err)) {
        assert_int_equal(err, want ? MG_OK : MG_ENOTFOUND);
        if (want) assert_int_equal(e.seq, want->seq);
    }
    err = mg_section_subject(p->g, &p->s, subject, &stat);
    if (!answered(p, err)) return;
    assert_int_equal(err, count ? MG_OK : MG_ENOTFOUND);
    if (err) return;
    assert_int_equal(stat.count, count);
    assert_int_equal(stat.first_seq, first);
    assert_int_equal(stat.last_seq, last);
}

static void probe_time(struct probe *p, uint64_t from, int64_t time) {
    struct mg_section_entry e;
    size_t i = first_from(&p->r, from);
    while (i < p->r.n && p->r.m[i].time < time)
        i++;
    int err = mg_section_first_at(p->g, &p->s, from, time, &e);
    if (!answered(p, err)) return;
    assert_int_equal(err, i < p->r.n ? MG_OK : MG_ENOTFOUND);
    if (err == MG_OK) assert_int_equal(e.seq, p->r.m[i].seq);
}

struct listing {
    struct probe *p;
    const struct mg_subject_match *match;
    uint64_t messages;
    char last[40];
};

static bool on_subject(void *arg, mg_slice subject, const struct mg_subject_stat *stat) {
    struct listing *l = arg;
    assert_true(in_set(l->match, subject));
    assert_true(mg_key_cmp(mg_cstr(l->last), subject) < 0);
    snprintf(l->last, sizeof l->last, "%.*s", (int)subject.n, subject.p);
    l->messages += stat->count;
    return true;
}

static void probe_subjects(struct probe *p, const struct mg_subject_match *match) {
    struct listing l = {.p = p, .match = match};
    uint64_t want = 0;
    for (size_t i = 0; i < p->r.n; i++)
        want += in_set(match, subject_of(&p->r.m[i]));
    if (answered(p, mg_section_subjects(p->g, &p->s, match, on_subject, &l))) assert_int_equal(l.messages, want);
    assert_true(l.messages <= want);
}

// All questions to one section; the number of messages that cannot be got.
static size_t probe_section(struct probe *p, int rounds) {
    size_t lost = probe_gets(p);
    probe_scan(p, NULL, false, 0);
    for (int i = 0; i < rounds; i++) {
        char text[32];
        uint32_t salt;
        const struct mg_subject_match match = any_match(p->seed, text, &salt);
        const struct msg *some = &p->r.m[rnd_to(p->seed, (uint32_t)p->r.n)];
        uint64_t from = some->seq + rnd_to(p->seed, 3) - 1;
        probe_scan(p, &match, true, from);
        probe_back(p, &match, from);
        probe_count(p, &match, i ? from : 0);
        probe_last(p, rnd_to(p->seed, 4) ? subject_of(some) : MG_S("a.9.nobody"), i ? from + 5 : UINT64_MAX);
        probe_time(p, i ? from : 0, some->time + rnd_to(p->seed, 3) - 1);
        probe_subjects(p, &match);
    }
    return lost;
}

static size_t probe_segment(struct mg_segment *g, const struct model *md, uint64_t *seed, bool damaged, int rounds,
                            size_t *errors) {
    size_t lost = 0, messages = 0;
    for (uint32_t i = 0; i < g->sections; i++) {
        struct probe p = {.g = g, .seed = seed, .damaged = damaged};
        if (!answered(&p, mg_segment_section(g, i, &p.s))) continue;
        p.r = range_of(md, &p.s);
        assert_int_equal(p.r.n, p.s.messages);
        messages += p.r.n;
        lost += probe_section(&p, rounds);
        if (errors) *errors += p.errors;
        struct mg_section found;
        uint32_t ordinal;
        int err = mg_segment_find(g, p.s.stream, p.r.m[p.r.n / 2].seq, &ordinal, &found);
        if (answered(&p, err)) {
            assert_int_equal(err, MG_OK);
            assert_int_equal(ordinal, i);
        }
    }
    if (!damaged) assert_int_equal(messages, md->n);
    return lost;
}

// ---- tests

static void equals_the_model(void **state) {
    (void)state;
    uint64_t seed = test_seed();
    for (int round = 0; round < 12; round++) {
        size_t n = (size_t[]){0, 1, 200, 3000}[round % 4];
        struct model md = model_new(&seed, n, round % 3 ? 3 : 100, round % 4 == 3 ? 2000 : 20, 300);
        struct mem_file file;
        struct mg_segment_summary sum;
        const struct mg_segment_options o = {.env = &env, .file = 5, .section_messages = round % 2 ? 0 : 700,
                                             .section_subjects = round % 3 ? 0 : 400,
                                             .dict_bytes = round % 3 ? 500 : 0};
        build(&file, &sum, &md, &o);
        env.cache = round % 3 ? mg_blockcache_new((size_t)1 << (14 + round % 10)) : NULL;
        struct mg_segment *g;
        assert_int_equal(mg_segment_open(&g, &env, mem_blob(&file), 5, sum.size, sum.foot_sum), MG_OK);
        assert_int_equal(probe_segment(g, &md, &seed, false, 6, NULL), 0);
        struct mg_segment_health health;
        assert_int_equal(mg_segment_verify(g, NULL, NULL, &health), MG_OK);
        assert_int_equal(health.records, md.n);
        struct mg_section s;
        uint32_t ordinal;
        assert_int_equal(mg_segment_find(g, 1000000, 1, &ordinal, &s), MG_ENOTFOUND);
        mg_segment_close(g);
        mg_blockcache_free(env.cache);
        env.cache = NULL;
        mem_free(&file);
        mg_free(md.m);
    }
    assert_int_equal(faults_seen, 0);
}

static void many_streams(void **state) {
    (void)state;
    uint64_t seed = test_seed() + 9;
    struct model md = model_new(&seed, 400, 400, 5, 20);
    struct mem_file file;
    struct mg_segment_summary sum;
    build(&file, &sum, &md, &(struct mg_segment_options){.env = &env, .file = 5});
    assert_true(sum.sections > 2 * 64);
    struct mg_segment *g;
    assert_int_equal(mg_segment_open(&g, &env, mem_blob(&file), 5, sum.size, sum.foot_sum), MG_OK);
    assert_int_equal(probe_segment(g, &md, &seed, false, 1, NULL), 0);
    mg_segment_close(g);
    mem_free(&file);
    mg_free(md.m);
}

// One flipped bit: every message but one is still there, and every other answer is right.
static void each_flipped_byte(void **state) {
    (void)state;
    uint64_t seed = test_seed() + 1;
    struct model md = model_new(&seed, 90, 2, 10, 30);
    struct mem_file file;
    struct mg_segment_summary sum;
    const struct mg_segment_options o = {.env = &env, .file = 5, .section_messages = 40, .dict_bytes = 200};
    build(&file, &sum, &md, &o);
    for (size_t i = 0; i < file.n; i++) {
        if (file.p[i] == 0 && i % 61) continue;
        uint8_t was = file.p[i];
        file.p[i] ^= (uint8_t)(1u << (i % 8));
        faults_seen = 0;
        struct mg_segment *g;
        assert_int_equal(mg_segment_open(&g, &env, mem_blob(&file), 5, sum.size, sum.foot_sum), MG_OK);
        size_t errors = 0, lost = probe_segment(g, &md, &seed, true, 1, &errors);
        assert_true(lost <= 1);
        if (errors) assert_true(faults_seen > 0);
        struct mg_segment_health health;
        size_t before = faults_seen;
        int err = mg_segment_verify(g, NULL, NULL, &health);
        if (was) assert_int_equal(err, MG_ECORRUPT);
        if (err) assert_true(faults_seen > before);
        mg_segment_close(g);
        file.p[i] = was;
    }
    mem_free(&file);
    mg_free(md.m);
}

// Sectors that are zero, unreadable or something else: whatever is asked, no wrong answer.
static void damaged_sectors(void **state) {
    (void)state;
    uint64_t seed = test_seed() + 2;
    for (int round = 0; round < 120; round++) {
        struct model md = model_new(&seed, 2500, 2, round % 2 ? 3000 : 40, 60);
        struct mem_file file;
        struct mg_segment_summary sum;
        build(&file, &sum, &md, &(struct mg_segment_options){.env = &env, .file = 5, .dict_bytes = 2000});
        size_t hits = 1 + rnd_to(&seed, 4);
        for (size_t i = 0; i < hits; i++) {
            // Mostly where the metadata is.
            size_t sectors = file.n / 512, at = rnd_to(&seed, (uint32_t)sectors);
            if (rnd_to(&seed, 3)) at = sectors - 1 - rnd_to(&seed, (uint32_t)sectors / 3);
            uint8_t *p = file.p + at * 512;
            switch (rnd_to(&seed, 3)) {
            case 0: memset(p, 0, 512); break;
            case 1: memmove(p, file.p + rnd_to(&seed, (uint32_t)sectors) * (size_t)512, 512); break;
            default: file.fail_at = at * 512; file.fail_end = file.fail_at + 512;
            }
        }
        env.cache = round % 2 ? mg_blockcache_new(1 << 20) : NULL;
        struct mg_segment *g;
        if (mg_segment_open(&g, &env, mem_blob(&file), 5, sum.size, sum.foot_sum) == MG_OK) {
            probe_segment(g, &md, &seed, true, 2, NULL);
            mg_segment_close(g);
        }
        mg_blockcache_free(env.cache);
        env.cache = NULL;
        mem_free(&file);
        mg_free(md.m);
    }
}

// All metadata of a section is gone but its line: the records alone answer everything.
static void records_alone(void **state) {
    (void)state;
    uint64_t seed = test_seed() + 3;
    struct model md = model_new(&seed, 4000, 1, 900, 60);
    struct mem_file file;
    struct mg_segment_summary sum;
    build(&file, &sum, &md, &(struct mg_segment_options){.env = &env, .file = 5});
    env.cache = mg_blockcache_new(1 << 22);
    struct mg_segment *g;
    assert_int_equal(mg_segment_open(&g, &env, mem_blob(&file), 5, sum.size, sum.foot_sum), MG_OK);
    for (uint32_t i = 0; i < g->sections; i++) {
        struct mg_section s;
        assert_int_equal(mg_segment_section(g, i, &s), MG_OK);
        uint64_t end = i + 1 < g->sections ? 0 : g->sections_at;
        struct mg_section next;
        if (!end) assert_int_equal(mg_segment_section(g, i + 1, &next), MG_OK);
        if (!end) end = next.dict_length ? section_dict_copy(&next) : next.data;
        memset(file.p + s.data + s.data_bytes, 0x55, end - s.data - s.data_bytes);
    }
    size_t errors = 0;
    records_lost = 0;
    assert_int_equal(probe_segment(g, &md, &seed, true, 2, &errors), 0);
    assert_int_equal(records_lost, 0);
    // Writing it again makes a whole one.
    struct mem_file again = {0};
    struct mg_file_writer w;
    mg_file_writer_init(&w, mem_blob(&again), 4096);
    struct mg_segment_builder *b = mg_segment_builder_new(&(struct mg_segment_options){.env = &env, .file = 6}, &w);
    uint64_t lost;
    assert_int_equal(mg_segment_salvage(g, b, &lost), MG_OK);
    assert_int_equal(lost, 0);
    assert_int_equal(mg_segment_builder_finish(b, &sum), MG_OK);
    mg_segment_builder_free(b);
    mg_file_writer_fini(&w);
    mg_segment_close(g);
    assert_int_equal(mg_segment_open(&g, &env, mem_blob(&again), 6, sum.size, sum.foot_sum), MG_OK);
    assert_int_equal(probe_segment(g, &md, &seed, false, 2, NULL), 0);
    mg_segment_close(g);
    mg_blockcache_free(env.cache);
    env.cache = NULL;
    mem_free(&file);
    mem_free(&again);
    mg_free(md.m);
}

// A file of the version that knew neither packed records nor dictionaries.
static void version_one_is_read(void **state) {
    (void)state;
    uint64_t seed = test_seed() + 4;
    struct model md = model_new(&seed, 300, 2, 20, 100);
    for (size_t i = 0; i < md.n; i++) md.m[i].stream *= 2; // none is packed
    struct mem_file file;
    struct mg_segment_summary sum;
    build(&file, &sum, &md, &(struct mg_segment_options){.env = &env, .file = 5});
    mg_put_u32(file.p + MG_AT(file_head, version), 1);
    mg_put_u64(file.p + MG_AT(file_head, checksum), mg_file_sum(file.p, MG_FILE_HEAD_SIZE - 8));
    for (size_t i = 1; i <= 2; i++) {
        uint8_t *foot = file.p + file.n - i * MG_FOOT_BYTES;
        mg_put_u32(foot + MG_AT(segment_foot, version), 1);
        sum.foot_sum = mg_file_sum(foot, MG_SEGMENT_FOOT_SIZE - 8);
        mg_put_u64(foot + MG_SEGMENT_FOOT_SIZE - 8, sum.foot_sum);
    }
    struct mg_segment *g;
    assert_int_equal(mg_segment_open(&g, &env, mem_blob(&file), 5, sum.size, sum.foot_sum), MG_OK);
    assert_int_equal(probe_segment(g, &md, &seed, false, 2, NULL), 0);
    struct mg_segment_health health;
    assert_int_equal(mg_segment_verify(g, NULL, NULL, &health), MG_OK);
    mg_segment_close(g);
    // One of a version to come is not.
    for (size_t i = 1; i <= 2; i++) {
        uint8_t *foot = file.p + file.n - i * MG_FOOT_BYTES;
        mg_put_u32(foot + MG_AT(segment_foot, version), MG_SEGMENT_VERSION + 1);
        mg_put_u64(foot + MG_SEGMENT_FOOT_SIZE - 8, mg_file_sum(foot, MG_SEGMENT_FOOT_SIZE - 8));
    }
    assert_int_equal(mg_segment_open(&g, &env, mem_blob(&file), 5, sum.size, 0), MG_ECORRUPT);
    mem_free(&file);
    mg_free(md.m);
}

static void refuses_what_it_cannot_keep(void **state) {
    (void)state;
    struct mem_file file = {0};
    struct mg_file_writer w;
    mg_file_writer_init(&w, mem_blob(&file), 4096);
    struct mg_segment_builder *b = mg_segment_builder_new(&(struct mg_segment_options){.env = &env, .file = 6}, &w);
    const struct {
        uint64_t stream, seq;
        const char *subject;
        int want;
    } cases[] = {{2, 5, "a", MG_OK}, {2, 5, "a", MG_EINVAL}, {2, 4, "a", MG_EINVAL}, {1, 9, "a", MG_EINVAL},
                 {3, 1, "", MG_EINVAL}, {3, 0, "a", MG_EINVAL}, {3, 1, "a", MG_OK}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t record[16];
        struct mg_record_view v = {.head = {.type = MG_RECORD_MSG, .stream = cases[i].stream, .seq = cases[i].seq},
                                   .subject = mg_cstr(cases[i].subject)};
        mg_record_encode(record, &v);
        assert_int_equal(mg_segment_builder_add(b, record), cases[i].want);
    }
    file.full = true;
    struct mg_segment_summary sum;
    assert_int_equal(mg_segment_builder_finish(b, &sum), MG_ENOSPC);
    mg_segment_builder_free(b);
    mg_file_writer_fini(&w);
    mem_free(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_model), cmocka_unit_test(many_streams),
        cmocka_unit_test(each_flipped_byte), cmocka_unit_test(damaged_sectors),
        cmocka_unit_test(records_alone), cmocka_unit_test(version_one_is_read),
        cmocka_unit_test(refuses_what_it_cannot_keep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
