// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The config of a consumer from flags: those that are given are laid over what is there.
#include <string.h>

#include "client/cli/consumer.h"
#include "client/cli/units.h"
#include "client/host/bind.h"
#include "client/host/op.h"

enum { MAX_BACKOFF = 1000 };

int cli_consumer_until(cli *app, const char *text, int64_t *until) {
    int64_t ns;
    char rfc[32];
    if (strlen(text) == 19 && text[10] == ' ') {
        snprintf(rfc, sizeof rfc, "%.10sT%sZ", text, text + 11);
        if (midge_time_parse(midge_cstr(rfc), until)) return CLI_OK;
    }
    if (midge_time_parse(midge_cstr(text), until)) return CLI_OK;
    if (cli_parse_duration(text, &ns) != 0 || ns < 0)
        return cli_fail(app, "\"%s\" is neither a time like '2026-01-02 15:04:05' nor a duration like 1h30m", text);
    *until = cli_js_now() + ns;
    return CLI_OK;
}

// all, last, new, subject; the number of a message; how long ago.
static int apply_deliver(cli *app, midge_consumer_config *c) {
    static const struct {
        const char *word;
        enum midge_deliver policy;
    } words[] = {{"all", MIDGE_DELIVER_ALL},      {"last", MIDGE_DELIVER_LAST},
                 {"new", MIDGE_DELIVER_NEW},      {"next", MIDGE_DELIVER_NEW},
                 {"subject", MIDGE_DELIVER_LAST_PER_SUBJECT}, {"last_per_subject", MIDGE_DELIVER_LAST_PER_SUBJECT}};
    const char *text = cli_get_string(app, "deliver");
    int64_t v;
    if (text == NULL) return CLI_OK;
    c->opt_start_seq = 0;
    c->opt_start_time = 0;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i].word) == 0) {
            c->deliver_policy = words[i].policy;
            return CLI_OK;
        }
    if (strspn(text, "0123456789") == strlen(text) && cli_parse_int(text, 0, INT64_MAX, &v) == 0) {
        c->deliver_policy = MIDGE_DELIVER_BY_START_SEQUENCE;
        c->opt_start_seq = (uint64_t)v;
    } else if (cli_parse_duration(text, &v) == 0 && v >= 0) {
        c->deliver_policy = MIDGE_DELIVER_BY_START_TIME;
        c->opt_start_time = cli_js_now() - v;
    } else {
        return cli_fail(app, "--deliver is all, new, last, subject, a duration or a sequence, not \"%s\"", text);
    }
    return CLI_OK;
}

// Steps of equal size from --backoff-min on.
static int apply_backoff(cli *app, midge_consumer_config *c) {
    const char *mode = cli_get_string(app, "backoff");
    uint64_t steps = cli_get_uint(app, "backoff-steps");
    int64_t min = (int64_t)cli_get_duration(app, "backoff-min"), max = (int64_t)cli_get_duration(app, "backoff-max");
    if (mode == NULL) return CLI_OK;
    c->backoff_len = 0;
    if (strcmp(mode, "none") == 0) return CLI_OK;
    if (steps == 0 || steps > MAX_BACKOFF || min == 0 || max == 0)
        return cli_fail(app, "--backoff needs 1 to %d --backoff-steps, --backoff-min and --backoff-max", MAX_BACKOFF);
    if (max < min) {
        int64_t swap = min;
        min = max;
        max = swap;
    }
    int64_t *periods = cli_alloc(app, (steps + 1) * sizeof *periods), step = (max - min) / (int64_t)steps;
    for (uint64_t i = 0; i < steps; i++)
        periods[i] = min + (step * (int64_t)i + CLI_MS / 2) / CLI_MS * CLI_MS;
    c->backoff = periods;
    c->backoff_len = steps;
    if (c->max_deliver == -1) c->max_deliver = (int64_t)steps + 1; // the server wants more deliveries than steps
    return CLI_OK;
}

static int apply_ack(cli *app, midge_consumer_config *c) {
    static const struct {
        const char *word;
        enum midge_ack_policy policy;
    } words[] = {{"none", MIDGE_ACK_NONE}, {"all", MIDGE_ACK_ALL}, {"explicit", MIDGE_ACK_EXPLICIT},
                 {"flow_control", MIDGE_ACK_FLOW_CONTROL}};
    const char *text = cli_get_string(app, "ack");
    for (size_t i = 0; text != NULL && i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i].word) == 0) c->ack_policy = words[i].policy;
    const char *replay = cli_get_string(app, "replay");
    if (replay != NULL) c->replay_policy = replay[0] == 'o' ? MIDGE_REPLAY_ORIGINAL : MIDGE_REPLAY_INSTANT;
    int64_t sample = cli_get_int(app, "sample");
    if (!cli_given(app, "sample")) return CLI_OK;
    if (sample > 100) return cli_fail(app, "--sample is a percentage from 0 to 100");
    c->sample_freq = sample > 0 ? midge_cstr(cli_printf(app, "%d", (int)sample)) : MIDGE_NONE;
    return CLI_OK;
}

