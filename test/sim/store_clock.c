// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A wall clock that jumps, ahead and back, while a store runs and between two lives of it (jetstream/store/clock.h).
// One stream with a maximum age and a window for duplicates is published to. The simulator's own time never jumps, so
// it is known how old a message can be at most by what the store promises:
//
//     what has really passed since it was published
//   + what the wall clock jumped ahead since, once that is 10 minutes ago
//   + what it jumped ahead by an hour at most: such a jump is taken for a delay and counts at once. Where the clock was
//     set back before, a part of any jump ahead may be one of these
//
// Nothing may go before it can be that old, and no id be forgotten. From below: time passes at half its speed at least,
// so what is twice as old as the limit, jumps and starts being 10 minutes ago, must be gone, and its id forgotten;
// unless the clock was set back, for what was stored meanwhile may live longer. Times of messages never go back, also
// across starts.
#include <stdio.h>

#include "jetstream/store/clock.h"
#include "jetstream/store/part.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "test/sim/store_driver.h"

#define SECOND UINT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define SLACK  (2 * SECOND) // of what happens at a turn of the shard, or every 250 ms
#define KEPT   (5 * SECOND) // in so much time a checkpoint has kept what the store knows of a jump
#define IDS    8u

static struct clock *clock_of(const struct shard *sh) { return sh->w->clock; }

struct clock *clock_new(struct sim *s) {
    struct clock *c = mg_zalloc(sizeof(*c));
    c->max_age = sim_chance(s, 128) ? MINUTE + sim_below(s, HOUR) : 2 * HOUR + sim_below(s, 30 * HOUR);
    c->window = sim_chance(s, 128) ? MINUTE + sim_below(s, HOUR) : 2 * HOUR + sim_below(s, 30 * HOUR);
    c->back = sim_chance(s, 128);
    return c;
}

void clock_free(struct clock *c) {
    if (c) mg_free(c->messages);
    mg_free(c);
}

void clock_jump(struct world *w) {
    struct sim *s = w->sim;
    struct clock *c = w->clock;
    if (c->jumps_len == CLOCK_JUMPS) return;
    int64_t by = (int64_t)(sim_chance(s, 100) ? sim_below(s, HOUR) : HOUR + sim_below(s, 100 * HOUR));
    if (c->back && sim_chance(s, 128)) by = -by;
    sim_wall_jump(s, by);
    sim_trace("the clock jumps by %.2f hours", (double)by / (double)HOUR);
    c->went_back |= by < 0;
    c->jumps[c->jumps_len++] = (struct clock_jump){sim_now(s), by, c->went_back, false};
}

static uint64_t oldest(const struct shard *sh, uint64_t since) {
    const struct clock *c = clock_of(sh);
    uint64_t now = sim_now(sh->w->sim), age = now - since + SLACK;
    for (unsigned i = 0; i < c->jumps_len; i++) {
        const struct clock_jump *j = &c->jumps[i];
        uint64_t by = j->by > 0 ? (uint64_t)j->by : 0;
        if (j->at < since) continue;
        bool at_once = j->forgotten || by <= (uint64_t)MG_CLOCK_JUMP || now >= j->at + MG_CLOCK_GRACE;
        if (at_once) age += by;
        else if (j->behind) age += (uint64_t)MG_CLOCK_JUMP;
    }
    return age;
}

static uint64_t youngest(const struct shard *sh, uint64_t since) {
    const struct clock *c = clock_of(sh);
    uint64_t now = sim_now(sh->w->sim), calm = since > c->started ? since : c->started;
    uint64_t jumped = c->jumps_len ? c->jumps[c->jumps_len - 1].at : 0;
    if (c->went_back || now < c->started + MG_CLOCK_GRACE + SLACK || now < jumped + MG_CLOCK_GRACE + SLACK) return 0;
    return now > calm ? (now - calm) / 2 : 0;
}

// ---- answers --------------------------------------------------------------------------------------------------------

static struct clock_message *message(struct clock *c, uint64_t seq) {
    return seq > 0 && seq <= c->count ? &c->messages[seq - 1] : NULL;
}

