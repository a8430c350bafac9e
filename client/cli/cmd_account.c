// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge account info: who we are to the server, and what JetStream lets the account use.
#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "client/cli/commands.h"
#include "client/cli/js.h"
#include "client/cli/units.h"

// ---- the connection -------------------------------------------------------------------------------------------------

static const char *text_or(const char *text, const char *other) { return text != NULL && *text != '\0' ? text : other; }

// spec/monitoring-and-tools.md C2: $SYS.REQ.USER.INFO answers for the connection that asks; servers without it and
// system accounts out of reach give nothing, and then nothing is shown.
static midge_str ask_user(cli_js *js) {
    const midge_msg *reply;
    int err = midge_request_wait(js->conn, MIDGE_STR("$SYS.REQ.USER.INFO"), MIDGE_NONE, "", 0, 1000, &reply);
    if (err != 0 || !mgc_json_valid(reply->data)) return MIDGE_NONE;
    return (midge_str){cli_strndup(js->app, reply->data.p, reply->data.n), reply->data.n};
}

static void show_user(cli_facts *f, cli *app, midge_str user) {
    const char *id = cli_js_member(app, user, "data.user"), *name = cli_js_member(app, user, "data.user_name");
    const char *account = cli_js_member(app, user, "data.account");
    const char *account_name = cli_js_member(app, user, "data.account_name");
    uint64_t expires = cli_js_number(user, "data.expires");
    mgc_json j;
    if (!mgc_json_find(user, "data", &j)) return;
    id = text_or(id, "");
    account = text_or(account, "");
    cli_facts_row(f, "User", "%s", text_or(name, NULL) != NULL ? cli_printf(app, "%s (%s)", name, id) : id);
    cli_facts_row(f, "Account", "%s",
                  text_or(account_name, NULL) != NULL ? cli_printf(app, "%s (%s)", account_name, account) : account);
    cli_facts_flag(f, "System Account", strcmp(account, "$SYS") == 0);
    cli_facts_text(f, "Expires", expires > 0 ? cli_duration((int64_t)expires).s : "never");
}

static const char *own_address(cli *app, int fd) {
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a;
    char text[INET6_ADDRSTRLEN] = "";
    if (fd < 0 || getsockname(fd, (struct sockaddr *)&a, &n) != 0) return "";
    const void *in = a.ss_family == AF_INET ? (const void *)&((struct sockaddr_in *)&a)->sin_addr
                                            : (const void *)&((struct sockaddr_in6 *)&a)->sin6_addr;
    return inet_ntop(a.ss_family, in, text, sizeof text) != NULL ? cli_strndup(app, text, strlen(text)) : "";
}

static int show_connection(cli_facts *f, cli_js *js, midge_str user) {
    cli *app = js->app;
    const char *server = cli_strndup(app, midge_conn_server(js->conn), strlen(midge_conn_server(js->conn)));
    uint64_t began = cli_mono_ns();
    int err = midge_flush_wait(js->conn, (uint32_t)cli_timeout(app));
    if (err != 0) return cli_fail(app, "the server does not answer: %s", midge_strerror(err));
    uint64_t rtt = cli_mono_ns() - began;
    const midge_info *info = midge_info_of(js->m);
    show_user(f, app, user);
    cli_facts_row(f, "Client ID", "%" PRIu64, info->client_id);
    cli_facts_row(f, "Client IP", "%s", own_address(app, midge_conn_fd(js->conn)));
    cli_facts_row(f, "RTT", "%s", cli_duration((int64_t)rtt).s);
    cli_facts_flag(f, "Headers Supported", info->headers);
    cli_facts_row(f, "Maximum Payload", "%s", info->max_payload < 0 ? "unlimited"
                                                                    : cli_bytes((uint64_t)info->max_payload).s);
    cli_facts_text(f, "Connected Cluster", cli_js_member(app, user, "server.cluster"));
    cli_facts_row(f, "Connected URL", "nats://%s", server);
    cli_facts_text(f, "Connected Address", server);
    const char *id = cli_js_member(app, user, "server.id"), *name = cli_js_member(app, user, "server.name");
    cli_facts_text(f, "Connected Server ID", id);
    cli_facts_text(f, "Connected Server Version", cli_js_member(app, user, "server.ver"));
    if (id != NULL && name != NULL && strcmp(id, name) != 0) cli_facts_text(f, "Connected Server Name", name);
    const midge_options *o = cli_options(app);
    bool files = o != NULL && (o->tls_ca != NULL || o->tls_cert != NULL || o->tls_first || o->tls_required);
    cli_facts_text(f, "TLS Connection", files || info->tls_required || midge_server_now(js->m).tls ? "yes" : "no");
    return CLI_OK;
}

