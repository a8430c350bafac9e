// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge stream get, rmm, view: single messages of a stream. view reads them one by one by their sequence, so it works
// on streams of every retention and leaves no trace.
#include <inttypes.h>
#include <string.h>

#include "client/cli/message.h"
#include "client/cli/prompt.h"
#include "client/cli/stream.h"
#include "client/cli/units.h"

// The argument `id`: a sequence. CLI_FAILED: it is none. Not given: *seq stays 0.
static int sequence_arg(cli *app, const char *text, uint64_t *seq) {
    int64_t v;
    if (text == NULL) return CLI_OK;
    if (cli_parse_int(text, 1, INT64_MAX, &v) != 0) return cli_fail(app, "\"%s\" is no sequence of a message", text);
    *seq = (uint64_t)v;
    return CLI_OK;
}

static void print_body(cli_js *js, const midge_stored_msg *msg, const char *translate) {
    const char *subject = cli_js_text(js->app, msg->subject);
    cli_print_body(js->app, msg->data, translate, subject != NULL ? subject : "", false);
}

// ---- get ------------------------------------------------------------------------------------------------------------

static int get(cli_js *js) {
    cli *app = js->app;
    uint64_t seq = 0;
    const char *subject = cli_get_string(app, "last-for"), *id = cli_arg_of(app, "id"), *stream = cli_js_stream(js);
    if (stream == NULL) return CLI_FAILED;
    if (id == NULL && subject == NULL)
        id = cli_ask(app, "the argument <id>, or --last-for,", "Sequence of the message");
    if (id == NULL && subject == NULL) return CLI_FAILED;
    if (sequence_arg(app, id, &seq) != CLI_OK) return CLI_FAILED;
    const midge_msg_get_opts opts = {.seq = seq, .last_by_subject = seq > 0 ? MIDGE_NONE : midge_cstr(subject)};
    int err = cli_js_wait(js, &js->op, midge_stream_msg_get(js->m, &js->op, midge_cstr(stream), &opts));
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not retrieve %s#%" PRIu64, stream, seq);
    const midge_stored_msg *msg = &js->op.msg;
    mgc_json j;
    if (js->json) {
        if (mgc_json_find(js->op.json, "message", &j)) cli_js_print(mgc_json_raw(&j));
        return CLI_OK;
    }
    printf("Item: %s#%" PRIu64 " received %s (%s) on Subject %.*s\n\n", stream, msg->seq,
           cli_js_exact_time(app, msg->time), cli_js_ago(app, 0, msg->time), (int)msg->subject.n, msg->subject.p);
    if (msg->headers.n > 0) {
        puts("Headers:");
        cli_print_headers(stdout, "  ", msg->headers);
        putchar('\n');
    }
    print_body(js, msg, cli_get_string(app, "translate"));
    return CLI_OK;
}

// ---- rmm ------------------------------------------------------------------------------------------------------------

static int rmm(cli_js *js) {
    cli *app = js->app;
    uint64_t seq = 0;
    int status;
    const char *id = cli_arg_of(app, "id"), *stream = cli_js_stream(js);
    if (stream == NULL) return CLI_FAILED;
    if (id == NULL) id = cli_ask(app, "the argument <id>", "Sequence of the message");
    if (id == NULL || sequence_arg(app, id, &seq) != CLI_OK) return CLI_FAILED;
    if (!cli_confirm(app, cli_get_bool(app, "force"), &status, "Really remove message %" PRIu64 " of stream %s", seq,
                     stream))
        return status;
    int err = cli_js_wait(js, &js->op, midge_stream_msg_delete(js->m, &js->op, midge_cstr(stream), seq, false));
    return err != 0 ? cli_js_failed(js, &js->op, err, "could not remove %s#%" PRIu64, stream, seq) : CLI_OK;
}

// ---- view -----------------------------------------------------------------------------------------------------------

typedef struct view {
    cli_js *js;
    const char *stream, *subject, *translate;
    bool raw;
    uint64_t at; // sequence
} view;

// The first message from `seq` on, in op.msg. 0, ENOTFOUND: there is none.
static int next_from(view *v, uint64_t seq) {
    midge_op *op = &v->js->op;
    const midge_msg_get_opts opts = {.seq = seq, .next_by_subject = midge_cstr(v->subject)};
    return cli_js_wait(v->js, op, midge_stream_msg_get(v->js->m, op, midge_cstr(v->stream), &opts));
}

// Times grow with sequences: bisection finds the first that is not older. `first` is not 0.
static int find_time(view *v, int64_t since, uint64_t first, uint64_t last) {
    while (first <= last) {
        uint64_t middle = first + (last - first) / 2;
        int err = next_from(v, middle);
        if (err != 0 && err != MIDGE_ENOTFOUND) return err;
        if (err == 0 && v->js->op.msg.time < since) {
            first = v->js->op.msg.seq + 1;
        } else {
            last = middle - 1;
        }
    }
    v->at = first;
    return 0;
}

