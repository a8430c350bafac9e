# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""The JetStream rows of scripts/bench: what is measured, in what order, and what it has to reach.

A row has lanes: a server and what the load generator does with it. The lanes of a row are sampled in turn, each sample
with a fresh server and an empty store; what is compared are the medians of a lane. Behind a ratio stand the lowest and
the highest ratio of one turn: where they are far apart, the machine or its disk was busy with something else.
"""

import contextlib
import mmap
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time

from rig import BenchError, Server, machine, run

# ---- the rows


class Lane:
    """What is done in one sample: `server` is midge, lazy or always; `how` runs the generator's row, maybe more."""

    def __init__(self, name, server, row, how=None):
        self.name, self.server, self.row, self.how = name, server, row, how or plain


class Figure:
    """A line of the result. `value` gets {lane: {metric: number}}; reach None: no mark, it stands for the reader."""

    def __init__(self, what, value, unit="x", order=">", reach=None, aim=None):
        self.what, self.value, self.unit, self.order, self.reach, self.aim = what, value, unit, order, reach, aim

    def good(self, value, limit):
        return value >= limit if self.order == ">" else value <= limit

    def verdict(self, value):
        if self.reach is None:
            return ""
        return "PASS, aim" if self.good(value, self.aim) else "PASS" if self.good(value, self.reach) else "MISS"


def of(lane, metric, scale=1.0):
    return lambda medians: medians[lane][metric] * scale


def ratio(metric, lane, other):
    return lambda medians: medians[lane][metric] / medians[other][metric]


def rates(*lanes):
    return [Figure(f"messages/s: {lane}", of(lane, "msgs_per_s"), "") for lane in lanes]


def table():
    """{row: (lanes, figures)}. In a function because the lanes of some rows are functions further down."""
    both = ("midge", "lazy")
    return {
        "js-publish": (
            [Lane(name, name, "js-publish") for name in ("midge", "lazy", "always")],
            [Figure("publish, 1,000 outstanding, to lazy", ratio("msgs_per_s", "midge", "lazy"), "x", ">", 1, 2),
             Figure("the same, to always", ratio("msgs_per_s", "midge", "always"), "x", ">", 40, 80),
             Figure("server CPU for each, to lazy", ratio("cpu_ns", "midge", "lazy"), "x", "<", 0.5, 0.3),
             *rates("midge", "lazy", "always"),
             Figure("server CPU for each: midge", of("midge", "cpu_ns"), "ns")]),
        "js-sync": (
            [Lane(name, name, "js-sync") for name in ("midge", "always")],
            [Figure("publish, one in flight, to always", ratio("msgs_per_s", "midge", "always"), "x", ">", 1.2, 1.4),
             *rates("midge", "always"),
             Figure("median: midge", of("midge", "p50_us"), "us"),
             Figure("median: always", of("always", "p50_us"), "us"),
             Figure("server CPU for each: midge", of("midge", "cpu_ns", 1e-3), "us")]),
        "js-latency": (
            [*(Lane(name, name, "js-latency") for name in both), Lane("durable write", "none", "", raw_writes)],
            [Figure("publish to delivery, p50, to lazy", ratio("p50_us", *both), "x", "<", 2.5, 1.5),
             Figure("publish to delivery, p99, to lazy", ratio("p99_us", *both), "x", "<", 2.5, 1.5),
             *(Figure(f"{p}: {lane}", of(lane, f"{p}_us"), "us")
               for p in ("p50", "p99") for lane in (*both, "durable write"))]),
        "js-fetch": (
            [Lane(name, name, "js-fetch") for name in both],
            [Figure("fetch 1,000, explicit ack, to lazy", ratio("msgs_per_s", *both), "x", ">", 1.2, 2),
             *rates(*both)]),
        "js-consume": (
            [Lane(name, name, "js-consume") for name in both],
            [Figure("consume, ack none, to lazy", ratio("msgs_per_s", *both), "x", ">", 1.5, 3), *rates(*both)]),
        "js-subjects": (
            [Lane("one", "midge", "js-subject"), Lane("1,024", "midge", "js-subjects"),
             Lane("lazy 1,024", "lazy", "js-subjects")],
            [Figure("1,024 subjects that keep 10, to one", ratio("msgs_per_s", "1,024", "one"), "x", ">", 0.8, 0.95),
             *rates("one", "1,024", "lazy 1,024")]),
        "js-streams": (
            [Lane("one", "midge", "js-publish"), Lane("64", "midge", "js-streams"),
             Lane("lazy 64", "lazy", "js-streams")],
            [Figure("64 streams in turn, to one", ratio("msgs_per_s", "64", "one"), "x", ">", 0.8, 0.95),
             *rates("one", "64", "lazy 64")]),
        "js-restart": (
            [Lane("midge", "midge", "js-fill", restarts), Lane("lazy", "lazy", "js-fill", restarts)],
            [Figure("kill -9, restart, until a fetch is answered", of("midge", "first_ms", 1e-3), "s", "<", 1, 0.3),
             Figure("of that until it listens", of("midge", "listens_ms", 1e-3), "s"),
             Figure("the same: lazy", of("lazy", "first_ms", 1e-3), "s")]),
        "js-consumers": (
            [Lane("many", "midge", "js-create", rested), Lane("alone", "midge", "js-alone"),
             Lane("beside", "midge", "js-beside")],
            [Figure("creation of a durable consumer", of("many", "create_us"), "us", "<", 20, 20),
             Figure("server CPU for that", of("many", "create_cpu_us"), "us"),
             Figure("memory for one that is new", of("many", "bytes_new"), "B"),
             Figure("memory for one that sleeps, restarted", of("many", "bytes_asleep"), "B", "<", 256, 128),
             Figure("memory for one with a request, all waiting", waiting, "B", "<", 1024, 1024),
             Figure("publish beside them, to none", ratio("msgs_per_s", "beside", "alone"), "x", ">", 0.8, 0.8)]),
    }


