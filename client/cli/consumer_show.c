// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a consumer is and where it stands, as columns: the lines of the nats command, in its order.
#include <inttypes.h>
#include <string.h>

#include "client/cli/consumer.h"
#include "client/cli/units.h"

const char *cli_ack_name(enum midge_ack_policy p) {
    static const char *const names[] = {"Explicit", "None", "All", "Flow Control"};
    return names[p];
}

bool cli_consumer_is_pull(const midge_consumer_config *c) { return c->deliver_subject.n == 0; }

static const char *deliver_text(cli *app, const midge_consumer_config *c) {
    switch (c->deliver_policy) {
    case MIDGE_DELIVER_ALL: return "All";
    case MIDGE_DELIVER_LAST: return "Last";
    case MIDGE_DELIVER_NEW: return "New";
    case MIDGE_DELIVER_BY_START_SEQUENCE: return cli_printf(app, "From Sequence %" PRIu64, c->opt_start_seq);
    case MIDGE_DELIVER_BY_START_TIME: return cli_printf(app, "Since %s", cli_js_exact_time(app, c->opt_start_time));
    case MIDGE_DELIVER_LAST_PER_SUBJECT: return "Last Per Subject";
    }
    return "Unknown";
}

static const char *backoff_text(cli *app, const midge_consumer_config *c) {
    const char *text = "";
    bool cut = c->backoff_len > 15;
    for (size_t i = 0; i < c->backoff_len; i++) {
        if (cut && i == 5) {
            i = c->backoff_len - 5;
            text = cli_printf(app, "%s, ...", text);
        }
        text = cli_printf(app, "%s%s%s", text, i > 0 ? ", " : "", cli_duration_exact(c->backoff[i]).s);
    }
    return cut ? cli_printf(app, "%s (%zu total)", text, c->backoff_len) : text;
}

// Whole seconds of a duration, as Go rounds and prints it.
static cli_text rounded(int64_t ns) { return cli_duration_exact((ns + CLI_SEC / 2) / CLI_SEC * CLI_SEC); }

static void duration(cli_facts *f, const char *name, int64_t v) {
    if (v > 0) cli_facts_row(f, name, "%s", cli_duration(v).s);
}

static void count(cli_facts *f, const char *name, int64_t v) {
    if (v > 0) cli_facts_row(f, name, "%s", cli_count((uint64_t)v).s);
}

static void show_limits(cli_facts *f, cli *app, const midge_consumer_config *c) {
    if (c->max_deliver != -1) cli_facts_row(f, "Maximum Deliveries", "%" PRId64, c->max_deliver);
    cli_facts_text(f, "Sampling Rate", cli_js_text(app, c->sample_freq));
    if (c->rate_limit_bps > 0) cli_facts_row(f, "Rate Limit", "%s / second", cli_bytes(c->rate_limit_bps / 8).s);
    count(f, "Max Ack Pending", c->max_ack_pending);
    count(f, "Max Waiting Pulls", c->max_waiting);
    duration(f, "Idle Heartbeat", c->idle_heartbeat);
    if (!cli_consumer_is_pull(c)) cli_facts_flag(f, "Flow Control", c->flow_control);
    if (c->headers_only) cli_facts_flag(f, "Headers Only", true);
    if (cli_consumer_is_pull(c)) duration(f, "Inactive Threshold", c->inactive_threshold);
    duration(f, "Max Pull Expire", c->max_expires);
    count(f, "Max Pull Batch", c->max_batch);
    count(f, "Max Pull MaxBytes", c->max_bytes);
    cli_facts_text(f, "Backoff", backoff_text(app, c));
    count(f, "Replicas", c->num_replicas);
    if (c->mem_storage) cli_facts_flag(f, "Memory Storage", true);
}

static void show_priority(cli_facts *f, cli *app, const midge_consumer_config *c) {
    static const char *const names[][2] = {
        {"overflow", "Overflow"}, {"pinned_client", "Pinned Client"}, {"prioritized", "Prioritized"}};
    const char *policy = cli_js_text(app, c->priority_policy), *name = policy;
    if (policy == NULL || strcmp(policy, "none") == 0) return;
    for (size_t i = 0; i < 3; i++)
        if (strcmp(policy, names[i][0]) == 0) name = names[i][1];
    cli_facts_text(f, "Priority Policy", name);
    cli_facts_text(f, "Priority Groups", cli_js_join(app, c->priority_groups, c->priority_groups_len));
    if (strcmp(policy, "pinned_client") == 0) duration(f, "Pinned TTL", c->priority_timeout);
}

