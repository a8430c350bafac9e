// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Rot while a store is used, and counters under rot. Some streams have a limit, which removes messages that cannot be
// read like any others; the model does not know of it, so nothing but appends goes to these. What is held against them:
//
//   - of what the limit removes nothing counts any more, once the stream is at rest: as long as all that is left can be
//     read, each counter is the one of a recount by a full scan
//   - what went unseen does not make the limit remove something else in its stead
//   - a stream says itself whether its counters are exact; it is not wrong about that at any time
#include <stdio.h>
#include <string.h>

#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "test/sim/store_driver.h"

#define PATIENCE UINT64_C(600000000000)

void decay_spoil(struct world *w) {
    struct sim *s = w->sim;
    char name[MG_DISK_NAME_MAX + 1];
    uint64_t size;
    for (unsigned i = 0; i < 40 && sim_disk_some_file(w->disk, name); i++) {
        bool run = strncmp(name, "tables/", 7) == 0 && strstr(name, ".run") != NULL;
        if (!run && strncmp(name, "segments/", 9) != 0) continue;
        if (sim_disk_peek(w->disk, name, &size) == NULL || size == 0) continue;
        uint64_t at = sim_below(s, size);
        sim_trace("%s rots at %llu", name, (unsigned long long)at);
        if (sim_chance(s, 128)) sim_disk_flip(w->disk, name, at, (unsigned)sim_below(s, 8));
        else sim_disk_bad_sector(w->disk, name, at);
        return;
    }
}

// ---- at rest --------------------------------------------------------------------------------------------------------

static bool rests(const struct mg_stream *s) {
    bool can = s->first >= s->recount_from;
    return mg_list_empty(&s->waiting) && s->recount == MG_RECOUNT_IDLE && !(s->inexact && can);
}

static bool settled(struct slot *sl) {
    struct mg_stream_state st;
    return mg_stream_state(sl->stream, &st) == 0 && rests(sl->stream);
}

void decay_rest(struct shard *sh) {
    struct world *w = sh->w;
    uint64_t until = sim_now(w->sim) + PATIENCE;
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *sl = &w->slots[i];
        if (sl->phase != SLOT_PRESENT || sl->shard != sh || sl->stream == NULL) continue;
        while (!shard_stuck(sh) && !settled(sl)) {
            sim_check(sim_now(w->sim) < until, "stream %u: its counters are wrong, and nobody counts", sl->no);
            sh->until = sim_now(w->sim) + 10000000;
            shard_step(sh);
        }
    }
}

// ---- counters -------------------------------------------------------------------------------------------------------

static void check_equal(const struct slot *sl, const char *what, uint64_t is, uint64_t should) {
    sim_check(is == should, "stream %u: %llu %s are counted, there are %llu", sl->no, (unsigned long long)is, what,
              (unsigned long long)should);
}

static void check_exact(struct slot *sl, const struct mg_stream_state *st, const struct mg_buf *found) {
    const struct model *m = &sl->model;
    uint64_t bytes = 0, subjects = 0, n = found->len / sizeof(uint64_t), of[MODEL_SUBJECTS] = {0};
    for (size_t at = 0; at < found->len; at += sizeof(uint64_t)) {
        uint64_t seq;
        memcpy(&seq, found->p + at, sizeof(seq));
        const struct model_msg *g = model_msg(m, seq);
        bytes += g->size;
        subjects += of[g->subject]++ == 0;
    }
    check_equal(sl, "messages", st->msgs, n);
    check_equal(sl, "bytes", st->bytes, bytes);
    check_equal(sl, "subjects", st->subjects, subjects);
    for (unsigned i = 0; i < MODEL_SUBJECTS; i++) {
        uint64_t count;
        // Where the row has to be looked up first, another look will see it.
        if (mg_stream_subject(sl->stream, model_subject(i), &count) == 0) check_equal(sl, "of a subject", count, of[i]);
    }
}

static bool is_lost(const struct mg_stream *s, uint64_t seq) {
    return mg_lost_has(&s->lost_ranges, seq) || (s->unreadable_ranges && mg_lost_has(s->unreadable_ranges, seq));
}

// The limit removes the oldest when there are more, and nothing else. A range that cannot be read goes as a whole.
// A later life does not know any more that it was there.
static void check_limit(struct slot *sl, const struct mg_stream_state *st) {
    const struct model *m = &sl->model;
    uint64_t left = 0;
    for (uint64_t seq = st->first; seq <= m->last; seq++) left += model_present(m, seq);
    for (uint64_t seq = st->first - 1; seq >= m->first_seq && is_lost(sl->stream, seq); seq--) left++;
    sim_check(st->first <= model_first(m) || st->first <= sl->went || left >= sl->limit,
              "stream %u: limited to %llu messages, and %llu from %llu on are all it has left", sl->no,
              (unsigned long long)sl->limit, (unsigned long long)left, (unsigned long long)st->first);
    sl->went = st->first;
}

void decay_check(struct slot *sl, const struct mg_stream_state *st, const struct mg_buf *found,
                 const struct mg_buf *unread) {
    const struct mg_stream *s = sl->stream;
    uint64_t n = found->len / sizeof(uint64_t);
    if (sl->limit) check_limit(sl, st);
    sim_check(st->msgs >= n || s->unsure, "stream %u: %llu messages are counted, %llu can be read", sl->no,
              (unsigned long long)st->msgs, (unsigned long long)n);
    if (!s->inexact && !s->unsure && unread->len == 0) check_exact(sl, st, found);
}
