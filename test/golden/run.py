#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Runs the golden transcripts of this folder against a server binary, each with a server of its own.

    run.py --server PATH [--name midge|nats-server] [-j N] [-v] [file...]
"""

import argparse
import concurrent.futures
import os
import signal
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, HERE)

from pylib import certs  # noqa: E402
from steps import NotForThisServer, Runner  # noqa: E402
from transcript import TranscriptError, parse  # noqa: E402


SKIPPED = "skipped"


class Certificates:
    """Made once, when the first transcript asks."""

    def __init__(self, folder):
        self.folder = folder
        self.lock = threading.Lock()
        self.made = False

    def __call__(self):
        with self.lock:
            if not self.made:
                certs.make(self.folder)
                self.made = True
        return self.folder


def run_file(path, options, certificates):
    """None if all went as the file says, SKIPPED if it is for another server, else one line about what did not and the
    end of the server's log."""
    shown = os.path.relpath(path)
    with tempfile.TemporaryDirectory(prefix="golden-") as folder:
        runner = Runner(options.server, options.name, folder, certificates, options.timeout)
        if options.shards:
            runner.server.extra = ["--shards", options.shards]
        try:
            with open(path, encoding="utf-8") as f:
                runner.run(parse(f.read()))
        except NotForThisServer:
            return SKIPPED
        except TranscriptError as error:
            return f"FAIL {shown}:{error.line}: {error}", runner.server.tail()
        finally:
            runner.close()
    return None


def arguments():
    parser = argparse.ArgumentParser(description="golden transcripts against a server")
    parser.add_argument("--server", required=True, help="path of the server binary")
    parser.add_argument("--name", choices=("midge", "nats-server"), help="whose rows to keep; default: by PATH")
    parser.add_argument("-j", type=int, default=4, dest="jobs", help="transcripts at the same time")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds to wait for each expectation")
    parser.add_argument("--shards", help="start every server with --shards N (midge only)")
    parser.add_argument("-v", action="store_true", dest="verbose", help="times, and the server's log of failures")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    if not os.access(options.server, os.X_OK):
        parser.error(f"not a program: {options.server}")
    if not options.name:
        options.name = "midge" if os.path.basename(os.path.realpath(options.server)).startswith("midge") \
            else "nats-server"
    if not options.files:
        options.files = sorted(os.path.join(HERE, name) for name in os.listdir(HERE) if name.endswith(".txt"))
    return options


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no server stays behind
    failed = skipped = 0
    with tempfile.TemporaryDirectory(prefix="golden-certs-") as folder:
        certificates = Certificates(folder)

        def one(path):
            began = time.monotonic()
            return run_file(path, options, certificates), time.monotonic() - began

        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            # Results come in the order of the files, so the output of two runs can be compared.
            for path, (result, seconds) in zip(options.files, pool.map(one, options.files)):
                skipped += result is SKIPPED
                if options.verbose:
                    verdict = "ok  " if result is None else "skip" if result is SKIPPED else "FAIL"
                    print(f"{verdict} {seconds:5.2f} s {os.path.relpath(path)}")
                if result and result is not SKIPPED:
                    failed += 1
                    print(result[0], flush=True)
                    if options.verbose:
                        print(result[1])
    if skipped:
        print(f"{skipped} are for another server")
    print(f"{len(options.files) - failed - skipped} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
