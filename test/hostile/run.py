#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Bad input from everywhere costs nobody else anything.

    run.py --server PATH [--full] [--seed N] [--rss-limit MB] [attack...]

Each attack (attacks.py) runs in processes of its own against a server, while a well-behaved pair of clients sends
requests and answers them: every one must be answered within the bound, before, during and after. The server must
live, keep its memory below the limit, forget what has gone, and end by SIGTERM with exit code 0.
"""

import argparse
import json
import multiprocessing
import os
import random
import re
import resource
import signal
import socket
import ssl
import sys
import tempfile
import time
import traceback
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import attacks  # noqa: E402
from attacks import Lines  # noqa: E402
from pylib import certs  # noqa: E402
from pylib.server import Server, wait_for  # noqa: E402

BROKEN = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|^panic:|fatal error:|assertion.*failed", re.I)


class Pair:
    """A client that asks and one that answers, and how long the slowest answer took."""

    def __init__(self, address, bound, context=None):
        self.bound = bound
        self.worst = 0.0
        self.count = 0
        self.asker, self.asked = (self._client(address, context) for _ in range(2))
        self.asked.peer.sendall(b"SUB help 1\r\nPING\r\n")
        self._line(self.asked, b"PONG")
        self.asker.peer.sendall(b"SUB answer 1\r\nPING\r\n")
        self._line(self.asker, b"PONG")

    def _client(self, address, context):
        peer = socket.create_connection(address, self.bound)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not context:
            return self._greet(Lines(peer))
        plain = b""
        while not plain.endswith(b"\r\n"):  # byte by byte: what follows INFO belongs to TLS
            plain += peer.recv(1)
        secure = Lines(context.wrap_socket(peer, server_hostname="localhost"))
        secure.peer.sendall(attacks.GREETING)
        return secure

    def _greet(self, lines):
        assert lines.line().startswith(b"INFO ")
        lines.peer.sendall(attacks.GREETING)
        return lines

    def _line(self, lines, start):
        """The next line but PINGs, which are answered; it must begin like this."""
        while True:
            line = lines.line()
            if line != b"PING\r\n":
                break
            lines.peer.sendall(b"PONG\r\n")
        if not line.startswith(start):
            raise AssertionError(f"expected {start!r}, got {line!r}")

    def ask(self):
        began = time.monotonic()
        body = b"%08d" % self.count
        try:
            self.asker.peer.sendall(b"PUB help answer 8\r\n" + body + b"\r\n")
            self._line(self.asked, b"MSG help 1 answer 8\r\n")
            self.asked.peer.sendall(b"PUB answer 8\r\n" + self.asked.exactly(10))
            self._line(self.asker, b"MSG answer 1 8\r\n")
            got = self.asker.exactly(10)
        except TimeoutError:
            raise AssertionError(f"request {self.count} was not answered in {self.bound:g} s") from None
        if got != body + b"\r\n":
            raise AssertionError(f"request {self.count} got {got!r}")
        self.count += 1
        self.worst = max(self.worst, time.monotonic() - began)

    def close(self):
        self.asker.peer.close()
        self.asked.peer.close()


def attack_process(attack, addresses, scale, seed, failures):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        attack(addresses, scale, seed)
    except Exception:
        failures.put(traceback.format_exc())


class Trial:
    """One server, its pair, and the attacks on it."""

    def __init__(self, options, folder, tls):
        self.options = options
        self.server = Server(options.server, folder)
        config = "max_pending: 8MB\nwrite_deadline: \"2s\"\nping_interval: \"20s\"\n"
        context = None
        if tls:
            made = certs.make(os.path.join(folder, "certs"))
            config += f'tls {{ cert_file: "{made}/server.pem", key_file: "{made}/server.key" }}\n'
            context = ssl.create_default_context(cafile=f"{made}/ca.pem")
        path = os.path.join(folder, "server.conf")
        with open(path, "w", encoding="ascii") as f:
            f.write(config)
        self.server.start(["-m", "-1", "-c", path])
        self.addresses = {kind: self.server.address(kind) for kind in ("nats", "monitoring")}
        self.pair = Pair(self.addresses["nats"], options.bound, context)
        self.pair.ask()
        self.quiet = self._state()

    def _state(self):
        host, port = self.addresses["monitoring"]
        with urllib.request.urlopen(f"http://{host}:{port}/varz", timeout=self.options.bound) as response:
            varz = json.load(response)
        return varz["connections"], varz["subscriptions"]

    def run(self, attack):
        """Returns what there is to say about it; raises AssertionError if the server did not stand it."""
        failures = multiprocessing.Queue()
        processes = [multiprocessing.Process(target=attack_process, daemon=True, args=(
            attack, self.addresses, self.options.scale, self.options.seed + i, failures)) for i in range(2)]
        self.pair.worst, began, asked, peak = 0.0, time.monotonic(), self.pair.count, 0
        for process in processes:
            process.start()
        try:
            while any(process.is_alive() for process in processes):
                self.pair.ask()
                peak = self._check_memory(peak)
                if time.monotonic() - began > 120 * self.options.scale:
                    raise AssertionError("the attack does not come to its end")
        finally:
            for process in processes:
                process.terminate()
                process.join()
        for _ in range(200):
            self.pair.ask()
        peak = self._check_memory(peak)
        if not failures.empty():
            raise AssertionError(failures.get())
        if any(process.exitcode for process in processes):
            raise AssertionError("an attacking process died")
        self._check_forgotten()
        return (f"{self.pair.count - asked} requests, slowest {self.pair.worst * 1000:.0f} ms, "
                f"memory {peak >> 20} MB, {time.monotonic() - began:.1f} s")

    def _check_memory(self, peak):
        if self.server.process.poll() is not None:
            raise AssertionError(f"the server died with {self.server.process.returncode}\n{self.server.tail()}")
        rss = self.server.rss()
        if rss > self.options.rss_limit << 20:
            raise AssertionError(f"the server uses {rss >> 20} MB")
        return max(peak, rss)

    def _check_forgotten(self):
        if not wait_for(lambda: self._state() == self.quiet, self.options.bound * 2):
            raise AssertionError(f"(connections, subscriptions) are {self._state()}, were {self.quiet} before")

    def finish(self):
        self.pair.close()
        self.server.signal("TERM")
        code = self.server.wait_exit()
        if code != 0:
            raise AssertionError(f"exit code {code} after SIGTERM\n{self.server.tail()}")
        broken = [line for line in self.server.log_lines() if BROKEN.search(line)]
        if broken:
            raise AssertionError("the log says: " + broken[0])


def trial(options, names, tls):
    chosen = [attack for attack in (attacks.TLS if tls else attacks.PLAIN) if not names or attack.__name__ in names]
    passed = failed = 0
    if not chosen:
        return 0, 0
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        stage = Trial(options, folder, tls)
        steps = [(attack.__name__, lambda attack=attack: stage.run(attack)) for attack in chosen]
        try:
            for name, step in steps + [("end" + (" of TLS" if tls else ""), stage.finish)]:
                try:
                    print(f"ok - {name}: {step() or 'clean'}", flush=True)
                    passed += 1
                except (AssertionError, OSError) as error:
                    print(f"not ok - {name}: {error}", flush=True)
                    failed += 1
                    break  # the pair's state is unknown now
        finally:
            stage.server.stop()
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description="a server among hostile clients")
    parser.add_argument("--server", required=True)
    parser.add_argument("--full", action="store_true", help="ten times as much of everything")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--bound", type=float, default=5.0, help="seconds in which each request must be answered")
    parser.add_argument("--rss-limit", type=int, default=0, help="MB; default 600, with --full 3000")
    parser.add_argument("attacks", nargs="*")
    options = parser.parse_args()
    options.scale = 10 if options.full else 1
    options.rss_limit = options.rss_limit or (3000 if options.full else 600)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no server stays behind
    # The full run needs about 12,000 open files in the server, which inherits this.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"seed {options.seed}")
    passed = failed = 0
    for tls in (False, True):
        counts = trial(options, options.attacks, tls)
        passed, failed = passed + counts[0], failed + counts[1]
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
