# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Streams, and the account."""

import json
import os
import re

from harness import check, contains, equal, test

FULL = ["--subjects", "b.*", "--description", "two", "--max-age", "1h", "--max-bytes", "1MB", "--max-msgs", "100",
        "--max-msgs-per-subject", "5", "--max-msg-size", "1KB", "--discard", "new", "--retention", "work",
        "--metadata", "a:b", "--metadata", "c=d", "--storage", "memory", "--deny-delete", "--allow-rollup",
        "--dupe-window", "30s", "--max-consumers", "7", "--no-allow-direct", "--no-ack"]
MEMBERS = {"subjects": ["b.*"], "description": "two", "max_age": 3600 * 10**9, "max_bytes": 2**20, "max_msgs": 100,
           "max_msgs_per_subject": 5, "max_msg_size": 1024, "discard": "new", "retention": "workqueue",
           "storage": "memory", "deny_delete": True, "allow_rollup_hdrs": True, "duplicate_window": 30 * 10**9,
           "max_consumers": 7, "no_ack": True}


def fill(w, subject="a", count=3):
    """Messages with a header; they are stored when this returns."""
    for i in range(1, count + 1):
        w.midge.run("request", f"{subject}.{i}", f"hello{i}", "-H", "A:b", "--raw").ok()


def config(w, name):
    return json.loads(w.midge.run("stream", "info", name, "--json").ok().out)["config"]


def own(metadata):
    return {key: value for key, value in (metadata or {}).items() if not key.startswith("_nats.")}


@test
def stream_add_and_info(w):
    r = w.midge.run("stream", "add", "S", "--subjects", "a.>,b", "--subjects", "c").ok()
    check(r.out.startswith("Stream S was created\n\nInformation for Stream S created 20"), r.out)
    for line in ("Subjects: a.>, b, c", "Storage: File", "Retention: Limits", "Duplicate Window: 2m0s",
                 "Direct Get: true", "Maximum Messages: unlimited", "Messages: 0", "Active Consumers: 0"):
        contains(r.out, f" {line}\n")
    r2 = w.midge.run("stream", "info", "S").ok()
    equal(r2.out, r.out.removeprefix("Stream S was created\n\n") + "\n")
    state = w.midge.run("stream", "state", "S").ok().out
    check(state.startswith("State for Stream S created 20"), state)
    check("Subjects:" not in state, state)
    equal(w.midge.run("stream", "info", "S", "--state").ok().out, state)
    # The same again is fine, another one of that name is not.
    w.midge.run("stream", "add", "S", "--subjects", "a.>,b,c", "--defaults").ok()
    w.midge.run("stream", "add", "S", "--subjects", "x").failed("(10058)")
    w.midge.run("stream", "add", "T", "--subjects", "a.b").failed("(10065)")


@test
def stream_add_with_every_setting(w):
    r = json.loads(w.midge.run("stream", "add", "S", *FULL, "--json").ok().out)
    equal({key: r["config"].get(key) for key in MEMBERS}, MEMBERS)
    equal(r["config"].get("allow_direct", False), False)
    equal(own(r["config"]["metadata"]), {"a": "b", "c": "d"})
    out = w.midge.run("stream", "info", "S").ok().out
    for line in ("Description: two", "Storage: Memory", "Retention: WorkQueue", "Acknowledgments: false",
                 "Discard Policy: New", "Maximum Per Subject: 5", "Maximum Bytes: 1.0 MiB", "Maximum Age: 1h0m0s",
                 "Maximum Message Size: 1.0 KiB", "a: b", "c: d"):
        contains(out, f" {line}\n")


