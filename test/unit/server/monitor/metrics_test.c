// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// /metrics: the syntax is checked line by line with a small reader of the text formats.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/base/mem.h"
#include "server/monitor/js.h"
#include "test/unit/cmocka_inc.h"

static char host[] = "::", evil[] = "a\"b\\c\nd";
static struct mg_options opts = {.host = host, .server_name = evil, .max_connections = 10, .max_pending = 7};
static const struct mg_js_facts js = {.ready = true, .max_memory = 1, .max_store = 2, .streams = 2, .commits = 3,
                                      .commit_ns = {[17] = 2, [18] = 1}, .commit_bytes = {[12] = 3}, .full = true};
static const struct mg_server_facts facts = {
    .js = &js,
    .opts = &opts, .server_id = "NID", .version = "2.14.5", .git_commit = "", .build = "gcc", .ip = "", .port = 4222,
    .start_ns = INT64_C(1767323045500000000), .now_ns = INT64_C(1767323046000000000), .rss = 12345, .cpu_percent = 0.5,
    .cpu_seconds = 1.25, .open_fds = 9, .config_load_ns = INT64_C(1767323045000000000)};

static char *render(const char *accept, const char **type) {
    struct mg_totals t = {.connections = 3, .total_connections = 8, .in_msgs = 10, .in_client_msgs = 7,
                          .out_msgs = UINT64_MAX, .auth_errors = 2};
    struct mg_endpoint_hits hits = {{0}};
    struct mg_buf out = MG_BUF_INIT;
    t.closed[MG_CLOSE_STALE] = 4;
    hits.n[MG_ENDPOINT_METRICS] = 1;
    hits.n[MG_ENDPOINT_ROOT] = 1;
    struct mg_js_stream_row rows[] = {{MG_S("A"), 1, 2, 3, 4, 5, 6}, {MG_S("B"), 7, 8, 9, 10, 11, 12}};
    struct mg_js_consumer_row consumers[] = {{MG_S("A"), MG_S("c\""), 21, 22, 23, 24, 25, 26}};
    const struct mg_js_rows all = {.v = rows, .n = 2, .consumers = consumers, .nconsumers = 1};
    *type = mg_metrics_render(&facts, &t, &hits, mg_cstr(accept), &all, &out);
    mg_buf_addc(&out, '\0');
    return out.p;
}

static size_t name_len(const char *s) {
    size_t n = 0;
    while (isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == ':') n++;
    return isdigit((unsigned char)s[0]) ? 0 : n;
}

// name{label="value",...} number. Returns where the labels end.
static const char *check_sample(const char *line, const char *family) {
    size_t n = name_len(line);
    assert_true(n != 0);
    assert_memory_equal(line, family, strlen(family)); // samples stand below their family
    const char *p = line + n;
    if (*p == '{') {
        do {
            p++;
            n = name_len(p);
            assert_true(n != 0);
            p += n;
            assert_memory_equal(p, "=\"", 2);
            for (p += 2; *p != '"'; p++) {
                assert_true(*p != '\0');
                if (*p == '\\') {
                    p++;
                    assert_non_null(strchr("\\\"n", *p));
                }
            }
            p++;
        } while (*p == ',');
        assert_int_equal(*p++, '}');
    }
    assert_int_equal(*p, ' ');
    char *end;
    strtod(p + 1, &end);
    assert_true(end != p + 1 && *end == '\0');
    return p;
}

static void check_syntax(char *text, bool openmetrics) {
    char family[256] = "", *lines[2000];
    size_t n = 0;
    bool eof = false;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        assert_false(eof);
        if (strcmp(line, "# EOF") == 0) {
            eof = true;
        } else if (strncmp(line, "# HELP ", 7) == 0) {
            snprintf(family, sizeof(family), "%.*s", (int)name_len(line + 7), line + 7);
            for (size_t i = 0; i < n; i++) // one block a family
                assert_false(strncmp(lines[i], line, 7 + strlen(family) + 1) == 0);
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            assert_memory_equal(line + 7, family, strlen(family));
            const char *type = line + 7 + strlen(family) + 1;
            bool total = strlen(family) > 6 && strcmp(family + strlen(family) - 6, "_total") == 0;
            if (strcmp(type, "counter") == 0)
                assert_int_equal(total, !openmetrics);
            else if (strcmp(type, "info") == 0)
                assert_true(openmetrics);
            else if (strcmp(type, "histogram") != 0)
                assert_string_equal(type, "gauge");
        } else {
            const char *end = check_sample(line, family);
            for (size_t i = 0; i < n; i++) // no label set twice
                assert_false(strncmp(lines[i], line, (size_t)(end - line) + 1) == 0);
        }
        assert_true(n < sizeof(lines) / sizeof(lines[0]));
        lines[n++] = line;
    }
    assert_int_equal(eof, openmetrics);
}

