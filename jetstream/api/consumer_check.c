// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Completes and checks a consumer's configuration (spec/jetstream-consumers.md 3, 3.1, 3.2). As for streams the order
// is the reference's, and each group returns 0 or ends with the error. First come all defaults, then all checks.
#include "jetstream/api/consumer_config.h"

#include "server/base/errors.h"
#include "server/base/timefmt.h"
#include "server/proto/subject.h"

enum { MS = 1000 * 1000, SECOND = 1000 * MS };

#define DEFAULT_ACK_WAIT (30ll * SECOND)
#define DEFAULT_PINNED (120ll * SECOND)
#define DEFAULT_INACTIVE (5ll * SECOND)
#define SOURCE_HEARTBEAT (1ll * SECOND)
enum { DEFAULT_MAX_WAITING = 512, DEFAULT_MAX_ACK_PENDING = 1000 };

static int invalid(struct mg_js_error *e, const char *text) {
    return mg_js_failf(e, MG_JSE_STREAM_INVALID_CONFIG, "%s", text);
}

static int pedant(struct mg_js_error *e, const char *text) { return mg_js_failf(e, MG_JSE_PEDANTIC, "%s", text); }

// ---- defaults -----------------------------------------------------------------------------------------------------

// Numbers below what means anything become `low`.
static int default_negatives(struct mg_js_consumer_config *c, bool pedantic, struct mg_js_error *e) {
    const struct {
        int64_t *v;
        int64_t low;
        const char *reason;
    } members[] = {
        {&c->max_deliver, -1, "max_deliver must be set to -1"},
        {&c->max_waiting, 0, "max_waiting must not be negative"},
        {&c->max_ack_pending, -1, "max_ack_pending must be set to -1"},
        {&c->max_batch, 0, "max_batch must not be negative"},
        {&c->max_expires, 0, "max_expires must not be negative"},
        {&c->max_bytes, 0, "max_bytes must not be negative"},
        {&c->idle_heartbeat, 0, "idle_heartbeat must not be negative"},
        {&c->inactive_threshold, 0, "inactive_threshold must not be negative"},
        {&c->priority_timeout, 0, "priority_timeout must not be negative"},
    };
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (*members[i].v >= members[i].low) continue;
        if (pedantic) return pedant(e, members[i].reason);
        *members[i].v = members[i].low;
    }
    if (c->max_deliver == 0) c->max_deliver = -1;
    return 0;
}

static int default_waits(struct mg_js_consumer_config *c, bool pedantic, struct mg_js_error *e) {
    bool acked = c->ack_policy == MG_JS_ACK_EXPLICIT || c->ack_policy == MG_JS_ACK_ALL;
    if (!mg_js_consumer_is_push(c) && c->max_waiting == 0) c->max_waiting = DEFAULT_MAX_WAITING;
    if (c->ack_wait == 0 && acked) c->ack_wait = DEFAULT_ACK_WAIT;
    if (c->backoff.n > 0) {
        if (pedantic && c->ack_wait != c->backoff.v[0])
            return pedant(e, "first backoff value has to equal batch AckWait");
        c->ack_wait = c->backoff.v[0];
    }
    return 0;
}

static int64_t lower(int64_t v, int64_t limit) { return limit > 0 && limit < v ? limit : v; }

// What the stream and the server say when the request does not.
static int default_from_limits(struct mg_js_consumer_config *c, const struct mg_js_consumer_limits *stream,
                               const struct mg_js_limits *l, bool pedantic, struct mg_js_error *e) {
    if (c->max_ack_pending == 0) {
        if (pedantic && stream->max_ack_pending > 0)
            return pedant(e, "max_ack_pending must be set if it's configured in stream limits");
        c->max_ack_pending = stream->max_ack_pending;
    }
    if (c->inactive_threshold == 0) {
        if (pedantic && stream->inactive_threshold > 0)
            return pedant(e, "inactive_threshold must be set if it's configured in stream limits");
        c->inactive_threshold = stream->inactive_threshold;
    }
    if (c->max_ack_pending == 0 && c->ack_policy != MG_JS_ACK_NONE)
        c->max_ack_pending = lower(lower(DEFAULT_MAX_ACK_PENDING, l->max_ack_pending), l->account_max_ack_pending);
    if (!mg_js_consumer_is_push(c) && c->max_batch == 0 && l->max_request_batch > 0) {
        if (pedantic) return pedant(e, "max_request_batch must be set if it's JetStream limits are set");
        c->max_batch = l->max_request_batch;
    }
    if (c->priority_policy == MG_JS_PRIORITY_PINNED && c->priority_timeout == 0) c->priority_timeout = DEFAULT_PINNED;
    if (c->ack_policy == MG_JS_ACK_FLOW_CONTROL && !pedantic) {
        c->flow_control = true;
        c->idle_heartbeat = SOURCE_HEARTBEAT;
    }
    return 0;
}

