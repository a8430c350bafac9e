# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""cli.py SERVER [NAME]: what people do with the official `nats` command, each test on a server of its own."""

import json
import os
import shutil
import sys
import tempfile
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", ".."), os.path.join(HERE, "..", "..", "cli")]

from harness import TESTS, TIMEOUT, Failure, Program, check, contains, equal, test  # noqa: E402
from pylib.server import Server, wait_for  # noqa: E402


class World:
    """A server with JetStream and the command that talks to it."""

    def __init__(self, binary, folder):
        self.home = folder
        self.server = Server(binary, folder)
        self.args = ["-m", "-1", "-js", "-sd", os.path.join(folder, "store")]
        self.server.start(self.args)
        url = "nats://%s:%d" % self.server.address()
        env = {name: value for name, value in os.environ.items() if not name.startswith(("NATS_", "XDG_"))}
        env.update(HOME=folder, TZ="UTC", NATS_URL=url)
        self.program = Program(shutil.which("nats"), env)
        self.running = []

    def nats(self, *args, stdin=None):
        return self.program.run(*args, stdin=stdin).ok().out

    def json(self, *args):
        return json.loads(self.nats(*args, "--json"))

    def start(self, *args):
        self.running.append(self.program.start(*args))
        return self.running[-1]

    def restart(self, signal):
        self.server.signal(signal)
        self.server.wait_exit()
        self.server.start(self.args, port=self.server.address()[1])

    def fill(self, *subjects):
        for number, subject in enumerate(subjects, 1):
            self.nats("req", subject, f"m{number}")

    def stop(self):
        for running in self.running:
            running.stop()
        self.server.stop()


def state(w, name="S"):
    return w.json("stream", "info", name)["state"]


@test
def a_stream_and_its_messages(w):
    w.nats("stream", "add", "S", "--subjects", "s.>", "--defaults", "--max-msgs", "100", "--max-age", "1h",
           "--dupe-window", "1m", "--allow-direct", "--allow-rollup", "--description", "d", "--metadata", "a:b")
    w.fill("s.a", "s.b", "s.a", "s.c", "s.c")
    equal(w.nats("stream", "ls", "--names"), "S\n")
    contains(w.nats("stream", "report"), "│ S ")
    contains(w.nats("stream", "find"), "│ S ")
    equal(w.json("stream", "subjects", "S"), {"s.a": 2, "s.b": 1, "s.c": 2})
    contains(w.nats("stream", "get", "S", "2"), "on Subject s.b")
    contains(w.nats("stream", "get", "S", "--last-for", "s.a"), "Item: S#3 ")
    code, screen = w.program.on_terminal("stream", "view", "S", "10", "--raw", keys=b"\n")
    check(code == 0 and screen.count("Subject: s.") + screen.count("m") >= 5, f"view: {code} {screen!r}")
    w.nats("stream", "rmm", "S", "2", "--force")
    contains(w.nats("stream", "gaps", "S", "--force"), "2")
    equal((state(w)["messages"], state(w)["num_deleted"]), (4, 1))
    w.nats("stream", "edit", "S", "--max-msgs", "50", "--description", "new", "--force")
    for signal in ("TERM", "KILL"):
        w.restart(signal)
        config = w.json("stream", "info", "S")["config"]
        equal((config["max_msgs"], config["description"], config["metadata"]["a"]), (50, "new", "b"))
        equal((state(w)["messages"], state(w)["num_deleted"]), (4, 1))
    w.nats("stream", "purge", "S", "--subject", "s.a", "--force")
    equal((state(w)["messages"], state(w)["first_seq"]), (2, 4))
    w.nats("stream", "purge", "S", "--keep", "1", "--force")
    w.nats("stream", "purge", "S", "--force")
    equal((state(w)["messages"], state(w)["first_seq"], state(w)["last_seq"]), (0, 6, 5))
    w.nats("stream", "seal", "S", "--force")
    check(w.json("stream", "info", "S")["config"]["sealed"], "the stream is not sealed")
    w.nats("stream", "rm", "S", "--force")
    equal(w.nats("stream", "ls", "--names"), "")


