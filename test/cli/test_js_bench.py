# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""bench js, bench kv: what is published is stored, and what is stored is counted."""

import json

from harness import contains, equal, test

RUN = ["--msgs", "1001", "--no-progress"]


def state(w, stream="benchstream"):
    return json.loads(w.midge.run("stream", "info", stream, "--json").ok().out)["state"]


def bench(w, *args):
    return json.loads(w.midge.run("bench", *args, *RUN, "--json").ok().out)


@test
def bench_js_pub(w):
    r = w.midge.run("bench", "js", "pub", "sync", "t", "--create", *RUN).ok()
    contains(r.out, "NATS JetStream synchronous publisher stats: ")
    contains(r.log, "TIME Using stream: benchstream\n"
                    "TIME [1] Starting JetStream synchronous publisher, publishing 1,001 messages\n")
    equal(state(w)["messages"], 1001)
    b = bench(w, "js", "pub", "async", "t", "--clients", "3", "--batch", "100", "--purge")
    equal((b["benchmark"], b["total"]["msgs"], [c["msgs"] for c in b["clients"]]),
          ("jsasyncpub", 1001, [334, 334, 333]))
    equal(state(w)["messages"], 1001)
    for _ in range(2):
        bench(w, "js", "pub", "sync", "t", "-H", "A:b", "--size", "10", "--throughput", "100000")
    equal(state(w)["messages"], 3003)
    contains(w.midge.run("stream", "get", "benchstream", "4004").ok().out, "A: b")


@test
def bench_js_pub_with_ids_and_subjects(w):
    bench(w, "js", "pub", "sync", "t", "--create", "--multisubject", "--multisubjectmax", "10", "--dedup")
    equal(state(w)["num_subjects"], 10)
    contains(w.midge.run("stream", "get", "benchstream", "1").ok().out, "Nats-Msg-Id: ")
    bench(w, "js", "pub", "async", "t", "--multisubject", "--dedup", "--clients", "2")
    equal(state(w)["messages"], 2002)


@test
def bench_js_pub_failures(w):
    w.midge.run("bench", "js", "pub", "sync", "t", *RUN).failed("could not access stream benchstream: stream not found")
    w.midge.run("stream", "add", "benchstream", "--subjects", "t", "--max-msgs", "10", "--discard", "new").ok()
    w.midge.run("bench", "js", "pub", "async", "t", *RUN).failed("maximum messages exceeded")
    w.midge.run("bench", "js", "pub", "sync", "nobody", *RUN).failed("no responders")
    w.midge.run("bench", "js", "pub", "async", "t", "--batch", "0", *RUN).failed("--batch must be")


@test
def bench_js_consumers(w):
    bench(w, "js", "pub", "async", "t", "--create")
    b = bench(w, "js", "ordered", "--clients", "2", "--batch", "10")
    equal([c["msgs"] for c in b["clients"]], [1001, 1001])
    equal(b["total"]["bytes"], 2 * 1001 * 128)
    for args in (["consume"], ["consume", "--clients", "3", "--batch", "7"], ["consume", "--acks", "none"],
                 ["consume", "--doubleack"], ["fetch", "--clients", "2"], ["fetch", "--acks", "all", "--batch", "33"]):
        b = bench(w, "js", *args)
        equal(b["total"]["msgs"], 1001, f"messages of {args}")
        c = json.loads(w.midge.run("consumer", "info", "benchstream", "nats-bench", "--json").ok().out)
        equal((c["num_pending"], c["num_ack_pending"]), (0, 0), f"left by {args}")
        w.midge.run("consumer", "rm", "benchstream", "nats-bench", "-f").ok()
    w.midge.run("bench", "js", "consume", "--consumer", "mine", *RUN).failed("consumer not found (10014)")
    w.midge.run("consumer", "add", "benchstream", "mine").ok()
    equal(bench(w, "js", "consume", "--consumer", "mine")["total"]["msgs"], 1001)
    equal(w.midge.run("consumer", "ls", "benchstream", "-n").ok().out, "mine\n")


@test
def bench_js_get(w):
    bench(w, "js", "pub", "async", "t", "--create")
    equal(bench(w, "js", "get", "sync")["total"]["bytes"], 1001 * 128)
    equal(bench(w, "js", "get", "batch", "--batch", "100", "--clients", "2")["total"]["bytes"], 2 * 1001 * 128)
    w.midge.run("stream", "edit", "benchstream", "--no-allow-direct", "-f").ok()
    w.midge.run("bench", "js", "get", "batch", *RUN).failed("getting: no responders")


@test
def bench_kv(w):
    w.midge.run("bench", "kv", "get", *RUN).failed("looking for the bucket: ")
    equal(bench(w, "kv", "put", "--clients", "2")["total"]["msgs"], 1001)
    equal(state(w, "KV_benchbucket")["num_subjects"], 1001)
    equal(bench(w, "kv", "get", "--clients", "2")["total"]["bytes"], 1001 * 128)
    bench(w, "kv", "put", "--randomize", "10", "--purge")
    equal(state(w, "KV_benchbucket")["num_subjects"], 10)
    equal(bench(w, "kv", "get", "--randomize", "10")["total"]["msgs"], 1001)