static void show(view *v) {
    const midge_stored_msg *msg = &v->js->op.msg;
    if (v->raw) {
        cli_js_print_body(msg->data);
        return;
    }
    printf("[%" PRIu64 "] Subject: %.*s Received: %s\n", msg->seq, (int)msg->subject.n, msg->subject.p,
           cli_time(msg->time).s);
    if (msg->headers.n > 0) {
        putchar('\n');
        cli_print_headers(stdout, "  ", msg->headers);
    }
    print_body(v->js, msg, v->translate);
}

static bool next_page(cli *app) {
    char line[16] = "";
    if (!cli_can_ask(app)) return false;
    fputs("Next page? (Y/n) ", stdout);
    fflush(stdout);
    return fgets(line, sizeof line, stdin) != NULL && line[0] != 'n' && line[0] != 'N';
}

static int show_pages(view *v, uint64_t size) {
    cli *app = v->js->app;
    for (uint64_t shown = 0;; shown++) {
        if (shown == size) {
            if (!next_page(app)) return CLI_OK;
            shown = 0;
        }
        int err = next_from(v, v->at);
        if (err == MIDGE_ENOTFOUND) {
            cli_log(app, "Reached apparent end of data");
            return CLI_OK;
        }
        if (err != 0) return cli_js_failed(v->js, &v->js->op, err, "could not read stream %s", v->stream);
        v->at = v->js->op.msg.seq + 1;
        show(v);
    }
}

static int view_messages(cli_js *js) {
    cli *app = js->app;
    int64_t size = 10;
    uint64_t since = cli_get_duration(app, "since");
    const char *page = cli_arg_of(app, "size");
    view v = {.js = js, .subject = cli_get_string(app, "subject"), .raw = cli_get_bool(app, "raw"),
              .translate = cli_get_string(app, "translate"), .at = cli_get_uint(app, "id")};
    if (page != NULL && cli_parse_int(page, 1, 1 << 20, &size) != 0)
        return cli_fail(app, "<size> is a number of messages, not \"%s\"", page);
    v.stream = cli_stream_load(js);
    if (v.stream == NULL) return CLI_FAILED;
    midge_stream_state state = js->op.stream.state;
    if (v.at == 0) v.at = state.first_seq > 0 ? state.first_seq : 1;
    if (since > 0) {
        int err = find_time(&v, cli_js_now() - (int64_t)since, v.at, state.last_seq);
        if (err != 0) return cli_js_failed(js, &js->op, err, "could not read stream %s", v.stream);
    }
    return show_pages(&v, (uint64_t)size);
}

// ---- tables ---------------------------------------------------------------------------------------------------------

static int run_get(cli *app) { return cli_js_run(app, get); }
static int run_rmm(cli *app) { return cli_js_run(app, rmm); }
static int run_view(cli *app) { return cli_js_run(app, view_messages); }

static const cli_flag get_flags[] = {
    {.name = "last-for", .short_name = 'S', .type = CLI_STRING, .placeholder = "SUBJECT",
     .help = "The last message of a subject"},
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print JSON; headers and body are base64"},
    {.name = "translate", .type = CLI_STRING, .placeholder = "COMMAND",
     .help = "Print what the command makes of the body"},
    {0},
};
static const cli_flag rmm_flags[] = {
    {.name = "force", .short_name = 'f', .type = CLI_SWITCH, .help = "Do not ask"},
    {0},
};
static const cli_flag view_flags[] = {
    {.name = "id", .type = CLI_UINT, .placeholder = "SEQUENCE", .help = "Begin with this sequence"},
    {.name = "since", .type = CLI_DURATION, .help = "Begin with messages that are not older"},
    {.name = "raw", .type = CLI_SWITCH, .help = "Print nothing but the bodies"},
    {.name = "translate", .type = CLI_STRING, .placeholder = "COMMAND",
     .help = "Print what the command makes of each body"},
    {.name = "subject", .type = CLI_STRING, .value = ">", .placeholder = "SUBJECT",
     .help = "Only messages of subjects"},
    {0},
};
static const cli_arg message_args[] = {
    {.name = "stream", .help = "Name of the stream"},
    {.name = "id", .help = "Sequence of the message"},
    {0},
};
static const cli_arg view_args[] = {
    {.name = "stream", .help = "Name of the stream"},
    {.name = "size", .help = "Messages of a page", .value = "10"},
    {0},
};

const cli_command cli_command_stream_get = {
    .name = "get",
    .summary = "Show one message of a stream",
    .flags = get_flags,
    .args = message_args,
    .run = run_get,
};
const cli_command cli_command_stream_rmm = {
    .name = "rmm",
    .summary = "Remove one message; its bytes are overwritten",
    .flags = rmm_flags,
    .args = message_args,
    .run = run_rmm,
};
const cli_command cli_command_stream_view = {
    .name = "view",
    .summary = "Show the messages of a stream, a page at a time",
    .text = "Without a terminal one page is shown.\n",
    .flags = view_flags,
    .args = view_args,
    .run = run_view,
};
