# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""What the tests are made with: a server and clients of a test's own, and the runner."""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
import traceback
import urllib.request

import nats

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

from pylib.server import Server  # noqa: E402

BINARY = sys.argv[1]
PATIENCE = 20
TESTS = []


def test(function, limit=60):
    """Registers a test, of that many seconds at most."""
    TESTS.append((function, limit))
    return function


async def until(what, condition, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.01)


class Bed:
    """A server of the test's own and its clients, which are all gone afterwards."""

    def __init__(self, config="", streams=False):
        self.config = config
        self.streams = streams
        self.clients = []

    async def __aenter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="interop-py-")
        path = os.path.join(self.folder.name, "server.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write("logtime: true\n" + self.config)
        self.server = Server(BINARY, self.folder.name)
        self.args = ["-m", "-1", "-c", path] + (["-js", "-sd", self.folder.name] if self.streams else [])
        self.server.start(self.args)
        self.port = self.server.address()[1]
        return self

    async def __aexit__(self, *_):
        for nc in self.clients:
            # A connection that the server has just cut may end the client's own wait for it as if it was cancelled.
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await nc.close()
        self.server.stop()
        report = self.server.sanitizer_report()
        self.folder.cleanup()
        assert not report, report

    async def client(self, scheme="nats", host="127.0.0.1", **options):
        nc = await nats.connect(f"{scheme}://{host}:{self.port}", **{"connect_timeout": 10, **options})
        self.clients.append(nc)
        return nc

    async def lasting(self):
        """A client that comes back after every restart."""
        async def error_cb(_):
            pass  # that the server went away is no news
        return await self.client(max_reconnect_attempts=-1, reconnect_time_wait=0.02, error_cb=error_cb)

    def restart(self, signal):
        self.server.signal(signal)
        self.server.wait_exit()
        self.server.start(self.args, port=self.port)

    async def refused(self, **options):
        """Connecting with these options ends in an authorization error."""
        told = []

        async def error_cb(error):
            told.append(str(error))
        try:
            await self.client(allow_reconnect=False, max_reconnect_attempts=0, error_cb=error_cb, **options)
        except Exception as error:
            told.append(str(error))
            assert any("authorization violation" in text.lower() for text in told), told
            return
        raise AssertionError("should have been refused")

    def get(self, path):
        host, port = self.server.address("monitoring")
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=PATIENCE) as response:
            return json.load(response)


async def take(sub, count):
    return [await sub.next_msg(timeout=PATIENCE) for _ in range(count)]


def run_tests():
    passed = failed = 0
    for function, limit in TESTS:
        name = function.__name__.replace("_", " ")
        if len(sys.argv) > 2 and sys.argv[2] not in name:
            continue
        try:
            asyncio.run(asyncio.wait_for(function(), limit))
            passed += 1
            print(f"ok - {name}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok - {name}\n    " + traceback.format_exc().rstrip().replace("\n", "\n    "), flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0