static void show_permissions(cli_facts *f, midge_str user) {
    static const char *const paths[][2] = {
        {"Publish allowed", "data.permissions.publish.allow"}, {"Publish denied", "data.permissions.publish.deny"},
        {"Subscribe allowed", "data.permissions.subscribe.allow"},
        {"Subscribe denied", "data.permissions.subscribe.deny"}};
    bool titled = false;
    for (size_t i = 0; i < 4; i++) {
        mgc_json j;
        const char *name = paths[i][0];
        if (!mgc_json_find(user, paths[i][1], &j) || j.type != MGC_JSON_ARRAY) continue;
        if (!titled) cli_facts_title(f, "Connection Permissions");
        titled = true;
        for (; mgc_json_next(&j) == MGC_JSON_STRING; name = "")
            cli_facts_row(f, name, "%.*s", (int)j.text.n, j.text.p);
    }
}

// ---- JetStream ------------------------------------------------------------------------------------------------------

static const char *of_limit(cli *app, midge_str tier, const char *used, const char *reserved, const char *most) {
    mgc_json j;
    int64_t limit = -1;
    uint64_t kept = cli_js_number(tier, reserved);
    if (mgc_json_find(tier, most, &j)) mgc_json_int(&j, &limit);
    return cli_printf(app, "%s of %s %s", cli_bytes(cli_js_number(tier, used)).s,
                      limit < 0 ? "Unlimited" : cli_bytes((uint64_t)limit).s,
                      kept > 0 ? cli_printf(app, "(%s reserved)", cli_bytes(kept).s) : "");
}

static void limit_row(cli_facts *f, midge_str tier, const char *name, const char *path, bool bytes,
                      const char *form) {
    mgc_json j;
    int64_t limit = -1;
    if (mgc_json_find(tier, path, &j)) mgc_json_int(&j, &limit);
    if (limit <= 0) cli_facts_text(f, name, "Unlimited");
    else cli_facts_row(f, name, "%s%s%s", form != NULL ? "Maximum " : "",
                       bytes ? cli_bytes((uint64_t)limit).s : cli_count((uint64_t)limit).s,
                       form != NULL ? form : "");
}

static void show_tier(cli_facts *f, cli *app, const char *name, midge_str tier) {
    mgc_json j;
    bool required = false;
    int64_t streams = -1;
    if (mgc_json_find(tier, "limits.max_bytes_required", &j)) mgc_json_bool(&j, &required);
    if (mgc_json_find(tier, "limits.max_streams", &j)) mgc_json_int(&j, &streams);
    cli_facts_indent(f, 2);
    cli_facts_title(f, "Tier: %s", name);
    cli_facts_indent(f, 6);
    cli_facts_title(f, "Configuration Requirements");
    cli_facts_flag(f, "Stream Requires Max Bytes Set", required);
    limit_row(f, tier, "Consumer Maximum Ack Pending", "limits.max_ack_pending", false, NULL);
    cli_facts_title(f, "Stream Resource Usage Limits");
    cli_facts_row(f, "Memory", "%s", of_limit(app, tier, "memory", "reserved_memory", "limits.max_memory"));
    limit_row(f, tier, "Memory Per Stream", "limits.memory_max_stream_bytes", true, NULL);
    cli_facts_row(f, "Storage", "%s", of_limit(app, tier, "storage", "reserved_storage", "limits.max_storage"));
    limit_row(f, tier, "Storage Per Stream", "limits.storage_max_stream_bytes", true, NULL);
    cli_facts_row(f, "Streams", "%s of %s", cli_count(cli_js_number(tier, "streams")).s,
                  streams < 0 ? "Unlimited" : cli_count((uint64_t)streams).s);
    limit_row(f, tier, "Consumers", "limits.max_consumers", false, " per stream");
    cli_facts_indent(f, 0);
}

