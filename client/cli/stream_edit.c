// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge stream add, edit, copy. All three make a config and send it whole. What --json or --output print, --config of
// add and edit takes back.
#include <string.h>

#include "client/cli/js_edit.h"
#include "client/cli/prompt.h"
#include "client/cli/stream.h"
#include "client/cli/units.h"
#include "client/host/bind.h"
#include "client/host/op.h"

static midge_str text_of(cli *app, const midge_stream_config *c, unsigned indent) {
    mgc_json_out o;
    mgc_json_out_init(&o, NULL, 0);
    o.indent = indent;
    mgc_bind_write(&o, NULL, mgc_stream_config_fields, c);
    return cli_js_written(app, &o);
}

static int create(cli_js *js, const midge_stream_config *c) {
    int err = cli_js_wait(js, &js->op, midge_stream_create(js->m, &js->op, c));
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not create stream %.*s", (int)c->name.n, c->name.p);
    if (!js->json) printf("Stream %.*s was created\n\n", (int)js->op.stream.config.name.n, js->op.stream.config.name.p);
    cli_stream_show(js, &js->op.stream, js->op.json, true);
    return CLI_OK;
}

// ---- add ------------------------------------------------------------------------------------------------------------

// On a terminal, what must be known and is not given is asked for.
static int ask_missing(cli_js *js, midge_stream_config *c) {
    cli *app = js->app;
    if (c->name.n == 0) c->name = midge_cstr(cli_ask(app, "the argument <stream>", "Stream name"));
    if (c->name.n == 0) return CLI_FAILED;
    if (c->subjects_len > 0 || c->mirror.n > 0 || c->sources.n > 0) return CLI_OK;
    const char *text = cli_ask(app, "--subjects", "Subjects");
    if (text == NULL) return CLI_FAILED;
    midge_str *subjects = cli_alloc(app, (strlen(text) + 1) * sizeof *subjects);
    for (; *text != '\0'; text += strspn(text, ", ")) {
        size_t n = strcspn(text, ", ");
        subjects[c->subjects_len++] = (midge_str){text, n};
        text += n;
    }
    c->subjects = subjects;
    return CLI_OK;
}

static int add(cli_js *js) {
    cli *app = js->app;
    const char *file = cli_get_string(app, "config"), *name = cli_arg_of(app, "stream");
    const char *output = cli_get_string(app, "output");
    midge_stream_config c = {.max_msgs = -1, .max_bytes = -1, .max_msgs_per_subject = -1, .max_msg_size = -1,
                             .max_consumers = -1, .num_replicas = 1, .allow_direct = true};
    if (file != NULL && cli_stream_config_read(js, cli_js_load(js, file), &c) != CLI_OK) return CLI_FAILED;
    if (name != NULL) c.name = midge_cstr(name);
    if (cli_stream_config_flags_apply(js, &c) != CLI_OK || ask_missing(js, &c) != CLI_OK) return CLI_FAILED;
    int64_t window = 120 * CLI_SEC;
    if (file == NULL && c.duplicate_window == 0 && c.mirror.n == 0)
        c.duplicate_window = c.max_age > 0 && c.max_age < window ? c.max_age : window;
    return output != NULL ? cli_js_save(app, output, text_of(app, &c, 2)) : create(js, &c);
}

// ---- edit -----------------------------------------------------------------------------------------------------------

static int change_config(cli_js *js, midge_stream_config *c) {
    cli *app = js->app;
    const char *file = cli_get_string(app, "config");
    if (cli_get_bool(app, "interactive")) {
        midge_str text = cli_js_edited(js, text_of(app, c, 2));
        return cli_stream_config_read(js, text, c);
    }
    if (file != NULL) {
        midge_str name = c->name;
        if (cli_stream_config_read(js, cli_js_load(js, file), c) != CLI_OK) return CLI_FAILED;
        c->name = name;
    }
    if (cli_stream_config_flags_apply(js, c) != CLI_OK) return CLI_FAILED;
    if (cli_get_bool(app, "no-mirror")) c->mirror = MIDGE_NONE;
    if (cli_get_bool(app, "no-transform")) c->subject_transform = MIDGE_NONE;
    if (cli_get_bool(app, "no-republish")) c->republish = MIDGE_NONE;
    return CLI_OK;
}

