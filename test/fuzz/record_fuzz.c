// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Bytes taken apart as a record. What is accepted must come out the same when it is written again.
#include <stdint.h>

#include "jetstream/store/record.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

static void check(const uint8_t *data, size_t size) {
    struct mg_record_view v;
    uint32_t length;
    int rc = mg_record_decode(&v, data, size);
    mg_assert(rc == 0 || rc == MG_EAGAIN || rc == MG_ECORRUPT);
    if (rc != 0) return;
    mg_assert(mg_record_measure(&length, data, size) == 0 && length == v.head.length && length <= size);
    const char *end = (const char *)data + length;
    mg_assert(v.payload.p + v.payload.n <= end && end - (v.payload.p + v.payload.n) < (ptrdiff_t)MG_RECORD_ALIGN);
    uint8_t *again = mg_alloc(length);
    struct mg_record_view w = v;
    mg_assert(mg_record_encode(again, &w) == length);
    // The padding alone may differ: it is covered by the checksum, not prescribed.
    mg_assert(memcmp(again + MG_AT(record, length), data + MG_AT(record, length), (size_t)(v.payload.p + v.payload.n -
                     (const char *)data) - MG_AT(record, length)) == 0);
    mg_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check(data, size);
    if (size < MG_RECORD_SIZE) return 0;
    // The same with lengths that fit and a checksum that matches, as far as that can be: only then is the rest read.
    struct mg_record_view v;
    mg_record_unpack(&v.head, data);
    size_t left = size - MG_RECORD_SIZE, extra = v.head.extra_len % (left + 1);
    size_t subject = v.head.subject_len % (left - extra + 1);
    const char *p = (const char *)data + MG_RECORD_SIZE;
    v.extra = mg_slice_of(p, extra);
    v.subject = mg_slice_of(p + extra, subject);
    v.headers = mg_slice_of(p, v.head.headers_len % (left + 1));
    v.payload = mg_slice_of(p, v.head.payload_len % (left + 1));
    size_t length = mg_record_view_size(&v);
    uint8_t *record = mg_alloc(length);
    mg_record_encode(record, &v);
    struct mg_record_view out;
    mg_assert(mg_record_decode(&out, record, length) == 0);
    check(record, length);
    record[data[0] % length] ^= 1;
    mg_assert(mg_record_decode(&out, record, length) != 0);
    mg_free(record);
    return 0;
}