@test
def stream_json_is_taken_back(w):
    path = os.path.join(w.home, "s.json")
    w.midge.run("stream", "add", "S", *FULL).ok()
    before = config(w, "S")
    for args in (["info", "S"], ["info", "S", "--state"]):
        with open(path, "w", encoding="utf-8") as f:
            f.write(w.midge.run("stream", *args, "--json").ok().out)
        w.midge.run("stream", "rm", "S", "-f").ok()
        w.midge.run("stream", "add", "--config", path).ok()
        equal(config(w, "S"), before)
    w.midge.run("stream", "add", "T", "--config", path, "--subjects", "t.*").ok()
    equal(config(w, "T"), {**before, "name": "T", "subjects": ["t.*"]})
    w.midge.run("stream", "add", "U", "--subjects", "u", "--output", path).ok()
    contains(w.midge.run("stream", "info", "U").failed().err, "stream not found (10059)")
    w.midge.run("stream", "add", "--config", path).ok()
    equal(config(w, "U")["subjects"], ["u"])
    with open(path, "w", encoding="utf-8") as f:
        f.write("{")
    w.midge.run("stream", "add", "--config", path).failed("is no JSON")
    w.midge.run("stream", "add", "--config", path + "x").failed("cannot read")


@test
def stream_edit(w):
    w.midge.run("stream", "add", "S", *FULL).ok()
    before = config(w, "S")
    r = w.midge.run("stream", "edit", "S", "--max-msgs", "7", "--dry-run").failed()
    equal(r.out, "Differences (-old +new):\n- max_msgs: 100\n+ max_msgs: 7\n\n")
    equal(config(w, "S"), before)
    w.midge.run("stream", "edit", "S", "--max-msgs", "7").failed("--force does it without asking")
    r = w.midge.run("stream", "edit", "S", "--max-msgs", "7", "--description", "", "--subjects", "b.*,z", "-f").ok()
    contains(r.out, "Stream S was updated\n\nInformation for Stream S created")
    after = config(w, "S")
    equal((after["max_msgs"], after.get("description"), after["subjects"]), (7, None, ["b.*", "z"]))
    same = {key: value for key, value in before.items() if key not in ("max_msgs", "description", "subjects")}
    equal({key: after.get(key) for key in same}, same)
    equal(w.midge.run("stream", "edit", "S", "--max-msgs", "7", "-f").ok().out, "No difference in configuration\n")
    w.midge.run("stream", "edit", "S", "--storage", "file", "-f").failed("could not edit stream S: ")
    code, screen = w.midge.on_terminal("stream", "edit", "S", "--max-msgs", "8", keys=b"y\n")
    equal(code, 0)
    contains(screen, "Really edit stream S? (y/N)")
    equal(config(w, "S")["max_msgs"], 8)
    w.midge.run("stream", "edit", "S", "-i", "-f", env={"EDITOR": "sed -i s/1024/99/"}).ok()
    equal(config(w, "S")["max_msg_size"], 99)
    w.midge.run("stream", "edit", "S", "-i", "-f", env={"EDITOR": "false"}).failed("nothing is changed")


@test
def stream_copy(w):
    w.midge.run("stream", "add", "S", *FULL).ok()
    w.midge.run("stream", "copy", "S", "T", "--subjects", "t").ok()
    equal(config(w, "T"), {**config(w, "S"), "name": "T", "subjects": ["t"]})
    w.midge.run("stream", "copy", "S", "S").failed("the same name")


@test
def stream_ls_and_report(w):
    equal(w.midge.run("stream", "ls").ok().out, "No Streams defined\n")
    for name in ("S", "T"):
        w.midge.run("stream", "add", name, "--subjects", name.lower() + ".*", "--description", "of " + name).ok()
    w.midge.run("kv", "add", "K").ok()
    fill(w, "t")
    equal(w.midge.run("stream", "ls", "--names").ok().out, "KV_K\nS\nT\n")
    equal(json.loads(w.midge.run("stream", "ls", "--json").ok().out), ["S", "T"])
    out = w.midge.run("stream", "ls").ok().out
    contains(out, "│ Name │ Description │ Created             │ Messages │ Size  │ Last Message │")
    check(out.index("│ S ") < out.index("│ T "), out)
    check("KV_K" not in out, out)
    contains(w.midge.run("stream", "ls", "--all").ok().out, "KV_K")
    equal(w.midge.run("stream", "ls", "--names", "--subject", "t.1").ok().out, "T\n")
    out = w.midge.run("stream", "report").ok().out
    contains(out, "Obtaining Stream stats\n\n")
    row = next(line for line in out.splitlines() if line.startswith("│ T "))
    equal([cell.strip() for cell in row.split("│")[1:-1]][:5], ["T", "File", "", "0", "3"])
    csv = w.midge.run("stream", "report", "--raw", env={"NATS_TABLE_FORMAT": "csv"}).ok().out
    contains(csv, "\nT,File,,0,3,")


