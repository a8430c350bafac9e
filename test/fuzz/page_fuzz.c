// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Bytes judged as a page of the journal, once as they are and once with a checksum that matches.
#include <stdint.h>
#include <string.h>
#include <xxhash.h>

#include "jetstream/store/page.h"
#include "server/base/assert.h"

#define SALT 7

static void check(const uint8_t *page) {
    struct mg_page h;
    uint8_t plain[MG_PAGE_BYTES_MIN];
    mg_page_torn(page, MG_PAGE_BYTES_MIN, SALT, mg_get_u64(page + MG_AT(page, page)) % 1000, 100, 3);
    if (mg_page_check(&h, page, MG_PAGE_BYTES_MIN, SALT) != MG_PAGE_VALID) return;
    size_t body = (size_t)(mg_page_open(plain, page, sizeof(plain), &h) - plain);
    mg_assert(body + h.used <= MG_PAGE_BYTES_MIN && h.index < h.count && h.index <= h.page);
    mg_assert(h.first == 0 || (h.first >= body && h.first < body + h.used));
    mg_assert(h.unsynced <= h.page - h.index && h.first_page <= h.page - h.index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t page[MG_PAGE_BYTES_MIN] = {0};
    memcpy(page, data, size < sizeof(page) ? size : sizeof(page));
    check(page);
    memcpy(page, MG_PAGE_MAGIC, 6);
    for (uint16_t version = 1; version <= MG_PAGE_VERSION; version++) {
        uint64_t seed = SALT + version - 1u;
        mg_put_u16(page + MG_AT(page, version), version);
        mg_put_u64(page + MG_AT(page, checksum), XXH3_64bits_withSeed(page + 16, sizeof(page) - 16, seed));
        check(page);
    }
    return 0;
}
