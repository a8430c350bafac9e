// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Runs against a sorted array: every key and many that are not there, ranges, merges; then with each byte of a small
// run flipped. An answer may be an error or the right one, never another.
#include "test/unit/cmocka_inc.h"

#include <stdio.h>

#include "jetstream/store/merge.h"
#include "test/unit/jetstream/store/mem_file.h"

struct model_row {
    char key[40];
    uint32_t key_len, value_len;
    uint64_t value_seed;
    bool tombstone;
};

struct model {
    struct model_row *rows; // sorted
    size_t n;
};

static struct {
    size_t faults, healed;
} seen;

static void on_fault(void *arg, const struct mg_fault *f) {
    (void)arg;
    seen.faults++;
    seen.healed += f->healed;
}

static struct mg_table_env env = {.salt = 0x5a17, .report = on_fault};

static int by_key(const void *a, const void *b) {
    const struct model_row *x = a, *y = b;
    return mg_key_cmp(mg_slice_of(x->key, x->key_len), mg_slice_of(y->key, y->key_len));
}

// Random rows with much in common; distinct keys.
static struct model model_new(uint64_t *seed, size_t n, uint32_t space, uint32_t value_max) {
    struct model m = {mg_zalloc((n + 1) * sizeof *m.rows), 0};
    for (size_t i = 0; i < n; i++) {
        struct model_row *r = &m.rows[i];
        r->key_len = (uint32_t)snprintf(r->key, sizeof r->key, "k.%u.%u", rnd_to(seed, 7), rnd_to(seed, space));
        if (rnd_to(seed, 10) == 0) r->key_len = 2 + rnd_to(seed, r->key_len - 1);
        r->value_len = rnd_to(seed, 4) ? rnd_to(seed, value_max) : 0;
        r->value_seed = rnd(seed);
        r->tombstone = rnd_to(seed, 8) == 0;
        if (r->tombstone) r->value_len = 0;
    }
    qsort(m.rows, n, sizeof *m.rows, by_key);
    for (size_t i = 0; i < n; i++)
        if (m.n == 0 || by_key(&m.rows[m.n - 1], &m.rows[i]) != 0) m.rows[m.n++] = m.rows[i];
    return m;
}

static mg_slice key_of(const struct model_row *r) { return mg_slice_of(r->key, r->key_len); }

static mg_slice value_of(const struct model_row *r, char *buf) {
    uint64_t s = r->value_seed;
    for (uint32_t i = 0; i < r->value_len; i++)
        buf[i] = (char)rnd(&s);
    return mg_slice_of(buf, r->value_len);
}

static void expect_row(const struct model_row *r, const struct mg_row *got) {
    char buf[4096];
    assert_true(mg_slice_eq(key_of(r), got->key));
    assert_true(mg_slice_eq(value_of(r, buf), got->value));
    assert_int_equal(r->tombstone, got->tombstone);
}

// The first row with a key >= key.
static size_t model_seek(const struct model *m, mg_slice key) {
    size_t i = 0;
    while (i < m->n && mg_key_cmp(key_of(&m->rows[i]), key) < 0)
        i++;
    return i;
}

struct built {
    struct mem_file main, copy;
    struct mg_run_summary sum;
};

static void build(struct built *b, const struct model *m, uint64_t file, uint32_t block, uint32_t part, bool twice) {
    *b = (struct built){0};
    struct mg_file_writer w;
    mg_file_writer_init(&w, mem_blob(&b->main), 8192);
    if (twice) w.twin = mem_blob(&b->copy);
    const struct mg_run_options o = {&env, file, block, part};
    struct mg_run_builder *rb = mg_run_builder_new(&o, &w);
    for (size_t i = 0; i < m->n; i++) {
        char buf[4096];
        const struct mg_row row = {key_of(&m->rows[i]), value_of(&m->rows[i], buf), m->rows[i].tombstone};
        assert_int_equal(mg_run_builder_add(rb, &row), MG_OK);
    }
    assert_int_equal(mg_run_builder_finish(rb, &b->sum), MG_OK);
    assert_int_equal(b->sum.rows, m->n);
    assert_int_equal(b->sum.size, b->main.n);
    mg_run_builder_free(rb);
    mg_file_writer_fini(&w);
}