@test
def stream_subjects(w):
    w.midge.run("stream", "add", "S", "--subjects", "a.>").ok()
    equal(w.midge.run("stream", "subjects", "S").ok().out, "No subjects found matching >\n")
    fill(w)
    w.midge.run("request", "a.2", "x").ok()
    equal(w.midge.run("stream", "subjects", "S", "--names").ok().out, "a.1\na.3\na.2\n")
    equal(w.midge.run("stream", "subjects", "S", "--names", "--sort", "name", "-R").ok().out, "a.3\na.2\na.1\n")
    equal(json.loads(w.midge.run("stream", "subjects", "S", "a.2", "-j").ok().out), {"a.2": 2})
    contains(w.midge.run("stream", "subjects", "S").ok().out, "3 Subjects in stream S")


@test
def stream_get_and_rmm(w):
    w.midge.run("stream", "add", "S", "--subjects", "a.>").ok()
    fill(w)
    out = w.midge.run("stream", "get", "S", "2").ok().out
    check(re.fullmatch(r"Item: S#2 received [-0-9]{10} [0-9:.]+ \+0000 UTC \([0-9.]+(ms|s)\) on Subject a\.2\n\n"
                       r"Headers:\n  A: b\n\nhello2\n\n\n", out), out)
    contains(w.midge.run("stream", "get", "S", "-S", "a.3").ok().out, "Item: S#3 ")
    contains(w.midge.run("stream", "get", "S", "1", "--translate", "tr a-z A-Z").ok().out, "HELLO1")
    m = json.loads(w.midge.run("stream", "get", "S", "1", "--json").ok().out)
    equal((m["subject"], m["seq"], m["data"]), ("a.1", 1, "aGVsbG8x"))
    w.midge.run("stream", "get", "S", "9").failed("could not retrieve S#9: no message found (10037)")
    w.midge.run("stream", "get", "S").failed("is missing")
    w.midge.run("stream", "get", "S", "x").failed("no sequence")
    w.midge.run("stream", "rmm", "S", "2").failed("--force")
    equal(w.midge.run("stream", "rmm", "S", "2", "-f").ok().out, "")
    w.midge.run("stream", "get", "S", "2").failed("no message found")
    w.midge.run("stream", "rmm", "S", "9", "-f").failed("could not remove S#9")
    contains(w.midge.run("stream", "state", "S").ok().out, "Deleted Messages: 1")


@test
def stream_view(w):
    w.midge.run("stream", "add", "S", "--subjects", "a.>").ok()
    fill(w, count=5)
    r = w.midge.run("stream", "view", "S", "2").ok()
    check(re.fullmatch(r"\[1\] Subject: a\.1 Received: [-0-9: ]+\n\n?  A: b\n\n?hello1\n\n\n"
                       r"\[2\] Subject: a\.2 Received: [-0-9: ]+\n\n?  A: b\n\n?hello2\n\n\n", r.out), r.out)
    equal(w.midge.run("stream", "view", "S", "--raw", "--id", "4").ok().out, "hello4\nhello5\n")
    equal(w.midge.run("stream", "view", "S", "--raw", "--subject", "a.3").ok().out, "hello3\n")
    equal(w.midge.run("stream", "view", "S", "--raw", "--since", "1h").ok().out, "".join(
        f"hello{i}\n" for i in range(1, 6)))
    r = w.midge.run("stream", "view", "S", "--raw", "--since", "0s", "--id", "9").ok()
    equal((r.out, r.log), ("", "TIME Reached apparent end of data\n"))
    w.midge.run("stream", "add", "EMPTY", "--subjects", "e").ok()
    equal(w.midge.run("stream", "view", "EMPTY", "--since", "1h").ok().out, "")
    code, screen = w.midge.on_terminal("stream", "view", "S", "3", "--raw", keys=b"\n")
    equal(code, 0)
    contains(screen, "hello3\nNext page? (Y/n) ")
    contains(screen, "hello5\n")


