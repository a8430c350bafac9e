// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What limits remove from the messages that are there: age, when its time has come, and limits that a new configuration
// has made lower (a publish makes its own room, append.c). As with a purge, each slice is a record with the list of
// what it removes.
//
// A configuration is a change like others: it stays at the head of the stream's queue until its limits hold, then it is
// answered. So what waits behind it is decided against a state that keeps them, and a purge that keeps so many messages
// counts while nothing else is removed. A crash in between is made up for by the next start: too many messages are
// counters that speak for themselves; that subjects have too many is a flag in the stream's row, written with the
// configuration and taken back with a record when it is done.
//
// Age does not stand in the queue, it acts between two changes. It waits for a purge that has counted what it keeps.
// What a change has asked segments for before is asked again (mg_assist_stale). Timers only say which streams may have
// something that is too old: thousands of them may be due at once, so it is removed in the part's turn, a slice of
// each.
#include <string.h>

#include "jetstream/store/correct.h"
#include "jetstream/store/seal.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

#define SLICE_COST 64u // us, more or less
#define SUBJECTS 256u // listed at a time
#define EXPIRE_EVERY UINT64_C(250000000) // spec/jetstream-streams.md 13a: not more often than every 250 ms
#define EXPIRE_ON UINT64_C(1000000)      // something else comes first
#define AGE_COST 16u                     // us that a stream takes, more or less

// ---- the oldest -----------------------------------------------------------------------------------------------------

static bool over(const struct mg_stream *s) {
    if (s->limits.discard != MG_DISCARD_OLD) return false; // as in the reference
    return (s->limits.max_msgs > 0 && mg_sure_of(s->msgs, s->slack.msgs) > (uint64_t)s->limits.max_msgs) ||
           (s->limits.max_bytes > 0 && mg_sure_of(s->bytes, s->slack.bytes) > (uint64_t)s->limits.max_bytes);
}

// Removes up to a slice of the oldest. 0: nothing more to do; MG_EAGAIN: being read; MG_EFULL: there is more to do.
static int trim(struct mg_stream *s, bool (*too_much)(const struct mg_stream *s, const struct mg_head_message *m)) {
    struct mg_removals list = {0};
    struct mg_head_walk walk = mg_head_walk_of(s);
    struct mg_head_message m;
    int err = 0;
    uint64_t msgs = s->msgs, bytes = s->bytes;
    const uint32_t most = mg_removals_most(s);
    bool unknown = false;
    while (!unknown && (err = mg_head_next(s, &walk, &m)) == 0 && list.count < most) {
        if (!too_much(s, &m)) break;
        bool named = mg_memtable_where(&s->mem, m.seq) != MG_MEM_OPEN;
        mg_removals_add(&list, &(struct mg_removal){m.seq, m.size, named, m.subject});
        // The state as it will be, for the question about the next one.
        s->msgs = mg_sure_of(s->msgs, 1);
        s->bytes = mg_sure_of(s->bytes, m.size);
        unknown = mg_head_message_unknown(&m);
    }
    s->msgs = msgs;
    s->bytes = bytes;
    bool full = unknown || list.count == most;
    if (list.count) mg_assist_stale(s);
    if (list.count) mg_removals_write(s, &list, false);
    mg_removals_fini(&list);
    return full ? MG_EFULL : err == MG_EAGAIN ? err : 0;
}

static bool limits_exceeded(const struct mg_stream *s, const struct mg_head_message *m) {
    (void)m;
    return over(s);
}

// ---- subjects -------------------------------------------------------------------------------------------------------

void mg_trim_reset(struct mg_stream *s) {
    struct mg_trim *t = &s->trim;
    mg_buf_fini(&t->subjects);
    mg_buf_fini(&t->last);
    *t = (struct mg_trim){.asked = false};
}

