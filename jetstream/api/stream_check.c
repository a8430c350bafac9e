// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Completes and checks a stream's configuration. A request with several mistakes gets the answer for the first one, so
// the order of the groups, and of the checks in them, is the reference's (spec/jetstream-streams.md 4). Each group
// returns 0 or ends with the error; defaults are written into the configuration as the checks pass by, for later
// checks see them. In pedantic mode what would be mended is refused instead.
#include "jetstream/api/stream_check.h"

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/timefmt.h"
#include "server/proto/subject.h"
#include "server/proto/transform.h"

enum { MS = 1000 * 1000, SECOND = 1000 * MS };

static const int64_t DEFAULT_WINDOW = 120ll * SECOND;

static int invalid(struct mg_js_error *e, const char *text) {
    return mg_js_failf(e, MG_JSE_STREAM_INVALID_CONFIG, "%s", text);
}

static int pedant(struct mg_js_error *e, const char *text) { return mg_js_failf(e, MG_JSE_PEDANTIC, "%s", text); }

static int check_texts(const struct mg_js_stream_config *c, struct mg_js_error *e) {
    if (!mg_js_name_valid(c->name))
        return invalid(e, "stream name is required and can not contain '.', '*', '>', '\\', '/'");
    if (c->name.n > MG_JS_MAX_NAME) return invalid(e, "stream name is too long, maximum allowed is 255");
    if (c->description.n > MG_JS_MAX_DESCRIPTION)
        return invalid(e, "stream description is too long, maximum allowed is 4096");
    if (c->first_seq > MG_JS_MAX_FIRST) return invalid(e, "first sequence is too large");
    if (mg_map_bytes(&c->metadata) > MG_JS_MAX_METADATA)
        return invalid(e, "stream metadata exceeds maximum size of 131072 bytes");
    return 0;
}

// 0 and everything below -1 mean "no limit", which is written as -1.
static int default_limits(struct mg_js_stream_config *c, bool pedantic, struct mg_js_error *e) {
    if (c->num_replicas == 0) c->num_replicas = 1;
    if (c->num_replicas > MG_JS_MAX_REPLICAS) return invalid(e, "maximum replicas is 5");
    if (c->num_replicas < 0) return mg_js_fail(e, MG_JSE_REPLICAS_COUNT_CANNOT_BE_NEGATIVE);
    int64_t size = c->max_msg_size;
    const struct {
        int64_t *v;
        const char *key;
    } limits[] = {{&c->max_msgs, "max_msgs"},
                  {&c->max_msgs_per_subject, "max_msgs_per_subject"},
                  {&c->max_bytes, "max_bytes"},
                  {&size, "max_msg_size"},
                  {&c->max_consumers, "max_consumers"}};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        if (pedantic && *limits[i].v < -1)
            return mg_js_failf(e, MG_JSE_PEDANTIC, "%s must be set to -1", limits[i].key);
        if (*limits[i].v <= 0) *limits[i].v = -1;
    }
    c->max_msg_size = (int32_t)size;
    return 0;
}

static int default_window(struct mg_js_stream_config *c, int64_t limit, bool pedantic, struct mg_js_error *e) {
    int64_t window = DEFAULT_WINDOW;
    if (limit > 0 && window > limit) {
        if (pedantic) return pedant(e, "duplicate window limits are higher than current limits");
        window = limit;
    }
    if (c->max_age != 0 && c->max_age < window) {
        if (pedantic) return pedant(e, "duplicate window cannot be bigger than max age");
        window = c->max_age;
    }
    c->duplicate_window = window;
    return 0;
}

static int check_ages(struct mg_js_stream_config *c, int64_t limit, bool pedantic, struct mg_js_error *e) {
    if (c->max_age < 0) return invalid(e, "max age can not be negative");
    if (c->max_age != 0 && c->max_age < 100 * MS) return invalid(e, "max age needs to be >= 100ms");
    if (c->duplicate_window == 0 && c->mirror == NULL && c->sources.n == 0) {
        int rc = default_window(c, limit, pedantic, e);
        if (rc != 0) return rc;
    }
    if (c->duplicate_window < 0) return invalid(e, "duplicates window can not be negative");
    if (c->max_age != 0 && c->duplicate_window > c->max_age)
        return invalid(e, "duplicates window can not be larger then max age");
    if (limit > 0 && c->duplicate_window > limit) {
        char text[40];
        return mg_js_failf(e, MG_JSE_STREAM_INVALID_CONFIG,
                           "duplicates window can not be larger then server limit of %s", mg_fmt_duration(text, limit));
    }
    if (c->duplicate_window > 0 && c->duplicate_window < 100 * MS)
        return invalid(e, "duplicates window needs to be >= 100ms");
    return 0;
}