@test
def stream_purge_rm_and_seal(w):
    w.midge.run("stream", "add", "S", "--subjects", "a.>").ok()
    fill(w, count=9)
    w.midge.run("stream", "purge", "S").failed("--force")
    contains(w.midge.run("stream", "purge", "S", "-f", "--subject", "a.1").ok().out, "Purged 1 messages from S\n")
    contains(w.midge.run("stream", "purge", "S", "-f", "--seq", "4").ok().out, "Purged 2 messages from S\n")
    out = w.midge.run("stream", "purge", "S", "-f", "--keep", "2").ok().out
    contains(out, "Purged 4 messages from S\n\nState for Stream S created")
    contains(out, "First Sequence: 8 @ ")
    w.midge.run("stream", "purge", "S", "-f", "--keep", "2", "--seq", "3").failed("exclude each other")
    equal(json.loads(w.midge.run("stream", "purge", "S", "-f", "-j").ok().out)["state"]["messages"], 0)
    w.midge.run("stream", "edit", "S", "--deny-purge", "-f").ok()
    w.midge.run("stream", "purge", "S", "-f").failed("could not purge stream S: ")
    contains(w.midge.run("stream", "seal", "S", "-f").ok().out, "Sealed: true")
    w.midge.run("stream", "purge", "S", "-f").failed("could not purge stream S: ")
    w.midge.run("stream", "rm", "S").failed("--force")
    code, screen = w.midge.on_terminal("stream", "rm", "S", keys=b"n\n")
    equal(code, 0)
    contains(screen, "Really delete stream S? (y/N)")
    equal(w.midge.run("stream", "rm", "S", "-f").ok().out, "")
    w.midge.run("stream", "rm", "S", "-f").failed("stream not found (10059)")


@test
def nothing_is_asked_without_a_terminal(w):
    for args in (["stream", "info"], ["stream", "add"], ["stream", "add", "S"], ["stream", "view"], ["stream", "purge"],
                 ["consumer", "info"], ["consumer", "add"], ["consumer", "ls"], ["kv", "info"], ["object", "info"]):
        contains(w.midge.run(*args).failed().err, "is missing")
    for name in ("S", "T"):
        w.midge.run("stream", "add", name, "--subjects", name).ok()
    for key in (b"2\n", b"T\n"):
        code, screen = w.midge.on_terminal("stream", "info", keys=key)
        equal(code, 0)
        contains(screen, "   1  S\n   2  T\nNumber or name: ")
        contains(screen, "Information for Stream T ")
    code, screen = w.midge.on_terminal("stream", "add", keys=b"U\nu.>, v\n")
    equal(code, 0)
    equal(config(w, "U")["subjects"], ["u.>", "v"])


@test
def account_info(w):
    w.midge.run("stream", "add", "S", "--subjects", "a").ok()
    out = w.midge.run("account", "info").ok().out
    for line in ("Client IP: 127.0.0.1", "Headers Supported: true", "Maximum Payload: 1.0 MiB", "TLS Connection: no",
                 "Streams: 1", "Consumers: 0", "Stream Requires Max Bytes Set: false"):
        contains(out, f" {line}\n")
    contains(out, "\n  Tier: Default:\n")
    equal(json.loads(w.midge.run("a", "nfo", "--json").ok().out)["streams"], 1)
    contains(w.midge.run("account", "info", "-s", w.url(w.plain)).ok().out, "Connected Address: ")


@test
def api_prefix_is_used(w):
    w.midge.run("stream", "ls", "--js-api-prefix", "$JS.API.").ok()
    w.midge.run("stream", "ls", "--js-domain", "nowhere", "--timeout", "1s").failed("nobody answers")
    w.midge.run("context", "add", "far").ok()
    with open(os.path.join(w.home, "config/nats/context/far.json"), encoding="utf-8") as f:
        text = json.load(f)
    text["jetstream_api_prefix"] = "$NO.API"
    with open(os.path.join(w.home, "config/nats/context/far.json"), "w", encoding="utf-8") as f:
        json.dump(text, f)
    w.midge.run("stream", "ls", "--context", "far", "--timeout", "1s").failed("nobody answers")