static int open_run(struct mg_run **r, struct built *b) {
    struct mg_blob copy = b->copy.p ? mem_blob(&b->copy) : (struct mg_blob){0};
    return mg_run_open(r, &env, mem_blob(&b->main), copy, b->sum.file, b->sum.size, b->sum.foot_sum);
}

static void built_fini(struct built *b) {
    mem_free(&b->main);
    mem_free(&b->copy);
    mg_run_summary_fini(&b->sum);
}

// ---- against the model

static void check_gets(const struct mg_run *r, const struct model *m, uint64_t *seed) {
    for (size_t i = 0; i < m->n; i++) {
        struct mg_run_hit hit;
        assert_int_equal(mg_run_get(r, key_of(&m->rows[i]), &hit), MG_OK);
        expect_row(&m->rows[i], &(struct mg_row){key_of(&m->rows[i]), hit.value, hit.tombstone});
        mg_run_hit_release(&hit);
    }
    for (int i = 0; i < 200; i++) {
        char key[40];
        int n = snprintf(key, sizeof key, "k.%u.%u", rnd_to(seed, 9), rnd_to(seed, 100000));
        mg_slice k = mg_slice_of(key, (size_t)n);
        size_t at = model_seek(m, k);
        bool there = at < m->n && mg_slice_eq(key_of(&m->rows[at]), k);
        struct mg_run_hit hit = {0};
        assert_int_equal(mg_run_get(r, k, &hit), there ? MG_OK : MG_ENOTFOUND);
        mg_run_hit_release(&hit);
    }
}

static void check_ranges(const struct mg_run *r, const struct model *m, uint64_t *seed) {
    for (int i = 0; i < 60; i++) {
        char key[40];
        int n = i ? snprintf(key, sizeof key, "k.%u.%u", rnd_to(seed, 9), rnd_to(seed, 1000)) : 0;
        size_t at = model_seek(m, mg_slice_of(key, (size_t)n));
        struct mg_run_iter *it = mg_run_iter_new(r, i % 2);
        int err = mg_run_iter_seek(it, mg_slice_of(key, (size_t)n));
        size_t most = i < 2 ? m->n : 50;
        for (; at < m->n && most; at++, most--, err = mg_run_iter_next(it)) {
            assert_int_equal(err, MG_OK);
            expect_row(&m->rows[at], mg_run_iter_row(it));
        }
        if (at == m->n) assert_int_equal(err, MG_ENOTFOUND);
        if (at == m->n) assert_int_equal(mg_run_iter_next(it), MG_ENOTFOUND);
        mg_run_iter_free(it);
    }
}

// What a run says without reading: never "no" of a key that is there, before and after its filters are in memory; at
// most as much memory as it was given; nothing is left when it is closed.
static void gates_never_deny(void **state) {
    (void)state;
    uint64_t seed = test_seed();
    for (int round = 0; round < 12; round++) {
        struct mg_filter_budget budget = {.max = (size_t[]){0, 640, SIZE_MAX / 2}[round % 3]};
        struct model m = model_new(&seed, 2000, 400, 20);
        struct built b;
        struct mg_run *r;
        env.filters = &budget;
        build(&b, &m, 7, 1000, 100, false);
        assert_int_equal(open_run(&r, &b), MG_OK);
        for (size_t i = 0; i < m.n; i++) assert_true(mg_run_may_have(r, key_of(&m.rows[i])));
        check_gets(r, &m, &seed);
        assert_true(budget.used <= budget.max);
        assert_int_equal(budget.used > 0, budget.max > 0);
        unsigned denied = 0, asked = 0;
        for (size_t i = 0; i < m.n; i++) {
            char key[40];
            int n = snprintf(key, sizeof key, "%.*s_", (int)m.rows[i].key_len, m.rows[i].key);
            assert_true(mg_run_may_have(r, key_of(&m.rows[i])));
            if (i + 1 == m.n) break;
            denied += !mg_run_may_have(r, mg_slice_of(key, (size_t)n));
            asked++;
        }
        if (round % 3 == 0) assert_true(denied < 10); // keys behind the last one
        if (round % 3 == 2) assert_true(denied > asked * 9 / 10);
        assert_false(mg_run_may_have(r, MG_S("j")));
        assert_false(mg_run_may_have(r, MG_S("l")));
        mg_run_close(r);
        assert_int_equal(budget.used, 0);
        built_fini(&b);
        mg_free(m.rows);
    }
    env.filters = NULL;
}

