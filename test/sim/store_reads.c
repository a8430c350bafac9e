// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Reads in the simulator. A read that waits may be answered with any moment between call and answer. So, with the state
// that had been acknowledged at the call and the newest state at the answer:
//
//   - what it gives was there, unless somebody had heard before the call that it was removed
//   - what it passes over was removed by now, or not visible at the call
//   - unless it is a NEXT, what it tells by that has been heard of; then a LAST must have seen what took its place
#include <stdio.h>
#include <string.h>

#include "jetstream/store/part.h"
#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/proto/subject.h"
#include "test/sim/store_driver.h"

struct reading {
    struct mg_list link;
    struct mg_read r;
    struct slot *sl;
    enum mg_read_kind kind;
    mg_slice filters[2];
    uint64_t from;    // the number it was asked with
    uint64_t visible; // at the call
    uint64_t lasts;   // of the stream at the call
    uint32_t known;   // state that somebody had heard of at the call
    unsigned row;
    char key[16];
    unsigned more;    // sequential: so many further messages
    struct scan *scan; // it is part of one; NULL
    bool done;
    bool rests; // it goes on later
};

mg_slice draw_filter(struct sim *s) {
    static const char *const filters[] = {">", "a.*", "b.>", "a.1", "c", "*.*", "d.1.2.3.*", "x", "b.*.x", "g"};
    return mg_cstr(filters[sim_below(s, sizeof(filters) / sizeof(filters[0]))]);
}

// ---- judgement ------------------------------------------------------------------------------------------------------

static bool matches(const struct reading *rd, const struct model_msg *g) {
    for (unsigned i = 0; i < rd->r.filters_len; i++) {
        if (mg_subject_match(model_subject(g->subject), rd->filters[i])) return true;
    }
    return rd->r.filters_len == 0;
}

static bool expired(const struct slot *sl, const struct model_msg *g) {
    uint64_t age = sl->model.limits.max_age;
    return age && g->time + (int64_t)age <= mg_loop_wall(sl->shard->loop);
}

// It has to be seen by a reader who asks for it.
static bool must_see(const struct reading *rd, uint64_t seq) {
    const struct model_msg *g = model_msg(&rd->sl->model, seq);
    return g && g->present && seq <= rd->visible && !expired(rd->sl, g) && matches(rd, g);
}

static bool may_see(const struct reading *rd, const struct model_msg *g) {
    return g->uid && (g->present || g->removed > rd->known);
}

// What was in extents that were away counts as lost (files_harm): `first` and walks pass over it.
static bool counts_as_lost(const struct slot *sl, uint64_t seq) {
    uint64_t first, last, count;
    for (unsigned i = 0; files_lossy(sl->w) && mg_stream_lost(sl->stream, i, &first, &last, &count); i++)
        if (seq >= first && seq <= last) return true;
    return false;
}

static void check_passed(const struct reading *rd, uint64_t from, uint64_t end) {
    const struct model *m = &rd->sl->model;
    bool rotten = rd->sl->w->decay && rd->sl->limit == 0; // what cannot be read is an error, never passed over
    if (rd->sl->w->damaged && !rotten) return;
    if (from < m->first_seq) from = m->first_seq;
    for (uint64_t seq = from; seq < end && seq <= m->last; seq++) {
        bool late = rd->kind == MG_READ_TIME && model_msg(m, seq)->time < rd->r.time;
        bool fine = late || !must_see(rd, seq) || counts_as_lost(rd->sl, seq);
        sim_check(fine, "stream %u: a read from %llu (kind %d) has not seen %llu", rd->sl->no,
                  (unsigned long long)rd->from, rd->kind, (unsigned long long)seq);
    }
}

// Somebody hears of the removals that it has passed over; returns the newest state that this tells of.
static uint32_t hear_passed(const struct reading *rd, uint64_t from, uint64_t end) {
    struct model *m = &rd->sl->model;
    uint32_t heard = 0;
    if (rd->sl->w->damaged) return 0;
    if (from < m->first_seq) from = m->first_seq;
    for (uint64_t seq = from; seq < end && seq <= rd->visible; seq++) {
        const struct model_msg *g = model_msg(m, seq);
        bool gone = g && g->uid && !g->present && matches(rd, g);
        if (!gone || (rd->kind == MG_READ_TIME && g->time < rd->r.time)) continue;
        if (g->removed > heard) heard = g->removed;
    }
    model_heard(m, heard);
    return heard;
}

