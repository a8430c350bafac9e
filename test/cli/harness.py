# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Runs command lines as a person would: with pipes, or on a pseudo-terminal. No test sleeps; waits have conditions."""

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import urllib.request

from pylib.server import Server, ServerError, wait_for

TIMEOUT = 20.0
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Failure(Exception):
    pass


def check(condition, text):
    if not condition:
        raise Failure(text)


def short(value):
    text = repr(value)
    return text if len(text) <= 1500 else text[:1000] + " ... " + text[-400:]


def equal(have, want, what="output"):
    check(have == want, f"{what}: have {short(have)}\n      want {short(want)}")


def contains(have, want, what="output"):
    check(want in have, f"{what}: {want!r} is not in {short(have)}")


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def log(self):
        """stderr with times of day replaced."""
        return re.sub(r"(?m)^\d\d:\d\d:\d\d ", "TIME ", self.err)

    def ok(self):
        check(self.code == 0, f"exit status {self.code}; stderr: {self.err!r}")
        return self

    def failed(self, text="", code=1):
        check(self.code == code, f"exit status {self.code}, not {code}; stderr: {self.err!r}")
        contains(self.err, text, "stderr")
        return self


class Running:
    """A command that goes on; its output is read by threads, so pipes never fill."""

    def __init__(self, argv, env, stdin):
        self.process = subprocess.Popen(argv, env=env, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.parts = {"out": b"", "err": b""}
        self.threads = [threading.Thread(target=self._read, args=(name, stream), daemon=True)
                        for name, stream in (("out", self.process.stdout), ("err", self.process.stderr))]
        for thread in self.threads:
            thread.start()

    def _read(self, name, stream):
        try:
            while data := os.read(stream.fileno(), 65536):
                self.parts[name] += data
        except (OSError, ValueError):  # the test has closed it
            pass

    def out(self):
        return self.parts["out"].decode("utf-8", "replace")

    def err(self):
        return self.parts["err"].decode("utf-8", "replace")

    def wait_err(self, text):
        check(wait_for(lambda: text in self.err() or self.process.poll() is not None, TIMEOUT) and text in self.err(),
              f"{text!r} did not come; stderr: {self.err()!r}")
        return self

    def wait_out(self, text):
        check(wait_for(lambda: text in self.out(), TIMEOUT), f"{text!r} did not come; stdout: {self.out()!r}")
        return self

    def write(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def close_input(self):
        self.process.stdin.close()

    def interrupt(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self

    def finish(self):
        try:
            code = self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure(f"it did not end; stdout: {self.out()!r} stderr: {self.err()!r}") from None
        for thread in self.threads:
            thread.join(TIMEOUT)
        return Result(code, self.out(), self.err())

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Program:
    def __init__(self, path, env):
        self.path, self.env = path, env

    def _environment(self, more):
        env = dict(self.env)
        for name, value in (more or {}).items():
            if value is None:
                env.pop(name, None)
            else:
                env[name] = value
        return env

    def run(self, *args, stdin=None, env=None):
        """stdin None: /dev/null."""
        done = subprocess.run([self.path, *args], env=self._environment(env), timeout=TIMEOUT, check=False,
                              input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return Result(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def start(self, *args, env=None, pipe=False):
        return Running([self.path, *args], self._environment(env), subprocess.PIPE if pipe else subprocess.DEVNULL)

    def on_terminal(self, *args, env=None, keys=b"", columns=100, stop_at=None):
        """All three streams are a terminal. Returns the exit status and what was on the screen, escapes included.
        stop_at: interrupts when this text has appeared."""
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        environment = self._environment({"TERM": "xterm", **(env or {})})
        process = subprocess.Popen([self.path, *args], env=environment, stdin=follower, stdout=follower,
                                   stderr=follower, start_new_session=True)
        os.close(follower)
        if keys:
            os.write(leader, keys)
        seen = b""
        killer = threading.Timer(TIMEOUT, process.kill)
        killer.start()
        while True:
            try:
                data = os.read(leader, 65536)
            except OSError:  # the last one has closed the terminal
                break
            if not data:
                break
            seen += data
            if stop_at is not None and stop_at in seen:
                process.send_signal(signal.SIGINT)
                stop_at = None
        killer.cancel()
        os.close(leader)
        return process.wait(), seen.decode("utf-8", "replace").replace("\r\n", "\n")


class World:
    """What a test gets: servers, programs, a folder and a home of its own."""

    def __init__(self, server_path, midge_path, folder):
        self.server_path, self.midge_path = server_path, midge_path
        self.nats_path = shutil.which("nats")
        self.folder = folder
        self.servers = []
        self.running = []
        self.plain = self.serve()
        self.url_of = self.plain  # the server that programs find without being told
        self.streams = None       # a server with JetStream, once one was asked for
        self.fresh()

    def find_streams(self):
        """A server with JetStream: the one under test, or else nats-server if it is installed. False: there is none."""
        for path in (self.server_path, shutil.which("nats-server")):
            if self.streams is not None or path is None:
                continue
            folder = tempfile.mkdtemp(dir=self.folder)
            server = Server(path, folder)
            try:
                server.start(["-m", "-1", "-js", "-sd", os.path.join(folder, "store")])
            except ServerError:  # it has no such flags
                continue
            self.servers.append(server)
            info = self.midge.run("account", "info", "--json", "--server", self.url(server))
            if info.code == 0:
                self.streams = server
            else:
                server.stop()
        return self.streams is not None

    def fresh(self, streams=False):
        """A new home: no contexts. streams: the server with JetStream, without any stream."""
        self.url_of = self.streams if streams else self.plain
        self.home = tempfile.mkdtemp(dir=self.folder)
        env = {name: value for name, value in os.environ.items()
               if not name.startswith(("NATS_", "XDG_")) and name not in ("NO_COLOR", "EDITOR", "LLMFORMAT")}
        env.update(HOME=self.home, XDG_CONFIG_HOME=os.path.join(self.home, "config"), TZ="UTC",
                   NATS_URL=self.url())
        self.env = env
        self.midge = Program(self.midge_path, env)
        self.nats = Program(self.nats_path, env) if self.nats_path else None
        if streams:
            for name in self.midge.run("stream", "ls", "--names").ok().out.split():
                self.midge.run("stream", "rm", name, "--force").ok()

    def start(self, program, *args, **more):
        running = program.start(*args, **more)
        self.running.append(running)
        return running

    def serve(self, config=None):
        folder = tempfile.mkdtemp(dir=self.folder)
        args = ["-m", "-1"]
        if config is not None:
            path = os.path.join(folder, "server.conf")
            with open(path, "w", encoding="utf-8") as f:
                f.write(config)
            args += ["-c", path]
        server = Server(self.server_path, folder).start(args)
        self.servers.append(server)
        return server

    def url(self, server=None):
        return "nats://%s:%d" % (server or self.url_of).address()

    def subjects(self, server=None):
        """All subjects that clients subscribe to."""
        http = "http://%s:%d/connz?subs=1" % (server or self.url_of).address("monitoring")
        with urllib.request.urlopen(http, timeout=TIMEOUT) as answer:
            return [s for c in json.load(answer)["connections"] for s in c.get("subscriptions_list", [])]

    def wait_subscribed(self, subject, count=1, server=None):
        check(wait_for(lambda: self.subjects(server).count(subject) >= count, TIMEOUT),
              f"nobody subscribed to {subject}")

    def subscribe(self, program, *args, subject=None, **more):
        """Starts `sub ARGS` and waits until the server knows of it."""
        running = self.start(program, "sub", *args, **more)
        self.wait_subscribed(subject or args[0])
        return running

    def clean(self):
        for running in self.running:
            running.stop()
        self.running = []
        check(wait_for(lambda: not self.subjects(), TIMEOUT), f"subscriptions were left behind: {self.subjects()}")

    def stop(self):
        for running in self.running:
            running.stop()
        for server in self.servers:
            server.stop()
