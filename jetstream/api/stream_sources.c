// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Checks of a stream's mirror and sources (spec/jetstream-streams.md 13), in the reference's order. Origins in the same
// account are looked up where they are visible; one that does not exist is allowed, it may come later. External ones
// (another account or domain) are not looked up: a stream of that name here would be another one.
#include "jetstream/api/stream_check.h"

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/proto/subject.h"

static int invalid(struct mg_js_error *e, const char *text) {
    return mg_js_failf(e, MG_JSE_STREAM_INVALID_CONFIG, "%s", text);
}

static const struct mg_js_stream_config *find(const struct mg_js_stream_env *env, const struct mg_js_source *s) {
    return s->external == NULL && env->find != NULL ? env->find(env->arg, s->name) : NULL;
}

static bool collide(mg_slice a, mg_slice b) { return mg_slice_eq(a, b) || mg_subject_collide(a, b); }

// ---- one origin ---------------------------------------------------------------------------------------------------

static bool consumer_valid(const struct mg_js_source *s) {
    return mg_js_name_valid(s->consumer->name) && mg_subject_valid_strict(s->consumer->deliver_subject) &&
           mg_subject_is_literal(s->consumer->deliver_subject) && s->opt_start_seq == 0 && !s->opt_start_time.set &&
           s->filter_subject.n == 0;
}

// A message that the origin holds must fit.
static bool too_small(const struct mg_js_stream_config *c, const struct mg_js_stream_config *origin) {
    return origin != NULL && c->max_msg_size > 0 && origin->max_msg_size > 0 && c->max_msg_size < origin->max_msg_size;
}

// ---- the mirror ---------------------------------------------------------------------------------------------------

static int check_mirror_features(const struct mg_js_stream_config *c, struct mg_js_error *e) {
    if (c->first_seq > 0) return mg_js_fail(e, MG_JSE_MIRROR_WITH_FIRST_SEQ);
    if (c->subjects.n > 0) return mg_js_fail(e, MG_JSE_MIRROR_WITH_SUBJECTS);
    if (c->sources.n > 0) return mg_js_fail(e, MG_JSE_MIRROR_WITH_SOURCES);
    if (c->allow_msg_counter) return mg_js_fail(e, MG_JSE_MIRROR_WITH_COUNTERS);
    if (c->allow_atomic) return mg_js_fail(e, MG_JSE_MIRROR_WITH_ATOMIC_PUBLISH);
    if (c->allow_batched) return mg_js_fail(e, MG_JSE_MIRROR_WITH_BATCH_PUBLISH);
    if (c->allow_msg_schedules) return mg_js_fail(e, MG_JSE_MIRROR_WITH_MSG_SCHEDULES);
    if (c->mirror->consumer != NULL && !consumer_valid(c->mirror))
        return mg_js_fail(e, MG_JSE_MIRROR_DURABLE_CONSUMER_CFG_INVALID);
    if (c->mirror->filter_subject.n > 0 && c->mirror->subject_transforms.n > 0)
        return mg_js_fail(e, MG_JSE_MIRROR_MULTIPLE_FILTERS_NOT_ALLOWED);
    // A marker would take a sequence number that the origin gives to something else.
    if (c->subject_delete_marker_ttl > 0) return invalid(e, "subject delete markers forbidden on mirrors");
    return 0;
}

static int check_mirror_transforms(const struct mg_js_source *m, struct mg_js_error *e) {
    for (size_t i = 0; i < m->subject_transforms.n; i++) {
        const struct mg_js_subject_transform *t = &m->subject_transforms.v[i];
        int rc = mg_js_check_transform(t, MG_JSE_MIRROR_INVALID_SUBJECT_FILTER,
                                       MG_JSE_MIRROR_INVALID_TRANSFORM_DESTINATION, e);
        if (rc != 0) return rc;
        for (size_t j = 0; j < m->subject_transforms.n; j++)
            if (j != i && collide(t->src, m->subject_transforms.v[j].src))
                return mg_js_fail(e, MG_JSE_MIRROR_OVERLAPPING_SUBJECT_FILTERS);
    }
    return 0;
}

