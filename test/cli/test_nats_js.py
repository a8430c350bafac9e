# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""JetStream side by side with the official `nats` command, in both directions."""

import json
import os
import re

from harness import check, equal, test
from test_js import FULL, fill


def timeless(text):
    """Without what differs from one run to the next."""
    text = re.sub(r"(?m)[ \t]+$", "", re.sub(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?", "TIME", text))
    text = re.sub(r"\b[0-9.]+(µs|ms|s)\b", "AGO", text)
    return re.sub(r" +│", " │", re.sub(r"─+", "─", text))


def same(w, *args):
    ours, theirs = (program.run(*args).ok().out for program in (w.midge, w.nats))
    equal(timeless(ours), timeless(theirs), f"{args}")


@test
def streams_look_the_same(w):
    w.midge.run("stream", "add", "OURS", "--subjects", "a.>").ok()
    w.nats.run("stream", "add", "THEIRS", "--defaults", *FULL).ok()
    fill(w)
    w.midge.run("kv", "add", "K").ok()
    for name in ("OURS", "THEIRS"):
        for args in (["info", name], ["state", name], ["info", name, "--state"]):
            same(w, "stream", *args)
    for args in (["ls"], ["ls", "-n"], ["ls", "-j"], ["ls", "-a"], ["report"],
                 ["subjects", "OURS", "--sort", "name", "-j"],
                 ["ls", "--subject", "a.1"], ["get", "OURS", "2"], ["get", "OURS", "2", "-j"],
                 ["get", "OURS", "-S", "a.3"]):
        same(w, "stream", *args)


@test
def streams_are_made_the_same(w):
    made = []
    for program in (w.midge, w.nats):
        program.run("stream", "add", "S", "--defaults", *FULL).ok()
        made.append(json.loads(w.nats.run("stream", "info", "S", "--json").ok().out)["config"])
        w.midge.run("stream", "rm", "S", "-f").ok()
    equal(made[0], made[1])
    path = os.path.join(w.home, "s.json")
    for writer, reader in ((w.midge, w.nats), (w.nats, w.midge)):
        writer.run("stream", "add", "S", "--defaults", *FULL).ok()
        with open(path, "w", encoding="utf-8") as f:
            f.write(writer.run("stream", "info", "S", "--json").ok().out)
        w.midge.run("stream", "rm", "S", "-f").ok()
        reader.run("stream", "add", "--config", path).ok()
        equal(json.loads(w.nats.run("stream", "info", "S", "--json").ok().out)["config"], made[0])
        reader.run("stream", "edit", "S", "--max-msgs", "7", "-f").ok()
        equal(json.loads(writer.run("stream", "info", "S", "--json").ok().out)["config"]["max_msgs"], 7)
        w.midge.run("stream", "rm", "S", "-f").ok()


CONSUMERS = {
    "C": [],
    "P": ["--target", "dlv.x", "--deliver-group", "g", "--heartbeat", "5s", "--flow-control", "--ack", "all",
          "--filter", "a.1", "--deliver", "new", "--max-pending", "20", "--sample", "50", "--description", "hi",
          "--metadata", "x:y", "--wait", "10s", "--max-deliver", "5", "--headers-only", "--memory", "--bps", "10240"],
    "E": ["--ephemeral", "--filter", "a.1", "--filter", "a.2", "--inactive-threshold", "10m", "--backoff", "linear",
          "--backoff-steps", "3", "--backoff-min", "1s", "--backoff-max", "10s", "--max-deliver", "5", "--max-waiting",
          "5", "--max-pull-batch", "10", "--max-pull-expire", "10s", "--max-pull-bytes", "1000"],
    "G": ["--pinned-groups", "g1", "--pinned-ttl", "10s"],
}


@test
def consumers_are_the_same(w):
    w.midge.run("stream", "add", "S", "--subjects", "a.>").ok()
    fill(w)
    for name, flags in CONSUMERS.items():
        made = []
        for program in (w.midge, w.nats):
            pull = [] if "--target" in flags else ["--pull"]
            program.run("consumer", "add", "S", name, "--defaults", *pull, *flags).ok()
            made.append(json.loads(w.nats.run("consumer", "info", "S", name, "--json").ok().out)["config"])
            same(w, "consumer", "info", "S", name)
            same(w, "consumer", "state", "S", name)
            if program is w.midge:
                w.midge.run("consumer", "rm", "S", name, "-f").ok()
        equal(made[0], made[1], name)
    for args in (["ls", "S"], ["ls", "S", "-n"], ["ls", "S", "-j"], ["report", "S"]):
        same(w, "consumer", *args)
    for program, other in ((w.midge, w.nats), (w.nats, w.midge)):
        program.run("consumer", "pause", "S", "C", "1h", "-f").ok()
        same(w, "consumer", "info", "S", "C")
        other.run("consumer", "resume", "S", "C", "-f").ok()


@test
def messages_are_pulled_the_same(w):
    w.midge.run("stream", "add", "S", "--subjects", "a.>").ok()
    fill(w, count=2)
    outs = []
    for program in (w.midge, w.nats):
        w.midge.run("consumer", "add", "S", "C").ok()
        out = "".join(program.run("consumer", "next", "S", "C", *args).ok().out
                      for args in (["--nak"], [], ["--raw"]))
        outs.append(re.sub(r"\[\d\d:\d\d:\d\d\]", "[TIME]", out))
        w.midge.run("consumer", "rm", "S", "C", "-f").ok()
    equal(outs[0], outs[1])


@test
def keys_are_the_same(w):
    flags = ["--history", "5", "--ttl", "1h", "--storage", "memory", "--description", "two", "--max-value-size", "1KB",
             "--max-bucket-size", "1MB", "--compress", "--marker-ttl", "1m", "--metadata", "a:b"]
    made = []
    for program, other in ((w.midge, w.nats), (w.nats, w.midge)):
        program.run("kv", "add", "K", *flags).ok()
        made.append(json.loads(w.nats.run("stream", "info", "KV_K", "--json").ok().out)["config"])
        same(w, "kv", "info", "K")
        for value in ("one", "two words", "<>&\"\\"):
            program.run("kv", "put", "K", "k", value).ok()
            equal(other.run("kv", "get", "K", "k", "--raw").ok().out, value)
        program.run("kv", "put", "K", "gone", "x").ok()
        other.run("kv", "del", "K", "gone", "-f").ok()
        program.run("kv", "get", "K", "gone").failed()
        other.run("kv", "create", "K", "gone", "y", "--ttl", "1h").ok()
        program.run("kv", "update", "K", "gone", "z", "6").ok()
        other.run("kv", "purge", "K", "gone", "-f").ok()
        for args in (["get", "k"], ["get", "k", "--revision", "2"], ["history", "k"], ["history", "gone"]):
            same(w, "kv", args[0], "K", *args[1:])
        program.run("kv", "put", "K", "bytes", stdin=b"\x00\xff").ok()
        for args in (["get", "bytes"], ["history", "bytes"]):
            same(w, "kv", args[0], "K", *args[1:])
        for args in (["ls"], ["ls", "-n"]):
            same(w, "kv", *args)
        ours, theirs = (sorted(p.run("kv", "ls", "K").ok().out.split()) for p in (w.midge, w.nats))
        equal(ours, theirs)
        other.run("kv", "revert", "K", "k", "1", "--force").ok()
        equal(program.run("kv", "get", "K", "k", "--raw").ok().out, "one")
        other.run("kv", "edit", "K", "--description", "new").ok()
        same(w, "kv", "info", "K")
        program.run("kv", "del", "K", "-f").ok()
    equal(made[0], made[1])


@test
def watches_show_the_same(w):
    w.midge.run("kv", "add", "K", "--history", "5").ok()
    for key, value in (("a", "1"), ("b", "2"), ("a", "3")):
        w.midge.run("kv", "put", "K", key, value).ok()
    w.nats.run("kv", "del", "K", "b", "-f").ok()
    for args, last in (([], "DELETE K > b"), (["--history"], "DELETE K > b"), (["a"], "PUT K > a: 3")):
        outs = []
        for program in (w.midge, w.nats):
            running = w.start(program, "kv", "watch", "K", *args).wait_out(last)
            outs.append(running.interrupt().finish().out)
        equal(outs[0], outs[1], f"watch {args}")


@test
def objects_are_the_same(w):
    data = os.urandom(400_000)
    path, copy = os.path.join(w.home, "f.bin"), os.path.join(w.home, "copy")
    with open(path, "wb") as f:
        f.write(data)
    flags = ["--ttl", "1h", "--storage", "memory", "--description", "d", "--compress", "--metadata", "a:b",
             "--max-bucket-size", "10MB"]
    made = []
    for program, other in ((w.midge, w.nats), (w.nats, w.midge)):
        program.run("object", "add", "O", *flags).ok()
        made.append(json.loads(w.nats.run("stream", "info", "OBJ_O", "--json").ok().out)["config"])
        program.run("object", "put", "O", path, "--name", "big", "-H", "A:b", "--description", "bytes", "-f",
                    "--no-progress").ok()
        other.run("object", "get", "O", "big", "--output", copy, "-f", "--no-progress").ok()
        with open(copy, "rb") as f:
            check(f.read() == data, "the bytes are not the same")
        other.run("object", "put", "O", "--name", "piped", stdin=b"of a pipe").ok()
        program.run("object", "get", "O", "piped", "--output", copy, "-f").ok()
        with open(copy, "rb") as f:
            equal(f.read(), b"of a pipe")
        for args in (["info", "O"], ["info", "O", "big"], ["info", "O", "piped"], ["ls", "O"], ["ls"], ["ls", "-n"]):
            same(w, "object", *args)
        other.run("object", "edit", "O", "--description", "new").ok()
        other.run("object", "rm", "O", "big", "-f").ok()
        program.run("object", "info", "O", "big").failed("not found")
        same(w, "object", "info", "O")
        program.run("object", "del", "O", "-f").ok()
    equal(made[0], made[1])


@test
def account_looks_the_same(w):
    w.midge.run("stream", "add", "S", "--subjects", "a").ok()
    ours, theirs = (re.sub(r"Client ID: \d+", "Client ID: N", timeless(program.run("account", "info").ok().out))
                    for program in (w.midge, w.nats))
    # A server without this request tells its id and version only to those who keep its INFO.
    if '"server"' not in w.midge.run("request", "$SYS.REQ.USER.INFO", "", "--timeout", "1s").out:
        theirs = re.sub(r"(?m)^ +Connected Server (ID|Version): .*\n", "", theirs)
    equal(ours, theirs)


def stores_batches(w):
    w.midge.run("stream", "add", "S", "--subjects", "a", "--allow-batch").ok()
    answer = w.midge.run("request", "a", "", "-H", "Nats-Batch-Id:b", "-H", "Nats-Batch-Sequence:1", "-H",
                         "Nats-Batch-Commit:1").ok().out
    w.midge.run("stream", "rm", "S", "-f").ok()
    return "atomic publish is disabled" not in answer


@test
def bench_says_what_nats_bench_js_says(w):
    def shape(text):
        text = re.sub(r"[KMG]?i?B/sec", "B/sec", re.sub(r"[0-9][0-9,.]*", "N", text))
        return re.sub(r"batch=N ", "", text)  # natscli tells of a batch where there is none, and the reverse
    run = ["--msgs", "500", "--no-progress"]
    atomic = [["js", "pub", "atomic", "t", "--batch", "100"]] if stores_batches(w) else []
    for args in (["js", "pub", "sync", "t", "--create"], ["js", "pub", "async", "t", "--clients", "2"], *atomic,
                 ["js", "ordered"], ["js", "consume"], ["js", "get", "sync"], ["js", "get", "batch"], ["kv", "put"],
                 ["kv", "get"]):
        theirs, ours = (program.run("bench", *args, *run).ok() for program in (w.nats, w.midge))
        equal(sorted(shape(ours.log).splitlines()), sorted(shape(theirs.log).splitlines()), f"log of {args}")
        equal(shape(ours.out), shape(theirs.out), f"{args}")


# What is missing on purpose stands in docs/CLI.md.
MISSING = {
    "stream add": {"validate"},
    "stream report": {"dot", "leaders"},
    "consumer add": {"validate"},
    "consumer report": {"leaders"},
}


@test
def every_flag_of_nats_is_there_for_jetstream(w):
    for command in ("stream add", "stream edit", "stream copy", "stream ls", "stream info", "stream state", "stream rm",
                    "stream purge", "stream get", "stream rmm", "stream view", "stream report", "stream subjects",
                    "stream seal", "consumer add", "consumer edit", "consumer copy", "consumer ls", "consumer info",
                    "consumer state", "consumer rm", "consumer next", "consumer sub", "consumer pause",
                    "consumer resume", "consumer report", "consumer unpin", "kv add", "kv edit", "kv put", "kv get",
                    "kv create", "kv update", "kv del", "kv purge", "kv history", "kv revert", "kv info", "kv watch",
                    "kv ls", "kv compact", "object add", "object edit", "object put", "object del", "object get",
                    "object info", "object ls", "object seal", "object watch", "account info", "bench js pub sync",
                    "bench js pub async", "bench js pub atomic", "bench js ordered", "bench js consume",
                    "bench js fetch", "bench js get sync", "bench js get batch", "bench kv put", "bench kv get"):
        helps = [program.run(*command.split(), "--help").ok().out for program in (w.nats, w.midge)]
        flags = [set(re.findall(r"(?m)^ +(?:-\w, )?--(?:\[no-\])?([a-z][a-z-]+)", text)) for text in helps]
        flags[0] -= {"socks-proxy", "no-select", "all"}  # accepted, not shown
        lost = flags[0] - flags[1] - MISSING.get(command, set())
        check(not lost, f"{command} lacks {sorted(lost)}")
