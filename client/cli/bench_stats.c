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

static void put_tenths(cli_json *j, const char *name, double v) {
    char text[48];
    snprintf(text, sizeof(text), "%.1f", v);
    cli_json_raw(j, name, text);
}

void cli_bench_json_latencies(cli_json *j, const char *name, const cli_histogram *h) {
    cli_json_begin(j, name, '{');
    cli_json_uint(j, "min", cli_histogram_min(h));
    put_tenths(j, "avg", cli_histogram_mean(h));
    cli_json_uint(j, "max", cli_histogram_max(h));
    put_tenths(j, "stddev", cli_histogram_stddev(h));
    cli_json_uint(j, "p50", cli_histogram_at(h, 50));
    cli_json_uint(j, "p90", cli_histogram_at(h, 90));
    cli_json_uint(j, "p99", cli_histogram_at(h, 99));
    cli_json_uint(j, "p99_9", cli_histogram_at(h, 99.9));
    cli_json_end(j, '}');
}

static void put_sample(cli_json *j, const cli_bench_sample *s, const cli_histogram *h) {
    cli_json_uint(j, "msgs", s->msgs);
    cli_json_uint(j, "bytes", s->bytes);
    cli_json_uint(j, "duration_ns", s->end_ns - s->start_ns);
    put_tenths(j, "msgs_per_sec", cli_bench_msg_rate(s));
    put_tenths(j, "bytes_per_sec", cli_bench_byte_rate(s));
    if (h)
        cli_bench_json_latencies(j, "latency_ns", h);
}

static void put_spread(cli_json *j, const char *name, const spread *s) {
    cli_json_begin(j, name, '{');
    put_tenths(j, "min", s->min);
    put_tenths(j, "avg", s->avg);
    put_tenths(j, "max", s->max);
    put_tenths(j, "stddev", s->stddev);
    cli_json_end(j, '}');
}

void cli_bench_json(const cli_bench_report *r, FILE *out) {
    cli_json j = {.out = out, .indent = 2};
    cli_histogram *h = all_latencies(r);
    cli_bench_sample sum = cli_bench_sum(r);
    spread rates = rates_of(r);
    cli_json_begin(&j, NULL, '{');
    cli_json_string(&j, "benchmark", r->type);
    cli_json_string(&j, "run_id", r->run_id);
    if (r->subject)
        cli_json_string(&j, "subject", r->subject);
    cli_json_uint(&j, "msg_size", r->msg_size);
    cli_json_bool(&j, "disturbed", r->disturbed);
    cli_json_bool(&j, "interrupted", r->interrupted);
    cli_json_begin(&j, "total", '{');
    put_sample(&j, &sum, h);
    cli_json_end(&j, '}');
    put_spread(&j, "client_msgs_per_sec", &rates);
    cli_json_begin(&j, "clients", '[');
    for (size_t i = 0; i < r->len; i++) {
        cli_json_begin(&j, NULL, '{');
        cli_json_uint(&j, "client", i + 1);
        put_sample(&j, &r->samples[i], r->samples[i].latencies);
        cli_json_end(&j, '}');
    }
    cli_json_end(&j, ']');
    cli_json_end(&j, '}');
    cli_histogram_free(h);
}
