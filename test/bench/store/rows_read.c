// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// One reader through all messages of 128 bytes: from memory, and from segments that neither the store nor the system
// has in memory. Then messages of JSON in a stream that is packed, compared with one that is not.
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

// ---- packed streams ------------------------------------------------------------------------------------------------

static uint32_t drawn(struct load *l, uint32_t below) {
    l->seed = l->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((l->seed >> 33) % below);
}

// About 200 bytes, of which a third says something.
static size_t order(struct load *l, char *out) {
    static const char *const states[] = {"created", "paid", "shipped", "delivered", "returned"};
    static const char *const cities[] = {"Berlin", "Hamburg", "Vienna", "Zurich", "Paris", "Lyon", "Madrid", "Oslo"};
    return (size_t)sprintf(out,
                           "{\"id\":\"%08x-%04x-%04x\",\"time\":\"2026-11-21T23:%02u:%02u.%03uZ\","
                           "\"type\":\"order.%s\","
                           "\"customer\":%u,\"amount\":%u.%02u,\"currency\":\"EUR\",\"city\":\"%s\",\"items\":%u,"
                           "\"channel\":\"web\",\"priority\":%s}",
                           drawn(l, 1u << 30), drawn(l, 65536), drawn(l, 65536), drawn(l, 60), drawn(l, 60),
                           drawn(l, 1000), states[drawn(l, 5)], drawn(l, 1000000), drawn(l, 900), drawn(l, 100),
                           cities[drawn(l, 8)], 1 + drawn(l, 9), drawn(l, 2) ? "true" : "false");
}

// About 2 KB: one with its lines.
static size_t order_with_lines(struct load *l, char *out) {
    static const char *const words[] = {"please", "deliver", "in", "the", "morning", "or", "leave", "at", "door",
                                        "gift", "wrap", "blue", "large", "small", "call", "before", "item", "ring"};
    size_t n = (size_t)sprintf(out, "{\"order\":");
    n += order(l, out + n);
    for (unsigned i = 0; i < 10; i++) {
        n += (size_t)sprintf(out + n, ",\"line%u\":{\"sku\":\"SKU-%06u\",\"quantity\":%u,\"price\":%u.%02u,"
                                      "\"taxRate\":0.19,\"warehouse\":\"WH-%02u\",\"comment\":\"",
                             i, drawn(l, 1000000), 1 + drawn(l, 5), drawn(l, 500), drawn(l, 100), drawn(l, 20));
        for (unsigned w = 0; w < 12; w++) n += (size_t)sprintf(out + n, "%s ", words[drawn(l, 18)]);
        n += (size_t)sprintf(out + n, "\"}");
    }
    return n + (size_t)sprintf(out + n, "}");
}

struct packed_figures {
    double bytes, checkpoint, cold, warm; // of segments; s; /s
};

static struct packed_figures packed(const struct bench *b, size_t (*body)(struct load *l, char *out), bool pack) {
    enum { MESSAGES = 100000 };
    struct packed_figures f = {0};
    struct rig r;
    struct load l;
    rig_open(&r, b->dir, 512u << 20);
    load_init(&l, &r, 1, 0, &(struct mg_stream_limits){.packed = pack});
    l.subjects = 1000;
    l.total = MESSAGES;
    l.body = body;
    rig_run(&r, load_step, &l);
    uint64_t end = l.streams[0]->last;
    load_fini(&l);
    double cpu = cpu_seconds();
    rig_checkpoint(&r);
    f.checkpoint = cpu_seconds() - cpu;
    f.bytes = (double)rig_bytes(b->dir, "segments");
    rig_close(&r);
    rig_forget(b->dir);
    rig_open(&r, b->dir, 512u << 20);
    f.cold = pass_rate(&r, end, NULL, 0);
    double warm[5];
    for (unsigned i = 0; i < 5; i++) warm[i] = pass_rate(&r, end, NULL, 0);
    f.warm = median(warm, 5);
    rig_close(&r);
    rig_remove(b->dir);
    fprintf(stderr, "%s: %.1f MB, checkpoint %.2f us CPU each, cold %.0f/s, warm %.0f/s\n", pack ? "packed" : "plain",
            f.bytes / 1e6, f.checkpoint / MESSAGES * 1e6, f.cold, f.warm);
    return f;
}

void row_packed(const struct bench *b) {
    for (int large = 0; large <= 1; large++) {
        struct packed_figures f[2];
        for (int pack = 0; pack <= 1; pack++) f[pack] = packed(b, large ? order_with_lines : order, pack);
        figure(large ? "packed_2000_room" : "packed_200_room", f[1].bytes / f[0].bytes, "x");
        figure(large ? "packed_2000_cpu" : "packed_200_cpu", (f[1].checkpoint - f[0].checkpoint) / 100000 * 1e6, "us");
        figure(large ? "packed_2000_cold" : "packed_200_cold", f[1].cold / f[0].cold, "x");
        figure(large ? "packed_2000_warm" : "packed_200_warm", f[1].warm / f[0].warm, "x");
    }
}
