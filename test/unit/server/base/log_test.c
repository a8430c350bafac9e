// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include <stdlib.h>
#include <time.h>

#include "server/base/log.h"
#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"

struct capture {
    struct mg_buf text; // lines, each "level:text\n"
    int64_t last_wall;
    unsigned woken, flushed;
    struct mg_log *log;
};

static void capture_line(void *arg, enum mg_log_level level, int64_t wall_ns, mg_slice text) {
    struct capture *c = arg;
    c->last_wall = wall_ns;
    mg_buf_addf(&c->text, "%d:", (int)level);
    mg_buf_add_slice(&c->text, text);
    mg_buf_addc(&c->text, '\n');
}

static void expect_text(struct capture *c, const char *want) {
    mg_buf_addc(&c->text, '\0');
    assert_string_equal(c->text.p, want);
    c->text.len = 0;
}

static int64_t fixed_wall(void *arg) {
    (void)arg;
    return 1767323045000120000; // 2026-01-02T03:04:05.00012Z
}

static void count_wake(void *arg) { ((struct capture *)arg)->woken++; }

// A flush as the writer does it: everything is taken out.
static void drain_flush(void *arg) {
    struct capture *c = arg;
    c->flushed++;
    mg_log_drain(c->log, capture_line, c);
}

static void levels_are_tested_first(void **state) {
    (void)state;
    struct capture c = {.text = MG_BUF_INIT};
    struct mg_log log;
    mg_log_init(&log, 0);
    log.sink = capture_line;
    log.sink_arg = &c;
    int evaluated = 0;
    mg_log_dbg(&log, "%d", evaluated++);
    mg_log_trc(&log, "%d", evaluated++);
    assert_int_equal(evaluated, 0);
    mg_log_inf(&log, "a %d", 1);
    mg_log_wrn(&log, "b");
    mg_log_err(&log, "c");
    mg_log_ftl(&log, "d");
    mg_log_set_flags(&log, true, true, false, false, 7);
    mg_log_dbg(&log, "e");
    mg_log_trc(&log, "f");
    expect_text(&c, "3:a 1\n2:b\n1:c\n0:d\n4:e\n5:f\n");
    assert_int_equal(atomic_load(&log.max_traced_msg_len), 7);
    mg_log_inf((struct mg_log *)NULL, "nowhere");
    mg_log_fini(&log);
    mg_buf_fini(&c.text);
}

static void ring_keeps_order_and_counts_what_it_drops(void **state) {
    (void)state;
    struct capture c = {.text = MG_BUF_INIT};
    struct mg_log log;
    mg_log_init(&log, 4);
    log.wall = fixed_wall;
    for (int i = 0; i < 6; i++) mg_log_inf(&log, "%d", i);
    assert_int_equal(mg_log_take_dropped(&log), 2);
    assert_int_equal(mg_log_take_dropped(&log), 0);
    assert_true(mg_log_pop(&log, capture_line, &c));
    mg_log_inf(&log, "again");
    while (mg_log_pop(&log, capture_line, &c)) continue;
    expect_text(&c, "3:0\n3:1\n3:2\n3:3\n3:again\n");
    assert_true(c.last_wall == fixed_wall(NULL));
    mg_log_fini(&log);
    mg_buf_fini(&c.text);
}

static void long_lines_go_to_the_heap_and_are_bounded(void **state) {
    (void)state;
    struct capture c = {.text = MG_BUF_INIT};
    struct mg_log log;
    mg_log_init(&log, 4);
    char *text = mg_alloc(100001);
    memset(text, 'x', 100000);
    text[100000] = '\0';
    for (size_t n = 200; n < 300; n++) { // around the size of a slot
        mg_log_inf(&log, "%.*s", (int)n, text);
        assert_true(mg_log_pop(&log, capture_line, &c));
        assert_int_equal(c.text.len, n + 3);
        c.text.len = 0;
    }
    mg_log_inf(&log, "%s", text);
    assert_true(mg_log_pop(&log, capture_line, &c));
    assert_int_equal(c.text.len, MG_LOG_LINE_MAX + 3);
    mg_log_inf(&log, "%s", text); // freed by fini
    mg_log_fini(&log);
    mg_free(text);
    mg_buf_fini(&c.text);
}