@test
def a_stream_of_another_server(w):
    """What `info --json` says makes the same stream again, and so does `copy`."""
    w.nats("stream", "add", "S", "--subjects", "s.>", "--defaults", "--max-bytes", "1MB", "--retention", "work",
           "--discard", "new", "--storage", "memory", "--compression", "s2", "--max-msgs-per-subject", "7",
           "--discard-per-subject", "--deny-delete", "--allow-msg-ttl")
    made = w.json("stream", "info", "S")
    path = os.path.join(w.home, "s.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(made, f)
    w.nats("stream", "rm", "S", "--force")
    w.nats("stream", "add", "--config", path)
    equal(w.json("stream", "info", "S")["config"], made["config"])
    w.nats("stream", "copy", "S", "T", "--subjects", "t.>")
    copy = w.json("stream", "info", "T")["config"]
    equal(copy, {**made["config"], "name": "T", "subjects": ["t.>"]})


@test
def consumers(w):
    w.nats("stream", "add", "S", "--subjects", "s.>", "--defaults")
    w.fill("s.a", "s.b", "s.a", "s.c")
    w.nats("consumer", "add", "S", "C", "--pull", "--defaults", "--max-pending", "10", "--wait", "1m")
    contains(w.nats("consumer", "next", "S", "C"), "str seq: 1 / pending: 3")
    contains(w.nats("consumer", "next", "S", "C", "--nak"), "subj: s.b / tries: 1")
    contains(w.nats("consumer", "next", "S", "C"), "subj: s.b / tries: 2")
    contains(w.nats("consumer", "next", "S", "C", "--term"), "str seq: 3")
    info = w.json("consumer", "info", "S", "C")
    equal((info["ack_floor"]["stream_seq"], info["num_ack_pending"], info["num_pending"]), (3, 0, 1))
    w.nats("consumer", "pause", "S", "C", "1h", "--force")
    check(w.json("consumer", "info", "S", "C")["paused"], "it is not paused")
    w.program.run("consumer", "next", "S", "C", "--timeout", "300ms").failed()
    w.restart("KILL")
    check(w.json("consumer", "info", "S", "C")["paused"], "it is not paused after a restart")
    w.nats("consumer", "resume", "S", "C", "--force")
    w.nats("consumer", "edit", "S", "C", "--max-pending", "7", "--force")
    equal(w.json("consumer", "info", "S", "C")["config"]["max_ack_pending"], 7)
    contains(w.nats("consumer", "next", "S", "C"), "subj: s.c")
    equal(w.nats("consumer", "ls", "S", "--names"), "C\n")
    contains(w.nats("consumer", "report", "S"), "│ C ")
    w.nats("consumer", "copy", "S", "C", "D", "--filter", "s.a")
    equal(w.json("consumer", "info", "S", "D")["num_pending"], 2)
    w.nats("consumer", "rm", "S", "C", "--force")
    equal(w.json("consumer", "ls", "S"), ["D"])


@test
def a_push_consumer(w):
    w.nats("stream", "add", "S", "--subjects", "s.>", "--defaults")
    w.fill("s.a", "s.b")
    w.nats("consumer", "add", "S", "P", "--target", "to.p", "--defaults", "--deliver", "all", "--ack", "explicit",
           "--heartbeat", "1s", "--flow-control", "--filter", "s.>")
    running = w.start("consumer", "sub", "S", "P").wait_out("m2")
    w.fill("s.c")
    running.wait_out("subj: s.c")
    running.interrupt().finish()
    equal(w.json("consumer", "info", "S", "P")["ack_floor"]["stream_seq"], 3)


@test
def a_pinned_consumer(w):
    w.nats("stream", "add", "S", "--subjects", "s.>", "--defaults")
    w.fill("s.a", "s.b")
    w.nats("consumer", "add", "S", "G", "--pull", "--defaults", "--pinned-groups", "g", "--pinned-ttl", "1h")
    equal(w.nats("req", "$JS.API.CONSUMER.MSG.NEXT.S.G", '{"batch":1,"group":"g"}', "--raw").strip(), "m1")
    group = w.json("consumer", "info", "S", "G")["priority_groups"][0]
    check(group["group"] == "g" and group["pinned_client_id"], f"nobody is pinned: {group}")
    w.nats("consumer", "unpin", "S", "G", "g", "--force")
    check("pinned_client_id" not in w.json("consumer", "info", "S", "G")["priority_groups"][0], "still pinned")


@test
def keys_and_values(w):
    w.nats("kv", "add", "K", "--history", "5")
    watching = w.start("kv", "watch", "K")
    for value in ("one", "two"):
        w.nats("kv", "put", "K", "a", value)
    equal(w.nats("kv", "get", "K", "a", "--raw"), "two")
    equal(w.nats("kv", "get", "K", "a", "--revision", "1", "--raw"), "one")
    w.nats("kv", "create", "K", "b", "new")
    w.program.run("kv", "create", "K", "b", "again").failed()
    w.nats("kv", "update", "K", "b", "newer", "3")
    w.program.run("kv", "update", "K", "b", "late", "3").failed("wrong last sequence")
    w.nats("kv", "revert", "K", "a", "1", "--force")
    equal(w.nats("kv", "get", "K", "a", "--raw"), "one")
    history = w.nats("kv", "history", "K", "a")
    check(history.count("│ PUT │") == 3, history)
    w.nats("kv", "del", "K", "b", "--force")
    w.program.run("kv", "get", "K", "b").failed("not found")
    watching.wait_out("DELETE K > b")
    w.nats("kv", "purge", "K", "a", "--force")
    watching.wait_out("PURGE K > a")
    watching.interrupt().finish()
    w.nats("kv", "put", "K", "c", "left")
    w.nats("kv", "compact", "K", "--force")
    equal(w.nats("kv", "ls", "K").split(), ["c"])
    w.restart("KILL")
    equal(w.nats("kv", "get", "K", "c", "--raw"), "left")
    contains(w.nats("kv", "ls"), "│ K ")
    contains(w.nats("kv", "info", "K"), "History Kept: 5")
    w.nats("kv", "add", "T", "--ttl", "1s")
    w.nats("kv", "put", "T", "brief", "x")
    check(wait_for(lambda: w.program.run("kv", "get", "T", "brief").code == 1, TIMEOUT), "the key does not expire")
    w.nats("kv", "del", "K", "--force")
    w.program.run("kv", "info", "K").failed("not found")


@test
def objects(w):
    data = os.urandom(3_000_000)
    path, copy = os.path.join(w.home, "big"), os.path.join(w.home, "copy")
    with open(path, "wb") as f:
        f.write(data)
    w.nats("object", "add", "O")
    watching = w.start("object", "watch", "O")
    w.nats("object", "put", "O", path, "--name", "big", "--no-progress", "--force")
    watching.wait_out("big")
    w.nats("object", "put", "O", "--name", "small", stdin=b"of a pipe")
    watching.wait_out("small")
    for line in ("big", "small"):
        contains(w.nats("object", "ls", "O"), f"│ {line} ")
    contains(w.nats("object", "info", "O", "big"), "Chunks: 23")
    w.restart("KILL")
    w.nats("object", "get", "O", "big", "--output", copy, "--no-progress", "--force")
    with open(copy, "rb") as f:
        check(f.read() == data, "the bytes are not the same")
    w.nats("object", "rm", "O", "small", "--force")
    watching.wait_out("DEL")
    watching.interrupt().finish()
    w.nats("object", "seal", "O", "--force")
    w.program.run("object", "put", "O", path, "--no-progress", "--force").failed("sealed stream")
    w.nats("object", "del", "O", "--force")


@test
def checks(w):
    w.nats("stream", "add", "S", "--subjects", "s.>", "--defaults")
    w.fill("s.a", "s.b")
    w.nats("consumer", "add", "S", "C", "--pull", "--defaults")
    w.nats("kv", "add", "K")
    w.nats("kv", "put", "K", "k", "v")

    def says(word, code, *args):
        done = w.program.run("server", "check", *args)
        check(done.code == code and done.out.startswith(word), f"{args}: {done.code} {done.out!r} {done.err!r}")
    says("OK JetStream", 0, "jetstream")
    says("OK S", 0, "stream", "--stream", "S")
    says("CRITICAL S", 2, "stream", "--stream", "S", "--msgs-critical", "10")
    says("OK S_C", 0, "consumer", "--stream", "S", "--consumer", "C")
    says("CRITICAL S_C", 2, "consumer", "--stream", "S", "--consumer", "C", "--unprocessed-critical", "1")
    says("OK K", 0, "kv", "--bucket", "K", "--key", "k")
    says("OK", 0, "message", "--stream", "S", "--subject", "s.a")
    says("OK Connection", 0, "connection")
    info = w.nats("account", "info")
    for line in ("Streams: 2 of Unlimited", "Consumers: 1"):
        contains(info, line)


@test
def benchmarks(w):
    run = ["--msgs", "1000", "--no-progress"]
    for args in (["js", "pub", "async", "b", "--create"], ["js", "pub", "sync", "b", "--clients", "4"],
                 ["js", "pub", "async", "b", "--clients", "2"], ["js", "pub", "async", "b", "--batch", "10"],
                 ["js", "consume"], ["js", "consume", "--doubleack"], ["js", "fetch"], ["js", "fetch", "--doubleack"],
                 ["js", "ordered"], ["js", "get", "sync"], ["js", "get", "batch"], ["kv", "put"], ["kv", "get"]):
        contains(w.nats("bench", *args, *run), "stats: ", f"bench {args}")
    equal(state(w, "benchstream")["messages"], 4000)


def main():
    passed = failed = 0
    for each in TESTS:
        if each.__name__.startswith(tuple(sys.argv[2:3]) or ""):
            w = None
            with tempfile.TemporaryDirectory(prefix="interop-cli-") as folder:
                try:
                    w = World(os.path.abspath(sys.argv[1]), folder)
                    each(w)
                    check(not w.server.sanitizer_report(), w.server.sanitizer_report())
                    passed += 1
                    print(f"ok - {each.__name__}", flush=True)
                except Exception as error:  # a broken test is a failed one
                    failed += 1
                    text = str(error) if isinstance(error, Failure) else traceback.format_exc()
                    print(f"not ok - {each.__name__}\n    {text}", flush=True)
                finally:
                    if w:
                        w.stop()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
