# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Buckets of keys, and of objects."""

import hashlib
import json
import os
import re

from harness import check, contains, equal, test


# ---- keys -----------------------------------------------------------------------------------------------------------


@test
def kv_add_info_edit(w):
    out = w.midge.run("kv", "add", "K").ok().out
    check(out.startswith("Information for Key-Value Store Bucket K created 20"), out)
    for line in ("Bucket Name: K", "History Kept: 1", "Values Stored: 0", "Compressed: false",
                 "Maximum Bucket Size: unlimited", "JetStream Stream: KV_K", "Storage: File"):
        contains(out, f" {line}\n")
    equal(w.midge.run("kv", "status", "K").ok().out, out)
    w.midge.run("kv", "add", "K").ok()
    w.midge.run("kv", "add", "K", "--history", "2").failed("(10058)")
    w.midge.run("kv", "add", "L", "--history", "5", "--ttl", "1h", "--storage", "memory", "--description", "two",
                "--max-value-size", "1KB", "--max-bucket-size", "1MB", "--marker-ttl", "1m", "--metadata", "a:b").ok()
    c = json.loads(w.midge.run("kv", "info", "L", "--json").ok().out)["config"]
    wanted = {"max_msgs_per_subject": 5, "max_age": 3600 * 10**9, "storage": "memory", "description": "two",
              "max_msg_size": 1024, "max_bytes": 2**20, "subject_delete_marker_ttl": 60 * 10**9, "allow_msg_ttl": True,
              "allow_rollup_hdrs": True, "deny_delete": True, "allow_direct": True, "subjects": ["$KV.L.>"]}
    equal({key: c.get(key) for key in wanted}, wanted)
    w.midge.run("kv", "edit", "L", "--history", "9", "--description", "new").ok()
    after = json.loads(w.midge.run("kv", "info", "L", "--json").ok().out)["config"]
    equal(after, {**c, "max_msgs_per_subject": 9, "description": "new"})
    for args in (["add", "a b"], ["add", "K", "--history", "99"]):
        w.midge.run("kv", *args).failed()
    w.midge.run("kv", "info", "NOPE").failed("bucket NOPE not found")
    w.midge.run("kv", "edit", "NOPE", "--history", "2").failed("bucket NOPE not found")


@test
def kv_keys(w):
    w.midge.run("kv", "add", "K", "--history", "5").ok()
    equal(w.midge.run("kv", "put", "K", "k", "v1").ok().out, "v1\n")
    equal(w.midge.run("kv", "put", "K", "bytes", stdin=b"a\x00\xff").ok().out, "\n")
    equal(w.midge.run("kv", "create", "K", "new", "x").ok().out, "x\n")
    w.midge.run("kv", "create", "K", "k", "x").failed("key k exists")
    equal(w.midge.run("kv", "update", "K", "k", "v2", "1").ok().out, "v2\n")
    w.midge.run("kv", "update", "K", "k", "v3", "1").failed("wrong last revision")
    w.midge.run("kv", "update", "K", "k", "v3", "x").failed("no revision")
    out = w.midge.run("kv", "get", "K", "k").ok().out
    check(re.fullmatch(r"K > k revision: 4 created @ [-0-9: ]+\n\nv2\n\n", out), out)
    equal(w.midge.run("kv", "get", "K", "k", "--raw").ok().out, "v2")
    equal(w.midge.run("kv", "get", "K", "k", "--raw", "--revision", "1").ok().out, "v1")
    contains(w.midge.run("kv", "get", "K", "bytes").ok().out, "\n\nYQD/\n\n")
    w.midge.run("kv", "get", "K", "nope").failed("key not found")
    w.midge.run("kv", "put", "K", "a b", "x").failed("invalid key")
    for args in (["get", "NOPE", "k"], ["put", "NOPE", "k", "v"], ["history", "NOPE", "k"], ["ls", "NOPE"]):
        w.midge.run("kv", *args).failed("bucket NOPE not found")
    w.midge.run("kv", "del", "K", "k").failed("--force")
    equal(w.midge.run("kv", "rm", "K", "k", "-f").ok().out, "")
    w.midge.run("kv", "get", "K", "k").failed("key not found")
    w.midge.run("kv", "create", "K", "k", "again").ok()
    w.midge.run("kv", "purge", "K", "k", "-f").ok()
    out = w.midge.run("kv", "history", "K", "k").ok().out
    equal([line.split("│")[3].strip() for line in out.splitlines() if line.startswith("│ k ")], ["PURGE"])
    long = w.midge.run("kv", "put", "K", "long", stdin=b"0123456789" * 30000).ok()
    equal(long.out, "\n")
    equal(w.midge.run("kv", "get", "K", "long", "--raw").ok().out, "0123456789" * 30000)
    contains(w.midge.run("kv", "get", "K", "long").ok().out, "Showing first 120 bytes of 300,000, use --raw")


