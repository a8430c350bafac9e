// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Flags that become parts of configs, through the command lines that have them.
#include "client/cli/js.h"

#include <string.h>

#include "client/cli/app.h"
#include "client/cli/consumer.h"
#include "client/cli/stream.h"
#include "test/unit/cmocka_inc.h"

static void begin(cli *app, const char *line) {
    char *argv[32], err[256];
    int argc = 0;
    cli_init(app);
    char *copy = cli_strndup(app, line, strlen(line));
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    assert_int_equal(cli_parse(app, &cli_root, argc, argv, err, sizeof err), CLI_PARSED_RUN);
}

#define IS(s, text) assert_true((s).n == strlen(text) && memcmp((s).p, text, (s).n) == 0)

static void words_and_pairs(void **state) {
    cli app;
    size_t n;
    const midge_pair *pairs;
    (void)state;
    begin(&app, "midge stream add S --subjects a,,b --subjects c, --metadata a:b=c --metadata d=e:f");
    const midge_str *words = cli_js_words(&app, "subjects", &n);
    assert_int_equal(n, 3);
    IS(words[0], "a");
    IS(words[1], "b");
    IS(words[2], "c");
    assert_int_equal(cli_js_pairs(&app, "metadata", &pairs, &n), CLI_OK);
    assert_int_equal(n, 2);
    IS(pairs[0].name, "a");
    IS(pairs[0].value, "b=c");
    IS(pairs[1].name, "d");
    IS(pairs[1].value, "e:f");
    cli_fini(&app);
    begin(&app, "midge stream add S --metadata novalue");
    assert_int_equal(cli_js_words(&app, "subjects", &n)[0].n, 0);
    assert_int_equal(n, 0);
    assert_int_equal(cli_js_pairs(&app, "metadata", &pairs, &n), CLI_FAILED);
    cli_fini(&app);
}

static void durations_and_sizes(void **state) {
    static const struct {
        const char *line;
        int64_t age, bytes; // -2: refused
    } cases[] = {{"midge stream add S", 5, 5},
                 {"midge stream add S --max-age 1h --max-bytes 2K", 3600 * MIDGE_SECOND, 2048},
                 {"midge stream add S --max-age -1 --max-bytes -1", -1, -1},
                 {"midge stream add S --max-age 5 --max-bytes x", -2, -2},
                 {"midge stream add S --max-age -1h --max-bytes -2", -2, -2}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cli app;
        int64_t age = 5, bytes = 5;
        begin(&app, cases[i].line);
        assert_int_equal(cli_js_duration(&app, "max-age", &age), cases[i].age == -2 ? CLI_FAILED : CLI_OK);
        assert_int_equal(cli_js_bytes(&app, "max-bytes", &bytes), cases[i].bytes == -2 ? CLI_FAILED : CLI_OK);
        if (cases[i].age != -2) assert_int_equal(age, cases[i].age);
        if (cases[i].bytes != -2) assert_int_equal(bytes, cases[i].bytes);
        cli_fini(&app);
    }
}

static void json_members(void **state) {
    cli app;
    cli_js js = {.app = &app};
    midge_stream_config c = {.placement = MIDGE_STR("{\"cluster\":\"old\",\"tags\":[\"x\"]}"), .max_msgs = 4,
                             .description = MIDGE_STR("stays")};
    (void)state;
    begin(&app, "midge stream add S --cluster new --republish-source a --republish-destination b --republish-headers "
                "--transform-source c --transform-destination d --mirror M --source A --source {\"name\":\"B\"} "
                "--limit-consumer-max-pending 7 --retention workq --no-ack --max-age -1");
    assert_int_equal(cli_stream_config_flags_apply(&js, &c), CLI_OK);
    IS(c.placement, "{\"cluster\":\"new\",\"tags\":[\"x\"]}");
    IS(c.republish, "{\"src\":\"a\",\"dest\":\"b\",\"headers_only\":true}");
    IS(c.subject_transform, "{\"src\":\"c\",\"dest\":\"d\"}");
    IS(c.mirror, "{\"name\":\"M\"}");
    IS(c.sources, "[{\"name\":\"A\"},{\"name\":\"B\"}]");
    IS(c.consumer_limits, "{\"max_ack_pending\":7}");
    IS(c.description, "stays");
    assert_int_equal(c.retention, MIDGE_RETAIN_WORKQUEUE);
    assert_true(c.no_ack);
    assert_int_equal(c.max_msgs, 4);
    assert_int_equal(c.max_age, 0);
    cli_fini(&app);
    begin(&app, "midge stream add S --republish-source a");
    assert_int_equal(cli_stream_config_flags_apply(&js, &c), CLI_FAILED);
    cli_fini(&app);
}