static int check_policies(const struct mg_js_stream_config *c, struct mg_js_error *e) {
    bool discard_new = c->discard == MG_JS_DISCARD_NEW;
    if (c->deny_purge && c->allow_rollup_hdrs) return invalid(e, "roll-ups require the purge permission");
    if (c->allow_msg_counter) {
        if (discard_new) return invalid(e, "counter stream cannot use discard new");
        if (c->allow_msg_ttl) return invalid(e, "counter stream cannot use message TTLs");
        if (c->allow_msg_schedules) return invalid(e, "counter stream cannot use message schedules");
        if (c->retention != MG_JS_LIMITS) return invalid(e, "counter stream can only use limits retention");
    }
    return mg_js_check_discard(c, e);
}

int mg_js_check_discard(const struct mg_js_stream_config *c, struct mg_js_error *e) {
    if (!c->discard_new_per_subject) return 0;
    if (c->discard != MG_JS_DISCARD_NEW)
        return invalid(e, "discard new per subject requires discard new policy to be set");
    if (c->max_msgs_per_subject <= 0)
        return invalid(e, "discard new per subject requires max msgs per subject > 0");
    return 0;
}

static void allow_rollup(struct mg_js_stream_config *c) {
    c->allow_rollup_hdrs = true;
    c->deny_purge = false;
}

static int check_markers(struct mg_js_stream_config *c, bool pedantic, struct mg_js_error *e) {
    if (c->subject_delete_marker_ttl < 0) return invalid(e, "subject delete marker TTL must not be negative");
    if (c->subject_delete_marker_ttl == 0) return 0;
    if (c->subject_delete_marker_ttl < SECOND)
        return invalid(e, "subject delete marker TTL must be at least 1 second");
    if (!c->allow_msg_ttl) {
        if (pedantic) return invalid(e, "subject delete marker cannot be set if message TTLs are disabled");
        c->allow_msg_ttl = true;
    }
    if (!c->allow_rollup_hdrs) {
        if (pedantic) return invalid(e, "subject delete marker cannot be set if roll-ups are disabled");
        allow_rollup(c);
    }
    return 0;
}

static int check_features(struct mg_js_stream_config *c, bool pedantic, struct mg_js_error *e) {
    if (c->allow_msg_schedules) {
        if (c->discard == MG_JS_DISCARD_NEW) return invalid(e, "message scheduling cannot use discard new");
        if (!c->allow_rollup_hdrs) {
            if (pedantic) return invalid(e, "message scheduling cannot be set if roll-ups are disabled");
            allow_rollup(c);
        }
    }
    if (c->persist_mode == MG_JS_PERSIST_ASYNC) {
        if (c->storage != MG_JS_FILE) return invalid(e, "async persist mode is only supported on file storage");
        if (c->num_replicas > 1) return invalid(e, "async persist mode is not supported on replicated streams");
        if (c->allow_atomic) return invalid(e, "async persist mode is not supported with atomic batch publish");
    }
    return 0;
}

// ---- subjects -----------------------------------------------------------------------------------------------------

// Subjects of the server's own, which a stream may capture only without acknowledging: an ack would be captured too.
static int check_namespaces(mg_slice subject, struct mg_js_error *e) {
    static const char *const api[] = {"$JS.>", "$JSC.>", "$NRG.>"};
    for (size_t i = 0; i < sizeof(api) / sizeof(api[0]); i++)
        if (mg_subject_collide(subject, mg_cstr(api[i])) && !mg_subject_subset(subject, MG_S("$JS.EVENT.>")))
            return invalid(e, "subjects that overlap with jetstream api require no-ack to be true");
    if (mg_subject_collide(subject, MG_S("$SYS.>")) && !mg_subject_subset(subject, MG_S("$SYS.ACCOUNT.>")))
        return invalid(e, "subjects that overlap with system api require no-ack to be true");
    return 0;
}

