// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Reports of benchmarks. The text and the CSV columns are the nats command's (spec/monitoring-and-tools.md C3, bench
// output), so scripts that pick figures from them go on working. Rates of a group are the messages of all clients over
// the time from the first start to the last end; the line of "message rates" compares the clients with each other.
#include "client/cli/bench_stats.h"

#include <math.h>
#include <string.h>

#include "client/cli/units.h"

cli_bench_sample cli_bench_sum(const cli_bench_report *r) {
    cli_bench_sample sum = r->samples[0];
    for (size_t i = 1; i < r->len; i++) {
        const cli_bench_sample *s = &r->samples[i];
        sum.msgs += s->msgs;
        sum.bytes += s->bytes;
        sum.wire_msgs += s->wire_msgs;
        sum.start_ns = s->start_ns < sum.start_ns ? s->start_ns : sum.start_ns;
        sum.end_ns = s->end_ns > sum.end_ns ? s->end_ns : sum.end_ns;
    }
    return sum;
}

double cli_bench_seconds(const cli_bench_sample *s) {
    return s->end_ns > s->start_ns ? (double)(s->end_ns - s->start_ns) / 1e9 : 1e-9;
}

double cli_bench_msg_rate(const cli_bench_sample *s) {
    return (double)s->msgs / cli_bench_seconds(s);
}

double cli_bench_byte_rate(const cli_bench_sample *s) {
    return (double)s->bytes / cli_bench_seconds(s);
}

// The latencies of all clients; NULL: not measured. To be freed.
static cli_histogram *all_latencies(const cli_bench_report *r) {
    if (!r->samples[0].latencies)
        return NULL;
    cli_histogram *all = cli_histogram_new();
    for (size_t i = 0; i < r->len; i++)
        cli_histogram_merge(all, r->samples[i].latencies);
    return all;
}

typedef struct spread {
    double min, avg, max, stddev;
} spread;

static spread rates_of(const cli_bench_report *r) {
    spread s = {.min = INFINITY};
    for (size_t i = 0; i < r->len; i++) {
        double rate = cli_bench_msg_rate(&r->samples[i]);
        s.min = fmin(s.min, rate);
        s.max = fmax(s.max, rate);
        s.avg += rate / (double)r->len;
    }
    for (size_t i = 0; i < r->len; i++) {
        double off = cli_bench_msg_rate(&r->samples[i]) - s.avg;
        s.stddev += off * off / (double)r->len;
    }
    s.stddev = sqrt(s.stddev);
    return s;
}

// ---- text -----------------------------------------------------------------------------------------------------------

static cli_text us(double ns) {
    return cli_decimal(ns / 1000, 2);
}

static cli_text us_at(const cli_histogram *h, double percentile) {
    return us((double)cli_histogram_at(h, percentile));
}

static void put_rate(const cli_bench_sample *s, FILE *out) {
    fprintf(out, "%s ~ %s", cli_msg_rate(cli_bench_msg_rate(s)).s, cli_byte_rate(cli_bench_byte_rate(s)).s);
}

static void put_latencies(const cli_histogram *h, FILE *out) {
    if (!h || !cli_histogram_count(h))
        return;
    fprintf(out, " ~ min: %sus ~ avg: %sus ~ max: %sus", us((double)cli_histogram_min(h)).s,
            us(cli_histogram_mean(h)).s, us((double)cli_histogram_max(h)).s);
    fprintf(out, " ~ P50: %sus ~ P90: %sus ~ P99: %sus ~ P99.9: %sus", us_at(h, 50).s, us_at(h, 90).s, us_at(h, 99).s,
            us_at(h, 99.9).s);
}

static void put_group(const cli_bench_report *r, const cli_histogram *h, FILE *out) {
    for (size_t i = 0; i < r->len; i++) {
        fprintf(out, "  [%zu] ", i + 1);
        put_rate(&r->samples[i], out);
        put_latencies(r->samples[i].latencies, out);
        fprintf(out, " (%s msgs)\n", cli_count(r->samples[i].msgs).s);
    }
    cli_bench_sample sum = cli_bench_sum(r);
    spread rates = rates_of(r);
    fprintf(out, "\n NATS %s aggregated stats: ", r->label);
    put_rate(&sum, out);
    fprintf(out, "\n message rates min %s | avg %s | max %s | stddev %s msgs\n", cli_count((uint64_t)rates.min).s,
            cli_count((uint64_t)rates.avg).s, cli_count((uint64_t)rates.max).s, cli_count((uint64_t)rates.stddev).s);
    if (!h || !cli_histogram_count(h))
        return;
    fprintf(out, " latencies per operation min %sus | avg %sus | max %sus | stddev %sus",
            us((double)cli_histogram_min(h)).s, us(cli_histogram_mean(h)).s, us((double)cli_histogram_max(h)).s,
            us(cli_histogram_stddev(h)).s);
    fprintf(out, " | P50 %sus | P90 %sus | P99 %sus | P99.9: %sus\n", us_at(h, 50).s, us_at(h, 90).s, us_at(h, 99).s,
            us_at(h, 99.9).s);
}