static void equals_the_model(void **state) {
    (void)state;
    uint64_t seed = test_seed();
    for (int round = 0; round < 40; round++) {
        size_t n = (size_t[]){0, 1, 17, 300, 4000}[round % 5];
        struct model m = model_new(&seed, n, 400, 1 + rnd_to(&seed, 300));
        struct built b;
        build(&b, &m, 7, (uint32_t[]){100, 1000, 0}[round % 3], (uint32_t[]){10, 500, 0}[round % 3], round % 2);
        env.cache = round % 4 ? mg_blockcache_new((size_t)1 << (12 + round % 10)) : NULL;
        struct mg_run *r;
        assert_int_equal(open_run(&r, &b), MG_OK);
        check_gets(r, &m, &seed);
        check_ranges(r, &m, &seed);
        assert_int_equal(mg_run_verify(r, NULL, NULL), MG_OK);
        mg_slice low, high;
        mg_run_range(r, &low, &high);
        assert_true(mg_slice_eq(low, m.n ? key_of(&m.rows[0]) : mg_slice_of(NULL, 0)));
        assert_true(mg_slice_eq(high, m.n ? key_of(&m.rows[m.n - 1]) : mg_slice_of(NULL, 0)));
        mg_run_close(r);
        mg_blockcache_free(env.cache);
        env.cache = NULL;
        built_fini(&b);
        mg_free(m.rows);
    }
    assert_int_equal(seen.faults, 0);
}

// ---- merging

static void merges_newest_first(void **state) {
    (void)state;
    uint64_t seed = test_seed() + 1;
    for (int round = 0; round < 30; round++) {
        size_t n = 1 + rnd_to(&seed, 6);
        struct model models[6];
        struct built built[6], merged;
        struct mg_run *runs[6];
        struct model all = {mg_zalloc(6 * 2000 * sizeof *all.rows), 0};
        bool drop = round % 2;
        for (size_t i = 0; i < n; i++) {
            models[i] = model_new(&seed, rnd_to(&seed, 2000), 300, 60);
            build(&built[i], &models[i], 10 + i, 500, 100, false);
            assert_int_equal(open_run(&runs[i], &built[i]), MG_OK);
            // What is older and has no newer row.
            for (size_t j = 0, had = all.n; j < models[i].n; j++) {
                bool hidden = false;
                for (size_t k = 0; k < i && !hidden; k++) {
                    size_t at = model_seek(&models[k], key_of(&models[i].rows[j]));
                    hidden = at < models[k].n && by_key(&models[k].rows[at], &models[i].rows[j]) == 0;
                }
                (void)had;
                if (!hidden && !(drop && models[i].rows[j].tombstone)) all.rows[all.n++] = models[i].rows[j];
            }
        }
        qsort(all.rows, all.n, sizeof *all.rows, by_key);
        merged = (struct built){0};
        struct mg_file_writer w;
        mg_file_writer_init(&w, mem_blob(&merged.main), 4096);
        const struct mg_run_options o = {&env, 99, 300, 50};
        struct mg_run_builder *rb = mg_run_builder_new(&o, &w);
        const struct mg_merge_job job = {.inputs = runs, .ninputs = n, .drop_tombstones = drop};
        assert_int_equal(mg_run_merge(&job, rb, &merged.sum), MG_OK);
        struct mg_run *r;
        assert_int_equal(open_run(&r, &merged), MG_OK);
        check_gets(r, &all, &seed);
        check_ranges(r, &all, &seed);
        mg_run_close(r);
        mg_run_builder_free(rb);
        mg_file_writer_fini(&w);
        built_fini(&merged);
        for (size_t i = 0; i < n; i++) {
            mg_run_close(runs[i]);
            built_fini(&built[i]);
            mg_free(models[i].rows);
        }
        mg_free(all.rows);
    }
}

// ---- damage