static int overlap(mg_slice a, mg_slice b, struct mg_js_error *e) {
    struct mg_buf text = MG_BUF_INIT;
    mg_buf_adds(&text, "subject ");
    mg_buf_add_quoted(&text, a);
    mg_buf_adds(&text, " overlaps with ");
    mg_buf_add_quoted(&text, b);
    mg_slice value = mg_buf_slice(&text);
    mg_js_fail_with(e, MG_JSE_STREAM_INVALID_CONFIG, &value, 1);
    mg_buf_fini(&text);
    return MG_EINVAL;
}

static int check_subject(const struct mg_js_stream_config *c, mg_slice subject, struct mg_js_error *e) {
    if (!mg_js_subject_valid(subject)) return invalid(e, "invalid subject");
    if (mg_slice_eq(subject, MG_S(">"))) {
        if (!c->no_ack) return invalid(e, "capturing all subjects requires no-ack to be true");
        if (c->num_replicas != 1) return invalid(e, "capturing all subjects requires replicas of 1");
    }
    return c->no_ack ? 0 : check_namespaces(subject, e);
}

static int check_subjects(struct mg_js_stream_config *c, struct mg_js_error *e) {
    if (c->subjects.n == 0) {
        if (c->mirror == NULL && c->sources.n == 0) mg_strings_add(&c->subjects, c->name);
        return 0;
    }
    // Two equal subjects collide, so the reference's text for duplicates is never seen.
    for (size_t i = 0; i < c->subjects.n; i++) {
        int rc = check_subject(c, c->subjects.v[i], e);
        if (rc != 0) return rc;
        for (size_t j = i + 1; j < c->subjects.n; j++)
            if (mg_subject_collide(c->subjects.v[j], c->subjects.v[i]))
                return overlap(c->subjects.v[i], c->subjects.v[j], e);
    }
    return 0;
}

bool mg_js_subjects_collide(const struct mg_strings *a, const struct mg_strings *b) {
    for (size_t i = 0; i < a->n; i++)
        for (size_t j = 0; j < b->n; j++)
            if (mg_subject_collide(a->v[i], b->v[j])) return true;
    return false;
}

// ---- what looks at subjects ---------------------------------------------------------------------------------------

static int check_max_bytes(const struct mg_js_stream_config *c, const struct mg_js_limits *l, struct mg_js_error *e) {
    int64_t limit = c->storage == MG_JS_MEMORY ? l->memory_max_stream_bytes : l->storage_max_stream_bytes;
    if (l->max_bytes_required && c->max_bytes <= 0) return mg_js_fail(e, MG_JSE_STREAM_MAX_BYTES_REQUIRED);
    if (limit > 0 && c->max_bytes > limit) return mg_js_fail(e, MG_JSE_STREAM_MAX_STREAM_BYTES_EXCEEDED);
    return 0;
}

int mg_js_check_transform(const struct mg_js_subject_transform *t, enum mg_js_errno bad_src, enum mg_js_errno bad_dest,
                          struct mg_js_error *e) {
    char text[512];
    if (t->src.n > 0 && !mg_subject_valid_strict(t->src))
        return mg_js_failf(e, bad_src, "invalid subject %s", t->src.p);
    if (t->dest.n == 0) return 0; // only a filter
    const char *src = t->src.n ? t->src.p : "";
    if (mg_transform_check(src, t->dest.p, true, text, sizeof text) == 0) return 0;
    // left() and right(), which account mappings do not know, are fine here (nats-server 2.15.2).
    bool unknown = strstr(text, "unknown function") != NULL;
    if (unknown && mg_transform_check(src, t->dest.p, false, text, sizeof text) == 0) return 0;
    return mg_js_failf(e, bad_dest, "%s", text);
}

// From ">" to ">" means "what the subject transform makes of it", if that transform is for all that the stream takes.
static bool follows_transform(const struct mg_js_stream_config *c) {
    const struct mg_js_republish *r = c->republish;
    return mg_slice_eq(r->dest, MG_S(">")) && mg_slice_eq(r->src, MG_S(">")) && c->subject_transform != NULL &&
           c->subjects.n == 1 && mg_slice_eq(c->subject_transform->src, c->subjects.v[0]);
}