static void a_sleeping_consumer_is_woken_once(void **state) {
    (void)state;
    struct capture c = {.text = MG_BUF_INIT};
    struct mg_log log;
    mg_log_init(&log, 8);
    log.wake = count_wake;
    log.hook_arg = &c;
    mg_log_inf(&log, "awake");
    assert_int_equal(c.woken, 0);
    assert_false(mg_log_sleep(&log)); // there is a line
    assert_true(mg_log_pop(&log, capture_line, &c));
    assert_true(mg_log_sleep(&log));
    mg_log_inf(&log, "1");
    mg_log_inf(&log, "2");
    assert_int_equal(c.woken, 1);
    mg_log_fini(&log);
    mg_buf_fini(&c.text);
}

static void a_fatal_line_is_never_dropped(void **state) {
    (void)state;
    struct mg_log log;
    mg_log_init(&log, 2);
    struct capture c = {.text = MG_BUF_INIT, .log = &log};
    log.flush = drain_flush;
    log.hook_arg = &c;
    mg_log_inf(&log, "1");
    mg_log_inf(&log, "2");
    mg_log_ftl(&log, "end");
    expect_text(&c, "3:1\n3:2\n0:end\n");
    assert_int_equal(c.flushed, 2); // to make room, and to be out
    mg_log_fini(&log);
    mg_buf_fini(&c.text);
}

static void expect_format(struct mg_log_style style, enum mg_log_level level, const char *text, const char *want) {
    struct mg_buf out = MG_BUF_INIT;
    mg_log_format(&out, &style, level, fixed_wall(NULL), mg_cstr(text));
    mg_buf_addc(&out, '\0');
    assert_string_equal(out.p, want);
    mg_buf_fini(&out);
}

static void lines_look_as_tools_expect_them(void **state) {
    (void)state;
    setenv("TZ", "Etc/GMT-2", 1); // two hours east
    tzset();
    struct mg_log_style utc = {42, MG_LOG_TIME_UTC, false}, local = {42, MG_LOG_TIME_LOCAL, false};
    struct mg_log_style none = {42, MG_LOG_TIME_NONE, false}, color = {42, MG_LOG_TIME_NONE, true};
    expect_format(utc, MG_LOG_INF, "Server is ready", "[42] 2026/01/02 03:04:05.000120 [INF] Server is ready\n");
    expect_format(local, MG_LOG_ERR, "x", "[42] 2026/01/02 05:04:05.000120 [ERR] x\n");
    expect_format(none, MG_LOG_FTL, "x", "[42] [FTL] x\n");
    expect_format(none, MG_LOG_WRN, "x\r\n", "[42] [WRN] x\r\n");
    expect_format(color, MG_LOG_INF, "x", "[42] [\x1b[32mINF\x1b[0m] x\n");
    expect_format(color, MG_LOG_WRN, "x", "[42] [\x1b[0;93mWRN\x1b[0m] x\n");
    expect_format(color, MG_LOG_ERR, "x", "[42] [\x1b[31mERR\x1b[0m] x\n");
    expect_format(color, MG_LOG_FTL, "x", "[42] [\x1b[31mFTL\x1b[0m] x\n");
    expect_format(color, MG_LOG_DBG, "x", "[42] [\x1b[36mDBG\x1b[0m] x\n");
    expect_format(color, MG_LOG_TRC, "x", "[42] [\x1b[33mTRC\x1b[0m] x\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_tested_first),
        cmocka_unit_test(ring_keeps_order_and_counts_what_it_drops),
        cmocka_unit_test(long_lines_go_to_the_heap_and_are_bounded),
        cmocka_unit_test(a_sleeping_consumer_is_woken_once),
        cmocka_unit_test(a_fatal_line_is_never_dropped),
        cmocka_unit_test(lines_look_as_tools_expect_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
