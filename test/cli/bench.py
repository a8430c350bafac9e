#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Drives `midge bench` and `midge latency` as a person would, with a plain socket as the other end.

    test/cli/bench.py --midge build/client/cli/midge --server build/server/midge-server [NAME...]
"""

import argparse
import csv
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from pylib.server import Server, wait_for  # noqa: E402

TIMEOUT = 30
RATE = r"[0-9,]+ msgs/sec ~ [0-9.]+ [KMG]?i?B/sec"
LATENCIES = r" ~ min: [0-9.,]+us ~ avg: [0-9.,]+us ~ max: [0-9.,]+us ~ P50: [0-9.,]+us ~ P90: [0-9.,]+us" \
            r" ~ P99: [0-9.,]+us ~ P99\.9: [0-9.,]+us"


class Peer:
    """A NATS client of a few lines: what it receives it keeps, and it may answer."""

    def __init__(self, address, subject, answer=None):
        self.socket = socket.create_connection(address, timeout=TIMEOUT)
        self.stream = self.socket.makefile("rb")
        self.stream.readline()
        self.messages = []
        self.answer = answer
        self.send(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nSUB %s 1\r\nPING\r\n' %
                  subject.encode())
        while self.stream.readline() != b"PONG\r\n":
            pass
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def send(self, data):
        self.socket.sendall(data)

    def read(self):
        try:
            while line := self.stream.readline():
                words = line.split()
                if words and words[0] == b"PING":
                    self.send(b"PONG\r\n")
                if not words or words[0] not in (b"MSG", b"HMSG"):
                    continue
                body = self.stream.read(int(words[-1]) + 2)[:-2]
                at = int(words[-2]) if words[0] == b"HMSG" else 0
                reply = words[3] if len(words) - (words[0] == b"HMSG") > 4 else b""
                self.messages.append((words[1].decode(), body[:at], body[at:]))
                if reply and self.answer is not None:
                    self.send(b"PUB %s %d\r\n%s\r\n" % (reply, len(self.answer), self.answer))
        except (OSError, ValueError):
            pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.stream.close()
        self.socket.close()


class Tests:
    def __init__(self, midge, server_path, folder):
        self.midge = os.path.abspath(midge)
        self.server_path = server_path
        self.folder = folder
        self.server = Server(server_path, folder).start([])
        self.address = self.server.address()
        self.url = "nats://%s:%d" % self.address
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("NATS_")}
        self.env["XDG_CONFIG_HOME"] = folder
        self.env["TERM"] = "xterm"

    def start(self, *args, url=None, **kwargs):
        return subprocess.Popen([self.midge, "-s", url or self.url, *args], stdin=subprocess.DEVNULL, env=self.env,
                                stdout=kwargs.get("stdout", subprocess.PIPE),
                                stderr=kwargs.get("stderr", subprocess.PIPE), text=True, cwd=self.folder)

    def run(self, *args, code=0, url=None):
        """stdout and stderr of a command that must end with that code."""
        process = self.start(*args, url=url)
        out, err = process.communicate(timeout=TIMEOUT)
        assert process.returncode == code, f"exit code {process.returncode}\n{out}{err}"
        return out, err

    def wait_line(self, stream, text):
        """Reads lines until one has the text."""
        for line in stream:
            if text in line:
                return line
        raise AssertionError(f"no line with {text!r}")

    # ---- pub ----

    def test_pub(self):
        out, err = self.run("bench", "pub", "t", "--msgs", "1000")
        assert re.fullmatch(rf"\nNATS Core NATS publisher stats: {RATE}{LATENCIES}\n\n", out), out
        banner = r"\d\d:\d\d:\d\d Starting Core NATS publisher benchmark \[clients=1, msg-size=128 B, msgs=1,000, " \
                 r"multi-subject=false, multi-subject-max=100,000, multi-subject-randomize=false, sleep=0s, subject=t\]"
        assert re.search(banner, err), err
        assert re.search(r"\d\d:\d\d:\d\d \[1\] Starting Core NATS publisher, publishing 1,000 messages", err), err

    def test_pub_clients(self):
        out, err = self.run("bench", "pub", "t", "--msgs", "1001", "--clients", "2", "--size", "1K")
        pattern = rf"\n  \[1\] {RATE}{LATENCIES} \(501 msgs\)\n  \[2\] {RATE}{LATENCIES} \(500 msgs\)\n" \
                  rf"\n NATS Core NATS publisher aggregated stats: {RATE}\n" \
                  r" message rates min [0-9,]+ \| avg [0-9,]+ \| max [0-9,]+ \| stddev [0-9,]+ msgs\n" \
                  r" latencies per operation min .*us \| avg .*us \| max .*us \| stddev .*us \| P50 .*us \| P90 .*us" \
                  r" \| P99 .*us \| P99\.9: .*us\n\n"
        assert re.fullmatch(pattern, out), out
        assert "msg-size=1.0 KiB" in err, err

    def test_pub_is_received(self):
        peer = Peer(self.address, "t")
        self.run("bench", "pub", "t", "--msgs", "3000", "--clients", "3", "--size", "20")
        assert wait_for(lambda: len(peer.messages) == 3000, TIMEOUT)
        assert set(peer.messages) == {("t", b"", b"\0" * 20)}
        peer.close()

    def test_pub_subjects(self):
        peer = Peer(self.address, "t.*")
        self.run("bench", "pub", "t", "--msgs", "25", "--clients", "2", "--multisubject", "--multisubjectmax", "10")
        assert wait_for(lambda: len(peer.messages) == 25, TIMEOUT)
        assert sorted(m[0] for m in peer.messages) == sorted("t.%02d" % (i % 10) for i in range(25)), peer.messages
        peer.messages.clear()
        self.run("bench", "pub", "t", "--msgs", "101", "--multisubject", "--multisubjectmax", "0")
        assert wait_for(lambda: len(peer.messages) == 101, TIMEOUT)
        assert [m[0] for m in peer.messages] == ["t.%d" % i for i in range(101)], peer.messages
        peer.messages.clear()
        self.run("bench", "pub", "t", "--msgs", "200", "--multisubject", "--multisubjectmax", "10",
                 "--multisubjectrandomize")
        assert wait_for(lambda: len(peer.messages) == 200, TIMEOUT)
        names = [m[0] for m in peer.messages]
        assert set(names) == {"t.%02d" % i for i in range(10)} and names[:20] != sorted(names[:20]), names
        peer.close()

    def test_pub_payload_and_headers(self):
        with open(os.path.join(self.folder, "payload"), "wb") as f:
            f.write(b"from a file")
        peer = Peer(self.address, "t")
        out, _ = self.run("bench", "pub", "t", "--msgs", "2", "--payload", "payload", "-H", "A: 1", "-H", "B:two",
                          "--json")
        assert wait_for(lambda: len(peer.messages) == 2, TIMEOUT)
        assert peer.messages[0] == ("t", b"NATS/1.0\r\nA: 1\r\nB: two\r\n\r\n", b"from a file"), peer.messages
        assert json.loads(out)["total"]["bytes"] == 22
        peer.close()

    def test_pub_large(self):
        peer = Peer(self.address, "t")
        self.run("bench", "pub", "t", "--msgs", "20", "--size", "900K")
        assert wait_for(lambda: len(peer.messages) == 20, TIMEOUT)
        assert all(len(m[2]) == 900 * 1024 for m in peer.messages)
        peer.close()

    def test_pub_too_large(self):
        _, err = self.run("bench", "pub", "t", "--msgs", "20", "--size", "2M", code=1)
        assert "publishing: larger than the buffer or the server's max_payload" in err, err

    def test_pub_throughput(self):
        began = time.monotonic()
        out, err = self.run("bench", "pub", "t", "--throughput", "500", "--duration", "200ms", "--clients", "2", "-j")
        assert time.monotonic() - began >= 0.19
        assert json.loads(out)["total"]["msgs"] == 100
        assert "duration=200ms" in err and "throughput=500]" in err, err

    def test_pub_sleep(self):
        out, _ = self.run("bench", "pub", "t", "--sleep", "10ms", "--msgs", "10", "-j")
        assert json.loads(out)["total"]["duration_ns"] >= 90e6, out

    def test_json(self):
        out, _ = self.run("bench", "pub", "t", "--msgs", "1000", "--clients", "4", "--json")
        report = json.loads(out)
        assert list(report) == ["benchmark", "run_id", "subject", "msg_size", "disturbed", "interrupted", "total",
                                "client_msgs_per_sec", "clients"], out
        assert report["benchmark"] == "pub" and report["subject"] == "t" and report["msg_size"] == 128
        assert report["total"]["msgs"] == 1000 and report["total"]["bytes"] == 128000
        assert [c["client"] for c in report["clients"]] == [1, 2, 3, 4]
        assert sum(c["msgs"] for c in report["clients"]) == 1000
        latency = report["total"]["latency_ns"]
        assert list(latency) == ["min", "avg", "max", "stddev", "p50", "p90", "p99", "p99_9"], latency
        assert latency["min"] <= latency["p50"] <= latency["p90"] <= latency["p99_9"] <= latency["max"]

    def test_csv(self):
        out, _ = self.run("bench", "pub", "t", "--msgs", "1000", "--clients", "2", "--csv", "x.csv")
        assert "Saved metric data in csv file x.csv\n" in out, out
        with open(os.path.join(self.folder, "x.csv"), newline="", encoding="utf-8") as f:
            rows = list(csv.reader(f))
        assert rows[0][:7] == ["#RunID", "ClientID", "MsgCount", "MsgBytes", "MsgsPerSec", "BytesPerSec",
                               "DurationSecs"] and len(rows[0]) == 15, rows[0]
        assert [r[1:4] for r in rows[1:]] == [["P0", "500", "64000"], ["P1", "500", "64000"]], rows
        assert all(len(r) == 15 and len(r[0]) == 22 for r in rows[1:])
        _, err = self.run("bench", "pub", "t", "--msgs", "1", "--csv", "/nonexistent/x.csv", code=1)
        assert "/nonexistent/x.csv: No such file" in err, err

    # ---- mistakes ----

    def test_mistakes(self):
        for args, text in [
                (["--clients", "0"], "--clients must be 1 to"),
                (["--msgs", "0"], "number of messages should be greater than 0"),
                (["--size", "0"], "--size"),
                (["--duration", "1s"], "--duration requires --throughput"),
                (["--throughput", "1", "--duration", "1ms"], "results in zero messages"),
                (["--header", "nocolon"], "invalid header \"nocolon\""),
                (["--payload", "/nonexistent"], "/nonexistent"),
        ]:
            _, err = self.run("bench", "pub", "t", *args, code=1)
            assert text in err, err
        _, err = self.run("bench", "pub", "a b", code=1)
        assert "publishing: invalid subject" in err, err

    def test_no_server(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = "127.0.0.1:%d" % free.getsockname()[1]
            for command in (["bench", "pub", "t"], ["latency"]):
                _, err = self.run(*command, url=url, code=1)
                assert url in err and "refused" in err, err

    def test_no_permission(self):
        folder = os.path.join(self.folder, "perm")
        os.makedirs(folder)
        with open(os.path.join(folder, "conf"), "w", encoding="utf-8") as f:
            f.write('authorization { default_permissions { publish: ["allowed"], subscribe: ["allowed"] }\n'
                    ' users: [{user: u, password: p}] }\n')
        server = Server(self.server_path, folder).start(["-c", os.path.join(folder, "conf")])
        url = "nats://u:p@%s:%d" % server.address()
        try:
            _, err = self.run("bench", "pub", "t", url=url, code=1)
            assert 'no permission to publish to "t"' in err, err
            _, err = self.run("bench", "sub", "t", url=url, code=1)
            assert 'no permission to subscribe to "t"' in err, err
        finally:
            server.stop()

    # ---- sub ----

    def publish_until(self, process, subject):
        """Publishes single messages until the subscribers have ended."""
        peer = Peer(self.address, "nothing")
        while process.poll() is None:
            peer.send(b"PUB %s 3\r\nabc\r\n" % subject)
            time.sleep(0.001)
        peer.close()

    def test_sub(self):
        process = self.start("bench", "sub", "t", "--msgs", "50", "--clients", "2", "--csv", "s.csv")
        self.publish_until(process, b"t")
        out, err = process.communicate(timeout=TIMEOUT)
        assert re.search(r"\[clients=2, msg-size=128 B, msgs=50, multi-subject=false, subject=t\]", err), err
        assert "[2] Starting Core NATS subscriber, expecting 50 messages" in err, err
        assert re.match(rf"\n  \[1\] {RATE} \(50 msgs\)\n  \[2\] {RATE} \(50 msgs\)\n\n NATS Core NATS subscriber "
                        rf"aggregated stats: {RATE}\n message rates ", out), out
        with open(os.path.join(self.folder, "s.csv"), newline="", encoding="utf-8") as f:
            rows = list(csv.reader(f))
        assert len(rows[0]) == 7 and [(r[1], r[3]) for r in rows[1:]] == [("S0", "150"), ("S1", "150")], rows

    def test_sub_multisubject(self):
        process = self.start("bench", "sub", "t", "--msgs", "5", "--multisubject", "--json")
        self.publish_until(process, b"t.17")
        out, err = process.communicate(timeout=TIMEOUT)
        assert json.loads(out)["total"]["msgs"] == 5 and "subject=t.*]" in err, out + err

    def test_sub_interrupted(self):
        process = self.start("bench", "sub", "t", "--msgs", "50", "--json")
        self.wait_line(process.stderr, "expecting 50 messages")
        peer = Peer(self.address, "t")
        peer.send(b"PUB t 1\r\nx\r\n" * 10)
        assert wait_for(lambda: len(peer.messages) == 10, TIMEOUT)
        peer.close()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT)
        report = json.loads(out)
        assert process.returncode == 130 and report["interrupted"] and report["total"]["msgs"] <= 10, out + err

    def test_sub_interrupted_empty(self):
        process = self.start("bench", "sub", "t", "--clients", "2")
        self.wait_line(process.stderr, "[2] Starting")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 130 and "aggregated stats: 0 msgs/sec ~ 0 B/sec" in out, (process.returncode, out)
        assert "interrupted" in err, err

    # ---- service ----

    def test_request(self):
        for command in (["service", "request"], ["request"]):
            peer = Peer(self.address, "svc", answer=b"ok")
            out, err = self.run("bench", *command, "svc", "--msgs", "100", "--size", "5", "-H", "A:1")
            assert re.fullmatch(rf"\nNATS Core NATS service requester stats: {RATE}{LATENCIES}\n\n", out), out
            assert "[1] Starting Core NATS service requester, requesting 100 messages" in err, err
            assert peer.messages == [("svc", b"NATS/1.0\r\nA: 1\r\n\r\n", b"\0" * 5)] * 100, peer.messages[0]
            peer.close()

    def test_request_bad(self):
        _, err = self.run("bench", "service", "request", "svc", code=1)
        assert "client 1: requesting: no responders available" in err, err
        for answer in (b"", b"-ERR", b"an error"):
            peer = Peer(self.address, "svc", answer=answer)
            _, err = self.run("bench", "service", "request", "svc", code=1)
            assert "did not receive a good reply" in err, err
            peer.close()
        peer = Peer(self.address, "svc")  # hears and says nothing
        _, err = self.run("bench", "service", "request", "svc", "--timeout", "100ms", code=1)
        assert "requesting: timeout" in err, err
        peer.close()

    def test_serve(self):
        for command, sleep in ((["service", "serve"], []), (["reply"], ["--sleep", "5ms"])):
            process = self.start("bench", *command, "svc", "--clients", "2", "--json", *sleep)
            self.wait_line(process.stderr, "[2] Starting Core NATS service server, hit control-c to stop")
            peer = Peer(self.address, "answers.*")
            # One of them answers each: asked until it is there, then a hundred times.
            def first():
                peer.send(b"PUB svc answers.first 0\r\n\r\n")
                return wait_for(lambda: peer.messages, 0.2)
            assert wait_for(first, TIMEOUT)
            for _ in range(100):
                peer.send(b"PUB svc answers.x 3\r\nabc\r\n")
            assert wait_for(lambda: sum(m[0] == "answers.x" for m in peer.messages) == 100, TIMEOUT)
            assert all(m[2] == b"ok" for m in peer.messages)
            peer.close()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=TIMEOUT)
            report = json.loads(out)
            assert process.returncode == 0 and report["total"]["msgs"] >= 101, out + err
            assert all(c["msgs"] for c in report["clients"]) and not report["interrupted"], out

    # ---- on a terminal ----

    def on_terminal(self, *args):
        """stdout, and what the terminal on stderr has got."""
        master, slave = pty.openpty()
        process = self.start(*args, stderr=slave)
        os.close(slave)
        seen = b""
        while True:
            try:
                if not select.select([master], [], [], TIMEOUT)[0]:
                    break
                data = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            seen += data
        os.close(master)
        out = process.communicate(timeout=TIMEOUT)[0]
        assert process.returncode == 0, seen
        return out, seen.decode()

    def test_progress(self):
        paced = ["bench", "pub", "t", "--throughput", "1000", "--duration", "400ms", "--clients", "2"]
        out, seen = self.on_terminal(*paced)
        assert "msgs/sec" in out and "\x1b" not in out
        assert re.search(r"\[1\] 100% \u2595\u2588+\u258f 200/200  [0-9,]+ msgs/sec", seen), seen
        assert "\x1b[2A" in seen and re.search(r"\[2\]  ?[1-9][0-9]?% ", seen), seen
        _, seen = self.on_terminal(*paced, "--no-progress")
        assert "%" not in seen and "\x1b[2K" not in seen, seen

    # ---- latency ----

    def test_latency(self):
        out, err = self.run("latency", "--duration", "200ms", "--rate", "500", "--histogram", "h")
        lines = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in err.splitlines()]
        values = r"[0-9.]+(µs|ms|s)"
        for pattern in [r"Pub Server RTT : " + values, r"Sub Server RTT : " + values, r"Message Payload: 8B",
                        r"Target Duration: 200ms", r"Target Msgs/Sec: 500", r"Target Band/Sec: 7.8K",
                        r"HDR Percentiles:", r"10:       " + values, r"99\.9:     " + values,
                        r"99\.99999: " + values, r"100:      " + values, r"Actual Msgs/Sec: [0-9]+",
                        r"Minimum Latency: " + values, r"Median Latency : " + values, r"Maximum Latency: " + values,
                        r"1st Sent Wall Time : " + values, r"Last Recv Wall Time: " + values]:
            assert any(re.fullmatch(pattern, line) for line in lines), (pattern, err)
        drawn = re.findall(r"^ +[0-9.]+(?:ns|µs|ms|s) \u2502[\u2588-\u258f]* +([0-9]+) +[0-9.]+%$", out, re.M)
        assert sum(int(n) for n in drawn) == 100, out
        with open(os.path.join(self.folder, "h.raw"), encoding="ascii") as f:
            assert sum(float(line) > 0 for line in f) == 100
        with open(os.path.join(self.folder, "h.histogram"), encoding="ascii") as f:
            table = f.read().splitlines()
        assert table[0] == "Value    Percentile    TotalCount    1/(1-Percentile)" and table[1] == "", table
        assert [row.split()[1:] for row in table[4:6]] == [["0.500000", "50", "2.000000"],
                                                          ["0.750000", "75", "4.000000"]], table

    def test_latency_json(self):
        out, _ = self.run("lat", "--server-b", self.url, "--duration", "100ms", "--size", "1K", "--json")
        report = json.loads(out)
        assert report["sent"] == report["received"] == 100 and report["msg_size"] == 1024, out
        assert list(report["percentiles_ns"]) == ["10", "50", "75", "90", "99", "99.9", "99.99", "99.999", "99.9999",
                                                  "99.99999", "100"], out
        assert report["percentiles_ns"]["100"] == report["latency_ns"]["max"], out
        assert 0.09e9 < report["duration_ns"] and report["pub_rtt_ns"] > 0, out

    def test_latency_mistakes(self):
        for args, text in [(["--size", "7"], "--size must be at least 8 bytes"), (["--rate", "0"], "--rate"),
                           (["--duration", "0s"], "--duration"), (["--histogram", "/nonexistent/x", "--duration",
                                                                   "10ms"], "/nonexistent/x.raw")]:
            _, err = self.run("latency", *args, code=1)
            assert text in err, err

    def test_latency_no_route(self):
        folder = os.path.join(self.folder, "other")
        os.makedirs(folder)
        other = Server(self.server_path, folder).start([])
        try:
            _, err = self.run("latency", "--server-b", "%s:%d" % other.address(), "--timeout", "200ms", code=1)
            assert "no message came through from the first server to the second" in err, err
        finally:
            other.stop()

    def test_latency_interrupted(self):
        process = self.start("latency", "--duration", "1h", "--json")
        self.wait_line(process.stderr, "Target Band")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 130, out + err
        assert json.loads(out)["sent"] == json.loads(out)["received"], out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--midge", required=True, help="the midge program")
    parser.add_argument("--server", required=True, help="the server program")
    parser.add_argument("names", nargs="*", help="only these tests")
    options = parser.parse_args()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        tests = Tests(options.midge, shutil.which(options.server) or options.server, folder)
        try:
            for name in [n for n in dir(Tests) if n.startswith("test_")]:
                if options.names and name not in options.names:
                    continue
                try:
                    getattr(tests, name)()
                    passed += 1
                    print("ok    " + name[5:])
                except (AssertionError, OSError, ValueError, subprocess.TimeoutExpired) as why:
                    failed += 1
                    print(f"FAIL  {name[5:]}: {type(why).__name__}: {why}")
                sys.stdout.flush()
        finally:
            tests.server.stop()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