static void check_last(const struct reading *rd, uint64_t found) {
    const struct model *m = &rd->sl->model;
    uint64_t end = rd->from == MG_ANY_SEQ ? m->last + 1 : rd->from + 1;
    uint32_t heard = hear_passed(rd, found + 1, end);
    for (uint64_t seq = found + 1; heard > 0 && seq < end && seq <= m->last; seq++) {
        const struct model_msg *g = model_msg(m, seq);
        bool there = g && g->present && g->uid && matches(rd, g) && !expired(rd->sl, g);
        sim_check(!there || g->added > heard, "stream %u: the last one up to %llu is not %llu but %llu", rd->sl->no,
                  (unsigned long long)rd->from, (unsigned long long)found, (unsigned long long)seq);
    }
}

static void check_found(const struct reading *rd) {
    const struct mg_message *got = &rd->r.msg;
    struct slot *sl = rd->sl;
    const struct model_msg *g = model_msg(&sl->model, got->seq);
    sim_check(g && model_same(g, got), "stream %u: %llu has other bytes than were written", sl->no,
              (unsigned long long)got->seq);
    sim_check(may_see(rd, g) || sl->w->damaged, "stream %u: %llu was removed and is read", sl->no,
              (unsigned long long)got->seq);
    sim_check(matches(rd, g), "stream %u: %llu does not match", sl->no, (unsigned long long)got->seq);
    sim_check(got->seq <= sl->visible || sl->w->damaged, "stream %u: %llu is read and was not visible", sl->no,
              (unsigned long long)got->seq);
    model_heard(&sl->model, g->added);
    uint64_t seq = got->seq;
    switch (rd->kind) {
    case MG_READ_SEQ: sim_check(seq == rd->from, "another number"); break;
    case MG_READ_NEXT:
    case MG_READ_TIME:
        sim_check(seq >= rd->from, "a number in front");
        sim_check(rd->kind == MG_READ_NEXT || g->time >= rd->r.time, "stream %u: %llu is older than what was asked for",
                  sl->no, (unsigned long long)seq);
        check_passed(rd, rd->from, seq);
        break;
    default:
        sim_check(seq <= rd->from, "a number behind");
        check_passed(rd, seq + 1, rd->from == MG_ANY_SEQ ? rd->lasts + 1 : rd->from + 1);
        check_last(rd, seq);
        break;
    }
}

static void check_not_found(const struct reading *rd) {
    switch (rd->kind) {
    case MG_READ_SEQ:
        check_passed(rd, rd->from, rd->from + 1);
        hear_passed(rd, rd->from, rd->from + 1);
        break;
    case MG_READ_LAST:
        check_passed(rd, 0, rd->from == MG_ANY_SEQ ? rd->lasts + 1 : rd->from + 1);
        check_last(rd, 0);
        break;
    case MG_READ_TIME:
        check_passed(rd, rd->from, UINT64_MAX);
        hear_passed(rd, rd->from, UINT64_MAX);
        break;
    default: check_passed(rd, rd->from, UINT64_MAX); break;
    }
}

static void check_count(const struct reading *rd) {
    const struct model *m = &rd->sl->model;
    uint64_t least = 0, most = 0, upto = rd->r.seq;
    uint64_t from = rd->from < m->first_seq ? m->first_seq : rd->from;
    sim_check(upto <= m->last, "stream %u: a count up to %llu", rd->sl->no, (unsigned long long)upto);
    for (uint64_t seq = from; seq <= m->last; seq++) {
        const struct model_msg *g = model_msg(m, seq);
        if (!g->uid || !matches(rd, g)) continue;
        least += g->present && !expired(rd->sl, g) && seq <= upto;
        most += may_see(rd, g) && seq <= upto;
    }
    sim_check(rd->r.count >= least && rd->r.count <= most, "stream %u: a count from %llu says %llu, not %llu to %llu",
              rd->sl->no, (unsigned long long)rd->from, (unsigned long long)rd->r.count, (unsigned long long)least,
              (unsigned long long)most);
}

