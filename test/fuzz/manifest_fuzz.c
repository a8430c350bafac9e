// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Any bytes as a manifest, with magic, version, length and checksum made right: what is accepted must encode to the
// same bytes.
#include <xxhash.h>

#include "jetstream/store/manifest.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mg_manifest m = {0};
    if (mg_manifest_decode(&m, data, size) == MG_OK) mg_manifest_fini(&m);
    if (size < MG_MANIFEST_HEAD_SIZE || size > 4096) return 0;
    char *p = mg_alloc(size);
    memcpy(p, data, size);
    mg_put_u64(p + MG_AT(manifest_head, magic), MG_MANIFEST_MAGIC);
    mg_put_u32(p + MG_AT(manifest_head, version), MG_MANIFEST_VERSION);
    mg_put_u32(p + MG_AT(manifest_head, flags), 0);
    mg_put_u64(p + MG_AT(manifest_head, length), size);
    mg_put_u32(p + MG_AT(manifest_head, reserved), 0);
    mg_put_u64(p + MG_AT(manifest_head, checksum), XXH3_64bits_withSeed(p + 24, size - 24, MG_MANIFEST_VERSION));
    int err = mg_manifest_decode(&m, p, size);
    mg_assert(err == MG_OK || err == MG_ECORRUPT);
    if (err == MG_OK) {
        struct mg_buf again = MG_BUF_INIT;
        mg_manifest_encode(&m, &again);
        mg_assert(again.len == size && memcmp(again.p, p, size) == 0);
        mg_buf_fini(&again);
        mg_manifest_fini(&m);
    }
    mg_free(p);
    return 0;
}
