// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A ring whose pages are put together from the input, most of them with checksums that match, is recovered on the
// simulated disk, first to look only, then for service. Whatever stands there, recovery ends, delivers the same both
// times and leaves a journal that can be recovered.
//
// Input: for each page 16 bytes: what it is (0 nothing, 1 the bytes as they are, else a page), its number's distance
// from the slot in laps, commit, index, count, incarnation, first, used and so on; its records follow from a counter.
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "jetstream/store/journal.h"
#include "jetstream/store/page.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "test/sim/sim_disk.h"

#define FILES      2u
#define FILE_PAGES 8u
#define SALT       7
#define RECIPE     16u
#define HEAD       mg_page_head_bytes(MG_PAGE_BYTES_MIN)

struct outcome {
    uint64_t records, sum, damages;
};

static int on_record(void *arg, const struct mg_record_view *v, const void *bytes, uint64_t page) {
    struct outcome *o = arg;
    const uint8_t *p = bytes;
    o->records++;
    for (uint32_t i = 0; i < v->head.length; i++) o->sum = o->sum * 31 + p[i];
    o->sum += page;
    return 0;
}

static void on_damage(void *arg, const struct mg_journal_damage *d) {
    struct outcome *o = arg;
    mg_assert(d->page < d->pages_end || d->cause == MG_DAMAGE_BEHIND);
    o->damages++;
}

static void fill(uint8_t *body, size_t n, uint8_t kind) {
    static const char text[3000] = "text";
    for (size_t at = 0; at + MG_RECORD_SIZE <= n;) {
        size_t left = n - at - MG_RECORD_SIZE, payload = kind * 13u % 400;
        struct mg_record_view v = {.head = {.type = MG_RECORD_MSG, .stream = kind, .op = at},
                                   .payload = mg_slice_of(text, payload < left ? payload : left & ~(size_t)7)};
        at += mg_record_encode(body + at, &v);
    }
}

static void bake(uint8_t *page, const uint8_t *r, uint64_t slot) {
    uint8_t body[MG_PAGE_BYTES_MIN];
    if (r[0] == 0) return;
    if (r[0] == 1) {
        memcpy(page, r, RECIPE);
        return;
    }
    struct mg_page h = {
        .page = slot + r[1] % 4 * FILES * FILE_PAGES + (r[0] == 2), // 2: in the wrong place
        .commit = r[2],
        .index = r[3] % 8,
        .count = r[3] % 8 + 1u + r[4] % 8,
        .incarnation = r[5] % 4,
        .first_page = r[6],
        .unsynced = r[7],
        .used = (uint16_t)(mg_get_u16(r + 8) % (sizeof(body) - HEAD + 1)),
        .kind = r[12] % 4 + 1,
    };
    h.first = (uint16_t)(r[10] == 0 ? 0 : HEAD + (r[10] - 1) * 8u);
    if (r[13] & 1) h.page |= UINT64_C(1) << 63; // impossible numbers
    fill(page + HEAD, h.used, r[11]);
    mg_page_seal(page, sizeof(body), &h, SALT);
    if (r[13] & 2) page[r[14] * 16u] ^= 1;
}

static int recover(struct mg_disk *disk, uint64_t from, bool look_only, struct outcome *o) {
    struct mg_journal *j;
    const struct mg_journal_options options = {
        .disk = disk, .salt = SALT, .page_bytes = MG_PAGE_BYTES_MIN, .file_pages = FILE_PAGES, .files = FILES,
        .replay_from = from, .look_only = look_only, .arg = o, .record = on_record, .damage = on_damage};
    *o = (struct outcome){0};
    int rc = mg_journal_open(&j, &options, NULL);
    if (rc == 0) mg_journal_close(j);
    return rc;
}

struct run {
    uint64_t from;
};

static void process(void *arg) {
    struct run *run = arg;
    struct mg_disk *disk;
    struct outcome look, serve, again;
    mg_assert(mg_disk_open(&disk, "/fuzz", "fuzz", 0, NULL) == 0);
    mg_assert(recover(disk, run->from, true, &look) == 0);
    int rc = recover(disk, run->from, false, &serve);
    mg_assert(rc == 0 || rc == MG_EFULL);
    mg_assert(look.records == serve.records && look.sum == serve.sum && look.damages == serve.damages);
    // Behind the fence may come back what impossible incarnations had voided, so only that it ends is asked for.
    if (rc == 0) mg_assert(recover(disk, run->from, true, &again) == 0);
    mg_disk_close(disk);
}

_Noreturn void sim_fail(const char *fmt, ...) {
    (void)fmt;
    mg_assert_failed("sim_check", __FILE__, __LINE__);
}
void sim_trace(const char *fmt, ...) { (void)fmt; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    struct run run = {.from = data[0]};
    struct sim *s = sim_new(1);
    struct sim_disk *disk = sim_disk_new(s, "/fuzz");
    sim_disk_set(disk, "journal", NULL, 0);
    uint8_t *bytes = mg_alloc(FILE_PAGES * MG_PAGE_BYTES_MIN);
    size_t at = 1;
    for (unsigned no = 0; no < FILES && at < size; no++) {
        char name[32];
        memset(bytes, 0, FILE_PAGES * MG_PAGE_BYTES_MIN);
        for (unsigned i = 0; i < FILE_PAGES && at + RECIPE <= size; i++, at += RECIPE)
            bake(bytes + i * MG_PAGE_BYTES_MIN, data + at, no * FILE_PAGES + i);
        snprintf(name, sizeof(name), "journal/ring-%05u", no);
        sim_disk_set(disk, name, bytes, FILE_PAGES * MG_PAGE_BYTES_MIN);
    }
    mg_free(bytes);
    sim_spawn(s, "process", process, &run);
    mg_assert(sim_run(s, NULL, NULL, MG_NEVER) == SIM_IDLE && sim_all_ended(s));
    sim_disk_free(disk);
    sim_free(s);
    return 0;
}
