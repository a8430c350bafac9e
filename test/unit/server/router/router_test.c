// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Routing over one to four shards against a model: every plain subscription that can take a message gets it once, every
// queue group with a member that can take it once, and a request that nobody took is answered "nobody", once.
#include "test/unit/cmocka_inc.h"

#include <stdio.h>

#include "server/base/mem.h"
#include "server/proto/subject.h"
#include "server/router/router.h"
#include "test/unit/server/seam/fake_seam.h"

#define SHARDS_MAX 4
#define SUBS_MAX 40
#define TEXT_MAX 9000

struct shard {
    struct mg_shard *sh;
    struct mg_router router;
    struct mg_sink sink;
    struct world *w;
    struct mg_memo *memo;
};

struct subscriber {
    struct mg_sub *sub;
    unsigned shard;
    bool willing; // can take messages now
    unsigned got;
};

struct world {
    uint64_t seed;
    unsigned n;
    struct mg_runtime *rt;
    struct mg_loop *loops[SHARDS_MAX];
    struct shard shards[SHARDS_MAX];
    struct subscriber subs[SUBS_MAX];
    unsigned nsubs;
    // The message under way.
    char subject[16], reply[16], text[TEXT_MAX];
    size_t size;
    unsigned nobody;
};

static unsigned below(struct world *w, unsigned n) {
    w->seed = w->seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)((w->seed >> 33) % n);
}

// ---- sinks ---------------------------------------------------------------------------------------------------------

static bool on_deliver(struct mg_sink *sink, struct mg_sub *sub, const struct mg_msg *m) {
    struct world *w = mg_container_of(sink, struct shard, sink)->w;
    for (unsigned i = 0; i < w->nsubs; i++) {
        struct subscriber *s = &w->subs[i];
        if (s->sub != sub) continue;
        if (!s->willing) return false;
        assert_int_equal(m->subject.n, strlen(w->subject));
        assert_memory_equal(m->subject.p, w->subject, m->subject.n);
        assert_int_equal(m->reply.n, strlen(w->reply));
        if (m->reply.n) assert_memory_equal(m->reply.p, w->reply, m->reply.n);
        assert_int_equal(m->payload.n, w->size);
        assert_memory_equal(m->payload.p, w->text, w->size);
        char size[12];
        assert_int_equal(snprintf(size, sizeof(size), "%zu", w->size), m->size_text.n);
        assert_memory_equal(m->size_text.p, size, m->size_text.n);
        assert_int_equal(m->origin_id, 77);
        s->got++;
        return true;
    }
    fail_msg("a message for a subscription that is gone");
    return false;
}

static void on_nobody(void *app, uint32_t slot, uint64_t id, mg_slice subject, mg_slice reply) {
    struct world *w = ((struct shard *)app)->w;
    assert_int_equal(slot, 5);
    assert_int_equal(id, 77);
    assert_true(mg_slice_eq(subject, mg_cstr(w->subject)) && mg_slice_eq(reply, mg_cstr(w->reply)));
    w->nobody++;
}

static const struct mg_router_ops router_ops = {.nobody = on_nobody};

static void on_record(void *app, const struct mg_rec *rec) { mg_router_record(&((struct shard *)app)->router, rec); }

static bool on_flush(void *app, unsigned max) {
    assert_true(app != NULL && max > 0);
    return false;
}

static const struct mg_shard_ops shard_ops = {.record = on_record, .flush = on_flush};

// ---- the world -----------------------------------------------------------------------------------------------------

static void settle(struct world *w) {
    for (unsigned i = 0; i < w->n; i++) mg_loop_wake(w->loops[i]);
    fake_run(w->loops, w->n);
    for (unsigned i = 0; i < w->n; i++) mg_loop_wake(w->loops[i]); // interest rings nobody
    fake_run(w->loops, w->n);
}

static struct world *start(uint64_t seed, unsigned shards) {
    struct world *w = mg_zalloc(sizeof(*w));
    w->seed = seed;
    w->n = shards;
    const struct mg_runtime_options o = {.shards = shards};
    w->rt = mg_runtime_new(&o);
    for (unsigned i = 0; i < shards; i++) {
        struct shard *s = &w->shards[i];
        s->w = w;
        s->sh = mg_runtime_shard(w->rt, i);
        s->sink.deliver = on_deliver;
        w->loops[i] = mg_shard_loop(s->sh);
        mg_shard_set_app(s->sh, &shard_ops, s);
        mg_router_init(&s->router, s->sh, &router_ops, s, 9, true);
    }
    settle(w);
    return w;
}

