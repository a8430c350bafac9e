// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge sub. One callback for all subscriptions decides what is shown and when it is enough; the loop around polls,
// flushes the output whenever nothing more is there, and watches the time without traffic. --report-subjects and
// --match-replies keep tables (sub_report.c, sub_match.c), everything else holds no state.
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "client/cli/commands.h"
#include "client/cli/sub.h"
#include "client/cli/units.h"

// ---- showing --------------------------------------------------------------------------------------------------------

static void stamp(const sub_run *r, char *out, size_t size) {
    *out = '\0';
    if (r->deltas) snprintf(out, size, " @ %s", cli_duration_exact((int64_t)(cli_mono_ns() - r->began)).s);
    if (!r->times) return;
    struct timespec now;
    struct tm local;
    char text[32];
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    strftime(text, sizeof text, "%b %e %H:%M:%S", &local);
    snprintf(out, size, " @ %s.%06ld", text, now.tv_nsec / 1000);
}

static void dump(sub_run *r, const midge_msg *msg, const char *suffix) {
    midge_str data = msg->data;
    char *made = NULL, *output, err[256];
    if (r->translate != NULL) {
        made = cli_translate(r->translate, data, "", &data.n, &output, err, sizeof err);
        if (made == NULL) {
            cli_log(r->app, "Error while translating msg body: %s", err);
            free(output);
            return;
        }
        data.p = made;
    }
    if (strcmp(r->dump, "-") == 0) {
        cli_dump_message(stdout, msg->subject, msg->reply, msg->headers, data);
        putchar('\0');
    } else {
        char path[4096];
        snprintf(path, sizeof path, "%s/%" PRIu64 "%s.json", r->dump, r->count, suffix);
        FILE *file = fopen(path, "we");
        if (file != NULL) cli_dump_message(file, msg->subject, msg->reply, msg->headers, data);
        if (file == NULL || fclose(file) != 0) cli_log(r->app, "Could not save message: %s: %s", path, strerror(errno));
        if (r->count % 100 == 0) putchar('.');
    }
    free(made);
}

static void show_json(sub_run *r, const midge_msg *msg, const midge_msg *reply) {
    cli_json j = {.out = stdout};
    cli_json_begin(&j, NULL, '{');
    cli_json_uint(&j, "number", r->count);
    cli_json_now(&j, "time");
    cli_json_message(&j, msg->subject, msg->reply, msg->headers, msg->data);
    if (reply != NULL) {
        cli_json_begin(&j, "answer", '{');
        cli_json_message(&j, reply->subject, reply->reply, reply->headers, reply->data);
        cli_json_end(&j, '}');
    }
    cli_json_end(&j, '}');
}

// Headers and body; of what was received only if they are wanted.
static void show_rest(sub_run *r, const midge_msg *msg, const char *subject, bool received) {
    if (r->subjects_only && received) return;
    if (cli_print_headers(stdout, "", msg->headers)) putchar('\n');
    if (!r->headers_only) cli_print_body(r->app, msg->data, r->translate, subject, false);
}

static void show_plain(sub_run *r, const midge_msg *msg, const char *what) {
    char when[64], subject[4200];
    midge_js_meta meta;
    stamp(r, when, sizeof when);
    snprintf(subject, sizeof subject, "%.*s", (int)msg->subject.n, msg->subject.p);
    if (r->from != NULL && midge_js_meta_parse(msg->reply, &meta) == 0) {
        printf("%s[#%" PRIu64 "]%s%s Received JetStream message: stream: %.*s seq: %" PRIu64 " / pending: %" PRIu64
               " / subject: %s / time: %s\n",
               cli_colour(r->app, CLI_BOLD), r->count, when, cli_colour(r->app, CLI_PLAIN), (int)meta.stream.n,
               meta.stream.p, meta.stream_seq, meta.pending, subject, cli_time((int64_t)meta.time).s);
        show_rest(r, msg, subject, true);
        return;
    }
    printf("%s[#%" PRIu64 "]%s%s %s on \"%s\"", cli_colour(r->app, CLI_BOLD), r->count, when,
           cli_colour(r->app, CLI_PLAIN), what, subject);
    // An answer's own reply subject is not of interest, as in natscli.
    if (msg->reply.n > 0 && what[0] == 'R') printf(" with reply \"%.*s\"", (int)msg->reply.n, msg->reply.p);
    putchar('\n');
    show_rest(r, msg, subject, what[0] == 'R');
}

