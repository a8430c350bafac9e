// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Reading a frame: cache, main copy, second copy, in this order. Whatever fails is reported with the place; if the
// second copy has the frame the fault is `healed` and the caller does not notice. What always holds: a payload that
// leaves this file had the right length and kind and stood where it was written, in the file it was written to.
#include "jetstream/store/frame.h"

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

const char *mg_frame_kind_text(uint32_t kind) {
    switch (kind) {
#define X(name, value, text) case (value): return text;
        MG_FRAME_KINDS(X)
#undef X
    default: return "unknown";
    }
}

static uint64_t mix(uint64_t h, uint64_t x) {
    h = (h ^ x) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}

uint64_t mg_frame_sum(const struct mg_table_env *env, uint64_t file, uint64_t at, uint32_t kind, const void *p,
                      size_t n) {
    if (MG_PLANTED(anybodys_frame)) file = 0;
    uint64_t seed = mix(mix(mix(env->salt, file), at), (uint64_t)kind << 32 | n);
    return XXH3_64bits_withSeed(p, n, seed);
}

uint64_t mg_frame_write(struct mg_file_writer *w, const struct mg_table_env *env, uint64_t file, uint32_t kind,
                        mg_slice payload) {
    uint64_t at = mg_file_writer_at(w);
    mg_assert(at % 8 == 0 && payload.n < UINT32_MAX);
    const struct mg_frame_head head = {(uint32_t)payload.n, kind,
                                       mg_frame_sum(env, file, at, kind, payload.p, payload.n)};
    uint8_t p[MG_FRAME_HEAD_SIZE];
    mg_frame_head_pack(p, &head);
    mg_file_write_bytes(w, p, sizeof p);
    mg_file_write_bytes(w, payload.p, payload.n);
    mg_file_write_align(w, 8);
    return at;
}

static bool padding_is_zero(const uint8_t *p, uint32_t length) {
    uint8_t any = 0;
    for (uint64_t i = MG_FRAME_HEAD_SIZE + (uint64_t)length; i < mg_frame_size(length); i++)
        any |= p[i];
    return any == 0;
}

int mg_frame_check(const struct mg_frame_file *f, const uint8_t *p, uint64_t at, uint32_t length, uint32_t kind) {
    struct mg_frame_head head;
    mg_frame_head_unpack(&head, p);
    if (head.length != length || head.kind != kind || !padding_is_zero(p, length)) return MG_ECORRUPT;
    bool right = mg_frame_sum(f->env, f->id, at, kind, p + MG_FRAME_HEAD_SIZE, length) == head.checksum;
    return right || MG_PLANTED(unchecked_frame) ? MG_OK : MG_ECORRUPT;
}

int mg_frame_length(const uint8_t *p, uint32_t kind, uint32_t *length) {
    struct mg_frame_head head;
    mg_frame_head_unpack(&head, p);
    *length = head.length;
    return head.kind == kind ? MG_OK : MG_ECORRUPT;
}

void mg_frame_report(const struct mg_frame_file *f, const struct mg_fault *fault) {
    if (f->env->report) f->env->report(f->env->arg, fault);
}

// May a frame be there at all? Pointers come from the disk, too.
static bool within(const struct mg_frame_file *f, uint64_t at, uint32_t length) {
    return at % 8 == 0 && at <= f->size && mg_frame_size(length) <= f->size - at;
}

int mg_frame_read_copy(const struct mg_frame_file *f, int which, uint64_t at, uint32_t length, uint32_t kind,
                       struct mg_block **out) {
    const struct mg_blob *blob = which ? &f->copy : &f->main;
    if (!blob->ops) return MG_ENOTFOUND;
    if (!within(f, at, length)) return MG_ECORRUPT;
    size_t n = mg_frame_size(length);
    uint8_t *p = mg_alloc(n);
    int err = mg_blob_read(blob, p, n, at);
    if (err == MG_OK) err = mg_frame_check(f, p, at, length, kind);
    if (err == MG_OK) {
        *out = mg_block_new(f->id, at, length);
        memcpy((*out)->data, p + MG_FRAME_HEAD_SIZE, length);
    }
    mg_free(p);
    return err;
}

