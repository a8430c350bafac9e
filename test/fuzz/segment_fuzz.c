// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A segment whose bytes are wrong behind right checksums: every question to every section. Nothing may crash, read
// outside or go on for ever; a record that is given has the stream and the sequence that were asked for.
#include <stdio.h>

#include "jetstream/store/segment.h"
#include "test/fuzz/sealed.h"

enum { MESSAGES = 100, FILE_ID = 7 };

static void build(struct mem_file *mem, const struct mg_table_env *env, bool small, bool pack,
                  struct mg_segment_summary *sum) {
    struct mg_file_writer w;
    mg_file_writer_init(&w, mem_blob(mem), 4096);
    const struct mg_segment_options o = {.env = env, .file = FILE_ID, .section_messages = small ? 30 : 0,
                                         .dict_bytes = 300};
    struct mg_segment_builder *b = mg_segment_builder_new(&o, &w);
    mg_segment_builder_pack(b, pack);
    for (uint64_t i = 0; i < MESSAGES; i++) {
        char subject[16];
        uint64_t record[32];
        int n = snprintf(subject, sizeof subject, "s.%d", (int)(i % 7));
        struct mg_record_view v = {.head = {.type = MG_RECORD_MSG, .stream = 1 + i / 70, .seq = 1 + i + i / 40 * 3,
                                            .time = (int64_t)i * 10},
                                   .subject = {subject, (size_t)n}, .payload = {"payload of it", i % 13}};
        mg_record_encode(record, &v);
        mg_assert(mg_segment_builder_add(b, record) == MG_OK);
    }
    mg_assert(mg_segment_builder_finish(b, sum) == MG_OK);
    mg_segment_builder_free(b);
    mg_file_writer_fini(&w);
}

static void walk(const struct mg_segment *g, const struct mg_section *s, const struct mg_section_filter *f) {
    struct mg_section_walk *w = mg_section_walk_new(g, s, f);
    struct mg_section_scan *c = mg_section_scan_new(g, s, f, 4096, false);
    struct mg_section_entry e;
    struct mg_record_view v;
    int steps = 0, err;
    mg_section_walk_seek(w, s->first_seq / 2 + s->last_seq / 2);
    while (mg_section_walk_prev(w, &e) != MG_ENOTFOUND && ++steps < 100000)
        continue;
    mg_assert(steps < 100000);
    while ((err = mg_section_scan_next(c, &e, &v)) != MG_ENOTFOUND && ++steps < 100000)
        mg_assert(err || (v.head.seq == e.seq && v.head.stream == s->stream));
    mg_assert(steps < 100000);
    mg_section_walk_free(w);
    mg_section_scan_free(c);
}

static bool on_subject(void *arg, mg_slice subject, const struct mg_subject_stat *stat) {
    (void)stat;
    return subject.n > 0 && ++*(int *)arg < 100000;
}

static void ask(const struct mg_segment *g, const struct mg_section *s) {
    struct mg_record_buf buf = {0};
    struct mg_record_view v;
    struct mg_section_entry e;
    uint64_t count;
    int subjects = 0;
    for (uint64_t seq = 0; seq < MESSAGES + 20; seq++)
        if (mg_section_get(g, s, seq, &buf, &v) == MG_OK) mg_assert(v.head.seq == seq && v.head.stream == s->stream);
    mg_record_buf_fini(&buf);
    const struct mg_subject_match m = {.prefix = MG_S("s.3"), .literal = true}, all = {.prefix = MG_S("s")};
    struct mg_section_filter *f = mg_section_filter_new(g, s, &m);
    walk(g, s, f);
    walk(g, s, NULL);
    mg_section_count(g, s, f, s->first_seq + 1, &count);
    mg_section_count(g, s, NULL, s->first_seq + 1, &count);
    mg_section_filter_free(f);
    mg_section_last(g, s, MG_S("s.5"), UINT64_MAX, &e);
    mg_section_last(g, s, MG_S("s.5"), s->last_seq - 1, &e);
    mg_section_first_at(g, s, 3, 500, &e);
    mg_section_subjects(g, s, &all, on_subject, &subjects);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 400) return 0;
    const struct mg_table_env env = {.salt = 5, .cache = data[0] & 4 ? mg_blockcache_new(1 << 16) : NULL};
    struct mem_file mem = {0};
    struct mg_segment_summary sum;
    struct mg_segment *g;
    build(&mem, &env, data[0] & 2, data[0] & 8, &sum);
    struct sealed_file f = {.env = &env, .mem = &mem, .file = FILE_ID, .foot_size = MG_SEGMENT_FOOT_SIZE};
    sealed_find(&f);
    sealed_change(&f, data + 1, size - 1, !(data[0] & 1));
    if (mg_segment_open(&g, &env, mem_blob(&mem), FILE_ID, sum.size, 0) == MG_OK) {
        for (uint32_t i = 0; i < g->sections && i < 20; i++) {
            struct mg_section s;
            if (mg_segment_section(g, i, &s) == MG_OK) ask(g, &s);
        }
        struct mg_section s;
        uint32_t ordinal;
        mg_segment_find(g, 2, 90, &ordinal, &s);
        struct mg_segment_health health;
        if (g->sections < 1000) mg_segment_verify(g, NULL, NULL, &health);
        mg_segment_close(g);
    }
    mg_blockcache_free(env.cache);
    mem_free(&mem);
    return 0;
}
