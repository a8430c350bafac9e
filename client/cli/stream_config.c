// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The config of a stream from flags: those that are given are laid over what is there, so `add` begins with defaults
// and `edit` with the stream's own config.
#include <string.h>

#include "client/cli/stream.h"
#include "client/host/bind.h"
#include "client/host/op.h"

// The number of a flag's value among `names`; -1: not given.
static int choice(cli *app, const char *flag, const char *const *names) {
    const char *text = cli_given(app, flag) ? cli_get_string(app, flag) : NULL;
    for (int i = 0; text != NULL && names[i] != NULL; i++)
        if (strncmp(text, names[i], 4) == 0) return i; // work, workq, workqueue
    return -1;
}

static void apply_choices(cli *app, midge_stream_config *c) {
    static const char *const storages[] = {"file", "memory", NULL}, *const discards[] = {"old", "new", NULL};
    static const char *const retentions[] = {"limits", "interest", "work", NULL};
    static const char *const codecs[] = {"none", "s2", NULL};
    int n;
    if ((n = choice(app, "storage", storages)) >= 0) c->storage = (enum midge_storage)n;
    if ((n = choice(app, "discard", discards)) >= 0) c->discard = (enum midge_discard)n;
    if ((n = choice(app, "retention", retentions)) >= 0) c->retention = (enum midge_retention)n;
    if ((n = choice(app, "compression", codecs)) >= 0) c->compression = (enum midge_compression)n;
    if (cli_given(app, "persist-mode"))
        c->persist_mode = strcmp(cli_get_string(app, "persist-mode"), "async") == 0 ? MIDGE_STR("async") : MIDGE_NONE;
}

static void apply_switches(cli *app, midge_stream_config *c) {
    const struct {
        const char *flag;
        bool *member;
    } table[] = {
        {"discard-per-subject", &c->discard_new_per_subject}, {"allow-batch", &c->allow_atomic},
        {"allow-fast", &c->allow_batched},                    {"allow-counter", &c->allow_msg_counter},
        {"allow-rollup", &c->allow_rollup_hdrs},              {"deny-delete", &c->deny_delete},
        {"deny-purge", &c->deny_purge},                       {"allow-direct", &c->allow_direct},
        {"allow-mirror-direct", &c->mirror_direct},           {"allow-msg-ttl", &c->allow_msg_ttl},
        {"allow-schedules", &c->allow_msg_schedules},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (cli_given(app, table[i].flag)) *table[i].member = cli_get_bool(app, table[i].flag);
    if (cli_given(app, "ack")) c->no_ack = !cli_get_bool(app, "ack");
}

static int apply_numbers(cli *app, midge_stream_config *c) {
    const struct {
        const char *flag;
        int64_t *member;
    } counts[] = {{"max-msgs", &c->max_msgs},
                  {"max-msgs-per-subject", &c->max_msgs_per_subject},
                  {"max-consumers", &c->max_consumers},
                  {"replicas", &c->num_replicas}},
      sizes[] = {{"max-bytes", &c->max_bytes}, {"max-msg-size", &c->max_msg_size}},
      times[] = {{"max-age", &c->max_age},
                 {"dupe-window", &c->duplicate_window},
                 {"subject-del-markers-ttl", &c->subject_delete_marker_ttl}};
    int status = CLI_OK;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (cli_given(app, counts[i].flag)) *counts[i].member = cli_get_int(app, counts[i].flag);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && status == CLI_OK; i++)
        status = cli_js_bytes(app, sizes[i].flag, sizes[i].member);
    for (size_t i = 0; i < sizeof times / sizeof times[0] && status == CLI_OK; i++) {
        status = cli_js_duration(app, times[i].flag, times[i].member);
        if (*times[i].member < 0) *times[i].member = 0;
    }
    if (cli_given(app, "first-sequence")) c->first_seq = cli_get_uint(app, "first-sequence");
    return status;
}

static void apply_consumer_limits(cli *app, midge_stream_config *c) {
    if (!cli_given(app, "limit-consumer-inactive") && !cli_given(app, "limit-consumer-max-pending")) return;
    uint64_t inactive = cli_get_duration(app, "limit-consumer-inactive");
    uint64_t pending = cli_get_uint(app, "limit-consumer-max-pending");
    mgc_json_out o;
    mgc_json_out_init(&o, NULL, 0);
    mgc_json_open(&o, NULL, '{');
    if (inactive > 0) mgc_json_put_u64(&o, "inactive_threshold", inactive);
    if (pending > 0) mgc_json_put_u64(&o, "max_ack_pending", pending);
    mgc_json_close(&o);
    c->consumer_limits = cli_js_written(app, &o);
}

int cli_stream_config_flags_apply(cli_js *js, midge_stream_config *c) {
    cli *app = js->app;
    apply_choices(app, c);
    apply_switches(app, c);
    apply_consumer_limits(app, c);
    int status = apply_numbers(app, c);
    if (status == CLI_OK) status = cli_js_mapping(app, "republish", true, &c->republish);
    if (status == CLI_OK) status = cli_js_mapping(app, "transform", false, &c->subject_transform);
    if (status == CLI_OK && cli_given(app, "metadata"))
        status = cli_js_pairs(app, "metadata", &c->metadata, &c->metadata_len);
    if (cli_given(app, "description")) c->description = midge_cstr(cli_get_string(app, "description"));
    if (cli_given(app, "subjects")) c->subjects = cli_js_words(app, "subjects", &c->subjects_len);
    if (cli_given(app, "mirror")) c->mirror = cli_js_source(app, cli_get_string(app, "mirror"), "");
    if (cli_given(app, "source")) c->sources = cli_js_sources(app, "source", "");
    c->placement = cli_js_placement(app, "tag", c->placement);
    return status;
}

