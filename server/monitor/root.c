// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The page at the base path (spec/monitoring-and-tools.md A2): what there is to look at.
#include "server/monitor/answers.h"

// Text from the configuration goes into a page: nothing in it may act as markup.
static void add_html(struct mg_buf *out, const char *s) {
    for (; *s != '\0'; s++) {
        if (*s == '<')
            mg_buf_adds(out, "&lt;");
        else if (*s == '>')
            mg_buf_adds(out, "&gt;");
        else if (*s == '&')
            mg_buf_adds(out, "&amp;");
        else if (*s == '"')
            mg_buf_adds(out, "&quot;");
        else
            mg_buf_addc(out, *s);
    }
}

static void add_link(struct mg_buf *out, const char *base, const char *path, const char *what) {
    mg_buf_adds(out, "<li><a href=\"");
    add_html(out, base);
    mg_buf_addf(out, "%s\">%s</a> <code>%s</code></li>\n", path, what, path);
}

// "/nats" for "nats/", "" for "/".
static void add_base(struct mg_buf *out, const char *base) {
    while (*base != '\0') {
        while (*base == '/') base++;
        size_t n = strcspn(base, "/");
        if (n != 0) {
            mg_buf_addc(out, '/');
            mg_buf_add(out, base, n);
        }
        base += n;
    }
    mg_buf_addc(out, '\0');
}

void mg_root_render(const struct mg_server_facts *f, struct mg_buf *out) {
    static const char *const links[][2] = {
        {"/varz", "General"},         {"/jsz", "JetStream"},         {"/connz", "Connections"},
        {"/accountz", "Accounts"},    {"/accstatz", "Account Stats"}, {"/subsz", "Subscriptions"},
        {"/routez", "Routes"},        {"/leafz", "LeafNodes"},       {"/gatewayz", "Gateways"},
        {"/raftz", "Raft Groups"},    {"/healthz", "Health Probe"},  {"/metrics", "Metrics"},
    };
    struct mg_buf base = MG_BUF_INIT;
    add_base(&base, f->opts->http_base_path ? f->opts->http_base_path : "");
    mg_buf_adds(out,
                "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Midge</title>\n<style>\n"
                "body { font: 16px/1.6 system-ui, sans-serif; margin: 3rem auto; max-width: 32rem; color: #223 }\n"
                "ul { list-style: none; padding: 0 } a { color: #157; text-decoration: none }\n"
                "a:hover { text-decoration: underline } code, small { color: #889 }\n</style>\n</head>\n<body>\n"
                "<h1>Midge <small>v");
    add_html(out, f->version);
    mg_buf_adds(out, "</small></h1>\n<p>");
    add_html(out, mg_facts_name(f));
    mg_buf_adds(out, "</p>\n<ul>\n");
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) add_link(out, base.p, links[i][0], links[i][1]);
    mg_buf_adds(out,
                "</ul>\n<p><a href=\"https://docs.nats.io/running-a-nats-service/nats_admin/monitoring\">Help</a></p>\n"
                "</body>\n</html>\n");
    mg_buf_fini(&base);
}