// What a segment's records say as well: readers make it again of them.
static bool is_derived(uint32_t kind) { return kind >= MG_FRAME_LEAF && kind <= MG_FRAME_BLOOM; }

// Tries every place where the frame should be, reports those that fail.
static int read_anywhere(const struct mg_frame_file *f, const uint64_t at[2], uint32_t length, uint32_t kind,
                         struct mg_block **out) {
    struct mg_fault faults[4];
    int failed = 0, err = MG_ECORRUPT;
    for (int i = 0; i < 4; i++) {
        uint64_t place = at[i % 2];
        if (MG_PLANTED(scrub_wrong_copy) && i > 1) continue;
        if (!(i < 2 ? f->main.ops : f->copy.ops) || (i % 2 && place == at[0])) continue;
        err = mg_frame_read_copy(f, i / 2, place, length, kind, out);
        if (err == MG_OK) break;
        faults[failed++] = (struct mg_fault){
            .file = f->id, .at = place, .bytes = mg_frame_size(length), .kind = kind, .err = err, .copy = i > 1};
    }
    for (int i = 0; i < failed; i++) {
        faults[i].healed = err == MG_OK || is_derived(kind);
        mg_frame_report(f, &faults[i]);
    }
    return err == MG_OK ? MG_OK : failed && faults[0].err == MG_EIO ? MG_EIO : MG_ECORRUPT;
}

int mg_frame_read_twice(const struct mg_frame_file *f, uint64_t at, uint64_t at_copy, uint32_t length, uint32_t kind,
                        struct mg_block **out) {
    struct mg_blockcache *cache = f->env->cache;
    *out = NULL;
    if (cache && (*out = mg_blockcache_get(cache, f->id, at)) != NULL) {
        // The same place was asked for by another pointer, and one of the two is wrong.
        if ((*out)->rebuilt ? (*out)->rebuilt == kind : (*out)->length == length) return MG_OK;
        mg_block_unref(*out);
        *out = NULL;
        return MG_ECORRUPT;
    }
    const uint64_t places[2] = {at, at_copy};
    int err = read_anywhere(f, places, length, kind, out);
    if (err) return err;
    (*out)->at = at; // the name in the cache, wherever it came from
    if (cache) mg_blockcache_put(cache, *out);
    return MG_OK;
}

int mg_frame_read(const struct mg_frame_file *f, uint64_t at, uint32_t length, uint32_t kind, struct mg_block **out) {
    return mg_frame_read_twice(f, at, at, length, kind, out);
}

// ---- head and foot

static bool version_ok(uint32_t is, uint32_t newest) { return is > 0 && is <= newest; }

uint64_t mg_file_sum(const uint8_t *p, size_t n) { return XXH3_64bits(p, n); }

void mg_file_head_write(struct mg_file_writer *w, const struct mg_table_env *env, uint64_t file, uint64_t magic,
                        uint32_t version) {
    uint8_t p[MG_FILE_HEAD_BYTES] = {0};
    struct mg_file_head head = {.magic = magic, .version = version, .file = file, .salt = env->salt};
    mg_file_head_pack(p, &head);
    head.checksum = mg_file_sum(p, MG_FILE_HEAD_SIZE - 8);
    mg_file_head_pack(p, &head);
    mg_file_write_bytes(w, p, sizeof p);
}

int mg_file_head_check(const uint8_t *p, const struct mg_table_env *env, uint64_t file, uint64_t magic,
                       uint32_t version) {
    struct mg_file_head head;
    mg_file_head_unpack(&head, p);
    bool ok = head.magic == magic && version_ok(head.version, version) && head.flags == 0 && head.file == file &&
              head.salt == env->salt && head.checksum == mg_file_sum(p, MG_FILE_HEAD_SIZE - 8);
    for (size_t i = MG_FILE_HEAD_SIZE; i < MG_FILE_HEAD_BYTES; i++)
        ok = ok && p[i] == 0;
    return ok ? MG_OK : MG_ECORRUPT;
}

