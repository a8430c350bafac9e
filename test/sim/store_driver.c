// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/sim/store_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jetstream/store/part.h"
#include "jetstream/store/seal.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

#define HOUR UINT64_C(3600000000000)

// ---- results --------------------------------------------------------------------------------------------------------

static bool refused(int err) { return err == MG_EIO || err == MG_ECLOSED || err == MG_ENOSPC; }

// When the journal has failed, what waits is refused at once, and what is under way may still turn out to be done.
static void heard_after_failure(struct slot *sl, const struct mg_result *r) {
    struct model *m = &sl->model;
    uint32_t index = (uint32_t)(uintptr_t)r->ctx - 1;
    sim_check(index < m->nops && !m->ops[index].told, "stream %u: a result too many", sl->no);
    m->ops[index].told = true;
    if (r->err == MG_EIO || r->err == MG_EFULL || r->err == MG_ENOSPC) {
        model_refused(m, index);
    } else {
        sim_check(r->err == m->ops[index].want.err && r->seq == m->ops[index].want.seq,
                  "stream %u: operation %u: %s, %llu", sl->no, index + 1, mg_strerror(r->err),
                  (unsigned long long)r->seq);
        model_heard(m, m->ops[index].state);
    }
}

static void on_result(void *app, const struct mg_result *r) {
    struct slot *sl = app;
    struct model *m = &sl->model;
    if (world_over(sl->w)) return; // nobody is there to hear it
    // The part may hear of it later than the thread of the extents.
    bool poisoned = sl->shard->part->poisoned || atomic_load(&sl->w->store->poisoned);
    if (poisoned && sl->w->faulty) {
        heard_after_failure(sl, r);
        return;
    }
    sim_check(m->answered < m->nops, "stream %u: a result too many", sl->no);
    const struct model_op *op = &m->ops[m->answered];
    sim_check((uintptr_t)r->ctx == m->answered + 1u, "stream %u: results are out of order: %llu, not %u", sl->no,
              (unsigned long long)(uintptr_t)r->ctx, m->answered + 1);
    m->ops[m->answered++].told = true;
    sl->shard->in_flight--;
    if (sl->phase == SLOT_DELETING && m->answered == m->nops) {
        sim_check(r->err == 0, "stream %u: deleted: %s", sl->no, mg_strerror(r->err));
        sl->phase = SLOT_ABSENT;
        sl->sure = true;
        sl->stream = NULL;
        return;
    }
    if (sl->phase == SLOT_DELETING && r->err == MG_ECLOSED) return;
    bool no_room = (r->err == MG_ENOSPC || r->err == MG_EFULL) && sl->w->tight;
    bool unreadable = (r->err == MG_ECORRUPT || r->err == MG_EIO) && sl->w->damaged && sl->w->tight;
    unreadable |= r->err == MG_ENOTFOUND && op->want.err == 0 && files_lossy(sl->w); // below `first`
    if (no_room || unreadable) {
        sim_check(m->answered == m->nops, "stream %u: more was asked than one thing at a time", sl->no);
        model_cancel(m, m->answered - 1);
        return;
    }
    bool strict = sl->w->files && sl->w->decay && sl->limit == 0;
    if (sl->w->damaged && !strict) return; // the model may have lost its way
    sim_check(r->err == op->want.err && r->duplicate == op->want.duplicate,
              "stream %u: operation %u: %s%s, not %s%s (seq %llu, %llu)", sl->no, m->answered, mg_strerror(r->err),
              r->duplicate ? " (duplicate)" : "", mg_strerror(op->want.err), op->want.duplicate ? " (duplicate)" : "",
              (unsigned long long)r->seq, (unsigned long long)op->want.seq);
    sim_check(r->seq == op->want.seq, "stream %u: operation %u: %llu, not %llu", sl->no, m->answered,
              (unsigned long long)r->seq, (unsigned long long)op->want.seq);
    model_heard(m, op->state);
    if (op->erase && sl->w->erasures) erasures_add(sl->w, model_msg(m, op->want.seq));
    sl->sure |= sl->phase == SLOT_PRESENT;
}

