// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// See toy.h. Causality is checked with vectors: a piece of data carries, for each shard, how much interest that shard
// had announced before data that led to this one. A shard's own entry is what it has announced; the others it learns
// from data, not from interest: interest that has reached one shard may not have reached the next one yet, but the data
// that its announcer sent after it leaves only when all mailboxes have the interest.
//
// The end: shard 0 asks all shards how much they have sent and received until two rounds in a row say the same and
// nothing is missing; then it tells them to stop. As with a server: first everything is quiet, then shards stop.
#include "test/sim/toy.h"

#include <string.h>

#include "server/base/assert.h"
#include "server/base/mem.h"

#define toy_check(cond, ...) ((cond) ? (void)0 : toy_fail(__VA_ARGS__))

enum kind { INTEREST = 1, DATA, ASK, ANSWER, STOP };

struct interest_body {
    uint64_t version; // 1, 2, ... of the announcing shard
};

struct data_body {
    uint64_t seq; // 1, 2, ... from this sender to this receiver
    uint64_t ttl;
    uint64_t before[TOY_SHARDS];
};

struct answer_body {
    uint64_t sent, received;
};

struct source {
    struct mg_timer timer;
    struct mg_credit_waiter waiter;
    struct toy_shard *at;
    unsigned left;
    bool waits;
    uint64_t ticket; // of its wait
    unsigned wait_for;
    // The act that it is about to do; a paused one is taken up again.
    bool has_act, announces;
    unsigned mask;
    uint32_t size;
};

struct pong {
    uint64_t interest, data[TOY_SHARDS];
};

#define PONGS 32

struct toy_shard {
    struct toy *toy;
    struct mg_shard *sh;
    unsigned id;
    struct source *sources;
    uint64_t announced, known[TOY_SHARDS]; // interest: own versions, and those of others as heard
    uint64_t before[TOY_SHARDS];           // as carried by data that was seen
    uint64_t sent[TOY_SHARDS], received[TOY_SHARDS];
    int64_t credit;                        // to each other shard, when nothing is under way
    uint64_t tickets[TOY_SHARDS], served[TOY_SHARDS];
    struct pong pongs[PONGS];
    unsigned npongs;
    unsigned put_off; // pieces of work for the idle hook
    bool round_open;
    struct answer_body sum, last;
    unsigned answers;
};

static uint64_t below(struct toy_shard *t, uint64_t n) { return (mg_shard_random(t->sh) >> 16) % n; }
static bool chance(struct toy_shard *t, unsigned of256) { return below(t, 256) < of256; }

// ---- sending ------------------------------------------------------------------------------------------------------

static unsigned char fill_byte(uint64_t n) { return (unsigned char)(n * 167 + 13); }

// The rest of a body is filled so that a torn or mixed-up record shows; of a long one the ends do.
static void fill(char *p, size_t n, uint64_t salt) {
    if (n) memset(p, fill_byte(salt), n);
}

static bool filled(const char *p, size_t n, uint64_t salt) {
    for (size_t i = 0; i < n && i < 32; i++)
        if ((unsigned char)p[i] != fill_byte(salt) || (unsigned char)p[n - 1 - i] != fill_byte(salt)) return false;
    return true;
}

static void send_interest(struct toy_shard *t, uint32_t extra) {
    t->announced++;
    for (unsigned to = 0; to < t->toy->params.shards; to++) {
        if (to == t->id) continue;
        struct mg_rec *rec = mg_post_interest(t->sh, to, INTEREST, (uint32_t)sizeof(struct interest_body) + extra);
        const struct interest_body b = {.version = t->announced};
        memcpy(rec->body, &b, sizeof(b));
        fill(rec->body + sizeof(b), extra, b.version);
    }
}

static void send_data(struct toy_shard *t, unsigned to, uint64_t ttl, uint32_t extra) {
    struct mg_rec *rec = mg_post_data(t->sh, to, DATA, (uint32_t)sizeof(struct data_body) + extra);
    struct data_body b = {.seq = ++t->sent[to], .ttl = ttl};
    memcpy(b.before, t->before, sizeof(b.before));
    b.before[t->id] = t->announced;
    memcpy(rec->body, &b, sizeof(b));
    fill(rec->body + sizeof(b), extra, b.seq);
    if (chance(t, 32)) mg_post_charge(t->sh, to, below(t, 1000));
}

static unsigned other(struct toy_shard *t) {
    unsigned to = (unsigned)below(t, t->toy->params.shards - 1);
    return to < t->id ? to : to + 1;
}

// ---- sources ------------------------------------------------------------------------------------------------------

