# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""What scripts/bench and its tables share: programs, servers, the machine."""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(ROOT, ".cache")
RELEASE = os.path.join(ROOT, "build-release")
GENERATOR = "test/bench/midge-bench"
SERVER = "server/midge-server"


class BenchError(Exception):
    pass


def run(*command, **more):
    """Runs a command quietly; its output is shown only if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)} failed:\n{done.stdout}")
    return done.stdout


def build_release(targets):
    if not os.path.exists(os.path.join(RELEASE, "build.ninja")):
        run("meson", "setup", RELEASE, ROOT, "-Dtests=true")
    run("meson", "configure", RELEASE, "-Dtests=true")
    run("ninja", "-C", RELEASE, *targets)


def find_nats_server():
    """The program on PATH, or the newest release by way of Go, or Debian's package, unpacked."""
    path = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
    bin_dir = os.path.join(CACHE, "bin")
    found = shutil.which("nats-server", path=path) or shutil.which("nats-server", path=bin_dir)
    if found:
        return found
    print("nats-server is not installed; getting it ...", file=sys.stderr)
    if shutil.which("go"):
        run("go", "install", "github.com/nats-io/nats-server/v2@latest", env=dict(os.environ, GOBIN=bin_dir))
        return os.path.join(bin_dir, "nats-server")
    with tempfile.TemporaryDirectory() as folder:
        run("apt-get", "download", "nats-server", cwd=folder)
        run("dpkg", "-x", os.path.join(folder, os.listdir(folder)[0]), os.path.join(folder, "root"))
        os.makedirs(bin_dir, exist_ok=True)
        shutil.copy(os.path.join(folder, "root/usr/sbin/nats-server"), bin_dir)
    return os.path.join(bin_dir, "nats-server")


class Server:
    """A running server on a loopback port, a random one if none is given; both kinds log it in the same words."""

    def __init__(self, command, folder, port=-1):
        self.log = os.path.join(folder, "server.log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([*command, "-a", "127.0.0.1", "-p", str(port)], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=folder)

    def __enter__(self):
        try:
            self.port = self.wait_ready()
        except BenchError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_ready(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            text = self.text()
            port = re.search(r"Listening for client connections on \S+:(\d+)\n", text)
            if port and "Server is ready\n" in text:
                return int(port.group(1))
            time.sleep(0.01)
        raise BenchError(f"{self.process.args[0]} does not start:\n{self.text()}")


def machine():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        model = re.search(r"^model name\s*: (.*)$", f.read(), re.M)
    return (f"{len(os.sched_getaffinity(0))} CPUs ({model.group(1) if model else platform.machine()}), "
            f"Linux {platform.release()}, load {os.getloadavg()[0]:.2f}")
