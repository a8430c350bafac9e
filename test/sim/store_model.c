// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The model of a stream: the rules of spec/jetstream-streams.md 12 and 13 in the simplest way that comes to mind, over
// an array of all messages that ever were. It shares no code with the store.
//
// What always holds: `digest` is that of the present state; undoing all steps of the undo log gives the state of the
// last recovery.
#include "test/sim/store_model.h"

#include <stdio.h>
#include <string.h>

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/proto/subject.h"

// ---- names and bytes ------------------------------------------------------------------------------------------------

static const char *const subjects[MODEL_SUBJECTS] = {
    "a.1", "a.2", "a.3", "a.4", "b.1.x", "b.2.x", "b.2.y", "c", "d.1.2.3.4", "e.a.long.subject.with.many.tokens.in.it",
    "f.1", "g",
};

mg_slice model_subject(unsigned i) { return mg_cstr(subjects[i]); }

unsigned model_subject_of(mg_slice subject) {
    unsigned i = 0;
    while (i < MODEL_SUBJECTS && !mg_slice_eq(mg_cstr(subjects[i]), subject)) i++;
    return i;
}

static uint64_t mix(uint64_t x) {
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

static uint64_t unmix(uint64_t x) {
    x ^= x >> 33;
    x *= UINT64_C(0x9cb4b2f8129337db);
    x ^= x >> 33;
    x *= UINT64_C(0x4f74430c22a54005);
    return x ^ x >> 33;
}

uint64_t model_payload_of(const uint8_t p[8], uint32_t *at) {
    uint64_t word = 0;
    for (unsigned i = 0; i < 8; i++) word |= (uint64_t)p[i] << (i * 8);
    word = unmix(word);
    *at = (uint32_t)(word & 0xffff) * 8;
    return word >> 16;
}

mg_slice model_headers(const struct model_msg *msg, char *out) {
    if (msg->headers == 0) return (mg_slice){NULL, 0};
    int n = snprintf(out, 64, "NATS/1.0\r\nU: %llu\r\n\r\n", (unsigned long long)msg->uid);
    return mg_slice_of(out, (size_t)n);
}

// Every other one repeats each word of eight bytes, so that it can be compressed.
void model_payload(const struct model_msg *msg, char *out) {
    uint32_t run = msg->uid % 2 ? 8 : 1;
    for (uint32_t i = 0; i < msg->payload; i++) {
        uint32_t word = i / 8 / run * run;
        out[i] = (char)(mix((msg->uid << 16) + word) >> (i % 8 * 8));
    }
}

bool model_same(const struct model_msg *msg, const struct mg_message *got) {
    char headers[64], *payload = mg_alloc(msg->payload + 1);
    model_payload(msg, payload);
    bool same = msg->uid != 0 && mg_slice_eq(got->subject, model_subject(msg->subject)) &&
                mg_slice_eq(got->headers, model_headers(msg, headers)) && got->time == msg->time &&
                mg_slice_eq(got->payload, mg_slice_of(payload, msg->payload));
    mg_free(payload);
    return same;
}

uint64_t model_digest_msg(uint64_t seq, uint64_t uid) { return mix(mix(seq) ^ uid); }
uint64_t model_digest_last(uint64_t last) { return mix(last + UINT64_C(0x1000000000)); }
uint64_t model_digest_row(unsigned row, uint64_t value) {
    return value ? mix(mix(row + UINT64_C(0x2000000000)) ^ value) : 0;
}
uint64_t model_digest_config(uint64_t config) { return mix(config + UINT64_C(0x3000000000)); }

// ---- steps ----------------------------------------------------------------------------------------------------------

static struct model_undo *step(struct model *m, enum model_step kind) {
    if (m->undo_len == m->undo_cap) {
        m->undo_cap = m->undo_cap ? m->undo_cap * 2 : 256;
        m->undo = mg_realloc(m->undo, m->undo_cap * sizeof(*m->undo));
    }
    struct model_undo *u = &m->undo[m->undo_len++];
    *u = (struct model_undo){.step = kind};
    return u;
}

// The end of a record.
static uint32_t state(struct model *m) {
    if (m->nstates == m->states_cap) {
        m->states_cap = m->states_cap ? m->states_cap * 2 : 256;
        m->states = mg_realloc(m->states, m->states_cap * sizeof(*m->states));
    }
    m->states[m->nstates++] = (struct model_state){.digest = m->digest, .undo_len = m->undo_len};
    return m->nstates - 1;
}

static uint32_t operation(struct model *m, int err, uint64_t seq, bool duplicate) {
    if (m->nops == m->ops_cap) {
        m->ops_cap = m->ops_cap ? m->ops_cap * 2 : 64;
        m->ops = mg_realloc(m->ops, m->ops_cap * sizeof(*m->ops));
    }
    uint32_t before = m->nops ? m->ops[m->nops - 1].end : 0;
    m->ops[m->nops] = (struct model_op){.want = {.err = err, .seq = seq, .duplicate = duplicate},
                                        .before = before,
                                        .state = m->nstates - 1,
                                        .end = m->nstates - 1};
    return m->nops++;
}

static void set_last(struct model *m, uint64_t last) {
    m->digest ^= model_digest_last(m->last) ^ model_digest_last(last);
    m->last = last;
}

static uint32_t size_of(const struct model *m, unsigned subject, size_t headers, size_t payload) {
    size_t head = !m->file ? 16 : headers ? 34 : 30;
    return (uint32_t)(head + strlen(subjects[subject]) + headers + payload);
}

static void add(struct model *m, const struct model_append *a) {
    struct model_undo *u = step(m, a->skip ? STEP_SKIP : STEP_ADD);
    char text[64];
    u->time = m->last_time;
    set_last(m, m->last + 1);
    if (m->last - m->first_seq >= m->cap) {
        m->cap = m->cap ? m->cap * 2 : 256;
        m->msgs = mg_realloc(m->msgs, m->cap * sizeof(*m->msgs));
    }
    struct model_msg *g = model_msg(m, m->last);
    if (a->time > m->last_time) m->last_time = a->time;
    *g = (struct model_msg){.time = m->last_time, .added = m->nstates, .removed = UINT32_MAX};
    if (a->skip) return;
    g->uid = a->uid;
    g->payload = a->payload;
    g->headers = a->headers;
    g->subject = (uint8_t)a->subject;
    g->size = size_of(m, a->subject, model_headers(g, text).n, a->payload);
    g->present = true;
    m->count++;
    m->bytes += g->size;
    m->digest ^= model_digest_msg(m->last, g->uid);
}

// `removed` is the state that will be the next.
static void take_out(struct model *m, uint64_t seq) {
    struct model_msg *g = model_msg(m, seq);
    step(m, STEP_REMOVE)->seq = seq;
    g->present = false;
    g->removed = m->nstates;
    m->count--;
    m->bytes -= g->size;
    m->digest ^= model_digest_msg(seq, g->uid);
}

static void undo_one(struct model *m, const struct model_undo *u) {
    struct model_msg *g = model_msg(m, u->seq);
    switch (u->step) {
    case STEP_ADD:
        g = model_msg(m, m->last);
        m->digest ^= model_digest_msg(m->last, g->uid);
        m->count--;
        m->bytes -= g->size;
        set_last(m, m->last - 1);
        m->last_time = u->time;
        return;
    case STEP_SKIP:
        set_last(m, m->last - 1);
        m->last_time = u->time;
        return;
    case STEP_REMOVE:
        g->present = true;
        g->erased = false;
        g->removed = UINT32_MAX;
        m->count++;
        m->bytes += g->size;
        m->digest ^= model_digest_msg(u->seq, g->uid);
        return;
    case STEP_ROW:
        m->digest ^= model_digest_row(u->index, m->rows[u->index].value) ^ model_digest_row(u->index, u->old);
        m->rows[u->index] = (struct model_row){u->old, u->since};
        return;
    case STEP_DEDUPE: m->ids[u->index].seq = u->old; return;
    case STEP_CONFIG:
        m->digest ^= model_digest_config(m->config) ^ model_digest_config(u->old);
        m->config = u->old;
        m->limits = u->limits;
        return;
    }
}

// ---- questions ------------------------------------------------------------------------------------------------------

uint64_t model_first(const struct model *m) {
    uint64_t seq = m->first_seq;
    while (seq <= m->last && !model_present(m, seq)) seq++;
    return seq;
}

uint64_t model_last_of(const struct model *m, unsigned subject) {
    for (uint64_t seq = m->last; seq >= m->first_seq; seq--) {
        if (model_present(m, seq) && model_msg(m, seq)->subject == subject) return seq;
    }
    return 0;
}

static uint64_t oldest_of(const struct model *m, unsigned subject) {
    uint64_t seq = m->first_seq;
    while (seq <= m->last && !(model_present(m, seq) && model_msg(m, seq)->subject == subject)) seq++;
    return seq;
}

uint64_t model_count_of(const struct model *m, unsigned subject) {
    uint64_t n = 0;
    for (uint64_t seq = m->first_seq; seq <= m->last; seq++)
        n += model_present(m, seq) && model_msg(m, seq)->subject == subject;
    return n;
}

uint64_t model_subjects_count(const struct model *m) {
    uint64_t n = 0;
    for (unsigned i = 0; i < MODEL_SUBJECTS; i++) n += model_count_of(m, i) > 0;
    return n;
}

// ---- appends --------------------------------------------------------------------------------------------------------

// With one message more of that size; 0: none.
static bool over(const struct model *m, uint32_t more) {
    if (m->limits.discard == MG_DISCARD_NEW) return false;
    return (m->limits.max_msgs > 0 && m->count + (more > 0) > (uint64_t)m->limits.max_msgs) ||
           (m->limits.max_bytes > 0 && m->bytes + more > (uint64_t)m->limits.max_bytes);
}

static int refuse(const struct model *m, const struct model_append *a, uint32_t size) {
    const struct mg_stream_limits *l = &m->limits;
    bool replaces = l->max_msgs_per_subject > 0 && model_count_of(m, a->subject) >= (uint64_t)l->max_msgs_per_subject;
    if (l->discard != MG_DISCARD_NEW || a->skip) return 0;
    if (replaces && l->discard_new_per_subject && !a->no_limit_per_subject) return MG_EMAXPERSUBJECT;
    if (l->max_msgs > 0 && m->count >= (uint64_t)l->max_msgs && !replaces) return MG_EMAXMSGS;
    if (l->max_bytes > 0 && m->bytes + size > (uint64_t)l->max_bytes) {
        if (!replaces || model_msg(m, oldest_of(m, a->subject))->size < size) return MG_EMAXBYTES;
    }
    return 0;
}

// The next one that limits remove, with one message more of that size; 0: none. Behind the last one: that one.
static uint64_t next_to_go(const struct model *m, unsigned subject, uint32_t more) {
    int64_t per_subject = m->limits.max_msgs_per_subject;
    if (per_subject > 0 && model_count_of(m, subject) + (more > 0) > (uint64_t)per_subject)
        return oldest_of(m, subject);
    return over(m, more) ? model_first(m) : 0;
}

static void evict(struct model *m, unsigned subject) {
    for (uint64_t seq; (seq = next_to_go(m, subject, 0));) take_out(m, seq);
}

static void undo_to(struct model *m, uint32_t len) {
    while (m->undo_len > len) undo_one(m, &m->undo[--m->undo_len]);
}

// What does not go with the message goes before it.
static void make_room(struct model *m, unsigned subject, uint32_t more) {
    for (uint32_t n = m->removals, from; m->removals && n == m->removals; state(m)) {
        from = m->undo_len;
        for (n = 0; n < m->removals; n++) {
            uint64_t seq = next_to_go(m, subject, more);
            if (seq == 0 || seq > m->last) break;
            take_out(m, seq);
        }
        if (n == m->removals && next_to_go(m, subject, more)) continue;
        undo_to(m, from);
        return;
    }
}

// Of everything: at once. Of a subject: perhaps in slices. Nothing tells how large they are.
static void roll_up(struct model *m, const struct model_append *a) {
    uint64_t own = m->last;
    bool at_once = a->rollup_all && model_present(m, own);
    if (!at_once) state(m);
    for (uint64_t seq = m->first_seq; seq < own; seq++) {
        if (!model_present(m, seq) || (!a->rollup_all && model_msg(m, seq)->subject != a->subject)) continue;
        take_out(m, seq);
        if (!at_once) state(m);
    }
    if (at_once) state(m);
}

uint32_t model_do_append(struct model *m, const struct model_append *a) {
    unsigned expected = a->expect_subject < MODEL_SUBJECTS ? a->expect_subject : a->subject;
    uint64_t of_subject = model_last_of(m, expected);
    if (a->expect_subject_last != MG_ANY_SEQ && a->expect_subject_last != of_subject)
        return operation(m, MG_EWRONGSEQ, of_subject, false);
    if (a->expect_last != MG_ANY_SEQ && a->expect_last != m->last) return operation(m, MG_EWRONGSEQ, m->last, false);
    bool dedupe = a->id < MODEL_IDS && m->limits.dedupe_window;
    if (dedupe && m->ids[a->id].seq) return operation(m, 0, m->ids[a->id].seq, true);
    struct model_msg probe = {.uid = a->uid, .headers = a->headers};
    char text[64];
    uint32_t size = size_of(m, a->subject, model_headers(&probe, text).n, a->payload);
    int err = refuse(m, a, size);
    if (err) return operation(m, err, 0, false);
    bool too_large = m->limits.max_bytes > 0 && size > (uint64_t)m->limits.max_bytes;
    if (!a->skip && (!a->rollup_all || m->count == 0 || too_large)) make_room(m, a->subject, size);
    add(m, a);
    uint64_t seq = m->last;
    if (dedupe) {
        struct model_undo *u = step(m, STEP_DEDUPE);
        u->index = a->id;
        u->old = m->ids[a->id].seq;
        m->ids[a->id].seq = seq;
    }
    if (!a->skip) evict(m, a->subject);
    if (!a->skip && (a->rollup_subject || a->rollup_all)) roll_up(m, a);
    else state(m);
    return operation(m, 0, seq, false);
}

// ---- other changes --------------------------------------------------------------------------------------------------

uint32_t model_do_remove(struct model *m, uint64_t seq, bool erase) {
    if (!model_present(m, seq)) return operation(m, MG_ENOTFOUND, seq, false);
    take_out(m, seq);
    model_msg(m, seq)->erased = erase;
    state(m);
    uint32_t op = operation(m, 0, seq, false);
    m->ops[op].erase = erase;
    return op;
}

static bool matches(const struct model *m, uint64_t seq, mg_slice filter) {
    return model_present(m, seq) &&
           (filter.n == 0 || mg_subject_match(model_subject(model_msg(m, seq)->subject), filter));
}

uint32_t model_do_purge(struct model *m, mg_slice filter, uint64_t up_to, uint64_t keep) {
    uint64_t total = 0, removed = 0;
    bool all = filter.n == 0 && keep == 0 && (up_to == 0 || up_to > m->last);
    if (up_to == 0 || up_to > m->last + 1) up_to = m->last + 1;
    for (uint64_t seq = m->first_seq; seq <= m->last; seq++) total += matches(m, seq, filter);
    uint64_t most = keep < total ? total - keep : 0;
    for (uint64_t seq = m->first_seq; seq < up_to && removed < most; seq++) {
        if (!matches(m, seq, filter)) continue;
        take_out(m, seq);
        removed++;
        if (!all) state(m);
    }
    if (all) state(m);
    return operation(m, 0, removed, false);
}

uint32_t model_do_row(struct model *m, unsigned row, uint64_t value) {
    struct model_undo *u = step(m, STEP_ROW);
    u->index = row;
    u->old = m->rows[row].value;
    u->since = m->rows[row].since;
    m->digest ^= model_digest_row(row, u->old) ^ model_digest_row(row, value);
    m->rows[row] = (struct model_row){value, m->nstates};
    state(m);
    return operation(m, 0, 0, false);
}

uint32_t model_do_configure(struct model *m, const struct mg_stream_limits *limits, uint64_t config) {
    struct model_undo *u = step(m, STEP_CONFIG);
    u->old = m->config;
    u->limits = m->limits;
    m->digest ^= model_digest_config(m->config) ^ model_digest_config(config);
    m->config = config;
    int64_t max = limits->max_msgs_per_subject, before = m->limits.max_msgs_per_subject;
    m->limits = *limits;
    state(m);
    while (over(m, 0)) {
        take_out(m, model_first(m));
        state(m);
    }
    bool lower = max > 0 && (before <= 0 || max < before);
    for (unsigned i = 0; i < MODEL_SUBJECTS && lower; i++) {
        while (model_count_of(m, i) > (uint64_t)max) {
            take_out(m, oldest_of(m, i));
            state(m);
        }
    }
    return operation(m, 0, 0, false);
}

void model_cancel(struct model *m, uint32_t op) {
    uint32_t before = m->ops[op].before;
    m->nops = m->answered = op + 1;
    undo_to(m, m->states[before].undo_len);
    m->nstates = before + 1;
    m->ops[op].end = m->ops[op].state = before;
}

void model_refused(struct model *m, uint32_t op) {
    if (m->ops[op].before < m->ceiling) m->ceiling = m->ops[op].before;
}

uint32_t model_do_nothing(struct model *m) { return operation(m, 0, 0, false); }

bool model_expire(struct model *m, uint64_t seq, int64_t now) {
    struct model_msg *g = model_msg(m, seq);
    if (g == NULL || !g->present || m->limits.max_age == 0 || g->time + (int64_t)m->limits.max_age > now) return false;
    g->expired = g->told = true;
    return true;
}

// ---- history --------------------------------------------------------------------------------------------------------

void model_heard(struct model *m, uint32_t s) {
    if (s != UINT32_MAX && s > m->floor) m->floor = s;
}

void model_forget_history(struct model *m) {
    m->undo_len = m->nstates = m->nops = m->answered = m->floor = 0;
    m->ceiling = UINT32_MAX;
    for (uint64_t seq = m->first_seq; seq <= m->last; seq++) {
        struct model_msg *g = model_msg(m, seq);
        g->added = 0;
        g->removed = g->present ? UINT32_MAX : 0;
        g->told = !g->present;
    }
    for (unsigned i = 0; i < MODEL_ROWS; i++) m->rows[i].since = 0;
    state(m);
}

void model_doubt(struct model *m) {
    m->floor = 0;
    for (uint64_t seq = m->first_seq; seq <= m->last; seq++) model_msg(m, seq)->told = false;
}

bool model_go_back(struct model *m, uint64_t digest) {
    uint32_t s = m->floor;
    while (s < m->nstates && s <= m->ceiling && m->states[s].digest != digest) s++;
    if (s == m->nstates || s > m->ceiling) return false;
    undo_to(m, m->states[s].undo_len);
    model_forget_history(m);
    return true;
}

void model_init(struct model *m, bool file, const struct mg_stream_limits *limits, uint64_t first_seq,
                uint64_t config) {
    *m = (struct model){.file = file, .first_seq = first_seq ? first_seq : 1, .limits = *limits, .config = config};
    m->last = m->first_seq - 1;
    m->digest = model_digest_last(m->last) ^ model_digest_config(config);
    model_forget_history(m);
}

void model_fini(struct model *m) {
    mg_free(m->msgs);
    mg_free(m->undo);
    mg_free(m->states);
    mg_free(m->ops);
    memset(m, 0, sizeof(*m));
}