void sub_show(sub_run *r, const midge_msg *msg, const midge_msg *reply) {
    if (r->json) {
        show_json(r, msg, reply);
    } else if (r->dump != NULL) {
        dump(r, msg, "");
        if (reply != NULL) dump(r, reply, "_reply");
    } else if (r->raw) {
        cli_print_body(r->app, msg->data, r->translate, "", true);
        if (reply != NULL) printf("%.*s\n", (int)reply->data.n, reply->data.n > 0 ? reply->data.p : "");
    } else {
        if (cli_get_bool(r->app, "trace") && msg->reply.n > 0)
            printf("<<< Reply Subject: %.*s\n", (int)msg->reply.n, msg->reply.p);
        show_plain(r, msg, "Received");
        if (reply != NULL) show_plain(r, reply, "Matched reply");
    }
}

// ---- receiving ------------------------------------------------------------------------------------------------------

static bool ignored(const sub_run *r, midge_str subject) {
    char text[4096];
    if (r->ignore == NULL || subject.n == 0 || subject.n >= sizeof text) return false;
    memcpy(text, subject.p, subject.n);
    text[subject.n] = '\0';
    for (const char *at = r->ignore; *at != '\0';) {
        char pattern[512];
        size_t n = strcspn(at, ", ");
        if (n > 0 && n < sizeof pattern) {
            memcpy(pattern, at, n);
            pattern[n] = '\0';
            if (cli_subjects_collide(text, pattern)) return true;
        }
        at += n + strspn(at + n, ", ");
    }
    return false;
}

static void on_message(midge *m, const midge_msg *msg, void *user) {
    sub_run *r = user;
    if (r->enough || ignored(r, msg->subject)) return;
    r->count++;
    r->last = cli_mono_ns();
    if (r->report != NULL) {
        size_t which = 0;
        while (which < r->subs_len && r->subs[which] != msg->sub)
            which++;
        midge_str name = r->by_subscription && which < r->subs_len ? midge_cstr(r->subjects[which]) : msg->subject;
        sub_report_add(r->report, name, msg->data.n);
    } else if (r->match != NULL && r->from == NULL && msg->reply.n > 0) {
        sub_match_request(r->match, r->count, msg);
    } else {
        sub_show(r, msg, NULL);
    }
    if (r->ack && msg->reply.n > 9 && memcmp(msg->reply.p, "$JS.ACK.", 8) == 0) {
        int err = midge_respond(m, msg, NULL, 0);
        if (err != 0)
            cli_log(r->app, "Acknowledging message via subject %.*s failed: %s", (int)msg->reply.n, msg->reply.p,
                    midge_strerror(err));
    }
    r->enough = r->limit > 0 && r->count >= r->limit;
}

static void on_answer(midge *m, const midge_msg *msg, void *user) {
    sub_run *r = user;
    (void)m;
    sub_match_answer(r->match, r, msg);
}

static int subscribe(sub_run *r) {
    midge *m = midge_engine(r->conn);
    if (r->match != NULL) {
        const char *prefix = r->inbox_prefix != NULL ? r->inbox_prefix : "_INBOX";
        const char *inboxes = cli_printf(r->app, "%s.>", prefix);
        if (!r->quiet) cli_log(r->app, "Matching replies with inbox prefix %s", inboxes);
        int32_t sub = midge_subscribe(m, midge_cstr(inboxes), MIDGE_NONE, on_answer, r);
        if (sub < 0) return cli_fail(r->app, "cannot subscribe to \"%s\": %s", inboxes, midge_strerror(sub));
    }
    const char *all = "";
    for (size_t i = 0; i < r->subs_len; i++)
        all = cli_printf(r->app, "%s%s%s", all, i > 0 ? ", " : "", r->subjects[i]);
    const char *ignored = r->ignore != NULL ? cli_printf(r->app, "\nIgnored subjects: %s", r->ignore) : "";
    if (!r->quiet || r->inbox) cli_log(r->app, "Subscribing on %s %s", all, ignored);
    for (size_t i = 0; i < r->subs_len; i++) {
        r->subs[i] = midge_subscribe(m, midge_cstr(r->subjects[i]), midge_cstr(r->queue), on_message, r);
        if (r->subs[i] < 0)
            return cli_fail(r->app, "cannot subscribe to \"%s\": %s", r->subjects[i], midge_strerror(r->subs[i]));
    }
    int err = midge_flush_wait(r->conn, (uint32_t)cli_timeout(r->app));
    if (err == 0 || cli_interrupted(r->app)) return CLI_OK;
    return cli_fail(r->app, "the server did not confirm: %s", midge_strerror(err));
}