@test
def pub_into_a_stream(w):
    w.midge.run("stream", "add", "S", "--subjects", "a.>", "--max-msg-size", "40").ok()
    r = w.midge.run("pub", "-J", "a.{{Count}}", "hello", "--count", "2").ok()
    equal(r.log, "".join(f'TIME Published 5 bytes to "a.{i}"\nTIME Stored in Stream: S Sequence: {i}\n'
                         for i in (1, 2)))
    for expected in ("Sequence: 3\n", "Sequence: 3 Duplicate: true\n"):
        contains(w.midge.run("pub", "-J", "a.1", "x", "-H", "Nats-Msg-Id:1").ok().err, expected)
    w.midge.run("pub", "-J", "a.1", "x" * 41).failed("not stored: message size exceeds maximum allowed (10054)")
    w.midge.run("pub", "-J", "nowhere", "x").failed("no stream has this subject")
    w.midge.run("pub", "-J", "a.1", "x", "--reply", "r").failed("excludes --reply")
    w.midge.run("pub", "-J", "a.1", "x", "--count", "30").ok()
    contains(w.midge.run("stream", "state", "S").ok().out, "Messages: 33\n")


@test
def sub_of_a_stream(w):
    w.midge.run("stream", "add", "S", "--subjects", "a.>").ok()
    fill(w)
    r = w.midge.run("sub", "a.>", "--all", "--count", "2").ok()
    check(re.fullmatch(r"\[#1\] Received JetStream message: stream: S seq: 1 / pending: 2 / subject: a\.1 / time: "
                       r"[-0-9: ]+\nA: b\n\nhello1\n\n\n\[#2\] Received JetStream .*\nhello2\n\n\n", r.out, re.S),
          r.out)
    equal(r.log, "TIME Subscribing to subject a.> from first received message \n")
    for args, bodies in ((["a.2"], [2]), (["--stream", "S"], [1, 2, 3]), (["--stream", "S", "--last"], [3]),
                         (["--stream", "S", "--last-per-subject"], [1, 2, 3]), (["a.>", "--since", "1h"], [1, 2, 3]),
                         (["a.>", "--start-sequence", "2"], [2, 3]), (["--stream", "S", "--new"], [])):
        args = args if len(args) > 1 else [*args, "--all"]
        equal(w.midge.run("sub", *args, "--terminate-at-end", "--raw").ok().out,
              "".join(f"hello{i}\n" for i in bodies), f"sub {args}")
    running = w.start(w.midge, "sub", "--stream", "S", "--all", "--json").wait_out('"hello3"')
    fill(w, "a.b", 1)
    running.wait_out('"a.b.1"')
    running.interrupt().finish().ok()
    equal(w.midge.run("consumer", "ls", "S", "-n").ok().out, "", "consumers that are left")
    w.midge.run("consumer", "add", "S", "C").ok()
    equal(w.midge.run("sub", "--stream", "S", "--durable", "C", "--count", "2", "--raw").ok().out, "hello1\nhello2\n")
    equal(w.midge.run("sub", "--stream", "S", "--durable", "C", "-T", "--raw").ok().out, "hello3\nhello1\n")
    out = w.midge.run("consumer", "info", "S", "C", "--json").ok().out
    equal((json.loads(out)["num_pending"], json.loads(out)["num_ack_pending"]), (0, 0))
    w.midge.run("sub", "nowhere", "--all").failed("no stream found with subject: nowhere")
    w.midge.run("sub", "--stream", "NOPE", "--all").failed("stream not found (10059)")
    w.midge.run("sub", "--stream", "S", "--durable", "NOPE").failed("consumer not found (10014)")
    w.midge.run("sub", "a.1", "a.2", "--all").failed("one subject")