static void on_visible(void *app, uint64_t last) {
    struct slot *sl = app;
    if (world_over(sl->w) || sl->phase == SLOT_DELETING || sl->w->damaged) return;
    const struct model_msg *g = model_msg(&sl->model, last);
    sim_check(g != NULL, "stream %u: %llu is visible and does not exist", sl->no, (unsigned long long)last);
    sim_check(last >= sl->visible, "stream %u: visible goes back", sl->no);
    sl->visible = last;
    model_heard(&sl->model, g->added);
    sl->sure = true;
}

static void on_removed(void *app, uint64_t seq, mg_slice subject) {
    struct slot *sl = app;
    if (world_over(sl->w) || sl->phase == SLOT_DELETING || sl->w->damaged) return;
    struct model_msg *g = model_msg(&sl->model, seq);
    sim_check(g != NULL && g->uid, "stream %u: %llu was removed and did not exist", sl->no, (unsigned long long)seq);
    sim_trace("S%u told of %llu", sl->no, (unsigned long long)seq);
    if (!sl->checked) return; // limits go on after a restart with what a crash has cut short
    // The rest of that: g->removed is 0 then.
    sim_check(!g->told || g->removed == 0, "stream %u: %llu was removed twice", sl->no, (unsigned long long)seq);
    sim_check(mg_slice_eq(subject, model_subject(g->subject)), "stream %u: %llu was removed, of subject %.*s", sl->no,
              (unsigned long long)seq, (int)subject.n, subject.p);
    g->told = true;
    if (g->present) {
        int64_t now = mg_loop_wall(sl->shard->loop);
        sim_check(model_expire(&sl->model, seq, now), "stream %u: %llu was removed without a cause", sl->no,
                  (unsigned long long)seq);
        return;
    }
    model_heard(&sl->model, g->removed);
}

static void on_cleared(void *app, uint64_t last) {
    struct slot *sl = app;
    struct model *m = &sl->model;
    if (world_over(sl->w) || sl->phase == SLOT_DELETING || sl->w->damaged) return;
    for (uint64_t seq = m->first_seq; seq <= last; seq++) {
        struct model_msg *g = model_msg(m, seq);
        sim_check(g && !g->present, "stream %u: %llu was cleared and should be there", sl->no, (unsigned long long)seq);
        if (!g->told) model_heard(m, g->removed);
        g->told = true;
    }
}

static const struct mg_stream_ops ops = {
    .result = on_result, .visible = on_visible, .removed = on_removed, .cleared = on_cleared};

// Everything was answered: so of everything that is gone somebody was told.
static void check_told(const struct slot *sl) {
    const struct model *m = &sl->model;
    for (uint64_t seq = m->first_seq; seq <= m->last; seq++) {
        const struct model_msg *g = model_msg(m, seq);
        sim_check(!g->uid || g->present || g->told, "stream %u: nobody was told that %llu is gone", sl->no,
                  (unsigned long long)seq);
    }
}

// ---- turns ----------------------------------------------------------------------------------------------------------

static bool before_poll(void *arg) {
    struct shard *sh = arg;
    if (sh->polled) {
        mg_loop_stop(sh->loop);
        return true;
    }
    sh->polled = true;
    bool more = mg_store_part_turn(sh->part);
    uint64_t at = mg_wheel_next(&sh->wheel);
    mg_loop_set_timer(sh->loop, at < sh->until ? at : sh->until);
    return more;
}

static void on_timer(void *arg) {
    struct shard *sh = arg;
    mg_wheel_advance(&sh->wheel, mg_loop_now(sh->loop));
}

static _Noreturn void stuck(const struct shard *sh) {
    const struct mg_store_part *p = sh->part;
    for (unsigned i = 0; i < SLOTS; i++) {
        const struct slot *sl = &sh->w->slots[i];
        if (sl->shard == sh && sl->stream && sl->model.answered < sl->model.nops)
            fprintf(stderr, "stream %u: operation %u of %u, %u wait, %u rows unresolved\n", sl->no,
                    sl->model.answered + 1, sl->model.nops, sl->stream->waiting_len, sl->stream->unresolved);
    }
    const struct mg_seal *z = p->seal;
    sim_fail("no answer for an hour: batch %llu, durable %llu, %u unsent, %u out; %s sealed up to %llu, %u unresolved",
             (unsigned long long)p->batch, (unsigned long long)p->durable, p->unsent_len, p->batches_out,
             z ? z->given ? "given," : "not given," : "not", z ? (unsigned long long)z->batch : 0,
             z && z->rows ? z->rows->unresolved : 0);
}

