// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/page.h"

#include <xxhash.h>

#include "server/base/assert.h"
#include "server/base/planted.h"

_Static_assert(MG_AT(page, checksum) == 8, "what the checksum does not cover is compared: magic and version");
#define NUMBER_MAX    (UINT64_MAX / 4) // sums of numbers do not overflow
#define CHECKED_FROM  (MG_AT(page, checksum) + sizeof(uint64_t))
#define UNMARKED      1u   // the version before marks and salt
#define UNMARKED_HEAD MG_AT(page, salt)
#define STARTS_BACK   256u // incarnations whose marks are known again

// The version is in the seed, so that damage does not make one of the other.
static uint64_t checksum_of(const void *page, size_t size, uint64_t salt, uint16_t version) {
    return XXH3_64bits_withSeed((const uint8_t *)page + CHECKED_FROM, size - CHECKED_FROM, salt + version - UNMARKED);
}

// ---- marks ----------------------------------------------------------------------------------------------------------

static uint32_t mark_of(uint64_t number, uint32_t incarnation, uint64_t salt) {
    uint8_t who[12];
    mg_put_u64(who, number);
    mg_put_u32(who + 8, incarnation);
    uint32_t mark = (uint32_t)XXH3_64bits_withSeed(who, sizeof(who), salt);
    return mark ? mark : 1; // zeros are no mark
}

// Where the mark of a sector is, and where what belongs there is kept.
static size_t mark_at(size_t sector) {
    return sector == 0 ? MG_PAGE_SIZE : (sector + 1) * MG_PAGE_SECTOR - sizeof(uint32_t);
}
static size_t kept_at(size_t sector) { return MG_PAGE_SIZE + sector * sizeof(uint32_t); }

static void set_marks(uint8_t *p, size_t size, uint32_t mark) {
    for (size_t i = 0; i < size / MG_PAGE_SECTOR; i++) {
        if (i > 0) memcpy(p + kept_at(i), p + mark_at(i), sizeof(mark));
        mg_put_u32(p + mark_at(i), mark);
    }
}

static size_t head_bytes(const struct mg_page *head, size_t size) {
    return head->version == UNMARKED ? UNMARKED_HEAD : mg_page_head_bytes(size);
}

const uint8_t *mg_page_open(uint8_t *plain, const void *page, size_t size, const struct mg_page *head) {
    memcpy(plain, page, size);
    for (size_t i = 1; i < size / MG_PAGE_SECTOR && head->version != UNMARKED; i++)
        memcpy(plain + mark_at(i), plain + kept_at(i), sizeof(uint32_t));
    return plain + head_bytes(head, size);
}

static bool all_zero(const uint8_t *p, size_t n) { return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0; }

bool mg_page_torn(const void *page, size_t size, uint64_t salt, uint64_t number, uint64_t ring, uint32_t incarnation) {
    uint32_t back = incarnation < STARTS_BACK ? incarnation : STARTS_BACK;
    bool zeros = false, marked = false;
    if (MG_PLANTED(rot_is_torn)) return true;
    for (size_t i = 0; i < size / MG_PAGE_SECTOR; i++) {
        uint32_t mark = mg_get_u32((const uint8_t *)page + mark_at(i));
        for (uint32_t k = 0; k <= back && mark != 0; k++) {
            if (number >= ring && mark == mark_of(number - ring, incarnation - k, salt)) return true;
            if (k > 0 && mark == mark_of(number, incarnation - k, salt)) return true;
        }
        marked |= mark == mark_of(number, incarnation, salt) || mark == mark_of(number, incarnation + 1, salt);
        zeros |= all_zero((const uint8_t *)page + i * MG_PAGE_SECTOR, MG_PAGE_SECTOR);
    }
    // In the first lap the zeros of the file are what was before. (A page of the version without marks has zeros, too.)
    return number < ring && zeros && marked;
}

// ---- pages ----------------------------------------------------------------------------------------------------------

void mg_page_seal(void *page, size_t size, struct mg_page *head, uint64_t salt) {
    uint8_t *p = page;
    size_t body = mg_page_head_bytes(size);
    mg_assert(body + head->used <= size && head->index < head->count);
    memset(p + body + head->used, 0, size - body - head->used);
    memcpy(head->magic.b, MG_PAGE_MAGIC, sizeof(head->magic.b));
    memset(head->reserved.b, 0, sizeof(head->reserved.b));
    head->version = MG_PAGE_VERSION;
    head->salt = salt;
    set_marks(p, size, mark_of(head->page, head->incarnation, salt));
    mg_page_pack(p, head);
    head->checksum = checksum_of(p, size, salt, head->version);
    mg_put_u64(p + MG_AT(page, checksum), head->checksum);
}

static bool sane(const struct mg_page *h, size_t size) {
    size_t body = head_bytes(h, size);
    if (h->page > NUMBER_MAX || h->commit > NUMBER_MAX || h->count > UINT32_MAX / 2) return false;
    if (h->used > size - body || h->index >= h->count || h->index > h->page) return false;
    if (h->first != 0 && (h->first < body || h->first >= body + h->used)) return false;
    if (h->first_page > h->page - h->index || h->unsynced > h->page - h->index) return false;
    return h->kind >= MG_PAGE_RECORDS && h->kind <= MG_PAGE_PROBE;
}

enum mg_page_state mg_page_check(struct mg_page *head, const void *page, size_t size, uint64_t salt) {
    const uint8_t *p = page;
    mg_assert(size >= MG_PAGE_BYTES_MIN && size <= MG_PAGE_BYTES_MAX);
    if (all_zero(p, size)) return MG_PAGE_ZERO;
    mg_page_unpack(head, p);
    bool ours = memcmp(head->magic.b, MG_PAGE_MAGIC, sizeof(head->magic.b)) == 0;
    if (!ours || (head->version != MG_PAGE_VERSION && head->version != UNMARKED)) return MG_PAGE_BAD;
    bool matches = checksum_of(p, size, salt, head->version) == head->checksum || MG_PLANTED(unchecked_page);
    if (!matches || !sane(head, size)) return MG_PAGE_BAD;
    return MG_PAGE_VALID;
}

bool mg_page_names_itself(struct mg_page *head, const void *page, size_t size) {
    mg_page_unpack(head, page);
    return head->version != UNMARKED && mg_page_check(head, page, size, head->salt) == MG_PAGE_VALID;
}