# ---- a sample


def command(programs, server, store):
    """A server of that kind with its store in that folder."""
    if server == "midge":
        return [programs["midge"], "--shards", "1", "-js", "-sd", store]
    if server == "lazy":
        return [programs["nats"], "-js", "-sd", store]
    conf = store + ".conf"
    with open(conf, "w", encoding="utf-8") as f:
        f.write(f'jetstream {{ store_dir: "{store}", sync_interval: always }}\n')
    return [programs["nats"], "-c", conf]


def generate(programs, server, row, options, *more):
    """Runs one row of the load generator: {metric: value}."""
    arguments = [programs["generator"], "--js", "--pid", str(server.process.pid), "--port", str(server.port), "--rows",
                 row, "--seconds", str(options.seconds), "--consumers", str(options.consumers),
                 "--part", str(getattr(options, "part", 1)), *more]
    try:
        out = run(*arguments, timeout=1200)
    except (BenchError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"{error}\nend of the server's log:\n{server.text()[-1000:]}") from None
    return {metric: float(value) for _, metric, value in (line.split("\t") for line in out.splitlines())}


@contextlib.contextmanager
def new_store(options):
    folder = tempfile.mkdtemp(prefix=".bench-js-", dir=options.dir)
    try:
        yield os.path.join(folder, "store")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def plain(programs, lane, options):
    with new_store(options) as store:
        with Server(command(programs, lane.server, store), os.path.dirname(store)) as server:
            return [generate(programs, server, lane.row, options)]