static int check_mirror(struct mg_js_stream_config *c, const struct mg_js_stream_env *env, bool pedantic,
                        struct mg_js_error *e) {
    if (c->mirror == NULL) return 0;
    int rc = check_mirror_features(c, e);
    if (rc == 0) rc = check_mirror_transforms(c->mirror, e);
    if (rc != 0 || c->mirror->external != NULL) return rc;
    if (!mg_js_name_valid(c->mirror->name)) return mg_js_fail(e, MG_JSE_MIRROR_INVALID_STREAM_NAME);
    const struct mg_js_stream_config *origin = find(env, c->mirror);
    if (origin == NULL) return 0;
    if (too_small(c, origin)) return mg_js_fail(e, MG_JSE_MIRROR_MAX_MESSAGE_SIZE_TOO_BIG);
    if (pedantic && c->mirror_direct != origin->allow_direct)
        return mg_js_failf(e, MG_JSE_PEDANTIC, "origin stream has direct get set, mirror has it disabled");
    c->mirror_direct = origin->allow_direct;
    return 0;
}

// ---- the sources --------------------------------------------------------------------------------------------------

static bool same_or_all(mg_slice a, mg_slice b) {
    mg_slice all = MG_S(">");
    return mg_slice_eq(a.n ? a : all, b.n ? b : all);
}

static bool same_external(const struct mg_js_source *a, const struct mg_js_source *b) {
    if (a->external == NULL || b->external == NULL) return a->external == b->external;
    return mg_slice_eq(a->external->api, b->external->api);
}

// Would both write the same Nats-Stream-Source header? Then their positions could not be told apart.
static bool same_source(const struct mg_js_source *a, const struct mg_js_source *b) {
    if (!mg_slice_eq(a->name, b->name) || !same_external(a, b)) return false;
    if ((a->consumer == NULL) != (b->consumer == NULL)) return false;
    if (a->consumer != NULL && !mg_slice_eq(a->consumer->name, b->consumer->name)) return false;
    size_t n = a->subject_transforms.n;
    if (n != b->subject_transforms.n) return false;
    if (n == 0) return same_or_all(a->filter_subject, b->filter_subject);
    for (size_t i = 0; i < n; i++) {
        const struct mg_js_subject_transform *x = &a->subject_transforms.v[i], *y = &b->subject_transforms.v[i];
        if (!same_or_all(x->src, y->src) || !same_or_all(x->dest, y->dest)) return false;
    }
    return true;
}

static bool same_consumer(const struct mg_js_source *a, const struct mg_js_source *b) {
    return a->consumer != NULL && b->consumer != NULL && mg_slice_eq(a->name, b->name) && same_external(a, b) &&
           mg_slice_eq(a->consumer->name, b->consumer->name);
}

static int check_source_transforms(const struct mg_js_source *s, struct mg_js_error *e) {
    if (s->filter_subject.n > 0 && s->subject_transforms.n > 0)
        return mg_js_fail(e, MG_JSE_SOURCE_MULTIPLE_FILTERS_NOT_ALLOWED);
    for (size_t i = 0; i < s->subject_transforms.n; i++) {
        int rc = mg_js_check_transform(&s->subject_transforms.v[i], MG_JSE_SOURCE_INVALID_SUBJECT_FILTER,
                                       MG_JSE_SOURCE_INVALID_TRANSFORM_DESTINATION, e);
        if (rc != 0) return rc;
    }
    for (size_t i = 0; i < s->subject_transforms.n; i++)
        for (size_t j = 0; j < s->subject_transforms.n; j++)
            if (j != i && mg_subject_subset(s->subject_transforms.v[i].src, s->subject_transforms.v[j].src))
                return mg_js_fail(e, MG_JSE_SOURCE_OVERLAPPING_SUBJECT_FILTERS);
    return 0;
}