static void add(struct clock *c, uint64_t seq, uint64_t asked) {
    while (c->count < seq) {
        c->messages = mg_realloc(c->messages, (c->count + 1) * sizeof(c->messages[0]));
        c->messages[c->count++] = (struct clock_message){.asked = asked};
    }
}

static void check_id(struct shard *sh, const struct mg_result *r) {
    struct clock *c = clock_of(sh);
    const struct clock_id *id = &c->ids[c->id];
    if (r->duplicate) {
        sim_check(id->unsure || r->seq == id->seq, "a duplicate of %llu, not of %llu", (unsigned long long)r->seq,
                  (unsigned long long)id->seq);
        sim_check(id->unsure || youngest(sh, id->answered) <= c->window + MINUTE, "id %u is remembered for too long",
                  c->id);
        return;
    }
    bool early = id->seq && oldest(sh, id->asked) < c->window;
    sim_check(!early, "id %u of message %llu was forgotten too early, by %llu", c->id, (unsigned long long)id->seq,
              (unsigned long long)r->seq);
    c->ids[c->id] = (struct clock_id){.seq = r->seq, .asked = c->asked, .answered = sim_now(sh->w->sim)};
}

static void on_result(void *app, const struct mg_result *r) {
    struct shard *sh = app;
    struct clock *c = clock_of(sh);
    if (world_over(sh->w)) return;
    sim_check(r->err == 0, "an answer says %s", mg_strerror(r->err));
    c->waits = false;
    if (r->ctx == NULL) return;
    if (!r->duplicate) {
        add(c, r->seq, c->asked);
        sim_check(c->facts.time >= c->time, "the time of %llu goes back", (unsigned long long)r->seq);
        c->time = c->facts.time;
    }
    if (c->id < IDS) check_id(sh, r);
}

static void gone(struct shard *sh, uint64_t seq) {
    struct clock *c = clock_of(sh);
    struct clock_message *m = message(c, seq);
    if (m == NULL) return; // its publish was not answered
    sim_check(m->unsure || oldest(sh, m->asked) >= c->max_age,
              "message %llu is gone too early: %llu s old at most, not %llu", (unsigned long long)seq,
              (unsigned long long)(oldest(sh, m->asked) / SECOND),
              (unsigned long long)(c->max_age / SECOND));
    m->gone = true;
}

static void on_removed(void *app, uint64_t seq, mg_slice subject) {
    struct shard *sh = app;
    (void)subject;
    if (!world_over(sh->w)) gone(sh, seq);
}

static void on_visible(void *app, uint64_t last) { (void)app, (void)last; }
static void on_cleared(void *app, uint64_t last) { (void)app, (void)last; }

static const struct mg_stream_ops ops = {
    .result = on_result, .visible = on_visible, .removed = on_removed, .cleared = on_cleared};

// ---- a life ---------------------------------------------------------------------------------------------------------

static void await(struct shard *sh) {
    while (clock_of(sh)->waits && !shard_stuck(sh)) shard_step(sh);
}

static void pass(struct shard *sh, uint64_t ns) {
    uint64_t until = sim_now(sh->w->sim) + ns;
    while (sim_now(sh->w->sim) < until && !shard_stuck(sh)) {
        sh->until = until;
        shard_step(sh);
    }
}

static void publish(struct shard *sh, struct mg_stream *st) {
    struct clock *c = clock_of(sh);
    struct sim *s = sh->w->sim;
    char id[16];
    c->id = (unsigned)sim_below(s, IDS + IDS / 2);
    c->asked = sim_now(s);
    c->waits = true;
    struct mg_append a = {.subject = MG_S("a"), .payload = MG_S("x"), .expect_last = MG_ANY_SEQ,
                          .expect_subject_last = MG_ANY_SEQ, .facts = &c->facts};
    if (c->id < IDS) a.msg_id = mg_slice_of(id, (size_t)snprintf(id, sizeof(id), "id-%u", c->id));
    if (mg_stream_append(st, &a, c) != 0) c->waits = false;
    await(sh);
    // It may be there or not.
    if (c->waits && c->id < IDS) c->ids[c->id] = (struct clock_id){.unsure = true};
}

