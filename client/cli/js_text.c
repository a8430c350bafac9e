// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Texts from answers of the server, and flags that become parts of a config.
#include <string.h>
#include <time.h>

#include "client/cli/js.h"
#include "client/cli/units.h"

// ---- texts ----------------------------------------------------------------------------------------------------------

const char *cli_js_text(cli *app, midge_str s) { return s.n > 0 ? cli_strndup(app, s.p, s.n) : NULL; }

const char *cli_js_member(cli *app, midge_str json, const char *path) {
    mgc_json j;
    if (!mgc_json_find(json, path, &j)) return NULL;
    if (j.type != MGC_JSON_STRING) return cli_js_text(app, mgc_json_raw(&j));
    char *text = cli_alloc(app, j.text.n + 1);
    mgc_json_unescape(j.text, text);
    return text;
}

uint64_t cli_js_number(midge_str json, const char *path) {
    mgc_json j;
    uint64_t v = 0;
    if (mgc_json_find(json, path, &j)) mgc_json_uint(&j, &v);
    return v;
}

const char *cli_js_join(cli *app, const midge_str *texts, size_t n) {
    size_t size = 1;
    for (size_t i = 0; i < n; i++)
        size += texts[i].n + 2;
    char *text = cli_alloc(app, size), *at = text;
    for (size_t i = 0; i < n; i++)
        at += snprintf(at, size - (size_t)(at - text), "%s%.*s", i > 0 ? ", " : "", (int)texts[i].n, texts[i].p);
    return text;
}

int64_t cli_js_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * CLI_SEC + now.tv_nsec;
}

const char *cli_js_ago(cli *app, int64_t now, int64_t then) {
    if (now == 0) now = cli_js_now();
    return cli_printf(app, "%s", cli_duration(then == 0 ? INT64_MAX : now > then ? now - then : 0).s);
}

const char *cli_js_exact_time(cli *app, int64_t time) {
    char text[MIDGE_TIME_MAX];
    midge_str s = midge_time_text(time, text);
    text[10] = ' ';
    return cli_printf(app, "%.*s +0000 UTC", (int)s.n - 1, text);
}

// ---- metadata and clusters ------------------------------------------------------------------------------------------

static bool is_reserved(midge_str name) { return name.n > 6 && memcmp(name.p, "_nats.", 6) == 0; }

const char *cli_js_reserved(cli *app, const midge_pair *metadata, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (metadata[i].name.n == strlen(name) && memcmp(metadata[i].name.p, name, metadata[i].name.n) == 0)
            return cli_js_text(app, metadata[i].value);
    return NULL;
}

const midge_pair *cli_js_metadata(cli *app, const midge_pair *metadata, size_t *n) {
    midge_pair *kept = cli_alloc(app, (*n + 1) * sizeof *kept);
    size_t len = 0;
    for (size_t i = 0; i < *n; i++)
        if (!is_reserved(metadata[i].name)) kept[len++] = metadata[i];
    *n = len;
    return kept;
}

void cli_js_show_metadata(cli_facts *c, cli *app, const midge_pair *metadata, size_t n) {
    const midge_pair *own = cli_js_metadata(app, metadata, &n);
    if (n > 0) cli_facts_title(c, "Metadata");
    for (size_t i = 0; i < n; i++)
        cli_facts_row(c, cli_printf(app, "%.*s", (int)own[i].name.n, own[i].name.p), "%.*s", (int)own[i].value.n,
                        own[i].value.p);
}

void cli_js_show_host(cli_facts *c, cli *app, const midge_pair *metadata, size_t n) {
    const char *level = cli_js_reserved(app, metadata, n, "_nats.level");
    const char *required = cli_js_reserved(app, metadata, n, "_nats.req.level");
    cli_facts_text(c, "Host Version", cli_js_reserved(app, metadata, n, "_nats.ver"));
    if (level != NULL || required != NULL)
        cli_facts_row(c, "Required API Level", "%s hosted at level %s", required != NULL ? required : "0",
                        level != NULL ? level : "");
}

static void show_replica(cli_facts *c, cli *app, midge_str replica) {
    mgc_json j;
    bool current = false, offline = false;
    uint64_t active = cli_js_number(replica, "active"), lag = cli_js_number(replica, "lag");
    if (mgc_json_find(replica, "current", &j)) mgc_json_bool(&j, &current);
    if (mgc_json_find(replica, "offline", &j)) mgc_json_bool(&j, &offline);
    const char *seen = active == 0 || active >= INT64_MAX
                           ? "not seen"
                           : cli_printf(app, "seen %s ago", cli_duration((int64_t)active).s);
    const char *many = lag > 1 ? "s" : "";
    const char *behind = lag > 0 ? cli_printf(app, ", %s operation%s behind", cli_count(lag).s, many) : "";
    cli_facts_row(c, "Replica", "%s, %s%s, %s%s", cli_js_member(app, replica, "name"),
                    current ? "current" : "outdated", offline ? ", OFFLINE" : "", seen, behind);
}

void cli_js_show_cluster(cli_facts *c, cli *app, midge_str cluster, const char *group) {
    const char *name = cluster.n > 0 ? cli_js_member(app, cluster, "name") : NULL;
    mgc_json j;
    if (cluster.n == 0 || (group != NULL && (name == NULL || *name == '\0'))) return;
    const char *leader = cli_js_member(app, cluster, "leader");
    cli_facts_title(c, "Cluster Information");
    cli_facts_row(c, "Name", "%s", name != NULL ? name : "");
    if (group != NULL) cli_facts_text(c, group, cli_js_member(app, cluster, "raft_group"));
    cli_facts_row(c, "Leader", "%s", leader != NULL ? leader : "");
    if (!mgc_json_find(cluster, "replicas", &j) || j.type != MGC_JSON_ARRAY) return;
    while (mgc_json_next(&j) == MGC_JSON_OBJECT)
        show_replica(c, app, mgc_json_raw(&j));
}