static int check_source(const struct mg_js_stream_config *c, size_t at, const struct mg_js_stream_env *env,
                        struct mg_js_error *e) {
    const struct mg_js_source *s = &c->sources.v[at];
    if (!mg_js_name_valid(s->name)) return mg_js_fail(e, MG_JSE_SOURCE_INVALID_STREAM_NAME);
    for (size_t i = 0; i < at; i++)
        if (same_source(s, &c->sources.v[i])) return mg_js_fail(e, MG_JSE_SOURCE_DUPLICATE_DETECTED);
    int rc = check_source_transforms(s, e);
    if (rc != 0) return rc;
    if (s->consumer != NULL) {
        if (!consumer_valid(s)) return mg_js_fail(e, MG_JSE_SOURCE_DURABLE_CONSUMER_CFG_INVALID);
        for (size_t i = 0; i < at; i++)
            if (same_consumer(s, &c->sources.v[i]))
                return mg_js_fail(e, MG_JSE_SOURCE_DURABLE_CONSUMER_DUPLICATE_DETECTED);
    }
    return too_small(c, find(env, s)) ? mg_js_fail(e, MG_JSE_SOURCE_MAX_MESSAGE_SIZE_TOO_BIG) : 0;
}

// ---- prefixes -----------------------------------------------------------------------------------------------------

// What an external origin delivers under a prefix may not come in at a visible origin of the same stream.
static int overlaps_origin(mg_slice prefix, const struct mg_js_stream_config *origin, struct mg_js_error *e) {
    int rc = 0;
    for (size_t i = 0; origin != NULL && i < origin->subjects.n && rc == 0; i++) {
        mg_slice subject = origin->subjects.v[i];
        struct mg_buf under = MG_BUF_INIT;
        mg_buf_add_slice(&under, prefix);
        mg_buf_addc(&under, '.');
        mg_buf_add_slice(&under, subject);
        if (mg_subject_collide(subject, mg_buf_slice(&under)))
            rc = mg_js_fail_with(e, MG_JSE_STREAM_EXTERNAL_DEL_PREFIX_OVERLAPS, (mg_slice[]){prefix, subject}, 2);
        mg_buf_fini(&under);
    }
    return rc;
}

static int check_deliver_prefix(mg_slice prefix, const struct mg_js_stream_config *c,
                                const struct mg_js_stream_env *env, struct mg_js_error *e) {
    if (!mg_subject_valid_strict(prefix) || !mg_subject_is_literal(prefix))
        return mg_js_fail_with(e, MG_JSE_STREAM_INVALID_EXTERNAL_DELIVERY_SUBJ, &prefix, 1);
    int rc = c->mirror != NULL ? overlaps_origin(prefix, find(env, c->mirror), e) : 0;
    for (size_t i = 0; i < c->sources.n && rc == 0; i++) rc = overlaps_origin(prefix, find(env, &c->sources.v[i]), e);
    return rc;
}

static int check_api_prefix(mg_slice prefix, struct mg_js_error *e) {
    if (!mg_subject_valid_strict(prefix) || !mg_subject_is_literal(prefix)) {
        struct mg_buf text = MG_BUF_INIT;
        mg_buf_adds(&text, "stream external api prefix ");
        mg_buf_add_quoted(&text, prefix);
        mg_buf_adds(&text, " must be a valid subject without wildcards");
        mg_slice value = mg_buf_slice(&text);
        mg_js_fail_with(e, MG_JSE_STREAM_INVALID_CONFIG, &value, 1);
        mg_buf_fini(&text);
        return MG_EINVAL;
    }
    if (!collide(prefix, MG_S("$JS.API"))) return 0;
    return mg_js_fail_with(e, MG_JSE_STREAM_EXTERNAL_API_OVERLAP, (mg_slice[]){prefix, MG_S("$JS.API")}, 2);
}