void shard_step(struct shard *sh) {
    if (sim_now(sh->w->sim) > sh->w->patience) stuck(sh);
    sh->polled = false;
    if (sh->w->room_at < sim_now(sh->w->sim)) sim_disk_faults(sh->w->disk)->capacity = 0; // somebody has made room
    // Whoever waits looks up now and then: the disk may have died without a word to this shard.
    uint64_t soon = sim_now(sh->w->sim) + 200000000;
    if (sh->until > soon) sh->until = soon;
    mg_loop_run(sh->loop);
    sh->until = MG_NEVER;
}

bool shard_stuck(const struct shard *sh) { return world_over(sh->w) || sh->part->poisoned; }

// ---- what is asked --------------------------------------------------------------------------------------------------

static void *ctx_of(uint32_t op) { return (void *)(uintptr_t)(op + 1); }

// A call has answered `err` for the operation that the model has just made.
static void asked(struct shard *sh, struct slot *sl, const char *what, int err) {
    const struct model_op *op = &sl->model.ops[sl->model.nops - 1];
    sim_trace("S%u operation %u: %s; shall be: %s%s, %llu", sl->no, sl->model.nops, what, mg_strerror(op->want.err),
              op->want.duplicate ? " (duplicate)" : "", (unsigned long long)op->want.seq);
    if (err == 0) {
        sh->in_flight++;
        return;
    }
    sim_check(refused(err) && shard_stuck(sh), "stream %u: refused: %s", sl->no, mg_strerror(err));
    sh->w->failed = true;
}

static int64_t draw_limit(struct sim *s, uint64_t max) {
    return sim_chance(s, 160) ? 0 : 1 + (int64_t)sim_below(s, max);
}

static struct mg_stream_limits draw_limits(struct sim *s, bool aging) {
    static const int64_t per_subject[] = {0, 1, 1, 5, 100};
    struct mg_stream_limits l = {.dedupe_window = sim_chance(s, 128) ? HOUR : 0, .packed = sim_chance(s, 96)};
    if (aging) {
        l.max_age = 1 + sim_below(s, 2000000000);
        return l;
    }
    l.max_msgs = draw_limit(s, 60);
    l.max_bytes = draw_limit(s, 20000);
    l.discard = sim_chance(s, 64) ? MG_DISCARD_NEW : MG_DISCARD_OLD;
    l.max_msgs_per_subject = per_subject[sim_below(s, l.discard == MG_DISCARD_NEW ? 4 : 5)];
    l.discard_new_per_subject = sim_chance(s, 128);
    return l;
}

static mg_slice name_of(const struct slot *sl, char *out) {
    return mg_slice_of(out, (size_t)snprintf(out, 16, "S%u", sl->no));
}

static mg_slice config_text(uint64_t config, char *out) {
    return mg_slice_of(out, (size_t)snprintf(out, 24, "%llu", (unsigned long long)config));
}