void mg_js_consumer_settle(struct mg_js_consumer_config *c, const struct mg_js_consumer_config *old) {
    bool durable = mg_js_consumer_is_durable(old != NULL ? old : c);
    if (!durable && c->inactive_threshold <= 0) c->inactive_threshold = DEFAULT_INACTIVE;
}

// ---- names, replicas, acks ----------------------------------------------------------------------------------------

static int check_names(const struct mg_js_consumer_config *c, struct mg_js_error *e) {
    if (c->name.n > 0 && !mg_js_name_valid(c->name))
        return invalid(e, "consumer name can not contain '.', '*', '>', '\\', '/'");
    if (c->durable_name.n > 0 && !mg_js_name_valid(c->durable_name))
        return invalid(e, "consumer durable name can not contain '.', '*', '>', '\\', '/'");
    return 0;
}

static int check_replicas(const struct mg_js_consumer_config *c, const struct mg_js_stream_config *s,
                          struct mg_js_error *e) {
    if (c->num_replicas > 0 && c->num_replicas > s->num_replicas)
        return mg_js_fail(e, MG_JSE_CONSUMER_REPLICAS_EXCEEDS_STREAM);
    if (c->num_replicas < 0) return mg_js_fail(e, MG_JSE_REPLICAS_COUNT_CANNOT_BE_NEGATIVE);
    if (s->retention != MG_JS_LIMITS && c->num_replicas != 0 && c->num_replicas != s->num_replicas)
        return mg_js_fail(e, MG_JSE_CONSUMER_REPLICAS_SHOULD_MATCH_STREAM);
    return 0;
}

static int check_flow_control_acks(const struct mg_js_consumer_config *c, struct mg_js_error *e) {
    if (c->ack_policy != MG_JS_ACK_FLOW_CONTROL) return 0;
    if (!mg_js_consumer_is_push(c)) return mg_js_fail(e, MG_JSE_CONSUMER_ACK_FC_REQUIRES_PUSH);
    if (!c->flow_control) return mg_js_fail(e, MG_JSE_CONSUMER_ACK_FC_REQUIRES_FC);
    if (c->idle_heartbeat != SOURCE_HEARTBEAT) return invalid(e, "flow control ack policy heartbeat needs to be 1s");
    if (c->max_ack_pending <= 0) return mg_js_fail(e, MG_JSE_CONSUMER_ACK_FC_REQUIRES_MAX_ACK_PENDING);
    if (c->ack_wait != 0 || c->backoff.n > 0) return mg_js_fail(e, MG_JSE_CONSUMER_ACK_FC_REQUIRES_NO_ACK_WAIT);
    if (c->max_deliver > 0) return mg_js_fail(e, MG_JSE_CONSUMER_ACK_FC_REQUIRES_NO_MAX_DELIVER);
    return 0;
}

static bool backoff_too_long(const struct mg_js_consumer_config *c) {
    return c->backoff.n > 0 && c->max_deliver != -1 && (int64_t)c->backoff.n > c->max_deliver;
}

static int check_acks(const struct mg_js_consumer_config *c, struct mg_js_error *e) {
    for (size_t i = 0; i < c->backoff.n; i++)
        if (c->backoff.v[i] < 0) return mg_js_fail(e, MG_JSE_CONSUMER_BACKOFF_NEGATIVE);
    if (c->ack_wait < 0) return mg_js_fail(e, MG_JSE_CONSUMER_ACK_WAIT_NEGATIVE);
    int rc = check_flow_control_acks(c, e);
    if (rc != 0) return rc;
    if (backoff_too_long(c)) return mg_js_fail(e, MG_JSE_CONSUMER_MAX_DELIVER_BACKOFF);
    if (c->description.n > MG_JS_MAX_DESCRIPTION)
        return mg_js_failf(e, MG_JSE_CONSUMER_DESCRIPTION_TOO_LONG, "%d", MG_JS_MAX_DESCRIPTION);
    return 0;
}