static void draw_act(struct source *src) {
    struct toy_shard *t = src->at;
    const struct toy_params *p = &t->toy->params;
    src->has_act = true;
    src->announces = chance(t, p->announce);
    unsigned all = (1u << p->shards) - 1;
    src->mask = src->announces || chance(t, 64) ? all : 1u << other(t);
    src->mask &= ~(1u << t->id);
    src->size = (uint32_t)below(t, (src->announces ? p->interest : p->body) + 1);
}

// False: it has no credit and waits.
static bool act(struct source *src) {
    struct toy_shard *t = src->at;
    if (!src->has_act) draw_act(src);
    for (unsigned to = 0; to < t->toy->params.shards; to++) {
        if (!(src->mask & 1u << to) || mg_credit(t->sh, to) > 0) continue;
        src->waits = true;
        src->wait_for = to;
        src->ticket = ++t->tickets[to];
        mg_credit_wait(t->sh, to, &src->waiter);
        return false;
    }
    src->has_act = false;
    src->left--;
    if (src->announces) {
        send_interest(t, src->size);
        return true;
    }
    for (unsigned to = 0; to < t->toy->params.shards; to++)
        if (src->mask & 1u << to) send_data(t, to, 3, src->size);
    return true;
}

static void ask_for_pong(struct toy_shard *t) {
    if (t->npongs == PONGS) return;
    struct pong *p = &t->pongs[t->npongs++];
    p->interest = t->announced;
    memcpy(p->data, t->sent, sizeof(p->data));
}

static void input(struct toy_shard *t) {
    struct toy *toy = t->toy;
    uint64_t interest[TOY_SHARDS], data[TOY_SHARDS];
    for (unsigned i = 0; i < toy->params.shards; i++) {
        interest[i] = atomic_load(&toy->seen_interest[i]);
        data[i] = atomic_load(&toy->seen_data[i][t->id]);
    }
    mg_shard_input(t->sh);
    for (unsigned i = 0; i < toy->params.shards; i++) {
        if (i == t->id) continue;
        toy_check(t->known[i] >= interest[i], "shard %u parses input and knows interest %llu of shard %u, but its "
                  "PONG covered %llu", t->id, (unsigned long long)t->known[i], i, (unsigned long long)interest[i]);
        toy_check(t->received[i] >= data[i], "shard %u parses input and has %llu data of shard %u, but its PONG "
                  "covered %llu", t->id, (unsigned long long)t->received[i], i, (unsigned long long)data[i]);
    }
}

static void run_source(struct source *src) {
    struct toy_shard *t = src->at;
    toy_check(!src->waits, "a source that waits for credit runs");
    input(t);
    for (uint64_t n = 1 + below(t, t->toy->params.burst); n > 0 && src->left > 0; n--) {
        if (!act(src)) return;
        mg_turn_charge(t->sh, below(t, 20000));
    }
    if (chance(t, 128)) ask_for_pong(t);
    if (src->left == 0) {
        if (atomic_fetch_sub(&t->toy->unfinished, 1) == 1 && t->toy->params.stop_by_itself) toy_stop(t->toy);
        return;
    }
    uint64_t pause = chance(t, 64) ? 0 : below(t, t->toy->params.pause_ns);
    mg_timer_at(t->sh, &src->timer, mg_shard_now(t->sh) + pause);
}

static void on_timer(struct mg_timer *timer) { run_source(mg_container_of(timer, struct source, timer)); }

static void on_resume(struct mg_credit_waiter *w) {
    struct source *src = mg_container_of(w, struct source, waiter);
    struct toy_shard *t = src->at;
    toy_check(src->waits && src->ticket == t->served[src->wait_for] + 1, "shard %u resumes waiter %llu after %llu",
              t->id, (unsigned long long)src->ticket, (unsigned long long)t->served[src->wait_for]);
    t->served[src->wait_for]++;
    src->waits = false;
    if (chance(t, t->toy->params.give_up)) { // nobody wants any more what it waited with
        src->has_act = false;
        src->left--;
    }
    run_source(src);
}

// ---- receiving ----------------------------------------------------------------------------------------------------

static void on_interest(struct toy_shard *t, const struct mg_rec *rec) {
    struct interest_body b;
    toy_check(rec->size >= sizeof(b), "short interest");
    memcpy(&b, rec->body, sizeof(b));
    toy_check(b.version == t->known[rec->from] + 1, "shard %u got interest %llu of shard %u after %llu", t->id,
              (unsigned long long)b.version, rec->from, (unsigned long long)t->known[rec->from]);
    toy_check(filled(rec->body + sizeof(b), rec->size - sizeof(b), b.version), "interest was overwritten");
    t->known[rec->from] = b.version;
}