int cli_stream_config_read(cli_js *js, midge_str text, midge_stream_config *c) {
    if (text.n == 0) return CLI_FAILED;
    *c = (midge_stream_config){0};
    if (mgc_bind_parse(text, mgc_stream_config_fields, c, &js->arena) != 0)
        return cli_fail(js->app, "this is no config of a stream");
    c->metadata = cli_js_metadata(js->app, c->metadata, &c->metadata_len);
    return CLI_OK;
}

const cli_flag cli_stream_config_flags[] = {
    {.name = "subjects", .type = CLI_STRINGS, .help = "Subjects that the stream takes messages from"},
    {.name = "description", .type = CLI_STRING, .help = "A few words about it"},
    {.name = "storage", .type = CLI_ENUM, .choices = "file memory", .help = "Where messages are kept"},
    {.name = "compression", .type = CLI_ENUM, .choices = "none s2", .help = "Compression of what is stored in files"},
    {.name = "replicas", .type = CLI_INT, .help = "How many servers of a cluster keep it"},
    {.name = "tag", .type = CLI_STRINGS, .help = "Only on servers that have this tag"},
    {.name = "cluster", .type = CLI_STRING, .help = "Only in this cluster"},
    {.name = "ack", .type = CLI_BOOL, .value = "true", .help = "Acknowledge what is published"},
    {.name = "retention", .type = CLI_ENUM, .choices = "limits interest work workq workqueue",
     .help = "How long messages stay: within the limits; while consumers want them; until one has handled them"},
    {.name = "discard", .type = CLI_ENUM, .choices = "new old",
     .help = "What gives way when a limit is reached: new messages, or the oldest ones"},
    {.name = "discard-per-subject", .type = CLI_BOOL, .help = "Refuse new messages of a subject that is at its limit"},
    {.name = "first-sequence", .type = CLI_UINT, .help = "Sequence of the first message"},
    {.name = "max-age", .type = CLI_STRING, .placeholder = "DURATION", .help = "How old messages become; -1: any age"},
    {.name = "max-bytes", .type = CLI_STRING, .placeholder = "BYTES", .help = "Bytes to keep; -1: no limit"},
    {.name = "max-consumers", .type = CLI_INT, .value = "-1", .help = "How many consumers it may have"},
    {.name = "max-msg-size", .type = CLI_STRING, .placeholder = "BYTES", .help = "Largest message that is taken"},
    {.name = "max-msgs", .type = CLI_INT, .help = "Messages to keep; -1: no limit"},
    {.name = "max-msgs-per-subject", .type = CLI_INT, .help = "Messages to keep of each subject; -1: no limit"},
    {.name = "dupe-window", .type = CLI_STRING, .placeholder = "DURATION",
     .help = "How long the ids of messages are remembered, to store each once"},
    {.name = "mirror", .type = CLI_STRING, .placeholder = "STREAM",
     .help = "Be a copy of another stream: its name, or JSON"},
    {.name = "source", .type = CLI_STRINGS, .placeholder = "STREAM",
     .help = "Take messages of other streams: their names, or JSON"},
    {.name = "allow-batch", .type = CLI_BOOL, .help = "Allow batches that are stored as a whole"},
    {.name = "allow-fast", .type = CLI_BOOL, .help = "Allow fast batches"},
    {.name = "allow-counter", .type = CLI_SWITCH, .help = "Subjects are counters"},
    {.name = "allow-rollup", .type = CLI_BOOL, .help = "Messages may replace all earlier ones, by a header"},
    {.name = "deny-delete", .type = CLI_BOOL, .help = "Messages cannot be deleted"},
    {.name = "deny-purge", .type = CLI_BOOL, .help = "The stream cannot be purged"},
    {.name = "allow-direct", .type = CLI_BOOL, .value = "true", .help = "Messages can be read directly"},
    {.name = "allow-mirror-direct", .type = CLI_BOOL, .help = "Messages can be read directly from mirrors"},
    {.name = "allow-msg-ttl", .type = CLI_SWITCH, .help = "Messages may have a time to live of their own"},
    {.name = "allow-schedules", .type = CLI_BOOL, .help = "Messages may be schedules"},
    {.name = "subject-del-markers-ttl", .type = CLI_STRING, .placeholder = "DURATION",
     .help = "How long markers of subjects that aged away stay"},
    {.name = "transform-source", .type = CLI_STRING, .placeholder = "SUBJECT",
     .help = "Subjects to store under others"},
    {.name = "transform-destination", .type = CLI_STRING, .placeholder = "SUBJECT", .help = "What they become"},
    {.name = "metadata", .type = CLI_STRINGS, .placeholder = "K:V", .help = "Adds metadata"},
    {.name = "republish-source", .type = CLI_STRING, .placeholder = "SUBJECT",
     .help = "Subjects to publish again when they are stored"},
    {.name = "republish-destination", .type = CLI_STRING, .placeholder = "SUBJECT", .help = "Where to"},
    {.name = "republish-headers", .type = CLI_SWITCH, .help = "Publish again headers without bodies"},
    {.name = "limit-consumer-inactive", .type = CLI_DURATION, .placeholder = "DURATION",
     .help = "Largest inactive threshold that consumers may have"},
    {.name = "limit-consumer-max-pending", .type = CLI_UINT, .help = "Most pending acknowledgements of a consumer"},
    {.name = "persist-mode", .type = CLI_ENUM, .choices = "default async", .help = "When messages are acknowledged"},
    {0},
};
