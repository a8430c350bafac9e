// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge stream ls, report, subjects: tables of many.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/stream.h"
#include "client/cli/table.h"
#include "client/cli/units.h"

// ---- ls and report --------------------------------------------------------------------------------------------------

static int by_consumers(const void *a, const void *b) {
    const midge_stream_result *const *x = a, *const *y = b;
    uint64_t l = (*x)->state.consumer_count, r = (*y)->state.consumer_count;
    return (l > r) - (l < r);
}

static int by_messages(const void *a, const void *b) {
    const midge_stream_result *const *x = a, *const *y = b;
    uint64_t l = (*x)->state.messages, r = (*y)->state.messages;
    return (l > r) - (l < r);
}

static int by_name(const void *a, const void *b) {
    const midge_stream_result *const *x = a, *const *y = b;
    midge_str l = (*x)->config.name, r = (*y)->config.name;
    int order = memcmp(l.p, r.p, l.n < r.n ? l.n : r.n);
    return order != 0 ? order : (l.n > r.n) - (l.n < r.n);
}

static int by_storage(const void *a, const void *b) {
    const midge_stream_result *const *x = a, *const *y = b;
    return (int)(*x)->config.storage - (int)(*y)->config.storage;
}

static bool starts(midge_str s, const char *with) { return s.n > strlen(with) && memcmp(s.p, with, strlen(with)) == 0; }

// Streams of buckets and the like are listed only with --all or --names, as natscli does.
static bool is_system(midge_str name) {
    return starts(name, "KV_") || starts(name, "OBJ_") || starts(name, "MQTT_") || starts(name, "$MQTT_");
}

typedef struct rows {
    const midge_stream_result **items;
    size_t len;
} rows;

// The streams to show, sorted. CLI_FAILED: said why.
static int collect(cli_js *js, bool all, int (*order)(const void *, const void *), rows *r) {
    const char *subject = cli_get_string(js->app, "subject");
    int err = cli_js_wait(js, &js->op, midge_stream_list(js->m, &js->op, midge_cstr(subject)));
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not list streams");
    r->items = cli_alloc(js->app, (js->op.len + 1) * sizeof *r->items);
    for (size_t i = 0; i < js->op.len; i++)
        if (all || !is_system(js->op.streams[i].config.name)) r->items[r->len++] = &js->op.streams[i];
    qsort(r->items, r->len, sizeof *r->items, order);
    return CLI_OK;
}

static void print_names(cli_js *js, const rows *r) {
    midge_str *names = cli_alloc(js->app, (r->len + 1) * sizeof *names);
    for (size_t i = 0; i < r->len; i++)
        names[i] = r->items[i]->config.name;
    cli_js_print_names(js, names, r->len);
}

static int ls(cli_js *js) {
    cli *app = js->app;
    rows r = {0};
    bool names = js->json || cli_get_bool(app, "names"), all = cli_get_bool(app, "all") || cli_get_bool(app, "names");
    if (collect(js, all, names ? by_name : cli_js_by_bytes, &r) != CLI_OK) return CLI_FAILED;
    if (names) {
        print_names(js, &r);
        return CLI_OK;
    }
    if (r.len == 0) {
        puts("No Streams defined");
        return CLI_OK;
    }
    const char *subject = cli_get_string(app, "subject");
    cli_table *t = cli_table_new(subject != NULL ? cli_printf(app, "Streams matching %s", subject) : "Streams");
    CLI_TABLE_HEADERS(t, "Name", "Description", "Created", "Messages", "Size", "Last Message");
    for (size_t i = 0; i < r.len; i++) {
        const midge_stream_result *s = r.items[i];
        CLI_TABLE_ROW(t, cli_js_text(app, s->config.name), cli_js_text(app, s->config.description),
                      cli_time(s->created).s, cli_count(s->state.messages).s, cli_bytes(s->state.bytes).s,
                      cli_js_ago(app, s->ts, s->state.last_ts));
    }
    cli_table_print(t, stdout);
    puts("\n");
    cli_table_free(t);
    return CLI_OK;
}

// "A, B*": the servers of a cluster, the leader first.
static const char *replicas_of(cli *app, midge_str cluster) {
    mgc_json j;
    const char *name = cli_js_member(app, cluster, "name"), *leader = cli_js_member(app, cluster, "leader");
    if (name == NULL || *name == '\0') return NULL;
    const char *text = leader != NULL && *leader != '\0' ? cli_printf(app, "%s*", leader) : "";
    if (!mgc_json_find(cluster, "replicas", &j) || j.type != MGC_JSON_ARRAY) return text;
    while (mgc_json_next(&j) == MGC_JSON_OBJECT)
        text = cli_printf(app, "%s, %s", text, cli_js_member(app, mgc_json_raw(&j), "name"));
    return text;
}