static void create(struct shard *sh, struct slot *sl) {
    struct sim *s = sh->w->sim;
    char name[16], config[24];
    bool decay = sh->w->decay;
    sl->aging = !decay && sim_chance(s, 20);
    sl->memory = !decay && sim_chance(s, 20);
    sl->mood = (unsigned)sim_below(s, 6);
    struct mg_stream_limits l = draw_limits(s, sl->aging);
    if (decay) l = (struct mg_stream_limits){.packed = l.packed};
    sl->limit = decay && sim_chance(s, 128) ? 1 + sim_below(s, 40) : 0;
    uint64_t first = sim_chance(s, 64) ? 1 + sim_below(s, 10000) : 0, version = ++sh->w->uids;
    model_fini(&sl->model);
    model_init(&sl->model, !sl->memory, &l, first, version);
    sl->model.removals = sh->w->o.removals;
    if (sl->limit) l.max_msgs = (int64_t)sl->limit;
    sl->since = version;
    sl->checked = true;
    uint32_t op = model_do_nothing(&sl->model);
    int err = mg_stream_create(sh->part, name_of(sl, name), config_text(version, config),
                               sl->memory ? MG_STORAGE_MEMORY : MG_STORAGE_FILE, &l, first, &sl->stream, ctx_of(op));
    sl->visible = sl->model.last;
    sl->told = false;
    sl->went = 0;
    sl->lost = sl->lost_operations = 0;
    if (err == 0) {
        mg_stream_set_ops(sl->stream, &ops, sl);
        sl->shard = sh;
        sl->phase = SLOT_PRESENT;
        sl->sure = false;
        mg_list_init(&sl->reads);
    }
    asked(sh, sl, "create", err);
}

static uint32_t draw_payload(struct sim *s) {
    if (sim_chance(s, 4)) return (uint32_t)sim_below(s, 30000);
    return (uint32_t)sim_below(s, sim_chance(s, 30) ? 3000 : 200);
}

static uint64_t near(struct sim *s, uint64_t truth) { return sim_chance(s, 180) ? truth : truth + 2 - sim_below(s, 4); }

static void draw_conditions(struct sim *s, const struct model *m, struct model_append *a) {
    if (sim_chance(s, 16)) a->expect_last = near(s, m->last);
    if (sim_chance(s, 24)) {
        if (sim_chance(s, 64)) a->expect_subject = (unsigned)sim_below(s, MODEL_SUBJECTS);
        unsigned of = a->expect_subject < MODEL_SUBJECTS ? a->expect_subject : a->subject;
        a->expect_subject_last = near(s, model_last_of(m, of));
    }
    if (sim_chance(s, 48)) a->id = (unsigned)sim_below(s, MODEL_IDS);
    if (sim_chance(s, 8)) a->rollup_subject = true;
    if (sim_chance(s, 3)) a->rollup_all = true;
    if (sim_chance(s, 6)) a->skip = true;
    a->no_limit_per_subject = sim_chance(s, 64);
}

static void append(struct shard *sh, struct slot *sl) {
    struct sim *s = sh->w->sim;
    struct model *m = &sl->model;
    struct model_append a = {.uid = ++sh->w->uids, .expect_last = MG_ANY_SEQ, .expect_subject_last = MG_ANY_SEQ,
                             .expect_subject = MODEL_SUBJECTS, .id = MODEL_IDS, .payload = draw_payload(s)};
    a.subject = (unsigned)sim_below(s, sim_chance(s, 128) ? 3 : MODEL_SUBJECTS);
    a.headers = sim_chance(s, 64);
    a.time = mg_loop_wall(sh->loop) - (sim_chance(s, 8) ? 1000000000 : 0);
    if (!sl->aging && !sh->w->decay) draw_conditions(s, m, &a);
    struct model_msg msg = {.uid = a.uid, .headers = a.headers, .payload = a.payload};
    char headers[64], id[16], *payload = mg_alloc(a.payload + 1);
    model_payload(&msg, payload);
    struct mg_append out = {
        .subject = model_subject(a.subject),
        .headers = model_headers(&msg, headers),
        .payload = mg_slice_of(payload, a.payload),
        .expect_last = a.expect_last,
        .expect_subject_last = a.expect_subject_last,
        .time = a.time,
        .rollup_subject = a.rollup_subject,
        .rollup_all = a.rollup_all,
        .no_limit_per_subject = a.no_limit_per_subject,
        .skip = a.skip,
    };
    if (a.expect_subject < MODEL_SUBJECTS) out.expect_subject = model_subject(a.expect_subject);
    if (a.id < MODEL_IDS) out.msg_id = mg_slice_of(id, (size_t)snprintf(id, sizeof(id), "id-%u", a.id));
    uint32_t op = model_do_append(m, &a);
    asked(sh, sl, out.subject.p, mg_stream_append(sl->stream, &out, ctx_of(op)));
    mg_free(payload);
}