// ---- push and pull ------------------------------------------------------------------------------------------------

static int check_push(const struct mg_js_consumer_config *c, const struct mg_js_stream_config *s,
                      struct mg_js_error *e) {
    if (!mg_subject_is_literal(c->deliver_subject)) return mg_js_fail(e, MG_JSE_CONSUMER_DELIVER_TO_WILDCARDS);
    if (!mg_js_subject_valid(c->deliver_subject)) return mg_js_fail(e, MG_JSE_CONSUMER_INVALID_DELIVER_SUBJECT);
    for (size_t i = 0; i < s->subjects.n; i++)
        if (mg_subject_subset(c->deliver_subject, s->subjects.v[i]))
            return mg_js_fail(e, MG_JSE_CONSUMER_DELIVER_CYCLE);
    if (c->max_waiting != 0) return mg_js_fail(e, MG_JSE_CONSUMER_PUSH_MAX_WAITING);
    if (c->max_ack_pending > 0 && c->ack_policy == MG_JS_ACK_NONE)
        return mg_js_fail(e, MG_JSE_CONSUMER_MAX_PENDING_ACK_POLICY_REQUIRED);
    if (c->idle_heartbeat > 0 && c->idle_heartbeat < 100 * MS)
        return mg_js_fail(e, MG_JSE_CONSUMER_SMALL_HEARTBEAT);
    return 0;
}

static int check_pull(const struct mg_js_consumer_config *c, const struct mg_js_stream_config *s,
                      const struct mg_js_limits *l, struct mg_js_error *e) {
    if (c->ack_policy == MG_JS_ACK_NONE && s->retention == MG_JS_WORKQUEUE)
        return mg_js_fail(e, MG_JSE_CONSUMER_PULL_REQUIRES_ACK);
    if (c->rate_limit_bps > 0) return mg_js_fail(e, MG_JSE_CONSUMER_PULL_WITH_RATE_LIMIT);
    if (c->idle_heartbeat > 0) return mg_js_fail(e, MG_JSE_CONSUMER_HB_REQUIRES_PUSH);
    if (c->flow_control) return mg_js_fail(e, MG_JSE_CONSUMER_FC_REQUIRES_PUSH);
    if (c->max_expires != 0 && c->max_expires < MS) return mg_js_fail(e, MG_JSE_CONSUMER_MAX_REQUEST_EXPIRES_TOO_SMALL);
    if (l->max_request_batch > 0 && c->max_batch > l->max_request_batch)
        return mg_js_failf(e, MG_JSE_CONSUMER_MAX_REQUEST_BATCH_EXCEEDED, "%lld", (long long)l->max_request_batch);
    return 0;
}

static int check_limits(const struct mg_js_consumer_config *c, const struct mg_js_consumer_limits *stream,
                        const struct mg_js_limits *l, struct mg_js_error *e) {
    const int64_t limits[] = {l->max_ack_pending, l->account_max_ack_pending, stream->max_ack_pending};
    for (size_t i = 0; i < 3; i++)
        if (limits[i] > 0 && c->max_ack_pending > limits[i])
            return mg_js_failf(e, MG_JSE_CONSUMER_MAX_PENDING_ACK_EXCESS, "%lld", (long long)limits[i]);
    char text[40];
    if (stream->inactive_threshold > 0 && c->inactive_threshold > stream->inactive_threshold)
        return mg_js_failf(e, MG_JSE_CONSUMER_INACTIVE_THRESHOLD_EXCESS, "%s",
                           mg_fmt_duration(text, stream->inactive_threshold));
    if (!c->direct) return 0;
    if (!mg_js_consumer_is_push(c)) return mg_js_fail(e, MG_JSE_CONSUMER_DIRECT_REQUIRES_PUSH);
    if (mg_js_consumer_is_durable(c)) return mg_js_fail(e, MG_JSE_CONSUMER_DIRECT_REQUIRES_EPHEMERAL);
    return 0;
}

// ---- filters and the start ----------------------------------------------------------------------------------------