void cli_bench_text(const cli_bench_report *r, FILE *out) {
    cli_histogram *h = all_latencies(r);
    fputc('\n', out);
    if (r->len == 1) {
        fprintf(out, "NATS %s stats: ", r->label);
        put_rate(&r->samples[0], out);
        put_latencies(h, out);
        fputc('\n', out);
    } else {
        put_group(r, h, out);
    }
    fputc('\n', out);
    cli_histogram_free(h);
}

// ---- CSV ------------------------------------------------------------------------------------------------------------

void cli_bench_csv(const cli_bench_report *r, FILE *out) {
    static const double percentiles[] = {50, 90, 99, 99.9};
    fputs("#RunID,ClientID,MsgCount,MsgBytes,MsgsPerSec,BytesPerSec,DurationSecs", out);
    if (r->samples[0].latencies)
        fputs(",MinLatencyMicroSecs,AvgLatencyMicroSecs,MaxLatencyMicroSecs,P50LatencyMicroSecs,P90LatencyMicroSecs,"
              "P99LatencyMicroSecs,P99.9LatencyMicroSecs,StdDevLatencyMicroSecs",
              out);
    fputc('\n', out);
    for (size_t i = 0; i < r->len; i++) {
        const cli_bench_sample *s = &r->samples[i];
        fprintf(out, "%s,%c%zu,%llu,%llu,%llu,%f,%f", r->run_id, r->prefix, i, (unsigned long long)s->wire_msgs,
                (unsigned long long)s->bytes, (unsigned long long)cli_bench_msg_rate(s), cli_bench_byte_rate(s),
                cli_bench_seconds(s));
        if (s->latencies) {
            fprintf(out, ",%f,%f,%f", (double)cli_histogram_min(s->latencies) / 1e3,
                    cli_histogram_mean(s->latencies) / 1e3, (double)cli_histogram_max(s->latencies) / 1e3);
            for (size_t p = 0; p < sizeof(percentiles) / sizeof(percentiles[0]); p++)
                fprintf(out, ",%f", (double)cli_histogram_at(s->latencies, percentiles[p]) / 1e3);
            fprintf(out, ",%f", cli_histogram_stddev(s->latencies) / 1e3);
        }
        fputc('\n', out);
    }
}

// ---- JSON -----------------------------------------------------------------------------------------------------------

static void put_string(const char *s, FILE *out) {
    fputc('"', out);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            fprintf(out, "\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            fprintf(out, "\\u%04x", (unsigned char)*s);
        else
            fputc(*s, out);
    }
    fputc('"', out);
}

static void put_json_latencies(const cli_histogram *h, FILE *out) {
    if (!h)
        return;
    fprintf(out, ", \"latency_ns\": {\"min\": %llu, \"avg\": %.1f, \"max\": %llu, \"stddev\": %.1f",
            (unsigned long long)cli_histogram_min(h), cli_histogram_mean(h), (unsigned long long)cli_histogram_max(h),
            cli_histogram_stddev(h));
    fprintf(out, ", \"p50\": %llu, \"p90\": %llu, \"p99\": %llu, \"p99_9\": %llu}",
            (unsigned long long)cli_histogram_at(h, 50), (unsigned long long)cli_histogram_at(h, 90),
            (unsigned long long)cli_histogram_at(h, 99), (unsigned long long)cli_histogram_at(h, 99.9));
}

static void put_json_sample(const cli_bench_sample *s, const cli_histogram *h, FILE *out) {
    fprintf(out, "\"msgs\": %llu, \"bytes\": %llu, \"duration_ns\": %llu", (unsigned long long)s->msgs,
            (unsigned long long)s->bytes, (unsigned long long)(s->end_ns - s->start_ns));
    fprintf(out, ", \"msgs_per_sec\": %.1f, \"bytes_per_sec\": %.1f", cli_bench_msg_rate(s), cli_bench_byte_rate(s));
    put_json_latencies(h, out);
}

void cli_bench_json(const cli_bench_report *r, FILE *out) {
    cli_histogram *h = all_latencies(r);
    cli_bench_sample sum = cli_bench_sum(r);
    spread rates = rates_of(r);
    fputs("{\n  \"benchmark\": ", out);
    put_string(r->type, out);
    fputs(",\n  \"run_id\": ", out);
    put_string(r->run_id, out);
    if (r->subject) {
        fputs(",\n  \"subject\": ", out);
        put_string(r->subject, out);
    }
    fprintf(out, ",\n  \"msg_size\": %llu,\n  \"disturbed\": %s,\n  \"interrupted\": %s",
            (unsigned long long)r->msg_size, r->disturbed ? "true" : "false", r->interrupted ? "true" : "false");
    fputs(",\n  \"total\": {", out);
    put_json_sample(&sum, h, out);
    fprintf(out,
            "},\n  \"client_msgs_per_sec\": {\"min\": %.1f, \"avg\": %.1f, \"max\": %.1f, \"stddev\": %.1f},\n"
            "  \"clients\": [",
            rates.min, rates.avg, rates.max, rates.stddev);
    for (size_t i = 0; i < r->len; i++) {
        fprintf(out, "%s\n    {\"client\": %zu, ", i ? "," : "", i + 1);
        put_json_sample(&r->samples[i], r->samples[i].latencies, out);
        fputc('}', out);
    }
    fputs("\n  ]\n}\n", out);
    cli_histogram_free(h);
}
