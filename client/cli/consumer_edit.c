// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge consumer add, edit, copy.
#include <string.h>

#include "client/cli/consumer.h"
#include "client/cli/js_edit.h"
#include "client/cli/prompt.h"
#include "client/host/bind.h"
#include "client/host/op.h"

static midge_str text_of(cli *app, const midge_consumer_config *c, unsigned indent) {
    mgc_json_out o;
    mgc_json_out_init(&o, NULL, 0);
    o.indent = indent;
    mgc_bind_write(&o, NULL, mgc_consumer_config_fields, c);
    return cli_js_written(app, &o);
}

static int send(cli_js *js, const char *stream, const midge_consumer_config *c, enum midge_consumer_action action) {
    midge_str name = c->durable.n > 0 ? c->durable : c->name;
    int err = cli_js_wait(js, &js->op, midge_consumer_create(js->m, &js->op, midge_cstr(stream), c, action));
    if (err != 0)
        return cli_js_failed(js, &js->op, err, "could not %s consumer %s > %.*s",
                             action == MIDGE_CONSUMER_CREATE ? "create" : "edit", stream, (int)name.n,
                             name.n > 0 ? name.p : "");
    cli_consumer_show(js, true);
    return CLI_OK;
}

// ---- add ------------------------------------------------------------------------------------------------------------

// A name makes it durable unless it shall be ephemeral. From a file, the name replaces that of the file.
static int set_name(cli_js *js, midge_consumer_config *c, bool from_file) {
    cli *app = js->app;
    bool ephemeral = cli_get_bool(app, "ephemeral");
    const char *name = cli_arg_of(app, "consumer");
    if (name == NULL && !ephemeral && !from_file) {
        name = cli_ask(app, "the argument <consumer>, or --ephemeral,", "Consumer name");
        if (name == NULL) return CLI_FAILED;
    }
    if (name != NULL && from_file && c->durable.n == 0 && c->name.n > 0) ephemeral = true;
    if (name != NULL) {
        c->name = midge_cstr(name);
        c->durable = ephemeral ? MIDGE_NONE : c->name;
    }
    return CLI_OK;
}

static int add(cli_js *js) {
    cli *app = js->app;
    const char *file = cli_get_string(app, "config"), *output = cli_get_string(app, "output");
    const char *stream = cli_js_stream(js);
    midge_consumer_config c = {.max_deliver = -1};
    if (stream == NULL) return CLI_FAILED;
    if (file != NULL && cli_consumer_config_read(js, cli_js_load(js, file), &c) != CLI_OK) return CLI_FAILED;
    if (set_name(js, &c, file != NULL) != CLI_OK) return CLI_FAILED;
    // Who is pushed to acknowledges only if that is asked for, as natscli has it.
    if (file == NULL && cli_given(app, "target")) c.ack_policy = MIDGE_ACK_NONE;
    if (cli_consumer_config_flags_apply(js, &c) != CLI_OK) return CLI_FAILED;
    if (output != NULL) return cli_js_save(app, output, text_of(app, &c, 2));
    return send(js, stream, &c, MIDGE_CONSUMER_CREATE);
}

// ---- edit -----------------------------------------------------------------------------------------------------------

static int change_config(cli_js *js, midge_consumer_config *c) {
    cli *app = js->app;
    const char *file = cli_get_string(app, "config");
    midge_str name = c->name, durable = c->durable;
    if (cli_get_bool(app, "interactive"))
        return cli_consumer_config_read(js, cli_js_edited(js, text_of(app, c, 2)), c);
    if (file != NULL) {
        if (cli_consumer_config_read(js, cli_js_load(js, file), c) != CLI_OK) return CLI_FAILED;
        c->name = name;
        c->durable = durable;
    }
    return cli_consumer_config_flags_apply(js, c);
}

static int edit(cli_js *js) {
    cli *app = js->app;
    int status;
    if (!cli_consumer_load(js)) return CLI_FAILED;
    midge_consumer_config c = js->op.consumer.config;
    const char *stream = cli_js_text(app, js->op.consumer.stream_name);
    c.metadata = cli_js_metadata(app, c.metadata, &c.metadata_len);
    midge_str before = text_of(app, &c, 0);
    if (change_config(js, &c) != CLI_OK) return CLI_FAILED;
    if (!cli_js_agreed(js, before, text_of(app, &c, 0), &status)) return status;
    if (!cli_confirm(app, cli_get_bool(app, "force"), &status, "Really edit consumer %s", cli_consumer_title(js)))
        return status;
    return send(js, stream, &c, MIDGE_CONSUMER_UPDATE);
}