static void expect_lines(const char *text, const char *const lines[], size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strstr(text, lines[i]) == NULL) fail_msg("missing: %s\nin: %s", lines[i], text);
}

static void prometheus_text(void **state) {
    (void)state;
    const char *type;
    char *text = render("text/html", &type);
    assert_string_equal(type, "text/plain; version=0.0.4; charset=utf-8");
    static const char *const lines[] = {
        "# TYPE nats_server_info gauge\nnats_server_info{version=\"2.14.5\",server_name=\"a\\\"b\\\\c\\nd\",",
        ",server_id=\"NID\",cluster=\"\"} 1\n",
        "\nnats_server_start_time_seconds 1767323045.5\n", "\nprocess_resident_memory_bytes 12345\n",
        "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1.25\n", "\nprocess_open_fds 9\n",
        "\nnats_connections{kind=\"client\",type=\"nats\"} 3\n", "\nnats_connections_opened_total 8\n",
        "\nnats_connections_closed_total{reason=\"Stale Connection\"} 4\n", "\nnats_auth_errors_total 2\n",
        "\nnats_messages_total{direction=\"in\",kind=\"client\"} 7\n",
        "\nnats_messages_total{direction=\"in\",kind=\"other\"} 3\n",
        // the exporter's names
        "# TYPE nats_varz_in_msgs gauge\nnats_varz_in_msgs{server_id=\"NID\"} 10\n",
        "\nnats_varz_out_msgs{server_id=\"NID\"} 18446744073709551615\n", "\nnats_varz_cpu{server_id=\"NID\"} 0.5\n",
        "\nnats_varz_slow_consumer_stats_clients{server_id=\"NID\"} 0\n",
        "\nnats_varz_http_req_stats_metrics{server_id=\"NID\"} 1\n",
        "\nnats_varz_start{server_id=\"NID\"} 1767323045500\n",
        "\nnats_varz_config_load_time{server_id=\"NID\"} 1767323045000\n",
        "\nnats_varz_version{server_id=\"NID\",value=\"2.14.5\"} 1\n",
        // JetStream
        "\nnats_jetstream_store_full 1\n", "\nnats_jetstream_store_commits_total 3\n",
        "\nnats_jetstream_stream_messages{account=\"$G\",stream=\"B\"} 7\n",
        "\nnats_jetstream_consumer_pending{account=\"$G\",stream=\"A\",consumer=\"c\\\"\"} 21\n",
        "\nnats_jetstream_consumer_ack_floor_sequence{account=\"$G\",stream=\"A\",consumer=\"c\\\"\"} 26\n",
        "# TYPE nats_jetstream_commit_seconds histogram\n",
        "\nnats_jetstream_commit_seconds_bucket{le=\"0.000262144\"} 2\n"
        "nats_jetstream_commit_seconds_bucket{le=\"0.000524288\"} 3\n",
        "\nnats_jetstream_commit_seconds_bucket{le=\"+Inf\"} 3\n", "\nnats_jetstream_commit_seconds_count 3\n",
        "\nnats_jetstream_commit_bytes_bucket{le=\"4096\"} 0\nnats_jetstream_commit_bytes_bucket{le=\"8192\"} 3\n"};
    expect_lines(text, lines, sizeof(lines) / sizeof(lines[0]));
    check_syntax(text, false);
    mg_free(text);
}

static void openmetrics_text(void **state) {
    (void)state;
    const char *type;
    char *text = render("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", &type);
    assert_string_equal(type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    static const char *const lines[] = {
        "# TYPE nats_server info\nnats_server_info{version=",
        "# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total 1.25\n",
        "# TYPE nats_connections_opened counter\nnats_connections_opened_total 8\n"};
    expect_lines(text, lines, sizeof(lines) / sizeof(lines[0]));
    check_syntax(text, true);
    mg_free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prometheus_text),
        cmocka_unit_test(openmetrics_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
