# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Consumers."""

import json
import os
import re

from harness import TIMEOUT, check, contains, equal, test
from pylib.server import wait_for
from test_js import fill

SECOND = 10**9


def info(w, name, stream="S"):
    return json.loads(w.midge.run("consumer", "info", stream, name, "--json").ok().out)


def stream(w, count=3):
    w.midge.run("stream", "add", "S", "--subjects", "a.>").ok()
    fill(w, count=count)


@test
def consumer_add_and_info(w):
    stream(w)
    out = w.midge.run("consumer", "add", "S", "C").ok().out
    check(out.startswith("Information for Consumer S > C created 20"), out)
    for line in ("Name: C", "Pull Mode: true", "Deliver Policy: All", "Ack Policy: Explicit", "Ack Wait: 30.00s",
                 "Replay Policy: Instant", "Unprocessed Messages: 3", "Outstanding Acks: 0 out of maximum 1,000"):
        contains(out, f" {line}\n")
    equal(w.midge.run("consumer", "info", "S", "C").ok().out, out)
    check("Configuration:" not in w.midge.run("consumer", "state", "S", "C").ok().out, "state has a configuration")
    c = info(w, "C")["config"]
    equal((c["durable_name"], c["ack_policy"], c["max_deliver"]), ("C", "explicit", -1))
    w.midge.run("consumer", "add", "S", "C", "--ack", "none").failed("(10148)")
    w.midge.run("consumer", "add", "NOPE", "C").failed("stream not found (10059)")
    w.midge.run("consumer", "add", "S").failed("is missing")


@test
def consumer_add_with_every_setting(w):
    stream(w)
    w.midge.run("consumer", "add", "S", "P", "--target", "dlv.x", "--deliver-group", "g", "--heartbeat", "5s",
                "--flow-control", "--ack", "all", "--filter", "a.1", "--deliver", "new", "--replay", "original",
                "--max-pending", "20", "--sample", "50", "--description", "hi", "--metadata", "x:y", "--wait", "10s",
                "--max-deliver", "5", "--headers-only", "--memory", "--bps", "10240").ok()
    c = info(w, "P")["config"]
    wanted = {"deliver_subject": "dlv.x", "deliver_group": "g", "idle_heartbeat": 5 * SECOND, "flow_control": True,
              "ack_policy": "all", "filter_subject": "a.1", "deliver_policy": "new", "replay_policy": "original",
              "max_ack_pending": 20, "sample_freq": "50", "description": "hi", "ack_wait": 10 * SECOND,
              "max_deliver": 5, "headers_only": True, "mem_storage": True, "rate_limit_bps": 10240}
    equal({key: c.get(key) for key in wanted}, wanted)
    equal(c["metadata"]["x"], "y")
    w.midge.run("consumer", "add", "S", "E", "--ephemeral", "--filter", "a.1", "--filter", "a.2", "--deliver", "1h",
                "--inactive-threshold", "10m", "--backoff", "linear", "--backoff-steps", "3", "--backoff-min", "1s",
                "--backoff-max", "10s", "--max-deliver", "5", "--max-waiting", "5", "--max-pull-batch", "10",
                "--max-pull-expire", "10s", "--max-pull-bytes", "1000").ok()
    c = info(w, "E")["config"]
    wanted = {"filter_subjects": ["a.1", "a.2"], "deliver_policy": "by_start_time",
              "inactive_threshold": 600 * SECOND, "backoff": [1 * SECOND, 4 * SECOND, 7 * SECOND], "max_deliver": 5,
              "max_waiting": 5, "max_batch": 10, "max_expires": 10 * SECOND, "max_bytes": 1000}
    equal({key: c.get(key) for key in wanted}, wanted)
    check("durable_name" not in c, "it is durable")
    for deliver, policy in (("all", "all"), ("last", "last"), ("subject", "last_per_subject"),
                            ("2", "by_start_sequence")):
        w.midge.run("consumer", "add", "S", "D" + deliver, "--deliver", deliver).ok()
        equal(info(w, "D" + deliver)["config"]["deliver_policy"], policy)
    w.midge.run("consumer", "add", "S", "X", "--deliver", "often").failed("--deliver is")
    w.midge.run("consumer", "add", "S", "X", "--sample", "101").failed("percentage")