static int check_republish(struct mg_js_stream_config *c, bool pedantic, struct mg_js_error *e) {
    struct mg_js_republish *r = c->republish;
    if (r == NULL) return 0;
    if (r->src.n == 0) {
        if (pedantic) return pedant(e, "republish source can not be empty");
        mg_string_set(&r->src, MG_S(">"));
    }
    if (follows_transform(c)) {
        if (pedantic) return pedant(e, "implicit republish based on subject transform");
        mg_slice to = c->subject_transform->dest; // empty: nothing is republished
        mg_string_set(&r->src, to.n ? to : MG_S(">"));
        mg_string_set(&r->dest, to);
    }
    for (size_t i = 0; i < c->subjects.n; i++)
        if (mg_subject_collide(r->dest, c->subjects.v[i]))
            return invalid(e, "stream configuration for republish destination forms a cycle");
    char text[512];
    const char *src = r->src.n ? r->src.p : "", *dest = r->dest.n ? r->dest.p : "";
    if (r->dest.n == 0 || mg_transform_check(src, dest, false, text, sizeof text) == 0) return 0;
    return mg_js_failf(e, MG_JSE_STREAM_INVALID_CONFIG,
                       "stream configuration for republish with transform from '%s' to '%s' not valid", src, dest);
}

static int check_placement(struct mg_js_stream_config *c, struct mg_js_error *e) {
    struct mg_js_placement *p = c->placement;
    if (p == NULL) return 0;
    if (p->preferred.n > 0) return invalid(e, "preferred server not permitted in placement");
    if (p->cluster.n > 0 || p->tags.n > 0) return 0;
    mg_free(p->tags.v);
    mg_free(p);
    c->placement = NULL;
    return 0;
}

// ---- all of it ----------------------------------------------------------------------------------------------------

int mg_js_stream_check(struct mg_js_stream_config *c, const struct mg_js_stream_env *env, bool pedantic,
                       struct mg_js_error *e) {
    int rc = check_texts(c, e);
    if (rc == 0) rc = default_limits(c, pedantic, e);
    if (rc == 0) rc = check_ages(c, env->limits->duplicate_window, pedantic, e);
    if (rc == 0) rc = check_policies(c, e);
    if (rc == 0) rc = check_markers(c, pedantic, e);
    if (rc == 0) rc = check_features(c, pedantic, e);
    if (rc == 0) rc = mg_js_check_origins(c, env, pedantic, e);
    if (rc == 0) rc = check_subjects(c, e);
    if (rc == 0) rc = check_max_bytes(c, env->limits, e);
    if (rc == 0 && c->subject_transform != NULL)
        rc = mg_js_check_transform(c->subject_transform, MG_JSE_STREAM_TRANSFORM_INVALID_SOURCE,
                                   MG_JSE_STREAM_TRANSFORM_INVALID_DESTINATION, e);
    if (rc == 0) rc = check_republish(c, pedantic, e);
    if (rc == 0) rc = check_placement(c, e);
    return rc;
}

// spec/jetstream-streams.md 4, order of checks on create
int mg_js_stream_admit(const struct mg_js_stream_config *c, mg_slice token, struct mg_js_error *e) {
    if (!mg_slice_eq(c->name, token)) return mg_js_fail(e, MG_JSE_STREAM_MISMATCH);
    for (size_t i = 0; i < token.n; i++)
        if (token.p[i] == '/' || token.p[i] == '\\') return mg_js_fail(e, MG_JSE_STREAM_NAME_CONTAINS_PATH_SEPARATORS);
    if (c->sealed) return invalid(e, "stream configuration for create can not be sealed");
    if (c->mirror_direct && c->mirror == NULL) return invalid(e, "stream has no mirror but does have mirror direct");
    return 0;
}

int mg_js_stream_check_replicas(const struct mg_js_stream_config *c, struct mg_js_error *e) {
    return c->num_replicas > 1 ? mg_js_fail(e, MG_JSE_STREAM_REPLICAS_NOT_SUPPORTED) : 0;
}

int mg_js_stream_check_supported(const struct mg_js_stream_config *c, struct mg_js_error *e) {
    const struct {
        bool asked;
        const char *what;
    } missing[] = {{c->mirror != NULL, "mirrors are"},
                   {c->sources.n > 0, "sources are"},
                   {c->allow_msg_counter, "message counters are"},
                   {c->allow_msg_schedules, "message schedules are"}};
    for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++)
        if (missing[i].asked)
            return mg_js_failf(e, MG_JSE_STREAM_INVALID_CONFIG, "%s not supported by this server yet", missing[i].what);
    return 0;
}