static void show_account(cli_facts *f, cli_js *js) {
    cli *app = js->app;
    const midge_account_result *a = &js->op.account;
    const char *domain = cli_js_text(app, a->domain);
    int64_t payload = midge_info_of(js->m)->max_payload;
    cli_facts_title(f, "JetStream Account Information%s%s", domain != NULL ? " for domain " : "",
                    domain != NULL ? domain : "");
    cli_facts_title(f, "Account Usage");
    cli_facts_text(f, "Domain", domain);
    cli_facts_row(f, "Storage", "%s", cli_bytes(a->storage).s);
    cli_facts_row(f, "Memory", "%s", cli_bytes(a->memory).s);
    cli_facts_row(f, "Streams", "%s", cli_count(a->streams).s);
    cli_facts_row(f, "Consumers", "%s", cli_count(a->consumers).s);
    cli_facts_title(f, "Account Limits");
    cli_facts_row(f, "Max Message Payload", "%s", payload < 0 ? "unlimited" : cli_bytes((uint64_t)payload).s);
    mgc_json j;
    mgc_json_init(&j, a->tiers);
    if (mgc_json_next(&j) != MGC_JSON_OBJECT) show_tier(f, app, "Default", js->op.json);
    else
        while (mgc_json_next(&j) == MGC_JSON_KEY) {
            const char *name = cli_js_text(app, j.text);
            mgc_json_next(&j);
            show_tier(f, app, name != NULL ? name : "", mgc_json_raw(&j));
        }
}

static int info(cli_js *js) {
    cli *app = js->app;
    if (js->json) {
        int err = cli_js_wait(js, &js->op, midge_account_info(js->m, &js->op));
        if (err != 0) return cli_js_failed(js, &js->op, err, "could not load the account");
        cli_js_print(js->op.json);
        return CLI_OK;
    }
    midge_str user = ask_user(js);
    cli_facts *f = cli_facts_new(app, "Account Information");
    if (show_connection(f, js, user) != CLI_OK) return CLI_FAILED;
    show_permissions(f, user);
    int err = cli_js_wait(js, &js->op, midge_account_info(js->m, &js->op));
    if (err == 0) {
        show_account(f, js);
    } else {
        cli_facts_line(f, "");
        cli_facts_line(f, err == MIDGE_ENORESPONDERS ? "   JetStream is not supported in this account"
                          : err == MIDGE_ETIMEOUT    ? "   No response from JetStream server"
                                                     : "   Could not obtain account information");
    }
    cli_facts_print(f);
    return CLI_OK;
}

static int run_info(cli *app) { return cli_js_run(app, info); }

// ---- tables ---------------------------------------------------------------------------------------------------------

static const cli_flag info_flags[] = {
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print what JetStream says, as JSON"},
    {0},
};
static const cli_command info_command = {.name = "info", .aliases = "nfo", .summary = "Show the account and its limits",
                                         .flags = info_flags, .run = run_info};
static const cli_command *const commands[] = {&info_command, NULL};

const cli_command cli_command_account = {
    .name = "account",
    .aliases = "a",
    .summary = "Look at the account",
    .commands = commands,
};
