// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Terms are found by a hash of their JSON text, and compared member by member. See terms.h.
#include "jetstream/stream/terms.h"

#include "server/base/mem.h"
#include "server/proto/subject.h"
#include "server/router/hash.h"

#define SEED 0x7465726d73u
#define DEFAULT_INACTIVE INT64_C(5000000000) // spec/jetstream-consumers.md 4

// ---- rules ----------------------------------------------------------------------------------------------------------

// spec 4: pull, and whoever did not ask for a time
static bool jitters(const struct mg_js_consumer_config *c, bool durable) {
    bool chose = durable || c->inactive_threshold != DEFAULT_INACTIVE;
    return !mg_js_consumer_is_push(c) || !chose;
}

static struct mg_js_consumer_rules make_rules(const struct mg_js_consumer_config *c, bool durable, uint64_t burst) {
    return (struct mg_js_consumer_rules){
        .deliver = (enum mg_js_deliver_policy)c->deliver_policy,
        .start_seq = c->opt_start_seq,
        .start_time = c->opt_start_time.set ? mg_js_time_ns(c->opt_start_time) : 0,
        .ack = (enum mg_js_ack_policy)c->ack_policy,
        .ack_wait = c->ack_wait,
        .backoff = c->backoff.v,
        .backoff_len = (unsigned)c->backoff.n,
        .max_deliver = c->max_deliver,
        .max_ack_pending = c->max_ack_pending,
        .replay_original = c->replay_policy == MG_JS_REPLAY_ORIGINAL,
        .headers_only = c->headers_only,
        .sample = (int)mg_js_consumer_sample_percent(c),
        .pause_until = c->pause_until.set && !mg_js_time_is_zero(c->pause_until) ? mg_js_time_ns(c->pause_until) : 0,
        .inactive_after = c->inactive_threshold,
        .inactive_jitter = jitters(c, durable),
        .deliver_subject = c->deliver_subject,
        .rate_limit = c->rate_limit_bps,
        .rate_burst = burst,
        .flow_control = c->flow_control,
        .idle_heartbeat = c->idle_heartbeat,
        .max_waiting = c->max_waiting > UINT32_MAX ? UINT32_MAX : (uint32_t)c->max_waiting,
        .max_batch = c->max_batch,
        .max_expires = c->max_expires,
        .max_bytes = c->max_bytes,
        .priority = (enum mg_js_priority_policy)c->priority_policy,
        .groups = c->priority_groups.v,
        .groups_len = (unsigned)c->priority_groups.n,
        .pin_timeout = c->priority_timeout,
    };
}

// ---- terms ----------------------------------------------------------------------------------------------------------

struct wish {
    const struct mg_js_consumer_config *config;
    bool jitter;
    uint64_t burst;
};

static inline bool is_wished(const void *val, const void *key) {
    const struct mg_js_terms *terms = val;
    const struct wish *w = key;
    return terms->rules.inactive_jitter == w->jitter && terms->rules.rate_burst == w->burst &&
           mg_js_consumer_equal(&terms->config, w->config);
}

struct mg_js_terms *mg_js_terms_take(struct mg_table *t, struct mg_js_consumer_config *config, bool durable,
                                     uint64_t burst) {
    struct mg_buf text = MG_BUF_INIT;
    struct mg_jw w;
    mg_jw_init(&w, &text, 0);
    mg_js_consumer_store(config, &w);
    uint64_t hash = mg_hash(mg_buf_slice(&text), SEED);
    mg_buf_fini(&text);
    const struct wish wish = {config, jitters(config, durable), burst};
    struct mg_js_terms *terms = mg_table_find(t, hash, is_wished, &wish);
    if (terms) {
        mg_js_consumer_fini(config);
    } else {
        terms = mg_zalloc(sizeof(*terms));
        terms->hash = hash;
        terms->config = *config;
        terms->rules = make_rules(&terms->config, durable, burst);
        *config = (struct mg_js_consumer_config){.durable_name = {NULL, 0}};
        mg_table_add(t, hash, terms);
    }
    terms->refs++;
    return terms;
}

