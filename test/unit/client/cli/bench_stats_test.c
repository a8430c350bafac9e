// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/bench_stats.h"

#include <stdlib.h>

#include "test/unit/cmocka_inc.h"

#define SEC UINT64_C(1000000000)

static void check(void (*print)(const cli_bench_report *, FILE *), const cli_bench_report *r, const char *expected) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    print(r, out);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static cli_histogram *latencies(uint64_t from, uint64_t to) {
    cli_histogram *h = cli_histogram_new();
    for (uint64_t ns = from; ns <= to; ns++)
        cli_histogram_add(h, ns);
    return h;
}

static cli_bench_report report_of(const cli_bench_sample *samples, size_t len) {
    return (cli_bench_report){.type = "pub",
                              .label = "Core NATS publisher",
                              .subject = "a\"b",
                              .run_id = "RUN",
                              .prefix = 'P',
                              .msg_size = 128,
                              .samples = samples,
                              .len = len};
}

static void one_client(void **state) {
    (void)state;
    cli_bench_sample s = {
        .msgs = 100000, .bytes = 12800000, .wire_msgs = 100000, .start_ns = SEC, .end_ns = 3 * SEC / 2};
    cli_bench_report r = report_of(&s, 1);
    check(cli_bench_text, &r, "\nNATS Core NATS publisher stats: 200,000 msgs/sec ~ 24 MiB/sec\n\n");
    check(cli_bench_csv, &r,
          "#RunID,ClientID,MsgCount,MsgBytes,MsgsPerSec,BytesPerSec,DurationSecs\n"
          "RUN,P0,100000,12800000,200000,25600000.000000,0.500000\n");
}

static void one_client_with_latencies(void **state) {
    (void)state;
    cli_histogram *h = latencies(1, 1000);
    cli_bench_sample s = {.msgs = 1000, .bytes = 1024, .wire_msgs = 2000, .end_ns = SEC, .latencies = h};
    cli_bench_report r = report_of(&s, 1);
    check(cli_bench_text, &r,
          "\nNATS Core NATS publisher stats: 1,000 msgs/sec ~ 1.0 KiB/sec ~ min: 0us ~ avg: 0.5us ~ max: 1us ~ "
          "P50: 0.5us ~ P90: 0.9us ~ P99: 0.99us ~ P99.9: 0.99us\n\n");
    check(cli_bench_csv, &r,
          "#RunID,ClientID,MsgCount,MsgBytes,MsgsPerSec,BytesPerSec,DurationSecs,MinLatencyMicroSecs,"
          "AvgLatencyMicroSecs,MaxLatencyMicroSecs,P50LatencyMicroSecs,P90LatencyMicroSecs,P99LatencyMicroSecs,"
          "P99.9LatencyMicroSecs,StdDevLatencyMicroSecs\n"
          "RUN,P0,2000,1024,1000,1024.000000,1.000000,0.001000,0.500500,1.000000,0.500000,0.900000,0.990000,"
          "0.999000,0.288675\n");
    cli_histogram_free(h);
}

static void several_clients(void **state) {
    (void)state;
    cli_histogram *fast = latencies(1000, 1000), *slow = latencies(9000, 9000);
    cli_bench_sample s[] = {
        {.msgs = 1000, .bytes = 16000, .wire_msgs = 1000, .start_ns = SEC, .end_ns = 2 * SEC, .latencies = fast},
        {.msgs = 3000, .bytes = 48000, .wire_msgs = 3000, .start_ns = 2 * SEC, .end_ns = 3 * SEC, .latencies = slow},
    };
    cli_bench_report r = report_of(s, 2);
    cli_bench_sample sum = cli_bench_sum(&r);
    assert_int_equal(sum.msgs, 4000);
    assert_int_equal(sum.bytes, 64000);
    assert_int_equal(sum.start_ns, SEC);
    assert_int_equal(sum.end_ns, 3 * SEC);
    check(cli_bench_text, &r,
          "\n  [1] 1,000 msgs/sec ~ 16 KiB/sec ~ min: 1us ~ avg: 1us ~ max: 1us ~ P50: 1us ~ P90: 1us ~ P99: 1us ~ "
          "P99.9: 1us (1,000 msgs)\n"
          "  [2] 3,000 msgs/sec ~ 47 KiB/sec ~ min: 9us ~ avg: 9us ~ max: 9us ~ P50: 9us ~ P90: 9us ~ P99: 9us ~ "
          "P99.9: 9us (3,000 msgs)\n"
          "\n NATS Core NATS publisher aggregated stats: 2,000 msgs/sec ~ 31 KiB/sec\n"
          " message rates min 1,000 | avg 2,000 | max 3,000 | stddev 1,000 msgs\n"
          " latencies per operation min 1us | avg 5us | max 9us | stddev 4us | P50 1us | P90 9us | P99 9us | "
          "P99.9: 9us\n\n");
    cli_histogram_free(fast);
    cli_histogram_free(slow);
}