// ---- the loop -------------------------------------------------------------------------------------------------------

// How long nothing needs to be done, ms.
static uint32_t pause_of(const sub_run *r, uint64_t now) {
    uint64_t until = UINT64_MAX;
    if (r->wait > 0) until = r->last + r->wait;
    if (r->report != NULL && r->live && r->drawn + CLI_SEC < until) until = r->drawn + CLI_SEC;
    if (until == UINT64_MAX) return MIDGE_FOREVER;
    uint64_t ms = until > now ? (until - now + 999999) / 1000000 : 0;
    return ms < 60000 ? (uint32_t)ms : 60000;
}

static int listen(sub_run *r) {
    for (r->last = cli_mono_ns();;) {
        uint64_t now = cli_mono_ns();
        bool all_matched = r->match == NULL || sub_match_pending(r->match) == 0;
        if (cli_interrupted(r->app) || (r->enough && all_matched)) return CLI_OK;
        if (r->wait > 0 && now - r->last >= r->wait) return CLI_OK;
        if (r->report != NULL && r->live && now - r->drawn >= CLI_SEC) {
            r->drawn = now;
            sub_report_print(r->report, r->app, r->top, true);
        }
        if (fflush(stdout) != 0) return CLI_FAILED; // run.c says what is wrong with it
        int err = midge_poll(r->conn, pause_of(r, now));
        const char *complaint = cli_complaint(r->app);
        if (complaint != NULL) return cli_fail(r->app, "%s", complaint);
        if (err < 0) return cli_fail(r->app, "the connection is lost: %s", midge_strerror(err));
        if (r->ended != 0 && !r->enough)
            return cli_fail(r->app, "the consumer gives no more: %s", midge_strerror(r->ended));
    }
}

static int check(sub_run *r) {
    cli *app = r->app;
    if (r->subs_len == 0 && !r->inbox && !sub_js_wanted(app))
        return cli_fail(app, "a subject is needed: midge sub 'orders.>'");
    if (r->dump != NULL && strcmp(r->dump, "-") == 0 && r->inbox)
        return cli_fail(app, "--inbox and --dump - exclude each other");
    if (r->top == 0) return cli_fail(app, "--report-top must be at least 1");
    if (r->times && r->deltas) return cli_fail(app, "--timestamp and --delta-time exclude each other");
    if (r->json && (r->raw || r->dump != NULL)) return cli_fail(app, "--json excludes --raw and --dump");
    if (r->dump != NULL && strcmp(r->dump, "-") != 0 && mkdir(r->dump, 0700) != 0 && errno != EEXIST)
        return cli_fail(app, "cannot make the directory %s: %s", r->dump, strerror(errno));
    return CLI_OK;
}

static int listen_to(sub_run *r) {
    cli *app = r->app;
    bool stream = sub_js_wanted(app);
    if (r->subs_len == 0 && !stream) {
        char *inbox = cli_alloc(app, MIDGE_INBOX_MAX + 1);
        midge_inbox(midge_engine(r->conn), inbox, MIDGE_INBOX_MAX + 1);
        const char **subjects = cli_alloc(app, sizeof *subjects);
        subjects[0] = inbox;
        r->subjects = subjects;
        r->subs_len = 1;
    }
    r->subs = cli_alloc(app, (r->subs_len + 1) * sizeof *r->subs);
    r->began = cli_mono_ns();
    int status = stream ? sub_js_start(r, on_message) : subscribe(r);
    if (status == CLI_OK) status = listen(r);
    sub_js_stop(r);
    if (status == CLI_OK && r->report != NULL && !(r->live && r->drawn > 0 && r->count == 0)) {
        if (r->json) {
            sub_report_json(r->report, r->top);
        } else {
            sub_report_print(r->report, app, r->top, r->live);
        }
    }
    return status;
}