static struct subscriber *subscribe(struct world *w, unsigned shard, const char *subject, const char *queue) {
    struct subscriber *s = &w->subs[w->nsubs++];
    size_t n = strlen(subject), q = strlen(queue);
    struct mg_sub *sub = mg_zalloc(mg_sub_size(n, q, 1));
    sub->owner = &w->shards[shard].sink;
    sub->subject_len = (uint16_t)n;
    sub->queue_len = (uint16_t)q;
    sub->sid_len = 1;
    memcpy(sub->text, subject, n);
    memcpy(sub->text + n, queue, q);
    *s = (struct subscriber){.sub = sub, .shard = shard, .willing = true};
    mg_router_subscribe(&w->shards[shard].router, sub);
    return s;
}

static void unsubscribe(struct world *w, unsigned at) {
    struct subscriber *s = &w->subs[at];
    mg_router_unsubscribe(&w->shards[s->shard].router, s->sub);
    mg_free(s->sub);
    *s = w->subs[--w->nsubs];
}

static void end(struct world *w) {
    while (w->nsubs > 0) unsubscribe(w, w->nsubs - 1);
    settle(w);
    for (unsigned i = 0; i < w->n; i++) {
        struct shard *s = &w->shards[i];
        assert_true(mg_shard_quiet(s->sh));
        assert_true(s->router.others == NULL || mg_interest_none(s->router.others)); // all was taken back
        mg_router_fini(&s->router);
        mg_free(s->memo);
    }
    mg_runtime_free(w->rt);
    mg_free(w);
}

static void publish(struct world *w, unsigned from, const char *subject, const char *reply, size_t size) {
    struct shard *s = &w->shards[from];
    snprintf(w->subject, sizeof(w->subject), "%s", subject);
    snprintf(w->reply, sizeof(w->reply), "%s", reply);
    for (size_t i = 0; i < size; i++) w->text[i] = (char)('a' + (i + size) % 26);
    w->size = size;
    w->nobody = 0;
    for (unsigned i = 0; i < w->nsubs; i++) w->subs[i].got = 0;
    char digits[12];
    snprintf(digits, sizeof(digits), "%zu", size);
    const struct mg_msg m = {
        .subject = mg_cstr(w->subject), .reply = mg_cstr(w->reply), .payload = {w->text, size},
        .size_text = mg_cstr(digits), .slab = true, .origin = s, .origin_id = 77, .origin_slot = 5,
        .origin_shard = (uint16_t)from,
    };
    struct mg_publish_result result;
    int blocked = mg_router_publish(&s->router, &m, reply[0] != '\0', &s->memo, &result);
    assert_int_equal(blocked, -1);
    if (reply[0] && result.delivered == 0 && result.sent == 0) w->nobody++;
    mg_turn_end(s->sh);
    settle(w);
}

static bool same_group(const struct mg_sub *a, const struct mg_sub *b) {
    return mg_slice_eq(mg_sub_queue(a), mg_sub_queue(b));
}

static void check(const struct world *w) {
    unsigned total = 0;
    for (unsigned i = 0; i < w->nsubs; i++) {
        const struct subscriber *s = &w->subs[i];
        total += s->got;
        bool matches = mg_subject_match(mg_cstr(w->subject), mg_sub_subject(s->sub));
        if (!matches || !s->willing) assert_int_equal(s->got, 0);
        else if (s->sub->queue_len == 0) assert_int_equal(s->got, 1);
        if (s->sub->queue_len == 0) continue;
        unsigned group = 0, willing = 0;
        for (unsigned k = 0; k < w->nsubs; k++) {
            const struct subscriber *t = &w->subs[k];
            if (!same_group(s->sub, t->sub)) continue;
            group += t->got;
            willing += t->willing && mg_subject_match(mg_cstr(w->subject), mg_sub_subject(t->sub));
        }
        assert_int_equal(group, willing > 0);
    }
    assert_int_equal(w->nobody, w->reply[0] && total == 0);
}