// Walks all of a damaged run: what comes must be in the model, and what does not come in a gap.
static size_t walk_damaged(struct mg_run_iter *it, const struct model *m) {
    size_t at = 0, lost = 0;
    int err = mg_run_iter_seek(it, mg_slice_of(NULL, 0));
    for (; err != MG_ENOTFOUND; err = mg_run_iter_next(it)) {
        if (err == MG_OK) {
            assert_true(at < m->n);
            expect_row(&m->rows[at++], mg_run_iter_row(it));
            continue;
        }
        const struct mg_run_gap *gap = mg_run_iter_gap(it);
        size_t low = model_seek(m, mg_buf_slice(&gap->low));
        size_t high = gap->endless ? m->n : model_seek(m, mg_buf_slice(&gap->high));
        assert_int_equal(low, at);
        lost += high - low;
        at = high;
    }
    assert_int_equal(at, m->n);
    return lost;
}

static size_t probe_damaged(struct built *b, const struct model *m, bool expect_all) {
    struct mg_run *r;
    size_t lost = 0;
    if (open_run(&r, b) != MG_OK) {
        assert_false(expect_all);
        return m->n;
    }
    for (size_t i = 0; i < m->n; i++) {
        struct mg_run_hit hit;
        int err = mg_run_get(r, key_of(&m->rows[i]), &hit);
        assert_true(err == MG_OK || err == MG_ECORRUPT || err == MG_EIO);
        lost += err != MG_OK;
        if (err == MG_OK) expect_row(&m->rows[i], &(struct mg_row){key_of(&m->rows[i]), hit.value, hit.tombstone});
        if (err == MG_OK) mg_run_hit_release(&hit);
    }
    struct mg_run_iter *it = mg_run_iter_new(r, false);
    assert_int_equal(walk_damaged(it, m), lost);
    mg_run_iter_free(it);
    if (expect_all) assert_int_equal(lost, 0);
    mg_run_close(r);
    return lost;
}

static void each_flipped_byte(void **state) {
    (void)state;
    uint64_t seed = test_seed() + 2;
    struct model m = model_new(&seed, 60, 100, 30);
    for (int twice = 0; twice < 2; twice++) {
        struct built b;
        build(&b, &m, 3, 150, 20, twice);
        size_t worst = 0;
        for (size_t i = 0; i < b.main.n; i++) {
            if (b.main.p[i] == 0 && i % 61) continue; // long stretches of padding
            uint8_t was = b.main.p[i];
            b.main.p[i] ^= (uint8_t)(1u << (i % 8));
            size_t before = seen.faults;
            size_t lost = probe_damaged(&b, &m, twice);
            if (lost) assert_true(seen.faults > before);
            if (lost > worst) worst = lost;
            struct mg_run *r;
            if (open_run(&r, &b) == MG_OK) {
                // A checker sees every flip but those between the last frame and the foot, where nothing is.
                mg_run_verify(r, NULL, NULL);
                mg_run_close(r);
            }
            if (i < b.main.n - 3 * MG_FOOT_BYTES && was) assert_true(seen.faults > before);
            b.main.p[i] = was;
        }
        assert_true(worst < 30); // one block of one part at most
        built_fini(&b);
    }
    mg_free(m.rows);
}

// A part's index is gone and, in the second half, a block of it too: the others still answer.
static void damaged_part_is_walked(void **state) {
    (void)state;
    uint64_t seed = test_seed() + 3;
    struct model m = model_new(&seed, 2000, 1000, 60);
    struct built b;
    build(&b, &m, 4, 500, 0, false);
    env.cache = mg_blockcache_new(1 << 20);
    // The only part frame is the one in front of the top.
    struct mg_run *r;
    assert_int_equal(open_run(&r, &b), MG_OK);
    uint64_t part = mg_run_about(r)->top - 100;
    mg_run_close(r);
    b.main.p[part] ^= 1;
    assert_int_equal(probe_damaged(&b, &m, false), 0);
    mg_blockcache_free(env.cache);
    env.cache = NULL;
    b.main.p[20000] ^= 1; // everything behind it in the part is lost, what is before is not
    size_t lost = probe_damaged(&b, &m, false);
    assert_true(lost > 0 && lost < m.n);
    built_fini(&b);
    mg_free(m.rows);
}