static uint64_t number(mg_slice text) {
    uint64_t v = 0;
    for (size_t i = 0; i < text.n; i++) v = v * 10 + (uint64_t)(text.p[i] - '0');
    return v;
}

// The newest value, or an older one that was there when it was asked. In any case it is durable now. When there was no
// row, and that several times, it is the first time.
static void check_row(const struct reading *rd) {
    struct model *m = &rd->sl->model;
    uint64_t value = rd->r.err == MG_ENOTFOUND ? 0 : number(rd->r.msg.payload);
    bool ok = value == m->rows[rd->row].value;
    uint32_t since = ok ? m->rows[rd->row].since : UINT32_MAX;
    for (uint32_t i = 0; i < m->undo_len; i++) {
        const struct model_undo *u = &m->undo[i];
        if (u->step != STEP_ROW || u->index != rd->row || u->old != value) continue;
        if (u->since < since) since = u->since;
        // It was replaced in a state that nobody had heard of at the call.
        for (uint32_t st = 0; st < m->nstates && !ok; st++) ok = m->states[st].undo_len > i && st > rd->known;
    }
    if (!rd->sl->w->damaged) model_heard(m, since);
    sim_check(ok || rd->sl->w->damaged, "stream %u: row %u is %llu", rd->sl->no, rd->row, (unsigned long long)value);
}

static void judge(const struct reading *rd) {
    struct world *w = rd->sl->w;
    int err = rd->r.err;
    if (world_over(w) || err == MG_ECLOSED || rd->sl->phase != SLOT_PRESENT) return;
    if (err == MG_ECORRUPT || err == MG_EIO) {
        sim_check(w->damaged || w->faulty, "stream %u: a read says %s", rd->sl->no, mg_strerror(err));
        w->reports++;
        return;
    }
    sim_check(err == 0 || err == MG_ENOTFOUND, "stream %u: a read says %s", rd->sl->no, mg_strerror(err));
    if (rd->kind == MG_READ_COUNT && !w->damaged) check_count(rd);
    else if (rd->kind == MG_READ_ROW) check_row(rd);
    else if (rd->kind == MG_READ_COUNT) return;
    else if (err == 0) check_found(rd);
    else check_not_found(rd);
}

// ---- asking ---------------------------------------------------------------------------------------------------------

static void finish(struct reading *rd) {
    mg_list_remove(&rd->link);
    mg_stream_read_end(&rd->r);
    mg_free(rd);
}

static bool ask(struct reading *rd);
static void taken(struct reading *rd);

static void answered(struct reading *rd) {
    judge(rd);
    bool on = rd->r.err == 0 && rd->more > 0 && !world_over(rd->sl->w) && rd->sl->phase == SLOT_PRESENT;
    if (!on) {
        finish(rd);
        return;
    }
    rd->more--;
    rd->r.seq = rd->from = rd->r.msg.seq + 1;
    rd->rests = sim_chance(rd->sl->w->sim, 64);
    if (!rd->rests) ask(rd);
}

// One that rested, with what it had read ahead.
static bool go_on(struct slot *sl) {
    for (struct mg_list *l = sl->reads.next; l != &sl->reads; l = l->next) {
        struct reading *rd = mg_container_of(l, struct reading, link);
        if (!rd->rests) continue;
        rd->rests = false;
        ask(rd);
        return true;
    }
    return false;
}

static void done(struct mg_read *r) {
    struct reading *rd = r->user;
    if (rd->scan) taken(rd);
    else answered(rd);
}

static bool ask(struct reading *rd) {
    struct slot *sl = rd->sl;
    rd->visible = sl->visible;
    rd->lasts = sl->model.last;
    rd->known = sl->model.floor;
    int err = mg_stream_read(sl->stream, &rd->r);
    if (err == MG_EAGAIN) return false;
    answered(rd);
    return true;
}

