// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The dictionary of a packed section: when there is one, and what is left when it is damaged. (Sections of packed
// streams against a model: segment_test.c.)
#include "test/unit/cmocka_inc.h"

#include <stdio.h>

#include "jetstream/store/segment_impl.h"
#include "test/unit/jetstream/store/mem_file.h"

static size_t faults_seen;

static void on_fault(void *arg, const struct mg_fault *f) {
    (void)arg;
    (void)f;
    faults_seen++;
}

static struct mg_table_env env = {.salt = 0xfeed, .report = on_fault};

static size_t payload_of(uint64_t seq, char out[256]) {
    return (size_t)snprintf(out, 256, "{\"order\":\"created\",\"number\":%llu,\"city\":\"Hamburg\",\"urgent\":true}",
                            (unsigned long long)seq * 7919);
}

// So many messages of the stream 1, which is packed, then of the stream 2, which is not.
static void build(struct mem_file *file, struct mg_segment_summary *sum, uint64_t messages) {
    struct mg_file_writer w;
    mg_file_writer_init(&w, mem_blob(file), 4096);
    struct mg_segment_builder *b = mg_segment_builder_new(&(struct mg_segment_options){.env = &env, .file = 5}, &w);
    for (uint64_t i = 0; i < 2 * messages; i++) {
        char payload[256];
        uint64_t record[64], seq = 1 + i % messages, stream = 1 + i / messages;
        struct mg_record_view v = {
            .head = {.type = MG_RECORD_MSG, .stream = stream, .op = seq, .seq = seq, .time = (int64_t)i},
            .subject = MG_S("orders.created"),
            .payload = mg_slice_of(payload, payload_of(seq, payload)),
        };
        mg_record_encode(record, &v);
        mg_segment_builder_pack(b, stream == 1);
        assert_int_equal(mg_segment_builder_add(b, record), MG_OK);
    }
    assert_int_equal(mg_segment_builder_finish(b, sum), MG_OK);
    mg_segment_builder_free(b);
    mg_file_writer_fini(&w);
}

static size_t readable(struct mg_segment *g, const struct mg_section *s) {
    struct mg_record_buf buf = {0};
    struct mg_record_view v;
    char payload[256];
    size_t n = 0;
    for (uint64_t seq = s->first_seq; seq <= s->last_seq; seq++) {
        int err = mg_section_get(g, s, seq, &buf, &v);
        if (err) assert_int_equal(err, MG_ECORRUPT);
        else assert_true(mg_slice_eq(v.payload, mg_slice_of(payload, payload_of(seq, payload))));
        n += err == 0;
    }
    mg_record_buf_fini(&buf);
    return n;
}

static void open_both(struct mem_file *file, const struct mg_segment_summary *sum, struct mg_segment **g,
                      struct mg_section s[2]) {
    assert_int_equal(mg_segment_open(g, &env, mem_blob(file), 5, sum->size, sum->foot_sum), MG_OK);
    for (uint32_t i = 0; i < 2; i++) assert_int_equal(mg_segment_section(*g, i, &s[i]), MG_OK);
}

// One copy is enough. Without any the packed messages are lost, and only they.
static void stands_twice(void **state) {
    (void)state;
    struct mem_file file = {0};
    struct mg_segment_summary sum;
    build(&file, &sum, 3000);
    for (unsigned damage = 0; damage < 8; damage++) {
        struct mg_segment *g;
        struct mg_section s[2];
        env.cache = damage & 4 ? mg_blockcache_new(1 << 20) : NULL;
        open_both(&file, &sum, &g, s);
        assert_true(s[0].dict_length > 0 && s[1].dict_length == 0);
        assert_true(s[0].data_bytes * 3 < s[1].data_bytes * 2);
        uint64_t places[] = {section_dict_at(&s[0]), section_dict_copy(&s[0])};
        assert_true(places[0] / MG_FOOT_BYTES > (places[1] + s[0].dict_length) / MG_FOOT_BYTES);
        for (unsigned i = 0; i < 2; i++) file.p[places[i] + 50] ^= (uint8_t)(damage >> i & 1);
        bool lost = (damage & 3) == 3;
        faults_seen = 0;
        assert_int_equal(readable(g, &s[0]), lost ? 0 : s[0].messages);
        assert_true((faults_seen > 0) == (damage & 1));
        assert_int_equal(readable(g, &s[1]), s[1].messages);
        struct mg_segment_health health;
        assert_int_equal(mg_segment_verify(g, NULL, NULL, &health), damage & 3 ? MG_ECORRUPT : MG_OK);
        assert_int_equal(health.frame_faults, (damage & 1) + (damage >> 1 & 1));
        assert_int_equal(health.record_faults, lost ? s[0].messages : 0);
        for (unsigned i = 0; i < 2; i++) file.p[places[i] + 50] ^= (uint8_t)(damage >> i & 1);
        mg_segment_close(g);
        mg_blockcache_free(env.cache);
        env.cache = NULL;
    }
    mem_free(&file);
}

// What is there twice, in the first place that a reader looks at: the file's own is replaced by another file's.
static void stranger_in_one_place(void **state) {
    (void)state;
    struct mem_file file = {0}, other = {0};
    struct mg_segment_summary sum;
    struct mg_segment *g;
    struct mg_section s[2];
    env.salt++; // the same file of another store: of the same size, and whole
    build(&other, &sum, 3000);
    env.salt--;
    build(&file, &sum, 3000);
    assert_int_equal(file.n, other.n);
    open_both(&file, &sum, &g, s);
    uint64_t foot = sum.size - MG_FOOT_BYTES, sections = mg_frame_size(2 * MG_SECTION_SIZE);
    const struct {
        uint64_t at, n;
    } places[] = {{foot, MG_FOOT_BYTES},
                  {g->sections_at, sections},
                  {section_dict_at(&s[0]), mg_frame_size(s[0].dict_length)},
                  {s[0].dir, mg_frame_size(s[0].dir_length)}};
    mg_segment_close(g);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        uint8_t *was = mg_alloc(places[i].n);
        memcpy(was, file.p + places[i].at, places[i].n);
        assert_int_not_equal(memcmp(was, other.p + places[i].at, places[i].n), 0);
        memcpy(file.p + places[i].at, other.p + places[i].at, places[i].n);
        faults_seen = 0;
        open_both(&file, &sum, &g, s);
        assert_int_equal(readable(g, &s[0]), s[0].messages);
        assert_int_equal(readable(g, &s[1]), s[1].messages);
        assert_true(faults_seen > 0);
        struct mg_segment_health health;
        assert_int_equal(mg_segment_verify(g, NULL, NULL, &health), MG_ECORRUPT);
        assert_int_equal(health.frame_faults, 1);
        assert_int_equal(health.record_faults, 0);
        mg_segment_close(g);
        memcpy(file.p + places[i].at, was, places[i].n);
        mg_free(was);
    }
    mem_free(&file);
    mem_free(&other);
}

static void short_sections_have_none(void **state) {
    (void)state;
    struct mem_file file = {0};
    struct mg_segment_summary sum;
    struct mg_segment *g;
    struct mg_section s[2];
    build(&file, &sum, 100);
    open_both(&file, &sum, &g, s);
    assert_int_equal(s[0].dict_length, 0);
    assert_int_equal(readable(g, &s[0]), 100);
    assert_int_equal(readable(g, &s[1]), 100);
    mg_segment_close(g);
    mem_free(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(stands_twice), cmocka_unit_test(stranger_in_one_place),
                                       cmocka_unit_test(short_sections_have_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