static void each_subject(struct mg_subjects_read *r, mg_slice subject, uint64_t count, uint64_t last) {
    struct mg_trim *t = mg_container_of(r, struct mg_trim, listing);
    uint32_t n = (uint32_t)subject.n;
    (void)count;
    (void)last;
    mg_buf_add(&t->subjects, &n, sizeof(n));
    mg_buf_add_slice(&t->subjects, subject);
    t->last.len = 0;
    mg_buf_add_slice(&t->last, subject);
    t->count++;
}

static void listed(struct mg_subjects_read *r, int err, uint64_t total) {
    struct mg_trim *t = mg_container_of(r, struct mg_trim, listing);
    struct mg_stream *s = r->user;
    (void)total;
    t->asked = false;
    t->more = err == 0 && t->count == SUBJECTS;
    t->failed = err != 0;
    if (err != MG_ECLOSED) mg_stream_pump(s);
}

static void ask_subjects(struct mg_stream *s) {
    struct mg_trim *t = &s->trim;
    t->subjects.len = t->at = t->count = 0;
    t->asked = true;
    t->listing = (struct mg_subjects_read){
        .after = mg_buf_slice(&t->last),
        .above = (uint64_t)s->limits.max_msgs_per_subject,
        .max = SUBJECTS,
        .brief = true,
        .each = each_subject,
        .done = listed,
        .user = s,
    };
    mg_stream_subjects(s, &t->listing);
}

// 0: this one is done; MG_EAGAIN; MG_EFULL: there is more to do.
static int trim_subject(struct mg_stream *s, mg_slice subject) {
    const struct mg_subject_row *row;
    struct mg_trim *t = &s->trim;
    struct mg_removals list = {0};
    int64_t max = s->limits.max_msgs_per_subject;
    uint64_t bytes = 0;
    int err = mg_stream_subject_row(s, subject, &row);
    if (err) return err;
    if (row == NULL || row->count <= max) return 0;
    const uint32_t most = mg_removals_most(s);
    uint64_t excess = (uint64_t)(row->count - max), from = row->first > t->cursor ? row->first : t->cursor;
    err = mg_assist_oldest(s, subject, from, excess < most ? excess : most, &list, &bytes);
    uint32_t n = list.count;
    if (err == 0 && n) {
        t->cursor = list.previous + 1;
        mg_removals_write(s, &list, false);
    }
    mg_removals_fini(&list);
    if (err) return err == MG_EAGAIN ? err : 0;
    return n && n < excess ? MG_EFULL : 0; // what cannot be read is not removed
}

static int trim_found(struct mg_stream *s) {
    struct mg_trim *t = &s->trim;
    while (t->at < t->subjects.len) {
        uint32_t n;
        memcpy(&n, t->subjects.p + t->at, sizeof(n));
        int err = trim_subject(s, mg_slice_of(t->subjects.p + t->at + sizeof(n), n));
        if (err == MG_EAGAIN) return err;
        if (err == 0) {
            t->at += sizeof(n) + n;
            t->cursor = 0;
        }
        if (mg_part_spent(s->part, SLICE_COST)) {
            mg_part_pump_later(s);
            return MG_EAGAIN;
        }
    }
    return 0;
}

static int trim_subjects(struct mg_stream *s) {
    struct mg_trim *t = &s->trim;
    bool asked_before = t->listing.user != NULL;
    if (t->asked) return MG_EAGAIN;
    int err = trim_found(s);
    if (err) return err;
    if (s->limits.max_msgs_per_subject > 0 && (!asked_before || t->more)) {
        ask_subjects(s);
        return MG_EAGAIN;
    }
    if (t->failed) { // the next start tries again
        mg_store_say(s->part->store, MG_LOG_ERR, "stream %.*s: its subjects cannot be listed, so the limit per subject "
                     "does not hold for all that is there", (int)s->name.n, s->name.p);
    } else {
        s->trim_subjects = false;
        if (s->storage == MG_STORAGE_FILE) mg_stream_write_self(s);
    }
    mg_trim_reset(s);
    return 0;
}

