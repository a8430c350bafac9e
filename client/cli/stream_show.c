// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a stream is and holds, as columns: the lines of the nats command, in its order.
#include <inttypes.h>
#include <string.h>

#include "client/cli/stream.h"
#include "client/cli/units.h"

const char *cli_retention_name(enum midge_retention r) {
    static const char *const names[] = {"Limits", "Interest", "WorkQueue"};
    return names[r];
}

const char *cli_storage_name(enum midge_storage s) { return s == MIDGE_STORE_FILE ? "File" : "Memory"; }

// A limit: 0 and less is none.
static void limit(cli_facts *c, const char *name, int64_t v, bool bytes) {
    cli_facts_text(c, name, v <= 0 ? "unlimited" : bytes ? cli_bytes((uint64_t)v).s : cli_count((uint64_t)v).s);
}

static void duration_or(cli_facts *c, const char *name, int64_t v, const char *none) {
    cli_facts_text(c, name, v > 0 ? cli_duration(v).s : none);
}

// "a.> to b.>" of a member {"src":...,"dest":...}.
static const char *mapping(cli *app, midge_str json) {
    const char *from = cli_js_member(app, json, "src"), *to = cli_js_member(app, json, "dest");
    if (to == NULL || *to == '\0') return NULL;
    return cli_printf(app, "%s to %s", from != NULL && *from != '\0' ? from : ">", to);
}

static void show_placement(cli_facts *c, cli *app, midge_str placement) {
    mgc_json j;
    const char *tags = NULL;
    cli_facts_text(c, "Placement Cluster", cli_js_member(app, placement, "cluster"));
    if (!mgc_json_find(placement, "tags", &j) || j.type != MGC_JSON_ARRAY) return;
    while (mgc_json_next(&j) == MGC_JSON_STRING)
        tags = cli_printf(app, "%s%s%.*s", tags != NULL ? tags : "", tags != NULL ? ", " : "", (int)j.text.n, j.text.p);
    cli_facts_text(c, "Placement Tags", tags);
}

static void show_options(cli_facts *c, cli *app, const midge_stream_config *s) {
    cli_facts_title(c, "Options");
    cli_facts_text(c, "Subject Transform", mapping(app, s->subject_transform));
    const char *headers = cli_js_member(app, s->republish, "headers_only");
    cli_facts_text(c, headers != NULL && strcmp(headers, "true") == 0 ? "Republishing Headers" : "Republishing",
                     mapping(app, s->republish));
    cli_facts_text(c, "Retention", cli_retention_name(s->retention));
    cli_facts_flag(c, "Acknowledgments", !s->no_ack);
    const char *discard = s->discard == MIDGE_DISCARD_NEW ? "New" : "Old";
    cli_facts_text(c, "Discard Policy", s->discard_new_per_subject ? "New Per Subject" : discard);
    cli_facts_text(c, "Duplicate Window", cli_duration(s->duplicate_window).s);
    if (s->allow_direct) cli_facts_flag(c, "Direct Get", true);
    if (s->mirror_direct) cli_facts_flag(c, "Mirror Direct Get", true);
    cli_facts_flag(c, "Allows Atomic Batch Publish", s->allow_atomic);
    cli_facts_flag(c, "Allows Fast Batch Publish", s->allow_batched);
    cli_facts_flag(c, "Allows Counters", s->allow_msg_counter);
    cli_facts_flag(c, "Allows Msg Delete", !s->deny_delete);
    cli_facts_flag(c, "Allows Per-Message TTL", s->allow_msg_ttl);
    cli_facts_flag(c, "Allows Purge", !s->deny_purge);
    cli_facts_flag(c, "Allows Schedules", s->allow_msg_schedules);
    if (s->allow_msg_ttl) duration_or(c, "Subject Delete Markers TTL", s->subject_delete_marker_ttl, NULL);
    cli_facts_flag(c, "Allows Rollups", s->allow_rollup_hdrs);
}

static void show_limits(cli_facts *c, const midge_stream_config *s) {
    cli_facts_title(c, "Limits");
    limit(c, "Maximum Messages", s->max_msgs, false);
    limit(c, "Maximum Per Subject", s->max_msgs_per_subject, false);
    limit(c, "Maximum Bytes", s->max_bytes, true);
    duration_or(c, "Maximum Age", s->max_age, "unlimited");
    limit(c, "Maximum Message Size", s->max_msg_size, true);
    limit(c, "Maximum Consumers", s->max_consumers, false);
    duration_or(c, "Consumer Inactive Threshold",
                (int64_t)cli_js_number(s->consumer_limits, "inactive_threshold"), NULL);
    uint64_t pending = cli_js_number(s->consumer_limits, "max_ack_pending");
    if (pending > 0) cli_facts_row(c, "Consumer Max Ack Pending", "%s", cli_count(pending).s);
}

static const char *source_text(cli *app, midge_str source) {
    static const struct {
        const char *path, *words;
    } more[] = {{"filter_subject", "Filter"}, {"opt_start_seq", "Start Seq"}, {"opt_start_time", "Start Time"},
                {"external.api", "API Prefix"}, {"external.deliver", "Delivery Prefix"}};
    const char *text = cli_js_member(app, source, "name");
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        const char *v = cli_js_member(app, source, more[i].path);
        if (v != NULL && *v != '\0' && strcmp(v, "0") != 0)
            text = cli_printf(app, "%s, %s: %s", text, more[i].words, v);
    }
    return text;
}

