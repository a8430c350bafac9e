// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge sub on a stream: what is stored is shown first, then what comes. A consumer is made for it that acknowledges
// nothing and is removed at the end; or, with --durable, one that is there is used, and messages are acknowledged.
#include <inttypes.h>
#include <string.h>

#include "client/cli/js.h"
#include "client/cli/sub.h"
#include "client/cli/units.h"

enum { PATIENCE_S = 30 }; // how long the consumer outlives a lost connection

struct sub_js {
    midge_op op;
    midge_js js;
    midge_js_pull pull;
    midge_str stream, name;
    midge_msg_fn fn;
    bool fetching;
    char own[64]; // of the consumer that was made for us; "": none
    char buf[1024];
};

bool sub_js_wanted(const cli *app) {
    static const char *const flags[] = {"start-sequence", "durable", "all", "new", "last", "since", "last-per-subject",
                                        "stream"};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (cli_given(app, flags[i])) return true;
    return false;
}

static int failed(sub_run *r, int err, const char *what) {
    const midge_api_error *e = &r->from->op.error;
    if (cli_interrupted(r->app)) return CLI_INTERRUPTED;
    if (e->description.n > 0)
        return cli_fail(r->app, "%s: %.*s (%d)", what, (int)e->description.n, e->description.p, e->err_code);
    return cli_fail(r->app, "%s: %s", what, err == MIDGE_ENORESPONDERS ? "JetStream is not enabled, or not for this "
                                                                         "account" : midge_strerror(err));
}

static int wait_op(sub_run *r, int err) {
    if (err == 0) err = midge_wait(r->conn, &r->from->op.done, MIDGE_FOREVER);
    return err != 0 ? err : r->from->op.err;
}

// ---- what to consume ------------------------------------------------------------------------------------------------

static int find_stream(sub_run *r, const char *subject) {
    struct sub_js *from = r->from;
    const char *name = cli_get_string(r->app, "stream");
    if (name == NULL) {
        int err = wait_op(r, midge_stream_names(from->js.m, &from->op, midge_cstr(subject)));
        if (err != 0) return failed(r, err, "could not look for a stream");
        if (from->op.len == 0) return cli_fail(r->app, "no stream found with subject: %s", subject);
        name = cli_strndup(r->app, from->op.names[0].p, from->op.names[0].n);
    }
    from->stream = midge_cstr(name);
    return CLI_OK;
}

// Where to begin, and the words for it.
static const char *begin_with(cli *app, midge_consumer_config *c) {
    uint64_t seq = cli_get_uint(app, "start-sequence"), since = cli_get_duration(app, "since");
    if (seq > 0) {
        c->deliver_policy = MIDGE_DELIVER_BY_START_SEQUENCE;
        c->opt_start_seq = seq;
        return cli_printf(app, "starting at sequence %" PRIu64, seq);
    }
    if (cli_get_bool(app, "last")) {
        c->deliver_policy = MIDGE_DELIVER_LAST;
        return "from last received message";
    }
    if (cli_get_bool(app, "new")) {
        c->deliver_policy = MIDGE_DELIVER_NEW;
        return "for new messages";
    }
    if (cli_given(app, "since")) {
        c->deliver_policy = MIDGE_DELIVER_BY_START_TIME;
        c->opt_start_time = cli_js_now() - (int64_t)since;
        return cli_printf(app, "since %s", cli_duration((int64_t)since).s);
    }
    if (cli_get_bool(app, "last-per-subject")) {
        c->deliver_policy = MIDGE_DELIVER_LAST_PER_SUBJECT;
        return "for last message per subject";
    }
    return "from first received message";
}

static int make_consumer(sub_run *r) {
    struct sub_js *from = r->from;
    const char *subject = r->subs_len > 0 ? r->subjects[0] : ">";
    if (r->subs_len > 1) return cli_fail(r->app, "of a stream one subject can be shown; it may have wildcards");
    if (find_stream(r, subject) != CLI_OK) return CLI_FAILED;
    midge_consumer_config c = {.ack_policy = MIDGE_ACK_NONE, .max_deliver = 1, .mem_storage = true, .num_replicas = 1,
                               .inactive_threshold = PATIENCE_S * CLI_SEC, .filter_subject = midge_cstr(subject),
                               .headers_only = r->headers_only || r->subjects_only};
    const char *words = begin_with(r->app, &c);
    if (!r->quiet) cli_log(r->app, "Subscribing to subject %s %s ", subject, words);
    int err = wait_op(r, midge_consumer_create(from->js.m, &from->op, from->stream, &c, MIDGE_CONSUMER_CREATE));
    if (err != 0) return failed(r, err, "could not create a consumer");
    snprintf(from->own, sizeof from->own, "%.*s", (int)from->op.consumer.name.n, from->op.consumer.name.p);
    from->name = midge_cstr(from->own);
    return CLI_OK;
}