static void deliver_policies(void **state) {
    static const struct {
        const char *flags;
        enum midge_deliver policy;
        uint64_t seq;
    } cases[] = {{"", MIDGE_DELIVER_ALL, 0},
                 {"--deliver new", MIDGE_DELIVER_NEW, 0},
                 {"--deliver subject", MIDGE_DELIVER_LAST_PER_SUBJECT, 0},
                 {"--deliver 12", MIDGE_DELIVER_BY_START_SEQUENCE, 12},
                 {"--deliver 12m", MIDGE_DELIVER_BY_START_TIME, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cli app;
        cli_js js = {.app = &app};
        midge_consumer_config c = {0};
        char line[128];
        snprintf(line, sizeof line, "midge consumer add S C %s", cases[i].flags);
        begin(&app, line);
        assert_int_equal(cli_consumer_config_flags_apply(&js, &c), CLI_OK);
        assert_int_equal(c.deliver_policy, cases[i].policy);
        assert_int_equal(c.opt_start_seq, cases[i].seq);
        assert_true((c.opt_start_time > 0) == (cases[i].policy == MIDGE_DELIVER_BY_START_TIME));
        if (cases[i].policy == MIDGE_DELIVER_LAST_PER_SUBJECT) IS(c.filter_subject, ">");
        cli_fini(&app);
    }
}

static void backoff(void **state) {
    cli app;
    cli_js js = {.app = &app};
    midge_consumer_config c = {.max_deliver = -1};
    (void)state;
    begin(&app, "midge consumer add S C --backoff linear --backoff-steps 4 --backoff-min 10s --backoff-max 2s");
    assert_int_equal(cli_consumer_config_flags_apply(&js, &c), CLI_OK);
    assert_int_equal(c.backoff_len, 4);
    for (int64_t i = 0; i < 4; i++)
        assert_int_equal(c.backoff[i], 2 * MIDGE_SECOND * (i + 1));
    assert_int_equal(c.max_deliver, 5);
    cli_fini(&app);
    begin(&app, "midge consumer add S C --backoff linear --backoff-steps 0");
    assert_int_equal(cli_consumer_config_flags_apply(&js, &c), CLI_FAILED);
    cli_fini(&app);
}

static void until(void **state) {
    cli app;
    int64_t t;
    (void)state;
    begin(&app, "midge rtt");
    assert_int_equal(cli_consumer_until(&app, "2001-09-09 01:46:40", &t), CLI_OK);
    assert_int_equal(t, 1000000000 * MIDGE_SECOND);
    assert_int_equal(cli_consumer_until(&app, "2001-09-09T01:46:40Z", &t), CLI_OK);
    assert_int_equal(t, 1000000000 * MIDGE_SECOND);
    assert_int_equal(cli_consumer_until(&app, "1h", &t), CLI_OK);
    assert_true(t > cli_js_now() + 3590 * MIDGE_SECOND && t <= cli_js_now() + 3600 * MIDGE_SECOND);
    assert_int_equal(cli_consumer_until(&app, "tomorrow", &t), CLI_FAILED);
    assert_int_equal(cli_consumer_until(&app, "", &t), CLI_FAILED);
    cli_fini(&app);
}

static void texts(void **state) {
    static const midge_pair metadata[] = {
        {{"_nats.ver", 9}, {"2", 1}}, {{"a", 1}, {"b", 1}}, {{"_nats.x", 7}, {"", 0}}};
    cli app;
    size_t n = 3;
    (void)state;
    begin(&app, "midge rtt");
    assert_string_equal(cli_js_exact_time(&app, 1000000000 * MIDGE_SECOND + 500000000),
                        "2001-09-09 01:46:40.5 +0000 UTC");
    assert_string_equal(cli_js_ago(&app, 10 * MIDGE_SECOND, 0), "never");
    assert_string_equal(cli_js_ago(&app, 10 * MIDGE_SECOND, 12 * MIDGE_SECOND), "0s");
    const midge_pair *own = cli_js_metadata(&app, metadata, &n);
    assert_int_equal(n, 1);
    IS(own[0].name, "a");
    assert_string_equal(cli_js_reserved(&app, metadata, 3, "_nats.ver"), "2");
    assert_null(cli_js_reserved(&app, metadata, 3, "_nats.level"));
    const midge_str json = MIDGE_STR("{\"a\":{\"b\":\"x\\ty\",\"n\":12},\"l\":[1, 2]}");
    assert_string_equal(cli_js_member(&app, json, "a.b"), "x\ty");
    assert_string_equal(cli_js_member(&app, json, "l"), "[1, 2]");
    assert_null(cli_js_member(&app, json, "a.c"));
    assert_null(cli_js_member(&app, MIDGE_NONE, "a"));
    assert_int_equal(cli_js_number(json, "a.n"), 12);
    assert_int_equal(cli_js_number(json, "a.b"), 0);
    cli_fini(&app);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_pairs),  cmocka_unit_test(durations_and_sizes), cmocka_unit_test(json_members),
        cmocka_unit_test(deliver_policies), cmocka_unit_test(backoff),             cmocka_unit_test(until),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
