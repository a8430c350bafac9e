// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the commands on JetStream share: a connection, an operation of midge_host.h to be used again and again, and the
// words for what went wrong.
//
//      static int info(cli_js *js) {
//          int err = cli_js_wait(js, &js->op, midge_stream_info(js->m, &js->op, name, NULL));
//          if (err != 0) return cli_js_failed(js, &js->op, err, "could not load stream %s", name);
//          ...
//      }
//      static int run_info(cli *app) { return cli_js_run(app, info); }
#ifndef CLI_JS_H
#define CLI_JS_H

#include "client/cli/cli.h"
#include "client/cli/facts.h"
#include "client/host/arena.h"
#include "client/host/json.h"
#include "client/host/midge_host.h"

typedef struct cli_js {
    cli *app;
    midge_conn *conn;
    midge *m;
    midge_op op;
    midge_js js;     // for what midge.h does: publishing, keys
    mgc_arena arena; // what was read from files
    bool json;       // --json was given
    char buf[8192];  // of js
} cli_js;

// Connects, runs, disconnects. Returns the exit status.
int cli_js_run(cli *app, int (*fn)(cli_js *js));
// The domain, prefix and timeout that were asked for; the op's other members are left alone.
void cli_js_prepare(cli *app, midge_op *op);

// Waits for the end of an operation whose start gave `err`. 0 or a MIDGE_E code; MIDGE_ECLOSED after an interruption.
int cli_js_wait(cli_js *js, midge_op *op, int err);
// Runs the connection until *done or an interruption: MIDGE_ECLOSED then.
int cli_js_until(cli_js *js, const bool *done);

// Prints "midge: error: <what>: stream not found (10059)"; returns CLI_FAILED, or CLI_INTERRUPTED if it was that.
// op NULL: the code alone counts.
int cli_js_failed(cli_js *js, const midge_op *op, int err, const char *what, ...) __attribute__((format(printf, 4, 5)));

// The argument `stream`, or one that is picked on a terminal; NULL: it has been said that it is missing.
const char *cli_js_stream(cli_js *js);
// The same for `consumer`.
const char *cli_js_consumer(cli_js *js, const char *stream);

// The argument `bucket`, or one of the list that is picked on a terminal; its info is then in js->op. NULL: it has been
// said why not.
const char *cli_js_bucket(cli_js *js, int (*list)(midge *m, midge_op *op),
                          int (*info)(midge *m, midge_op *op, midge_str bucket));

// An answer of the server with blanks, without what only says what kind of answer it is.
void cli_js_print(midge_str json);
// A line each, or with --json an array.
void cli_js_print_names(cli_js *js, const midge_str *names, size_t n);
// Waits for a list of names whose start gave `err`, and prints it. Returns the exit status; `what` is listed.
int cli_js_list_names(cli_js *js, int err, const char *what);

// For qsort of pointers to streams: the smallest first, as natscli lists them.
int cli_js_by_bytes(const void *a, const void *b);

// A body as it is, zero bytes included, and a line break.
void cli_js_print_body(midge_str body);

// ---- texts ----------------------------------------------------------------------------------------------------------

const char *cli_js_text(cli *app, midge_str s); // a copy; NULL: it is empty
// A member of a JSON text by its path ("external.api"): its text, whatever its type; NULL: there is none.
const char *cli_js_member(cli *app, midge_str json, const char *path);
uint64_t cli_js_number(midge_str json, const char *path); // 0: none
const char *cli_js_join(cli *app, const midge_str *texts, size_t n); // "a, b"

// Metadata that the server adds begins with "_nats."; the value of one, or NULL.
const char *cli_js_reserved(cli *app, const midge_pair *metadata, size_t n, const char *name);
// Without these: returns how many are left, moved to the front of a new array.
const midge_pair *cli_js_metadata(cli *app, const midge_pair *metadata, size_t *n);
void cli_js_show_metadata(cli_facts *c, cli *app, const midge_pair *metadata, size_t n);
void cli_js_show_host(cli_facts *c, cli *app, const midge_pair *metadata, size_t n);
// The facts about a cluster, from its JSON; `group`: what its Raft group is called. NULL: shown without one, and also
// if the cluster has no name, as it is with a single server.
void cli_js_show_cluster(cli_facts *c, cli *app, midge_str cluster, const char *group);

// "17:04:05" of a duration since a time of the server; "never" if it never was. now 0: of our clock.
const char *cli_js_ago(cli *app, int64_t now, int64_t then);
int64_t cli_js_now(void); // nanoseconds since 1970
// "2026-01-02 15:04:05.5 +0000 UTC", as the nats command prints some times.
const char *cli_js_exact_time(cli *app, int64_t time);

// ---- flags ----------------------------------------------------------------------------------------------------------

// Words with ',' between them, of all uses of a flag.
const midge_str *cli_js_words(cli *app, const char *flag, size_t *n);
// K:V or K=V of all uses. CLI_FAILED: said why.
int cli_js_pairs(cli *app, const char *flag, const midge_pair **pairs, size_t *n);
// "1h", "128KB"; -1 means that there is no limit, as *v. CLI_FAILED: said why. Not given: *v is left alone.
int cli_js_duration(cli *app, const char *flag, int64_t *v);
int cli_js_bytes(cli *app, const char *flag, int64_t *v);
// A member of JSON that was written into `out`, ended and copied.
midge_str cli_js_written(cli *app, mgc_json_out *out);
// {"src":...,"dest":...} of --republish-* or --transform-*; MIDGE_NONE: not asked for. CLI_FAILED: half of it.
int cli_js_mapping(cli *app, const char *name, bool headers_only, midge_str *json);
// {"cluster":...,"tags":[...]} of --cluster and `tags`; what is not given stays as `before` has it.
midge_str cli_js_placement(cli *app, const char *tags, midge_str before);
// Sources by name or as JSON, of all uses of a flag: an array; with a prefix for the names.
midge_str cli_js_sources(cli *app, const char *flag, const char *prefix);
midge_str cli_js_source(cli *app, const char *text, const char *prefix);

// Reads a file that holds a config, or something with a member `config`; MIDGE_NONE: it has been said why not.
midge_str cli_js_load(cli_js *js, const char *path);

#endif