int mg_file_foot_write(struct mg_file_writer *w, uint8_t *foot, size_t n) {
    mg_put_u64(foot + n - 8, mg_file_sum(foot, n - 8));
    for (int i = 0; i < 2; i++) {
        mg_file_write_align(w, MG_FOOT_BYTES);
        mg_file_write_bytes(w, foot, n);
    }
    mg_file_write_align(w, MG_FOOT_BYTES);
    return mg_file_writer_finish(w);
}

// Both kinds of feet begin alike.
_Static_assert(MG_AT(run_foot, flags) == MG_AT(segment_foot, flags), "the same place");
_Static_assert(MG_AT(run_foot, file) == MG_AT(segment_foot, file), "the same place");
_Static_assert(MG_AT(run_foot, salt) == MG_AT(segment_foot, salt), "the same place");
_Static_assert(MG_AT(run_foot, size) == MG_AT(segment_foot, size), "the same place");

// Written to this file, and not to another one that has come into its place.
static bool foot_is_ours(const struct mg_frame_file *f, const uint8_t *page) {
    return mg_get_u64(page + MG_AT(run_foot, file)) == f->id && mg_get_u64(page + MG_AT(run_foot, size)) == f->size &&
           mg_get_u64(page + MG_AT(run_foot, salt)) == f->env->salt;
}

// All of the page counts: damage in the zeroes behind a foot is damage, too.
static int foot_check(const struct mg_frame_file *f, const uint8_t *page, const struct mg_foot_want *want) {
    uint64_t sum = mg_get_u64(page + want->n - 8);
    if (mg_get_u64(page) != want->magic || !version_ok(mg_get_u32(page + 8), want->version)) return MG_ECORRUPT;
    if (sum != mg_file_sum(page, want->n - 8) && !MG_PLANTED(unchecked_foot)) return MG_ECORRUPT;
    for (size_t i = want->n; i < MG_FOOT_BYTES; i++)
        if (page[i]) return MG_ECORRUPT;
    if (MG_PLANTED(anybodys_foot)) return MG_OK;
    if (!foot_is_ours(f, page) || mg_get_u32(page + MG_AT(run_foot, flags))) return MG_ECORRUPT;
    return want->sum && sum != want->sum ? MG_ECORRUPT : MG_OK;
}

static int foot_of(const struct mg_frame_file *f, const struct mg_blob *blob, uint64_t which,
                   const struct mg_foot_want *want, uint8_t *p) {
    if (f->size < 3 * MG_FOOT_BYTES || f->size % MG_FOOT_BYTES != 0) return MG_ECORRUPT;
    uint8_t *page = mg_alloc(MG_FOOT_BYTES);
    int err = mg_blob_read(blob, page, MG_FOOT_BYTES, f->size - (which + 1) * MG_FOOT_BYTES);
    if (err == MG_OK) err = foot_check(f, page, want);
    if (err == MG_OK) memcpy(p, page, want->n);
    mg_free(page);
    return err;
}

int mg_file_foot_check(const struct mg_frame_file *f, uint64_t which, const struct mg_foot_want *want, uint8_t *p) {
    return foot_of(f, &f->main, which, want, p);
}

int mg_file_foot_read(const struct mg_frame_file *f, const struct mg_foot_want *want, uint8_t *p) {
    struct mg_fault faults[4];
    int failed = 0, err = MG_ECORRUPT;
    for (uint64_t i = 0; i < 4; i++) {
        const struct mg_blob *blob = i < 2 ? &f->main : &f->copy;
        if (!blob->ops) continue;
        err = foot_of(f, blob, i % 2, want, p);
        if (err == MG_OK) break;
        faults[failed++] = (struct mg_fault){.file = f->id, .at = f->size - (i % 2 + 1) * MG_FOOT_BYTES,
                                             .bytes = MG_FOOT_BYTES, .kind = MG_FRAME_FOOT, .err = err, .copy = i > 1};
    }
    for (int i = 0; i < failed; i++) {
        faults[i].healed = err == MG_OK;
        mg_frame_report(f, &faults[i]);
    }
    return err == MG_OK ? MG_OK : failed && faults[0].err == MG_EIO ? MG_EIO : MG_ECORRUPT;
}