// ---- limits ---------------------------------------------------------------------------------------------------------

bool mg_limits_hold(const struct mg_stream *s) { return !over(s) && !s->trim_subjects; }

int mg_limits_apply(struct mg_stream *s) {
    int err = MG_EFULL;
    while (over(s) && err == MG_EFULL) {
        err = trim(s, limits_exceeded);
        if (err == MG_EAGAIN) return err;
        if (err == MG_EFULL && mg_part_spent(s->part, SLICE_COST)) {
            mg_part_pump_later(s);
            return MG_EAGAIN;
        }
    }
    return s->trim_subjects ? trim_subjects(s) : 0;
}

void mg_limits_resume(struct mg_stream *s) {
    if (mg_limits_hold(s)) return;
    mg_change_first(s, &(struct mg_change){.kind = MG_CHANGE_CONFIGURE, .started = true, .quiet = true});
}

// ---- age ------------------------------------------------------------------------------------------------------------

static bool too_old(const struct mg_stream *s, const struct mg_head_message *m) {
    int64_t age = mg_part_aging_time(s->part) - m->time;
    return age > 0 && (uint64_t)age >= s->limits.max_age;
}

void mg_stream_arm_age(struct mg_stream *s) {
    if (s->limits.max_age == 0 || s->part->loop == NULL || mg_stream_is_empty(s)) return;
    if (mg_timer_active(&s->age_timer) || !mg_list_empty(&s->aging)) return;
    struct mg_head_walk walk = mg_head_walk_of(s);
    struct mg_head_message m;
    uint64_t wait = EXPIRE_EVERY;
    if (mg_head_next(s, &walk, &m) == 0) {
        int64_t age = mg_part_aging_time(s->part) - m.time;
        uint64_t reached = age > 0 ? (uint64_t)age : 0, left = s->limits.max_age - reached;
        if (reached < s->limits.max_age && left > wait) wait = left;
    }
    if (wait > MG_CLOCK_GRACE) wait = MG_CLOCK_GRACE; // ages may jump at its end
    mg_timer_start(s->part->wheel, &s->age_timer, mg_loop_now(s->part->loop) + wait);
}

void mg_stream_appended(struct mg_stream *s) {
    if (s->limits.max_age && !mg_timer_active(&s->age_timer)) mg_stream_arm_age(s);
}

// It knows how many messages have to go, or is just counting.
static bool keeps_count(const struct mg_stream *s) {
    if (mg_list_empty(&s->waiting)) return false;
    const struct mg_change *c = mg_container_of(s->waiting.next, struct mg_change, link);
    return c->kind == MG_CHANGE_PURGE && c->keep > 0;
}

void mg_stream_age_due(struct mg_timer *t) {
    struct mg_stream *s = mg_container_of(t, struct mg_stream, age_timer);
    mg_list_push_back(&s->part->aging, &s->aging);
}

static void age(struct mg_stream *s) {
    if (s->limits.max_age == 0 || s->deleted || s->part->poisoned) return;
    if (mg_part_busy(s->part) || keeps_count(s)) {
        mg_timer_start(s->part->wheel, &s->age_timer, mg_loop_now(s->part->loop) + EXPIRE_ON);
    } else if (!mg_seal_first(s) || trim(s, too_old) == MG_EFULL) {
        mg_list_push_back(&s->part->aging, &s->aging); // there is more to remove
    } else {
        mg_stream_arm_age(s);
    }
}

bool mg_limits_age(struct mg_store_part *p) {
    while (!mg_list_empty(&p->aging)) {
        struct mg_stream *s = mg_container_of(p->aging.next, struct mg_stream, aging);
        mg_list_remove(&s->aging);
        age(s);
        if (mg_part_spent(p, AGE_COST)) break;
    }
    return !mg_list_empty(&p->aging);
}