static int edit(cli_js *js) {
    cli *app = js->app;
    int status;
    const char *name = cli_stream_load(js);
    if (name == NULL) return CLI_FAILED;
    midge_stream_config c = js->op.stream.config;
    c.metadata = cli_js_metadata(app, c.metadata, &c.metadata_len);
    midge_str before = text_of(app, &c, 0);
    if (change_config(js, &c) != CLI_OK) return CLI_FAILED;
    if (!cli_js_agreed(js, before, text_of(app, &c, 0), &status)) return status;
    if (!cli_confirm(app, cli_get_bool(app, "force"), &status, "Really edit stream %s", name)) return status;
    int err = cli_js_wait(js, &js->op, midge_stream_update(js->m, &js->op, &c));
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not edit stream %s", name);
    if (!js->json) printf("Stream %s was updated\n\n", name);
    cli_stream_show(js, &js->op.stream, js->op.json, true);
    return CLI_OK;
}

// ---- copy -----------------------------------------------------------------------------------------------------------

static int copy(cli_js *js) {
    cli *app = js->app;
    const char *source = cli_arg_of(app, "source"), *name = cli_arg_of(app, "destination");
    int err = cli_js_wait(js, &js->op, midge_stream_info(js->m, &js->op, midge_cstr(source), NULL));
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not load stream %s", source);
    if (strcmp(source, name) == 0) return cli_fail(app, "source and destination have the same name");
    midge_stream_config c = js->op.stream.config;
    c.metadata = cli_js_metadata(app, c.metadata, &c.metadata_len);
    c.name = midge_cstr(name);
    if (cli_stream_config_flags_apply(js, &c) != CLI_OK) return CLI_FAILED;
    return create(js, &c);
}

// ---- tables ---------------------------------------------------------------------------------------------------------

static int run_add(cli *app) { return cli_js_run(app, add); }
static int run_edit(cli *app) { return cli_js_run(app, edit); }
static int run_copy(cli *app) { return cli_js_run(app, copy); }

static const cli_flag add_flags[] = {
    {.name = "config", .type = CLI_FILE, .help = "Read the config from a file: JSON of `add`, `info` or --output"},
    {.name = "output", .type = CLI_FILE, .help = "Write the config to a file instead of creating the stream"},
    {.name = "defaults", .type = CLI_SWITCH, .help = "Take defaults for all that is not given; this is always so"},
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print JSON"},
    {0},
};

static const cli_flag edit_flags[] = {
    {.name = "config", .type = CLI_FILE, .help = "Read the config from a file"},
    {.name = "force", .short_name = 'f', .type = CLI_SWITCH, .help = "Do not ask"},
    {.name = "interactive", .short_name = 'i', .type = CLI_BOOL, .help = "Edit the config in $EDITOR"},
    {.name = "dry-run", .type = CLI_SWITCH,
     .help = "Only show what would change; the exit status is 1 if something does"},
    {.name = "no-mirror", .type = CLI_SWITCH, .help = "Be no mirror any more"},
    {.name = "no-transform", .type = CLI_SWITCH, .help = "Store subjects as they are"},
    {.name = "no-republish", .type = CLI_SWITCH, .help = "Publish nothing again"},
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print JSON"},
    {0},
};

static const cli_flag copy_flags[] = {
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print JSON"},
    {0},
};

static const cli_arg copy_args[] = {
    {.name = "source", .help = "Stream to take the config of", .required = true},
    {.name = "destination", .help = "Name of the new stream", .required = true},
    {0},
};

const cli_command cli_command_stream_add = {
    .name = "add",
    .aliases = "create new",
    .summary = "Create a stream",
    .text = "  midge stream add ORDERS --subjects 'orders.>' --max-age 30d\n"
            "  midge stream info ORDERS --json > orders.json\n"
            "  midge stream add --config orders.json\n",
    .flags = add_flags,
    .shared = cli_stream_config_flags,
    .args = cli_stream_arg,
    .run = run_add,
};

const cli_command cli_command_stream_edit = {
    .name = "edit",
    .aliases = "update",
    .summary = "Change the config of a stream",
    .text = "What is not given stays as it is.\n",
    .flags = edit_flags,
    .shared = cli_stream_config_flags,
    .args = cli_stream_arg,
    .run = run_edit,
};

const cli_command cli_command_stream_copy = {
    .name = "copy",
    .aliases = "cp",
    .summary = "Create a stream with the config of another; messages are not copied",
    .flags = copy_flags,
    .shared = cli_stream_config_flags,
    .args = copy_args,
    .run = run_copy,
};