static struct reading *reading_new(struct slot *sl, enum mg_read_kind kind, uint64_t from) {
    struct reading *rd = mg_zalloc(sizeof(*rd));
    rd->sl = sl;
    rd->kind = kind;
    rd->from = from;
    rd->r = (struct mg_read){.kind = kind, .seq = from, .filters = rd->filters, .done = done, .user = rd};
    mg_list_push_back(&sl->reads, &rd->link);
    return rd;
}

static void set_row(struct reading *rd, unsigned i) {
    rd->row = i;
    rd->r.key = mg_slice_of(rd->key, (size_t)snprintf(rd->key, sizeof(rd->key), "row-%u", i));
}

bool reads_begin(struct shard *sh, struct slot *sl) {
    struct sim *s = sh->w->sim;
    const struct model *m = &sl->model;
    if (sim_chance(s, 64) && go_on(sl)) return true;
    enum mg_read_kind kind = (enum mg_read_kind)sim_below(s, MG_READ_COUNT + 1);
    uint64_t span = m->last + 3 - m->first_seq;
    struct reading *rd = reading_new(sl, kind, m->first_seq + sim_below(s, span));
    if (kind == MG_READ_LAST && sim_chance(s, 128)) rd->r.seq = rd->from = MG_ANY_SEQ;
    if (kind == MG_READ_TIME) {
        const struct model_msg *g = model_msg(m, rd->from);
        rd->r.time = g ? g->time + (int64_t)sim_below(s, 3) - 1 : 0;
        rd->from = 0;
    }
    if (kind == MG_READ_ROW) set_row(rd, (unsigned)sim_below(s, MODEL_ROWS));
    bool filtered = kind == MG_READ_NEXT || kind == MG_READ_LAST || kind == MG_READ_COUNT;
    if (filtered) rd->r.filters_len = (unsigned)sim_below(s, 3);
    for (unsigned i = 0; i < rd->r.filters_len; i++) rd->filters[i] = draw_filter(s);
    if (kind == MG_READ_NEXT && sim_chance(s, 128)) {
        rd->r.sequential = true;
        rd->more = (unsigned)sim_below(s, 40);
    }
    return ask(rd);
}

bool reads_begin_row(struct slot *sl, unsigned row) {
    struct reading *rd = reading_new(sl, MG_READ_ROW, 0);
    set_row(rd, row);
    return ask(rd);
}

void reads_drop(struct slot *sl) {
    while (!mg_list_empty(&sl->reads)) finish(mg_container_of(sl->reads.next, struct reading, link));
}

// ---- all of it ------------------------------------------------------------------------------------------------------

// Everything of a stream, as one digest.
struct scan {
    struct shard *sh;
    struct slot *sl;
    uint64_t digest, from;
    uint64_t next; // numbers below have been judged: what age may have taken counts as there
    bool end;
    uint64_t op;   // of the stream when it began
    struct mg_buf found, unread; // u64 numbers
    int err;                     // of a message that was asked for by its number
};

static void count_expired(struct scan *sc, uint64_t end) {
    const struct model *m = &sc->sl->model;
    for (; sc->sl->aging && sc->next < end; sc->next++) {
        const struct model_msg *g = model_msg(m, sc->next);
        if (g && g->present && expired(sc->sl, g)) sc->digest ^= model_digest_msg(sc->next, g->uid);
    }
}

// The slices of a read that has waited are valid during the call only.
static void take(struct scan *sc, const struct mg_read *r) {
    struct slot *sl = sc->sl;
    uint64_t seq = r->msg.seq;
    sc->end = r->err == MG_ENOTFOUND || r->err == MG_ECLOSED || seq < sc->from;
    if (world_over(sl->w) || r->err == MG_ENOTFOUND || r->err == MG_ECLOSED) return;
    if (r->err) {
        sim_check(sl->w->damaged || sl->w->faulty, "stream %u: a read says %s", sl->no, mg_strerror(r->err));
        sl->w->reports++;
        mg_buf_add(&sc->unread, &seq, sizeof(seq));
        sc->from = seq + 1;
        return;
    }
    const struct model_msg *g = model_msg(&sl->model, seq);
    sim_check(seq >= sc->from, "stream %u: %llu is read behind %llu", sl->no, (unsigned long long)seq,
              (unsigned long long)sc->from);
    sim_check(g && model_same(g, &r->msg), "stream %u: %llu has other bytes than were written", sl->no,
              (unsigned long long)seq);
    sim_trace("S%u has %llu", sl->no, (unsigned long long)seq);
    mg_buf_add(&sc->found, &seq, sizeof(seq));
    count_expired(sc, seq);
    sc->digest ^= model_digest_msg(seq, g->uid);
    sc->from = sc->next = seq + 1;
}