// ---- tests ---------------------------------------------------------------------------------------------------------

static void test_against_the_model(void **state) {
    (void)state;
    static const char *subjects[] = {"a", "b.x", "b.y"}, *patterns[] = {"a", "b.x", "b.*", ">", "*"};
    static const char *queues[] = {"", "", "q", "r"};
    static const size_t sizes[] = {0, 1, 100, 4095, 4096, 8999};
    for (uint64_t seed = 1; seed <= 120; seed++) {
        struct world *w = start(seed, 1 + (unsigned)seed % SHARDS_MAX);
        for (unsigned step = 0; step < 60; step++) {
            unsigned what = below(w, 8);
            if (what == 0 && w->nsubs < SUBS_MAX)
                subscribe(w, below(w, w->n), patterns[below(w, 5)], queues[below(w, 4)]);
            else if (what == 1 && w->nsubs > 0) unsubscribe(w, below(w, w->nsubs));
            else if (what == 2 && w->nsubs > 0) w->subs[below(w, w->nsubs)].willing ^= 1;
            else if (what > 2) {
                settle(w);
                publish(w, below(w, w->n), subjects[below(w, 3)], below(w, 2) ? "r" : "", sizes[below(w, 6)]);
                check(w);
            }
        }
        end(w);
    }
}

// Weighted by members, wherever they are.
static void test_queue_choice_is_even(void **state) {
    (void)state;
    struct world *w = start(3, 3);
    unsigned sum[6] = {0};
    for (unsigned i = 0; i < 6; i++) subscribe(w, i == 0 ? 0 : i < 3 ? 1 : 2, i & 1 ? "a" : "*", "q");
    settle(w);
    for (unsigned i = 0; i < 3000; i++) {
        publish(w, 0, "a", "", 1);
        for (unsigned k = 0; k < 6; k++) sum[k] += w->subs[k].got;
    }
    for (unsigned k = 0; k < 6; k++) assert_in_range(sum[k], 400, 600);
    end(w);
}

// The chosen shard has nobody left: the others are asked one after the other, and at last the asker learns.
static void test_nobody_is_left(void **state) {
    (void)state;
    struct world *w = start(4, 4);
    for (unsigned i = 0; i < 4; i++) subscribe(w, i, "a", "q")->willing = false;
    settle(w);
    for (unsigned i = 0; i < 20; i++) {
        publish(w, i % 4, "a", "r", 10);
        check(w);
        assert_int_equal(w->nobody, 1);
    }
    w->subs[2].willing = true;
    for (unsigned i = 0; i < 20; i++) {
        publish(w, i % 4, "a", "r", 10);
        assert_int_equal(w->subs[2].got, 1);
        assert_int_equal(w->nobody, 0);
    }
    end(w);
}

static void test_without_credit_nothing_happens(void **state) {
    (void)state;
    struct world *w = start(5, 2);
    struct subscriber *here = subscribe(w, 0, "a", ""), *there = subscribe(w, 1, "a", "");
    settle(w);
    mg_turn_end(w->shards[0].sh);
    publish(w, 0, "a", "", 1);
    assert_int_equal(here->got + there->got, 2);
    here->got = there->got = 0;
    const struct mg_msg first = {.subject = MG_S("b"), .payload = MG_S("x"), .size_text = MG_S("1"), .slab = true};
    subscribe(w, 1, "b", "")->willing = false;
    settle(w);
    struct mg_publish_result result;
    assert_int_equal(mg_router_publish(&w->shards[0].router, &first, false, NULL, &result), -1);
    int64_t credit = mg_credit(w->shards[0].sh, 1);
    mg_post_charge(w->shards[0].sh, 1, (uint64_t)credit);
    const struct mg_msg m = {.subject = MG_S("a"), .payload = MG_S("x"), .size_text = MG_S("1"), .slab = true};
    assert_int_equal(mg_router_publish(&w->shards[0].router, &m, false, &w->shards[0].memo, &result), 1);
    assert_int_equal(mg_router_interest_blocked(&w->shards[0].router), 1);
    assert_int_equal(here->got + there->got, 0);
    end(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_the_model),
        cmocka_unit_test(test_queue_choice_is_even),
        cmocka_unit_test(test_nobody_is_left),
        cmocka_unit_test(test_without_credit_nothing_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
