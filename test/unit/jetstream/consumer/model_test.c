// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A consumer under random rules, clients and times. What always holds is checked at every delivery and after every
// step; in the end, with clients that work, everything comes to rest. A failure prints its seed; MG_SEED=n replays it.
#include "test/unit/jetstream/consumer/world.h"

#define MESSAGES 250

struct model {
    struct world *w;
    unsigned seed;
    bool acked[WORLD_MSGS];      // or terminated: never to be seen again
    uint32_t count[WORLD_MSGS];  // deliveries that counted
    uint64_t last_dseq, last_first; // of first deliveries
    struct mg_js_consumer_rules rules[2]; // what updates switch between
    unsigned updates;
    uint8_t sent[WORLD_MSGS];    // redeliveries that were sent, a bit for each count
    struct mg_js_pair floor;
};

#define CHECK(m, x)                                                                                                    \
    do {                                                                                                               \
        if (!(x)) fail_msg("seed %u: %s", (m)->seed, #x);                                                              \
    } while (0)

static unsigned below(unsigned n) { return (unsigned)rand() % n; }

static void on_delivery(struct world *w, const struct mg_js_delivery *d) {
    struct model *m = w->user;
    const struct mg_js_consumer_rules *r = mg_js_consumer_rules(w->c);
    CHECK(m, !m->acked[d->seq]);
    CHECK(m, d->dseq == m->last_dseq + 1);
    m->last_dseq = d->dseq;
    m->count[d->seq]++;
    CHECK(m, d->count == m->count[d->seq]);
    CHECK(m, r->max_deliver <= 0 || d->count <= r->max_deliver);
    if (d->after_record) {
        // Not even a crash between two deliveries makes one of them happen twice.
        CHECK(m, (m->sent[d->seq] & (1u << (d->count - 1))) == 0);
        m->sent[d->seq] |= (uint8_t)(1u << (d->count - 1));
    }
    CHECK(m, d->after_record == (d->seq <= m->last_first && r->max_deliver > 0));
    if (d->seq > m->last_first) {
        // The new one is pending already.
        CHECK(m, r->ack == MG_JS_ACK_NONE || r->max_ack_pending <= 0 ||
                     mg_js_consumer_state(w->c)->pending.live <= r->max_ack_pending);
        m->last_first = d->seq;
    } else {
        CHECK(m, r->ack != MG_JS_ACK_NONE);
    }
}

static void check(struct model *m) {
    const struct mg_js_state *s = mg_js_consumer_state(m->w->c);
    CHECK(m, s->floor.seq >= m->floor.seq && s->floor.dseq >= m->floor.dseq);
    CHECK(m, s->floor.seq <= s->delivered.seq && s->floor.dseq <= s->delivered.dseq);
    m->floor = s->floor;
    struct mg_js_consumer_facts i = mg_js_consumer_facts(m->w->c, m->w->now, UINT64_MAX, m->w->last);
    CHECK(m, i.num_pending == world_count(m->w));
    m->w->log.len = 0;
}

// What the acknowledgement of seq makes true.
static void note_acked(struct model *m, uint64_t seq) {
    const struct mg_js_consumer_rules *r = mg_js_consumer_rules(m->w->c);
    if (seq > mg_js_consumer_state(m->w->c)->delivered.seq) return;
    if (r->ack == MG_JS_ACK_EXPLICIT) m->acked[seq] = true;
    for (uint64_t s = 1; r->ack == MG_JS_ACK_ALL && s <= seq; s++) m->acked[s] = true;
}

static void acknowledge(struct model *m, uint64_t seq) {
    static const char *const others[] = {"-NAK", "-NAK {\"delay\":3000000000}", "-NAK 70ms", "+WPI", "what"};
    unsigned verb = below(10);
    if (verb < 6) {
        note_acked(m, seq);
        world_ack(m->w, seq, verb == 0 ? "+TERM" : verb == 1 ? "+NXT 1" : "");
    } else {
        world_ack_as(m->w, seq, 1 + below((unsigned)m->last_dseq + 1), "", others[below(5)]);
    }
}

static void ask(struct model *m) {
    char inbox[8], body[128];
    snprintf(inbox, sizeof inbox, "r%u", below(6));
    switch (below(4)) {
    case 0: snprintf(body, sizeof body, "%u", 1 + below(5)); break;
    case 1: snprintf(body, sizeof body, "{\"batch\":%u,\"no_wait\":true}", 1 + below(9)); break;
    case 2:
        snprintf(body, sizeof body, "{\"batch\":%u,\"expires\":%u000000,\"idle_heartbeat\":%u000000}", 1 + below(9),
                 1000 + below(5000), 100 + below(300));
        break;
    default:
        snprintf(body, sizeof body, "{\"batch\":9,\"max_bytes\":%u,\"expires\":9000000000}", 30 + below(300));
        break;
    }
    world_pull(m->w, inbox, body);
}

static void bounce(struct model *m) {
    struct world *w = m->w;
    if (w->last_seq == 0 || m->acked[w->last_seq] || mg_js_consumer_rules(w->c)->ack == MG_JS_ACK_NONE) return;
    const struct mg_js_entry *e = mg_js_pending_find((struct mg_js_pending *)&mg_js_consumer_state(w->c)->pending,
                                                     w->last_seq);
    if (e == NULL || e->state != MG_JS_ENTRY_LIVE || e->count == 0) return;
    if (mg_js_consumer_rules(w->c)->max_deliver > 0)
        m->sent[w->last_seq] &= (uint8_t)~(1u << (m->count[w->last_seq] - 1));
    m->count[w->last_seq]--;
    mg_js_consumer_bounced(w->c, w->now, w->last_seq, MG_S("r1"));
    mg_js_consumer_active(w->c, w->now, true);
    world_run(w);
}

static void purge(struct model *m) {
    struct world *w = m->w;
    uint64_t first = 1 + below((unsigned)w->last + 1);
    for (uint64_t s = 1; s < first; s++) w->msgs[s].there = false;
    mg_js_consumer_purged(w->c, w->now, first);
    mg_js_consumer_set_num_pending(w->c, world_count(w));
    world_run(w);
}

static void restart(struct model *m) {
    struct world *w = m->w;
    world_restart(w);
    mg_js_consumer_active(w->c, w->now, true);
    world_run(w);
}

static void update(struct model *m) {
    struct mg_js_consumer_rules *r = &m->rules[m->updates++ % 2];
    *r = *mg_js_consumer_rules(m->w->c);
    r->ack_wait = (int64_t)(1 + below(10)) * SEC;
    r->backoff_len = r->backoff != NULL ? below(4) : 0;
    if (r->backoff_len == 0) r->backoff = NULL;
    r->max_ack_pending = below(2) ? -1 : 1 + (int64_t)below(20);
    mg_js_consumer_revise(m->w->c, m->w->now, r, false);
    m->w->rules = *r; // for restarts
    world_run(m->w);
}

// What is lost is as if it had never happened.
static void crash(struct model *m) {
    struct world *w = m->w;
    world_crash(w, w->deltas_len > w->durable ? below((unsigned)(w->deltas_len - w->durable) + 1) : 0);
    const struct mg_js_state *s = mg_js_consumer_state(w->c);
    for (uint64_t seq = 1; seq <= w->last; seq++) {
        const struct mg_js_entry *e = mg_js_pending_find((struct mg_js_pending *)&s->pending, seq);
        if (e != NULL || seq > s->delivered.seq) m->acked[seq] = false;
        if (e != NULL) m->count[seq] = e->count;
        if (seq > s->delivered.seq) m->count[seq] = 0;
    }
    m->last_dseq = s->delivered.dseq;
    m->last_first = s->delivered.seq;
    m->floor = s->floor;
    mg_js_consumer_active(w->c, w->now, true);
    world_run(w);
}

static void step(struct model *m) {
    struct world *w = m->w;
    unsigned what = below(100);
    if (what < 30 && w->last < MESSAGES) world_pub(w, below(3) ? "a" : "b");
    else if (what < 45) ask(m);
    else if (what < 75 && w->last > 0) acknowledge(m, 1 + below((unsigned)w->last + 1));
    else if (what < 90) world_pass(w, (int64_t)below(4000) * MS);
    else if (what < 93 && w->last > 0) world_delete(w, 1 + below((unsigned)w->last));
    else if (what < 95) bounce(m);
    else if (what < 96) restart(m);
    else if (what == 98) crash(m);
    else if (what == 99) update(m);
    else if (what == 96 && below(20) == 0) purge(m);
    else if (what == 97) snprintf(w->deaf, sizeof w->deaf, "r%u", below(7));
    check(m);
}

static const int64_t backoff[] = {SEC, 2 * SEC, 500 * MS};

static void choose_rules(struct world *w) {
    static const mg_slice filter = {"a", 1};
    struct mg_js_consumer_rules *r = &w->rules;
    r->ack = below(5) == 0 ? MG_JS_ACK_NONE : below(3) == 0 ? MG_JS_ACK_ALL : MG_JS_ACK_EXPLICIT;
    r->ack_wait = (int64_t)(1 + below(10)) * SEC;
    if (below(3) == 0) {
        r->backoff = backoff;
        r->backoff_len = 3;
    }
    r->max_deliver = below(2) ? -1 : 3 + (int64_t)below(4);
    r->max_ack_pending = below(2) ? -1 : 1 + (int64_t)below(20);
    w->filters = &filter;
    w->filters_len = below(2);
    r->headers_only = below(4) == 0;
    r->max_waiting = 1 + below(5);
    if (below(3) > 0) return;
    r->deliver_subject = MG_S("d");
    r->max_waiting = 0;
    r->idle_heartbeat = SEC;
    r->flow_control = false;
}

// Clients that do what they should: everything comes to rest.
static void drain(struct model *m) {
    struct world *w = m->w;
    const struct mg_js_pending *p = &mg_js_consumer_state(w->c)->pending;
    w->deaf[0] = 0;
    for (unsigned round = 0; round < 5000; round++) {
        world_pull(w, "drain", "50");
        uint64_t seq = 0;
        for (uint32_t i = 0; p->in && i < p->in->len && seq == 0; i++)
            if (p->in->log[i].state == MG_JS_ENTRY_LIVE && p->in->log[i].ticket == 0) seq = p->in->log[i].seq;
        if (seq == 0) {
            if (mg_js_consumer_facts(w->c, w->now, UINT64_MAX, w->last).num_pending == 0 && p->live == 0) break;
            world_pass(w, SEC);
            continue;
        }
        // Some are left to their time: they must come again.
        if (below(4) == 0) world_pass(w, 11 * SEC);
        else {
            note_acked(m, seq);
            world_ack(w, seq, "");
        }
        check(m);
    }
    CHECK(m, p->live == 0);
    struct mg_js_consumer_facts i = mg_js_consumer_facts(w->c, w->now, UINT64_MAX, w->last);
    CHECK(m, i.num_pending == 0);
    CHECK(m, i.floor.seq == i.delivered.seq && i.floor.dseq == i.delivered.dseq);
    for (uint64_t s = 1; s <= w->last; s++)
        CHECK(m, !world_matches(w, s) || m->acked[s] || m->count[s] > 0);
}

static void run(unsigned seed) {
    struct model *m = mg_zalloc(sizeof *m);
    struct world *w = m->w = world_new();
    srand(seed);
    m->seed = seed;
    w->user = m;
    w->hook = on_delivery;
    w->quiet = true;
    w->payload = below(100);
    choose_rules(w);
    world_begin(w, 1);
    mg_js_consumer_active(w->c, w->now, true);
    for (unsigned i = 0; i < 1200; i++) step(m);
    world_same(w);
    drain(m);
    world_free(w);
    mg_free(m);
}

static void test_model(void **state) {
    (void)state;
    const char *only = getenv("MG_SEED");
    if (only != NULL) {
        run((unsigned)strtoul(only, NULL, 10));
        return;
    }
    for (unsigned seed = 1; seed <= 200; seed++) run(seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