static void taken(struct reading *rd) {
    struct scan *sc = rd->scan;
    if (rd->kind == MG_READ_NEXT) take(sc, &rd->r);
    else if (rd->kind == MG_READ_SEQ) sc->err = rd->r.err;
    else if (rd->r.err == 0) sc->digest ^= model_digest_row(rd->row, number(rd->r.msg.payload));
    else if (rd->r.err != MG_ENOTFOUND) rd->sl->w->reports++;
    rd->done = true;
}

// False: the process has died meanwhile.
static bool read_now(struct scan *sc, struct reading *rd) {
    rd->scan = sc;
    rd->done = false;
    rd->visible = sc->sl->visible;
    if (mg_stream_read(sc->sl->stream, &rd->r) != MG_EAGAIN) taken(rd);
    while (!rd->done && !shard_stuck(sc->sh)) shard_step(sc->sh);
    return rd->done && !world_over(sc->sh->w);
}

static bool scan_all(struct scan *sc) {
    struct slot *sl = sc->sl;
    struct reading *rd = reading_new(sl, MG_READ_NEXT, 0);
    rd->r.sequential = true;
    bool ok = true;
    while (ok && !sc->end) {
        rd->r.seq = sc->from;
        ok = read_now(sc, rd);
    }
    finish(rd);
    if (ok) count_expired(sc, sl->stream->last + 1);
    for (unsigned i = 0; i < MODEL_ROWS && ok; i++) {
        rd = reading_new(sl, MG_READ_ROW, 0);
        set_row(rd, i);
        ok = read_now(sc, rd);
        finish(rd);
    }
    return ok;
}