static uint64_t draw_seq(struct sim *s, const struct model *m) {
    uint64_t first = model_first(m), n = m->last + 2 - first;
    if (sim_chance(s, 128)) return first + sim_below(s, n > 4 ? 4 : n);
    return first + sim_below(s, n);
}

static void remove_one(struct shard *sh, struct slot *sl) {
    uint64_t seq = draw_seq(sh->w->sim, &sl->model);
    bool erase = sim_chance(sh->w->sim, sh->w->erasures ? 128 : 20);
    uint32_t op = model_do_remove(&sl->model, seq, erase);
    char what[40];
    snprintf(what, sizeof(what), "%s %llu", erase ? "erase" : "remove", (unsigned long long)seq);
    asked(sh, sl, what, mg_stream_remove(sl->stream, seq, erase, ctx_of(op)));
}

static void purge(struct shard *sh, struct slot *sl) {
    struct sim *s = sh->w->sim;
    mg_slice filter = sim_chance(s, 180) ? draw_filter(s) : (mg_slice){NULL, 0};
    uint64_t up_to = 0, keep = 0;
    if (sim_chance(s, 128)) up_to = draw_seq(s, &sl->model);
    else if (sim_chance(s, 160)) keep = 1 + sim_below(s, 8);
    uint32_t op = model_do_purge(&sl->model, filter, up_to, keep);
    char what[80];
    snprintf(what, sizeof(what), "purge %.*s up to %llu keep %llu", (int)filter.n, filter.p ? filter.p : "",
             (unsigned long long)up_to, (unsigned long long)keep);
    asked(sh, sl, what, mg_stream_purge(sl->stream, filter, up_to, keep, ctx_of(op)));
}

static void row(struct shard *sh, struct slot *sl) {
    struct sim *s = sh->w->sim;
    unsigned i = (unsigned)sim_below(s, MODEL_ROWS);
    uint64_t value = sim_chance(s, 64) ? 0 : ++sh->w->uids;
    char key[16], text[24];
    mg_slice k = mg_slice_of(key, (size_t)snprintf(key, sizeof(key), "row-%u", i));
    uint32_t op = model_do_row(&sl->model, i, value);
    asked(sh, sl, "row", value ? mg_stream_row_put(sl->stream, k, config_text(value, text), ctx_of(op))
                        : mg_stream_row_delete(sl->stream, k, ctx_of(op)));
    if (sim_chance(s, 128) && !shard_stuck(sh)) reads_begin_row(sl, i);
}

static void configure(struct shard *sh, struct slot *sl) {
    struct mg_stream_limits l = draw_limits(sh->w->sim, sl->aging), old = sl->model.limits;
    char config[24];
    l.dedupe_window = old.dedupe_window;
    uint64_t version = ++sh->w->uids;
    uint32_t op = model_do_configure(&sl->model, &l, version);
    asked(sh, sl, "configure", mg_stream_configure(sl->stream, config_text(version, config), &l, ctx_of(op)));
}

static void delete (struct shard *sh, struct slot *sl) {
    uint32_t op = model_do_nothing(&sl->model);
    sl->sure = false;
    int err = mg_stream_delete(sl->stream, ctx_of(op));
    if (err == 0) sl->phase = SLOT_DELETING;
    asked(sh, sl, "delete", err);
    reads_drop(sl);
}

// ---- a part's life --------------------------------------------------------------------------------------------------

static void barrier(struct shard *sh, struct slot *sl) {
    uint32_t op = model_do_nothing(&sl->model);
    sl->model.ops[op].want.seq = sl->model.last;
    mg_stream_barrier(sl->stream, ctx_of(op));
    sh->in_flight++;
}