static int run(cli *app) {
    size_t n;
    sub_run r = {
        .app = app,
        .queue = cli_get_string(app, "queue"),
        .translate = cli_get_string(app, "translate"),
        .dump = cli_get_string(app, "dump"),
        .raw = cli_get_bool(app, "raw"),
        .json = cli_get_bool(app, "json"),
        .headers_only = cli_get_bool(app, "headers-only"),
        .subjects_only = cli_get_bool(app, "subjects-only"),
        .times = cli_get_bool(app, "timestamp"),
        .deltas = cli_get_bool(app, "delta-time"),
        .inbox = cli_get_bool(app, "inbox"),
        .ack = cli_get_bool(app, "ack"),
        .limit = cli_get_uint(app, "count"),
        .wait = cli_get_duration(app, "wait"),
        .top = cli_get_uint(app, "report-top"),
        .by_subscription = cli_get_bool(app, "report-subscriptions"),
    };
    r.subjects = cli_args_of(app, "subjects", &r.subs_len);
    r.quiet = r.raw || r.json || r.dump != NULL;
    const char *const *ignore = cli_get_strings(app, "ignore-subject", &n);
    for (size_t i = 0; i < n; i++)
        r.ignore = cli_printf(app, "%s%s%s", i > 0 ? r.ignore : "", i > 0 ? ", " : "", ignore[i]);
    int status = check(&r);
    if (status != CLI_OK) return status;
    r.conn = cli_connect(app);
    if (r.conn == NULL) return CLI_FAILED;
    r.inbox_prefix = cli_options(app)->inbox_prefix;
    cli_catch_signals(app, r.conn);
    if (r.by_subscription || cli_get_bool(app, "report-subjects")) {
        r.report = sub_report_new();
        r.live = cli_out_is_terminal(app) && !r.json;
    }
    if (cli_get_bool(app, "match-replies")) r.match = sub_match_new();
    status = listen_to(&r);
    cli_release_signals(app);
    midge_conn_free(r.conn);
    sub_report_free(r.report);
    sub_match_free(r.match);
    return status;
}

static const cli_flag flags[] = {
    {.name = "queue", .type = CLI_STRING, .help = "Subscribe as a member of a queue group"},
    {.name = "raw", .short_name = 'r', .type = CLI_SWITCH, .help = "Print nothing but the bodies"},
    {.name = "translate", .type = CLI_STRING, .placeholder = "COMMAND",
     .help = "Print what the command makes of each body; {{Subject}} is the subject"},
    {.name = "ack", .type = CLI_BOOL, .help = "Acknowledge messages of JetStream"},
    {.name = "match-replies", .type = CLI_SWITCH, .help = "Show requests together with their replies"},
    {.name = "inbox", .short_name = 'i', .type = CLI_SWITCH, .help = "Subscribe to a new inbox"},
    {.name = "count", .type = CLI_UINT, .help = "Quit after so many messages"},
    {.name = "dump", .type = CLI_FILE, .placeholder = "DIRECTORY",
     .help = "Write each message to a file there; -: to stdout, each ended by a zero byte (for xargs -0)"},
    {.name = "headers-only", .type = CLI_SWITCH, .help = "Show headers but no bodies"},
    {.name = "subjects-only", .type = CLI_SWITCH, .help = "Show subjects alone"},
    {.name = "ignore-subject", .short_name = 'I', .type = CLI_STRINGS, .placeholder = "SUBJECT",
     .help = "Do not show messages on these subjects"},
    {.name = "wait", .type = CLI_DURATION, .help = "Quit after so long without a message"},
    {.name = "report-subjects", .type = CLI_SWITCH, .help = "Count messages by subject"},
    {.name = "report-subscriptions", .type = CLI_SWITCH, .help = "Count messages by subscription"},
    {.name = "report-top", .type = CLI_UINT, .value = "10", .help = "How many lines a report has"},
    {.name = "timestamp", .short_name = 't', .type = CLI_SWITCH, .help = "Show when messages came"},
    {.name = "delta-time", .short_name = 'd', .type = CLI_SWITCH, .help = "Show the time since the start"},
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print each message as a line of JSON"},
    {0},
};

static const cli_arg args[] = {
    {.name = "subjects", .help = "Subjects to subscribe to", .many = true},
    {0},
};

const cli_command cli_command_sub = {
    .name = "sub",
    .aliases = "subscribe",
    .summary = "Subscribe and show messages",
    .text = "  midge sub 'orders.>' --count 10\n"
            "  midge sub orders.new --raw | wc -l\n"
            "  midge sub '>' --report-subjects\n"
            "  midge sub --stream ORDERS --last-per-subject --terminate-at-end\n",
    .flags = flags,
    .shared = sub_js_flags,
    .args = args,
    .run = run,
};