// ---- copy -----------------------------------------------------------------------------------------------------------

static int copy(cli_js *js) {
    cli *app = js->app;
    const char *stream = cli_arg_of(app, "stream"), *source = cli_arg_of(app, "source");
    const char *name = cli_arg_of(app, "destination");
    int err = cli_js_wait(js, &js->op, midge_consumer_info(js->m, &js->op, midge_cstr(stream), midge_cstr(source)));
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not load consumer %s > %s", stream, source);
    midge_consumer_config c = js->op.consumer.config;
    c.metadata = cli_js_metadata(app, c.metadata, &c.metadata_len);
    if (c.durable.n > 0 && !cli_get_bool(app, "ephemeral")) c.durable = midge_cstr(name);
    else c.durable = MIDGE_NONE;
    c.name = midge_cstr(name);
    if (cli_consumer_config_flags_apply(js, &c) != CLI_OK) return CLI_FAILED;
    return send(js, stream, &c, MIDGE_CONSUMER_CREATE);
}

// ---- tables ---------------------------------------------------------------------------------------------------------

static int run_add(cli *app) { return cli_js_run(app, add); }
static int run_edit(cli *app) { return cli_js_run(app, edit); }
static int run_copy(cli *app) { return cli_js_run(app, copy); }

#define JSON_FLAG {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print JSON"}
#define EPHEMERAL_FLAG {.name = "ephemeral", .type = CLI_SWITCH, .help = "Remove it by itself when nobody uses it"}

static const cli_flag add_flags[] = {
    {.name = "config", .type = CLI_FILE, .help = "Read the config from a file: JSON of `add`, `info` or --output"},
    {.name = "output", .type = CLI_FILE, .help = "Write the config to a file instead of creating the consumer"},
    {.name = "defaults", .type = CLI_SWITCH, .help = "Take defaults for all that is not given; this is always so"},
    EPHEMERAL_FLAG,
    JSON_FLAG,
    {0},
};
static const cli_flag edit_flags[] = {
    {.name = "config", .type = CLI_FILE, .help = "Read the config from a file"},
    {.name = "force", .short_name = 'f', .type = CLI_SWITCH, .help = "Do not ask"},
    {.name = "interactive", .short_name = 'i', .type = CLI_BOOL, .help = "Edit the config in $EDITOR"},
    {.name = "dry-run", .type = CLI_SWITCH,
     .help = "Only show what would change; the exit status is 1 if something does"},
    JSON_FLAG,
    {0},
};
static const cli_flag copy_flags[] = {EPHEMERAL_FLAG, JSON_FLAG, {0}};
static const cli_arg copy_args[] = {
    {.name = "stream", .help = "Name of the stream", .required = true},
    {.name = "source", .help = "Consumer to take the config of", .required = true},
    {.name = "destination", .help = "Name of the new consumer", .required = true},
    {0},
};

const cli_command cli_command_consumer_add = {
    .name = "add",
    .aliases = "create new",
    .summary = "Create a consumer",
    .text = "  midge consumer add ORDERS WORKER --filter orders.new --max-deliver 5\n"
            "  midge consumer add ORDERS MONITOR --target monitor.orders --deliver new\n",
    .flags = add_flags,
    .shared = cli_consumer_config_flags,
    .args = cli_consumer_args,
    .run = run_add,
};
const cli_command cli_command_consumer_edit = {
    .name = "edit",
    .aliases = "update",
    .summary = "Change the config of a consumer",
    .text = "What is not given stays as it is.\n",
    .flags = edit_flags,
    .shared = cli_consumer_config_flags,
    .args = cli_consumer_args,
    .run = run_edit,
};
const cli_command cli_command_consumer_copy = {
    .name = "copy",
    .aliases = "cp",
    .summary = "Create a consumer with the config of another",
    .flags = copy_flags,
    .shared = cli_consumer_config_flags,
    .args = copy_args,
    .run = run_copy,
};