static int use_consumer(sub_run *r, const char *durable) {
    struct sub_js *from = r->from;
    if (r->subs_len > 0) return cli_fail(r->app, "--durable excludes subjects: the consumer has its own");
    if (cli_get_string(r->app, "stream") == NULL) return cli_fail(r->app, "--durable needs --stream");
    from->stream = midge_cstr(cli_get_string(r->app, "stream"));
    from->name = midge_cstr(durable);
    int err = wait_op(r, midge_consumer_info(from->js.m, &from->op, from->stream, from->name));
    if (err != 0) return failed(r, err, "could not load the consumer");
    if (from->op.consumer.config.deliver_subject.n > 0)
        return cli_fail(r->app, "%s is a push consumer: see midge consumer sub", durable);
    r->ack = from->op.consumer.config.ack_policy != MIDGE_ACK_NONE;
    if (!r->quiet)
        cli_log(r->app, "Subscribing to JetStream Stream \"%s\" using existing pull consumer \"%s\"", from->stream.p,
                durable);
    return CLI_OK;
}

// ---- consuming ------------------------------------------------------------------------------------------------------

static int pull(sub_run *r);

// A fetch has ended; the next one is for what is still wanted.
static int fetch_again(sub_run *r, int err) {
    bool over = err != 0 && err != MIDGE_ETIMEOUT && err != MIDGE_EHEARTBEAT && err != MIDGE_EDISCONNECTED;
    if (r->enough) return 0;
    if (!r->from->fetching || over) return err != 0 ? err : MIDGE_ECLOSED;
    return pull(r);
}

static void on_pull(midge_js_pull *p, const midge_msg *msg, int err, midge_str text, void *user) {
    sub_run *r = user;
    midge_js_meta meta;
    (void)text;
    if (msg == NULL) {
        if (!p->active) r->ended = fetch_again(r, err); // otherwise it goes on by itself
        return;
    }
    r->from->fn(p->js->m, msg, r);
    if (r->at_end && midge_js_meta_parse(msg->reply, &meta) == 0 && meta.pending == 0) r->enough = true;
}

// A durable consumer is fetched from if so many messages are wanted and no more: the rest is for others.
static int pull(sub_run *r) {
    struct sub_js *from = r->from;
    uint64_t left = r->limit - r->count;
    from->pull = (midge_js_pull){.stream = from->stream, .consumer = from->name, .batch = 100, .expires = 30000};
    if (from->fetching && left < from->pull.batch) from->pull.batch = (uint32_t)left;
    return from->fetching ? midge_js_fetch(&from->js, &from->pull, on_pull, r)
                          : midge_js_consume(&from->js, &from->pull, on_pull, r);
}

int sub_js_start(sub_run *r, midge_msg_fn fn) {
    cli *app = r->app;
    const char *durable = cli_get_string(app, "durable");
    struct sub_js *from = r->from = cli_alloc(app, sizeof *from);
    cli_js_prepare(app, &from->op);
    from->js = (midge_js){.m = midge_engine(r->conn), .buf = from->buf, .size = sizeof from->buf,
                          .domain = from->op.domain, .prefix = from->op.prefix, .opts = {.timeout = from->op.timeout}};
    from->fn = fn;
    r->at_end = cli_get_bool(app, "terminate-at-end");
    int status = durable != NULL ? use_consumer(r, durable) : make_consumer(r);
    if (status != CLI_OK) return status;
    if (r->at_end && from->op.consumer.num_pending == 0) {
        r->enough = true;
        return CLI_OK;
    }
    from->fetching = durable != NULL && r->limit > 0;
    int err = pull(r);
    return err == 0 ? CLI_OK : cli_fail(app, "could not consume: %s", midge_strerror(err));
}

void sub_js_stop(sub_run *r) {
    struct sub_js *from = r->from;
    if (from == NULL) return;
    midge_js_stop(&from->pull);
    if (r->ack) midge_flush_wait(r->conn, from->op.timeout); // acknowledgements are written
    if (from->own[0] != '\0' && midge_consumer_delete(from->js.m, &from->op, from->stream, from->name) == 0)
        midge_wait(r->conn, &from->op.done, 1000);
    midge_op_free(&from->op);
}

const cli_flag sub_js_flags[] = {
    {.name = "stream", .type = CLI_STRING, .help = "Show the messages of a stream; found by the subject if not given"},
    {.name = "durable", .type = CLI_STRING, .placeholder = "CONSUMER",
     .help = "Consume from this consumer of --stream"},
    {.name = "all", .type = CLI_SWITCH, .help = "Begin with the first message of the stream"},
    {.name = "new", .type = CLI_SWITCH, .help = "Only messages from now on"},
    {.name = "last", .type = CLI_SWITCH, .help = "Begin with the last message of the stream"},
    {.name = "last-per-subject", .type = CLI_SWITCH, .help = "Begin with the last message of each subject"},
    {.name = "since", .type = CLI_DURATION, .help = "Begin with messages that are not older"},
    {.name = "start-sequence", .type = CLI_UINT, .placeholder = "SEQUENCE", .help = "Begin with this sequence"},
    {.name = "terminate-at-end", .short_name = 'T', .type = CLI_SWITCH,
     .help = "Quit when all that is stored is shown"},
    {0},
};