static void copy_stands_in_for_a_missing_file(void **state) {
    (void)state;
    uint64_t seed = test_seed() + 4;
    struct model m = model_new(&seed, 500, 1000, 60);
    struct built b;
    build(&b, &m, 5, 500, 100, true);
    b.main.broken = true;
    probe_damaged(&b, &m, true);
    b.main.broken = false;
    b.main.n = 4096; // cut off
    probe_damaged(&b, &m, true);
    struct mg_run *r;
    struct mg_blob none = {0};
    assert_int_equal(mg_run_open(&r, &env, none, mem_blob(&b.copy), 5, b.sum.size, b.sum.foot_sum), MG_OK);
    check_gets(r, &m, &seed);
    mg_run_close(r);
    // Not this file, not this store, not this version of it.
    assert_int_equal(mg_run_open(&r, &env, mem_blob(&b.copy), (struct mg_blob){0}, 6, b.sum.size, 0), MG_ECORRUPT);
    assert_int_equal(mg_run_open(&r, &env, mem_blob(&b.copy), (struct mg_blob){0}, 5, b.sum.size, 1), MG_ECORRUPT);
    struct mg_table_env other = env;
    other.salt++;
    assert_int_equal(mg_run_open(&r, &other, mem_blob(&b.copy), (struct mg_blob){0}, 5, b.sum.size, 0), MG_ECORRUPT);
    built_fini(&b);
    mg_free(m.rows);
}

// Everything is there, whatever is wrong with one copy, and a check of the run finds that.
static void one_copy_is_enough(struct built *b, const struct model *m, bool damaged) {
    uint64_t seed = test_seed() + 8;
    struct mg_run *r;
    seen.faults = seen.healed = 0;
    assert_int_equal(open_run(&r, b), MG_OK);
    check_gets(r, m, &seed);
    check_ranges(r, m, &seed);
    assert_int_equal(seen.faults, seen.healed);
    assert_int_equal(mg_run_verify(r, NULL, NULL), damaged ? MG_ECORRUPT : MG_OK);
    mg_run_close(r);
}

// In the place of one copy, or of a page of it, stands what is whole but belongs elsewhere: to another run of the same
// size, to this run in another store, or to another place.
static void strange_copies(void **state) {
    (void)state;
    uint64_t seed = test_seed() + 7;
    struct model m = model_new(&seed, 300, 1000, 60);
    struct built b, others[2];
    build(&b, &m, 5, 500, 100, true);
    build(&others[0], &m, 6, 500, 100, false);
    env.salt++;
    build(&others[1], &m, 5, 500, 100, false);
    env.salt--;
    struct mem_file *copies[] = {&b.main, &b.copy};
    for (int i = 0; i < 2; i++) {
        struct mem_file *copy = copies[i], good = *copy;
        for (int k = 0; k < 2; k++) {
            assert_int_equal(others[k].main.n, copy->n);
            *copy = others[k].main;
            one_copy_is_enough(&b, &m, true);
            *copy = good;
        }
        char page[MG_FOOT_BYTES];
        for (size_t at = 0; at < copy->n; at += MG_FOOT_BYTES) {
            const struct mem_file *elsewhere[] = {&others[0].main, &others[1].main, copies[1 - i]};
            for (size_t k = 0; k < 3; k++) {
                size_t from = k < 2 ? at : rnd_to(&seed, (uint32_t)(copy->n / MG_FOOT_BYTES)) * MG_FOOT_BYTES;
                memcpy(page, copy->p + at, sizeof page);
                bool same = memcmp(copy->p + at, elsewhere[k]->p + from, sizeof page) == 0;
                memcpy(copy->p + at, elsewhere[k]->p + from, sizeof page);
                one_copy_is_enough(&b, &m, !same);
                memcpy(copy->p + at, page, sizeof page);
            }
        }
    }
    one_copy_is_enough(&b, &m, false);
    for (int k = 0; k < 2; k++) built_fini(&others[k]);
    built_fini(&b);
    mg_free(m.rows);
}

