# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""A server process of a test: random ports read from its ports file, log kept in a file, never left behind.

Nothing here sleeps for a guessed time: every wait polls a condition (the ports file, the log, the exit) until a
generous deadline, so a slow machine makes the tests slow, not wrong.
"""

import glob
import json
import os
import re
import signal
import subprocess
import time
from urllib.parse import urlsplit

POLL = 0.005
REPORT = re.compile("runtime error: |ERROR: [A-Za-z]+Sanitizer|WARNING: ThreadSanitizer")


class ServerError(Exception):
    pass


def wait_for(condition, timeout):
    """The first true value of condition() before the timeout, else None."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            return None
        time.sleep(POLL)


class Server:
    """folder is the server's own: log, ports file and pid live there."""

    def __init__(self, path, folder, timeout=20.0):
        self.path = os.path.abspath(path)
        self.folder = folder
        self.timeout = timeout
        self.log_path = os.path.join(folder, "stderr")
        self.process = None
        self.ports = {}
        self._cursor = 0
        self.extra = []  # further arguments of every start

    def start(self, args, listen="127.0.0.1", port=-1):
        """Starts it and waits until all of its listeners are up."""
        ports_dir = os.path.join(self.folder, "ports")
        os.makedirs(ports_dir, exist_ok=True)
        argv = [self.path, "-a", listen, "-p", str(port), "--ports_file_dir", ports_dir, *self.extra, *args]
        with open(self.log_path, "ab") as log, open(os.path.join(self.folder, "stdout"), "ab") as out:
            self.process = subprocess.Popen(argv, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        if not wait_for(self._read_ports, self.timeout):
            code = self.process.poll()
            self.stop()
            raise ServerError(f"server did not get ready (exit code {code}); log:\n{self.tail()}")
        return self

    def _read_ports(self):
        if self.process.poll() is not None:
            raise ServerError(f"server exited with {self.process.returncode}; log:\n{self.tail()}")
        for name in glob.glob(os.path.join(self.folder, "ports", f"*_{self.process.pid}.ports")):
            try:
                with open(name, encoding="utf-8") as f:
                    self.ports = json.load(f)
            except ValueError:  # half written
                return False
            return bool(self.ports)
        return False

    def address(self, kind="nats"):
        """(host, port) of the first listener of that kind in the ports file."""
        urls = self.ports.get(kind)
        if not urls:
            raise ServerError(f"no {kind} listener in the ports file: {self.ports}")
        parts = urlsplit(urls[0])
        return parts.hostname, parts.port

    def signal(self, name):
        self.process.send_signal(getattr(signal, "SIG" + name))

    def wait_exit(self, timeout=None):
        try:
            return self.process.wait(timeout or self.timeout)
        except subprocess.TimeoutExpired:
            return None

    def threads(self):
        """What each thread does just now, for the message of a server that hangs: name, state, ticks of CPU, wait."""
        lines = []
        for task in sorted(glob.glob(f"/proc/{self.process.pid}/task/*")):
            try:
                with open(task + "/stat", encoding="utf-8") as f:
                    name, _, rest = f.read().partition("(")[2].rpartition(")")
                with open(task + "/wchan", encoding="utf-8") as f:
                    where = f.read()
            except OSError:  # it ended
                continue
            fields = rest.split()
            lines.append(f"{name} {fields[0]} {int(fields[11]) + int(fields[12])} {where}")
        return ", ".join(lines)

    def rss(self):
        """Resident memory in bytes."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def log_lines(self):
        with open(self.log_path, "rb") as f:
            return f.read().decode("utf-8", "replace").splitlines()

    def wait_log(self, matches):
        """Waits for a line after the last one found; returns it, or None."""
        def look():
            lines = self.log_lines()
            for at in range(self._cursor, len(lines)):
                if matches(lines[at]):
                    self._cursor = at + 1
                    return [lines[at]]
            return None
        found = wait_for(look, self.timeout)
        return found[0] if found else None

    def tail(self, count=30):
        return "\n".join(self.log_lines()[-count:]) if os.path.exists(self.log_path) else ""

    def sanitizer_report(self):
        """What a sanitizer has told in the log, of this process or of one before it; else nothing."""
        lines = self.log_lines()
        at = next((i for i, line in enumerate(lines) if REPORT.search(line)), len(lines))
        return "\n".join(lines[at:at + 40])

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