static void report_row(cli *app, cli_table *t, const midge_stream_result *s, bool raw) {
    const midge_stream_state *state = &s->state;
    const char *cluster = cli_js_member(app, s->config.placement, "cluster");
    const char *level = cli_js_reserved(app, s->config.metadata, s->config.metadata_len, "_nats.req.level");
#define NUMBER(v) (raw ? cli_printf(app, "%" PRIu64, v) : cli_printf(app, "%s", cli_count(v).s))
#define BYTES(v) (raw ? cli_printf(app, "%" PRIu64, v) : cli_printf(app, "%s", cli_bytes(v).s))
    CLI_TABLE_ROW(t, cli_js_text(app, s->config.name), cli_storage_name(s->config.storage),
                  cluster != NULL ? cli_printf(app, "cluster: %s", cluster) : "", NUMBER(state->consumer_count),
                  NUMBER(state->messages), BYTES(state->bytes),
                  state->lost.n > 0 ? BYTES(cli_js_number(state->lost, "bytes")) : "0", NUMBER(state->num_deleted),
                  level != NULL ? level : "0", replicas_of(app, s->cluster));
#undef NUMBER
#undef BYTES
}

static int report(cli_js *js) {
    cli *app = js->app;
    rows r = {0};
    int (*order)(const void *, const void *) = cli_get_bool(app, "consumers")  ? by_consumers
                                               : cli_get_bool(app, "messages") ? by_messages
                                               : cli_get_bool(app, "name")     ? by_name
                                               : cli_get_bool(app, "storage")  ? by_storage
                                                                               : cli_js_by_bytes;
    if (collect(js, true, order, &r) != CLI_OK) return CLI_FAILED;
    fputs("Obtaining Stream stats\n\n", stdout);
    if (r.len == 0) {
        puts("No Streams defined");
        return CLI_OK;
    }
    const char *cluster = cli_get_string(app, "cluster");
    cli_table *t = cli_table_new("Stream Report");
    CLI_TABLE_HEADERS(t, "Stream", "Storage", "Placement", "Consumers", "Messages", "Bytes", "Lost", "Deleted",
                      "API Level", "Replicas");
    for (size_t i = 0; i < r.len; i++) {
        const char *its = cli_js_member(app, r.items[i]->cluster, "name");
        if (cluster != NULL && (its == NULL || strcmp(its, cluster) != 0)) continue;
        report_row(app, t, r.items[i], cli_get_bool(app, "raw"));
    }
    cli_table_print(t, stdout);
    putchar('\n');
    cli_table_free(t);
    return CLI_OK;
}

// ---- subjects -------------------------------------------------------------------------------------------------------

typedef struct subject {
    const char *text;
    uint64_t count;
} subject;

typedef struct subjects {
    subject *items;
    size_t len;
    mgc_arena arena;
} subjects;

// A page of {"subject":count}.
static void add_page(cli_js *js, subjects *all) {
    mgc_json j;
    mgc_json_init(&j, js->op.stream.state.subjects);
    for (mgc_json_next(&j); mgc_json_next(&j) == MGC_JSON_KEY;) {
        all->items = mgc_arena_push(&all->arena, all->items, &all->len, sizeof *all->items);
        if (all->items == NULL) return;
        subject *s = &all->items[all->len - 1];
        char *text = cli_alloc(js->app, j.text.n + 1);
        mgc_json_unescape(j.text, text);
        s->text = text;
        mgc_json_next(&j);
        mgc_json_uint(&j, &s->count);
    }
}

static int by_subject(const void *a, const void *b) {
    return strcmp(((const subject *)a)->text, ((const subject *)b)->text);
}

static int by_count(const void *a, const void *b) {
    uint64_t l = ((const subject *)a)->count, r = ((const subject *)b)->count;
    return l != r ? (l > r) - (l < r) : by_subject(a, b);
}

static void print_subjects(cli *app, const subjects *all, const char *stream) {
    size_t widest = 0;
    uint64_t most = 0;
    for (size_t i = 0; i < all->len; i++) {
        if (strlen(all->items[i].text) > widest) widest = strlen(all->items[i].text);
        if (all->items[i].count > most) most = all->items[i].count;
    }
    widest += strlen(cli_count(most).s);
    size_t pairs = widest < 20 ? 3 : widest < 30 ? 2 : 1;
    cli_table *t = cli_table_new(cli_printf(app, "%zu Subjects in stream %s", all->len, stream));
    static const char *const headers[] = {"Subject", "Count", "Subject", "Count", "Subject", "Count"};
    cli_table_add(t, CLI_TABLE_KIND_HEADERS, headers, 2 * pairs);
    for (size_t i = 0; i < all->len; i += pairs) {
        const char *cells[6] = {NULL};
        for (size_t k = 0; k < pairs && i + k < all->len; k++) {
            cells[2 * k] = all->items[i + k].text;
            cells[2 * k + 1] = cli_printf(app, "%s", cli_count(all->items[i + k].count).s);
        }
        cli_table_add(t, CLI_TABLE_KIND_ROW, cells, 2 * pairs);
    }
    cli_table_print(t, stdout);
    putchar('\n');
    cli_table_free(t);
}