// A gap in a newer run hides what older runs say about these keys; a merge job refuses.
static void damage_never_shows_older_rows(void **state) {
    (void)state;
    uint64_t seed = test_seed() + 5;
    struct model older = model_new(&seed, 800, 200, 20), newer = model_new(&seed, 800, 200, 20);
    struct built a, b;
    build(&a, &older, 20, 300, 1000, false);
    build(&b, &newer, 21, 300, 1000, false);
    b.main.p[2000] ^= 4;
    struct mg_run *runs[2];
    assert_int_equal(open_run(&runs[0], &b), MG_OK);
    assert_int_equal(open_run(&runs[1], &a), MG_OK);
    struct mg_merge *m = mg_merge_new(runs, 2, false, false);
    size_t gaps = 0;
    int err = mg_merge_seek(m, mg_slice_of(NULL, 0));
    for (; err != MG_ENOTFOUND; err = mg_merge_next(m)) {
        if (err != MG_OK) {
            gaps++;
            continue;
        }
        const struct mg_row *row = mg_merge_row(m);
        size_t at = model_seek(&newer, row->key);
        bool in_newer = at < newer.n && mg_slice_eq(key_of(&newer.rows[at]), row->key);
        const struct model *from = in_newer ? &newer : &older;
        expect_row(&from->rows[model_seek(from, row->key)], row);
    }
    assert_int_equal(gaps, 1);
    for (size_t i = 0; i < older.n; i++) { // the same by single keys
        struct mg_run_hit hit;
        size_t at = model_seek(&newer, key_of(&older.rows[i]));
        bool in_newer = at < newer.n && by_key(&newer.rows[at], &older.rows[i]) == 0;
        if (mg_runs_get(runs, 2, key_of(&older.rows[i]), &hit)) continue;
        expect_row(in_newer ? &newer.rows[at] : &older.rows[i],
                   &(struct mg_row){key_of(&older.rows[i]), hit.value, hit.tombstone});
        mg_run_hit_release(&hit);
    }
    struct mem_file out = {0};
    struct mg_file_writer w;
    mg_file_writer_init(&w, mem_blob(&out), 4096);
    struct mg_run_builder *rb = mg_run_builder_new(&(struct mg_run_options){&env, 22, 0, 0}, &w);
    struct mg_run_summary sum;
    assert_int_equal(mg_run_merge(&(struct mg_merge_job){.inputs = runs, .ninputs = 2}, rb, &sum), MG_ECORRUPT);
    mg_run_builder_free(rb);
    mg_file_writer_fini(&w);
    mem_free(&out);
    mg_merge_free(m);
    mg_run_close(runs[0]);
    mg_run_close(runs[1]);
    built_fini(&a);
    built_fini(&b);
    mg_free(older.rows);
    mg_free(newer.rows);
}

static void refuses_what_it_cannot_keep(void **state) {
    (void)state;
    struct mem_file out = {0};
    struct mg_file_writer w;
    mg_file_writer_init(&w, mem_blob(&out), 4096);
    struct mg_run_builder *rb = mg_run_builder_new(&(struct mg_run_options){&env, 1, 0, 0}, &w);
    char *big = mg_zalloc(MG_ROW_KEY_MAX + 1);
    const struct mg_row b = {MG_S("b"), MG_S("1"), false}, a = {MG_S("a"), MG_S("2"), false};
    const struct mg_row none = {mg_slice_of("", 0), MG_S("2"), false};
    const struct mg_row huge = {{big, MG_ROW_KEY_MAX + 1}, MG_S(""), false};
    assert_int_equal(mg_run_builder_add(rb, &b), MG_OK);
    assert_int_equal(mg_run_builder_add(rb, &b), MG_EINVAL);
    assert_int_equal(mg_run_builder_add(rb, &a), MG_EINVAL);
    assert_int_equal(mg_run_builder_add(rb, &none), MG_ERANGE);
    assert_int_equal(mg_run_builder_add(rb, &huge), MG_ERANGE);
    out.full = true;
    struct mg_run_summary sum;
    assert_int_equal(mg_run_builder_finish(rb, &sum), MG_ENOSPC);
    mg_run_summary_fini(&sum);
    mg_run_builder_free(rb);
    mg_file_writer_fini(&w);
    mem_free(&out);
    mg_free(big);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_model),
        cmocka_unit_test(gates_never_deny),
        cmocka_unit_test(merges_newest_first),
        cmocka_unit_test(each_flipped_byte),
        cmocka_unit_test(damaged_part_is_walked),
        cmocka_unit_test(copy_stands_in_for_a_missing_file),
        cmocka_unit_test(strange_copies),
        cmocka_unit_test(damage_never_shows_older_rows),
        cmocka_unit_test(refuses_what_it_cannot_keep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