// The mirror and the sources as one sequence; NULL at the end.
static const struct mg_js_source *origin_at(const struct mg_js_stream_config *c, size_t i) {
    if (c->mirror != NULL && i == 0) return c->mirror;
    i -= c->mirror != NULL;
    return i < c->sources.n ? &c->sources.v[i] : NULL;
}

static int check_prefixes(const struct mg_js_stream_config *c, const struct mg_js_stream_env *env,
                          struct mg_js_error *e) {
    const struct mg_js_source *s;
    int rc = 0;
    for (size_t i = 0; rc == 0 && (s = origin_at(c, i)) != NULL; i++)
        if (s->external != NULL && s->external->deliver.n > 0)
            rc = check_deliver_prefix(s->external->deliver, c, env, e);
    for (size_t i = 0; rc == 0 && (s = origin_at(c, i)) != NULL; i++)
        if (s->external != NULL && s->external->api.n > 0) rc = check_api_prefix(s->external->api, e);
    return rc;
}

// ---- cycles -------------------------------------------------------------------------------------------------------

// The names of streams that messages of this one may come from, in the order of the walk.
struct walk {
    struct mg_strings names;
    size_t visited; // names before this have been looked at
};

static bool contains(const struct mg_strings *names, size_t n, mg_slice name) {
    for (size_t i = 0; i < n; i++)
        if (mg_slice_eq(names->v[i], name)) return true;
    return false;
}

static bool filter_reaches(const struct mg_js_stream_config *c, mg_slice filter) {
    if (filter.n == 0) return true;
    for (size_t i = 0; i < c->subjects.n; i++)
        if (mg_subject_collide(c->subjects.v[i], filter)) return true;
    return false;
}

static bool closes_cycle(struct walk *w, const struct mg_js_stream_config *c) {
    for (size_t i = 0; i < c->sources.n; i++) {
        const struct mg_js_source *s = &c->sources.v[i];
        if (s->external != NULL) continue;
        if (contains(&w->names, w->visited, s->name)) {
            if (filter_reaches(c, s->filter_subject)) return true;
        } else if (!contains(&w->names, w->names.n, s->name)) {
            mg_strings_add(&w->names, s->name);
        }
    }
    if (c->mirror == NULL || c->mirror->external != NULL) return false;
    if (contains(&w->names, w->visited, c->mirror->name)) return true;
    if (!contains(&w->names, w->names.n, c->mirror->name)) mg_strings_add(&w->names, c->mirror->name);
    return false;
}

static int check_cycles(const struct mg_js_stream_config *c, const struct mg_js_stream_env *env,
                        struct mg_js_error *e) {
    struct walk w = {.visited = 1};
    mg_strings_add(&w.names, c->name);
    bool cycle = closes_cycle(&w, c);
    while (!cycle && w.visited < w.names.n) {
        mg_slice name = w.names.v[w.visited++];
        const struct mg_js_stream_config *origin = env->find != NULL ? env->find(env->arg, name) : NULL;
        cycle = origin != NULL && closes_cycle(&w, origin);
    }
    for (size_t i = 0; i < w.names.n; i++) mg_string_set(&w.names.v[i], mg_slice_of(NULL, 0));
    mg_free(w.names.v);
    return cycle ? invalid(e, "detected cycle") : 0;
}

int mg_js_check_origins(struct mg_js_stream_config *c, const struct mg_js_stream_env *env, bool pedantic,
                        struct mg_js_error *e) {
    int rc = check_mirror(c, env, pedantic, e);
    if (rc == 0 && c->sources.n > 0 && c->allow_msg_schedules)
        rc = mg_js_fail(e, MG_JSE_SOURCE_WITH_MSG_SCHEDULES);
    for (size_t i = 0; i < c->sources.n && rc == 0; i++) rc = check_source(c, i, env, e);
    if (rc == 0) rc = check_prefixes(c, env, e);
    if (rc == 0) rc = check_cycles(c, env, e);
    return rc;
}