static void act(struct shard *sh, struct slot *sl) {
    struct sim *s = sh->w->sim;
    unsigned dice = (unsigned)sim_below(s, 256);
    // What is refused must not be followed by what relies on it.
    while (sh->w->tight && sl->phase == SLOT_PRESENT && sl->model.answered < sl->model.nops && !shard_stuck(sh))
        shard_step(sh);
    if (shard_stuck(sh) || sl->phase == SLOT_DELETING) return;
    if (sl->phase == SLOT_ABSENT) {
        create(sh, sl);
    } else if (sh->w->decay) {
        if (dice < 100 || (dice < 245 && sl->limit)) append(sh, sl);
        else if (dice < 245) remove_one(sh, sl);
        else row(sh, sl);
    } else if (sl->aging) {
        if (dice < 200) append(sh, sl);
        else row(sh, sl);
    } else if (dice < 120 || (sl->mood < 3 && dice < 200)) {
        append(sh, sl);
    } else if (dice < 224) {
        remove_one(sh, sl);
    } else if (dice < 240) {
        row(sh, sl);
    } else if (dice < 248) {
        purge(sh, sl);
    } else if (dice < 251) {
        barrier(sh, sl);
    } else if (dice < 254) {
        configure(sh, sl);
    } else if (!sh->w->interval) { // what was deleted could come back as what it was
        delete (sh, sl);
    }
}

static struct slot *some_slot(struct shard *sh) {
    struct slot *sl = &sh->w->slots[sim_below(sh->w->sim, SLOTS)];
    bool mine = sl->phase == SLOT_ABSENT ? sl->no % sh->w->o.parts == sh->no : sl->shard == sh;
    return mine && sl->phase != SLOT_DELETING ? sl : NULL;
}

static void pause(struct shard *sh, uint64_t ns) {
    sh->until = sim_now(sh->w->sim) + ns;
    shard_step(sh);
}

static void settle(struct shard *sh) {
    while (sh->in_flight > 0 && !shard_stuck(sh)) shard_step(sh);
}

static void work(struct shard *sh) {
    struct world *w = sh->w;
    struct sim *s = w->sim;
    unsigned most = 1 + (unsigned)sim_below(s, 60);
    for (uint64_t n = 0, tries = 0; n < w->quota && tries < w->quota * 50 && !shard_stuck(sh); tries++) {
        struct slot *sl = some_slot(sh);
        if (sl && sim_chance(s, 60) && sl->phase == SLOT_PRESENT) reads_begin(sh, sl);
        else if (sl) act(sh, sl), n++;
        if (w->decay && !w->scrub && !w->files && sim_chance(s, 1)) decay_spoil(w);
        if (sim_chance(s, 3)) mg_store_press(w->store);
        if (sim_chance(s, 1)) mg_store_scrub(w->store);
        if (sim_chance(s, 2)) pause(sh, sim_below(s, 60000000));
        if (sim_chance(s, 40)) shard_step(sh);
        while (sh->in_flight >= most && !shard_stuck(sh)) shard_step(sh);
        if (sim_chance(s, 4)) settle(sh);
    }
    settle(sh);
}

static void check_mine(struct shard *sh, bool restart) {
    for (unsigned i = 0; i < SLOTS && !shard_stuck(sh); i++) {
        struct slot *sl = &sh->w->slots[i];
        if (sl->phase != SLOT_PRESENT || sl->shard != sh || sl->stream == NULL) continue;
        reads_check_all(sh, sl, restart);
        if (restart || sh->w->decay || shard_stuck(sh)) continue;
        barrier(sh, sl); // what limits have removed since
        settle(sh);
        if (!shard_stuck(sh)) check_told(sl);
    }
}

// Nothing more is asked, so what was erased must go. A shorter wait leaves some of it to the next life.
static void await_erasures(struct shard *sh) {
    struct world *w = sh->w;
    uint64_t share = sim_chance(w->sim, 128) ? 1 : 1 + sim_below(w->sim, 2000);
    uint64_t until = sim_now(w->sim) + ERASURES_WITHIN / share + 1;
    while (sim_now(w->sim) < until && !shard_stuck(sh)) pause(sh, until - sim_now(w->sim));
    if (!shard_stuck(sh)) erasures_check(w);
}

