// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Records of messages with extents, wherever they say that these are, on the simulated disk: what cannot be there is
// damage; what is taken is whole, and has the bytes of the file.
//
// Input: a byte for the size of the file, then for each record 28 bytes: flags (1 a hash that fits, 2 another file, 4 a
// place cut short), subject, lengths, offset, hash.
#include <string.h>
#include <xxhash.h>

#include "jetstream/store/extent.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "test/sim/sim_disk.h"

#define SALT 7
#define RECIPE 28u
#define FILE_MAX (64u * 1024)

static uint8_t content[FILE_MAX];

struct run {
    const uint8_t *data;
    size_t size, file;
};

static void try_one(struct mg_store_part *p, const uint8_t *r, size_t file) {
    char place[MG_EXTENT_PLACE_SIZE];
    struct mg_extent_place at = {
        .file = r[0] & 2 ? r[3] : 0,
        .headers_len = mg_get_u32(r + 4),
        .payload_len = mg_get_u32(r + 8),
        .offset = mg_get_u64(r + 12),
        .hash = mg_get_u64(r + 20),
    };
    uint64_t n = (uint64_t)at.headers_len + at.payload_len;
    if (r[0] & 1 && n <= file && at.offset <= file - n)
        at.hash = XXH3_64bits_withSeed(content + at.offset, (size_t)n, SALT);
    mg_extent_place_pack(place, &at);
    struct mg_record_view rec = {
        .head = {.type = MG_RECORD_MSG, .flags = MG_RECORD_EXTENT, .stream = 1, .op = 2, .seq = 3},
        .subject = mg_slice_of("subject", 1 + r[1] % 7),
        .payload = mg_slice_of(place, r[0] & 4 ? r[2] % sizeof(place) : sizeof(place))};
    int err;
    const uint8_t *bytes = mg_extent_recover(p, &rec, &err);
    if (bytes == NULL) {
        mg_assert(err == MG_ECORRUPT || err == MG_EIO);
        return;
    }
    struct mg_record_view whole;
    mg_assert(mg_record_decode(&whole, bytes, mg_record_length(bytes)) == 0 && whole.head.flags == 0);
    mg_assert(whole.headers.n == at.headers_len && whole.payload.n == at.payload_len && at.offset + n <= file);
    mg_assert(memcmp(whole.headers.p, content + at.offset, (size_t)n) == 0 && mg_slice_eq(whole.subject, rec.subject));
}

static void process(void *arg) {
    struct run *run = arg;
    struct mg_store *st = mg_zalloc(sizeof(*st));
    struct mg_store_part *p = mg_zalloc(sizeof(*p));
    mg_assert(mg_disk_open(&st->disk, "/fuzz", "fuzz", 0, NULL) == 0);
    st->env.salt = SALT;
    st->head = (struct mg_manifest_head){.page_bytes = 4096, .ring_pages = 16, .ring_file_pages = 8};
    p->store = st;
    mg_assert(mg_extents_open(st) == 0);
    for (size_t at = 0; at + RECIPE <= run->size; at += RECIPE) try_one(p, run->data + at, run->file);
    mg_extent_seal(p);
    mg_extent_drop(p);
    mg_assert(p->extents == NULL && p->extents_sealed == NULL);
    mg_extents_close(st);
    mg_disk_close(st->disk);
    mg_free(p);
    mg_free(st);
}

_Noreturn void sim_fail(const char *fmt, ...) {
    (void)fmt;
    mg_assert_failed("sim_check", __FILE__, __LINE__);
}
void sim_trace(const char *fmt, ...) { (void)fmt; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    struct run run = {.data = data + 1, .size = size - 1, .file = (size_t)data[0] * 257 % FILE_MAX};
    struct sim *s = sim_new(1);
    struct sim_disk *disk = sim_disk_new(s, "/fuzz");
    for (size_t i = 0; i < sizeof(content); i++) content[i] = (uint8_t)(i * 31 >> 3);
    sim_disk_set(disk, "extents", NULL, 0);
    sim_disk_set(disk, "extents/00000.ext", content, run.file);
    sim_disk_set(disk, "extents/nonsense", content, 10);
    sim_spawn(s, "process", process, &run);
    mg_assert(sim_run(s, NULL, NULL, MG_NEVER) == SIM_IDLE && sim_all_ended(s));
    sim_disk_free(disk);
    sim_free(s);
    return 0;
}