void mg_js_terms_drop(struct mg_table *t, struct mg_js_terms *terms) {
    if (--terms->refs > 0) return;
    mg_table_del(t, terms->hash, terms);
    mg_js_consumer_fini(&terms->config);
    mg_free(terms);
}

// ---- a consumer's own -----------------------------------------------------------------------------------------------

static void free_string(mg_slice *s) { mg_string_set(s, mg_slice_of(NULL, 0)); }

// True: the string was the name, and is not kept.
static bool take_name(mg_slice *s, mg_slice name) {
    bool is = mg_slice_eq(*s, name);
    if (is) free_string(s);
    return is;
}

static struct mg_sub *new_entry(mg_slice filter, void *owner) {
    struct mg_sub *sub = mg_zalloc(mg_sub_size(filter.n, 0, 0));
    sub->owner = owner;
    sub->subject_len = (uint16_t)filter.n;
    memcpy(sub->text, filter.p, filter.n);
    return sub;
}

static bool filters_all(const struct mg_js_consumer_config *c) {
    for (size_t i = 0; i < mg_js_consumer_filters(c); i++)
        if (mg_slice_eq(mg_js_consumer_filter(c, i), MG_S(">"))) return true;
    return mg_js_consumer_filters(c) == 0;
}

void mg_js_own_take(struct mg_js_own *own, struct mg_js_consumer_config *config, mg_slice name, void *owner) {
    *own = (struct mg_js_own){.named = take_name(&config->name, name)};
    own->durable = take_name(&config->durable_name, name);
    mg_list_init(&own->unfiltered);
    if (filters_all(config)) return;
    own->n = (uint32_t)mg_js_consumer_filters(config);
    own->list = config->filter_subjects.n > 0;
    if (own->n > 1) own->all = mg_alloc(own->n * sizeof(own->all[0]));
    struct mg_sub **end = &own->first;
    for (uint32_t i = 0; i < own->n; i++, end = &(*end)->next) {
        *end = new_entry(mg_js_consumer_filter(config, i), owner);
        *(own->n > 1 ? &own->all[i] : &own->one) = mg_sub_subject(*end);
    }
    free_string(&config->filter_subject);
    mg_strings_fini(&config->filter_subjects);
}

void mg_js_own_fini(struct mg_js_own *own) {
    for (struct mg_sub *sub = own->first, *next; sub; sub = next) {
        next = sub->next;
        mg_free(sub);
    }
    if (own->n > 1) mg_free(own->all);
    *own = (struct mg_js_own){.first = NULL};
}

struct mg_js_consumer_config mg_js_own_config(const struct mg_js_own *own, const struct mg_js_terms *terms,
                                              mg_slice name) {
    struct mg_js_consumer_config c = terms->config;
    if (own->named) c.name = name;
    if (own->durable) c.durable_name = name;
    if (own->list) c.filter_subjects = (struct mg_strings){(mg_slice *)(uintptr_t)mg_js_own_filters(own), own->n};
    else if (own->n) c.filter_subject = own->one;
    return c;
}

void mg_js_own_enter(struct mg_js_own *own, struct mg_sublist *index, struct mg_list *unfiltered) {
    if (own->n == 0) mg_list_push_back(unfiltered, &own->unfiltered);
    for (struct mg_sub *sub = own->first; sub; sub = sub->next) mg_sublist_insert(index, sub, NULL);
}

void mg_js_own_leave(struct mg_js_own *own, struct mg_sublist *index) {
    if (own->n == 0) mg_list_remove(&own->unfiltered);
    for (struct mg_sub *sub = own->first; sub; sub = sub->next) mg_sublist_remove(index, sub, NULL);
}

bool mg_js_own_matches(const struct mg_js_own *own, mg_slice subject) {
    for (uint32_t i = 0; i < own->n; i++)
        if (mg_subject_match(subject, mg_js_own_filters(own)[i])) return true;
    return own->n == 0;
}

bool mg_js_own_same_filters(const struct mg_js_own *a, const struct mg_js_own *b) {
    bool same = a->n == b->n;
    for (uint32_t i = 0; same && i < a->n; i++) same = mg_slice_eq(mg_js_own_filters(a)[i], mg_js_own_filters(b)[i]);
    return same;
}
