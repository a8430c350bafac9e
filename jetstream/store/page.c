// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/page.h"

#include <stdbool.h>
#include <xxhash.h>

#include "server/base/assert.h"
#include "server/base/planted.h"

_Static_assert(MG_AT(page, checksum) == 8, "what the checksum does not cover is compared: magic and version");
#define NUMBER_MAX   (UINT64_MAX / 4) // sums of numbers do not overflow
#define CHECKED_FROM (MG_AT(page, checksum) + sizeof(uint64_t))

static uint64_t checksum_of(const void *page, size_t size, uint64_t salt) {
    return XXH3_64bits_withSeed((const uint8_t *)page + CHECKED_FROM, size - CHECKED_FROM, salt);
}

void mg_page_seal(void *page, size_t size, struct mg_page *head, uint64_t salt) {
    uint8_t *p = page;
    mg_assert(MG_PAGE_SIZE + (size_t)head->used <= size && head->index < head->count);
    memset(p + MG_PAGE_SIZE + head->used, 0, size - MG_PAGE_SIZE - head->used);
    memcpy(head->magic.b, MG_PAGE_MAGIC, sizeof(head->magic.b));
    memset(head->reserved.b, 0, sizeof(head->reserved.b));
    head->version = MG_PAGE_VERSION;
    mg_page_pack(p, head);
    head->checksum = checksum_of(p, size, salt);
    mg_put_u64(p + MG_AT(page, checksum), head->checksum);
}

static bool all_zero(const uint8_t *p, size_t n) { return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0; }

static bool sane(const struct mg_page *h, size_t size) {
    if (h->page > NUMBER_MAX || h->commit > NUMBER_MAX || h->count > UINT32_MAX / 2) return false;
    if (h->used > size - MG_PAGE_SIZE || h->index >= h->count || h->index > h->page) return false;
    if (h->first != 0 && (h->first < MG_PAGE_SIZE || h->first >= MG_PAGE_SIZE + (size_t)h->used)) return false;
    if (h->first_page > h->page - h->index || h->unsynced > h->page - h->index) return false;
    return h->kind >= MG_PAGE_RECORDS && h->kind <= MG_PAGE_PROBE;
}

enum mg_page_state mg_page_check(struct mg_page *head, const void *page, size_t size, uint64_t salt) {
    const uint8_t *p = page;
    mg_assert(size >= MG_PAGE_BYTES_MIN && size <= MG_PAGE_BYTES_MAX);
    if (all_zero(p, size)) return MG_PAGE_ZERO;
    mg_page_unpack(head, p);
    if (memcmp(head->magic.b, MG_PAGE_MAGIC, sizeof(head->magic.b)) != 0 || head->version != MG_PAGE_VERSION)
        return MG_PAGE_BAD;
    bool matches = checksum_of(p, size, salt) == head->checksum || MG_PLANTED(unchecked_page);
    if (!matches || !sane(head, size)) return MG_PAGE_BAD;
    return MG_PAGE_VALID;
}
