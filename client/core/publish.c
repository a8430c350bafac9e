// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Messages out. The bytes are copied once, into the send buffer.
#include "client/core/internal.h"

static int check(const midge *m, midge_str subject, midge_str reply, size_t headers, size_t len) {
    if (m->phase == MGC_CLOSED) return MIDGE_ECLOSED;
    if (m->drain == MGC_DRAIN_PUBS) return MIDGE_EDRAINING;
    if (!mgc_subject_ok(subject, m->wildcards) || (reply.n && !mgc_subject_ok(reply, false))) return MIDGE_ESUBJECT;
    // What does not fit even into an empty buffer never will. Each part first, so that no sum can overflow.
    size_t size = m->config.send_size;
    if (len > size || headers > size || subject.n > size || reply.n > size) return MIDGE_ETOOLARGE;
    if (len + headers > MGC_SIZE_MAX || len + headers + subject.n + reply.n + 40 > size) return MIDGE_ETOOLARGE;
    if (m->established) {
        if (m->info.max_payload >= 0 && (int64_t)(headers + len) > m->info.max_payload) return MIDGE_ETOOLARGE;
        if (headers && !m->info.headers) return MIDGE_EHEADERS;
    }
    return 0;
}

int midge_publish_full(midge *m, midge_str subject, midge_str reply, midge_str headers, const void *data, size_t len) {
    if (len && !data) return MIDGE_EINVAL;
    int err = check(m, subject, reply, headers.n, len);
    if (err) return err;
    // "HPUB ", three blanks, two numbers, two line ends: 31 bytes at most
    uint8_t *p = mgc_room(m, subject.n + reply.n + headers.n + len + 32);
    if (!p) return MIDGE_EFULL;
    p = headers.n ? MGC_PUT(p, "HPUB ") : MGC_PUT(p, "PUB ");
    p = mgc_put_str(p, subject);
    *p++ = ' ';
    if (reply.n) {
        p = mgc_put_str(p, reply);
        *p++ = ' ';
    }
    if (headers.n) {
        p = mgc_put_u32(p, (uint32_t)headers.n);
        *p++ = ' ';
    }
    p = mgc_put_u32(p, (uint32_t)(headers.n + len));
    p = MGC_PUT(p, "\r\n");
    p = mgc_put_str(p, headers);
    p = mgc_put(p, data, len);
    mgc_wrote(m, MGC_PUT(p, "\r\n"));
    m->stats.out_msgs++;
    m->stats.out_bytes += headers.n + len;
    return 0;
}

int midge_publish(midge *m, midge_str subject, const void *data, size_t len) {
    return midge_publish_full(m, subject, MIDGE_NONE, MIDGE_NONE, data, len);
}

int midge_respond(midge *m, const midge_msg *msg, const void *data, size_t len) {
    if (!msg->reply.n) return MIDGE_EINVAL;
    return midge_publish(m, msg->reply, data, len);
}
