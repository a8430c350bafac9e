// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Hooks: a list through structs of the callers. There are few, so the list is walked; since a callback may change the
// list in any way, each walk begins at its head again after a callback, and knows by a flag or the round's number what
// it has done.
#include "client/core/internal.h"

void midge_hook_add(midge *m, midge_hook *hook, void (*fn)(midge *m, midge_hook *hook, enum midge_hook_why)) {
    hook->fn = fn;
    if (hook->added) return;
    hook->added = true;
    hook->armed = false;
    hook->round = m->hook_round;
    hook->next = m->hooks;
    m->hooks = hook;
}

void midge_hook_arm(midge *m, midge_hook *hook, uint32_t ms) {
    hook->deadline = m->now + (ms > 0 ? ms : 1); // 0 could keep a tick from ending
    hook->armed = true;
}

void midge_hook_remove(midge *m, midge_hook *hook) {
    hook->added = hook->armed = false;
    for (midge_hook **at = &m->hooks; *at; at = &(*at)->next) {
        if (*at == hook) {
            *at = hook->next;
            return;
        }
    }
}

void mgc_hooks_tick(midge *m) {
    for (midge_hook *hook = m->hooks; hook;) {
        if (hook->armed && mgc_due(m, hook->deadline)) {
            hook->armed = false;
            hook->fn(m, hook, MIDGE_HOOK_TIME);
            hook = m->hooks;
        } else {
            hook = hook->next;
        }
    }
}

void mgc_hooks_say(midge *m, enum midge_hook_why why) {
    uint8_t round = ++m->hook_round;

    for (midge_hook *hook = m->hooks; hook;) {
        if (hook->round == round || round != m->hook_round) {
            hook = hook->next;
            continue;
        }
        hook->round = round;
        if (why == MIDGE_HOOK_CLOSED) midge_hook_remove(m, hook);
        hook->fn(m, hook, why);
        hook = m->hooks;
    }
}