@test
def consumer_json_is_taken_back(w):
    stream(w)
    path = os.path.join(w.home, "c.json")
    w.midge.run("consumer", "add", "S", "C", "--filter", "a.1,a.2", "--max-pending", "7", "--metadata", "k:v").ok()
    before = info(w, "C")["config"]
    with open(path, "w", encoding="utf-8") as f:
        f.write(w.midge.run("consumer", "info", "S", "C", "--json").ok().out)
    w.midge.run("consumer", "rm", "S", "C", "-f").ok()
    w.midge.run("consumer", "add", "S", "--config", path).ok()
    equal(info(w, "C")["config"], before)
    w.midge.run("consumer", "add", "S", "D", "--config", path).ok()
    equal(info(w, "D")["config"], {**before, "name": "D", "durable_name": "D"})
    w.midge.run("consumer", "add", "S", "F", "--ack", "all", "--output", path).ok()
    w.midge.run("consumer", "info", "S", "F").failed("consumer not found (10014)")
    w.midge.run("consumer", "add", "S", "--config", path).ok()
    equal(info(w, "F")["config"]["ack_policy"], "all")


@test
def consumer_edit_copy_and_rm(w):
    stream(w)
    w.midge.run("consumer", "add", "S", "C", "--filter", "a.1", "--max-pending", "7").ok()
    before = info(w, "C")["config"]
    r = w.midge.run("consumer", "edit", "S", "C", "--max-pending", "8", "--dry-run").failed()
    equal(r.out, "Differences (-old +new):\n- max_ack_pending: 7\n+ max_ack_pending: 8\n\n")
    w.midge.run("consumer", "edit", "S", "C", "--max-pending", "8").failed("--force")
    w.midge.run("consumer", "edit", "S", "C", "--max-pending", "8", "--filter", "a.>", "-f").ok()
    equal(info(w, "C")["config"], {**before, "max_ack_pending": 8, "filter_subject": "a.>"})
    equal(w.midge.run("consumer", "edit", "S", "C", "-f").ok().out, "No difference in configuration\n")
    w.midge.run("consumer", "copy", "S", "C", "D", "--description", "copy").ok()
    copy = info(w, "D")["config"]
    equal((copy["filter_subject"], copy["description"], copy["durable_name"]), ("a.>", "copy", "D"))
    w.midge.run("consumer", "rm", "S", "D").failed("--force")
    equal(w.midge.run("consumer", "rm", "S", "D", "-f").ok().out, "")
    w.midge.run("consumer", "rm", "S", "D", "-f").failed("consumer not found (10014)")


@test
def consumer_ls_and_report(w):
    stream(w)
    equal(w.midge.run("consumer", "ls", "S").ok().out, "No Consumers defined\n")
    for name in ("C", "D"):
        w.midge.run("consumer", "add", "S", name).ok()
    equal(w.midge.run("consumer", "ls", "S", "-n").ok().out, "C\nD\n")
    equal(json.loads(w.midge.run("consumer", "ls", "S", "-j").ok().out), ["C", "D"])
    contains(w.midge.run("consumer", "ls", "S").ok().out, "│           0 │           3 │ never         │")
    w.midge.run("consumer", "next", "S", "C", "--no-ack").ok()
    out = w.midge.run("consumer", "report", "S").ok().out
    contains(out, "Consumer report for S with 2 consumers")
    row = next(line for line in out.splitlines() if line.startswith("│ C "))
    equal([cell.strip() for cell in row.split("│")[1:8]],
          ["C", "Pull", "Explicit", "30.00s", "1", "0", "2 / 66%"])


