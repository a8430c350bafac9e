// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A direct get of several messages that follow each other (spec/jetstream-streams.md 8). Each tells how many follow it;
// an empty message with status 204 ends the answer, at the count, at the end of the data, or behind the message that
// makes the bytes too many. If the first one is not there, that is all that is said.
#include "jetstream/stream/direct.h"
#include "server/base/errors.h"

#define MESSAGES_A_TURN 64
#define BYTES_A_TURN (256u * 1024)

static void end(struct mg_js_direct *d) { mg_js_direct_end(d, 0); }

static void more(struct mg_js_direct *d);

static void deliver(struct mg_js_direct *d) {
    if (d->rd.r.err == MG_ECORRUPT || d->rd.r.err == MG_EIO) { // it is there and cannot be read: the next one
        if (d->pending > 0) d->pending--;
        d->ask.seq = d->rd.r.msg.seq + 1;
        mg_js_direct_later(d, more);
        return;
    }
    if (d->rd.r.err != 0 && d->sent == 0) {
        mg_js_direct_nothing(d, "404 Message Not Found");
        return;
    }
    uint64_t before = d->sent_bytes;
    if (d->rd.r.err != 0 || !mg_js_direct_send(d) || d->sent >= d->ask.batch) {
        end(d);
        return;
    }
    bool enough = d->sent % MESSAGES_A_TURN == 0 || d->sent_bytes / BYTES_A_TURN != before / BYTES_A_TURN;
    if (enough) mg_js_direct_later(d, more);
    else more(d);
}

static void more(struct mg_js_direct *d) {
    // What is in memory is answered within this call: it nests, as deep as MESSAGES_A_TURN.
    mg_js_direct_read(d, MG_READ_NEXT, d->last_seq < d->ask.seq ? d->ask.seq : d->last_seq + 1, deliver);
}

static void counted(struct mg_js_direct *d) {
    d->pending = d->rd.r.err == MG_ENOTFOUND ? 0 : d->rd.r.count;
    d->rd.r.sequential = true;
    if (d->ask.batch < 0) { // none is wanted
        end(d);
        return;
    }
    mg_js_direct_read(d, MG_READ_NEXT, d->ask.seq, deliver);
}

static void count(struct mg_js_direct *d) {
    d->filter = d->ask.next_by_subj;
    mg_js_direct_read(d, MG_READ_COUNT, d->ask.seq, counted);
}

static void started(struct mg_js_direct *d) {
    if (d->rd.r.err != 0) {
        mg_js_direct_nothing(d, "404 Message Not Found");
        return;
    }
    d->ask.seq = d->rd.r.msg.seq;
    count(d);
}

void mg_js_direct_batch(struct mg_js_direct *d) {
    if (!d->ask.start_time.set) {
        count(d);
        return;
    }
    d->rd.r.time = mg_js_time_ns(d->ask.start_time);
    mg_js_direct_read(d, MG_READ_TIME, 0, started);
}