static int apply_numbers(cli *app, midge_consumer_config *c) {
    const struct {
        const char *flag;
        int64_t *member;
    } counts[] = {{"max-deliver", &c->max_deliver}, {"max-pending", &c->max_ack_pending},
                  {"max-waiting", &c->max_waiting}, {"max-pull-batch", &c->max_batch},
                  {"replicas", &c->num_replicas}},
      times[] = {{"wait", &c->ack_wait},
                 {"heartbeat", &c->idle_heartbeat},
                 {"inactive-threshold", &c->inactive_threshold},
                 {"max-pull-expire", &c->max_expires},
                 {"pinned-ttl", &c->priority_timeout}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (cli_given(app, counts[i].flag)) *counts[i].member = cli_get_int(app, counts[i].flag);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        if (cli_js_duration(app, times[i].flag, times[i].member) != CLI_OK) return CLI_FAILED;
        if (*times[i].member < 0) *times[i].member = 0;
    }
    if (cli_given(app, "bps")) c->rate_limit_bps = cli_get_uint(app, "bps");
    return cli_js_bytes(app, "max-pull-bytes", &c->max_bytes);
}

static int apply_groups(cli *app, midge_consumer_config *c) {
    static const char *const flags[] = {"pinned-groups", "overflow-groups", "prioritized-groups"};
    static const char *const policies[] = {"pinned_client", "overflow", "prioritized"};
    int given = 0;
    for (size_t i = 0; i < 3; i++) {
        if (!cli_given(app, flags[i])) continue;
        given++;
        c->priority_policy = midge_cstr(policies[i]);
        c->priority_groups = cli_js_words(app, flags[i], &c->priority_groups_len);
    }
    return given > 1 ? cli_fail(app, "--pinned-groups, --overflow-groups and --prioritized-groups exclude each other")
                     : CLI_OK;
}

static void apply_filters(cli *app, midge_consumer_config *c) {
    size_t n;
    const midge_str *filters = cli_js_words(app, "filter", &n);
    if (cli_given(app, "filter")) {
        c->filter_subject = n == 1 ? filters[0] : MIDGE_NONE;
        c->filter_subjects = filters;
        c->filter_subjects_len = n > 1 ? n : 0;
    }
    // spec/jetstream-consumers.md: the last one of each subject is asked for by subject.
    if (c->deliver_policy == MIDGE_DELIVER_LAST_PER_SUBJECT && c->filter_subject.n == 0 && c->filter_subjects_len == 0)
        c->filter_subject = MIDGE_STR(">");
}

int cli_consumer_config_flags_apply(cli_js *js, midge_consumer_config *c) {
    cli *app = js->app;
    const char *pause = cli_get_string(app, "pause");
    if (cli_given(app, "description")) c->description = midge_cstr(cli_get_string(app, "description"));
    if (cli_given(app, "target")) c->deliver_subject = midge_cstr(cli_get_string(app, "target"));
    if (cli_given(app, "deliver-group")) c->deliver_group = midge_cstr(cli_get_string(app, "deliver-group"));
    if (cli_given(app, "flow-control")) c->flow_control = cli_get_bool(app, "flow-control");
    if (cli_given(app, "headers-only")) c->headers_only = cli_get_bool(app, "headers-only");
    if (cli_given(app, "memory")) c->mem_storage = cli_get_bool(app, "memory");
    int status = apply_deliver(app, c);
    apply_filters(app, c);
    if (status == CLI_OK) status = apply_ack(app, c);
    if (status == CLI_OK) status = apply_numbers(app, c);
    if (status == CLI_OK) status = apply_backoff(app, c);
    if (status == CLI_OK) status = apply_groups(app, c);
    if (status == CLI_OK && cli_given(app, "metadata"))
        status = cli_js_pairs(app, "metadata", &c->metadata, &c->metadata_len);
    if (status == CLI_OK && pause != NULL) status = cli_consumer_until(app, pause, &c->pause_until);
    return status;
}

