// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge consumer ls, report.
#include <inttypes.h>

#include "client/cli/consumer.h"
#include "client/cli/table.h"
#include "client/cli/units.h"

static int load_list(cli_js *js, const char *stream) {
    int err = cli_js_wait(js, &js->op, midge_consumer_list(js->m, &js->op, midge_cstr(stream)));
    return err == 0 ? CLI_OK : cli_js_failed(js, &js->op, err, "could not list the consumers of %s", stream);
}

static int ls(cli_js *js) {
    cli *app = js->app;
    const char *stream = cli_js_stream(js);
    if (stream == NULL) return CLI_FAILED;
    if (js->json || cli_get_bool(app, "names"))
        return cli_js_list_names(js, midge_consumer_names(js->m, &js->op, midge_cstr(stream)),
                                 cli_printf(app, "the consumers of %s", stream));
    if (load_list(js, stream) != CLI_OK) return CLI_FAILED;
    if (js->op.len == 0) {
        puts("No Consumers defined");
        return CLI_OK;
    }
    cli_table *t = cli_table_new("Consumers");
    CLI_TABLE_HEADERS(t, "Name", "Description", "Created", "Ack Pending", "Unprocessed", "Last Delivery");
    cli_table_align_right(t, 3);
    cli_table_align_right(t, 4);
    for (size_t i = 0; i < js->op.len; i++) {
        const midge_consumer_result *c = &js->op.consumers[i];
        CLI_TABLE_ROW(t, cli_js_text(app, c->name), cli_js_text(app, c->config.description), cli_time(c->created).s,
                      cli_printf(app, "%" PRIu64, c->num_ack_pending), cli_printf(app, "%" PRIu64, c->num_pending),
                      cli_js_ago(app, c->ts, c->delivered.last_active));
    }
    cli_table_print(t, stdout);
    puts("\n");
    cli_table_free(t);
    return CLI_OK;
}

static void report_row(cli *app, cli_table *t, const midge_consumer_result *c, uint64_t messages, bool raw) {
    const char *level = cli_js_reserved(app, c->config.metadata, c->config.metadata_len, "_nats.req.level");
    const char *left = "0", *cluster = cli_js_member(app, c->cluster, "name");
    const char *leader = cli_js_member(app, c->cluster, "leader");
    if (raw) {
        left = cli_printf(app, "%" PRIu64, c->num_pending);
    } else if (c->num_pending > 0) {
        uint64_t percent = messages > c->num_pending ? c->num_pending * 100 / messages : 100;
        left = cli_printf(app, "%s / %" PRIu64 "%%", cli_count(c->num_pending).s, percent);
    }
#define NUMBER(v) (raw ? cli_printf(app, "%" PRIu64, v) : cli_printf(app, "%s", cli_count(v).s))
    CLI_TABLE_ROW(t, cli_js_text(app, c->name), cli_consumer_is_pull(&c->config) ? "Pull" : "Push",
                  cli_ack_name(c->config.ack_policy), cli_duration(c->config.ack_wait).s, NUMBER(c->num_ack_pending),
                  NUMBER(c->num_redelivered), left, NUMBER(c->ack_floor.stream_seq), level != NULL ? level : "0",
                  cluster != NULL && *cluster != '\0' && leader != NULL ? cli_printf(app, "%s*", leader) : "");
#undef NUMBER
}

static int report(cli_js *js) {
    cli *app = js->app;
    const char *stream = cli_js_stream(js);
    if (stream == NULL) return CLI_FAILED;
    int err = cli_js_wait(js, &js->op, midge_stream_info(js->m, &js->op, midge_cstr(stream), NULL));
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not load stream %s", stream);
    uint64_t messages = js->op.stream.state.messages;
    if (load_list(js, stream) != CLI_OK) return CLI_FAILED;
    cli_table *t =
        cli_table_new(cli_printf(app, "Consumer report for %s with %s consumers", stream, cli_count(js->op.len).s));
    CLI_TABLE_HEADERS(t, "Consumer", "Mode", "Ack Policy", "Ack Wait", "Ack Pending", "Redelivered", "Unprocessed",
                      "Ack Floor", "API Level", "Cluster");
    for (size_t i = 0; i < js->op.len; i++)
        report_row(app, t, &js->op.consumers[i], messages, cli_get_bool(app, "raw"));
    cli_table_print(t, stdout);
    putchar('\n');
    cli_table_free(t);
    return CLI_OK;
}

// ---- tables ---------------------------------------------------------------------------------------------------------

static int run_ls(cli *app) { return cli_js_run(app, ls); }
static int run_report(cli *app) { return cli_js_run(app, report); }

static const cli_flag ls_flags[] = {
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print the names as JSON"},
    {.name = "names", .short_name = 'n', .type = CLI_SWITCH, .help = "Print only the names"},
    {.name = "no-select", .type = CLI_SWITCH, .help = "Do not offer a list", .hidden = true},
    {0},
};
static const cli_flag report_flags[] = {
    {.name = "raw", .short_name = 'r', .type = CLI_SWITCH, .help = "Numbers as they are"},
    {0},
};
static const cli_arg stream_arg[] = {{.name = "stream", .help = "Name of the stream"}, {0}};

const cli_command cli_command_consumer_ls = {
    .name = "ls",
    .aliases = "list",
    .summary = "List the consumers of a stream",
    .flags = ls_flags,
    .args = stream_arg,
    .run = run_ls,
};
const cli_command cli_command_consumer_report = {
    .name = "report",
    .summary = "Where the consumers of a stream stand",
    .flags = report_flags,
    .args = stream_arg,
    .run = run_report,
};