void shard_main(void *arg) {
    struct shard *sh = arg;
    struct world *w = sh->w;
    const struct mg_loop_hooks hooks = {.arg = sh, .before_poll = before_poll, .timer = on_timer};
    mg_assert(mg_loop_new(&sh->loop, &hooks) == 0);
    mg_wheel_init(&sh->wheel, mg_loop_clock(sh->loop));
    sh->until = MG_NEVER;
    sh->part = mg_store_part(w->store, sh->no);
    mg_store_part_start(sh->part, sh->loop, &sh->wheel);
    if (w->clock) {
        clock_main(sh);
    } else {
        check_mine(sh, true);
        w->checked += !shard_stuck(sh);
        if (!w->look_only) work(sh);
        if (w->decay) decay_rest(sh);
        if ((!w->damaged || w->decay) && !sh->part->poisoned) check_mine(sh, false);
        if (w->erasures) await_erasures(sh);
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        if (w->slots[i].shard == sh && w->slots[i].stream) reads_drop(&w->slots[i]);
    }
    // A checkpoint needs every part: none goes before all have nothing more to do.
    while (w->scrub && sh->no == 0 && w->working > 1 && !shard_stuck(sh)) shard_step(sh);
    if (w->scrub && sh->no == 0) scrub_rounds(sh);
    w->working--;
    while (w->working > 0) shard_step(sh);
    for (unsigned i = 0; !mg_store_part_stop(sh->part) && (i < 50 || !world_over(w)); i++) shard_step(sh);
}

// ---- slots ----------------------------------------------------------------------------------------------------------

void slots_init(struct world *w) {
    for (unsigned i = 0; i < SLOTS; i++) {
        w->slots[i] = (struct slot){.w = w, .no = i, .sure = true};
        mg_list_init(&w->slots[i].reads);
    }
}

void slots_fini(struct world *w) {
    for (unsigned i = 0; i < SLOTS; i++) model_fini(&w->slots[i].model);
}

static void found(struct world *w, struct shard *sh, struct mg_stream *st) {
    mg_slice name = mg_stream_name(st);
    sim_check(name.n == 2 && name.p[0] == 'S' && (unsigned)(name.p[1] - '0') < SLOTS, "invented: stream %.*s",
              (int)name.n, name.p);
    struct slot *sl = &w->slots[name.p[1] - '0'];
    mg_slice config = mg_stream_config(st);
    uint64_t version = 0;
    for (size_t i = 0; i < config.n; i++) version = version * 10 + (uint64_t)(config.p[i] - '0');
    bool earlier = sl->phase != SLOT_ABSENT && version < sl->since;
    // A deletion that was lost, and said to be.
    if (earlier && w->damaged && w->reports) return;
    sim_check(!earlier, "stream %u: an earlier one of its name is back", sl->no);
    sim_check(sl->stream == NULL, "stream %u is there twice", sl->no);
    sim_check(sl->phase != SLOT_ABSENT || w->damaged, "stream %u was deleted and is there", sl->no);
    sl->stream = st;
    sl->shard = sh;
    if (sl->phase != SLOT_ABSENT) mg_stream_set_ops(st, &ops, sl);
}

void slots_found(struct world *w) {
    for (unsigned i = 0; i < w->o.parts; i++) {
        struct mg_store_part *p = mg_store_part(w->store, i);
        for (struct mg_stream *st = mg_stream_next(p, NULL); st; st = mg_stream_next(p, st))
            found(w, &w->shards[i], st);
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *sl = &w->slots[i];
        if (sl->phase == SLOT_ABSENT) continue;
        if (sl->stream == NULL) {
            sim_check(!sl->sure || (w->damaged && w->reports), "stream %u is lost, and nobody says so", sl->no);
            sl->phase = SLOT_ABSENT;
        } else {
            sl->phase = SLOT_PRESENT; // a deletion that did not happen
        }
        sl->sure = true;
    }
}

void slots_end(struct world *w, bool power_cut) {
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *sl = &w->slots[i];
        sl->stream = NULL;
        sl->shard = NULL;
        sl->checked = false;
        // Acknowledged was only that it is written.
        if (w->interval && power_cut) {
            if (sl->phase != SLOT_ABSENT) model_doubt(&sl->model);
            sl->sure = false;
        }
        if (sl->memory && sl->phase != SLOT_ABSENT) {
            sl->phase = SLOT_ABSENT;
            sl->sure = true;
            sl->memory = false;
        }
    }
}