static int check_filters(const struct mg_js_consumer_config *c, struct mg_js_error *e) {
    if (c->filter_subject.n > 0 && c->filter_subjects.n > 0)
        return mg_js_fail(e, MG_JSE_CONSUMER_DUPLICATE_FILTER_SUBJECTS);
    for (size_t i = 0; i < c->filter_subjects.n; i++)
        if (c->filter_subjects.v[i].n == 0) return mg_js_fail(e, MG_JSE_CONSUMER_EMPTY_FILTER);
    size_t n = mg_js_consumer_filters(c);
    for (size_t i = 0; i < n; i++) {
        mg_slice filter = mg_js_consumer_filter(c, i);
        if (!mg_js_subject_valid(filter)) return invalid(e, "invalid subject");
        for (size_t j = 0; j < n; j++)
            if (j != i && mg_subject_subset(filter, mg_js_consumer_filter(c, j)))
                return mg_js_fail(e, MG_JSE_CONSUMER_OVERLAPPING_SUBJECT_FILTERS);
    }
    return 0;
}

static int bad_start(struct mg_js_error *e, const char *policy, const char *start) {
    return mg_js_failf(e, MG_JSE_CONSUMER_INVALID_POLICY,
                       "consumer delivery policy is deliver %s, but optional start %s is also set", policy, start);
}

static int no_start(struct mg_js_error *e, const char *policy, const char *what) {
    return mg_js_failf(e, MG_JSE_CONSUMER_INVALID_POLICY,
                       "consumer delivery policy is deliver %s, but optional %s is not set", policy, what);
}

static int check_start(const struct mg_js_consumer_config *c, struct mg_js_error *e) {
    static const char *const names[] = {
        [MG_JS_DELIVER_ALL] = "all",
        [MG_JS_DELIVER_LAST] = "last",
        [MG_JS_DELIVER_NEW] = "new",
        [MG_JS_DELIVER_BY_START_SEQUENCE] = "by start sequence",
        [MG_JS_DELIVER_BY_START_TIME] = "by start time",
        [MG_JS_DELIVER_LAST_PER_SUBJECT] = "last per subject",
    };
    const char *name = names[c->deliver_policy];
    bool seq = c->opt_start_seq > 0, time = c->opt_start_time.set;
    if (c->deliver_policy == MG_JS_DELIVER_BY_START_SEQUENCE) {
        if (!seq) return no_start(e, name, "start sequence");
        return time ? bad_start(e, name, "time") : 0;
    }
    if (c->deliver_policy == MG_JS_DELIVER_BY_START_TIME) {
        if (!time) return no_start(e, name, "start time");
        return seq ? bad_start(e, name, "start sequence") : 0; // "start" twice, as the reference has it
    }
    if (seq) return bad_start(e, name, "sequence");
    if (time) return bad_start(e, name, "time");
    if (c->deliver_policy == MG_JS_DELIVER_LAST_PER_SUBJECT && mg_js_consumer_filters(c) == 0)
        return no_start(e, name, "filter subject");
    return 0;
}

// ---- the rest -----------------------------------------------------------------------------------------------------

// As strconv.Atoi: a sign, then digits, in 64 bits.
static const char *bad_integer(mg_slice s) {
    size_t i = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
    uint64_t v = 0, limit = (uint64_t)INT64_MAX + (s.n > 0 && s.p[0] == '-');
    bool fits = true;
    if (i == s.n) return "invalid syntax";
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return "invalid syntax";
        unsigned digit = (unsigned)(s.p[i] - '0');
        fits = fits && v <= (limit - digit) / 10;
        if (fits) v = v * 10 + digit;
    }
    return fits ? NULL : "value out of range";
}

static bool is_negative(mg_slice integer) {
    return integer.p[0] == '-' && strspn(integer.p + 1, "0") + 1 < integer.n;
}

static int check_sampling(const struct mg_js_consumer_config *c, struct mg_js_error *e) {
    mg_slice s = c->sample_freq;
    if (s.n == 0) return 0;
    if (s.p[s.n - 1] == '%') s.n--;
    const char *bad = bad_integer(s);
    if (bad == NULL) return is_negative(s) ? mg_js_failf(e, MG_JSE_CONSUMER_INVALID_SAMPLING, "<nil>") : 0;
    struct mg_buf text = MG_BUF_INIT;
    mg_buf_adds(&text, "strconv.Atoi: parsing ");
    mg_buf_add_quoted(&text, s);
    mg_buf_addf(&text, ": %s", bad);
    mg_slice value = mg_buf_slice(&text);
    mg_js_fail_with(e, MG_JSE_CONSUMER_INVALID_SAMPLING, &value, 1);
    mg_buf_fini(&text);
    return MG_EINVAL;
}