static void nothing_was_done(void **state) {
    (void)state;
    cli_bench_sample s = {.start_ns = SEC, .end_ns = SEC};
    cli_bench_report r = report_of(&s, 1);
    check(cli_bench_text, &r, "\nNATS Core NATS publisher stats: 0 msgs/sec ~ 0 B/sec\n\n");
}

static void json(void **state) {
    (void)state;
    cli_histogram *h = latencies(1, 1000);
    cli_bench_sample s = {.msgs = 1000, .bytes = 16000, .wire_msgs = 1000, .end_ns = SEC / 2, .latencies = h};
    cli_bench_report r = report_of(&s, 1);
    r.interrupted = true;
    check(cli_bench_json, &r,
          "{\n"
          "  \"benchmark\": \"pub\",\n"
          "  \"run_id\": \"RUN\",\n"
          "  \"subject\": \"a\\\"b\",\n"
          "  \"msg_size\": 128,\n"
          "  \"disturbed\": false,\n"
          "  \"interrupted\": true,\n"
          "  \"total\": {\n"
          "    \"msgs\": 1000,\n"
          "    \"bytes\": 16000,\n"
          "    \"duration_ns\": 500000000,\n"
          "    \"msgs_per_sec\": 2000.0,\n"
          "    \"bytes_per_sec\": 32000.0,\n"
          "    \"latency_ns\": {\n"
          "      \"min\": 1,\n"
          "      \"avg\": 500.5,\n"
          "      \"max\": 1000,\n"
          "      \"stddev\": 288.7,\n"
          "      \"p50\": 500,\n"
          "      \"p90\": 900,\n"
          "      \"p99\": 990,\n"
          "      \"p99_9\": 999\n"
          "    }\n"
          "  },\n"
          "  \"client_msgs_per_sec\": {\n"
          "    \"min\": 2000.0,\n"
          "    \"avg\": 2000.0,\n"
          "    \"max\": 2000.0,\n"
          "    \"stddev\": 0.0\n"
          "  },\n"
          "  \"clients\": [\n"
          "    {\n"
          "      \"client\": 1,\n"
          "      \"msgs\": 1000,\n"
          "      \"bytes\": 16000,\n"
          "      \"duration_ns\": 500000000,\n"
          "      \"msgs_per_sec\": 2000.0,\n"
          "      \"bytes_per_sec\": 32000.0,\n"
          "      \"latency_ns\": {\n"
          "        \"min\": 1,\n"
          "        \"avg\": 500.5,\n"
          "        \"max\": 1000,\n"
          "        \"stddev\": 288.7,\n"
          "        \"p50\": 500,\n"
          "        \"p90\": 900,\n"
          "        \"p99\": 990,\n"
          "        \"p99_9\": 999\n"
          "      }\n"
          "    }\n"
          "  ]\n"
          "}\n");
    cli_histogram_free(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_client),
        cmocka_unit_test(one_client_with_latencies),
        cmocka_unit_test(several_clients),
        cmocka_unit_test(nothing_was_done),
        cmocka_unit_test(json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
