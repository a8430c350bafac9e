// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// One reader through all messages of 128 bytes: from memory, and from segments that neither the store nor the system
// has in memory.
#include <stdio.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "test/bench/store/rig.h"
#include "test/bench/store/rows.h"

struct pass {
    struct rig *rig;
    struct mg_stream *stream;
    struct mg_read read;
    uint64_t end, got, bytes;
    bool waits, over;
};

static void take(struct mg_read *r) {
    struct pass *p = r->user;
    p->waits = false;
    if (r->err) {
        mg_assert(r->err == MG_ENOTFOUND);
        p->over = true;
        return;
    }
    p->got++;
    p->bytes += r->msg.payload.n + (uint8_t)r->msg.payload.p[0]; // the first byte is looked at
    r->seq = r->msg.seq + 1;
    if (r->seq > p->end) p->over = true;
}

static enum rig_step pass_step(void *arg) {
    struct pass *p = arg;
    for (unsigned i = 0; i < 2000 && !p->waits && !p->over; i++) {
        if (mg_stream_read(p->stream, &p->read) == MG_EAGAIN) {
            p->waits = true;
        } else {
            take(&p->read);
        }
    }
    return p->over ? RIG_DONE : p->waits ? RIG_WAIT : RIG_MORE;
}

static double pass_rate(struct rig *r, uint64_t end, const mg_slice *filters, unsigned nfilters) {
    struct pass p = {.rig = r, .stream = rig_stream(r, 0, NULL), .end = end};
    p.read = (struct mg_read){.kind = MG_READ_NEXT, .sequential = true, .seq = 1, .filters = filters,
                              .filters_len = nfilters, .done = take, .user = &p};
    uint64_t began = mg_loop_clock(r->loop);
    rig_run(r, pass_step, &p);
    double s = (double)(mg_loop_clock(r->loop) - began) / 1e9;
    mg_stream_read_end(&p.read);
    mg_assert(p.got == end);
    return (double)p.got / s;
}

static uint64_t append(struct rig *r, uint64_t n) {
    struct load l;
    load_init(&l, r, 1, 0, NULL);
    l.subjects = 100;
    l.total = n;
    rig_run(r, load_step, &l);
    uint64_t last = l.streams[0]->last;
    load_fini(&l);
    return last;
}

static void hot(const struct bench *b) {
    struct rig r;
    double all[9], filtered[9];
    mg_slice filter = MG_S("orders.*");
    rig_open(&r, b->dir, 256u << 20); // no checkpoint before half of it
    uint64_t end = append(&r, 400000);
    for (unsigned i = 0; i < 9; i++) {
        all[i] = pass_rate(&r, end, NULL, 0);
        filtered[i] = pass_rate(&r, end, &filter, 1);
    }
    figure("read_hot", median(all, 9), "/s");
    figure("read_hot_filtered", median(filtered, 9), "/s");
    rig_close(&r);
    rig_remove(b->dir);
}

static void cold(const struct bench *b) {
    struct rig r;
    unsigned rounds = b->quick ? 2 : 5;
    double all[5], filtered[5];
    mg_slice filter = MG_S("orders.*");
    rig_open(&r, b->dir, 0);
    uint64_t end = append(&r, b->quick ? 1000000 : 4000000);
    rig_checkpoint(&r);
    rig_close(&r);
    for (unsigned i = 0; i < rounds; i++) {
        for (int k = 0; k < 2; k++) {
            rig_forget(b->dir);
            rig_open(&r, b->dir, 0);
            double rate = pass_rate(&r, end, &filter, (unsigned)k);
            *(k ? &filtered[i] : &all[i]) = rate;
            rig_close(&r);
        }
    }
    figure("read_cold", median(all, rounds), "/s");
    figure("read_cold_filtered", median(filtered, rounds), "/s");
}

void row_read(const struct bench *b) {
    hot(b);
    cold(b);
}