static void print_json(const subjects *all) {
    mgc_json_out o;
    midge_str text;
    mgc_json_out_init(&o, NULL, 0);
    o.indent = 2;
    mgc_json_open(&o, NULL, '{');
    for (size_t i = 0; i < all->len; i++)
        mgc_json_put_u64(&o, all->items[i].text, all->items[i].count);
    mgc_json_close(&o);
    if (mgc_json_out_end(&o, &text) == 0) printf("%.*s\n", (int)text.n, text.p);
    mgc_json_out_fini(&o);
}

static int list_subjects(cli_js *js, subjects *all) {
    cli *app = js->app;
    const char *filter = cli_arg_of(app, "filter"), *stream = cli_js_stream(js);
    if (stream == NULL) return CLI_FAILED;
    size_t before;
    do {
        midge_stream_info_opts opts = {.subjects_filter = midge_cstr(filter), .offset = all->len};
        int err = cli_js_wait(js, &js->op, midge_stream_info(js->m, &js->op, midge_cstr(stream), &opts));
        if (err != 0) return cli_js_failed(js, &js->op, err, "could not load stream %s", stream);
        before = all->len;
        add_page(js, all);
    } while (all->len > before && all->len < js->op.stream.total);
    bool by_names = cli_get_string(app, "sort")[0] != 'm';
    if (all->len > 0) qsort(all->items, all->len, sizeof *all->items, by_names ? by_subject : by_count);
    for (size_t i = 0; cli_get_bool(app, "reverse") && i < all->len / 2; i++) {
        subject one = all->items[i];
        all->items[i] = all->items[all->len - 1 - i];
        all->items[all->len - 1 - i] = one;
    }
    if (js->json) {
        print_json(all);
    } else if (all->len == 0) {
        printf("No subjects found matching %s\n", filter);
    } else if (cli_get_bool(app, "names")) {
        for (size_t i = 0; i < all->len; i++)
            puts(all->items[i].text);
    } else {
        print_subjects(app, all, stream);
    }
    return CLI_OK;
}

static int list_all_subjects(cli_js *js) {
    subjects all = {0};
    int status = list_subjects(js, &all);
    mgc_arena_free(&all.arena);
    return status;
}

// ---- tables ---------------------------------------------------------------------------------------------------------

static int run_ls(cli *app) { return cli_js_run(app, ls); }
static int run_report(cli *app) { return cli_js_run(app, report); }
static int run_subjects(cli *app) { return cli_js_run(app, list_all_subjects); }

static const cli_flag ls_flags[] = {
    {.name = "subject", .type = CLI_STRING, .help = "Only streams that take messages of this subject"},
    {.name = "names", .short_name = 'n', .type = CLI_SWITCH, .help = "Print only the names"},
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print the names as JSON"},
    {0},
};
static const cli_flag report_flags[] = {
    {.name = "subject", .type = CLI_STRING, .help = "Only streams that take messages of this subject"},
    {.name = "cluster", .type = CLI_STRING, .help = "Only streams of this cluster"},
    {.name = "consumers", .short_name = 'o', .type = CLI_SWITCH, .help = "Sort by consumers"},
    {.name = "messages", .short_name = 'm', .type = CLI_SWITCH, .help = "Sort by messages"},
    {.name = "name", .short_name = 'n', .type = CLI_SWITCH, .help = "Sort by name"},
    {.name = "storage", .short_name = 't', .type = CLI_SWITCH, .help = "Sort by storage"},
    {.name = "raw", .short_name = 'r', .type = CLI_SWITCH, .help = "Numbers as they are"},
    {0},
};
static const cli_flag subjects_flags[] = {
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print JSON"},
    {.name = "sort", .type = CLI_ENUM, .value = "messages", .choices = "name subjects messages count",
     .help = "What to sort by"},
    {.name = "reverse", .short_name = 'R', .type = CLI_SWITCH, .help = "Sort the other way round"},
    {.name = "names", .type = CLI_BOOL, .help = "Print only the subjects"},
    {0},
};
static const cli_arg subjects_args[] = {
    {.name = "stream", .help = "Name of the stream"},
    {.name = "filter", .help = "Only subjects that match", .value = ">"},
    {0},
};

const cli_command cli_command_stream_ls = {
    .name = "ls",
    .aliases = "list l",
    .summary = "List the streams",
    .flags = ls_flags,
    .run = run_ls,
};
const cli_command cli_command_stream_report = {
    .name = "report",
    .summary = "What the streams hold",
    .flags = report_flags,
    .run = run_report,
};
const cli_command cli_command_stream_subjects = {
    .name = "subjects",
    .aliases = "subj",
    .summary = "List the subjects that a stream holds",
    .flags = subjects_flags,
    .args = subjects_args,
    .run = run_subjects,
};