static void check_state(const struct slot *sl, const struct mg_stream_state *st) {
    const struct model *m = &sl->model;
    uint64_t first = model_first(m);
    const struct model_msg *g = model_msg(m, first);
    const struct {
        const char *what;
        uint64_t is, should;
    } all[] = {
        {"messages", st->msgs, m->count},
        {"bytes", st->bytes, m->bytes},
        {"first", st->first, first},
        {"last", st->last, m->last},
        {"subjects", st->subjects, model_subjects_count(m)},
        {"deleted", st->deleted, m->last + 1 - first - m->count},
        {"lost", st->lost, sl->lost},
        {"lost operations", st->lost_operations, sl->lost_operations},
        {"first time", (uint64_t)st->first_time, g ? (uint64_t)g->time : 0},
        {"last time", (uint64_t)st->last_time, (uint64_t)m->last_time},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        sim_check(all[i].is == all[i].should, "stream %u: %s: %llu, not %llu", sl->no, all[i].what,
                  (unsigned long long)all[i].is, (unsigned long long)all[i].should);
}

struct subjects {
    struct mg_subjects_read r;
    const struct slot *sl;
    uint64_t listed;
    bool done;
};

static void each_subject(struct mg_subjects_read *r, mg_slice subject, uint64_t count, uint64_t last) {
    struct subjects *x = mg_container_of(r, struct subjects, r);
    const struct model *m = &x->sl->model;
    unsigned i = model_subject_of(subject);
    sim_check(i < MODEL_SUBJECTS && count == model_count_of(m, i), "stream %u: %llu messages of subject %.*s",
              x->sl->no, (unsigned long long)count, (int)subject.n, subject.p);
    // It is not known which one is the last after that was removed; then it is not below the last one.
    uint64_t is = model_last_of(m, i);
    bool unread = r->lasts && last == 0 && (x->sl->w->faulty || world_over(x->sl->w));
    sim_check(last == is || (!r->lasts && last > is) || unread,
              "stream %u: the last of subject %.*s is not %llu but %llu",
              x->sl->no, (int)subject.n, subject.p, (unsigned long long)is, (unsigned long long)last);
    x->listed++;
}

static void subjects_done(struct mg_subjects_read *r, int err, uint64_t total) {
    struct subjects *x = mg_container_of(r, struct subjects, r);
    x->done = true;
    if (world_over(x->sl->w) || err == MG_ECLOSED) return;
    sim_check(err == 0, "stream %u: its subjects cannot be listed: %s", x->sl->no, mg_strerror(err));
    sim_check(total == model_subjects_count(&x->sl->model) && total == x->listed, "stream %u: %llu subjects are listed",
              x->sl->no, (unsigned long long)total);
}

static void check_subjects(struct shard *sh, const struct slot *sl) {
    struct subjects x = {.sl = sl, .r = {.max = UINT64_MAX, .each = each_subject, .done = subjects_done}};
    x.r.lasts = sim_chance(sh->w->sim, 128);
    mg_stream_subjects(sl->stream, &x.r);
    // The store has x until it is done, whatever happens.
    for (unsigned i = 0; !x.done && (i < 50 || !shard_stuck(sh)); i++) shard_step(sh);
    if (!x.done) mg_subjects_fail(sl->stream);
}

static bool state_of(struct shard *sh, struct slot *sl, struct mg_stream_state *st) {
    for (;;) {
        // What a crash has cut short goes on after the restart.
        if (mg_stream_state(sl->stream, st) == 0 && mg_list_empty(&sl->stream->waiting)) return true;
        if (shard_stuck(sh)) return false;
        shard_step(sh);
    }
}

// What everybody knows to be there is, and what everybody knows to be gone is not.
static void check_known(const struct slot *sl, const struct scan *sc) {
    const struct model *m = &sl->model;
    size_t at = 0, n = sc->found.len / sizeof(uint64_t);
    for (uint64_t seq = m->first_seq; seq <= m->last; seq++) {
        const struct model_msg *g = model_msg(m, seq);
        uint64_t got = 0;
        if (at < n) memcpy(&got, sc->found.p + at * sizeof(got), sizeof(got));
        bool there = at < n && got == seq;
        at += there;
        bool must = g->present && g->uid && g->added <= m->floor && !expired(sl, g);
        sim_check(there || !must, "stream %u: %llu was acknowledged and is lost", sl->no, (unsigned long long)seq);
        sim_check(!there || g->present || g->removed > m->floor, "stream %u: %llu was removed and is back", sl->no,
                  (unsigned long long)seq);
    }
}

static void check_restart(struct slot *sl, const struct scan *sc, const struct mg_stream_state *st) {
    struct model *m = &sl->model;
    struct world *w = sl->w;
    if (w->torn) {
        sl->lost = st->lost;
        sl->lost_operations = st->lost_operations;
    }
    if (model_go_back(m, sc->digest)) {
        for (uint64_t seq = m->first_seq; w->erasures && seq <= m->last; seq++) {
            if (model_msg(m, seq)->erased) erasures_add(w, model_msg(m, seq));
        }
        return;
    }
    if (w->torn && !w->damaged) {
        check_known(sl, sc);
        w->damaged = w->look_only = true;
        return;
    }
    // What an earlier life has reported stays as that life has found it.
    if (sl->told && sl->told_digest == sc->digest) return;
    sim_check(!w->damaged || w->reports || st->lost || st->lost_operations, "stream %u: damage was not reported",
              sl->no);
    sim_check(w->damaged,
              "stream %u: found in no state that it may be in (last %llu, %llu messages; states %u to %u, last %llu)",
              sl->no, (unsigned long long)st->last, (unsigned long long)st->msgs, m->floor, m->nstates - 1,
              (unsigned long long)m->last);
    sl->told = w->look_only;
    sl->told_digest = sc->digest;
}

static bool has(const struct mg_buf *list, size_t *at, uint64_t seq) {
    uint64_t got = 0;
    for (; *at < list->len; *at += sizeof(got)) {
        memcpy(&got, list->p + *at, sizeof(got));
        if (got >= seq) break;
    }
    return *at < list->len && got == seq;
}

// A walk passes over what counts as lost; whoever asks for it by its number gets an error.
static bool ask_passed(struct scan *sc) {
    struct slot *sl = sc->sl;
    struct mg_buf all = MG_BUF_INIT;
    size_t found = 0, unread = 0;
    bool ok = true;
    for (uint64_t seq = sl->model.first_seq; ok && seq <= sl->model.last; seq++) {
        bool there = has(&sc->found, &found, seq), bad = has(&sc->unread, &unread, seq);
        if (!bad && !there && model_present(&sl->model, seq)) {
            struct reading *rd = reading_new(sl, MG_READ_SEQ, seq);
            ok = read_now(sc, rd);
            finish(rd);
            bad = ok && (sc->err == MG_ECORRUPT || sc->err == MG_EIO);
            sim_check(!ok || sc->err, "stream %u: %llu can be read, and was passed over", sl->no,
                      (unsigned long long)seq);
        }
        if (bad) mg_buf_add(&all, &seq, sizeof(seq));
    }
    mg_buf_fini(&sc->unread);
    sc->unread = all;
    return ok;
}

// Each message is there, or known to be there and unreadable, and counted as lost then; or it was removed, and is gone.
static void check_decayed(struct shard *sh, struct slot *sl, const struct scan *sc) {
    struct model *m = &sl->model;
    const struct world *w = sh->w;
    struct mg_stream_state st;
    size_t found = 0, unread = 0;
    uint64_t lost = 0;
    if (!state_of(sh, sl, &st)) return;
    for (uint64_t seq = m->first_seq; seq <= m->last; seq++) {
        const struct model_msg *g = model_msg(m, seq);
        bool there = has(&sc->found, &found, seq), bad = has(&sc->unread, &unread, seq);
        if (!g->uid) continue;
        bool taken = seq < st.first && (sl->limit || counts_as_lost(sl, seq)); // by the limit, or passed over
        sim_check(!g->present || there || bad || taken, "stream %u: %llu is lost, and nobody says so", sl->no,
                  (unsigned long long)seq);
        sim_check(g->present || !there, "stream %u: %llu was removed and is back", sl->no, (unsigned long long)seq);
        sim_check(!bad || taken || !w->whole, "stream %u: %llu cannot be read though its file is back", sl->no,
                  (unsigned long long)seq);
        lost += g->present && bad;
    }
    sim_check(st.lost >= lost, "stream %u: %llu messages cannot be read, %llu are counted as lost", sl->no,
              (unsigned long long)lost, (unsigned long long)st.lost);
    sim_check(st.last == m->last, "stream %u: ends with %llu, not %llu", sl->no, (unsigned long long)st.last,
              (unsigned long long)m->last);
    if (sl->stream->op == sc->op) decay_check(sl, &st, &sc->found, &sc->unread);
    if (m->answered == m->nops) model_forget_history(m);
}

void reads_check_all(struct shard *sh, struct slot *sl, bool restart) {
    struct mg_stream_state st;
    struct scan sc = {.sh = sh, .sl = sl, .next = sl->model.first_seq};
    if (restart) sl->visible = sl->stream->visible;
    if (!state_of(sh, sl, &st)) return;
    sc.op = sl->stream->op;
    sc.digest = model_digest_last(st.last) ^ model_digest_config(number(mg_stream_config(sl->stream)));
    bool read = scan_all(&sc) && (!files_lossy(sl->w) || ask_passed(&sc));
    if (read && sl->w->decay) check_decayed(sh, sl, &sc);
    else if (read && restart) check_restart(sl, &sc, &st);
    sl->checked |= read;
    if (read && !restart && !sl->w->decay)
        sim_check(sc.digest == sl->model.digest,
                  "stream %u: is not what it should be (last %llu, %llu messages, not %llu)", sl->no,
                  (unsigned long long)st.last, (unsigned long long)st.msgs, (unsigned long long)sl->model.count);
    mg_buf_fini(&sc.found);
    mg_buf_fini(&sc.unread);
    if (!read || sl->aging || sl->w->damaged || !state_of(sh, sl, &st)) return;
    check_state(sl, &st);
    if (!shard_stuck(sh)) check_subjects(sh, sl);
}
