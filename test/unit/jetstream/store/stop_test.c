// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The end of a part between two turns of its shard.
#include "jetstream/store/part.h"
#include "test/unit/jetstream/store/store_rig.h"
#include "test/unit/cmocka_inc.h"

struct bell {
    struct mg_loop *loop;
    unsigned polls;
    bool in_vain;
};

static bool before_poll(void *arg) {
    struct bell *b = arg;
    if (++b->polls == 2) mg_loop_stop(b->loop); // it was woken
    return false;
}

static void on_timer(void *arg) {
    struct bell *b = arg;
    b->in_vain = true;
    mg_loop_stop(b->loop);
}

static void nothing(struct mg_parcel *p) { (void)p; }

// What came between the shard's turn and mg_store_part_stop was opened, but the shard slept behind it, and nobody rang
// for what came next: the inbox was not marked asleep.
static void what_stop_finds_wakes_the_shard(void **state) {
    (void)state;
    struct rig r = {0};
    rig_new(&r);
    struct bell b = {0};
    const struct mg_loop_hooks hooks = {.arg = &b, .before_poll = before_poll, .timer = on_timer};
    assert_int_equal(mg_loop_new(&b.loop, &hooks), 0);
    while (mg_store_part_turn(r.part)) continue;
    struct mg_parcel late = {.arrived = nothing};
    mg_inbox_post(&r.part->inbox, &late); // this one rings the rig's loop
    struct mg_loop *rigs = r.part->loop;
    r.part->loop = b.loop;
    mg_store_part_stop(r.part);
    mg_loop_set_timer(b.loop, mg_loop_clock(b.loop) + UINT64_C(5000000000));
    mg_loop_run(b.loop);
    assert_false(b.in_vain);
    r.part->loop = rigs;
    mg_loop_free(b.loop);
    rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_stop_finds_wakes_the_shard)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