static int check_others(const struct mg_js_consumer_config *c, struct mg_js_error *e) {
    int rc = check_sampling(c, e);
    if (rc != 0) return rc;
    if (c->flow_control && c->idle_heartbeat == 0)
        return mg_js_fail(e, MG_JSE_CONSUMER_WITH_FLOW_CONTROL_NEEDS_HEARTBEATS);
    if (c->durable_name.n > 0 && c->name.n > 0 && !mg_slice_eq(c->name, c->durable_name))
        return mg_js_fail(e, MG_JSE_CONSUMER_CREATE_DURABLE_AND_NAME_MISMATCH);
    if (mg_map_bytes(&c->metadata) > MG_JS_MAX_METADATA)
        return mg_js_failf(e, MG_JSE_CONSUMER_METADATA_LENGTH, "%dKB", MG_JS_MAX_METADATA / 1024);
    return 0;
}

// The description of 10162 promises characters that the rule does not take; the rule is [a-zA-Z0-9/_=-]{1,16}.
bool mg_js_group_valid(mg_slice group) {
    for (size_t i = 0; i < group.n; i++) {
        char ch = group.p[i], low = (char)(ch | 0x20);
        bool word = (low >= 'a' && low <= 'z') || (ch >= '0' && ch <= '9');
        if (!word && (ch == '\0' || strchr("/_=-", ch) == NULL)) return false;
    }
    return group.n <= 16;
}

static int check_priority(const struct mg_js_consumer_config *c, struct mg_js_error *e) {
    if (c->priority_policy == MG_JS_PRIORITY_NONE) {
        if (c->priority_groups.n > 0) return mg_js_fail(e, MG_JSE_CONSUMER_PRIORITY_GROUP_WITHOUT_POLICY);
        if (c->priority_timeout > 0) return mg_js_fail(e, MG_JSE_CONSUMER_PINNED_TTL_WITHOUT_POLICY);
        return 0;
    }
    if (mg_js_consumer_is_push(c)) return mg_js_fail(e, MG_JSE_CONSUMER_PUSH_WITH_PRIORITY_GROUP);
    if (c->priority_groups.n == 0) return mg_js_fail(e, MG_JSE_CONSUMER_PRIORITY_POLICY_WITHOUT_GROUP);
    for (size_t i = 0; i < c->priority_groups.n; i++) {
        if (c->priority_groups.v[i].n == 0) return mg_js_fail(e, MG_JSE_CONSUMER_EMPTY_GROUP_NAME);
        if (!mg_js_group_valid(c->priority_groups.v[i])) return mg_js_fail(e, MG_JSE_CONSUMER_INVALID_GROUP_NAME);
    }
    return 0;
}

int mg_js_consumer_check(struct mg_js_consumer_config *c, const struct mg_js_stream_config *stream,
                         const struct mg_js_limits *limits, bool pedantic, struct mg_js_error *e) {
    int rc = default_negatives(c, pedantic, e);
    if (rc == 0) rc = default_waits(c, pedantic, e);
    if (rc == 0) rc = default_from_limits(c, &stream->consumer_limits, limits, pedantic, e);
    if (rc == 0) rc = check_names(c, e);
    if (rc == 0) rc = check_replicas(c, stream, e);
    if (rc == 0) rc = check_acks(c, e);
    if (rc == 0) rc = mg_js_consumer_is_push(c) ? check_push(c, stream, e) : check_pull(c, stream, limits, e);
    if (rc == 0) rc = check_limits(c, &stream->consumer_limits, limits, e);
    if (rc == 0) rc = check_filters(c, e);
    if (rc == 0) rc = check_start(c, e);
    if (rc == 0) rc = check_others(c, e);
    if (rc == 0) rc = check_priority(c, e);
    return rc;
}

// Acknowledgements that come in answers to flow control are for mirrors and sources (spec 12.4).
int mg_js_consumer_check_supported(const struct mg_js_consumer_config *c, struct mg_js_error *e) {
    if (c->ack_policy != MG_JS_ACK_FLOW_CONTROL) return 0;
    return mg_js_failf(e, MG_JSE_CONSUMER_CREATE, "flow control ack policy is not supported by this server yet");
}