@test
def consumer_next(w):
    stream(w, count=6)
    w.midge.run("consumer", "add", "S", "C").ok()
    r = w.midge.run("consumer", "next", "S", "C").ok()
    check(re.fullmatch(r"\[\d\d:\d\d:\d\d\] subj: a\.1 / tries: 1 / cons seq: 1 / str seq: 1 / pending: 5\n\n"
                       r"Headers:\n\n  A: b\n\nData:\n\n\nhello1\n\nAcknowledged message\n\n", r.out), r.out)
    equal(w.midge.run("consumer", "next", "S", "C", "--raw", "--count", "2").ok().out, "hello2\nhello3\n")
    equal((info(w, "C")["ack_floor"]["stream_seq"], info(w, "C")["num_ack_pending"]), (3, 0))
    contains(w.midge.run("consumer", "next", "S", "C", "--nak").ok().out, "\nNegative Acknowledged message\n")
    out = w.midge.run("consumer", "next", "S", "C", "--term").ok().out
    contains(out, "/ tries: 2 /")
    contains(out, "\nTerminated message\n")
    equal(w.midge.run("consumer", "next", "S", "C", "--raw", "--no-ack").ok().out, "hello5\n")
    contains(w.midge.run("consumer", "next", "S", "C", "--wait", "20ms").ok().out, "Acknowledged message after ")
    equal(info(w, "C")["num_ack_pending"], 1)
    w.midge.run("request", "a.b", stdin=b"\0zero\0").ok()
    equal(w.midge.run("consumer", "next", "S", "C", "--raw").ok().out, "\0zero\0\n")
    equal(w.midge.run("stream", "view", "S", "--raw", "--id", "7").ok().out, "\0zero\0\n")
    w.midge.run("consumer", "next", "S", "C", "--timeout", "200ms").failed("no message received: timeout")
    w.midge.run("consumer", "next", "S", "NOPE", "--timeout", "200ms").failed("no such pull consumer")
    w.midge.run("consumer", "next", "S", "C", "--nak", "--term").failed("exclude")


@test
def consumer_sub(w):
    stream(w)
    w.midge.run("consumer", "add", "S", "PULL").ok()
    contains(w.midge.run("consumer", "sub", "S", "PULL").ok().out, "subj: a.1 / tries: 1")
    w.midge.run("consumer", "add", "S", "P", "--target", "to.me", "--ack", "explicit", "--heartbeat", "100ms",
                "--flow-control").ok()
    running = w.start(w.midge, "consumer", "sub", "S", "P", "--raw")
    running.wait_out("hello3")
    equal(running.out(), "hello1\nhello2\nhello3\n")
    check(wait_for(lambda: info(w, "P")["ack_floor"]["stream_seq"] == 3, TIMEOUT), "they are not acknowledged")
    fill(w, "a.b", 1)
    running.wait_out("hello1\nhello2\nhello3\nhello1\n")
    running.interrupt().finish().ok()
    running = w.start(w.midge, "consumer", "sub", "S", "P", "--no-ack")
    running.wait_out("Subscribing to topic to.me auto acknowledgment: false\n\n"
                     "Consumer Info:\n  Ack Policy: Explicit\n")
    fill(w, "a.c", 1)
    running.wait_out("subj: a.c.1 / tries: 1")
    running.interrupt().finish().ok()


@test
def consumer_pause_and_resume(w):
    stream(w)
    w.midge.run("consumer", "add", "S", "C").ok()
    w.midge.run("consumer", "resume", "S", "C", "-f").failed("is not paused")
    w.midge.run("consumer", "pause", "S", "C", "1h").failed("--force")
    out = w.midge.run("consumer", "pause", "S", "C", "1h", "-f").ok().out
    check(re.fullmatch(r"Paused S > C until [-0-9: ]+ \(1h0m0s\)\n", out), out)
    contains(w.midge.run("consumer", "info", "S", "C").ok().out, "(1h0m0s remaining)")
    w.midge.run("consumer", "next", "S", "C", "--timeout", "200ms").failed("no message received")
    out = w.midge.run("consumer", "resume", "S", "C", "-f").ok().out
    check(out.startswith("Consumer S > C was resumed while previously paused until 20"), out)
    contains(w.midge.run("consumer", "next", "S", "C", "--raw").ok().out, "hello1")
    contains(w.midge.run("consumer", "pause", "S", "C", "2099-01-02 03:04:05", "-f").ok().out,
             "until 2099-01-02 03:04:05 (")
    w.midge.run("consumer", "pause", "S", "C", "soon", "-f").failed("neither a time")