static void show_sources(cli_facts *c, cli *app, const midge_stream_config *s) {
    mgc_json j;
    if (s->mirror.n > 0 || s->sources.n > 0) cli_facts_title(c, "Replication");
    if (s->mirror.n > 0) cli_facts_text(c, "Mirror", source_text(app, s->mirror));
    mgc_json_init(&j, s->sources);
    const char *name = "Sources";
    for (mgc_json_next(&j); mgc_json_next(&j) == MGC_JSON_OBJECT; name = "")
        cli_facts_row(c, name, "%s", source_text(app, mgc_json_raw(&j)));
}

static void show_config(cli_facts *c, cli *app, const midge_stream_config *s) {
    cli_facts_text(c, "Description", cli_js_text(app, s->description));
    cli_facts_text(c, "Subjects", cli_js_join(app, s->subjects, s->subjects_len));
    cli_facts_row(c, "Replicas", "%" PRId64, s->num_replicas);
    if (s->sealed) cli_facts_flag(c, "Sealed", true);
    cli_facts_text(c, "Storage", cli_storage_name(s->storage));
    if (s->compression == MIDGE_COMPRESS_S2) cli_facts_text(c, "Compression", "S2 Compression");
    if (s->persist_mode.n > 0) cli_facts_text(c, "Persistence Mode", "Async");
    if (s->first_seq > 0) cli_facts_row(c, "First Sequence", "%s", cli_count(s->first_seq).s);
    show_placement(c, app, s->placement);
    show_options(c, app, s);
    show_limits(c, s);
    cli_js_show_metadata(c, app, s->metadata, s->metadata_len);
    show_sources(c, app, s);
    cli_facts_line(c, "");
}

static void show_origin(cli_facts *c, cli *app, midge_str origin) {
    uint64_t active = cli_js_number(origin, "active");
    cli_facts_text(c, "Stream Name", cli_js_member(app, origin, "name"));
    cli_facts_text(c, "Subject Filter", cli_js_member(app, origin, "filter_subject"));
    cli_facts_row(c, "Lag", "%s", cli_count(cli_js_number(origin, "lag")).s);
    duration_or(c, "Last Seen", active < INT64_MAX ? (int64_t)active : 0, "never");
    cli_facts_text(c, "Ext. API Prefix", cli_js_member(app, origin, "external.api"));
    cli_facts_text(c, "Ext. Delivery Prefix", cli_js_member(app, origin, "external.deliver"));
    cli_facts_text(c, "Error", cli_js_member(app, origin, "error.description"));
}

void cli_stream_show_replication(cli_facts *c, cli *app, const midge_stream_result *s) {
    mgc_json j;
    if (s->mirror.n > 0) {
        cli_facts_title(c, "Mirror Information");
        show_origin(c, app, s->mirror);
    }
    mgc_json_init(&j, s->sources);
    if (mgc_json_next(&j) != MGC_JSON_ARRAY) return;
    cli_facts_title(c, "Source Information");
    while (mgc_json_next(&j) == MGC_JSON_OBJECT) {
        show_origin(c, app, mgc_json_raw(&j));
        cli_facts_line(c, "");
    }
}

static void sequence(cli_facts *c, const char *name, uint64_t seq, int64_t time) {
    cli_facts_row(c, name, "%s%s%s", cli_count(seq).s, time != 0 ? " @ " : "", time != 0 ? cli_time(time).s : "");
}

static void show_state(cli_facts *c, cli *app, const midge_stream_result *s) {
    const midge_stream_state *state = &s->state;
    cli_facts_title(c, "State");
    cli_js_show_host(c, app, s->config.metadata, s->config.metadata_len);
    cli_facts_row(c, "Messages", "%s", cli_count(state->messages).s);
    cli_facts_row(c, "Bytes", "%s", cli_bytes(state->bytes).s);
    if (state->lost.n > 0)
        cli_facts_row(c, "Lost Messages", "%s", cli_bytes(cli_js_number(state->lost, "bytes")).s);
    sequence(c, "First Sequence", state->first_seq, state->first_ts);
    sequence(c, "Last Sequence", state->last_seq, state->last_ts);
    if (state->num_deleted > 0) cli_facts_row(c, "Deleted Messages", "%s", cli_count(state->num_deleted).s);
    cli_facts_row(c, "Active Consumers", "%s", cli_count(state->consumer_count).s);
    if (state->num_subjects > 0) cli_facts_row(c, "Number of Subjects", "%s", cli_count(state->num_subjects).s);
}

void cli_stream_show(cli_js *js, const midge_stream_result *s, midge_str json, bool with_config) {
    if (js->json) {
        cli_js_print(json);
        return;
    }
    cli_facts *c = cli_facts_new(js->app, "%s for Stream %.*s created %s", with_config ? "Information" : "State",
                                     (int)s->config.name.n, s->config.name.p, cli_time(s->created).s);
    if (with_config) show_config(c, js->app, &s->config);
    cli_js_show_cluster(c, js->app, s->cluster, "Cluster Group");
    cli_stream_show_replication(c, js->app, s);
    show_state(c, js->app, s);
    cli_facts_print(c);
}