static uint64_t first_of(struct shard *sh, struct mg_stream *st, struct mg_stream_state *state) {
    while (mg_stream_state(st, state) != 0 && !shard_stuck(sh)) {
        clock_of(sh)->waits = true;
        mg_stream_barrier(st, NULL);
        await(sh);
    }
    return state->first;
}

// What is not there any more was too old already when the last life ended, or is now.
static void look(struct shard *sh, struct mg_stream *st) {
    struct clock *c = clock_of(sh);
    struct mg_stream_state state;
    uint64_t first = first_of(sh, st, &state);
    if (shard_stuck(sh)) return;
    sim_check(state.last >= c->count, "the last messages are lost");
    // Those whose publishers never heard of them.
    for (; c->count < state.last; c->messages[c->count - 1].unsure = true) add(c, c->count + 1, sim_now(sh->w->sim));
    sim_check(c->count == 0 || state.last_time >= c->time, "the time of the last message goes back");
    for (uint64_t seq = 1; seq < first; seq++) {
        if (!message(c, seq)->gone) gone(sh, seq);
    }
}

static struct mg_stream *stream_of(struct shard *sh) {
    struct clock *c = clock_of(sh);
    struct mg_stream *st = mg_stream_find(sh->part, MG_S("C"));
    struct mg_stream_limits limits = {.max_age = c->max_age, .dedupe_window = c->window};
    if (st) {
        mg_stream_set_ops(st, &ops, sh);
        look(sh, st);
    } else if (sh->no == 0 && !c->made) { // nor is it in another part
        int err = mg_stream_create(sh->part, MG_S("C"), (mg_slice){NULL, 0}, MG_STORAGE_FILE, &limits, 0, &st, NULL);
        if (err) return NULL;
        mg_stream_set_ops(st, &ops, sh);
        c->waits = true;
        await(sh);
        c->made = !shard_stuck(sh);
    }
    return st;
}

// A store that has nothing to do notices later.
static void jump(struct shard *sh) {
    clock_jump(sh->w);
    mg_loop_clock(sh->loop);
    mg_store_part_time(sh->part);
}

static void work(struct shard *sh, struct mg_stream *st) {
    struct sim *s = sh->w->sim;
    for (uint64_t n = 0; n < sh->w->quota && !shard_stuck(sh); n++) {
        unsigned dice = (unsigned)sim_below(s, 256);
        if (dice < 200) publish(sh, st);
        else if (dice < 215) jump(sh);
        else if (dice < 218) mg_store_press(sh->w->store);
        else pass(sh, sim_below(s, dice < 225 ? 12 * MINUTE : dice < 245 ? 20 * SECOND : SECOND / 2));
    }
}

void clock_ended(struct world *w) {
    struct clock *c = w->clock;
    uint64_t now = sim_now(w->sim);
    bool forgotten = now < c->started + KEPT;
    for (unsigned i = 0; i < c->jumps_len; i++) forgotten |= now < c->jumps[i].at + KEPT;
    for (unsigned i = 0; i < c->jumps_len; i++) c->jumps[i].forgotten |= forgotten;
}

// A stream may be there whose creation was not answered, and in any of the parts.
void clock_started(struct world *w) {
    struct clock *c = w->clock;
    bool found = false;
    for (unsigned i = 0; i < w->o.parts; i++) found |= mg_stream_find(mg_store_part(w->store, i), MG_S("C")) != NULL;
    sim_check(found || !c->made, "the stream is lost");
    c->made = found;
    c->started = sim_now(w->sim);
    c->waits = false;
}

void clock_main(struct shard *sh) {
    struct clock *c = clock_of(sh);
    struct mg_stream_state state;
    struct mg_stream *st = stream_of(sh);
    if (st == NULL || shard_stuck(sh)) return;
    work(sh, st);
    if (c->max_age > HOUR || c->went_back || sim_chance(sh->w->sim, 192)) return;
    // Whatever the clock says: in time they go. (A stream's timer looks again every 10 minutes at least.)
    pass(sh, 2 * c->max_age + 2 * MG_CLOCK_GRACE + MINUTE);
    first_of(sh, st, &state);
    sim_check(shard_stuck(sh) || state.msgs == 0, "%llu messages do not go", (unsigned long long)state.msgs);
}