static void on_data(struct toy_shard *t, const struct mg_rec *rec) {
    struct data_body b;
    toy_check(rec->size >= sizeof(b), "short data");
    memcpy(&b, rec->body, sizeof(b));
    toy_check(b.seq == t->received[rec->from] + 1, "shard %u got data %llu of shard %u after %llu", t->id,
              (unsigned long long)b.seq, rec->from, (unsigned long long)t->received[rec->from]);
    toy_check(filled(rec->body + sizeof(b), rec->size - sizeof(b), b.seq), "data was overwritten");
    t->received[rec->from] = b.seq;
    for (unsigned i = 0; i < t->toy->params.shards; i++) {
        if (i == t->id) continue;
        toy_check(t->known[i] >= b.before[i], "shard %u got data of shard %u before interest %llu of shard %u that "
                  "led to it; it knows %llu", t->id, rec->from, (unsigned long long)b.before[i], i,
                  (unsigned long long)t->known[i]);
        if (b.before[i] > t->before[i]) t->before[i] = b.before[i];
    }
    if (b.ttl == 0 || !chance(t, t->toy->params.react)) return;
    if (chance(t, 64)) t->put_off++;
    else send_data(t, other(t), b.ttl - 1, (uint32_t)below(t, t->toy->params.body + 1));
}

// ---- the end ------------------------------------------------------------------------------------------------------

static struct answer_body tell(const struct toy_shard *t) {
    struct answer_body a = {0};
    for (unsigned i = 0; i < TOY_SHARDS; i++) {
        a.sent += t->sent[i];
        a.received += t->received[i];
    }
    a.sent += t->put_off; // it will be sent
    return a;
}

static void to_all(struct toy_shard *t, enum kind kind) {
    for (unsigned i = 1; i < t->toy->params.shards; i++) mg_post_data(t->sh, i, (uint16_t)kind, 0);
}

static void begin_round(struct toy_shard *t) {
    t->round_open = true;
    t->answers = 1;
    t->sum = tell(t);
    to_all(t, ASK);
}

static void on_answer(struct toy_shard *t, const struct mg_rec *rec) {
    struct answer_body a;
    memcpy(&a, rec->body, sizeof(a));
    t->sum.sent += a.sent;
    t->sum.received += a.received;
    if (++t->answers < t->toy->params.shards) return;
    bool quiet = t->sum.sent == t->sum.received && t->sum.sent == t->last.sent && t->sum.received == t->last.received;
    t->last = t->sum;
    if (!quiet) {
        begin_round(t);
        return;
    }
    to_all(t, STOP);
    mg_shard_stop(t->sh);
}

static void on_ask(struct toy_shard *t) {
    const struct answer_body a = tell(t);
    struct mg_rec *rec = mg_post_data(t->sh, 0, ANSWER, sizeof(a));
    memcpy(rec->body, &a, sizeof(a));
}

static void on_record(void *app, const struct mg_rec *rec) {
    struct toy_shard *t = app;
    toy_check(rec->from < t->toy->params.shards && rec->from != t->id, "record from nowhere");
    switch (rec->kind) {
    case INTEREST: on_interest(t, rec); break;
    case DATA: on_data(t, rec); break;
    case ASK: on_ask(t); break;
    case ANSWER: on_answer(t, rec); break;
    case STOP: mg_shard_stop(t->sh); break;
    default: toy_fail("record of kind %u", rec->kind);
    }
}

// ---- the other hooks ----------------------------------------------------------------------------------------------

static void on_start(void *app) {
    struct toy_shard *t = app;
    for (unsigned i = 0; i < t->toy->params.sources; i++)
        mg_timer_at(t->sh, &t->sources[i].timer, mg_shard_now(t->sh) + below(t, t->toy->params.pause_ns));
}

// A PONG leaves: from here on the outside knows what it covers.
static void write_pong(struct toy_shard *t, const struct pong *p) {
    struct toy *toy = t->toy;
    mg_loop_switch_point();
    if (p->interest > atomic_load(&toy->seen_interest[t->id])) atomic_store(&toy->seen_interest[t->id], p->interest);
    for (unsigned i = 0; i < toy->params.shards; i++)
        if (p->data[i] > atomic_load(&toy->seen_data[t->id][i])) atomic_store(&toy->seen_data[t->id][i], p->data[i]);
    mg_loop_switch_point();
}

static bool on_flush(void *app, unsigned max) {
    struct toy_shard *t = app;
    unsigned n = (unsigned)below(t, 4) + 1;
    if (n > max) n = max;
    if (n > t->npongs) n = t->npongs;
    for (unsigned i = 0; i < n; i++) write_pong(t, &t->pongs[i]);
    t->npongs -= n;
    memmove(t->pongs, t->pongs + n, t->npongs * sizeof(t->pongs[0]));
    return t->npongs > 0;
}