int cli_consumer_config_read(cli_js *js, midge_str text, midge_consumer_config *c) {
    if (text.n == 0) return CLI_FAILED;
    *c = (midge_consumer_config){0};
    if (mgc_bind_parse(text, mgc_consumer_config_fields, c, &js->arena) != 0)
        return cli_fail(js->app, "this is no config of a consumer");
    c->metadata = cli_js_metadata(js->app, c->metadata, &c->metadata_len);
    return CLI_OK;
}

const cli_flag cli_consumer_config_flags[] = {
    {.name = "ack", .type = CLI_ENUM, .choices = "none all explicit flow_control",
     .help = "Which messages need an acknowledgement"},
    {.name = "bps", .type = CLI_UINT, .placeholder = "BITS", .help = "Deliver at most so many bits a second (push)"},
    {.name = "backoff", .type = CLI_ENUM, .choices = "none linear", .help = "Wait longer with each redelivery"},
    {.name = "backoff-steps", .type = CLI_UINT, .value = "10", .help = "In so many steps"},
    {.name = "backoff-min", .type = CLI_DURATION, .value = "1m", .help = "The shortest wait"},
    {.name = "backoff-max", .type = CLI_DURATION, .value = "20m", .help = "The longest wait"},
    {.name = "deliver", .type = CLI_STRING, .placeholder = "POLICY",
     .help = "Where to begin: all, new, last, subject (the last of each), 1h (ago), a sequence"},
    {.name = "deliver-group", .type = CLI_STRING, .placeholder = "GROUP", .help = "Queue group that is delivered to"},
    {.name = "description", .type = CLI_STRING, .help = "A few words about it"},
    {.name = "filter", .type = CLI_STRINGS, .placeholder = "SUBJECTS", .help = "Only messages of these subjects"},
    {.name = "flow-control", .type = CLI_SWITCH, .help = "Flow control (push)"},
    {.name = "heartbeat", .type = CLI_STRING, .placeholder = "DURATION",
     .help = "Heartbeats when idle (push); -1: none"},
    {.name = "headers-only", .type = CLI_BOOL, .help = "Deliver headers without bodies"},
    {.name = "max-deliver", .type = CLI_INT, .placeholder = "TRIES",
     .help = "How often a message is delivered at most"},
    {.name = "max-pending", .type = CLI_INT, .help = "Messages that may wait for an acknowledgement"},
    {.name = "max-waiting", .type = CLI_INT, .placeholder = "PULLS", .help = "Pull requests that may wait"},
    {.name = "max-pull-batch", .type = CLI_INT, .help = "Largest batch of a pull request"},
    {.name = "max-pull-expire", .type = CLI_STRING, .placeholder = "DURATION",
     .help = "Longest wait of a pull request"},
    {.name = "max-pull-bytes", .type = CLI_STRING, .placeholder = "BYTES", .help = "Most bytes of a pull request"},
    {.name = "pull", .type = CLI_SWITCH, .help = "Deliver what is asked for; the default without --target"},
    {.name = "replay", .type = CLI_ENUM, .choices = "instant original", .help = "At once, or as fast as it came in"},
    {.name = "sample", .type = CLI_INT, .value = "-1", .help = "Percentage of acknowledgements to sample"},
    {.name = "target", .type = CLI_STRING, .placeholder = "SUBJECT", .help = "Deliver to this subject (push)"},
    {.name = "wait", .type = CLI_STRING, .value = "-1s", .help = "How long an acknowledgement may take"},
    {.name = "inactive-threshold", .type = CLI_STRING, .placeholder = "DURATION",
     .help = "Remove the consumer when nobody has used it for so long"},
    {.name = "memory", .type = CLI_SWITCH, .help = "Keep its state in memory"},
    {.name = "replicas", .type = CLI_INT, .help = "How many servers keep its state"},
    {.name = "metadata", .type = CLI_STRINGS, .placeholder = "K:V", .help = "Adds metadata"},
    {.name = "pause", .type = CLI_STRING, .placeholder = "UNTIL",
     .help = "Begin paused: for a duration or until a time"},
    {.name = "pinned-groups", .type = CLI_STRINGS, .placeholder = "GROUPS", .help = "Groups with one client at a time"},
    {.name = "pinned-ttl", .type = CLI_STRING, .placeholder = "DURATION",
     .help = "How long a silent client stays pinned"},
    {.name = "overflow-groups", .type = CLI_STRINGS, .placeholder = "GROUPS",
     .help = "Groups that take what overflows"},
    {.name = "prioritized-groups", .type = CLI_STRINGS, .placeholder = "GROUPS", .help = "Groups with priorities"},
    {0},
};
