// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Damage with a right checksum: a fuzzer that flips bits in a checked file learns only that checksums work. So the
// checked pieces of a small valid file are found first, the input changes bytes inside of them, and their checksums are
// made right again. The readers then see any bytes at all behind a valid seal.
//
//   input = flags, then changes {piece, position (2 bytes), value}
#ifndef MG_FUZZ_SEALED_H
#define MG_FUZZ_SEALED_H

#include <xxhash.h>

#include "jetstream/store/frame.h"
#include "jetstream/store/packed.h"
#include "test/unit/jetstream/store/mem_file.h"

enum { SEALED_MAX = 200 };

struct sealed {
    uint64_t at;
    uint32_t length; // of the payload, the record or the foot
    uint32_t kind;
};

struct sealed_file {
    const struct mg_table_env *env;
    struct mem_file *mem;
    uint64_t file;
    uint32_t foot_size;
    struct sealed list[SEALED_MAX];
    uint32_t n;
};

static inline void sealed_add(struct sealed_file *f, uint64_t at, uint32_t length, uint32_t kind) {
    if (f->n < SEALED_MAX) f->list[f->n++] = (struct sealed){at, length, kind};
}

static inline void sealed_find(struct sealed_file *f) {
    const struct mg_frame_file ff = {.env = f->env, .id = f->file, .size = f->mem->n};
    f->n = 0;
    for (uint64_t at = MG_FILE_HEAD_BYTES; at + MG_RECORD_SIZE < f->mem->n;) {
        const uint8_t *p = f->mem->p + at;
        uint32_t length = mg_get_u32(p), kind = mg_get_u32(p + 4);
        struct mg_stored s;
        if (mg_frame_size(length) <= f->mem->n - at && mg_frame_check(&ff, p, at, length, kind) == MG_OK) {
            sealed_add(f, at, length, kind);
            at += mg_frame_size(length);
        } else if (mg_stored_check(&s, p, f->mem->n - at) == MG_OK) {
            sealed_add(f, at, s.length, MG_FRAME_RECORD);
            at += s.length;
        } else {
            at += 8;
        }
    }
    sealed_add(f, f->mem->n - MG_FOOT_BYTES, f->foot_size, MG_FRAME_FOOT);
    sealed_add(f, f->mem->n - 2 * MG_FOOT_BYTES, f->foot_size, MG_FRAME_FOOT);
}

static inline void seal(struct sealed_file *f, const struct sealed *s) {
    uint8_t *p = f->mem->p + s->at;
    if (s->kind == MG_FRAME_FOOT)
        mg_put_u64(p + s->length - 8, mg_file_sum(p, s->length - 8));
    else if (s->kind == MG_FRAME_RECORD)
        mg_put_u64(p, XXH3_64bits(p + 8, s->length - 8));
    else
        mg_put_u64(p + 8, mg_frame_sum(f->env, f->file, s->at, s->kind, p + MG_FRAME_HEAD_SIZE, s->length));
}

// Applies the changes; with `again` each changed piece is sealed again.
static inline void sealed_change(struct sealed_file *f, const uint8_t *data, size_t size, bool again) {
    for (; size >= 4; data += 4, size -= 4) {
        const struct sealed *s = &f->list[data[0] % f->n];
        uint32_t skip = s->kind == MG_FRAME_RECORD ? 8 : s->kind == MG_FRAME_FOOT ? 0 : MG_FRAME_HEAD_SIZE;
        uint32_t room = s->kind == MG_FRAME_RECORD ? s->length - 8 : s->length;
        if (room == 0) continue;
        f->mem->p[s->at + skip + (data[1] | (uint32_t)data[2] << 8) % room] = data[3];
        if (again) seal(f, s);
    }
}

#endif
