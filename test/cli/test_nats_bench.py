# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""bench beside `nats bench`: the same words, and each counts all that the other sends."""

import os
import re

from harness import contains, equal, test


def shape(text):
    """Figures are not compared: N for numbers, and one unit of bytes for all."""
    return re.sub(r"[KMG]?i?B/sec", "B/sec", re.sub(r"[0-9][0-9,.]*", "N", text))


def lines(result):
    """The clients of the nats command tell in any order that they start."""
    return "\n".join(sorted(result.log.splitlines()))


def both(w):
    return ((w.nats, w.midge), (w.midge, w.nats), (w.nats, w.nats), (w.midge, w.midge))


@test
def bench_says_what_nats_bench_says(w):
    for args in (["--msgs", "1000"], ["--msgs", "1001", "--clients", "2", "--size", "2KB"],
                 ["--msgs", "30", "--sleep", "1ms", "--multisubject", "--multisubjectmax", "7"],
                 ["--throughput", "2000", "--duration", "50ms"]):
        theirs, ours = (p.run("bench", "pub", "t", "--no-progress", *args).ok() for p in (w.nats, w.midge))
        equal(lines(ours), lines(theirs), "log")
        equal(shape(ours.out), shape(theirs.out))


@test
def bench_writes_the_columns_of_nats_bench(w):
    tables = []
    for name, program in (("theirs", w.nats), ("ours", w.midge)):
        path = os.path.join(w.home, name)
        program.run("bench", "pub", "t", "--no-progress", "--msgs", "100", "--clients", "2", "--csv", path).ok()
        with open(path, encoding="utf-8") as f:
            tables.append([line.rstrip("\n").split(",") for line in f])
    theirs, ours = tables
    equal(ours[0], theirs[0], "header")
    equal([row[1:4] for row in ours[1:]], [row[1:4] for row in theirs[1:]])
    equal([len(row[0]) for row in ours[1:]], [len(row[0]) for row in theirs[1:]])


@test
def bench_counts_what_the_other_sends(w):
    words = ["bench", "sub", "t", "--no-progress", "--msgs", "20000", "--clients", "2"]
    logs, outs = set(), set()
    for publisher, subscriber in both(w):
        running = w.start(subscriber, *words)
        w.wait_subscribed("t", 2)
        publisher.run("bench", "pub", "t", "--no-progress", "--msgs", "20000", "--clients", "2").ok()
        result = running.finish().ok()
        contains(result.out, "(20,000 msgs)")
        logs.add(lines(result))
        outs.add(shape(result.out))
        w.clean()
    equal(len(logs), 1, f"ways to say it in {logs}")
    equal(len(outs), 1, f"reports in {outs}")


@test
def bench_requests_are_served_by_the_other(w):
    outs = set()
    for requester, server in both(w):
        running = w.start(server, "bench", "service", "serve", "svc", "--no-progress")
        w.wait_subscribed("svc")
        result = requester.run("bench", "service", "request", "svc", "--no-progress", "--msgs", "200", "--clients",
                               "2").ok()
        outs.add((lines(result), shape(result.out)))
        contains(running.err(), "[1] Starting Core NATS service server, hit control-c to stop")
        w.clean()
    equal(len(outs), 1, f"reports in {outs}")


@test
def bench_serve_is_a_service(w):
    w.start(w.midge, "bench", "service", "serve", "svc").wait_err("hit control-c to stop")
    contains(w.nats.run("service", "ls").ok().out, "nats-bench-service")
    contains(w.nats.run("service", "info", "nats-bench-service").ok().out, "svc")