def raw_writes(_programs, _lane, options):
    """What the device takes for a page that is durable, at the pace of js-latency: below that no broker gets."""
    took, size, page = [], 4 << 20, mmap.mmap(-1, 4096)
    with new_store(options) as path:
        with open(path, "wb") as f:
            f.write(bytes(size))
            os.fsync(f.fileno())
        fd = os.open(path, os.O_WRONLY | os.O_DIRECT | os.O_DSYNC)
        for i in range(int(options.seconds * 2000)):
            began = time.monotonic()
            os.pwritev(fd, [page], i * 4096 % size)
            took.append((time.monotonic() - began) * 1e6)
            time.sleep(max(0.0, 0.002 - took[-1] / 1e6))
        os.close(fd)
    took.sort()
    return [{"p50_us": took[len(took) // 2], "p99_us": took[len(took) * 99 // 100]}]


def forget(folder):
    """Takes the files below out of the page cache."""
    for where, _, names in os.walk(folder):
        for name in names:
            fd = os.open(os.path.join(where, name), os.O_RDONLY)
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


def restarts(programs, lane, options):
    """One store, killed and opened as often as there are samples; a tenth is added each time. Many samples at once."""
    samples = []
    with new_store(options) as store:
        folder = os.path.dirname(store)
        start = command(programs, lane.server, store)
        server, size = Server(start, folder), options.bytes
        try:
            server.port = server.wait_ready()
            for _ in range(options.repeat):
                generate(programs, server, lane.row, options, "--bytes", str(size))
                server.kill()
                forget(store)
                since, port = time.clock_gettime_ns(time.CLOCK_MONOTONIC), server.port
                server = Server(start, folder, port)
                server.port = port
                samples.append(generate(programs, server, "js-first", options, "--since", str(since)))
                size = options.bytes // 10
        finally:
            server.kill()
    return samples


def anonymous_bytes(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as f:
        return int(re.search(r"^RssAnon:\s*(\d+) kB", f.read(), re.M).group(1)) * 1024.0


def rested(programs, lane, options):
    """Behind a restart the server's memory is that of what it keeps, not of what it did: before the end a server writes
    what only its journal has, so the start finds that in tables and replays nothing. Then all are woken by a request.
    One client asks for all, with one subscription, so what is measured is the consumers' and their requests'. That
    includes what stays in the cache of table blocks (at most 64 MB whatever their number): below 100 bytes for each."""
    with new_store(options) as store:
        start, folder = command(programs, lane.server, store), os.path.dirname(store)
        with Server(start, folder) as server:
            fresh = anonymous_bytes(server)
            values = generate(programs, server, lane.row, options)
        with Server(start, folder) as server:
            values["bytes_asleep"] = (anonymous_bytes(server) - fresh) / options.consumers
            values.update(generate(programs, server, "js-wake", options))
    return [values]


def waiting(medians):
    return medians["many"]["bytes_asleep"] + medians["many"]["bytes_active"]


TABLE = table()


# ---- the two ways to use it


def number(value):
    return "-" if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def medians_of(samples):
    return {lane: {metric: statistics.median(values) for metric, values in metrics.items()}
            for lane, metrics in samples.items()}


def turns_of(samples):
    """The samples of each turn, as if there were no others."""
    count = min(len(values) for metrics in samples.values() for values in metrics.values())
    return [{lane: {metric: values[i] for metric, values in metrics.items()} for lane, metrics in samples.items()}
            for i in range(count)]


def print_row(row, samples):
    """True if nothing was missed."""
    medians, turns, fine = medians_of(samples), turns_of(samples), True
    for figure in TABLE[row][1]:
        value = figure.value(medians)
        each = [figure.value(turn) for turn in turns]
        said = figure.verdict(value)
        fine &= said != "MISS"
        spread = f"{number(min(each))} .. {number(max(each))}" if len(each) > 1 else ""
        print(f"{row:<13}{figure.what:<44}{number(value):>10} {figure.unit:<3}{spread:>24}{number(figure.reach):>7}"
              f"{number(figure.aim):>6}  {said}".rstrip(), flush=True)
    return fine


def take_sample(programs, lane, options, samples):
    try:
        taken = lane.how(programs, lane, options)
    except BenchError as error:
        raise BenchError(f"{lane.name}: {error}") from None
    for values in taken:
        for metric, value in values.items():
            samples.setdefault(lane.name, {}).setdefault(metric, []).append(value)
    return len(taken)


def measure(programs, row, options):
    """{lane: {metric: [values]}}"""
    samples, taken = {}, 0
    while taken < options.repeat:
        for lane in TABLE[row][0]:
            count = take_sample(programs, lane, options, samples)
        taken += count
    return samples


def compare(programs, rows, options):
    head = f"{'row':<13}{'':<44}{'measured':>10} {'':<3}{'lowest .. highest':>24}{'reach':>7}{'aim':>6}"
    print(f"\n{machine()}\n\n{head}")
    results, missed = {}, 0
    for row in rows:
        results[row] = measure(programs, row, options)
        missed += not print_row(row, results[row])
    print(f"\n{missed} rows missed a mark" if missed else "\nall marks reached")
    return results


def check(programs, row, options):
    """The row with our server alone and little to do."""
    options.consumers, options.bytes, options.part, options.repeat = 2000, 1 << 20, 100, 2
    for lane in TABLE[row][0]:
        if lane.server == "midge":
            take_sample(programs, lane, options, {})