@test
def kv_ls_history_revert_compact(w):
    equal(w.midge.run("kv", "ls").ok().out, "No Key-Value buckets found\n")
    w.midge.run("kv", "add", "K", "--history", "5").ok()
    w.midge.run("stream", "add", "S", "--subjects", "$KV.other.>").ok()
    equal(w.midge.run("kv", "ls", "K").ok().out, "No keys found in bucket\n")
    for key, value in (("b.x", "1"), ("a", "2"), ("b.y", "3"), ("a", "4"), ("gone", "5")):
        w.midge.run("kv", "put", "K", key, value).ok()
    w.midge.run("kv", "del", "K", "gone", "-f").ok()
    equal(w.midge.run("kv", "ls", "-n").ok().out, "K\n")
    contains(w.midge.run("kv", "ls").ok().out, "│ Bucket │ Description │ Created             │ Size  │ Values │")
    equal(sorted(w.midge.run("kv", "ls", "K").ok().out.split()), ["a", "b.x", "b.y"])
    equal(sorted(json.loads(w.midge.run("kv", "ls", "K", "b.*", "-j").ok().out)), ["b.x", "b.y"])
    out = w.midge.run("kv", "ls", "K", "-v", "--display-value").ok().out
    contains(out, "│ a   │")
    contains(out, "│        4 │ 4     │")
    out = w.midge.run("kv", "history", "K", "a").ok().out
    equal([[cell.strip() for cell in line.split("│")[2:4]] for line in out.splitlines() if line.startswith("│ a ")],
          [["2", "PUT"], ["4", "PUT"]])
    w.midge.run("kv", "revert", "K", "a", "2").failed("--force")
    contains(w.midge.run("kv", "revert", "K", "a", "2", "--force").ok().out, "│ a   │        7 │ PUT │")
    equal(w.midge.run("kv", "get", "K", "a", "--raw").ok().out, "2")
    w.midge.run("kv", "revert", "K", "a", "1", "--force").failed("key not found")
    w.midge.run("kv", "compact", "K", "-f").ok()
    equal(json.loads(w.midge.run("kv", "info", "K", "-j").ok().out)["state"]["num_subjects"], 4)
    w.midge.run("kv", "del", "K").failed("--force")
    w.midge.run("kv", "del", "K", "-f").ok()
    w.midge.run("kv", "del", "K", "-f").failed("bucket K not found")


@test
def kv_watch(w):
    w.midge.run("kv", "add", "K", "--history", "5").ok()
    for value in ("1", "2"):
        w.midge.run("kv", "put", "K", "a", value).ok()
    plain = w.start(w.midge, "kv", "watch", "K").wait_out("PUT K > a: 2\n")
    history = w.start(w.midge, "kv", "watch", "K", "--history", "--json").wait_out('"revision":2')
    updates = w.start(w.midge, "kv", "watch", "K", "b", "--updates", "--no-deletes")
    w.wait_subscribed(next(s for s in w.subjects() if s.startswith("_INBOX.")))
    w.midge.run("kv", "del", "K", "a", "-f").ok()
    plain.wait_out("DELETE K > a\n")
    history.wait_out('"DELETE"')

    def written():
        w.midge.run("kv", "put", "K", "b", "3").ok()
        return "PUT K > b: 3\n" in updates.out()
    check(any(written() for _ in range(50)), "no update came")
    history.wait_out('"key":"b"')
    lines = [json.loads(line) for line in history.interrupt().finish().ok().out.splitlines()]
    equal([(m["key"], m["operation"], m["data"]) for m in lines[:4]],
          [("a", "PUT", "1"), ("a", "PUT", "2"), ("a", "DELETE", ""), ("b", "PUT", "3")])
    check(" > a" not in updates.interrupt().finish().ok().out, "updates of another key")
    out = plain.interrupt().finish().ok().out
    check(re.match(r"\[[-0-9: ]+\] PUT K > a: 2\n", out), out)
    equal(w.midge.run("consumer", "ls", "KV_K", "-n").ok().out, "", "consumers that are left")


@test
def kv_ttl(w):
    w.midge.run("kv", "add", "K", "--marker-ttl", "1m").ok()
    w.midge.run("kv", "create", "K", "k", "v", "--ttl", "1h").ok()
    contains(w.midge.run("stream", "get", "KV_K", "1").ok().out, "Nats-TTL: 1h0m0s\n")
    w.midge.run("kv", "purge", "K", "k", "--ttl", "2h", "-f").ok()
    contains(w.midge.run("stream", "get", "KV_K", "2").ok().out, "Nats-TTL: 2h0m0s\n")


# ---- objects --------------------------------------------------------------------------------------------------------