static bool on_idle(void *app) {
    struct toy_shard *t = app;
    if (t->put_off > 0) {
        t->put_off--;
        if (chance(t, 64)) send_interest(t, 0);
        send_data(t, other(t), 0, 0);
    }
    if (t->id == 0 && !t->round_open && atomic_load(&t->toy->stopping)) begin_round(t);
    return t->put_off > 0;
}

static const struct mg_shard_ops ops = {
    .start = on_start, .record = on_record, .flush = on_flush, .idle = on_idle};

// ---- life ---------------------------------------------------------------------------------------------------------

static struct toy_shard *shard_new(struct toy *toy, unsigned id) {
    struct toy_shard *t = mg_zalloc(sizeof(*t));
    t->toy = toy;
    t->id = id;
    t->sh = mg_runtime_shard(toy->rt, id);
    t->credit = mg_credit(t->sh, id == 0 ? 1 : 0);
    t->sources = mg_zalloc(sizeof(*t->sources) * toy->params.sources);
    for (unsigned i = 0; i < toy->params.sources; i++) {
        struct source *src = &t->sources[i];
        src->at = t;
        src->left = toy->params.acts;
        mg_timer_init(&src->timer, on_timer);
        mg_list_init(&src->waiter.link);
        src->waiter.resume = on_resume;
    }
    mg_shard_set_app(t->sh, &ops, t);
    return t;
}

struct toy *toy_new(const struct toy_params *params) {
    mg_assert(params->shards >= 2 && params->shards <= TOY_SHARDS && params->acts > 0 && params->pause_ns > 0);
    struct toy *toy = mg_zalloc(sizeof(*toy));
    toy->params = *params;
    const struct mg_runtime_options o = {.shards = params->shards, .credit = params->credit, .thread_prefix = "toy"};
    toy->rt = mg_runtime_new(&o);
    mg_assert(toy->rt != NULL);
    atomic_store(&toy->unfinished, params->shards * params->sources);
    for (unsigned i = 0; i < params->shards; i++) toy->shards[i] = shard_new(toy, i);
    return toy;
}

void toy_run(void *arg) {
    struct toy *toy = arg;
    int rc = mg_runtime_start(toy->rt);
    mg_assert(rc == 0);
    mg_runtime_run(toy->rt);
}

void toy_stop(struct toy *toy) {
    atomic_store(&toy->stopping, true);
    mg_loop_wake(mg_shard_loop(toy->shards[0]->sh));
}

void toy_check_idle(const struct toy *toy) {
    for (unsigned i = 0; i < toy->params.shards; i++) {
        const struct toy_shard *t = toy->shards[i];
        for (unsigned k = 0; k < toy->params.sources; k++) {
            const struct source *src = &t->sources[k];
            toy_check(!src->waits, "source %u of shard %u waits for ever for credit to shard %u; it is %lld of %lld", k,
                      i, src->wait_for, (long long)mg_credit(t->sh, src->wait_for), (long long)t->credit);
            toy_check(src->left == 0, "source %u of shard %u never ran again", k, i);
        }
        toy_check(t->npongs == 0 && t->put_off == 0, "shard %u sleeps on work", i);
        for (unsigned k = 0; k < toy->params.shards; k++)
            toy_check(t->received[k] == toy->shards[k]->sent[i], "data of shard %u is not processed by shard %u", k, i);
    }
}

void toy_check_end(const struct toy *toy) {
    toy_check_idle(toy);
    for (unsigned i = 0; i < toy->params.shards; i++) {
        const struct toy_shard *t = toy->shards[i];
        toy_check(mg_shard_quiet(t->sh), "shard %u stopped with batches under way", i);
        for (unsigned k = 0; k < toy->params.shards; k++) {
            if (k == i) continue;
            toy_check(mg_credit(t->sh, k) == t->credit, "shard %u has credit %lld of %lld to shard %u at the end", i,
                      (long long)mg_credit(t->sh, k), (long long)t->credit, k);
            toy_check(t->known[k] == toy->shards[k]->announced, "shard %u missed interest of shard %u", i, k);
        }
    }
}

void toy_free(struct toy *toy) {
    mg_runtime_free(toy->rt);
    for (unsigned i = 0; i < toy->params.shards; i++) {
        mg_free(toy->shards[i]->sources);
        mg_free(toy->shards[i]);
    }
    mg_free(toy);
}

struct mg_shard_counters toy_counters(const struct toy *toy) {
    struct mg_shard_counters sum = {0};
    for (unsigned i = 0; i < toy->params.shards; i++) {
        const struct mg_shard_counters *c = mg_shard_counters(toy->shards[i]->sh);
        sum.batches_sent += c->batches_sent;
        sum.records_sent += c->records_sent;
        sum.bytes_sent += c->bytes_sent;
        sum.doorbells += c->doorbells;
        sum.credit_waits += c->credit_waits;
        sum.turns += c->turns;
    }
    return sum;
}