static void show_config(cli_facts *f, cli *app, const midge_consumer_result *r) {
    const midge_consumer_config *c = &r->config;
    const char *name = cli_js_text(app, c->name), *durable = cli_js_text(app, c->durable);
    cli_facts_title(f, "Configuration");
    cli_facts_text(f, "Name", name);
    if (durable != NULL && (name == NULL || strcmp(name, durable) != 0)) cli_facts_text(f, "Durable Name", durable);
    cli_facts_text(f, "Description", cli_js_text(app, c->description));
    if (cli_consumer_is_pull(c)) cli_facts_flag(f, "Pull Mode", true);
    cli_facts_text(f, "Delivery Subject", cli_js_text(app, c->deliver_subject));
    cli_facts_text(f, "Filter Subject", cli_js_text(app, c->filter_subject));
    if (c->filter_subject.n == 0)
        cli_facts_text(f, "Filter Subjects", cli_js_join(app, c->filter_subjects, c->filter_subjects_len));
    cli_facts_text(f, "Deliver Policy", deliver_text(app, c));
    cli_facts_text(f, "Deliver Queue Group", cli_js_text(app, c->deliver_group));
    cli_facts_text(f, "Ack Policy", cli_ack_name(c->ack_policy));
    if (c->ack_policy != MIDGE_ACK_NONE) cli_facts_row(f, "Ack Wait", "%s", cli_duration(c->ack_wait).s);
    cli_facts_text(f, "Replay Policy", c->replay_policy == MIDGE_REPLAY_INSTANT ? "Instant" : "Original");
    show_limits(f, app, c);
    if (r->paused) {
        cli_facts_row(f, "Paused Until Deadline", "%s (%s remaining)", cli_time(c->pause_until).s,
                      rounded(r->pause_remaining).s);
    } else if (c->pause_until != 0) {
        cli_facts_row(f, "Paused Until Deadline", "%s (passed)", cli_time(c->pause_until).s);
    }
    show_priority(f, app, c);
    cli_js_show_metadata(f, app, c->metadata, c->metadata_len);
}

static void show_position(cli_facts *f, cli *app, const char *name, const midge_consumer_position *p, int64_t now,
                          const char *last) {
    const char *ago = p->last_active != 0
                          ? cli_printf(app, " %s: %s ago", last, cli_js_ago(app, now, p->last_active)) : "";
    cli_facts_row(f, name, "Consumer sequence: %s Stream sequence: %s%s", cli_count(p->consumer_seq).s,
                  cli_count(p->stream_seq).s, ago);
}

static void show_pinned(cli_facts *f, cli *app, const midge_consumer_result *r) {
    mgc_json j;
    const char *name = "Priority Groups";
    mgc_json_init(&j, r->priority_groups);
    if (r->config.priority_policy.n == 0 || mgc_json_next(&j) != MGC_JSON_ARRAY) return;
    for (; mgc_json_next(&j) == MGC_JSON_OBJECT; name = "") {
        midge_str group = mgc_json_raw(&j);
        const char *id = cli_js_member(app, group, "pinned_client_id"), *at = cli_js_member(app, group, "pinned_ts");
        const char *state = id != NULL && *id != '\0' ? cli_printf(app, "pinned %s at %s", id, at != NULL ? at : "")
                                                      : "No client";
        cli_facts_row(f, name, "%s: %s", cli_js_member(app, group, "group"), state);
    }
}

static void show_state(cli_facts *f, cli *app, const midge_consumer_result *r) {
    const midge_consumer_config *c = &r->config;
    cli_facts_title(f, "State");
    cli_js_show_host(f, app, c->metadata, c->metadata_len);
    show_position(f, app, "Last Delivered Message", &r->delivered, r->ts, "Last delivery");
    if (c->ack_policy != MIDGE_ACK_NONE) {
        show_position(f, app, "Acknowledgment Floor", &r->ack_floor, r->ts, "Last Ack");
        const char *most = c->max_ack_pending > 0
                               ? cli_printf(app, " out of maximum %s", cli_count((uint64_t)c->max_ack_pending).s) : "";
        cli_facts_row(f, "Outstanding Acks", "%s%s", cli_count(r->num_ack_pending).s, most);
        cli_facts_row(f, "Redelivered Messages", "%s", cli_count(r->num_redelivered).s);
    }
    cli_facts_row(f, "Unprocessed Messages", "%s", cli_count(r->num_pending).s);
    if (cli_consumer_is_pull(c)) {
        const char *most = c->max_waiting > 0 ? cli_printf(app, "maximum %s", cli_count((uint64_t)c->max_waiting).s)
                                              : "unlimited";
        cli_facts_row(f, "Waiting Pulls", "%s of %s", cli_count(r->num_waiting).s, most);
    } else if (r->push_bound) {
        const char *group = cli_js_text(app, c->deliver_group);
        cli_facts_row(f, "Active Interest", "Active%s%s", group != NULL ? " using Queue Group " : "",
                      group != NULL ? group : "");
    } else {
        cli_facts_text(f, "Active Interest", "No interest");
    }
    if (r->paused)
        cli_facts_row(f, "Paused Until", "%s (%s remaining)", cli_time(r->ts + r->pause_remaining).s,
                      rounded(r->pause_remaining).s);
    show_pinned(f, app, r);
}

const char *cli_consumer_title(cli_js *js) {
    const midge_consumer_result *r = &js->op.consumer;
    return cli_printf(js->app, "%.*s > %.*s", (int)r->stream_name.n, r->stream_name.p, (int)r->name.n, r->name.p);
}

void cli_consumer_show(cli_js *js, bool with_config) {
    const midge_consumer_result *r = &js->op.consumer;
    if (js->json) {
        cli_js_print(js->op.json);
        return;
    }
    cli_facts *f = cli_facts_new(js->app, "%s for Consumer %s created %s", with_config ? "Information" : "State",
                                 cli_consumer_title(js), cli_time(r->created).s);
    if (with_config) show_config(f, js->app, r);
    cli_js_show_cluster(f, js->app, r->cluster, "Raft Group");
    show_state(f, js->app, r);
    cli_facts_print(f);
}