def write(w, name, data):
    path = os.path.join(w.home, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def read(path):
    with open(path, "rb") as f:
        return f.read()


@test
def object_buckets(w):
    equal(w.midge.run("object", "ls").ok().out, "No Object Store buckets found\n")
    out = w.midge.run("object", "add", "O").ok().out
    check(out.startswith("Information for Object Store Bucket O created 20"), out)
    for line in ("Bucket Name: O", "Replicas: 1", "TTL: unlimited", "Sealed: false", "JetStream Stream: OBJ_O"):
        contains(out, f" {line}\n")
    equal(w.midge.run("object", "info", "O").ok().out, out)
    w.midge.run("object", "add", "P", "--ttl", "1h", "--storage", "memory", "--description", "d", "--metadata", "a:b",
                "--max-bucket-size", "10MB").ok()
    c = json.loads(w.midge.run("object", "info", "P", "--json").ok().out)["config"]
    wanted = {"max_age": 3600 * 10**9, "storage": "memory", "description": "d", "max_bytes": 10 * 2**20,
              "subjects": ["$O.P.C.>", "$O.P.M.>"], "allow_rollup_hdrs": True}
    equal({key: c.get(key) for key in wanted}, wanted)
    w.midge.run("object", "edit", "P", "--description", "new").ok()
    after = json.loads(w.midge.run("object", "info", "P", "--json").ok().out)["config"]
    equal(after, {**c, "description": "new"})
    equal(w.midge.run("object", "ls", "-n").ok().out, "O\nP\n")
    contains(w.midge.run("object", "ls").ok().out, "Object Store Buckets")
    contains(w.midge.run("object", "seal", "O", "-f").ok().out, "O has been sealed\n")
    contains(w.midge.run("object", "info", "O").ok().out, "Sealed: true")
    w.midge.run("object", "put", "O", "--name", "x", stdin=b"x").failed("could not put O > x")
    w.midge.run("object", "del", "P").failed("--force")
    w.midge.run("object", "del", "P", "-f").ok()
    for args in (["info", "NOPE"], ["ls", "NOPE"], ["seal", "NOPE", "-f"], ["del", "NOPE", "-f"],
                 ["put", "NOPE", "--name", "x"], ["get", "NOPE", "x"], ["watch", "NOPE"]):
        w.midge.run("object", *args).failed("bucket NOPE not found")


@test
def object_files(w):
    data = os.urandom(300_000)
    path, copy = write(w, "f.bin", data), os.path.join(w.home, "copy")
    w.midge.run("object", "add", "O").ok()
    out = w.midge.run("object", "put", "O", path, "--name", "f", "--description", "a file", "-H", "A:b", "-H", "A: c",
                      "--chunk-size", "64KB").ok().out
    check(out.startswith("\nObject information for O > f\n\n"), out)
    for line in ("Description: a file", "Size: 293 KiB", "Chunks: 5",
                 "Digest: SHA-256 " + hashlib.sha256(data).hexdigest(), "Headers: A: b"):
        contains(out, f" {line}\n")
    contains(w.midge.run("object", "info", "O", "f").ok().out, "Headers: A: b\n")
    o = json.loads(w.midge.run("object", "info", "O", "f", "--json").ok().out)
    equal((o["name"], o["size"], o["headers"]), ("f", 300_000, {"A": ["b", "c"]}))
    out = w.midge.run("object", "get", "O", "f", "-O", copy).ok().out
    check(re.fullmatch(r"Wrote: 293 KiB to .*/copy in [0-9.]+(µs|ms|s)\n", out), out)
    equal(read(copy) == data, True, "the bytes are the same")
    w.midge.run("object", "get", "O", "f", "-O", copy).failed("--force")
    w.midge.run("object", "get", "O", "f", "-O", copy, "-f").ok()
    w.midge.run("object", "put", "O", path, "--name", "f").failed("--force")
    write(w, "f.bin", b"short")
    w.midge.run("object", "put", "O", path, "--name", "f", "-f").ok()
    equal(w.midge.run("object", "get", "O", "f", "-O", "-").ok().out, "short")
    w.midge.run("object", "put", "O", "--name", "piped", stdin=b"of a pipe").ok()
    equal(w.midge.run("object", "get", "O", "piped", "-O", "-").ok().out, "of a pipe")
    w.midge.run("object", "put", "O").failed("--name is required")
    w.midge.run("object", "put", "O", path + "x").failed("cannot open")
    equal(sorted(w.midge.run("object", "ls", "O", "-n").ok().out.split()), ["f", "piped"])
    contains(w.midge.run("object", "ls", "O").ok().out, "│ piped │ 9 B  │")
    contains(w.midge.run("object", "rm", "O", "f", "-f").ok().out, "Removed O > f\n")
    w.midge.run("object", "rm", "O", "f", "-f").failed("object O > f not found")
    w.midge.run("object", "get", "O", "f", "-O", copy, "-f").failed("object O > f not found")
    equal(read(copy) == data, True, "what was there stays")
    equal([name for name in os.listdir(w.home) if "part" in name], [])


@test
def object_watch(w):
    w.midge.run("object", "add", "O").ok()
    w.midge.run("object", "put", "O", "--name", "a", stdin=b"1").ok()
    running = w.start(w.midge, "object", "watch", "O").wait_out("PUT O > a: 1 B bytes in 1 chunks\n")
    w.midge.run("object", "rm", "O", "a", "-f").ok()
    running.wait_out("DEL O > a\n")
    running.interrupt().finish().ok()
    equal(w.midge.run("consumer", "ls", "OBJ_O", "-n").ok().out, "", "consumers that are left")
